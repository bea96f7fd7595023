//! Portal: this one's own key, and its end of the sessions that its peers opened (§18.6).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use super::error::Refusal;
use super::id::PortalId;
use super::memory::{MAX_TAKEN, Said};
use super::message::{Message, OpeningMark, SessionId};
use super::name::PortalName;
use super::noise::{KeyPair, PROLOGUE, Responder};
use super::request::{Ask, RequestMark};
use super::sessions::Sessions;
use super::step::{Created, PortalKey, Row};
use crate::cbor;
use crate::error::RestoreError;
use crate::port::PublicKey;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// How many sessions a Portal keeps of all peers, if [`Portal::with_sessions`] says nothing else.
const SESSIONS: usize = 1_024;

/// This Portal: its private key, its name for itself, and its end of the sessions that peers opened. Those are in memory only: after a restart
/// peers open new ones.
pub struct Portal {
    pub(super) pair: KeyPair,
    id: PortalId,
    pub(super) name: PortalName,
    pub(super) sessions: Sessions,
}

#[derive(Debug, Encode, Decode)]
struct State {
    #[n(0)]
    private: Secret<32>,
    #[n(1)]
    name: PortalName,
}

impl Portal {
    const ROLE: u8 = 32;

    /// A new Portal, with a key of its own. **Its ID is this key's hash: keep the record where only this Portal can read it, and keep a copy.**
    /// With the record lost the ID is lost; who has the record is this Portal.
    pub fn create<R: CryptoRng + ?Sized>(name: PortalName, rng: &mut R) -> Created<Self> {
        let mut private = Secret::ZERO;
        rng.fill_bytes(private.expose_mut());
        let record = super::step::record(Self::ROLE, 0, &State { private: private.clone(), name: name.clone() });
        Created::new(Self::new(State { private, name }), Row::new(PortalKey::Portal, 0, record))
    }

    /// Loads the Portal from its record. It has no sessions then.
    ///
    /// # Errors
    /// [`RestoreError`]: each variant says what to do.
    pub fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        super::step::restore(Self::ROLE, record).map(|(_, state)| Self::new(state))
    }

    fn new(state: State) -> Self {
        let pair = KeyPair::new(state.private);
        let id = PortalId::of(&pair.public);
        Self { pair, id, name: state.name, sessions: Sessions::new(SESSIONS) }
    }

    /// Keeps at most so many sessions, at least one: each takes some 5 KiB. A session more ends the one that was used least recently. 1,024 if
    /// nothing is said.
    #[must_use]
    pub fn with_sessions(self, max: usize) -> Self {
        Self { sessions: self.sessions.with_max(max), ..self }
    }

    /// This Portal's ID.
    pub const fn id(&self) -> PortalId {
        self.id
    }

    /// This Portal's public key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.pair.public
    }

    /// Its name for itself.
    pub const fn name(&self) -> &PortalName {
        &self.name
    }

    /// Reads the body of an HTTP POST: a message of another Portal (§18.6). The message is opened into `buffer`, which may hold what an app asked
    /// in the clear afterwards: wiping it is the caller's.
    ///
    /// What comes of it is either an answer for anybody, or an [`Incoming`] of a Portal that has shown its key. Hand it to
    /// [`Peer::take`](super::Peer::take) of that peer. If there is no such peer, answer [`Refusal::Unknown`].
    ///
    /// # Errors
    /// [`Refusal`]: send its [`to_vec`](Refusal::to_vec) as the answer. Nothing has changed.
    pub fn receive<'b>(
        &mut self,
        message: &[u8],
        buffer: &'b mut Vec<u8>,
        now: UnixSeconds,
    ) -> Result<Received<'b>, Refusal> {
        buffer.clear();
        match Message::decode(message).map_err(|_| Refusal::Unknown)? {
            Message::WhoAreYou => Ok(Received::WhoAreYou(Message::IAm(self.pair.public).to_vec())),
            Message::Opening(noise) => {
                let (handshake, payload) =
                    Responder::read(PROLOGUE, &self.pair, noise).map_err(|_| Refusal::Unknown)?;
                buffer.extend_from_slice(&payload);
                let key = *handshake.caller();
                let Opening { created, name, ask } = cbor::decode(buffer).map_err(|_| Refusal::Unknown)?;
                let [mark @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *handshake.ephemeral().as_bytes();
                let opening = TakenOpening { created, name, key, mark: OpeningMark(mark) };
                let reply = ReplyTo::Opening(Box::new(handshake));
                Ok(Received::Incoming(Incoming {
                    from: PortalId::of(&key),
                    opening: Some(opening),
                    done: Vec::new(),
                    ask: Some(ask),
                    reply,
                }))
            }
            Message::Exchange(id, number, ciphertext) => {
                buffer.extend_from_slice(ciphertext);
                let (from, length) = self.sessions.decrypt(&id, number, buffer, now).ok_or(Refusal::NoSession)?;
                let payload = buffer.get(..length).unwrap_or_default();
                let (done, ask) = match cbor::decode::<Exchange<Vec<_>, _>>(payload) {
                    Ok(Exchange { done, ask }) if done.len() <= MAX_TAKEN => (done, Some(ask)),
                    Ok(_) | Err(_) => (Vec::new(), None),
                };
                let reply = ReplyTo::Exchange(id, number);
                Ok(Received::Incoming(Incoming { from, opening: None, done, ask, reply }))
            }
            _ => Err(Refusal::Unknown),
        }
    }

    /// Ends all sessions with this Portal. Call it when a peer is blocked or removed: then what it sends is not even decrypted.
    pub fn end_sessions(&mut self, peer: &PortalId) {
        self.sessions.end_of(peer);
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, id, name: _, sessions } = self;
        f.debug_struct("Portal").field("id", id).field("sessions", &sessions.len()).finish_non_exhaustive()
    }
}

