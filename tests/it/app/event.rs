//! §17.7: events.

use crate::common::at;

use super::{bob, name, port, twice, with};
use port_protocol::app::{EncryptedContent, Event, EventError, Happened, Intro, UnauthenticatedKey};
use port_protocol::{LineLink, PortKind, RecordKey};
use serde_json::{Value, json};

fn id(n: u8) -> String {
    hex::encode([n; 16])
}

fn intro() -> Intro {
    Intro::make(&bob(), [1; 16], &port(), &name("Bob")).0
}

fn value(json: impl AsRef<str>) -> Value {
    serde_json::from_str(json.as_ref()).unwrap()
}

fn content() -> EncryptedContent {
    UnauthenticatedKey::from_secret([9; 32].into()).seal([1; 16], "hello").unwrap()
}

fn used(kind: PortKind) -> Event {
    let what = Happened::Used {
        kind,
        port_id: LineLink::from([3; 16]),
        line_id: [2; 16].into(),
        pair_hash: [6; 32].into(),
        intro: intro(),
    };
    Event { what, timestamp: None }
}

fn ended() -> Event {
    Event { what: Happened::Ended { line_id: [2; 16].into() }, timestamp: None }
}

fn message() -> Event {
    Event { what: Happened::Message { line_id: [2; 16].into(), content: content() }, timestamp: None }
}

fn read(json: &Value) -> Result<Event, EventError> {
    Event::from_json(&json.to_string())
}

fn text(event: &Event) -> String {
    event.to_json().as_str().to_owned()
}

const KINDS: [PortKind; 3] = [PortKind::Port, PortKind::Superport, PortKind::ContactPort];

