//! Dialect: all that differs between this crate's own Ports and the app's (§17.10). Alice and Bob are the same for both.

use core::fmt;

use minicbor::{Decode, Encode};

use crate::alice::offered::Offered;
use crate::alice::{AliceEffect, PortOutcome};
use crate::bob::{BobEffect, Connecting, SendProof, UseOutcome};
use crate::id::{LineId, LineLink, PortHash, RequestId};
use crate::line::{Line, Origin, Phase};
use crate::machine::{Created, Machine};
use crate::message::{Admission, Request};
use crate::port::policy::PortOptions;
use crate::port::ticket::Ticket;
use crate::port::{Port, PortKind, Terms, UnixSeconds};
use crate::proof::{self, PrivateKey, Proof, SharedSecret};
use crate::secret::{Rad, Secret};

/// How an [`AliceOf`](crate::AliceOf) and a [`BobOf`](crate::BobOf) speak: what a proof is, which line comes of it, and how the relay
/// is asked. Sealed: there are [`Native`] and, with the feature `app`, `app::App`.
pub trait Dialect: Speaks {}

/// This crate's own: its lines are authenticated.
#[derive(Debug)]
pub enum Native {}

impl Dialect for Native {}

/// What a [`Dialect`] is made of.
pub trait Speaks: fmt::Debug + Sized + 'static {
    /// Stands in every Alice's record (§8.6).
    const ALICE: u8;
    /// The same of Bob's.
    const BOB: u8;
    /// Whether a line of a Port for many has keys beyond those of its proof (§14.7).
    const HAS_EPOCHS: bool;
    /// Whether the two ends of a line are ever confirmed. Where not, no line takes another's place: who the other is, is the relay's
    /// word (§14.6).
    const CONFIRMS: bool;
    /// Whether the relay tells of a ticket before it brings anybody with it. Where it does not, nobody is turned away because his
    /// introducer's word is late (§16.7).
    const TELLS_FIRST: bool;
    /// Bob's.
    type Proof: Clone + fmt::Debug + Encode<()> + for<'b> Decode<'b, ()>;
    /// What is said in a proof beside.
    type Claim: fmt::Debug;
    /// What comes of a good proof.
    type Line: Machine + fmt::Debug;
    /// What Alice asks her caller to do.
    type AliceEffect<'m>;
    /// What Bob asks his caller to do.
    type BobEffect<'m>;

    /// What a Port can say of these.
    fn terms(terms: Terms) -> Terms;
    /// No Port of one dialect has the hash of another's.
    fn hash(port: &Port) -> PortHash;
    /// By the private key and RAD of a Port of this kind (§3.3). `None` is the one outcome of every failure.
    fn check(private_key: &PrivateKey, kind: PortKind, rad: &Rad, proof: &Self::Proof) -> Option<Checked<Self::Claim>>;
    /// Alice's end, of the one use of a Port; `None` if the proof is refused.
    fn line_of_one(
        origin: Origin,
        offered: &Offered,
        proof: Option<&Self::Proof>,
        now: UnixSeconds,
    ) -> Option<Created<Self::Line>>;
    /// Alice's end, of a use of a Port for many, and the seed of the next (§14.7).
    fn line_of_many(
        origin: Origin,
        offered: &Offered,
        shown: Shown<'_, Self>,
        seed: &Secret<32>,
        now: UnixSeconds,
    ) -> Option<(Created<Self::Line>, Secret<32>)>;
    /// Bob's end.
    fn line_of_bob(origin: Origin, connecting: &Connecting<Self::Proof>) -> Created<Self::Line>;
    /// `None` if there is nobody to do it.
    fn alice_effect(says: Says<'_, Self, PortOutcome>) -> Option<Self::AliceEffect<'_>>;
    /// The same.
    fn bob_effect(says: Says<'_, Self, UseOutcome>) -> Option<Self::BobEffect<'_>>;
}

/// A good proof.
#[derive(Debug)]
pub struct Checked<Claim> {
    pub(crate) secret: SharedSecret,
    pub(crate) ticket: Option<Secret<16>>,
    #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "this crate's own proofs say nothing beside"))]
    pub(crate) claim: Claim,
}

/// The same, and what was sent, and the ticket as Alice was told of it.
#[derive(Debug)]
pub struct Shown<'a, D: Speaks> {
    pub(crate) checked: Checked<D::Claim>,
    pub(crate) proof: &'a D::Proof,
    pub(crate) ticket: Option<&'a Ticket>,
}

