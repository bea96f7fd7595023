//! §1.3, §2.5–§2.7: a Port as a text.
#![cfg(feature = "alloc")]

use port_protocol::*;

use crate::common::cbor::Cbor;
use crate::common::{longest, port};
use crate::port::{crc, longest_port, plain, qr, tree};

#[test]
fn r2_5_the_qr_text_is_base32_of_the_bytes() {
    for (port, length) in [(plain(), 122), (port(longest()), 242), (longest_port(), MAX_QR_TEXT)] {
        let text = port.qr_text();
        assert_eq!(text.as_str(), qr(port.to_bytes().as_slice()));
        assert_eq!(text.to_string(), text.as_str());
        assert_eq!(text.as_str().len(), length);
        let alphanumeric = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || " $%*+-./:".contains(c);
        assert!(text.as_str().chars().all(alphanumeric));
        assert_eq!(Port::parse(text.as_str()), Ok(port));
    }
    assert_eq!(MAX_QR_TEXT, 340);
}

#[test]
fn r2_5_a_plain_port_fits_a_version_5_code_at_level_m() {
    use qrcode::{EcLevel, QrCode, Version};
    let text = plain().qr_text();
    let code = QrCode::with_version(text.as_str(), Version::Normal(5), EcLevel::M).unwrap();
    assert_eq!(code.width(), 37);
    assert!(QrCode::with_error_correction_level(port(longest()).qr_text().as_str(), EcLevel::M).is_ok());
}

const BASES: [&str; 20] = [
    "https://a",
    "https://port.example/",
    "https://[::1]:8/x?y=z&a=%20",
    "https://1.2.3.4",
    "https://x/~",
    "https://A//",
    "https://port.example:65535/p",
    "https://port.example:/p",
    "https://port.example./p",
    "https://a-b.c_d.example",
    "https://xn--mnchen-3ya.example/p",
    "https://1.2.3.4.example",
    "https://user:word@port.example/p",
    "https://[2001:db8::1.2.3.4]",
    "https://localhost?x@y:z",
    "http://b6geeakpwskovltbesvy3b6ah3ewxfmnhnshojndmpp7wcv2df7bnead.onion/p",
    "http://www.b6geeakpwskovltbesvy3b6ah3ewxfmnhnshojndmpp7wcv2df7bnead.onion:8080",
    "http://A.ONION",
    "https://a.onion",
    "http://a.onion./p?q",
];
const NO_BASES: [&str; 52] = [
    "",
    "https://",
    "https:///",
    "https:///x",
    "https://#",
    "https://?x",
    "https://:8",
    "https://:443/",
    "https://@x",
    "https://:@x",
    "http://a.example/",
    "http://onion/",
    "http://.onion/",
    "http://a.onion.example/",
    "http://a.example/.onion",
    "http://a.example/?.onion",
    "http://a.onion@b.example",
    "HTTPS://a.example/",
    "https:/a.example/",
    "a.example/",
    "ftp://a.example/",
    "https://a.example/#",
    "https://a.example/#x",
    "https://a.example/ x",
    "https://a.example/ü",
    "https://ü.example/",
    "https://a.example/\\x",
    "https://a.example/\"",
    "https://a.example/\0",
    "https://[",
    "https://[]",
    "https://[/x",
    "https://[::1",
    "https://[::1]x",
    "https://[::1]:x",
    "https://[1.2.3.4]",
    "https://[::g]",
    "https://[fe80::1%25eth0]",
    "https://[v1.x]",
    "https://a]",
    "https://a.example:65536/",
    "https://a.example:99999999999999999999",
    "https://a.example:x",
    "https://a.example:+1",
    "https://a..example",
    "https://.a.example",
    "https://a.example..",
    "https://1.2.3",
    "https://1.2.3.256",
    "https://a.1",
    "https://a.0x1f",
    "https://a%2eexample",
];

#[test]
fn r2_6_a_label_has_at_most_63_characters_and_a_host_253() {
    let is_base = |host: &str| plain().link(&format!("https://{host}/p")).is_ok();
    let label = "a".repeat(63);
    let (longest, longer) =
        (format!("{label}.{label}.{label}.{}", &label[2..]), format!("{label}.{label}.{label}.{}", &label[1..]));
    assert_eq!((longest.len(), longer.len()), (253, 254));
    assert!(is_base(&label) && is_base(&longest) && is_base(&format!("{longest}.")));
    assert!(!is_base(&format!("{label}a")) && !is_base(&longer));
}

