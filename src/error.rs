//! What can go wrong, and what to do about it.
//!
//! Every error is small, `Copy`, holds no secret, and is for the caller alone: **never send one to the other
//! side**. A machine that returned an error is byte for byte what it was before.

use thiserror::Error;

use crate::id::{LineId, LineLink};

/// The bytes of a message or record are not what this version writes (§1.2, §1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not the canonical encoding of anything this crate knows. Drop the bytes.
    #[error("not a canonical encoding")]
    Malformed,
    /// Written by another version. Keep the bytes and update this crate.
    #[error("written by a version that this crate does not know")]
    UnsupportedVersion,
}

/// The caller's buffer can't hold the result. Nothing has moved; call again with a larger one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the buffer is too small")]
pub struct BufferTooSmall;

/// A text or byte string is not a Port that can be used (§2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// Not a Port. Tell the user that this code or link is something else, or damaged.
    #[error("not a Port")]
    Malformed,
    /// A Port of another version. Tell the user to update the app.
    #[error("a Port of a version that this crate does not know")]
    UnsupportedVersion,
    /// A Port of a kind that this version can't use. Tell the user to update the app.
    #[error("a Port of a kind that this crate does not know")]
    UnsupportedKind,
    /// The Port's public key is not canonical, or of low order (§2.3): whoever made it is broken or hostile.
    #[error("the Port's public key is not acceptable")]
    WeakPublicKey,
    /// The relay is empty, longer than 64 bytes, or has characters that no host name or URL has (§2.1).
    #[error("not a relay's host name or URL")]
    BadRelayAddr,
    /// The name is longer than 32 bytes (§16.2).
    #[error("not an introducer's name")]
    BadName,
    /// The base of a link must begin with `https://`, name a host, and have no fragment of its own (§2.6).
    #[error("not the base of a link")]
    BadLinkBase,
}

/// Why there is no [`Pool`](crate::Pool), or no link from it (§15).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// Not 1 ≤ `low` ≤ `full` ≤ [`MAX_POOL`](crate::MAX_POOL). Choose others.
    #[error("not the bounds of a pool")]
    BadBounds,
    /// No line link is here. Send what is [`pending`](crate::Machine::pending) once there is a network, and take one when the relay
    /// has answered; or let an Alice [`request`](crate::Alice::request) her own.
    #[error("the pool is empty")]
    Empty,
}

