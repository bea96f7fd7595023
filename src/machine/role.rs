//! Role: what each of the five tells its machine of its state (§8).

use core::fmt;

use minicbor::{Decode, Encode};

use super::record::{Record, Row};
use crate::id::RecordKey;
use crate::introducer::message::IntroducerMessage;
use crate::time::UnixSeconds;

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
    /// Whether [`at_deadline`](Self::at_deadline) is to be asked.
    fn is_due(state: &Self::State, now: UnixSeconds) -> bool {
        Self::deadline_of(state).is_some_and(|deadline| now >= deadline)
    }
    /// What the deadline changes. `None` if there is nothing to end.
    fn at_deadline(state: &Self::State, now: UnixSeconds) -> Option<Self::Change>;
    /// The change once the outbox was done. `None` if only the other side can empty it.
    fn without_outbox(state: &Self::State) -> Option<Self::Change>;
    /// Makes a change that [`apply_in_place`](Self::apply_in_place) does not make.
    fn apply(state: &mut Self::State, change: Self::Change);
    /// Makes a small change without moving it. False if it is not small: then the state is as before.
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

    /// What this effect received from the other end. It must not be lost.
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

/// What a machine tells of its state by the state's own methods. For a role whose steps make a whole next state, also how a step changes it.
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

        fn deadline_of(state: &$state) -> Option<$crate::time::UnixSeconds> {
            state.deadline()
        }

        fn at_deadline(state: &$state, now: $crate::time::UnixSeconds) -> Option<Self::Change> {
            state.at_deadline(now)
        }

        fn without_outbox(state: &$state) -> Option<Self::Change> {
            state.without_outbox()
        }
    };
    (whole next state: $state:ty) => {
        type Change = $state;

        fn index_after(_: &$state, next: &$state) -> ($crate::id::RecordKey, Option<$crate::time::UnixSeconds>) {
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

/// What the other end of a line said (§6.4). The bytes are in the buffer that `handle` was given.
#[derive(Clone, PartialEq, Eq)]
pub enum Received<'m> {
    /// A message of the other user.
    Message(&'m [u8]),
    /// A message between Alice and its introducer (§16.3). Handle it in the same transaction. `Grant` goes to
    /// [`Introducer::granted`](crate::Introducer::granted) and `Withdrawn` to [`Introducer::handle`](crate::Introducer::handle): store what
    /// they write, too. `Ticket` goes to [`Alice::accept_ticket`](crate::Alice::accept_ticket): on `Ok`, insert the notice.
    Introducer(IntroducerMessage<'m>),
}

impl core::fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            // What people say to each other stays out of logs.
            Self::Message(text) => write!(f, "Message([{} bytes])", text.len()),
            Self::Introducer(message) => f.debug_tuple("Introducer").field(message).finish(),
        }
    }
}
