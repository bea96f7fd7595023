//! §6.1–§6.4, §6.7: keys, packets, the end.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::keys::*;
use crate::common::*;
use port_protocol::*;

fn refusal(line: &mut Any, input: &Input) -> Refusal {
    line.give(input, NOW).unwrap_err()
}

fn rejected(line: &mut Any, payload: Vec<u8>) -> Rejected {
    match refusal(line, &Input::Open(payload, Vec::new())) {
        Refusal::Rejected(rejected) => rejected,
        other => panic!("{other:?}"),
    }
}

fn opens(line: &mut Any, payload: Vec<u8>) -> Vec<Effect> {
    line.takes(&Input::Open(payload, Vec::new()))
}

/// A line whose end has sealed this many packets.
fn with_sent(line: &Any, sent: u64) -> Any {
    Any::restore(&Cbor::read(&line.record()).with(&[3, 1, 1, 3], Cbor::Uint(sent)).write()).unwrap()
}

#[test]
fn r6_1_every_claim_is_in_the_transcript() {
    let ends = |offer: PortOptions, line_id: [u8; 16], pair_hash: [u8; 32]| {
        let formed = |proof| {
            let (line_link, line_id, pair_hash) = (line_link(), line_id.into(), pair_hash.into());
            Input::Event(Event::LineFormed { line_link, line_id, pair_hash, proof }.to_vec())
        };
        let mut bob = Any::from(scanned(offer.clone()));
        bob.takes(&Input::Connect(SendProof::Inline));
        let mut alice = Any::from(offered(offer.clone()));
        let ends = [alice.takes(&formed(Some(proof(offer)))), bob.takes(&formed(None))];
        ends.map(|effects| Any::from(born_line(effects)))
    };
    let relay = PortOptions::new().relay(RelayAddr::new("a.example").unwrap());
    // The same proof is good for all of these: it binds none of it.
    let told = [
        (PortOptions::new(), [1; 16], [1; 32]),
        (PortOptions::new(), [2; 16], [1; 32]),
        (PortOptions::new(), [1; 16], [2; 32]),
        (expiring(), [1; 16], [1; 32]),
        (relay, [1; 16], [1; 32]),
    ];
    for (i, (offer, id, pair)) in told.iter().enumerate() {
        let [mut alice, _] = ends(offer.clone(), *id, *pair);
        let confirm = payload_of(&arrives(&alice.pending()));
        for (j, (offer, id, pair)) in told.iter().enumerate() {
            let [_, mut bob] = ends(offer.clone(), *id, *pair);
            let opening = payload_of(&says(&mut bob, "hello"));
            if i == j {
                opens(&mut bob, confirm.clone());
                opens(&mut alice, opening);
            } else {
                assert_eq!(rejected(&mut bob, confirm.clone()), Rejected::Forged, "{i} {j}");
                assert_eq!(rejected(&mut alice, opening), Rejected::Forged, "{i} {j}");
            }
        }
    }
}

#[test]
fn r6_1_another_proof_makes_another_transcript() {
    let (_, mut bob) = joined();
    let other = line_formed(Some(proof_by(3, PortOptions::new())));
    let alice = born_line(Any::from(offered(PortOptions::new())).takes(&Input::Event(other)));
    let confirm = payload_of(&arrives(&Any::from(alice).pending()));
    assert_eq!(rejected(&mut bob, confirm), Rejected::Forged);
}

#[test]
fn r6_1_other_key_bytes_that_lead_to_the_same_secret_make_another_transcript() {
    // 1/u: Bob's point plus the one of order two. A relay can put it into his proof, and Alice accepts that.
    let other = hex::decode("30182606909def352fc3b354bd621dc56b0903e5dd73c6a48f18796721271a46").unwrap();
    let layout = Cbor::read(&Payload::Proof { proof: proof(PortOptions::new()) }.to_vec()).at(&[1, 1]).clone();
    let altered = decode_proof(&layout.with(&[0], Cbor::Bytes(other))).unwrap();
    let formed = Input::Event(line_formed(Some(altered)));
    let mut alice = Any::from(born_line(Any::from(offered(PortOptions::new())).takes(&formed)));
    assert_eq!(alice.state(), "AliceJoined");
    // There it ends: neither confirms the other.
    let (_, mut bob) = joined();
    let confirm = payload_of(&arrives(&alice.pending()));
    assert_eq!(rejected(&mut bob, confirm), Rejected::Forged);
    let opening = payload_of(&says(&mut bob, "hello"));
    assert_eq!(rejected(&mut alice, opening), Rejected::Forged);
}

