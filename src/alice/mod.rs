//! Alice: one Port at its creator's side (§4).

pub(crate) mod offered;

use core::fmt;
use core::marker::PhantomData;

use minicbor::{Decode, Encode};

use crate::alice::offered::{Beside, Moved, Offered, Visitor};
use crate::dialect::{Ask, Dialect, Native, Says};
use crate::error::Rejected;
use crate::id::{LineId, LineLink, RecordKey, RequestId};
use crate::line::Line;
use crate::machine::peers::Peers;
use crate::machine::{Created, Emit, Held, Role, Step, impl_machine, whole_state};
use crate::message::{Event, Request};
use crate::port::policy::{Policy, PortOptions};
use crate::port::ticket::TicketNotice;
use crate::port::{Port, UnixSeconds};
use crate::proof::PrivateKey;
use crate::secret::{Rad, Secret, Seed};
use crate::tombstone::{FinalRequest, Tombstone};

/// One Port at its creator's side (§4): `Requesting ─LineLinkIssued▶ Offered ─LineFormed▶ Spent`.
///
/// The first `LineFormed` spends it, durably, whatever proof came with it. What comes of it is a [`Line`] or an
/// [`PortOutcome`].
///
/// A Port for many (§14) stays offered: each good proof yields a [`Line`], and what is refused uses nothing up.
pub type Alice = AliceOf<Native>;

/// An Alice of either [`Dialect`]: [`Alice`] speaks this crate's own, `app::Alice` the app's. What she is stands there.
pub struct AliceOf<D: Dialect>(Held<State>, PhantomData<fn() -> D>);

/// What an Alice asks her caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// Send this to the relay.
    Send(Request<'m>),
    /// Show this Port: as a QR code, a link, by NFC. If a [`Send`](AliceEffect::Send) comes before it, only once the relay took
    /// that (§14.2). A contact port is not shown: it is granted, along the introducer's line, by
    /// [`IntroducerMessage::Grant`](crate::IntroducerMessage::Grant). To do so again does no harm.
    PortReady(&'m Port),
    /// A line was formed, and its record is stored ([`Step::line`]). Do what is in its `pending()`.
    LineFormed(Line),
    /// It is over without a line. Tell the user, then settle.
    Ended(PortOutcome),
}

/// Why a Port is dead without a line (§4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum PortOutcome {
    /// The user took it back.
    #[n(1)]
    Revoked,
    /// It was not used in time.
    #[n(2)]
    Expired,
    /// It was used without a good proof: somebody has the link, but not the Port. Make a new one.
    #[n(3)]
    ProofRefused,
    /// It was used while it was paused.
    #[n(4)]
    Paused,
    /// Somebody whom the user blocked used it.
    #[n(5)]
    Blocked,
    /// Somebody who has a line already used it, and the policy is to refuse him.
    #[n(6)]
    AlreadyConnected,
}

