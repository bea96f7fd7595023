//! Ports for many (§14, §16): Superports and contact ports, who uses them, and what their keys come from.

use std::collections::BTreeMap;

use hkdf::Hkdf;

use super::packets::{sealed, with_counters};
use super::play::{AtAlice, AtBob, End, Log, Shown, of, of_policy, restored};
use super::ports::{hashed_ticket, ticket, with_ticket};
use super::proofs::{dh, encrypt, proof_of, public_key};
use super::*;

const WEEK: u64 = 7 * 24 * 60 * 60;
const INTRODUCER: [u8; 16] = counting(0x11);
const OLD_LINE: [u8; 16] = counting(0x22);

/// Somebody who uses the Port, and both ends of his line.
struct Guest {
    name: &'static str,
    seed: u8,
    bob: Option<Bob>,
    lines: [Option<Line>; 2],
}

/// What the caller's tables say, of whoever comes.
struct Tables {
    standing: Standing,
    told: Vec<ToldTicket>,
}

impl Known for Tables {
    fn pair(&self, _: &PairHash) -> Standing {
        self.standing
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<ToldTicket> {
        self.told.iter().find(|told| told.ticket == *ticket).cloned()
    }
}

impl Tables {
    fn show(&self) -> Value {
        let line_id =
            if let Standing::Connected(line_id) = self.standing { Some(hex(line_id.as_bytes())) } else { None };
        let told = self.told.iter().map(|told| {
            json!({
                "line_link": hex(told.line_link.as_bytes()), "ticket": hex(told.ticket.as_bytes()),
                "name": told.name.as_str(), "expires": told.expires.map(|expires| expires.0),
            })
        });
        let standing = name_of(&self.standing);
        json!({ "standing": standing, "line_id": line_id, "told": told.collect::<Vec<_>>() })
    }
}

/// One Alice, those who come, and what her caller knows.
pub struct Host {
    pub log: Log,
    alice: Option<Alice>,
    guests: [Guest; 3],
    tables: Tables,
    now: UnixSeconds,
}

/// Which guest.
const BOB_1: usize = 0;
const BOB_2: usize = 1;
const BOB_3: usize = 2;

fn line_of(n: usize) -> [u8; 16] {
    counting(0x90 + n as u8)
}

fn formed(n: usize, proof: Option<Proof>) -> Event<'static> {
    let (line_id, pair_hash) = (line_of(n).into(), counting(0xa0 + n as u8).into());
    Event::LineFormed { line_link: LINE_LINK.into(), line_id, pair_hash, proof }
}

impl Host {
    fn new() -> Self {
        let guest = |(name, seed)| Guest { name, seed, bob: None, lines: [None, None] };
        Self {
            log: Log::default(),
            alice: None,
            guests: [("bob", 0x40), ("bob 2", 0xc0), ("bob 3", 0x60)].map(guest),
            tables: Tables { standing: Standing::Stranger, told: Vec::new() },
            now: NOW,
        }
    }

    fn what(&self, who: &str, does: &str, more: Value) -> Value {
        let mut what = json!({ "who": who, "does": does, "now": self.now.0 });
        what.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        what
    }

    // ------------------------------------------------------------------------------------------------------- Alice

    fn offering(offer: Offer) -> Self {
        let mut host = Self::new();
        let more = json!({ "seed": hex(counting::<64>(ALICE)), "offer": of(&offer), "line_link": hex(LINE_LINK) });
        let what = host.what("alice", "offer", more);
        host.alice = Some(host.log.born(what, Alice::offer(LINE_LINK.into(), offer, seed(ALICE))));
        host
    }

    fn requesting(offer: Offer) -> Self {
        let mut host = Self::new();
        let what = host.what("alice", "request", json!({ "seed": hex(counting::<64>(ALICE)), "offer": of(&offer) }));
        host.alice = Some(host.log.born(what, Alice::request(offer, seed(ALICE))));
        host
    }

    /// The link that she asked for, by the id that stands in her request.
    fn issue(&mut self) {
        let Key::Request(request_id) = self.alice.as_ref().unwrap().key() else { panic!("no request") };
        self.alice(Event::LineLinkIssued { request_id, line_link: LINE_LINK.into() });
    }

    fn alice(&mut self, event: Event<'_>) {
        let more = json!({ "event": hex(event.to_vec()), "knows": self.tables.show() });
        let what = self.what("alice", "handle", more);
        self.log.step(what, self.alice.as_mut().unwrap().handle_knowing(&event, &self.tables, self.now));
    }

