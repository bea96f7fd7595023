//! §13.2, §13.3, §13.6, §13.8 of links that are set: for many, or for nobody.

use super::*;
use crate::common::{Commit, Unused, seed};
use Admission::{Many, Nobody, One};

/// A link of Alice's for many.
fn superport(relay: &mut Running<Memory>, request: u8) -> LineLink {
    let line_link = relay.issue(ALICE, request);
    assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
    line_link
}

#[track_caller]
fn forms(relay: &mut Running<Memory>, from: u8, request: &Request<'_>) -> LineId {
    relay.forms(ALICE, from, request)
}

/// How it stands, as the directory has it.
fn stands(relay: &Running<Memory>, line_link: LineLink) -> Option<(u64, Admission)> {
    match relay.directory().link(line_link)?.state {
        LinkState::Open { version, admits, .. } => Some((version, admits)),
        LinkState::Claimed { .. } | LinkState::Closed => None,
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
fn r13_2_a_lower_version_is_too_late() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    for (version, admits, stand) in [
        (0, Many, (0, One)),
        (1, Many, (1, Many)),
        (0, One, (1, Many)),
        (3, Nobody, (3, Nobody)),
        (2, Many, (3, Nobody)),
        (3, Nobody, (3, Nobody)),
        (1, Many, (3, Nobody)),
        (u64::MAX, One, (u64::MAX, One)),
        (4, Many, (u64::MAX, One)),
    ] {
        assert_eq!(relay.handle(ALICE, &set(line_link, version, admits)), Ok(SILENT));
        assert_eq!(stands(&relay, line_link), Some(stand), "version {version}");
    }
}

/// What another user says changes nothing, and it hears what it would hear of a link that never was.
#[test]
fn r13_2_setting_sets_ones_own_link_and_tells_nobody_else_anything() {
    let mut relay = relay(Limits { lifetime_secs: DAY, ..Limits::default() });
    let late = relay.issue(ALICE, 1);
    relay.wait(DAY);
    let [open, used, closed] = [2, 3, 4].map(|n| relay.issue(ALICE, n));
    relay.forms(ALICE, BOB, &connect(used));
    relay.acknowledge_all(BOB);
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    let never: LineLink = [0xEE; 16].into();
    let entries = |relay: &Running<Memory>| [late, open, used, closed, never].map(|link| relay.directory().link(link));
    let before = entries(&relay);
    for line_link in [late, open, used, closed, never] {
        assert_eq!(relay.handle(CAROL, &set(line_link, 1, Many)), Ok(lost(line_link)));
        assert_eq!(relay.handle(BOB, &set(line_link, 1, Nobody)), Ok(lost(line_link)));
    }
    // Nor does Alice open what is closed. Its own news waits, so it is not told that it has lost it.
    for line_link in [closed, never] {
        assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
    }
    assert_eq!(entries(&relay), before);
    for (line_link, reason) in [(late, Reason::Expired), (used, Reason::UsedByAnother), (closed, Reason::Closed)] {
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, reason));
    }
}

/// Case C34: Bob uses a Superport before the relay has heard that it is one. Whichever comes first, the next users get in.
#[test]
fn r13_2_a_link_that_was_claimed_before_it_was_set_for_many_is_open_again() {
    for claimed_first in [true, false] {
        let mut relay = relay(Limits::default());
        let line_link = relay.issue(ALICE, 1);
        if !claimed_first {
            relay.handle(ALICE, &set(line_link, 1, Many)).unwrap();
        }
        let of_bob = forms(&mut relay, BOB, &connect(line_link));
        let connected = relay.waiting(BOB)[0].1.clone();
        if claimed_first {
            assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
            relay.wait(DAY);
            assert_eq!(relay.handle(ALICE, &set(line_link, 1, Many)), Ok(SILENT));
        }
        assert_eq!(stands(&relay, line_link), Some((1, Many)));
        forms(&mut relay, CAROL, &connect(line_link));
        // Bob's request gets what it got, and its use counts.
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected);
        let later = [1, 2, 3].map(|n| forms(&mut relay, BOB, &connect_as(line_link, n)));
        assert!(!later.contains(&of_bob));
        assert_eq!(relay.handle(BOB, &connect_as(line_link, 4)), Err(RequestError::TooManyLines.into()));
        // It lives as long as any that was set then.
        let kept = relay.now.after(Duration::from_secs((365 + 30) * DAY));
        assert_eq!(relay.directory().link(line_link).unwrap().purge_at, kept);
    }
}

