//! Honest runs, every event of one, every state that there is.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use port_protocol::*;

use super::cbor::Cbor;
use super::*;

/// What is worked out once in a process, and is the same each time (§8.5).
pub struct Made<K, T>(Mutex<Vec<(K, T)>>);

impl<K: PartialEq, T: Clone> Made<K, T> {
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Who comes while it is worked out, works it out as well: making one may need another.
    pub fn get(&self, key: K, make: impl FnOnce(&K) -> T) -> T {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock().iter().find(|(known, _)| *known == key).map(|(_, made)| made.clone());
        found.unwrap_or_else(|| {
            let made = make(&key);
            lock().push((key, made.clone()));
            made
        })
    }
}

pub const NOW: UnixSeconds = at(1_800_000_000);
/// When the Ports of these tests expire, if they do.
pub const EXPIRY: UnixSeconds = at(NOW.as_secs() + 1_000);
pub const DAY: u64 = 24 * 60 * 60;
pub const WEEK: u64 = 7 * DAY;

pub fn line_link() -> LineLink {
    [0xA1; 16].into()
}

pub fn line_id() -> LineId {
    [0xB2; 16].into()
}

/// What the relay calls Bob, towards Alice.
pub fn peer() -> PeerMark {
    [0xC3; 32].into()
}

/// What the relay calls Alice, towards Bob.
pub fn maker() -> PeerMark {
    [0xC4; 32].into()
}

/// The request id of the machine of seed `n`.
pub fn request_id(n: u8) -> RequestId {
    <[u8; 16]>::try_from(&seed_bytes(n)[48..]).unwrap().into()
}

/// 64 bytes, all different.
pub fn seed_bytes(n: u8) -> [u8; 64] {
    std::array::from_fn(|i| n.wrapping_mul(64).wrapping_add(i as u8))
}

pub fn seed(n: u8) -> Seed {
    Seed::from_bytes(&seed_bytes(n))
}

pub fn expiring() -> PortOptions {
    PortOptions::new().expires(EXPIRY)
}

/// Every optional field, as long as it can be.
pub fn longest() -> PortOptions {
    PortOptions::new().expires(UnixSeconds::MAX).relay(RelayAddr::new(&"r".repeat(64)).unwrap())
}

pub fn link_issued() -> Vec<u8> {
    Event::LineLinkIssued { request_id: request_id(1), line_link: line_link() }.to_vec()
}

pub fn line_formed(proof: Option<Proof>) -> Vec<u8> {
    Event::LineFormed { line_link: line_link(), line_id: line_id(), peer: peer(), proof }.to_vec()
}

/// To the Bob of seed 2.
pub fn line_connected() -> Vec<u8> {
    line_connected_to(2, line_id())
}

/// To the Bob of seed `n`.
pub fn line_connected_to(n: u8, line_id: LineId) -> Vec<u8> {
    Event::Connected { line_link: line_link(), request_id: request_id(n), line_id, peer: maker() }.to_vec()
}

/// To the Bob of seed 2.
pub fn refused(reason: Reason) -> Vec<u8> {
    refused_by(2, reason)
}

/// To the Bob of seed `n`.
pub fn refused_by(n: u8, reason: Reason) -> Vec<u8> {
    Event::Refused { line_link: line_link(), request_id: request_id(n), reason }.to_vec()
}

