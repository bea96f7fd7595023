//! Ports for many in the kit's worlds (§14).

use super::*;
use crate::common::{self, Commit, rng};

/// Drawn from a seed, but with Ports for many in the place of plain Ports, and with more decisions of their owners.
pub(super) fn for_many(seed: u64) -> Schedule {
    let Schedule(mut choices) = Schedule::from_seed(seed, 120);
    for (n, choice) in choices.iter_mut().enumerate() {
        let n = n as u8;
        *choice = match *choice {
            Choice::MakePort(who, _) => Choice::MakeSuperport(who, n.wrapping_mul(37) % 192),
            Choice::Clock(who) => Choice::Decide(who, n, !n.is_multiple_of(4)),
            Choice::BackUp(who) if !n.is_multiple_of(2) => {
                let changes = [Change::Pause, Change::Resume, Change::Raise, Change::Lower];
                Choice::SetPolicy(who, n, changes[usize::from(n / 2 % 4)])
            }
            same => same,
        };
    }
    Schedule(choices)
}

fn count(world: &World, what: &str) -> usize {
    world.trace().matches(what).count()
}

#[test]
fn r14_no_schedule_breaks_what_must_hold_of_a_superport() {
    let happens = ["wants SetPolicy", "sends SetLineLink", "true)", "false)", " hears ", "sends Disconnect"];
    let mut counts = [0; 6];
    let (mut many, mut waits, mut decided) = (0, 0, 0);
    all_hold(0..40, for_many, |world| {
        counts.iter_mut().zip(happens).for_each(|(n, what)| *n += count(world, what));
        let records = || world.apps().iter().flat_map(Client::records);
        let alices = || records().filter_map(|record| Alice::restore(&record).ok());
        many += alices().filter(|alice| alice.used() > 1).count();
        let phases = || records().filter_map(|record| Line::restore(&record).ok()).map(|line| line.phase());
        waits += phases().filter(|phase| *phase == LinePhase::AwaitingApproval).count();
        decided += usize::from(count(world, "Decide(") > 0);
    });
    let counts: Vec<_> = happens.iter().zip(counts).collect();
    assert!(counts.iter().all(|(_, n)| *n > 10), "{counts:?}");
    assert!(many > 10 && waits > 2 && decided > 10, "{many}, {waits}, {decided}");
}

#[test]
fn r14_what_only_honest_faults_disturb_comes_to_a_good_end_for_many() {
    let (mut heard, mut several) = (0, 0);
    all_hold(
        100..140,
        |seed| for_many(seed).with_only(Fault::is_honest),
        |world| {
            heard += count(world, " hears ");
            let confirmed = |client: &Client| {
                let lines = client.records().into_iter().filter_map(|record| Line::restore(&record).ok());
                lines.filter(|line| line.confirmed().is_some()).count()
            };
            several += world.apps().iter().filter(|client| confirmed(client) > 1).count();
        },
    );
    assert!(heard > 50 && several > 20, "{heard}, {several}");
}

/// Alice's Superport, asking or not, and Bob's line of it.
fn used(limit: u8, asks: bool) -> Vec<Choice> {
    // What asks comes behind what does not, and limits are n % 3 + 1.
    let n = limit - 1 + if asks { 96 } else { 0 };
    vec![Choice::MakeSuperport(0, n), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline), Choice::DeliverAll]
}

const AND_ANOTHER: &[Choice] = &[Choice::UsePort(2, 0, SendProof::Inline), Choice::DeliverAll];

/// How many confirmed lines Alice has, and how many lines in all.
fn lines<A: App>(world: &World<A>) -> (usize, usize) {
    let records = world.apps()[0].records();
    let lines = || records.iter().filter_map(|record| Line::restore(record).ok());
    (lines().filter(|line| line.confirmed().is_some()).count(), lines().count())
}

/// The one `LineFormed` that came to Alice so far.
fn use_of<A: App>(world: &World<A>) -> u8 {
    let is_use = |delivery: &Delivery| {
        delivery.to == 0 && matches!(Event::decode(&delivery.event), Ok(Event::LineFormed { proof: Some(_), .. }))
    };
    world.events().iter().position(is_use).unwrap() as u8
}