#[test]
fn r2_6_a_link_is_a_base_and_the_base32_behind_its_fragment_sign() {
    for offer in [PortOptions::new(), longest()] {
        let port = port(offer);
        for base in BASES {
            let link = port.link(base).unwrap().to_string();
            assert_eq!(link, qr(port.to_bytes().as_slice()).replacen("PORT:", &format!("{base}#"), 1));
            assert_eq!(Port::parse(&link).as_ref(), Ok(&port));
        }
    }
}

#[test]
fn r2_6_other_bases_are_refused() {
    let port = plain();
    for base in NO_BASES {
        assert_eq!(port.link(base).err(), Some(PortError::BadLinkBase), "{base}");
        let link = port.qr_text().to_string().replacen("PORT:", &format!("{base}#"), 1);
        assert_eq!(Port::parse(&link), Err(PortError::Malformed), "{link}");
    }
}

/// Unicode's White_Space, and the zero-width characters of §2.7.
const FORGIVEN: [char; 32] = [
    '\t', '\n', '\u{b}', '\u{c}', '\r', ' ', '\u{85}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}',
    '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}', '\u{2028}',
    '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}',
    '\u{2060}', '\u{feff}',
];

#[test]
fn r2_7_white_space_and_zero_width_characters_around_a_text_are_forgiven() {
    let port = plain();
    let all: String = FORGIVEN.iter().collect();
    for text in [port.qr_text().to_string(), port.link(BASES[1]).unwrap().to_string()] {
        for around in FORGIVEN.map(String::from).iter().chain([&all]) {
            for padded in [format!("{around}{text}"), format!("{text}{around}"), format!("{around}{text}{around}")] {
                assert_eq!(Port::parse(&padded).as_ref(), Ok(&port), "{around:?}");
            }
        }
    }
}

#[test]
fn r2_7_no_other_character_is_forgiven_around_a_text() {
    let port = plain();
    let texts = [port.qr_text().to_string(), port.link(BASES[1]).unwrap().to_string()];
    for c in (0..=0x30ff).chain(0xfe00..=0xffff).filter_map(char::from_u32).filter(|c| !FORGIVEN.contains(c)) {
        for text in &texts {
            for around in [format!("{c}{text}"), format!("{text}{c}"), format!(" {c} {text}")] {
                assert_eq!(Port::parse(&around), Err(PortError::Malformed), "{c:?}");
            }
        }
    }
}

#[test]
fn r2_7_nothing_inside_a_text_is_forgiven() {
    let port = plain();
    let (text, link) = (port.qr_text().to_string(), port.link("https://a.example/x").unwrap().to_string());
    for text in [&text, &link] {
        for place in 1..text.len() {
            for c in FORGIVEN.into_iter().chain(['-', '#', '=', '%', '\0']) {
                let spoilt = format!("{}{c}{}", &text[..place], &text[place..]);
                // In the base of a link, what RFC 3986 allows is another base.
                let in_base = text.starts_with("https") && place <= text.find('#').unwrap() && "-=%".contains(c);
                assert!(in_base || Port::parse(&spoilt) == Err(PortError::Malformed), "{spoilt}");
            }
        }
    }
    for spoilt in [
        text.to_lowercase(),
        text.replacen("PORT", "port", 1),
        text.replacen("PORT:", "PORT", 1),
        text.replacen("PORT:", "", 1),
        text.replacen("PORT:", "PORT:PORT:", 1),
        text.replacen("PORT:", "PORT://", 1),
        text.replacen("PORT:", "#", 1),
        text.replacen("PORT:", "https://a#PORT:", 1),
        format!("{text}="),
        format!("{text}======"),
        format!("{text}A"),
        format!("{text}{text}"),
        link.replace("https", "http"),
        link.replace('#', ""),
        link.replace('#', "##"),
        link.replace('#', "#x#"),
        link.to_lowercase(),
        format!("{link}#"),
        format!("PORT:{link}"),
        String::new(),
    ] {
        assert_eq!(Port::parse(&spoilt), Err(PortError::Malformed), "{spoilt}");
    }
}

#[test]
fn r2_7_the_base32_is_the_one_that_the_port_encodes_to() {
    let text = plain().qr_text().to_string();
    assert_eq!(73 * 8 % 5, 4); // bits of the last character that count
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let last = alphabet.find(&text[text.len() - 1..]).unwrap();
    assert_eq!(last % 2, 0);
    for (place, c) in alphabet.chars().enumerate() {
        let expected = match place {
            _ if place == last => Ok(plain()),
            // The bit that stands for nothing.
            _ if place == last + 1 => Err(PortError::Malformed),
            _ => Err(PortError::Damaged),
        };
        assert_eq!(Port::parse(&format!("{}{c}", &text[..text.len() - 1])), expected);
    }
}

