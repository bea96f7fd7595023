//! Ports for many in the kit's worlds (§14).

use super::*;

/// Drawn from a seed; but whoever would make a plain Port makes one for many, and whoever may change or decide does so often.
fn for_many(seed: u64, length: usize) -> Schedule {
    let Schedule(mut choices) = Schedule::from_seed(seed, length);
    for (n, choice) in choices.iter_mut().enumerate() {
        let b = n as u8;
        *choice = match *choice {
            Choice::MakePort(who, _) => Choice::MakeSuperport(who, b.wrapping_mul(37) % 192),
            Choice::Clock(who) => Choice::Decide(who, b, b % 4 != 0),
            Choice::BackUp(who) if b % 2 == 0 => {
                let change = [Change::Pause, Change::Resume, Change::Raise, Change::Lower][usize::from(b / 2 % 4)];
                Choice::SetPolicy(who, b, change)
            }
            same => same,
        };
    }
    Schedule(choices)
}

#[test]
fn r14_4_explore() {
    let from: u64 = std::env::var("FROM").map_or(0, |n| n.parse().unwrap());
    let to: u64 = std::env::var("TO").map_or(60, |n| n.parse().unwrap());
    let (mut heard, mut confirmed) = (0, 0);
    all_hold(
        from..to,
        |seed| {
            let s = for_many(seed, 120);
            if seed % 2 == 0 { s.with_only(Fault::is_honest) } else { s }
        },
        |world| {
            heard += world.trace().matches(" hears ").count();
            for who in 0..3 {
                confirmed += world.apps()[who]
                    .records()
                    .iter()
                    .filter(|r| Line::restore(r).is_ok_and(|l| l.confirmed().is_some()))
                    .count();
            }
        },
    );
    println!("heard {heard} confirmed {confirmed}");
}
