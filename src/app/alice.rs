//! Alice of the app (§17.10).

use super::bundle::{Bundle, Grant};
use super::dialect::App;
use super::event::{Event, Happened};
use super::line::UnauthenticatedLine;
use super::name::Name;
use super::request::Request;
use crate::alice::{AliceOf, PortOutcome};
use crate::error::Rejected;
use crate::id::{LineLink, RecordKey};
use crate::machine::peers::Peers;
use crate::machine::{Machine, Step};
use crate::message;
use crate::port::{PortKind, UnixSeconds};

/// One bundle at its creator's side: as [`Alice`](crate::Alice), with all that she promises of replays, crashes and policies, but for
/// what can't be promised of the app's formats (§17.9).
///
/// [`offer`](AliceOf::offer) is for ids that are here already ([`Request::LineLinks`]), [`request`](AliceOf::request) for all others.
/// The relay of an [`PortOptions`](crate::PortOptions) stands in no bundle. No line takes the place of another: who is connected already is refused,
/// unless her policy is [`OnRepeat::Allow`](crate::OnRepeat::Allow).
pub type Alice = AliceOf<App>;

/// What an Alice asks her caller to do.
#[derive(Debug)]
pub enum AliceEffect<'m> {
    /// Send this to the app's server. What it issues comes back by [`issued`](Alice::issued).
    Send(Request<'m>),
    /// Show the [`bundle`](Alice::bundle), or send the [`grant`](Alice::grant) along its line; if a `Send` comes before it, only once the
    /// server took that.
    PortReady,
    /// A line was formed, and its record is stored ([`Step::line`]). Do what is in its `pending()`.
    LineFormed(UnauthenticatedLine),
    /// It is over without a line. Tell the user, then settle. The server can't be told that an id for one use is dead: who uses it yet
    /// gets a line that is to be disconnected ([`Rejected::UnwantedLine`]).
    Ended(PortOutcome),
}

impl Alice {
    /// Takes an event from the app's server, from somebody of whom nothing is known: **nobody is blocked**, nobody is connected
    /// already, and no ticket is good. For all that there is [`handle`](Alice::handle).
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle(&mut self, event: &Event, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle_knowing(event, &(), now)
    }

    /// [`handle`](Alice::handle), with what the caller knows of who comes.
    ///
    /// # Errors
    /// The same.
    pub fn handle_knowing(
        &mut self,
        event: &Event,
        known: &impl Peers,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, Rejected> {
        // Of the kind goes what was kept of this id, not what the server says now.
        let Happened::Used { kind: _, port_id, line_id, pair_hash, intro } = &event.what else {
            return Err(Rejected::WrongMachine);
        };
        let (line_link, line_id, pair_hash) = (*port_id, *line_id, *pair_hash);
        let formed = message::Event::LineFormed { line_link, line_id, pair_hash, proof: None };
        self.take((&formed, Some(intro)), known, now)
    }

    /// What the server answered to her request: an id of the kind that she asked for.
    ///
    /// # Errors
    /// [`Rejected::Duplicate`]: it is the one that she has. [`Rejected::OutOfOrder`]: she has another already, or was given up. Unless there
    /// is a record of this one, keep an id for one use for another Port; delete a Superport ([`Request::DeleteSuperport`]); pause a contact
    /// port ([`Request::PauseContactPorts`]).
    pub fn issued(&mut self, port_id: LineLink, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        let request_id = match self.key() {
            RecordKey::Request(request_id) => request_id,
            // Who takes it for one too many deletes her Superport.
            RecordKey::LineLink(ours) if ours == port_id => return Err(Rejected::Duplicate),
            _ => return Err(Rejected::OutOfOrder),
        };
        let issued = message::Event::LineLinkIssued { request_id, line_link: port_id };
        self.take((&issued, None), &(), now).map_err(|error| match error {
            // A Port that was given up has no other use for it.
            Rejected::UnwantedLink(_) => Rejected::OutOfOrder,
            error => error,
        })
    }

    /// What to show, under this name; `None` unless it is on offer, and for a contact port, which is granted.
    pub fn bundle(&self, name: Option<Name>) -> Option<Bundle> {
        let port = self.offered().filter(|port| port.kind() != PortKind::ContactPort)?;
        Some(Bundle::of(port, name))
    }

    /// What to send along the line of the contact who may introduce others by it
    /// ([`Content::ContactPortBundle`](super::Content::ContactPortBundle)); `None` unless it is on offer, and for any but a contact port.
    pub fn grant(&self, name: Option<Name>) -> Option<Grant> {
        let port = self.offered().filter(|port| port.kind() == PortKind::ContactPort)?;
        Some(Grant::of(port, name))
    }
}
