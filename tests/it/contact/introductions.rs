//! §16.3: what an introducer and Alice say to each other.

use super::*;

#[test]
fn r16_3_introductions_go_along_a_confirmed_line_only() {
    let withdrawn = IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) };
    let mut buffer = [0; 512];
    let (mut at_alice, mut at_carol) = contact_joined(CAROL);
    assert_eq!(at_alice.seal_introducer_message(&withdrawn, &mut buffer).map(drop), Err(SealError::Unconfirmed));
    assert_eq!(at_carol.seal_introducer_message(&withdrawn, &mut buffer).map(drop), Err(SealError::Unconfirmed));
    let mut waits = Alice::offer(link(CAROL), PortOptions::new(), seed(1)).committed();
    let mut waits = line_of_alice(&mut waits, &formed_on(link(CAROL), CAROL, None), &NoPeers);
    assert_eq!(waits.seal_introducer_message(&withdrawn, &mut buffer).map(drop), Err(SealError::NotJoined));
    assert_eq!(waits.close().unwrap().committed().count(), 2);
    assert_eq!(waits.seal_introducer_message(&withdrawn, &mut buffer).map(drop), Err(SealError::Closed));
    confirm(&mut at_alice, &mut at_carol);
    assert_eq!(at_carol.seal_introducer_message(&withdrawn, &mut [0; 96]).map(drop), Err(SealError::BufferTooSmall));
    let too_long = IntroducerMessage::Grant { port: &[0; 300] };
    assert_eq!(at_carol.seal_introducer_message(&too_long, &mut buffer).map(drop), Err(SealError::TooLong));

    // It confirms as a message does, if it comes before Confirm does: Alice is confirmed by Bob's first words.
    let (mut at_alice, mut at_carol) = contact_joined(CAROL);
    let mut out = [0; 128];
    let step = at_carol.seal(b"hello", &[], &mut out).unwrap();
    let Some(LineEffect::Send(Request::Packet { line_id, payload })) = step.committed().next() else { panic!() };
    let hello = Event::Packet { line_id, payload }.to_vec();
    hand(&mut at_alice, &hello, &mut buffer, NOW).unwrap().committed().for_each(drop);
    let said = introduce(&mut at_alice, &withdrawn);
    let effects: Vec<_> =
        hand(&mut at_carol, &said, &mut buffer, NOW).unwrap().committed().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert_eq!(effects[0], "IntroducerMessage(Withdrawn(LineLink([redacted])))");
    assert!(effects[1].contains("Answer") || effects[1].starts_with("Send"), "{effects:?}");
    assert!(at_carol.confirmed().is_some());
}

/// The packet's length does not tell the introducer's name, nor an expiry.
#[test]
fn r16_3_introductions_are_padded() {
    let (_, mut carol) = granted(CAROL);
    let (mut line, _) = contact(CAROL);
    let mut length = |introduction: &IntroducerMessage<'_>| payload_of(&introduce(&mut line, introduction)).len();
    let short = ticket(&mut carol, 8, "Caroline", None).0;
    let long = ticket(&mut carol, 9, &"n".repeat(32), Some(UnixSeconds::MAX)).0;
    let lengths = [short, long].map(|notice| length(&IntroducerMessage::Ticket(notice)));
    assert_eq!(lengths, [lengths[0]; 2]);
    // The longest is within the bound.
    let alice = Alice::offer(link(3), longest().policy(Policy::unlimited()).introducer(id(CAROL)), seed(1)).committed();
    let grant = alice.port().unwrap().to_bytes();
    let grant = IntroducerMessage::Grant { port: grant.as_slice() };
    assert_eq!(padded_len(grant.to_vec().len()), MAX_INTRODUCER_MESSAGE);
    assert!(length(&grant) <= MAX_INTRODUCER_MESSAGE + SEAL_OVERHEAD);
}

#[test]
fn r16_3_every_flip_of_an_introduction_is_forged() {
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let (alice, mut carol) = granted(CAROL);
    let notice = ticket(&mut carol, 9, "Carol", Some(EXPIRY)).0;
    let grant = alice.port().unwrap().to_bytes();
    let mut out = [0; 512];
    let sent = [
        introduce(&mut carol_alice, &IntroducerMessage::Ticket(notice)),
        introduce(&mut carol_alice, &IntroducerMessage::Grant { port: grant.as_slice() }),
        introduce(&mut carol_alice, &IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) }),
    ];
    let before = alice_carol.record().to_vec();
    for packet in &sent {
        for bit in 0..packet.len() * 8 {
            let mut flipped = packet.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(hand(&mut alice_carol, &flipped, &mut out, NOW).is_err(), "{bit}");
            assert_eq!(*alice_carol.record(), before[..]);
        }
    }
    // As they are, in any order, once.
    for packet in sent.iter().rev() {
        hear(&mut alice_carol, packet);
        assert_eq!(hand(&mut alice_carol, packet, &mut out, NOW).map(drop), Err(Rejected::Duplicate));
    }
}

