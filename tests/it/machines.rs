//! §8: what all machines have in common.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::table::inputs;
use crate::common::*;
use port_protocol::*;

#[test]
fn r8_1_a_dropped_step_and_an_error_change_nothing() {
    let mut steps = 0;
    for machine in states(expiring()).into_values() {
        for (name, input) in inputs() {
            for now in [NOW, EXPIRY] {
                let mut asked = None;
                // That the record is the same afterwards, `apply` sees to.
                let outcome = machine.clone().apply(&input, now, &mut |put| {
                    asked = Some(put.clone());
                    false
                });
                assert_eq!(outcome == Err(Refusal::Dropped), asked.is_some(), "{name}");
                // Asked again, it asks for the very same.
                let mut again = machine.clone();
                let mut kept = None;
                let effects = again.apply(&input, now, &mut |put| {
                    kept = Some(put.clone());
                    true
                });
                assert_eq!(asked, kept);
                steps += u32::from(effects.is_ok());
            }
        }
    }
    assert!(steps > 200, "{steps}");
}

#[test]
fn r8_1_effects_are_a_view_of_the_outbox_that_the_record_holds() {
    for (state, machine) in states(expiring()) {
        for (name, input) in inputs() {
            let mut next = machine.clone();
            let Ok(effects) = next.give(&input, NOW) else { continue };
            // A user's own words, sealed or opened, are the user's to keep; and that some were lost. A new line is in the store.
            use Effect::{IntroducerMessage, LineFormed, Message, PacketsLost};
            let of_no_outbox =
                |effect: &Effect| matches!(effect, Message(_) | IntroducerMessage(_) | LineFormed(_) | PacketsLost);
            let first = effects.iter().take_while(|effect| of_no_outbox(effect)).count();
            let kept = &effects[first..];
            assert!(first < 2 && !kept.iter().any(of_no_outbox), "{state} × {name}: first what no outbox holds");
            if kept.is_empty() || matches!(input, Input::Seal(..)) {
                continue;
            }
            // A renewal waits for the next connection (§4.6).
            let pending = |machine: &Any| {
                let mut pending = machine.pending();
                pending.retain(|effect| effect.to_string() != "SetLineLink 0");
                pending
            };
            assert_eq!(pending(&next), kept, "{state} × {name}");
            assert_eq!(pending(&Any::restore(&next.record()).unwrap()), kept, "{state} × {name}");
        }
    }
}

#[test]
fn r8_1_clearing_leaves_only_what_the_other_side_can_answer() {
    let answerable = ["", "IssueLineLink", "PortReady, SetLineLink 0", "Connect", "Connect inline", "Proof", "Confirm"];
    for (state, mut machine) in states(expiring()) {
        let had = words(&machine.pending());
        let cleared = machine.give(&Input::ClearOutbox, NOW);
        assert!(answerable.contains(&&words(&machine.pending())[..]), "{state}: {had}");
        // There is something to clear exactly if the outbox holds something else.
        let quiet = state == "Closed ByPeer" || state == "Closed ByRelay";
        assert_eq!(cleared.is_ok(), !answerable.contains(&&had[..]) || quiet, "{state}: {had}");
        assert_eq!(machine.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue), "{state}");
    }
}

#[test]
fn r8_1_each_step_is_one_revision() {
    let alice = Alice::request(PortOptions::new(), seed(1));
    assert_eq!((alice.write().row.expected, alice.committed().revision()), (None, 0));
    let mut alice = offered(PortOptions::new());
    for _ in 0..3 {
        // Preparing does not count.
        let step = alice.revoke().unwrap();
        let row = step.write().row;
        assert_eq!((row.revision, row.expected.unwrap().revision), (1, 0));
    }
    alice.revoke().unwrap().committed().for_each(drop);
    assert_eq!(alice.revision(), 1);
}

#[test]
fn r8_2_keys_have_17_bytes() {
    for (key, first) in [
        (RecordKey::Request([7; 16].into()), 1),
        (RecordKey::LineLink([7; 16].into()), 2),
        (RecordKey::Line([7; 16].into()), 3),
        (RecordKey::Pool([7; 16].into()), 4),
        (RecordKey::Introducer([7; 16].into()), 5),
    ] {
        assert_eq!(key.to_bytes(), *[&[first][..], &[7; 16]].concat());
    }
    for (state, machine) in states(PortOptions::new()) {
        let key = match &state[..] {
            _ if state == "Alice Requesting" || state.contains("no link") => 1,
            _ if state.starts_with("Alice") && !state.starts_with("AliceJ") && !state.starts_with("AliceC") => 2,
            _ if state.starts_with("Bob ") => 2,
            _ => 3,
        };
        assert_eq!(machine.key().to_bytes()[0], key, "{state}");
    }
}

