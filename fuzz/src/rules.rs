//! The rules of docs/relay.md (§13) in their plainest form: lists, searched from the front. A relay is compared with them.

use port_protocol::relay::{Limits, RelayError, RequestError, Response, UserId};
use port_protocol::{Admission, Event, LineId, LineLink, PeerMark, Proof, Reason, Request, RequestId, UnixSeconds};

use crate::relay::Down;

/// Users are numbers: 0 to 3.
pub type User = u8;

pub fn id(user: User) -> UserId {
    [user; 32].into()
}

pub type Outcome = Result<Response, RelayError<Down>>;

pub struct Rules {
    pub limits: Limits,
    pub now: UnixSeconds,
    links: Vec<Link>,
    /// Those that were ended, too.
    lines: Vec<Line>,
    /// The events that wait for each user.
    pub queues: [Vec<Vec<u8>>; 4],
    /// What was ever given, and what was burnt; nothing is taken from these.
    names: Vec<[u8; 16]>,
    /// Who is told of whom, by a mark for all links or for one.
    marks: Vec<(Viewer, PeerMark)>,
    /// The look before at the clock, for purging.
    look: Option<UnixSeconds>,
}

/// Who sees whom: at one link, or at all.
type Viewer = (User, User, Option<LineLink>);

/// A line that a request has just formed, as its two users are told: a name, and the marks that the owner and the user see.
#[derive(Clone, Copy, Debug)]
pub struct News {
    pub line_id: LineId,
    pub owner_sees: PeerMark,
    pub user_sees: PeerMark,
}

struct Link {
    name: LineLink,
    owner: User,
    request_id: RequestId,
    recognisable: bool,
    state: State,
    purge_at: UnixSeconds,
    given: Vec<Given>,
}

/// A line of a link.
struct Given {
    by: User,
    request: Vec<u8>,
    line_id: LineId,
    user_sees: PeerMark,
}

enum State {
    Open { expires: UnixSeconds, version: u64, admits: Admission },
    Claimed { by: User, request: Vec<u8>, line_id: LineId, user_sees: PeerMark, version: u64 },
    Closed,
}

struct Line {
    name: LineId,
    /// The user, and whether it is still there.
    ends: [(User, bool); 2],
}

impl Rules {
    pub fn new(limits: Limits, now: UnixSeconds) -> Self {
        let (queues, names) = (Default::default(), Vec::new());
        Self { limits, now, links: Vec::new(), lines: Vec::new(), queues, names, marks: Vec::new(), look: None }
    }

    /// What must come of a request. A name that is new is taken from what has come of it.
    pub fn ask(&mut self, from: User, bytes: &[u8], got: &Outcome, news: Option<News>) -> Outcome {
        let quiet = |reply| Ok(Response { reply, notify: [None; 2] });
        match Request::decode(bytes).map_err(RequestError::from)? {
            Request::IssueLineLink { request_id } => self.issue(from, request_id, got),
            Request::Connect { line_link, request_id, proof } => {
                self.connect(from, line_link, (request_id, proof), bytes, got, news)
            }
            Request::Packet { payload, .. } if payload.len() > self.limits.bytes => Err(RequestError::TooLong.into()),
            Request::Packet { line_id, payload } => match self.ends(line_id, from) {
                Some((true, (to, true))) => {
                    let dropped = self.push(line_id, from, to, payload);
                    Ok(Response { reply: None, notify: [Some(id(to)), dropped.then_some(id(from))] })
                }
                Some((true, _)) => Ok(Response { reply: None, notify: [Some(id(from)), None] }),
                _ => quiet(Some(Event::Disconnected { line_id })),
            },
            Request::Disconnect { line_id } => {
                let notify = [self.leave(line_id, from).map(id), None];
                Ok(Response { reply: Some(Event::Disconnected { line_id }), notify })
            }
            Request::CloseLineLink { line_link } => {
                if let Some(at) = self.of_owner(line_link, from)
                    && let State::Open { .. } = self.links[at].state
                {
                    self.links[at].purge_at = self.kept_until(at);
                    self.links[at].state = State::Closed;
                }
                quiet(None)
            }
            Request::SetLineLink { line_link, version: 0, .. } => {
                self.set(from, line_link, 0, Admission::One, false);
                quiet(self.lost(from, line_link))
            }
            Request::SetLineLink { line_link, version, admits, recognisable } => {
                self.set(from, line_link, version, admits, recognisable);
                quiet(self.lost(from, line_link))
            }
            other => panic!("a request that these rules don't know: {other:?}"),
        }
    }

