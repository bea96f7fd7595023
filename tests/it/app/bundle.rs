//! §17.1, §17.2: bundles.

use crate::common::at;

use super::{HOSTILE, contact_port, grant, name, port, superport, twice, with};
use port_protocol::app::{Bundle, BundleError, Grant, Name};
use port_protocol::{LineLink, PortKind, UnixSeconds};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KEYS: [&str; 8] = ["portId", "version", "org", "target", "rad", "keyHash", "pubkey", "ticket"];

fn read(json: &str) -> Result<Bundle, BundleError> {
    Bundle::from_json(json)
}

fn key_hash(public_key: &str) -> Value {
    hex::encode(Sha256::digest(public_key)).into()
}

#[test]
fn r17_2_the_order_of_the_members_is_the_apps() {
    let hash = hex::encode(Sha256::digest(hex::encode(port().public_key().as_bytes())));
    let key = hex::encode(port().public_key().as_bytes());
    let json = |target: u8, more: &str| {
        format!(
            r#"{{"portId":"{}","version":"1.0.0","org":"numberless.tech","target":{target},"name":"A","rad":"{}","keyHash":"{hash}","pubkey":"{key}"{more}}}"#,
            "03".repeat(16),
            "04".repeat(16),
        )
    };
    assert_eq!(port().named(name("A")).to_json().as_str(), json(0, ""));
    assert_eq!(superport().named(name("A")).to_json().as_str(), json(2, ""));
    assert_eq!(grant().named(name("A")).to_json().as_str(), json(4, ""));
    let ticket = format!(r#","ticket":"{}""#, "05".repeat(16));
    assert_eq!(contact_port().named(name("A")).to_json().as_str(), json(4, &ticket));
}

#[test]
fn r17_2_what_is_written_is_read() {
    for bundle in [port(), superport(), contact_port()] {
        for bundle in [bundle.clone(), bundle.clone().expiring(at(1_790_000_000)), bundle.named(name(""))] {
            assert_eq!(read(bundle.to_json().as_str()), Ok(bundle));
        }
    }
    let grant = grant().named(name("Alice"));
    assert_eq!(Grant::from_json(grant.to_json().as_str()), Ok(grant));
}

#[test]
fn r17_1_members_come_in_any_order_with_white_space_and_strangers() {
    let bundle = contact_port().named(name("Zoë"));
    let Value::Object(object) = serde_json::from_str(bundle.to_json().as_str()).unwrap() else { unreachable!() };
    let turned: Vec<_> = object.iter().rev().map(|(key, value)| format!("{} :\t{value}", json!(key))).collect();
    let unknown = r#""x" : [ {"portId":1} , null ], "x":2, "description":null"#;
    assert_eq!(read(&format!("\r\n {{ {} ,\n{unknown} }} ", turned.join(" , "))), Ok(bundle.clone()));
    let escaped = bundle.to_json().as_str().replace("portId", "p\\u006frtId").replace("Zo", "\\u005a\\u006f");
    assert_eq!(read(&escaped), Ok(bundle));
}

#[test]
fn r17_1_every_member_is_needed_once_and_of_its_type() {
    let json = contact_port().named(name("A")).to_json();
    let json = json.as_str();
    for key in KEYS {
        assert_eq!(read(&with(json, key, None)), Err(BundleError::Malformed), "{key} missing");
    }
    assert!(read(&with(json, "name", None)).is_ok());
    for key in KEYS.iter().copied().chain(["name"]) {
        assert_eq!(read(&twice(json, key)), Err(BundleError::Malformed), "{key} twice");
        let wrong = if key == "target" { json!("4") } else { json!(4) };
        for value in [Value::Null, json!(true), json!([]), json!({}), json!(-1), json!(4.5), wrong] {
            assert_eq!(read(&with(json, key, Some(value.clone()))), Err(BundleError::Malformed), "{key}: {value}");
        }
    }
    for value in [Value::Null, json!(1_790_000_000)] {
        assert_eq!(read(&with(json, "expiryTimestamp", Some(value))), Err(BundleError::Malformed));
    }
}

#[test]
fn r17_1_only_an_object_is_one() {
    let json = port().to_json();
    let object: Value = serde_json::from_str(json.as_str()).unwrap();
    let values: Vec<_> = object.as_object().unwrap().values().cloned().collect();
    let nested = format!("[{}]", json.as_str());
    for text in [
        "",
        "null",
        "{}",
        "[]",
        "{",
        "\u{feff}{}",
        "0",
        &json!(values).to_string(),
        &nested,
        &json!(json.as_str()).to_string(),
    ] {
        assert_eq!(read(text), Err(BundleError::Malformed), "{text}");
    }
    for more in ["x", "{}", ",", "\0"] {
        assert_eq!(read(&format!("{}{more}", json.as_str())), Err(BundleError::Malformed), "{more:?}");
    }
    assert_eq!(read(&"{\"x\":".repeat(100_000)), Err(BundleError::Malformed));
    assert_eq!(read(&format!("{{\"x\":{}", "[".repeat(100_000))), Err(BundleError::Malformed));
}

#[test]
fn r17_1_hex_is_lowercase_and_of_its_length() {
    let json = contact_port().to_json();
    let json = json.as_str();
    for (key, length) in [("portId", 32), ("rad", 32), ("ticket", 32), ("keyHash", 64), ("pubkey", 64)] {
        let good = serde_json::from_str::<Value>(json).unwrap()[key].as_str().unwrap().to_owned();
        assert_eq!(good.len(), length);
        let bad = [
            String::new(),
            good[1..].into(),
            good[2..].into(),
            format!("{good}0"),
            format!("{good}00"),
            "A".repeat(length),
            "g".repeat(length),
            format!("0x{}", &good[2..]),
            format!(" {}", &good[1..]),
            "é".repeat(length / 2),
        ];
        for bad in bad {
            assert_eq!(read(&with(json, key, Some(bad.as_str().into()))), Err(BundleError::Malformed), "{key}: {bad}");
        }
    }
}

#[test]
fn r17_2_other_versions_and_publishers_are_refused() {
    let json = port().to_json();
    for version in ["", "1", "1.0", "1.0.1", "2.0.0", "1.0.0 "] {
        let json = with(json.as_str(), "version", Some(version.into()));
        assert_eq!(read(&json), Err(BundleError::UnsupportedVersion));
        assert_eq!(read(&with(&json, "rad", None)), Err(BundleError::UnsupportedVersion), "whatever the rest");
        // A later version may have members of other types.
        for key in ["name", "expiryTimestamp", "ticket"] {
            for value in [json!(null), json!(4), json!({}), json!(["a"])] {
                let other = json.replacen('{', &format!("{{\"{key}\":{value},"), 1);
                assert_eq!(read(&other), Err(BundleError::UnsupportedVersion), "{other}");
            }
        }
        for key in ["org", "target"] {
            for value in [json!(null), json!(4), json!({}), json!(["a"]), json!("a")] {
                assert_eq!(read(&with(&json, key, Some(value))), Err(BundleError::UnsupportedVersion), "{key}");
            }
        }
    }
    let group = with(&with(json.as_str(), "target", Some(3.into())), "name", Some(json!(null)));
    assert_eq!(read(&group), Err(BundleError::Group));
    for version in [json!(null), json!(1), json!(["1.0.0"])] {
        assert_eq!(read(&with(json.as_str(), "version", Some(version))), Err(BundleError::Malformed));
    }
    for org in ["", "numberless", "Numberless.tech", "numberless.tech."] {
        assert_eq!(read(&with(json.as_str(), "org", Some(org.into()))), Err(BundleError::Malformed));
    }
}

#[test]
fn r17_2_groups_are_recognised_and_refused() {
    for target in [1, 3] {
        let group = json!({"portId": "00".repeat(16), "version": "1.0.0", "org": "numberless.tech", "target": target,
                           "name": "Chess", "description": "on Mondays"});
        assert_eq!(read(&group.to_string()), Err(BundleError::Group));
        assert_eq!(Grant::from_json(&group.to_string()), Err(BundleError::Group));
    }
    let of_target =
        |target: &str| read(&port().to_json().as_str().replace("\"target\":0", &format!("\"target\":{target}")));
    assert_eq!(of_target("0"), Ok(port()));
    for target in ["5", "10", "20", "255", "256", "18446744073709551615", "18446744073709551616", &"9".repeat(1_000)] {
        assert_eq!(of_target(target), Err(BundleError::UnsupportedTarget), "{target}");
    }
    for target in ["-0", "0.0", "2.0", "2e0", "-1", "5.5", "null", "true", "\"0\"", "[0]", "00"] {
        assert_eq!(of_target(target), Err(BundleError::Malformed), "{target}");
    }
}

#[test]
fn r17_2_the_key_hash_is_that_of_the_keys_hex() {
    let json = port().to_json();
    let json = json.as_str();
    let of_bytes = hex::encode(Sha256::digest(port().public_key().as_bytes()));
    for hash in [of_bytes, "00".repeat(32)] {
        assert_eq!(read(&with(json, "keyHash", Some(hash.into()))), Err(BundleError::WrongKeyHash));
    }
    let other = "09".repeat(32);
    let exchanged = with(json, "pubkey", Some(other.as_str().into()));
    assert_eq!(read(&exchanged), Err(BundleError::WrongKeyHash));
    assert!(read(&with(&exchanged, "keyHash", Some(key_hash(&other)))).is_ok());
}

#[test]
fn r17_2_weak_keys_are_refused() {
    let json = port().to_json();
    let weak = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    for key in weak {
        let json = with(json.as_str(), "pubkey", Some(key.into()));
        assert_eq!(read(&with(&json, "keyHash", Some(key_hash(key)))), Err(BundleError::WeakPublicKey), "{key}");
    }
}

#[test]
fn r17_2_a_contact_port_is_shown_with_a_ticket_and_granted_without() {
    let (shown, granted) = (contact_port().to_json(), grant().to_json());
    assert_eq!(read(granted.as_str()), Err(BundleError::Malformed));
    assert_eq!(Grant::from_json(shown.as_str()), Err(BundleError::Malformed));
    assert_eq!(Grant::from_json(port().to_json().as_str()), Err(BundleError::Malformed));
    for bundle in [port(), superport()] {
        let with_ticket = with(bundle.to_json().as_str(), "ticket", Some("05".repeat(16).into()));
        assert_eq!(read(&with_ticket), Err(BundleError::Malformed));
    }
    let grant = Grant::from_json(granted.as_str()).unwrap().expiring_like(&contact_port());
    let shared = grant.share([6; 16].into(), Some(name("Carol's friend")));
    assert_eq!((shared.kind(), shared.port_id()), (PortKind::ContactPort, LineLink::from([3; 16])));
    assert_eq!(shared.ticket().unwrap().expose(), &[6; 16]);
    assert_eq!(shared.name().unwrap().as_str(), "Carol's friend");
    // The owner's own name is not passed on. The expiry is.
    let late = with(granted.as_str(), "expiryTimestamp", Some("2026-09-21T16:53:20Z".into()));
    let grant = Grant::from_json(&with(&late, "name", Some("Alice".into()))).unwrap();
    assert_eq!(grant.name().map(Name::as_str), Some("Alice"));
    let shared = grant.share([6; 16].into(), None);
    assert_eq!((shared.name(), shared.expires()), (None, Some(at(1_790_009_600))));
}

trait ExpiringLike {
    fn expiring_like(self, bundle: &Bundle) -> Self;
}

impl ExpiringLike for Grant {
    /// A grant says what its bundle says.
    fn expiring_like(self, bundle: &Bundle) -> Self {
        assert_eq!(
            (self.port_id(), self.public_key(), self.rad()),
            (bundle.port_id(), bundle.public_key(), bundle.rad())
        );
        assert_eq!((self.expires(), self.name()), (bundle.expires(), bundle.name()));
        self
    }
}

#[test]
fn r17_2_names_have_30_utf_16_code_units() {
    for good in ["", &"a".repeat(30), &"名".repeat(30), &"👋".repeat(15), &"\u{ffff}".repeat(30)] {
        let bundle = port().named(name(good));
        assert_eq!(read(bundle.to_json().as_str()), Ok(bundle.clone()), "{good}");
        assert_eq!(bundle.name().unwrap().as_str(), good);
    }
    for bad in ["a".repeat(31), "名".repeat(31), format!("{}a", "👋".repeat(15)), "é".repeat(45), "a".repeat(100_000)]
    {
        assert_eq!(Name::new(&bad), Err(BundleError::NameTooLong));
        let json = with(port().to_json().as_str(), "name", Some(bad.into()));
        assert_eq!(read(&json), Err(BundleError::NameTooLong));
    }
}

#[test]
fn r17_2_hostile_names_are_written_as_json_stringify_does() {
    for hostile in HOSTILE {
        let bundle = port().named(name(hostile));
        assert_eq!(read(bundle.to_json().as_str()), Ok(bundle.clone()), "{hostile:?}");
        // The rule is that of `JSON.stringify` (§17.1). serde_json escapes the same characters in the same way.
        let json = format!("\"name\":{}", serde_json::to_string(hostile).unwrap());
        assert!(bundle.to_json().as_str().contains(&json), "{hostile:?}");
    }
    // Half a character is in no name.
    let json = with(port().to_json().as_str(), "name", Some("X".into())).replace("\"X\"", "\"\\ud800\"");
    assert_eq!(read(&json), Err(BundleError::Malformed));
}

/// Every three of these in a row mean what they mean to another parser of JSON, or nothing.
#[test]
fn r17_1_escapes_are_read_as_json_has_them() {
    let json = port().named(name("X")).to_json();
    let parts = [
        "", "x", "é", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0041", "\\u00e9", "\\uFFFF",
        "\\u0000", "\\ud83d", "\\uDE00", "u", "\\", "\\x", "\\u12", "\\u+041", "\n", "\\nde00",
    ];
    let mut read_as = 0;
    let count = parts.len();
    for n in 0..count.pow(3) {
        let [one, two, three] = [n, n / count, n / count / count].map(|n| parts[n % count]);
        let text = format!("\"{one}{two}{three}\"");
        let meant = serde_json::from_str::<String>(&text).map_err(|_| BundleError::Malformed);
        let bundle = read(&json.as_str().replace("\"X\"", &text));
        assert_eq!(bundle.map(|bundle| bundle.name().unwrap().as_str().to_owned()), meant, "{text}");
        read_as += usize::from(meant.is_ok());
    }
    assert!(read_as > 1_000, "{read_as}");
}

#[test]
fn r17_2_the_expiry_is_obeyed() {
    let read_at = |text: &str| {
        read(&with(port().to_json().as_str(), "expiryTimestamp", Some(text.into()))).map(|bundle| bundle.expires())
    };
    let good = [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-09-21T16:53:20Z", 1_790_009_600),
        ("2026-09-21T16:53:20.000Z", 1_790_009_600),
        ("2026-09-21T16:53:20.999999999Z", 1_790_009_600),
        ("2024-02-29T23:59:59.1Z", 1_709_251_199),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ];
    for (text, seconds) in good {
        assert_eq!(read_at(text), Ok(Some(at(seconds))), "{text}");
    }
    let bad = [
        "",
        "Z",
        "2026-09-21",
        "2026-09-21T16:53:20",
        "2026-09-21T16:53:20+00:00",
        "2026-09-21T16:53:20-01:00",
        "2026-09-21T16:53:20z",
        "2026-09-21t16:53:20Z",
        "2026-09-21 16:53:20Z",
        "2026-02-29T16:53:20Z",
        "2026-13-01T16:53:20Z",
        "2026-09-21T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2016-12-31T23:59:60.5Z",
        "2026-09-21T16:53:20.Z",
        "+002026-09-21T16:53:20Z",
        "1790009600Z",
        "日2026-09-21T16:53:20Z",
    ];
    for text in bad {
        assert_eq!(read_at(text), Err(BundleError::Malformed), "{text}");
    }
    let bundle = port().expiring(at(1_790_009_600));
    assert!(bundle.to_json().as_str().contains(r#","expiryTimestamp":"2026-09-21T16:53:20Z","#));
    assert_eq!(port().expiring(UnixSeconds::MAX).expires(), Some(at(253_402_300_799)));
}

#[test]
fn r8_7_nothing_secret_is_shown() {
    let bundle = contact_port().named(name("Alice"));
    let shown = format!("{bundle:?} {:?} {:?} {:?}", grant(), bundle.to_json(), bundle.link_for_app());
    for secret in ["03", "04, 4", "05", "3, 3", "4, 4", "5, 5", "Alice", "porting"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
