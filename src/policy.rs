//! How a Port may be used: how often, until when, by whom (§14).

use minicbor::{Decode, Encode};

use crate::id::LineId;
use crate::message::Admits;
use crate::port::{Kind, Relay, Terms, UnixSeconds};

/// How often a Port may be used (§14.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(flat)]
pub enum Uses {
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

/// What becomes of somebody who has a line with this user already (§14.6), as far as the Server's `pair_hash` tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Again {
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
/// use port_protocol::{Again, Offer, Policy, UnixSeconds};
///
/// let policy = Policy::up_to(50).until(Some(UnixSeconds(1_800_000_000))).asking(true).again(Again::Refuse);
/// let superport = Offer::new().policy(policy);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    uses: Uses,
    #[n(1)]
    again: Again,
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
        Self::new(Uses::Once)
    }

    /// At most `n` uses. It may be lowered later, also below what was used.
    pub const fn up_to(n: u32) -> Self {
        Self::new(Uses::UpTo(n))
    }

    /// Any number of uses, until it is closed.
    pub const fn unlimited() -> Self {
        Self::new(Uses::Unlimited)
    }

    /// Whether a Port of this kind can be used like this (§14.2): its kind stands in the Port, and stays.
    pub(crate) const fn suits(&self, kind: Kind) -> bool {
        match kind {
            Kind::Port => matches!(self.uses, Uses::Once),
            Kind::Superport => !matches!(self.uses, Uses::Once),
            Kind::ContactPort => true,
        }
    }

    const fn new(uses: Uses) -> Self {
        Self { uses, again: Again::Replace, paused: false, asks: false, until: None }
    }

    /// The same, for another number of uses.
    #[must_use]
    pub const fn uses(mut self, uses: Uses) -> Self {
        self.uses = uses;
        self
    }

    /// From this second on it is closed for good, by Alice's clock; `None`: it stays until it is closed. The Port does not say
    /// so: what both sides are to know is [`Offer::expires`].
    #[must_use]
    pub const fn until(mut self, until: Option<UnixSeconds>) -> Self {
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
    pub const fn asking(mut self, asks: bool) -> Self {
        self.asks = asks;
        self
    }

    /// What becomes of somebody who has a line with her already.
    #[must_use]
    pub const fn again(mut self, again: Again) -> Self {
        self.again = again;
        self
    }

    /// How often it may be used.
    pub const fn limit(&self) -> Uses {
        self.uses
    }

    /// Whether nobody gets in for now.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether each use waits for her word.
    pub const fn asks(&self) -> bool {
        self.asks
    }

    pub(crate) const fn refuses_again(&self) -> bool {
        matches!(self.again, Again::Refuse)
    }

    pub(crate) const fn replaces(&self) -> bool {
        matches!(self.again, Again::Replace)
    }

    /// Of a Port that expires then (§14.1).
    pub(crate) fn expiry(&self, of_port: Option<UnixSeconds>) -> Option<UnixSeconds> {
        [of_port, self.until].into_iter().flatten().min()
    }

    /// Whether there is a use left, after so many.
    const fn is_open(&self, used: u32) -> bool {
        match self.uses {
            _ if self.paused => false,
            Uses::Once => used == 0,
            Uses::UpTo(n) => used < n,
            Uses::Unlimited => true,
        }
    }

    /// What the Server is told (§14.2).
    pub(crate) const fn admits(&self, kind: Kind, used: u32) -> Admits {
        match kind {
            _ if !self.is_open(used) => Admits::Nobody,
            Kind::Port => Admits::One,
            Kind::Superport | Kind::ContactPort => Admits::Many,
        }
    }
}

/// What Alice says of a Port she is about to make: how it may be used, until when, and where (§2.1, §14.1).
///
/// ```
/// use port_protocol::{Kind, Offer, Policy, Relay, UnixSeconds};
///
/// let port = Offer::new().expires(UnixSeconds(1_800_000_000)).relay(Relay::new("relay.example")?);
/// assert_eq!(port.kind(), Kind::Port);
/// assert_eq!(Offer::new().policy(Policy::unlimited()).kind(), Kind::Superport);
/// # Ok::<(), port_protocol::PortError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Offer {
    #[n(0)]
    pub(crate) terms: Terms,
    #[n(1)]
    pub(crate) policy: Policy,
    #[n(2)]
    pub(crate) introducer: Option<LineId>,
}

impl Offer {
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
    pub fn relay(mut self, relay: Relay) -> Self {
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
    pub const fn kind(&self) -> Kind {
        match (self.introducer, self.policy.uses) {
            (Some(_), _) => Kind::ContactPort,
            (None, Uses::Once) => Kind::Port,
            (None, Uses::UpTo(_) | Uses::Unlimited) => Kind::Superport,
        }
    }
}