    fn set_policy(&mut self, policy: Policy) {
        let what = self.what("alice", "set_policy", json!({ "policy": of_policy(&policy) }));
        self.log.step(what, self.alice.as_mut().unwrap().set_policy(policy));
    }

    fn settle_alice(&mut self) {
        let what = self.what("alice", "settle", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().settle().ok_or("Nothing"));
    }

    fn revoke(&mut self) {
        let what = self.what("alice", "revoke", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().revoke());
    }

    fn tick_alice(&mut self) {
        let what = self.what("alice", "tick", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().tick(self.now).ok_or("NotYet"));
    }

    /// Her Port, with a ticket if it is a contact port: a grant gives it to the introducer, who writes his ticket into it.
    fn port_with(&self, ticket: Option<&Cbor>) -> Port {
        let port = self.alice.as_ref().unwrap().port().unwrap();
        ticket.map_or_else(|| port.clone(), |ticket| Port::from_bytes(&with_ticket(port, ticket)).unwrap())
    }

    // --------------------------------------------------------------------------------------------------------- Bob

    fn scan(&mut self, n: usize, ticket: Option<&Cbor>) {
        let (port, &Guest { name, seed: first, .. }) = (self.port_with(ticket), &self.guests[n]);
        let more = json!({ "seed": hex(counting::<64>(first)), "port": hex(port.to_bytes().as_slice()) });
        let what = self.what(name, "scan", more);
        self.guests[n].bob = Some(self.log.born(what, Bob::scan(port, seed(first))));
    }

    fn connect(&mut self, n: usize, how: SendProof) -> Option<Proof> {
        let what = self.what(self.guests[n].name, "connect", json!({ "send_proof": name_of(&how) }));
        self.log.step(what, self.guests[n].bob.as_mut().unwrap().connect(how, self.now));
        match Request::decode(self.log.last("send").first()?) {
            Ok(Request::Connect { proof, .. }) => proof,
            _ => None,
        }
    }

    /// Up to his proof.
    fn come(&mut self, n: usize) -> Option<Proof> {
        self.scan(n, None);
        self.connect(n, SendProof::OnBoard)
    }

    fn bob(&mut self, n: usize, event: Event<'_>) {
        let more = json!({ "event": hex(event.to_vec()), "knows": self.tables.show() });
        let what = self.what(self.guests[n].name, "handle", more);
        self.log.step(what, self.guests[n].bob.as_mut().unwrap().handle_knowing(&event, &self.tables, self.now));
    }

    fn settle_bob(&mut self, n: usize) {
        let what = self.what(self.guests[n].name, "settle", Value::Null);
        self.log.step(what, self.guests[n].bob.as_mut().unwrap().settle().ok_or("Nothing"));
    }

    // -------------------------------------------------------------------------------------------------------- Line

    fn at(&self, n: usize, end: End) -> String {
        format!("{} with {}", end.name(), self.guests[n].name)
    }

    fn keep(&mut self, n: usize, end: End, does: &str, record: &[u8], key: &Line) {
        self.log.records.push(restored::<Line>(record));
        let what = self.what(&self.at(n, end), does, Value::Null);
        let key = json!({ "record": hex(record), "key": hex(key.key().to_bytes()), "effects": key.unsent_shown() });
        self.log.push(what, key);
        self.guests[n].lines[end as usize] = Some(Line::restore(record).unwrap());
    }

    /// The line that the last step yielded.
    fn born(&mut self, n: usize, end: End) {
        let record = self.log.last("line_formed").remove(0);
        let line = Line::restore(&record).unwrap();
        self.keep(n, end, "born", &record, &line);
    }

    fn line<E: Debug>(
        &mut self,
        (n, end): (usize, End),
        does: &str,
        more: Value,
        act: impl for<'m> FnOnce(&'m mut Line, &'m mut [u8], UnixSeconds) -> Result<Step<'m, Line>, E>,
    ) {
        let what = self.what(&self.at(n, end), does, more);
        let line = self.guests[n].lines[end as usize].as_mut().unwrap();
        self.log.step(what, act(line, &mut [0; 1024], self.now));
    }

    fn packet(&mut self, n: usize, end: End, payload: &[u8]) {
        let event = Event::Packet { line_id: line_of(n).into(), payload }.to_vec();
        self.line((n, end), "handle", json!({ "event": hex(&event) }), |line, buffer, now| {
            line.handle_bytes(&event, buffer, now)
        });
    }

    fn open(&mut self, n: usize, end: End, payload: &[u8], data: &[u8]) {
        let event = Event::Packet { line_id: line_of(n).into(), payload };
        let more = json!({ "payload": hex(payload), "associated_data": hex(data) });
        self.line((n, end), "open", more, |line, buffer, now| line.open(&event, data, buffer, now));
    }