/// Keeps what a machine asks for, as a caller does.
fn keep(store: &mut Store, machine: &mut Any, input: &Input) -> Result<Vec<Effect>, Refusal> {
    machine.apply(input, NOW, &mut |put| store.put(put).is_ok())
}

#[test]
fn r8_2_the_issued_link_takes_the_place_of_the_request() {
    let mut store = Store::default();
    let born = Alice::request(PortOptions::new(), seed(1));
    store.put(&Put::created(&born)).unwrap();
    let mut alice = Any::from(born.committed());
    keep(&mut store, &mut alice, &Input::Event(link_issued())).unwrap();
    assert_eq!(store.records.keys().collect::<Vec<_>>(), [&RecordKey::LineLink(line_link())]);
}

#[test]
fn r8_2_a_link_that_is_issued_twice_is_refused() {
    let mut store = Store::default();
    store.put(&Put::created(&Alice::offer(line_link(), PortOptions::new(), seed(3)))).unwrap();
    // From the pool,
    assert_eq!(
        store.put(&Put::created(&Alice::offer(line_link(), PortOptions::new(), seed(1)))),
        Err(Conflict::KeyExists)
    );
    // and as the answer to a request.
    let born = Alice::request(PortOptions::new(), seed(1));
    store.put(&Put::created(&born)).unwrap();
    let (mut alice, before) = (Any::from(born.committed()), store.clone());
    assert_eq!(keep(&mut store, &mut alice, &Input::Event(link_issued())), Err(Refusal::Dropped));
    assert!(store == before);
}

#[test]
fn r8_2_nobody_uses_his_own_port() {
    let mut store = Store::default();
    store.put(&Put::created(&Alice::offer(line_link(), PortOptions::new(), seed(1)))).unwrap();
    assert_eq!(store.put(&Put::created(&Bob::scan(port(PortOptions::new()), seed(2)))), Err(Conflict::KeyExists));
    // Nor does a second scan of somebody's Port disturb the first.
    let mut store = Store::default();
    store.put(&Put::created(&Bob::scan(port(PortOptions::new()), seed(2)))).unwrap();
    assert_eq!(store.put(&Put::created(&Bob::scan(port(PortOptions::new()), seed(3)))), Err(Conflict::KeyExists));
}

#[test]
fn r8_2_a_step_of_a_machine_that_was_moved_elsewhere_is_dropped() {
    let mut store = Store::default();
    let born = Alice::offer(line_link(), PortOptions::new(), seed(1));
    store.put(&Put::created(&born)).unwrap();
    let (mut here, mut there) = (Any::from(born.committed()), store.load(RecordKey::LineLink(line_link())).unwrap());
    keep(&mut store, &mut here, &Input::Event(line_formed(None))).unwrap();
    let before = store.clone();
    for input in [Input::Event(line_formed(Some(proof(PortOptions::new())))), Input::Revoke] {
        assert_eq!(keep(&mut store, &mut there, &input), Err(Refusal::Dropped));
        assert!(store == before);
    }
}

#[test]
fn r8_3_a_new_line_goes_into_the_same_transaction() {
    let (mut formed, mut at_bob) = (0, 0);
    for (state, machine) in states(longest()) {
        for (name, input) in inputs() {
            let mut line = None;
            let outcome = machine.clone().apply(&input, NOW, &mut |put| {
                line.clone_from(&put.new_line);
                true
            });
            // What was kept is what comes: `apply` compares them.
            let Some(Kept { key, record, .. }) = line else { continue };
            let of = if name.contains("again") { [0xEE; 16].into() } else { line_id() };
            assert_eq!((key, outcome.is_ok()), (RecordKey::Line(of), true), "{state} × {name}");
            let line = Line::restore(&record).unwrap();
            assert_eq!((line.revision(), line.key(), &line.record()[..]), (0, key, &record[..]));
            assert!(machine.state() == "Alice Offered" || machine.state().starts_with("Bob Connecting"), "{state}");
            formed += 1;
            at_bob += usize::from(matches!(machine, Any::Bob(_)));
        }
    }
    assert!(formed > at_bob && at_bob > 1, "{formed}, {at_bob} of them Bob's");
}

