//! The phases of a line's two ends (§6.4–§6.6).

use minicbor::encode::Write;
use minicbor::{Decode, Encode, Encoder, encode};

use super::epoch::{Early, Upgrade};
use super::join::{AliceKeys, Confirm};
use super::origin::{BobSecrets, Common, Origin};
use super::seal::MAX_OWN;
use super::session::{Counters, Direction, Session, transcript};
use crate::cbor::{Bytes, Versioned};
use crate::message::Payload;
use crate::outcome::CloseReason;
use crate::proof::{PrivateKey, SendProof};
use crate::secret::Rad;
use crate::time::{Span, UnixSeconds};

#[derive(Clone, Debug, Encode, Decode)]
pub struct State {
    #[n(0)]
    pub(super) origin: Origin,
    #[n(1)]
    pub(super) phase: Phase,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Phase {
    /// Alice's end: the link was used, and no proof came yet.
    #[n(1)]
    AwaitingProof {
        #[n(0)]
        private_key: PrivateKey,
        #[n(1)]
        rad: Rad,
        #[n(2)]
        wait: Span,
        /// Whether Alice's user wants to be asked.
        #[n(3)]
        asks: bool,
    },
    /// There are keys.
    #[n(2)]
    Open {
        #[n(0)]
        session: Session,
        #[n(1)]
        end: End,
    },
    #[n(3)]
    Closed {
        #[n(0)]
        reason: CloseReason,
        /// The last packet to the other end.
        #[n(1)]
        close: Option<Bytes<MAX_OWN>>,
        /// Whether the outbox is still to be done.
        #[n(2)]
        due: bool,
    },
}

/// Which end this is, and what it has heard.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum End {
    #[n(1)]
    Alice {
        #[n(0)]
        stage: AliceStage,
        /// What is still to be opened of epoch 0.
        #[n(1)]
        early: Option<Early>,
    },
    #[n(2)]
    Bob(#[n(0)] BobStage),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum AliceStage {
    /// The proof is good, and the user is asked (§14.5).
    #[n(1)]
    AwaitingApproval(#[n(0)] Confirm),
    /// Bob was not heard yet.
    #[n(2)]
    Joined(#[n(0)] Confirm),
    /// Bob was heard. Alice keeps Confirm until Bob is known to have it.
    #[n(3)]
    Confirmed(#[n(0)] Option<Confirm>),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum BobStage {
    /// Alice was not heard yet.
    #[n(1)]
    Joined {
        /// The payload, unless the proof went inline.
        #[n(0)]
        proof: Option<Bytes<105>>,
        /// On a line of a Port for many.
        #[n(1)]
        upgrade: Option<Upgrade>,
    },
    /// Alice was heard.
    #[n(2)]
    Confirmed {
        #[n(0)]
        answer: Bytes<MAX_OWN>,
        /// Whether the Answer is still to be sent, or was asked for again.
        #[n(1)]
        due: bool,
        /// SHA-256 of Alice's Confirm, on a line of a Port for many. Its key is gone, but the packet may come again.
        #[n(2)]
        #[cbor(with = "minicbor::bytes")]
        confirm: Option<[u8; 32]>,
    },
}

/// The difference a step makes. Where a line comes from never changes.
#[derive(Debug)]
pub enum Change {
    Phase(Phase),
    Counters(Counters),
}

/// A phase with other counters. It encodes as `Phase` does, without a copy of the phase, because messages are many. After each commit the
/// tests compare the record that it wrote with the record of the machine.
pub(super) struct Counted<'p>(pub(super) &'p Phase, pub(super) Counters);

impl<C> Encode<C> for Counted<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self.0 {
            Phase::Open { session, end } => {
                e.array(3)?.u8(2)?.encode_with(session.with(self.1), ctx)?.encode_with(end, ctx)?.ok()
            }
            phase => phase.encode(e, ctx),
        }
    }
}

impl Phase {
    /// Alice's end of a line that was formed without a proof inline.
    pub(crate) fn awaiting_proof(private_key: &PrivateKey, rad: &Rad, asks: bool, now: UnixSeconds) -> Self {
        Self::AwaitingProof { private_key: private_key.clone(), rad: rad.clone(), wait: Span::week(now), asks }
    }

    /// Alice's end, by a good proof.
    pub(crate) fn of_alice(keys: &AliceKeys, early: Option<&Early>, asks: bool) -> Self {
        let AliceKeys { session, confirm } = keys;
        let (session, confirm, early) = (session.clone(), confirm.clone(), early.cloned());
        let stage = if asks { AliceStage::AwaitingApproval(confirm) } else { AliceStage::Joined(confirm) };
        Self::Open { session, end: End::Alice { stage, early } }
    }

    /// Bob's end.
    pub(super) fn of_bob(common: &Common, bob: &BobSecrets<'_>) -> Self {
        let BobSecrets { secret, proof, send_proof, private_key, ticket } = *bob;
        let transcript = transcript(common, proof, ticket);
        let mut session = Session::EMPTY;
        session.derive(Direction::FromBob, secret, &transcript);
        let upgrade = private_key.map(|private_key| Upgrade::new(secret, private_key, transcript));
        let proof = match send_proof {
            SendProof::Inline => None,
            SendProof::AlongTheLine => Some(Bytes::of(&Versioned(Payload::Proof { proof: proof.clone() }))),
        };
        Self::Open { session, end: End::Bob(BobStage::Joined { proof, upgrade }) }
    }

    /// What packets are sealed and opened with: none before the user has approved.
    pub(super) const fn session(&self) -> Option<&Session> {
        match self {
            Self::Open { end: End::Alice { stage: AliceStage::AwaitingApproval(_), .. }, .. } => None,
            Self::Open { session, .. } => Some(session),
            Self::AwaitingProof { .. } | Self::Closed { .. } => None,
        }
    }

    pub(super) const fn confirmed(&self) -> Option<&Session> {
        match self {
            Self::Open {
                session,
                end: End::Alice { stage: AliceStage::Confirmed(_), .. } | End::Bob(BobStage::Confirmed { .. }),
            } => Some(session),
            _ => None,
        }
    }

    /// What is still to be opened of epoch 0.
    pub(super) const fn early(&self) -> Option<&Early> {
        match self {
            Self::Open { end: End::Alice { early, .. }, .. } => early.as_ref(),
            _ => None,
        }
    }

    pub(super) const fn count(&mut self, counters: Counters) {
        if let Self::Open { session, .. } = self {
            session.count(counters);
        }
    }

    /// For the kit, which opens packets again.
    #[cfg(feature = "testkit")]
    pub(super) fn forget_taken(&mut self) {
        let Self::Open { session, end } = self else { return };
        session.forget_taken();
        if let End::Alice { early: Some(early), .. } = end {
            early.forget_taken();
        }
    }
}

impl Change {
    pub(super) const fn closed(reason: CloseReason, close: Option<Bytes<MAX_OWN>>) -> Self {
        Self::Phase(Phase::Closed { reason, close, due: true })
    }

    pub(super) const fn alice(session: Session, stage: AliceStage, early: Option<Early>) -> Self {
        Self::Phase(Phase::Open { session, end: End::Alice { stage, early } })
    }

    pub(super) const fn bob(session: Session, stage: BobStage) -> Self {
        Self::Phase(Phase::Open { session, end: End::Bob(stage) })
    }
}
