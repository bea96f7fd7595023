//! Visit: what this crate's own Alice checks when somebody uses its Port (§4.3, §14.4).
//!
//! The stack is kept small. A line's keys are made first. Then a function that is not inlined puts the line and its step together: inlined,
//! it would have its frame on the stack while the cryptography runs.

use rand_core::CryptoRng;

use super::offered::{Next, Offered, Once, Visitor, conditions};
use super::{Alice, AliceEffect, State};
use crate::dialect::{Native, Speaks};
use crate::error::Rejected;
use crate::id::{LineId, PortHash};
use crate::line::{AliceKeys, Early, Guest, Introduced, Line, Phase};
use crate::machine::peers::Peers;
use crate::machine::step::{Conditions, Step};
use crate::message::Request;
use crate::outcome::PortOutcome;
use crate::port::PortKind;
use crate::port::ticket::Ticket;
use crate::proof::{self, Proof};
use crate::time::UnixSeconds;

impl Alice {
    /// §4.3: the first use of a Port for one use spends it, whatever proof came with it.
    #[inline(never)]
    pub(super) fn spend(
        &mut self,
        visitor: &Visitor,
        proof: Option<&Proof>,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let offered = self.offered()?;
        let common = offered.common(Native::hash(offered.port()), visitor);
        let mut keys = AliceKeys::EMPTY;
        let line = match (offered.refuses(visitor, now), proof) {
            (Some(outcome), _) => Err(outcome),
            (None, None) => Ok(None),
            (None, Some(proof)) => {
                let (private_key, rad) = (offered.private_key(), offered.port().rad());
                let keys = keys.join(&common, private_key, rad, proof);
                keys.map(Some).ok_or(PortOutcome::ProofRefused)
            }
        };
        self.spent(common.port, visitor, line, now)
    }

    /// The step, by the keys that the proof made. Without keys the line waits for the proof.
    #[inline(never)]
    fn spent(
        &mut self,
        hash: PortHash,
        visitor: &Visitor,
        line: Result<Option<&AliceKeys>, PortOutcome>,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let offered = self.offered()?;
        let line = line.map(|keys| {
            let asks = offered.policy().requires_approval();
            let phase = match keys {
                Some(keys) => Phase::of_alice(keys, None, asks),
                None => {
                    let (private_key, rad) = (offered.private_key(), offered.port().rad());
                    Phase::awaiting_proof(private_key, rad, asks, now)
                }
            };
            Some(Line::new(offered.origin(hash, visitor, offered.replaces(visitor), None), phase))
        });
        let next = offered.spent(hash, visitor.line_id, line);
        Ok(self.step_of(next))
    }

    /// §14.4: one more use of a Port for many. The checks stand in this order. A refusal uses nothing up, and every refusal looks alike.
    #[inline(never)]
    pub(super) fn admit<R: CryptoRng + ?Sized>(
        &mut self,
        visitor: &Visitor,
        proof: Option<&Proof>,
        peers: &impl Peers,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'_, Self>, Rejected> {
        let offered = self.offered()?;
        let (port, line_id) = (offered.port(), visitor.line_id);
        let refused = Rejected::UnwantedLine(line_id);
        offered.check_open(line_id, offered.refuses(visitor, now), now)?;

        let proof = proof.ok_or(refused)?;
        let (secret, ticket) = match port.kind {
            PortKind::ContactPort => proof::check_with_ticket(offered.private_key(), &port.rad, proof)
                .map(|(secret, ticket)| (secret, Some(ticket))),
            PortKind::Port | PortKind::Superport => {
                proof::check(offered.private_key(), &port.rad, proof).map(|secret| (secret, None))
            }
        }
        .ok_or(refused)?;

        let unknown = Rejected::UnknownTicket(line_id);
        let notice = ticket.as_ref().map(|ticket| offered.notice(ticket, peers, line_id, unknown)).transpose()?;
        let hash = Native::hash(port);
        let conditions = conditions(secret.mark(&hash), notice.as_ref(), line_id);
        if notice.as_ref().is_some_and(|notice| notice.has_expired(now)) {
            let next = offered.ticket_expired(line_id, conditions);
            return Ok(self.step_of(next));
        }

        let ticket =
            ticket.zip(notice).map(|(secret, notice)| Ticket { secret, name: notice.name, expires: notice.expires });
        let guest = Guest { secret: &secret, proof, ticket: ticket.as_ref() };
        let (mut keys, mut early) = (AliceKeys::EMPTY, None);
        let keys = keys.join_guest(&mut early, &offered.common(hash, visitor), &guest, now, rng).ok_or(refused)?;
        self.admitted(hash, visitor, (keys, early.as_ref()), ticket.as_ref(), conditions)
    }

    /// The step, by the keys that the guest's proof made.
    #[inline(never)]
    fn admitted(
        &mut self,
        hash: PortHash,
        visitor: &Visitor,
        (keys, early): (&AliceKeys, Option<&Early>),
        ticket: Option<&Ticket>,
        conditions: Conditions,
    ) -> Result<Step<'_, Self>, Rejected> {
        let offered = self.offered()?;
        let introduced = ticket.map(|ticket| Introduced { name: ticket.name.clone(), by: offered.introducer() });
        let origin = offered.origin(hash, visitor, offered.replaces(visitor), introduced);
        let line = Line::new(origin, Phase::of_alice(keys, early, offered.policy().requires_approval()));
        let next = offered.used_once_more(line, conditions);
        Ok(self.step_of(next))
    }

    /// The caller has a record of this line already.
    #[inline(never)]
    pub(super) fn line_is_there(&mut self, of_line: PortHash, line_id: LineId) -> Result<Step<'_, Self>, Rejected> {
        let offered = self.offered()?;
        let next = offered.line_is_there(Native::hash(offered.port()), of_line, line_id)?;
        Ok(self.step_of(next))
    }

    pub(super) const fn offered(&self) -> Result<&Offered, Rejected> {
        match &self.0.state {
            State::Offered(offered) => Ok(offered),
            _ => Err(Rejected::OutOfOrder),
        }
    }

    fn step_of(&mut self, next: Next<Line>) -> Step<'_, Self> {
        self.after_use(next, |once| match once {
            Once::LineFormed(line) => AliceEffect::LineFormed(line),
            Once::Disconnect(line_id) => AliceEffect::Send(Request::Disconnect { line_id }),
        })
    }
}
