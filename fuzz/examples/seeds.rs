//! Writes `fuzz/seeds/` anew: schedules first, and from what happens in them everything else. Fails if one of them does
//! not get where it is meant to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use port_protocol::{
    Alice, Bob, Event, Line, LinePhase, Machine, Offer, Payload, Port, Relay, Request, Seed, UnixSeconds,
};
use port_protocol_fuzz::pair::{self, Name, World, crash, op, option, run, side};
use port_protocol_fuzz::{
    Owner, Said, decode_event, decode_port, drive_pair, line_open, restore_alice, restore_bob, restore_line, unsent,
    with_script,
};

type Seeds = BTreeMap<String, Vec<u8>>;

const A: u8 = side::ALICE;
const B: u8 = side::BOB;

fn main() {
    let schedules = schedules();
    let worlds: Vec<_> = schedules.values().map(|schedule| run(schedule)).collect();

    write("drive_pair", &schedules, |_| true);
    write("decode_port", &ports(), decode_port);
    write("decode_event", &messages(&worlds), decode_event);
    write("restore_alice", &records::<Alice>(&worlds, 9), restore_alice);
    write("restore_bob", &records::<Bob>(&worlds, 7), restore_bob);
    write("restore_line", &records::<Line>(&worlds, 6), restore_line);
    write("line_open", &packets(), |_| true);
}

fn write(target: &str, seeds: &Seeds, check: impl Fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, seed) in seeds {
        assert!(check(seed), "{target}/{name} does not get there");
        fs::write(folder.join(name), seed).expect("a file");
    }
    println!("{target}: {} seeds", seeds.len());
}

