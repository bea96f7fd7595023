//! Chapter 18: Portals.

mod id;
mod manifest;
mod once;
mod path;
mod stranger;
pub mod vectors;
mod world;
