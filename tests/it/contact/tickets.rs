//! §16.4: each ticket is for one, once.

use super::*;

#[test]
fn r16_4_alice_is_told_by_the_contact_whose_port_it_is() {
    let (mut alice, mut carol) = granted(CAROL);
    let notice = ticket(&mut carol, 9, "Carol", Some(EXPIRY)).0;
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), MAX_TICKETS - 1, NOW), Ok(()));
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), MAX_TICKETS, NOW), Err(Rejected::TooManyTickets));
    assert_eq!(alice.accept_ticket(&notice, id(DAVE), 0, NOW), Err(Rejected::TicketRefused));
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, EXPIRY), Err(Rejected::TicketRefused));
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, at(EXPIRY.as_secs() - 1)), Ok(()));
    assert_eq!(granted(DAVE).0.accept_ticket(&notice, id(CAROL), 0, NOW), Err(Rejected::WrongMachine));
    assert_eq!(granted(DAVE).0.accept_ticket(&notice, id(DAVE), 0, NOW), Err(Rejected::WrongMachine));
    // Of a Port that has no introducer.
    let superport = Alice::offer(link(CAROL + 1), PortOptions::new().policy(Policy::unlimited()), seed(1)).committed();
    assert_eq!(superport.accept_ticket(&notice, id(CAROL), 0, NOW), Err(Rejected::TicketRefused));
    assert_eq!(
        Alice::offer(link(CAROL + 1), PortOptions::new(), seed(1)).committed().accept_ticket(
            &notice,
            id(CAROL),
            0,
            NOW
        ),
        Err(Rejected::TicketRefused)
    );
    // A pause is no withdrawal: what is announced meanwhile waits.
    alice.set_policy(Policy::unlimited().paused(true)).unwrap().committed().for_each(drop);
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, NOW), Ok(()));
    alice.set_policy(Policy::unlimited().closes_at(Some(NOW))).unwrap().committed().for_each(drop);
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, NOW), Err(Rejected::OutOfOrder));
    alice.revoke().unwrap().committed().for_each(drop);
    assert_eq!(alice.accept_ticket(&notice, id(CAROL), 0, NOW), Err(Rejected::OutOfOrder));
}

#[test]
fn r16_4_a_ticket_is_taken_once() {
    let (mut alice, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", None);
    let mut rows = Rows::of(&[&notice]);
    let (_, proof) = bob_of(2, &port);
    let (_, of_another) = bob_of(3, &port);
    let first = formed_on(link(CAROL + 1), BOB, Some(proof.clone()));
    let (mark, _) = alice.handle(&first, &rows, NOW, &mut rng()).unwrap().write().unique.unwrap();
    line_of_alice(&mut alice, &first, &rows);
    rows.rows.remove(notice.ticket.as_bytes());
    // For this guest or another, there is no such row any more.
    for (line, proof) in [(1, proof.clone()), (2, of_another.clone())] {
        let formed = formed_on(link(CAROL + 1), line, Some(proof));
        assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::UnknownTicket(id(line)));
    }
    // Announced once more, by a Carol that crashed: the row would not be inserted, because of the mark. If it were, the mark still
    // stops the guest, although the keys are others.
    rows.insert(notice.clone());
    for (line, proof) in [(1, proof), (2, of_another)] {
        let step = alice.handle(&formed_on(link(CAROL + 1), line, Some(proof)), &rows, NOW, &mut rng());
        let step = step.unwrap();
        assert_eq!(step.write().unique, Some((mark, OnDuplicate::Disconnect(id(line)))));
    }
    assert_eq!(mark, ReplayMark::from(*notice.ticket.as_bytes()));
    assert_eq!(alice.used(), 1);
}

