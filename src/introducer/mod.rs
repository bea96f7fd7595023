//! Introducer: the machine of a contact that may introduce guests to Alice (§16.3).

pub(crate) mod message;

use minicbor::{Decode, Decoder, Encode, decode};

use crate::error::{PortError, Rejected};
use crate::id::{LineId, RecordKey};
use crate::machine::step::{Created, Step};
use crate::machine::{Held, Role, impl_machine};
use crate::outcome::GrantOutcome;
use crate::port::Port;
use crate::port::ticket::{IntroducerName, Ticket};
use crate::secret::Seed;
use crate::time::UnixSeconds;
use message::IntroducerMessage;

/// The machine of a contact that may introduce guests to Alice, by a contact port that Alice granted (§16.3):
/// `Granted ─introduce▶ Announcing ─mark_announced▶ Ready ─clear_outbox▶ Granted`.
///
/// It makes a ticket for each guest. Alice is always notified before the ticket can be shown, even across
/// crashes. There is one ticket at a time, and no list is kept.
///
/// ```
/// # use port_protocol::*;
/// # fn keep(_: &Write<'_>) -> Result<(), std::io::Error> { Ok(()) }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let options = PortOptions::new().policy(Policy::unlimited()).introducer([2; 16].into());
/// # let alice = Alice::offer([1; 16].into(), options, Seed::from_bytes(&[1; 64])).store(keep)?;
/// # let grant = alice.port().ok_or("no Port")?.to_bytes();
/// # let (port, line_with_alice, now) = (grant.as_slice(), LineId::from([2; 16]), UnixSeconds::now());
/// // Along Carol's line with Alice came `IntroducerMessage::Grant { port }`.
/// let mut carol = Introducer::granted(port, line_with_alice)?.store(keep)?;
///
/// let step = carol.introduce(IntroducerName::new("Carol")?, None, Seed::from_bytes(&[3; 64]), now)?;
/// for effect in step.store(keep)? {
///     let IntroducerEffect::Announce(line_id, message) = effect else { continue };
///     assert_eq!(line_id, line_with_alice); // seal it there, by `Line::seal_introducer_message`; give the packet to the relay
/// }
/// for effect in carol.mark_announced()?.store(keep)? { // only then
///     let IntroducerEffect::Ready(port) = effect else { continue };
///     println!("{}", port.qr_text()); // for Bob, and nobody else
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Introducer(Held<State>);

/// What an Introducer asks its caller to do.
#[derive(PartialEq, Eq, Debug)]
pub enum IntroducerEffect<'m> {
    /// Seal this along this line, by [`Line::seal_introducer_message`](crate::Line::seal_introducer_message), and hand the packet over
    /// to the relay. Then call [`mark_announced`](Introducer::mark_announced). To announce it twice does no harm. If the line is closed,
    /// [`cancel`](Introducer::cancel).
    Announce(LineId, IntroducerMessage<'m>),
    /// Give this Port to the person who is introduced, and to nobody else: as a QR code, a link. Then clear the outbox.
    Ready(Port),
    /// There are no more tickets. Tell the user, then clear the outbox.
    Ended(GrantOutcome),
}

/// Where an Introducer stands (§16.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum IntroducerPhase {
    /// It may introduce somebody.
    Granted,
    /// There is a ticket, to be announced to Alice.
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
        outcome: GrantOutcome,
        /// Whether the outbox is still to be done.
        #[n(2)]
        due: bool,
    },
}

/// What Alice granted.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Grant {
    #[cbor(n(0), decode_with = "contact_port")]
    port: Port,
    /// The line that it came along. Tickets are announced there.
    #[n(1)]
    from: LineId,
}

fn contact_port<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Port, decode::Error> {
    Some(Port::decode(d, ctx)?).filter(Port::is_grant).ok_or_else(|| decode::Error::message("not a contact port"))
}

impl Introducer {
    /// Takes a contact port that Alice granted: the bytes of an [`IntroducerMessage::Grant`] that came along the line `from`. Insert the
    /// row in the same transaction as that line's step. If its key exists, the contact granted one before: drop this one. If the one
    /// before is over and its outbox empty, delete it, and this one takes its place.
    ///
    /// # Errors
    /// [`PortError`]: these are not the bytes of a contact port. Those of an [`IntroducerMessage`] that came along a line always are.
    pub fn granted(port: &[u8], from: LineId) -> Result<Created<Self>, PortError> {
        Ok(Created::new(State::Granted(Grant { port: Port::from_grant(port)?, from })))
    }

    /// Makes a ticket for somebody. It is good for one use; if `expires` is given, until then, by Alice's clock. Alice and the guest are
    /// told the same `name` of the introducer.
    ///
    /// # Errors
    /// [`Rejected::Expired`]: the contact port has expired, by this clock. Nothing was said, so the right stays.
    /// [`Rejected::TicketPending`]: first finish the ticket before: announced, handed over, outbox cleared. [`Rejected::OutOfOrder`]: the
    /// right is over.
    pub fn introduce(
        &mut self,
        name: IntroducerName,
        expires: Option<UnixSeconds>,
        seed: Seed,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let state = match &self.0.state {
            State::Granted(grant) if grant.port.terms.have_expired(now) => return Err(Rejected::Expired),
            State::Granted(grant) => {
                State::Announcing(grant.clone(), Ticket { secret: seed.block.clone(), name, expires })
            }
            State::Announcing(..) | State::Ready(..) => return Err(Rejected::TicketPending),
            State::Ended { .. } => return Err(Rejected::OutOfOrder),
        };
        Ok(Step::new(self, state))
    }

