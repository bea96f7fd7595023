//! Request and answer: what apps ask and say, and what Portals ask and say beside them (§18.7).

use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use super::error::{Reason, RequestError};
use super::headers::Headers;
use super::name::AppName;
use super::path::Target;
use crate::time::UnixSeconds;

/// The longest part of a body, in bytes. A longer body goes in several parts (§18.9).
pub const MAX_BODY_PART: usize = 32_768;

/// The name of a request: when the app asked, and 16 random bytes (§18.7).
///
/// Asked again under the same name, it is the same request: the peer's app gets it once, and gives one answer. Keep it for as long as the app
/// may ask again. It is good for ten minutes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
pub struct RequestId {
    #[n(0)]
    pub(super) created: UnixSeconds,
    #[n(1)]
    pub(super) nonce: RequestMark,
}

/// The random part of a request's name (§18.8). It stands in the key of the request's row, and together with the peer names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestMark(pub(super) [u8; 16]);

impl RequestId {
    /// How many bytes it has.
    pub const LENGTH: usize = 24;

    /// A new one: [`Peer::draw_id`](super::Peer::draw_id).
    pub(super) fn draw<R: CryptoRng + ?Sized>(now: UnixSeconds, rng: &mut R) -> Self {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        Self { created: now, nonce: RequestMark(nonce) }
    }

    /// The part of it that stands in the key of its row. With it a host finds what it holds of a request that a
    /// [`Write`](super::Write) deletes.
    pub const fn mark(&self) -> RequestMark {
        self.nonce
    }

    /// 24 bytes: the time in seconds, big-endian, and the random ones.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let both = self.created.as_secs().to_be_bytes().into_iter().chain(self.nonce.0);
        bytes.iter_mut().zip(both).for_each(|(to, from)| *to = from);
        bytes
    }

    /// Reads them. `None`: they are no request's name.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, nonce) = bytes.split_first_chunk()?;
        let created = UnixSeconds::new(u64::from_be_bytes(*time))?;
        Some(Self { created, nonce: RequestMark(nonce.try_into().ok()?) })
    }
}

impl fmt::Debug for RequestMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<C> Encode<C> for RequestMark {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for RequestMark {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.bytes()?.try_into().map(Self).map_err(|_| decode::Error::message("not a nonce"))
    }
}

/// An HTTP method: 1 to 16 capital letters, but not `CONNECT` nor `TRACE` (§18.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method<'a>(&'a str);

impl<'a> Method<'a> {
    /// `GET`.
    pub const GET: Self = Self("GET");
    /// `POST`.
    pub const POST: Self = Self("POST");

    /// Takes a method.
    ///
    /// # Errors
    /// [`RequestError::BadMethod`]: it is none, or one that is for proxies. Refuse the app's request.
    pub fn new(method: &'a str) -> Result<Self, RequestError> {
        let is_one = (1..=16).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_one && !matches!(method, "CONNECT" | "TRACE") { Ok(Self(method)) } else { Err(RequestError::BadMethod) }
    }

    /// The method.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether it changes nothing at the peer (RFC 9110 §9.2.1). Only such a request goes into an Opening (§18.8).
    pub fn is_safe(&self) -> bool {
        matches!(self.0, "GET" | "HEAD" | "OPTIONS")
    }
}

impl fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<C> Encode<C> for Method<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Method<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.str()?).map_err(|_| decode::Error::message("not a method"))
    }
}

/// A part of a body: at most [`MAX_BODY_PART`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Part<'a> {
    bytes: &'a [u8],
    more: bool,
}

impl<'a> Part<'a> {
    /// No body.
    pub const EMPTY: Self = Self { bytes: &[], more: false };

    /// The last part of a body, or the whole of it.
    ///
    /// # Errors
    /// [`RequestError::TooLong`]: it is longer than [`MAX_BODY_PART`]. Cut it into parts.
    pub const fn last(bytes: &'a [u8]) -> Result<Self, RequestError> {
        Self::new(bytes, false)
    }

    /// A part behind which another follows.
    ///
    /// # Errors
    /// As of [`last`](Self::last).
    pub const fn with_more(bytes: &'a [u8]) -> Result<Self, RequestError> {
        Self::new(bytes, true)
    }

