//! Offered: an Alice who waits for somebody who holds the Port (§4.3, §14.4).

use core::fmt;

use minicbor::{Decode, Encode};

use crate::alice::{PortOutcome, State};
use crate::dialect::{Ask, Dialect, Shown};
use crate::error::Rejected;
use crate::id::{LineId, LineLink, PairHash, PortHash, RecordKey, ReplayMark, TicketHash};
use crate::line::{Introduced, Origin};
use crate::machine::peers::{Peers, Relationship};
use crate::machine::{self, Created, Emit, OnDuplicate, Once};
use crate::message::Admission;
use crate::port::policy::{Policy, PortOptions};
use crate::port::ticket::{self, MAX_TICKETS, Ticket, TicketNotice};
use crate::port::{Port, UnixSeconds};
use crate::proof::PrivateKey;
use crate::secret::{Rad, Secret};
use crate::tombstone::{FinalRequest, Tombstone};

/// Waits for somebody who holds the Port.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Offered {
    #[n(0)]
    port: Port,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    policy: Policy,
    /// Of what the relay was told of it (§14.2).
    #[n(3)]
    version: u64,
    /// Whether that is still to be said.
    #[n(4)]
    due: bool,
    #[n(5)]
    many: Option<Many>,
}

/// What a Port for many has beside (§14.3).
#[derive(Clone, Debug, Encode, Decode)]
pub struct Many {
    /// The next ephemeral key comes from it. It is replaced in the same step, so that it tells of none before.
    #[n(0)]
    seed: Secret<32>,
    #[n(1)]
    used: u32,
    #[n(2)]
    introducer: Option<LineId>,
}

/// Where an event takes an Alice, and what the caller's tables have to do with it.
pub(crate) struct Moved<L> {
    pub(crate) state: State,
    pub(crate) emit: Emit<'static>,
    pub(crate) beside: Beside<L>,
}

/// What goes into the same transaction beside her record.
#[derive(Debug)]
pub struct Beside<L> {
    once: Option<Once>,
    strikes: Option<TicketHash>,
    pub(crate) line: Option<Created<L>>,
}

impl<L> Default for Beside<L> {
    fn default() -> Self {
        Self { once: None, strikes: None, line: None }
    }
}

impl<L: fmt::Debug> machine::Beside<L> for Beside<L> {
    fn once(&self) -> Option<Once> {
        self.once
    }

    fn strikes(&self) -> Option<TicketHash> {
        self.strikes
    }

    fn line(&self) -> Option<&Created<L>> {
        self.line.as_ref()
    }
}

/// Somebody who comes, by the relay's word.
pub(crate) struct Visitor<'e, P> {
    pub(crate) line_id: LineId,
    pub(crate) pair_hash: PairHash,
    /// By the caller's.
    pub(crate) standing: Relationship,
    pub(crate) proof: Option<&'e P>,
}

impl<L> Moved<L> {
    pub(crate) fn to(state: State) -> Self {
        Self { state, emit: Emit::Outbox, beside: Beside::default() }
    }
}

impl Offered {
    pub(crate) fn new(
        line_link: LineLink,
        private_key: PrivateKey,
        rad: Rad,
        offer: PortOptions,
        seed: Option<Secret<32>>,
    ) -> Self {
        let (kind, public_key) = (offer.kind(), private_key.public_key());
        let PortOptions { terms, policy, introducer } = offer;
        let port = Port { kind, line_link, public_key, rad, terms, ticket: None };
        let many = seed.map(|seed| Many { seed, used: 0, introducer });
        let mut offered = Self { port, private_key, policy, version: 0, due: false, many };
        // As it is issued, a link admits one.
        offered.tell(Admission::One);
        offered
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

    pub(crate) fn used(&self) -> u32 {
        self.many.as_ref().map_or(0, |many| many.used)
    }

    pub(crate) fn introducer(&self) -> Option<LineId> {
        self.many.as_ref()?.introducer
    }

    /// Whether something is new of it.
    pub(crate) const fn is_due(&self) -> bool {
        self.due
    }

    /// What the relay is to know (§14.2).
    pub(crate) fn news<P>(&self) -> Option<Ask<'_, P>> {
        let Self { port, version, .. } = self;
        (*version > 0).then(|| Ask::Set { port, version: *version, admits: self.admits() })
    }

