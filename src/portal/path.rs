//! Paths, canonical before they are matched.

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

/// Path and query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target<'a>(&'a str);

impl<'a> Target<'a> {
    /// Stub.
    pub fn parse(text: &'a str) -> Option<Self> {
        text.starts_with('/').then_some(Self(text))
    }

    /// Stub.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl<C> Encode<C> for Target<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Target<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::parse(d.str()?).ok_or_else(|| decode::Error::message("not a target"))
    }
}