/// A pause of version 2 came before the `many` of version 1, and the link was claimed before both. It is not opened by what is old.
#[test]
fn r13_2_an_old_setting_does_not_open_a_claimed_link_that_was_paused_since() {
    for later in [Nobody, One] {
        let mut relay = relay(Limits::default());
        let line_link = relay.issue(ALICE, 1);
        forms(&mut relay, BOB, &connect(line_link));
        let claimed = relay.directory().link(line_link).unwrap();
        for (version, admits) in [(2, later), (1, Many), (2, Many), (0, One)] {
            assert_eq!(relay.handle(ALICE, &set(line_link, version, admits)), Ok(SILENT));
            let LinkState::Claimed { claim, version: 2 } = relay.directory().link(line_link).unwrap().state else {
                panic!()
            };
            let state = LinkState::Claimed { claim, version: 0 };
            assert_eq!(LinkEntry { state, ..relay.directory().link(line_link).unwrap() }, claimed);
        }
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
        // Alice goes on.
        relay.handle(ALICE, &set(line_link, 3, Many)).unwrap();
        forms(&mut relay, CAROL, &connect(line_link));
    }
}

/// What was set before the use is older than what comes late.
#[test]
fn r13_2_a_claimed_link_keeps_the_version_that_it_had() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    relay.handle(ALICE, &set(line_link, 5, One)).unwrap();
    forms(&mut relay, BOB, &connect(line_link));
    for version in [1, 5] {
        relay.handle(ALICE, &set(line_link, version, Many)).unwrap();
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
    }
    relay.handle(ALICE, &set(line_link, 6, Many)).unwrap();
    forms(&mut relay, CAROL, &connect(line_link));
}

/// The same with the machines: what Alice sends is what opens the link again, and both users get in.
#[test]
fn r13_2_a_superport_that_was_shown_too_early_takes_its_users() {
    let mut relay = relay(Limits::default());
    let options = PortOptions::new().policy(Policy::unlimited());
    let mut alice = Alice::offer(relay.issue(ALICE, 1), options, seed(1)).committed();
    let port = alice.port().unwrap().clone();
    let mut taken = 0;
    for (from, n) in [(BOB, 2), (CAROL, 3)] {
        let mut bob = Bob::scan(port.clone(), seed(n)).committed();
        let Some(BobEffect::Send(request)) = bob.connect(SendProof::Inline, NOW).unwrap().committed().next() else {
            panic!()
        };
        forms(&mut relay, from, &request);
        let told = relay.waiting(from).pop().unwrap().1;
        let effect = bob.handle(&Event::decode(&told).unwrap(), &NoPeers, NOW, &mut Unused).unwrap().committed().next();
        assert!(matches!(effect, Some(BobEffect::LineFormed(_))));
        // Only now Alice is on the network.
        for effect in alice.pending() {
            let AliceEffect::Send(request) = effect else { continue };
            assert_eq!(relay.handle(ALICE, &request), Ok(SILENT));
        }
        let told = relay.waiting(ALICE).pop().unwrap().1;
        let mut rng = crate::common::rng_from(n);
        let step = alice.handle(&Event::decode(&told).unwrap(), &NoPeers, NOW, &mut rng).unwrap();
        taken += step.committed().filter(|effect| matches!(effect, AliceEffect::LineFormed(_))).count();
    }
    assert_eq!((taken, alice.used()), (2, 2));
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
    assert_eq!(relay.waits(BOB), ["Connected", "Connected", "hello", "hello"]);
    // The same request again yields the same line, and Alice hears nothing.
    let before = relay.waiting(ALICE);
    for ((from, request), line_id) in uses.iter().zip(lines) {
        assert_eq!(relay.formed_before(*from, request), line_id);
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
    relay.wait(Limits::default().lifetime_secs);
    for line_link in [paused, many] {
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Expired));
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
        if resumed == One {
            assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
        } else {
            forms(&mut relay, CAROL, &connect(line_link));
        }
    }
}

