//! What the kit's client does about what comes too early, late, twice, or not at all.

use super::*;
use crate::common::{Commit, at, rng};

#[test]
fn r6_4_a_disconnected_that_overtakes_line_formed_is_kept() {
    let mut world = world(StoreFaults::NONE);
    // Bob hears that its line is over before it knows of the line. Nothing else arrives.
    let without_confirm = [Choice::Delay, Choice::Drop];
    let without_close = [Choice::Close(0, 0), Choice::Delay, Choice::Drop];
    play(&mut world, &[ALICE_JOINED, &without_confirm, &without_close, &[Choice::DeliverAll]]);
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::Closed); 2], "{}", world.trace());
}

#[test]
fn r7_3_what_is_only_in_memory_is_not_acknowledged_and_comes_again_after_a_crash() {
    let mut world = world(StoreFaults::NONE);
    // Bob has Confirm, Close and Disconnected in memory when its process dies.
    let early = [Choice::Delay, Choice::Deliver, Choice::Close(0, 0), Choice::Delay, Choice::Deliver, Choice::Deliver];
    play(&mut world, &[ALICE_JOINED, &early]);
    assert_eq!(phase(&world, 1), None);
    play(&mut world, &[&[Choice::Crash(1, 0), Choice::DeliverAll]]);
    assert_eq!(world.count_of(Fault::Crash), 1);
    assert_eq!(phase(&world, 1), Some(LinePhase::Closed), "{}", world.trace());
}

#[test]
fn r6_5_an_end_that_was_confirmed_and_closed_at_once_was_somebody() {
    let mut world = world(StoreFaults::NONE);
    // Bob takes its line, Confirm and the end of the line in one call. Its Answer is on its way all the same.
    let forged = [Choice::Delay, Choice::Deliver, Choice::Forge(0, Forgery::Disconnected(End::Bob))];
    play(&mut world, &[ALICE_JOINED, &forged, &[Choice::DeliverAll]]);
    let both = [Some(LinePhase::Confirmed), Some(LinePhase::Closed)];
    assert_eq!([0, 1].map(|who| phase(&world, who)), both, "{}", world.trace());
}

#[test]
fn r8_3_an_alice_whose_bob_gave_up_unheard_or_vanished_is_told_and_one_who_is_not_told_is_found() {
    let unheard = |more: &[Choice]| {
        let used = [Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline)];
        Schedule([&used, more].concat())
    };
    // The reply is on its way when the connection breaks.
    let mut told = world(StoreFaults::NONE);
    assert_eq!(told.run(&unheard(&[Choice::GiveUp(1, 0)])), Ok(()));
    assert_eq!(phase(&told, 0), Some(LinePhase::Closed), "{}", told.trace());
    let vanishes = |faults| {
        Odd(Client::new(faults), |client, outside, act| {
            client.back_up();
            let done = act(client, outside);
            let bob = client.records().iter().find_map(|record| Bob::restore(record).ok());
            if bob.is_some_and(|bob| bob.phase() == BobPhase::Connecting) {
                client.roll_back(RollBack::Records);
            }
            done
        })
    };
    let ignores = StoreFaults { ignores_unknown_lines: true, ..StoreFaults::NONE };
    for (faults, found) in [(StoreFaults::NONE, Ok(())), (ignores, Err(Violation::GhostLine(1)))] {
        let mut world = World::new([vanishes(faults), vanishes(faults)]);
        assert_eq!(world.run(&unheard(&[])), found, "{}", world.trace());
    }
}

