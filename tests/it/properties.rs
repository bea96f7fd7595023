//! A hostile relay, a moody user and a crash at any time, at random: what holds, holds.
#![cfg(feature = "alloc")]

use std::time::Duration;

use crate::common::world::{ALICE, BOB, Faults, World};
use crate::common::*;
use port_protocol::*;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Op {
    /// What an honest relay does.
    Pump,
    Deliver(usize),
    /// What a hostile one may.
    Drop(usize, Index),
    Reorder(usize, Index),
    Repeat(usize, Index),
    Misroute(usize, Index),
    Flip(usize, Index, Index),
    Splice(usize, Index, Index, Index),
    Invent(usize, Index, u8),
    /// What users do.
    Command(usize, Index, u8),
    /// A step that is dropped.
    Dropped(usize, Index, Index),
    Wake(usize),
    /// The process stops at one of its next points, or the store fails.
    Stop(usize),
    StoreFails(usize, bool),
    Clock(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..2usize;
    let at = any::<Index>;
    prop_oneof![
        2 => Just(Op::Pump),
        6 => user().prop_map(Op::Deliver),
        1 => (user(), at()).prop_map(|(user, event)| Op::Drop(user, event)),
        1 => (user(), at()).prop_map(|(user, event)| Op::Reorder(user, event)),
        3 => (user(), at()).prop_map(|(user, event)| Op::Repeat(user, event)),
        2 => (user(), at()).prop_map(|(user, event)| Op::Misroute(user, event)),
        3 => (user(), at(), at()).prop_map(|(user, event, bit)| Op::Flip(user, event, bit)),
        1 => (user(), at(), at(), at()).prop_map(|(user, one, two, place)| Op::Splice(user, one, two, place)),
        2 => (user(), at(), any::<u8>()).prop_map(|(user, event, id)| Op::Invent(user, event, id)),
        6 => (user(), at(), any::<u8>()).prop_map(|(user, key, word)| Op::Command(user, key, word)),
        2 => (user(), at(), at()).prop_map(|(user, key, event)| Op::Dropped(user, key, event)),
        2 => user().prop_map(Op::Wake),
        2 => (0..20usize).prop_map(Op::Stop),
        1 => (0..4usize, any::<bool>()).prop_map(|(after, kept)| Op::StoreFails(after, kept)),
        1 => (0..600u64).prop_map(Op::Clock),
    ]
}

/// An event that the relay makes up of what it knows: every id and proof that it saw.
fn invented(world: &World, event: &Index, id: u8) -> Option<Vec<u8>> {
    let (_, event) = world.relay.past.get(event.index(world.relay.past.len().max(1)))?;
    let other_id = [id % 4; 16];
    Some(match Event::decode(event).ok()? {
        Event::LineFormed { line_link, line_id, peer, proof } => {
            let line_id = if id & 16 == 0 { line_id } else { other_id.into() };
            let peer = if id & 32 == 0 { peer } else { [id; 32].into() };
            let proof = if id & 64 == 0 { proof } else { None };
            Event::LineFormed { line_link, line_id, peer, proof }.to_vec()
        }
        Event::Connected { line_link, request_id, line_id, peer } => {
            let line_id = if id & 16 == 0 { line_id } else { other_id.into() };
            let request_id = if id & 32 == 0 { request_id } else { [id; 16].into() };
            let peer = if id & 64 == 0 { peer } else { [id; 32].into() };
            Event::Connected { line_link, request_id, line_id, peer }.to_vec()
        }
        Event::Refused { line_link, .. } if id & 16 != 0 => Event::LineLinkLost { line_link }.to_vec(),
        Event::Packet { payload, .. } if id & 16 != 0 => Event::Packet { line_id: other_id.into(), payload }.to_vec(),
        Event::Packet { line_id, .. } => Event::Disconnected { line_id }.to_vec(),
        Event::LineLinkIssued { request_id, .. } => {
            Event::LineLinkIssued { request_id, line_link: other_id.into() }.to_vec()
        }
        _ => event.clone(),
    })
}

fn hear(world: &mut World, user: usize, event: &[u8]) {
    world.survive(user, |world| world.hear(user, event).map(drop));
}

fn perform(world: &mut World, op: &Op, said: &mut u32) {
    match op {
        Op::Pump => world.pump(),
        Op::Deliver(user) => {
            let Some(event) = world.relay.queues[*user].pop_front() else { return };
            hear(world, *user, &event);
        }
        Op::Drop(user, event) => {
            let queue = &mut world.relay.queues[*user];
            if !queue.is_empty() {
                queue.remove(event.index(queue.len()));
            }
        }
        Op::Reorder(user, event) => {
            let queue = &mut world.relay.queues[*user];
            if !queue.is_empty() {
                let place = event.index(queue.len());
                queue.rotate_left(place);
            }
        }
        Op::Repeat(user, event) => {
            let past: Vec<_> = world.relay.past.iter().filter(|(to, _)| to == user).collect();
            if past.is_empty() {
                return;
            }
            let (_, event) = past[event.index(past.len())].clone();
            hear(world, *user, &event);
        }
        Op::Misroute(user, event) => {
            let past: Vec<_> = world.relay.past.iter().filter(|(to, _)| to != user).collect();
            if past.is_empty() {
                return;
            }
            let (_, event) = past[event.index(past.len())].clone();
            hear(world, *user, &event);
        }
        Op::Flip(user, event, bit) => {
            if world.relay.past.is_empty() {
                return;
            }
            let (_, mut event) = event.get(&world.relay.past).clone();
            let bit = bit.index(event.len() * 8);
            event[bit / 8] ^= 1 << (bit % 8);
            hear(world, *user, &event);
        }
        Op::Splice(user, one, two, place) => {
            if world.relay.past.is_empty() {
                return;
            }
            let ((_, one), (_, two)) = (one.get(&world.relay.past), two.get(&world.relay.past));
            let place = place.index(one.len().min(two.len()));
            hear(world, *user, &[&one[..place], &two[place..]].concat());
        }
        Op::Invent(user, event, id) => {
            let Some(event) = invented(world, event, *id) else { return };
            hear(world, *user, &event);
        }
        Op::Command(user, key, word) => {
            let user = *user;
            let keys: Vec<_> = world.users[user].store.records.keys().copied().collect();
            if keys.is_empty() {
                let another = !world.users[user].store.marks.is_empty();
                assert!(!another, "records don't vanish");
                return world.survive(user, |w| if user == ALICE { w.request_port(expiring()) } else { w.scan_port() });
            }
            *said += 1;
            let input = match word % 16 {
                0 => Input::Revoke,
                1 => Input::Cancel,
                2 => Input::Close,
                3 => Input::Tick,
                4 | 5 => Input::Connect(SendProof::Inline),
                6 | 7 => Input::Connect(SendProof::AlongTheLine),
                8 => Input::ClearOutbox,
                _ => Input::seal(&format!("{said} from {user}")),
            };
            if let Input::Seal(text, _) = &input {
                world.users[user].said.push(text.clone());
            }
            let key = *key.get(&keys);
            world.survive(user, |world| world.give(user, key, &input).map(drop));
        }
        Op::Dropped(user, key, event) => {
            let keys: Vec<_> = world.users[*user].store.records.keys().copied().collect();
            if keys.is_empty() || world.relay.past.is_empty() {
                return;
            }
            let mut machine = world.users[*user].store.load(*key.get(&keys)).unwrap();
            let (_, event) = event.get(&world.relay.past);
            for input in Input::commands().into_iter().chain([Input::Event(event.clone())]) {
                // `apply` sees that nothing moved.
                assert!(machine.apply(&input, world.now, &mut |_| false).is_err());
            }
        }
        Op::Wake(user) => world.survive(*user, |world| world.wake(*user)),
        Op::Stop(after) => world.faults.stop.push(world.points + after),
        Op::StoreFails(after, false) => world.faults.store_fails.push(world.puts + after),
        Op::StoreFails(after, true) => world.faults.store_fails_late.push(world.puts + after),
        Op::Clock(seconds) => world.now = world.now.after(Duration::from_secs(*seconds)),
    }
}

/// A world that an honest relay has already brought some way.
fn begun(stage: u8, how: SendProof) -> World {
    let mut world = World::new(Faults::default());
    if stage > 0 {
        world.request_port(expiring()).unwrap();
        world.pump();
    }
    if stage > 1 {
        world.scan_port().unwrap();
    }
    if stage > 2 {
        world.give(BOB, world.port_key(BOB).unwrap(), &Input::Connect(how)).unwrap().unwrap();
    }
    if stage > 3 {
        world.pump();
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(
        stage in 0..5u8,
        inline: bool,
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut world = begun(stage, if inline { SendProof::Inline } else { SendProof::AlongTheLine });
        let mut said = 0;
        for op in &ops {
            let before: Vec<_> = [ALICE, BOB].iter().map(|&user| (world.port_state(user), world.users[user].lines.clone())).collect();
            perform(&mut world, op, &mut said);
            world.check();
            for (user, (state, lines)) in before.iter().enumerate() {
                // What is spent stays spent, and forms no further line.
                let spent = state.contains("Formed") || state.contains("Ended");
                let now = world.port_state(user);
                let cleared = now.ends_with(", cleared") && !state.ends_with(", cleared");
                prop_assert!(!spent || now == *state || cleared, "{state} became {now}");
                prop_assert!(world.users[user].lines.is_superset(lines));
            }
        }
    }

    /// From wherever a hostile relay has brought two users, an honest one brings them on: nothing is stuck. A line that is
    /// neither closed nor formed of other claims is confirmed at both ends.
    #[test]
    fn drops_repeats_and_crashes_lose_no_line(
        inline: bool,
        ops in prop::collection::vec(op(), 0..40),
    ) {
        let how = if inline { SendProof::Inline } else { SendProof::AlongTheLine };
        let mut world = begun(3, how);
        for user in [ALICE, BOB] {
            let event = world.relay.queues[user].pop_front().unwrap();
            world.hear(user, &event).unwrap().unwrap();
        }
        // There are two ends of a line. From here on everything may be lost.
        let mut said = 0;
        for op in &ops {
            // What changes what was said, or ends a line, is for the other test.
            let harmless = match op {
                Op::Flip(..) | Op::Splice(..) | Op::Invent(..) | Op::Clock(_) => false,
                Op::Command(_, _, word) => word % 16 > 7,
                _ => true,
            };
            if harmless {
                perform(&mut world, op, &mut said);
                world.check();
            }
        }
        world.pump();
        for user in [ALICE, BOB, ALICE, BOB] {
            world.survive(user, |world| world.wake(user));
            world.pump();
        }
        let confirmed = [ALICE, BOB].map(|user| world.line(user).unwrap().confirmed());
        prop_assert!(confirmed[0].is_some() && confirmed[0] == confirmed[1]);
        prop_assert_eq!(Any::from(world.line(ALICE).unwrap()).state(), "AliceConfirmed, answered");
        world.check();
    }
}
