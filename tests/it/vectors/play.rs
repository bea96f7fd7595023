//! One Alice, one Bob, their line; every step written down.

use super::proofs::{connected, formed, packet, request_of};
use super::*;

pub trait Show {
    fn show(self) -> Value;
}

impl Show for AliceEffect<'_> {
    fn show(self) -> Value {
        match self {
            Self::Send(request) => json!({ "send": hex(request.to_vec()) }),
            Self::PortReady(port) => json!({ "port_ready": hex(port.to_bytes().as_slice()) }),
            Self::LineFormed(line) => json!({ "line_formed": hex(&*line.record()) }),
            Self::Ended(end) => json!({ "ended": name_of(&end) }),
        }
    }
}

impl Show for BobEffect<'_> {
    fn show(self) -> Value {
        match self {
            Self::Send(request) => json!({ "send": hex(request.to_vec()) }),
            Self::LineFormed(line) => json!({ "line_formed": hex(&*line.record()) }),
            Self::Ended(end) => json!({ "ended": name_of(&end) }),
        }
    }
}

impl Show for LineEffect<'_> {
    fn show(self) -> Value {
        match self {
            Self::Send(request) => json!({ "send": hex(request.to_vec()) }),
            Self::PacketsLost => json!({ "packets_lost": true }),
            Self::IntroducerMessage(message) => json!({ "introducer_message": hex(message.to_vec()) }),
            Self::AwaitingApproval => json!({ "awaiting_approval": true }),
            Self::Message(text) => json!({ "message": hex(text) }),
            Self::Ended(end) => json!({ "ended": name_of(&end) }),
        }
    }
}

impl Show for PoolEffect<'_> {
    fn show(self) -> Value {
        match self {
            Self::Link(line_link) => json!({ "link": hex(line_link.as_bytes()) }),
            Self::Send(request) => json!({ "send": hex(request.to_vec()) }),
        }
    }
}

/// A machine whose effects can be shown.
pub trait Shown: Machine {
    const NAME: &str;
    fn pending_shown(&self) -> Vec<Value>;
    fn commit_shown(step: Step<'_, Self>) -> Vec<Value>;
}

macro_rules! shown {
    ($($machine:ident: $role:literal),*) => {
        $(impl Shown for $machine {
            const NAME: &str = $role;

            fn pending_shown(&self) -> Vec<Value> {
                self.pending().map(Show::show).collect()
            }

            fn commit_shown(step: Step<'_, Self>) -> Vec<Value> {
                step.committed().map(Show::show).collect()
            }
        })*
    };
}

shown!(Alice: "alice", Bob: "bob", Line: "line", Pool: "pool");

/// What is in a record: what it restores to, and what that does.
pub fn restored<M: Shown>(record: &[u8]) -> Value {
    let machine = M::restore(record).unwrap();
    assert_eq!(*machine.record(), *record);
    json!({
        "role": M::NAME,
        "record": hex(record),
        "key": hex(machine.key().to_bytes()),
        "revision": machine.revision(),
        "deadline": machine.deadline().map(|deadline| deadline.as_secs()),
        "pending": machine.pending_shown(),
    })
}

/// Steps as they are made, and the records in them.
#[derive(Default)]
pub struct Log {
    pub steps: Vec<Value>,
    pub records: Vec<Value>,
}

impl Log {
    /// `what`: who does what, with what.
    pub fn push(&mut self, mut what: Value, more: Value) {
        what.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.steps.push(what);
    }

    pub fn created<M: Shown>(&mut self, what: Value, created: Created<M>) -> M {
        let Row { key, record, .. } = created.write().row;
        let key = hex(key.to_bytes());
        self.records.push(restored::<M>(&record));
        let machine = created.committed();
        self.push(what, json!({ "key": key, "record": hex(&*record), "effects": machine.pending_shown() }));
        machine
    }

    pub fn step<M: Shown, E: Debug>(&mut self, what: Value, step: Result<Step<'_, M>, E>) {
        let step = match step {
            Ok(step) => step,
            Err(error) => return self.push(what, json!({ "error": name_of(&error) })),
        };
        let write = step.write();
        let Row { key, revision, ref record, deadline, expected } = write.row;
        let expected = expected.unwrap();
        assert_eq!(expected.revision + 1, revision);
        let restored = restored::<M>(record);
        assert_eq!(restored["deadline"], json!(deadline.map(|deadline| deadline.as_secs())));
        self.records.push(restored);
        let received = write.received.as_ref().map(|received| match received {
            Received::Message(text) => json!({ "message": hex(text) }),
            Received::Introducer(message) => json!({ "introducer_message": hex(message.to_vec()) }),
        });
        let mut more = json!({
            "key": hex(key.to_bytes()), "record": hex(&**record), "expected": hex(expected.key.to_bytes()),
            "unique": write.unique.map(|(mark, _)| hex(mark.as_bytes())),
            "on_duplicate": write.unique.map(|(_, on_duplicate)| name_of(&on_duplicate)),
            "consumes": write.consumes.map(|ticket| hex(ticket.as_bytes())),
            "new_line": write.new_line.as_ref().map(|line| hex(&*line.record)),
        });
        more["effects"] = M::commit_shown(step).into();
        // What was received is the first effect, and so is a new line: both are in the write.
        let first = &more["effects"][0];
        assert!(received.is_none_or(|received| received == *first));
        assert_eq!(first.get("line_formed"), Some(&more["new_line"]).filter(|line| !line.is_null()));
        self.push(what, more);
    }

