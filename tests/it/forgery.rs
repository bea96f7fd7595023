//! Every single-bit flip, everywhere: of every event in every state, on the way in every run, of every record.
#![cfg(feature = "alloc")]

use crate::common;
use crate::common::world::{ALICE, BOB, Faults, World};
use crate::common::*;
use port_protocol::*;

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// What may come of it.
#[derive(PartialEq, Eq, Debug)]
enum Allowed {
    /// Nothing has moved.
    Error(Rejected),
    /// The one state and the effects that the rule allows.
    Moves(String, String),
}

use Allowed::Error;

fn moves(to: &str, effects: &str) -> Allowed {
    Allowed::Moves(to.to_owned(), effects.to_owned())
}

/// What SPEC.md allows a machine in this state to make of `flipped`, one bit away from `honest`.
fn allowed(state: &str, machine: &Any, honest: &Event<'_>, flipped: &Result<Event<'_>, DecodeError>) -> Allowed {
    let flipped = match flipped {
        Ok(event) => event,
        Err(error) => return Error((*error).into()),
    };
    // Another link, request or line.
    if flipped.key() != machine.key() {
        return Error(Rejected::WrongMachine);
    }
    let stray = |line_id| {
        if state.contains("Formed") && line_id == common::line_id() {
            Rejected::Duplicate
        } else {
            Rejected::UnwantedLine(line_id)
        }
    };
    let spent = state.contains("Formed") || state.contains("Ended");
    match (machine, flipped, honest) {
        // Alice can't know that the relay gave it another link. Nobody will find Alice by the changed link.
        (Any::Alice(_), Event::LineLinkIssued { .. }, _) if state == "Alice Requesting" => {
            moves("Alice Offered", "PortReady")
        }
        (Any::Alice(_), Event::LineFormed { proof, .. }, Event::LineFormed { proof: sent, .. })
            if state == "Alice Offered" =>
        {
            match proof {
                // Damaged on the way, or bad before.
                Some(proof) if Some(proof) != sent.as_ref() || *proof == bad_proof() => {
                    moves("Alice Ended ProofRefused", "Disconnect, Ended")
                }
                // Another line_id or peer: a line that no honest far end confirms (see below).
                Some(_) => moves("Alice Formed", "LineFormed AliceJoined"),
                None => moves("Alice Formed", "LineFormed AwaitingProof"),
            }
        }
        (Any::Alice(_), Event::LineLinkIssued { line_link, .. }, _) if spent => {
            Error(Rejected::UnwantedLink(*line_link))
        }
        (Any::Alice(_), Event::LineFormed { line_id, .. }, _) if spent => Error(stray(*line_id)),
        (Any::Alice(_), Event::LineLinkLost { .. }, _) if state == "Alice Offered" => {
            moves("Alice Ended LinkLost", "Ended")
        }
        (Any::Alice(_), Event::Connected { .. }, _)
        | (Any::Bob(_), Event::LineFormed { .. } | Event::LineLinkLost { .. }, _) => Error(Rejected::WrongMachine),
        // Of another request: an answer to an earlier scan.
        (Any::Bob(_), Event::Connected { request_id: id, line_id, .. }, _) if *id != request_id(2) => {
            Error(stray(*line_id))
        }
        (Any::Bob(_), Event::Refused { request_id: id, .. }, _) if *id != request_id(2) => Error(Rejected::OutOfOrder),
        (Any::Bob(_), Event::Connected { .. }, _) if state == "Bob Connecting" => {
            moves("Bob Formed", "LineFormed BobJoined, proof to send")
        }
        (Any::Bob(_), Event::Connected { .. }, _) if state == "Bob Connecting inline" => {
            moves("Bob Formed", "LineFormed BobJoined")
        }
        // The reason is the relay's claim.
        (Any::Bob(_), Event::Refused { reason: Reason::Paused, .. }, _) if state.starts_with("Bob Connecting") => {
            Error(Rejected::Paused)
        }
        (Any::Bob(_), Event::Refused { reason, .. }, _) if state.starts_with("Bob Connecting") => {
            moves(&format!("Bob Ended Refused {}", *reason as usize + 1), "Ended")
        }
        (Any::Bob(_), Event::Connected { line_id, .. }, _) => Error(stray(*line_id)),
        (Any::Line(_), Event::Packet { payload, .. }, _) => match Payload::decode(payload) {
            Err(error) => Error(error.into()),
            Ok(_) if state.starts_with("Closed") => Error(Rejected::Closed),
            Ok(Payload::Proof { .. }) if state == "AwaitingProof" => moves("Closed ProofRefused", "Disconnect, Ended"),
            Ok(Payload::Proof { .. }) => Error(Rejected::OutOfOrder),
            Ok(_) if state == "AwaitingProof" => Error(Rejected::TooEarly),
            Ok(_) => Error(Rejected::Forged),
        },
        (Any::Line(_), _, _) if state.starts_with("Closed") => Error(Rejected::Closed),
        // Both are the relay's claims, of one form and a bit apart.
        (Any::Line(_), Event::Disconnected { .. }, Event::Dropped { .. }) => moves("Closed ByRelay", "Ended"),
        (Any::Line(_), Event::Dropped { .. }, Event::Disconnected { .. }) if state == "AwaitingProof" => {
            Error(Rejected::OutOfOrder)
        }
        (Any::Line(_), Event::Dropped { .. }, Event::Disconnected { .. }) => moves(state, "PacketsLost"),
        (Any::Line(_), ..) => panic!("{state}: one bit makes {flipped:?} of {honest:?}"),
        _ => Error(Rejected::OutOfOrder),
    }
}

