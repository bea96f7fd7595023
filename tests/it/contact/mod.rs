//! §16: contact ports. Alice, its contacts Carol and Dave, and Bob, a guest that Carol introduces.
#![cfg(feature = "alloc")]

mod crash;
mod grants;
mod introductions;
mod tickets;

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

fn name(name: &str) -> IntroducerName {
    IntroducerName::new(name).unwrap()
}

fn formed_on(line_link: LineLink, line: u8, proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link, line_id: id(line), peer: [line; 32].into(), proof }
}

fn connected_on(line_link: LineLink, line: u8, request_id: RequestId) -> Event<'static> {
    Event::Connected { line_link, request_id, line_id: id(line), peer: [line; 32].into() }
}

fn packets(line: &Line) -> Vec<Vec<u8>> {
    let packet = |effect| match effect {
        LineEffect::Send(Request::Packet { line_id, payload }) => Some(Event::Packet { line_id, payload }.to_vec()),
        _ => None,
    };
    line.pending().filter_map(packet).collect()
}

/// What a line does on the bytes of an event.
fn hand<'m>(
    line: &'m mut Line,
    event: &[u8],
    buffer: &'m mut [u8],
    now: UnixSeconds,
) -> Result<Step<'m, Line>, Rejected> {
    line.handle(&Event::decode(event)?, buffer, now, &mut Unused)
}

/// Confirm, and its answer.
fn confirm(at_alice: &mut Line, at_bob: &mut Line) {
    let mut out = [0; 128];
    hand(at_bob, &packets(at_alice)[0], &mut out, NOW).unwrap().committed().for_each(drop);
    let answer = packets(at_bob).remove(0);
    at_bob.clear_outbox().unwrap().committed().for_each(drop);
    hand(at_alice, &answer, &mut out, NOW).unwrap().committed().for_each(drop);
}

/// Alice's line with a contact, confirmed: Alice's end, and the contact's.
fn contact(n: u8) -> (Line, Line) {
    let (at_alice, at_contact) = contact_joined(n);
    let (mut at_alice, mut at_contact) = (at_alice, at_contact);
    confirm(&mut at_alice, &mut at_contact);
    (at_alice, at_contact)
}

fn contact_joined(n: u8) -> (Line, Line) {
    let mut alice = Alice::offer(link(n), PortOptions::new(), seed(n)).committed();
    let mut bob = Bob::scan(alice.port().unwrap().clone(), seed(n ^ 1)).committed();
    let proof = proof_of(&mut bob);
    (line_of_alice(&mut alice, &formed_on(link(n), n, Some(proof)), &NoPeers), line_of_bob(&mut bob, link(n), n))
}

fn proof_of(bob: &mut Bob) -> Proof {
    let step = bob.connect(SendProof::Inline, NOW).unwrap();
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.committed().next() else { panic!() };
    proof
}

fn line_of_alice(alice: &mut Alice, formed: &Event<'_>, peers: &impl Peers) -> Line {
    let step = alice.handle(formed, peers, NOW, &mut rng()).unwrap();
    let mut effects = step.committed();
    effects.find_map(|e| if let AliceEffect::LineFormed(line) = e { Some(line) } else { None }).unwrap()
}

fn line_of_bob(bob: &mut Bob, line_link: LineLink, line: u8) -> Line {
    let Some(BobEffect::Send(Request::Connect { request_id, .. })) = bob.pending().next() else { panic!("{bob:?}") };
    let connected = connected_on(line_link, line, request_id);
    let step = bob.handle(&connected, &NoPeers, NOW, &mut Unused).unwrap();
    let Some(BobEffect::LineFormed(line)) = step.committed().next() else { panic!() };
    line
}

/// What the line's other end hears.
fn introduce(line: &mut Line, message: &IntroducerMessage<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_INTRODUCER_MESSAGE + SEAL_OVERHEAD];
    let step = line.seal_introducer_message(message, &mut buffer).unwrap();
    let Some(LineEffect::Send(Request::Packet { line_id, payload })) = step.committed().next() else { panic!() };
    Event::Packet { line_id, payload }.to_vec()
}

/// The introducer message's bytes.
fn hear(line: &mut Line, event: &[u8]) -> Vec<u8> {
    let mut out = [0; 512];
    let mut effects = hand(line, event, &mut out, NOW).unwrap().committed();
    effects.find_map(|e| if let LineEffect::IntroducerMessage(said) = e { Some(said.to_vec()) } else { None }).unwrap()
}