/// What the relay tells both, Alice and Bob, when this request forms this line.
pub fn formed_of(connect: &[u8], line_id: LineId) -> [Vec<u8>; 2] {
    match Request::decode(connect) {
        Ok(Request::Connect { line_link, request_id, proof }) => [
            Event::LineFormed { line_link, line_id, peer: peer(), proof }.to_vec(),
            Event::Connected { line_link, request_id, line_id, peer: maker() }.to_vec(),
        ],
        other => panic!("no Connect: {other:?}"),
    }
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

pub fn offered(options: PortOptions) -> Alice {
    Alice::offer(line_link(), options, seed(1)).committed()
}

pub fn port(options: PortOptions) -> Port {
    static PORTS: Made<PortOptions, Port> = Made::new();
    PORTS.get(options, |options| offered(options.clone()).port().unwrap().clone())
}

pub fn scanned(options: PortOptions) -> Bob {
    Bob::scan(port(options), seed(2)).committed()
}

/// A proof of this Port by the Bob of seed `n`.
pub fn proof_by(n: u8, options: PortOptions) -> Proof {
    static PROOFS: Made<(u8, PortOptions), Proof> = Made::new();
    PROOFS.get((n, options), |(n, options)| {
        let mut bob = Bob::scan(port(options.clone()), seed(*n)).committed();
        let proof = bob.connect(SendProof::Inline, NOW).unwrap().committed().find_map(|effect| match effect {
            BobEffect::Send(Request::Connect { proof, .. }) => proof,
            _ => None,
        });
        proof.unwrap()
    })
}

pub fn proof(options: PortOptions) -> Proof {
    proof_by(2, options)
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

pub fn new_line(effects: Vec<Effect>) -> Line {
    let line = effects.into_iter().find_map(|effect| match effect {
        Effect::LineFormed(line) => Some(*line),
        _ => None,
    });
    line.unwrap()
}

/// Both ends as they are formed. With the proof along the line, Alice's awaits it.
pub fn lines(how: SendProof, options: PortOptions) -> (Any, Any) {
    static LINES: Made<(SendProof, PortOptions), (Any, Any)> = Made::new();
    LINES.get((how, options), |(how, options)| {
        let mut bob = Any::from(scanned(options.clone()));
        bob.takes(&Input::Connect(*how));
        let inline = (*how == SendProof::Inline).then(|| proof(options.clone()));
        let at_alice = new_line(Any::from(offered(options.clone())).takes(&Input::Event(line_formed(inline))));
        let at_bob = new_line(bob.takes(&Input::Event(line_connected())));
        (at_alice.into(), at_bob.into())
    })
}

/// Both ends joined, nothing delivered since.
pub fn joined() -> (Any, Any) {
    lines(SendProof::Inline, PortOptions::new())
}

/// Both ends confirmed, by Confirm and its answer.
pub fn confirmed() -> (Any, Any) {
    static CONFIRMED: Made<(), (Any, Any)> = Made::new();
    CONFIRMED.get((), |()| {
        let (mut alice, mut bob) = joined();
        let confirm = arrives(&alice.pending());
        let answer = arrives(&bob.takes(&Input::Event(confirm)));
        bob.takes(&Input::ClearOutbox);
        alice.takes(&Input::Event(answer));
        (alice, bob)
    })
}

/// The one packet among these effects, as it arrives.
#[track_caller]
pub fn arrives(effects: &[Effect]) -> Vec<u8> {
    let packets: Vec<_> = effects.iter().filter_map(Effect::arrives).collect();
    let [packet] = &packets[..] else { panic!("{} packets in {}", packets.len(), words(effects)) };
    packet.clone()
}

/// The payload that a step of [`Line::seal`] sends.
pub fn sealed_by(step: Step<'_, Line>) -> Vec<u8> {
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = step.committed().next() else { panic!("no packet") };
    payload.to_vec()
}

/// Seals, and gives what arrives.
pub fn says(line: &mut Any, text: &str) -> Vec<u8> {
    arrives(&line.takes(&Input::seal(text)))
}

/// Every event that one honest run knows, and some that are another's.
pub fn events(options: PortOptions) -> Vec<(&'static str, Vec<u8>)> {
    static EVENTS: Made<PortOptions, Vec<(&'static str, Vec<u8>)>> = Made::new();
    EVENTS.get(options, |options| all_events(options.clone()))
}

fn all_events(options: PortOptions) -> Vec<(&'static str, Vec<u8>)> {
    let good = proof(options.clone());
    let (mut alice, mut bob) = lines(SendProof::Inline, options.clone());
    let confirm = arrives(&alice.pending());
    let alice_early = says(&mut alice, "Alice's early message");
    let bob_early = says(&mut bob, "Bob's early message");
    let answer = arrives(&bob.takes(&Input::Event(confirm.clone())));
    let bob_message = says(&mut bob, "Bob's message");
    alice.takes(&Input::Event(answer.clone()));
    let alice_message = says(&mut alice, "Alice's message");
    let (alice_close, bob_close) = (arrives(&alice.takes(&Input::Close)), arrives(&bob.takes(&Input::Close)));

    let formed_as = |line_id: [u8; 16], line_link: LineLink, proof: Option<&Proof>| {
        let (line_id, proof) = (line_id.into(), proof.cloned());
        Event::LineFormed { line_link, line_id, peer: peer(), proof }.to_vec()
    };
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
        ("LineLinkLost", Event::LineLinkLost { line_link: line_link() }.to_vec()),
        ("LineLinkLost, another's", Event::LineLinkLost { line_link: other }.to_vec()),
        ("Connected", line_connected()),
        ("Connected again", line_connected_to(2, [0xEE; 16].into())),
        ("Connected, earlier scan", line_connected_to(3, line_id())),
        (
            "Connected, another's",
            Event::Connected { line_link: other, request_id: request_id(2), line_id: line_id(), peer: maker() }
                .to_vec(),
        ),
        ("Refused 1", refused(Reason::Unknown)),
        ("Refused 2", refused(Reason::UsedByAnother)),
        ("Refused 3", refused(Reason::UsedByYou)),
        ("Refused 4", refused(Reason::Closed)),
        ("Refused 5", refused(Reason::Expired)),
        ("Refused 6", refused(Reason::Paused)),
        ("Refused, earlier scan", refused_by(3, Reason::UsedByAnother)),
        (
            "Refused, another's",
            Event::Refused { line_link: other, request_id: request_id(2), reason: Reason::UsedByAnother }.to_vec(),
        ),
        ("Disconnected", Event::Disconnected { line_id: line_id() }.to_vec()),
        ("Disconnected, another's", Event::Disconnected { line_id: [0xEE; 16].into() }.to_vec()),
        ("Dropped", Event::Dropped { line_id: line_id() }.to_vec()),
        ("Dropped, another's", Event::Dropped { line_id: [0xEE; 16].into() }.to_vec()),
        ("Proof", packet(&Payload::Proof { proof: good })),
        ("Proof, bad", packet(&Payload::Proof { proof: bad_proof() })),
        ("Packet, another's", Event::Packet { line_id: [0xEE; 16].into(), payload: &payload_of(&confirm) }.to_vec()),
        ("Packet, no payload", Event::Packet { line_id: line_id(), payload: b"no payload" }.to_vec()),
        ("Alice's Confirm", confirm),
        ("Alice's EarlyMessage", alice_early),
        ("Alice's Message", alice_message),
        ("Alice's Close", alice_close),
        ("Bob's EarlyMessage", bob_early),
        ("Bob's Answer", answer),
        ("Bob's Message", bob_message),
        ("Bob's Close", bob_close),
    ]
}

/// Every state that any machine of this Port can reach by those events, by its user and by time.
pub fn states(options: PortOptions) -> BTreeMap<String, Any> {
    static REACHED: Made<PortOptions, Vec<Vec<u8>>> = Made::new();
    let records = REACHED.get(options, |options| reach(options.clone()));
    let machines = records.iter().map(|record| Any::restore(record).unwrap());
    machines.map(|machine| (machine.state(), machine)).collect()
}

pub fn pool(low: u8, full: u8) -> Pool {
    Pool::new(low, full, seed(3)).unwrap().committed()
}

/// The request ids that this machine asks with, in order.
pub fn requests(machine: &Any) -> Vec<RequestId> {
    let pending = machine.pending().into_iter();
    let ids = pending.filter_map(|effect| match effect {
        Effect::Send(request) => match Request::decode(&request) {
            Ok(Request::IssueLineLink { request_id }) => Some(request_id),
            _ => None,
        },
        _ => None,
    });
    ids.collect()
}

pub fn issued(request_id: RequestId, link: u8) -> Input {
    Input::Event(Event::LineLinkIssued { request_id, line_link: [link; 16].into() }.to_vec())
}

/// Pools with as many links as there can be, and with some of them popped.
pub fn pools() -> BTreeMap<String, Any> {
    let mut found = BTreeMap::new();
    for (low, full) in [(2, 3), (16, 16)] {
        let mut open = vec![Any::from(pool(low, full))];
        while let Some(machine) = open.pop() {
            if machine.revision() > 18 || found.contains_key(&machine.state()) {
                continue;
            }
            let link = u8::try_from(machine.revision()).unwrap();
            let answers = requests(&machine).into_iter().map(|request_id| issued(request_id, link));
            for input in answers.chain([Input::Pop]) {
                let mut next = machine.clone();
                if next.give(&input, NOW).is_ok() {
                    open.push(next);
                }
            }
            found.insert(machine.state(), machine);
        }
    }
    found
}

/// The record of each state.
pub fn reach(options: PortOptions) -> Vec<Vec<u8>> {
    let events = events(options.clone()).into_iter().map(|(_, event)| Input::Event(event));
    let inputs: Vec<_> = events.chain(Input::commands()).collect();
    let mut found = BTreeMap::new();
    let alice = Alice::request(options.clone(), seed(1)).committed();
    let mut open = VecDeque::from([Any::from(alice), scanned(options).into()]);
    while let Some(machine) = open.pop_front() {
        let Entry::Vacant(new) = found.entry(machine.state()) else { continue };
        new.insert(machine.record());
        for input in &inputs {
            for now in [NOW, at(2 * NOW.as_secs()), UnixSeconds::MAX] {
                let mut next = machine.clone();
                let Ok(effects) = (if *input == Input::Tick { next.ticks_out(now) } else { next.give(input, now) })
                else {
                    continue;
                };
                open.push_back(next);
                open.extend(effects.into_iter().filter_map(|effect| match effect {
                    Effect::LineFormed(line) => Some(Any::from(*line)),
                    _ => None,
                }));
            }
        }
    }
    found.into_values().collect()
}
