//! A storage that lasts as long as its process.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::{fmt, mem};

use super::directory::Filled;
use super::{
    BatchLimit, Claim, Claimed, Connect, Decision, Delivery, Departure, Directory, Issued, LinkClosure, LinkEntry,
    LinkSet, LinkSetting, LinkState, NewLink, Packet, PurgeLook, Pushed, SetDecision, Use, UserId,
};
use crate::cbor::Versioned;
use crate::id::{LineId, LineLink, RequestId};
use crate::message::Event;
use crate::port::policy::Admission;
use crate::time::UnixSeconds;

/// A [`Directory`] in memory: for tests, for examples, and for relays whose users can do without their lines after a restart.
///
/// Its maps are trees, so no user can choose keys that make them slow. `cargo bench --bench relay` says what a link costs.
/// A clone is a copy of everything: a test's transaction that can be rolled back.
#[derive(Clone, Default)]
pub struct Memory {
    links: BTreeMap<LineLink, Row>,
    /// The links by when they are purged.
    due: BTreeSet<(UnixSeconds, LineLink)>,
    /// A line that both users have left is not here.
    lines: BTreeMap<LineId, Line>,
    users: BTreeMap<UserId, User>,
    /// What is kept of the requests that formed these lines.
    uses: BTreeMap<Request, Use>,
    /// The look before at the clock, for purging.
    look: Option<UnixSeconds>,
}

// A log must show no link, which could be used, and no event.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { links, due: _, lines, users, uses: _, look: _ } = self;
        write!(f, "Memory({} links, {} lines, {} users)", links.len(), lines.len(), users.len())
    }
}

/// Kept small, because there may be millions. Data of used or set links is boxed.
#[derive(Clone)]
struct Row {
    owner: UserId,
    request_id: RequestId,
    purge_at: UnixSeconds,
    state: State,
}

#[derive(Clone)]
enum State {
    /// The link was never set.
    Open {
        expires: UnixSeconds,
    },
    Set(Box<Set>),
    Claimed(Box<Used>),
    Closed,
}

/// The owner's last setting of a link.
#[derive(Clone)]
struct Set {
    version: u64,
    admits: Admission,
    recognisable: bool,
    expires: UnixSeconds,
}

/// The use of a link for one.
#[derive(Clone)]
struct Used {
    claim: Claim,
    version: u64,
    recognisable: bool,
}

/// The link, the user that connected to it, and the digest of what it sent.
type Request = (LineLink, UserId, [u8; 32]);

#[derive(Clone, Default)]
struct User {
    issued: BTreeMap<RequestId, LineLink>,
    /// How many of these links were not due to be purged when they were last counted, and until when none of those is.
    counted: (usize, UnixSeconds),
    lines: BTreeSet<LineId>,
    /// The events that wait, by their numbers.
    queue: BTreeMap<u64, Box<[u8]>>,
    /// The last number that an event of this queue was given.
    last: u64,
}

#[derive(Clone)]
struct Line {
    formed_by: Request,
    /// The end of a user that has left is `None`.
    ends: [Option<End>; 2],
}

/// One end of a line.
#[derive(Clone)]
struct End {
    user: UserId,
    /// The events of this line that wait in the user's queue.
    waiting: BTreeSet<u64>,
    /// How many of these are packets, and the bytes of their payloads.
    packets: usize,
    bytes: usize,
    /// The last event that said `Dropped`. If it still waits, the next one replaces it.
    dropped: Option<u64>,
}

/// An event is no longer than this and its payload, but for a `LineFormed`.
const HEADER: usize = 32;

/// How many links are purged for each that is issued: more than one, so that none are left over.
const PURGE_AT_ONCE: usize = 2;

