//! AnyMachine: the five machines behind one face, for a client that keeps them in one table.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::app::PowerFailed;
use super::store::Conflict;
use crate::{
    Alice, AliceEffect, Bob, BobEffect, Event, Introducer, IntroducerEffect, IntroducerMessage, IntroducerName,
    IntroducerPhase, Line, LineEffect, LineId, LineLink, LinePhase, Machine, MachineRole, Peers, Policy, Pool,
    PoolEffect, Port, PortHash, PortKind, Record, RecordKey, Rejected, SealError, Seed, SendProof, Step, TicketHash,
    TicketNotice, UnixSeconds, Write,
};

#[derive(Debug)]
pub(super) enum AnyMachine {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
    Introducer(Introducer),
    Pool(Pool),
}

/// What a client's store says of somebody who comes (§14.6, §16.4): the line of this event, if there is one, and the tickets.
#[derive(Default, Debug)]
pub(super) struct Tables {
    line: Option<(LineId, PortHash)>,
    tickets: Vec<TicketNotice>,
}

impl Tables {
    pub(super) fn of<'r>(
        event: &Event<'_>,
        mut records: impl Iterator<Item = &'r [u8]>,
        tickets: impl IntoIterator<Item = TicketNotice>,
    ) -> Self {
        let (Event::LineFormed { line_id: comes, .. } | Event::Connected { line_id: comes, .. }) = event else {
            return Self::default();
        };
        let line = records.find_map(|record| {
            let line = Line::restore(record).ok()?;
            (line.claims().line_id == *comes).then(|| (*comes, line.port()))
        });
        Self { line, tickets: tickets.into_iter().collect() }
    }

    /// **A fault**: whatever line it is, it is one of this machine's Port.
    pub(super) fn believe_any_line(&mut self, machine: Option<&AnyMachine>) {
        let port = match machine {
            Some(AnyMachine::Alice(alice)) => alice.port().map(Port::hash),
            Some(AnyMachine::Bob(bob)) => bob.port_hash(),
            _ => None,
        };
        self.line = self.line.map(|(line_id, of)| (line_id, port.unwrap_or(of)));
    }
}

impl Peers for Tables {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        self.line.filter(|(ours, _)| ours == line_id).map(|(_, port)| port)
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.iter().find(|notice| notice.ticket == *ticket).cloned()
    }
}

/// What can be handed to a machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// An event, the associated data, and what the tables say of the visitor.
    Event(&'a Event<'a>, &'a [u8], &'a Tables),
    Connect(SendProof),
    /// Read the Port again, with this seed.
    ScanAgain(&'a Port, &'a [u8; 64]),
    /// A message, and the associated data.
    Say(&'a [u8], &'a [u8]),
    Close,
    GiveUp,
    SetPolicy(Policy),
    /// Accept the visitor, or decline.
    Decide(bool),
    /// Make a ticket that expires then, of this seed.
    Introduce(&'a IntroducerName, Option<UnixSeconds>, &'a [u8; 64]),
    /// The ticket was announced to Alice.
    MarkAnnounced,
    /// Say this to the machines of the other end (§16.3).
    SayIntroducerMessage(&'a IntroducerMessage<'a>),
    /// Pop a line link from the pool (§15.4).
    Pop,
    Tick,
    ClearOutbox,
}

/// An effect of any machine, as bytes and text.
#[derive(Debug)]
pub(super) enum ToDo {
    Send(Vec<u8>),
    Show(String),
    Adopt(Box<Line>),
    /// Grant this contact port along the introducer's line.
    Grant(Vec<u8>),
    /// Announce a ticket to Alice along this line. Then there is something to show.
    Announce(LineId, Vec<u8>),
    /// Make a Port of this link (§15.4).
    Link(LineLink),
    /// Do what is pending again, after a pause (§6.5).
    Pause,
    /// An app tells its user, or finds it in its store.
    Nothing,
}

/// Why a step was not finished.
#[derive(Clone, Copy, Debug)]
pub(super) enum Halt {
    PowerFailed(PowerFailed),
    /// The store kept nothing.
    Conflict(Conflict),
    Rejected(Rejected),
    /// The event came too early, and was kept for later.
    Early,
    /// There is nothing to do, or not by this machine.
    Idle,
}

/// How a step is kept.
pub(super) type Keep<'a> = dyn FnMut(&Write<'_>) -> Result<(), Halt> + 'a;

