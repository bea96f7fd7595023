//! Proof (§3).

use super::ports::{port, weak_keys};
use super::*;
use aes::Aes256;
use cbc::cipher::{Block, BlockModeEncrypt, KeyIvInit};
