//! The real machines, each state of them and each step worked out once. A record is all of a machine, and a machine is a
//! function of record, input and time (§8.5): so what it did once it does always, and millions of states need only some
//! thousands of handshakes' arithmetic. Nothing here decides anything; it calls the crate and remembers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{OnceLock, RwLock};

use port_protocol::*;

use super::common::cbor::Cbor;
use super::common::many::holds;
use super::common::{Any, Commit, EXPIRY, Input, NOW, Put, Refusal, arrives, fresh_bytes, new_line, rng};
pub use super::told::*;

/// One record of one user, and all that was asked of it so far.
pub struct Face {
    pub id: u32,
    pub user: User,
    pub record: Vec<u8>,
    pub key: RecordKey,
    pub revision: u64,
    pub spent: bool,
    pub port: Option<Port>,
    pub policy: Option<Policy>,
    /// How often a Port for many was used, by its own count.
    pub used: u32,
    /// The line that it says it has formed, if it is a Port.
    pub formed: Option<Id>,
    line: Option<LineFace>,
    pending: OnceLock<Vec<Act>>,
    cleared: OnceLock<Option<Kept>>,
    steps: RwLock<HashMap<(Told, bool), Option<&'static Moved>>>,
    moves: RwLock<HashMap<Knowing, &'static [Move]>>,
}

/// What a caller sees of a Line.
#[derive(Debug)]
pub struct LineFace {
    pub phase: LinePhase,
    pub port: PortHash,
    pub line_id: LineId,
    pub confirmed: Option<(Confirmed, String)>,
    /// For a joined Alice: until when it opens the messages that Bob sent before Bob heard Alice (§14.7).
    pub deadline: Option<UnixSeconds>,
    /// The introducer's name, and, at Alice's end, the line along which Alice was told.
    pub introduced: Option<(String, Option<Id>)>,
}

/// A step that was made.
#[derive(Debug)]
pub struct Moved {
    pub next: Kept,
    pub acts: Vec<Act>,
    pub once: Option<ReplayMark>,
    pub consumes: Option<TicketHash>,
    /// It was refused, and its far end is to be told: nothing moved.
    pub stray: bool,
    /// The same, but perhaps only because Alice was not told of the guest's ticket yet (§16.7).
    pub unknown: bool,
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
        if let RecordKey::Introducer(_) = self.key {
            return write!(f, "Introducer {:?}", self.introducer().phase());
        }
        f.write_str(&super::common::state_of(&self.record))
    }
}

/// What a machine is to do.
enum Say {
    It(Input),
    Policy(Change),
}

