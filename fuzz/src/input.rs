//! The fuzzer's bytes as a script; and randomness that is none.

use std::convert::Infallible;

use port_protocol::UnixSeconds;
use port_protocol::rand_core::{TryCryptoRng, TryRng};

/// Reads from the front; past the end it reads zeros, so that every byte string is a script.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    pub fn u16(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    pub fn u64(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// A time, of the years up to 9999; seldom its last second.
    pub fn time(&mut self) -> UnixSeconds {
        UnixSeconds::new(self.u64()).unwrap_or(UnixSeconds::MAX)
    }

    /// At most `n` bytes.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        let at = usize::from(self.byte());
        from.get(at.checked_rem(from.len())?)
    }
}

/// Flips one bit, wherever that is.
pub fn flip(bytes: &mut [u8], bit: usize) {
    let length = bytes.len();
    if length > 0 {
        bytes[bit / 8 % length] ^= 1 << (bit % 8);
    }
}

/// `==`, but not one that the fuzzer watches: it would learn what it is to guess.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

/// A generator for [`handle`](port_protocol::Alice::handle) that gives the same bytes each time, so that a step can be made twice.
pub struct Fresh(u8);

pub const fn fresh() -> Fresh {
    Fresh(0)
}

impl TryRng for Fresh {
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

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Fresh {}
