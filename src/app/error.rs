//! What can go wrong at the app's edge. As all errors of this crate: small, without secrets, and for the caller alone.

use thiserror::Error;

use crate::error::PortError;

/// A text is not a bundle that can be used (§17.2, §17.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Neither a bundle nor a link. Tell the user that this code or link is something else, or damaged.
    #[error("not a bundle")]
    Malformed,
    /// A bundle of another version of the app's formats. Tell the user to update.
    #[error("a bundle of a version that this crate does not know")]
    UnsupportedVersion,
    /// A bundle of a target that is in no version known here. Tell the user to update.
    #[error("a bundle of a target that this crate does not know")]
    UnsupportedTarget,
    /// It invites into a group (targets 1 and 3), which has no line (§17.2). Tell the user that the app itself is needed for that.
    #[error("a group's bundle, which this crate can't use")]
    Group,
    /// The public key is not canonical, or of low order (§2.3): whoever made it is broken or hostile.
    #[error("the bundle's public key is not acceptable")]
    WeakPublicKey,
    /// `keyHash` is not that of `pubkey`: the key was exchanged on its way, or the bundle is damaged. Don't use it, and say so.
    #[error("the bundle's key is not the one that it names")]
    WrongKeyHash,
    /// The name is longer than 30 UTF-16 code units. Of one's own: shorten it.
    #[error("the name is too long")]
    NameTooLong,
}

/// A text is no Port that can be used, in neither dialect (§17.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// One of the app's, by its looks. What to tell the user stands with each [`BundleError`].
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Anything else. What to tell the user stands with each [`PortError`].
    #[error(transparent)]
    Port(#[from] PortError),
}

/// An intro message was not made by anybody who holds the bundle (§17.4): one error for every cause, so that it tells a forger nothing.
/// Do not connect; send [`Request::Disconnect`](crate::app::Request::Disconnect) for the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the intro message is not accepted")]
pub struct IntroError;

/// A message can't be sealed, opened or read (§17.5, §17.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It does not open: forged, damaged, or under another key. One error for every cause. Drop it.
    #[error("does not open")]
    Forged,
    /// It opened, and is none that this version knows the form of. Drop it.
    #[error("not a message")]
    Malformed,
    /// Sealed, it would be longer than [`MAX_ENCRYPTED_CONTENT`](crate::app::MAX_ENCRYPTED_CONTENT). Split it.
    #[error("the message is too long")]
    TooLong,
}

/// An event can't be taken (§17.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum EventError {
    /// Not an event, or one of a line that is damaged. Drop it.
    #[error("not an event")]
    Malformed,
    /// An event that is none of a line: a group's, a call, or one of a later version. It is the caller's, whole.
    #[error("an event of something else than a line")]
    NotOfALine,
}

/// A response's body is not the one that belongs to the request (§17.8). The request may have been carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// Not such a body. Ask again later.
    #[error("not the response")]
    Malformed,
}
