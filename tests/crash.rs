//! §8.1: stop a user between any two things he does, restore him from his store, do what is unsent, go on.
#![cfg(feature = "alloc")]

mod common;

use common::world::{ALICE, BOB, Faults, World};
use common::*;
use port_protocol::*;

const HOW: [SendProof; 2] = [SendProof::OnBoard, SendProof::AlongTheLine];

/// Both do what they want until it is done: a Port, a line, a word each way, the end.
fn run(how: SendProof, faults: Faults) -> World {
    let mut world = World::new(faults);
    let goal =
        |world: &mut World, done: &dyn Fn(&World) -> bool, user, attempt: &dyn Fn(&mut World) -> Result<(), _>| {
            for _ in 0..10 {
                if done(world) {
                    return;
                }
                world.survive(user, |world| attempt(world));
                world.pump();
                world.check();
            }
            assert!(done(world), "never done");
        };

    goal(&mut world, &|w| w.users[ALICE].shown.is_some(), ALICE, &|w| match w.port_key(ALICE) {
        None => w.request_port(expiring()),
        Some(_) => w.wake(ALICE),
    });
    goal(&mut world, &|w| w.port_key(BOB).is_some(), BOB, &World::scan_port);
    let confirmed =
        |w: &World| [ALICE, BOB].iter().all(|&user| w.line(user).is_some_and(|line| line.confirmed().is_some()));
    goal(&mut world, &confirmed, BOB, &|w| match w.port_state(BOB).as_str() {
        "Bob Scanned" => w.give(BOB, w.port_key(BOB).unwrap(), &Input::Connect(how)).map(drop),
        // The connection comes back.
        _ => w.wake(ALICE).and_then(|()| w.wake(BOB)),
    });
    let code = world.line(ALICE).unwrap().check_code();
    assert!(code.is_some() && code == world.line(BOB).unwrap().check_code());

    for (from, to) in [(ALICE, BOB), (BOB, ALICE)] {
        // Until the other end has it, the message stays with its user, who says it again.
        goal(&mut world, &|w| !w.users[to].heard.is_empty(), from, &|w| {
            let text = format!("from {from}, at {}", w.points);
            // A crash may come between sending it and remembering that.
            w.users[from].said.push(text.clone().into_bytes());
            w.give(from, w.line(from).unwrap().key(), &Input::seal(&text)).map(drop)
        });
    }

    let closed = |user| move |w: &World| w.line(user).unwrap().phase() == LinePhase::Closed;
    goal(&mut world, &closed(ALICE), ALICE, &|w| w.give(ALICE, w.line(ALICE).unwrap().key(), &Input::Close).map(drop));
    goal(&mut world, &closed(BOB), ALICE, &|w| w.wake(ALICE));
    world
}

/// However it was disturbed, this came of it.
fn came_out_well(world: &World) {
    world.check();
    for user in [ALICE, BOB] {
        let me = &world.users[user];
        assert_eq!((me.lines.len(), me.store.lines().len()), (1, 1));
        assert_eq!(world.port_state(user), ["Alice Formed, settled", "Bob Formed, settled"][user]);
        let line = Any::from(world.line(user).unwrap());
        assert!(line.state().starts_with("Closed") && line.unsent().is_empty(), "{}", line.state());
        // Told at least once.
        assert!(me.ends.iter().any(|end| matches!(end, End::Line(_))));
    }
}

#[test]
fn r8_1_an_undisturbed_run_sends_everything_once() {
    for how in HOW {
        let world = run(how, Faults::default());
        came_out_well(&world);
        assert_eq!(world.users[ALICE].ends, [End::Line(LineEnd::ByUs)]);
        assert_eq!(world.users[BOB].ends, [End::Line(LineEnd::ByPeer)]);
        assert_eq!(world.users.each_ref().map(|user| user.heard.len()), [1, 1]);
        let times = |user, is: fn(&Event<'_>) -> bool| {
            let past = world.relay.past.iter().filter(|(to, _)| *to == user);
            past.filter(|(_, event)| is(&Event::decode(event).unwrap())).count()
        };
        assert_eq!(times(ALICE, |event| matches!(event, Event::LineFormed { .. })), 1);
        assert_eq!(times(BOB, |event| matches!(event, Event::LineFormed { .. })), 1);
        assert!(world.points > 100 && world.puts > 15, "{} points, {} puts", world.points, world.puts);
    }
}

#[test]
fn r8_1_a_stop_anywhere_leaves_the_same_line() {
    for how in HOW {
        for point in 0.. {
            let world = run(how, Faults { stop: vec![point], ..Faults::default() });
            came_out_well(&world);
            if world.points <= point {
                assert!(point > 100);
                break;
            }
        }
    }
}

#[test]
fn r8_1_a_second_stop_while_starting_again_does_not_matter() {
    for how in HOW {
        for point in 0.. {
            let world = run(how, Faults { stop: vec![point, point + 2, point + 5, point + 9], ..Faults::default() });
            came_out_well(&world);
            if world.points <= point {
                break;
            }
        }
    }
}

#[test]
fn r8_1_a_store_that_fails_has_kept_the_record_or_not() {
    for how in HOW {
        for put in 0.. {
            let failed = run(how, Faults { store_fails: vec![put, put + 1], ..Faults::default() });
            came_out_well(&failed);
            let failed_late = run(how, Faults { store_fails_late: vec![put], ..Faults::default() });
            came_out_well(&failed_late);
            if failed.puts.min(failed_late.puts) <= put {
                break;
            }
        }
    }
}
