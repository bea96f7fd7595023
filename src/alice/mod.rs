//! Alice: one Port at its creator's side (§4).

pub(crate) mod offered;
mod outbox;
mod visit;

use core::fmt;
use core::marker::PhantomData;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::dialect::{Dialect, Native};
use crate::error::Rejected;
use crate::id::{LineId, LineLink, RecordKey, RequestId};
use crate::line::Line;
use crate::machine::peers::Peers;
use crate::machine::step::{Created, Step};
use crate::machine::{Held, Role};
use crate::message::{Event, Request};
use crate::outcome::PortOutcome;
use crate::port::Port;
use crate::port::options::PortOptions;
use crate::port::policy::Policy;
use crate::port::ticket::TicketNotice;
use crate::proof::PrivateKey;
use crate::secret::{Rad, Seed};
use crate::time::UnixSeconds;
use crate::tombstone::{FinalRequest, Tombstone};
use offered::{After, Next, Offered, Once, Visitor};

/// One Port at its creator's side (§4): `Requesting ─LineLinkIssued▶ Offered ─LineFormed▶ Spent`.
///
/// The first `LineFormed` spends a Port for one use, durably, whatever proof came with it. It leaves a [`Line`] or a [`PortOutcome`].
///
/// A Port for many stays offered (§14). Each good proof forms a [`Line`]. A refusal uses nothing up.
pub type Alice = AliceOf<Native>;

/// An Alice of either [`Dialect`]: [`Alice`] speaks this crate's own, `app::Alice` the app's.
pub struct AliceOf<D: Dialect>(pub(crate) Held<State>, pub(crate) PhantomData<fn() -> D>);

/// What an Alice asks its caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// A line was formed, and its row is stored: [`Write::new_line`](crate::Write::new_line). Do what is pending in the line. After a
    /// crash no effect tells of this line again: what you want to know of it, note in the same transaction.
    LineFormed(Line),
    /// Send this to the relay.
    Send(Request<'m>),
    /// Show this Port: as a QR code, a link, by NFC. If a [`Send`](AliceEffect::Send) comes before it, wait until the relay took that
    /// request (§14.2). A contact port is not shown: grant it along the introducer's line, by
    /// [`IntroducerMessage::Grant`](crate::IntroducerMessage::Grant). To show it again does no harm.
    PortReady(&'m Port),
    /// The Port is dead without a line. Tell the user, then clear the outbox.
    Ended(PortOutcome),
}

/// Where an Alice stands (§4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum AlicePhase {
    /// It waits for a line link.
    Requesting,
    /// It waits for somebody who holds the Port.
    Offered,
    /// The Port is spent, with this line.
    Formed(LineId),
    /// The Port is dead, without a line.
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
    options: PortOptions,
}

impl Requesting {
    fn new<D: Dialect>(options: PortOptions, seed: Seed) -> Self {
        let Seed { private_key, block: rad, request_id } = seed;
        let options = PortOptions { terms: D::terms(options.terms), ..options };
        let request_id = RequestId::from(*request_id.expose());
        Self { request_id, private_key: PrivateKey::new(private_key), rad, options }
    }

    fn into_offered(self, line_link: LineLink) -> Offered {
        let Self { request_id: _, private_key, rad, options } = self;
        Offered::new(line_link, private_key, rad, options)
    }
}