#[test]
fn every_flip_of_every_event_in_every_state() {
    let machines = states(PortOptions::new()).into_iter();
    let mut machines: Vec<_> = machines.map(|(state, machine)| (state, machine.record(), machine)).collect();
    let (mut flipped_in_all, mut moved) = (0, 0);
    for (name, event) in events(PortOptions::new()) {
        let honest = Event::decode(&event).unwrap();
        for flipped in flips(&event) {
            let decoded = Event::decode(&flipped);
            let input = Input::Event(flipped.clone());
            for (state, _, machine) in &mut machines {
                flipped_in_all += 1;
                let expected = allowed(state, machine, &honest, &decoded);
                let outcome = match machine.step(&input, NOW, &mut |_| false) {
                    Err(Refusal::Rejected(error)) => Error(error),
                    _ => {
                        moved += 1;
                        let mut next = machine.clone();
                        let effects = words(&next.takes(&input));
                        Allowed::Moves(next.state(), effects)
                    }
                };
                assert_eq!(outcome, expected, "{state} × {name}");
            }
        }
        for (state, record, machine) in &machines {
            assert_eq!(machine.record(), *record, "{state} × {name}");
        }
    }
    assert!(flipped_in_all > 300_000 && moved > 3_000, "{flipped_in_all} flips, {moved} moved");
}

/// Delivers everything, says a word each way, and looks at what came of it.
fn carry_on(mut world: World) -> World {
    world.pump();
    for user in [ALICE, BOB] {
        world.wake(user).unwrap();
        world.pump();
    }
    for user in [ALICE, BOB] {
        let Some(line) = world.line(user) else { continue };
        let _ = world.give(user, line.key(), &Input::seal(&format!("from {user}"))).unwrap();
    }
    world.pump();
    world.check();
    world
}

/// What a new line's event says, but for the mark.
fn but_for_its_mark(event: &[u8]) -> Option<Vec<u8>> {
    match Event::decode(event).ok()? {
        Event::LineFormed { line_link, line_id, proof, .. } => {
            Some(Event::LineFormed { line_link, line_id, peer: peer(), proof }.to_vec())
        }
        Event::Connected { line_link, request_id, line_id, .. } => {
            Some(Event::Connected { line_link, request_id, line_id, peer: peer() }.to_vec())
        }
        _ => None,
    }
}

