//! A contact port on terms (§14, §16): a visitor who comes too late, too often, without approval or while the Port is paused is not let
//! in, nor one who comes after the introducer is gone. And for each of these: an app that lets the visitor in is found.

use super::contact::{ALICE, BOB, CAROL, FREE, GRANTED, INTRODUCED, TICKET, USED, granted, introduced, schedule};
use super::*;

const DAVE: u8 = 3;
const ALL: &[Choice] = &[Choice::DeliverAll];

fn crowd<A: App>(app: impl Fn(u8) -> A) -> World<A> {
    World::new([0, 1, 2, 3].map(app))
}

/// What Alice does is reworded.
fn rewords(how: fn(Command) -> Option<Command>) -> World<Rewords> {
    crowd(|who| Rewords(Client::default(), if who == ALICE { how } else { Some }))
}

/// Around what Alice does there is something odd.
fn odd(oddity: Oddity) -> World<Odd> {
    crowd(|who| Odd(Client::default(), if who == ALICE { oddity } else { NOTHING_ODD }))
}

/// After these choices the kit's own clients have nothing to be blamed for.
#[track_caller]
fn whole(choices: &Schedule) -> World {
    let mut whole = crowd(|_| Client::default());
    assert_eq!(whole.run(choices), Ok(()), "{}", whole.trace());
    whole
}

/// How many of these clients' lines are confirmed, the one of Alice and Carol apart.
fn confirmed(world: &World, who: &[u8]) -> usize {
    let records = who.iter().flat_map(|who| world.apps()[usize::from(*who)].records());
    records.filter(|record| Line::restore(record).is_ok_and(|line| line.confirmed().is_some())).count()
}

/// An app whose clock stands still.
struct Stopped(Client);

const BEGIN: UnixSeconds = crate::common::at(1_000_000);

fn stopped<'a>(outside: &'a mut Outside<'_>) -> Outside<'a> {
    Outside { now: BEGIN, rng: outside.rng, crashes: outside.crashes }
}

impl App for Stopped {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        self.0.deliver(event, &mut stopped(outside))
    }

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.0.command(command, &mut stopped(outside))
    }

    fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.0.restart(&mut stopped(outside))
    }

    leaves!(0: output records);
}

/// Bob's line is confirmed if eight seconds pass, and there is none if sixteen do.
#[track_caller]
fn good_for_sixteen(after: impl Fn(u8) -> Schedule) {
    for (clock, lines, found) in [(3, 1, Ok(())), (4, 0, Err(Violation::AfterExpiry(0)))] {
        let whole = whole(&after(clock));
        assert_eq!(confirmed(&whole, &[BOB]), lines, "{}", whole.trace());
        let mut stopped = crowd(|_| Stopped(Client::default()));
        assert_eq!(stopped.run(&after(clock)), found, "{}", stopped.trace());
    }
}

#[test]
fn r14_1_a_contact_port_that_has_expired_lets_nobody_in() {
    for expiry in [Expiry::Port(4), Expiry::Policy(4)] {
        let granted = granted(Terms { expiry: Some(expiry), ..FREE });
        good_for_sixteen(|clock| schedule(&[&granted, INTRODUCED, &[Choice::Clock(clock)], USED]));
    }
}

#[test]
fn r16_4_nor_does_a_ticket_that_has_expired() {
    let told = [Choice::Introduce(CAROL, 0, Some(4)), Choice::DeliverAll];
    let after = |clock| schedule(&[GRANTED, &told, &[Choice::Clock(clock)], USED]);
    good_for_sixteen(after);
    // Its row is struck with it.
    assert_eq!(whole(&after(4)).apps()[0].tickets(), Some(vec![]));
}

#[test]
fn r4_3_nor_does_a_plain_port() {
    let made = [Choice::MakePort(ALICE, Some(4)), Choice::DeliverAll];
    let used = [Choice::UsePort(BOB, 0, SendProof::Inline), Choice::DeliverAll];
    good_for_sixteen(|clock| schedule(&[&made, &[Choice::Clock(clock)], &used]));
}

/// Alice has heard of it in time.
#[test]
fn r5_3_a_line_that_bob_hears_of_too_late_is_none() {
    let made = [Choice::MakePort(ALICE, Some(4)), Choice::DeliverAll];
    let late = [Choice::UsePort(BOB, 0, SendProof::Inline), Choice::Deliver, Choice::Clock(4), Choice::DeliverAll];
    let late = schedule(&[&made, &late]);
    assert_eq!(confirmed(&whole(&late), &[BOB]), 0);
    assert_eq!(crowd(|_| Stopped(Client::default())).run(&late), Err(Violation::AfterExpiry(2)));
}

