//! §16: contact ports. Alice, her contacts Carol and Dave, and Bob, whom Carol introduces.
#![cfg(feature = "alloc")]

mod crash;

use std::collections::BTreeMap;

use crate::common::cbor::Cbor;
use crate::common::*;
use cbc::cipher::{Block, BlockModeEncrypt, KeyIvInit};
use port_protocol::*;

const CAROL: u8 = 0xCA;
const DAVE: u8 = 0xDA;
const BOB: u8 = 0xB0;

fn id(n: u8) -> LineId {
    [n; 16].into()
}

fn link(n: u8) -> LineLink {
    [n; 16].into()
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn formed_on(line_link: LineLink, line: u8, proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link, line_id: id(line), pair_hash: [line; 32].into(), proof }
}

fn packets(line: &Line) -> Vec<Vec<u8>> {
    let packet = |effect| match effect {
        LineEffect::Send(Request::Packet { line_id, payload }) => Some(Event::Packet { line_id, payload }.to_vec()),
        _ => None,
    };
    line.unsent().filter_map(packet).collect()
}

/// Confirm, and its answer.
fn confirm(at_alice: &mut Line, at_bob: &mut Line) {
    let mut out = [0; 128];
    at_bob.handle_bytes(&packets(at_alice)[0], &mut out, NOW).unwrap().commit().for_each(drop);
    let answer = packets(at_bob).remove(0);
    at_bob.settle().unwrap().commit().for_each(drop);
    at_alice.handle_bytes(&answer, &mut out, NOW).unwrap().commit().for_each(drop);
}

/// Alice's line with a contact, confirmed: her end, and the contact's.
fn contact(n: u8) -> (Line, Line) {
    let (at_alice, at_contact) = contact_joined(n);
    let (mut at_alice, mut at_contact) = (at_alice, at_contact);
    confirm(&mut at_alice, &mut at_contact);
    (at_alice, at_contact)
}

fn contact_joined(n: u8) -> (Line, Line) {
    let mut alice = Alice::offer(link(n), Offer::new(), seed(n)).commit();
    let mut bob = Bob::scan(alice.port().unwrap().clone(), seed(n ^ 1)).commit();
    let proof = proof_of(&mut bob);
    (line_of_alice(&mut alice, &formed_on(link(n), n, Some(proof)), &()), line_of_bob(&mut bob, link(n), n))
}

fn proof_of(bob: &mut Bob) -> Proof {
    let step = bob.connect(SendProof::OnBoard, NOW).unwrap();
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.commit().next() else { panic!() };
    proof
}

fn line_of_alice(alice: &mut Alice, formed: &Event<'_>, known: &impl Known) -> Line {
    let step = alice.handle_knowing(formed, known, NOW).unwrap();
    let mut effects = step.commit();
    effects.find_map(|e| if let AliceEffect::LineFormed(line) = e { Some(line) } else { None }).unwrap()
}

fn line_of_bob(bob: &mut Bob, line_link: LineLink, line: u8) -> Line {
    let step = bob.handle(&formed_on(line_link, line, None), NOW).unwrap();
    let Some(BobEffect::LineFormed(born)) = step.commit().next() else { panic!() };
    born
}

/// What the line's other end hears.
fn introduce(line: &mut Line, introduction: &Introduction<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_INTRODUCTION + SEAL_OVERHEAD];
    let step = line.introduce(introduction, &mut buffer).unwrap();
    let Some(LineEffect::Send(Request::Packet { line_id, payload })) = step.commit().next() else { panic!() };
    Event::Packet { line_id, payload }.to_vec()
}

/// The introduction's bytes.
fn hear(line: &mut Line, event: &[u8]) -> Vec<u8> {
    let mut out = [0; 512];
    let mut effects = line.handle_bytes(event, &mut out, NOW).unwrap().commit();
    effects.find_map(|e| if let LineEffect::Introduction(said) = e { Some(said.to_vec()) } else { None }).unwrap()
}

fn ticket_in(bytes: &[u8]) -> ToldTicket {
    match Introduction::decode(bytes) {
        Ok(Introduction::Ticket(told)) => told,
        other => panic!("{other:?}"),
    }
}

/// The rows that Alice's caller keeps, and how often he was asked.
#[derive(Default)]
struct Rows {
    told: BTreeMap<[u8; 32], ToldTicket>,
    asked: std::cell::Cell<usize>,
}

