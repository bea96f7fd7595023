//! Does the time that X25519 takes depend on the private key? For the fast path, whose instructions valgrind doesn't know and so
//! `ci/constant_time` doesn't see.
//!
//! The method is that of dudect (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017). Two classes of private
//! keys, one fixed key and random ones, take turns by chance. Welch's t-test tells whether the mean times of the two classes differ;
//! it is done over all measurements and again without the slowest ones, and the largest |t| counts. Under 4.5 there is no
//! evidence of a difference. That is no proof that there is none: the column `visible from` says how large one must be to be seen.
//!
//! The test must be able to fail. So it also measures a key generation with a planted leak, comparisons of the private key
//! that stop at the first byte that differs, and must find that.
//!
//!     cargo run --release --manifest-path ci/timing/Cargo.toml                # 100 000 measurements a class, |t| under 4.5
//!     cargo run --release --manifest-path ci/timing/Cargo.toml -- 20000 10    # fewer, and a threshold for noisy machines

mod stats;

use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::{
    Alice, Bob, BobEffect, Event, NoPeers, Port, PortOptions, Proof, Request, Seed, SendProof, UnixSeconds, Write,
    X25519Backend,
};
use stats::{Found, difference};

const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();
const LINK: [u8; 16] = [1; 16];
/// Clamped, it has a single bit: as far from a random key as can be.
const FIXED: [u8; 32] = [0; 32];
/// Prepared at once, so that to draw a key is no part of what is measured.
const BATCH: usize = 1000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut number = |default: f64| args.next().map_or(default, |arg| arg.parse().expect("a number"));
    let (each, threshold) = (number(100_000.0) as usize, number(4.5));
    println!("X25519 by {}; {each} measurements a class\n", X25519Backend::in_use());
    println!("{:<40} {:>9} {:>9} {:>12} {:>14}", "", "mean", "|t|", "difference", "visible from");

    let mut good = true;
    let mut row = |name: &str, leaks: bool, found: Found| {
        let verdict = match (found.t > threshold, leaks) {
            (false, false) => "no difference seen",
            (true, true) => "found, as it must be",
            (true, false) => "DIFFERENCE",
            (false, true) => "NOT FOUND",
        };
        good &= (found.t > threshold) == leaks;
        let Found { mean, t, difference, visible } = found;
        println!("{name:<40} {mean:>6.0} ns {t:>9.2} {difference:>9.1} ns {visible:>11.1} ns   {verdict}");
    };

    let (port, proof) = (port(), proof());
    row("keygen (Alice::offer)", false, measure(each, |seed| _ = black_box(offer(seed))));
    row("DH at Bob (scan, connect)", false, measure(each, |seed| _ = black_box(connect(&port, seed))));
    row("DH at Alice (she refuses the proof)", false, measure(each, |seed| refuse(&proof, seed)));
    row(
        "keygen and a planted leak",
        true,
        measure(each, |seed| {
            black_box(offer(seed));
            black_box(leak(black_box(seed)));
        }),
    );
    ExitCode::from(u8::from(!good))
}

/// A store that keeps nothing: the records are no part of what is measured.
fn keep(_: &Write<'_>) -> Result<(), Infallible> {
    Ok(())
}

fn offer(seed: &[u8; 64]) -> Alice {
    let Ok(alice) = Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(black_box(seed))).store(keep);
    alice
}

/// Keygen, DH and all that Bob makes of it.
fn connect(port: &Port, seed: &[u8; 64]) -> Option<Proof> {
    let Ok(mut bob) = Bob::scan(port.clone(), Seed::from_bytes(black_box(seed))).store(keep);
    let Ok(mut effects) = bob.connect(SendProof::Inline, NOW).expect("a good Port").store(keep);
    match effects.next() {
        Some(BobEffect::Send(Request::Connect { proof, .. })) => proof,
        _ => None,
    }
}

/// Keygen, DH, and the one outcome of every failure: whatever Alice's key is, the proof is for another.
fn refuse(proof: &Proof, seed: &[u8; 64]) {
    let mut alice = offer(seed);
    let event = Event::LineFormed {
        line_link: LINK.into(),
        line_id: [2; 16].into(),
        peer: [3; 32].into(),
        proof: Some(proof.clone()),
    };
    let Ok(effects) = alice.handle(&event, &NoPeers, NOW, &mut Random(0)).expect("a step").store(keep);
    black_box(effects.count());
}

fn port() -> Port {
    offer(&[7; 64]).port().expect("a Port").clone()
}

fn proof() -> Proof {
    connect(&port(), &[8; 64]).expect("a proof")
}

/// How long the fixed key is in this one: what no code should do with a secret. Eight times, which makes a hundredth of a key generation:
/// a busy machine sees that, too.
fn leak(seed: &[u8; 64]) -> usize {
    (0..8).map(|_| seed.iter().zip(&FIXED).take_while(|(key, fixed)| black_box(key == fixed)).count()).sum()
}

/// Times the work with keys of both classes, in an order that nobody can predict.
fn measure(each: usize, mut work: impl FnMut(&[u8; 64])) -> Found {
    let mut random = Random(0x5eed);
    let mut times = [Vec::with_capacity(each), Vec::with_capacity(each)];
    // The first batch warms up.
    let mut warm = false;
    while times.iter().any(|times| times.len() < each) {
        let batch: Vec<(usize, [u8; 64])> = (0..BATCH)
            .map(|_| {
                let mut seed = [0; 64];
                // Both classes draw the same, and have the same beside the key.
                let key: [u8; 32] = std::array::from_fn(|_| random.next() as u8);
                let class = (random.next() & 1) as usize;
                seed[..32].copy_from_slice(&[FIXED, key][class]);
                (class, seed)
            })
            .collect();
        for (class, seed) in &batch {
            let start = Instant::now();
            work(seed);
            let time = start.elapsed().as_nanos() as f64;
            if warm && times[*class].len() < each {
                times[*class].push(time);
            }
        }
        warm = true;
    }
    difference(&times)
}

/// SplitMix64: no secret is drawn here, and every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 11
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.next() as u8);
        Ok(())
    }
}

/// It is none; but no key that it makes is used.
impl TryCryptoRng for Random {}
