//! One step of one machine, whichever it is: what every client does with all of them.

use std::time::SystemTime;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, DecodeError, Introducer, IntroducerEffect, Line, LineEffect, LineId, Machine,
    OnDuplicate, Port, PortError, RecordKey, Rejected, RestoreError, SealError, Step, UnixSeconds,
};
use thiserror::Error;

use crate::store::{StoreError, Tables};

/// Everything a client does with a machine is three lines. Which command it is differs; what is done with it does not.
pub fn advance<'m, M: Machine, E>(tables: &mut Tables, command: Result<Step<'m, M>, E>) -> Result<Vec<ToDo>, Stop>
where
    ToDo: From<M::Effect<'m>>,
    Stop: From<E>,
{
    let step = command?; //                        pure: nothing has moved, on Ok or on Err
    keep(tables, &step)?; //                       keep the new state first, in one transaction
    Ok(step.commit().map(ToDo::from).collect()) // now it has moved: send, show, connect
}

fn keep<M: Machine>(tables: &mut Tables, step: &Step<'_, M>) -> Result<(), Stop> {
    tables.keep(step).map_err(|error| match (error, step.taken()) {
        (StoreError::UsedBefore, Some(taken)) => Stop::UsedBefore(taken),
        (error, _) => error.into(),
    })
}

/// An effect of any machine, as bytes and text.
pub enum ToDo {
    Send(Vec<u8>),
    Show(Port),
    /// A line was formed, and its record is stored: do what is pending there.
    Wake(RecordKey),
    Hear(String),
    /// What the other end's machine says of a contact port: it is heard in the transaction of the step that brought it.
    Note(Vec<u8>),
    /// This machine has something to say of a contact port, along this line.
    Tell(LineId, Vec<u8>),
    End(String),
}

/// Why a client stops in the middle of something.
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
    #[error("this was used before, and the record that said so was lost, or it is an old proof")]
    UsedBefore(Taken),
    #[error("no randomness: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

/// The machine of a record, whichever it is.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub enum Any {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
    Introducer(Introducer),
}

impl Any {
    pub fn load(tables: &Tables, key: RecordKey) -> Result<Self, Stop> {
        let record = tables.get(key).ok_or(Rejected::WrongMachine)?;
        if let RecordKey::Line(_) = key {
            return Ok(Self::Line(Line::restore(record)?));
        }
        Ok(match (Alice::restore(record), Bob::restore(record)) {
            (Ok(alice), _) => Self::Alice(alice),
            (_, Ok(bob)) => Self::Bob(bob),
            _ => Self::Introducer(Introducer::restore(record)?),
        })
    }

    pub fn pending(&self) -> Vec<ToDo> {
        match self {
            Self::Alice(alice) => alice.pending().map(ToDo::from).collect(),
            Self::Bob(bob) => bob.pending().map(ToDo::from).collect(),
            Self::Line(line) => line.pending().map(ToDo::from).collect(),
            Self::Introducer(introducer) => introducer.pending().map(ToDo::from).collect(),
        }
    }

    pub fn clear_outbox(&mut self, tables: &mut Tables) -> Result<(), Stop> {
        fn clear_outbox<'m, M: Machine>(tables: &mut Tables, machine: &'m mut M) -> Result<(), Stop>
        where
            ToDo: From<M::Effect<'m>>,
        {
            machine.clear_outbox().map_or(Ok(()), |step| advance(tables, Ok::<_, Stop>(step)).map(drop))
        }
        match self {
            Self::Alice(alice) => settle(tables, alice),
            Self::Bob(bob) => settle(tables, bob),
            Self::Line(line) => settle(tables, line),
            Self::Introducer(introducer) => settle(tables, introducer),
        }
    }
}

pub fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()))
}

impl From<AliceEffect<'_>> for ToDo {
    fn from(effect: AliceEffect<'_>) -> Self {
        match effect {
            AliceEffect::Send(request) => Self::Send(request.to_vec()),
            AliceEffect::PortReady(port) => Self::Show(port.clone()),
            AliceEffect::LineFormed(line) => Self::Wake(line.key()),
            AliceEffect::Ended(why) => Self::End(format!("the Port ended: {why:?}")),
        }
    }
}

impl From<BobEffect<'_>> for ToDo {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Self::Wake(line.key()),
            BobEffect::Ended(why) => Self::End(format!("the Port ended without a line: {why:?}")),
        }
    }
}

impl From<LineEffect<'_>> for ToDo {
    fn from(effect: LineEffect<'_>) -> Self {
        match effect {
            LineEffect::Send(request) => Self::Send(request.to_vec()),
            LineEffect::Message(text) => Self::Hear(String::from_utf8_lossy(text).into_owned()),
            LineEffect::IntroducerMessage(said) => Self::Note(said.to_vec()),
            LineEffect::AwaitingApproval => Self::Hear("(somebody wants in)".to_owned()),
            LineEffect::PacketsLost => Self::Hear("(some of it did not arrive)".to_owned()),
            LineEffect::Ended(why) => Self::End(format!("the line ended: {why:?}")),
        }
    }
}

impl From<IntroducerEffect<'_>> for ToDo {
    fn from(effect: IntroducerEffect<'_>) -> Self {
        match effect {
            IntroducerEffect::Announce(line_id, introduction) => Self::Tell(line_id, introduction.to_vec()),
            IntroducerEffect::Ready(port) => Self::Show(port),
            IntroducerEffect::Ended(why) => Self::End(format!("nobody can be introduced any more: {why:?}")),
        }
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Rejected(error.into())
    }
}