impl Rows {
    fn insert(&mut self, told: ToldTicket) -> bool {
        self.told.insert(*told.ticket.as_bytes(), told).is_none()
    }

    fn of(told: &[&ToldTicket]) -> Self {
        let mut rows = Self::default();
        told.iter().for_each(|told| assert!(rows.insert((*told).clone())));
        rows
    }
}

impl Known for Rows {
    fn ticket(&self, ticket: &TicketHash) -> Option<ToldTicket> {
        self.asked.set(self.asked.get() + 1);
        self.told.get(ticket.as_bytes()).cloned()
    }
}

/// A contact port of Alice's for the contact of this number: its link is one more.
fn granted_with(n: u8, policy: Policy) -> (Alice, Introducer) {
    let alice = Alice::offer(link(n + 1), Offer::new().policy(policy).introducer(id(n)), seed(n + 1)).commit();
    let grant = alice.port().unwrap().to_bytes();
    (alice, Introducer::granted(grant.as_slice(), id(n)).unwrap().commit())
}

fn granted(n: u8) -> (Alice, Introducer) {
    granted_with(n, Policy::unlimited())
}

/// What Alice is told of it, and what Bob is given.
fn ticket(introducer: &mut Introducer, n: u8, called: &str, expires: Option<UnixSeconds>) -> (ToldTicket, Port) {
    let step = introducer.introduce(name(called), expires, seed(n), NOW).unwrap();
    let Some(IntroducerEffect::Tell(_, Introduction::Ticket(told))) = step.commit().next() else { panic!() };
    let Some(IntroducerEffect::Ready(port)) = introducer.told().unwrap().commit().next() else { panic!() };
    introducer.settle().unwrap().commit().for_each(drop);
    (told, Port::parse(port.qr_text().as_str()).unwrap())
}

/// A Bob of this seed who has connected, and his proof.
fn bob_of(n: u8, port: &Port) -> (Bob, Proof) {
    let mut bob = Bob::scan(port.clone(), seed(n)).commit();
    let proof = proof_of(&mut bob);
    (bob, proof)
}

fn refused(alice: &mut Alice, formed: &Event<'_>, rows: &Rows, now: UnixSeconds) -> Rejected {
    let before = alice.record().to_vec();
    let error = alice.handle_knowing(formed, rows, now).map(drop).unwrap_err();
    assert_eq!(*alice.record(), before[..]);
    error
}

/// One of each introduction, and of each record of an Introducer, with everything optional and without.
pub fn samples() -> [Vec<Vec<u8>>; 2] {
    let (mut introductions, mut records) = (Vec::new(), Vec::new());
    let expiring = Offer::new().expires(EXPIRY);
    let full = (longest(), name(&"n".repeat(32)), Some(UnixSeconds(u64::MAX)));
    for (offer, name, expires) in [(Offer::new(), name(""), None), (expiring, name("Carol"), Some(EXPIRY)), full] {
        let offer = offer.policy(Policy::unlimited()).introducer(id(CAROL));
        let alice = Alice::offer(link(CAROL + 1), offer, seed(1)).commit();
        let grant = alice.port().unwrap().to_bytes();
        introductions.push(Introduction::Grant { port: grant.as_slice() }.to_vec());
        let mut carol = Introducer::granted(grant.as_slice(), id(CAROL)).unwrap().commit();
        records.push(carol.record().to_vec());
        let step = carol.introduce(name, expires, seed(9), NOW).unwrap();
        let Some(IntroducerEffect::Tell(_, told)) = step.commit().next() else { panic!() };
        introductions.push(told.to_vec());
        records.push(carol.record().to_vec());
        carol.told().unwrap().commit().for_each(drop);
        records.push(carol.record().to_vec());
        carol.cancel().unwrap().commit().for_each(drop);
        records.push(carol.record().to_vec());
        carol.settle().unwrap().commit().for_each(drop);
        records.push(carol.record().to_vec());
    }
    introductions.push(Introduction::Withdrawn { line_link: link(CAROL + 1) }.to_vec());
    [introductions, records]
}

