//! base64url (RFC 4648 §5, §17.1). We write it with padding, and read it with or without.

use alloc::string::String;
use alloc::vec::Vec;

use data_encoding::{BASE64URL, BASE64URL_NOPAD};

pub(crate) fn write(bytes: &[u8]) -> String {
    BASE64URL.encode(bytes)
}

/// Decodes base64url. `None` if the text is not base64url, or if it decodes to more than `bound` bytes.
pub(crate) fn read(text: &str, bound: usize) -> Option<Vec<u8>> {
    // §17.1: the padding is complete and at the end, or absent. `BASE64URL` would also decode several padded texts joined together, so the
    // padding is removed here.
    let bare = text.trim_end_matches('=');
    let is_whole = bare.len() == text.len() || bare.len().checked_next_multiple_of(4)? == text.len();
    if !is_whole || BASE64URL_NOPAD.decode_len(bare.len()).ok()? > bound {
        return None;
    }
    BASE64URL_NOPAD.decode(bare.as_bytes()).ok()
}