impl Alice {
    /// Takes an event from the relay (§4.5). `peers` says what the caller's tables hold about the visitor (§14.6, §16.4);
    /// [`NoPeers`](crate::NoPeers) is for a caller without tables. `rng` makes the ephemeral key of a line of a Port for many (§14.7).
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle<R: CryptoRng + ?Sized>(
        &mut self,
        event: &Event<'_>,
        peers: &impl Peers,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'_, Self>, Rejected> {
        let state = &self.0.state;
        if event.key() != state.key() {
            return Err(Rejected::WrongMachine);
        }
        match (state, event) {
            (State::Requesting(requesting), Event::LineLinkIssued { line_link, .. }) => {
                let next = requesting.issued(*line_link, now);
                Ok(Step::new(self, next))
            }
            (State::Offered(offered), Event::LineFormed { line_id, pair_hash, proof, .. }) => {
                let (has_line, relationship) = (peers.has_line(line_id), peers.relationship(pair_hash));
                let visitor = Visitor { line_id: *line_id, pair_hash: *pair_hash, relationship };
                let next = match (offered.is_for_many(), has_line) {
                    (false, true) => offered.spent(offered.port().hash(), *line_id, Ok(None)),
                    (false, false) => visit::spend(offered, &visitor, proof.as_ref(), now),
                    (true, true) => return Err(Rejected::Duplicate),
                    (true, false) => visit::admit(offered, &visitor, proof.as_ref(), peers, now, rng)?,
                };
                Ok(self.after_use(next, |once| match once {
                    Once::LineFormed(line) => AliceEffect::LineFormed(line),
                    Once::Disconnect(line_id) => AliceEffect::Send(Request::Disconnect { line_id }),
                }))
            }
            (State::Spent(tombstone), event) => Err(tombstone.reject(event, peers)),
            _ => Err(Rejected::OutOfOrder),
        }
    }

    /// The Port, while it is on offer.
    pub const fn port(&self) -> Option<&Port> {
        self.port_on_offer()
    }
}

