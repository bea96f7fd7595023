//! A world in memory, to test an app in.
//!
//! There are clients, and between them a hostile relay: the real [`Relay`](crate::relay::Relay), but it drops, duplicates, reorders and
//! delays events, replays them across lines, flips bits, forges events, claims a Port twice, and answers what nobody asked. Processes die
//! between any two things, devices are lost, and backups come back. After everything that happens, the kit looks into every store. A [`Violation`] is what
//! must never be (§10).
//!
//! The kit also counts messages: if an app acknowledges a packet to the relay, it must have kept the message that was in it.
//!
//! **What is not tried:** only events go wrong on the network. A request that has left an app reaches the relay at once, in order, and as
//! often as it was sent. None is lost, late, doubled, or overtaken by another request of the same app. Only a crash changes what is sent:
//! a request is never sent, or is sent again.
//!
//! A [`Schedule`] says what happens. It is data: drawn from a seed or from a fuzzer's bytes, or written by hand. The same schedule gives
//! the same run, byte for byte, and a schedule that fails [shrinks](Schedule::shrink).
//!
//! An app joins by implementing [`App`]. [`Client`] is an app that does just what SPEC.md says.
//!
//! ```
//! use port_protocol::LineId;
//! use port_protocol::testkit::*;
//!
//! /// The app under test: its own store, and its own code around the machines. (Here it borrows the kit's.)
//! #[derive(Default)]
//! struct MyApp(Client);
//!
//! impl App for MyApp {
//!     fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
//!         self.0.deliver(event, outside) // to the machine at `Event::key`; `outside.point()?` wherever the process may die
//!     }
//!     fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
//!         self.0.command(command, outside) // what its buttons do
//!     }
//!     fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
//!         self.0.restart(outside) // restore every record, do what is pending, show what is new in the inbox
//!     }
//!     fn output(&mut self) -> Vec<Output> {
//!         self.0.output() // what it has sent and shown
//!     }
//!     fn records(&self) -> Vec<Vec<u8>> {
//!         self.0.records() // the machines in its store
//!     }
//!     fn inbox(&self) -> Vec<(LineId, Vec<u8>)> {
//!         self.0.inbox() // the messages in its store that the user has not seen
//!     }
//! }
//!
//! let run = |schedule: &Schedule| World::new([MyApp::default(), MyApp::default()]).run(schedule);
//! for seed in 0..10 {
//!     let schedule = Schedule::from_seed(seed, 50);
//!     if let Err(violation) = run(&schedule) {
//!         panic!("seed {seed}: {violation}, by {:?}", schedule.shrink(|less| run(less).is_err()));
//!     }
//! }
//! ```

mod app;
mod client;
mod introductions;
mod lies;
mod machine;
#[cfg(feature = "portal")]
pub mod portal;
mod refused;
mod relay;
mod schedule;
mod shrink;
mod store;
mod violation;
mod witness;
mod world;

pub use app::{App, Command, CrashPoints, Output, Outside, PowerFailed, Receipt, RollBack};
pub use client::Client;
pub use relay::Delivery;
pub use schedule::{Answer, Asked, Change, Choice, Claim, End, Expiry, Fault, Forgery, Schedule, Terms};
pub use store::{Conflict, Store, StoreFaults};
pub use violation::Violation;
pub use world::World;
