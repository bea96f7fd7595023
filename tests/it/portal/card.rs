//! §18.3: a Portal's card, as bytes, QR text, link and NDEF message.

use port_protocol::portal::*;
use port_protocol::*;

use super::id::{ids, key};
use crate::common::cbor::Cbor;
use crate::port::{plain, qr};
use crate::text::small_changes;

pub fn card(number: u8, address: &str) -> PortalCard {
    PortalCard::new(PortalId::of(&key(number)), Some(PortalAddr::new(address).unwrap()))
}

/// As long as an address may be.
pub fn longest_address() -> String {
    format!("https://{}/", "p".repeat(63))
}

/// Without an address and with; the shortest and the longest.
pub fn cards() -> Vec<PortalCard> {
    vec![
        PortalCard::new(PortalId::of(&key(1)), None),
        card(1, "https://portal.example/"),
        card(2, "https://a"),
        card(2, &longest_address()),
        PortalCard::new(ids()[9], None),
    ]
}

/// The QR text of any bytes.
pub fn portal_qr(bytes: &[u8]) -> String {
    qr(bytes).replacen("PORT:", "PORTAL:", 1)
}

fn tree(card: &PortalCard) -> Cbor {
    Cbor::read(&card.to_bytes())
}

fn texts(bytes: &[u8]) -> [String; 2] {
    let text = portal_qr(bytes);
    [text.clone(), text.replacen("PORTAL:", "https://portal.example/#", 1)]
}

/// Bytes and QR text: of the private key 01, without an address and with `https://portal.example/`.
const KNOWN: [[&str; 2]; 2] = [
    [
        "8301105820e2b9816ad6c228fc46278ad8243f56e8066aae62aa7879daa4239ca03f771d09",
        "PORTAL:QMARAWBA4K4YC2WWYIUPYRRHRLMCIP2W5ADGVLTCVJ4HTWVEEOOKAP3XDUEZJXY",
    ],
    [
        "8401105820e2b9816ad6c228fc46278ad8243f56e8066aae62aa7879daa4239ca03f771d096f706f7274616c2e6578616d706c652f",
        "PORTAL:QQARAWBA4K4YC2WWYIUPYRRHRLMCIP2W5ADGVLTCVJ4HTWVEEOOKAP3XDUEW64DPOJ2GC3BOMV4GC3LQNRSS63MC",
    ],
];

#[test]
fn r18_3_known_answers() {
    for (card, [bytes, text]) in cards().iter().zip(KNOWN) {
        assert_eq!((hex::encode(card.to_bytes()).as_str(), card.qr_text().as_str()), (bytes, text));
    }
}

#[test]
fn r18_3_a_card_is_an_array_of_version_kind_id_and_address() {
    for card in cards() {
        let mut items = vec![Cbor::Uint(1), Cbor::Uint(16), Cbor::Bytes(card.id().as_bytes().to_vec())];
        items.extend(
            card.address().map(|address| Cbor::Text(address.to_string().split_once("://").unwrap().1.to_owned())),
        );
        assert_eq!(tree(&card), Cbor::Array(items));
        assert_eq!(PortalCard::from_bytes(&card.to_bytes()), Ok(card));
    }
    let lengths = cards().iter().map(|card| card.to_bytes().len()).collect::<Vec<_>>();
    assert_eq!(lengths, [37, 53, 39, MAX_CARD_BYTES, 37]);
}

#[test]
fn r18_3_other_bytes_are_refused() {
    let good = tree(&cards()[1]);
    let with = |place: usize, new: Cbor| good.clone().with(&[place], new).write();
    let more = Cbor::Array(good.items().iter().cloned().chain([Cbor::Uint(0)]).collect()).write();
    let less = Cbor::Array(good.items()[..2].to_vec()).write();
    let null = [&good.write()[..37], &[0xf6]].concat();
    let bytes = good.write();
    let overlong = [&bytes[..2], &[0x18, 0x10], &bytes[3..]].concat();
    assert_eq!(bytes[2], 0x10);
    for bytes in [
        more,
        less,
        null,
        overlong,
        bytes[..52].to_vec(),
        [&bytes[..], &[0]].concat(),
        with(1, Cbor::Uint(1)),
        with(1, Cbor::Uint(15)),
        with(1, Cbor::Uint(17)),
        with(1, Cbor::Uint(256 + 16)),
        with(2, Cbor::Bytes(vec![7; 31])),
        with(2, Cbor::Bytes(vec![7; 33])),
        with(2, Cbor::Text("a".repeat(32))),
        with(3, Cbor::Bytes(b"a".to_vec())),
        plain().to_bytes().as_slice().to_vec(),
        Vec::new(),
    ] {
        assert_eq!(PortalCard::from_bytes(&bytes), Err(CardError::Malformed), "{bytes:02x?}");
        // Longer, or its check would be read as the version.
        if bytes.len() > 20 {
            for text in texts(&bytes) {
                assert_eq!(PortalCard::parse(&text), Err(CardError::Malformed), "{text}");
            }
        }
    }
    for version in [0, 2, 23, 24, 256] {
        let bytes = with(0, Cbor::Uint(version));
        for bytes in [bytes.clone(), [&bytes[..], &[7; 400]].concat()] {
            assert_eq!(PortalCard::from_bytes(&bytes), Err(CardError::UnsupportedVersion));
            for text in texts(&bytes) {
                assert_eq!(PortalCard::parse(&text), Err(CardError::UnsupportedVersion), "{text}");
            }
        }
    }
    let bad = with(3, Cbor::Text("https://portal.example".to_owned()));
    assert_eq!(PortalCard::from_bytes(&bad), Err(CardError::BadAddress));
    texts(&bad).iter().for_each(|text| assert_eq!(PortalCard::parse(text), Err(CardError::BadAddress)));
    for length in [104, 207, 5_000] {
        assert_eq!(PortalCard::parse(&portal_qr(&vec![0x81; length])), Err(CardError::Malformed));
    }
}

