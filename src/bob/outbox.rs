//! The outbox of a Bob: a function of its state alone (§8.1), and what else its machine tells of the state.

use core::marker::PhantomData;

use super::{Bob, BobEffect, State};
use crate::dialect::{Native, Speaks};
use crate::line::Line;
use crate::machine::record::Row;
use crate::machine::{Held, Role, impl_machine};
use crate::message::Request;
use crate::outcome::UseOutcome;
use crate::proof::{Proof, SendProof};
use crate::time::UnixSeconds;
use crate::tombstone::{FinalRequest, LastWord};

/// How many places a Bob's outbox has.
pub(crate) const OUTBOX: u8 = 2;

impl<P> State<P> {
    pub(crate) const fn deadline(&self) -> Option<UnixSeconds> {
        match self {
            Self::Connecting(connecting) => connecting.terms.expires,
            // Nothing was sent, so a wrong clock must not end it.
            Self::Scanned(_) | Self::Spent(_) => None,
        }
    }

    pub(crate) fn at_deadline(&self, _: UnixSeconds) -> Option<Self> {
        self.end(UseOutcome::Expired, FinalRequest::Nothing)
    }

    pub(crate) fn without_outbox(&self) -> Option<Self> {
        match self {
            Self::Spent(tombstone) => tombstone.without_outbox().map(Self::Spent),
            Self::Scanned(_) | Self::Connecting(_) => None,
        }
    }
}

impl Role for Bob {
    const ROLE: u8 = Native::BOB;
    const OUTBOX: u8 = OUTBOX;
    type Effect<'m> = BobEffect<'m>;

    impl_machine!(state: State<Proof>);
    impl_machine!(whole next state: State<Proof>);

    fn from_held(held: Held<State<Proof>>) -> Self {
        Self(held, PhantomData)
    }

    fn outbox(&self, place: u8) -> Option<BobEffect<'_>> {
        match (&self.0.state, place) {
            (State::Connecting(connecting), 0) => {
                let proof = (connecting.send_proof == SendProof::Inline).then(|| connecting.proof.clone());
                Some(BobEffect::Send(Request::Connect {
                    line_link: connecting.line_link,
                    request_id: connecting.request_id,
                    proof,
                }))
            }
            (State::Spent(tombstone), place) => tombstone.outbox(place).map(|word| match word {
                LastWord::Disconnect(line_id) => BobEffect::Send(Request::Disconnect { line_id }),
                LastWord::CloseLink(line_link, _) => BobEffect::Send(Request::CloseLineLink { line_link: *line_link }),
                LastWord::Ended(outcome) => BobEffect::Ended(outcome),
            }),
            _ => None,
        }
    }

    fn new_line(effect: &BobEffect<'_>, row: &mut Option<Row>) {
        if let BobEffect::LineFormed(line) = effect {
            Line::record_in(line.held(), row.insert(Line::row(line.held())));
        }
    }
}
