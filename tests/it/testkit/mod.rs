//! The kit: that its worlds are hostile, that they can be made again, that what must hold in them holds; its lies, its schedules, and
//! the violations that it is there to find.
#![cfg(feature = "testkit")]

/// What an app leaves to the kit's client in this field of it.
macro_rules! leaves {
    ($client:tt: deliver $($rest:tt)*) => {
        fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed> {
            self.$client.deliver(event, now, power)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: command $($rest:tt)*) => {
        fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
            self.$client.command(command, now, power)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: restart $($rest:tt)*) => {
        fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
            self.$client.restart(now, power)
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: output $($rest:tt)*) => {
        fn output(&mut self) -> Vec<Output> {
            self.$client.output()
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt: records $($rest:tt)*) => {
        fn records(&self) -> Vec<Vec<u8>> {
            self.$client.records()
        }
        leaves!($client: $($rest)*);
    };
    ($client:tt:) => {};
}

mod contact;
mod lies;
mod many;
mod pool;
mod schedule;
mod terms;
mod violations;

use port_protocol::relay::Limits;
use port_protocol::testkit::*;
use port_protocol::*;
use proptest::prelude::*;

fn world(care: Care) -> World {
    World::new([care; 3].map(Client::new))
}

/// What the kit's client would do.
type Act<'a> = dyn FnMut(&mut Client, &mut Power) -> Result<Receipt, PowerFailed> + 'a;

/// Something odd around what the kit's client does.
type Oddity = fn(&mut Client, UnixSeconds, &mut Power, &mut Act<'_>) -> Result<Receipt, PowerFailed>;

/// The kit's client, with that. It tells the kit only what an app must.
struct Odd(Client, Oddity);

const NOTHING_ODD: Oddity = |client, _, power, act| act(client, power);

impl App for Odd {
    fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed> {
        self.1(&mut self.0, now, power, &mut |client, power| client.deliver(event, now, power))
    }

    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.1(&mut self.0, now, power, &mut |client, power| {
            client.command(command, now, power).map(|()| Receipt::Acknowledged)
        })
        .map(drop)
    }

    leaves!(0: restart output records);
}

/// The kit's client, whose user is understood to want something else.
struct Rewords(Client, fn(Command) -> Option<Command>);

impl App for Rewords {
    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.1(command.clone()).map_or(Ok(()), |command| self.0.command(&command, now, power))
    }

    leaves!(0: deliver restart output records);
}

/// Runs all of them, and tells of the first that fails, as short as it gets.
fn all_hold(seeds: std::ops::Range<u64>, draw: impl Fn(u64) -> Schedule, mut after: impl FnMut(&World)) {
    for seed in seeds {
        let schedule = draw(seed);
        let mut whole = world(Care::FULL);
        if whole.run(&schedule).is_err() {
            let least = schedule.shrink(|less| world(Care::FULL).run(less).is_err());
            let mut again = world(Care::FULL);
            let violation = again.run(&least);
            panic!("seed {seed}: {violation:?} by {:?}\n{}", least.0, again.trace());
        }
        after(&whole);
    }
}

#[test]
fn r10_no_schedule_breaks_what_must_hold() {
    let mut happened = [0; Fault::ALL.len()];
    let (mut heard, mut dropped) = (0, 0);
    let after = |world: &World| {
        let is_dropped = |parcel: &&Parcel| matches!(Event::decode(&parcel.event), Ok(Event::Dropped { .. }));
        dropped += world.events().iter().filter(is_dropped).count();
        heard += world.trace().matches(" hears ").count();
        happened.iter_mut().zip(Fault::ALL).for_each(|(count, fault)| *count += world.count_of(fault));
    };
    all_hold(0..60, |seed| Schedule::from_seed(seed, 100), after);
    let counts: Vec<_> = Fault::ALL.iter().zip(happened).collect();
    assert!(counts.iter().all(|(_, count)| *count > 10), "{counts:?}");
    assert!(heard > 10, "hostile, and nobody ever heard a word");
    assert!(dropped > 0, "the Relay never had too much to keep");
}

#[test]
fn r6_5_what_only_honest_faults_disturb_comes_to_a_good_end() {
    let mut heard = 0;
    let draw = |seed| Schedule::from_seed(seed, 100).with_only(Fault::is_honest);
    all_hold(100..160, draw, |world| heard += world.trace().matches(" hears ").count());
    assert!(heard > 50, "{heard}");
}

/// Alice backs up, Bob uses her Port, the backup comes back, and the relay claims the Port once more.
fn roll_back(how: RollBack) -> Schedule {
    Schedule(vec![
        Choice::MakePort(0, None),
        Choice::DeliverAll,
        Choice::BackUp(0),
        Choice::UsePort(1, 0, SendProof::Inline),
        Choice::DeliverAll,
        Choice::RollBack(0, how),
        Choice::ClaimTwice(0, Claim::SameProof),
    ])
}

#[test]
fn r11_without_care_a_rolled_back_alice_forms_a_second_line() {
    for how in [RollBack::Process, RollBack::Records, RollBack::Everything] {
        assert_eq!(world(Care::NONE).run(&roll_back(how)), Err(Violation::SecondLine(0)), "{how:?}");
    }
}

#[test]
fn r8_2_replaces_catches_an_old_process() {
    let care = Care { compares: true, ..Care::NONE };
    let mut caught = world(care);
    assert_eq!(caught.run(&roll_back(RollBack::Process)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // It does not see what the store does not know any more.
    assert_eq!(world(care).run(&roll_back(RollBack::Records)), Err(Violation::SecondLine(0)));
}

#[test]
fn r8_4_marks_kept_apart_catch_old_records() {
    let care = Care { revokes: false, ..Care::FULL };
    let mut caught = world(care);
    assert_eq!(caught.run(&roll_back(RollBack::Records)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // Nor do marks that went with them.
    assert_eq!(world(care).run(&roll_back(RollBack::Everything)), Err(Violation::SecondLine(0)));
}

#[test]
fn r11_revoking_after_a_restore_catches_the_rest() {
    let mut caught = world(Care { revokes: true, ..Care::NONE });
    assert_eq!(caught.run(&roll_back(RollBack::Everything)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // And the old backup does not come back a second time, where its marks are gone.
    let mut twice = roll_back(RollBack::Everything);
    twice.0.insert(6, Choice::RollBack(0, RollBack::Records));
    let mut caught = world(Care::FULL);
    assert_eq!(caught.run(&twice), Ok(()), "{}", caught.trace());
    assert_eq!(caught.count_of(Fault::RollBack), 2);
}

/// Where this client's only line stands.
fn phase<A: App>(world: &World<A>, who: usize) -> Option<LinePhase> {
    let records = world.apps()[who].records();
    let mut lines = records.iter().filter_map(|record| Line::restore(record).ok());
    let phase = lines.next().map(|line| line.phase());
    assert!(lines.next().is_none());
    phase
}

/// Makes these choices and no more.
#[track_caller]
fn play<A: App>(world: &mut World<A>, choices: &[&[Choice]]) {
    for choice in choices.concat() {
        assert_eq!(world.perform(choice), Ok(()), "{}", world.trace());
    }
}

/// Alice has told Bob, and it has not reached him: first comes the reply to him, then her Confirm.
const ALICE_JOINED: &[Choice] =
    &[Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline), Choice::Deliver];

#[test]
fn r8_4_a_mark_that_is_there_revokes_the_port_and_ends_the_stray_line() {
    let mut caught = world(Care::FULL);
    assert_eq!(caught.run(&roll_back(RollBack::Records)), Ok(()));
    let records = caught.apps()[0].records();
    let [alice] = &records[..] else { panic!("{} records", records.len()) };
    assert_eq!(Alice::restore(alice).unwrap().phase(), AlicePhase::Ended(PortOutcome::Revoked));
    let requests: Vec<_> = caught.requests().iter().map(|request| Request::decode(request).unwrap()).collect();
    assert!(requests.iter().any(|request| matches!(request, Request::CloseLineLink { .. })), "{requests:?}");
    assert!(requests.iter().any(|request| matches!(request, Request::Disconnect { .. })), "{requests:?}");
}

#[test]
fn r6_4_a_disconnected_that_overtakes_line_formed_is_kept() {
    let mut world = world(Care::FULL);
    // Of all that Bob is told, only that it is over arrives before he knows of what.
    let without_confirm = [Choice::Delay, Choice::Drop];
    let without_close = [Choice::Close(0, 0), Choice::Delay, Choice::Drop];
    play(&mut world, &[ALICE_JOINED, &without_confirm, &without_close, &[Choice::DeliverAll]]);
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::Closed); 2], "{}", world.trace());
}

#[test]
fn r7_3_what_is_only_in_memory_is_not_acknowledged_and_comes_again_after_a_crash() {
    let mut world = world(Care::FULL);
    // Bob has Confirm, Close and Disconnected in memory when he dies.
    let early = [Choice::Delay, Choice::Deliver, Choice::Close(0, 0), Choice::Delay, Choice::Deliver, Choice::Deliver];
    play(&mut world, &[ALICE_JOINED, &early]);
    assert_eq!(phase(&world, 1), None);
    play(&mut world, &[&[Choice::Crash(1, 0), Choice::DeliverAll]]);
    assert_eq!(world.count_of(Fault::Crash), 1);
    assert_eq!(phase(&world, 1), Some(LinePhase::Closed), "{}", world.trace());
}

#[test]
fn r6_5_an_end_that_was_confirmed_and_closed_at_once_was_somebody() {
    let mut world = world(Care::FULL);
    // Bob hears of his line, Confirm, and that it is over, in one breath; his Answer is on its way all the same.
    let forged = [Choice::Delay, Choice::Deliver, Choice::Forge(0, Forgery::Disconnected(End::Bob))];
    play(&mut world, &[ALICE_JOINED, &forged, &[Choice::DeliverAll]]);
    let both = [Some(LinePhase::Confirmed), Some(LinePhase::Closed)];
    assert_eq!([0, 1].map(|who| phase(&world, who)), both, "{}", world.trace());
}

#[test]
fn r6_6_an_alice_whose_bob_gave_up_unheard_is_not_lost_but_one_whose_bob_vanished_is() {
    let unheard = |more: &[Choice]| {
        let used = [Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline)];
        Schedule([&used, more].concat())
    };
    // The reply is on its way when the connection breaks.
    assert_eq!(world(Care::FULL).run(&unheard(&[Choice::GiveUp(1, 0)])), Ok(()));
    let vanishes = || {
        Odd(Client::default(), |client, _, power, act| {
            client.back_up();
            let done = act(client, power);
            let bob = client.records().iter().find_map(|record| Bob::restore(record).ok());
            if bob.is_some_and(|bob| bob.phase() == BobPhase::Connecting) {
                client.roll_back(RollBack::Records);
            }
            done
        })
    };
    assert_eq!(World::new([vanishes(), vanishes()]).run(&unheard(&[])), Err(Violation::Lost(0)));
}

#[test]
fn r6_5_after_dropped_and_a_pause_the_proof_is_sent_again() {
    let limits = Limits { packets: 1, ..Limits::default() };
    let mut world = World::with_limits([(); 2].map(|()| Client::default()), limits);
    let used = Choice::UsePort(1, 0, SendProof::AlongTheLine);
    // His proof is lost on its way, and at the relay his word takes its place.
    let lost = [Choice::Deliver, Choice::Deliver, Choice::Drop, Choice::Say(1, 0), Choice::DeliverAll];
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::DeliverAll, used], &lost]);
    assert!(world.trace().contains("to 1: Dropped"), "{}", world.trace());
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::AwaitingProof), Some(LinePhase::Joined)]);
    play(&mut world, &[&[Choice::Tick(1), Choice::DeliverAll]]);
    assert_eq!([0, 1].map(|who| phase(&world, who)), [Some(LinePhase::Confirmed); 2], "{}", world.trace());
}

