//! Line: one end of a connection (§6).

mod buffer;
mod epoch;
mod join;
mod origin;
mod outbox;
mod padding;
mod phase;
mod seal;
mod session;
mod transition;
pub(crate) mod window;

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::cbor::{Bytes, Versioned};
use crate::error::{Rejected, SealError};
use crate::id::{LineId, PeerMark, PortHash};
use crate::introducer::message::{IntroducerMessage, MAX_INTRODUCER_MESSAGE};
use crate::machine::Held;
use crate::machine::step::Step;
use crate::message::{Event, PacketKind, Request};
use crate::outcome::CloseReason;
use crate::port::RelayAddr;
use crate::secret::Secret;
use crate::time::UnixSeconds;

pub use buffer::Buffer;
pub(crate) use epoch::Early;
use epoch::MOST_EARLY;
pub(crate) use join::AliceKeys;
pub use origin::Introduced;
pub(crate) use origin::{BobSecrets, Common, Guest, Origin};
pub use padding::padded_len;
pub(crate) use phase::Phase;
use phase::{AliceStage, BobStage, Change, End, State};
use seal::MAX_OWN;
pub use seal::{MAX_ASSOCIATED_DATA, MAX_MESSAGE, SEAL_OVERHEAD};
pub use session::SafetyNumber;
use session::Session;

/// One end of a connection (§6): `Joined ─a packet of the other end decrypts▶ Confirmed ─▶ Closed`. On a line of a Port for many, Bob's early
/// messages do not confirm it yet (§14.7).
///
/// Alice's end begins in `AwaitingProof` if the proof did not travel inside the request. If the Port's policy requires approval, Alice's
/// end waits in `AwaitingApproval` before it is `Joined` (§14.5).
#[derive(Debug)]
pub struct Line(Held<State>);

/// What a Line asks its caller to do.
#[derive(PartialEq, Eq)]
pub enum LineEffect<'m> {
    /// A message of the other user. The text is in your buffer. It was in [`Write::received`](crate::Write::received), and is stored.
    Message(&'m [u8]),
    /// A message between Alice and its introducer (§16.3). It was in [`Write::received`](crate::Write::received), too.
    IntroducerMessage(IntroducerMessage<'m>),
    /// The relay dropped packets that you sent, because its queue for the other end was full. You may get this effect several times.
    ///
    /// 1. After a short wait, do what is pending. The lost packet may be the proof.
    /// 2. On a confirmed line, wait for the next packet of the other end: it shows that the queue is being read.
    /// 3. Only then seal again the messages that your app knows to be missing there.
    PacketsLost,
    /// Send this to the relay.
    Send(Request<'m>),
    /// Somebody who holds the Port wants in, and the policy requires approval. Ask the user, then call [`accept`](Line::accept) or
    /// [`decline`](Line::decline). The visitor hears nothing until then.
    AwaitingApproval,
    /// The line is over. Tell the user. Clear the outbox once the relay has the requests that came before this.
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
    /// Alice's end: somebody used the Port's link, and has not proved yet that they hold the Port.
    AwaitingProof,
    /// Alice's end: somebody who holds the Port waits for approval.
    AwaitingApproval,
    /// This end has keys. It is not proven yet who holds them at the other end.
    Joined,
    /// It is proven that the other end holds the same keys and saw the same handshake.
    Confirmed,
    /// The line is over. It seals nothing and opens nothing.
    Closed,
}

/// What the relay says about a line (§6.6). Until the line is confirmed, the relay may have told the two ends different names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelayClaims {
    /// The line's name at the relay.
    pub line_id: LineId,
    /// The relay's mark of the user at the other end. It is this end's alone, and is never proven.
    pub peer: PeerMark,
}

/// What is proven once a line is confirmed: both ends have it (§6.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Confirmed {
    /// The line's name at the relay.
    pub line_id: LineId,
}

impl Line {
    /// One end of a line, as it begins.
    pub(crate) const fn new(origin: Origin, phase: Phase) -> Self {
        Self(Held { revision: 0, state: State { origin, phase } })
    }

    /// Bob's end.
    pub(crate) fn of_bob(origin: Origin, bob: &BobSecrets<'_>) -> Self {
        let phase = Phase::of_bob(&origin.common(), bob);
        Self::new(origin, phase)
    }

    pub(crate) const fn held(&self) -> &Held<State> {
        &self.0
    }

    /// Takes an event from the relay (§6.4). A message is decrypted into `buffer`: a slice that is as long as the packet, or a `Vec`, which
    /// grows ([`Buffer`]). You get the message twice: in [`Write::received`](crate::Write::received) to store it, then as an effect to
    /// show it. `now` and `rng` are not used today: no event ends a span (§8.8), and no event of a line draws a key.
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged. Do not use what is in `buffer`.
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

