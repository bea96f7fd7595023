//! `drive_pair`: Alice and Bob, and between them a relay that does whatever the input says.

mod person;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use port_protocol::{
    Alice, Bob, Event, Line, LineId, LinePhase, Machine, Offer, Payload, Port, Proof, Reason, Relay, Request, Seed,
    SendProof, UnixSeconds,
};

use crate::input::{Input, flip};
use crate::machine::{Owner, Said, User, rank, unsent};
use person::{Person, contains};

/// The first byte of an input: what the two choose.
pub mod option {
    pub const ON_BOARD: u8 = 0;
    pub const ALONG_THE_LINE: u8 = 1;
    /// Alice has the line link already.
    pub const FROM_POOL: u8 = 2;
    pub const EXPIRES: u8 = 4;
    pub const RELAY: u8 = 8;
    /// The schedule begins where the line is formed: ten times as many in the same time.
    pub const FORMED: u8 = 16;
}

/// The actions: the low five bits of a byte, most with an argument in the next. What is at the top of that byte: [`side`],
/// [`crash`].
pub mod op {
    /// The oldest parcel that was not looked at yet, to where it belongs.
    pub const NEXT: u8 = 0;
    pub const DROP: u8 = 1;
    /// Any parcel ever seen, to where it belongs: out of order, repeated.
    pub const AGAIN: u8 = 2;
    /// The same, to the named side.
    pub const MISDELIVER: u8 = 3;
    /// The same, with a flipped bit.
    pub const FLIP: u8 = 4;
    pub const FORGE_FORMED: u8 = 5;
    pub const FORGE_REFUSED: u8 = 6;
    pub const FORGE_DISCONNECTED: u8 = 7;
    pub const FORGE_ISSUED: u8 = 8;
    /// A proof of somebody who has another Port, along the line.
    pub const FORGE_PROOF: u8 = 9;
    /// Any bytes as an event.
    pub const RAW: u8 = 10;
    pub const CLOCK: u8 = 11;
    pub const TICK_USER: u8 = 12;
    pub const TICK_LINE: u8 = 13;
    /// The process dies, and comes back.
    pub const CRASH: u8 = 14;
    /// The connection to the relay comes back.
    pub const RESEND: u8 = 15;
    pub const SCAN: u8 = 16;
    pub const CONNECT: u8 = 17;
    /// Revoke, cancel.
    pub const STOP: u8 = 18;
    pub const SEAL: u8 = 19;
    pub const CLOSE: u8 = 20;
    pub const SETTLE_USER: u8 = 21;
    pub const SETTLE_LINE: u8 = 22;
    /// An honest relay and honest users, until there is nothing left to bring.
    pub const HONEST: u8 = 23;
}

pub mod side {
    pub const ALICE: u8 = 0;
    pub const BOB: u8 = 0x20;
}

/// Where the process dies in the three lines that a caller writes, if at all.
pub mod crash {
    pub const NOT: u8 = 0;
    /// The step is dropped, and nothing happened.
    pub const BEFORE_PUT: u8 = 0x40;
    /// The record is kept. That the step was committed, and its effects lost, is the same.
    pub const AFTER_PUT: u8 = 0x80;
    /// All is done, and will be done again.
    pub const AFTER_ACTING: u8 = 0xc0;
}

/// The line is formed at both sides, and nothing has gone along it.
pub const FORMED: [u8; 5] = [op::NEXT, op::SCAN | side::BOB, op::CONNECT | side::BOB, op::NEXT, op::NEXT];

pub const NOW: UnixSeconds = UnixSeconds(1_000_000);
const EXPIRES: UnixSeconds = UnixSeconds(1_003_600);
const LINE_LINK: [u8; 16] = *b"the line link...";
const LINE_ID: [u8; 16] = *b"the line id.....";
const PAIR_HASH: [u8; 32] = *b"the pair hash...................";

/// A long schedule shows no more than a short one, only later.
const MOST_ACTIONS: usize = 128;
const MOST_PARCELS: usize = 2048;

const fn counting(from: u8) -> [u8; 64] {
    let mut seed = [0; 64];
    let mut at = 0;
    while at < 64 {
        seed[at] = from.wrapping_add(at as u8);
        at += 1;
    }
    seed
}
const SEED_ALICE: [u8; 64] = counting(1);
const SEED_BOB: [u8; 64] = counting(101);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Name {
    Alice,
    Bob,
}

impl Name {
    const fn other(self) -> Self {
        match self {
            Self::Alice => Self::Bob,
            Self::Bob => Self::Alice,
        }
    }
}

