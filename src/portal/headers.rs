//! Headers: which of HTTP's are carried between Portals (§18.7).

use alloc::vec::Vec;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::error::RequestError;

/// How many headers a request or an answer has, at most.
pub const MAX_HEADERS: usize = 64;
/// How many bytes their names and values have together, at most.
pub const MAX_HEADER_BYTES: usize = 8_192;

/// What begins the name of an app's own header.
const OWN: &str = "app-";

/// The headers of a request or an answer that are carried: those that say what the bytes are, conditions and caches, parts, and an app's own,
/// whose names begin with `app-` (§18.7). Not carried are credentials, cookies, what concerns one connection, and every name that says who asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Headers<'a> {
    /// No headers.
    pub const EMPTY: Self = Self(Vec::new());

    /// Takes of all headers of an HTTP message those that are carried. Names are compared without regard to case, so hand them over in lower
    /// case, as HTTP libraries do; one in upper case is not carried. White space around a value is dropped.
    ///
    /// # Errors
    /// [`RequestError::BadHeader`] for a value that is not visible ASCII with inner spaces and tabs, and for a name that comes twice: join its
    /// values by commas. [`RequestError::TooLong`] for more than 64, or more than 8,192 bytes.
    pub fn carried(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, RequestError> {
        let mut headers = Self::EMPTY;
        for (name, value) in all {
            if is_carried(name) {
                headers.push(name, value.trim_matches([' ', '\t']))?;
            }
        }
        Ok(headers)
    }

    fn push(&mut self, name: &'a str, value: &'a str) -> Result<(), RequestError> {
        if !is_value(value) || self.get(name).is_some() {
            return Err(RequestError::BadHeader);
        }
        let length = self
            .iter()
            .chain([(name, value)])
            .fold(0_usize, |sum, (name, value)| sum.saturating_add(name.len()).saturating_add(value.len()));
        if length > MAX_HEADER_BYTES || self.0.len() >= MAX_HEADERS {
            return Err(RequestError::TooLong);
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of the header with this name, in lower case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Names and values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.0.iter().copied()
    }
}

/// Whether a header of this name is carried.
fn is_carried(name: &str) -> bool {
    is_of_http(name)
        || name.strip_prefix(OWN).is_some_and(|own| {
            !own.is_empty() && own.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        })
}

fn is_of_http(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "accept-language"
            | "accept-ranges"
            | "allow"
            | "cache-control"
            | "content-disposition"
            | "content-encoding"
            | "content-language"
            | "content-range"
            | "content-type"
            | "etag"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-range"
            | "if-unmodified-since"
            | "last-modified"
            | "link"
            | "location"
            | "range"
            | "retry-after"
            | "vary"
    )
}

fn is_value(value: &str) -> bool {
    let is_blank = |c: char| matches!(c, ' ' | '\t');
    value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
        && !value.starts_with(is_blank)
        && !value.ends_with(is_blank)
}

impl<C> Encode<C> for Headers<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        for (name, value) in self.iter() {
            e.array(2)?.str(name)?.str(value)?;
        }
        Ok(())
    }
}

/// Only what may be carried, so that no Portal can make another's app believe in a header.
impl<'b, C> Decode<'b, C> for Headers<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let mut headers = Self::EMPTY;
        for _ in 0..d.array()?.unwrap_or_default() {
            d.array()?;
            let (name, value) = (d.str()?, d.str()?);
            if !is_carried(name) {
                return Err(decode::Error::message("a header that is not carried"));
            }
            headers.push(name, value).map_err(|_| decode::Error::message("not headers"))?;
        }
        Ok(headers)
    }
}
