//! Bob: one Port at its user's side (§5).

use core::fmt;
use core::marker::PhantomData;

use minicbor::{Decode, Encode};

use crate::dialect::{Ask, Dialect, Native, Says, Speaks};
use crate::error::Rejected;
use crate::id::{LineId, LineLink, PortHash, RecordKey};
use crate::line::{Introduced, Line, Origin};
use crate::machine::peers::{Peers, Relationship};
use crate::machine::{Created, Emit, Held, Role, Step, impl_machine, whole_state};
use crate::message::{Event, Reason, Request};
use crate::port::ticket::Ticket;
use crate::port::{Port, PortKind, Terms, UnixSeconds};
use crate::proof::{self, PrivateKey, SharedSecret};
use crate::secret::{Secret, Seed};
use crate::tombstone::{FinalRequest, Tombstone};

/// One Port at its user's side (§5): `Scanned ─connect▶ Connecting ─LineFormed▶ Spent`.
///
/// What comes of it is a [`Line`] or a [`UseOutcome`].
pub type Bob = BobOf<Native>;

/// A Bob of either [`Dialect`]: [`Bob`] speaks this crate's own, `app::Bob` the app's. What he is stands there.
pub struct BobOf<D: Dialect>(Held<State<D::Proof>>, PhantomData<fn() -> D>);

/// What a Bob asks his caller to do.
#[derive(Debug)]
pub enum BobEffect<'m> {
    /// Send this to the relay.
    Send(Request<'m>),
    /// A line was formed, and its record is stored ([`Step::line`]). Do what is in its `pending()`.
    LineFormed(Line),
    /// It is over without a line. Tell the user, then settle.
    Ended(UseOutcome),
}

/// Why a Port is of no more use to its user (§5.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum UseOutcome {
    /// The user gave it up.
    #[n(1)]
    Cancelled,
    /// It was not used in time.
    #[n(2)]
    Expired,
    /// The relay says that it forms no line. [`Reason::UsedByAnother`] is a security event.
    #[n(3)]
    Refused(#[n(0)] Reason),
    /// Whoever made the Port, the user has blocked him (§14.6).
    #[n(4)]
    Blocked,
    /// The app's server named no pair (§17.8), so that nobody knows whether he is blocked. Not of this crate's own Ports.
    #[n(5)]
    NoPairHash,
}

/// How the proof travels (§5.2). It is the caller's choice, and the line is the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum SendProof {
    /// On board of the connect request: one round trip less.
    #[default]
    #[n(1)]
    Inline,
    /// Along the line, after `LineFormed`: for a relay that takes none on board.
    #[n(2)]
    AlongTheLine,
}

