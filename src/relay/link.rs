//! A line link as a storage keeps it, and what a request may do with it (§13.2, §13.3).

use super::{Claimed, Connect, Limits, LinkClosure, LinkSetting, UserId};
use crate::id::{LineId, PeerMark};
use crate::message::Reason;
use crate::port::policy::Admission;
use crate::time::UnixSeconds;

/// What a storage keeps of one line link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEntry {
    /// The user that asked for the link.
    pub owner: UserId,
    /// Whether its users get the mark of its owner that those of the owner's other recognisable links get (§13.3). False when it is issued.
    pub recognisable: bool,
    /// What became of the link.
    pub state: LinkState,
    /// From this second on, the link is *due*: to users that connect it is as one that never existed, and a purge may delete it. Until
    /// one has deleted it, its owner can set it, and it lives again.
    pub purge_at: UnixSeconds,
}

/// What became of a line link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// The link can be used: once, or again and again if it admits [`Many`](Admission::Many).
    Open {
        /// From this second on, the link can't be used.
        expires: UnixSeconds,
        /// The version of the owner's last setting. 0: the link was never set.
        version: u64,
        /// Who may use the link.
        admits: Admission,
    },
    /// A user has used the link while it admitted [`One`](Admission::One).
    Claimed {
        /// That use.
        claim: Claim,
        /// The version of the owner's last setting.
        version: u64,
    },
    /// The owner has closed the link.
    Closed,
}

/// One use of a line link: which user, by which request, for which line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The user that connects.
    pub by: UserId,
    /// SHA-256 of `by` and the request's bytes. The relay knows a repeated request by it, and gives the same reply (§13.3).
    pub request_digest: [u8; 32],
    /// The line.
    pub line_id: LineId,
}

/// What a storage keeps of a Connect that has formed a line, until both users have left that line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    /// The line.
    pub line_id: LineId,
    /// [`LinkEntry::recognisable`] as it was then. The same request again gets the same mark, however the link was set since.
    pub recognisable: bool,
}

/// A line that a Connect has formed, now or earlier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormedLine {
    /// The owner of the link.
    pub owner: UserId,
    /// The line.
    pub line_id: LineId,
    /// The mark of the user that connects, for the owner.
    pub owner_sees: PeerMark,
    /// The mark of the owner, for the user that connects.
    pub user_sees: PeerMark,
}

/// What [`Directory::claim`](super::Directory::claim) must do about a Connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Form a line, unless one of the two users has no room for it. The storage keeps a [`Use`] of the line's name and the link's
    /// [`recognisable`](LinkEntry::recognisable) for this request.
    Form {
        /// The line.
        line: FormedLine,
        /// The link admits one, so this use claims it, and the link is purged from this second on. `None`: the link admits many and
        /// stays as it is.
        claimed_until: Option<UnixSeconds>,
    },
    /// Write nothing, and give this answer.
    Answer(Claimed),
}

impl LinkEntry {
    /// Until when the relay keeps what became of this link now. A clock that stands before the link's last setting is wrong: it must not
    /// end the retention before that began. Nor may a clock that is ahead, or an owner that closes a link that is due, make the relay
    /// keep it longer than a link that nobody used.
    fn kept_until(&self, now: UnixSeconds, retention: Retention) -> UnixSeconds {
        let set_at = match self.state {
            LinkState::Open { expires, .. } => expires.as_secs().saturating_sub(retention.lifetime_secs),
            LinkState::Claimed { .. } | LinkState::Closed => 0,
        };
        now.max(UnixSeconds::default().plus(set_at)).plus(retention.retention_secs).min(self.purge_at)
    }
}

/// How long the relay keeps a link, and what became of it: [`Limits::lifetime_secs`] and [`Limits::retention_secs`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// The number of seconds for which a link can be used.
    pub lifetime_secs: u64,
    /// The number of seconds for which the relay keeps what became of a link.
    pub retention_secs: u64,
}

impl Retention {
    pub(super) const fn of(limits: &Limits) -> Self {
        Self { lifetime_secs: limits.lifetime_secs, retention_secs: limits.retention_secs }
    }
}

