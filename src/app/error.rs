//! What can go wrong with the app's formats, and what to do about it.
//!
//! As all errors of this crate, each is small and `Copy`, holds no secret, and is for the caller alone. **Never send one to the other
//! side.**

use thiserror::Error;

use crate::error::PortError;

/// A text is not a bundle that can be used (§17.2, §17.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The text is not a bundle, nor a link to one. Tell the user that this code or link is something else, or damaged.
    #[error("not a bundle")]
    Malformed,
    /// It is a bundle of another version of the app's formats. Tell the user to update the app.
    #[error("a bundle of a version that this crate does not know")]
    UnsupportedVersion,
    /// It is a bundle with a target that this version does not know. Tell the user to update the app.
    #[error("a bundle of a target that this crate does not know")]
    UnsupportedTarget,
    /// The bundle invites into a group (targets 1 and 3), which has no line (§17.2). Tell the user to open it in the app itself.
    #[error("a group's bundle, which this crate can't use")]
    Group,
    /// The bundle's public key is not canonical, or has a low order (§2.3). Its maker is broken or hostile: do not use it.
    #[error("the bundle's public key is not acceptable")]
    WeakPublicKey,
    /// `keyHash` is not the hash of `pubkey` (§17.2). The bundle is damaged, or its key was exchanged. Do not use it, and tell the user.
    #[error("the bundle's key does not match its hash")]
    WrongKeyHash,
    /// The name is longer than 30 UTF-16 code units (§17.1). If it is your user's own, choose a shorter one. If it stands in a bundle,
    /// treat the bundle as [`Malformed`](BundleError::Malformed).
    #[error("the name is too long")]
    NameTooLong,
}

/// A text is not a Port that can be used, of this crate or of the app (§17.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The text has the form of the app's links or bundles. Each [`BundleError`] says what to tell the user.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The text has any other form. Each [`PortError`] says what to tell the user.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The intro message does not show that its maker holds the bundle (§17.4). There is one error for every cause, so that a forger learns
/// nothing from it. Do not connect, and send [`Request::Disconnect`](crate::app::Request::Disconnect) for the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the intro message is not accepted")]
pub struct IntroError;

/// A message can't be sealed, opened or read (§17.5, §17.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The message does not open: it is forged, damaged, or sealed with another key. Drop it. There is one error for every cause (§17.5).
    #[error("does not open")]
    Forged,
    /// The bytes are not a message in a form that this version knows (§17.5, §17.6). Drop it. When writing, the caller's `data` is not
    /// JSON: correct it.
    #[error("not a message")]
    Malformed,
    /// The sealed message is longer than [`MAX_ENCRYPTED_CONTENT`](crate::app::MAX_ENCRYPTED_CONTENT), or would be. Split your own; drop
    /// one that was received.
    #[error("the message is too long")]
    TooLong,
}

/// A text is not an event that can be handled (§17.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum EventError {
    /// The text is not an event, or it is a damaged event of a line. Drop it.
    #[error("not an event")]
    Malformed,
    /// The event does not belong to a line: it is a group's, a call, or one of a later version. Hand the whole text to your own code for
    /// such events, or drop it.
    #[error("an event that does not belong to a line")]
    NotOfALine,
}

/// The body of a response can't be read as the answer to its request (§17.8). The server may have carried out the request all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The body is not the answer to this request. Send the request again later. Send Bob's again only when no other answer to it can come
    /// any more (§17.10).
    #[error("not the response to this request")]
    Malformed,
}
