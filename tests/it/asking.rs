//! §14.5, §14.6: who waits for Alice's word, and who comes.
#![cfg(feature = "alloc")]

use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

fn asking(policy: Policy) -> Alice {
    superport(policy.require_approval(true))
}

/// Alice's end of a line that waits for approval, Bob's end of it, and Alice's end of a line that needs no approval.
fn asked() -> (Line, Line, Line) {
    let (alice, bob) = ends(&mut asking(Policy::unlimited()), 2, 9);
    let (free, _) = ends(&mut superport(Policy::unlimited()), 2, 9);
    (alice, bob, free)
}

/// The same of a Port for one use; how the proof travelled.
fn asked_once(how: SendProof) -> (Line, Line) {
    let (alice, bob) = lines(how, PortOptions::new().policy(Policy::once().require_approval(true)));
    let (mut alice, bob) = (alice.line(), bob.line());
    if how == SendProof::AlongTheLine {
        assert_eq!(alice.phase(), LinePhase::AwaitingProof);
        let effects = hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
        assert_eq!(words(&effects), "AwaitingApproval");
    }
    (alice, bob)
}

#[test]
fn r14_5_who_waits_is_not_answered_until_her_word() {
    let (once, once_bob) = asked_once(SendProof::Inline);
    let (along, along_bob) = asked_once(SendProof::AlongTheLine);
    let (many, many_bob, _) = asked();
    for (mut alice, mut bob) in [(once, once_bob), (along, along_bob), (many, many_bob)] {
        assert_eq!(
            (alice.phase(), words(&Any::from(Line::restore(&alice.record()).unwrap()).pending())),
            (LinePhase::AwaitingApproval, "AwaitingApproval".into())
        );
        assert!(alice.clear_outbox().is_none() && alice.deadline().is_none() && alice.tick(UnixSeconds::MAX).is_none());
        assert_eq!(said(&mut alice, "yes?"), Err(SealError::NotJoined));
        assert!(alice.confirmed().is_none() && alice.safety_number().is_none() && alice.export("", b"").is_none());
        let early = said(&mut bob, "may I?").unwrap();
        let before = alice.record().to_vec();
        assert_eq!(hears(&mut alice, &early, NOW), Err(Rejected::TooEarly));
        // A step that is dropped lets nobody in.
        drop(alice.accept(NOW).unwrap());
        drop(alice.decline().unwrap());
        assert_eq!(*alice.record(), before[..]);
        let mut alice = Line::restore(&before).unwrap();
        let sent: Vec<_> = alice.accept(NOW).unwrap().committed().map(of_line).collect();
        assert_eq!((words(&sent), alice.phase()), ("Confirm".into(), LinePhase::Joined));
        assert_eq!(alice.accept(NOW).err(), Some(Rejected::OutOfOrder));
        assert_eq!(alice.decline().err(), Some(Rejected::OutOfOrder));
        assert_eq!(heard(&hears(&mut alice, &early, NOW).unwrap()), ["may I?"]);
        hears(&mut bob, &pending(&alice)[0], NOW).unwrap();
        hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
        assert!(alice.confirmed().is_some() && alice.safety_number() == bob.safety_number());
    }
}

#[test]
fn r14_5_accepted_it_is_the_line_that_it_would_have_been() {
    let (mut alice, _, free) = asked();
    alice.accept(NOW).unwrap().committed().for_each(drop);
    assert_eq!(still(&alice), still(&free));
}

#[test]
fn r14_5_she_may_take_her_time_and_his_words_wait() {
    let (mut alice, mut bob, _) = asked();
    let early = said(&mut bob, "may I?").unwrap();
    let late = at(NOW.as_secs() + 9 * WEEK);
    assert!(alice.tick(late).is_none());
    assert_eq!(hears(&mut alice, &early, late), Err(Rejected::TooEarly));
    alice.accept(late).unwrap().committed().for_each(drop);
    // The seven days begin with her word (§8.8).
    assert_eq!(alice.deadline(), Some(at(late.as_secs() + DAY)));
    let mut ended = Any::from(Line::restore(&alice.record()).unwrap());
    for look in 1..=7 {
        // What is pending is sent again at each look.
        assert_eq!(words(&ended.give(&Input::Tick, at(late.as_secs() + look * DAY)).unwrap()), "Confirm");
    }
    assert_eq!(ended.give(&Input::Event(early.clone()), late), Err(Refusal::Rejected(Rejected::Forged)));
    assert_eq!(heard(&hears(&mut alice, &early, at(late.as_secs() + WEEK)).unwrap()), ["may I?"]);
}

