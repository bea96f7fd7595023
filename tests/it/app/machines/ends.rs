//! How Ports and lines end, and events that no machine takes.

use super::*;
use crate::common::cbor::Cbor;
use port_protocol::app::{LineEffect, LinePhase};

#[test]
fn r17_10_ends_of_a_port() {
    // Given up before there was an id.
    let mut gone = Alice::request(PortOptions::new(), seed(1)).committed();
    gone.revoke().unwrap().committed().for_each(drop);
    assert_eq!(gone.issued(link(), NOW).err(), Some(Rejected::OutOfOrder));
    // By the deadline, at either side.
    for kind in KINDS {
        let mut alice = Alice::offer(link(), offer(kind).expires(NOW), seed(1)).committed();
        let bundle = shown(&alice, 7);
        assert_eq!(bundle.expires(), Some(NOW));
        let mut bob = Bob::scan(&bundle, seed(2)).committed();
        // What was not sent is not ended by a clock.
        assert_eq!((alice.deadline(), bob.deadline()), (Some(NOW), None));
        assert_eq!(bob.connect(&name("Bob"), NOW).err(), Some(Rejected::Expired));
        bob.connect(&name("Bob"), at(NOW.as_secs() - 1)).unwrap().committed().for_each(drop);
        assert_eq!(bob.deadline(), Some(NOW));
        bob.tick(NOW).unwrap().committed().for_each(drop);
        assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::Expired));
        alice.tick(NOW).unwrap().committed().for_each(drop);
        assert_eq!(alice.phase(), AlicePhase::Ended(PortOutcome::Expired));
    }
    // Bob's: cancelled, blocked, used before.
    let bundle = shown(&alice(PortKind::Port), 7);
    let mut bob = connecting(&bundle, 2);
    assert_eq!(bob.connect(&name("Bob"), NOW).err(), Some(Rejected::OutOfOrder));
    bob.cancel().unwrap().committed().for_each(drop);
    assert_eq!(bob.connected(line_id(2), Some(pair(2)), &NoPeers, NOW).err(), Some(Rejected::UnwantedLine(line_id(2))));
    let mut bob = connecting(&bundle, 2);
    let blocked = Tables { blocked: Some(pair(2)), ..Tables::default() };
    let effects: Vec<_> = bob.connected(line_id(2), Some(pair(2)), &blocked, NOW).unwrap().committed().collect();
    assert!(
        matches!(effects[..], [BobEffect::Send(Request::Disconnect(_)), BobEffect::Ended(UseOutcome::Blocked)]),
        "{effects:?}"
    );
    let mut bob = connecting(&bundle, 2);
    let there = Tables { lines: vec![(line_id(2), hash_of(&bundle))], ..Tables::default() };
    let step = bob.connected(line_id(2), Some(pair(2)), &there, NOW).unwrap();
    assert!(step.write().new_line.is_none());
    step.committed().for_each(drop);
    assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::Refused(Reason::UsedByYou)));
}

/// §17.8: without a pair hash we can't tell whether the peer is blocked. So Bob must disconnect the line and give the Port up.
#[test]
fn r17_10_a_line_of_no_pair_is_disconnected() {
    let bundle = shown(&alice(PortKind::Port), 7);
    let mut bob = Bob::scan(&bundle, seed(2)).committed();
    assert_eq!(bob.connected(line_id(2), None, &NoPeers, NOW).err(), Some(Rejected::OutOfOrder));
    let mut bob = connecting(&bundle, 2);
    let step = bob.connected(line_id(2), None, &NoPeers, NOW).unwrap();
    assert!(step.write().new_line.is_none());
    step.committed().for_each(drop);
    // After a crash Bob still says so.
    let mut bob = Bob::restore(&bob.record()).unwrap();
    let effects: Vec<_> = bob.pending().collect();
    assert!(
        matches!(
            effects[..],
            [BobEffect::Send(Request::Disconnect(id)), BobEffect::Ended(UseOutcome::NoPairHash)] if id == line_id(2)
        ),
        "{effects:?}"
    );
    drop(effects);
    assert_eq!(bob.connected(line_id(2), None, &NoPeers, NOW).err(), Some(Rejected::UnwantedLine(line_id(2))));

    // A line that is there is not ended.
    let there = Tables { lines: vec![(line_id(2), hash_of(&bundle))], ..Tables::default() };
    assert_eq!(bob.connected(line_id(2), None, &there, NOW).err(), Some(Rejected::Duplicate));
    let mut bob = connecting(&bundle, 2);
    bob.connected(line_id(2), None, &there, NOW).unwrap().committed().for_each(drop);
    assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::Refused(Reason::UsedByYou)));
    assert_eq!(bob.pending().count(), 1);
    let mut bob = connecting(&bundle, 2);
    bob.connected(line_id(2), Some(pair(2)), &NoPeers, NOW).unwrap().committed().for_each(drop);
    assert_eq!(bob.connected(line_id(2), None, &NoPeers, NOW).err(), Some(Rejected::Duplicate));
}

