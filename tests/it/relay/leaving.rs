//! §13.8.

use super::*;

#[test]
fn r13_8_the_other_ends_of_a_removed_user_hear_disconnected_behind_what_waits() {
    let mut relay = relay(Limits::default());
    // Alice is at the end of a maker and of a user, and of a line that its other end has left.
    let [of_hers, of_carols] = [relay.line(ALICE, BOB, 1), relay.line(CAROL, ALICE, 1)];
    let (left, not_hers) = (relay.line(ALICE, BOB, 2), relay.line(BOB, CAROL, 1));
    relay.send(ALICE, of_hers, b"farewell");
    relay.send(BOB, of_hers, b"never heard");
    relay.reply(BOB, &Request::Disconnect { line_id: left });

    let mut told = relay.remove(ALICE);
    told.sort_unstable();
    assert_eq!(told, [user(BOB), user(CAROL)]);
    assert_eq!(relay.waits(ALICE), Vec::<String>::new());
    assert_eq!(relay.waits(BOB), ["Connected", "LineFormed", "farewell", "Disconnected"]);
    assert_eq!(relay.waits(CAROL), ["LineFormed", "Connected", "Disconnected"]);
    // What they say now waits for nobody, and other lines go on.
    for (from, line_id) in [(BOB, of_hers), (CAROL, of_carols)] {
        assert_eq!(relay.send(from, line_id, b"?"), Response { reply: None, notify: [Some(user(from)), None] });
    }
    assert_eq!(relay.waits(ALICE), Vec::<String>::new());
    assert_eq!(relay.send(CAROL, not_hers, b"still").notify, [Some(user(BOB)), None]);
    // Nobody is told twice. When Bob and Carol have acknowledged it, no line of Alice's is left.
    assert_eq!(relay.remove(ALICE), []);
    assert_eq!(relay.waits(BOB), ["Connected", "LineFormed", "farewell", "Disconnected", "still"]);
    relay.acknowledge_all(BOB);
    relay.acknowledge_all(CAROL);
    assert_eq!(relay.directory().lines(), 1);
}

#[test]
fn r13_8_the_links_of_a_removed_user_are_unknown() {
    let mut relay = relay(Limits::default());
    let [open, used, closed] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    let of_bob = relay.issue(BOB, 1);
    relay.forms(ALICE, CAROL, &connect(used));
    let line_id = relay.forms(BOB, ALICE, &connect(of_bob));
    let formed = relay.reply(ALICE, &connect(of_bob));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();

    relay.remove(ALICE);
    for line_link in [open, used, closed] {
        assert_eq!(relay.reply(CAROL, &connect(line_link)), refused(line_link, Reason::Unknown));
    }
    assert_eq!(relay.directory().links(), 1);
    // Alice used Bob's link, and the link stays used: Carol is refused, and Alice gets the same reply as before.
    assert_eq!(relay.reply(CAROL, &connect(of_bob)), refused(of_bob, Reason::UsedByAnother));
    assert_eq!(relay.reply(ALICE, &connect(of_bob)), formed);
    assert_eq!(relay.formed_before(ALICE, &connect(of_bob)), line_id);
}

/// Bob's Connect was prepared, then the owner of the link is removed, then the storage gets the Connect.
#[test]
fn r13_8_no_line_is_formed_with_a_removed_user() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    let request = connect(line_link).to_vec();
    let prepared = Operation::prepare(user(BOB), &request, &Limits::default(), &marks(), &mut relay.rng, NOW).unwrap();
    assert_eq!(relay.remove(ALICE), []);
    let response = prepared.execute(relay.relay.directory_mut()).unwrap();
    assert_eq!(response, Response { reply: Some(refused(line_link, Reason::Unknown)), ..SILENT });
    assert_eq!((relay.directory().lines(), relay.directory().waiting(user(ALICE))), (0, 0));
}

/// An owner that has removed itself hears that its link is lost, as anybody would, and begins anew by that.
#[test]
fn r13_8_a_removed_owner_has_lost_its_links() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    relay.remove(ALICE);
    assert_eq!(relay.handle(ALICE, &renew(line_link)), Ok(lost(line_link)));
    assert_eq!(format!("{:?}", relay.directory()), "Memory(0 links, 0 lines, 0 users)");
}

#[test]
fn r13_8_a_removed_user_holds_nothing() {
    let mut relay = relay(Limits { links: 1, lines: 1, ..Limits::default() });
    relay.line(ALICE, BOB, 1);
    assert_eq!(relay.try_issue(ALICE, 2), Err(RequestError::TooManyLinks.into()));
    relay.remove(ALICE);
    relay.remove(BOB);
    assert_eq!(format!("{:?}", relay.directory()), "Memory(0 links, 0 lines, 0 users)");
}