fn ticket_in(bytes: &[u8]) -> TicketNotice {
    match IntroducerMessage::decode(bytes) {
        Ok(IntroducerMessage::Ticket(notice)) => notice,
        other => panic!("{other:?}"),
    }
}

/// The rows that Alice's caller keeps, and how often they were asked for.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<[u8; 32], TicketNotice>,
    asked: std::cell::Cell<usize>,
}

impl Rows {
    fn insert(&mut self, notice: TicketNotice) -> bool {
        self.rows.insert(*notice.ticket.as_bytes(), notice).is_none()
    }

    fn of(notices: &[&TicketNotice]) -> Self {
        let mut rows = Self::default();
        notices.iter().for_each(|notice| assert!(rows.insert((*notice).clone())));
        rows
    }
}

impl Peers for Rows {
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.asked.set(self.asked.get() + 1);
        self.rows.get(ticket.as_bytes()).cloned()
    }
}

/// A contact port of Alice's for the contact of this number: its link is one more.
fn granted_with(n: u8, policy: Policy) -> (Alice, Introducer) {
    let alice = Alice::offer(link(n + 1), PortOptions::new().policy(policy).introducer(id(n)), seed(n + 1)).committed();
    let grant = alice.port().unwrap().to_bytes();
    (alice, Introducer::granted(grant.as_slice(), id(n)).unwrap().committed())
}

fn granted(n: u8) -> (Alice, Introducer) {
    granted_with(n, Policy::unlimited())
}

/// What is announced to Alice, and what Bob is given.
fn ticket(introducer: &mut Introducer, n: u8, called: &str, expires: Option<UnixSeconds>) -> (TicketNotice, Port) {
    let step = introducer.introduce(name(called), expires, seed(n), NOW).unwrap();
    let Some(IntroducerEffect::Announce(_, IntroducerMessage::Ticket(notice))) = step.committed().next() else {
        panic!()
    };
    let Some(IntroducerEffect::Ready(port)) = introducer.mark_announced().unwrap().committed().next() else { panic!() };
    introducer.clear_outbox().unwrap().committed().for_each(drop);
    (notice, Port::parse(port.qr_text().as_str()).unwrap())
}

/// A Bob of this seed that has connected, and its proof.
fn bob_of(n: u8, port: &Port) -> (Bob, Proof) {
    let mut bob = Bob::scan(port.clone(), seed(n)).committed();
    let proof = proof_of(&mut bob);
    (bob, proof)
}

fn refused(alice: &mut Alice, formed: &Event<'_>, rows: &Rows, now: UnixSeconds) -> Rejected {
    let before = alice.record().to_vec();
    let error = alice.handle(formed, rows, now, &mut rng()).map(drop).unwrap_err();
    assert_eq!(*alice.record(), before[..]);
    error
}

/// One of each introducer message, and of each record of an Introducer, with everything optional and without.
pub fn samples() -> [Vec<Vec<u8>>; 2] {
    let (mut messages, mut records) = (Vec::new(), Vec::new());
    let expiring = PortOptions::new().expires(EXPIRY);
    let full = (longest(), name(&"n".repeat(32)), Some(UnixSeconds::MAX));
    for (offer, name, expires) in [(PortOptions::new(), name(""), None), (expiring, name("Carol"), Some(EXPIRY)), full]
    {
        let offer = offer.policy(Policy::unlimited()).introducer(id(CAROL));
        let alice = Alice::offer(link(CAROL + 1), offer, seed(1)).committed();
        let grant = alice.port().unwrap().to_bytes();
        messages.push(IntroducerMessage::Grant { port: grant.as_slice() }.to_vec());
        let mut carol = Introducer::granted(grant.as_slice(), id(CAROL)).unwrap().committed();
        records.push(carol.record().to_vec());
        let step = carol.introduce(name, expires, seed(9), NOW).unwrap();
        let Some(IntroducerEffect::Announce(_, announced)) = step.committed().next() else { panic!() };
        messages.push(announced.to_vec());
        records.push(carol.record().to_vec());
        carol.mark_announced().unwrap().committed().for_each(drop);
        records.push(carol.record().to_vec());
        carol.cancel().unwrap().committed().for_each(drop);
        records.push(carol.record().to_vec());
        carol.clear_outbox().unwrap().committed().for_each(drop);
        records.push(carol.record().to_vec());
    }
    messages.push(IntroducerMessage::Withdrawn { line_link: link(CAROL + 1) }.to_vec());
    [messages, records]
}
