//! Prepare, commit, settle, restore: once, for every role (§8).

pub(crate) mod peers;
pub(crate) mod record;

use core::{fmt, iter, ops};

use minicbor::{Decode, Encode};

use crate::error::RestoreError;
use crate::id::{LineId, LineLink, RecordKey, ReplayMark, TicketHash};
use crate::port::UnixSeconds;
use record::{Expected, Record, Row};

/// What a role tells of itself. Sealed, because a machine that breaks these rules breaks its caller's promises:
/// [`Alice`](crate::Alice), [`Bob`](crate::Bob), [`Line`](crate::Line), [`Pool`](crate::Pool),
/// [`Introducer`](crate::Introducer) and the app's are all there are.
pub trait Role: Sized + From<Held<Self::State>> + AsRef<Held<Self::State>> + AsMut<Held<Self::State>> {
    /// Stands in every record, so that none is restored as another's (§8.6).
    const ROLE: u8;
    /// The most things that one step asks for.
    const MOST_EFFECTS: usize = 3;
    /// All that its record holds.
    type State: fmt::Debug + Encode<()> + for<'b> Decode<'b, ()>;
    /// What a step makes other: little, where a state is much.
    type Change: fmt::Debug;
    /// What it may yield.
    type Line: Role;
    /// What goes into the same transaction beside the record.
    type Beside: Beside<Self::Line>;
    /// What a step of this role asks the caller to do.
    type Effect<'m>
    where
        Self: 'm;

    fn key_of(state: &Self::State) -> RecordKey;
    fn deadline_of(state: &Self::State) -> Option<UnixSeconds>;
    /// `None` if it is over already.
    fn after_deadline(state: &Self::State) -> Option<Self::Change>;
    /// `None` if there is nothing to settle.
    fn after_settling(state: &Self::State) -> Option<Self::Change>;
    fn key_after(state: &Self::State, change: &Self::Change) -> RecordKey;
    fn record_after(revision: u64, state: &Self::State, change: &Self::Change) -> Record;
    fn change(state: &mut Self::State, change: Self::Change);
    /// The effect in one of [`MOST_EFFECTS`](Self::MOST_EFFECTS) places. Without its outbox a machine is asked for the second only.
    fn effect<'m>(&'m self, emit: Emit<'m>, place: usize, beside: &mut Self::Beside) -> Option<Self::Effect<'m>>;
}

/// What goes into the same transaction beside a record: nothing, of most roles.
pub trait Beside<L>: fmt::Debug + Default {
    fn once(&self) -> Option<Once> {
        None
    }

    fn strikes(&self) -> Option<TicketHash> {
        None
    }

    fn line(&self) -> Option<&Created<L>> {
        None
    }
}

/// Nothing goes beside the record.
#[derive(Default, Debug)]
pub struct Nothing;

impl<L> Beside<L> for Nothing {}

impl<L: fmt::Debug> Beside<L> for Option<Created<L>> {
    fn line(&self) -> Option<&Created<L>> {
        self.as_ref()
    }
}

