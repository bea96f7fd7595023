//! §13.4–§13.6.

use super::*;

#[test]
fn r13_4_packets_go_to_the_other_end_and_nowhere_else() {
    let mut relay = relay(Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    let other = relay.line(ALICE, CAROL, 2);
    for n in [ALICE, BOB, CAROL] {
        relay.acknowledge_all(n);
    }
    assert_eq!(relay.send(BOB, line_id, b"to Alice"), Response { reply: None, notify: [Some(user(ALICE)), None] });
    assert_eq!(relay.send(ALICE, line_id, b"to Bob"), Response { reply: None, notify: [Some(user(BOB)), None] });
    assert_eq!(relay.send(ALICE, other, b""), Response { reply: None, notify: [Some(user(CAROL)), None] });
    assert_eq!(relay.waits(ALICE), ["to Alice"]);
    assert_eq!(relay.waiting(BOB)[0].1, Event::Packet { line_id, payload: b"to Bob" }.to_vec());
    assert_eq!(relay.waiting(CAROL)[0].1, Event::Packet { line_id: other, payload: b"" }.to_vec());
}

/// Bytes that are no payload of this protocol, and a proof that is none: not the relay's to judge.
#[test]
fn r13_1_the_relay_reads_no_payload_and_checks_no_proof() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    let line_id = relay.forms(ALICE, BOB, &on_board(line_link));
    relay.send(BOB, line_id, b"no payload");
    assert_eq!(relay.waits(ALICE), ["LineFormed on board", "no payload"]);
}

#[test]
fn r13_4_to_who_is_no_end_of_it_a_line_is_as_one_that_never_was() {
    let mut relay = relay(Limits::default());
    let [line, left] = [1, 2].map(|n| relay.line(ALICE, BOB, n));
    relay.handle(BOB, &Request::Disconnect { line_id: left }).unwrap();
    let never: LineId = [0xEE; 16].into();
    let before = [ALICE, BOB, CAROL].map(|n| relay.waiting(n));
    for (from, lines) in [(CAROL, vec![line, left, never]), (BOB, vec![left, never])] {
        for line_id in lines {
            for request in [Request::Packet { line_id, payload: b"x" }, Request::Disconnect { line_id }] {
                let response = relay.handle(from, &request).unwrap();
                let told = Response { reply: Some(Event::Disconnected { line_id }), notify: [None; 2] };
                assert_eq!(response, told, "{from} {request:?}");
            }
        }
    }
    assert_eq!([ALICE, BOB, CAROL].map(|n| relay.waiting(n)), before);
    relay.send(BOB, line, b"still there");
    assert_eq!(relay.waits(ALICE).last().unwrap(), "still there");
}

#[test]
fn r13_4_who_leaves_takes_what_waits_for_him_and_leaves_what_waits_for_the_other() {
    let mut relay = relay(Limits::default());
    let [line_id, other] = [1, 2].map(|n| relay.line(ALICE, BOB, n));
    for line_id in [line_id, other] {
        relay.send(ALICE, line_id, b"to Bob");
        relay.send(BOB, line_id, b"to Alice");
    }
    let disconnect = Request::Disconnect { line_id };
    let told = Response { reply: Some(Event::Disconnected { line_id }), notify: [Some(user(ALICE)), None] };
    assert_eq!(relay.waits(BOB), ["Connected", "Connected", "to Bob", "to Bob"]);
    assert_eq!(relay.handle(BOB, &disconnect), Ok(told.clone()));
    assert_eq!(relay.waits(BOB), ["Connected", "to Bob"]);
    assert_eq!(relay.waits(ALICE), ["LineFormed", "LineFormed", "to Alice", "to Alice", "Disconnected"]);
    // The same request again gets the same reply, and Alice hears nothing more.
    assert_eq!(relay.handle(BOB, &disconnect), Ok(Response { notify: [None; 2], ..told.clone() }));
    // Alice may not speak any more, but gets no reply: a reply would overtake the events that wait for Alice.
    assert_eq!(relay.send(ALICE, line_id, b"hello?"), Response { reply: None, notify: [Some(user(ALICE)), None] });
    assert_eq!(relay.waits(BOB), ["Connected", "to Bob"]);
    // Alice may leave before it has heard these events.
    assert_eq!(relay.handle(ALICE, &disconnect), Ok(Response { notify: [None; 2], ..told }));
    assert_eq!(relay.waits(ALICE), ["LineFormed", "to Alice"]);
    assert_eq!(relay.directory().lines(), 1);
}

