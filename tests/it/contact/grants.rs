//! §16.1, §16.5, §16.6: who may introduce, and what comes of it.

use super::*;

#[test]
fn r16_1_carol_introduces_bob_to_alice() {
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let mut alice = granted(CAROL).0;
    assert_eq!(alice.port().unwrap().kind(), PortKind::ContactPort);

    // Alice grants, along the line that the two have.
    let grant = alice.port().unwrap().to_bytes();
    let grant = introduce(&mut alice_carol, &IntroducerMessage::Grant { port: grant.as_slice() });
    let grant = hear(&mut carol_alice, &grant);
    let Ok(IntroducerMessage::Grant { port }) = IntroducerMessage::decode(&grant) else { panic!() };
    let mut carol = Introducer::granted(port, carol_alice.claims().line_id).unwrap().committed();
    assert_eq!((carol.key(), carol.phase()), (RecordKey::Introducer(id(CAROL)), IntroducerPhase::Granted));

    // Carol announces it to Alice first, and has a Port for Bob only then.
    let step = carol.introduce(name("Carol"), Some(EXPIRY), seed(9), NOW).unwrap();
    let effects: Vec<_> = step.committed().collect();
    let [IntroducerEffect::Announce(along, introduction)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*along, id(CAROL));
    let said = introduce(&mut carol_alice, introduction);
    let notice = ticket_in(&hear(&mut alice_carol, &said));
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, NOW), Ok(()));
    let mut rows = Rows::of(&[&notice]);
    let Some(IntroducerEffect::Ready(port)) = carol.mark_announced().unwrap().committed().next() else { panic!() };

    // Bob.
    let port = Port::parse(&port.link("https://port.example/p").unwrap().to_string()).unwrap();
    assert_eq!(
        port.ticket().map(|t| (t.name().as_str(), t.expires(), t.hash())),
        Some(("Carol", Some(EXPIRY), notice.ticket))
    );
    let (mut bob, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    let step = alice.handle(&formed, &rows, NOW, &mut rng()).unwrap();
    let mark = ReplayMark::from(*notice.ticket.as_bytes());
    assert_eq!(step.write().consumes, Some(notice.ticket));
    assert_eq!(step.write().unique, Some((mark, OnDuplicate::Disconnect(id(BOB)))));
    rows.rows.remove(notice.ticket.as_bytes());
    let Some(AliceEffect::LineFormed(mut at_alice)) = step.committed().next() else { panic!() };
    let mut at_bob = line_of_bob(&mut bob, link(CAROL + 1), BOB);
    confirm(&mut at_alice, &mut at_bob);

    assert_eq!(at_alice.safety_number(), at_bob.safety_number());
    assert!(at_alice.confirmed().is_some() && at_alice.confirmed() == at_bob.confirmed());
    let carols = Introduced { name: name("Carol"), by: Some(id(CAROL)) };
    assert_eq!(at_alice.introduced(), Some(&carols));
    assert_eq!(at_bob.introduced(), Some(&Introduced { by: None, ..carols }));
    assert_eq!(alice.used(), 1);
}

#[test]
fn r16_1_only_with_a_ticket_is_it_a_port_for_anybody() {
    let (mut alice, mut carol) = granted(CAROL);
    let bare = alice.port().unwrap().to_bytes();
    assert_eq!(Port::from_bytes(bare.as_slice()), Err(PortError::Malformed));
    assert_eq!(Port::parse(alice.port().unwrap().qr_text().as_str()), Err(PortError::Malformed));
    // Used without one all the same.
    let (_, proof) = bob_of(2, alice.port().unwrap());
    let unwanted = Rejected::UnwantedLine(id(BOB));
    assert_eq!(refused(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::default(), NOW), unwanted);
    assert_eq!(refused(&mut alice, &formed_on(link(CAROL + 1), BOB, None), &Rows::default(), NOW), unwanted);

    // A plain Port with one, and a Superport.
    let (_, port) = ticket(&mut carol, 9, "Carol", None);
    let ticketed = Cbor::read(port.to_bytes().as_slice());
    for kind in [1, 2] {
        let mut items = ticketed.items().to_vec();
        items[1] = Cbor::Uint(kind);
        assert_eq!(Port::from_bytes(&Cbor::Array(items).write()), Err(PortError::Malformed));
    }
    for not_granted in [port.to_bytes().as_slice(), crate::common::port(PortOptions::new()).to_bytes().as_slice(), b""]
    {
        assert_eq!(Introducer::granted(not_granted, id(CAROL)).map(drop), Err(PortError::Malformed));
    }
}