/// Where a Bob stands (§5.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum BobPhase {
    /// He waits for his user, or for a network.
    Scanned,
    /// He waits for the relay's answer.
    Connecting,
    /// Spent, with this line.
    Formed(LineId),
    /// Spent, without one.
    Ended(UseOutcome),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum State<P> {
    #[n(1)]
    Scanned(#[n(0)] Scanned),
    #[n(2)]
    Connecting(#[n(0)] Connecting<P>),
    #[n(3)]
    Spent(#[n(0)] Tombstone<UseOutcome>),
}

/// Waits for the user, or for a network.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Scanned {
    #[n(0)]
    port: Port,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    iv: Secret<16>,
}

/// Waits for the relay's answer. The private key of a Port for one use is gone: it had one use.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Connecting<P> {
    #[n(0)]
    pub(crate) line_link: LineLink,
    #[n(1)]
    pub(crate) kind: PortKind,
    #[n(2)]
    pub(crate) port: PortHash,
    #[n(3)]
    pub(crate) terms: Terms,
    #[n(4)]
    pub(crate) secret: SharedSecret,
    #[n(5)]
    pub(crate) proof: P,
    #[n(6)]
    pub(crate) send_proof: SendProof,
    /// For the ephemeral key of a Port for many (§14.7).
    #[n(7)]
    pub(crate) private_key: Option<PrivateKey>,
    #[n(8)]
    pub(crate) ticket: Option<Ticket>,
}

/// Where an event takes a Bob, and the line that he has then.
type Moved<D> = (State<<D as Speaks>::Proof>, Option<Created<<D as Speaks>::Line>>);

/// §5.3, §5.4: the whole of Bob. His commands, connect and cancel, and the deadline need no event and stand below.
fn transition<D: Dialect>(
    state: &State<D::Proof>,
    event: &Event<'_>,
    known: &impl Peers,
    now: UnixSeconds,
) -> Result<Moved<D>, Rejected> {
    if event.key() != state.key() {
        return Err(Rejected::WrongMachine);
    }
    match (state, event) {
        (State::Connecting(connecting), Event::LineFormed { line_id, pair_hash, proof: None, .. }) => {
            let Connecting { line_link, kind, port, terms, ticket, .. } = connecting;
            let ends = |end, farewell| Ok((State::Spent(Tombstone::ended(event.key(), end, farewell)), None));
            let ended = |end| ends(end, FinalRequest::Disconnect(*line_id));
            let replaces = match known.pair(pair_hash) {
                // He used this Port before, and has forgotten it. The line is a good one.
                _ if known.has_line(line_id) => {
                    return ends(UseOutcome::Refused(Reason::UsedByYou), FinalRequest::Nothing);
                }
                _ if terms.have_expired(now) => return ended(UseOutcome::Expired),
                Relationship::Blocked => return ended(UseOutcome::Blocked),
                Relationship::Connected(line_id) if D::CONFIRMS => Some(line_id),
                Relationship::Connected(_) | Relationship::Unknown => None,
            };
            let origin = Origin {
                kind: *kind,
                port: *port,
                line_id: *line_id,
                pair_hash: *pair_hash,
                relay: terms.relay.clone(),
                replaces,
                introduced: ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: None }),
            };
            let spent = Tombstone::Formed { line_link: *line_link, line_id: *line_id };
            Ok((State::Spent(spent), Some(D::line_of_bob(origin, connecting))))
        }
        // It may be resumed: he goes on asking.
        (State::Connecting(_), Event::Refused { reason: Reason::Paused, .. }) => Err(Rejected::Paused),
        (State::Connecting(_), Event::Refused { reason, .. }) => {
            Ok((State::Spent(Tombstone::ended(event.key(), UseOutcome::Refused(*reason), FinalRequest::Nothing)), None))
        }
        // A proof on board is on its way to an Alice.
        (_, Event::LineFormed { proof: Some(_), .. }) => Err(Rejected::WrongMachine),
        // It came again: what answers a stray would end a good line (§4.4).
        (State::Spent(_), Event::LineFormed { line_id, .. }) if known.has_line(line_id) => Err(Rejected::Duplicate),
        (State::Spent(spent), event) => Err(spent.reject(event)),
        _ => Err(Rejected::OutOfOrder),
    }
}

impl Bob {
    /// A Port that was read (§5.1). Nothing is used yet; it keeps until there is a network.
    pub fn scan(port: Port, seed: Seed) -> Created<Self> {
        Self::read(port, seed)
    }

    /// UseLimit the Port (§5.2). Past its expiry the step ends with [`UseOutcome::Expired`] instead. A Port for many takes the proof on
    /// board only, whatever `send_proof` says (§14.4).
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it was used before. The request is in [`pending`](crate::Machine::pending).
    pub fn connect(&mut self, send_proof: SendProof, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.connect_by(proof::prove, send_proof, now)
    }

    /// Takes an event from the relay (§5.5); of who made the Port nothing is known: **he is not blocked**. For that there is
    /// [`handle`](Bob::handle).
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle_knowing(event, &(), now)
    }

    /// [`handle`](Bob::handle), with what the caller knows of who made the Port: whether the user blocked him or has a line
    /// with him already (§14.6).
    ///
    /// # Errors
    /// The same.
    pub fn handle_knowing(
        &mut self,
        event: &Event<'_>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        self.take(event, known, now)
    }

    /// [`handle`](Bob::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    pub fn handle_bytes(&mut self, event: &[u8], now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(&Event::decode(event)?, now)
    }
}

impl<D: Dialect> BobOf<D> {
    pub(crate) fn read(port: Port, seed: Seed) -> Created<Self> {
        let Seed { private_key, block: iv, request_id: _ } = seed;
        Created::new(State::Scanned(Scanned { port, private_key: PrivateKey::new(private_key), iv }))
    }

