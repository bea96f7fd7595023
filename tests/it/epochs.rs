//! §14.7: the two epochs of a line of a Port for many.
#![cfg(feature = "alloc")]

use crate::common::keys::{ANSWER, CLOSE, CONFIRM, EARLY_MESSAGE, MESSAGE, sealed};
use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

fn packet(payload: &[u8]) -> Vec<u8> {
    Event::Packet { line_id: id(9), payload }.to_vec()
}

/// Both ends confirmed; Bob said so many words before.
fn switched(words: usize) -> (Line, Line, Use, Vec<Vec<u8>>) {
    let (mut alice, mut bob, keys) = fresh();
    let early = (0..words).map(|n| said(&mut bob, &format!("word {n}")).unwrap()).collect();
    hears(&mut bob, &pending(&alice)[0], NOW).unwrap();
    hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
    clear_outbox(&mut bob);
    (alice, bob, keys, early)
}

#[test]
fn r14_7_the_keys_are_those_of_spec_md() {
    let (mut alice, mut bob, keys) = fresh();
    let confirm = pending(&alice).remove(0);
    let ephemeral = x25519_dalek::x25519(keys.ephemeral, x25519_dalek::X25519_BASEPOINT_BYTES);
    let [to_bob, to_alice, _] = &keys.keys[0];
    assert_eq!(confirm, packet(&sealed(to_bob, CONFIRM, 0, 0, &ephemeral, b"")));
    assert_eq!(payload_of(&confirm).len(), 68);
    assert_eq!(said(&mut bob, "hi").unwrap(), packet(&sealed(to_alice, EARLY_MESSAGE, 0, 0, b"hi", b"")));
    let [to_bob, to_alice, exporter] = &keys.keys[1];
    assert_eq!(said(&mut alice, "yes").unwrap(), packet(&sealed(to_bob, EARLY_MESSAGE, 1, 0, b"yes", b"")));
    hears(&mut bob, &confirm, NOW).unwrap();
    let answer = pending(&bob).remove(0);
    assert_eq!(answer, packet(&sealed(to_alice, ANSWER, 1, 0, &[1], b"")));
    assert_eq!(payload_of(&answer).len(), 36);
    hears(&mut alice, &answer, NOW).unwrap();
    assert_eq!(said(&mut bob, "so").unwrap(), packet(&sealed(to_alice, MESSAGE, 1, 1, b"so", b"")));
    let mut code = [0; 40];
    hkdf::Hkdf::<sha2::Sha256>::from_prk(exporter).unwrap().expand(b"check code", &mut code).unwrap();
    let groups = code.as_chunks::<5>().0.iter().map(|five| {
        let number = five.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        u32::try_from(number % 100_000).unwrap()
    });
    for line in [&alice, &bob] {
        assert!(line.safety_number().unwrap().groups().iter().copied().eq(groups.clone()));
    }
    assert_eq!(alice.export("a", b"b"), bob.export("a", b"b"));
}

#[test]
fn r14_7_bob_says_64_words_before_he_has_heard_alice() {
    let (mut alice, mut bob, keys) = fresh();
    let words: Vec<_> = (0..64).map(|n| said(&mut bob, &n.to_string()).unwrap()).collect();
    assert_eq!(said(&mut bob, "64"), Err(SealError::Unconfirmed));
    let mut bob = Line::restore(&bob.record()).unwrap();
    assert_eq!(said(&mut bob, "64"), Err(SealError::Unconfirmed));
    // One from who holds the keys all the same.
    let more = packet(&sealed(&keys.keys[0][1], EARLY_MESSAGE, 0, 64, b"64", b""));
    assert_eq!(hears(&mut alice, &more, NOW), Err(Rejected::Duplicate));
    hears(&mut bob, &pending(&alice)[0], NOW).unwrap();
    hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
    let later = said(&mut bob, "64").unwrap();
    for (n, word) in words.iter().enumerate().rev() {
        assert!(holds(&alice.record(), &keys.keys[0][1]));
        assert_eq!(heard(&hears(&mut alice, word, NOW).unwrap()), [n.to_string()]);
    }
    assert!(!holds(&alice.record(), &keys.keys[0][1]));
    assert_eq!(heard(&hears(&mut alice, &later, NOW).unwrap()), ["64"]);
    assert_eq!(hears(&mut alice, &words[3], NOW), Err(Rejected::Forged));
}

