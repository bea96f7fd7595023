//! A stack whose memory is painted, so that one can look at it afterwards.

use std::hint::black_box;

/// Far more than anything here uses, also in a build that is not optimised.
const SIZE: usize = 1 << 20;
const PAINT: u8 = 0xa5;
/// A part of a secret that is as long as this counts as a copy: half of a key.
const PART: usize = 16;

pub struct Stack(Box<[u128]>);

impl Stack {
    pub fn new() -> Self {
        Self(vec![0; SIZE / size_of::<u128>()].into())
    }

    /// Paints the stack, and does this on it.
    pub fn run(&mut self, work: impl FnOnce()) {
        self.0.fill(u128::from_ne_bytes([PAINT; 16]));
        // SAFETY: the memory is this value's own and aligned to 16 bytes, nothing else touches it before `on_stack` returns, and it is far
        // longer than any work here needs. A panic of `work` ends the process.
        unsafe { psm::on_stack(self.0.as_mut_ptr().cast(), SIZE, work) };
        black_box(&mut self.0);
    }

    /// How many bytes the last work used: down to the lowest one that it wrote.
    pub fn depth(&self) -> usize {
        SIZE - self.bytes().take_while(|byte| *byte == PAINT).count()
    }

    /// How many copies of this secret the last work left, whole ones or parts.
    pub fn copies(&self, secret: &[u8]) -> usize {
        let bytes: Vec<u8> = self.bytes().skip(SIZE - self.depth()).collect();
        let mut rest = &bytes[..];
        let mut copies = 0;
        while rest.len() >= PART {
            let longest = |at: usize| rest.iter().zip(&secret[at..]).take_while(|(here, part)| here == part).count();
            let length = (0..=secret.len() - PART).map(longest).max().unwrap_or_default();
            copies += usize::from(length >= PART);
            rest = &rest[if length >= PART { length } else { 1 }..];
        }
        copies
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes())
    }
}
