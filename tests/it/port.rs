//! §2.1–§2.4: what Alice shares, as bytes. `text` has it as a text.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::{self, Commit, expiring, longest, port, seed_bytes};
use data_encoding::BASE32_NOPAD;
use port_protocol::*;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub fn plain() -> Port {
    port(PortOptions::new())
}

pub fn tree(port: &Port) -> Cbor {
    Cbor::read(port.to_bytes().as_slice())
}

fn read(tree: &Cbor) -> Result<Port, PortError> {
    Port::from_bytes(&tree.write())
}

/// The QR text of these bytes, with a check that is right.
pub fn qr(bytes: &[u8]) -> String {
    format!("PORT:{}", BASE32_NOPAD.encode_display(&[bytes, &crc(bytes).to_be_bytes()].concat()))
}

/// CRC-16/IBM-3740.
pub fn crc(bytes: &[u8]) -> u16 {
    static OF_BYTES: LazyLock<[u16; 256]> = LazyLock::new(|| {
        let step = |crc: u16, _| if crc >> 15 == 1 { crc << 1 ^ 0x1021 } else { crc << 1 };
        std::array::from_fn(|byte| (0..8).fold((byte as u16) << 8, step))
    });
    let mut crc = 0xffff;
    for byte in bytes {
        crc = crc << 8 ^ OF_BYTES[usize::from(*byte ^ (crc >> 8) as u8)];
    }
    crc
}

#[test]
fn r2_1_a_port_has_these_fields() {
    let relay = RelayAddr::new("https://[::1]:8443/a?b=c").unwrap();
    let port = port(expiring().relay(relay.clone()));
    assert_eq!(port.kind(), PortKind::Port);
    assert_eq!(port.line_link(), common::line_link());
    assert_eq!(port.rad().expose()[..], seed_bytes(1)[32..48]);
    assert_eq!((port.expires(), port.relay()), (Some(common::EXPIRY), Some(&relay)));
}

#[test]
fn r2_1_other_kinds_are_for_later() {
    for kind in [0, 4, 23, 24, 255] {
        let other = tree(&plain()).with(&[1], Cbor::Uint(kind));
        assert_eq!(read(&other), Err(PortError::UnsupportedKind), "{kind}");
    }
}

/// A ticket: its secret, the introducer's name, until when.
fn ticket(name: &str, expires: &[Cbor]) -> Cbor {
    let fields = [Cbor::Bytes(vec![7; 16]), Cbor::Text(name.to_owned())];
    Cbor::Array([&fields, expires].concat())
}

/// A contact port with this ticket, as it is handed to Bob.
fn handed(offer: PortOptions, ticket: Cbor) -> Cbor {
    let mut fields = tree(&port(offer)).with(&[1], Cbor::Uint(3)).items().to_vec();
    fields.resize(7, Cbor::Null);
    fields.push(ticket);
    Cbor::Array(fields)
}

/// With the longest of everything.
pub fn longest_port() -> Port {
    read(&handed(longest(), ticket(&"n".repeat(32), &[Cbor::Uint(UnixSeconds::MAX.as_secs())]))).unwrap()
}

#[test]
fn r2_1_a_contact_port_is_read_with_a_ticket_and_no_other_port_is() {
    let port = read(&handed(expiring(), ticket("Carol", &[]))).unwrap();
    let ticket_of = port.ticket().unwrap();
    assert_eq!((port.kind(), ticket_of.name().as_str(), ticket_of.expires()), (PortKind::ContactPort, "Carol", None));
    assert_eq!(Port::from_bytes(port.to_bytes().as_slice()), Ok(port.clone()));
    for kind in [1, 2] {
        let other = handed(expiring(), ticket("Carol", &[])).with(&[1], Cbor::Uint(kind));
        assert_eq!(read(&other), Err(PortError::Malformed), "{kind}");
    }
    assert_eq!(read(&tree(&plain()).with(&[1], Cbor::Uint(3))), Err(PortError::Malformed));
    for bad in [ticket(&"n".repeat(33), &[]), ticket("Carol", &[Cbor::Null]), Cbor::Array(vec![]), Cbor::Bool(true)] {
        assert_eq!(read(&handed(expiring(), bad.clone())), Err(PortError::Malformed), "{bad:?}");
    }
}

#[test]
fn r2_4_the_port_hash_is_without_the_ticket() {
    let with = |name| read(&handed(expiring(), ticket(name, &[]))).unwrap();
    assert_eq!(with("Carol").hash(), with("Dave").hash());
    let alone = handed(expiring(), Cbor::Null).items()[..6].to_vec();
    assert_eq!(with("Carol").hash().as_bytes()[..], Sha256::digest(Cbor::Array(alone).write())[..]);
}

#[test]
fn r2_1_a_relay_has_1_to_64_bytes() {
    for length in [1, 2, 63, 64] {
        let relay = "r".repeat(length);
        let port = port(PortOptions::new().relay(RelayAddr::new(&relay).unwrap()));
        assert_eq!(Port::from_bytes(port.to_bytes().as_slice()).unwrap().relay().unwrap().as_str(), relay);
    }
    let with = |relay: &str| {
        let relay = Cbor::Text(relay.to_owned());
        read(&Cbor::Array([tree(&plain()).items(), &[Cbor::Null, relay]].concat()))
    };
    for relay in ["", &"r".repeat(65), &"r".repeat(300)] {
        assert_eq!(RelayAddr::new(relay), Err(PortError::BadRelayAddr));
        assert_eq!(with(relay), Err(PortError::BadRelayAddr));
    }
}

