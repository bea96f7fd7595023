//! What the kit asks of an app, and what it tells it.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::{Event, IntroducerName, LineId, Policy, PortOptions, RecordKey, SendProof, TicketNotice, UnixSeconds};

/// One user's app, whatever it is made of. [`Client`](super::Client) is one.
///
/// Whatever the app sends, shows and plays to its user has left it, also if its process dies right after: it comes out of
/// [`output`](App::output) all the same.
pub trait App {
    /// An event from the relay: any bytes. What was kept because it came too early is handed in again in here, as soon as
    /// something has moved.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from `power`. The event is not acknowledged.
    fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed>;

    /// What the user wants.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from `power`.
    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed>;

    /// The process died and starts again, or the connection to the relay comes back: forget what is in memory, restore what
    /// is stored, do what is pending.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from `power`.
    fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed>;

    /// Takes what left the app since it was last asked, in order.
    fn output(&mut self) -> Vec<Output>;

    /// Every record in its store, in any order. The kit restores them, and so sees how the app stands. What may be deleted
    /// (§8.3) may be missing, but not before the kit has seen it dead.
    fn records(&self) -> Vec<Vec<u8>>;

    /// With which associated data it opens this packet (§6.3). An app that seals with none leaves this out.
    fn associated_data(&self, packet: &Event<'_>) -> Vec<u8> {
        let _ = packet;
        Vec::new()
    }

    /// The rows of its told tickets (§16.4), by which the kit sees whether a use of a contact port is refused. An app that does not
    /// say, `None`, is not held to that.
    fn tickets(&self) -> Option<Vec<TicketNotice>> {
        None
    }

    /// Backs the store up, in the place of the last backup. An app without backups leaves this out.
    fn back_up(&mut self) {}

    /// The last backup comes back. `false`: there is none.
    fn roll_back(&mut self, how: RollBack) -> bool {
        let _ = how;
        false
    }
}

/// What an app tells the relay of an event that it was brought (§7.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// The record of its step is kept, or it is refused for good: the relay need not keep it.
    Acknowledged,
    /// It came too early, and is only in memory: the relay brings it again when the connection comes back.
    NotYet,
}

/// What a user wants. The randomness is the kit's, so that a run can be made again.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Make a Port: [`Seed::from_bytes`](crate::Seed::from_bytes) of this seed; of a link from the pool, if there is one. Show it
    /// when it is ready; grant it, if it is a contact port.
    MakePort {
        /// The machine's randomness.
        seed: [u8; 64],
        /// What else stands in the Port.
        offer: PortOptions,
    },
    /// Begin a pool of line links (§15), [`Pool::new`](crate::Pool::new), in the place of the one before. An app without pools has
    /// nothing to do.
    MakePool {
        /// The machine's randomness.
        seed: [u8; 64],
        /// With fewer it asks for more.
        low: u8,
        /// So many.
        full: u8,
    },
    /// Read this Port and use it.
    UsePort {
        /// The machine's randomness.
        seed: [u8; 64],
        /// The text that another app showed.
        text: String,
        /// How the proof travels.
        send_proof: SendProof,
    },
    /// Introduce somebody by the contact port of this record (§16.3): make a ticket, tell Alice, then show the Port with it.
    Introduce {
        /// The record's.
        key: RecordKey,
        /// What the introducer calls herself: another name each time.
        name: IntroducerName,
        /// When the ticket expires.
        expires: Option<UnixSeconds>,
        /// The ticket's randomness.
        seed: [u8; 64],
    },
    /// Revoke, cancel: give up the Port of this record. Whoever has been granted it is told (§16.6).
    GiveUp(RecordKey),
    /// From now on the Port of this record may be used like this (§14.2).
    SetPolicy(RecordKey, Policy),
    /// Let in who waits on this line, or turn him away (§14.5).
    Decide(LineId, bool),
    /// Say this along this line.
    Say(LineId, Vec<u8>),
    /// Close this line.
    Close(LineId),
    /// The alarm that was set for a deadline, or for after a pause (§6.5), goes off.
    Tick,
}

impl core::fmt::Debug for Command {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::MakePort { offer, .. } => write!(f, "MakePort({offer:?})"),
            Self::MakePool { low, full, .. } => write!(f, "MakePool({low}, {full})"),
            Self::UsePort { send_proof, .. } => write!(f, "UsePort({send_proof:?})"),
            Self::Introduce { key, .. } => write!(f, "Introduce({key:?})"),
            Self::GiveUp(key) => write!(f, "GiveUp({key:?})"),
            Self::SetPolicy(key, policy) => write!(f, "SetPolicy({key:?}, {policy:?})"),
            Self::Decide(line, accept) => write!(f, "Decide({line:?}, {accept})"),
            Self::Say(line, text) => write!(f, "Say({line:?}, {} bytes)", text.len()),
            Self::Close(line) => write!(f, "Close({line:?})"),
            Self::Tick => f.write_str("Tick"),
        }
    }
}

/// What leaves an app.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Output {
    /// To the relay: a [`Request`](crate::Request)'s bytes.
    Send(Vec<u8>),
    /// To the screen, for another user to read: a Port's text.
    Show(String),
    /// To the user: what the other end of this line said.
    Hear(LineId, Vec<u8>),
}

/// What comes back from a backup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RollBack {
    /// Another process of the same user goes on from the old records; the store is as it was. A store that compares by
    /// [`replaces`](crate::Step::replaces) catches it.
    Process,
    /// The records, but not the marks. [`once`](crate::Step::once) catches it.
    Records,
    /// The whole store. Nothing can catch it: whoever restores a backup first revokes every open Port in it.
    Everything,
}

/// The process has died: nothing more may be done, nor kept in memory. Made by [`Power`] only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the power failed")]
pub struct PowerFailed(());

/// Whether the process lives on.
#[derive(Clone, Default, Debug)]
pub struct Power {
    failures: VecDeque<u8>,
}

impl Power {
    /// A place where a process may die: call it between any two things, above all between `handle`, the store, `commit` and
    /// sending.
    ///
    /// # Errors
    /// [`PowerFailed`]: it dies here. Return at once.
    pub fn point(&mut self) -> Result<(), PowerFailed> {
        match self.failures.front_mut().map(|left| left.checked_sub(1).map(|less| *left = less)) {
            Some(None) => {
                self.failures.pop_front();
                Err(PowerFailed(()))
            }
            _ => Ok(()),
        }
    }

    /// It fails at the point that comes after so many, counted from the failure before.
    pub fn fail_after(&mut self, points: u8) {
        self.failures.push_back(points);
    }
}