/// What the relay holds: an event, and for whom.
#[derive(Clone)]
pub struct Parcel {
    pub to: Name,
    pub event: Vec<u8>,
}

#[derive(Clone)]
pub struct World {
    now: UnixSeconds,
    send_proof: SendProof,
    alice: Person<Alice>,
    bob: Option<Person<Bob>>,
    parcels: Vec<Parcel>,
    next: usize,
    requests: Vec<Vec<u8>>,
    /// Who sealed what, by epoch and counter.
    nonces: BTreeMap<(Name, u32, u64), Vec<u8>>,
    serial: u32,
    /// Somebody ended something, or the relay did more than lose, delay, reorder and repeat.
    interfered: bool,
}

impl World {
    fn new(options: u8) -> Self {
        static FORMED_ALREADY: [OnceLock<World>; 16] = [const { OnceLock::new() }; 16];
        let choices = options % option::FORMED;
        if options & option::FORMED == 0 {
            return Self::from_start(choices);
        }
        let formed = || run(&[&[choices][..], &FORMED].concat());
        FORMED_ALREADY[usize::from(choices)].get_or_init(formed).clone()
    }

    fn from_start(options: u8) -> Self {
        let has = |option| options & option != 0;
        let mut offer = Offer::new();
        if has(option::EXPIRES) {
            offer = offer.expires(EXPIRES);
        }
        if has(option::RELAY) {
            offer = offer.relay(Relay::new("relay.example").expect("a relay"));
        }
        let seed = Seed::from_bytes(&SEED_ALICE);
        let alice = if has(option::FROM_POOL) {
            Alice::offer(LINE_LINK.into(), offer, seed)
        } else {
            Alice::request(offer, seed)
        };
        let send_proof = if has(option::ALONG_THE_LINE) { SendProof::AlongTheLine } else { SendProof::OnBoard };
        let mut new = Self {
            now: NOW,
            send_proof,
            alice: Person::new(alice),
            bob: None,
            parcels: vec![],
            next: 0,
            requests: vec![],
            nonces: BTreeMap::new(),
            serial: 0,
            interfered: false,
        };
        new.relay();
        new
    }

    /// An honest relay's tables: one link, one line.
    fn relay(&mut self) {
        let alice = self.alice.requests.drain(..).map(|request| (Name::Alice, request));
        let bob = self.bob.iter_mut().flat_map(|bob| bob.requests.drain(..)).map(|request| (Name::Bob, request));
        let requests: Vec<_> = alice.chain(bob).collect();
        for (from, bytes) in requests {
            for secret in [&SEED_ALICE[..32], &SEED_ALICE[32..48], &SEED_BOB[..32]] {
                assert!(!contains(&bytes, secret), "a secret on its way to the relay");
            }
            let formed = |proof| Event::LineFormed {
                line_link: LINE_LINK.into(),
                line_id: LINE_ID.into(),
                pair_hash: PAIR_HASH.into(),
                proof,
            };
            let to = from.other();
            match Request::decode(&bytes).expect("a machine speaks canonically") {
                Request::IssueLineLink { request_id } => {
                    self.bring(from, &Event::LineLinkIssued { request_id, line_link: LINE_LINK.into() });
                }
                Request::Connect { proof, .. } => {
                    self.bring(to, &formed(proof));
                    self.bring(from, &formed(None));
                }
                Request::Packet { line_id, payload } => {
                    if let Ok(Payload::Sealed { epoch, counter, .. }) = Payload::decode(payload) {
                        let first = self.nonces.entry((from, epoch, counter)).or_insert_with(|| payload.to_vec());
                        assert!(first == payload, "one nonce, two packets");
                    }
                    self.bring(to, &Event::Packet { line_id, payload });
                }
                Request::Disconnect { line_id } => self.bring(to, &Event::Disconnected { line_id }),
                Request::CloseLineLink { line_link } => {
                    self.bring(to, &Event::Refused { line_link, reason: Reason::Closed });
                }
                _ => unreachable!("a request that the fuzzer does not know"),
            }
            self.requests.push(bytes);
        }
    }

    fn bring(&mut self, to: Name, event: &Event<'_>) {
        let event = event.to_vec();
        assert!(Event::decode(&event).is_ok());
        if self.parcels.len() < MOST_PARCELS {
            self.parcels.push(Parcel { to, event });
        } else {
            self.interfered = true;
        }
    }

    /// The line's name at that side: whoever gives each side another name sees to it that packets still arrive.
    fn line_id_of(&self, name: Name) -> Option<LineId> {
        let line = match name {
            Name::Alice => self.alice.line.as_ref(),
            Name::Bob => self.bob.as_ref()?.line.as_ref(),
        };
        Some(line?.claims().line_id)
    }

