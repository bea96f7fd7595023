//! §13.1–§13.3, and how many links there are (§13.6).

use sha2::{Digest, Sha256};

use super::*;
use crate::common::{Commit, NOW, bad_proof};

#[test]
fn r13_1_what_is_not_a_request_is_refused_and_nothing_moves() {
    let mut relay = relay(Limits::default());
    let request = connect(relay.issue(ALICE, 1)).to_vec();
    let mut give = |bytes: &[u8]| relay.relay.handle(user(BOB), bytes, &mut Counting::default(), NOW);
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
    relay.reply(BOB, &connect(link));
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
    assert!(matches!(relay.reply(BOB, &connect), Event::LineFormed { line_link, .. } if line_link == pool[42]));
}

#[test]
fn r13_2_a_link_is_16_bytes_from_the_generator() {
    let mut relay = relay(Limits::default());
    relay.rng = Counting(0xABCD);
    assert_eq!(relay.issue(ALICE, 1).as_bytes(), &0xABCE_u128.to_be_bytes());
}

/// A broken generator, that gives one name twice, costs an error and no link or line.
#[test]
fn r13_2_a_name_that_is_taken_is_never_given_again() {
    let mut relay = relay(Limits::default());
    let link = relay.issue(ALICE, 1);
    relay.rng = Counting::default();
    assert_eq!(relay.try_issue(BOB, 1), Err(RequestError::Contended.into()));
    let line_id = relay.line(ALICE, BOB, 2);
    let third = relay.issue(ALICE, 3);
    let before = relay.waiting(ALICE);
    relay.rng = Counting(u128::from_be_bytes(*line_id.as_bytes()) - 1);
    assert_eq!(relay.handle(CAROL, &connect(third)), Err(RequestError::Contended.into()));
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 1));
    assert!(matches!(relay.reply(CAROL, &connect(third)), Event::LineFormed { .. }));
    assert!(matches!(relay.reply(BOB, &connect(link)), Event::LineFormed { .. }));
}

#[test]
fn r13_2_closing_closes_ones_own_open_link_and_tells_nobody_anything() {
    let mut relay = relay(Limits::default());
    let [open, used] = [1, 2].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    let unknown: LineLink = [0xEE; 16].into();
    let silent = Response { reply: None, notify: [None; 2] };
    // Whatever the link is to Carol,
    for line_link in [open, used, unknown] {
        assert_eq!(relay.handle(CAROL, &Request::CloseLineLink { line_link }), Ok(silent.clone()));
    }
    let line = relay.reply(BOB, &connect(used));
    assert!(matches!(line, Event::LineFormed { .. }));
    assert!(matches!(relay.directory().link(open).unwrap().state, LinkState::Open { .. }));
    // and to Alice.
    for line_link in [open, open, used, unknown] {
        assert_eq!(relay.handle(ALICE, &Request::CloseLineLink { line_link }), Ok(silent.clone()));
    }
    assert_eq!(relay.reply(BOB, &connect(open)), refused(open, Reason::Closed));
    assert_eq!(relay.reply(BOB, &connect(used)), line);
}

#[test]
fn r13_3_the_same_connect_gets_the_same_reply_and_forms_one_line() {
    let mut relay = relay(Limits::default());
    for (n, proof) in [(1, None), (2, Some(bad_proof()))] {
        let line_link = relay.issue(ALICE, n);
        let request = Request::Connect { line_link, proof: proof.clone() };
        let first = relay.handle(BOB, &request).unwrap();
        assert_eq!(first.notify, [Some(user(ALICE)), None]);
        let LinkState::Claimed(claim) = relay.directory().link(line_link).unwrap().state else { panic!() };
        assert_eq!(claim.request_digest[..], Sha256::digest([&[BOB; 32][..], &request.to_vec()].concat())[..]);
        let before = relay.waiting(ALICE);
        for days in [0, 1, 28] {
            relay.now.0 += days * DAY;
            let again = relay.handle(BOB, &request).unwrap();
            assert_eq!(again, Response { notify: [None; 2], ..first.clone() });
        }
        assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, usize::from(n)));
        // The proof is for Alice; nobody else is told of anything.
        let Some(Event::LineFormed { line_link: of, line_id, pair_hash, proof: None }) = first.reply else { panic!() };
        let formed = Event::LineFormed { line_link: of, line_id, pair_hash, proof };
        assert_eq!(relay.waiting(ALICE).last().unwrap().1, formed.to_vec());
        assert_eq!((of, relay.waits(BOB)), (line_link, vec![]));
        // Also when the line was ended since.
        relay.reply(BOB, &Request::Disconnect { line_id });
        let formed = Event::LineFormed { line_link, line_id, pair_hash, proof: None };
        assert_eq!(relay.reply(BOB, &request), formed);
    }
}