#[test]
fn r8_3_after_a_crash_the_line_is_in_the_store_and_nothing_yields_it_again() {
    let mut store = Store::default();
    let born = Alice::offer(line_link(), PortOptions::new(), seed(1));
    store.put(&Put::created(&born)).unwrap();
    let mut alice = Any::from(born.committed());
    let effects = keep(&mut store, &mut alice, &Input::Event(line_formed(Some(proof(PortOptions::new()))))).unwrap();
    let confirm = new_line(effects).pending().map(|effect| format!("{effect:?}")).collect::<Vec<_>>();
    drop(alice);

    let alice = store.load(RecordKey::LineLink(line_link())).unwrap();
    assert_eq!((alice.state().as_str(), alice.pending()), ("Alice Formed", vec![]));
    let [line] = &store.lines()[..] else { panic!("one line") };
    assert_eq!(line.pending().map(|effect| format!("{effect:?}")).collect::<Vec<_>>(), confirm);
    assert_eq!(confirm.len(), 1);
}

#[test]
fn r8_3_a_line_of_a_name_that_is_taken_is_not_formed() {
    let formed = |line_link| Event::LineFormed { line_link, line_id: line_id(), peer: peer(), proof: None };
    let mut store = Store::default();
    let mut alices = [1, 2].map(|n: u8| {
        let born = Alice::offer([n; 16].into(), PortOptions::new(), seed(n));
        store.put(&Put::created(&born)).unwrap();
        Any::from(born.committed())
    });
    let [first, second] = &mut alices;
    keep(&mut store, first, &Input::Event(formed([1; 16].into()).to_vec())).unwrap();
    let before = store.clone();
    let input = Input::Event(formed([2; 16].into()).to_vec());
    assert_eq!(keep(&mut store, second, &input), Err(Refusal::Dropped));
    assert!(store == before && second.state() == "Alice Offered", "her Port is as it was");
}

#[test]
fn r8_4_every_use_is_marked_with_the_port_hash_and_nothing_else_is() {
    for (state, machine) in states(expiring()) {
        for (name, input) in inputs() {
            for now in [NOW, EXPIRY] {
                let mut once = None;
                let outcome = machine.clone().apply(&input, now, &mut |put| {
                    once = put.unique;
                    true
                });
                let used = state == "Alice Offered" && name.starts_with("LineFormed") && outcome.is_ok();
                let mark = used.then(|| (ReplayMark::from(*port(expiring()).hash().as_bytes()), OnDuplicate::Revoke));
                assert_eq!(once, mark, "{state} × {name}");
            }
        }
    }
}

#[test]
fn r8_4_a_record_that_was_rolled_back_does_not_form_a_second_line() {
    for used in [Some(proof(PortOptions::new())), None, Some(bad_proof())] {
        let mut store = Store::default();
        let born = Alice::offer(line_link(), PortOptions::new(), seed(1));
        store.put(&Put::created(&born)).unwrap();
        let (backup, mut alice) = (store.records.clone(), Any::from(born.committed()));
        keep(&mut store, &mut alice, &Input::Event(line_formed(used))).unwrap();

        store.records = backup;
        let mut alice = store.load(RecordKey::LineLink(line_link())).unwrap();
        let again = Input::Event(line_formed(Some(proof(PortOptions::new()))));
        assert_eq!(keep(&mut store, &mut alice, &again), Err(Refusal::Dropped));
        assert_eq!(alice.state(), "Alice Offered");
    }
}

#[test]
fn r8_5_a_seed_is_64_bytes_private_key_then_rad_or_iv_then_request_id() {
    let bytes: [u8; 64] = std::array::from_fn(|i| i as u8 + 1);
    for seed in [|| Seed::draw(&mut rng_from(1)), || Seed::from_bytes(&std::array::from_fn(|i| i as u8 + 1))] {
        let alice = Cbor::read(&Alice::request(PortOptions::new(), seed()).committed().record());
        assert_eq!(alice.at(&[3, 1, 0]).bytes(), &bytes[48..], "request id");
        assert_eq!(alice.at(&[3, 1, 1]).bytes(), &bytes[..32], "private key");
        assert_eq!(alice.at(&[3, 1, 2]).bytes(), &bytes[32..48], "RAD");
        let bob = Cbor::read(&Bob::scan(port(PortOptions::new()), seed()).committed().record());
        assert_eq!(bob.at(&[3, 1, 1]).bytes(), &bytes[..32], "private key");
        assert_eq!(bob.at(&[3, 1, 2]).bytes(), &bytes[32..48], "IV");
    }
}

#[test]
fn r8_5_a_machine_is_a_function_of_its_state_the_event_and_the_time() {
    // Worked out again: `states` remembers.
    let again = reach(expiring());
    assert!(states(expiring()).into_values().map(|machine| machine.record()).eq(again));
}

#[test]
fn r8_6_records_are_version_role_revision_state() {
    for (state, machine) in states(longest()).into_iter().chain(pools()) {
        let record = Cbor::read(&machine.record());
        let role = match machine {
            Any::Alice(_) => 1,
            Any::Bob(_) => 2,
            Any::Line(_) => 3,
            Any::Pool(_) => 4,
        };
        assert_eq!(record.items()[..3], [1, role, machine.revision()].map(Cbor::Uint), "{state}");
        assert_eq!(record.items().len(), 4, "{state}");
    }
}

