//! Every machine behind one face, which holds it to §8.1 at every step.

use std::fmt;
use std::time::Duration;

use port_protocol::*;

use super::{DAY, Kept, NOW, Put, Said, Unused, rng, state_of};

/// Whatever can be said to a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    Event(Vec<u8>),
    /// A payload with associated data.
    Open(Vec<u8>, Vec<u8>),
    Connect(SendProof),
    Revoke,
    Cancel,
    Close,
    Seal(Vec<u8>, Vec<u8>),
    Tick,
    ClearOutbox,
    Pop,
}

impl Input {
    pub fn seal(text: &str) -> Self {
        Self::Seal(text.as_bytes().to_vec(), Vec::new())
    }

    /// Every command that any machine of a Port has.
    pub fn commands() -> [Self; 8] {
        [
            Self::Connect(SendProof::Inline),
            Self::Connect(SendProof::AlongTheLine),
            Self::Revoke,
            Self::Cancel,
            Self::Close,
            Self::seal("words"),
            Self::Tick,
            Self::ClearOutbox,
        ]
    }
}

/// Why nothing moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Rejected(Rejected),
    Seal(SealError),
    Pool(PoolError),
    /// Nothing to clear, or no deadline yet.
    NothingDue,
    /// This role has no such command.
    NoSuchCommand,
    /// The caller dropped the step.
    Dropped,
}

/// Why something is over, at any role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Alice(PortOutcome),
    Bob(UseOutcome),
    Line(CloseReason),
}

/// What a step asked for.
#[derive(Debug)]
pub enum Effect {
    Send(Vec<u8>),
    PortReady(String),
    LineFormed(Box<Line>),
    Message(Vec<u8>),
    IntroducerMessage(Vec<u8>),
    PacketsLost,
    AwaitingApproval,
    Ended(End),
    Link(LineLink),
}

impl Effect {
    /// The event at the far end, if this is a packet.
    pub fn arrives(&self) -> Option<Vec<u8>> {
        let Self::Send(request) = self else { return None };
        let Ok(Request::Packet { line_id, payload }) = Request::decode(request) else { return None };
        Some(Event::Packet { line_id, payload }.to_vec())
    }
}

impl PartialEq for Effect {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::LineFormed(a), Self::LineFormed(b)) => *a.record() == *b.record(),
            (Self::Send(a), Self::Send(b))
            | (Self::Message(a), Self::Message(b))
            | (Self::IntroducerMessage(a), Self::IntroducerMessage(b)) => a == b,
            (Self::PortReady(a), Self::PortReady(b)) => a == b,
            (Self::Ended(a), Self::Ended(b)) => a == b,
            (Self::Link(a), Self::Link(b)) => a == b,
            (Self::PacketsLost, Self::PacketsLost) | (Self::AwaitingApproval, Self::AwaitingApproval) => true,
            _ => false,
        }
    }
}

/// In a word, as SPEC.md's tables have it.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(request) => match Request::decode(request).unwrap() {
                Request::IssueLineLink { .. } => f.write_str("IssueLineLink"),
                Request::Connect { proof, .. } => {
                    write!(f, "Connect{}", if proof.is_some() { " inline" } else { "" })
                }
                Request::Disconnect { .. } => f.write_str("Disconnect"),
                Request::CloseLineLink { .. } => f.write_str("CloseLineLink"),
                Request::SetLineLink { version: 0, .. } => f.write_str("SetLineLink 0"),
                Request::SetLineLink { admits, .. } => write!(f, "SetLineLink {admits:?}"),
                Request::Packet { payload, .. } => match Payload::decode(payload).unwrap() {
                    Payload::Sealed { kind, .. } => write!(f, "{kind:?}"),
                    _ => f.write_str("Proof"),
                },
                _ => f.write_str("?"),
            },
            Self::PortReady(_) => f.write_str("PortReady"),
            Self::LineFormed(line) => write!(f, "LineFormed {}", state_of(&line.record())),
            Self::Message(_) => f.write_str("says"),
            Self::IntroducerMessage(_) => f.write_str("IntroducerMessage"),
            Self::PacketsLost => f.write_str("PacketsLost"),
            Self::AwaitingApproval => f.write_str("AwaitingApproval"),
            Self::Ended(_) => f.write_str("Ended"),
            Self::Link(_) => f.write_str("Link"),
        }
    }
}

