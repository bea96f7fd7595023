//! What can go wrong with a request.

use thiserror::Error;

/// Why a request is nobody's (§19.5, §19.7). **For the host's log alone:** the sender hears the same in every case, as one that signed
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum BadSignature {
    /// It is not signed. Most requests of browsers are not.
    #[error("no signature")]
    Missing,
    /// The two fields are not one signature with one label.
    #[error("not the fields of one signature")]
    Malformed,
    /// A parameter is missing, unknown, or not a number of seconds.
    #[error("a parameter of the signature is not right")]
    Parameter,
    /// It is of another algorithm than the one that there is.
    #[error("another algorithm")]
    Algorithm,
    /// It was made more than 5 seconds after now. If this is frequent, a clock is wrong.
    #[error("made in the future")]
    Future,
    /// It was made more than a day ago. If this is frequent, a clock is wrong.
    #[error("too old")]
    TooOld,
    /// It is past the time that its maker set.
    #[error("expired")]
    Expired,
    /// No peer with a key has this short ID; or two have it, and strictly none of them is meant.
    #[error("not the short ID of one peer with a key")]
    UnknownKey,
    /// Method, authority or target URI is not covered; or, strictly, the digest of a body.
    #[error("not everything is covered that must be")]
    NotCovered,
    /// A covered component is missing in the request, or is named twice or in upper case.
    #[error("a component that can't be covered")]
    Component,
    /// It is not the signature of this request by this key.
    #[error("the signature is wrong")]
    Wrong,
    /// Strictly: a forwarded or signed field stands twice, the host is not this Portal's, it came without TLS, or the path is not canonical.
    #[error("a request that could be read in two ways")]
    Ambiguous,
    /// Strictly: the body is not the one whose digest is covered, or nobody looked at it.
    #[error("the body is not what was signed")]
    Body,
    /// Strictly: it was taken before, or it is older than what is remembered.
    #[error("taken before")]
    Replayed,
    /// Strictly: the memory of this peer's requests is full. It takes more when the oldest are a day old; give it a larger one if this is
    /// an honest peer.
    #[error("the memory of taken signatures is full")]
    MemoryFull,
}
