//! Line: one end of a connection (§6).

mod buffer;
mod epoch;
mod outbox;
mod padding;
mod phase;
mod seal;
mod session;
mod transition;
mod window;

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::cbor::{Bytes, Versioned};
use crate::error::{Rejected, SealError};
use crate::id::{LineId, PairHash, PortHash};
use crate::introducer::message::{IntroducerMessage, MAX_INTRODUCER_MESSAGE};
use crate::machine::Held;
use crate::machine::step::Step;
use crate::message::{Event, PacketKind, Request};
use crate::outcome::CloseReason;
use crate::port::{RelayAddr, UnixSeconds};
use crate::proof::{PrivateKey, Proof};
use crate::secret::{Rad, Secret};

pub use buffer::Buffer;
use epoch::MOST_EARLY;
pub use padding::padded_len;
pub use phase::Introduced;
use phase::{AliceStage, BobStage, Change, End, Phase, State};
pub(crate) use phase::{BobSecrets, Guest, Origin};
use seal::MAX_OWN;
pub use seal::{MAX_ASSOCIATED_DATA, MAX_MESSAGE, SEAL_OVERHEAD};
pub use session::SafetyNumber;
use session::Session;

/// One end of a connection (§6): `AwaitingProof ─proof▶ Joined ─first packet opens▶ Confirmed ─▶ Closed`. If the policy of its Port
/// requires approval: `AwaitingApproval ─accept▶ Joined` (§14.5).
#[derive(Debug)]
pub struct Line(Held<State>);

/// What a Line asks its caller to do.
#[derive(PartialEq, Eq)]
pub enum LineEffect<'m> {
    /// The other end's user says this. It lies in the buffer that `handle` was given, and in
    /// [`Write::received`](crate::Write::received).
    Message(&'m [u8]),
    /// The other end's machine says this about a contact port (§16.3). It lies in the same places.
    IntroducerMessage(IntroducerMessage<'m>),
    /// The relay says that it dropped packets of this end, because more waited for the other end than it keeps. What the other end has
    /// not answered may be lost. First do what is pending, after a pause: it may have been the proof. Once the line is confirmed,
    /// send again what was not answered, when the other end is heard of. Before that, it would only push out more. It may come more than
    /// once.
    PacketsLost,
    /// Send this to the relay.
    Send(Request<'m>),
    /// Somebody who holds the Port wants in, and the policy requires approval: [`accept`](Line::accept) or [`decline`](Line::decline).
    /// Until then the visitor is not answered.
    AwaitingApproval,
    /// The line is over. Tell the user, then clear the outbox.
    Ended(CloseReason),
}

impl fmt::Debug for LineEffect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // What people say to each other stays out of logs.
            Self::Message(text) => write!(f, "Message([{} bytes])", text.len()),
            Self::IntroducerMessage(message) => f.debug_tuple("IntroducerMessage").field(message).finish(),
            Self::PacketsLost => f.write_str("PacketsLost"),
            Self::Send(request) => f.debug_tuple("Send").field(request).finish(),
            Self::AwaitingApproval => f.write_str("AwaitingApproval"),
            Self::Ended(reason) => f.debug_tuple("Ended").field(reason).finish(),
        }
    }
}

/// Where a line stands (§6.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LinePhase {
    /// Alice's end: the Port's link was used. Nobody has shown the Port yet.
    AwaitingProof,
    /// Alice's end: somebody who holds the Port waits for approval.
    AwaitingApproval,
    /// There are keys. Who holds them at the far end is still a claim.
    Joined,
    /// The other end holds the same keys and saw the same handshake.
    Confirmed,
    /// Nothing more is sent or taken.
    Closed,
}

/// What the relay says of a line (§6.6). Until the line is confirmed, each end may have been told another thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayClaims {
    /// The line's name at the relay.
    pub line_id: LineId,
    /// The two users.
    pub pair_hash: PairHash,
}

/// What both ends know, and know that the other knows (§6.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confirmed {
    /// The line's name at the relay. It is the same at both ends.
    pub line_id: LineId,
    /// The two users. It is the same at both ends. That one pair always gets the same value remains the relay's word.
    pub pair_hash: PairHash,
}

impl Line {
    const fn new(origin: Origin, phase: Phase) -> Self {
        Self(Held { revision: 0, state: State { origin, phase } })
    }

