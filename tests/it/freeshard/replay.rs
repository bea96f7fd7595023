//! Nothing is taken twice (§19.7).

use port_protocol::DecodeError;
use port_protocol::portal::freeshard::{BadSignature, Client, Decision, Mark, Mode, Peers, ReplayMemory};

use super::{Seen, T0, ask, call, peers};

const DAY: u64 = 24 * 60 * 60;

fn outcome(decision: &Decision<'_>) -> Result<Mark, BadSignature> {
    match &decision.client {
        Some(Client::Anonymous(why)) => Err(*why),
        _ => Ok(decision.mark.unwrap()),
    }
}

fn requests(count: usize) -> Vec<Seen> {
    (0..count).map(|at| Seen::new(&call("POST", &format!("/peer/{at}"), b"hello"))).collect()
}

fn take(peers: &Peers, seen: &Seen, now: u64, memory: &mut ReplayMemory) -> Result<Mark, BadSignature> {
    outcome(&ask(peers, seen, None, now, memory))
}

#[test]
fn r19_7_once() {
    let (peers, requests) = (peers(Mode::Strict, &["Alice"]), requests(2));
    let mut memory = ReplayMemory::new(9);
    take(&peers, &requests[0], T0, &mut memory).unwrap();
    for now in [T0, T0 + 1, T0 - 5, T0 + DAY + 5] {
        assert_eq!(take(&peers, &requests[0], now, &mut memory), Err(BadSignature::Replayed));
    }
    // Another writing of the same signature is the same.
    let spaced = requests[0].get("Signature").replace("pyhms=", "pyhms=:AAAA:, pyhms=") + ";again  ";
    let spaced = requests[0].with("Signature", Some(&spaced));
    assert_eq!(take(&peers, &spaced, T0, &mut memory), Err(BadSignature::Replayed));
    assert_eq!(ask(&peers, &requests[0], None, T0, &mut memory).status.code(), 401);
    take(&peers, &requests[1], T0, &mut memory).unwrap();
    assert_eq!(memory.len(), 2);
}

/// What is refused is not remembered: a request that may not pass burns nothing.
#[test]
fn r19_7_only_what_passes_is_remembered() {
    let peers = peers(Mode::Strict, &["Alice"]);
    let mut memory = ReplayMemory::new(9);
    let seen = Seen::new(&call("GET", "/private", b""));
    let decision = ask(&peers, &seen, None, T0, &mut memory);
    assert_eq!((decision.status.code(), decision.mark), (401, None));
    let seen = Seen::new(&call("GET", "/peer/x", b""));
    let bad = seen.with("Date", Some("x"));
    assert_eq!(ask(&peers, &bad, None, T0, &mut memory).status.code(), 401);
    assert!(memory.is_empty());
    assert!(take(&peers, &seen, T0, &mut memory).is_ok());
}

/// Full is full, for this peer, until the oldest are over.
#[test]
fn r19_7_full() {
    let (peers, requests) = (peers(Mode::Strict, &["Alice", "Carol"]), requests(3));
    let mut memory = ReplayMemory::new(2);
    take(&peers, &requests[0], T0, &mut memory).unwrap();
    take(&peers, &requests[1], T0, &mut memory).unwrap();
    assert_eq!(take(&peers, &requests[2], T0, &mut memory), Err(BadSignature::MemoryFull));
    assert_eq!(take(&peers, &requests[2], T0 + DAY + 5, &mut memory), Err(BadSignature::MemoryFull));
    assert_eq!(take(&peers, &requests[0], T0, &mut memory), Err(BadSignature::Replayed));
    assert_eq!(memory.len(), 2);
    assert_eq!(take(&peers, &requests[2], T0, &mut ReplayMemory::new(0)), Err(BadSignature::MemoryFull));
    // Carol has a share of its own.
    let carol = super::Sender { key: super::key("Carol"), app: "chat", zone: super::ZONE };
    let bob = super::peers(Mode::Strict, &["Bob"]);
    let sent = carol.call(&bob.rows()[0], "GET", "/peer/x", b"", super::at(T0), &mut rand::rng()).unwrap();
    take(&peers, &Seen::new(&sent), T0, &mut memory).unwrap();
}