    /// Alice was told: the packet was handed over to the relay, not just queued in memory. Only now can anybody have the ticket (§16.3).
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: there was nothing to announce.
    pub fn mark_announced(&mut self) -> Result<Step<'_, Self>, Rejected> {
        let State::Announcing(grant, ticket) = &self.0.state else { return Err(Rejected::OutOfOrder) };
        let state = State::Ready(grant.clone(), ticket.clone());
        Ok(Step::new(self, state))
    }

    /// Takes what Alice says along the line `from`: [`IntroducerMessage::Withdrawn`]. A ticket that was not handed over yet never is.
    ///
    /// # Errors
    /// [`Rejected::WrongMachine`]: it is about another contact port, or came along another line than the grant.
    /// [`Rejected::OutOfOrder`]: the right is over already, or Alice does not say such a thing.
    pub fn handle(&mut self, message: &IntroducerMessage<'_>, from: LineId) -> Result<Step<'_, Self>, Rejected> {
        let IntroducerMessage::Withdrawn { line_link } = message else { return Err(Rejected::OutOfOrder) };
        match self.0.state.grant() {
            _ if RecordKey::Introducer(from) != self.0.state.key() => Err(Rejected::WrongMachine),
            Some(grant) if grant.port.line_link != *line_link => Err(Rejected::WrongMachine),
            _ => self.end(GrantOutcome::Withdrawn),
        }
    }

    /// Gives the right up. No ticket is made any more. Alice is not told.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it is over already.
    pub fn cancel(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.end(GrantOutcome::Cancelled)
    }

    fn end(&mut self, outcome: GrantOutcome) -> Result<Step<'_, Self>, Rejected> {
        let state = self.0.state.grant().map(|grant| grant.end(outcome)).ok_or(Rejected::OutOfOrder)?;
        Ok(Step::new(self, state))
    }

    /// The line with Alice. `None` once the right is over.
    pub fn line_id(&self) -> Option<LineId> {
        self.0.state.grant().map(|grant| grant.from)
    }

    /// Where it stands.
    pub const fn phase(&self) -> IntroducerPhase {
        match &self.0.state {
            State::Granted(_) => IntroducerPhase::Granted,
            State::Announcing(..) => IntroducerPhase::Announcing,
            State::Ready(..) => IntroducerPhase::Ready,
            State::Ended { outcome, .. } => IntroducerPhase::Ended(*outcome),
        }
    }
}

impl Grant {
    const fn end(&self, outcome: GrantOutcome) -> State {
        State::Ended { from: self.from, outcome, due: true }
    }
}

impl State {
    const fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Granted(grant) | Self::Announcing(grant, _) | Self::Ready(grant, _) => Some(grant),
            Self::Ended { .. } => None,
        }
    }

    const fn key(&self) -> RecordKey {
        match self {
            Self::Granted(grant) | Self::Announcing(grant, _) | Self::Ready(grant, _) => {
                RecordKey::Introducer(grant.from)
            }
            Self::Ended { from, .. } => RecordKey::Introducer(*from),
        }
    }

    fn deadline(&self) -> Option<UnixSeconds> {
        match self {
            Self::Announcing(grant, _) | Self::Ready(grant, _) => grant.port.expires(),
            // Nothing was said, so a wrong clock must not end it.
            Self::Granted(_) | Self::Ended { .. } => None,
        }
    }

    fn at_deadline(&self, _: UnixSeconds) -> Option<Self> {
        self.grant().map(|grant| grant.end(GrantOutcome::Expired))
    }

    fn without_outbox(&self) -> Option<Self> {
        match self {
            Self::Ready(grant, _) => Some(Self::Granted(grant.clone())),
            Self::Ended { from, outcome, due: true } => {
                Some(Self::Ended { from: *from, outcome: *outcome, due: false })
            }
            // Only the caller's word that Alice was told moves an announcement.
            Self::Announcing(..) | Self::Granted(_) | Self::Ended { .. } => None,
        }
    }
}

impl Role for Introducer {
    const ROLE: u8 = 5;
    const OUTBOX: u8 = 1;
    type Effect<'m> = IntroducerEffect<'m>;

    impl_machine!(state: State);
    impl_machine!(whole next state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held)
    }

    fn outbox(&self, place: u8) -> Option<IntroducerEffect<'_>> {
        match (&self.0.state, place) {
            (State::Announcing(grant, ticket), 0) => {
                let notice = ticket.notice(grant.port.line_link);
                Some(IntroducerEffect::Announce(grant.from, IntroducerMessage::Ticket(notice)))
            }
            (State::Ready(grant, ticket), 0) => Some(IntroducerEffect::Ready(grant.port.with_ticket(ticket.clone()))),
            (State::Ended { outcome, due: true, .. }, 0) => Some(IntroducerEffect::Ended(*outcome)),
            _ => None,
        }
    }
}
