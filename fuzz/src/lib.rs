//! The fuzz targets, as plain functions: libFuzzer calls them, and so does the generator of the seeds.
//!
//! Each asserts what SPEC.md promises, and says whether its input got as far as the promise: it decoded, restored,
//! opened.
//!
//! ```text
//! cargo +nightly fuzz run drive_pair fuzz/corpus/drive_pair fuzz/seeds/drive_pair
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds       # write the seeds anew
//! ```

pub mod app;
pub mod app_machine;
mod contact;
mod decode;
mod freeshard;
mod input;
mod machine;
mod open;
mod pool;
mod portal_world;
mod portal;
mod portal_manifest;
mod relay;
mod restore;
mod rules;
pub mod world;

pub use app::{app_bundle, app_event, app_intro, app_link};
pub use app_machine::restore_app;
pub use contact::{decode_introduction, restore_introducer};
pub use decode::{decode_event, decode_port, find};
pub use freeshard::{VECTORS, freeshard_signature};
pub use input::fresh;
pub use machine::{Commit, Owner, Said, pending};
pub use open::line_open;
pub use pool::restore_pool;
pub use portal_world::{portal_message, restore_portal, rows};
pub use portal::portal_id;
pub use portal_manifest::portal_manifest;
pub use relay::relay_handle;
pub use restore::{restore_alice, restore_bob, restore_line, with_script};
pub use world::{drive_pair, world};
