//! §8.2, §8.6: keys as bytes, rows with their deadlines, and which machine wrote a record.
#![cfg(feature = "alloc")]

use std::collections::BTreeMap;

use crate::common::cbor::Cbor;
use crate::common::many::*;
use crate::common::table::inputs;
use crate::common::*;
use port_protocol::*;

#[test]
fn r8_2_a_key_is_read_from_its_bytes() {
    for name in [[0; 16], [7; 16], [0xff; 16], seed_bytes(1)[..16].try_into().unwrap()] {
        let keys = [
            RecordKey::Request(name.into()),
            RecordKey::LineLink(name.into()),
            RecordKey::Line(name.into()),
            RecordKey::Pool(name.into()),
            RecordKey::Introducer(name.into()),
        ];
        for (kind, key) in (1..).zip(keys) {
            let bytes = key.to_bytes();
            assert_eq!((bytes.len(), RecordKey::from_bytes(&bytes)), (RecordKey::LENGTH, Some(key)));
            assert_eq!((bytes[0], &bytes[1..]), (kind, &name[..]));
        }
    }
}

#[test]
fn r8_2_other_bytes_are_no_key() {
    for kind in 0..=u8::MAX {
        let bytes = [kind; 40];
        for length in 0..bytes.len() {
            let good = length == RecordKey::LENGTH && (1..=5).contains(&kind);
            assert_eq!(RecordKey::from_bytes(&bytes[..length]).is_some(), good, "{kind}, {length} bytes");
        }
    }
}

/// What a step keeps, and that its row's deadline is the machine's own afterwards.
fn due<M: Machine>(machine: &mut M, step: impl FnOnce(&mut M) -> Step<'_, M>) -> Option<UnixSeconds> {
    let put = {
        let step = step(machine);
        let put = Put::step(&step);
        step.committed().for_each(drop);
        put
    };
    assert_eq!(put.row.deadline, machine.deadline());
    assert_eq!(put.row.deadline, M::restore(&put.row.record).unwrap().deadline());
    put.row.deadline
}

#[test]
fn r8_2_a_row_has_the_deadline_that_its_machine_has() {
    let mut rows = BTreeMap::<_, [u32; 2]>::new();
    for options in [expiring(), longest(), PortOptions::new()] {
        for (state, machine) in states(options).into_iter().chain(pools()) {
            let answer =
                requests(&machine).first().map(|id| ("LineLinkIssued, the pool's".to_owned(), issued(*id, 99)));
            for (name, input) in inputs().into_iter().chain(answer).chain([("pops".to_owned(), Input::Pop)]) {
                let mut kept = Vec::new();
                let _ = machine.clone().apply(&input, NOW, &mut |put| {
                    kept.extend([Some(put.row.clone()), put.new_line.clone()].into_iter().flatten());
                    true
                });
                for Kept { record, deadline, .. } in kept {
                    let role = MachineRole::of_record(&record).unwrap();
                    assert_eq!(deadline, Any::restore(&record).unwrap().deadline(), "{state} × {name}");
                    rows.entry(role).or_default()[usize::from(deadline.is_some())] += 1;
                }
            }
        }
    }
    for (role, [never, some]) in &rows {
        assert!(*never > 0 && (*some > 0 || *role == MachineRole::Pool), "{role:?}: {never} never, {some} with one");
    }
    assert_eq!(rows.len(), 4);
}