#[test]
fn r5_4_of_a_paused_port_a_client_asks_again_after_a_pause() {
    let (mut client, mut power, now) = (Client::default(), Power::default(), UnixSeconds(1));
    let alice = Alice::offer([1; 16].into(), PortOptions::new(), Seed::from_bytes(&[1; 64])).commit();
    let text = alice.port().unwrap().qr_text().to_string();
    let use_port = Command::UsePort { seed: [2; 64], text, send_proof: SendProof::Inline };
    let mut asks = |client: &mut Client, command: &Command| {
        client.command(command, now, &mut power).unwrap();
        client.output()
    };
    let connect = asks(&mut client, &use_port);
    assert_eq!((connect.len(), asks(&mut client, &Command::Tick)), (1, vec![]));
    let paused = Event::Refused { line_link: [1; 16].into(), reason: Reason::Paused }.to_vec();
    for _ in 0..2 {
        assert_eq!(client.deliver(&paused, now, &mut Power::default()), Ok(Receipt::Acknowledged));
        assert_eq!(client.output(), []);
        // Once for each time that it was told.
        assert_eq!(asks(&mut client, &Command::Tick), connect);
        assert_eq!(asks(&mut client, &Command::Tick), []);
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
    let mute = || Odd(client(), |client, _, power, act| act(client, power));
    let mut mute = World::new([mute(), mute()]);
    assert_eq!(mute.run(&talk), Err(Violation::MovedByRefused(1)));
}

/// Deletes whatever may be deleted since it was last looked at, and looks at the clock whenever it has something to do.
fn tidy(client: &mut Client, now: UnixSeconds, power: &mut Power, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    client.sweep();
    client.command(&Command::Tick, now, power)?;
    act(client, power)
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
    // Alice has revoked, and deleted even that: who has used her Port before that is told nevertheless.
    let mut world = tidy();
    let revoked = [Choice::UsePort(1, 0, SendProof::Inline), Choice::GiveUp(0, 0), Choice::DeliverAll];
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::DeliverAll], &revoked]);
    assert_eq!((world.apps()[0].records().len(), phase(&world, 1)), (0, Some(LinePhase::Closed)), "{}", world.trace());
    // A Port that was given up is scanned again, under the key of before: at a lower revision.
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
        let mut world = world(Care::FULL);
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
    // She has revoked before she had it.
    let (links, world) = closed(&[Choice::MakePort(0, None), Choice::GiveUp(0, 0)], Choice::Deliver);
    let Event::LineLinkIssued { line_link, .. } = Event::decode(&world.events()[0].event).unwrap() else {
        panic!("{}", world.trace())
    };
    assert_eq!(links, [line_link]);
}

