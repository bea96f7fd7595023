//! Offered: an Alice that waits for somebody who holds the Port (§4.3, §14.4). What both dialects share of a use.

use core::ops::Range;

use minicbor::{Decode, Encode};

use crate::error::Rejected;
use crate::id::{LineId, LineLink, PeerMark, PortHash, RecordKey, ReplayMark};
use crate::line::{Common, Introduced, Origin};
use crate::machine::peers::{Peers, Relationship};
use crate::machine::step::{Conditions, OnDuplicate};
use crate::message::Request;
use crate::outcome::PortOutcome;
use crate::port::Port;
use crate::port::options::PortOptions;
use crate::port::policy::Admission;
use crate::port::policy::Policy;
use crate::port::ticket::{self, MAX_TICKETS, TicketNotice};
use crate::proof::PrivateKey;
use crate::secret::{Rad, Secret};
use crate::time::UnixSeconds;
use crate::tombstone::{FinalRequest, Tombstone};

/// How many places an Alice's outbox has.
pub(crate) const OUTBOX: u8 = 3;
/// The first of them: what the relay is to know, and the Port.
pub(crate) const NEW: u8 = 2;

/// Waits for somebody who holds the Port.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Offered {
    #[n(0)]
    port: Port,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    policy: Policy,
    /// The version of what the relay was told of the link (§14.2). 0: nothing yet.
    #[n(3)]
    version: u64,
    /// Whether the relay is still to be told of this version.
    #[n(4)]
    due: bool,
    /// Whether Alice lets itself be recognised (§14.6).
    #[n(5)]
    recognisable: bool,
    #[n(6)]
    many: Option<Many>,
}

/// What a Port for many has beside (§14.3).
#[derive(Clone, Debug, Encode, Decode)]
pub struct Many {
    #[n(0)]
    used: u32,
    #[n(1)]
    introducer: Option<LineId>,
}

/// Somebody who comes, by the relay's word.
pub(crate) struct Visitor {
    pub(crate) line_id: LineId,
    pub(crate) peer: PeerMark,
    /// By the caller's tables.
    pub(crate) relationship: Relationship,
}

/// Where a use takes an Alice, and the step that goes there.
pub(crate) struct Next<L> {
    pub(crate) port: After,
    pub(crate) once: Option<Once<L>>,
    pub(crate) outbox: Range<u8>,
    pub(crate) conditions: Conditions,
}

/// What becomes of the Port.
pub(crate) enum After {
    Offered(Offered),
    Spent(Tombstone<PortOutcome>),
}

/// What no outbox holds.
pub(crate) enum Once<L> {
    LineFormed(L),
    Disconnect(LineId),
}

impl Offered {
    pub(crate) fn new(line_link: LineLink, private_key: PrivateKey, rad: Rad, options: PortOptions) -> Self {
        let (kind, public_key) = (options.kind(), private_key.public_key());
        let PortOptions { terms, policy, introducer, recognisable } = options;
        let port = Port { kind, line_link, public_key, rad, terms, ticket: None };
        let many = kind.is_for_many().then_some(Many { used: 0, introducer });
        // A link is issued for one, whose user does not recognise its owner.
        let as_issued = policy.admission(kind, 0) == Admission::One && !recognisable;
        Self { port, private_key, policy, version: u64::from(!as_issued), due: !as_issued, recognisable, many }
    }

    pub(crate) const fn port(&self) -> &Port {
        &self.port
    }

    pub(crate) const fn private_key(&self) -> &PrivateKey {
        &self.private_key
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) const fn is_for_many(&self) -> bool {
        self.many.is_some()
    }

    pub(crate) fn used(&self) -> u32 {
        self.many.as_ref().map_or(0, |many| many.used)
    }

    pub(crate) fn introducer(&self) -> Option<LineId> {
        self.many.as_ref()?.introducer
    }

    pub(crate) fn expiry(&self) -> Option<UnixSeconds> {
        self.policy.expiry(self.port.expires())
    }

    pub(crate) fn has_expired(&self, now: UnixSeconds) -> bool {
        self.expiry().is_some_and(|expiry| now >= expiry)
    }

    /// Whether the link is not as it was issued (§14.2).
    pub(crate) const fn is_set(&self) -> bool {
        self.version > 0
    }

