//! A hostile relay to test an app with.

mod app;
mod client;
mod machine;
mod relay;
mod schedule;
mod store;
mod witness;
mod world;

pub use app::{App, Command, Output, Power, PowerFailed, RollBack};
pub use client::{Care, Client};
pub use relay::Parcel;
pub use schedule::{Answer, Choice, Claim, Fault, Forgery, Schedule};
pub use store::{Conflict, Put, Store};
pub use witness::Violation;
pub use world::World;
