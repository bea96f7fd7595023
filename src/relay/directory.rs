//! Where the relay keeps its links, lines and queues (§13.7).

use core::fmt;

use super::{Connect, Departure, FormedLine, LinkClosure, LinkSetting, NewLink, Packet, UserId};
use crate::id::LineLink;
use crate::message::Reason;
use crate::time::UnixSeconds;

/// Where a [`Relay`](super::Relay) keeps its links, lines and queues (§13.7). `Memory` is one that lasts as
/// long as its process.
///
/// # Your obligations
///
/// - Each method is **atomic**: it does all that its docs say, or nothing.
/// - What a method has written is **durable** before a reply leaves or a user is notified. A storage that commits each method
///   by itself commits before it returns. A storage may also stand for one open transaction that holds many operations:
///   see [`Operation`](super::Operation).
/// - A method that answers that it refuses has written nothing, so that the other operations of its transaction go on.
///
/// The docs of each method say what a wrong answer costs. No wrong answer gives a user a line or a message of somebody else:
/// clients don't trust a relay. What a storage forgets costs a Port, a line or a packet.
///
/// # In SQL
///
/// The docs of each method show the shape of its statements, as PostgreSQL 15 runs them at READ COMMITTED. All but those of
/// [`remove`](Self::remove) can be sent at once, so each request is one round trip. They assume these tables:
///
/// ```text
/// links  line_link PRIMARY KEY, owner, request_id, state, version numeric(20), admits, recognisable, expires, purge_at,
///        claimed_by, request_digest, line_id,    UNIQUE (owner, request_id), INDEX (purge_at)
/// ends   (line_id, user_id) PRIMARY KEY, other, line_link, connected_by, request_digest, recognisable,
///        UNIQUE (line_link, connected_by, request_digest, user_id), INDEX (user_id)
/// queue  (user_id, sequence) PRIMARY KEY, line_id, kind, length, event,    INDEX (user_id, line_id, sequence)
/// users  user_id PRIMARY KEY, last_sequence
/// look   one row, at: the look before at the clock, for purge
/// ```
///
/// A user that leaves a line loses its row of `ends`. The columns from `line_link` on are the same in both rows of a line: they are the
/// [`Use`](super::Use) that formed it. So a use is known, and counts, until both users have left.
///
/// The marks in `LineFormed` and `Connected` depend on the link's owner, which the database knows. Read the link first, in the same
/// transaction, and let [`Connect::decide`] make the marks. Or let the database do it: HMAC-SHA256 is
/// `sha256(outer || sha256(inner || viewer || peer || link))`, where `inner` and `outer` are the key, filled up with zeros to 64 bytes, with
/// each byte XORed with 0x36 and 0x5c.
///
/// A storage that counts without a lock may let requests at the same moment go over a limit, each by one. Counts of lines and links bear
/// that. That of [`max_uses`](Connect::max_uses) should not: one user could send many requests at once.
/// If the database ends a statement because of a deadlock or a serialization failure, answer [`Claimed::Conflict`] or repeat the
/// transaction.
pub trait Directory {
    /// Why the storage could not answer. It may or may not have done what it was asked to: the client's retry finds out.
    type Error;

    /// An event's bytes (§7.3), as they are stored.
    type Bytes<'d>: AsRef<[u8]>
    where
        Self: 'd;

    /// Gives the link of this request. If the request ([`owner`](NewLink::owner), [`request_id`](NewLink::request_id)) has a
    /// link already, that is the one. Otherwise stores a new one: open, of version 0, and admitting
    /// [`One`](crate::Admission::One).
    ///
    /// A link whose [`purge_at`](super::LinkEntry::purge_at) has come does not count for [`max_links`](NewLink::max_links). It is not
    /// touched here, also if it is the one of this request: only [`purge`](Self::purge) deletes, and its owner may set it anew.
    ///
    /// One statement:
    ///
    /// ```text
    /// WITH before AS (SELECT line_link FROM links WHERE owner = … AND request_id = …),
    ///   new AS (INSERT INTO links … SELECT … WHERE NOT EXISTS (SELECT FROM before)
    ///           AND (SELECT count(*) FROM links WHERE owner = … AND purge_at > now) < max_links   ON CONFLICT DO NOTHING RETURNING line_link)
    ///   SELECT line_link FROM new UNION ALL SELECT line_link FROM before
    /// ```
    ///
    /// If it gives no row: [`TooMany`](Issued::TooMany) or [`NameCollision`](Issued::NameCollision).
    ///
    /// - *A lost write*: nobody can use the link. Alice makes another Port.
    /// - *A stale read*, so that one request gets two links: Alice takes the first and closes the second (§4.4).
    /// - *A wrong count*: the user holds more or fewer links than it may.
    ///
    /// # Errors
    /// The storage's own.
    fn issue(&mut self, link: &NewLink) -> Result<Issued, Self::Error>;

