//! A Port as a text: QR code and link (§2.5–§2.7).

use core::fmt::Write as _;
use core::{fmt, str};

use zeroize::Zeroize;

use super::base::is_link_base;
use super::{MAX_PORT_BYTES, Port};
use crate::cbor::Bytes;
use crate::checked::{self, CHECK, Unchecked, is_in_base32, is_of_another_version};
use crate::error::PortError;

/// The longest QR text, in characters: `PORT:` and the Base32 of the longest Port with its check.
pub const MAX_QR_TEXT: usize = 340;

pub(super) const QR_PREFIX: &str = "PORT:";

/// The longest Port and its check.
const MAX_CHECKED: usize = MAX_PORT_BYTES + CHECK;

impl Port {
    /// The QR text (§2.5): `PORT:` and Base32 of the bytes and their check, all in QR's alphanumeric set. 122 characters for a plain
    /// Port, which fit a version 5 code at level M.
    pub fn qr_text(&self) -> QrText {
        let (bytes, mut text) = (self.to_bytes(), QrText(Bytes::EMPTY));
        // Bounds: both have room for the longest Port (§2.5).
        let checked = checked::with_check::<MAX_CHECKED>(bytes.as_slice());
        let _ = text.0.write_str(QR_PREFIX);
        let _ = checked::write_base32(&mut text.0, checked.as_slice());
        text
    }

    /// A link on `base` (§2.6), to be written with `Display`. Everything about the Port stands behind the `#`, which
    /// no browser sends to the web server.
    ///
    /// Other software finds a link in a text by its form. So choose a short base in lower case, with a name as its host and with a path, as
    /// `https://example.org/p`. Without a path, or with a user name, a stop at the end of the host or an address, several linkifiers make no
    /// link, or cut it before the Port. At a hyphen mail breaks the line. The page should run no script, which could read the Port, and
    /// should not redirect. `docs/texts.md` has what was measured.
    ///
    /// # Errors
    /// [`PortError::BadLinkBase`]: the base is not `https://` and a host, nor `http://` and a host that ends in `.onion`; or no URL parser
    /// would open it; or it has a `#`. Choose another.
    pub fn link<'a>(&self, base: &'a str) -> Result<PortLink<'a>, PortError> {
        if is_link_base(base) { Ok(PortLink { base, text: self.qr_text() }) } else { Err(PortError::BadLinkBase) }
    }

    /// Reads a QR text or a link (§2.7), and nothing else: for texts that a machine hands over. White space and zero-width characters
    /// around it are forgiven.
    ///
    /// # Errors
    /// Those of [`Port::from_bytes`], and [`PortError::Damaged`] if the check is wrong. The version is judged before the length, so that
    /// a longer Port of a later version asks for an update.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        Self::from_base32(base32_in(text, QR_PREFIX).ok_or(PortError::Malformed)?)
    }

    /// Reads what stands behind `PORT:` or `#`. Every character is in Base32's alphabet.
    pub(super) fn from_base32(base32: &[u8]) -> Result<Self, PortError> {
        if is_of_another_version(base32) {
            return Err(PortError::UnsupportedVersion);
        }
        let checked = checked::read::<MAX_CHECKED>(base32).map_err(|error| match error {
            Unchecked::Damaged => PortError::Damaged,
            Unchecked::TooLong => PortError::Malformed,
        })?;
        let port = Self::from_bytes(checked::without_check(checked.as_slice()))?;
        // Base32 has unused bits at its end: only one last character is canonical.
        if port.qr_text().base32().as_bytes() == base32 { Ok(port) } else { Err(PortError::Malformed) }
    }
}

/// The Base32 in a QR text that begins so, or in a link.
pub(crate) fn base32_in<'t>(text: &'t str, prefix: &str) -> Option<&'t [u8]> {
    let text = trimmed(text);
    let base32 = match (text.strip_prefix(prefix), text.split_once('#')) {
        (Some(base32), _) => base32,
        (None, Some((base, fragment))) if is_link_base(base) => fragment,
        _ => return None,
    };
    base32.bytes().all(is_in_base32).then_some(base32.as_bytes())
}

/// What messengers and copying leave around a text.
const ZERO_WIDTH: [char; 7] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'];

pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ZERO_WIDTH.contains(&c))
}

/// A Port's QR text. Zeroized on drop.
#[derive(Debug)]
pub struct QrText(Bytes<MAX_QR_TEXT>);

impl QrText {
    /// The text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }

    fn base32(&self) -> &str {
        self.as_str().strip_prefix(QR_PREFIX).unwrap_or_default()
    }
}

/// A Port's link, written by `Display`.
#[derive(Debug)]
pub struct PortLink<'a> {
    base: &'a str,
    text: QrText,
}

impl PortLink<'_> {
    /// What stands one behind the other.
    pub(super) fn parts(&self) -> [&str; 3] {
        [self.base, "#", self.text.base32()]
    }
}

impl fmt::Display for PortLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().into_iter().try_for_each(|part| f.write_str(part))
    }
}

impl fmt::Display for QrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Drop for QrText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
