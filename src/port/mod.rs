//! What Alice shares: a [`Port`] as bytes, QR text and link (§2).

pub(crate) mod policy;
pub(crate) mod ticket;

use core::fmt::Write as _;
use core::{fmt, str};

use data_encoding::BASE32_NOPAD;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::cbor::{self, Bytes, text_newtype};
use crate::error::{DecodeError, PortError};
use crate::id::{LineLink, PortHash};
use crate::port::ticket::Ticket;
use crate::secret::Rad;
use zeroize::Zeroize;

/// The longest canonical Port: 71 bytes, and up to 9 for the expiry, 66 for the relay, 61 for a ticket.
pub const MAX_PORT_BYTES: usize = 207;

/// The longest QR text: `PORT:` and the Base32 of the longest Port.
pub const MAX_QR_TEXT: usize = 337;

const QR_PREFIX: &str = "PORT:";
const MAX_RELAY: usize = 64;

/// Seconds since 1970-01-01T00:00:00Z, by the caller's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct UnixSeconds(#[n(0)] pub u64);

/// How a Port may be used (§2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PortKind {
    /// Once.
    #[n(1)]
    Port = 1,
    /// By many, each with a line of his own (§14).
    #[n(2)]
    Superport = 2,
    /// By those whom one contact of its maker introduces (§16).
    #[n(3)]
    ContactPort = 3,
}

impl PortKind {
    const ALL: [Self; 3] = [Self::Port, Self::Superport, Self::ContactPort];

    /// Whether it is for more than one use, so that its private key lives on.
    pub(crate) const fn is_for_many(self) -> bool {
        matches!(self, Self::Superport | Self::ContactPort)
    }
}

/// An X25519 public key that is canonical and not of low order (§2.3).
///
/// Its bytes are never an identity: the same secret can be reached through other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Accepts a key.
    ///
    /// # Errors
    /// [`PortError::WeakPublicKey`] for u ≥ 2²⁵⁵ − 19 and for the five canonical points of low order (RFC 7748 §6.1):
    /// with one of those, the secret would be known to everybody.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, PortError> {
        let canonical = bytes.iter().rev().lt(P.iter().rev());
        if canonical && !LOW_ORDER.contains(&bytes) { Ok(Self(bytes)) } else { Err(PortError::WeakPublicKey) }
    }

    /// What keygen made is neither: a clamped scalar times the base point has the order of the base point.
    pub(crate) const fn generated(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, u in little-endian order (RFC 7748 §5).
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 2²⁵⁵ − 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    let [first, .., last] = &mut p;
    *first = 0xed;
    *last = 0x7f;
    p
};

/// The u of every point whose order divides 8, on the curve and on its twist.
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        let [first, ..] = &mut one;
        *first = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    {
        let mut minus_one = P;
        let [first, ..] = &mut minus_one;
        *first = 0xec;
        minus_one
    },
];

/// Where to connect: a host name or URL of 1 to 64 bytes (§2.1).
///
/// It comes from whoever made the Port. Only its characters are checked (those of RFC 3986): before you connect, hold it
/// to what your app allows.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayAddr(Bytes<MAX_RELAY>);

impl RelayAddr {
    /// Takes a host name or URL.
    ///
    /// # Errors
    /// [`PortError::BadRelayAddr`] if it is empty, longer than 64 bytes, or has a character that is in no URL.
    pub fn new(relay: &str) -> Result<Self, PortError> {
        if relay.is_empty() || !relay.bytes().all(is_in_urls) {
            return Err(PortError::BadRelayAddr);
        }
        Bytes::new(relay.as_bytes()).map(Self).ok_or(PortError::BadRelayAddr)
    }
}

impl fmt::Debug for RelayAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

text_newtype!(RelayAddr);

/// What a Port says beside its secrets (§2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Terms {
    #[n(0)]
    pub(crate) expires: Option<UnixSeconds>,
    #[n(1)]
    pub(crate) relay: Option<RelayAddr>,
}

