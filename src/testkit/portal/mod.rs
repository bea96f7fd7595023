//! A world of Portals in memory (§18), to test the machines of [`portal`](crate::portal) in.
//!
//! There are two honest Portals with two apps each, and a liar that both owners have entered. Between them a hostile network drops, holds, repeats,
//! reorders and changes letters, hands them to others, and makes up Refusals. Owners enter, block, remove and enter again, and grant. Processes die
//! between any two things, and clocks jump ahead and back. A [`Violation`] is what must never be.
//!
//! A [`Schedule`] says what happens. It is data: drawn from a seed or from a fuzzer's bytes, or written by hand. The same schedule gives the same run,
//! and a schedule that fails [shrinks](Schedule::shrink).
//!
//! **What is not tried:** stores that go back to an older state, two processes on one store, and a caller that goes on with a copy of an old process.
//!
//! ```
//! use port_protocol::testkit::portal::*;
//!
//! let run = |schedule: &Schedule| World::new(Faults::NONE)?.run(schedule);
//! for seed in 0..10 {
//!     let schedule = Schedule::from_seed(seed, 50);
//!     if let Err(violation) = run(&schedule) {
//!         panic!("seed {seed}: {violation}, by {:?}", schedule.shrink(|less| run(less).is_err()));
//!     }
//! }
//! ```

mod host;
mod liar;
mod noise;
mod schedule;
mod store;
mod violation;
mod witness;
mod world;

pub use schedule::{Choice, JUMPS, Schedule};
pub use store::Faults;
pub use violation::Violation;
pub use world::World;
