//! Each lie of the kit's relay is the lie that its name says, to the client that it names (§10). One that is no lie would find nothing.

use std::collections::BTreeSet;

use port_protocol::testkit::*;
use port_protocol::*;

/// The kit's client, and all that it was told.
#[derive(Default)]
struct Listener(Client, Vec<Vec<u8>>);

impl App for Listener {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        self.1.push(event.to_vec());
        self.0.deliver(event, outside)
    }

    leaves!(0: command restart output records);
}

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice has a line with Bob, and one with Carol, whose proof travels along the line. Bob has a Port on offer.
const TWO_LINES: &[Choice] = &[
    Choice::MakePort(0, None),
    Choice::DeliverAll,
    Choice::UsePort(1, 0, SendProof::Inline),
    Choice::DeliverAll,
    Choice::MakePort(0, None),
    Choice::DeliverAll,
    Choice::UsePort(2, 1, SendProof::AlongTheLine),
    Choice::DeliverAll,
    Choice::MakePort(1, None),
    Choice::DeliverAll,
];

fn world(choices: &[Choice]) -> World<Listener> {
    let mut world = World::new([(); 3].map(|()| Listener::default()));
    choices.iter().for_each(|choice| assert_eq!(world.perform(*choice), Ok(()), "{}", world.trace()));
    world
}

/// The events that this choice causes, each with its client.
#[track_caller]
fn told(world: &mut World<Listener>, choice: Choice) -> Vec<(usize, Vec<u8>)> {
    let before: Vec<_> = world.apps().iter().map(|app| app.1.len()).collect();
    assert_eq!(world.perform(choice), Ok(()), "{}", world.trace());
    let apps = world.apps().iter().zip(before).enumerate();
    apps.flat_map(|(who, (app, before))| app.1[before..].iter().map(move |event| (who, event.clone()))).collect()
}

/// The same, of one event.
#[track_caller]
fn lie(world: &mut World<Listener>, choice: Choice) -> (usize, Vec<u8>) {
    let told = told(world, choice);
    assert_eq!(told.len(), 1, "{choice:?}: {told:?}");
    told.into_iter().next().unwrap()
}

/// The lines that were honestly formed, in order, as the relay told their users.
fn formed(world: &World<Listener>) -> Vec<(LineLink, LineId, PeerMark)> {
    let formed = |delivery: &Delivery| match Event::decode(&delivery.event).unwrap() {
        Event::LineFormed { line_link, line_id, peer, .. } => Some((line_link, line_id, peer)),
        _ => None,
    };
    world.events().iter().filter_map(formed).collect()
}

/// What this user asked of which link, in order.
fn uses(world: &World<Listener>) -> Vec<(LineLink, RequestId)> {
    let asked = |request: &Vec<u8>| match Request::decode(request).unwrap() {
        Request::Connect { line_link, request_id, .. } => Some((line_link, request_id)),
        _ => None,
    };
    world.requests().iter().filter_map(asked).collect()
}

/// The proofs that were sent, on board or along the line, in order.
fn proofs(world: &World<Listener>) -> Vec<Proof> {
    let proof = |request: &Vec<u8>| match Request::decode(request).unwrap() {
        Request::Connect { proof, .. } => proof,
        Request::Packet { payload, .. } => match Payload::decode(payload) {
            Ok(Payload::Proof { proof }) => Some(proof),
            _ => None,
        },
        _ => None,
    };
    world.requests().iter().filter_map(proof).collect()
}

/// The links that were issued, in order, each with its request and its owner.
fn links(world: &World<Listener>) -> Vec<(RequestId, LineLink, usize)> {
    let link = |delivery: &Delivery| match Event::decode(&delivery.event).unwrap() {
        Event::LineLinkIssued { request_id, line_link } => Some((request_id, line_link, delivery.to)),
        _ => None,
    };
    world.events().iter().filter_map(link).collect()
}

#[test]
fn an_event_comes_again_or_to_another_as_it_was() {
    for n in 0..world(TWO_LINES).events().len() {
        let mut world = world(TWO_LINES);
        let Delivery { to, event, .. } = world.events()[n].clone();
        assert_eq!(lie(&mut world, Choice::Duplicate(n as u8)), (to, event.clone()));
        for other in 0..3 {
            let misrouted = told(&mut world, Choice::Misroute(n as u8, other as u8));
            assert_eq!(misrouted, if other == to { vec![] } else { vec![(other, event.clone())] });
        }
    }
}

