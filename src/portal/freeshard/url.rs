//! URLs as the real system's HTTP client normalises them (§19.4): both ends sign what comes out of it.

use crate::portal::path::Target;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A URL in normal form: what `@target-uri` is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Url {
    text: String,
}

/// What is sent as it is in a path. In a query, also `?`.
const PATH: &[u8] = b"!$&'()*+,;=:@/-._~";
const QUERY: &[u8] = b"!$&'()*+,;=:@/-._~?";

impl Url {
    /// `None` if no client could send a request to it.
    ///
    /// Scheme and host become lower case, dot segments go, what may not stand there is percent-encoded, what needs no percent encoding loses it,
    /// and an empty query or fragment is dropped. A URL of another scheme than HTTP stays as it is.
    pub(super) fn new(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim_start().split_once("://")?;
        if scheme.is_empty() || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            // A web socket's.
            let whole = !scheme.starts_with("http") && url.bytes().all(|byte| byte.is_ascii_graphic());
            return whole.then(|| Self { text: url.to_owned() });
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut text = format!("{scheme}://{}{}", host_and_port(authority)?, encoded(&without_dots(path), PATH));
        for (mark, part) in [('?', query), ('#', fragment)] {
            if !part.is_empty() {
                text.push(mark);
                text.push_str(&encoded(part, QUERY));
            }
        }
        Some(Self { text: without_needless_escapes(&text) })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn scheme(&self) -> String {
        self.text.split("://").next().unwrap_or_default().to_ascii_lowercase()
    }

    /// Host and port, lower case.
    pub(super) fn authority(&self) -> String {
        self.after_scheme().split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase()
    }

    pub(super) fn path(&self) -> &str {
        let rest = self.after_scheme().split(['?', '#']).next().unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default()
    }

    /// Without the `?`.
    pub(super) fn query(&self) -> &str {
        let whole = self.text.split('#').next().unwrap_or_default();
        whole.split_once('?').map_or("", |(_, query)| query)
    }

    fn after_scheme(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, rest)| rest)
    }
}

/// Only names: no user, no IP version 6, no letters that need IDNA. No Portal is reached by these.
fn host_and_port(authority: &str) -> Option<String> {
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if host.is_empty() || host.starts_with('.') || !named || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    match port.trim_start_matches('0') {
        "" => Some(host),
        port => port.parse::<u16>().ok().map(|port| format!("{host}:{port}")),
    }
}

/// RFC 3986 §5.2.4, as the client does it.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    if kept.first().is_none_or(|first| !first.is_empty()) {
        kept.insert(0, "");
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        kept.push("");
    }
    let path = kept.join("/");
    if path.is_empty() { "/".to_owned() } else { path }
}

/// Encodes what may not stand there. If every `%` begins an escape, they are escapes already; else each `%` is encoded, too.
fn encoded(part: &str, allowed: &[u8]) -> String {
    let sign = if part.split('%').skip(1).all(|rest| escape(rest).is_some()) { "%" } else { "%25" };
    let mut text = String::new();
    for (at, piece) in part.split('%').enumerate() {
        let mut rest = piece;
        if at > 0 {
            text.push_str(sign);
            if let Some((digits, _, behind)) = escape(piece) {
                text.push_str(&digits.to_ascii_uppercase());
                rest = behind;
            }
        }
        for byte in rest.bytes() {
            if byte.is_ascii_alphanumeric() || allowed.contains(&byte) {
                text.push(byte.into());
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

/// Decodes the escapes of characters that need none.
fn without_needless_escapes(url: &str) -> String {
    let mut pieces = url.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match escape(piece) {
            Some((_, byte, rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                text.push(byte.into());
                text.push_str(rest);
            }
            _ => {
                text.push('%');
                text.push_str(piece);
            }
        }
    }
    text
}

/// The two digits behind a `%`, the byte that they stand for, and what comes behind.
fn escape(piece: &str) -> Option<(&str, u8, &str)> {
    let (digits, rest) = piece.split_at_checked(2)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok()?;
    hex.then_some((digits, byte, rest))
}

/// Decodes every escape, as a web server does before it routes. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match escape(piece) {
            Some((_, byte, rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a path with its query is canonical (§18.5), and what the sender's library makes of it, which changes the query, too. The strict mode
/// refuses any other.
pub(super) fn is_canonical(path_and_query: &str) -> bool {
    let normal = Url::new(&format!("https://a{path_and_query}"));
    normal.is_some_and(|url| url.as_str().strip_prefix("https://a") == Some(path_and_query))
        && Target::parse(path_and_query).is_ok_and(|target| target.as_str() == path_and_query)
}
