//! One end of a line of the app, as a machine (§17.10).

use minicbor::{Decode, Encode};

use super::event::{Event, Happened};
use super::intro::Checked;
use super::message::{EncryptedContent, UnauthenticatedKey};
use super::name::Name;
use super::request::Request;
use crate::error::{Rejected, SealError};
use crate::id::{LineId, PortHash, RecordKey};
use crate::line::{Origin, RelayClaims};
use crate::machine::step::Step;
use crate::machine::{Held, Role, impl_machine};
use crate::outcome::CloseReason;
use crate::port::PortKind;
use crate::proof::SharedSecret;
use crate::time::UnixSeconds;

/// One end of a line of the app: `Open ─▶ Closed`; if the policy of its Port requires approval, `AwaitingApproval ─accept▶ Open`. **It is
/// not authenticated** (§17.9). What comes along it may have been changed, sent back or sent again by the server on the way.
///
/// There is no `confirmed()`: neither end ever shows that it holds the key, or that it was told of the same line or pair. There are only
/// [`claims`](UnauthenticatedLine::claims).
#[derive(Debug)]
pub struct UnauthenticatedLine(Held<State>);

/// What a line of the app asks its caller to do.
#[derive(PartialEq, Eq, Debug)]
pub enum LineEffect<'m> {
    /// Send this to the app's server.
    Send(Request<'m>),
    /// Somebody who holds the Port wants in, and the policy requires approval: [`accept`](UnauthenticatedLine::accept) or
    /// [`decline`](UnauthenticatedLine::decline).
    AwaitingApproval,
    /// The line is over. Tell the user, then clear the outbox.
    Ended(CloseReason),
}

/// Where a line of the app stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LinePhase {
    /// Alice's end: somebody who holds the Port waits for approval.
    AwaitingApproval,
    /// Messages are sealed and opened.
    Open,
    /// Nothing more is sent or taken.
    Closed,
}

