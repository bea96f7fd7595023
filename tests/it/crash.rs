//! §8.1: stop a user between any two of its actions, restore it from its store, carry out the pending effects, go on. Here the relay
//! delivers in order; `tests/model` stops users in every order of delivery.
#![cfg(feature = "alloc")]

use crate::common::world::{ALICE, BOB, Faults, Stopped, World};
use crate::common::*;
use port_protocol::*;

const HOW: [SendProof; 2] = [SendProof::Inline, SendProof::AlongTheLine];

/// Attempts it until it is done.
fn until(
    world: &mut World,
    done: &dyn Fn(&World) -> bool,
    user: usize,
    attempt: &dyn Fn(&mut World) -> Result<(), Stopped>,
) {
    for _ in 0..10 {
        if done(world) {
            return;
        }
        world.survive(user, |world| attempt(world));
        world.pump();
        world.check();
    }
    assert!(done(world), "never done");
}

/// A Port that Bob has.
fn share(world: &mut World) {
    until(world, &|w| w.users[ALICE].shown.is_some(), ALICE, &|w| match w.port_key(ALICE) {
        None => w.request_port(expiring()),
        Some(_) => w.wake(ALICE),
    });
    until(world, &|w| w.port_key(BOB).is_some(), BOB, &World::scan_port);
}

fn connect(world: &mut World, how: SendProof) -> Result<(), Stopped> {
    match world.port_state(BOB).as_str() {
        "Bob Scanned" => world.give(BOB, world.port_key(BOB).unwrap(), &Input::Connect(how)).map(drop),
        // The connection comes back.
        _ => world.wake(ALICE).and_then(|()| world.wake(BOB)),
    }
}

/// A Port and a line, confirmed at both ends.
pub fn shake_hands(how: SendProof, faults: Faults) -> World {
    let mut world = World::new(faults);
    share(&mut world);
    let confirmed =
        |w: &World| [ALICE, BOB].iter().all(|&user| w.line(user).is_some_and(|line| line.confirmed().is_some()));
    until(&mut world, &confirmed, BOB, &|w| connect(w, how));
    world
}

/// Both do what they want until it is done: a Port, a line, a word each way, the end.
fn run(how: SendProof, faults: Faults) -> World {
    let mut world = shake_hands(how, faults);
    let code = world.line(ALICE).unwrap().safety_number();
    assert!(code.is_some() && code == world.line(BOB).unwrap().safety_number());

    for (from, to) in [(ALICE, BOB), (BOB, ALICE)] {
        // Until the other end has it, the message stays with its user, who says it again.
        until(&mut world, &|w| !w.users[to].heard().is_empty(), from, &|w| {
            let text = format!("from {from}, at {}", w.points);
            // A crash may come between sending it and remembering that.
            w.users[from].said.push(text.clone().into_bytes());
            w.give(from, w.line(from).unwrap().key(), &Input::seal(&text)).map(drop)
        });
    }

    // What this relay took is not lost, wherever the other one was stopped: it was kept with its step.
    for (from, to) in [(ALICE, BOB), (BOB, ALICE)] {
        let heard = world.users[to].heard();
        assert!(world.users[from].sent.iter().all(|text| heard.contains(text)), "a message was lost");
    }

    let closed = |user| move |w: &World| w.line(user).unwrap().phase() == LinePhase::Closed;
    until(&mut world, &closed(ALICE), ALICE, &|w| w.give(ALICE, w.line(ALICE).unwrap().key(), &Input::Close).map(drop));
    until(&mut world, &closed(BOB), ALICE, &|w| w.wake(ALICE));
    world
}

/// However it was disturbed, this came of it.
fn came_out_well(world: &World) {
    world.check();
    for user in [ALICE, BOB] {
        let me = &world.users[user];
        assert_eq!((me.lines.len(), me.store.lines().len()), (1, 1));
        assert_eq!(world.port_state(user), ["Alice Formed", "Bob Formed"][user]);
        let line = Any::from(world.line(user).unwrap());
        assert!(line.state().starts_with("Closed") && line.pending().is_empty(), "{}", line.state());
        // Told at least once.
        assert!(me.ends.iter().any(|end| matches!(end, End::Line(_))));
    }
}

