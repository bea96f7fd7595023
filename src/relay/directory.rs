//! What the relay remembers, and where (§13.7).

use core::fmt;

use super::Limits;
use crate::id::{LineId, LineLink, RequestId, UserId};
use crate::message::Event;
use crate::port::policy::Admission;
use crate::time::UnixSeconds;

/// Where a [`Relay`](super::relay) keeps its links, lines and queues (§13.7).
///
/// Every method is **atomic**, and durable when it returns: all that it says has happened, or nothing. With each stands
/// what a wrong answer costs. No wrong answer gives anybody a line or a message that is not his: clients don't trust a
/// relay, and what one of its tables forgets costs a Port, a line or a packet.
///
/// [`Memory`](super::Memory) is one that lasts as long as its process.
pub trait Directory {
    /// Why the storage could not answer. Whether it has done what it was asked for is open: the client's retry finds out.
    type Error;

    /// An event's bytes (§7.3) as they are stored.
    type Bytes<'d>: AsRef<[u8]>
    where
        Self: 'd;

    /// The link of the request `link.request_id` of `link.owner`: the one that it was given before, or else `link`, open, of
    /// version 0, admitting [`One`](Admission::One). A link whose [`forget`](LinkEntry::forget) has come at `now` is as if it had never been: its request may get a new one,
    /// and it does not count for [`Limits::links`].
    ///
    /// - *A lost write*: the link is unknown to whoever uses it. Alice makes another Port.
    /// - *A stale read*, so that one request gets two links: Alice takes the first, and closes the second (§4.4).
    /// - *A wrong count*: the user holds more or less than [`Limits::links`].
    ///
    /// # Errors
    /// The storage's own.
    fn issue(&mut self, link: &NewLink, limits: &Limits, now: UnixSeconds) -> Result<Issued, Self::Error>;

    /// What is known of a link. Whether it is to be forgotten by now is the relay's to look at.
    ///
    /// - *A stale read* of a link that was used or closed: [`claim`](Directory::claim) tells.
    /// - *A stale read* from before it was issued: Bob is refused as unknown, and gives up his Port. It must not be.
    ///
    /// # Errors
    /// The storage's own.
    fn link(&self, line_link: LineLink) -> Result<Option<LinkEntry>, Self::Error>;

    /// UseLimit a link, if it is open and does not admit [`Nobody`](Admission::Nobody), and `claim.request` was not given a line of
    /// it: there is the line `claim.line_id` between its owner and `claim.by`, who is another user; and `formed` waits for its
    /// owner. A link that admits [`One`](Admission::One) is burnt: claimed by `claim`, to be forgotten at `forget`. One that admits
    /// [`Many`](Admission::Many) stays as it is, and the line is what `claim.request` was [`given`](Directory::given).
    ///
    /// - *Formed, twice*: two lines of one use. Alice takes the one that she hears of first, and disconnects the other
    ///   (§4.4). Whoever is at its far end has used up his Port in vain.
    /// - *A lost write*: the same, as soon as the link is used again, by Bob's own retry or, if it was burnt, by another.
    /// - *Taken*, though it is open: Bob retries for as long as that lasts.
    ///
    /// # Errors
    /// The storage's own.
    fn claim(
        &mut self,
        line_link: LineLink,
        claim: &Claim,
        formed: &Event<'_>,
        forget: UnixSeconds,
        limits: &Limits,
    ) -> Result<Claimed, Self::Error>;

    /// The line that this user's request ([`Claim::request`]) was given of this link when it admitted [`Many`](Admission::Many), for
    /// as long as he has not left it.
    ///
    /// - *A stale read*, that there is none: [`claim`](Directory::claim) tells.
    /// - *A stale read*, of a line that he has left: he is told so when he sends along it.
    ///
    /// # Errors
    /// The storage's own.
    fn given(&self, line_link: LineLink, by: UserId, request: &[u8; 32]) -> Result<Option<LineId>, Self::Error>;

    /// If a link is open, this user's, and of a lower version: it admits from now on as `setting` says, and is used up and
    /// forgotten by its dates.
    ///
    /// - *A lost write*, of *nobody*: lines are formed, and Alice disconnects them. Of *many*: the first to use the link burns
    ///   it, and whoever comes after him is told that it is claimed. It must not be.
    /// - *A lower version after a higher*: the same, until Alice changes it again.
    ///
    /// # Errors
    /// The storage's own.
    fn admit(&mut self, line_link: LineLink, owner: UserId, setting: &Setting) -> Result<(), Self::Error>;

    /// Closes a link, if it is open and this user's, to be forgotten at `forget`.
    ///
    /// - *A lost write*: it can still be used. Alice disconnects its lines (§4.4).
    ///
    /// # Errors
    /// The storage's own.
    fn close(&mut self, line_link: LineLink, owner: UserId, forget: UnixSeconds) -> Result<(), Self::Error>;

    /// Puts a packet at the end of the queue of `from`'s far end. Then, while more of this line wait there than
    /// [`Limits::packets`] and [`Limits::bytes`] allow, takes the oldest of them away; if there was one, puts
    /// [`Event::Dropped`] at the end of `from`'s own queue, in the place of the one of this line that may wait there.
    /// An end that the other has left has [`Event::Disconnected`] in its own queue, behind what it has not heard yet: that is
    /// all that it is told.
    ///
    /// - *A lost write*: a packet is lost and nobody is told, but for those whose app counts them.
    /// - *Put there twice*: the far end refuses the second (§6.4).
    /// - *`NoLine`, of a line that lives*: the sender is told that it ended, and it ends. It must not be.
    ///
    /// # Errors
    /// The storage's own.
    fn push(&mut self, line_id: LineId, from: UserId, payload: &[u8], limits: &Limits) -> Result<Pushed, Self::Error>;