/// What was given is given again, byte for byte, whatever Alice has done meanwhile, and whoever of the two has left.
#[test]
fn r13_3_what_was_given_is_given_again_whatever_was_set_since() {
    let [pause, single, close, recognisable] = [0, 1, 2, 3];
    for since in [pause, single, close, recognisable] {
        let mut relay = relay(Limits::default());
        let line_link = superport(&mut relay, 1);
        let line_id = forms(&mut relay, BOB, &connect(line_link));
        let connected = relay.waiting(BOB)[0].1.clone();
        let (refusal, later) = match since {
            0 => (Reason::Paused, set(line_link, 2, Nobody)),
            1 => (Reason::UsedByAnother, set(line_link, 2, One)),
            2 => (Reason::Closed, Request::CloseLineLink { line_link }),
            _ => (Reason::Paused, Request::SetLineLink { line_link, version: 2, admits: Nobody, recognisable: true }),
        };
        relay.handle(ALICE, &later).unwrap();
        if since == single {
            forms(&mut relay, CAROL, &connect(line_link));
        }
        for from in [BOB, 4] {
            assert_eq!(relay.reply(from, &on_board(line_link)), refused(line_link, refusal));
        }
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected);
        // What stays of the link stays in force.
        relay.wait(30 * DAY - 1);
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected);
        assert_eq!(relay.send(BOB, line_id, b"still there").notify, [Some(user(ALICE)), None]);
        assert_eq!(relay.send(ALICE, line_id, b"still there").notify, [Some(user(BOB)), None]);
        relay.reply(BOB, &Request::Disconnect { line_id });
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected);
        relay.wait(1);
        let gone = refused(line_link, Reason::Unknown).to_vec();
        let kept = [pause, recognisable].contains(&since);
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), if kept { connected } else { gone.clone() });
        // When both have left, the relay knows nothing of it.
        relay.acknowledge_all(ALICE);
        let last = if kept { refused(line_link, Reason::Paused).to_vec() } else { gone };
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), last);
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
    // Closing does not, nor pausing, change what it is.
    relay.handle(ALICE, &Request::CloseLineLink { line_link }).unwrap();
    relay.handle(ALICE, &set(line_link, 3, Nobody)).unwrap();
    assert_eq!(relay.reply(5, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
    for from in [BOB, CAROL, 4] {
        relay.formed_before(from, &connect(line_link));
    }
    assert_eq!(relay.directory().lines(), 3);
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
    relay.formed_before(4, &connect(line_link));
    relay.reply(ALICE, &Request::Disconnect { line_id: lines[1] });
    forms(&mut relay, BOB, &connect(line_link));

    let other = relay.issue(CAROL, 1);
    relay.handle(CAROL, &set(other, 1, Many)).unwrap();
    for request in [connect(other), on_board(other)] {
        relay.forms(CAROL, BOB, &request);
    }
    relay.reply(ALICE, &Request::Disconnect { line_id: lines[0] });
    assert_eq!(relay.handle(BOB, &on_board(line_link)), Err(RequestError::TooManyLines.into()));
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
        assert_eq!(relay.waits(from), ["Connected", "Disconnected"]);
        assert_eq!(relay.reply(from, &connect(line_link)), refused(line_link, Reason::Unknown));
        relay.remove(from);
    }
    assert_eq!(format!("{:?}", relay.directory()), "Memory(0 links, 0 lines, 0 users)");
}
