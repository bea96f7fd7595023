//! App: what the kit asks of an app, and what it tells the app.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;
use thiserror::Error;

use crate::{Event, IntroducerName, LineId, Policy, PortOptions, RecordKey, SendProof, TicketNotice, UnixSeconds};

/// One user's app, however it is built. [`Client`](super::Client) is one.
///
/// What the app sends, or shows to its user, has left it, even if its process dies right after. [`output`](App::output) must give it all
/// the same.
pub trait App {
    /// Takes an event from the relay: any bytes. If the app kept an event that came too early, it hands that event in again in here, as
    /// soon as something has moved.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from [`Outside::point`]. The event is not acknowledged.
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed>;

    /// Does what the user wants.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from [`Outside::point`].
    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed>;

    /// The process died and starts again, or the connection to the relay comes back. Forget what is in memory, restore what is stored,
    /// do what is pending, and show what the user has not seen.
    ///
    /// # Errors
    /// [`PowerFailed`], passed on from [`Outside::point`].
    fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed>;

    /// Takes what left the app since the last call, in order.
    fn output(&mut self) -> Vec<Output>;

    /// Every record in the app's store, in any order. The kit restores them to see where each machine stands. A record that may be
    /// deleted (§8.3) may be missing, but only after the kit has seen it dead.
    fn records(&self) -> Vec<Vec<u8>>;

    /// Every message in the app's store that its user has not seen yet, with the line that it came along. The kit counts messages: if
    /// the app acknowledges a packet, its message must have been [shown](Output::Hear) by then, or be in here. What is in here must be
    /// shown in the end. An app that shows each message before it acknowledges leaves this out.
    fn inbox(&self) -> Vec<(LineId, Vec<u8>)> {
        Vec::new()
    }

    /// The associated data with which the app opens this packet (§6.3). An app that seals with none leaves this out.
    fn associated_data(&self, packet: &Event<'_>) -> Vec<u8> {
        let _ = packet;
        Vec::new()
    }

    /// The rows of the tickets that were announced (§16.4). By them the kit sees whether a use of a contact port is refused. `None`: the
    /// app does not say, and is not held to that.
    fn tickets(&self) -> Option<Vec<TicketNotice>> {
        None
    }

    /// The device is lost, and all that was stored on it, backups too. The user goes on with an empty store. `false`: the app does not
    /// take part in this.
    fn lose(&mut self) -> bool {
        false
    }

    /// Backs the store up. The backup replaces the one before. An app without backups leaves this out.
    fn back_up(&mut self) {}

    /// Restores the last backup. `false`: there is none.
    fn roll_back(&mut self, how: RollBack) -> bool {
        let _ = how;
        false
    }
}

/// What an app takes from outside in each call: the time, randomness, and the places where its process may die. All of it is the
/// kit's, so that a run can be made again.
pub struct Outside<'a> {
    /// The time by the app's clock.
    pub now: UnixSeconds,
    /// The randomness for [`Alice::handle`](crate::Alice::handle) and the other machines.
    pub rng: &'a mut dyn CryptoRng,
    /// The places where the process may die.
    pub crashes: &'a mut CrashPoints,
}

impl fmt::Debug for Outside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { now, rng: _, crashes } = self;
        f.debug_struct("Outside").field("now", now).field("crashes", crashes).finish_non_exhaustive()
    }
}

impl Outside<'_> {
    /// A place where the process may die: [`CrashPoints::point`].
    ///
    /// # Errors
    /// [`PowerFailed`]: the process dies here. Return at once.
    pub fn point(&mut self) -> Result<(), PowerFailed> {
        self.crashes.point()
    }
}

/// What an app answers when an event was delivered to it (§7.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// The write of its step is kept, or the event is refused for good. The relay need not keep it.
    Acknowledged,
    /// It came too early, and is only in memory. The relay delivers it again when the connection comes back.
    NotYet,
}

/// What a user wants. The randomness is the kit's, so that a run can be made again.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Make a Port. The seed is for [`Seed::from_bytes`](crate::Seed::from_bytes). If there is a pool, take the link from it. Show the
    /// Port when it is ready; if it is a contact port, grant it.
    MakePort {
        /// The machine's randomness.
        seed: [u8; 64],
        /// What else the Port says.
        options: PortOptions,
    },
    /// Make a pool of line links (§15) by [`Pool::new`](crate::Pool::new). It replaces the one before. An app without pools has nothing
    /// to do.
    MakePool {
        /// The machine's randomness.
        seed: [u8; 64],
        /// With fewer links the pool asks for more.
        low: u8,
        /// How many links a full pool has.
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
    /// Introduce somebody by the contact port of this record (§16.3): make a ticket, announce it to Alice, then show the Port with it.
    Introduce {
        /// The key of the introducer's record.
        key: RecordKey,
        /// The name by which the introducer goes. It is another one each time.
        name: IntroducerName,
        /// When the ticket expires.
        expires: Option<UnixSeconds>,
        /// The ticket's randomness.
        seed: [u8; 64],
    },
    /// Revoke or cancel the machine of this record. If it is a contact port, tell the contact to whom it was granted (§16.6).
    GiveUp(RecordKey),
    /// From now on the Port of this record may be used by this policy (§14.2).
    SetPolicy(RecordKey, Policy),
    /// Let the visitor who waits on this line in, or turn the visitor away (§14.5).
    Decide(LineId, bool),
    /// Say this along this line.
    Say(LineId, Vec<u8>),
    /// Close this line.
    Close(LineId),
    /// The alarm that was set for a deadline, or for the end of a pause (§6.5), goes off.
    Tick,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MakePort { options, .. } => write!(f, "MakePort({options:?})"),
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
    /// To the relay: the bytes of a [`Request`](crate::Request).
    Send(Vec<u8>),
    /// To the screen, for another user to read: a Port's text.
    Show(String),
    /// To the user: what the other end of this line said. After a crash it must not be shown again, and it must not be lost: take the
    /// message out of the [inbox](App::inbox), or mark it as shown, with no crash point between that and this.
    Hear(LineId, Vec<u8>),
}

/// What an old backup brings back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RollBack {
    /// Another process of the same user goes on from the old records, and the store is as it was. A store that compares by
    /// [`Row::expected`](crate::Row::expected) catches it.
    Process,
    /// The records, but not the marks. [`Write::unique`](crate::Write::unique) catches it.
    Records,
    /// The whole store. Nothing can catch it, so an app that restores a backup first revokes every open Port in it.
    Everything,
}

/// The process has died. Nothing more may be done, and memory is lost. Only [`CrashPoints`] make it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the power failed")]
pub struct PowerFailed(());

/// The places where a process may die.
#[derive(Clone, Default, Debug)]
pub struct CrashPoints {
    failures: VecDeque<u8>,
}

impl CrashPoints {
    /// A place where the process may die. Call it between any two things that an app does, above all between `handle`, the transaction,
    /// `commit` and sending.
    ///
    /// # Errors
    /// [`PowerFailed`]: the process dies here. Return at once.
    pub fn point(&mut self) -> Result<(), PowerFailed> {
        match self.failures.front_mut().map(|left| left.checked_sub(1).map(|less| *left = less)) {
            Some(None) => {
                self.failures.pop_front();
                Err(PowerFailed(()))
            }
            _ => Ok(()),
        }
    }

    /// Lets the process die at the point that comes after this many, counted from the crash before.
    pub fn fail_after(&mut self, points: u8) {
        self.failures.push_back(points);
    }
}
