//! What a packet does to a line (§6.4–§6.7).

use minicbor::bytes::ByteSlice;

use super::epoch::Early;
use super::join::AliceKeys;
use super::phase::{AliceStage, BobStage, Change, End, Phase, State};
use super::seal::Sealed;
use super::session::{Counters, Session};
use super::{Line, LineEffect};
use crate::cbor::{self, Bytes};
use crate::error::Rejected;
use crate::introducer::message;
use crate::machine::step::Step;
use crate::message::{PacketKind, Payload};
use crate::outcome::CloseReason;

/// An ephemeral public key's length.
const EPHEMERAL: usize = 32;

/// Whether the outbox is to be done after a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outbox {
    Quiet,
    Due,
}

/// §6.4–§6.7: all of a Line but for its user's own words, `seal` and `close`.
#[inline]
pub(super) fn packet<'m>(
    line: &'m mut Line,
    payload: &[u8],
    aad: &[u8],
    buffer: &'m mut [u8],
) -> Result<Step<'m, Line>, Rejected> {
    let Some(sealed) = Sealed::decode(payload) else {
        return proof(line, &Payload::decode(payload)?);
    };
    let State { origin, phase } = &line.0.state;
    let (session, end) = match phase {
        Phase::AwaitingProof { .. } => return Err(Rejected::TooEarly),
        Phase::Open { end: End::Alice { stage: AliceStage::AwaitingApproval(_), .. }, .. } => {
            return Err(Rejected::TooEarly);
        }
        Phase::Open { session, end } => (session, end),
        Phase::Closed { .. } => return Err(Rejected::Closed),
    };
    let kind = sealed.kind.unpadded();
    // Only a user's words carry a user's data.
    let aad = if matches!(kind, PacketKind::EarlyMessage | PacketKind::Message) { aad } else { &[] };
    let own = match (kind, origin.kind.is_for_many()) {
        (PacketKind::Confirm, true) => EPHEMERAL,
        (PacketKind::Answer, true) => 1,
        _ => 0,
    };
    if sealed.nonce.epoch != session.epoch() {
        let (change, effect, outbox) = other_epoch(session, end, &sealed, payload, (own, aad), buffer)?;
        return Ok(step(line, change, effect, outbox));
    }
    let (counters, text) = session.open(&sealed, own, aad, buffer)?;
    let told = effect(kind, text)?;
    let (change, outbox) = match end {
        End::Alice { stage, early } => at_alice(session, stage, early.as_ref(), counters, kind, text)?,
        End::Bob(stage) => at_bob(session, stage, counters, kind, text, payload)?,
    };
    Ok(step(line, change, told, outbox))
}

#[inline(always)]
fn step<'m>(line: &'m mut Line, change: Change, effect: Option<LineEffect<'m>>, outbox: Outbox) -> Step<'m, Line> {
    let step = Step::new(line, change).once(effect);
    if outbox == Outbox::Due { step } else { step.outbox(0..0) }
}

/// What a packet tells the caller.
#[inline(always)]
fn effect(kind: PacketKind, text: &[u8]) -> Result<Option<LineEffect<'_>>, Rejected> {
    Ok(match kind {
        PacketKind::EarlyMessage | PacketKind::Message => Some(LineEffect::Message(text)),
        PacketKind::IntroducerMessage => Some(LineEffect::IntroducerMessage(message::read(text)?)),
        _ => None,
    })
}

/// A packet of Bob's, by the keys of this epoch.
#[inline(always)]
fn at_alice(
    session: &Session,
    stage: &AliceStage,
    early: Option<&Early>,
    counters: Counters,
    kind: PacketKind,
    text: &[u8],
) -> Result<(Change, Outbox), Rejected> {
    use PacketKind::{Answer, Close, EarlyMessage, IntroducerMessage, Message};
    Ok(match (stage, kind) {
        (_, Close) => (Change::closed(CloseReason::ByPeer, None), Outbox::Due),
        // By far the most packets: they move nothing but the counters.
        (AliceStage::Confirmed(None), EarlyMessage | Message | IntroducerMessage) => {
            (Change::Counters(counters), Outbox::Quiet)
        }
        // Bob speaks, and has not heard Alice: Confirm is sent again.
        (AliceStage::Confirmed(Some(_)), EarlyMessage) => (Change::Counters(counters), Outbox::Due),
        (AliceStage::Joined(confirm), EarlyMessage) => {
            let stage = AliceStage::Confirmed(Some(confirm.clone()));
            (Change::alice(session.with(counters), stage, early.cloned()), Outbox::Due)
        }
        (AliceStage::Joined(_) | AliceStage::Confirmed(_), Message | Answer | IntroducerMessage) => {
            let early = early.and_then(|early| match text {
                [sent] if kind == Answer => early.told(*sent),
                _ => Some(early.clone()),
            });
            (Change::alice(session.with(counters), AliceStage::Confirmed(None), early), Outbox::Quiet)
        }
        // Well sealed, but not for Alice to hear.
        _ => return Err(Rejected::OutOfOrder),
    })
}

