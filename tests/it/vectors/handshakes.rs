//! How a Port goes: every state of every machine (§4.5, §5.5, §6.6), its records, and what the keys come from.

use hkdf::Hkdf;

use super::many;
use super::messages::REASONS;
use super::play::{AtAlice, AtBob, Play, restored};
use super::proofs::{connected, connected_of, dh, encrypt, formed, packet, proof_of, public_key, refused_to};
use super::*;

const DAY: u64 = 24 * 60 * 60;

/// A whole line: what the specification quotes (Appendix A).
fn worked_example() -> Play {
    let mut play = Play::new();
    play.request(PortOptions::new());
    play.issue();
    let confirm = play.join(SendProof::Inline);
    play.packet(AtBob, &confirm);
    let answer = play.log.sent();
    play.clear_line(AtBob);
    play.packet(AtAlice, &answer);
    let hello = play.seal(AtAlice, b"hello Bob", &[]);
    play.packet(AtBob, &hello);
    let hello = play.seal(AtBob, b"hello Alice", b"first words");
    play.open(AtAlice, &hello, b"first words");
    let empty = play.seal(AtAlice, b"", b"");
    play.packet(AtBob, &empty);
    play.packet(AtBob, &empty); // Duplicate
    play.packet(AtBob, &confirm); // asks for the Answer once more
    play.clear_line(AtBob);
    play.close(AtAlice);
    let close = play.log.sent();
    play.clear_line(AtAlice);
    play.packet(AtBob, &close);
    play.clear_line(AtBob);
    play.packet(AtBob, &close); // Closed
    play
}

/// The proof after `LineFormed`, and everything that a Port can carry.
fn along_the_line() -> Play {
    let mut play = Play::new();
    play.offer(PortOptions::new().expires(LATER).relay(relay(RELAY)));
    let proof = play.join(SendProof::AlongTheLine);
    let early = play.seal(AtBob, b"is anybody there?", &[]);
    play.packet(AtAlice, &early); // TooEarly
    play.packet(AtAlice, &proof);
    let confirm = play.log.sent();
    play.packet(AtAlice, &proof); // Confirm again
    play.packet(AtAlice, &early);
    play.packet(AtAlice, &proof); // and again: Bob has not heard it yet
    play.packet(AtBob, &confirm);
    let answer = play.log.sent();
    play.packet(AtAlice, &answer);
    play.packet(AtAlice, &proof); // OutOfOrder: it has
    play.packet(AtBob, &proof); // OutOfOrder: nobody sends Bob one
    play.clear_line(AtBob);
    let yes = play.seal(AtAlice, b"yes", &[]);
    play.packet(AtBob, &yes);
    play.close(AtBob);
    let close = play.log.sent();
    play.packet(AtAlice, &close);
    play.clear_line(AtAlice);
    play.clear_line(AtBob);
    play
}

/// Both speak before they are confirmed; Confirm comes last.
fn both_speak_first() -> Play {
    let mut play = Play::new();
    play.offer(PortOptions::new());
    let confirm = play.join(SendProof::Inline);
    let from_alice = play.seal(AtAlice, b"A", &[]);
    let from_bob = play.seal(AtBob, b"B", &[]);
    play.packet(AtBob, &from_bob); // Forged: Bob's own words
    play.packet(AtAlice, &from_bob);
    let second = play.seal(AtAlice, b"AA", &[]);
    play.packet(AtBob, &second);
    let answer = play.log.sent();
    play.packet(AtBob, &from_alice);
    play.packet(AtBob, &confirm);
    play.packet(AtAlice, &answer);
    play.packet(AtAlice, &answer); // Duplicate
    play.packet(AtBob, &answer); // Forged: Bob's own
    play.packet(AtAlice, &confirm); // Forged: Alice's own
    play.close(AtAlice);
    play.close(AtAlice); // Closed
    play
}

/// How a play goes that ends before there is a line, or soon after.
fn short(options: PortOptions, request: bool, now: UnixSeconds, then: impl FnOnce(&mut Play)) -> Play {
    let mut play = Play::new();
    if request {
        play.request(options)
    } else {
        play.offer(options)
    }
    if !request {
        play.scan();
    }
    play.now = now;
    then(&mut play);
    play
}

