//! How long a link lives, and what is kept of it (§13.2, §13.3, §13.6): renewal, loss, retention, and two looks at the clock before a purge.

use super::*;

const YEAR: u64 = 365 * DAY;

/// A look at the clock, as any request for a link is one.
fn look(relay: &mut Running<Memory>) -> usize {
    let now = relay.now;
    let Ok(()) = relay.relay.directory_mut().purge(now);
    relay.directory().links()
}

fn close(relay: &mut Running<Memory>, of: u8, line_link: LineLink) {
    assert_eq!(relay.handle(of, &Request::CloseLineLink { line_link }), Ok(SILENT));
}

fn purge_at(relay: &Running<Memory>, line_link: LineLink) -> UnixSeconds {
    relay.directory().link(line_link).unwrap().purge_at
}

#[test]
fn r13_3_what_became_of_a_link_is_remembered_for_30_days() {
    let mut relay = relay(Limits::default());
    let [claimed, closed, expired] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.wait(DAY);
    let line_id = relay.forms(ALICE, BOB, &connect(claimed));
    close(&mut relay, ALICE, closed);

    relay.now = at(NOW.as_secs() + 31 * DAY - 1);
    assert_eq!(relay.formed_before(BOB, &connect(claimed)), line_id);
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::UsedByAnother));
    assert_eq!(relay.reply(CAROL, &connect(closed)), refused(closed, Reason::Closed));
    relay.wait(1);
    for (from, link) in [(BOB, claimed), (CAROL, claimed), (CAROL, closed), (ALICE, closed)] {
        assert_eq!(relay.reply(from, &connect(link)), refused(link, Reason::Unknown));
    }

    relay.now = at(NOW.as_secs() + YEAR + 30 * DAY - 1);
    assert_eq!(relay.reply(CAROL, &connect(expired)), refused(expired, Reason::Expired));
    relay.wait(1);
    assert_eq!(relay.reply(CAROL, &connect(expired)), refused(expired, Reason::Unknown));
}

/// A use keeps what became of the link. A clock that went back before the link was set does not make that shorter.
#[test]
fn r13_3_a_clock_that_went_back_does_not_end_the_retention_early() {
    let mut relay = relay(Limits::default());
    let [claimed, closed, set_since] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.wait(100 * DAY);
    relay.handle(ALICE, &set(set_since, 1, Admission::One)).unwrap();
    for back in [1, 99 * DAY, 50 * YEAR] {
        let mut relay = Running::with(relay.directory().clone(), Limits::default());
        relay.rng = Names(100);
        relay.now = at(NOW.as_secs().saturating_sub(back));
        relay.forms(ALICE, BOB, &connect(claimed));
        relay.forms(ALICE, BOB, &connect(set_since));
        close(&mut relay, ALICE, closed);
        let kept = [claimed, closed, set_since].map(|link| purge_at(&relay, link));
        assert_eq!(kept, [30, 30, 130].map(|days| at(NOW.as_secs() + days * DAY)));
    }
}

/// Nor does a clock that is ahead, or an owner that closes late, make it longer than that of a link that nobody used.
#[test]
fn r13_3_closing_keeps_no_link_longer() {
    let mut relay = relay(Limits::default());
    let links = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    let end = purge_at(&relay, links[0]);
    assert_eq!(end, at(NOW.as_secs() + YEAR + 30 * DAY));
    for (line_link, secs) in links.into_iter().zip([YEAR - 1, YEAR + 1, 40 * YEAR]) {
        relay.now = at(NOW.as_secs() + secs);
        close(&mut relay, ALICE, line_link);
        assert_eq!(purge_at(&relay, line_link), if secs < YEAR { at(NOW.as_secs() + secs + 30 * DAY) } else { end });
        relay.now = NOW;
        assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Closed));
    }
}

#[test]
fn r13_3_a_link_is_deleted_by_two_looks_a_day_apart() {
    let mut relay = relay(Limits::default());
    let [closed, open] = [1, 2].map(|n| relay.issue(ALICE, n));
    close(&mut relay, ALICE, closed);
    relay.wait(30 * DAY - 1);
    assert_eq!(look(&mut relay), 2);
    // This look was before it was due, so it does not count for this link.
    relay.wait(DAY);
    assert_eq!(look(&mut relay), 2);
    relay.wait(DAY - 1);
    assert_eq!(look(&mut relay), 2);
    relay.wait(1);
    assert_eq!(look(&mut relay), 1);
    assert!(relay.directory().link(open).is_some());
    // So is one that was due at the very second of the look before.
    let closed = relay.issue(ALICE, 3);
    close(&mut relay, ALICE, closed);
    relay.wait(30 * DAY);
    look(&mut relay);
    relay.wait(DAY);
    assert_eq!(look(&mut relay), 1);
}

