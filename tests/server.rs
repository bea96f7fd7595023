//! §13: the Server.
#![cfg(all(feature = "server", feature = "alloc"))]

mod common;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use common::{NOW, bad_proof, seed};
use port_protocol::server::*;
use port_protocol::*;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const DAY: u64 = 24 * 60 * 60;

fn user(n: u8) -> UserId {
    [n; 32].into()
}

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// 16 bytes at a time: 1, 2, 3, …
#[derive(Default)]
struct Counting(u128);

impl rand_core::TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        bytes.copy_from_slice(&self.0.to_be_bytes());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

/// A Server, its clock and its randomness.
struct Relay<D> {
    server: Server<D>,
    rng: Counting,
    now: UnixSeconds,
}

type Outcome<D> = Result<Handled, ServerError<<D as Directory>::Error>>;

impl<D: Directory<Error: std::fmt::Debug>> Relay<D> {
    fn with(directory: D, limits: Limits) -> Self {
        Self { server: Server::new(directory, limits), rng: Counting::default(), now: NOW }
    }

    fn handle(&mut self, from: u8, request: &Request<'_>) -> Outcome<D> {
        self.server.handle(user(from), &request.to_vec(), &mut self.rng, self.now)
    }

    #[track_caller]
    fn reply(&mut self, from: u8, request: &Request<'_>) -> Event<'static> {
        self.handle(from, request).unwrap().reply.expect("a reply")
    }

    fn try_issue(&mut self, from: u8, request: u8) -> Result<LineLink, ServerError<D::Error>> {
        let request_id = [request; 16].into();
        let handled = self.handle(from, &Request::IssueLineLink { request_id })?;
        match handled.reply {
            Some(Event::LineLinkIssued { request_id: echoed, line_link }) if echoed == request_id => Ok(line_link),
            other => panic!("{other:?}"),
        }
    }

    fn issue(&mut self, from: u8, request: u8) -> LineLink {
        self.try_issue(from, request).unwrap()
    }

    fn line(&mut self, alice: u8, bob: u8, request: u8) -> LineId {
        let line_link = self.issue(alice, request);
        match self.reply(bob, &connect(line_link)) {
            Event::LineFormed { line_id, .. } => line_id,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, from: u8, line_id: LineId, payload: &[u8]) -> Handled {
        self.handle(from, &Request::Packet { line_id, payload }).unwrap()
    }

    /// Everything that waits for this user, with its numbers.
    fn waiting(&self, of: u8) -> Vec<(u64, Vec<u8>)> {
        let (mut all, mut after) = (Vec::new(), 0);
        while let Some(Delivery { sequence, event }) = self.server.next(user(of), after).unwrap() {
            assert!(sequence > after);
            after = sequence;
            all.push((sequence, event.as_ref().to_vec()));
        }
        all
    }

    fn waits(&self, of: u8) -> Vec<String> {
        self.waiting(of).iter().map(|(_, event)| word(&Event::decode(event).unwrap())).collect()
    }

    fn acknowledge_all(&mut self, of: u8) {
        let upto = self.waiting(of).last().map_or(0, |(sequence, _)| *sequence);
        self.server.acknowledge(user(of), upto).unwrap();
    }
}

fn relay(limits: Limits) -> Relay<Memory> {
    Relay::with(Memory::new(), limits)
}

fn connect(line_link: LineLink) -> Request<'static> {
    Request::Connect { line_link, proof: None }
}

fn refused(line_link: LineLink, reason: Reason) -> Event<'static> {
    Event::Refused { line_link, reason }
}