#[test]
fn r16_1_carol_introduces_bob_to_alice() {
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let mut alice = granted(CAROL).0;
    assert_eq!(alice.port().unwrap().kind(), Kind::ContactPort);

    // Alice grants, along the line that the two have.
    let grant = alice.port().unwrap().to_bytes();
    let grant = introduce(&mut alice_carol, &Introduction::Grant { port: grant.as_slice() });
    let grant = hear(&mut carol_alice, &grant);
    let Ok(Introduction::Grant { port }) = Introduction::decode(&grant) else { panic!() };
    let mut carol = Introducer::granted(port, carol_alice.claims().line_id).unwrap().commit();
    assert_eq!((carol.key(), carol.phase()), (Key::Granted(id(CAROL)), IntroducerPhase::Granted));

    // Carol tells Alice first, and has a Port for Bob only then.
    let step = carol.introduce(name("Carol"), Some(EXPIRY), seed(9), NOW).unwrap();
    let effects: Vec<_> = step.commit().collect();
    let [IntroducerEffect::Tell(along, introduction)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*along, id(CAROL));
    let said = introduce(&mut carol_alice, introduction);
    let told = ticket_in(&hear(&mut alice_carol, &said));
    assert_eq!(alice.tell(&told, id(CAROL), 0, NOW), Ok(()));
    let mut rows = Rows::of(&[&told]);
    let Some(IntroducerEffect::Ready(port)) = carol.told().unwrap().commit().next() else { panic!() };

    // Bob.
    let port = Port::parse(&port.link("https://port.example/p").unwrap().to_string()).unwrap();
    assert_eq!(
        port.ticket().map(|t| (t.name().as_str(), t.expires(), t.hash())),
        Some(("Carol", Some(EXPIRY), told.ticket))
    );
    let (mut bob, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    let step = alice.handle_knowing(&formed, &rows, NOW).unwrap();
    assert_eq!((step.strikes(), step.once()), (Some(told.ticket), Some(Mark::from(*told.ticket.as_bytes()))));
    assert_eq!(step.taken(), Some(Taken::Disconnect(id(BOB))));
    rows.told.remove(told.ticket.as_bytes());
    let Some(AliceEffect::LineFormed(born)) = step.commit().last() else { panic!() };
    let mut at_alice = born;
    let mut at_bob = line_of_bob(&mut bob, link(CAROL + 1), BOB);
    confirm(&mut at_alice, &mut at_bob);

    assert_eq!(at_alice.check_code(), at_bob.check_code());
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
    let stray = Rejected::Stray(id(BOB));
    assert_eq!(refused(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::default(), NOW), stray);
    assert_eq!(refused(&mut alice, &formed_on(link(CAROL + 1), BOB, None), &Rows::default(), NOW), stray);

    // A plain Port with one, and a Superport.
    let (_, port) = ticket(&mut carol, 9, "Carol", None);
    let ticketed = Cbor::read(port.to_bytes().as_slice());
    for kind in [1, 2] {
        let mut items = ticketed.items().to_vec();
        items[1] = Cbor::Uint(kind);
        assert_eq!(Port::from_bytes(&Cbor::Array(items).write()), Err(PortError::Malformed));
    }
    for not_granted in [port.to_bytes().as_slice(), crate::common::port(Offer::new()).to_bytes().as_slice(), b""] {
        assert_eq!(Introducer::granted(not_granted, id(CAROL)).map(drop), Err(PortError::Malformed));
    }
}

#[test]
fn r16_3_introductions_go_along_a_confirmed_line_only() {
    let withdrawn = Introduction::Withdrawn { line_link: link(CAROL + 1) };
    let mut buffer = [0; 512];
    let (mut at_alice, mut at_carol) = contact_joined(CAROL);
    assert_eq!(at_alice.introduce(&withdrawn, &mut buffer).map(drop), Err(SealError::Unconfirmed));
    assert_eq!(at_carol.introduce(&withdrawn, &mut buffer).map(drop), Err(SealError::Unconfirmed));
    let mut waits = Alice::offer(link(CAROL), Offer::new(), seed(1)).commit();
    let mut waits = line_of_alice(&mut waits, &formed_on(link(CAROL), CAROL, None), &());
    assert_eq!(waits.introduce(&withdrawn, &mut buffer).map(drop), Err(SealError::NotJoined));
    assert_eq!(waits.close().unwrap().commit().count(), 2);
    assert_eq!(waits.introduce(&withdrawn, &mut buffer).map(drop), Err(SealError::Closed));
    confirm(&mut at_alice, &mut at_carol);
    assert_eq!(at_carol.introduce(&withdrawn, &mut [0; 96]).map(drop), Err(SealError::BufferTooSmall));
    let too_long = Introduction::Grant { port: &[0; 300] };
    assert_eq!(at_carol.introduce(&too_long, &mut buffer).map(drop), Err(SealError::TooLong));

    // It confirms as a message does, if it comes before Confirm does: Alice is confirmed by Bob's first words.
    let (mut at_alice, mut at_carol) = contact_joined(CAROL);
    let mut out = [0; 128];
    let step = at_carol.seal(b"hello", &[], &mut out).unwrap();
    let Some(LineEffect::Send(Request::Packet { line_id, payload })) = step.commit().next() else { panic!() };
    let hello = Event::Packet { line_id, payload }.to_vec();
    at_alice.handle_bytes(&hello, &mut buffer, NOW).unwrap().commit().for_each(drop);
    let said = introduce(&mut at_alice, &withdrawn);
    let effects: Vec<_> =
        at_carol.handle_bytes(&said, &mut buffer, NOW).unwrap().commit().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(effects.len(), 2, "{effects:?}");
    assert!(effects[0].contains("Answer") || effects[0].starts_with("Send"), "{effects:?}");
    assert_eq!(effects[1], "Introduction(Withdrawn(LineLink([redacted])))");
    assert!(at_carol.confirmed().is_some());
}

/// What an introducer calls herself is not told by the packet's length, nor is an expiry.
#[test]
fn r16_3_introductions_are_padded() {
    let (_, mut carol) = granted(CAROL);
    let (mut line, _) = contact(CAROL);
    let mut length = |introduction: &Introduction<'_>| payload_of(&introduce(&mut line, introduction)).len();
    let short = ticket(&mut carol, 8, "Caroline", None).0;
    let long = ticket(&mut carol, 9, &"n".repeat(32), Some(UnixSeconds(u64::MAX))).0;
    let lengths = [short, long].map(|told| length(&Introduction::Ticket(told)));
    assert_eq!(lengths, [lengths[0]; 2]);
    // The longest is within the bound.
    let alice = Alice::offer(link(3), longest().policy(Policy::unlimited()).introducer(id(CAROL)), seed(1)).commit();
    let grant = alice.port().unwrap().to_bytes();
    let grant = Introduction::Grant { port: grant.as_slice() };
    assert_eq!(padded_len(grant.to_vec().len()), MAX_INTRODUCTION);
    assert!(length(&grant) <= MAX_INTRODUCTION + SEAL_OVERHEAD);
}

#[test]
fn r16_3_every_flip_of_an_introduction_is_forged() {
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let (alice, mut carol) = granted(CAROL);
    let told = ticket(&mut carol, 9, "Carol", Some(EXPIRY)).0;
    let grant = alice.port().unwrap().to_bytes();
    let mut out = [0; 512];
    let sent = [
        introduce(&mut carol_alice, &Introduction::Ticket(told)),
        introduce(&mut carol_alice, &Introduction::Grant { port: grant.as_slice() }),
        introduce(&mut carol_alice, &Introduction::Withdrawn { line_link: link(CAROL + 1) }),
    ];
    let before = alice_carol.record().to_vec();
    for packet in &sent {
        for bit in 0..packet.len() * 8 {
            let mut flipped = packet.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(alice_carol.handle_bytes(&flipped, &mut out, NOW).is_err(), "{bit}");
            assert_eq!(*alice_carol.record(), before[..]);
        }
    }
    // As they are, in any order, once.
    for packet in sent.iter().rev() {
        hear(&mut alice_carol, packet);
        assert_eq!(alice_carol.handle_bytes(packet, &mut out, NOW).map(drop), Err(Rejected::Repeated));
    }
}

/// One who holds the line's keys says what is no introduction: nothing moves.
#[test]
fn r16_3_a_text_that_is_no_introduction_moves_nothing() {
    let (mut at_alice, _) = confirmed();
    let to_alice = keys::keys(Offer::new()).to_alice;
    let padded = |text: &[u8]| {
        let mut padded = [text, &[0x80]].concat();
        padded.resize(padded_len(text.len()), 0);
        padded
    };
    let (alice, mut carol) = granted(CAROL);
    let good = Introduction::Ticket(ticket(&mut carol, 9, "Carol", None).0).to_vec();
    let grant = alice.port().unwrap().to_bytes();
    let plain = port(Offer::new()).to_bytes();
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
    assert_eq!(at_alice.takes(&Input::Open(send(&padded(&good)), b"data".to_vec())), [Effect::Introduction(good)]);
}

#[test]
fn r16_3_alice_is_told_before_there_is_anything_for_bob() {
    let (_, mut carol) = granted(CAROL);
    assert_eq!(carol.told().map(drop), Err(Rejected::OutOfOrder));
    assert!(carol.settle().is_none() && carol.unsent().next().is_none());
    let step = carol.introduce(name("Carol"), None, seed(9), NOW).unwrap();
    step.commit().for_each(drop);
    // Whatever is tried, in this process or another: only `told` leads on.
    for _ in 0..2 {
        assert!(carol.settle().is_none());
        let unsent: Vec<_> = carol.unsent().collect();
        assert!(matches!(unsent[..], [IntroducerEffect::Tell(..)]), "{unsent:?}");
        assert_eq!(carol.introduce(name("Carol"), None, seed(8), NOW).map(drop), Err(Rejected::Unsettled));
        carol = Introducer::restore(&carol.record()).unwrap();
    }
    drop(carol.told().unwrap());
    assert_eq!(carol.phase(), IntroducerPhase::Telling);
    carol.told().unwrap().commit().for_each(drop);
    let ready = |carol: &Introducer| match carol.unsent().next() {
        Some(IntroducerEffect::Ready(port)) => port.to_bytes().as_slice().to_vec(),
        other => panic!("{other:?}"),
    };
    let again = Introducer::restore(&carol.record()).unwrap();
    assert_eq!(ready(&again), ready(&carol));
    assert_eq!(carol.introduce(name("Carol"), None, seed(8), NOW).map(drop), Err(Rejected::Unsettled));
    carol.settle().unwrap().commit().for_each(drop);
    assert_eq!(carol.phase(), IntroducerPhase::Granted);
    // No ticket is left behind.
    assert_eq!(carol.record().len(), granted(CAROL).1.record().len());
}

#[test]
fn r16_3_nobody_is_introduced_once_it_is_over() {
    let over = |carol: &mut Introducer, end| {
        assert_eq!(carol.phase(), IntroducerPhase::Ended(end));
        let unsent: Vec<_> = carol.unsent().collect();
        assert_eq!(unsent, [IntroducerEffect::Ended(end)]);
        carol.settle().unwrap().commit().for_each(drop);
        assert!(carol.settle().is_none() && carol.deadline().is_none() && carol.line_id().is_none());
        assert_eq!(carol.introduce(name("Carol"), None, seed(9), NOW).map(drop), Err(Rejected::OutOfOrder));
        assert_eq!(carol.told().map(drop), Err(Rejected::OutOfOrder));
        assert_eq!(carol.cancel().map(drop), Err(Rejected::OutOfOrder));
        let withdrawn = Introduction::Withdrawn { line_link: link(CAROL + 1) };
        assert_eq!(carol.handle(&withdrawn, id(CAROL)).map(drop), Err(Rejected::OutOfOrder));
    };
    let at = |how: u8| {
        let (_, mut carol) = granted(CAROL);
        if how > 0 {
            carol.introduce(name("Carol"), None, seed(9), NOW).unwrap().commit().for_each(drop);
        }
        if how > 1 {
            carol.told().unwrap().commit().for_each(drop);
        }
        carol
    };
    for how in 0..3 {
        let mut carol = at(how);
        let other = Introduction::Withdrawn { line_link: link(DAVE) };
        assert_eq!(carol.handle(&other, id(CAROL)).map(drop), Err(Rejected::NotMine));
        let withdrawn = Introduction::Withdrawn { line_link: link(CAROL + 1) };
        assert_eq!(carol.handle(&withdrawn, id(DAVE)).map(drop), Err(Rejected::NotMine));
        carol.handle(&withdrawn, id(CAROL)).unwrap().commit().for_each(drop);
        over(&mut carol, IntroducerEnd::Withdrawn);
        let mut carol = at(how);
        carol.cancel().unwrap().commit().for_each(drop);
        over(&mut carol, IntroducerEnd::Cancelled);
    }
    let offer = expiring().policy(Policy::unlimited()).introducer(id(CAROL));
    let alice = Alice::offer(link(CAROL + 1), offer, seed(1)).commit();
    let grant = || Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(CAROL)).unwrap().commit();
    let mut carol = grant();
    assert!(carol.deadline() == Some(EXPIRY) && carol.tick(NOW).is_none());
    carol.tick(EXPIRY).unwrap().commit().for_each(drop);
    over(&mut carol, IntroducerEnd::Expired);
    let mut carol = grant();
    carol.introduce(name("Carol"), None, seed(9), EXPIRY).unwrap().commit().for_each(drop);
    over(&mut carol, IntroducerEnd::Expired);
}

