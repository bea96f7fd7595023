//! What one user can make the relay hold (§13.6).

const DAY: u64 = 24 * 60 * 60;

/// What one user can make the relay hold, and for how long (§13.6).
///
/// A request that would go over a limit is refused and writes nothing. Packets are the exception: a new packet pushes out the
/// oldest one of its line.
///
/// ```
/// use port_protocol::relay::Limits;
///
/// let limits = Limits { links: 16, ..Limits::default() };
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Line links of one user that are not due to be purged, whether open, expired, used or closed. Default: 256.
    pub links: usize,
    /// Lines of one user. A line that the other end has left counts until the user acknowledges that. Default: 256.
    pub lines: usize,
    /// Lines that one user has formed of one link for many, each until both ends have left it. This limit is why filling up the lines of
    /// that link's owner takes many users. Default: 4.
    pub uses: usize,
    /// Packets that wait at one end of one line. Default: 256.
    pub packets: usize,
    /// Bytes of the payloads that wait at one end of one line. No payload may be longer than this. Default: 256 KiB.
    pub bytes: usize,
    /// The number of seconds for which a link can be used. Default: a year.
    pub lifetime_secs: u64,
    /// The number of seconds for which the relay keeps what became of a link, so that a repeated request gets the same reply
    /// (§13.3). Default: thirty days.
    pub retention_secs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let (packets, bytes) = (256, 256 * 1024);
        Self { links: 256, lines: 256, uses: 4, packets, bytes, lifetime_secs: 365 * DAY, retention_secs: 30 * DAY }
    }
}
