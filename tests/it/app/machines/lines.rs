//! Lines that are formed, with the app's ends and with ours.

use super::super::{Vector, vectors};
use super::*;
use crate::common::cbor::Cbor;
use data_encoding::BASE64URL;
use port_protocol::app::{App, EncryptedContent, LinePhase, response};
use serde_json::Value;

fn iv(sealed: &Value, key: &str) -> [u8; 16] {
    BASE64URL.decode(sealed[key].as_str().unwrap().as_bytes()).unwrap()[..16].try_into().unwrap()
}

/// Our Alice, with the keys of the app's.
fn alice_of(vector: &Vector, bundle: &Bundle) -> Alice {
    let record = Alice::offer(bundle.port_id(), offer(bundle.kind()), seed(1)).committed().record();
    let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
    let record = Cbor::read(&record)
        .with(&[3, 1, 0, 3], bytes(bundle.public_key().as_bytes()))
        .with(&[3, 1, 0, 4], bytes(bundle.rad().expose()))
        .with(&[3, 1, 1], bytes(&vector.alice_private_key));
    Alice::restore(&record.write()).unwrap()
}

/// A line's messages, both ways, are the app's to the byte.
fn speaks(line: &UnauthenticatedLine, vector: &Vector) {
    let sealed = EncryptedContent::from_json(&vector.line_message.to_string()).unwrap();
    assert_eq!(line.open(&sealed).unwrap().as_str(), vector.line_message_plaintext);
    assert_eq!(line.seal(iv(&vector.line_message, "encryptedContent"), &vector.line_message_plaintext), Ok(sealed));
}

#[test]
fn r17_10_our_alice_and_the_apps_bob() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        let mut alice = alice_of(&vector, &bundle);
        let ours = match bundle.ticket() {
            None => alice.bundle(bundle.name().cloned()).unwrap(),
            Some(ticket) => alice.grant(None).unwrap().share(ticket.clone(), bundle.name().cloned()),
        };
        assert_eq!(ours.to_json().as_str(), vector.bundle_json);

        let intro = Intro::from_json(&vector.intro_message.to_string());
        let port_id = bundle.port_id();
        let what = Happened::Used { kind: bundle.kind(), port_id, line_id: line_id(9), pair_hash: pair(9), intro };
        let event = Event { what, timestamp: None };
        let tickets = bundle.ticket().map(|ticket| notice(ticket.clone(), port_id)).into_iter().collect();
        let step = alice.handle(&event, &Tables { tickets, ..Tables::default() }, NOW, &mut Unused).unwrap();
        assert_eq!(step.write().consumes.is_some(), bundle.kind() == PortKind::ContactPort);
        let line = formed(step.committed());
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();
        assert_eq!(line.name().unwrap().as_str(), plain["name"]);
        assert_eq!(line.claims(), RelayClaims { line_id: line_id(9), peer: pair(9) });
        assert_eq!((line.kind(), line.phase()), (bundle.kind(), LinePhase::Open));
        assert_eq!(line.introduced_by(), bundle.ticket().map(|_| CAROL.into()));
        speaks(&line, &vector);
        speaks(&UnauthenticatedLine::restore(&line.record()).unwrap(), &vector);
    }
}

#[test]
fn r17_10_our_bob_and_the_apps_alice() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();
        let iv = iv(&vector.intro_message, "encryptedSecretContent");
        let seed = [&vector.bob_private_key[..], &iv, &[0; 16]].concat();
        let mut bob = Bob::scan(&bundle, Seed::from_bytes(&seed.try_into().unwrap())).committed();
        assert_eq!(bob.pending().count(), 0);
        bob.connect(&name(plain["name"].as_str().unwrap()), NOW).unwrap().committed().for_each(drop);

        // Bob goes on saying the very same, also after a crash.
        for mut bob in [Bob::restore(&bob.record()).unwrap(), bob] {
            let Some(BobEffect::Send(request)) = bob.pending().next() else { panic!() };
            assert_eq!(request.path(), "/management/line");
            let body: Value = serde_json::from_str(request.body().unwrap().as_str()).unwrap();
            assert_eq!(body["introMessage"], vector.intro_message);
            let key = ["lineLinkId", "lineSuperportId", "contactPortId"][bundle.kind() as usize - 1];
            assert_eq!(body[key], hex::encode(bundle.port_id().as_bytes()));
            assert_eq!(body["ticket"].as_str(), bundle.ticket().map(|ticket| hex::encode(ticket.expose())).as_deref());
            let intro = intro_of(&bob);
            assert!(request == Request::connect(&bundle, &intro));

            let answer = format!(r#"{{"newLine":"{}","pairHash":"{}"}}"#, "09".repeat(16), "08".repeat(32));
            let (line_id, pair_hash) = response::connected(&answer).unwrap();
            let Some(BobEffect::LineFormed(line)) =
                bob.connected(line_id, pair_hash, &NoPeers, NOW).unwrap().committed().next()
            else {
                panic!()
            };
            assert_eq!(line.claims(), RelayClaims { line_id, peer: pair_hash.unwrap() });
            assert_eq!(line.kind(), bundle.kind());
            speaks(&line, &vector);
        }
    }
}

