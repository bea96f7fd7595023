//! The kit: that its worlds are hostile, that they can be made again, that what must hold in them holds; its lies, its schedules, and
//! the violations that it is there to find.
#![cfg(feature = "testkit")]

/// What an app leaves to the kit's client in this field of it.
macro_rules! leaves {
    ($client:tt: deliver $($rest:tt)*) => {
        fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
            self.$client.deliver(event, outside)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: command $($rest:tt)*) => {
        fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
            self.$client.command(command, outside)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: restart $($rest:tt)*) => {
        fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
            self.$client.restart(outside)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: output $($rest:tt)*) => {
        fn output(&mut self) -> Vec<Output> {
            self.$client.output()
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: records $($rest:tt)*) => {
        fn records(&self) -> Vec<Vec<u8>> {
            self.$client.records()
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt:) => {};
}

mod client;
mod contact;
mod ghosts;
mod lies;
mod many;
mod messages;
mod pool;
#[cfg(feature = "portal")]
mod portal;
mod rollback;
mod schedule;
mod terms;
mod violations;

use port_protocol::relay::Limits;
use port_protocol::testkit::*;
use port_protocol::*;

fn world(faults: StoreFaults) -> World {
    World::new([faults; 3].map(Client::new))
}

/// Clients that keep no marks.
fn forgetful() -> World {
    world(StoreFaults { forgets_marks: true, ..StoreFaults::NONE })
}

/// What the kit's client would do.
type Act<'a> = dyn FnMut(&mut Client, &mut Outside<'_>) -> Result<Receipt, PowerFailed> + 'a;

/// Something odd around what the kit's client does.
type Oddity = fn(&mut Client, &mut Outside<'_>, &mut Act<'_>) -> Result<Receipt, PowerFailed>;

/// The kit's client, with that. It tells the kit only what an app must.
struct Odd(Client, Oddity);

const NOTHING_ODD: Oddity = |client, outside, act| act(client, outside);

impl App for Odd {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        self.1(&mut self.0, outside, &mut |client, outside| client.deliver(event, outside))
    }

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.1(&mut self.0, outside, &mut |client, outside| {
            client.command(command, outside).map(|()| Receipt::Acknowledged)
        })
        .map(drop)
    }

    leaves!(0: restart output records);
}

/// The kit's client, whose user is understood to want something else.
struct Rewords(Client, fn(Command) -> Option<Command>);

impl App for Rewords {
    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.1(command.clone()).map_or(Ok(()), |command| self.0.command(&command, outside))
    }

    leaves!(0: deliver restart output records);
}

/// Runs all of them, and tells of the first that fails, as short as it gets.
fn all_hold(seeds: std::ops::Range<u64>, draw: impl Fn(u64) -> Schedule, mut after: impl FnMut(&World)) {
    for seed in seeds {
        let schedule = draw(seed);
        let mut whole = world(StoreFaults::NONE);
        if whole.run(&schedule).is_err() {
            let least = schedule.shrink(|less| world(StoreFaults::NONE).run(less).is_err());
            let mut again = world(StoreFaults::NONE);
            let violation = again.run(&least);
            panic!("seed {seed}: {violation:?} by {:?}\n{}", least.0, again.trace());
        }
        after(&whole);
    }
}

#[test]
fn r10_no_schedule_breaks_what_must_hold() {
    let mut happened = [0; Fault::ALL.len()];
    let (mut heard, mut dropped) = (0, 0);
    let after = |world: &World| {
        let is_dropped = |delivery: &&Delivery| matches!(Event::decode(&delivery.event), Ok(Event::Dropped { .. }));
        dropped += world.events().iter().filter(is_dropped).count();
        heard += world.trace().matches(" hears ").count();
        happened.iter_mut().zip(Fault::ALL).for_each(|(count, fault)| *count += world.count_of(fault));
    };
    all_hold(0..60, |seed| Schedule::from_seed(seed, 100), after);
    let counts: Vec<_> = Fault::ALL.iter().zip(happened).collect();
    assert!(counts.iter().all(|(_, count)| *count > 10), "{counts:?}");
    assert!(heard > 10, "hostile, and nobody ever heard a word");
    assert!(dropped > 0, "the Relay never had too much to keep");
}

#[test]
fn r6_5_what_only_honest_faults_disturb_comes_to_a_good_end() {
    let mut heard = 0;
    let draw = |seed| Schedule::from_seed(seed, 100).with_only(Fault::is_honest);
    all_hold(100..160, draw, |world| heard += world.trace().matches(" hears ").count());
    assert!(heard > 50, "{heard}");
}

/// Where this client's only line stands.
fn phase<A: App>(world: &World<A>, who: usize) -> Option<LinePhase> {
    let records = world.apps()[who].records();
    let mut lines = records.iter().filter_map(|record| Line::restore(record).ok());
    let phase = lines.next().map(|line| line.phase());
    assert!(lines.next().is_none());
    phase
}

/// Makes these choices and no more.
#[track_caller]
fn play<A: App>(world: &mut World<A>, choices: &[&[Choice]]) {
    for choice in choices.concat() {
        assert_eq!(world.perform(choice), Ok(()), "{}", world.trace());
    }
}

/// Alice has joined the line. The reply of the relay waits for Bob, and behind it Alice's Confirm.
const ALICE_JOINED: &[Choice] =
    &[Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline), Choice::Deliver];

#[test]
fn a_run_can_be_made_again() {
    let mut traces: Vec<_> = [1, 1, 2]
        .map(|seed| {
            let mut world = world(StoreFaults::NONE);
            assert_eq!(world.run(&Schedule::from_seed(seed, 100)), Ok(()));
            (
                world.trace().to_owned(),
                world.requests().to_vec(),
                world.apps().iter().map(App::records).collect::<Vec<_>>(),
            )
        })
        .into();
    let other = traces.pop();
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces.pop(), other);
}

/// Whatever leaves it leaves before it is stored: a crash forgets that it was.
fn sends_first(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    client.back_up();
    let done = act(client, &mut Outside { now: outside.now, rng: outside.rng, crashes: &mut CrashPoints::default() })?;
    // Everything was sent. The records would be written now.
    outside.point().inspect_err(|_| assert!(client.roll_back(RollBack::Everything)))?;
    Ok(done)
}

#[test]
fn r8_1_a_client_that_sends_before_it_stores_is_found_and_the_schedule_shrinks() {
    let rash = || Odd(Client::new(StoreFaults { keeps_restored_ports: true, ..StoreFaults::NONE }), sends_first);
    let run = |schedule: &Schedule| World::new([rash(), rash()]).run(schedule);
    let schedules = (0..60).map(|seed| Schedule::from_seed(seed, 60).with_only(Fault::is_honest));
    let failing: Vec<_> = schedules.filter(|schedule| run(schedule).is_err()).collect();
    let found = |is: fn(Violation) -> bool| failing.iter().any(|schedule| run(schedule).is_err_and(is));
    assert!(found(|violation| matches!(violation, Violation::SentBeforeStored(_))));
    assert!(found(|violation| matches!(violation, Violation::HeardTwice(_))));

    for failing in &failing[..2] {
        let least = failing.shrink(|less| run(less).is_err());
        assert!(run(&least).is_err());
        assert!(least.0.len() <= 9, "{least:?}");
        assert!(least.0.iter().any(|choice| matches!(choice, Choice::Crash(..))), "{least:?}");
        // Nothing more can be left out.
        for at in 0..least.0.len() {
            let mut less = least.clone();
            less.0.remove(at);
            assert_eq!(run(&less), Ok(()), "{less:?}");
        }
    }
}
