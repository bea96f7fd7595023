//! §13.2, §13.3, §13.6, §13.8 of links that are set: for many, or for nobody.

use super::*;
use crate::common::cbor::Cbor;
use crate::common::{bad_proof, decode_proof};
use Admission::{Many, Nobody, One};

/// A link of Alice's for many.
fn superport(relay: &mut Running<Memory>, request: u8) -> LineLink {
    let line_link = relay.issue(ALICE, request);
    assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
    line_link
}

fn on_board(line_link: LineLink) -> Request<'static> {
    Request::Connect { line_link, proof: Some(bad_proof()) }
}

#[track_caller]
fn forms(relay: &mut Running<Memory>, from: u8, request: &Request<'_>) -> LineId {
    let lines = relay.directory().lines();
    let response = relay.handle(from, request).unwrap();
    assert_eq!((response.notify, relay.directory().lines()), ([Some(user(ALICE)), None], lines + 1));
    match response.reply {
        Some(Event::LineFormed { line_id, proof: None, .. }) => line_id,
        other => panic!("{other:?}"),
    }
}

/// How it stands, as the directory has it.
fn stands(relay: &Running<Memory>, line_link: LineLink) -> Option<(u64, Admission)> {
    match relay.directory().link(line_link)?.state {
        LinkState::Open { version, admits, .. } => Some((version, admits)),
        LinkState::Claimed(_) | LinkState::Closed => None,
    }
}

#[test]
fn r13_2_a_link_admits_one_until_it_is_set() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    assert_eq!(stands(&relay, line_link), Some((0, One)));
    relay.handle(ALICE, &set(line_link, 1, Many)).unwrap();
    assert_eq!(stands(&relay, line_link), Some((1, Many)));
}

/// However requests are repeated and overtake each other, the last one counts.
#[test]
fn r13_2_a_lower_or_equal_version_is_too_late() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    for (version, admits, stand) in [
        (0, Many, (0, One)),
        (1, Many, (1, Many)),
        (1, Nobody, (1, Many)),
        (3, Nobody, (3, Nobody)),
        (2, Many, (3, Nobody)),
        (3, Many, (3, Nobody)),
        (1, Many, (3, Nobody)),
        (u64::MAX, One, (u64::MAX, One)),
        (u64::MAX, Many, (u64::MAX, One)),
        (4, Many, (u64::MAX, One)),
    ] {
        assert_eq!(relay.handle(ALICE, &set(line_link, version, admits)), Ok(SILENT));
        assert_eq!(stands(&relay, line_link), Some(stand), "version {version}");
    }
}

#[test]
fn r13_2_setting_sets_ones_own_open_link_and_tells_nobody_anything() {
    let mut relay = relay(Limits { lifetime_secs: DAY, ..Limits::default() });
    let late = relay.issue(ALICE, 1);
    relay.now.0 += DAY;
    let [open, used, closed] = [2, 3, 4].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    let never: LineLink = [0xEE; 16].into();
    let entries = |relay: &Running<Memory>| [late, open, used, closed, never].map(|link| relay.directory().link(link));
    let before = entries(&relay);
    for line_link in [late, open, used, closed, never] {
        assert_eq!(relay.handle(CAROL, &set(line_link, 1, Many)), Ok(SILENT));
        assert_eq!(relay.handle(BOB, &set(line_link, 1, Nobody)), Ok(SILENT));
    }
    for line_link in [late, used, closed, never] {
        assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
    }
    assert_eq!(entries(&relay), before);
    for (line_link, reason) in [(late, Reason::Expired), (used, Reason::UsedByAnother), (closed, Reason::Closed)] {
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, reason));
    }
}

/// A published link lives as long as somebody looks after it. What is too late prolongs nothing.
#[test]
fn r13_2_to_set_a_link_begins_its_lifetime_anew() {
    let mut relay = relay(Limits { lifetime_secs: 10 * DAY, ..Limits::default() });
    let line_link = superport(&mut relay, 1);
    relay.now.0 += 9 * DAY;
    relay.handle(ALICE, &set(line_link, 2, Many)).unwrap();
    relay.now.0 += 9 * DAY;
    forms(&mut relay, BOB, &connect(line_link));
    relay.handle(ALICE, &set(line_link, 2, Many)).unwrap();
    relay.handle(ALICE, &set(line_link, 1, Many)).unwrap();
    relay.now.0 += DAY;
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Expired));
    // From then on it is remembered as any other.
    relay.now.0 += 30 * DAY - 1;
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Expired));
    relay.now.0 += 1;
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Unknown));
    assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Unknown));
    assert_ne!(relay.issue(ALICE, 1), line_link);
    assert_eq!(relay.directory().links(), 1);
}

