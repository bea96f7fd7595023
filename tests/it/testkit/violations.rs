//! The kit finds what it is there to find (§10): each violation, in an app that commits it.

use std::collections::BTreeMap;

use super::*;
use crate::common;

/// The kit's client, and somebody who meddles with what leaves it and with what it has stored.
struct Meddled {
    client: Client,
    wanted: Option<Command>,
    output: fn(&mut Self, &mut Vec<Output>),
    stored: Vec<Vec<u8>>,
}

impl App for Meddled {
    leaves!(client: deliver restart);

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.wanted = Some(command.clone());
        self.client.command(command, outside)
    }

    fn output(&mut self) -> Vec<Output> {
        let mut output = self.client.output();
        (self.output)(self, &mut output);
        output
    }

    fn records(&self) -> Vec<Vec<u8>> {
        [self.client.records(), self.stored.clone()].concat()
    }
}

impl Meddled {
    fn line(&self) -> Option<LineId> {
        let records = self.client.records();
        records.iter().find_map(|record| Line::restore(record).ok()).map(|line| line.claims().line_id)
    }

    /// The seed of the machine that the user wants.
    fn seed(&mut self) -> Option<[u8; 64]> {
        match self.wanted.take() {
            Some(Command::MakePort { seed, .. } | Command::UsePort { seed, .. }) => Some(seed),
            _ => None,
        }
    }
}

const ALICE: usize = 0;
const BOB: usize = 1;

/// Alice and Bob have a line, and each says a word. One of them is meddled with.
fn found_with(who: usize, stored: &[Vec<u8>], output: fn(&mut Meddled, &mut Vec<Output>)) -> Result<(), Violation> {
    let talk = [
        Choice::MakePort(0, None),
        Choice::DeliverAll,
        Choice::UsePort(1, 0, SendProof::Inline),
        Choice::DeliverAll,
        Choice::Say(0, 0),
        Choice::Say(1, 0),
        Choice::DeliverAll,
    ];
    let app = |n| {
        let (output, stored) = if n == who { (output, stored.to_vec()) } else { (NOTHING, vec![]) };
        Meddled { client: Client::default(), wanted: None, output, stored }
    };
    World::new([ALICE, BOB].map(app)).run(&Schedule(talk.into()))
}

fn found(who: usize, output: fn(&mut Meddled, &mut Vec<Output>)) -> Result<(), Violation> {
    found_with(who, &[], output)
}

const NOTHING: fn(&mut Meddled, &mut Vec<Output>) = |_, _| {};

fn packet(line_id: LineId, payload: &[u8]) -> Output {
    Output::Send(Request::Packet { line_id, payload }.to_vec())
}

/// The control.
#[test]
fn who_does_nothing_wrong_is_found_to_do_nothing_wrong() {
    assert_eq!([ALICE, BOB].map(|who| found(who, NOTHING)), [Ok(()); 2]);
}

#[test]
fn what_is_no_request_and_no_record_is_found() {
    for who in [ALICE, BOB] {
        let sends = found(who, |_, output| output.push(Output::Send(b"no request".to_vec())));
        assert_eq!(sends, Err(Violation::BadRequest(who)));
        assert_eq!(found_with(who, &[b"no record".to_vec()], NOTHING), Err(Violation::BadRecord(who)));
    }
}

#[test]
fn r8_1_a_packet_of_a_line_that_is_not_stored_is_found() {
    for who in [ALICE, BOB] {
        let sends = found(who, |_, output| output.push(packet([9; 16].into(), b"")));
        assert_eq!(sends, Err(Violation::SentBeforeStored(who)));
    }
}

