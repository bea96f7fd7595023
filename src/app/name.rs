//! Name: the name of a user in the app (§17.1, §17.2).

use core::fmt::{self, Write as _};

use super::error::BundleError;
use crate::cbor::{Bytes, text_newtype};
use crate::port::name::plain;

/// The most UTF-16 code units in a name.
const MAX_UNITS: usize = 30;

/// A name: any text of at most 30 UTF-16 code units, which are at most 90 bytes. It may be empty. A name that was received is a claim.
///
/// The app takes any character, so [`as_str`](Self::as_str) may have control characters, line ends, or some that turn the direction of
/// others. Show a name by its `Display`, which leaves those out that §16.2 forbids.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Bytes<{ MAX_UNITS * 3 }>);

impl Name {
    /// Makes a name of a text.
    ///
    /// # Errors
    /// [`BundleError::NameTooLong`]: the text is longer than 30 UTF-16 code units. Choose a shorter one.
    pub fn new(name: &str) -> Result<Self, BundleError> {
        // A code unit takes at most three bytes in UTF-8. A text with more bytes is too long, and need not be counted.
        let name = Bytes::new(name.as_bytes()).map(Self).ok_or(BundleError::NameTooLong)?;
        if name.as_str().encode_utf16().count() > MAX_UNITS { Err(BundleError::NameTooLong) } else { Ok(name) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name([redacted])")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        plain(self.as_str()).try_for_each(|c| f.write_char(c))
    }
}

text_newtype!(Name);