    /// `None` if it is already.
    pub(crate) fn settled(&self) -> Option<Self> {
        self.due.then(|| Self { due: false, ..self.clone() })
    }

    /// §14.2.
    pub(crate) fn with_policy(&self, policy: Policy) -> Result<Self, Rejected> {
        match self.port.kind {
            kind if !policy.suits(kind) => Err(Rejected::PolicyMismatch),
            _ => {
                let mut next = Self { policy, ..self.clone() };
                next.tell(self.admits());
                Ok(next)
            }
        }
    }

    pub(crate) fn used_by<D: Dialect>(
        &self,
        comer: &Visitor<'_, D::Proof>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Moved<D::Line>, Rejected> {
        let line_id = comer.line_id;
        match &self.many {
            // The line is there, and the record that said so is not: it was rolled back. Hers it is, then.
            None if known.has_line(&line_id) => Ok(self.formed::<D>(D::hash(&self.port), line_id, None)),
            Some(_) if known.has_line(&line_id) => Err(Rejected::Duplicate),
            None => Ok(self.spend::<D>(comer, now)),
            Some(many) => self.admit::<D>(many, comer, known, now),
        }
    }

    /// §4.3: whatever comes of it, a Port for one use is spent.
    fn spend<D: Dialect>(&self, comer: &Visitor<'_, D::Proof>, now: UnixSeconds) -> Moved<D::Line> {
        let origin = self.origin::<D>(comer, None);
        let (line_link, line_id, hash) = (self.port.line_link, comer.line_id, origin.port);
        let line = match self.refuses::<D>(comer, now) {
            Some(end) => Err(end),
            None => D::line_of_one(origin, self, comer.proof, now).ok_or(PortOutcome::ProofRefused),
        };
        match line {
            Ok(line) => self.formed::<D>(hash, line_id, Some(line)),
            Err(end) => {
                let spent = Tombstone::ended(RecordKey::LineLink(line_link), end, FinalRequest::Disconnect(line_id));
                Self::spent::<D>(hash, spent, None)
            }
        }
    }

    fn formed<D: Dialect>(&self, hash: PortHash, line_id: LineId, line: Option<Created<D::Line>>) -> Moved<D::Line> {
        Self::spent::<D>(hash, Tombstone::Formed { line_link: self.port.line_link, line_id }, line)
    }

    fn spent<D: Dialect>(
        hash: PortHash,
        spent: Tombstone<PortOutcome>,
        line: Option<Created<D::Line>>,
    ) -> Moved<D::Line> {
        let mark = ReplayMark::from(*hash.as_bytes());
        let beside = Beside { once: Some(Once { mark, taken: OnDuplicate::Revoke }), strikes: None, line };
        Moved { beside, ..Moved::to(State::Spent(spent)) }
    }

