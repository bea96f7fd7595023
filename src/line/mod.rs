//! Line: one end of a connection (§6).

mod epoch;
mod padding;
mod phase;
mod seal;
mod session;
mod window;

use core::fmt;

use minicbor::{Decode, Encode};

use crate::cbor::{Bytes, Versioned};
use crate::error::{Rejected, SealError};
use crate::id::{LineId, PairHash, PortHash, RecordKey};
use crate::introducer::message::{self, IntroducerMessage, MAX_INTRODUCER_MESSAGE};
use crate::machine::record::Record;
use crate::machine::{Created, Emit, Held, Nothing, Role, Step, impl_machine};
use crate::message::{Event, PacketKind, Request};
use crate::port::{RelayAddr, UnixSeconds};
use crate::secret::Secret;
use zeroize::Zeroize;

use epoch::MOST_EARLY;
pub use padding::padded_len;
pub use phase::Introduced;
use phase::{Change, transition};
pub(crate) use phase::{Origin, Phase, State};
use seal::MAX_OWN;
pub use seal::{MAX_ASSOCIATED_DATA, MAX_MESSAGE, SEAL_OVERHEAD};
pub use session::SafetyNumber;
use session::Session;

/// One end of a connection (§6): `AwaitingProof ─proof▶ Joined ─first packet opens▶ Confirmed ─▶ Closed`. If its Port's policy is
/// to ask, `Asked ─accept▶ Joined` (§14.5).
#[derive(Debug)]
pub struct Line(Held<State>);

/// What a Line asks its caller to do.
#[derive(PartialEq, Eq)]
pub enum LineEffect<'m> {
    /// Send this to the relay.
    Send(Request<'m>),
    /// The other end says this. It lies in the buffer that `handle` was given.
    Message(&'m [u8]),
    /// The other end's machine says this of a contact port (§16.3). It lies in the same buffer.
    IntroducerMessage(IntroducerMessage<'m>),
    /// The relay says that it dropped packets of this end: more waited for the other end than it keeps. What the other end has
    /// not answered may be lost. Once the line is confirmed, send it again when the other end is heard of, not before, for it would
    /// only make more room for itself. Before that, do what is `pending()` after a pause: it may have been the proof. May come
    /// more than once.
    PacketsLost,
    /// Somebody who holds the Port wants in, and the Port's policy is to ask: [`accept`](Line::accept) or
    /// [`decline`](Line::decline). Until then he is not answered.
    AwaitingApproval,
    /// The line is over. Tell the user, then settle.
    Ended(CloseReason),
}

impl fmt::Debug for LineEffect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(request) => f.debug_tuple("Send").field(request).finish(),
            // What people say to each other is in no log.
            Self::Message(text) => write!(f, "Message([{} bytes])", text.len()),
            Self::IntroducerMessage(introduction) => f.debug_tuple("IntroducerMessage").field(introduction).finish(),
            Self::PacketsLost => f.write_str("PacketsLost"),
            Self::AwaitingApproval => f.write_str("AwaitingApproval"),
            Self::Ended(end) => f.debug_tuple("Ended").field(end).finish(),
        }
    }
}

/// Why a line is over (§6.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum CloseReason {
    /// This end closed it.
    #[n(1)]
    ByUs,
    /// The other end closed it, and proved that it was the other end.
    #[n(2)]
    ByPeer,
    /// The relay says that it is over.
    #[n(3)]
    ByRelay,
    /// Whoever used the Port's link does not hold the Port. Make a new one.
    #[n(4)]
    ProofRefused,
    /// No proof came in time.
    #[n(5)]
    Expired,
    /// This end's user did not want whoever came.
    #[n(6)]
    Declined,
}

/// Where a line stands (§6.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LinePhase {
    /// Alice's end: the Port's link was used, by whom is open.
    AwaitingProof,
    /// Alice's end: somebody who holds the Port waits for her word.
    AwaitingApproval,
    /// There are keys. Who holds them at the far end is still a claim.
    Joined,
    /// The other end holds the same keys and saw the same handshake.
    Confirmed,
    /// Nothing more is sent or taken.
    Closed,
}

/// What the relay says of a line (§6.6). Until it is confirmed, each side may have been told another thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayClaims {
    /// The line's name at the relay.
    pub line_id: LineId,
    /// The two users.
    pub pair_hash: PairHash,
}

/// What both ends know, and know of each other that they know it (§6.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confirmed {
    /// The line's name at the relay: the same at both ends.
    pub line_id: LineId,
    /// The two users: the same at both ends. That it is the same for this pair each time is still the relay's word.
    pub pair_hash: PairHash,
}

impl Line {
    pub(crate) fn born(origin: Origin, phase: Phase) -> Created<Self> {
        Created::new(State { origin, phase })
    }

