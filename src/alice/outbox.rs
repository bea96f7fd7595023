//! The outbox of an Alice: a function of its state alone (§8.1), and what else its machine tells of the state.

use core::marker::PhantomData;

use super::offered::OUTBOX;
use super::{Alice, AliceEffect, Requesting, State};
use crate::dialect::{Native, Speaks};
use crate::line::Line;
use crate::machine::record::Row;
use crate::machine::{Held, Role, impl_machine};
use crate::message::Request;
use crate::outcome::PortOutcome;
use crate::time::UnixSeconds;
use crate::tombstone::LastWord;

impl State {
    pub(crate) fn deadline(&self) -> Option<UnixSeconds> {
        match self {
            Self::Requesting(requesting) => requesting.options.expiry(),
            Self::Offered(offered) => offered.expiry(),
            Self::Spent(_) => None,
        }
    }

    pub(crate) fn at_deadline(&self, _: UnixSeconds) -> Option<Self> {
        self.end(PortOutcome::Expired)
    }

    pub(crate) fn without_outbox(&self) -> Option<Self> {
        match self {
            Self::Requesting(_) => None,
            Self::Offered(offered) => offered.without_outbox().map(Self::Offered),
            Self::Spent(tombstone) => tombstone.without_outbox().map(Self::Spent),
        }
    }
}

impl Role for Alice {
    const ROLE: u8 = Native::ALICE;
    const OUTBOX: u8 = OUTBOX;
    type Effect<'m> = AliceEffect<'m>;

    impl_machine!(state: State);
    impl_machine!(whole next state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held, PhantomData)
    }

    fn outbox(&self, place: u8) -> Option<AliceEffect<'_>> {
        match (&self.0.state, place) {
            (State::Requesting(Requesting { request_id, .. }), 0) => {
                Some(AliceEffect::Send(Request::IssueLineLink { request_id: *request_id }))
            }
            // Before anybody sees the Port, the relay knows for how many it is. Otherwise the first use would burn its link (§14.2).
            (State::Offered(offered), 0) if offered.is_set() => Some(AliceEffect::Send(offered.setting())),
            (State::Offered(offered), 1) => Some(AliceEffect::PortReady(offered.port())),
            // A link that is as it was issued can be shown without a network. Its lifetime at the relay is renewed when there is one (§4.6).
            (State::Offered(offered), 2) if !offered.is_set() => Some(AliceEffect::Send(offered.setting())),
            (State::Spent(tombstone), place) => tombstone.outbox(place).map(|word| match word {
                LastWord::Disconnect(line_id) => AliceEffect::Send(Request::Disconnect { line_id }),
                LastWord::CloseLink(line_link, _) => {
                    AliceEffect::Send(Request::CloseLineLink { line_link: *line_link })
                }
                LastWord::Ended(outcome) => AliceEffect::Ended(outcome),
            }),
            _ => None,
        }
    }

    fn new_line(effect: &AliceEffect<'_>, row: &mut Option<Row>) {
        if let AliceEffect::LineFormed(line) = effect {
            Line::record_in(line.held(), row.insert(Line::row(line.held())));
        }
    }
}