#[test]
fn r2_7_a_text_of_more_than_the_longest_port_is_refused() {
    for length in [146, 207, 208, 500, 5_000] {
        assert_eq!(Port::parse(&qr(&vec![0x81; length])), Err(PortError::Malformed));
        assert_eq!(Port::parse(&format!("PORT:{}", "A".repeat(length))), Err(PortError::Damaged));
    }
}

/// The QR text and a link of these bytes, with a check that is right.
fn texts(bytes: &[u8]) -> [String; 2] {
    let text = qr(bytes);
    [text.clone(), text.replacen("PORT:", "https://port.example/#", 1)]
}

#[test]
fn r1_3_the_version_is_judged_before_the_length() {
    let longest = tree(&port(longest()));
    let of_version = |version: u64, more: usize| {
        let items = longest.items().iter().cloned().chain([Cbor::Bytes(vec![7; more])]);
        Cbor::Array(items.collect()).with(&[0], Cbor::Uint(version)).write()
    };
    for version in [0, 2, 23, 24, 255, 256, u64::from(u32::MAX), u64::MAX] {
        // As long as a Port may be, and far longer.
        for more in [0, 60, 61, 100, 500, 5_000] {
            for text in texts(&of_version(version, more)) {
                assert_eq!(
                    Port::parse(&text),
                    Err(PortError::UnsupportedVersion),
                    "{version}: {} characters",
                    text.len()
                );
            }
        }
    }
    for more in [100, 500, 5_000] {
        for text in texts(&of_version(1, more)) {
            assert_eq!(Port::parse(&text), Err(PortError::Malformed));
        }
    }
}

#[test]
fn r1_3_an_array_head_and_a_number_in_any_form_are_a_version() {
    // Whatever the head says, and whatever follows.
    let of_another: [&[u8]; 9] = [
        &[0x80, 0x02],
        &[0x80, 0x00],
        &[0x85, 0x02],
        &[0x97, 0x02, 0xff],
        &[0x98, 0x85, 0x18, 0x02],
        &[0x99, 0xff, 0xff, 0x19, 0x00, 0x02],
        &[0x9a, 0, 0, 0, 1, 0x1a, 0, 0, 0, 0],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0x18],
        &[0x81, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ];
    for bytes in of_another {
        for follows in [0, 1, 71, 200, 3_000] {
            let bytes = [bytes, &vec![0xee; follows]].concat();
            assert_eq!(Port::from_bytes(&bytes), Err(PortError::UnsupportedVersion), "{bytes:02x?}");
            for text in texts(&bytes) {
                assert_eq!(Port::parse(&text), Err(PortError::UnsupportedVersion), "{text}");
            }
        }
    }
    // No head of definite length, no number, or this version in other bytes.
    let malformed: [&[u8]; 9] = [
        &[0x80],
        &[0x9f, 0x02],
        &[0x02],
        &[0xa1, 0x02],
        &[0x85, 0x22],
        &[0x85, 0x41, 0x02],
        &[0x85, 0x1b, 0, 0, 0, 0, 0, 0, 0],
        &[0x98, 0x05, 0x01],
        &[0x85, 0x18, 0x01],
    ];
    for bytes in malformed {
        assert_eq!(Port::from_bytes(bytes), Err(PortError::Malformed), "{bytes:02x?}");
        // Longer, or its check would be read as the version.
        for text in texts(&[bytes, &[1; 20]].concat()) {
            assert_eq!(Port::parse(&text), Err(PortError::Malformed), "{text}");
        }
    }
}

#[test]
fn r2_7_the_version_is_judged_behind_the_alphabet_and_before_the_length_of_the_base32() {
    let bytes = tree(&plain()).with(&[0], Cbor::Uint(2)).write();
    let text = qr(&bytes);
    assert_eq!(text.len(), 122);
    // No bytes have a Base32 of 1, 3 or 6 characters more than whole groups of eight; nor do all last characters end one.
    for length in ["PORT:".len() + 4..text.len(), text.len()..text.len() + 200] {
        for length in length {
            let text: String = text.chars().chain(std::iter::repeat('7')).take(length).collect();
            assert_eq!(Port::parse(&text), Err(PortError::UnsupportedVersion), "{length}");
        }
    }
    // Three characters hold one byte, which is no version.
    for length in 0..4 {
        assert_eq!(Port::parse(&text[.."PORT:".len() + length]), Err(PortError::Damaged));
    }
    for place in "PORT:".len()..text.len() {
        for c in ['0', '1', '8', '9', 'a', 'z', '=', '-', 'é'] {
            let spoilt = format!("{}{c}{}", &text[..place], &text[place + 1..]);
            assert_eq!(Port::parse(&spoilt), Err(PortError::Malformed), "{spoilt}");
        }
        assert_eq!(Port::parse(&format!("{text}{}", "1".repeat(place))), Err(PortError::Malformed));
    }
}

