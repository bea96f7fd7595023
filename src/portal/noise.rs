//! `Noise_IK_25519_AESGCM_SHA256` of the Noise Protocol Framework, revision 34, and nothing else of it (§18.6).
//!
//! Each function stands for one of the framework's, and has its name. A key of the handshake encrypts one text, so its nonce is always 0.

use alloc::vec::Vec;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::port::PublicKey;
use crate::secret::Secret;
use crate::x25519;

const PROTOCOL_NAME: &[u8] = b"Noise_IK_25519_AESGCM_SHA256";
const PROLOGUE: &[u8] = b"port-protocol portal 1";

/// The longest Noise message.
pub(super) const MAX_NOISE: usize = 65_535;
pub(super) const TAG: usize = 16;
const KEY: usize = 32;
/// By how much message 1 is longer than its payload: two keys and two tags.
pub(super) const OVERHEAD_1: usize = 2 * (KEY + TAG);
/// The same of message 2: a key and a tag.
pub(super) const OVERHEAD_2: usize = KEY + TAG;

/// The message does not open. One error for every reason, so that there is no oracle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unopened;

/// A private key and its public key.
#[derive(Clone, Debug)]
pub(super) struct KeyPair {
    pub(super) private: Secret<KEY>,
    pub(super) public: PublicKey,
}

impl KeyPair {
    pub(super) fn new(private: Secret<KEY>) -> Self {
        let public = PublicKey::generated(x25519::public_key(&private));
        Self { private, public }
    }
}

/// The two keys that a handshake yields, one for each direction.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) caller: Secret<KEY>,
    pub(super) callee: Secret<KEY>,
}

/// Noise's SymmetricState.
#[derive(Clone, Debug)]
struct Symmetric {
    chaining_key: Secret<KEY>,
    hash: [u8; KEY],
    key: Secret<KEY>,
}

impl Symmetric {
    /// Initialize, the prologue, and the pre-message `<- s`.
    fn new(callee: &PublicKey) -> Self {
        let mut hash = [0; KEY];
        hash.iter_mut().zip(PROTOCOL_NAME).for_each(|(to, from)| *to = *from);
        let mut new = Self { chaining_key: hash.into(), hash, key: Secret::ZERO };
        new.mix_hash(PROLOGUE);
        new.mix_hash(callee.as_bytes());
        new
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = Sha256::new().chain_update(self.hash).chain_update(data).finalize().into();
    }

    fn mix_key(&mut self, secret: &Secret<KEY>) {
        (self.chaining_key, self.key) = self.expand(secret.expose());
    }

    /// Noise's HKDF with two outputs is RFC 5869's with an empty info.
    fn expand(&self, input: &[u8]) -> (Secret<KEY>, Secret<KEY>) {
        let (mut first, mut second) = (Secret::ZERO, Secret::ZERO);
        let mut both = Zeroizing::new([0; 2 * KEY]);
        // 64 bytes are far from HKDF's limit.
        let _ = Hkdf::<Sha256>::new(Some(self.chaining_key.expose()), input).expand(&[], both.as_mut());
        let (one, two) = both.split_at(KEY);
        first.expose_mut().copy_from_slice(one);
        second.expose_mut().copy_from_slice(two);
        (first, second)
    }

    /// EncryptAndHash, behind what `out` holds.
    fn encrypt(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(text);
        encrypt(&cipher(&self.key), 0, &self.hash, out, start);
        let ciphertext = out.get(start..).unwrap_or_default();
        self.mix_hash(ciphertext);
    }

    /// DecryptAndHash.
    fn decrypt(&mut self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let length = decrypt(&cipher(&self.key), 0, &self.hash, &mut text)?;
        text.truncate(length);
        self.mix_hash(ciphertext);
        Ok(text)
    }

    fn split(&self) -> Keys {
        let (caller, callee) = self.expand(&[]);
        Keys { caller, callee }
    }
}

/// The caller between message 1 and message 2.
#[derive(Debug)]
pub(super) struct Initiator {
    symmetric: Symmetric,
    ephemeral: Secret<KEY>,
}

impl Initiator {
    /// Message 1, `e, es, s, ss`, behind what `out` holds.
    pub(super) fn write(
        own: &KeyPair,
        callee: &PublicKey,
        ephemeral: Secret<KEY>,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        let mut symmetric = Symmetric::new(callee);
        let e = x25519::public_key(&ephemeral);
        out.extend_from_slice(&e);
        symmetric.mix_hash(&e);
        symmetric.mix_key(&x25519::agree(&ephemeral, callee.as_bytes()));
        symmetric.encrypt(own.public.as_bytes(), out);
        symmetric.mix_key(&x25519::agree(&own.private, callee.as_bytes()));
        symmetric.encrypt(payload, out);
        Self { symmetric, ephemeral }
    }

