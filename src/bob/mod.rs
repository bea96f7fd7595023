//! Bob: one Port at its user's side (§5).

pub(crate) mod connecting;
pub(crate) mod outbox;

use core::fmt;
use core::marker::PhantomData;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::dialect::{Dialect, Native};
use crate::error::Rejected;
use crate::id::{LineId, RecordKey, RequestId};
use crate::line::{BobSecrets, Line};
use crate::machine::peers::{Peers, Relationship};
use crate::machine::step::{Created, Step};
use crate::machine::{Held, Role};
use crate::message::{Event, Reason, Request};
use crate::outcome::UseOutcome;
use crate::port::{Port, RelayAddr};
use crate::proof::{self, PrivateKey, Proof, SendProof};
use crate::secret::{Secret, Seed};
use crate::time::UnixSeconds;
use crate::tombstone::{self, FinalRequest, Tombstone};
use connecting::Connecting;

/// The machine that uses one Port (§5): `Scanned ─connect▶ Connecting ─LineFormed▶ Spent`.
///
/// The result is a [`Line`], or a [`UseOutcome`] that says why there is none.
pub type Bob = BobOf<Native>;

/// The Bob of one wire format ([`Dialect`]). Most programs use [`Bob`]. `app::Bob` is for the deployed app.
pub struct BobOf<D: Dialect>(pub(crate) Held<State<D::Proof>>, pub(crate) PhantomData<fn() -> D>);

/// What a Bob asks its caller to do.
#[derive(Debug)]
pub enum BobEffect<'m> {
    /// A line was formed. Its row was in [`Write::new_line`](crate::Write::new_line), and is stored. Do what is pending in the line. This
    /// effect comes once, and not again after a crash. To store notes of your own on the line, do it in the closure of
    /// [`Step::store`], with the row.
    LineFormed(Line),
    /// Send this to the relay.
    Send(Request<'m>),
    /// The attempt ended, and no line was formed. Tell the user. Clear the outbox once the relay has the request that came before this.
    Ended(UseOutcome),
}

/// Where a Bob stands (§5.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum BobPhase {
    /// It waits for its user, or for a network.
    Scanned,
    /// It waits for the relay's answer.
    Connecting,
    /// The Port formed this line.
    Formed(LineId),
    /// The attempt ended without a line.
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
    #[n(3)]
    request_id: RequestId,
}

impl Scanned {
    fn new(port: Port, seed: Seed) -> Self {
        let Seed { private_key, block: iv, request_id } = seed;
        let request_id = RequestId::from(*request_id.expose());
        Self { port, private_key: PrivateKey::new(private_key), iv, request_id }
    }
}

impl Bob {
    /// Starts with a Port that was read (§5.1). The Port is not used yet. You can store this machine and connect later. If there is a row
    /// of this Port already and that use is over, take its machine to [`scan_again`](Bob::scan_again).
    pub fn scan(port: Port, seed: Seed) -> Created<Self> {
        Self::read(port, seed)
    }

    /// Reads the Port again, once this use of it is over: given up, refused, or a line (§5.1). There is one Bob for each Port, so the new
    /// use takes the row of the old one. What comes late for the old one is refused as any other's.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: this use is not over, or its outbox not cleared. [`Rejected::WrongMachine`]: that is another Port.
    pub fn scan_again(&mut self, port: Port, seed: Seed) -> Result<Step<'_, Self>, Rejected> {
        match &self.0.state {
            state if state.key() != RecordKey::LineLink(port.line_link) => Err(Rejected::WrongMachine),
            State::Spent(tombstone) if tombstone.is_done() => {
                let next = State::Scanned(Scanned::new(port, seed));
                Ok(Step::new(self, next))
            }
            _ => Err(Rejected::OutOfOrder),
        }
    }

    /// Uses the Port (§5.2). `send_proof` says how the proof travels. A Port for many always has it inside the request, and ignores
    /// `send_proof` (§14.4).
    ///
    /// # Errors
    /// [`Rejected::Expired`]: the Port has expired, by this clock. Nothing was sent, so Bob stays as it is. [`Rejected::OutOfOrder`]: you
    /// called this before, or gave the Port up. While Bob is connecting, the same request is [`pending`](crate::Machine::pending).
    pub fn connect(&mut self, send_proof: SendProof, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let keeps_key = |port: &Port| port.kind.is_for_many();
        self.connect_by(proof::prove, send_proof, keeps_key, now)
    }

    /// Takes an event from the relay (§5.5). Through `peers` you say whether you know or block the maker of the Port (§14.6). Pass
    /// [`NoPeers`](crate::NoPeers) if you keep no such tables. `rng` is not used today.
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged.
    pub fn handle<R: CryptoRng + ?Sized>(
        &mut self,
        event: &Event<'_>,
        peers: &impl Peers,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'_, Self>, Rejected> {
        let _ = rng;
        let state = &self.0.state;
        if event.key() != state.key() {
            return Err(Rejected::WrongMachine);
        }
        match (state, event) {
            // These are for an Alice.
            (_, Event::LineFormed { .. } | Event::LineLinkLost { .. }) => Err(Rejected::WrongMachine),
            (State::Connecting(connecting), Event::Connected { request_id, line_id, peer, .. })
                if *request_id == connecting.request_id =>
            {
                let (next, line) = match connecting.accepts(*line_id, peer, peers, now) {
                    Err(tombstone) => (tombstone, None),
                    Ok(relationship) => {
                        let replaces = match relationship {
                            Relationship::Connected(before) => Some(before),
                            Relationship::Unknown | Relationship::Blocked => None,
                        };
                        let origin = connecting.origin(*line_id, *peer, replaces);
                        (connecting.formed(*line_id), Some(Line::of_bob(origin, &connecting.secrets())))
                    }
                };
                Ok(Step::new(self, State::Spent(next)).once(line.map(BobEffect::LineFormed)))
            }
            (State::Spent(tombstone), event) => Err(tombstone.reject(event, peers)),
            // The answer to an earlier scan of this Port, which was given up. Its line has somebody at the far end.
            (_, Event::Connected { line_id, .. }) => Err(tombstone::unwanted(*line_id, peers)),
            (State::Connecting(connecting), Event::Refused { request_id, reason, .. })
                if *request_id == connecting.request_id =>
            {
                match (reason, connecting.kind.is_for_many()) {
                    // The Port may be resumed: Bob goes on asking. A Port for many that counts as used is one of which the relay has
                    // not heard yet that it is for many: that is no theft, and will be mended (§14.2).
                    (Reason::Paused, _) | (Reason::UsedByAnother, true) => Err(Rejected::Paused),
                    (reason, _) => self.end(UseOutcome::Refused(*reason), FinalRequest::Nothing),
                }
            }
            _ => Err(Rejected::OutOfOrder),
        }
    }
}

