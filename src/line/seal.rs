//! One packet: AES-256-GCM-SIV (RFC 8452) under one direction's key (§6.3).

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use minicbor::Encoder;
use minicbor::encode::write::Cursor;

use crate::error::{Rejected, SealError};
use crate::message::Payload;
use crate::secret::Secret;
use crate::wire::{self, Bytes};

/// The largest message, in bytes: 64 KiB.
pub const MAX_MESSAGE: usize = 65_536;

/// The most associated data, in bytes.
pub const MAX_ASSOCIATED_DATA: usize = 256;

/// How much longer than its message a packet is, in bytes, at most.
pub const SEAL_OVERHEAD: usize = MAX_HEAD + 1 + TAG;

/// The only epoch of a single-use line (§6.2).
pub(super) const EPOCH: u32 = 0;

const TAG: usize = 16;
const MAX_HEAD: usize = 19;

/// What stands at the end of the plaintext (§6.3): the relay does not see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// A message from an end that has not opened anything yet.
    Early = 1,
    /// A message.
    Message = 2,
    /// Alice holds the secret. Always, and only, her counter 0.
    Confirm = 3,
    /// Bob heard her.
    Answer = 4,
    /// The end of the line.
    Close = 5,
}

impl Content {
    /// Apart on the outside as well: a machine's packets carry no associated data, a user's may.
    const fn tag(self) -> u8 {
        match self {
            Self::Early | Self::Message => 3,
            Self::Confirm | Self::Answer | Self::Close => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Early),
            2 => Some(Self::Message),
            3 => Some(Self::Confirm),
            4 => Some(Self::Answer),
            5 => Some(Self::Close),
            _ => None,
        }
    }
}

/// A sealed packet, still closed.
pub(super) struct Sealed<'a> {
    tag: u8,
    pub(super) counter: u64,
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// `None` for a proof, and for another epoch: there is no key for it.
    pub(super) const fn of(payload: &Payload<'a>) -> Option<Self> {
        match *payload {
            Payload::Control { epoch: EPOCH, counter, ciphertext } => Some(Self { tag: 2, counter, ciphertext }),
            Payload::Message { epoch: EPOCH, counter, ciphertext } => Some(Self { tag: 3, counter, ciphertext }),
            _ => None,
        }
    }

    pub(super) const fn is_control(&self) -> bool {
        self.tag == 2
    }

    /// Opens into `out`. Everything that can be wrong with the packet is one error: there is no oracle (§6.4).
    pub(super) fn open<'b>(
        &self,
        key: &Secret<32>,
        associated_data: &[u8],
        out: &'b mut [u8],
    ) -> Result<(Content, &'b [u8]), Rejected> {
        let associated_data = if self.is_control() { &[] } else { associated_data };
        let head = head(self.tag, self.counter, self.ciphertext.len());
        let data = authenticated(&head, associated_data).ok_or(Rejected::AssociatedDataTooLong)?;

        let (body, tag) = self.ciphertext.split_last_chunk::<TAG>().ok_or(Rejected::Forged)?;
        if body.len() > MAX_MESSAGE.saturating_add(1) {
            return Err(Rejected::Forged);
        }
        let out = out.get_mut(..body.len()).ok_or(Rejected::BufferTooSmall)?;
        let buffer = InOutBuf::new(body, out).map_err(|_| Rejected::BufferTooSmall)?;
        cipher(key)
            .decrypt_inout_detached(&nonce(self.counter), data.as_slice(), buffer, tag.into())
            .map_err(|_| Rejected::Forged)?;

        // `text ‖ content ‖ zeros`: what padding there is, is a matter of the sender's.
        let end = out.iter().rposition(|byte| *byte != 0).ok_or(Rejected::Forged)?;
        let (text, rest) = out.split_at_checked(end).ok_or(Rejected::Forged)?;
        let content = rest.first().copied().and_then(Content::from_byte).ok_or(Rejected::Forged)?;
        if content.tag() == self.tag { Ok((content, text)) } else { Err(Rejected::Forged) }
    }
}

/// Seals into `out` and returns the payload's bytes (§7.4).
pub(super) fn seal<'b>(
    key: &Secret<32>,
    counter: u64,
    content: Content,
    text: &[u8],
    associated_data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], SealError> {
    if text.len() > MAX_MESSAGE {
        return Err(SealError::TooLong);
    }
    let inner = text.len().saturating_add(1);
    let head = head(content.tag(), counter, inner.saturating_add(TAG));
    let data = authenticated(&head, associated_data).ok_or(SealError::AssociatedDataTooLong)?;

    let length = head.as_slice().len().saturating_add(inner).saturating_add(TAG);
    let out = out.get_mut(..length).ok_or(SealError::BufferTooSmall)?;
    let (packet, tag) = out.split_last_chunk_mut::<TAG>().ok_or(SealError::BufferTooSmall)?;
    let (start, body) = packet.split_at_mut_checked(head.as_slice().len()).ok_or(SealError::BufferTooSmall)?;
    start.copy_from_slice(head.as_slice());
    if let Some((last, rest)) = body.split_last_mut() {
        rest.copy_from_slice(text);
        *last = content as u8;
    }
    *tag = cipher(key)
        .encrypt_inout_detached(&nonce(counter), data.as_slice(), body.into())
        .map_err(|_| SealError::TooLong)?
        .into();
    Ok(out)
}

/// A packet without a text: at most 32 bytes.
pub(super) fn seal_control(key: &Secret<32>, counter: u64, content: Content) -> Bytes<32> {
    let mut packet = Bytes::EMPTY;
    packet.fill(|out| seal(key, counter, content, &[], &[], out).ok().map(<[u8]>::len));
    packet
}

fn cipher(key: &Secret<32>) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.expose().into())
}

/// `epoch ‖ counter`, big-endian. Never twice under one key; if a restored backup does repeat one, SIV gives away no
/// more than whether two messages were equal.
fn nonce(counter: u64) -> Nonce {
    let mut nonce = Nonce::default();
    let (epoch_out, counter_out) = nonce.split_at_mut(4);
    epoch_out.copy_from_slice(&EPOCH.to_be_bytes());
    counter_out.copy_from_slice(&counter.to_be_bytes());
    nonce
}

/// A payload's bytes up to its ciphertext.
fn head(tag: u8, counter: u64, ciphertext: usize) -> Bytes<MAX_HEAD> {
    let mut head = Bytes::EMPTY;
    head.fill(|out| {
        let mut e = Encoder::new(Cursor::new(out));
        let e_ok = e.array(2).ok()?.u8(wire::VERSION).ok()?.array(4).ok()?.u8(tag).ok()?;
        e_ok.u32(EPOCH).ok()?.u64(counter).ok()?.bytes_len(ciphertext as u64).ok()?;
        Some(e.writer().position())
    });
    head
}

/// The associated data of the AEAD: head, then the caller's. The head says where it ends.
fn authenticated(head: &Bytes<MAX_HEAD>, data: &[u8]) -> Option<Bytes<{ MAX_HEAD + MAX_ASSOCIATED_DATA }>> {
    let mut both = Bytes::EMPTY;
    both.append(head.as_slice())?;
    both.append(data)?;
    Some(both)
}
