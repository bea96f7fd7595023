//! The real machines, each state of them and each step worked out once. A record is all of a machine, and a machine is a
//! function of record, input and time (§8.5): so what it did once it does always, and millions of states need only some
//! thousands of handshakes' arithmetic. Nothing here decides anything; it calls the crate and remembers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, OnceLock, RwLock};

use port_protocol::*;

use super::common::cbor::Cbor;
use super::common::{Any, EXPIRY, Effect, Input, NOW, Put, Refusal, bad_proof};

/// Names that are small enough to enumerate. A world of Ports for one has two names for lines, one for many three; both have three
/// for pairs.
pub type User = u8;
pub type Id = u8;

pub fn link(n: Id) -> LineLink {
    [0xA0 + n; 16].into()
}

pub fn line_id(n: Id) -> LineId {
    [0xB0 + n; 16].into()
}

pub fn pair_hash(n: Id) -> PairHash {
    [0xC0 + n; 32].into()
}

const fn number(name: &[u8; 16]) -> Id {
    name[0] & 0x0f
}

/// What somebody sent, and so the relay knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fact {
    IssueLineLink { by: User },
    Connect { by: User, link: Id, proof: Option<Number> },
    Packet { by: User, line: Id, payload: Number },
    Disconnect { by: User, line: Id },
    CloseLineLink { by: User, link: Id },
}

/// A payload by its number. A proof's number is that of the payload that carries it along a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number {
    at: u16,
    pub is_proof: bool,
}

impl Number {
    /// Of which it is the altered one, or itself.
    pub const fn original(self) -> Self {
        Self { at: self.at & !1, ..self }
    }

    /// What the relay makes of it: the proof's key in another encoding, or so it hopes (§2.3); the packet as of another
    /// content.
    pub const fn altered(self) -> Self {
        Self { at: self.at + 1, ..self }
    }
}

/// What a machine is told, by the relay or by its user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Told {
    Issued {
        link: Id,
    },
    Formed {
        line: Id,
        pair: Id,
        proof: Option<Number>,
    },
    Refused(Reason),
    Packet(Number),
    Disconnected,
    Connect(SendProof),
    Says,
    Policy(Change),
    /// Revoke, cancel or close.
    GivesUp,
    Deadline,
}

/// What becomes of a Superport's policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Change {
    Pause,
    Resume,
    Lower,
    Raise,
}

/// Something a step asks for.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Send(Fact),
    Adopt(Kept),
    Hear(User),
    Show,
}

/// These payloads and proofs, and so many names for lines.
type Knowing = (Vec<Number>, Id);

/// One record of one user, and all that was asked of it so far.
pub struct Face {
    pub id: u32,
    pub user: User,
    record: Vec<u8>,
    pub key: Key,
    pub revision: u64,
    pub spent: bool,
    pub port: Option<Port>,
    pub policy: Option<Policy>,
    /// How often a Port for many was used, by its own count.
    pub used: u32,
    line: Option<LineFace>,
    unsent: OnceLock<Vec<Act>>,
    settled: OnceLock<Option<Kept>>,
    steps: RwLock<HashMap<(Told, bool), Option<&'static Moved>>>,
    moves: RwLock<HashMap<Knowing, &'static [Move]>>,
}

/// What a caller sees of a Line.
#[derive(Debug)]
pub struct LineFace {
    pub phase: LinePhase,
    pub claims: Claims,
    pub confirmed: Option<(Confirmed, String)>,
    /// Of an Alice who has joined: until when she opens what Bob said before he heard her (§14.7).
    pub deadline: Option<UnixSeconds>,
}

/// A step that was made.
#[derive(Debug)]
pub struct Moved {
    pub next: Kept,
    pub acts: Vec<Act>,
    pub once: Option<Mark>,
    /// It was refused, and its far end is to be told: nothing moved.
    pub stray: bool,
}

/// Something that would move a machine.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    pub told: Told,
    pub late: bool,
    pub moved: &'static Moved,
}

/// A record by its face: as cheap to copy, compare and hash as a number.
#[derive(Clone, Copy)]
pub struct Kept(&'static Face);

impl std::ops::Deref for Kept {
    type Target = Face;

    fn deref(&self) -> &Face {
        self.0
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::common::state_of(&self.record))
    }
}