/// For the kit.
#[cfg(feature = "testkit")]
impl Bob {
    /// The hash of its Port, until the end.
    pub(crate) fn port_hash(&self) -> Option<crate::PortHash> {
        match &self.0.state {
            State::Scanned(scanned) => Some(scanned.port.hash()),
            State::Connecting(connecting) => Some(connecting.port),
            State::Spent(_) => None,
        }
    }
}

impl Connecting<Proof> {
    fn secrets(&self) -> BobSecrets<'_> {
        BobSecrets {
            secret: &self.secret,
            proof: &self.proof,
            send_proof: self.send_proof,
            private_key: self.private_key.as_ref(),
            ticket: self.ticket.as_ref(),
        }
    }
}

impl<D: Dialect> BobOf<D>
where
    Self: Role<State = State<D::Proof>, Change = State<D::Proof>>,
{
    pub(crate) fn read(port: Port, seed: Seed) -> Created<Self> {
        Created::new(State::Scanned(Scanned::new(port, seed)))
    }

    pub(crate) fn connect_by(
        &mut self,
        prove: impl FnOnce(&PrivateKey, &[u8; 16], &Port) -> (D::Proof, proof::SharedSecret),
        send_proof: SendProof,
        keeps_key: impl FnOnce(&Port) -> bool,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let State::Scanned(Scanned { port, private_key, iv, request_id }) = &self.0.state else {
            return Err(Rejected::OutOfOrder);
        };
        if port.terms.have_expired(now) {
            return Err(Rejected::Expired);
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
            private_key: keeps_key(port).then(|| private_key.clone()),
            request_id: *request_id,
            ticket: port.ticket.clone(),
        };
        Ok(Step::new(self, State::Connecting(connecting)))
    }

    /// Gives the Port up (§5.4). If the relay forms the line anyway, `handle` returns [`Rejected::UnwantedLine`].
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: the attempt has ended already.
    pub fn cancel(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(UseOutcome::Cancelled, FinalRequest::Nothing)
    }

    pub(crate) fn end(&mut self, outcome: UseOutcome, last: FinalRequest) -> Result<Step<'_, Self>, Rejected> {
        let next = self.0.state.end(outcome, last).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, next))
    }

    /// The relay's address, if the Port names one. `None` after the end.
    pub const fn relay(&self) -> Option<&RelayAddr> {
        match &self.0.state {
            State::Scanned(scanned) => scanned.port.relay(),
            State::Connecting(connecting) => connecting.terms.relay.as_ref(),
            State::Spent(_) => None,
        }
    }

    /// Whether the attempt has ended, with a line or without.
    pub const fn is_spent(&self) -> bool {
        matches!(self.0.state, State::Spent(_))
    }

    /// Where it stands.
    pub const fn phase(&self) -> BobPhase {
        match &self.0.state {
            State::Scanned(_) => BobPhase::Scanned,
            State::Connecting(_) => BobPhase::Connecting,
            State::Spent(Tombstone::Formed { line_id, .. }) => BobPhase::Formed(*line_id),
            State::Spent(Tombstone::Ended { outcome, .. }) => BobPhase::Ended(*outcome),
        }
    }
}

impl<D: Dialect> fmt::Debug for BobOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bob").field(&self.0).finish()
    }
}

impl<P> State<P> {
    pub(crate) const fn key(&self) -> RecordKey {
        match self {
            Self::Scanned(scanned) => RecordKey::LineLink(scanned.port.line_link),
            Self::Connecting(connecting) => RecordKey::LineLink(connecting.line_link),
            Self::Spent(tombstone) => tombstone.key(),
        }
    }

    /// `None` if it was over before.
    fn end(&self, outcome: UseOutcome, last: FinalRequest) -> Option<Self> {
        match self {
            Self::Spent(_) => None,
            _ => Some(Self::Spent(Tombstone::ended(self.key(), outcome, last))),
        }
    }
}
