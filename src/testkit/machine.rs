//! The five machines behind one face, for a client that keeps them in one table.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::app::PowerFailed;
use super::store::{Conflict, Put};
use crate::{
    Alice, AliceEffect, Bob, BobEffect, Event, Introducer, IntroducerEffect, IntroducerMessage, IntroducerName,
    IntroducerPhase, Line, LineEffect, LineId, LineLink, LinePhase, MAX_INTRODUCER_MESSAGE, Machine, Peers, Policy,
    Pool, PoolEffect, PortKind, Record, RecordKey, Rejected, SEAL_OVERHEAD, SealError, Seed, SendProof, Step,
    TicketHash, TicketNotice, UnixSeconds,
};

#[derive(Debug)]
pub(super) enum Any {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
    Introducer(Introducer),
    Pool(Pool),
}

/// What a client knows of who comes (§14.6, §16.4): its line of this event, and the tickets that it was told of.
#[derive(Default, Debug)]
pub(super) struct Tables {
    line: Option<LineId>,
    tickets: Vec<TicketNotice>,
}

impl Tables {
    pub(super) fn of<'r>(
        event: &Event<'_>,
        mut records: impl Iterator<Item = &'r [u8]>,
        tickets: impl IntoIterator<Item = TicketNotice>,
    ) -> Self {
        let Event::LineFormed { line_id: comes, .. } = event else { return Self::default() };
        let line = records.find_map(|record| {
            let claims = Line::restore(record).ok()?.claims();
            (claims.line_id == *comes).then_some(claims.line_id)
        });
        Self { line, tickets: tickets.into_iter().collect() }
    }
}

impl Peers for Tables {
    fn has_line(&self, line_id: &LineId) -> bool {
        self.line == Some(*line_id)
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.iter().find(|told| told.ticket == *ticket).cloned()
    }
}

/// What can be handed to a machine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// With associated data, and what is known of who comes.
    Event(&'a Event<'a>, &'a [u8], &'a Tables),
    Connect(SendProof),
    /// With associated data.
    Say(&'a [u8], &'a [u8]),
    Close,
    GiveUp,
    SetPolicy(Policy),
    /// Accept, or decline.
    Decide(bool),
    /// Make a ticket, of this seed, that expires then.
    Introduce(&'a IntroducerName, Option<UnixSeconds>, &'a [u8; 64]),
    /// Alice was told of it.
    Told,
    /// Say this to an introducer's machine, or to Alice's (§16.3).
    SayIntroduction(&'a IntroducerMessage<'a>),
    /// A line link out of the pool (§15.4).
    Take,
    Tick,
    Settle,
}

/// An effect of any machine, as bytes and text.
#[derive(Debug)]
pub(super) enum ToDo {
    Send(Vec<u8>),
    Show(String),
    Adopt(Box<Line>),
    Hear(Vec<u8>),
    /// Along its introducer's line: this contact port is hers.
    Grant(Vec<u8>),
    /// Along this line: here comes somebody. Then there is something to show.
    TellAlice(LineId, Vec<u8>),
    /// A Port is to be made of this link (§15.4).
    Link(LineLink),
    /// The same again, after a pause (§6.5).
    Pause,
    /// An app tells its user.
    Tell,
}

/// Why the three lines were not finished.
#[derive(Clone, Copy, Debug)]
pub(super) enum Halt {
    PowerFailed(PowerFailed),
    /// The store kept nothing.
    Conflict(Conflict),
    Rejected(Rejected),
    /// It was kept for later.
    Early,
    /// There is nothing to do, or not by this machine.
    Idle,
}

/// How the record is kept.
pub(super) type Keep<'a> = dyn FnMut(Put) -> Result<(), Halt> + 'a;