    /// Does the whole of a Connect. Reads the link and the line that this request has formed before, and asks
    /// [`Connect::decide`]. If it says [`Form`](super::Decision::Form), and both users have room, and no line has this name, writes
    /// all of:
    ///
    /// - the line [`claim.line_id`](super::Claim::line_id), between the link's owner and [`claim.by`](super::Claim::by);
    /// - [`Connect::line_formed`], at the end of the owner's queue;
    /// - [`Connect::connected`], at the end of the queue of `claim.by`;
    /// - the [`Use`](super::Use): that this request has formed this line, until both users have left it;
    /// - of a link that admits one: the state [`Claimed`](super::LinkState::Claimed), and until when it is kept.
    ///
    /// There is room if each of the two users is on fewer lines than [`max_lines`](Connect::max_lines) and, if the link admits
    /// many, `claim.by` has formed fewer lines of this link than [`max_uses`](Connect::max_uses) that one of their two users has not left.
    /// A line that only `claim.by` has left counts: else one user could fill up the lines of an owner that is away. So does the use that
    /// claimed a link which was opened again.
    ///
    /// Two statements in one transaction. The first locks the link, so that the second sees what other requests did to it:
    ///
    /// ```text
    /// SELECT FROM links WHERE line_link = … FOR UPDATE
    /// WITH link AS (SELECT * FROM links WHERE line_link = …),
    ///   before AS (SELECT line_id, recognisable FROM ends WHERE line_link, connected_by, request_digest = … LIMIT 1),
    ///   counts AS (SELECT the rows of ends of owner, those of by, and count(DISTINCT request_digest) of those WHERE line_link, connected_by = …),
    ///   bob AS (INSERT INTO ends … SELECT … FROM link, counts WHERE state = open AND admits <> nobody AND expires > now AND purge_at > now
    ///           AND owner <> by AND there is room AND NOT EXISTS (SELECT FROM before)   ON CONFLICT DO NOTHING RETURNING other, recognisable),
    ///   alice AS (INSERT INTO ends … FROM bob),
    ///   claimed AS (UPDATE links SET state = claimed, purge_at = least(purge_at, greatest(now, expires - lifetime) + retention), … FROM bob
    ///               WHERE line_link = … AND admits = one),
    ///   number AS (INSERT INTO users … for both, FROM bob   ON CONFLICT DO UPDATE SET last_sequence = users.last_sequence + 1 RETURNING …),
    ///   queued AS (INSERT INTO queue … FROM number)
    ///   SELECT link.*, before.*, counts.*, EXISTS (SELECT FROM bob)
    /// ```
    ///
    /// Then, if `bob` has a row: [`Formed`](Claimed::Formed). Otherwise `decide` on what was read gives the answer. If even so it
    /// says `Form`, the answer is [`TooMany`](Claimed::TooMany) if a count is too high, and [`Conflict`](Claimed::Conflict) if not.
    ///
    /// With `FOR UPDATE` in `link` the second statement does without the first. Then requests at the same moment don't see each other's
    /// uses, so `max_uses` does not hold, and only the UNIQUE key of `ends` keeps the same request from forming two lines.
    ///
    /// - *`Formed` twice of one use*, or *a lost write*: two lines. Alice takes the one that it hears of first and disconnects
    ///   the other (§4.4). The user at the far end of that one has used up its Port in vain.
    /// - *`Conflict` of an open link*: Bob retries for as long as that lasts.
    /// - *A stale read*, so that the link counts as unknown, closed, expired or used: Bob is refused and gives up its Port. **It
    ///   must not happen.** A stale read that says *open* does no harm if the write depends on the link's row as it is.
    /// - *A stale read* of the line that the request has formed: a second line, which Bob refuses.
    /// - *Another `recognisable`* of that line: Bob is given another mark of Alice than before.
    /// - *A lost event* for Bob: a Bob that has forgotten its request never leaves the line.
    /// - *A use that is forgotten too early*, or not counted: one user fills up the lines of an owner that is away.
    ///
    /// # Errors
    /// The storage's own.
    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Self::Error>;

