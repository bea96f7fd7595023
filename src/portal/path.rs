//! The target of a request, its path and its query, in the one form in which it is matched and handed on (§18.5).

use alloc::string::String;
use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use thiserror::Error;

/// What stands encoded in a canonical path. The others are what RFC 3986 lets stand in a segment, but for `;` (§18.5).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The target of a request: a path, and perhaps a query, as `/path?query` of an HTTP request (§18.5). At most 8,192 bytes of ASCII.
///
/// Its path is canonical: paths that servers read as one have one form, and a path that servers read differently is refused. So the path that
/// a [`Manifest`](super::Manifest) is asked about is the path that the app reads. Hand on [`as_str`](Self::as_str), never the text that came in.
///
/// ```
/// use port_protocol::portal::{Target, TargetError};
///
/// let target = Target::parse("/notes/%7eme/a%2cb?q=%7e")?;
/// assert_eq!(target.path(), "/notes/~me/a,b");
/// assert_eq!(target.query(), Some("q=%7e")); // carried as it is
/// assert_eq!(Target::parse("/notes/%2e%2E/admin"), Err(TargetError::DotSegment));
/// # Ok::<(), TargetError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    text: String,
    /// Bytes of `text` that are the path.
    path_len: usize,
}

impl Target {
    /// The most bytes of a target, both as it comes and in canonical form: 8,192.
    pub const MAX_LEN: usize = 8192;

    /// Reads a target of the form `/path?query`, and makes its path canonical (§18.5).
    ///
    /// In the path a percent-encoded character that may stand plain is decoded. What may not is encoded, with upper-case digits. Letters keep
    /// their case, and a `/` at the end stays. The query is carried unchanged, and is not matched.
    ///
    /// # Errors
    /// [`TargetError`]: each variant says what was refused and what to send instead.
    pub fn parse(target: impl AsRef<[u8]>) -> Result<Self, TargetError> {
        Self::read(target.as_ref())
    }

    fn read(target: &[u8]) -> Result<Self, TargetError> {
        if target.len() > Self::MAX_LEN {
            return Err(TargetError::TooLong);
        }
        let mut parts = target.splitn(2, |byte| *byte == b'?');
        let mut text = canonical_path(parts.next().unwrap_or_default())?;
        let path_len = text.len();
        if let Some(query) = parts.next() {
            text.push('?');
            text.push_str(checked_query(query)?);
        }
        // A character that had to be encoded makes the path longer.
        if text.len() > Self::MAX_LEN { Err(TargetError::TooLong) } else { Ok(Self { text, path_len }) }
    }

    /// The canonical path. It begins with `/`.
    pub fn path(&self) -> &str {
        self.text.get(..self.path_len).unwrap_or_default()
    }

    /// The query without its `?`, unchanged. `None` without a `?`; `/x?` has an empty one.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_len..)?.strip_prefix('?')
    }

    /// The whole target, to be handed on: [`parse`](Self::parse) reads the same target from it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<C> Encode<C> for Target {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.text)?.ok()
    }
}