#[test]
fn r6_2_the_keys_are_these() {
    for offer in [PortOptions::new(), longest()] {
        let keys = keys(offer.clone());
        let (alice, bob) = lines(SendProof::Inline, offer);
        for (line, send, receive) in [(alice, keys.to_bob, keys.to_alice), (bob, keys.to_alice, keys.to_bob)] {
            let record = Cbor::read(&line.record());
            let stored = record.at(&[3, 1, 1]).items()[..3].iter().map(Cbor::bytes);
            assert!(stored.eq([&send[..], &receive, &keys.exporter]));
        }
    }
}

#[test]
fn r6_2_no_record_holds_keys_and_what_they_were_made_of() {
    let holds = |record: &[u8], secret: &[u8]| record.windows(secret.len()).any(|window| window == secret);
    let Keys { to_bob, to_alice, exporter } = keys(expiring());
    let keys = [to_bob, to_alice, exporter];
    let sources = [
        secret(expiring()).to_vec(),
        seed_bytes(1)[..32].to_vec(),
        seed_bytes(2)[..32].to_vec(),
        seed_bytes(1)[32..48].to_vec(),
    ];
    let mut with_keys = 0;
    for (state, machine) in states(expiring()) {
        let record = machine.record();
        let (made, from) = (keys.iter().any(|k| holds(&record, k)), sources.iter().any(|s| holds(&record, s)));
        assert!(!made || !from, "{state}");
        with_keys += u32::from(made);
    }
    assert!(with_keys >= 6);
}

#[test]
fn r6_3_packets_are_these_bytes() {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    let (mut alice, mut bob) = joined();
    let payload = |effects: &[Effect]| payload_of(&arrives(effects));

    let confirm = payload(&alice.pending());
    assert_eq!(confirm, sealed(&to_bob, CONFIRM, 0, 0, b"", b""));
    let opening = payload(&bob.takes(&Input::Seal(b"hello".to_vec(), b"data".to_vec())));
    assert_eq!(opening, sealed(&to_alice, OPENING, 0, 0, b"hello", b"data"));
    assert_eq!(payload(&alice.takes(&Input::seal(""))), sealed(&to_bob, OPENING, 0, 1, b"", b""));
    let answer = payload(&opens(&mut bob, confirm));
    assert_eq!(answer, sealed(&to_alice, ANSWER, 0, 1, b"", b""));
    opens(&mut alice, answer);
    assert_eq!(payload(&alice.takes(&Input::seal("hi"))), sealed(&to_bob, MESSAGE, 0, 2, b"hi", b""));
    assert_eq!(payload(&bob.takes(&Input::seal("hi"))), sealed(&to_alice, MESSAGE, 0, 2, b"hi", b""));
    assert_eq!(payload(&alice.takes(&Input::Close)), sealed(&to_bob, CLOSE, 0, 3, b"", b""));
    assert_eq!(payload(&bob.takes(&Input::Close)), sealed(&to_alice, CLOSE, 0, 3, b"", b""));
}

#[test]
fn r6_3_messages_have_0_to_65536_bytes() {
    assert_eq!(MAX_MESSAGE, 65_536);
    let (mut alice, mut bob) = confirmed();
    for length in [0, 1, 15, 16, 17, 23, 24, 255, 256, 65_519, 65_520, 65_535, 65_536] {
        let text: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let event = arrives(&alice.takes(&Input::Seal(text.clone(), Vec::new())));
        assert_eq!(bob.takes(&Input::Event(event)), [Effect::Message(text)]);
    }
    let too_long = Input::Seal(vec![0; MAX_MESSAGE + 1], Vec::new());
    assert_eq!(refusal(&mut alice, &too_long), Refusal::Seal(SealError::TooLong));
}