/// Bytes that were seen, by number.
#[derive(Default)]
struct Seen {
    faces: HashMap<(User, Vec<u8>), Kept>,
    /// Every other one is the altered form of the one before.
    payloads: Vec<Vec<u8>>,
}

static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);

/// What the relay can make by itself.
pub static FORGED: LazyLock<Vec<Number>> = LazyLock::new(|| {
    let nonce = Nonce { epoch: 0, counter: 0 };
    let sealed = |content| Payload::Sealed { content, nonce, ciphertext: &[0; 16] };
    let payloads = [Payload::Proof { proof: bad_proof() }, sealed(Content::Confirm), sealed(Content::Message)];
    let numbers = payloads.map(|payload| seen().number(&payload.to_vec()));
    numbers.into_iter().flat_map(|number| [number, number.altered()]).collect()
});

impl Seen {
    fn number(&mut self, payload: &[u8]) -> Number {
        let is_proof = matches!(Payload::decode(payload), Ok(Payload::Proof { .. }));
        let known = self.payloads.iter().step_by(2).position(|known| known == payload);
        let at = known.map_or(self.payloads.len(), |place| place * 2) as u16;
        if known.is_none() {
            let value = Cbor::read(payload);
            let altered = if is_proof {
                let mut key = value.at(&[1, 1, 0]).bytes().to_vec();
                key[31] ^= 0x80;
                value.with(&[1, 1, 0], Cbor::Bytes(key))
            } else {
                let content = value.at(&[1, 1]).uint() % 5 + 1;
                value.with(&[1, 1], Cbor::Uint(content))
            };
            self.payloads.extend([payload.to_vec(), altered.write()]);
        }
        Number { at, is_proof }
    }

    fn proof(&self, number: Number) -> Proof {
        match Payload::decode(&self.payloads[usize::from(number.at)]) {
            Ok(Payload::Proof { proof }) => proof,
            other => panic!("no proof: {other:?}"),
        }
    }
}

fn seen() -> std::sync::MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn all_told(known: &[Number], lines: Id) -> Vec<Told> {
    let numbers = || known.iter().flat_map(|number| [*number, number.altered()]).chain(FORGED.iter().copied());
    let proofs = || numbers().filter(|number| number.is_proof).map(Some).chain([None]);
    let formed = |line| move |pair| move |proof| Told::Formed { line, pair, proof };
    let mut all: Vec<_> = numbers().map(Told::Packet).collect();
    all.extend([1, 2].map(|link| Told::Issued { link }));
    for line in 1..=lines {
        for pair in [1, 2, 3] {
            all.extend(proofs().map(formed(line)(pair)));
        }
    }
    all.extend([Reason::Claimed, Reason::Unknown].map(Told::Refused));
    all.extend([SendProof::OnBoard, SendProof::AlongTheLine].map(Told::Connect));
    all.extend([Change::Pause, Change::Resume, Change::Lower, Change::Raise].map(Told::Policy));
    all.extend([Told::Disconnected, Told::Says, Told::GivesUp, Told::Deadline]);
    all
}

/// What a machine is to do.
enum Say {
    It(Input),
    Policy(Change),
}

/// `None` if it is like that already, or has nothing to change.
fn changed(policy: &Policy, change: Change) -> Option<Policy> {
    let Uses::UpTo(limit) = policy.limit() else { return None };
    let next = match change {
        Change::Pause => policy.paused(true),
        Change::Resume => policy.paused(false),
        Change::Lower => policy.uses(Uses::UpTo(limit.checked_sub(1)?)),
        Change::Raise => policy.uses(Uses::UpTo(limit + 1)),
    };
    (next != *policy).then_some(next)
}

/// What the next ephemeral key of a Port for many comes from.
fn seed_in(record: &[u8]) -> Vec<u8> {
    Cbor::read(record).at(&[3, 1, 5, 0]).bytes().to_vec()
}

fn fact(by: User, request: &[u8]) -> Fact {
    match Request::decode(request).unwrap() {
        Request::IssueLineLink { .. } => Fact::IssueLineLink { by },
        Request::Connect { line_link, proof } => {
            let proof = proof.map(|proof| seen().number(&Payload::Proof { proof }.to_vec()));
            Fact::Connect { by, link: number(line_link.as_bytes()), proof }
        }
        Request::Packet { line_id, payload } => {
            Fact::Packet { by, line: number(line_id.as_bytes()), payload: seen().number(payload) }
        }
        Request::Disconnect { line_id } => Fact::Disconnect { by, line: number(line_id.as_bytes()) },
        Request::CloseLineLink { line_link } => Fact::CloseLineLink { by, link: number(line_link.as_bytes()) },
        other => panic!("a request that this model does not know: {other:?}"),
    }
}

