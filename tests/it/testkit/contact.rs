//! Contact ports in the kit's worlds (§16).

use super::*;

pub(super) const ALICE: u8 = 0;
pub(super) const CAROL: u8 = 1;
pub(super) const BOB: u8 = 2;

/// Alice and Carol have a line, and along it Carol is granted a contact port.
pub(super) const GRANTED: &[Choice] = &[
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::UsePort(CAROL, 0, SendProof::Inline),
    Choice::DeliverAll,
    Choice::Grant(ALICE, 0, FREE),
    Choice::DeliverAll,
];

/// What was shown: Alice's Port first, then each Port with a ticket.
pub(super) const TICKET: u8 = 1;
pub(super) const INTRODUCED: &[Choice] = &[Choice::Introduce(CAROL, 0, None), Choice::DeliverAll];
pub(super) const USED: &[Choice] = &[Choice::UsePort(BOB, TICKET, SendProof::Inline), Choice::DeliverAll];

pub(super) const FREE: Terms = Terms { uses: None, asks: false, expiry: None };

pub(super) fn granted(terms: Terms) -> Vec<Choice> {
    let grant =
        |choice: &Choice| if matches!(choice, Choice::Grant(..)) { Choice::Grant(ALICE, 0, terms) } else { *choice };
    GRANTED.iter().map(grant).collect()
}

/// Half of all are free.
fn terms(n: u8) -> Terms {
    let how = n / 3;
    let expiry = match how % 8 {
        1 => Some(Expiry::Port(n % 16)),
        3 => Some(Expiry::Policy(n % 16)),
        _ => None,
    };
    Terms { uses: (how % 4 == 3).then_some(n % 3 + 1), asks: how % 4 == 1, expiry }
}

/// Drawn from a seed, behind a grant; but people grant, introduce and withdraw more than they talk.
pub(super) fn with_contacts(seed: u64) -> Schedule {
    let Schedule(mut choices) = Schedule::from_seed(seed, 120);
    for (n, choice) in choices.iter_mut().enumerate() {
        let n = n as u8;
        *choice = match *choice {
            Choice::MakePort(who, _) if !n.is_multiple_of(3) => Choice::Grant(who, n, terms(n)),
            Choice::Say(who, at) if !n.is_multiple_of(3) => {
                Choice::Introduce(who, at, n.is_multiple_of(5).then_some(n % 16))
            }
            Choice::Tick(who) => Choice::UsePort(who, n, SendProof::Inline),
            Choice::Clock(who) => Choice::Withdraw(who, n),
            Choice::Close(who, at) if n.is_multiple_of(2) => Choice::Decide(who, at, !n.is_multiple_of(8)),
            Choice::GiveUp(..) => Choice::Clock(n % 8),
            Choice::BackUp(who) if !n.is_multiple_of(2) => {
                Choice::SetPolicy(who, n, if n % 4 > 1 { Change::Pause } else { Change::Resume })
            }
            same => same,
        };
    }
    Schedule([granted(terms((seed as u8).wrapping_mul(3))), choices].concat())
}

fn count<A: App>(world: &World<A>, what: &str) -> usize {
    world.trace().matches(what).count()
}

/// Alice's lines of contact ports.
pub(super) fn introduced<A: App>(world: &World<A>) -> Vec<Line> {
    let records = world.apps().iter().flat_map(App::records);
    let lines = records.filter_map(|record| Line::restore(&record).ok());
    lines.filter(|line| line.introduced().is_some_and(|introduced| introduced.by.is_some())).collect()
}

#[test]
fn a_choice_is_what_its_bytes_say() {
    for (a, b) in [(0, 0), (1, 7), (255, 255)] {
        for choice in [Choice::Grant(a, b % 8, FREE), Choice::Introduce(a, b, None), Choice::Withdraw(a, b)] {
            assert_eq!(Choice::from_bytes(choice.to_bytes()), choice);
            assert_eq!(choice.fault(), None);
        }
        // What schedules were kept as stays what it was.
        assert_eq!(Choice::from_bytes([110, a, b, 0]), Choice::Say(a, b));
    }
}

