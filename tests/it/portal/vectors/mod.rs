//! Known answers of chapter 18: `tests/vectors/portal.json`. `PORT_PROTOCOL_BLESS=1` writes it anew; `tests/check_portal.py` computes it again
//! from docs/portal.md.
//!
//! A play has steps of the caller and of the callee. `ephemeral` and `session` are what was drawn. `derived` is the handshake after each of
//! Noise's tokens, `to` the number of the step that this one belongs to. A byte string in a value of CBOR is `{"hex": …}`.

mod play;
mod plays;
mod records;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use port_protocol::portal::*;
use serde_json::{Value, json};

use super::stranger::{self, Key, public};
use super::world::{MANIFEST, NOW};
use crate::common::cbor::Cbor;
use crate::vectors::{known, named};

/// The private keys of both Portals.
const CALLER: Key = counting(1);
const CALLEE: Key = counting(101);
/// Of somebody else.
const OTHER: Key = counting(0xc0);

const fn counting(first: u8) -> Key {
    let mut key = [0; 32];
    let mut at = 0;
    while at < 32 {
        key[at] = first.wrapping_add(at as u8);
        at += 1;
    }
    key
}

/// A value of CBOR in JSON.
fn shown(value: &Cbor) -> Value {
    match value {
        Cbor::Uint(number) => (*number).into(),
        Cbor::Bytes(bytes) => json!({ "hex": hex::encode(bytes) }),
        Cbor::Text(text) => text.as_str().into(),
        Cbor::Bool(is) => (*is).into(),
        Cbor::Null => Value::Null,
        Cbor::Array(items) => items.iter().map(shown).collect(),
    }
}

fn list(items: impl IntoIterator<Item = Cbor>) -> Cbor {
    Cbor::Array(items.into_iter().collect())
}

/// A message of this number.
fn message(number: u64, fields: impl IntoIterator<Item = Cbor>) -> Vec<u8> {
    list([Cbor::Uint(1), list([Cbor::Uint(number)].into_iter().chain(fields))]).write()
}

fn id_of(key: Key) -> PortalId {
    PortalId::of(&port_protocol::PublicKey::from_bytes(public(key)).unwrap())
}

fn ids() -> Value {
    let of = |private: Key| {
        let key = public(private);
        let hashed = list([Cbor::Text("port-protocol portal".into()), Cbor::Bytes(key.to_vec())]).write();
        let id = id_of(private);
        json!({
            "private_key": hex::encode(private),
            "public_key": hex::encode(key),
            "hashed": hex::encode(hashed),
            "id": hex::encode(id.as_bytes()),
            "text": id.to_string(),
            "short": id.short().as_str(),
        })
    };
    let text = id_of(CALLER).to_string();
    let swapped = [&text[1..2], &text[..1], &text[2..]].concat();
    let grouped: Vec<_> =
        text.as_bytes().chunks(5).map(|group| str::from_utf8(group).unwrap().to_uppercase()).collect();
    // The last character has three bits that stand for nothing.
    let last = text.as_bytes()[54];
    let other_last = "abcdefghijklmnopqrstuvwxyz234567".as_bytes();
    let at = other_last.iter().position(|byte| *byte == last).unwrap();
    let last = [&text[..54], str::from_utf8(&other_last[at + 1..at + 2]).unwrap()].concat();
    let read = [text.clone(), text.to_uppercase(), grouped.join("-"), format!(" {} ", grouped.join(" \u{200b}\n"))];
    let refused = [&text[..54], &format!("{text}a"), &text.replacen(&text[..1], "1", 1), &swapped, &last, ""];
    let of_keys = [CALLER, CALLEE, OTHER].map(of);
    json!({
        "of_keys": of_keys,
        "read": read.map(|written| {
            let id: PortalId = written.parse().unwrap();
            json!({ "written": written, "id": hex::encode(id.as_bytes()) })
        }),
        "refused": refused.map(|written| {
            let error = format!("{:?}", written.parse::<PortalId>().unwrap_err());
            json!({ "written": written, "error": error.split('(').next() })
        }),
    })
}

fn all() -> Value {
    let side = |private: Key, name: &str| {
        json!({
            "private_key": hex::encode(private),
            "public_key": hex::encode(public(private)),
            "id": hex::encode(id_of(private).as_bytes()),
            "name": name,
        })
    };
    json!({
        "caller": side(CALLER, "Ada's"),
        "callee": side(CALLEE, "Ben's"),
        "app": { "name": "notes", "manifest": MANIFEST },
        "peer": { "address": "other.example/portal", "name": "a friend" },
        "ids": ids(),
        "plays": named(plays::plays()),
        "refused": named(refused::refused()),
        "records": records::of_today().into_iter().map(|(state, record)| (state, hex::encode(record))).collect::<BTreeMap<_, _>>(),
    })
}

#[test]
fn r18_12_known_answers() {
    known("portal.json", &all());
}