#[test]
fn r13_4_the_oldest_packet_of_the_line_makes_room_and_its_sender_is_told() {
    let mut relay = relay(Limits { packets: 3, ..Limits::default() });
    let (line_id, other) = (relay.line(ALICE, BOB, 1), relay.line(ALICE, CAROL, 2));
    relay.send(CAROL, other, b"Carol's");
    relay.acknowledge_all(BOB);
    relay.acknowledge_all(CAROL);
    for payload in [b"1", b"2", b"3"] {
        assert_eq!(relay.send(BOB, line_id, payload).notify, [Some(user(ALICE)), None]);
    }
    assert_eq!(relay.waits(BOB), Vec::<String>::new());
    for (payload, wait) in [(b"4", ["2", "3", "4"]), (b"5", ["3", "4", "5"])] {
        assert_eq!(relay.send(BOB, line_id, payload).notify, [Some(user(ALICE)), Some(user(BOB))]);
        assert_eq!(relay.waits(ALICE), [&["LineFormed", "LineFormed", "Carol's"][..], &wait].concat());
        // One notice, behind whatever Bob may have got of the one before.
        assert_eq!(
            relay.waiting(BOB).iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(),
            [Event::Dropped { line_id }.to_vec()]
        );
    }
    assert_eq!(relay.waiting(BOB)[0].0, 3);
    // A notice that Bob was sent, but that another took the place of, is not acknowledged with it.
    relay.relay.acknowledge(user(BOB), 2).unwrap();
    assert_eq!(relay.waits(BOB), ["Dropped"]);
    relay.acknowledge_all(BOB);
    relay.send(BOB, line_id, b"6");
    assert_eq!(relay.waits(BOB), ["Dropped"]);
    assert_eq!(relay.waits(CAROL), Vec::<String>::new());
    // What Alice has acknowledged takes no room.
    relay.acknowledge_all(ALICE);
    relay.acknowledge_all(BOB);
    relay.send(BOB, line_id, b"7");
    assert_eq!((relay.waits(ALICE), relay.waits(BOB)), (vec!["7".into()], vec![]));
}

