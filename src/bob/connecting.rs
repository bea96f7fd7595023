//! Connecting: a Bob that waits for the relay's answer (§5.3). What both dialects share of it.

use minicbor::{Decode, Encode};

use crate::id::{LineId, LineLink, PeerMark, PortHash, RecordKey, RequestId};
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
    pub(crate) request_id: RequestId,
    #[n(9)]
    pub(crate) ticket: Option<Ticket>,
}

impl<P> Connecting<P> {
    /// §5.3: whether this line is taken, and how its two users stand to each other; or what is left of the Port if not.
    pub(crate) fn accepts(
        &self,
        line_id: LineId,
        peer: &PeerMark,
        peers: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Relationship, Tombstone<UseOutcome>> {
        let ended = |outcome, last| Err(Tombstone::ended(RecordKey::LineLink(self.line_link), outcome, last));
        // In both cases the line is a good one.
        match peers.port_of_line(&line_id) {
            // This user used the Port before, and the record of that is lost.
            Some(port) if port == self.port => {
                return ended(UseOutcome::Refused(Reason::UsedByYou), FinalRequest::Nothing);
            }
            Some(_) => return ended(UseOutcome::FalseLine, FinalRequest::Nothing),
            None => {}
        }
        match peers.relationship(peer) {
            _ if self.terms.have_expired(now) => ended(UseOutcome::Expired, FinalRequest::Disconnect(line_id)),
            Relationship::Blocked => ended(UseOutcome::Blocked, FinalRequest::Disconnect(line_id)),
            relationship => Ok(relationship),
        }
    }

    pub(crate) const fn formed(&self, line_id: LineId) -> Tombstone<UseOutcome> {
        Tombstone::Formed { line_link: self.line_link, line_id }
    }

    /// Where the line comes from.
    pub(crate) fn origin(&self, line_id: LineId, peer: PeerMark, replaces: Option<LineId>) -> Origin {
        let Self { kind, port, terms, ticket, .. } = self;
        let introduced = ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: None });
        Origin { kind: *kind, port: *port, line_id, peer, relay: terms.relay.clone(), replaces, introduced }
    }
}
