//! Step, Write, Effects: prepare, keep in one transaction, commit (§8.1).

use core::ops::Range;

use super::record::{self, Expected, Record, Row};
use super::role::{Held, Received, Role};
use crate::error::RestoreError;
use crate::id::{LineId, ReplayMark, TicketHash};
use crate::secret;

/// All that one step writes. **Store all of it in one transaction, or none of it.** Then a crash loses nothing.
///
/// The transaction does this:
///
/// 1. If [`row.expected`](Row::expected) is set: check that the old row is there with that revision, and remove it.
/// 2. Insert [`row`](Write::row). Fail if a row with its key exists.
/// 3. Insert [`new_line`](Write::new_line). Fail if a row with its key exists.
/// 4. Insert the mark of [`unique`](Write::unique) into a table of marks. Fail if the mark exists.
/// 5. Delete the row of the ticket in [`consumes`](Write::consumes). Fail if it is not there.
/// 6. Insert what was [`received`](Write::received) into your table of messages.
///
/// Your own rows may go into the same transaction: a name for the new line, for instance. If one of the checks fails, roll back. The
/// machine is unchanged then, and the docs of that field say what to do. If several fail, do what the first of them in this list says.
#[must_use = "a write that is not kept loses what the step did"]
#[non_exhaustive]
#[derive(Debug)]
pub struct Write<'m> {
    /// The machine's new row. If the check of `expected` fails, another process has changed this machine, or an old backup was restored:
    /// drop the machine, and [`restore`](crate::Machine::restore) what the store has. If the insert fails, the relay gave one link to two
    /// Ports: ignore the event.
    pub row: Row,
    /// The row of the line that this step forms. If its key exists, the event came a second time, or the relay gave one `line_id` to two
    /// lines: ignore the event, and send no `Disconnect`.
    pub new_line: Option<Row>,
    /// A mark that may be inserted once, ever (§8.4). If it exists, this use of the Port was handled before: do what [`OnDuplicate`] says.
    /// Never replace the table of marks by an older copy from a backup: that would bring a used Port back.
    pub unique: Option<(ReplayMark, OnDuplicate)>,
    /// The ticket that this step uses up (§16.4). If its row is not there, the ticket was used before: call `handle` again with the same
    /// event. Your [`Peers`](crate::Peers) must answer from the current rows then.
    pub consumes: Option<TicketHash>,
    /// What the other end of a line said. Acknowledge the event to the relay only after the transaction: the relay deletes it then.
    pub received: Option<Received<'m>>,
}

/// What to do if the mark of a step exists already (§8.4). The transaction was rolled back, and the machine is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDuplicate {
    /// The store lost the record of a use. [`revoke`](crate::Alice::revoke) the Port. Then call `handle` with the same event again. It
    /// returns [`Rejected::UnwantedLine`](crate::Rejected::UnwantedLine), which says how to tell the other user that there is no line.
    Revoke,
    /// Look for a row of this line. If there is one, the event came a second time: ignore it. If there is none, somebody replayed an old
    /// proof: send [`Request::Disconnect`](crate::Request::Disconnect) for the line. The Port goes on in either case.
    Disconnect(LineId),
}

/// What the store checks for a step beside the machine's own row.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) unique: Option<(ReplayMark, OnDuplicate)>,
    pub(crate) consumes: Option<TicketHash>,
}

