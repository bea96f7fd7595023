//! All that can be sent, told and asked for, by names and numbers that are small enough to enumerate.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use port_protocol::*;

use super::common::cbor::Cbor;
use super::common::{Effect, bad_proof};
use super::ledger::Kept;

/// A world of Ports for one has two names for lines, one for many three; both have two marks: the right one, and another. A contact's line
/// has a name of its own, and so has a line from elsewhere.
pub type User = u8;
pub type Id = u8;

pub fn link(n: Id) -> LineLink {
    [0xA0 + n; 16].into()
}

pub fn line_id(n: Id) -> LineId {
    [0xB0 + n; 16].into()
}

pub fn mark(n: Id) -> PeerMark {
    [0xC0 + n; 32].into()
}

/// Of somebody: no two are alike.
pub const fn seed_bytes(user: User, n: u8) -> [u8; 64] {
    [16 * user + n; 64]
}

pub fn seed_of(user: User, n: u8) -> Seed {
    Seed::from_bytes(&seed_bytes(user, n))
}

/// Of this user's scan.
pub fn request_id(user: User, scan: u8) -> RequestId {
    [16 * user + scan; 16].into()
}

pub const fn number(name: &[u8; 16]) -> Id {
    name[0] & 0x0f
}

/// What somebody sent, and so the relay knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fact {
    IssueLineLink { by: User },
    Connect { by: User, link: Id, scan: u8, proof: Option<Number> },
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
    /// kind.
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
    /// To an Alice. `stored`: of which Port the user has a line of this name.
    Formed {
        line: Id,
        mark: Id,
        proof: Option<Number>,
        stored: Option<PortHash>,
    },
    /// To a Bob, as the answer to this scan of its Port.
    Connected {
        line: Id,
        mark: Id,
        scan: u8,
        stored: Option<PortHash>,
    },
    /// The same.
    Refused(Reason, u8),
    LinkLost,
    Packet(Number),
    Disconnected,
    Connect(SendProof),
    Says,
    /// Read the Port again.
    ScansAgain,
    Policy(Change),
    /// Revoke, cancel or close.
    GivesUp,
    Deadline,
    /// Somebody comes to a contact port, whose owner has these rows, a bit each, and a line of this name of that Port.
    Comes {
        line: Id,
        mark: Id,
        proof: Option<Number>,
        rows: u32,
        stored: Option<PortHash>,
    },
    /// The owner hears of a ticket, along this line, and has so many rows.
    Hears {
        row: TicketRow,
        from: Id,
        rows: u8,
    },
    /// An introduction for the other end of the line.
    Seals(Said),
    /// An introducer hears that.
    Said(Said),
    /// And makes a ticket, of this seed; it may expire when a Port does.
    Introduces {
        n: u8,
        expires: bool,
    },
    /// And the relay has word of it for the owner.
    HandedOver,
}

/// A row of tickets by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TicketRow(pub u8);

/// A Port's bytes by their number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shown(u8);

/// An introduction (§16.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Said {
    Grant(Shown),
    Ticket(TicketRow),
    Withdrawn(Id),
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
    /// It is over.
    Ended,
    /// The other end of the line said this.
    Heard(Said),
    /// First an introducer says this, along its line with the Port's owner.
    Tell(Said),
    /// Then it hands this to the guest.
    Hand(Shown),
}

/// Bytes that were seen, by number.
#[derive(Default)]
pub struct Seen {
    pub faces: HashMap<(User, Vec<u8>), Kept>,
    /// Every other one is the altered form of the one before.
    payloads: Vec<Vec<u8>>,
    rows: Vec<&'static TicketNotice>,
    ports: Vec<Vec<u8>>,
}

/// The Ports that are scanned again, by their links.
static PORTS: LazyLock<Mutex<HashMap<RecordKey, Port>>> = LazyLock::new(Mutex::default);

pub fn remember(port: &Port) {
    let key = RecordKey::LineLink(port.line_link());
    PORTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key, port.clone());
}

pub fn port_of(key: RecordKey) -> Option<Port> {
    PORTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key).cloned()
}

static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);

/// What the relay can make by itself.
pub static FORGED: LazyLock<Vec<Number>> = LazyLock::new(|| {
    let nonce = Nonce { epoch: 0, counter: 0 };
    let sealed = |kind| Payload::Sealed { kind, nonce, ciphertext: &[0; 16] };
    let payloads = [Payload::Proof { proof: bad_proof() }, sealed(PacketKind::Confirm), sealed(PacketKind::Message)];
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
                let kind = value.at(&[1, 1]).uint() % 5 + 1;
                value.with(&[1, 1], Cbor::Uint(kind))
            };
            self.payloads.extend([payload.to_vec(), altered.write()]);
        }
        Number { at, is_proof }
    }

    pub fn payload(&self, number: Number) -> Vec<u8> {
        self.payloads[usize::from(number.at)].clone()
    }

    pub fn proof(&self, number: Number) -> Proof {
        match Payload::decode(&self.payloads[usize::from(number.at)]) {
            Ok(Payload::Proof { proof }) => proof,
            other => panic!("no proof: {other:?}"),
        }
    }
}

pub fn seen() -> std::sync::MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Where this one stands, behind all others if it is new.
fn place<T: PartialEq>(all: &mut Vec<T>, one: T) -> u8 {
    let place = all.iter().position(|known| *known == one).unwrap_or(all.len());
    if place == all.len() {
        all.push(one);
    }
    place as u8
}