#[test]
fn r6_3_associated_data_has_0_to_256_bytes_and_is_the_same_at_both_ends() {
    assert_eq!(MAX_ASSOCIATED_DATA, 256);
    let (mut alice, bob) = confirmed();
    for length in [0, 1, 255, 256] {
        let data = vec![7; length];
        let packet = payload_of(&arrives(&alice.takes(&Input::Seal(b"words".to_vec(), data.clone()))));
        let with = |data: &[u8]| bob.clone().give(&Input::Open(packet.clone(), data.to_vec()), NOW);
        assert_eq!(with(&data), Ok(vec![Effect::Message(b"words".to_vec())]));
        for other in [vec![7; length + 1], vec![7; length.saturating_sub(1)], vec![8; length]] {
            let expected = match other.len() {
                257.. => Rejected::AssociatedDataTooLong,
                _ => Rejected::Forged,
            };
            assert!(other == data || with(&other) == Err(Refusal::Rejected(expected)));
        }
    }
    for length in [257, 1_000] {
        let input = Input::Seal(b"words".to_vec(), vec![7; length]);
        assert_eq!(refusal(&mut alice, &input), Refusal::Seal(SealError::AssociatedDataTooLong));
    }
}

#[test]
fn r6_3_the_machines_own_packets_have_no_data_and_open_whatever_is_passed() {
    let (mut alice, mut bob) = joined();
    let with_data = |packet: Vec<u8>| Input::Open(payload_of(&packet), b"a user's data".to_vec());
    let answer = arrives(&bob.takes(&with_data(arrives(&alice.pending()))));
    alice.takes(&with_data(answer));
    assert_eq!(alice.state(), "AliceConfirmed, answered");
    bob.takes(&with_data(arrives(&alice.takes(&Input::Close))));
    assert_eq!(bob.state(), "Closed ByPeer");
}

#[test]
fn r6_3_the_machines_own_packets_have_no_text() {
    for (name, mut line, key) in ends() {
        for content in [CONFIRM, ANSWER, CLOSE] {
            assert_eq!(rejected(&mut line, sealed(&key, content, 0, 9, b"x", b"")), Rejected::Forged, "{name}");
        }
    }
}

#[test]
fn r6_3_the_buffer_has_to_hold_it_all() {
    let (alice, bob) = confirmed();
    for length in [0, 1, 300, MAX_MESSAGE] {
        let text = vec![3; length];
        let needed = payload_of(&arrives(&alice.clone().takes(&Input::Seal(text.clone(), vec![])))).len();
        let (mut alice, mut bob) = (alice.clone().line(), bob.clone().line());
        assert!(needed <= length + SEAL_OVERHEAD);
        // As much as is promised at most, and no more.
        assert_eq!(needed == length + SEAL_OVERHEAD, length == MAX_MESSAGE);
        let before = alice.record().to_vec();
        for short in [0, needed / 2, needed - 1] {
            assert_eq!(alice.seal(&text, &[], &mut vec![0; short]).err(), Some(SealError::BufferTooSmall));
        }
        assert_eq!(*alice.record(), before);

        let mut buffer = vec![0; needed];
        let packet = alice.seal(&text, &[], &mut buffer).unwrap().commit().find_map(|effect| match effect {
            LineEffect::Send(Request::Packet { payload, .. }) => Some(payload.to_vec()),
            _ => None,
        });
        let (packet, before) = (packet.unwrap(), bob.record().to_vec());
        let packet = Event::Packet { line_id: line_id(), payload: &packet };
        for short in (0..length).step_by(1.max(length / 3)).chain(length.checked_sub(1)) {
            let error = bob.handle(&packet, &mut vec![0; short], NOW).err();
            assert_eq!(error, Some(Rejected::BufferTooSmall), "{short} of {length}");
        }
        assert_eq!(*bob.record(), before);
        let opened =
            bob.handle(&packet, &mut vec![0; length], NOW).unwrap().commit().next() == Some(LineEffect::Message(&text));
        assert!(opened);
    }
}

#[test]
fn r6_3_a_users_messages_end_at_2_to_the_48() {
    let last = 1 << 48;
    for line in <[Any; 2]>::from(confirmed()).into_iter().chain(<[Any; 2]>::from(joined())) {
        let mut line = with_sent(&line, last - 1);
        arrives(&line.takes(&Input::seal("the last one")));
        assert_eq!(refusal(&mut line, &Input::seal("one more")), Refusal::Seal(SealError::Exhausted));
        // The machine's own still go.
        assert_eq!(words(&line.takes(&Input::Close)), "Close, Disconnect, Ended");
    }
    let (alice, bob) = joined();
    assert_eq!(words(&with_sent(&bob, last).takes(&Input::Event(arrives(&alice.pending())))), "Answer");
}

