//! Bob of the app (§17.10).

use super::bundle::Bundle;
use super::dialect::App;
use super::intro;
use super::line::UnauthenticatedLine;
use super::name::Name;
use super::request::Request;
use crate::bob::{BobOf, BobPhase, SendProof, UseOutcome};
use crate::error::Rejected;
use crate::id::{LineId, PairHash, RecordKey};
use crate::machine::peers::Peers;
use crate::machine::{Created, Machine, Step};
use crate::message::Event;
use crate::port::{Port, UnixSeconds};
use crate::proof::PrivateKey;
use crate::secret::Seed;
use crate::tombstone::FinalRequest;

/// One bundle at its user's side: as [`Bob`](crate::Bob). The very intro message that was sent once is sent again, until the server
/// has answered: it says yes or nothing, so that it is for the user to [`cancel`](BobOf::cancel).
pub type Bob = BobOf<App>;

/// What a Bob asks his caller to do.
#[derive(Debug)]
pub enum BobEffect<'m> {
    /// Send this to the app's server, and again only when no answer can come any more: of two requests under way a Superport may make two
    /// lines, and each end keep another. The answer goes to [`connected`](Bob::connected).
    Send(Request<'m>),
    /// A line was formed, and its record is stored ([`Step::line`]). Do what is in its `pending()`.
    LineFormed(UnauthenticatedLine),
    /// It is over without a line. Tell the user, then settle.
    Ended(UseOutcome),
}

impl Bob {
    /// A bundle that was read. Nothing is used yet; it keeps until there is a network. The name in it is not kept.
    pub fn scan(bundle: &Bundle, seed: Seed) -> Created<Self> {
        Self::read(bundle.to_port(), seed)
    }

    /// UseLimit the bundle, under this name. Past its expiry the step ends with [`UseOutcome::Expired`] instead.
    ///
    /// # Errors
    /// [`Rejected::OutOfOrder`]: it was used before. [`Rejected::Malformed`]: it was restored from a record that was forged. The request
    /// is in [`pending`](Machine::pending).
    pub fn connect(&mut self, name: &Name, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let prove = |private_key: &PrivateKey, iv: &[u8; 16], port: &Port| intro::prove(private_key, iv, port, name);
        let step = self.connect_by(prove, SendProof::Inline, now)?;
        // A record that this crate did not write may say more than any bundle: what comes of it has no room.
        if step.record().is_empty() { Err(Rejected::Malformed) } else { Ok(step) }
    }

    /// What the server answered to his request ([`response::connected`](super::response::connected)), and what the caller knows of who
    /// made the bundle. If it named no pair, the step ends with [`UseOutcome::NoPairHash`], and that line is disconnected.
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn connected(
        &mut self,
        line_id: LineId,
        pair_hash: Option<PairHash>,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        let RecordKey::LineLink(line_link) = self.key() else { return Err(Rejected::WrongMachine) };
        if pair_hash.is_none() && self.phase() == BobPhase::Connecting && !known.has_line(&line_id) {
            return self.end(UseOutcome::NoPairHash, FinalRequest::Disconnect(line_id));
        }
        // Without a pair it is one that came again, or a stray: nothing depends on whose it is.
        let pair_hash = pair_hash.unwrap_or_else(|| [0; 32].into());
        self.take(&Event::LineFormed { line_link, line_id, pair_hash, proof: None }, known, now)
    }
}
