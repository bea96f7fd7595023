//! The marks by which the relay names one user to another (§13.3).

use core::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;

use crate::id::{LineLink, PeerMark, UserId};
use crate::secret::Secret;

/// The relay's key for its [`PeerMark`]s: 32 secret bytes (§13.3). Draw it once and keep it with the storage.
///
/// With another key each user gets another mark: nobody is blocked any more, and no line is known to replace another. A reader of the key
/// and of the users' ids can tell which marks are of one user.
#[derive(Clone, PartialEq, Eq)]
pub struct MarkKey(Secret<32>);

impl MarkKey {
    /// A key that was drawn before.
    pub const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// A fresh key.
    pub fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut key = Secret::ZERO;
        rng.fill_bytes(key.expose_mut());
        Self(key)
    }

    /// The bytes, to be kept.
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// What `viewer` is told of `peer`: HMAC-SHA256 of the two ids, and of the link where the mark is to differ from that of any other
    /// link. The lengths are fixed, so no two of these messages are one.
    pub(super) fn mark(&self, viewer: UserId, peer: UserId, link: Option<&LineLink>) -> PeerMark {
        let mut message = [0; 80];
        let link = link.map_or(&[][..], |link| link.as_bytes());
        let bytes = viewer.as_bytes().iter().chain(peer.as_bytes()).chain(link);
        let length = message.iter_mut().zip(bytes).map(|(to, from)| *to = *from).count();
        // HKDF-Extract is HMAC, with the salt as its key (RFC 5869 §2.2).
        let (mark, _) = Hkdf::<Sha256>::extract(Some(self.expose()), message.get(..length).unwrap_or_default());
        <[u8; 32]>::from(mark).into()
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MarkKey([redacted])")
    }
}