    fn dropped(&mut self, n: usize, end: End) {
        let event = Event::Dropped { line_id: line_of(n).into() };
        self.line((n, end), "handle", json!({ "event": hex(event.to_vec()) }), |line, buffer, now| {
            line.handle(&event, buffer, now)
        });
    }

    /// The packet, or nothing if it is not sealed.
    fn seal(&mut self, n: usize, end: End, text: &str, data: &[u8]) -> Vec<u8> {
        let more = json!({ "text": hex(text), "associated_data": hex(data) });
        self.line((n, end), "seal", more, |line, buffer, _| line.seal(text.as_bytes(), data, buffer));
        if self.log.last("send").is_empty() { Vec::new() } else { self.log.sent() }
    }

    fn close(&mut self, n: usize, end: End) {
        self.line((n, end), "close", Value::Null, |line, _, _| line.close());
    }

    fn accept(&mut self, n: usize) {
        self.line((n, AtAlice), "accept", Value::Null, |line, _, now| line.accept(now));
    }

    fn decline(&mut self, n: usize) {
        self.line((n, AtAlice), "decline", Value::Null, |line, _, _| line.decline());
    }

    fn tick(&mut self, n: usize, end: End) {
        self.line((n, end), "tick", Value::Null, |line, _, now| line.tick(now).ok_or("NotYet"));
    }

    fn settle(&mut self, n: usize, end: End) {
        self.line((n, end), "settle", Value::Null, |line, _, _| line.settle().ok_or("Nothing"));
    }

    /// Both ends joined, everything settled: Alice's Confirm, if she is not asked.
    fn join(&mut self, n: usize) -> Vec<u8> {
        let proof = self.come(n);
        self.admit(n, proof)
    }

    fn admit(&mut self, n: usize, proof: Option<Proof>) -> Vec<u8> {
        self.alice(formed(n, proof));
        self.born(n, AtAlice);
        let first = if self.log.last("send").is_empty() { Vec::new() } else { self.log.sent() };
        self.bob(n, formed(n, None));
        self.born(n, AtBob);
        first
    }

    /// Both ends confirmed, and Bob's Answer with Alice.
    fn confirm(&mut self, n: usize, confirm: &[u8]) {
        self.packet(n, AtBob, confirm);
        let answer = self.log.sent();
        self.settle(n, AtBob);
        self.packet(n, AtAlice, &answer);
    }
}

fn many() -> Offer {
    Offer::new().policy(Policy::unlimited())
}

/// Two who use a Superport that was asked for. What Bob says before he hears Alice comes in every order.
fn a_superport() -> Host {
    let mut host = Host::requesting(many());
    host.issue();
    host.settle_alice();
    host.settle_alice(); // Nothing
    let proof = host.come(BOB_1);
    host.alice(formed(BOB_1, proof.clone()));
    host.born(BOB_1, AtAlice);
    let confirm = host.log.sent();
    let other = host.come(BOB_2);
    host.bob(BOB_1, formed(BOB_1, None));
    host.born(BOB_1, AtBob);

    // Epoch 0: Bob's opening words, the first of them late. Alice seals in epoch 1 at once.
    let late = host.seal(BOB_1, AtBob, "one", b"");
    let second = host.seal(BOB_1, AtBob, "two", b"first words");
    host.open(BOB_1, AtAlice, &second, b"first words"); // and Confirm again
    host.open(BOB_1, AtAlice, &second, b"first words"); // Repeated
    host.packet(BOB_1, AtAlice, &second); // Forged: other data
    let opening = host.seal(BOB_1, AtAlice, "hello Bob", b"");
    host.packet(BOB_1, AtBob, &opening); // TooEarly
    host.packet(BOB_1, AtBob, &confirm);
    let answer = host.log.sent();
    host.settle(BOB_1, AtBob);
    host.packet(BOB_1, AtBob, &opening);

    // Epoch 1.
    let message = host.seal(BOB_1, AtBob, "hello Alice", b"");
    host.packet(BOB_1, AtAlice, &message); // before the Answer: confirmed by it
    host.packet(BOB_1, AtAlice, &answer); // one of two came
    host.packet(BOB_1, AtAlice, &answer); // Repeated
    host.tick(BOB_1, AtAlice); // NotYet
    host.packet(BOB_1, AtAlice, &late); // all came
    host.packet(BOB_1, AtAlice, &late); // Forged: its key is gone
    host.packet(BOB_1, AtBob, &confirm); // the same Answer
    let mut other_confirm = confirm.clone();
    *other_confirm.last_mut().unwrap() ^= 1;
    host.packet(BOB_1, AtBob, &other_confirm); // Forged: its key is gone
    host.settle(BOB_1, AtBob);
    let padded = host.seal(BOB_1, AtAlice, "", b"data");
    host.open(BOB_1, AtBob, &padded, b"data");

    // The other. His proof is on board, whatever he wishes.
    let confirm = host.admit(BOB_2, other);
    host.dropped(BOB_2, AtAlice);
    host.confirm(BOB_2, &confirm);
    host.packet(BOB_2, AtBob, &message); // Forged: another's
    host.close(BOB_1, AtAlice);
    let close = host.log.sent();
    host.packet(BOB_1, AtBob, &close);
    host.settle(BOB_1, AtBob);
    host.settle(BOB_1, AtAlice);
    host
}