/// The clock is wrong at one look, by as much as a clock can be.
#[test]
fn r13_3_one_wrong_look_deletes_nothing() {
    for wrong in [at(0), at(NOW.as_secs() - YEAR), at(NOW.as_secs() + 3 * YEAR), UnixSeconds::MAX] {
        for right_looks in [0, 1] {
            let mut relay = relay(Limits::default());
            let [open, used] = [1, 2].map(|n| relay.issue(ALICE, n));
            relay.forms(ALICE, BOB, &connect(used));
            for _ in 0..right_looks {
                look(&mut relay);
            }
            let right = relay.now;
            relay.now = wrong;
            assert_eq!(look(&mut relay), 2);
            // Again and again, before and after.
            relay.now = right;
            for _ in 0..20 {
                assert_eq!(look(&mut relay), 2);
                relay.wait(DAY);
            }
            assert_eq!(relay.reply(CAROL, &connect(used)), refused(used, Reason::UsedByAnother));
            relay.forms(ALICE, CAROL, &connect(open));
        }
    }
}

/// The clock is wrong for a day but a second, and the relay looks all the time. An end-of-time clock does not move: no day ever passes.
#[test]
fn r13_3_a_clock_that_is_wrong_for_less_than_a_day_deletes_nothing() {
    for wrong in [at(NOW.as_secs() + 3 * YEAR), at(UnixSeconds::MAX.as_secs() - 1), UnixSeconds::MAX] {
        let mut relay = relay(Limits::default());
        let line_link = relay.issue(ALICE, 1);
        relay.wait(DAY);
        look(&mut relay);
        let right = relay.now;
        relay.now = wrong;
        for _ in 0..24 {
            assert_eq!(look(&mut relay), 1);
            relay.wait(60 * 60 - 1);
        }
        relay.now = right.after(Duration::from_secs(DAY));
        for _ in 0..3 {
            assert_eq!(look(&mut relay), 1);
            relay.wait(DAY);
        }
        relay.forms(ALICE, BOB, &connect(line_link));
    }
    // Longer than that, it is the clock that the relay has.
    let mut relay = relay(Limits::default());
    relay.issue(ALICE, 1);
    relay.now = at(NOW.as_secs() + 3 * YEAR);
    assert_eq!(look(&mut relay), 1);
    relay.wait(DAY);
    assert_eq!(look(&mut relay), 0);
}

#[test]
fn r13_3_what_a_look_deletes_and_keeps() {
    let (max, day) = (UnixSeconds::MAX, DAY);
    let at_max = |before: u64| at(max.as_secs() - before);
    for (now, before, due_at, next) in [
        (at(5), None, None, at(5)),
        (at(5), Some(at(5)), None, at(5)),
        (at(5), Some(at(6)), None, at(5)),
        (at(6), Some(at(5)), None, at(5)),
        (at(day + 4), Some(at(5)), None, at(5)),
        (at(day + 5), Some(at(5)), Some(at(5)), at(day + 5)),
        (max, Some(max), None, max),
        (max, Some(at_max(1)), None, at_max(1)),
        (max, Some(at_max(day)), Some(at_max(day)), max),
    ] {
        assert_eq!(PurgeLook::at(now, before), PurgeLook { due_at, next });
    }
}

/// Each request for a link is a look and deletes two. So deleting keeps up with issuing, whoever asks.
#[test]
fn r13_3_purging_keeps_up_with_issuing() {
    const EACH_DAY: usize = 12;
    let mut relay = relay(Limits::default());
    let mut most = 0;
    for day in 0..200_u8 {
        for n in 0..EACH_DAY as u8 {
            let line_link = relay.issue(day % 100, day / 100 * 20 + n);
            close(&mut relay, day % 100, line_link);
            relay.wait(DAY / EACH_DAY as u64);
        }
        most = most.max(relay.directory().links());
    }
    // Thirty days' links, and those of the few days that the looks take.
    assert!((30 * EACH_DAY..=34 * EACH_DAY).contains(&most), "{most}");
}