#[test]
fn r14_5_turned_away_ended_or_gone_he_can_not_tell_why() {
    let (once, _) = asked_once(SendProof::Inline);
    let (along, _) = asked_once(SendProof::AlongTheLine);
    let confirm = |line: &Line| {
        let mut line = Line::restore(&line.record()).unwrap();
        line.accept(NOW).unwrap().committed().for_each(drop);
        payload_of(&pending(&line)[0])
    };
    for line in [once, along, asked().0] {
        let confirm = confirm(&line);
        for (what, end, sent) in [
            ("decline", CloseReason::Declined, "Disconnect, Ended"),
            ("close", CloseReason::ByUs, "Disconnect, Ended"),
            ("gone", CloseReason::ByRelay, "Ended"),
        ] {
            let mut line = Line::restore(&line.record()).unwrap();
            let id = line.claims().line_id;
            let effects: Vec<_> = match what {
                "decline" => line.decline().unwrap().committed().map(of_line).collect(),
                "close" => line.close().unwrap().committed().map(of_line).collect(),
                _ => hears(&mut line, &Event::Disconnected { line_id: id }.to_vec(), NOW).unwrap(),
            };
            assert_eq!(
                (words(&effects), effects.last()),
                (sent.into(), Some(&Effect::Ended(End::Line(end)))),
                "{what}"
            );
            // Nothing outward but that it is over: no key is left, and Confirm with it.
            assert!(line.record().len() < 160 && !line.record().windows(30).any(|part| part == &confirm[..30]));
            assert_eq!(line.accept(NOW).err(), Some(Rejected::OutOfOrder));
            assert_eq!(line.close().err(), Some(Rejected::Closed), "for good");
            clear_outbox(&mut line);
            assert_eq!(line.pending().count(), 0);
        }
    }
}

#[test]
fn r14_5_nothing_but_her_word_moves_who_waits() {
    for line in [asked().0, asked_once(SendProof::Inline).0] {
        let before = line.record().to_vec();
        let id = line.claims().line_id;
        let mut packets: Vec<_> = events(PortOptions::new()).into_iter().map(|(_, event)| event).collect();
        let (_, mut bob, mut free) = asked();
        packets.extend([said(&mut bob, "early").unwrap(), said(&mut free, "echo").unwrap(), pending(&free).remove(0)]);
        for event in packets {
            let Ok(Event::Packet { payload, .. }) = Event::decode(&event) else { continue };
            let event = Event::Packet { line_id: id, payload }.to_vec();
            let mut line = Line::restore(&before).unwrap();
            let expected = match Payload::decode(payload) {
                Ok(Payload::Sealed { .. }) => Rejected::TooEarly,
                Ok(_) => Rejected::OutOfOrder,
                Err(_) => Rejected::Malformed,
            };
            assert_eq!(hears(&mut line, &event, NOW), Err(expected));
            for bit in (0..event.len() * 8).step_by(3) {
                let mut flipped = event.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(hears(&mut line, &flipped, NOW).is_err());
            }
            assert_eq!(*line.record(), before[..]);
        }
        let dropped = Event::Dropped { line_id: id }.to_vec();
        assert_eq!(hears(&mut Line::restore(&before).unwrap(), &dropped, NOW), Err(Rejected::OutOfOrder));
        for bit in 0..before.len() * 8 {
            let mut flipped = before.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Line::restore(&flipped).map_or(true, |line| *line.record() == *flipped));
        }
    }
}