    /// What the relay is to know of the link (§14.2). It is said again whenever the connection comes back: the relay may not have heard it,
    /// and the link's lifetime there begins anew (§4.6).
    pub(crate) fn setting(&self) -> Request<'static> {
        let (line_link, version, recognisable) = (self.port.line_link, self.version, self.recognisable);
        Request::SetLineLink { line_link, version, admits: self.admission(), recognisable }
    }

    /// The places of the outbox that are new after a change: the setting, if the relay does not know it yet. The Port was shown before.
    pub(crate) fn new_places(&self) -> Range<u8> {
        0..u8::from(self.due)
    }

    /// `None` if the outbox is empty already.
    pub(crate) fn without_outbox(&self) -> Option<Self> {
        self.due.then(|| Self { due: false, ..self.clone() })
    }

    /// §14.2.
    pub(crate) fn with_policy(&self, policy: Policy) -> Result<Self, Rejected> {
        if !policy.suits(self.port.kind) {
            return Err(Rejected::PolicyMismatch);
        }
        let mut next = Self { policy, ..self.clone() };
        next.announce_change_from(self.admission());
        Ok(next)
    }

    /// Dead without a use.
    pub(crate) const fn end(&self, outcome: PortOutcome) -> Tombstone<PortOutcome> {
        self.ended(outcome, FinalRequest::CloseLink(self.port.kind))
    }

    /// §4.6: dead, because the relay has no such link.
    pub(crate) const fn lost(&self) -> Tombstone<PortOutcome> {
        self.ended(PortOutcome::LinkLost, FinalRequest::Nothing)
    }

    const fn ended(&self, outcome: PortOutcome, last: FinalRequest) -> Tombstone<PortOutcome> {
        Tombstone::ended(RecordKey::LineLink(self.port.line_link), outcome, last)
    }

    /// Why this visitor gets no line, however good its proof.
    // Not inlined: its frame would be below the cryptography.
    #[inline(never)]
    pub(crate) fn refuses(&self, visitor: &Visitor, now: UnixSeconds) -> Option<PortOutcome> {
        match visitor.relationship {
            _ if self.has_expired(now) => Some(PortOutcome::Expired),
            _ if self.policy.is_paused() => Some(PortOutcome::Paused),
            Relationship::Blocked => Some(PortOutcome::Blocked),
            Relationship::Connected(_) if self.policy.refuses_repeat() => Some(PortOutcome::AlreadyConnected),
            Relationship::Connected(_) | Relationship::Unknown => None,
        }
    }

    /// The line that a new one with this visitor takes the place of (§14.6).
    pub(crate) const fn replaces(&self, visitor: &Visitor) -> Option<LineId> {
        match visitor.relationship {
            Relationship::Connected(line_id) if self.policy.replaces() => Some(line_id),
            _ => None,
        }
    }

    /// What a line with this visitor has at both ends.
    pub(crate) const fn common(&self, hash: PortHash, visitor: &Visitor) -> Common {
        Common { kind: self.port.kind, port: hash, line_id: visitor.line_id }
    }

    /// Where a line with this visitor comes from.
    pub(crate) fn origin(
        &self,
        hash: PortHash,
        visitor: &Visitor,
        replaces: Option<LineId>,
        introduced: Option<Introduced>,
    ) -> Origin {
        let Visitor { line_id, peer, .. } = *visitor;
        let relay = self.port.relay().cloned();
        Origin { kind: self.port.kind, port: hash, line_id, peer, relay, replaces, introduced }
    }

    /// §4.3: a Port for one use is spent by its first use, with a line or without. `Ok(None)`: the line is stored already, and the
    /// record that said so was rolled back.
    pub(crate) fn spent<L>(&self, hash: PortHash, line_id: LineId, line: Result<Option<L>, PortOutcome>) -> Next<L> {
        let line_link = self.port.line_link;
        let (tombstone, line) = match line {
            Ok(line) => (Tombstone::Formed { line_link, line_id }, line),
            Err(outcome) => (self.ended(outcome, FinalRequest::Disconnect(line_id)), None),
        };
        Self::spent_as(hash, tombstone, line)
    }

    /// The step to this tombstone. Its mark is that of every use of a Port for one use (§8.4).
    fn spent_as<L>(hash: PortHash, tombstone: Tombstone<PortOutcome>, line: Option<L>) -> Next<L> {
        let unique = Some((ReplayMark::from(*hash.as_bytes()), OnDuplicate::Revoke));
        Next {
            port: After::Spent(tombstone),
            once: line.map(Once::LineFormed),
            outbox: 0..OUTBOX,
            conditions: Conditions { unique, consumes: None },
        }
    }

    /// §4.3, §14.4: the caller has a record of this line. A line of this Port is in its place, and nothing is to be done. A line of another
    /// Port is the relay's lie. The user of this Port then waits in vain.
    pub(crate) fn line_is_there<L>(
        &self,
        hash: PortHash,
        of_line: PortHash,
        line_id: LineId,
    ) -> Result<Next<L>, Rejected> {
        match (self.is_for_many(), of_line == hash) {
            (false, true) => Ok(self.spent(hash, line_id, Ok(None))),
            // That line is a good one, so it is not ended.
            (false, false) => Ok(Self::spent_as(hash, self.end(PortOutcome::FalseLine), None)),
            (true, true) => Err(Rejected::Duplicate),
            (true, false) => Err(Rejected::FalseLine),
        }
    }

    /// §14.4, the first checks of a use of a Port for many. A refusal uses nothing up, and every refusal looks alike.
    pub(crate) fn check_open(
        &self,
        line_id: LineId,
        refusal: Option<PortOutcome>,
        now: UnixSeconds,
    ) -> Result<(), Rejected> {
        if self.has_expired(now) {
            return Err(Rejected::DeadlinePassed);
        }
        let is_open = refusal.is_none() && self.admission() == Admission::Many;
        if is_open { Ok(()) } else { Err(Rejected::UnwantedLine(line_id)) }
    }

    /// §16.4: what the introducer announced of this ticket. Nobody announced it: `unknown`.
    pub(crate) fn notice(
        &self,
        ticket: &Secret<16>,
        peers: &impl Peers,
        line_id: LineId,
        unknown: Rejected,
    ) -> Result<TicketNotice, Rejected> {
        let hash = ticket::hash(ticket);
        let notice = peers.ticket(&hash).filter(|notice| notice.ticket == hash).ok_or(unknown)?;
        if notice.line_link == self.port.line_link { Ok(notice) } else { Err(Rejected::UnwantedLine(line_id)) }
    }

    /// §16.4: an expired ticket is consumed, too. Otherwise a clock set back would make it valid again.
    pub(crate) fn ticket_expired<L>(&self, line_id: LineId, conditions: Conditions) -> Next<L> {
        let port = After::Offered(self.clone());
        Next { port, once: Some(Once::Disconnect(line_id)), outbox: 0..0, conditions }
    }

    /// §14.4: one more use, which formed this line.
    pub(crate) fn used_once_more<L>(&self, line: L, conditions: Conditions) -> Next<L> {
        let mut next = self.clone();
        if let Some(many) = &mut next.many {
            many.used = many.used.saturating_add(1);
        }
        next.announce_change_from(self.admission());
        let outbox = next.new_places();
        Next { port: After::Offered(next), once: Some(Once::LineFormed(line)), outbox, conditions }
    }

    /// §16.4: whether Alice accepts a ticket that somebody announces. Nothing moves, because the row is the caller's.
    pub(crate) fn accept_ticket(
        &self,
        notice: &TicketNotice,
        from: LineId,
        outstanding: usize,
        now: UnixSeconds,
    ) -> Result<(), Rejected> {
        match outstanding {
            _ if self.has_expired(now) => Err(Rejected::OutOfOrder),
            _ if notice.line_link != self.port.line_link => Err(Rejected::WrongMachine),
            _ if self.introducer() != Some(from) || notice.has_expired(now) => Err(Rejected::TicketRefused),
            MAX_TICKETS.. => Err(Rejected::TooManyTickets),
            _ => Ok(()),
        }
    }

    pub(crate) fn admission(&self) -> Admission {
        self.policy.admission(self.port.kind, self.used())
    }

    /// §14.2: the relay is told, if that is not what it knows already.
    fn announce_change_from(&mut self, known: Admission) {
        if self.admission() != known {
            self.version = self.version.saturating_add(1);
            self.due = true;
        }
    }
}

/// The conditions of a use that a ticket or a proof lets in (§14.4, §16.4).
pub(crate) fn conditions(mark: ReplayMark, notice: Option<&TicketNotice>, line_id: LineId) -> Conditions {
    let consumes = notice.map(|notice| notice.ticket);
    // A ticket has a mark of its own, so only one of all users can use it, and only once.
    let mark = consumes.map_or(mark, |ticket| ReplayMark::from(*ticket.as_bytes()));
    Conditions { unique: Some((mark, OnDuplicate::Disconnect(line_id))), consumes }
}