/// A packet of Alice's, by the keys of this epoch.
#[inline(always)]
fn at_bob(
    session: &Session,
    stage: &BobStage,
    counters: Counters,
    kind: PacketKind,
    text: &[u8],
    payload: &[u8],
) -> Result<(Change, Outbox), Rejected> {
    use PacketKind::{Close, Confirm, EarlyMessage, IntroducerMessage, Message};
    Ok(match (stage, kind) {
        (_, Close) => (Change::closed(CloseReason::ByPeer, None), Outbox::Due),
        (BobStage::Confirmed { .. }, EarlyMessage | Message | IntroducerMessage) => {
            (Change::Counters(counters), Outbox::Quiet)
        }
        // Alice's ephemeral key: from here on the keys are those of epoch 1.
        (BobStage::Joined { upgrade: Some(upgrade), .. }, Confirm) => {
            let sent = u8::try_from(session.sent()).unwrap_or(u8::MAX);
            let mut session = upgrade.session(text)?;
            let mut answer = Bytes::EMPTY;
            session.seal_own(&mut answer, PacketKind::Answer, &[sent]);
            (Change::bob(session, BobStage::Confirmed { answer, due: true, confirm: Some(hash(payload)) }), Outbox::Due)
        }
        // Any packet of Alice's shows that it holds the keys. Bob answers at once.
        (BobStage::Joined { upgrade: None, .. }, Confirm | EarlyMessage | Message | IntroducerMessage) => {
            let mut session = session.with(counters);
            let mut answer = Bytes::EMPTY;
            session.seal_own(&mut answer, PacketKind::Answer, &[]);
            (Change::bob(session, BobStage::Confirmed { answer, due: true, confirm: None }), Outbox::Due)
        }
        (BobStage::Confirmed { answer, confirm: None, .. }, Confirm) => {
            let stage = BobStage::Confirmed { answer: answer.clone(), due: true, confirm: None };
            (Change::bob(session.with(counters), stage), Outbox::Due)
        }
        // Well sealed, but not for Bob to hear.
        _ => return Err(Rejected::OutOfOrder),
    })
}

/// §14.7: a packet of the epoch that this end has left, or has not come to.
fn other_epoch<'m>(
    session: &Session,
    end: &End,
    sealed: &Sealed<'_>,
    payload: &[u8],
    (own, aad): (usize, &[u8]),
    buffer: &'m mut [u8],
) -> Result<(Change, Option<LineEffect<'m>>, Outbox), Rejected> {
    match (end, sealed.nonce.epoch) {
        (End::Alice { stage, early: Some(early) }, 0) => {
            let (early, text) = early.open(sealed, own, aad, buffer)?;
            if sealed.kind == PacketKind::Close {
                return Ok((Change::closed(CloseReason::ByPeer, None), None, Outbox::Due));
            }
            // Bob has not heard Alice: Confirm is sent again, as long as it is kept.
            let change = Change::alice(session.clone(), stage.clone(), early);
            Ok((change, Some(LineEffect::Message(text)), Outbox::Due))
        }
        (End::Bob(BobStage::Joined { upgrade: Some(_), .. }), 1) => Err(Rejected::TooEarly),
        // Its key is gone, but these very bytes opened before. A lost Answer is asked for in this way.
        (End::Bob(BobStage::Confirmed { answer, confirm: Some(confirm), .. }), 0) if *confirm == hash(payload) => {
            let stage = BobStage::Confirmed { answer: answer.clone(), due: true, confirm: Some(*confirm) };
            Ok((Change::bob(session.clone(), stage), None, Outbox::Due))
        }
        _ => Err(Rejected::Forged),
    }
}

/// §6.4, §6.5: a proof along the line.
fn proof<'m>(line: &'m mut Line, payload: &Payload<'_>) -> Result<Step<'m, Line>, Rejected> {
    let State { origin, phase } = &line.0.state;
    let Payload::Proof { proof } = payload else { return Err(Rejected::Malformed) };
    let change = match phase {
        Phase::Closed { .. } => return Err(Rejected::Closed),
        Phase::AwaitingProof { private_key, rad, asks, .. } => {
            let mut keys = AliceKeys::EMPTY;
            match keys.join(&origin.common(), private_key, rad, proof) {
                Some(keys) => Change::Phase(Phase::of_alice(keys, None, *asks)),
                None => Change::closed(CloseReason::ProofRefused, None),
            }
        }
        // The same proof again: Confirm was lost, or is slow.
        Phase::Open {
            session,
            end: End::Alice { stage: AliceStage::Joined(confirm) | AliceStage::Confirmed(Some(confirm)), .. },
        } if confirm.proof == cbor::hash(proof) => Change::Counters(session.counters()),
        Phase::Open { .. } => return Err(Rejected::OutOfOrder),
    };
    Ok(Step::new(line, change))
}

fn hash(payload: &[u8]) -> [u8; 32] {
    cbor::hash(&<&ByteSlice>::from(payload))
}