#[test]
fn a_trace_tells_one_event_from_another() {
    let world = world(TWO_LINES);
    let told: BTreeSet<_> = world.apps().iter().flat_map(|app| &app.1).collect();
    let lines = world.trace().lines().filter(|line| line.starts_with("  to "));
    let names: BTreeSet<_> = lines.filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(names.len(), told.len(), "{}", world.trace());
}

#[test]
fn a_flip_is_one_bit_the_one_it_names() {
    for bit in [0, 1, 7, 8, 13, 100, 1000, u16::MAX] {
        let mut world = world(TWO_LINES);
        let Delivery { to, event, .. } = world.events()[3].clone();
        let (who, flipped) = lie(&mut world, Choice::Flip(3, bit));
        let differ: Vec<_> = event.iter().zip(&flipped).map(|(was, is)| was ^ is).enumerate().collect();
        let differ: Vec<_> = differ.into_iter().filter(|(_, bits)| *bits != 0).collect();
        let place = usize::from(bit / 8) % event.len();
        assert_eq!((who, flipped.len(), differ), (to, event.len(), vec![(place, 1 << (bit % 8))]), "{bit}");
    }
}

#[test]
fn r6_3_a_packet_crosses_to_another_line_or_another_end() {
    let (mut crossed, mut stayed) = (0, 0);
    let packet = |event: &[u8]| match Event::decode(event).unwrap() {
        Event::Packet { line_id, payload } => Some((line_id, payload.to_vec())),
        _ => None,
    };
    for n in 0..6 {
        for line in 0..4 {
            let mut world = world(TWO_LINES);
            let past: Vec<_> = world.events().iter().map(|delivery| (delivery.to, delivery.event.clone())).collect();
            let packets: Vec<_> = past.iter().filter_map(|(_, event)| packet(event)).collect();
            match &told(&mut world, Choice::CrossLine(n, line))[..] {
                [] => stayed += 1,
                [(to, event)] => {
                    let (line_id, payload) = packet(event).unwrap();
                    assert_eq!(payload, packets[usize::from(n) % packets.len()].1);
                    assert!(formed(&world).iter().any(|(_, of, _)| *of == line_id));
                    assert!(!past.contains(&(*to, event.clone())), "it has come there before");
                    crossed += 1;
                }
                more => panic!("{more:?}"),
            }
        }
    }
    // Each packet has one place where it belongs.
    assert_eq!((crossed, stayed), (18, 6));
}

#[test]
fn r4_3_a_used_port_is_claimed_once_more_in_each_way() {
    let mut fresh = vec![];
    for n in 0..2 {
        for claim in [Claim::SameProof, Claim::ForeignProof, Claim::NoProof, Claim::OtherPeer, Claim::SameLine] {
            let mut world = world(TWO_LINES);
            let (lines, good) = (formed(&world), proofs(&world)[n].clone());
            let (line_link, first, mark) = lines[n];
            let other = lines[1 - n].1;
            let (to, event) = lie(&mut world, Choice::ClaimTwice(n as u8, claim));
            let Ok(Event::LineFormed { line_link: of, line_id, peer, proof }) = Event::decode(&event) else {
                panic!("{event:?}")
            };
            assert_eq!((to, of), (ALICE, line_link));
            match claim {
                Claim::SameProof | Claim::OtherPeer | Claim::SameLine => assert_eq!(proof, Some(good)),
                Claim::ForeignProof => assert!(proof.is_some_and(|proof| proof != good)),
                Claim::NoProof => assert_eq!(proof, None),
            }
            match claim {
                Claim::OtherPeer => assert!(line_id == first && peer != mark),
                Claim::SameLine => assert_eq!((line_id, peer), (other, mark)),
                _ => {
                    assert!(![first, other].contains(&line_id) && peer == mark);
                    fresh.push((line_id, told(&mut world, Choice::ClaimTwice(n as u8, Claim::NoProof))));
                }
            }
        }
    }
    // No name is made up twice.
    for (line_id, again) in fresh {
        let Ok(Event::LineFormed { line_id: next, .. }) = Event::decode(&again[0].1) else { panic!("{again:?}") };
        assert_ne!(line_id, next);
    }
    // Who has no other line can't be told of it again.
    let mut world = world(&TWO_LINES[..4]);
    assert_eq!(told(&mut world, Choice::ClaimTwice(0, Claim::SameLine)), []);
}

