//! What a text is searched for: a Port, or a Portal's card (§2.8, §18.3).

use super::form::{self, Form};
use crate::error::PortError;
use crate::port::Port;

/// What a text is searched for.
pub(crate) trait Sought: PartialEq + Sized {
    /// The scheme of its QR text in upper case, without the colon. It begins with `P`.
    const SCHEME: &'static str;

    /// How many bytes one has that begins with these. None is longer than a Port.
    fn form(bytes: &[u8]) -> Form;

    /// Reads what stands behind the scheme or `#`. Every character is in Base32's alphabet.
    fn from_base32(base32: &[u8]) -> Result<Self, Unfit>;
}

/// Why Base32 that is long enough is not what is sought.
pub(crate) enum Unfit {
    /// Its check is wrong.
    Damaged,
    /// Its check is right. A later version knows its kind.
    OtherKind,
    /// Its check is right. Nobody should have made it.
    Refused,
}

impl Sought for Port {
    const SCHEME: &'static str = "PORT";

    fn form(bytes: &[u8]) -> Form {
        form::port(bytes)
    }

    fn from_base32(base32: &[u8]) -> Result<Self, Unfit> {
        Self::from_base32(base32).map_err(|error| match error {
            PortError::Damaged => Unfit::Damaged,
            PortError::UnsupportedKind => Unfit::OtherKind,
            _ => Unfit::Refused,
        })
    }
}

/// A Portal's card with a right check, where a Port is asked for. What is in it is not looked at: nobody uses it.
#[cfg(feature = "portal")]
#[derive(PartialEq)]
pub(crate) struct AnyCard;

#[cfg(feature = "portal")]
impl Sought for AnyCard {
    const SCHEME: &'static str = "PORTAL";

    fn form(bytes: &[u8]) -> Form {
        form::card(bytes)
    }

    fn from_base32(base32: &[u8]) -> Result<Self, Unfit> {
        use crate::checked::{CHECK, Unchecked, read};
        match read::<{ crate::port::MAX_PORT_BYTES + CHECK }>(base32) {
            Ok(_) => Ok(Self),
            Err(Unchecked::Damaged) => Err(Unfit::Damaged),
            Err(Unchecked::TooLong) => Err(Unfit::Refused),
        }
    }
}
