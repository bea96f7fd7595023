//! Dialect: all that differs between this crate's own Ports and the app's in what Alice and Bob keep (§17.10).

use core::fmt;

use minicbor::{Decode, Encode};

use crate::id::PortHash;
use crate::port::{Port, Terms};
use crate::proof::Proof;

/// How an [`AliceOf`](crate::AliceOf) and a [`BobOf`](crate::BobOf) speak. Sealed: there are [`Native`] and, with the feature `app`,
/// `app::App`.
pub trait Dialect: Speaks {}

/// This crate's own dialect. Its lines are authenticated.
#[derive(Debug)]
pub enum Native {}

impl Dialect for Native {}

/// What a [`Dialect`] is made of.
pub trait Speaks: fmt::Debug + Sized + 'static {
    /// The role in every Alice's record (§8.6).
    const ALICE: u8;
    /// The role in every Bob's record.
    const BOB: u8;
    /// What Bob sends to show that it holds the Port.
    type Proof: Clone + fmt::Debug + Encode<()> + for<'b> Decode<'b, ()>;

    /// The part of these terms that a Port of this dialect can say.
    fn terms(terms: Terms) -> Terms;
    /// No Port of one dialect has the hash of another's.
    fn hash(port: &Port) -> PortHash;
}

impl Speaks for Native {
    const ALICE: u8 = 1;
    const BOB: u8 = 2;
    type Proof = Proof;

    fn terms(terms: Terms) -> Terms {
        terms
    }

    fn hash(port: &Port) -> PortHash {
        port.hash()
    }
}
