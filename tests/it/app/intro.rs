//! §17.4: intro messages.

use super::{HOSTILE, alice, bob, contact_port, name, port, public_key, rad, superport, twice, with};
use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use port_protocol::app::{Bundle, Intro, IntroError, Introduced, MAX_ENCRYPTED_INTRO, UnauthenticatedKey};
use port_protocol::{PortKind, Rad};
use serde_json::{Value, json};

const IV: [u8; 16] = [7; 16];

fn made(bundle: &Bundle) -> (String, UnauthenticatedKey) {
    let (intro, line) = Intro::make(&bob(), IV, bundle, &name("Bob"));
    (intro.to_json().as_str().to_owned(), line)
}

fn check(json: &str) -> Result<Introduced, IntroError> {
    Intro::from_json(json).check(&alice(), PortKind::Port, &rad())
}

/// An intro message of this plaintext.
fn of(line: &UnauthenticatedKey, text: &str) -> String {
    let sealed: Value = serde_json::from_str(line.seal(IV, text).unwrap().to_json().as_str()).unwrap();
    let key = hex::encode(public_key(&bob()).as_bytes());
    json!({"pubkey": key, "encryptedSecretContent": sealed["encryptedContent"]}).to_string()
}

fn encrypted(json: &str) -> Vec<u8> {
    let json: Value = serde_json::from_str(json).unwrap();
    BASE64URL.decode(json["encryptedSecretContent"].as_str().unwrap().as_bytes()).unwrap()
}

fn with_encrypted(json: &str, bytes: &[u8]) -> String {
    with(json, "encryptedSecretContent", Some(BASE64URL.encode(bytes).into()))
}

#[test]
fn r17_4_both_ends_have_the_same_line() {
    for bundle in [port(), superport(), contact_port()] {
        let (json, at_bob) = made(&bundle);
        let introduced = Intro::from_json(&json).check(&alice(), bundle.kind(), bundle.rad()).unwrap();
        assert_eq!(introduced.line.secret(), at_bob.secret());
        assert_eq!(introduced.name.unwrap().as_str(), "Bob");
        assert_eq!(introduced.ticket.as_ref(), bundle.ticket());
    }
}