#[test]
fn r2_1_a_relay_is_made_of_the_characters_of_rfc_3986() {
    for c in (0..=0x2ff).filter_map(char::from_u32) {
        let allowed = c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        for relay in [format!("{c}"), format!("a{c}"), format!("{c}b"), format!("a{c}b")] {
            assert_eq!(RelayAddr::new(&relay).is_ok(), allowed, "{relay:?}");
        }
    }
}

#[test]
fn r2_2_key_and_rad_are_drawn_for_one_port() {
    let make =
        |n| Alice::offer([0; 16].into(), PortOptions::new(), common::seed(n)).committed().port().unwrap().clone();
    let (one, two) = (make(1), make(2));
    assert_ne!(one.public_key(), two.public_key());
    assert_ne!(one.rad(), two.rad());
    assert_eq!(one, make(1), "and from the seed only");
}

#[cfg(feature = "getrandom")]
#[test]
fn r2_2_the_operating_system_gives_fresh_seeds() {
    let make = || {
        Alice::offer([0; 16].into(), PortOptions::new(), Seed::from_os().unwrap()).committed().port().unwrap().clone()
    };
    let (one, two) = (make(), make());
    assert!(one.public_key() != two.public_key() && one.rad() != two.rad());
    assert_ne!(one.rad().expose(), &[0; 16]);
}

const LOW_ORDER: [&str; 5] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn weak(key: [u8; 32]) -> bool {
    let in_port = read(&tree(&plain()).with(&[3], Cbor::Bytes(key.to_vec())));
    let alone = PublicKey::from_bytes(key);
    assert_eq!(in_port.is_err(), alone.is_err());
    assert!(alone.is_ok() || in_port == Err(PortError::WeakPublicKey) && alone == Err(PortError::WeakPublicKey));
    alone.is_err()
}

#[test]
fn r2_3_low_order_keys_are_refused() {
    for key in LOW_ORDER {
        let key: [u8; 32] = hex::decode(key).unwrap().try_into().unwrap();
        assert!(weak(key), "{key:02x?}");
        // They are what they are said to be: whatever the private key, everybody knows the secret, or its cofactor's.
        let secret = x25519_dalek::x25519([0x55; 32], key);
        assert_eq!(secret, [0; 32]);
    }
}

#[test]
fn r2_3_keys_that_are_not_canonical_are_refused() {
    // 2^255 - 19 and the 18 after it.
    for lowest in 0xed..=0xff {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (lowest, 0x7f);
        assert!(weak(key), "{lowest:x}");
    }
    let mut highest_bit = *plain().public_key().as_bytes();
    highest_bit[31] |= 0x80;
    assert!(weak(highest_bit));
    assert!(weak([0xff; 32]));
    // Only its lowest byte makes this one canonical.
    let mut key = [0xff; 32];
    (key[0], key[31]) = (0xeb, 0x7f);
    assert!(!weak(key));
}

#[test]
fn r2_3_points_on_the_twist_are_accepted() {
    // By Euler's criterion the first three are on the twist, the others on the curve.
    for u in [2, 3, 5, 4, 6, 9] {
        let mut key = [0; 32];
        key[0] = u;
        assert!(!weak(key), "{u}");
    }
}

#[test]
fn r2_4_the_bytes_are_these() {
    let plain = plain();
    let layout = |expires: &[Cbor]| {
        let fields = [
            Cbor::Uint(1),
            Cbor::Uint(1),
            Cbor::Bytes(vec![0xA1; 16]),
            Cbor::Bytes(plain.public_key().as_bytes().to_vec()),
            Cbor::Bytes(plain.rad().expose().to_vec()),
        ];
        Cbor::Array([&fields, expires].concat()).write()
    };
    let text = |text: &str| Cbor::Text(text.to_owned());
    let at = |relay| PortOptions::new().relay(RelayAddr::new(relay).unwrap());
    for (offer, fields) in [
        (PortOptions::new(), vec![]),
        (expiring(), vec![Cbor::Uint(common::EXPIRY.as_secs())]),
        (at("a.example"), vec![Cbor::Null, text("a.example")]),
        (at("a.example").expires(UnixSeconds::default()), vec![Cbor::Uint(0), text("a.example")]),
        (longest(), vec![Cbor::Uint(UnixSeconds::MAX.as_secs()), text(&"r".repeat(64))]),
    ] {
        let port = port(offer);
        let bytes = port.to_bytes();
        assert_eq!(bytes.as_slice(), layout(&fields));
        assert_eq!(Port::from_bytes(bytes.as_slice()), Ok(port.clone()));
        assert_eq!(port.hash().as_bytes()[..], Sha256::digest(bytes.as_slice())[..]);
    }
}

#[test]
fn r2_4_a_plain_port_has_71_bytes_and_the_longest_207() {
    assert_eq!(plain().to_bytes().as_slice().len(), 71);
    assert_eq!(port(longest()).to_bytes().as_slice().len(), 146);
    assert_eq!(longest_port().to_bytes().as_slice().len(), MAX_PORT_BYTES);
    assert_eq!(MAX_PORT_BYTES, 207);
}

#[test]
fn r2_4_fields_have_exactly_their_length() {
    for (place, length) in [(2, 16), (3, 32), (4, 16)] {
        for other in [0, length - 1, length + 1, 64] {
            let tree = tree(&plain()).with(&[place], Cbor::Bytes(vec![7; other]));
            assert_eq!(read(&tree), Err(PortError::Malformed), "{other} at {place}");
        }
    }
    for missing in 0..5 {
        assert_eq!(read(&Cbor::Array(tree(&plain()).items()[..missing].to_vec())), Err(PortError::Malformed));
    }
}
