//! The wire formats of the Portal system that exists (Freeshard). Weaker than the native profile.
