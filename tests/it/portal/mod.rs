//! Chapter 18: Portals.

mod apps;
mod card;
mod find;
mod id;
mod line;
mod manifest;
mod once;
mod parts;
mod path;
mod peers;
mod secrets;
mod sessions;
mod stranger;
pub mod vectors;
mod world;
