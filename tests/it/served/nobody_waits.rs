//! §4.4, §5.4, §6.6, §8.3: whoever gives up, expires or is gone for good, at whatever step of a handshake: in the end both users are on the
//! line, or neither is.

use super::*;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Blow {
    /// Nothing happens.
    None,
    /// Its user wants no more of it.
    GivesUp,
    /// Its clock passes the Port's expiry.
    Expires,
    /// Its store is lost, and it comes back with an empty one.
    CrashesForGood,
}

const STEPS: usize = 9;

/// One run of a handshake, with one blow after one of its steps.
#[derive(Clone, Copy, Debug)]
struct Run {
    many: bool,
    approval: bool,
    how: SendProof,
    /// Who hears its events first.
    first: usize,
    after: usize,
    whom: usize,
    blow: Blow,
}

impl Run {
    fn options(&self) -> PortOptions {
        let policy = if self.many { Policy::up_to(3) } else { Policy::once() };
        PortOptions::new().policy(policy.require_approval(self.approval)).expires(EXPIRY)
    }

    fn step(&self, world: &mut World, step: usize) {
        let shown = world.clients[ALICE].shown.clone();
        match (step, shown) {
            (0, _) => world.request_port(ALICE, self.options()),
            (1, _) => drop(world.deliver(ALICE)),
            (2, Some(port)) => world.scan(BOB, &port),
            (3, Some(_)) => {
                if let Some(key) = world.clients[BOB].port_key() {
                    let _ = world.give(BOB, key, &Input::Connect(self.how));
                }
            }
            (4.., _) => drop(world.deliver(if step % 2 == 0 { self.first } else { 1 - self.first })),
            _ => {}
        }
    }

    fn strike(&self, world: &mut World) {
        match self.blow {
            Blow::None => {}
            Blow::GivesUp => world.give_up(self.whom),
            Blow::Expires => {
                world.now = EXPIRY;
                world.tick(self.whom);
            }
            Blow::CrashesForGood => world.crash_for_good(self.whom),
        }
    }

    fn run(&self) -> World {
        let mut world = World::new();
        for step in 0..STEPS {
            self.step(&mut world, step);
            if step == self.after {
                self.strike(&mut world);
            }
        }
        // Whoever has a line says something, each is online now and then, and days pass.
        for day in 0..10 {
            for who in [ALICE, BOB] {
                world.reconnect(who);
                for line in world.clients[who].lines() {
                    let key = line.key();
                    // Alice's user takes its time.
                    if line.phase() == LinePhase::AwaitingApproval && day > 7 {
                        accept(&mut world, line);
                    }
                    let _ = world.give(who, key, &Input::seal("are you there?"));
                }
                world.tick(who);
            }
            world.pump();
            world.days(1);
        }
        world
    }
}

/// Alice's user lets the waiting one in.
fn accept(world: &mut World, mut line: Line) {
    let store = &mut world.clients[ALICE].store;
    let step = line.accept(world.now).unwrap();
    let effects: Vec<_> = step.store(|write| store.put(&Put::of(write))).unwrap().map(of_line).collect();
    world.act(ALICE, effects);
}

#[test]
fn r8_3_in_the_end_both_are_on_the_line_or_neither_is() {
    let (mut together, mut apart) = (0, 0);
    for (many, approval) in [(false, false), (false, true), (true, false), (true, true)] {
        for how in [SendProof::Inline, SendProof::AlongTheLine] {
            for (first, after, whom) in [ALICE, BOB]
                .into_iter()
                .flat_map(|first| (0..STEPS).flat_map(move |after| [ALICE, BOB].map(|whom| (first, after, whom))))
            {
                for blow in [Blow::None, Blow::GivesUp, Blow::Expires, Blow::CrashesForGood] {
                    let run = Run { many, approval, how, first, after, whom, blow };
                    let world = run.run();
                    let [alice, bob] = [ALICE, BOB].map(|who| {
                        let lines = world.clients[who].lines().into_iter();
                        lines.map(|line| (line.claims().line_id, line.phase())).collect::<Vec<_>>()
                    });
                    assert_eq!(alice, bob, "{run:?}");
                    assert_eq!(alice.len(), world.lines(), "{run:?}: somebody is on a line that it does not know");
                    assert!(alice.iter().all(|(_, phase)| *phase == LinePhase::Confirmed), "{run:?}: {alice:?}");
                    assert!(!world.clients[BOB].is_connecting(), "{run:?}");
                    assert_eq!([ALICE, BOB].map(|who| world.waiting(who)), [0, 0], "{run:?}");
                    if blow == Blow::None {
                        assert_eq!(alice.len(), 1, "{run:?}");
                    }
                    *if alice.is_empty() { &mut apart } else { &mut together } += 1;
                }
            }
        }
    }
    // Both ends of the table are met: without a blow there is a line, and with most blows there is none.
    assert!(together > 400 && apart > 400, "{together} together, {apart} apart");
}
