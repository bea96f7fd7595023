//! Introducer: a contact port at the contact to whom it was granted (§16.3).

pub(crate) mod message;

use minicbor::{Decode, Decoder, Encode, decode};

use crate::error::{PortError, Rejected};
use crate::id::{LineId, RecordKey};
use crate::introducer::message::IntroducerMessage;
use crate::line::Line;
use crate::machine::{Created, Emit, Held, Nothing, Role, Step, impl_machine, whole_state};
use crate::port::ticket::{IntroducerName, Ticket};
use crate::port::{Port, UnixSeconds};
use crate::secret::Seed;

/// A contact port at the contact to whom Alice granted it (§16.3): `Granted ─introduce▶ Announcing ─told▶ Ready ─settle▶ Granted`.
///
/// For each person whom she introduces she makes a ticket. Alice is told of it first, and only then is there something to hand
/// over: no crash and no haste reverses that. One ticket at a time; she keeps no list.
///
/// ```
/// # use port_protocol::*;
/// # let offer = PortOptions::new().policy(Policy::unlimited()).introducer([2; 16].into());
/// # let alice = Alice::offer([1; 16].into(), offer, Seed::from_bytes(&[1; 64])).commit();
/// # let grant = alice.port().ok_or("no Port")?.to_bytes();
/// # let (port, line_with_alice, now) = (grant.as_slice(), LineId::from([2; 16]), UnixSeconds(0));
/// # fn put(_: RecordKey, _: &[u8]) {}
/// // Along her line with Alice came `IntroducerMessage::Grant { port }`.
/// let born = Introducer::granted(port, line_with_alice)?;
/// put(born.key(), &born.record());
/// let mut carol = born.commit();
///
/// let step = carol.introduce(IntroducerName::new("Carol")?, None, Seed::from_bytes(&[3; 64]), now)?;
/// put(step.key(), &step.record());
/// for effect in step.commit() {
///     let IntroducerEffect::Announce(line_id, introduction) = effect else { continue };
///     assert_eq!(line_id, line_with_alice); // seal it: `Line::introduce`. Hand the packet over to the relay
/// }
/// let step = carol.told()?; //                   and only then:
/// put(step.key(), &step.record());
/// for effect in step.commit() {
///     let IntroducerEffect::Ready(port) = effect else { continue };
///     Port::parse(port.qr_text().as_str())?; //  for Bob, and nobody else
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Introducer(Held<State>);

/// What an Introducer asks her caller to do.
#[derive(PartialEq, Eq, Debug)]
pub enum IntroducerEffect<'m> {
    /// Seal this along this line, with [`Line::introduce`](crate::Line::introduce), and hand it over to the relay; then call
    /// [`told`](Introducer::told). To say it twice does no harm. If the line is closed, [`cancel`](Introducer::cancel).
    Announce(LineId, IntroducerMessage<'m>),
    /// Give this Port to whom is to be introduced, and to nobody else: as a QR code, a link. Then settle.
    Ready(Port),
    /// There are no more tickets. Tell the user, then settle.
    Ended(GrantOutcome),
}

/// Why there are no more tickets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum GrantOutcome {
    /// Alice took the right back.
    #[n(1)]
    Withdrawn,
    /// The contact port has expired.
    #[n(2)]
    Expired,
    /// The user gave it up.
    #[n(3)]
    Cancelled,
}

