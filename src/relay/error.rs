//! Why a request was not served, and what to do about it.

use thiserror::Error;

use crate::error::DecodeError;

/// The relay refuses a request, and has written nothing.
///
/// Tell the client in your transport's own way. The client's machine keeps the request and decides when to send it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are not a canonical request. The client is broken: it must not send them again.
    #[error("the bytes are not a canonical request: do not send them again")]
    Malformed,
    /// Another version of the protocol wrote the request. Update the client or this crate.
    #[error("the request is of a version that this crate does not know: update the client or the relay")]
    UnsupportedVersion,
    /// The user holds as many links as [`Limits::links`](super::Limits::links) allows. Try again when older ones were purged.
    #[error("the user has too many line links: try again when older ones were purged")]
    TooManyLinks,
    /// One of the two users has as many lines as [`Limits::lines`](super::Limits::lines) allows, or the one that connects has as
    /// many of this link as [`Limits::uses`](super::Limits::uses) allows. The link stays open: try again when both ends have left a line.
    #[error("one of the two users has too many lines: try again when both ends have left a line")]
    TooManyLines,
    /// The payload is longer than [`Limits::bytes`](super::Limits::bytes). No retry helps: the client must send less.
    #[error("the payload is too long: send a shorter one")]
    TooLong,
    /// Another request changed the same rows first, or the generator gave a name that is in use. Handle the same request
    /// again, at once.
    #[error("another request was faster: handle this one again, at once")]
    Contended,
}

/// Why [`Relay::handle`](super::Relay::handle) gives no [`Response`](super::Response).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RelayError<E> {
    /// The relay refuses the request. Tell the client why.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The storage failed, and may or may not have written what it was given. Handle the same request again, later: it gets
    /// the reply that it would have got.
    #[error("the storage failed: handle the same request again, later")]
    Directory(#[source] E),
}

impl From<DecodeError> for RequestError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Malformed => Self::Malformed,
            DecodeError::UnsupportedVersion => Self::UnsupportedVersion,
        }
    }
}
