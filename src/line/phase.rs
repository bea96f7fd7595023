//! The phases of a Line and what moves it from one to the next (§6.4–§6.6).

use minicbor::{Decode, Encode};

use super::seal::{EPOCH, MAX_EMPTY, Sealed};
use super::session::{Counters, End, Session};
use super::{Line, LineEnd};
use crate::bob::SendProof;
use crate::error::Rejected;
use crate::id::{LineId, PairHash, PortHash};
use crate::machine::{Emit, Step};
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

/// What a step of a line makes other. Where it comes from never is.
#[derive(Debug)]
pub enum Change {
    Phase(Phase),
    Counters(Counters),
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

impl Phase {
    /// Alice's end, of a line that was formed without a proof on board.
    pub(crate) fn awaiting_proof(private_key: &PrivateKey, port: &Port, now: UnixSeconds) -> Self {
        let week = UnixSeconds(now.0.saturating_add(AWAIT_PROOF));
        let until = port.expires().map_or(week, |expires| expires.min(week));
        Self::AwaitingProof { private_key: private_key.clone(), rad: port.rad().clone(), until }
    }

    /// Alice's end, once the proof is good; `None` if it is not. `Confirm` is her counter 0 (§6.5).
    pub(crate) fn of_alice(origin: &Origin, private_key: &PrivateKey, rad: &Rad, proof: &Proof) -> Option<Self> {
        let secret = proof::check(private_key, rad, proof)?;
        let (session, packet) = Session::new(End::Alice, origin, &secret, proof).seal_empty(Content::Confirm);
        Some(Self::AliceJoined { session, confirm: Confirm { packet, proof: wire::hash(proof) } })
    }

    /// Bob's end.
    pub(crate) fn of_bob(origin: &Origin, secret: &SharedSecret, proof: &Proof, send_proof: SendProof) -> Self {
        let session = Session::new(End::Bob, origin, secret, proof);
        let proof = match send_proof {
            SendProof::OnBoard => None,
            SendProof::AlongTheLine => Some(Bytes::of(&Versioned(Payload::Proof { proof: proof.clone() }))),
        };
        Self::BobJoined { session, proof }
    }

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

    pub(super) const fn confirmed(&self) -> Option<&Session> {
        match self {
            Self::AliceConfirmed { session, .. } | Self::BobConfirmed { session, .. } => Some(session),
            _ => None,
        }
    }

    pub(super) const fn count(&mut self, counters: Counters) {
        match self {
            Self::AliceJoined { session, .. }
            | Self::AliceConfirmed { session, .. }
            | Self::BobJoined { session, .. }
            | Self::BobConfirmed { session, .. } => session.count(counters),
            Self::AwaitingProof { .. } | Self::Closed { .. } => (),
        }
    }
}

impl Change {
    pub(super) const fn closed(end: LineEnd, close: Option<Bytes<MAX_EMPTY>>) -> Self {
        Self::Phase(Phase::Closed { end, close, due: true })
    }
}

/// §6.4–§6.7: the whole of a Line but for its user's own words, `seal` and `close`.
#[inline]
pub(super) fn transition<'m>(
    line: &'m mut Line,
    payload: &[u8],
    associated_data: &[u8],
    buffer: &'m mut [u8],
    now: UnixSeconds,
) -> Result<Step<'m, Line>, Rejected> {
    let Some(sealed) = Sealed::decode(payload) else {
        return transition_by_proof(line, &Payload::decode(payload)?, now);
    };
    let state = &line.0.state;
    let session = match &state.phase {
        Phase::AwaitingProof { until, .. } if now >= *until => {
            return Ok(Step::new(line, Change::closed(LineEnd::Expired, None), Emit::Outbox, None));
        }
        Phase::AwaitingProof { .. } => return Err(Rejected::TooEarly),
        phase => phase.session().ok_or(Rejected::Closed)?,
    };
    if sealed.nonce.epoch != EPOCH {
        return Err(Rejected::Forged);
    }
    let content = sealed.content.unpadded();
    // Only a user's words carry a user's data.
    let (is_message, data) = match content {
        Content::Opening | Content::Message => (true, associated_data),
        _ => (false, &[][..]),
    };
    let (counters, text) = session.open(&sealed, data, buffer)?;

    let emit = |outbox| match (is_message, outbox) {
        (false, false) => Emit::Nothing,
        (false, true) => Emit::Outbox,
        (true, false) => Emit::Opened(text),
        (true, true) => Emit::OutboxAndOpened(text),
    };
    let (phase, outbox) = match (&state.phase, content) {
        // By far the most packets: they move nothing but the counters.
        (Phase::AliceConfirmed { confirm: None, .. }, Content::Opening | Content::Message | Content::Answer)
        | (Phase::BobConfirmed { .. }, Content::Opening | Content::Message) => {
            return Ok(Step::new(line, Change::Counters(counters), emit(false), None));
        }
        // Bob speaks, but has not heard Alice: she says Confirm again.
        (Phase::AliceConfirmed { confirm: Some(_), .. }, Content::Opening) => {
            return Ok(Step::new(line, Change::Counters(counters), emit(true), None));
        }
        (Phase::AliceJoined { confirm, .. }, Content::Opening) => {
            let confirm = Some(confirm.clone());
            (Phase::AliceConfirmed { session: session.with(counters), confirm }, true)
        }
        (
            Phase::AliceJoined { .. } | Phase::AliceConfirmed { confirm: Some(_), .. },
            Content::Message | Content::Answer,
        ) => (Phase::AliceConfirmed { session: session.with(counters), confirm: None }, false),
        // Any packet of Alice's shows that she holds the keys. She hears so at once.
        (Phase::BobJoined { .. }, Content::Confirm | Content::Opening | Content::Message) => {
            let (session, answer) = session.with(counters).seal_empty(Content::Answer);
            (Phase::BobConfirmed { session, answer, due: true }, true)
        }
        (Phase::BobConfirmed { answer, .. }, Content::Confirm) => {
            let answer = answer.clone();
            (Phase::BobConfirmed { session: session.with(counters), answer, due: true }, true)
        }
        (_, Content::Close) => (Phase::Closed { end: LineEnd::ByPeer, close: None, due: true }, true),
        // Well sealed, but not this end's to hear.
        _ => return Err(Rejected::OutOfOrder),
    };
    Ok(Step::new(line, Change::Phase(phase), emit(outbox), None))
}

/// §6.4, §6.5: a proof along the line.
fn transition_by_proof<'m>(
    line: &'m mut Line,
    payload: &Payload<'_>,
    now: UnixSeconds,
) -> Result<Step<'m, Line>, Rejected> {
    let state = &line.0.state;
    let Payload::Proof { proof } = payload else { return Err(Rejected::Malformed) };
    let change = match &state.phase {
        Phase::Closed { .. } => return Err(Rejected::Closed),
        Phase::AwaitingProof { until, .. } if now >= *until => Change::closed(LineEnd::Expired, None),
        Phase::AwaitingProof { private_key, rad, .. } => Phase::of_alice(&state.origin, private_key, rad, proof)
            .map_or(Change::closed(LineEnd::ProofRefused, None), Change::Phase),
        // The same proof again: Confirm was lost, or is slow.
        Phase::AliceJoined { session, confirm } | Phase::AliceConfirmed { session, confirm: Some(confirm) }
            if confirm.proof == wire::hash(proof) =>
        {
            Change::Counters(session.counters())
        }
        _ => return Err(Rejected::OutOfOrder),
    };
    Ok(Step::new(line, change, Emit::Outbox, None))
}
