//! base64url (RFC 4648 §5): padded when written, with or without padding when read (§17.1).

use alloc::string::String;
use alloc::vec::Vec;

use data_encoding::{BASE64URL, BASE64URL_NOPAD};

pub(crate) fn write(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// `None` if it is none, or its bytes may be more than `bound`.
pub(crate) fn read(text: &str, bound: usize) -> Option<Vec<u8>> {
    // Padding stands at the end, or nowhere: `BASE64URL` would take whole texts one behind the other.
    let bare = text.trim_end_matches('=');
    let is_whole = bare.len() == text.len() || bare.len().checked_next_multiple_of(4)? == text.len();
    if !is_whole || BASE64URL_NOPAD.decode_len(bare.len()).ok()? > bound {
        return None;
    }
    BASE64URL_NOPAD.decode(bare.as_bytes()).ok()
}
