//! Step, Write, Effects: prepare, keep in one transaction, commit (§8.1).

use core::ops::Range;

use super::Role;
use super::record::{Expected, Record, Row};
use crate::error::RestoreError;
use crate::id::{LineId, ReplayMark, TicketHash};
use crate::introducer::message::IntroducerMessage;

/// All that one step writes, **in one transaction**. There is nothing else to remember: a store that keeps every field of it, or
/// nothing, loses nothing in a crash.
///
/// In one transaction:
///
/// 1. [`row`](Write::row): if `row.expected` names a row, that row must be there, at that key and revision; remove it. Then insert
///    `row`. Its key must be free.
/// 2. [`new_line`](Write::new_line): insert it. Its key must be free.
/// 3. [`unique`](Write::unique): insert the mark into a table of unique marks.
/// 4. [`consumes`](Write::consumes): delete the row of this ticket.
/// 5. [`received`](Write::received): keep what the other end said.
///
/// If one of these fails, roll the transaction back and drop the step: nothing has happened. What to do then stands with each field.
/// A store that compares by `expected` makes this hold between processes, too.
#[must_use = "a write that is not kept loses what the step did"]
#[non_exhaustive]
#[derive(Debug)]
pub struct Write<'m> {
    /// The machine's row after the step. If the row that it expects is not there, another process moved this machine, or an old backup
    /// was restored: drop the machine and [`restore`](crate::Machine::restore) what the store has.
    pub row: Row,
    /// The row of the line that this step forms. If its key exists, the event came again, or the relay gave one `line_id` to two lines:
    /// drop the event, and send no `Disconnect`.
    pub new_line: Option<Row>,
    /// A mark that may be inserted once, ever (§8.4). If it exists, this use was taken before: do what [`OnDuplicate`] says. Keep the
    /// marks where a backup does not roll them back.
    pub unique: Option<(ReplayMark, OnDuplicate)>,
    /// The ticket whose row this step deletes (§16.4). If the row is not there, the ticket was used: hand the event in again, with
    /// [`Peers`](crate::Peers) that tell of the rows as they are.
    pub consumes: Option<TicketHash>,
    /// What the other end of a line said. The store has it before the relay may forget it: acknowledge the packet after the
    /// transaction.
    pub received: Option<Received<'m>>,
}

/// What the other end of a line said (§6.4). It lies in the buffer that `handle` was given.
#[derive(Clone, PartialEq, Eq)]
pub enum Received<'m> {
    /// A user's message.
    Message(&'m [u8]),
    /// A message about a contact port, for the other machines of this client (§16.3). What they write for it goes into the same
    /// transaction.
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

/// What to do if a step's mark exists already (§8.4). First drop the step; then do this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDuplicate {
    /// [`revoke`](crate::Alice::revoke) the Port: the record that said it was used is lost. Then hand the event in again, so that its
    /// far end is told.
    Revoke,
    /// Look for a record of this line. If there is one, the event came again: drop it. If there is none, an old proof came again: send
    /// [`Request::Disconnect`](crate::Request::Disconnect) for the line. The Port stays as it is.
    Disconnect(LineId),
}

/// What the store checks for a step beside the machine's own row.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) unique: Option<(ReplayMark, OnDuplicate)>,
    pub(crate) consumes: Option<TicketHash>,
}

