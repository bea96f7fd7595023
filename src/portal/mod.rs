//! Portals: personal servers that peer by IDs that are hashes of keys.

mod card;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod id;
mod manifest;
mod path;