    /// Takes an event from the relay (§6.4). A message is opened into `buffer`, which has to be as long as the packet,
    /// and comes back from [`Step::commit`].
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved; `buffer` may hold the text of a packet that was refused after it opened.
    #[inline]
    pub fn handle<'m>(
        &'m mut self,
        event: &Event<'_>,
        buffer: &'m mut [u8],
        now: UnixSeconds,
    ) -> Result<Step<'m, Self>, Rejected> {
        self.open(event, &[], buffer, now)
    }

    /// [`handle`](Line::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    #[inline]
    pub fn handle_bytes<'m>(
        &'m mut self,
        event: &[u8],
        buffer: &'m mut [u8],
        now: UnixSeconds,
    ) -> Result<Step<'m, Self>, Rejected> {
        self.handle(&Event::decode(event)?, buffer, now)
    }

    /// [`handle`](Line::handle) for messages that were sealed with associated data (§6.3): both ends must pass the same.
    /// The machine's own packets (confirm, answer, close) have none, and open whatever is passed.
    ///
    /// # Errors
    /// The same, and [`Rejected::AssociatedDataTooLong`].
    #[inline]
    pub fn open<'m>(
        &'m mut self,
        event: &Event<'_>,
        associated_data: &[u8],
        buffer: &'m mut [u8],
        now: UnixSeconds,
    ) -> Result<Step<'m, Self>, Rejected> {
        let ours = self.0.state.origin.line_id;
        match event {
            Event::Packet { line_id, payload } if *line_id == ours => {
                transition(self, payload, associated_data, buffer, now)
            }
            Event::Disconnected { line_id } if *line_id == ours => self.end(CloseReason::ByRelay, None),
            Event::Dropped { line_id } if *line_id == ours => self.dropped(),
            _ => Err(Rejected::WrongMachine),
        }
    }

    /// Seals a message into `buffer`, which has to be [`SEAL_OVERHEAD`] bytes longer, and gives the packet to send when the
    /// step is committed (§6.3). The relay sees its length; the outbox does not keep it: until the other end has it, the
    /// message stays with the caller, and may be sealed again.
    ///
    /// # Errors
    /// [`SealError`]: what to do stands with each. Nothing has moved.
    #[inline]
    pub fn seal<'m>(
        &'m mut self,
        message: &[u8],
        associated_data: &[u8],
        buffer: &'m mut [u8],
    ) -> Result<Step<'m, Self>, SealError> {
        self.seal_as([PacketKind::EarlyMessage, PacketKind::Message], message, associated_data, buffer)
    }

    /// [`seal`](Line::seal) with padding (§6.9): the relay sees one of eleven lengths. `buffer` has to be
    /// [`SEAL_OVERHEAD`] bytes longer than [`padded_len`]; a message may have one byte less than [`MAX_MESSAGE`]. The other
    /// end opens it as any other.
    ///
    /// # Errors
    /// The same.
    #[inline]
    pub fn seal_padded<'m>(
        &'m mut self,
        message: &[u8],
        associated_data: &[u8],
        buffer: &'m mut [u8],
    ) -> Result<Step<'m, Self>, SealError> {
        self.seal_as([PacketKind::PaddedEarlyMessage, PacketKind::PaddedMessage], message, associated_data, buffer)
    }

    /// Seals what Alice and her introducer say to each other (§16.3). `buffer` has to hold [`MAX_INTRODUCER_MESSAGE`] and
    /// [`SEAL_OVERHEAD`] bytes.
    ///
    /// # Errors
    /// [`SealError`], and [`SealError::Unconfirmed`] until the line is confirmed: before that, who listens is a claim.
    #[cold]
    pub fn introduce<'m>(
        &'m mut self,
        introduction: &IntroducerMessage<'_>,
        buffer: &'m mut [u8],
    ) -> Result<Step<'m, Self>, SealError> {
        if self.phase() == LinePhase::Joined {
            return Err(SealError::Unconfirmed);
        }
        let mut text = Bytes::<MAX_INTRODUCER_MESSAGE>::of(&Versioned(introduction));
        // More than any contact port has is no Port's bytes.
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
        [opening, confirmed]: [PacketKind; 2],
        message: &[u8],
        associated_data: &[u8],
        buffer: &'m mut [u8],
    ) -> Result<Step<'m, Self>, SealError> {
        let content = match self.phase() {
            LinePhase::AwaitingProof | LinePhase::AwaitingApproval => return Err(SealError::NotJoined),
            LinePhase::Joined => opening,
            LinePhase::Confirmed => confirmed,
            LinePhase::Closed => return Err(SealError::Closed),
        };
        let session = self.0.state.phase.session().ok_or(SealError::NotJoined)?;
        if matches!(&self.0.state.phase, Phase::BobJoined { upgrade: Some(_), .. }) && session.sent() >= MOST_EARLY {
            return Err(SealError::Unconfirmed);
        }
        let (counters, packet) = session.seal(content, message, associated_data, buffer)?;
        Ok(Step::new(self, Change::Counters(counters), Emit::Sealed(packet)))
    }

    /// Ends the line, for good (§6.7): the keys go, the other end is told, and so is the relay.
    ///
    /// # Errors
    /// [`Rejected::Closed`]: it is closed already.
    pub fn close(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let close = self.0.state.phase.session().map(|session| session.clone().seal_own(PacketKind::Close, &[]).1);
        self.end(CloseReason::ByUs, close)
    }

    /// Lets in who waits (§14.5): now he is answered. What he said in the meantime is handed in again, for seven days.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn accept(&mut self, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let Phase::AliceAsked { session, confirm, early } = self.0.state.phase.clone() else {
            return Err(Rejected::OutOfOrder);
        };
        let early = early.map(|early| early.kept_from(now));
        Ok(Step::new(self, Change::Phase(Phase::AliceJoined { session, confirm, early }), Emit::Outbox))
    }

    /// Turns away who waits (§14.5). He can't tell it from a Port that is closed.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn decline(&mut self) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() != LinePhase::AwaitingApproval {
            return Err(Rejected::OutOfOrder);
        }
        self.end(CloseReason::Declined, None)
    }

    /// §6.6: nothing moves, but the user is told.
    fn dropped(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let counters = match (self.phase(), self.0.state.phase.session()) {
            (LinePhase::Closed, _) => return Err(Rejected::Closed),
            // Nothing was sent that could be lost.
            (_, None) => return Err(Rejected::OutOfOrder),
            (_, Some(session)) => session.counters(),
        };
        Ok(Step::new(self, Change::Counters(counters), Emit::Dropped))
    }

    fn end(&mut self, end: CloseReason, close: Option<Bytes<MAX_OWN>>) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() == LinePhase::Closed {
            return Err(Rejected::Closed);
        }
        Ok(Step::new(self, Change::closed(end, close), Emit::Outbox))
    }

    /// Where it stands.
    pub const fn phase(&self) -> LinePhase {
        match self.0.state.phase {
            Phase::AwaitingProof { .. } => LinePhase::AwaitingProof,
            Phase::AliceAsked { .. } => LinePhase::AwaitingApproval,
            Phase::AliceJoined { .. } | Phase::BobJoined { .. } => LinePhase::Joined,
            Phase::AliceConfirmed { .. } | Phase::BobConfirmed { .. } => LinePhase::Confirmed,
            Phase::Closed { .. } => LinePhase::Closed,
        }
    }

    /// What the relay says of it. Nothing to rely on: see [`confirmed`](Line::confirmed).
    pub const fn claims(&self) -> RelayClaims {
        let Origin { line_id, pair_hash, .. } = self.0.state.origin;
        RelayClaims { line_id, pair_hash }
    }

    /// What the caller may rely on; `None` until the other end has shown that it holds the same keys, and after the end.
    pub fn confirmed(&self) -> Option<Confirmed> {
        let RelayClaims { line_id, pair_hash } = self.claims();
        (self.phase() == LinePhase::Confirmed).then_some(Confirmed { line_id, pair_hash })
    }

    /// The line that the two users had before, to be closed now (§14.6); `None` until this one is confirmed, and if they had
    /// none.
    pub fn replaces(&self) -> Option<LineId> {
        self.0.state.origin.replaces.filter(|_| self.phase() == LinePhase::Confirmed)
    }

    /// By whom the two ends were introduced, through a contact port (§16.5). A claim until the line is confirmed.
    pub const fn introduced(&self) -> Option<&Introduced> {
        self.0.state.origin.introduced.as_ref()
    }

    /// A code for two people to compare by voice (§6.8); `None` unless the line is confirmed.
    pub fn safety_number(&self) -> Option<SafetyNumber> {
        self.0.state.phase.confirmed().map(Session::safety_number)
    }

    /// 32 bytes for a stronger protocol on top, the same at both ends and known to nobody else (§6.10), as a TLS exporter gives
    /// them; `None` unless the line is confirmed. For each purpose another `label`; `context` is whatever both ends know of
    /// it. Neither tells anything of the line's keys, nor of what is exported for other purposes.
    pub fn export(&self, label: &str, context: &[u8]) -> Option<Secret<32>> {
        self.0.state.phase.confirmed().map(|session| session.export(label, context))
    }

    /// Of which Port it came.
    pub const fn port(&self) -> PortHash {
        self.0.state.origin.port
    }

    /// Where the Port said to connect.
    pub const fn relay(&self) -> Option<&RelayAddr> {
        self.0.state.origin.relay.as_ref()
    }
}