/// What is no secret is sent here along a line that there is not, so that something else is found.
#[test]
fn r8_7_a_private_key_and_a_rad_are_secrets_and_the_rest_of_a_seed_is_none() {
    fn sends<const FROM: usize, const TO: usize>(app: &mut Meddled, output: &mut Vec<Output>) {
        output.extend(app.seed().map(|seed| packet([9; 16].into(), &seed[FROM..TO])));
    }
    for who in [ALICE, BOB] {
        assert_eq!(found(who, sends::<0, 32>), Err(Violation::Secret(who)));
        assert_eq!(found(who, sends::<48, 64>), Err(Violation::SentBeforeStored(who)));
    }
    assert_eq!(found(ALICE, sends::<32, 48>), Err(Violation::Secret(ALICE)));
    // A Bob's IV is on its way to everybody (§3.2).
    assert_eq!(found(BOB, sends::<32, 48>), Err(Violation::SentBeforeStored(BOB)));
}

#[test]
fn r6_3_two_packets_under_one_counter_are_found_and_one_that_is_sent_again_is_not() {
    fn again(output: &mut Vec<Output>, change: fn(&mut Vec<u8>)) {
        for sent in output.clone() {
            let Output::Send(request) = sent else { continue };
            let Ok(Request::Packet { line_id, payload }) = Request::decode(&request) else { continue };
            let mut payload = payload.to_vec();
            change(&mut payload);
            output.push(packet(line_id, &payload));
        }
    }
    for who in [ALICE, BOB] {
        assert_eq!(found(who, |_, output| again(output, |_| {})), Ok(()));
        let twice = found(who, |_, output| again(output, |payload| *payload.last_mut().unwrap() ^= 1));
        assert_eq!(twice, Err(Violation::CounterTwice(who)));
    }
}

#[test]
fn r6_5_a_line_that_nobody_else_has_is_not_confirmed() {
    let (alice, bob) = common::confirmed();
    for who in [ALICE, BOB] {
        for end in [&alice, &bob] {
            assert_eq!(found_with(who, &[end.record()], NOTHING), Err(Violation::ConfirmedAlone(who)));
        }
        // Both ends are not two people. They have one key, and each has its own mark of the other.
        let both = [alice.record(), bob.record()];
        assert_eq!(found_with(who, &both, NOTHING), Err(Violation::Overwritten(who)));
    }
}

#[test]
fn r6_4_a_word_that_comes_twice_or_that_the_other_end_never_said_is_found() {
    for who in [ALICE, BOB] {
        let twice = found(who, |_, output| {
            let heard: Vec<_> = output.iter().filter(|one| matches!(one, Output::Hear(..))).cloned().collect();
            output.extend(heard);
        });
        assert_eq!(twice, Err(Violation::HeardTwice(who)));
        let unsaid =
            found(who, |app, output| output.extend(app.line().map(|line| Output::Hear(line, b"never said".to_vec()))));
        assert_eq!(unsaid, Err(Violation::HeardUnsaid(who)));
        let own = found(who, |app, output| {
            if let Some(Command::Say(line, text)) = app.wanted.take() {
                output.push(Output::Hear(line, text));
            }
        });
        assert_eq!(own, Err(Violation::HeardUnsaid(who)));
    }
}

#[test]
fn r6_5_who_waits_for_ever_is_found() {
    for who in [ALICE, BOB] {
        // Alice asks for no link, Bob for no line.
        let mute = found(who, |_, output| output.retain(|one| !matches!(one, Output::Send(_))));
        assert_eq!(mute, Err(Violation::Lost(who)));
    }
    // §15.6: so does a pool that never asks.
    let output = |_: &mut Meddled, output: &mut Vec<Output>| output.clear();
    let app = Meddled { client: Client::default(), wanted: None, output, stored: vec![] };
    assert_eq!(World::new([app]).run(&Schedule(vec![Choice::MakePool(0, 0)])), Err(Violation::Lost(0)));
    // Alice never says Confirm: neither end has heard of the other.
    let unsaid = found(ALICE, |_, output| {
        output.retain(|one| {
            !matches!(one, Output::Send(request) if matches!(Request::decode(request), Ok(Request::Packet { .. })))
        });
    });
    assert!(matches!(unsaid, Err(Violation::Lost(_))), "{unsaid:?}");
}