    /// What the last step gave under this name.
    pub fn last(&self, effect: &str) -> Vec<Vec<u8>> {
        let effects = self.steps.last().unwrap()["effects"].as_array();
        let hex = effects.into_iter().flatten().filter_map(|shown| shown[effect].as_str());
        hex.map(|hex| hex::decode(hex).unwrap()).collect()
    }

    /// The payload that the last step sent.
    pub fn sent(&self) -> Vec<u8> {
        let sent = self.last("send");
        let payload = sent.iter().find_map(|bytes| match Request::decode(bytes) {
            Ok(Request::Packet { payload, .. }) => Some(payload.to_vec()),
            _ => None,
        });
        payload.expect("a packet")
    }
}

#[derive(Clone, Copy)]
pub enum End {
    Alice,
    Bob,
}
pub use End::{Alice as AtAlice, Bob as AtBob};

/// One Alice, one Bob, and their line.
pub struct Play {
    pub log: Log,
    pub alice: Option<Alice>,
    pub bob: Option<Bob>,
    pub lines: [Option<Line>; 2],
    pub now: UnixSeconds,
}

impl Play {
    pub fn new() -> Self {
        Self { log: Log::default(), alice: None, bob: None, lines: [None, None], now: NOW }
    }

    pub fn what(&self, who: &str, does: &str, more: Value) -> Value {
        let mut what = json!({ "who": who, "does": does, "now": self.now.as_secs() });
        what.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        what
    }

    pub fn request(&mut self, options: PortOptions) {
        let what =
            self.what("alice", "request", json!({ "seed": hex(counting::<64>(ALICE)), "options": of(&options) }));
        self.alice = Some(self.log.created(what, Alice::request(options, seed(ALICE))));
    }

    pub fn offer(&mut self, options: PortOptions) {
        let more = json!({ "seed": hex(counting::<64>(ALICE)), "options": of(&options), "line_link": hex(LINE_LINK) });
        let what = self.what("alice", "offer", more);
        self.alice = Some(self.log.created(what, Alice::offer(LINE_LINK.into(), options, seed(ALICE))));
    }

    pub fn alice(&mut self, event: Event<'_>) {
        let what = self.what("alice", "handle", json!({ "event": hex(event.to_vec()) }));
        let bytes = event.to_vec();
        let event = Event::decode(&bytes).unwrap();
        self.log.step(what, self.alice.as_mut().unwrap().handle(&event, &NoPeers, self.now, &mut Unused));
    }

    pub fn issue(&mut self) {
        let request_id = request_of(ALICE);
        self.alice(Event::LineLinkIssued { request_id, line_link: LINE_LINK.into() });
    }

    pub fn scan(&mut self) {
        let port = self.alice.as_ref().unwrap().port().unwrap().clone();
        let bytes = hex(port.to_bytes().as_slice());
        let what = self.what("bob", "scan", json!({ "seed": hex(counting::<64>(BOB)), "port": bytes }));
        self.bob = Some(self.log.created(what, Bob::scan(port, seed(BOB))));
    }

    /// Bob reads the same Port again, with another seed.
    pub fn scan_again(&mut self, first: u8) {
        let port = self.alice.as_ref().unwrap().port().unwrap().clone();
        let bytes = hex(port.to_bytes().as_slice());
        let what = self.what("bob", "scan_again", json!({ "seed": hex(counting::<64>(first)), "port": bytes }));
        self.log.step(what, self.bob.as_mut().unwrap().scan_again(port, seed(first)));
    }

    pub fn connect(&mut self, how: SendProof) -> Option<Proof> {
        let what = self.what("bob", "connect", json!({ "send_proof": name_of(&how) }));
        self.log.step(what, self.bob.as_mut().unwrap().connect(how, self.now));
        match Request::decode(self.log.last("send").first()?) {
            Ok(Request::Connect { proof, .. }) => proof,
            _ => None,
        }
    }

    pub fn bob(&mut self, event: Event<'_>) {
        let what = self.what("bob", "handle", json!({ "event": hex(event.to_vec()) }));
        let bytes = event.to_vec();
        let event = Event::decode(&bytes).unwrap();
        self.log.step(what, self.bob.as_mut().unwrap().handle(&event, &NoPeers, self.now, &mut Unused));
    }

    /// The line that the last step yielded.
    pub fn new_line(&mut self, end: End) {
        let record = self.log.last("line_formed").remove(0);
        let line = Line::restore(&record).unwrap();
        self.log.records.push(restored::<Line>(&record));
        let what = self.what(end.name(), "new_line", Value::Null);
        self.log.push(
            what,
            json!({ "record": hex(&record), "key": hex(line.key().to_bytes()), "effects": line.pending_shown() }),
        );
        self.lines[end as usize] = Some(line);
    }