    /// §13.2, the table.
    fn set(&mut self, from: User, line_link: LineLink, new: u64, admits: Admission, recognisable: bool) {
        let Some(at) = self.of_owner(line_link, from) else { return };
        let is_due = self.now >= self.links[at].purge_at;
        match &mut self.links[at].state {
            State::Open { version, .. } if new >= *version => {}
            State::Claimed { version, .. } if new > *version && admits == Admission::Many => {}
            State::Claimed { version, .. } if new > *version => {
                *version = new;
                return;
            }
            _ => return,
        }
        if is_due && self.links_of(from) >= self.limits.links {
            return;
        }
        let expires = later(self.now, self.limits.lifetime_secs);
        let link = &mut self.links[at];
        link.state = State::Open { expires, version: new, admits };
        link.recognisable = recognisable;
        link.purge_at = later(expires, self.limits.retention_secs);
    }

    /// Those that are not due.
    fn links_of(&self, owner: User) -> usize {
        self.links.iter().filter(|link| link.owner == owner && self.now < link.purge_at).count()
    }

    /// §4.6: who sets a link that there is not, or that is closed, is told so once it has heard all else.
    fn lost(&self, from: User, line_link: LineLink) -> Option<Event<'static>> {
        let at = self.of_owner(line_link, from);
        let is_lost = at.is_none_or(|at| matches!(self.links[at].state, State::Closed));
        (is_lost && self.queues[usize::from(from)].is_empty()).then_some(Event::LineLinkLost { line_link })
    }

    fn of_owner(&self, line_link: LineLink, owner: User) -> Option<usize> {
        self.links.iter().position(|link| (link.name, link.owner) == (line_link, owner))
    }

    /// §13.3: the retention, from now, but not from before the link was issued or set; and no longer than without what happens now.
    fn kept_until(&self, at: usize) -> UnixSeconds {
        let set_at = match self.links[at].state {
            State::Open { expires, .. } => expires.as_secs() - self.limits.lifetime_secs,
            _ => 0,
        };
        later(self.now.max(at_second(set_at)), self.limits.retention_secs).min(self.links[at].purge_at)
    }

    /// §13.3: what was due at a look at the clock, and a day has passed since then. Two links at a time, the longest due first. A clock
    /// that goes back makes the look before worthless.
    pub fn purge(&mut self) {
        for _ in 0..2 {
            let day = 24 * 60 * 60;
            let due_at = self.look.filter(|look| self.now >= later(*look, day));
            let due = |link: &&Link| due_at.is_some_and(|due_at| link.purge_at <= due_at);
            let first = self.links.iter().filter(due).map(|link| (link.purge_at, link.name)).min();
            match first {
                Some((_, name)) => self.links.retain(|link| link.name != name),
                None => {
                    let is_kept = self.look.is_some_and(|look| look <= self.now && self.now < later(look, day));
                    if !is_kept {
                        self.look = Some(self.now);
                    }
                    return;
                }
            }
        }
    }

    /// §13.2.
    fn issue(&mut self, owner: User, request_id: RequestId, got: &Outcome) -> Outcome {
        let now = self.now;
        let mut kept = self.links.iter().filter(|link| link.owner == owner);
        let line_link = if let Some(link) = kept.find(|link| link.request_id == request_id) {
            link.name
        } else if self.links_of(owner) >= self.limits.links {
            return Err(RequestError::TooManyLinks.into());
        } else {
            let Ok(Response { reply: Some(Event::LineLinkIssued { line_link: name, .. }), .. }) = got else {
                panic!("a link was due: {got:?}");
            };
            self.is_new(name.as_bytes());
            let expires = later(now, self.limits.lifetime_secs);
            let state = State::Open { expires, version: 0, admits: Admission::One };
            let purge_at = later(expires, self.limits.retention_secs);
            let (name, recognisable, given) = (*name, false, Vec::new());
            self.links.push(Link { name, owner, request_id, recognisable, state, purge_at, given });
            name
        };
        Ok(Response { reply: Some(Event::LineLinkIssued { request_id, line_link }), notify: [None; 2] })
    }

    /// §13.3, the table.
    fn connect(
        &mut self,
        by: User,
        line_link: LineLink,
        (request_id, proof): (RequestId, Option<Proof>),
        bytes: &[u8],
        got: &Outcome,
        news: Option<News>,
    ) -> Outcome {
        let (now, limits) = (self.now, self.limits);
        let refused =
            |reason| Ok(Response { reply: Some(Event::Refused { line_link, request_id, reason }), notify: [None; 2] });
        let Some(at) = self.links.iter().position(|link| link.name == line_link && now < link.purge_at) else {
            return refused(Reason::Unknown);
        };
        let (owner, link) = (self.links[at].owner, &self.links[at]);
        if owner == by {
            return refused(Reason::UsedByYou);
        }
        let of_this_link = (!link.recognisable).then_some(line_link);
        let given = link.given.iter().filter(|given| given.by == by && self.is_on_it(given.line_id));
        let before = given.clone().find(|given| given.request == bytes).map(|given| (given.line_id, given.user_sees));
        let (uses, before) = match &link.state {
            _ if before.is_some() => (0, before),
            State::Claimed { by: first, .. } if *first != by => return refused(Reason::UsedByAnother),
            State::Claimed { request, .. } if request != bytes => return refused(Reason::UsedByYou),
            State::Claimed { line_id, user_sees, .. } => (0, Some((*line_id, *user_sees))),
            State::Closed => return refused(Reason::Closed),
            State::Open { expires, .. } if now >= *expires => return refused(Reason::Expired),
            State::Open { admits: Admission::Nobody, .. } => return refused(Reason::Paused),
            State::Open { .. } => (given.count(), None),
        };
        if let Some((line_id, peer)) = before {
            let reply = Event::Connected { line_link, request_id, line_id, peer };
            return Ok(Response { reply: Some(reply), notify: [None; 2] });
        }
        let is_for_many = matches!(self.links[at].state, State::Open { admits: Admission::Many, .. });
        if is_for_many && uses >= limits.uses || [owner, by].iter().any(|user| self.lines_of(*user) >= limits.lines) {
            return Err(RequestError::TooManyLines.into());
        }
        let Some(News { line_id, owner_sees, user_sees }) = news else { panic!("a line was due: {got:?}") };
        self.is_new(line_id.as_bytes());
        self.sees((owner, by, None), owner_sees);
        self.sees((by, owner, of_this_link), user_sees);

        let formed = Event::LineFormed { line_link, line_id, peer: owner_sees, proof };
        let connected = Event::Connected { line_link, request_id, line_id, peer: user_sees };
        self.queues[usize::from(owner)].push(formed.to_vec());
        self.queues[usize::from(by)].push(connected.to_vec());
        self.lines.push(Line { name: line_id, ends: [(owner, true), (by, true)] });
        let until = self.kept_until(at);
        let link = &mut self.links[at];
        link.given.push(Given { by, request: bytes.to_vec(), line_id, user_sees });
        if let (State::Open { version, .. }, false) = (&link.state, is_for_many) {
            link.state = State::Claimed { by, request: bytes.to_vec(), line_id, user_sees, version: *version };
            link.purge_at = until;
        }
        Ok(Response { reply: None, notify: [Some(id(owner)), Some(id(by))] })
    }

    /// One mark for each viewer, and another for each other one.
    fn sees(&mut self, viewer: Viewer, mark: PeerMark) {
        for (other, of_other) in &self.marks {
            assert_eq!(*other == viewer, *of_other == mark, "one mark for each viewer: {viewer:?}, {other:?}");
        }
        if !self.marks.contains(&(viewer, mark)) {
            self.marks.push((viewer, mark));
        }
    }

    /// Whether anybody has not left this line.
    fn is_on_it(&self, line_id: LineId) -> bool {
        let line = self.lines.iter().find(|line| line.name == line_id);
        line.is_some_and(|line| line.ends.iter().any(|(_, is_here)| *is_here))
    }

    /// §13.4. Whether something was dropped for it.
    fn push(&mut self, line_id: LineId, from: User, to: User, payload: &[u8]) -> bool {
        let queue = &mut self.queues[usize::from(to)];
        queue.push(Event::Packet { line_id, payload }.to_vec());
        let mut dropped = false;
        loop {
            let packets = queue.iter().enumerate().filter_map(|(at, event)| match Event::decode(event) {
                Ok(Event::Packet { line_id: of, payload }) if of == line_id => Some((at, payload.len())),
                _ => None,
            });
            let (number, bytes) =
                packets.clone().fold((0, 0), |(number, bytes), (_, length)| (number + 1, bytes + length));
            let oldest = packets.map(|(at, _)| at).next();
            if number <= self.limits.packets && bytes <= self.limits.bytes {
                break;
            }
            queue.remove(oldest.expect("there are too many"));
            dropped = true;
        }
        if dropped {
            let notice = Event::Dropped { line_id }.to_vec();
            let queue = &mut self.queues[usize::from(from)];
            queue.retain(|event| *event != notice);
            queue.push(notice);
        }
        dropped
    }

    /// Whom to tell.
    fn leave(&mut self, line_id: LineId, by: User) -> Option<User> {
        let (true, (other, is_here)) = self.ends(line_id, by)? else { return None };
        let line = self.lines.iter_mut().find(|line| line.name == line_id)?;
        line.ends.iter_mut().filter(|(end, _)| *end == by).for_each(|(_, is_here)| *is_here = false);
        self.queues[usize::from(by)].retain(|event| line_of(event) != line_id);
        is_here.then(|| self.queues[usize::from(other)].push(Event::Disconnected { line_id }.to_vec()));
        is_here.then_some(other)
    }

    /// §13.5: the first `number` of them.
    pub fn acknowledge(&mut self, user: User, number: usize) {
        for event in self.queues[usize::from(user)].drain(..number).collect::<Vec<_>>() {
            if let Ok(Event::Disconnected { line_id }) = Event::decode(&event) {
                self.leave(line_id, user);
            }
        }
    }

    /// §13.8. Whom to tell, as often as a line of theirs was ended.
    pub fn remove(&mut self, user: User) -> Vec<User> {
        self.links.retain(|link| link.owner != user);
        let lines: Vec<_> = self.lines.iter().map(|line| line.name).collect();
        let told = lines.into_iter().filter_map(|line_id| self.leave(line_id, user)).collect();
        assert!(self.queues[usize::from(user)].is_empty());
        told
    }

    /// Lines that somebody has not left.
    pub fn lines(&self) -> usize {
        self.lines.iter().filter(|line| line.ends.iter().any(|(_, is_here)| *is_here)).count()
    }

    /// Links that were not deleted.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    pub fn link_names(&self) -> Vec<LineLink> {
        self.links.iter().map(|link| link.name).collect()
    }

    pub fn line_names(&self) -> Vec<LineId> {
        self.lines.iter().map(|line| line.name).collect()
    }

    /// Whether this user may know that there is such a line, or such a link.
    pub fn is_his(&self, user: User, request: &Request<'_>) -> bool {
        match request {
            Request::Packet { line_id, .. } | Request::Disconnect { line_id } => {
                self.ends(*line_id, user).is_some_and(|(is_here, _)| is_here)
            }
            Request::CloseLineLink { line_link } | Request::SetLineLink { line_link, .. } => {
                self.links.iter().any(|link| link.name == *line_link && link.owner == user)
            }
            _ => true,
        }
    }

    fn lines_of(&self, user: User) -> usize {
        self.lines.iter().filter(|line| line.ends.contains(&(user, true))).count()
    }

    /// If the user is an end of the line: whether it is still there; the other user, and whether that one is.
    fn ends(&self, name: LineId, user: User) -> Option<(bool, (User, bool))> {
        match self.lines.iter().find(|line| line.name == name)?.ends {
            [(one, is_here), other] | [other, (one, is_here)] if one == user => Some((is_here, other)),
            _ => None,
        }
    }

    fn is_new(&mut self, name: &[u8; 16]) {
        assert!(!self.names.contains(name), "one name twice");
        self.names.push(*name);
    }
}

/// So many seconds after 1970.
pub fn at_second(secs: u64) -> UnixSeconds {
    UnixSeconds::new(secs).expect("not later than 9999")
}

fn later(than: UnixSeconds, secs: u64) -> UnixSeconds {
    at_second(than.as_secs() + secs)
}

/// Every event that waits is of a line.
pub fn line_of(event: &[u8]) -> LineId {
    match Event::decode(event) {
        Ok(
            Event::LineFormed { line_id, .. }
            | Event::Connected { line_id, .. }
            | Event::Packet { line_id, .. }
            | Event::Dropped { line_id }
            | Event::Disconnected { line_id },
        ) => line_id,
        other => panic!("it can't wait: {other:?}"),
    }
}