/// `None` if it is like that already, or has nothing to change.
fn changed(policy: &Policy, change: Change) -> Option<Policy> {
    let UseLimit::UpTo(limit) = policy.use_limit() else { return None };
    let next = match change {
        Change::Pause => policy.paused(true),
        Change::Resume => policy.paused(false),
        Change::Lower => policy.with_use_limit(UseLimit::UpTo(limit.checked_sub(1)?)),
        Change::Raise => policy.with_use_limit(UseLimit::UpTo(limit + 1)),
    };
    (next != *policy).then_some(next)
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
        if let RecordKey::Line(line_id) = self.key { number(line_id.as_bytes()) } else { 0 }
    }

    /// What a caller sees of it, if it is a Line.
    pub fn face(self) -> Option<&'static LineFace> {
        self.0.line.as_ref()
    }

    pub fn created<M: Machine>(user: User, created: &Created<M>) -> Self {
        Self::of(user, &created.write().row.record)
    }

    fn machine(self) -> Any {
        Any::restore(&self.record).unwrap()
    }

    pub fn pending(self) -> &'static [Act] {
        self.0.pending.get_or_init(|| match self.key {
            RecordKey::Introducer(_) => self.introducer_pending(),
            _ => self.machine().pending().into_iter().map(|effect| act(self.user, effect)).collect(),
        })
    }

    pub fn cleared(self) -> Option<Self> {
        let cleared = || match self.key {
            RecordKey::Introducer(_) => self.introducer_cleared(),
            _ => self.work_out(Say::It(Input::ClearOutbox), NOW),
        };
        *self.0.cleared.get_or_init(|| cleared().map(|moved| moved.next))
    }

    /// All that would move it, told by somebody who knows that.
    pub fn moves(self, knowing: Knowing) -> &'static [Move] {
        if let Some(moves) = self.0.moves.read().unwrap().get(&knowing) {
            return moves;
        }
        let told = all_told(&knowing).into_iter().flat_map(|told| [(told, false), (told, true)]);
        let moves: Vec<_> =
            told.filter_map(|(told, late)| Some(Move { told, late, moved: self.told(told, late)? })).collect();
        self.0.moves.write().unwrap().entry(knowing).or_insert(moves.leak())
    }

    /// What comes of it, `None` if nothing moves; `late`: after the Port's expiry.
    pub fn told(self, told: Told, late: bool) -> Option<&'static Moved> {
        let known = self.0.steps.read().unwrap().get(&(told, late)).copied();
        known.unwrap_or_else(|| {
            let now = if late { EXPIRY } else { NOW };
            let moved = match told {
                _ if matches!(self.key, RecordKey::Introducer(_)) => self.introducer_told(told, now),
                Told::Formed { .. } | Told::Comes { .. } | Told::Connected { .. } => self.used(told, now),
                Told::Hears { .. } | Told::Seals(_) => self.introduced(told, now),
                Told::ScansAgain => self.scanned_again(),
                Told::Deadline if late && self.line.is_some() => self.waited(),
                told => self.work_out(self.input(told), now),
            };
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
                // Only for the relay.
                step.committed().for_each(drop);
                Ok(Vec::new())
            }
            (Say::Policy(_), _) => return None,
        };
        let put = match effects {
            Ok(_) => put.unwrap(),
            Err(refusal) => {
                assert_eq!(machine.record(), self.record, "moved, on an error");
                let Refusal::Rejected(Rejected::UnwantedLine(line_id)) = refusal else { return None };
                let acts = vec![Act::Send(Fact::Disconnect { by: self.user, line: number(line_id.as_bytes()) })];
                return Some(Moved { stray: true, ..Moved::to(self, acts) });
            }
        };
        assert_eq!(put.row.expected, Some(Expected { key: self.key, revision: self.revision }));
        let acts: Vec<_> = effects.unwrap().into_iter().map(|effect| act(self.user, effect)).collect();
        let next = Self::of(self.user, &put.row.record);
        self.assert_no_seed(next);
        Some(Moved { once: put.mark(), ..Moved::to(next, acts) })
    }

    /// A use of a Port, by the relay's word, and what comes of it at either end.
    fn used(self, told: Told, now: UnixSeconds) -> Option<Moved> {
        let RecordKey::LineLink(line_link) = self.key else { return None };
        let (event, tables) = match told {
            Told::Connected { line, mark: peer, scan, stored } => {
                let (line_id, request_id, peer) = (line_id(line), request_id(self.user, scan), mark(peer));
                (Event::Connected { line_link, request_id, line_id, peer }, Tables { stored, rows: 0 })
            }
            Told::Formed { line, mark: peer, proof, stored } => {
                let proof = proof.map(|number| seen().proof(number));
                let (line_id, peer) = (line_id(line), mark(peer));
                (Event::LineFormed { line_link, line_id, peer, proof }, Tables { stored, rows: 0 })
            }
            Told::Comes { line, mark: peer, proof, rows, stored } => {
                let proof = proof.map(|number| seen().proof(number));
                let (line_id, peer) = (line_id(line), mark(peer));
                (Event::LineFormed { line_link, line_id, peer, proof }, Tables { stored, rows })
            }
            _ => return None,
        };
        let outcome = match &mut self.machine() {
            Any::Alice(alice) => alice.handle(&event, &tables, now, &mut rng()).map(|step| {
                self.made(step, |effect| match effect {
                    AliceEffect::Send(Request::SetLineLink { .. }) | AliceEffect::PortReady(_) => Act::Show,
                    AliceEffect::Send(request) => Act::Send(fact(self.user, &request.to_vec())),
                    AliceEffect::LineFormed(line) => Act::Adopt(Self::of(self.user, &line.record())),
                    AliceEffect::Ended(_) => Act::Ended,
                })
            }),
            Any::Bob(bob) => bob.handle(&event, &tables, now, &mut rng()).map(|step| {
                self.made(step, |effect| match effect {
                    BobEffect::Send(request) => Act::Send(fact(self.user, &request.to_vec())),
                    BobEffect::LineFormed(line) => Act::Adopt(Self::of(self.user, &line.record())),
                    BobEffect::Ended(_) => Act::Ended,
                })
            }),
            _ => return None,
        };
        match outcome {
            Ok(moved) => {
                self.assert_no_seed(moved.next);
                Some(moved)
            }
            Err(Rejected::UnwantedLine(line)) => Some(self.stray(line)),
            Err(Rejected::UnknownTicket(line)) => Some(Moved { unknown: true, ..self.stray(line) }),
            Err(_) => None,
        }
    }

    fn stray(self, line: LineId) -> Moved {
        let acts = vec![Act::Send(Fact::Disconnect { by: self.user, line: number(line.as_bytes()) })];
        Moved { stray: true, ..Moved::to(self, acts) }
    }

    pub fn made<'m, M: Machine>(self, step: Step<'m, M>, act: impl Fn(M::Effect<'m>) -> Act) -> Moved {
        let put = Put::step(&step);
        assert_eq!(put.row.expected, Some(Expected { key: self.key, revision: self.revision }));
        let acts = step.committed().map(act).collect();
        Moved { once: put.mark(), consumes: put.consumes, ..Moved::to(Self::of(self.user, &put.row.record), acts) }
    }

    /// §5.6: the same Port, by the second seed.
    fn scanned_again(self) -> Option<Moved> {
        let (Any::Bob(mut bob), Some(port)) = (self.machine(), port_of(self.key)) else { return None };
        let step = bob.scan_again(port, seed_of(self.user, 2)).ok()?;
        Some(self.made(step, |effect| match effect {
            BobEffect::Send(request) => Act::Send(fact(self.user, &request.to_vec())),
            BobEffect::LineFormed(_) | BobEffect::Ended(_) => unreachable!("nothing was asked yet"),
        }))
    }

    /// §8.8: a week of looks at the clock is one step here, that of the last look.
    fn waited(self) -> Option<Moved> {
        let mut machine = self.machine();
        let effects = machine.ticks_out(NOW).ok()?;
        let record = Cbor::read(&machine.record()).with(&[2], Cbor::Uint(self.revision + 1)).write();
        let acts = effects.into_iter().map(|effect| act(self.user, effect)).collect();
        Some(Moved::to(Self::of(self.user, &record), acts))
    }

    pub fn assert_no_seed(self, next: Self) {
        if next.used > self.used {
            // Of what the generator gave, nothing stays but the ephemeral key's public half.
            assert!(!holds(&next.record, &fresh_bytes()), "a record that tells of keys (§8.5)");
        }
    }

    fn input(self, told: Told) -> Say {
        let nothing = || Say::It(Input::Event(Vec::new()));
        let event = match told {
            Told::Issued { link: n } => {
                let RecordKey::Request(request_id) = self.key else { return nothing() };
                Event::LineLinkIssued { request_id, line_link: link(n) }.to_vec()
            }
            Told::Refused(reason, scan) => {
                let RecordKey::LineLink(line_link) = self.key else { return nothing() };
                Event::Refused { line_link, request_id: request_id(self.user, scan), reason }.to_vec()
            }
            Told::LinkLost => {
                let RecordKey::LineLink(line_link) = self.key else { return nothing() };
                Event::LineLinkLost { line_link }.to_vec()
            }
            Told::Packet(number) => {
                let RecordKey::Line(line_id) = self.key else { return nothing() };
                let payload = seen().payload(number);
                Event::Packet { line_id, payload: &payload }.to_vec()
            }
            Told::Disconnected => {
                let RecordKey::Line(line_id) = self.key else { return nothing() };
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
            _ => return nothing(),
        };
        Say::It(Input::Event(event))
    }
}

