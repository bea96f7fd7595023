//! Violation: what must never be, whatever the relay does and whichever process dies when (§10).

use thiserror::Error;

/// What did not hold. Clients are named by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// §4.3, §5.4: a second line from one Port. §8.4: from a Port for many, a second line from one proof.
    #[error("client {0} has a second line from one Port, or from one proof")]
    SecondLine(usize),
    /// §14.4: more lines of a Port than its limit ever allowed.
    #[error("client {0} let in more than its limit")]
    OverLimit(usize),
    /// §8.4: a client gave up a Port for many, and its user did not say so.
    #[error("client {0} gave up a Port for many by itself")]
    Revoked(usize),
    /// §16.4: a second line from one ticket.
    #[error("client {0} has a second line from one ticket")]
    TicketTwice(usize),
    /// §16.5: a line of a contact port whose ticket nobody made, or whose introducer is not the one that Alice names.
    #[error("client {0} names an introducer who did not introduce")]
    NotIntroduced(usize),
    /// §16.4: more tickets of one contact port than an introducer may leave.
    #[error("client {0} holds too many tickets of one introducer")]
    TooManyTickets(usize),
    /// §4.4, §16.6: a line of a Port that was over or withdrawn before, or of a contact port whose introducer's line was over.
    #[error("client {0} let somebody in by a Port that it had withdrawn")]
    AfterWithdrawal(usize),
    /// §4.3, §14.1, §16.4: a line of a Port, or by a ticket, that had expired.
    #[error("client {0} has a line of a Port, or by a ticket, that had expired")]
    AfterExpiry(usize),
    /// §14.4: a line of a Port that was paused.
    #[error("client {0} let somebody in while its Port was paused")]
    WhilePaused(usize),
    /// §14.5: the Port requires approval, and a line of it goes on without.
    #[error("client {0} let somebody in without its user's approval")]
    NotApproved(usize),
    /// §14.2, §16.6: a policy changed to one that the user did not set, at least not for this Port.
    #[error("client {0} changed a policy by itself")]
    PolicyMoved(usize),
    /// §15.4: more Ports of a link than there were requests that it was issued for. A Port that a pool has still to give counts too.
    #[error("client {0} has two Ports of one link, or a Port of a link that its pool still has")]
    LinkTwice(usize),
    /// §8.1: an event that does not decode, that no machine is asked for, or that its machine refuses has changed, removed or added a
    /// record; or a step that was dropped has moved the machine.
    #[error("client {0} was moved by an event that is refused")]
    MovedByRefused(usize),
    /// §8.1: a record became older by itself, or is missing and was not seen to be one that may be deleted (§8.3).
    #[error("a record of client {0} went back")]
    WentBack(usize),
    /// §8.2, §8.3: a record replaced that of another machine, which was not seen to be one that may be deleted.
    #[error("client {0} wrote over the record of another machine")]
    Overwritten(usize),
    /// §8.1: something was sent along a line that is not stored.
    #[error("client {0} sent before it stored")]
    SentBeforeStored(usize),
    /// §6.3: two packets under one counter.
    #[error("client {0} sealed two packets under one counter")]
    CounterTwice(usize),
    /// §6.5: a line is confirmed, and nobody has its other end.
    #[error("client {0} has confirmed a line that nobody shares with it")]
    ConfirmedAlone(usize),
    /// §6.4: a message was shown twice.
    #[error("client {0} heard a message twice")]
    HeardTwice(usize),
    /// §6.2: a message that nobody said at the other end.
    #[error("client {0} heard what the other end did not say")]
    HeardUnsaid(usize),
    /// §8.1: a message was acknowledged to the relay, and the app has not kept it; or it was kept, and never shown. The relay does not
    /// bring it again, and the other end believes that it arrived. A message about a contact port is kept if what it says is done
    /// (§16.3). Keep [`Write::received`](crate::Write::received) in the transaction of the step.
    #[error("client {0} acknowledged a message and lost it")]
    MessageLost(usize),
    /// §6.2, §8.7: a request, or the record of a joined line, holds a private key or RAD.
    #[error("client {0} did not keep a secret, or kept it too long")]
    Secret(usize),
    /// §8.6: a record that cannot be restored.
    #[error("client {0} stored something that is not a record")]
    BadRecord(usize),
    /// §7.2: something was sent that is not a request.
    #[error("client {0} sent something that is not a request")]
    BadRequest(usize),
    /// Nothing was forged or rolled back, and both ends tried again, and still a machine waits for ever.
    #[error("something of client {0} was lost for good")]
    Lost(usize),
    /// §8.3: nothing was forged or rolled back, each client tried again, and each end of a line has said something along it. Still the
    /// relay has this client on a line that the client has no open record of. The far end waits for ever.
    #[error("client {0} is on a line that it has no record of")]
    GhostLine(usize),
    /// §4.3, §5.3: a Port has formed a line that another Port had formed. The user of the Port that has it waits in vain.
    #[error("client {0} takes the line of another Port for that of this one")]
    ForeignLine(usize),
    /// Events cause events, without end.
    #[error("the world does not come to rest")]
    Endless,
}
