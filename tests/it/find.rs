//! §2.8: a Port found in a text that went through other software. The texts are a table of tests/texts.
#![cfg(feature = "alloc")]

use data_encoding::{BASE64, BASE64URL_NOPAD};
use port_protocol::*;
use serde::Deserialize;

use crate::common::cbor::Cbor;
use crate::common::{Commit, longest, port};
use crate::port::{plain, qr, tree};
use crate::text::{kinds, small_changes};

#[derive(Deserialize)]
pub struct Case {
    #[serde(alias = "id")]
    pub kind: String,
    pub expected: String,
    pub inputs: Vec<String>,
}

pub fn table() -> Vec<Case> {
    let read = |file| serde_json::from_str::<Vec<Case>>(file).unwrap();
    [read(include_str!("../texts/known.json")), read(include_str!("../texts/kinds.json"))]
        .into_iter()
        .flatten()
        .collect()
}

/// What the placeholders of the table stand for.
struct Placeholders(Vec<(&'static str, String)>);

impl Placeholders {
    fn new(port: &Port) -> Self {
        let base32 = |text: &str| text.strip_prefix("PORT:").unwrap().to_owned();
        let of = |port: &Port| base32(port.qr_text().as_str());
        let with = |path: &[usize], new| base32(&qr(&tree(&plain()).with(path, new).write()));
        let whole = of(port);
        let half = whole.len() * 54 / 117;
        let quarter = |n: usize| whole[whole.len() * n / 4..whole.len() * (n + 1) / 4].to_owned();
        let changed = |place: usize| {
            let other = if whole.as_bytes()[place] == b'A' { 'B' } else { 'A' };
            format!("{}{other}{}", &whole[..place], &whole[place + 1..])
        };
        // At its end two neighbours that differ.
        let unequal = (half + 20..).find(|at| whole.as_bytes()[*at] != whole.as_bytes()[at + 1]).unwrap();
        let pair: String = whole[unequal..unequal + 2].chars().rev().collect();
        let v2 = with(&[0], Cbor::Uint(2));
        let bad_relay = tree(&self::port(longest())).with(&[6], Cbor::Text("no host".into())).write();
        let grant =
            Alice::offer([3; 16].into(), PortOptions::new().introducer([4; 16].into()), Seed::from_bytes(&[5; 64]));
        let grant = grant.committed().port().unwrap().to_bytes();
        let cut = |port: &Port| of(port)[..of(port).len() - 9].to_owned();
        Self(vec![
            (
                "OTHER",
                of(&Alice::offer([9; 16].into(), PortOptions::new(), Seed::from_bytes(&[8; 64]))
                    .committed()
                    .port()
                    .unwrap()
                    .clone()),
            ),
            ("CUT1", whole[..whole.len() - 1].to_owned()),
            ("CUT6", whole[..whole.len() - 6].to_owned()),
            ("SUPERCUT", cut(&kinds()[1])),
            ("CONTACTCUT", cut(&kinds()[2])),
            ("BAD1", changed(105)),
            ("BAD2", changed(61)),
            ("BAD3", changed(20)),
            ("BADA", changed(20)[..half].to_owned()),
            ("BADB", changed(whole.len() - 6)[half..].to_owned()),
            ("b32bad", changed(100).to_lowercase()),
            ("SWAP", format!("{}{pair}{}", &whole[..unequal], &whole[unequal + 2..])),
            ("WEAKA", with(&[3], Cbor::Bytes(vec![0; 32]))[..50].to_owned()),
            ("WEAKB", with(&[3], Cbor::Bytes(vec![0; 32]))[50..].to_owned()),
            ("WEAK", with(&[3], Cbor::Bytes(vec![0; 32]))),
            ("BADRELAY", base32(&qr(&bad_relay))),
            ("GRANT", base32(&qr(grant.as_slice()))),
            ("NOISE", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCD".to_owned()),
            ("V2LONG", base32(&qr(&[&[0x85, 2], &[7; 400][..]].concat()))),
            ("V2BAD", format!("{}A", &v2[..v2.len() - 1].replace("QQ", "QA"))),
            ("v2", v2.to_lowercase()),
            ("V2", v2),
            ("KIND4", with(&[1], Cbor::Uint(4))),
            ("B32A", whole[..half].to_owned()),
            ("B32B1", whole[half + 1..].to_owned()),
            ("B32B", whole[half..].to_owned()),
            ("b32B", whole[half..].to_lowercase()),
            ("Q1", quarter(0)),
            ("Q2", quarter(1)),
            ("Q3", quarter(2)),
            ("Q4", quarter(3)),
            ("FULL", whole.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect()),
            ("b32", whole.to_lowercase()),
            ("B32", whole),
        ])
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.0 {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        encoded(text)
    }
}

/// What the table wants in Base64.
pub fn encoded(mut text: String) -> String {
    for (name, encoding) in [("{B64:", BASE64), ("{B64U:", BASE64URL_NOPAD)] {
        if let Some((before, (inner, after))) = text.split_once(name).map(|(a, b)| (a, b.split_once('}').unwrap())) {
            text = format!("{before}{}{after}", encoding.encode(inner.as_bytes()));
        }
    }
    text
}

#[test]
fn r2_8_the_table_of_texts() {
    let mut wrong = Vec::new();
    assert!(table().iter().map(|case| case.inputs.len()).sum::<usize>() >= 600);
    for port in kinds() {
        let placeholders = Placeholders::new(&port);
        for case in table() {
            for input in &case.inputs {
                let text = placeholders.fill(input);
                let found = match Port::find(&text) {
                    Ok(found) if found == port => "Port".to_owned(),
                    Ok(_) => "another Port".to_owned(),
                    Err(error) => format!("{error:?}"),
                };
                if found != case.expected {
                    wrong.push(format!(
                        "{} ({:?}): {input:?} is {found}, not {}",
                        case.kind,
                        port.kind(),
                        case.expected
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the table:\n{}", wrong.len(), wrong.join("\n"));
}

/// Not one of them is taken for another Port, in any of the forms.
#[test]
fn r2_8_every_small_change_is_refused() {
    let forms = |text: &str| [text.to_owned(), text.replacen("PORT:", "<https://example.org/p#", 1) + ">"];
    for port in kinds() {
        let text = port.qr_text().to_string();
        let is_refused = |changed: &str| {
            for changed in forms(changed) {
                let found = Port::find(&changed);
                assert!(
                    matches!(found, Err(FindError::Damaged | FindError::CutOff | FindError::WrongVersion)),
                    "{changed}: {found:?}"
                );
            }
        };
        small_changes(&text).for_each(|changed| is_refused(&changed));
    }
}

#[test]
fn r2_8_a_text_that_is_cut_says_so_at_every_place() {
    for port in kinds() {
        for text in [port.qr_text().to_string(), port.link("https://example.org/p").unwrap().to_string()] {
            let begin = if text.starts_with("PORT:") { "PORT:".len() } else { "https://example.org".len() };
            for end in begin..text.len() {
                assert_eq!(Port::find(&text[..end]), Err(FindError::CutOff), "{}", &text[..end]);
                assert_eq!(Port::find(&format!("{}… Bye!", &text[..end])), Err(FindError::CutOff), "{}", &text[..end]);
            }
        }
    }
}

#[test]
fn r2_8_a_wrap_may_stand_at_every_place() {
    for port in kinds() {
        let link = port.link("https://example.org/p").unwrap().to_string();
        for place in "https://example.org/p#".len()..link.len() {
            for wrap in ["\n", "=\r\n", "\n> ", "\u{ad}", " "] {
                let text = format!("{}{wrap}{}", &link[..place], &link[place..]);
                assert_eq!(Port::find(&text).as_ref(), Ok(&port), "{text:?}");
            }
        }
        for width in 1..80 {
            let lines: Vec<_> = link.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
            // The Base32 alone need not be on one line; where the `#` stands does not matter.
            assert_eq!(Port::find(&lines.join("\r\n> ")).as_ref(), Ok(&port), "{width}");
        }
    }
}

/// A word behind a `#` is not the beginning of a Port.
#[test]
fn r2_8_a_hashtag_is_no_port() {
    for text in ["#portal", "see #portal and #photos", "im#portal", "#wanderlust #travel", "## tmyxgzl", "#PORTAL"] {
        assert_eq!(Port::find(text), Err(FindError::NoPort), "{text}");
    }
}

#[test]
fn r2_8_the_words_of_each_error_are_a_sentence() {
    use FindError::*;
    for error in [NoPort, CutOff, Rewritten, Damaged, MoreThanOne, WrongVersion] {
        let words = error.to_string();
        assert!(words.ends_with('.') && words.matches('.').count() == 2 && words.is_ascii(), "{words}");
        assert!(
            !["check", "fragment", "Base32", "CRC", "version", "bytes"].iter().any(|jargon| words.contains(jargon)),
            "{words}"
        );
    }
}

/// Texts in which as much as possible looks like the begin of something.
#[test]
fn r2_8_the_time_grows_with_the_length_alone() {
    let port = plain();
    let (text, base32) = (port.qr_text().to_string(), port.qr_text().as_str()[5..].to_owned());
    let half = &base32[..60];
    for piece in [
        "#",
        "PORT:",
        "%25",
        "&amp;",
        "https://",
        "#Q",
        "#QUAQ\n> ",
        half,
        &format!("#{half}\n"),
        &format!("#{half} "),
        "aHR0c",
        "=\n",
        "\u{200b}",
        "\u{e0001}",
        "<",
        "</a>",
        "port:\u{ad}",
        "h\u{ad}",
        "#Q                                                             U",
        "a.",
        "-3A",
        "\\u200b",
        "/",
        "t.co/a",
        "https://t.co",
        "#\u{ad}\u{ad}\u{ad}",
        "p",
        "https://a@",
    ] {
        let long = piece.repeat((1 << 18) / piece.len());
        let started = std::time::Instant::now();
        let found = Port::find(&format!("{long} {text}"));
        // Less than a second, even where nothing is optimised. If it grew by the square, it would be minutes, and a busy machine is no excuse.
        assert!(started.elapsed().as_secs() < 60, "{piece:?}");
        assert!(matches!(found, Ok(_) | Err(FindError::Damaged)), "{piece:?}: {found:?}");
    }
}