pub fn plays() -> Vec<(String, Play)> {
    let plain = PortOptions::new;
    let until = || PortOptions::new().expires(LATER);
    let another = |byte: u8| [byte; 16];
    let mut plays: Vec<(String, Play)> = vec![
        ("a worked example".into(), worked_example()),
        ("along the line".into(), along_the_line()),
        ("both speak first".into(), both_speak_first()),
    ];
    let mut add = |name: &str, play: Play| plays.push((name.into(), play));
    add(
        "requesting: revoked",
        short(plain(), true, NOW, |play| {
            play.revoke();
            play.issue(); // OutOfOrder
            play.clear_alice();
            play.clear_alice(); // Nothing
            play.revoke(); // OutOfOrder
        }),
    );
    add(
        "requesting: another's link",
        short(plain(), true, NOW, |play| {
            play.alice(Event::LineLinkIssued { request_id: another(0).into(), line_link: LINE_LINK.into() });
            play.alice(formed(None));
            play.clear_alice(); // Nothing
            play.tick_alice(); // NotYet
        }),
    );
    add(
        "requesting: expired",
        short(until(), true, LATER, |play| {
            play.tick_alice();
            play.clear_alice();
        }),
    );
    add(
        "requesting: the link comes too late",
        short(until(), true, LATER, |play| {
            play.issue();
            play.clear_alice();
        }),
    );
    add(
        "offered: revoked",
        short(plain(), false, NOW, |play| {
            play.issue(); // WrongMachine
            play.alice(packet(&[0x01])); // WrongMachine
            play.alice(refused_to(BOB, Reason::Unknown)); // OutOfOrder
            play.alice(connected()); // WrongMachine: on its way to Bob
            play.revoke();
            play.alice(formed(None)); // UnwantedLine
            play.clear_alice();
            play.alice(formed(None)); // UnwantedLine
        }),
    );
    add(
        "offered: expired",
        short(until(), false, LATER, |play| {
            play.tick_alice();
            play.clear_alice();
        }),
    );
    add(
        "offered: not yet expired",
        short(until(), false, at(LATER.as_secs() - 1), |play| {
            play.tick_alice(); // NotYet
            play.alice(formed(None));
        }),
    );
    add(
        "offered: a line after its expiry",
        short(until(), false, LATER, |play| {
            play.alice(formed(None));
            play.clear_alice();
        }),
    );
    add(
        "offered: a bad proof",
        short(plain(), false, NOW, |play| {
            play.alice(formed(Some(proof_of(&[9; 32], &[1; 48]).1)));
            play.clear_alice();
            play.alice(formed(None)); // UnwantedLine
        }),
    );
    add(
        "spent: a second line",
        short(plain(), false, NOW, |play| {
            play.alice(formed(None));
            play.alice(formed(None)); // Duplicate
            play.alice(Event::LineFormed {
                line_link: LINE_LINK.into(),
                line_id: another(0).into(),
                peer: OF_BOB.into(),
                proof: None,
            });
            play.revoke(); // OutOfOrder
            play.clear_alice();
            play.alice(formed(None)); // Duplicate
        }),
    );
    add(
        "awaiting proof: a bad one",
        short(plain(), false, NOW, |play| {
            play.alice(formed(None));
            play.new_line(AtAlice);
            let bad = Payload::Proof { proof: proof_of(&[9; 32], &[1; 48]).1 }.to_vec();
            play.packet(AtAlice, &bad);
            play.clear_line(AtAlice);
            play.packet(AtAlice, &bad); // Closed
        }),
    );
    add(
        "awaiting proof: none for seven days",
        short(plain(), false, NOW, |play| {
            play.alice(formed(None));
            play.new_line(AtAlice);
            play.clear_line(AtAlice); // Nothing
            play.now = at(NOW.as_secs() + DAY - 1);
            play.tick_line(AtAlice); // NotYet
            // A clock that is a year ahead costs a day.
            play.now = at(NOW.as_secs() + 365 * DAY);
            play.tick_line(AtAlice);
            play.tick_line(AtAlice); // NotYet
            for day in 1..7 {
                play.now = at(NOW.as_secs() + (365 + day) * DAY);
                play.tick_line(AtAlice);
            }
        }),
    );
    add(
        "awaiting proof: behind the Port's expiry",
        short(until(), false, NOW, |play| {
            let _ = play.connect(SendProof::AlongTheLine);
            play.bob(connected());
            play.new_line(AtBob);
            let proof = play.log.sent();
            play.alice(formed(None));
            play.new_line(AtAlice);
            play.now = LATER;
            play.tick_line(AtAlice); // NotYet
            play.packet(AtAlice, &proof); // the Port was used in time
        }),
    );
    add(
        "awaiting proof: closed",
        short(plain(), false, NOW, |play| {
            play.alice(formed(None));
            play.new_line(AtAlice);
            play.close(AtAlice);
        }),
    );
    add(
        "awaiting proof: disconnected",
        short(plain(), false, NOW, |play| {
            play.alice(formed(None));
            play.new_line(AtAlice);
            play.line(AtAlice, Event::Disconnected { line_id: another(0).into() }); // WrongMachine
            play.line(AtAlice, Event::Disconnected { line_id: LINE_ID.into() });
            play.line(AtAlice, Event::Disconnected { line_id: LINE_ID.into() }); // Closed
        }),
    );
    add(
        "joined: disconnected",
        short(plain(), false, NOW, |play| {
            let _ = play.connect(SendProof::Inline);
            play.bob(connected());
            play.new_line(AtBob);
            play.packet(AtBob, &[0x01]); // Malformed
            play.line(AtBob, Event::Dropped { line_id: another(0).into() }); // WrongMachine
            play.line(AtBob, Event::Dropped { line_id: LINE_ID.into() });
            play.line(AtBob, Event::Disconnected { line_id: LINE_ID.into() });
            play.line(AtBob, Event::Dropped { line_id: LINE_ID.into() }); // Closed
            play.clear_line(AtBob);
        }),
    );
    add(
        "joined: closed before it is confirmed",
        short(plain(), false, NOW, |play| {
            let proof = play.connect(SendProof::Inline);
            play.bob(connected());
            play.new_line(AtBob);
            play.alice(formed(proof));
            play.new_line(AtAlice);
            play.close(AtBob);
            let close = play.log.sent();
            play.packet(AtAlice, &close);
        }),
    );
    add(
        "scanned: cancelled",
        short(plain(), false, NOW, |play| {
            play.bob(connected()); // OutOfOrder
            play.cancel();
            play.clear_bob();
            play.cancel(); // OutOfOrder
            let _ = play.connect(SendProof::Inline); // OutOfOrder
        }),
    );
    add(
        "scanned: expired by the clock",
        short(until(), false, LATER, |play| {
            play.tick_bob(); // NotYet: nothing was sent
            let _ = play.connect(SendProof::Inline); // Expired
            play.clear_bob(); // Nothing
            // The clock was wrong.
            play.now = at(LATER.as_secs() - 1);
            let _ = play.connect(SendProof::Inline);
        }),
    );
    add(
        "connecting: cancelled",
        short(plain(), false, NOW, |play| {
            let proof = play.connect(SendProof::Inline);
            let _ = play.connect(SendProof::Inline); // OutOfOrder
            play.bob(formed(proof)); // WrongMachine: on its way to Alice
            play.bob(formed(None)); // WrongMachine
            play.bob(Event::LineLinkLost { line_link: LINE_LINK.into() }); // WrongMachine
            play.clear_bob(); // Nothing
            play.cancel();
            play.bob(connected()); // UnwantedLine
            play.clear_bob();
        }),
    );
    add(
        "connecting: expired",
        short(until(), false, NOW, |play| {
            let _ = play.connect(SendProof::AlongTheLine);
            play.now = LATER;
            play.tick_bob();
        }),
    );
    add(
        "connecting: a line after its expiry",
        short(until(), false, NOW, |play| {
            let _ = play.connect(SendProof::Inline);
            play.now = LATER;
            play.bob(connected());
            play.clear_bob();
        }),
    );
    add(
        "connecting: refused, Paused, and asking again",
        short(plain(), false, NOW, |play| {
            let _ = play.connect(SendProof::Inline);
            play.bob(refused_to(BOB, Reason::Paused)); // Paused
            play.bob(connected());
            play.bob(refused_to(BOB, Reason::Paused)); // OutOfOrder
            play.clear_bob();
        }),
    );
    add(
        "offered: its link is lost",
        short(plain(), false, NOW, |play| {
            play.alice(Event::LineLinkLost { line_link: another(0).into() }); // WrongMachine
            play.alice(Event::LineLinkLost { line_link: LINE_LINK.into() });
            play.alice(Event::LineLinkLost { line_link: LINE_LINK.into() }); // OutOfOrder
            play.clear_alice();
            play.alice(formed(None)); // UnwantedLine
        }),
    );
    add(
        "offered: its maker is recognisable",
        short(plain().recognisable(true), false, NOW, |play| {
            play.clear_alice();
            play.alice(formed(None));
        }),
    );
    add(
        "requesting: its maker is recognisable",
        short(plain().recognisable(true), true, NOW, |play| {
            play.issue();
            play.clear_alice();
            play.clear_alice(); // Nothing
        }),
    );
    add(
        "scanned twice",
        short(plain(), false, NOW, |play| {
            play.scan_again(0x60); // OutOfOrder: the first use is not over
            let _ = play.connect(SendProof::Inline);
            play.scan_again(0x60); // OutOfOrder
            play.cancel();
            play.scan_again(0x60); // OutOfOrder: its outbox is not cleared
            play.clear_bob();
            play.scan_again(0x60);
            play.bob(connected()); // UnwantedLine: nobody connects
            play.bob(refused_to(0x60, Reason::Closed)); // OutOfOrder
            let _ = play.connect(SendProof::Inline);
            play.bob(connected()); // UnwantedLine: it answers the first use
            play.bob(refused_to(BOB, Reason::Closed)); // OutOfOrder
            play.bob(connected_of(0x60));
            play.bob(connected_of(0x60)); // Duplicate
            play.scan_again(0x20);
        }),
    );
    for reason in REASONS.into_iter().filter(|reason| *reason != Reason::Paused) {
        add(
            &format!("connecting: refused, {reason:?}"),
            short(plain(), false, NOW, |play| {
                let _ = play.connect(SendProof::Inline);
                play.bob(refused_to(BOB, reason));
                play.bob(refused_to(BOB, reason)); // OutOfOrder
                play.clear_bob();
            }),
        );
    }
    plays
}

