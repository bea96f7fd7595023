//! Message: what goes between two Portals, one each way (§18.6).

use alloc::vec::Vec;
use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::error::Refusal;
use super::noise::MAX_NOISE;
use crate::cbor::{self, Versioned};
use crate::error::DecodeError;
use crate::port::PublicKey;

/// The longest message, in bytes. A longer one is refused unread: stop reading a body there.
pub const MAX_MESSAGE: usize = MAX_NOISE + 65;

/// The most bytes in front of a message's last field.
const MAX_HEAD: usize = MAX_MESSAGE - MAX_NOISE;

/// The name of a session: 16 random bytes of the callee (§18.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub(super) [u8; 16]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

impl<C> Encode<C> for SessionId {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SessionId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.bytes()?.try_into().map(Self).map_err(|_| decode::Error::message("not a session"))
    }
}

/// Names an Opening: the first 16 bytes of its ephemeral key (§18.8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct OpeningMark(#[cbor(n(0), with = "minicbor::bytes")] pub(super) [u8; 16]);

/// One message (§18.6).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Message<'b> {
    /// The caller asks for the callee's key.
    #[n(0)]
    WhoAreYou,
    #[n(1)]
    IAm(#[cbor(n(0), with = "key")] PublicKey),
    /// Noise message 1.
    #[n(2)]
    Opening(#[cbor(b(0), with = "minicbor::bytes")] &'b [u8]),
    /// Noise message 2.
    #[n(3)]
    Opened(#[cbor(b(0), with = "minicbor::bytes")] &'b [u8]),
    #[n(4)]
    Exchange(#[n(0)] SessionId, #[n(1)] u64, #[cbor(b(2), with = "minicbor::bytes")] &'b [u8]),
    #[n(5)]
    Reply(#[cbor(b(0), with = "minicbor::bytes")] &'b [u8]),
    #[n(6)]
    Refusal(#[n(0)] Refusal),
}

impl<'b> Message<'b> {
    pub(super) fn decode(bytes: &'b [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(DecodeError::Malformed);
        }
        cbor::decode::<Versioned<_>>(bytes).map(|Versioned(message)| message)
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        cbor::encode_to_vec(&Versioned(self))
    }

    /// The beginning of this message, whose last field is empty here: that field, of so many bytes, is to be written behind it. So it is encrypted
    /// where it stands.
    pub(super) fn head(&self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length.saturating_add(MAX_HEAD));
        cbor::append(&Versioned(self), &mut bytes);
        bytes.pop();
        // Encoding into a vector does not fail.
        let _ = Encoder::new(&mut bytes).bytes_len(length as u64);
        bytes
    }
}

impl Refusal {
    /// The message that tells the caller of it: the body of the HTTP answer.
    pub fn to_vec(&self) -> Vec<u8> {
        Message::Refusal(*self).to_vec()
    }
}

pub(super) mod key {
    use super::*;

    pub(in super::super) fn encode<C, W: Write>(
        key: &PublicKey,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.bytes(key.as_bytes())?.ok()
    }

    pub(in super::super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<PublicKey, decode::Error> {
        let bytes = d.bytes()?.try_into().map_err(|_| decode::Error::message("not a key"))?;
        PublicKey::from_bytes(bytes).map_err(|_| decode::Error::message("a weak key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_with_what_is_to_stand_behind_it_is_the_message() {
        for length in [0, 23, 24, 255, 256, MAX_NOISE] {
            let text = alloc::vec![7; length];
            let of = |text| {
                let exchange = Message::Exchange(SessionId([3; 16]), (1 << 20) - 1, text);
                [Message::Opening(text), Message::Opened(text), exchange, Message::Reply(text)]
            };
            for (empty, whole) in of(&[]).iter().zip(of(&text)) {
                let mut bytes = empty.head(length);
                let capacity = bytes.capacity();
                bytes.extend_from_slice(&text);
                assert_eq!((bytes.capacity(), bytes), (capacity, whole.to_vec()));
            }
        }
    }
}