    const fn new(bytes: &'a [u8], more: bool) -> Result<Self, RequestError> {
        if bytes.len() <= MAX_BODY_PART { Ok(Self { bytes, more }) } else { Err(RequestError::TooLong) }
    }

    /// The bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether another part follows.
    pub const fn has_more(&self) -> bool {
        self.more
    }
}

impl<C> Encode<C> for Part<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?.bytes(self.bytes)?.bool(self.more)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Part<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        d.array()?;
        Self::new(d.bytes()?, d.bool()?).map_err(|_| decode::Error::message("a part that is too long"))
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes{}]", self.bytes.len(), if self.more { ", more follow" } else { "" })
    }
}

/// A request of an app to the same app on a peer (§18.7).
///
/// `Debug` shows neither target nor headers nor body.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Request<'a> {
    /// Its name.
    #[n(0)]
    pub id: RequestId,
    #[n(1)]
    pub(super) app: AppName,
    /// The method.
    #[b(2)]
    pub method: Method<'a>,
    /// Path and query.
    #[n(3)]
    pub target: Target,
    /// The headers that are carried.
    #[b(4)]
    pub headers: Headers<'a>,
    /// The body, or its first part.
    #[b(5)]
    pub body: Part<'a>,
}

impl Request<'_> {
    /// The app, on both Portals. The caller's host writes it, by the app's credential, and no app can name another.
    pub const fn app(&self) -> &AppName {
        &self.app
    }

    /// Whether it changes nothing, so that it may go into an Opening (§18.8).
    pub(super) fn may_be_early(&self) -> bool {
        self.method.is_safe() && self.body == Part::EMPTY
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, app, method, target: _, headers: _, body } = self;
        f.debug_struct("Request")
            .field("id", id)
            .field("app", app)
            .field("method", method)
            .field("body", body)
            .finish_non_exhaustive()
    }
}

/// The answer of an app (§18.7). `Debug` shows neither headers nor body.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Answer<'a> {
    /// The HTTP status: 200 to 599.
    #[n(0)]
    pub status: Status,
    /// The headers that are carried.
    #[b(1)]
    pub headers: Headers<'a>,
    /// The body, or its first part.
    #[b(2)]
    pub body: Part<'a>,
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers: _, body } = self;
        f.debug_struct("Answer").field("status", status).field("body", body).finish_non_exhaustive()
    }
}

/// The final status of an HTTP answer: 200 to 599.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode)]
#[cbor(transparent)]
pub struct Status(#[n(0)] u16);

impl Status {
    /// 200.
    pub const OK: Self = Self(200);

    /// Takes a status.
    ///
    /// # Errors
    /// [`RequestError::BadStatus`]: it is not from 200 to 599. Answer 502 in its place.
    pub const fn new(status: u16) -> Result<Self, RequestError> {
        if 200 <= status && status <= 599 { Ok(Self(status)) } else { Err(RequestError::BadStatus) }
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl<'b, C> Decode<'b, C> for Status {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Self::new(d.u16()?).map_err(|_| decode::Error::message("not a status"))
    }
}

/// What a caller asks (§18.7).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Ask<'a, R = Request<'a>> {
    /// Opens a session, and asks nothing.
    #[n(0)]
    Hello,
    #[n(1)]
    Request(#[n(0)] R),
    /// The next part of a request's body.
    #[n(2)]
    BodyPart(#[n(0)] RequestId, #[n(1)] AppName, #[n(2)] u64, #[b(3)] Part<'a>),
    /// The next part of an answer's body is wanted.
    #[n(3)]
    More(#[n(0)] RequestId, #[n(1)] AppName, #[n(2)] u64),
}

/// What a callee says (§18.7).
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Say<'a, A = Answer<'a>> {
    #[n(0)]
    Hello,
    #[n(1)]
    Answer(#[n(0)] A),
    /// The next part of the body may come.
    #[n(2)]
    Continue,
    /// The next part of the answer's body.
    #[n(3)]
    Part(#[b(0)] Part<'a>),
    #[n(4)]
    Refused(#[n(0)] Reason),
    /// The app has not answered yet.
    #[n(5)]
    Working,
}