#[test]
fn r6_5_after_dropped_and_a_pause_the_proof_is_sent_again() {
    let limits = Limits { packets: 1, ..Limits::default() };
    let mut world = World::with_limits([(); 2].map(|()| Client::default()), limits);
    let used = Choice::UsePort(1, 0, SendProof::AlongTheLine);
    // Bob's proof is lost on its way, and at the relay Bob's message takes its place.
    let lost = [Choice::Deliver, Choice::Deliver, Choice::Drop, Choice::Say(1, 0), Choice::DeliverAll];
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::DeliverAll, used], &lost]);
    assert!(world.trace().contains("to 1: Dropped"), "{}", world.trace());
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::AwaitingProof), Some(LinePhase::Joined)]);
    play(&mut world, &[&[Choice::Tick(1), Choice::DeliverAll]]);
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::Confirmed); 2], "{}", world.trace());
}

#[test]
fn r5_4_of_a_paused_port_a_client_asks_again_after_a_pause() {
    let mut client = Client::default();
    let (mut rng, mut crashes) = (rng(), CrashPoints::default());
    let mut outside = Outside { now: at(1), rng: &mut rng, crashes: &mut crashes };
    let alice = Alice::offer([1; 16].into(), PortOptions::new(), Seed::from_bytes(&[1; 64])).committed();
    let text = alice.port().unwrap().qr_text().to_string();
    let use_port = Command::UsePort { seed: [2; 64], text, send_proof: SendProof::Inline };
    let asks = |client: &mut Client, command: &Command, outside: &mut Outside<'_>| {
        client.command(command, outside).unwrap();
        client.output()
    };
    let connect = asks(&mut client, &use_port, &mut outside);
    assert_eq!((connect.len(), asks(&mut client, &Command::Tick, &mut outside)), (1, vec![]));
    let paused =
        Event::Refused { line_link: [1; 16].into(), request_id: [2; 16].into(), reason: Reason::Paused }.to_vec();
    for _ in 0..2 {
        assert_eq!(client.deliver(&paused, &mut outside), Ok(Receipt::Acknowledged));
        assert_eq!(client.output(), []);
        // Once for each time that it was told.
        assert_eq!(asks(&mut client, &Command::Tick, &mut outside), connect);
        assert_eq!(asks(&mut client, &Command::Tick, &mut outside), []);
    }
}

#[test]
fn r6_3_an_app_says_what_associated_data_it_opens_with() {
    let talk = [Choice::DeliverAll, Choice::Say(0, 0), Choice::Say(1, 0), Choice::DeliverAll];
    let talk = Schedule([ALICE_JOINED, &talk].concat());
    let client = || Client::default().with_associated_data(b"room 7");
    let mut world = World::new([client(), client()]);
    assert_eq!(world.run(&talk), Ok(()));
    assert_eq!(world.trace().matches(" hears ").count(), 2);
    // It takes what the kit can't open.
    let mute = || Odd(client(), |client, outside, act| act(client, outside));
    let mut mute = World::new([mute(), mute()]);
    assert_eq!(mute.run(&talk), Err(Violation::MovedByRefused(1)));
}

/// Deletes whatever may be deleted since it was last looked at, and looks at the clock whenever it has something to do.
fn tidy(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    client.sweep();
    client.command(&Command::Tick, outside)?;
    act(client, outside)
}

#[test]
fn r8_3_what_is_dead_and_settled_may_be_deleted() {
    let tidy = || World::new([(); 3].map(|()| Odd(Client::default(), tidy)));
    for seed in 0..60 {
        let schedule = Schedule::from_seed(seed, 100);
        for schedule in [schedule.clone().with_only(Fault::is_honest), schedule] {
            let mut world = tidy();
            assert_eq!(world.run(&schedule), Ok(()), "seed {seed}\n{}", world.trace());
        }
    }
    // Alice has revoked the Port, and deleted even that record. A Bob that used it before is told nevertheless.
    let mut world = tidy();
    let revoked = [Choice::UsePort(1, 0, SendProof::Inline), Choice::GiveUp(0, 0), Choice::DeliverAll];
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::DeliverAll], &revoked]);
    assert_eq!((world.apps()[0].records().len(), phase(&world, 1)), (0, Some(LinePhase::Closed)), "{}", world.trace());
    // A Port that was given up and deleted is scanned anew, under the key of before: at a lower revision.
    let mut world = tidy();
    let given_up = [Choice::UsePort(1, 0, SendProof::Inline), Choice::GiveUp(1, 0)];
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::DeliverAll], &given_up]);
    let bob = |world: &World<Odd>| Bob::restore(&world.apps()[1].records()[0]).unwrap();
    assert_eq!(bob(&world).revision(), 3);
    play(&mut world, &[&[Choice::UsePort(1, 0, SendProof::Inline)]]);
    assert_eq!((bob(&world).phase(), bob(&world).revision()), (BobPhase::Connecting, 1));
}

