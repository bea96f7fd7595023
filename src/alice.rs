//! Alice: one Port at its creator's side (§4).

use minicbor::{Decode, Encode};

use crate::error::Rejected;
use crate::id::{Key, LineLink, Mark, RequestId};
use crate::line::{Line, Origin, Phase};
use crate::machine::{Born, Emit, Held, Record, Role, Step};
use crate::message::{Event, Request};
use crate::port::{Kind, Offer, Port, UnixSeconds};
use crate::proof::PrivateKey;
use crate::secret::{Rad, Seed};
use crate::spent::{Farewell, Last, Spent};

/// One Port at its creator's side (§4): `Requesting ─LineLinkIssued▶ Offered ─LineFormed▶ Spent`.
///
/// Every `LineFormed` spends it, durably, whatever proof came with it. What comes of it is a [`Line`] or an
/// [`AliceEnd`].
#[derive(Debug)]
pub struct Alice(Held<State>);

/// What an Alice asks her caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// Send this to the Server.
    Send(Request<'m>),
    /// Show this Port: as a QR code, a link, by NFC.
    PortReady(&'m Port),
    /// A line was formed. Insert it at [`Born::key`] (if that is taken, ask [`Born::is_stored_as`]), commit a clone of it, do
    /// what is in its `unsent()`, then settle this Alice.
    LineFormed(&'m Born<Line>),
    /// It is over without a line. Tell the user, then settle.
    Ended(AliceEnd),
}

/// Why a Port is dead without a line (§4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum AliceEnd {
    /// The user took it back.
    #[n(1)]
    Revoked,
    /// It was not used in time.
    #[n(2)]
    Expired,
    /// It was used without a good proof: somebody has the link, but not the Port. Make a new one.
    #[n(3)]
    ProofRefused,
}

/// Where an Alice stands (§4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AlicePhase {
    /// She waits for a line link.
    Requesting,
    /// She waits for somebody who holds the Port.
    Offered,
    /// Spent, with a line.
    Formed,
    /// Spent, without one.
    Ended(AliceEnd),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum State {
    #[n(1)]
    Requesting(#[n(0)] Requesting),
    #[n(2)]
    Offered(#[n(0)] Offered),
    #[n(3)]
    Spent(#[n(0)] Spent<AliceEnd>),
}

/// Waits for a line link.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Requesting {
    #[n(0)]
    request_id: RequestId,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    rad: Rad,
    #[n(3)]
    offer: Offer,
}

/// Waits for somebody who holds the Port.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Offered {
    #[n(0)]
    port: Port,
    #[n(1)]
    private_key: PrivateKey,
}

/// §4.2, §4.3, §4.4: the whole of Alice. Her commands, revoke and the deadline, need no event and stand below.
fn transition(state: &State, event: &Event<'_>, now: UnixSeconds) -> Result<(State, Option<Mark>), Rejected> {
    if event.key() != Alice::key_of(state) {
        return Err(Rejected::NotMine);
    }
    match (state, event) {
        (State::Requesting(requesting), Event::LineLinkIssued { line_link, .. }) => {
            let Requesting { request_id: _, private_key, rad, offer } = requesting.clone();
            let offered = Offered::new(*line_link, private_key, rad, offer);
            // Too late to be offered: the Server need not keep the link.
            Ok((
                if offered.port.offer.has_expired(now) {
                    offered.end(AliceEnd::Expired)
                } else {
                    State::Offered(offered)
                },
                None,
            ))
        }
        (State::Offered(offered), Event::LineFormed { line_id, pair_hash, proof, .. }) => {
            let Offered { port, private_key } = offered;
            let origin = Origin::new(port, *line_id, *pair_hash);
            let mark = Mark::from(*origin.port.as_bytes());
            let ended = |end| Spent::ended(event.key(), end, Farewell::Disconnect(*line_id));
            let phase = match proof {
                _ if port.offer.has_expired(now) => Err(AliceEnd::Expired),
                None => Ok(Phase::awaiting_proof(private_key, port, now)),
                Some(proof) => Phase::of_alice(&origin, private_key, &port.rad, proof).ok_or(AliceEnd::ProofRefused),
            };
            let spent = phase.map_or_else(ended, |phase| Spent::formed(port.line_link, origin, phase));
            Ok((State::Spent(spent), Some(mark)))
        }
        (State::Spent(spent), event) => Err(spent.reject(event)),
        _ => Err(Rejected::OutOfOrder),
    }
}

impl Offered {
    fn new(line_link: LineLink, private_key: PrivateKey, rad: Rad, offer: Offer) -> Self {
        let port = Port { kind: Kind::Port, line_link, public_key: private_key.public_key(), rad, offer };
        Self { port, private_key }
    }

    fn end(&self, end: AliceEnd) -> State {
        let link = self.port.line_link;
        State::Spent(Spent::ended(Key::LineLink(link), end, Farewell::CloseLineLink(link)))
    }
}

impl Alice {
    /// A Port yet to be: its line link has to be asked for (§4.1). The request is in
    /// [`unsent`](crate::Machine::unsent).
    pub fn request(offer: Offer, seed: Seed) -> Born<Self> {
        let Seed { private_key, block: rad, request_id } = seed;
        let request_id = RequestId::from(*request_id.expose());
        Born::new(State::Requesting(Requesting { request_id, private_key: PrivateKey::new(private_key), rad, offer }))
    }

    /// A Port of a line link that she has already, from her [`Pool`](crate::Pool): no network needed (§4.1).
    ///
    /// Never of a link that was offered before: the store will find its key taken.
    pub fn offer(line_link: LineLink, offer: Offer, seed: Seed) -> Born<Self> {
        let Seed { private_key, block: rad, request_id: _ } = seed;
        Born::new(State::Offered(Offered::new(line_link, PrivateKey::new(private_key), rad, offer)))
    }

    /// Takes an event from the Server (§4.5).
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let (state, mark) = transition(&self.0.state, event, now)?;
        Ok(Step::new(self, state, Emit::Outbox, mark))
    }

    /// [`handle`](Alice::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    pub fn handle_bytes(&mut self, event: &[u8], now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(&Event::decode(event)?, now)
    }

    /// Takes the Port back (§4.4): it forms no line any more.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is dead already.
    pub fn revoke(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let state = self.0.state.end(AliceEnd::Revoked).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state, Emit::Outbox, None))
    }

    /// The Port, while it is on offer.
    pub const fn port(&self) -> Option<&Port> {
        match &self.0.state {
            State::Offered(offered) => Some(&offered.port),
            _ => None,
        }
    }

    /// Whether the Port is dead, with a line or without.
    pub const fn is_spent(&self) -> bool {
        matches!(self.0.state, State::Spent(_))
    }

    /// Where it stands.
    pub const fn phase(&self) -> AlicePhase {
        match &self.0.state {
            State::Requesting(_) => AlicePhase::Requesting,
            State::Offered(_) => AlicePhase::Offered,
            State::Spent(Spent::Formed { .. }) => AlicePhase::Formed,
            State::Spent(Spent::Ended { end, .. }) => AlicePhase::Ended(*end),
        }
    }
}

