//! All tests that can share a process share this binary, because each more is linked once more. Apart are `no_alloc`, whose
//! allocator counts for every thread, and `model`, which takes minutes. `cargo test --all-features --test it vectors::` runs a file.

mod alice;
mod app;
mod asking;
mod bob;
mod cddl;
mod common;
mod confirmation;
mod contact;
mod crash;
mod encoding;
mod epochs;
mod export;
mod forgery;
mod line;
mod machines;
mod orders;
mod padding;
mod policy;
mod pool;
mod port;
mod proof;
mod properties;
mod records;
mod relay;
mod secrets;
mod shim;
mod superport;
mod testkit;
mod vectors;
mod wycheproof;