    /// [`handle`](Line::handle) for messages that were sealed with associated data (§6.3). Both ends must pass the same data. The
    /// protocol's own packets have none: for a proof, Confirm, Answer, Close and an introducer message the argument is ignored.
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
        let _ = (now, rng);
        let ours = self.0.state.origin.line_id;
        match event {
            Event::Packet { line_id, payload } if *line_id == ours => {
                transition::packet(self, payload, associated_data, buffer.room(payload.len()))
            }
            Event::Disconnected { line_id } if *line_id == ours => self.end(CloseReason::ByRelay, None),
            Event::Dropped { line_id } if *line_id == ours => self.packets_lost(),
            _ => Err(Rejected::WrongMachine),
        }
    }

    /// Seals a message (§6.3). `buffer` must have room for the message and [`SEAL_OVERHEAD`] bytes. The packet to send is the step's
    /// effect. The relay can see how long the packet is. Send only that effect, never the bytes of `buffer`: if you then drop the step, the
    /// next message gets the same number, and two packets under one number must never go out. The outbox does not hold this packet: keep
    /// the message until you know that the other end has it. If needed, seal it again.
    ///
    /// # Errors
    /// [`SealError`]: each variant says what to do. The machine is unchanged.
    #[inline]
    pub fn seal<'m>(
        &'m mut self,
        message: &[u8],
        associated_data: &[u8],
        buffer: impl Buffer<'m>,
    ) -> Result<Step<'m, Self>, SealError> {
        // No more room than the longest message takes: a longer one is refused.
        let buffer = buffer.room(message.len().min(MAX_MESSAGE).saturating_add(SEAL_OVERHEAD));
        self.seal_as([PacketKind::EarlyMessage, PacketKind::Message], message, associated_data, buffer)
    }

    /// [`seal`](Line::seal) with padding (§6.9): the text gets one of eleven fixed lengths, so the relay learns less. `buffer` must have
    /// room for [`padded_len`]`(message.len())` and [`SEAL_OVERHEAD`] bytes. A message must be shorter than [`MAX_MESSAGE`]. The other end
    /// opens it like any other.
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

    /// Seals an [`IntroducerMessage`] (§16.3). `buffer` must have room for [`MAX_INTRODUCER_MESSAGE`] and [`SEAL_OVERHEAD`] bytes.
    ///
    /// # Errors
    /// [`SealError`]: each variant says what to do. [`SealError::Unconfirmed`] while the line is joined and not confirmed: it is not
    /// proven yet who would receive the message.
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

    /// Ends the line for good (§6.7). The keys are deleted, and a last packet tells the other end.
    ///
    /// # Errors
    /// [`Rejected::Closed`]: it is closed already.
    pub fn close(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let close = self.0.state.phase.session().map(|session| {
            let mut close = Bytes::EMPTY;
            session.clone().seal_own(&mut close, PacketKind::Close, &[]);
            close
        });
        self.end(CloseReason::ByUs, close)
    }

    /// Lets the visitor in (§14.5), and answers it. Packets that came while it waited were refused as [`Rejected::TooEarly`]. If you kept
    /// them, give them to `handle` again within seven days.
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

    /// Turns the visitor away (§14.5). The visitor can't tell this from a closed Port.
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

    /// What the relay says about this line. It is not proven: see [`confirmed`](Line::confirmed).
    pub const fn claims(&self) -> RelayClaims {
        let Origin { line_id, peer, .. } = self.0.state.origin;
        RelayClaims { line_id, peer }
    }

    /// What you may rely on. `Some` only while the line is confirmed and not closed.
    pub fn confirmed(&self) -> Option<Confirmed> {
        let RelayClaims { line_id, peer: _ } = self.claims();
        (self.phase() == LinePhase::Confirmed).then_some(Confirmed { line_id })
    }

    /// The line that you had with this user before (§14.6). Close that one now. `None` if there was none, and until this line is confirmed.
    pub fn replaces(&self) -> Option<LineId> {
        self.0.state.origin.replaces.filter(|_| self.phase() == LinePhase::Confirmed)
    }

    /// The contact who introduced the two ends of this line, through a contact port (§16.5). It is not proven until the line is confirmed.
    pub const fn introduced(&self) -> Option<&Introduced> {
        self.0.state.origin.introduced.as_ref()
    }

    /// A number for two people to compare by voice (§6.8). `Some` only while the line is confirmed.
    pub fn safety_number(&self) -> Option<SafetyNumber> {
        self.0.state.phase.confirmed().map(Session::safety_number)
    }

    /// 32 secret bytes for another protocol on top (§6.10). Both ends get the same bytes if they pass the same `label` and `context`. Use
    /// another label for each purpose. `context` is data that both ends have. Nobody can compute the line's keys, or other exports, from
    /// the bytes. `Some` only while the line is confirmed.
    pub fn export(&self, label: &str, context: &[u8]) -> Option<Secret<32>> {
        self.0.state.phase.confirmed().map(|session| session.export(label, context))
    }

    /// The hash of the Port that formed this line.
    pub const fn port(&self) -> PortHash {
        self.0.state.origin.port
    }

    /// The relay's address, if the Port named one.
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
