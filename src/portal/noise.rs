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
/// What both ends must agree on before the first message.
pub(super) const PROLOGUE: &[u8] = b"port-protocol portal 1";

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
    fn new(prologue: &[u8], callee: &PublicKey) -> Self {
        let mut hash = [0; KEY];
        hash.iter_mut().zip(PROTOCOL_NAME).for_each(|(to, from)| *to = *from);
        let mut new = Self { chaining_key: hash.into(), hash, key: Secret::ZERO };
        new.mix_hash(prologue);
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
        prologue: &[u8],
        own: &KeyPair,
        callee: &PublicKey,
        ephemeral: Secret<KEY>,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        let mut symmetric = Symmetric::new(prologue, callee);
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
    pub(super) fn read(prologue: &[u8], own: &KeyPair, message: &[u8]) -> Result<(Self, Zeroizing<Vec<u8>>), Unopened> {
        let mut symmetric = Symmetric::new(prologue, &own.public);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    /// Cacophony's known answers (github.com/centromere/cacophony), as snow 0.10.0 has them in `tests/vectors/cacophony.txt`.
    const KNOWN: [[&str; 2]; 6] = [
        [
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444e417bc55c7a8166c993356c1be41ef67818a292426f301556c7f26b21d25ddb\
             097153891a9a956cff47b83e63ad8d701c1342c209cff1ca5ecd43402762ac249e3bd3a4c0a145fe07cb5dae28ea13a3",
        ],
        [
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843af2ccf9972e22afc67aeafcd25162f7f98c363b7762e3e4cb7d272e39f27a5",
        ],
        ["462e20412e20486179656b", "66acfc92e3197de166809e6d4d5d003dcc819a84bc3522ca53c9d9"],
        ["4361726c204d656e676572", "71f89aa6533a6de70b0826864dd75f60806ee40170c16290189eb3"],
        ["4a65616e2d426170746973746520536179", "4795a3423550c8bf00386bd496a3e2c76c10669d2a75ab8f79b5094c5412a25705"],
        [
            "457567656e2042f6686d20766f6e2042617765726b",
            "aa0bb39097555c918e40be82abc2b909eb79d9eb87adb07e268fc37323a6cf904fd01fb391",
        ],
    ];
    const PROLOGUE_THERE: &[u8] = b"John Galt";
    const STATIC: [&str; 2] = [
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    ];
    const EPHEMERAL: [&str; 2] = [
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    ];
    const CALLEE: &str = "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62";
    const HASH: &str = "669c8640d9e42a3cda2f232f78597ceefb01daa6e3df81181ccce6fc6b5026bf";

    fn pairs() -> [KeyPair; 2] {
        STATIC.map(|hex| KeyPair::new(bytes(hex).into()))
    }

    /// Both messages of the handshake, and four behind it, each read by the other end.
    #[test]
    fn r18_6_the_handshake_is_noise_ik_as_another_implementation_writes_it() {
        let [caller, callee] = pairs();
        let known = KNOWN.map(|pair| pair.map(|hex| hex::decode(hex).unwrap()));
        assert_eq!(callee.public.as_bytes(), &bytes::<32>(CALLEE));
        let mut sent = Vec::new();
        let e = bytes(EPHEMERAL[0]).into();
        let initiator = Initiator::write(PROLOGUE_THERE, &caller, &callee.public, e, &known[0][0], &mut sent);
        assert_eq!(sent, known[0][1]);
        let (responder, payload) = Responder::read(PROLOGUE_THERE, &callee, &sent).unwrap();
        assert_eq!((responder.caller(), &*payload), (&caller.public, &known[0][0]));
        let mut back = Vec::new();
        let mut symmetric = initiator.symmetric.clone();
        let of_callee = responder.write(&bytes(EPHEMERAL[1]).into(), &known[1][0], &mut back);
        assert_eq!(back, known[1][1]);
        let (payload, of_caller) = initiator.read(&caller, &back).unwrap();
        assert_eq!(*payload, known[1][0]);
        for data in [&back[..KEY], &back[KEY..]] {
            symmetric.mix_hash(data);
        }
        assert_eq!(symmetric.hash, bytes(HASH));
        for (at, [text, ciphertext]) in known[2..].iter().enumerate() {
            let number = at as u64 / 2;
            let [to, from] = [&of_caller, &of_callee].map(|keys| if at % 2 == 0 { &keys.caller } else { &keys.callee });
            let mut buffer = text.clone();
            encrypt(&cipher(to), number, &[], &mut buffer, 0);
            assert_eq!(&buffer, ciphertext);
            let length = decrypt(&cipher(from), number, &[], &mut buffer).unwrap();
            assert_eq!(&buffer[..length], text);
        }
    }

    /// With another prologue, to another callee, cut or with any bit turned, it does not open.
    #[test]
    fn r18_6_what_is_changed_does_not_open() {
        let [caller, callee] = pairs();
        let message = hex::decode(KNOWN[0][1]).unwrap();
        assert!(Responder::read(PROLOGUE_THERE, &callee, &message).is_ok());
        assert!(Responder::read(PROLOGUE, &callee, &message).is_err());
        assert!(Responder::read(PROLOGUE_THERE, &caller, &message).is_err());
        for at in 0..message.len() {
            let mut other = message.clone();
            other[at] ^= 1;
            assert!(Responder::read(PROLOGUE_THERE, &callee, &other).is_err(), "{at}");
            assert!(Responder::read(PROLOGUE_THERE, &callee, &message[..at]).is_err(), "{at}");
        }
    }

    /// Computed by Python's `cryptography`: `AESGCM(bytes(range(32))).encrypt(bytes(4) + bytes([255] * 8), bytes(32), b"")[:32]`, and again.
    #[test]
    fn r18_6_rekey_is_noises() {
        let first = rekey(&core::array::from_fn(|at| at as u8).into());
        assert_eq!(*first.expose(), bytes::<32>("0201675c87335949b909793da5bb4d92fcf6d44b92a6e0792b6ae48b1881259d"));
        assert_eq!(
            *rekey(&first).expose(),
            bytes::<32>("e5f088ca0ae5900fa607b0f669fc802479ffc206d6322eb26943c4e45e408e25")
        );
    }
}
