//! Bob's proof (§3), and the only file that touches a raw shared secret.

use aes::Aes256;
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hkdf::{Hkdf, HkdfExtract};
use minicbor::{Decode, Encode};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::cbor::{self, Bytes};
use crate::id::{PortHash, ReplayMark};
use crate::port::{Port, PublicKey};
use crate::secret::{Rad, Secret};
use crate::x25519;

/// PKCS#7 for a plaintext of whole blocks: one more block, of sixteens (RFC 5652 §6.3).
const PADDING: [u8; 16] = [16; 16];

/// `{ public_key_bob, encrypted_RAD }` as it was sent (§3.1). Nothing in it has been checked: that happens where every
/// failure has one outcome (§3.3).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Proof {
    #[n(0)]
    pub(crate) public_key: Bytes<32>,
    /// `IV ‖ AES-256-CBC(secret, RAD)`: 48 bytes, and room for the ticket of a contact port.
    #[n(1)]
    pub(crate) encrypted_rad: Bytes<64>,
}

impl Proof {
    /// `None` if it is none that §2.3 accepts.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_bytes(self.public_key.as_slice().try_into().ok()?).ok()
    }
}

impl core::fmt::Debug for Proof {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { public_key: _, encrypted_rad: _ } = self;
        f.write_str("Proof(..)")
    }
}

/// How the proof travels (§5.2). It is the caller's choice, and the line is the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum SendProof {
    /// Inside the connect request: one round trip less.
    #[default]
    #[n(1)]
    Inline,
    /// Along the line, after `LineFormed`: for a relay that takes none inline.
    #[n(2)]
    AlongTheLine,
}

/// An X25519 private key, for one Port only.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct PrivateKey(#[n(0)] Secret<32>);

impl PrivateKey {
    pub(crate) const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// keygen (§1.1).
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::generated(x25519::public_key(&self.0))
    }

    /// DH (§1.1).
    pub(crate) fn agree(&self, public_key: PublicKey) -> SharedSecret {
        SharedSecret(x25519::agree(&self.0, public_key.as_bytes()))
    }
}

/// X25519(private_key_alice, public_key_bob) = X25519(private_key_bob, public_key_alice).
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct SharedSecret(#[n(0)] Secret<32>);

impl SharedSecret {
    /// HKDF-Extract (RFC 5869): every key of the line comes from it (§6.2).
    pub(crate) fn extract(&self, transcript: &[u8; 32]) -> Hkdf<Sha256> {
        Hkdf::new(Some(transcript), self.0.expose())
    }

    /// HKDF-Extract of this secret and one more input.
    pub(crate) fn extract_with(&self, more: &Secret<32>, salt: &[u8; 32]) -> Hkdf<Sha256> {
        let mut hkdf = HkdfExtract::<Sha256>::new(Some(salt));
        hkdf.input_ikm(self.0.expose());
        hkdf.input_ikm(more.expose());
        hkdf.finalize().1
    }

    /// HKDF-Extract of two shared secrets: the keys of epoch 1 come from it (§14.7).
    pub(crate) fn extract_both(&self, ephemeral: &Self, salt: &[u8; 32]) -> Hkdf<Sha256> {
        self.extract_with(&ephemeral.0, salt)
    }

    /// One of the app's, as it was kept.
    #[cfg(feature = "app")]
    pub(crate) const fn from_raw(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The app's formats have it as a key (§17.4).
    #[cfg(feature = "app")]
    pub(crate) const fn raw(&self) -> &Secret<32> {
        &self.0
    }

    /// What a use is known again by (§14.4): of the secret, for key bytes can be written in other ways.
    pub(crate) fn mark(&self, port: &PortHash) -> ReplayMark {
        cbor::hash(&("port-protocol use", port, &self.0)).into()
    }
}

/// Bob shows that it holds the Port (§3.2).
pub(crate) fn prove(private_key: &PrivateKey, iv: &[u8; 16], port: &Port) -> (Proof, SharedSecret) {
    let public_key = private_key.public_key();
    let secret = private_key.agree(port.public_key);

    let mut encryptor = cbc::Encryptor::<Aes256>::new(secret.0.expose().into(), iv.into());
    let mut encrypted_rad = Bytes::EMPTY;
    encrypted_rad.append(iv);
    // RAD first: a first block can be rewritten through the IV (§16.3).
    for plain in [Some(port.rad.expose()), port.ticket().map(|ticket| ticket.secret.expose()), Some(&PADDING)] {
        let Some(plain) = plain else { continue };
        let mut block = Block::<Aes256>::from(*plain);
        encryptor.encrypt_block(&mut block);
        encrypted_rad.append(&block);
    }
    let mut key = Bytes::EMPTY;
    key.append(public_key.as_bytes());
    (Proof { public_key: key, encrypted_rad }, secret)
}

/// Alice checks (§3.3). `None` is the one outcome of every failure: length, key, padding, RAD.
pub(crate) fn check(private_key: &PrivateKey, rad: &Rad, proof: &Proof) -> Option<SharedSecret> {
    let Opened { secret, middle: [], is_good } = open(private_key, rad, proof)?;
    bool::from(is_good).then_some(secret)
}

/// Alice checks a proof at a contact port: a ticket stands behind the RAD (§16.4).
pub(crate) fn check_with_ticket(
    private_key: &PrivateKey,
    rad: &Rad,
    proof: &Proof,
) -> Option<(SharedSecret, Secret<16>)> {
    let Opened { secret, middle: [ticket], is_good } = open(private_key, rad, proof)?;
    bool::from(is_good).then_some((secret, ticket))
}

/// A proof of the right form: what stands between RAD and padding, and whether they are what they must be.
struct Opened<const N: usize> {
    secret: SharedSecret,
    middle: [Secret<16>; N],
    is_good: Choice,
}

fn open<const N: usize>(private_key: &PrivateKey, rad: &Rad, proof: &Proof) -> Option<Opened<N>> {
    let public_key = proof.public_key()?;
    let (iv, ciphertext) = proof.encrypted_rad.as_slice().split_first_chunk::<16>()?;
    let ([first, middle @ .., last], []) = ciphertext.as_chunks::<16>() else { return None };
    let middle: [[u8; 16]; N] = middle.try_into().ok()?;

    let secret = private_key.agree(public_key);
    let mut decryptor = cbc::Decryptor::<Aes256>::new(secret.0.expose().into(), iv.into());
    let mut decrypt = |block: [u8; 16]| {
        let mut block = Block::<Aes256>::from(block);
        decryptor.decrypt_block(&mut block);
        <[u8; 16]>::from(block)
    };
    let decrypted_rad = decrypt(*first);
    let middle = middle.map(|block| Secret::from(decrypt(block)));

    // One comparison over RAD and padding together: a padding oracle has nothing to ask.
    let decrypted = [decrypted_rad, decrypt(*last)];
    let expected = [*rad.expose(), PADDING];
    Some(Opened { secret, middle, is_good: decrypted.as_flattened().ct_eq(expected.as_flattened()) })
}
