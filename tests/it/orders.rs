//! §14.7: every order of loss, repetition and delay around the switch of epochs.
#![cfg(feature = "alloc")]

use std::collections::{BTreeSet, VecDeque};

use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

/// Everybody's moves, and a relay that delivers whatever was ever sent whenever it likes, or never.
#[derive(Clone)]
struct World {
    alice: Vec<u8>,
    bob: Vec<u8>,
    to_alice: BTreeSet<Vec<u8>>,
    to_bob: BTreeSet<Vec<u8>>,
    said: [usize; 2],
    heard: [BTreeSet<String>; 2],
}

const WORDS: [usize; 2] = [2, 3];

impl World {
    fn lines(&self) -> (Line, Line) {
        (Line::restore(&self.alice).unwrap(), Line::restore(&self.bob).unwrap())
    }

    fn keep(&mut self, alice: &Line, bob: &Line) {
        (self.alice, self.bob) = (still(alice), still(bob));
        // Whatever lies in an outbox, the relay has.
        self.to_bob.extend(pending(alice));
        self.to_alice.extend(pending(bob));
    }

    fn next(&self, closes: bool, mut each: impl FnMut(Self)) {
        let (alice, bob) = self.lines();
        let again = |line: &Line| Line::restore(&line.record()).unwrap();
        for who in [0, 1] {
            let mut next = self.clone();
            let (mut a, mut b) = (again(&alice), again(&bob));
            let text = format!("{who}{}", self.said[who]);
            let packet = said(if who == 0 { &mut a } else { &mut b }, &text);
            if let (Ok(packet), true) = (packet, self.said[who] < WORDS[who]) {
                next.said[who] += 1;
                if who == 0 { &mut next.to_bob } else { &mut next.to_alice }.insert(packet);
                next.keep(&a, &b);
                each(next);
            }
            if closes {
                let (mut next, mut a, mut b) = (self.clone(), again(&alice), again(&bob));
                if let Ok(step) = if who == 0 { &mut a } else { &mut b }.close() {
                    step.committed().for_each(drop);
                    next.keep(&a, &b);
                    each(next);
                }
            }
        }
        for (at_alice, packets) in [(true, &self.to_alice), (false, &self.to_bob)] {
            for packet in packets {
                let (mut next, mut a, mut b) = (self.clone(), again(&alice), again(&bob));
                let line = if at_alice { &mut a } else { &mut b };
                let before = line.phase();
                let outcome = hears(line, packet, NOW);
                self.judge(at_alice, before, line, packet, &outcome);
                let Ok(effects) = outcome else { continue };
                for text in heard(&effects) {
                    assert!(next.heard[usize::from(!at_alice)].insert(text.clone()), "{text} twice");
                }
                next.keep(&a, &b);
                each(next);
            }
        }
    }

    /// What was delivered is not lost: it is heard, was heard, or is to be kept.
    fn judge(
        &self,
        at_alice: bool,
        before: LinePhase,
        line: &Line,
        packet: &[u8],
        got: &Result<Vec<Effect>, Rejected>,
    ) {
        let payload = payload_of(packet);
        let Ok(Payload::Sealed { kind, nonce, .. }) = Payload::decode(&payload) else { panic!() };
        let words = matches!(kind, PacketKind::EarlyMessage | PacketKind::Message);
        match got {
            _ if before == LinePhase::Closed => assert!(matches!(got, Err(Rejected::Closed))),
            Ok(effects) => assert_eq!(words, !heard(effects).is_empty(), "{kind:?}"),
            Err(Rejected::TooEarly) => assert!(!at_alice && nonce.epoch == 1 && before == LinePhase::Joined),
            Err(Rejected::Duplicate) => assert!(words || kind == PacketKind::Answer),
            // The key of epoch 0 is gone because all of it came.
            Err(Rejected::Forged) => assert!(at_alice && nonce.epoch == 0 && before == LinePhase::Confirmed),
            Err(other) => panic!("{kind:?} {nonce:?} at {:?}: {other}", line.phase()),
        }
        let all = &self.heard[usize::from(!at_alice)];
        if words && matches!(got, Err(Rejected::Forged | Rejected::Duplicate)) {
            let (from, told) = (usize::from(at_alice), all.len());
            let counter = usize::try_from(nonce.counter).unwrap();
            // Bob's Answer took the first counter of Bob's epoch 1.
            let early = self.to_alice.iter().filter(|p| epoch_of(p) == 0 && is_words(p)).count();
            let place = if at_alice && nonce.epoch == 1 { early + counter - 1 } else { counter };
            assert!(all.contains(&format!("{from}{place}")), "lost: {from}{place} of {told}");
        }
    }

