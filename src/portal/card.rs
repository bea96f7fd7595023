//! A Portal ID with an address, as a text: QR code, link, message over a line.

use core::fmt;

use super::error::PeerError;
use crate::cbor::{Bytes, text_newtype};

/// Stub.
#[derive(Clone, PartialEq, Eq)]
pub struct PortalAddr(Bytes<64>);

impl PortalAddr {
    /// Stub.
    pub fn new(address: &str) -> Result<Self, PeerError> {
        Bytes::new(address.as_bytes()).map(Self).ok_or(PeerError::BadName)
    }
}

impl fmt::Debug for PortalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

text_newtype!(PortalAddr);