/// Two that answer each packet with another.
#[test]
fn a_world_that_never_comes_to_rest_is_found() {
    let ping = || Meddled {
        client: Client::default(),
        wanted: None,
        output: |app, output| output.extend(app.line().map(|line| packet(line, b"ping"))),
        stored: vec![],
    };
    let line = [Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, 0, SendProof::Inline)];
    assert_eq!(World::new([ping(), ping()]).run(&Schedule(line.into())), Err(Violation::Endless));
}

/// What a caller may log of its store, and of what its user wants.
#[test]
fn r8_7_a_store_shows_no_record_and_a_command_no_seed() {
    let command = Command::MakePort { seed: [7; 64], options: PortOptions::new() };
    assert_eq!(
        format!("{command:?}"),
        "MakePort(PortOptions { terms: Terms { expires: None, relay: None }, policy: Policy { uses: Once, repeat: Replace, paused: false, asks: false, closes_at: None }, introducer: None, recognisable: false })"
    );
    let command = Command::Say([9; 16].into(), b"a word".to_vec());
    assert_eq!(format!("{command:?}"), "Say(LineId(09090909090909090909090909090909), 6 bytes)");
    let command = Command::Introduce {
        key: RecordKey::Line([9; 16].into()),
        name: IntroducerName::new("Carol").unwrap(),
        expires: None,
        seed: [7; 64],
    };
    assert_eq!(format!("{command:?}"), "Introduce(Line(LineId(09090909090909090909090909090909)))");
    let created = Bob::scan(common::port(PortOptions::new()), common::seed(2));
    let mut store = Store::new();
    assert_eq!(store.keep(&created.write()), Ok(()));
    assert_eq!(format!("{store:?}"), "Store(1 records, 0 marks, 0 tickets, 0 messages)");
    let shown = format!("{:?}", created.write());
    let begins = "Write { row: Row { key: LineLink(LineLink([redacted])), revision: 0, record: Record([redacted]), ";
    assert!(shown.starts_with(begins), "{shown}");
}

/// Names its request by its RAD, or by half of its private key.
struct Leaks(std::ops::Range<usize>, Vec<Output>);

impl App for Leaks {
    fn deliver(&mut self, _: &[u8], _: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        Ok(Receipt::Acknowledged)
    }

    fn command(&mut self, command: &Command, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
        if let Command::MakePort { seed, .. } = command {
            let name: [u8; 16] = seed[self.0.clone()].try_into().unwrap();
            self.1.push(Output::Send(Request::IssueLineLink { request_id: name.into() }.to_vec()));
        }
        Ok(())
    }

    fn restart(&mut self, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
        Ok(())
    }

    fn output(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.1)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        vec![]
    }
}

#[test]
fn r8_7_a_secret_that_is_sent_is_found() {
    let run = |part| World::new([Leaks(part, vec![])]).run(&Schedule(vec![Choice::MakePort(0, None)]));
    assert_eq!(run(0..16), Err(Violation::Secret(0)));
    assert_eq!(run(32..48), Err(Violation::Secret(0)));
    assert_eq!(run(48..64), Ok(()));
}

#[test]
fn r8_1_a_record_that_goes_back_by_itself_is_found() {
    let forgets = || {
        Odd(Client::default(), |client, outside, act| {
            if client.records().iter().all(|record| Line::restore(record).is_err()) {
                client.back_up();
                return act(client, outside);
            }
            let done = act(client, outside);
            assert!(client.roll_back(RollBack::Records));
            done
        })
    };
    let schedule = Schedule([ALICE_JOINED, &[Choice::DeliverAll]].concat());
    assert_eq!(World::new([forgets(), forgets()]).run(&schedule), Err(Violation::WentBack(1)));
}

/// Whatever moves nothing makes it close a line.
fn nervous(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    let before = client.records();
    let done = act(client, outside)?;
    let mut lines = client.records().into_iter().filter_map(|record| Line::restore(&record).ok());
    if let (Some(first), Some(_), true) = (lines.next(), lines.next(), before == client.records()) {
        client.command(&Command::Close(first.claims().line_id), outside)?;
    }
    Ok(done)
}