    /// Alice's end of a line that was formed without a proof.
    pub(crate) fn awaiting_proof(
        origin: Origin,
        private_key: &PrivateKey,
        rad: &Rad,
        asks: bool,
        expiry: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> Self {
        Self::new(origin, Phase::awaiting_proof(private_key, rad, asks, expiry, now))
    }

    /// Alice's end. `None` if the proof is not good.
    pub(crate) fn of_alice(
        origin: Origin,
        private_key: &PrivateKey,
        rad: &Rad,
        asks: bool,
        proof: &Proof,
    ) -> Option<Self> {
        let phase = Phase::of_alice(&origin, private_key, rad, asks, proof)?;
        Some(Self::new(origin, phase))
    }

    /// Alice's end, of a Port for many (§14.7).
    pub(crate) fn of_alice_of_many<R: CryptoRng + ?Sized>(
        origin: Origin,
        guest: &Guest<'_>,
        asks: bool,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Option<Self> {
        let phase = Phase::of_alice_of_many(&origin, guest, asks, now, rng)?;
        Some(Self::new(origin, phase))
    }

    /// Bob's end.
    pub(crate) fn of_bob(origin: Origin, bob: &BobSecrets<'_>) -> Self {
        let phase = Phase::of_bob(&origin, bob);
        Self::new(origin, phase)
    }

    pub(crate) const fn held(&self) -> &Held<State> {
        &self.0
    }

    /// Takes an event from the relay (§6.4). A message is opened into `buffer`, which must be as long as the packet ([`Buffer`]). It is in
    /// [`Write::received`](crate::Write::received) before the step is committed, and comes back as an effect after it. `rng` is for
    /// events that make a key. None of a Line's does today.
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved. `buffer` may hold the text of a packet that was refused after it
    /// opened.
    #[inline]
    pub fn handle<'m, R: CryptoRng + ?Sized>(
        &'m mut self,
        event: &Event<'_>,
        buffer: impl Buffer<'m>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'m, Self>, Rejected> {
        self.handle_with_aad(event, &[], buffer, now, rng)
    }

    /// [`handle`](Line::handle) for messages that were sealed with associated data (§6.3). Both ends must pass the same. The machine's
    /// own packets have none, and open whatever is passed.
    ///
    /// # Errors
    /// The same, and [`Rejected::AssociatedDataTooLong`].
    #[inline]
    pub fn handle_with_aad<'m, R: CryptoRng + ?Sized>(
        &'m mut self,
        event: &Event<'_>,
        associated_data: &[u8],
        buffer: impl Buffer<'m>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'m, Self>, Rejected> {
        let _ = rng;
        let ours = self.0.state.origin.line_id;
        match event {
            Event::Packet { line_id, payload } if *line_id == ours => {
                transition::packet(self, payload, associated_data, buffer.room(payload.len()), now)
            }
            Event::Disconnected { line_id } if *line_id == ours => self.end(CloseReason::ByRelay, None),
            Event::Dropped { line_id } if *line_id == ours => self.packets_lost(),
            _ => Err(Rejected::WrongMachine),
        }
    }

    /// Seals a message into `buffer`, which must be [`SEAL_OVERHEAD`] bytes longer (§6.3). The packet to send is the step's effect. The
    /// relay sees its length. The outbox does not keep it: until the other end has the message, it stays with the caller, which may seal
    /// it again.
    ///
    /// # Errors
    /// [`SealError`]: what to do stands with each. Nothing has moved.
    #[inline]
    pub fn seal<'m>(
        &'m mut self,
        message: &[u8],
        associated_data: &[u8],
        buffer: impl Buffer<'m>,
    ) -> Result<Step<'m, Self>, SealError> {
        // A message that is too long takes no room: it is refused.
        let buffer = buffer.room(message.len().min(MAX_MESSAGE).saturating_add(SEAL_OVERHEAD));
        self.seal_as([PacketKind::EarlyMessage, PacketKind::Message], message, associated_data, buffer)
    }