#[test]
fn r14_7_alice_keeps_the_key_of_epoch_0_until_all_came_or_for_seven_looks_at_the_clock() {
    let (day, key) = (at(NOW.as_secs() + DAY), 1);
    // Nothing was said: the Answer says so.
    let (alice, _, keys, _) = switched(0);
    assert!(!holds(&alice.record(), &keys.keys[0][key]) && alice.deadline().is_none());
    // By the last word.
    let (mut alice, _, keys, words) = switched(2);
    assert_eq!(alice.deadline(), Some(day));
    assert_eq!(heard(&hears(&mut alice, &words[1], UnixSeconds::MAX).unwrap()), ["word 1"], "no event ends it");
    assert_eq!(hears(&mut alice, &words[1], NOW), Err(Rejected::Duplicate));
    assert!(alice.tick(at(day.as_secs() - 1)).is_none() && holds(&alice.record(), &keys.keys[0][key]));
    hears(&mut alice, &words[0], NOW).unwrap();
    assert!(!holds(&alice.record(), &keys.keys[0][key]));
    // By the seventh look. A clock that jumps back revives nothing.
    for phase in [LinePhase::Confirmed, LinePhase::Joined] {
        let (mut alice, mut bob, keys, mut words) = switched(1);
        if phase == LinePhase::Joined {
            (alice, bob, _) = fresh();
            words = vec![said(&mut bob, "word 0").unwrap()];
        }
        let pending_before = pending(&alice);
        for look in 1..=7 {
            assert!(holds(&alice.record(), &keys.keys[0][key]), "gone at look {look}");
            assert_eq!(alice.deadline(), Some(at(NOW.as_secs() + look * DAY)));
            let step = alice.tick(at(NOW.as_secs() + look * DAY)).unwrap();
            let effects: Vec<_> = step.committed().map(of_line).collect();
            // A Confirm that was not answered is sent again, and that is all.
            assert_eq!(effects.iter().filter_map(Effect::arrives).collect::<Vec<_>>(), pending_before);
            assert_eq!((effects.len(), pending(&alice)), (pending_before.len(), pending_before.clone()));
        }
        assert!(!holds(&alice.record(), &keys.keys[0][key]) && alice.deadline().is_none());
        assert_eq!(hears(&mut alice, &words[0], NOW), Err(Rejected::Forged));
        assert_eq!(alice.phase(), phase, "the line goes on");
        if phase == LinePhase::Joined {
            hears(&mut bob, &pending(&alice)[0], NOW).unwrap();
            hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
            assert!(alice.confirmed().is_some() && alice.deadline().is_none());
        }
    }
}

#[test]
fn r14_7_a_message_of_one_byte_is_no_count() {
    let (mut alice, mut bob, keys) = fresh();
    let word = said(&mut bob, "early").unwrap();
    hears(&mut bob, &pending(&alice)[0], NOW).unwrap();
    let overtaking = said(&mut bob, "\0").unwrap();
    assert_eq!(heard(&hears(&mut alice, &overtaking, NOW).unwrap()), ["\0"]);
    assert!(holds(&alice.record(), &keys.keys[0][1]));
    assert_eq!(heard(&hears(&mut alice, &word, NOW).unwrap()), ["early"]);
    // The Answer may come last.
    hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
    assert!(!holds(&alice.record(), &keys.keys[0][1]));
}

