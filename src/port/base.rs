//! The base of a link (§2.6).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::addr::is_in_urls;

/// Whether a link can stand on it: `https://` and any host, or `http://` and an onion service, which needs no TLS.
pub(super) fn is_link_base(base: &str) -> bool {
    let (rest, is_secure) = match (base.strip_prefix("https://"), base.strip_prefix("http://")) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return false,
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (user, at_host) = authority.rsplit_once('@').unwrap_or(("x", authority));
    let (host, port) = split_port(at_host);
    rest.bytes().all(|byte| byte != b'#' && is_in_urls(byte))
        && user.starts_with(|c: char| c.is_ascii_alphanumeric())
        && port.is_none_or(is_port)
        && is_host(host)
        && (is_secure || is_onion(host))
}

/// The host and what stands behind its colon.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let behind_address = authority.rfind(']').unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if host.len() > behind_address => (host, Some(port)),
        _ => (authority, None),
    }
}

/// RFC 3986 allows an empty one.
fn is_port(port: &str) -> bool {
    port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// A name, an IPv4 address, or an IPv6 address in brackets: what every URL parser opens.
pub(super) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A parser takes a name that ends in a number for an IPv4 address.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && (!is_number || name.parse::<Ipv4Addr>().is_ok())
}

/// An onion service: its name says which key answers.
pub(super) fn is_onion(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.rsplit_once('.').is_some_and(|(service, last)| !service.is_empty() && last.eq_ignore_ascii_case("onion"))
}
