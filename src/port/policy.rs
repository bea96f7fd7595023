//! How a Port may be used: how often, until when, by whom (§14).

use minicbor::{Decode, Encode};

use crate::id::LineId;
use crate::message::Admission;
use crate::port::{PortKind, RelayAddr, Terms, UnixSeconds};

/// How often a Port may be used (§14.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(flat)]
pub enum UseLimit {
    /// Once: a plain Port.
    #[default]
    #[n(1)]
    Once,
    /// As often as this, at most.
    #[n(2)]
    UpTo(#[n(0)] u32),
    /// Without limit.
    #[n(3)]
    Unlimited,
}

/// What becomes of somebody who has a line with this user already (§14.6), as far as the relay's `pair_hash` tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum OnRepeat {
    /// He gets another one, and the old one is to be closed once the new one is confirmed: see
    /// [`Line::replaces`](crate::Line::replaces). In the app's dialect, where none is ever confirmed, he gets none (§17.10).
    #[default]
    #[n(1)]
    Replace,
    /// He gets another one.
    #[n(2)]
    Allow,
    /// He gets none.
    #[n(3)]
    Refuse,
}

/// How a Port may be used (§14.1). It is Alice's own: her machine holds everybody to it, whatever the relay does.
///
/// ```
/// use port_protocol::{OnRepeat, PortOptions, Policy, UnixSeconds};
///
/// let policy = Policy::up_to(50).closes_at(Some(UnixSeconds(1_800_000_000))).require_approval(true).on_repeat(OnRepeat::Refuse);
/// let superport = PortOptions::new().policy(policy);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    uses: UseLimit,
    #[n(1)]
    again: OnRepeat,
    #[n(2)]
    paused: bool,
    #[n(3)]
    asks: bool,
    #[n(4)]
    until: Option<UnixSeconds>,
}

impl Policy {
    /// One use: a plain Port.
    pub const fn once() -> Self {
        Self::new(UseLimit::Once)
    }

    /// At most `n` uses. It may be lowered later, also below what was used.
    pub const fn up_to(n: u32) -> Self {
        Self::new(UseLimit::UpTo(n))
    }

    /// Any number of uses, until it is closed.
    pub const fn unlimited() -> Self {
        Self::new(UseLimit::Unlimited)
    }

    /// Whether a Port of this kind can be used like this (§14.2): its kind stands in the Port, and stays.
    pub(crate) const fn suits(&self, kind: PortKind) -> bool {
        match kind {
            PortKind::Port => matches!(self.uses, UseLimit::Once),
            PortKind::Superport => !matches!(self.uses, UseLimit::Once),
            PortKind::ContactPort => true,
        }
    }

    const fn new(uses: UseLimit) -> Self {
        Self { uses, again: OnRepeat::Replace, paused: false, asks: false, until: None }
    }

    /// The same, for another number of uses.
    #[must_use]
    pub const fn with_use_limit(mut self, uses: UseLimit) -> Self {
        self.uses = uses;
        self
    }

    /// From this second on it is closed for good, by Alice's clock; `None`: it stays until it is closed. The Port does not say
    /// so: what both sides are to know is [`PortOptions::expires`].
    #[must_use]
    pub const fn closes_at(mut self, until: Option<UnixSeconds>) -> Self {
        self.until = until;
        self
    }

    /// Whether nobody gets in for now.
    #[must_use]
    pub const fn paused(mut self, paused: bool) -> Self {
        self.paused = paused;
        self
    }

    /// Whether each use waits for her word (§14.5).
    #[must_use]
    pub const fn require_approval(mut self, asks: bool) -> Self {
        self.asks = asks;
        self
    }

    /// What becomes of somebody who has a line with her already.
    #[must_use]
    pub const fn on_repeat(mut self, again: OnRepeat) -> Self {
        self.again = again;
        self
    }

    /// How often it may be used.
    pub const fn use_limit(&self) -> UseLimit {
        self.uses
    }

    /// Whether nobody gets in for now.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether each use waits for her word.
    pub const fn requires_approval(&self) -> bool {
        self.asks
    }

    pub(crate) const fn refuses_again(&self) -> bool {
        matches!(self.again, OnRepeat::Refuse)
    }

    pub(crate) const fn replaces(&self) -> bool {
        matches!(self.again, OnRepeat::Replace)
    }

    /// Of a Port that expires then (§14.1).
    pub(crate) fn expiry(&self, of_port: Option<UnixSeconds>) -> Option<UnixSeconds> {
        [of_port, self.until].into_iter().flatten().min()
    }

    /// Whether there is a use left, after so many.
    const fn is_open(&self, used: u32) -> bool {
        match self.uses {
            _ if self.paused => false,
            UseLimit::Once => used == 0,
            UseLimit::UpTo(n) => used < n,
            UseLimit::Unlimited => true,
        }
    }

    /// What the relay is told (§14.2).
    pub(crate) const fn admits(&self, kind: PortKind, used: u32) -> Admission {
        match kind {
            _ if !self.is_open(used) => Admission::Nobody,
            PortKind::Port => Admission::One,
            PortKind::Superport | PortKind::ContactPort => Admission::Many,
        }
    }
}

/// What Alice says of a Port she is about to make: how it may be used, until when, and where (§2.1, §14.1).
///
/// ```
/// use port_protocol::{PortKind, PortOptions, Policy, RelayAddr, UnixSeconds};
///
/// let port = PortOptions::new().expires(UnixSeconds(1_800_000_000)).relay(RelayAddr::new("relay.example")?);
/// assert_eq!(port.kind(), PortKind::Port);
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
}

impl PortOptions {
    /// Good for one use, for ever, at a relay that both know already.
    pub const fn new() -> Self {
        Self { terms: Terms { expires: None, relay: None }, policy: Policy::once(), introducer: None }
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

    /// How it may be used. For more than one use it is a Superport.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// A contact port for the contact at the far end of this line (§16): only who she introduces gets in. When that line ends,
    /// [`revoke`](crate::Alice::revoke) it, and keep the line's record until then (§16.6).
    #[must_use]
    pub const fn introducer(mut self, line_id: LineId) -> Self {
        self.introducer = Some(line_id);
        self
    }

    pub(crate) fn expiry(&self) -> Option<UnixSeconds> {
        self.policy.expiry(self.terms.expires)
    }

    /// Of which kind the Port will be.
    pub const fn kind(&self) -> PortKind {
        match (self.introducer, self.policy.uses) {
            (Some(_), _) => PortKind::ContactPort,
            (None, UseLimit::Once) => PortKind::Port,
            (None, UseLimit::UpTo(_) | UseLimit::Unlimited) => PortKind::Superport,
        }
    }
}
