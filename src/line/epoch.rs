//! The two epochs of a line of a Port for many (§14.7). The Port's private key lives on, so the keys of a proof alone protect only the
//! first packets.

use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};

use super::seal::{self, Sealed};
use super::session::{Direction, Session};
use crate::cbor;
use crate::error::Rejected;
use crate::message::PacketKind;
use crate::port::PublicKey;
use crate::proof::{PrivateKey, SharedSecret};
use crate::secret::Secret;
use crate::time::{Span, UnixSeconds};

/// How many messages Bob may send before it has heard Alice.
pub(super) const MOST_EARLY: u64 = 64;

/// What Alice still opens of epoch 0.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Early {
    #[n(0)]
    key: Secret<32>,
    /// Bit `i` stands for counter `i`.
    #[n(1)]
    seen: u64,
    /// How many Bob sent, once Bob has said so.
    #[n(2)]
    sent: Option<u8>,
    /// How long Alice waits for the rest.
    #[n(3)]
    pub(super) wait: Span,
}

impl Early {
    /// By the key of epoch 0: nothing came yet.
    pub(super) fn new(key: &Secret<32>, now: UnixSeconds) -> Self {
        Self { key: key.clone(), seen: 0, sent: None, wait: Span::week(now) }
    }

    /// The seven days begin when Bob can be heard.
    pub(super) fn kept_from(self, now: UnixSeconds) -> Self {
        Self { wait: Span::week(now), ..self }
    }

    /// After a look at the clock. `None`: the rest did not come in time.
    pub(super) fn look(&self, now: UnixSeconds) -> Option<Self> {
        self.wait.look(now).map(|wait| Self { wait, ..self.clone() })
    }

    #[cfg(feature = "testkit")]
    pub(super) const fn key(&self) -> &Secret<32> {
        &self.key
    }

    #[cfg(feature = "testkit")]
    pub(super) const fn forget_taken(&mut self) {
        self.seen = 0;
    }

    /// Opens an early message of Bob's: its text, and what is still to be opened. `None`: that was the last.
    pub(super) fn open<'b>(
        &self,
        packet: &Sealed<'_>,
        own: usize,
        data: &[u8],
        out: &'b mut [u8],
    ) -> Result<(Option<Self>, &'b [u8]), Rejected> {
        let text = seal::open(&self.key, packet, own, data, out)?;
        let next = match packet.kind.unpadded() {
            PacketKind::EarlyMessage => {
                let bit = u32::try_from(packet.nonce.counter).ok().and_then(|counter| 1u64.checked_shl(counter));
                let bit = bit.filter(|bit| self.seen & bit == 0).ok_or(Rejected::Duplicate)?;
                Self { seen: self.seen | bit, ..self.clone() }.unless_all_came()
            }
            // It ends the line. Nothing is opened after it.
            PacketKind::Close => None,
            _ => return Err(Rejected::OutOfOrder),
        };
        Ok((next, text))
    }

    /// Bob has said how many it sent.
    pub(super) fn told(&self, sent: u8) -> Option<Self> {
        Self { sent: Some(sent), ..self.clone() }.unless_all_came()
    }

    fn unless_all_came(self) -> Option<Self> {
        let came = self.sent.is_some_and(|sent| self.seen.count_ones() >= u32::from(sent));
        (!came).then_some(self)
    }
}

/// What Bob keeps for epoch 1, until it opens `Confirm`.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Upgrade {
    #[n(0)]
    secret: SharedSecret,
    #[n(1)]
    private_key: PrivateKey,
    #[cbor(n(2), with = "minicbor::bytes")]
    transcript: [u8; 32],
}

impl Upgrade {
    pub(super) fn new(secret: &SharedSecret, private_key: &PrivateKey, transcript: [u8; 32]) -> Self {
        Self { secret: secret.clone(), private_key: private_key.clone(), transcript }
    }

    /// The session of epoch 1, by the text of Alice's Confirm.
    pub(super) fn session(&self, confirm: &[u8]) -> Result<Session, Rejected> {
        let public_key = confirm.try_into().ok().and_then(|bytes| PublicKey::from_bytes(bytes).ok());
        let public_key = public_key.ok_or(Rejected::Forged)?;
        let salt = salt(&self.transcript, &public_key);
        let mut session = Session::EMPTY;
        session.derive_second(Direction::FromBob, &self.secret, &self.private_key.agree(public_key), &salt);
        Ok(session)
    }
}

/// Of the keys of epoch 1.
pub(super) fn salt(transcript: &[u8; 32], ephemeral: &PublicKey) -> [u8; 32] {
    cbor::hash(&(<&ByteSlice>::from(&transcript[..]), <&ByteSlice>::from(&ephemeral.as_bytes()[..])))
}