/// The next step of a machine, prepared (§8.1). The machine is unchanged until the step is committed. If you drop the step, it stays so.
///
/// [`store`](Step::store) calls your closure to store the write, and then commits the step:
///
/// ```
/// # use port_protocol::*;
/// # struct Store;
/// # impl Store { fn transaction(&mut self, _: &Write<'_>) -> Result<(), Failed> { Ok(()) } }
/// # #[derive(Debug)] enum Failed { Rejected(Rejected) }
/// # impl From<Rejected> for Failed { fn from(rejected: Rejected) -> Self { Self::Rejected(rejected) } }
/// # fn act(_: AliceEffect<'_>) {}
/// # fn on_event(alice: &mut Alice, event: &Event<'_>, store: &mut Store, now: UnixSeconds, rng: &mut impl rand_core::CryptoRng) -> Result<(), Failed> {
/// let step = alice.handle(event, &NoPeers, now, rng)?; // the machine is unchanged, on Ok and on Err
/// for effect in step.store(|write| store.transaction(write))? { // first it is stored; now the machine has changed
///     act(effect); // send a request, show the Port, use the line
/// }
/// # Ok(()) }
/// ```
///
/// With an async store, call [`write`](Step::write), await your transaction, then call [`commit`](Step::commit).
///
/// A step gives its effects only in exchange for a write. This holds for each machine:
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
/// You can't build a `Write` yourself:
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

    /// What to store, in one transaction.
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

    /// Calls `keep` with the write. If `keep` returns `Ok`, commits the step and returns its effects.
    ///
    /// # Errors
    /// The error of `keep`. The machine is unchanged. If the transaction was rolled back, you may keep using the machine. If you can't tell,
    /// drop the machine and [`restore`](crate::Machine::restore) what the store has.
    #[inline(always)]
    pub fn store<E>(self, keep: impl FnOnce(&Write<'m>) -> Result<(), E>) -> Result<Effects<'m, M>, E> {
        // Not by `write`, which moves what it has made: that costs as much as to make it.
        let mut write = self.write_without_records();
        self.records_in(&mut write);
        keep(&write)?;
        Ok(self.make())
    }

    /// Changes the machine, and returns the effects. **Do no effect before `written` is durable.** If you did one earlier and crashed, the
    /// restored machine would not know of it.
    ///
    /// `written` must be the write of this step.
    ///
    /// You may call this before your transaction ends, if you only store the effects in that transaction, and do them after it. If the
    /// transaction fails, drop the effects and the machine, and [`restore`](crate::Machine::restore) what the store has.
    #[inline(always)]
    pub fn commit(self, written: Write<'m>) -> Effects<'m, M> {
        // To ask for it is the point: effects come only to a caller that has held the write.
        let _ = &written;
        self.make()
    }

    #[inline(always)]
    fn make(self) -> Effects<'m, M> {
        let held = self.machine.held_mut();
        held.revision = held.next_revision();
        if !M::apply_in_place(&mut held.state, &self.change) {
            M::apply(&mut held.state, self.change);
            // A step that moves only counters moves no key, and messages are many.
            secret::wipe_stack();
        }
        Effects { machine: self.machine, once: self.once, outbox: self.outbox }
    }
}

/// What a step asks the caller to do, in order. First the effect that comes only once: a message, a new line. Then those that the outbox
/// repeats after a crash.
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

/// A new machine that is not stored yet (§8.1).
///
/// ```
/// # use port_protocol::*;
/// # struct Store;
/// # impl Store { fn transaction(&mut self, _: &Write<'_>) -> Result<(), std::io::Error> { Ok(()) } }
/// # fn make(store: &mut Store, seed: Seed) -> Result<(), std::io::Error> {
/// let alice = Alice::request(PortOptions::new(), seed).store(|write| store.transaction(write))?;
/// alice.pending().for_each(|effect| println!("{effect:?}")); // its first effect: ask the relay for a line link
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

    /// What to store. If a row with this key exists, keep that row, and drop the new machine.
    pub fn write(&self) -> Write<'static> {
        let mut write = self.write_without_record();
        M::record_in(self.0.held(), &mut write.row);
        write
    }

    #[inline(always)]
    fn write_without_record(&self) -> Write<'static> {
        Write { row: M::row(self.0.held()), new_line: None, unique: None, consumes: None, received: None }
    }

    /// Calls `keep` with the write. If `keep` returns `Ok`, returns the machine. Its first effects are
    /// [`pending`](crate::Machine::pending).
    ///
    /// # Errors
    /// The error of `keep`. There is no machine. If you can't tell whether the row was stored, look for its key.
    pub fn store<E>(self, keep: impl FnOnce(&Write<'static>) -> Result<(), E>) -> Result<M, E> {
        let mut write = self.write_without_record();
        M::record_in(self.0.held(), &mut write.row);
        keep(&write)?;
        secret::wipe_stack();
        Ok(self.0)
    }

    /// Returns the machine. Its first effects are [`pending`](crate::Machine::pending). **Do none of them before `written` is durable.**
    pub fn commit(self, written: Write<'static>) -> M {
        let _ = &written;
        secret::wipe_stack();
        self.0
    }
}

/// Loads a machine from its record.
pub(super) fn restore<M: Role>(record: &[u8]) -> Result<M, RestoreError> {
    let (revision, state) = record::read(M::ROLE, record)?;
    Ok(M::from_held(Held { revision, state }))
}