#[test]
fn r17_10_an_answer_past_the_expiry_forms_no_line() {
    let alice = Alice::offer(link(), PortOptions::new().expires(LATER), seed(1)).committed();
    let mut bob = connecting(&shown(&alice, 7), 2);
    let step = bob.connected(line_id(2), Some(pair(2)), &NoPeers, LATER).unwrap();
    assert!(step.write().new_line.is_none());
    let effects: Vec<_> = step.committed().collect();
    assert!(
        matches!(
            effects[..],
            [BobEffect::Send(Request::Disconnect(id)), BobEffect::Ended(UseOutcome::Expired)] if id == line_id(2)
        ),
        "{effects:?}"
    );
}

/// §14.6: nothing confirms such a line, so it takes no other's place.
#[test]
fn r17_10_a_bob_who_is_connected_gets_one_more_line() {
    let record = |connected| {
        let mut bob = connecting(&shown(&alice(PortKind::Port), 7), 2);
        let tables = Tables { connected, ..Tables::default() };
        let step = bob.connected(line_id(2), Some(pair(2)), &tables, NOW).unwrap();
        step.write().new_line.unwrap().record.to_vec()
    };
    assert_eq!(record(Some((pair(2), line_id(8)))), record(None));
}

/// A bundle names no relay, and no time that can't be written.
#[test]
fn r17_10_what_a_bundle_cannot_say_is_not_kept() {
    let plain = Alice::offer(link(), PortOptions::new(), seed(1)).write().row.record.to_vec();
    let relay = PortOptions::new().relay(RelayAddr::new("relay.example").unwrap());
    assert_eq!(Alice::offer(link(), relay, seed(1)).write().row.record.to_vec(), plain);
    let last = at(253_402_300_799);
    let alice = Alice::request(PortOptions::new().expires(UnixSeconds::MAX), seed(1)).committed();
    assert_eq!(alice.deadline(), Some(last));
    let alice = Alice::offer(link(), PortOptions::new().expires(UnixSeconds::MAX), seed(1)).committed();
    assert_eq!((alice.deadline(), shown(&alice, 7).expires()), (Some(last), Some(last)));
}

#[test]
fn r17_10_a_line_that_is_over_opens_and_seals_nothing() {
    let sealed = ends(&mut alice(PortKind::Port), 2).1.seal([1; 16], "hello").unwrap();
    let ended = event(Happened::Ended { line_id: line_id(2) });
    for end in [CloseReason::ByUs, CloseReason::ByRelay, CloseReason::Declined] {
        let options = PortOptions::new().policy(Policy::once().require_approval(end == CloseReason::Declined));
        let mut line = ends(&mut Alice::offer(link(), options, seed(1)).committed(), 2).0;
        assert_eq!(line.open(&sealed).is_ok(), end != CloseReason::Declined);
        let key = line.record().to_vec();
        let step = match end {
            CloseReason::ByUs => line.close(),
            CloseReason::ByRelay => line.handle(&ended),
            _ => line.decline(),
        };
        let effects: Vec<_> = step.unwrap().committed().collect();
        assert_eq!(effects, expected_of(end));
        drop(effects);
        for cleared in [false, true] {
            let mut restored = UnauthenticatedLine::restore(&line.record()).unwrap();
            assert_eq!(restored.pending().collect::<Vec<_>>(), if cleared { vec![] } else { expected_of(end) });
            assert_eq!(restored.open(&sealed).err(), Some(Rejected::Closed));
            assert_eq!(restored.seal([1; 16], "x").err(), Some(SealError::Closed));
            for again in [restored.close().err(), restored.handle(&ended).err()] {
                assert_eq!(again, Some(Rejected::Closed));
            }
            assert_eq!(restored.accept().err(), Some(Rejected::OutOfOrder));
            assert_eq!(restored.phase(), LinePhase::Closed);
            // The key is in the record no more.
            let secret = Cbor::read(&key).at(&[3, 1, 1]).bytes().to_vec();
            assert!(!line.record().windows(8).any(|bytes| secret.windows(8).any(|part| part == bytes)));
            if !cleared {
                line.clear_outbox().unwrap().committed().for_each(drop);
                assert!(line.clear_outbox().is_none());
            }
        }
    }
}