/// Carol introduces one more, who comes.
const ANOTHER: &[Choice] = &[
    Choice::Introduce(CAROL, 0, None),
    Choice::DeliverAll,
    Choice::UsePort(DAVE, TICKET + 1, SendProof::Inline),
    Choice::DeliverAll,
];

#[test]
fn r14_4_a_limited_contact_port_lets_in_as_many_as_it_is_for() {
    const BOUNDLESS: fn(Command) -> Option<Command> = |command| match command {
        Command::MakePort { seed, options } if options.kind() == PortKind::ContactPort => {
            Some(Command::MakePort { seed, options: options.policy(Policy::unlimited()) })
        }
        command => Some(command),
    };
    for (uses, found) in [(1, Err(Violation::OverLimit(0))), (2, Ok(()))] {
        let granted = granted(Terms { uses: Some(uses), ..FREE });
        let choices = schedule(&[&granted, INTRODUCED, USED, ANOTHER]);
        assert_eq!(introduced(&whole(&choices)).len(), usize::from(uses));
        assert_eq!(rewords(BOUNDLESS).run(&choices), found);
    }
}

/// Alice's lines are in the order of their names.
fn decide(accept: bool) -> [Choice; 3] {
    [Choice::Decide(ALICE, 0, accept), Choice::Decide(ALICE, 1, accept), Choice::DeliverAll]
}

#[test]
fn r14_5_who_is_introduced_waits_for_her_word() {
    // An app that never asks, and one that asks and answers for its user.
    const NEVER: fn(Command) -> Option<Command> = |command| match command {
        Command::MakePort { seed, options } if options.kind() == PortKind::ContactPort => {
            Some(Command::MakePort { seed, options: options.policy(Policy::unlimited()) })
        }
        command => Some(command),
    };
    const ANSWERS: Oddity = |client, outside, act| {
        let done = act(client, outside)?;
        for line in client.records().iter().filter_map(|record| Line::restore(record).ok()) {
            client.command(&Command::Decide(line.claims().line_id, true), outside)?;
        }
        Ok(done)
    };
    let granted = granted(Terms { asks: true, ..FREE });
    let asked = [&granted[..], INTRODUCED, USED];
    for (accept, phase) in [(true, LinePhase::Confirmed), (false, LinePhase::Closed)] {
        let line = &introduced(&whole(&schedule(&[&asked[..], &[&decide(accept)[..]]].concat())))[0];
        assert_eq!(line.phase(), phase);
    }
    assert_eq!(introduced(&whole(&schedule(&asked)))[0].phase(), LinePhase::AwaitingApproval);
    assert_eq!(rewords(NEVER).run(&schedule(&asked)), Err(Violation::NotApproved(0)));
    assert_eq!(odd(ANSWERS).run(&schedule(&asked)), Err(Violation::NotApproved(0)));
}

/// Alice's second contact: a contact port, and a line.
const DAVE_TOO: &[Choice] = &[
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::UsePort(DAVE, 1, SendProof::Inline),
    Choice::DeliverAll,
];

/// Both contacts have a contact port, and both have introduced somebody: so shown are two Ports, then Carol's ticket and Dave's.
fn both() -> Vec<Choice> {
    let contacts = [&GRANTED[..4], DAVE_TOO].concat();
    let grants = [Choice::Grant(ALICE, 0, FREE), Choice::Grant(ALICE, 1, FREE), Choice::DeliverAll];
    let tickets =
        [Choice::Introduce(CAROL, 0, None), Choice::DeliverAll, Choice::Introduce(DAVE, 0, None), Choice::DeliverAll];
    [&contacts[..], &grants, &tickets].concat()
}

/// Which of Alice's contact ports is Carol's.
fn carols() -> u8 {
    let mut world = crowd(|_| Client::default());
    play(&mut world, &[&both()]);
    let line = |who: usize| {
        let records = world.apps()[who].records();
        records.iter().find_map(|record| Line::restore(record).ok()).unwrap().claims().line_id
    };
    let alices = world.apps()[0].records().into_iter().filter_map(|record| Alice::restore(&record).ok());
    let contacts: Vec<_> = alices.filter_map(|alice| alice.introducer()).collect();
    assert_eq!(contacts.len(), 2);
    contacts.iter().position(|contact| *contact == line(1)).unwrap() as u8
}

