//! Identities (§19.1, §19.2): RSA keys, and IDs that are hashes of their PEM text.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::pss::{Signature, SigningKey, VerifyingKey};
use rsa::signature::{RandomizedSigner, SignatureEncoding, Verifier};
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha512};
use thiserror::Error;
use zeroize::Zeroizing;

use super::base32;

/// The size of every key that the real system makes, in bits.
pub const KEY_BITS: u32 = 4096;

/// Sizes that *as built* takes from others. Below, keys are broken; above, they only cost time.
const TAKEN_BITS: core::ops::RangeInclusive<u32> = 2048..=8192;

/// No PEM of a key within [`TAKEN_BITS`] is longer. Longer ones are not looked at.
const MAX_PEM: usize = 16 * 1024;

/// A text is not a key that can be used (§19.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not a PEM of an RSA key, or not one that OpenSSL would write. Ask for the key again.
    #[error("not the PEM of an RSA key")]
    Malformed,
    /// The key has less than 2,048 bits or more than 8,192. Do not use it.
    #[error("an RSA key of a size that is not taken")]
    Size,
    /// The library could not make or use the key: its generator failed, or the key is broken. Make another key.
    #[error("the RSA library refused the key")]
    Library,
}

/// A text is not an ID (§19.2). Ask its owner for it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum IdError {
    /// It has not the length of an ID. Six characters name nobody: ask for all 103.
    #[error("an ID has 103 characters, a short ID has 6")]
    Length,
    /// A character is not of the alphabet, or the last one is impossible. It was mistyped.
    #[error("not the characters of an ID")]
    Characters,
}

/// The ID of a Portal: SHA-512 of its public key's PEM text, 103 characters (§19.2).
///
/// The text has no check character: a mistyped one is another ID, of which nobody has the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullId([u8; 64]);

impl FullId {
    /// The characters of the text.
    pub const LENGTH: usize = 103;

    /// The hash that is all zeros. Nobody has its key.
    pub const ZERO: Self = Self([0; 64]);

    /// The hash itself.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// The first six characters. They name nobody: a few days of one machine find a key for any of them.
    pub fn short(&self) -> ShortId {
        // The first five characters are bytes 0 to 3.
        let mut short = [b'a'; ShortId::LENGTH];
        short.iter_mut().zip(self.to_string().bytes()).for_each(|(to, from)| *to = from);
        ShortId(short)
    }
}

impl fmt::Display for FullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base32::encode(&self.0))
    }
}

impl fmt::Debug for FullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FullId({self})")
    }
}

impl FromStr for FullId {
    type Err = IdError;

    /// # Errors
    /// [`IdError`] if it is not 103 characters of the alphabet, with a last one that a hash can have.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != Self::LENGTH {
            return Err(IdError::Length);
        }
        let bytes = base32::decode(text).map_err(|_| IdError::Characters)?;
        bytes.try_into().map(Self).map_err(|_| IdError::Characters)
    }
}

/// The first six characters of an ID: a Portal's subdomain, the `keyid` of its signatures, and what people see (§19.2).
///
/// Thirty bits name nobody. So no function of the strict mode takes this type where it asks for a peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId([u8; 6]);

impl ShortId {
    /// The characters of the text.
    pub const LENGTH: usize = 6;

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortId({self})")
    }
}

impl FromStr for ShortId {
    type Err = IdError;

    /// # Errors
    /// [`IdError`] if it is not six characters of the alphabet.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let short = text.as_bytes().try_into().map_err(|_| IdError::Length)?;
        if text.chars().all(|char| base32::ALPHABET.contains(char)) {
            Ok(Self(short))
        } else {
            Err(IdError::Characters)
        }
    }
}

/// The public key of a Portal (§19.1), with its ID.
#[derive(Clone)]
pub struct PublicKey {
    key: VerifyingKey<Sha512>,
    pem: String,
    id: FullId,
}