    /// Sets which users a link admits, its version, whether it is [`recognisable`](LinkSetting::recognisable),
    /// [`expires`](LinkSetting::expires) and [`purge_at`](LinkSetting::purge_at), and opens it, if [`LinkSetting::decide`] says
    /// [`Set`](super::SetDecision::Set) of the link as it is. But a link that is due is set only if its owner has fewer than
    /// [`max_links`](LinkSetting::max_links) that are not. Sets the version alone if `decide` says
    /// [`Version`](super::SetDecision::Version). Otherwise writes nothing. What is kept of the uses of a claimed link stays.
    ///
    /// Gives [`Lost`](LinkSet::Lost) if `decide` says so and nothing waits in the owner's queue. If something waits, it may be the event
    /// that the link was used: the owner is to hear that first, and asks again.
    ///
    /// Up to three statements in one transaction, each if those before it have changed no row:
    ///
    /// ```text
    /// UPDATE links SET state = open, version, admits, recognisable, expires, purge_at = …
    ///   WHERE line_link = … AND owner = … AND (state = open AND version <= … OR state = claimed AND version < … AND … = many)
    ///     AND (purge_at > now OR (SELECT count(*) FROM links WHERE owner = … AND purge_at > now) < max_links)
    /// UPDATE links SET version = … WHERE line_link = … AND owner = … AND state = claimed AND version < … AND … <> many
    /// SELECT NOT EXISTS (SELECT FROM links WHERE line_link = … AND owner = … AND state <> closed)
    ///   AND NOT EXISTS (SELECT FROM queue WHERE user_id = …)
    /// ```
    ///
    /// - *A lost write* of *nobody*: lines are formed, and Alice disconnects them. Of *many*: the first user burns the link, and
    ///   the next ones are told that it is used, until Alice sets the link again. **It must not happen.**
    /// - *A lower version after a higher one*: the same.
    /// - *A lost renewal*: the link ends before its time, unless Alice sets it again.
    /// - *`Lost` of a link that is there*, or before Alice has heard that it was used: Alice gives its Port up. **It must not happen.**
    /// - *Never `Lost`*: Alice waits for ever at a Port that nobody can use.
    ///
    /// # Errors
    /// The storage's own.
    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Self::Error>;

    /// Closes a link and sets its `purge_at` to what [`LinkClosure::decide`] gives for the link as it is. If that is `None`, writes
    /// nothing.
    ///
    /// One statement:
    ///
    /// ```text
    /// UPDATE links SET state = closed, purge_at = least(purge_at, greatest(now, expires - lifetime) + retention)
    ///   WHERE line_link = … AND owner = … AND state = open
    /// ```
    ///
    /// - *A lost write*: the link can still be used. Alice disconnects its lines (§4.4).
    ///
    /// # Errors
    /// The storage's own.
    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Self::Error>;

