//! Our two Portals.

use std::cell::RefCell;
use std::rc::Rc;

use port_protocol::X25519Backend;

use crate::portal::{InMemory, Keep, Nowhere, Side, exchange};
use crate::{BODY, Contestant, Group, bare, snows};

/// A path and a query of 1 KiB.
fn target() -> String {
    format!("/peer/{}", "a".repeat(1_018))
}

/// The first request of a session: Opening and Opened.
pub fn first_requests() -> Vec<Group> {
    let contestants = vec![
        snows::first("snow 0.10 IK, its default resolver"),
        first::<Nowhere>("ours, x25519-dalek, store that keeps nothing", true),
        first::<InMemory>("ours, x25519-dalek, store in memory", true),
        first::<InMemory>("ours, graviola, store in memory", false),
        snows::first_of_clatter("clatter 2.3 IK"),
        bare::x25519("  X25519 alone, x25519-dalek 3"),
    ];
    let title = "First request of a session: GET with 1 KiB of target, answer of 1 KiB; both ends; against snow";
    vec![Group { title, reference: 1, rounds: 200, repeats: 1, contestants }]
}

fn first<S: Keep + Default + 'static>(name: &'static str, is_dalek: bool) -> Contestant {
    let pair = Rc::new(RefCell::new(Side::<S>::pair()));
    let (fresh, target) = (pair.clone(), target());
    let work = move || exchange(&mut pair.borrow_mut(), "GET", &target, [b"", &BODY]);
    let mut contestant = if is_dalek {
        let mut work = work;
        Contestant::new(name, move || X25519Backend::with_dalek(&mut work))
    } else {
        Contestant::new(name, work)
    };
    contestant.prepare = Box::new(move || fresh.borrow_mut().iter_mut().for_each(Side::forget));
    contestant
}

/// A request on a standing session.
pub fn exchanges() -> Vec<Group> {
    let contestants = vec![
        bare::passes("four passes of the bare AEAD"),
        bare::parsing("the messages and what they carry parsed, apart"),
        bare::texts("HTTP's texts parsed, apart"),
        standing::<Nowhere>("ours, store that keeps nothing"),
        standing::<InMemory>("ours, store in memory"),
        snows::standing("snow's stateless transport, nothing parsed or kept"),
    ];
    let title = "A request of 1 KiB and an answer of 1 KiB on a standing session; both ends; against the sum of the first three rows";
    vec![Group { title, reference: 3, rounds: 200, repeats: 100, contestants }]
}

fn standing<S: Keep + Default + 'static>(name: &'static str) -> Contestant {
    let mut pair = opened::<S>();
    Contestant::new(name, move || post(&mut pair))
}

/// Two Portals with a session.
pub fn opened<S: Keep + Default>() -> [Side<S>; 2] {
    let mut pair = Side::pair();
    exchange(&mut pair, "GET", "/peer", [b"", b""]);
    pair
}

pub fn post<S: Keep + Default>(pair: &mut [Side<S>; 2]) {
    exchange(pair, "POST", "/peer/notes/add", [&BODY, &BODY]);
}

pub fn sizes() {
    let [a, _] = Side::<InMemory>::pair();
    println!("\nA peer's record here: {} bytes", a.record.len());
}