    fn addressed(&self, to: Name, event: &[u8]) -> Vec<u8> {
        match (Event::decode(event), self.line_id_of(to)) {
            (Ok(Event::Packet { payload, .. }), Some(line_id)) => Event::Packet { line_id, payload }.to_vec(),
            _ => event.to_vec(),
        }
    }

    fn deliver(&mut self, crash: u8, to: Name, event: &[u8]) -> bool {
        let (event, now) = (self.addressed(to, event), self.now);
        match (to, &mut self.bob) {
            (Name::Alice, _) => self.alice.deliver(crash, &event, now),
            (Name::Bob, Some(bob)) => bob.deliver(crash, &event, now),
            (Name::Bob, None) => false,
        }
    }

    /// Delivers what no honest relay would.
    fn smuggle(&mut self, crash: u8, to: Name, event: &[u8]) {
        let moved = self.deliver(crash, to, event);
        self.interfered |= moved;
    }

    /// The same, of what holds a proof by somebody who never had this Port.
    fn smuggle_foreign(&mut self, crash: u8, to: Name, event: &[u8]) {
        let before = self.line(Name::Alice).map(rank::of);
        self.smuggle(crash, to, event);
        let after = self.line(Name::Alice).map(rank::of);
        assert!(before == after || after == Some(rank::CLOSED), "a proof without the Port was taken");
    }

    fn act(&mut self, action: u8, input: &mut Input<'_>) {
        let to = if action & side::BOB == 0 { Name::Alice } else { Name::Bob };
        let crash = action & 0xc0;
        let now = self.now;
        match action & 0x1f {
            op::NEXT => {
                if let Some(Parcel { to, event }) = self.parcels.get(self.next) {
                    let (to, event) = (*to, event.clone());
                    self.next += 1;
                    self.deliver(crash, to, &event);
                }
            }
            op::DROP => self.next = self.parcels.len().min(self.next + 1),
            op::AGAIN => {
                if let Some(Parcel { to, event }) = input.pick(&self.parcels) {
                    let (to, event) = (*to, event.clone());
                    self.deliver(crash, to, &event);
                }
            }
            op::MISDELIVER => {
                if let Some(Parcel { event, .. }) = input.pick(&self.parcels) {
                    let event = event.clone();
                    self.smuggle(crash, to, &event);
                }
            }
            op::FLIP => {
                if let Some(Parcel { to, event }) = input.pick(&self.parcels) {
                    let (to, mut event) = (*to, self.addressed(*to, event));
                    flip(&mut event, input.u16());
                    // Not addressed once more: the name may be what was flipped.
                    let moved = match (to, &mut self.bob) {
                        (Name::Alice, _) => self.alice.deliver(crash, &event, now),
                        (Name::Bob, Some(bob)) => bob.deliver(crash, &event, now),
                        (Name::Bob, None) => false,
                    };
                    let sealed =
                        matches!(Event::decode(&event), Ok(Event::Packet { payload, .. }) if is_sealed(payload));
                    // Past its deadline a line closes, whatever it is that wakes it.
                    assert!(!(moved && sealed) || now > NOW, "a damaged packet opened");
                    self.interfered |= moved;
                }
            }
            op::FORGE_FORMED => {
                let how = input.byte();
                let mut line_id = LINE_ID;
                line_id[0] ^= how & 3;
                let mut pair_hash = PAIR_HASH;
                pair_hash[0] ^= how >> 2 & 3;
                let foreign = how >> 4 & 3 == 1;
                let proof = match how >> 4 & 3 {
                    0 => None,
                    1 => Some(foreign_proof()),
                    _ => self.proof(),
                };
                let event = Event::LineFormed {
                    line_link: LINE_LINK.into(),
                    line_id: line_id.into(),
                    pair_hash: pair_hash.into(),
                    proof,
                };
                if foreign {
                    self.smuggle_foreign(crash, to, &event.to_vec());
                } else {
                    self.smuggle(crash, to, &event.to_vec());
                }
            }
            op::FORGE_REFUSED => {
                let reasons = [Reason::Unknown, Reason::Claimed, Reason::Yours, Reason::Closed, Reason::Expired];
                let reason = reasons[usize::from(input.byte()) % reasons.len()];
                self.smuggle(crash, to, &Event::Refused { line_link: LINE_LINK.into(), reason }.to_vec());
            }
            op::FORGE_DISCONNECTED => {
                let mut line_id = LINE_ID;
                line_id[0] ^= input.byte() & 3;
                self.smuggle(crash, to, &Event::Disconnected { line_id: line_id.into() }.to_vec());
            }
            op::FORGE_ISSUED => {
                let mut line_link = LINE_LINK;
                line_link[0] ^= input.byte() & 3;
                let request_id: [u8; 16] = SEED_ALICE[48..].try_into().expect("16 bytes");
                let event = Event::LineLinkIssued { request_id: request_id.into(), line_link: line_link.into() };
                self.smuggle(crash, to, &event.to_vec());
            }
            op::FORGE_PROOF => {
                let payload = Payload::Proof { proof: foreign_proof() }.to_vec();
                let event = Event::Packet { line_id: LINE_ID.into(), payload: &payload };
                self.smuggle_foreign(crash, to, &event.to_vec());
            }
            op::RAW => {
                let length = usize::from(input.byte());
                let event = input.take(length);
                // The fuzzer remembers packets of other schedules, which have the same keys. `line_open` knows how not to.
                if !matches!(Event::decode(event), Ok(Event::Packet { payload, .. }) if is_sealed(payload)) {
                    self.smuggle(crash, to, event);
                }
            }
            op::CLOCK => {
                self.now = UnixSeconds(now.0.saturating_add(1 << (input.byte() % 40)));
                self.interfered = true;
            }
            op::HONEST => self.honest(),
            user => {
                let argument = if user == op::SEAL { input.byte() } else { 0 };
                match (to, &mut self.bob) {
                    (Name::Bob, None) if user == op::SCAN => self.scan(),
                    (Name::Bob, None) => {}
                    (Name::Bob, Some(bob)) if user == op::CONNECT => {
                        let how = self.send_proof;
                        bob.step_user(crash, |bob, _| bob.connect(how, now));
                    }
                    (Name::Bob, Some(bob)) => {
                        self.interfered |= command(bob, user, crash, now, &words(to, &mut self.serial, argument));
                    }
                    (Name::Alice, _) => {
                        let words = words(to, &mut self.serial, argument);
                        self.interfered |= command(&mut self.alice, user, crash, now, &words);
                    }
                }
            }
        }
        self.relay();
        self.check();
    }

