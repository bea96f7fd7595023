//! Sealed packets (§6.3, §6.4).

use super::play::*;
use super::proofs::proof_of;
use super::*;
use aes_gcm_siv::aead::{AeadInOut, KeyInit};
