//! A Portal's card: its ID with an address, as a QR code, a link, an NFC tag, and a message over a line (§18.3).

use alloc::string::String;
use alloc::vec::Vec;
use core::{fmt, str};

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use thiserror::Error;

use super::id::PortalId;
use crate::cbor::{self, Bytes};
use crate::checked::{self, CHECK, Unchecked, is_of_another_version};
use crate::error::DecodeError;
use crate::port::base::{is_link_base, is_local, needs_tls, split_scheme};
use crate::port::find::form::CARD_KIND;
use crate::port::ndef;
use crate::port::text::base32_in;

/// The longest card, in bytes: 37, and up to 66 for the address.
pub const MAX_CARD_BYTES: usize = 103;

const MAX_CHECKED: usize = MAX_CARD_BYTES + CHECK;
/// The host of an onion service has 62 bytes.
const MAX_ADDRESS: usize = 64;
const QR_PREFIX: &str = "PORTAL:";

/// Where a Portal can be reached: a URL of at most 64 bytes behind its scheme (§18.3).
///
/// The host says which scheme it is: `http://` for an onion service, whose name says which key answers, and for a loopback address, as in
/// tests; `https://` for any other. There is no user name, no query and no fragment. `Display` writes the whole URL, to which the Portal's
/// messages are sent.
///
/// It comes from the maker of the card. Only its form is checked. **Your Portal sends the requests**: of addresses in your own network allow
/// only those that the owner wants, also behind a name. See [`is_local`](Self::is_local).
#[derive(Clone, PartialEq, Eq)]
pub struct PortalAddr(Bytes<MAX_ADDRESS>);

impl PortalAddr {
    /// Takes a URL.
    ///
    /// # Errors
    /// [`CardError::BadAddress`]: it is longer than 64 bytes behind its scheme, or not of this form. Choose another.
    pub fn new(url: &str) -> Result<Self, CardError> {
        let (is_secure, address) = split_scheme(url).ok_or(CardError::BadAddress)?;
        if needs_tls(address) == Some(is_secure) { Self::read(address) } else { Err(CardError::BadAddress) }
    }

    /// Without its scheme.
    fn read(address: &str) -> Result<Self, CardError> {
        needs_tls(address).and_then(|_| Bytes::new(address.as_bytes())).map(Self).ok_or(CardError::BadAddress)
    }

    /// What stands behind the scheme.
    fn rest(&self) -> &str {
        str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    /// Whether its host is a loopback address or `localhost`. In a test that is good. Refuse it in a card that came from elsewhere: it makes
    /// your Portal talk to its own machine. Other names can lead there, too.
    pub fn is_local(&self) -> bool {
        is_local(self.rest())
    }
}

impl fmt::Display for PortalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if needs_tls(self.rest()) == Some(false) { "http://" } else { "https://" };
        write!(f, "{scheme}{}", self.rest())
    }
}

impl fmt::Debug for PortalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<C> Encode<C> for PortalAddr {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.rest())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PortalAddr {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::read(d.str()?).map_err(|_| decode::Error::message("PortalAddr"))
    }
}

/// What an owner shows so that others can enter its Portal as a peer: the ID, and perhaps an address (§18.3). It is no secret.
///
/// | form | makes it | reads it |
/// |---|---|---|
/// | QR code | [`qr_text`](Self::qr_text) | [`find`](Self::find) |
/// | link | [`link`](Self::link) | [`find`](Self::find) |
/// | NFC tag | [`ndef`](Self::ndef) | [`find_in_ndef`](Self::find_in_ndef) |
/// | message over a line | [`to_message`](Self::to_message) | [`from_message`](Self::from_message) |
///
/// ```
/// use port_protocol::portal::{FindCardError, PortalAddr, PortalCard};
///
/// # let id = "4k4yc2wwyiupyrrhrlmcip2w5adgvltcvj4htwveeookap3xdueqxta".parse().map_err(|_| FindCardError::NoCard)?;
/// # let address = PortalAddr::new("https://portal.example/").map_err(|_| FindCardError::NoCard)?;
/// let card = PortalCard::new(id, Some(address));
/// let pasted = format!("Scan this: <{}>", card.qr_text());
/// assert_eq!(PortalCard::find(&pasted)?, card);
/// // An ID alone is a card without an address.
/// assert_eq!(PortalCard::find(&format!("I am {id}!"))?, PortalCard::new(id, None));
/// # Ok::<(), FindCardError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortalCard {
    id: PortalId,
    address: Option<PortalAddr>,
}

impl PortalCard {
    /// A card.
    pub const fn new(id: PortalId, address: Option<PortalAddr>) -> Self {
        Self { id, address }
    }

    /// Who the Portal is. Nothing on a card proves that it can be reached, or that its owner made the card.
    pub const fn id(&self) -> PortalId {
        self.id
    }

    /// Where it may be reached: a hint. Who answers there must have the key of the ID (§18.4).
    pub const fn address(&self) -> Option<&PortalAddr> {
        self.address.as_ref()
    }

