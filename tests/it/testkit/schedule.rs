//! What happens in the kit's worlds, as data: what each choice is, how often it is drawn, and how a schedule shrinks.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::SendProof;
use port_protocol::testkit::*;

/// All choices of this kind, one for each second byte, with this third one.
fn drawn(kind: u8, c: u8) -> impl Iterator<Item = Choice> {
    (0..=u8::MAX).map(move |b| Choice::from_bytes([kind, 0, b, c]))
}

/// A lie that is never drawn is never tried.
#[test]
fn every_way_is_drawn_about_as_often_as_any_other() {
    let ways = [(58, 5), (62, 4), (66, 6), (85, 3), (68, 24), (69, 16)];
    for (kind, ways) in ways {
        let mut counts = BTreeMap::new();
        drawn(kind, 0).for_each(|choice| *counts.entry(choice.to_bytes()).or_insert(0_usize) += 1);
        assert_eq!(counts.len(), ways, "{kind}: {counts:?}");
        assert!(counts.values().all(|count| count.abs_diff(256 / ways) <= 1), "{kind}: {counts:?}");
    }
}

/// So that a fuzzer that makes a byte smaller makes the number smaller.
#[test]
fn a_small_byte_is_that_number() {
    for n in 0..16 {
        assert_eq!(Choice::from_bytes([69, 0, n, 0]), Choice::Crash(0, n));
        assert_eq!(Choice::from_bytes([68, 0, n, 0]), Choice::Clock(n));
        assert_eq!(Choice::from_bytes([87, 0, 192, n]), Choice::MakePort(0, Some(n)));
    }
}

#[test]
fn a_quarter_of_all_ports_expire_and_half_of_all_proofs_travel_along_the_line() {
    let expiring = drawn(87, 0).filter(|choice| matches!(choice, Choice::MakePort(_, Some(_))));
    assert_eq!(expiring.count(), 64);
    let expiries = (0..=u8::MAX).map(|c| Choice::from_bytes([87, 0, 200, c]).to_bytes());
    assert_eq!(expiries.collect::<BTreeSet<_>>().len(), 24);
    let on_board = (0..=u8::MAX).map(|c| Choice::from_bytes([97, 0, 0, c]));
    assert_eq!(on_board.filter(|choice| matches!(choice, Choice::UsePort(.., SendProof::Inline))).count(), 128);
}

#[test]
fn a_schedule_with_only_some_faults_has_all_else() {
    let whole = Schedule::from_seed(7, 2000);
    let faults = |schedule: &Schedule| schedule.0.iter().filter_map(|choice| choice.fault()).collect::<BTreeSet<_>>();
    assert_eq!(faults(&whole), BTreeSet::from(Fault::ALL));
    for fault in Fault::ALL {
        let only = whole.clone().with_only(|other| other == fault);
        assert_eq!(faults(&only), BTreeSet::from([fault]));
        let ordinary = |schedule: &Schedule| schedule.0.iter().filter(|choice| choice.fault().is_none()).count();
        assert_eq!(ordinary(&only), ordinary(&whole));
    }
}

#[test]
fn a_schedule_shrinks_to_the_least_choice_with_the_least_numbers() {
    let says = |schedule: &Schedule| schedule.0.iter().any(|choice| matches!(choice, Choice::Say(3.., 5..)));
    let whole = (0..).map(|seed| Schedule::from_seed(seed, 100)).find(says).unwrap();
    assert_eq!(whole.shrink(says), Schedule(vec![Choice::Say(3, 5)]));
    // What holds stays whole.
    assert_eq!(whole.shrink(|_| false), whole);
}

/// With less before it, a crash comes sooner.
#[test]
fn a_schedule_shrinks_though_a_crash_counts_what_is_before_it() {
    let counts = |schedule: &Schedule| {
        let crash = |choice: &Choice| matches!(choice, Choice::Crash(..));
        let place = schedule.0.iter().position(crash);
        place.is_some_and(|place| schedule.0[place] == Choice::Crash(0, place as u8))
    };
    let whole = Schedule([vec![Choice::Deliver; 9], vec![Choice::Crash(0, 9)]].concat());
    assert!(counts(&whole));
    assert_eq!(whole.shrink(counts), Schedule(vec![Choice::Crash(0, 0)]));
}

#[test]
fn of_what_owners_say_everything_is_drawn() {
    let all = |kind: u8, b: u8| (0..=u8::MAX).map(move |c| Choice::from_bytes([kind, 0, b, c]));
    let count = |kind, is: fn(&Choice) -> bool| all(kind, 7).filter(is).count();
    assert_eq!(count(87, |it| matches!(it, Choice::MakeSuperport(0, 7))), 48);
    assert_eq!(count(124, |it| matches!(it, Choice::Decide(0, 7, true))), 80);
    assert_eq!(count(124, |it| matches!(it, Choice::Decide(0, 7, false))), 48);
    assert_eq!(count(126, |it| matches!(it, Choice::SetPolicy(0, 7, Change::Pause))), 32);
    assert_eq!(count(126, |it| matches!(it, Choice::SetPolicy(0, 7, Change::Resume))), 32);
    assert_eq!(count(126, |it| matches!(it, Choice::SetPolicy(0, 7, Change::Raise))), 32);
    assert_eq!(count(126, |it| matches!(it, Choice::SetPolicy(0, 7, Change::Lower))), 32);
}
