//! §6.4, §6.7, §11: what a line opens, and its end. `seal` has its keys and packets.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::keys::*;
use crate::common::*;
use port_protocol::*;

pub fn refusal(line: &mut Any, input: &Input) -> Refusal {
    line.give(input, NOW).unwrap_err()
}

pub fn rejected(line: &mut Any, payload: Vec<u8>) -> Rejected {
    match refusal(line, &Input::Open(payload, Vec::new())) {
        Refusal::Rejected(rejected) => rejected,
        other => panic!("{other:?}"),
    }
}

pub fn opens(line: &mut Any, payload: Vec<u8>) -> Vec<Effect> {
    line.takes(&Input::Open(payload, Vec::new()))
}

/// A line whose end has sealed this many packets.
pub fn with_sent(line: &Any, sent: u64) -> Any {
    Any::restore(&Cbor::read(&line.record()).with(&[3, 1, 1, 3], Cbor::Uint(sent)).write()).unwrap()
}

/// Both ends, confirmed or not, with the key under which each receives.
pub fn ends() -> Vec<(&'static str, Any, [u8; 32])> {
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
        for kind in [1, 2, 3, 5] {
            bad.push(("another kind", with(1, Cbor::Uint(kind))));
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
        assert!(words(&opens(&mut line, good)).starts_with("says"), "{name}");
    }
}

#[test]
fn r6_4_an_ends_own_packets_do_not_open_there() {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    for (name, mut line, key) in ends() {
        let own = if key == to_bob { to_alice } else { to_bob };
        for kind in [CONFIRM, ANSWER, EARLY_MESSAGE, MESSAGE, CLOSE] {
            for counter in 0..5 {
                let reflected = sealed(&own, kind, 0, counter, b"", b"");
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
        for (kind, text) in [(CONFIRM, &b"text"[..]), (ANSWER, b"text"), (CLOSE, b"text"), (PADDED_MESSAGE, &[0; 64])] {
            let packet = sealed(&key, kind, 0, 20, text, b"");
            assert_eq!(rejected(&mut line, packet), Rejected::Forged, "{name}: {kind}");
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
        assert!(words(&opens(&mut line, sealed(&key, MESSAGE, 0, u64::MAX - 1, b"words", b""))).starts_with("says"));
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
    for kind in [ANSWER, EARLY_MESSAGE, MESSAGE, CLOSE] {
        assert_eq!(rejected(&mut alice, sealed(&to_alice, kind, 0, 7, b"", b"")), Rejected::Duplicate);
    }
    for _ in 0..3 {
        assert_eq!(words(&opens(&mut bob, sealed(&to_bob, CONFIRM, 0, 0, b"", b""))), "Answer");
    }
    opens(&mut bob, sealed(&to_bob, EARLY_MESSAGE, 0, 0, b"", b""));
    assert_eq!(rejected(&mut bob, sealed(&to_bob, CLOSE, 0, 0, b"", b"")), Rejected::Duplicate);
}

#[test]
fn r6_4_what_opens_but_is_not_this_ends_to_hear_is_out_of_order() {
    for (name, mut line, key) in ends() {
        let kind = if name.starts_with('A') { CONFIRM } else { ANSWER };
        assert_eq!(rejected(&mut line, sealed(&key, kind, 0, 20, b"", b"")), Rejected::OutOfOrder, "{name}");
        // And its counter was not taken.
        assert!(words(&opens(&mut line, sealed(&key, MESSAGE, 0, 20, b"", b""))).starts_with("says"));
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
        assert_eq!(one.pending(), effects, "until it is cleared");
        let heard = other.takes(&Input::Event(arrives(&effects)));
        // The line stays at the relay until this end has left it, too.
        assert_eq!(
            (words(&heard).as_str(), heard.last()),
            ("Disconnect, Ended", Some(&Effect::Ended(End::Line(CloseReason::ByPeer))))
        );
        one.takes(&Input::ClearOutbox);
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
    to.handle(&event(&first), &mut buffer, NOW, &mut rng()).unwrap().committed().for_each(drop);
    for again in [&same, &another] {
        assert_eq!(to.handle(&event(again), &mut buffer, NOW, &mut rng()).err(), Some(Rejected::Duplicate));
    }
    // In a store that is not the backup: the step takes the place of a record that is not there any more.
    let mut store = Store::default();
    let mut packet = [0; 64];
    let mut line = Line::restore(&old).unwrap();
    store.records.insert(line.key(), (line.revision(), old.to_vec()));
    for _ in 0..2 {
        let step = line.seal(b"words", b"", &mut packet).unwrap();
        assert_eq!(store.put(&Put::step(&step)), Ok(()));
        step.committed().for_each(drop);
    }
    let mut behind = Line::restore(&old).unwrap();
    assert_eq!(store.put(&Put::step(&behind.seal(b"words", b"", &mut packet).unwrap())), Err(Conflict::Moved));

    // And what was heard since is heard again.
    let mut heard = [0; 64];
    let said = sealed_by(to.seal(b"see you", b"", &mut packet).unwrap());
    for _ in 0..2 {
        let mut line = Line::restore(&old).unwrap();
        let step = line.handle(&event(&said), &mut heard, NOW, &mut rng()).unwrap();
        assert!(step.committed().any(|effect| effect == LineEffect::Message(b"see you")));
    }
}