#[test]
fn r6_4_a_word_that_overtakes_its_proof_is_kept_and_heard_after_it() {
    let mut world = world(Care::FULL);
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
    let mut world = World::new([Odd(Client::default(), |client, now, power, act| {
        client.command(&Command::Tick, now, power)?;
        act(client, power)
    })]);
    let expired = [Choice::MakePort(0, Some(0)), Choice::DeliverAll, Choice::Clock(2)];
    play(&mut world, &[&expired, &[Choice::AnswerUnasked(0, Answer::Refusal)]]);
    let alice = Alice::restore(&world.apps()[0].records()[0]).unwrap();
    assert_eq!(alice.phase(), AlicePhase::Ended(PortOutcome::Expired));
}

#[test]
fn a_run_can_be_made_again() {
    let mut traces: Vec<_> = [1, 1, 2]
        .map(|seed| {
            let mut world = world(Care::FULL);
            assert_eq!(world.run(&Schedule::from_seed(seed, 100)), Ok(()));
            (
                world.trace().to_owned(),
                world.requests().to_vec(),
                world.apps().iter().map(App::records).collect::<Vec<_>>(),
            )
        })
        .into();
    let other = traces.pop();
    assert_eq!(traces[0], traces[1]);
    assert_ne!(traces.pop(), other);
}