/// The payload of an Opening.
#[derive(Encode, Decode)]
pub(super) struct Opening<A> {
    #[n(0)]
    pub(super) created: UnixSeconds,
    #[n(1)]
    pub(super) name: PortalName,
    #[n(2)]
    pub(super) ask: A,
}

/// The payload of an Exchange.
#[derive(Encode, Decode)]
pub(super) struct Exchange<D, A> {
    #[n(0)]
    pub(super) done: D,
    #[n(1)]
    pub(super) ask: A,
}

/// What a message of another Portal is.
#[derive(Debug)]
pub enum Received<'b> {
    /// Somebody asks for this Portal's key. Send these bytes as the answer: everybody may have the key.
    WhoAreYou(Vec<u8>),
    /// It comes from a Portal that has shown its key.
    Incoming(Incoming<'b>),
}

/// What a Portal asks that has shown its key, and how to reply. Hand it to [`Peer::take`](super::Peer::take).
pub struct Incoming<'b> {
    pub(super) from: PortalId,
    pub(super) opening: Option<TakenOpening>,
    pub(super) done: Vec<RequestMark>,
    /// `None`: no rule allows it. The peer said it, so it is told so.
    pub(super) ask: Option<Ask<'b>>,
    pub(super) reply: ReplyTo,
}

impl Incoming<'_> {
    /// Who asks: the hash of the key that was shown.
    pub const fn from(&self) -> &PortalId {
        &self.from
    }

    /// Which app is asked, if an app is.
    pub const fn app(&self) -> Option<&super::name::AppName> {
        match &self.ask {
            Some(Ask::Request(request)) => Some(request.app()),
            _ => None,
        }
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, opening, done: _, ask, reply: _ } = self;
        f.debug_struct("Incoming")
            .field("from", from)
            .field("is_opening", &opening.is_some())
            .field("ask", ask)
            .finish_non_exhaustive()
    }
}

/// What an Opening says beside what it asks.
pub(super) struct TakenOpening {
    pub(super) created: UnixSeconds,
    pub(super) name: PortalName,
    pub(super) key: PublicKey,
    pub(super) mark: OpeningMark,
}

/// How to reply. It can't be copied, so no number is used for two replies.
#[derive(Debug)]
pub(super) enum ReplyTo {
    Opening(Box<Responder>),
    Exchange(SessionId, u64),
}

impl ReplyTo {
    /// What is answered in place of a reply (§18.4).
    pub(super) const fn refusal(&self) -> Refusal {
        match self {
            Self::Opening(_) => Refusal::Unknown,
            Self::Exchange(..) => Refusal::NoSession,
        }
    }
}

/// A reply that is not encrypted yet. Hand it to [`Portal::seal`]. `Debug` shows only the peer that it is for.
pub struct Reply {
    pub(super) from: PortalId,
    pub(super) to: ReplyTo,
    /// The canonical encoding of a [`Say`](super::request::Say).
    pub(super) say: Said,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to: _, say } = self;
        f.debug_struct("Reply").field("to", from).field("bytes", &say.as_slice().len()).finish_non_exhaustive()
    }
}
