//! The kit: that its worlds are hostile, that they can be made again, and that it finds what it is there to find.
#![cfg(feature = "testkit")]

use port_protocol::testkit::*;
use port_protocol::*;

fn two() -> World {
    World::new([Client::default(), Client::default()])
}

fn three() -> World {
    World::new([Client::default(), Client::default(), Client::default()])
}

/// Runs all of them, and tells of the first that fails, as short as it gets.
fn all_hold(seeds: std::ops::Range<u64>, schedule: impl Fn(u64) -> Schedule, mut after: impl FnMut(&World)) {
    for seed in seeds {
        let schedule = schedule(seed);
        let mut world = three();
        if world.run(&schedule).is_err() {
            let least = schedule.shrink(|less| three().run(less).is_err());
            let mut world = three();
            let violation = world.run(&least);
            panic!("seed {seed}: {violation:?} by {:?}\n{}", least.0, world.trace());
        }
        after(&world);
    }
}

#[test]
fn r10_no_schedule_breaks_what_holds() {
    let mut happened = [0; Fault::ALL.len()];
    all_hold(
        0..200,
        |seed| Schedule::from_seed(seed, 100),
        |world| {
            for (count, fault) in happened.iter_mut().zip(Fault::ALL) {
                *count += world.count_of(fault);
            }
        },
    );
    println!("{:?}", Fault::ALL.iter().zip(happened).collect::<Vec<_>>());
    assert!(happened.iter().all(|count| *count > 100), "{:?}", Fault::ALL.iter().zip(happened).collect::<Vec<_>>());
}

#[test]
fn r6_5_what_only_honest_faults_disturb_comes_to_a_good_end() {
    all_hold(0..200, |seed| Schedule::from_seed(seed, 100).with_only(Fault::is_honest), |_| {});
}
