//! `decode_port`, `decode_event`: one encoding per value, and nothing else decodes (SPEC.md §1.2, §2). `find`: what is found in any text or
//! NDEF message is a Port (§2.8).

use data_encoding::BASE32_NOPAD;
use port_protocol::{
    BufferTooSmall, DecodeError, Event, MAX_PORT_BYTES, MAX_QR_TEXT, Payload, Port, PortError, Request,
};

/// A Port as bytes, as text, and the bytes once more as the text they would be.
pub fn decode_port(data: &[u8]) -> bool {
    let from_bytes = Port::from_bytes(data);
    if let Ok(port) = &from_bytes {
        assert!(port.to_bytes().as_slice() == data, "two encodings of one Port");
        has_three_forms(port);
    }

    let text = format!("PORT:{}", BASE32_NOPAD.encode(&[data, &crc(data).to_be_bytes()].concat()));
    // Whatever is wrong with the bytes is wrong with the text. Only a text can be too long to look at.
    match (Port::parse(&text), &from_bytes) {
        (parsed, from_bytes) if parsed == *from_bytes => {}
        (Err(PortError::Damaged), Err(_)) if data.is_empty() => {}
        // The check may stand in the place of a version that is missing.
        (Err(PortError::UnsupportedVersion), Err(PortError::Malformed)) if data.len() <= 18 => {}
        (Err(PortError::Malformed), Err(_)) if data.len() > MAX_PORT_BYTES => {}
        (parsed, _) => panic!("{from_bytes:?} as bytes, {parsed:?} as text"),
    }

    let from_text = str::from_utf8(data).ok().and_then(|text| Some((text, Port::parse(text).ok()?)));
    if let Some((text, port)) = &from_text {
        let text = text.trim_matches(|c: char| c.is_whitespace() || ZERO_WIDTH.contains(c));
        let link = text.split_once('#').map(|(base, _)| port.link(base).expect("it was read from it").to_string());
        assert!(port.qr_text().as_str() == text || link.as_deref() == Some(text), "two texts of one Port");
        has_three_forms(port);
    }
    from_bytes.is_ok() || from_text.is_some()
}

/// A text that users paste, or an NDEF message.
pub fn find(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (found, parsed) = (Port::find(&text), Port::parse(&text));
    if let Ok(port) = &parsed {
        assert!(found.as_ref() == Ok(port), "the strict reader has another Port: {found:?}");
    }
    let in_ndef = Port::find_in_ndef(data);
    for port in found.iter().chain(&in_ndef) {
        let (text, link) = (port.qr_text(), port.link("https://port.example/p").expect("a good base"));
        assert!(Port::find(text.as_str()).as_ref() == Ok(port));
        assert!(Port::find(&format!("> Open <{link}>,\r\n")).as_ref() == Ok(port));
        let mut out = [0; 512];
        assert!(Port::find_in_ndef(link.ndef_into(&mut out).expect("room")).as_ref() == Ok(port));
        assert!(Port::find_in_ndef(text.ndef_into(&mut out).expect("room")).as_ref() == Ok(port));
    }
    found.is_ok() || in_ndef.is_ok()
}

/// What is forgiven around a text, besides white space (§2.7).
const ZERO_WIDTH: &str = "\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}\u{feff}";

/// The check of a text (§2.5), bit by bit.
fn crc(bytes: &[u8]) -> u16 {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1 == 1));
    bits.fold(0xffff, |crc: u16, bit| if (crc >> 15 == 1) == bit { crc << 1 } else { crc << 1 ^ 0x1021 })
}

fn has_three_forms(port: &Port) {
    let bytes = port.to_bytes();
    assert!(bytes.as_slice().len() <= MAX_PORT_BYTES);
    let plain = port.expires().is_none() && port.relay().is_none() && port.ticket().is_none();
    assert!(bytes.as_slice().len() <= 72 || !plain);
    assert!(Port::from_bytes(bytes.as_slice()).as_ref() == Ok(port));

    let text = port.qr_text();
    assert!(text.as_str().len() <= MAX_QR_TEXT);
    assert!(text.as_str().bytes().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase() || b" $%*+-./:".contains(&c)));
    assert!(Port::parse(text.as_str()).as_ref() == Ok(port));
    assert!(Port::parse(&format!(" \u{feff}\t{text}\u{200b}\r\n")).as_ref() == Ok(port));

    for base in ["https://port.example", "https://[::1]:8443/p?a=b&c"] {
        let link = port.link(base).expect("a good base").to_string();
        let (before, secrets) = link.split_once('#').expect("a fragment");
        assert!(before == base && text.as_str().strip_prefix("PORT:") == Some(secrets));
        assert!(Port::parse(&link).as_ref() == Ok(port));
    }

    let shown = format!("{port:?}");
    assert!(shown.contains("[redacted]"), "a Port shows its secrets");
}

/// What of a message is not a packet has a bound: the longest holds two names, a hash and a proof.
const MOST_BUT_PACKETS: usize = 192;

/// What goes over the wire, in each direction.
pub fn decode_event(data: &[u8]) -> bool {
    let event = Event::decode(data);
    let request = Request::decode(data);
    let payload = Payload::decode(data);
    if let Ok(event) = &event {
        one_encoding(data, event, Event::decode, |out| event.encode_into(out).map(|bytes| bytes.len()), event.to_vec());
        assert!(matches!(event, Event::Packet { .. }) || data.len() <= MOST_BUT_PACKETS);
        // 17 bytes name one machine only.
        assert_eq!(event.key().to_bytes()[1..].len(), 16);
    }
    if let Ok(request) = &request {
        let encode = |out: &mut [u8]| request.encode_into(out).map(|bytes| bytes.len());
        one_encoding(data, request, Request::decode, encode, request.to_vec());
        assert!(matches!(request, Request::Packet { .. }) || data.len() <= MOST_BUT_PACKETS);
    }
    if let Ok(payload) = &payload {
        let encode = |out: &mut [u8]| payload.encode_into(out).map(|bytes| bytes.len());
        one_encoding(data, payload, Payload::decode, encode, payload.to_vec());
    }
    let decoded = usize::from(event.is_ok()) + usize::from(request.is_ok()) + usize::from(payload.is_ok());
    assert!(decoded <= 1, "one byte string, two meanings");
    decoded == 1
}

pub fn one_encoding<'a, T: PartialEq + std::fmt::Debug>(
    data: &'a [u8],
    value: &T,
    decode: impl Fn(&'a [u8]) -> Result<T, DecodeError>,
    encode_into: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>,
    encoded: Vec<u8>,
) {
    assert!(encoded == data, "two encodings of one value: {value:?}");
    assert!(decode(data).as_ref() == Ok(value));
    assert!(decode(&data[..data.len() - 1]).is_err(), "the end was not needed: {value:?}");

    let mut buffer = vec![0; data.len()];
    assert_eq!(encode_into(&mut buffer[1..]), Err(BufferTooSmall));
    assert_eq!(encode_into(&mut buffer), Ok(data.len()));
    assert!(buffer == data);
}