#[test]
fn r8_2_a_row_has_the_deadline_that_its_machine_has_of_ports_for_many() {
    let day = |n| Some(at(NOW.as_secs() + n * DAY));
    let created = Alice::request(expiring().policy(Policy::up_to(2)), seed(1));
    assert_eq!(created.write().row.deadline, Some(EXPIRY));
    let mut alice = offered(PortOptions::new().policy(Policy::up_to(2)));
    assert_eq!(due(&mut alice, |alice| alice.clear_outbox().unwrap()), None);
    let closes = Policy::up_to(2).closes_at(Some(EXPIRY));
    assert_eq!(due(&mut alice, |alice| alice.set_policy(closes).unwrap()), Some(EXPIRY));
    let event = formed(2, 2, Some(proof_of(2, &alice)));
    let line = alice.handle(&event, &NoPeers, NOW, &mut rng()).unwrap().write().new_line.unwrap();
    assert_eq!(line.deadline, day(1));
    assert_eq!(due(&mut alice, |alice| alice.handle(&event, &NoPeers, NOW, &mut rng()).unwrap()), Some(EXPIRY));
    assert_eq!(due(&mut alice, |alice| alice.tick(EXPIRY).unwrap()), None);

    // A line: while epoch 0 is kept, and not while its user is asked.
    let mut line = Line::restore(&line.record).unwrap();
    let buffer = Vec::leak(vec![0; 5 + SEAL_OVERHEAD]);
    assert_eq!(due(&mut line, |line| line.seal(b"words", b"", buffer).unwrap()), day(1));
    for look in 1..7 {
        assert_eq!(due(&mut line, |line| line.tick(day(look).unwrap()).unwrap()), day(look + 1));
    }
    assert_eq!(due(&mut line, |line| line.tick(day(7).unwrap()).unwrap()), None);
    let mut asks = superport(Policy::unlimited().require_approval(true));
    let event = formed(3, 3, Some(proof_of(3, &asks)));
    let row = asks.handle(&event, &NoPeers, NOW, &mut rng()).unwrap().write().new_line.unwrap();
    let mut asked = Line::restore(&row.record).unwrap();
    assert_eq!(row.deadline, None);
    assert_eq!(due(&mut asked, |line| line.accept(NOW).unwrap()), day(1));
    assert_eq!(due(&mut asked, |line| line.close().unwrap()), None);

    // An introducer: while somebody is being introduced, until its contact port expires or its right ends.
    let contact = port(expiring().introducer(id(7)));
    let created = Introducer::granted(contact.to_bytes().as_slice(), id(7)).unwrap();
    assert_eq!(created.write().row.deadline, None);
    let mut carol = created.committed();
    let name = IntroducerName::new("Carol").unwrap();
    assert_eq!(due(&mut carol, |carol| carol.introduce(name, None, seed(5), NOW).unwrap()), Some(EXPIRY));
    assert_eq!(due(&mut carol, |carol| carol.mark_announced().unwrap()), Some(EXPIRY));
    assert_eq!(due(&mut carol, |carol| carol.clear_outbox().unwrap()), None);
    assert_eq!(due(&mut carol, |carol| carol.cancel().unwrap()), None);
}

#[test]
fn r8_6_a_record_says_which_machine_wrote_it() {
    let grant = port(PortOptions::new().introducer(id(7)));
    let carol = Introducer::granted(grant.to_bytes().as_slice(), id(7)).unwrap().committed();
    let mut records = vec![(MachineRole::Introducer, carol.record().to_vec())];
    for machine in states(longest()).into_values().chain(pools().into_values()) {
        let role = match &machine {
            Any::Alice(_) => MachineRole::Alice,
            Any::Bob(_) => MachineRole::Bob,
            Any::Line(_) => MachineRole::Line,
            Any::Pool(_) => MachineRole::Pool,
        };
        records.push((role, machine.record()));
    }
    for (role, record) in &records {
        assert_eq!(MachineRole::of_record(record), Ok(*role));
        // The first bytes tell: what follows may be damaged.
        for length in 0..record.len() {
            let expected = if length < 3 { Err(RestoreError::Malformed) } else { Ok(*role) };
            assert_eq!(MachineRole::of_record(&record[..length]), expected);
        }
        for version in [0, 2, 23, 24, u64::MAX] {
            let other = Cbor::read(record).with(&[0], Cbor::Uint(version)).write();
            assert_eq!(MachineRole::of_record(&other), Err(RestoreError::UnsupportedVersion));
        }
    }
    let [.., (_, record)] = &records[..] else { panic!() };
    let with = |role| Cbor::read(record).with(&[1], Cbor::Uint(role)).write();
    for (number, role) in [
        (1, MachineRole::Alice),
        (2, MachineRole::Bob),
        (3, MachineRole::Line),
        (4, MachineRole::Pool),
        (5, MachineRole::Introducer),
        (16, MachineRole::AppAlice),
        (17, MachineRole::AppBob),
        (18, MachineRole::AppLine),
    ] {
        assert_eq!((role as u64, MachineRole::of_record(&with(number))), (number, Ok(role)));
    }
    for none in [0, 6, 15, 19, 23, 24, 255, 256, u64::MAX] {
        assert_eq!(MachineRole::of_record(&with(none)), Err(RestoreError::Malformed), "{none}");
    }
    for damaged in [
        &b""[..],
        b"\x84",
        b"\x84\x01",
        b"\x83\x01\x01\x00",
        b"\x85\x01\x01\x00\x00\x00",
        b"\x9f\x01\x01",
        b"\x01\x01",
        b"\x84\xf6\x01",
    ] {
        assert_eq!(MachineRole::of_record(damaged), Err(RestoreError::Malformed), "{damaged:?}");
    }
    // Of another version nobody knows how many parts it has.
    assert_eq!(MachineRole::of_record(b"\x82\x02"), Err(RestoreError::UnsupportedVersion));
}
