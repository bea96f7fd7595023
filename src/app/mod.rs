//! The formats of a shipped app, version 1.0.0 (§17): values in, JSON and text out, and back. No I/O.
//!
//! Most of this is the edge: it turns what that app writes into this crate's own types and the other way round.
//! **Its lines are not this crate's lines**: nobody confirms anything, and what is said on one can be changed on its way
//! (§17.9). Use the native Port where both ends can.
//!
//! - [`Alice`], [`Bob`] and [`UnauthenticatedLine`] are machines, as this crate's own: prepare, keep the record, commit ([`Machine`](crate::Machine)).
//!   Replays, crashes, limits and policies are theirs.
//! - [`Bundle`] is what Alice shares; [`Bundle::link`] and [`Bundle::link_for_app`] write it. [`Scanned::parse`] reads any link or QR code,
//!   this crate's own too, and so says which Bob is to use it.
//! - [`Intro`] is Bob's proof.
//! - [`UnauthenticatedKey`] seals and opens what is said then; [`Message`] is what stands in it, [`yap`] a better seal that the app has
//!   and does not use.
//! - [`Event`] is what the app's server tells, [`Request`] what it is asked for, [`response`] what it answers.
//!
//! ```
//! use port_protocol::app::{Alice, AliceEffect, Bob, BobEffect, Event, Happened, Name, Request, Scanned};
//! use port_protocol::{Machine, PortOptions, Seed, UnixSeconds};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (seed_a, seed_b, now) = (Seed::from_bytes(&[1; 64]), Seed::from_bytes(&[2; 64]), UnixSeconds(1_790_000_000));
//! # fn put(_: port_protocol::Row) {}
//! // Alice shows a link.
//! let born = Alice::offer([7; 16].into(), PortOptions::new(), seed_a);
//! put(born.row());
//! let mut alice = born.commit();
//! let bundle = alice.bundle(Some(Name::new("Alice & Co")?)).ok_or("no Port")?;
//! let shown = bundle.link_for_app();
//! assert_eq!(shown.renamed.as_ref().map(Name::as_str), Some("Alice ＆ Co")); // the app can't read an `&` there
//!
//! // Bob reads it, and proves that he holds it.
//! let Scanned::Bundle(scanned) = Scanned::parse(shown.text.as_str())? else { return Err("another Port".into()) };
//! let mut bob = Bob::scan(&scanned, seed_b).commit();
//! let step = bob.connect(&Name::new("Bob")?, now)?;
//! step.rows().for_each(put);
//! let Some(BobEffect::Send(request)) = step.commit().next() else { return Err("expired".into()) };
//! assert_eq!(request.path(), "/management/line"); // send it, with its `method()` and `body()`
//!
//! // The server tells Alice, and answers Bob.
//! # let Request::Connect { intro, .. } = request else { return Err("another request".into()) };
//! # let what = Happened::Used {
//! #     kind: scanned.kind(), port_id: [7; 16].into(), line_id: [8; 16].into(), pair_hash: [9; 32].into(), intro: intro.clone(),
//! # };
//! # let json = Event { what, timestamp: None }.to_json();
//! let step = alice.handle(&Event::from_json(json.as_str())?, now)?;
//! step.rows().for_each(put); // her record and the line's, in one transaction
//! let Some(AliceEffect::LineFormed(at_alice)) = step.commit().next() else { return Err("refused".into()) };
//! assert_eq!(at_alice.name().map(Name::as_str), Some("Bob")); // so he says
//!
//! let step = bob.connected([8; 16].into(), Some([9; 32].into()), &(), now)?;
//! # step.rows().for_each(put);
//! let Some(BobEffect::LineFormed(at_bob)) = step.commit().next() else { return Err("refused".into()) };
//! let sealed = at_bob.seal([5; 16], "hello")?;
//! assert_eq!(at_alice.open(&sealed)?.as_str(), "hello");
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
pub use error::{BundleError, EventError, IntroError, MessageError, ResponseError, ScanError};
pub use event::{Event, Happened};
pub use intro::{Intro, Introduced, MAX_ENCRYPTED_INTRO};
pub use line::{LineEffect, LinePhase, UnauthenticatedLine};
pub use link::{LinkForApp, Scanned};
pub use message::{Content, EncryptedContent, MAX_ENCRYPTED_CONTENT, Message, MessageId, Tail, UnauthenticatedKey};
pub use name::Name;
pub use request::{Method, Request};
pub use text::{SecretBytes, SecretText};
