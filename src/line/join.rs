//! Join: the keys that Alice's end of a line begins with, once a proof is good (§6.2, §14.7).

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::epoch::{Early, salt};
use super::origin::{Common, Guest};
use super::seal::MAX_OWN;
use super::session::{Direction, Session, transcript};
use crate::cbor::{self, Bytes};
use crate::message::PacketKind;
use crate::proof::{self, PrivateKey, Proof, SharedSecret};
use crate::secret::{Rad, Secret, derive};
use crate::time::UnixSeconds;

/// Alice's first packet, kept until Bob is known to have it (§6.5).
#[derive(Clone, Debug, Encode, Decode)]
pub struct Confirm {
    #[n(0)]
    pub(super) packet: Bytes<MAX_OWN>,
    /// SHA-256 of the proof that it answers. If the same proof comes again, Confirm is sent again.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) proof: [u8; 32],
}

/// What Alice's end begins with. It has no private key, so that only Bob's end can make the keys of epoch 1 again. It is filled where it
/// stands: each move of it would leave a copy on the stack.
pub(crate) struct AliceKeys {
    pub(super) session: Session,
    pub(super) confirm: Confirm,
}

impl AliceKeys {
    /// Before a proof came.
    pub(crate) const EMPTY: Self =
        Self { session: Session::EMPTY, confirm: Confirm { packet: Bytes::EMPTY, proof: [0; 32] } };

    /// Of a Port for one use. `None` if the proof is not good. Confirm has Alice's counter 0 (§6.5).
    #[inline(always)]
    pub(crate) fn join(
        &mut self,
        common: &Common,
        private_key: &PrivateKey,
        rad: &Rad,
        proof: &Proof,
    ) -> Option<&Self> {
        let Self { session, confirm } = self;
        let secret = &proof::check(private_key, rad, proof);
        session.derive(Direction::FromAlice, secret.as_ref()?, &transcript(common, proof, None));
        session.seal_own(&mut confirm.packet, PacketKind::Confirm, &[]);
        confirm.proof = cbor::hash(proof);
        Some(self)
    }

    /// Of a Port for many (§14.7), with what is to be opened of epoch 0. `None` if Bob's key is none that §2.3 accepts.
    #[inline(always)]
    pub(crate) fn join_guest<R: CryptoRng + ?Sized>(
        &mut self,
        early: &mut Option<Early>,
        common: &Common,
        guest: &Guest<'_>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Option<&Self> {
        let Guest { secret, proof, ticket } = *guest;
        let Self { session, confirm } = self;
        let transcript = transcript(common, proof, ticket);
        let ephemeral = ephemeral(secret, &transcript, rng);
        let public_key = ephemeral.public_key();
        let agreed = ephemeral.agree(proof.public_key()?);
        session.derive_second(Direction::FromAlice, secret, &agreed, &salt(&transcript, &public_key));
        let mut first = Session::EMPTY;
        first.derive(Direction::FromAlice, secret, &transcript);
        first.seal_own(&mut confirm.packet, PacketKind::Confirm, public_key.as_bytes());
        *early = Some(Early::new(first.receive(), now));
        confirm.proof = cbor::hash(proof);
        Some(self)
    }
}

/// Through the secret, so that a poor generator alone gives nothing away.
#[inline(never)]
fn ephemeral<R: CryptoRng + ?Sized>(secret: &SharedSecret, transcript: &[u8; 32], rng: &mut R) -> PrivateKey {
    let mut fresh = Secret::ZERO;
    rng.fill_bytes(fresh.expose_mut());
    PrivateKey::new(derive(&secret.extract_with(&fresh, transcript), "ephemeral"))
}