/// Whatever leaves it leaves before it is stored: a crash forgets that it was.
fn sends_first(
    client: &mut Client,
    _: UnixSeconds,
    power: &mut Power,
    act: &mut Act<'_>,
) -> Result<Receipt, PowerFailed> {
    client.back_up();
    let done = act(client, &mut Power::default())?;
    // Everything was sent. The records would be written now.
    power.point().inspect_err(|_| assert!(client.roll_back(RollBack::Everything)))?;
    Ok(done)
}

#[test]
fn r8_1_a_client_that_sends_before_it_stores_is_found_and_the_schedule_shrinks() {
    let rash = || Odd(Client::new(Care { revokes: false, ..Care::FULL }), sends_first);
    let run = |schedule: &Schedule| World::new([rash(), rash()]).run(schedule);
    let schedules = (0..60).map(|seed| Schedule::from_seed(seed, 60).with_only(Fault::is_honest));
    let failing: Vec<_> = schedules.filter(|schedule| run(schedule).is_err()).collect();
    let found = |is: fn(Violation) -> bool| failing.iter().any(|schedule| run(schedule).is_err_and(is));
    assert!(found(|violation| matches!(violation, Violation::SentBeforeStored(_))));
    assert!(found(|violation| matches!(violation, Violation::HeardTwice(_))));

    for failing in &failing[..2] {
        let least = failing.shrink(|less| run(less).is_err());
        assert!(run(&least).is_err());
        assert!(least.0.len() <= 9, "{least:?}");
        assert!(least.0.iter().any(|choice| matches!(choice, Choice::Crash(..))), "{least:?}");
        // Nothing more can be left out.
        for at in 0..least.0.len() {
            let mut less = least.clone();
            less.0.remove(at);
            assert_eq!(run(&less), Ok(()), "{less:?}");
        }
    }
}

