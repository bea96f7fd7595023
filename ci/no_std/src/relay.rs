//! The relay in a few hundred bytes: its storage is one link, one line between two users, and room for a few events.

use core::convert::Infallible;

use port_protocol::relay::{
    Claimed, Connect, Decision, Delivery, Departure, Directory, Issued, Limits, LinkClosure, LinkEntry, LinkSet,
    LinkSetting, LinkState, MarkKey, NewLink, Packet, PurgeLook, Pushed, Relay, SetDecision, UserId,
};
use port_protocol::{Admission, Event, LineId, LineLink, Request, UnixSeconds};

use crate::{BUFFER, NOW};

pub const ALICE: [u8; 32] = [1; 32];
pub const BOB: [u8; 32] = [2; 32];

/// A relay, and what it draws names from.
pub struct Post {
    relay: Relay<Table>,
    drawn: Counter,
}

impl Post {
    pub fn new() -> Self {
        let limits = Limits { links: 1, lines: 1, bytes: BUFFER, ..Limits::default() };
        Self { relay: Relay::new(Table::default(), limits, MarkKey::new([3; 32].into())), drawn: Counter(0) }
    }

    /// Takes a request, with `flip` done to its last byte on the way, and writes the reply: no bytes if there is none.
    pub fn ask<'o>(
        &mut self,
        from: [u8; 32],
        request: &Request<'_>,
        flip: u8,
        reply: &'o mut [u8],
    ) -> Option<&'o [u8]> {
        let mut wire = [0; BUFFER];
        let request = request.encode_into(&mut wire).ok()?;
        *request.last_mut()? ^= flip;
        match self.relay.handle(from.into(), request, &mut self.drawn, NOW).ok()?.reply {
            Some(event) => Some(event.encode_into(reply).ok()?),
            None => Some(&[]),
        }
    }

    /// The next event that waits for this user, and is then acknowledged.
    pub fn hear<'o>(&mut self, user: [u8; 32], event: &'o mut [u8]) -> Option<&'o [u8]> {
        let delivery = self.relay.next(user.into(), 0).ok()??;
        let event = event.get_mut(..delivery.event.len())?;
        event.copy_from_slice(delivery.event);
        let sequence = delivery.sequence;
        self.relay.acknowledge(user.into(), sequence).ok()?;
        Some(event)
    }

    /// Everybody leaves the service: nothing is left of them.
    pub fn close(mut self) -> Option<()> {
        for user in [ALICE, BOB] {
            self.relay.remove(user.into(), |_| {}).ok()?;
        }
        let Table { link, line, waiting, .. } = self.relay.directory();
        (link.is_none() && line.is_none() && waiting.iter().all(Option::is_none)).then_some(())
    }
}

/// It stands in for a generator: here nobody guesses names.
pub struct Counter(pub u8);

impl rand_core::TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0 = self.0.wrapping_add(1);
        Ok(self.0.into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.try_next_u32().map(u64::from)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 = self.0.wrapping_add(1);
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}

#[derive(Default)]
struct Table {
    /// The link as it was issued, and what became of it.
    link: Option<(NewLink, LinkEntry)>,
    /// An end that has left is `None`.
    line: Option<(LineId, [Option<UserId>; 2])>,
    /// In no order, for both users.
    waiting: [Option<Waiting>; 8],
    /// The last number given.
    last: u64,
    /// The look before at the clock, for purging.
    look: Option<UnixSeconds>,
}

struct Waiting {
    at: UserId,
    sequence: u64,
    length: usize,
    event: [u8; BUFFER],
}

/// There is no room. The user repeats its request when something was acknowledged.
#[derive(Debug)]
struct Full;

impl Table {
    fn put(&mut self, at: UserId, event: &Event<'_>) -> Result<(), Full> {
        let free = self.waiting.iter_mut().find(|place| place.is_none()).ok_or(Full)?;
        let mut bytes = [0; BUFFER];
        let length = event.encode_into(&mut bytes).map_err(|_| Full)?.len();
        self.last = self.last.saturating_add(1);
        *free = Some(Waiting { at, sequence: self.last, length, event: bytes });
        Ok(())
    }

    fn link(&mut self, line_link: LineLink) -> Option<&mut LinkEntry> {
        self.link.as_mut().filter(|(link, _)| link.line_link == line_link).map(|(_, entry)| entry)
    }

    fn take(&mut self, is_taken: impl Fn(&Waiting) -> bool) {
        self.waiting.iter_mut().for_each(|place| *place = place.take().filter(|waiting| !is_taken(waiting)));
    }
}