    /// Takes `by` off a line, with all that waits for him of it, and with what his request was
    /// [`given`](Directory::given). If the other end is still there, puts
    /// [`Event::Disconnected`] at the end of its queue, and says whose that is. `None`: nobody is to be told.
    ///
    /// - *A lost write*: the other end hears no more than the Close that went before (§6.7), and what it sends waits for nobody,
    ///   up to [`Limits`].
    ///
    /// # Errors
    /// The storage's own.
    fn end(&mut self, line_id: LineId, by: UserId) -> Result<Option<UserId>, Self::Error>;

    /// The first event in a user's queue with a sequence number above `after`. Numbers rise, from 1; none is given twice
    /// to one user.
    ///
    /// - *A stale read*: an event comes later, or comes again, and is refused (§6.4).
    ///
    /// # Errors
    /// The storage's own.
    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<Self::Bytes<'_>>>, Self::Error>;

    /// Takes every event up to and with number `upto` out of a user's queue. With a `Disconnected`, he is off its line. A
    /// number that was not given to this user yet takes nothing: it is of another directory, from before this one was begun.
    ///
    /// - *A lost write*: they come again, and are refused.
    /// - *More than was asked for*: they are lost; a lost `LineFormed` is a Port that waits in vain.
    ///
    /// # Errors
    /// The storage's own.
    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Self::Error>;

    /// Forgets a user: his links, whatever became of them, what waits for him, and his end of every line. Where the other end
    /// is still there, puts [`Event::Disconnected`] at the end of its queue, and calls `told` with whose that is. (What he
    /// claimed is another's link, and stays.)
    ///
    /// - *A lost write*, of a link: who uses it talks to nobody. Of a line: the other end is not told, and what it sends waits
    ///   for nobody, up to [`Limits`]. To remove him again mends both.
    ///
    /// # Errors
    /// The storage's own.
    fn remove(&mut self, user: UserId, told: impl FnMut(UserId)) -> Result<(), Self::Error>;

    /// Forgets links whose [`LinkEntry::forget`] has come: as many as is quickly done, but more than one. It is called once for
    /// each link that is issued.
    ///
    /// - *Too early*: a link that was open is unknown; a used one is so to a thief's victim, who is not warned.
    /// - *Never*: storage fills up with the links of those who ask for no new ones.
    ///
    /// # Errors
    /// The storage's own.
    fn forget(&mut self, now: UnixSeconds) -> Result<(), Self::Error>;
}

/// A line link that is to be, open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewLink {
    /// Its name, if the request has none yet.
    pub line_link: LineLink,
    /// Who asks for it.
    pub owner: UserId,
    /// By which request.
    pub request_id: RequestId,
    /// From this second on it can't be used.
    pub expires: UnixSeconds,
    /// From this second on it is as if it had never been.
    pub forget: UnixSeconds,
}

/// What is known of a line link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEntry {
    /// Who asked for it.
    pub owner: UserId,
    /// What became of it.
    pub state: LinkState,
    /// From this second on it is as if it had never been.
    pub forget: UnixSeconds,
}

/// What became of a line link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// It waits to be used, for the first time or, if it admits many, again.
    Open {
        /// From this second on it can't be.
        expires: UnixSeconds,
        /// The highest that it was set to: 0 if it never was.
        version: u64,
        /// Of whom it forms a line.
        admits: Admission,
    },
    /// It was used as one that admits one: it never is again.
    Claimed(Claim),
    /// Its owner took it back.
    Closed,
}

/// How an open line link is set (§13.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Its place among the owner's settings of this link.
    pub version: u64,
    /// Of whom it forms a line.
    pub admits: Admission,
    /// From this second on it can't be used.
    pub expires: UnixSeconds,
    /// From this second on it is as if it had never been.
    pub forget: UnixSeconds,
}

/// The use of a line link: who, how, for which line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Who used it.
    pub by: UserId,
    /// SHA-256 of `by` and of the request's bytes: the same again gets the same reply (§13.3).
    pub request: [u8; 32],
    /// The line.
    pub line_id: LineId,
}

/// What came of [`Directory::issue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Issued {
    /// This is the link of that request.
    Link(LineLink),
    /// There is a link of that name already. Never overwrite it.
    NameCollision,
    /// The user is at [`Limits::links`].
    TooMany,
}

/// What came of [`Directory::claim`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claimed {
    /// There is a line.
    Formed,
    /// The link does not admit him any more, his request has its line, or there is a line of that name already.
    Conflict,
    /// One of the two is at [`Limits::lines`], or who uses a link for many is at [`Limits::uses`].
    TooMany,
}

/// What came of [`Directory::push`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It waits.
    Waits {
        /// For the far end.
        at: UserId,
        /// Whether something was taken away for it, and the sender told.
        dropped: bool,
    },
    /// The other end has left.
    Left,
    /// The sender is at no end of such a line.
    NoLine,
}

/// An event that waits for a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Delivery<B> {
    /// Its place in the user's queue: what to acknowledge.
    pub sequence: u64,
    /// Its bytes (§7.3).
    pub event: B,
}

// An event may say how to use a link.
impl<B> fmt::Debug for Delivery<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