/// For the kit, which sees both ends.
#[cfg(feature = "testkit")]
impl Line {
    /// The check code that this line has, or will have once it is confirmed.
    pub(crate) fn code(&self) -> Option<SafetyNumber> {
        self.0.state.phase.session().filter(|_| !self.is_early()).map(session::Session::safety_number)
    }

    /// A hash of the proof that let Bob in, at Alice's end until Bob is known to have her Confirm.
    pub(crate) const fn proof(&self) -> Option<[u8; 32]> {
        self.0.state.phase.proof()
    }

    /// The key of what Bob says early, as long as this end has it: of a Port for many it tells two of one name apart.
    pub(crate) fn early_key(&self) -> Option<&Secret<32>> {
        let bobs = || self.0.state.phase.session().filter(|_| self.is_early()).map(Session::send);
        self.0.state.phase.early().map(epoch::Early::key).or_else(bobs)
    }

    /// Bob's end, before he knows the keys of epoch 1 (§14.7).
    pub(crate) const fn is_early(&self) -> bool {
        matches!(self.0.state.phase, Phase::BobJoined { upgrade: Some(_), .. })
    }
}

impl_machine!(Line);

impl Role for Line {
    const ROLE: u8 = 3;
    type State = State;
    type Change = Change;
    type Line = Line;
    type Beside = Nothing;
    type Effect<'m> = LineEffect<'m>;

