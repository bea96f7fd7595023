//! Connect two people with a code that works once, instead of a lasting identifier.
//!
//! Alice shows a **Port**: a QR code or a link. Bob uses it, once. Then a relay, which neither of them needs to trust, forms a **line**
//! between them: a private connection. After that the Port is dead. Neither learns a phone number, an address or a user name of the other.
//!
//! The core of this crate is that protocol as five state machines: [`Alice`], [`Bob`], [`Line`], [`Pool`] and [`Introducer`]. They take
//! events, and give back what to store and what to send. They do no I/O, read no clock, and use no `unsafe` and no allocator. Transport
//! and storage stay with you. The rules are in [SPEC.md]. Comments cite them by section (§4.3).
//!
//! ```text
//!  Alice   Requesting ──LineLinkIssued──▶ Offered ──LineFormed──▶ Spent      a Port for one use: yields one Line
//!                                         Offered ──LineFormed──▶ Offered    a Port for many: yields a Line each time
//!  Bob     Scanned ────────connect──────▶ Connecting ─LineFormed─▶ Spent      yields one Line
//!  Line    Joined ──a packet from the other end decrypts──▶ Confirmed ──close──▶ Closed
//! ```
//!
//! # Words
//!
//! A **line link** is a token that the relay issues to Alice. To use it is to ask the relay for a line with Alice. Alice asks for a link when
//! it makes a Port ([`Alice::request`]), or has some in stock ([`Pool`]). A **proof** is what Bob sends to show that it holds the Port. A **row** is how your store keeps a machine: a key, and a
//! record that holds the machine's whole state. The **outbox** is what a machine still asks you to do. It is part of the record, so a crash
//! does not lose it. A sealed message is not in it: keep its text until the other end has answered it. A **Port for many** is a Superport or a contact port, see below.
//!
//! # Both sides in one page
//!
//! Each step of a machine has three parts. The machine prepares the [`Step`]. You store what the step writes, in one transaction. Then you
//! do what the step asks for: its effects. A step gives its effects only in exchange for the write.
//!
//! This program needs two dependencies: this crate, and `rand = "0.10"`, which has the same `rand_core` as this crate.
//!
//! ```
//! use port_protocol::*;
//! use std::{collections::BTreeMap, convert::Infallible, error::Error};
//!
//! /// A store in memory. A real one does all of this in one transaction. It also does the checks that the docs of `Write` list.
//! #[derive(Default)]
//! struct Store(BTreeMap<RecordKey, Vec<u8>>);
//!
//! impl Store {
//!     fn keep(&mut self, write: &Write<'_>) -> Result<(), Infallible> {
//!         for row in [Some(&write.row), write.new_line.as_ref()].into_iter().flatten() {
//!             row.expected.and_then(|old| self.0.remove(&old.key));
//!             self.0.insert(row.key, row.record.to_vec());
//!         }
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     let (mut alices, mut bobs) = (Store::default(), Store::default());
//!     let (mut rng, now) = (rand::rng(), UnixSeconds::now());
//!
//!     // The relay gave Alice a line link. It makes a Port of the link.
//!     let link = LineLink::from([7; 16]);
//!     let created = Alice::offer(link, PortOptions::new(), Seed::draw(&mut rng));
//!     let mut alice = created.store(|write| alices.keep(write))?;
//!     let text = alice.port().ok_or("no Port")?.qr_text(); // show it as a QR code
//!
//!     // Bob reads the text, and asks the relay to connect. The request holds the proof that Bob has the Port.
//!     let created = Bob::scan(Port::parse(text.as_str())?, Seed::draw(&mut rng));
//!     let mut bob = created.store(|write| bobs.keep(write))?;
//!     let step = bob.connect(SendProof::Inline, now)?; // Bob is unchanged yet
//!     let effect = step.store(|write| bobs.keep(write))?.next(); // the write is stored, and now Bob has changed
//!     let Some(BobEffect::Send(Request::Connect { request_id, proof, .. })) = effect else { return Err("no request".into()) };
//!
//!     // The relay makes a line, and tells both. Alice and Bob each get their end of it, and a name of the other that only they see.
//!     let line_id = LineId::from([8; 16]);
//!     let formed = Event::LineFormed { line_link: link, line_id, peer: [0xB0; 32].into(), proof };
//!     let step = alice.handle(&formed, &NoPeers, now, &mut rng)?;
//!     let effect = step.store(|write| alices.keep(write))?.next();
//!     let Some(AliceEffect::LineFormed(mut at_alice)) = effect else { return Err("refused".into()) };
//!     let connected = Event::Connected { line_link: link, request_id, line_id, peer: [0xA1; 32].into() };
//!     let step = bob.handle(&connected, &NoPeers, now, &mut rng)?;
//!     let effect = step.store(|write| bobs.keep(write))?.next();
//!     let Some(BobEffect::LineFormed(mut at_bob)) = effect else { return Err("refused".into()) };
//!
//!     // Alice's first packet, Confirm, proves to Bob that Alice has the same keys. Bob's Answer proves the same to Alice.
//!     let (mut buffer_b, mut buffer_a) = (Vec::new(), Vec::new());
//!     let confirm = to_event(at_alice.pending().next())?;
//!     let step = at_bob.handle(&confirm, &mut buffer_b, now, &mut rng)?;
//!     let answer = to_event(step.store(|write| bobs.keep(write))?.next())?;
//!     let step = at_alice.handle(&answer, &mut buffer_a, now, &mut rng)?;
//!     step.store(|write| alices.keep(write))?.for_each(drop); // this step asks for nothing
//!     assert_eq!(at_alice.safety_number(), at_bob.safety_number()); // both are confirmed
//!
//!     // A message. Send the bytes of the request to the relay.
//!     let mut packet = Vec::new();
//!     let effect = at_alice.seal(b"hello", b"", &mut packet)?.store(|write| alices.keep(write))?.next();
//!     let Some(LineEffect::Send(request)) = effect else { return Err("nothing to send".into()) };
//!     println!("{} bytes", request.to_vec().len());
//!     Ok(())
//! }
//!
//! /// What a relay does with a packet.
//! fn to_event(effect: Option<LineEffect<'_>>) -> Result<Event<'_>, &'static str> {
//!     match effect {
//!         Some(LineEffect::Send(Request::Packet { line_id, payload })) => Ok(Event::Packet { line_id, payload }),
//!         _ => Err("nothing to send"),
//!     }
//! }
//! ```
//!
//! `cargo run --example minimal` begins with [`Alice::request`] and adds the relay's side. `cargo run --example handshake` has a store that
//! checks everything, and shows each packet; with `-- --crash`, its users crash after each write and restore.
//!
//! # The family
//!
//! - A **Superport** is a Port that many people may use. Each gets a line of its own. To make one, set [`PortOptions::policy`] to
//!   [`Policy::up_to`] or [`Policy::unlimited`]. Alice may change its limit or pause it ([`Alice::set_policy`]), approve each visitor
//!   ([`Policy::require_approval`]), or close it for good ([`Alice::revoke`]).
//! - A **contact port** is for guests. One of Alice's contacts introduces them. Alice sets [`PortOptions::introducer`]. The contact runs an
//!   [`Introducer`], which makes a single-use ticket for each guest. The two exchange [`IntroducerMessage`]s along their line.
//!   [`Line::introduced`] then tells who made the introduction.
//! - A **pool** is a stock of line links ([`Pool`]). With it Alice makes Ports for one use offline.
//!
//! Read what users paste, scan or tap by [`Port::find`] and [`Port::find_in_ndef`]: other software wraps, marks and encodes texts on their
//! way. [`FindError`] is the sentence for the user.
//!
//! You can **block** a user: implement [`Peers`], and answer [`Relationship::Blocked`]. That user gets no line from any of your Ports, and is
//! not told why.
//!
//! `cargo run --example handshake -- --superport 5`, `-- --introduce` and `cargo run --example pool` show them.
//!
//! **Portals** are the family's second system: personal servers that reach each other's apps by IDs that are hashes of keys. See
//! `portal`, with the feature of this name.
//!
//! # Your obligations
//!
//! - **Store each write in one transaction** ([`Write`], §8.1). [`Step::store`] gives you the effects only after your closure has returned
//!   `Ok`.
//! - **Acknowledge an event to the relay last**, after the transaction. Acknowledge also an event that was refused. If the error says to keep
//!   it, store it in a table of yours first. How to acknowledge is your transport's matter: the relay keeps an event until then.
//! - **Clear the outbox** ([`Machine::clear_outbox`]) when every pending effect is done. After a crash, load the machines with
//!   [`Machine::restore`]. Then, after each reconnect, and once a month if the connection never breaks, do what is
//!   [`pending`](Machine::pending): the relay keeps the link of an open Port for a year from then (§4.6).
//! - **Messages come at most once, in any order, perhaps never** (§6.4). Number them, and send again what the other end does not answer.
//! - **Call [`tick`](Machine::tick)** when a [`deadline`](Machine::deadline) comes. Each [`Row`] has it as a field, for an index.
//! - **Find the machine of an event** by [`Event::key`], which is the key of its row. [`MachineRole`] says which type to restore. If there is
//!   no such row, do what [`Rejected::WrongMachine`] says.
//! - **Rely on [`Line::confirmed`]**. [`Line::claims`] is only the relay's word.
//! - **Pass a random generator** to `handle` of Alice, Bob and Line, just as you pass the time: any `CryptoRng` of [`rand_core`].
//! - If `handle` returns [`Rejected`], its variant says what to do.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | `alloc`, `UnixSeconds::now`, and `std` in dependencies that need it |
//! | `alloc` | with `std` | `to_vec()` beside `encode_into()`; a `Vec` as a [`Buffer`]; the set `Blocked` |
//! | `getrandom` | yes | `Seed::from_os` |
//! | `precomputed-tables` | yes | faster key generation for about 30 KiB of tables |
//! | `fast-x25519` | no | handshakes in little more than half the time on x86-64 and AArch64, by the library graviola; [`X25519Backend`] tells whether this processor can |
//! | `relay` | yes | `relay`: the relay's own machine; with `alloc`, a directory in memory for it |
//! | `app` | no | `app`: the formats of a deployed app, and machines for them. They use the heap |
//! | `portal` | no | `portal`: personal servers that peer by IDs that are hashes of keys. They use the heap |
//! | `freeshard` | no | `portal::freeshard`: the wire formats of such a system that exists, weaker than `portal` |
//! | `testkit` | no | `testkit`: a hostile relay, crashes and roll-backs for the tests of your own app |
//!
//! With `default-features = false` the crate is `no_std` and never uses the heap. Even with default features, a handshake uses no heap. For
//! `wasm32-unknown-unknown` turn the default features off and `alloc`, `relay` and `app` on, and draw seeds with a generator of your own.
//!
//! [SPEC.md]: https://docs.rs/crate/port-protocol/latest/source/SPEC.md

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
// Users read these pages instead of the sources.
#![deny(missing_docs, missing_debug_implementations)]
#![expect(clippy::large_enum_variant, reason = "there is no heap to box on")]
// Every byte from outside is hostile: nothing here may panic on it.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::panic_in_result_fn,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod alice;
#[cfg(feature = "app")]
pub mod app;
mod bob;
mod cbor;
mod checked;
mod dialect;
mod error;
mod id;
mod introducer;
mod line;
mod machine;
mod message;
mod outcome;
mod pool;
mod port;
#[cfg(feature = "portal")]
pub mod portal;
mod proof;
#[cfg(feature = "relay")]
pub mod relay;
mod secret;
#[cfg(feature = "testkit")]
pub mod testkit;
mod time;
mod tombstone;
mod x25519;