/// A word of Bob's that never comes; a proof along the line that travels on board all the same; everything a Port can carry.
fn a_week_later() -> Host {
    let mut host = Host::offering(many().expires(UnixSeconds(NOW.0 + 2 * WEEK)).relay(relay(RELAY)));
    host.scan(BOB_1, None);
    let proof = host.connect(BOB_1, SendProof::AlongTheLine);
    let confirm = host.admit(BOB_1, proof);
    let lost = host.seal(BOB_1, AtBob, "lost", b"");
    host.now = LATER;
    host.packet(BOB_1, AtBob, &confirm);
    let answer = host.log.sent();
    host.packet(BOB_1, AtAlice, &answer);
    host.now = UnixSeconds(NOW.0 + WEEK - 1);
    host.tick(BOB_1, AtAlice); // NotYet
    host.now = UnixSeconds(NOW.0 + WEEK);
    host.tick(BOB_1, AtAlice);
    host.tick(BOB_1, AtAlice); // NotYet: never more
    host.packet(BOB_1, AtAlice, &lost); // Forged
    // Neither heard the other for a week: Confirm stays, and is sent again.
    host.now = NOW;
    let confirm = host.join(BOB_2);
    host.now = UnixSeconds(NOW.0 + WEEK);
    host.tick(BOB_2, AtAlice);
    host.confirm(BOB_2, &confirm);
    host.now = UnixSeconds(NOW.0 + 2 * WEEK);
    let proof = host.come(BOB_3); // ended: Expired
    assert!(proof.is_none());
    host.tick_alice();
    host.settle_alice();
    host
}

/// The week is over by the clock, before the deadline is seen to, and before anything of epoch 0 is opened.
fn a_week_later_by_the_clock() -> Host {
    let mut host = Host::offering(many());
    let confirm = host.join(BOB_1);
    let late = host.seal(BOB_1, AtBob, "late", b"");
    host.now = UnixSeconds(NOW.0 + WEEK);
    host.packet(BOB_1, AtAlice, &late);
    host.now = NOW;
    host.packet(BOB_1, AtAlice, &late); // Forged
    host.confirm(BOB_1, &confirm);
    host
}

/// Bob closes before he hears Alice; she closes before he is confirmed.
fn closed_in_epoch_0() -> Host {
    let mut host = Host::offering(many());
    let _ = host.join(BOB_1);
    host.close(BOB_1, AtBob);
    let close = host.log.sent();
    host.packet(BOB_1, AtAlice, &close);
    host.settle(BOB_1, AtAlice);
    let confirm = host.join(BOB_2);
    host.close(BOB_2, AtAlice);
    let close = host.log.sent();
    host.packet(BOB_2, AtBob, &close); // TooEarly
    host.packet(BOB_2, AtBob, &confirm);
    host.packet(BOB_2, AtBob, &close);
    host
}

/// The last words that Bob may say before he hears Alice, and what the key of epoch 0 opens beside them.
fn sixty_four() -> Host {
    let mut host = Host::offering(many());
    let confirm = host.join(BOB_1);
    let at_bob = host.guests[BOB_1].lines[AtBob as usize].take().unwrap();
    let (record, key) = (with_counters(&at_bob, 63, None), super::packets::key_of(&at_bob));
    host.keep(BOB_1, AtBob, "restore", &record, &at_bob);
    let last = host.seal(BOB_1, AtBob, "the last", b"");
    assert!(host.seal(BOB_1, AtBob, "one more", b"").is_empty()); // Unconfirmed
    host.packet(BOB_1, AtAlice, &last);
    for (content, counter, text) in [
        (Content::Opening, 64, &b"too far"[..]), // Repeated
        (Content::Message, 0, b"of epoch 1"),    // OutOfOrder
        (Content::Confirm, 0, b""),              // Forged: its text has 32 bytes
        (Content::Confirm, 0, &[9; 32]),         // OutOfOrder
        (Content::Answer, 0, b""),               // Forged: its text has one byte
        (Content::Answer, 0, &[1]),              // OutOfOrder
    ] {
        let packet = sealed(&key, content, 0, counter, text, b"");
        host.packet(BOB_1, AtAlice, &packet);
    }
    let packet = sealed(&key, Content::Opening, 2, 0, b"no such epoch", b"");
    host.packet(BOB_1, AtAlice, &packet); // Forged
    host.confirm(BOB_1, &confirm); // he sent 64
    host
}

