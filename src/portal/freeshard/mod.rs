//! The wire formats of the Portal system that exists (Freeshard), to work together with it. **Weaker than the native profile.**
//!
//! Functions and small types: bytes in, bytes out. They send nothing, read no clock and keep nothing. The rules are in `docs/freeshard.md`
//! (§19). The ways in:
//!
//! - [`PrivateKey`], [`PublicKey`], [`FullId`]: who a Portal is.
//! - [`Peers`]: the Portals that the owner entered, what to ask them, and what comes of their answers.
//! - [`Sender`]: requests of an app to the same app on a peer, signed.
//! - [`Host::authorize`]: what to answer to the proxy that asks for each request whether it may pass.
//!
//! # Two modes
//!
//! | | [`Mode::AsBuilt`] | [`Mode::Strict`], the default |
//! |---|---|---|
//! | a peer's ID | six characters or more | all 103 |
//! | a peer's key | its ID begins with the row's ID | its ID is the row's ID; 4,096 bits |
//! | two rows with one short ID | one gives the key, the other the name | neither is meant |
//! | a path | matched by characters, together with the query | canonical, and matched by segments |
//! | the host | any whose first label is an app | this app's, on this Portal, by TLS |
//! | a body | not looked at | its digest is covered and right |
//! | a request that comes again | taken for a day | refused ([`ReplayMemory`]) |
//! | a field that stands twice | one of the two counts | refused |
//! | a request to a peer | query dropped, path encoded anew | sent as it is; the peer must be verified |
//! | the owner's name for a peer | replaced by the peer's own | stays |
//!
//! *As built* does what the real system does. Use it to work together with peers of which you have only six characters, and know what it costs.
//! Strict requests are good for the real system, and those of the real system are good strictly, if its host shows their bodies.
//!
//! # What stays weaker, also strictly
//!
//! | | here | native |
//! |---|---|---|
//! | secrecy | TLS to whatever the name leads to; it ends at the proxy | sealed to the peer's key |
//! | who answers | the name system's and a certificate authority's word | proven, as is who asked |
//! | header fields | only `Date` and `Content-Digest` are signed; strictly, too | all that is carried |
//! | which key | `keyid` has 30 bits; the full ID is not signed | both full IDs are |
//! | a stolen key | decrypts nothing, but signs for good; nothing is rekeyed | rekeyed |
//! | time | a request is good for a day; a host keeps a day's signatures | minutes |
//! | a request | a signature of RSA-4096, some 5 to 10 ms | microseconds on a standing session |
//! | private key | blinded RSA, whose constant-time work is not finished | X25519 |

mod auth;
pub mod base32;
mod error;
mod identity;
mod mode;
mod paths;
mod peers;
mod replay;
mod request;
mod signature;
mod template;
mod url;

pub use crate::portal::manifest::Access;
pub use auth::{Body, Client, Decision, Forwarded, Host, Status, Terminal};
pub use error::BadSignature;
pub use identity::{FullId, IdError, KEY_BITS, KeyError, PrivateKey, PublicKey, ShortId};
pub use mode::Mode;
pub use paths::{AppPaths, PathError, PathRule, is_reserved};
pub use peers::{Answer, AnswerError, Ask, Peer, PeerError, Peers, WhoAreYou};
pub use replay::{Mark, ReplayMemory};
pub use request::{CallError, Reply, Sender, SignedRequest};
pub use signature::{ALGORITHM, CLOCK_SKEW, Header, LABEL, MAX_AGE, Message, REQUIRED, Signed};
pub use template::{Template, TemplateError};
