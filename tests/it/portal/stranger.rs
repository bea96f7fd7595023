//! Noise IK as a stranger writes it, with nothing of the crate (§18.6): it opens what the crate writes, and writes what the crate never would.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

pub type Key = [u8; 32];

pub const PROLOGUE: &[u8] = b"port-protocol portal 1";

pub fn public(private: Key) -> Key {
    x25519(private, X25519_BASEPOINT_BYTES)
}

fn aead(key: Key) -> Aes256Gcm {
    Aes256Gcm::new(&key.into())
}

fn nonce(number: u64) -> [u8; 12] {
    (u128::from(number)).to_be_bytes()[4..].try_into().unwrap()
}

/// ENCRYPT.
pub fn encrypt(key: Key, number: u64, data: &[u8], text: &[u8]) -> Vec<u8> {
    let mut sealed = text.to_vec();
    let tag = aead(key).encrypt_inout_detached(&nonce(number).into(), data, (&mut *sealed).into()).unwrap();
    sealed.extend_from_slice(&tag);
    sealed
}

/// DECRYPT.
pub fn decrypt(key: Key, number: u64, data: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (text, tag) = sealed.split_last_chunk::<16>().unwrap();
    let mut text = text.to_vec();
    aead(key).decrypt_inout_detached(&nonce(number).into(), data, (&mut *text).into(), tag.into()).unwrap();
    text
}

/// The key for this number, of the first one.
pub fn key_for(mut key: Key, number: u64) -> Key {
    for _ in 0..number / 1_024 {
        key = encrypt(key, u64::MAX, b"", &[0; 32])[..32].try_into().unwrap();
    }
    key
}

/// The handshake so far, and what it went through.
#[derive(Clone)]
pub struct Noise {
    h: Key,
    ck: Key,
    k: Key,
    pub seen: Vec<Value>,
}

impl Noise {
    pub fn new(prologue: &[u8], callee: Key) -> Self {
        let mut h = [0; 32];
        h[..28].copy_from_slice(b"Noise_IK_25519_AESGCM_SHA256");
        let mut new = Self { h, ck: h, k: [0; 32], seen: Vec::new() };
        new.note("protocol name");
        new.mix_hash(prologue);
        new.note("prologue");
        new.mix_hash(&callee);
        new.note("callee's key");
        new
    }

    fn note(&mut self, after: &str) {
        let [h, ck, k] = [self.h, self.ck, self.k].map(hex::encode);
        self.seen.push(json!({ "after": after, "h": h, "ck": ck, "k": k }));
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.h = Sha256::new().chain_update(self.h).chain_update(data).finalize().into();
    }

    fn expand(&self, input: &[u8]) -> [Key; 2] {
        let mut both = [0; 64];
        Hkdf::<Sha256>::new(Some(&self.ck), input).expand(b"", &mut both).unwrap();
        [0, 32].map(|at| both[at..at + 32].try_into().unwrap())
    }

    fn e(&mut self, key: &Key) {
        self.mix_hash(key);
        self.note("e");
    }

    fn dh(&mut self, private: Key, public: Key, token: &str) {
        [self.ck, self.k] = self.expand(&x25519(private, public));
        self.note(token);
    }

    fn seal(&mut self, text: &[u8], what: &str) -> Vec<u8> {
        let sealed = encrypt(self.k, 0, &self.h, text);
        self.mix_hash(&sealed);
        self.note(what);
        sealed
    }

    fn open(&mut self, sealed: &[u8], what: &str) -> Vec<u8> {
        let text = decrypt(self.k, 0, &self.h, sealed);
        self.mix_hash(sealed);
        self.note(what);
        text
    }

    /// The caller's key, then the callee's.
    pub fn split(&self) -> [Key; 2] {
        self.expand(b"")
    }
}

/// Noise message 1, and the handshake behind it.
pub fn opening(prologue: &[u8], caller: Key, callee: Key, ephemeral: Key, payload: &[u8]) -> (Vec<u8>, Noise) {
    let (mut noise, e) = (Noise::new(prologue, callee), public(ephemeral));
    noise.e(&e);
    noise.dh(ephemeral, callee, "es");
    let s = noise.seal(&public(caller), "s");
    noise.dh(caller, callee, "ss");
    let payload = noise.seal(payload, "payload");
    ([&e[..], &s, &payload].concat(), noise)
}

/// Message 1 with these public keys in it, and what is said to be agreed by them: one of low order agrees on zeros.
pub fn opening_of(callee: Key, [e, es]: [Key; 2], [s, ss]: [Key; 2], payload: &[u8]) -> Vec<u8> {
    let mut noise = Noise::new(PROLOGUE, callee);
    noise.e(&e);
    [noise.ck, noise.k] = noise.expand(&es);
    let s = noise.seal(&s, "s");
    [noise.ck, noise.k] = noise.expand(&ss);
    [&e[..], &s, &noise.seal(payload, "payload")].concat()
}

/// What the callee opens of message 1: the payload, and the handshake behind it.
pub fn read_opening(callee: Key, message: &[u8]) -> (Vec<u8>, Noise) {
    let mut noise = Noise::new(PROLOGUE, public(callee));
    let e = message[..32].try_into().unwrap();
    noise.e(&e);
    noise.dh(callee, e, "es");
    let caller = noise.open(&message[32..80], "s").try_into().unwrap();
    noise.dh(callee, caller, "ss");
    (noise.open(&message[80..], "payload"), noise)
}

/// Noise message 2 by a callee with this ephemeral key.
pub fn opened(mut noise: Noise, caller: [Key; 2], ephemeral: Key, payload: &[u8]) -> Vec<u8> {
    noise.seen.clear();
    let e = public(ephemeral);
    noise.e(&e);
    noise.dh(ephemeral, caller[1], "ee");
    noise.dh(ephemeral, caller[0], "se");
    [&e[..], &noise.seal(payload, "payload")].concat()
}

/// What the caller opens of message 2, whose private keys these are: static, then ephemeral.
pub fn read_opened(mut noise: Noise, caller: [Key; 2], message: &[u8]) -> (Vec<u8>, Noise) {
    noise.seen.clear();
    let e = message[..32].try_into().unwrap();
    noise.e(&e);
    noise.dh(caller[1], e, "ee");
    noise.dh(caller[0], e, "se");
    (noise.open(&message[32..], "payload"), noise)
}