/// Limit, pause, bad proofs: what is refused uses nothing up, and looks alike.
fn at_the_limit() -> Host {
    let mut host = Host::offering(Offer::new().policy(Policy::up_to(1)));
    let (first, second, third) = (host.come(BOB_1), host.come(BOB_2), host.come(BOB_3));
    host.alice(formed(BOB_3, None)); // Stray
    host.alice(formed(BOB_3, Some(proof_of(&[9; 32], &[1; 48]).1))); // Stray
    host.alice(formed(BOB_3, Some(proof_of(&[0; 32], &[1; 48]).1))); // Stray
    host.alice(formed(BOB_3, Some(proof_of(&[9; 32], &[1; 64]).1))); // Stray
    let confirm = host.admit(BOB_1, first); // and the Server is told that it is full
    host.confirm(BOB_1, &confirm);
    host.alice(formed(BOB_2, second.clone())); // Stray
    host.set_policy(Policy::up_to(1).again(Again::Refuse)); // nothing to tell
    host.set_policy(Policy::up_to(2).again(Again::Refuse));
    host.settle_alice();
    host.set_policy(Policy::up_to(2).again(Again::Refuse).paused(true));
    host.set_policy(Policy::up_to(2).again(Again::Refuse)); // not settled in between: the higher version counts
    host.tables.standing = Standing::Blocked;
    host.alice(formed(BOB_2, second.clone())); // Stray
    host.tables.standing = Standing::Connected(OLD_LINE.into());
    host.alice(formed(BOB_2, second.clone())); // Stray
    host.set_policy(Policy::up_to(2).again(Again::Replace).until(Some(LATER)));
    let confirm = host.admit(BOB_2, second);
    host.confirm(BOB_2, &confirm);
    host.set_policy(Policy::up_to(1)); // below what was used
    host.set_policy(Policy::once()); // SingleUse
    host.set_policy(Policy::unlimited().again(Again::Allow));
    host.tables.standing = Standing::Connected(line_of(BOB_2).into());
    host.alice(formed(BOB_2, None)); // Repeated: the caller has this very line
    host.tables.standing = Standing::Connected(OLD_LINE.into());
    let _ = host.admit(BOB_3, third); // replaces nothing, at Alice
    host.revoke();
    host.alice(formed(BOB_1, None)); // Stray
    host.set_policy(Policy::unlimited()); // OutOfOrder
    host.settle_alice();
    host
}

/// The end of the policy, which the Port does not say.
fn until() -> Host {
    let mut host = Host::offering(many().policy(Policy::unlimited().until(Some(LATER))));
    let proof = host.come(BOB_1);
    host.settle_alice();
    host.now = LATER;
    host.alice(formed(BOB_1, proof)); // Expired, and both are told
    host.settle_alice();
    host
}

/// It holds for a proof to come, too.
fn until_the_proof() -> Host {
    let mut host = Host::offering(Offer::new().policy(Policy::once().until(Some(LATER))));
    host.alice(formed(BOB_1, None));
    host.born(BOB_1, AtAlice);
    host.now = LATER;
    host.tick(BOB_1, AtAlice);
    host
}

fn requesting() -> Host {
    let mut host = Host::requesting(many().policy(Policy::up_to(3)));
    host.set_policy(Policy::once()); // SingleUse
    host.set_policy(Policy::up_to(3).paused(true).until(Some(LATER)));
    host.issue();
    host.settle_alice();
    host.tick_alice(); // NotYet
    host.now = LATER;
    host.tick_alice();
    host
}

