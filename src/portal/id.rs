//! The ID of a Portal: a hash of its public key.
