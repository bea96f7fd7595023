//! The relay address in a Port (§2.1).

use core::fmt;

use crate::cbor::{Bytes, text_newtype};
use crate::error::PortError;

const MAX_RELAY: usize = 64;

/// Where to connect: a host name or URL of 1 to 64 bytes (§2.1).
///
/// It comes from the maker of the Port. Only its characters are checked, against those of RFC 3986. Before you connect, check that your
/// app allows this address.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayAddr(Bytes<MAX_RELAY>);

impl RelayAddr {
    /// Takes a host name or URL.
    ///
    /// # Errors
    /// [`PortError::BadRelayAddr`] if it is empty, longer than 64 bytes, or has a character that is in no URL.
    pub fn new(relay: &str) -> Result<Self, PortError> {
        if relay.is_empty() || !relay.bytes().all(is_in_urls) {
            return Err(PortError::BadRelayAddr);
        }
        Bytes::new(relay.as_bytes()).map(Self).ok_or(PortError::BadRelayAddr)
    }
}

impl fmt::Debug for RelayAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

text_newtype!(RelayAddr);

/// The characters of RFC 3986.
pub(super) fn is_in_urls(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}
