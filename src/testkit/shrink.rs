//! Shrinking: the shortest schedule that still fails, of whatever choices it is made.

use alloc::vec::Vec;

/// How a choice of a schedule is changed.
pub(super) struct Choices<C> {
    /// As four bytes. The first says what happens, the others with what.
    pub(super) to_bytes: fn(C) -> [u8; 4],
    pub(super) from_bytes: fn([u8; 4]) -> C,
    /// The same, if a choice before it is left out that only brought it nearer.
    pub(super) sooner: fn(C) -> C,
}

/// Leaves choices out, and makes numbers smaller, as long as the schedule still fails.
pub(super) fn shrink<C: Copy + PartialEq>(
    choices: &[C],
    how: &Choices<C>,
    mut fails: impl FnMut(&[C]) -> bool,
) -> Vec<C> {
    let mut least = choices.to_vec();
    loop {
        let less = smaller(&shorter(&least, how, &mut fails), how, &mut fails);
        if less == least {
            return least;
        }
        least = less;
    }
}

/// Leaves out choices: halves first, single choices last.
fn shorter<C: Copy + PartialEq>(choices: &[C], how: &Choices<C>, fails: &mut impl FnMut(&[C]) -> bool) -> Vec<C> {
    let mut least = choices.to_vec();
    let mut part = least.len();
    while part > 0 {
        let mut from = 0;
        while from < least.len() {
            let mut less = least.clone();
            less.drain(from..from.saturating_add(part).min(least.len()));
            let sooner: Vec<C> = less.iter().map(|choice| (how.sooner)(*choice)).collect();
            if fails(&less) {
                least = less;
            } else if sooner != less && fails(&sooner) {
                least = sooner;
            } else {
                from = from.saturating_add(part);
            }
        }
        part /= 2;
    }
    least
}

fn smaller<C: Copy + PartialEq>(choices: &[C], how: &Choices<C>, fails: &mut impl FnMut(&[C]) -> bool) -> Vec<C> {
    let mut least = choices.to_vec();
    for at in 0..least.len() {
        // The first byte says what happens: it stays.
        for place in 1..4 {
            for number in 0..8 {
                let mut less = least.clone();
                let Some(choice) = less.get_mut(at) else { continue };
                let mut bytes = (how.to_bytes)(*choice);
                match bytes.get_mut(place) {
                    Some(byte) if *byte > number => *byte = number,
                    _ => continue,
                }
                *choice = (how.from_bytes)(bytes);
                if fails(&less) {
                    least = less;
                }
            }
        }
    }
    least
}
