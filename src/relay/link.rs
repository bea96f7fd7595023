//! A line link as a storage keeps it, and what a request may do with it (§13.2, §13.3).

use sha2::{Digest, Sha256};

use super::{Claimed, Connect, LinkClosure, LinkSetting, UserId};
use crate::id::{LineId, PeerMark};
use crate::message::Reason;
use crate::port::policy::Admission;
use crate::time::UnixSeconds;

/// What a storage keeps of one line link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkEntry {
    /// The user that asked for the link.
    pub owner: UserId,
    /// What became of the link.
    pub state: LinkState,
    /// From this second on, the link counts as one that never existed.
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
    /// A user has used the link while it admitted [`One`](Admission::One). Nothing opens it again.
    Claimed(Claim),
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

/// A line that a Connect has formed, now or earlier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormedLine {
    /// The owner of the link.
    pub owner: UserId,
    /// The line.
    pub line_id: LineId,
    /// The pair hash of the owner and the user that connects (§7.3).
    pub peer: PeerMark,
}

/// What [`Directory::claim`](super::Directory::claim) must do about a Connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Form a line, unless one of the two users has no room for it.
    Form {
        /// The line.
        line: FormedLine,
        /// `true`: the link admits one, so this use claims it. `false`: the link admits many and stays as it is, and the storage
        /// keeps that this request has formed this line.
        claims_link: bool,
    },
    /// Write nothing, and give this answer.
    Answer(Claimed),
}

impl FormedLine {
    /// A line between these two users.
    pub fn new(owner: UserId, by: UserId, line_id: LineId) -> Self {
        let (first, second) = (owner.min(by), owner.max(by));
        let peer: [u8; 32] =
            Sha256::new().chain_update(first.as_bytes()).chain_update(second.as_bytes()).finalize().into();
        Self { owner, line_id, peer: peer.into() }
    }
}

impl Connect {
    /// The table of §13.3: what becomes of this Connect, given what the storage has.
    ///
    /// `link` is the link's entry, if there is one. `line_for_request` is the line that the same request
    /// ([`Claim::by`], [`Claim::request_digest`]) has formed of this link while the link admitted many, as long as that user
    /// has not left that line. A storage may skip this look-up for an open link of version 0, which never admitted many.
    ///
    /// Call this inside the transaction that writes. If your storage decides in SQL instead, it must give the same answer as
    /// this function for the same rows: test it against this function.
    pub fn decide(&self, link: Option<&LinkEntry>, line_for_request: Option<LineId>) -> Decision {
        let Some(link) = link.filter(|link| self.now < link.purge_at) else { return refuse(Reason::Unknown) };
        let Claim { by, request_digest, line_id } = self.claim;
        let again = |line_id| Decision::Answer(Claimed::FormedBefore(FormedLine::new(link.owner, by, line_id)));
        // A reply that was given stays given, however the link was set since.
        if let Some(line_id) = line_for_request {
            return again(line_id);
        }
        match link.state {
            LinkState::Claimed(first) if first.by != by => refuse(Reason::UsedByAnother),
            LinkState::Claimed(first) if first.request_digest != request_digest => refuse(Reason::UsedByYou),
            LinkState::Claimed(first) => again(first.line_id),
            LinkState::Closed => refuse(Reason::Closed),
            LinkState::Open { expires, .. } if self.now >= expires => refuse(Reason::Expired),
            // An owner that uses its own link by mistake must not use it up.
            LinkState::Open { .. } if link.owner == by => refuse(Reason::UsedByYou),
            LinkState::Open { admits: Admission::Nobody, .. } => refuse(Reason::Paused),
            LinkState::Open { admits, .. } => {
                let line = FormedLine::new(link.owner, by, line_id);
                Decision::Form { line, claims_link: admits == Admission::One }
            }
        }
    }
}

const fn refuse(reason: Reason) -> Decision {
    Decision::Answer(Claimed::Refused(reason))
}

impl LinkSetting {
    /// Whether this setting changes this link (§13.2). If not, the storage writes nothing.
    pub fn applies_to(&self, link: &LinkEntry) -> bool {
        let LinkState::Open { expires, version, .. } = link.state else { return false };
        self.owner == link.owner && self.version > version && self.now < expires && self.now < link.purge_at
    }
}

impl LinkClosure {
    /// Whether this request closes this link (§13.2). If not, the storage writes nothing.
    pub fn applies_to(&self, link: &LinkEntry) -> bool {
        self.owner == link.owner && matches!(link.state, LinkState::Open { .. }) && self.now < link.purge_at
    }
}