/// Each with how the lines of Alice and Bob stand at its end.
fn schedules() -> Seeds {
    use LinePhase::{AwaitingProof, Closed, Confirmed, Joined};
    const TALK: &[u8] = &[op::SEAL | A, 0, op::SEAL | B, 5, op::NEXT, op::NEXT];
    const START: &[u8] = &[op::NEXT, op::SCAN | B, op::CONNECT | B];
    const FORMED: &[u8] = &pair::FORMED;
    const ALONG: u8 = option::ALONG_THE_LINE;

    let mut seeds = Seeds::new();
    let mut add = |name: &str, alice: Option<LinePhase>, bob: Option<LinePhase>, options: u8, actions: &[&[u8]]| {
        let schedule = [&[options][..], &actions.concat()].concat();
        let world = run(&schedule);
        let phase = |name| world.line(name).map(Line::phase);
        assert_eq!((phase(Name::Alice), phase(Name::Bob)), (alice, bob), "{name}");
        assert_eq!(drive_pair(&schedule), (alice, bob) == (Some(Confirmed), Some(Confirmed)), "{name}");
        match name {
            "messages" => assert_eq!(world.heard(), (3, 3)),
            "opening-words" => assert_eq!(world.heard(), (2, 1)),
            "crash-after-seal" => assert_eq!(world.heard(), (1, 0)),
            _ => {}
        }
        seeds.insert(name.into(), schedule);
    };

    let (alice, bob) = (Some(Confirmed), Some(Confirmed));
    add("on-board", alice, bob, option::ON_BOARD, &[&[op::HONEST]]);
    add("along-the-line", alice, bob, ALONG, &[&[op::HONEST]]);
    add("from-pool", alice, bob, option::FROM_POOL, &[&[op::HONEST]]);
    add("with-relay", alice, bob, option::RELAY | option::EXPIRES, &[&[op::HONEST]]);
    add("step-by-step", alice, bob, 0, &[FORMED, &[op::NEXT, op::NEXT]]);
    add("messages", alice, bob, 0, &[&[op::HONEST], TALK, TALK, TALK]);
    add("opening-words", alice, bob, ALONG, &[FORMED, TALK, TALK, &[op::HONEST]]);
    add("formed", alice, bob, option::FORMED, &[TALK, &[op::HONEST], TALK]);
    add("formed-along-the-line", alice, bob, option::FORMED | ALONG, &[TALK, &[op::HONEST], TALK]);
    add("lost-confirm", alice, bob, 0, &[FORMED, &[op::DROP, op::RESEND | A, op::HONEST]]);
    let lost = [op::NEXT, op::SETTLE_LINE | B, op::DROP, op::RESEND | A, op::HONEST];
    add("lost-answer", alice, bob, 0, &[FORMED, &lost]);
    let again = [0, 1, 2, 3, 3].map(|parcel| [op::AGAIN, parcel]);
    add("all-twice", alice, bob, 0, &[FORMED, again.as_flattened(), &[op::HONEST]]);
    let start = [op::NEXT, op::SCAN | B, op::CONNECT | B];
    add("crashes-before-put", alice, bob, ALONG, &[&start.map(|op| op | crash::BEFORE_PUT), &[op::HONEST]]);
    let to_the_end = [op::NEXT, op::SCAN | B, op::CONNECT | B, op::NEXT, op::NEXT, op::NEXT, op::NEXT];
    add("crashes-after-put", alice, bob, ALONG, &[&to_the_end.map(|op| op | crash::AFTER_PUT), &[op::HONEST]]);
    let acted = pair::FORMED.map(|op| op | crash::AFTER_ACTING);
    add("crashes-after-acting", alice, bob, 0, &[&acted, &[op::CRASH | A, op::CRASH | B, op::HONEST]]);
    let (lost, said) = ([op::SEAL | A | crash::AFTER_PUT, 1], [op::SEAL | B | crash::AFTER_ACTING, 1]);
    add("crash-after-seal", alice, bob, 0, &[&[op::HONEST], &lost, &said, &[op::HONEST]]);
    add("flipped", alice, bob, 0, &[FORMED, &[op::FLIP, 3, 0, 200, op::FLIP, 3, 0, 17, op::HONEST]]);
    let reflected = [op::MISDELIVER | A, 3, op::MISDELIVER | B, 4, op::MISDELIVER | A, 5, op::MISDELIVER | B, 6];
    add("reflected", alice, bob, 0, &[&[op::HONEST], TALK, &reflected]);
    let second = [op::FORGE_FORMED | A, 0x21, op::FORGE_FORMED | B, 1, op::HONEST];
    add("second-line", alice, bob, 0, &[FORMED, &second]);

    let (alice, bob) = (Some(Joined), Some(Joined));
    add("both-joined", alice, bob, 0, &[FORMED]);
    add("awaiting-proof", Some(AwaitingProof), bob, ALONG, &[FORMED]);
    add("confirmed-by-words", Some(Confirmed), bob, 0, &[FORMED, &[op::SEAL | B, 1, op::DROP, op::NEXT]]);
    let line_ids = [op::FORGE_FORMED | A, 0x21, op::FORGE_FORMED | B, 2, op::HONEST];
    add("two-line-ids", alice, bob, 0, &[START, &line_ids]);
    let pair_hashes = [op::FORGE_FORMED | A, 0x24, op::FORGE_FORMED | B, 8, op::HONEST];
    add("two-pair-hashes", alice, bob, 0, &[START, &pair_hashes]);
    add("refused", alice, None, 0, &[START, &[op::FORGE_REFUSED | B, 1, op::HONEST]]);
    add("cancelled", alice, None, 0, &[START, &[op::STOP | B, op::HONEST]]);

    let (alice, bob) = (Some(Closed), Some(Closed));
    add("closed-by-alice", alice, bob, 0, &[&[op::HONEST, op::CLOSE | A, op::HONEST]]);
    add("closed-by-bob", alice, bob, ALONG, &[&[op::HONEST, op::CLOSE | B | crash::AFTER_PUT, op::HONEST]]);
    let disconnected = [op::FORGE_DISCONNECTED | A, 0, op::FORGE_DISCONNECTED | B, 1];
    add("disconnected", alice, Some(Confirmed), 0, &[&[op::HONEST], &disconnected]);
    add("foreign-proof", None, bob, 0, &[START, &[op::FORGE_FORMED | A, 0x10, op::HONEST]]);
    add("foreign-proof-along-the-line", alice, bob, ALONG, &[FORMED, &[op::FORGE_PROOF | A, op::HONEST]]);
    add("proof-too-late", alice, bob, ALONG, &[FORMED, &[op::CLOCK, 20, op::TICK_LINE | A, op::HONEST]]);

    add("flipped-proof", None, None, 0, &[START, &[op::FLIP, 1, 3, 0]]);
    add("other-link", None, None, 0, &[&[op::FORGE_ISSUED | A, 1, op::HONEST]]);
    let revoked = [op::NEXT, op::STOP | A, op::SCAN | B, op::CONNECT | B, op::RESEND | A, op::HONEST];
    add("revoked", None, None, 0, &[&revoked]);
    add("revoked-before-the-link", None, None, 0, &[&[op::STOP | A, op::HONEST]]);
    let ticks = [op::CLOCK, 12, op::TICK_USER | A, op::TICK_USER | B, op::SETTLE_USER | A, op::SETTLE_USER | B];
    add("expired", None, None, option::EXPIRES, &[&[op::NEXT, op::SCAN | B], &ticks]);
    seeds
}

fn ports() -> Seeds {
    let offers = [
        ("plain", Offer::new()),
        ("expires", Offer::new().expires(UnixSeconds(1_800_000_000))),
        ("expires-last", Offer::new().expires(UnixSeconds(u64::MAX))),
        ("relay", Offer::new().relay(Relay::new("relay.example").expect("a relay"))),
        ("longest", Offer::new().expires(UnixSeconds(u64::MAX)).relay(Relay::new(&"r".repeat(64)).expect("a relay"))),
    ];
    let mut seeds = Seeds::new();
    for (name, offer) in offers {
        let alice = Alice::offer([5; 16].into(), offer, Seed::from_bytes(&[9; 64])).commit();
        let port: &Port = alice.port().expect("on offer");
        seeds.insert(format!("{name}-bytes"), port.to_bytes().as_slice().to_vec());
        seeds.insert(format!("{name}-text"), port.qr_text().as_str().into());
        let link = port.link("https://port.example/x").expect("a good base");
        seeds.insert(format!("{name}-link"), link.to_string().into());
        seeds.insert(format!("{name}-surrounded"), format!("\u{feff} \u{200b}{}\r\n\u{3000}", port.qr_text()).into());
    }
    seeds
}

