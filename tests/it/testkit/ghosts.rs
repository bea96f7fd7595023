//! Nobody waits on a line whose other end is gone (§8.3), and no Port has the line of another (§4.3, §5.3). An app that leaves out what
//! stands for it is found.

use super::*;

const ALICE: u8 = 0;
const BOB: u8 = 1;

const IGNORES: StoreFaults = StoreFaults { ignores_unknown_lines: true, ..StoreFaults::NONE };
const BELIEVES: StoreFaults = StoreFaults { believes_any_line: true, ..StoreFaults::NONE };

/// Alice makes a Port, and Bob uses it.
fn used(how: SendProof) -> Vec<Choice> {
    vec![Choice::MakePort(ALICE, None), Choice::DeliverAll, Choice::UsePort(BOB, 0, how)]
}

/// What each end of the line has of it, after a good end; and what is found of an app that ignores what it has no record of.
#[track_caller]
fn ends(choices: &[Choice]) -> ([Option<LinePhase>; 2], Result<(), Violation>) {
    let schedule = Schedule(choices.to_vec());
    let mut whole = world(StoreFaults::NONE);
    assert_eq!(whole.run(&schedule), Ok(()), "{}", whole.trace());
    ([0, 1].map(|who| phase(&whole, who)), world(IGNORES).run(&schedule))
}

const CLOSED: Option<LinePhase> = Some(LinePhase::Closed);

/// Whichever end is lost, and whenever, the other end is told.
#[test]
fn r8_3_an_end_whose_other_end_crashed_for_good_is_told_and_an_app_that_ignores_it_is_found() {
    let (mut found, mut healed) = (0, vec![]);
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        for after in 0..8 {
            for lost in [ALICE, BOB] {
                let delivered = vec![Choice::Deliver; after];
                let choices = [used(how), delivered, vec![Choice::Lose(lost)]].concat();
                let (phases, ignored) = ends(&choices);
                let (gone, other) = (phases[usize::from(lost)], phases[usize::from(1 - lost)]);
                // Who is lost before the line is formed, and who has lost its Bob, has none.
                assert!(gone.is_none() && matches!(other, None | CLOSED), "{after}: {phases:?}");
                match ignored {
                    Ok(()) => healed.push((how, after, lost)),
                    Err(Violation::GhostLine(who)) if who == usize::from(lost) => found += 1,
                    other => panic!("{choices:?}: {other:?}"),
                }
            }
        }
    }
    // Alice waits for the proof of a Bob that is gone, and not for ever.
    assert_eq!(healed, [0, 1].map(|after| (SendProof::AlongTheLine, after, BOB)));
    assert_eq!(found, 30);
}

/// Bob gives up while it is connecting. The relay has formed the line, and Bob hears of it later.
#[test]
fn r5_4_a_bob_that_gave_up_leaves_the_line_that_it_hears_of() {
    for before in [0, 1] {
        let delivered = vec![Choice::Deliver; before];
        let choices = [used(SendProof::Inline), delivered, vec![Choice::GiveUp(BOB, 0)]].concat();
        assert_eq!(ends(&choices), ([CLOSED, None], Ok(())), "{before}");
    }
    // It was deleted since, and there is nothing that could tell.
    let tidy = |faults| {
        Odd(Client::new(faults), |client, outside, act| {
            client.sweep();
            act(client, outside)
        })
    };
    let choices = Schedule([used(SendProof::Inline), vec![Choice::GiveUp(BOB, 0), Choice::Tick(BOB)]].concat());
    for (faults, found) in [(StoreFaults::NONE, Ok(())), (IGNORES, Err(Violation::GhostLine(1)))] {
        let mut world = World::new([tidy(faults), tidy(faults)]);
        assert_eq!(world.run(&choices), found, "{}", world.trace());
    }
}

