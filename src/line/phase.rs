//! The phases of a Line and what moves it from one to the next (§6.4–§6.6).

use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Encode};

use super::epoch::{AliceEpochs, Early, Upgrade};
use super::seal::{MAX_OWN, Sealed};
use super::session::{Counters, End, Session, transcript};
use super::{CloseReason, Line};
use crate::bob::{Connecting, SendProof};
use crate::cbor::{self, Bytes, Versioned};
use crate::dialect::Dialect;
use crate::error::Rejected;
use crate::id::{LineId, PairHash, PortHash};
use crate::introducer::message as introduction;
use crate::machine::{Emit, Step};
use crate::message::{PacketKind, Payload};
use crate::port::ticket::{IntroducerName, Ticket};
use crate::port::{Port, PortKind, RelayAddr, UnixSeconds};
use crate::proof::{self, PrivateKey, Proof, SharedSecret};
use crate::secret::{Rad, Secret};

/// An ephemeral public key's length.
const EPHEMERAL: usize = 32;

/// How long an Alice's line waits for the proof: seven days (§6.6).
const AWAIT_PROOF: u64 = 7 * 24 * 60 * 60;

/// Where a line comes from. No two lines of one user have the same, unless the relay gives a `line_id` twice.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Origin {
    #[n(0)]
    pub(crate) kind: PortKind,
    #[n(1)]
    pub(crate) port: PortHash,
    #[n(2)]
    pub(crate) line_id: LineId,
    #[n(3)]
    pub(crate) pair_hash: PairHash,
    #[n(4)]
    pub(crate) relay: Option<RelayAddr>,
    /// The line that the two users had before (§14.6).
    #[n(5)]
    pub(crate) replaces: Option<LineId>,
    #[n(6)]
    pub(crate) introduced: Option<Introduced>,
}

/// By whom the two ends of a line were introduced (§16.5). A claim until the line is confirmed; then both were told the same
/// name.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Introduced {
    /// What the introducer calls himself.
    #[n(0)]
    pub name: IntroducerName,
    /// Alice's line with him: it was he, and nobody else, who told her of the ticket. `None` at Bob.
    #[n(1)]
    pub by: Option<LineId>,
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
        /// Whether she wants to be asked.
        #[n(3)]
        asks: bool,
    },
    #[n(2)]
    AliceJoined {
        #[n(0)]
        session: Session,
        #[n(1)]
        confirm: Confirm,
        #[n(2)]
        early: Option<Early>,
    },
    #[n(3)]
    AliceConfirmed {
        #[n(0)]
        session: Session,
        /// Until Bob is known to have it.
        #[n(1)]
        confirm: Option<Confirm>,
        #[n(2)]
        early: Option<Early>,
    },
    #[n(4)]
    BobJoined {
        #[n(0)]
        session: Session,
        /// The payload, unless it was on board.
        #[n(1)]
        proof: Option<Bytes<105>>,
        /// On a line of a Port for many.
        #[n(2)]
        upgrade: Option<Upgrade>,
    },
    #[n(5)]
    BobConfirmed {
        #[n(0)]
        session: Session,
        #[n(1)]
        answer: Bytes<MAX_OWN>,
        /// Whether it is still to be sent, or was asked for again.
        #[n(2)]
        due: bool,
        /// SHA-256 of Alice's Confirm, on a line of a Port for many: its key is gone, but it may come again.
        #[n(3)]
        #[cbor(with = "minicbor::bytes")]
        confirm: Option<[u8; 32]>,
    },
    #[n(6)]
    Closed {
        #[n(0)]
        end: CloseReason,
        /// The last packet to the other end.
        #[n(1)]
        close: Option<Bytes<MAX_OWN>>,
        /// Whether all this is still to be said.
        #[n(2)]
        due: bool,
    },
    /// The proof is good, and she is asked (§14.5).
    #[n(7)]
    AliceAsked {
        #[n(0)]
        session: Session,
        #[n(1)]
        confirm: Confirm,
        #[n(2)]
        early: Option<Early>,
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
    packet: Bytes<MAX_OWN>,
    /// SHA-256 of the proof it replies to: the same again, and it is sent again.
    #[cbor(n(1), with = "minicbor::bytes")]
    proof: [u8; 32],
}

