//! The relay in a few hundred bytes: its directory is one link, one line between two users, and room for a few events.

use core::convert::Infallible;

use port_protocol::relay::{
    Claim, Claimed, Delivery, Directory, Issued, Limits, LinkEntry, LinkState, NewLink, Pushed, Relay, Setting, UserId,
};
use port_protocol::{Admission, Event, LineId, LineLink, Request, UnixSeconds};

use crate::{BUFFER, NOW};

pub const ALICE: [u8; 32] = [1; 32];
pub const BOB: [u8; 32] = [2; 32];

/// A relay, and what it draws names from.
pub struct RelayAddr {
    server: Relay<Table>,
    drawn: Counter,
}

impl RelayAddr {
    pub fn new() -> Self {
        let limits = Limits { links: 1, lines: 1, bytes: BUFFER, ..Limits::default() };
        Self { server: Relay::new(Table::default(), limits), drawn: Counter(0) }
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
        match self.server.handle(from.into(), request, &mut self.drawn, NOW).ok()?.reply {
            Some(event) => Some(event.encode_into(reply).ok()?),
            None => Some(&[]),
        }
    }

    /// The next event that waits for this user, and is then acknowledged.
    pub fn hear<'o>(&mut self, user: [u8; 32], event: &'o mut [u8]) -> Option<&'o [u8]> {
        let delivery = self.server.next(user.into(), 0).ok()??;
        let event = event.get_mut(..delivery.event.len())?;
        event.copy_from_slice(delivery.event);
        let sequence = delivery.sequence;
        self.server.acknowledge(user.into(), sequence).ok()?;
        Some(event)
    }

    /// Everybody leaves the service: nothing is left of them.
    pub fn close(mut self) -> Option<()> {
        for user in [ALICE, BOB] {
            self.server.remove(user.into(), |_| {}).ok()?;
        }
        let Table { link, line, waiting, .. } = self.server.directory();
        (link.is_none() && line.is_none() && waiting.iter().all(Option::is_none)).then_some(())
    }
}

/// In the place of a generator: here nobody guesses.
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
    link: Option<(NewLink, LinkState)>,
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

/// No room: whoever asked tries again when something was acknowledged.
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

    fn take(&mut self, is_taken: impl Fn(&Waiting) -> bool) {
        self.waiting.iter_mut().for_each(|place| *place = place.take().filter(|waiting| !is_taken(waiting)));
    }
}

impl Directory for Table {
    type Error = Full;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink, _: &Limits, now: UnixSeconds) -> Result<Issued, Full> {
        Ok(match &self.link {
            Some((before, _)) if now < before.forget => {
                let same = (before.owner, before.request_id) == (link.owner, link.request_id);
                if same { Issued::Link(before.line_link) } else { Issued::TooMany }
            }
            _ => {
                self.link =
                    Some((*link, LinkState::Open { expires: link.expires, version: 0, admits: Admission::One }));
                Issued::Link(link.line_link)
            }
        })
    }

    fn link(&self, line_link: LineLink) -> Result<Option<LinkEntry>, Full> {
        let link = self.link.as_ref().filter(|(link, _)| link.line_link == line_link);
        Ok(link.map(|(link, state)| LinkEntry { owner: link.owner, state: *state, forget: link.forget }))
    }

    fn claim(
        &mut self,
        line_link: LineLink,
        claim: &Claim,
        formed: &Event<'_>,
        forget: UnixSeconds,
        _: &Limits,
    ) -> Result<Claimed, Full> {
        let Some(LinkEntry { owner, state: LinkState::Open { .. }, .. }) = self.link(line_link)? else {
            return Ok(Claimed::Conflict);
        };
        if self.line.is_some() {
            return Ok(Claimed::TooMany);
        }
        self.put(owner, formed)?;
        self.line = Some((claim.line_id, [Some(owner), Some(claim.by)]));
        self.link = self.link.map(|(link, _)| (NewLink { forget, ..link }, LinkState::Claimed(*claim)));
        Ok(Claimed::Formed)
    }

    /// Its only link is for one.
    fn given(&self, _: LineLink, _: UserId, _: &[u8; 32]) -> Result<Option<LineId>, Full> {
        Ok(None)
    }

    fn admit(&mut self, line_link: LineLink, owner: UserId, setting: &Setting) -> Result<(), Full> {
        let Setting { version, admits, expires, forget } = *setting;
        if let Some((link, LinkState::Open { version: before, .. })) = self.link
            && (link.line_link, link.owner) == (line_link, owner)
            && before < version
            && admits != Admission::Many
        {
            self.link = Some((NewLink { forget, ..link }, LinkState::Open { expires, version, admits }));
        }
        Ok(())
    }

    fn close(&mut self, line_link: LineLink, owner: UserId, forget: UnixSeconds) -> Result<(), Full> {
        if let Some((link, state @ LinkState::Open { .. })) = &mut self.link
            && (link.line_link, link.owner) == (line_link, owner)
        {
            (link.forget, *state) = (forget, LinkState::Closed);
        }
        Ok(())
    }

    fn push(&mut self, line_id: LineId, from: UserId, payload: &[u8], _: &Limits) -> Result<Pushed, Full> {
        let at = match self.line {
            Some((id, [Some(one), Some(other)])) if id == line_id && one == from => other,
            Some((id, [Some(other), Some(one)])) if id == line_id && one == from => other,
            Some((id, [Some(one), None] | [None, Some(one)])) if id == line_id && one == from => {
                return Ok(Pushed::Left);
            }
            _ => return Ok(Pushed::NoLine),
        };
        // No packet makes room for another: there is room, or the sender is told so at once.
        self.put(at, &Event::Packet { line_id, payload })?;
        Ok(Pushed::Waits { at, dropped: false })
    }

    fn end(&mut self, line_id: LineId, by: UserId) -> Result<Option<UserId>, Full> {
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
        ended.map_or(Ok(()), |line_id| self.end(line_id, user).map(drop))
    }

    fn remove(&mut self, user: UserId, mut told: impl FnMut(UserId)) -> Result<(), Full> {
        if let Some((line_id, _)) = self.line {
            self.end(line_id, user)?.into_iter().for_each(&mut told);
        }
        self.link = self.link.filter(|(link, _)| link.owner != user);
        self.take(|waiting| waiting.at == user);
        Ok(())
    }

    fn forget(&mut self, now: UnixSeconds) -> Result<(), Full> {
        self.link = self.link.filter(|(link, _)| now < link.forget);
        Ok(())
    }
}
