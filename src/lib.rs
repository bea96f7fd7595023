//! Connect two people with a single-use ticket instead of a lasting identifier.
//!
//! Alice shows a **Port**: a QR code, a link. Bob uses it, once; a **line** between them is formed through a relay that
//! neither trusts, and the ticket is dead. Nobody learns a phone number, an address or a user name of anybody.
//!
//! The crate is that protocol and nothing else: five state machines that take and give bytes. There is no I/O, no clock, no
//! `unsafe`, no allocator in them; transport and storage stay with you. The rules are in [SPEC.md], and comments
//! cite them (§4.3).
//!
//! ```text
//!  Alice        Requesting ──LineLinkIssued──▶ Offered ──LineFormed──▶ Spent     yields a Line
//!                 of a Port for many:  Offered ──LineFormed──▶ Offered           yields a Line each time
//!  Bob          Scanned ────────connect──────▶ Connecting ─LineFormed─▶ Spent     yields a Line
//!  Line         AwaitingProof ──proof──▶ Joined ──a packet opens──▶ Confirmed ──close──▶ Closed
//!                 if Alice is asked:  AwaitingProof ──proof──▶ Asked ──accept──▶ Joined
//!  Pool         line links for later, so that Alice needs no network: handle, take
//!  Introducer   Granted ──introduce──▶ Telling ──told──▶ Ready ──settle──▶ Granted
//! ```
//!
//! # Both sides in one page
//!
//! ```
//! use port_protocol::*;
//! # use std::collections::BTreeMap;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut store = BTreeMap::new();
//! # let mut put = |row: Row| { store.insert(row.key, row.record.to_vec()); };
//! # let now = UnixSeconds(1_790_000_000);
//! # let (seed_a, seed_b) = (Seed::from_bytes(&[1; 64]), Seed::from_bytes(&[2; 64]));
//! // Alice has a line link from the Server, and makes a Port of it. Keep the record first, then commit.
//! let born = Alice::offer(LineLink::from([7; 16]), Offer::new(), seed_a);
//! put(born.row());
//! let mut alice = born.commit();
//! let text = alice.port().map(Port::qr_text).ok_or("no Port")?; // show it as a QR code
//!
//! // Bob reads the text, and asks the Server to connect, with his proof on board.
//! let born = Bob::scan(Port::parse(text.as_str())?, seed_b);
//! put(born.row());
//! let mut bob = born.commit();
//! let step = bob.connect(SendProof::OnBoard, now)?; // nothing has moved yet
//! step.rows().for_each(&mut put); //                   keep the new state
//! let mut proof_on_board = None;
//! for effect in step.commit() {
//!     let BobEffect::Send(Request::Connect { proof, .. }) = effect else { continue };
//!     proof_on_board = proof; //                       now send it
//! }
//!
//! // The Server makes a line and tells both. Each machine yields its end of it.
//! let formed = |proof| Event::LineFormed {
//!     line_link: LineLink::from([7; 16]),
//!     line_id: LineId::from([8; 16]),
//!     pair_hash: PairHash::from([9; 32]),
//!     proof,
//! };
//! let step = alice.handle(&formed(proof_on_board), now)?;
//! step.rows().for_each(&mut put); //                   Alice's record, and the line's: in one transaction
//! let Some(AliceEffect::LineFormed(mut at_alice)) = step.commit().next() else { return Err("refused".into()) };
//!
//! let step = bob.handle(&formed(None), now)?;
//! step.rows().for_each(&mut put);
//! let Some(BobEffect::LineFormed(mut at_bob)) = step.commit().next() else { return Err("refused".into()) };
//!
//! // Alice's Confirm shows Bob that she is Alice; his Answer shows her that he saw the very same handshake.
//! let (mut for_alice, mut for_bob) = ([0; 256], [0; 256]);
//! fn relay(effect: Option<LineEffect<'_>>) -> Result<Event<'_>, &'static str> {
//!     match effect {
//!         Some(LineEffect::Send(Request::Packet { line_id, payload })) => Ok(Event::Packet { line_id, payload }),
//!         _ => Err("nothing to send"),
//!     }
//! }
//! let step = at_bob.handle(&relay(at_alice.unsent().next())?, &mut for_bob, now)?;
//! step.rows().for_each(&mut put);
//! let answer = relay(step.commit().next())?;
//! let step = at_alice.handle(&answer, &mut for_alice, now)?;
//! step.rows().for_each(&mut put);
//! step.commit().for_each(drop);
//!
//! assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());
//! assert_eq!(at_alice.check_code(), at_bob.check_code());
//! # Ok(()) }
//! ```
//!
//! `cargo run --example handshake` shows the same with a relay between them, packet by packet.
//!
//! # The family
//!
//! - A **Superport** is for many, each with a line of his own: [`Offer::policy`] with [`Policy::up_to`] or [`Policy::unlimited`]. Alice
//!   pauses it or changes its limit ([`Alice::set_policy`]), is asked about each who comes ([`Policy::asking`]), and closes it
//!   for good ([`Alice::revoke`]).
//! - A **contact port** is for whom one contact of hers introduces: [`Offer::introducer`], an [`Introducer`] at the contact,
//!   [`Introduction`]s along the line of the two, and [`Line::introduced`] to say who it was.
//! - Whom she **blocked** gets in by none of them, nor does he learn why: [`Known`], [`Blocked`].
//!
//! `cargo run --example handshake -- --superport 5`, and `-- --introduce`, show them.
//!
//! # What the caller keeps to
//!
//! - **Keep, then commit** ([`Machine`], §8.1): all [`rows`](Step::rows) of a step in one transaction, for a new line has a record of
//!   its own. A store that compares and swaps by [`Row::replaces`] makes it hold between processes too.
//! - **Settle** ([`Machine::settle`]) when everything a commit asked for was done; after a crash, [`Machine::restore`] and do
//!   what is [`unsent`](Machine::unsent).
//! - **Tick** ([`Machine::tick`]) at the [`deadline`](Machine::deadline).
//! - Hand every event to the machine at its [`key`](Event::key), or to the [`Pool`]; read what to do about an error at [`Rejected`].
//! - Rely on [`Line::confirmed`], not on [`Line::claims`].
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `std` | yes | `alloc`, and `std::error::Error` where dependencies need it |
//! | `alloc` | with `std` | `to_vec()` beside `encode_into()` |
//! | `getrandom` | yes | [`Seed::from_os`] |
//! | `precomputed-tables` | yes | faster key generation for about 30 KiB of tables |
//! | `fast-x25519` | no | handshakes in half the time on x86-64 and AArch64, by the library graviola; [`X25519Backend`] tells whether this processor can |
//! | `server` | yes | [`server`]: the relay's own machine, and with `alloc` a directory in memory for it |
//! | `app` | no | [`app`]: the formats of a shipped app, on the heap, and machines that speak them |
//! | `testkit` | no | `server`, and it in hostile hands, for the tests of your own app |
//!
//! With `default-features = false` the crate is `no_std` and uses no heap; nor does it with them, in a handshake.
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
mod dialect;
mod error;
mod id;
mod introducer;
mod introduction;
mod known;
mod line;
mod machine;
mod message;
mod offered;
mod policy;
mod pool;
mod port;
mod proof;
mod record;
mod secret;
#[cfg(feature = "server")]
pub mod server;
mod spent;
#[cfg(feature = "testkit")]
pub mod testkit;
mod ticket;
mod wire;
mod x25519;