#[test]
fn r16_an_introduction_comes_to_a_line_that_says_by_whom() {
    let mut world = world(StoreFaults::NONE);
    play(&mut world, &[GRANTED, INTRODUCED, USED]);
    let lines = introduced(&world);
    let [line] = &lines[..] else { panic!("{}", world.trace()) };
    assert_eq!(
        (line.phase(), line.introduced().map(|by| by.name.as_str())),
        (LinePhase::Confirmed, Some("introducer 1"))
    );
    assert_eq!(world.apps()[0].tickets(), Some(vec![]));
    assert_eq!(world.finish(), Ok(()), "{}", world.trace());
    assert_eq!(introduced(&world).len(), 1);
}

#[test]
fn r16_no_schedule_breaks_what_must_hold_of_a_contact_port() {
    let happens = ["wants Introduce", "Grant(", "Withdraw(", "wants GiveUp", " hears ", "sends Disconnect"];
    let mut counts = [0; 6];
    let mut lines = 0;
    // Of the contact ports: that are limited, ask, have expired; lines that wait.
    let mut terms = [0; 4];
    all_hold(0..60, with_contacts, |world| {
        counts.iter_mut().zip(happens).for_each(|(n, what)| *n += count(world, what));
        lines += introduced(world).len();
        let alices = || world.apps().iter().flat_map(App::records).filter_map(|record| Alice::restore(&record).ok());
        let of_contacts = |is: fn(&Policy) -> bool| {
            let offered = alices().filter(|alice| alice.introducer().is_some());
            offered.filter(|alice| alice.policy().is_some_and(is)).count()
        };
        terms[0] += of_contacts(|policy| matches!(policy.use_limit(), UseLimit::UpTo(_)));
        terms[1] += of_contacts(Policy::requires_approval);
        terms[2] += alices().filter(|alice| alice.phase() == AlicePhase::Ended(PortOutcome::Expired)).count();
        terms[3] += introduced(world).iter().filter(|line| line.phase() == LinePhase::AwaitingApproval).count();
    });
    let counts: Vec<_> = happens.iter().zip(counts).collect();
    println!("{counts:?}, {lines} lines, {terms:?}");
    assert!(counts.iter().all(|(_, n)| *n > 10), "{counts:?}");
    assert!(lines > 10, "{lines}");
    assert!(terms[..3].iter().all(|n| *n > 10) && terms[3] > 2, "{terms:?}");
}

#[test]
fn r16_what_only_honest_faults_disturb_comes_to_a_good_end() {
    let (mut lines, mut late) = (0, 0);
    let draw = |seed| with_contacts(seed).with_only(Fault::is_honest);
    all_hold(100..160, draw, |world| {
        let all = introduced(world);
        lines += all.iter().filter(|line| line.confirmed().is_some()).count();
        late += usize::from(all.is_empty());
    });
    println!("{lines} lines, {late} worlds without");
    assert!(lines > 20, "{lines}");
}

/// Bob's line, as the relay has it, is the second.
const CLAIMED: &[Choice] = &[Choice::ClaimTwice(1, Claim::SameProof), Choice::DeliverAll];

pub(super) fn schedule(choices: &[&[Choice]]) -> Schedule {
    Schedule(choices.concat())
}

#[test]
fn r16_4_a_ticket_that_is_used_again_forms_no_line_and_an_app_that_forgets_it_is_found() {
    let again = schedule(&[GRANTED, INTRODUCED, USED, CLAIMED]);
    let faulty = |forgets_marks, keeps_used_tickets| {
        world(StoreFaults { forgets_marks, keeps_used_tickets, ..StoreFaults::NONE })
    };
    for (forgets, keeps) in [(false, false), (false, true), (true, false)] {
        let mut whole = faulty(forgets, keeps);
        assert_eq!(whole.run(&again), Ok(()), "{forgets}, {keeps}\n{}", whole.trace());
        assert_eq!(introduced(&whole).len(), 1);
    }
    assert_eq!(faulty(true, true).run(&again), Err(Violation::TicketTwice(0)));
}