    pub fn line(&mut self, end: End, event: Event<'_>) {
        let what = self.what(end.name(), "handle", json!({ "event": hex(event.to_vec()) }));
        let mut buffer = vec![0; 1024];
        let line = self.lines[end as usize].as_mut().unwrap();
        let bytes = event.to_vec();
        let event = Event::decode(&bytes).unwrap();
        self.log.step(what, line.handle(&event, &mut buffer, self.now, &mut Unused));
    }

    pub fn packet(&mut self, end: End, payload: &[u8]) {
        self.line(end, packet(payload));
    }

    pub fn open(&mut self, end: End, payload: &[u8], data: &[u8]) {
        let what =
            self.what(end.name(), "handle_with_aad", json!({ "payload": hex(payload), "associated_data": hex(data) }));
        let mut buffer = vec![0; 1024];
        let line = self.lines[end as usize].as_mut().unwrap();
        self.log.step(what, line.handle_with_aad(&packet(payload), data, &mut buffer, self.now, &mut Unused));
    }

    pub fn seal(&mut self, end: End, text: &[u8], data: &[u8]) -> Vec<u8> {
        let what = self.what(end.name(), "seal", json!({ "text": hex(text), "associated_data": hex(data) }));
        let mut buffer = vec![0; text.len() + SEAL_OVERHEAD];
        let line = self.lines[end as usize].as_mut().unwrap();
        self.log.step(what, line.seal(text, data, &mut buffer));
        self.log.sent()
    }

    pub fn close(&mut self, end: End) {
        let what = self.what(end.name(), "close", Value::Null);
        self.log.step(what, self.lines[end as usize].as_mut().unwrap().close());
    }

    pub fn tick_line(&mut self, end: End) {
        let what = self.what(end.name(), "tick", Value::Null);
        self.log.step(what, self.lines[end as usize].as_mut().unwrap().tick(self.now).ok_or("NotYet"));
    }

    pub fn clear_line(&mut self, end: End) {
        let what = self.what(end.name(), "clear_outbox", Value::Null);
        self.log.step(what, self.lines[end as usize].as_mut().unwrap().clear_outbox().ok_or("Nothing"));
    }

    pub fn clear_alice(&mut self) {
        let what = self.what("alice", "clear_outbox", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().clear_outbox().ok_or("Nothing"));
    }

    pub fn clear_bob(&mut self) {
        let what = self.what("bob", "clear_outbox", Value::Null);
        self.log.step(what, self.bob.as_mut().unwrap().clear_outbox().ok_or("Nothing"));
    }

    pub fn tick_alice(&mut self) {
        let what = self.what("alice", "tick", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().tick(self.now).ok_or("NotYet"));
    }

    pub fn tick_bob(&mut self) {
        let what = self.what("bob", "tick", Value::Null);
        self.log.step(what, self.bob.as_mut().unwrap().tick(self.now).ok_or("NotYet"));
    }

    pub fn revoke(&mut self) {
        let what = self.what("alice", "revoke", Value::Null);
        self.log.step(what, self.alice.as_mut().unwrap().revoke());
    }

    pub fn cancel(&mut self) {
        let what = self.what("bob", "cancel", Value::Null);
        self.log.step(what, self.bob.as_mut().unwrap().cancel());
    }

    /// From a Port to two lines in Joined, or Alice's in AwaitingProof. Returns what the lines send first.
    pub fn join(&mut self, how: SendProof) -> Vec<u8> {
        self.scan();
        let proof = self.connect(how);
        self.alice(formed(proof));
        self.new_line(AtAlice);
        let confirm = if how == SendProof::Inline { self.log.sent() } else { Vec::new() };
        self.bob(connected());
        self.new_line(AtBob);
        if how == SendProof::Inline { confirm } else { self.log.sent() }
    }
}

impl End {
    pub const fn name(self) -> &'static str {
        match self {
            AtAlice => "line at alice",
            AtBob => "line at bob",
        }
    }
}

/// The options of a Port as JSON.
pub fn of(options: &PortOptions) -> Value {
    as_json(&ciborium::from_reader(&*minicbor::to_vec(options).unwrap()).unwrap())
}

/// So too a policy.
pub fn of_policy(policy: &Policy) -> Value {
    as_json(&ciborium::from_reader(&*minicbor::to_vec(policy).unwrap()).unwrap())
}

/// As port.cddl has it, with byte strings in hex.
pub fn as_json(value: &Cbor) -> Value {
    match value {
        Cbor::Array(items) => items.iter().map(as_json).collect(),
        Cbor::Bytes(bytes) => hex(bytes).into(),
        Cbor::Integer(number) => u64::try_from(*number).unwrap().into(),
        Cbor::Text(text) => text.clone().into(),
        Cbor::Bool(bool) => (*bool).into(),
        Cbor::Null => Value::Null,
        other => panic!("{other:?} in options"),
    }
}
