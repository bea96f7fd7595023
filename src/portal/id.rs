//! The ID of a Portal: a hash of its public key (§18.2).

use core::fmt;
use core::str::{self, FromStr};

use minicbor::bytes::ByteArray;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use thiserror::Error;

use crate::cbor::{self, Bytes};
use crate::checked::{self, CHECK, digits_of, is_in_base32};
use crate::port::PublicKey;
use crate::port::find::cursor::is_invisible;

/// What is hashed in front of the key, so that no hash of anything else is an ID.
const DOMAIN: &str = "port-protocol portal";

const LENGTH: usize = 32;
const MAX_CHECKED: usize = LENGTH + CHECK;

/// How many characters a Portal ID has as a text (§18.2).
pub const PORTAL_ID_TEXT: usize = digits_of(LENGTH);

/// Who a Portal is: 32 bytes, a hash of its public key (§18.2).
///
/// Random, because the key is; unique; and nobody can find another key for it. An ID is no secret. Its owner gives it to others, and they
/// enter it. It is made in two ways only: of a public key, or by reading what an owner entered or a store kept.
///
/// As a text it has 55 characters, `a` to `z` and `2` to `7`, with a check at its end that finds every mistyped character. `Display` writes
/// the one form: in lower case, without groups. `parse` reads either case, and forgives white space, line ends, hyphens and invisible
/// characters anywhere. Read what a user pastes or scans by [`PortalCard::find`](super::PortalCard::find), which takes IDs, too.
///
/// ```
/// use port_protocol::portal::{PortalId, PortalIdError};
///
/// let text = "4k4yc2wwyiupyrrhrlmcip2w5adgvltcvj4htwveeookap3xdueqxta";
/// let id: PortalId = "4K4YC-2WWYI-UPYRR-HRLMC-IP2W5-ADGVL-TCVJ4-HTWVE-EOOKA-P3XDU-EQXTA".parse()?;
/// assert_eq!(id.to_string(), text);
/// assert_eq!(id.short().as_str(), "4k4yc2");
/// assert_eq!(text.replace("4k4", "k44").parse::<PortalId>(), Err(PortalIdError::Mistyped));
/// # Ok::<(), PortalIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortalId([u8; LENGTH]);

impl PortalId {
    /// The ID of the Portal with this public key (§18.2): SHA-256 of `["port-protocol portal", public_key]`.
    ///
    /// An ID names these bytes of a key. Other bytes can lead to the same secret (§2.3), and have other IDs.
    pub fn of(key: &PublicKey) -> Self {
        Self(cbor::hash(&(DOMAIN, ByteArray::from(*key.as_bytes()))))
    }

    /// An ID that a store kept as bytes. Nothing says that there is such a Portal: for what a user entered, parse the text.
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The first six characters, for screens and addresses.
    pub fn short(&self) -> ShortId {
        let mut short = [0; ShortId::LENGTH];
        short.iter_mut().zip(self.text()).for_each(|(to, from)| *to = from);
        ShortId(short)
    }

    /// In lower case.
    fn text(&self) -> [u8; PORTAL_ID_TEXT] {
        let mut text = self.base32();
        text.make_ascii_lowercase();
        text
    }

    /// In upper case, with the check.
    fn base32(&self) -> [u8; PORTAL_ID_TEXT] {
        let (mut text, mut whole) = ([0; PORTAL_ID_TEXT], Bytes::<PORTAL_ID_TEXT>::EMPTY);
        let checked = checked::with_check::<MAX_CHECKED>(&self.0);
        let _ = checked::write_base32(&mut whole, checked.as_slice());
        text.iter_mut().zip(whole.as_slice()).for_each(|(to, from)| *to = *from);
        text
    }
}

impl fmt::Display for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for PortalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortalId({self})")
    }
}

impl FromStr for PortalId {
    type Err = PortalIdError;

