//! §17.5, §17.6: what is said along a line.

use super::{alice, bob, contact_port, grant, name, public_key, twice, with};
use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use port_protocol::LineLink;
use port_protocol::app::{
    Content, EncryptedContent, MAX_ENCRYPTED_CONTENT, Message, MessageError, Tail, UnauthenticatedKey, yap,
};
use serde_json::{Value, json};

fn line() -> UnauthenticatedKey {
    UnauthenticatedKey::from_secret([9; 32].into())
}

fn bytes(sealed: &EncryptedContent) -> Vec<u8> {
    let json: Value = serde_json::from_str(sealed.to_json().as_str()).unwrap();
    BASE64URL.decode(json["encryptedContent"].as_str().unwrap().as_bytes()).unwrap()
}

fn sealed(bytes: &[u8]) -> Result<EncryptedContent, MessageError> {
    EncryptedContent::from_json(&json!({"encryptedContent": BASE64URL.encode(bytes)}).to_string())
}

#[test]
fn r17_5_what_is_sealed_opens() {
    for length in (0..70).chain([MAX_ENCRYPTED_CONTENT - 17]) {
        let text = "x".repeat(length);
        let content = line().seal([1; 16], &text).unwrap();
        assert_eq!(bytes(&content).len(), 16 + (length / 16 + 1) * 16);
        assert_eq!(EncryptedContent::from_json(content.to_json().as_str()), Ok(content.clone()));
        assert_eq!(line().open(&content).unwrap().as_str(), text);
    }
}

#[test]
fn r17_5_no_more_than_64_kib_are_sealed_or_opened() {
    let longest = "x".repeat(MAX_ENCRYPTED_CONTENT - 17);
    assert_eq!(bytes(&line().seal([1; 16], &longest).unwrap()).len(), MAX_ENCRYPTED_CONTENT);
    assert_eq!(line().seal([1; 16], &format!("{longest}x")), Err(MessageError::TooLong));
    assert!(sealed(&vec![0; MAX_ENCRYPTED_CONTENT]).is_ok());
    for more in [1, 2, 3, 16, 100_000] {
        assert!(sealed(&vec![0; MAX_ENCRYPTED_CONTENT + more]).is_err(), "{more}");
    }
    assert_eq!(sealed(&vec![0; MAX_ENCRYPTED_CONTENT + 16]), Err(MessageError::TooLong));
}

#[test]
fn r17_5_one_error_for_what_does_not_open() {
    let content = line().seal([1; 16], "hello").unwrap();
    let other = UnauthenticatedKey::from_secret([8; 32].into());
    assert_eq!(other.open(&content), Err(MessageError::Forged));
    let good = bytes(&content);
    for length in [0, 1, 15, 16, 17, 31] {
        assert_eq!(line().open(&sealed(&good[..length]).unwrap()), Err(MessageError::Forged));
    }
    assert_eq!(line().open(&sealed(&[&good[..], &[1]].concat()).unwrap()), Err(MessageError::Forged));
    // A first byte that begins no UTF-8.
    let mut not_text = good;
    not_text[0] ^= 0x80;
    assert_eq!(line().open(&sealed(&not_text).unwrap()), Err(MessageError::Forged));
}

#[test]
fn r17_5_the_padding_is_one_of_pkcs7() {
    // A last block that ends in this byte: the block of padding behind it is cut off.
    let opened = |text: &str| {
        let good = bytes(&line().seal([1; 16], text).unwrap());
        line().open(&sealed(&good[..good.len() - 16]).unwrap())
    };
    let ends_in = |byte: char| opened(&format!("{}{byte}", "x".repeat(31)));
    assert_eq!(ends_in('\u{1}').unwrap().as_str(), "x".repeat(31));
    assert_eq!(opened(&"\u{10}".repeat(16)).unwrap().as_str(), "");
    assert_eq!(opened(&"\u{11}".repeat(32)), Err(MessageError::Forged));
    for bad in ['\0', '\u{2}', '\u{10}', '\u{11}', '\u{20}', '\u{21}', '\u{7f}'] {
        assert_eq!(ends_in(bad), Err(MessageError::Forged), "{bad:?}");
    }
}

/// §17.9: this format does not authenticate a message. So we give it out as unauthenticated, and a client must take neither its text nor
/// its direction as proven.
#[test]
fn r17_9_a_message_can_be_changed_and_sent_back() {
    let content = line().seal([1; 16], "pay 1").unwrap();
    let mut changed = bytes(&content);
    changed[4] ^= b'1' ^ b'9';
    assert_eq!(line().open(&sealed(&changed).unwrap()).unwrap().as_str(), "pay 9");
    assert!(line().open(&content).is_ok() && line().open(&content).is_ok(), "again, and by who sent it");
}