pub use alice::{Alice, AliceEffect, AliceOf, AlicePhase};
pub use bob::{Bob, BobEffect, BobOf, BobPhase};
pub use dialect::{Dialect, Native};
pub use error::{BufferTooSmall, DecodeError, FindError, PoolError, PortError, Rejected, RestoreError, SealError};
pub use id::{LineId, LineLink, PeerMark, PoolId, PortHash, RecordKey, ReplayMark, RequestId, TicketHash};
pub use introducer::message::{IntroducerMessage, MAX_INTRODUCER_MESSAGE};
pub use introducer::{Introducer, IntroducerEffect, IntroducerPhase};
pub use line::{
    Buffer, Confirmed, Introduced, Line, LineEffect, LinePhase, MAX_ASSOCIATED_DATA, MAX_MESSAGE, RelayClaims,
    SEAL_OVERHEAD, SafetyNumber, padded_len,
};
pub use machine::Machine;
#[cfg(feature = "alloc")]
pub use machine::peers::Blocked;
pub use machine::peers::{NoPeers, Peers, Relationship};
pub use machine::record::{Expected, MAX_RECORD, MachineRole, Record, Row};
pub use machine::role::Received;
pub use machine::step::{Created, Effects, OnDuplicate, Step, Write};
pub use message::{Event, Nonce, PacketKind, Payload, Reason, Request};
pub use outcome::{CloseReason, GrantOutcome, PortOutcome, UseOutcome};
pub use pool::{MAX_POOL, Pool, PoolEffect};
pub use port::options::PortOptions;
pub use port::policy::{Admission, OnRepeat, Policy, UseLimit};
pub use port::text::{MAX_QR_TEXT, PortLink, QrText};
pub use port::ticket::{IntroducerName, MAX_TICKETS, Ticket, TicketNotice};
pub use port::{MAX_PORT_BYTES, Port, PortBytes, PortKind, PublicKey, RelayAddr};
pub use proof::{Proof, SendProof};
/// The traits of the generator that `handle` takes, so that a caller need not name this crate's version of them.
pub use rand_core;
pub use secret::{Rad, Secret, Seed};
pub use time::UnixSeconds;
pub use x25519::X25519Backend;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