impl Origin {
    pub(crate) fn new<D: Dialect>(
        port: &Port,
        line_id: LineId,
        pair_hash: PairHash,
        replaces: Option<LineId>,
        introduced: Option<Introduced>,
    ) -> Self {
        let relay = port.relay().cloned();
        Self { kind: port.kind, port: D::hash(port), line_id, pair_hash, relay, replaces, introduced }
    }
}

impl Phase {
    /// Alice's end, of a line that was formed without a proof on board.
    pub(crate) fn awaiting_proof(
        private_key: &PrivateKey,
        rad: &Rad,
        asks: bool,
        expiry: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Self {
        let week = UnixSeconds(now.0.saturating_add(AWAIT_PROOF));
        let until = expiry.map_or(week, |expiry| expiry.min(week));
        Self::AwaitingProof { private_key: private_key.clone(), rad: rad.clone(), until, asks }
    }

    /// Alice's end, once the proof is good; `None` if it is not. `Confirm` is her counter 0 (§6.5).
    pub(crate) fn of_alice(
        origin: &Origin,
        private_key: &PrivateKey,
        rad: &Rad,
        asks: bool,
        proof: &Proof,
    ) -> Option<Self> {
        let secret = proof::check(private_key, rad, proof)?;
        let hkdf = secret.extract(&transcript(origin, proof, None));
        let (session, packet) = Session::new(End::Alice, 0, &hkdf).seal_own(PacketKind::Confirm, &[]);
        Some(Self::joined(session, packet, proof, None, asks))
    }

    /// The same of a Port for many, its secret checked already, and the seed of the next (§14.7).
    pub(crate) fn of_alice_of_many(
        origin: &Origin,
        (secret, proof, ticket): (&SharedSecret, &Proof, Option<&Ticket>),
        seed: &Secret<32>,
        asks: bool,
        now: UnixSeconds,
    ) -> Option<(Self, Secret<32>)> {
        let AliceEpochs { session, early, confirm, seed } = AliceEpochs::new(origin, secret, proof, ticket, seed, now)?;
        Some((Self::joined(session, confirm, proof, Some(early), asks), seed))
    }

    fn joined(session: Session, packet: Bytes<MAX_OWN>, proof: &Proof, early: Option<Early>, asks: bool) -> Self {
        let confirm = Confirm { packet, proof: cbor::hash(proof) };
        if asks { Self::AliceAsked { session, confirm, early } } else { Self::AliceJoined { session, confirm, early } }
    }

    /// Bob's end. He has a private key yet if the Port is for many.
    pub(crate) fn of_bob(origin: &Origin, connecting: &Connecting<Proof>) -> Self {
        let Connecting { secret, proof, send_proof, private_key, ticket, .. } = connecting;
        let transcript = transcript(origin, proof, ticket.as_ref());
        let session = Session::new(End::Bob, 0, &secret.extract(&transcript));
        let upgrade = private_key.as_ref().map(|private_key| Upgrade::new(secret, private_key, transcript));
        let proof = match send_proof {
            SendProof::Inline => None,
            SendProof::AlongTheLine => Some(Bytes::of(&Versioned(Payload::Proof { proof: proof.clone() }))),
        };
        Self::BobJoined { session, proof, upgrade }
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
            Self::AwaitingProof { .. } | Self::AliceAsked { .. } | Self::Closed { .. } => None,
        }
    }

    pub(super) const fn confirmed(&self) -> Option<&Session> {
        match self {
            Self::AliceConfirmed { session, .. } | Self::BobConfirmed { session, .. } => Some(session),
            _ => None,
        }
    }

    /// The Answer was sent.
    pub(super) const fn answered(&mut self) {
        if let Self::BobConfirmed { due, .. } = self {
            *due = false;
        }
    }

    /// SHA-256 of the proof that Alice's Confirm replies to, as long as she keeps it.
    #[cfg(feature = "testkit")]
    pub(super) const fn proof(&self) -> Option<[u8; 32]> {
        match self {
            Self::AliceAsked { confirm, .. }
            | Self::AliceJoined { confirm, .. }
            | Self::AliceConfirmed { confirm: Some(confirm), .. } => Some(confirm.proof),
            _ => None,
        }
    }

    /// What is still to be opened of epoch 0.
    pub(super) const fn early(&self) -> Option<&Early> {
        match self {
            Self::AliceAsked { early, .. } | Self::AliceJoined { early, .. } | Self::AliceConfirmed { early, .. } => {
                early.as_ref()
            }
            _ => None,
        }
    }

