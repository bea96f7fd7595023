//! `port.cddl` against what the crate writes: everything in `tests/vectors/`, read by an independent CBOR reader (ciborium)
//! and validated by an independent reading of the schema (cddl-cat).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::{fs, iter};

use cddl_cat::cbor::validate_cbor;
use cddl_cat::context::BasicContext;
use cddl_cat::flatten::flatten_from_str;
use ciborium::Value;
use port_protocol::*;
use serde_json::Value as Json;

struct Schema(BasicContext);

impl Schema {
    fn new() -> Self {
        Self(BasicContext::new(flatten_from_str(include_str!("../../port.cddl")).unwrap()))
    }

    fn accepts(&self, rule: &str, value: &Value) -> bool {
        validate_cbor(&self.0.rules[rule], value, &self.0).is_ok()
    }
}

fn vectors(file: &str) -> Json {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Every value of this name, however deep.
fn all<'j>(json: &'j Json, name: &'j str) -> Box<dyn Iterator<Item = &'j str> + 'j> {
    match json {
        Json::Object(map) => {
            Box::new(map.iter().flat_map(move |(key, value)| {
                value.as_str().filter(|_| key == name).into_iter().chain(all(value, name))
            }))
        }
        Json::Array(list) => Box::new(list.iter().flat_map(move |value| all(value, name))),
        _ => Box::new(iter::empty()),
    }
}

fn read(hex: &str) -> Value {
    ciborium::from_reader(&*hex::decode(hex).unwrap()).unwrap()
}

/// Every encoding in the vectors, each with the rule it comes under.
fn samples() -> BTreeMap<&'static str, Vec<Value>> {
    let (ports, proofs, messages) = (vectors("ports.json"), vectors("proofs.json"), vectors("messages.json"));
    let (handshakes, records, packets) = (vectors("handshakes.json"), vectors("records.json"), vectors("packets.json"));
    let many = vectors("many.json");
    let plays = |name| all(&handshakes, name).chain(all(&many, name));
    let of_role = |role| {
        let records = records.as_array().unwrap().iter().filter(move |record| record["role"] == role);
        records.map(|record| read(record["record"].as_str().unwrap())).collect()
    };
    let read_all = |found: &mut dyn Iterator<Item = &str>| found.map(read).collect::<Vec<_>>();
    let samples = BTreeMap::from([
        ("port", read_all(&mut all(&ports["accepted"], "bytes").chain(plays("port")))),
        ("stored-port", read_all(&mut plays("port_ready"))),
        ("proof", read_all(&mut all(&proofs, "bytes"))),
        ("request", read_all(&mut all(&messages["requests"], "bytes").chain(plays("send")))),
        ("event", read_all(&mut all(&messages["events"], "bytes").chain(plays("event")))),
        ("payload", read_all(&mut all(&messages["payloads"], "bytes").chain(all(&packets["accepted"], "payload")))),
        ("transcript", read_all(&mut plays("transcript"))),
        ("epoch-salt", read_all(&mut plays("salted"))),
        ("hashed-use", read_all(&mut plays("used"))),
        ("hashed-ticket", read_all(&mut all(&ports, "hashed_ticket").chain(plays("hashed_ticket")))),
        ("alice-record", of_role("alice")),
        ("bob-record", of_role("bob")),
        ("line-record", of_role("line")),
        ("pool-record", of_role("pool")),
    ]);
    assert!(samples.values().all(|values| values.len() >= 3));
    samples
}