/// Below the limit the mark refuses it. At the limit, and while the Port takes nobody, the policy does.
#[test]
fn r14_4_a_use_that_comes_again_ends_no_line() {
    let pause = Choice::SetPolicy(0, 0, Change::Pause);
    for (limit, before) in [(1, vec![]), (2, vec![]), (2, vec![pause]), (2, vec![Choice::GiveUp(0, 0)])] {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[&used(limit, false), &before]);
        let again = Choice::Duplicate(use_of(&world));
        play(&mut world, &[&[again, Choice::DeliverAll]]);
        assert_eq!(world.count_of(Fault::Duplicate), 1);
        assert_eq!(lines(&world), (1, 1), "{limit}, {before:?}\n{}", world.trace());
        assert_eq!(world.finish(), Ok(()));
    }
}

#[test]
fn r14_4_nor_does_one_that_comes_again_when_the_port_has_expired() {
    let policy = Policy::up_to(2).closes_at(Some(common::EXPIRY));
    let mut alice = Alice::offer(common::line_link(), PortOptions::new().policy(policy), common::seed(1)).committed();
    let mut bob = Bob::scan(alice.port().unwrap().clone(), common::seed(2)).committed();
    let sent = bob.connect(SendProof::Inline, common::NOW).unwrap().committed().next();
    let Some(BobEffect::Send(Request::Connect { proof, .. })) = sent else { panic!("no Connect") };
    let formed = common::line_formed(proof);
    let formed = Event::decode(&formed).unwrap();
    alice.handle(&formed, &NoPeers, common::NOW, &mut rng()).unwrap().committed().for_each(drop);
    alice.clear_outbox().unwrap().committed().for_each(drop);
    let before = alice.record().to_vec();
    let again = alice.handle(&formed, &NoPeers, common::EXPIRY, &mut rng()).err();
    assert_eq!((again, &*alice.record()), (Some(Rejected::DeadlinePassed), &before[..]));
    let ended: Vec<_> = alice.tick(common::EXPIRY).unwrap().committed().map(|effect| format!("{effect:?}")).collect();
    assert!(ended.len() == 2 && ended[0].contains("CloseLineLink"), "{ended:?}");
}

#[test]
fn r14_5_who_waits_is_let_in_or_turned_away() {
    for (accept, both) in [(true, LinePhase::Confirmed), (false, LinePhase::Closed)] {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[&used(1, true)]);
        assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::AwaitingApproval), Some(LinePhase::Joined)]);
        play(&mut world, &[&[Choice::Decide(0, 0, accept), Choice::DeliverAll]]);
        assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(both); 2], "{}", world.trace());
        assert_eq!(world.finish(), Ok(()));
    }
}

#[test]
fn r14_2_a_policy_that_is_changed_counts_from_then_on() {
    let mut world = world(StoreFaults::NONE);
    play(&mut world, &[&used(2, false), &[Choice::SetPolicy(0, 0, Change::Lower), Choice::DeliverAll], AND_ANOTHER]);
    assert_eq!(lines(&world), (1, 1));
    // User 2 asks again when the limit is raised: a Port that is shut ends no Bob (§5.4).
    play(&mut world, &[&[Choice::SetPolicy(0, 0, Change::Raise), Choice::Tick(2), Choice::DeliverAll]]);
    assert_eq!(lines(&world), (2, 2), "{}", world.trace());
}

/// Makes every Superport for nine.
const GENEROUS: fn(Command) -> Option<Command> = |command| match command {
    Command::MakePort { seed, .. } => {
        Some(Command::MakePort { seed, options: PortOptions::new().policy(Policy::up_to(9)) })
    }
    command => Some(command),
};

/// One use more whenever somebody comes, and afterwards not.
fn makes_room(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    let alice = client.records().iter().find_map(|record| Alice::restore(record).ok());
    let policy = alice.as_ref().and_then(|alice| Some((alice.key(), *alice.policy()?, alice.used())));
    let Some((key, policy, used)) = policy else { return act(client, outside) };
    client.command(&Command::SetPolicy(key, policy.with_use_limit(UseLimit::UpTo(used + 1))), outside)?;
    let done = act(client, outside);
    client.command(&Command::SetPolicy(key, policy), outside)?;
    done
}

