//! A directory that lasts as long as its process.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::{fmt, mem};

use super::directory::{Claim, Claimed, Delivery, Directory, Issued, LinkEntry, LinkState, NewLink, Pushed, Setting};
use super::{Limits, UserId};
use crate::id::{LineId, LineLink, RequestId};
use crate::message::Event;
use crate::port::policy::Admission;
use crate::time::UnixSeconds;

/// A [`Directory`] in memory, for tests, examples, and relays whose users can do without their lines after a restart.
///
/// Its maps are trees: no user can choose keys that make them slow. `cargo bench --bench server` says what a link costs.
#[derive(Default)]
pub struct Memory {
    links: BTreeMap<LineLink, Row>,
    /// The links by when they are to be forgotten.
    due: BTreeSet<(UnixSeconds, LineLink)>,
    /// An end that has left is `None`. A line that both have left is gone.
    lines: BTreeMap<LineId, [Option<End>; 2]>,
    users: BTreeMap<UserId, User>,
    /// The lines of links that admitted many, by who asked and how: until he leaves.
    given: BTreeMap<Given, LineId>,
}

// Whoever reads a log learns no link that he could use, and no event.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, due: _, lines, users, given: _ } = self;
        write!(f, "Memory({} links, {} lines, {} users)", links.len(), lines.len(), users.len())
    }
}

/// A million of these are to be had: what only a link has that was used or set lies elsewhere.
struct Row {
    owner: UserId,
    request_id: RequestId,
    forget: UnixSeconds,
    state: State,
}

enum State {
    /// As it was issued.
    Open {
        expires: UnixSeconds,
    },
    Set(Box<Setting>),
    Claimed(Box<Claim>),
    Closed,
}

/// The link, who used it, by which request.
type Given = (LineLink, UserId, [u8; 32]);

#[derive(Default)]
struct User {
    issued: BTreeMap<RequestId, LineLink>,
    /// None of these is to be forgotten before.
    due: UnixSeconds,
    lines: BTreeSet<LineId>,
    /// The events that wait, by their numbers.
    queue: BTreeMap<u64, Box<[u8]>>,
    /// The last number given.
    last: u64,
}

/// One end of a line.
struct End {
    user: UserId,
    /// What waits in the user's queue of this line.
    waiting: BTreeSet<u64>,
    /// How many of these are packets, and the bytes of their payloads.
    packets: usize,
    bytes: usize,
    /// The last that said `Dropped`; if it still waits, the next takes its place.
    dropped: Option<u64>,
    /// What it is `given` by.
    given: Option<Box<Given>>,
}

/// How many links are forgotten for each that is issued: more than one, so that none are left over.
const FORGET_AT_ONCE: usize = 2;

impl Memory {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            due: BTreeSet::new(),
            lines: BTreeMap::new(),
            users: BTreeMap::new(),
            given: BTreeMap::new(),
        }
    }

    /// How many links there are: open, used or closed.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// How many events wait for a user.
    pub fn waiting(&self, user: UserId) -> usize {
        self.users.get(&user).map_or(0, |user| user.queue.len())
    }

    /// The link's state and its date, moved together.
    fn set(&mut self, line_link: LineLink, state: State, forget: UnixSeconds) {
        let Some(row) = self.links.get_mut(&line_link) else { return };
        self.due.remove(&(row.forget, line_link));
        self.due.insert((forget, line_link));
        (row.state, row.forget) = (state, forget);
        if let Some(owner) = self.users.get_mut(&row.owner) {
            owner.due = owner.due.min(forget);
        }
    }

    fn forget_link(&mut self, line_link: LineLink) {
        let Some(Row { owner, request_id, forget, .. }) = self.links.remove(&line_link) else { return };
        self.due.remove(&(forget, line_link));
        if let Some(owner) = self.users.get_mut(&owner) {
            owner.issued.remove(&request_id);
        }
    }

    /// Forgets this user's links that are due. It looks at them only if one may be: each costs at most one look at them all.
    fn forget_due(&mut self, owner: UserId, now: UnixSeconds) {
        let Some(user) = self.users.get(&owner).filter(|user| user.due <= now) else { return };
        let dated = user.issued.values().filter_map(|link| Some((self.links.get(link)?.forget, *link)));
        let (due, kept): (Vec<_>, Vec<_>) = dated.partition(|(forget, _)| *forget <= now);
        due.iter().for_each(|(_, line_link)| self.forget_link(*line_link));
        if let Some(user) = self.users.get_mut(&owner) {
            user.due = kept.iter().map(|(forget, _)| *forget).min().unwrap_or(UnixSeconds(u64::MAX));
        }
    }

    /// Takes a user off a line, with what waits for him of it, and says who is at the other end.
    fn leave(&mut self, line_id: LineId, by: UserId) -> Option<UserId> {
        let ends = self.lines.get_mut(&line_id)?;
        let end = ends.iter_mut().find(|end| is_of(end, by))?.take()?;
        let other = ends.iter().flatten().next().map(|end| end.user);
        if other.is_none() {
            self.lines.remove(&line_id);
        }
        if let Some(given) = &end.given {
            self.given.remove(given);
        }
        let user = self.users.get_mut(&by)?;
        user.lines.remove(&line_id);
        end.waiting.iter().for_each(|sequence| drop(user.queue.remove(sequence)));
        other
    }
}

