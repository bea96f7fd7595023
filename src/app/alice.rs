//! Alice of the app (§17.10).

use core::marker::PhantomData;

use rand_core::CryptoRng;

use super::bundle::{Bundle, Grant};
use super::dialect::App;
use super::event::{Event, Happened};
use super::intro::{self, Intro};
use super::line::UnauthenticatedLine;
use super::name::Name;
use super::request::Request;
use crate::alice::offered::{Next, OUTBOX, Offered, Once, Visitor, conditions};
use crate::alice::{AliceOf, Requesting, State};
use crate::dialect::Speaks;
use crate::error::Rejected;
use crate::id::{LineLink, RecordKey};
use crate::line::Introduced;
use crate::machine::peers::{Peers, Relationship};
use crate::machine::record::Row;
use crate::machine::step::Step;
use crate::machine::{Held, Machine, Role, impl_machine};
use crate::outcome::PortOutcome;
use crate::port::PortKind;
use crate::port::policy::Admission;
use crate::port::policy::UseLimit;
use crate::time::UnixSeconds;
use crate::tombstone::LastWord;

/// The largest limit that every reader of JSON numbers takes.
const UNLIMITED: u32 = i32::MAX.unsigned_abs();

/// One bundle at its creator's side. It promises what [`Alice`](crate::Alice) does about replays, crashes and policies, except for what
/// the app's formats can't carry (§17.9).
///
/// [`offer`](AliceOf::offer) is for ids that are here already ([`Request::LineLinks`]), [`request`](AliceOf::request) for all others.
/// The relay address of [`PortOptions`](crate::PortOptions) stands in no bundle. No line takes the place of another: a user who is
/// connected already is refused, unless the policy is [`OnRepeat::Allow`](crate::OnRepeat::Allow).
pub type Alice = AliceOf<App>;

/// What an Alice asks its caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// A line was formed, and its row is stored: [`Write::new_line`](crate::Write::new_line). Do what is pending in the line.
    LineFormed(UnauthenticatedLine),
    /// Send this to the app's server. What it issues comes back by [`issued`](Alice::issued).
    Send(Request<'m>),
    /// Show the [`bundle`](Alice::bundle), or send the [`grant`](Alice::grant) along its line. If a `Send` comes before it, wait until
    /// the server took that request.
    PortReady,
    /// It is over without a line. Tell the user, then clear the outbox. The server can't be told that an id for one use is dead: if it is
    /// used yet, disconnect that line ([`Rejected::UnwantedLine`]).
    Ended(PortOutcome),
}

impl Alice {
    /// Takes an event from the app's server. `peers` says what the caller's tables hold about the visitor;
    /// [`NoPeers`](crate::NoPeers) is for a caller without tables. `rng` is for events that make a key. None does in this dialect.
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged.
    pub fn handle<R: CryptoRng + ?Sized>(
        &mut self,
        event: &Event,
        peers: &impl Peers,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Step<'_, Self>, Rejected> {
        let _ = rng;
        // The kind that was kept of this id counts, not what the server says now.
        let Happened::Used { kind: _, port_id, line_id, pair_hash, intro } = &event.what else {
            return Err(Rejected::WrongMachine);
        };
        if self.key() != RecordKey::LineLink(*port_id) {
            return Err(Rejected::WrongMachine);
        }
        match &self.0.state {
            State::Requesting(_) => Err(Rejected::OutOfOrder),
            State::Spent(tombstone) => Err(tombstone.reject_line(*line_id, peers)),
            State::Offered(offered) => {
                let visitor =
                    Visitor { line_id: *line_id, peer: *pair_hash, relationship: peers.relationship(pair_hash) };
                let next = match peers.port_of_line(line_id) {
                    Some(of_line) => offered.line_is_there(App::hash(offered.port()), of_line, *line_id)?,
                    None if offered.is_for_many() => admit(offered, &visitor, intro, peers, now)?,
                    None => spend(offered, &visitor, intro, now),
                };
                Ok(self.after_use(next, |once| match once {
                    Once::LineFormed(line) => AliceEffect::LineFormed(line),
                    Once::Disconnect(line_id) => AliceEffect::Send(Request::Disconnect(line_id)),
                }))
            }
        }
    }

    /// Takes the server's answer to this machine's request: an id of the kind that was asked for.
    ///
    /// # Errors
    /// [`Rejected::Duplicate`]: it is the id that this machine has. [`Rejected::OutOfOrder`]: it has another already, or was given up.
    /// Then, unless there is a record of this id, keep an id for one use for another Port; delete a Superport
    /// ([`Request::DeleteSuperport`]); pause a contact port ([`Request::PauseContactPorts`]).
    pub fn issued(&mut self, port_id: LineLink, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        match &self.0.state {
            State::Requesting(requesting) => {
                let next = requesting.issued(port_id, now);
                Ok(Step::new(self, next))
            }
            // A caller that took it for one too many would delete its own Superport.
            state if state.key() == RecordKey::LineLink(port_id) => Err(Rejected::Duplicate),
            State::Offered(_) | State::Spent(_) => Err(Rejected::OutOfOrder),
        }
    }

    /// What to show, under this name. `None` unless it is on offer, and for a contact port, which is granted.
    pub fn bundle(&self, name: Option<Name>) -> Option<Bundle> {
        let port = self.port_on_offer().filter(|port| port.kind() != PortKind::ContactPort)?;
        Some(Bundle::of(port, name))
    }

    /// What to send along the line of the contact who may introduce others by it
    /// ([`Content::ContactPortBundle`](super::Content::ContactPortBundle)). `None` unless it is on offer, and for any but a contact port.
    pub fn grant(&self, name: Option<Name>) -> Option<Grant> {
        let port = self.port_on_offer().filter(|port| port.kind() == PortKind::ContactPort)?;
        Some(Grant::of(port, name))
    }
}