#[test]
fn r13_3_each_use_of_a_link_for_many_forms_a_line_of_its_own() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    let uses =
        [(BOB, connect(line_link)), (BOB, on_board(line_link)), (CAROL, connect(line_link)), (4, on_board(line_link))];
    let lines = uses.each_ref().map(|(from, request)| forms(&mut relay, *from, request));
    assert_eq!(relay.waits(ALICE), ["LineFormed", "LineFormed on board", "LineFormed", "LineFormed on board"]);
    assert_eq!(stands(&relay, line_link), Some((1, Many)));
    // Each is a line between Alice and the user that used the link.
    for ((from, _), line_id) in uses.iter().zip(lines) {
        relay.send(*from, line_id, &[b'0' + from]);
        assert_eq!(relay.waits(ALICE).last().unwrap(), &from.to_string());
        assert_eq!(relay.send(ALICE, line_id, b"hello").notify, [Some(user(*from)), None]);
    }
    assert_eq!(relay.waits(BOB), ["hello", "hello"]);
    // The same request again yields the same line, and Alice hears nothing.
    let before = relay.waiting(ALICE);
    for ((from, request), line_id) in uses.iter().zip(lines) {
        let again = relay.handle(*from, request).unwrap();
        assert!(matches!(again.reply, Some(Event::LineFormed { line_id: same, .. }) if same == line_id));
        assert_eq!(again.notify, [None; 2]);
    }
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 4));
}

/// The table's rows for a link that is set.
#[test]
fn r13_3_state_by_state_of_a_link_that_is_set() {
    let mut relay = relay(Limits::default());
    let links = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    for (line_link, admits) in links.into_iter().zip([Nobody, One, Many]) {
        relay.handle(ALICE, &set(line_link, 1, admits)).unwrap();
        // One's own is nobody's, paused or not.
        assert_eq!(relay.reply(ALICE, &connect(line_link)), refused(line_link, Reason::UsedByYou));
    }
    let [paused, one, many] = links;
    assert_eq!(relay.reply(BOB, &connect(paused)), refused(paused, Reason::Paused));
    forms(&mut relay, BOB, &connect(one));
    forms(&mut relay, BOB, &connect(many));
    for (from, request) in [(BOB, on_board(one)), (CAROL, connect(one))] {
        let reason = if from == BOB { Reason::UsedByYou } else { Reason::UsedByAnother };
        assert_eq!(relay.reply(from, &request), refused(one, reason));
    }
    relay.now.0 += Limits::default().lifetime_secs;
    for line_link in [paused, many] {
        for from in [ALICE, CAROL] {
            assert_eq!(relay.reply(from, &connect(line_link)), refused(line_link, Reason::Expired));
        }
    }
}

#[test]
fn r13_3_a_paused_link_burns_and_remembers_nothing() {
    let mut relay = relay(Limits::default());
    for (n, resumed) in [(1, One), (2, Many)] {
        let line_link = relay.issue(ALICE, n);
        relay.handle(ALICE, &set(line_link, 1, Nobody)).unwrap();
        for (from, request) in [(BOB, connect(line_link)), (BOB, on_board(line_link)), (CAROL, connect(line_link))] {
            assert_eq!(
                relay.handle(from, &request).unwrap(),
                Response { reply: Some(refused(line_link, Reason::Paused)), ..SILENT }
            );
        }
        assert_eq!(stands(&relay, line_link), Some((1, Nobody)));
        relay.handle(ALICE, &set(line_link, 2, resumed)).unwrap();
        forms(&mut relay, BOB, &connect(line_link));
        let next = relay.reply(CAROL, &connect(line_link));
        assert_eq!(next == refused(line_link, Reason::UsedByAnother), resumed == One, "{next:?}");
    }
}