/// What a step emits: a view of the outbox (§8.1), and what it lends from the caller's buffer.
#[derive(Clone, Copy)]
pub enum Emit<'m> {
    Outbox,
    /// All but its last place: the Port stands there, and was shown before.
    Rest,
    /// A packet that was sealed.
    Sealed(&'m [u8]),
    /// A message that was opened.
    Opened(&'m [u8]),
    /// The same, and the outbox goes with it.
    OutboxAndOpened(&'m [u8]),
    /// An introduction that was opened.
    Told(&'m [u8]),
    /// The same, and the outbox goes with it.
    OutboxAndTold(&'m [u8]),
    /// Packets were lost on their way.
    Dropped,
    /// A line that is not taken.
    Refused(LineId),
    /// A line link that was taken out of a pool, and how many requests for others are new.
    Handed {
        line_link: LineLink,
        asked: u8,
    },
    Nothing,
}

impl fmt::Debug for Emit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emit(..)")
    }
}

impl Emit<'_> {
    /// Of this many places. What is lent has the second; the others are the outbox's.
    const fn places(self, most: usize) -> ops::Range<usize> {
        match self {
            Self::Outbox | Self::OutboxAndOpened(_) | Self::OutboxAndTold(_) | Self::Handed { .. } => 0..most,
            Self::Rest => 0..most.saturating_sub(1),
            _ => 1..2,
        }
    }
}

/// What a role has around its state.
macro_rules! impl_machine {
    // One of any dialect: it is shown by the name that users know.
    ($machine:ident, $name:literal, $state:ty) => {
        impl<D: Dialect> From<Held<$state>> for $machine<D> {
            fn from(held: Held<$state>) -> Self {
                Self(held, core::marker::PhantomData)
            }
        }

        impl<D: Dialect> AsRef<Held<$state>> for $machine<D> {
            fn as_ref(&self) -> &Held<$state> {
                &self.0
            }
        }

        impl<D: Dialect> AsMut<Held<$state>> for $machine<D> {
            fn as_mut(&mut self) -> &mut Held<$state> {
                &mut self.0
            }
        }

        impl<D: Dialect> fmt::Debug for $machine<D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple($name).field(&self.0).finish()
            }
        }
    };
    ($machine:ident) => {
        impl From<Held<State>> for $machine {
            fn from(held: Held<State>) -> Self {
                Self(held)
            }
        }

        impl AsRef<Held<State>> for $machine {
            fn as_ref(&self) -> &Held<State> {
                &self.0
            }
        }

        impl AsMut<Held<State>> for $machine {
            fn as_mut(&mut self) -> &mut Held<State> {
                &mut self.0
            }
        }
    };
}
pub(crate) use impl_machine;

/// Of a role whose steps each make a whole next state.
macro_rules! whole_state {
    () => {
        whole_state!(State);
    };
    ($state:ty) => {
        type Change = $state;

        fn key_after(_: &$state, next: &$state) -> RecordKey {
            Self::key_of(next)
        }

        fn record_after(revision: u64, _: &$state, next: &$state) -> $crate::machine::record::Record {
            $crate::machine::record::Record::of::<Self>(revision, next)
        }

        #[inline(always)]
        fn change(state: &mut $state, next: $state) {
            *state = next;
        }
    };
}
pub(crate) use whole_state;

/// A state, and how often it was replaced.
#[derive(Debug)]
pub struct Held<S> {
    pub(crate) revision: u64,
    pub(crate) state: S,
}

/// What [`Alice`](crate::Alice), [`Bob`](crate::Bob), [`Line`](crate::Line), [`Pool`](crate::Pool) and
/// [`Introducer`](crate::Introducer) have in common (§8).
///
/// Everything a caller does with a machine is three lines, and the types force their order:
///
/// ```
/// # use port_protocol::{Alice, AliceEffect, Machine, PortOptions, Request, Event, Seed, Rejected, UnixSeconds};
/// # fn put(_: &port_protocol::Row) {}
/// # fn act(_: AliceEffect) {}
/// # let mut alice = Alice::request(PortOptions::new(), Seed::from_bytes(&[7; 64])).commit();
/// # let event = Event::LineLinkIssued { request_id: [7; 16].into(), line_link: [1; 16].into() };
/// # let now = UnixSeconds(0);
/// let step = alice.handle(&event, now)?; //         pure: nothing has moved, on Ok or on Err
/// for row in step.rows() { put(&row) } //           keep the new state first, in one transaction
/// for effect in step.commit() { act(effect) } //    now it has moved: send, show, connect
/// # Ok::<(), Rejected>(())
/// ```
///
/// Dropping a step means that nothing happened. After an error from the store, drop the machine as well, and
/// [`restore`](Machine::restore) what the store has: whether it kept the record is open.
pub trait Machine: Role {
    /// Where this machine's record is kept (§8.2).
    fn key(&self) -> RecordKey {
        Self::key_of(&self.as_ref().state)
    }

    /// How many steps it has made.
    fn revision(&self) -> u64 {
        self.as_ref().revision
    }

    /// Its whole state, outbox included (§8.6).
    fn record(&self) -> Record {
        let Held { revision, state } = self.as_ref();
        Record::of::<Self>(*revision, state)
    }