#[test]
fn r8_1_an_undisturbed_run_sends_everything_once() {
    for how in HOW {
        let world = run(how, Faults::default());
        came_out_well(&world);
        assert_eq!(world.users[ALICE].ends, [End::Line(CloseReason::ByUs)]);
        assert_eq!(world.users[BOB].ends, [End::Line(CloseReason::ByPeer)]);
        assert_eq!(world.users.each_ref().map(|user| user.heard().len()), [1, 1]);
        let times = |user, is: fn(&Event<'_>) -> bool| {
            let past = world.relay.past.iter().filter(|(to, _)| *to == user);
            past.filter(|(_, event)| is(&Event::decode(event).unwrap())).count()
        };
        assert_eq!(times(ALICE, |event| matches!(event, Event::LineFormed { .. })), 1);
        assert_eq!(times(BOB, |event| matches!(event, Event::LineFormed { .. })), 0);
        assert_eq!(times(BOB, |event| matches!(event, Event::Connected { .. })), 1);
        assert_eq!(times(ALICE, |event| matches!(event, Event::Connected { .. })), 0);
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

/// The same line at both ends: one each, of one transcript and one pair of keys.
fn shook_hands(world: &World) {
    world.check();
    let [alice, bob] = [ALICE, BOB].map(|user| {
        assert_eq!((world.users[user].lines.len(), world.users[user].store.lines().len()), (1, 1));
        let line = world.line(user).unwrap();
        (line.confirmed().unwrap(), line.safety_number().unwrap())
    });
    assert_eq!(alice, bob);
}

/// Every one and every two stops: the second may come while starting again after the first, or whenever later.
#[test]
fn r8_1_every_pair_of_stops_in_a_handshake_leaves_the_same_line() {
    for how in HOW {
        let undisturbed = shake_hands(how, Faults::default()).points;
        let mut schedules = 0;
        for first in 0..undisturbed {
            for second in first + 1.. {
                let world = shake_hands(how, Faults { stop: vec![first, second], ..Faults::default() });
                shook_hands(&world);
                schedules += 1;
                // It was over before there could be a second.
                if world.points <= second {
                    break;
                }
            }
        }
        // Each of the first ones has all of what followed as a second.
        assert!(undisturbed > 50 && schedules > 1_900, "{schedules} schedules of {undisturbed} points");
    }
}

/// Before Bob has asked, no clock ends its use. But from the expiry on it does not ask, and its user gives the Port up.
fn connect_or_cancel(world: &mut World, how: SendProof) -> Result<(), Stopped> {
    if world.now < EXPIRY || world.port_state(BOB) != "Bob Scanned" {
        return connect(world, how);
    }
    let key = world.port_key(BOB).unwrap();
    assert_eq!(world.give(BOB, key, &Input::Connect(how))?, Err(Refusal::Rejected(Rejected::Expired)));
    world.give(BOB, key, &Input::Cancel).map(drop)
}

/// What ends a Port before there is a line, at either side, early or late.
const ENDS: [(usize, Input, UnixSeconds); 4] =
    [(ALICE, Input::Revoke, NOW), (BOB, Input::Cancel, NOW), (ALICE, Input::Tick, EXPIRY), (BOB, Input::Tick, EXPIRY)];

/// One ends it before or after Bob's request is on its way, and the relay's answers cross that.
#[test]
fn r8_1_a_stop_anywhere_leaves_an_end_that_both_see_or_the_line() {
    for (user, input, now) in ENDS {
        for how in HOW {
            for connects_first in [false, true] {
                let mut schedules = 0;
                for point in 0.. {
                    let mut world = World::new(Faults { stop: vec![point], ..Faults::default() });
                    share(&mut world);
                    if connects_first {
                        // Nothing is delivered yet.
                        world.survive(BOB, |w| connect(w, how));
                    }
                    world.now = now;
                    let port = |w: &World| w.port_key(user).unwrap();
                    let over = |w: &World| w.port_state(user).contains("Ended") || w.line(user).is_some();
                    until(&mut world, &over, user, &|w| {
                        if w.port_state(user) != "Bob Scanned" || input != Input::Tick {
                            return w.give(user, port(w), &input).map(drop);
                        }
                        assert_eq!(w.give(user, port(w), &input)?, Err(Refusal::NothingDue));
                        connect_or_cancel(w, how)
                    });
                    // The other one tries, or hears of it.
                    let over = |w: &World, user| {
                        let state = w.port_state(user);
                        state.ends_with("Formed") || state.ends_with(", cleared")
                    };
                    let both = |w: &World| [ALICE, BOB].iter().all(|&user| over(w, user));
                    until(&mut world, &both, BOB, &|w| {
                        let other = 1 - user;
                        if !over(w, other) && other == ALICE {
                            // Nobody will come: Alice's Port is good until Alice revokes it.
                            w.give(ALICE, w.port_key(ALICE).unwrap(), &Input::Revoke).map(drop)?;
                        }
                        connect_or_cancel(w, how)
                    });
                    // What was said last may be on its way.
                    world.pump();
                    world.check();
                    if world.line(ALICE).is_some_and(|line| line.confirmed().is_some()) {
                        // The stop took the word from the user's mouth, and the line was faster.
                        assert!(connects_first);
                        shook_hands(&world);
                    } else {
                        for user in [ALICE, BOB] {
                            assert!(!world.users[user].ends.is_empty(), "{} was told nothing", world.port_state(user));
                            assert!(world.line(user).is_none_or(|line| line.phase() == LinePhase::Closed));
                        }
                    }
                    schedules += 1;
                    if world.points <= point {
                        break;
                    }
                }
                assert!(schedules > 30, "{schedules}");
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
