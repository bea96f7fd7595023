//! Secrets: zeroized on drop, redacted in `Debug`, compared in constant time (§8.7).

use core::convert::Infallible;
use core::fmt;

use hkdf::Hkdf;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// `N` secret bytes.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

/// Random associated data: 16 fresh random bytes in every Port (§2.1). To show that one knows them is to show that one holds the Port.
pub type Rad = Secret<16>;

impl<const N: usize> Secret<N> {
    pub(crate) const ZERO: Self = Self([0; N]);

    /// The bytes themselves. They are all that the holder has: keep them out of logs.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    pub(crate) const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl<const N: usize> From<[u8; N]> for Secret<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0 = [0; N];
        zeroize::optimization_barrier(&self.0);
    }
}

impl<const N: usize> zeroize::ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> ConstantTimeEq for Secret<N> {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<C, const N: usize> Encode<C> for Secret<N> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C, const N: usize> Decode<'b, C> for Secret<N> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::from_slice(d.bytes()?).ok_or_else(|| decode::Error::message("secret of another length"))
    }
}

/// The randomness that a machine is made of, 64 bytes (§8.5).
///
/// The machine that is made from it consumes it, and it can't be cloned, so no two machines share keys. What a machine draws later is
/// handed in with the event that needs it. A machine is a pure function of its state, the event, the time and what was handed in.
///
/// ```
/// use port_protocol::Seed;
/// # fn draw(rng: &mut impl rand_core::CryptoRng) -> Seed {
/// Seed::draw(rng) // any cryptographic generator
/// # }
/// # #[cfg(feature = "getrandom")]
/// let seed = Seed::from_os()?; // the operating system's
/// # #[cfg(feature = "getrandom")]
/// # Ok::<(), getrandom::Error>(())
/// ```
#[derive(Debug)]
pub struct Seed {
    pub(crate) private_key: Secret<32>,
    /// An Alice's RAD, a Bob's IV, a Pool's name, an introducer's ticket.
    pub(crate) block: Secret<16>,
    pub(crate) request_id: Secret<16>,
}

impl Seed {
    /// Draws a seed from a cryptographic random number generator.
    pub fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let Ok(seed) = Self::fill(|part| {
            rng.fill_bytes(part);
            Ok::<_, Infallible>(())
        });
        seed
    }

    /// Draws a seed from the operating system.
    ///
    /// # Errors
    /// The operating system has no randomness to give, which some do early at boot. Try again later.
    #[cfg(feature = "getrandom")]
    pub fn from_os() -> Result<Self, getrandom::Error> {
        Self::fill(getrandom::fill)
    }

    /// A seed of these bytes, for known-answer tests and for callers with a generator of their own. **Never use the same bytes twice.**
    ///
    /// Bytes 0 to 32 are an Alice's or Bob's private key, and the key of a Pool's request ids. Bytes 32 to 48 are an Alice's RAD, a Bob's
    /// IV, an introducer's ticket, a Pool's name. Bytes 48 to 64 are an Alice's request id.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut rest = bytes.iter();
        let Ok(seed) = Self::fill(|part| {
            part.iter_mut().zip(&mut rest).for_each(|(to, from)| *to = *from);
            Ok::<_, Infallible>(())
        });
        seed
    }

    fn fill<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut seed = Self { private_key: Secret::ZERO, block: Secret::ZERO, request_id: Secret::ZERO };
        fill(seed.private_key.expose_mut())?;
        fill(seed.block.expose_mut())?;
        fill(seed.request_id.expose_mut())?;
        Ok(seed)
    }
}

/// HKDF-Expand (RFC 5869) with this info.
pub(crate) fn derive<const N: usize>(hkdf: &Hkdf<Sha256>, info: &str) -> Secret<N> {
    let mut key = Secret::ZERO;
    derive_into(&mut key, hkdf, info);
    key
}

/// [`derive`], in place.
pub(crate) fn derive_into<const N: usize>(key: &mut Secret<N>, hkdf: &Hkdf<Sha256>, info: &str) {
    // No secret is anywhere near HKDF's limit of 8160 bytes.
    let _ = hkdf.expand(info.as_bytes(), key.expose_mut());
}

/// Overwrites the stack below the caller, as deep as most steps go: ten frames of half a kilobyte.
///
/// There lie the frames of calls that have returned, and in them copies of secrets that nobody wiped: of values that the compiler moved,
/// and of what libraries spilled. No language rule says where a frame lies, so this is no promise. `ci/stack` counts what is left.
pub(crate) fn wipe_stack() {
    wipe_frames(10);
}

/// One frame would be filled by `rep stosb`, which takes longer.
#[inline(never)]
fn wipe_frames(more: usize) {
    let frame = [0_u8; 512];
    zeroize::optimization_barrier(&frame);
    if let Some(more) = more.checked_sub(1) {
        wipe_frames(more);
    }
    // Here the frame is still in use, so the next one lies below it.
    zeroize::optimization_barrier(&frame);
}