/// One of each kind.
fn messages(worlds: &[World]) -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |kind: String, bytes: &[u8]| {
        seeds.entry(kind).or_insert_with(|| bytes.to_vec());
    };
    for world in worlds {
        for request in world.requests() {
            let decoded = Request::decode(request).expect("a machine's own");
            add(format!("request-{}", word(&decoded)), request);
            if let Request::Packet { payload, .. } = decoded {
                let decoded = Payload::decode(payload).expect("a machine's own");
                let content =
                    if let Payload::Sealed { content, .. } = &decoded { word(content) } else { String::new() };
                add(format!("payload-{}{content}", word(&decoded)), payload);
            }
        }
        for parcel in world.parcels() {
            let decoded = Event::decode(&parcel.event).expect("of a machine's own");
            let with = matches!(decoded, Event::LineFormed { proof: Some(_), .. });
            add(format!("event-{}{}", word(&decoded), if with { "-with-proof" } else { "" }), &parcel.event);
        }
    }
    // Each kind of request, event and payload; packets of each content.
    assert_eq!(seeds.len(), 5 + 6 + 6, "{:?}", seeds.keys());
    seeds
}

/// One of each state with each outbox, and something that happens to it.
fn records<M: Owner>(worlds: &[World], at_least: usize) -> Seeds {
    let mut seeds = Seeds::new();
    for record in worlds.iter().flat_map(World::records) {
        let Ok(machine) = M::restore(record) else { continue };
        let phase = Line::restore(record).map(|line| format!("{:?}", line.phase()));
        let outbox: Vec<_> = unsent(&machine).iter().map(kind).collect();
        let place = phase.unwrap_or_else(|_| word(&machine.key()));
        // The length tells apart what shows no effect: one end from another, with a relay or without.
        let name = format!("{place}-{}-{}", outbox.join("-"), record.len()).replace("--", "-");
        // Every event, then every command, each with every argument that fits a short script.
        let script: Vec<u8> = (0..6).flat_map(|how| [4, how, how, how, how]).chain([5, 1, 2, 6, 1, 7, 1, 0]).collect();
        seeds.entry(name.to_lowercase()).or_insert_with(|| with_script(record, &script));
    }
    assert!(seeds.len() >= at_least, "{:?}", seeds.keys());
    seeds
}

fn kind(said: &Said) -> String {
    match said {
        Said::Send(request) => match Request::decode(request).expect("a machine's own") {
            Request::Packet { payload, .. } => match Payload::decode(payload).expect("a machine's own") {
                Payload::Sealed { content, .. } => word(&content),
                payload => word(&payload),
            },
            Request::Connect { proof: Some(_), .. } => "connect-with-proof".into(),
            request => word(&request),
        },
        Said::Formed(line) => format!("formed-{:?}", Line::restore(line).expect("its own record").phase()),
        Said::Ended(end) => end.replace(['(', ')'], "-"),
        said => word(said),
    }
}

/// The first word of its `Debug`.
fn word(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// `[moment and direction, length, more, fill, data, more, changes…]`; each moment and direction, genuine and not.
fn packets() -> Seeds {
    let mut seeds = Seeds::new();
    for moment in 0..8 {
        let head = [moment, 4, 0, b'm', 3, 0];
        let changes: [(&str, &[u8]); 6] = [
            ("genuine", &[]),
            ("flipped", &[0, 0, 90]),
            ("cut", &[2, 1]),
            ("spliced", &[3, 0, 4, 1, 1, 9]),
            ("other-data", &[4, 0, 1]),
            ("machines-own", &[6, 0]),
        ];
        for (name, change) in changes {
            let seed = [&head[..], change].concat();
            let opened = line_open(&seed);
            match name {
                "genuine" => assert_eq!(opened, moment & 3 != 0, "{moment}"),
                "machines-own" => {}
                _ => assert!(!opened, "{name} {moment}"),
            }
            seeds.insert(format!("{name}-{moment}"), seed);
        }
        seeds.insert(format!("reflected-{moment}"), [&head[..], &[7]].concat());
    }
    seeds.insert("longest".into(), vec![3, 0xfe, 1, 0, 255, 1]);
    seeds.insert("too-long".into(), vec![3, 0xfe, 2, 0, 0, 0]);
    seeds.insert("too-much-data".into(), vec![3, 1, 0, 0, 255, 2]);
    assert!(line_open(&seeds["longest"]));
    seeds
}
