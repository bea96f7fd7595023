//! The relay's own machine (§13): requests of authenticated users in, replies and deliveries out.
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use port_protocol::relay::{Limits, MarkKey, Memory, Relay, UserId};
//! use port_protocol::{Event, Request, UnixSeconds};
//! # fn run(rng: &mut impl rand_core::CryptoRng) -> Result<(), Box<dyn core::error::Error>> {
//! # let (alice, bob, now) = (UserId::from([1; 32]), UserId::from([2; 32]), UnixSeconds::new(1_790_000_000).ok_or("")?);
//! let mut relay = Relay::new(Memory::new(), Limits::default(), MarkKey::draw(rng)); // keep the key with the storage
//!
//! // Your transport authenticates Alice, hands in the bytes of its request, and sends it the reply.
//! let issue = Request::IssueLineLink { request_id: [7; 16].into() }.to_vec();
//! let Some(Event::LineLinkIssued { line_link, .. }) = relay.handle(alice, &issue, rng, now)?.reply else { return Ok(()) };
//!
//! // Bob uses the link. The news waits for each of the two, until that user acknowledges it.
//! let connect = Request::Connect { line_link, request_id: [8; 16].into(), proof: None }.to_vec();
//! let response = relay.handle(bob, &connect, rng, now)?;
//! assert_eq!(response.notify, [Some(alice), Some(bob)]);
//! assert!(matches!(Event::decode(relay.next(bob, 0)?.ok_or("nothing waits")?.event)?, Event::Connected { .. }));
//! let delivery = relay.next(alice, 0)?.ok_or("nothing waits")?;
//! assert!(matches!(Event::decode(delivery.event)?, Event::LineFormed { .. }));
//! let sequence = delivery.sequence;
//! relay.acknowledge(alice, sequence)?;
//! # Ok(()) }
//! # }
//! ```
//!
//! [`Relay`] stands on a synchronous [`Directory`]. A relay on an async database, or one that writes many requests in one
//! transaction, uses [`Operation`] instead: the same machine, as data.

mod directory;
mod error;
mod limits;
mod link;
mod mark;
#[cfg(feature = "alloc")]
mod memory;
mod operation;

use rand_core::CryptoRng;

pub use crate::id::UserId;
use crate::time::UnixSeconds;

pub use directory::{BatchLimit, Claimed, Delivery, Directory, Issued, LinkSet, Pushed};
pub use error::{RelayError, RequestError};
pub use limits::Limits;
pub use link::{Claim, Decision, FormedLine, LinkEntry, LinkState, PurgeLook, Retention, SetDecision, Use};
pub use mark::MarkKey;
#[cfg(feature = "alloc")]
pub use memory::Memory;
pub use operation::{Connect, Departure, LinkClosure, LinkSetting, NewLink, Operation, Packet, Response};

/// A relay on a synchronous storage (§13).
///
/// It holds nothing itself. All that it knows is in its [`Directory`], so a relay that was restarted goes on from there. Making
/// one is free: a relay may stand for one open transaction, `Relay::new(transaction, limits, marks)`, and
/// [`into_directory`](Self::into_directory) gives the transaction back to be committed. **Send no reply and notify nobody before that.**
///
/// Your transport authenticates users, carries bytes, and limits how often a user asks.
#[derive(Debug)]
pub struct Relay<D> {
    directory: D,
    limits: Limits,
    marks: MarkKey,
}

impl<D: Directory> Relay<D> {
    /// A relay on this storage. `marks` is always the same key, as long as this storage lives.
    pub const fn new(directory: D, limits: Limits, marks: MarkKey) -> Self {
        Self { directory, limits, marks }
    }

    /// The storage.
    pub const fn directory(&self) -> &D {
        &self.directory
    }

    /// The storage, to be changed.
    pub const fn directory_mut(&mut self) -> &mut D {
        &mut self.directory
    }

    /// Gives the storage back.
    pub fn into_directory(self) -> D {
        self.directory
    }

    /// Serves a request (§7.2) of an authenticated user. `rng` draws the names of links and lines.
    ///
    /// This is [`Operation::prepare`] and then [`Operation::execute`].
    ///
    /// # Errors
    /// [`RelayError`]: each says what to do.
    pub fn handle<R: CryptoRng + ?Sized>(
        &mut self,
        user: UserId,
        request: &[u8],
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Response, RelayError<D::Error>> {
        Operation::prepare(user, request, &self.limits, &self.marks, rng, now)?.execute(&mut self.directory)
    }

    /// The first event that waits for a user behind number `after` (§13.5). Begin at 0 whenever the user connects. Go on from
    /// the last number that you sent on this connection.
    ///
    /// # Errors
    /// The storage's own. Try again later.
    pub fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<D::Bytes<'_>>>, D::Error> {
        self.directory.next(user, after)
    }

    /// Hands `deliver` the events that wait for a user behind number `after`, as many as `batch` allows, and gives the number to
    /// go on from. So many events fit one frame, and cost one read of the storage.
    ///
    /// # Errors
    /// The storage's own. Try again later, behind the last number that `deliver` was handed.
    pub fn next_batch(
        &self,
        user: UserId,
        after: u64,
        batch: BatchLimit,
        deliver: impl FnMut(Delivery<&[u8]>),
    ) -> Result<u64, D::Error> {
        self.directory.next_batch(user, after, batch, deliver)
    }

    /// The user has every event up to and including this number (§13.5). Hand in only a number that you sent on this
    /// connection, and drop any other: a storage that begins anew, as `Memory` does with its process, counts from 1 again.
    ///
    /// # Errors
    /// The storage's own. The events come again.
    pub fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), D::Error> {
        self.directory.acknowledge(user, upto)
    }

    /// Removes a user that leaves the service (§13.8). Its links are unknown from now on, and the other ends of its lines hear
    /// that these ended: `notify` is called with each user that has something new waiting.
    ///
    /// Refuse the user's requests before you call this: the next one would begin the user anew. Never give its id to anybody
    /// else, or a [`PeerMark`](crate::PeerMark) would take the one user for the other.
    ///
    /// # Errors
    /// The storage's own. The user may or may not be removed: call this again, later. Nobody is told twice.
    pub fn remove(&mut self, user: UserId, notify: impl FnMut(UserId)) -> Result<(), D::Error> {
        self.directory.remove(user, notify)
    }
}
