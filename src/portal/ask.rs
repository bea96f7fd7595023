//! The caller: asks a peer, and hears what it says (§18.6, §18.8).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rand_core::CryptoRng;

use super::app::AuthenticatedApp;
use super::asking::Asking;
use super::error::{AskError, HearError, Reason, Refusal};
use super::id::PortalId;
use super::message::{Message, SessionId};
use super::name::PortalName;
use super::noise::{Initiator, OVERHEAD_1, PROLOGUE, TAG};
use super::own::{Exchange, Opening, Portal};
use super::peer::{Change, Peer, State};
use super::request::{Answer, Ask, Part, Request, RequestId, Say};
use super::session::CallerSession;
use super::step::{Step, Wiped};
use crate::cbor::{self, Versioned};
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// A message to POST to the peer's address, and what its answer is read by.
#[derive(Debug)]
pub struct Outgoing {
    /// The message.
    pub message: Vec<u8>,
    /// Hand it to [`Peer::hear`] with the answer.
    pub waiting: Waiting,
}

/// What an answer is read by. It reads one answer. If none comes, drop it, and ask again under the same id.
pub struct Waiting {
    peer: PortalId,
    /// `None` once the answer was read: an Opened that was read twice would begin a session's numbers again.
    answer: Option<For>,
}

enum For {
    /// Noise message 2.
    Opened(Box<Initiator>),
    /// The Reply to this number.
    Reply(SessionId, u64),
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.answer {
            Some(For::Opened(_)) => "Waiting(Opened)",
            Some(For::Reply(..)) => "Waiting(Reply)",
            None => "Waiting(read)",
        })
    }
}

