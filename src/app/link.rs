//! Link: a bundle as a URL, which is also the text of its QR code (§17.3).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use form_urlencoded::byte_serialize;
use percent_encoding::percent_decode_str;
use zeroize::Zeroize;

use super::bundle::{Body, Bundle, Head, Member};
use super::error::{BundleError, ScanError};
use super::json::Text;
use super::name::Name;
use super::text::SecretText;
use crate::port::Port;
use crate::port::text::trimmed;

const BASE: &str = "https://porting.me/?";

/// The Port in a link or in the text of a QR code. Its kind decides which dialect a client speaks (§17.11).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Scanned {
    /// A native Port of this crate, for [`Bob`](crate::Bob).
    Port(Port),
    /// A bundle of the app, for [`app::Bob`](crate::app::Bob).
    Bundle(Bundle),
    /// The id of a short link. Get its bundle with [`Request::FetchBundle`](crate::app::Request::FetchBundle), and parse the answer with
    /// [`response::bundle`](crate::app::response::bundle). The server holds that bundle: its Port is only as safe as that server (§17.9).
    BundleId(SecretText),
}

impl Scanned {
    /// Parses a link of the app, the JSON of a bundle, or any text that [`Port::parse`] reads. It ignores white space and zero-width
    /// characters around the text. Around a text of the app it also ignores quotation marks.
    ///
    /// # Errors
    /// [`ScanError`]: each variant says what to tell the user.
    pub fn parse(text: &str) -> Result<Self, ScanError> {
        let of_app = trimmed(trimmed(text).trim_matches('"'));
        match of_app.strip_prefix(BASE) {
            Some(query) => Ok(Self::of_query(query)?),
            None if of_app.starts_with('{') => Ok(Self::Bundle(Bundle::from_json(of_app)?)),
            None => Ok(Self::Port(Port::parse(text)?)),
        }
    }

    fn of_query(query: &str) -> Result<Self, BundleError> {
        // §17.3: we accept no `#`. The text after it is no part of a query, so another reader would read another bundle.
        if query.contains('#') {
            return Err(BundleError::Malformed);
        }
        let (mut head, mut body, mut bundle_id, mut is_whole) = (Head::default(), Body::default(), None, true);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = decode(key).zip(decode(value)).ok_or(BundleError::Malformed)?;
            let place = match &*key {
                "bundleId" => Some(&mut bundle_id),
                key => head.place(key).or_else(|| body.place(key)),
            };
            // §17.3: we accept a known member only once. Otherwise two readers could read two bundles.
            is_whole &= place.is_none_or(|place| place.replace(value).is_none());
        }
        match bundle_id {
            // §17.3: we accept a `bundleId`, or a bundle, but not both. Otherwise two readers could read two bundles.
            Some(id) if is_whole && !head.has_version() && body.is_empty() && !id.is_empty() => {
                Ok(Self::BundleId(String::from(&*id).into()))
            }
            Some(_) => Err(BundleError::Malformed),
            None => {
                let kind = head.kind()?;
                if !is_whole {
                    return Err(BundleError::Malformed);
                }
                body.bundle(kind)?.shown().map(Self::Bundle).ok_or(BundleError::Malformed)
            }
        }
    }
}

/// Decodes application/x-www-form-urlencoded. `None` if a `%` stands without two hex digits, or the result is not UTF-8 (§17.3).
fn decode(text: &str) -> Option<Text<'_>> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let [high, low, ..] = after.as_bytes() else { return None };
        if !(high.is_ascii_hexdigit() && low.is_ascii_hexdigit()) {
            return None;
        }
        rest = after;
    }
    let spaced = if text.contains('+') { Text(Cow::Owned(text.replace('+', " "))) } else { Text(Cow::Borrowed(text)) };
    if !spaced.contains('%') {
        return Some(spaced);
    }
    // The vector has room for all of it. One that grows leaves a copy behind in memory that nobody wipes.
    let mut bytes = Vec::with_capacity(spaced.len());
    bytes.extend(percent_decode_str(&spaced));
    match String::from_utf8(bytes) {
        Ok(text) => Some(Text(Cow::Owned(text))),
        Err(error) => {
            error.into_bytes().zeroize();
            None
        }
    }
}

/// A link that every reader reads alike (§17.3).
#[derive(Clone, Debug)]
pub struct LinkForApp {
    /// The link. It is also the text of the QR code.
    pub text: SecretText,
    /// The name in the link, if it is not the bundle's own name. Tell the user.
    pub renamed: Option<Name>,
}

impl Bundle {
    /// Writes the link byte for byte as the app does, with the bundle's own name: 284 to 641 ASCII characters (§17.9).
    ///
    /// To show a link to users, take [`link_for_app`](Self::link_for_app): not every reader reads each name alike.
    pub fn link(&self) -> SecretText {
        let mut text = SecretText::default();
        text.push_str(BASE);
        let mut separator = "";
        self.members(|key, member| {
            text.push_str(separator);
            separator = "&";
            // Writing to a `SecretText` never fails.
            let _ = match member {
                Member::Text(value) => {
                    let _ = write!(text, "{key}=");
                    byte_serialize(value.as_bytes()).try_for_each(|part| text.write_str(part))
                }
                Member::Number(value) => write!(text, "{key}={value}"),
                Member::Hex(value) => write!(text, "{key}={}", data_encoding::HEXLOWER.encode_display(value)),
            };
        });
        text
    }

    /// Writes the link to show, which every reader reads alike (§17.3). In the name, `&`, `=`, `?` and `+` are replaced by their full-width
    /// forms (U+FF06, U+FF1D, U+FF1F, U+FF0B). The name keeps its length in UTF-16 code units. If a character was replaced, the bundle that
    /// is read from the link has the new name, and [`renamed`](LinkForApp::renamed) says which.
    pub fn link_for_app(&self) -> LinkForApp {
        let readable = self.name().and_then(readable);
        match readable.clone().map(|name| self.clone().named(name)) {
            Some(bundle) => LinkForApp { text: bundle.link(), renamed: readable },
            None => LinkForApp { text: self.link(), renamed: None },
        }
    }
}

/// The name that every reader reads alike (§17.3). `None` if this name is one.
fn readable(name: &Name) -> Option<Name> {
    let wide = |c| match c {
        '&' => '\u{ff06}',
        '=' => '\u{ff1d}',
        '?' => '\u{ff1f}',
        '+' => '\u{ff0b}',
        _ => c,
    };
    let text: String = name.as_str().chars().map(wide).collect();
    // The new name has as many code units as the old one, so it fits.
    if text == name.as_str() { None } else { Name::new(&text).ok() }
}
