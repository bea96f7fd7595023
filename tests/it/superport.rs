//! §14.3, §14.4: a Port for many, and its uses.
#![cfg(feature = "alloc")]

use std::collections::BTreeSet;

use crate::common::cbor::Cbor;
use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

#[test]
fn r14_3_key_rad_and_request_id_are_64_bytes_as_of_any_alice() {
    let options = |policy| PortOptions::new().policy(policy);
    let [once, many] = [Policy::once(), Policy::unlimited()].map(|policy| offered(options(policy)));
    let [once, many] = [once, many].map(|alice| (alice.port().unwrap().clone(), alice.record().to_vec()));
    assert_eq!((once.0.public_key(), once.0.rad()), (many.0.public_key(), many.0.rad()));
    assert_eq!(many.0.rad().expose()[..], seed_bytes(1)[32..48]);
    for (_, record) in [&once, &many] {
        assert!(holds(record, seed_bytes(1)[..32].try_into().unwrap()));
    }
    let requesting = Alice::request(options(Policy::unlimited()), seed(1)).committed();
    assert_eq!(requesting.key(), RecordKey::Request(<[u8; 16]>::try_from(&seed_bytes(1)[48..]).unwrap().into()));
    assert_eq!(many.0.to_bytes().as_slice().len(), 71);
}

#[test]
fn r14_3_no_record_holds_a_seed_for_later_and_none_grows_with_its_uses() {
    let mut alice = superport(Policy::unlimited());
    // What a Port for one use keeps, and the count of its uses.
    let once = offered(PortOptions::new());
    assert_eq!((once.record().len(), alice.record().len()), (121, 123));
    let record = Cbor::read(&alice.record());
    let [port, private_key, policy, version, due, recognisable, many] = record.at(&[3, 1]).items() else { panic!() };
    assert_eq!(Cbor::read(&once.record()).at(&[3, 1]).items()[1], *private_key);
    assert_eq!(port.items().len(), 5);
    assert_eq!(
        (policy.at(&[0]), version, due, recognisable),
        (&Cbor::Array(vec![Cbor::Uint(3)]), &Cbor::Uint(1), &Cbor::Bool(false), &Cbor::Bool(false))
    );
    assert_eq!(*many, Cbor::Array(vec![Cbor::Uint(0)]));
    let requesting =
        Cbor::read(&Alice::request(PortOptions::new().policy(Policy::unlimited()), seed(1)).committed().record());
    let [request_id, private_key, rad, _] = requesting.at(&[3, 1]).items() else { panic!() };
    let (bytes, parts) = (seed_bytes(1), [private_key, rad, request_id].map(|part| part.bytes().to_vec()));
    assert_eq!(parts.concat(), bytes);

    for n in 2..5 {
        ends(&mut alice, n, n);
        assert_eq!((alice.record().len(), alice.used()), (123, u32::from(n) - 1));
    }
}

fn alice_again(alice: &Alice) -> Alice {
    Alice::restore(&alice.record()).unwrap()
}

#[test]
fn r14_3_a_record_tells_of_no_use_before_and_of_none_after() {
    let mut alice = superport(Policy::unlimited());
    let port = alice.port().unwrap().clone();
    for n in 2..5 {
        let proof = proof_of(n, &alice);
        let keys = derived(n, n, &port, &proof, &fresh_bytes());
        let before = alice.record().to_vec();
        let (line, _) = ends(&mut alice, n, n);
        assert!(holds(&line.record(), &keys.keys[1][0]) && holds(&line.record(), &keys.keys[1][2]));
        // Neither the record of before nor the one after leads to the line's keys: `fresh` is in none.
        for record in [&before[..], &alice.record(), &line.record()] {
            assert!(!holds(record, &fresh_bytes()));
        }
        for secret in [&keys.ephemeral, &keys.secret, &keys.keys[0][1], &keys.keys[1][0], &keys.keys[1][1]] {
            assert!(!holds(&before, secret) && !holds(&alice.record(), secret), "what is agreed is a line's alone");
        }
    }
}