    fn is_sound(&self, keys: &Use, closes: bool) {
        let (alice, bob) = self.lines();
        if let (Some(a), Some(b)) = (alice.safety_number(), bob.safety_number()) {
            assert_eq!(a, b);
        }
        let early = self.to_alice.iter().filter(|p| epoch_of(p) == 0 && is_words(p)).count();
        let answered = alice.phase() == LinePhase::Confirmed && bob.phase() == LinePhase::Confirmed;
        let came = self.heard[0].iter().filter(|word| word[1..].parse::<usize>().unwrap() < early).count();
        if holds(&self.alice, &keys.keys[0][1]) {
            assert_eq!(alice.deadline(), Some(at(NOW.as_secs() + DAY)));
            assert!(!answered || came < early || pending(&alice).len() == 1 || !self.heard_answer(), "kept too long");
        } else {
            assert!(alice.phase() == LinePhase::Closed || came == early && answered || closes, "gone too soon");
            assert_eq!(alice.deadline(), None);
        }
        // Alice's record holds nothing that makes the keys of epoch 1 again. Bob's record holds no such thing once Bob has these keys.
        for secret in [&keys.secret, &keys.alice_private, &keys.ephemeral, &keys.keys[0][0]] {
            assert!(!holds(&self.alice, secret));
        }
        if bob.phase() != LinePhase::Joined {
            for secret in [&keys.secret, &keys.bob_private, &keys.keys[0][0], &keys.keys[0][1], &keys.keys[0][2]] {
                assert!(!holds(&self.bob, secret));
            }
        }
        if !closes {
            // Whatever happened: once Confirm and its Answer come through, both are confirmed.
            let (mut alice, mut bob) = (alice, bob);
            let confirm = self.to_bob.iter().find(|p| epoch_of(p) == 0).unwrap();
            hears(&mut bob, confirm, NOW).unwrap();
            let answer = pending(&bob).remove(0);
            assert!(matches!(hears(&mut alice, &answer, NOW), Ok(_) | Err(Rejected::Duplicate)));
            assert!(alice.confirmed().is_some() && bob.confirmed().is_some());
            assert_eq!(alice.safety_number(), bob.safety_number());
        }
    }

    /// Whether Alice has taken the Answer: it is the one with counter 0.
    fn heard_answer(&self) -> bool {
        let answer = self.to_alice.iter().find(|p| epoch_of(p) == 1 && !is_words(p));
        answer.is_some_and(|answer| hears(&mut self.lines().0, answer, NOW) == Err(Rejected::Duplicate))
    }
}

fn nonce_of(packet: &[u8]) -> (PacketKind, Nonce) {
    match Payload::decode(&payload_of(packet)) {
        Ok(Payload::Sealed { kind, nonce, .. }) => (kind, nonce),
        other => panic!("{other:?}"),
    }
}

fn epoch_of(packet: &[u8]) -> u32 {
    nonce_of(packet).1.epoch
}

fn is_words(packet: &[u8]) -> bool {
    matches!(nonce_of(packet).0, PacketKind::EarlyMessage | PacketKind::Message)
}

fn search(closes: bool) -> usize {
    let (alice, bob, keys) = fresh();
    let (to_alice, to_bob) = (BTreeSet::new(), BTreeSet::new());
    let mut first = World { alice: vec![], bob: vec![], to_alice, to_bob, said: [0; 2], heard: Default::default() };
    first.keep(&alice, &bob);
    let (mut seen, mut open) = (BTreeSet::new(), VecDeque::from([first]));
    while let Some(world) = open.pop_front() {
        let unique = (world.alice.clone(), world.bob.clone(), world.heard.clone(), world.to_alice.clone());
        if !seen.insert((unique, world.to_bob.clone())) {
            continue;
        }
        world.is_sound(&keys, closes);
        world.next(closes, |next| open.push_back(next));
    }
    seen.len()
}

#[test]
fn r14_7_in_every_order_each_word_comes_once_and_both_are_confirmed() {
    let states = search(false);
    assert!(states > 300, "{states}");
    println!("{states}");
}

#[test]
fn r14_7_and_when_either_closes_at_any_time() {
    let states = search(true);
    assert!(states > 300, "{states}");
    println!("{states}");
}
