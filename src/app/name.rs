//! What people call themselves in the app (§17.2).

use core::{fmt, str};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::error::BundleError;
use crate::wire::Bytes;

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

    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name([redacted])")
    }
}

impl<C> Encode<C> for Name {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Name {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.str()?).map_err(|_| decode::Error::message("name"))
    }
}