#[test]
fn r17_4_the_plaintext_is_the_apps() {
    let (json, line) = made(&contact_port());
    let key = hex::encode(public_key(&bob()).as_bytes());
    assert!(json.starts_with(&format!(r#"{{"pubkey":"{key}","encryptedSecretContent":""#)));
    let plain = format!(r#"{{"name":"Bob","rad":"{}","ticket":"{}"}}"#, "04".repeat(16), "05".repeat(16));
    assert_eq!(of(&line, &plain), Value::to_string(&serde_json::from_str(&json).unwrap()));
}

#[test]
fn r17_4_hostile_names_come_through() {
    for hostile in HOSTILE {
        let (intro, _) = Intro::make(&bob(), IV, &port(), &name(hostile));
        let introduced = check(intro.to_json().as_str()).unwrap();
        assert_eq!(introduced.name.unwrap().as_str(), hostile);
    }
    // The longest that is made, all escaped.
    let (intro, _) = Intro::make(&bob(), IV, &contact_port(), &name(&"\u{1}".repeat(30)));
    assert_eq!(encrypted(intro.to_json().as_str()).len(), 304);
    assert!(intro.check(&alice(), PortKind::ContactPort, &rad()).is_ok());
}

#[test]
fn r17_4_readers_take_any_order_and_unpadded_base64() {
    let (json, line) = made(&port());
    let rad = "04".repeat(16);
    for plain in [
        format!(r#" {{ "rad" : "{rad}", "x": [1], "name" : "Bob" }} "#),
        format!(r#"{{"r\u0061d":"{rad}","name":"Bob"}}"#),
    ] {
        assert_eq!(check(&of(&line, &plain)).unwrap().name.unwrap().as_str(), "Bob");
    }
    assert!(check(&of(&line, &format!(r#"{{"rad":"{rad}"}}"#))).unwrap().name.is_none());
    let bare = BASE64URL_NOPAD.encode(&encrypted(&json));
    assert!(check(&with(&json, "encryptedSecretContent", Some(bare.into()))).is_ok());
    assert!(check(&with(&json, "x", Some(json!({})))).is_ok());
}

#[test]
fn r17_4_one_error_for_everything() {
    let (json, line) = made(&port());
    assert!(check(&json).is_ok());
    let refused = |json: &str| assert_eq!(check(json).unwrap_err(), IntroError, "{json}");

    // The message around it.
    let object: Value = serde_json::from_str(&json).unwrap();
    let array = json!([object["pubkey"], object["encryptedSecretContent"]]).to_string();
    for text in ["", "null", "{}", "[]", "\"\"", &array, &format!("{json}x")] {
        refused(text);
    }
    for key in ["pubkey", "encryptedSecretContent"] {
        refused(&with(&json, key, None));
        refused(&twice(&json, key));
        for value in [Value::Null, json!(1), json!(""), json!([]), json!("00"), json!("zz")] {
            refused(&with(&json, key, Some(value)));
        }
    }

    // The key: upper case, another, not canonical, of low order.
    let key = object["pubkey"].as_str().unwrap();
    for key in [key.to_uppercase(), "09".repeat(32), "ff".repeat(32), "00".repeat(32), format!("{key}00")] {
        refused(&with(&json, "pubkey", Some(key.into())));
    }

    // The ciphertext: lengths, alphabets, padding, surplus bits.
    let bytes = encrypted(&json);
    for length in [0, 1, 15, 16, 17, 31, 32, bytes.len() - 16, bytes.len() - 1] {
        refused(&with_encrypted(&json, &bytes[..length]));
    }
    refused(&with_encrypted(&json, &[&bytes[..], &[0; 16]].concat()));
    let text = BASE64URL.encode(&[0xff; 96]);
    assert_ne!(text, BASE64.encode(&[0xff; 96]));
    for text in [
        BASE64.encode(&[0xff; 96]),
        format!("{}=", BASE64URL.encode(&bytes)),
        format!("{}{}", BASE64URL.encode(&bytes[..16]), BASE64URL.encode(&bytes[16..])),
        format!(" {}", BASE64URL.encode(&bytes)),
        format!("{}\n", BASE64URL.encode(&bytes)),
    ] {
        refused(&with(&json, "encryptedSecretContent", Some(text.into())));
    }

    // What is in it.
    let rad = "04".repeat(16);
    for plain in [
        String::new(),
        "{}".into(),
        "null".into(),
        format!(r#"["Bob","{rad}"]"#),
        r#"{"name":"Bob"}"#.into(),
        format!(r#"{{"name":"Bob","rad":"{}"}}"#, "05".repeat(16)),
        format!(r#"{{"name":"Bob","rad":"{}"}}"#, "04".repeat(15)),
        format!(r#"{{"name":"Bob","rad":"{}"}}"#, "0A".repeat(16)),
        format!(r#"{{"name":"Bob","rad":"{rad}","rad":"{rad}"}}"#),
        format!(r#"{{"name":"Bob","name":"Bob","rad":"{rad}"}}"#),
        format!(r#"{{"name":null,"rad":"{rad}"}}"#),
        format!(r#"{{"name":1,"rad":"{rad}"}}"#),
        format!(r#"{{"name":"{}","rad":"{rad}"}}"#, "a".repeat(31)),
        format!(r#"{{"name":"Bob","rad":"{rad}"}}x"#),
        format!(r#"{{"name":"Bob","rad":["{rad}"]}}"#),
        format!(r#"{{"name":"Bob","rad":"{rad}","ticket":null}}"#),
        format!(r#"{{"name":"Bob","rad":"{rad}","ticket":"05"}}"#),
    ] {
        refused(&of(&line, &plain));
    }
    assert!(check(&of(&line, &format!(r#"{{"name":"Bob","rad":"{rad}"}}"#))).is_ok());
}

#[test]
fn r17_4_another_key_or_rad_opens_nothing() {
    let (json, _) = made(&port());
    let intro = Intro::from_json(&json);
    assert!(intro.check(&bob(), PortKind::Port, &rad()).is_err());
    for bit in 0..128 {
        let mut other = *rad().expose();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(intro.check(&alice(), PortKind::Port, &Rad::from(other)).is_err());
    }
}

#[test]
fn r17_4_a_ticket_is_there_for_contact_ports_and_nothing_else() {
    let kinds = [PortKind::Port, PortKind::Superport, PortKind::ContactPort];
    for bundle in [port(), superport(), contact_port()] {
        let (json, _) = made(&bundle);
        for kind in kinds {
            let fits = (kind == PortKind::ContactPort) == (bundle.kind() == PortKind::ContactPort);
            assert_eq!(Intro::from_json(&json).check(&alice(), kind, &rad()).is_ok(), fits);
        }
    }
}

/// §17.4: Alice must judge all of the padding. Here all else is good: the text is sealed as whole blocks, and the last is cut off.
#[test]
fn r17_4_the_padding_is_looked_at_whole() {
    let (json, line) = made(&port());
    let plain = format!(r#"{{"name":"Bob","rad":"{}"}}"#, "04".repeat(16));
    for length in 1..=16_usize {
        let text = format!("{plain}{}", " ".repeat((16 - (plain.len() + length) % 16) % 16));
        assert_eq!((text.len() + length) % 16, 0);
        let padding = char::from(length as u8).to_string().repeat(length);
        let cut = |padding: &str| {
            let sealed = encrypted(&of(&line, &format!("{text}{padding}")));
            with_encrypted(&json, &sealed[..sealed.len() - 16])
        };
        assert!(check(&cut(&padding)).is_ok(), "{length}");
        for at in 0..length {
            let mut bad = padding.clone().into_bytes();
            bad[at] ^= 0x20;
            assert!(check(&cut(std::str::from_utf8(&bad).unwrap())).is_err(), "{length}, {at}");
        }
    }
}

#[test]
fn r17_4_no_more_than_512_bytes_are_decrypted() {
    let (json, line) = made(&port());
    let plain = |length: usize| {
        let start = format!(r#"{{"rad":"{}","x":""#, "04".repeat(16));
        format!("{start}{}\"}}", "y".repeat(length - start.len() - 2))
    };
    assert_eq!(MAX_ENCRYPTED_INTRO, 512);
    let longest = of(&line, &plain(MAX_ENCRYPTED_INTRO - 17));
    assert_eq!(encrypted(&longest).len(), MAX_ENCRYPTED_INTRO);
    assert!(check(&longest).is_ok());
    assert!(check(&of(&line, &plain(MAX_ENCRYPTED_INTRO - 16))).is_err());
    let bare = BASE64URL_NOPAD.encode(&encrypted(&longest));
    assert!(check(&with(&json, "encryptedSecretContent", Some(bare.into()))).is_ok());
    assert!(check(&with_encrypted(&json, &vec![0; 10_000_000])).is_err());
}

/// §17.9: the name is not authenticated, so a client must show it as the peer's claim. The RAD must be compared whole.
#[test]
fn r17_9_the_name_can_be_changed_on_its_way_and_the_rad_cannot() {
    let (json, _) = made(&port());
    let good = encrypted(&json);
    let mut renamed = 0;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(introduced) = check(&with_encrypted(&json, &bytes)) {
            assert!(bit < 128, "{bit}");
            renamed += usize::from(introduced.name.is_none_or(|name| name.as_str() != "Bob"));
        }
    }
    assert!(renamed > 10, "{renamed}");
}

#[test]
fn r17_4_what_is_none_is_one_that_nobody_accepts() {
    let none = Intro::from_json("x");
    assert_eq!(none.to_json().as_str(), r#"{"pubkey":"","encryptedSecretContent":""}"#);
    assert_eq!(Intro::from_json(none.to_json().as_str()), none);
    let (json, _) = made(&port());
    assert_eq!(Intro::from_json(&json).to_json().as_str(), json);
    assert_eq!(format!("{:?}", Intro::from_json(&json)), "Intro(..)");
}
