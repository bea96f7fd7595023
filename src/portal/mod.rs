//! Portals: personal servers that peer by IDs that are hashes of keys.

mod card;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod id;
mod manifest;
mod path;

pub use id::{NotAShortId, PORTAL_ID_TEXT, PortalId, PortalIdError, ShortId};