/// What a user's tables say of who comes.
struct Tables {
    stored: Option<PortHash>,
    rows: u32,
}

impl Peers for Tables {
    /// It is asked of the line that comes only.
    fn port_of_line(&self, _: &LineId) -> Option<PortHash> {
        self.stored
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        (0..32)
            .filter(|bit| self.rows & 1 << bit != 0)
            .map(|bit| TicketRow(bit).get())
            .find(|row| row.ticket == *ticket)
            .cloned()
    }
}

impl Moved {
    /// The line that is stored with it.
    pub fn line(&self) -> Option<Kept> {
        self.acts.iter().find_map(|act| if let Act::Adopt(line) = act { Some(*line) } else { None })
    }

    pub const fn to(next: Kept, acts: Vec<Act>) -> Self {
        Self { next, acts, once: None, consumes: None, stray: false, unknown: false }
    }
}

impl Face {
    fn new(user: User, record: &[u8]) -> Self {
        if let Ok(introducer) = Introducer::restore(record) {
            let spent = matches!(introducer.phase(), IntroducerPhase::Ended(_));
            return Self::of(user, record, introducer.key(), introducer.revision(), spent);
        }
        let machine = Any::restore(record).unwrap();
        assert_eq!(machine.record(), record);
        let face = Self::of(user, record, machine.key(), machine.revision(), false);
        match &machine {
            Any::Alice(alice) => Self {
                spent: alice.is_spent(),
                port: alice.port().cloned(),
                policy: alice.policy().copied(),
                used: alice.used(),
                formed: match alice.phase() {
                    AlicePhase::Formed(line_id) => Some(number(line_id.as_bytes())),
                    _ => None,
                },
                ..face
            },
            Any::Bob(bob) => Self {
                spent: bob.is_spent(),
                formed: match bob.phase() {
                    BobPhase::Formed(line_id) => Some(number(line_id.as_bytes())),
                    _ => None,
                },
                ..face
            },
            Any::Line(line) => {
                let confirmed = line.confirmed().map(|it| (it, line.safety_number().unwrap().to_string()));
                let name = |by: &Introduced| (by.name.as_str().to_owned(), by.by.map(|line| number(line.as_bytes())));
                let line = LineFace {
                    phase: line.phase(),
                    port: line.port(),
                    line_id: line.claims().line_id,
                    confirmed,
                    deadline: line.deadline(),
                    introduced: line.introduced().map(name),
                };
                Self { spent: line.phase == LinePhase::Closed, line: Some(line), ..face }
            }
            Any::Pool(_) => unreachable!("nobody has a pool here"),
        }
    }

