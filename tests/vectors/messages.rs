//! Requests, events, payloads (§7).

use super::proofs::{formed, proof_of};
use super::*;