fn word(event: &Event<'_>) -> String {
    match event {
        Event::Packet { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
        Event::LineFormed { proof, .. } => format!("LineFormed{}", if proof.is_some() { " on board" } else { "" }),
        Event::Disconnected { .. } => "Disconnected".into(),
        Event::Dropped { .. } => "Dropped".into(),
        other => panic!("never waits: {other:?}"),
    }
}

#[test]
fn r13_1_what_is_not_a_request_is_refused_and_nothing_moves() {
    let mut relay = relay(Limits::default());
    let request = connect(relay.issue(ALICE, 1)).to_vec();
    let mut give = |bytes: &[u8]| relay.server.handle(user(BOB), bytes, &mut Counting::default(), NOW);
    assert_eq!(give(b""), Err(ServerError::Malformed));
    assert_eq!(give(&request[..request.len() - 1]), Err(ServerError::Malformed));
    assert_eq!(give(&[&request[..], b"\0"].concat()), Err(ServerError::Malformed));
    assert_eq!(give(&[&[0x82, 2], &request[2..]].concat()), Err(ServerError::UnsupportedVersion));
    assert_eq!(give(&Event::Disconnected { line_id: [1; 16].into() }.to_vec()), Err(ServerError::Malformed));
    assert_eq!((relay.server.directory().lines(), relay.waits(ALICE)), (0, vec![]));
}

#[test]
fn r13_2_the_same_request_of_the_same_user_gets_the_same_link() {
    let mut relay = relay(Limits::default());
    let link = relay.issue(ALICE, 1);
    assert_eq!(relay.issue(ALICE, 1), link);
    let others = [relay.issue(ALICE, 2), relay.issue(BOB, 1)];
    assert!(!others.contains(&link) && others[0] != others[1]);
    assert_eq!(relay.server.directory().links(), 3);
    // After its use, too.
    relay.reply(BOB, &connect(link));
    assert_eq!(relay.issue(ALICE, 1), link);
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
    assert_eq!(relay.try_issue(BOB, 1), Err(ServerError::Contended));
    let line_id = relay.line(ALICE, BOB, 2);
    let third = relay.issue(ALICE, 3);
    let before = relay.waiting(ALICE);
    relay.rng = Counting(u128::from_be_bytes(*line_id.as_bytes()) - 1);
    assert_eq!(relay.handle(CAROL, &connect(third)), Err(ServerError::Contended));
    assert_eq!((relay.waiting(ALICE), relay.server.directory().lines()), (before, 1));
    assert!(matches!(relay.reply(CAROL, &connect(third)), Event::LineFormed { .. }));
    assert!(matches!(relay.reply(BOB, &connect(link)), Event::LineFormed { .. }));
}

#[test]
fn r13_2_closing_closes_ones_own_open_link_and_tells_nobody_anything() {
    let mut relay = relay(Limits::default());
    let [open, used] = [1, 2].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    let unknown: LineLink = [0xEE; 16].into();
    let silent = Handled { reply: None, wake: [None; 2] };
    // Whatever the link is to Carol,
    for line_link in [open, used, unknown] {
        assert_eq!(relay.handle(CAROL, &Request::CloseLineLink { line_link }), Ok(silent.clone()));
    }
    let line = relay.reply(BOB, &connect(used));
    assert!(matches!(line, Event::LineFormed { .. }));
    assert!(matches!(relay.server.directory().link(open).unwrap().unwrap().state, LinkState::Open { .. }));
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
        assert_eq!(first.wake, [Some(user(ALICE)), None]);
        let LinkState::Claimed(claim) = relay.server.directory().link(line_link).unwrap().unwrap().state else {
            panic!()
        };
        assert_eq!(claim.request[..], Sha256::digest([&[BOB; 32][..], &request.to_vec()].concat())[..]);
        let before = relay.waiting(ALICE);
        for days in [0, 1, 28] {
            relay.now.0 += days * DAY;
            let again = relay.handle(BOB, &request).unwrap();
            assert_eq!(again, Handled { wake: [None; 2], ..first.clone() });
        }
        assert_eq!((relay.waiting(ALICE), relay.server.directory().lines()), (before, usize::from(n)));
        // The proof is for Alice; nobody else is told of anything.
        let Some(Event::LineFormed { line_link: of, line_id, pair_hash, proof: None }) = first.reply else { panic!() };
        let formed = Event::LineFormed { line_link: of, line_id, pair_hash, proof };
        assert_eq!(relay.waiting(ALICE).last().unwrap().1, formed.to_vec());
        assert_eq!((of, relay.waits(BOB)), (line_link, vec![]));
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
    assert_eq!(relay.reply(BOB, &on_board(claimed)), refused(claimed, Reason::Yours));
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::Claimed));
    assert_eq!(relay.reply(CAROL, &on_board(claimed)), refused(claimed, Reason::Claimed));
    assert_eq!(relay.reply(ALICE, &connect(claimed)), refused(claimed, Reason::Claimed));
    assert_eq!(relay.reply(BOB, &connect(closed)), refused(closed, Reason::Closed));
    assert_eq!(relay.reply(ALICE, &connect(closed)), refused(closed, Reason::Closed));
    let unknown = [0xEE; 16].into();
    assert_eq!(relay.reply(BOB, &connect(unknown)), refused(unknown, Reason::Unknown));
    // One's own link is not used up.
    assert_eq!(relay.reply(ALICE, &connect(open)), refused(open, Reason::Yours));
    assert_eq!((relay.waiting(ALICE), relay.server.directory().lines()), (before, 1));

    let lifetime = Limits::default().lifetime;
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
    assert_eq!(relay.reply(CAROL, &connect(claimed)), refused(claimed, Reason::Claimed));
    assert_eq!(relay.reply(CAROL, &connect(closed)), refused(closed, Reason::Closed));
    relay.now.0 += 1;
    for (from, link) in [(BOB, claimed), (CAROL, claimed), (CAROL, closed)] {
        assert_eq!(relay.reply(from, &connect(link)), refused(link, Reason::Unknown));
    }
    // The place that they took comes free as links are issued.
    relay.issue(ALICE, 4);
    assert_eq!(relay.server.directory().links(), 2);

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
        relay.issue(ALICE, n);
        relay.server.directory().links()
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
fn r13_4_packets_go_to_the_other_end_and_nowhere_else() {
    let mut relay = relay(Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    let other = relay.line(ALICE, CAROL, 2);
    for n in [ALICE, BOB, CAROL] {
        relay.acknowledge_all(n);
    }
    assert_eq!(relay.send(BOB, line_id, b"to Alice"), Handled { reply: None, wake: [Some(user(ALICE)), None] });
    assert_eq!(relay.send(ALICE, line_id, b"to Bob"), Handled { reply: None, wake: [Some(user(BOB)), None] });
    assert_eq!(relay.send(ALICE, other, b""), Handled { reply: None, wake: [Some(user(CAROL)), None] });
    assert_eq!(relay.waits(ALICE), ["to Alice"]);
    assert_eq!(relay.waiting(BOB)[0].1, Event::Packet { line_id, payload: b"to Bob" }.to_vec());
    assert_eq!(relay.waiting(CAROL)[0].1, Event::Packet { line_id: other, payload: b"" }.to_vec());
}

/// Bytes that are no payload of this protocol, and a proof that is none: not the Server's to judge.
#[test]
fn r13_1_the_server_reads_no_payload_and_checks_no_proof() {
    let mut relay = relay(Limits::default());
    let line_link = relay.issue(ALICE, 1);
    let request = Request::Connect { line_link, proof: Some(bad_proof()) };
    let Event::LineFormed { line_id, .. } = relay.reply(BOB, &request) else { panic!() };
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
                let handled = relay.handle(from, &request).unwrap();
                let told = Handled { reply: Some(Event::Disconnected { line_id }), wake: [None; 2] };
                assert_eq!(handled, told, "{from} {request:?}");
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
    let told = Handled { reply: Some(Event::Disconnected { line_id }), wake: [Some(user(ALICE)), None] };
    assert_eq!(relay.handle(BOB, &disconnect), Ok(told.clone()));
    assert_eq!(relay.waits(BOB), ["to Bob"]);
    assert_eq!(relay.waits(ALICE), ["LineFormed", "LineFormed", "to Alice", "to Alice", "Disconnected"]);
    // Again: the same reply, and Alice hears nothing more.
    assert_eq!(relay.handle(BOB, &disconnect), Ok(Handled { wake: [None; 2], ..told.clone() }));
    // She may not speak any more, and may leave before she has heard.
    assert_eq!(relay.send(ALICE, line_id, b"hello?").reply, told.reply);
    assert_eq!(relay.handle(ALICE, &disconnect), Ok(Handled { wake: [None; 2], ..told }));
    assert_eq!(relay.waits(ALICE), ["LineFormed", "to Alice"]);
    assert_eq!(relay.server.directory().lines(), 1);
}

#[test]
fn r13_4_the_oldest_packet_of_the_line_makes_room_and_its_sender_is_told() {
    let mut relay = relay(Limits { packets: 3, ..Limits::default() });
    let (line_id, other) = (relay.line(ALICE, BOB, 1), relay.line(ALICE, CAROL, 2));
    relay.send(CAROL, other, b"Carol's");
    for payload in [b"1", b"2", b"3"] {
        assert_eq!(relay.send(BOB, line_id, payload).wake, [Some(user(ALICE)), None]);
    }
    assert_eq!(relay.waits(BOB), Vec::<String>::new());
    for (payload, wait) in [(b"4", ["2", "3", "4"]), (b"5", ["3", "4", "5"])] {
        assert_eq!(relay.send(BOB, line_id, payload).wake, [Some(user(ALICE)), Some(user(BOB))]);
        assert_eq!(relay.waits(ALICE), [&["LineFormed", "LineFormed", "Carol's"][..], &wait].concat());
        // One notice, behind whatever Bob may have got of the one before.
        assert_eq!(
            relay.waiting(BOB).iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(),
            [Event::Dropped { line_id }.to_vec()]
        );
    }
    assert_eq!(relay.waiting(BOB)[0].0, 2);
    // A notice that Bob was sent, but that another took the place of, is not acknowledged with it.
    relay.server.acknowledge(user(BOB), 1).unwrap();
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
    let lengths = |relay: &Relay<Memory>| relay.waits(ALICE)[1..].iter().map(String::len).collect::<Vec<_>>();
    for length in [30, 30, 40] {
        relay.send(BOB, line_id, &vec![b'x'; length]);
    }
    assert_eq!((lengths(&relay), relay.waits(BOB)), (vec![30, 30, 40], vec![]));
    relay.send(BOB, line_id, b"x");
    assert_eq!((lengths(&relay), relay.waits(BOB)), (vec![30, 40, 1], vec!["Dropped".into()]));
    relay.send(BOB, line_id, &[b'x'; 100]);
    assert_eq!(lengths(&relay), [100]);
    let too_long = Request::Packet { line_id, payload: &[b'x'; 101] };
    assert_eq!(relay.handle(BOB, &too_long), Err(ServerError::TooLong));
    assert_eq!(relay.handle(CAROL, &too_long), Err(ServerError::TooLong));
    assert_eq!(lengths(&relay), [100]);
}

#[test]
fn r13_6_nothing_but_packets_is_ever_dropped() {
    let mut relay = relay(Limits { packets: 0, ..Limits::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    for from in [ALICE, BOB, BOB, ALICE] {
        relay.send(from, line_id, b"no room at all");
    }
    relay.handle(BOB, &Request::Disconnect { line_id }).unwrap();
    assert_eq!(relay.waits(ALICE), ["LineFormed", "Dropped", "Disconnected"]);
    assert_eq!(relay.waits(BOB), Vec::<String>::new());
}

#[test]
fn r13_6_links_are_bounded_used_and_closed_ones_too() {
    let mut relay = relay(Limits { links: 3, ..Limits::default() });
    let [used, closed, open] = [1, 2, 3].map(|n| relay.issue(ALICE, n));
    relay.reply(BOB, &connect(used));
    relay.handle(ALICE, &Request::CloseLineLink { line_link: closed }).unwrap();
    assert_eq!(relay.try_issue(ALICE, 4), Err(ServerError::TooManyLinks));
    // What she has, she is told; another user has room of his own.
    assert_eq!(relay.issue(ALICE, 3), open);
    relay.issue(BOB, 4);
    relay.now.0 += 30 * DAY;
    relay.issue(ALICE, 4);
    relay.issue(ALICE, 5);
    assert_eq!(relay.try_issue(ALICE, 6), Err(ServerError::TooManyLinks));
}

#[test]
fn r13_6_lines_are_bounded_at_either_end_and_the_link_stays_open() {
    let mut relay = relay(Limits { lines: 2, ..Limits::default() });
    let [one, _] = [1, 2].map(|n| relay.line(ALICE, BOB, n));
    let (of_alice, of_carol) = (relay.issue(ALICE, 3), relay.issue(CAROL, 3));
    let before = relay.waiting(ALICE);
    assert_eq!(relay.handle(CAROL, &connect(of_alice)), Err(ServerError::TooManyLines));
    assert_eq!(relay.handle(BOB, &connect(of_carol)), Err(ServerError::TooManyLines));
    assert_eq!((relay.waiting(ALICE), relay.server.directory().lines()), (before, 2));

    // Bob leaves: he has room. Alice has when she has acknowledged it.
    relay.handle(BOB, &Request::Disconnect { line_id: one }).unwrap();
    assert!(matches!(relay.reply(BOB, &connect(of_carol)), Event::LineFormed { .. }));
    assert_eq!(relay.handle(CAROL, &connect(of_alice)), Err(ServerError::TooManyLines));
    relay.acknowledge_all(ALICE);
    assert!(matches!(relay.reply(CAROL, &connect(of_alice)), Event::LineFormed { .. }));
}

#[test]
fn r13_5_deliveries_are_numbered_and_wait_until_they_are_acknowledged() {
    let mut relay = relay(Limits::default());
    let line_id = relay.line(ALICE, BOB, 1);
    for payload in [b"1", b"2", b"3"] {
        relay.send(BOB, line_id, payload);
    }
    let numbers =
        |relay: &Relay<Memory>| relay.waiting(ALICE).iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>();
    assert_eq!(
        (relay.waits(ALICE), numbers(&relay)),
        (vec!["LineFormed".into(), "1".into(), "2".into(), "3".into()], vec![1, 2, 3, 4])
    );
    // To read does not take away.
    assert_eq!(relay.server.next(user(ALICE), 2).unwrap().unwrap().sequence, 3);
    assert_eq!(relay.server.next(user(ALICE), u64::MAX), Ok(None));
    relay.server.acknowledge(user(ALICE), 0).unwrap();
    assert_eq!(numbers(&relay), [1, 2, 3, 4]);
    relay.server.acknowledge(user(ALICE), 2).unwrap();
    relay.server.acknowledge(user(ALICE), 1).unwrap();
    // Bob acknowledges nothing of hers.
    relay.server.acknowledge(user(BOB), 4).unwrap();
    assert_eq!(numbers(&relay), [3, 4]);
    relay.acknowledge_all(ALICE);
    relay.send(BOB, line_id, b"4");
    assert_eq!((relay.waits(ALICE), numbers(&relay)), (vec!["4".into()], vec![5]));
}

/// Alice and Bob of this crate, joined by bytes alone; what is said while one is away waits for him.
#[test]
fn r13_two_machines_form_and_confirm_a_line() {
    for how in [SendProof::OnBoard, SendProof::AlongTheLine] {
        let mut relay = relay(Limits::default());
        let bytes = |relay: &mut Relay<Memory>, from: u8, request: &[u8]| {
            relay.server.handle(user(from), request, &mut relay.rng, NOW).unwrap().reply.map(|event| event.to_vec())
        };

        let mut alice = Alice::request(Offer::new(), seed(1)).commit();
        let Some(AliceEffect::Send(request)) = alice.unsent().next() else { panic!() };
        let issued = bytes(&mut relay, ALICE, &request.to_vec()).unwrap();
        let Some(AliceEffect::PortReady(port)) = alice.handle_bytes(&issued, NOW).unwrap().commit().next() else {
            panic!()
        };
        let text = port.qr_text();

        let mut bob = Bob::scan(Port::parse(text.as_str()).unwrap(), seed(2)).commit();
        let Some(BobEffect::Send(request)) = bob.connect(how, NOW).unwrap().commit().next() else { panic!() };
        let request = request.to_vec();
        let lost = bytes(&mut relay, BOB, &request);
        let reply = bytes(&mut relay, BOB, &request);
        assert_eq!(lost, reply);
        let Some(BobEffect::LineFormed(line)) = bob.handle_bytes(&reply.unwrap(), NOW).unwrap().commit().next() else {
            panic!()
        };
        let mut at_bob = line.commit();

        let delivered = relay.waiting(ALICE);
        let Some(AliceEffect::LineFormed(line)) = alice.handle_bytes(&delivered[0].1, NOW).unwrap().commit().next()
        else {
            panic!()
        };
        let mut at_alice = line.commit();
        // Delivered once more, because it was not acknowledged.
        assert_eq!(alice.handle_bytes(&relay.waiting(ALICE)[0].1, NOW).err(), Some(Rejected::Repeated));
        relay.acknowledge_all(ALICE);

        let mut heard: [Vec<Vec<u8>>; 2] = Default::default();
        let mut round = |relay: &mut Relay<Memory>, lines: &mut [(u8, &mut Line); 2]| {
            for (of, line) in lines {
                for effect in line.unsent() {
                    if let LineEffect::Send(request) = effect {
                        bytes(relay, *of, &request.to_vec());
                    }
                }
                for (_, event) in relay.waiting(*of) {
                    let mut buffer = [0; 256];
                    let Ok(step) = line.handle_bytes(&event, &mut buffer, NOW) else { continue };
                    for effect in step.commit() {
                        match effect {
                            LineEffect::Send(request) => drop(bytes(relay, *of, &request.to_vec())),
                            LineEffect::Message(text) => heard[usize::from(*of) - 1].push(text.to_vec()),
                            LineEffect::Ended(end) => heard[usize::from(*of) - 1].push(format!("{end:?}").into_bytes()),
                            LineEffect::Dropped => panic!("there was room"),
                        }
                    }
                }
                relay.acknowledge_all(*of);
                let _ = line.settle().map(|step| step.commit().for_each(drop));
            }
        };
        for _ in 0..3 {
            round(&mut relay, &mut [(ALICE, &mut at_alice), (BOB, &mut at_bob)]);
        }
        assert!(at_alice.confirmed().is_some() && at_alice.confirmed() == at_bob.confirmed());
        assert_eq!(at_alice.check_code(), at_bob.check_code());

        let mut sealed = [0; 256];
        for text in [&b"one"[..], b"two"] {
            let Some(LineEffect::Send(request)) = at_bob.seal(text, &[], &mut sealed).unwrap().commit().next() else {
                panic!()
            };
            bytes(&mut relay, BOB, &request.to_vec());
        }
        for effect in at_bob.close().unwrap().commit() {
            let LineEffect::Send(request) = effect else { continue };
            bytes(&mut relay, BOB, &request.to_vec());
        }
        round(&mut relay, &mut [(ALICE, &mut at_alice), (BOB, &mut at_bob)]);
        assert_eq!(heard, [vec![b"one".to_vec(), b"two".to_vec(), b"ByPeer".to_vec()], vec![]]);
        assert_eq!(relay.server.directory().lines(), 0);
    }
}

/// A directory that answers wrongly, as its docs say what comes of it.
#[derive(Default)]
struct Broken {
    memory: RefCell<Memory>,
    /// `claim` says that it did, and forgets that it did.
    claim_lost: bool,
    /// `claim` says that it is taken, and so it may be.
    claim_fails: bool,
    /// The storage fails: before it does anything, or after it did all.
    fails: Cell<Option<bool>>,
    /// What a stale replica still says of a link.
    stale: Option<LinkEntry>,
    push_lost: bool,
    push_twice: bool,
    acknowledge_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Down;

impl Broken {
    fn atomically<T>(&self, work: impl FnOnce(&mut Memory) -> Result<T, Infallible>) -> Result<T, Down> {
        match self.fails.take() {
            Some(false) => Err(Down),
            Some(true) => {
                let _ = work(&mut self.memory.borrow_mut());
                Err(Down)
            }
            None => {
                let Ok(done) = work(&mut self.memory.borrow_mut());
                Ok(done)
            }
        }
    }
}

impl Directory for Broken {
    type Error = Down;
    type Bytes<'d> = Vec<u8>;

    fn issue(&mut self, id: RequestId, line_link: LineLink, link: &LinkEntry, limits: &Limits) -> Result<Issued, Down> {
        self.atomically(|memory| memory.issue(id, line_link, link, limits))
    }

    fn link(&self, line_link: LineLink) -> Result<Option<LinkEntry>, Down> {
        if self.stale.is_some() {
            return Ok(self.stale);
        }
        Ok(self.memory.borrow().link(line_link).unwrap())
    }

    fn claim(
        &mut self,
        line_link: LineLink,
        claim: &Claim,
        formed: &Event<'_>,
        forget: UnixSeconds,
        limits: &Limits,
    ) -> Result<Claimed, Down> {
        if self.claim_fails {
            return Ok(Claimed::Taken);
        }
        if !self.claim_lost {
            return self.atomically(|memory| memory.claim(line_link, claim, formed, forget, limits));
        }
        // The line and its delivery are there; that the link was used is not.
        let copy = claim.line_id.as_bytes().map(|byte| !byte).into();
        let Some(link) = self.link(line_link)? else { return Ok(Claimed::Taken) };
        self.atomically(|memory| {
            memory.issue((*claim.line_id.as_bytes()).into(), copy, &link, limits)?;
            memory.claim(copy, claim, formed, forget, limits)
        })
    }

    fn close(&mut self, line_link: LineLink, owner: UserId, forget: UnixSeconds) -> Result<(), Down> {
        self.atomically(|memory| memory.close(line_link, owner, forget))
    }

    fn push(&mut self, line_id: LineId, from: UserId, payload: &[u8], limits: &Limits) -> Result<Option<Pushed>, Down> {
        let (lost, twice) = (self.push_lost, self.push_twice);
        self.atomically(|memory| {
            if lost {
                return Ok(Some(Pushed { to: from, dropped: false }));
            }
            if twice {
                memory.push(line_id, from, payload, limits)?;
            }
            memory.push(line_id, from, payload, limits)
        })
    }

    fn end(&mut self, line_id: LineId, by: UserId) -> Result<Option<UserId>, Down> {
        self.atomically(|memory| memory.end(line_id, by))
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<Vec<u8>>>, Down> {
        let memory = self.memory.borrow();
        let Ok(next) = memory.next(user, after);
        Ok(next.map(|Delivery { sequence, event }| Delivery { sequence, event: event.to_vec() }))
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Down> {
        if self.acknowledge_lost {
            return Ok(());
        }
        self.atomically(|memory| memory.acknowledge(user, upto))
    }

    fn forget(&mut self, now: UnixSeconds) -> Result<(), Down> {
        let Ok(()) = self.memory.borrow_mut().forget(now);
        Ok(())
    }
}

fn broken(broken: Broken) -> Relay<Broken> {
    Relay::with(broken, Limits::default())
}

/// The storage fails before or after it has kept what it was asked to: the same request again heals it.
#[test]
fn r13_7_a_crash_is_healed_by_the_same_request() {
    for kept in [false, true] {
        let crash = |relay: &mut Relay<Broken>, from: u8, request: &Request<'_>| {
            relay.server.directory().fails.set(Some(kept));
            assert_eq!(relay.handle(from, request), Err(ServerError::Directory(Down)));
            relay.handle(from, request).unwrap()
        };
        let mut relay = broken(Broken::default());
        let issue = Request::IssueLineLink { request_id: [1; 16].into() };
        let Some(Event::LineLinkIssued { line_link, .. }) = crash(&mut relay, ALICE, &issue).reply else { panic!() };
        assert_eq!(relay.server.directory().memory.borrow().links(), 1);

        let request = Request::Connect { line_link, proof: Some(bad_proof()) };
        let Some(Event::LineFormed { line_id, .. }) = crash(&mut relay, BOB, &request).reply else { panic!() };
        assert_eq!(
            (relay.waits(ALICE), relay.server.directory().memory.borrow().lines()),
            (vec!["LineFormed on board".into()], 1)
        );

        crash(&mut relay, BOB, &Request::Packet { line_id, payload: b"words" });
        assert_eq!(relay.waits(ALICE).len(), if kept { 3 } else { 2 });

        let told = crash(&mut relay, BOB, &Request::Disconnect { line_id });
        assert_eq!(told.reply, Some(Event::Disconnected { line_id }));
        assert_eq!(relay.waits(ALICE).iter().filter(|word| *word == "Disconnected").count(), 1);
    }
}

/// Lost write of `claim`, or `Formed` twice: two lines of one link. Alice takes the first, and tells the Server to end the
/// other.
#[test]
fn r13_7_a_claim_that_was_lost_gives_alice_no_second_line() {
    let mut relay = broken(Broken { claim_lost: true, ..Broken::default() });
    let mut alice = Alice::request(Offer::new(), seed(1)).commit();
    let Some(AliceEffect::Send(request)) = alice.unsent().next() else { panic!() };
    let issued = relay.reply(ALICE, &request);
    alice.handle(&issued, NOW).unwrap().commit().for_each(drop);
    let line_link = alice.port().unwrap().line_link();

    let Event::LineFormed { line_id: first, .. } = relay.reply(BOB, &connect(line_link)) else { panic!() };
    let Event::LineFormed { line_id: second, .. } = relay.reply(CAROL, &connect(line_link)) else { panic!() };
    assert_ne!(first, second);
    let told = relay.waiting(ALICE);
    alice.handle_bytes(&told[0].1, NOW).unwrap().commit().for_each(drop);
    assert_eq!(alice.handle_bytes(&told[1].1, NOW).err(), Some(Rejected::Stray(second)));
    relay.reply(ALICE, &Request::Disconnect { line_id: second });
    assert_eq!((relay.waits(CAROL), relay.waits(BOB)), (vec!["Disconnected".into()], vec![]));
}

/// A stale read says that the link is open: `claim` knows better, and nothing moves.
#[test]
fn r13_7_a_stale_read_forms_no_second_line() {
    let mut relay = broken(Broken::default());
    let line_link = relay.issue(ALICE, 1);
    let open = relay.server.directory().link(line_link).unwrap();
    relay.reply(BOB, &connect(line_link));
    let memory = relay.server.directory().memory.take();
    let mut stale = broken(Broken { memory: RefCell::new(memory), stale: open, ..Broken::default() });
    stale.rng = relay.rng;
    let before = stale.waiting(ALICE);
    assert_eq!(stale.handle(CAROL, &connect(line_link)), Err(ServerError::Contended));
    assert_eq!(stale.handle(BOB, &connect(line_link)), Err(ServerError::Contended));
    assert_eq!(stale.waiting(ALICE), before);

    let mut taken = broken(Broken { claim_fails: true, ..Broken::default() });
    let line_link = taken.issue(ALICE, 1);
    assert_eq!(taken.handle(BOB, &connect(line_link)), Err(ServerError::Contended));
}

#[test]
fn r13_7_packets_that_are_lost_repeated_or_never_acknowledged_do_no_harm() {
    let mut relay = broken(Broken { push_lost: true, ..Broken::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    assert_eq!(relay.send(BOB, line_id, b"lost").reply, None);
    assert_eq!(relay.waits(ALICE), ["LineFormed"]);

    let mut relay = broken(Broken { push_twice: true, acknowledge_lost: true, ..Broken::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    let (mut at_alice, mut at_bob) = common::confirmed();
    let packet = common::arrives(&at_bob.takes(&common::Input::seal("words")));
    relay.send(BOB, line_id, &common::payload_of(&packet));
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        for (_, event) in &relay.waiting(ALICE)[1..] {
            let Event::Packet { payload, .. } = Event::decode(event).unwrap() else { panic!() };
            let event = Event::Packet { line_id: common::line_id(), payload }.to_vec();
            outcomes.push(at_alice.give(&common::Input::Event(event), NOW).err());
        }
        relay.acknowledge_all(ALICE);
    }
    let repeated = Some(common::Refusal::Rejected(Rejected::Repeated));
    assert_eq!(outcomes, [None, repeated, repeated, repeated]);
}

#[derive(Clone, Debug)]
enum Op {
    Issue(u8, u8),
    Connect(u8, usize, bool),
    Packet(u8, usize, usize),
    Disconnect(u8, usize),
    Close(u8, usize),
    Acknowledge(u8, u64),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let (user, one) = (|| 1..4u8, || 0..12usize);
    prop_oneof![
        3 => (user(), 0..6u8).prop_map(|(user, id)| Op::Issue(user, id)),
        4 => (user(), one(), any::<bool>()).prop_map(|(user, link, proof)| Op::Connect(user, link, proof)),
        8 => (user(), one(), 0..70usize).prop_map(|(user, line, length)| Op::Packet(user, line, length)),
        1 => (user(), one()).prop_map(|(user, line)| Op::Disconnect(user, line)),
        1 => (user(), one()).prop_map(|(user, link)| Op::Close(user, link)),
        2 => (user(), 0..20u64).prop_map(|(user, upto)| Op::Acknowledge(user, upto)),
        1 => (0..40u64).prop_map(Op::Wait),
    ]
}

/// What an onlooker who sees all requests and replies knows.
#[derive(Default)]
struct Onlooker {
    links: Vec<(LineLink, u8)>,
    /// Each line: its link and its two ends.
    lines: Vec<(LineId, LineLink, [u8; 2])>,
    pairs: BTreeMap<BTreeSet<u8>, PairHash>,
    left: BTreeSet<(LineId, u8)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_users_ask_the_invariants_hold(ops in prop::collection::vec(op(), 1..120)) {
        let limits = Limits { links: 4, lines: 3, packets: 3, bytes: 60, lifetime: 60 * DAY, memory: 30 * DAY };
        let mut relay = relay(limits);
        let mut seen = Onlooker::default();
        for op in &ops {
            match *op {
                Op::Issue(of, id) => match relay.try_issue(of, id) {
                    Ok(link) if seen.links.contains(&(link, of)) => {}
                    Ok(link) => {
                        prop_assert!(seen.links.iter().all(|(other, _)| *other != link), "one link, two owners");
                        seen.links.push((link, of));
                    }
                    Err(error) => prop_assert_eq!(error, ServerError::TooManyLinks),
                },
                Op::Connect(by, link, proof) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    let proof = proof.then(bad_proof);
                    match relay.handle(by, &Request::Connect { line_link, proof }) {
                        Ok(Handled { reply: Some(Event::LineFormed { line_id, pair_hash, line_link: of, proof: None }), .. }) => {
                            prop_assert_eq!(of, line_link);
                            let line = (line_id, line_link, [owner, by]);
                            let known = seen.lines.iter().find(|(id, link, _)| *id == line_id || *link == line_link);
                            prop_assert!(known.is_none_or(|known| *known == line), "one link, two lines");
                            if known.is_none() {
                                seen.lines.push(line);
                            }
                            let pair = *seen.pairs.entry([owner, by].into()).or_insert(pair_hash);
                            prop_assert_eq!(pair, pair_hash);
                        }
                        Ok(Handled { reply: Some(Event::Refused { line_link: of, .. }), wake: [None, None] }) => {
                            prop_assert_eq!(of, line_link);
                        }
                        other => prop_assert_eq!(other, Err(ServerError::TooManyLines)),
                    }
                }
                Op::Packet(from, line, length) => {
                    let Some(&(line_id, _, ends)) = seen.lines.get(line) else { continue };
                    // Each says whose it is.
                    let payload = vec![b'0' + from; length];
                    match relay.handle(from, &Request::Packet { line_id, payload: &payload }) {
                        Ok(Handled { reply: Some(event), wake }) => {
                            prop_assert_eq!((event, wake), (Event::Disconnected { line_id }, [None; 2]));
                            let ended = ends.iter().any(|end| seen.left.contains(&(line_id, *end)));
                            prop_assert!(!ends.contains(&from) || ended);
                        }
                        Ok(Handled { reply: None, wake }) => {
                            prop_assert!(ends.contains(&from) && wake[0] != Some(user(from)));
                            prop_assert!(ends.iter().all(|end| !seen.left.contains(&(line_id, *end))));
                            if wake[1].is_some() {
                                let told = Event::Dropped { line_id }.to_vec();
                                prop_assert!(relay.waiting(from).iter().any(|(_, event)| *event == told));
                            }
                        }
                        Err(error) => prop_assert!(error == ServerError::TooLong && length > limits.bytes),
                    }
                }
                Op::Disconnect(by, line) => {
                    let Some(&(line_id, _, ends)) = seen.lines.get(line) else { continue };
                    prop_assert_eq!(relay.reply(by, &Request::Disconnect { line_id }), Event::Disconnected { line_id });
                    if ends.contains(&by) {
                        seen.left.insert((line_id, by));
                    }
                }
                Op::Close(by, link) => {
                    let Some(&(line_link, _)) = seen.links.get(link) else { continue };
                    prop_assert_eq!(relay.handle(by, &Request::CloseLineLink { line_link }), Ok(Handled { reply: None, wake: [None; 2] }));
                }
                Op::Acknowledge(by, upto) => {
                    let (before, after) = (relay.waiting(by), relay.server.acknowledge(user(by), upto));
                    prop_assert_eq!(after, Ok(()));
                    prop_assert_eq!(relay.waiting(by), before.into_iter().filter(|(n, _)| *n > upto).collect::<Vec<_>>());
                }
                Op::Wait(days) => relay.now.0 += days * DAY,
            }
            for of in [ALICE, BOB, CAROL] {
                let mut held: BTreeMap<LineId, Vec<String>> = BTreeMap::new();
                for (_, event) in relay.waiting(of) {
                    let event = Event::decode(&event).unwrap();
                    let (Event::LineFormed { line_id, .. } | Event::Packet { line_id, .. } | Event::Dropped { line_id } | Event::Disconnected { line_id }) = event else {
                        panic!("{event:?}");
                    };
                    // Nobody gets what isn't his, nor his own, nor anything of a line that he has left.
                    let (.., ends) = seen.lines.iter().find(|(id, ..)| *id == line_id).unwrap();
                    prop_assert!(ends.contains(&of) && !seen.left.contains(&(line_id, of)));
                    if let Event::Packet { payload, .. } = event {
                        prop_assert!(payload.iter().all(|from| *from - b'0' != of && ends.contains(&(*from - b'0'))));
                    }
                    let is_formed = matches!(event, Event::LineFormed { .. });
                    prop_assert!(!is_formed || ends[0] == of);
                    held.entry(line_id).or_default().push(word(&event));
                }
                prop_assert!(held.len() <= limits.lines);
                for words in held.values() {
                    let is_packet = |word: &&String| word.is_empty() || word.starts_with(['1', '2', '3']);
                    let packets: Vec<_> = words.iter().filter(is_packet).collect();
                    prop_assert!(packets.len() <= limits.packets);
                    prop_assert!(packets.iter().map(|payload| payload.len()).sum::<usize>() <= limits.bytes);
                    let rest: BTreeSet<_> = words.iter().filter(|word| !is_packet(word)).collect();
                    prop_assert_eq!(rest.len() + packets.len(), words.len(), "a notice twice: {:?}", words);
                }
            }
            for of in [ALICE, BOB, CAROL] {
                let links = seen.links.iter().filter(|(link, owner)| {
                    *owner == of && relay.server.directory().link(*link).unwrap().is_some()
                });
                prop_assert!(links.count() <= limits.links);
            }
        }
    }
}