    pub(crate) fn connect_by(
        &mut self,
        prove: impl FnOnce(&PrivateKey, &[u8; 16], &Port) -> (D::Proof, SharedSecret),
        send_proof: SendProof,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let State::Scanned(Scanned { port, private_key, iv }) = &self.0.state else {
            return Err(Rejected::OutOfOrder);
        };
        if port.terms.have_expired(now) {
            return self.end(UseOutcome::Expired, FinalRequest::Nothing);
        }
        let (proof, secret) = prove(private_key, iv.expose(), port);
        let connecting = Connecting {
            line_link: port.line_link,
            kind: port.kind,
            port: D::hash(port),
            terms: port.terms.clone(),
            secret,
            proof,
            send_proof: if port.kind.is_for_many() { SendProof::Inline } else { send_proof },
            private_key: (D::HAS_EPOCHS && port.kind.is_for_many()).then(|| private_key.clone()),
            ticket: port.ticket.clone(),
        };
        Ok(Step::new(self, State::Connecting(connecting), Emit::Outbox))
    }

    #[inline]
    pub(crate) fn take(
        &mut self,
        event: &Event<'_>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let (state, line) = transition::<D>(&self.0.state, event, known, now)?;
        Ok(Step::with(self, state, Emit::Outbox, line))
    }

    /// Gives the Port up (§5.4). A line that is formed all the same comes back as [`Rejected::UnwantedLine`].
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is over already.
    pub fn cancel(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(UseOutcome::Cancelled, FinalRequest::Nothing)
    }

    pub(crate) fn end(&mut self, end: UseOutcome, farewell: FinalRequest) -> Result<Step<'_, Self>, Rejected> {
        let state = self.0.state.end(end, farewell).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state, Emit::Outbox))
    }

    /// Where to connect; `None` once it is over, or if the Port does not say.
    pub const fn relay(&self) -> Option<&crate::RelayAddr> {
        match &self.0.state {
            State::Scanned(scanned) => scanned.port.relay(),
            State::Connecting(connecting) => connecting.terms.relay.as_ref(),
            State::Spent(_) => None,
        }
    }

    /// Whether it is over, with a line or without.
    pub const fn is_spent(&self) -> bool {
        matches!(self.0.state, State::Spent(_))
    }

    /// Where it stands.
    pub const fn phase(&self) -> BobPhase {
        match &self.0.state {
            State::Scanned(_) => BobPhase::Scanned,
            State::Connecting(_) => BobPhase::Connecting,
            State::Spent(Tombstone::Formed { line_id, .. }) => BobPhase::Formed(*line_id),
            State::Spent(Tombstone::Ended { end, .. }) => BobPhase::Ended(*end),
        }
    }
}

impl<P> State<P> {
    const fn key(&self) -> RecordKey {
        match self {
            Self::Scanned(scanned) => RecordKey::LineLink(scanned.port.line_link),
            Self::Connecting(connecting) => RecordKey::LineLink(connecting.line_link),
            Self::Spent(spent) => spent.key(),
        }
    }

    /// `None` if it was over before.
    fn end(&self, end: UseOutcome, farewell: FinalRequest) -> Option<Self> {
        match self {
            Self::Spent(_) => None,
            _ => Some(Self::Spent(Tombstone::ended(self.key(), end, farewell))),
        }
    }
}

impl<D: Dialect> Role for BobOf<D> {
    const ROLE: u8 = D::BOB;
    type State = State<D::Proof>;
    type Line = D::Line;
    type Beside = Option<Created<D::Line>>;
    type Effect<'m> = D::BobEffect<'m>;

    fn key_of(state: &Self::State) -> RecordKey {
        state.key()
    }

    fn deadline_of(state: &Self::State) -> Option<UnixSeconds> {
        match state {
            State::Scanned(scanned) => scanned.port.terms.expires,
            State::Connecting(connecting) => connecting.terms.expires,
            State::Spent(_) => None,
        }
    }

    fn after_deadline(state: &Self::State) -> Option<Self::State> {
        state.end(UseOutcome::Expired, FinalRequest::Nothing)
    }

    fn after_settling(state: &Self::State) -> Option<Self::State> {
        match state {
            State::Spent(spent) => spent.settled().map(State::Spent),
            _ => None,
        }
    }

    whole_state!(State<D::Proof>);

    fn effect<'m>(&'m self, _: Emit<'m>, place: usize, beside: &mut Self::Beside) -> Option<D::BobEffect<'m>> {
        D::bob_effect(match (&self.0.state, place) {
            (State::Connecting(connecting), 0) => Says::Ask(Ask::Connect(connecting)),
            (State::Spent(Tombstone::Formed { .. }), 0) => Says::LineFormed(beside.take()?.commit()),
            (State::Spent(spent), place) => spent.says(place)?,
            _ => return None,
        })
    }
}

impl_machine!(BobOf, "Bob", State<D::Proof>);