/// Whether the crate reads these bytes as what the rule says; `None`: it has no reader for it.
fn crate_reads(rule: &str, bytes: &[u8]) -> Option<bool> {
    Some(match rule {
        "port" => Port::from_bytes(bytes).is_ok(),
        // It reads a proof inside of a payload.
        "proof" => Payload::decode(&[&[0x82, 0x01, 0x82, 0x01], bytes].concat()).is_ok(),
        "request" => Request::decode(bytes).is_ok(),
        "event" => Event::decode(bytes).is_ok(),
        "payload" => Payload::decode(bytes).is_ok(),
        "alice-record" => Alice::restore(bytes).is_ok(),
        "bob-record" => Bob::restore(bytes).is_ok(),
        "line-record" => Line::restore(bytes).is_ok(),
        "pool-record" => Pool::restore(bytes).is_ok(),
        "introducer-message" => IntroducerMessage::decode(bytes).is_ok(),
        "introducer-record" => Introducer::restore(bytes).is_ok(),
        #[cfg(feature = "app")]
        "app-alice-record" => app::Alice::restore(bytes).is_ok(),
        #[cfg(feature = "app")]
        "app-bob-record" => app::Bob::restore(bytes).is_ok(),
        #[cfg(feature = "app")]
        "app-line-record" => app::UnauthenticatedLine::restore(bytes).is_ok(),
        #[cfg(feature = "portal")]
        rule => return crate::portal::vectors::reads(rule, bytes),
        #[cfg(not(feature = "portal"))]
        _ => return None,
    })
}

/// One thing damaged at a time, at every place: another length, another type, another number, an element less or more.
fn damaged(value: &Value) -> Vec<Value> {
    let mut out = vec![Value::Null, Value::Bool(true), Value::Float(1.5), Value::Text("relay.example".into())];
    match value {
        Value::Integer(number) => {
            let number = i128::from(*number);
            let others = [number - 1, number + 1, 0, -1, 7, 23, 255, 256, (1 << 32) - 1, 1 << 32, u64::MAX.into()];
            out.extend(
                others
                    .into_iter()
                    .filter(|other| *other != number)
                    .flat_map(|other| other.try_into().map(Value::Integer)),
            );
        }
        Value::Bytes(bytes) => {
            out.extend(
                [0, 15, 16, 17, 31, 32, 33, 48, 64, 65, 68, 69, 105, 106].map(|length| Value::Bytes(vec![7; length])),
            );
            out.retain(|other| other.as_bytes().is_none_or(|other| other.len() != bytes.len()));
        }
        Value::Text(_) => out.extend(
            ["", "r", &"r".repeat(32), &"r".repeat(33), &"r".repeat(64), &"r".repeat(65)]
                .map(|text| Value::Text(text.into())),
        ),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                out.extend(damaged(item).into_iter().map(|other| {
                    let mut items = items.clone();
                    items[place] = other;
                    Value::Array(items)
                }));
                let mut shorter = items.clone();
                shorter.remove(place);
                out.push(Value::Array(shorter));
            }
            for more in [Value::Null, 0.into(), Value::Bytes(vec![7; 16]), Value::Array(vec![])] {
                out.push(Value::Array(items.iter().cloned().chain([more]).collect()));
            }
        }
        _ => {}
    }
    out.retain(|other| other != value);
    out
}

/// §1.2 in the schema's words.
#[test]
fn the_schema_accepts_everything_that_is_written() {
    let schema = Schema::new();
    let mut count = 0;
    for (rule, values) in samples() {
        for value in values {
            assert!(schema.accepts(rule, &value), "{rule}: {value:?}");
            let records = ["alice-record", "bob-record", "line-record", "pool-record"];
            let of_another = [&["port", "request", "event", "payload"][..], &records].concat();
            for other in of_another.iter().filter(|other| !rule.ends_with(**other)) {
                assert!(!schema.accepts(other, &value), "{rule} as {other}: {value:?}");
            }
            assert_eq!(schema.accepts("record", &value), rule.ends_with("-record"), "{value:?}");
            count += 1;
        }
    }
    println!("{count} encodings");
    assert!(count > 300, "{count}");
}

/// The schema and the crate agree on damaged encodings, one by one.
#[test]
fn the_schema_refuses_what_the_crate_refuses() {
    let (accepted, refused) = agree(samples());
    assert!(refused > 10_000 && accepted > 1_000);
}