/// Carol says one thing to Alice and another to Bob.
#[test]
fn r16_5_whom_she_tells_different_things_are_never_confirmed() {
    let (_, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", Some(EXPIRY));
    let rows = [
        (true, notice.clone()),
        (false, TicketNotice { name: name("Carola"), ..notice.clone() }),
        (false, TicketNotice { name: name(""), ..notice.clone() }),
        (false, TicketNotice { expires: None, ..notice.clone() }),
        (false, TicketNotice { expires: Some(at(EXPIRY.as_secs() + 1)), ..notice }),
    ];
    for (alike, row) in rows {
        let (mut alice, _) = granted(CAROL);
        let (mut bob, proof) = bob_of(2, &port);
        let at_alice = line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::of(&[&row]));
        let mut at_bob = line_of_bob(&mut bob, link(CAROL + 1), BOB);
        let heard = hand(&mut at_bob, &packets(&at_alice)[0], &mut [0; 128], NOW).map(drop);
        assert_eq!(heard, if alike { Ok(()) } else { Err(Rejected::Forged) }, "{row:?}");
    }
}

#[test]
fn r16_6_one_contacts_right_is_withdrawn_and_no_others() {
    let ((mut for_carol, mut carol), (mut for_dave, mut dave)) = (granted(CAROL), granted(DAVE));
    let ((told_c, port_c), (told_d, port_d)) =
        (ticket(&mut carol, 9, "Carol", None), ticket(&mut dave, 8, "Dave", None));
    let rows = Rows::of(&[&told_c, &told_d]);
    let through_carol = formed_on(link(CAROL + 1), 1, Some(bob_of(2, &port_c).1));
    let through_dave = formed_on(link(DAVE + 1), 2, Some(bob_of(3, &port_d).1));

    // Paused: nobody gets in, and nothing is used up. Resumed: the same ticket is good.
    for_carol.set_policy(Policy::unlimited().paused(true)).unwrap().committed().for_each(drop);
    assert_eq!(refused(&mut for_carol, &through_carol, &rows, NOW), Rejected::UnwantedLine(id(1)));
    assert_eq!(rows.asked.get(), 0);
    for_carol.set_policy(Policy::unlimited()).unwrap().committed().for_each(drop);
    assert!(for_carol.handle(&through_carol, &rows, NOW, &mut rng()).is_ok());

    // Withdrawn.
    let effects: Vec<_> = for_carol.revoke().unwrap().committed().map(|effect| format!("{effect:?}")).collect();
    assert!(effects[0].contains("CloseLineLink"), "{effects:?}");
    assert_eq!(refused(&mut for_carol, &through_carol, &rows, NOW), Rejected::UnwantedLine(id(1)));
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let said = introduce(&mut alice_carol, &IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) });
    let said = hear(&mut carol_alice, &said);
    carol.handle(&IntroducerMessage::decode(&said).unwrap(), id(CAROL)).unwrap().committed().for_each(drop);
    assert_eq!(carol.phase(), IntroducerPhase::Ended(GrantOutcome::Withdrawn));

    line_of_alice(&mut for_dave, &through_dave, &rows);
    assert_eq!(dave.phase(), IntroducerPhase::Granted);
}

#[test]
fn r2_4_the_longest_port_has_a_ticket() {
    let offer = longest().policy(Policy::unlimited()).introducer(id(CAROL));
    let alice = Alice::offer(link(3), offer, seed(1)).committed();
    let mut carol = Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(CAROL)).unwrap().committed();
    let (_, port) = ticket(&mut carol, 9, &"n".repeat(32), Some(UnixSeconds::MAX));
    assert_eq!((port.to_bytes().as_slice().len(), port.qr_text().as_str().len()), (MAX_PORT_BYTES, MAX_QR_TEXT));
    // The Port hash leaves the ticket out: it is Alice's own.
    assert_eq!(port.hash(), alice.port().unwrap().hash());
}

#[test]
fn r8_6_introducer_records_are_strict() {
    let [_, records] = samples();
    for record in &records {
        assert!(record.len() <= MAX_RECORD);
        assert_eq!(*Introducer::restore(record).unwrap().record(), record[..]);
        assert_eq!(Line::restore(record).map(drop), Err(RestoreError::AnotherRole));
        assert_eq!(Alice::restore(record).map(drop), Err(RestoreError::AnotherRole));
        for cut in 0..record.len() {
            assert!(Introducer::restore(&record[..cut]).is_err());
        }
        assert_eq!(Introducer::restore(&[&record[..], &[0]].concat()).map(drop), Err(RestoreError::Malformed));
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // Another state that is as good, or none.
            let Ok(machine) = Introducer::restore(&flipped) else { continue };
            assert_eq!(*machine.record(), flipped[..]);
            for effect in machine.pending() {
                if let IntroducerEffect::Ready(port) = effect {
                    assert!(Port::from_bytes(port.to_bytes().as_slice()).is_ok());
                }
            }
        }
    }
    println!("{:?} bytes", records.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(Introducer::restore(&granted(CAROL).0.record()).map(drop), Err(RestoreError::AnotherRole));
}