#[test]
fn r6_3_content_says_whether_the_sender_is_confirmed() {
    for (mut line, content) in [
        (joined().0, "EarlyMessage"),
        (joined().1, "EarlyMessage"),
        (confirmed().0, "Message"),
        (confirmed().1, "Message"),
    ] {
        assert_eq!(words(&line.takes(&Input::seal("words"))), content);
    }
}

/// Both ends, confirmed or not, with the key under which each receives.
fn ends() -> Vec<(&'static str, Any, [u8; 32])> {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    let ((a, b), (c, d)) = (joined(), confirmed());
    vec![("A", a, to_alice), ("B", b, to_bob), ("A confirmed", c, to_alice), ("B confirmed", d, to_bob)]
}

#[test]
fn r6_4_what_does_not_open_is_forged_whatever_the_cause() {
    for (name, mut line, key) in ends() {
        let good = sealed(&key, MESSAGE, 0, 40, b"words", b"");
        let mut bad = vec![
            ("another key", sealed(&[1; 32], MESSAGE, 0, 40, b"words", b"")),
            ("data", sealed(&key, MESSAGE, 0, 40, b"words", b"data")),
            ("another epoch", sealed(&key, MESSAGE, 1, 40, b"words", b"")),
            ("the last epoch", sealed(&key, MESSAGE, u32::MAX, 40, b"words", b"")),
            ("a text that is too long", sealed(&key, MESSAGE, 0, 40, &[0; MAX_MESSAGE + 1], b"")),
        ];
        let tree = Cbor::read(&good);
        let with = |place, new| tree.clone().with(&[1, place], new).write();
        for content in [1, 2, 3, 5] {
            bad.push(("another content", with(1, Cbor::Uint(content))));
        }
        let nonce = |epoch: u32, counter: u64| Cbor::Bytes([&epoch.to_be_bytes()[..], &counter.to_be_bytes()].concat());
        bad.push(("another epoch", with(2, nonce(1, 40))));
        for counter in [0, 39, 41, u64::MAX] {
            bad.push(("another counter", with(2, nonce(0, counter))));
        }
        let ciphertext = tree.at(&[1, 3]).bytes();
        for length in 0..ciphertext.len() {
            bad.push(("cut short", with(3, Cbor::Bytes(ciphertext[..length].to_vec()))));
        }
        bad.push(("longer", with(3, Cbor::Bytes([ciphertext, &[0]].concat()))));
        for (what, packet) in bad {
            assert_eq!(rejected(&mut line, packet), Rejected::Forged, "{name}: {what}");
        }
        assert!(words(&opens(&mut line, good)).ends_with("says"), "{name}");
    }
}

#[test]
fn r6_4_an_ends_own_packets_do_not_open_there() {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    for (name, mut line, key) in ends() {
        let own = if key == to_bob { to_alice } else { to_bob };
        for content in [CONFIRM, ANSWER, OPENING, MESSAGE, CLOSE] {
            for counter in 0..5 {
                let reflected = sealed(&own, content, 0, counter, b"", b"");
                assert_eq!(rejected(&mut line, reflected), Rejected::Forged, "{name}");
            }
        }
    }
}

#[test]
fn r6_4_first_the_aead_then_the_counter() {
    for (name, mut line, key) in ends() {
        let packet = sealed(&key, MESSAGE, 0, 100, b"words", b"");
        opens(&mut line, packet.clone());
        assert_eq!(rejected(&mut line, packet.clone()), Rejected::Duplicate, "{name}");
        // Who does not hold the keys learns nothing of the window.
        for counter in [0, 36, 37, 100, 101] {
            let forged = sealed(&[1; 32], MESSAGE, 0, counter, b"words", b"");
            assert_eq!(rejected(&mut line, forged), Rejected::Forged, "{name} {counter}");
        }
    }
}

