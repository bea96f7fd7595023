//! Portals: personal servers that peer by IDs that are hashes of keys (chapter 18, `docs/portal.md`).
//!
//! A **Portal** is a personal server with apps. Its owner enters the IDs of other Portals: these are its **peers**. An app on a Portal asks its
//! host for the peers, as far as the owner granted them, and sends a request to *the same app* on a peer. Request and answer are end-to-end
//! encrypted and authenticated by the keys behind both IDs. The peer hands the request only to a path that the app declares for peers.
//!
//! As everywhere in this crate, nothing here does I/O or reads a clock. The transport is yours: one message each way, as the body of an HTTP POST
//! and of its answer. The store is yours: each change is a [`Step`], and gives what follows from it only for its [`Write`].
//!
//! ```text
//!  app ─ credential ─▶ App::authenticate ─▶ AuthenticatedApp::request          Portal::receive ─▶ Incoming
//!                                                  │                                               │
//!                                             Peer::ask ── POST: Outgoing::message ──▶        Peer::take ─▶ Asked::Request ─▶ app
//!                                                                                                              │
//!  app ◀── Heard::Answer ◀── Peer::hear ◀──── 200: what Portal::seal gives ◀── Portal::seal ◀── Peer::answer ◀─┘
//! ```
//!
//! # Both ends in one page
//!
//! ```
//! use port_protocol::{UnixSeconds, portal::*};
//! use std::{collections::BTreeMap, convert::Infallible, error::Error};
//!
//! /// A store in memory. A real one does all of it in one transaction, with the checks that the docs of `Write` and `Row` list.
//! #[derive(Default)]
//! struct Store(BTreeMap<Vec<u8>, Vec<u8>>);
//!
//! impl Store {
//!     fn keep(&mut self, write: &Write) -> Result<(), Infallible> {
//!         self.0.extend(write.put().iter().map(|row| (row.key.to_bytes(), row.record.to_vec())));
//!         write.delete().iter().for_each(|key| _ = self.0.remove(&key.to_bytes()));
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let (mut rng, now) = (rand::rng(), UnixSeconds::now());
//!     let (mut at_ada, mut at_ben) = (Store::default(), Store::default());
//!     let ada = Portal::create(PortalName::new("Ada's")?, &mut rng).store(|write| at_ada.keep(write))?;
//!     let mut ben = Portal::create(PortalName::new("Ben's")?, &mut rng).store(|write| at_ben.keep(write))?;
//!
//!     // Each owner enters the other's ID, as typed, scanned, or sent along a line.
//!     let address = PortalAddr::new("https://ben.example/portal")?;
//!     let id: PortalId = ben.id().to_string().parse()?;
//!     let entered = Peer::enter(&ada, id, Some(address), PortalName::new("my brother")?, [], now)?;
//!     let mut peer_ben = entered.created.store(|write| at_ada.keep(write))?;
//!     let entered = Peer::enter(&ben, ada.id(), None, PortalName::new("my sister")?, [], now)?;
//!     let mut peer_ada = entered.created.store(|write| at_ben.keep(write))?;
//!
//!     // Ada's Portal asks Ben's for its key. It must hash to the whole ID.
//!     let (_, message) = peer_ben.look_up()?;
//!     let mut buffer = Vec::new();
//!     let Received::WhoAreYou(answer) = ben.receive(&message, &mut buffer, now)? else { return Err("not a look-up".into()) };
//!     let outcome = peer_ben.looked_up(Some(&answer), now)?.store(|write| at_ada.keep(write))?;
//!     assert_eq!(outcome, LookedUp::Verified);
//!
//!     // Ada installs an app, and grants it all peers. The app shows its credential and asks.
//!     let (created, credential) = App::install(AppName::new("notes")?, &mut rng);
//!     let mut notes = created.store(|write| at_ada.keep(write))?;
//!     notes.set_grant(Grant::All)?.store(|write| at_ada.keep(write))?;
//!     let app = notes.authenticate(credential.expose())?;
//!     let id = peer_ben.draw_id(now, &mut rng);
//!     let request = app.request(id, Method::GET, Target::parse("/shared/list?all")?, Headers::EMPTY, Part::EMPTY);
//!     let mut outgoing = peer_ben.ask(&ada, app, &request, now, &mut rng)?; // POST its message to Ben's address
//!
//!     // Ben's Portal: who is it, may it, and once.
//!     let manifest = Manifest::from_json(r#"{"v": "1.3", "paths": {"": {"access": "private"}, "/shared": {"access": "peer"}}}"#)?;
//!     let mut buffer = Vec::new();
//!     let Received::Incoming(incoming) = ben.receive(&outgoing.message, &mut buffer, now)? else { return Err("no request".into()) };
//!     assert_eq!(*incoming.from(), peer_ada.id()); // find the peer by this; there is none: answer Refusal::Unknown
//!     let step = peer_ada.take(incoming, |app| (app.as_str() == "notes").then_some(&manifest), now)?;
//!     let Asked::Request(request, pending) = step.store(|write| at_ben.keep(write))? else { return Err("refused".into()) };
//!     assert_eq!((request.target.path(), request.target.query()), ("/shared/list", Some("all"))); // hand it to the app
//!     let answer = Answer { status: Status::OK, headers: Headers::EMPTY, body: Part::last(b"milk, bread")? };
//!     let reply = peer_ada.answer(pending, &answer)?.store(|write| at_ben.keep(write))?;
//!     let reply = ben.seal(&peer_ada, reply, now, &mut rng)?; // the body of the HTTP answer
//!
//!     let mut buffer = Vec::new();
//!     let step = peer_ben.hear(&ada, &mut outgoing.waiting, &reply, &mut buffer, now)?;
//!     let Heard::Answer(answer) = step.store(|write| at_ada.keep(write))? else { return Err("no answer".into()) };
//!     assert_eq!(answer.body.bytes(), b"milk, bread");
//!     Ok(())
//! }
//! ```
//!
//! `cargo run --example portal --features portal` has two Portals over HTTP, and shows each refusal.
//!
//! # Your obligations
//!
//! - **Store each write in one transaction**, and only then do what follows: hand the request to the app, send the reply.
//! - **Ask again under the same id** until there is an answer, or a reason that says otherwise. The app there gets the request once, whatever crashes.
//! - **Limit how often strangers may POST.** An Opening costs three key agreements before it is known whose it is.
//! - **Keep the clock right**, to some minutes. A clock that jumps brings nothing back, but lets nobody in while it is wrong.
//! - **Strip** from a request what your app takes for its host's word, before you add [`Peer::headers_for_app`].
//! - **Look up** peers, and let them [`tick`](Peer::tick), at their [`deadline`](Peer::deadline)s.

