//! What Alice shares: a [`Port`] as bytes, QR text and link (§2).

pub(crate) mod addr;
pub(crate) mod base;
pub(crate) mod find;
mod key;
pub(crate) mod name;
pub(crate) mod ndef;
pub(crate) mod options;
pub(crate) mod policy;
pub(crate) mod text;
pub(crate) mod ticket;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::cbor::{self, Bytes};
use crate::error::{DecodeError, PortError};
use crate::id::{LineLink, PortHash};
use crate::secret::Rad;
use crate::time::UnixSeconds;
pub use addr::RelayAddr;
pub use key::PublicKey;
use ticket::Ticket;
use zeroize::Zeroize;

/// The longest canonical Port: 71 bytes, and up to 9 for the expiry, 66 for the relay, 61 for a ticket.
pub const MAX_PORT_BYTES: usize = 207;

/// How a Port may be used (§2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PortKind {
    /// By one user, once.
    #[n(1)]
    Port = 1,
    /// By many users, each with a line of its own (§14).
    #[n(2)]
    Superport = 2,
    /// By guests that one contact of its maker introduces (§16).
    #[n(3)]
    ContactPort = 3,
}

impl PortKind {
    const ALL: [Self; 3] = [Self::Port, Self::Superport, Self::ContactPort];

    /// Whether it is for more than one use. Then its private key lives on.
    pub(crate) const fn is_for_many(self) -> bool {
        matches!(self, Self::Superport | Self::ContactPort)
    }
}

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

/// What Alice shows: with it anybody can form a line with its maker (§2). A plain Port works once, a Superport for many users.
///
/// Treat it as a secret. `Debug` shows neither link nor RAD.
///
/// ```
/// use port_protocol::{PortKind, Port};
///
/// # let text = "PORT:QUAQCUABAEAQCAIBAEAQCAIBAEAQCAIBLAQBHPSP5LVPEBGH7UZVR7E4ABZBRAOROQTYCKBCP3DHJ437P7UXW3KQA4DQOBYHA4DQOBYHA4DQOBYHA5DWS";
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

    /// The guest's ticket, in a contact port (§16).
    pub const fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    /// The contact port for a guest with this ticket (§16.3).
    pub(crate) fn with_ticket(&self, ticket: Ticket) -> Self {
        Self { ticket: Some(ticket), ..self.clone() }
    }

    /// The canonical bytes (§2.4): 71 for a plain Port, at most [`MAX_PORT_BYTES`].
    pub fn to_bytes(&self) -> PortBytes {
        PortBytes(Bytes::of(self))
    }

    /// Reads canonical bytes (§2.4), as from an NFC tag.
    ///
    /// # Errors
    /// Any [`PortError`] but `BadLinkBase`: each variant says what to tell the user.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PortError> {
        // A contact port alone lets nobody in: it is granted along a line, and shown with a ticket (§16.3).
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
}

/// The fields in their order (§2.4). Absent fields at the end are left out.
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

impl Drop for PortBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