/// What a user says on a line: it names who said it.
fn words(user: User) -> Vec<u8> {
    vec![user; 3]
}

fn act(user: User, effect: Effect) -> Act {
    match effect {
        // What the Server makes of it is no matter: it may bring anybody.
        Effect::Send(request) if matches!(Request::decode(&request), Ok(Request::SetLineLink { .. })) => Act::Show,
        Effect::Send(request) => Act::Send(fact(user, &request)),
        Effect::LineFormed(born) => Act::Adopt(Kept::of(user, &born.record())),
        Effect::Message(text) => {
            assert_eq!(text, words(text[0]), "words that nobody said");
            Act::Hear(text[0])
        }
        Effect::PortReady(_) | Effect::Introduction(_) | Effect::Dropped | Effect::Asked | Effect::Ended(_) => {
            Act::Show
        }
        Effect::Link(_) => unreachable!("nobody has a pool here"),
    }
}

impl Kept {
    /// The face of this record of this user.
    pub fn of(user: User, record: &[u8]) -> Self {
        let known = (user, record.to_vec());
        if let Some(kept) = seen().faces.get(&known) {
            return *kept;
        }
        let face = Face::new(user, record);
        let mut seen = seen();
        let id = seen.faces.len() as u32;
        *seen.faces.entry(known).or_insert_with(|| Self(Box::leak(Box::new(Face { id, ..face }))))
    }

    /// The line's name, if it is one.
    pub fn name(self) -> Id {
        if let Key::Line(line_id) = self.key { number(line_id.as_bytes()) } else { 0 }
    }