    /// Message 2, `e, ee, se`. A forged one changes nothing: the true one may still come.
    pub(super) fn read(&self, own: &KeyPair, message: &[u8]) -> Result<(Zeroizing<Vec<u8>>, Keys), Unopened> {
        let (e, payload) = split_key(message)?;
        let mut symmetric = self.symmetric.clone();
        symmetric.mix_hash(e.as_bytes());
        symmetric.mix_key(&x25519::agree(&self.ephemeral, e.as_bytes()));
        symmetric.mix_key(&x25519::agree(&own.private, e.as_bytes()));
        let payload = symmetric.decrypt(payload)?;
        Ok((payload, symmetric.split()))
    }
}

/// The callee between message 1 and message 2.
#[derive(Debug)]
pub(super) struct Responder {
    symmetric: Symmetric,
    ephemeral: PublicKey,
    caller: PublicKey,
}

impl Responder {
    /// Message 1.
    pub(super) fn read(own: &KeyPair, message: &[u8]) -> Result<(Self, Zeroizing<Vec<u8>>), Unopened> {
        let mut symmetric = Symmetric::new(&own.public);
        let (ephemeral, rest) = split_key(message)?;
        symmetric.mix_hash(ephemeral.as_bytes());
        symmetric.mix_key(&x25519::agree(&own.private, ephemeral.as_bytes()));
        let (caller, payload) = rest.split_at_checked(KEY + TAG).ok_or(Unopened)?;
        let caller = symmetric.decrypt(caller)?;
        let caller = <[u8; KEY]>::try_from(caller.as_slice()).map_err(|_| Unopened)?;
        let caller = PublicKey::from_bytes(caller).map_err(|_| Unopened)?;
        symmetric.mix_key(&x25519::agree(&own.private, caller.as_bytes()));
        let payload = symmetric.decrypt(payload)?;
        Ok((Self { symmetric, ephemeral, caller }, payload))
    }

    /// The caller's static key.
    pub(super) const fn caller(&self) -> &PublicKey {
        &self.caller
    }

    /// The caller's ephemeral key: no two Openings have one.
    pub(super) const fn ephemeral(&self) -> &PublicKey {
        &self.ephemeral
    }

    /// Message 2, behind what `out` holds. There is one, so it takes the handshake with it.
    pub(super) fn write(self, ephemeral: &Secret<KEY>, payload: &[u8], out: &mut Vec<u8>) -> Keys {
        let Self { mut symmetric, ephemeral: re, caller } = self;
        let e = x25519::public_key(ephemeral);
        out.extend_from_slice(&e);
        symmetric.mix_hash(&e);
        symmetric.mix_key(&x25519::agree(ephemeral, re.as_bytes()));
        symmetric.mix_key(&x25519::agree(ephemeral, caller.as_bytes()));
        symmetric.encrypt(payload, out);
        symmetric.split()
    }
}

/// An ephemeral key, which must not be of low order: the other end's secret would be everybody's.
fn split_key(message: &[u8]) -> Result<(PublicKey, &[u8]), Unopened> {
    if message.len() > MAX_NOISE {
        return Err(Unopened);
    }
    let (key, rest) = message.split_first_chunk().ok_or(Unopened)?;
    Ok((PublicKey::from_bytes(*key).map_err(|_| Unopened)?, rest))
}

pub(super) fn cipher(key: &Secret<KEY>) -> Aes256Gcm {
    Aes256Gcm::new(key.expose().into())
}

/// Noise's REKEY.
pub(super) fn rekey(key: &Secret<KEY>) -> Secret<KEY> {
    let mut next = Secret::ZERO;
    let buffer = next.expose_mut().as_mut_slice().into();
    // 32 bytes are no text too long.
    let _ = cipher(key).encrypt_inout_detached(&nonce(u64::MAX).into(), &[], buffer);
    next
}

/// ENCRYPT, in place, of what stands from `start` on. The tag goes behind it.
pub(super) fn encrypt(cipher: &Aes256Gcm, number: u64, data: &[u8], buffer: &mut Vec<u8>, start: usize) {
    let text = buffer.get_mut(start..).unwrap_or_default();
    match cipher.encrypt_inout_detached(&nonce(number).into(), data, text.into()) {
        Ok(tag) => buffer.extend_from_slice(&tag),
        // No text is 64 GiB long. If one were, it would not leave in the clear.
        Err(_) => buffer.get_mut(start..).unwrap_or_default().zeroize(),
    }
}

/// DECRYPT, in place. Returns how long the text is that `buffer` begins with.
pub(super) fn decrypt(cipher: &Aes256Gcm, number: u64, data: &[u8], buffer: &mut [u8]) -> Result<usize, Unopened> {
    let (text, tag) = buffer.split_last_chunk_mut::<TAG>().ok_or(Unopened)?;
    cipher
        .decrypt_inout_detached(&nonce(number).into(), data, (&mut *text).into(), (&*tag).into())
        .map_err(|_| Unopened)?;
    Ok(text.len())
}

/// Four zero bytes and the number, big-endian.
fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (_, end) = nonce.split_at_mut(4);
    end.copy_from_slice(&number.to_be_bytes());
    nonce
}