/// What the keys of a play come from (§6.1, §6.2), made here once more; every one lies in a record of that play.
fn derived(play: &Play) -> Value {
    let port = play.log.steps.iter().find_map(|step| step["port"].as_str()).unwrap();
    let port = Port::from_bytes(&hex::decode(port).unwrap()).unwrap();
    let secret = dh(&counting(BOB), port.public_key().as_bytes());
    let blocks = [*port.rad().expose(), [16; 16]].concat();
    let proof = [public_key(&counting(BOB)).to_vec(), encrypt(&secret, &counting(BOB + 32), &blocks)];
    let transcript = cbor(&Cbor::Array(vec![
        "port-protocol".into(),
        1.into(),
        1.into(),
        Cbor::Bytes(port.hash().as_bytes().to_vec()),
        Cbor::Bytes(LINE_ID.to_vec()),
        Cbor::Array(proof.into_iter().map(Cbor::Bytes).collect()),
    ]));
    let transcript_hash = Sha256::digest(&transcript);
    let (prk, hkdf) = Hkdf::<Sha256>::extract(Some(&transcript_hash), &secret);
    let key = |info: &str| {
        let mut key = [0; 32];
        hkdf.expand(info.as_bytes(), &mut key).unwrap();
        hex(key)
    };
    let keys = ["alice to bob", "bob to alice", "exporter"].map(key);
    let records = || play.log.records.iter().map(|entry| entry["record"].as_str().unwrap());
    assert!(keys.iter().all(|key| records().any(|record| record.contains(key))));
    let confirmed =
        |record: &str| Line::restore(&hex::decode(record).unwrap()).ok().filter(|line| line.confirmed().is_some());
    let line = records().find_map(confirmed).unwrap();
    let code = line.safety_number().unwrap();
    let exports = [("", &b""[..]), ("one", b""), ("one", b"context"), ("on", b"econtext"), ("long", &[7; 300])];
    let exports = exports.map(|(label, context)| {
        let exported = line.export(label, context).unwrap();
        json!({ "label": label, "context": hex(context), "exported": hex(exported.expose()) })
    });
    let [alice_to_bob, bob_to_alice, exporter] = keys;
    json!({
        "port_hash": hex(port.hash().as_bytes()), "secret": hex(secret), "transcript": hex(&transcript),
        "transcript_hash": hex(transcript_hash), "prk": hex(prk), "alice_to_bob": alice_to_bob,
        "bob_to_alice": bob_to_alice, "exporter": exporter, "safety_number": code.to_string(),
        "exports": exports,
    })
}