/// A link that is due makes room for a new one, deleted or not.
#[test]
fn r13_6_a_link_that_is_due_does_not_count() {
    let mut relay = relay(Limits { links: 6, ..Limits::default() });
    let links = [1, 2, 3, 4, 5, 6].map(|n| relay.issue(ALICE, n));
    relay.forms(ALICE, BOB, &connect(links[0]));
    relay.wait(1);
    for line_link in &links[1..5] {
        close(&mut relay, ALICE, *line_link);
    }
    let full = Err(RequestError::TooManyLinks.into());
    assert_eq!(relay.try_issue(ALICE, 7), full);
    relay.wait(30 * DAY - 1);
    relay.issue(ALICE, 7);
    assert_eq!(relay.try_issue(ALICE, 8), full);
    relay.wait(1);
    let _ = [8, 9, 10, 11].map(|n| relay.issue(ALICE, n));
    assert_eq!(relay.try_issue(ALICE, 12), full);
    assert_eq!(relay.directory().links(), 11);
    // A limit that was raised or lowered since holds at once.
    let issue = Request::IssueLineLink { request_id: [12; 16].into() }.to_vec();
    for (links, fits) in [(6, false), (7, true), (5, false)] {
        let limits = Limits { links, ..Limits::default() };
        let prepared = Operation::prepare(user(ALICE), &issue, &limits, &marks(), &mut relay.rng, relay.now).unwrap();
        assert_eq!(prepared.execute(&mut relay.directory().clone()).is_ok(), fits, "{links}");
    }
    // To close one that is open makes no room until it is due. Then it does.
    close(&mut relay, ALICE, links[5]);
    assert_eq!(relay.try_issue(ALICE, 12), full);
    relay.wait(30 * DAY);
    relay.issue(ALICE, 12);
    assert_eq!(relay.try_issue(ALICE, 13), full);
    // The clock went back: more are there that are not due, and no fewer.
    relay.now = NOW;
    assert_eq!(relay.try_issue(ALICE, 13), full);
}

/// A user at its limit is counted once, and not again with each request. What it closes since is room when it is due.
#[test]
fn r13_6_a_link_that_is_closed_after_a_refusal_makes_room_in_its_time() {
    let mut memory = Memory::new();
    let issue = |memory: &mut Memory, n: u8, now| {
        let request = Request::IssueLineLink { request_id: [n; 16].into() }.to_vec();
        let limits = Limits { links: 2, ..Limits::default() };
        let prepared = Operation::prepare(user(ALICE), &request, &limits, &marks(), &mut Names(n.into()), now);
        let Ok(Operation::Issue(link)) = prepared else { panic!("{prepared:?}") };
        // No purge, which would count anew.
        memory.issue(&link).unwrap()
    };
    let Issued::Link(first) = issue(&mut memory, 1, NOW) else { panic!() };
    issue(&mut memory, 2, NOW);
    assert_eq!(issue(&mut memory, 3, NOW), Issued::TooMany);
    let request = Request::CloseLineLink { line_link: first }.to_vec();
    let prepared = Operation::prepare(user(ALICE), &request, &Limits::default(), &marks(), &mut Names::default(), NOW);
    prepared.unwrap().execute(&mut memory).unwrap();
    assert_eq!(issue(&mut memory, 3, at(NOW.as_secs() + 30 * DAY - 1)), Issued::TooMany);
    assert!(matches!(issue(&mut memory, 3, at(NOW.as_secs() + 30 * DAY)), Issued::Link(_)));
    assert_eq!(issue(&mut memory, 4, at(NOW.as_secs() + 30 * DAY)), Issued::TooMany);
}

/// Otherwise a user could have its links live again, when it has taken new ones in their place.
#[test]
fn r13_6_a_link_that_is_due_lives_again_only_if_there_is_room() {
    let mut relay = relay(Limits { links: 2, ..Limits::default() });
    let old = [1, 2].map(|n| relay.issue(ALICE, n));
    relay.wait(YEAR + 30 * DAY);
    let new = relay.issue(ALICE, 3);
    assert_eq!(relay.handle(ALICE, &renew(old[0])), Ok(SILENT));
    relay.forms(ALICE, BOB, &connect(old[0]));
    // Now there are two. Nothing more lives again, by whatever request, and Alice is not told that the link is lost: it may be the clock.
    let before = relay.directory().link(old[1]);
    for request in [renew(old[1]), set(old[1], 1, Admission::Many), set(old[1], 2, Admission::Nobody)] {
        relay.acknowledge_all(ALICE);
        assert_eq!(relay.handle(ALICE, &request), Ok(SILENT));
        assert_eq!(relay.directory().link(old[1]), before);
    }
    assert_eq!(relay.reply(CAROL, &connect(old[1])), refused(old[1], Reason::Unknown));
    assert_eq!(relay.try_issue(ALICE, 4), Err(RequestError::TooManyLinks.into()));
    // To close it keeps it no longer. One that is not due is renewed as ever.
    close(&mut relay, ALICE, old[1]);
    assert!(purge_at(&relay, old[1]) <= relay.now);
    assert_eq!(relay.handle(ALICE, &renew(new)), Ok(SILENT));
    relay.wait(YEAR - 1);
    relay.forms(ALICE, CAROL, &connect(new));
}

