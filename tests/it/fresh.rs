//! §6.2, §8.5, §14.7: what a generator gives, and that nothing hangs on it alone.
#![cfg(feature = "alloc")]

use std::collections::BTreeSet;
use std::convert::Infallible;

use crate::common::keys::{CONFIRM, sealed};
use crate::common::many::*;
use crate::common::*;
use port_protocol::rand_core::{CryptoRng, TryCryptoRng, TryRng};
use port_protocol::*;

/// Alice's line of a use by the Bob of seed `n`.
fn at_alice(alice: &Alice, n: u8, rng: &mut impl CryptoRng) -> (Line, Put) {
    let mut alice = Alice::restore(&alice.record()).unwrap();
    let step = alice.handle(&formed(9, n, Some(proof_of(n, &alice))), &NoPeers, NOW, rng);
    let step = step.unwrap();
    let put = Put::step(&step);
    (line_of(step.committed()).unwrap(), put)
}

/// Bob's end of the same.
fn at_bob(alice: &Alice, n: u8) -> Line {
    let (mut bob, _) = connecting(n, alice.port().unwrap());
    let line = bob.handle(&connected(n, 9), &NoPeers, NOW, &mut Unused).unwrap().write().new_line.unwrap();
    Line::restore(&line.record).unwrap()
}

/// Both hear each other; the number that both show.
fn confirm(alice: &mut Line, bob: &mut Line) -> String {
    let early = said(bob, "early").unwrap();
    hears(bob, &pending(alice)[0], NOW).unwrap();
    hears(alice, &pending(bob)[0], NOW).unwrap();
    assert_eq!(heard(&hears(alice, &early, NOW).unwrap()), ["early"]);
    let word = said(alice, "and then").unwrap();
    assert_eq!(heard(&hears(bob, &word, NOW).unwrap()), ["and then"]);
    assert!(alice.confirmed().is_some() && alice.confirmed() == bob.confirmed());
    assert_eq!(alice.safety_number(), bob.safety_number());
    alice.safety_number().unwrap().to_string()
}

#[test]
fn r14_7_the_ephemeral_key_hangs_on_the_generator_and_on_the_secret() {
    let alice = superport(Policy::unlimited());
    let port = alice.port().unwrap().clone();
    let (mut confirms, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for n in [2, 3] {
        let proof = proof_of(n, &alice);
        let bytes = |first: u8| std::array::from_fn(|i| first + i as u8);
        for (line, fresh) in [
            (at_alice(&alice, n, &mut rng()), fresh_bytes()),
            (at_alice(&alice, n, &mut rng_from(9)), bytes(9)),
            (at_alice(&alice, n, &mut Zeros), [0; 32]),
        ] {
            let of = derived(n, 9, &port, &proof, &fresh);
            let public = x25519_dalek::x25519(of.ephemeral, x25519_dalek::X25519_BASEPOINT_BYTES);
            let packet = sealed(&of.keys[0][0], CONFIRM, 0, 0, &public, b"");
            assert_eq!(pending(&line.0), [Event::Packet { line_id: id(9), payload: &packet }.to_vec()]);
            assert!(holds(&line.0.record(), &of.keys[1][0]));
            confirms.insert(packet);
            keys.extend([of.ephemeral, of.keys[1][0], of.keys[1][1], of.keys[1][2]]);
        }
    }
    assert_eq!((confirms.len(), keys.len()), (6, 6 * 4));
}

#[test]
fn r14_7_one_event_handled_twice_gives_two_lines_that_are_both_good() {
    let alice = superport(Policy::unlimited());
    let lines = [at_alice(&alice, 2, &mut rng()), at_alice(&alice, 2, &mut rng_from(99))];
    let [first, second] = lines.each_ref().map(|(line, _)| pending(line));
    assert_ne!(first, second, "two ephemeral keys, two Confirms");
    let numbers =
        lines.each_ref().map(|(line, _)| confirm(&mut Line::restore(&line.record()).unwrap(), &mut at_bob(&alice, 2)));
    assert_ne!(numbers[0], numbers[1]);
    // The store takes one of them: the key, the revision and the mark are the same.
    let [one, other] = lines.map(|(_, put)| put);
    let mut store = Store::default();
    store.records.insert(alice.key(), (alice.revision(), alice.record().to_vec()));
    assert_eq!((one.row == other.row, one.unique == other.unique, store.put(&one)), (true, true, Ok(())));
    assert_eq!(store.put(&other), Err(Conflict::Marked));
    store.marks.clear();
    assert_eq!(store.put(&other), Err(Conflict::Moved));
    // Bob, that heard the one, hears nothing of the other.
    let (mut kept, mut bob) = (Line::restore(&one.new_line.unwrap().record).unwrap(), at_bob(&alice, 2));
    confirm(&mut kept, &mut bob);
    assert_eq!(hears(&mut bob, &second[0], NOW), Err(Rejected::Forged));
}

#[test]
fn r14_7_a_generator_that_gives_zeros_gives_nothing_away() {
    let alice = superport(Policy::unlimited());
    let (mut line, _) = at_alice(&alice, 2, &mut Zeros);
    let zeros = x25519_dalek::x25519([0; 32], x25519_dalek::X25519_BASEPOINT_BYTES);
    let Ok(Event::Packet { payload, .. }) = Event::decode(&pending(&line)[0]).map(|event| match event {
        Event::Packet { line_id, payload } => Event::Packet { line_id, payload: payload.to_vec().leak() },
        other => panic!("{other:?}"),
    }) else {
        panic!()
    };
    assert!(!payload.windows(32).any(|part| part == zeros));
    confirm(&mut line, &mut at_bob(&alice, 2));
}

/// Counts what is drawn.
struct Counted(usize);

impl TryRng for Counted {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 += 4;
        Ok(1)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 8;
        Ok(1)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += bytes.len();
        bytes.fill(1);
        Ok(())
    }
}

impl TryCryptoRng for Counted {}

#[test]
fn r8_5_only_a_good_use_of_a_port_for_many_draws_and_32_bytes() {
    let alice = superport(Policy::up_to(2));
    let mut drawn = Counted(0);
    at_alice(&alice, 2, &mut drawn);
    assert_eq!(drawn.0, 32);
    // A generator behind a reference to any is as good.
    let any: &mut dyn CryptoRng<Error = Infallible> = &mut drawn;
    let mut again = Alice::restore(&alice.record()).unwrap();
    assert!(again.handle(&formed(9, 2, Some(proof_of(2, &alice))), &NoPeers, NOW, any).is_ok());
    assert_eq!(drawn.0, 64);
    // Who is refused, and a Port for one use: nothing.
    let mut closed = superport(Policy::up_to(0));
    let (mut many, mut once) = (Alice::restore(&alice.record()).unwrap(), offered(PortOptions::new()));
    for proof in [None, Some(bad_proof())] {
        assert!(many.handle(&formed(9, 2, proof), &NoPeers, NOW, &mut Unused).is_err());
    }
    assert!(closed.handle(&formed(9, 2, Some(proof_of(2, &alice))), &NoPeers, NOW, &mut Unused).is_err());
    assert!(once.handle(&formed(9, 2, Some(proof_of(2, &once))), &NoPeers, NOW, &mut Unused).is_ok());
}
