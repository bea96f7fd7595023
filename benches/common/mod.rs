//! The work that the benches measure: a whole handshake, and the bare primitives in the same order.

use std::convert::Infallible;
use std::hint::black_box;

use aes::Aes256;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::*;
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey as Public, StaticSecret};

pub const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();
pub const LINK: [u8; 16] = [1; 16];
pub const LINE: [u8; 16] = [2; 16];

/// The store of a bench: it takes every write, and keeps none.
pub fn keep(write: &Write<'_>) -> Result<(), Infallible> {
    assert!(!write.row.record.is_empty());
    black_box(write);
    Ok(())
}

pub fn step<'m, M: Machine>(step: Step<'m, M>) -> Effects<'m, M> {
    let Ok(effects) = step.store(keep);
    effects
}

pub fn create<M: Machine>(created: Created<M>) -> M {
    let Ok(machine) = created.store(keep);
    machine
}

/// A generator for machines that draw nothing from it: a Port for one use makes no ephemeral key.
pub struct Undrawn;

impl TryRng for Undrawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!()
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        unreachable!()
    }
}

impl TryCryptoRng for Undrawn {}

pub fn line_formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: LINK.into(), line_id: LINE.into(), peer: [3; 32].into(), proof }
}

pub fn connected(request_id: RequestId) -> Event<'static> {
    Event::Connected { line_link: LINK.into(), request_id, line_id: LINE.into(), peer: [4; 32].into() }
}

/// From nothing to confirmed at both ends: every message through its bytes, every write made, every outbox cleared.
pub fn handshake(seed_a: &[u8; 64], seed_b: &[u8; 64]) -> (Line, Line) {
    let (mut wire, mut reply, mut buffer) = ([0; 256], [0; 256], [0; 256]);

    let mut alice = create(Alice::request(PortOptions::new(), Seed::from_bytes(seed_a)));
    let Some(AliceEffect::Send(request)) = alice.pending().next() else { unreachable!() };
    // The bytes are the client's work; to read them is the relay's.
    black_box(request.encode_into(&mut wire).unwrap());
    let Request::IssueLineLink { request_id } = request else { unreachable!() };
    let issued = Event::LineLinkIssued { request_id, line_link: LINK.into() };
    let issued = Event::decode(issued.encode_into(&mut wire).unwrap()).unwrap();
    let Some(AliceEffect::PortReady(port)) = step(alice.handle(&issued, &NoPeers, NOW, &mut Undrawn).unwrap()).next()
    else {
        unreachable!()
    };

    let mut bob = create(Bob::scan(Port::from_bytes(port.to_bytes().as_slice()).unwrap(), Seed::from_bytes(seed_b)));
    let Some(BobEffect::Send(request)) = step(bob.connect(SendProof::Inline, NOW).unwrap()).next() else {
        unreachable!()
    };
    black_box(request.encode_into(&mut wire).unwrap());
    let Request::Connect { request_id, proof, .. } = request else { unreachable!() };

    let formed = Event::decode(line_formed(proof).encode_into(&mut wire).unwrap()).unwrap();
    let Some(AliceEffect::LineFormed(mut at_alice)) =
        step(alice.handle(&formed, &NoPeers, NOW, &mut Undrawn).unwrap()).next()
    else {
        unreachable!()
    };
    let connected = Event::decode(connected(request_id).encode_into(&mut wire).unwrap()).unwrap();
    let Some(BobEffect::LineFormed(mut at_bob)) =
        step(bob.handle(&connected, &NoPeers, NOW, &mut Undrawn).unwrap()).next()
    else {
        unreachable!()
    };

    let confirm = relay(at_alice.pending().next(), &mut wire);
    let step_of_bob = at_bob.handle(&confirm, &mut buffer, NOW, &mut Undrawn).unwrap();
    let answer = relay(step(step_of_bob).next(), &mut reply);
    step(at_bob.clear_outbox().unwrap()).for_each(drop);
    step(at_alice.handle(&answer, &mut buffer, NOW, &mut Undrawn).unwrap()).for_each(drop);
    assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());
    (at_alice, at_bob)
}

fn relay<'w>(effect: Option<LineEffect<'_>>, wire: &'w mut [u8; 256]) -> Event<'w> {
    let Some(LineEffect::Send(request)) = effect else { unreachable!() };
    black_box(request.encode_into(wire).unwrap());
    let Request::Packet { line_id, payload } = request else { unreachable!() };
    Event::decode(Event::Packet { line_id, payload }.encode_into(wire).unwrap()).unwrap()
}

/// What any implementation must compute for that, in the same order and on inputs of the same lengths: two keygens, two DH, AES,
/// SHA-256, HKDF, AEAD. Nothing is encoded, stored, compared or wiped.
pub fn primitives(seed_a: &[u8; 64], seed_b: &[u8; 64]) -> u8 {
    let key = |seed: &[u8; 64]| StaticSecret::from(<[u8; 32]>::try_from(&seed[..32]).unwrap());
    let hash = |length: usize| -> [u8; 32] { Sha256::digest(&black_box([7; 256])[..length]).into() };
    let (iv, data, nonce) = ([4; 16], [5; 8], Nonce::default());

    let a = key(seed_a);
    let public_a = Public::from(&a);

    let b = key(seed_b);
    let public_b = Public::from(&b);
    let secret_b = b.diffie_hellman(&public_a);
    let mut blocks: [Block<Aes256>; 2] = [[1; 16].into(), [16; 16].into()];
    cbc::Encryptor::<Aes256>::new(secret_b.as_bytes().into(), &iv.into()).encrypt_blocks(&mut blocks);
    black_box(hash(71)); // the Port, at Bob

    black_box(hash(71)); // the Port, at Alice
    let secret_a = a.diffie_hellman(&public_b);
    cbc::Decryptor::<Aes256>::new(secret_a.as_bytes().into(), &iv.into()).decrypt_blocks(&mut blocks);
    let [to_bob, from_bob, _] = line_keys(secret_a.as_bytes(), &hash(153)); // the transcript
    let mut text = [];
    let confirm =
        Aes256GcmSiv::new(&to_bob.into()).encrypt_inout_detached(&nonce, &data, (&mut text[..]).into()).unwrap();
    black_box(hash(85)); // the proof

    let [from_alice, to_alice, _] = line_keys(secret_b.as_bytes(), &hash(153));
    Aes256GcmSiv::new(&from_alice.into())
        .decrypt_inout_detached(&nonce, &data, (&mut text[..]).into(), &confirm)
        .unwrap();
    let answer =
        Aes256GcmSiv::new(&to_alice.into()).encrypt_inout_detached(&nonce, &data, (&mut text[..]).into()).unwrap();
    Aes256GcmSiv::new(&from_bob.into()).decrypt_inout_detached(&nonce, &data, (&mut text[..]).into(), &answer).unwrap();
    answer[0]
}

fn line_keys(secret: &[u8; 32], salt: &[u8; 32]) -> [[u8; 32]; 3] {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), secret);
    ["alice to bob", "bob to alice", "exporter"].map(|label| {
        let mut key = [0; 32];
        hkdf.expand(label.as_bytes(), &mut key).unwrap();
        key
    })
}

/// Seeds that differ from run to run of a loop.
pub fn seeds(run: u32) -> ([u8; 64], [u8; 64]) {
    let (mut a, mut b) = ([5; 64], [6; 64]);
    a[..4].copy_from_slice(&run.to_le_bytes());
    b[..4].copy_from_slice(&run.to_le_bytes());
    (a, b)
}