#[test]
fn r13_3_state_by_state() {
    let mut relay = relay(Limits::default());
    let [open, claimed, closed, late] = [1, 2, 3, 4].map(|n| relay.issue(ALICE, n));
    let on_board = |line_link| Request::Connect { line_link, proof: Some(bad_proof()) };
    relay.reply(BOB, &connect(claimed));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();

    let before = relay.waiting(ALICE);
    assert_eq!(relay.reply(BOB, &on_board(claimed)), refused(claimed, Reason::UsedByYou));
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(CAROL, &on_board(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(ALICE, &connect(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(BOB, &connect(closed)), refused(closed, Reason::Closed));
    assert_eq!(relay.reply(ALICE, &connect(closed)), refused(closed, Reason::Closed));
    let unknown = [0xEE; 16].into();
    assert_eq!(relay.reply(BOB, &connect(unknown)), refused(unknown, Reason::Unknown));
    // One's own link is not used up.
    assert_eq!(relay.reply(ALICE, &connect(open)), refused(open, Reason::UsedByYou));
    assert_eq!((relay.waiting(ALICE), relay.directory().lines()), (before, 1));

    let lifetime = Limits::default().lifetime_secs;
    relay.now.0 = NOW.0 + lifetime - 1;
    assert!(matches!(relay.reply(BOB, &connect(open)), Event::LineFormed { .. }));
    relay.now.0 += 1;
    assert_eq!(relay.reply(BOB, &connect(late)), refused(late, Reason::Expired));
    assert_eq!(relay.reply(ALICE, &connect(late)), refused(late, Reason::Expired));
    assert!(matches!(relay.reply(BOB, &connect(open)), Event::LineFormed { .. }));
}

#[test]
fn r13_3_what_became_of_a_link_is_remembered_for_30_days() {
    let mut relay = relay(Limits::default());
    let [claimed, closed, expired] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.now.0 += DAY;
    let formed = relay.reply(BOB, &connect(claimed));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();

    relay.now.0 = NOW.0 + 31 * DAY - 1;
    assert_eq!(relay.reply(BOB, &connect(claimed)), formed);
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(CAROL, &connect(closed)), refused(closed, Reason::Closed));
    relay.now.0 += 1;
    for (from, link) in [(BOB, claimed), (CAROL, claimed), (CAROL, closed)] {
        assert_eq!(relay.reply(from, &connect(link)), refused(link, Reason::Unknown));
    }
    // The place that they took comes free as links are issued.
    relay.issue(ALICE, 4);
    assert_eq!(relay.directory().links(), 2);

    relay.now.0 = NOW.0 + (365 + 30) * DAY - 1;
    assert_eq!(relay.reply(CAROL, &connect(expired)), refused(expired, Reason::Expired));
    relay.now.0 += 1;
    assert_eq!(relay.reply(CAROL, &connect(expired)), refused(expired, Reason::Unknown));
}

/// Two are forgotten for each that is issued; none of them was forgotten before.
#[test]
fn r13_3_forgetting_keeps_up_with_issuing() {
    let mut relay = relay(Limits::default());
    let links = [1, 2, 3, 4].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(links[0]));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: links[1] }).unwrap();
    relay.now.0 += (365 + 30) * DAY;
    let left = [5, 6, 7].map(|n| {
        relay.issue(BOB, n);
        relay.directory().links()
    });
    assert_eq!(left, [3, 2, 3]);
}

#[test]
fn r13_3_pair_hash_is_of_the_two_sorted() {
    let mut relay = relay(Limits::default());
    let mut hash_of = |alice, bob, n| {
        let line_link = relay.issue(alice, n);
        match relay.reply(bob, &connect(line_link)) {
            Event::LineFormed { pair_hash, .. } => pair_hash,
            other => panic!("{other:?}"),
        }
    };
    let ours = hash_of(ALICE, BOB, 1);
    assert_eq!(ours.as_bytes()[..], Sha256::digest([[ALICE; 32], [BOB; 32]].concat())[..]);
    assert_eq!([hash_of(BOB, ALICE, 2), hash_of(ALICE, BOB, 3)], [ours; 2]);
    assert!(hash_of(ALICE, CAROL, 4) != ours && hash_of(BOB, CAROL, 5) != ours);
}

