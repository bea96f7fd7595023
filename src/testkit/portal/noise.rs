//! Noise IK once more, for a liar who fills its messages as it likes (§18.6). It shares no code with that of honest Portals, so whatever the
//! two understand of each other is a check of both.

use alloc::vec::Vec;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::secret::Secret;
use crate::x25519;

type Key = [u8; 32];

#[derive(Clone)]
pub(super) struct Pair {
    private: Secret<32>,
    pub(super) public: Key,
}

impl Pair {
    pub(super) fn new(private: Key) -> Self {
        let private = Secret::from(private);
        Self { public: x25519::public_key(&private), private }
    }

    fn agree(&self, other: &Key) -> Key {
        *x25519::agree(&self.private, other).expose()
    }
}

/// The state of a handshake: `ck`, `h` and `k`.
#[derive(Clone)]
struct Hashing {
    chain: Key,
    hash: Key,
    key: Key,
}

impl Hashing {
    fn new(callee: &Key) -> Self {
        let mut name = [0; 32];
        name.iter_mut().zip(b"Noise_IK_25519_AESGCM_SHA256").for_each(|(to, from)| *to = *from);
        let mut new = Self { chain: name, hash: name, key: [0; 32] };
        new.hash(b"port-protocol portal 1");
        new.hash(callee);
        new
    }

    fn hash(&mut self, bytes: &[u8]) {
        self.hash = Sha256::digest([&self.hash[..], bytes].concat()).into();
    }

    fn two(&self, secret: &[u8]) -> (Key, Key) {
        let mut both = [[0; 32]; 2];
        // 64 bytes are few.
        let _ = Hkdf::<Sha256>::new(Some(&self.chain), secret).expand(&[], both.as_flattened_mut());
        let [one, two] = both;
        (one, two)
    }

    fn mix(&mut self, secret: Key) {
        (self.chain, self.key) = self.two(&secret);
    }

    fn seal(&mut self, text: &[u8]) -> Vec<u8> {
        let sealed = seal(&self.key, 0, &self.hash, text);
        self.hash(&sealed);
        sealed
    }

    fn open(&mut self, sealed: &[u8]) -> Option<Vec<u8>> {
        let text = open(&self.key, 0, &self.hash, sealed)?;
        self.hash(sealed);
        Some(text)
    }

    fn split(&self) -> Keys {
        let (caller, callee) = self.two(&[]);
        Keys { caller, callee }
    }
}

/// The keys of the first period of a session.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) caller: Key,
    pub(super) callee: Key,
}

/// A caller that waits for Opened.
pub(super) struct Opener(Hashing, Pair);

/// An Opening.
pub(super) fn open_with(own: &Pair, callee: &Key, ephemeral: Pair, payload: &[u8]) -> (Vec<u8>, Opener) {
    let mut hashing = Hashing::new(callee);
    hashing.hash(&ephemeral.public);
    hashing.mix(ephemeral.agree(callee));
    let key = hashing.seal(&own.public);
    hashing.mix(own.agree(callee));
    let payload = hashing.seal(payload);
    ([&ephemeral.public[..], &key, &payload].concat(), Opener(hashing, ephemeral))
}

/// Reads Opened.
pub(super) fn read_opened(own: &Pair, opener: &Opener, noise: &[u8]) -> Option<(Vec<u8>, Keys)> {
    let Opener(hashing, ephemeral) = opener;
    let mut hashing = hashing.clone();
    let (e, payload) = noise.split_first_chunk()?;
    hashing.hash(e);
    hashing.mix(ephemeral.agree(e));
    hashing.mix(own.agree(e));
    let payload = hashing.open(payload)?;
    Some((payload, hashing.split()))
}

/// Reads an Opening: its caller's key, its payload, and what answers it.
pub(super) fn read_opening(own: &Pair, noise: &[u8]) -> Option<(Key, Vec<u8>, Answerer)> {
    let mut hashing = Hashing::new(&own.public);
    let (e, rest) = noise.split_first_chunk()?;
    hashing.hash(e);
    hashing.mix(own.agree(e));
    let (key, payload) = rest.split_at_checked(48)?;
    let key: Key = hashing.open(key)?.try_into().ok()?;
    hashing.mix(own.agree(&key));
    let payload = hashing.open(payload)?;
    Some((key, payload, Answerer(hashing, *e, key)))
}

/// A callee that has not answered yet.
pub(super) struct Answerer(Hashing, Key, Key);

/// Opened.
pub(super) fn answer_with(answerer: Answerer, ephemeral: &Pair, payload: &[u8]) -> (Vec<u8>, Keys) {
    let Answerer(mut hashing, e, key) = answerer;
    hashing.hash(&ephemeral.public);
    hashing.mix(ephemeral.agree(&e));
    hashing.mix(ephemeral.agree(&key));
    let payload = hashing.seal(payload);
    ([&ephemeral.public[..], &payload].concat(), hashing.split())
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce.iter_mut().skip(4).zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    nonce
}

pub(super) fn seal(key: &Key, number: u64, data: &[u8], text: &[u8]) -> Vec<u8> {
    let mut sealed = text.to_vec();
    let tag =
        Aes256Gcm::new(key.into()).encrypt_inout_detached(&nonce(number).into(), data, sealed.as_mut_slice().into());
    // No text is too long.
    sealed.extend_from_slice(tag.as_deref().unwrap_or_default());
    sealed
}

pub(super) fn open(key: &Key, number: u64, data: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (text, tag) = sealed.split_last_chunk::<16>()?;
    let mut text = text.to_vec();
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt_inout_detached(&nonce(number).into(), data, text.as_mut_slice().into(), tag.into()).ok()?;
    Some(text)
}
