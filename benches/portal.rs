//! Requests between two Portals: `cargo bench --bench portal --features portal`. Beside other libraries, and over the bare primitives:
//! `benches/compare`.

#[allow(dead_code, reason = "not every program needs all of it")]
#[path = "common/portal.rs"]
mod common;

use std::cell::RefCell;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use port_protocol::X25519Backend;
use port_protocol::portal::{Peer, PortalId, Target};

use common::{InMemory, Keep, Nowhere, Side, exchange};

const BODY: [u8; 1_024] = [7; 1_024];

/// Both ends, from the app's credential and HTTP's texts to the answer at the app, with every write.
fn requests(c: &mut Criterion) {
    println!("X25519 by {}", X25519Backend::in_use());
    let mut group = c.benchmark_group("a request and its answer");
    let target = format!("/peer/{}", "a".repeat(1_018));
    let pair = RefCell::new(Side::<InMemory>::pair());
    group.bench_function("first of a session, 1 KiB each", |b| {
        b.iter_batched(
            || pair.borrow_mut().iter_mut().for_each(Side::forget),
            |()| exchange(&mut pair.borrow_mut(), "GET", &target, [b"", &BODY]),
            BatchSize::PerIteration,
        );
    });
    for (length, name) in [(16, "16 B each"), (1_024, "1 KiB each"), (32_768, "32 KiB each")] {
        let body = vec![7; length];
        let mut pair = opened::<Nowhere>();
        group.bench_function(format!("{name}, nothing kept"), |b| {
            b.iter(|| exchange(&mut pair, "POST", "/peer/notes/add", [&body, &body]));
        });
        let mut pair = opened::<InMemory>();
        group.bench_function(format!("{name}, store in memory"), |b| {
            b.iter(|| exchange(&mut pair, "POST", "/peer/notes/add", [&body, &body]));
        });
    }
    group.finish();
}

fn opened<S: Keep + Default>() -> [Side<S>; 2] {
    let mut pair = Side::pair();
    exchange(&mut pair, "GET", "/peer", [b"", b""]);
    pair
}

fn parts(c: &mut Criterion) {
    let [a, _] = Side::<InMemory>::pair();
    let text = a.portal.id().to_string();
    let mut group = c.benchmark_group("portal");
    group.bench_function("peer, restore", |b| b.iter(|| Peer::restore(black_box(&a.record), []).unwrap()));
    group.bench_function("ID, read", |b| b.iter(|| black_box(&text).parse::<PortalId>().unwrap()));
    group.bench_function("ID, write", |b| b.iter(|| black_box(a.portal.id()).to_string()));
    group.bench_function("target, read", |b| b.iter(|| Target::parse(black_box("/peer/notes/add?q=1")).unwrap()));
    group.finish();
}

criterion_group!(benches, requests, parts);
criterion_main!(benches);