#[test]
fn r14_3_no_two_users_have_a_key_in_common() {
    let mut alice = superport(Policy::unlimited());
    let port = alice.port().unwrap().clone();
    let (mut keys, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for n in 2..6 {
        let proof = proof_of(n, &alice);
        // The generator gives each user the very same, and still.
        let one = derived(n, n, &port, &proof, &fresh_bytes());
        keys.extend(one.keys.into_iter().flatten().chain([one.secret, one.ephemeral]));
        let (mut at_alice, mut at_bob) = ends(&mut alice, n, n);
        hears(&mut at_bob, &pending(&at_alice)[0], NOW).unwrap();
        hears(&mut at_alice, &pending(&at_bob)[0], NOW).unwrap();
        codes.insert(at_alice.safety_number().unwrap().to_string());
    }
    assert_eq!((keys.len(), codes.len()), (4 * 8, 4));
}

#[test]
fn r14_3_one_user_opens_nothing_of_another() {
    let mut alice = superport(Policy::unlimited());
    let (one, mut mallory) = ends(&mut alice, 2, 2);
    let (mut two, _) = ends(&mut alice, 3, 3);
    let words = said(&mut two, "for 3").unwrap();
    for event in [&pending(&two)[0], &words] {
        let payload = payload_of(event);
        let renamed = Event::Packet { line_id: id(2), payload: &payload }.to_vec();
        assert!(hears(&mut mallory, &renamed, NOW).is_err_and(|e| matches!(e, Rejected::Forged | Rejected::TooEarly)));
    }
    hears(&mut mallory, &pending(&one)[0], NOW).unwrap();
    let payload = payload_of(&words);
    let renamed = Event::Packet { line_id: id(2), payload: &payload }.to_vec();
    assert_eq!(hears(&mut mallory, &renamed, NOW), Err(Rejected::Forged));
    // Nor can Mallory pose as the other user.
    let payload = payload_of(&said(&mut mallory, "I am 3").unwrap());
    let renamed = Event::Packet { line_id: id(3), payload: &payload }.to_vec();
    assert_eq!(hears(&mut two, &renamed, NOW), Err(Rejected::Forged));
}

#[test]
fn r14_4_what_is_refused_uses_nothing_up() {
    let mut alice = superport(Policy::up_to(1));
    let (before, good) = (alice.record().to_vec(), proof_of(2, &alice));
    let other = offered(PortOptions::new().policy(Policy::unlimited()));
    let elsewhere =
        Alice::offer([7; 16].into(), PortOptions::new().policy(Policy::unlimited()), Seed::from_bytes(&[9; 64]))
            .committed();
    let once = proof_of(2, &Alice::offer(line_link(), PortOptions::new(), seed(3)).committed());
    for proof in [None, Some(bad_proof()), Some(proof_of(2, &elsewhere)), Some(once)] {
        assert_eq!(
            alice.handle(&formed(2, 2, proof), &NoPeers, NOW, &mut rng()).err(),
            Some(Rejected::UnwantedLine(id(2)))
        );
    }
    // Its form and every bit of it, the proof's and the event's.
    let event = formed(2, 2, Some(good.clone())).to_vec();
    let proof_at = event.len() - (1 + 2 + 32 + 2 + 48);
    for bit in 0..event.len() * 8 {
        let mut flipped = event.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // Another line or pair is another claim of the relay's; the proof fits it.
        let claims = bit / 8 < proof_at && bit / 8 >= 22;
        let outcome = Event::decode(&flipped)
            .map_err(Rejected::from)
            .and_then(|event| alice.handle(&event, &NoPeers, NOW, &mut rng()).map(drop));
        let taken = claims && Event::decode(&flipped).is_ok();
        assert_eq!(outcome.is_ok(), taken, "bit {bit}: {outcome:?}");
    }
    assert_eq!(*alice.record(), before[..]);
    assert_eq!(other.port().unwrap().public_key(), alice.port().unwrap().public_key());
    assert!(alice.handle(&formed(2, 2, Some(good)), &NoPeers, NOW, &mut rng()).is_ok());
}

#[test]
fn r14_4_two_at_the_limit_and_exactly_the_limit_joins() {
    for limit in [1, 3] {
        let mut alice = superport(Policy::up_to(limit));
        let users = 2..(u8::try_from(limit).unwrap() + 6);
        let proofs: Vec<_> = users.map(|n| (n, proof_of(n, &alice))).collect();
        let mut joined = 0;
        for (n, proof) in &proofs {
            let event = formed(*n, *n, Some(proof.clone()));
            match alice.handle(&event, &NoPeers, NOW, &mut rng()).map(|step| line_of(step.committed())) {
                Ok(line) => joined += u32::from(line.is_some()),
                Err(error) => assert_eq!(error, Rejected::UnwantedLine(id(*n))),
            }
            // No outbox has to be cleared before the next.
            alice = alice_again(&alice);
        }
        assert_eq!((joined, alice.used()), (limit, limit));
        assert!(!alice.is_spent(), "raise it, and it goes on");
    }
}

#[test]
fn r14_4_what_a_use_asks_for_and_what_is_unsent() {
    for (limit, told, again) in [(2, "", "SetLineLink Many, "), (1, ", SetLineLink Nobody", "SetLineLink Nobody, ")] {
        let alice = superport(Policy::up_to(limit));
        let event = formed(2, 2, Some(proof_of(2, &alice))).to_vec();
        let mut alice = Any::from(alice);
        let line = "LineFormed AliceJoined, early";
        // The Port was shown before.
        assert_eq!(words(&alice.takes(&Input::Event(event))), format!("{line}{told}"));
        // Said again with the connection: the relay may not have heard it. The line is in the store.
        assert_eq!(words(&alice.pending()), format!("{again}PortReady"));
    }
    assert_eq!(words(&Any::from(offering(Policy::unlimited())).pending()), "SetLineLink Many, PortReady");
}

#[test]
fn r14_4_an_old_proof_on_a_new_line_is_told_by_its_mark() {
    let (mut store, mut alice) = (Store::default(), superport(Policy::up_to(3)));
    store.records.insert(alice.key(), (alice.revision(), alice.record().to_vec()));
    let (old, proof) = (alice_again(&alice), proof_of(2, &alice));
    let line = use_it(&mut store, &mut alice, &formed(2, 2, Some(proof.clone()))).unwrap().unwrap();
    assert_eq!(store.records[&line.key()], (0, line.record().to_vec()));
    let (records, marks) = (store.records.clone(), store.marks.clone());
    assert_eq!(marks.len(), 1, "32 bytes for each use");

    // On another line, for another pair; in other bytes of the key there is no proof at all (§2.3).
    for (line, pair) in [(9, 2), (9, 9), (2, 2)] {
        let again = use_it(&mut store, &mut alice, &formed(line, pair, Some(proof.clone())));
        assert_eq!(again.err(), Some(Some(OnDuplicate::Disconnect(id(line)))));
        assert_eq!((alice.used(), &store.records, &store.marks), (1, &records, &marks));
    }
    // After an old record was restored and the marks were not.
    let mut old = old;
    store.records.insert(old.key(), (old.revision(), old.record().to_vec()));
    let again = use_it(&mut store, &mut old, &formed(9, 9, Some(proof.clone())));
    assert_eq!((again.err(), old.used()), (Some(Some(OnDuplicate::Disconnect(id(9)))), 0));
    let next = proof_of(3, &old);
    assert!(use_it(&mut store, &mut old, &formed(3, 3, Some(next))).unwrap().is_some());
    // On another Superport it is a bad one.
    let mut other =
        Alice::offer(line_link(), PortOptions::new().policy(Policy::unlimited()), Seed::from_bytes(&[9; 64]))
            .committed();
    assert_eq!(
        other.handle(&formed(9, 9, Some(proof)), &NoPeers, NOW, &mut rng()).err(),
        Some(Rejected::UnwantedLine(id(9)))
    );
}

#[test]
fn r14_4_a_use_on_a_line_that_there_is_leaves_it_as_it_was() {
    let mut alice = superport(Policy::unlimited());
    let (first, _) = ends(&mut alice, 2, 2);
    let proof = proof_of(3, &alice);
    let again = formed(2, 2, Some(proof));
    let known = There(id(2), alice.port().unwrap().hash());
    assert_eq!(alice.handle(&again, &known, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
    // Without asking: the key is taken, and what is there goes on.
    let step = alice.handle(&again, &NoPeers, NOW, &mut rng()).unwrap();
    assert_eq!(step.write().unique.map(|(_, then)| then), Some(OnDuplicate::Disconnect(id(2))));
    let mut store = Store::default();
    store.records.insert(first.key(), (0, first.record().to_vec()));
    store.records.insert(step.write().row.key, (step.write().row.revision - 1, Vec::new()));
    assert_eq!(store.put(&Put::step(&step)), Err(Conflict::KeyExists));
}

#[test]
fn r14_4_a_phantom_of_an_old_proof_is_confirmed_by_nobody() {
    // Record and marks went back together: there is a line, but who replays does not hold its keys.
    let alice = superport(Policy::unlimited());
    let mut first = alice_again(&alice);
    let (_, mut bob) = ends(&mut first, 2, 2);
    let early = payload_of(&said(&mut bob, "early").unwrap());
    for (line, sees) in [(9, Rejected::Forged), (2, Rejected::Duplicate)] {
        let mut second = alice_again(&alice);
        let proof = proof_of(2, &second);
        let mut phantom =
            line_of(second.handle(&formed(line, 2, Some(proof)), &NoPeers, NOW, &mut rng()).unwrap().committed())
                .unwrap();
        let replayed = Event::Packet { line_id: id(line), payload: &early }.to_vec();
        let heard = hears(&mut phantom, &replayed, NOW);
        if line == 9 {
            assert_eq!(heard, Err(sees));
        }
        assert!(phantom.confirmed().is_none());
    }
}

#[test]
fn r14_4_the_same_event_again_does_no_harm() {
    let mut alice = superport(Policy::up_to(1).on_repeat(OnRepeat::Refuse));
    let event = formed(2, 2, Some(proof_of(2, &alice)));
    let mine = There(id(2), alice.port().unwrap().hash());
    let line = line_of(alice.handle(&event, &NoPeers, NOW, &mut rng()).unwrap().committed()).unwrap();
    // The limit is reached, Bob is connected, and the Port may have closed. As long as Bob's line is stored, the event is no stray: the
    // answer to a stray would end the line.
    assert_eq!(alice.handle(&event, &mine, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
    let other = all_are(Relationship::Connected(id(3)));
    assert_eq!(alice.handle(&event, &other, NOW, &mut rng()).err(), Some(Rejected::UnwantedLine(id(2))));
    alice.set_policy(Policy::up_to(9).closes_at(Some(NOW))).unwrap().committed().for_each(drop);
    assert_eq!(alice.handle(&event, &mine, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
    alice.tick(NOW).unwrap().committed().for_each(drop);
    assert_eq!(alice.handle(&event, &mine, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
    assert_eq!(alice.handle(&event, &NoPeers, NOW, &mut rng()).err(), Some(Rejected::UnwantedLine(id(2))));
    assert_eq!(line.phase(), LinePhase::Joined);
}

#[test]
fn r14_4_stopped_anywhere_a_use_is_whole_or_never_was() {
    let first = superport(Policy::up_to(1));
    let event = formed(2, 2, Some(proof_of(2, &first)));
    let line = line_of(alice_again(&first).handle(&event, &NoPeers, NOW, &mut rng()).unwrap().committed()).unwrap();
    // Not kept; kept, and not committed; committed.
    for stop in 0..3 {
        let (mut store, mut alice) = (Store::default(), alice_again(&first));
        store.records.insert(alice.key(), (alice.revision(), alice.record().to_vec()));
        for run in 0..2 {
            match alice.handle(&event, &NoPeers, NOW, &mut rng()) {
                Ok(step) if run == 0 && stop == 0 => drop(step),
                Ok(step) => {
                    store.put(&Put::step(&step)).unwrap();
                    if stop == 2 {
                        step.committed().for_each(drop);
                    }
                }
                Err(error) => assert_eq!((run, error), (1, Rejected::UnwantedLine(id(2)))),
            }
            alice = match store.load(alice.key()).unwrap() {
                Any::Alice(alice) => alice,
                other => panic!("{other:?}"),
            };
        }
        assert_eq!((alice.used(), store.marks.len(), store.lines().len()), (1, 1, 1), "{stop}");
        assert_eq!(*store.lines()[0].record(), *line.record());
    }
}

#[test]
fn r14_4_a_bob_takes_a_port_for_many_with_the_proof_on_board() {
    let alice = superport(Policy::unlimited());
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        let mut bob = Bob::scan(alice.port().unwrap().clone(), seed(2)).committed();
        let step = bob.connect(how, NOW).unwrap();
        let Some(BobEffect::Send(Request::Connect { proof, .. })) = step.committed().next() else { panic!() };
        assert!(proof.is_some());
        // One DH more is to come (§14.7); a Port for one use needs no key any more.
        let private_key: [u8; 32] = seed_bytes(2)[..32].try_into().unwrap();
        let once = connecting(2, offered(PortOptions::new()).port().unwrap()).0;
        assert!(holds(&bob.record(), &private_key) && !holds(&once.record(), &private_key));
        let asked = words(&Any::from(Bob::restore(&bob.record()).unwrap()).pending());
        assert_eq!(asked, "Connect inline");
    }
}

#[test]
fn r8_6_records_of_ports_for_many_are_strict_and_say_the_same() {
    let mut alice = superport(Policy::up_to(9).on_repeat(OnRepeat::Allow).closes_at(Some(EXPIRY)));
    let (mut bob, proof) = connecting(2, alice.port().unwrap());
    let unused = alice_again(&alice);
    alice.handle(&formed(2, 2, Some(proof)), &NoPeers, NOW, &mut rng()).unwrap().committed().for_each(drop);
    let waiting = Bob::restore(&bob.record()).unwrap();
    bob.handle(&connected(2, 2), &NoPeers, NOW, &mut rng()).unwrap().committed().for_each(drop);
    let requesting = Alice::request(PortOptions::new().policy(Policy::up_to(2)), seed(1)).committed();
    for machine in [Any::from(unused), alice.into(), waiting.into(), bob.into(), requesting.into()] {
        let record = machine.record();
        let again = Any::restore(&record).unwrap();
        assert_eq!((again.record(), again.pending()), (record.clone(), machine.pending()));
        for length in 0..record.len() {
            assert!(Any::restore(&record[..length]).is_err());
        }
        assert!(Any::restore(&[&record[..], &[0]].concat()).is_err());
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Any::restore(&flipped).map_or(true, |again| again.record() == flipped));
        }
    }
}

/// The longest that any field can be: the state of a line, with its counters at their end and an introducer.
fn longest_line(state: &Cbor, by: Option<Cbor>) -> Cbor {
    let most = || Cbor::Uint(u64::MAX);
    let (Cbor::Array(mut origin), mut phase) = (state.at(&[0]).clone(), state.at(&[1]).clone()) else { panic!() };
    origin[0] = Cbor::Uint(3);
    origin.push(Cbor::Array([Cbor::Text("n".repeat(32))].into_iter().chain(by).collect()));
    for counter in [&[1, 3][..], &[1, 4, 0], &[1, 4, 1]] {
        phase = phase.with(counter, most());
    }
    // Alice's end: what is still to be opened of epoch 0.
    if phase.at(&[2, 0]).uint() == 1 {
        let wait = [7 * 24, UnixSeconds::MAX.as_secs()].map(Cbor::Uint);
        phase =
            phase.with(&[2, 2, 1], most()).with(&[2, 2, 2], Cbor::Uint(255)).with(&[2, 2, 3], Cbor::Array(wait.into()));
    }
    Cbor::Array(vec![Cbor::Array(origin), phase])
}

#[test]
fn r8_6_the_longest_record_of_all_has_536_bytes() {
    let (most, by) = (Cbor::Uint(u64::MAX), Cbor::Bytes(vec![7; 16]));
    let offer = longest().policy(Policy::up_to(u32::MAX).closes_at(Some(UnixSeconds::MAX)));
    let mut alice = offered(offer.clone());
    let (mut bob, proof) = connecting(2, alice.port().unwrap());
    let known = all_are(Relationship::Connected(id(7)));
    let step = alice.handle(&formed(2, 2, Some(proof)), &known, NOW, &mut rng()).unwrap();
    let line = Cbor::read(&line_of(step.committed()).unwrap().record());
    let at_alice = longest_line(line.at(&[3]), Some(by.clone()));

    let contact = Cbor::read(&offered(offer.introducer(id(7))).record()).with(&[2], most.clone());
    let contact = contact.with(&[3, 1, 3], most.clone()).with(&[3, 1, 6, 0], Cbor::Uint(u64::from(u32::MAX)));

    let mut connecting = Cbor::read(&bob.record()).with(&[2], most.clone());
    let Cbor::Array(mut fields) = connecting.at(&[3, 1]).clone() else { panic!() };
    fields[1] = Cbor::Uint(3);
    // The proof of an introduced use has a block more.
    fields[5] = Cbor::Array(vec![fields[5].at(&[0]).clone(), Cbor::Bytes(vec![7; 64])]);
    fields.push(Cbor::Array(vec![
        Cbor::Bytes(vec![7; 16]),
        Cbor::Text("n".repeat(32)),
        Cbor::Uint(UnixSeconds::MAX.as_secs()),
    ]));
    connecting = connecting.with(&[3, 1], Cbor::Array(fields));

    let step = bob.handle(&connected(2, 2), &known, NOW, &mut rng()).unwrap();
    let at_bob = Cbor::read(&step.write().new_line.unwrap().record);
    let at_bob = longest_line(at_bob.at(&[3]), None);
    let records = [
        contact,
        line.clone().with(&[2], most.clone()).with(&[3], at_alice),
        line.with(&[2], most).with(&[3], at_bob),
        connecting,
    ];
    let lengths = records.map(|record| {
        let record = record.write();
        assert_eq!(Any::restore(&record).map(|machine| machine.record()), Ok(record.clone()), "{}", record.len());
        record.len()
    });
    assert_eq!(lengths, [249, 536, 460, 391]);
    assert_eq!(MAX_RECORD, 536);
}
