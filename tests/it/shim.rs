//! Two shims (SPEC.md, Appendix B), each a process of its own, joined by a relay of a few lines.
#![cfg(feature = "alloc")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use port_protocol::{Event, LineId, LineLink, PairHash, Request};
use serde_json::{Value, json};

const NOW: u64 = 1_790_000_000;
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

/// The shim of this very build: by now it was built beside this test, unless only this test was asked for.
fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // <target directory>/<profile>/deps/it-<hash>
        let test = std::env::current_exe().unwrap();
        let directory = test.ancestors().nth(2).unwrap();
        let profile = match directory.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            profile => profile,
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--example", "shim"]);
        cargo.args(["--profile", profile, "--target-dir"]).arg(directory.parent().unwrap());
        assert!(cargo.status().unwrap().success());
        directory.join("examples").join(format!("shim{}", std::env::consts::EXE_SUFFIX))
    })
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
                // The line is stored, its Port's machine is settled, and another process goes on with the line.
                "line_formed" => {
                    self.shims[who].step(json!({ "do": "settle" }));
                    std::mem::replace(&mut self.shims[who], Shim::start()).end();
                    let line = self.shims[who].ask(json!({ "do": "restore", "record": effect["record"] }));
                    assert_eq!((&line["role"], &line["key"]), (&json!("line"), &effect["key"]));
                    let mut unsent = self.shims[who].ask(json!({ "do": "unsent" }));
                    self.act(who, unsent["effects"].as_array_mut().map(std::mem::take).unwrap());
                }
                _ => panic!("{effect}"),
            }
        }
    }

    /// The relay.
    fn serve(&mut self, from: usize, request: &[u8]) {
        let (line_id, pair_hash) = (LineId::from([2; 16]), PairHash::from([3; 32]));
        let mut post = |to, event: Event<'_>| self.packets.push_back((to, event.to_vec()));
        match Request::decode(request).unwrap() {
            Request::IssueLineLink { request_id } => {
                post(from, Event::LineLinkIssued { request_id, line_link: LineLink::from([1; 16]) });
            }
            Request::Connect { line_link, proof } => {
                post(1 - from, Event::LineFormed { line_link, line_id, pair_hash, proof });
                post(from, Event::LineFormed { line_link, line_id, pair_hash, proof: None });
            }
            Request::Packet { line_id, payload } => post(1 - from, Event::Packet { line_id, payload }),
            Request::Disconnect { line_id } => post(1 - from, Event::Disconnected { line_id }),
            request => panic!("{request:?}"),
        }
    }
}

#[test]
fn two_shims_form_a_line_and_talk() {
    for proof in ["on_board", "along_the_line"] {
        let mut world = World::new();
        world.run(ALICE, json!({ "do": "alice_request", "seed": "a1".repeat(64), "relay": "relay.example" }));
        let text = world.text.take();
        world.run(BOB, json!({ "do": "bob_scan", "seed": "b0".repeat(64), "port": text }));
        world.run(BOB, json!({ "do": "connect", "proof": proof, "now": NOW }));

        let [alice, bob] = world.shims.each_mut().map(Shim::state);
        assert_eq!(alice["phase"], "confirmed");
        assert_eq!(alice["confirmed"]["line_id"], "02".repeat(16));
        assert_eq!(alice["check_code"].as_str().unwrap().len(), 47);
        for same in ["phase", "confirmed", "check_code", "claims", "key"] {
            assert_eq!(alice[same], bob[same], "{same}");
        }

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
    assert_eq!(revoked["prepared"]["replaces"], json!({ "key": offered["key"], "revision": 0 }));
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
    assert_eq!(restored.ask(json!({ "do": "unsent" }))["effects"], json!(effects));
    assert_eq!(restored.step(json!({ "do": "settle" })), Vec::<Value>::new());
    assert_eq!(restored.ask(json!({ "do": "settle" }))["prepared"], Value::Null);
}

#[test]
fn what_is_wrong_is_answered_and_changes_nothing() {
    let mut shim = Shim::start();
    assert_eq!(shim.say(br#"{"do":"state"}"#)["error"], "usage");
    let seed = "07".repeat(64);
    let scan = json!({ "do": "bob_scan", "seed": seed, "port": "PORT:" }).to_string();
    assert_eq!(shim.say(scan.as_bytes())["error"], "Malformed");
    shim.step(json!({ "do": "alice_request", "seed": seed }));
    let before = shim.state();

    let deep = "[".repeat(100_000);
    let lines: [&[u8]; 17] = [
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
    assert_eq!(shim.say(event(&stray).as_bytes()), json!({ "ok": false, "error": "NotMine" }));
    assert_eq!(shim.say(event(b"").as_bytes())["error"], "Malformed");
    assert_eq!(shim.say(br#"{"do":"restore","record":"8401"}"#)["error"], "Malformed");
    let relay = json!({ "do": "alice_request", "seed": seed, "relay": "" }).to_string();
    assert_eq!(shim.say(relay.as_bytes())["error"], "BadRelay");
    assert_eq!(shim.state(), before);
    shim.end();
}
