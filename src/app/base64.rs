//! base64url (RFC 4648 §5): padded when written, with or without padding when read (§17.1).

use alloc::string::String;
use alloc::vec::Vec;

use data_encoding::{BASE64URL, BASE64URL_NOPAD, Encoding};

pub(crate) fn write(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// `None` if it is none, or its bytes may be more than `bound`.
pub(crate) fn read(text: &str, bound: usize) -> Option<Vec<u8>> {
    let encoding: &Encoding = if text.ends_with('=') { &BASE64URL } else { &BASE64URL_NOPAD };
    // What padding there is stands for at most two bytes.
    let longest = encoding.decode_len(text.len()).ok()?;
    if longest > bound.checked_add(2)? {
        return None;
    }
    encoding.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() <= bound)
}