#[test]
fn r7_2_an_answer_that_nobody_asked_for_is_none_that_there_was() {
    for to in [ALICE, BOB] {
        let mut world = world(TWO_LINES);
        let (issued, lines) = (links(&world), formed(&world));
        let (_, last, _) = issued[issued.len() - 1];
        let (who, event) = lie(&mut world, Choice::AnswerUnasked(to as u8, Answer::Link));
        let Ok(Event::LineLinkIssued { request_id, line_link }) = Event::decode(&event) else { panic!("{event:?}") };
        assert_eq!(who, to);
        assert!(issued.iter().all(|(request, link, _)| (*request, *link) != (request_id, line_link)));
        assert!(issued.iter().all(|(request, link, _)| *request != request_id && *link != line_link));

        let (who, event) = lie(&mut world, Choice::AnswerUnasked(to as u8, Answer::SecondLink));
        let Ok(Event::LineLinkIssued { request_id, line_link }) = Event::decode(&event) else { panic!("{event:?}") };
        let (asked, was, _) = issued.iter().rfind(|(_, _, owner)| *owner == to).unwrap();
        assert_eq!((who, request_id), (to, *asked));
        assert!(line_link != *was && issued.iter().any(|(_, link, _)| *link == line_link));

        let (who, event) = lie(&mut world, Choice::AnswerUnasked(to as u8, Answer::Line));
        let Ok(Event::LineFormed { line_link, line_id, proof, .. }) = Event::decode(&event) else {
            panic!("{event:?}")
        };
        assert_eq!((who, line_link, proof), (to, last, None));
        assert!(lines.iter().all(|(_, of, _)| *of != line_id));

        let lost = lie(&mut world, Choice::AnswerUnasked(to as u8, Answer::LinkLost));
        assert_eq!(lost, (to, Event::LineLinkLost { line_link: *was }.to_vec()));
    }
    // Carol has asked for no link, and Alice has asked to use none. Bob has one line only, and it is of another Port than Bob's own.
    let nothing = [
        (CAROL, Answer::SecondLink),
        (CAROL, Answer::TakenLine),
        (ALICE, Answer::Connected(Asked::Now)),
        (ALICE, Answer::Refusal(Asked::Before)),
        (BOB, Answer::ConnectedToTaken),
    ];
    for (to, answer) in nothing {
        assert_eq!(told(&mut world(TWO_LINES), Choice::AnswerUnasked(to as u8, answer)), [], "{answer:?}");
    }
}

/// §4.3, §5.3: the line that is named has another Port formed.
#[test]
fn r4_3_a_line_of_another_port_is_named_to_either_end() {
    let mut world = world(TWO_LINES);
    let lines = formed(&world);
    // Of Alice's last Port, the line with Bob. Of Bob's own, the same one.
    for (to, link) in [(ALICE, links(&world)[1].1), (BOB, links(&world)[2].1)] {
        let (who, event) = lie(&mut world, Choice::AnswerUnasked(to as u8, Answer::TakenLine));
        let Ok(Event::LineFormed { line_link, line_id, proof: None, .. }) = Event::decode(&event) else {
            panic!("{event:?}")
        };
        assert_eq!((who, line_link, line_id), (to, link, lines[0].1));
    }
    // Bob uses the first Port once more, and then a third Port.
    let uses_third = [Choice::MakePort(2, None), Choice::DeliverAll, Choice::UsePort(1, 3, SendProof::Inline)];
    for choice in uses_third {
        assert_eq!(world.perform(choice), Ok(()), "{}", world.trace());
    }
    let (link, request) = uses(&world)[2];
    let (who, event) = lie(&mut world, Choice::AnswerUnasked(BOB as u8, Answer::ConnectedToTaken));
    let Ok(Event::Connected { line_link, request_id, line_id, .. }) = Event::decode(&event) else {
        panic!("{event:?}")
    };
    assert_eq!((who, line_link, request_id, line_id), (BOB, link, request, lines[0].1));
}