    /// [`seal`](Line::seal) with padding (§6.9): the relay sees one of eleven lengths. `buffer` must be [`SEAL_OVERHEAD`] bytes longer
    /// than [`padded_len`]. A message must be shorter than [`MAX_MESSAGE`]. The other end opens it as any other.
    ///
    /// # Errors
    /// The same.
    #[inline]
    pub fn seal_padded<'m>(
        &'m mut self,
        message: &[u8],
        associated_data: &[u8],
        buffer: impl Buffer<'m>,
    ) -> Result<Step<'m, Self>, SealError> {
        let buffer = buffer.room(padded_len(message.len().min(MAX_MESSAGE)).saturating_add(SEAL_OVERHEAD));
        self.seal_as([PacketKind::PaddedEarlyMessage, PacketKind::PaddedMessage], message, associated_data, buffer)
    }

    /// Seals what Alice and its introducer say to each other (§16.3). `buffer` must hold [`MAX_INTRODUCER_MESSAGE`] and
    /// [`SEAL_OVERHEAD`] bytes.
    ///
    /// # Errors
    /// [`SealError`]. [`SealError::Unconfirmed`] until the line is confirmed, because before that, who listens is a claim.
    #[cold]
    pub fn seal_introducer_message<'m>(
        &'m mut self,
        message: &IntroducerMessage<'_>,
        buffer: impl Buffer<'m>,
    ) -> Result<Step<'m, Self>, SealError> {
        if self.phase() == LinePhase::Joined {
            return Err(SealError::Unconfirmed);
        }
        let buffer = buffer.room(MAX_INTRODUCER_MESSAGE.saturating_add(SEAL_OVERHEAD));
        let mut text = Bytes::<MAX_INTRODUCER_MESSAGE>::of(&Versioned(message));
        // Empty: the message holds more bytes than any contact port has.
        let step = match text.as_slice() {
            [] => Err(SealError::TooLong),
            text => self.seal_as([PacketKind::IntroducerMessage; 2], text, &[], buffer),
        };
        text.zeroize();
        step
    }

    #[inline]
    fn seal_as<'m>(
        &'m mut self,
        [early, confirmed]: [PacketKind; 2],
        message: &[u8],
        associated_data: &[u8],
        buffer: &'m mut [u8],
    ) -> Result<Step<'m, Self>, SealError> {
        let State { origin, phase } = &self.0.state;
        let kind = match self.phase() {
            LinePhase::AwaitingProof | LinePhase::AwaitingApproval => return Err(SealError::NotJoined),
            LinePhase::Joined => early,
            LinePhase::Confirmed => confirmed,
            LinePhase::Closed => return Err(SealError::Closed),
        };
        let session = phase.session().ok_or(SealError::NotJoined)?;
        if self.is_early() && session.sent() >= MOST_EARLY {
            return Err(SealError::Unconfirmed);
        }
        let line_id = origin.line_id;
        let (counters, payload) = session.seal(kind, message, associated_data, buffer)?;
        let packet = LineEffect::Send(Request::Packet { line_id, payload });
        Ok(Step::new(self, Change::Counters(counters)).once(packet).outbox(0..0))
    }

    /// Ends the line for good (§6.7): the keys go, and the other end and the relay are told.
    ///
    /// # Errors
    /// [`Rejected::Closed`]: it is closed already.
    pub fn close(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let close = self.0.state.phase.session().map(|session| session.clone().seal_own(PacketKind::Close, &[]).1);
        self.end(CloseReason::ByUs, close)
    }

    /// Lets the visitor in (§14.5), who is answered now. Hand in again what it said in the meantime: that opens for seven days.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn accept(&mut self, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let Phase::Open { session, end: End::Alice { stage: AliceStage::AwaitingApproval(confirm), early } } =
            &self.0.state.phase
        else {
            return Err(Rejected::OutOfOrder);
        };
        let early = early.clone().map(|early| early.kept_from(now));
        let change = Change::alice(session.clone(), AliceStage::Joined(confirm.clone()), early);
        Ok(Step::new(self, change))
    }

    /// Turns the visitor away (§14.5). To the visitor it looks like a Port that is closed.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn decline(&mut self) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() != LinePhase::AwaitingApproval {
            return Err(Rejected::OutOfOrder);
        }
        self.end(CloseReason::Declined, None)
    }

    /// §6.6: nothing moves, and the user is told.
    fn packets_lost(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let counters = match (self.phase(), self.0.state.phase.session()) {
            (LinePhase::Closed, _) => return Err(Rejected::Closed),
            // Nothing was sent that could be lost.
            (_, None) => return Err(Rejected::OutOfOrder),
            (_, Some(session)) => session.counters(),
        };
        Ok(Step::new(self, Change::Counters(counters)).once(LineEffect::PacketsLost).outbox(0..0))
    }

    fn end(&mut self, reason: CloseReason, close: Option<Bytes<MAX_OWN>>) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() == LinePhase::Closed {
            return Err(Rejected::Closed);
        }
        Ok(Step::new(self, Change::closed(reason, close)))
    }

    /// Where it stands.
    pub const fn phase(&self) -> LinePhase {
        match &self.0.state.phase {
            Phase::AwaitingProof { .. } => LinePhase::AwaitingProof,
            Phase::Open { end, .. } => match end {
                End::Alice { stage: AliceStage::AwaitingApproval(_), .. } => LinePhase::AwaitingApproval,
                End::Alice { stage: AliceStage::Joined(_), .. } | End::Bob(BobStage::Joined { .. }) => {
                    LinePhase::Joined
                }
                End::Alice { stage: AliceStage::Confirmed(_), .. } | End::Bob(BobStage::Confirmed { .. }) => {
                    LinePhase::Confirmed
                }
            },
            Phase::Closed { .. } => LinePhase::Closed,
        }
    }

    /// What the relay says of it. Do not rely on it: see [`confirmed`](Line::confirmed).
    pub const fn claims(&self) -> RelayClaims {
        let Origin { line_id, pair_hash, .. } = self.0.state.origin;
        RelayClaims { line_id, pair_hash }
    }

    /// What the caller may rely on. `None` until the other end has shown that it holds the same keys, and after the end.
    pub fn confirmed(&self) -> Option<Confirmed> {
        let RelayClaims { line_id, pair_hash } = self.claims();
        (self.phase() == LinePhase::Confirmed).then_some(Confirmed { line_id, pair_hash })
    }

    /// The line that the two users had before, to be closed now (§14.6). `None` if they had none, and until this one is confirmed.
    pub fn replaces(&self) -> Option<LineId> {
        self.0.state.origin.replaces.filter(|_| self.phase() == LinePhase::Confirmed)
    }

    /// Who introduced the two ends, through a contact port (§16.5). A claim until the line is confirmed.
    pub const fn introduced(&self) -> Option<&Introduced> {
        self.0.state.origin.introduced.as_ref()
    }

    /// A number for two people to compare by voice (§6.8). `None` unless the line is confirmed.
    pub fn safety_number(&self) -> Option<SafetyNumber> {
        self.0.state.phase.confirmed().map(Session::safety_number)
    }

    /// 32 bytes for a stronger protocol on top, like those of a TLS exporter (§6.10). They are the same at both ends and known to nobody
    /// else. `None` unless the line is confirmed. Use another `label` for each purpose; `context` is anything that both ends know of it.
    /// The bytes tell nothing of the line's keys, nor of what is exported for other purposes.
    pub fn export(&self, label: &str, context: &[u8]) -> Option<Secret<32>> {
        self.0.state.phase.confirmed().map(|session| session.export(label, context))
    }

    /// The hash of the Port that formed it.
    pub const fn port(&self) -> PortHash {
        self.0.state.origin.port
    }

    /// Where the Port said to connect.
    pub const fn relay(&self) -> Option<&RelayAddr> {
        self.0.state.origin.relay.as_ref()
    }

    /// Bob's end, before it knows the keys of epoch 1 (§14.7).
    pub(crate) const fn is_early(&self) -> bool {
        matches!(self.0.state.phase, Phase::Open { end: End::Bob(BobStage::Joined { upgrade: Some(_), .. }), .. })
    }
}