#[test]
fn r6_4_then_the_texts_form_then_the_counter_then_who_is_to_hear() {
    const PADDED_MESSAGE: u64 = 7;
    for (name, mut line, key) in ends() {
        opens(&mut line, sealed(&key, MESSAGE, 0, 20, b"words", b""));
        for (content, text) in
            [(CONFIRM, &b"text"[..]), (ANSWER, b"text"), (CLOSE, b"text"), (PADDED_MESSAGE, &[0; 64])]
        {
            let packet = sealed(&key, content, 0, 20, text, b"");
            assert_eq!(rejected(&mut line, packet), Rejected::Forged, "{name}: {content}");
        }
        let not_heard = if name.starts_with('A') { CONFIRM } else { ANSWER };
        let taken = if name.starts_with('A') { Rejected::OutOfOrder } else { Rejected::Duplicate };
        assert_eq!(rejected(&mut line, sealed(&key, not_heard, 0, 20, b"", b"")), taken, "{name}");
    }
}

#[test]
fn r6_4_a_counter_is_taken_once_within_64_of_the_highest() {
    for (name, line, key) in ends() {
        let message = |counter| sealed(&key, MESSAGE, 0, counter, b"words", b"");
        for highest in [64, 65, 100, 1_000, 1 << 48, u64::MAX - 2] {
            let mut line = line.clone();
            opens(&mut line, message(highest));
            for age in [0, 64, 65, 1_000] {
                let Some(counter) = highest.checked_sub(age) else { continue };
                assert_eq!(rejected(&mut line, message(counter)), Rejected::Duplicate, "{name} {highest} - {age}");
            }
            for age in [63, 1, 32] {
                opens(&mut line, message(highest - age));
                assert_eq!(rejected(&mut line, message(highest - age)), Rejected::Duplicate);
            }
            opens(&mut line, message(highest + 1));
            assert_eq!(rejected(&mut line, message(highest - 63)), Rejected::Duplicate);
            opens(&mut line, message(highest - 62));
        }
    }
}

#[test]
fn r6_4_the_last_counter_of_all_is_repeated() {
    for (name, mut line, key) in ends() {
        let last = sealed(&key, MESSAGE, 0, u64::MAX, b"words", b"");
        assert_eq!(rejected(&mut line, last), Rejected::Duplicate, "{name}");
        assert!(words(&opens(&mut line, sealed(&key, MESSAGE, 0, u64::MAX - 1, b"words", b""))).ends_with("says"));
    }
}

#[test]
fn r6_4_a_jump_forgets_what_is_behind_the_window_and_nothing_else() {
    for (name, line, key) in ends() {
        let message = |counter| sealed(&key, MESSAGE, 0, counter, b"words", b"");
        for jump in [1, 62, 63, 64, 65, 127, 128, 1 << 32, 1 << 40] {
            let mut line = line.clone();
            opens(&mut line, message(100));
            opens(&mut line, message(100 + jump));
            assert_eq!(rejected(&mut line, message(100)), Rejected::Duplicate, "{name} {jump}");
            let between = line.give(&Input::Open(message(100 + jump - 1), vec![]), NOW);
            assert_eq!(between.is_ok(), jump > 1, "{name} {jump}");
        }
    }
}

#[test]
fn r6_4_every_kind_of_packet_takes_its_counter_but_confirm() {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    let (mut alice, mut bob) = joined();
    opens(&mut alice, sealed(&to_alice, ANSWER, 0, 7, b"", b""));
    for content in [ANSWER, OPENING, MESSAGE, CLOSE] {
        assert_eq!(rejected(&mut alice, sealed(&to_alice, content, 0, 7, b"", b"")), Rejected::Duplicate);
    }
    for _ in 0..3 {
        assert_eq!(words(&opens(&mut bob, sealed(&to_bob, CONFIRM, 0, 0, b"", b""))), "Answer");
    }
    opens(&mut bob, sealed(&to_bob, OPENING, 0, 0, b"", b""));
    assert_eq!(rejected(&mut bob, sealed(&to_bob, CLOSE, 0, 0, b"", b"")), Rejected::Duplicate);
}

#[test]
fn r6_4_what_opens_but_is_not_this_ends_to_hear_is_out_of_order() {
    for (name, mut line, key) in ends() {
        let content = if name.starts_with('A') { CONFIRM } else { ANSWER };
        assert_eq!(rejected(&mut line, sealed(&key, content, 0, 20, b"", b"")), Rejected::OutOfOrder, "{name}");
        // And its counter was not taken.
        assert!(words(&opens(&mut line, sealed(&key, MESSAGE, 0, 20, b"", b""))).ends_with("says"));
    }
}

