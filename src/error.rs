//! What can go wrong, and what to do about it.
//!
//! Every error is small and `Copy`, holds no secret, and is for the caller alone. **Never send one to the other side.** A machine that
//! returned an error is byte for byte what it was before.

use thiserror::Error;

use crate::id::{LineId, LineLink};

/// The bytes of a message or record are not what this version writes (§1.2, §1.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They are not the canonical encoding of anything this crate knows. Drop the bytes.
    #[error("not a canonical encoding")]
    Malformed,
    /// Another version wrote them. Keep the bytes and update this crate.
    #[error("written by a version that this crate does not know")]
    UnsupportedVersion,
}

/// The caller's buffer can't hold the result. Nothing has changed. Call again with a larger one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the buffer is too small")]
pub struct BufferTooSmall;

/// A text or byte string is not a Port that can be used (§2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PortError {
    /// It is not a Port. Tell the user that this code or link is something else.
    #[error("not a Port")]
    Malformed,
    /// It was a Port, and was changed on its way: its check is wrong (§2.7). Tell the user to ask for it again.
    #[error("a Port that was changed on its way")]
    Damaged,
    /// It is a Port of another version. Tell the user to update the app.
    #[error("a Port of a version that this crate does not know")]
    UnsupportedVersion,
    /// It is a Port of a kind that this version can't use. Tell the user to update the app.
    #[error("a Port of a kind that this crate does not know")]
    UnsupportedKind,
    /// The Port's public key is not canonical, or has a low order (§2.3). Its maker is broken or hostile: do not use it.
    #[error("the Port's public key is not acceptable")]
    WeakPublicKey,
    /// The relay address is empty, longer than 64 bytes, or has characters that no host name or URL has (§2.1). Choose another.
    #[error("not a relay's host name or URL")]
    BadRelayAddr,
    /// The name is longer than 32 bytes, or has a character that hides or moves others (§16.2). Choose another.
    #[error("not an introducer's name")]
    BadName,
    /// The base of a link must begin with `https://`, or with `http://` if its host ends in `.onion`, name a host that URL parsers open, and
    /// have no fragment of its own (§2.6). Choose another.
    #[error("not the base of a link")]
    BadLinkBase,
}

/// Why no Port was found in a text (§2.8). Its `Display` is a sentence for the user, in English: show it, or one of your own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing in the text looks like a Port, or like a link to one.
    #[error("There is no Port in this text. Ask for a Port, as a QR code or as a link.")]
    NoPort,
    /// A Port begins here, or a link, and the rest is missing: an app shortened it, dropped what stands behind its `#`, or the user did
    /// not mark all of it.
    #[error("This Port lost its end on the way. Copy all of it, or ask for it again.")]
    CutOff,
    /// There is only the link of another service, a shortener or a filter, that stands in the place of a link. What it stands for can't be
    /// seen in it. Do not open it for the user: it may have been opened on the way, and tells that service.
    #[error("Another service replaced the link by its own. Ask for the Port in another way, best as a QR code.")]
    Rewritten,
    /// There is a whole Port whose check is wrong, or long Base32 that is none; or its maker is broken.
    #[error("This Port was changed on the way. Ask for it again.")]
    Damaged,
    /// There are two Ports that differ. Let the user choose.
    #[error("There is more than one Port in this text. Copy only the one that you want to use.")]
    MoreThanOne,
    /// It is a Port of another version, or of a kind that this version does not know.
    #[error("This Port needs a newer app. Update the app, and try again.")]
    WrongVersion,
    /// There is no Port that is whole, but a Portal's card (§18.3). Only with the feature `portal`.
    #[error("This is the card of a Portal, not a Port. Enter it where you add a Portal.")]
    PortalCard,
}

