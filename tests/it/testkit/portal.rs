//! The kit's world of Portals: nothing that must hold is broken in it, whatever happens, and what is planted is found.

use port_protocol::testkit::portal::*;

/// Runs these schedules with these faults, and counts what was asked and answered.
fn all_hold(faults: Faults, schedules: impl Iterator<Item = Schedule>) -> (usize, usize) {
    let (mut asked, mut answered) = (0, 0);
    for schedule in schedules {
        let mut world = World::new(faults).unwrap();
        if let Err(violation) = world.run(&schedule) {
            let least = schedule.shrink(|less| World::new(faults).unwrap().run(less) == Err(violation));
            let mut again = World::new(faults).unwrap();
            let violation = again.run(&least);
            panic!("{violation:?} by {:?}\n{}", least.0, again.trace());
        }
        let (more_asked, more_answered) = world.count();
        (asked, answered) = (asked + more_asked, answered + more_answered);
    }
    (asked, answered)
}

fn random(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Schedule> {
    seeds.map(|seed| Schedule::from_seed(seed, 60))
}

#[test]
fn r18_8_no_schedule_breaks_what_must_hold() {
    let (asked, answered) = all_hold(Faults::NONE, random(0..WORLDS));
    assert!(asked as u64 > 5 * WORLDS && answered > asked / 4, "{asked} {answered}");
}

/// If nothing but the network disturbs the world, every request that is served is answered.
#[test]
fn r18_8_behind_a_network_that_only_drops_and_delays_every_request_is_answered() {
    let honest = |schedule: Schedule| schedule.with_only(Choice::is_honest);
    let (asked, answered) = all_hold(Faults::NONE, random(0..WORLDS / 4).map(honest));
    // One in four goes to a path that is private.
    assert!(asked as u64 > WORLDS && answered > asked / 2, "{asked} {answered}");
}

const WORLDS: u64 = 1_000;

/// With this fault, schedules are found that break this; the shortest of the first is still short.
#[track_caller]
fn is_found(fault: impl Fn(&mut Faults), is_it: impl Fn(Violation) -> bool) {
    let mut faults = Faults::NONE;
    fault(&mut faults);
    let run = |schedule: &Schedule| World::new(faults).and_then(|mut world| world.run(schedule));
    let breaks = |schedule: &Schedule| run(schedule).is_err_and(&is_it);
    let found = random(0..2_000).find(breaks).expect("not found");
    let least = found.shrink(breaks);
    assert!(least.0.len() <= 12, "{least:?}");
    assert_eq!(Schedule::from_bytes(&least.to_bytes()), least);
    // Without the fault it is no violation.
    assert_eq!(World::new(Faults::NONE).and_then(|mut world| world.run(&least)), Ok(()));
}

#[test]
fn r18_8_a_store_that_forgets_what_was_taken_is_found() {
    is_found(|faults| faults.forgets_taken = true, |violation| matches!(violation, Violation::DeliveredTwice(_)));
    is_found(|faults| faults.forgets_taken = true, |violation| matches!(violation, Violation::NotStored(_)));
}

#[test]
fn r18_8_a_store_that_deletes_nothing_is_found() {
    is_found(|faults| faults.deletes_nothing = true, |violation| matches!(violation, Violation::NotStored(_)));
}

#[test]
fn r18_4_a_store_that_loses_a_pinned_key_is_found() {
    is_found(|faults| faults.restores_first_peers = true, |violation| matches!(violation, Violation::KeyReplaced(_)));
}

#[test]
fn r18_8_a_callee_that_delivers_before_it_stores_is_found() {
    let twice = |violation| matches!(violation, Violation::DeliveredTwice(_));
    is_found(|faults| faults.delivers_before_storing = true, twice);
}

#[test]
fn r18_8_a_callee_that_does_not_store_answers_is_found() {
    is_found(|faults| faults.keeps_no_answers = true, |violation| matches!(violation, Violation::AnswerLost(_)));
}

#[test]
fn r18_4_a_block_that_is_not_stored_is_found() {
    let delivered = |violation| matches!(violation, Violation::BlockedDelivered(_) | Violation::BlockedAnswered(_));
    is_found(|faults| faults.forgets_blocks = true, delivered);
}

#[test]
fn r18_7_a_callee_that_hands_a_request_to_another_app_is_found() {
    is_found(|faults| faults.misdelivers = true, |violation| matches!(violation, Violation::OtherThanAsked(_)));
}

#[test]
fn r18_7_a_callee_that_gives_the_answer_to_something_else_is_found() {
    is_found(|faults| faults.mixes_answers = true, |violation| matches!(violation, Violation::HeardUnsaid(_)));
}

#[test]
fn r18_10_a_caller_that_asks_by_another_apps_grant_is_found() {
    is_found(|faults| faults.ignores_grants = true, |violation| matches!(violation, Violation::NotGranted(_)));
}

#[test]
fn r18_8_a_caller_that_is_done_before_it_has_the_answer_is_found() {
    is_found(|faults| faults.is_done_early = true, |violation| matches!(violation, Violation::DeliveredTwice(_)));
}

#[test]
fn r18_8_a_client_that_is_moved_by_what_it_refused_is_found() {
    is_found(|faults| faults.counts_refused = true, |violation| matches!(violation, Violation::MovedByRefused(_)));
}

#[test]
fn r18_8_an_app_that_never_asks_again_is_found() {
    is_found(|faults| faults.gives_up = true, |violation| matches!(violation, Violation::Unanswered(_)));
}

#[test]
fn r18_6_a_number_that_is_used_twice_is_found() {
    is_found(|faults| faults.resends_numbers = true, |violation| matches!(violation, Violation::NumberTwice(_)));
}

#[test]
fn r18_5_a_callee_that_serves_private_paths_is_found() {
    is_found(|faults| faults.serves_all = true, |violation| matches!(violation, Violation::NotServed(_)));
}

#[test]
fn r18_4_a_callee_that_mistakes_its_caller_is_found() {
    let mistaken = |violation| matches!(violation, Violation::NotAsked(_) | Violation::BlockedDelivered(_));
    is_found(|faults| faults.mistakes_callers = true, mistaken);
}

#[test]
fn r18_8_a_write_that_is_kept_twice_is_found() {
    is_found(|faults| faults.stores_twice = true, |violation| matches!(violation, Violation::WrongRow(_)));
}

/// The liar opens 66 sessions, and when they may be forgotten, 66 more.
#[test]
fn r18_8_a_store_that_keeps_more_than_it_may_is_found() {
    let flood = Schedule([Choice::Lie(0, 6, 0), Choice::Pass(10), Choice::Lie(0, 6, 0)].into());
    let run = |faults| World::new(faults).and_then(|mut world| world.run(&flood));
    assert_eq!(run(Faults::NONE), Ok(()));
    let deletes_nothing = Faults { deletes_nothing: true, ..Faults::NONE };
    assert_eq!(run(deletes_nothing), Err(Violation::OverBounds(0)));
}

#[test]
fn r18_8_a_run_can_be_made_again() {
    let mut traces = [1, 1, 2].map(|seed| {
        let mut world = World::new(Faults::NONE).unwrap();
        assert_eq!(world.run(&Schedule::from_seed(seed, 60)), Ok(()));
        world.trace().to_owned()
    });
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces[0], traces[2]);
    traces.sort();
}

/// Four bytes are a choice, and a choice is four bytes.
#[test]
fn r18_8_a_schedule_is_bytes() {
    for kind in 0..=u8::MAX {
        for rest in [[0, 0, 0], [1, 2, 3], [255, 254, 253]] {
            let choice = Choice::from_bytes([kind, rest[0], rest[1], rest[2]]);
            assert_eq!(Choice::from_bytes(choice.to_bytes()), choice);
        }
    }
    let schedule = Schedule::from_seed(3, 200);
    assert_eq!(Schedule::from_bytes(&schedule.to_bytes()), schedule);
}
