//! Time, as the caller's clock tells it.

use core::time::Duration;

use minicbor::{Decode, Decoder, Encode, decode};

/// Seconds since 1970-01-01T00:00:00Z, by the caller's clock, until the end of the year 9999 (§1.1).
///
/// No number of milliseconds of these days fits, so a clock that counts them is refused and does not pass for one of seconds.
///
/// ```
/// use core::time::Duration;
/// use port_protocol::UnixSeconds;
///
/// assert_eq!(UnixSeconds::new(1_790_000_000_000), None); // milliseconds
/// let now = UnixSeconds::new(1_790_000_000).ok_or("later than 9999")?;
/// assert_eq!(now.after(Duration::from_secs(600)).as_secs(), 1_790_000_600);
/// # #[cfg(feature = "std")]
/// let in_ten_minutes = UnixSeconds::now().after(Duration::from_secs(600));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode)]
#[cbor(transparent)]
pub struct UnixSeconds(#[n(0)] u64);

impl UnixSeconds {
    /// The last second of the year 9999.
    pub const MAX: Self = Self(253_402_300_799);

    /// `None` if that is later than the year 9999. Then the number is not one of seconds.
    pub const fn new(secs: u64) -> Option<Self> {
        if secs <= Self::MAX.0 { Some(Self(secs)) } else { None }
    }

    /// What the operating system's clock says.
    #[cfg(feature = "std")]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }

    /// The seconds since 1970.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// This long after; at most [`MAX`](Self::MAX). Parts of a second are dropped.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        self.plus(span.as_secs())
    }

    pub(crate) const fn plus(self, secs: u64) -> Self {
        let sum = self.0.saturating_add(secs);
        if sum < Self::MAX.0 { Self(sum) } else { Self::MAX }
    }
}

/// A clock before 1970 counts as 1970, and one after 9999 as [`UnixSeconds::MAX`].
#[cfg(feature = "std")]
impl From<std::time::SystemTime> for UnixSeconds {
    fn from(time: std::time::SystemTime) -> Self {
        Self(0).after(time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default())
    }
}

impl<'b, C> Decode<'b, C> for UnixSeconds {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.u64()?).ok_or_else(|| decode::Error::message("later than the year 9999"))
    }
}

/// How long something is still waited for (§8.8). Wall clocks jump, so a span is counted in looks at the clock, of which each counts for a
/// day at most. A wrong clock then costs a day, and never the whole span.
#[derive(Clone, Copy, Debug, Encode, Decode)]
pub struct Span {
    /// The hours that are left, and at least one is.
    #[cbor(n(0), decode_with = "hours_left")]
    left: u64,
    /// The last look.
    #[n(1)]
    since: UnixSeconds,
}

const HOUR: u64 = 60 * 60;
/// What one look at the clock counts for, at most, in hours.
const LONGEST_LOOK: u64 = 24;
const WEEK: u64 = 7 * LONGEST_LOOK;

/// Of a record.
fn hours_left<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<u64, decode::Error> {
    match d.u64()? {
        left @ 1..=WEEK => Ok(left),
        _ => Err(decode::Error::message("more than a week, or nothing")),
    }
}

impl Span {
    /// Seven days: what a line waits for its proof, and for early messages.
    pub(crate) const fn week(now: UnixSeconds) -> Self {
        Self { left: WEEK, since: now }
    }

    /// When to look again.
    pub(crate) fn deadline(&self) -> UnixSeconds {
        self.since.plus(self.left.min(LONGEST_LOOK).saturating_mul(HOUR))
    }

    /// Whether a look is due: also if the clock went back behind the last one, so that no look at a clock that ran ahead makes it last for
    /// years. A clock that stands at the end of time shows no time passing.
    pub(crate) fn is_due(&self, now: UnixSeconds) -> bool {
        now < self.since || (now > self.since && now >= self.deadline())
    }

    /// What is left after a look. `None`: nothing.
    pub(crate) fn look(&self, now: UnixSeconds) -> Option<Self> {
        let hours = now.0.saturating_sub(self.since.0) / HOUR;
        let left = self.left.saturating_sub(hours.min(LONGEST_LOOK));
        (left > 0).then_some(Self { left, since: now })
    }
}
