//! What one user can make the relay hold (§13.6).

const DAY: u64 = 24 * 60 * 60;

/// What one user can make the relay hold, and for how long (§13.6). Whoever is over a limit is told so, and nothing has
/// moved; only packets make room for newer ones.
///
/// ```
/// use port_protocol::relay::Limits;
///
/// let limits = Limits { links: 16, ..Limits::default() };
/// # let _ = limits;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Line links of one user that are not to be forgotten yet: open, expired, used or closed. 256.
    pub links: usize,
    /// Lines of one user. One that was ended counts until the user has acknowledged it. 256.
    pub lines: usize,
    /// Lines of one user that were formed of one link for many. So it takes many users to fill up its owner's. 4.
    pub uses: usize,
    /// Packets that wait at one end of one line. 256.
    pub packets: usize,
    /// The bytes of their payloads together, so also the longest payload that is taken. 256 KiB.
    pub bytes: usize,
    /// For how many seconds a link can be used. A year.
    pub lifetime: u64,
    /// For how many seconds it is remembered what became of a link, and so which reply was given (§13.3). Thirty days.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let (packets, bytes) = (256, 256 * 1024);
        Self { links: 256, lines: 256, uses: 4, packets, bytes, lifetime: 365 * DAY, memory: 30 * DAY }
    }
}