#[test]
fn r16_4_alice_is_told_by_the_contact_whose_port_it_is() {
    let (mut alice, mut carol) = granted(CAROL);
    let told = ticket(&mut carol, 9, "Carol", Some(EXPIRY)).0;
    assert_eq!(alice.tell(&told, id(CAROL), MAX_TICKETS - 1, NOW), Ok(()));
    assert_eq!(alice.tell(&told, id(CAROL), MAX_TICKETS, NOW), Err(Rejected::TooManyTickets));
    assert_eq!(alice.tell(&told, id(DAVE), 0, NOW), Err(Rejected::TicketRefused));
    assert_eq!(alice.tell(&told, id(CAROL), 0, EXPIRY), Err(Rejected::TicketRefused));
    assert_eq!(alice.tell(&told, id(CAROL), 0, UnixSeconds(EXPIRY.0 - 1)), Ok(()));
    assert_eq!(granted(DAVE).0.tell(&told, id(CAROL), 0, NOW), Err(Rejected::NotMine));
    assert_eq!(granted(DAVE).0.tell(&told, id(DAVE), 0, NOW), Err(Rejected::NotMine));
    // Of a Port that has no introducer.
    let superport = Alice::offer(link(CAROL + 1), Offer::new().policy(Policy::unlimited()), seed(1)).commit();
    assert_eq!(superport.tell(&told, id(CAROL), 0, NOW), Err(Rejected::TicketRefused));
    assert_eq!(
        Alice::offer(link(CAROL + 1), Offer::new(), seed(1)).commit().tell(&told, id(CAROL), 0, NOW),
        Err(Rejected::TicketRefused)
    );
    // A pause is no withdrawal: what she is told of waits.
    alice.set_policy(Policy::unlimited().paused(true)).unwrap().commit().for_each(drop);
    assert_eq!(alice.tell(&told, id(CAROL), 0, NOW), Ok(()));
    alice.set_policy(Policy::unlimited().until(Some(NOW))).unwrap().commit().for_each(drop);
    assert_eq!(alice.tell(&told, id(CAROL), 0, NOW), Err(Rejected::OutOfOrder));
    alice.revoke().unwrap().commit().for_each(drop);
    assert_eq!(alice.tell(&told, id(CAROL), 0, NOW), Err(Rejected::OutOfOrder));
}

