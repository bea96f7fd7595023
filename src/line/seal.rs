//! One packet: AES-256-GCM-SIV (RFC 8452) under one direction's key (§6.3).

use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use minicbor::{Decoder, Encoder, len};

use super::padding;
use crate::cbor::{self, Bytes};
use crate::error::{Rejected, SealError};
use crate::message::{Nonce, PacketKind};
use crate::secret::Secret;

/// The largest message, in bytes: 64 KiB.
pub const MAX_MESSAGE: usize = 65_536;

/// The most associated data, in bytes.
pub const MAX_ASSOCIATED_DATA: usize = 256;

/// How many bytes longer than its message a packet is, at most.
pub const SEAL_OVERHEAD: usize = MAX_HEAD + TAG;

/// The longest packet of the machine's own: a Confirm with an ephemeral key (§14.7).
pub(super) const MAX_OWN: usize = 68;

const TAG: usize = 16;
const KIND: usize = START.len() + 1;
/// Start, kind, nonce, and a length of four bytes.
const MAX_HEAD: usize = KIND + 1 + Nonce::LENGTH + 5;

/// How every sealed payload begins: version and body, the body's four elements, the variant (§7.4).
const START: [u8; 4] = [0x82, cbor::VERSION, 0x84, 2];
/// A byte string of 12.
const NONCE: u8 = 0x4c;

/// A sealed payload that was received.
pub(super) struct Sealed<'p> {
    pub(super) kind: PacketKind,
    pub(super) nonce: Nonce,
    ciphertext: &'p [u8],
}

impl<'p> Sealed<'p> {
    /// Reads what [`Payload::decode`](crate::Payload::decode) would read, in a fraction of the time, because messages are many. `None`: the
    /// bytes are not the canonical encoding of a sealed payload (§1.2).
    #[inline]
    pub(super) fn decode(payload: &'p [u8]) -> Option<Self> {
        let [kind, NONCE, rest @ ..] = payload.strip_prefix(&START)? else { return None };
        let kind = *PacketKind::ALL.get(usize::from(kind.checked_sub(1)?))?;
        let (nonce, rest) = rest.split_first_chunk()?;
        Some(Self { kind, nonce: Nonce::from_bytes(*nonce), ciphertext: whole(rest)? })
    }
}

/// The byte string that these bytes encode canonically. `None`: its length has more bytes than it needs, or something stands behind it.
#[inline]
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        // Most messages: 256 bytes to 64 KiB.
        [0x59, high, low, string @ ..]
            if string.len() > 0xff && string.len() == usize::from(u16::from_be_bytes([*high, *low])) =>
        {
            Some(string)
        }
        _ => {
            let string = Decoder::new(bytes).bytes().ok()?;
            (bytes.len() == string.len().checked_add(len(string.len()))?).then_some(string)
        }
    }
}

/// Opens a packet into `out` and returns the text. The text of a packet of the machine's own must have `own` bytes. Every failure is the
/// same error, so there is no oracle (§6.4).
#[inline(always)]
pub(super) fn open<'b>(
    key: &Secret<32>,
    packet: &Sealed<'_>,
    own: usize,
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], Rejected> {
    let (text, tag) = packet.ciphertext.split_last_chunk::<TAG>().ok_or(Rejected::Forged)?;
    if text.len() > MAX_MESSAGE {
        return Err(Rejected::Forged);
    }
    let out = out.get_mut(..text.len()).ok_or(Rejected::BufferTooSmall)?;
    let buffer = InOutBuf::new(text, out).map_err(|_| Rejected::BufferTooSmall)?;
    let data = Associated::new(packet.kind, data).ok_or(Rejected::AssociatedDataTooLong)?;
    cipher(key)
        .decrypt_inout_detached(&packet.nonce.to_bytes().into(), data.as_slice(), buffer, tag.into())
        .map_err(|_| Rejected::Forged)?;
    match packet.kind {
        PacketKind::EarlyMessage | PacketKind::Message => Ok(out),
        PacketKind::PaddedEarlyMessage | PacketKind::PaddedMessage | PacketKind::IntroducerMessage => {
            padding::unpadded_len(out).and_then(|length| out.get(..length)).ok_or(Rejected::Forged)
        }
        PacketKind::Confirm | PacketKind::Answer | PacketKind::Close if out.len() == own => Ok(out),
        _ => Err(Rejected::Forged),
    }
}

/// Seals into `out` and returns the payload's bytes (§7.4).
pub(super) fn seal<'b>(
    key: &Secret<32>,
    kind: PacketKind,
    nonce: Nonce,
    text: &[u8],
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], SealError> {
    if sealed_len(kind, text) > MAX_MESSAGE {
        return Err(SealError::TooLong);
    }
    let data = Associated::new(kind, data).ok_or(SealError::AssociatedDataTooLong)?;
    write(key, kind, nonce, text, data.as_slice(), out)
}

/// A packet of the machine's own: it has no data of a caller.
#[inline]
pub(super) fn seal_own(packet: &mut Bytes<MAX_OWN>, key: &Secret<32>, kind: PacketKind, nonce: Nonce, text: &[u8]) {
    packet.fill(|out| write(key, kind, nonce, text, &start(kind), out).ok().map(<[u8]>::len));
}

fn sealed_len(kind: PacketKind, text: &[u8]) -> usize {
    if kind.is_padded() { padding::padded_len(text.len()) } else { text.len() }
}