/// A request gets its link again, as long as it is there. If the link is due, its owner renews it.
#[test]
fn r13_2_the_request_of_a_link_that_is_due_gets_it_and_renews_it() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    relay.wait(YEAR + 30 * DAY);
    assert_eq!(relay.issue(ALICE, 1), line_link);
    assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Unknown));
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(SILENT));
    relay.forms(ALICE, BOB, &connect(line_link));
    // After the purge it gets another.
    relay.wait(YEAR);
    look(&mut relay);
    relay.wait(DAY);
    look(&mut relay);
    assert_ne!(relay.issue(ALICE, 1), line_link);
}

/// Case C37: a Port without expiry lies for years, and its link lives as long as its owner comes by.
#[test]
fn r13_2_version_0_renews_a_link_that_was_never_set() {
    let mut relay = relay(Limits::default());
    let [line_link, other] = [1, 2].map(|n| relay.issue(ALICE, n));
    for _ in 0..5 {
        relay.wait(YEAR - 1);
        let before = relay.directory().link(line_link).unwrap();
        assert_eq!(relay.handle(BOB, &renew(line_link)).unwrap(), lost(line_link));
        assert_eq!(relay.directory().link(line_link), Some(before));
        assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(SILENT));
        let expires = relay.now.after(Duration::from_secs(YEAR));
        let state = LinkState::Open { expires, version: 0, admits: Admission::One };
        let purge_at = expires.after(Duration::from_secs(30 * DAY));
        assert_eq!(relay.directory().link(line_link), Some(LinkEntry { state, purge_at, ..before }));
    }
    // Whatever it says beside the version, the link stays as it was issued.
    let odd = Request::SetLineLink { line_link, version: 0, admits: Admission::Many, recognisable: true };
    relay.handle(ALICE, &odd).unwrap();
    let entry = relay.directory().link(line_link).unwrap();
    assert!(matches!(entry.state, LinkState::Open { admits: Admission::One, .. }) && !entry.recognisable);
    assert_eq!(relay.reply(CAROL, &connect(other)), refused(other, Reason::Unknown));
    relay.forms(ALICE, BOB, &connect(line_link));
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::UsedByAnother));
}

#[test]
fn r13_2_version_0_is_the_link_as_it_was_issued_whatever_else_is_said() {
    let line_link = [7; 16].into();
    for (admits, recognisable) in [(Admission::Nobody, true), (Admission::Many, false), (Admission::One, true)] {
        let request = Request::SetLineLink { line_link, version: 0, admits, recognisable }.to_vec();
        let prepared =
            Operation::prepare(user(ALICE), &request, &Limits::default(), &marks(), &mut Names::default(), NOW);
        let Ok(Operation::SetLink(setting)) = prepared else { panic!("{prepared:?}") };
        assert_eq!((setting.version, setting.admits, setting.recognisable), (0, Admission::One, false));
    }
}

/// A setting is said again whenever the connection comes back. It renews the link, and a lower one does not.
#[test]
fn r13_2_the_same_version_renews_and_a_lower_one_does_not() {
    let mut relay = relay(Limits { lifetime_secs: 10 * DAY, ..Limits::default() });
    let line_link = relay.issue(ALICE, 1);
    for _ in 0..3 {
        relay.handle(ALICE, &set(line_link, 3, Admission::Many)).unwrap();
        relay.wait(9 * DAY);
    }
    relay.forms(ALICE, BOB, &connect(line_link));
    for request in [set(line_link, 2, Admission::Many), renew(line_link)] {
        assert_eq!(relay.handle(ALICE, &request), Ok(SILENT));
    }
    relay.wait(DAY);
    assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Expired));
    // Its lifetime is over, and it lives again.
    relay.handle(ALICE, &set(line_link, 3, Admission::Many)).unwrap();
    relay.forms(ALICE, CAROL, &connect(line_link));
    // It is due, and was not deleted.
    relay.wait(40 * DAY);
    look(&mut relay);
    relay.wait(DAY - 1);
    look(&mut relay);
    assert_eq!(relay.reply(CAROL, &connect_as(line_link, 1)).to_vec(), unknown(line_link, 1));
    relay.handle(ALICE, &set(line_link, 3, Admission::Many)).unwrap();
    relay.wait(DAY);
    assert_eq!(look(&mut relay), 1);
    relay.forms(ALICE, CAROL, &connect_as(line_link, 1));
}

