//! A bundle as a link, which is also the text of its QR code (§17.3).

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

/// What a link or QR code stands for: whichever dialect it is in, this is where it is chosen (§17.11).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Scanned {
    /// A Port of this crate's own, for [`Bob`](crate::Bob).
    Port(Port),
    /// A bundle, for [`app::Bob`](crate::app::Bob).
    Bundle(Bundle),
    /// A short link: get the bundle of this id, with [`Request::FetchBundle`](crate::app::Request::FetchBundle), and read it with
    /// [`response::bundle`](crate::app::response::bundle). Its server has seen it before: who runs that can pose as Bob, or as Alice.
    BundleId(SecretText),
}

impl Scanned {
    /// Reads a link of the app's, the JSON of a bundle, and whatever [`Port::parse`] does. White space and zero-width characters around it
    /// are forgiven, and around what is the app's quotes.
    ///
    /// # Errors
    /// Any [`ScanError`]: what to tell the user stands with each.
    pub fn parse(text: &str) -> Result<Self, ScanError> {
        let of_app = trimmed(trimmed(text).trim_matches('"'));
        match of_app.strip_prefix(BASE) {
            Some(query) => Ok(Self::of_query(query)?),
            None if of_app.starts_with('{') => Ok(Self::Bundle(Bundle::from_json(of_app)?)),
            None => Ok(Self::Port(Port::parse(text)?)),
        }
    }

    fn of_query(query: &str) -> Result<Self, BundleError> {
        // What stands behind a `#` is no part of a query: any other reader would cut it off.
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
            // What comes twice could be read as either.
            is_whole &= place.is_none_or(|place| place.replace(value).is_none());
        }
        match bundle_id {
            // One that is both could, too.
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

/// application/x-www-form-urlencoded, and nothing that only looks like it.
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
    // With room for all of it: a vector that grows leaves its old self behind, in memory that nobody wipes.
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

/// A link that the app can read.
#[derive(Clone, Debug)]
pub struct LinkForApp {
    /// The link, and the text of the QR code.
    pub text: SecretText,
    /// The name that the link has in the place of the bundle's own, which the app could not have read.
    pub renamed: Option<Name>,
}

impl Bundle {
    /// The link as the app writes it: any reader of queries takes it.
    ///
    /// The app itself does not, if there is one of `&=?+` in the name: show [`link_for_app`](Self::link_for_app).
    pub fn link(&self) -> SecretText {
        let mut text = SecretText::default();
        text.push_str(BASE);
        let mut separator = "";
        self.members(|key, member| {
            text.push_str(separator);
            separator = "&";
            // `SecretText` takes everything.
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

    /// The link to show. The app decodes the whole link first and takes it apart then, so that an `&` in a name breaks it, `=` and `?`
    /// cut it off, and `+` is a space: these four are written in their full-width forms (U+FF06, U+FF1D, U+FF1F, U+FF0B), which are as
    /// long. If there was one, the bundle that is read from the link has that name.
    pub fn link_for_app(&self) -> LinkForApp {
        let readable = self.name().and_then(readable);
        match readable.clone().map(|name| self.clone().named(name)) {
            Some(bundle) => LinkForApp { text: bundle.link(), renamed: readable },
            None => LinkForApp { text: self.link(), renamed: None },
        }
    }
}

/// `None` if the name can stay as it is.
fn readable(name: &Name) -> Option<Name> {
    let wide = |c| match c {
        '&' => '\u{ff06}',
        '=' => '\u{ff1d}',
        '?' => '\u{ff1f}',
        '+' => '\u{ff0b}',
        _ => c,
    };
    let text: String = name.as_str().chars().map(wide).collect();
    // As many code units as before: it fits.
    if text == name.as_str() { None } else { Name::new(&text).ok() }
}
