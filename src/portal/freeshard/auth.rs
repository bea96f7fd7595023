//! Who reaches an app (§19.6): what the host answers to its proxy for each request.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sfv::{BareItem, ListEntry};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::BadSignature;
use super::identity::FullId;
use super::mode::Mode;
use super::paths::{AppPaths, PathRule};
use super::peers::{Peer, Peers};
use super::replay::{Mark, ReplayMemory};
use super::signature::{Header, Message, Signed, dictionary, last};
use super::template::Value;
use crate::UnixSeconds;
use crate::portal::manifest::Access;

/// The body of a request, as far as the host saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// The proxy did not hand it over, as it does there. Strictly no signed request is taken then: nobody knows whether it has a body.
    Unseen,
    /// All of it. Empty is no body.
    Whole(&'a [u8]),
    /// SHA-256 of a body that is not empty, for one that streams past.
    Sha256([u8; 32]),
}

/// A request, as the proxy asks about it (§19.6).
#[derive(Clone, Copy, Debug)]
pub struct Forwarded<'a> {
    /// The client's header fields, and the proxy's own `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri`. The proxy must have taken off what a
    /// client sends under these names.
    pub headers: &'a [Header<'a>],
    /// The body.
    pub body: Body<'a>,
}

/// A terminal of the owner, which the host has recognised by other means than a signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// Its ID.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
}

/// Who sent a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Client<'a> {
    /// A terminal of the owner.
    Terminal(&'a Terminal),
    /// A peer.
    Peer(&'a Peer),
    /// Nobody that is known, for this reason. The reason is for the log.
    Anonymous(BadSignature),
}

impl Client<'_> {
    /// The word for it in `X-Ptl-Client-Type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Terminal(_) => "terminal",
            Self::Peer(_) => "peer",
            Self::Anonymous(_) => "anonymous",
        }
    }
}

/// What the proxy is told (§19.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// 200: let it through, with the headers.
    Granted,
    /// 401: this client may not.
    Refused,
    /// 404: there is no such app.
    UnknownApp,
    /// 500: no path of the app fits, or nothing can be made of the request.
    Failed,
}

impl Status {
    /// The number in HTTP.
    pub const fn code(self) -> u16 {
        match self {
            Self::Granted => 200,
            Self::Refused => 401,
            Self::UnknownApp => 404,
            Self::Failed => 500,
        }
    }
}

/// The outcome for one request (§19.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision<'a> {
    /// What the proxy is told. It is all that the client may learn.
    pub status: Status,
    /// Who it is, if that was looked at.
    pub client: Option<Client<'a>>,
    /// The header fields that the app gets, if it is let through. Take off the client's own first: [`is_reserved`](super::is_reserved) says which. Their values are
    /// Latin-1, and have no control character.
    pub headers: Vec<(String, String)>,
    /// Strictly, of a peer's request that is let through: **store it before the app gets the request** (§19.7).
    pub mark: Option<Mark>,
}

/// A Portal that is asked by its proxy (§19.6). Its peers say which mode is on.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// Its own ID.
    pub id: FullId,
    /// The zone of its address, such as `freeshard.cloud`.
    pub zone: &'a str,
    /// Its peers.
    pub peers: &'a Peers,
}

/// The names of what the proxy forwards, and of what is signed in any case.
const SINGLE: [&str; 7] = [
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-uri",
    "signature-input",
    "signature",
    "content-digest",
];

