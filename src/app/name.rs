//! What people call themselves in the app (§17.2).

use core::fmt;

use super::error::BundleError;
use crate::cbor::{Bytes, text_newtype};

/// The most UTF-16 code units in a name.
const MAX_UNITS: usize = 30;

/// A name of at most 30 UTF-16 code units, as JavaScript counts them: any text, the empty one too. A claim of whoever wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Bytes<{ MAX_UNITS * 3 }>);

impl Name {
    /// Takes a name.
    ///
    /// # Errors
    /// [`BundleError::NameTooLong`] if it is longer.
    pub fn new(name: &str) -> Result<Self, BundleError> {
        // No code unit takes more than three bytes; what is longer is not counted.
        let name = Bytes::new(name.as_bytes()).map(Self).ok_or(BundleError::NameTooLong)?;
        if name.as_str().encode_utf16().count() > MAX_UNITS { Err(BundleError::NameTooLong) } else { Ok(name) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name([redacted])")
    }
}

text_newtype!(Name);