#[test]
fn r18_3_an_address_is_https_or_an_onion_service_or_loopback() {
    let onion = "b6geeakpwskovltbesvy3b6ah3ewxfmnhnshojndmpp7wcv2df7bnead.onion";
    for (address, is_local) in [
        ("https://a", false),
        ("https://portal.example/", false),
        ("https://portal.example:8443/portal/in", false),
        ("https://4k4yc2.portals.example", false),
        ("https://1.2.3.4", false),
        ("https://[2001:db8::1]:8/x/@y", false),
        ("http://A.ONION", false),
        ("http://a.onion.:80/p", false),
        ("http://127.0.0.1", true),
        ("http://127.0.0.1:8080/", true),
        ("http://127.8.9.10/x", true),
        ("http://[::1]", true),
        ("http://[0:0:0:0:0:0:0:1]:80/", true),
        ("http://[::ffff:127.0.0.1]/", true),
        ("https://localhost/", true),
        ("https://portal.LocalHost.", true),
        ("https://localhost.example/", false),
        ("https://127.0.0.1.example/", false),
        (&format!("http://{onion}/p")[..], false),
        (&longest_address(), false),
    ] {
        let taken = PortalAddr::new(address).unwrap();
        assert_eq!((&*taken.to_string(), taken.is_local()), (address, is_local), "{address}");
        assert_eq!(format!("{taken:?}"), format!("{address:?}"));
        let card = PortalCard::new(ids()[0], Some(taken));
        assert_eq!(PortalCard::parse(&card.qr_text()), Ok(card));
    }
    for address in [
        "",
        "a",
        "portal.example",
        "https://",
        "https:///x",
        "HTTPS://a",
        "ftp://a",
        "http://a",
        "https://a.onion",
        "https://127.0.0.1/",
        "https://[::1]",
        "http://localhost",
        "http://localhost/",
        "http://128.0.0.1",
        "http://126.255.255.255",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://127.1",
        "http://[::2]",
        "http://[::1",
        "http://onion",
        "http://a.onion.example",
        "http://127.0.0.1@a.example",
        "https://a?",
        "https://a/?x",
        "https://a?x",
        "https://a#",
        "https://a/#x",
        "https://x@a",
        "https://@a",
        "https://x:y@a/",
        "https://a b",
        " https://a",
        "https://a\n",
        "https://\u{fc}.example",
        "https://a:65536",
        "https://a:",
        "https://a:/",
        "https://https://a",
        "https://1.2.3",
        &(longest_address() + "p"),
    ] {
        assert_eq!(PortalAddr::new(address), Err(CardError::BadAddress), "{address}");
    }
}

#[test]
fn r18_3_sizes_as_a_qr_code() {
    use qrcode::{EcLevel, QrCode, Version};
    let thirty = card(1, "https://portal.example.org/peers/inbox");
    assert_eq!(thirty.address().unwrap().to_string().len(), "https://".len() + 30);
    for (card, characters, version) in [(&cards()[0], 70, 4), (&thirty, 121, 5), (&cards()[3], 175, 7)] {
        let text = card.qr_text();
        assert_eq!(text.len(), characters);
        assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ':'));
        assert!(QrCode::with_version(&text, Version::Normal(version), EcLevel::M).is_ok());
        assert!(QrCode::with_version(&text, Version::Normal(version - 1), EcLevel::M).is_err());
    }
    // An ID alone, without a card.
    let id = cards()[0].id().to_string().to_uppercase();
    assert!(QrCode::with_version(&id, Version::Normal(3), EcLevel::M).is_ok());
    assert!(QrCode::with_version(&id, Version::Normal(2), EcLevel::M).is_err());
}