/// Writes the payload. `data` is all that is authenticated beside the text.
fn write<'b>(
    key: &Secret<32>,
    kind: PacketKind,
    nonce: Nonce,
    text: &[u8],
    data: &[u8],
    out: &'b mut [u8],
) -> Result<&'b [u8], SealError> {
    let ciphertext = sealed_len(kind, text).saturating_add(TAG);
    let nonce = nonce.to_bytes();
    let head = head(kind, &nonce, ciphertext);
    let head = head.as_slice();
    let out = out.get_mut(..head.len().saturating_add(ciphertext)).ok_or(SealError::BufferTooSmall)?;
    let (packet, tag) = out.split_last_chunk_mut::<TAG>().ok_or(SealError::BufferTooSmall)?;
    let (start, body) = packet.split_at_mut_checked(head.len()).ok_or(SealError::BufferTooSmall)?;
    start.copy_from_slice(head);
    let buffer = if kind.is_padded() {
        padding::pad(text, body).ok_or(SealError::BufferTooSmall)?;
        body.into()
    } else {
        InOutBuf::new(text, body).map_err(|_| SealError::BufferTooSmall)?
    };
    *tag = cipher(key).encrypt_inout_detached(&nonce.into(), data, buffer).map_err(|_| SealError::TooLong)?.into();
    Ok(out)
}

fn cipher(key: &Secret<32>) -> Aes256GcmSiv {
    Aes256GcmSiv::new(key.expose().into())
}

/// A payload's first bytes, up to its nonce.
const fn start(kind: PacketKind) -> [u8; KIND] {
    let [a, b, c, d] = START;
    [a, b, c, d, kind as u8]
}

/// A payload's bytes up to its ciphertext.
#[inline]
fn head(kind: PacketKind, nonce: &[u8], ciphertext: usize) -> Bytes<MAX_HEAD> {
    let mut head = Bytes::EMPTY;
    head.append(&start(kind));
    head.append(&[NONCE]);
    head.append(nonce);
    let mut e = Encoder::new(head);
    let _ = e.bytes_len(ciphertext as u64);
    e.into_writer()
}

/// What is authenticated beside the text: the kind of the packet, then the caller's data. The AEAD itself authenticates nonce and length.
enum Associated {
    Start([u8; KIND]),
    WithData(Bytes<{ KIND + MAX_ASSOCIATED_DATA }>),
}

impl Associated {
    /// `None`: there is too much data.
    #[inline]
    fn new(kind: PacketKind, data: &[u8]) -> Option<Self> {
        let start = start(kind);
        if data.is_empty() {
            return Some(Self::Start(start));
        }
        let mut both = Bytes::new(&start)?;
        both.append(data)?;
        Some(Self::WithData(both))
    }

    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Start(start) => start,
            Self::WithData(both) => both.as_slice(),
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::Payload;
    use proptest::prelude::*;
    use std::vec;

    fn reads_alike(payload: &[u8]) -> Result<bool, TestCaseError> {
        let ours = Sealed::decode(payload).map(|Sealed { kind, nonce, ciphertext }| Payload::Sealed {
            kind,
            nonce,
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
            kind in prop::sample::select(vec![0u8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 23, 24]),
            nonce in prop::sample::select(vec![0usize, 11, 12, 12, 12, 13, 24]),
            length in prop::sample::select(vec![0usize, 16, 23, 24, 255, 256, 300, 65_535, 65_536]),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
            tail in prop::collection::vec(any::<u8>(), 0..2),
            cut in 0usize..3,
        ) {
            let mut e = Encoder::new(std::vec::Vec::new());
            e.array(2).unwrap().u8(1).unwrap().array(4).unwrap().u8(2).unwrap().u8(kind).unwrap();
            e.bytes(&vec![3; nonce]).unwrap().bytes(&vec![7; length]).unwrap();
            let mut payload = e.into_writer();
            let whole = payload.clone();
            prop_assert_eq!(reads_alike(&whole)?, (1..=8).contains(&kind) && nonce == 12);
            damage.iter().for_each(|(at, byte)| { let at = at.index(payload.len().min(24)); payload[at] = *byte; });
            payload.extend(tail);
            payload.truncate(payload.len() - cut);
            reads_alike(&payload)?;
        }
    }

    /// R1.2: a number in more bytes than it needs.
    #[test]
    fn a_longer_head_is_not_read() {
        let with = |kind: &[u8], nonce: &[u8], ciphertext: &[u8]| [&START, kind, nonce, &[5; 12], ciphertext].concat();
        let overlong = [
            with(&[0x18, 4], &[0x4c], &[0x41, 9]),
            with(&[4], &[0x58, 12], &[0x41, 9]),
            with(&[4], &[0x4c], &[0x58, 1, 9]),
            with(&[4], &[0x4c], &[0x5f, 0x41, 9, 0xff]),
            with(&[4], &[0x4c], &[&[0x59, 0, 0xff][..], &[9; 0xff]].concat()),
        ];
        for overlong in overlong {
            assert!(Sealed::decode(&overlong).is_none() && Payload::decode(&overlong).is_err());
        }
        assert!(Sealed::decode(&with(&[4], &[0x4c], &[0x41, 9])).is_some());
    }

    /// §7.4: the numbers by which a kind is found here are those that it is encoded by.
    #[test]
    fn kinds_are_found_by_their_numbers() {
        for (number, kind) in (1..).zip(PacketKind::ALL) {
            assert_eq!((kind as u8, minicbor::decode(&[number]).ok()), (number, Some(kind)));
        }
    }
}
