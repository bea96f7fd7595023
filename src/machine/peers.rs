//! Peers: what the caller's tables say of somebody who comes (§14.6, §16.4).

use crate::id::{LineId, PeerMark, PortHash, TicketHash};
use crate::port::ticket::TicketNotice;

/// What the caller's tables say of somebody who comes. The answers go into [`handle`](crate::Alice::handle) with the event, so no
/// machine's record holds a table.
///
/// Each method has a default that finds nothing. [`NoPeers`] answers with the defaults. A closure from `&PeerMark` to
/// [`Relationship`] is enough for an app without contact ports.
///
/// ```
/// use port_protocol::{PeerMark, Peers, Relationship};
///
/// let blocked = [PeerMark::from([9; 32])];
/// let peers = |peer: &PeerMark| if blocked.contains(peer) { Relationship::Blocked } else { Relationship::Unknown };
/// assert_eq!(peers.relationship(&[9; 32].into()), Relationship::Blocked);
/// ```
pub trait Peers {
    /// The Port of the line that the store has under this name: [`Line::port`](crate::Line::port) of its record. `None` if there is no such
    /// record.
    ///
    /// If it is the machine's own Port, the event came again or the machine was rolled back. If it is another Port, the relay lies: it
    /// names a line that somebody else is on. No line is formed in either case, and none is ended.
    ///
    /// - *`None`, though there is one*: a step that would form this line fails in the store, because the new line's key exists. A
    ///   step that refuses it sends `Disconnect` for a good line. [`NoPeers`], a closure and `Blocked` always
    ///   answer so; look for the record yourself before you answer [`Rejected::UnwantedLine`](crate::Rejected::UnwantedLine).
    /// - *Another Port's hash*: a Port for one use ends without the line that it has, or takes another's line for its own.
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        let _ = line_id;
        None
    }

    /// How this user stands to the user that the relay calls so. The mark is the relay's word.
    ///
    /// - *`Unknown`, for a blocked user*: that user gets in.
    /// - *`Blocked`, for an unknown user*: a Port for one use is spent without a line.
    fn relationship(&self, peer: &PeerMark) -> Relationship {
        let _ = peer;
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

impl<F: Fn(&PeerMark) -> Relationship> Peers for F {
    fn relationship(&self, peer: &PeerMark) -> Relationship {
        self(peer)
    }
}

/// A set of blocked users, in memory.
///
/// ```
/// use port_protocol::{Blocked, PeerMark, Peers, Relationship};
///
/// let mut blocked = Blocked::new();
/// blocked.insert(PeerMark::from([9; 32]));
/// assert_eq!(blocked.relationship(&[9; 32].into()), Relationship::Blocked);
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Default, Debug)]
pub struct Blocked(alloc::collections::BTreeSet<PeerMark>);

#[cfg(feature = "alloc")]
impl Blocked {
    /// An empty set.
    pub const fn new() -> Self {
        Self(alloc::collections::BTreeSet::new())
    }

    /// From now on this user forms no new line. A line that it has already stays: close that one.
    pub fn insert(&mut self, peer: PeerMark) {
        self.0.insert(peer);
    }

    /// From now on this user may form lines again.
    pub fn remove(&mut self, peer: &PeerMark) {
        self.0.remove(peer);
    }
}

#[cfg(feature = "alloc")]
impl Peers for Blocked {
    fn relationship(&self, peer: &PeerMark) -> Relationship {
        if self.0.contains(peer) { Relationship::Blocked } else { Relationship::Unknown }
    }
}