#[test]
fn r14_7_what_comes_in_which_epoch() {
    let (joined, bob_joined, keys) = fresh();
    let (confirmed, bob_confirmed, ..) = switched(1);
    let (all_came, ..) = switched(0);
    let gone: Rejected = Rejected::Forged;
    let texts = [(CONFIRM, 32), (ANSWER, 1), (EARLY_MESSAGE, 2), (MESSAGE, 2), (CLOSE, 0)];
    // By kind: what each end says of a packet of this epoch, sealed by who holds the keys. `None`: it is taken.
    let late = Some(Rejected::OutOfOrder);
    type Row<'l> = (&'static str, &'l Line, usize, u32, [Option<Rejected>; 5]);
    let rows: [Row<'_>; 12] = [
        ("Alice, Joined", &joined, 1, 0, [late, late, None, late, None]),
        ("Alice, Joined", &joined, 1, 1, [late, None, None, None, None]),
        ("Alice, Confirmed, words to come", &confirmed, 1, 0, [late, late, None, late, None]),
        ("Alice, Confirmed, words to come", &confirmed, 1, 1, [late, None, None, None, None]),
        ("Alice, Confirmed, all came", &all_came, 1, 0, [Some(gone); 5]),
        ("Alice, Confirmed, all came", &all_came, 1, 1, [late, None, None, None, None]),
        ("Bob, Joined", &bob_joined, 0, 0, [None, late, late, late, None]),
        ("Bob, Joined", &bob_joined, 0, 1, [Some(Rejected::TooEarly); 5]),
        ("Bob, Confirmed", &bob_confirmed, 0, 0, [Some(gone); 5]),
        ("Bob, Confirmed", &bob_confirmed, 0, 1, [late, late, None, None, None]),
        ("Bob, Joined", &bob_joined, 0, 2, [Some(gone); 5]),
        ("Alice, Joined", &joined, 1, 2, [Some(gone); 5]),
    ];
    let other = x25519_dalek::x25519([5; 32], x25519_dalek::X25519_BASEPOINT_BYTES);
    for (who, line, direction, epoch, expected) in rows {
        for ((kind, length), expected) in texts.into_iter().zip(expected) {
            let text = if kind == CONFIRM { &other[..] } else { &[1; 2][..length] };
            let key = &keys.keys[usize::from(epoch == 1)][direction];
            let mut line = Line::restore(&line.record()).unwrap();
            let before = line.record().to_vec();
            let outcome = hears(&mut line, &packet(&sealed(key, kind, epoch, 60, text, b"")), NOW);
            assert_eq!(outcome.as_ref().err().copied(), expected, "{who}: {kind} of epoch {epoch}");
            assert_eq!(*line.record() == *before, expected.is_some());
            // Under the other direction's key it is an echo.
            let echo = packet(&sealed(&keys.keys[usize::from(epoch == 1)][1 - direction], kind, epoch, 60, text, b""));
            let echoed = Line::restore(&before).map(|mut line| hears(&mut line, &echo, NOW).err()).unwrap();
            assert!(matches!(echoed, Some(Rejected::Forged | Rejected::TooEarly)), "{who}");
        }
    }
    // A text of another length, or a key that §2.3 does not accept.
    for text in [&[][..], &other[..31], &[0; 32], &[0xff; 32]] {
        let mut bob = Line::restore(&bob_joined.record()).unwrap();
        let confirm = packet(&sealed(&keys.keys[0][0], CONFIRM, 0, 0, text, b""));
        assert_eq!(hears(&mut bob, &confirm, NOW), Err(Rejected::Forged));
        assert_eq!(*bob.record(), *bob_joined.record());
    }
    for text in [&[][..], &[1, 1]] {
        let mut alice = Line::restore(&joined.record()).unwrap();
        let answer = packet(&sealed(&keys.keys[1][1], ANSWER, 1, 0, text, b""));
        assert_eq!(hears(&mut alice, &answer, NOW), Err(Rejected::Forged));
    }
}

#[test]
fn r14_7_confirm_again_gets_the_same_answer() {
    let (alice, mut bob, _) = fresh();
    let confirm = pending(&alice).remove(0);
    hears(&mut bob, &confirm, NOW).unwrap();
    let answer = pending(&bob);
    clear_outbox(&mut bob);
    assert!(pending(&bob).is_empty());
    said(&mut bob, "later").unwrap();
    let mut bob = Line::restore(&bob.record()).unwrap();
    let sent = hears(&mut bob, &confirm, NOW).unwrap();
    assert_eq!((sent.len(), pending(&bob)), (1, answer));
}

#[test]
fn r14_7_an_early_word_asks_for_confirm_once_more() {
    let (mut alice, mut bob, _) = fresh();
    let (first, second) = (said(&mut bob, "1").unwrap(), said(&mut bob, "2").unwrap());
    let confirm = pending(&alice);
    let effects = hears(&mut alice, &first, NOW).unwrap();
    assert_eq!(words(&effects), "says, Confirm");
    assert!(alice.confirmed().is_none(), "his words of epoch 0 confirm nothing");
    hears(&mut bob, &confirm[0], NOW).unwrap();
    hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
    assert_eq!(words(&hears(&mut alice, &second, NOW).unwrap()), "says");
}

