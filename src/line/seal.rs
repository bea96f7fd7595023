//! One packet: AES-256-GCM-SIV (RFC 8452) under one direction's key (§6.3).

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use minicbor::Encoder;

use crate::error::{Rejected, SealError};
use crate::message::Content;
use crate::secret::Secret;
use crate::wire::{self, Bytes};

/// The largest message, in bytes: 64 KiB.
pub const MAX_MESSAGE: usize = 65_536;

/// The most associated data, in bytes.
pub const MAX_ASSOCIATED_DATA: usize = 256;

/// How much longer than its message a packet is, in bytes, at most.
pub const SEAL_OVERHEAD: usize = MAX_HEAD + TAG;

/// The only epoch of a single-use line (§6.2).
pub(super) const EPOCH: u32 = 0;

/// The longest packet without a text.
pub(super) const MAX_EMPTY: usize = 32;

/// [`Payload::Sealed`](crate::Payload::Sealed) on the wire.
const SEALED: u8 = 2;
const TAG: usize = 16;
const MAX_HEAD: usize = 20;

/// Opens `ciphertext` into `out` and returns the text. Everything that can be wrong with it is one error: there is no
/// oracle (§6.4).
pub(super) fn open<'b>(
    key: &Secret<32>,
    content: Content,
    counter: u64,
    ciphertext: &[u8],
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], Rejected> {
    let (text, tag) = ciphertext.split_last_chunk::<TAG>().ok_or(Rejected::Forged)?;
    if text.len() > MAX_MESSAGE {
        return Err(Rejected::Forged);
    }
    let out = out.get_mut(..text.len()).ok_or(Rejected::BufferTooSmall)?;
    let buffer = InOutBuf::new(text, out).map_err(|_| Rejected::BufferTooSmall)?;
    let head = head(content, counter, ciphertext.len());
    with_data(head.as_slice(), data, |data| {
        cipher(key).decrypt_inout_detached(&nonce(counter), data, buffer, tag.into())
    })
    .ok_or(Rejected::AssociatedDataTooLong)?
    .map_err(|_| Rejected::Forged)?;
    Ok(out)
}

/// Seals into `out` and returns the payload's bytes (§7.4).
pub(super) fn seal<'b>(
    key: &Secret<32>,
    content: Content,
    counter: u64,
    text: &[u8],
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], SealError> {
    if text.len() > MAX_MESSAGE {
        return Err(SealError::TooLong);
    }
    let ciphertext = text.len().saturating_add(TAG);
    let head = head(content, counter, ciphertext);
    let head = head.as_slice();

    let out = out.get_mut(..head.len().saturating_add(ciphertext)).ok_or(SealError::BufferTooSmall)?;
    let (packet, tag) = out.split_last_chunk_mut::<TAG>().ok_or(SealError::BufferTooSmall)?;
    let (start, body) = packet.split_at_mut_checked(head.len()).ok_or(SealError::BufferTooSmall)?;
    start.copy_from_slice(head);
    let buffer = InOutBuf::new(text, body).map_err(|_| SealError::BufferTooSmall)?;
    *tag = with_data(head, data, |data| cipher(key).encrypt_inout_detached(&nonce(counter), data, buffer))
        .ok_or(SealError::AssociatedDataTooLong)?
        .map_err(|_| SealError::TooLong)?
        .into();
    Ok(out)
}

/// A packet without a text: at most [`MAX_EMPTY`] bytes.
pub(super) fn seal_empty(key: &Secret<32>, content: Content, counter: u64) -> Bytes<MAX_EMPTY> {
    let mut packet = Bytes::EMPTY;
    packet.fill(|out| seal(key, content, counter, &[], &[], out).ok().map(<[u8]>::len));
    packet
}

fn cipher(key: &Secret<32>) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.expose().into())
}

/// `epoch ‖ counter`, big-endian. Never twice under one key; if a restored backup does repeat one, SIV gives away no
/// more than whether two messages were equal.
fn nonce(counter: u64) -> Nonce {
    let [a, b, c, d] = EPOCH.to_be_bytes();
    let [e, f, g, h, i, j, k, l] = counter.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l].into()
}

/// A payload's bytes up to its ciphertext. They say where they end.
fn head(content: Content, counter: u64, ciphertext: usize) -> Bytes<MAX_HEAD> {
    let mut e = Encoder::new(Bytes::EMPTY);
    // Bound: two arrays, version and variant, content, epoch, counter (9), length (5).
    let _ = e
        .array(2)
        .and_then(|e| e.u8(wire::VERSION)?.array(5)?.u8(SEALED)?.u8(content as u8)?.u32(EPOCH)?.u64(counter))
        .and_then(|e| e.bytes_len(ciphertext as u64));
    e.into_writer()
}

/// Runs the AEAD under its associated data: the head, then the caller's.
fn with_data<T>(head: &[u8], data: &[u8], aead: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if data.is_empty() {
        return Some(aead(head));
    }
    let mut both = Bytes::<{ MAX_HEAD + MAX_ASSOCIATED_DATA }>::EMPTY;
    both.append(head)?;
    both.append(data)?;
    (data.len() <= MAX_ASSOCIATED_DATA).then(|| aead(both.as_slice()))
}
