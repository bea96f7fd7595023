//! What all tests share: a generator (`rng`), a store (`store`), every machine behind one face (`machine`), SPEC.md's tables (`table`),
//! its keys from primitives (`keys`), honest runs (`runs`), two users with a relay between them (`world`).

#[cfg(feature = "alloc")]
pub mod cbor;
pub mod commit;
#[cfg(feature = "alloc")]
pub mod example;
#[cfg(feature = "alloc")]
pub mod keys;
#[cfg(feature = "alloc")]
pub mod machine;
#[cfg(feature = "alloc")]
pub mod many;
#[cfg(feature = "alloc")]
pub mod names;
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "few tests need no heap"))]
pub mod rng;
#[cfg(feature = "alloc")]
pub mod runs;
#[cfg(feature = "alloc")]
pub mod store;
#[cfg(feature = "alloc")]
pub mod table;
#[cfg(feature = "alloc")]
pub mod world;

use port_protocol::UnixSeconds;

pub use commit::Commit;
#[cfg(feature = "alloc")]
pub use example::example;
#[cfg(feature = "alloc")]
pub use machine::*;
#[cfg(feature = "alloc")]
pub use names::*;
pub use rng::*;
#[cfg(feature = "alloc")]
pub use runs::*;
#[cfg(feature = "alloc")]
pub use store::*;

/// A time in seconds.
pub const fn at(secs: u64) -> UnixSeconds {
    match UnixSeconds::new(secs) {
        Some(time) => time,
        None => panic!("later than 9999"),
    }
}