#[test]
fn r17_7_events_are_written_as_the_app_reads_them() {
    let start =
        format!(r#"{{"lineId":"{}","pairHash":"{}","introduction":{},"#, id(2), "06".repeat(32), intro().to_json());
    assert_eq!(text(&used(PortKind::Port)), format!(r#"{start}"lineLinkId":"{}"}}"#, id(3)));
    assert_eq!(text(&used(PortKind::Superport)), format!(r#"{start}"lineLinkId":"None","superportId":"{}"}}"#, id(3)));
    assert_eq!(
        text(&used(PortKind::ContactPort)),
        format!(r#"{start}"lineLinkId":"None","contactPortId":"{}"}}"#, id(3))
    );
    assert_eq!(text(&ended()), format!(r#"{{"deletion":"{}"}}"#, id(2)));
    let json = format!(r#"{{"lineId":"{}","messageContent":{}}}"#, id(2), content().to_json());
    assert_eq!(text(&message()), json);
    for event in KINDS.map(used).into_iter().chain([ended(), message()]) {
        let dated = Event { timestamp: Some(at(1_790_009_600)), ..event.clone() };
        assert!(text(&dated).ends_with(r#","timestamp":"2026-09-21T16:53:20Z"}"#));
        for event in [event, dated] {
            assert_eq!(Event::from_json(&text(&event)), Ok(event));
        }
    }
}

#[test]
fn r17_7_an_event_is_of_one_record() {
    for kind in KINDS {
        assert_eq!(used(kind).key(), RecordKey::LineLink([3; 16].into()));
    }
    for event in [ended(), message()] {
        assert_eq!(event.key(), RecordKey::Line([2; 16].into()));
    }
}

#[test]
fn r17_7_the_order_of_the_tests_and_the_none_of_the_app() {
    let all = json!({"lineId": id(2), "pairHash": "06".repeat(32), "introduction": value(text_of_intro()),
                     "lineLinkId": id(10), "superportId": id(11), "contactPortId": id(12)});
    let port_of = |json: &Value| match read(json).unwrap().what {
        Happened::Used { kind, port_id, .. } => (kind, port_id.as_bytes()[0]),
        other => panic!("{other:?}"),
    };
    assert_eq!(port_of(&all), (PortKind::ContactPort, 12));
    // The empty values (§17.7).
    for nothing in [json!(null), json!("None"), json!(""), json!(0), json!(-0.0), json!(false)] {
        let mut event = all.clone();
        event["contactPortId"] = nothing.clone();
        assert_eq!(port_of(&event), (PortKind::Superport, 11), "{nothing}");
        event["superportId"] = nothing.clone();
        assert_eq!(port_of(&event), (PortKind::Port, 10), "{nothing}");
        event["lineLinkId"] = nothing.clone();
        assert_eq!(read(&event), Err(EventError::NotOfALine), "{nothing}");
        // With an empty `lineLinkId` a reader must not look at the others.
        event["superportId"] = id(11).into();
        let looked_at = nothing == "None";
        assert_eq!(read(&event).is_ok(), looked_at, "{nothing}");
        event["lineLinkId"] = id(10).into();
        event["superportId"] = nothing.clone();
        // A content that is an empty value counts as none.
        event["messageContent"] = if nothing == "None" { json!(null) } else { nothing.clone() };
        event["deletion"] = event["messageContent"].clone();
        event["group"] = event["messageContent"].clone();
        event["callType"] = event["messageContent"].clone();
        assert_eq!(port_of(&event), (PortKind::Port, 10), "{nothing}");
    }
    // Values that are there, and are no id: a reader must refuse them.
    for bad in [
        json!(1),
        json!(true),
        json!([]),
        json!({}),
        json!("x"),
        json!("none"),
        json!("0A".repeat(16)),
        json!("N\u{6f}ne "),
    ] {
        for key in ["contactPortId", "lineId", "pairHash"] {
            let json = with(&all.to_string(), key, Some(bad.clone()));
            assert_eq!(Event::from_json(&json), Err(EventError::Malformed), "{key}: {bad}");
        }
    }
}

fn text_of_intro() -> String {
    intro().to_json().as_str().to_owned()
}

#[test]
fn r17_7_ids_are_lowercase_hex_of_32_and_64_digits() {
    let json = text(&used(PortKind::Port));
    for (key, length) in [("lineId", 32), ("lineLinkId", 32), ("pairHash", 64)] {
        for bad in ["0".repeat(length - 1), "0".repeat(length + 1), "0".repeat(length * 2), "A".repeat(length)] {
            assert_eq!(Event::from_json(&with(&json, key, Some(bad.into()))), Err(EventError::Malformed), "{key}");
        }
    }
    assert_eq!(Event::from_json(&with(&json, "pairHash", None)), Err(EventError::Malformed));
    let json = text(&ended());
    assert_eq!(Event::from_json(&with(&json, "deletion", Some("0A".repeat(16).into()))), Err(EventError::Malformed));
    let json = text(&message());
    assert_eq!(Event::from_json(&with(&json, "lineId", Some("x".into()))), Err(EventError::Malformed));
    assert_eq!(Event::from_json(&with(&json, "lineId", None)), Err(EventError::NotOfALine));
}

#[test]
fn r17_7_a_bad_introduction_is_one_that_nobody_accepts() {
    let json = text(&used(PortKind::Port));
    for bad in [json!(null), json!("x"), json!({}), json!([]), json!({"pubkey": "00", "encryptedSecretContent": ""})] {
        let Ok(Event { what: Happened::Used { intro, .. }, .. }) =
            Event::from_json(&with(&json, "introduction", Some(bad)))
        else {
            panic!("the line would be left as it is")
        };
        assert_eq!(intro, Intro::from_json(""));
    }
    assert!(Event::from_json(&with(&json, "introduction", None)).is_ok());
}

#[test]
fn r17_7_content_comes_from_encrypted_content_only() {
    let json = text(&message());
    let with_content = |content: Value| Event::from_json(&with(&json, "messageContent", Some(content)));
    let mut more = value(content().to_json().as_str());
    more["content"] = json!({"messageId": id(1), "contentType": 0, "data": {"text": "forged"}});
    assert_eq!(with_content(more.clone()), Event::from_json(&json));
    more.as_object_mut().unwrap().remove("encryptedContent");
    for bad in [more, json!({}), json!([1]), json!("x"), json!(1), json!({"encryptedContent": "*"})] {
        assert_eq!(with_content(bad.clone()), Err(EventError::Malformed), "{bad}");
    }
}

#[test]
fn r17_7_an_end_is_of_one_line() {
    let both = |line: &str| with(&text(&ended()), "lineId", Some(line.into()));
    assert_eq!(Event::from_json(&both(&id(2))), Ok(ended()));
    assert_eq!(Event::from_json(&both(&id(3))), Err(EventError::Malformed));
    // An event with a content is a message, whatever it says of Ports.
    let json = with(&text(&used(PortKind::Port)), "messageContent", Some(value(content().to_json().as_str())));
    assert_eq!(Event::from_json(&json), Ok(message()));
    // It is a message whatever it says of calls, unless it is a call.
    let json = with(&text(&message()), "callType", Some("later".into()));
    assert_eq!(Event::from_json(&json), Ok(message()));
    // The end of a line must be taken before a message that came with it.
    let json = with(&text(&ended()), "messageContent", Some(value(content().to_json().as_str())));
    assert_eq!(Event::from_json(&json), Ok(ended()));
}

#[test]
fn r17_7_what_is_of_no_line_is_the_callers() {
    for other in [
        json!({}),
        json!({"lineId": id(2)}),
        json!({"lineId": id(2), "callType": "line", "call_id": "x"}),
        json!({"lineId": id(2), "callType": "line", "messageContent": {"encryptedContent": ""}}),
        json!({"lineId": id(2), "callType": "group"}),
        json!({"group": "g", "sender": "m", "messageContent": {"encryptedContent": ""}}),
        json!({"group": "g", "lineId": id(2), "deletion": id(2)}),
        json!({"removedFromGroup": "g"}),
        json!({"removedFromGroup": "g", "deletion": id(2)}),
        json!({"messageContent": {"encryptedContent": ""}}),
        json!({"later": true}),
    ] {
        assert_eq!(read(&other), Err(EventError::NotOfALine), "{other}");
    }
    for bad in ["", "null", "[]", "1", "\"{}\"", "{", "{}x"] {
        assert_eq!(Event::from_json(bad), Err(EventError::Malformed), "{bad}");
    }
}

#[test]
fn r17_7_no_key_comes_twice() {
    for event in KINDS.map(used).into_iter().chain([ended(), message()]) {
        let json = text(&Event { timestamp: Some(at(0)), ..event });
        for key in value(&json).as_object().unwrap().keys() {
            assert_eq!(Event::from_json(&twice(&json, key)), Err(EventError::Malformed), "{key}");
        }
    }
}

#[test]
fn r17_7_a_timestamp_is_no_reason_to_lose_an_event() {
    let at = |timestamp: Value| {
        let event = Event::from_json(&with(&text(&ended()), "timestamp", Some(timestamp))).unwrap();
        assert_eq!(event.what, ended().what);
        assert_eq!(Event::from_json(&text(&event)), Ok(event.clone()));
        event.timestamp.map(|seconds| seconds.as_secs())
    };
    assert_eq!(at(json!("2026-09-21T16:53:20Z")), Some(1_790_009_600));
    assert_eq!(at(json!("2026-09-21T16:53:20.123Z")), Some(1_790_009_600));
    assert_eq!(at(json!("2026-09-21t16:53:20z")), Some(1_790_009_600));
    assert_eq!(at(json!("2026-09-21 16:53:20Z")), Some(1_790_009_600));
    assert_eq!(at(json!("2026-09-21_16:53:20Z")), None);
    assert_eq!(at(json!("2026-09-21T18:53:20+02:00")), Some(1_790_009_600));
    assert_eq!(at(json!(1_790_009_600_999_u64)), Some(1_790_009_600));
    for other in [
        json!(null),
        json!("Mon Sep 21 2026"),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!({}),
        json!("1960-01-01T00:00:00Z"),
    ] {
        assert_eq!(at(other.clone()), None, "{other}");
    }
}