/// One who holds the line's keys says what is no introduction: nothing moves.
#[test]
fn r16_3_a_text_that_is_no_introduction_moves_nothing() {
    let (mut at_alice, _) = confirmed();
    let to_alice = keys::keys(PortOptions::new()).to_alice;
    let padded = |text: &[u8]| {
        let mut padded = [text, &[0x80]].concat();
        padded.resize(padded_len(text.len()), 0);
        padded
    };
    let (alice, mut carol) = granted(CAROL);
    let good = IntroducerMessage::Ticket(ticket(&mut carol, 9, "Carol", None).0).to_vec();
    let grant = alice.port().unwrap().to_bytes();
    let plain = port(PortOptions::new()).to_bytes();
    let of =
        |tag: u64, field: Cbor| Cbor::Array(vec![Cbor::Uint(1), Cbor::Array(vec![Cbor::Uint(tag), field])]).write();
    let no_introductions = [
        (vec![], Rejected::Malformed),
        ([&good[..], &[0]].concat(), Rejected::Malformed),
        (good[..good.len() - 1].to_vec(), Rejected::Malformed),
        ([&[0x82, 2], &good[2..]].concat(), Rejected::UnsupportedVersion),
        (of(1, Cbor::Bytes(plain.as_slice().to_vec())), Rejected::Malformed),
        (of(1, Cbor::Bytes([grant.as_slice(), &[0]].concat())), Rejected::Malformed),
        (of(1, Cbor::Bytes(vec![])), Rejected::Malformed),
        (of(3, Cbor::Bytes(vec![7; 15])), Rejected::Malformed),
        (of(4, Cbor::Bytes(vec![7; 16])), Rejected::Malformed),
    ];
    for (text, error) in no_introductions {
        let payload = keys::sealed(&to_alice, 8, 0, 20, &padded(&text), b"");
        let event = Event::Packet { line_id: line_id(), payload: &payload }.to_vec();
        assert_eq!(at_alice.give(&Input::Event(event), NOW), Err(Refusal::Rejected(error)), "{}", hex::encode(&text));
    }
    // Not padded; and the same with padding is one. The caller's associated data is no matter.
    let send = |text: &[u8]| keys::sealed(&to_alice, 8, 0, 20, text, b"");
    let event = Event::Packet { line_id: line_id(), payload: &send(&good) }.to_vec();
    assert_eq!(at_alice.give(&Input::Event(event), NOW), Err(Refusal::Rejected(Rejected::Forged)));
    assert_eq!(at_alice.takes(&Input::Open(send(&padded(&good)), b"data".to_vec())), [Effect::IntroducerMessage(good)]);
}

#[test]
fn r16_3_alice_is_told_before_there_is_anything_for_bob() {
    let (_, mut carol) = granted(CAROL);
    assert_eq!(carol.mark_announced().map(drop), Err(Rejected::OutOfOrder));
    assert!(carol.clear_outbox().is_none() && carol.pending().next().is_none());
    let step = carol.introduce(name("Carol"), None, seed(9), NOW).unwrap();
    step.committed().for_each(drop);
    // Whatever is tried, in this process or another: only `mark_announced` leads on.
    for _ in 0..2 {
        assert!(carol.clear_outbox().is_none());
        let pending: Vec<_> = carol.pending().collect();
        assert!(matches!(pending[..], [IntroducerEffect::Announce(..)]), "{pending:?}");
        assert_eq!(carol.introduce(name("Carol"), None, seed(8), NOW).map(drop), Err(Rejected::TicketPending));
        carol = Introducer::restore(&carol.record()).unwrap();
    }
    drop(carol.mark_announced().unwrap());
    assert_eq!(carol.phase(), IntroducerPhase::Announcing);
    carol.mark_announced().unwrap().committed().for_each(drop);
    let ready = |carol: &Introducer| match carol.pending().next() {
        Some(IntroducerEffect::Ready(port)) => port.to_bytes().as_slice().to_vec(),
        other => panic!("{other:?}"),
    };
    let again = Introducer::restore(&carol.record()).unwrap();
    assert_eq!(ready(&again), ready(&carol));
    assert_eq!(carol.introduce(name("Carol"), None, seed(8), NOW).map(drop), Err(Rejected::TicketPending));
    carol.clear_outbox().unwrap().committed().for_each(drop);
    assert_eq!(carol.phase(), IntroducerPhase::Granted);
    // No ticket is left behind.
    assert_eq!(carol.record().len(), granted(CAROL).1.record().len());
}

