//! A search of everything that can happen.
#![cfg(feature = "alloc")]

#[path = "../common/mod.rs"]
mod common;
mod ledger;
mod properties;
mod world;

use stateright::{Checker, Model};
use world::*;

fn search(scope: Scope, at_least: usize) {
    let started = std::time::Instant::now();
    let told = format!("{scope:?}");
    let checker = scope.checker().threads(2).spawn_bfs().join();
    println!(
        "{told}: {} unique states of {}, {} deep, in {:?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        started.elapsed()
    );
    checker.assert_properties();
    assert!(checker.unique_state_count() >= at_least);
}

#[test]
fn a_port_its_bob_and_a_thief() {
    let env = |name: &str, default: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    search(
        Scope {
            cast: match env("CAST", 0) {
                0 => &[0, 2],
                1 => &[0, 2, 4],
                2 => &[0, 1, 2, 3],
                _ => &[0, 1, 2, 3, 4],
            },
            from_the_request: env("REQ", 0) == 1,
            deviations: env("DEV", 1) as u8,
            crashes: env("CRASH", 1) as u8,
            revisions: env("REV", 4),
            words: env("WORDS", 0) == 1,
        },
        1,
    );
}
