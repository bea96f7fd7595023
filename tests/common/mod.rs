//! What all tests share: a store that keeps §8.2, every machine behind one face that checks §8.1 at every step, every
//! state of each, every event of an honest run; and, in `world`, two users with a relay between them.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod cbor;
pub mod keys;
pub mod table;
pub mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use cbor::Cbor;
use port_protocol::*;

pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
/// When the Ports of these tests expire, if they do.
pub const EXPIRY: UnixSeconds = UnixSeconds(NOW.0 + 1_000);
pub const WEEK: u64 = 7 * 24 * 60 * 60;

pub fn line_link() -> LineLink {
    [0xA1; 16].into()
}

pub fn line_id() -> LineId {
    [0xB2; 16].into()
}

pub fn pair_hash() -> PairHash {
    [0xC3; 32].into()
}

/// 64 bytes, all different.
pub fn seed_bytes(n: u8) -> [u8; 64] {
    std::array::from_fn(|i| n.wrapping_mul(64).wrapping_add(i as u8))
}

pub fn seed(n: u8) -> Seed {
    Seed::from_bytes(&seed_bytes(n))
}

pub fn expiring() -> Offer {
    Offer::new().expires(EXPIRY)
}

/// Every optional field, as long as it can be.
pub fn longest() -> Offer {
    Offer::new().expires(UnixSeconds(u64::MAX)).relay(Relay::new(&"r".repeat(64)).unwrap())
}

// ---------------------------------------------------------------------------------------------------- the store

/// What a step or a birth asks the store to do, in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    pub key: Key,
    pub revision: u64,
    pub record: Vec<u8>,
    pub replaces: Option<Replaces>,
    pub once: Option<Mark>,
}

impl Put {
    pub fn birth<M: Machine>(born: &Born<M>) -> Self {
        Self { key: born.key(), revision: 0, record: born.record().to_vec(), replaces: born.replaces(), once: None }
    }

    fn step<M: Machine>(step: &Step<'_, M>) -> Self {
        Self {
            key: step.key(),
            revision: step.revision(),
            record: step.record().to_vec(),
            replaces: step.replaces(),
            once: step.once(),
        }
    }
}

/// Why the store did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The record to be replaced is not there, or at another revision.
    Moved,
    /// The key is taken.
    Taken,
    /// The mark is there already.
    Marked,
}

/// One table of records and one of marks (§8.2, §8.4).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Store {
    pub records: BTreeMap<Key, (u64, Vec<u8>)>,
    pub marks: BTreeSet<Mark>,
}

impl Store {
    pub fn put(&mut self, put: &Put) -> Result<(), Conflict> {
        if put.once.is_some_and(|mark| self.marks.contains(&mark)) {
            return Err(Conflict::Marked);
        }
        let replaced = put.replaces.map(|replaces| replaces.key);
        if let Some(Replaces { key, revision }) = put.replaces
            && self.records.get(&key).is_none_or(|(stored, _)| *stored != revision)
        {
            return Err(Conflict::Moved);
        }
        if replaced != Some(put.key) && self.records.contains_key(&put.key) {
            return Err(Conflict::Taken);
        }
        replaced.and_then(|key| self.records.remove(&key));
        self.records.insert(put.key, (put.revision, put.record.clone()));
        self.marks.extend(put.once);
        Ok(())
    }

    pub fn load(&self, key: Key) -> Option<Any> {
        self.records.get(&key).map(|(_, record)| Any::restore(record).unwrap())
    }

    /// Every line there is.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.records.iter().filter(|(key, _)| matches!(key, Key::Line(_)));
        lines.map(|(_, (_, record))| Line::restore(record).unwrap()).collect()
    }
}

// ------------------------------------------------------------------------------------------- machines, of any role

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
    Settle,
}

impl Input {
    pub fn seal(text: &str) -> Self {
        Self::Seal(text.as_bytes().to_vec(), Vec::new())
    }

    /// Every command that any machine has.
    pub fn commands() -> [Self; 8] {
        [
            Self::Connect(SendProof::OnBoard),
            Self::Connect(SendProof::AlongTheLine),
            Self::Revoke,
            Self::Cancel,
            Self::Close,
            Self::seal("words"),
            Self::Tick,
            Self::Settle,
        ]
    }
}

/// Why nothing moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Rejected(Rejected),
    Seal(SealError),
    /// Nothing to settle, or no deadline yet.
    NothingDue,
    /// This role has no such command.
    NoSuchCommand,
    /// The caller dropped the step.
    Dropped,
}