fn unknown(line_link: LineLink, n: u8) -> Vec<u8> {
    Event::Refused { line_link, request_id: [n; 16].into(), reason: Reason::Unknown }.to_vec()
}

/// A used link is not renewed: what became of it is kept for the retention, and then Alice is told.
#[test]
fn r13_2_a_claimed_link_is_not_renewed() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    relay.forms(ALICE, BOB, &connect(line_link));
    relay.acknowledge_all(ALICE);
    let before = relay.directory().link(line_link);
    relay.wait(29 * DAY);
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(SILENT));
    assert_eq!(relay.directory().link(line_link), before);
    for _ in 0..3 {
        relay.wait(DAY);
        look(&mut relay);
    }
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(lost(line_link)));
}

/// Nobody learns from it whether a link exists: one's own that is closed, one that never was and somebody else's get the same reply.
#[test]
fn r13_2_a_lost_link_is_told_alike_whatever_it_is() {
    let mut relay = relay(Limits::default());
    let [closed, of_bob, used] = [relay.issue(ALICE, 1), relay.issue(BOB, 1), relay.issue(BOB, 2)];
    relay.forms(BOB, CAROL, &connect(used));
    relay.acknowledge_all(BOB);
    close(&mut relay, ALICE, closed);
    let never: LineLink = [0xEE; 16].into();
    let entries = |relay: &Running<Memory>| [closed, of_bob, used, never].map(|link| relay.directory().link(link));
    let before = entries(&relay);
    let answers = [closed, of_bob, used, never].map(|line_link| {
        let requests =
            [renew(line_link), set(line_link, 1, Admission::Many), set(line_link, u64::MAX, Admission::Nobody)];
        requests.map(|request| {
            let response = relay.handle(ALICE, &request).unwrap();
            assert_eq!(response, lost(line_link));
            let mut bytes = response.reply.unwrap().to_vec();
            let named = bytes.windows(16).position(|name| name == line_link.as_bytes()).unwrap();
            bytes[named..named + 16].fill(0);
            bytes
        })
    });
    assert!(answers.as_flattened().iter().all(|bytes| *bytes == answers[0][0]));
    // Somebody who was never here has nothing that waits, and hears the same. Nothing was written.
    assert_eq!(relay.handle(9, &renew(closed)), Ok(lost(closed)));
    assert_eq!((entries(&relay), relay.waits(9)), (before, vec![]));
    assert_eq!(format!("{:?}", relay.directory()), "Memory(3 links, 1 lines, 3 users)");
}

/// What waits may be the event that the link was used, which is no loss. Alice hears that first, and asks again.
#[test]
fn r13_2_lost_waits_for_an_empty_queue() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    let line_id = relay.forms(ALICE, BOB, &connect(line_link));
    relay.wait(30 * DAY);
    look(&mut relay);
    relay.wait(DAY);
    assert_eq!(look(&mut relay), 0);
    for _ in 0..2 {
        assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(SILENT));
    }
    assert_eq!(relay.waits(ALICE), ["LineFormed"]);
    relay.acknowledge_all(ALICE);
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(lost(line_link)));
    // What waits for another is no matter.
    relay.send(ALICE, line_id, b"words");
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(lost(line_link)));
    relay.send(BOB, line_id, b"words");
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(SILENT));
}

/// Each request for a link looks at the clock, a refused one too.
#[test]
fn r13_7_a_request_for_a_link_purges() {
    let mut relay = relay(Limits { links: 1, ..Limits::default() });
    let line_link = relay.issue(ALICE, 1);
    close(&mut relay, ALICE, line_link);
    relay.issue(BOB, 1);
    relay.wait(30 * DAY);
    assert_eq!(relay.try_issue(BOB, 2), Err(RequestError::TooManyLinks.into()));
    relay.wait(DAY);
    assert_eq!(relay.try_issue(BOB, 2), Err(RequestError::TooManyLinks.into()));
    assert_eq!(relay.directory().links(), 1);
}