#[test]
fn r14_5_a_use_that_is_turned_away_counts() {
    let mut alice = asking(Policy::up_to(1));
    let (mut line, _) = ends(&mut alice, 2, 2);
    line.decline().unwrap().committed().for_each(drop);
    assert_eq!(alice.used(), 1);
    let proof = proof_of(3, &alice);
    assert_eq!(
        alice.handle(&formed(3, 3, Some(proof)), &NoPeers, NOW, &mut rng()).err(),
        Some(Rejected::UnwantedLine(id(3)))
    );
}

#[test]
fn r14_6_who_is_blocked_gets_no_line_and_is_refused_like_anybody() {
    let policies = [OnRepeat::Replace, OnRepeat::Allow, OnRepeat::Refuse];
    for policy in policies.map(|again| Policy::up_to(1).on_repeat(again)) {
        let mut alice = superport(policy);
        let (before, proof) = (alice.record().to_vec(), proof_of(2, &alice));
        let event = formed(2, 2, Some(proof.clone()));
        let mut blocked = Blocked::new();
        blocked.insert([2; 32].into());
        let mut refused = vec![alice.handle(&event, &blocked, NOW, &mut rng()).err()];
        refused.push(alice.handle(&event, &all_are(Relationship::Blocked), NOW, &mut rng()).err());
        // The same as a bad proof, none, a pause, or a limit that is reached.
        refused.push(alice.handle(&formed(2, 2, Some(bad_proof())), &NoPeers, NOW, &mut rng()).err());
        refused.push(alice.handle(&formed(2, 2, None), &NoPeers, NOW, &mut rng()).err());
        assert_eq!((*alice.record()).to_vec(), before);
        for closed in [policy.paused(true), Policy::up_to(0)] {
            alice.set_policy(closed).unwrap().committed().for_each(drop);
            refused.push(alice.handle(&event, &NoPeers, NOW, &mut rng()).err());
        }
        alice.revoke().unwrap().committed().for_each(drop);
        refused.push(alice.handle(&event, &NoPeers, NOW, &mut rng()).err());
        assert!(refused.iter().all(|error| *error == Some(Rejected::UnwantedLine(id(2)))), "{refused:?}");
        blocked.remove(&[2; 32].into());
        let mut alice = Alice::restore(&before).unwrap();
        assert!(alice.handle(&event, &blocked, NOW, &mut rng()).is_ok());
    }
}

#[test]
fn r14_6_a_port_for_one_use_is_spent_on_who_is_blocked() {
    for (relationship, again, expected) in [
        (Relationship::Blocked, OnRepeat::Allow, Some(PortOutcome::Blocked)),
        (Relationship::Connected(id(7)), OnRepeat::Refuse, Some(PortOutcome::AlreadyConnected)),
        (Relationship::Connected(id(7)), OnRepeat::Replace, None),
        (Relationship::Connected(id(7)), OnRepeat::Allow, None),
        (Relationship::Unknown, OnRepeat::Refuse, None),
    ] {
        for inline in [true, false] {
            let mut alice = offered(PortOptions::new().policy(Policy::once().on_repeat(again)));
            let proof = inline.then(|| proof_of(2, &alice));
            let step = alice.handle(&formed(2, 2, proof), &all_are(relationship), NOW, &mut rng()).unwrap();
            let line = line_of(step.committed());
            let end = if let AlicePhase::Ended(end) = alice.phase() { Some(end) } else { None };
            assert_eq!((end, line.is_none()), (expected, expected.is_some()));
            let said = words(&Any::from(alice).pending());
            assert!(expected.is_none() || said == "Disconnect, Ended", "{said}");
        }
    }
}

/// Both ends confirmed.
fn confirm(alice: &mut Line, bob: &mut Line) {
    hears(bob, &pending(alice)[0], NOW).unwrap();
    hears(alice, &pending(bob)[0], NOW).unwrap();
}

