//! Time, as the caller's clock tells it.

use minicbor::{Decode, Encode};

/// Seconds since 1970-01-01T00:00:00Z, by the caller's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct UnixSeconds(#[n(0)] pub u64);
