//! JSON (RFC 8259, §17.1). We write it as the app does. We read it more strictly than `JSON.parse`: a known member comes once, and has the
//! type of its rule.

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

/// Parses one object. The brace is checked first, because serde would also fill a struct from an array, which §17.1 refuses.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{').then(|| serde_json::from_str(text).ok())?
}

/// Deserializes a member that may be absent, but must not be `null` (§17.1).
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<T>, D::Error> {
    T::deserialize(d).map(Some)
}

/// A JSON string, decoded. Without escapes it is borrowed. With escapes it is a copy, which is wiped on drop.
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

/// Decodes the text between the quotes of a string. serde_json would decode it in a buffer that nobody wipes.
fn unescaped(text: &str) -> Option<Text<'_>> {
    let Some((plain, mut rest)) = text.split_once('\\') else { return Some(Text(Cow::Borrowed(text))) };
    // An escape is never shorter than its character. So this copy never grows, and leaves no part of itself behind.
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
            // `"`, `\` or `/`. serde_json has refused every other escape already.
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

/// Takes one code unit of UTF-16, as four hex digits.
fn unit(chars: &mut Chars<'_>) -> Option<u16> {
    let (digits, rest) = chars.as_str().split_at_checked(4)?;
    *chars = rest.chars();
    u16::from_str_radix(digits, 16).ok()
}

/// Decodes `N` bytes from lowercase hex (§17.1). `None` if the text is anything else.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<Secret<N>> {
    let mut bytes = Secret::ZERO;
    let length = HEXLOWER.decode_len(text.len()).ok().filter(|length| *length == N)?;
    HEXLOWER.decode_mut(text.as_bytes(), bytes.expose_mut().get_mut(..length)?).ok()?;
    Some(bytes)
}

/// A JSON string that is the lowercase hex of `N` bytes, decoded.
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

/// Whether JavaScript counts this value as true. It does not count `null`, `false`, `0` and `""` (§17.7).
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

    /// Writes a member whose value is JSON already, such as a number.
    pub(crate) fn value(&mut self, key: &str, json: impl fmt::Display) -> &mut Self {
        self.key(key);
        // Writing to a `SecretText` never fails.
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

/// Writes a string, with the escapes of §17.1 and no others.
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

/// Writes an array of strings of lowercase hex.
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
