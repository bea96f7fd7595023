//! Ports for many (§14, §16): Superports and contact ports, who uses them, and what their keys come from.

mod plays;

use std::collections::BTreeMap;

use hkdf::Hkdf;

use super::packets::{sealed, with_counters};
use super::play::{AtAlice, AtBob, End, Log, Shown, of, of_policy, restored};
use super::ports::{hashed_ticket, ticket, with_ticket};
use super::proofs::{dh, encrypt, proof_of, public_key, refused_to, request_of};
use super::*;
pub use plays::plays;

const DAY: u64 = 24 * 60 * 60;
const WEEK: u64 = 7 * DAY;
const INTRODUCER: [u8; 16] = counting(0x11);
const OLD_LINE: [u8; 16] = counting(0x22);

/// Somebody who uses the Port, and both ends of the line.
struct Guest {
    name: &'static str,
    seed: u8,
    bob: Option<Bob>,
    lines: [Option<Line>; 2],
}

/// What the caller's tables say of every guest.
struct Tables {
    /// Of which Port the line is of which there is a record, whichever line comes.
    port_of_line: Option<PortHash>,
    relationship: Relationship,
    tickets: Vec<TicketNotice>,
}

/// Gives one key, and notes that it did.
struct Drawing {
    fresh: [u8; 32],
    drawn: bool,
}

impl rand_core::TryRng for Drawing {
    type Error = rand_core::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("a key is drawn as a whole")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("a key is drawn as a whole")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        assert!(!self.drawn, "an event draws once");
        self.drawn = true;
        bytes.copy_from_slice(&self.fresh);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Drawing {}

impl Peers for Tables {
    fn port_of_line(&self, _: &LineId) -> Option<PortHash> {
        self.port_of_line
    }

    fn relationship(&self, _: &PeerMark) -> Relationship {
        self.relationship
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.iter().find(|notice| notice.ticket == *ticket).cloned()
    }
}

impl Tables {
    fn show(&self) -> Value {
        let line_id =
            if let Relationship::Connected(line_id) = self.relationship { Some(hex(line_id.as_bytes())) } else { None };
        let tickets = self.tickets.iter().map(|notice| {
            json!({
                "line_link": hex(notice.line_link.as_bytes()), "ticket": hex(notice.ticket.as_bytes()),
                "name": notice.name.as_str(), "expires": notice.expires.map(UnixSeconds::as_secs),
            })
        });
        let relationship = name_of(&self.relationship);
        let port_of_line = self.port_of_line.map(|port| hex(port.as_bytes()));
        json!({
            "port_of_line": port_of_line, "relationship": relationship, "line_id": line_id,
            "tickets": tickets.collect::<Vec<_>>(),
        })
    }
}

/// One Alice, those who come, and what the caller knows of them.
pub struct Host {
    pub log: Log,
    alice: Option<Alice>,
    guests: [Guest; 3],
    tables: Tables,
    now: UnixSeconds,
    /// How many keys were drawn.
    drawn: u8,
}

/// Which guest.
const BOB_1: usize = 0;
const BOB_2: usize = 1;
const BOB_3: usize = 2;

fn line_of(n: usize) -> [u8; 16] {
    counting(0x90 + n as u8)
}

fn formed(n: usize, proof: Option<Proof>) -> Event<'static> {
    let (line_id, peer) = (line_of(n).into(), counting(0xa0 + n as u8).into());
    Event::LineFormed { line_link: LINE_LINK.into(), line_id, peer, proof }
}

/// The seeds of the guests.
const SEEDS: [u8; 3] = [0x40, 0xc0, 0x60];

fn connected(n: usize) -> Event<'static> {
    let (line_link, request_id) = (LINE_LINK.into(), request_of(SEEDS[n]));
    Event::Connected { line_link, request_id, line_id: line_of(n).into(), peer: OF_ALICE.into() }
}

impl Host {
    fn new() -> Self {
        let guest = |(name, seed)| Guest { name, seed, bob: None, lines: [None, None] };
        Self {
            log: Log::default(),
            alice: None,
            guests: [("bob", SEEDS[0]), ("bob 2", SEEDS[1]), ("bob 3", SEEDS[2])].map(guest),
            tables: Tables { port_of_line: None, relationship: Relationship::Unknown, tickets: Vec::new() },
            now: NOW,
            drawn: 0,
        }
    }

    fn what(&self, who: &str, does: &str, more: Value) -> Value {
        let mut what = json!({ "who": who, "does": does, "now": self.now.as_secs() });
        what.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        what
    }