#[test]
fn r8_6_a_record_is_restored_as_what_it_is_and_nothing_else() {
    for (state, machine) in states(longest()).into_iter().chain(pools()) {
        let record = machine.record();
        let restored = [
            Alice::restore(&record).map(|m| m.record().to_vec()),
            Bob::restore(&record).map(|m| m.record().to_vec()),
            Line::restore(&record).map(|m| m.record().to_vec()),
            Pool::restore(&record).map(|m| m.record().to_vec()),
            Introducer::restore(&record).map(|m| m.record().to_vec()),
        ];
        for (role, restored) in (1..).zip(restored) {
            if u64::from(record[2]) == role {
                assert_eq!(restored.as_ref(), Ok(&record), "{state}");
            } else {
                assert_eq!(restored, Err(RestoreError::AnotherRole), "{state}");
            }
        }
        for role in [0, 6, 23, 24] {
            let other = Cbor::read(&record).with(&[1], Cbor::Uint(role)).write();
            for error in [Alice::restore(&other).err(), Bob::restore(&other).err(), Line::restore(&other).err()] {
                assert_eq!(error, Some(RestoreError::Malformed), "{state}");
            }
            assert_eq!(Pool::restore(&other).err(), Some(RestoreError::Malformed), "{state}");
        }
    }
}

#[test]
fn r8_6_the_longest_record_of_every_state_fits_and_is_restored() {
    let mut longest_record = 0;
    for (state, machine) in states(longest()) {
        let most = Cbor::Uint(u64::MAX);
        let mut record = Cbor::read(&machine.record()).with(&[2], most.clone());
        // The counters of a session.
        if state.contains("Joined") || state.contains("Confirmed") {
            for counter in [&[1, 3][..], &[1, 4, 0], &[1, 4, 1]] {
                record = record.with(&[&[3, 1][..], counter].concat(), most.clone());
            }
        }
        let record = record.write();
        assert!(record.len() <= MAX_RECORD, "{state}: {}", record.len());
        let machine = Any::restore(&record).unwrap_or_else(|error| panic!("{state}: {error}"));
        assert_eq!(machine.record(), record, "{state}");
        for effect in machine.pending() {
            // Nothing in the outbox was too long for where it is kept.
            if let Effect::Send(request) = effect {
                let request = Request::decode(&request).unwrap();
                let Request::Packet { payload, .. } = request else { continue };
                assert!(Payload::decode(payload).is_ok(), "{state}");
            }
        }
        longest_record = longest_record.max(record.len());
    }
    assert!(longest_record > 380, "{longest_record}");
}

#[test]
fn r8_6_the_longest_packets_of_the_machine_fit() {
    let Any::Line(line) = confirmed().0 else { panic!() };
    let record = Cbor::read(&line.record()).with(&[3, 1, 1, 3], Cbor::Uint(u64::MAX)).write();
    let mut alice = Any::restore(&record).unwrap();
    let close = payload_of(&arrives(&alice.takes(&Input::Close)));
    assert!(matches!(
        Payload::decode(&close),
        Ok(Payload::Sealed { nonce: Nonce { counter: u64::MAX, .. }, kind: PacketKind::Close, .. })
    ));
    assert_eq!(close.len(), 35);
}

#[test]
fn r8_6_a_stored_alice_on_offer_takes_121_bytes() {
    assert_eq!(offered(PortOptions::new()).record().len(), 121);
}

#[test]
fn r8_7_no_secret_is_shown() {
    let keys = keys::keys(expiring());
    let shared = keys::secret(expiring());
    let secrets = [
        &seed_bytes(1)[..48],
        &seed_bytes(2)[..32],
        &keys.to_bob,
        &keys.to_alice,
        &keys.exporter,
        &shared,
        line_link().as_bytes(),
    ]
    .map(<[u8]>::to_vec);
    for (state, machine) in states(expiring()) {
        let shown: String = format!("{machine:?} {machine:#?}").to_lowercase().split_whitespace().collect();
        for secret in &secrets {
            // Eight bytes of it, however they may be written.
            let part = &secret[4..12];
            let listed = |write: fn(&u8) -> String| part.iter().map(write).collect::<Vec<_>>().join(",");
            for written in [
                hex::encode(part),
                listed(u8::to_string),
                listed(|b| format!("{b:02x}")),
                listed(|b| format!("0x{b:02x}")),
            ] {
                assert!(!shown.contains(&written), "{state}");
            }
        }
    }
}