/// Why there is no [`Pool`](crate::Pool), or no link from it (§15).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// The bounds must be 1 ≤ `low` ≤ `full` ≤ [`MAX_POOL`](crate::MAX_POOL). Choose others.
    #[error("not the bounds of a pool")]
    BadBounds,
    /// No line link is here. Send what is [`pending`](crate::Machine::pending) once there is a network, and pop a link when the relay has
    /// answered. Or let an Alice [`request`](crate::Alice::request) a link of its own.
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
    /// Another version wrote the bytes. Keep them if you can, and update this crate.
    #[error("written by a version that this crate does not know")]
    UnsupportedVersion,
    /// The event is for another machine. Find it by [`Event::key`](crate::Event::key). If there is no such machine:
    ///
    /// - Keep a `Packet` or `Disconnected` as long as a Bob is connecting, and was not told to wait ([`Paused`](Self::Paused)): it may have
    ///   overtaken Bob's `Connected`. If no Bob is, and there is no row of its line, answer a `Packet` with
    ///   [`Request::Disconnect`](crate::Request::Disconnect) for that line: its far end waits for an end that is gone (§8.3).
    /// - If your transport does not keep the relay's order, keep such an event for a day while a Port is on offer, too (§6.4).
    /// - Hand a `LineLinkIssued` to the [`Pool`](crate::Pool). If no pool requested it, and there is no record of its line link, send
    ///   [`Request::CloseLineLink`](crate::Request::CloseLineLink) for that link (§7.2).
    /// - For a `LineFormed` or `Connected`: if there is no row of its line, send
    ///   [`Request::Disconnect`](crate::Request::Disconnect) for that line, so that its far end does not wait (§8.3).
    /// - Drop any other event.
    #[error("for another machine")]
    WrongMachine,
    /// This phase does not take this event or this call. Drop it.
    #[error("out of order")]
    OutOfOrder,
    /// The message is not wrong, but it overtook the proof. Keep it in a table of yours, and hand it in again after the next step of this
    /// line.
    #[error("too early")]
    TooEarly,
    /// It was taken already; from a Pool: the pool has this link. Acknowledge it to the relay and drop it.
    #[error("already taken")]
    Duplicate,
    /// The Port has expired, by the time that was handed in. Nothing was sent and nothing moves: tell the user. If the clock was wrong, try
    /// again with the right time. Else give the machine up.
    #[error("the Port has expired")]
    Expired,
    /// **The relay lies**: it says that this Port formed a line that another Port has formed (§4.3). Drop the event, and do not disconnect
    /// that line, for it is a good one. Tell the user, and use another relay.
    #[error("the relay names a line of another Port")]
    FalseLine,
    /// Nobody wants this line. Either its Port was dead before the line was formed, or this use of a Port for many is refused (§14.4).
    /// Look for a record of this line. If there is one, a good use came again: drop the event. If there is none, send
    /// [`Request::Disconnect`](crate::Request::Disconnect) for the line, so that its far end does not wait. The far end can't tell why.
    #[error("a line that nobody wants")]
    UnwantedLine(LineId),
    /// This line link came for a Port that was given up. Send [`Request::CloseLineLink`](crate::Request::CloseLineLink) for it, so that
    /// the relay need not keep it.
    #[error("a line link for a dead Port")]
    UnwantedLink(LineLink),
    /// A ticket was made and is not handed over yet. Do what is [`pending`](crate::Machine::pending), clear the outbox, and try again.
    #[error("a ticket is pending")]
    TicketPending,
    /// The policy does not fit this kind of Port: a plain Port is always single-use, a Superport never is. Make another Port. To close a
    /// Superport after its first use, limit it by [`Policy::up_to`](crate::Policy::up_to).
    #[error("the policy does not fit this kind of Port")]
    PolicyMismatch,
    /// The Port's deadline has passed, and the machine was not told. [`tick`](crate::Machine::tick) it, and hand this in again.
    #[error("the deadline has passed")]
    DeadlinePassed,
    /// A guest came by a contact port with a ticket that was not announced (§16.4). If the introducer's line may hold something unread,
    /// keep the event, as many as you can afford, and hand it in again once that was read. Otherwise do as for
    /// [`UnwantedLine`](Rejected::UnwantedLine). In the app's dialect this is `UnwantedLine` at once.
    #[error("a ticket that was not announced")]
    UnknownTicket(LineId),
    /// Alice does not accept this ticket (§16.4): it was announced by somebody who is not this contact port's introducer, or it has
    /// expired. Drop it.
    #[error("a ticket that is not accepted")]
    TicketRefused,
    /// The introducer announced [`MAX_TICKETS`](crate::MAX_TICKETS) that were not used yet. Delete the rows of those that have expired, and
    /// count again. If none has, drop this one.
    #[error("too many tickets")]
    TooManyTickets,
    /// The relay says that the Port is paused: it takes nobody for now, and is not used up (§5.4). Or the relay has not heard yet that this
    /// Port is for many, and takes it for used. Do what is
    /// [`pending`](crate::Machine::pending) again later, after a pause that grows. Tell the user, who may give it up.
    #[error("the Port is paused")]
    Paused,
    /// The packet does not open: it is forged, damaged, or has other associated data. Drop it. There is one error for every cause (§6.4).
    #[error("does not open")]
    Forged,
    /// The line is closed. Drop the packet.
    #[error("the line is closed")]
    Closed,
    /// The buffer can't hold the message. Call again with one as long as the packet.
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// There is more associated data than [`MAX_ASSOCIATED_DATA`](crate::MAX_ASSOCIATED_DATA). Pass a hash of it.
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
    /// The line still waits for Bob's proof, or for its user's approval. Seal after the step that joins it.
    #[error("the line is not joined")]
    NotJoined,
    /// The line is closed. Only a new Port leads back.
    #[error("the line is closed")]
    Closed,
    /// The message is longer than [`MAX_MESSAGE`](crate::MAX_MESSAGE). A padded one must be shorter than that. Split it.
    #[error("the message is too long")]
    TooLong,
    /// There is more associated data than [`MAX_ASSOCIATED_DATA`](crate::MAX_ASSOCIATED_DATA). Pass a hash of it.
    #[error("too much associated data")]
    AssociatedDataTooLong,
    /// The buffer can't hold the packet. Call again with [`SEAL_OVERHEAD`](crate::SEAL_OVERHEAD) bytes more than the message, or than its
    /// [`padded_len`](crate::padded_len).
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// The other end has not been heard yet, and this waits for it: an introducer message (§16.3), or the 65th message on a line of a Port
    /// for many (§14.7). Seal it once the line is confirmed.
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
    /// It is not a record: the storage is damaged or forged. Treat the machine as lost.
    #[error("not a record")]
    Malformed,
    /// Another version of this crate wrote it. Leave the record alone and update.
    #[error("a record of a version that this crate does not know")]
    UnsupportedVersion,
    /// It is a record of another kind of machine. [`MachineRole`](crate::MachineRole) says of which.
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
