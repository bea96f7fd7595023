//! The rules of docs/relay.md (§13) in their plainest form: lists, searched from the front. A relay is compared with them.

use port_protocol::relay::{Limits, RelayError, RequestError, Response, UserId};
use port_protocol::{Admission, Event, LineId, LineLink, PairHash, Proof, Reason, Request, RequestId, UnixSeconds};

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
    burnt: Vec<LineLink>,
    pairs: Vec<([User; 2], PairHash)>,
}

struct Link {
    name: LineLink,
    owner: User,
    request_id: RequestId,
    state: State,
    purge_at: UnixSeconds,
    given: Vec<Given>,
}

/// A line of a link that admitted many.
struct Given {
    by: User,
    request: Vec<u8>,
    line_id: LineId,
    pair_hash: PairHash,
}

enum State {
    Open { expires: UnixSeconds, version: u64, admits: Admission },
    Claimed { by: User, request: Vec<u8>, line_id: LineId, pair_hash: PairHash },
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
        Self { limits, now, links: Vec::new(), lines: Vec::new(), queues, names, burnt: Vec::new(), pairs: Vec::new() }
    }

    /// What must come of a request. A name that is new is taken from what has come of it.
    pub fn ask(&mut self, from: User, bytes: &[u8], got: &Outcome) -> Outcome {
        let quiet = |reply| Ok(Response { reply, notify: [None; 2] });
        match Request::decode(bytes).map_err(RequestError::from)? {
            Request::IssueLineLink { request_id } => self.issue(from, request_id, got),
            Request::Connect { line_link, proof } => self.connect(from, line_link, proof, bytes, got),
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
                let purge_at = UnixSeconds(self.now.0 + self.limits.retention_secs);
                if let Some(link) = self.link(line_link)
                    && let (true, State::Open { .. }) = (link.owner == from, &link.state)
                {
                    (link.state, link.purge_at) = (State::Closed, purge_at);
                }
                quiet(None)
            }
            Request::SetLineLink { line_link, version: new, admits: next } => {
                let (now, limits) = (self.now, self.limits);
                if let Some(Link { owner, state: State::Open { expires, version, admits }, purge_at, .. }) =
                    self.link(line_link)
                    && (*owner, now < *expires, *version < new) == (from, true, true)
                {
                    (*version, *admits) = (new, next);
                    *expires = UnixSeconds(now.0 + limits.lifetime_secs);
                    *purge_at = UnixSeconds(expires.0 + limits.retention_secs);
                }
                quiet(None)
            }
            other => panic!("a request that these rules don't know: {other:?}"),
        }
    }

    /// §13.2.
    fn issue(&mut self, owner: User, request_id: RequestId, got: &Outcome) -> Outcome {
        let now = self.now;
        let mut kept = self.links.iter().filter(|link| link.owner == owner && now < link.purge_at);
        let line_link = if let Some(link) = kept.clone().find(|link| link.request_id == request_id) {
            link.name
        } else if kept.by_ref().count() >= self.limits.links {
            return Err(RequestError::TooManyLinks.into());
        } else {
            let Ok(Response { reply: Some(Event::LineLinkIssued { line_link: name, .. }), .. }) = got else {
                panic!("a link was due: {got:?}");
            };
            self.is_new(name.as_bytes());
            let expires = UnixSeconds(now.0 + self.limits.lifetime_secs);
            let state = State::Open { expires, version: 0, admits: Admission::One };
            let purge_at = UnixSeconds(expires.0 + self.limits.retention_secs);
            self.links.push(Link { name: *name, owner, request_id, state, purge_at, given: Vec::new() });
            *name
        };
        Ok(Response { reply: Some(Event::LineLinkIssued { request_id, line_link }), notify: [None; 2] })
    }

    /// §13.3, the table.
    fn connect(&mut self, by: User, line_link: LineLink, proof: Option<Proof>, bytes: &[u8], got: &Outcome) -> Outcome {
        let (now, limits) = (self.now, self.limits);
        let refused = |reason| Ok(Response { reply: Some(Event::Refused { line_link, reason }), notify: [None; 2] });
        let lines = |rules: &Self, line_id, by| rules.ends(line_id, by).is_some_and(|(is_here, _)| is_here);
        let Some(at) = self.links.iter().position(|link| link.name == line_link && now < link.purge_at) else {
            return refused(Reason::Unknown);
        };
        let (owner, link) = (self.links[at].owner, &self.links[at]);
        let mut given = link.given.iter().filter(|given| (given.by, &given.request[..]) == (by, bytes));
        if let Some(Given { line_id, pair_hash, .. }) = given.find(|given| lines(self, given.line_id, by)) {
            let reply = Event::LineFormed { line_link, line_id: *line_id, pair_hash: *pair_hash, proof: None };
            return Ok(Response { reply: Some(reply), notify: [None; 2] });
        }
        let admits = match &link.state {
            State::Claimed { by: first, .. } if *first != by => return refused(Reason::UsedByAnother),
            State::Claimed { request, .. } if request != bytes => return refused(Reason::UsedByYou),
            State::Claimed { line_id, pair_hash, .. } => {
                let (line_id, pair_hash) = (*line_id, *pair_hash);
                let reply = Some(Event::LineFormed { line_link, line_id, pair_hash, proof: None });
                return Ok(Response { reply, notify: [None; 2] });
            }
            State::Closed => return refused(Reason::Closed),
            State::Open { expires, .. } if now >= *expires => return refused(Reason::Expired),
            State::Open { .. } if owner == by => return refused(Reason::UsedByYou),
            State::Open { admits: Admission::Nobody, .. } => return refused(Reason::Paused),
            State::Open { admits, .. } => *admits,
        };
        let his = link.given.iter().filter(|given| given.by == by && lines(self, given.line_id, by));
        if admits == Admission::Many && his.count() >= limits.uses {
            return Err(RequestError::TooManyLines.into());
        }
        if [owner, by].iter().any(|user| self.lines_of(*user) >= limits.lines) {
            return Err(RequestError::TooManyLines.into());
        }
        let Ok(Response { reply: Some(Event::LineFormed { line_id: name, pair_hash, .. }), .. }) = got else {
            panic!("a line was due: {got:?}");
        };
        let (line_id, pair_hash) = (*name, *pair_hash);
        self.is_new(name.as_bytes());
        assert!(!self.burnt.contains(&line_link), "a line of a link that was burnt");
        let mut pair = [owner, by];
        pair.sort_unstable();
        for (other, hash) in &self.pairs {
            assert_eq!(*other == pair, *hash == pair_hash, "one pair_hash for each pair");
        }
        self.pairs.retain(|(other, _)| *other != pair);
        self.pairs.push((pair, pair_hash));

        self.queues[usize::from(owner)].push(Event::LineFormed { line_link, line_id, pair_hash, proof }.to_vec());
        self.lines.push(Line { name: line_id, ends: [(owner, true), (by, true)] });
        let reply = Event::LineFormed { line_link, line_id, pair_hash, proof: None };
        let (link, request) = (&mut self.links[at], bytes.to_vec());
        if admits == Admission::Many {
            link.given.push(Given { by, request, line_id, pair_hash });
        } else {
            link.state = State::Claimed { by, request, line_id, pair_hash };
            link.purge_at = UnixSeconds(now.0 + limits.retention_secs);
            self.burnt.push(line_link);
        }
        Ok(Response { reply: Some(reply), notify: [Some(id(owner)), None] })
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

    /// Links that are not to be forgotten yet.
    pub fn links(&self) -> usize {
        self.links.iter().filter(|link| self.now < link.purge_at).count()
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

    fn link(&mut self, name: LineLink) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.name == name && self.now < link.purge_at)
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

/// Every event that waits is of a line.
pub fn line_of(event: &[u8]) -> LineId {
    match Event::decode(event) {
        Ok(
            Event::LineFormed { line_id, .. }
            | Event::Packet { line_id, .. }
            | Event::Dropped { line_id }
            | Event::Disconnected { line_id },
        ) => line_id,
        other => panic!("it can't wait: {other:?}"),
    }
}