impl PublicKey {
    /// Reads a PEM, and writes it again as OpenSSL does: CRLF and other wrapping make no other ID.
    ///
    /// Takes `PUBLIC KEY` (SubjectPublicKeyInfo) and `RSA PUBLIC KEY` (PKCS#1), of 2,048 to 8,192 bits. Strict peers have
    /// [`KEY_BITS`], see [`is_standard`](Self::is_standard).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] and [`KeyError::Size`]: ask for the key again.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > MAX_PEM {
            return Err(KeyError::Malformed);
        }
        let pem = pem::parse(pem).map_err(|_| KeyError::Malformed)?;
        let der = pem.contents();
        let key = match pem.tag() {
            "PUBLIC KEY" => {
                let key = rsa::PublicKey::from_public_key_der(der).map_err(|_| KeyError::Malformed)?;
                // Another encoding of the same key, such as one for PSS alone, would pass under an ID that is not its own.
                let same = key.to_public_key_der().is_ok_and(|again| again.as_bytes() == der);
                if same { Ok(key) } else { Err(KeyError::Malformed) }
            }
            "RSA PUBLIC KEY" => rsa::PublicKey::from_pkcs1_der(der).map_err(|_| KeyError::Malformed),
            _ => Err(KeyError::Malformed),
        }?;
        Self::new(key)
    }

    fn new(key: rsa::PublicKey) -> Result<Self, KeyError> {
        if !TAKEN_BITS.contains(&bits(&key)) {
            return Err(KeyError::Size);
        }
        let pem = key.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Library)?;
        let id = FullId(Sha512::digest(pem.as_bytes()).into());
        Ok(Self { key: VerifyingKey::new(key), pem, id })
    }

    /// The PEM text, as OpenSSL writes it: 800 bytes for 4,096 bits. This is what the ID is the hash of.
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// Its hash.
    pub const fn id(&self) -> FullId {
        self.id
    }

    /// The size of the modulus, in bits.
    pub fn bits(&self) -> u32 {
        bits(self.key.as_ref())
    }

    /// Whether the real system could have made it: 4,096 bits, and the exponent 65,537. The strict mode takes no other.
    pub fn is_standard(&self) -> bool {
        self.bits() == KEY_BITS && self.key.as_ref().e_bytes().as_ref() == [1, 0, 1]
    }

    /// Whether this is a signature of these bytes: RSASSA-PSS with SHA-512, MGF1 with SHA-512, and a salt of 64 bytes (§19.5).
    /// A signature of another length than the key, or with another salt, is none.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::try_from(signature).is_ok_and(|signature| self.key.verify(message, &signature).is_ok())
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

/// The private key of a Portal (§19.1). Its numbers are overwritten when it is dropped.
///
/// Signing is blinded, and the library computes in constant time. Its authors call that hardening unfinished: let nobody but the
/// owner's own apps cause signatures.
pub struct PrivateKey {
    key: SigningKey<Sha512>,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes a key of 4,096 bits. It takes a second or more.
    ///
    /// # Errors
    /// [`KeyError::Library`]: try again.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Result<Self, KeyError> {
        // `KEY_BITS` fits everywhere.
        let key = rsa::PrivateKey::new(rng, KEY_BITS as usize).map_err(|_| KeyError::Library)?;
        Self::new(key)
    }

    /// Reads a PKCS#8 PEM, `PRIVATE KEY`, that is not encrypted.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] and [`KeyError::Size`]: the file is something else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > MAX_PEM {
            return Err(KeyError::Malformed);
        }
        Self::new(rsa::PrivateKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Malformed)?)
    }

    fn new(key: rsa::PrivateKey) -> Result<Self, KeyError> {
        let public = PublicKey::new(key.to_public_key())?;
        Ok(Self { key: SigningKey::new(key), public })
    }

    /// The PKCS#8 PEM, as OpenSSL writes it. **It is the whole secret**: it is overwritten when dropped, so keep no copy in memory.
    ///
    /// # Errors
    /// [`KeyError::Library`]: the key is broken. Make another.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Library)
    }

    /// Its public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs (§19.5): as many bytes as the key has. The generator gives the salt, and blinds the computation. The same bytes signed twice give
    /// two signatures.
    ///
    /// # Errors
    /// [`KeyError::Library`]: the key is broken. Make another.
    pub fn sign<R: CryptoRng + ?Sized>(&self, message: &[u8], rng: &mut R) -> Result<alloc::vec::Vec<u8>, KeyError> {
        let signature = self.key.try_sign_with_rng(rng, message).map_err(|_| KeyError::Library)?;
        Ok(signature.to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey([redacted] of {})", self.public.id)
    }
}

fn bits(key: &rsa::PublicKey) -> u32 {
    // Public, so its length is no secret.
    key.n().bit_width_vartime()
}