#[test]
fn r14_7_padded_words_and_words_with_data_in_both_epochs() {
    let (mut alice, mut bob, _) = fresh();
    let (mut buffer, mut out) = ([0; 256], [0; 256]);
    let early = sealed_by(bob.seal_padded(b"padded", b"data", &mut buffer).unwrap());
    let event = Event::Packet { line_id: id(9), payload: &early };
    assert_eq!(alice.handle_with_aad(&event, b"atad", &mut out, NOW, &mut rng()).err(), Some(Rejected::Forged));
    assert_eq!(
        alice.handle_with_aad(&event, &[0; 257], &mut out, NOW, &mut rng()).err(),
        Some(Rejected::AssociatedDataTooLong)
    );
    assert_eq!(alice.handle(&event, &mut out[..50], NOW, &mut rng()).err(), Some(Rejected::BufferTooSmall));
    let got: Vec<_> = alice.handle_with_aad(&event, b"data", &mut out, NOW, &mut rng()).unwrap().committed().collect();
    assert_eq!(got.first(), Some(&LineEffect::Message(b"padded")));
    // Its own packets have none, and open whatever is passed.
    let confirm = payload_of(&pending(&alice)[0]);
    let event = Event::Packet { line_id: id(9), payload: &confirm };
    bob.handle_with_aad(&event, b"data", &mut out, NOW, &mut rng()).unwrap().committed().for_each(drop);
    assert!(bob.confirmed().is_some());
}

#[test]
fn r14_7_every_flip_of_every_packet_leaves_both_ends_as_they_were() {
    let (joined, mut bob_joined, _) = fresh();
    let word = said(&mut bob_joined, "early").unwrap();
    let (confirmed, mut bob_confirmed, ..) = switched(1);
    let mut asked = Line::restore(&joined.record()).unwrap();
    let early = said(&mut asked, "early").unwrap();
    let confirm = pending(&joined).remove(0);
    let mut answered = Line::restore(&bob_joined.record()).unwrap();
    hears(&mut answered, &confirm, NOW).unwrap();
    let answer = pending(&answered).remove(0);
    let later = said(&mut bob_confirmed, "later").unwrap();
    let proof = proof_of(2, &superport(Policy::unlimited()));
    let proof = packet(&Payload::Proof { proof }.to_vec());
    for (line, good) in [
        (&joined, &[&word, &answer, &proof][..]),
        (&confirmed, &[&later, &proof]),
        (&bob_joined, &[&confirm, &early]),
        (&bob_confirmed, &[&confirm, &early]),
    ] {
        let before = line.record().to_vec();
        let mut line = Line::restore(&before).unwrap();
        for event in good {
            let mut event = event.to_vec();
            for bit in 0..event.len() * 8 {
                event[bit / 8] ^= 1 << (bit % 8);
                assert!(hears(&mut line, &event, NOW).is_err(), "bit {bit}");
                assert_eq!(*line.record(), before[..], "bit {bit}");
                event[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

#[test]
fn r14_7_restored_at_any_point_both_ends_say_the_very_same() {
    let (mut alice, mut bob, _) = fresh();
    let same = |line: &Line| {
        let again = Line::restore(&line.record()).unwrap();
        assert_eq!((pending(&again), &*again.record()), (pending(line), &*line.record()));
        again
    };
    for _ in 0..3 {
        (alice, bob) = (same(&alice), same(&bob));
        let word = said(&mut bob, "word").unwrap();
        alice = same(&alice);
        hears(&mut alice, &word, NOW).unwrap();
    }
    hears(&mut bob, &pending(&same(&alice))[0], NOW).unwrap();
    bob = same(&bob);
    hears(&mut alice, &pending(&bob)[0], NOW).unwrap();
    alice = same(&alice);
    assert!(alice.confirmed().is_some() && bob.confirmed().is_some());
    // Cut anywhere, or flipped anywhere, a record is another one or none.
    for line in [&alice, &bob, &fresh().0, &fresh().1] {
        let record = line.record().to_vec();
        for length in 0..record.len() {
            assert!(Line::restore(&record[..length]).is_err());
        }
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Line::restore(&flipped).map_or(true, |line| *line.record() == *flipped));
        }
    }
}
