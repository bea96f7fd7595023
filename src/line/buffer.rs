//! Buffer: where a line opens messages and seals packets (§6.3, §6.4).

/// Where [`Line::handle`](super::Line::handle) opens a message and [`Line::seal`](super::Line::seal) seals a packet: a slice or an array
/// that is long enough; or, with the feature `alloc`, a `Vec<u8>`, which grows as needed. What was in it is overwritten. It may hold a
/// message in the clear afterwards: wiping it is the caller's.
pub trait Buffer<'m>: sealed::Sealed {
    /// At least `length` bytes; fewer if there is no room for them.
    #[doc(hidden)]
    fn room(self, length: usize) -> &'m mut [u8];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &mut [u8] {}
    impl<const N: usize> Sealed for &mut [u8; N] {}
    #[cfg(feature = "alloc")]
    impl Sealed for &mut alloc::vec::Vec<u8> {}
}

impl<'m> Buffer<'m> for &'m mut [u8] {
    #[inline(always)]
    fn room(self, _: usize) -> &'m mut [u8] {
        self
    }
}

impl<'m, const N: usize> Buffer<'m> for &'m mut [u8; N] {
    #[inline(always)]
    fn room(self, _: usize) -> &'m mut [u8] {
        self
    }
}

#[cfg(feature = "alloc")]
impl<'m> Buffer<'m> for &'m mut alloc::vec::Vec<u8> {
    #[inline]
    fn room(self, length: usize) -> &'m mut [u8] {
        if self.len() < length {
            self.resize(length, 0);
        }
        self
    }
}
