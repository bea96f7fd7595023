//! Portals: personal servers that peer by IDs that are hashes of keys.

mod card;
mod find;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod id;
mod manifest;
mod path;

pub use card::{CardError, MAX_CARD_BYTES, PortalAddr, PortalCard};
pub use find::FindCardError;
pub use id::{NotAShortId, PORTAL_ID_TEXT, PortalId, PortalIdError, ShortId};