    fn of(user: User, record: &[u8], key: RecordKey, revision: u64, spent: bool) -> Self {
        Self {
            id: 0,
            user,
            record: record.to_vec(),
            key,
            revision,
            spent,
            port: None,
            policy: None,
            used: 0,
            formed: None,
            line: None,
            pending: OnceLock::new(),
            cleared: OnceLock::new(),
            steps: RwLock::default(),
            moves: RwLock::default(),
        }
    }
}

/// Both ends of a line of this name, confirmed, by a Port whose link has the same number.
pub fn confirmed_line(alice_user: User, bob_user: User, line: Id) -> [Kept; 2] {
    let mut alice = Any::from(Alice::offer(link(line), PortOptions::new(), seed_of(alice_user, line)).committed());
    let port = Alice::restore(&alice.record()).unwrap().port().unwrap().clone();
    let mut bob = Any::from(Bob::scan(port, seed_of(bob_user, 15)).committed());
    let connects = bob.takes(&Input::Connect(SendProof::Inline));
    let Some(Fact::Connect { proof, .. }) = connects.into_iter().find_map(|effect| match act(bob_user, effect) {
        Act::Send(fact) => Some(fact),
        _ => None,
    }) else {
        unreachable!("he connects")
    };
    let proof = proof.map(|number| seen().proof(number));
    let (line_link, line_id, peer, request_id) = (link(line), line_id(line), mark(MARK), request_id(bob_user, 15));
    let formed = Event::LineFormed { line_link, line_id, peer, proof }.to_vec();
    let connected = Event::Connected { line_link, request_id, line_id, peer }.to_vec();
    let mut at_alice = Any::from(new_line(alice.takes(&Input::Event(formed))));
    let mut at_bob_user = Any::from(new_line(bob.takes(&Input::Event(connected))));
    let answer = at_bob_user.takes(&Input::Event(arrives(&at_alice.pending())));
    at_bob_user.takes(&Input::ClearOutbox);
    at_alice.takes(&Input::Event(arrives(&answer)));
    [Kept::of(alice_user, &at_alice.record()), Kept::of(bob_user, &at_bob_user.record())]
}