    // ------------------------------------------------------------------------------------------------------- Alice

    fn offering(options: PortOptions) -> Self {
        let mut host = Self::new();
        let more = json!({ "seed": hex(counting::<64>(ALICE)), "options": of(&options), "line_link": hex(LINE_LINK) });
        let what = host.what("alice", "offer", more);
        host.alice = Some(host.log.created(what, Alice::offer(LINE_LINK.into(), options, seed(ALICE))));
        host
    }

    fn requesting(options: PortOptions) -> Self {
        let mut host = Self::new();
        let what =
            host.what("alice", "request", json!({ "seed": hex(counting::<64>(ALICE)), "options": of(&options) }));
        host.alice = Some(host.log.created(what, Alice::request(options, seed(ALICE))));
        host
    }

    /// The link that Alice asked for, by the id that stands in the request.
    fn issue(&mut self) {
        let RecordKey::Request(request_id) = self.alice.as_ref().unwrap().key() else { panic!("no request") };
        self.alice(Event::LineLinkIssued { request_id, line_link: LINE_LINK.into() });
    }

    fn alice(&mut self, event: Event<'_>) {
        let more = json!({ "event": hex(event.to_vec()), "peers": self.tables.show() });
        let mut what = self.what("alice", "handle", more);
        let mut rng = Drawing { fresh: counting(0xd0 + self.drawn), drawn: false };
        let step = self.alice.as_mut().unwrap().handle(&event, &self.tables, self.now, &mut rng);
        if rng.drawn {
            what["fresh"] = hex(rng.fresh).into();
            self.drawn += 1;
        }
        self.log.step(what, step);
    }

    fn set_policy(&mut self, policy: Policy) {
        let what = self.what("alice", "set_policy", json!({ "policy": of_policy(&policy) }));
        self.log.step(what, self.alice.as_mut().unwrap().set_policy(policy));
    }

    fn clear_alice(&mut self) {
        let what = self.what("alice", "clear_outbox", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().clear_outbox().ok_or("Nothing"));
    }

    fn revoke(&mut self) {
        let what = self.what("alice", "revoke", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().revoke());
    }

    fn tick_alice(&mut self) {
        let what = self.what("alice", "tick", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().tick(self.now).ok_or("NotYet"));
    }

    /// Alice's Port, with a ticket if it is a contact port: a grant gives it to the introducer, who writes a ticket into it.
    fn port_with(&self, ticket: Option<&Cbor>) -> Port {
        let port = self.alice.as_ref().unwrap().port().unwrap();
        ticket.map_or_else(|| port.clone(), |ticket| Port::from_bytes(&with_ticket(port, ticket)).unwrap())
    }

    /// The Port's hash.
    fn port_hash(&self) -> PortHash {
        self.alice.as_ref().unwrap().port().unwrap().hash()
    }

    // --------------------------------------------------------------------------------------------------------- Bob

    fn scan(&mut self, n: usize, ticket: Option<&Cbor>) {
        let (port, &Guest { name, seed: first, .. }) = (self.port_with(ticket), &self.guests[n]);
        let more = json!({ "seed": hex(counting::<64>(first)), "port": hex(port.to_bytes().as_slice()) });
        let what = self.what(name, "scan", more);
        self.guests[n].bob = Some(self.log.created(what, Bob::scan(port, seed(first))));
    }

    fn connect(&mut self, n: usize, how: SendProof) -> Option<Proof> {
        let what = self.what(self.guests[n].name, "connect", json!({ "send_proof": name_of(&how) }));
        self.log.step(what, self.guests[n].bob.as_mut().unwrap().connect(how, self.now));
        match Request::decode(self.log.last("send").first()?) {
            Ok(Request::Connect { proof, .. }) => proof,
            _ => None,
        }
    }

    /// Up to the proof.
    fn come(&mut self, n: usize) -> Option<Proof> {
        self.scan(n, None);
        self.connect(n, SendProof::Inline)
    }

    fn bob(&mut self, n: usize, event: Event<'_>) {
        let more = json!({ "event": hex(event.to_vec()), "peers": self.tables.show() });
        let what = self.what(self.guests[n].name, "handle", more);
        let bob = self.guests[n].bob.as_mut().unwrap();
        self.log.step(what, bob.handle(&event, &self.tables, self.now, &mut Unused));
    }