/// §5.6.
#[test]
fn r5_6_an_answer_names_the_last_request_or_an_earlier_one() {
    let mut world = world(TWO_LINES);
    let lines = formed(&world);
    // Carol asks for Bob's Port, gives up, and asks again.
    let again = [
        Choice::UsePort(2, 2, SendProof::Inline),
        Choice::GiveUp(2, 1),
        Choice::GiveUp(2, 0),
        Choice::UsePort(2, 2, SendProof::Inline),
    ];
    let answered = |world: &mut World<Listener>, answer| {
        let (who, event) = lie(world, Choice::AnswerUnasked(CAROL as u8, answer));
        assert_eq!(who, CAROL);
        match Event::decode(&event).unwrap() {
            Event::Connected { line_link, request_id, line_id, .. } => {
                assert!(lines.iter().all(|(_, of, _)| *of != line_id));
                (line_link, request_id)
            }
            Event::Refused { line_link, request_id, reason: Reason::UsedByAnother } => (line_link, request_id),
            other => panic!("{other:?}"),
        }
    };
    let (_, of_alices) = uses(&world)[1];
    let (link, never) = answered(&mut world, Answer::Connected(Asked::Before));
    assert!(link == links(&world)[1].1 && never != of_alices, "there was none before");
    for choice in again {
        assert_eq!(world.perform(choice), Ok(()), "{}", world.trace());
    }
    let asked = uses(&world);
    assert_eq!(asked.len(), 4, "{}", world.trace());
    let [.., before, now] = asked[..] else { unreachable!() };
    assert_eq!((before.0, now.0), (links(&world)[2].1, links(&world)[2].1));
    assert_eq!(answered(&mut world, Answer::Connected(Asked::Before)), before);
    assert_eq!(answered(&mut world, Answer::Refusal(Asked::Before)), before);
    assert_eq!(answered(&mut world, Answer::Refusal(Asked::Now)), now);
    assert_eq!(answered(&mut world, Answer::Connected(Asked::Now)), now);
}

