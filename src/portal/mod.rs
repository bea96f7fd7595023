//! Portals: personal servers that peer by IDs that are hashes of keys.

mod card;
mod format;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod id;
mod json;
mod manifest;
mod path;

pub use manifest::{Access, Caller, Manifest, ManifestError, PathEntry, Refused, Warning};
pub use path::{Target, TargetError};
