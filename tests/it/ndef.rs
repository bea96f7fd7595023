//! §2.8: NDEF messages. What another library writes is in tests/vectors/ndef.json; tests/check_ndef.py makes that file.
#![cfg(feature = "alloc")]

use port_protocol::*;
use serde_json::Value;

use crate::port::{longest_port, plain};

fn known() -> Value {
    serde_json::from_str(include_str!("../vectors/ndef.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn written(port: &Port, base: Option<&str>) -> Vec<u8> {
    let mut out = [0; 1024];
    match base {
        Some(base) => port.link(base).unwrap().ndef_into(&mut out).unwrap().to_vec(),
        None => port.qr_text().ndef_into(&mut out).unwrap().to_vec(),
    }
}

#[test]
fn r2_8_it_writes_and_reads_what_another_library_does() {
    let known = known();
    let mut count = 0;
    for (uri, message) in known["written"].as_object().unwrap() {
        let port = Port::parse(uri).unwrap();
        let base = uri.split_once('#').map(|(base, _)| base);
        assert_eq!(written(&port, base), bytes(message), "{uri}");
        assert_eq!(Port::find_in_ndef(&bytes(message)), Ok(port));
        count += 1;
    }
    assert!(count >= 10);
}

#[test]
fn r2_8_it_reads_the_records_of_others() {
    let known = known();
    let port = Port::from_bytes(&bytes(&known["port"])).unwrap();
    let read = known["read"].as_object().unwrap();
    assert!(read.len() >= 17);
    for (what, case) in read {
        let message = bytes(&case["message"]);
        let found = match Port::find_in_ndef(&message) {
            Ok(found) => (found == port).then_some("Port".to_owned()),
            Err(error) => Some(format!("{error:?}")),
        };
        assert_eq!(found.as_deref(), case["found"].as_str(), "{what}");
        // Cut anywhere it is malformed.
        for end in 0..message.len() {
            assert_eq!(Port::find_in_ndef(&message[..end]), Err(FindError::Damaged), "{what}, {end}");
        }
        assert_eq!(Port::find_in_ndef(&[&message[..], &[0]].concat()), Err(FindError::Damaged), "{what}");
    }
}

#[test]
fn r2_8_a_chunked_or_malformed_message_is_refused() {
    let good = written(&plain(), Some("https://a.example"));
    assert_eq!((good[0], good[1]), (0xd1, 1));
    for (flags, found) in [
        (0xd1, Ok(plain())),
        // An id is missing, chunked, no last record, no first one, unchanged.
        (0xd9, Err(FindError::Damaged)),
        (0xf1, Err(FindError::Damaged)),
        (0x91, Err(FindError::Damaged)),
        (0x51, Err(FindError::Damaged)),
        (0xd6, Err(FindError::Damaged)),
        // An empty record that is not; one of an unknown sort; long, where it is short.
        (0xd0, Err(FindError::Damaged)),
        (0xd5, Err(FindError::NoPort)),
        (0xc1, Err(FindError::Damaged)),
    ] {
        assert_eq!(Port::find_in_ndef(&[&[flags], &good[1..]].concat()), found, "{flags:02x}");
    }
    let first = |message: &[u8], flags| [&[flags], &message[1..]].concat();
    // Two messages, one behind the other; and two first records.
    assert_eq!(Port::find_in_ndef(&[&good[..], &good[..]].concat()), Err(FindError::Damaged));
    assert_eq!(Port::find_in_ndef(&[first(&good, 0x91), good.clone()].concat()), Err(FindError::Damaged));
    assert_eq!(Port::find_in_ndef(&[first(&good, 0x91), first(&good, 0x51)].concat()), Ok(plain()));
    // A poster in a poster is not looked into.
    let poster = |inner: &[u8]| [&[0xd1, 2, inner.len() as u8][..], b"Sp", inner].concat();
    assert_eq!(Port::find_in_ndef(&poster(&good)), Ok(plain()));
    assert_eq!(Port::find_in_ndef(&poster(&poster(&good))), Err(FindError::NoPort));
    // A text of an odd number of bytes in UTF-16, and one whose language is longer than it.
    assert_eq!(Port::find_in_ndef(b"\xd1\x01\x04T\x80abc"), Err(FindError::Damaged));
    assert_eq!(Port::find_in_ndef(b"\xd1\x01\x02T\x05a"), Err(FindError::Damaged));
    assert_eq!(Port::find_in_ndef(b"\xd1\x01\x00U"), Err(FindError::Damaged));
}

#[test]
fn r2_8_texts_that_are_no_utf_8_or_have_another_order_are_read() {
    let text = plain().qr_text().to_string();
    let record = |payload: &[u8]| [&[0xc1, 1], &(payload.len() as u32).to_be_bytes()[..], b"T", payload].concat();
    let utf_16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Port::find_in_ndef(&record(&[b"\x82en", &utf_16[..]].concat())), Ok(plain()));
    assert_eq!(Port::find_in_ndef(&record(&[b"\x02en\xff ", text.as_bytes(), b"\xc3"].concat())), Ok(plain()));
    // Longer than what is put together.
    let long = "x".repeat(2000);
    let utf_16: Vec<u8> = format!("{long} {text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(Port::find_in_ndef(&record(&[b"\x82en", &utf_16[..]].concat())), Err(FindError::NoPort));
    let mut uri = record(format!("\u{4}{long}#{}", &text[5..]).as_bytes());
    uri[6] = b'U';
    assert_eq!(Port::find_in_ndef(&uri), Ok(plain()));
}

#[test]
fn r2_8_sizes_and_buffers() {
    // What the docs say, with the three bytes of a tag around it.
    let on = |host: usize| written(&plain(), Some(&format!("https://{}", "a".repeat(host)))).len();
    assert_eq!((on(13) - 13, on(18) + 3, on(13) + 3 + 5), (123, 144, 144));
    assert_eq!((written(&plain(), None).len(), written(&longest_port(), None).len()), (127, 348));
    for base in [
        None,
        Some("https://a.example/p"),
        Some("https://a.example/ppppppppppppppppppppppppppppppppppppppppppppppppppp"),
    ] {
        for port in [plain(), longest_port()] {
            let whole = written(&port, base);
            let mut out = vec![0; whole.len()];
            let (link, text) = (base.map(|base| port.link(base).unwrap()), port.qr_text());
            let mut into = |length: usize| match &link {
                Some(link) => link.ndef_into(&mut out[..length]).map(|bytes| bytes.to_vec()),
                None => text.ndef_into(&mut out[..length]).map(|bytes| bytes.to_vec()),
            };
            assert_eq!(into(whole.len()), Ok(whole.clone()));
            for short in 0..whole.len() {
                assert_eq!(into(short), Err(BufferTooSmall));
            }
        }
    }
}