/// Where an Alice stands (§4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AlicePhase {
    /// She waits for a line link.
    Requesting,
    /// She waits for somebody who holds the Port.
    Offered,
    /// Spent, with this line.
    Formed(LineId),
    /// Spent, without one.
    Ended(PortOutcome),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum State {
    #[n(1)]
    Requesting(#[n(0)] Requesting),
    #[n(2)]
    Offered(#[n(0)] Offered),
    #[n(3)]
    Spent(#[n(0)] Tombstone<PortOutcome>),
}

/// Waits for a line link.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Requesting {
    #[n(0)]
    request_id: RequestId,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    rad: Rad,
    #[n(3)]
    offer: PortOptions,
    /// Of a Port for many.
    #[n(4)]
    seed: Option<Secret<32>>,
}

impl Requesting {
    fn new<D: Dialect>(offer: PortOptions, seed: Seed) -> Self {
        let offer = PortOptions { terms: D::terms(offer.terms), ..offer };
        let (private_key, rad, request_id, seed) = if offer.kind().is_for_many() {
            let (private_key, rad, request_id, seed) = seed.expand();
            (private_key, rad, request_id, Some(seed))
        } else {
            let Seed { private_key, block: rad, request_id } = seed;
            (private_key, rad, request_id, None)
        };
        let request_id = RequestId::from(*request_id.expose());
        Self { request_id, private_key: PrivateKey::new(private_key), rad, offer, seed }
    }
}

/// §4.2–§4.4: the whole of Alice but for uses of a Port for many. Her commands, and the deadline, need no event and stand below.
/// The proof is handed in beside the event: each dialect has its own.
fn transition<D: Dialect>(
    state: &State,
    (event, proof): (&Event<'_>, Option<&D::Proof>),
    known: &impl Peers,
    now: UnixSeconds,
) -> Result<Moved<D::Line>, Rejected> {
    if event.key() != state.key() {
        return Err(Rejected::WrongMachine);
    }
    match (state, event) {
        (State::Requesting(requesting), Event::LineLinkIssued { line_link, .. }) => {
            let offered = requesting.clone().offered(*line_link);
            // Too late to be offered: the relay need not keep the link.
            let next =
                if offered.has_expired(now) { offered.end(PortOutcome::Expired) } else { State::Offered(offered) };
            Ok(Moved::to(next))
        }
        // It came again: what answers a stray would end a good line (§4.4).
        (State::Spent(_), Event::LineFormed { line_id, .. }) if known.has_line(line_id) => Err(Rejected::Duplicate),
        (State::Offered(offered), Event::LineFormed { line_id, pair_hash, .. }) => {
            let standing = known.pair(pair_hash);
            let comer = Visitor { line_id: *line_id, pair_hash: *pair_hash, standing, proof };
            offered.used_by::<D>(&comer, known, now)
        }
        (State::Spent(spent), event) => Err(spent.reject(event)),
        _ => Err(Rejected::OutOfOrder),
    }
}

impl Requesting {
    fn offered(self, line_link: LineLink) -> Offered {
        let Self { request_id: _, private_key, rad, offer, seed } = self;
        Offered::new(line_link, private_key, rad, offer, seed)
    }
}

impl<D: Dialect> AliceOf<D> {
    /// A Port yet to be: its line link has to be asked for (§4.1). The request is in
    /// [`pending`](crate::Machine::pending).
    pub fn request(offer: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Requesting(Requesting::new::<D>(offer, seed)))
    }

    /// A Port of a line link that she has already, from her [`Pool`](crate::Pool): no network needed (§4.1).
    ///
    /// Never of a link that was offered before: the store will find its key taken.
    pub fn offer(line_link: LineLink, offer: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Offered(Requesting::new::<D>(offer, seed).offered(line_link)))
    }

    #[inline]
    pub(crate) fn take(
        &mut self,
        event: (&Event<'_>, Option<&D::Proof>),
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let Moved { state, emit, beside } = transition::<D>(&self.0.state, event, known, now)?;
        Ok(Step::with(self, state, emit, beside))
    }

    /// Changes how the Port may be used (§14.2): the limit, also below what was used; pause, resume; until when. What is in
    /// flight is judged by the policy of the moment when it comes in.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is dead already. [`Rejected::PolicyMismatch`]: a plain Port stays one, and a Superport too.
    pub fn set_policy(&mut self, policy: Policy) -> Result<Step<'_, Self>, Rejected> {
        let (state, emit) = match &self.0.state {
            State::Requesting(requesting) => {
                if !policy.suits(requesting.offer.kind()) {
                    return Err(Rejected::PolicyMismatch);
                }
                let offer = PortOptions { policy, ..requesting.offer.clone() };
                // She is asking already. What is other by then, the relay is told when she has a link.
                (State::Requesting(Requesting { offer, ..requesting.clone() }), Emit::Nothing)
            }
            State::Offered(offered) => (State::Offered(offered.with_policy(policy)?), Emit::Rest),
            State::Spent(_) => return Err(Rejected::OutOfOrder),
        };
        Ok(Step::new(self, state, emit))
    }

    /// Takes the Port back (§4.4): it forms no line any more. So is a contact's right withdrawn (§16.6): delete the rows of its
    /// tickets, and let her know by [`IntroducerMessage::Withdrawn`](crate::IntroducerMessage::Withdrawn). Once she is dead this machine does
    /// not say whom: note the link and the line in the same transaction, and say it again after a crash until it was handed over.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is dead already.
    pub fn revoke(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let state = self.0.state.end(PortOutcome::Revoked).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state, Emit::Outbox))
    }

    /// Whether to take a ticket that somebody tells of, along the line `from` (§16.4). Nothing moves. If so, insert the row in the
    /// same transaction as that line's step, as *unique* by its [`ticket`](TicketNotice::ticket). If there is such a row, or a
    /// [mark](crate::Step::once) of the same bytes, she was told before, or another contact told her, or it was used: leave what
    /// is there, and go on without it.
    ///
    /// `outstanding` is how many rows there are of this contact port.
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`]: for another contact port. [`Rejected::TicketRefused`]. [`Rejected::TooManyTickets`].
    /// [`Rejected::OutOfOrder`]: this one was withdrawn, or has expired. With each, keep the line's step, and no row.
    pub fn tell(
        &self,
        told: &TicketNotice,
        from: LineId,
        outstanding: usize,
        now: UnixSeconds,
    ) -> Result<(), Rejected> {
        match &self.0.state {
            State::Offered(offered) if offered.has_expired(now) => Err(Rejected::OutOfOrder),
            State::Offered(offered) => offered.hear(told, from, outstanding, now),
            State::Requesting(_) => Err(Rejected::WrongMachine),
            State::Spent(_) => Err(Rejected::OutOfOrder),
        }
    }

    pub(crate) const fn offered(&self) -> Option<&Port> {
        match &self.0.state {
            State::Offered(offered) => Some(offered.port()),
            _ => None,
        }
    }

    /// How the Port may be used; `None` once it is dead.
    pub const fn policy(&self) -> Option<&Policy> {
        match &self.0.state {
            State::Requesting(requesting) => Some(&requesting.offer.policy),
            State::Offered(offered) => Some(offered.policy()),
            State::Spent(_) => None,
        }
    }

    /// Along which line a contact port is granted, and its tickets are told of (§16.1); `None` if it is none, and once it is dead.
    pub fn introducer(&self) -> Option<LineId> {
        match &self.0.state {
            State::Requesting(requesting) => requesting.offer.introducer,
            State::Offered(offered) => offered.introducer(),
            State::Spent(_) => None,
        }
    }

    /// How often a Port for many was used. 0 for any other, and once it is dead.
    pub fn used(&self) -> u32 {
        match &self.0.state {
            State::Offered(offered) => offered.used(),
            _ => 0,
        }
    }

    /// Whether the Port is dead, with a line or without.
    pub const fn is_spent(&self) -> bool {
        matches!(self.0.state, State::Spent(_))
    }

    /// Where it stands.
    pub const fn phase(&self) -> AlicePhase {
        match &self.0.state {
            State::Requesting(_) => AlicePhase::Requesting,
            State::Offered(_) => AlicePhase::Offered,
            State::Spent(Tombstone::Formed { line_id, .. }) => AlicePhase::Formed(*line_id),
            State::Spent(Tombstone::Ended { end, .. }) => AlicePhase::Ended(*end),
        }
    }
}

impl Alice {
    /// Takes an event from the relay (§4.5), from somebody of whom nothing is known: **nobody is blocked**, nobody is connected
    /// already, and no ticket is good. For all that there is [`handle`](Alice::handle).
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle_knowing(event, &(), now)
    }

    /// [`handle`](Alice::handle), with what the caller knows of who comes: whom the user blocked or has a line with already
    /// (§14.6), which tickets she was told of (§16.4).
    ///
    /// # Errors
    /// The same.
    pub fn handle_knowing(
        &mut self,
        event: &Event<'_>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let proof = match event {
            Event::LineFormed { proof, .. } => proof.as_ref(),
            _ => None,
        };
        self.take((event, proof), known, now)
    }

    /// [`handle`](Alice::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    pub fn handle_bytes(&mut self, event: &[u8], now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(&Event::decode(event)?, now)
    }

    /// The Port, while it is on offer.
    pub const fn port(&self) -> Option<&Port> {
        self.offered()
    }
}

impl State {
    const fn key(&self) -> RecordKey {
        match self {
            Self::Requesting(requesting) => RecordKey::Request(requesting.request_id),
            Self::Offered(offered) => RecordKey::LineLink(offered.port().line_link),
            Self::Spent(spent) => spent.key(),
        }
    }

    /// `None` if it was over before.
    fn end(&self, end: PortOutcome) -> Option<Self> {
        match self {
            Self::Requesting(_) => Some(Self::Spent(Tombstone::ended(self.key(), end, FinalRequest::Nothing))),
            Self::Offered(offered) => Some(offered.end(end)),
            Self::Spent(_) => None,
        }
    }
}

impl<D: Dialect> Role for AliceOf<D> {
    const ROLE: u8 = D::ALICE;
    type State = State;
    type Line = D::Line;
    type Beside = Beside<D::Line>;
    type Effect<'m> = D::AliceEffect<'m>;

    fn key_of(state: &State) -> RecordKey {
        state.key()
    }

    fn deadline_of(state: &State) -> Option<UnixSeconds> {
        match state {
            State::Requesting(requesting) => requesting.offer.expiry(),
            State::Offered(offered) => offered.expiry(),
            State::Spent(_) => None,
        }
    }

    fn after_deadline(state: &State) -> Option<State> {
        state.end(PortOutcome::Expired)
    }

    fn after_settling(state: &State) -> Option<State> {
        match state {
            State::Spent(spent) => spent.settled().map(State::Spent),
            State::Offered(offered) => offered.settled().map(State::Offered),
            State::Requesting(_) => None,
        }
    }

    whole_state!();

    fn effect<'m>(&'m self, emit: Emit<'m>, place: usize, beside: &mut Self::Beside) -> Option<D::AliceEffect<'m>> {
        D::alice_effect(self.says(emit, place, beside)?)
    }
}

impl<D: Dialect> AliceOf<D> {
    #[inline(always)]
    fn says(&self, emit: Emit<'_>, place: usize, beside: &mut Beside<D::Line>) -> Option<Says<'_, D, PortOutcome>> {
        if let Emit::Refused(line_id) = emit {
            return Some(Says::Ask(Ask::Disconnect(line_id)));
        }
        match (&self.0.state, place) {
            (State::Requesting(Requesting { request_id, offer, .. }), 0) => {
                Some(Says::Ask(Ask::Issue { request_id: *request_id, offer }))
            }
            // Before anybody sees the Port, the relay knows for how many it is: else the first would burn its link (§14.2).
            // It is said again whenever the connection comes back, as the Port is shown again: the relay may not have heard it.
            (State::Offered(offered), 0) => {
                offered.news().filter(|_| offered.is_due() || matches!(emit, Emit::Outbox)).map(Says::Ask)
            }
            (State::Offered(_), 1) | (State::Spent(Tombstone::Formed { .. }), 0) => {
                beside.line.take().map(|line| Says::LineFormed(line.commit()))
            }
            (State::Offered(offered), _) => Some(Says::PortReady(offered.port())),
            (State::Spent(spent), place) => spent.says(place),
            _ => None,
        }
    }
}

impl_machine!(AliceOf, "Alice", State);
