//! One packet: AES-256-GCM-SIV (RFC 8452) under one direction's key (§6.3).

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use minicbor::{Decoder, Encoder, len};

use super::padding;
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

const TAG: usize = 16;
/// Content, epoch, counter (9) and length (5) come after the start.
const MAX_HEAD: usize = START.len() + 16;

/// How every sealed payload begins: version and body, the body's five elements, the variant (§7.4).
const START: [u8; 4] = [0x82, wire::VERSION, 0x85, 2];

/// A sealed payload that came.
pub(super) struct Sealed<'p> {
    /// Its bytes up to the ciphertext.
    head: &'p [u8],
    pub(super) content: Content,
    pub(super) epoch: u32,
    pub(super) counter: u64,
    ciphertext: &'p [u8],
}

impl<'p> Sealed<'p> {
    /// What [`Payload::decode`](crate::Payload::decode) would read, in a fraction of the time: messages are many. `None` for
    /// all that is not the one canonical encoding of a sealed payload (§1.2): nothing in it can be said in fewer bytes.
    #[inline]
    pub(super) fn decode(payload: &'p [u8]) -> Option<Self> {
        let mut d = Decoder::new(payload.strip_prefix(&START)?);
        let content = d.decode::<Content>().ok()?;
        let (epoch, counter, ciphertext) = (d.u32().ok()?, d.u64().ok()?, d.bytes().ok()?);
        let head = payload.get(..payload.len().checked_sub(ciphertext.len())?)?;
        let shortest = [START.len(), len(content as u8), len(epoch), len(counter), len(ciphertext.len())];
        (head.len() == shortest.iter().sum::<usize>()).then_some(Self { head, content, epoch, counter, ciphertext })
    }
}

