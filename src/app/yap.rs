//! YAP version 1 (§17.5): `ephemeral key ‖ nonce ‖ tag ‖ ciphertext`, AES-256-GCM.
//!
//! The app has this seal, but does not use it. Only the holder of one of the two private keys can make a message that opens. It does not
//! detect that a message comes again, or is lost: that remains the caller's task.

use alloc::string::String;
use alloc::vec::Vec;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use super::base64;
use super::error::MessageError;
use super::message::MAX_ENCRYPTED_CONTENT;
use super::text::SecretBytes;
use crate::port::PublicKey;
use crate::proof::{PrivateKey, SharedSecret};
use crate::secret::Secret;

/// The bytes that a sealed message has more than the message itself, before base64: 32 + 12 + 16.
pub const OVERHEAD: usize = 60;

/// Seals a message with the sender's `private_key` for the reader whose public key is `peer`. Draw `ephemeral`, a private key, and `nonce`
/// for this message alone. The result is base64.
///
/// # Errors
/// [`MessageError::TooLong`]: the message is longer than [`MAX_ENCRYPTED_CONTENT`] less [`OVERHEAD`], 65,476 bytes. Split it.
pub fn seal(
    private_key: &Secret<32>,
    peer: PublicKey,
    ephemeral: &Secret<32>,
    nonce: [u8; 12],
    message: &[u8],
) -> Result<String, MessageError> {
    let length = message.len().saturating_add(OVERHEAD);
    if length > MAX_ENCRYPTED_CONTENT {
        return Err(MessageError::TooLong);
    }
    let ephemeral = PrivateKey::new(ephemeral.clone());
    let shared = PrivateKey::new(private_key.clone()).agree(peer);
    let mut ciphertext = message.to_vec();
    let tag = cipher(&shared, &ephemeral.agree(peer))
        .encrypt_inout_detached(&Nonce::from(nonce), &[], ciphertext.as_mut_slice().into())
        .map_err(|_| MessageError::TooLong)?;
    let mut sealed = Vec::with_capacity(length);
    for part in [&ephemeral.public_key().as_bytes()[..], &nonce, &tag, &ciphertext] {
        sealed.extend_from_slice(part);
    }
    Ok(base64::write(&sealed))
}

/// Opens a message with the reader's `private_key`. The sender's public key is `peer`.
///
/// # Errors
/// [`MessageError::Forged`], for every cause: drop it.
pub fn open(private_key: &Secret<32>, peer: PublicKey, sealed: &str) -> Result<SecretBytes, MessageError> {
    read(private_key, peer, sealed).ok_or(MessageError::Forged)
}

fn read(private_key: &Secret<32>, peer: PublicKey, sealed: &str) -> Option<SecretBytes> {
    let sealed = base64::read(sealed, MAX_ENCRYPTED_CONTENT)?;
    let (ephemeral, rest) = sealed.split_first_chunk::<32>()?;
    let (nonce, rest) = rest.split_first_chunk::<12>()?;
    let (tag, ciphertext) = rest.split_first_chunk::<16>()?;
    let private_key = PrivateKey::new(private_key.clone());
    // §17.5: we accept only an ephemeral key that §2.3 accepts, so that its secret is a part of the key.
    let ephemeral = PublicKey::from_bytes(*ephemeral).ok()?;
    let mut message = ciphertext.to_vec();
    cipher(&private_key.agree(peer), &private_key.agree(ephemeral))
        .decrypt_inout_detached(&Nonce::from(*nonce), &[], message.as_mut_slice().into(), &Tag::from(*tag))
        .ok()?;
    Some(SecretBytes::new(message))
}

fn cipher(shared: &SharedSecret, ephemeral: &SharedSecret) -> Aes256Gcm {
    let mut key = shared.raw().clone();
    key.expose_mut().iter_mut().zip(ephemeral.raw().expose()).for_each(|(key, other)| *key ^= other);
    Aes256Gcm::new(key.expose().into())
}