#[test]
fn r13_6_links_are_bounded_used_and_closed_ones_too() {
    let mut relay = relay(Limits { links: 3, ..Limits::default() });
    let [used, closed, open] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    assert_eq!(relay.try_issue(ALICE, 4), Err(RequestError::TooManyLinks.into()));
    // The relay still tells Alice the link that Alice has. Another user has room of its own.
    assert_eq!(relay.issue(ALICE, 3), open);
    relay.issue(BOB, 4);
    relay.now.0 += 30 * DAY;
    relay.issue(ALICE, 4);
    relay.issue(ALICE, 5);
    assert_eq!(relay.try_issue(ALICE, 6), Err(RequestError::TooManyLinks.into()));
}

/// A link that may be forgotten makes room for a new one, swept or not. Here the sweep comes to the links of others before Alice's.
#[test]
fn r13_6_what_is_to_be_forgotten_does_not_count() {
    let mut relay = relay(Limits { links: 6, ..Limits::default() });
    for of in 10..60 {
        let [closed, _] = [1, 2].map(|n| relay.issue(of, n));
        relay.handle(of, &Request::CloseLineLink { line_link: closed }).unwrap();
    }
    let links = [1, 2, 3, 4, 5, 6].map(|n| relay.issue(ALICE, n));
    let of_carol = [1, 2, 3, 4, 5, 6].map(|n| relay.issue(CAROL, n));
    relay.reply(BOB, &connect(links[0]));
    relay.now.0 += 1;
    for line_link in &links[1..5] {
        relay.handle(ALICE, &Request::CloseLineLink { line_link: *line_link }).unwrap();
    }
    relay.now.0 += 30 * DAY - 1;
    relay.issue(ALICE, 7);
    assert_eq!(relay.try_issue(ALICE, 8), Err(RequestError::TooManyLinks.into()));
    relay.now.0 += 1;
    let fresh = [8, 9, 10, 11].map(|n| relay.issue(ALICE, n));
    assert_eq!(relay.try_issue(ALICE, 12), Err(RequestError::TooManyLinks.into()));
    // Those that were never used have their day, too.
    relay.now.0 += (365 + 30) * DAY;
    let anew = [6, 7, 8, 9, 10, 11].map(|n| relay.issue(ALICE, n));
    assert!(fresh.iter().all(|link| !anew.contains(link)));
    assert_eq!(relay.try_issue(ALICE, 12), Err(RequestError::TooManyLinks.into()));
    let mut links = of_carol;
    for _ in 0..2 {
        relay.now.0 += (365 + 30) * DAY;
        let anew = [1, 2, 3, 4, 5, 6].map(|n| relay.issue(CAROL, n));
        assert!(links.iter().all(|link| !anew.contains(link)));
        links = anew;
    }
}

#[test]
fn r13_3_a_link_that_is_to_be_forgotten_is_as_one_that_never_was() {
    let mut relay = relay(Limits::default());
    let [open, used] = [1, 2].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    relay.now.0 += (365 + 30) * DAY;
    // To close it does not bring it back,
    for line_link in [open, used] {
        relay.handle(ALICE, &Request::CloseLineLink { line_link }).unwrap();
        assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Unknown));
    }
    // nor keep it: it goes with the next one that is issued to anybody.
    relay.issue(CAROL, 1);
    assert_eq!(relay.directory().links(), 1);
}

/// The request that it was issued for gets another, as any would, and not one that nobody can use.
#[test]
fn r13_2_the_request_of_a_forgotten_link_gets_another() {
    let mut relay = relay(Limits { lifetime_secs: DAY, retention_secs: DAY, ..Limits::default() });
    // Due before it, and swept in its place.
    let _ = [1, 2, 3, 4, 5].map(|n| relay.issue(BOB, n));
    relay.now.0 += 1;
    let first = relay.issue(ALICE, 1);
    relay.now.0 += 2 * DAY - 1;
    assert_eq!(relay.issue(ALICE, 1), first);
    relay.now.0 += 1;
    let second = relay.issue(ALICE, 1);
    assert_ne!(first, second);
    assert!(matches!(relay.reply(CAROL, &connect(second)), Event::LineFormed { .. }));
}
