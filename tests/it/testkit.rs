//! The kit: that its worlds are hostile, that they can be made again, and that it finds what it is there to find.
#![cfg(feature = "testkit")]

use port_protocol::UnixSeconds;
use port_protocol::testkit::*;
use proptest::prelude::*;

fn world(care: Care) -> World {
    World::new([care; 3].map(Client::new))
}

/// Runs all of them, and tells of the first that fails, as short as it gets.
fn all_hold(seeds: std::ops::Range<u64>, draw: impl Fn(u64) -> Schedule, mut after: impl FnMut(&World)) {
    for seed in seeds {
        let schedule = draw(seed);
        let mut whole = world(Care::FULL);
        if whole.run(&schedule).is_err() {
            let least = schedule.shrink(|less| world(Care::FULL).run(less).is_err());
            let mut again = world(Care::FULL);
            let violation = again.run(&least);
            panic!("seed {seed}: {violation:?} by {:?}\n{}", least.0, again.trace());
        }
        after(&whole);
    }
}

#[test]
fn r10_no_schedule_breaks_what_must_hold() {
    let mut happened = [0; Fault::ALL.len()];
    let mut heard = 0;
    let after = |world: &World| {
        heard += world.trace().matches(" hears ").count();
        happened.iter_mut().zip(Fault::ALL).for_each(|(count, fault)| *count += world.count_of(fault));
    };
    all_hold(0..60, |seed| Schedule::from_seed(seed, 100), after);
    let counts: Vec<_> = Fault::ALL.iter().zip(happened).collect();
    assert!(counts.iter().all(|(_, count)| *count > 10), "{counts:?}");
    assert!(heard > 10, "hostile, and nobody ever heard a word");
}

#[test]
fn r6_5_what_only_honest_faults_disturb_comes_to_a_good_end() {
    let mut heard = 0;
    let draw = |seed| Schedule::from_seed(seed, 100).with_only(Fault::is_honest);
    all_hold(100..160, draw, |world| heard += world.trace().matches(" hears ").count());
    assert!(heard > 50, "{heard}");
}

/// Alice backs up, Bob uses her Port, the backup comes back, and the relay claims the Port once more.
fn roll_back(how: RollBack) -> Schedule {
    Schedule(vec![
        Choice::MakePort(0, None),
        Choice::DeliverAll,
        Choice::BackUp(0),
        Choice::UsePort(1, 0, port_protocol::SendProof::OnBoard),
        Choice::DeliverAll,
        Choice::RollBack(0, how),
        Choice::ClaimTwice(0, Claim::SameProof),
    ])
}

#[test]
fn r11_without_care_a_rolled_back_alice_forms_a_second_line() {
    for how in [RollBack::Process, RollBack::Records, RollBack::Everything] {
        assert_eq!(world(Care::NONE).run(&roll_back(how)), Err(Violation::SecondLine(0)), "{how:?}");
    }
}

#[test]
fn r8_2_replaces_catches_an_old_process() {
    let care = Care { compares: true, ..Care::NONE };
    let mut caught = world(care);
    assert_eq!(caught.run(&roll_back(RollBack::Process)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // It does not see what the store does not know any more.
    assert_eq!(world(care).run(&roll_back(RollBack::Records)), Err(Violation::SecondLine(0)));
}

#[test]
fn r8_4_marks_kept_apart_catch_old_records() {
    let care = Care { compares: true, marks: true, revokes: false };
    let mut caught = world(care);
    assert_eq!(caught.run(&roll_back(RollBack::Records)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // Nor do marks that went with them.
    assert_eq!(world(care).run(&roll_back(RollBack::Everything)), Err(Violation::SecondLine(0)));
}

#[test]
fn r11_revoking_after_a_restore_catches_the_rest() {
    let mut caught = world(Care { revokes: true, ..Care::NONE });
    assert_eq!(caught.run(&roll_back(RollBack::Everything)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
}

#[test]
fn a_run_can_be_made_again() {
    let mut traces: Vec<_> = [1, 1, 2]
        .map(|seed| {
            let mut world = world(Care::FULL);
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

/// The kit's client, but whatever leaves it leaves before it is stored: a crash forgets that it was.
struct SendsFirst(Client);

impl App for SendsFirst {
    fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed> {
        self.rashly(power, |client| client.deliver(event, now, &mut Power::default()))
    }

    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.rashly(power, |client| client.command(command, now, &mut Power::default()))
    }

    fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.0.restart(now, power)
    }

    fn output(&mut self) -> Vec<Output> {
        self.0.output()
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.0.records()
    }
}

impl SendsFirst {
    fn new() -> Self {
        Self(Client::new(Care { revokes: false, ..Care::FULL }))
    }

    fn rashly<T>(
        &mut self,
        power: &mut Power,
        act: impl FnOnce(&mut Client) -> Result<T, PowerFailed>,
    ) -> Result<T, PowerFailed> {
        self.0.back_up();
        let done = act(&mut self.0)?;
        // Everything was sent. The records would be written now.
        power.point().inspect_err(|_| assert!(self.0.roll_back(RollBack::Everything)))?;
        Ok(done)
    }
}

#[test]
fn r8_1_a_client_that_sends_before_it_stores_is_found_and_the_schedule_shrinks() {
    let run = |schedule: &Schedule| World::new([SendsFirst::new(), SendsFirst::new()]).run(schedule);
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

proptest! {
    #[test]
    fn every_four_bytes_are_a_choice_and_every_choice_has_its_own(bytes: Vec<u8>) {
        let schedule = Schedule::from_bytes(&bytes);
        prop_assert_eq!(schedule.0.len(), bytes.len() / 4);
        prop_assert_eq!(Schedule::from_bytes(&schedule.to_bytes()), schedule);
    }
}
