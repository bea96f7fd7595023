//! What goes over the wire (§7): [`Request`]s to the relay, [`Event`]s from it, [`Payload`]s along a line.

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::id::{LineId, LineLink, PeerMark, RecordKey, RequestId};
use crate::port::policy::Admission;
use crate::proof::Proof;

/// What a machine asks of the relay (§7.2).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Alice: make a line link and tie it to this user.
    #[n(16)]
    IssueLineLink {
        /// The answer echoes it.
        #[n(0)]
        request_id: RequestId,
    },
    /// Bob: form a line of this link. The same bytes again get the same answer.
    #[n(17)]
    Connect {
        /// The Port's link.
        #[n(0)]
        line_link: LineLink,
        /// The answer echoes it.
        #[n(1)]
        request_id: RequestId,
        /// The proof, if it goes inline. The relay passes it to Alice.
        #[n(2)]
        proof: Option<Proof>,
    },
    /// Bring this to the other end of the line.
    #[n(18)]
    Packet {
        /// The line.
        #[n(0)]
        line_id: LineId,
        /// A [`Payload`]'s bytes; opaque to the relay.
        #[cbor(n(1), with = "minicbor::bytes")]
        payload: &'a [u8],
    },
    /// End this line.
    #[n(19)]
    Disconnect {
        /// The line.
        #[n(0)]
        line_id: LineId,
    },
    /// Alice: form no more lines of this link.
    #[n(20)]
    CloseLineLink {
        /// The link.
        #[n(0)]
        line_link: LineLink,
    },
    /// Alice: admit users to this link as follows. The relay ignores a version that is lower than the one it has. The link's lifetime at
    /// the relay begins anew.
    #[n(21)]
    SetLineLink {
        /// The link.
        #[n(0)]
        line_link: LineLink,
        /// It rises with each change, from 0: the link is as it was issued.
        #[n(1)]
        version: u64,
        /// Whom the link admits from now on.
        #[n(2)]
        admits: Admission,
        /// Whether users of this link get the mark of Alice that users of its other recognisable links get.
        #[n(3)]
        recognisable: bool,
    },
}

/// What the relay tells a machine (§7.3). All of it is the relay's claim.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum Event<'a> {
    /// To Alice: the link that it requested.
    #[n(32)]
    LineLinkIssued {
        /// The request's id.
        #[n(0)]
        request_id: RequestId,
        /// The link.
        #[n(1)]
        line_link: LineLink,
    },
    /// To Alice: somebody used the link.
    #[n(33)]
    LineFormed {
        /// The link.
        #[n(0)]
        line_link: LineLink,
        /// The new line.
        #[n(1)]
        line_id: LineId,
        /// The user that came.
        #[n(2)]
        peer: PeerMark,
        /// The proof that was inline in the request.
        #[n(3)]
        proof: Option<Proof>,
    },
    /// To Bob: no line.
    #[n(34)]
    Refused {
        /// The link.
        #[n(0)]
        line_link: LineLink,
        /// The request's id.
        #[n(1)]
        request_id: RequestId,
        /// Why, by the relay's word.
        #[n(2)]
        reason: Reason,
    },
    /// From the other end of the line.
    #[n(35)]
    Packet {
        /// The line.
        #[n(0)]
        line_id: LineId,
        /// A [`Payload`]'s bytes.
        #[cbor(n(1), with = "minicbor::bytes")]
        payload: &'a [u8],
    },
    /// The line was ended.
    #[n(36)]
    Disconnected {
        /// The line.
        #[n(0)]
        line_id: LineId,
    },
    /// Packets of this end did not reach the other: too many waited there, and the oldest made room for newer ones.
    #[n(37)]
    Dropped {
        /// The line.
        #[n(0)]
        line_id: LineId,
    },
    /// To Bob: its request formed this line.
    #[n(38)]
    Connected {
        /// The link.
        #[n(0)]
        line_link: LineLink,
        /// The request's id.
        #[n(1)]
        request_id: RequestId,
        /// The new line.
        #[n(2)]
        line_id: LineId,
        /// The maker of the Port.
        #[n(3)]
        peer: PeerMark,
    },
    /// To Alice: the relay has no such link any more, or has closed it.
    #[n(39)]
    LineLinkLost {
        /// The link.
        #[n(0)]
        line_link: LineLink,
    },
}

/// Why the relay says that no line was formed (§7.3). It may lie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Reason {
    /// It knows no such link. The Port is damaged, or belongs to another relay.
    #[n(1)]
    Unknown,
    /// **A security event: somebody else used this Port first.** Tell the user, and let Alice know.
    #[n(2)]
    UsedByAnother,
    /// The Port is this user's own, or this user used it before, with another request. Most likely it was scanned twice. It is no alarm.
    #[n(3)]
    UsedByYou,
    /// Alice revoked it.
    #[n(4)]
    Closed,
    /// The link is too old to be used.
    #[n(5)]
    Expired,
    /// Alice admits nobody for now. The Port is not used up: Bob stays as it is, and may ask again.
    #[n(6)]
    Paused,
}

