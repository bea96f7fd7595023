//! The app's dialect (§17.10): what its Alice and Bob do otherwise than this crate's own.

use super::alice::AliceEffect;
use super::bob::BobEffect;
use super::bundle::LAST;
use super::intro::{self, Intro};
use super::line::UnauthenticatedLine;
use super::name::Name;
use super::request::Request;
use crate::alice::PortOutcome;
use crate::alice::offered::Offered;
use crate::bob::{Connecting, UseOutcome};
use crate::dialect::{Ask, Checked, Dialect, Says, Shown, Speaks};
use crate::id::PortHash;
use crate::line::Origin;
use crate::machine::Created;
use crate::message::Admission;
use crate::port::policy::UseLimit;
use crate::port::{Port, PortKind, Terms, UnixSeconds};
use crate::proof::PrivateKey;
use crate::secret::{Rad, Secret};

/// The app's: its lines are not authenticated.
#[derive(Debug)]
pub enum App {}

impl Dialect for App {}

/// The largest that every reader of JSON numbers takes.
const UNLIMITED: u32 = i32::MAX.unsigned_abs();

impl Speaks for App {
    const ALICE: u8 = 16;
    const BOB: u8 = 17;
    const HAS_EPOCHS: bool = false;
    const CONFIRMS: bool = false;
    const TELLS_FIRST: bool = true;
    type Proof = Intro;
    type Claim = Option<Name>;
    type Line = UnauthenticatedLine;
    type AliceEffect<'m> = AliceEffect<'m>;
    type BobEffect<'m> = BobEffect<'m>;

    fn terms(Terms { expires, relay: _ }: Terms) -> Terms {
        Terms { expires: expires.map(|expires| expires.min(LAST)), relay: None }
    }

    fn hash(port: &Port) -> PortHash {
        port.hash_for("port-protocol app 1.0.0")
    }

    fn check(private_key: &PrivateKey, kind: PortKind, rad: &Rad, intro: &Intro) -> Option<Checked<Option<Name>>> {
        intro::check(private_key, kind, rad, intro)
    }

    /// No proof comes along a line: who has none with him has a bad one.
    fn line_of_one(
        origin: Origin,
        offered: &Offered,
        intro: Option<&Intro>,
        _: UnixSeconds,
    ) -> Option<Created<UnauthenticatedLine>> {
        let checked = Self::check(offered.private_key(), origin.kind, offered.port().rad(), intro?)?;
        Some(UnauthenticatedLine::of_alice(origin, checked, offered.policy().requires_approval()))
    }

    fn line_of_many(
        origin: Origin,
        offered: &Offered,
        shown: Shown<'_, Self>,
        seed: &Secret<32>,
        _: UnixSeconds,
    ) -> Option<(Created<UnauthenticatedLine>, Secret<32>)> {
        // There are no ephemeral keys to make of it.
        Some((UnauthenticatedLine::of_alice(origin, shown.checked, offered.policy().requires_approval()), seed.clone()))
    }

    fn line_of_bob(origin: Origin, connecting: &Connecting<Intro>) -> Created<UnauthenticatedLine> {
        UnauthenticatedLine::of_bob(origin, connecting.secret.clone())
    }

    fn alice_effect(says: Says<'_, Self, PortOutcome>) -> Option<AliceEffect<'_>> {
        Some(match says {
            Says::Ask(ask) => AliceEffect::Send(request(ask)?),
            Says::PortReady(_) => AliceEffect::PortReady,
            Says::LineFormed(line) => AliceEffect::LineFormed(line),
            Says::Ended(end) => AliceEffect::Ended(end),
        })
    }

    fn bob_effect(says: Says<'_, Self, UseOutcome>) -> Option<BobEffect<'_>> {
        Some(match says {
            Says::Ask(ask) => BobEffect::Send(request(ask)?),
            Says::PortReady(_) => return None,
            Says::LineFormed(line) => BobEffect::LineFormed(line),
            Says::Ended(end) => BobEffect::Ended(end),
        })
    }
}

/// `None`: the app's server knows no such request. An id for one use can neither be paused nor closed.
fn request(ask: Ask<'_, Intro>) -> Option<Request<'_>> {
    Some(match ask {
        Ask::Issue { request_id: _, offer } => match (offer.introducer, offer.policy.use_limit()) {
            (Some(line_id), _) => Request::CreateContactPort { line_id, active: !offer.policy.is_paused() },
            (None, UseLimit::Once) => Request::LineLinks,
            // The server would count what Alice refuses, too: the limit is held here.
            (None, UseLimit::UpTo(_) | UseLimit::Unlimited) => Request::CreateSuperport { limit: UNLIMITED },
        },
        Ask::Connect(Connecting { line_link, kind, ticket, proof, .. }) => Request::Connect {
            kind: *kind,
            port_id: *line_link,
            ticket: ticket.as_ref().map(|ticket| &ticket.secret),
            intro: proof,
        },
        Ask::Set { port, version: _, admits } => match (port.kind, admits) {
            (PortKind::Port, _) => return None,
            (PortKind::Superport, Admission::Nobody) => Request::PauseSuperport(port.line_link),
            (PortKind::Superport, _) => Request::ResumeSuperport(port.line_link),
            (PortKind::ContactPort, Admission::Nobody) => {
                Request::PauseContactPorts(core::slice::from_ref(&port.line_link))
            }
            (PortKind::ContactPort, _) => Request::ResumeContactPorts(core::slice::from_ref(&port.line_link)),
        },
        Ask::Close { line_link, kind } => match kind {
            PortKind::Port => return None,
            PortKind::Superport => Request::DeleteSuperport(*line_link),
            PortKind::ContactPort => Request::PauseContactPorts(core::slice::from_ref(line_link)),
        },
        Ask::Disconnect(line_id) => Request::Disconnect(line_id),
    })
}
