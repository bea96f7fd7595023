//! One request as one operation on the storage, and the reply to it.

use core::fmt;

use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::{
    Claim, Claimed, Directory, FormedLine, Issued, Limits, LinkSet, MarkKey, Pushed, RelayError, RequestError,
    Retention, UserId,
};
use crate::id::{LineId, LineLink, RequestId};
use crate::message::{Event, Request};
use crate::port::policy::Admission;
use crate::proof::Proof;
use crate::time::UnixSeconds;

/// One request as data: all that a storage needs to serve it, in one round trip.
///
/// [`prepare`](Self::prepare) makes an operation of a request's bytes. Run it against your storage in the way that suits it:
/// [`execute`](Self::execute) for a [`Directory`], or a `match` with your own code for each kind, which may be async. The
/// `respond` of each kind turns the storage's answer into the [`Response`].
///
/// **Send no reply and notify nobody before the transaction that holds the operation is durable.** One transaction may hold
/// any number of operations of any users, in the order in which their requests came: with one sync for a hundred requests, a
/// relay serves many times as many ("group commit"). If that transaction fails, none of its operations has happened: send
/// no reply to any of them, and the clients send their requests again.
///
/// # Many requests in one transaction
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use port_protocol::relay::{Limits, MarkKey, Memory, Operation, RelayError, RequestError, Response, UserId};
/// use port_protocol::UnixSeconds;
/// # use core::convert::Infallible;
/// # fn send(_: UserId, _: Result<Response, RequestError>) {}
/// # fn run(database: &mut Memory, received: Vec<(UserId, Vec<u8>)>, limits: &Limits, marks: &MarkKey, rng: &mut impl rand_core::CryptoRng, now: UnixSeconds) -> Result<(), Infallible> {
///
/// let mut transaction = database.clone(); // BEGIN: any `Directory` over an open transaction
/// let mut responses = Vec::new();
/// for (user, request) in received {
///     let response = match Operation::prepare(user, &request, limits, marks, rng, now) {
///         Ok(operation) => operation.execute(&mut transaction),
///         Err(refused) => Err(refused.into()),
///     };
///     match response {
///         Ok(response) => responses.push((user, Ok(response))),
///         Err(RelayError::Request(refused)) => responses.push((user, Err(refused))),
///         Err(RelayError::Directory(failed)) => return Err(failed), // ROLLBACK: nobody gets a reply
///     }
/// }
/// *database = transaction; // COMMIT: everything above is durable
/// for (user, response) in responses {
///     send(user, response);
/// }
/// # Ok(()) }
/// # }
/// ```
///
/// # An async storage
///
/// ```
/// use port_protocol::relay::{Operation, RequestError, Response};
/// # fn main() {}
/// # struct Transaction;
/// # struct SqlError;
/// # enum Failed { Request(RequestError), Sql(SqlError) }
/// # impl From<RequestError> for Failed { fn from(error: RequestError) -> Self { Self::Request(error) } }
/// # impl From<SqlError> for Failed { fn from(error: SqlError) -> Self { Self::Sql(error) } }
/// # mod sql {
/// #     use port_protocol::relay::*;
/// #     use super::{SqlError, Transaction};
/// #     pub async fn issue(_: &mut Transaction, _: &NewLink) -> Result<Issued, SqlError> { Ok(Issued::TooMany) }
/// #     pub async fn claim(_: &mut Transaction, _: &Connect) -> Result<Claimed, SqlError> { Ok(Claimed::Conflict) }
/// #     pub async fn set_link(_: &mut Transaction, _: &LinkSetting) -> Result<LinkSet, SqlError> { Ok(LinkSet::Done) }
/// #     pub async fn close_link(_: &mut Transaction, _: &LinkClosure) -> Result<(), SqlError> { Ok(()) }
/// #     pub async fn push(_: &mut Transaction, _: &Packet<'_>) -> Result<Pushed, SqlError> { Ok(Pushed::NoLine) }
/// #     pub async fn leave(_: &mut Transaction, _: &Departure) -> Result<Option<UserId>, SqlError> { Ok(None) }
/// # }
///
/// // Each function of `sql` does what the docs of the same method of `Directory` say.
/// async fn execute(transaction: &mut Transaction, operation: &Operation<'_>) -> Result<Response, Failed> {
///     Ok(match operation {
///         Operation::Issue(link) => link.respond(sql::issue(transaction, link).await?)?,
///         Operation::Connect(connect) => connect.respond(sql::claim(transaction, connect).await?)?,
///         Operation::SetLink(setting) => setting.respond(sql::set_link(transaction, setting).await?),
///         Operation::CloseLink(closure) => {
///             sql::close_link(transaction, closure).await?;
///             closure.respond()
///         }
///         Operation::Push(packet) => packet.respond(sql::push(transaction, packet).await?),
///         Operation::Leave(departure) => departure.respond(sql::leave(transaction, departure).await?),
///     })
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation<'r> {
    /// `IssueLineLink`: run [`Directory::issue`].
    Issue(NewLink),
    /// `Connect`: run [`Directory::claim`].
    Connect(Connect),
    /// `SetLineLink`: run [`Directory::set_link`].
    SetLink(LinkSetting),
    /// `CloseLineLink`: run [`Directory::close_link`].
    CloseLink(LinkClosure),
    /// `Packet`: run [`Directory::push`].
    Push(Packet<'r>),
    /// `Disconnect`: run [`Directory::leave`].
    Leave(Departure),
}