    /// §14.4: one more use of a Port for many, in this order. What is refused uses nothing up, and looks alike.
    fn admit<D: Dialect>(
        &self,
        many: &Many,
        comer: &Visitor<'_, D::Proof>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Moved<D::Line>, Rejected> {
        let Self { port, private_key, policy, .. } = self;
        let Visitor { line_id, .. } = *comer;
        let refused = Rejected::UnwantedLine(line_id);
        if self.has_expired(now) {
            return Err(Rejected::DeadlinePassed);
        }
        if self.refuses::<D>(comer, now).is_some() || policy.admits(port.kind, many.used) != Admission::Many {
            return Err(refused);
        }
        let proof = comer.proof.ok_or(refused)?;
        let mut checked = D::check(private_key, port.kind, &port.rad, proof).ok_or(refused)?;
        let ticket = checked.ticket.take();
        let told = match &ticket {
            Some(ticket) => {
                let hash = ticket::hash(ticket);
                let told = known.ticket(&hash).filter(|told| told.ticket == hash);
                let told = told.ok_or(if D::TELLS_FIRST { refused } else { Rejected::UnknownTicket(line_id) })?;
                Some(if told.line_link == port.line_link { told } else { return Err(refused) })
            }
            None => None,
        };
        let strikes = told.as_ref().map(|told| told.ticket);
        // A ticket is used once, by whomever: it is told of again, perhaps, but not taken again (§16.4).
        let mark =
            strikes.map_or_else(|| checked.secret.mark(&D::hash(port)), |ticket| ReplayMark::from(*ticket.as_bytes()));
        let once = Some(Once { mark, taken: OnDuplicate::Disconnect(line_id) });
        if told.as_ref().is_some_and(|told| told.has_expired(now)) {
            // Struck out, or a clock that jumps back would revive it.
            let state = State::Offered(self.clone());
            return Ok(Moved { state, emit: Emit::Refused(line_id), beside: Beside { once, strikes, line: None } });
        }
        let ticket =
            ticket.zip(told).map(|(secret, TicketNotice { name, expires, .. })| Ticket { secret, name, expires });
        let introduced = ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: many.introducer });
        let origin = self.origin::<D>(comer, introduced);
        let shown = Shown { checked, proof, ticket: ticket.as_ref() };
        let (line, seed) = D::line_of_many(origin, self, shown, &many.seed, now).ok_or(refused)?;
        let line = Some(line);
        let many = Many { seed, used: many.used.saturating_add(1), introducer: many.introducer };
        let before = self.admits();
        let mut next = Self { many: Some(many), ..self.clone() };
        next.tell(before);
        Ok(Moved { state: State::Offered(next), emit: Emit::Rest, beside: Beside { once, strikes, line } })
    }

    /// §16.4: whether she takes a ticket that she is told of. Nothing moves: it is a row of her caller's.
    pub(crate) fn hear(
        &self,
        told: &TicketNotice,
        from: LineId,
        outstanding: usize,
        now: UnixSeconds,
    ) -> Result<(), Rejected> {
        match outstanding {
            _ if told.line_link != self.port.line_link => Err(Rejected::WrongMachine),
            _ if self.introducer() != Some(from) || told.has_expired(now) => Err(Rejected::TicketRefused),
            MAX_TICKETS.. => Err(Rejected::TooManyTickets),
            _ => Ok(()),
        }
    }

    /// Whoever comes, and however good his proof.
    fn refuses<D: Dialect>(&self, comer: &Visitor<'_, D::Proof>, now: UnixSeconds) -> Option<PortOutcome> {
        match comer.standing {
            _ if self.has_expired(now) => Some(PortOutcome::Expired),
            _ if self.policy.is_paused() => Some(PortOutcome::Paused),
            Relationship::Blocked => Some(PortOutcome::Blocked),
            Relationship::Connected(_) if self.policy.refuses_again() || self.policy.replaces() && !D::CONFIRMS => {
                Some(PortOutcome::AlreadyConnected)
            }
            Relationship::Connected(_) | Relationship::Unknown => None,
        }
    }

    fn origin<D: Dialect>(&self, comer: &Visitor<'_, D::Proof>, introduced: Option<Introduced>) -> Origin {
        let replaces = match comer.standing {
            Relationship::Connected(line_id) if self.policy.replaces() => Some(line_id),
            _ => None,
        };
        Origin::new::<D>(&self.port, comer.line_id, comer.pair_hash, replaces, introduced)
    }

    fn admits(&self) -> Admission {
        self.policy.admits(self.port.kind, self.used())
    }

    /// Has something to tell the relay, if that is not what it knows already (§14.2).
    fn tell(&mut self, knows: Admission) {
        if self.admits() != knows {
            self.version = self.version.saturating_add(1);
            self.due = true;
        }
    }

    pub(crate) fn expiry(&self) -> Option<UnixSeconds> {
        self.policy.expiry(self.port.expires())
    }

    pub(crate) fn has_expired(&self, now: UnixSeconds) -> bool {
        self.expiry().is_some_and(|expiry| now >= expiry)
    }

    pub(crate) fn end(&self, end: PortOutcome) -> State {
        let Port { line_link, kind, .. } = self.port;
        State::Spent(Tombstone::ended(RecordKey::LineLink(line_link), end, FinalRequest::CloseLink(kind)))
    }
}
