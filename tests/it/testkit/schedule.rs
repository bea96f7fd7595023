//! What happens in the kit's worlds, as data: what each choice is, how often it is drawn, and how a schedule shrinks.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::SendProof;
use port_protocol::testkit::*;
use proptest::prelude::*;

/// All choices of this kind, one for each second byte, with this third one.
fn drawn(kind: u8, c: u8) -> impl Iterator<Item = Choice> {
    (0..=u8::MAX).map(move |b| Choice::from_bytes([kind, 0, b, c]))
}

/// A lie that is never drawn is never tried.
#[test]
fn every_way_is_drawn_about_as_often_as_any_other() {
    let ways = [(58, 5), (62, 10), (66, 6), (85, 3), (68, 24), (69, 16)];
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

#[test]
fn every_choice_that_can_be_written_has_bytes_of_its_own() {
    use Choice::{
        AnswerUnasked, BackUp, ClaimTwice, Clock, Close, Crash, CrossLine, Decide, Delay, Deliver, DeliverAll, Drop,
        Duplicate, Flip, Forge, GiveUp, Grant, Introduce, Lose, MakePool, MakePort, MakeSuperport, Misroute, Reorder,
        RollBack as Back, Say, SetPolicy, Tick, UsePort, Wake,
    };
    let numbers = [0, 1, 2, 3, 15, 16, 23, 24, 63, 64, 127, 128, 191, 192, 239, 240, 254, 255];
    let pairs = || numbers.into_iter().flat_map(|a| numbers.map(|b| (a, b)));
    let claims = [Claim::SameProof, Claim::ForeignProof, Claim::NoProof, Claim::OtherPeer, Claim::SameLine];
    let asked = [Asked::Now, Asked::Before].into_iter();
    let to_bob = asked.flat_map(|asked| [Answer::Connected(asked), Answer::Refusal(asked)]);
    let answers = [Answer::Link, Answer::SecondLink, Answer::Line, Answer::TakenLine, Answer::LinkLost];
    let answers: Vec<_> = answers.into_iter().chain(to_bob).chain([Answer::ConnectedToTaken]).collect();
    let said = [End::Alice, End::Bob].into_iter().flat_map(|end| [Forgery::Disconnected(end), Forgery::Dropped(end)]);
    let forgeries: Vec<_> = said.chain([Forgery::Proof, Forgery::Packet]).collect();
    let backs = [RollBack::Process, RollBack::Records, RollBack::Everything];
    let ways = [SendProof::Inline, SendProof::AlongTheLine];
    let changes = [Change::Pause, Change::Resume, Change::Raise, Change::Lower];

    let mut all = vec![Deliver, DeliverAll, Drop, Delay];
    for n in numbers {
        all.extend([Reorder(n), Duplicate(n), Clock(n), Wake(n), BackUp(n), MakePort(n, None), Tick(n)]);
        all.extend(claims.map(|claim| ClaimTwice(n, claim)));
        all.extend(answers.iter().map(|answer| AnswerUnasked(n, *answer)));
        all.push(Lose(n));
        all.extend(forgeries.iter().map(|forgery| Forge(n, *forgery)));
        all.extend(backs.map(|how| Back(n, how)));
    }
    for (a, b) in pairs() {
        all.extend([Misroute(a, b), CrossLine(a, b), Flip(a, u16::from_le_bytes([b, a])), Crash(a, b)]);
        all.extend([MakePort(a, Some(b)), GiveUp(a, b), Say(a, b), Close(a, b)]);
        all.extend(ways.map(|how| UsePort(a, b, how)));
        all.extend(changes.map(|change| SetPolicy(a, b, change)));
        all.extend([true, false].map(|accept| Decide(a, b, accept)));
        all.extend((b < 192).then_some(MakeSuperport(a, b)));
        all.push(MakePool(a, b));
        all.extend([None, Some(b % 24)].map(|expires| Introduce(a, b, expires)));
    }
    let expiries = (0..32).flat_map(|n| [Expiry::Port(n), Expiry::Policy(n)]).map(Some).chain([None]);
    for (n, expiry) in expiries.flat_map(|expiry| (0..8).map(move |n| (n, expiry))) {
        let terms = |uses| [true, false].map(|asks| Terms { uses, asks, expiry });
        let terms = [None, Some(1), Some(2), Some(3)].into_iter().flat_map(terms);
        all.extend(terms.map(|terms| Grant(7, n, terms)));
    }
    for choice in &all {
        assert_eq!(Choice::from_bytes(choice.to_bytes()), *choice);
    }
    all.sort_by_key(|choice| choice.to_bytes());
    all.dedup();
    let bytes: std::collections::BTreeSet<_> = all.iter().map(|choice| choice.to_bytes()).collect();
    assert_eq!(bytes.len(), all.len());
}

proptest! {
    #[test]
    fn every_four_bytes_are_a_choice_and_every_choice_has_its_own(bytes: Vec<u8>) {
        let schedule = Schedule::from_bytes(&bytes);
        prop_assert_eq!(schedule.0.len(), bytes.len() / 4);
        prop_assert_eq!(Schedule::from_bytes(&schedule.to_bytes()), schedule);
    }
}