impl Directory for Table {
    type Error = Full;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Full> {
        // There is room for one, and only a purge makes it.
        Ok(match self.link {
            Some((before, _)) if (before.owner, before.request_id) == (link.owner, link.request_id) => {
                Issued::Link(before.line_link)
            }
            Some(_) => Issued::TooMany,
            None => {
                let NewLink { owner, expires, purge_at, .. } = *link;
                let state = LinkState::Open { expires, version: 0, admits: Admission::One };
                self.link = Some((*link, LinkEntry { owner, recognisable: false, state, purge_at }));
                Issued::Link(link.line_link)
            }
        })
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Full> {
        // The only link never admits many, so the request that has formed a line of it is the one that has claimed it.
        let (line, until) = match connect.decide(self.link(connect.line_link).as_deref(), None) {
            Decision::Form { line, claimed_until } => (line, claimed_until),
            Decision::Answer(claimed) => return Ok(claimed),
        };
        if self.line.is_some() {
            return Ok(Claimed::TooMany);
        }
        if self.waiting.iter().filter(|place| place.is_none()).count() < 2 {
            return Err(Full);
        }
        let by = connect.claim.by;
        self.put(line.owner, &connect.line_formed(&line))?;
        self.put(by, &connect.connected(&line))?;
        self.line = Some((line.line_id, [Some(line.owner), Some(by)]));
        if let (Some(until), Some(link)) = (until, self.link(connect.line_link)) {
            let version = if let LinkState::Open { version, .. } = link.state { version } else { 0 };
            (link.state, link.purge_at) = (LinkState::Claimed { claim: connect.claim, version }, until);
        }
        Ok(Claimed::Formed(line))
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Full> {
        let LinkSetting { line_link, owner, version, admits, recognisable, expires, purge_at, .. } = *setting;
        let decision = setting.decide(self.link(line_link).as_deref());
        let nothing_waits = !self.waiting.iter().flatten().any(|waiting| waiting.at == owner);
        match (decision, self.link(line_link)) {
            // The only link counts as the owner's only one, so there is room for it.
            (SetDecision::Set, Some(link)) if admits != Admission::Many => {
                let state = LinkState::Open { expires, version, admits };
                *link = LinkEntry { recognisable, state, purge_at, ..*link };
            }
            (SetDecision::Version, Some(LinkEntry { state: LinkState::Claimed { version: before, .. }, .. })) => {
                *before = version;
            }
            (SetDecision::Lost, _) if nothing_waits => return Ok(LinkSet::Lost),
            _ => {}
        }
        Ok(LinkSet::Done)
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Full> {
        if let Some(link) = self.link(closure.line_link)
            && let Some(until) = closure.decide(link)
        {
            (link.state, link.purge_at) = (LinkState::Closed, until);
        }
        Ok(())
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Full> {
        let Packet { line_id, from, payload, .. } = *packet;
        let to = match self.line {
            Some((id, [Some(one), Some(other)])) if id == line_id && one == from => other,
            Some((id, [Some(other), Some(one)])) if id == line_id && one == from => other,
            Some((id, [Some(one), None] | [None, Some(one)])) if id == line_id && one == from => {
                return Ok(Pushed::Left);
            }
            _ => return Ok(Pushed::NoLine),
        };
        // No packet pushes out another: there is room, or the sender is told at once that there is none.
        self.put(to, &Event::Packet { line_id, payload })?;
        Ok(Pushed::Queued { to, dropped: false })
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Full> {
        let Departure { line_id, by } = *departure;
        let Some((id, ends)) = self.line.filter(|(id, ends)| *id == line_id && ends.contains(&Some(by))) else {
            return Ok(None);
        };
        let other = ends.into_iter().flatten().find(|end| *end != by);
        self.take(|waiting| waiting.at == by);
        if let Some(other) = other {
            self.put(other, &Event::Disconnected { line_id })?;
        }
        self.line = other.map(|_| (id, ends.map(|end| end.filter(|end| *end != by))));
        Ok(other)
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<&[u8]>>, Full> {
        let of_user = self.waiting.iter().flatten().filter(|waiting| waiting.at == user && waiting.sequence > after);
        let next = of_user.min_by_key(|waiting| waiting.sequence);
        Ok(next.and_then(|next| Some(Delivery { sequence: next.sequence, event: next.event.get(..next.length)? })))
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Full> {
        if upto > self.last {
            return Ok(());
        }
        let is_taken = |waiting: &Waiting| waiting.at == user && waiting.sequence <= upto;
        let ended = self.waiting.iter().flatten().filter(|waiting| is_taken(waiting)).find_map(|waiting| {
            match Event::decode(waiting.event.get(..waiting.length)?) {
                Ok(Event::Disconnected { line_id }) => Some(line_id),
                _ => None,
            }
        });
        self.take(is_taken);
        ended.map_or(Ok(()), |line_id| self.leave(&Departure { line_id, by: user }).map(drop))
    }

    fn remove(&mut self, user: UserId, mut notify: impl FnMut(UserId)) -> Result<(), Full> {
        if let Some((line_id, _)) = self.line {
            self.leave(&Departure { line_id, by: user })?.into_iter().for_each(&mut notify);
        }
        self.link = self.link.filter(|(link, _)| link.owner != user);
        self.take(|waiting| waiting.at == user);
        Ok(())
    }

    fn purge(&mut self, now: UnixSeconds) -> Result<(), Full> {
        let PurgeLook { due_at, next } = PurgeLook::at(now, self.look);
        self.link = self.link.filter(|(_, entry)| due_at.is_none_or(|due_at| entry.purge_at > due_at));
        self.look = Some(next);
        Ok(())
    }
}