    /// A machine as it was when this record was made.
    ///
    /// # Errors
    /// [`RestoreError`]: what to do stands with each.
    fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        let (revision, state) = record::read::<Self>(record)?;
        Ok(Held { revision, state }.into())
    }

    /// What is not settled: the very effects that the committed steps gave, byte for byte, but for those that
    /// [`commit`](Step::commit) gives once (§8.1). Do it after a restore,
    /// and whenever the connection to the relay comes back; all of it is safe to repeat.
    fn pending(&self) -> Effects<'_, Self> {
        Effects::new(self, Emit::Outbox, Self::Beside::default())
    }

    /// Empties the outbox; `None` if there is nothing to empty. What only the other side can answer (a request, a proof, a
    /// `Confirm`) stays until it does.
    ///
    /// **Only once everything in it was done for good**: a request handed over to the relay, not just queued in memory. What is
    /// settled is forgotten; so after a restore, [`pending`](Machine::pending) comes first.
    fn clear_outbox(&mut self) -> Option<Step<'_, Self>> {
        let change = Self::after_settling(&self.as_ref().state)?;
        Some(Step::new(self, change, Emit::Nothing))
    }

    /// When to call [`tick`](Machine::tick); `None`: never.
    fn deadline(&self) -> Option<UnixSeconds> {
        Self::deadline_of(&self.as_ref().state)
    }

    /// Does what is due at the deadline; `None` if it has not come.
    fn tick(&mut self, now: UnixSeconds) -> Option<Step<'_, Self>> {
        if now < self.deadline()? {
            return None;
        }
        let change = Self::after_deadline(&self.as_ref().state)?;
        Some(Step::new(self, change, Emit::Outbox))
    }
}

impl<M: Role> Machine for M {}

/// A machine that has not been stored yet (§8.1): its record first, then [`commit`](Created::commit).
#[must_use = "a machine that is not committed was never born"]
#[derive(Debug)]
pub struct Created<M>(M);

impl<M: Machine> Created<M> {
    pub(crate) fn new(state: M::State) -> Self {
        Self(Held { revision: 0, state }.into())
    }

    /// Where to insert the record. If something is there already, never overwrite it.
    pub fn key(&self) -> RecordKey {
        self.0.key()
    }

    /// The record.
    pub fn record(&self) -> Record {
        self.0.record()
    }

    /// What is to be written. It takes no record's place: its key must be free.
    pub fn row(&self) -> Row {
        Row { key: self.key(), revision: self.revision(), record: self.record(), replaces: None }
    }

    /// 0.
    pub fn revision(&self) -> u64 {
        self.0.revision()
    }

    /// The machine. Its first effects are in [`pending`](Machine::pending).
    pub fn commit(self) -> M {
        self.0
    }
}

/// A transition that has not happened yet (§8.1). Keep its [`rows`](Step::rows), with [`once`](Step::once) and
/// [`strikes`](Step::strikes), in one transaction, then [`commit`](Step::commit); or drop it, and nothing has happened.
#[must_use = "a step that is not committed has not happened"]
#[derive(Debug)]
pub struct Step<'m, M: Machine> {
    machine: &'m mut M,
    change: M::Change,
    emit: Emit<'m>,
    beside: M::Beside,
}

/// A mark, and what is to be done if it is there already.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    pub(crate) mark: ReplayMark,
    pub(crate) taken: OnDuplicate,
}

/// What to do if a step's mark is there already (§8.4): its use was taken before. Drop the step, and:
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDuplicate {
    /// Revoke the Port, for the record that said so was lost; then hand the event in again, so that its far end is told.
    Revoke,
    /// If there is a record of this line, the event came again: drop it. If there is none, it is an old proof come again: send
    /// [`Request::Disconnect`](crate::Request::Disconnect) for the line. The Port stays as it is.
    Disconnect(LineId),
}

impl<'m, M: Machine> Step<'m, M> {
    #[inline]
    pub(crate) fn new(machine: &'m mut M, change: M::Change, emit: Emit<'m>) -> Self {
        Self::with(machine, change, emit, M::Beside::default())
    }

    #[inline]
    pub(crate) const fn with(machine: &'m mut M, change: M::Change, emit: Emit<'m>, beside: M::Beside) -> Self {
        Self { machine, change, emit, beside }
    }