/// For the kit, which sees both ends.
#[cfg(feature = "testkit")]
impl Line {
    /// The safety number that this line has, or will have once it is confirmed.
    pub(crate) fn code(&self) -> Option<SafetyNumber> {
        self.0.state.phase.session().filter(|_| !self.is_early()).map(session::Session::safety_number)
    }

    /// A hash of the proof that let Bob in, at Alice's end, as long as Alice keeps Confirm.
    pub(crate) const fn proof(&self) -> Option<[u8; 32]> {
        match &self.0.state.phase {
            Phase::Open { end: End::Alice { stage, .. }, .. } => match stage {
                AliceStage::AwaitingApproval(confirm)
                | AliceStage::Joined(confirm)
                | AliceStage::Confirmed(Some(confirm)) => Some(confirm.proof),
                AliceStage::Confirmed(None) => None,
            },
            _ => None,
        }
    }

    /// The same line, as if no packet of the other end had come yet: its keys open each of them again.
    pub(crate) fn with_nothing_taken(&self) -> Self {
        let Held { revision, state } = &self.0;
        let State { origin, mut phase } = state.clone();
        phase.forget_taken();
        Self(Held { revision: *revision, state: State { origin, phase } })
    }

    /// The key of what Bob says early, as long as this end has it. On lines of a Port for many it tells two of one name apart.
    pub(crate) fn early_key(&self) -> Option<&Secret<32>> {
        let bobs = || self.0.state.phase.session().filter(|_| self.is_early()).map(Session::send);
        self.0.state.phase.early().map(epoch::Early::key).or_else(bobs)
    }
}
