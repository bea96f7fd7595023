//! Bob of the app (§17.10).

use core::marker::PhantomData;

use super::bundle::Bundle;
use super::dialect::App;
use super::intro::{self, Intro};
use super::line::UnauthenticatedLine;
use super::name::Name;
use super::request::Request;
use crate::bob::outbox::OUTBOX;
use crate::bob::{BobOf, State};
use crate::dialect::Speaks;
use crate::error::Rejected;
use crate::id::{LineId, PeerMark};
use crate::machine::peers::Peers;
use crate::machine::record::Row;
use crate::machine::step::{Created, Step};
use crate::machine::{Held, Role, impl_machine};
use crate::outcome::UseOutcome;
use crate::port::Port;
use crate::proof::{PrivateKey, SendProof};
use crate::secret::Seed;
use crate::time::UnixSeconds;
use crate::tombstone::{FinalRequest, LastWord};

/// One bundle at its user's side, like [`Bob`](crate::Bob). The same intro message is sent until the server has answered. The server says
/// yes or nothing, so it is for the user to [`cancel`](BobOf::cancel).
pub type Bob = BobOf<App>;

/// What a Bob asks its caller to do.
#[derive(Debug)]
pub enum BobEffect<'m> {
    /// A line was formed, and its row is stored: [`Write::new_line`](crate::Write::new_line). Do what is pending in the line.
    LineFormed(UnauthenticatedLine),
    /// Send this to the app's server. Send it again only when no answer can come any more: two requests under way may make two lines of a
    /// Superport, and each end keep another. The answer goes to [`connected`](Bob::connected).
    Send(Request<'m>),
    /// It is over without a line. Tell the user, then clear the outbox.
    Ended(UseOutcome),
}

impl Bob {
    /// Takes a bundle that was read. Nothing is used yet. The record keeps until there is a network. The name in the bundle is not kept.
    pub fn scan(bundle: &Bundle, seed: Seed) -> Created<Self> {
        Self::read(bundle.to_port(), seed)
    }

    /// Uses the bundle, under this name.
    ///
    /// # Errors
    /// [`Rejected::Expired`]: the bundle has expired, by this clock. Nothing was sent. [`Rejected::OutOfOrder`]: it was used before. The
    /// request is [`pending`](crate::Machine::pending). [`Rejected::Malformed`]: it was restored from a record that was forged.
    pub fn connect(&mut self, name: &Name, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let prove = |private_key: &PrivateKey, iv: &[u8; 16], port: &Port| intro::prove(private_key, iv, port, name);
        let step = self.connect_by(prove, SendProof::Inline, |_| false, now)?;
        // A record that this crate did not write may say more than any bundle. What comes of it has no room.
        if step.write().row.record.is_empty() { Err(Rejected::Malformed) } else { Ok(step) }
    }

    /// Takes what the server answered to this machine's request ([`response::connected`](super::response::connected)). `peers` says what
    /// the caller's tables hold about the maker of the bundle. If the server named no pair, the step ends with
    /// [`UseOutcome::NoPairHash`], and that line is disconnected.
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged.
    pub fn connected(
        &mut self,
        line_id: LineId,
        pair_hash: Option<PeerMark>,
        peers: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        match (&self.0.state, pair_hash) {
            (State::Connecting(_), None) if peers.port_of_line(&line_id).is_none() => {
                self.end(UseOutcome::NoPairHash, FinalRequest::Disconnect(line_id))
            }
            (State::Connecting(connecting), pair_hash) => {
                // Without a pair the line is stored already: nothing depends on whose it is.
                let pair_hash = pair_hash.unwrap_or_else(|| [0; 32].into());
                let (next, line) = match connecting.accepts(line_id, &pair_hash, peers, now) {
                    Err(tombstone) => (tombstone, None),
                    Ok(_) => {
                        let origin = connecting.origin(line_id, pair_hash, None);
                        let line = UnauthenticatedLine::of_bob(origin, connecting.secret.clone());
                        (connecting.formed(line_id), Some(line))
                    }
                };
                Ok(Step::new(self, State::Spent(next)).once(line.map(BobEffect::LineFormed)))
            }
            (State::Spent(tombstone), _) => Err(tombstone.reject_line(line_id, peers)),
            (State::Scanned(_), _) => Err(Rejected::OutOfOrder),
        }
    }
}

impl Role for Bob {
    const ROLE: u8 = App::BOB;
    const OUTBOX: u8 = OUTBOX;
    type Effect<'m> = BobEffect<'m>;

    impl_machine!(state: State<Intro>);
    impl_machine!(whole next state: State<Intro>);

    fn from_held(held: Held<State<Intro>>) -> Self {
        Self(held, PhantomData)
    }

    fn outbox(&self, place: u8) -> Option<BobEffect<'_>> {
        match (&self.0.state, place) {
            (State::Connecting(connecting), 0) => Some(BobEffect::Send(Request::Connect {
                kind: connecting.kind,
                port_id: connecting.line_link,
                ticket: connecting.ticket.as_ref().map(|ticket| &ticket.secret),
                intro: &connecting.proof,
            })),
            (State::Spent(tombstone), place) => match tombstone.outbox(place)? {
                LastWord::Disconnect(line_id) => Some(BobEffect::Send(Request::Disconnect(line_id))),
                LastWord::CloseLink(..) => None,
                LastWord::Ended(outcome) => Some(BobEffect::Ended(outcome)),
            },
            _ => None,
        }
    }

    fn new_line(effect: &BobEffect<'_>, row: &mut Option<Row>) {
        if let BobEffect::LineFormed(line) = effect {
            UnauthenticatedLine::record_in(line.held(), row.insert(UnauthenticatedLine::row(line.held())));
        }
    }
}
