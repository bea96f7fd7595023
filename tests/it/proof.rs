//! §3: Bob's proof, from primitives that are not the crate's own code.
#![cfg(feature = "alloc")]

use std::sync::LazyLock;

use crate::common::cbor::Cbor;
use crate::common::*;
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use port_protocol::*;

type Aes = aes::Aes256;

fn private_key(n: u8) -> [u8; 32] {
    seed_bytes(n)[..32].try_into().unwrap()
}

fn iv() -> [u8; 16] {
    seed_bytes(2)[32..48].try_into().unwrap()
}

fn rad() -> [u8; 16] {
    seed_bytes(1)[32..48].try_into().unwrap()
}

fn public_key(n: u8) -> [u8; 32] {
    x25519_dalek::x25519(private_key(n), x25519_dalek::X25519_BASEPOINT_BYTES)
}

fn secret() -> [u8; 32] {
    x25519_dalek::x25519(private_key(2), public_key(1))
}

/// IV and CBC of whatever blocks.
fn encrypted(key: [u8; 32], text: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<Block<Aes>> = text.chunks(16).map(|block| block.try_into().unwrap()).collect();
    cbc::Encryptor::<Aes>::new(&key.into(), &iv().into()).encrypt_blocks(&mut blocks);
    [&iv()[..], Block::<Aes>::slice_as_flattened(&blocks)].concat()
}

fn layout(key: &[u8], encrypted: &[u8]) -> Cbor {
    Cbor::Array(vec![Cbor::Bytes(key.to_vec()), Cbor::Bytes(encrypted.to_vec())])
}

fn proof_of(key: &[u8], encrypted: &[u8]) -> Proof {
    decode_proof(&layout(key, encrypted)).unwrap()
}

fn good_text() -> Vec<u8> {
    [rad(), [16; 16]].concat()
}

#[test]
fn r1_1_keygen_is_x25519_of_the_base_point() {
    assert_eq!(*port(PortOptions::new()).public_key().as_bytes(), public_key(1));
}

#[test]
fn r1_1_private_keys_are_clamped_when_they_are_used() {
    // The same scalar once it is clamped, so the same key and the same secret.
    let mut other = seed_bytes(1);
    other[0] ^= 0b111;
    other[31] ^= 0b1100_0000;
    let alice = Alice::offer(line_link(), PortOptions::new(), Seed::from_bytes(&other)).committed();
    assert_eq!(alice.port(), Some(&port(PortOptions::new())));
    let mut alice = Any::from(alice);
    assert_eq!(
        words(&alice.takes(&Input::Event(line_formed(Some(proof(PortOptions::new())))))),
        "LineFormed AliceJoined"
    );
}

#[test]
fn r3_1_a_proof_is_two_byte_strings_of_at_most_32_and_64() {
    for (key, encrypted) in [(0, 0), (32, 48), (32, 64), (1, 64), (31, 63)] {
        assert!(decode_proof(&layout(&vec![1; key], &vec![1; encrypted])).is_ok());
    }
    for (key, encrypted) in [(33, 48), (32, 65), (0, 65), (33, 64), (300, 48)] {
        assert_eq!(decode_proof(&layout(&vec![1; key], &vec![1; encrypted])), Err(DecodeError::Malformed));
    }
    for items in [vec![], vec![Cbor::Bytes(vec![1; 32])], vec![Cbor::Bytes(vec![1; 32]); 3]] {
        assert_eq!(decode_proof(&Cbor::Array(items)), Err(DecodeError::Malformed));
    }
}

#[test]
fn r3_2_the_proof_is_iv_and_the_encrypted_rad_under_the_raw_secret() {
    assert_eq!(proof(PortOptions::new()), proof_of(&public_key(2), &encrypted(secret(), &good_text())));
    // And back, as any CBC with PKCS#7 reads it.
    let encrypted = encrypted(secret(), &good_text());
    let mut blocks: Vec<Block<Aes>> = encrypted[16..].chunks(16).map(|block| block.try_into().unwrap()).collect();
    cbc::Decryptor::<Aes>::new(&secret().into(), &iv().into()).decrypt_blocks(&mut blocks);
    assert_eq!(Block::<Aes>::slice_as_flattened(&blocks), good_text());
}