/// Lost replies are told again, whatever Alice has done meanwhile.
#[test]
fn r13_3_what_was_given_is_given_again_whatever_was_set_since() {
    let [pause, single, close] = [0, 1, 2];
    for since in [pause, single, close] {
        let mut relay = relay(Limits::default());
        let line_link = superport(&mut relay, 1);
        let formed = relay.reply(BOB, &connect(line_link));
        let (refusal, later) = match since {
            0 => (Reason::Paused, set(line_link, 2, Nobody)),
            1 => (Reason::UsedByAnother, set(line_link, 2, One)),
            _ => (Reason::Closed, Request::CloseLineLink { line_link }),
        };
        relay.handle(ALICE, &later).unwrap();
        if since == single {
            forms(&mut relay, CAROL, &connect(line_link));
        }
        for from in [BOB, 4] {
            assert_eq!(relay.reply(from, &on_board(line_link)), refused(line_link, refusal));
        }
        assert_eq!(relay.reply(BOB, &connect(line_link)), formed);
        // What stays of the link stays in force.
        relay.now.0 += 30 * DAY - 1;
        assert_eq!(relay.reply(BOB, &connect(line_link)), formed);
        let Event::LineFormed { line_id, .. } = formed else { panic!() };
        assert_eq!(relay.send(BOB, line_id, b"still there").notify, [Some(user(ALICE)), None]);
        assert_eq!(relay.send(ALICE, line_id, b"still there").notify, [Some(user(BOB)), None]);
        relay.now.0 += 1;
        let gone = if since == pause { formed } else { refused(line_link, Reason::Unknown) };
        assert_eq!(relay.reply(BOB, &connect(line_link)), gone);
        assert_eq!(relay.send(BOB, line_id, b"even so").notify, [Some(user(ALICE)), None]);
    }
}