impl State {
    fn seen(&self) -> LinkState {
        match self {
            Self::Open { expires } => LinkState::Open { expires: *expires, version: 0, admits: Admission::One },
            Self::Set(setting) => {
                let Setting { version, admits, expires, forget: _ } = **setting;
                LinkState::Open { expires, version, admits }
            }
            Self::Claimed(claim) => LinkState::Claimed(**claim),
            Self::Closed => LinkState::Closed,
        }
    }
}

impl User {
    fn put(&mut self, event: &Event<'_>) -> u64 {
        self.last = self.last.saturating_add(1);
        self.queue.insert(self.last, event.to_vec().into_boxed_slice());
        self.last
    }
}

impl End {
    const fn of(user: UserId) -> Self {
        Self { user, waiting: BTreeSet::new(), packets: 0, bytes: 0, dropped: None, given: None }
    }

    fn put(&mut self, queue: &mut User, event: &Event<'_>) {
        let sequence = queue.put(event);
        self.waiting.insert(sequence);
        match event {
            Event::Packet { payload, .. } => {
                self.packets = self.packets.saturating_add(1);
                self.bytes = self.bytes.saturating_add(payload.len());
            }
            Event::Dropped { .. } => {
                if let Some(before) = self.dropped.replace(sequence) {
                    self.waiting.remove(&before);
                    queue.queue.remove(&before);
                }
            }
            _ => {}
        }
    }

    /// It does not wait any more.
    fn taken(&mut self, sequence: u64, event: &Event<'_>) {
        self.waiting.remove(&sequence);
        if let Event::Packet { payload, .. } = event {
            self.packets = self.packets.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(payload.len());
        }
    }

    /// Takes the oldest packet away. Before it there are at most a `LineFormed` and a `Dropped`.
    fn drop_oldest(&mut self, queue: &mut User) -> Option<()> {
        let is_packet = |event: &[u8]| matches!(Event::decode(event), Ok(Event::Packet { .. }));
        let oldest =
            *self.waiting.iter().find(|sequence| queue.queue.get(sequence).is_some_and(|event| is_packet(event)))?;
        let event = queue.queue.remove(&oldest)?;
        self.taken(oldest, &Event::decode(&event).ok()?);
        Some(())
    }
}

fn is_of(end: &Option<End>, user: UserId) -> bool {
    end.as_ref().is_some_and(|end| end.user == user)
}

/// Every event that waits in a queue is of a line.
const fn line_of(event: &Event<'_>) -> Option<LineId> {
    match event {
        Event::LineFormed { line_id, .. }
        | Event::Packet { line_id, .. }
        | Event::Dropped { line_id }
        | Event::Disconnected { line_id } => Some(*line_id),
        Event::LineLinkIssued { .. } | Event::Refused { .. } => None,
    }
}

