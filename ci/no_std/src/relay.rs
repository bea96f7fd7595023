//! The relay in a few hundred bytes: its storage is one link, one line between two users, and room for a few events.

use core::convert::Infallible;

use port_protocol::relay::{
    Claimed, Connect, Decision, Delivery, Departure, Directory, Issued, Limits, LinkClosure, LinkEntry, LinkSetting,
    LinkState, NewLink, Packet, Pushed, Relay, UserId,
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
        Self { relay: Relay::new(Table::default(), limits), drawn: Counter(0) }
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
        let before = self.link.filter(|(_, entry)| link.now < entry.purge_at);
        Ok(match before {
            Some((before, _)) if (before.owner, before.request_id) == (link.owner, link.request_id) => {
                Issued::Link(before.line_link)
            }
            Some(_) => Issued::TooMany,
            None => {
                let NewLink { owner, expires, purge_at, .. } = *link;
                let state = LinkState::Open { expires, version: 0, admits: Admission::One };
                self.link = Some((*link, LinkEntry { owner, state, purge_at }));
                Issued::Link(link.line_link)
            }
        })
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Full> {
        // The only link never admits many, so no request has formed a line of such a link.
        let line = match connect.decide(self.link(connect.line_link).as_deref(), None) {
            Decision::Form { line, .. } => line,
            Decision::Answer(claimed) => return Ok(claimed),
        };
        if self.line.is_some() {
            return Ok(Claimed::TooMany);
        }
        self.put(line.owner, &connect.event(&line))?;
        self.line = Some((line.line_id, [Some(line.owner), Some(connect.claim.by)]));
        if let Some(link) = self.link(connect.line_link) {
            (link.state, link.purge_at) = (LinkState::Claimed(connect.claim), connect.purge_at);
        }
        Ok(Claimed::Formed(line))
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<(), Full> {
        let LinkSetting { line_link, version, admits, expires, purge_at, .. } = *setting;
        if let Some(link) = self.link(line_link).filter(|link| setting.applies_to(link))
            && admits != Admission::Many
        {
            (link.state, link.purge_at) = (LinkState::Open { expires, version, admits }, purge_at);
        }
        Ok(())
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Full> {
        if let Some(link) = self.link(closure.line_link).filter(|link| closure.applies_to(link)) {
            (link.state, link.purge_at) = (LinkState::Closed, closure.purge_at);
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
        self.link = self.link.filter(|(_, entry)| now < entry.purge_at);
        Ok(())
    }
}
