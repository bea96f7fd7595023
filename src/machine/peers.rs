//! Peers: what the caller's tables say of somebody who comes (§14.6, §16.4).

use crate::id::{LineId, PairHash, TicketHash};
use crate::port::ticket::TicketNotice;

/// What the caller's tables say of somebody who comes. The answers go into [`handle`](crate::Alice::handle) with the event, so no
/// machine's record holds a table.
///
/// Each method has a default that finds nothing. [`NoPeers`] answers with the defaults. A closure from `&PairHash` to
/// [`Relationship`] is enough for an app without contact ports.
///
/// ```
/// use port_protocol::{PairHash, Peers, Relationship};
///
/// let blocked = [PairHash::from([9; 32])];
/// let peers = |pair: &PairHash| if blocked.contains(pair) { Relationship::Blocked } else { Relationship::Unknown };
/// assert_eq!(peers.relationship(&[9; 32].into()), Relationship::Blocked);
/// ```
pub trait Peers {
    /// Whether the store has a record of this line. If it has, the event came again or its machine was rolled back: no line is
    /// formed, and none is ended.
    ///
    /// - *False, though there is one*: a step that would form this line fails in the store, because the new line's key exists. A
    ///   step that refuses it sends `Disconnect` for a good line. [`NoPeers`], a closure and `Blocked` always
    ///   answer so; look for the record yourself before you answer [`Rejected::UnwantedLine`](crate::Rejected::UnwantedLine).
    fn has_line(&self, line_id: &LineId) -> bool {
        let _ = line_id;
        false
    }

    /// How the two users of this pair stand to each other. The pair is the relay's word.
    ///
    /// - *`Unknown`, for a blocked pair*: the blocked user gets in.
    /// - *`Blocked`, for an unknown pair*: a Port for one use is spent without a line.
    fn relationship(&self, pair_hash: &PairHash) -> Relationship {
        let _ = pair_hash;
        Relationship::Unknown
    }

    /// The row of this ticket, if the introducer announced it to Alice (§16.4).
    ///
    /// - *None, though it was announced*: the guest waits. In the app's dialect the guest is turned away (§17.10).
    /// - *A row that was deleted*: the step consumes it again, and its transaction fails.
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        let _ = ticket;
        None
    }
}

/// How this user stands to somebody who comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Relationship {
    /// The two have no line.
    #[default]
    Unknown,
    /// The two have this line already.
    Connected(LineId),
    /// The user blocked the other.
    Blocked,
}

/// Tables that hold nothing: **nobody is blocked, nobody is connected, and no ticket is good.** For a client that has no such tables,
/// and for tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoPeers;

impl Peers for NoPeers {}

impl<F: Fn(&PairHash) -> Relationship> Peers for F {
    fn relationship(&self, pair_hash: &PairHash) -> Relationship {
        self(pair_hash)
    }
}

/// A set of blocked pairs, in memory.
///
/// ```
/// use port_protocol::{Blocked, PairHash, Peers, Relationship};
///
/// let mut blocked = Blocked::new();
/// blocked.insert(PairHash::from([9; 32]));
/// assert_eq!(blocked.relationship(&[9; 32].into()), Relationship::Blocked);
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Default, Debug)]
pub struct Blocked(alloc::collections::BTreeSet<PairHash>);

#[cfg(feature = "alloc")]
impl Blocked {
    /// An empty set.
    pub const fn new() -> Self {
        Self(alloc::collections::BTreeSet::new())
    }

    /// From now on this pair forms no new line. A line that it has already stays: close that one.
    pub fn insert(&mut self, pair_hash: PairHash) {
        self.0.insert(pair_hash);
    }

    /// From now on this pair may form lines again.
    pub fn remove(&mut self, pair_hash: &PairHash) {
        self.0.remove(pair_hash);
    }
}

#[cfg(feature = "alloc")]
impl Peers for Blocked {
    fn relationship(&self, pair_hash: &PairHash) -> Relationship {
        if self.0.contains(pair_hash) { Relationship::Blocked } else { Relationship::Unknown }
    }
}