#[test]
fn r14_6_who_is_connected_already_is_refused_let_in_or_takes_the_old_ones_place() {
    for (again, replaces) in [(OnRepeat::Replace, Some(id(7))), (OnRepeat::Allow, None), (OnRepeat::Refuse, None)] {
        let mut alice = superport(Policy::unlimited().on_repeat(again));
        let (mut bob, proof) = connecting(2, alice.port().unwrap());
        let known = all_are(Relationship::Connected(id(7)));
        let outcome = alice.handle(&formed(2, 2, Some(proof)), &known, NOW, &mut rng());
        if again == OnRepeat::Refuse {
            assert_eq!(outcome.err(), Some(Rejected::UnwantedLine(id(2))));
            continue;
        }
        let mut alice = line_of(outcome.unwrap().committed()).unwrap();
        let mut bob = bob
            .handle(&connected(2, 2), &known, NOW, &mut rng())
            .unwrap()
            .committed()
            .find_map(|e| if let BobEffect::LineFormed(line) = e { Some(line) } else { None })
            .unwrap();
        assert_eq!((alice.replaces(), bob.replaces()), (None, None), "not before it is confirmed");
        confirm(&mut alice, &mut bob);
        assert_eq!((alice.replaces(), bob.replaces()), (replaces, Some(id(7))));
        alice = Line::restore(&alice.record()).unwrap();
        assert_eq!(alice.replaces(), replaces);
        alice.close().unwrap().committed().for_each(drop);
        assert_eq!(alice.replaces(), None);
    }
}

#[test]
fn r14_6_bob_takes_no_line_with_whom_he_blocked() {
    for policy in [Policy::once(), Policy::unlimited()] {
        let alice = superport(policy);
        let (mut bob, _) = connecting(2, alice.port().unwrap());
        let step = bob.handle(&connected(2, 2), &all_are(Relationship::Blocked), NOW, &mut rng()).unwrap();
        step.committed().for_each(drop);
        assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::Blocked));
        assert_eq!(words(&Any::from(bob).pending()), "Disconnect, Ended");
    }
}

/// There is a record of this line, which this Port has formed, and everybody is blocked.
struct ThereAndBlocked(LineId, PortHash);

impl Peers for ThereAndBlocked {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        (*line_id == self.0).then_some(self.1)
    }

    fn relationship(&self, _: &PeerMark) -> Relationship {
        Relationship::Blocked
    }
}

#[test]
fn r5_3_a_bob_who_has_forgotten_that_he_used_a_port_ends_no_line() {
    let port = Alice::offer(line_link(), expiring(), seed(1)).committed().port().unwrap().clone();
    let before = connecting(2, &port).0.record().to_vec();
    let (event, hash) = (connected(2, 9), port.hash());
    // The line of this event is stored, and this Port made it. So it is a good line, even if its user is blocked or the Port has expired.
    for (known, now) in [(id(9), NOW), (id(9), EXPIRY)] {
        let mut again = Bob::restore(&before).unwrap();
        let step = again.handle(&event, &ThereAndBlocked(known, hash), now, &mut rng()).unwrap();
        assert!(step.write().new_line.is_none());
        let said: Vec<_> = step.committed().map(|effect| format!("{effect:?}")).collect();
        assert_eq!(said, ["Ended(Refused(UsedByYou))"]);
        assert_eq!(again.phase(), BobPhase::Ended(UseOutcome::Refused(Reason::UsedByYou)));
        // And again: it is no stray.
        assert_eq!(again.handle(&event, &There(id(9), hash), now, &mut rng()).err(), Some(Rejected::Duplicate));
        assert_eq!(
            again.handle(&event, &NoPeers, now, &mut rng()).err(),
            Some(Rejected::UnwantedLine(id(9))),
            "he does not know"
        );
    }
    // Bob stores another line: the line of this event is new.
    let mut bob = Bob::restore(&before).unwrap();
    let step = bob.handle(&event, &There(id(8), hash), NOW, &mut rng()).unwrap();
    assert!(step.write().new_line.is_some());
    step.committed().for_each(drop);
    assert_eq!(bob.phase(), BobPhase::Formed(id(9)));
    // A line of before comes again to a Bob who has another now.
    assert_eq!(bob.handle(&connected(2, 8), &There(id(8), hash), NOW, &mut rng()).err(), Some(Rejected::Duplicate));
}