/// What travels along a line (§7.4).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Bob's proof, if it did not go inline.
    #[n(1)]
    Proof {
        /// The proof.
        #[n(0)]
        proof: Proof,
    },
    /// A packet sealed under the line's keys.
    #[n(2)]
    Sealed {
        /// What the packet is. The relay may see it, because the order of the packets tells the same.
        #[n(0)]
        kind: PacketKind,
        /// The place of the packet. No nonce is used twice under one key.
        #[n(1)]
        nonce: Nonce,
        /// AES-256-GCM-SIV (§6.3).
        #[cbor(n(2), with = "minicbor::bytes")]
        ciphertext: &'a [u8],
    },
}

/// A packet's place in its direction (§6.3). It is the AEAD's nonce, and always has 12 bytes, so a packet's length does not tell how many
/// went before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Nonce {
    /// Which of the line's keys: 0, and 1 on a line of a Port for many (§14.7).
    pub epoch: u32,
    /// How many packets this end sealed before in this epoch.
    pub counter: u64,
}

/// What a sealed packet is (§6.3). The AEAD authenticates it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PacketKind {
    /// Alice holds the secret. It is Alice's first packet. On a line of a Port for many it carries an ephemeral key.
    #[n(1)]
    Confirm = 1,
    /// Bob heard Alice. On a line of a Port for many it carries the number of early messages.
    #[n(2)]
    Answer = 2,
    /// A user's message, from an end that is not confirmed yet.
    #[n(3)]
    EarlyMessage = 3,
    /// A user's message.
    #[n(4)]
    Message = 4,
    /// The end of the line. It is empty.
    #[n(5)]
    Close = 5,
    /// [`EarlyMessage`](PacketKind::EarlyMessage), padded.
    #[n(6)]
    PaddedEarlyMessage = 6,
    /// [`Message`](PacketKind::Message), padded.
    #[n(7)]
    PaddedMessage = 7,
    /// What Alice and its introducer say to each other (§16.3). It is padded, and comes only from an end that is confirmed.
    #[n(8)]
    IntroducerMessage = 8,
}

impl Nonce {
    pub(crate) const LENGTH: usize = 12;

    /// Epoch, then counter, both big-endian.
    pub(crate) const fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [a, b, c, d] = self.epoch.to_be_bytes();
        let [e, f, g, h, i, j, k, l] = self.counter.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    pub(crate) const fn from_bytes([a, b, c, d, e, f, g, h, i, j, k, l]: [u8; Self::LENGTH]) -> Self {
        Self { epoch: u32::from_be_bytes([a, b, c, d]), counter: u64::from_be_bytes([e, f, g, h, i, j, k, l]) }
    }
}

impl<C> Encode<C> for Nonce {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Nonce {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.bytes()?.try_into().map(Self::from_bytes).map_err(|_| decode::Error::message("nonce of another length"))
    }
}

impl PacketKind {
    /// In the order of their numbers, which begin at 1.
    pub(crate) const ALL: [Self; 8] = [
        Self::Confirm,
        Self::Answer,
        Self::EarlyMessage,
        Self::Message,
        Self::Close,
        Self::PaddedEarlyMessage,
        Self::PaddedMessage,
        Self::IntroducerMessage,
    ];

    pub(crate) const fn is_padded(self) -> bool {
        matches!(self, Self::PaddedEarlyMessage | Self::PaddedMessage | Self::IntroducerMessage)
    }

    /// The kind without padding.
    pub(crate) const fn unpadded(self) -> Self {
        match self {
            Self::PaddedEarlyMessage => Self::EarlyMessage,
            Self::PaddedMessage => Self::Message,
            _ => self,
        }
    }
}

impl Event<'_> {
    /// The key of the machine that this event is for (§8.2). If there is no such machine, and the event is a `LineLinkIssued`, a
    /// [`Pool`](crate::Pool) may have requested the link: hand it to the pool of this relay.
    pub const fn key(&self) -> RecordKey {
        match self {
            Self::LineLinkIssued { request_id, .. } => RecordKey::Request(*request_id),
            Self::LineFormed { line_link, .. }
            | Self::Refused { line_link, .. }
            | Self::Connected { line_link, .. }
            | Self::LineLinkLost { line_link } => RecordKey::LineLink(*line_link),
            Self::Packet { line_id, .. } | Self::Disconnected { line_id } | Self::Dropped { line_id } => {
                RecordKey::Line(*line_id)
            }
        }
    }
}

macro_rules! canonical_form {
    ($name:ident) => {
        impl<'a> $name<'a> {
            /// Writes the canonical bytes (§7.1) into `out` and returns them.
            ///
            /// # Errors
            /// [`BufferTooSmall`](crate::BufferTooSmall): nothing else can go wrong.
            pub fn encode_into<'b>(&self, out: &'b mut [u8]) -> Result<&'b mut [u8], crate::BufferTooSmall> {
                crate::cbor::encode(&crate::cbor::Versioned(self), out)
            }

            /// The canonical bytes (§7.1).
            #[cfg(feature = "alloc")]
            pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
                crate::cbor::encode_to_vec(&crate::cbor::Versioned(self))
            }

            /// Reads canonical bytes; byte strings are borrowed from them.
            ///
            /// # Errors
            /// [`DecodeError`](crate::DecodeError): drop the bytes, or update.
            pub fn decode(bytes: &'a [u8]) -> Result<Self, crate::DecodeError> {
                crate::cbor::decode::<crate::cbor::Versioned<Self>>(bytes).map(|versioned| versioned.0)
            }
        }
    };
}

pub(crate) use canonical_form;

canonical_form!(Request);
canonical_form!(Event);
canonical_form!(Payload);