    /// What a caller sees of it, if it is a Line.
    pub fn face(self) -> Option<&'static LineFace> {
        self.0.line.as_ref()
    }

    pub fn born<M: Machine>(user: User, born: &Born<M>) -> Self {
        Self::of(user, &born.record())
    }

    fn machine(self) -> Any {
        Any::restore(&self.record).unwrap()
    }

    pub fn unsent(self) -> &'static [Act] {
        self.0.unsent.get_or_init(|| self.machine().unsent().into_iter().map(|effect| act(self.user, effect)).collect())
    }

    pub fn settled(self) -> Option<Self> {
        *self.0.settled.get_or_init(|| self.work_out(Say::It(Input::Settle), NOW).map(|moved| moved.next))
    }

    /// All that would move it, told by anybody who knows these payloads and proofs.
    pub fn moves(self, known: &[Number], lines: Id) -> &'static [Move] {
        let of = (known.to_vec(), lines);
        if let Some(moves) = self.0.moves.read().unwrap().get(&of) {
            return moves;
        }
        let told = all_told(known, lines).into_iter().flat_map(|told| [(told, false), (told, true)]);
        let moves: Vec<_> =
            told.filter_map(|(told, late)| Some(Move { told, late, moved: self.told(told, late)? })).collect();
        self.0.moves.write().unwrap().entry(of).or_insert(moves.leak())
    }

    /// What comes of it, `None` if nothing moves; `late`: after the Port's expiry.
    pub fn told(self, told: Told, late: bool) -> Option<&'static Moved> {
        let known = self.0.steps.read().unwrap().get(&(told, late)).copied();
        known.unwrap_or_else(|| {
            let moved = self.work_out(self.input(told), if late { EXPIRY } else { NOW });
            let moved = moved.map(|moved| &*Box::leak(Box::new(moved)));
            *self.0.steps.write().unwrap().entry((told, late)).or_insert(moved)
        })
    }

    fn work_out(self, say: Say, now: UnixSeconds) -> Option<Moved> {
        let (mut machine, mut put) = (self.machine(), None);
        let effects = match (say, &mut machine) {
            (Say::It(input), machine) => machine.step(&input, now, &mut |asked: &Put| {
                put = Some(asked.clone());
                true
            }),
            (Say::Policy(change), Any::Alice(alice)) => {
                let policy = changed(alice.policy()?, change)?;
                let step = alice.set_policy(policy).ok()?;
                put = Some(Put::step(&step));
                // Only for the Server.
                step.commit().for_each(drop);
                Ok(Vec::new())
            }
            (Say::Policy(_), _) => return None,
        };
        let put = match effects {
            Ok(_) => put.unwrap(),
            Err(refusal) => {
                assert_eq!(machine.record(), self.record, "moved, on an error");
                let Refusal::Rejected(Rejected::Stray(line_id)) = refusal else { return None };
                let acts = vec![Act::Send(Fact::Disconnect { by: self.user, line: number(line_id.as_bytes()) })];
                return Some(Moved { next: self, acts, once: None, stray: true });
            }
        };
        assert_eq!(put.replaces, Some(Replaces { key: self.key, revision: self.revision }));
        let acts: Vec<_> = effects.unwrap().into_iter().map(|effect| act(self.user, effect)).collect();
        let next = Self::of(self.user, &put.record);
        if next.used > self.used {
            assert_ne!(seed_in(&self.record), seed_in(&next.record), "a seed that tells of keys before (§14.7)");
        }
        Some(Moved { next, acts, once: put.once, stray: false })
    }

    fn input(self, told: Told) -> Say {
        let nothing = || Say::It(Input::Event(Vec::new()));
        let event = match told {
            Told::Issued { link: n } => {
                let Key::Request(request_id) = self.key else { return nothing() };
                Event::LineLinkIssued { request_id, line_link: link(n) }.to_vec()
            }
            Told::Formed { line, pair, proof } => {
                let Key::LineLink(line_link) = self.key else { return nothing() };
                let proof = proof.map(|number| seen().proof(number));
                let (line_id, pair_hash) = (line_id(line), pair_hash(pair));
                Event::LineFormed { line_link, line_id, pair_hash, proof }.to_vec()
            }
            Told::Refused(reason) => {
                let Key::LineLink(line_link) = self.key else { return nothing() };
                Event::Refused { line_link, reason }.to_vec()
            }
            Told::Packet(number) => {
                let Key::Line(line_id) = self.key else { return nothing() };
                let payload = seen().payloads[usize::from(number.at)].clone();
                Event::Packet { line_id, payload: &payload }.to_vec()
            }
            Told::Disconnected => {
                let Key::Line(line_id) = self.key else { return nothing() };
                Event::Disconnected { line_id }.to_vec()
            }
            Told::Connect(how) => return Say::It(Input::Connect(how)),
            Told::Says => return Say::It(Input::Seal(words(self.user), Vec::new())),
            Told::Policy(change) => return Say::Policy(change),
            Told::GivesUp => {
                return Say::It(match self.machine() {
                    Any::Alice(_) => Input::Revoke,
                    Any::Bob(_) => Input::Cancel,
                    Any::Line(_) => Input::Close,
                    Any::Pool(_) => unreachable!("nobody has a pool here"),
                });
            }
            Told::Deadline => return Say::It(Input::Tick),
        };
        Say::It(Input::Event(event))
    }
}

impl Face {
    fn new(user: User, record: &[u8]) -> Self {
        let machine = Any::restore(record).unwrap();
        assert_eq!(machine.record(), record);
        let (mut policy, mut used) = (None, 0);
        let (spent, port, line) = match &machine {
            Any::Alice(alice) => {
                (policy, used) = (alice.policy().copied(), alice.used());
                (alice.is_spent(), alice.port().cloned(), None)
            }
            Any::Bob(bob) => (bob.is_spent(), None, None),
            Any::Line(line) => {
                let confirmed = line.confirmed().map(|it| (it, line.check_code().unwrap().to_string()));
                let face =
                    LineFace { phase: line.phase(), claims: line.claims(), confirmed, deadline: line.deadline() };
                (line.phase() == LinePhase::Closed, None, Some(face))
            }
            Any::Pool(_) => unreachable!("nobody has a pool here"),
        };
        Self {
            id: 0,
            user,
            record: record.to_vec(),
            key: machine.key(),
            revision: machine.revision(),
            spent,
            port,
            policy,
            used,
            line,
            unsent: OnceLock::new(),
            settled: OnceLock::new(),
            steps: RwLock::default(),
            moves: RwLock::default(),
        }
    }
}