    fn key_of(state: &State) -> RecordKey {
        RecordKey::Line(state.origin.line_id)
    }

    fn deadline_of(state: &State) -> Option<UnixSeconds> {
        match &state.phase {
            Phase::AwaitingProof { until, .. } => Some(*until),
            // She takes her time: what waits for her word is opened after it.
            Phase::AliceAsked { .. } => None,
            phase => phase.early().map(|early| early.until),
        }
    }

    fn after_deadline(state: &State) -> Option<Change> {
        let mut phase = state.phase.clone();
        Some(match phase {
            Phase::AwaitingProof { .. } => Change::closed(CloseReason::Expired, None),
            _ => {
                phase.set_early(None);
                Change::Phase(phase)
            }
        })
    }

    fn after_settling(state: &State) -> Option<Change> {
        match &state.phase {
            Phase::BobConfirmed { due: true, .. } => {
                let mut phase = state.phase.clone();
                phase.answered();
                Some(phase)
            }
            Phase::Closed { end, due: true, .. } => Some(Phase::Closed { end: *end, close: None, due: false }),
            _ => None,
        }
        .map(Change::Phase)
    }

    fn key_after(state: &State, _: &Change) -> RecordKey {
        Self::key_of(state)
    }

    fn record_after(revision: u64, state: &State, change: &Change) -> Record {
        match change {
            Change::Phase(phase) => Record::of::<Self>(revision, (&state.origin, phase)),
            Change::Counters(counters) => {
                let mut phase = state.phase.clone();
                phase.count(*counters);
                Record::of::<Self>(revision, (&state.origin, phase))
            }
        }
    }

    #[inline(always)]
    fn change(state: &mut State, change: Change) {
        match change {
            Change::Phase(phase) => state.phase = phase,
            Change::Counters(counters) => state.phase.count(counters),
        }
    }

    fn effect<'m>(&'m self, emit: Emit<'m>, place: usize, _: &mut Nothing) -> Option<LineEffect<'m>> {
        let line_id = self.0.state.origin.line_id;
        let send = |payload| LineEffect::Send(Request::Packet { line_id, payload });
        match (&self.0.state.phase, place) {
            (Phase::Closed { end, close, due: true }, _) => match place {
                0 => close.as_ref().map(|close| send(close.as_slice())),
                1 => end.is_told_to_relay().then_some(LineEffect::Send(Request::Disconnect { line_id })),
                _ => Some(LineEffect::Ended(*end)),
            },
            (Phase::AliceAsked { .. }, 0) => Some(LineEffect::AwaitingApproval),
            (phase, 0) => phase.packet().map(send),
            (_, 1) => match emit {
                Emit::Sealed(packet) => Some(send(packet)),
                Emit::Opened(text) | Emit::OutboxAndOpened(text) => Some(LineEffect::Message(text)),
                Emit::Told(text) | Emit::OutboxAndTold(text) => {
                    message::read(text).ok().map(LineEffect::IntroducerMessage)
                }
                Emit::Dropped => Some(LineEffect::PacketsLost),
                Emit::Outbox | Emit::Rest | Emit::Refused(_) | Emit::Handed { .. } | Emit::Nothing => None,
            },
            _ => None,
        }
    }
}

impl CloseReason {
    /// A line that the other end closed stays at the relay until this end has left it, too.
    const fn is_told_to_relay(self) -> bool {
        !matches!(self, Self::ByRelay)
    }
}
