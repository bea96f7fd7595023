//! Policy: how often and until when a Port may be used, and which users it lets in (§14).

use minicbor::{Decode, Encode};

use super::PortKind;
use crate::time::UnixSeconds;

/// Whom a line link lets in (§14.2). The relay can't count the uses that are left, because it can't tell a good proof from a bad one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Admission {
    /// Nobody, for now.
    #[n(1)]
    Nobody,
    /// The first user. A link is issued so.
    #[n(2)]
    One,
    /// Every user, each with a line of its own.
    #[n(3)]
    Many,
}

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

/// What happens when a user comes who has a line with this user already (§14.6), as far as the relay's `peer` tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum OnRepeat {
    /// A new line is formed. Close the old one once the new one is confirmed: see [`Line::replaces`](crate::Line::replaces). In the
    /// app's dialect no line is ever confirmed, so the user gets none (§17.10).
    #[default]
    #[n(1)]
    Replace,
    /// A new line is formed, and the old one stays.
    #[n(2)]
    Allow,
    /// No line is formed.
    #[n(3)]
    Refuse,
}

/// How a Port may be used (§14.1). It is Alice's own: its machine holds everybody to it, whatever the relay does.
///
/// ```
/// use core::time::Duration;
/// use port_protocol::{OnRepeat, Policy, PortOptions, UnixSeconds};
///
/// let tomorrow = UnixSeconds::now().after(Duration::from_secs(24 * 60 * 60));
/// let policy = Policy::up_to(50).closes_at(Some(tomorrow)).require_approval(true).on_repeat(OnRepeat::Refuse);
/// let superport = PortOptions::new().policy(policy);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Policy {
    #[n(0)]
    uses: UseLimit,
    #[n(1)]
    repeat: OnRepeat,
    #[n(2)]
    paused: bool,
    #[n(3)]
    asks: bool,
    #[n(4)]
    closes_at: Option<UnixSeconds>,
}

impl Policy {
    /// One use: a plain Port.
    pub const fn once() -> Self {
        Self::new(UseLimit::Once)
    }

    /// At most `n` uses. The limit may be lowered later, also below the number already used.
    pub const fn up_to(n: u32) -> Self {
        Self::new(UseLimit::UpTo(n))
    }

    /// Any number of uses, until it is closed.
    pub const fn unlimited() -> Self {
        Self::new(UseLimit::Unlimited)
    }

    const fn new(uses: UseLimit) -> Self {
        Self { uses, repeat: OnRepeat::Replace, paused: false, asks: false, closes_at: None }
    }

    /// The same policy with another use limit.
    #[must_use]
    pub const fn with_use_limit(mut self, limit: UseLimit) -> Self {
        self.uses = limit;
        self
    }

    /// From this second on the Port is closed for good, by Alice's clock. `None`: it stays open until it is closed by hand. The Port does
    /// not say so. For a date that both sides know there is [`PortOptions::expires`](crate::PortOptions::expires).
    #[must_use]
    pub const fn closes_at(mut self, at: Option<UnixSeconds>) -> Self {
        self.closes_at = at;
        self
    }

    /// Whether nobody gets in for now.
    #[must_use]
    pub const fn paused(mut self, paused: bool) -> Self {
        self.paused = paused;
        self
    }

    /// Whether each use waits for the user's approval (§14.5).
    #[must_use]
    pub const fn require_approval(mut self, asks: bool) -> Self {
        self.asks = asks;
        self
    }

    /// What happens when a user comes who has a line already.
    #[must_use]
    pub const fn on_repeat(mut self, repeat: OnRepeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// How often the Port may be used.
    pub const fn use_limit(&self) -> UseLimit {
        self.uses
    }

    /// Whether nobody gets in for now.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether each use waits for the user's approval.
    pub const fn requires_approval(&self) -> bool {
        self.asks
    }

    /// Whether a Port of this kind can be used like this (§14.2). The kind stands in the Port, and can't change.
    pub(crate) const fn suits(&self, kind: PortKind) -> bool {
        match kind {
            PortKind::Port => matches!(self.uses, UseLimit::Once),
            PortKind::Superport => !matches!(self.uses, UseLimit::Once),
            PortKind::ContactPort => true,
        }
    }

    pub(crate) const fn refuses_repeat(&self) -> bool {
        matches!(self.repeat, OnRepeat::Refuse)
    }

    pub(crate) const fn replaces(&self) -> bool {
        matches!(self.repeat, OnRepeat::Replace)
    }

    /// When the Port ends, if it says itself that it expires then (§14.1).
    pub(crate) fn expiry(&self, of_port: Option<UnixSeconds>) -> Option<UnixSeconds> {
        [of_port, self.closes_at].into_iter().flatten().min()
    }

    /// Whether a use is left, after so many.
    const fn is_open(&self, used: u32) -> bool {
        match self.uses {
            _ if self.paused => false,
            UseLimit::Once => used == 0,
            UseLimit::UpTo(n) => used < n,
            UseLimit::Unlimited => true,
        }
    }

    /// What the relay is told (§14.2).
    pub(crate) const fn admission(&self, kind: PortKind, used: u32) -> Admission {
        match kind {
            _ if !self.is_open(used) => Admission::Nobody,
            PortKind::Port => Admission::One,
            PortKind::Superport | PortKind::ContactPort => Admission::Many,
        }
    }
}