/// §5.6: a second scan of a Port whose first use was given up. The first line is left, and the second use gets no other.
#[test]
fn r5_6_who_scans_again_leaves_the_line_of_the_first_scan() {
    let again = [Choice::GiveUp(BOB, 0), Choice::UsePort(BOB, 0, SendProof::Inline)];
    let (phases, _) = ends(&[&used(SendProof::Inline)[..], &again].concat());
    assert_eq!(phases, [CLOSED, None]);
    // Of a Superport it gets one.
    let superport = [Choice::MakeSuperport(ALICE, 1), Choice::DeliverAll, Choice::UsePort(BOB, 0, SendProof::Inline)];
    let mut world = world(StoreFaults::NONE);
    assert_eq!(world.run(&Schedule([&superport[..], &again].concat())), Ok(()), "{}", world.trace());
    let phases = |who: usize| {
        let records = world.apps()[who].records();
        let mut phases: Vec<_> =
            records.iter().filter_map(|record| Some(Line::restore(record).ok()?.phase())).collect();
        phases.sort_by_key(|phase| *phase == LinePhase::Closed);
        phases
    };
    assert_eq!((phases(0), phases(1)), (vec![LinePhase::Confirmed, LinePhase::Closed], vec![LinePhase::Confirmed]));
}

/// Two Ports of Alice's: the first has a line, and the relay says that the second has the same one.
const NAMED_AGAIN: &[Choice] = &[
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::UsePort(BOB, 0, SendProof::Inline),
    Choice::DeliverAll,
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::AnswerUnasked(ALICE, Answer::TakenLine),
];

#[test]
fn r4_3_an_alice_that_takes_any_line_for_its_own_is_found() {
    let schedule = Schedule(NAMED_AGAIN.to_vec());
    let mut whole = world(StoreFaults::NONE);
    assert_eq!(whole.run(&schedule), Ok(()), "{}", whole.trace());
    let records = whole.apps()[0].records();
    let ports = records.iter().filter_map(|record| Some(Alice::restore(record).ok()?.phase()));
    assert_eq!(ports.filter(|phase| *phase == AlicePhase::Ended(PortOutcome::FalseLine)).count(), 1);
    // The line is a good one, and stays.
    assert_eq!(phase(&whole, 0), Some(LinePhase::Confirmed));
    assert_eq!(world(BELIEVES).run(&schedule), Err(Violation::ForeignLine(0)));
}

/// So is one in a random world, and so is one that ignores what it has no record of.
#[test]
fn r10_each_of_the_two_is_found_by_chance() {
    let found = |faults, honest: bool, is: fn(Violation) -> bool| {
        (0..200).filter(move |seed| {
            let schedule = Schedule::from_seed(*seed, 100);
            let schedule = if honest { schedule.with_only(Fault::is_honest) } else { schedule };
            world(faults).run(&schedule).is_err_and(is)
        })
    };
    let ghosts = found(IGNORES, true, |violation| matches!(violation, Violation::GhostLine(_))).count();
    let foreign = found(BELIEVES, false, |violation| matches!(violation, Violation::ForeignLine(_))).count();
    println!("{ghosts} ghosts, {foreign} lines of other Ports");
    assert!(ghosts > 3 && foreign > 0, "{ghosts}, {foreign}");
}

/// Thousands of worlds: some minutes. `cargo test --release --all-features --test it testkit::ghosts -- --ignored`
#[test]
#[ignore = "takes long; run it when src/ or the kit's client changes what it sends or keeps"]
fn r8_3_nobody_is_left_waiting_in_thousands_of_worlds() {
    let (mut lost, mut given_up) = (0, 0);
    let honest = |schedule: Schedule| schedule.with_only(Fault::is_honest);
    all_hold(
        0..2000,
        |seed| honest(Schedule::from_seed(seed, 120)),
        |world| {
            lost += world.count_of(Fault::Lose);
            given_up += world.trace().matches("wants GiveUp").count();
        },
    );
    println!("{lost} devices lost, {given_up} machines given up");
    assert!(lost > 500 && given_up > 1000, "{lost}, {given_up}");
    all_hold(2000..3000, |seed| Schedule::from_seed(seed, 120), |_| {});
    all_hold(4000..4600, |seed| honest(super::contact::with_contacts(seed)), |_| {});
    all_hold(4600..5200, |seed| honest(super::many::for_many(seed)), |_| {});
    all_hold(5200..5600, super::contact::with_contacts, |_| {});
}
