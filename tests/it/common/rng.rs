//! A generator that gives known bytes.

use std::convert::Infallible;

use port_protocol::rand_core::{TryCryptoRng, TryRng};

/// `first`, `first + 1`, and so on.
#[derive(Clone, Debug)]
pub struct Counting(u8);

/// The generator of most tests. It begins anew each time.
pub const fn rng() -> Counting {
    rng_from(0x25)
}

/// One that begins with this byte.
pub const fn rng_from(first: u8) -> Counting {
    Counting(first)
}

/// The first 32 bytes of [`rng`]: §6.2's `fresh`.
pub fn fresh_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    let Ok(()) = rng().try_fill_bytes(&mut bytes);
    bytes
}

/// One that is broken: all it gives is zeros.
#[derive(Clone, Debug)]
pub struct Zeros;

/// One that must not be asked.
#[derive(Clone, Debug)]
pub struct Unused;

/// The names that a relay draws, 16 bytes each: 1, 2, 3, … Behind these there are zeros.
#[cfg(feature = "relay")]
#[derive(Clone, Default, Debug)]
pub struct Names(pub u128);

#[cfg(feature = "relay")]
impl Names {
    /// The last that was drawn.
    pub fn last<T: From<[u8; 16]>>(&self) -> T {
        self.0.to_be_bytes().into()
    }
}

macro_rules! generator {
    ($name:ty, $self:ident, $out:ident => $fill:expr) => {
        impl TryRng for $name {
            type Error = Infallible;

            fn try_next_u32(&mut self) -> Result<u32, Infallible> {
                let mut bytes = [0; 4];
                self.try_fill_bytes(&mut bytes)?;
                Ok(u32::from_le_bytes(bytes))
            }

            fn try_next_u64(&mut self) -> Result<u64, Infallible> {
                let mut bytes = [0; 8];
                self.try_fill_bytes(&mut bytes)?;
                Ok(u64::from_le_bytes(bytes))
            }

            fn try_fill_bytes(&mut $self, $out: &mut [u8]) -> Result<(), Infallible> {
                $fill;
                Ok(())
            }
        }

        impl TryCryptoRng for $name {}
    };
}

generator!(Counting, self, out => for byte in out {
    *byte = self.0;
    self.0 = self.0.wrapping_add(1);
});
generator!(Zeros, self, out => out.fill(0));
generator!(Unused, self, out => assert!(out.is_empty(), "{} bytes were drawn", out.len()));
#[cfg(feature = "relay")]
generator!(Names, self, out => {
    self.0 += 1;
    out.fill(0);
    out[..16].copy_from_slice(&self.0.to_be_bytes());
});