#[test]
pub fn handshakes() {
    let confirmed = ["a worked example", "along the line", "both speak first"];
    known(
        "handshakes.json",
        &named(plays().into_iter().map(|(name, play)| {
            let derived = confirmed.contains(&&*name).then(|| derived(&play));
            (name, json!({ "derived": derived, "steps": play.log.steps }))
        })),
    );
}

/// What was ever written stays, so that no later version forgets how to restore it.
#[test]
pub fn records() {
    let mut records: Vec<Value> = serde_json::from_str(&read("records.json")).unwrap_or_default();
    for entry in &records {
        let record = hex::decode(entry["record"].as_str().unwrap()).unwrap();
        let restored = match entry["role"].as_str().unwrap() {
            "alice" => restored::<Alice>(&record),
            "bob" => restored::<Bob>(&record),
            "pool" => restored::<Pool>(&record),
            _ => restored::<Line>(&record),
        };
        assert_eq!(restored, *entry);
    }
    let of_many = many::plays().into_values().flat_map(|host| host.log.records);
    let of_many = of_many.chain(super::pools::play().records);
    for entry in plays().into_iter().flat_map(|(_, play)| play.log.records).chain(of_many) {
        if !records.contains(&entry) {
            records.push(entry);
        }
    }
    known("records.json", &records.into());
}
