//! The app's dialect (§17.10): what its Alice and Bob keep otherwise than this crate's own.

use super::intro::Intro;
use crate::dialect::{Dialect, Speaks};
use crate::id::PortHash;
use crate::port::{Port, Terms};

/// The app's dialect. Its lines are not authenticated.
#[derive(Debug)]
pub enum App {}

impl Dialect for App {}

impl Speaks for App {
    const ALICE: u8 = 16;
    const BOB: u8 = 17;
    type Proof = Intro;

    fn terms(Terms { expires, relay: _ }: Terms) -> Terms {
        Terms { expires, relay: None }
    }

    fn hash(port: &Port) -> PortHash {
        port.hash_for("port-protocol app 1.0.0")
    }
}