pub fn words(effects: &[Effect]) -> String {
    effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[derive(Debug)]
pub enum Any {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
    Pool(Pool),
}

impl From<Alice> for Any {
    fn from(alice: Alice) -> Self {
        Self::Alice(alice)
    }
}

impl From<Bob> for Any {
    fn from(bob: Bob) -> Self {
        Self::Bob(bob)
    }
}

impl From<Line> for Any {
    fn from(line: Line) -> Self {
        Self::Line(line)
    }
}

impl From<Pool> for Any {
    fn from(pool: Pool) -> Self {
        Self::Pool(pool)
    }
}

macro_rules! each {
    ($any:expr, $machine:ident => $do:expr) => {
        match $any {
            Any::Alice($machine) => $do,
            Any::Bob($machine) => $do,
            Any::Line($machine) => $do,
            Any::Pool($machine) => $do,
        }
    };
}

impl Clone for Any {
    fn clone(&self) -> Self {
        Self::restore(&self.record()).unwrap()
    }
}

impl Any {
    pub fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        match MachineRole::of_record(record) {
            Ok(MachineRole::Bob) => Bob::restore(record).map(Self::Bob),
            Ok(MachineRole::Line) => Line::restore(record).map(Self::Line),
            Ok(MachineRole::Pool) => Pool::restore(record).map(Self::Pool),
            _ => Alice::restore(record).map(Self::Alice),
        }
    }

    pub fn line(self) -> Line {
        match self {
            Self::Line(line) => line,
            other => panic!("no line: {other:?}"),
        }
    }

    pub fn as_line(&self) -> &Line {
        match self {
            Self::Line(line) => line,
            other => panic!("no line: {other:?}"),
        }
    }

    pub fn record(&self) -> Vec<u8> {
        each!(self, m => m.record().to_vec())
    }

    pub fn key(&self) -> RecordKey {
        each!(self, m => m.key())
    }

    pub fn revision(&self) -> u64 {
        each!(self, m => m.revision())
    }

    pub fn deadline(&self) -> Option<UnixSeconds> {
        each!(self, m => m.deadline())
    }

    pub fn state(&self) -> String {
        state_of(&self.record())
    }

    pub fn pending(&self) -> Vec<Effect> {
        match self {
            Self::Alice(m) => m.pending().map(of_alice).collect(),
            Self::Bob(m) => m.pending().map(of_bob).collect(),
            Self::Line(m) => m.pending().map(of_line).collect(),
            Self::Pool(m) => m.pending().map(of_pool).collect(),
        }
    }

    /// Hands something in; `keep` stands for the store. Whatever happens, it is held to §8.1 here, in every test.
    pub fn apply(
        &mut self,
        input: &Input,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        self.apply_with(input, &NoPeers, now, keep)
    }

    /// The same with these tables.
    pub fn apply_with(
        &mut self,
        input: &Input,
        peers: &impl Peers,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        let (before, key, revision, state) = (self.record(), self.key(), self.revision(), self.state());
        let mut put = None;
        let outcome = self.step_with(input, peers, now, &mut |asked| {
            put = Some(asked.clone());
            keep(asked)
        });
        let after = self.record();
        let Ok(effects) = &outcome else {
            assert_eq!(before, after, "{state} moved, on an error or by a dropped step");
            return outcome;
        };
        self.check_write(&put.unwrap(), Expected { key, revision }, effects);
        assert!(after.len() <= MAX_RECORD);
        let restored = Self::restore(&after).unwrap();
        assert_eq!(restored.record(), after);
        self.check_effects(&restored.pending(), effects);
        // Nothing moves what is dead (§4.4, §5.4, §6.7).
        let over = !state.contains("Offered") && ["Formed", "Ended", "Closed"].iter().any(|word| state.contains(word));
        let cleared = self.state().ends_with(", cleared") && !state.ends_with(", cleared");
        assert!(!over || *input == Input::ClearOutbox && cleared, "{state} moved");
        outcome
    }

    /// §8.1: the write holds the whole step.
    fn check_write(&self, put: &Put, expected: Expected, effects: &[Effect]) {
        let record = self.record();
        let (key, revision, deadline) = (self.key(), expected.revision + 1, self.deadline());
        assert_eq!(self.revision(), revision);
        let row = Kept { key, revision, record, deadline, expected: Some(expected) };
        assert_eq!(put.row, row, "what was kept is what it is");
        let formed = effects.iter().find_map(|effect| match effect {
            Effect::LineFormed(line) => {
                let (key, record, deadline) = (line.key(), line.record().to_vec(), line.deadline());
                Some(Kept { key, revision: 0, record, deadline, expected: None })
            }
            _ => None,
        });
        assert_eq!(put.new_line, formed, "the line that was kept is what comes");
        let received = effects.iter().find_map(|effect| match effect {
            Effect::Message(text) => Some(Said::Message(text.clone())),
            Effect::IntroducerMessage(text) => Some(Said::Introducer(text.clone())),
            _ => None,
        });
        assert_eq!(put.received, received, "what was said is kept with the step");
    }

    /// §8.1: first what no outbox holds, one thing at most; then a part of the outbox, which is the same after a restart.
    fn check_effects(&self, pending: &[Effect], effects: &[Effect]) {
        assert_eq!(self.pending(), pending, "the same bytes after a restart");
        let in_outbox = |part: &[Effect]| part.is_empty() || pending.windows(part.len()).any(|window| window == part);
        let rest = match effects {
            [once, rest @ ..] if !pending.contains(once) => rest,
            all => all,
        };
        assert!(in_outbox(rest), "{} with {} pending", words(effects), words(pending));
    }

    /// Hands something in, to be kept.
    pub fn give(&mut self, input: &Input, now: UnixSeconds) -> Result<Vec<Effect>, Refusal> {
        self.apply(input, now, &mut |_| true)
    }

    /// The same, where it has to be taken.
    #[track_caller]
    pub fn takes(&mut self, input: &Input) -> Vec<Effect> {
        self.give(input, NOW).unwrap()
    }

    /// A tick at this time and, where that only notes the look (§8.8), on each of the days after it, until one does more.
    pub fn ticks_out(&mut self, now: UnixSeconds) -> Result<Vec<Effect>, Refusal> {
        let (state, mut now) = (self.state(), now);
        let mut outcome = self.give(&Input::Tick, now);
        while outcome.is_ok() && self.state() == state && now < UnixSeconds::MAX {
            now = now.after(Duration::from_secs(DAY));
            outcome = self.give(&Input::Tick, now);
        }
        outcome
    }

    /// [`apply`](Any::apply) without its checks.
    pub fn step(
        &mut self,
        input: &Input,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        self.step_with(input, &NoPeers, now, keep)
    }

    fn step_with(
        &mut self,
        input: &Input,
        peers: &impl Peers,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        match self {
            Self::Alice(alice) => {
                let step = match input {
                    Input::Event(event) => {
                        alice.handle(&decoded(event)?, peers, now, &mut rng()).map_err(Refusal::Rejected)?
                    }
                    Input::Revoke => alice.revoke().map_err(Refusal::Rejected)?,
                    Input::Tick => alice.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::ClearOutbox => alice.clear_outbox().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_alice)
            }
            Self::Bob(bob) => {
                let step = match input {
                    Input::Event(event) => {
                        bob.handle(&decoded(event)?, peers, now, &mut Unused).map_err(Refusal::Rejected)?
                    }
                    Input::Connect(how) => bob.connect(*how, now).map_err(Refusal::Rejected)?,
                    Input::Cancel => bob.cancel().map_err(Refusal::Rejected)?,
                    Input::Tick => bob.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::ClearOutbox => bob.clear_outbox().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_bob)
            }
            Self::Line(line) => {
                let mut buffer;
                let step = match input {
                    Input::Event(event) => {
                        buffer = vec![0; event.len()];
                        line.handle(&decoded(event)?, &mut buffer, now, &mut Unused).map_err(Refusal::Rejected)?
                    }
                    Input::Open(payload, data) => {
                        buffer = vec![0; payload.len()];
                        let packet = Event::Packet { line_id: line.claims().line_id, payload };
                        line.handle_with_aad(&packet, data, &mut buffer, now, &mut Unused).map_err(Refusal::Rejected)?
                    }
                    Input::Seal(text, data) => {
                        buffer = vec![0; text.len() + SEAL_OVERHEAD];
                        line.seal(text, data, &mut buffer).map_err(Refusal::Seal)?
                    }
                    Input::Close => line.close().map_err(Refusal::Rejected)?,
                    Input::Tick => line.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::ClearOutbox => line.clear_outbox().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_line)
            }
            Self::Pool(pool) => {
                let step = match input {
                    Input::Event(event) => pool.handle(&decoded(event)?).map_err(Refusal::Rejected)?,
                    Input::Pop => pool.pop().map_err(Refusal::Pool)?,
                    Input::Tick => pool.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::ClearOutbox => pool.clear_outbox().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_pool)
            }
        }
    }
}

