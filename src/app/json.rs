//! JSON (RFC 8259) as the app writes it, and read more strictly than `JSON.parse` does (§17.1): no key twice, no other type.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write as _};
use core::ops::Deref;
use core::str::Chars;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;
use zeroize::Zeroize;

use super::text::SecretText;
use crate::secret::Secret;

/// Reads one value. serde takes an array for a struct, too: nothing that the app writes is one.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{').then(|| serde_json::from_str(text).ok())?
}

/// A member that may be missing, but is not `null` (as zod's `optional()` has it).
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// Text, borrowed where it has no escapes; wiped where it is a copy.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'a> Text<'a> {
    pub(crate) fn into_cow(mut self) -> Cow<'a, str> {
        core::mem::take(&mut self.0)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(d)?.get();
        let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        text.and_then(unescaped).ok_or_else(|| D::Error::custom("not text"))
    }
}

/// What stands between the quotes of a string. serde_json would do it in a buffer that nobody wipes.
fn unescaped(text: &str) -> Option<Text<'_>> {
    let Some((plain, mut rest)) = text.split_once('\\') else { return Some(Text(Cow::Borrowed(text))) };
    // No escape is shorter than what it stands for: it never grows.
    let mut out = Text(Cow::Owned(String::with_capacity(text.len())));
    let Cow::Owned(to) = &mut out.0 else { return None };
    to.push_str(plain);
    loop {
        let mut chars = rest.chars();
        to.push(match chars.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = unit(&mut chars)?;
                match char::from_u32(high.into()) {
                    Some(c) => c,
                    None => {
                        chars = chars.as_str().strip_prefix("\\u")?.chars();
                        char::decode_utf16([high, unit(&mut chars)?]).next()?.ok()?
                    }
                }
            }
            // `"`, `\` and `/`: what else there may be, serde_json has looked at.
            c => c,
        });
        let Some((plain, after)) = chars.as_str().split_once('\\') else {
            to.push_str(chars.as_str());
            return Some(out);
        };
        to.push_str(plain);
        rest = after;
    }
}

/// A code unit of UTF-16, as four hex digits.
fn unit(chars: &mut Chars<'_>) -> Option<u16> {
    let (digits, rest) = chars.as_str().split_at_checked(4)?;
    *chars = rest.chars();
    u16::from_str_radix(digits, 16).ok()
}

/// `N` bytes as lowercase hex.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<Secret<N>> {
    let mut bytes = Secret::ZERO;
    let length = HEXLOWER.decode_len(text.len()).ok().filter(|length| *length == N)?;
    HEXLOWER.decode_mut(text.as_bytes(), bytes.expose_mut().get_mut(..length)?).ok()?;
    Some(bytes)
}

/// `N` bytes as lowercase hex, in JSON.
pub(crate) struct Hex<const N: usize>(pub(crate) Secret<N>);

impl<const N: usize> Hex<N> {
    pub(crate) fn into<T: From<[u8; N]>>(self) -> T {
        (*self.0.expose()).into()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        hex(&Text::deserialize(d)?).map(Self).ok_or_else(|| D::Error::custom("not lowercase hex of this length"))
    }
}

/// Whether JavaScript takes this value for true.
pub(crate) fn is_truthy(value: &RawValue) -> bool {
    let text = value.get();
    match text.as_bytes() {
        [b'n' | b'f', ..] | b"\"\"" => false,
        [b'0'..=b'9' | b'-', ..] => serde_json::from_str::<f64>(text).map_or(true, |number| number != 0.0),
        _ => true,
    }
}

/// Writes an object, member by member, as `JSON.stringify` does.
#[derive(Default)]
pub(crate) struct Object(SecretText);

impl Object {
    pub(crate) fn string(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        string(&mut self.0, value);
        self
    }

    pub(crate) fn hex(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        self.value(key, format_args!("\"{}\"", HEXLOWER.encode_display(bytes)))
    }

    /// A number, or JSON as it stands.
    pub(crate) fn value(&mut self, key: &str, json: impl fmt::Display) -> &mut Self {
        self.key(key);
        // `SecretText` takes everything.
        let _ = write!(self.0, "{json}");
        self
    }

    pub(crate) fn end(&mut self) -> SecretText {
        if self.0.as_str().is_empty() {
            self.0.push_str("{");
        }
        self.0.push_str("}");
        core::mem::take(&mut self.0)
    }

    fn key(&mut self, key: &str) {
        self.0.push_str(if self.0.as_str().is_empty() { "{" } else { "," });
        string(&mut self.0, key);
        self.0.push_str(":");
    }
}

/// A string, escaped where RFC 8259 asks for it and nowhere else.
pub(crate) fn string(out: &mut SecretText, value: &str) {
    out.push_str("\"");
    for c in value.chars() {
        let _ = match c {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            '\u{8}' => out.write_str("\\b"),
            '\u{c}' => out.write_str("\\f"),
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", u32::from(c)),
            _ => out.write_char(c),
        };
    }
    out.push_str("\"");
}

/// An array of lowercase hex.
pub(crate) fn hex_array<'a>(items: impl Iterator<Item = &'a [u8; 16]>) -> SecretText {
    let mut text = SecretText::default();
    let mut before = "[";
    for item in items {
        let _ = write!(text, "{before}\"{}\"", HEXLOWER.encode_display(item));
        before = ",";
    }
    if before == "[" {
        text.push_str(before);
    }
    text.push_str("]");
    text
}
