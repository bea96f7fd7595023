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
use offered::{After, NEW, Next, Offered, Once, Visitor};

/// The machine that makes one Port and waits for its user (§4): `Requesting ─LineLinkIssued▶ Offered ─LineFormed▶ Spent`.
///
/// The first `LineFormed` spends a Port for one use, whatever its proof is. A good proof forms a [`Line`]. If there is no proof yet, a
/// [`Line`] is formed, too, and waits for it. A bad proof forms no line, and leaves a [`PortOutcome`].
///
/// A Port for many stays offered (§14). Each good proof forms a [`Line`]. A refused visitor does not count as a use.
pub type Alice = AliceOf<Native>;

/// The Alice of one wire format ([`Dialect`]). Most programs use [`Alice`]. `app::Alice` is for the deployed app.
pub struct AliceOf<D: Dialect>(pub(crate) Held<State>, pub(crate) PhantomData<fn() -> D>);

/// What an Alice asks its caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// A line was formed. Its row was in [`Write::new_line`](crate::Write::new_line), and is stored. Do what is pending in the line. This
    /// effect comes once, and not again after a crash. To store notes of your own on the line, do it in the closure of
    /// [`Step::store`], with the row.
    LineFormed(Line),
    /// Send this to the relay. A `SetLineLink` also renews the link's lifetime at the relay: do what is pending whenever the connection
    /// comes back, and once a month if it never breaks (§4.6).
    Send(Request<'m>),
    /// Show this Port: as a QR code, a link, by NFC. You may show it again. If a [`Send`](AliceEffect::Send) comes before it, wait until
    /// your transport says that the relay has taken that request, which has no reply (§14.2). A `Send` that comes after it need not be
    /// waited for: a Port for one use can be shown without a network.
    ///
    /// Give a contact port to its introducer only: as [`IntroducerMessage::Grant`](crate::IntroducerMessage::Grant), along your line with
    /// the introducer.
    PortReady(&'m Port),
    /// The Port ended. If it was for one use, it formed no line. If it was for many, the lines that it formed go on. Tell the user. Clear
    /// the outbox once the relay has the requests that came before this.
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
    /// The Port was used, and formed this line.
    Formed(LineId),
    /// The Port ended. If it was for one use, it formed no line.
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
    /// Takes an event from the relay (§4.5). Through `peers` you say whether you know or block the visitor, and which tickets are good
    /// (§14.6, §16.4). Pass [`NoPeers`](crate::NoPeers) if you keep no such tables. `rng` is used by a Port for many only: each of its
    /// lines needs a fresh key (§14.7).
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged.
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
        // Each arm is a function that is not inlined: the stack holds the frame of one of them, and not of all.
        match (state, event) {
            // That is for a Bob.
            (_, Event::Connected { .. }) => Err(Rejected::WrongMachine),
            (State::Requesting(_), Event::LineLinkIssued { line_link, .. }) => self.link_issued(*line_link, now),
            (State::Offered(_), Event::LineLinkLost { .. }) => self.link_lost(),
            (State::Offered(offered), Event::LineFormed { line_id, peer, proof, .. }) => {
                let visitor = Visitor { line_id: *line_id, peer: *peer, relationship: peers.relationship(peer) };
                match (peers.port_of_line(line_id), offered.is_for_many()) {
                    (Some(of_line), _) => self.line_is_there(of_line, *line_id),
                    (None, false) => self.spend(&visitor, proof.as_ref(), now),
                    (None, true) => self.admit(&visitor, proof.as_ref(), peers, now, rng),
                }
            }
            (State::Spent(tombstone), event) => Err(tombstone.reject(event, peers)),
            _ => Err(Rejected::OutOfOrder),
        }
    }

    /// §4.2.
    #[inline(never)]
    fn link_issued(&mut self, line_link: LineLink, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let State::Requesting(requesting) = &self.0.state else { return Err(Rejected::OutOfOrder) };
        let next = requesting.issued(line_link, now);
        Ok(Step::new(self, next).outbox(0..NEW))
    }

    /// §4.6.
    #[inline(never)]
    fn link_lost(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let next = State::Spent(self.offered()?.lost());
        Ok(Step::new(self, next))
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
    /// Makes a Port, and asks the relay for its line link (§4.1). The request is [`pending`](crate::Machine::pending): send it.
    // Not inlined: what is moved in it lies below its caller, where the commit wipes it.
    #[inline(never)]
    pub fn request(options: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Requesting(Requesting::new::<D>(options, seed)))
    }

    /// Makes a Port of a line link that is here already, from a [`Pool`](crate::Pool) (§4.1). A Port for one use needs no network. For a Port
    /// for many, send what is pending before you show it: the relay must know that its link is for many.
    ///
    /// Never use a link twice. If you do, the insert fails: a row with that key exists already.
    // As `request`.
    #[inline(never)]
    pub fn offer(line_link: LineLink, options: PortOptions, seed: Seed) -> Created<Self> {
        Created::new(State::Offered(Requesting::new::<D>(options, seed).into_offered(line_link)))
    }

    /// Changes the use limit, pauses or resumes the Port, or changes its closing date (§14.2). The limit may go below the number already
    /// used. A connection in flight is judged by the policy in force when it arrives.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: the Port has ended already. [`Rejected::PolicyMismatch`]: the policy does not fit this kind of Port.
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

    /// Takes the Port back (§4.4): it forms no line any more.
    ///
    /// Revoking a contact port also ends its introducer's right (§16.6). Before you revoke it, read [`introducer`](AliceOf::introducer)
    /// and the Port's line link. Store these two ids, and delete the rows of its tickets, in the transaction of this step. Then send
    /// [`IntroducerMessage::Withdrawn`](crate::IntroducerMessage::Withdrawn) along the introducer's line, again after a crash, until the
    /// relay has it.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: the Port has ended already.
    pub fn revoke(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let next = self.0.state.end(PortOutcome::Revoked).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, next))
    }

    /// Checks a ticket that was announced along the line `from` (§16.4). The machine does not change. On `Ok`, insert the notice as a row
    /// in the same transaction as that line's step, unique by its [`ticket`](TicketNotice::ticket). If
    /// `notice.ticket` is in your table of tickets already, or its 32 bytes are in your table of [marks](crate::Write::unique), the ticket
    /// is not new: insert nothing, and go on.
    ///
    /// `outstanding` is the number of ticket rows that you hold for this contact port.
    ///
    /// # Errors
    /// On each, store the line's step, but do not insert the ticket. [`Rejected::WrongMachine`]: it is for another contact port, or this
    /// one has no link yet. [`Rejected::TicketRefused`]: its announcer is not the introducer, or it has expired.
    /// [`Rejected::TooManyTickets`]: `outstanding` is at its bound. [`Rejected::OutOfOrder`]: this contact port has ended or expired.
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

    /// The Port's policy. `None` once the Port has ended.
    pub const fn policy(&self) -> Option<&Policy> {
        match &self.0.state {
            State::Requesting(requesting) => Some(&requesting.options.policy),
            State::Offered(offered) => Some(offered.policy()),
            State::Spent(_) => None,
        }
    }

    /// Your line with the contact who may introduce guests by this contact port (§16.1). `None` for any other Port, and once it has ended.
    pub fn introducer(&self) -> Option<LineId> {
        match &self.0.state {
            State::Requesting(requesting) => requesting.options.introducer,
            State::Offered(offered) => offered.introducer(),
            State::Spent(_) => None,
        }
    }

    /// How often a Port for many was used. 0 for any other Port, and once it has ended.
    pub fn used(&self) -> u32 {
        match &self.0.state {
            State::Offered(offered) => offered.used(),
            _ => 0,
        }
    }

    /// Whether the Port has ended, with a line or without.
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
