//! A world in memory, to test an app in: clients, and between them the real [`Relay`](crate::relay::Relay) in the hands of
//! somebody hostile, who drops, duplicates, reorders and delays events, replays them across lines, flips bits, forges events,
//! claims a Port twice and answers what nobody asked; processes die between any two things, and backups come back. After
//! everything that happens, the kit looks into every store: a [`Violation`] is what must never be (§10).
//!
//! **What is not tried:** all that befalls the network befalls events. A request that has left an app reaches the relay at once,
//! in order, and as often as it was sent: none is lost, late, doubled or overtaken by another of the same app. Of such, only what
//! a crash brings about is seen: a request that was never sent, or is sent again.
//!
//! What happens is a [`Schedule`]: data, drawn from a seed or a fuzzer's bytes, or written by hand. The same schedule gives the
//! same run, byte for byte, and one that fails [shrinks](Schedule::shrink).
//!
//! An app joins by implementing [`App`]; [`Client`] is one that does just what SPEC.md says.
//!
//! ```
//! use port_protocol::UnixSeconds;
//! use port_protocol::testkit::*;
//!
//! /// The app under test: its own store, its own glue around the machines. (Here it borrows the kit's.)
//! #[derive(Default)]
//! struct MyApp(Client);
//!
//! impl App for MyApp {
//!     fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed> {
//!         self.0.deliver(event, now, power) // to the machine at `Event::key`; `power.point()?` wherever it may die
//!     }
//!     fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
//!         self.0.command(command, now, power) // what its buttons do
//!     }
//!     fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
//!         self.0.restart(now, power) // restore every record, do what is pending
//!     }
//!     fn output(&mut self) -> Vec<Output> {
//!         self.0.output() // what it has sent, shown, played
//!     }
//!     fn records(&self) -> Vec<Vec<u8>> {
//!         self.0.records() // what is in its store
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
mod refused;
mod relay;
mod schedule;
mod store;
mod witness;
mod world;

pub use app::{App, Command, Output, Power, PowerFailed, Receipt, RollBack};
pub use client::{Care, Client};
pub use relay::Parcel;
pub use schedule::{Answer, Change, Choice, Claim, End, Expiry, Fault, Forgery, Schedule, Terms};
pub use store::{Conflict, Put, Store};
pub use witness::Violation;
pub use world::World;