/// Why a machine did not move (§8.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The bytes are not canonical. Drop them.
    #[error("not a canonical encoding")]
    Malformed,
    /// Written by another version. Keep the bytes if you can, and update this crate.
    #[error("written by a version that this crate does not know")]
    UnsupportedVersion,
    /// The event is for another Port, request or line. Find its machine by [`Event::key`](crate::Event::key). If there is none:
    /// keep a `Packet` or `Disconnected` as long as a Bob is connecting, for it may have overtaken his `LineFormed`; drop anything
    /// else. A `LineLinkIssued` is for a [`Pool`](crate::Pool) then; if none asked for it, and there is no record of its line link
    /// either, send [`Request::CloseLineLink`](crate::Request::CloseLineLink) for that (§7.2).
    #[error("for another machine")]
    WrongMachine,
    /// This phase does not take this event, or this call. Drop it.
    #[error("out of order")]
    OutOfOrder,
    /// Too soon, but not wrong: a message that overtook the proof. Keep it, in a table of yours, and hand it in again after the
    /// next step of this line.
    #[error("too early")]
    TooEarly,
    /// Already taken; of a Pool, also: a link that it has. Acknowledge it to the relay and drop it.
    #[error("already taken")]
    Duplicate,
    /// This line is not taken: the Port was dead before it was formed, by a race or by a relay that re-uses it; or it is for
    /// many, and this use is refused, for whatever reason (§14.4). Send [`Request::Disconnect`](crate::Request::Disconnect) for
    /// this line, so that its far end is not left waiting; **unless there is a record of this line**: then the event came again,
    /// after a use that was good. The far end can't tell why.
    #[error("a line that is not taken")]
    UnwantedLine(LineId),
    /// A ticket was made and is not handed over yet. Do what is `pending()`, settle, and try again.
    #[error("not settled yet")]
    TicketPending,
    /// A Port for one use is for one use, and a Superport is none, whose least is [`Policy::up_to`](crate::Policy::up_to) 0 or 1. Make
    /// another.
    #[error("a Port for one use")]
    PolicyMismatch,
    /// A Port for many has expired, and does not know it yet. [`tick`](crate::Machine::tick) her, and hand this in again.
    #[error("her deadline has come")]
    DeadlinePassed,
    /// Somebody came by a contact port whose ticket Alice was not told of (§16.4); in the app's dialect that is UnwantedLine. If the line to the introducer may hold
    /// something unread, keep the event, as many as you can afford, and hand it in again once it was read. Otherwise, unless there is
    /// a record of this line, send [`Request::Disconnect`](crate::Request::Disconnect) for it.
    #[error("a ticket that nobody told of")]
    UnknownTicket(LineId),
    /// A ticket that Alice does not take (§16.4): she was told of it by somebody who is not this contact port's introducer, or it
    /// has expired already. Drop it.
    #[error("a ticket that is not taken")]
    TicketRefused,
    /// The introducer told of [`MAX_TICKETS`](crate::MAX_TICKETS) that were not used yet. Delete the rows of those that have
    /// expired, and count again; if there is none, drop this one.
    #[error("too many tickets")]
    TooManyTickets,
    /// A line link for a Port that was given up. Send [`Request::CloseLineLink`](crate::Request::CloseLineLink) for it, so that
    /// the relay need not keep it.
    #[error("a line link for a dead Port")]
    UnwantedLink(LineLink),
    /// The relay says that the Port is paused: it takes nobody for now, and is not used up (§5.4). Do what is
    /// [`pending`](crate::Machine::pending) again later, after a pause that grows; tell the user, who may give it up.
    #[error("the Port is paused")]
    Paused,
    /// The packet does not open: forged, damaged, or with other associated data. Drop it (§6.4: one error for
    /// every cause).
    #[error("does not open")]
    Forged,
    /// The line is closed. Drop the packet.
    #[error("the line is closed")]
    Closed,
    /// The buffer can't hold what is being opened. Call again with one as long as the packet.
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// More associated data than [`MAX_ASSOCIATED_DATA`](crate::MAX_ASSOCIATED_DATA). Pass a hash of it.
    #[error("too much associated data")]
    AssociatedDataTooLong,
}

impl From<DecodeError> for Rejected {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed => Self::Malformed,
            DecodeError::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}

/// Why nothing was sealed (§6.3). The line has not moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The line still waits for Bob's proof, or for its user's word. Seal after the step that joins it.
    #[error("the line is not joined")]
    NotJoined,
    /// The line is closed. A new Port is the only way back.
    #[error("the line is closed")]
    Closed,
    /// Longer than [`MAX_MESSAGE`](crate::MAX_MESSAGE), or, padded, not shorter. Split it.
    #[error("the message is too long")]
    TooLong,
    /// More associated data than [`MAX_ASSOCIATED_DATA`](crate::MAX_ASSOCIATED_DATA). Pass a hash of it.
    #[error("too much associated data")]
    AssociatedDataTooLong,
    /// The buffer can't hold the packet. Call again with [`SEAL_OVERHEAD`](crate::SEAL_OVERHEAD) bytes more
    /// than the message, or than its [`padded_len`](crate::padded_len).
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// The other end has not been heard yet, and this waits for it: an introduction (§16.3), or the 65th message on a line of a
    /// Port for many (§14.7).
    #[error("the other end has not been heard yet")]
    Unconfirmed,
    /// 2⁴⁸ messages were sent. Close the line.
    #[error("the line is used up")]
    Exhausted,
}

/// A stored record can't be restored (§8.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Not a record: damaged or forged storage. Treat the machine as lost.
    #[error("not a record")]
    Malformed,
    /// Written by another version of this crate. Leave the record alone and update.
    #[error("a record of a version that this crate does not know")]
    UnsupportedVersion,
    /// A record of another kind of machine. Restore it as what it is.
    #[error("a record of another kind of machine")]
    AnotherRole,
}

impl From<DecodeError> for RestoreError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed => Self::Malformed,
            DecodeError::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}