/// Carol's process dies after the announcement, and announces the ticket again. Alice hears the second one only after the ticket was used.
#[test]
fn r16_4_nor_does_one_that_she_is_told_of_again() {
    let used = [Choice::Deliver, Choice::UsePort(BOB, TICKET, SendProof::Inline), Choice::Delay, Choice::DeliverAll];
    let told_again = |crash| {
        let dies = [Choice::Crash(CAROL, crash), Choice::Introduce(CAROL, 0, None)];
        schedule(&[GRANTED, &dies, &used, CLAIMED])
    };
    let mut found = 0;
    for schedule in (0..30).map(told_again) {
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&schedule), Ok(()), "{}", whole.trace());
        let shown = count(&whole, "1 shows") > 0;
        assert_eq!(introduced(&whole).len(), usize::from(shown), "{}", whole.trace());
        assert_eq!(whole.apps()[0].tickets(), Some(vec![]), "{}", whole.trace());
        found += usize::from(forgetful().run(&schedule) == Err(Violation::TicketTwice(0)));
    }
    assert!(found > 0, "no crash made Carol tell Alice again");
}

#[test]
fn r16_4_a_backup_that_comes_back_lets_nobody_in_again() {
    for how in [RollBack::Process, RollBack::Records, RollBack::Everything] {
        let rolled_back = [Choice::RollBack(ALICE, how)];
        let again = schedule(&[GRANTED, INTRODUCED, &[Choice::BackUp(ALICE)], USED, &rolled_back, CLAIMED]);
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&again), Ok(()), "{how:?}\n{}", whole.trace());
        assert_eq!(whole.count_of(Fault::RollBack), 1);
        // The row comes back with the records, and only the mark is left to say that it was used.
        assert_eq!(whole.apps()[0].tickets().unwrap().len(), usize::from(how == RollBack::Records));
        if how != RollBack::Process {
            assert_eq!(world(StoreFaults::ALL).run(&again), Err(Violation::TicketTwice(0)), "{how:?}");
        }
    }
}

#[test]
fn r16_4_a_use_that_comes_again_ends_no_line() {
    let gone = [Choice::Withdraw(ALICE, 0), Choice::DeliverAll];
    for before in [&[][..], &[Choice::SetPolicy(ALICE, 0, Change::Pause)], &gone] {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[GRANTED, INTRODUCED, USED, before]);
        let is_use = |delivery: &Delivery| {
            delivery.to == 0 && matches!(Event::decode(&delivery.event), Ok(Event::LineFormed { proof: Some(_), .. }))
        };
        let again = world.events().iter().rposition(is_use).unwrap() as u8;
        play(&mut world, &[&[Choice::Duplicate(again), Choice::DeliverAll]]);
        assert_eq!(world.finish(), Ok(()), "{}", world.trace());
        assert_eq!((world.count_of(Fault::Duplicate), introduced(&world)[0].phase()), (1, LinePhase::Confirmed));
    }
}

#[test]
fn r16_4_a_ticket_is_for_one() {
    let mut world = World::new([(); 4].map(|()| Client::default()));
    let another = Choice::UsePort(3, TICKET, SendProof::Inline);
    play(&mut world, &[GRANTED, INTRODUCED, USED, &[another, Choice::DeliverAll]]);
    assert_eq!(phase(&world, 3), Some(LinePhase::Joined));
    // Alice does not turn user 3 away at once: the notice of user 3's ticket may still be on its way (§16.7).
    assert_eq!(world.finish(), Ok(()), "{}", world.trace());
    assert_eq!((phase(&world, 2), phase(&world, 3)), (Some(LinePhase::Confirmed), Some(LinePhase::Closed)));
}

#[test]
fn r16_7_who_comes_before_alice_was_told_waits_for_her() {
    let early = [Choice::Introduce(CAROL, 0, None), Choice::UsePort(BOB, TICKET, SendProof::Inline)];
    let mut world = world(StoreFaults::NONE);
    play(&mut world, &[GRANTED, &early, &[Choice::Delay, Choice::Deliver]]);
    assert_eq!((introduced(&world).len(), count(&world, "Disconnect")), (0, 0), "{}", world.trace());
    play(&mut world, &[&[Choice::DeliverAll]]);
    assert_eq!(introduced(&world)[0].phase(), LinePhase::Confirmed, "{}", world.trace());
}