/// Only the canonical form: a text that would be written differently is no canonical encoding (§1.2).
impl<'b, C> Decode<'b, C> for Target {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::parse(d.str()?).map_err(|_| decode::Error::message("not a target"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a path or a target is refused (§18.5). Answer the sender with 400, and hand nothing to the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is longer than 8,192 bytes, as it came or after encoding. Send long input in the body.
    #[error("longer than 8,192 bytes: send long input in the body")]
    TooLong,
    /// It doesn't begin with `/`. Send only the path and the query, not a whole URL.
    #[error("a path begins with `/`: send the path and the query, not a whole URL")]
    NotAbsolute,
    /// It has a raw `#`. A fragment stays in the browser: cut it off, or encode the character as `%23`.
    #[error("a raw `#`: cut the fragment off, or encode it as `%23`")]
    Fragment,
    /// It has a byte above 0x7f. Encode it as UTF-8 with `%`.
    #[error("a byte that is not ASCII: encode it as UTF-8 with `%`")]
    NotAscii,
    /// The path's encoded bytes are not UTF-8. Some servers read overlong forms as `.` or `/`. Encode the text as UTF-8.
    #[error("encoded bytes that are not UTF-8: encode the text as UTF-8")]
    NotUtf8,
    /// It has a control character, also an encoded one in the path. Leave it out.
    #[error("a control character: leave it out")]
    Control,
    /// It has a raw space, or the path has white space, also encoded, at an end of a segment, where some servers cut it off. Encode a space
    /// within a segment as `%20`.
    #[error("a raw space, or white space at an end of a segment: encode a space within a segment as `%20`")]
    Whitespace,
    /// It has a character that RFC 3986 doesn't let stand there, such as `<` or `"`. Encode it with `%`.
    #[error("a character that may not stand there: encode it with `%`")]
    Unencoded,
    /// A `%` of the path stands without two hex digits. Encode a percent sign as `%25`.
    #[error("a `%` without two hex digits: encode a percent sign as `%25`")]
    MalformedPercent,
    /// The path has an encoded `%` with two hex digits after it, which some servers decode once more. Encode once.
    #[error("encoded twice: encode once")]
    EncodedTwice,
    /// The path has `%2F`. Some servers read it as `/`. Name the thing in another way, as in the query.
    #[error("an encoded `/`: name it in the query")]
    EncodedSlash,
    /// The path has `\` or `%5C`. Some servers read it as `/`. Leave it out.
    #[error("a `\\`, which some servers read as `/`: leave it out")]
    Backslash,
    /// A segment is `.` or `..`, also if it is encoded or a parameter follows. Send the path without it.
    #[error("a segment `.` or `..`: send the path that it leads to")]
    DotSegment,
    /// Two `/` follow each other. Some servers read them as one. Send one.
    #[error("two `/` in a row: send one")]
    EmptySegment,
    /// The path has a raw `;`. Some servers cut off what follows it. Encode it as `%3B`.
    #[error("a raw `;`, which some servers cut off with what follows: encode it as `%3B`")]
    PathParameter,
}

/// The canonical form of a path (§18.5). It has at most three times as many bytes.
pub(super) fn canonical_path(path: &[u8]) -> Result<String, TargetError> {
    let Some(path) = path.strip_prefix(b"/") else { return Err(TargetError::NotAbsolute) };
    let mut out = String::with_capacity(path.len().saturating_add(1));
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        // The last segment may be empty: the path ends with `/`.
        if segment.is_empty() && segments.peek().is_some() {
            return Err(TargetError::EmptySegment);
        }
        out.push('/');
        push_segment(segment, &mut out)?;
    }
    Ok(out)
}

fn push_segment(segment: &[u8], out: &mut String) -> Result<(), TargetError> {
    // Most have nothing that is to be judged or changed.
    if let Some(segment) = canonical(segment) {
        out.push_str(segment);
        return Ok(());
    }
    let mut rest = segment.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => match rest.as_slice() {
                [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
                _ => return Err(TargetError::MalformedPercent),
            },
            b';' => return Err(TargetError::PathParameter),
            b'{' | b'}' | b'`' => return Err(TargetError::Unencoded),
            byte => plain(*byte)?,
        }
    }
    // Twice decoded, a path would have two readings. So it is decoded once, checked, and encoded again.
    let decoded = percent_decode(segment).decode_utf8().map_err(|_| TargetError::NotUtf8)?;
    let before_parameter = decoded.split(';').next().unwrap_or_default();
    if decoded.contains('/') {
        return Err(TargetError::EncodedSlash);
    } else if decoded.contains('\\') {
        return Err(TargetError::Backslash);
    } else if decoded.contains(char::is_control) {
        return Err(TargetError::Control);
    } else if decoded.trim() != &*decoded {
        return Err(TargetError::Whitespace);
    } else if matches!(before_parameter, "." | "..") {
        return Err(TargetError::DotSegment);
    } else if decoded.split('%').skip(1).any(begins_with_hex) {
        return Err(TargetError::EncodedTwice);
    }
    out.extend(utf8_percent_encode(&decoded, ENCODED));
    Ok(())
}

/// The segment, if all of it stands plain in a canonical path, and it is not `.` or `..`.
fn canonical(segment: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(byte);
    let is_dots = matches!(segment, b"." | b"..");
    if is_dots || !segment.iter().all(is_plain) { None } else { str::from_utf8(segment).ok() }
}

fn begins_with_hex(text: &str) -> bool {
    matches!(text.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// What may stand plain in a path and in a query. Browsers send all of it plain, and a few characters more than RFC 3986 has.
fn plain(byte: u8) -> Result<(), TargetError> {
    match byte {
        b'#' => Err(TargetError::Fragment),
        b' ' => Err(TargetError::Whitespace),
        b'"' | b'<' | b'>' => Err(TargetError::Unencoded),
        0x80.. => Err(TargetError::NotAscii),
        byte if byte.is_ascii_control() => Err(TargetError::Control),
        _ => Ok(()),
    }
}

fn checked_query(query: &[u8]) -> Result<&str, TargetError> {
    query.iter().try_for_each(|byte| plain(*byte))?;
    str::from_utf8(query).map_err(|_| TargetError::NotAscii)
}