/// A Superport that asks. Bob speaks, and is not answered until she says so.
fn a_superport_that_asks() -> Host {
    let mut host = Host::offering(Offer::new().policy(Policy::up_to(9).asking(true)));
    for n in [BOB_1, BOB_2, BOB_3] {
        let nothing = host.join(n);
        assert!(nothing.is_empty());
    }
    let word = host.seal(BOB_1, AtBob, "it is me", b"");
    host.now = LATER;
    host.packet(BOB_1, AtAlice, &word); // TooEarly
    host.dropped(BOB_1, AtAlice); // OutOfOrder
    let _ = host.seal(BOB_1, AtAlice, "who?", b""); // NotJoined
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.accept(BOB_1); // OutOfOrder
    host.decline(BOB_1); // OutOfOrder
    host.packet(BOB_1, AtAlice, &word);
    host.confirm(BOB_1, &confirm);

    host.decline(BOB_2);
    host.settle(BOB_2, AtAlice);
    host.decline(BOB_2); // OutOfOrder

    host.now = UnixSeconds(NOW.0 + WEEK);
    host.tick(BOB_3, AtAlice); // NotYet: she takes her time
    host.close(BOB_3, AtAlice); // nothing is said to him
    host
}

/// A Port for one use that asks: with the proof along the line, and on board.
fn a_port_that_asks() -> Host {
    let mut host = Host::offering(Offer::new().policy(Policy::once().asking(true)));
    host.scan(BOB_1, None);
    let _ = host.connect(BOB_1, SendProof::AlongTheLine);
    host.bob(BOB_1, formed(BOB_1, None));
    host.born(BOB_1, AtBob);
    let proof = host.log.sent();
    host.alice(formed(BOB_1, None));
    host.born(BOB_1, AtAlice);
    host.accept(BOB_1); // OutOfOrder
    host.packet(BOB_1, AtAlice, &proof);
    host.packet(BOB_1, AtAlice, &proof); // OutOfOrder
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.confirm(BOB_1, &confirm);
    host
}

fn a_port_that_is_declined() -> Host {
    let mut host = Host::offering(Offer::new().policy(Policy::once().asking(true)));
    let proof = host.come(BOB_1);
    host.alice(formed(BOB_1, proof));
    host.born(BOB_1, AtAlice);
    host.decline(BOB_1);
    host
}

/// A plain Port's policy: it stays a plain Port, and is spent by whoever comes.
fn a_plain_port(policy: Policy, standing: Standing) -> Host {
    let mut host = Host::offering(Offer::new());
    host.set_policy(Policy::unlimited()); // SingleUse
    host.set_policy(policy);
    host.settle_alice();
    let proof = host.come(BOB_1);
    host.tables.standing = standing;
    host.alice(formed(BOB_1, proof));
    host.settle_alice();
    host.bob(BOB_1, formed(BOB_1, None));
    host.settle_bob(BOB_1);
    host
}

/// What Alice's caller keeps of it.
fn told(host: &Host, ticket: &Cbor) -> ToldTicket {
    let port = host.port_with(Some(ticket));
    let ticket = port.ticket().unwrap();
    ToldTicket {
        line_link: LINE_LINK.into(),
        ticket: ticket.hash(),
        name: ticket.name().clone(),
        expires: ticket.expires(),
    }
}

/// Carol's contact port: three tickets of hers, one of them expired, and what is none.
fn a_contact_port() -> Host {
    let policy = Policy::unlimited();
    let mut host = Host::offering(Offer::new().introducer(INTRODUCER.into()).policy(policy).relay(relay(RELAY)));
    host.settle_alice();
    let tickets =
        [ticket(0x33, "Carol", None), ticket(0x44, "", Some(LATER.0)), ticket(0x55, &"c".repeat(32), Some(NOW.0))];
    let mut proofs = Vec::new();
    for (n, ticket) in tickets.iter().enumerate() {
        host.scan(n, Some(ticket));
        proofs.push(host.connect(n, SendProof::OnBoard));
    }
    host.alice(formed(BOB_1, proofs[0].clone())); // UnknownTicket
    host.tables.told = tickets.iter().map(|ticket| told(&host, ticket)).collect();
    host.tables.told[0].line_link = counting(0x77).into();
    host.alice(formed(BOB_1, proofs[0].clone())); // Stray: of another contact port
    host.tables.told[0].line_link = LINE_LINK.into();
    host.alice(formed(BOB_1, None)); // Stray
    host.alice(formed(BOB_1, Some(proof_of(&[9; 32], &[1; 64]).1))); // Stray
    host.alice(formed(BOB_1, Some(proof_of(&[9; 32], &[1; 48]).1))); // Stray
    host.alice(formed(BOB_3, proofs[2].clone())); // struck out: it has expired
    host.tables.told.pop();
    host.alice(formed(BOB_3, proofs[2].clone())); // UnknownTicket
    for n in [BOB_1, BOB_2] {
        let confirm = host.admit(n, proofs[n].clone());
        host.tables.told.remove(0);
        let word = host.seal(n, AtBob, "Carol sends me", b"");
        host.packet(n, AtAlice, &word);
        host.confirm(n, &confirm);
    }
    host.alice(formed(BOB_3, proofs[0].clone())); // UnknownTicket: it was used
    host.revoke();
    host
}