    pub(super) fn set_early(&mut self, next: Option<Early>) {
        if let Self::AliceAsked { early, .. } | Self::AliceJoined { early, .. } | Self::AliceConfirmed { early, .. } =
            self
        {
            *early = next;
        }
    }

    pub(super) const fn count(&mut self, counters: Counters) {
        match self {
            Self::AliceJoined { session, .. }
            | Self::AliceConfirmed { session, .. }
            | Self::BobJoined { session, .. }
            | Self::BobConfirmed { session, .. } => session.count(counters),
            Self::AwaitingProof { .. } | Self::AliceAsked { .. } | Self::Closed { .. } => (),
        }
    }
}

impl Change {
    pub(super) const fn closed(end: CloseReason, close: Option<Bytes<MAX_OWN>>) -> Self {
        Self::Phase(Phase::Closed { end, close, due: true })
    }
}

fn hash(payload: &[u8]) -> [u8; 32] {
    cbor::hash(&<&ByteSlice>::from(payload))
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
            return Ok(Step::new(line, Change::closed(CloseReason::Expired, None), Emit::Outbox));
        }
        Phase::AwaitingProof { .. } | Phase::AliceAsked { .. } => return Err(Rejected::TooEarly),
        phase => phase.session().ok_or(Rejected::Closed)?,
    };
    let content = sealed.content.unpadded();
    // Only a user's words carry a user's data.
    let data = if matches!(content, PacketKind::EarlyMessage | PacketKind::Message) { associated_data } else { &[] };
    let own = match (content, state.origin.kind.is_for_many()) {
        (PacketKind::Confirm, true) => EPHEMERAL,
        (PacketKind::Answer, true) => 1,
        _ => 0,
    };
    if sealed.nonce.epoch != session.epoch() {
        let (phase, text, outbox) =
            transition_by_other_epoch(&state.phase, &sealed, payload, (own, data), buffer, now)?;
        let emit = text.map_or(Emit::Nothing, |text| emit(content, text, outbox));
        return Ok(Step::new(line, Change::Phase(phase), emit));
    }
    let (counters, text) = session.open(&sealed, own, data, buffer)?;
    if content == PacketKind::IntroducerMessage {
        introduction::read(text)?;
    }

    let (phase, outbox) = match (&state.phase, content) {
        // By far the most packets: they move nothing but the counters.
        (
            Phase::AliceConfirmed { confirm: None, early: None, .. },
            PacketKind::EarlyMessage | PacketKind::Message | PacketKind::Answer | PacketKind::IntroducerMessage,
        )
        | (
            Phase::AliceConfirmed { confirm: None, .. },
            PacketKind::EarlyMessage | PacketKind::Message | PacketKind::IntroducerMessage,
        )
        | (
            Phase::BobConfirmed { .. },
            PacketKind::EarlyMessage | PacketKind::Message | PacketKind::IntroducerMessage,
        ) => {
            return Ok(Step::new(line, Change::Counters(counters), emit(content, text, false)));
        }
        // Bob speaks, but has not heard Alice: she says Confirm again.
        (Phase::AliceConfirmed { confirm: Some(_), .. }, PacketKind::EarlyMessage) => {
            return Ok(Step::new(line, Change::Counters(counters), emit(content, text, true)));
        }
        (Phase::AliceJoined { confirm, early, .. }, PacketKind::EarlyMessage) => {
            let (confirm, early) = (Some(confirm.clone()), early.clone());
            (Phase::AliceConfirmed { session: session.with(counters), confirm, early }, true)
        }
        (
            Phase::AliceJoined { early, .. } | Phase::AliceConfirmed { early, .. },
            PacketKind::Message | PacketKind::Answer | PacketKind::IntroducerMessage,
        ) => {
            let early = early.as_ref().and_then(|early| match text {
                [sent] if content == PacketKind::Answer => early.told(*sent),
                _ => Some(early.clone()),
            });
            (Phase::AliceConfirmed { session: session.with(counters), confirm: None, early }, false)
        }
        // Alice's ephemeral key: from here on the keys are those of epoch 1.
        (Phase::BobJoined { upgrade: Some(upgrade), .. }, PacketKind::Confirm) => {
            let sent = u8::try_from(session.sent()).unwrap_or(u8::MAX);
            let (session, answer) = upgrade.session(text)?.seal_own(PacketKind::Answer, &[sent]);
            (Phase::BobConfirmed { session, answer, due: true, confirm: Some(hash(payload)) }, true)
        }
        // Any packet of Alice's shows that she holds the keys. She hears so at once.
        (
            Phase::BobJoined { upgrade: None, .. },
            PacketKind::Confirm | PacketKind::EarlyMessage | PacketKind::Message | PacketKind::IntroducerMessage,
        ) => {
            let (session, answer) = session.with(counters).seal_own(PacketKind::Answer, &[]);
            (Phase::BobConfirmed { session, answer, due: true, confirm: None }, true)
        }
        (Phase::BobConfirmed { answer, confirm: None, .. }, PacketKind::Confirm) => {
            let answer = answer.clone();
            (Phase::BobConfirmed { session: session.with(counters), answer, due: true, confirm: None }, true)
        }
        (_, PacketKind::Close) => (Phase::Closed { end: CloseReason::ByPeer, close: None, due: true }, true),
        // Well sealed, but not this end's to hear.
        _ => return Err(Rejected::OutOfOrder),
    };
    Ok(Step::new(line, Change::Phase(phase), emit(content, text, outbox)))
}

