//! `IV ‖ AES-256-CBC(key, text)` with PKCS#7 padding, under the raw secret (§17.4). It is not authenticated: the text that comes out proves
//! nothing (§17.9).

use alloc::vec::Vec;

use aes::Aes256;
use cbc::cipher::{Array, Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeGreater};
use zeroize::Zeroize;

use super::text::SecretBytes;
use crate::secret::Secret;

const BLOCK: usize = 16;

/// The number of bytes that `encrypt` makes of a text of this length, the IV included.
pub(crate) const fn encrypted_len(length: usize) -> usize {
    length.saturating_sub(length % BLOCK).saturating_add(2 * BLOCK)
}

/// Encrypts a text. Draw `iv` for it alone.
pub(crate) fn encrypt(key: &Secret<32>, iv: &[u8; BLOCK], text: &[u8]) -> Vec<u8> {
    let mut encryptor = cbc::Encryptor::<Aes256>::new(key.expose().into(), iv.into());
    let mut out = Vec::with_capacity(encrypted_len(text.len()));
    out.extend_from_slice(iv);
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // PKCS#7: each byte of the padding is the number of bytes that the last block lacks. A full last block gets a whole block of padding.
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

/// Decrypts a text. `None` if `sealed` is not an IV and whole blocks, or if any byte of the padding is wrong (§17.4).
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
