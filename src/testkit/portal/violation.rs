//! Violation: what must never be between Portals, whatever network and peers do and whichever process dies when (§18).

use thiserror::Error;

/// What did not hold. Portals are named by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// §18.8: an app got a request, or a part of one, a second time, and the caller had not said that it was done.
    #[error("an app of Portal {0} got a request twice")]
    DeliveredTwice(usize),
    /// §18.4, §18.7: an app got a request in the name of a peer that did not ask it of this Portal, or under another id.
    #[error("an app of Portal {0} got a request that this peer did not ask")]
    NotAsked(usize),
    /// §18.7: an app got what another app, another path, or other bytes were asked for.
    #[error("an app of Portal {0} got something else than was asked")]
    OtherThanAsked(usize),
    /// §18.5: an app got a request for a path that it does not serve to peers.
    #[error("an app of Portal {0} got a request for a path that is not for peers")]
    NotServed(usize),
    /// §18.6, §18.8: a message was taken a second time.
    #[error("Portal {0} took a message twice")]
    TakenTwice(usize),
    /// §18.4: a request of a peer that is blocked, removed, or was never entered.
    #[error("an app of Portal {0} got a request of a peer that is blocked or removed")]
    BlockedDelivered(usize),
    /// §18.4: an answer for a peer that is blocked, removed, or was never entered.
    #[error("Portal {0} answered a peer that is blocked or removed")]
    BlockedAnswered(usize),
    /// §18.10: an app asked a peer that its owner did not grant it, or blocked.
    #[error("an app of Portal {0} asked a peer that its owner did not grant it")]
    NotGranted(usize),
    /// §18.8: the callee had promised an answer, the caller asked again in time, and did not get it.
    #[error("an answer that Portal {0} had promised is lost")]
    AnswerLost(usize),
    /// §18.7: an answer, or a part of one, that the callee's app did not give to this request.
    #[error("an app of Portal {0} heard what was not answered to it")]
    HeardUnsaid(usize),
    /// A message that was refused changed a record.
    #[error("Portal {0} was changed by a message that it refused")]
    MovedByRefused(usize),
    /// §18.4: a pinned key was replaced or lost, or does not hash to the peer's ID.
    #[error("Portal {0} replaced a pinned key")]
    KeyReplaced(usize),
    /// §18.4, §18.8: more than 64 Openings or requests of a peer are kept, or a peer's record has more than 200 bytes.
    #[error("Portal {0} keeps more of a peer than it may")]
    OverBounds(usize),
    /// §18.6: two messages under one number of a session.
    #[error("Portal {0} used a number of a session twice")]
    NumberTwice(usize),
    /// A step wants to write over something else than what is stored.
    #[error("a step of Portal {0} does not fit what is stored")]
    WrongRow(usize),
    /// A record that can't be restored.
    #[error("Portal {0} stored something that is not a record")]
    BadRecord(usize),
    /// A machine in memory is not the one in the store.
    #[error("Portal {0} has not stored what it knows")]
    NotStored(usize),
    /// Network and clocks are fair, and still a request has neither an answer nor a refusal that says why.
    #[error("a request of Portal {0} has neither an answer nor a refusal")]
    Unanswered(usize),
    /// Letters cause letters, without end.
    #[error("the world does not come to rest")]
    Endless,
}
