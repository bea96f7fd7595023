//! The callee: takes what a peer asks, once, and replies (§18.8, §18.9).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::error::{PeerError, Reason, Refusal};
use super::manifest::{Caller, Manifest};
use super::memory::{self, MAX_TAKEN, Memory, Phase, Rest, Said, Taken};
use super::name::AppName;
use super::own::{Incoming, Reply, ReplyTo, TakenOpening};
use super::peer::{Change, Known, Peer, State};
use super::request::{Answer, Ask, Part, Request, RequestId, RequestMark, Say};
use super::step::{Row, Step, Wiped};
use crate::cbor;
use crate::time::UnixSeconds;

/// What came of something that a peer asked.
#[derive(Debug)]
pub enum Asked<'b> {
    /// Hand it to the app, once. With more of the body to come, call [`Peer::proceed`] when the app can take the next part; else
    /// [`Peer::answer`] with what the app answers. The app may answer before it has all.
    Request(Request<'b>, Pending),
    /// The next part of the body of a request that the app is getting. Then do as for [`Request`](Asked::Request).
    BodyPart(Part<'b>, Pending),
    /// The peer wants the next part of the app's answer. Call [`Peer::answer_part`] with it.
    More(Pending),
    /// There is nothing for the app. Send this.
    Reply(Reply),
}

/// A request that the app is to answer, or to take more of, and how to reply to what the peer asked last.
pub struct Pending {
    id: RequestId,
    reply: Replying,
}

/// The peer that a reply is for, and how it goes there.
struct Replying(super::id::PortalId, ReplyTo);

impl Replying {
    fn say(self, say: Said) -> Reply {
        Reply { from: self.0, to: self.1, say }
    }
}

impl Pending {
    /// The request's name. Only together with the peer's ID it names a request: the peer chooses it.
    pub const fn id(&self) -> RequestId {
        self.id
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Peer {
    /// Takes what this peer asks. `manifest` finds what an app of this Portal serves. `None`: there is no such app.
    ///
    /// Store the step, **and only then** hand the request to the app: so it gets it once, whatever crashes.
    ///
    /// # Errors
    /// [`Refusal`]: send its [`to_vec`](Refusal::to_vec). The peer is unchanged.
    pub fn take<'m, 'b, 'a>(
        &'m mut self,
        incoming: Incoming<'b>,
        manifest: impl FnOnce(&AppName) -> Option<&'a Manifest>,
        now: UnixSeconds,
    ) -> Result<Step<'m, Self, Asked<'b>>, Refusal> {
        let Incoming { from, opening, done, ask, reply } = incoming;
        if from != self.id || self.is_blocked() {
            return Err(reply.refusal());
        }
        let mut taking = Taking::new(self, now);
        let is_early = opening.is_some();
        if let Some(opening) = opening {
            taking.opening(opening)?;
        }
        taking.done(&done);
        let replying = Replying(from, reply);
        let asked = match ask {
            Some(Ask::Hello) => Asked::Reply(replying.say(say(&Say::Hello))),
            Some(Ask::Request(request)) => taking.request(request, is_early, manifest, replying),
            Some(Ask::BodyPart(id, app, number, part)) if !is_early => {
                taking.body_part(id, &app, number, part, replying)
            }
            Some(Ask::More(id, app, number)) if !is_early => taking.more(id, &app, number, replying),
            Some(Ask::BodyPart(..) | Ask::More(..)) => refused(Reason::TooEarly, replying),
            None => refused(Reason::Malformed, replying),
        };
        let Taking { state, changes, put, .. } = taking;
        Ok(self.step_with(Change { state, memory: changes, session: None }, put, asked))
    }

    /// The app can take the next part of the body. Until then the peer is told to wait, so that a host holds one part.
    ///
    /// # Errors
    /// [`PeerError::Misplaced`]: no more of the body is to come, or the request is too old. [`PeerError::Blocked`]: the owner blocked the peer since.
    pub fn proceed(&mut self, pending: Pending) -> Result<Step<'_, Self, Reply>, PeerError> {
        let Pending { id, reply } = pending;
        let taken = self.pending(&id, &reply)?;
        let Phase::Receiving { next, .. } = taken.phase else { return Err(PeerError::Misplaced) };
        let change = remembers(id, taken.app.clone(), Phase::Receiving { next, wanted: true });
        Ok(self.step_with(change, Vec::new(), reply.say(say(&Say::Continue))))
    }

    /// The app can't go on: it stopped before it had answered, or in the middle of its answer. The peer is told that it was interrupted, now and
    /// whenever it asks again.
    ///
    /// # Errors
    /// As of [`answer`](Peer::answer).
    pub fn interrupt(&mut self, pending: Pending) -> Result<Step<'_, Self, Reply>, PeerError> {
        let Pending { id, reply } = pending;
        let taken = self.pending(&id, &reply)?;
        let phase = match &taken.phase {
            Phase::Answered { say, rest: Rest::Asked { .. } } => Phase::Answered { say: say.clone(), rest: Rest::Lost },
            Phase::Receiving { .. } | Phase::Working => Phase::Interrupted,
            Phase::Answered { .. } | Phase::Interrupted => return Err(PeerError::Misplaced),
        };
        let change = remembers(id, taken.app.clone(), phase);
        Ok(self.step_with(change, Vec::new(), reply.say(say(&Say::Refused(Reason::Interrupted)))))
    }

    /// The app's answer to a request, or the first part of it. Store the step, and then send the reply by
    /// [`Portal::seal`](super::Portal::seal). From then on the peer gets this answer whenever it asks for it again.
    ///
    /// # Errors
    /// [`PeerError::Misplaced`]: the request was answered, or is too old. [`PeerError::Blocked`]: the owner blocked the peer since. Drop the
    /// answer.
    pub fn answer(&mut self, pending: Pending, answer: &Answer<'_>) -> Result<Step<'_, Self, Reply>, PeerError> {
        let Pending { id, reply } = pending;
        let taken = self.pending(&id, &reply)?;
        if !matches!(taken.phase, Phase::Receiving { .. } | Phase::Working) {
            return Err(PeerError::Misplaced);
        }
        let said = say(&Say::Answer(answer));
        let rest = if answer.body.has_more() { Rest::Next { number: 1, last: None } } else { Rest::None };
        let row = memory::request_row(self.id, id, &taken.app, Some(said.as_slice()));
        let phase = Phase::Answered { say: said.clone(), rest };
        let change = remembers(id, taken.app.clone(), phase);
        Ok(self.step_with(change, [row].into(), reply.say(said)))
    }

    /// The next part of the app's answer. It is kept until the peer asks for the one behind it, in memory only.
    ///
    /// # Errors
    /// As of [`answer`](Peer::answer).
    pub fn answer_part(&mut self, pending: Pending, part: &Part<'_>) -> Result<Step<'_, Self, Reply>, PeerError> {
        let Pending { id, reply } = pending;
        let taken = self.pending(&id, &reply)?;
        let Phase::Answered { say: first, rest: Rest::Asked { number } } = &taken.phase else {
            return Err(PeerError::Misplaced);
        };
        let said = say(&Say::Part(*part));
        let (number, last) = (*number, said.clone());
        let rest = if part.has_more() {
            Rest::Next { number: number.saturating_add(1), last: Some(last) }
        } else {
            Rest::All { number, last }
        };
        let phase = Phase::Answered { say: first.clone(), rest };
        let change = remembers(id, taken.app.clone(), phase);
        Ok(self.step_with(change, Vec::new(), reply.say(said)))
    }

    fn pending(&self, id: &RequestId, reply: &Replying) -> Result<&Taken, PeerError> {
        if self.is_blocked() {
            return Err(PeerError::Blocked);
        }
        let taken = self.memory.requests.get(&id.nonce).filter(|taken| taken.created == id.created);
        taken.filter(|_| reply.0 == self.id).ok_or(PeerError::Misplaced)
    }
}

fn say(say: &Say<'_, &Answer<'_>>) -> Said {
    Arc::new(Wiped::new(cbor::encode_to_vec(say)))
}

fn refused<'b>(reason: Reason, replying: Replying) -> Asked<'b> {
    Asked::Reply(replying.say(say(&Say::Refused(reason))))
}

fn changed(id: RequestId, app: AppName, phase: Phase) -> memory::Change {
    memory::Change::Request(id.nonce, Taken { created: id.created, app, phase })
}

fn remembers(id: RequestId, app: AppName, phase: Phase) -> Change {
    Change { memory: [changed(id, app, phase)].into(), ..Change::default() }
}

/// A step of the callee while it is prepared.
struct Taking<'p> {
    peer: &'p Peer,
    now: UnixSeconds,
    /// The next state of the peer's own row, if it changes.
    state: Option<Box<State>>,
    changes: Vec<memory::Change>,
    put: Vec<Row>,
    /// What is remembered before this step, without what the step forgets.
    openings: usize,
    requests: usize,
    floor: UnixSeconds,
}

impl<'p> Taking<'p> {
    /// Begins with forgetting what is old.
    fn new(peer: &'p Peer, now: UnixSeconds) -> Self {
        let Memory { openings, requests } = &peer.memory;
        let mut taking = Self {
            peer,
            now,
            state: None,
            changes: Vec::new(),
            put: Vec::new(),
            openings: openings.len(),
            requests: requests.len(),
            floor: peer.state.floor,
        };
        if peer.memory.deadline().is_some_and(|deadline| deadline <= now) {
            let (changes, floor) = peer.memory.expired(now);
            let is_opening = |change: &&memory::Change| matches!(change, memory::Change::ForgetOpening(_));
            let openings = changes.iter().filter(is_opening).count();
            taking.openings = taking.openings.saturating_sub(openings);
            taking.requests = taking.requests.saturating_sub(changes.len().saturating_sub(openings));
            taking.floor = taking.floor.max(floor.unwrap_or_default());
            taking.changes = changes;
            let floor = taking.floor;
            taking.state().floor = floor;
        }
        taking
    }

    /// The peer's next state, to be changed.
    fn state(&mut self) -> &mut State {
        self.state.get_or_insert_with(|| Box::new(self.peer.state.clone()))
    }

    /// §18.8, rule 1.
    fn opening(&mut self, opening: TakenOpening) -> Result<(), Refusal> {
        let TakenOpening { created, name, key, mark } = opening;
        // Before the clock is looked at: else an old Opening, sent again, would tell whether its caller is still a peer.
        if created <= self.floor || self.peer.memory.openings.contains_key(&mark) {
            return Err(Refusal::Unknown);
        }
        if !memory::is_fresh(created, self.now) {
            return Err(Refusal::ClocksDiffer);
        }
        if self.openings >= MAX_TAKEN {
            return Err(Refusal::Busy);
        }
        self.changes.push(memory::Change::Opening(mark, created));
        self.put.push(memory::opening_row(self.peer.id, mark, created));
        if !self.peer.is_verified() {
            // The caller has shown the private key of this one, and it hashes to the peer's ID.
            let state = self.state();
            (state.known, state.retry) = (Known::Key(key), None);
        }
        if self.peer.state.own_name != name {
            self.state().own_name = name;
        }
        Ok(())
    }

    /// §18.8, rule 5.
    fn done(&mut self, done: &[RequestMark]) {
        for nonce in done.iter().take(MAX_TAKEN) {
            let taken = self.peer.memory.requests.get(nonce);
            let Some(Taken { phase: Phase::Answered { .. }, .. }) = taken else { continue };
            let is_forgotten = |change: &memory::Change| matches!(change, memory::Change::Forget(old) if old == nonce);
            if self.changes.iter().any(is_forgotten) {
                continue;
            }
            self.changes.push(memory::Change::Forget(*nonce));
            self.requests = self.requests.saturating_sub(1);
        }
    }

    /// A request that is remembered, and not forgotten in this step.
    fn taken(&self, id: &RequestId) -> Option<&'p Taken> {
        let is_forgotten =
            |change: &memory::Change| matches!(change, memory::Change::Forget(nonce) if *nonce == id.nonce);
        let taken = self.peer.memory.requests.get(&id.nonce);
        taken.filter(|taken| taken.created == id.created && !self.changes.iter().any(is_forgotten))
    }

    /// §18.8, rules 2, 3 and 7.
    fn request<'b, 'a>(
        &mut self,
        request: Request<'b>,
        is_early: bool,
        manifest: impl FnOnce(&AppName) -> Option<&'a Manifest>,
        replying: Replying,
    ) -> Asked<'b> {
        let id = request.id;
        if is_early && !request.may_be_early() {
            return refused(Reason::TooEarly, replying);
        }
        if let Some(taken) = self.taken(&id) {
            if taken.app != *request.app() {
                return refused(Reason::Malformed, replying);
            }
            return Asked::Reply(replying.say(match &taken.phase {
                Phase::Answered { say, .. } => say.clone(),
                Phase::Receiving { next: 1, wanted: true } => say(&Say::Continue),
                Phase::Receiving { next: 1, wanted: false } | Phase::Working => say(&Say::Working),
                Phase::Receiving { .. } => say(&Say::Refused(Reason::Malformed)),
                Phase::Interrupted => say(&Say::Refused(Reason::Interrupted)),
            }));
        }
        if self.peer.memory.requests.contains_key(&id.nonce) {
            // Under another time; or done, in this very message.
            return refused(Reason::Malformed, replying);
        }
        if !memory::is_fresh(id.created, self.now) || id.created <= self.floor {
            return refused(Reason::Stale, replying);
        }
        match manifest(request.app()).map(|manifest| manifest.admits(Caller::Peer, &request.target)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return refused(Reason::NotServed, replying),
        }
        if self.requests >= MAX_TAKEN {
            return refused(Reason::Full, replying);
        }
        let phase = if request.body.has_more() { Phase::Receiving { next: 1, wanted: false } } else { Phase::Working };
        self.put.push(memory::request_row(self.peer.id, id, request.app(), None));
        self.changes.push(changed(id, request.app().clone(), phase));
        Asked::Request(request, Pending { id, reply: replying })
    }

    /// §18.9, rule 2.
    fn body_part<'b>(
        &mut self,
        id: RequestId,
        app: &AppName,
        number: u64,
        part: Part<'b>,
        replying: Replying,
    ) -> Asked<'b> {
        let Some(taken) = self.taken(&id).filter(|taken| taken.app == *app) else {
            return refused(Reason::Malformed, replying);
        };
        match &taken.phase {
            Phase::Receiving { next, wanted: true } if *next == number => {
                let next = number.saturating_add(1);
                let phase = if part.has_more() { Phase::Receiving { next, wanted: false } } else { Phase::Working };
                self.changes.push(changed(id, app.clone(), phase));
                Asked::BodyPart(part, Pending { id, reply: replying })
            }
            // The reply to the last part was lost.
            Phase::Receiving { next, wanted: true } if number > 0 && number.checked_add(1) == Some(*next) => {
                Asked::Reply(replying.say(say(&Say::Continue)))
            }
            // The app is not done with the part before.
            Phase::Receiving { next, wanted: false }
                if number > 0 && (*next).saturating_sub(number) <= 1 && number <= *next =>
            {
                Asked::Reply(replying.say(say(&Say::Working)))
            }
            Phase::Working => Asked::Reply(replying.say(say(&Say::Working))),
            Phase::Answered { say, .. } => Asked::Reply(replying.say(say.clone())),
            Phase::Interrupted => refused(Reason::Interrupted, replying),
            Phase::Receiving { .. } => refused(Reason::Malformed, replying),
        }
    }

    /// §18.9, rule 3.
    fn more<'b>(&mut self, id: RequestId, app: &AppName, number: u64, replying: Replying) -> Asked<'b> {
        let taken = self.taken(&id).filter(|taken| taken.app == *app);
        let Some(Taken { phase: Phase::Answered { say: first, rest }, .. }) = taken else {
            return refused(Reason::Malformed, replying);
        };
        match rest {
            Rest::Next { number: next, .. } if *next == number => {
                let phase = Phase::Answered { say: first.clone(), rest: Rest::Asked { number } };
                self.changes.push(changed(id, app.clone(), phase));
                Asked::More(Pending { id, reply: replying })
            }
            Rest::Next { number: next, last: Some(last) } if number.checked_add(1) == Some(*next) => {
                Asked::Reply(replying.say(last.clone()))
            }
            Rest::Asked { number: asked } if *asked == number => Asked::Reply(replying.say(say(&Say::Working))),
            Rest::All { number: all, last } if *all == number => Asked::Reply(replying.say(last.clone())),
            Rest::Lost if number > 0 => refused(Reason::Interrupted, replying),
            Rest::None | Rest::Lost | Rest::Next { .. } | Rest::Asked { .. } | Rest::All { .. } => {
                refused(Reason::Malformed, replying)
            }
        }
    }
}
