//! Machine: what all five have in common, prepare, write, commit, restore (§8).

pub(crate) mod peers;
pub(crate) mod record;
pub(crate) mod role;
pub(crate) mod step;

use crate::error::RestoreError;
use crate::id::RecordKey;
use crate::time::UnixSeconds;
use record::Record;
pub(crate) use role::{Held, Role, impl_machine};
use step::{Effects, Step};

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