    /// Bob reads Alice's Port, which they share face to face.
    fn scan(&mut self) {
        if let Some(port) = &self.alice.shown {
            let port = Port::from_bytes(port).expect("Alice made it");
            self.bob = Some(Person::new(Bob::scan(port, Seed::from_bytes(&SEED_BOB))));
        }
    }

    /// Bob's, if the relay has seen it.
    fn proof(&self) -> Option<Proof> {
        self.requests.iter().find_map(|request| match Request::decode(request) {
            Ok(Request::Connect { proof, .. }) => proof,
            Ok(Request::Packet { payload, .. }) => match Payload::decode(payload) {
                Ok(Payload::Proof { proof }) => Some(proof),
                _ => None,
            },
            _ => None,
        })
    }

    fn honest(&mut self) {
        loop {
            self.relay();
            if self.bob.is_none() {
                self.scan();
            }
            if let Some(bob) = &mut self.bob {
                let (how, now) = (self.send_proof, self.now);
                bob.step_user(crash::NOT, |bob, _| bob.connect(how, now));
                bob.settle_user(crash::NOT);
                bob.settle_line(crash::NOT);
            }
            self.alice.settle_user(crash::NOT);
            self.alice.settle_line(crash::NOT);
            self.relay();
            let Some(Parcel { to, event }) = self.parcels.get(self.next) else { return };
            let (to, event) = (*to, event.clone());
            self.next += 1;
            self.deliver(crash::NOT, to, &event);
        }
    }

    /// Whatever was lost, late, out of order or repeated, whoever crashed: it comes to a good end. The relay keeps its own
    /// events for them; what goes along the line and was lost, they send again.
    fn complete(&mut self) {
        for _ in 0..2 {
            self.parcels.retain(|parcel| !matches!(Event::decode(&parcel.event), Ok(Event::Packet { .. })));
            self.next = 0;
            self.alice.resend();
            if let Some(bob) = &mut self.bob {
                bob.resend();
            }
            self.honest();
            self.check();
        }
        let (Some(alice), Some(bob)) = (&self.alice.line, self.bob.as_ref().and_then(|bob| bob.line.as_ref())) else {
            panic!("nobody interfered, and there is no line");
        };
        assert_eq!((alice.phase(), bob.phase()), (LinePhase::Confirmed, LinePhase::Confirmed));
        assert_eq!((unsent(alice), unsent(bob)), (vec![], vec![]), "confirmed, and still asking");
    }

