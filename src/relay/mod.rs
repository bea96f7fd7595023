//! Relay: the relay's own machine (§13).
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use port_protocol::relay::{Limits, Memory, relay, UserId};
//! use port_protocol::{Event, Request, UnixSeconds};
//! # fn run(rng: &mut impl rand_core::CryptoRng) -> Result<(), Box<dyn core::error::Error>> {
//! # let (alice, bob, now) = (UserId::from([1; 32]), UserId::from([2; 32]), UnixSeconds(1_790_000_000));
//! let mut server = Relay::new(Memory::new(), Limits::default());
//!
//! // Whoever authenticated Alice hands in her bytes, and sends her the reply.
//! let issue = Request::IssueLineLink { request_id: [7; 16].into() }.to_vec();
//! let Some(Event::LineLinkIssued { line_link, .. }) = server.handle(alice, &issue, rng, now)?.reply else { return Ok(()) };
//!
//! // Bob uses the link. He is told of the line at once; for Alice it waits until she acknowledges it.
//! let connect = Request::Connect { line_link, proof: None }.to_vec();
//! let handled = server.handle(bob, &connect, rng, now)?;
//! assert!(matches!(handled.reply, Some(Event::LineFormed { .. })) && handled.wake[0] == Some(alice));
//! let delivery = server.next(alice, 0)?.ok_or("nothing waits")?;
//! assert!(matches!(Event::decode(delivery.event)?, Event::LineFormed { .. }));
//! let sequence = delivery.sequence;
//! server.acknowledge(alice, sequence)?;
//! # Ok(()) }
//! # }
//! ```

mod directory;
mod limits;
#[cfg(feature = "alloc")]
mod memory;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::DecodeError;
pub use crate::id::UserId;
use crate::id::{LineId, LineLink, PairHash, RequestId};
use crate::message::{Event, Reason, Request};
use crate::port::policy::Admission;
use crate::proof::Proof;
use crate::time::UnixSeconds;

pub use directory::{Claim, Claimed, Delivery, Directory, Issued, LinkEntry, LinkState, NewLink, Pushed, Setting};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use memory::Memory;

/// The relay's own machine (§13): an authenticated user's requests in, replies and deliveries out.
///
/// It holds nothing itself: what it knows is in its [`Directory`], and a relay that was restarted goes on from there. To
/// authenticate users, to carry bytes, and to limit how often a user asks, is its caller's.
#[derive(Debug)]
pub struct Relay<D> {
    directory: D,
    limits: Limits,
}

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// To be sent to who made the request. If it is lost, the same request gets it again.
    pub reply: Option<Event<'static>>,
    /// Whose queues have something new: send what is [`next`](Relay::next) to those who are there.
    pub wake: [Option<UserId>; 2],
}

/// Why a request was not handled. Nothing has moved, but after [`Directory`](RelayError::Directory).
///
/// Tell the client in the transport's own way, and let it decide whether to try again: its machine keeps the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RelayError<E> {
    /// The bytes are not canonical. The client is broken.
    #[error("not a canonical request")]
    Malformed,
    /// Written by another version. The client, or this crate, is to be updated.
    #[error("a request of a version that this crate does not know")]
    UnsupportedVersion,
    /// The user is at [`Limits::links`]: later, when older ones are forgotten.
    #[error("too many line links")]
    TooManyLinks,
    /// One of the two users is at [`Limits::lines`], or this one at [`Limits::uses`]. The link is not used up: later, when a line
    /// of theirs was ended.
    #[error("too many lines")]
    TooManyLines,
    /// A payload longer than [`Limits::bytes`]: never.
    #[error("the packet is too long")]
    TooLong,
    /// Another process was faster, or the generator gave a name twice. Handle the same request again, at once.
    #[error("somebody else was faster")]
    Contended,
    /// The storage failed, and whether it has kept what it was asked to is open. Handle the same request again, later: it
    /// gets the reply that it would have got.
    #[error("the directory failed")]
    Directory(#[source] E),
}

impl<E> From<DecodeError> for RelayError<E> {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed => Self::Malformed,
            DecodeError::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}

impl<D: Directory> Relay<D> {
    /// A relay on this directory.
    pub const fn new(directory: D, limits: Limits) -> Self {
        Self { directory, limits }
    }

    /// What it knows.
    pub const fn directory(&self) -> &D {
        &self.directory
    }