impl Terms {
    pub(crate) fn have_expired(&self, now: UnixSeconds) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

/// A single-use ticket: whoever has it can form one line with its maker (§2).
///
/// Treat it as the secret that it is; `Debug` shows neither link nor RAD.
///
/// ```
/// use port_protocol::{PortKind, Port};
///
/// # let text = "PORT:QUAQCUABAEAQCAIBAEAQCAIBAEAQCAIBLAQBHPSP5LVPEBGH7UZVR7E4ABZBRAOROQTYCKBCP3DHJ437P7UXW3KQA4DQOBYHA4DQOBYHA4DQOBYHA4";
/// let port = Port::parse(text)?; // pure: nothing is used yet
/// assert_eq!(port.kind(), PortKind::Port);
/// assert_eq!((port.expires(), port.relay()), (None, None));
/// assert_eq!(port.qr_text().as_str(), text);
/// # Ok::<(), port_protocol::PortError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    pub(crate) kind: PortKind,
    pub(crate) line_link: LineLink,
    pub(crate) public_key: PublicKey,
    pub(crate) rad: Rad,
    pub(crate) terms: Terms,
    pub(crate) ticket: Option<Ticket>,
}

impl Port {
    /// How it may be used.
    pub const fn kind(&self) -> PortKind {
        self.kind
    }

    /// The relay's token for the line.
    pub const fn line_link(&self) -> LineLink {
        self.line_link
    }

    /// Alice's public key of this Port.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The random associated data.
    pub const fn rad(&self) -> &Rad {
        &self.rad
    }

    /// From this second on the Port is dead. `None`: good until used or revoked.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.terms.expires
    }

    /// Where to connect. `None`: where both are already.
    pub const fn relay(&self) -> Option<&RelayAddr> {
        self.terms.relay.as_ref()
    }

    /// The ticket of whom it was handed to, in a contact port (§16).
    pub const fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// A contact port, for somebody to whom its holder gives this ticket (§16.3).
    pub(crate) fn with_ticket(&self, ticket: Ticket) -> Self {
        Self { ticket: Some(ticket), ..self.clone() }
    }

    /// The canonical bytes (§2.4): 71 for a plain Port, [`MAX_PORT_BYTES`] at most.
    pub fn to_bytes(&self) -> PortBytes {
        PortBytes(Bytes::of(self))
    }

    /// Reads canonical bytes (§2.4), as from an NFC tag.
    ///
    /// # Errors
    /// Any [`PortError`] but `BadLinkBase`: what to tell the user stands with each.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PortError> {
        // Nobody gets in by a contact port alone: it is granted along a line, and shown with a ticket (§16.3).
        let shown = |port: &Self| port.ticket.is_some() == (port.kind == PortKind::ContactPort);
        Some(Self::read(bytes)?).filter(shown).ok_or(PortError::Malformed)
    }

    /// Reads a contact port as Alice grants it (§16.3).
    pub(crate) fn from_grant(bytes: &[u8]) -> Result<Self, PortError> {
        Some(Self::read(bytes)?).filter(Self::is_grant).ok_or(PortError::Malformed)
    }

    /// A contact port without a ticket.
    pub(crate) fn is_grant(&self) -> bool {
        self.kind == PortKind::ContactPort && self.ticket.is_none()
    }

    fn read(bytes: &[u8]) -> Result<Self, PortError> {
        let layout = cbor::decode::<Layout>(bytes).map_err(|error| match error {
            DecodeError::UnsupportedVersion => PortError::UnsupportedVersion,
            DecodeError::Malformed => PortError::Malformed,
        })?;
        layout.try_into()
    }

    /// SHA-256 of the canonical bytes without the ticket: every field that Alice made (§2.4).
    pub fn hash(&self) -> PortHash {
        cbor::hash(&self.layout(None)).into()
    }

    /// Of a Port of another dialect: no Port of this crate's own begins with a text.
    #[cfg(feature = "app")]
    pub(crate) fn hash_for(&self, dialect: &'static str) -> PortHash {
        cbor::hash(&(dialect, self.layout(None))).into()
    }

    /// The QR text (§2.5): `PORT:` and Base32, all in QR's alphanumeric set. 119 characters for a plain Port, which fit
    /// a version 5 code at level M.
    pub fn qr_text(&self) -> QrText {
        let mut text = QrText(Bytes::EMPTY);
        // Bound: MAX_QR_TEXT is what the longest Port takes (§2.5).
        let _ = write!(text.0, "{QR_PREFIX}{}", BASE32_NOPAD.encode_display(self.to_bytes().as_slice()));
        text
    }

    /// A link on `base` (§2.6), to be written with `Display`. Everything about the Port stands behind the `#`, which
    /// no browser sends to the web server.
    ///
    /// # Errors
    /// [`PortError::BadLinkBase`] unless `base` is `https://`, a host, and whatever follows it but a `#`.
    pub fn link<'a>(&self, base: &'a str) -> Result<PortLink<'a>, PortError> {
        if is_link_base(base) { Ok(PortLink { base, text: self.qr_text() }) } else { Err(PortError::BadLinkBase) }
    }

    /// Reads a QR text or a link (§2.7). White space and zero-width characters around it are forgiven, nothing else.
    ///
    /// # Errors
    /// Those of [`Port::from_bytes`].
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let text = trimmed(text);
        let base32 = match (text.strip_prefix(QR_PREFIX), text.split_once('#')) {
            (Some(base32), _) => base32,
            (None, Some((base, fragment))) if is_link_base(base) => fragment,
            _ => return Err(PortError::Malformed),
        };
        let mut bytes = PortBytes(Bytes::EMPTY);
        bytes.0.fill(|out| {
            let out = out.get_mut(..BASE32_NOPAD.decode_len(base32.len()).ok()?)?;
            BASE32_NOPAD.decode_mut(base32.as_bytes(), out).ok()
        });
        let port = Self::from_bytes(bytes.as_slice())?;
        // Base32 has unused bits at its end: only one last character is canonical.
        if port.qr_text().base32() == base32 { Ok(port) } else { Err(PortError::Malformed) }
    }
}

