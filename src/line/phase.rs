//! The phases of a Line and what moves it from one to the next (§6.4–§6.6).

use minicbor::{Decode, Encode};

use super::LineEnd;
use super::seal::{EPOCH, MAX_EMPTY};
use super::session::{End, Session};
use crate::bob::SendProof;
use crate::error::Rejected;
use crate::id::{LineId, PairHash, PortHash};
use crate::machine::Emit;
use crate::message::{Content, Payload};
use crate::port::{Kind, Port, Relay, UnixSeconds};
use crate::proof::{self, PrivateKey, Proof, SharedSecret};
use crate::secret::Rad;
use crate::wire::{self, Bytes, Versioned};

/// How long an Alice's line waits for the proof: seven days (§6.6).
const AWAIT_PROOF: u64 = 7 * 24 * 60 * 60;

/// Where a line comes from. No two lines of one user have the same.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Origin {
    #[n(0)]
    pub(crate) kind: Kind,
    #[n(1)]
    pub(crate) port: PortHash,
    #[n(2)]
    pub(crate) line_id: LineId,
    #[n(3)]
    pub(crate) pair_hash: PairHash,
    #[n(4)]
    pub(crate) relay: Option<Relay>,
}

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
    #[n(1)]
    AwaitingProof {
        #[n(0)]
        private_key: PrivateKey,
        #[n(1)]
        rad: Rad,
        #[n(2)]
        until: UnixSeconds,
    },
    #[n(2)]
    AliceJoined {
        #[n(0)]
        session: Session,
        #[n(1)]
        confirm: Confirm,
    },
    #[n(3)]
    AliceConfirmed {
        #[n(0)]
        session: Session,
        /// Until Bob is known to have it.
        #[n(1)]
        confirm: Option<Confirm>,
    },
    #[n(4)]
    BobJoined {
        #[n(0)]
        session: Session,
        /// The payload, unless it was on board.
        #[n(1)]
        proof: Option<Bytes<89>>,
    },
    #[n(5)]
    BobConfirmed {
        #[n(0)]
        session: Session,
        #[n(1)]
        answer: Bytes<MAX_EMPTY>,
        /// Whether it is still to be sent, or was asked for again.
        #[n(2)]
        due: bool,
    },
    #[n(6)]
    Closed {
        #[n(0)]
        end: LineEnd,
        /// The last packet to the other end.
        #[n(1)]
        close: Option<Bytes<MAX_EMPTY>>,
        /// Whether all this is still to be said.
        #[n(2)]
        due: bool,
    },
}

/// Alice's first packet, kept until Bob is known to have it (§6.5).
#[derive(Clone, Debug, Encode, Decode)]
pub struct Confirm {
    #[n(0)]
    packet: Bytes<MAX_EMPTY>,
    /// SHA-256 of the proof it replies to: the same again, and it is sent again.
    #[cbor(n(1), with = "minicbor::bytes")]
    proof: [u8; 32],
}

impl Origin {
    pub(crate) fn new(port: &Port, line_id: LineId, pair_hash: PairHash) -> Self {
        Self { kind: port.kind, port: port.hash(), line_id, pair_hash, relay: port.relay().cloned() }
    }
}

impl State {
    /// Alice's end, of a line that was formed without a proof on board.
    pub(crate) fn awaiting_proof(origin: Origin, private_key: &PrivateKey, port: &Port, now: UnixSeconds) -> Self {
        let week = UnixSeconds(now.0.saturating_add(AWAIT_PROOF));
        let until = port.expires().map_or(week, |expires| expires.min(week));
        Self {
            origin,
            phase: Phase::AwaitingProof { private_key: private_key.clone(), rad: port.rad().clone(), until },
        }
    }

    /// Alice's end, once the proof is good; `None` if it is not. `Confirm` is her counter 0 (§6.5).
    pub(crate) fn of_alice(origin: Origin, private_key: &PrivateKey, rad: &Rad, proof: &Proof) -> Option<Self> {
        let secret = proof::check(private_key, rad, proof)?;
        let (session, packet) = Session::new(End::Alice, &origin, &secret, proof).seal_empty(Content::Confirm);
        let confirm = Confirm { packet, proof: wire::hash(proof) };
        Some(Self { origin, phase: Phase::AliceJoined { session, confirm } })
    }

    /// Bob's end.
    pub(crate) fn of_bob(origin: Origin, secret: &SharedSecret, proof: &Proof, send_proof: SendProof) -> Self {
        let session = Session::new(End::Bob, &origin, secret, proof);
        let proof = match send_proof {
            SendProof::OnBoard => None,
            SendProof::AlongTheLine => Some(Bytes::of(&Versioned(Payload::Proof { proof: proof.clone() }))),
        };
        Self { origin, phase: Phase::BobJoined { session, proof } }
    }

    pub(super) fn close(&mut self, end: LineEnd, close: Option<Bytes<MAX_EMPTY>>) {
        self.phase = Phase::Closed { end, close, due: true };
    }
}

