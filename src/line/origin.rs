//! Where a line comes from, and what its two ends bring (§6.1).

use minicbor::{Decode, Encode};

use crate::id::{LineId, PeerMark, PortHash};
use crate::port::ticket::{IntroducerName, Ticket};
use crate::port::{PortKind, RelayAddr};
use crate::proof::{PrivateKey, Proof, SendProof, SharedSecret};

/// Where a line comes from. No two lines of one user have the same origin, unless the relay gives a `line_id` twice.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Origin {
    #[n(0)]
    pub(crate) kind: PortKind,
    #[n(1)]
    pub(crate) port: PortHash,
    #[n(2)]
    pub(crate) line_id: LineId,
    #[n(3)]
    pub(crate) peer: PeerMark,
    #[n(4)]
    pub(crate) relay: Option<RelayAddr>,
    /// The line that the two users had before (§14.6).
    #[n(5)]
    pub(crate) replaces: Option<LineId>,
    #[n(6)]
    pub(crate) introduced: Option<Introduced>,
}

impl Origin {
    pub(super) const fn common(&self) -> Common {
        let Self { kind, port, line_id, .. } = *self;
        Common { kind, port, line_id }
    }
}

/// The part of an origin that both ends must have seen alike (§6.1).
#[derive(Clone, Copy)]
pub(crate) struct Common {
    pub(crate) kind: PortKind,
    pub(crate) port: PortHash,
    pub(crate) line_id: LineId,
}

/// Who introduced the two ends of a line (§16.5). It is a claim until the line is confirmed. Then both ends were told the same name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Introduced {
    /// The name by which the introducer goes.
    #[n(0)]
    pub name: IntroducerName,
    /// Alice's line with the introducer, who alone announced the ticket. `None` at Bob's end.
    #[n(1)]
    pub by: Option<LineId>,
}

/// A visitor whose proof is good, at a Port for many.
pub(crate) struct Guest<'a> {
    pub(crate) secret: &'a SharedSecret,
    pub(crate) proof: &'a Proof,
    pub(crate) ticket: Option<&'a Ticket>,
}

/// What a Bob brings to its line.
pub(crate) struct BobSecrets<'a> {
    pub(crate) secret: &'a SharedSecret,
    pub(crate) proof: &'a Proof,
    pub(crate) send_proof: SendProof,
    /// If the Port is for many.
    pub(crate) private_key: Option<&'a PrivateKey>,
    pub(crate) ticket: Option<&'a Ticket>,
}