#[test]
fn r16_4_a_ticket_is_taken_once() {
    let (mut alice, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", None);
    let mut rows = Rows::of(&[&told]);
    let (_, proof) = bob_of(2, &port);
    let (_, of_another) = bob_of(3, &port);
    let first = formed_on(link(CAROL + 1), BOB, Some(proof.clone()));
    let mark = alice.handle_knowing(&first, &rows, NOW).unwrap().once();
    line_of_alice(&mut alice, &first, &rows);
    rows.told.remove(told.ticket.as_bytes());
    // By him or by another, there is no such row any more.
    for (line, proof) in [(1, proof.clone()), (2, of_another.clone())] {
        let formed = formed_on(link(CAROL + 1), line, Some(proof));
        assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::UnknownTicket(id(line)));
    }
    // Told of once more, by a Carol who crashed: the row would not be inserted, because of the mark. If it were, the mark stops
    // him still, though his keys are others.
    rows.insert(told.clone());
    for (line, proof) in [(1, proof), (2, of_another)] {
        let step = alice.handle_knowing(&formed_on(link(CAROL + 1), line, Some(proof)), &rows, NOW);
        let step = step.unwrap();
        assert_eq!((step.once(), step.taken()), (mark, Some(Taken::Disconnect(id(line)))));
    }
    assert_eq!(mark, Some(Mark::from(*told.ticket.as_bytes())));
    assert_eq!(alice.used(), 1);
}

