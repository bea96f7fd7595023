//! §13.6: how many uses of one link one user may have, and what is kept of them.

use super::*;
use crate::common::cbor::Cbor;
use crate::common::decode_proof;
use Admission::{Many, Nobody, One};

/// A link of Alice's for many.
fn superport(relay: &mut Running<Memory>, request: u8) -> LineLink {
    let line_link = relay.issue(ALICE, request);
    assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
    line_link
}

fn leave(relay: &mut Running<Memory>, from: u8, line_id: LineId) {
    relay.reply(from, &Request::Disconnect { line_id });
}

/// Case M1: Alice is away, and one account connects and leaves, again and again. It is refused when it has had as many uses as it may,
/// and everybody else gets in.
#[test]
fn r13_6_one_account_does_not_fill_the_lines_of_an_owner_that_is_away() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    let mut formed = 0;
    for n in 0..=255 {
        match relay.handle(BOB, &connect_as(line_link, n)) {
            Ok(Response { reply: None, notify: [Some(_), Some(_)] }) => {
                formed += 1;
                let Event::Connected { line_id, .. } = Event::decode(&relay.waiting(BOB)[0].1).unwrap() else {
                    panic!()
                };
                leave(&mut relay, BOB, line_id);
            }
            other => assert_eq!(other, Err(RequestError::TooManyLines.into())),
        }
    }
    assert_eq!((formed, relay.directory().lines()), (4, 4));
    assert_eq!(relay.waits(ALICE), ["LineFormed", "Disconnected"].repeat(4));
    assert_eq!(relay.waits(BOB), Vec::<String>::new());
    // By this link and by any other, others get in.
    for from in 10..100 {
        relay.forms(ALICE, from, &connect(line_link));
    }
    relay.line(ALICE, CAROL, 2);
    // So does this account by another link of Alice's, as often again.
    let other = superport(&mut relay, 3);
    for n in 0..4 {
        relay.forms(ALICE, BOB, &connect_as(other, n));
    }
    assert_eq!(relay.handle(BOB, &connect_as(other, 4)), Err(RequestError::TooManyLines.into()));
    // Alice acknowledges the ends of two of the lines, and that is room for two.
    let second = relay.waiting(ALICE)[3].0;
    relay.relay.acknowledge(user(ALICE), second).unwrap();
    for n in [100, 101] {
        relay.forms(ALICE, BOB, &connect_as(line_link, n));
    }
    assert_eq!(relay.handle(BOB, &connect_as(line_link, 102)), Err(RequestError::TooManyLines.into()));
}

/// Three hundred lines that nobody is on any more, with nothing left of them at either end.
#[test]
fn r13_6_lines_that_both_have_left_count_for_nobody() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    for n in 0..300_u16 {
        let request_id = [n.to_be_bytes(); 8].as_flattened().try_into().map(<[u8; 16]>::into).unwrap();
        let line_id = relay.forms(ALICE, BOB, &Request::Connect { line_link, request_id, proof: None });
        // Whoever goes first, by leaving or by acknowledging.
        let [first, second] = if n % 2 == 0 { [ALICE, BOB] } else { [BOB, ALICE] };
        leave(&mut relay, first, line_id);
        if n % 3 == 0 {
            leave(&mut relay, second, line_id);
        } else {
            relay.acknowledge_all(second);
        }
        relay.acknowledge_all(first);
    }
    assert_eq!((relay.directory().lines(), relay.waits(ALICE).len(), relay.waits(BOB).len()), (0, 0, 0));
    // The quota is whole.
    for n in 0..4 {
        relay.forms(ALICE, BOB, &connect_as(line_link, n));
    }
    assert_eq!(relay.handle(BOB, &connect_as(line_link, 4)), Err(RequestError::TooManyLines.into()));
    for n in 0..252 {
        relay.forms(ALICE, 4 + (n / 4), &connect_as(line_link, n));
    }
    assert_eq!(relay.handle(CAROL, &connect(line_link)), Err(RequestError::TooManyLines.into()));
    for from in 1..=70 {
        relay.remove(from);
    }
    assert_eq!(format!("{:?}", relay.directory()), "Memory(0 links, 0 lines, 0 users)");
}

/// A use is known as long as one of the two is on its line: the same request gets the same answer.
#[test]
fn r13_6_a_use_is_kept_until_both_have_left_its_line() {
    for (first, second) in [(ALICE, BOB), (BOB, ALICE)] {
        let mut relay = relay(Limits { uses: 1, ..Limits::default() });
        let line_link = superport(&mut relay, 1);
        let request = connect(line_link);
        let line_id = relay.forms(ALICE, BOB, &request);
        let connected = relay.waiting(BOB)[0].1.clone();
        leave(&mut relay, first, line_id);
        assert_eq!(relay.reply(BOB, &request).to_vec(), connected);
        assert_eq!(relay.handle(BOB, &connect_as(line_link, 1)), Err(RequestError::TooManyLines.into()));
        relay.acknowledge_all(second);
        let another = relay.forms(ALICE, BOB, &request);
        assert_ne!(another, line_id);
        // One of the two leaves the service, and then the other.
        relay.remove(BOB);
        assert_eq!(relay.handle(BOB, &connect_as(line_link, 1)), Err(RequestError::TooManyLines.into()));
        relay.acknowledge_all(ALICE);
        let third = relay.forms(ALICE, BOB, &request);
        assert_eq!(relay.send(BOB, third, b"here").notify, [Some(user(ALICE)), None]);
        relay.remove(ALICE);
        relay.acknowledge_all(BOB);
        assert_eq!(relay.reply(BOB, &request), refused(line_link, Reason::Unknown));
        assert_eq!(relay.directory().lines(), 0);
    }
}