/// Why something is over, at any role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Alice(AliceEnd),
    Bob(BobEnd),
    Line(LineEnd),
}

/// What a step asked for.
#[derive(Debug)]
pub enum Effect {
    Send(Vec<u8>),
    PortReady(String),
    LineFormed(Born<Line>),
    Message(Vec<u8>),
    Ended(End),
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
            (Self::Send(a), Self::Send(b)) | (Self::Message(a), Self::Message(b)) => a == b,
            (Self::PortReady(a), Self::PortReady(b)) => a == b,
            (Self::Ended(a), Self::Ended(b)) => a == b,
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
                    write!(f, "Connect{}", if proof.is_some() { " on board" } else { "" })
                }
                Request::Disconnect { .. } => f.write_str("Disconnect"),
                Request::CloseLineLink { .. } => f.write_str("CloseLineLink"),
                Request::Packet { payload, .. } => match Payload::decode(payload).unwrap() {
                    Payload::Sealed { content, .. } => write!(f, "{content:?}"),
                    _ => f.write_str("Proof"),
                },
                _ => f.write_str("?"),
            },
            Self::PortReady(_) => f.write_str("PortReady"),
            Self::LineFormed(born) => write!(f, "LineFormed {}", state_of(&born.record())),
            Self::Message(_) => f.write_str("says"),
            Self::Ended(_) => f.write_str("Ended"),
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