const BOB_BY_CAROL: &[Choice] = &[Choice::UsePort(BOB, 2, SendProof::Inline), Choice::DeliverAll];
const BOB_BY_DAVE: &[Choice] = &[Choice::UsePort(BOB, 3, SendProof::Inline), Choice::DeliverAll];

#[test]
fn r16_6_one_contact_is_paused_and_resumed_and_the_other_is_not() {
    // Alices in the order of their links: two are spent.
    let pause = [Choice::SetPolicy(ALICE, carols(), Change::Pause), Choice::DeliverAll];
    let resume = [Choice::SetPolicy(ALICE, carols(), Change::Resume), Choice::DeliverAll];
    let lines = |then: &[&[Choice]]| {
        let both = both();
        introduced(&whole(&schedule(&[&[&both[..], &pause], then].concat()))).len()
    };
    assert_eq!(lines(&[BOB_BY_CAROL]), 0);
    assert_eq!(lines(&[BOB_BY_DAVE]), 1);
    assert_eq!(lines(&[&resume, BOB_BY_CAROL]), 1);
    // A ticket that is announced meanwhile is good once the Port is resumed.
    let told = [Choice::Introduce(CAROL, 0, None), Choice::DeliverAll];
    let used = [Choice::UsePort(BOB, 4, SendProof::Inline), Choice::DeliverAll];
    assert_eq!(lines(&[&told, &resume, &used]), 1);
    assert_eq!(lines(&[&told, &used]), 0);
}

/// If one Port is paused, all are.
struct PausesAll(Client);

impl App for PausesAll {
    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        let Command::SetPolicy(_, policy) = command else { return self.0.command(command, outside) };
        for alice in self.0.records().iter().filter_map(|record| Alice::restore(record).ok()) {
            self.0.command(&Command::SetPolicy(alice.key(), *policy), outside)?;
        }
        Ok(())
    }

    leaves!(0: deliver restart output records);
}

#[test]
fn r16_6_an_app_that_pauses_all_contacts_is_found() {
    let mut world = crowd(|_| PausesAll(Client::default()));
    let pause = Choice::SetPolicy(ALICE, carols(), Change::Pause);
    assert_eq!(world.run(&schedule(&[&both(), &[pause]])), Err(Violation::PolicyMoved(0)), "{}", world.trace());
}

/// Resumes the Port for a visitor, and pauses it again afterwards.
fn never_pauses(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    let alices = || client.records().into_iter().filter_map(|record| Alice::restore(&record).ok());
    let paused = alices().find_map(|alice| Some((alice.key(), *alice.policy().filter(|policy| policy.is_paused())?)));
    let Some((key, policy)) = paused else { return act(client, outside) };
    client.command(&Command::SetPolicy(key, policy.paused(false)), outside)?;
    let done = act(client, outside);
    client.command(&Command::SetPolicy(key, policy), outside)?;
    done
}

#[test]
fn r14_2_an_app_that_lets_in_while_it_is_paused_is_found() {
    let on_its_way = [USED[0], Choice::SetPolicy(ALICE, 0, Change::Pause), Choice::DeliverAll];
    let choices = schedule(&[GRANTED, INTRODUCED, &on_its_way]);
    assert_eq!(introduced(&whole(&choices)).len(), 0);
    let mut world = odd(never_pauses);
    assert_eq!(world.run(&choices), Err(Violation::WhilePaused(0)), "{}", world.trace());
}

/// The line of Alice and Carol ends, by either end or by the relay, when Bob has the ticket.
#[test]
fn r16_6_with_the_introducers_line_ends_the_contact_port() {
    for parts in [Choice::Close(ALICE, 0), Choice::Close(CAROL, 0), Choice::Forge(0, Forgery::Disconnected(End::Alice))]
    {
        let choices = schedule(&[GRANTED, INTRODUCED, &[parts], ALL, USED]);
        let whole = whole(&choices);
        assert_eq!((introduced(&whole).len(), whole.apps()[0].tickets()), (0, Some(vec![])), "{}", whole.trace());
        let mut loyal = crowd(|_| Client::new(StoreFaults { keeps_orphaned_ports: true, ..StoreFaults::NONE }));
        assert_eq!(loyal.run(&choices), Err(Violation::AfterWithdrawal(0)), "{parts:?}\n{}", loyal.trace());
    }
}