#[test]
fn r16_3_nobody_is_introduced_once_it_is_over() {
    let over = |carol: &mut Introducer, end| {
        assert_eq!(carol.phase(), IntroducerPhase::Ended(end));
        let pending: Vec<_> = carol.pending().collect();
        assert_eq!(pending, [IntroducerEffect::Ended(end)]);
        carol.clear_outbox().unwrap().committed().for_each(drop);
        assert!(carol.clear_outbox().is_none() && carol.deadline().is_none() && carol.line_id().is_none());
        assert_eq!(carol.introduce(name("Carol"), None, seed(9), NOW).map(drop), Err(Rejected::OutOfOrder));
        assert_eq!(carol.mark_announced().map(drop), Err(Rejected::OutOfOrder));
        assert_eq!(carol.cancel().map(drop), Err(Rejected::OutOfOrder));
        let withdrawn = IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) };
        assert_eq!(carol.handle(&withdrawn, id(CAROL)).map(drop), Err(Rejected::OutOfOrder));
    };
    let at = |how: u8| {
        let (_, mut carol) = granted(CAROL);
        if how > 0 {
            carol.introduce(name("Carol"), None, seed(9), NOW).unwrap().committed().for_each(drop);
        }
        if how > 1 {
            carol.mark_announced().unwrap().committed().for_each(drop);
        }
        carol
    };
    for how in 0..3 {
        let mut carol = at(how);
        let other = IntroducerMessage::Withdrawn { line_link: link(DAVE) };
        assert_eq!(carol.handle(&other, id(CAROL)).map(drop), Err(Rejected::WrongMachine));
        let withdrawn = IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) };
        assert_eq!(carol.handle(&withdrawn, id(DAVE)).map(drop), Err(Rejected::WrongMachine));
        carol.handle(&withdrawn, id(CAROL)).unwrap().committed().for_each(drop);
        over(&mut carol, GrantOutcome::Withdrawn);
        let mut carol = at(how);
        carol.cancel().unwrap().committed().for_each(drop);
        over(&mut carol, GrantOutcome::Cancelled);
    }
    let offer = expiring().policy(Policy::unlimited()).introducer(id(CAROL));
    let alice = Alice::offer(link(CAROL + 1), offer, seed(1)).committed();
    let grant = || Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(CAROL)).unwrap().committed();
    let mut carol = grant();
    // What was not said is not ended by a clock.
    assert!(carol.deadline().is_none() && carol.tick(UnixSeconds::MAX).is_none());
    assert_eq!(carol.introduce(name("Carol"), None, seed(9), EXPIRY).err(), Some(Rejected::Expired));
    carol.introduce(name("Carol"), None, seed(9), NOW).unwrap().committed().for_each(drop);
    for ready in [false, true] {
        let mut carol = Introducer::restore(&carol.record()).unwrap();
        if ready {
            carol.mark_announced().unwrap().committed().for_each(drop);
        }
        assert!(carol.deadline() == Some(EXPIRY) && carol.tick(NOW).is_none());
        carol.tick(EXPIRY).unwrap().committed().for_each(drop);
        over(&mut carol, GrantOutcome::Expired);
    }
}

#[test]
fn r16_3_a_line_has_one_grant_and_it_stands_in_nobodys_way() {
    let (alice, carol) = granted(CAROL);
    // Another contact port along the same line finds the key taken; the same along another line does not.
    let other = Alice::offer(link(9), PortOptions::new().policy(Policy::unlimited()).introducer(id(CAROL)), seed(7))
        .committed();
    let along = |alice: &Alice, line| {
        Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(line)).unwrap().write().row.key
    };
    assert_eq!(along(&other, CAROL), carol.key());
    assert_ne!(along(&alice, CAROL + 1), carol.key());
    // Nor is it the key of a Port that is scanned, or of the line.
    let granted_link = alice.port().unwrap().line_link();
    assert!(
        ![RecordKey::LineLink(granted_link), RecordKey::Line(id(CAROL))]
            .map(|key| key.to_bytes())
            .contains(&carol.key().to_bytes())
    );
    assert_eq!(carol.key().to_bytes()[..2], [5, CAROL]);
}