#[test]
fn r16_4_a_ticket_that_overtakes_the_word_of_it_waits() {
    let (mut alice, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", None);
    let (_, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    assert_eq!(refused(&mut alice, &formed, &Rows::default(), NOW), Rejected::UnknownTicket(id(BOB)));
    assert_eq!(line_of_alice(&mut alice, &formed, &Rows::of(&[&told])).claims().line_id, id(BOB));
}

#[test]
fn r16_4_through_another_contacts_port_it_is_refused() {
    let (mut for_dave, mut dave) = granted(DAVE);
    let (_, mut carol) = granted(CAROL);
    let (told, carols) = ticket(&mut carol, 9, "Carol", None);
    let daves = ticket(&mut dave, 8, "Dave", None).1;
    let mut mixed = Cbor::read(daves.to_bytes().as_slice()).items().to_vec();
    mixed[7] = Cbor::read(carols.to_bytes().as_slice()).at(&[7]).clone();
    let mixed = Port::from_bytes(&Cbor::Array(mixed).write()).unwrap();
    let (_, proof) = bob_of(2, &mixed);
    let formed = formed_on(link(DAVE + 1), BOB, Some(proof));
    assert_eq!(refused(&mut for_dave, &formed, &Rows::of(&[&told]), NOW), Rejected::Stray(id(BOB)));
    // It is worth as much as before.
    let (mut for_carol, _) = granted(CAROL);
    let (_, proof) = bob_of(2, &carols);
    line_of_alice(&mut for_carol, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::of(&[&told]));
}

#[test]
fn r16_4_an_expired_ticket_is_struck_out_and_no_clock_revives_it() {
    let (mut alice, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", Some(EXPIRY));
    let mut rows = Rows::of(&[&told]);
    let (_, proof) = bob_of(2, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    assert!(alice.handle_knowing(&formed, &rows, UnixSeconds(EXPIRY.0 - 1)).unwrap().commit().count() > 0);
    let (mut alice, _) = granted(CAROL);
    let step = alice.handle_knowing(&formed, &rows, EXPIRY).unwrap();
    assert_eq!((step.strikes(), step.once()), (Some(told.ticket), Some(Mark::from(*told.ticket.as_bytes()))));
    let effects: Vec<_> = step.commit().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert!(effects[0].contains("Disconnect"), "{effects:?}");
    assert_eq!(alice.used(), 0);
    rows.told.remove(told.ticket.as_bytes());
    assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::UnknownTicket(id(BOB)));
}

#[test]
fn r16_4_of_ten_thousand_rows_one_is_asked_for() {
    let (mut alice, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", None);
    let mut rows = Rows::of(&[&told]);
    for n in 0..10_000_u32 {
        let ticket: [u8; 32] = std::array::from_fn(|i| n.to_be_bytes()[i % 4]);
        rows.insert(ToldTicket { ticket: ticket.into(), ..told.clone() });
    }
    let length = alice.record().len();
    let (_, proof) = bob_of(2, &port);
    line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &rows);
    assert_eq!(rows.asked.get(), 1);
    assert_eq!(alice.record().len(), length, "nothing of them is in her record");
}

/// A Bob who holds a good ticket can't make another of it, nor put it first, where the IV would rewrite it.
#[test]
fn r16_4_a_ticket_is_not_rewritten_through_the_iv() {
    type Aes = aes::Aes256;
    type Change<'c> = &'c dyn Fn(&mut [u8]);
    let (mut alice, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", None);
    let (other, others) = ticket(&mut carol, 8, "Carol", None);
    let rows = Rows::of(&[&told, &other]);
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
        assert_eq!(refused(&mut alice, &formed, &rows, NOW), Rejected::Stray(id(BOB)), "{n}");
    }
    // The same by hand, and nothing done to it.
    line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof(&rad_first, nothing))), &rows);
}

