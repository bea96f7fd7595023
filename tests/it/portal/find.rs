//! §18.3: a card, or an ID, found in a text that went through other software.

use port_protocol::portal::*;
use port_protocol::*;

use super::card::{card, cards, portal_qr};
use super::id::{ids, key};
use crate::find::{Case, encoded, table};
use crate::port::plain;
use crate::text::kinds;

use FindCardError::*;

/// The table of texts with a card in the place of the Port. `None`: the text has something that no card is.
fn fill(text: &str, card: &PortalCard) -> Option<String> {
    let base32 = |card: &PortalCard| card.qr_text().strip_prefix("PORTAL:").unwrap().to_owned();
    let whole = base32(card);
    let half = whole.len() * 54 / 117;
    let quarter = |n: usize| whole[whole.len() * n / 4..whole.len() * (n + 1) / 4].to_owned();
    let changed = |place: usize| {
        let other = if whole.as_bytes()[place] == b'A' { 'B' } else { 'A' };
        format!("{}{other}{}", &whole[..place], &whole[place + 1..])
    };
    let placeholders = [
        ("OTHER", base32(&PortalCard::new(ids()[5], None))),
        ("CUT1", whole[..whole.len() - 1].to_owned()),
        ("CUT6", whole[..whole.len() - 6].to_owned()),
        ("BAD1", changed(55)),
        ("BAD2", changed(33)),
        ("BAD3", changed(20)),
        ("B32A", whole[..half].to_owned()),
        ("B32B1", whole[half + 1..].to_owned()),
        ("B32B", whole[half..].to_owned()),
        ("b32B", whole[half..].to_lowercase()),
        ("b32bad", changed(50).to_lowercase()),
        ("Q1", quarter(0)),
        ("Q2", quarter(1)),
        ("Q3", quarter(2)),
        ("Q4", quarter(3)),
        ("FULL", whole.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect()),
        ("b32", whole.to_lowercase()),
        ("B32", whole),
    ];
    let mut text = text.to_owned();
    // Every way in which the table writes the scheme; and what begins as a Port does.
    for (port, portal) in [
        ("ORT:", "ORTAL:"),
        ("ort:", "ortal:"),
        ("OrT:", "OrTal:"),
        ("ORT%", "ORTAL%"),
        ("ort%", "ortal%"),
        ("ORT&", "ORTAL&"),
        ("ort&", "ortal&"),
        ("ORT=", "ORTAL="),
        ("ORT\\", "ORTAL\\"),
        ("ORT\u{200b}", "ORTAL\u{200b}"),
        ("ORT\u{ff1a}", "ORTAL\u{ff1a}"),
        ("ort\u{ff1a}", "ortal\u{ff1a}"),
        ("&#84;", "&#84;AL"),
        ("%54%3A", "%54AL%3A"),
        ("\u{ff34}\u{ff1a}", "\u{ff34}\u{ff21}\u{ff2c}\u{ff1a}"),
    ] {
        text = text.replace(port, portal);
    }
    if text.contains("PORTAL:QU") {
        return None;
    }
    for (name, value) in &placeholders {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    let text = encoded(text);
    (!text.contains('{')).then_some(text)
}

#[test]
fn r18_3_the_table_of_texts() {
    let (mut count, mut wrong) = (0, Vec::new());
    for card in cards() {
        for Case { kind, expected, inputs } in table() {
            for input in inputs {
                let Some(text) = fill(&input, &card) else { continue };
                let found = match PortalCard::find(&text) {
                    Ok(found) if found == card => "Port".to_owned(),
                    Ok(_) => "another".to_owned(),
                    Err(NoCard) => "NoPort".to_owned(),
                    Err(error) => format!("{error:?}"),
                };
                count += 1;
                if found != expected {
                    wrong.push(format!("{kind}: {text:?} is {found}, not {expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 2000, "{count}");
}

#[test]
fn r18_3_what_parse_reads_find_reads_alike() {
    for card in cards() {
        for text in [card.qr_text(), card.link("https://example.org/p").unwrap()] {
            assert_eq!(PortalCard::parse(&text).as_ref(), Ok(&card));
            for around in [text.clone(), text.to_lowercase(), format!("<{text}>, see you!"), format!("{text}\n{text}")]
            {
                assert_eq!(PortalCard::find(&around).as_ref(), Ok(&card), "{around}");
            }
        }
        let link = card.link("https://example.org/p").unwrap();
        for width in 1..80 {
            let lines: Vec<_> = link.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
            assert_eq!(PortalCard::find(&lines.join("\r\n> ")).as_ref(), Ok(&card), "{width}");
        }
    }
}

#[test]
fn r18_3_a_text_that_is_cut_says_so_at_every_place() {
    for card in cards() {
        for text in [card.qr_text(), card.link("https://example.org/p").unwrap()] {
            let begin = if text.starts_with("PORTAL:") { "PORTAL:".len() } else { "https://example.org".len() };
            for end in begin..text.len() {
                for cut in [text[..end].to_owned(), format!("{}\u{2026} Bye!", &text[..end])] {
                    assert_eq!(PortalCard::find(&cut), Err(CutOff), "{cut}");
                }
            }
        }
    }
}

#[test]
fn r18_3_an_id_by_itself_is_a_card_without_an_address() {
    for id in ids() {
        let (card, text) = (PortalCard::new(id, None), id.to_string());
        let groups: Vec<_> = text.as_bytes().chunks(5).map(|group| str::from_utf8(group).unwrap()).collect();
        for around in [
            text.clone(),
            text.to_uppercase(),
            groups.join("-"),
            groups.join(" "),
            format!(" {}\r\n", groups.join("\n")),
            format!("My Portal ID is {text}."),
            format!("ID:{text}, {}", text.to_uppercase()),
            format!("https://{text}.portals.example/"),
            format!("PORTAL: {text}"),
            format!("{text} or {}", card.qr_text()),
        ] {
            assert_eq!(PortalCard::find(&around).as_ref(), Ok(&card), "{around}");
        }
    }
    // The card with an address says more.
    let card = card(1, "https://portal.example/");
    let both = format!("{} {}", card.id(), card.link("https://example.org/p").unwrap());
    assert_eq!(PortalCard::find(&both), Ok(card));
}

#[test]
fn r18_3_an_id_that_is_mistyped_is_told() {
    let text = PortalId::of(&key(1)).to_string();
    let swapped = text.replacen("4k", "k4", 1);
    for (around, error) in [
        (swapped.clone(), PortalIdError::Mistyped),
        (format!("I am {swapped}!"), PortalIdError::Mistyped),
        (text[1..].to_owned(), PortalIdError::TooShort),
        (format!("{text}a"), PortalIdError::TooLong),
        (text.replacen('p', "0", 1), PortalIdError::BadCharacter('0')),
        (format!("{} {}", &text[..20], &text[21..]), PortalIdError::TooShort),
    ] {
        assert_eq!(PortalCard::find(&around), Err(BadId(error)), "{around}");
        assert_eq!(BadId(error).to_string(), error.to_string());
    }
    for other in [
        "",
        "0",
        "Hello, who are you?",
        "a text of about fifty five letters that has no digit in it at all",
        "a text of about fifty five letters and a digit such as 5, and a comma",
        &text[..44],
        &format!("{text}abcdef"),
        &format!("{text}{text}"),
    ] {
        assert_eq!(PortalCard::find(other), Err(NoCard), "{other}");
    }
}

#[test]
fn r18_3_two_portals_are_more_than_one() {
    let texts =
        |card: &PortalCard| [card.qr_text(), card.link("https://example.org/p").unwrap(), card.id().to_string()];
    for a in texts(&cards()[0]) {
        for b in texts(&cards()[4]) {
            for around in [format!("{a} {b}"), format!("{b}\n{a}")] {
                assert_eq!(PortalCard::find(&around), Err(MoreThanOne), "{around}");
            }
        }
    }
}

#[test]
fn r18_3_a_port_and_a_card_are_told_apart() {
    for port in kinds() {
        for text in [port.qr_text().to_string(), port.link("https://example.org/p").unwrap().to_string()] {
            for around in [text.clone(), text.to_lowercase(), format!("See <{text}>.")] {
                assert_eq!(PortalCard::find(&around), Err(FindCardError::Port), "{around}");
                assert_eq!(port_protocol::Port::find(&around).as_ref(), Ok(&port));
            }
        }
    }
    for card in cards() {
        for text in [card.qr_text(), card.link("https://example.org/p").unwrap()] {
            for around in [text.clone(), text.to_lowercase(), format!("See <{text}>.")] {
                assert_eq!(port_protocol::Port::find(&around), Err(FindError::PortalCard), "{around}");
            }
            // Each finds its own.
            let both = format!("{text} {}", plain().qr_text());
            assert_eq!(port_protocol::Port::find(&both), Ok(plain()));
            assert_eq!(PortalCard::find(&both).as_ref(), Ok(&card));
        }
    }
    // Two Ports are two, whatever else is there.
    let both = format!("{} {} {}", kinds()[0].qr_text(), kinds()[1].qr_text(), cards()[0].qr_text());
    assert_eq!(port_protocol::Port::find(&both), Err(FindError::MoreThanOne));
    let ports = format!("{} {}", kinds()[0].qr_text(), kinds()[1].qr_text());
    assert_eq!(PortalCard::find(&ports), Err(FindCardError::Port));
}

#[test]
fn r18_3_what_is_of_another_version_or_by_a_broken_maker_is_told() {
    let bytes = cards()[1].to_bytes();
    let later = portal_qr(&[&[0x84, 2], &bytes[2..]].concat());
    assert_eq!(PortalCard::find(&format!("<{later}>")), Err(WrongVersion));
    let bad = [&bytes[..37], &[0x65], b"ftp:/"].concat();
    assert_eq!(PortalCard::parse(&portal_qr(&bad)), Err(CardError::BadAddress));
    assert_eq!(PortalCard::find(&portal_qr(&bad)), Err(Damaged));
}

#[test]
fn r18_3_the_words_of_each_error_are_a_sentence() {
    let own = [NoCard, CutOff, Rewritten, Damaged, MoreThanOne, WrongVersion, FindCardError::Port];
    for words in own.map(|error| error.to_string()).into_iter().chain([FindError::PortalCard.to_string()]) {
        assert!(words.ends_with('.') && words.matches('.').count() == 2 && words.is_ascii(), "{words}");
        assert!(
            !["check", "fragment", "Base32", "CRC", "bytes"].iter().any(|jargon| words.contains(jargon)),
            "{words}"
        );
        assert!(words.contains("Portal"), "{words}");
    }
}

#[test]
fn r18_3_the_time_grows_with_the_length_alone() {
    let id = ids()[0].to_string();
    for piece in ["PORTAL:", "#Q", "a-", "portal:\u{ad}", &id[..54], &format!("{} ", &id[..54]), "\u{200b}"] {
        let long = piece.repeat((1 << 18) / piece.len());
        let started = std::time::Instant::now();
        assert!(PortalCard::find(&format!("{long} {}", cards()[0].qr_text())).is_ok());
        assert!(started.elapsed().as_secs() < 60, "{piece:?}");
    }
}
