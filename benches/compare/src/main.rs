//! A whole handshake, both sides, beside those of other libraries:
//! `cargo run --release --manifest-path benches/compare/Cargo.toml`.
//!
//! All of them take turns inside one process, each is compared with its neighbour of the same turn, the median of these ratios
//! is taken, and of that the median over several fresh processes. Where the stack lies changes the times of x25519-dalek by some
//! percent, and the environment lies above it: so each process gets a longer one.

#[path = "../../common/mod.rs"]
mod common;
mod others;

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use port_protocol::X25519Backend;

const PROCESSES: usize = 21;
const ROUNDS: usize = 300;
const CHILD: &str = "PORT_PROTOCOL_BENCH_CHILD";

/// A name, and the work of one run.
type Contestant = (&'static str, fn(u32));

/// All others are compared with the first.
const CONTESTANTS: [Contestant; 8] = [
    ("port-protocol, the library in use", |run| handshake(run)),
    ("port-protocol, x25519-dalek", |run| X25519Backend::with_dalek(|| handshake(run))),
    ("  X25519 alone, graviola", |run| others::x25519_by_graviola(run)),
    ("  X25519 alone, x25519-dalek", |run| others::x25519_by_dalek(run)),
    ("  bare primitives, x25519-dalek", |run| primitives(run)),
    ("snow NN AES-GCM, its default resolver", |_| others::snow_by_default()),
    ("snow NN AES-GCM, its ring resolver", |_| others::snow_by_ring()),
    ("vodozemac, one-time key and first message", |_| others::vodozemac()),
];

fn main() {
    if env::var_os(CHILD).is_some() {
        return child();
    }
    let exe = env::current_exe().expect("this program");
    let mut rows = vec![Vec::new(); CONTESTANTS.len()];
    for process in 0..PROCESSES {
        let output = Command::new(&exe).env(CHILD, "x".repeat(48 * process)).output().expect("a fresh process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (row, line) in rows.iter_mut().zip(String::from_utf8(output.stdout).expect("text").lines()) {
            row.push(line.split(' ').map(|number| number.parse().expect("a number")).collect::<Vec<f64>>());
        }
    }
    let tables = if cfg!(feature = "snow-tables") { "with" } else { "without" };
    println!(
        "library in use: {}; snow {tables} precomputed tables; medians of {PROCESSES} processes\n",
        X25519Backend::in_use()
    );
    println!("{:<44} {:>10} {:>8} {:>8}", "", "median", "of it", "it of");
    for ((name, _), row) in CONTESTANTS.iter().zip(&rows) {
        let [time, ratio] = [0, 1].map(|column| median(row.iter().map(|run| run[column]).collect()));
        println!("{name:<44} {:>7.1} µs {ratio:>8.3} {:>8.3}", time / 1000.0, 1.0 / ratio);
    }
}

fn child() {
    let mut times = [const { Vec::new() }; CONTESTANTS.len()];
    for round in 0..ROUNDS {
        for turn in 0..CONTESTANTS.len() {
            // Nobody always comes after the same neighbour.
            let which = (turn + round) % CONTESTANTS.len();
            let start = Instant::now();
            CONTESTANTS[which].1(round as u32);
            times[which].push(start.elapsed().as_nanos() as f64);
        }
    }
    for theirs in &times {
        let ratios = theirs.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect();
        println!("{} {}", median(theirs.clone()), median(ratios));
    }
}

fn handshake(run: u32) {
    let (a, b) = common::seeds(run);
    black_box(common::handshake(black_box(&a), black_box(&b)));
}

fn primitives(run: u32) {
    let (a, b) = common::seeds(run);
    black_box(common::primitives(black_box(&a), black_box(&b)));
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