/// Carol says one thing to Alice and another to Bob.
#[test]
fn r16_5_whom_she_tells_different_things_are_never_confirmed() {
    let (_, mut carol) = granted(CAROL);
    let (told, port) = ticket(&mut carol, 9, "Carol", Some(EXPIRY));
    let rows = [
        (true, told.clone()),
        (false, ToldTicket { name: name("Carola"), ..told.clone() }),
        (false, ToldTicket { name: name(""), ..told.clone() }),
        (false, ToldTicket { expires: None, ..told.clone() }),
        (false, ToldTicket { expires: Some(UnixSeconds(EXPIRY.0 + 1)), ..told }),
    ];
    for (alike, row) in rows {
        let (mut alice, _) = granted(CAROL);
        let (mut bob, proof) = bob_of(2, &port);
        let at_alice = line_of_alice(&mut alice, &formed_on(link(CAROL + 1), BOB, Some(proof)), &Rows::of(&[&row]));
        let mut at_bob = line_of_bob(&mut bob, link(CAROL + 1), BOB);
        let heard = at_bob.handle_bytes(&packets(&at_alice)[0], &mut [0; 128], NOW).map(drop);
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
    for_carol.set_policy(Policy::unlimited().paused(true)).unwrap().commit().for_each(drop);
    assert_eq!(refused(&mut for_carol, &through_carol, &rows, NOW), Rejected::Stray(id(1)));
    assert_eq!(rows.asked.get(), 0);
    for_carol.set_policy(Policy::unlimited()).unwrap().commit().for_each(drop);
    assert!(for_carol.handle_knowing(&through_carol, &rows, NOW).is_ok());

    // Withdrawn.
    let effects: Vec<_> = for_carol.revoke().unwrap().commit().map(|effect| format!("{effect:?}")).collect();
    assert!(effects[0].contains("CloseLineLink"), "{effects:?}");
    assert_eq!(refused(&mut for_carol, &through_carol, &rows, NOW), Rejected::Stray(id(1)));
    let (mut alice_carol, mut carol_alice) = contact(CAROL);
    let said = introduce(&mut alice_carol, &Introduction::Withdrawn { line_link: link(CAROL + 1) });
    let said = hear(&mut carol_alice, &said);
    carol.handle(&Introduction::decode(&said).unwrap(), id(CAROL)).unwrap().commit().for_each(drop);
    assert_eq!(carol.phase(), IntroducerPhase::Ended(IntroducerEnd::Withdrawn));

    line_of_alice(&mut for_dave, &through_dave, &rows);
    assert_eq!(dave.phase(), IntroducerPhase::Granted);
}

#[test]
fn r2_4_the_longest_port_has_a_ticket() {
    let offer = longest().policy(Policy::unlimited()).introducer(id(CAROL));
    let alice = Alice::offer(link(3), offer, seed(1)).commit();
    let mut carol = Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(CAROL)).unwrap().commit();
    let (_, port) = ticket(&mut carol, 9, &"n".repeat(32), Some(UnixSeconds(u64::MAX)));
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
            for effect in machine.unsent() {
                if let IntroducerEffect::Ready(port) = effect {
                    assert!(Port::from_bytes(port.to_bytes().as_slice()).is_ok());
                }
            }
        }
    }
    println!("{:?} bytes", records.iter().map(Vec::len).collect::<Vec<_>>());
    assert_eq!(Introducer::restore(&granted(CAROL).0.record()).map(drop), Err(RestoreError::AnotherRole));
}