/// By default a contact port is good for one, and the Server is told nothing of it but that it admits many.
fn a_contact_port_for_one() -> Host {
    let mut host = Host::requesting(Offer::new().introducer(INTRODUCER.into()).expires(LATER));
    host.set_policy(Policy::once().asking(true));
    host.issue();
    host.settle_alice();
    // Carol told Alice another name than Bob: his end is never confirmed.
    let of_bob = ticket(0x33, "Karl", None);
    host.scan(BOB_1, Some(&of_bob));
    let proof = host.connect(BOB_1, SendProof::OnBoard);
    host.tables.told = vec![told(&host, &ticket(0x33, "Carol", None))];
    let _ = host.admit(BOB_1, proof);
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.packet(BOB_1, AtBob, &confirm); // Forged
    host.now = LATER;
    host.tick_alice();
    host
}

pub fn plays() -> BTreeMap<&'static str, Host> {
    let plain = |policy: Policy, standing| a_plain_port(policy, standing);
    let connected = Standing::Connected(OLD_LINE.into());
    BTreeMap::from([
        ("a Superport", a_superport()),
        ("a week later", a_week_later()),
        ("a week later, by the clock", a_week_later_by_the_clock()),
        ("closed in epoch 0", closed_in_epoch_0()),
        ("sixty-four words", sixty_four()),
        ("at the limit", at_the_limit()),
        ("until", until()),
        ("until the proof", until_the_proof()),
        ("requesting", requesting()),
        ("a Superport that asks", a_superport_that_asks()),
        ("a Port that asks: accepted", a_port_that_asks()),
        ("a Port that asks: declined", a_port_that_is_declined()),
        ("a plain Port: paused", plain(Policy::once().paused(true), Standing::Stranger)),
        ("a plain Port: blocked", plain(Policy::once(), Standing::Blocked)),
        ("a plain Port: connected already", plain(Policy::once().again(Again::Refuse), connected)),
        ("a plain Port: replaces", plain(Policy::once(), connected)),
        ("a contact port", a_contact_port()),
        ("a contact port for one", a_contact_port_for_one()),
    ])
}

// ------------------------------------------------------------------------------------------------------------- Keys

fn expand(hkdf: &Hkdf<Sha256>, info: &str) -> [u8; 32] {
    let mut key = [0; 32];
    hkdf.expand(info.as_bytes(), &mut key).unwrap();
    key
}

fn bytes(bytes: &[u8]) -> Cbor {
    Cbor::Bytes(bytes.into())
}