    fn clear_bob(&mut self, n: usize) {
        let what = self.what(self.guests[n].name, "clear_outbox", Value::Null);
        self.log.step(what, self.guests[n].bob.as_mut().unwrap().clear_outbox().ok_or("Nothing"));
    }

    // -------------------------------------------------------------------------------------------------------- Line

    fn at(&self, n: usize, end: End) -> String {
        format!("{} with {}", end.name(), self.guests[n].name)
    }

    fn keep(&mut self, n: usize, end: End, does: &str, record: &[u8], key: &Line) {
        self.log.records.push(restored::<Line>(record));
        let what = self.what(&self.at(n, end), does, Value::Null);
        let key = json!({ "record": hex(record), "key": hex(key.key().to_bytes()), "effects": key.pending_shown() });
        self.log.push(what, key);
        self.guests[n].lines[end as usize] = Some(Line::restore(record).unwrap());
    }

    /// The line that the last step yielded.
    fn new_line(&mut self, n: usize, end: End) {
        let record = self.log.last("line_formed").remove(0);
        let line = Line::restore(&record).unwrap();
        self.keep(n, end, "new_line", &record, &line);
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
            line.handle(&Event::decode(&event).unwrap(), buffer, now, &mut Unused)
        });
    }

    fn open(&mut self, n: usize, end: End, payload: &[u8], data: &[u8]) {
        let event = Event::Packet { line_id: line_of(n).into(), payload };
        let more = json!({ "payload": hex(payload), "associated_data": hex(data) });
        self.line((n, end), "handle_with_aad", more, |line, buffer, now| {
            line.handle_with_aad(&event, data, buffer, now, &mut Unused)
        });
    }

    fn dropped(&mut self, n: usize, end: End) {
        let event = Event::Dropped { line_id: line_of(n).into() };
        self.line((n, end), "handle", json!({ "event": hex(event.to_vec()) }), |line, buffer, now| {
            line.handle(&event, buffer, now, &mut Unused)
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

    /// Seven looks at the clock, a day apart (§8.8).
    fn look_for_a_week(&mut self, n: usize) {
        for day in 1..=7 {
            self.now = at(NOW.as_secs() + day * DAY);
            self.tick(n, AtAlice);
        }
    }

    fn clear_outbox(&mut self, n: usize, end: End) {
        self.line((n, end), "clear_outbox", Value::Null, |line, _, _| line.clear_outbox().ok_or("Nothing"));
    }

    /// Both ends joined: Alice's Confirm, unless the policy requires approval.
    fn join(&mut self, n: usize) -> Vec<u8> {
        let proof = self.come(n);
        self.admit(n, proof)
    }

    fn admit(&mut self, n: usize, proof: Option<Proof>) -> Vec<u8> {
        self.alice(formed(n, proof));
        self.new_line(n, AtAlice);
        let first = if self.log.last("send").is_empty() { Vec::new() } else { self.log.sent() };
        self.bob(n, connected(n));
        self.new_line(n, AtBob);
        first
    }

    /// Both ends confirmed, and Bob's Answer with Alice.
    fn confirm(&mut self, n: usize, confirm: &[u8]) {
        self.packet(n, AtBob, confirm);
        let answer = self.log.sent();
        self.clear_outbox(n, AtBob);
        self.packet(n, AtAlice, &answer);
    }
}

fn expand(hkdf: &Hkdf<Sha256>, info: &str) -> [u8; 32] {
    let mut key = [0; 32];
    hkdf.expand(info.as_bytes(), &mut key).unwrap();
    key
}

fn bytes(bytes: &[u8]) -> Cbor {
    Cbor::Bytes(bytes.into())
}

/// What the keys of a play come from (§6.2, §14.4, §14.7, §16.2), made here once more from seeds, Port, events and what was drawn. For
/// each use in its turn: `None` is a guest without a ticket.
fn derived(host: &Host, uses: &[(usize, Option<Cbor>)]) -> Value {
    let steps = &host.log.steps;
    let records = || host.log.records.iter().map(|entry| entry["record"].as_str().unwrap());
    let in_a_record = |what: &str| assert!(records().any(|record| record.contains(what)), "in no record: {what}");

    let (private_key, rad) = (counting::<32>(ALICE), counting::<16>(ALICE + 32));
    [&private_key[..], &rad].iter().for_each(|secret| in_a_record(&hex(secret)));
    let alice =
        json!({ "private_key": hex(private_key), "rad": hex(rad), "request_id": hex(counting::<16>(ALICE + 48)) });

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
            proof.clone(),
        ];
        transcript.extend(ticket.clone());
        let transcript = cbor(&transcript.into());
        let heard = Sha256::digest(&transcript);

        let (prk_0, hkdf) = Hkdf::<Sha256>::extract(Some(&heard), &secret);
        let epoch_0 = ["alice to bob", "bob to alice", "exporter"].map(|info| hex(expand(&hkdf, info)));
        let let_in = steps.iter().find(|step| {
            let event = step["event"].as_str().map(|event| hex::decode(event).unwrap());
            let of_this_line = |event: Vec<u8>| event.windows(16).any(|bytes| bytes == line_of(*n));
            step["who"] == "alice" && step["fresh"].is_string() && event.is_some_and(of_this_line)
        });
        let fresh = hex::decode(let_in.unwrap()["fresh"].as_str().unwrap()).unwrap();
        let (ephemeral_prk, hkdf) = Hkdf::<Sha256>::extract(Some(&heard), &[&secret[..], &fresh].concat());
        let ephemeral = expand(&hkdf, "ephemeral");
        let shared = dh(&ephemeral, &public_key(&of_bob));
        let salt = cbor(&Cbor::Array(vec![bytes(&heard), bytes(&public_key(&ephemeral))]));
        let both = [secret, shared].concat();
        let (prk_1, hkdf) = Hkdf::<Sha256>::extract(Some(&Sha256::digest(&salt)), &both);
        let epoch_1 = ["alice to bob", "bob to alice", "exporter"].map(|info| hex(expand(&hkdf, info)));
        epoch_0.iter().chain(&epoch_1).for_each(|key| in_a_record(key));
        for gone in [hex(ephemeral), hex(ephemeral_prk), hex(&fresh)] {
            assert!(records().all(|record| !record.contains(&gone)), "what makes an ephemeral key is in a record");
        }

        let used = cbor(&Cbor::Array(vec!["port-protocol use".into(), bytes(port.hash().as_bytes()), bytes(&secret)]));
        let hashed_ticket = ticket.as_ref().map(hashed_ticket);
        let ticket_hash = hashed_ticket.as_ref().map(|hashed| hex(Sha256::digest(hashed)));
        let mark = ticket_hash.clone().unwrap_or_else(|| hex(Sha256::digest(&used)));
        assert!(steps.iter().any(|step| step["unique"] == mark), "no step has this mark");
        if let Some(hash) = &ticket_hash {
            assert!(steps.iter().any(|step| step["consumes"] == *hash), "no step consumes this ticket");
        }
        let lines = records().filter_map(|record| Line::restore(&hex::decode(record).unwrap()).ok());
        let mut confirmed = lines.filter(|line| line.confirmed().is_some_and(|now| now.line_id == line_of(*n).into()));
        let codes: BTreeSet<_> = confirmed.by_ref().map(|line| line.safety_number().unwrap().to_string()).collect();
        assert!(codes.len() <= 1);
        json!({
            "who": host.guests[*n].name, "secret": hex(secret), "proof": hex(cbor(&proof)), "transcript": hex(&transcript),
            "transcript_hash": hex(heard), "epoch_0": { "prk": hex(prk_0), "keys": epoch_0 },
            "fresh": hex(&fresh), "ephemeral_prk": hex(ephemeral_prk), "ephemeral": hex(ephemeral), "ephemeral_public_key": hex(public_key(&ephemeral)),
            "ephemeral_secret": hex(shared), "salted": hex(&salt), "salt": hex(Sha256::digest(&salt)),
            "epoch_1": { "prk": hex(prk_1), "keys": epoch_1 }, "used": hex(&used), "mark": mark,
            "hashed_ticket": hashed_ticket.map(hex), "ticket_hash": ticket_hash, "safety_number": codes.first(),
        })
    });
    let uses: Vec<_> = uses.collect();
    json!({ "alice": alice, "port_hash": hex(port.hash().as_bytes()), "uses": uses })
}

#[test]
pub fn many_uses() {
    let uses = BTreeMap::from([
        ("a Superport", vec![(BOB_1, None), (BOB_2, None)]),
        ("at the limit", vec![(BOB_1, None), (BOB_2, None), (BOB_3, None)]),
        ("a Superport that requires approval", vec![(BOB_1, None), (BOB_2, None), (BOB_3, None)]),
        (
            "a contact port",
            vec![(BOB_1, Some(ticket(0x33, "Carol", None))), (BOB_2, Some(ticket(0x44, "", Some(LATER.as_secs()))))],
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
