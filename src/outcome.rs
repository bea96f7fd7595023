//! Outcomes: why a Port, a use of one, a grant, or a line is over (§4.4, §5.4, §6.7, §16.3).

use minicbor::{Decode, Encode};

use crate::message::Reason;

/// Why a Port is dead without a line (§4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PortOutcome {
    /// Alice's user took it back.
    #[n(1)]
    Revoked,
    /// It was not used in time.
    #[n(2)]
    Expired,
    /// It was used without a good proof: somebody has the link, but not the Port. Make a new one.
    #[n(3)]
    ProofRefused,
    /// It was used while it was paused.
    #[n(4)]
    Paused,
    /// A blocked user used it.
    #[n(5)]
    Blocked,
    /// A user who has a line already used it, and the policy refuses a second one.
    #[n(6)]
    AlreadyConnected,
    /// The relay says that it has no such link any more: it lay unused for longer than the relay keeps it, or the relay lost it. Make a new
    /// Port.
    #[n(7)]
    LinkLost,
    /// **The relay lied**: it said that this Port formed a line that another Port has formed. Somebody may wait in vain for an answer. Make
    /// a new Port.
    #[n(8)]
    FalseLine,
}

/// Why a Port formed no line for its user (§5.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum UseOutcome {
    /// Bob's user gave it up.
    #[n(1)]
    Cancelled,
    /// It was not used in time.
    #[n(2)]
    Expired,
    /// The relay says that it forms no line. [`Reason::UsedByAnother`] is a security event.
    #[n(3)]
    Refused(#[n(0)] Reason),
    /// The user blocked the maker of the Port (§14.6).
    #[n(4)]
    Blocked,
    /// The app's server named no pair (§17.8), so nobody can tell whether its maker is blocked. It does not happen with this crate's own
    /// Ports.
    #[n(5)]
    NoPairHash,
    /// **The relay lied**: it said that this Port formed a line that another Port has formed. Ask for another Port.
    #[n(6)]
    FalseLine,
}

/// Why an introducer makes no more tickets (§16.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum GrantOutcome {
    /// Alice withdrew the right.
    #[n(1)]
    Withdrawn,
    /// The contact port has expired.
    #[n(2)]
    Expired,
    /// The introducer's user gave it up.
    #[n(3)]
    Cancelled,
}

/// Why a line is over (§6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum CloseReason {
    /// This end closed it.
    #[n(1)]
    ByUs,
    /// The other end closed it, and proved that it was the other end.
    #[n(2)]
    ByPeer,
    /// The relay says that it is over.
    #[n(3)]
    ByRelay,
    /// Somebody used the Port's link without holding the Port. Make a new Port.
    #[n(4)]
    ProofRefused,
    /// No proof came in time.
    #[n(5)]
    Expired,
    /// This end's user declined the visitor.
    #[n(6)]
    Declined,
}

impl CloseReason {
    /// A line that the other end closed stays at the relay until this end has left it, too.
    pub(crate) const fn is_told_to_relay(self) -> bool {
        !matches!(self, Self::ByRelay)
    }
}
