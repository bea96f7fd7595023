//! Refused: an event that no machine takes moves nothing (§8.1). Here is what a store may look like after it.

use alloc::vec;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;

use super::app::App;
use super::machine::{AnyMachine, Halt, Input, Tables};
use crate::{Event, Rejected, UnixSeconds};

/// A step was dropped, and yet the machine moved.
pub(super) struct Moved;

/// A store whose machines all refuse an event, or are not asked.
pub(super) struct Refused(Vec<Alone>);

/// A record, and what becomes of it without any event.
struct Alone {
    /// It stays, its outbox is cleared, or its deadline comes.
    may_be: Vec<Vec<u8>>,
    may_be_missing: bool,
}

impl Refused {
    /// `None`: a machine takes the event.
    pub(super) fn of(app: &impl App, event: &[u8], now: UnixSeconds) -> Result<Option<Self>, Moved> {
        // No step of these is kept, and none is refused because of what it draws.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut machines: Vec<_> = app.records().iter().filter_map(|record| AnyMachine::restore(record)).collect();
        if let Ok(event) = Event::decode(event)
            && let Some(asked) = asked(&mut machines, &event)
        {
            let (before, mut taken) = (asked.record(), false);
            let (records, tickets, data) = (app.records(), app.tickets(), app.associated_data(&event));
            let is_silent = tickets.is_none();
            let tables = Tables::of(&event, records.iter().map(Vec::as_slice), tickets.unwrap_or_default());
            let mut hear = |asked: &mut AnyMachine, rng: &mut ChaCha8Rng| {
                asked.step(Input::Event(&event, &data, &tables), now, rng, &mut |_| {
                    taken = true;
                    Err(Halt::Idle)
                })
            };
            let mut outcome = hear(asked, &mut rng);
            // An app whose deadline has passed ticks, and hands the event in again.
            if let (Err(Halt::Rejected(Rejected::DeadlinePassed)), Some(mut again)) =
                (&outcome, AnyMachine::restore(&before))
                && again.step(Input::Tick, now, &mut rng, &mut |_| Ok(())).is_ok()
            {
                outcome = hear(&mut again, &mut rng);
            }
            // The app may have tickets that it does not tell of.
            taken |= is_silent && matches!(outcome, Err(Halt::Rejected(Rejected::UnknownTicket(_))));
            if outcome.is_ok() || *asked.record() != *before {
                return Err(Moved);
            }
            if taken {
                return Ok(None);
            }
        }
        Ok(Some(Self(machines.into_iter().map(|machine| Alone::of(machine, now, &mut rng)).collect())))
    }

    pub(super) fn has_moved(&self, records: &[Vec<u8>]) -> bool {
        let Self(alone) = self;
        let is_strange = |record: &Vec<u8>| !alone.iter().any(|one| one.may_be.contains(record));
        let is_there = |one: &Alone| records.iter().any(|record| one.may_be.contains(record));
        records.iter().any(is_strange) || !alone.iter().all(|one| one.may_be_missing || is_there(one))
    }
}

/// The machine that an app hands this event to. An answer that no Alice waits for may be for the pool (§7.2).
fn asked<'m>(machines: &'m mut [AnyMachine], event: &Event<'_>) -> Option<&'m mut AnyMachine> {
    let is_answer = matches!(event, Event::LineLinkIssued { .. });
    let is_asked = |machine: &AnyMachine| machine.key() == event.key();
    let place = machines.iter().position(is_asked);
    let pool = || machines.iter().position(|machine| is_answer && matches!(machine, AnyMachine::Pool(_)));
    machines.get_mut(place.or_else(pool)?)
}

impl Alone {
    fn of(mut machine: AnyMachine, now: UnixSeconds, rng: &mut ChaCha8Rng) -> Self {
        let mut may_be = vec![machine.record().to_vec()];
        for alone in [Input::ClearOutbox, Input::Tick, Input::ClearOutbox] {
            if machine.step(alone, now, rng, &mut |_| Ok(())).is_ok() {
                may_be.push(machine.record().to_vec());
            }
        }
        Self { may_be, may_be_missing: machine.may_be_deleted() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::app::{Command, Output, Outside, PowerFailed, Receipt};
    use super::super::machine::made;
    use super::*;
    use crate::{Alice, Bob, PortOptions, Seed};

    struct Stored(Vec<Vec<u8>>);

    impl App for Stored {
        fn deliver(&mut self, _: &[u8], _: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
            Ok(Receipt::Acknowledged)
        }

        fn command(&mut self, _: &Command, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
            Ok(())
        }

        fn restart(&mut self, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
            Ok(())
        }

        fn output(&mut self) -> Vec<Output> {
            vec![]
        }

        fn records(&self) -> Vec<Vec<u8>> {
            self.0.clone()
        }
    }

    const NOW: UnixSeconds = UnixSeconds::MAX;

    fn has_moved(stored: &[&AnyMachine], later: &[&AnyMachine]) -> bool {
        let [stored, later] =
            [stored, later].map(|all| all.iter().map(|one| one.record().to_vec()).collect::<Vec<_>>());
        let Ok(Some(refused)) = Refused::of(&Stored(stored), b"no event", NOW) else { panic!("it is taken") };
        refused.has_moved(&later)
    }

    /// §8.1: no record is added and none is gone.
    #[test]
    fn what_a_store_may_look_like_after_what_is_refused() {
        let port = |n| {
            let alice = made(Alice::offer([n; 16].into(), PortOptions::new(), Seed::from_bytes(&[n; 64])));
            alice.port().unwrap().clone()
        };
        let scanned = |n| AnyMachine::Bob(made(Bob::scan(port(n), Seed::from_bytes(&[9; 64]))));
        let (bob, other) = (scanned(1), scanned(2));
        assert!(!has_moved(&[&bob, &other], &[&bob, &other]));
        assert!(has_moved(&[&bob], &[&bob, &other]));
        assert!(has_moved(&[&bob, &other], &[&bob]));
    }
}