impl TicketRow {
    pub fn of(told: &TicketNotice) -> Self {
        let mut seen = seen();
        let known = seen.rows.iter().position(|known| *known == told).map(|known| known as u8);
        Self(known.unwrap_or_else(|| {
            assert!(seen.rows.len() < 32, "more rows than bits");
            place(&mut seen.rows, Box::leak(Box::new(told.clone())))
        }))
    }

    pub fn get(self) -> &'static TicketNotice {
        seen().rows[usize::from(self.0)]
    }

    pub fn link(self) -> Id {
        number(self.get().line_link.as_bytes())
    }
}

impl Shown {
    pub fn of(port: &[u8]) -> Self {
        Self(place(&mut seen().ports, port.to_vec()))
    }

    pub fn bytes(self) -> Vec<u8> {
        seen().ports[usize::from(self.0)].clone()
    }
}

impl Said {
    pub fn of(introduction: &IntroducerMessage<'_>) -> Self {
        match introduction {
            IntroducerMessage::Grant { port } => Self::Grant(Shown::of(port)),
            IntroducerMessage::Ticket(told) => Self::Ticket(TicketRow::of(told)),
            IntroducerMessage::Withdrawn { line_link } => Self::Withdrawn(number(line_link.as_bytes())),
            other => panic!("an introduction that this model does not know: {other:?}"),
        }
    }

    pub fn to_vec(self) -> Vec<u8> {
        match self {
            Self::Grant(port) => IntroducerMessage::Grant { port: &port.bytes() }.to_vec(),
            Self::Ticket(row) => IntroducerMessage::Ticket(row.get().clone()).to_vec(),
            Self::Withdrawn(of) => IntroducerMessage::Withdrawn { line_link: link(of) }.to_vec(),
        }
    }
}

/// What anybody knows who tells somebody something: these payloads and proofs, so many names for lines, and so many scans of one Port.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Knowing {
    pub numbers: Vec<Number>,
    pub lines: Id,
    pub scans: u8,
    /// Of which Ports the user has lines of these names.
    pub stored: [Option<PortHash>; 3],
    /// The rows of a contact port's owner, a bit each.
    pub rows: Option<u32>,
}

/// The two marks.
pub const MARK: Id = 1;
const FALSE_MARK: Id = 2;

/// All that can be told.
pub fn all_told(Knowing { numbers: known, lines, scans, stored, rows }: &Knowing) -> Vec<Told> {
    let numbers = || known.iter().flat_map(|number| [*number, number.altered()]).chain(FORGED.iter().copied());
    let proofs = || numbers().filter(|number| number.is_proof).map(Some).chain([None]);
    let formed = |line, mark| {
        let stored = stored[usize::from(line) - 1];
        move |proof| match *rows {
            Some(rows) => Told::Comes { line, mark, proof, rows, stored },
            None => Told::Formed { line, mark, proof, stored },
        }
    };
    let mut all: Vec<_> = numbers().map(Told::Packet).collect();
    all.extend([1, 2].map(|link| Told::Issued { link }));
    for line in 1..=*lines {
        for mark in [MARK, FALSE_MARK] {
            all.extend(proofs().map(formed(line, mark)));
            let stored = stored[usize::from(line) - 1];
            all.extend((1..=*scans).map(|scan| Told::Connected { line, mark, scan, stored }));
        }
    }
    for scan in 1..=*scans {
        let used_by_you = (*scans > 1).then_some(Reason::UsedByYou);
        let reasons = [Reason::UsedByAnother, Reason::Unknown].into_iter().chain(used_by_you);
        all.extend(reasons.map(|reason| Told::Refused(reason, scan)));
    }
    all.extend((*scans > 1).then_some(Told::ScansAgain));
    all.push(Told::LinkLost);
    all.extend([SendProof::Inline, SendProof::AlongTheLine].map(Told::Connect));
    all.extend([Change::Pause, Change::Resume, Change::Lower, Change::Raise].map(Told::Policy));
    all.extend([Told::Disconnected, Told::Says, Told::GivesUp, Told::Deadline]);
    all
}

pub fn fact(by: User, request: &[u8]) -> Fact {
    match Request::decode(request).unwrap() {
        Request::IssueLineLink { .. } => Fact::IssueLineLink { by },
        Request::Connect { line_link, request_id, proof } => {
            let proof = proof.map(|proof| seen().number(&Payload::Proof { proof }.to_vec()));
            Fact::Connect { by, link: number(line_link.as_bytes()), scan: number(request_id.as_bytes()), proof }
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
pub fn words(user: User) -> Vec<u8> {
    vec![user; 3]
}

pub fn act(user: User, effect: Effect) -> Act {
    match effect {
        // What the relay makes of it is no matter: it may bring anybody.
        Effect::Send(request) if matches!(Request::decode(&request), Ok(Request::SetLineLink { .. })) => Act::Show,
        Effect::Send(request) => Act::Send(fact(user, &request)),
        Effect::LineFormed(line) => Act::Adopt(Kept::of(user, &line.record())),
        Effect::Message(text) => {
            assert_eq!(text, words(text[0]), "words that nobody said");
            Act::Hear(text[0])
        }
        Effect::IntroducerMessage(said) => Act::Heard(Said::of(&IntroducerMessage::decode(&said).unwrap())),
        Effect::Ended(_) => Act::Ended,
        Effect::PortReady(_) | Effect::PacketsLost | Effect::AwaitingApproval => Act::Show,
        Effect::Link(_) => unreachable!("nobody has a pool here"),
    }
}
