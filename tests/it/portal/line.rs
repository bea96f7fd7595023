//! §18.3: two owners who form a line by a Port exchange their cards over it. Nothing is typed.

use port_protocol::portal::*;
use port_protocol::*;

use super::card::cards;
use crate::common::world::{ALICE, BOB, Faults};
use crate::common::*;
use crate::crash::shake_hands;

#[test]
fn r18_3_two_owners_exchange_their_cards_over_a_line() {
    let [of_alice, of_bob] = [cards()[1].clone(), cards()[3].clone()];
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        let mut world = shake_hands(how, Faults::default());
        let say = |message: &[u8]| Input::Seal(message.to_vec(), Vec::new());
        for (user, card) in [(ALICE, &of_alice), (BOB, &of_bob)] {
            let key = world.line(user).unwrap().key();
            // A word before it, and the card in letters: neither is taken for the sender's own card.
            for message in [&b"This is my Portal"[..], card.qr_text().as_bytes(), &card.to_message()] {
                world.give(user, key, &say(message)).unwrap().unwrap();
            }
        }
        world.pump();
        for (user, card) in [(ALICE, &of_bob), (BOB, &of_alice)] {
            assert!(world.line(user).unwrap().confirmed().is_some());
            let heard: Vec<_> =
                world.users[user].heard().iter().map(|message| PortalCard::from_message(message)).collect();
            assert_eq!(heard, [Err(CardError::Malformed), Err(CardError::Malformed), Ok(card.clone())]);
        }
    }
}

#[test]
fn r18_3_no_text_is_a_message_of_a_card() {
    for card in cards() {
        assert!(str::from_utf8(&card.to_message()[..1]).is_err());
        assert!(!card.to_message()[0].is_ascii());
        assert_eq!(PortalCard::from_message(&card.to_message()), Ok(card.clone()));
        for text in [card.qr_text(), card.link("https://example.org/p").unwrap(), card.id().to_string(), String::new()]
        {
            assert_eq!(PortalCard::from_message(text.as_bytes()), Err(CardError::Malformed));
        }
    }
}

/// A later version is told apart from what an app says in CBOR of its own.
#[test]
fn r18_3_a_message_of_another_version_is_one_of_a_card() {
    let later = [&[0x82, 0x02, 0x10][..], &[0x85, 0x02, 0x10, 0, 0, 0], &[0x83, 0x18, 0xff, 0x10, 0xf6]];
    for message in later {
        assert_eq!(PortalCard::from_message(message), Err(CardError::UnsupportedVersion), "{message:02x?}");
    }
    let own = [&[0x82, 0x02, 0x11][..], &[0x82, 0x02, 0x62, b'h', b'i'], &[0x81, 0x02], &[0x82, 0x01, 0x10], &[0x02]];
    for message in own {
        assert_eq!(PortalCard::from_message(message), Err(CardError::Malformed), "{message:02x?}");
    }
}