#[test]
fn r4_3_an_alice_who_has_forgotten_that_she_was_used_is_spent_with_the_line_that_there_is() {
    // Alice's record was rolled back. The line's record was not.
    for proof in [None, Some(bad_proof()), Some(proof_of(2, &offering(Policy::once())))] {
        for now in [NOW, EXPIRY] {
            let mut alice = Alice::offer(line_link(), expiring(), seed(1)).committed();
            let known = ThereAndBlocked(id(9), alice.port().unwrap().hash());
            let mark = ReplayMark::from(*alice.port().unwrap().hash().as_bytes());
            let step = alice.handle(&formed(9, 2, proof.clone()), &known, now, &mut rng()).unwrap();
            assert!(
                step.write().new_line.is_none()
                    && Put::step(&step).mark() == Some(mark)
                    && step.write().unique.map(|(_, then)| then) == Some(OnDuplicate::Revoke)
            );
            assert_eq!(step.committed().count(), 0);
            assert_eq!((alice.phase(), alice.clear_outbox().is_none()), (AlicePhase::Formed(id(9)), true));
            assert_eq!(
                alice.handle(&formed(7, 2, proof.clone()), &NoPeers, NOW, &mut rng()).err(),
                Some(Rejected::UnwantedLine(id(7)))
            );
        }
    }
}

#[test]
fn r14_6_no_peers_block_nobody_and_know_no_line_and_no_ticket() {
    assert!(NoPeers.port_of_line(&id(9)).is_none() && NoPeers.ticket(&[7; 32].into()).is_none());
    assert_eq!(NoPeers.relationship(&[2; 32].into()), Relationship::Unknown);
    let unknown = |_: &PeerMark| Relationship::Unknown;
    assert!(unknown.port_of_line(&id(9)).is_none() && unknown.ticket(&[7; 32].into()).is_none());
    let mut blocked = Blocked::new();
    blocked.insert([2; 32].into());
    assert!(blocked.port_of_line(&id(9)).is_none() && blocked.ticket(&[7; 32].into()).is_none());

    // With any of the three, a visitor that has a good proof gets in, unless that user is blocked.
    let alice = superport(Policy::unlimited().on_repeat(OnRepeat::Refuse));
    let event = formed(2, 2, Some(proof_of(2, &alice)));
    let gets_in = |peers: &dyn Fn(&mut Alice) -> bool| peers(&mut Alice::restore(&alice.record()).unwrap());
    assert!(gets_in(&|alice| alice.handle(&event, &NoPeers, NOW, &mut rng()).is_ok()));
    assert!(gets_in(&|alice| alice.handle(&event, &unknown, NOW, &mut rng()).is_ok()));
    assert!(!gets_in(&|alice| alice.handle(&event, &blocked, NOW, &mut rng()).is_ok()));
    assert!(!gets_in(&|alice| alice.handle(&event, &all_are(Relationship::Blocked), NOW, &mut rng()).is_ok()));
    assert!(!gets_in(&|alice| alice.handle(&event, &all_are(Relationship::Connected(id(7))), NOW, &mut rng()).is_ok()));

    // A closure is asked about this user alone.
    let asked = std::cell::RefCell::new(Vec::new());
    let peers = |peer: &PeerMark| {
        asked.borrow_mut().push(*peer);
        Relationship::Unknown
    };
    assert!(gets_in(&|alice| alice.handle(&event, &peers, NOW, &mut rng()).is_ok()));
    assert_eq!(*asked.borrow(), [PeerMark::from([2; 32])]);

    // Nor is a ticket good that nobody announced: without tables, none is.
    let contact = PortOptions::new().policy(Policy::unlimited()).introducer(id(7));
    let mut alice = offered(contact);
    let mut carol = Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(7)).unwrap().committed();
    let name = IntroducerName::new("Carol").unwrap();
    carol.introduce(name, None, seed(5), NOW).unwrap().committed().for_each(drop);
    let Some(IntroducerEffect::Ready(port)) = carol.mark_announced().unwrap().committed().next() else { panic!() };
    let event = formed(2, 2, Some(connecting(2, &port).1));
    for refused in [
        alice.handle(&event, &NoPeers, NOW, &mut rng()).err(),
        alice.handle(&event, &unknown, NOW, &mut rng()).err(),
        alice.handle(&event, &Blocked::new(), NOW, &mut rng()).err(),
    ] {
        assert_eq!(refused, Some(Rejected::UnknownTicket(id(2))));
    }
}

