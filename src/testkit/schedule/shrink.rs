//! Shrinking: the shortest schedule that still fails.

use super::{Choice, Schedule};

impl Schedule {
    /// Leaves choices out, and makes numbers smaller, as long as the schedule still fails.
    #[must_use = "the schedule itself stays as it is"]
    pub fn shrink(&self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        let mut least = self.clone();
        loop {
            let less = least.shorter(&mut fails).smaller(&mut fails);
            if less == least {
                return least;
            }
            least = less;
        }
    }

    /// Leaves out choices: halves first, single choices last.
    fn shorter(&self, fails: &mut impl FnMut(&Self) -> bool) -> Self {
        let mut least = self.clone();
        let mut part = least.0.len();
        while part > 0 {
            let mut from = 0;
            while from < least.0.len() {
                let mut less = least.clone();
                less.0.drain(from..from.saturating_add(part).min(least.0.len()));
                // A choice may only have brought a crash nearer. Then the crash can come sooner.
                if fails(&less) || {
                    less.crash_sooner();
                    fails(&less)
                } {
                    least = less;
                } else {
                    from = from.saturating_add(part);
                }
            }
            part /= 2;
        }
        least
    }

    fn crash_sooner(&mut self) {
        for choice in &mut self.0 {
            if let Choice::Crash(_, after) = choice {
                *after = after.saturating_sub(1);
            }
        }
    }

    fn smaller(&self, fails: &mut impl FnMut(&Self) -> bool) -> Self {
        let mut least = self.clone();
        for at in 0..least.0.len() {
            // The first byte says what happens: it stays.
            for place in 1..4 {
                for number in 0..8 {
                    let mut less = least.clone();
                    let Some(choice) = less.0.get_mut(at) else { continue };
                    let mut bytes = choice.to_bytes();
                    match bytes.get_mut(place) {
                        Some(byte) if *byte > number => *byte = number,
                        _ => continue,
                    }
                    *choice = Choice::from_bytes(bytes);
                    if fails(&less) {
                        least = less;
                    }
                }
            }
        }
        least
    }
}