impl Connect {
    /// The table of §13.3: what becomes of this Connect, given what the storage has.
    ///
    /// `link` is the link's entry, if there is one. `before` is what is kept of the same request ([`Claim::by`],
    /// [`Claim::request_digest`]) if it has formed a line of this link, as long as one of the line's two users has not left it. A storage
    /// may skip this look-up for an open link of version 0, which was never used.
    ///
    /// Call this inside the transaction that writes. If your storage decides in SQL instead, it must give the same answer as
    /// this function for the same rows: test it against this function.
    pub fn decide(&self, link: Option<&LinkEntry>, before: Option<Use>) -> Decision {
        let Some(link) = link.filter(|link| self.now < link.purge_at) else { return refuse(Reason::Unknown) };
        let Claim { by, request_digest, line_id } = self.claim;
        // An owner that uses its own link by mistake is no thief, and must not use it up.
        if link.owner == by {
            return refuse(Reason::UsedByYou);
        }
        let line = |line_id, recognisable| self.line(link.owner, Use { line_id, recognisable });
        let again = |line| Decision::Answer(Claimed::FormedBefore(line));
        // A reply that was given stays given, however the link was set since.
        if let Some(Use { line_id, recognisable }) = before {
            return again(line(line_id, recognisable));
        }
        match link.state {
            LinkState::Claimed { claim, .. } if claim.by != by => refuse(Reason::UsedByAnother),
            LinkState::Claimed { claim, .. } if claim.request_digest != request_digest => refuse(Reason::UsedByYou),
            LinkState::Claimed { claim, .. } => again(line(claim.line_id, link.recognisable)),
            LinkState::Closed => refuse(Reason::Closed),
            LinkState::Open { expires, .. } if self.now >= expires => refuse(Reason::Expired),
            LinkState::Open { admits: Admission::Nobody, .. } => refuse(Reason::Paused),
            LinkState::Open { admits, .. } => {
                let until = link.kept_until(self.now, self.retention);
                let claimed_until = (admits == Admission::One).then_some(until);
                Decision::Form { line: line(line_id, link.recognisable), claimed_until }
            }
        }
    }

    /// The two marks of §13.3. Alice must be able to block a user, so it sees the same mark at each of its links. A user must not learn
    /// that two Ports are one person's, unless that person wants it.
    fn line(&self, owner: UserId, formed: Use) -> FormedLine {
        let (by, marks) = (self.claim.by, &self.marks);
        let of_this_link = (!formed.recognisable).then_some(&self.line_link);
        FormedLine {
            owner,
            line_id: formed.line_id,
            owner_sees: marks.mark(owner, by, None),
            user_sees: marks.mark(by, owner, of_this_link),
        }
    }
}

const fn refuse(reason: Reason) -> Decision {
    Decision::Answer(Claimed::Refused(reason))
}

/// What [`Directory::set_link`](super::Directory::set_link) must do about a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetDecision {
    /// Set the link, also one that is set so already: its lifetime begins anew. A claimed link is open again. If the link is due to be
    /// purged, do so only if its owner has room for one more link, and else write nothing.
    Set,
    /// The link is claimed. Write the version and nothing else, so that an earlier setting that comes late does not open the link.
    Version,
    /// Write nothing. The link is used, or a later setting came before.
    Keep,
    /// Write nothing. The owner has no such link that is open or claimed.
    Lost,
}

impl LinkSetting {
    /// What becomes of this setting, given what the storage has (§13.2).
    ///
    /// A link that is over, or due to be purged, and still in the storage lives again: its owner needs it. A claimed link that turns out to
    /// be for many was one from the beginning, and its setting came late.
    ///
    /// [`Set`](SetDecision::Set) of a link that is due needs room for it. The links that are not due are counted as in
    /// [`Directory::issue`](super::Directory::issue). Otherwise a user whose links are due could take new ones in their place, and then
    /// have the old ones live again.
    pub fn decide(&self, link: Option<&LinkEntry>) -> SetDecision {
        match link.filter(|link| link.owner == self.owner).map(|link| link.state) {
            None | Some(LinkState::Closed) => SetDecision::Lost,
            Some(LinkState::Open { version, .. }) if self.version >= version => SetDecision::Set,
            Some(LinkState::Claimed { version, .. }) if self.version > version => match self.admits {
                Admission::Many => SetDecision::Set,
                Admission::One | Admission::Nobody => SetDecision::Version,
            },
            Some(_) => SetDecision::Keep,
        }
    }
}

impl LinkClosure {
    /// Until when the link is kept as a closed one. `None`: this request does not close this link (§13.2), and the storage writes
    /// nothing.
    pub fn decide(&self, link: &LinkEntry) -> Option<UnixSeconds> {
        let closes = self.owner == link.owner && matches!(link.state, LinkState::Open { .. });
        closes.then(|| link.kept_until(self.now, self.retention))
    }
}

/// Which links [`Directory::purge`](super::Directory::purge) deletes (§13.3).
///
/// One look at a wrong clock must delete nothing. So a link is deleted only if it was due at a look before, and a day has passed since
/// then by the same clock. A clock that went back makes the look before worthless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PurgeLook {
    /// Delete links whose [`purge_at`](LinkEntry::purge_at) is not after this second. `None`: delete nothing.
    pub due_at: Option<UnixSeconds>,
    /// Keep this look for the next time, once no link is left that was due at `due_at`.
    pub next: UnixSeconds,
}

impl PurgeLook {
    /// A look at `now`, and the one before that the storage has kept.
    pub fn at(now: UnixSeconds, before: Option<UnixSeconds>) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        // Not the look before and a day: a clock that stands at the end of time would be there at once.
        let passed = before.and_then(|before| Some((before, now.as_secs().checked_sub(before.as_secs())?)));
        match passed {
            Some((before, passed)) if passed >= DAY => Self { due_at: Some(before), next: now },
            Some((before, _)) => Self { due_at: None, next: before },
            None => Self { due_at: None, next: now },
        }
    }
}