#[test]
fn r3_2_key_and_iv_are_drawn_for_one_use() {
    let [one, two] = [2, 3].map(|n| Cbor::read(&Payload::Proof { proof: proof_by(n, PortOptions::new()) }.to_vec()));
    assert_ne!(one.at(&[1, 1, 0]), two.at(&[1, 1, 0]));
    assert_ne!(one.at(&[1, 1, 1]).bytes()[..16], two.at(&[1, 1, 1]).bytes()[..16]);
}

/// Gives Alice this proof, inline and along the line, and returns the outcome. Alice must answer both ways alike.
fn outcome(proof: Proof) -> String {
    static WAITING: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
        let (line, _) = lines(SendProof::AlongTheLine, PortOptions::new());
        [offered(PortOptions::new()).record().to_vec(), line.record()]
    });
    let [mut alice, mut line] = WAITING.each_ref().map(|record| Any::restore(record).unwrap());
    let inline = alice.takes(&Input::Event(line_formed(Some(proof.clone()))));
    let along = line.takes(&Input::Event(packet(&Payload::Proof { proof })));
    let (inline, along) = (words(&inline), words(&along));
    match (line.state().as_str(), &inline[..], &along[..]) {
        ("AliceJoined", "LineFormed AliceJoined", "Confirm") => "accepted".to_owned(),
        ("Closed ProofRefused", "Disconnect, Ended", "Disconnect, Ended") => {
            assert_eq!(alice.state(), "Alice Ended ProofRefused");
            format!("refused {} {}", alice.record().len(), line.record().len())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r3_3_a_good_proof_is_accepted() {
    assert_eq!(outcome(proof(PortOptions::new())), "accepted");
    assert_eq!(outcome(proof_of(&public_key(2), &encrypted(secret(), &good_text()))), "accepted");
}

#[test]
fn r3_3_every_failure_is_one_outcome() {
    let (key, good) = (public_key(2), encrypted(secret(), &good_text()));
    let text = |first: [u8; 16], last: [u8; 16]| encrypted(secret(), &[first, last].concat());
    let mut bad = Vec::new();
    // Lengths.
    bad.extend((0..32).map(|length| (key[..length].to_vec(), good.clone())));
    bad.extend((0..=64).filter(|length| *length != 48).map(|length| {
        let long = [&good[..], &[16; 16]].concat();
        (key.to_vec(), long[..length].to_vec())
    }));
    // A third block, whatever it says.
    bad.push((key.to_vec(), encrypted(secret(), &[rad(), [16; 16], [16; 16]].concat())));
    bad.push((key.to_vec(), encrypted(secret(), &[rad(), rad(), [16; 16]].concat())));
    // Keys: the highest bit and u + p reach the same secret, and are refused; so are those of low order.
    let mut highest_bit = key;
    highest_bit[31] |= 0x80;
    assert_eq!(x25519_dalek::x25519(private_key(1), highest_bit), secret());
    bad.push((highest_bit.to_vec(), good.clone()));
    let all_zero = encrypted([0; 32], &good_text());
    bad.extend([0, 1].map(|u| ([&[u][..], &[0; 31]].concat(), all_zero.clone())));
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xed, 0x7f);
    bad.push((not_canonical.to_vec(), all_zero));
    bad.push((public_key(3).to_vec(), good.clone()));
    // Paddings that PKCS#7 would take, and some that it would not.
    for length in 0..=255 {
        let mut last = [length; 16];
        if length != 16 {
            bad.push((key.to_vec(), text(rad(), last)));
        }
        last[15] = length;
        last[0] ^= 1;
        bad.push((key.to_vec(), text(rad(), last)));
    }
    // RAD.
    bad.extend((0..128).map(|bit| {
        let mut other = rad();
        other[bit / 8] ^= 1 << (bit % 8);
        (key.to_vec(), text(other, [16; 16]))
    }));
    bad.push((key.to_vec(), text([16; 16], rad())));
    bad.push((key.to_vec(), text([0; 16], [0; 16])));
    // Another IV, another key.
    bad.push((key.to_vec(), [&[0; 16][..], &good[16..]].concat()));
    bad.push((key.to_vec(), encrypted([7; 32], &good_text())));

    let outcomes: std::collections::BTreeSet<_> =
        bad.iter().map(|(key, encrypted)| outcome(proof_of(key, encrypted))).collect();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    assert!(outcomes.first().unwrap().starts_with("refused"));
}