    /// The canonical bytes: 37 without an address, at most [`MAX_CARD_BYTES`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let address = self.address.as_ref().map(PortalAddr::rest);
        cbor::encode_to_vec(&Layout { version: cbor::VERSION, kind: CARD_KIND, id: self.id, address })
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// Any [`CardError`] but `Damaged` and `BadLinkBase`: each variant says what to tell the user.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let layout = cbor::decode::<Layout>(bytes).map_err(|error| match error {
            DecodeError::UnsupportedVersion => CardError::UnsupportedVersion,
            DecodeError::Malformed => CardError::Malformed,
        })?;
        match (layout.version, layout.kind) {
            (cbor::VERSION, CARD_KIND) => {
                Ok(Self { id: layout.id, address: layout.address.map(PortalAddr::read).transpose()? })
            }
            (cbor::VERSION, _) => Err(CardError::Malformed),
            _ => Err(CardError::UnsupportedVersion),
        }
    }

    /// The text of a QR code: `PORTAL:` and Base32 of the bytes and their check, all in QR's alphanumeric set. Without an address it has 70
    /// characters, which fit a version 4 code at level M; with one of 30 bytes 121, which fit version 5; at most 175.
    pub fn qr_text(&self) -> String {
        [QR_PREFIX, &self.base32()].concat()
    }

    /// A link on `base`, with everything about the Portal behind its `#`. The base is chosen as for a [`Port::link`](crate::Port::link).
    ///
    /// # Errors
    /// [`CardError::BadLinkBase`]: the base is none by §2.6. Choose another.
    pub fn link(&self, base: &str) -> Result<String, CardError> {
        if is_link_base(base) { Ok([base, "#", &self.base32()].concat()) } else { Err(CardError::BadLinkBase) }
    }

    /// An NDEF message with the link on `base` as its one URI record, for an NFC tag. See [`PortLink::ndef_into`](crate::PortLink::ndef_into).
    ///
    /// # Errors
    /// Those of [`link`](Self::link).
    pub fn ndef(&self, base: &str) -> Result<Vec<u8>, CardError> {
        const MOST_AROUND: usize = 10;
        let link = self.link(base)?;
        let mut message = alloc::vec![0; link.len().saturating_add(MOST_AROUND)];
        let written = ndef::write([&link, "", ""], &mut message).map_or(0, |written| written.len());
        message.truncate(written);
        Ok(message)
    }

    /// Reads a QR text or a link, and nothing else: for texts that a machine hands over. White space and zero-width characters around it are
    /// forgiven. For what a user pastes or scans use [`find`](Self::find).
    ///
    /// # Errors
    /// Those of [`from_bytes`](Self::from_bytes), and [`CardError::Damaged`] if the check is wrong.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        Self::from_base32(base32_in(text, QR_PREFIX).ok_or(CardError::Malformed)?)
    }

    /// What this Portal's owner sends over a line to the owner at its other end (§18.3): the canonical bytes. No text begins with their
    /// first byte, so nobody sends one as chat, and no app takes it for chat.
    ///
    /// Send it once the line is [`confirmed`](crate::Line::confirmed). Send it again until the other end's card has come, and whenever
    /// that comes again.
    pub fn to_message(&self) -> Vec<u8> {
        self.to_bytes()
    }

    /// Reads a message of the other end (§18.3). The holder of the line's other end sent it: the line says so, if it is
    /// [`confirmed`](crate::Line::confirmed). Then show the owner whose card it is, by the line, and enter the peer if the owner agrees.
    ///
    /// # Errors
    /// [`CardError::Malformed`]: it is no card. Treat it as any other message. [`CardError::UnsupportedVersion`]: tell the user to update the
    /// app. [`CardError::BadAddress`]: the sender is broken. Drop it.
    pub fn from_message(message: &[u8]) -> Result<Self, CardError> {
        let card = Self::from_bytes(message);
        // Another array that begins with a number is an app's own message.
        if is_of_card_kind(message) { card } else { Err(CardError::Malformed) }
    }

    /// Reads what stands behind `PORTAL:` or `#`. Every character is in Base32's alphabet.
    pub(super) fn from_base32(base32: &[u8]) -> Result<Self, CardError> {
        if is_of_another_version(base32) {
            return Err(CardError::UnsupportedVersion);
        }
        let checked = checked::read::<MAX_CHECKED>(base32).map_err(|error| match error {
            Unchecked::Damaged => CardError::Damaged,
            Unchecked::TooLong => CardError::Malformed,
        })?;
        let card = Self::from_bytes(checked::without_check(checked.as_slice()))?;
        // Base32 has unused bits at its end: only one last character is canonical.
        if card.base32().as_bytes() == base32 { Ok(card) } else { Err(CardError::Malformed) }
    }

    fn base32(&self) -> String {
        let (checked, mut text) = (checked::with_check::<MAX_CHECKED>(&self.to_bytes()), String::new());
        // A string takes everything.
        let _ = checked::write_base32(&mut text, checked.as_slice());
        text
    }
}

/// Whether this is a card of some version: only the first two numbers are read.
fn is_of_card_kind(message: &[u8]) -> bool {
    let mut decoder = Decoder::new(message);
    matches!((decoder.array(), decoder.u64(), decoder.u8()), (Ok(Some(_)), Ok(_), Ok(CARD_KIND)))
}

/// The fields in their order. The address is left out if there is none.
#[derive(Encode, Decode)]
struct Layout<'a> {
    #[n(0)]
    version: u8,
    #[n(1)]
    kind: u8,
    #[n(2)]
    id: PortalId,
    #[b(3)]
    address: Option<&'a str>,
}

/// A text or byte string is not a Portal's card, or none can be made of it (§18.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CardError {
    /// It is not a card. Tell the user that this code or link is something else.
    #[error("not a Portal's card")]
    Malformed,
    /// It was a card, and was changed on its way: its check is wrong. Tell the user to ask for it again.
    #[error("a Portal's card that was changed on its way")]
    Damaged,
    /// It is of another version. Tell the user to update the app.
    #[error("a Portal's card of a version that this crate does not know")]
    UnsupportedVersion,
    /// The address is longer than 64 bytes, or not of the form that [`PortalAddr`] has. If you chose it, choose another. In a card that came
    /// from elsewhere, its maker is broken: do not use it.
    #[error("not the address of a Portal")]
    BadAddress,
    /// The base of a link must be one of §2.6. Choose another.
    #[error("not the base of a link")]
    BadLinkBase,
}
