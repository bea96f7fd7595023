#![doc = "x"]
#![no_std]
#![forbid(unsafe_code)]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod alice;
mod bob;
mod error;
mod id;
mod line;
mod machine;
mod message;
mod port;
mod proof;
mod secret;
mod spent;
mod wire;

pub use alice::{Alice, AliceEffect, AliceEnd};
pub use bob::{Bob, BobEffect, BobEnd, SendProof};
pub use error::{BufferTooSmall, DecodeError, PortError, Rejected, RestoreError, SealError};
pub use id::{Key, LineId, LineLink, Mark, PairHash, PortHash, RequestId};
pub use line::{
    CheckCode, Claims, Confirmed, Line, LineEffect, LineEnd, LinePhase, MAX_ASSOCIATED_DATA, MAX_MESSAGE, SEAL_OVERHEAD,
};
pub use machine::{Born, Effects, MAX_RECORD, Machine, Record, Replaces, Step};
pub use message::{Content, Event, MAX_CONTROL_BYTES, Payload, Reason, Request};
pub use port::{
    Kind, Link, MAX_PORT_BYTES, MAX_QR_TEXT, Offer, Port, PortBytes, PublicKey, QrText, Relay, UnixSeconds,
};
pub use proof::Proof;
pub use secret::{Rad, Secret, Seed};