fn expected_of(end: CloseReason) -> Vec<LineEffect<'static>> {
    let disconnect = LineEffect::Send(Request::Disconnect(line_id(2)));
    Some(disconnect).filter(|_| end != CloseReason::ByRelay).into_iter().chain([LineEffect::Ended(end)]).collect()
}

#[test]
fn r17_10_an_alice_who_asks_hears_nothing_before_her_word() {
    for kind in KINDS {
        let policy = if kind == PortKind::Port { Policy::once() } else { Policy::up_to(3) };
        let offer = offer(kind).policy(policy.require_approval(true));
        let (mut line, at_bob) = ends(&mut Alice::offer(link(), offer, seed(1)).committed(), 2);
        let sealed = at_bob.seal([1; 16], "hello").unwrap();
        assert_eq!(line.pending().collect::<Vec<_>>(), [LineEffect::AwaitingApproval]);
        assert_eq!(line.open(&sealed).err(), Some(Rejected::TooEarly));
        assert_eq!(line.seal([1; 16], "x").err(), Some(SealError::NotJoined));
        assert!(line.clear_outbox().is_none() && line.deadline().is_none() && line.tick(LATER).is_none());
        line.accept().unwrap().committed().for_each(drop);
        let mut line = UnauthenticatedLine::restore(&line.record()).unwrap();
        assert_eq!((line.pending().count(), line.phase()), (0, LinePhase::Open));
        assert_eq!(line.open(&sealed).unwrap().as_str(), "hello");
        for refused in [line.accept().err(), line.decline().err()] {
            assert_eq!(refused, Some(Rejected::OutOfOrder));
        }
    }
}

#[test]
fn r17_10_events_of_others_are_refused() {
    let mut alice = alice(PortKind::Port);
    let (mut line, at_bob) = ends(&mut self::alice(PortKind::Superport), 2);
    let content = at_bob.seal([1; 16], "hello").unwrap();
    let message = |n| event(Happened::Message { line_id: line_id(n), content: content.clone() });
    let ended = |n| event(Happened::Ended { line_id: line_id(n) });
    let mut elsewhere = used(PortKind::Port, 2, Intro::from_json("{}"));
    if let Happened::Used { port_id, .. } = &mut elsewhere.what {
        *port_id = [4; 16].into();
    }
    for event in [message(2), ended(2), elsewhere] {
        assert_eq!(alice.handle(&event, &NoPeers, NOW, &mut Unused).err(), Some(Rejected::WrongMachine));
    }
    for event in [message(3), ended(3), used(PortKind::Port, 2, Intro::from_json("{}"))] {
        assert_eq!(line.handle(&event).err(), Some(Rejected::WrongMachine));
    }
    assert_eq!(line.handle(&message(2)).err(), Some(Rejected::OutOfOrder));
}

/// M2: the server says that this Port formed a line that another Port has formed.
#[test]
fn r4_3_a_line_of_another_port_is_the_servers_lie_in_this_dialect_too() {
    let elsewhere = hash_of(&shown(&Alice::offer([9; 16].into(), PortOptions::new(), seed(5)).committed(), 7));
    for kind in KINDS {
        let lie = Tables { lines: vec![(line_id(2), elsewhere)], ..knowing(7) };
        let mut alice = alice(kind);
        let bundle = shown(&alice, 7);
        assert_ne!(hash_of(&bundle), elsewhere);
        let (before, event) = (alice.record().to_vec(), used(kind, 2, intro_of(&connecting(&bundle, 2))));
        match alice.handle(&event, &lie, NOW, &mut Unused) {
            Ok(step) => {
                assert!(kind == PortKind::Port && step.write().new_line.is_none());
                step.committed().for_each(drop);
                let effects: Vec<_> = alice.pending().collect();
                // The server has no request that closes an id for one use.
                assert!(matches!(effects[..], [AliceEffect::Ended(PortOutcome::FalseLine)]), "{effects:?}");
            }
            Err(error) => {
                assert_eq!((kind == PortKind::Port, error), (false, Rejected::FalseLine));
                assert_eq!(alice.record()[..], before[..]);
            }
        }
        for pair_hash in [Some(pair(2)), None] {
            let mut bob = connecting(&bundle, 2);
            let step = bob.connected(line_id(2), pair_hash, &lie, NOW).unwrap();
            assert!(step.write().new_line.is_none());
            step.committed().for_each(drop);
            let effects: Vec<_> = bob.pending().collect();
            assert!(matches!(effects[..], [BobEffect::Ended(UseOutcome::FalseLine)]), "{effects:?}");
        }
    }
}