/// What makes room is forgotten, but not taken again: not even if the clock goes back.
#[test]
fn r19_7_forgotten_is_not_taken_again() {
    let (peers, old) = (peers(Mode::Strict, &["Alice"]), requests(1).remove(0));
    let (alice, bob) = (
        super::Sender { key: super::key("Alice"), app: "chat", zone: super::ZONE },
        super::peers(Mode::Strict, &["Bob"]),
    );
    let later = T0 + DAY + 6;
    let sent = alice.call(&bob.rows()[0], "GET", "/peer/x", b"", super::at(later), &mut rand::rng()).unwrap();
    let mut memory = ReplayMemory::new(1);
    take(&peers, &old, T0, &mut memory).unwrap();
    take(&peers, &Seen::new(&sent), later, &mut memory).unwrap();
    for mut memory in [
        memory.clone(),
        ReplayMemory::restore(1, &memory.to_bytes()).unwrap(),
        ReplayMemory::restore(9, &memory.to_bytes()).unwrap(),
    ] {
        assert_eq!(take(&peers, &old, T0, &mut memory), Err(BadSignature::Replayed));
    }
}

/// After a crash, all that was stored is remembered: from one piece, from marks one by one, and from both.
#[test]
fn r19_7_a_crash() {
    let (peers, requests) = (peers(Mode::Strict, &["Alice"]), requests(3));
    let mut memory = ReplayMemory::new(9);
    let first = take(&peers, &requests[0], T0, &mut memory).unwrap();
    let piece = memory.to_bytes();
    let second = take(&peers, &requests[1], T0, &mut memory).unwrap();
    assert_eq!(Mark::LENGTH, 57);
    let one_by_one = [first.to_bytes(), second.to_bytes()].concat();
    for stored in [memory.to_bytes(), one_by_one, [piece, second.to_bytes().to_vec()].concat()] {
        let mut restored = ReplayMemory::restore(9, &stored).unwrap();
        assert_eq!(restored, memory);
        for request in &requests[..2] {
            assert_eq!(take(&peers, request, T0, &mut restored), Err(BadSignature::Replayed));
        }
        take(&peers, &requests[2], T0, &mut restored).unwrap();
        // Less room than before: nothing is forgotten, and nothing more is taken.
        let mut smaller = ReplayMemory::restore(1, &stored).unwrap();
        assert_eq!(smaller.len(), 2);
        assert_eq!(take(&peers, &requests[0], T0, &mut smaller), Err(BadSignature::Replayed));
        assert_eq!(take(&peers, &requests[2], T0, &mut smaller), Err(BadSignature::MemoryFull));
    }
    let stored = memory.to_bytes();
    let cut = ReplayMemory::restore(9, &stored[..stored.len() - 1]).unwrap();
    assert_eq!(cut.len() + 1, memory.len());
    for bad in [&stored[1..], &[&[2], &stored[1..]].concat(), &[&[0], &stored[1..57]].concat()] {
        assert_eq!(ReplayMemory::restore(9, bad), Err(DecodeError::Malformed));
    }
}

/// As built, a request is taken as often as it comes.
#[test]
fn r19_7_as_built_takes_it_again() {
    let (peers, seen) = (peers(Mode::AsBuilt, &["Alice"]), requests(1).remove(0));
    let mut memory = ReplayMemory::new(9);
    for now in [T0, T0, T0 + DAY] {
        let decision = ask(&peers, &seen, None, now, &mut memory);
        assert_eq!((decision.status.code(), decision.mark), (200, None));
    }
    assert!(memory.is_empty());
}
