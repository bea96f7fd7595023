//! How long each thing takes: `cargo bench --bench speed`.

mod common;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use port_protocol::*;

use common::{LINK, NOW, Undrawn, connected, create, handshake, keep, line_formed, primitives, seeds, step};

fn ports(c: &mut Criterion) {
    println!("X25519 by {}", X25519Backend::in_use());
    let alice = create(Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(&[1; 64])));
    let port = alice.port().unwrap();
    let (bytes, text) = (port.to_bytes(), port.qr_text());
    let link = port.link("https://port.example/").unwrap().to_string();

    let mut group = c.benchmark_group("port");
    group.bench_function("keygen (a new Port)", |b| {
        b.iter(|| Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(black_box(&[1; 64]))));
    });
    group.bench_function("encode", |b| b.iter(|| black_box(port).to_bytes()));
    group.bench_function("decode", |b| b.iter(|| Port::from_bytes(black_box(bytes.as_slice()))));
    group.bench_function("QR text, write", |b| b.iter(|| black_box(port).qr_text()));
    group.bench_function("QR text, read", |b| b.iter(|| Port::parse(black_box(text.as_str()))));
    group.bench_function("link, write", |b| {
        b.iter(|| black_box(port).link("https://port.example/").unwrap().to_string());
    });
    group.bench_function("link, read", |b| b.iter(|| Port::parse(black_box(&link))));
    group.finish();
}

fn proofs(c: &mut Criterion) {
    let alice = create(Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(&[1; 64])));
    let mut bob = create(Bob::scan(alice.port().unwrap().clone(), Seed::from_bytes(&[2; 64])));
    let scanned = bob.record();
    let Some(BobEffect::Send(Request::Connect { proof, .. })) =
        step(bob.connect(SendProof::Inline, NOW).unwrap()).next()
    else {
        unreachable!()
    };
    let formed = line_formed(proof);
    let offered = alice.record();
    let mut alice = Alice::restore(&offered).unwrap();
    let mut bob = Bob::restore(&scanned).unwrap();

    let mut group = c.benchmark_group("proof");
    group.bench_function("Bob makes it (connect)", |b| {
        b.iter(|| drop(black_box(bob.connect(SendProof::Inline, NOW).unwrap())));
    });
    group.bench_function("Alice checks it (LineFormed)", |b| {
        b.iter(|| drop(black_box(alice.handle(black_box(&formed), &NoPeers, NOW, &mut Undrawn).unwrap())));
    });
    group.finish();
}

fn handshakes(c: &mut Criterion) {
    let mut group = c.benchmark_group("handshake");
    group.bench_function("both sides, with every write", |b| {
        let mut run = 0;
        b.iter(|| {
            run += 1;
            let (a, b) = seeds(run);
            handshake(&a, &b)
        });
    });
    group.bench_function("its bare primitives", |b| {
        let mut run = 0;
        b.iter(|| {
            run += 1;
            let (a, b) = seeds(run);
            primitives(&a, &b)
        });
    });
    group.finish();
}

fn records(c: &mut Criterion) {
    let alice = create(Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(&[1; 64])));
    let bob = create(Bob::scan(alice.port().unwrap().clone(), Seed::from_bytes(&[2; 64])));
    let (line, _) = handshake(&[1; 64], &[2; 64]);
    let (of_alice, of_bob, of_line) = (alice.record(), bob.record(), line.record());

    let mut group = c.benchmark_group("record");
    group.bench_function("Alice, write", |b| b.iter(|| black_box(&alice).record()));
    group.bench_function("Alice, restore", |b| b.iter(|| Alice::restore(black_box(&of_alice)).unwrap()));
    group.bench_function("Bob, restore", |b| b.iter(|| Bob::restore(black_box(&of_bob)).unwrap()));
    group.bench_function("Line, write", |b| b.iter(|| black_box(&line).record()));
    group.bench_function("Line, restore", |b| b.iter(|| Line::restore(black_box(&of_line)).unwrap()));
    group.finish();
}

/// One event for a machine that lies in a database, among however many: its record in, the event's bytes in, its new record out.
fn from_the_store(c: &mut Criterion) {
    let alice = create(Alice::offer(LINK.into(), PortOptions::new(), Seed::from_bytes(&[1; 64])));
    let mut bob = create(Bob::scan(alice.port().unwrap().clone(), Seed::from_bytes(&[2; 64])));
    step(bob.connect(SendProof::Inline, NOW).unwrap()).for_each(drop);
    let Some(BobEffect::Send(Request::Connect { request_id, proof, .. })) = bob.pending().next() else {
        unreachable!()
    };
    let (to_alice, to_bob) = (line_formed(proof).to_vec(), connected(request_id).to_vec());
    let (mut from, to) = handshake(&[1; 64], &[2; 64]);
    let mut sealed = [0; 256];
    let Some(LineEffect::Send(Request::Packet { line_id, payload })) =
        step(from.seal(&[7; 100], &[], &mut sealed).unwrap()).next()
    else {
        unreachable!()
    };
    let packet = Event::Packet { line_id, payload }.to_vec();
    let (of_alice, of_bob, of_line) = (alice.record(), bob.record(), to.record());

    let mut group = c.benchmark_group("restore, handle, write");
    group.bench_function("Alice, LineFormed with a proof", |b| {
        b.iter(|| {
            let mut alice = Alice::restore(black_box(&of_alice)).unwrap();
            let event = Event::decode(black_box(&to_alice)).unwrap();
            keep(&alice.handle(&event, &NoPeers, NOW, &mut Undrawn).unwrap().write())
        });
    });
    group.bench_function("Bob, Connected", |b| {
        b.iter(|| {
            let mut bob = Bob::restore(black_box(&of_bob)).unwrap();
            let event = Event::decode(black_box(&to_bob)).unwrap();
            keep(&bob.handle(&event, &NoPeers, NOW, &mut Undrawn).unwrap().write())
        });
    });
    group.bench_function("Line, a message of 100 B", |b| {
        let mut buffer = [0; 256];
        b.iter(|| {
            let mut line = Line::restore(black_box(&of_line)).unwrap();
            let event = Event::decode(black_box(&packet)).unwrap();
            keep(&line.handle(&event, &mut buffer, NOW, &mut Undrawn).unwrap().write())
        });
    });
    group.finish();
}

/// Against the bare AEAD in turns: `cargo bench --bench overhead`.
fn messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("message");
    for (length, name) in [(16, "16 B"), (1024, "1 KiB"), (65_536, "64 KiB")] {
        let (mut from, mut to) = handshake(&[3; 64], &[4; 64]);
        let (message, mut packet) = (vec![1; length], vec![0; length + SEAL_OVERHEAD]);
        let Some(LineEffect::Send(Request::Packet { payload, .. })) =
            step(from.seal(&message, &[], &mut packet).unwrap()).next()
        else {
            unreachable!()
        };
        let (payload, mut out) = (payload.to_vec(), vec![0; length + SEAL_OVERHEAD]);

        group.throughput(Throughput::Bytes(length as u64));
        group.bench_function(format!("seal {name}"), |b| {
            b.iter(|| step(from.seal(black_box(&message), &[], &mut packet).unwrap()).count());
        });
        group.bench_function(format!("open {name}"), |b| {
            b.iter(|| {
                let event = Event::Packet { line_id: to.claims().line_id, payload: black_box(&payload) };
                keep(&to.handle(&event, &mut out, NOW, &mut Undrawn).unwrap().write())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ports, proofs, handshakes, records, from_the_store, messages);
criterion_main!(benches);