/// What messengers and copying leave around a text.
const ZERO_WIDTH: [char; 7] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'];

pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ZERO_WIDTH.contains(&c))
}

fn is_link_base(base: &str) -> bool {
    base.strip_prefix("https://").is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && rest.bytes().all(|byte| byte != b'#' && is_in_urls(byte))
    })
}

/// The characters of RFC 3986.
fn is_in_urls(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// The fields in their order (§2.4). Trailing ones that are absent are left out.
#[derive(Encode, Decode)]
struct Layout<'a> {
    #[n(0)]
    version: u8,
    #[n(1)]
    kind: u64,
    #[n(2)]
    line_link: LineLink,
    #[cbor(n(3), with = "minicbor::bytes")]
    public_key: [u8; 32],
    #[n(4)]
    rad: Rad,
    #[n(5)]
    expires: Option<UnixSeconds>,
    #[b(6)]
    relay: Option<&'a str>,
    #[n(7)]
    ticket: Option<Ticket>,
}

impl TryFrom<Layout<'_>> for Port {
    type Error = PortError;

    fn try_from(layout: Layout<'_>) -> Result<Self, PortError> {
        if layout.version != cbor::VERSION {
            return Err(PortError::UnsupportedVersion);
        }
        Ok(Self {
            kind: *PortKind::ALL.iter().find(|kind| **kind as u64 == layout.kind).ok_or(PortError::UnsupportedKind)?,
            line_link: layout.line_link,
            public_key: PublicKey::from_bytes(layout.public_key)?,
            rad: layout.rad,
            terms: Terms { expires: layout.expires, relay: layout.relay.map(RelayAddr::new).transpose()? },
            ticket: layout.ticket,
        })
    }
}

impl<C> Encode<C> for Port {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.layout(self.ticket.clone()).encode(e, ctx)
    }
}

impl Port {
    fn layout(&self, ticket: Option<Ticket>) -> Layout<'_> {
        Layout {
            version: cbor::VERSION,
            kind: self.kind as u64,
            line_link: self.line_link,
            public_key: *self.public_key.as_bytes(),
            rad: self.rad.clone(),
            expires: self.terms.expires,
            relay: self.terms.relay.as_ref().map(RelayAddr::as_str),
            ticket,
        }
    }
}

impl<'b, C> Decode<'b, C> for Port {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        Layout::decode(d, ctx)?.try_into().map_err(|_| decode::Error::message("not a Port"))
    }
}

/// A Port's canonical bytes. Zeroized on drop.
#[derive(Debug)]
pub struct PortBytes(Bytes<MAX_PORT_BYTES>);

impl PortBytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

/// A Port's QR text. Zeroized on drop.
#[derive(Debug)]
pub struct QrText(Bytes<MAX_QR_TEXT>);

impl QrText {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    fn base32(&self) -> &str {
        self.as_str().strip_prefix(QR_PREFIX).unwrap_or_default()
    }
}

/// A Port's link, written by `Display`.
#[derive(Debug)]
pub struct PortLink<'a> {
    base: &'a str,
    text: QrText,
}

impl fmt::Display for PortLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.base, self.text.base32())
    }
}

impl fmt::Display for QrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Drop for PortBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for QrText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
