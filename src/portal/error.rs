//! What can go wrong between Portals, and what to do about it.

use minicbor::{Decode, Encode};
use thiserror::Error;

/// What a callee answers in place of a Reply (§18.6). It is not encrypted, and nobody vouches for it: it ends nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Refusal {
    /// The callee does not know the caller; or it can't read the message; or it has had this message before. Ask once more under the same id: a bit may
    /// have changed on the way. If it comes again, tell the owner to let the peer's owner enter this Portal's ID. The callee's reasons are one, so that
    /// a stranger learns nothing by trying.
    #[n(1)]
    #[error("the peer does not know this Portal: its owner must enter this Portal's ID")]
    Unknown = 1,
    /// The session is over. [`Peer::hear`](super::Peer::hear) asks nothing more in it, and still reads what comes in it: ask again, in a new one.
    #[n(2)]
    #[error("the session is over: ask again")]
    NoSession = 2,
    /// The callee has no room. Ask again in a minute.
    #[n(3)]
    #[error("the peer is busy: ask again later")]
    Busy = 3,
    /// The clocks of the two Portals differ by more than the minutes that are allowed. Set them right.
    #[n(4)]
    #[error("the clocks of the two Portals differ too much")]
    ClocksDiffer = 4,
}

/// Why a callee refused a request (§18.8). Its Reply is authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such app on the peer, or it does not serve this path to peers. Answer the app with 404.
    #[n(1)]
    #[error("the peer's app does not serve this path to peers")]
    NotServed = 1,
    /// The request's id is older than ten minutes, or lies ahead of the peer's clock. It may have been done: the app looks before it asks under
    /// a new id.
    #[n(2)]
    #[error("the request is too old, or the clocks differ")]
    Stale = 2,
    /// The peer holds 64 requests of this Portal whose answers are not [`done`](super::Peer::done). Ask again later.
    #[n(3)]
    #[error("the peer holds too many requests: ask again later")]
    Full = 3,
    /// The request changes something, and came in an Opening. [`Peer::ask`](super::Peer::ask) never does that.
    #[n(4)]
    #[error("a request that changes something needs a session")]
    TooEarly = 4,
    /// The peer stopped while its app worked. The app may or may not have done it: look before you ask under a new id.
    #[n(5)]
    #[error("the peer was interrupted: look what was done before you ask again")]
    Interrupted = 5,
    /// A part of a body that is out of order, or of a request that the peer does not have. Begin again under a new id.
    #[n(6)]
    #[error("the peer can't place this part of a request")]
    Malformed = 6,
}

/// What is no request or answer (§18.7). Nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The name of an app is 1 to 63 characters of `a`–`z`, `0`–`9`, `-`, `_`.
    #[error("not the name of an app")]
    BadApp,
    /// A method is 1 to 16 capital letters, and neither `CONNECT` nor `TRACE`. Refuse the app's request.
    #[error("not a method that is carried")]
    BadMethod,
    /// A header's value has characters that HTTP does not allow, or a name comes twice. Refuse the app's request.
    #[error("not a header that is carried")]
    BadHeader,
    /// A status is a number from 200 to 599. Answer 502 in its place.
    #[error("not a final status")]
    BadStatus,
    /// A part of a body is longer than 32,768 bytes: cut it. Or there are more than 64 headers, or 8,192 bytes of them: refuse the request.
    #[error("too long")]
    TooLong,
}

/// What is no peer, or can't be done with one (§18.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The name is longer than 32 bytes, or has a character that hides or moves others. Choose another.
    #[error("not a name")]
    BadName,
    /// A Portal is no peer of itself. Tell the owner that this is the Portal's own ID.
    #[error("this is the Portal's own ID")]
    Own,
    /// The peer is entered already.
    #[error("the peer is entered already")]
    Known,
    /// The owner removed the peer. Call [`Peer::enter_again`](super::Peer::enter_again).
    #[error("the peer was removed")]
    Removed,
    /// The peer has no address. Ask its owner for one.
    #[error("the peer has no address")]
    NoAddress,
    /// The owner blocked the peer: nothing is asked of it, and nothing is answered.
    #[error("the peer is blocked")]
    Blocked,
    /// What came is of another peer, of another session, or can't be placed any more. Drop it.
    #[error("this belongs to another peer or to another session")]
    Misplaced,
}

/// Why a peer was not asked (§18.10). Nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// The owner did not grant this peer to this app, or blocked the peer; or the request is another app's. Answer the app with 403.
    #[error("the owner did not grant this peer to the app")]
    NotGranted,
    /// The peer's key is not known yet. Look it up, by [`Peer::look_up`](super::Peer::look_up). Answer the app with 503.
    #[error("the peer's key is not known yet")]
    Unverified,
}

impl From<GrantError> for AskError {
    fn from(_: GrantError) -> Self {
        Self::NotGranted
    }
}

/// Why what a peer answered was not heard (§18.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum HearError {
    /// It is not of this peer, or was changed on its way. Nothing has changed. Ask again under the same id.
    #[error("not what this peer said")]
    Forged,
    /// The session that it belongs to is over, or the owner blocked the peer. Ask again under the same id.
    #[error("of a session that is over")]
    Misplaced,
    /// Somebody refused in the peer's place, or the peer did: nobody vouches for it. The [`Refusal`] says what to do.
    #[error("refused: {0}")]
    Refused(Refusal),
}

/// What is no credential, or no app that may ask (§18.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The credential is not this app's. Answer 401.
    #[error("not the credential of this app")]
    BadCredential,
    /// The owner did not grant this peer to this app. Answer 403. It is the same for a peer that does not exist.
    #[error("the owner did not grant this peer to the app")]
    NotGranted,
    /// The list of granted peers is full: 1,024. Grant all, or take one away.
    #[error("too many peers are granted")]
    TooMany,
}