#[test]
fn r14_4_an_app_that_ignores_the_limit_is_found() {
    for (limit, found) in [(1, Err(Violation::OverLimit(0))), (2, Ok(()))] {
        let choices = Schedule([used(limit, false), AND_ANOTHER.to_vec()].concat());
        let mut honest = world(StoreFaults::NONE);
        assert_eq!(honest.run(&choices), Ok(()));
        assert_eq!(lines(&honest).0, usize::from(limit));
        let mut generous = World::new([(); 3].map(|()| Rewords(Client::default(), GENEROUS)));
        assert_eq!(generous.run(&choices), found, "{}", generous.trace());
    }
    // Both have connected before the relay hears that it is full.
    let mut both = used(1, false);
    both.insert(3, Choice::UsePort(2, 0, SendProof::Inline));
    let odd = [makes_room, NOTHING_ODD, NOTHING_ODD].map(|oddity: Oddity| Odd(Client::default(), oddity));
    assert_eq!(World::new(odd).run(&Schedule(both)), Err(Violation::OverLimit(0)));
}

/// An old proof on a new line.
fn replayed(limit: u8) -> Schedule {
    Schedule([used(limit, false), vec![Choice::ClaimTwice(0, Claim::SameProof), Choice::DeliverAll]].concat())
}

#[test]
fn r8_4_a_proof_that_comes_again_is_no_use_and_an_app_that_takes_it_is_found() {
    for limit in [2, 3] {
        let mut whole = world(StoreFaults::NONE);
        assert_eq!(whole.run(&replayed(limit)), Ok(()));
        assert_eq!((lines(&whole), count(&whole, "0 sends Disconnect")), ((1, 1), 1), "{}", whole.trace());
        assert_eq!(forgetful().run(&replayed(limit)), Err(Violation::SecondLine(0)));
    }
}

/// Whatever moves nothing makes it give up its Port, as for one use it would (§8.4).
fn revokes(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    let before = client.records();
    let done = act(client, outside)?;
    let alice = before.iter().find_map(|record| Alice::restore(record).ok());
    if let Some(alice) = alice.filter(|alice| alice.used() > 0 && before == client.records()) {
        client.command(&Command::GiveUp(alice.key()), outside)?;
    }
    Ok(done)
}

#[test]
fn r8_4_an_app_that_revokes_a_superport_for_an_old_proof_is_found() {
    let mut world = World::new([revokes, NOTHING_ODD].map(|oddity: Oddity| Odd(Client::default(), oddity)));
    assert_eq!(world.run(&replayed(2)), Err(Violation::Revoked(0)), "{}", world.trace());
    // Its user may.
    let mut world = World::new([NOTHING_ODD; 2].map(|oddity| Odd(Client::default(), oddity)));
    assert_eq!(world.run(&Schedule([used(2, false), vec![Choice::GiveUp(0, 0)]].concat())), Ok(()));
}

/// Both are told that their line has the name of the first.
#[test]
fn r10_two_users_who_were_told_one_name_are_not_mistaken_for_each_other() {
    for swapped in [false, true] {
        let [first, second] = if swapped { [2, 1] } else { [1, 2] };
        let made = [Choice::MakeSuperport(0, 1), Choice::DeliverAll];
        let both = [first, second].map(|who| Choice::UsePort(who, 0, SendProof::Inline));
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[&made, &both]);
        let is_reply = |delivery: &Delivery| delivery.to == usize::from(first);
        let reply = world.events().iter().position(is_reply).unwrap() as u8;
        play(&mut world, &[&[Choice::Misroute(reply, second), Choice::DeliverAll]]);
        assert_eq!(world.count_of(Fault::Misroute), 1);
        play(&mut world, &[&[Choice::Say(0, 0), Choice::Say(first, 0), Choice::DeliverAll]]);
        assert_eq!(world.finish(), Ok(()), "{}", world.trace());
        assert_eq!(count(&world, " hears "), 2, "{}", world.trace());
    }
}
