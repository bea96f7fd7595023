//! Known answers for implementations in any language: `tests/vectors/*.json`.
//!
//! Without more, every file is compared with what this crate gives today, and every record that was ever written there is
//! restored. `PORT_PROTOCOL_BLESS=1 cargo test --test it vectors::` writes the files anew. `tests/check_vectors.py` recomputes
//! all of it from SPEC.md.
//!
//! Bytes are lower-case hex. Steps of a play stand in order; one with an `error` moves nothing. `key`, `record`, `expected`,
//! `new_line`, `unique`, `on_duplicate` and `consumes` of a step are its `Write` (§8.1); of the row that is expected, the key stands
//! there. `fresh` is what was handed in with an event that makes a key (§8.5). In `effects` an outbox stands behind what no outbox
//! holds.

#![cfg(feature = "alloc")]

mod handshakes;
mod many;
#[cfg(feature = "relay")]
mod marks;
mod messages;
mod packets;
mod play;
mod pools;
mod ports;
mod proofs;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::{env, fs};

use crate::common::{Commit, Unused, at};
use ciborium::Value as Cbor;
use hex::encode as hex;
use port_protocol::*;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const NOW: UnixSeconds = at(1_800_000_000);
const LATER: UnixSeconds = at(1_800_003_600);
const LINE_LINK: [u8; 16] = counting(0x80);
const LINE_ID: [u8; 16] = counting(0x90);
/// Bob's mark for Alice, and Alice's for Bob.
const OF_BOB: [u8; 32] = counting(0xa0);
const OF_ALICE: [u8; 32] = counting(0xe0);
const ALICE: u8 = 0x00;
const BOB: u8 = 0x40;
const BASE: &str = "https://port.example/p";
const RELAY: &str = "wss://relay.example/v1";

/// `first`, `first + 1`, …
const fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = first.wrapping_add(i as u8);
        i += 1;
    }
    bytes
}

fn seed(first: u8) -> Seed {
    Seed::from_bytes(&counting(first))
}

fn relay(text: &str) -> RelayAddr {
    RelayAddr::new(text).unwrap()
}

/// `UnwantedLine(LineId(..))` is named `UnwantedLine`.
fn name_of(value: &impl Debug) -> String {
    let name = format!("{value:?}");
    name.split("(Line").next().unwrap_or_default().trim_matches('"').to_owned()
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_default()
}

/// Compares `value` with the file, or writes it there.
pub fn known(file: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if env::var_os("PORT_PROTOCOL_BLESS").is_some() {
        fs::write(path(file), &text).unwrap();
    }
    let known = read(file);
    let first = known.lines().zip(text.lines()).position(|(known, now)| known != now);
    assert!(known == text, "tests/vectors/{file} differs, first in line {:?}", first.map(|line| line + 1));
}

/// An object from `(name, value)`, where no name comes twice.
pub fn named<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
    let mut map = Map::new();
    for (name, value) in entries {
        let name = name.into();
        assert!(map.insert(name.clone(), value).is_none(), "{name} twice");
    }
    map.into()
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn array(bytes: &[u8]) -> Vec<Cbor> {
    ciborium::from_reader::<Cbor, _>(bytes).unwrap().into_array().unwrap()
}

/// The records of every play, and its name.
pub fn records() -> Vec<(String, Vec<u8>)> {
    let of = |name: &str, records: &[Value]| -> Vec<_> {
        let hex = records.iter().map(|entry| entry["record"].as_str().unwrap());
        hex.map(|hex| (name.to_owned(), hex::decode(hex).unwrap())).collect()
    };
    let handshakes = handshakes::plays().into_iter().flat_map(|(name, play)| of(&name, &play.log.records));
    let many = many::plays().into_iter().flat_map(|(name, host)| of(name, &host.log.records));
    handshakes.chain(many).collect()
}

/// The same known answers where the processor lacks what the fast X25519 needs.
#[cfg(feature = "fast-x25519")]
#[test]
fn by_dalek() {
    X25519Backend::with_dalek(|| {
        assert_eq!(X25519Backend::in_use(), X25519Backend::Dalek);
        handshakes::handshakes();
        handshakes::records();
        many::many_uses();
        messages::messages();
        packets::packets();
        ports::ports();
        proofs::proofs();
    });
}

/// The worked example in docs/ is the first handshake, byte for byte.
#[test]
fn appendix_a_is_the_first_vector() {
    let spec = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/worked-example.md")).unwrap();
    let (_, appendix) = spec.split_once("\n## Appendix A").expect("docs/worked-example.md has an Appendix A");
    let appendix = appendix.split("\n## ").next().unwrap_or_default();
    let quoted: BTreeSet<_> = appendix
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|run| run.len() >= 32)
        .map(str::to_ascii_lowercase)
        .collect();
    assert!(quoted.len() >= 10, "{} strings of 32 hex digits in Appendix A", quoted.len());
    let vectors: Value = serde_json::from_str(&read("handshakes.json")).unwrap();
    let first = vectors["a worked example"].to_string();
    for hex in quoted {
        assert!(first.contains(&hex), "in no vector: {hex}");
    }
}