#[test]
fn r6_4_a_proof_at_a_line_that_is_past_it_is_out_of_order() {
    for (name, mut line, _) in ends() {
        for proof in [bad_proof(), proof_by(3, PortOptions::new())] {
            assert_eq!(rejected(&mut line, Payload::Proof { proof }.to_vec()), Rejected::OutOfOrder, "{name}");
        }
    }
}

#[test]
fn r6_7_the_end_wipes_the_keys() {
    let Keys { to_bob, to_alice, exporter } = keys(expiring());
    let secrets =
        [&to_bob[..], &to_alice, &exporter, &secret(expiring()), &seed_bytes(1)[..32], &seed_bytes(1)[32..48]];
    for (state, line) in states(expiring()).into_iter().filter(|(state, _)| state.starts_with("Closed")) {
        let record = line.record();
        for secret in secrets {
            assert!(!record.windows(secret.len()).any(|window| window == secret), "{state}");
        }
    }
}

#[test]
fn r6_7_closing_tells_the_other_end_with_authority() {
    for (mut one, mut other) in [joined(), confirmed()].into_iter().flat_map(|(a, b)| [(a.clone(), b.clone()), (b, a)])
    {
        let effects = one.takes(&Input::Close);
        assert_eq!(words(&effects), "Close, Disconnect, Ended");
        assert_eq!(one.pending(), effects, "until it is settled");
        let heard = other.takes(&Input::Event(arrives(&effects)));
        // The line stays at the relay until this end has left it, too.
        assert_eq!(
            (words(&heard).as_str(), heard.last()),
            ("Disconnect, Ended", Some(&Effect::Ended(End::Line(CloseReason::ByPeer))))
        );
        one.takes(&Input::Settle);
        assert_eq!(words(&one.pending()), "");
    }
}

/// §11, "An old record of a line": what a backup costs.
#[test]
fn r11_an_old_record_of_a_line_shows_only_that_messages_were_equal() {
    let (alice, bob) = confirmed();
    let Any::Line(mut to) = bob else { unreachable!() };
    let old = alice.as_line().record();
    let seal = |text: &[u8]| {
        let mut buffer = [0; 64];
        sealed_by(Line::restore(&old).unwrap().seal(text, b"", &mut buffer).unwrap())
    };
    let (first, same, another) = (seal(b"meet at nine"), seal(b"meet at nine"), seal(b"meet at five"));
    assert_eq!(first, same, "equal messages at the same counter are seen to be equal");
    // Of unequal ones nothing is seen: with a stream of keys the XOR of the texts would show.
    let [first_text, another_text] = [&first, &another].map(|packet| &packet[packet.len() - 28..packet.len() - 16]);
    let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<_>>();
    assert_ne!(xor(first_text, another_text), xor(b"meet at nine", b"meet at five"));

    // How it is noticed: the other end has taken this counter, also if the words are others.
    let mut buffer = [0; 64];
    let event = |payload| Event::Packet { line_id: line_id(), payload };
    to.handle(&event(&first), &mut buffer, NOW).unwrap().commit().for_each(drop);
    for again in [&same, &another] {
        assert_eq!(to.handle(&event(again), &mut buffer, NOW).err(), Some(Rejected::Duplicate));
    }
    // In a store that is not the backup: the step takes the place of a record that is not there any more.
    let mut store = Store::default();
    let mut packet = [0; 64];
    let mut line = Line::restore(&old).unwrap();
    store.records.insert(line.key(), (line.revision(), old.to_vec()));
    for _ in 0..2 {
        let step = line.seal(b"words", b"", &mut packet).unwrap();
        assert_eq!(store.put(&Put::step(&step)), Ok(()));
        step.commit().for_each(drop);
    }
    let mut behind = Line::restore(&old).unwrap();
    assert_eq!(store.put(&Put::step(&behind.seal(b"words", b"", &mut packet).unwrap())), Err(Conflict::Moved));

    // And what was heard since is heard again.
    let mut heard = [0; 64];
    let said = sealed_by(to.seal(b"see you", b"", &mut packet).unwrap());
    for _ in 0..2 {
        let mut line = Line::restore(&old).unwrap();
        let step = line.handle(&event(&said), &mut heard, NOW).unwrap();
        assert!(step.commit().any(|effect| effect == LineEffect::Message(b"see you")));
    }
}
