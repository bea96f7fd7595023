#!/usr/bin/env bash
# graviola 0.4.4 takes blocks from the heap at each X25519 call of a debug build, and reads the environment for it. A release build does not.
#
# Guessed: an assembler library that is no_std takes nothing from the heap, in any build.
# Seen: with debug assertions each call asks which instructions it may use, and for each reads an environment variable
# (GRAVIOLA_CPU_DISABLE_…), whose name it puts together on the heap.
# Touches: users of our feature `fast-x25519` who count blocks, or who have no environment in their tests. With
# `[profile.dev.package.graviola] debug-assertions = false` a debug build takes none, either.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "count"
version = "0.0.0"
edition = "2024"

[dependencies]
graviola = "=0.4.4"
TOML
cat >src/main.rs <<'RUST'
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    use graviola::key_agreement::x25519::StaticPrivateKey;
    let key = StaticPrivateKey::from_array(&[7; 32]);
    let before = BLOCKS.load(Ordering::Relaxed);
    let public = key.public_key();
    let taken = BLOCKS.load(Ordering::Relaxed) - before;
    println!("{taken} blocks for one public key, which begins with {:02x}", public.as_bytes()[0]);
}
RUST

echo "== a debug build"
cargo run --quiet | tee debug
echo "== a release build"
cargo run --quiet --release | tee release
echo "== a debug build without graviola's debug assertions"
printf '[profile.dev.package.graviola]\ndebug-assertions = false\n' >>Cargo.toml
cargo run --quiet | tee without

grep -qE '^[1-9][0-9]* blocks' debug
grep -q '^0 blocks' release
grep -q '^0 blocks' without
echo "as described"
