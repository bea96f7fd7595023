//! Compatibility with the deployed app, version 1.0.0 (§17): values in, JSON and text out, and back. It does no I/O.
//!
//! Most of this is the edge: it turns what that app writes into this crate's own types, and the other way round. **Its lines are not
//! this crate's lines**: nobody confirms anything, and a server on the way can change what is said (§17.9). Use the native Port where both
//! ends can.
//!
//! - [`Alice`], [`Bob`] and [`UnauthenticatedLine`] are machines like this crate's own: prepare, keep, act ([`Machine`](crate::Machine)).
//!   They do replays, crashes, limits and policies.
//! - [`Bundle`] is what Alice shares. [`Bundle::link`] and [`Bundle::link_for_app`] write it. [`Scanned::parse`] reads any link or QR code,
//!   also this crate's own, and so says which Bob is to use it.
//! - [`Intro`] is Bob's proof.
//! - [`UnauthenticatedKey`] seals and opens what is said then. [`Message`] is the content. [`yap`] is a better seal that the app has and
//!   does not use.
//! - [`Event`] is what the app's server tells, [`Request`] what it is asked for, [`response`] what it answers.
//!
//! ```
//! use port_protocol::app::{Alice, AliceEffect, Bob, BobEffect, Event, Happened, Name, Request, Scanned};
//! use port_protocol::{NoPeers, PortOptions, Seed, UnixSeconds, Write};
//!
//! # fn keep(_: &Write<'_>) -> Result<(), std::convert::Infallible> { Ok(()) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut rng, now) = (rand::rng(), UnixSeconds::now());
//!
//! // Alice shows a link.
//! let mut alice = Alice::offer([7; 16].into(), PortOptions::new(), Seed::draw(&mut rng)).store(keep)?;
//! let bundle = alice.bundle(Some(Name::new("Alice & Co")?)).ok_or("no Port")?;
//! let shown = bundle.link_for_app();
//! assert_eq!(shown.renamed.as_ref().map(Name::as_str), Some("Alice ＆ Co")); // the app can't read an `&` there
//!
//! // Bob reads it, and proves that it holds the bundle.
//! let Scanned::Bundle(scanned) = Scanned::parse(shown.text.as_str())? else { return Err("another Port".into()) };
//! let mut bob = Bob::scan(&scanned, Seed::draw(&mut rng)).store(keep)?;
//! let effect = bob.connect(&Name::new("Bob")?, now)?.store(keep)?.next();
//! let Some(BobEffect::Send(request)) = effect else { return Err("expired".into()) };
//! assert_eq!(request.path(), "/management/line"); // send it, with its `method()` and `body()`
//!
//! // The server tells Alice, and answers Bob.
//! # let Request::Connect { intro, .. } = request else { return Err("another request".into()) };
//! # let what = Happened::Used {
//! #     kind: scanned.kind(), port_id: [7; 16].into(), line_id: [8; 16].into(), pair_hash: [9; 32].into(), intro: intro.clone(),
//! # };
//! # let json = Event { what, timestamp: None }.to_json();
//! let event = Event::from_json(json.as_str())?;
//! let effect = alice.handle(&event, &NoPeers, now, &mut rng)?.store(keep)?.next();
//! let Some(AliceEffect::LineFormed(at_alice)) = effect else { return Err("refused".into()) };
//! assert_eq!(at_alice.name().map(Name::as_str), Some("Bob")); // what Bob calls itself
//!
//! let effect = bob.connected([8; 16].into(), Some([9; 32].into()), &NoPeers, now)?.store(keep)?.next();
//! let Some(BobEffect::LineFormed(at_bob)) = effect else { return Err("refused".into()) };
//! let sealed = at_bob.seal([5; 16], "hello")?;
//! assert_eq!(at_alice.open(&sealed)?.as_str(), "hello");
//! # Ok(()) }
//! ```
//!
//! A step of these machines gives its effects only in exchange for a write, too:
//!
//! ```compile_fail,E0061
//! # use port_protocol::{Step, app};
//! fn skip(step: Step<'_, app::Alice>) { step.commit().for_each(drop) }
//! ```
//! ```compile_fail,E0061
//! # use port_protocol::{Step, app};
//! fn skip(step: Step<'_, app::Bob>) { step.commit().for_each(drop) }
//! ```
//! ```compile_fail,E0061
//! # use port_protocol::{Step, app};
//! fn skip(step: Step<'_, app::UnauthenticatedLine>) { step.commit().for_each(drop) }
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
pub use error::{BundleError, EventError, IntroError, MessageError, ResponseError, ScanError};
pub use event::{Event, Happened};
pub use intro::{Intro, Introduced, MAX_ENCRYPTED_INTRO};
pub use line::{LineEffect, LinePhase, UnauthenticatedLine};
pub use link::{LinkForApp, Scanned};
pub use message::{Content, EncryptedContent, MAX_ENCRYPTED_CONTENT, Message, MessageId, Tail, UnauthenticatedKey};
pub use name::Name;
pub use request::{Method, Request};
pub use text::{SecretBytes, SecretText};