#[test]
fn every_choice_that_can_be_written_has_bytes_of_its_own() {
    use Choice::{
        AnswerUnasked, BackUp, ClaimTwice, Clock, Close, Crash, CrossLine, Decide, Delay, Deliver, DeliverAll, Drop,
        Duplicate, Flip, Forge, GiveUp, Grant, Introduce, MakePool, MakePort, MakeSuperport, Misroute, Reorder,
        RollBack as Back, Say, SetPolicy, Tick, UsePort, Wake,
    };
    let numbers = [0, 1, 2, 3, 15, 16, 23, 24, 63, 64, 127, 128, 191, 192, 239, 240, 254, 255];
    let pairs = || numbers.into_iter().flat_map(|a| numbers.map(|b| (a, b)));
    let claims = [Claim::SameProof, Claim::ForeignProof, Claim::NoProof, Claim::OtherPair, Claim::SameLine];
    let answers = [Answer::Link, Answer::SecondLink, Answer::Line, Answer::Refusal];
    let said = [End::Alice, End::Bob].into_iter().flat_map(|end| [Forgery::Disconnected(end), Forgery::Dropped(end)]);
    let forgeries: Vec<_> = said.chain([Forgery::Proof, Forgery::Packet]).collect();
    let backs = [RollBack::Process, RollBack::Records, RollBack::Everything];
    let ways = [SendProof::Inline, SendProof::AlongTheLine];
    let changes = [Change::Pause, Change::Resume, Change::Raise, Change::Lower];

    let mut all = vec![Deliver, DeliverAll, Drop, Delay];
    for n in numbers {
        all.extend([Reorder(n), Duplicate(n), Clock(n), Wake(n), BackUp(n), MakePort(n, None), Tick(n)]);
        all.extend(claims.map(|claim| ClaimTwice(n, claim)));
        all.extend(answers.map(|answer| AnswerUnasked(n, answer)));
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