/// §6.4–§6.7: the whole of a Line but for its user's own words, `seal` and `close`. It works on a step's own copy, in
/// place: messages are many.
pub(super) fn transition<'m>(
    next: &mut State,
    payload: &Payload<'_>,
    associated_data: &[u8],
    buffer: &'m mut [u8],
    now: UnixSeconds,
) -> Result<Emit<'m>, Rejected> {
    let (content, session) = match (&next.phase, payload) {
        (Phase::Closed { .. }, _) => return Err(Rejected::Closed),
        (Phase::AwaitingProof { until, .. }, _) if now >= *until => {
            next.close(LineEnd::Expired, None);
            return Ok(Emit::Outbox);
        }
        (Phase::AwaitingProof { private_key, rad, .. }, Payload::Proof { proof }) => {
            match State::of_alice(next.origin.clone(), private_key, rad, proof) {
                Some(joined) => *next = joined,
                None => next.close(LineEnd::ProofRefused, None),
            }
            return Ok(Emit::Outbox);
        }
        (Phase::AwaitingProof { .. }, _) => return Err(Rejected::TooEarly),
        // The same proof again: Confirm was lost, or is slow.
        (
            Phase::AliceJoined { confirm, .. } | Phase::AliceConfirmed { confirm: Some(confirm), .. },
            Payload::Proof { proof },
        ) if confirm.proof == wire::hash(proof) => return Ok(Emit::Outbox),
        (phase, Payload::Sealed { content, .. }) => (*content, phase.session().ok_or(Rejected::OutOfOrder)?),
        (_, Payload::Proof { .. }) => return Err(Rejected::OutOfOrder),
    };
    let Payload::Sealed { epoch: EPOCH, counter, ciphertext, .. } = *payload else {
        return Err(Rejected::Forged);
    };
    // Only a user's words carry a user's data.
    let (is_message, data) = match content {
        Content::Opening | Content::Message => (true, associated_data),
        Content::Confirm | Content::Answer | Content::Close => (false, &[][..]),
    };
    let (window, text) = session.open(content, counter, ciphertext, data, buffer)?;
    if !is_message && !text.is_empty() {
        return Err(Rejected::Forged);
    }

    let session = || session.with_window(window);
    let (phase, outbox) = match (&next.phase, content) {
        (_, Content::Close) => {
            next.close(LineEnd::ByPeer, None);
            return Ok(Emit::Outbox);
        }
        // Bob speaks, but has not heard Alice: she says Confirm again.
        (Phase::AliceJoined { confirm, .. }, Content::Opening) => {
            (Some(Phase::AliceConfirmed { session: session(), confirm: Some(confirm.clone()) }), true)
        }
        (Phase::AliceConfirmed { confirm: Some(_), .. }, Content::Opening) => (None, true),
        (
            Phase::AliceJoined { .. } | Phase::AliceConfirmed { confirm: Some(_), .. },
            Content::Message | Content::Answer,
        ) => (Some(Phase::AliceConfirmed { session: session(), confirm: None }), false),
        // Any packet of Alice's shows that she holds the keys. She hears so at once.
        (Phase::BobJoined { .. }, Content::Confirm | Content::Opening | Content::Message) => {
            let (session, answer) = session().seal_empty(Content::Answer);
            (Some(Phase::BobConfirmed { session, answer, due: true }), true)
        }
        (Phase::BobConfirmed { answer, .. }, Content::Confirm) => {
            (Some(Phase::BobConfirmed { session: session(), answer: answer.clone(), due: true }), true)
        }
        (Phase::AliceConfirmed { .. }, Content::Opening | Content::Message | Content::Answer)
        | (Phase::BobConfirmed { .. }, Content::Opening | Content::Message) => (None, false),
        // Well sealed, but not this end's to hear.
        _ => return Err(Rejected::OutOfOrder),
    };
    match (phase, next.phase.session_mut()) {
        (Some(phase), _) => next.phase = phase,
        (None, Some(session)) => session.window = window,
        (None, None) => {}
    }
    Ok(match (is_message, outbox) {
        (false, false) => Emit::Nothing,
        (false, true) => Emit::Outbox,
        (true, false) => Emit::Opened(text),
        (true, true) => Emit::OutboxAndOpened(text),
    })
}

impl Phase {
    /// What is sent until the other end has answered it.
    pub(super) fn packet(&self) -> Option<&[u8]> {
        match self {
            Self::AliceJoined { confirm, .. } | Self::AliceConfirmed { confirm: Some(confirm), .. } => {
                Some(confirm.packet.as_slice())
            }
            Self::BobJoined { proof: Some(proof), .. } => Some(proof.as_slice()),
            Self::BobConfirmed { answer, due: true, .. } => Some(answer.as_slice()),
            _ => None,
        }
    }

    pub(super) const fn session(&self) -> Option<&Session> {
        match self {
            Self::AliceJoined { session, .. }
            | Self::AliceConfirmed { session, .. }
            | Self::BobJoined { session, .. }
            | Self::BobConfirmed { session, .. } => Some(session),
            Self::AwaitingProof { .. } | Self::Closed { .. } => None,
        }
    }

    pub(super) const fn session_mut(&mut self) -> Option<&mut Session> {
        match self {
            Self::AliceJoined { session, .. }
            | Self::AliceConfirmed { session, .. }
            | Self::BobJoined { session, .. }
            | Self::BobConfirmed { session, .. } => Some(session),
            Self::AwaitingProof { .. } | Self::Closed { .. } => None,
        }
    }
}
