//! What Alice decides of a Port before it is made (§2.1, §14.1).

use minicbor::{Decode, Encode};

use super::policy::{Policy, UseLimit};
use super::{PortKind, RelayAddr, Terms};
use crate::id::LineId;
use crate::time::UnixSeconds;

/// What Alice decides of a Port before it is made: how it may be used, until when, and where (§2.1, §14.1).
///
/// ```
/// use core::time::Duration;
/// use port_protocol::{Policy, PortKind, PortOptions, RelayAddr, UnixSeconds};
///
/// let options = PortOptions::new().expires(UnixSeconds::now().after(Duration::from_secs(600))).relay(RelayAddr::new("relay.example")?);
/// assert_eq!(options.kind(), PortKind::Port);
/// assert_eq!(PortOptions::new().policy(Policy::unlimited()).kind(), PortKind::Superport);
/// # Ok::<(), port_protocol::PortError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct PortOptions {
    #[n(0)]
    pub(crate) terms: Terms,
    #[n(1)]
    pub(crate) policy: Policy,
    #[n(2)]
    pub(crate) introducer: Option<LineId>,
    #[n(3)]
    pub(crate) recognisable: bool,
}

impl PortOptions {
    /// Good for one use, without an expiry, at a relay that both sides know already.
    pub const fn new() -> Self {
        Self {
            terms: Terms { expires: None, relay: None },
            policy: Policy::once(),
            introducer: None,
            recognisable: false,
        }
    }

    /// From this second on the Port is dead, by either side's clock.
    #[must_use]
    pub const fn expires(mut self, at: UnixSeconds) -> Self {
        self.terms.expires = Some(at);
        self
    }

    /// Where the other side connects.
    #[must_use]
    pub fn relay(mut self, relay: RelayAddr) -> Self {
        self.terms.relay = Some(relay);
        self
    }

    /// How the Port may be used. For more than one use it is a Superport.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Makes it a contact port for the contact at the far end of this line (§16): only guests of that contact get in. When
    /// the line ends, [`revoke`](crate::Alice::revoke) the Port, and keep the line's record until then (§16.6).
    #[must_use]
    pub const fn introducer(mut self, line_id: LineId) -> Self {
        self.introducer = Some(line_id);
        self
    }

    /// Lets the users of this Port recognise its maker (§14.6): the relay gives one user the same [`PeerMark`](crate::PeerMark) of Alice at
    /// each of its recognisable Ports. Then a user can block Alice, and learns that a line replaces an older one. But a user of two of
    /// these Ports knows that one maker made both. Off by default.
    ///
    /// The relay must be told before the Port is used, so a Port for one use needs a network before it is shown, too.
    #[must_use]
    pub const fn recognisable(mut self, recognisable: bool) -> Self {
        self.recognisable = recognisable;
        self
    }

    pub(crate) fn expiry(&self) -> Option<UnixSeconds> {
        self.policy.expiry(self.terms.expires)
    }

    /// The kind that the Port will have.
    pub const fn kind(&self) -> PortKind {
        match (self.introducer, self.policy.use_limit()) {
            (Some(_), _) => PortKind::ContactPort,
            (None, UseLimit::Once) => PortKind::Port,
            (None, UseLimit::UpTo(_) | UseLimit::Unlimited) => PortKind::Superport,
        }
    }
}