/// A user asks for a line link (§13.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewLink {
    /// The new link's name, drawn at random. It is not used if the request has a link already.
    pub line_link: LineLink,
    /// The user that asks.
    pub owner: UserId,
    /// The request that the link is for.
    pub request_id: RequestId,
    /// The time of the request.
    pub now: UnixSeconds,
    /// From this second on, the link can't be used.
    pub expires: UnixSeconds,
    /// From this second on, the link counts as one that never existed.
    pub purge_at: UnixSeconds,
    /// [`Limits::links`].
    pub max_links: usize,
}

/// A user connects to a line link (§13.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connect {
    /// The link.
    pub line_link: LineLink,
    /// The request's id, which the answer echoes.
    pub request_id: RequestId,
    /// The user, its request, and the new line's name, drawn at random. The name is not used if no new line is formed.
    pub claim: Claim,
    /// The proof that came with the request. It goes to the link's owner, in [`line_formed`](Self::line_formed).
    pub proof: Option<Proof>,
    /// The time of the request.
    pub now: UnixSeconds,
    /// How long the relay keeps what became of a link that this use claims.
    pub retention: Retention,
    /// The relay's key for the marks of the two users.
    pub marks: MarkKey,
    /// [`Limits::lines`], for each of the two users.
    pub max_lines: usize,
    /// [`Limits::uses`], for the user that connects, if the link admits many.
    pub max_uses: usize,
}

/// A user sets which users a line link admits (§13.2). [`decide`](Self::decide) says whether the link changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkSetting {
    /// The link.
    pub line_link: LineLink,
    /// The user that asks. Only the link's owner may set it.
    pub owner: UserId,
    /// This setting's number among the owner's settings of this link. A lower one than the link's changes nothing.
    pub version: u64,
    /// Who may use the link from now on.
    pub admits: Admission,
    /// Whether the link's users get the mark of its owner that those of the owner's other recognisable links get.
    pub recognisable: bool,
    /// The time of the request.
    pub now: UnixSeconds,
    /// [`Limits::links`]. It counts only for a link that is due to be purged: see [`decide`](Self::decide).
    pub max_links: usize,
    /// From this second on, the link can't be used: its lifetime begins anew.
    pub expires: UnixSeconds,
    /// From this second on, the link counts as one that never existed.
    pub purge_at: UnixSeconds,
}

/// A user closes a line link (§13.2). [`decide`](Self::decide) says whether the link changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkClosure {
    /// The link.
    pub line_link: LineLink,
    /// The user that asks. Only the link's owner may close it.
    pub owner: UserId,
    /// The time of the request.
    pub now: UnixSeconds,
    /// How long the relay keeps that the link is closed.
    pub retention: Retention,
}

/// A user sends a packet along a line (§13.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'r> {
    /// The line.
    pub line_id: LineId,
    /// The user that sends.
    pub from: UserId,
    /// The payload. The relay does not read it.
    pub payload: &'r [u8],
    /// [`Limits::packets`].
    pub max_packets: usize,
    /// [`Limits::bytes`].
    pub max_bytes: usize,
}

/// A user leaves a line (§13.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    /// The line.
    pub line_id: LineId,
    /// The user that leaves.
    pub by: UserId,
}