mod app;
mod ask;
mod asking;
mod card;
mod error;
mod find;
mod format;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod headers;
mod id;
mod json;
mod manifest;
mod memory;
mod message;
mod name;
mod noise;
mod own;
mod path;
mod peer;
mod request;
mod seal;
mod session;
mod sessions;
mod step;
mod take;

pub use app::{App, AppCredential, AuthenticatedApp, Grant, MAX_GRANTED};
pub use ask::{Heard, Outgoing, Waiting};
pub use card::{CardError, MAX_CARD_BYTES, PortalAddr, PortalCard};
pub use error::{AskError, GrantError, HearError, PeerError, Reason, Refusal, RequestError};
pub use find::FindCardError;
pub use headers::{Headers, MAX_HEADER_BYTES, MAX_HEADERS};
pub use id::{NotAShortId, PORTAL_ID_TEXT, PortalId, PortalIdError, ShortId};
pub use manifest::{Access, Caller, Manifest, ManifestError, PathEntry, Refused, Warning};
pub use message::{MAX_MESSAGE, OpeningMark};
pub use name::{AppName, PortalName};
pub use own::{Incoming, Portal, Received, Reply};
pub use path::{Target, TargetError};
pub use peer::{Entered, LookedUp, Peer};
pub use request::{Answer, MAX_BODY_PART, Method, Part, Request, RequestId, RequestMark, Status};
pub use step::{Created, PortalKey, Row, Step, Write};
pub use take::{Asked, Pending};
