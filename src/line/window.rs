//! The replay window (§6.4).

use minicbor::{Decode, Encode};

use crate::error::Rejected;

/// Which of the other end's counters were accepted. Bit `i` of `seen` stands for `next - 1 - i`. All below `next - 64` count as accepted.
#[derive(Clone, Copy, Default, Debug, Encode, Decode)]
pub struct Window {
    #[n(0)]
    next: u64,
    #[n(1)]
    seen: u64,
}

impl Window {
    /// Nothing was accepted.
    pub(super) const EMPTY: Self = Self { next: 0, seen: 0 };

    /// By how many counters it reaches further than another.
    #[cfg(feature = "portal")]
    pub(crate) const fn ahead_of(&self, other: &Self) -> u64 {
        self.next.saturating_sub(other.next)
    }

    /// The window after this counter. Keep it only if the packet opens.
    ///
    /// # Errors
    /// [`Rejected::Duplicate`]: accepted before, or too old to tell.
    #[inline(always)]
    pub(crate) fn accept(self, counter: u64) -> Result<Self, Rejected> {
        match counter.checked_sub(self.next) {
            Some(ahead) => {
                let shift = u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1);
                let seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
                // No end ever reaches the last counter of all (§6.3).
                Ok(Self { next: counter.checked_add(1).ok_or(Rejected::Duplicate)?, seen })
            }
            None => {
                let age = self.next.saturating_sub(counter).saturating_sub(1);
                let bit = u32::try_from(age).ok().and_then(|age| 1u64.checked_shl(age)).ok_or(Rejected::Duplicate)?;
                if self.seen & bit == 0 { Ok(Self { seen: self.seen | bit, ..self }) } else { Err(Rejected::Duplicate) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// R6.4: the window against a set that remembers everything.
        #[test]
        fn takes_each_counter_once_within_64(counters in prop::collection::vec(0u64..200, 1..300)) {
            let (mut window, mut taken) = (Window::default(), BTreeSet::new());
            for counter in counters {
                let in_window = taken.last().is_none_or(|&highest: &u64| counter + 64 > highest);
                let fresh = in_window && !taken.contains(&counter);
                match window.accept(counter) {
                    Ok(next) => { prop_assert!(fresh); window = next; taken.insert(counter); }
                    Err(error) => { prop_assert!(!fresh); prop_assert_eq!(error, Rejected::Duplicate); }
                }
            }
        }
    }

    #[test]
    fn the_edges_of_the_window() {
        let at_100 = Window::default().accept(100).unwrap();
        assert!(at_100.accept(37).is_ok());
        assert_eq!(at_100.accept(36).err(), Some(Rejected::Duplicate));
        assert!(at_100.accept(u64::MAX).is_err());
        let far = at_100.accept(u64::MAX - 1).unwrap();
        assert!(far.accept(100).is_err());
        assert!(far.accept(u64::MAX - 2).is_ok());
    }
}