/// A table that answers with another ticket's row.
struct AnyRow(ToldTicket);

impl Known for AnyRow {
    fn ticket(&self, _: &TicketHash) -> Option<ToldTicket> {
        Some(self.0.clone())
    }
}

#[test]
fn r16_4_another_tickets_row_lets_nobody_in() {
    let (mut alice, mut carol) = granted(CAROL);
    let ((told, _), (_, port)) = (ticket(&mut carol, 3, "Carol", None), ticket(&mut carol, 5, "Carol", None));
    let (_, proof) = bob_of(BOB, &port);
    let formed = formed_on(link(CAROL + 1), BOB, Some(proof));
    let before = alice.record().to_vec();
    let error = alice.handle_knowing(&formed, &AnyRow(told), NOW).map(drop).unwrap_err();
    assert_eq!((error, &*alice.record()), (Rejected::UnknownTicket(id(BOB)), &before[..]));
}

#[test]
fn r16_3_a_line_has_one_grant_and_it_stands_in_nobodys_way() {
    let (alice, carol) = granted(CAROL);
    // Another contact port along the same line finds the key taken; the same along another line does not.
    let other = Alice::offer(link(9), Offer::new().policy(Policy::unlimited()).introducer(id(CAROL)), seed(7)).commit();
    let along =
        |alice: &Alice, line| Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(line)).unwrap().key();
    assert_eq!(along(&other, CAROL), carol.key());
    assert_ne!(along(&alice, CAROL + 1), carol.key());
    // Nor is it the key of a Port that is scanned, or of the line.
    let granted_link = alice.port().unwrap().line_link();
    assert!(
        ![Key::LineLink(granted_link), Key::Line(id(CAROL))]
            .map(|key| key.to_bytes())
            .contains(&carol.key().to_bytes())
    );
    assert_eq!(carol.key().to_bytes()[..2], [5, CAROL]);
}