/// What a peer said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard<'b> {
    /// The app's answer, or the first part of it. If [`has_more`](Part::has_more), ask for the rest by [`Peer::ask_more`] from number 1 on.
    /// When the app has it all, call [`Peer::done`].
    Answer(Answer<'b>),
    /// The peer wants the next part of the request's body: [`Peer::ask_part`].
    Continue,
    /// The next part of the answer's body.
    Part(Part<'b>),
    /// A session is open, and nothing was asked in it yet. Ask the same again.
    Opened,
    /// The app has not answered yet. Ask the same again in a second.
    Working,
    /// The peer refused: the reason says what to do. For [`Reason::TooEarly`] ask the same again: there is a session now.
    Refused(Reason),
}

impl Peer {
    /// Asks the peer: the message for its address. A request that changes something, or has a body, needs a session. Without one this opens it
    /// first: then [`hear`](Peer::hear) says [`Heard::Opened`], and you ask the same again.
    ///
    /// **Ask again under the same id** if no answer comes, also after a crash of either Portal: the app there gets the request once.
    ///
    /// # Errors
    /// [`AskError`]: nothing was asked.
    pub fn ask<R: CryptoRng + ?Sized>(
        &mut self,
        portal: &Portal,
        app: AuthenticatedApp<'_>,
        request: &Request<'_>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Outgoing, AskError> {
        app.may_ask(self)?;
        if request.app() != app.app() {
            return Err(AskError::NotGranted);
        }
        let ask = if self.has_session(now) || request.may_be_early() { Ask::Request(request) } else { Ask::Hello };
        self.send(portal, ask, now, rng)
    }

    /// Sends the next part of a request's body: the first behind that of [`ask`](Peer::ask) has number 1.
    ///
    /// # Errors
    /// As of [`ask`](Peer::ask).
    #[expect(
        clippy::too_many_arguments,
        reason = "who asks whom for which part, and when: no two of them belong together"
    )]
    pub fn ask_part<R: CryptoRng + ?Sized>(
        &mut self,
        portal: &Portal,
        app: AuthenticatedApp<'_>,
        id: RequestId,
        number: u64,
        part: Part<'_>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Outgoing, AskError> {
        app.may_ask(self)?;
        let ask = Ask::BodyPart(id, app.app().clone(), number, part);
        let ask = if self.has_session(now) { ask } else { Ask::Hello };
        self.send(portal, ask, now, rng)
    }

    /// Asks for the next part of an answer's body: the first behind that of [`Heard::Answer`] has number 1.
    ///
    /// # Errors
    /// As of [`ask`](Peer::ask).
    pub fn ask_more<R: CryptoRng + ?Sized>(
        &mut self,
        portal: &Portal,
        app: AuthenticatedApp<'_>,
        id: RequestId,
        number: u64,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Outgoing, AskError> {
        app.may_ask(self)?;
        let ask = if self.has_session(now) { Ask::More(id, app.app().clone(), number) } else { Ask::Hello };
        self.send(portal, ask, now, rng)
    }

    /// The app says that it has the answer to this request, and will not ask for it again. Do not call this when the answer was handed to the app: the
    /// app may have stopped. If it was asked once, in a session, the peer is told so with what is
    /// asked next, and forgets it. All else it forgets eleven minutes after it was asked.
    pub fn done(&mut self, id: RequestId) {
        self.asking.answered(id.nonce);
    }

    /// A new request's name.
    pub fn draw_id<R: CryptoRng + ?Sized>(&mut self, now: UnixSeconds, rng: &mut R) -> RequestId {
        let id = RequestId::draw(now, rng);
        self.asking.drew(id.nonce);
        id
    }

    fn has_session(&self, now: UnixSeconds) -> bool {
        self.asking.session.as_ref().is_some_and(|session| !session.is_over(now))
    }

    fn send<R: CryptoRng + ?Sized>(
        &mut self,
        portal: &Portal,
        ask: Ask<'_, &Request<'_>>,
        now: UnixSeconds,
        rng: &mut R,
    ) -> Result<Outgoing, AskError> {
        if self.is_blocked() {
            return Err(AskError::NotGranted);
        }
        let key = *self.public_key().ok_or(AskError::Unverified)?;
        if let Ask::Request(request) = &ask {
            let is_exchange = self.has_session(now);
            self.asking.asked(request.id.nonce, is_exchange);
        }
        let Asking { session, done, .. } = &mut self.asking;
        if let Some(session) = session.as_mut().filter(|session| !session.is_over(now)) {
            let exchange = Exchange { done: done.as_slice(), ask };
            let number = session.next();
            let length = cbor::length(&exchange).saturating_add(TAG);
            let mut message = Message::Exchange(session.id, number, &[]).head(length);
            let start = message.len();
            cbor::append(&exchange, &mut message);
            session.encrypt(&mut message, start);
            done.clear();
            let waiting = Waiting { peer: self.id, answer: Some(For::Reply(session.id, number)) };
            return Ok(Outgoing { message, waiting });
        }
        let payload = Wiped::new(cbor::encode_to_vec(&Opening { created: now, name: portal.name.clone(), ask }));
        let payload = payload.as_slice();
        let mut ephemeral = Secret::ZERO;
        rng.fill_bytes(ephemeral.expose_mut());
        let mut message = Message::Opening(&[]).head(payload.len().saturating_add(OVERHEAD_1));
        let initiator = Initiator::write(PROLOGUE, &portal.pair, &key, ephemeral, payload, &mut message);
        let waiting = Waiting { peer: self.id, answer: Some(For::Opened(Box::new(initiator))) };
        Ok(Outgoing { message, waiting })
    }

    /// Reads what the peer answered. It is opened into `buffer`, which holds it in the clear afterwards: wiping it is the caller's.
    ///
    /// The step writes only if the peer has a new name for itself. `waiting` has read its answer even if you drop the step: then ask again under the
    /// same id.
    ///
    /// # Errors
    /// [`HearError`]: what to do stands there. A message that is not the peer's changes nothing: the true one may still come, and
    /// `waiting` reads it.
    pub fn hear<'m, 'b>(
        &'m mut self,
        portal: &Portal,
        waiting: &mut Waiting,
        message: &[u8],
        buffer: &'b mut Vec<u8>,
        now: UnixSeconds,
    ) -> Result<Step<'m, Self, Heard<'b>>, HearError> {
        if self.is_blocked() || waiting.peer != self.id {
            return Err(HearError::Misplaced);
        }
        let answer = waiting.answer.as_ref().ok_or(HearError::Misplaced)?;
        buffer.clear();
        let mut change = Change::default();
        let decoded = match Message::decode(message) {
            Err(_) if cbor::decode::<Versioned<LaterRefusal>>(message).is_ok() => {
                Ok(Message::Refusal(Refusal::Unknown))
            }
            decoded => decoded,
        };
        let said = match (answer, decoded.map_err(|_| HearError::Forged)?) {
            (For::Opened(initiator), Message::Opened(noise)) => {
                let (payload, keys) = initiator.read(&portal.pair, noise).map_err(|_| HearError::Forged)?;
                buffer.extend_from_slice(&payload);
                let Opened { session, name, say } = match cbor::decode::<Opened<Say<'_>>>(buffer) {
                    Ok(opened) => opened,
                    Err(_) => cbor::decode::<Opened<LaterReason>>(buffer).map_err(|_| HearError::Forged)?.known(),
                };
                change.session = Some(Box::new(CallerSession::new(session, keys, now)));
                if name != self.state.own_name {
                    change.state = Some(Box::new(State { own_name: name, ..self.state.clone() }));
                }
                say
            }
            (For::Reply(id, number), Message::Reply(ciphertext)) => {
                let session = self.asking.session.as_ref().filter(|session| session.id == *id);
                let session = session.ok_or(HearError::Misplaced)?;
                buffer.extend_from_slice(ciphertext);
                let length = session.decrypt(*number, buffer).map_err(|_| HearError::Forged)?;
                let text = buffer.get(..length).unwrap_or_default();
                match cbor::decode::<Say<'_>>(text) {
                    Ok(say) => say,
                    Err(_) => cbor::decode::<LaterReason>(text).map_err(|_| HearError::Forged)?.known(),
                }
            }
            (answer, Message::Refusal(refusal)) => {
                let session = self.asking.session.as_mut();
                if let (For::Reply(id, _), Refusal::NoSession) = (answer, refusal)
                    && let Some(session) = session.filter(|session| session.id == *id)
                {
                    session.retire();
                }
                return Err(HearError::Refused(refusal));
            }
            _ => return Err(HearError::Forged),
        };
        waiting.answer = None;
        let heard = match said {
            Say::Hello => Heard::Opened,
            Say::Answer(answer) => Heard::Answer(answer),
            Say::Continue => Heard::Continue,
            Say::Part(part) => Heard::Part(part),
            Say::Refused(reason) => Heard::Refused(reason),
            Say::Working => Heard::Working,
        };
        Ok(self.step_with(change, Vec::new(), heard))
    }
}

/// The payload of Opened.
#[derive(Encode, Decode)]
struct Opened<S> {
    #[n(0)]
    session: SessionId,
    #[n(1)]
    name: PortalName,
    #[n(2)]
    say: S,
}

impl Opened<LaterReason> {
    fn known<'b>(self) -> Opened<Say<'b>> {
        Opened { session: self.session, name: self.name, say: self.say.known() }
    }
}

/// `[4, reason]` with a reason that this version does not know (§18.6). The peer said it, so the session is good.
struct LaterReason(u64);

impl LaterReason {
    fn known<'b>(self) -> Say<'b> {
        Say::Refused(Reason::Malformed)
    }
}

/// `[6, code]` with a code that this version does not know (§18.6).
struct LaterRefusal(u64);

macro_rules! later {
    ($name:ident, $number:literal) => {
        impl<C> Encode<C> for $name {
            fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
                e.array(2)?.u8($number)?.u64(self.0)?.ok()
            }
        }

        impl<'b, C> Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
                // What stands in the place of the number is written again, and compared.
                (d.array()?, d.u8()?);
                Ok(Self(d.u64()?))
            }
        }
    };
}

later!(LaterReason, 4);
later!(LaterRefusal, 6);