#[test]
fn r18_3_a_link_is_a_base_and_the_base32_behind_its_fragment_sign() {
    for card in cards() {
        assert_eq!(card.qr_text(), portal_qr(&card.to_bytes()));
        for base in ["https://example.org/p", "https://x@a/?y", "http://a.onion"] {
            let link = card.link(base).unwrap();
            assert_eq!(link, card.qr_text().replacen("PORTAL:", &format!("{base}#"), 1));
            for text in [&link, &format!("\u{feff} {link}\r\n")] {
                assert_eq!(PortalCard::parse(text).as_ref(), Ok(&card));
            }
        }
        for base in ["", "http://a.example/", "https://a#", "http://127.0.0.1/"] {
            assert_eq!(card.link(base), Err(CardError::BadLinkBase));
            assert_eq!(card.ndef(base), Err(CardError::BadLinkBase));
        }
    }
}

#[test]
fn r18_3_the_strict_reader_forgives_nothing_inside() {
    let card = &cards()[1];
    let (text, link) = (card.qr_text(), card.link("https://example.org/p").unwrap());
    for spoilt in [
        text.to_lowercase(),
        text.replacen("PORTAL", "portal", 1),
        text.replacen("PORTAL", "PORT", 1),
        text.replacen("PORTAL:", "", 1),
        text.replacen("PORTAL:", "#", 1),
        text.replacen("PORTAL:", "PORTAL: ", 1),
        format!("{text}="),
        format!("{} {}", &text[..30], &text[30..]),
        link.to_lowercase(),
        link.replace('#', ""),
        link.replace("https", "http"),
        card.id().to_string(),
        plain().qr_text().to_string(),
        plain().link("https://example.org/p").unwrap().to_string(),
        String::new(),
    ] {
        assert_eq!(PortalCard::parse(&spoilt), Err(CardError::Malformed), "{spoilt}");
    }
    assert_eq!(Port::parse(&text), Err(PortError::Malformed));
    assert_eq!(Port::parse(&link), Err(PortError::Malformed));
    assert_eq!(Port::from_bytes(&card.to_bytes()), Err(PortError::Malformed));
}

#[test]
fn r18_3_every_small_change_is_refused() {
    for card in cards() {
        let text = card.qr_text();
        for changed in small_changes(&text).filter(|changed| changed.starts_with("PORTAL:")) {
            let parsed = PortalCard::parse(&changed);
            let is_refused =
                matches!(parsed, Err(CardError::Damaged | CardError::Malformed | CardError::UnsupportedVersion));
            assert!(is_refused, "{changed}: {parsed:?}");
            let found = PortalCard::find(&changed);
            use FindCardError::{CutOff, Damaged, WrongVersion};
            assert!(matches!(found, Err(Damaged | CutOff | WrongVersion)), "{changed}: {found:?}");
        }
    }
}

#[test]
fn r18_3_the_last_bits_of_the_base32_are_zero() {
    for card in cards() {
        let text = card.qr_text();
        let accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars();
        let accepted = accepted.filter(|c| PortalCard::parse(&format!("{}{c}", &text[..text.len() - 1])).is_ok());
        assert_eq!(accepted.collect::<String>(), text[text.len() - 1..]);
    }
}

#[test]
fn r18_3_a_card_on_an_nfc_tag() {
    for card in cards() {
        let message = card.ndef("https://example.org/p").unwrap();
        let link = card.link("https://example.org/p").unwrap();
        assert_eq!(&message[message.len() + 8 - link.len()..], &link.as_bytes()[8..]);
        assert_eq!(PortalCard::find_in_ndef(&message), Ok(card));
        assert_eq!(Port::find_in_ndef(&message), Err(FindError::PortalCard));
        for end in 0..message.len() {
            assert_eq!(PortalCard::find_in_ndef(&message[..end]), Err(FindCardError::Damaged));
            assert_eq!(Port::find_in_ndef(&message[..end]), Err(FindError::Damaged));
        }
    }
    // One URI record: D1 01 length `U` and the number of `https://`.
    let message = cards()[0].ndef("https://example.org/p").unwrap();
    assert_eq!(hex::encode(&message[..5]), format!("d101{:02x}5504", 1 + 14 + 63));
    // A longer record than a byte counts.
    let long = format!("https://example.org/{}", "p".repeat(300));
    assert_eq!(PortalCard::find_in_ndef(&cards()[3].ndef(&long).unwrap()).as_ref(), Ok(&cards()[3]));

    let mut port = [0; 300];
    let port = plain().link("https://example.org/p").unwrap().ndef_into(&mut port).unwrap();
    assert_eq!(PortalCard::find_in_ndef(port), Err(FindCardError::Port));
}
