//! Chapter 18: Portals.

mod apps;
mod id;
mod manifest;
mod once;
mod parts;
mod path;
mod peers;
mod sessions;
mod world;