impl AnyMachine {
    /// `None`: this is no record of one of the five.
    pub(super) fn restore(record: &[u8]) -> Option<Self> {
        match MachineRole::of_record(record).ok()? {
            MachineRole::Alice => Alice::restore(record).ok().map(Self::Alice),
            MachineRole::Bob => Bob::restore(record).ok().map(Self::Bob),
            MachineRole::Line => Line::restore(record).ok().map(Self::Line),
            MachineRole::Introducer => Introducer::restore(record).ok().map(Self::Introducer),
            MachineRole::Pool => Pool::restore(record).ok().map(Self::Pool),
            MachineRole::AppAlice | MachineRole::AppBob | MachineRole::AppLine => None,
        }
    }

    pub(super) fn key(&self) -> RecordKey {
        match self {
            Self::Alice(alice) => alice.key(),
            Self::Bob(bob) => bob.key(),
            Self::Line(line) => line.key(),
            Self::Introducer(introducer) => introducer.key(),
            Self::Pool(pool) => pool.key(),
        }
    }

    pub(super) fn revision(&self) -> u64 {
        match self {
            Self::Alice(alice) => alice.revision(),
            Self::Bob(bob) => bob.revision(),
            Self::Line(line) => line.revision(),
            Self::Introducer(introducer) => introducer.revision(),
            Self::Pool(pool) => pool.revision(),
        }
    }

    pub(super) fn record(&self) -> Record {
        match self {
            Self::Alice(alice) => alice.record(),
            Self::Bob(bob) => bob.record(),
            Self::Line(line) => line.record(),
            Self::Introducer(introducer) => introducer.record(),
            Self::Pool(pool) => pool.record(),
        }
    }