/// What to send because of a request, **once the storage has made the request's operation durable**.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The event to send to the user that made the request. If it is lost, the same request gets it again.
    pub reply: Option<Event<'static>>,
    /// The users whose queues have something new. To those that are connected, send what waits for them: see
    /// [`Relay::next`](super::Relay::next). The user that made the request may be one of them. No user stands here twice.
    pub notify: [Option<UserId>; 2],
}

impl<'r> Operation<'r> {
    /// Turns a request's bytes (§7.2) into an operation. `user` is the user that the transport has authenticated. `marks` is the relay's
    /// key. `rng` draws the names of links and lines.
    ///
    /// This reads and writes no storage. It takes about as long as hashing the request.
    ///
    /// # Errors
    /// The bytes are not a request that this version serves, or the payload is too long.
    pub fn prepare<R: CryptoRng + ?Sized>(
        user: UserId,
        request: &'r [u8],
        limits: &Limits,
        marks: &MarkKey,
        rng: &mut R,
        now: UnixSeconds,
    ) -> Result<Self, RequestError> {
        let retention = Retention::of(limits);
        let expires = now.plus(retention.lifetime_secs);
        let purge_at = expires.plus(retention.retention_secs);
        Ok(match Request::decode(request)? {
            Request::IssueLineLink { request_id } => {
                let (line_link, max_links) = (draw(rng).into(), limits.links);
                Self::Issue(NewLink { line_link, owner: user, request_id, now, expires, purge_at, max_links })
            }
            Request::Connect { line_link, request_id, proof } => {
                let request_digest = digest(user, request);
                let claim = Claim { by: user, request_digest, line_id: draw(rng).into() };
                let Limits { lines: max_lines, uses: max_uses, .. } = *limits;
                let marks = marks.clone();
                let connect =
                    Connect { line_link, request_id, claim, proof, now, retention, marks, max_lines, max_uses };
                Self::Connect(connect)
            }
            // An owner that sets a link still needs it, so its lifetime begins anew. Version 0 is the link as it was issued.
            Request::SetLineLink { line_link, version, admits, recognisable } => {
                let (admits, recognisable) =
                    if version == 0 { (Admission::One, false) } else { (admits, recognisable) };
                Self::SetLink(LinkSetting {
                    line_link,
                    owner: user,
                    version,
                    admits,
                    recognisable,
                    now,
                    max_links: limits.links,
                    expires,
                    purge_at,
                })
            }
            Request::CloseLineLink { line_link } => {
                Self::CloseLink(LinkClosure { line_link, owner: user, now, retention })
            }
            Request::Packet { payload, .. } if payload.len() > limits.bytes => return Err(RequestError::TooLong),
            Request::Packet { line_id, payload } => {
                let Limits { packets: max_packets, bytes: max_bytes, .. } = *limits;
                Self::Push(Packet { line_id, from: user, payload, max_packets, max_bytes })
            }
            Request::Disconnect { line_id } => Self::Leave(Departure { line_id, by: user }),
        })
    }

    /// Runs the operation against a storage and gives the response.
    ///
    /// If the directory stands for an open transaction, **keep the response until that is committed**.
    ///
    /// # Errors
    /// [`RelayError`]: each says what to do.
    pub fn execute<D: Directory>(&self, directory: &mut D) -> Result<Response, RelayError<D::Error>> {
        let failed = RelayError::Directory;
        match self {
            Self::Issue(link) => {
                directory.purge(link.now).map_err(failed)?;
                Ok(link.respond(directory.issue(link).map_err(failed)?)?)
            }
            Self::Connect(connect) => match directory.claim(connect) {
                Ok(claimed) => connect.respond(claimed).map_err(RelayError::Request),
                Err(error) => Err(failed(error)),
            },
            Self::SetLink(setting) => directory.set_link(setting).map(|set| setting.respond(set)).map_err(failed),
            Self::CloseLink(closure) => directory.close_link(closure).map(|()| closure.respond()).map_err(failed),
            Self::Push(packet) => directory.push(packet).map(|pushed| packet.respond(pushed)).map_err(failed),
            Self::Leave(departure) => directory.leave(departure).map(|other| departure.respond(other)).map_err(failed),
        }
    }
}

