//! `app_bundle`, `app_link`, `app_intro`, `app_event`: the formats of a shipped app (docs/app-profile.md §17). Our readers must read what
//! another JSON parser reads, and must read again what we write of it.

use port_protocol::app::{
    Bundle, EncryptedContent, Event, Grant, Happened, Intro, Message, Name, Scanned, SecretText, UnauthenticatedKey,
    response,
};
use port_protocol::{PortKind, PublicKey, Rad, Secret};
use serde_json::{Value, json};
use x25519_dalek::{PublicKey as Public, StaticSecret};

pub fn private_key(n: u8) -> Secret<32> {
    Secret::from([n; 32])
}

pub fn public_key(n: u8) -> PublicKey {
    PublicKey::from_bytes(Public::from(&StaticSecret::from([n; 32])).to_bytes()).expect("one that was generated")
}

pub fn rad() -> Rad {
    Rad::from([4; 16])
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// The text as another parser reads it. `None` if that parser refuses it: our readers must ignore unknown members with all that stands in
/// them (§17.1), and the other parser need not.
fn other(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub fn app_bundle(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let (bundle, grant, message) = (Bundle::from_json(text), Grant::from_json(text), Message::from_json(text));
    if let Ok(bundle) = &bundle {
        if let Some(read) = other(text) {
            assert_eq!(read["portId"], hex(bundle.port_id().as_bytes()));
            assert_eq!(read["pubkey"], hex(bundle.public_key().as_bytes()));
            assert_eq!(read["rad"], hex(bundle.rad().expose()));
            assert_eq!(read["name"].as_str(), bundle.name().map(Name::as_str));
        }
        assert_eq!(bundle.ticket().is_some(), bundle.kind() == PortKind::ContactPort);
        assert!(Bundle::from_json(bundle.to_json().as_str()).as_ref() == Ok(bundle));
        has_links(bundle);
    }
    if let Ok(grant) = &grant {
        assert!(Grant::from_json(grant.to_json().as_str()).as_ref() == Ok(grant));
        has_links(&grant.share([5; 16].into(), None));
    }
    if let Ok(message) = &message {
        let written = message.to_json().expect("it was read");
        assert!(Message::from_json(written.as_str()).as_ref() == Ok(message));
    }
    let wrapped = json!({"bundle": text}).to_string();
    assert!(response::bundle(&wrapped) == bundle);
    let _ = (response::line_links(text), response::connected(text), response::bundle(text));
    bundle.is_ok() || grant.is_ok() || message.is_ok()
}

fn has_links(bundle: &Bundle) {
    let reads = |text: &SecretText| match Scanned::parse(text.as_str()) {
        Ok(Scanned::Bundle(bundle)) => bundle,
        other => panic!("{other:?}"),
    };
    assert!(reads(&bundle.link()) == *bundle);
    let shown = bundle.link_for_app();
    let meant = shown.renamed.map_or(bundle.clone(), |name| bundle.clone().named(name));
    assert!(reads(&shown.text) == meant);
    assert!(meant.name().is_none_or(|name| !name.as_str().contains(['&', '=', '?', '+'])));
}

pub fn app_link(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let name = Name::new(text);
    if let Ok(name) = &name {
        has_links(&Bundle::port([3; 16].into(), public_key(1), rad()).named(name.clone()));
    }
    match Scanned::parse(text) {
        Ok(Scanned::Bundle(bundle)) => {
            has_links(&bundle);
            true
        }
        Ok(Scanned::BundleId(id)) => {
            assert!(!id.as_str().is_empty());
            true
        }
        _ => false,
    }
}

/// An intro message; and the plaintext of one, sealed with a key that Alice has.
pub fn app_intro(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let intro = Intro::from_json(text);
    assert!(Intro::from_json(intro.to_json().as_str()) == intro);
    let is_accepted = |kind| intro.check(&private_key(1), kind, &rad()).is_ok();
    let accepted = is_accepted(PortKind::Port) || is_accepted(PortKind::ContactPort);

    let Some(sealed) = sealed(text) else { return accepted };
    let mut any = accepted;
    for kind in [PortKind::Port, PortKind::Superport, PortKind::ContactPort] {
        let Ok(introduced) = sealed.check(&private_key(1), kind, &rad()) else { continue };
        any = true;
        let Some(read) = other(text) else { continue };
        assert_eq!(read["rad"], hex(rad().expose()));
        assert_eq!(read["name"].as_str(), introduced.name.as_ref().map(Name::as_str));
        assert_eq!(read["ticket"].as_str(), introduced.ticket.map(|ticket| hex(ticket.expose())).as_deref());
    }
    any
}

/// `None` if it is longer than a message may be.
fn sealed(text: &str) -> Option<Intro> {
    let bundle = Bundle::port([3; 16].into(), public_key(1), rad());
    let (_, line) = Intro::make(&private_key(2), [7; 16], &bundle, &Name::new("").ok()?);
    let content = value(line.seal([7; 16], text).ok()?.to_json().as_str());
    let json = json!({"pubkey": hex(public_key(2).as_bytes()), "encryptedSecretContent": content["encryptedContent"]});
    Some(Intro::from_json(&json.to_string()))
}

pub fn app_event(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    if let Ok(content) = EncryptedContent::from_json(text) {
        assert!(EncryptedContent::from_json(content.to_json().as_str()).as_ref() == Ok(&content));
        let _ = UnauthenticatedKey::from_secret([9; 32].into()).open(&content);
    }
    let Ok(event) = Event::from_json(text) else { return false };
    assert!(Event::from_json(event.to_json().as_str()).as_ref() == Ok(&event));
    let Some(read) = other(text) else { return true };
    match &event.what {
        Happened::Used { line_id, pair_hash, .. } => {
            assert_eq!(read["lineId"], hex(line_id.as_bytes()));
            assert_eq!(read["pairHash"], hex(pair_hash.as_bytes()));
        }
        Happened::Ended { line_id } => assert_eq!(read["deletion"], hex(line_id.as_bytes())),
        Happened::Message { line_id, .. } => {
            assert_eq!(read["lineId"], hex(line_id.as_bytes()));
            assert!(read["messageContent"]["encryptedContent"].is_string());
        }
        other => panic!("{other:?}"),
    }
    true
}
