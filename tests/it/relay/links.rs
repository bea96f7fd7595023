//! §13.1–§13.3, and how many links there are (§13.6).

use sha2::{Digest, Sha256};

use super::*;
use crate::common::Commit;

#[test]
fn r13_1_what_is_not_a_request_is_refused_and_nothing_moves() {
    let mut relay = relay(Limits::default());
    let request = connect(relay.issue(ALICE, 1)).to_vec();
    let mut give = |bytes: &[u8]| relay.relay.handle(user(BOB), bytes, &mut Names::default(), NOW);
    assert_eq!(give(b""), Err(RequestError::Malformed.into()));
    assert_eq!(give(&request[..request.len() - 1]), Err(RequestError::Malformed.into()));
    assert_eq!(give(&[&request[..], b"\0"].concat()), Err(RequestError::Malformed.into()));
    assert_eq!(give(&[&[0x82, 2], &request[2..]].concat()), Err(RequestError::UnsupportedVersion.into()));
    assert_eq!(give(&Event::Disconnected { line_id: [1; 16].into() }.to_vec()), Err(RequestError::Malformed.into()));
    assert_eq!((relay.directory().lines(), relay.waits(ALICE)), (0, vec![]));
}

/// Anybody that knows a link can use it up, and an event may name a link. So a log shows counts and numbers only.
#[test]
fn r8_7_a_log_of_the_relay_shows_no_link() {
    let mut relay = relay(Limits::default());
    relay.line(ALICE, BOB, 1);
    relay.issue(ALICE, 2);
    assert_eq!(format!("{:?}", relay.directory()), "Memory(2 links, 1 lines, 2 users)");
    let delivery = relay.relay.next(user(ALICE), 0).unwrap().unwrap();
    assert_eq!(format!("{delivery:?}"), "Delivery { sequence: 1, .. }");
}

#[test]
fn r13_2_the_same_request_of_the_same_user_gets_the_same_link() {
    let mut relay = relay(Limits::default());
    let link = relay.issue(ALICE, 1);
    assert_eq!(relay.issue(ALICE, 1), link);
    let others = [relay.issue(ALICE, 2), relay.issue(BOB, 1)];
    assert!(!others.contains(&link) && others[0] != others[1]);
    assert_eq!(relay.directory().links(), 3);
    // After its use, too.
    relay.forms(ALICE, BOB, &connect(link));
    assert_eq!(relay.issue(ALICE, 1), link);
}

/// §7.2: a pool of links is as many requests, all at once and again after a crash; a Port of one needs no network.
#[test]
fn r13_2_a_pool_of_links_is_as_many_requests() {
    let mut relay = relay(Limits::default());
    let pool: Vec<_> = (0..100).map(|request| relay.issue(ALICE, request)).collect();
    assert_eq!((0..100).map(|request| relay.issue(ALICE, request)).collect::<Vec<_>>(), pool);
    assert_eq!(pool.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);

    let alice = Alice::offer(pool[42], PortOptions::new(), Seed::from_bytes(&[1; 64])).committed();
    let mut bob = Bob::scan(alice.port().unwrap().clone(), Seed::from_bytes(&[2; 64])).committed();
    let mut effects = bob.connect(SendProof::Inline, NOW).unwrap().committed();
    let Some(BobEffect::Send(connect)) = effects.next() else { panic!() };
    assert!(matches!(connect, Request::Connect { line_link, .. } if line_link == pool[42]));
    relay.forms(ALICE, BOB, &connect);
}

#[test]
fn r13_2_a_link_is_16_bytes_from_the_generator() {
    let mut relay = relay(Limits::default());
    relay.rng = Names(0xABCD);
    assert_eq!(relay.issue(ALICE, 1).as_bytes(), &0xABCE_u128.to_be_bytes());
}

/// A broken generator, that gives one name twice, costs an error and no link or line.
#[test]
fn r13_2_a_name_that_is_taken_is_never_given_again() {
    let mut relay = relay(Limits::default());
    let link = relay.issue(ALICE, 1);
    relay.rng = Names::default();
    assert_eq!(relay.try_issue(BOB, 1), Err(RequestError::Contended.into()));
    let line_id = relay.line(ALICE, BOB, 2);
    let third = relay.issue(ALICE, 3);
    let before = relay.waiting(ALICE);
    relay.rng = Names(u128::from_be_bytes(*line_id.as_bytes()) - 1);
    assert_eq!(relay.handle(CAROL, &connect(third)), Err(RequestError::Contended.into()));
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 1));
    relay.forms(ALICE, CAROL, &connect(third));
    relay.forms(ALICE, BOB, &connect(link));
}

#[test]
fn r13_2_closing_closes_ones_own_open_link_and_tells_nobody_anything() {
    let mut relay = relay(Limits::default());
    let [open, used] = [1, 2].map(|n| relay.issue(ALICE, n));
    let line_id = relay.forms(ALICE, BOB, &connect(used));
    let unknown: LineLink = [0xEE; 16].into();
    // Whatever the link is to Carol,
    for line_link in [open, used, unknown] {
        assert_eq!(relay.handle(CAROL, &Request::CloseLineLink { line_link }), Ok(SILENT));
    }
    assert_eq!(relay.formed_before(BOB, &connect(used)), line_id);
    assert!(matches!(relay.directory().link(open).unwrap().state, LinkState::Open { .. }));
    // and to Alice.
    for line_link in [open, open, used, unknown] {
        assert_eq!(relay.handle(ALICE, &Request::CloseLineLink { line_link }), Ok(SILENT));
    }
    assert_eq!(relay.reply(BOB, &connect(open)), refused(open, Reason::Closed));
    assert_eq!(relay.formed_before(BOB, &connect(used)), line_id);
}

