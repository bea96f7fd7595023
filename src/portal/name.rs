//! Names: what an owner calls a Portal (§18.4).

use core::fmt;

use super::error::PeerError;
use crate::cbor::{Bytes, text_newtype};
use crate::port::name::is_plain;

/// The longest name, in bytes.
const MAX_NAME: usize = 32;

/// A name of a Portal for people: 0 to 32 bytes, in which every character shows (§18.4). It names nobody to a machine.
#[derive(Clone, PartialEq, Eq)]
pub struct PortalName(Bytes<MAX_NAME>);

impl PortalName {
    /// No name.
    pub const NONE: Self = Self(Bytes::EMPTY);

    /// Takes a name.
    ///
    /// # Errors
    /// [`PeerError::BadName`] if it is longer than 32 bytes, or has a character that hides or moves others. Choose another.
    pub fn new(name: &str) -> Result<Self, PeerError> {
        if is_plain(name) {
            Bytes::new(name.as_bytes()).map(Self).ok_or(PeerError::BadName)
        } else {
            Err(PeerError::BadName)
        }
    }
}

impl fmt::Debug for PortalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortalName([redacted])")
    }
}

text_newtype!(PortalName);
