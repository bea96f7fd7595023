//! The public key of a Port (§2.3).

use crate::error::PortError;

/// An X25519 public key that is canonical and not of low order (§2.3).
///
/// Its bytes are never an identity: the same secret can be reached through other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Accepts a key.
    ///
    /// # Errors
    /// [`PortError::WeakPublicKey`] for u ≥ 2²⁵⁵ − 19 and for the five canonical points of low order (RFC 7748 §6.1):
    /// with one of those, the secret would be known to everybody.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, PortError> {
        let canonical = bytes.iter().rev().lt(P.iter().rev());
        if canonical && !LOW_ORDER.contains(&bytes) { Ok(Self(bytes)) } else { Err(PortError::WeakPublicKey) }
    }

    /// What keygen made is neither: a clamped scalar times the base point has the order of the base point.
    pub(crate) const fn generated(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, u in little-endian order (RFC 7748 §5).
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 2²⁵⁵ − 19, little-endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    let [first, .., last] = &mut p;
    *first = 0xed;
    *last = 0x7f;
    p
};

/// The u of every point whose order divides 8, on the curve and on its twist.
const LOW_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        let [first, ..] = &mut one;
        *first = 1;
        one
    },
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    {
        let mut minus_one = P;
        let [first, ..] = &mut minus_one;
        *first = 0xec;
        minus_one
    },
];
