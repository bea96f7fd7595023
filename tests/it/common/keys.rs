//! §6.1–§6.3 once more, from SPEC.md and primitives alone: what somebody at the far end could write who holds the keys.

use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hkdf::Hkdf;
use port_protocol::*;
use sha2::{Digest, Sha256};

use super::cbor::Cbor;
use super::{line_id, port, proof, seed_bytes};

/// The line's three keys.
pub struct Keys {
    pub to_bob: [u8; 32],
    pub to_alice: [u8; 32],
    pub exporter: [u8; 32],
}

pub const CONFIRM: u64 = 1;
pub const ANSWER: u64 = 2;
pub const EARLY_MESSAGE: u64 = 3;
pub const MESSAGE: u64 = 4;
pub const CLOSE: u64 = 5;

pub fn secret(options: PortOptions) -> [u8; 32] {
    x25519_dalek::x25519(seed_bytes(2)[..32].try_into().unwrap(), *port(options).public_key().as_bytes())
}

pub fn keys(options: PortOptions) -> Keys {
    let port = port(options.clone());
    let proof = Cbor::read(&Payload::Proof { proof: proof(options.clone()) }.to_vec()).at(&[1, 1]).clone();
    let transcript = Cbor::Array(vec![
        Cbor::Text("port-protocol".to_owned()),
        Cbor::Uint(1),
        Cbor::Uint(1),
        Cbor::Bytes(Sha256::digest(port.to_bytes().as_slice()).to_vec()),
        Cbor::Bytes(line_id().as_bytes().to_vec()),
        proof,
    ]);
    let hkdf = Hkdf::<Sha256>::new(Some(&Sha256::digest(transcript.write())), &secret(options));
    let [to_bob, to_alice, exporter] = ["alice to bob", "bob to alice", "exporter"].map(|info| {
        let mut key = [0; 32];
        hkdf.expand(info.as_bytes(), &mut key).unwrap();
        key
    });
    Keys { to_bob, to_alice, exporter }
}

/// A payload, sealed as §6.3 says, with whatever in it.
pub fn sealed(key: &[u8; 32], kind: u64, epoch: u32, counter: u64, text: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = Aes256GcmSiv::new(key.into());
    let nonce: [u8; 12] = [&epoch.to_be_bytes()[..], &counter.to_be_bytes()].concat().try_into().unwrap();
    let aad = [&[0x82, 1, 0x84, 2, u8::try_from(kind).unwrap()], data].concat();
    let mut ciphertext = text.to_vec();
    let tag = cipher.encrypt_inout_detached(&Nonce::from(nonce), &aad, ciphertext.as_mut_slice().into()).unwrap();
    ciphertext.extend_from_slice(&tag);
    let fields = vec![Cbor::Uint(2), Cbor::Uint(kind), Cbor::Bytes(nonce.to_vec()), Cbor::Bytes(ciphertext)];
    Cbor::Array(vec![Cbor::Uint(1), Cbor::Array(fields)]).write()
}
