//! Blocks that a request and its answer take from the heap, both ends: `cargo run --release --manifest-path benches/compare/Cargo.toml --bin
//! allocations`. A program of its own, because the counting takes time.

#[allow(dead_code, reason = "not every program needs all of it")]
#[path = "../../../common/portal.rs"]
mod portal;

use portal::{InMemory, Keep, Nowhere, Side, exchange};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BODY: [u8; 1_024] = [7; 1_024];
const TIMES: u64 = 1_000;

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    count::<Nowhere>("nothing kept");
    count::<InMemory>("store in memory");
}

fn count<S: Keep + Default>(name: &str) {
    let mut pair = Side::<S>::pair();
    let mut first = || exchange(&mut pair, "GET", "/peer/notes", [b"", &BODY]);
    let before = dhat::HeapStats::get();
    first();
    let opened = dhat::HeapStats::get();
    let mut post = || exchange(&mut pair, "POST", "/peer/notes/add", [&BODY, &BODY]);
    // Buffers have their size then, and there is something to be forgotten.
    (0..8).for_each(|_| post());
    let start = dhat::HeapStats::get();
    (0..TIMES).for_each(|_| post());
    let end = dhat::HeapStats::get();
    println!(
        "{name}: first request of a session {} blocks; 1 KiB each way on a standing session {} blocks, {} bytes",
        opened.total_blocks - before.total_blocks,
        (end.total_blocks - start.total_blocks) / TIMES,
        (end.total_bytes - start.total_bytes) / TIMES,
    );
}