    pub(super) fn pending(&self) -> Vec<ToDo> {
        match self {
            Self::Alice(alice) => alice.pending().map(ToDo::from).collect(),
            Self::Bob(bob) => bob.pending().map(ToDo::from).collect(),
            Self::Line(line) => line.pending().map(ToDo::from).collect(),
            Self::Introducer(introducer) => introducer.pending().map(ToDo::from).collect(),
            Self::Pool(pool) => pool.pending().map(ToDo::from).collect(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Alice(alice) => alice.is_spent(),
            Self::Bob(bob) => bob.is_spent(),
            Self::Line(line) => line.phase() == LinePhase::Closed,
            Self::Introducer(introducer) => matches!(introducer.phase(), IntroducerPhase::Ended(_)),
            Self::Pool(_) => false,
        }
    }

    /// Over, with an empty outbox (§8.3).
    pub(super) fn may_be_deleted(&self) -> bool {
        self.is_over() && self.pending().is_empty()
    }

    /// Prepares a step, lets `keep` write it, and commits it.
    pub(super) fn step(
        &mut self,
        input: Input<'_>,
        now: UnixSeconds,
        rng: &mut dyn CryptoRng,
        keep: &mut Keep<'_>,
    ) -> Result<Vec<ToDo>, Halt> {
        match self {
            Self::Alice(alice) => {
                let step = match input {
                    Input::Event(event, _, tables) => alice.handle(event, tables, now, rng)?,
                    Input::GiveUp => alice.revoke()?,
                    Input::SetPolicy(policy) => alice.set_policy(policy)?,
                    Input::Tick => alice.tick(now).ok_or(Halt::Idle)?,
                    Input::ClearOutbox => alice.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                finish(step, keep)
            }
            Self::Bob(bob) => {
                let step = match input {
                    Input::Event(event, _, tables) => bob.handle(event, tables, now, rng)?,
                    Input::Connect(how) => bob.connect(how, now)?,
                    Input::ScanAgain(port, seed) => bob.scan_again(port.clone(), Seed::from_bytes(seed))?,
                    Input::GiveUp => bob.cancel()?,
                    Input::Tick => bob.tick(now).ok_or(Halt::Idle)?,
                    Input::ClearOutbox => bob.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                finish(step, keep)
            }
            Self::Line(line) => {
                let mut buffer = vec![];
                let step = match input {
                    Input::Event(event, data, _) => line.handle_with_aad(event, data, &mut buffer, now, rng)?,
                    Input::Say(text, data) => line.seal(text, data, &mut buffer).map_err(|_| Halt::Idle)?,
                    Input::Close => line.close()?,
                    Input::Tick => line.tick(now).ok_or(Halt::Idle)?,
                    Input::ClearOutbox => line.clear_outbox().ok_or(Halt::Idle)?,
                    Input::Decide(true) => line.accept(now)?,
                    Input::Decide(false) => line.decline()?,
                    Input::SayIntroducerMessage(message) => {
                        line.seal_introducer_message(message, &mut buffer).map_err(|error| match error {
                            SealError::Closed => Halt::Rejected(Rejected::Closed),
                            _ => Halt::Idle,
                        })?
                    }
                    _ => return Err(Halt::Idle),
                };
                finish(step, keep)
            }
            Self::Introducer(introducer) => {
                let step = match input {
                    Input::Event(..) => return Err(Rejected::WrongMachine.into()),
                    Input::Introduce(name, expires, seed) => {
                        introducer.introduce(name.clone(), expires, Seed::from_bytes(seed), now)?
                    }
                    Input::MarkAnnounced => introducer.mark_announced()?,
                    Input::GiveUp => introducer.cancel()?,
                    Input::Tick => introducer.tick(now).ok_or(Halt::Idle)?,
                    Input::ClearOutbox => introducer.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                finish(step, keep)
            }
            Self::Pool(pool) => {
                let step = match input {
                    Input::Event(event, ..) => pool.handle(event)?,
                    Input::Pop => pool.pop().map_err(|_| Halt::Idle)?,
                    // A pool has no deadline, and only the relay empties its outbox.
                    _ => return Err(Halt::Idle),
                };
                finish(step, keep)
            }
        }
    }
}

fn finish<'m, M: Machine>(step: Step<'m, M>, keep: &mut Keep<'_>) -> Result<Vec<ToDo>, Halt>
where
    ToDo: From<M::Effect<'m>>,
{
    Ok(step.store(|write| keep(write))?.map(ToDo::from).collect())
}

/// A machine that nothing keeps.
#[cfg(test)]
pub(super) fn made<M: Machine>(created: crate::Created<M>) -> M {
    let write = created.write();
    created.commit(write)
}

impl From<AliceEffect<'_>> for ToDo {
    fn from(effect: AliceEffect<'_>) -> Self {
        match effect {
            AliceEffect::Send(request) => Self::Send(request.to_vec()),
            AliceEffect::PortReady(port) if port.kind() == PortKind::ContactPort => {
                Self::Grant(IntroducerMessage::Grant { port: port.to_bytes().as_slice() }.to_vec())
            }
            AliceEffect::PortReady(port) => Self::Show(port.qr_text().to_string()),
            AliceEffect::LineFormed(line) => Self::Adopt(Box::new(line)),
            AliceEffect::Ended(_) => Self::Nothing,
        }
    }
}

impl From<BobEffect<'_>> for ToDo {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Self::Adopt(Box::new(line)),
            BobEffect::Ended(_) => Self::Nothing,
        }
    }
}

impl From<LineEffect<'_>> for ToDo {
    fn from(effect: LineEffect<'_>) -> Self {
        match effect {
            LineEffect::Send(request) => Self::Send(request.to_vec()),
            LineEffect::PacketsLost => Self::Pause,
            // The write had the first two: they are in the store.
            LineEffect::Message(_)
            | LineEffect::IntroducerMessage(_)
            | LineEffect::AwaitingApproval
            | LineEffect::Ended(_) => Self::Nothing,
        }
    }
}

impl From<IntroducerEffect<'_>> for ToDo {
    fn from(effect: IntroducerEffect<'_>) -> Self {
        match effect {
            IntroducerEffect::Announce(line_id, message) => Self::Announce(line_id, message.to_vec()),
            IntroducerEffect::Ready(port) => Self::Show(port.qr_text().to_string()),
            IntroducerEffect::Ended(_) => Self::Nothing,
        }
    }
}

impl From<PoolEffect<'_>> for ToDo {
    fn from(effect: PoolEffect<'_>) -> Self {
        match effect {
            PoolEffect::Link(line_link) => Self::Link(line_link),
            PoolEffect::Send(request) => Self::Send(request.to_vec()),
        }
    }
}

impl From<PowerFailed> for Halt {
    fn from(failed: PowerFailed) -> Self {
        Self::PowerFailed(failed)
    }
}

impl From<Conflict> for Halt {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<Rejected> for Halt {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}
