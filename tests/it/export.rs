//! §6.8, §6.10: what both ends can make of their keys, a check code and keying material.
#![cfg(feature = "alloc")]

use crate::common::keys::*;
use crate::common::*;
use port_protocol::*;

#[test]
fn r6_8_the_check_code_is_forty_digits_of_the_exporter() {
    let (alice, bob) = confirmed();
    let mut bytes = [0; 40];
    let hkdf = hkdf::Hkdf::<sha2::Sha256>::from_prk(&keys(PortOptions::new()).exporter).unwrap();
    hkdf.expand(b"check code", &mut bytes).unwrap();
    let groups = bytes.chunks(5).map(|group| {
        let number = group.iter().fold(0, |number, byte| number * 256 + u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    let code = groups.collect::<Vec<_>>().join(" ");
    assert_eq!(code.len(), 47);
    for line in [&alice, &bob] {
        assert_eq!(line.as_line().safety_number().unwrap().to_string(), code);
    }
    assert_eq!(alice.as_line().safety_number(), bob.as_line().safety_number());
}

#[test]
fn r6_8_it_exists_while_the_line_is_confirmed() {
    for (state, line) in states(PortOptions::new()) {
        let Any::Line(line) = line else { continue };
        let confirmed = state.starts_with("AliceConfirmed") || state.starts_with("BobConfirmed");
        assert_eq!(line.safety_number().is_some(), confirmed, "{state}");
        assert_eq!(line.confirmed().is_some(), confirmed, "{state}");
        assert_eq!(line.phase() == LinePhase::Confirmed, confirmed, "{state}");
        // What the relay says is known in every phase.
        let peer = if state.contains("Bob") || line.claims().peer == maker() { maker() } else { peer() };
        assert_eq!(line.claims(), RelayClaims { line_id: line_id(), peer }, "{state}");
        // The name is proven. The two marks differ, and the line is confirmed all the same.
        assert!(line.confirmed().is_none_or(|confirmed| confirmed.line_id == line_id()), "{state}");
    }
}

#[test]
fn r6_10_what_is_exported_is_the_same_at_both_ends_and_for_one_purpose() {
    let (alice, bob) = confirmed();
    let purposes = [("", &b""[..]), ("a", b""), ("", b"a"), ("a", b"b"), ("ab", b""), ("check code", b"")];
    let export = |line: &Any, (label, context)| line.as_line().export(label, context).unwrap();
    let exported: std::collections::BTreeSet<_> =
        purposes.iter().map(|&purpose| *export(&alice, purpose).expose()).collect();
    assert_eq!(exported.len(), purposes.len());
    purposes.iter().for_each(|&purpose| assert!(export(&alice, purpose) == export(&bob, purpose)));
    let Keys { to_bob, to_alice, exporter } = keys(PortOptions::new());
    assert!([to_bob, to_alice, exporter].iter().all(|key| !exported.contains(key)));
    for (state, line) in states(PortOptions::new()) {
        let Any::Line(line) = line else { continue };
        assert_eq!(line.export("a", b"").is_some(), line.confirmed().is_some(), "{state}");
    }
}