impl Directory for Memory {
    type Error = Infallible;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink, limits: &Limits, now: UnixSeconds) -> Result<Issued, Infallible> {
        let NewLink { line_link, owner, request_id, expires, forget } = *link;
        self.forget_due(owner, now);
        let user = self.users.entry(owner).or_default();
        Ok(if let Some(before) = user.issued.get(&request_id) {
            Issued::Link(*before)
        } else if user.issued.len() >= limits.links {
            Issued::TooMany
        } else if self.links.contains_key(&line_link) {
            Issued::NameCollision
        } else {
            user.issued.insert(request_id, line_link);
            user.due = user.due.min(forget);
            self.due.insert((forget, line_link));
            self.links.insert(line_link, Row { owner, request_id, forget, state: State::Open { expires } });
            Issued::Link(line_link)
        })
    }

    fn link(&self, line_link: LineLink) -> Result<Option<LinkEntry>, Infallible> {
        let row = self.links.get(&line_link);
        Ok(row.map(|row| LinkEntry { owner: row.owner, forget: row.forget, state: row.state.seen() }))
    }

    fn claim(
        &mut self,
        line_link: LineLink,
        claim: &Claim,
        formed: &Event<'_>,
        forget: UnixSeconds,
        limits: &Limits,
    ) -> Result<Claimed, Infallible> {
        let Some(link) = self.link(line_link)? else { return Ok(Claimed::Conflict) };
        let burns = match link.state {
            LinkState::Open { admits: Admission::One, .. } => true,
            LinkState::Open { admits: Admission::Many, .. } => false,
            _ => return Ok(Claimed::Conflict),
        };
        let (owner, by, line_id) = (link.owner, claim.by, claim.line_id);
        let given = (line_link, by, claim.request);
        if self.lines.contains_key(&line_id) || self.given.contains_key(&given) {
            return Ok(Claimed::Conflict);
        }
        let uses = self.given.range((line_link, by, [0; 32])..=(line_link, by, [0xff; 32]));
        if !burns && uses.take(limits.uses).count() >= limits.uses {
            return Ok(Claimed::TooMany);
        }
        let lines = |user| self.users.get(&user).map_or(0, |user| user.lines.len());
        if lines(owner) >= limits.lines || lines(by) >= limits.lines {
            return Ok(Claimed::TooMany);
        }
        for user in [owner, by] {
            self.users.entry(user).or_default().lines.insert(line_id);
        }
        let mut alice = End::of(owner);
        alice.put(self.users.entry(owner).or_default(), formed);
        let mut bob = End::of(by);
        if burns {
            self.set(line_link, State::Claimed(Box::new(*claim)), forget);
        } else {
            self.given.insert(given, line_id);
            bob.given = Some(Box::new(given));
        }
        self.lines.insert(line_id, [Some(alice), Some(bob)]);
        Ok(Claimed::Formed)
    }

    fn given(&self, line_link: LineLink, by: UserId, request: &[u8; 32]) -> Result<Option<LineId>, Infallible> {
        Ok(self.given.get(&(line_link, by, *request)).copied())
    }

    fn admit(&mut self, line_link: LineLink, owner: UserId, setting: &Setting) -> Result<(), Infallible> {
        match self.link(line_link)? {
            Some(LinkEntry { owner: of, state: LinkState::Open { version, .. }, .. })
                if of == owner && version < setting.version =>
            {
                self.set(line_link, State::Set(Box::new(*setting)), setting.forget);
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, line_link: LineLink, owner: UserId, forget: UnixSeconds) -> Result<(), Infallible> {
        let row = self.links.get(&line_link);
        if row.is_some_and(|row| row.owner == owner && matches!(row.state, State::Open { .. } | State::Set(_))) {
            self.set(line_link, State::Closed, forget);
        }
        Ok(())
    }

    fn push(&mut self, line_id: LineId, from: UserId, payload: &[u8], limits: &Limits) -> Result<Pushed, Infallible> {
        let (near, far) = match self.lines.get_mut(&line_id) {
            Some([Some(near), Some(far)]) if near.user == from => (near, far),
            Some([Some(far), Some(near)]) if near.user == from => (near, far),
            Some(ends) if ends.iter().flatten().any(|end| end.user == from) => return Ok(Pushed::Left),
            _ => return Ok(Pushed::NoLine),
        };
        let Some(queue) = self.users.get_mut(&far.user) else { return Ok(Pushed::NoLine) };
        far.put(queue, &Event::Packet { line_id, payload });
        let mut dropped = false;
        while (far.packets > limits.packets || far.bytes > limits.bytes) && far.drop_oldest(queue).is_some() {
            dropped = true;
        }
        if let (true, Some(queue)) = (dropped, self.users.get_mut(&from)) {
            near.put(queue, &Event::Dropped { line_id });
        }
        Ok(Pushed::Waits { at: far.user, dropped })
    }

    fn end(&mut self, line_id: LineId, by: UserId) -> Result<Option<UserId>, Infallible> {
        let Some(other) = self.leave(line_id, by) else { return Ok(None) };
        let end = self.lines.get_mut(&line_id).into_iter().flatten().flatten().next();
        if let (Some(end), Some(queue)) = (end, self.users.get_mut(&other)) {
            end.put(queue, &Event::Disconnected { line_id });
        }
        Ok(Some(other))
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<&[u8]>>, Infallible> {
        let Some(after) = after.checked_add(1) else { return Ok(None) };
        let next = self.users.get(&user).and_then(|user| user.queue.range(after..).next());
        Ok(next.map(|(sequence, event)| Delivery { sequence: *sequence, event: &**event }))
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Infallible> {
        if self.users.get(&user).is_none_or(|user| user.last < upto) {
            return Ok(());
        }
        while let Some(first) = self.users.get_mut(&user).and_then(|user| user.queue.first_entry())
            && *first.key() <= upto
        {
            let (sequence, event) = first.remove_entry();
            let Ok(event) = Event::decode(&event) else { continue };
            let Some(line_id) = line_of(&event) else { continue };
            let mut ends = self.lines.get_mut(&line_id).into_iter().flatten().flatten();
            if let Some(end) = ends.find(|end| end.user == user) {
                end.taken(sequence, &event);
            }
            if let Event::Disconnected { .. } = event {
                self.leave(line_id, user);
            }
        }
        Ok(())
    }

    fn remove(&mut self, user: UserId, mut told: impl FnMut(UserId)) -> Result<(), Infallible> {
        let Some(lines) = self.users.get_mut(&user).map(|user| mem::take(&mut user.lines)) else { return Ok(()) };
        for line_id in lines {
            self.end(line_id, user)?.into_iter().for_each(&mut told);
        }
        let issued = self.users.remove(&user).map(|user| user.issued).unwrap_or_default();
        issued.into_values().for_each(|line_link| self.forget_link(line_link));
        Ok(())
    }

    fn forget(&mut self, now: UnixSeconds) -> Result<(), Infallible> {
        for _ in 0..FORGET_AT_ONCE {
            let Some((_, line_link)) = self.due.first().copied().filter(|(forget, _)| *forget <= now) else { break };
            self.forget_link(line_link);
        }
        Ok(())
    }
}