fn decoded(event: &[u8]) -> Result<Event<'_>, Refusal> {
    Event::decode(event).map_err(|error| Refusal::Rejected(error.into()))
}

fn finish<'m, M: Machine>(
    step: Step<'m, M>,
    keep: &mut dyn FnMut(&Put) -> bool,
    own: fn(M::Effect<'m>) -> Effect,
) -> Result<Vec<Effect>, Refusal> {
    let effects = step.store(|write| if keep(&Put::of(write)) { Ok(()) } else { Err(Refusal::Dropped) })?;
    Ok(effects.map(own).collect())
}

fn of_alice(effect: AliceEffect<'_>) -> Effect {
    match effect {
        AliceEffect::Send(request) => Effect::Send(request.to_vec()),
        AliceEffect::PortReady(port) => Effect::PortReady(port.qr_text().as_str().to_owned()),
        AliceEffect::LineFormed(line) => Effect::LineFormed(line.into()),
        AliceEffect::Ended(end) => Effect::Ended(End::Alice(end)),
    }
}

fn of_bob(effect: BobEffect<'_>) -> Effect {
    match effect {
        BobEffect::Send(request) => Effect::Send(request.to_vec()),
        BobEffect::LineFormed(line) => Effect::LineFormed(line.into()),
        BobEffect::Ended(end) => Effect::Ended(End::Bob(end)),
    }
}

pub fn of_line(effect: LineEffect<'_>) -> Effect {
    match effect {
        LineEffect::Send(request) => Effect::Send(request.to_vec()),
        LineEffect::Message(text) => Effect::Message(text.to_vec()),
        LineEffect::IntroducerMessage(said) => Effect::IntroducerMessage(said.to_vec()),
        LineEffect::PacketsLost => Effect::PacketsLost,
        LineEffect::AwaitingApproval => Effect::AwaitingApproval,
        LineEffect::Ended(end) => Effect::Ended(End::Line(end)),
    }
}

fn of_pool(effect: PoolEffect<'_>) -> Effect {
    match effect {
        PoolEffect::Link(line_link) => Effect::Link(line_link),
        PoolEffect::Send(request) => Effect::Send(request.to_vec()),
    }
}