    /// Reads the text of an ID: in either case; white space, line ends, hyphens and invisible characters anywhere are forgiven (§18.2).
    ///
    /// # Errors
    /// [`PortalIdError`]: its `Display` is the sentence for the user.
    fn from_str(text: &str) -> Result<Self, PortalIdError> {
        let (mut digits, mut is_too_long) = (Bytes::<PORTAL_ID_TEXT>::EMPTY, false);
        for c in text.chars().filter(|c| !is_forgiven(*c)) {
            let digit = u8::try_from(c).map(|byte| byte.to_ascii_uppercase());
            let digit = digit.ok().filter(|digit| is_in_base32(*digit)).ok_or(PortalIdError::BadCharacter(c))?;
            is_too_long |= digits.append(&[digit]).is_none();
        }
        let digits = digits.as_slice();
        if is_too_long {
            return Err(PortalIdError::TooLong);
        }
        if digits.len() < PORTAL_ID_TEXT {
            return Err(PortalIdError::TooShort);
        }
        let checked = checked::read::<MAX_CHECKED>(digits).map_err(|_| PortalIdError::Mistyped)?;
        let id = checked.as_slice().first_chunk().map(|bytes| Self(*bytes)).ok_or(PortalIdError::Mistyped)?;
        // The last character has three bits that stand for nothing.
        if id.base32() == digits { Ok(id) } else { Err(PortalIdError::Mistyped) }
    }
}

/// What people, mail and messengers put into an ID.
pub(super) fn is_forgiven(c: char) -> bool {
    c.is_whitespace() || is_invisible(c) || matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

impl<C> Encode<C> for PortalId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PortalId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let bytes = d.bytes()?.try_into();
        bytes.map(Self).map_err(|_| decode::Error::message("a Portal ID of another length"))
    }
}

/// The first six characters of a [`PortalId`] (§18.2): for screens, for addresses as a subdomain, and for search. Nothing else.
///
/// **It names nobody.** It has 30 bits: anybody can make keys until one has your peer's short ID, in minutes. So nothing
/// in this crate takes a short ID for a Portal, and none becomes a [`PortalId`]. `Display` writes it in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId([u8; Self::LENGTH]);

impl ShortId {
    /// How many characters it has.
    pub const LENGTH: usize = 6;

    /// The characters, in lower case.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortId({self})")
    }
}

impl FromStr for ShortId {
    type Err = NotAShortId;

    /// Reads six characters in either case, and forgives nothing around them: a subdomain has one form.
    ///
    /// # Errors
    /// [`NotAShortId`]: there are more characters or fewer, or one that is in no ID.
    fn from_str(text: &str) -> Result<Self, NotAShortId> {
        let mut short: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| NotAShortId)?;
        if !short.iter().all(|byte| is_in_base32(byte.to_ascii_uppercase())) {
            return Err(NotAShortId);
        }
        short.make_ascii_lowercase();
        Ok(Self(short))
    }
}

/// Why a text is no Portal ID (§18.2). Its `Display` is a sentence for the user, in English: show it, or one of your own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PortalIdError {
    /// This character is in no ID. If it is `0`, `1`, `8` or `9`, somebody took a letter for it: tell the user to look for `O`, `I` or `L`,
    /// `B`, `G`.
    #[error("`{}` is in no Portal ID: it has letters and the digits 2 to 7, never 0, 1, 8 or 9. Look at this place again.", .0.escape_debug())]
    BadCharacter(char),
    /// Something is missing. Tell the user to copy all of it.
    #[error("This Portal ID is too short: it has 55 letters and digits. Copy or type all of it.")]
    TooShort,
    /// There is more than an ID. Tell the user to copy the ID alone.
    #[error("This is longer than a Portal ID: it has 55 letters and digits. Copy or type the ID alone.")]
    TooLong,
    /// The check is wrong: a character is mistyped, or two are swapped. Tell the user to compare it.
    #[error("A character of this Portal ID is wrong. Compare it with the ID that you were given.")]
    Mistyped,
}

/// The text is not six characters of a Portal ID. Search by another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("not the first six characters of a Portal ID")]
pub struct NotAShortId;
