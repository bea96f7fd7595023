//! One end of a line of the app, as a machine (§17.10).

use minicbor::{Decode, Encode};

use super::event::{Event, Happened};
use super::message::{EncryptedContent, UnauthenticatedKey};
use super::name::Name;
use super::request::Request;
use crate::dialect::Checked;
use crate::error::{Rejected, SealError};
use crate::id::{LineId, RecordKey};
use crate::line::{CloseReason, Origin, RelayClaims};
use crate::machine::{Created, Emit, Held, Nothing, Role, Step, impl_machine, whole_state};
use crate::port::{PortKind, UnixSeconds};
use crate::proof::SharedSecret;

/// One end of a line of the app: `Open ─▶ Closed`; if its Port's policy is to ask, `Asked ─accept▶ Open`. **It is not authenticated**
/// (§17.9): whoever carries a message can change it, send it back or send it again, and it opens.
///
/// There is no `confirmed()`: nobody shows at any time that he holds the key, that he was told of the same line, or of the same pair. All
/// that there is are [`claims`](UnauthenticatedLine::claims).
#[derive(Debug)]
pub struct UnauthenticatedLine(Held<State>);

/// What a line of the app asks its caller to do.
#[derive(PartialEq, Eq, Debug)]
pub enum LineEffect<'m> {
    /// Send this to the app's server.
    Send(Request<'m>),
    /// Somebody who holds the Port wants in, and its policy is to ask: [`accept`](UnauthenticatedLine::accept) or [`decline`](UnauthenticatedLine::decline).
    AwaitingApproval,
    /// The line is over. Tell the user, then settle.
    Ended(CloseReason),
}