#[test]
fn r8_1_an_event_that_nobody_takes_and_that_moves_another_line_is_found() {
    let used = |port| [Choice::MakePort(0, None), Choice::DeliverAll, Choice::UsePort(1, port, SendProof::Inline)];
    let all = [Choice::DeliverAll];
    let refused = [Choice::Forge(0, Forgery::Packet), Choice::Forge(1, Forgery::Packet)];
    // No event at all; one that is for nobody here.
    let nobodys = [Choice::Flip(0, 0), Choice::AnswerUnasked(0, Answer::Link)];
    for choice in [refused, nobodys].concat() {
        let mut world = World::new([(); 2].map(|()| Odd(Client::default(), nervous)));
        play(&mut world, &[&used(0), &all, &used(1), &all]);
        assert_eq!(world.perform(choice), Err(Violation::MovedByRefused(0)), "{choice:?}");
    }
}

/// The first backup, of a store with nothing in it, comes back when nobody asks.
fn loses_all(client: &mut Client, outside: &mut Outside<'_>, act: &mut Act<'_>) -> Result<Receipt, PowerFailed> {
    if client.records().is_empty() {
        client.back_up();
    } else {
        assert!(client.roll_back(RollBack::Records));
    }
    act(client, outside)
}

#[test]
fn r8_3_what_is_gone_while_it_lives_is_found() {
    for who in [0, 1] {
        let odd = |n| Odd(Client::default(), if n == who { loses_all } else { NOTHING_ODD });
        let mut world = World::new([0, 1].map(odd));
        let schedule = Schedule([ALICE_JOINED, &[Choice::DeliverAll]].concat());
        assert_eq!(world.run(&schedule), Err(Violation::WentBack(who)), "{}", world.trace());
    }
}

#[test]
fn r8_2_a_port_that_is_scanned_again_over_the_machine_that_used_it_is_found() {
    let mut world = World::new([NOTHING_ODD, loses_all].map(|oddity| Odd(Client::default(), oddity)));
    let used = Choice::UsePort(1, 0, SendProof::Inline);
    play(&mut world, &[&[Choice::MakePort(0, None), Choice::Deliver, used]]);
    assert_eq!(world.perform(used), Err(Violation::Overwritten(1)));
}

/// The kit's client; but a new line is stored whatever is there (§8.3).
#[derive(Default)]
struct Overwrites(Client, BTreeMap<LineId, Vec<u8>>);

impl App for Overwrites {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        if let Ok(event @ Event::LineFormed { line_id, .. }) = Event::decode(event) {
            let alices = self.0.records().into_iter().filter_map(|record| Alice::restore(&record).ok());
            for mut alice in alices {
                let Ok(step) = alice.handle(&event, &NoPeers, outside.now, outside.rng) else { continue };
                self.1.extend(step.write().new_line.map(|row| (line_id, row.record.to_vec())));
            }
        }
        self.0.deliver(event, outside)
    }

    leaves!(0: command restart output);

    fn records(&self) -> Vec<Vec<u8>> {
        let stored = |record: Vec<u8>| match Line::restore(&record) {
            Ok(line) => self.1.get(&line.claims().line_id).cloned().unwrap_or(record),
            Err(_) => record,
        };
        self.0.records().into_iter().map(stored).collect()
    }
}

#[test]
fn r8_3_a_line_that_was_just_born_and_is_stored_over_is_found() {
    let mut world = World::new([(); 3].map(|()| Overwrites::default()));
    let second = [Choice::MakePort(0, None), Choice::Reorder(2), Choice::UsePort(2, 1, SendProof::Inline)];
    play(&mut world, &[ALICE_JOINED, &second]);
    let line = |world: &World<Overwrites>| {
        let records = world.apps()[0].records();
        records.iter().find_map(|record| Line::restore(record).ok()).map(|line| (line.phase(), line.revision()))
    };
    assert_eq!(line(&world), Some((LinePhase::Joined, 0)));
    assert_eq!(world.perform(Choice::ClaimTwice(1, Claim::SameLine)), Err(Violation::Overwritten(0)));
    assert_eq!(line(&world), Some((LinePhase::Joined, 0)));
}
