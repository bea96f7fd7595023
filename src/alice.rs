//! Alice: one Port at its creator's side (§4).

use minicbor::{Decode, Encode};

use crate::error::Rejected;
use crate::id::{Key, LineId, LineLink, Mark, PairHash, RequestId, TicketHash};
use crate::known::{Known, Standing};
use crate::line::{Introduced, Line, Origin, Phase};
use crate::machine::{Born, Emit, Held, Once, Record, Role, Step, Taken};
use crate::message::{Admits, Event, Request};
use crate::policy::{Offer, Policy, Uses};
use crate::port::{Kind, Port, UnixSeconds};
use crate::proof::{self, PrivateKey, Proof};
use crate::secret::{Rad, Secret, Seed};
use crate::spent::{Farewell, Last, Spent};
use crate::ticket::{self, Ticket, ToldTicket};

/// One Port at its creator's side (§4): `Requesting ─LineLinkIssued▶ Offered ─LineFormed▶ Spent`.
///
/// Every `LineFormed` spends it, durably, whatever proof came with it. What comes of it is a [`Line`] or an
/// [`AliceEnd`].
#[derive(Debug)]
pub struct Alice(Held<State>);

/// What an Alice asks her caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// Send this to the Server.
    Send(Request<'m>),
    /// Show this Port: as a QR code, a link, by NFC.
    PortReady(&'m Port),
    /// A line was formed. Insert it at [`Born::key`] (if that is taken, ask [`Born::is_stored_as`]), commit a clone of it, do
    /// what is in its `unsent()`, then settle this Alice.
    LineFormed(&'m Born<Line>),
    /// It is over without a line. Tell the user, then settle.
    Ended(AliceEnd),
}

/// Why a Port is dead without a line (§4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum AliceEnd {
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
    /// Spent, with a line.
    Formed,
    /// Spent, without one.
    Ended(AliceEnd),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum State {
    #[n(1)]
    Requesting(#[n(0)] Requesting),
    #[n(2)]
    Offered(#[n(0)] Offered),
    #[n(3)]
    Spent(#[n(0)] Spent<AliceEnd>),
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
    offer: Offer,
    /// Of a Port for many.
    #[n(4)]
    seed: Option<Secret<32>>,
}

/// Waits for somebody who holds the Port.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Offered {
    #[n(0)]
    port: Port,
    #[n(1)]
    private_key: PrivateKey,
    #[n(2)]
    policy: Policy,
    /// Of what the Server was told of it (§14.2).
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
    /// The last use, until it was stored by itself.
    #[n(3)]
    line: Option<Born<Line>>,
}

impl Requesting {
    fn new(offer: Offer, seed: Seed) -> Self {
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
fn transition(state: &State, event: &Event<'_>, known: &impl Known, now: UnixSeconds) -> Result<Moved, Rejected> {
    if event.key() != Alice::key_of(state) {
        return Err(Rejected::NotMine);
    }
    match (state, event) {
        (State::Requesting(requesting), Event::LineLinkIssued { line_link, .. }) => {
            let offered = requesting.clone().offered(*line_link);
            // Too late to be offered: the Server need not keep the link.
            let next = if offered.has_expired(now) { offered.end(AliceEnd::Expired) } else { State::Offered(offered) };
            Ok(Moved::to(next))
        }
        (State::Offered(offered), Event::LineFormed { line_id, pair_hash, proof, .. }) => {
            let comer = Comer { line_id: *line_id, pair_hash: *pair_hash, proof: proof.as_ref() };
            match &offered.many {
                None => Ok(offered.spend(&comer, known, now)),
                Some(many) => offered.admit(many, &comer, known, now),
            }
        }
        (State::Spent(spent), event) => Err(spent.reject(event)),
        _ => Err(Rejected::OutOfOrder),
    }
}

/// Where an event takes her, and what the caller's tables have to do with it.
struct Moved {
    state: State,
    once: Option<Once>,
    strikes: Option<TicketHash>,
    emit: Emit<'static>,
}

/// Somebody who comes, by the Server's word.
struct Comer<'e> {
    line_id: LineId,
    pair_hash: PairHash,
    proof: Option<&'e Proof>,
}

impl Moved {
    const fn to(state: State) -> Self {
        Self { state, once: None, strikes: None, emit: Emit::Outbox }
    }
}

impl Requesting {
    fn offered(self, line_link: LineLink) -> Offered {
        let Self { request_id: _, private_key, rad, offer, seed } = self;
        let Offer { terms, policy, introducer } = &offer;
        let port = Port {
            kind: offer.kind(),
            line_link,
            public_key: private_key.public_key(),
            rad,
            terms: terms.clone(),
            ticket: None,
        };
        let many = seed.map(|seed| Many { seed, used: 0, introducer: *introducer, line: None });
        let offered = Offered { port, private_key, policy: *policy, version: 0, due: false, many };
        // As it is issued, a link admits one.
        offered.tell(Admits::One)
    }
}

impl Offered {
    /// §4.3: whatever comes of it, a Port for one use is spent.
    fn spend(&self, comer: &Comer<'_>, known: &impl Known, now: UnixSeconds) -> Moved {
        let Self { port, private_key, policy, .. } = self;
        let origin = self.origin(comer, known, None);
        let phase = match (self.refuses(comer, known, now), comer.proof) {
            (Some(end), _) => Err(end),
            (None, None) => Ok(Phase::awaiting_proof(private_key, port, policy.asks(), now)),
            (None, Some(proof)) => Phase::of_alice(&origin, private_key, &port.rad, policy.asks(), proof)
                .ok_or(AliceEnd::ProofRefused),
        };
        let mark = Mark::from(*origin.port.as_bytes());
        let ended = |end| Spent::ended(Key::LineLink(port.line_link), end, Farewell::disconnect(comer.line_id));
        let spent = phase.map_or_else(ended, |phase| Spent::formed(port.line_link, origin, phase));
        Moved { once: Some(Once { mark, taken: Taken::Revoke }), ..Moved::to(State::Spent(spent)) }
    }

    /// §14.4: one more use of a Port for many, in this order. What is refused uses nothing up, and looks alike.
    fn admit(&self, many: &Many, comer: &Comer<'_>, known: &impl Known, now: UnixSeconds) -> Result<Moved, Rejected> {
        let Self { port, private_key, policy, .. } = self;
        let Comer { line_id, .. } = *comer;
        let refused = Rejected::Stray(line_id);
        if let Some(line) = &many.line {
            let same = line.key() == Key::Line(line_id);
            return Err(if same { Rejected::Repeated } else { Rejected::Unsettled });
        }
        if self.has_expired(now) {
            let farewell = Farewell { disconnect: Some(line_id), close: Some(port.line_link) };
            let spent = Spent::ended(Key::LineLink(port.line_link), AliceEnd::Expired, farewell);
            return Ok(Moved::to(State::Spent(spent)));
        }
        if self.refuses(comer, known, now).is_some() || policy.admits(port.kind, many.used) != Admits::Many {
            return Err(refused);
        }
        let proof = comer.proof.ok_or(refused)?;
        let (secret, ticket) = match port.kind {
            Kind::ContactPort => {
                let (secret, ticket) = proof::check_with_ticket(private_key, &port.rad, proof).ok_or(refused)?;
                (secret, Some(ticket))
            }
            _ => (proof::check(private_key, &port.rad, proof).ok_or(refused)?, None),
        };
        let told = match &ticket {
            Some(ticket) => {
                let told = known.ticket(&ticket::hash(ticket)).ok_or(Rejected::UnknownTicket(line_id))?;
                Some(if told.line_link == port.line_link { told } else { return Err(refused) })
            }
            None => None,
        };
        let strikes = told.as_ref().map(|told| told.ticket);
        if told.as_ref().is_some_and(|told| told.has_expired(now)) {
            // Struck out, or a clock that jumps back would revive it.
            let state = State::Offered(self.clone());
            return Ok(Moved { strikes, emit: Emit::Refused(line_id), ..Moved::to(state) });
        }
        let ticket = ticket.zip(told).map(|(secret, ToldTicket { name, expires, .. })| Ticket { secret, name, expires });
        let introduced = ticket.as_ref().map(|ticket| Introduced { name: ticket.name.clone(), by: many.introducer });
        let origin = self.origin(comer, known, introduced);
        let mark = secret.mark(&origin.port);
        let shown = (&secret, proof, ticket.as_ref());
        let (phase, seed) =
            Phase::of_alice_of_many(&origin, shown, &many.seed, policy.asks(), now).ok_or(refused)?;
        let line = Some(Born::line(origin, phase));
        let many = Many { seed, used: many.used.saturating_add(1), line, ..many.clone() };
        let before = self.admits();
        let next = Self { many: Some(many), ..self.clone() }.tell(before);
        Ok(Moved { once: Some(Once { mark, taken: Taken::Disconnect(line_id) }), strikes, emit: Emit::Rest, ..Moved::to(State::Offered(next)) })
    }

    /// Whoever comes, and however good his proof.
    fn refuses(&self, comer: &Comer<'_>, known: &impl Known, now: UnixSeconds) -> Option<AliceEnd> {
        match known.pair(&comer.pair_hash) {
            _ if self.has_expired(now) => Some(AliceEnd::Expired),
            _ if self.policy.is_paused() => Some(AliceEnd::Paused),
            Standing::Blocked => Some(AliceEnd::Blocked),
            Standing::Connected(_) if self.policy.refuses_again() => Some(AliceEnd::AlreadyConnected),
            Standing::Connected(_) | Standing::Stranger => None,
        }
    }

    fn origin(&self, comer: &Comer<'_>, known: &impl Known, introduced: Option<Introduced>) -> Origin {
        let replaces = match known.pair(&comer.pair_hash) {
            Standing::Connected(line_id) if self.policy.replaces() => Some(line_id),
            _ => None,
        };
        Origin::new(&self.port, comer.line_id, comer.pair_hash, replaces, introduced)
    }

    fn admits(&self) -> Admits {
        self.policy.admits(self.port.kind, self.many.as_ref().map_or(0, |many| many.used))
    }

    /// Has something to tell the Server, if that is not what it knows already (§14.2).
    fn tell(mut self, knows: Admits) -> Self {
        if self.admits() != knows {
            self.version = self.version.saturating_add(1);
            self.due = true;
        }
        self
    }

    fn expiry(&self) -> Option<UnixSeconds> {
        let ends = [self.port.expires(), self.policy.end()];
        ends.into_iter().flatten().min()
    }

    fn has_expired(&self, now: UnixSeconds) -> bool {
        self.expiry().is_some_and(|expiry| now >= expiry)
    }

    /// A line that is not stored yet must not go down with the Port.
    fn is_settled(&self) -> bool {
        self.many.as_ref().is_none_or(|many| many.line.is_none())
    }

    fn end(&self, end: AliceEnd) -> State {
        let link = self.port.line_link;
        State::Spent(Spent::ended(Key::LineLink(link), end, Farewell::close(link)))
    }
}

impl Alice {
    /// A Port yet to be: its line link has to be asked for (§4.1). The request is in
    /// [`unsent`](crate::Machine::unsent).
    pub fn request(offer: Offer, seed: Seed) -> Born<Self> {
        Born::new(State::Requesting(Requesting::new(offer, seed)))
    }

    /// A Port of a line link that she has already, from her pool: no network needed (§4.1).
    ///
    /// Never of a link that was offered before: the store will find its key taken.
    pub fn offer(line_link: LineLink, offer: Offer, seed: Seed) -> Born<Self> {
        Born::new(State::Offered(Requesting::new(offer, seed).offered(line_link)))
    }

    /// Takes an event from the Server (§4.5), from somebody of whom nothing is known.
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
        known: &impl Known,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let Moved { state, once, strikes, emit } = transition(&self.0.state, event, known, now)?;
        Ok(Step::new(self, state, emit, once).striking(strikes))
    }

    /// [`handle`](Alice::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    pub fn handle_bytes(&mut self, event: &[u8], now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(&Event::decode(event)?, now)
    }

    /// Changes how the Port may be used (§14.2): the limit, also below what was used; pause, resume; until when. What is in
    /// flight is judged by the policy of the moment when it comes in.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is dead already. [`Rejected::SingleUse`]: a plain Port stays one.
    /// [`Rejected::Unsettled`].
    pub fn set_policy(&mut self, policy: Policy) -> Result<Step<'_, Self>, Rejected> {
        let state = match &self.0.state {
            State::Requesting(requesting) => {
                let offer = Offer { policy, ..requesting.offer.clone() };
                if offer.kind() != requesting.offer.kind() {
                    return Err(Rejected::SingleUse);
                }
                State::Requesting(Requesting { offer, ..requesting.clone() })
            }
            State::Offered(offered) if !offered.is_settled() => return Err(Rejected::Unsettled),
            State::Offered(Offered { many: None, .. }) if policy.limit() != Uses::Once => {
                return Err(Rejected::SingleUse);
            }
            State::Offered(offered) => {
                State::Offered(Offered { policy, ..offered.clone() }.tell(offered.admits()))
            }
            State::Spent(_) => return Err(Rejected::OutOfOrder),
        };
        Ok(Step::new(self, state, Emit::Rest, None))
    }

    /// Takes the Port back (§4.4): it forms no line any more.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is dead already. [`Rejected::Unsettled`].
    pub fn revoke(&mut self) -> Result<Step<'_, Self>, Rejected> {
        if matches!(&self.0.state, State::Offered(offered) if !offered.is_settled()) {
            return Err(Rejected::Unsettled);
        }
        let state = self.0.state.end(AliceEnd::Revoked).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state, Emit::Outbox, None))
    }

    /// The Port, while it is on offer.
    pub const fn port(&self) -> Option<&Port> {
        match &self.0.state {
            State::Offered(offered) => Some(&offered.port),
            _ => None,
        }
    }

    /// How the Port may be used; `None` once it is dead.
    pub const fn policy(&self) -> Option<&Policy> {
        match &self.0.state {
            State::Requesting(requesting) => Some(&requesting.offer.policy),
            State::Offered(offered) => Some(&offered.policy),
            State::Spent(_) => None,
        }
    }

    /// How often a Port for many was used. 0 for any other, and once it is dead.
    pub const fn used(&self) -> u32 {
        match &self.0.state {
            State::Offered(Offered { many: Some(many), .. }) => many.used,
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
            State::Spent(Spent::Formed { .. }) => AlicePhase::Formed,
            State::Spent(Spent::Ended { end, .. }) => AlicePhase::Ended(*end),
        }
    }
}

