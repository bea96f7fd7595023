//! Connecting: a Bob that waits for the relay's answer (§5.3). What both dialects share of it.

use minicbor::{Decode, Encode};

use crate::id::{LineId, LineLink, PairHash, PortHash, RecordKey};
use crate::line::{Introduced, Origin};
use crate::machine::peers::{Peers, Relationship};
use crate::message::Reason;
use crate::outcome::UseOutcome;
use crate::port::ticket::Ticket;
use crate::port::{PortKind, Terms};
use crate::proof::{PrivateKey, SendProof, SharedSecret};
use crate::time::UnixSeconds;
use crate::tombstone::{FinalRequest, Tombstone};

/// Waits for the relay's answer.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Connecting<P> {
    #[n(0)]
    pub(crate) line_link: LineLink,
    #[n(1)]
    pub(crate) kind: PortKind,
    #[n(2)]
    pub(crate) port: PortHash,
    #[n(3)]
    pub(crate) terms: Terms,
    #[n(4)]
    pub(crate) secret: SharedSecret,
    #[n(5)]
    pub(crate) proof: P,
    #[n(6)]
    pub(crate) send_proof: SendProof,
    /// Of a Port for many, for Alice's ephemeral key (§14.7). That of a Port for one use had its one use, and is gone.
    #[n(7)]
    pub(crate) private_key: Option<PrivateKey>,
    #[n(8)]
    pub(crate) ticket: Option<Ticket>,
}

impl<P> Connecting<P> {
    /// §5.3: whether this line is taken, and how its two users stand to each other; or what is left of the Port if not.
    pub(crate) fn accepts(
        &self,
        line_id: LineId,
        pair_hash: &PairHash,
        peers: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Relationship, Tombstone<UseOutcome>> {
        let ended = |outcome, last| Err(Tombstone::ended(RecordKey::LineLink(self.line_link), outcome, last));
        match peers.relationship(pair_hash) {
            // This user used the Port before, and the record of that is lost. The line is a good one.
            _ if peers.has_line(&line_id) => ended(UseOutcome::Refused(Reason::UsedByYou), FinalRequest::Nothing),
            _ if self.terms.have_expired(now) => ended(UseOutcome::Expired, FinalRequest::Disconnect(line_id)),
            Relationship::Blocked => ended(UseOutcome::Blocked, FinalRequest::Disconnect(line_id)),
            relationship => Ok(relationship),
        }
    }

    pub(crate) const fn formed(&self, line_id: LineId) -> Tombstone<UseOutcome> {
        Tombstone::Formed { line_link: self.line_link, line_id }
    }

    /// Where the line comes from.
    pub(crate) fn origin(&self, line_id: LineId, pair_hash: PairHash, replaces: Option<LineId>) -> Origin {
        let Self { kind, port, terms, ticket, .. } = self;
        let introduced = ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: None });
        Origin { kind: *kind, port: *port, line_id, pair_hash, relay: terms.relay.clone(), replaces, introduced }
    }
}
