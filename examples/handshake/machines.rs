//! One step of one machine, whichever it is: what every client does with all of them.

use port_protocol::{
    AliceEffect, BobEffect, Created, DecodeError, IntroducerEffect, LineEffect, Machine, PortError, Rejected,
    RestoreError, SealError, Step,
};
use thiserror::Error;

use crate::store::{StoreError, Tables};

/// Everything a client does with a machine. Which command it is differs; what is done with it does not.
///
/// The effects go into the transaction of their step: a request into the table of those that wait to be sent, a word to the user into
/// the table of what the screen shows. So a crash loses nothing, and nothing has to be done again.
pub fn advance<'m, M: Machine, E>(tables: &mut Tables, command: Result<Step<'m, M>, E>) -> Result<(), Stop>
where
    M::Effect<'m>: Act,
    Stop: From<E>,
{
    let step = command?; //                                       pure: nothing has moved, on Ok or on Err
    let mut effects = step.store(|write| tables.keep(write))?; // kept first; now it has moved
    effects.try_for_each(|effect| effect.act(tables))
}

/// Why a client stops in the middle of something. Its transaction is rolled back.
#[derive(Debug, Error)]
pub enum Stop {
    #[error("{0}")]
    Rejected(#[from] Rejected),
    #[error("{0}")]
    Seal(#[from] SealError),
    #[error("{0}")]
    Port(#[from] PortError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Restore(#[from] RestoreError),
    #[error("no randomness: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Rejected(error.into())
    }
}

/// What a client does about an effect.
pub trait Act {
    fn act(self, tables: &mut Tables) -> Result<(), Stop>;
}

impl Act for AliceEffect<'_> {
    fn act(self, tables: &mut Tables) -> Result<(), Stop> {
        match self {
            Self::Send(request) => tables.send(&request),
            Self::PortReady(port) => tables.shown = Some(port.clone()),
            Self::LineFormed(line) => return pending(tables, &line),
            Self::Ended(why) => tables.end(format!("the Port ended: {why:?}")),
        }
        Ok(())
    }
}

impl Act for BobEffect<'_> {
    fn act(self, tables: &mut Tables) -> Result<(), Stop> {
        match self {
            Self::Send(request) => tables.send(&request),
            Self::LineFormed(line) => return pending(tables, &line),
            Self::Ended(why) => tables.end(format!("the Port ended without a line: {why:?}")),
        }
        Ok(())
    }
}

impl Act for LineEffect<'_> {
    fn act(self, tables: &mut Tables) -> Result<(), Stop> {
        match self {
            Self::Send(request) => tables.send(&request),
            // They were part of the write.
            Self::Message(_) | Self::IntroducerMessage(_) => {}
            Self::AwaitingApproval => tables.heard.push("(somebody wants in)".to_owned()),
            Self::PacketsLost => tables.heard.push("(some of it did not arrive)".to_owned()),
            Self::Ended(why) => tables.end(format!("the line ended: {why:?}")),
        }
        Ok(())
    }
}

impl Act for IntroducerEffect<'_> {
    fn act(self, tables: &mut Tables) -> Result<(), Stop> {
        match self {
            Self::Announce(line_id, message) => return tables.say_of_port(line_id, &message),
            Self::Ready(port) => tables.shown = Some(port),
            Self::Ended(why) => tables.end(format!("nobody can be introduced any more: {why:?}")),
        }
        Ok(())
    }
}

/// A machine that is new: its row first, then what it asks for.
pub fn begin<M: Machine + 'static>(tables: &mut Tables, created: Created<M>) -> Result<(), Stop>
where
    for<'m> M::Effect<'m>: Act,
{
    let machine = created.store(|write| tables.keep(write))?;
    pending(tables, &machine)
}

/// Does what is in a machine's outbox.
pub fn pending<'m, M: Machine>(tables: &mut Tables, machine: &'m M) -> Result<(), Stop>
where
    M::Effect<'m>: Act,
{
    machine.pending().try_for_each(|effect| effect.act(tables))
}

/// All that a machine asked for was done: the requests were sent, the user was told.
pub fn clear_outbox<'m, M: Machine>(tables: &mut Tables, machine: &'m mut M) -> Result<(), Stop>
where
    M::Effect<'m>: Act,
{
    machine.clear_outbox().map_or(Ok(()), |step| advance(tables, Ok::<_, Stop>(step)))
}