/// Each Refusal, each reason, each thing that is asked and said stands in the file.
#[test]
fn r18_12_there_is_one_of_each() {
    let all = all();
    let numbers = |name: &str| {
        let mut found = BTreeSet::new();
        each(&all, &mut |map| found.extend(map.get(name).and_then(|value| value.get(0)).and_then(Value::as_u64)));
        found
    };
    let refused = |name: &str| {
        let mut found = BTreeSet::new();
        each(&all, &mut |map| found.extend(map.get(name).and_then(Value::as_u64)));
        found
    };
    assert_eq!(numbers("ask"), (0..=3).collect());
    assert_eq!(numbers("say"), (0..=5).collect());
    assert_eq!(refused("refusal"), (1..=4).collect());
    assert_eq!(refused("refused"), [1, 2].into());
    assert!(refused("number").is_superset(&[0, 1, 1_023, 1_024, 1_025].into()));
    let mut reasons = BTreeSet::new();
    each(&all, &mut |map| {
        let say = map.get("say").filter(|say| say[0] == 4);
        reasons.extend(say.and_then(|say| say[1].as_u64()));
    });
    assert_eq!(reasons, (1..=6).collect());
}

fn each<'v>(value: &'v Value, see: &mut dyn FnMut(&'v serde_json::Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            see(map);
            map.values().for_each(|value| each(value, see));
        }
        Value::Array(items) => items.iter().for_each(|value| each(value, see)),
        _ => {}
    }
}

/// What Portals write, by its rule in `port.cddl`.
pub fn samples() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    let steps: Vec<_> = plays::plays().into_iter().flat_map(|(_, play)| play.as_array().cloned().unwrap()).collect();
    for step in &steps {
        let bytes = |name: &str| step[name].as_str().map(|hex| hex::decode(hex).unwrap());
        // Which message the payload is of: its number stands behind `[1, [`.
        let of = |message: &[u8]| {
            ["opening-payload", "opened-payload", "exchange-payload", "reply-payload"][usize::from(message[3]) - 2]
        };
        for message in ["message", "reply"].into_iter().filter_map(bytes) {
            found.entry("portal-message").or_default().push(message);
        }
        if let Some(payload) = bytes("payload") {
            let message = bytes(if step["does"] == "ask" { "message" } else { "reply" }).unwrap();
            found.entry(of(&message)).or_default().push(payload);
        }
    }
    for (state, record) in records::of_today() {
        let rule = match state.split(',').next().unwrap() {
            "Portal" => "portal-record",
            "App" => "portal-app-record",
            "Peer" => "peer-record",
            "Opening" => "taken-opening-record",
            _ => "taken-request-record",
        };
        found.entry(rule).or_default().push(record);
    }
    found
}

/// Whether the crate reads these bytes as what the rule says; `None`: nothing public reads them.
pub fn reads(rule: &str, bytes: &[u8]) -> Option<bool> {
    let of_peer = |role: u8| {
        let is_of_role = bytes.get(2..4) == Some(&[0x18, role]);
        is_of_role && Peer::restore(&records::of_today()["Peer, verified"], [bytes]).is_ok()
    };
    Some(match rule {
        "portal-record" => Portal::restore(bytes).is_ok(),
        "portal-app-record" => App::restore(bytes).is_ok(),
        "peer-record" => Peer::restore(bytes, []).is_ok(),
        "taken-opening-record" => of_peer(35),
        "taken-request-record" => of_peer(36),
        "opening-payload" => {
            let mut portal = Portal::restore(&portal_of(CALLEE)).unwrap();
            let (noise, _) = stranger::opening(stranger::PROLOGUE, CALLER, public(CALLEE), OTHER, bytes);
            portal.receive(&message(2, [Cbor::Bytes(noise)]), &mut Vec::new(), NOW).is_ok()
        }
        _ => return None,
    })
}

/// The record of a Portal with this private key.
fn portal_of(private: Key) -> Vec<u8> {
    let state = list([Cbor::Bytes(private.to_vec()), Cbor::Text("Ben's".into())]);
    list([Cbor::Uint(1), Cbor::Uint(32), Cbor::Uint(0), state]).write()
}

/// R18.12: the page's example is the first play, byte for byte.
#[test]
fn r18_12_the_example_is_in_the_vectors() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portal.md")).unwrap();
    let (_, example) = page.split_once("\n## 18.12").expect("docs/portal.md has a §18.12");
    let runs = example.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 32);
    let quoted: BTreeSet<_> = runs.map(str::to_ascii_lowercase).collect();
    let vectors = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/portal.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let first = format!("{}{}{}", vectors["plays"]["a worked example"], vectors["caller"], vectors["callee"]);
    for hex in &quoted {
        assert!(first.contains(hex), "in no vector: {hex}");
    }
    assert!(quoted.len() >= 20, "{} strings of 32 hex digits in §18.12", quoted.len());
}