impl Memory {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            links: BTreeMap::new(),
            due: BTreeSet::new(),
            lines: BTreeMap::new(),
            users: BTreeMap::new(),
            uses: BTreeMap::new(),
            look: None,
        }
    }

    /// The number of links: open, used or closed.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The number of lines.
    pub fn lines(&self) -> usize {
        self.lines.len()
    }

    /// The number of events that wait for a user.
    pub fn waiting(&self, user: UserId) -> usize {
        self.users.get(&user).map_or(0, |user| user.queue.len())
    }

    /// The lines that a user is on, for the kit.
    #[cfg(feature = "testkit")]
    pub(crate) fn lines_of(&self, user: UserId) -> impl Iterator<Item = LineId> {
        self.users.get(&user).into_iter().flat_map(|user| user.lines.iter().copied())
    }

    /// What there is of a link. A link whose [`purge_at`](LinkEntry::purge_at) has come may still be here.
    pub fn link(&self, line_link: LineLink) -> Option<LinkEntry> {
        let row = self.links.get(&line_link);
        row.map(|row| {
            let Row { owner, purge_at, ref state, .. } = *row;
            LinkEntry { owner, recognisable: state.is_recognisable(), purge_at, state: state.seen() }
        })
    }

    /// Changes a link's state together with the date on which it is purged.
    fn set(&mut self, line_link: LineLink, state: State, purge_at: UnixSeconds) {
        let Some(row) = self.links.get_mut(&line_link) else { return };
        self.due.remove(&(row.purge_at, line_link));
        self.due.insert((purge_at, line_link));
        (row.state, row.purge_at) = (state, purge_at);
        if let Some(owner) = self.users.get_mut(&row.owner) {
            owner.counted.1 = owner.counted.1.min(purge_at);
        }
    }

    fn purge_link(&mut self, line_link: LineLink) {
        let Some(Row { owner, request_id, purge_at, .. }) = self.links.remove(&line_link) else { return };
        self.due.remove(&(purge_at, line_link));
        if let Some(owner) = self.users.get_mut(&owner) {
            owner.issued.remove(&request_id);
            owner.counted = Default::default();
        }
    }

    /// Whether a user has as many links as this that are not due to be purged. A user that asks again and again is answered without
    /// another count, until one of its links is due or deleted.
    fn has_links(&mut self, owner: UserId, most: usize, now: UnixSeconds) -> bool {
        let Some(user) = self.users.get_mut(&owner) else { return most == 0 };
        let (count, until) = user.counted;
        if user.issued.len() < most || (count >= most && now < until) {
            return user.issued.len() >= most;
        }
        let dates = user.issued.values().filter_map(|link| Some(self.links.get(link)?.purge_at)).filter(|at| now < *at);
        user.counted = dates.fold((0, UnixSeconds::MAX), |(count, until), at| (count.saturating_add(1), until.min(at)));
        user.counted.0 >= most
    }
}

impl State {
    fn seen(&self) -> LinkState {
        match self {
            Self::Open { expires } => LinkState::Open { expires: *expires, version: 0, admits: Admission::One },
            Self::Set(set) => {
                let Set { version, admits, expires, .. } = **set;
                LinkState::Open { expires, version, admits }
            }
            Self::Claimed(used) => LinkState::Claimed { claim: used.claim, version: used.version },
            Self::Closed => LinkState::Closed,
        }
    }

    /// No new line is formed of a closed link, and the uses before keep what they need.
    const fn is_recognisable(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Closed => false,
            Self::Set(set) => set.recognisable,
            Self::Claimed(used) => used.recognisable,
        }
    }
}

impl User {
    fn put(&mut self, event: &Event<'_>) -> u64 {
        self.last = self.last.saturating_add(1);
        let payload = if let Event::Packet { payload, .. } = event { payload.len() } else { 0 };
        let mut bytes = Vec::with_capacity(payload.saturating_add(HEADER));
        // A vector takes everything.
        let _ = minicbor::encode(Versioned(event), &mut bytes);
        self.queue.insert(self.last, bytes.into_boxed_slice());
        self.last
    }
}