#[test]
fn r2_7_reading_says_what_is_wrong() {
    let bad = |path: &[usize], new| Port::parse(&qr(&tree(&plain()).with(path, new).write()));
    assert_eq!(bad(&[0], Cbor::Uint(2)), Err(PortError::UnsupportedVersion));
    assert_eq!(bad(&[1], Cbor::Uint(4)), Err(PortError::UnsupportedKind));
    assert_eq!(bad(&[3], Cbor::Bytes(vec![0; 32])), Err(PortError::WeakPublicKey));
    assert_eq!(bad(&[4], Cbor::Null), Err(PortError::Malformed));
}

/// A plain Port, a Superport, and a contact port with a ticket: the last two with all they can say.
pub fn kinds() -> [Port; 3] {
    [plain(), port(longest().policy(Policy::up_to(9))), longest_port()]
}

/// Neither reader takes it, whatever they call it.
fn is_refused(text: &str) {
    assert!(Port::parse(text).is_err(), "{text}");
}

/// The places of a text's Base32.
fn places(text: &str) -> std::ops::Range<usize> {
    "PORT:".len()..text.len()
}

/// Each character changed to each other, lost and doubled, and each two neighbours swapped.
pub fn small_changes(text: &str) -> impl Iterator<Item = String> {
    places(text).flat_map(move |place| {
        let (before, old, after) = (&text[..place], &text[place..=place], &text[place + 1..]);
        let others = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars().filter(|c| !old.contains(*c));
        let next = after.chars().next().filter(|next| !old.contains(*next));
        let swapped = next.map(|next| format!("{before}{next}{old}{}", &after[1..]));
        others
            .map(|c| format!("{before}{c}{after}"))
            .chain([format!("{before}{after}"), format!("{before}{old}{old}{after}")])
            .chain(swapped)
            .collect::<Vec<_>>()
    })
}

#[test]
fn r2_7_every_small_change_is_refused() {
    for port in kinds() {
        let text = port.qr_text().to_string();
        let count = small_changes(&text).inspect(|changed| is_refused(changed)).count();
        assert!(count > 33 * places(&text).len());
    }
}

#[test]
fn r2_7_what_keeps_its_form_is_judged_by_the_check() {
    let with = |place: usize, byte: u8| {
        let mut bytes = plain().to_bytes().as_slice().to_vec();
        bytes[place] ^= byte;
        // The check of the Port as it was.
        let text = [&bytes[..], &crc(plain().to_bytes().as_slice()).to_be_bytes()].concat();
        (Port::from_bytes(&bytes).is_ok(), Port::parse(&format!("PORT:{}", data_encoding::BASE32_NOPAD.encode(&text))))
    };
    for place in (4..20).chain(22..53).chain(55..71) {
        assert_eq!(with(place, 1), (true, Err(PortError::Damaged)));
    }
    assert_eq!(with(0, 0), (true, Ok(plain())));
}

/// A check of 16 bits lets through one of 65,536. Of 2²⁰ damages that keep the form of a Port 16 are expected; 40 or more would come once
/// in a million tries, and 1 or less as well.
#[test]
fn r2_7_random_damage_passes_once_in_65536() {
    use rand::{Rng, SeedableRng};
    let (mut rng, mut passed) = (rand::rngs::StdRng::seed_from_u64(13), 0);
    let mut bytes = plain().to_bytes().as_slice().to_vec();
    let check = crc(&bytes);
    for _ in 0..1 << 20 {
        // Of the line link and the RAD any bytes are good, and of the key almost any.
        [4..20, 22..53, 55..71].into_iter().for_each(|field| rng.fill_bytes(&mut bytes[field]));
        if crc(&bytes) == check {
            let text = qr(&bytes);
            assert!(Port::from_bytes(&bytes).is_err() || Port::parse(&text).is_ok());
            passed += 1;
        }
    }
    assert!((2..40).contains(&passed), "{passed}");
}
