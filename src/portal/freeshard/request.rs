//! Requests to peers (§19.4).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use data_encoding::BASE64;
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::identity::{FullId, KeyError, PrivateKey};
use super::peers::Peer;
use super::signature::{Header, Message, sign};
use super::url::{decoded, is_canonical};
use crate::UnixSeconds;

/// A request can't be sent (§19.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The path is not one of `/internal/call_peer/<id>/<path>`. Answer 404 to the app.
    #[error("not a path of call_peer")]
    NotACall,
    /// No address can be made of it. Answer 500 to the app.
    #[error("no address of a peer")]
    Address,
    /// Strictly, the path is not canonical. The app should send it without dot segments, empty segments and needless escapes.
    #[error("a path that is not canonical")]
    Path,
    /// Strictly, the peer has no key yet, or its row not a full ID. Ask it who it is first.
    #[error("a peer that was never verified")]
    Unverified,
    /// The key is broken.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A request that is signed, ready to be sent (§19.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRequest {
    /// The method, upper case.
    pub method: String,
    /// The URL, in normal form. Send it as it is.
    pub url: String,
    /// The header fields that belong to the signature: `Content-Digest` if there is a body, `Date`, `Signature-Input`, `Signature`. Others may be
    /// added; they are not signed.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the host passes on to the app of a peer's answer (§19.4): status and body. No header field is carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// One app on this Portal, as the sender of requests to the same app on peers (§19.4). Which app it is, the host must know.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The Portal's key.
    pub key: &'a PrivateKey,
    /// The name of the app.
    pub app: &'a str,
    /// The zone of all addresses.
    pub zone: &'a str,
}

impl Sender<'_> {
    /// *As built*: the app asks for `<method> /internal/call_peer/<id>/<path>`, and its peer gets `https://<app>.<id>.<zone>/<path>`. The path is
    /// decoded on its way and encoded again. Query and header fields are dropped, and any ID is taken.
    ///
    /// # Errors
    /// [`CallError`] says what to answer to the app.
    pub fn call_as_built<R: CryptoRng + ?Sized>(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<SignedRequest, CallError> {
        let path = decoded(path.split(['?', '#']).next().unwrap_or_default());
        let call = path.strip_prefix("/internal/call_peer/").and_then(|rest| rest.split_once('/'));
        let (id, rest) = call.filter(|(id, _)| !id.is_empty()).ok_or(CallError::NotACall)?;
        self.sign(method, &format!("https://{}.{id}.{}/{rest}", self.app, self.zone), body, now, rng)
    }

    /// Strictly: to a peer that was verified, with the path and its query as they are.
    ///
    /// # Errors
    /// [`CallError`] says what to do.
    pub fn call<R: CryptoRng + ?Sized>(
        &self,
        peer: &Peer,
        method: &str,
        path_and_query: &str,
        body: &[u8],
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<SignedRequest, CallError> {
        let id: FullId = peer.id().parse().map_err(|_| CallError::Unverified)?;
        if peer.key().is_none_or(|key| key.id() != id) {
            return Err(CallError::Unverified);
        }
        if !is_canonical(path_and_query) {
            return Err(CallError::Path);
        }
        let url = format!("https://{}.{}.{}{path_and_query}", self.app, id.short(), self.zone);
        self.sign(method, &url, body, now, rng)
    }

    fn sign<R: CryptoRng + ?Sized>(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<SignedRequest, CallError> {
        let time = std::time::UNIX_EPOCH.checked_add(Duration::from_secs(now.as_secs()));
        let date = httpdate::fmt_http_date(time.ok_or(CallError::Address)?);
        let digest = (!body.is_empty()).then(|| format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body))));
        let mut headers: Vec<(&'static str, String)> = Vec::new();
        headers.extend(digest.map(|digest| ("Content-Digest", digest)));
        headers.push(("Date", date));
        let covered: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let covered: Vec<&str> = covered.iter().map(String::as_str).collect();
        let fields: Vec<Header<'_>> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let message = Message::new(method, url, &fields).ok_or(CallError::Address)?;
        let signed = sign(self.key, self.key.public_key().id().short(), &message, &covered, now, rng)?;
        let (method, url) = (message.method().to_string(), message.target_uri().to_owned());
        let (input, signature) = signed.to_fields();
        headers.extend([("Signature-Input", input), ("Signature", signature)]);
        Ok(SignedRequest { method, url, headers, body: body.to_vec() })
    }
}

impl SignedRequest {
    /// The header fields, as [`Message::new`] takes them.
    pub fn fields(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

impl Reply {
    /// Of a peer's answer.
    pub fn new(status: u16, body: &[u8]) -> Self {
        Self { status, body: body.to_vec() }
    }
}