    fn check(&mut self) {
        self.alice.check(&SEED_ALICE[..32], &SEED_ALICE[32..48]);
        let Some(bob) = &mut self.bob else { return };
        bob.check(&SEED_BOB[..32], &SEED_ALICE[32..48]);
        assert!(self.alice.heard.is_subset(&bob.sealed), "Alice heard what Bob did not say");
        assert!(bob.heard.is_subset(&self.alice.sealed), "Bob heard what Alice did not say");

        let bob = bob.line.as_ref();
        let alice = self.alice.line.as_ref();
        for (here, there) in [(alice, bob), (bob, alice)] {
            let Some(confirmed) = here.and_then(Line::confirmed) else { continue };
            let there = there.expect("confirmed: there is somebody").claims();
            assert_eq!((confirmed.line_id, confirmed.pair_hash), (there.line_id, there.pair_hash));
        }
        if let (Some(alice), Some(bob)) = (alice.and_then(Line::check_code), bob.and_then(Line::check_code)) {
            assert!(alice == bob, "two check codes");
            assert_eq!(alice.to_string().len(), 47);
        }
    }

    pub fn parcels(&self) -> &[Parcel] {
        &self.parcels
    }

    pub fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }

    /// Every record that either side ever kept.
    pub fn records(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.alice.store.history.iter().chain(self.bob.iter().flat_map(|bob| &bob.store.history))
    }

    pub const fn line(&self, name: Name) -> Option<&Line> {
        match (name, &self.bob) {
            (Name::Alice, _) => self.alice.line.as_ref(),
            (Name::Bob, Some(bob)) => bob.line.as_ref(),
            (Name::Bob, None) => None,
        }
    }

    /// Messages that arrived: at Alice, at Bob.
    pub fn heard(&self) -> (usize, usize) {
        (self.alice.heard.len(), self.bob.as_ref().map_or(0, |bob| bob.heard.len()))
    }
}

/// Whether somebody ended something.
fn command<M: User>(side: &mut Person<M>, op: u8, crash: u8, now: UnixSeconds, words: &[u8]) -> bool {
    match op {
        op::TICK_USER => return side.step_user(crash, |user, _| user.tick(now).ok_or(())),
        op::TICK_LINE => return side.step_line(crash, |line, _| line.tick(now).ok_or(())),
        op::STOP => return side.step_user(crash, |user, _| user.stop()),
        op::CLOSE => return side.step_line(crash, |line, _| line.close()),
        op::CRASH => side.restart(),
        op::RESEND => side.resend(),
        op::SEAL => side.seal(crash, words),
        op::SETTLE_USER => side.settle_user(crash),
        op::SETTLE_LINE => side.settle_line(crash),
        _ => {}
    }
    false
}

/// No two alike, so that one that comes twice is seen.
fn words(name: Name, serial: &mut u32, length: u8) -> Vec<u8> {
    *serial += 1;
    let mut words = format!("{name:?} {serial}").into_bytes();
    words.extend((0..length).map(|_| b'.'));
    words
}

fn is_sealed(payload: &[u8]) -> bool {
    matches!(Payload::decode(payload), Ok(Payload::Sealed { .. }))
}

/// A good proof, for another Port.
fn foreign_proof() -> Proof {
    static PROOF: OnceLock<Proof> = OnceLock::new();
    let prove = || {
        let alice = Alice::offer(LINE_LINK.into(), Offer::new(), Seed::from_bytes(&counting(151))).commit();
        let port = alice.port().expect("on offer").clone();
        let mut bob = Bob::scan(port, Seed::from_bytes(&counting(201))).commit();
        let effects = bob.connect(SendProof::OnBoard, NOW).expect("not used").commit();
        let requests: Vec<_> = effects.map(Bob::said).collect();
        let [Said::Send(request)] = &requests[..] else { panic!("one request") };
        let Ok(Request::Connect { proof: Some(proof), .. }) = Request::decode(request) else {
            panic!("a proof on board")
        };
        proof
    };
    PROOF.get_or_init(prove).clone()
}

/// A schedule, to its end. Gives the world as it is then.
pub fn run(data: &[u8]) -> World {
    let mut input = Input(data);
    let mut world = World::new(input.byte());
    for _ in 0..MOST_ACTIONS {
        let Some(action) = input.next() else { break };
        world.act(action, &mut input);
    }
    world
}

/// `true` if it ended with both sides confirmed.
pub fn drive_pair(data: &[u8]) -> bool {
    let mut world = run(data);
    let confirmed = world.line(Name::Alice).zip(world.line(Name::Bob)).map(|(a, b)| a.confirmed().zip(b.confirmed()));
    if !world.interfered {
        world.complete();
    }
    confirmed.flatten().is_some()
}