impl State {
    /// `None` if it was over before.
    fn end(&self, end: AliceEnd) -> Option<Self> {
        match self {
            Self::Requesting(_) => Some(Self::Spent(Spent::ended(Alice::key_of(self), end, Farewell::NOTHING))),
            Self::Offered(offered) => Some(offered.end(end)),
            Self::Spent(_) => None,
        }
    }
}

impl From<Held<State>> for Alice {
    fn from(held: Held<State>) -> Self {
        Self(held)
    }
}

impl AsRef<Held<State>> for Alice {
    fn as_ref(&self) -> &Held<State> {
        &self.0
    }
}

impl AsMut<Held<State>> for Alice {
    fn as_mut(&mut self) -> &mut Held<State> {
        &mut self.0
    }
}

impl Role for Alice {
    const ROLE: u8 = 1;
    type State = State;
    type Change = State;
    type Effect<'m> = AliceEffect<'m>;

    fn key_of(state: &State) -> Key {
        match state {
            State::Requesting(requesting) => Key::Request(requesting.request_id),
            State::Offered(offered) => Key::LineLink(offered.port.line_link),
            State::Spent(spent) => spent.key(),
        }
    }

    fn deadline_of(state: &State) -> Option<UnixSeconds> {
        match state {
            State::Requesting(requesting) => requesting.offer.expiry(),
            State::Offered(offered) => offered.expiry().filter(|_| offered.is_settled()),
            State::Spent(_) => None,
        }
    }

