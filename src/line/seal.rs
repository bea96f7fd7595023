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
    let data = Authenticated::new(content, counter, ciphertext.len(), data).ok_or(Rejected::AssociatedDataTooLong)?;
    let out = out.get_mut(..text.len()).ok_or(Rejected::BufferTooSmall)?;
    let buffer = InOutBuf::new(text, out).map_err(|_| Rejected::BufferTooSmall)?;
    cipher(key)
        .decrypt_inout_detached(&nonce(counter), data.as_slice(), buffer, tag.into())
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
    let data = Authenticated::new(content, counter, ciphertext, data).ok_or(SealError::AssociatedDataTooLong)?;

    let out = out.get_mut(..data.head().len().saturating_add(ciphertext)).ok_or(SealError::BufferTooSmall)?;
    let (packet, tag) = out.split_last_chunk_mut::<TAG>().ok_or(SealError::BufferTooSmall)?;
    let (head, body) = packet.split_at_mut_checked(data.head().len()).ok_or(SealError::BufferTooSmall)?;
    head.copy_from_slice(data.head());
    let buffer = InOutBuf::new(text, body).map_err(|_| SealError::BufferTooSmall)?;
    *tag = cipher(key)
        .encrypt_inout_detached(&nonce(counter), data.as_slice(), buffer)
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

/// The AEAD's associated data: the payload's bytes up to its ciphertext, which say where they end, then the caller's.
struct Authenticated {
    bytes: Bytes<{ MAX_HEAD + MAX_ASSOCIATED_DATA }>,
    head: usize,
}

impl Authenticated {
    fn new(content: Content, counter: u64, ciphertext: usize, data: &[u8]) -> Option<Self> {
        let mut e = Encoder::new(Bytes::EMPTY);
        e.array(2).ok()?.u8(wire::VERSION).ok()?;
        e.array(5).ok()?.u8(SEALED).ok()?.u8(content as u8).ok()?.u32(EPOCH).ok()?.u64(counter).ok()?;
        e.bytes_len(u64::try_from(ciphertext).ok()?).ok()?;
        let mut bytes = e.into_writer();
        let head = bytes.as_slice().len();
        bytes.append(data)?;
        Some(Self { bytes, head })
    }

    fn head(&self) -> &[u8] {
        self.as_slice().get(..self.head).unwrap_or_default()
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }
}