    /// All that is to be written in one transaction: the new record, and that of a new line. A store that takes every one of them
    /// has forgotten nothing but [`once`](Step::once) and [`strikes`](Step::strikes).
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let own = Row { key: self.key(), revision: self.revision(), record: self.record(), replaces: self.replaces() };
        iter::once(own).chain(self.line().map(Created::row))
    }

    /// Where the new record is kept.
    pub fn key(&self) -> RecordKey {
        M::key_after(&self.machine.as_ref().state, &self.change)
    }

    /// The new record: the whole next state with its outbox. A new [`line`](Step::line) is not in it.
    pub fn record(&self) -> Record {
        M::record_after(self.revision(), &self.machine.as_ref().state, &self.change)
    }

    /// The new record's revision.
    pub fn revision(&self) -> u64 {
        self.machine.revision().saturating_add(1)
    }

    /// The record that this one takes the place of (§8.2). In one transaction: it must be there, at that key and
    /// revision; remove it; insert the new one, whose key must be free. Otherwise drop the step: somebody else moved
    /// this machine, or an old backup was restored.
    pub fn replaces(&self) -> Option<Expected> {
        Some(Expected { key: self.machine.key(), revision: self.machine.revision() })
    }

    /// A mark to insert as *unique* in the same transaction (§8.4). If it is there already, drop the step: this use was taken
    /// before. What to do then is [`taken`](Step::taken).
    pub fn once(&self) -> Option<ReplayMark> {
        self.beside.once().map(|once| once.mark)
    }

    /// What to do if the mark is there already.
    pub fn taken(&self) -> Option<OnDuplicate> {
        self.beside.once().map(|once| once.taken)
    }

    /// The ticket whose row is to be deleted in the same transaction (§16.4). If it is not there, drop the step, and hand the event
    /// in again with the rows as they are: the ticket was used.
    pub fn strikes(&self) -> Option<TicketHash> {
        self.beside.strikes()
    }

    /// A new line (§8.3): its record is to be inserted at its key, which must be free, in the same transaction: a crash between two
    /// would lose the line, or leave it beside a Port that is not used up. If the key is taken, drop the step and the event, and send
    /// no `Disconnect`: the event came again, or the relay has given one `line_id` to two lines.
    ///
    /// The machine comes with the effect `LineFormed`, once. What you want to know of it later, note in this transaction too: after a
    /// crash no effect tells of it, and what it has to say is in its own [`pending`](Machine::pending).
    pub fn line(&self) -> Option<&Created<M::Line>> {
        self.beside.line()
    }

    /// Now it has happened, in memory: what the caller has to do comes back, in order.
    ///
    /// The outbox brings it back after a crash, but for a new line, which is in the store by then; for a link that was taken out of a
    /// pool (§15.4); for what only the caller's buffer holds, a message that was opened, a packet that was sealed; and for a
    /// [`Dropped`](crate::LineEffect::PacketsLost). So that a crash loses no message, keep it in the same transaction: put the record, commit
    /// the step, keep the text, commit the transaction; acknowledge to the relay last.
    #[inline]
    pub fn commit(self) -> Effects<'m, M> {
        let revision = self.revision();
        let held = self.machine.as_mut();
        held.revision = revision;
        M::change(&mut held.state, self.change);
        Effects::new(self.machine, self.emit, self.beside)
    }
}

/// What a step asks for, in order: a view of the machine's outbox.
#[must_use = "effects are not done by themselves"]
#[derive(Debug)]
pub struct Effects<'m, M: Role> {
    machine: &'m M,
    emit: Emit<'m>,
    places: ops::Range<usize>,
    beside: M::Beside,
}

impl<'m, M: Role> Effects<'m, M> {
    const fn new(machine: &'m M, emit: Emit<'m>, beside: M::Beside) -> Self {
        Self { machine, emit, places: emit.places(M::MOST_EFFECTS), beside }
    }
}

impl<'m, M: Machine> Iterator for Effects<'m, M> {
    type Item = M::Effect<'m>;

    fn next(&mut self) -> Option<M::Effect<'m>> {
        let Self { machine, emit, places, beside } = self;
        places.find_map(|place| machine.effect(*emit, place, beside))
    }
}