/// And wherever Alice's process dies of it.
#[test]
fn r16_6_also_if_she_dies_between() {
    let mut died = 0;
    for (after, parts) in (0..30).flat_map(|after| [(after, Choice::Close(ALICE, 0)), (after, Choice::Close(CAROL, 0))])
    {
        // A user who sees that they have not parted says so again.
        let dies = [Choice::Crash(ALICE, after), parts, Choice::DeliverAll, parts, Choice::DeliverAll];
        let whole = whole(&schedule(&[GRANTED, INTRODUCED, &dies, USED]));
        died += whole.count_of(Fault::Crash);
        assert_eq!((introduced(&whole).len(), whole.apps()[0].tickets()), (0, Some(vec![])), "{}", whole.trace());
    }
    assert!(died > 20, "{died}");
}

fn carol<A: App>(world: &World<A>) -> IntroducerPhase {
    let records = world.apps()[1].records();
    records.iter().find_map(|record| Introducer::restore(record).ok()).unwrap().phase()
}

/// The tombstone of a contact port does not say to which contact it was granted.
#[test]
fn r16_6_carol_is_told_wherever_alice_dies() {
    let mut died = 0;
    for (after, more) in (0..25).flat_map(|after| [(after, 0), (after, 1), (after, 4)]) {
        let dies = [Choice::Crash(ALICE, after), Choice::Crash(ALICE, more), Choice::Withdraw(ALICE, 0)];
        let mut world = crowd(|_| Client::default());
        play(&mut world, &[GRANTED, &dies]);
        // Alice's user sees that nothing was withdrawn, and withdraws it again.
        play(&mut world, &[&[Choice::Withdraw(ALICE, 0), Choice::DeliverAll]]);
        died += world.count_of(Fault::Crash);
        assert_eq!(carol(&world), IntroducerPhase::Ended(GrantOutcome::Withdrawn), "{}", world.trace());
        assert_eq!(world.apps()[0].store().withdrawn().count(), 0);
        assert_eq!(world.finish(), Ok(()), "{}", world.trace());
    }
    assert!(died > 20, "{died}");
}

/// §16.3: of one contact there is one at a time.
#[test]
fn r16_3_a_second_grant_takes_the_place_of_one_that_was_withdrawn() {
    let again = [Choice::Withdraw(ALICE, 0), Choice::DeliverAll, Choice::Grant(ALICE, 0, FREE), Choice::DeliverAll];
    let whole = whole(&schedule(&[GRANTED, &again, INTRODUCED, USED]));
    assert_eq!((carol(&whole), introduced(&whole).len()), (IntroducerPhase::Granted, 1), "{}", whole.trace());
}

/// Says that it has one row more than it has.
struct Hoards(Client);

impl App for Hoards {
    leaves!(0: deliver command restart output records);

    fn tickets(&self) -> Option<Vec<TicketNotice>> {
        let mut rows = self.0.tickets()?;
        rows.extend(rows.first().cloned());
        Some(rows)
    }
}

/// Who leaves 256 tickets lying has no room for more, but for those that have expired.
#[test]
fn r16_4_alice_holds_256_tickets_of_one_contact() {
    let told = |n: usize, expires| [Choice::Introduce(CAROL, 0, expires), Choice::DeliverAll].repeat(n);
    let rows = |world: &World| world.apps()[0].tickets().unwrap().len();
    let mut world = crowd(|_| Client::default());
    play(&mut world, &[GRANTED, &told(1, Some(4)), &told(MAX_TICKETS - 1, None)]);
    assert_eq!(rows(&world), MAX_TICKETS);
    play(&mut world, &[&told(1, None)]);
    // The step of Alice's line is kept, so the next message opens.
    assert_eq!(rows(&world), MAX_TICKETS);
    let expired = |world: &World| world.apps()[0].tickets().unwrap().iter().any(|row| row.expires.is_some());
    assert!(expired(&world));
    play(&mut world, &[&[Choice::Clock(4)], &told(1, None)]);
    assert_eq!((rows(&world), expired(&world)), (MAX_TICKETS, false));
    assert_eq!(world.finish(), Ok(()));
}

#[test]
fn r16_4_an_app_that_holds_more_is_found() {
    let told = [Choice::Introduce(CAROL, 0, None), Choice::DeliverAll].repeat(MAX_TICKETS - 1);
    let mut world = crowd(|_| Hoards(Client::default()));
    play(&mut world, &[GRANTED, &told]);
    let more = [Choice::Introduce(CAROL, 0, None), Choice::DeliverAll].map(|choice| world.perform(choice));
    assert!(more.contains(&Err(Violation::TooManyTickets(0))), "{more:?}");
}