/// Opens a packet into `out` and returns the text. Everything that can be wrong with it is one error: there is no
/// oracle (§6.4).
#[inline(always)]
pub(super) fn open<'b>(
    key: &Secret<32>,
    packet: &Sealed<'_>,
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], Rejected> {
    let (text, tag) = packet.ciphertext.split_last_chunk::<TAG>().ok_or(Rejected::Forged)?;
    if text.len() > MAX_MESSAGE {
        return Err(Rejected::Forged);
    }
    let out = out.get_mut(..text.len()).ok_or(Rejected::BufferTooSmall)?;
    let buffer = InOutBuf::new(text, out).map_err(|_| Rejected::BufferTooSmall)?;
    let both;
    let data = if data.is_empty() {
        packet.head
    } else {
        both = associated(packet.head, data).ok_or(Rejected::AssociatedDataTooLong)?;
        both.as_slice()
    };
    cipher(key)
        .decrypt_inout_detached(&nonce(packet.counter), data, buffer, tag.into())
        .map_err(|_| Rejected::Forged)?;
    match packet.content.is_padded() {
        true => padding::unpadded_len(out).and_then(|length| out.get(..length)).ok_or(Rejected::Forged),
        false => Ok(out),
    }
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
    let length = if content.is_padded() { padding::padded_len(text.len()) } else { text.len() };
    if length > MAX_MESSAGE {
        return Err(SealError::TooLong);
    }
    let ciphertext = length.saturating_add(TAG);
    let head = head(content, EPOCH, counter, ciphertext);
    let head = head.as_slice();

    let both;
    let data = if data.is_empty() {
        head
    } else {
        both = associated(head, data).ok_or(SealError::AssociatedDataTooLong)?;
        both.as_slice()
    };
    let out = out.get_mut(..head.len().saturating_add(ciphertext)).ok_or(SealError::BufferTooSmall)?;
    let (packet, tag) = out.split_last_chunk_mut::<TAG>().ok_or(SealError::BufferTooSmall)?;
    let (start, body) = packet.split_at_mut_checked(head.len()).ok_or(SealError::BufferTooSmall)?;
    start.copy_from_slice(head);
    let buffer = if content.is_padded() {
        padding::pad(text, body).ok_or(SealError::BufferTooSmall)?;
        body.into()
    } else {
        InOutBuf::new(text, body).map_err(|_| SealError::BufferTooSmall)?
    };
    *tag = cipher(key).encrypt_inout_detached(&nonce(counter), data, buffer).map_err(|_| SealError::TooLong)?.into();
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
#[inline]
fn head(content: Content, epoch: u32, counter: u64, ciphertext: usize) -> Bytes<MAX_HEAD> {
    let mut head = Bytes::EMPTY;
    head.append(&START);
    let mut e = Encoder::new(head);
    let _ = e.u8(content as u8).and_then(|e| e.u32(epoch)?.u64(counter)?.bytes_len(ciphertext as u64));
    e.into_writer()
}

/// What is authenticated beside the text: the head, then the caller's data.
fn associated(head: &[u8], data: &[u8]) -> Option<Bytes<{ MAX_HEAD + MAX_ASSOCIATED_DATA }>> {
    let mut both = Bytes::EMPTY;
    both.append(head)?;
    both.append(data)?;
    (data.len() <= MAX_ASSOCIATED_DATA).then_some(both)
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::Payload;
    use proptest::prelude::*;
    use std::vec;

    fn reads_alike(payload: &[u8]) -> Result<bool, TestCaseError> {
        let ours = Sealed::decode(payload).map(|Sealed { content, epoch, counter, ciphertext, .. }| Payload::Sealed {
            content,
            epoch,
            counter,
            ciphertext,
        });
        let read = ours.is_some();
        prop_assert_eq!(
            ours,
            Payload::decode(payload).ok().filter(|payload| matches!(payload, Payload::Sealed { .. }))
        );
        Ok(read)
    }

    proptest! {
        /// R1.2: the short way to read a sealed payload accepts what the long one does.
        #[test]
        fn sealed_is_read_as_a_payload_is(
            content in prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 7, 8]),
            epoch in prop::sample::select(vec![0, 23, 24, 255, 256, 65_536, u32::MAX]),
            counter in prop::sample::select(vec![0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX]),
            length in prop::sample::select(vec![0usize, 16, 23, 24, 255, 256, 300]),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
            tail in prop::collection::vec(any::<u8>(), 0..2),
            cut in 0usize..3,
        ) {
            let mut e = Encoder::new(std::vec::Vec::new());
            e.array(2).unwrap().u8(1).unwrap().array(5).unwrap().u8(2).unwrap().u8(content).unwrap();
            e.u32(epoch).unwrap().u64(counter).unwrap().bytes(&vec![7; length]).unwrap();
            let mut payload = e.into_writer();
            let whole = payload.clone();
            prop_assert_eq!(reads_alike(&whole)?, content <= 7);
            damage.iter().for_each(|(at, byte)| { let at = at.index(payload.len().min(24)); payload[at] = *byte; });
            payload.extend(tail);
            payload.truncate(payload.len() - cut);
            reads_alike(&payload)?;
        }
    }

    /// R1.2: an integer in more bytes than it needs.
    #[test]
    fn a_longer_head_is_not_read() {
        for overlong in [
            &[0x82, 1, 0x85, 2, 0x18, 4, 0, 5, 0x41, 9][..],
            &[0x82, 1, 0x85, 2, 4, 0x18, 0, 5, 0x41, 9],
            &[0x82, 1, 0x85, 2, 4, 0, 0x18, 5, 0x41, 9],
            &[0x82, 1, 0x85, 2, 4, 0, 5, 0x58, 1, 9],
            &[0x82, 1, 0x85, 2, 4, 0, 5, 0x5f, 0x41, 9, 0xff],
        ] {
            assert!(Sealed::decode(overlong).is_none() && Payload::decode(overlong).is_err());
        }
        assert!(Sealed::decode(&[0x82, 1, 0x85, 2, 4, 0, 5, 0x41, 9]).is_some());
    }
}