#[test]
fn r7_3_what_is_forged_names_its_line_and_comes_to_the_end_it_is_for() {
    for (n, bob) in [BOB, CAROL].into_iter().enumerate() {
        let forge = |forgery| {
            let mut world = world(TWO_LINES);
            let line_id = formed(&world)[n].1;
            let (to, event) = lie(&mut world, Choice::Forge(n as u8, forgery));
            (to, event, line_id, proofs(&world))
        };
        for (end, who) in [(End::Alice, ALICE), (End::Bob, bob)] {
            let (to, event, line_id, _) = forge(Forgery::Disconnected(end));
            assert_eq!((to, event), (who, Event::Disconnected { line_id }.to_vec()));
            let (to, event, line_id, _) = forge(Forgery::Dropped(end));
            assert_eq!((to, event), (who, Event::Dropped { line_id }.to_vec()));
        }
        for forgery in [Forgery::Proof, Forgery::Packet] {
            let (to, event, line_id, sent) = forge(forgery);
            let Ok(Event::Packet { line_id: of, payload }) = Event::decode(&event) else { panic!("{event:?}") };
            assert_eq!((to, of), (ALICE, line_id));
            match (forgery, Payload::decode(payload).unwrap()) {
                (Forgery::Proof, Payload::Proof { proof }) => assert!(!sent.contains(&proof)),
                (Forgery::Packet, Payload::Sealed { .. }) => {}
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

/// Alice has not heard of its line yet, and hears of it under another name. What Alice says along that one comes to Bob.
#[test]
fn r6_1_a_line_that_was_renamed_on_the_way_carries_packets_and_opens_none() {
    let used = [&TWO_LINES[..3], &[Choice::Drop, Choice::Deliver]].concat();
    let mut world = world(&used);
    let (_, line_id, _) = formed(&world)[0];
    lie(&mut world, Choice::ClaimTwice(0, Claim::SameProof));
    let Some(Ok(Request::Packet { payload, line_id: named })) =
        world.requests().last().map(|last| Request::decode(last))
    else {
        panic!("{}", world.trace())
    };
    let brought = Event::Packet { line_id, payload }.to_vec();
    assert_ne!(named, line_id);
    assert_eq!(told(&mut world, Choice::DeliverAll), [(BOB, brought)]);
    let phases = [ALICE, BOB].map(|who| {
        let records = world.apps()[who].records();
        records.iter().find_map(|record| Line::restore(record).ok()).map(|line| line.phase())
    });
    assert_eq!(phases, [Some(LinePhase::Joined); 2]);
}

/// Bob has not heard of its line yet, and hears of one that nobody has.
#[test]
fn r6_6_what_is_sent_along_a_line_that_is_none_comes_to_nobody() {
    let used =
        [&TWO_LINES[..2], &[Choice::UsePort(1, 0, SendProof::AlongTheLine), Choice::Drop, Choice::Drop]].concat();
    let mut world = world(&used);
    lie(&mut world, Choice::AnswerUnasked(1, Answer::Connected(Asked::Now)));
    let last = world.requests().last().map(|last| Request::decode(last));
    assert!(matches!(last, Some(Ok(Request::Packet { .. }))), "{}", world.trace());
    assert_eq!(told(&mut world, Choice::DeliverAll), []);
}

/// A fault counts when it has happened: a good end may be asked for until then.
#[test]
fn what_changes_nothing_is_no_fault() {
    let mut world = world(&[Choice::Drop, Choice::Delay, Choice::Reorder(7), Choice::MakePort(0, None)]);
    // One event waits, for Alice.
    let link = links(&world)[0];
    assert_eq!(told(&mut world, Choice::Delay), []);
    assert_eq!(told(&mut world, Choice::Reorder(7)), [(ALICE, issued(link))]);
    assert!(Fault::ALL.iter().all(|fault| world.count_of(*fault) == 0), "{}", world.trace());
    // Now two: the line's, for Alice and for Bob.
    world.perform(Choice::UsePort(1, 0, SendProof::Inline)).unwrap();
    world.perform(Choice::Delay).unwrap();
    assert_eq!(lie(&mut world, Choice::Reorder(1)).0, ALICE);
    assert_eq!([Fault::Delay, Fault::Reorder].map(|fault| world.count_of(fault)), [1, 1]);
}

fn issued((request_id, line_link, _): (RequestId, LineLink, usize)) -> Vec<u8> {
    Event::LineLinkIssued { request_id, line_link }.to_vec()
}

/// Alice's request comes again, and so does the answer: the last link is Bob's all the same.
#[test]
fn r7_2_a_link_that_is_asked_for_twice_is_learned_once() {
    let asked =
        [Choice::MakePort(0, None), Choice::Drop, Choice::MakePort(1, None), Choice::Wake(0), Choice::DeliverAll];
    let mut world = world(&asked);
    let (_, line_link, owner) = links(&world)[1];
    assert_eq!(owner, BOB);
    let (_, event) = lie(&mut world, Choice::AnswerUnasked(CAROL as u8, Answer::Line));
    assert!(
        matches!(Event::decode(&event), Ok(Event::LineFormed { line_link: of, .. }) if of == line_link),
        "{event:?}"
    );
}

/// Two lines without a proof: the one that comes is of the line that it comes along.
#[test]
fn r5_4_a_proof_along_a_line_is_learned_of_that_line() {
    let ports = [Choice::MakePort(0, None), Choice::MakePort(0, None), Choice::DeliverAll];
    let used = [Choice::UsePort(1, 0, SendProof::AlongTheLine), Choice::UsePort(2, 1, SendProof::AlongTheLine)];
    // What waits is for Alice and Bob, then for Alice and Carol.
    let mut world = world(&[&ports[..], &used, &[Choice::Reorder(3)]].concat());
    let proofs = proofs(&world);
    assert_eq!(proofs.len(), 1, "{}", world.trace());
    let mut of = |n| match Event::decode(&lie(&mut world, Choice::ClaimTwice(n, Claim::SameProof)).1) {
        Ok(Event::LineFormed { proof, .. }) => proof,
        other => panic!("{other:?}"),
    };
    assert_eq!([of(0), of(1)], [None, Some(proofs[0].clone())]);
}

/// Nothing has gone wrong, and so a good end may still be asked for.
#[test]
fn who_has_no_backups_is_not_rolled_back() {
    let mut world = world(TWO_LINES);
    assert_eq!(told(&mut world, Choice::RollBack(0, RollBack::Everything)), []);
    assert_eq!(world.count_of(Fault::RollBack), 0);
}