/// Where a line of the app stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum LinePhase {
    /// Alice's end: somebody who holds the Port waits for her word.
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
    /// What the other end calls itself, at Alice's.
    #[n(2)]
    name: Option<Name>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Phase {
    #[n(1)]
    Asked(#[n(0)] UnauthenticatedKey),
    #[n(2)]
    Open(#[n(0)] UnauthenticatedKey),
    /// The key is gone.
    #[n(3)]
    Closed {
        #[n(0)]
        end: CloseReason,
        /// Whether that is still to be said.
        #[n(1)]
        due: bool,
    },
}

impl UnauthenticatedLine {
    pub(super) fn of_alice(origin: Origin, checked: Checked<Option<Name>>, asks: bool) -> Created<Self> {
        let Checked { secret, ticket: _, claim: name } = checked;
        let key = UnauthenticatedKey::new(secret);
        Created::new(State { origin, phase: if asks { Phase::Asked(key) } else { Phase::Open(key) }, name })
    }

    pub(super) fn of_bob(origin: Origin, secret: SharedSecret) -> Created<Self> {
        Created::new(State { origin, phase: Phase::Open(UnauthenticatedKey::new(secret)), name: None })
    }

    /// Takes the end of the line from the app's server: the other end has left, or it says so. A message is for
    /// [`open`](UnauthenticatedLine::open).
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`], [`Rejected::OutOfOrder`], [`Rejected::Closed`]. Nothing has moved.
    pub fn handle(&mut self, event: &Event) -> Result<Step<'_, Self>, Rejected> {
        match &event.what {
            _ if event.key() != Self::key_of(&self.0.state) => Err(Rejected::WrongMachine),
            Happened::Ended { .. } => self.end(CloseReason::ByRelay),
            _ => Err(Rejected::OutOfOrder),
        }
    }

    /// Opens a message: the other end may have said that, or something like it, or anybody may have sent it again. Nothing moves; that
    /// it comes once is for the caller to see, by its [mark](super::MessageId::mark).
    ///
    /// # Errors
    /// [`Rejected::TooEarly`] until she has accepted, [`Rejected::Forged`] for every way in which it does not open,
    /// [`Rejected::Closed`].
    pub fn open(&self, content: &EncryptedContent) -> Result<super::SecretText, Rejected> {
        match &self.0.state.phase {
            Phase::Asked(_) => Err(Rejected::TooEarly),
            Phase::Open(key) => key.open(content).map_err(|_| Rejected::Forged),
            Phase::Closed { .. } => Err(Rejected::Closed),
        }
    }

    /// Seals a message, to be sent by [`Request::Message`]. `iv` is drawn for it and nothing else. Nothing moves.
    ///
    /// # Errors
    /// [`SealError::NotJoined`] until she has accepted, [`SealError::TooLong`], [`SealError::Closed`].
    pub fn seal(&self, iv: [u8; 16], text: &str) -> Result<EncryptedContent, SealError> {
        match &self.0.state.phase {
            Phase::Asked(_) => Err(SealError::NotJoined),
            Phase::Open(key) => key.seal(iv, text).map_err(|_| SealError::TooLong),
            Phase::Closed { .. } => Err(SealError::Closed),
        }
    }

    /// Ends the line, for good: the key goes, and the server is told.
    ///
    /// # Errors
    /// [`Rejected::Closed`]: it is closed already.
    pub fn close(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(CloseReason::ByUs)
    }

    /// Lets in who waits. He is not told, for he knows of no waiting.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: nobody waits.
    pub fn accept(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let Phase::Asked(key) = &self.0.state.phase else { return Err(Rejected::OutOfOrder) };
        let next = self.0.state.with(Phase::Open(key.clone()));
        Ok(Step::new(self, next, Emit::Outbox))
    }

    /// Turns away who waits.
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

    fn end(&mut self, end: CloseReason) -> Result<Step<'_, Self>, Rejected> {
        if self.phase() == LinePhase::Closed {
            return Err(Rejected::Closed);
        }
        let next = self.0.state.with(Phase::Closed { end, due: true });
        Ok(Step::new(self, next, Emit::Outbox))
    }

    /// Where it stands.
    pub const fn phase(&self) -> LinePhase {
        match self.0.state.phase {
            Phase::Asked(_) => LinePhase::AwaitingApproval,
            Phase::Open(_) => LinePhase::Open,
            Phase::Closed { .. } => LinePhase::Closed,
        }
    }

    /// What the server says of it. Nothing to rely on, ever.
    pub const fn claims(&self) -> RelayClaims {
        let Origin { line_id, pair_hash, .. } = self.0.state.origin;
        RelayClaims { line_id, pair_hash }
    }

    /// Of what kind of Port it came.
    pub const fn kind(&self) -> PortKind {
        self.0.state.origin.kind
    }

    /// What Bob calls himself, at Alice's end. He may say what he likes, and whoever carried it could change it. What Alice calls herself
    /// stood in her bundle.
    pub const fn name(&self) -> Option<&Name> {
        self.0.state.name.as_ref()
    }

    /// Alice's line with who introduced the two, through a contact port: along it she was told of the ticket.
    pub fn introduced_by(&self) -> Option<LineId> {
        self.0.state.origin.introduced.as_ref()?.by
    }
}

impl State {
    fn with(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }
}

impl_machine!(UnauthenticatedLine);

impl Role for UnauthenticatedLine {
    const ROLE: u8 = 18;
    type State = State;
    type Line = Self;
    type Beside = Nothing;
    type Effect<'m> = LineEffect<'m>;

    fn key_of(state: &State) -> RecordKey {
        RecordKey::Line(state.origin.line_id)
    }

    fn deadline_of(_: &State) -> Option<UnixSeconds> {
        None
    }

    fn after_deadline(_: &State) -> Option<State> {
        None
    }

    fn after_settling(state: &State) -> Option<State> {
        match state.phase {
            Phase::Closed { end, due: true } => Some(state.with(Phase::Closed { end, due: false })),
            _ => None,
        }
    }

    whole_state!();

    fn effect<'m>(&'m self, _: Emit<'m>, place: usize, _: &mut Nothing) -> Option<LineEffect<'m>> {
        match (&self.0.state.phase, place) {
            (Phase::Asked(_), 0) => Some(LineEffect::AwaitingApproval),
            (Phase::Closed { end, due: true }, 0) if *end != CloseReason::ByRelay => {
                Some(LineEffect::Send(Request::Disconnect(self.claims().line_id)))
            }
            (Phase::Closed { end, due: true }, 1) => Some(LineEffect::Ended(*end)),
            _ => None,
        }
    }
}