impl<'a> Host<'a> {
    /// Answers the proxy. `app` gives the paths of an app by its name. `terminal`: whose request it is, if the owner's.
    ///
    /// Strictly, `memory` keeps what was taken. *As built* it is not used.
    pub fn authorize<'p>(
        &self,
        request: &Forwarded<'_>,
        app: impl FnOnce(&str) -> Option<&'p AppPaths>,
        terminal: Option<&'a Terminal>,
        now: UnixSeconds,
        memory: &mut ReplayMemory,
    ) -> Decision<'a> {
        let nobody = |status| Decision { status, client: None, headers: Vec::new(), mark: None };
        let Some(host) = first(request.headers, "x-forwarded-host") else { return nobody(Status::Failed) };
        let Some(paths) = host.split('.').next().and_then(app) else { return nobody(Status::UnknownApp) };
        let rule = first(request.headers, "x-forwarded-uri").and_then(|uri| paths.find(self.peers.mode(), uri));
        let Some(rule) = rule else { return nobody(Status::Failed) };

        let (mut client, mut signed) = match terminal {
            Some(terminal) => (Client::Terminal(terminal), None),
            None => match self.peer(request, now) {
                Ok((peer, signed)) => (Client::Peer(peer), Some(signed)),
                Err(Unverified::Anonymous(why)) => (Client::Anonymous(why), None),
                Err(Unverified::Failed) => return nobody(Status::Failed),
            },
        };
        let mut mark = None;
        if let (Mode::Strict, Client::Peer(peer), true) = (self.peers.mode(), &client, allows(rule, &client)) {
            match taken(peer, signed.take(), now, memory) {
                Ok(new) => mark = Some(new),
                Err(why) => client = Client::Anonymous(why),
            }
        }
        if !allows(rule, &client) {
            return Decision { status: Status::Refused, client: Some(client), headers: Vec::new(), mark: None };
        }
        match self.headers(rule, &client) {
            Some(headers) => Decision { status: Status::Granted, client: Some(client), headers, mark },
            None => nobody(Status::Failed),
        }
    }

    fn peer(&self, request: &Forwarded<'_>, now: UnixSeconds) -> Result<(&'a Peer, Signed), Unverified> {
        let forwarded = |name| first(request.headers, name).ok_or(BadSignature::Missing);
        let (method, proto) = (forwarded("x-forwarded-method")?, forwarded("x-forwarded-proto")?);
        let (host, uri) = (forwarded("x-forwarded-host")?, forwarded("x-forwarded-uri")?);
        let url = [proto, "://", host, uri].concat();
        let message = Message::new(method, &url, request.headers).ok_or(Unverified::Failed)?;
        let signed = Signed::parse(request.headers)?;
        let mut named = None;
        signed.verify(&message, now, |key_id| {
            let (key, peer) = self.peers.by_short_id(key_id)?;
            named = Some(peer);
            Some(key)
        })?;
        if self.peers.mode() == Mode::Strict {
            self.check_strictly(request, &signed, &message, &url)?;
            check_body(request, &signed)?;
        }
        Ok((named.ok_or(BadSignature::UnknownKey)?, signed))
    }

    /// What the signature covers must be what everybody reads: nothing twice, by TLS, to this Portal and no other, in one form.
    fn check_strictly(
        &self,
        request: &Forwarded<'_>,
        signed: &Signed,
        message: &Message<'_>,
        url: &str,
    ) -> Result<(), BadSignature> {
        let count = |name: &str| request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count();
        let single = SINGLE.into_iter().chain(signed.components()).all(|name| count(name) <= 1);
        let plain = signed.components().all(|name| signed.covers(name));
        let domain = [".", self.id.short().as_str(), ".", self.zone].concat();
        let authority = message.url().authority();
        let ours = authority.strip_suffix(&domain.to_ascii_lowercase());
        let ours = ours.is_some_and(|app| !app.is_empty() && !app.contains(['.', ':']));
        let same =
            message.target_uri() == url && first(request.headers, "x-forwarded-method") == Some(message.method());
        let right = single && plain && ours && same && message.url().scheme() == "https";
        if right { Ok(()) } else { Err(BadSignature::Ambiguous) }
    }

    /// `None` if a value can't stand in a header.
    fn headers(&self, rule: &PathRule, client: &Client<'_>) -> Option<Vec<(String, String)>> {
        let strict = self.peers.mode() == Mode::Strict;
        let (short, id) = (self.id.short(), self.id.to_string());
        let domain = [short.as_str(), ".", self.zone].concat();
        let (client_id, client_name) = match client {
            Client::Terminal(terminal) => (terminal.id.as_str(), terminal.name.as_str()),
            Client::Peer(peer) => (peer.id(), peer.name().unwrap_or_default()),
            Client::Anonymous(_) => ("", ""),
        };
        // A name that no header can hold fails the request there. Strictly it is left out: the full ID says who it is.
        let client_name = if strict && !is_value(client_name) { "" } else { client_name };
        let value = |name| match name {
            Value::ClientType => client.kind(),
            Value::ClientId => client_id,
            Value::ClientName => client_name,
            Value::PortalId => id.as_str(),
            Value::PortalShortId => short.as_str(),
            Value::PortalDomain => domain.as_str(),
            Value::Unknown => "",
        };
        let headers = rule.headers().iter().map(|(name, template)| {
            let text = template.render(value);
            is_value(&text).then(|| (name.clone(), text))
        });
        headers.collect()
    }
}

enum Unverified {
    /// As one that signed nothing.
    Anonymous(BadSignature),
    /// No request could have this URL: the real system fails there.
    Failed,
}

impl From<BadSignature> for Unverified {
    fn from(why: BadSignature) -> Self {
        Self::Anonymous(why)
    }
}

/// The first of a name, which is the one that the real system takes for what the proxy says.
fn first<'h>(headers: &[Header<'h>], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, value)| value)
}

/// Peers have paths of their own: the owner's terminals are not let in there.
const fn allows(rule: &PathRule, client: &Client<'_>) -> bool {
    match rule.access() {
        Access::Public => true,
        Access::Private => matches!(client, Client::Terminal(_)),
        Access::Peer => matches!(client, Client::Peer(_)),
    }
}

fn taken(
    peer: &Peer,
    signed: Option<Signed>,
    now: UnixSeconds,
    memory: &mut ReplayMemory,
) -> Result<Mark, BadSignature> {
    let id = peer.key().ok_or(BadSignature::UnknownKey)?.id();
    let signed = signed.ok_or(BadSignature::Missing)?;
    let created = signed.created().and_then(|secs| u64::try_from(secs).ok()).ok_or(BadSignature::Parameter)?;
    memory.take(&id, created, signed.signature(), now)
}

/// A body must be covered by its digest, and be the one; without a body, there must be no digest.
fn check_body(request: &Forwarded<'_>, signed: &Signed) -> Result<(), BadSignature> {
    let field = last(request.headers, "content-digest");
    let hash = match request.body {
        Body::Unseen => return Err(BadSignature::Body),
        Body::Whole([]) => return if field.is_none() { Ok(()) } else { Err(BadSignature::Body) },
        Body::Whole(body) => <[u8; 32]>::from(Sha256::digest(body)),
        Body::Sha256(hash) => hash,
    };
    if !signed.covers("content-digest") {
        return Err(BadSignature::NotCovered);
    }
    let mut digests = dictionary(field.unwrap_or_default()).map_err(|_| BadSignature::Body)?.into_iter();
    let (Some((name, ListEntry::Item(item))), None) = (digests.next(), digests.next()) else {
        return Err(BadSignature::Body);
    };
    let BareItem::ByteSequence(digest) = item.bare_item else { return Err(BadSignature::Body) };
    let same: bool = digest.as_slice().ct_eq(&hash).into();
    if same && name.as_str() == "sha-256" { Ok(()) } else { Err(BadSignature::Body) }
}

/// Latin-1 without control characters.
fn is_value(text: &str) -> bool {
    text.chars().all(|char| u32::from(char) < 0x100 && !char.is_control())
}
