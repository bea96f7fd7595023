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
mod find;
mod forgery;
#[cfg(feature = "freeshard")]
mod freeshard;
mod fresh;
mod line;
mod machines;
mod names;
mod ndef;
mod orders;
mod padding;
mod policy;
mod pool;
mod pools;
mod port;
#[cfg(feature = "portal")]
mod portal;
mod proof;
mod properties;
mod read_port;
mod records;
mod relay;
mod rows;
mod seal;
mod secrets;
mod served;
mod shim;
mod superport;
mod testkit;
mod text;
mod vectors;
mod write;
mod wycheproof;