impl State {
    /// `None` if it was over before.
    fn end(&self, end: AliceEnd) -> Option<Self> {
        match self {
            Self::Requesting(_) => Some(Self::Spent(Spent::ended(Alice::key_of(self), end, Farewell::Nothing))),
            Self::Offered(offered) => Some(offered.end(end)),
            Self::Spent(_) => None,
        }
    }
}

impl From<Held<State>> for Alice {
    fn from(held: Held<State>) -> Self {
        Self(held)
    }
}

impl AsRef<Held<State>> for Alice {
    fn as_ref(&self) -> &Held<State> {
        &self.0
    }
}

impl AsMut<Held<State>> for Alice {
    fn as_mut(&mut self) -> &mut Held<State> {
        &mut self.0
    }
}

impl Role for Alice {
    const ROLE: u8 = 1;
    type State = State;
    type Change = State;
    type Effect<'m> = AliceEffect<'m>;

    fn key_of(state: &State) -> Key {
        match state {
            State::Requesting(requesting) => Key::Request(requesting.request_id),
            State::Offered(offered) => Key::LineLink(offered.port.line_link),
            State::Spent(spent) => spent.key(),
        }
    }

    fn deadline_of(state: &State) -> Option<UnixSeconds> {
        match state {
            State::Requesting(requesting) => requesting.offer.expires,
            State::Offered(offered) => offered.port.offer.expires,
            State::Spent(_) => None,
        }
    }

    fn after_deadline(state: &State) -> Option<State> {
        state.end(AliceEnd::Expired)
    }

    fn after_settling(state: &State) -> Option<State> {
        match state {
            State::Spent(spent) => spent.settled().map(State::Spent),
            _ => None,
        }
    }

    fn key_after(_: &State, next: &State) -> Key {
        Self::key_of(next)
    }

    fn record_after(revision: u64, _: &State, next: &State) -> Record {
        Record::of::<Self>(revision, next)
    }

    fn change(state: &mut State, next: &mut State) {
        core::mem::swap(state, next);
    }

    fn effect<'m>(&'m self, _: Emit<'m>, place: usize) -> Option<AliceEffect<'m>> {
        match (&self.0.state, place) {
            (State::Requesting(Requesting { request_id, .. }), 0) => {
                Some(AliceEffect::Send(Request::IssueLineLink { request_id: *request_id }))
            }
            (State::Offered(offered), 0) => Some(AliceEffect::PortReady(&offered.port)),
            (State::Spent(spent), place) => spent.effect(place).map(AliceEffect::from),
            _ => None,
        }
    }
}

impl<'m> From<Last<'m, AliceEnd>> for AliceEffect<'m> {
    fn from(last: Last<'m, AliceEnd>) -> Self {
        match last {
            Last::Send(request) => Self::Send(request),
            Last::LineFormed(line) => Self::LineFormed(line),
            Last::Ended(end) => Self::Ended(end),
        }
    }
}
