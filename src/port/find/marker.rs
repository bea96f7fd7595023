//! What says that a Port may follow: the scheme `PORT:`, and the base of a link (§2.8). For a Portal's card, `PORTAL:`.

use core::str;

use super::cursor::{Unit, escaped, quoted, unit, visible};
use super::wrapper::is_wrapper;
use crate::cbor::Bytes;
use crate::port::base::{is_host, is_onion};

/// A link, as far as its host tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// On a base of §2.6.
    Good,
    /// A shortener, or what software puts in the place of each link to watch who opens it.
    Wrapper,
    Other,
}

/// Whether a text with this scheme, or a link, begins here.
pub(super) fn is_start(text: &str, at: usize, name: &str) -> bool {
    scheme(text, at, name).is_some() || base(text, at).is_some()
}

/// Where the scheme of this name ends, in any case.
pub(super) fn scheme(text: &str, at: usize, name: &str) -> Option<usize> {
    let end = word(text, at, name)?;
    let colon = visible(text, end)?;
    match quoted(text, end) {
        Some((':', end)) if colon.what == '=' => Some(end),
        _ => (colon.what == ':').then_some(colon.end),
    }
}

/// The link whose scheme begins here, and where its host ends.
pub(super) fn base(text: &str, at: usize) -> Option<(Link, usize)> {
    let (is_secure, end) = if let Some(end) = word(text, at, "http") {
        match visible(text, end) {
            Some(unit) if unit.what.eq_ignore_ascii_case(&'s') => (true, unit.end),
            _ => (false, end),
        }
    } else {
        // Android's: it opens what is written behind as `https`.
        (true, word(text, at, "intent")?)
    };
    // Proofpoint's second version writes `-` for `%`, and `_` for `/`.
    let dashed = dashed(text, end).filter(|unit| unit.what == ':');
    let slash = |at| match visible(text, at)? {
        Unit { what: '/', end } => Some(end),
        Unit { what: '_', end } if dashed.is_some() => Some(end),
        _ => None,
    };
    let colon = dashed.or_else(|| visible(text, end).filter(|unit| unit.what == ':'))?;
    // Proofpoint's third version drops one of the two.
    let from = slash(colon.end)?;
    let from = slash(from).unwrap_or(from);
    let (mut host, mut end) = host(text, from, dashed.is_some());
    // A user's name.
    if let Some(Unit { what: '@', end: behind }) = unit(text, end) {
        (host, end) = self::host(text, behind, dashed.is_some());
    }
    let name = str::from_utf8(host.as_slice()).unwrap_or_default().trim_end_matches(['.', '-', '_']);
    let path = text.get(end..).unwrap_or_default();
    let link = match () {
        () if !is_host(name) => Link::Other,
        () if is_wrapper(name, path) => Link::Wrapper,
        () if is_secure || is_onion(name) => Link::Good,
        () => Link::Other,
    };
    Some((link, end))
}

/// The character that stands behind `-` by its number, as Proofpoint's second version writes it.
pub(super) fn dashed(text: &str, at: usize) -> Option<Unit> {
    let (what, length) = escaped(text.as_bytes().get(at..)?, b'-')?;
    Some(Unit { what, end: at.checked_add(length)? })
}

/// A host in lower case, and where it ends. A host that is too long is empty.
fn host(text: &str, from: usize, is_dashed: bool) -> (Bytes<256>, usize) {
    let (mut host, mut at, mut fits) = (Bytes::EMPTY, from, true);
    let in_brackets = text.get(from..).is_some_and(|rest| rest.starts_with('['));
    while let Some(unit) = unit(text, at) {
        let unit = match dashed(text, at) {
            Some(dash) if is_dashed && dash.what == '-' => dash,
            _ => unit,
        };
        let is_in = match unit.what {
            '_' => !is_dashed,
            '-' | '.' => true,
            '[' | ']' | ':' => in_brackets,
            what => what.is_ascii_alphanumeric(),
        };
        if !is_in || !fits {
            break;
        }
        fits = u8::try_from(unit.what).is_ok_and(|byte| host.append(&[byte.to_ascii_lowercase()]).is_some());
        at = unit.end;
        if unit.what == ']' {
            break;
        }
    }
    if fits { (host, at) } else { (Bytes::EMPTY, at) }
}

/// Where this word ends, in any case.
fn word(text: &str, at: usize, word: &str) -> Option<usize> {
    let (mut end, mut is_first) = (at, true);
    for letter in word.chars() {
        let unit = if is_first { unit(text, end) } else { visible(text, end) }?;
        if !unit.what.eq_ignore_ascii_case(&letter) {
            return None;
        }
        (end, is_first) = (unit.end, false);
    }
    Some(end)
}