impl NewLink {
    /// The response to what came of [`Directory::issue`].
    ///
    /// # Errors
    /// [`RequestError::TooManyLinks`] or [`RequestError::Contended`].
    #[inline]
    pub const fn respond(&self, issued: Issued) -> Result<Response, RequestError> {
        match issued {
            Issued::Link(line_link) => {
                Ok(Response::replied(Event::LineLinkIssued { request_id: self.request_id, line_link }))
            }
            Issued::NameCollision => Err(RequestError::Contended),
            Issued::TooMany => Err(RequestError::TooManyLinks),
        }
    }
}

impl Connect {
    /// The event that waits for the link's owner when this Connect has formed `line`.
    pub fn line_formed(&self, line: &FormedLine) -> Event<'static> {
        let FormedLine { line_id, owner_sees, .. } = *line;
        Event::LineFormed { line_link: self.line_link, line_id, peer: owner_sees, proof: self.proof.clone() }
    }

    /// The event that waits for the user that connects.
    pub const fn connected(&self, line: &FormedLine) -> Event<'static> {
        let (line_link, request_id) = (self.line_link, self.request_id);
        Event::Connected { line_link, request_id, line_id: line.line_id, peer: line.user_sees }
    }

    /// The response to what came of [`Directory::claim`].
    ///
    /// # Errors
    /// [`RequestError::TooManyLines`] or [`RequestError::Contended`].
    #[inline]
    pub const fn respond(&self, claimed: Claimed) -> Result<Response, RequestError> {
        match claimed {
            // No reply: the user's own event waits until the user has acknowledged it, so that it can't be lost.
            Claimed::Formed(line) => Ok(Response { reply: None, notify: [Some(line.owner), Some(self.claim.by)] }),
            Claimed::FormedBefore(line) => Ok(Response::replied(self.connected(&line))),
            Claimed::Refused(reason) => {
                let (line_link, request_id) = (self.line_link, self.request_id);
                Ok(Response::replied(Event::Refused { line_link, request_id, reason }))
            }
            Claimed::TooMany => Err(RequestError::TooManyLines),
            Claimed::Conflict => Err(RequestError::Contended),
        }
    }
}

impl LinkSetting {
    /// The response to what came of [`Directory::set_link`]. To another user than the owner each link is as one that never was.
    #[inline]
    pub const fn respond(&self, set: LinkSet) -> Response {
        match set {
            LinkSet::Done => Response::SILENT,
            LinkSet::Lost => Response::replied(Event::LineLinkLost { line_link: self.line_link }),
        }
    }
}

impl LinkClosure {
    /// The response, whatever came of [`Directory::close_link`]: nothing, so that it tells nobody whether a link exists.
    #[inline]
    pub const fn respond(&self) -> Response {
        Response::SILENT
    }
}

impl Packet<'_> {
    /// The response to what came of [`Directory::push`].
    #[inline]
    pub const fn respond(&self, pushed: Pushed) -> Response {
        let sender = Some(self.from);
        match pushed {
            Pushed::Queued { to, dropped: true } => Response { reply: None, notify: [Some(to), sender] },
            Pushed::Queued { to, dropped: false } => Response { reply: None, notify: [Some(to), None] },
            // The sender's own `Disconnected` waits behind other events. A reply would overtake them and close its line.
            Pushed::Left => Response { reply: None, notify: [sender, None] },
            Pushed::NoLine => Response::replied(Event::Disconnected { line_id: self.line_id }),
        }
    }
}

impl Departure {
    /// The response to what came of [`Directory::leave`]: the same reply whether or not the user was on that line.
    #[inline]
    pub const fn respond(&self, other: Option<UserId>) -> Response {
        Response { reply: Some(Event::Disconnected { line_id: self.line_id }), notify: [other, None] }
    }
}

impl Response {
    const SILENT: Self = Self { reply: None, notify: [None; 2] };

    const fn replied(event: Event<'static>) -> Self {
        Self { reply: Some(event), notify: [None; 2] }
    }
}

// A log must show no payload.
impl fmt::Debug for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line_id, from, payload, max_packets: _, max_bytes: _ } = self;
        let mut shown = f.debug_struct("Packet");
        shown.field("line_id", line_id).field("from", from).field("length", &payload.len()).finish_non_exhaustive()
    }
}

fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> [u8; 16] {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// See [`Claim::request_digest`]. The same bytes from another user are another request.
fn digest(user: UserId, request: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(user.as_bytes()).chain_update(request).finalize().into()
}
