//! The base of a link (§2.6), and the address of a Portal (§18.3).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::addr::is_in_urls;

/// Whether a link can stand on it: `https://` and any host, or `http://` and an onion service, which needs no TLS.
pub(crate) fn is_link_base(base: &str) -> bool {
    let is_user = |user: &str| user.starts_with(|c: char| c.is_ascii_alphanumeric());
    split_scheme(base).is_some_and(|(is_secure, rest)| {
        Place::read(rest).is_some_and(|place| place.user.is_none_or(is_user) && (is_secure || is_onion(place.host)))
    })
}

/// Whether it begins with `https://` or `http://`, and what stands behind that.
pub(crate) fn split_scheme(url: &str) -> Option<(bool, &str)> {
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => Some((true, rest)),
        (None, rest) => Some((false, rest?)),
    }
}

/// Whether a Portal is reached there by TLS (§18.3): not at an onion service or a loopback address. `None`: this is no address of a Portal,
/// which has no user name and no query. It stands there without its scheme: an empty port would be a scheme that was left in.
#[cfg(feature = "portal")]
pub(crate) fn needs_tls(address: &str) -> Option<bool> {
    let has_empty_port = address.split('/').next().is_some_and(|authority| authority.ends_with(':'));
    let place =
        Place::read(address).filter(|place| place.user.is_none() && !has_empty_port && !address.contains('?'))?;
    Some(!is_onion(place.host) && !is_loopback(place.host))
}

/// Whether it leads to this machine, as far as can be seen in it.
#[cfg(feature = "portal")]
pub(crate) fn is_local(address: &str) -> bool {
    let is_localhost = |host: &str| {
        let name = host.strip_suffix('.').unwrap_or(host);
        name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
    };
    Place::read(address).is_some_and(|place| is_loopback(place.host) || is_localhost(place.host))
}

/// An address of this machine.
#[cfg(feature = "portal")]
fn is_loopback(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).and_then(|host| host.parse().ok());
    let v4 = host.strip_suffix('.').unwrap_or(host).parse().ok();
    v6.is_some_and(|v6: Ipv6Addr| v6.to_canonical().is_loopback()) || v4.is_some_and(|v4: Ipv4Addr| v4.is_loopback())
}

/// What stands behind the scheme of a URL that every parser opens.
struct Place<'a> {
    user: Option<&'a str>,
    host: &'a str,
}

impl<'a> Place<'a> {
    /// `None`: not every parser opens it, or it has a fragment.
    fn read(rest: &'a str) -> Option<Self> {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (user, at_host) = match authority.rsplit_once('@') {
            Some((user, at_host)) => (Some(user), at_host),
            None => (None, authority),
        };
        let (host, port) = split_port(at_host);
        let is_good =
            rest.bytes().all(|byte| byte != b'#' && is_in_urls(byte)) && port.is_none_or(is_port) && is_host(host);
        is_good.then_some(Self { user, host })
    }
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