impl<D: Dialect> AliceOf<D>
where
    Self: Role<State = State, Change = State>,
{
    /// Makes a Port whose line link has to be asked for (§4.1). The request is [`pending`](crate::Machine::pending).
    pub fn request(options: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Requesting(Requesting::new::<D>(options, seed)))
    }

    /// Makes a Port of a line link that is here already, from a [`Pool`](crate::Pool): no network is needed (§4.1).
    ///
    /// Never use a link twice. If a Port was made of this link before, the store finds its key taken.
    pub fn offer(line_link: LineLink, options: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Offered(Requesting::new::<D>(options, seed).into_offered(line_link)))
    }

    /// Changes the use limit, pauses or resumes the Port, or moves its closing date (§14.2). The limit may go below the number already
    /// used. Connections in flight are judged by the policy in force when they arrive.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: the Port is dead already. [`Rejected::PolicyMismatch`]: the policy does not fit this kind of Port.
    pub fn set_policy(&mut self, policy: Policy) -> Result<Step<'_, Self>, Rejected> {
        let (next, places) = match &self.0.state {
            State::Requesting(requesting) => {
                if !policy.suits(requesting.options.kind()) {
                    return Err(Rejected::PolicyMismatch);
                }
                let options = PortOptions { policy, ..requesting.options.clone() };
                // The request is out already. The relay is told of the policy once there is a link.
                (State::Requesting(Requesting { options, ..requesting.clone() }), 0..0)
            }
            State::Offered(offered) => {
                let next = offered.with_policy(policy)?;
                let places = next.new_places();
                (State::Offered(next), places)
            }
            State::Spent(_) => return Err(Rejected::OutOfOrder),
        };
        Ok(Step::new(self, next).outbox(places))
    }

    /// Takes the Port back (§4.4): it forms no line any more. A contact's right is withdrawn so, too (§16.6). Then delete the rows of
    /// its tickets, and tell the contact by [`IntroducerMessage::Withdrawn`](crate::IntroducerMessage::Withdrawn). A dead machine does
    /// not say whom: note the link and the line in the same transaction, and say it again after a crash until it was handed over.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: the Port is dead already.
    pub fn revoke(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let next = self.0.state.end(PortOutcome::Revoked).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, next))
    }

    /// Whether to accept a ticket that was announced along the line `from` (§16.4). Nothing moves. If so, insert the notice as a row in
    /// the same transaction as that line's step, unique by its [`ticket`](TicketNotice::ticket). If there is such a row, or a
    /// [mark](crate::Write::unique) of the same bytes, the ticket was announced before or used: leave what is there, and go on.
    ///
    /// `outstanding` is how many rows there are of this contact port.
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`]: it is for another contact port. [`Rejected::TicketRefused`]. [`Rejected::TooManyTickets`].
    /// [`Rejected::OutOfOrder`]: this contact port was withdrawn, or has expired. With each, keep the line's step, and no row.
    pub fn accept_ticket(
        &self,
        notice: &TicketNotice,
        from: LineId,
        outstanding: usize,
        now: UnixSeconds,
    ) -> Result<(), Rejected> {
        match &self.0.state {
            State::Offered(offered) => offered.accept_ticket(notice, from, outstanding, now),
            State::Requesting(_) => Err(Rejected::WrongMachine),
            State::Spent(_) => Err(Rejected::OutOfOrder),
        }
    }

    /// The step of a use.
    pub(crate) fn after_use<'m, L>(
        &'m mut self,
        next: Next<L>,
        effect: impl FnOnce(Once<L>) -> <Self as Role>::Effect<'m>,
    ) -> Step<'m, Self> {
        let state = match next.port {
            After::Offered(offered) => State::Offered(offered),
            After::Spent(tombstone) => State::Spent(tombstone),
        };
        Step::new(self, state).once(next.once.map(effect)).outbox(next.outbox).conditions(next.conditions)
    }

    /// How the Port may be used. `None` once it is dead.
    pub const fn policy(&self) -> Option<&Policy> {
        match &self.0.state {
            State::Requesting(requesting) => Some(&requesting.options.policy),
            State::Offered(offered) => Some(offered.policy()),
            State::Spent(_) => None,
        }
    }

    /// The line along which a contact port is granted and its tickets are announced (§16.1). `None` for any other Port, and once it is
    /// dead.
    pub fn introducer(&self) -> Option<LineId> {
        match &self.0.state {
            State::Requesting(requesting) => requesting.options.introducer,
            State::Offered(offered) => offered.introducer(),
            State::Spent(_) => None,
        }
    }

    /// How often a Port for many was used. 0 for any other Port, and once it is dead.
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
            State::Spent(Tombstone::Ended { outcome, .. }) => AlicePhase::Ended(*outcome),
        }
    }
}

impl<D: Dialect> AliceOf<D> {
    pub(crate) const fn port_on_offer(&self) -> Option<&Port> {
        match &self.0.state {
            State::Offered(offered) => Some(offered.port()),
            _ => None,
        }
    }
}

impl<D: Dialect> fmt::Debug for AliceOf<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Alice").field(&self.0).finish()
    }
}

impl Requesting {
    #[cfg(feature = "app")]
    pub(crate) const fn options(&self) -> &PortOptions {
        &self.options
    }

    /// §4.2.
    pub(crate) fn issued(&self, line_link: LineLink, now: UnixSeconds) -> State {
        let offered = self.clone().into_offered(line_link);
        // Too late to be offered: the relay need not keep the link.
        if offered.has_expired(now) { State::Spent(offered.end(PortOutcome::Expired)) } else { State::Offered(offered) }
    }
}

impl State {
    pub(crate) const fn key(&self) -> RecordKey {
        match self {
            Self::Requesting(requesting) => RecordKey::Request(requesting.request_id),
            Self::Offered(offered) => RecordKey::LineLink(offered.port().line_link),
            Self::Spent(tombstone) => tombstone.key(),
        }
    }

    /// `None` if the Port was dead before.
    fn end(&self, outcome: PortOutcome) -> Option<Self> {
        match self {
            Self::Requesting(_) => Some(Self::Spent(Tombstone::ended(self.key(), outcome, FinalRequest::Nothing))),
            Self::Offered(offered) => Some(Self::Spent(offered.end(outcome))),
            Self::Spent(_) => None,
        }
    }
}