/// What the keys of a play come from (§14.3, §14.4, §14.7, §16.2), made here once more from seeds, Port and events. For each use
/// in its turn: `None` is who comes with no ticket.
fn derived(host: &Host, uses: &[(usize, Option<Cbor>)]) -> Value {
    let steps = &host.log.steps;
    let records = || host.log.records.iter().map(|entry| entry["record"].as_str().unwrap());
    let in_a_record = |what: &str| assert!(records().any(|record| record.contains(what)), "in no record: {what}");

    let (alice_prk, hkdf) = Hkdf::<Sha256>::extract(None, &counting::<64>(ALICE));
    let (private_key, mut next_seed) = (expand(&hkdf, "private key"), expand(&hkdf, "seed"));
    let (mut rad, mut request_id) = ([0; 16], [0; 16]);
    hkdf.expand(b"rad", &mut rad).unwrap();
    hkdf.expand(b"request id", &mut request_id).unwrap();
    [&private_key[..], &next_seed, &rad].iter().for_each(|secret| in_a_record(&hex(secret)));
    let alice = json!({
        "prk": hex(alice_prk), "private_key": hex(private_key), "rad": hex(rad), "request_id": hex(request_id),
        "seed": hex(next_seed),
    });

    let scan = steps.iter().find(|step| step["does"] == "scan").unwrap();
    let port = Port::from_bytes(&hex::decode(scan["port"].as_str().unwrap()).unwrap()).unwrap();
    let uses = uses.iter().map(|(n, ticket)| {
        let of_bob: [u8; 32] = counting(host.guests[*n].seed);
        let secret = dh(&of_bob, &public_key(&private_key));
        let ticket_secret = ticket.iter().map(|ticket| ticket.as_array().unwrap()[0].as_bytes().unwrap().clone()).next();
        let blocks = [&rad[..], ticket_secret.as_deref().unwrap_or_default(), &[16; 16]].concat();
        let encrypted = encrypt(&secret, &counting(host.guests[*n].seed + 32), &blocks);
        let proof = Cbor::Array(vec![bytes(&public_key(&of_bob)), bytes(&encrypted)]);
        let mut transcript = vec![
            "port-protocol".into(),
            1.into(),
            (port.kind() as u8).into(),
            bytes(port.hash().as_bytes()),
            bytes(&line_of(*n)),
            bytes(&counting::<32>(0xa0 + *n as u8)),
            proof.clone(),
        ];
        transcript.extend(ticket.clone());
        let transcript = cbor(&transcript.into());
        let heard = Sha256::digest(&transcript);

        let (prk_0, hkdf) = Hkdf::<Sha256>::extract(Some(&heard), &secret);
        let epoch_0 = ["alice to bob", "bob to alice", "exporter"].map(|info| hex(expand(&hkdf, info)));
        let (ratchet, hkdf) = Hkdf::<Sha256>::extract(Some(&heard), &next_seed);
        let ephemeral = expand(&hkdf, "ephemeral");
        next_seed = expand(&hkdf, "seed");
        let shared = dh(&ephemeral, &public_key(&of_bob));
        let salt = cbor(&Cbor::Array(vec![bytes(&heard), bytes(&public_key(&ephemeral))]));
        let both = [secret, shared].concat();
        let (prk_1, hkdf) = Hkdf::<Sha256>::extract(Some(&Sha256::digest(&salt)), &both);
        let epoch_1 = ["alice to bob", "bob to alice", "exporter"].map(|info| hex(expand(&hkdf, info)));
        epoch_0.iter().chain(&epoch_1).for_each(|key| in_a_record(key));
        in_a_record(&hex(next_seed));
        assert!(records().all(|record| !record.contains(&hex(ephemeral))), "an ephemeral key in a record");

        let used = cbor(&Cbor::Array(vec!["port-protocol use".into(), bytes(port.hash().as_bytes()), bytes(&secret)]));
        let hashed_ticket = ticket.as_ref().map(hashed_ticket);
        let ticket_hash = hashed_ticket.as_ref().map(|hashed| hex(Sha256::digest(hashed)));
        let mark = ticket_hash.clone().unwrap_or_else(|| hex(Sha256::digest(&used)));
        assert!(steps.iter().any(|step| step["once"] == mark), "no step has this mark");
        if let Some(hash) = &ticket_hash {
            assert!(steps.iter().any(|step| step["strikes"] == *hash), "no step strikes this ticket");
        }
        let lines = records().filter_map(|record| Line::restore(&hex::decode(record).unwrap()).ok());
        let mut confirmed = lines.filter(|line| line.confirmed().is_some_and(|now| now.line_id == line_of(*n).into()));
        let codes: BTreeSet<_> = confirmed.by_ref().map(|line| line.check_code().unwrap().to_string()).collect();
        assert!(codes.len() <= 1);
        json!({
            "who": host.guests[*n].name, "secret": hex(secret), "proof": hex(cbor(&proof)), "transcript": hex(&transcript),
            "transcript_hash": hex(heard), "epoch_0": { "prk": hex(prk_0), "keys": epoch_0 },
            "ratchet_prk": hex(ratchet), "ephemeral": hex(ephemeral), "ephemeral_public_key": hex(public_key(&ephemeral)),
            "next_seed": hex(next_seed), "ephemeral_secret": hex(shared), "salted": hex(&salt), "salt": hex(Sha256::digest(&salt)),
            "epoch_1": { "prk": hex(prk_1), "keys": epoch_1 }, "used": hex(&used), "mark": mark,
            "hashed_ticket": hashed_ticket.map(hex), "ticket_hash": ticket_hash, "check_code": codes.first(),
        })
    });
    let uses: Vec<_> = uses.collect();
    json!({ "alice": alice, "port_hash": hex(port.hash().as_bytes()), "uses": uses })
}

#[test]
fn many_uses() {
    let uses = BTreeMap::from([
        ("a Superport", vec![(BOB_1, None), (BOB_2, None)]),
        ("at the limit", vec![(BOB_1, None), (BOB_2, None), (BOB_3, None)]),
        ("a Superport that asks", vec![(BOB_1, None), (BOB_2, None), (BOB_3, None)]),
        (
            "a contact port",
            vec![(BOB_1, Some(ticket(0x33, "Carol", None))), (BOB_2, Some(ticket(0x44, "", Some(LATER.0))))],
        ),
    ]);
    known(
        "many.json",
        &named(plays().into_iter().map(|(name, host)| {
            let derived = uses.get(name).map(|uses| derived(&host, uses));
            (name, json!({ "derived": derived, "steps": host.log.steps }))
        })),
    );
}
