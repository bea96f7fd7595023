//! The kit counts messages (§8.1): one that an app acknowledges to the relay and does not keep is found, and so is one that it keeps and
//! never shows.

use super::*;

const ALICE: u8 = 0;
const BOB: u8 = 1;

/// Alice and Bob have a confirmed line.
const CONFIRMED: &[Choice] = &[
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::UsePort(BOB, 0, SendProof::Inline),
    Choice::DeliverAll,
];

/// Bob's process dies after this many points, when Alice says something.
fn dies_over_a_message(after: u8) -> Schedule {
    Schedule([CONFIRMED, &[Choice::Say(ALICE, 0), Choice::Crash(BOB, after), Choice::DeliverAll]].concat())
}

/// Keeps the row in one transaction and what was received in another, as a store may that does not know `Write::received`.
fn splits() -> World {
    world(StoreFaults { splits_received: true, ..StoreFaults::NONE })
}

/// An app by the order that README showed once: keep the rows, commit, and then act on the message.
#[derive(Default)]
struct ActsLast(Client, Vec<Output>);

impl App for ActsLast {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        let done = self.0.deliver(event, outside);
        let effects = self.0.output();
        let receipt = done?;
        // Here the rows are kept, and the message is only in memory.
        outside.point()?;
        self.1.extend(effects);
        Ok(receipt)
    }

    fn output(&mut self) -> Vec<Output> {
        [std::mem::take(&mut self.1), self.0.output()].concat()
    }

    leaves!(0: command restart records);
}

fn acts_last() -> World<ActsLast> {
    World::new([(); 3].map(|()| ActsLast::default()))
}

#[test]
fn r8_1_wherever_bob_dies_over_a_message_it_is_heard_once() {
    let mut died = 0;
    for after in 0..12 {
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&dies_over_a_message(after)), Ok(()), "{after}\n{}", whole.trace());
        assert_eq!(whole.trace().matches(" hears ").count(), 1, "{after}\n{}", whole.trace());
        died += whole.count_of(Fault::Crash);
    }
    assert!(died > 4, "{died}");
}

#[test]
fn r8_1_a_message_that_is_kept_in_a_second_transaction_is_lost_and_found() {
    let lost = |run: &dyn Fn(&Schedule) -> Result<(), Violation>| {
        let outcomes: Vec<_> = (0..12).map(|after| run(&dies_over_a_message(after))).collect();
        assert!(outcomes.iter().all(|it| matches!(it, Ok(()) | Err(Violation::MessageLost(1)))), "{outcomes:?}");
        outcomes.iter().filter(|outcome| outcome.is_err()).count()
    };
    // One point lies between the two transactions.
    assert_eq!(lost(&|schedule| splits().run(schedule)), 1);
    // This one is in danger until it has acted.
    assert!(lost(&|schedule| acts_last().run(schedule)) > 1);
}

#[test]
fn r8_1_drawn_schedules_find_an_app_that_loses_messages() {
    let honest = |seed| Schedule::from_seed(seed, 100).with_only(Fault::is_honest);
    let hostile = |seed| Schedule::from_seed(seed, 100);
    let finds = |run: &dyn Fn(u64) -> Result<(), Violation>| {
        let found: Vec<_> = (0..100).filter_map(|seed| run(seed).err()).collect();
        assert!(found.iter().all(|it| matches!(it, Violation::MessageLost(_))), "{found:?}");
        found.len()
    };
    let found = [
        finds(&|seed| splits().run(&honest(seed))),
        finds(&|seed| splits().run(&hostile(seed))),
        finds(&|seed| acts_last().run(&honest(seed))),
    ];
    println!("of 100 schedules each: {found:?}");
    assert!(found.iter().all(|found| *found > 0), "{found:?}");
}

/// The kit's client, whose user does not see some of what is said.
struct Swallows {
    client: Client,
    /// Whether it says that it has them in its store.
    keeps: bool,
    kept: Vec<(LineId, Vec<u8>)>,
}

impl App for Swallows {
    fn output(&mut self) -> Vec<Output> {
        let (heard, rest) = self.client.output().into_iter().partition(|one| matches!(one, Output::Hear(..)));
        let heard: Vec<Output> = heard;
        self.kept.extend(heard.into_iter().filter_map(|one| match one {
            Output::Hear(line_id, text) => Some((line_id, text)),
            _ => None,
        }));
        rest
    }

    fn inbox(&self) -> Vec<(LineId, Vec<u8>)> {
        if self.keeps { self.kept.clone() } else { vec![] }
    }

    fn back_up(&mut self) {
        self.client.back_up();
    }

    fn roll_back(&mut self, how: RollBack) -> bool {
        self.client.roll_back(how)
    }

    leaves!(client: deliver command restart records);
}

fn swallows(keeps: bool) -> World<Swallows> {
    World::new([(); 2].map(|()| Swallows { client: Client::default(), keeps, kept: vec![] }))
}

#[test]
fn r8_1_a_message_that_is_thrown_away_is_found_at_once_and_one_that_is_never_shown_at_the_end() {
    let mut throws = swallows(false);
    play(&mut throws, &[CONFIRMED, &[Choice::Say(BOB, 0)]]);
    assert_eq!(throws.perform(Choice::DeliverAll), Err(Violation::MessageLost(0)));
    let mut hides = swallows(true);
    play(&mut hides, &[CONFIRMED, &[Choice::Say(BOB, 0), Choice::DeliverAll]]);
    assert_eq!(hides.finish(), Err(Violation::MessageLost(0)));
}