const fn emit(content: PacketKind, text: &[u8], outbox: bool) -> Emit<'_> {
    match (content, outbox) {
        (PacketKind::EarlyMessage | PacketKind::Message, false) => Emit::Opened(text),
        (PacketKind::EarlyMessage | PacketKind::Message, true) => Emit::OutboxAndOpened(text),
        (PacketKind::IntroducerMessage, false) => Emit::Told(text),
        (PacketKind::IntroducerMessage, true) => Emit::OutboxAndTold(text),
        (_, false) => Emit::Nothing,
        (_, true) => Emit::Outbox,
    }
}

/// §14.7: a packet of the epoch that this end has left, or has not come to.
fn transition_by_other_epoch<'m>(
    phase: &Phase,
    sealed: &Sealed<'_>,
    payload: &[u8],
    (own, data): (usize, &[u8]),
    buffer: &'m mut [u8],
    now: UnixSeconds,
) -> Result<(Phase, Option<&'m [u8]>, bool), Rejected> {
    match (phase, sealed.nonce.epoch) {
        // The key goes now, or a clock that jumps back would revive it.
        (Phase::AliceJoined { early: Some(early), .. } | Phase::AliceConfirmed { early: Some(early), .. }, 0)
            if now >= early.until =>
        {
            let mut next = phase.clone();
            next.set_early(None);
            Ok((next, None, false))
        }
        (Phase::AliceJoined { early: Some(early), .. } | Phase::AliceConfirmed { early: Some(early), .. }, 0) => {
            let (early, text) = early.open(sealed, own, data, buffer)?;
            if sealed.content == PacketKind::Close {
                return Ok((Phase::Closed { end: CloseReason::ByPeer, close: None, due: true }, Some(&[]), true));
            }
            let mut next = phase.clone();
            next.set_early(early);
            // He has not heard her: she says Confirm again.
            let outbox = next.packet().is_some();
            Ok((next, Some(text), outbox))
        }
        (Phase::BobJoined { upgrade: Some(_), .. }, 1) => Err(Rejected::TooEarly),
        // Its key is gone, but these very bytes opened before: that is how a lost answer is asked for.
        (Phase::BobConfirmed { confirm: Some(confirm), session, answer, .. }, 0) if *confirm == hash(payload) => {
            let (session, answer, confirm) = (session.clone(), answer.clone(), Some(*confirm));
            Ok((Phase::BobConfirmed { session, answer, due: true, confirm }, Some(&[]), true))
        }
        _ => Err(Rejected::Forged),
    }
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
        Phase::AwaitingProof { until, .. } if now >= *until => Change::closed(CloseReason::Expired, None),
        Phase::AwaitingProof { private_key, rad, asks, .. } => {
            Phase::of_alice(&state.origin, private_key, rad, *asks, proof)
                .map_or(Change::closed(CloseReason::ProofRefused, None), Change::Phase)
        }
        // The same proof again: Confirm was lost, or is slow.
        Phase::AliceJoined { session, confirm, .. } | Phase::AliceConfirmed { session, confirm: Some(confirm), .. }
            if confirm.proof == cbor::hash(proof) =>
        {
            Change::Counters(session.counters())
        }
        _ => return Err(Rejected::OutOfOrder),
    };
    Ok(Step::new(line, change, Emit::Outbox))
}
