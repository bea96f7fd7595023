//! What an app serves, and to whom.

use super::path::Target;

/// Stub.
#[derive(Debug)]
pub struct Manifest;

impl Manifest {
    /// Stub.
    pub fn admits_peer(&self, target: &Target<'_>) -> bool {
        target.as_str().starts_with("/peer")
    }
}