/// §17.6: the first byte of a `messageId` is not proven. So a client must know a message again by its mark, which leaves that byte out.
#[test]
fn r17_9_a_message_sent_again_under_another_name() {
    let data = r#"{"text":"pay 1"}"#;
    let said = Message { id: [0x11; 16].into(), content: Content::Other { content_type: 1, data }, tail: None };
    let good = bytes(&line().seal([1; 16], said.to_json().unwrap().as_str()).unwrap());
    for digit in 0..32 {
        let mut changed = good.clone();
        changed[14 + digit] ^= b'1' ^ b'2';
        let opened = line().open(&sealed(&changed).unwrap());
        let again = opened.as_ref().ok().and_then(|text| Message::from_json(text.as_str()).ok());
        assert_eq!(again.is_some(), digit < 2, "{digit}");
        let Some(again) = again else { continue };
        assert_ne!(again.id, said.id);
        assert_eq!((again.id.mark(), &again.content), (said.id.mark(), &said.content));
    }
}

/// §17.5: we accept only `encryptedContent`. A reader must ignore a member `content`.
#[test]
fn r17_5_there_is_no_side_door() {
    let content = line().seal([1; 16], "hello").unwrap();
    let json = with(content.to_json().as_str(), "content", Some(json!({"messageId": "1"})));
    assert_eq!(EncryptedContent::from_json(&json), Ok(content.clone()));
    for bad in [
        json!({"content": "{}"}).to_string(),
        json!({"encryptedContent": null}).to_string(),
        json!({"encryptedContent": 1}).to_string(),
        json!({"encryptedContent": "*"}).to_string(),
        json!([BASE64URL.encode(b"x")]).to_string(),
        twice(content.to_json().as_str(), "encryptedContent"),
    ] {
        assert_eq!(EncryptedContent::from_json(&bad), Err(MessageError::Malformed), "{bad}");
    }
    let bare = json!({"encryptedContent": BASE64URL_NOPAD.encode(&bytes(&content))}).to_string();
    assert_eq!(EncryptedContent::from_json(&bare), Ok(content));
}

#[test]
fn r17_1_base64_is_padded_at_its_end_or_not_at_all() {
    let read = |text: &str| EncryptedContent::from_json(&json!({ "encryptedContent": text }).to_string());
    for (good, length) in [("", 0), ("AA", 1), ("AA==", 1), ("AAA", 2), ("AAA=", 2), ("AAAA", 3), ("_-8=", 2)] {
        assert_eq!(read(good).map(|content| bytes(&content).len()), Ok(length), "{good}");
    }
    for bad in [
        "=", "A", "A===", "AA=", "AA===", "AAAA=", "AAAA====", "AA==AA==", "AAA=AA==", "AA==AAAA", "A=AA", "AB==", "AB",
    ] {
        assert_eq!(read(bad), Err(MessageError::Malformed), "{bad}");
    }
}

