//! Session: keys, numbers and rekeying of the two directions (§18.6).

use alloc::vec::Vec;

use aes_gcm::Aes256Gcm;

use super::message::SessionId;
use super::noise::{self, Keys, Unopened};
use crate::line::window::Window;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// How many numbers one key is used for.
const PERIOD: u64 = 1_024;
/// The first number that a session does not have.
const END: u64 = 1 << 20;
/// By how many seconds a clock goes back without being set back.
const CORRECTION: u64 = 60;
/// How long a session lasts, in seconds.
const LIFE: u64 = 24 * 60 * 60;

/// The key of one direction, and of the period before.
struct Direction {
    key: Secret<32>,
    cipher: Aes256Gcm,
    previous: Option<Aes256Gcm>,
}

impl Direction {
    fn new(key: Secret<32>) -> Self {
        Self { cipher: noise::cipher(&key), key, previous: None }
    }

    /// Goes on to the next period. The key of the one before the last is gone then.
    fn advance(&mut self) {
        self.key = noise::rekey(&self.key);
        let current = core::mem::replace(&mut self.cipher, noise::cipher(&self.key));
        self.previous = Some(current);
    }
}

/// Both directions. They are always of one period.
struct Directions {
    period: u64,
    caller: Direction,
    callee: Direction,
}

impl Directions {
    fn new(keys: Keys) -> Self {
        Self { period: 0, caller: Direction::new(keys.caller), callee: Direction::new(keys.callee) }
    }

    fn advance(&mut self) {
        self.period = self.period.saturating_add(1);
        self.caller.advance();
        self.callee.advance();
    }

    /// The key for this number, if it is of this period or of the one before.
    fn cipher<'d>(&self, direction: &'d Direction, number: u64) -> Option<&'d Aes256Gcm> {
        match self.period.checked_sub(period_of(number))? {
            0 => Some(&direction.cipher),
            1 => direction.previous.as_ref(),
            _ => None,
        }
    }
}

const fn period_of(number: u64) -> u64 {
    number / PERIOD
}

/// Whether a session is too old; also if the clock was set back behind its beginning, by more than a clock is corrected by.
const fn is_over(opened: UnixSeconds, now: UnixSeconds) -> bool {
    now.plus(CORRECTION).as_secs() < opened.as_secs() || now.as_secs() >= opened.plus(LIFE).as_secs()
}

/// The caller's end.
pub(super) struct CallerSession {
    pub(super) id: SessionId,
    opened: UnixSeconds,
    next: u64,
    /// Somebody said that the callee has ended it. What was asked in it may still be answered.
    is_retired: bool,
    directions: Directions,
}

impl CallerSession {
    pub(super) fn new(id: SessionId, keys: Keys, now: UnixSeconds) -> Self {
        Self { id, opened: now, next: 0, is_retired: false, directions: Directions::new(keys) }
    }

    pub(super) const fn is_over(&self, now: UnixSeconds) -> bool {
        self.is_retired || self.next >= END || is_over(self.opened, now)
    }

    /// Asks nothing more in it.
    pub(super) const fn retire(&mut self) {
        self.is_retired = true;
    }

    /// The number of the next Exchange.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Encrypts the next Exchange, which stands in `buffer` from `start` on, in place.
    pub(super) fn encrypt(&mut self, buffer: &mut Vec<u8>, start: usize) {
        let number = self.next;
        self.next = number.saturating_add(1);
        if period_of(number) > self.directions.period {
            self.directions.advance();
        }
        noise::encrypt(&self.directions.caller.cipher, number, &[], buffer, start);
    }

    /// Decrypts the Reply to this number.
    pub(super) fn decrypt(&self, number: u64, buffer: &mut [u8]) -> Result<usize, Unopened> {
        let cipher = self.directions.cipher(&self.directions.callee, number).ok_or(Unopened)?;
        noise::decrypt(cipher, number, &[], buffer)
    }
}

/// The callee's end.
pub(super) struct CalleeSession {
    opened: UnixSeconds,
    window: Window,
    directions: Directions,
}

impl CalleeSession {
    pub(super) fn new(keys: Keys, now: UnixSeconds) -> Self {
        Self { opened: now, window: Window::default(), directions: Directions::new(keys) }
    }

    pub(super) const fn is_over(&self, now: UnixSeconds) -> bool {
        is_over(self.opened, now)
    }

    /// Decrypts an Exchange. Each number opens once, and one that does not open changes nothing.
    pub(super) fn decrypt(&mut self, number: u64, buffer: &mut [u8]) -> Result<usize, Unopened> {
        let window = self.window.accept(number).map_err(|_| Unopened)?;
        let is_next = period_of(number) == self.directions.period.saturating_add(1);
        if number >= END || window.ahead_of(&self.window) > PERIOD {
            return Err(Unopened);
        }
        let length = if is_next {
            let cipher = noise::cipher(&noise::rekey(&self.directions.caller.key));
            noise::decrypt(&cipher, number, &[], buffer)?
        } else {
            let cipher = self.directions.cipher(&self.directions.caller, number).ok_or(Unopened)?;
            noise::decrypt(cipher, number, &[], buffer)?
        };
        if is_next {
            self.directions.advance();
        }
        self.window = window;
        Ok(length)
    }

    /// Whether the key for the Reply to this number is still there.
    pub(super) fn has_key(&self, number: u64) -> bool {
        self.directions.cipher(&self.directions.callee, number).is_some()
    }

    /// Encrypts the Reply to this number, in place. `None`: its key is gone, because the session went on for long.
    pub(super) fn encrypt(&self, number: u64, buffer: &mut Vec<u8>, start: usize) -> Option<()> {
        let cipher = self.directions.cipher(&self.directions.callee, number)?;
        noise::encrypt(cipher, number, &[], buffer, start);
        Some(())
    }
}