/// One account has some lines of one link for many. A link for one is not counted, and can be burnt by who has as many of it.
#[test]
fn r13_6_one_user_has_some_lines_of_one_link_for_many_and_no_more() {
    let mut relay = relay(Limits { uses: 2, ..Limits::default() });
    let [line_link, other] = [1, 2].map(|n| superport(&mut relay, n));
    let long = |length| {
        let proof = Cbor::Array(vec![Cbor::Bytes(vec![7; length]), Cbor::Bytes(vec![])]);
        Request::Connect { line_link, request_id: [1; 16].into(), proof: Some(decode_proof(&proof).unwrap()) }
    };
    // A request is another one by its id, or by its proof.
    let requests = [connect(line_link), long(1), connect_as(line_link, 3), long(3), long(4)];
    let lines = [0, 1].map(|n: usize| relay.forms(ALICE, BOB, &requests[n]));
    let before = relay.waiting(ALICE);
    for request in &requests[2..] {
        assert_eq!(relay.handle(BOB, request), Err(RequestError::TooManyLines.into()));
    }
    assert_eq!(relay.waiting(ALICE), before);
    // Bob gets the same reply again. Other users get lines of this link, and Bob gets lines of other links.
    assert_eq!([0, 1].map(|n: usize| relay.formed_before(BOB, &requests[n])), lines);
    relay.forms(ALICE, CAROL, &requests[3]);
    relay.forms(ALICE, BOB, &connect(other));
    relay.line(ALICE, BOB, 3);
    // A line that one of the two has left counts, whoever it is.
    leave(&mut relay, ALICE, lines[0]);
    leave(&mut relay, BOB, lines[1]);
    assert_eq!(relay.handle(BOB, &requests[2]), Err(RequestError::TooManyLines.into()));
    relay.acknowledge_all(BOB);
    relay.forms(ALICE, BOB, &requests[2]);
    assert_eq!(relay.handle(BOB, &requests[4]), Err(RequestError::TooManyLines.into()));
    relay.acknowledge_all(ALICE);
    relay.forms(ALICE, BOB, &requests[4]);
    // The link is for one now. Bob can burn it, although Bob has as many lines of it as one user may have.
    relay.handle(ALICE, &set(line_link, 2, One)).unwrap();
    relay.forms(ALICE, BOB, &connect_as(line_link, 9));
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
}

/// What is refused leaves nothing behind, however often it is asked.
#[test]
fn r13_6_what_is_refused_leaves_nothing_behind() {
    let mut relay = relay(Limits { links: 0, lines: 0, ..Limits::default() });
    let entries = |relay: &Running<Memory>| format!("{:?}", relay.directory());
    let nothing = entries(&relay);
    let never: LineLink = [0xEE; 16].into();
    for from in 0..50 {
        assert_eq!(relay.try_issue(from, 1), Err(RequestError::TooManyLinks.into()));
        relay.reply(from, &connect(never));
        relay.handle(from, &renew(never)).unwrap();
        relay.handle(from, &Request::CloseLineLink { line_link: never }).unwrap();
        relay.send(from, [0xEE; 16].into(), b"words");
        relay.reply(from, &Request::Disconnect { line_id: [0xEE; 16].into() });
        relay.acknowledge_all(from);
        relay.relay.acknowledge(user(from), u64::MAX).unwrap();
    }
    assert_eq!(entries(&relay), nothing);
    // So is a Connect for which one of the two has no room, and one to a link that admits nobody.
    let issue = Request::IssueLineLink { request_id: [1; 16].into() }.to_vec();
    let prepared = Operation::prepare(user(ALICE), &issue, &Limits::default(), &marks(), &mut relay.rng, NOW).unwrap();
    prepared.execute(relay.relay.directory_mut()).unwrap();
    let line_link = relay.rng.last();
    let one = entries(&relay);
    for from in 10..50 {
        assert_eq!(relay.handle(from, &connect(line_link)), Err(RequestError::TooManyLines.into()));
    }
    relay.handle(ALICE, &set(line_link, 1, Nobody)).unwrap();
    for from in 10..50 {
        assert_eq!(relay.reply(from, &connect(line_link)), refused(line_link, Reason::Paused));
    }
    assert_eq!(entries(&relay), one);
}
