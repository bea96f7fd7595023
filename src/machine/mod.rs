//! Machine: what all five have in common, prepare, write, commit, restore (§8).

pub(crate) mod peers;
pub(crate) mod record;
pub(crate) mod step;

use core::fmt;

use minicbor::{Decode, Encode};

use crate::error::RestoreError;
use crate::id::RecordKey;
use crate::port::UnixSeconds;
use record::{Record, Row};
use step::{Effects, Received, Step};

/// What a role tells of itself. It is sealed, because a machine that breaks these rules breaks its caller's promises.
pub trait Role: Sized {
    /// Stands in every record, so that no record is restored as another role's (§8.6).
    const ROLE: u8;
    /// How many places the outbox has.
    const OUTBOX: u8;
    /// All that a record holds.
    type State: fmt::Debug + Encode<()> + for<'b> Decode<'b, ()>;
    /// The difference a step makes. Usually the whole next state; for a Line only its counters, because copying all of it for each
    /// message is slow.
    type Change: fmt::Debug;
    /// What a step asks the caller to do.
    type Effect<'m>: fmt::Debug
    where
        Self: 'm;

    fn held(&self) -> &Held<Self::State>;
    fn held_mut(&mut self) -> &mut Held<Self::State>;
    fn from_held(held: Held<Self::State>) -> Self;

    fn key_of(state: &Self::State) -> RecordKey;
    fn deadline_of(state: &Self::State) -> Option<UnixSeconds>;
    /// What the deadline changes. `None` if there is nothing to end.
    fn at_deadline(state: &Self::State) -> Option<Self::Change>;
    /// What it changes that the outbox was done. `None` if only the other side can empty it.
    fn without_outbox(state: &Self::State) -> Option<Self::Change>;
    fn apply(state: &mut Self::State, change: Self::Change);
    /// Makes a change that is small, without moving it. False if it is not small: then nothing has changed.
    #[inline(always)]
    fn apply_in_place(_: &mut Self::State, _: &Self::Change) -> bool {
        false
    }
    /// The key and the deadline of the next state.
    fn index_after(state: &Self::State, change: &Self::Change) -> (RecordKey, Option<UnixSeconds>);
    /// Writes the record of the next state in place, because to move a record costs more than to write it.
    fn record_after(held: &Held<Self::State>, change: &Self::Change, record: &mut Record);

    /// The effect in one place of the outbox: a function of the state alone, so that the same bytes come again after a crash.
    fn outbox(&self, place: u8) -> Option<Self::Effect<'_>>;

    /// Puts the row of the line that this effect hands over in its place.
    #[inline]
    fn new_line(_: &Self::Effect<'_>, _: &mut Option<Row>) {}

    /// What this effect tells that must not be lost.
    fn received<'m>(_: &Self::Effect<'m>) -> Option<Received<'m>>
    where
        Self: 'm,
    {
        None
    }

    fn first(state: Self::State) -> Self {
        Self::from_held(Held { revision: 0, state })
    }

    /// The row of a machine that was just made, before its [record](Self::record_in).
    #[inline(always)]
    fn row(held: &Held<Self::State>) -> Row {
        let Held { revision, state } = held;
        let (key, deadline) = (Self::key_of(state), Self::deadline_of(state));
        Row { key, revision: *revision, record: Record::EMPTY, deadline, expected: None }
    }

    /// Writes the record of a machine that was just made, in place.
    fn record_in(held: &Held<Self::State>, row: &mut Row) {
        row.record.write(Self::ROLE, held.revision, &held.state);
    }
}

/// A state, and how often it was replaced.
#[derive(Debug)]
pub struct Held<S> {
    pub(crate) revision: u64,
    pub(crate) state: S,
}

impl<S> Held<S> {
    pub(crate) const fn next_revision(&self) -> u64 {
        self.revision.saturating_add(1)
    }
}

/// What a machine says of its state by the state's own methods; and, for a role whose steps make a whole next state, how.
macro_rules! impl_machine {
    (state: $state:ty) => {
        type State = $state;

        fn held(&self) -> &$crate::machine::Held<$state> {
            &self.0
        }

        fn held_mut(&mut self) -> &mut $crate::machine::Held<$state> {
            &mut self.0
        }

        fn key_of(state: &$state) -> $crate::id::RecordKey {
            state.key()
        }

        fn deadline_of(state: &$state) -> Option<$crate::port::UnixSeconds> {
            state.deadline()
        }

        fn at_deadline(state: &$state) -> Option<Self::Change> {
            state.at_deadline()
        }

        fn without_outbox(state: &$state) -> Option<Self::Change> {
            state.without_outbox()
        }
    };
    (whole next state: $state:ty) => {
        type Change = $state;

        fn index_after(_: &$state, next: &$state) -> ($crate::id::RecordKey, Option<$crate::port::UnixSeconds>) {
            (next.key(), next.deadline())
        }

        fn record_after(
            held: &$crate::machine::Held<$state>,
            next: &$state,
            record: &mut $crate::machine::record::Record,
        ) {
            record.write(Self::ROLE, held.next_revision(), next);
        }

        #[inline(always)]
        fn apply(state: &mut $state, next: $state) {
            *state = next;
        }
    };
}
pub(crate) use impl_machine;

/// What [`Alice`](crate::Alice), [`Bob`](crate::Bob), [`Line`](crate::Line), [`Pool`](crate::Pool) and
/// [`Introducer`](crate::Introducer) have in common (§8).
///
/// A caller does three things with a machine, and the types force their order: prepare a [`Step`], keep what it
/// [writes](Step::write), act on its effects. [`Step::store`] shows them. A step that is dropped has not happened.
pub trait Machine: Role {
    /// The primary key of this machine's row (§8.2).
    fn key(&self) -> RecordKey {
        Self::key_of(&self.held().state)
    }

    /// How many steps this machine has made.
    fn revision(&self) -> u64 {
        self.held().revision
    }

    /// The whole state, with the outbox (§8.6).
    fn record(&self) -> Record {
        let Held { revision, state } = self.held();
        Record::new(Self::ROLE, *revision, state)
    }

    /// The machine that wrote this record.
    ///
    /// # Errors
    /// [`RestoreError`]: what to do stands with each.
    fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        step::restore(record)
    }

    /// The outbox: what committed steps asked for and nobody has answered, byte for byte as before (§8.1). Do it after a restore, and
    /// whenever the connection to the relay comes back. All of it is safe to repeat.
    fn pending(&self) -> Effects<'_, Self> {
        Effects::pending(self)
    }

    /// Empties the outbox; `None` if nothing in it can be emptied. What only the other side can answer stays until it does: a request, a
    /// proof, a `Confirm`.
    ///
    /// **Only once everything in it was done for good**: a request was handed over to the relay, not just queued in memory. What is
    /// cleared is forgotten. After a restore, do what is [`pending`](Machine::pending) first.
    fn clear_outbox(&mut self) -> Option<Step<'_, Self>> {
        let change = Self::without_outbox(&self.held().state)?;
        Some(Step::new(self, change).outbox(0..0))
    }

    /// When to call [`tick`](Machine::tick). `None`: never.
    fn deadline(&self) -> Option<UnixSeconds> {
        Self::deadline_of(&self.held().state)
    }

    /// Does what is due at the deadline. `None` if the deadline has not come.
    fn tick(&mut self, now: UnixSeconds) -> Option<Step<'_, Self>> {
        if now < self.deadline()? {
            return None;
        }
        let change = Self::at_deadline(&self.held().state)?;
        Some(Step::new(self, change))
    }
}

impl<M: Role> Machine for M {}