    /// Puts [`Event::Packet`](crate::Event::Packet) at the end of the queue of the line's other end. Then, while more packets of
    /// this line wait there than [`max_packets`](Packet::max_packets), or more bytes of their payloads than
    /// [`max_bytes`](Packet::max_bytes), takes away the oldest of them. If it took any, puts
    /// [`Event::Dropped`](crate::Event::Dropped) at the end of the sender's own queue, and takes away the one of this line that
    /// may wait there already.
    ///
    /// If the other end has left, writes nothing: the sender's own queue has [`Event::Disconnected`](crate::Event::Disconnected),
    /// behind what it has not heard yet, and that is all that it is told.
    ///
    /// One statement if there is room, which is nearly always. If there is none, a transaction that deletes the oldest:
    ///
    /// ```text
    /// WITH far AS (SELECT … both rows of ends …), held AS (SELECT count(*), sum(length) FROM queue WHERE user_id = far AND line_id = … AND kind = packet),
    ///   number AS (INSERT INTO users … FROM far, held WHERE there is room
    ///              ON CONFLICT (user_id) DO UPDATE SET last_sequence = users.last_sequence + 1 RETURNING …)
    ///   INSERT INTO queue … FROM number
    /// ```
    ///
    /// - *A lost write*: a packet is lost and nobody is told, unless the app counts packets.
    /// - *Written twice*: the other end refuses the second (§6.4).
    /// - *`NoLine` of a line that lives*: the sender is told that the line ended, and so it ends. **It must not happen.**
    ///
    /// # Errors
    /// The storage's own.
    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Self::Error>;

    /// Takes a user off a line, with all that waits for it of that line. With the second user goes what the storage keeps of the request
    /// that formed the line. If the other end is still there, puts [`Event::Disconnected`](crate::Event::Disconnected) at the end of its queue
    /// and gives that user. Gives `None` if nobody is to be notified.
    ///
    /// One statement:
    ///
    /// ```text
    /// WITH gone AS (DELETE FROM ends WHERE line_id = … AND user_id = … RETURNING other), emptied AS (DELETE FROM queue … FROM gone)
    ///   INSERT INTO queue … FROM gone JOIN ends ON the other end's row, and its next number
    /// ```
    ///
    /// - *A lost write*: the other end hears no more than the Close that went before (§6.7). What it sends waits for nobody, up to
    ///   the limits.
    ///
    /// # Errors
    /// The storage's own.
    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Self::Error>;

    /// The first event in a user's queue with a sequence number above `after`. Numbers rise from 1. No number is given twice to
    /// one user.
    ///
    /// - *A stale read*: an event comes later, or comes again and is refused (§6.4).
    ///
    /// # Errors
    /// The storage's own.
    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<Self::Bytes<'_>>>, Self::Error>;

    /// Hands `deliver` the events of a user's queue with sequence numbers above `after`, in their order, as many as `batch`
    /// allows. Gives the number of the last one, or `after` if nothing waits.
    ///
    /// This is what [`next`](Self::next) gives, called again and again. A database does it in one statement: `SELECT sequence,
    /// event FROM queue WHERE user_id = … AND sequence > … ORDER BY sequence LIMIT …`. A wrong answer costs what it costs in `next`.
    ///
    /// # Errors
    /// The storage's own. What `deliver` was handed before the error is right.
    fn next_batch(
        &self,
        user: UserId,
        after: u64,
        batch: BatchLimit,
        mut deliver: impl FnMut(Delivery<&[u8]>),
    ) -> Result<u64, Self::Error> {
        let (mut last, mut filled) = (after, Filled::default());
        while let Some(Delivery { sequence, event }) = self.next(user, last)? {
            let event = event.as_ref();
            if !filled.takes(event.len(), batch) {
                break;
            }
            last = sequence;
            deliver(Delivery { sequence, event });
        }
        Ok(last)
    }

    /// Takes every event with a number up to and including `upto` out of a user's queue. With an event `Disconnected`, the user
    /// is off its line. A number that this user was not given yet takes nothing: it belongs to a storage that was lost.
    ///
    /// One statement:
    ///
    /// ```text
    /// WITH taken AS (DELETE FROM queue WHERE user_id = … AND sequence <= upto AND upto <= (SELECT last_sequence …) RETURNING line_id, kind)
    ///   DELETE FROM ends USING taken WHERE … AND kind = disconnected
    /// ```
    ///
    /// - *A lost write*: the events come again, and are refused.
    ///
    /// # Errors
    /// The storage's own.
    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Self::Error>;