#[test]
fn r17_6_messages_are_written_as_the_app_does() {
    let id = "0a".repeat(16);
    let text =
        format!(r#"{{"messageId":"{id}","contentType":1,"data":{{"text":"h\"i"}},"replyId":null,"expiresOn":null}}"#);
    let message = Message {
        id: [10; 16].into(),
        content: Content::Other { content_type: 1, data: r#"{"text":"h\"i"}"# },
        tail: Some(Tail::default()),
    };
    assert_eq!(message.to_json().unwrap().as_str(), text);
    assert_eq!(Message::from_json(&text), Ok(message.clone()));

    let reply = text
        .replace("\"replyId\":null", "\"replyId\":\"ab\\\"\"")
        .replace("\"expiresOn\":null", "\"expiresOn\":\"2026\"");
    let read = Message::from_json(&reply).unwrap();
    let tail = read.tail.clone().unwrap();
    assert_eq!((tail.reply_id.as_deref(), tail.expires_on.as_deref()), (Some("ab\""), Some("2026")));
    assert_eq!(read.to_json().unwrap().as_str(), reply);

    // One of the two will do; both are written.
    let late = text.replace(",\"replyId\":null", "");
    assert_eq!(Message::from_json(&late), Ok(message.clone()));

    let bad = Message { content: Content::Other { content_type: 1, data: "{},\"x\":1" }, ..message };
    assert_eq!(bad.to_json(), Err(MessageError::Malformed));
}

#[test]
fn r17_6_contact_ports_are_typed() {
    let granted = Message {
        id: [1; 16].into(),
        content: Content::ContactPortBundle(grant().named(name("Alice"))),
        tail: Some(Tail::default()),
    };
    let json = granted.to_json().unwrap();
    assert!(json.as_str().contains(r#","contentType":25,"data":{"bundle":{"portId":"0303"#));
    assert_eq!(Message::from_json(json.as_str()), Ok(granted));

    let ticket = Message {
        id: [1; 16].into(),
        content: Content::ContactPortTicket { contact_port: LineLink::from([3; 16]), ticket: [5; 16].into() },
        tail: None,
    };
    let json = ticket.to_json().unwrap();
    let (id, port, secret) = ("01".repeat(16), "03".repeat(16), "05".repeat(16));
    let text =
        format!(r#"{{"messageId":"{id}","contentType":26,"data":{{"ticketId":"{secret}","contactPortId":"{port}"}}}}"#);
    assert_eq!(json.as_str(), text);
    assert_eq!(Message::from_json(&text), Ok(ticket.clone()));
    // What is behind it is neither read nor written.
    let more = format!("{},\"replyId\":\"x\",\"expiresOn\":null}}", text.strip_suffix('}').unwrap());
    assert_eq!(Message::from_json(&more), Ok(ticket.clone()));
    let more = Message { tail: Some(Tail::default()), ..ticket.clone() };
    assert_eq!(more.to_json().unwrap().as_str(), text);
    assert!(!format!("{ticket:?}").contains("5, 5"));

    // A reader must take a message of type 25 without a bundle for nothing.
    for nothing in ["{}", r#"{"bundle":null}"#, r#"{"bundle":false}"#, r#"{"bundle":""}"#, r#"{"x":1}"#] {
        let text = format!(r#"{{"messageId":"{id}","contentType":25,"data":{nothing}}}"#);
        let read = Message::from_json(&text).unwrap();
        assert_eq!(read.content, Content::Other { content_type: 25, data: nothing });
        assert_eq!(read.to_json().unwrap().as_str(), text);
    }
}

#[test]
fn r17_6_messages_are_read_strictly() {
    let good = json!({"messageId": "01".repeat(16), "contentType": 26, "replyId": null, "x": 1,
                      "data": {"contactPortId": "03".repeat(16), "ticketId": "05".repeat(16), "y": 2}})
    .to_string();
    assert!(Message::from_json(&good).is_ok());
    let refused = |json: &str| assert_eq!(Message::from_json(json), Err(MessageError::Malformed), "{json}");
    for text in ["", "null", "[]", "{}", &format!("{good}x")] {
        refused(text);
    }
    for key in ["messageId", "contentType", "data"] {
        refused(&with(&good, key, None));
        refused(&twice(&good, key));
    }
    for (key, value) in [
        ("messageId", json!("01")),
        ("messageId", json!("0A".repeat(16))),
        ("messageId", json!(1)),
        ("contentType", json!("26")),
        ("contentType", json!(-1)),
        ("contentType", json!(1.5)),
        ("contentType", json!(4_294_967_296_u64)),
        ("data", json!(null)),
        ("data", json!(["03".repeat(16), "05".repeat(16)])),
        ("data", json!({"contactPortId": "03".repeat(16)})),
        ("data", json!({"ticketId": "05".repeat(16)})),
        ("data", json!({"contactPortId": "03", "ticketId": "05".repeat(16)})),
        ("replyId", json!(1)),
        ("expiresOn", json!(1)),
    ] {
        refused(&with(&good, key, Some(value)));
    }
    let bundle = |bundle: Value| json!({"messageId": "01".repeat(16), "contentType": 25, "data": {"bundle": bundle}});
    let of = |json: &str| bundle(serde_json::from_str(json).unwrap()).to_string();
    assert!(Message::from_json(&of(grant().to_json().as_str())).is_ok());
    refused(&of(contact_port().to_json().as_str()));
    refused(&bundle(json!({})).to_string());
    refused(&bundle(json!(grant().to_json().as_str())).to_string());
    refused(&of(&with(grant().to_json().as_str(), "keyHash", Some("00".repeat(32).into()))));
}

/// Data may be of any depth. A reader must hand it on as it stands, and not take it apart, on the stack or off it.
#[test]
fn r17_6_data_may_be_deep() {
    let data = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = format!(r#"{{"messageId":"{}","contentType":1,"data":{data}}}"#, "01".repeat(16));
    let message = Message::from_json(&text).unwrap();
    assert_eq!(message.to_json().unwrap().as_str(), text);
    for content_type in [25, 26] {
        let text = text.replace("\"contentType\":1", &format!("\"contentType\":{content_type}"));
        assert_eq!(Message::from_json(&text), Err(MessageError::Malformed));
    }
}

#[test]
fn r17_5_yap_is_its_parts_in_order() {
    let text = yap::seal(&alice(), public_key(&bob()), &[7; 32].into(), [6; 12], b"hello").unwrap();
    let bytes = BASE64URL.decode(text.as_bytes()).unwrap();
    assert_eq!(bytes.len(), yap::OVERHEAD + 5);
    assert_eq!(bytes[..32], public_key(&[7; 32].into()).as_bytes()[..]);
    assert_eq!(bytes[32..44], [6; 12]);
    assert_eq!(yap::open(&bob(), public_key(&alice()), &text).unwrap().as_slice(), b"hello");
    assert_eq!(yap::open(&bob(), public_key(&alice()), text.trim_end_matches('=')).unwrap().as_slice(), b"hello");
    for length in [0, 1, 59, 60, 64] {
        let cut = BASE64URL.encode(&bytes[..length]);
        assert_eq!(yap::open(&bob(), public_key(&alice()), &cut).unwrap_err(), MessageError::Forged, "{length}");
    }
}

#[test]
fn r17_5_every_bit_of_a_yap_counts() {
    let text = yap::seal(&alice(), public_key(&bob()), &[7; 32].into(), [6; 12], b"").unwrap();
    assert_eq!(yap::open(&bob(), public_key(&alice()), &text).unwrap().as_slice(), b"");
    let bytes = BASE64URL.decode(text.as_bytes()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(yap::open(&bob(), public_key(&alice()), &BASE64URL.encode(&bytes)).is_err(), "{bit}");
    }
    // We must open neither a YAP of our own nor one of another sender.
    assert!(yap::open(&alice(), public_key(&bob()), &text).is_err());
    assert!(yap::open(&bob(), public_key(&[3; 32].into()), &text).is_err());
}

/// §17.5: a reader must refuse an ephemeral key of low order, because it would add nothing to the static secret.
#[test]
fn r17_5_a_weak_ephemeral_key_is_refused() {
    use aes_gcm::aead::{AeadInOut, KeyInit};
    use x25519_dalek::{PublicKey as Public, StaticSecret};
    let shared = StaticSecret::from(*alice().expose()).diffie_hellman(&Public::from(*public_key(&bob()).as_bytes()));
    let nonce = [6; 12];
    let seal = |ephemeral: [u8; 32], key: [u8; 32]| {
        let mut text = *b"hello";
        let cipher = aes_gcm::Aes256Gcm::new(&key.into());
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], (&mut text[..]).into()).unwrap();
        BASE64URL.encode(&[&ephemeral[..], &nonce, &tag, &text].concat())
    };
    let mut one = [0; 32];
    one[0] = 1;
    for weak in [[0; 32], one] {
        assert!(yap::open(&bob(), public_key(&alice()), &seal(weak, *shared.as_bytes())).is_err());
    }
    // The same by a key that is none of those opens: the test seals as the crate does.
    let ephemeral = StaticSecret::from([7; 32]);
    let other = ephemeral.diffie_hellman(&Public::from(*public_key(&bob()).as_bytes()));
    let key = std::array::from_fn(|at| shared.as_bytes()[at] ^ other.as_bytes()[at]);
    let text = seal(Public::from(&ephemeral).to_bytes(), key);
    assert_eq!(yap::open(&bob(), public_key(&alice()), &text).unwrap().as_slice(), b"hello");
    assert_eq!(yap::seal(&alice(), public_key(&bob()), &[7; 32].into(), nonce, b"hello"), Ok(text));
}

#[test]
fn r17_5_a_yap_is_not_longer_than_a_message() {
    let longest = vec![1; MAX_ENCRYPTED_CONTENT - yap::OVERHEAD];
    let text = yap::seal(&alice(), public_key(&bob()), &[7; 32].into(), [6; 12], &longest).unwrap();
    assert_eq!(yap::open(&bob(), public_key(&alice()), &text).unwrap().as_slice(), longest);
    let longer = [&longest[..], &[1]].concat();
    let refused = yap::seal(&alice(), public_key(&bob()), &[7; 32].into(), [6; 12], &longer);
    assert_eq!(refused, Err(MessageError::TooLong));
}