/// An effect, before it is put into words.
#[derive(Debug)]
pub enum Says<'m, D: Speaks, End> {
    Ask(Ask<'m, D::Proof>),
    PortReady(&'m Port),
    LineFormed(D::Line),
    Ended(End),
}

/// What the relay is asked for.
#[derive(Debug)]
pub enum Ask<'m, P> {
    Issue { request_id: RequestId, offer: &'m PortOptions },
    Connect(&'m Connecting<P>),
    Set { port: &'m Port, version: u64, admits: Admission },
    Close { line_link: &'m LineLink, kind: PortKind },
    Disconnect(LineId),
}

impl Speaks for Native {
    const ALICE: u8 = 1;
    const BOB: u8 = 2;
    const HAS_EPOCHS: bool = true;
    const CONFIRMS: bool = true;
    const TELLS_FIRST: bool = false;
    type Proof = Proof;
    type Claim = ();
    type Line = Line;
    type AliceEffect<'m> = AliceEffect<'m>;
    type BobEffect<'m> = BobEffect<'m>;

    #[inline(always)]
    fn terms(terms: Terms) -> Terms {
        terms
    }

    #[inline(always)]
    fn hash(port: &Port) -> PortHash {
        port.hash()
    }

    #[inline(always)]
    fn check(private_key: &PrivateKey, kind: PortKind, rad: &Rad, proof: &Proof) -> Option<Checked<()>> {
        let (secret, ticket) = match kind {
            PortKind::ContactPort => {
                let (secret, ticket) = proof::check_with_ticket(private_key, rad, proof)?;
                (secret, Some(ticket))
            }
            PortKind::Port | PortKind::Superport => (proof::check(private_key, rad, proof)?, None),
        };
        Some(Checked { secret, ticket, claim: () })
    }

    #[inline(always)]
    fn line_of_one(
        origin: Origin,
        offered: &Offered,
        proof: Option<&Proof>,
        now: UnixSeconds,
    ) -> Option<Created<Line>> {
        let (private_key, rad, asks) =
            (offered.private_key(), offered.port().rad(), offered.policy().requires_approval());
        let phase = match proof {
            None => Phase::awaiting_proof(private_key, rad, asks, offered.expiry(), now),
            Some(proof) => Phase::of_alice(&origin, private_key, rad, asks, proof)?,
        };
        Some(Line::born(origin, phase))
    }

    fn line_of_many(
        origin: Origin,
        offered: &Offered,
        Shown { checked, proof, ticket }: Shown<'_, Self>,
        seed: &Secret<32>,
        now: UnixSeconds,
    ) -> Option<(Created<Line>, Secret<32>)> {
        let shown = (&checked.secret, proof, ticket);
        let (phase, seed) = Phase::of_alice_of_many(&origin, shown, seed, offered.policy().requires_approval(), now)?;
        Some((Line::born(origin, phase), seed))
    }

    #[inline(always)]
    fn line_of_bob(origin: Origin, connecting: &Connecting<Proof>) -> Created<Line> {
        let phase = Phase::of_bob(&origin, connecting);
        Line::born(origin, phase)
    }

    #[inline(always)]
    fn alice_effect(says: Says<'_, Self, PortOutcome>) -> Option<AliceEffect<'_>> {
        Some(match says {
            Says::Ask(ask) => AliceEffect::Send(request(ask)),
            Says::PortReady(port) => AliceEffect::PortReady(port),
            Says::LineFormed(line) => AliceEffect::LineFormed(line),
            Says::Ended(end) => AliceEffect::Ended(end),
        })
    }

    #[inline(always)]
    fn bob_effect(says: Says<'_, Self, UseOutcome>) -> Option<BobEffect<'_>> {
        Some(match says {
            Says::Ask(ask) => BobEffect::Send(request(ask)),
            Says::PortReady(_) => return None,
            Says::LineFormed(line) => BobEffect::LineFormed(line),
            Says::Ended(end) => BobEffect::Ended(end),
        })
    }
}

#[inline(always)]
fn request(ask: Ask<'_, Proof>) -> Request<'static> {
    match ask {
        Ask::Issue { request_id, offer: _ } => Request::IssueLineLink { request_id },
        Ask::Connect(Connecting { line_link, proof, send_proof, .. }) => {
            let proof = (*send_proof == SendProof::Inline).then(|| proof.clone());
            Request::Connect { line_link: *line_link, proof }
        }
        Ask::Set { port, version, admits } => Request::SetLineLink { line_link: port.line_link, version, admits },
        Ask::Close { line_link, kind: _ } => Request::CloseLineLink { line_link: *line_link },
        Ask::Disconnect(line_id) => Request::Disconnect { line_id },
    }
}