/// Why this visitor gets no line, however good its intro message. The other end is the server's word, so no line takes another's place.
fn refuses(offered: &Offered, visitor: &Visitor, now: UnixSeconds) -> Option<PortOutcome> {
    offered.refuses(visitor, now).or_else(|| match visitor.relationship {
        Relationship::Connected(_) if offered.policy().replaces() => Some(PortOutcome::AlreadyConnected),
        _ => None,
    })
}

/// §4.3: the first use spends it, whatever intro message came with it.
fn spend(offered: &Offered, visitor: &Visitor, intro: &Intro, now: UnixSeconds) -> Next<UnauthenticatedLine> {
    let (port, hash) = (offered.port(), App::hash(offered.port()));
    let line = match refuses(offered, visitor, now) {
        Some(outcome) => Err(outcome),
        None => intro::check(offered.private_key(), port.kind, &port.rad, intro).ok_or(PortOutcome::ProofRefused),
    };
    let origin = offered.origin(hash, visitor, None, None);
    let asks = offered.policy().requires_approval();
    offered.spent(hash, visitor.line_id, line.map(|checked| Some(UnauthenticatedLine::of_alice(origin, checked, asks))))
}

/// §14.4, in the same order as this crate's own. The server tells of a ticket before it brings anybody with it: an unknown one is
/// refused, and so tells nobody that the rest of the intro message was good.
fn admit(
    offered: &Offered,
    visitor: &Visitor,
    intro: &Intro,
    peers: &impl Peers,
    now: UnixSeconds,
) -> Result<Next<UnauthenticatedLine>, Rejected> {
    let (port, line_id, hash) = (offered.port(), visitor.line_id, App::hash(offered.port()));
    let refused = Rejected::UnwantedLine(line_id);
    offered.check_open(line_id, refuses(offered, visitor, now), now)?;

    let checked = intro::check(offered.private_key(), port.kind, &port.rad, intro).ok_or(refused)?;
    let notice = checked.ticket.as_ref().map(|ticket| offered.notice(ticket, peers, line_id, refused)).transpose()?;
    let conditions = conditions(checked.secret.mark(&hash), notice.as_ref(), line_id);
    if notice.as_ref().is_some_and(|notice| notice.has_expired(now)) {
        return Ok(offered.ticket_expired(line_id, conditions));
    }

    let introduced = notice.map(|notice| Introduced { name: notice.name, by: offered.introducer() });
    let origin = offered.origin(hash, visitor, None, introduced);
    let line = UnauthenticatedLine::of_alice(origin, checked, offered.policy().requires_approval());
    Ok(offered.used_once_more(line, conditions))
}

impl Role for Alice {
    const ROLE: u8 = App::ALICE;
    const OUTBOX: u8 = OUTBOX;
    type Effect<'m> = AliceEffect<'m>;

    impl_machine!(state: State);
    impl_machine!(whole next state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held, PhantomData)
    }

    fn outbox(&self, place: u8) -> Option<AliceEffect<'_>> {
        match (&self.0.state, place) {
            (State::Requesting(requesting), 0) => Some(AliceEffect::Send(request(requesting))),
            (State::Offered(offered), 0) if offered.is_set() => {
                let port = offered.port();
                setting(port.kind, &port.line_link, offered.admission()).map(AliceEffect::Send)
            }
            (State::Offered(_), 1) => Some(AliceEffect::PortReady),
            (State::Spent(tombstone), place) => match tombstone.outbox(place)? {
                LastWord::Disconnect(line_id) => Some(AliceEffect::Send(Request::Disconnect(line_id))),
                LastWord::CloseLink(line_link, kind) => close(kind, line_link).map(AliceEffect::Send),
                LastWord::Ended(outcome) => Some(AliceEffect::Ended(outcome)),
            },
            _ => None,
        }
    }

    fn new_line(effect: &AliceEffect<'_>, row: &mut Option<Row>) {
        if let AliceEffect::LineFormed(line) = effect {
            UnauthenticatedLine::record_in(line.held(), row.insert(UnauthenticatedLine::row(line.held())));
        }
    }
}

fn request(requesting: &Requesting) -> Request<'_> {
    let options = requesting.options();
    match (options.introducer, options.policy.use_limit()) {
        (Some(line_id), _) => Request::CreateContactPort { line_id, active: !options.policy.is_paused() },
        (None, UseLimit::Once) => Request::LineLinks,
        // The server would count what Alice refuses, too. The limit is held here.
        (None, UseLimit::UpTo(_) | UseLimit::Unlimited) => Request::CreateSuperport { limit: UNLIMITED },
    }
}

/// `None`: the server knows no such request. An id for one use can't be paused.
fn setting(kind: PortKind, line_link: &LineLink, admission: Admission) -> Option<Request<'_>> {
    let ids = core::slice::from_ref(line_link);
    match (kind, admission) {
        (PortKind::Port, _) => None,
        (PortKind::Superport, Admission::Nobody) => Some(Request::PauseSuperport(*line_link)),
        (PortKind::Superport, _) => Some(Request::ResumeSuperport(*line_link)),
        (PortKind::ContactPort, Admission::Nobody) => Some(Request::PauseContactPorts(ids)),
        (PortKind::ContactPort, _) => Some(Request::ResumeContactPorts(ids)),
    }
}

/// `None`: the server knows no such request. An id for one use can't be closed.
fn close(kind: PortKind, line_link: &LineLink) -> Option<Request<'_>> {
    match kind {
        PortKind::Port => None,
        PortKind::Superport => Some(Request::DeleteSuperport(*line_link)),
        PortKind::ContactPort => Some(Request::PauseContactPorts(core::slice::from_ref(line_link))),
    }
}
