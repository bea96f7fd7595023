//! `IV ‖ AES-256-CBC(key, text)`, PKCS#7, under the raw secret (§17.4): nothing vouches for what comes out.

use alloc::vec::Vec;

use aes::Aes256;
use cbc::cipher::{Array, Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroize;

use super::text::SecretBytes;
use crate::secret::Secret;

const BLOCK: usize = 16;

/// As many bytes as `encrypt` makes of a text of this length.
pub(crate) const fn encrypted_len(length: usize) -> usize {
    length.saturating_sub(length % BLOCK).saturating_add(2 * BLOCK)
}

pub(crate) fn encrypt(key: &Secret<32>, iv: &[u8; BLOCK], text: &[u8]) -> Vec<u8> {
    let mut encryptor = cbc::Encryptor::<Aes256>::new(key.expose().into(), iv.into());
    let mut out = Vec::with_capacity(encrypted_len(text.len()));
    out.extend_from_slice(iv);
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // PKCS#7: as many bytes as are missing, each of that number; a whole block if none is.
    let mut last = [BLOCK.saturating_sub(rest.len()) as u8; BLOCK];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    for block in blocks.iter().chain([&last]) {
        let mut block = Block::<Aes256>::from(*block);
        encryptor.encrypt_block(&mut block);
        out.extend_from_slice(&block);
    }
    last.zeroize();
    out
}

/// `None` if it has no such form, or the padding is wrong.
pub(crate) fn decrypt(key: &Secret<32>, sealed: &[u8]) -> Option<SecretBytes> {
    let (iv, ciphertext) = sealed.split_first_chunk::<BLOCK>()?;
    let (_, []) = ciphertext.as_chunks::<BLOCK>() else { return None };
    let mut text = ciphertext.to_vec();
    let (blocks, _) = text.as_chunks_mut::<BLOCK>();
    cbc::Decryptor::<Aes256>::new(key.expose().into(), iv.into())
        .decrypt_blocks(Array::cast_slice_from_core_mut(blocks));
    let mut text = SecretBytes::new(text);

    let last = text.as_slice().last_chunk::<BLOCK>()?;
    let [.., padding] = last;
    let mut is_good = !padding.ct_eq(&0) & !padding.ct_gt(&(BLOCK as u8));
    for (at, byte) in (0_u8..).zip(last.iter().rev()) {
        let is_padding: Choice = padding.ct_gt(&at);
        is_good &= !is_padding | byte.ct_eq(padding);
    }
    let length = text.as_slice().len().checked_sub(usize::from(*padding))?;
    text.truncate(length);
    bool::from(is_good).then_some(text)
}
