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
/// A caller does three things, and the types force their order. It prepares a [`Step`]. It stores what the step
/// [writes](Step::write). Then it does what the step asks for: the step's effects. [`Step`] has an example. If you drop a step, the
/// machine is unchanged.
pub trait Machine: Role {
    /// The primary key of this machine's row (§8.2).
    fn key(&self) -> RecordKey {
        Self::key_of(&self.held().state)
    }

    /// How many steps this machine has made.
    fn revision(&self) -> u64 {
        self.held().revision
    }

    /// The bytes to store: the state and the outbox (§8.6).
    fn record(&self) -> Record {
        let Held { revision, state } = self.held();
        Record::new(Self::ROLE, *revision, state)
    }

    /// Loads a machine from its record.
    ///
    /// # Errors
    /// [`RestoreError`]: each variant says what to do.
    fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        step::restore(record)
    }

    /// The outbox: the effects that are not done or not answered yet, with the same bytes as the first time (§8.1). Do them after a
    /// restore, and after each reconnect to the relay. They are safe to repeat. For an Alice on offer this always holds the Port, also
    /// after [`clear_outbox`](Machine::clear_outbox). It holds the newest `SetLineLink`, too, if there was one: the relay may not have it.
    fn pending(&self) -> Effects<'_, Self> {
        Effects::pending(self)
    }

    /// Removes from the outbox what needs no answer. `None` if there is nothing to remove. Four things stay until they are answered: a request
    /// for a link, a request for a line, a proof, a `Confirm`. An Alice on offer also keeps its Port and its newest `SetLineLink`.
    ///
    /// **Call this only when every pending effect is done**, and the relay has each request. A request in a queue in memory is not done.
    /// What is removed is forgotten. After a restore, do what is [`pending`](Machine::pending) first.
    fn clear_outbox(&mut self) -> Option<Step<'_, Self>> {
        let change = Self::without_outbox(&self.held().state)?;
        Some(Step::new(self, change).outbox(0..0))
    }

    /// The time at which to call [`tick`](Machine::tick). `None`: never.
    fn deadline(&self) -> Option<UnixSeconds> {
        Self::deadline_of(&self.held().state)
    }

    /// Ends what has expired: a Port that was not used in time, a line that got no proof. `None` if the deadline has not come.
    ///
    /// Some deadlines are looks at the clock (§8.8): the step notes the look, and the next deadline is a day later. After the clock was set
    /// back, call this for every line, whatever its deadline.
    fn tick(&mut self, now: UnixSeconds) -> Option<Step<'_, Self>> {
        if !Self::is_due(&self.held().state, now) {
            return None;
        }
        let change = Self::at_deadline(&self.held().state, now)?;
        Some(Step::new(self, change))
    }
}

impl<M: Role> Machine for M {}
