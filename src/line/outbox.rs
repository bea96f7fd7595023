//! The outbox of a Line: a function of its state alone (§8.1), and what else its machine tells of the state.

use super::phase::{AliceStage, BobStage, Change, Counted, End, Phase, State};
use super::{Line, LineEffect};
use crate::id::RecordKey;
use crate::machine::record::Record;
use crate::machine::role::Received;
use crate::machine::{Held, Role, impl_machine};
use crate::message::Request;
use crate::outcome::CloseReason;
use crate::time::{Span, UnixSeconds};

impl State {
    const fn key(&self) -> RecordKey {
        RecordKey::Line(self.origin.line_id)
    }

    fn deadline(&self) -> Option<UnixSeconds> {
        self.phase.deadline()
    }

    fn at_deadline(&self, now: UnixSeconds) -> Option<Change> {
        match &self.phase {
            Phase::AwaitingProof { private_key, rad, wait, asks } => Some(match wait.look(now) {
                Some(wait) => {
                    let (private_key, rad) = (private_key.clone(), rad.clone());
                    Change::Phase(Phase::AwaitingProof { private_key, rad, wait, asks: *asks })
                }
                None => Change::closed(CloseReason::Expired, None),
            }),
            Phase::Open { session, end: End::Alice { stage, early: Some(early) } } => {
                Some(Change::alice(session.clone(), stage.clone(), early.look(now)))
            }
            Phase::Open { .. } | Phase::Closed { .. } => None,
        }
    }

    fn is_due(&self, now: UnixSeconds) -> bool {
        self.phase.wait().is_some_and(|wait| wait.is_due(now))
    }

    fn without_outbox(&self) -> Option<Change> {
        match &self.phase {
            Phase::Open { session, end: End::Bob(BobStage::Confirmed { answer, due: true, confirm }) } => {
                let stage = BobStage::Confirmed { answer: answer.clone(), due: false, confirm: *confirm };
                Some(Change::bob(session.clone(), stage))
            }
            Phase::Closed { reason, due: true, .. } => {
                Some(Change::Phase(Phase::Closed { reason: *reason, close: None, due: false }))
            }
            // Only the other end can answer a Confirm or a proof.
            Phase::AwaitingProof { .. } | Phase::Open { .. } | Phase::Closed { .. } => None,
        }
    }
}

impl Phase {
    /// What this end waits for.
    fn wait(&self) -> Option<&Span> {
        match self {
            Self::AwaitingProof { wait, .. } => Some(wait),
            // The user takes any time. What waits for the approval is opened after it.
            Self::Open { end: End::Alice { stage: AliceStage::AwaitingApproval(_), .. }, .. } => None,
            phase => phase.early().map(|early| &early.wait),
        }
    }

    fn deadline(&self) -> Option<UnixSeconds> {
        self.wait().map(Span::deadline)
    }

    /// The packet that is sent until the other end has answered it.
    fn packet(&self) -> Option<&[u8]> {
        let Self::Open { end, .. } = self else { return None };
        Some(match end {
            End::Alice { stage: AliceStage::Joined(confirm) | AliceStage::Confirmed(Some(confirm)), .. } => {
                confirm.packet.as_slice()
            }
            End::Bob(BobStage::Joined { proof: Some(proof), .. }) => proof.as_slice(),
            End::Bob(BobStage::Confirmed { answer, due: true, .. }) => answer.as_slice(),
            End::Alice { .. } | End::Bob(_) => return None,
        })
    }
}

impl Role for Line {
    const ROLE: u8 = 3;
    const OUTBOX: u8 = 3;
    type Change = Change;
    type Effect<'m> = LineEffect<'m>;

    impl_machine!(state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held)
    }

    fn is_due(state: &State, now: UnixSeconds) -> bool {
        state.is_due(now)
    }

    fn index_after(state: &State, change: &Change) -> (RecordKey, Option<UnixSeconds>) {
        let deadline = match change {
            Change::Phase(phase) => phase.deadline(),
            Change::Counters(_) => state.phase.deadline(),
        };
        (state.key(), deadline)
    }

    fn record_after(held: &Held<State>, change: &Change, record: &mut Record) {
        let State { origin, phase } = &held.state;
        let revision = held.next_revision();
        match change {
            Change::Phase(phase) => record.write(Self::ROLE, revision, (origin, phase)),
            Change::Counters(counters) => record.write(Self::ROLE, revision, (origin, Counted(phase, *counters))),
        }
    }

    #[inline(always)]
    fn apply(state: &mut State, change: Change) {
        match change {
            Change::Phase(phase) => state.phase = phase,
            Change::Counters(counters) => state.phase.count(counters),
        }
    }

    #[inline(always)]
    fn apply_in_place(state: &mut State, change: &Change) -> bool {
        let Change::Counters(counters) = change else { return false };
        state.phase.count(*counters);
        true
    }

    fn outbox(&self, place: u8) -> Option<LineEffect<'_>> {
        let State { origin, phase } = &self.0.state;
        let line_id = origin.line_id;
        let send = |payload| LineEffect::Send(Request::Packet { line_id, payload });
        match (phase, place) {
            (Phase::Closed { close, due: true, .. }, 0) => close.as_ref().map(|close| send(close.as_slice())),
            (Phase::Closed { reason, due: true, .. }, 1) => {
                reason.is_told_to_relay().then_some(LineEffect::Send(Request::Disconnect { line_id }))
            }
            (Phase::Closed { reason, due: true, .. }, 2) => Some(LineEffect::Ended(*reason)),
            (Phase::Open { end: End::Alice { stage: AliceStage::AwaitingApproval(_), .. }, .. }, 0) => {
                Some(LineEffect::AwaitingApproval)
            }
            (phase, 0) => phase.packet().map(send),
            _ => None,
        }
    }

    fn received<'m>(effect: &LineEffect<'m>) -> Option<Received<'m>>
    where
        Self: 'm,
    {
        match effect {
            LineEffect::Message(text) => Some(Received::Message(text)),
            LineEffect::IntroducerMessage(message) => Some(Received::Introducer(message.clone())),
            _ => None,
        }
    }
}