    /// Removes a user: its links, whatever became of them, what waits for it, and its end of every line. Where the other end is
    /// still there, puts [`Event::Disconnected`](crate::Event::Disconnected) at the end of its queue and calls `notify` with that
    /// user. A link of another user that this one has used stays as it is.
    ///
    /// This needs a transaction.
    ///
    /// - *A lost write* of a link: a user of the link talks to nobody. Of a line: the other end is not told, and what it sends
    ///   waits for nobody, up to the limits. Removing the user again mends both.
    ///
    /// # Errors
    /// The storage's own.
    fn remove(&mut self, user: UserId, notify: impl FnMut(UserId)) -> Result<(), Self::Error>;

    /// Deletes links that are due by [`PurgeLook`](super::PurgeLook): as many as is quickly done, but more than one. If none is left that
    /// is due by it, keeps the [`next`](super::PurgeLook::next) look in the place of the one before.
    /// [`Operation::execute`](super::Operation::execute) calls it once for each link that is issued. A storage with a background job
    /// may do nothing here and delete them there.
    ///
    /// One transaction, in which the row of `look` lets only one purge work at a time:
    ///
    /// ```text
    /// SELECT at FROM look FOR UPDATE SKIP LOCKED      no row: another one is at work, so do nothing
    /// DELETE FROM links WHERE line_link IN (SELECT line_link FROM links WHERE purge_at <= due_at LIMIT …)
    /// UPDATE look SET at = next                       unless that has deleted as many as the LIMIT
    /// ```
    ///
    /// - *Too early*: Alice is told that its link is lost, and gives up its Port. A used link is unknown, so the victim of a thief is not
    ///   warned. **It must not happen** because of a wrong clock.
    /// - *Never*: the storage fills up with links of users that ask for no new ones.
    ///
    /// # Errors
    /// The storage's own.
    fn purge(&mut self, now: UnixSeconds) -> Result<(), Self::Error>;
}

/// What came of [`Directory::issue`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Issued {
    /// The link of that request.
    Link(LineLink),
    /// A link of that name exists already. Never overwrite it.
    NameCollision,
    /// The user holds [`NewLink::max_links`] links already.
    TooMany,
}

/// What came of [`Directory::set_link`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkSet {
    /// The owner need not know more: the link is set, or used, or has a later setting.
    Done,
    /// The owner has no such link, and nothing waits for it.
    Lost,
}

/// What came of [`Directory::claim`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claimed {
    /// The storage has formed this line, and its events wait for both users.
    Formed(FormedLine),
    /// The same request formed this line before.
    FormedBefore(FormedLine),
    /// The link forms no line with this user, for this reason.
    Refused(Reason),
    /// One of the two users has no room for a line. The link stays as it was.
    TooMany,
    /// A line of that name exists already, or the link changed between the decision and the write. Nothing was written, and a
    /// retry gets an answer.
    Conflict,
}

/// What came of [`Directory::push`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// The packet waits in a queue.
    Queued {
        /// The user at the other end, whose queue it is.
        to: UserId,
        /// Whether an older packet was taken away for it, and the sender told.
        dropped: bool,
    },
    /// The other end has left the line.
    Left,
    /// The sender is at no end of such a line.
    NoLine,
}

/// An event that waits for a user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Delivery<B> {
    /// The event's number in the user's queue. The user acknowledges this number.
    pub sequence: u64,
    /// The event's bytes (§7.3).
    pub event: B,
}

// An event may say how to use a link, so a log must not show it.
impl<B> fmt::Debug for Delivery<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// How much [`Directory::next_batch`] hands out at most, so that it fits one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchLimit {
    /// The number of events.
    pub events: usize,
    /// The number of bytes of all events together. One event alone may be longer, or it would never be delivered.
    pub bytes: usize,
}

/// How much of a batch is filled.
#[derive(Default)]
pub(super) struct Filled {
    events: usize,
    bytes: usize,
}

impl Filled {
    /// Whether the batch has room for one more event of this length. If so, the event counts from now on.
    pub(super) const fn takes(&mut self, length: usize, batch: BatchLimit) -> bool {
        let bytes = self.bytes.saturating_add(length);
        if self.events >= batch.events || (self.events > 0 && bytes > batch.bytes) {
            return false;
        }
        (self.events, self.bytes) = (self.events.saturating_add(1), bytes);
        true
    }
}
