//! Ticket: one introduction by a mutual contact (§16).

use core::fmt;

use minicbor::{Decode, Encode};

use crate::cbor::{self, Bytes, text_newtype};
use crate::error::PortError;
use crate::id::{LineLink, TicketHash};
use crate::port::name::is_plain;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// The most tickets that Alice takes from one introducer before they are used (§16.4).
pub const MAX_TICKETS: usize = 256;

const MAX_NAME: usize = 32;

/// The name by which an introducer goes at the two ends that it introduces: a text of at most 32 bytes (§16.2). Both are told the same. It has no
/// control characters, line ends, or characters that are invisible or turn the direction of others, so that it can't pass for another
/// name, or for more of a message than itself.
#[derive(Clone, PartialEq, Eq)]
pub struct IntroducerName(Bytes<MAX_NAME>);

impl IntroducerName {
    /// No name.
    #[cfg(feature = "app")]
    pub(crate) const NONE: Self = Self(Bytes::EMPTY);

    /// Takes a name. The empty text stands for none.
    ///
    /// # Errors
    /// [`PortError::BadName`] if it is longer than 32 bytes, or has one of those characters.
    pub fn new(name: &str) -> Result<Self, PortError> {
        if !is_plain(name) {
            return Err(PortError::BadName);
        }
        Bytes::new(name.as_bytes()).map(Self).ok_or(PortError::BadName)
    }
}

impl fmt::Debug for IntroducerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntroducerName([redacted])")
    }
}

text_newtype!(IntroducerName);

/// One introduction (§16.2): with the contact port it lets one guest in, once.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Ticket {
    #[n(0)]
    pub(crate) secret: Secret<16>,
    #[n(1)]
    pub(crate) name: IntroducerName,
    #[n(2)]
    pub(crate) expires: Option<UnixSeconds>,
}

impl Ticket {
    /// The introducer's name.
    pub const fn name(&self) -> &IntroducerName {
        &self.name
    }

    /// From this second on it is worthless. `None`: as long as the contact port is good.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.expires
    }

    /// What Alice is told of it. The ticket can't be computed from it.
    pub fn hash(&self) -> TicketHash {
        hash(&self.secret)
    }

    /// The notice that Alice gets.
    pub(crate) fn notice(&self, line_link: LineLink) -> TicketNotice {
        TicketNotice { line_link, ticket: self.hash(), name: self.name.clone(), expires: self.expires }
    }
}

/// The hash of a ticket's secret: 16 random bytes, so the hash tells nothing of it.
pub(crate) fn hash(secret: &Secret<16>) -> TicketHash {
    cbor::hash(&("port-protocol ticket", secret)).into()
}

/// A ticket that the introducer announced to Alice (§16.4). Alice's caller keeps it as a row, unique by [`ticket`](TicketNotice::ticket),
/// until it is used or has expired.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct TicketNotice {
    /// The contact port that it is for.
    #[n(0)]
    pub line_link: LineLink,
    /// The row's primary key.
    #[n(1)]
    pub ticket: TicketHash,
    /// The introducer's name.
    #[n(2)]
    pub name: IntroducerName,
    /// From this second on it is worthless, and may be deleted.
    #[n(3)]
    pub expires: Option<UnixSeconds>,
}

impl TicketNotice {
    pub(crate) fn has_expired(&self, now: UnixSeconds) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}