/// A transition that has not happened yet (§8.1). Keep what it [writes](Step::write) in one transaction, then commit it. Drop it, and
/// nothing has happened.
///
/// [`store`](Step::store) does both, in that order:
///
/// ```
/// # use port_protocol::*;
/// # struct Store;
/// # impl Store { fn transaction(&mut self, _: &Write<'_>) -> Result<(), Failed> { Ok(()) } }
/// # #[derive(Debug)] enum Failed { Rejected(Rejected) }
/// # impl From<Rejected> for Failed { fn from(rejected: Rejected) -> Self { Self::Rejected(rejected) } }
/// # fn act(_: AliceEffect<'_>) {}
/// # fn on_event(alice: &mut Alice, event: &Event<'_>, store: &mut Store, now: UnixSeconds, rng: &mut impl rand_core::CryptoRng) -> Result<(), Failed> {
/// let step = alice.handle(event, &NoPeers, now, rng)?; // pure: nothing has moved, on Ok or on Err
/// for effect in step.store(|write| store.transaction(write))? { // kept first; now it has moved
///     act(effect); // send, show, adopt the line
/// }
/// # Ok(()) }
/// ```
///
/// An async store awaits between [`write`](Step::write) and [`commit`](Step::commit).
///
/// Effects can't be reached without the write. This holds for each machine:
///
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(step: Step<'_, Alice>) { step.commit().for_each(drop) }
/// ```
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(step: Step<'_, Bob>) { step.commit().for_each(drop) }
/// ```
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(step: Step<'_, Line>) { step.commit().for_each(drop) }
/// ```
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(step: Step<'_, Pool>) { step.commit().for_each(drop) }
/// ```
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(step: Step<'_, Introducer>) { step.commit().for_each(drop) }
/// ```
///
/// And nobody makes a write by hand:
///
/// ```compile_fail,E0639
/// # use port_protocol::*;
/// fn forge(row: Row) -> Write<'static> { Write { row, new_line: None, unique: None, consumes: None, received: None } }
/// ```
#[must_use = "a step that is not committed has not happened"]
#[derive(Debug)]
pub struct Step<'m, M: Role> {
    machine: &'m mut M,
    change: M::Change,
    /// The effect that no outbox holds.
    once: Option<M::Effect<'m>>,
    /// Which places of the outbox come after it.
    outbox: Range<u8>,
    conditions: Conditions,
}

impl<'m, M: Role> Step<'m, M> {
    /// A step after which the whole outbox is to be done.
    #[inline(always)]
    pub(crate) fn new(machine: &'m mut M, change: M::Change) -> Self {
        Self {
            machine,
            change,
            once: None,
            outbox: 0..M::OUTBOX,
            conditions: Conditions { unique: None, consumes: None },
        }
    }

    /// The same, with an effect that no outbox holds.
    #[inline(always)]
    pub(crate) fn once(self, once: impl Into<Option<M::Effect<'m>>>) -> Self {
        Self { once: once.into(), ..self }
    }

    /// Of the outbox only these places are new.
    #[inline(always)]
    pub(crate) fn outbox(self, places: Range<u8>) -> Self {
        Self { outbox: places, ..self }
    }

    #[inline(always)]
    pub(crate) fn conditions(self, conditions: Conditions) -> Self {
        Self { conditions, ..self }
    }

    /// What goes into the store, in one transaction.
    #[inline(always)]
    pub fn write(&self) -> Write<'m> {
        let mut write = self.write_without_records();
        self.records_in(&mut write);
        write
    }

    #[inline(always)]
    fn write_without_records(&self) -> Write<'m> {
        let Self { machine, change, once, conditions, .. } = self;
        let held = machine.held();
        let (key, deadline) = M::index_after(&held.state, change);
        let expected = Some(Expected { key: M::key_of(&held.state), revision: held.revision });
        Write {
            row: Row { key, revision: held.next_revision(), record: Record::EMPTY, deadline, expected },
            new_line: None,
            unique: conditions.unique,
            consumes: conditions.consumes,
            received: once.as_ref().and_then(M::received),
        }
    }

    #[inline(always)]
    fn records_in(&self, write: &mut Write<'m>) {
        M::record_after(self.machine.held(), &self.change, &mut write.row.record);
        if let Some(once) = &self.once {
            M::new_line(once, &mut write.new_line);
        }
    }

    /// Lets `keep` write all of the step in one transaction. If it succeeds, the step has happened, and its effects come back.
    ///
    /// # Errors
    /// Those of `keep`. The machine has not moved in memory, and whether the store has kept the write is open: drop the machine and
    /// [`restore`](crate::Machine::restore) what the store has.
    #[inline(always)]
    pub fn store<E>(self, keep: impl FnOnce(&Write<'m>) -> Result<(), E>) -> Result<Effects<'m, M>, E> {
        // Not by `write`, which moves what it has made: that costs as much as to make it.
        let mut write = self.write_without_records();
        self.records_in(&mut write);
        keep(&write)?;
        Ok(self.make())
    }

    /// The step has happened. **`written` must be durable by now**: after a crash the machine comes back as the store has it, and an
    /// effect that was acted on before would be done twice, or undone.
    ///
    /// A caller that owns the transaction may commit the step before the transaction, to write the effects into it as well. If the
    /// transaction fails then, drop the machine and its effects, and [`restore`](crate::Machine::restore) what the store has.
    #[inline(always)]
    pub fn commit(self, written: Write<'m>) -> Effects<'m, M> {
        // To have one is the point: a caller that has effects has held what was to be kept.
        let _ = &written;
        self.make()
    }

    #[inline(always)]
    fn make(self) -> Effects<'m, M> {
        let held = self.machine.held_mut();
        held.revision = held.next_revision();
        if !M::apply_in_place(&mut held.state, &self.change) {
            M::apply(&mut held.state, self.change);
        }
        Effects { machine: self.machine, once: self.once, outbox: self.outbox }
    }
}

/// What a step asks the caller to do, in order: first what no outbox holds, then the outbox.
#[must_use = "effects are not done by themselves"]
#[derive(Debug)]
pub struct Effects<'m, M: Role> {
    machine: &'m M,
    once: Option<M::Effect<'m>>,
    outbox: Range<u8>,
}

impl<'m, M: Role> Effects<'m, M> {
    /// The whole outbox.
    pub(super) const fn pending(machine: &'m M) -> Self {
        Self { machine, once: None, outbox: 0..M::OUTBOX }
    }
}

impl<'m, M: Role> Iterator for Effects<'m, M> {
    type Item = M::Effect<'m>;

    #[inline]
    fn next(&mut self) -> Option<M::Effect<'m>> {
        if self.once.is_some() {
            return self.once.take();
        }
        self.outbox.find_map(|place| self.machine.outbox(place))
    }
}

/// A machine that was made and is not kept yet (§8.1). Keep what it [writes](Created::write), then commit it.
///
/// ```
/// # use port_protocol::*;
/// # struct Store;
/// # impl Store { fn transaction(&mut self, _: &Write<'_>) -> Result<(), std::io::Error> { Ok(()) } }
/// # fn make(store: &mut Store, seed: Seed) -> Result<(), std::io::Error> {
/// let alice = Alice::request(PortOptions::new(), seed).store(|write| store.transaction(write))?;
/// alice.pending().for_each(|effect| println!("{effect:?}")); // its first effects
/// # Ok(()) }
/// ```
///
/// ```compile_fail,E0061
/// # use port_protocol::*;
/// fn skip(created: Created<Alice>) -> Alice { created.commit() }
/// ```
#[must_use = "a machine that is not committed does not exist"]
#[derive(Debug)]
pub struct Created<M>(M);

impl<M: Role> Created<M> {
    pub(crate) fn new(state: M::State) -> Self {
        Self(M::first(state))
    }

    /// What goes into the store. If the row's key exists, never overwrite it: drop this machine.
    pub fn write(&self) -> Write<'static> {
        let mut write = self.write_without_record();
        M::record_in(self.0.held(), &mut write.row);
        write
    }

    #[inline(always)]
    fn write_without_record(&self) -> Write<'static> {
        Write { row: M::row(self.0.held()), new_line: None, unique: None, consumes: None, received: None }
    }

    /// Lets `keep` write the new row. If it succeeds, the machine comes back, and its first effects are
    /// [`pending`](crate::Machine::pending).
    ///
    /// # Errors
    /// Those of `keep`. Nothing else has happened.
    pub fn store<E>(self, keep: impl FnOnce(&Write<'static>) -> Result<(), E>) -> Result<M, E> {
        let mut write = self.write_without_record();
        M::record_in(self.0.held(), &mut write.row);
        keep(&write)?;
        Ok(self.0)
    }

    /// The machine. **`written` must be durable by now.** Its first effects are [`pending`](crate::Machine::pending).
    pub fn commit(self, written: Write<'static>) -> M {
        let _ = &written;
        self.0
    }
}

/// A machine from its record.
pub(super) fn restore<M: Role>(record: &[u8]) -> Result<M, RestoreError> {
    let (revision, state) = super::record::read(M::ROLE, record)?;
    Ok(M::from_held(super::Held { revision, state }))
}
