//! Peers: what the caller knows of who comes (§14.6, §16.4).

use crate::id::{LineId, PairHash, TicketHash};
use crate::port::ticket::TicketNotice;

/// What the caller's tables say of somebody who comes. The look-ups go in with the event, so that nothing of it lies in a
/// machine's record.
///
/// Every method has an answer that knows nobody. `&()` is somebody with no tables at all; a closure from `&PairHash` to
/// [`Relationship`] is enough for who has no contact ports.
///
/// ```
/// use port_protocol::{Peers, PairHash, Relationship};
///
/// let blocked = [PairHash::from([9; 32])];
/// let known = |pair: &PairHash| if blocked.contains(pair) { Relationship::Blocked } else { Relationship::Unknown };
/// assert_eq!(known.pair(&[9; 32].into()), Relationship::Blocked);
/// ```
pub trait Peers {
    /// Whether there is a record of this line. Then the event came again, or its machine has forgotten it: no line is formed, and none
    /// is ended.
    ///
    /// - *No, though there is* (so say `&()`, a closure and [`Blocked`](crate::Blocked)): the transaction of a step that yields this
    ///   line fails, for its [`line`](crate::Step::line) is there; but a step that yields none (expired, paused, blocked, a bad proof)
    ///   sends `Disconnect` for the good line. So does whoever answers [`Rejected::UnwantedLine`](crate::Rejected::UnwantedLine) without looking.
    fn has_line(&self, line_id: &LineId) -> bool {
        let _ = line_id;
        false
    }

    /// How these two users stand, by the relay's word.
    ///
    /// - *`Unknown`, of somebody who is blocked*: he gets in.
    /// - *`Blocked`, of a stranger*: a Port for one use is spent on him.
    fn pair(&self, pair_hash: &PairHash) -> Relationship {
        let _ = pair_hash;
        Relationship::Unknown
    }

    /// The row of this ticket, if Alice was told of it (§16.4).
    ///
    /// - *None, though she was*: he is kept waiting, or, in the app's dialect, turned away (§17.10).
    /// - *A row that was deleted*: the step asks for it to be deleted again, and its transaction fails.
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        let _ = ticket;
        None
    }
}

/// How the user stands to somebody who comes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Relationship {
    /// They have nothing to do with each other.
    #[default]
    Unknown,
    /// They have this line.
    Connected(LineId),
    /// The user wants nothing to do with him.
    Blocked,
}

impl Peers for () {}

impl<F: Fn(&PairHash) -> Relationship> Peers for F {
    fn pair(&self, pair_hash: &PairHash) -> Relationship {
        self(pair_hash)
    }
}

/// A set of blocked pairs, in memory.
///
/// ```
/// use port_protocol::{Blocked, Peers, PairHash, Relationship};
///
/// let mut blocked = Blocked::new();
/// blocked.insert(PairHash::from([9; 32]));
/// assert_eq!(blocked.pair(&[9; 32].into()), Relationship::Blocked);
/// ```
#[cfg(feature = "alloc")]
#[derive(Clone, Default, Debug)]
pub struct Blocked(alloc::collections::BTreeSet<PairHash>);

#[cfg(feature = "alloc")]
impl Blocked {
    /// Nobody.
    pub const fn new() -> Self {
        Self(alloc::collections::BTreeSet::new())
    }

    /// From now on this pair forms no line. Close the one that it has.
    pub fn insert(&mut self, pair_hash: PairHash) {
        self.0.insert(pair_hash);
    }

    /// Whoever it was may come again.
    pub fn remove(&mut self, pair_hash: &PairHash) {
        self.0.remove(pair_hash);
    }
}

#[cfg(feature = "alloc")]
impl Peers for Blocked {
    fn pair(&self, pair_hash: &PairHash) -> Relationship {
        if self.0.contains(pair_hash) { Relationship::Blocked } else { Relationship::Unknown }
    }
}