    /// Takes the bytes of a request (§7.2) of an authenticated user. `rng` is what names of links and lines are drawn from.
    ///
    /// # Errors
    /// [`RelayError`]: what to do stands with each.
    pub fn handle<R: CryptoRng + ?Sized>(
        &mut self,
        user: UserId,
        request: &[u8],
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        match Request::decode(request)? {
            Request::IssueLineLink { request_id } => self.issue(user, request_id, rng, now),
            Request::Connect { line_link, proof } => {
                let claim = Claim { by: user, request: digest(user, request), line_id: draw(rng).into() };
                self.connect(line_link, &claim, proof, now)
            }
            Request::Packet { line_id, payload } => self.packet(user, line_id, payload),
            Request::Disconnect { line_id } => self.disconnect(user, line_id),
            Request::CloseLineLink { line_link } => self.close(user, line_link, now),
            Request::SetLineLink { line_link, version, admits } => self.set(user, line_link, version, admits, now),
        }
    }

    /// The first event that waits for a user behind number `after` (§13.5). Begin at 0 whenever he comes; go on from the last
    /// one that was sent.
    ///
    /// # Errors
    /// The storage's own. Try again later.
    pub fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<D::Bytes<'_>>>, D::Error> {
        self.directory.next(user, after)
    }

    /// The user has every event up to and with this number (§13.5). Hand in only a number that he was sent on this connection,
    /// and drop any other: a directory that is begun anew, as [`Memory`] is with its process, counts from 1 again.
    ///
    /// # Errors
    /// The storage's own. The events come again.
    pub fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), D::Error> {
        self.directory.acknowledge(user, upto)
    }

    /// Forgets a user who leaves the service (§13.8): his links are unknown from now on, and who is at the far end of a line of
    /// his hears that it ended. `wake` is called with each who has something new waiting. Refuse the user's requests before:
    /// the next would begin him anew. Never give his id to anybody else: [`PairHash`]es would take the one for the other.
    ///
    /// # Errors
    /// The storage's own, and whether he was removed is open. Do it again, later: nobody is told twice.
    pub fn remove(&mut self, user: UserId, wake: impl FnMut(UserId)) -> Result<(), D::Error> {
        self.directory.remove(user, wake)
    }

    /// §13.2.
    fn issue<R: CryptoRng + ?Sized>(
        &mut self,
        owner: UserId,
        request_id: RequestId,
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        self.directory.forget(now).map_err(RelayError::Directory)?;
        let expires = self.lives_until(now);
        let (line_link, forget) = (draw(rng).into(), self.remember_from(expires));
        let link = NewLink { line_link, owner, request_id, expires, forget };
        match self.directory.issue(&link, &self.limits, now).map_err(RelayError::Directory)? {
            Issued::Link(line_link) => Ok(Response::replied(Event::LineLinkIssued { request_id, line_link })),
            Issued::NameCollision => Err(RelayError::Contended),
            Issued::TooMany => Err(RelayError::TooManyLinks),
        }
    }

    /// §13.3.
    fn connect(
        &mut self,
        line_link: LineLink,
        claim: &Claim,
        proof: Option<Proof>,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        let refused = |reason| Ok(Response::replied(Event::Refused { line_link, reason }));
        let Some(LinkEntry { owner, state, .. }) = self.link(line_link, now)? else { return refused(Reason::Unknown) };
        let formed = |line_id, proof| {
            let pair_hash = pair_hash(owner, claim.by);
            Event::LineFormed { line_link, line_id, pair_hash, proof }
        };
        // What was given is given, whatever became of the link since. (A link that was never set was given to nobody before.)
        let given = match state {
            LinkState::Open { version: 0, .. } => None,
            _ => self.directory.given(line_link, claim.by, &claim.request).map_err(RelayError::Directory)?,
        };
        if let Some(line_id) = given {
            return Ok(Response::replied(formed(line_id, None)));
        }
        match state {
            LinkState::Claimed(first) if first.by != claim.by => refused(Reason::UsedByAnother),
            LinkState::Claimed(first) if first.request != claim.request => refused(Reason::UsedByYou),
            LinkState::Claimed(first) => Ok(Response::replied(formed(first.line_id, None))),
            LinkState::Closed => refused(Reason::Closed),
            LinkState::Open { expires, .. } if now >= expires => refused(Reason::Expired),
            // One's own link is used up by nobody's mistake.
            LinkState::Open { .. } if owner == claim.by => refused(Reason::UsedByYou),
            LinkState::Open { admits: Admission::Nobody, .. } => refused(Reason::Paused),
            LinkState::Open { .. } => {
                let to_alice = formed(claim.line_id, proof);
                let claimed = self.directory.claim(line_link, claim, &to_alice, self.remember_from(now), &self.limits);
                match claimed.map_err(RelayError::Directory)? {
                    Claimed::Formed => {
                        Ok(Response { reply: Some(formed(claim.line_id, None)), wake: [Some(owner), None] })
                    }
                    Claimed::Conflict => Err(RelayError::Contended),
                    Claimed::TooMany => Err(RelayError::TooManyLines),
                }
            }
        }
    }

    /// §13.4.
    fn packet(&mut self, from: UserId, line_id: LineId, payload: &[u8]) -> Result<Response, RelayError<D::Error>> {
        if payload.len() > self.limits.bytes {
            return Err(RelayError::TooLong);
        }
        let pushed = self.directory.push(line_id, from, payload, &self.limits).map_err(RelayError::Directory)?;
        Ok(match pushed {
            Pushed::Waits { at, dropped } => Response { reply: None, wake: [Some(at), dropped.then_some(from)] },
            // A reply would overtake what he has not heard yet, and close his line over it.
            Pushed::Left => Response { reply: None, wake: [Some(from), None] },
            Pushed::NoLine => Response::replied(Event::Disconnected { line_id }),
        })
    }

    /// §13.4. Whatever the line is to this user, he is told the same.
    fn disconnect(&mut self, by: UserId, line_id: LineId) -> Result<Response, RelayError<D::Error>> {
        let other = self.directory.end(line_id, by).map_err(RelayError::Directory)?;
        Ok(Response { wake: [other, None], ..Response::replied(Event::Disconnected { line_id }) })
    }

    /// §13.2. Whatever the link is to this user, he is told nothing.
    fn close(
        &mut self,
        owner: UserId,
        line_link: LineLink,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        if self.link(line_link, now)?.is_some() {
            self.directory.close(line_link, owner, self.remember_from(now)).map_err(RelayError::Directory)?;
        }
        Ok(Response { reply: None, wake: [None; 2] })
    }

    /// §13.2. As little is told.
    fn set(
        &mut self,
        owner: UserId,
        line_link: LineLink,
        version: u64,
        admits: Admission,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        // Its lifetime begins anew: whoever still sets it still needs it.
        let lives_until = self.lives_until(now);
        let setting = Setting { version, admits, expires: lives_until, forget: self.remember_from(lives_until) };
        match self.link(line_link, now)?.map(|link| link.state) {
            Some(LinkState::Open { expires, .. }) if now < expires => {
                self.directory.admit(line_link, owner, &setting).map_err(RelayError::Directory)?;
            }
            _ => {}
        }
        Ok(Response { reply: None, wake: [None; 2] })
    }

    /// §13.3: what is to be forgotten is forgotten, though the directory has it still.
    fn link(&self, line_link: LineLink, now: UnixSeconds) -> Result<Option<LinkEntry>, RelayError<D::Error>> {
        let link = self.directory.link(line_link).map_err(RelayError::Directory)?;
        Ok(link.filter(|link| now < link.forget))
    }

    const fn lives_until(&self, now: UnixSeconds) -> UnixSeconds {
        UnixSeconds(now.0.saturating_add(self.limits.lifetime))
    }

    const fn remember_from(&self, then: UnixSeconds) -> UnixSeconds {
        UnixSeconds(then.0.saturating_add(self.limits.memory))
    }
}

impl Response {
    const fn replied(event: Event<'static>) -> Self {
        Self { reply: Some(event), wake: [None; 2] }
    }
}

fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// What a request is known again by (§13.3): another user's is another one.
fn digest(user: UserId, request: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(user.as_bytes()).chain_update(request).finalize().into()
}

/// §7.3: the same for this pair each time, whoever of them made the Port.
fn pair_hash(one: UserId, other: UserId) -> PairHash {
    let (first, second) = (one.min(other), one.max(other));
    let hash: [u8; 32] = Sha256::new().chain_update(first.as_bytes()).chain_update(second.as_bytes()).finalize().into();
    hash.into()
}