/// What Bob says before it has heard Alice opens by a key that Alice deletes once all of it has come (§14.7): with the message.
#[test]
fn r14_7_a_message_of_epoch_0_is_counted_though_its_key_is_gone() {
    let early = |after| {
        let used = [Choice::MakeSuperport(ALICE, 0), Choice::DeliverAll, Choice::UsePort(BOB, 0, SendProof::Inline)];
        // Alice's LineFormed, Bob's, and Confirm; then the Answer overtakes the message.
        let says = [Choice::Deliver, Choice::Deliver, Choice::Say(BOB, 0), Choice::Deliver, Choice::Reorder(1)];
        Schedule([&used[..], &says, &[Choice::Crash(ALICE, after), Choice::DeliverAll]].concat())
    };
    let (mut found, mut heard) = (0, 0);
    for after in 0..12 {
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&early(after)), Ok(()), "{after}\n{}", whole.trace());
        heard += whole.trace().matches("  0 hears ").count();
        found += usize::from(splits().run(&early(after)) == Err(Violation::MessageLost(0)));
    }
    assert_eq!((heard, found), (12, 1));
}

/// It was said, and nobody needs to hear it: the line was over when it came, or it came to another line.
#[test]
fn r6_7_a_message_on_a_line_that_is_over_is_not_lost() {
    let mut whole = world(StoreFaults::NONE);
    play(&mut whole, &[CONFIRMED, &[Choice::Say(ALICE, 0), Choice::Close(BOB, 0), Choice::DeliverAll]]);
    assert_eq!((whole.finish(), whole.trace().matches(" hears ").count()), (Ok(()), 0), "{}", whole.trace());
    let used = [Choice::MakeSuperport(ALICE, 0), Choice::DeliverAll, Choice::UsePort(BOB, 0, SendProof::Inline)];
    let says = [Choice::Deliver, Choice::Deliver, Choice::Say(BOB, 0), Choice::Close(ALICE, 0), Choice::DeliverAll];
    let mut early = world(StoreFaults::NONE);
    play(&mut early, &[&used, &says]);
    assert_eq!((early.finish(), early.trace().matches(" hears ").count()), (Ok(()), 0), "{}", early.trace());
    let mut crossed = world(StoreFaults::NONE);
    let another = [Choice::MakePort(ALICE, None), Choice::DeliverAll, Choice::UsePort(2, 1, SendProof::Inline)];
    play(&mut crossed, &[CONFIRMED, &another, &[Choice::DeliverAll, Choice::Say(ALICE, 0), Choice::Say(ALICE, 1)]]);
    let all_lines = (0..16).flat_map(|n| (0..4).map(move |line| Choice::CrossLine(n, line))).collect::<Vec<_>>();
    play(&mut crossed, &[&all_lines, &[Choice::DeliverAll]]);
    assert_eq!((crossed.finish(), crossed.trace().matches(" hears ").count()), (Ok(()), 2), "{}", crossed.trace());
}

/// A client that restores an old backup loses what came since, and its packets may be taken for old ones (§11). It is not blamed for it.
#[test]
fn r11_a_message_that_went_with_a_backup_is_not_counted() {
    // Bob's second message has the counter of the first, and Alice takes the first.
    let twice =
        [Choice::BackUp(BOB), Choice::Say(BOB, 0), Choice::RollBack(BOB, RollBack::Records), Choice::Say(BOB, 0)];
    let mut speaker = world(StoreFaults::NONE);
    play(&mut speaker, &[CONFIRMED, &twice, &[Choice::DeliverAll]]);
    assert_eq!((speaker.finish(), speaker.trace().matches("  0 hears ").count()), (Ok(()), 1), "{}", speaker.trace());
    // Alice kept a message that its user has not seen, and then lost the store that had it.
    let seen = [Choice::BackUp(ALICE), Choice::Say(BOB, 0), Choice::DeliverAll];
    for (rolls_back, finishes) in [(&[][..], Err(Violation::MessageLost(0))), (&[RollBack::Everything], Ok(()))] {
        let mut hearer = swallows(true);
        let rolls_back: Vec<_> = rolls_back.iter().map(|how| Choice::RollBack(ALICE, *how)).collect();
        play(&mut hearer, &[CONFIRMED, &seen, &rolls_back]);
        assert_eq!((hearer.finish(), hearer.count_of(Fault::RollBack)), (finishes, rolls_back.len()));
    }
}

/// §16.3: a grant, a ticket and a withdrawal, each of which its reader's process dies over.
#[test]
fn r16_3_what_is_said_of_a_contact_port_is_not_lost_and_an_app_that_loses_it_is_found() {
    use super::contact::{ALICE, CAROL, GRANTED, INTRODUCED, schedule};
    let (before_grant, grant) = GRANTED.split_at(4);
    let withdrawn = [Choice::Withdraw(ALICE, 0), Choice::DeliverAll];
    let before_end = [GRANTED, INTRODUCED].concat();
    for (reader, before, said) in
        [(CAROL, before_grant, grant), (ALICE, GRANTED, INTRODUCED), (CAROL, &before_end, &withdrawn)]
    {
        let mut found = 0;
        for after in 0..20 {
            let dies = schedule(&[before, &[Choice::Crash(reader, after)], said]);
            let mut whole = world(StoreFaults::NONE);
            assert_eq!(whole.run(&dies), Ok(()), "{}", whole.trace());
            let faults = StoreFaults { splits_received: true, ..StoreFaults::NONE };
            match world(faults).run(&dies) {
                Ok(()) => {}
                Err(Violation::MessageLost(who)) if who == usize::from(reader) => found += 1,
                other => panic!("{other:?} by {dies:?}"),
            }
        }
        assert!(found > 0, "{reader}, {said:?}");
    }
}
