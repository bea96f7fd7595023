//! Visit: what this crate's own Alice checks when somebody uses its Port (§4.3, §14.4).

use rand_core::CryptoRng;

use super::offered::{Next, Offered, Visitor, conditions};
use crate::error::Rejected;
use crate::line::{Guest, Introduced, Line};
use crate::machine::peers::Peers;
use crate::outcome::PortOutcome;
use crate::port::PortKind;
use crate::port::ticket::Ticket;
use crate::proof::{self, Proof};
use crate::time::UnixSeconds;

/// §4.3: the first use of a Port for one use spends it, whatever proof came with it.
pub(super) fn spend(offered: &Offered, visitor: &Visitor, proof: Option<&Proof>, now: UnixSeconds) -> Next<Line> {
    let hash = offered.port().hash();
    let origin = offered.origin(hash, visitor, offered.replaces(visitor), None);
    let (private_key, rad) = (offered.private_key(), offered.port().rad());
    let asks = offered.policy().requires_approval();
    let line = match (offered.refuses(visitor, now), proof) {
        (Some(outcome), _) => Err(outcome),
        (None, None) => Ok(Line::awaiting_proof(origin, private_key, rad, asks, now)),
        (None, Some(proof)) => Line::of_alice(origin, private_key, rad, asks, proof).ok_or(PortOutcome::ProofRefused),
    };
    offered.spent(hash, visitor.line_id, line.map(Some))
}

/// §14.4: one more use of a Port for many. The checks stand in this order. A refusal uses nothing up, and every refusal looks alike.
pub(super) fn admit<R: CryptoRng + ?Sized>(
    offered: &Offered,
    visitor: &Visitor,
    proof: Option<&Proof>,
    peers: &impl Peers,
    now: UnixSeconds,
    rng: &mut R,
) -> Result<Next<Line>, Rejected> {
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
    let hash = port.hash();
    let conditions = conditions(secret.mark(&hash), notice.as_ref(), line_id);
    if notice.as_ref().is_some_and(|notice| notice.has_expired(now)) {
        return Ok(offered.ticket_expired(line_id, conditions));
    }

    let ticket =
        ticket.zip(notice).map(|(secret, notice)| Ticket { secret, name: notice.name, expires: notice.expires });
    let introduced = ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: offered.introducer() });
    let origin = offered.origin(hash, visitor, offered.replaces(visitor), introduced);
    let guest = Guest { secret: &secret, proof, ticket: ticket.as_ref() };
    let line = Line::of_alice_of_many(origin, &guest, offered.policy().requires_approval(), now, rng).ok_or(refused)?;
    Ok(offered.used_once_more(line, conditions))
}
