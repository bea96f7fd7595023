//! Names: what an owner calls a Portal (§18.4), and what an app is called (§18.7).

use core::{cmp, fmt};

use super::error::{PeerError, RequestError};
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

/// For screens: `Debug` does not show it, for logs.
impl fmt::Display for PortalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PortalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortalName([redacted])")
    }
}

text_newtype!(PortalName);

/// The name of an app, the same on every Portal: 1 to 63 characters of `a`–`z`, `0`–`9`, `-`, `_` (§18.7).
#[derive(Clone, PartialEq, Eq)]
pub struct AppName(Bytes<63>);

impl AppName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`RequestError::BadApp`]: it is none.
    pub fn new(name: &str) -> Result<Self, RequestError> {
        let is_one = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_one) {
            return Err(RequestError::BadApp);
        }
        Bytes::new(name.as_bytes()).map(Self).ok_or(RequestError::BadApp)
    }
}

impl PartialOrd for AppName {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AppName {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

text_newtype!(AppName);
