//! Two shims (docs/shim.md), each a process of its own, joined by a relay of a few lines.
#![cfg(feature = "alloc")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use crate::common::example;
use port_protocol::{Admission, Event, IntroducerMessage, LineId, LineLink, PeerMark, Port, Request};
use serde_json::{Value, json};

const NOW: u64 = 1_790_000_000;
/// What an Alice of a Port for many makes a key of.
const FRESH: &str = "f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1";
const ALICE: usize = 0;
const BOB: usize = 1;

struct Shim {
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Shim {
    fn start() -> Self {
        let mut process = Command::new(path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { input: process.stdin.take(), output, process }
    }

    fn say(&mut self, line: &[u8]) -> Value {
        let mut input = self.input.as_ref().unwrap();
        input.write_all(&[line, b"\n"].concat()).unwrap();
        serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap()
    }

    fn ask(&mut self, command: Value) -> Value {
        let answer = self.say(command.to_string().as_bytes());
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    /// Prepares, sees that nothing has moved, and commits.
    fn step(&mut self, command: Value) -> Vec<Value> {
        let before = self.say(br#"{"do":"state"}"#);
        let prepared = self.ask(command)["prepared"].take();
        assert_eq!(self.say(br#"{"do":"state"}"#), before);
        let effects = self.ask(json!({ "do": "commit" }))["effects"].take();
        assert_eq!(self.ask(json!({ "do": "state" }))["record"], prepared["record"]);
        effects.as_array().unwrap().clone()
    }

    fn state(&mut self) -> Value {
        self.ask(json!({ "do": "state" }))
    }

    /// At the end of its input it exits, with no line too many.
    fn end(mut self) {
        self.input = None;
        assert!(self.output.next().is_none());
        assert!(self.process.wait().unwrap().success());
    }
}

fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example("shim", "alloc"))
}

/// Two shims, and the packets between them.
struct World {
    shims: [Shim; 2],
    packets: VecDeque<(usize, Vec<u8>)>,
    heard: [Vec<Value>; 2],
    ended: [Value; 2],
    text: Value,
}

impl World {
    fn new() -> Self {
        let shims = [Shim::start(), Shim::start()];
        Self {
            shims,
            packets: VecDeque::new(),
            heard: Default::default(),
            ended: Default::default(),
            text: Value::Null,
        }
    }

    /// One command, and all that comes of it on both sides.
    fn run(&mut self, who: usize, command: Value) {
        let effects = self.shims[who].step(command);
        self.act(who, effects);
        while let Some((to, event)) = self.packets.pop_front() {
            if self.ended[to].is_null() {
                let effects = self.shims[to].step(json!({ "do": "event", "bytes": hex::encode(event), "now": NOW }));
                self.act(to, effects);
            }
        }
    }

    fn act(&mut self, who: usize, effects: Vec<Value>) {
        for mut effect in effects {
            match effect["effect"].as_str().unwrap() {
                "send" => self.serve(who, &hex::decode(effect["request"].as_str().unwrap()).unwrap()),
                "port_ready" => self.text = effect["text"].take(),
                "message" => self.heard[who].push(effect["bytes"].take()),
                "ended" => self.ended[who] = effect["why"].take(),
                // The line is stored, and another process goes on with it.
                "line_formed" => {
                    std::mem::replace(&mut self.shims[who], Shim::start()).end();
                    let line = self.shims[who].ask(json!({ "do": "restore", "record": effect["record"] }));
                    assert_eq!((&line["role"], &line["key"]), (&json!("line"), &effect["key"]));
                    let mut pending = self.shims[who].ask(json!({ "do": "pending" }));
                    self.act(who, pending["effects"].as_array_mut().map(std::mem::take).unwrap());
                }
                _ => panic!("{effect}"),
            }
        }
    }

    /// The relay.
    fn serve(&mut self, from: usize, request: &[u8]) {
        let (line_id, bob, alice) = (LineId::from([2; 16]), PeerMark::from([3; 32]), PeerMark::from([4; 32]));
        let mut post = |to, event: Event<'_>| self.packets.push_back((to, event.to_vec()));
        match Request::decode(request).unwrap() {
            Request::IssueLineLink { request_id } => {
                post(from, Event::LineLinkIssued { request_id, line_link: LineLink::from([1; 16]) });
            }
            Request::Connect { line_link, request_id, proof } => {
                post(1 - from, Event::LineFormed { line_link, line_id, peer: bob, proof });
                post(from, Event::Connected { line_link, request_id, line_id, peer: alice });
            }
            Request::Packet { line_id, payload } => post(1 - from, Event::Packet { line_id, payload }),
            Request::Disconnect { line_id } => post(1 - from, Event::Disconnected { line_id }),
            request => panic!("{request:?}"),
        }
    }
}

#[test]
fn two_shims_form_a_line_and_talk() {
    for proof in ["inline", "along_the_line"] {
        let mut world = World::new();
        world.run(ALICE, json!({ "do": "alice_request", "seed": "a1".repeat(64), "relay": "relay.example" }));
        let text = world.text.take();
        world.run(BOB, json!({ "do": "bob_scan", "seed": "b0".repeat(64), "port": text }));
        world.run(BOB, json!({ "do": "connect", "proof": proof, "now": NOW }));

        let [alice, bob] = world.shims.each_mut().map(Shim::state);
        assert_eq!(alice["phase"], "confirmed");
        assert_eq!(alice["confirmed"]["line_id"], "02".repeat(16));
        assert_eq!(alice["safety_number"].as_str().unwrap().len(), 47);
        for same in ["phase", "confirmed", "safety_number", "port", "key"] {
            assert_eq!(alice[same], bob[same], "{same}");
        }
        let hash = Port::parse(text.as_str().unwrap()).unwrap().hash();
        assert_eq!(alice["port"], hex::encode(hash.as_bytes()));
        assert_eq!(alice["claims"], json!({ "line_id": "02".repeat(16), "peer": "03".repeat(32) }));
        assert_eq!(bob["claims"], json!({ "line_id": "02".repeat(16), "peer": "04".repeat(32) }));

        world.run(BOB, json!({ "do": "seal", "message": "0123" }));
        let [at_alice, at_bob] =
            world.shims.each_mut().map(|shim| shim.ask(json!({ "do": "export", "label": "a", "context": "00" })));
        assert_eq!(at_alice["exported"].as_str().unwrap().len(), 64);
        assert_eq!(at_alice, at_bob);

        world.run(ALICE, json!({ "do": "seal", "message": "", "padded": true }));
        assert_eq!(world.heard, [[json!("0123")], [json!("")]]);

        world.run(ALICE, json!({ "do": "close" }));
        assert_eq!(world.ended, [json!("ByUs"), json!("ByPeer")]);
        world.shims.into_iter().for_each(Shim::end);
    }
}

#[test]
fn a_dropped_step_has_not_happened() {
    let mut shim = Shim::start();
    shim.step(json!({ "do": "alice_offer", "seed": "07".repeat(64), "line_link": "01".repeat(16), "expires": NOW }));
    let offered = shim.state();
    assert_eq!((&offered["phase"], &offered["deadline"]), (&json!("offered"), &json!(NOW)));

    let revoked = shim.ask(json!({ "do": "revoke" }));
    assert_eq!(revoked["prepared"]["expected"], json!({ "key": offered["key"], "revision": 0 }));
    assert_eq!(shim.say(br#"{"do":"revoke"}"#)["error"], "usage");
    shim.ask(json!({ "do": "drop" }));
    assert_eq!(shim.state(), offered);

    assert_eq!(shim.ask(json!({ "do": "tick", "now": NOW - 1 }))["prepared"], Value::Null);
    let effects = shim.step(json!({ "do": "tick", "now": NOW }));
    assert_eq!(effects[1], json!({ "effect": "ended", "why": "Expired" }));
    // A crash before the effects were acted upon: the record has them.
    let record = shim.state()["record"].take();
    let mut restored = Shim::start();
    assert_eq!(restored.ask(json!({ "do": "restore", "record": record }))["role"], "alice");
    assert_eq!(restored.ask(json!({ "do": "pending" }))["effects"], json!(effects));
    assert_eq!(restored.step(json!({ "do": "clear_outbox" })), Vec::<Value>::new());
    assert_eq!(restored.ask(json!({ "do": "clear_outbox" }))["prepared"], Value::Null);
}

/// A new line of this machine's process, in one of its own.
fn line_of(effects: &[Value]) -> Shim {
    let formed = effects.iter().find(|effect| effect["effect"] == "line_formed").unwrap();
    let mut line = Shim::start();
    line.ask(json!({ "do": "restore", "record": formed["record"] }));
    line
}

fn sent(effects: &[Value]) -> Request<'static> {
    let request = effects.iter().find(|effect| effect["effect"] == "send").unwrap()["request"].as_str().unwrap();
    let bytes: &'static [u8] = hex::decode(request).unwrap().leak();
    Request::decode(bytes).unwrap()
}

fn of(event: &Event<'_>) -> String {
    hex::encode(event.to_vec())
}

/// What one end sent along a line, as the other gets it.
fn arrives(effects: &[Value]) -> Value {
    let Request::Packet { line_id, payload } = sent(effects) else { panic!() };
    json!({ "do": "event", "bytes": of(&Event::Packet { line_id, payload }), "now": NOW })
}

/// A Bob of this number uses the Port: the event for Alice, and Bob's end of the line.
fn use_port(text: &Value, line_link: [u8; 16], n: u8) -> (String, Shim) {
    let mut bob = Shim::start();
    bob.step(json!({ "do": "bob_scan", "seed": hex::encode([n; 64]), "port": text }));
    let effects = bob.step(json!({ "do": "connect", "proof": "inline", "now": NOW }));
    let Request::Connect { request_id, proof, .. } = sent(&effects) else { panic!() };
    let (line_link, line_id, peer) = (line_link.into(), LineId::from([n; 16]), PeerMark::from([n; 32]));
    let connected = of(&Event::Connected { line_link, request_id, line_id, peer });
    let effects = bob.step(json!({ "do": "event", "bytes": connected, "now": NOW }));
    (of(&Event::LineFormed { line_link, line_id, peer, proof }), line_of(&effects))
}

#[test]
fn two_shims_form_a_line_of_a_superport() {
    let mut alice = Shim::start();
    let policy = json!({ "use_limit": 1, "on_repeat": "refuse", "require_approval": true });
    let offer = json!({ "do": "alice_offer", "seed": "a1".repeat(64), "line_link": "01".repeat(16), "policy": policy });
    let effects = alice.step(offer);
    assert!(matches!(sent(&effects), Request::SetLineLink { version: 1, admits: Admission::Many, .. }));
    let text = &effects[1]["text"];
    alice.step(json!({ "do": "clear_outbox" }));

    let (event, mut at_bob) = use_port(text, [1; 16], 7);
    // It makes a key, so the driver draws.
    let without = json!({ "do": "event", "bytes": event, "now": NOW }).to_string();
    assert_eq!(alice.say(without.as_bytes())["error"], "usage");
    let event = |peers: Value| json!({ "do": "event", "bytes": event, "now": NOW, "fresh": FRESH, "peers": peers });
    for relationship in [json!("blocked"), json!({ "connected": "05".repeat(16) })] {
        let refused = alice.say(event(json!({ "relationship": relationship })).to_string().as_bytes());
        assert_eq!(
            refused,
            json!({ "ok": false, "error": "UnwantedLine", "line_id": "07".repeat(16) }),
            "{relationship}"
        );
    }
    // A line that the driver has a record of already: of this Port, and of another.
    let hash = hex::encode(Port::parse(text.as_str().unwrap()).unwrap().hash().as_bytes());
    for (port, error) in [(hash, "Duplicate"), ("05".repeat(32), "FalseLine")] {
        let refused = alice.say(event(json!({ "port_of_line": port })).to_string().as_bytes());
        assert_eq!(refused, json!({ "ok": false, "error": error }));
    }
    let mut step = alice.ask(event(json!({})))["prepared"].take();
    let line = step["line"].take();
    assert_eq!((&line["key"], line["record"].is_string()), (&json!(format!("03{}", "07".repeat(16))), true));
    assert_eq!(step["on_duplicate"], json!({ "disconnect": "07".repeat(16) }));
    assert_eq!((step["unique"].as_str().map(str::len), &step["consumes"]), (Some(64), &Value::Null));
    alice.ask(json!({ "do": "drop" }));
    let effects = alice.step(event(json!({})));
    assert_eq!(alice.state()["used"], 1);
    let mut at_alice = line_of(&effects);
    let next = json!({ "do": "set_policy", "policy": { "use_limit": "unlimited" } });
    let (late, _) = use_port(text, [1; 16], 8);
    let late = json!({ "do": "event", "bytes": late, "now": NOW, "fresh": FRESH });
    assert_eq!(alice.say(late.to_string().as_bytes())["error"], "UnwantedLine");
    alice.step(next);
    let formed = alice.step(late);
    assert_eq!(formed[0]["effect"], "line_formed");
    assert!(matches!(sent(&formed), Request::SetLineLink { version: 3, admits: Admission::Many, .. }));

    // Bob waits for the approval.
    assert_eq!(at_alice.state()["phase"], "awaiting_approval");
    let effects = at_alice.step(json!({ "do": "accept", "now": NOW }));
    let effects = at_bob.step(arrives(&effects));
    at_alice.step(arrives(&effects));
    let [at_alice, at_bob] = [at_alice.state(), at_bob.state()];
    assert_eq!((&at_alice["phase"], &at_alice["safety_number"]), (&json!("confirmed"), &at_bob["safety_number"]));
    assert_eq!(at_bob["phase"], "confirmed");

    // Another is turned away.
    let mut other = line_of(&formed);
    assert_eq!(other.state()["phase"], "joined");
    assert_eq!(other.say(br#"{"do":"decline"}"#)["error"], "OutOfOrder");
    alice.step(json!({ "do": "set_policy", "policy": { "use_limit": "unlimited", "require_approval": true } }));
    let (event, _) = use_port(text, [1; 16], 9);
    let effects = alice.step(json!({ "do": "event", "bytes": event, "now": NOW, "fresh": FRESH }));
    let mut declined = line_of(&effects);
    let effects = declined.step(json!({ "do": "decline" }));
    assert_eq!(effects.last().unwrap()["why"], "Declined");
    let once = json!({ "do": "set_policy", "policy": { "use_limit": "once" } }).to_string();
    assert_eq!(alice.say(once.as_bytes())["error"], "PolicyMismatch");
    assert_eq!(alice.say(br#"{"do":"set_policy","policy":{"use_limit":"twice"}}"#)["error"], "usage");
}

#[test]
fn a_shim_scans_again() {
    let mut alice = Shim::start();
    let offer =
        json!({ "do": "alice_offer", "seed": "a1".repeat(64), "line_link": "01".repeat(16), "recognisable": true });
    let effects = alice.step(offer);
    let set =
        Request::SetLineLink { line_link: [1; 16].into(), version: 1, admits: Admission::One, recognisable: true };
    assert_eq!(sent(&effects), set);
    let text = &effects[1]["text"];

    let mut bob = Shim::start();
    let scan = |do_: &str, n: u8| json!({ "do": do_, "seed": hex::encode([n; 64]), "port": text });
    let connect = json!({ "do": "connect", "proof": "inline", "now": NOW });
    bob.step(scan("bob_scan", 7));
    assert_eq!(bob.say(scan("scan_again", 8).to_string().as_bytes())["error"], "OutOfOrder");
    let Request::Connect { request_id: first, .. } = sent(&bob.step(connect.clone())) else { panic!() };
    bob.step(json!({ "do": "cancel" }));
    bob.step(json!({ "do": "clear_outbox" }));
    bob.step(scan("scan_again", 8));
    assert_eq!(bob.state()["phase"], "scanned");
    let Request::Connect { request_id, .. } = sent(&bob.step(connect)) else { panic!() };
    assert_eq!((first, request_id), ([7; 16].into(), [8; 16].into()));
    let (line_link, line_id, peer) = ([1; 16].into(), [2; 16].into(), [3; 32].into());
    let late = of(&Event::Connected { line_link, request_id: first, line_id, peer });
    let late = json!({ "do": "event", "bytes": late, "now": NOW }).to_string();
    assert_eq!(bob.say(late.as_bytes()), json!({ "ok": false, "error": "UnwantedLine", "line_id": "02".repeat(16) }));
}

#[test]
fn shims_introduce_somebody() {
    let mut alice = Shim::start();
    let offer = json!({ "do": "alice_offer", "seed": "a1".repeat(64), "line_link": "01".repeat(16),
        "policy": { "use_limit": "unlimited" }, "introducer": "cc".repeat(16) });
    let effects = alice.step(offer);
    alice.step(json!({ "do": "clear_outbox" }));

    // Along the line of Alice and Carol, which another shim has.
    let mut carol = Shim::start();
    carol.step(json!({ "do": "granted", "port": effects[1]["port"], "from": "cc".repeat(16) }));
    let introduce = json!({ "do": "introduce", "name": "Carol", "seed": "ca".repeat(64), "now": NOW });
    let effects = carol.step(introduce.clone());
    assert_eq!((&effects[0]["effect"], &effects[0]["line_id"]), (&json!("announce"), &json!("cc".repeat(16))));
    assert_eq!(carol.state()["phase"], "announcing");
    assert_eq!(carol.say(introduce.to_string().as_bytes())["error"], "TicketPending");
    let said = hex::decode(effects[0]["bytes"].as_str().unwrap()).unwrap();
    let Ok(IntroducerMessage::Ticket(ticket)) = IntroducerMessage::decode(&said) else { panic!() };
    let notice =
        json!({ "line_link": "01".repeat(16), "ticket": hex::encode(ticket.ticket.as_bytes()), "name": "Carol" });
    let accept =
        |from: &str| json!({ "do": "accept_ticket", "notice": notice, "from": from, "outstanding": 0, "now": NOW });
    alice.ask(accept(&"cc".repeat(16)));
    assert_eq!(alice.say(accept(&"cd".repeat(16)).to_string().as_bytes())["error"], "TicketRefused");
    let text = carol.step(json!({ "do": "mark_announced" }))[0]["text"].take();
    carol.step(json!({ "do": "clear_outbox" }));

    let (event, mut at_bob) = use_port(&text, [1; 16], 7);
    let event = |tickets: &[&Value]| {
        let peers = json!({ "tickets": tickets });
        json!({ "do": "event", "bytes": event, "now": NOW, "fresh": FRESH, "peers": peers })
    };
    let unknown = json!({ "ok": false, "error": "UnknownTicket", "line_id": "07".repeat(16) });
    assert_eq!(alice.say(event(&[]).to_string().as_bytes()), unknown);
    let step = alice.ask(event(&[&notice]))["prepared"].take();
    assert_eq!((&step["consumes"], &step["unique"]), (&notice["ticket"], &notice["ticket"]));
    alice.ask(json!({ "do": "drop" }));
    let mut at_alice = line_of(&alice.step(event(&[&notice])));
    assert_eq!(at_alice.state()["introduced"], json!({ "name": "Carol", "by": "cc".repeat(16) }));
    assert_eq!(at_bob.state()["introduced"], json!({ "name": "Carol", "by": null }));

    let effects = at_alice.ask(json!({ "do": "pending" }))["effects"].take();
    let effects = at_bob.step(arrives(effects.as_array().unwrap()));
    at_alice.step(arrives(&effects));
    assert_eq!(at_alice.state()["phase"], "confirmed");

    // What is said along a line is told apart.
    for (message, says) in [
        (
            said,
            json!({ "ticket": { "line_link": "01".repeat(16), "ticket": notice["ticket"], "name": "Carol", "expires": null } }),
        ),
        (IntroducerMessage::Withdrawn { line_link: [1; 16].into() }.to_vec(), json!({ "withdrawn": "01".repeat(16) })),
    ] {
        let bytes = hex::encode(message);
        let effects = at_alice.step(json!({ "do": "seal_introducer_message", "bytes": bytes }));
        let heard = at_bob.step(arrives(&effects));
        assert_eq!(heard, [json!({ "effect": "introducer_message", "bytes": bytes, "said": says })]);
        let answer = carol.say(json!({ "do": "hear", "bytes": bytes, "from": "cc".repeat(16) }).to_string().as_bytes());
        assert_eq!(answer["ok"], says["withdrawn"].is_string(), "{answer}");
    }
    assert_eq!(carol.ask(json!({ "do": "commit" }))["effects"], json!([{ "effect": "ended", "why": "Withdrawn" }]));
    let state = carol.state();
    assert_eq!((&state["role"], &state["phase"]), (&json!("introducer"), &json!("ended")));
    assert_eq!(carol.say(introduce.to_string().as_bytes())["error"], "OutOfOrder");
}

#[test]
fn a_shim_is_a_pool() {
    let mut pool = Shim::start();
    let bad = json!({ "do": "pool", "seed": "07".repeat(64), "low": 2, "full": 1 }).to_string();
    assert_eq!(pool.say(bad.as_bytes())["error"], "BadBounds");
    let effects = pool.step(json!({ "do": "pool", "seed": "07".repeat(64), "low": 1, "full": 1 }));
    assert_eq!(pool.say(br#"{"do":"pop"}"#)["error"], "Empty");
    let Request::IssueLineLink { request_id } = sent(&effects) else { panic!() };
    let issued = of(&Event::LineLinkIssued { request_id, line_link: LineLink::from([1; 16]) });
    let event = json!({ "do": "event", "bytes": issued, "now": NOW });
    assert!(pool.step(event.clone()).is_empty());
    assert_eq!(pool.say(event.to_string().as_bytes())["error"], "Duplicate");
    let state = pool.state();
    assert_eq!([&state["role"], &state["held"], &state["requested"]], [&json!("pool"), &json!(1), &json!(0)]);
    let record = state["record"].clone();
    assert_eq!(Shim::start().ask(json!({ "do": "restore", "record": record })), state);
    let effects = pool.step(json!({ "do": "pop" }));
    assert_eq!(effects[0], json!({ "effect": "link", "line_link": "01".repeat(16) }));
    assert!(matches!(sent(&effects), Request::IssueLineLink { .. }));
}

#[test]
fn what_is_wrong_is_answered_and_changes_nothing() {
    let mut shim = Shim::start();
    assert_eq!(shim.say(br#"{"do":"state"}"#)["error"], "usage");
    let seed = "07".repeat(64);
    let scan = json!({ "do": "bob_scan", "seed": seed, "port": "PORT:" }).to_string();
    assert_eq!(shim.say(scan.as_bytes())["error"], "Damaged");
    shim.step(json!({ "do": "alice_request", "seed": seed }));
    let before = shim.state();

    let deep = "[".repeat(100_000);
    let lines: [&[u8]; 19] = [
        b"",
        b"null",
        b"\xff\xfe",
        br#"{"do":"state""#,
        br#"{"do":"state"}}"#,
        br#"{"do":"state","more":1}"#,
        br#"["drop"]"#,
        br#"["event","8201",1]"#,
        br#"{"do":"fly"}"#,
        br#"{"do":"commit"}"#,
        br#"{"do":"cancel"}"#,
        br#"{"do":"close"}"#,
        br#"{"do":"event","bytes":""}"#,
        br#"{"do":"event","bytes":"0","now":0}"#,
        br#"{"do":"event","bytes":"00","now":-1}"#,
        // One second after the year 9999.
        br#"{"do":"event","bytes":"00","now":253402300800}"#,
        br#"{"do":"tick","now":253402300800}"#,
        br#"{"do":"alice_request","seed":"00"}"#,
        deep.as_bytes(),
    ];
    for line in lines {
        let answer = shim.say(line);
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!("usage")), "{answer}");
        assert!(answer["detail"].is_string());
    }
    let stray = Event::Disconnected { line_id: LineId::from([2; 16]) }.to_vec();
    let event = |bytes: &[u8]| json!({ "do": "event", "bytes": hex::encode(bytes), "now": NOW }).to_string();
    assert_eq!(shim.say(event(&stray).as_bytes()), json!({ "ok": false, "error": "WrongMachine" }));
    assert_eq!(shim.say(event(b"").as_bytes())["error"], "Malformed");
    assert_eq!(shim.say(br#"{"do":"restore","record":"8401"}"#)["error"], "Malformed");
    let relay = json!({ "do": "alice_request", "seed": seed, "relay": "" }).to_string();
    assert_eq!(shim.say(relay.as_bytes())["error"], "BadRelayAddr");
    assert_eq!(shim.state(), before);
    shim.end();
}
