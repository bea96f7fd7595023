//! §16.2: characters that no name has.
#![cfg(feature = "alloc")]

use port_protocol::*;

use crate::common::cbor::Cbor;
use crate::port::{longest_port, tree};

const FORBIDDEN: [char; 58] = [
    '\0',
    '\u{1}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{1f}',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{9b}',
    '\u{9f}',
    '\u{2028}',
    '\u{2029}',
    '\u{61c}',
    '\u{200e}',
    '\u{200f}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{180e}',
    '\u{200b}',
    '\u{2060}',
    '\u{2061}',
    '\u{2062}',
    '\u{2063}',
    '\u{2064}',
    '\u{206a}',
    '\u{206b}',
    '\u{206c}',
    '\u{206d}',
    '\u{206e}',
    '\u{206f}',
    '\u{feff}',
    '\u{fff9}',
    '\u{fffa}',
    '\u{fffb}',
    '\u{e0000}',
    '\u{e0001}',
    '\u{e0020}',
    '\u{e0061}',
    '\u{e007f}',
    '\u{2}',
    '\u{7}',
    '\u{8}',
    '\u{b}',
    '\u{c}',
    '\u{e}',
    '\u{90}',
    '\u{9d}',
    '\u{84}',
    '\u{8}',
];

/// Emoji with joiners and variation selectors, Persian with a non-joiner, the flag of Scotland, quotes, and a name from right to left.
const ALLOWED: [&str; 10] = [
    "",
    "Carol",
    "Carol é",
    "👩‍👩‍👧",
    "❤️",
    "می‌خواهم",
    "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "O'Neil \"x\"",
    "שרה",
    "李小龙",
];

#[test]
fn r16_2_a_name_has_no_character_that_hides_or_moves_others() {
    for name in ALLOWED {
        assert_eq!(IntroducerName::new(name).unwrap().as_str(), name);
    }
    for c in FORBIDDEN {
        for name in [format!("{c}"), format!("Carol{c}"), format!("{c}Carol"), format!("Ca{c}rol")] {
            assert_eq!(IntroducerName::new(&name).err(), Some(PortError::BadName), "{name:?}");
        }
    }
    // Tags are of the flag that they follow.
    assert!(IntroducerName::new("🏴x\u{e0067}").is_err());
}

#[test]
fn r16_2_a_port_or_a_notice_with_such_a_name_is_malformed() {
    let port = tree(&longest_port());
    let named = |name: &str| port.clone().with(&[7, 1], Cbor::Text(name.to_owned())).write();
    let notice = |name: &str| {
        let hash = TicketHash::from([2; 32]);
        let notice = Cbor::Array(vec![
            Cbor::Bytes(vec![1; 16]),
            Cbor::Bytes(hash.as_bytes().to_vec()),
            Cbor::Text(name.to_owned()),
        ]);
        Cbor::Array(vec![Cbor::Uint(1), Cbor::Array(vec![Cbor::Uint(2), notice])]).write()
    };
    for name in ALLOWED {
        assert!(Port::from_bytes(&named(name)).is_ok(), "{name}");
        assert!(IntroducerMessage::decode(&notice(name)).is_ok(), "{name}");
    }
    for c in FORBIDDEN {
        let name = format!("Car{c}ol");
        assert_eq!(Port::from_bytes(&named(&name)), Err(PortError::Malformed), "{name:?}");
        assert_eq!(IntroducerMessage::decode(&notice(&name)).err(), Some(DecodeError::Malformed), "{name:?}");
    }
}

#[cfg(feature = "app")]
#[test]
fn r17_1_a_name_of_the_app_is_shown_without_them() {
    use port_protocol::app::Name;
    for c in FORBIDDEN {
        let name = Name::new(&format!("Ca{c}rol")).unwrap();
        assert_eq!((name.as_str(), name.to_string()), (&*format!("Ca{c}rol"), "Carol".to_owned()));
    }
    for name in ALLOWED {
        assert_eq!(Name::new(name).unwrap().to_string(), name);
    }
}