    fn after_deadline(state: &State) -> Option<State> {
        state.end(AliceEnd::Expired)
    }

    fn after_settling(state: &State) -> Option<State> {
        match state {
            State::Spent(spent) => spent.settled().map(State::Spent),
            State::Offered(offered) if offered.due || !offered.is_settled() => {
                let many = offered.many.clone().map(|many| Many { line: None, ..many });
                Some(State::Offered(Offered { due: false, many, ..offered.clone() }))
            }
            _ => None,
        }
    }

    fn key_after(_: &State, next: &State) -> Key {
        Self::key_of(next)
    }

    fn record_after(revision: u64, _: &State, next: &State) -> Record {
        Record::of::<Self>(revision, next)
    }

    fn change(state: &mut State, next: &mut State) {
        core::mem::swap(state, next);
    }

    fn effect<'m>(&'m self, emit: Emit<'m>, place: usize) -> Option<AliceEffect<'m>> {
        if let Emit::Refused(line_id) = emit {
            return Some(AliceEffect::Send(Request::Disconnect { line_id }));
        }
        match (&self.0.state, place) {
            (State::Requesting(Requesting { request_id, .. }), 0) => {
                Some(AliceEffect::Send(Request::IssueLineLink { request_id: *request_id }))
            }
            (State::Offered(offered), 0) => Some(AliceEffect::PortReady(&offered.port)),
            (State::Offered(offered), 1) => offered.due.then(|| {
                let Offered { port: Port { line_link, .. }, version, .. } = *offered;
                AliceEffect::Send(Request::SetLineLink { line_link, version, admits: offered.admits() })
            }),
            (State::Offered(Offered { many: Some(many), .. }), _) => many.line.as_ref().map(AliceEffect::LineFormed),
            (State::Spent(spent), place) => spent.effect(place).map(AliceEffect::from),
            _ => None,
        }
    }
}

impl<'m> From<Last<'m, AliceEnd>> for AliceEffect<'m> {
    fn from(last: Last<'m, AliceEnd>) -> Self {
        match last {
            Last::Send(request) => Self::Send(request),
            Last::LineFormed(line) => Self::LineFormed(line),
            Last::Ended(end) => Self::Ended(end),
        }
    }
}
