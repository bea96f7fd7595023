//! Connect two people with a single-use ticket instead of a lasting identifier.
//!
//! Alice shows a **Port**: a QR code or a link. Bob uses it, once. A **line** between them is formed through a relay that neither trusts,
//! and the ticket is dead. Nobody learns a phone number, an address or a user name.
//!
//! The crate is that protocol and nothing else: five state machines that take and give bytes. They do no I/O, read no clock, use no
//! `unsafe` and no allocator. Transport and storage stay with you. The rules are in [SPEC.md]. Comments cite them by section (§4.3).
//!
//! ```text
//!  Alice        Requesting ──LineLinkIssued──▶ Offered ──LineFormed──▶ Spent     yields a Line
//!                 of a Port for many:  Offered ──LineFormed──▶ Offered           yields a Line each time
//!  Bob          Scanned ────────connect──────▶ Connecting ─LineFormed─▶ Spent     yields a Line
//!  Line         AwaitingProof ──proof──▶ Joined ──a packet opens──▶ Confirmed ──close──▶ Closed
//!                 if the policy asks:  AwaitingProof ──proof──▶ AwaitingApproval ──accept──▶ Joined
//!  Pool         line links for later, so that Alice needs no network: handle, pop
//!  Introducer   Granted ──introduce──▶ Announcing ──mark_announced──▶ Ready ──clear_outbox──▶ Granted
//! ```
//!
//! # Both sides in one page
//!
//! Every step of a machine goes the same way: prepare it, [`store`](Step::store) what it writes, act on its effects. The effects can't be
//! reached before the write.
//!
//! ```
//! use port_protocol::*;
//! use std::{collections::BTreeMap, convert::Infallible, error::Error};
//!
//! /// A store in memory. A real one does this in one transaction, and checks what `Write` says.
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
//!     let (mut rng, now) = (rand::rng(), UnixSeconds(1_790_000_000));
//!
//!     // Alice has a line link from the relay, and makes a Port of it.
//!     let link = LineLink::from([7; 16]);
//!     let created = Alice::offer(link, PortOptions::new(), Seed::draw(&mut rng));
//!     let mut alice = created.store(|write| alices.keep(write))?;
//!     let text = alice.port().ok_or("no Port")?.qr_text(); // show it as a QR code
//!
//!     // Bob reads the text, and asks the relay to connect, with a proof inside the request.
//!     let created = Bob::scan(Port::parse(text.as_str())?, Seed::draw(&mut rng));
//!     let mut bob = created.store(|write| bobs.keep(write))?;
//!     let step = bob.connect(SendProof::Inline, now)?; // nothing has moved yet
//!     let effect = step.store(|write| bobs.keep(write))?.next(); // it is kept, and now it has
//!     let Some(BobEffect::Send(Request::Connect { proof, .. })) = effect else { return Err("no request".into()) };
//!
//!     // The relay makes a line and tells both. Each machine yields its end of it.
//!     let (line_id, pair_hash) = ([8; 16].into(), [9; 32].into());
//!     let formed = |proof| Event::LineFormed { line_link: link, line_id, pair_hash, proof };
//!     let step = alice.handle(&formed(proof), &NoPeers, now, &mut rng)?;
//!     let effect = step.store(|write| alices.keep(write))?.next();
//!     let Some(AliceEffect::LineFormed(mut at_alice)) = effect else { return Err("refused".into()) };
//!     let step = bob.handle(&formed(None), &NoPeers, now, &mut rng)?;
//!     let effect = step.store(|write| bobs.keep(write))?.next();
//!     let Some(BobEffect::LineFormed(mut at_bob)) = effect else { return Err("refused".into()) };
//!
//!     // Alice's Confirm shows Bob that it holds the keys. Bob's Answer shows Alice that both saw the same handshake.
//!     let (mut buffer_b, mut buffer_a) = (Vec::new(), Vec::new());
//!     let confirm = to_event(at_alice.pending().next())?;
//!     let step = at_bob.handle(&confirm, &mut buffer_b, now, &mut rng)?;
//!     let answer = to_event(step.store(|write| bobs.keep(write))?.next())?;
//!     let step = at_alice.handle(&answer, &mut buffer_a, now, &mut rng)?;
//!     step.store(|write| alices.keep(write))?.for_each(drop);
//!
//!     assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());
//!     assert_eq!(at_alice.safety_number(), at_bob.safety_number());
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
//! `cargo run --example minimal` adds the relay and a message each way. `cargo run --example handshake` shows each packet.
//!
//! # The family
//!
//! - A **Superport** is for many users, each with a line of its own: [`PortOptions::policy`] with [`Policy::up_to`] or
//!   [`Policy::unlimited`]. Alice pauses it or changes its limit ([`Alice::set_policy`]), approves each visitor
//!   ([`Policy::require_approval`]), and closes it for good ([`Alice::revoke`]).
//! - A **contact port** is for guests whom one contact introduces: [`PortOptions::introducer`] at Alice, an [`Introducer`] at the contact,
//!   [`IntroducerMessage`]s along their line, and [`Line::introduced`] to say who it was.
//! - A **blocked** user gets in by none of them, and does not learn why: [`Peers`], `Blocked`.
//!
//! `cargo run --example handshake -- --superport 5` and `-- --introduce` show them.
//!
//! # Your obligations
//!
//! - **One transaction** for all that a step writes ([`Write`], §8.1). [`Step::store`] leaves no other order.
//! - **Clear the outbox** ([`Machine::clear_outbox`]) once everything in it was done. After a crash, [`Machine::restore`], and do what is
//!   [`pending`](Machine::pending).
//! - **Tick** ([`Machine::tick`]) at the [`deadline`](Machine::deadline). [`Row::deadline`] is there for an index.
//! - **Dispatch** each event to the machine at [`Event::key`], or to the [`Pool`]. [`Rejected`] says what to do about each refusal.
//! - **Trust** [`Line::confirmed`], not [`Line::claims`].
//! - **Randomness** goes into `handle` as the time does: any cryptographic generator of [`rand_core`], such as `rand::rng()`.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | `alloc`, and `std::error::Error` where dependencies need it |
//! | `alloc` | with `std` | `to_vec()` beside `encode_into()`; a `Vec` as a [`Buffer`] |
//! | `getrandom` | yes | `Seed::from_os` |
//! | `precomputed-tables` | yes | faster key generation for about 30 KiB of tables |
//! | `fast-x25519` | no | handshakes in little more than half the time on x86-64 and AArch64, by the library graviola; [`X25519Backend`] tells whether this processor can |
//! | `relay` | yes | `relay`: the relay's own machine; with `alloc`, a directory in memory for it |
//! | `app` | no | `app`: the formats of a shipped app, on the heap, and machines that speak them |
//! | `testkit` | no | `testkit`: a hostile relay, crashes and roll-backs for the tests of your own app |
//!
//! With `default-features = false` the crate is `no_std` and uses no heap. With default features a handshake uses none either.
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
pub use error::{BufferTooSmall, DecodeError, PoolError, PortError, Rejected, RestoreError, SealError};
pub use id::{LineId, LineLink, PairHash, PoolId, PortHash, RecordKey, ReplayMark, RequestId, TicketHash};
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