#[test]
fn r16_7_but_not_for_ever_nor_if_nobody_can_tell_her() {
    let early = [Choice::Introduce(CAROL, 0, None), Choice::UsePort(BOB, TICKET, SendProof::Inline), Choice::Drop];
    let (too_long, closed) = ([Choice::Clock(12), Choice::Tick(ALICE)], [Choice::Close(ALICE, 0), Choice::Wake(ALICE)]);
    for (when, ends) in
        [(&[][..], false), (&[Choice::Clock(11), Choice::Tick(ALICE)], false), (&too_long, true), (&closed, true)]
    {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[GRANTED, &early, &[Choice::DeliverAll], when, &[Choice::DeliverAll]]);
        let expected = if ends { LinePhase::Closed } else { LinePhase::Joined };
        assert_eq!(phase(&world, 2), Some(expected), "{when:?}\n{}", world.trace());
        assert_eq!(world.finish(), Ok(()), "{}", world.trace());
    }
}

/// Keeps to its Ports, whatever its user wants.
const STUBBORN: fn(Command) -> Option<Command> =
    |command| Some(command).filter(|command| !matches!(command, Command::GiveUp(_)));

#[test]
fn r16_6_what_is_withdrawn_lets_nobody_in_and_an_app_that_goes_on_is_found() {
    let withdrawn = [Choice::Withdraw(ALICE, 0), Choice::DeliverAll];
    // Before Bob uses it; or after that, but before Alice has heard of it.
    let on_its_way = [USED[0], withdrawn[0], Choice::DeliverAll];
    for choices in [[&withdrawn[..], USED].concat(), on_its_way.to_vec()] {
        let choices = schedule(&[GRANTED, INTRODUCED, &choices]);
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&choices), Ok(()), "{}", whole.trace());
        assert_eq!((introduced(&whole).len(), whole.apps()[0].tickets()), (0, Some(vec![])));
        let carol = whole.apps()[1].records().into_iter().find_map(|record| Introducer::restore(&record).ok()).unwrap();
        assert_eq!(carol.phase(), IntroducerPhase::Ended(GrantOutcome::Withdrawn), "{}", whole.trace());
        let mut stubborn = World::new([(); 3].map(|()| Rewords(Client::default(), STUBBORN)));
        assert_eq!(stubborn.run(&choices), Err(Violation::AfterWithdrawal(0)), "{}", stubborn.trace());
    }
}

/// Calls itself something else than its user says.
const NAMELESS: fn(Command) -> Option<Command> = |command| match command {
    Command::Introduce { key, name: _, expires, seed } => {
        Some(Command::Introduce { key, name: IntroducerName::new("").unwrap(), expires, seed })
    }
    command => Some(command),
};

#[test]
fn r16_5_a_name_that_nobody_gave_is_found() {
    let mut world = World::new([(); 3].map(|()| Rewords(Client::default(), NAMELESS)));
    assert_eq!(world.run(&schedule(&[GRANTED, INTRODUCED, USED])), Err(Violation::NotIntroduced(0)));
}

#[test]
fn r16_3_whoever_dies_when_bob_is_introduced_once() {
    for who in [ALICE, CAROL, BOB] {
        let mut died = 0;
        for (after, more) in (0..45).flat_map(|after| [(after, 0), (after, 5)]) {
            let mut world = world(StoreFaults::NONE);
            let dies = [Choice::Crash(who, after), Choice::Crash(who, more)];
            play(&mut world, &[GRANTED, &dies, INTRODUCED]);
            // A user who sees that nothing came of it says so again.
            let again = if count(&world, "1 shows") == 0 { INTRODUCED } else { &[] };
            play(&mut world, &[again, USED, &[Choice::Wake(BOB), Choice::DeliverAll]]);
            assert_eq!(world.finish(), Ok(()), "{}", world.trace());
            died += world.count_of(Fault::Crash);
            let confirmed = introduced(&world).iter().filter(|line| line.confirmed().is_some()).count();
            // Bob's user would scan it again.
            assert!(
                confirmed == 1 || who == BOB && phase(&world, 2).is_none(),
                "{who}, {after}, {more}\n{}",
                world.trace()
            );
        }
        assert!(died > 20, "{died}");
    }
}