impl End {
    const fn of(user: UserId) -> Self {
        Self { user, waiting: BTreeSet::new(), packets: 0, bytes: 0, dropped: None }
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

    /// This event does not wait any more.
    fn taken(&mut self, sequence: u64, event: &Event<'_>) {
        self.waiting.remove(&sequence);
        if let Event::Packet { payload, .. } = event {
            self.packets = self.packets.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(payload.len());
        }
    }

    /// Takes the oldest packet away. At most a `LineFormed` and a `Dropped` wait before it.
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

/// The line of an event. Every event that waits in a queue has one.
const fn line_of(event: &Event<'_>) -> Option<LineId> {
    match event {
        Event::LineFormed { line_id, .. }
        | Event::Packet { line_id, .. }
        | Event::Dropped { line_id }
        | Event::Disconnected { line_id }
        | Event::Connected { line_id, .. } => Some(*line_id),
        Event::LineLinkIssued { .. } | Event::Refused { .. } | Event::LineLinkLost { .. } => None,
    }
}

impl Directory for Memory {
    type Error = Infallible;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Infallible> {
        let NewLink { line_link, owner, request_id, now, expires, purge_at, max_links } = *link;
        if let Some(before) = self.users.get(&owner).and_then(|user| user.issued.get(&request_id)) {
            return Ok(Issued::Link(*before));
        }
        if self.has_links(owner, max_links, now) {
            return Ok(Issued::TooMany);
        }
        if self.links.contains_key(&line_link) {
            return Ok(Issued::NameCollision);
        }
        self.users.entry(owner).or_default().issued.insert(request_id, line_link);
        self.due.insert((purge_at, line_link));
        let state = State::Open { expires };
        self.links.insert(line_link, Row { owner, request_id, purge_at, state });
        Ok(Issued::Link(line_link))
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Infallible> {
        let Connect { line_link, claim: Claim { by, request_digest, line_id }, max_lines, max_uses, .. } = *connect;
        let formed_by = (line_link, by, request_digest);
        let link = self.link(line_link);
        let before = self.uses.get(&formed_by).copied();
        let (line, claimed_until) = match connect.decide(link.as_ref(), before) {
            Decision::Form { line, claimed_until } => (line, claimed_until),
            Decision::Answer(claimed) => return Ok(claimed),
        };
        if self.lines.contains_key(&line_id) {
            return Ok(Claimed::Conflict);
        }
        let of_this_user = (line_link, by, [0; 32])..=(line_link, by, [0xff; 32]);
        if claimed_until.is_none() && self.uses.range(of_this_user).take(max_uses).count() >= max_uses {
            return Ok(Claimed::TooMany);
        }
        let owner = line.owner;
        let lines = |user| self.users.get(&user).map_or(0, |user| user.lines.len());
        if lines(owner) >= max_lines || lines(by) >= max_lines {
            return Ok(Claimed::TooMany);
        }
        let ends = [(owner, connect.line_formed(&line)), (by, connect.connected(&line))].map(|(user, event)| {
            let (mut end, queue) = (End::of(user), self.users.entry(user).or_default());
            queue.lines.insert(line_id);
            end.put(queue, &event);
            Some(end)
        });
        let recognisable = link.is_some_and(|link| link.recognisable);
        if let (Some(until), Some(LinkState::Open { version, .. })) = (claimed_until, link.map(|link| link.state)) {
            let used = Used { claim: connect.claim, version, recognisable };
            self.set(line_link, State::Claimed(Box::new(used)), until);
        }
        self.uses.insert(formed_by, Use { line_id, recognisable });
        self.lines.insert(line_id, Line { formed_by, ends });
        Ok(Claimed::Formed(line))
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Infallible> {
        let LinkSetting { line_link, owner, version, admits, recognisable, now, max_links, expires, purge_at } =
            *setting;
        let link = self.link(line_link);
        let is_due = link.is_some_and(|link| now >= link.purge_at);
        match setting.decide(link.as_ref()) {
            SetDecision::Set if is_due && self.has_links(owner, max_links, now) => {}
            SetDecision::Set => {
                let state = match version {
                    0 => State::Open { expires },
                    _ => State::Set(Box::new(Set { version, admits, recognisable, expires })),
                };
                self.set(line_link, state, purge_at);
            }
            SetDecision::Version => {
                if let Some(Row { state: State::Claimed(used), .. }) = self.links.get_mut(&line_link) {
                    used.version = version;
                }
            }
            SetDecision::Lost if self.waiting(owner) == 0 => return Ok(LinkSet::Lost),
            SetDecision::Lost | SetDecision::Keep => {}
        }
        Ok(LinkSet::Done)
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Infallible> {
        if let Some(until) = self.link(closure.line_link).and_then(|link| closure.decide(&link)) {
            self.set(closure.line_link, State::Closed, until);
        }
        Ok(())
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Infallible> {
        let Packet { line_id, from, payload, max_packets, max_bytes } = *packet;
        let (near, far) = match self.lines.get_mut(&line_id).map(|line| &mut line.ends) {
            Some([Some(near), Some(far)]) if near.user == from => (near, far),
            Some([Some(far), Some(near)]) if near.user == from => (near, far),
            Some(ends) if ends.iter().flatten().any(|end| end.user == from) => return Ok(Pushed::Left),
            _ => return Ok(Pushed::NoLine),
        };
        let Some(queue) = self.users.get_mut(&far.user) else { return Ok(Pushed::NoLine) };
        far.put(queue, &Event::Packet { line_id, payload });
        let mut dropped = false;
        while (far.packets > max_packets || far.bytes > max_bytes) && far.drop_oldest(queue).is_some() {
            dropped = true;
        }
        if let (true, Some(queue)) = (dropped, self.users.get_mut(&from)) {
            near.put(queue, &Event::Dropped { line_id });
        }
        Ok(Pushed::Queued { to: far.user, dropped })
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Infallible> {
        let Departure { line_id, by } = *departure;
        let Some(Line { formed_by, ends }) = self.lines.get_mut(&line_id) else { return Ok(None) };
        let near = ends.iter_mut().find(|end| is_of(end, by)).and_then(Option::take);
        let Some(near) = near else { return Ok(None) };
        let other = match ends.iter_mut().flatten().next() {
            Some(far) => {
                if let Some(queue) = self.users.get_mut(&far.user) {
                    far.put(queue, &Event::Disconnected { line_id });
                }
                Some(far.user)
            }
            None => {
                self.uses.remove(formed_by);
                self.lines.remove(&line_id);
                None
            }
        };
        if let Some(user) = self.users.get_mut(&by) {
            user.lines.remove(&line_id);
            near.waiting.iter().for_each(|sequence| drop(user.queue.remove(sequence)));
        }
        Ok(other)
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<&[u8]>>, Infallible> {
        let Some(after) = after.checked_add(1) else { return Ok(None) };
        let next = self.users.get(&user).and_then(|user| user.queue.range(after..).next());
        Ok(next.map(|(sequence, event)| Delivery { sequence: *sequence, event: &**event }))
    }

    fn next_batch(
        &self,
        user: UserId,
        after: u64,
        batch: BatchLimit,
        mut deliver: impl FnMut(Delivery<&[u8]>),
    ) -> Result<u64, Infallible> {
        let (mut last, mut filled) = (after, Filled::default());
        let waiting = after.checked_add(1).and_then(|first| Some(self.users.get(&user)?.queue.range(first..)));
        for (sequence, event) in waiting.into_iter().flatten().take_while(|(_, event)| filled.takes(event.len(), batch))
        {
            last = *sequence;
            deliver(Delivery { sequence: last, event });
        }
        Ok(last)
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
            let mut ends = self.lines.get_mut(&line_id).into_iter().flat_map(|line| line.ends.iter_mut().flatten());
            if let Some(end) = ends.find(|end| end.user == user) {
                end.taken(sequence, &event);
            }
            if let Event::Disconnected { .. } = event {
                // The other end has left before, so this notifies nobody.
                self.leave(&Departure { line_id, by: user })?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, user: UserId, mut notify: impl FnMut(UserId)) -> Result<(), Infallible> {
        let Some(lines) = self.users.get_mut(&user).map(|user| mem::take(&mut user.lines)) else { return Ok(()) };
        for line_id in lines {
            self.leave(&Departure { line_id, by: user })?.into_iter().for_each(&mut notify);
        }
        let issued = self.users.remove(&user).map(|user| user.issued).unwrap_or_default();
        issued.into_values().for_each(|line_link| self.purge_link(line_link));
        Ok(())
    }

    fn purge(&mut self, now: UnixSeconds) -> Result<(), Infallible> {
        let PurgeLook { due_at, next } = PurgeLook::at(now, self.look);
        for _ in 0..PURGE_AT_ONCE {
            let is_due = |(purge_at, _): &(UnixSeconds, _)| due_at.is_some_and(|due_at| *purge_at <= due_at);
            let Some((_, line_link)) = self.due.first().copied().filter(is_due) else {
                self.look = Some(next);
                break;
            };
            self.purge_link(line_link);
        }
        Ok(())
    }
}
