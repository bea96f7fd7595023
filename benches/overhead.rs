//! What the protocol costs over its bare primitives: `cargo bench --bench overhead`.
//!
//! Machines are noisy, and run at another speed from one second to the next: so the two are measured in turns inside one process,
//! each is compared with its neighbour, the median of these ratios is taken, and of that the median over several fresh processes.

mod common;

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use port_protocol::{Event, Line, LineEffect, Machine, Request, SEAL_OVERHEAD, X25519Backend};

use common::{Undrawn, step};

const PROCESSES: usize = 9;
const TAG: usize = 16;
/// As long as a packet's.
const HEAD: [u8; 5] = [0; 5];
const CHILD: &str = "PORT_PROTOCOL_BENCH_CHILD";

fn main() {
    if env::var_os(CHILD).is_some() {
        return child();
    }
    let exe = env::current_exe().expect("this program");
    let mut rows: Vec<(String, Vec<[f64; 3]>)> = Vec::new();
    for _ in 0..PROCESSES {
        let output = Command::new(&exe).env(CHILD, "1").output().expect("a fresh process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (row, line) in String::from_utf8(output.stdout).expect("text").lines().enumerate() {
            let (name, numbers) = line.split_once('|').expect("a row");
            let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().expect("a number")).collect();
            if rows.len() <= row {
                rows.push((name.to_owned(), Vec::new()));
            }
            rows[row].1.push(numbers.try_into().expect("three numbers"));
        }
    }
    println!("X25519 by {}", with_dalek(X25519Backend::in_use));
    println!("{:<28} {:>12} {:>12} {:>8}   (medians of {PROCESSES} processes)", "", "bare", "ours", "over");
    for (name, runs) in rows {
        let [bare, ours, ratio] = [0, 1, 2].map(|column| median(runs.iter().map(|run| run[column]).collect()));
        println!("{name:<28} {bare:>9.0} ns {ours:>9.0} ns {:>7.1}%", (ratio - 1.0) * 100.0);
    }
}

fn child() {
    let (mut bare_runs, mut our_runs) = (0.., 0..);
    compare(
        "handshake, both sides",
        400,
        1,
        || {
            let (a, b) = common::seeds(bare_runs.next().unwrap());
            black_box(common::primitives(black_box(&a), black_box(&b)));
        },
        || (),
        |()| {
            let (a, b) = common::seeds(our_runs.next().unwrap());
            with_dalek(|| black_box(common::handshake(black_box(&a), black_box(&b))));
        },
    );

    for (length, name) in [(16, "16 B"), (1024, "1 KiB"), (65_536, "64 KiB")] {
        let message = vec![1; length];
        let repeats = if length > 2048 { 4 } else { 40 };
        let (line, _) = common::handshake(&[3; 64], &[4; 64]);
        let (mut out, mut packet) = (vec![0; length], vec![0; length + SEAL_OVERHEAD]);
        compare(
            &format!("seal {name}, write"),
            300,
            repeats,
            || bare_seal(&message, &mut out),
            || Line::restore(&line.record()).unwrap(),
            |line| {
                step(line.seal(black_box(&message), &[], &mut packet).unwrap()).for_each(|effect| {
                    black_box(&effect);
                });
            },
        );
        open(name, &message, repeats);
    }
}

/// The bare primitives are those of x25519-dalek, so the handshake is made with it too. For the fast one: `benches/compare`.
fn with_dalek<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(feature = "fast-x25519")]
    return X25519Backend::with_dalek(work);
    #[cfg(not(feature = "fast-x25519"))]
    work()
}

/// Reads the message and writes the packet, as `seal` does, from a key as it lies in a record.
fn bare_seal(message: &[u8], out: &mut [u8]) {
    let buffer = InOutBuf::new(black_box(message), out).unwrap();
    let cipher = Aes256GcmSiv::new(&black_box([7; 32]).into());
    black_box(cipher.encrypt_inout_detached(&nonce(), black_box(&HEAD[..]), buffer).unwrap());
}

/// Counted, as every user of the AEAD must.
fn nonce() -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&black_box(7u64).to_be_bytes());
    nonce.into()
}

fn open(name: &str, message: &[u8], repeats: u32) {
    let (mut from, to) = common::handshake(&[3; 64], &[4; 64]);
    let packets: Vec<Vec<u8>> = (0..repeats)
        .map(|_| {
            let mut packet = vec![0; message.len() + SEAL_OVERHEAD];
            let step = step(from.seal(message, &[], &mut packet).unwrap()).next();
            let Some(LineEffect::Send(Request::Packet { payload, .. })) = step else { unreachable!() };
            payload.to_vec()
        })
        .collect();
    let cipher = Aes256GcmSiv::new(&[7; 32].into());
    // For the bare AEAD the same packets, at the same places in memory, under its own key.
    let start = |packet: &[u8]| packet.len() - TAG - message.len();
    let mut sealed = packets.clone();
    for packet in &mut sealed {
        let start = start(packet);
        let (text, tag) = packet[start..].split_last_chunk_mut().unwrap();
        text.copy_from_slice(message);
        *tag = cipher.encrypt_inout_detached(&nonce(), &HEAD, text.into()).unwrap().into();
    }
    let (mut plain, mut out) = (vec![0; message.len()], vec![0; message.len() + SEAL_OVERHEAD]);
    let record = to.record();
    for restore in [false, true] {
        let how = if restore { "restore, " } else { "" };
        let (mut bare_packets, mut our_packets) = (sealed.iter().cycle(), packets.iter().cycle());
        compare(
            &format!("{how}open {name}, write"),
            300,
            repeats,
            || {
                let packet = bare_packets.next().unwrap();
                let (text, tag) = packet[start(packet)..].split_last_chunk::<TAG>().unwrap();
                let buffer = InOutBuf::new(black_box(text), &mut plain).unwrap();
                let cipher = Aes256GcmSiv::new(&black_box([7; 32]).into());
                cipher.decrypt_inout_detached(&nonce(), black_box(&HEAD[..]), buffer, tag.into()).unwrap();
            },
            // None of them opens twice.
            || Line::restore(&record).unwrap(),
            |line| {
                let payload = black_box(our_packets.next().unwrap());
                let event = Event::Packet { line_id: common::LINE.into(), payload };
                // One that comes back from its store for each event, as a client of many lines has it.
                if restore {
                    *line = Line::restore(black_box(&record)).unwrap();
                }
                step(line.handle(&event, &mut out, common::NOW, &mut Undrawn).unwrap()).for_each(|effect| {
                    black_box(&effect);
                });
            },
        );
    }
}

/// Prints `name|bare ours ratio`, in nanoseconds. Each round of ours starts from something fresh.
fn compare<T>(
    name: &str,
    rounds: usize,
    repeats: u32,
    mut bare: impl FnMut(),
    mut fresh: impl FnMut() -> T,
    mut ours: impl FnMut(&mut T),
) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..repeats).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(repeats)
    };
    let (mut bares, mut all_ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut state = fresh();
        let (bare, ours) = (time(&mut bare), time(&mut || ours(&mut state)));
        bares.push(bare);
        all_ours.push(ours);
        ratios.push(ours / bare);
    }
    println!("{name}|{} {} {}", median(bares), median(all_ours), median(ratios));
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