pub use alice::{Alice, AliceEffect, AliceEnd, AliceOf, AlicePhase};
pub use bob::{Bob, BobEffect, BobEnd, BobOf, BobPhase, SendProof};
pub use dialect::{Dialect, Native};
pub use error::{BufferTooSmall, DecodeError, PoolError, PortError, Rejected, RestoreError, SealError};
pub use id::{Key, LineId, LineLink, Mark, PairHash, PoolId, PortHash, RequestId, TicketHash};
pub use introducer::{Introducer, IntroducerEffect, IntroducerEnd, IntroducerPhase};
pub use introduction::{Introduction, MAX_INTRODUCTION};
#[cfg(feature = "alloc")]
pub use known::Blocked;
pub use known::{Known, Standing};
pub use line::{
    CheckCode, Claims, Confirmed, Introduced, Line, LineEffect, LineEnd, LinePhase, MAX_ASSOCIATED_DATA, MAX_MESSAGE,
    SEAL_OVERHEAD, padded_len,
};
pub use machine::{Born, Effects, Machine, Step, Taken};
pub use message::{Admits, Content, Event, Nonce, Payload, Reason, Request};
pub use policy::{Again, Offer, Policy, Uses};
pub use pool::{MAX_POOL, Pool, PoolEffect};
pub use port::{Kind, Link, MAX_PORT_BYTES, MAX_QR_TEXT, Port, PortBytes, PublicKey, QrText, Relay, UnixSeconds};
pub use proof::Proof;
pub use record::{MAX_RECORD, Record, Replaces, Row};
pub use secret::{Rad, Secret, Seed};
pub use ticket::{MAX_TICKETS, Name, Ticket, ToldTicket};
pub use x25519::X25519Backend;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