impl Any {
    pub(super) fn restore(record: &[u8]) -> Option<Self> {
        let alice = Alice::restore(record).ok().map(Self::Alice);
        let bob = || Bob::restore(record).ok().map(Self::Bob);
        let line = || Line::restore(record).ok().map(Self::Line);
        let introducer = || Introducer::restore(record).ok().map(Self::Introducer);
        let pool = || Pool::restore(record).ok().map(Self::Pool);
        alice.or_else(bob).or_else(line).or_else(introducer).or_else(pool)
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

    /// Over and settled (§8.3).
    pub(super) fn may_be_deleted(&self) -> bool {
        self.is_over() && self.pending().is_empty()
    }

    /// The three lines.
    pub(super) fn step(&mut self, input: Input<'_>, now: UnixSeconds, keep: &mut Keep<'_>) -> Result<Vec<ToDo>, Halt> {
        match self {
            Self::Alice(alice) => {
                let step = match input {
                    Input::Event(event, _, known) => alice.handle_knowing(event, known, now)?,
                    Input::GiveUp => alice.revoke()?,
                    Input::SetPolicy(policy) => alice.set_policy(policy)?,
                    Input::Tick => alice.tick(now).ok_or(Halt::Idle)?,
                    Input::Settle => alice.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                advance(step, keep)
            }
            Self::Bob(bob) => {
                let step = match input {
                    Input::Event(event, _, known) => bob.handle_knowing(event, known, now)?,
                    Input::Connect(how) => bob.connect(how, now)?,
                    Input::GiveUp => bob.cancel()?,
                    Input::Tick => bob.tick(now).ok_or(Halt::Idle)?,
                    Input::Settle => bob.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                advance(step, keep)
            }
            Self::Line(line) => {
                let mut buffer;
                let step = match input {
                    Input::Event(event, data, _) => {
                        let length = if let Event::Packet { payload, .. } = event { payload.len() } else { 0 };
                        buffer = vec![0; length];
                        line.open(event, data, &mut buffer, now)?
                    }
                    Input::Say(text, data) => {
                        buffer = vec![0; text.len().saturating_add(SEAL_OVERHEAD)];
                        line.seal(text, data, &mut buffer).map_err(|_| Halt::Idle)?
                    }
                    Input::Close => line.close()?,
                    Input::Tick => line.tick(now).ok_or(Halt::Idle)?,
                    Input::Settle => line.clear_outbox().ok_or(Halt::Idle)?,
                    Input::Decide(true) => line.accept(now)?,
                    Input::Decide(false) => line.decline()?,
                    Input::SayIntroduction(introduction) => {
                        buffer = vec![0; MAX_INTRODUCER_MESSAGE.saturating_add(SEAL_OVERHEAD)];
                        line.introduce(introduction, &mut buffer).map_err(|error| match error {
                            SealError::Closed => Halt::Rejected(Rejected::Closed),
                            _ => Halt::Idle,
                        })?
                    }
                    _ => return Err(Halt::Idle),
                };
                advance(step, keep)
            }
            Self::Introducer(introducer) => {
                let step = match input {
                    Input::Event(..) => return Err(Rejected::WrongMachine.into()),
                    Input::Introduce(name, expires, seed) => {
                        introducer.introduce(name.clone(), expires, Seed::from_bytes(seed), now)?
                    }
                    Input::Told => introducer.told()?,
                    Input::GiveUp => introducer.cancel()?,
                    Input::Tick => introducer.tick(now).ok_or(Halt::Idle)?,
                    Input::Settle => introducer.clear_outbox().ok_or(Halt::Idle)?,
                    _ => return Err(Halt::Idle),
                };
                advance(step, keep)
            }
            Self::Pool(pool) => {
                let step = match input {
                    Input::Event(event, ..) => pool.handle(event)?,
                    Input::Take => pool.take().map_err(|_| Halt::Idle)?,
                    // It has no deadline, and nothing to settle.
                    _ => return Err(Halt::Idle),
                };
                advance(step, keep)
            }
        }
    }
}

fn advance<'m, M: Machine>(step: Step<'m, M>, keep: &mut Keep<'_>) -> Result<Vec<ToDo>, Halt>
where
    ToDo: From<M::Effect<'m>>,
{
    keep(Put::step(&step))?;
    Ok(step.commit().map(ToDo::from).collect())
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
            AliceEffect::Ended(_) => Self::Tell,
        }
    }
}

impl From<BobEffect<'_>> for ToDo {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Self::Adopt(Box::new(line)),
            BobEffect::Ended(_) => Self::Tell,
        }
    }
}

impl From<LineEffect<'_>> for ToDo {
    fn from(effect: LineEffect<'_>) -> Self {
        match effect {
            LineEffect::Send(request) => Self::Send(request.to_vec()),
            LineEffect::Message(text) => Self::Hear(text.to_vec()),
            LineEffect::PacketsLost => Self::Pause,
            LineEffect::IntroducerMessage(_) | LineEffect::AwaitingApproval | LineEffect::Ended(_) => Self::Tell,
        }
    }
}

impl From<IntroducerEffect<'_>> for ToDo {
    fn from(effect: IntroducerEffect<'_>) -> Self {
        match effect {
            IntroducerEffect::Announce(line_id, introduction) => Self::TellAlice(line_id, introduction.to_vec()),
            IntroducerEffect::Ready(port) => Self::Show(port.qr_text().to_string()),
            IntroducerEffect::Ended(_) => Self::Tell,
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