macro_rules! each {
    ($any:expr, $machine:ident => $do:expr) => {
        match $any {
            Any::Alice($machine) => $do,
            Any::Bob($machine) => $do,
            Any::Line($machine) => $do,
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
        match record.get(2) {
            Some(2) => Bob::restore(record).map(Self::Bob),
            Some(3) => Line::restore(record).map(Self::Line),
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

    pub fn key(&self) -> Key {
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

    pub fn unsent(&self) -> Vec<Effect> {
        match self {
            Self::Alice(m) => m.unsent().map(of_alice).collect(),
            Self::Bob(m) => m.unsent().map(of_bob).collect(),
            Self::Line(m) => m.unsent().map(of_line).collect(),
        }
    }

    /// Hands something in; `keep` stands for the store. Whatever happens, it is held to §8.1 here, in every test.
    pub fn apply(
        &mut self,
        input: &Input,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        let (before, key, revision, state) = (self.record(), self.key(), self.revision(), self.state());
        let mut put = None;
        let outcome = self.step(input, now, &mut |asked| {
            put = Some(asked.clone());
            keep(asked)
        });
        let after = self.record();
        if outcome.is_err() {
            assert_eq!(before, after, "{state} moved, on an error or by a dropped step");
        } else {
            let put = put.unwrap();
            assert_eq!(put.replaces, Some(Replaces { key, revision }));
            assert_eq!((put.revision, self.revision()), (revision + 1, revision + 1));
            assert_eq!((put.key, &put.record), (self.key(), &after), "what was kept is what it is");
            assert!(after.len() <= MAX_RECORD);
            assert_eq!(Self::restore(&after).unwrap().record(), after);
            // Nothing moves what is dead (§4.4, §5.4, §6.7).
            let over = ["Formed", "Ended", "Closed"].iter().any(|word| state.contains(word));
            let settled = self.state().ends_with(", settled") && !state.ends_with(", settled");
            assert!(!over || *input == Input::Settle && settled, "{state} moved");
        }
        outcome
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

    /// [`apply`](Any::apply) without its checks.
    pub fn step(
        &mut self,
        input: &Input,
        now: UnixSeconds,
        keep: &mut dyn FnMut(&Put) -> bool,
    ) -> Result<Vec<Effect>, Refusal> {
        match self {
            Self::Alice(alice) => {
                let step = match input {
                    Input::Event(event) => alice.handle_bytes(event, now).map_err(Refusal::Rejected)?,
                    Input::Revoke => alice.revoke().map_err(Refusal::Rejected)?,
                    Input::Tick => alice.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::Settle => alice.settle().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_alice)
            }
            Self::Bob(bob) => {
                let step = match input {
                    Input::Event(event) => bob.handle_bytes(event, now).map_err(Refusal::Rejected)?,
                    Input::Connect(how) => bob.connect(*how, now).map_err(Refusal::Rejected)?,
                    Input::Cancel => bob.cancel().map_err(Refusal::Rejected)?,
                    Input::Tick => bob.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::Settle => bob.settle().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_bob)
            }
            Self::Line(line) => {
                let mut buffer;
                let step = match input {
                    Input::Event(event) => {
                        buffer = vec![0; event.len()];
                        line.handle_bytes(event, &mut buffer, now).map_err(Refusal::Rejected)?
                    }
                    Input::Open(payload, data) => {
                        buffer = vec![0; payload.len()];
                        line.open(payload, data, &mut buffer, now).map_err(Refusal::Rejected)?
                    }
                    Input::Seal(text, data) => {
                        buffer = vec![0; text.len() + SEAL_OVERHEAD];
                        line.seal(text, data, &mut buffer).map_err(Refusal::Seal)?
                    }
                    Input::Close => line.close().map_err(Refusal::Rejected)?,
                    Input::Tick => line.tick(now).ok_or(Refusal::NothingDue)?,
                    Input::Settle => line.settle().ok_or(Refusal::NothingDue)?,
                    _ => return Err(Refusal::NoSuchCommand),
                };
                finish(step, keep, of_line)
            }
        }
    }
}

fn finish<'m, M: Machine>(
    step: Step<'m, M>,
    keep: &mut dyn FnMut(&Put) -> bool,
    own: fn(M::Effect<'m>) -> Effect,
) -> Result<Vec<Effect>, Refusal> {
    if keep(&Put::step(&step)) { Ok(step.commit().map(own).collect()) } else { Err(Refusal::Dropped) }
}

fn of_alice(effect: AliceEffect<'_>) -> Effect {
    match effect {
        AliceEffect::Send(request) => Effect::Send(request.to_vec()),
        AliceEffect::PortReady(port) => Effect::PortReady(port.qr_text().as_str().to_owned()),
        AliceEffect::LineFormed(line) => Effect::LineFormed(line),
        AliceEffect::Ended(end) => Effect::Ended(End::Alice(end)),
        other => panic!("{other:?}"),
    }
}

fn of_bob(effect: BobEffect<'_>) -> Effect {
    match effect {
        BobEffect::Send(request) => Effect::Send(request.to_vec()),
        BobEffect::LineFormed(line) => Effect::LineFormed(line),
        BobEffect::Ended(end) => Effect::Ended(End::Bob(end)),
        other => panic!("{other:?}"),
    }
}

fn of_line(effect: LineEffect<'_>) -> Effect {
    match effect {
        LineEffect::Send(request) => Effect::Send(request.to_vec()),
        LineEffect::Message(text) => Effect::Message(text.to_vec()),
        LineEffect::Ended(end) => Effect::Ended(End::Line(end)),
        other => panic!("{other:?}"),
    }
}

/// The state that a record holds, in words.
pub fn state_of(record: &[u8]) -> String {
    let record = Cbor::read(record);
    let (role, state) = (record.at(&[1]).uint(), record.at(&[3]));
    let name = match role {
        1 => "Alice",
        2 => "Bob",
        _ => return phase_of(state.at(&[1]).items()),
    };
    let (tag, fields) = (state.at(&[0]).uint(), state.at(&[1]).items());
    match (role, tag) {
        (1, 1) => format!("{name} Requesting"),
        (1, 2) => format!("{name} Offered"),
        (2, 1) => format!("{name} Scanned"),
        (2, 2) => format!("{name} Connecting{}", if fields[6].uint() == 1 { " on board" } else { "" }),
        _ if fields[0].uint() == 1 => match fields.get(3) {
            Some(line) => format!("{name} Formed {}", phase_of(line.at(&[1]).items())),
            None => format!("{name} Formed, settled"),
        },
        _ => {
            let end = match &fields[2] {
                Cbor::Uint(end) => ["?", "Revoked", "Expired", "ProofRefused"][*end as usize].to_owned(),
                end if end.items().len() == 2 => format!("Refused {}", end.at(&[1]).uint()),
                end => ["?", "Cancelled", "Expired"][end.at(&[0]).uint() as usize].to_owned(),
            };
            let link = if fields[1].at(&[0]).uint() == 1 { ", no link" } else { "" };
            format!("{name} Ended {end}{link}{}", if fields.len() > 3 { "" } else { ", settled" })
        }
    }
}

fn phase_of(phase: &[Cbor]) -> String {
    let has = |n: usize| phase.get(n).is_some_and(|field| *field != Cbor::Null && *field != Cbor::Bool(false));
    let (name, and) = match phase[0].uint() {
        1 => ("AwaitingProof", ""),
        2 => ("AliceJoined", ""),
        3 => ("AliceConfirmed", if has(2) { "" } else { ", answered" }),
        4 => ("BobJoined", if has(2) { ", proof to send" } else { "" }),
        5 => ("BobConfirmed", if has(3) { ", answer due" } else { "" }),
        _ => {
            let end = ["?", "ByUs", "ByPeer", "ByServer", "ProofRefused", "Expired"][phase[1].uint() as usize];
            let close = if has(2) { " with Close" } else { "" };
            return format!("Closed {end}{close}{}", if has(3) { "" } else { ", settled" });
        }
    };
    format!("{name}{and}")
}

// -------------------------------------------------------------------------------------------------- honest runs

pub fn link_issued() -> Vec<u8> {
    let request_id: [u8; 16] = seed_bytes(1)[48..].try_into().unwrap();
    Event::LineLinkIssued { request_id: request_id.into(), line_link: line_link() }.to_vec()
}

pub fn line_formed(proof: Option<Proof>) -> Vec<u8> {
    Event::LineFormed { line_link: line_link(), line_id: line_id(), pair_hash: pair_hash(), proof }.to_vec()
}

pub fn packet(payload: &Payload<'_>) -> Vec<u8> {
    Event::Packet { line_id: line_id(), payload: &payload.to_vec() }.to_vec()
}

/// The payload of a packet that was sent or arrives.
pub fn payload_of(event: &[u8]) -> Vec<u8> {
    match Event::decode(event) {
        Ok(Event::Packet { payload, .. }) => payload.to_vec(),
        other => panic!("no packet: {other:?}"),
    }
}

pub fn offered(offer: Offer) -> Alice {
    Alice::offer(line_link(), offer, seed(1)).commit()
}

pub fn port(offer: Offer) -> Port {
    offered(offer).port().unwrap().clone()
}

pub fn scanned(offer: Offer) -> Bob {
    Bob::scan(port(offer), seed(2)).commit()
}

/// A proof of this Port by the Bob of seed `n`.
pub fn proof_by(n: u8, offer: Offer) -> Proof {
    let mut bob = Bob::scan(port(offer), seed(n)).commit();
    let proof = bob.connect(SendProof::OnBoard, NOW).unwrap().commit().find_map(|effect| match effect {
        BobEffect::Send(Request::Connect { proof, .. }) => proof,
        _ => None,
    });
    proof.unwrap()
}

pub fn proof(offer: Offer) -> Proof {
    proof_by(2, offer)
}

/// Of the right form, for no Port.
pub fn bad_proof() -> Proof {
    let proof = Cbor::Array(vec![Cbor::Bytes(vec![9; 32]), Cbor::Bytes(vec![9; 48])]);
    decode_proof(&proof).unwrap()
}

pub fn decode_proof(proof: &Cbor) -> Result<Proof, DecodeError> {
    let payload = Cbor::Array(vec![Cbor::Uint(1), Cbor::Array(vec![Cbor::Uint(1), proof.clone()])]).write();
    match Payload::decode(&payload)? {
        Payload::Proof { proof } => Ok(proof),
        other => panic!("{other:?}"),
    }
}

pub fn born_line(effects: Vec<Effect>) -> Line {
    let line = effects.into_iter().find_map(|effect| match effect {
        Effect::LineFormed(born) => Some(born.commit()),
        _ => None,
    });
    line.unwrap()
}

/// Both ends as they are born. With the proof along the line, Alice's awaits it.
pub fn lines(how: SendProof, offer: Offer) -> (Any, Any) {
    let mut bob = Any::from(scanned(offer.clone()));
    bob.takes(&Input::Connect(how));
    let on_board = (how == SendProof::OnBoard).then(|| proof(offer.clone()));
    let at_alice = born_line(Any::from(offered(offer)).takes(&Input::Event(line_formed(on_board))));
    let at_bob = born_line(bob.takes(&Input::Event(line_formed(None))));
    (at_alice.into(), at_bob.into())
}

/// Both ends joined, nothing delivered since.
pub fn joined() -> (Any, Any) {
    lines(SendProof::OnBoard, Offer::new())
}

/// Both ends confirmed, by Confirm and its answer.
pub fn confirmed() -> (Any, Any) {
    let (mut alice, mut bob) = joined();
    let confirm = arrives(&alice.unsent());
    let answer = arrives(&bob.takes(&Input::Event(confirm)));
    bob.takes(&Input::Settle);
    alice.takes(&Input::Event(answer));
    (alice, bob)
}

/// The one packet among these effects, as it arrives.
#[track_caller]
pub fn arrives(effects: &[Effect]) -> Vec<u8> {
    let packets: Vec<_> = effects.iter().filter_map(Effect::arrives).collect();
    let [packet] = &packets[..] else { panic!("{} packets in {}", packets.len(), words(effects)) };
    packet.clone()
}

/// Seals, and gives what arrives.
pub fn says(line: &mut Any, text: &str) -> Vec<u8> {
    arrives(&line.takes(&Input::seal(text)))
}

/// Every event that one honest run knows, and some that are another's.
pub fn events(offer: Offer) -> Vec<(&'static str, Vec<u8>)> {
    let good = proof(offer.clone());
    let (mut alice, mut bob) = lines(SendProof::OnBoard, offer.clone());
    let confirm = arrives(&alice.unsent());
    let alice_opening = says(&mut alice, "Alice's opening");
    let bob_opening = says(&mut bob, "Bob's opening");
    let answer = arrives(&bob.takes(&Input::Event(confirm.clone())));
    let bob_message = says(&mut bob, "Bob's message");
    alice.takes(&Input::Event(answer.clone()));
    let alice_message = says(&mut alice, "Alice's message");
    let (alice_close, bob_close) = (arrives(&alice.takes(&Input::Close)), arrives(&bob.takes(&Input::Close)));

    let formed_as = |line_id: [u8; 16], line_link: LineLink, proof: Option<&Proof>| {
        let (line_id, proof) = (line_id.into(), proof.cloned());
        Event::LineFormed { line_link, line_id, pair_hash: pair_hash(), proof }.to_vec()
    };
    let refused = |line_link, reason| Event::Refused { line_link, reason }.to_vec();
    let other: LineLink = [0xEE; 16].into();
    vec![
        ("LineLinkIssued", link_issued()),
        (
            "LineLinkIssued, another's",
            Event::LineLinkIssued { request_id: [0xEE; 16].into(), line_link: line_link() }.to_vec(),
        ),
        ("LineFormed", line_formed(None)),
        ("LineFormed, good proof", line_formed(Some(good.clone()))),
        ("LineFormed, bad proof", line_formed(Some(bad_proof()))),
        ("LineFormed, another's", formed_as([0xB2; 16], other, None)),
        ("LineFormed, good proof, another's", formed_as([0xB2; 16], other, Some(&good))),
        ("LineFormed again", formed_as([0xEE; 16], line_link(), None)),
        ("LineFormed again, good proof", formed_as([0xEE; 16], line_link(), Some(&good))),
        ("Refused 1", refused(line_link(), Reason::Unknown)),
        ("Refused 2", refused(line_link(), Reason::Claimed)),
        ("Refused 3", refused(line_link(), Reason::Yours)),
        ("Refused 4", refused(line_link(), Reason::Closed)),
        ("Refused 5", refused(line_link(), Reason::Expired)),
        ("Refused, another's", refused(other, Reason::Claimed)),
        ("Disconnected", Event::Disconnected { line_id: line_id() }.to_vec()),
        ("Disconnected, another's", Event::Disconnected { line_id: [0xEE; 16].into() }.to_vec()),
        ("Proof", packet(&Payload::Proof { proof: good })),
        ("Proof, bad", packet(&Payload::Proof { proof: bad_proof() })),
        ("Packet, another's", Event::Packet { line_id: [0xEE; 16].into(), payload: &payload_of(&confirm) }.to_vec()),
        ("Packet, no payload", Event::Packet { line_id: line_id(), payload: b"no payload" }.to_vec()),
        ("Alice's Confirm", confirm),
        ("Alice's Opening", alice_opening),
        ("Alice's Message", alice_message),
        ("Alice's Close", alice_close),
        ("Bob's Opening", bob_opening),
        ("Bob's Answer", answer),
        ("Bob's Message", bob_message),
        ("Bob's Close", bob_close),
    ]
}

/// Every state that any machine of this Port can reach by those events, by its user and by time.
pub fn states(offer: Offer) -> BTreeMap<String, Any> {
    let events = events(offer.clone()).into_iter().map(|(_, event)| Input::Event(event));
    let inputs: Vec<_> = events.chain(Input::commands()).collect();
    let mut found = BTreeMap::new();
    let alice = Alice::request(offer.clone(), seed(1)).commit();
    let mut open = VecDeque::from([Any::from(alice), scanned(offer).into()]);
    while let Some(machine) = open.pop_front() {
        let name = machine.state();
        if found.contains_key(&name) {
            continue;
        }
        for input in &inputs {
            for now in [NOW, UnixSeconds(u64::MAX)] {
                let mut next = machine.clone();
                let Ok(effects) = next.give(input, now) else { continue };
                open.push_back(next);
                open.extend(effects.into_iter().filter_map(|effect| match effect {
                    Effect::LineFormed(born) => Some(Any::from(born.commit())),
                    _ => None,
                }));
            }
        }
        found.insert(name, machine);
    }
    found
}
