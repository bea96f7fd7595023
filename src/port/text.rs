//! A Port as a text: QR code and link (§2.5–§2.7).

use core::fmt::Write as _;
use core::{fmt, str};

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroize;

use super::addr::is_in_urls;
use super::{Port, PortBytes};
use crate::cbor::{self, Bytes};
use crate::error::PortError;

/// The longest QR text, in characters: `PORT:` and the Base32 of the longest Port.
pub const MAX_QR_TEXT: usize = 337;

const QR_PREFIX: &str = "PORT:";

impl Port {
    /// The QR text (§2.5): `PORT:` and Base32, all in QR's alphanumeric set. 119 characters for a plain Port, which fit
    /// a version 5 code at level M.
    pub fn qr_text(&self) -> QrText {
        let mut text = QrText(Bytes::EMPTY);
        // Bound: MAX_QR_TEXT is what the longest Port takes (§2.5).
        let _ = write!(text.0, "{QR_PREFIX}{}", BASE32_NOPAD.encode_display(self.to_bytes().as_slice()));
        text
    }

    /// A link on `base` (§2.6), to be written with `Display`. Everything about the Port stands behind the `#`, which
    /// no browser sends to the web server.
    ///
    /// # Errors
    /// [`PortError::BadLinkBase`] unless `base` is `https://`, a host, and whatever follows it but a `#`.
    pub fn link<'a>(&self, base: &'a str) -> Result<PortLink<'a>, PortError> {
        if is_link_base(base) { Ok(PortLink { base, text: self.qr_text() }) } else { Err(PortError::BadLinkBase) }
    }

    /// Reads a QR text or a link (§2.7). White space and zero-width characters around it are forgiven, nothing else.
    ///
    /// # Errors
    /// Those of [`Port::from_bytes`]. The version is judged before the length, so that a longer Port of a later version asks for an update.
    pub fn parse(text: &str) -> Result<Self, PortError> {
        let text = trimmed(text);
        let base32 = match (text.strip_prefix(QR_PREFIX), text.split_once('#')) {
            (Some(base32), _) => base32,
            (None, Some((base, fragment))) if is_link_base(base) => fragment,
            _ => return Err(PortError::Malformed),
        };
        if !base32.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) {
            return Err(PortError::Malformed);
        }
        if is_of_another_version(base32.as_bytes()) {
            return Err(PortError::UnsupportedVersion);
        }
        let mut bytes = PortBytes(Bytes::EMPTY);
        bytes.0.fill(|out| {
            let out = out.get_mut(..BASE32_NOPAD.decode_len(base32.len()).ok()?)?;
            BASE32_NOPAD.decode_mut(base32.as_bytes(), out).ok()
        });
        let port = Self::from_bytes(bytes.as_slice())?;
        // Base32 has unused bits at its end: only one last character is canonical.
        if port.qr_text().base32() == base32 { Ok(port) } else { Err(PortError::Malformed) }
    }
}

/// Looks at the first bytes only, whatever the length of the text (§1.3): 20 bytes hold an array's head and a version of any size.
fn is_of_another_version(base32: &[u8]) -> bool {
    let (mut front, mut bytes) = ([b'A'; 32], [0; 20]);
    front.iter_mut().zip(base32).for_each(|(to, from)| *to = *from);
    // The alphabet was checked, and the length is a multiple of eight.
    let _ = BASE32_NOPAD.decode_mut(&front, &mut bytes);
    let whole = base32.len().min(front.len()).saturating_mul(5) / 8;
    cbor::is_of_another_version(bytes.get(..whole).unwrap_or_default())
}

/// What messengers and copying leave around a text.
const ZERO_WIDTH: [char; 7] = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'];

pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ZERO_WIDTH.contains(&c))
}

fn is_link_base(base: &str) -> bool {
    base.strip_prefix("https://").is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && rest.bytes().all(|byte| byte != b'#' && is_in_urls(byte))
    })
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

impl fmt::Display for PortLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.base, self.text.base32())
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