/// An honest run, and beside each event of it a world for every bit of it: the flipped one comes first, or alone.
fn flip_on_the_way(how: SendProof) {
    let mut world = World::new(Faults::default());
    world.request_port(PortOptions::new()).unwrap();
    let (mut flipped_in_all, mut moved, mut marks) = (0, 0, 0);
    for goal in 0..5 {
        match goal {
            1 => world.scan_port().unwrap(),
            2 => world.give(BOB, world.port_key(BOB).unwrap(), &Input::Connect(how)).unwrap().unwrap(),
            3 | 4 => {
                let from = goal - 3;
                world.give(from, world.line(from).unwrap().key(), &Input::seal("a word")).unwrap().unwrap();
            }
            _ => {}
        }
        while let Some(user) = [ALICE, BOB].into_iter().find(|&user| !world.relay.queues[user].is_empty()) {
            let event = world.relay.queues[user].pop_front().unwrap();
            let before = world.clone();
            let is_port_spent = |world: &World| world.port_state(user).contains("Formed");
            for flipped in flips(&event) {
                flipped_in_all += 1;
                if world.hear(user, &flipped).unwrap().is_err() {
                    continue;
                }
                moved += 1;
                let mut flipped_only = std::mem::replace(&mut world, before.clone());
                // At both ends the line is another than at the other, or there is none.
                let mut true_one_too = flipped_only.clone();
                true_one_too.relay.queues[user].push_front(event.clone());
                for other in [&mut flipped_only, &mut true_one_too] {
                    if but_for_its_mark(&flipped).is_some_and(|flipped| Some(flipped) == but_for_its_mark(&event)) {
                        // A mark is this end's alone (§7.3): the line is the one that it would have been.
                        let other = carry_on(other.clone());
                        let [alice, bob] = [ALICE, BOB].map(|user| other.line(user).unwrap());
                        assert!(alice.confirmed().is_some() && alice.confirmed() == bob.confirmed());
                        assert_eq!(alice.safety_number(), bob.safety_number());
                        marks += 1;
                        continue;
                    }
                    let formed = matches!(Event::decode(&event), Ok(Event::LineFormed { .. })) && is_port_spent(other);
                    let other = carry_on(other.clone());
                    let confirmed = |user| other.line(user).is_some_and(|line| line.confirmed().is_some());
                    assert!(
                        !confirmed(ALICE) && !confirmed(BOB),
                        "a line from {event:02x?}, with one bit of it flipped"
                    );
                    assert!(other.users.iter().all(|user| user.heard().is_empty()));
                    assert!(!formed || other.users[user].lines.len() == 1);
                }
            }
            // Those that were refused have moved nothing.
            assert!(world.users.iter().zip(&before.users).all(|(a, b)| a.store == b.store && a.heard() == b.heard()));
            world = before;
            world.hear(user, &event).unwrap().unwrap();
        }
    }
    let world = carry_on(world);
    assert!([ALICE, BOB].iter().all(|&user| world.line(user).unwrap().confirmed().is_some()));
    assert_eq!(world.users.each_ref().map(|user| user.heard().len()), [2, 2]);
    assert!(flipped_in_all > 3_000 && moved > 700, "{flipped_in_all} flips, {moved} moved");
    assert_eq!(marks, 2 * 2 * 256, "each bit of both marks, alone and before the true one");
}

#[test]
fn no_flip_on_the_way_makes_two_different_lines_or_a_message_with_the_proof_inline() {
    flip_on_the_way(SendProof::Inline);
}

#[test]
fn no_flip_on_the_way_makes_two_different_lines_or_a_message_with_the_proof_along_the_line() {
    flip_on_the_way(SendProof::AlongTheLine);
}

#[test]
fn every_flip_and_every_cut_of_every_record() {
    let events = events(longest());
    let mut restored = 0;
    for (state, machine) in states(longest()).into_iter().chain(pools()) {
        let record = machine.record();
        for cut in 0..record.len() {
            assert!(Any::restore(&record[..cut]).is_err(), "{state} cut to {cut}");
        }
        for flipped in flips(&record) {
            if let Ok(machine) = Any::restore(&flipped) {
                assert_eq!(machine.record(), flipped, "{state}");
                restored += 1;
                // Whatever is in it, it does no more than any machine.
                for effect in machine.pending() {
                    assert!(!matches!(effect, Effect::Message(_) | Effect::Link(_)));
                }
                if restored % 64 == 0 {
                    for (_, event) in &events {
                        let _ = machine.clone().give(&Input::Event(event.clone()), NOW);
                    }
                }
            }
        }
    }
    assert!(restored > 20_000, "{restored}");
}
