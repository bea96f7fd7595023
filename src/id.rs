//! The names that the protocol gives to things: tokens, keys of records, marks.

use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $debug:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl From<[u8; $length]> for $name {
            fn from(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let show: fn(&[u8], &mut fmt::Formatter<'_>) -> fmt::Result = $debug;
                f.write_str(concat!(stringify!($name), "("))?;
                show(&self.0, f)?;
                f.write_str(")")
            }
        }

        impl<C> Encode<C> for $name {
            fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                let bytes = d.bytes()?.try_into();
                bytes.map(Self).map_err(|_| decode::Error::message("id of another length"))
            }
        }
    };
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn redacted(_: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("[redacted]")
}

id! {
    /// A line link: a token of 16 bytes that the relay issues to a user (§2.1). To use it is to ask for a line with that user. It works once,
    /// unless its owner sets it otherwise. To know it is enough to use it up, so `Debug` does not show it.
    LineLink, 16, redacted
}
id! {
    /// The name of a line at the relay: 16 bytes (§7.3).
    LineId, 16, hex
}
id! {
    /// The name of one request for a line link: 16 random bytes, echoed by the answer (§4.1).
    RequestId, 16, hex
}
id! {
    /// The name of a [`Pool`](crate::Pool): 16 random bytes. It never leaves its client (§15.1).
    PoolId, 16, hex
}
id! {
    /// What the relay calls the user at the far end of a line, towards this end alone (§7.3): 32 bytes, the relay's word, never proven.
    ///
    /// Alice gets the same mark of one user at each of its Ports, so it can block that user. Bob gets another one for each Port, unless
    /// Alice [lets itself be recognised](crate::PortOptions::recognisable). In the app's dialect it is the server's hash of the pair.
    PeerMark, 32, hex
}
#[cfg(feature = "relay")]
id! {
    /// A user, as the relay's caller authenticated it (§13.1): 32 bytes that nobody can guess, random or an account's name under a keyed
    /// hash. Two of them and the relay's key make a [`PeerMark`].
    UserId, 32, redacted
}
id! {
    /// SHA-256 of a Port's canonical bytes (§2.4).
    PortHash, 32, redacted
}
id! {
    /// SHA-256 of a ticket's secret (§16.2): what Alice is told of it.
    TicketHash, 32, hex
}
id! {
    /// A mark that a store holds at most once (§8.4): a hash of 32 bytes, not secret. [`Write::unique`](crate::Write::unique) says what to
    /// do with it.
    ReplayMark, 32, hex
}

/// The primary key of a machine's row, in one table for all machines (§8.2).
///
/// Keys of different kinds never meet. An Alice and a Bob of one Port share a key, so that nobody connects to itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum RecordKey {
    /// An Alice that waits for a line link.
    #[n(1)]
    Request(#[n(0)] RequestId),
    /// An Alice or a Bob of this Port.
    #[n(2)]
    LineLink(#[n(0)] LineLink),
    /// One end of this line.
    #[n(3)]
    Line(#[n(0)] LineId),
    /// A pool of line links. No event has this key: see [`Event::key`](crate::Event::key).
    #[n(4)]
    Pool(#[n(0)] PoolId),
    /// An introducer, named by its line with Alice (§16.3). There is at most one for each line.
    #[n(5)]
    Introducer(#[n(0)] LineId),
}

impl RecordKey {
    /// How many bytes a key has.
    pub const LENGTH: usize = 17;

    /// 17 bytes: the kind, then the name. The kinds: 1 request, 2 line link, 3 line, 4 pool, 5 introducer.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let (kind, name) = match self {
            Self::Request(id) => (1, id.as_bytes()),
            Self::LineLink(link) => (2, link.as_bytes()),
            Self::Line(id) => (3, id.as_bytes()),
            Self::Pool(id) => (4, id.as_bytes()),
            Self::Introducer(id) => (5, id.as_bytes()),
        };
        let mut bytes = [kind; Self::LENGTH];
        if let Some((_, rest)) = bytes.split_first_mut() {
            rest.copy_from_slice(name);
        }
        bytes
    }

    /// Reads the bytes of [`to_bytes`](RecordKey::to_bytes). `None`: these bytes are no key. Treat the row as damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, name) = bytes.split_first()?;
        let name: [u8; 16] = name.try_into().ok()?;
        match kind {
            1 => Some(Self::Request(name.into())),
            2 => Some(Self::LineLink(name.into())),
            3 => Some(Self::Line(name.into())),
            4 => Some(Self::Pool(name.into())),
            5 => Some(Self::Introducer(name.into())),
            _ => None,
        }
    }
}
