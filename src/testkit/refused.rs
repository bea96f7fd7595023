//! An event that nobody takes moves nobody (§8.1): what a store may look like after it.

use alloc::vec;
use alloc::vec::Vec;

use super::app::App;
use super::machine::{Any, Halt, Input, ToDo};
use crate::{Event, UnixSeconds};

/// A step was dropped, and yet the machine moved.
pub(super) struct Moved;

/// A store whose machines all refuse an event, or are not asked.
pub(super) struct Refused(Vec<Alone>);

/// A record, and what becomes of it without any event.
struct Alone {
    /// It stays, it settles, or its deadline has come.
    may_be: Vec<Vec<u8>>,
    may_be_missing: bool,
}

impl Refused {
    /// `None`: somebody takes the event.
    pub(super) fn of(app: &impl App, event: &[u8], now: UnixSeconds) -> Result<Option<Self>, Moved> {
        let mut machines: Vec<_> = app.records().iter().filter_map(|record| Any::restore(record)).collect();
        if let Ok(event) = Event::decode(event)
            && let Some(asked) = machines.iter_mut().find(|machine| machine.key() == event.key())
        {
            let (before, mut taken) = (asked.record(), false);
            let outcome = asked.step(Input::Event(&event, &app.associated_data(&event)), now, &mut |_| {
                taken = true;
                Err(Halt::Idle)
            });
            if outcome.is_ok() || *asked.record() != *before {
                return Err(Moved);
            }
            if taken {
                return Ok(None);
            }
        }
        Ok(Some(Self(machines.into_iter().flat_map(|machine| Alone::of(machine, now)).collect())))
    }

    pub(super) fn has_moved(&self, records: &[Vec<u8>]) -> bool {
        let Self(alone) = self;
        let strange = |record: &Vec<u8>| !alone.iter().any(|one| one.may_be.contains(record));
        let is_there = |one: &Alone| records.iter().any(|record| one.may_be.contains(record));
        records.iter().any(strange) || !alone.iter().all(|one| one.may_be_missing || is_there(one))
    }
}

impl Alone {
    /// With the lines that it yields, which may be stored at any time (§8.3).
    fn of(machine: Any, now: UnixSeconds) -> Vec<Self> {
        let yields = machine.unsent().into_iter().filter_map(|one| match one {
            ToDo::Adopt(born) => Some(Self { may_be_missing: true, ..Self::by_itself(Any::Line(born.commit()), now) }),
            _ => None,
        });
        let mut all: Vec<_> = yields.collect();
        all.push(Self::by_itself(machine, now));
        all
    }

    fn by_itself(mut machine: Any, now: UnixSeconds) -> Self {
        let mut may_be = vec![machine.record().to_vec()];
        for alone in [Input::Settle, Input::Tick, Input::Settle] {
            if machine.step(alone, now, &mut |_| Ok(())).is_ok() {
                may_be.push(machine.record().to_vec());
            }
        }
        Self { may_be, may_be_missing: machine.may_be_deleted() }
    }
}
