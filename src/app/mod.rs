//! The formats of a shipped app, version 1.0.0 (§17): values in, JSON and text out, and back. No I/O.
//!
//! Everything here is the edge: it turns what that app writes into this crate's own types and the other way round.
//! **Its lines are not this crate's lines**: nobody confirms anything, and what is said on one can be changed on its way
//! (§17.9). Use the native Port where both ends can.
//!
//! - [`Bundle`] is what Alice shares, [`Scanned::parse`] reads it from a link or a QR code, [`Bundle::link`] and
//!   [`Bundle::link_for_app`] write it.
//! - [`Intro`] is Bob's proof.
//! - [`UnauthenticatedLine`] seals and opens what is said then; [`Message`] is what stands in it, [`yap`] a better seal that the app has
//!   and does not use.
//! - [`Event`] is what the app's server tells, [`Request`] what it is asked for, [`response`] what it answers.
//!
//! ```
//! use port_protocol::app::{Bundle, Intro, Name, Scanned};
//! use port_protocol::{Kind, LineLink, PublicKey, Rad, Secret};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let private_key = |n: u8| Secret::from([n; 32]);
//! # let public = |key: &Secret<32>| {
//! #     PublicKey::from_bytes(x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*key.expose())).to_bytes())
//! # };
//! # let (alice, bob) = (private_key(1), private_key(2));
//! # let (rad, iv) = (Rad::from([3; 16]), [4; 16]);
//! // Alice shows a link.
//! let bundle = Bundle::port(LineLink::from([7; 16]), public(&alice)?, rad.clone()).named(Name::new("Alice & Co")?);
//! let shown = bundle.link_for_app();
//! assert_eq!(shown.renamed.as_ref().map(Name::as_str), Some("Alice ＆ Co")); // the app can't read an `&` there
//!
//! // Bob reads it, and proves that he holds it.
//! let Scanned::Bundle(scanned) = Scanned::parse(shown.text.as_str())? else { return Err("a short link".into()) };
//! let (intro, at_bob) = Intro::make(&bob, iv, &scanned, &Name::new("Bob")?);
//!
//! // Alice checks.
//! let introduced = Intro::from_json(intro.to_json().as_str()).check(&alice, Kind::Port, &rad)?;
//! assert_eq!(introduced.name.as_ref().map(Name::as_str), Some("Bob")); // so he says
//! let sealed = at_bob.seal([5; 16], "hello")?;
//! assert_eq!(introduced.line.open(&sealed)?.as_str(), "hello");
//! # Ok(()) }
//! ```

mod alice;
mod base64;
mod bob;
mod bundle;
mod cipher;
mod dialect;
mod error;
mod event;
mod intro;
mod json;
mod line;
mod link;
mod message;
mod name;
mod request;
pub mod response;
mod text;
pub mod yap;

pub use alice::{Alice, AliceEffect};
pub use bob::{Bob, BobEffect};
pub use bundle::{Bundle, Grant};
pub use dialect::App;
pub use error::{BundleError, EventError, IntroError, MessageError, ResponseError};
pub use event::{Event, Happened};
pub use intro::{Intro, Introduced, MAX_ENCRYPTED_INTRO};
pub use line::{Line, LineEffect, LinePhase};
pub use link::{LinkForApp, Scanned};
pub use message::{Content, EncryptedContent, MAX_ENCRYPTED_CONTENT, Message, MessageId, Tail, UnauthenticatedLine};
pub use name::Name;
pub use request::{Method, Request};
pub use text::{SecretBytes, SecretText};