#[derive(Clone, Debug, Encode, Decode)]
pub struct State {
    #[n(0)]
    origin: Origin,
    #[n(1)]
    phase: Phase,
    /// The name that the other end gives itself. Only Alice's end keeps one.
    #[n(2)]
    name: Option<Name>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Phase {
    #[n(1)]
    AwaitingApproval(#[n(0)] UnauthenticatedKey),
    #[n(2)]
    Open(#[n(0)] UnauthenticatedKey),
    /// The key is gone.
    #[n(3)]
    Closed {
        #[n(0)]
        reason: CloseReason,
        /// Whether the outbox is still to be done.
        #[n(1)]
        due: bool,
    },
}

impl UnauthenticatedLine {
    const fn new(origin: Origin, phase: Phase, name: Option<Name>) -> Self {
        Self(Held { revision: 0, state: State { origin, phase, name } })
    }

    pub(super) const fn held(&self) -> &Held<State> {
        &self.0
    }

    pub(super) fn of_alice(origin: Origin, checked: Checked, asks: bool) -> Self {
        let Checked { secret, ticket: _, name } = checked;
        let key = UnauthenticatedKey::new(secret);
        Self::new(origin, if asks { Phase::AwaitingApproval(key) } else { Phase::Open(key) }, name)
    }

    pub(super) fn of_bob(origin: Origin, secret: SharedSecret) -> Self {
        Self::new(origin, Phase::Open(UnauthenticatedKey::new(secret)), None)
    }

    /// Takes the event that this line is over. That the other end has left is the server's claim. Pass the content of a message to
    /// [`open`](UnauthenticatedLine::open) instead.
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`]: the event is for another record. [`Rejected::OutOfOrder`]: it does not end the line.
    /// [`Rejected::Closed`]: the line is over already. Each variant says what to do. The machine is unchanged.
    pub fn handle(&mut self, event: &Event) -> Result<Step<'_, Self>, Rejected> {
        match &event.what {
            _ if event.key() != self.0.state.key() => Err(Rejected::WrongMachine),
            Happened::Ended { .. } => self.end(CloseReason::ByRelay),
            _ => Err(Rejected::OutOfOrder),
        }
    }

    /// Opens a message. Nothing moves. That it opens proves nothing about its text, direction or freshness (§17.9). The caller drops every
    /// message that came before, by its [mark](super::MessageId::mark).
    ///
    /// # Errors
    /// [`Rejected::TooEarly`]: the line awaits approval. Hand the message in again after [`accept`](UnauthenticatedLine::accept).
    /// [`Rejected::Forged`]: it does not open, for whatever cause. Drop it. [`Rejected::Closed`]: the line is over. Drop it.
    pub fn open(&self, content: &EncryptedContent) -> Result<super::SecretText, Rejected> {
        match &self.0.state.phase {
            Phase::AwaitingApproval(_) => Err(Rejected::TooEarly),
            Phase::Open(key) => key.open(content).map_err(|_| Rejected::Forged),
            Phase::Closed { .. } => Err(Rejected::Closed),
        }
    }

    /// Seals a message. Send it by [`Request::Message`]. Draw `iv` for it alone. Nothing moves.
    ///
    /// # Errors
    /// [`SealError::NotJoined`]: the line awaits approval. Seal after [`accept`](UnauthenticatedLine::accept). [`SealError::TooLong`]: the
    /// text is longer than 65,519 bytes. Split it. [`SealError::Closed`]: the line is over.
    pub fn seal(&self, iv: [u8; 16], text: &str) -> Result<EncryptedContent, SealError> {
        match &self.0.state.phase {
            Phase::AwaitingApproval(_) => Err(SealError::NotJoined),
            Phase::Open(key) => key.seal(iv, text).map_err(|_| SealError::TooLong),
            Phase::Closed { .. } => Err(SealError::Closed),
        }
    }

    /// Ends the line for good. The key is wiped from the record, and the server is told.
    ///
    /// # Errors
    /// [`Rejected::Closed`]: it is closed already.
    pub fn close(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(CloseReason::ByUs)
    }

    /// Lets the visitor in. The visitor is not notified, because its own end was open from the start.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn accept(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let Phase::AwaitingApproval(key) = &self.0.state.phase else { return Err(Rejected::OutOfOrder) };
        let next = self.0.state.with(Phase::Open(key.clone()));
        Ok(Step::new(self, next))
    }

    /// Turns the visitor away. The line is disconnected.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn decline(&mut self) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() == LinePhase::AwaitingApproval {
            self.end(CloseReason::Declined)
        } else {
            Err(Rejected::OutOfOrder)
        }
    }

    fn end(&mut self, reason: CloseReason) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() == LinePhase::Closed {
            return Err(Rejected::Closed);
        }
        let next = self.0.state.with(Phase::Closed { reason, due: true });
        Ok(Step::new(self, next))
    }

    /// The phase of the line.
    pub const fn phase(&self) -> LinePhase {
        match self.0.state.phase {
            Phase::AwaitingApproval(_) => LinePhase::AwaitingApproval,
            Phase::Open(_) => LinePhase::Open,
            Phase::Closed { .. } => LinePhase::Closed,
        }
    }

    /// The server's claims about the line. They are never confirmed: do not rely on them.
    pub const fn claims(&self) -> RelayClaims {
        let Origin { line_id, peer, .. } = self.0.state.origin;
        RelayClaims { line_id, peer }
    }

    /// The hash of the Port that formed the line.
    pub const fn port(&self) -> PortHash {
        self.0.state.origin.port
    }

    /// The kind of the Port that formed the line.
    pub const fn kind(&self) -> PortKind {
        self.0.state.origin.kind
    }

    /// The name that Bob gives itself, at Alice's end. It is a claim, and not authenticated (§17.9). `None` at Bob's end: the name that
    /// Alice gives itself is in its bundle.
    pub const fn name(&self) -> Option<&Name> {
        self.0.state.name.as_ref()
    }

    /// Alice's line with the introducer, if the two met through a contact port. The ticket was announced along it. `None` at Bob's end.
    pub fn introduced_by(&self) -> Option<LineId> {
        self.0.state.origin.introduced.as_ref()?.by
    }
}

impl State {
    fn with(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }

    const fn key(&self) -> RecordKey {
        RecordKey::Line(self.origin.line_id)
    }

    const fn deadline(&self) -> Option<UnixSeconds> {
        None
    }

    const fn at_deadline(&self, _: UnixSeconds) -> Option<Self> {
        None
    }

    fn without_outbox(&self) -> Option<Self> {
        match self.phase {
            Phase::Closed { reason, due: true } => Some(self.with(Phase::Closed { reason, due: false })),
            _ => None,
        }
    }
}

impl Role for UnauthenticatedLine {
    const ROLE: u8 = 18;
    const OUTBOX: u8 = 2;
    type Effect<'m> = LineEffect<'m>;

    impl_machine!(state: State);
    impl_machine!(whole next state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held)
    }

    fn outbox(&self, place: u8) -> Option<LineEffect<'_>> {
        match (&self.0.state.phase, place) {
            (Phase::AwaitingApproval(_), 0) => Some(LineEffect::AwaitingApproval),
            (Phase::Closed { reason, due: true }, 0) if reason.is_told_to_relay() => {
                Some(LineEffect::Send(Request::Disconnect(self.claims().line_id)))
            }
            (Phase::Closed { reason, due: true }, 1) => Some(LineEffect::Ended(*reason)),
            _ => None,
        }
    }
}