#[test]
fn r13_6_bytes_are_bounded_as_packets_are() {
    let mut relay = relay(Limits { bytes: 100, ..Limits::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    let lengths = |relay: &Running<Memory>| relay.waits(ALICE)[1..].iter().map(String::len).collect::<Vec<_>>();
    for length in [30, 30, 40] {
        relay.send(BOB, line_id, &vec![b'x'; length]);
    }
    assert_eq!((lengths(&relay), relay.waits(BOB)), (vec![30, 30, 40], vec!["Connected".into()]));
    relay.send(BOB, line_id, b"x");
    assert_eq!((lengths(&relay), relay.waits(BOB)), (vec![30, 40, 1], vec!["Connected".into(), "Dropped".into()]));
    relay.send(BOB, line_id, &[b'x'; 100]);
    assert_eq!(lengths(&relay), [100]);
    let too_long = Request::Packet { line_id, payload: &[b'x'; 101] };
    assert_eq!(relay.handle(BOB, &too_long), Err(RequestError::TooLong.into()));
    assert_eq!(relay.handle(CAROL, &too_long), Err(RequestError::TooLong.into()));
    assert_eq!(lengths(&relay), [100]);
}

#[test]
fn r13_6_nothing_but_packets_is_ever_dropped() {
    let mut relay = relay(Limits { packets: 0, ..Limits::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    for from in [ALICE, BOB, BOB, ALICE] {
        relay.send(from, line_id, b"no room at all");
    }
    assert_eq!(relay.waits(BOB), ["Connected", "Dropped"]);
    relay.handle(BOB, &Request::Disconnect { line_id }).unwrap();
    assert_eq!(relay.waits(ALICE), ["LineFormed", "Dropped", "Disconnected"]);
    assert_eq!(relay.waits(BOB), Vec::<String>::new());
}

#[test]
fn r13_6_lines_are_bounded_at_either_end_and_the_link_stays_open() {
    let mut relay = relay(Limits { lines: 2, ..Limits::default() });
    let [one, _] = [1, 2].map(|n| relay.line(ALICE, BOB, n));
    let (of_alice, of_carol) = (relay.issue(ALICE, 3), relay.issue(CAROL, 3));
    let before = relay.waiting(ALICE);
    assert_eq!(relay.handle(CAROL, &connect(of_alice)), Err(RequestError::TooManyLines.into()));
    assert_eq!(relay.handle(BOB, &connect(of_carol)), Err(RequestError::TooManyLines.into()));
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 2));

    // Bob leaves, and has room at once. Alice has room when it has acknowledged the end of the line.
    relay.handle(BOB, &Request::Disconnect { line_id: one }).unwrap();
    relay.forms(CAROL, BOB, &connect(of_carol));
    assert_eq!(relay.handle(CAROL, &connect(of_alice)), Err(RequestError::TooManyLines.into()));
    relay.acknowledge_all(ALICE);
    relay.forms(ALICE, CAROL, &connect(of_alice));
}

#[test]
fn r13_5_deliveries_are_numbered_and_wait_until_they_are_acknowledged() {
    let mut relay = relay(Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    for payload in [b"1", b"2", b"3"] {
        relay.send(BOB, line_id, payload);
    }
    let numbers =
        |relay: &Running<Memory>| relay.waiting(ALICE).iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>();
    assert_eq!(
        (relay.waits(ALICE), numbers(&relay)),
        (vec!["LineFormed".into(), "1".into(), "2".into(), "3".into()], vec![1, 2, 3, 4])
    );
    // To read does not take away.
    assert_eq!(relay.relay.next(user(ALICE), 2).unwrap().unwrap().sequence, 3);
    assert_eq!(relay.relay.next(user(ALICE), u64::MAX), Ok(None));
    relay.relay.acknowledge(user(ALICE), 0).unwrap();
    assert_eq!(numbers(&relay), [1, 2, 3, 4]);
    relay.relay.acknowledge(user(ALICE), 2).unwrap();
    relay.relay.acknowledge(user(ALICE), 1).unwrap();
    // Bob's acknowledgement takes none of Alice's deliveries.
    relay.relay.acknowledge(user(BOB), 1).unwrap();
    assert_eq!(numbers(&relay), [3, 4]);
    assert_eq!([ALICE, BOB].map(|n| relay.directory().waiting(user(n))), [2, 0]);
    relay.acknowledge_all(ALICE);
    relay.send(BOB, line_id, b"4");
    assert_eq!((relay.waits(ALICE), numbers(&relay)), (vec!["4".into()], vec![5]));
}

/// Numbers of a directory that was begun anew begin anew: what was sent before is not what has them now.
#[test]
fn r13_5_an_acknowledgement_from_before_a_restart_takes_nothing_that_was_not_given_yet() {
    let mut before = relay(Limits::default());
    let line_id = before.line(ALICE, BOB, 1);
    for payload in [b"1", b"2", b"3"] {
        before.send(BOB, line_id, payload);
    }
    let (old, _) = *before.waiting(ALICE).last().unwrap();

    let mut relay = relay(Limits::default());
    relay.relay.acknowledge(user(ALICE), old).unwrap();
    let line_id = relay.line(ALICE, BOB, 1);
    relay.send(BOB, line_id, b"words");
    let waiting = relay.waiting(ALICE);
    for upto in [old, 3, u64::MAX] {
        relay.relay.acknowledge(user(ALICE), upto).unwrap();
    }
    assert_eq!(relay.waiting(ALICE), waiting);
    // The relay has given this number again. Alice's acknowledgement now takes Alice's own deliveries, and nobody else's. The next delivery
    // waits as usual.
    relay.send(ALICE, line_id, b"to Bob");
    relay.send(BOB, line_id, b"3");
    relay.send(BOB, line_id, b"4");
    relay.relay.acknowledge(user(ALICE), old).unwrap();
    assert_eq!((relay.waits(ALICE), relay.waits(BOB)), (vec![], vec!["Connected".into(), "to Bob".into()]));
    relay.send(BOB, line_id, b"5");
    assert_eq!(relay.waits(ALICE), ["5"]);
}

/// Bob hears of its line before anything that comes along it, and hears it again until it says that it has heard.
#[test]
fn r13_5_connected_waits_before_every_packet_of_its_line_until_it_is_acknowledged() {
    let mut relay = relay(Limits { packets: 2, ..Limits::default() });
    let other = relay.line(CAROL, BOB, 1);
    relay.send(CAROL, other, b"Carol's");
    let line_id = relay.line(ALICE, BOB, 1);
    for payload in [b"1", b"2", b"3"] {
        relay.send(ALICE, line_id, payload);
    }
    // The packets that are dropped make room for packets only.
    let waits = ["Connected", "Carol's", "Connected", "2", "3"];
    for _ in 0..2 {
        assert_eq!(relay.waits(BOB), waits);
    }
    // Bob asks again, and gets the answer at once. The event waits as before.
    let Request::Connect { line_link, .. } = connect(relay.issue(ALICE, 1)) else { panic!() };
    assert_eq!(relay.formed_before(BOB, &connect(line_link)), line_id);
    assert_eq!(relay.waits(BOB), waits);
    let connected = relay.waiting(BOB)[2].clone();
    assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected.1);
    relay.relay.acknowledge(user(BOB), connected.0).unwrap();
    assert_eq!(relay.waits(BOB), ["2", "3"]);
    assert_eq!(relay.formed_before(BOB, &connect(line_link)), line_id);
    assert_eq!(relay.waits(BOB), ["2", "3"]);
}

/// Alice may have heard of the line, spoken and left before Bob has heard anything.
#[test]
fn r13_5_connected_is_not_lost_when_the_owner_leaves_first() {
    let mut relay = relay(Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    relay.send(ALICE, line_id, b"words");
    relay.reply(ALICE, &Request::Disconnect { line_id });
    assert_eq!(relay.waits(BOB), ["Connected", "words", "Disconnected"]);
}
