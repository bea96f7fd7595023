//! Records of every role, in every state.

use std::collections::BTreeSet;

use super::*;
use crate::common::cbor::{Cbor, not_canonical};

/// Of every role, in every state.
pub fn records() -> Vec<(&'static str, Vec<u8>)> {
    let mut records = vec![];
    for kind in KINDS {
        let mut keep = |role, record: Record| records.push((role, record.to_vec()));
        let mut alice = Alice::request(offer(kind).expires(LATER), seed(1)).committed();
        keep("app-alice-record", alice.record());
        alice.issued(link(), NOW).unwrap().committed().for_each(drop);
        keep("app-alice-record", alice.record());
        let bundle = shown(&alice, 2);
        let mut bob = Bob::scan(&bundle, seed(2)).committed();
        keep("app-bob-record", bob.record());
        bob.connect(&name(&"\u{1}".repeat(30)), NOW).unwrap().committed().for_each(drop);
        keep("app-bob-record", bob.record());
        let intro = intro_of(&bob);
        let tables = knowing(2);
        let mut line = formed(alice.handle(&used(kind, 2, intro), &tables, NOW, &mut Unused).unwrap().committed());
        keep("app-line-record", line.record());
        keep("app-alice-record", alice.record());
        let Some(BobEffect::LineFormed(at_bob)) =
            bob.connected(line_id(2), Some(pair(2)), &NoPeers, NOW).unwrap().committed().next()
        else {
            panic!()
        };
        keep("app-line-record", at_bob.record());
        keep("app-bob-record", bob.record());
        line.close().unwrap().committed().for_each(drop);
        keep("app-line-record", line.record());
        if let Ok(step) = alice.revoke() {
            step.committed().for_each(drop);
            keep("app-alice-record", alice.record());
        }
        let policy = if kind == PortKind::Port { Policy::once() } else { Policy::up_to(3) };
        let options = offer(kind).policy(policy.require_approval(true));
        let awaiting = ends(&mut Alice::offer(link(), options, seed(1)).committed(), 2).0;
        keep("app-line-record", awaiting.record());
    }
    records
}

#[test]
fn r17_10_records_are_strict_and_of_their_own_roles() {
    let restore = |bytes: &[u8]| -> [Result<Vec<u8>, RestoreError>; 8] {
        [
            Alice::restore(bytes).map(|m| m.record().to_vec()),
            Bob::restore(bytes).map(|m| m.record().to_vec()),
            UnauthenticatedLine::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Alice::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Bob::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Line::restore(bytes).map(|m| m.record().to_vec()),
            Pool::restore(bytes).map(|m| m.record().to_vec()),
            Introducer::restore(bytes).map(|m| m.record().to_vec()),
        ]
    };
    let mut roles = BTreeSet::new();
    for (role, record) in records() {
        let place = usize::from(record[2]) - 16;
        roles.insert((role, place));
        for (n, restored) in restore(&record).into_iter().enumerate() {
            let expected = if n == place { Ok(record.clone()) } else { Err(RestoreError::AnotherRole) };
            assert_eq!(restored, expected, "{role} {n}");
        }
        assert!(record.len() <= MAX_RECORD, "{}", record.len());
        for (what, bytes) in not_canonical(&record) {
            assert!(restore(&bytes).iter().all(Result::is_err), "{role}: {what}");
        }
        for length in 0..record.len() {
            assert!(restore(&record[..length]).iter().all(Result::is_err));
        }
    }
    assert_eq!(
        roles.into_iter().collect::<Vec<_>>(),
        [("app-alice-record", 0), ("app-bob-record", 1), ("app-line-record", 2)]
    );
    // What no bundle says, a relay and the introducer's name, has no room beside the longest proof.
    let (record, port) = (Bob::scan(&shown(&alice(PortKind::ContactPort), 7), seed(2)).write().row.record, [3, 1, 0]);
    let text = |length| Cbor::Text("r".repeat(length));
    let forged = Cbor::read(&record).with(&[&port[..], &[6]].concat(), text(64));
    let mut forged = Bob::restore(&forged.with(&[&port[..], &[7, 1]].concat(), text(32)).write()).unwrap();
    assert_eq!(forged.connect(&name(&"\u{1}".repeat(30)), NOW).err(), Some(Rejected::Malformed));
    assert_eq!(forged.phase(), BobPhase::Scanned);
    // Nor has it room in the record of a Bob that connects already.
    let record = connecting(&shown(&alice(PortKind::ContactPort), 7), 2).record();
    let longest = Cbor::read(&record).with(&[3, 1, 5, 1], Cbor::Bytes(vec![7; 304])).with(&[3, 1, 9, 1], text(32));
    for (relay, fits) in [(20, true), (64, false)] {
        let forged = longest.clone().with(&[3, 1, 3], Cbor::Array(vec![Cbor::Null, text(relay)])).write();
        assert_eq!(forged.len() <= MAX_RECORD, fits, "{}", forged.len());
        let restored = Bob::restore(&forged).map(|bob| bob.record().to_vec());
        assert_eq!(restored, if fits { Ok(forged) } else { Err(RestoreError::Malformed) });
    }
    // A proof that this crate did not make is in no record: it might not fit.
    let bob = connecting(&shown(&alice(PortKind::Port), 7), 2).record();
    for (length, fits) in [(304, true), (305, false), (512, false)] {
        let other = Cbor::read(&bob).with(&[3, 1, 5, 1], Cbor::Bytes(vec![7; length])).write();
        assert_eq!(Bob::restore(&other).is_ok(), fits, "{length}");
    }
    let native = port_protocol::Alice::offer(link(), PortOptions::new(), seed(1)).write().row.record.to_vec();
    assert!(restore(&native)[..3].iter().all(|restored| *restored == Err(RestoreError::AnotherRole)));
}