#[test]
fn r14_4_an_event_that_comes_again_to_a_port_for_many_that_knows_nothing_of_it_is_repeated() {
    let mut alice = offering(Policy::unlimited());
    let (before, proof) = (alice.record().to_vec(), proof_of(2, &alice));
    for proof in [None, Some(bad_proof()), Some(proof)] {
        let event = formed(9, 2, proof);
        let known = There(id(9), alice.port().unwrap().hash());
        assert_eq!(alice.handle(&event, &known, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
        assert_eq!(*alice.record(), before[..]);
    }
}

/// M2: the relay says that this Port formed a line that another Port has formed.
#[test]
fn r4_3_a_line_of_another_port_is_the_relays_lie() {
    let elsewhere = Alice::offer([7; 16].into(), PortOptions::new(), seed(9)).committed().port().unwrap().hash();
    for proof in [None, Some(bad_proof()), Some(proof_of(2, &offering(Policy::once())))] {
        // A Port for one use is dead, by its first use. The line of the other Port is left in peace.
        let mut alice = offered(PortOptions::new());
        let mark = ReplayMark::from(*alice.port().unwrap().hash().as_bytes());
        let step = alice.handle(&formed(9, 2, proof.clone()), &There(id(9), elsewhere), NOW, &mut rng()).unwrap();
        assert!(step.write().new_line.is_none());
        assert_eq!(step.write().unique, Some((mark, OnDuplicate::Revoke)));
        step.committed().for_each(drop);
        let mut alice = Alice::restore(&alice.record()).unwrap();
        assert_eq!(alice.phase(), AlicePhase::Ended(PortOutcome::FalseLine));
        let effects: Vec<_> = alice.pending().collect();
        assert!(
            matches!(
                effects[..],
                [AliceEffect::Send(Request::CloseLineLink { line_link: link }), AliceEffect::Ended(PortOutcome::FalseLine)]
                    if link == line_link()
            ),
            "{effects:?}"
        );
        drop(effects);
        let again = alice.handle(&formed(9, 2, proof.clone()), &There(id(9), elsewhere), NOW, &mut rng()).err();
        assert_eq!(again, Some(Rejected::Duplicate), "nor is it ended by a tombstone");

        // A Port for many goes on.
        let mut alice = superport(Policy::unlimited());
        let before = alice.record().to_vec();
        let outcome = alice.handle(&formed(9, 2, proof), &There(id(9), elsewhere), NOW, &mut rng()).err();
        assert_eq!((outcome, &alice.record()[..]), (Some(Rejected::FalseLine), &before[..]));
        let good = proof_of(2, &alice);
        assert!(alice.handle(&formed(9, 2, Some(good)), &NoPeers, NOW, &mut rng()).is_ok());
    }
}

#[test]
fn r5_3_a_line_of_another_port_is_the_relays_lie() {
    let elsewhere = Alice::offer([7; 16].into(), PortOptions::new(), seed(9)).committed().port().unwrap().hash();
    for policy in [Policy::once(), Policy::unlimited()] {
        let alice = Alice::offer(line_link(), expiring().policy(policy), seed(1)).committed();
        // Whatever else is against it: it is no line of Bob's that could be disconnected.
        for (peers, now) in [(elsewhere, NOW), (elsewhere, EXPIRY)] {
            let (mut bob, _) = connecting(2, alice.port().unwrap());
            let step = bob.handle(&connected(2, 9), &ThereAndBlocked(id(9), peers), now, &mut rng()).unwrap();
            assert!(step.write().new_line.is_none());
            step.committed().for_each(drop);
            let mut bob = Bob::restore(&bob.record()).unwrap();
            assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::FalseLine));
            let effects: Vec<_> = bob.pending().collect();
            assert!(matches!(effects[..], [BobEffect::Ended(UseOutcome::FalseLine)]), "{effects:?}");
            drop(effects);
            let again = bob.handle(&connected(2, 9), &There(id(9), elsewhere), NOW, &mut rng()).err();
            assert_eq!(again, Some(Rejected::Duplicate));
        }
    }
}