#[test]
fn r16_4_a_ticket_that_overtakes_the_word_of_it_waits() {
    let (mut alice, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", None);
    let (_, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    assert_eq!(refused(&mut alice, &formed, &Rows::default(), NOW), Rejected::UnknownTicket(id(BOB)));
    assert_eq!(line_of_alice(&mut alice, &formed, &Rows::of(&[&notice])).claims().line_id, id(BOB));
}

#[test]
fn r16_4_through_another_contacts_port_it_is_refused() {
    let (mut for_dave, mut dave) = granted(DAVE);
    let (_, mut carol) = granted(CAROL);
    let (notice, carols) = ticket(&mut carol, 9, "Carol", None);
    let daves = ticket(&mut dave, 8, "Dave", None).1;
    let mut mixed = Cbor::read(daves.to_bytes().as_slice()).items().to_vec();
    mixed[7] = Cbor::read(carols.to_bytes().as_slice()).at(&[7]).clone();
    let mixed = Port::from_bytes(&Cbor::Array(mixed).write()).unwrap();
    let (_, proof) = bob_of(2, &mixed);
    let formed = formed_on(link(DAVE + 1), BOB, Some(proof));
    assert_eq!(refused(&mut for_dave, &formed, &Rows::of(&[&notice]), NOW), Rejected::UnwantedLine(id(BOB)));
    // It is worth as much as before.
    let (mut for_carol, _) = granted(CAROL);
    let (_, proof) = bob_of(2, &carols);
    line_of_alice(&mut for_carol, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::of(&[&notice]));
}

#[test]
fn r16_4_an_expired_ticket_is_struck_out_and_no_clock_revives_it() {
    let (mut alice, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", Some(EXPIRY));
    let mut rows = Rows::of(&[&notice]);
    let (_, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    assert!(alice.handle(&formed, &rows, at(EXPIRY.as_secs() - 1), &mut rng()).unwrap().committed().count() > 0);
    let (mut alice, _) = granted(CAROL);
    let step = alice.handle(&formed, &rows, EXPIRY, &mut rng()).unwrap();
    let mark = ReplayMark::from(*notice.ticket.as_bytes());
    assert_eq!(step.write().consumes, Some(notice.ticket));
    assert_eq!(step.write().unique, Some((mark, OnDuplicate::Disconnect(id(BOB)))));
    let effects: Vec<_> = step.committed().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert!(effects[0].contains("Disconnect"), "{effects:?}");
    assert_eq!(alice.used(), 0);
    rows.rows.remove(notice.ticket.as_bytes());
    assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::UnknownTicket(id(BOB)));
}

#[test]
fn r16_4_of_ten_thousand_rows_one_is_asked_for() {
    let (mut alice, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", None);
    let mut rows = Rows::of(&[&notice]);
    for n in 0..10_000_u32 {
        let ticket: [u8; 32] = std::array::from_fn(|i| n.to_be_bytes()[i % 4]);
        rows.insert(TicketNotice { ticket: ticket.into(), ..notice.clone() });
    }
    let length = alice.record().len();
    let (_, proof) = bob_of(2, &port);
    line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &rows);
    assert_eq!(rows.asked.get(), 1);
    assert_eq!(alice.record().len(), length, "nothing of them is in Alice's record");
}

/// A Bob who holds a good ticket can't make another of it, nor put it first, where the IV would rewrite it.
#[test]
fn r16_4_a_ticket_is_not_rewritten_through_the_iv() {
    type Aes = aes::Aes256;
    type Change<'c> = &'c dyn Fn(&mut [u8]);
    let (mut alice, mut carol) = granted(CAROL);
    let (notice, port) = ticket(&mut carol, 9, "Carol", None);
    let (other, others) = ticket(&mut carol, 8, "Carol", None);
    let rows = Rows::of(&[&notice, &other]);
    let secret_of = |port: &Port| Cbor::read(port.to_bytes().as_slice()).at(&[7, 0]).bytes().to_vec();
    let (ours, theirs) = (secret_of(&port), secret_of(&others));
    let (rad, padding) = (port.rad().expose().to_vec(), vec![16; 16]);
    let private: [u8; 32] = seed_bytes(2)[..32].try_into().unwrap();
    let key = x25519_dalek::x25519(private, *port.public_key().as_bytes());
    let public = x25519_dalek::x25519(private, x25519_dalek::X25519_BASEPOINT_BYTES);
    let proof = |blocks: &[&[u8]], change: Change<'_>| {
        let mut text: Vec<Block<Aes>> = blocks.concat().chunks(16).map(|block| block.try_into().unwrap()).collect();
        cbc::Encryptor::<Aes>::new(&key.into(), &[7; 16].into()).encrypt_blocks(&mut text);
        let mut bytes = [&[7; 16][..], Block::<Aes>::slice_as_flattened(&text)].concat();
        change(&mut bytes);
        decode_proof(&Cbor::Array(vec![Cbor::Bytes(public.to_vec()), Cbor::Bytes(bytes)])).unwrap()
    };
    let flip = |at: usize| {
        let change: Vec<u8> = ours.iter().zip(&theirs).map(|(a, b)| a ^ b).collect();
        move |bytes: &mut [u8]| bytes[at..at + 16].iter_mut().zip(&change).for_each(|(byte, with)| *byte ^= with)
    };
    let (rad_first, ticket_first) = ([&rad[..], &ours, &padding], [&ours[..], &rad, &padding]);
    let nothing: Change<'_> = &|_| ();
    let bad: [(&[&[u8]], Change<'_>); 7] = [
        (&rad_first, &flip(0)),
        (&rad_first, &flip(16)),
        (&rad_first, &flip(32)),
        (&ticket_first, nothing),
        (&ticket_first, &flip(0)),
        (&[&rad, &padding], nothing),
        (&[&rad, &ours, &ours], nothing),
    ];
    for (n, (blocks, change)) in bad.into_iter().enumerate() {
        let formed = formed_on(link(CAROL + 1), BOB, Some(proof(blocks, change)));
        assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::UnwantedLine(id(BOB)), "{n}");
    }
    // The same by hand, and nothing done to it.
    line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof(&rad_first, nothing))), &rows);
}

/// A table that answers with another ticket's row.
struct AnyRow(TicketNotice);

impl Peers for AnyRow {
    fn ticket(&self, _: &TicketHash) -> Option<TicketNotice> {
        Some(self.0.clone())
    }
}

#[test]
fn r16_4_another_tickets_row_lets_nobody_in() {
    let (mut alice, mut carol) = granted(CAROL);
    let ((notice, _), (_, port)) = (ticket(&mut carol, 3, "Carol", None), ticket(&mut carol, 5, "Carol", None));
    let (_, proof) = bob_of(BOB, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    let before = alice.record().to_vec();
    let error = alice.handle(&formed, &AnyRow(notice), NOW, &mut rng()).map(drop).unwrap_err();
    assert_eq!((error, &*alice.record()), (Rejected::UnknownTicket(id(BOB)), &before[..]));
}