#[test]
fn r8_3_a_sweep_leaves_nothing_of_a_line_that_is_over() {
    let mut world = World::new([(); 2].map(|()| Odd(Client::default(), tidy)));
    play(&mut world, &[ALICE_JOINED, &[Choice::DeliverAll]]);
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::Confirmed); 2], "{}", world.trace());
    play(&mut world, &[&[Choice::Close(0, 0), Choice::DeliverAll, Choice::Tick(0), Choice::Tick(1)]]);
    assert_eq!([0, 1].map(|who| world.apps()[who].records().len()), [0, 0], "{}", world.trace());
}

#[test]
fn r7_2_a_link_that_nobody_asked_for_is_closed_and_one_that_is_on_offer_is_not() {
    let closed = |choices: &[Choice], answer| {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[choices]);
        let before = world.requests().len();
        play(&mut world, &[&[answer]]);
        let closed = world.requests()[before..].iter().map(|request| match Request::decode(request).unwrap() {
            Request::CloseLineLink { line_link } => line_link,
            other => panic!("{other:?}"),
        });
        (closed.collect::<Vec<_>>(), world)
    };
    let offered = [Choice::MakePort(0, None), Choice::DeliverAll];
    assert_eq!(closed(&offered, Choice::AnswerUnasked(0, Answer::Link)).0.len(), 1);
    assert_eq!(closed(&offered, Choice::Duplicate(0)).0, []);
    // Alice has revoked the Port before it had a link.
    let (links, world) = closed(&[Choice::MakePort(0, None), Choice::GiveUp(0, 0)], Choice::Deliver);
    let Event::LineLinkIssued { line_link, .. } = Event::decode(&world.events()[0].event).unwrap() else {
        panic!("{}", world.trace())
    };
    assert_eq!(links, [line_link]);
}

#[test]
fn r6_4_a_word_that_overtakes_its_proof_is_kept_and_heard_after_it() {
    let mut world = world(StoreFaults::NONE);
    let used = Choice::UsePort(1, 0, SendProof::AlongTheLine);
    let formed = [Choice::MakePort(0, None), Choice::DeliverAll, used, Choice::Deliver, Choice::Deliver];
    // The word, then the proof.
    play(&mut world, &[&formed, &[Choice::Say(1, 0), Choice::Reorder(1)]]);
    assert_eq!((phase(&world, 0), world.count_of(Fault::Reorder)), (Some(LinePhase::AwaitingProof), 1));
    assert!(!world.trace().contains(" hears "), "{}", world.trace());
    play(&mut world, &[&[Choice::Deliver]]);
    assert_eq!(world.trace().matches("  0 hears ").count(), 1, "{}", world.trace());
}

#[test]
fn r8_1_an_app_may_look_at_the_clock_over_an_event_that_is_refused() {
    let mut world = World::new([Odd(Client::default(), |client, outside, act| {
        client.command(&Command::Tick, outside)?;
        act(client, outside)
    })]);
    let expired = [Choice::MakePort(0, Some(0)), Choice::DeliverAll, Choice::Clock(2)];
    play(&mut world, &[&expired, &[Choice::AnswerUnasked(0, Answer::Line)]]);
    let alice = Alice::restore(&world.apps()[0].records()[0]).unwrap();
    assert_eq!(alice.phase(), AlicePhase::Ended(PortOutcome::Expired));
}