/// Where an Introducer stands (§16.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum IntroducerPhase {
    /// She may introduce somebody.
    Granted,
    /// There is a ticket, and Alice is to be told of it.
    Announcing,
    /// Alice was told, and the Port is to be handed over.
    Ready,
    /// There are no more tickets.
    Ended(GrantOutcome),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum State {
    #[n(1)]
    Granted(#[n(0)] Grant),
    #[n(2)]
    Announcing(#[n(0)] Grant, #[n(1)] Ticket),
    #[n(3)]
    Ready(#[n(0)] Grant, #[n(1)] Ticket),
    #[n(4)]
    Ended {
        #[n(0)]
        from: LineId,
        #[n(1)]
        end: GrantOutcome,
        /// Until it was said.
        #[n(2)]
        due: bool,
    },
}

/// What Alice granted.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Grant {
    #[cbor(n(0), decode_with = "contact_port")]
    port: Port,
    /// The line that it came along: there she is told.
    #[n(1)]
    from: LineId,
}

fn contact_port<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Port, decode::Error> {
    Some(Port::decode(d, ctx)?).filter(Port::is_grant).ok_or_else(|| decode::Error::message("not a contact port"))
}

impl Introducer {
    /// A contact port that Alice granted: the bytes of an [`IntroducerMessage::Grant`] that came along the line `from`. Insert the
    /// record in the same transaction as that line's step. If its key is taken, the contact granted one before: drop this, unless that
    /// one is over and settled; then it may be deleted, and this one takes its place.
    ///
    /// # Errors
    /// [`PortError`]: these are not the bytes of a contact port. An [`IntroducerMessage`] that came along a line has none such.
    pub fn granted(port: &[u8], from: LineId) -> Result<Created<Self>, PortError> {
        Ok(Created::new(State::Granted(Grant { port: Port::from_grant(port)?, from })))
    }

    /// Makes a ticket for somebody, good for one use until `expires`, if that is said, by Alice's clock. `name` is what the
    /// introducer calls herself, to Alice and to him alike. Past the contact port's expiry the step ends with
    /// [`GrantOutcome::Expired`] instead.
    ///
    /// # Errors
    /// [`Rejected::TicketPending`]: first finish with the one before, `told` and settled. [`Rejected::OutOfOrder`]: she may introduce
    /// nobody any more.
    pub fn introduce(
        &mut self,
        name: IntroducerName,
        expires: Option<UnixSeconds>,
        seed: Seed,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let state = match &self.0.state {
            State::Granted(grant) if grant.port.terms.have_expired(now) => grant.end(GrantOutcome::Expired),
            State::Granted(grant) => {
                State::Announcing(grant.clone(), Ticket { secret: seed.block.clone(), name, expires })
            }
            State::Announcing(..) | State::Ready(..) => return Err(Rejected::TicketPending),
            State::Ended { .. } => return Err(Rejected::OutOfOrder),
        };
        Ok(Step::new(self, state, Emit::Outbox))
    }

    /// Alice was told: the packet was handed over to the relay, not just queued in memory. Only now can Bob have the ticket
    /// (§16.3).
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: there was nothing to tell.
    pub fn told(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let State::Announcing(grant, ticket) = &self.0.state else { return Err(Rejected::OutOfOrder) };
        let state = State::Ready(grant.clone(), ticket.clone());
        Ok(Step::new(self, state, Emit::Outbox))
    }

    /// Takes what Alice says, along the line `from`: [`IntroducerMessage::Withdrawn`]. A ticket that was not handed over yet never is.
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`]: of another contact port, or along a line that this one was not granted on.
    /// [`Rejected::OutOfOrder`]: it is over already, or it is nothing that Alice says.
    pub fn handle(&mut self, introduction: &IntroducerMessage<'_>, from: LineId) -> Result<Step<'_, Self>, Rejected> {
        let IntroducerMessage::Withdrawn { line_link } = introduction else { return Err(Rejected::OutOfOrder) };
        match self.0.state.grant() {
            _ if RecordKey::Introducer(from) != Self::key_of(&self.0.state) => Err(Rejected::WrongMachine),
            Some(grant) if grant.port.line_link != *line_link => Err(Rejected::WrongMachine),
            _ => self.end(GrantOutcome::Withdrawn),
        }
    }

    /// Gives the right up: no ticket is made any more. Alice is not told.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is over already.
    pub fn cancel(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(GrantOutcome::Cancelled)
    }

    fn end(&mut self, end: GrantOutcome) -> Result<Step<'_, Self>, Rejected> {
        let state = self.0.state.grant().map(|grant| grant.end(end)).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state, Emit::Outbox))
    }

    /// The line with Alice; `None` once it is over.
    pub fn line_id(&self) -> Option<LineId> {
        self.0.state.grant().map(|grant| grant.from)
    }

    /// Where it stands.
    pub const fn phase(&self) -> IntroducerPhase {
        match &self.0.state {
            State::Granted(_) => IntroducerPhase::Granted,
            State::Announcing(..) => IntroducerPhase::Announcing,
            State::Ready(..) => IntroducerPhase::Ready,
            State::Ended { end, .. } => IntroducerPhase::Ended(*end),
        }
    }
}

impl State {
    const fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted(grant) | Self::Announcing(grant, _) | Self::Ready(grant, _) => Some(grant),
            Self::Ended { .. } => None,
        }
    }
}

impl Grant {
    const fn end(&self, end: GrantOutcome) -> State {
        State::Ended { from: self.from, end, due: true }
    }
}

impl_machine!(Introducer);

impl Role for Introducer {
    const ROLE: u8 = 5;
    type State = State;
    type Line = Line;
    type Beside = Nothing;
    type Effect<'m> = IntroducerEffect<'m>;

    fn key_of(state: &State) -> RecordKey {
        match state {
            State::Granted(grant) | State::Announcing(grant, _) | State::Ready(grant, _) => {
                RecordKey::Introducer(grant.from)
            }
            State::Ended { from, .. } => RecordKey::Introducer(*from),
        }
    }

    fn deadline_of(state: &State) -> Option<UnixSeconds> {
        state.grant()?.port.expires()
    }

    fn after_deadline(state: &State) -> Option<State> {
        state.grant().map(|grant| grant.end(GrantOutcome::Expired))
    }

    fn after_settling(state: &State) -> Option<State> {
        match state {
            State::Ready(grant, _) => Some(State::Granted(grant.clone())),
            State::Ended { from, end, due: true } => Some(State::Ended { from: *from, end: *end, due: false }),
            // Only the caller's word that Alice was told moves it.
            State::Announcing(..) | State::Granted(_) | State::Ended { .. } => None,
        }
    }

    whole_state!();

    fn effect<'m>(&'m self, _: Emit<'m>, place: usize, _: &mut Nothing) -> Option<IntroducerEffect<'m>> {
        match (&self.0.state, place) {
            (State::Announcing(grant, ticket), 0) => {
                let told = ticket.told(grant.port.line_link);
                Some(IntroducerEffect::Announce(grant.from, IntroducerMessage::Ticket(told)))
            }
            (State::Ready(grant, ticket), 0) => Some(IntroducerEffect::Ready(grant.port.with_ticket(ticket.clone()))),
            (State::Ended { end, due: true, .. }, 0) => Some(IntroducerEffect::Ended(*end)),
            _ => None,
        }
    }
}
