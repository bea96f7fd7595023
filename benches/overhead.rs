//! What the protocol costs over its bare primitives: `cargo bench --bench overhead`.
//!
//! Machines are noisy, so the two are measured in turns inside one process, the median of each is taken, and of their
//! ratios the median over several fresh processes.

mod common;

use std::env;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use port_protocol::{Event, LineEffect, Machine, Request, SEAL_OVERHEAD};

const PROCESSES: usize = 9;
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
        || {
            let (a, b) = common::seeds(our_runs.next().unwrap());
            black_box(common::handshake(black_box(&a), black_box(&b)));
        },
    );

    for (length, name) in [(16, "16 B"), (1024, "1 KiB"), (65_536, "64 KiB")] {
        let message = vec![1; length];
        let repeats = if length > 2048 { 4 } else { 40 };
        for record in [false, true] {
            let (mut line, _) = common::handshake(&[3; 64], &[4; 64]);
            let (mut out, mut packet) = (vec![0; length], vec![0; length + SEAL_OVERHEAD]);
            let with = if record { " + record" } else { "" };
            compare(
                &format!("seal {name}{with}"),
                300,
                repeats,
                || bare_seal(&message, &mut out),
                || {
                    let step = line.seal(black_box(&message), &[], &mut packet).unwrap();
                    if record {
                        black_box(step.record());
                    }
                    step.commit().for_each(|effect| {
                        black_box(effect);
                    });
                },
            );
        }
        open(name, &message, repeats);
    }
}

/// Reads the message and writes the packet, as `seal` does, from a key as it lies in a record.
fn bare_seal(message: &[u8], out: &mut [u8]) {
    let buffer = InOutBuf::new(black_box(message), out).unwrap();
    let cipher = Aes256GcmSiv::new(&black_box([7; 32]).into());
    black_box(cipher.encrypt_inout_detached(&Nonce::default(), &[0; 11], buffer).unwrap());
}

fn open(name: &str, message: &[u8], repeats: u32) {
    let (mut from, mut to) = common::handshake(&[3; 64], &[4; 64]);
    let mut packet = vec![0; message.len() + SEAL_OVERHEAD];
    let mut out = vec![0; message.len() + SEAL_OVERHEAD];
    let cipher = Aes256GcmSiv::new(&[7; 32].into());
    let mut sealed = message.to_vec();
    let tag = cipher.encrypt_inout_detached(&Nonce::default(), &[0; 11], (&mut sealed[..]).into()).unwrap();
    let mut plain = message.to_vec();
    let step = from.seal(message, &[], &mut packet).unwrap();
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = step.commit().next() else { unreachable!() };
    let payload = payload.to_vec();
    for record in [false, true] {
        let with = if record { " + record" } else { "" };
        compare(
            &format!("open {name}{with}"),
            300,
            repeats,
            || {
                let buffer = InOutBuf::new(black_box(&sealed[..]), &mut plain).unwrap();
                let cipher = Aes256GcmSiv::new(&black_box([7; 32]).into());
                cipher.decrypt_inout_detached(&Nonce::default(), &[0; 11], buffer, &tag).unwrap();
            },
            || {
                // A dropped step has not happened: the same packet opens again.
                let step = to
                    .open(
                        &Event::Packet { line_id: to.claims().line_id, payload: black_box(&payload) },
                        &[],
                        &mut out,
                        common::NOW,
                    )
                    .unwrap();
                if record {
                    black_box(step.record());
                }
                drop(black_box(step));
            },
        );
    }
    let event = Event::Packet { line_id: common::LINE.into(), payload: &payload };
    assert!(to.handle(&event, &mut out, common::NOW).unwrap().commit().next().is_some() && to.revision() > 0);
}

/// Prints `name|bare ours ratio`, in nanoseconds.
fn compare(name: &str, rounds: usize, repeats: u32, mut bare: impl FnMut(), mut ours: impl FnMut()) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..repeats).for_each(|_| work());
        start.elapsed().as_nanos() as f64 / f64::from(repeats)
    };
    let (mut bares, mut all_ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bares.push(time(&mut bare));
        all_ours.push(time(&mut ours));
    }
    let (bare, ours) = (median(bares), median(all_ours));
    println!("{name}|{bare} {ours} {}", ours / bare);
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