#[test]
fn r17_10_both_ends_are_ours() {
    for kind in KINDS {
        let mut alice = alice(kind);
        // What is granted is not shown.
        assert_eq!(
            (alice.bundle(None).is_none(), alice.grant(None).is_some()),
            [(kind == PortKind::ContactPort); 2].into()
        );
        if let Some(grant) = alice.grant(Some(name("Alice"))) {
            assert_eq!(grant.name(), Some(&name("Alice")));
        }
        let (at_alice, at_bob) = ends(&mut alice, 2);
        for (from, to) in [(&at_alice, &at_bob), (&at_bob, &at_alice)] {
            let sealed = from.seal([1; 16], "hello").unwrap();
            assert_eq!(to.open(&sealed).unwrap().as_str(), "hello");
        }
        assert_eq!((at_alice.name(), at_bob.name()), (Some(&name("Bob")), None));
        assert_eq!(alice.is_spent(), kind == PortKind::Port);
        // Others come, each with a key of its own.
        if kind != PortKind::Port {
            let (other, _) = ends(&mut alice, 4);
            assert!(other.open(&at_bob.seal([1; 16], "hello").unwrap()).is_err());
            assert_eq!(alice.used(), 2);
        }
    }
}

/// No mark, and no Port hash, of one dialect is another's.
#[test]
fn r17_10_the_dialects_are_apart() {
    let mut app = AliceOf::<App>::offer(link(), PortOptions::new(), seed(1)).committed();
    let mut native = AliceOf::<Native>::offer(link(), PortOptions::new(), seed(1)).committed();
    let mark =
        mark_of(&app.handle(&used(PortKind::Port, 2, Intro::from_json("{}")), &NoPeers, NOW, &mut Unused).unwrap())
            .unwrap();
    let port = native.port().unwrap().hash();
    let formed =
        port_protocol::Event::LineFormed { line_link: link(), line_id: line_id(2), peer: pair(2), proof: None };
    let step = native.handle(&formed, &NoPeers, NOW, &mut Unused).unwrap();
    assert_eq!(mark_of(&step), Some(ReplayMark::from(port_bytes(&port))));
    assert_ne!(mark, ReplayMark::from(port_bytes(&port)));
    // As the specification has it: of a text, and what this crate's own hash is of.
    let bytes = native.port().unwrap().to_bytes();
    let mut hashed = vec![0x82, 0x77];
    hashed.extend(b"port-protocol app 1.0.0");
    hashed.extend(bytes.as_slice());
    let expected: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&hashed).into();
    assert_eq!(mark, ReplayMark::from(expected));
}

/// §14.4: the mark of a use is of the app's hash.
#[test]
fn r17_10_the_mark_of_a_use() {
    use sha2::Digest;

    let mut alice = alice(PortKind::Superport);
    let port = port_protocol::Alice::offer(link(), offer(PortKind::Superport), seed(1)).committed();
    let port = port.port().unwrap().clone();
    let hash =
        sha2::Sha256::digest([&[0x82, 0x77], &b"port-protocol app 1.0.0"[..], port.to_bytes().as_slice()].concat());
    let secret = x25519_dalek::x25519([2; 32], *port.public_key().as_bytes());
    let used_by = [&[0x83, 0x71], &b"port-protocol use"[..], &[0x58, 32], &hash, &[0x58, 32], &secret].concat();
    let event = used(PortKind::Superport, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
    let mark: [u8; 32] = sha2::Sha256::digest(used_by).into();
    assert_eq!(mark_of(&alice.handle(&event, &NoPeers, NOW, &mut Unused).unwrap()), Some(mark.into()));
}

fn port_bytes(hash: &PortHash) -> [u8; 32] {
    *hash.as_bytes()
}