/// One use after another, by who knows: the last setting counts for the next.
#[test]
fn r13_3_a_link_that_was_for_many_is_burnt_by_the_first_use_as_one_for_one() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    for from in [BOB, CAROL] {
        forms(&mut relay, from, &connect(line_link));
    }
    relay.handle(ALICE, &set(line_link, 2, One)).unwrap();
    assert_eq!(stands(&relay, line_link), Some((2, One)));
    forms(&mut relay, 4, &connect(line_link));
    assert_eq!(relay.reply(5, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
    assert_eq!(relay.reply(4, &on_board(line_link)), refused(line_link, Reason::UsedByYou));
    // Nothing opens it again.
    relay.handle(ALICE, &set(line_link, 3, Many)).unwrap();
    relay.handle(ALICE, &Request::CloseLineLink { line_link }).unwrap();
    assert_eq!(relay.reply(5, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
    for from in [BOB, CAROL, 4] {
        assert!(matches!(relay.reply(from, &connect(line_link)), Event::LineFormed { .. }));
    }
    assert_eq!(relay.directory().lines(), 3);
}

/// So the relay remembers no more uses for a user than the user has lines, however often the user asks.
#[test]
fn r13_6_a_use_of_a_link_for_many_is_remembered_until_its_user_leaves_the_line() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    let first = forms(&mut relay, BOB, &connect(line_link));
    let ended = |relay: &mut Running<Memory>| {
        let Event::LineFormed { line_id, .. } = relay.reply(BOB, &connect(line_link)) else { panic!() };
        line_id
    };
    // Alice leaves, and Bob may not have heard of the line yet. Bob has left when it has acknowledged the end of the line.
    relay.reply(ALICE, &Request::Disconnect { line_id: first });
    assert_eq!(ended(&mut relay), first);
    relay.acknowledge_all(BOB);
    let second = forms(&mut relay, BOB, &connect(line_link));
    assert_ne!(second, first);
    // Bob leaves.
    relay.reply(BOB, &Request::Disconnect { line_id: second });
    let third = forms(&mut relay, BOB, &connect(line_link));
    assert!(![first, second].contains(&third));
    // Bob is removed, and begins anew. The relay tells Bob of no line that Bob is not on.
    relay.remove(BOB);
    let fourth = forms(&mut relay, BOB, &connect(line_link));
    assert_eq!(relay.send(BOB, fourth, b"here").notify, [Some(user(ALICE)), None]);
    assert!(![first, second, third].contains(&fourth));
}

/// Anybody that holds the link can fill its owner's lines. The owner disconnects the users that it refuses, and there is room again.
#[test]
fn r13_6_lines_of_a_link_for_many_are_bounded_at_either_end() {
    let mut relay = relay(Limits { lines: 3, ..Limits::default() });
    let line_link = superport(&mut relay, 1);
    let lines = [4, 5, 6].map(|from| forms(&mut relay, from, &connect(line_link)));
    let before = relay.waiting(ALICE);
    assert_eq!(relay.handle(BOB, &connect(line_link)), Err(RequestError::TooManyLines.into()));
    assert_eq!((relay.waiting(ALICE), stands(&relay, line_link)), (before, Some((1, Many))));
    assert!(matches!(relay.reply(4, &connect(line_link)), Event::LineFormed { .. }));
    relay.reply(ALICE, &Request::Disconnect { line_id: lines[1] });
    forms(&mut relay, BOB, &connect(line_link));

    let other = relay.issue(CAROL, 1);
    relay.handle(CAROL, &set(other, 1, Many)).unwrap();
    for proof in [None, Some(bad_proof())] {
        assert!(relay.handle(BOB, &Request::Connect { line_link: other, proof }).is_ok());
    }
    relay.reply(ALICE, &Request::Disconnect { line_id: lines[0] });
    assert_eq!(relay.handle(BOB, &on_board(line_link)), Err(RequestError::TooManyLines.into()));
}

/// One account does not fill up the lines of a user that published a link.
#[test]
fn r13_6_one_user_has_some_lines_of_one_link_for_many_and_no_more() {
    let mut relay = relay(Limits { uses: 2, ..Limits::default() });
    let [line_link, other] = [1, 2].map(|n| superport(&mut relay, n));
    let long = |length| {
        let proof = Cbor::Array(vec![Cbor::Bytes(vec![7; length]), Cbor::Bytes(vec![])]);
        Request::Connect { line_link, proof: Some(decode_proof(&proof).unwrap()) }
    };
    let lines = [1, 2].map(|length| forms(&mut relay, BOB, &long(length)));
    let before = relay.waiting(ALICE);
    assert_eq!(relay.handle(BOB, &long(3)), Err(RequestError::TooManyLines.into()));
    assert_eq!(relay.waiting(ALICE), before);
    // Bob gets the same reply again. Other users get lines of this link, and Bob gets lines of other links.
    assert!(matches!(relay.reply(BOB, &long(1)), Event::LineFormed { line_id, .. } if line_id == lines[0]));
    forms(&mut relay, CAROL, &long(3));
    forms(&mut relay, BOB, &connect(other));
    let single = relay.issue(ALICE, 3);
    forms(&mut relay, BOB, &connect(single));
    // Only the lines that Bob has not left count.
    relay.reply(ALICE, &Request::Disconnect { line_id: lines[0] });
    assert_eq!(relay.handle(BOB, &long(3)), Err(RequestError::TooManyLines.into()));
    relay.acknowledge_all(BOB);
    forms(&mut relay, BOB, &long(3));
    relay.reply(BOB, &Request::Disconnect { line_id: lines[1] });
    forms(&mut relay, BOB, &long(4));
    // The link is for one now. Bob can burn it, although Bob has as many lines of it as one user may have.
    relay.handle(ALICE, &set(line_link, 2, One)).unwrap();
    forms(&mut relay, BOB, &long(5));
}

#[test]
fn r13_8_a_removed_owner_of_a_link_for_many_leaves_every_line_of_it() {
    let mut relay = relay(Limits::default());
    let line_link = superport(&mut relay, 1);
    for from in [BOB, CAROL] {
        forms(&mut relay, from, &connect(line_link));
    }
    let told = relay.remove(ALICE);
    assert_eq!(told.len(), 2);
    for from in [BOB, CAROL] {
        assert_eq!(relay.waits(from), ["Disconnected"]);
        assert_eq!(relay.reply(from, &connect(line_link)), refused(line_link, Reason::Unknown));
        relay.remove(from);
    }
    assert_eq!(format!("{:?}", relay.directory()), "Memory(0 links, 0 lines, 0 users)");
}
