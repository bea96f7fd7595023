//! §17.1: no text makes a reader panic, and what is read is written again and read the same.

use crate::common::at;

use super::{HOSTILE, bob, contact_port, name, port, reader, superport};
use port_protocol::app::{
    Bundle, EncryptedContent, Event, Grant, Happened, Intro, Message, Name, Scanned, UnauthenticatedKey, response,
};
use proptest::prelude::*;

/// Every reader at once. A reader must take again what it took and we wrote.
fn read_all(text: &str) {
    if let Ok(bundle) = Bundle::from_json(text) {
        assert_eq!(Bundle::from_json(bundle.to_json().as_str()), Ok(bundle.clone()));
        assert_eq!(Scanned::parse(bundle.link().as_str()), Ok(Scanned::Bundle(bundle)));
    }
    if let Ok(Scanned::Bundle(bundle)) = Scanned::parse(text) {
        assert_eq!(Scanned::parse(bundle.to_json().as_str()), Ok(Scanned::Bundle(bundle)));
    }
    if let Ok(grant) = Grant::from_json(text) {
        assert_eq!(Grant::from_json(grant.to_json().as_str()), Ok(grant));
    }
    let intro = Intro::from_json(text);
    assert_eq!(Intro::from_json(intro.to_json().as_str()), intro);
    if let Ok(event) = Event::from_json(text) {
        assert_eq!(Event::from_json(event.to_json().as_str()), Ok(event));
    }
    if let Ok(message) = Message::from_json(text) {
        let json = message.to_json().unwrap();
        assert_eq!(Message::from_json(json.as_str()), Ok(message));
    }
    if let Ok(content) = EncryptedContent::from_json(text) {
        assert_eq!(EncryptedContent::from_json(content.to_json().as_str()), Ok(content.clone()));
        let _ = UnauthenticatedKey::from_secret([9; 32].into()).open(&content);
    }
    let _ = (response::line_links(text), response::connected(text), response::superport(text));
    let _ = (response::contact_port(text), response::bundle(text));
    let _ = Name::new(text);
}

/// Good texts. The tests damage them, and no reader may panic.
fn good() -> Vec<String> {
    let mut texts = Vec::new();
    for bundle in [port(), superport(), contact_port()] {
        for hostile in HOSTILE {
            let bundle = bundle.clone().named(name(hostile)).expiring(at(1_790_000_000));
            let intro = Intro::make(&bob(), [1; 16], &bundle, &name(hostile)).0;
            let used = Happened::Used {
                kind: bundle.kind(),
                port_id: [3; 16].into(),
                line_id: [2; 16].into(),
                pair_hash: [6; 32].into(),
                intro: intro.clone(),
            };
            let event = Event { what: used, timestamp: Some(at(1)) };
            texts.extend(
                [bundle.to_json(), bundle.link(), intro.to_json(), event.to_json()].map(|text| text.to_string()),
            );
        }
    }
    let id = "01".repeat(16);
    let line = UnauthenticatedKey::from_secret([9; 32].into());
    texts.push(line.seal([1; 16], "hello").unwrap().to_json().to_string());
    texts.push(format!(
        r#"{{"messageId":"{id}","contentType":26,"data":{{"ticketId":"{id}","contactPortId":"{id}"}},"replyId":null}}"#
    ));
    texts.push(format!(r#"{{"messageId":"{id}","contentType":25,"data":{{"bundle":{}}}}}"#, super::grant().to_json()));
    texts
}

#[test]
fn r17_1_good_texts_are_read_by_all_readers() {
    good().iter().for_each(|text| read_all(text));
}

proptest! {
    #[test]
    fn r17_1_no_text_makes_a_reader_panic(text in any::<String>()) {
        read_all(&text);
        read_all(&format!("{{{text}}}"));
        read_all(&format!("https://porting.me/?{text}"));
    }

    #[test]
    fn r17_1_no_damage_makes_a_reader_panic(which in any::<prop::sample::Index>(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 1..4)) {
        let mut text: Vec<char> = which.get(&good()).chars().collect();
        for (at, c, how) in edits {
            let at = at.index(text.len());
            match how {
                0 => text[at] = c,
                1 => text.insert(at, c),
                _ => drop(text.remove(at)),
            }
        }
        read_all(&text.into_iter().collect::<String>());
    }

    #[test]
    fn r17_3_every_name_comes_back_and_the_app_reads_its_own(text in "(\\PC|[&=?+%\"\\\\# ]){0,30}") {
        let Ok(name) = Name::new(&text) else { return Ok(()) };
        let bundle = port().named(name);
        prop_assert_eq!(Bundle::from_json(bundle.to_json().as_str()), Ok(bundle.clone()));
        prop_assert_eq!(Scanned::parse(bundle.link().as_str()), Ok(Scanned::Bundle(bundle.clone())));
        let shown = bundle.link_for_app();
        let meant = shown.renamed.map_or(bundle.clone(), |name| bundle.named(name));
        let json = serde_json::from_str(meant.to_json().as_str()).unwrap();
        prop_assert_eq!(reader::read(shown.text.as_str()), Some(json));
    }
}
