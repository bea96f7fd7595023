//! The ID of a Portal: a hash of its public key.

use minicbor::{Decode, Encode};

use crate::cbor;
use crate::port::PublicKey;

/// Stub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct PortalId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

/// Stub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShortId([u8; 6]);

impl PortalId {
    /// Stub.
    pub fn of(key: &PublicKey) -> Self {
        Self(cbor::hash(&("port-protocol portal", <&minicbor::bytes::ByteSlice>::from(key.as_bytes().as_slice()))))
    }

    /// Stub.
    pub fn short(&self) -> ShortId {
        let mut short = [0; 6];
        short.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        ShortId(short)
    }

    /// Stub.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
