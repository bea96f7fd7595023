//! `tests/vectors/port-app-1.0.0.json`: connections made with the app's own code. We must read and write the same bytes, in both directions.

use super::{Vector, vectors};
use data_encoding::BASE64URL;
use port_protocol::app::{Bundle, EncryptedContent, Intro, Message, Name, Scanned, UnauthenticatedKey, yap};
use port_protocol::{PortKind, PublicKey, Secret};
use serde_json::Value;

fn bytes(json: &Value, key: &str) -> Vec<u8> {
    BASE64URL.decode(json[key].as_str().unwrap().as_bytes()).unwrap()
}

fn iv(sealed: &[u8]) -> [u8; 16] {
    sealed[..16].try_into().unwrap()
}

fn keys(vector: &Vector) -> (Secret<32>, Secret<32>) {
    (vector.alice_private_key.into(), vector.bob_private_key.into())
}

fn kind(vector: &Vector) -> PortKind {
    match vector.kind.as_str() {
        "port" => PortKind::Port,
        "superport" => PortKind::Superport,
        "contact_port" => PortKind::ContactPort,
        other => panic!("{other}"),
    }
}

#[test]
fn r17_2_bundles() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        assert_eq!(bundle.to_json().as_str(), vector.bundle_json);
        assert_eq!(bundle.kind(), kind(&vector));
        assert_eq!(bundle.public_key(), super::public_key(&vector.alice_private_key.into()));
        let json: Value = serde_json::from_str(&vector.bundle_json).unwrap();
        assert_eq!(bundle.name().unwrap().as_str(), json["name"]);
        assert_eq!(hex::encode(bundle.rad().expose()), json["rad"]);
        assert_eq!(hex::encode(bundle.port_id().as_bytes()), json["portId"]);
        assert_eq!(bundle.ticket().map(|ticket| hex::encode(ticket.expose())).as_deref(), json["ticket"].as_str());
    }
}

#[test]
fn r17_3_links() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        assert_eq!(Scanned::parse(&vector.link), Ok(Scanned::Bundle(bundle.clone())));
        assert_eq!(bundle.link().as_str(), vector.link);
        let shown = bundle.link_for_app();
        assert_eq!(shown.renamed.is_some(), vector.link.contains("name=a%26b%3Dc+d%2Be"));
        assert_eq!(shown.text.as_str() == vector.link, shown.renamed.is_none());
    }
}

#[test]
fn r17_4_intro_messages() {
    for vector in vectors() {
        let (alice, bob) = keys(&vector);
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        let json = vector.intro_message.to_string();
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();

        // The app's Bob, our Alice.
        let introduced = Intro::from_json(&json).check(&alice, bundle.kind(), bundle.rad()).unwrap();
        assert_eq!(introduced.name.unwrap().as_str(), plain["name"]);
        assert_eq!(introduced.ticket.as_ref(), bundle.ticket());
        assert_eq!(introduced.line.secret().expose(), &vector.shared_secret);

        // Our Bob, with the app's randomness.
        let name = Name::new(plain["name"].as_str().unwrap()).unwrap();
        let iv = iv(&bytes(&vector.intro_message, "encryptedSecretContent"));
        let (intro, line) = Intro::make(&bob, iv, &bundle, &name);
        assert_eq!(serde_json::from_str::<Value>(intro.to_json().as_str()).unwrap(), vector.intro_message);
        assert!(intro.to_json().as_str().starts_with(r#"{"pubkey":""#));
        assert_eq!(line.secret().expose(), &vector.shared_secret);

        // Its plaintext is the app's to the byte.
        let sealed = line.seal(iv, &vector.intro_plaintext).unwrap();
        let sealed: Value = serde_json::from_str(sealed.to_json().as_str()).unwrap();
        assert_eq!(sealed["encryptedContent"], vector.intro_message["encryptedSecretContent"]);
    }
}

#[test]
fn r17_5_line_messages() {
    for vector in vectors() {
        let line = UnauthenticatedKey::from_secret(vector.shared_secret.into());
        let json = vector.line_message.to_string();
        let sealed = EncryptedContent::from_json(&json).unwrap();
        assert_eq!(sealed.to_json().as_str(), json);
        let opened = line.open(&sealed).unwrap();
        assert_eq!(opened.as_str(), vector.line_message_plaintext);
        let iv = iv(&bytes(&vector.line_message, "encryptedContent"));
        assert_eq!(line.seal(iv, &vector.line_message_plaintext).unwrap(), sealed);

        let message = Message::from_json(opened.as_str()).unwrap();
        assert_eq!(message.tail, None);
        assert_eq!(message.to_json().unwrap(), opened);
    }
}

#[test]
fn r17_5_yap() {
    for vector in vectors() {
        let (alice, bob) = keys(&vector);
        let (at_alice, at_bob) = (super::public_key(&alice), super::public_key(&bob));
        let opened = yap::open(&bob, at_alice, &vector.yap_v1_alice_to_bob).unwrap();
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();
        assert_eq!(opened.as_slice(), format!("yap {}", plain["name"].as_str().unwrap()).as_bytes());
        // The vector does not tell the ephemeral private key: only what is behind it can be compared, by opening our own.
        let ours = yap::seal(&alice, at_bob, &[9; 32].into(), [8; 12], opened.as_slice()).unwrap();
        assert_eq!(ours.len(), vector.yap_v1_alice_to_bob.len());
        assert_eq!(yap::open(&bob, at_alice, &ours).unwrap().as_slice(), opened.as_slice());
    }
}

/// The fact sheet's own (its §11): scalars 00..1f and 20..3f, an IV of zeros.
#[test]
fn r17_4_the_fact_sheets_vector() {
    let scalar = |from: u8| Secret::from(std::array::from_fn::<u8, 32, _>(|at| from + at as u8));
    let (alice, bob) = (scalar(0), scalar(32));
    let public: [u8; 32] =
        hex::decode("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f").unwrap().try_into().unwrap();
    let bundle = Bundle::port([1; 16].into(), PublicKey::from_bytes(public).unwrap(), [0; 16].into());
    assert!(
        bundle
            .to_json()
            .as_str()
            .contains(r#""keyHash":"b3c995cc7756ac74ded308d6da6f4aa73a1c8cea0595a32ac9e943f7b93ab082""#)
    );
    let (intro, line) = Intro::make(&bob, [0; 16], &bundle, &super::name("Bob"));
    assert_eq!(
        intro.to_json().as_str(),
        r#"{"pubkey":"358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254","encryptedSecretContent":"AAAAAAAAAAAAAAAAAAAAAA3JfW7jIuqhGvwy9dvtx9kaP3d-bOnbLezJ1K5CwIYmdD0RNhPTn4WAb38GKq0h1js0651bbJHIT8R86w6k7z8="}"#
    );
    assert_eq!(hex::encode(line.secret().expose()), "9663aa1da97e848a914a436d04163dfbb89178f107f1b5b77ed3854203382854");
    assert!(intro.check(&alice, PortKind::Port, &[0; 16].into()).is_ok());
}