/// §16 in the schema's words.
#[cfg(feature = "alloc")]
#[test]
fn introductions_and_introducers_are_as_the_schema_says() {
    let [introductions, records] = crate::contact::samples();
    let read = |bytes: &Vec<u8>| ciborium::from_reader(&**bytes).unwrap();
    let samples = BTreeMap::from([
        ("introducer-message", introductions.iter().map(read).collect::<Vec<Value>>()),
        ("introducer-record", records.iter().map(read).collect()),
    ]);
    let schema = Schema::new();
    for (rule, values) in &samples {
        for value in values {
            assert!(schema.accepts(rule, value), "{rule}: {value:?}");
            assert_eq!(schema.accepts("record", value), *rule == "introducer-record");
            for other in ["port", "request", "event", "payload", "alice-record", "bob-record", "line-record"] {
                assert!(!schema.accepts(other, value), "{rule} as {other}: {value:?}");
            }
        }
    }
    let (accepted, refused) = agree(samples);
    assert!(refused > 1_000 && accepted > 100);
}

/// §17.10 in the schema's words.
#[cfg(feature = "app")]
#[test]
fn records_of_the_apps_dialect_are_as_the_schema_says() {
    let (schema, mut samples) = (Schema::new(), BTreeMap::<_, Vec<_>>::new());
    for (rule, record) in crate::app::machines::records() {
        let value: Value = ciborium::from_reader(&*record).unwrap();
        assert!(schema.accepts(rule, &value) && schema.accepts("record", &value), "{rule}: {value:?}");
        for other in ["alice-record", "bob-record", "line-record", "pool-record", "introducer-record"] {
            assert!(!schema.accepts(other, &value), "{rule} as {other}: {value:?}");
        }
        samples.entry(rule).or_default().push(value);
    }
    assert_eq!(samples.len(), 3);
    let (accepted, refused) = agree(samples);
    assert!(refused > 1_000 && accepted > 100);
}

/// §18 in the schema's words.
#[cfg(feature = "portal")]
#[test]
fn messages_and_records_of_portals_are_as_the_schema_says() {
    let (schema, mut samples) = (Schema::new(), BTreeMap::new());
    for (rule, all) in crate::portal::vectors::samples() {
        for value in all.iter().map(|bytes| ciborium::from_reader::<Value, _>(&**bytes).unwrap()) {
            assert!(schema.accepts(rule, &value), "{rule}: {value:?}");
            assert_eq!(schema.accepts("record", &value), rule.ends_with("-record"), "{value:?}");
            for other in ["port", "request", "event", "payload", "alice-record", "bob-record", "line-record"] {
                assert!(!schema.accepts(other, &value), "{rule} as {other}: {value:?}");
            }
            samples.entry(rule).or_insert_with(Vec::new).push(value);
        }
    }
    assert_eq!(samples.len(), 10);
    let (accepted, refused) = agree(samples);
    assert!(refused > 1_000 && accepted > 100);
}

/// How many damaged encodings both accept, and how many both refuse.
fn agree(samples: BTreeMap<&'static str, Vec<Value>>) -> (usize, usize) {
    let schema = Schema::new();
    let (mut accepted, mut refused) = (0, 0);
    for (rule, values) in samples {
        // One of each shape: records are many and alike.
        let mut shapes = BTreeSet::new();
        let values = values.into_iter().filter(|value| shapes.insert(shape(value)));
        for other in values.flat_map(|value| damaged(&value)) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&other, &mut bytes).unwrap();
            let accepts = schema.accepts(rule, &other);
            let reads = crate_reads(rule, &bytes);
            // CDDL can't compare a pool's numbers, nor its links, nor count the code units of a name.
            let uncountable = ["pool-record", "app-line-record"].contains(&rule);
            // Nor can it say what the texts of a request, of a name and of an address are made of, nor that a list is in order.
            let uncountable = uncountable
                || ["opening-payload", "peer-record", "portal-app-record", "taken-request-record"].contains(&rule);
            let only_by_schema = uncountable && accepts && reads == Some(false);
            assert!(
                only_by_schema || reads.is_none_or(|reads| reads == accepts),
                "{rule}: the crate says {reads:?} to {other:?}"
            );
            *if accepts { &mut accepted } else { &mut refused } += 1;
        }
    }
    println!("{refused} damaged encodings refused, {accepted} accepted");
    (accepted, refused)
}

/// What tells two values apart but for their bytes: lengths, types, small numbers.
fn shape(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
        Value::Bytes(bytes) => format!("b{}", bytes.len()),
        Value::Integer(number) => format!("i{}", i128::from(*number).min(40)),
        other => format!("{other:?}"),
    }
}