#[test]
fn r13_3_the_same_connect_gets_the_same_reply_and_forms_one_line() {
    let mut relay = relay(Limits::default());
    for (n, request) in [(1, connect as fn(_) -> _), (2, on_board)] {
        let line_link = relay.issue(ALICE, n);
        let request = request(line_link);
        let line_id = relay.forms(ALICE, BOB, &request);
        let LinkState::Claimed { claim, version: 0 } = relay.directory().link(line_link).unwrap().state else {
            panic!()
        };
        assert_eq!(claim.request_digest[..], Sha256::digest([&[BOB; 32][..], &request.to_vec()].concat())[..]);
        let waiting = |relay: &Running<Memory>| [ALICE, BOB].map(|of| relay.waiting(of));
        let before = waiting(&relay);
        let connected = before[1].last().unwrap().1.clone();
        for days in [0, 1, 28] {
            relay.wait(days * DAY);
            assert_eq!(relay.reply(BOB, &request).to_vec(), connected);
            assert_eq!(relay.formed_before(BOB, &request), line_id);
        }
        assert_eq!((waiting(&relay), relay.directory().lines()), (before, usize::from(n)));
        // Also when one has left the line, and when both have.
        for from in [BOB, ALICE] {
            relay.reply(from, &Request::Disconnect { line_id });
            assert_eq!(relay.reply(BOB, &request).to_vec(), connected);
        }
        // So that one line is there for each.
        relay.line(ALICE, CAROL, 10 + n);
    }
}

#[test]
fn r13_3_state_by_state() {
    let mut relay = relay(Limits::default());
    let [open, claimed, closed, late] = [1, 2, 3, 4].map(|n| relay.issue(ALICE, n));
    relay.forms(ALICE, BOB, &connect(claimed));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();

    let before = relay.waiting(ALICE);
    for (from, reason) in [(BOB, Reason::UsedByYou), (CAROL, Reason::UsedByAnother)] {
        assert_eq!(relay.reply(from, &on_board(claimed)), refused(claimed, reason));
    }
    // A request of another id is another request.
    let again = Event::Refused { line_link: claimed, request_id: [1; 16].into(), reason: Reason::UsedByYou };
    assert_eq!(relay.reply(BOB, &connect_as(claimed, 1)), again);
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(BOB, &connect(closed)), refused(closed, Reason::Closed));
    let unknown = [0xEE; 16].into();
    assert_eq!(relay.reply(BOB, &connect(unknown)), refused(unknown, Reason::Unknown));
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 1));

    relay.now = NOW.after(Duration::from_secs(Limits::default().lifetime_secs - 1));
    let line_id = relay.forms(ALICE, BOB, &connect(open));
    relay.wait(1);
    assert_eq!(relay.reply(BOB, &connect(late)), refused(late, Reason::Expired));
    assert_eq!(relay.formed_before(BOB, &connect(open)), line_id);
}

/// Case C17: an owner that scans its own Port is told that it is its own, whatever became of the link, and never that of a thief.
#[test]
fn r13_3_ones_own_link_is_used_by_you_in_every_state() {
    let mut relay = relay(Limits::default());
    let [open, expired, claimed, closed, nobody, many] = [1, 2, 3, 4, 5, 6].map(|n| relay.issue(ALICE, n));
    relay.forms(ALICE, BOB, &connect(claimed));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    relay.handle(ALICE, &set(nobody, 1, Admission::Nobody)).unwrap();
    relay.handle(ALICE, &set(many, 1, Admission::Many)).unwrap();
    let all = [open, expired, claimed, closed, nobody, many];
    let entries = |relay: &Running<Memory>| all.map(|link| relay.directory().link(link));
    let (before, waiting) = (entries(&relay), relay.waiting(ALICE));
    for line_link in all {
        for request in [connect(line_link), on_board(line_link)] {
            assert_eq!(
                relay.handle(ALICE, &request),
                Ok(Response { reply: Some(refused(line_link, Reason::UsedByYou)), ..SILENT })
            );
        }
    }
    relay.wait(Limits::default().lifetime_secs);
    assert_eq!(relay.reply(BOB, &connect(expired)), refused(expired, Reason::Expired));
    assert_eq!(relay.reply(ALICE, &connect(expired)), refused(expired, Reason::UsedByYou));
    relay.wait(30 * DAY);
    assert_eq!(relay.reply(ALICE, &connect(expired)), refused(expired, Reason::Unknown));
    assert_eq!((entries(&relay), relay.waiting(ALICE), relay.directory().lines()), (before, waiting, 1));
}

#[test]
fn r13_6_links_are_bounded_used_and_closed_ones_too() {
    let mut relay = relay(Limits { links: 3, ..Limits::default() });
    let [used, closed, open] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.forms(ALICE, BOB, &connect(used));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    assert_eq!(relay.try_issue(ALICE, 4), Err(RequestError::TooManyLinks.into()));
    // The relay still tells Alice the link that Alice has. Another user has room of its own.
    assert_eq!(relay.issue(ALICE, 3), open);
    relay.issue(BOB, 4);
    relay.wait(30 * DAY);
    relay.issue(ALICE, 4);
    relay.issue(ALICE, 5);
    assert_eq!(relay.try_issue(ALICE, 6), Err(RequestError::TooManyLinks.into()));
}
