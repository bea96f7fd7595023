//! Seeds of Portal IDs and cards.

use port_protocol::portal::{PortalAddr, PortalCard, PortalId};
use port_protocol_fuzz::app::public_key;

use crate::Seeds;

/// An ID in each form that is forgiven, cards, and what other software makes of them.
pub fn ids() -> Seeds {
    let id = PortalId::of(&public_key(1));
    let address = |address: &str| Some(PortalAddr::new(address).expect("an address"));
    let cards = [
        ("bare", PortalCard::new(id, None)),
        ("with-address", PortalCard::new(id, address("https://portal.example/"))),
        ("longest", PortalCard::new(id, address(&format!("https://{}/", "p".repeat(63))))),
    ];
    let text = id.to_string();
    let groups: Vec<_> = text.as_bytes().chunks(5).map(String::from_utf8_lossy).collect();
    let texts = [
        ("id", text.clone()),
        ("id-upper", text.to_uppercase()),
        ("id-in-groups", groups.join("-")),
        ("id-on-lines", groups.join("\r\n\u{200b}")),
        ("id-in-a-text", format!("My ID is {text}.")),
    ];
    let mut seeds: Seeds = texts.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    for (name, card) in cards {
        let link = card.link("https://example.org/p").expect("a good base");
        let (first, second) = link.split_at(60);
        seeds.insert(format!("{name}-bytes"), card.to_bytes());
        seeds.insert(format!("{name}-qr"), card.qr_text().into());
        seeds.insert(format!("{name}-lower"), card.qr_text().to_lowercase().into());
        seeds.insert(format!("{name}-wrapped"), format!("> {first}=\r\n> > {second}.").into());
        seeds.insert(format!("{name}-record"), card.ndef("https://example.org/p").expect("a good base"));
        seeds.insert(format!("{name}-link"), link.into());
    }
    seeds
}
