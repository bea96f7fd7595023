//! `portal_id`: one text for each Portal ID and each card, and nothing is found that its own text does not say (docs/portal.md §18.2, §18.3).

use port_protocol::portal::{CardError, FindCardError, MAX_CARD_BYTES, PORTAL_ID_TEXT, PortalCard, PortalId};
use port_protocol::{FindError, Port};

/// An ID or a card as a text, a card as bytes, an NDEF message.
pub fn portal_id(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let (id, parsed) = (text.parse::<PortalId>(), PortalCard::parse(&text));
    let (found, in_ndef) = (PortalCard::find(&text), PortalCard::find_in_ndef(data));
    if let Ok(id) = &id {
        has_one_text(id);
        let entered = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        assert!(entered.eq_ignore_ascii_case(&id.to_string()), "two texts of one ID");
        assert_eq!(found.as_ref(), Ok(&PortalCard::new(*id, None)));
    }
    if let Ok(card) = &parsed {
        assert_eq!(found.as_ref(), Ok(card), "the strict reader has another card");
        let base32 = card.qr_text().replacen("PORTAL:", "", 1);
        assert!(text.contains(&base32), "two texts of one card");
    }

    let from_bytes = PortalCard::from_bytes(data);
    if let Ok(card) = &from_bytes {
        assert!(card.to_bytes() == data, "two encodings of one card");
        assert!(str::from_utf8(data).is_err(), "a card is a text");
    }
    match (PortalCard::from_message(data), &from_bytes) {
        (message, bytes) if message == *bytes => {}
        (Err(CardError::Malformed), Err(CardError::UnsupportedVersion)) => {}
        (message, bytes) => panic!("{message:?} as a message, {bytes:?} as bytes"),
    }

    for card in found.iter().chain(&in_ndef).chain(&from_bytes) {
        has_one_text(&card.id());
        assert!(card.to_bytes().len() <= MAX_CARD_BYTES);
        assert_eq!(PortalCard::from_bytes(&card.to_bytes()).as_ref(), Ok(card));
        let (qr, link) = (card.qr_text(), card.link("https://portal.example/p").expect("a good base"));
        for text in [&qr, &link, &format!(" {qr}\r\n")] {
            assert_eq!(PortalCard::parse(text).as_ref(), Ok(card));
            assert_eq!(PortalCard::find(&format!("> Open <{text}>,\r\n")).as_ref(), Ok(card));
            assert_eq!(Port::find(text), Err(FindError::PortalCard));
        }
        let message = card.ndef("https://portal.example/p").expect("a good base");
        assert_eq!(PortalCard::find_in_ndef(&message).as_ref(), Ok(card));
    }
    // Who is sent to the other search finds something there.
    if found == Err(FindCardError::Port) {
        assert!(matches!(Port::find(&text), Ok(_) | Err(FindError::MoreThanOne)));
    }
    id.is_ok() || found.is_ok() || in_ndef.is_ok() || from_bytes.is_ok()
}

fn has_one_text(id: &PortalId) {
    let text = id.to_string();
    assert_eq!(text.len(), PORTAL_ID_TEXT);
    assert_eq!(text.parse().as_ref(), Ok(id));
    assert_eq!(text.to_uppercase().parse().as_ref(), Ok(id));
    assert_eq!((id.short().as_str(), text[..6].parse()), (&text[..6], Ok(id.short())));
}
