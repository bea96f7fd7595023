//! Chapter 18: Portals.

mod card;
mod find;
mod id;
mod line;
mod manifest;
mod once;
mod path;
mod world;
