//! The relay: the crate's own relay (§13), the connections of its users, and what it learns for its lies.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::Rng;
use sha2::{Digest, Sha256};

use crate::relay::{Delivery, Limits, Memory, Relay, Response, UserId};
use crate::{Event, LineId, LineLink, PairHash, Payload, Proof, Request, RequestId, UnixSeconds};

/// An event on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// The client it is for.
    pub to: usize,
    /// The event's bytes.
    pub event: Vec<u8>,
    /// Where it waits until it is acknowledged (§13.5). A reply waits nowhere, and nor does a lie.
    pub(super) number: Option<u64>,
}

impl Parcel {
    pub(super) fn new(to: usize, event: &Event<'_>) -> Self {
        Self { to, event: event.to_vec(), number: None }
    }
}

/// An honest relay, and beside it what a hostile one can tell its users apart from that.
#[derive(Debug)]
pub(super) struct HostileRelay {
    relay: Relay<Memory>,
    rng: ChaCha8Rng,
    users: Vec<User>,
    /// The links that were issued, in order.
    pub(super) links: Vec<Link>,
    /// The lines that were formed, in order.
    pub(super) lines: Vec<Formed>,
    /// Lines that it told of and that the relay does not know. What is sent along one is brought to the other end of the line
    /// that it stands for, under that one's name; or nowhere.
    made_up: BTreeMap<LineId, Option<Formed>>,
}

#[derive(Debug)]
struct User {
    id: UserId,
    /// The last number that was sent to him on this connection.
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) owner: usize,
    pub(super) request_id: RequestId,
    pub(super) line_link: LineLink,
}

#[derive(Clone, Debug)]
pub(super) struct Formed {
    pub(super) line_link: LineLink,
    pub(super) line_id: LineId,
    pub(super) pair_hash: PairHash,
    /// The owner of the link, and who used it.
    pub(super) users: [usize; 2],
    /// On board or along the line, as soon as it was seen.
    pub(super) proof: Option<Proof>,
}

impl HostileRelay {
    pub(super) fn new(users: usize, limits: Limits, rng: ChaCha8Rng) -> Self {
        let id = |who: usize| UserId::from(<[u8; 32]>::from(Sha256::digest((who as u64).to_be_bytes())));
        Self {
            relay: Relay::new(Memory::new(), limits),
            rng,
            users: (0..users).map(|who| User { id: id(who), sent: 0 }).collect(),
            links: Vec::new(),
            lines: Vec::new(),
            made_up: BTreeMap::new(),
        }
    }

    /// One request, and what is sent because of it. The only place where one turns into the other.
    pub(super) fn take(&mut self, from: usize, bytes: &[u8], now: UnixSeconds) -> Vec<Parcel> {
        if let Some(parcels) = self.along_a_lie(from, bytes) {
            return parcels;
        }
        let Some(User { id, .. }) = self.users.get(from) else { return vec![] };
        // A transport would tell the client why. This one is silent, and the client's machine keeps the request.
        let Ok(response) = self.relay.handle(*id, bytes, &mut self.rng, now) else { return vec![] };
        self.learn(from, bytes, &response);
        let mut parcels = vec![];
        for id in response.notify.iter().flatten() {
            parcels.extend(self.who(*id).map(|who| self.send(who)).unwrap_or_default());
        }
        parcels.extend(response.reply.map(|reply| Parcel::new(from, &reply)));
        parcels
    }

    /// The connection of this user comes back: whatever he has not acknowledged is sent again (§13.5).
    pub(super) fn reconnect(&mut self, who: usize) -> Vec<Parcel> {
        if let Some(user) = self.users.get_mut(who) {
            user.sent = 0;
        }
        self.send(who)
    }

    /// A number stands for all before it (§13.5): one that came out of turn is not acknowledged, and comes again.
    pub(super) fn acknowledge(&mut self, parcel: &Parcel) {
        let (Some(User { id, .. }), Some(number)) = (self.users.get(parcel.to), parcel.number) else { return };
        let Ok(first) = self.relay.next(*id, 0);
        if first.is_some_and(|first| first.sequence == number) {
            let Ok(()) = self.relay.acknowledge(*id, number);
        }
    }

    fn send(&mut self, to: usize) -> Vec<Parcel> {
        let mut parcels = vec![];
        let Some(User { id, sent }) = self.users.get_mut(to) else { return parcels };
        while let Ok(Some(Delivery { sequence, event })) = self.relay.next(*id, *sent) {
            *sent = sequence;
            parcels.push(Parcel { to, event: event.to_vec(), number: Some(sequence) });
        }
        parcels
    }

    fn who(&self, id: UserId) -> Option<usize> {
        self.users.iter().position(|user| user.id == id)
    }

    fn learn(&mut self, from: usize, request: &[u8], response: &Response) {
        match (Request::decode(request), &response.reply) {
            (Ok(Request::IssueLineLink { request_id }), Some(Event::LineLinkIssued { line_link, .. }))
                if !self.links.iter().any(|link| link.line_link == *line_link) =>
            {
                self.links.push(Link { owner: from, request_id, line_link: *line_link });
            }
            (Ok(Request::Connect { line_link, proof }), Some(Event::LineFormed { line_id, pair_hash, .. })) => {
                // A repeated request notifies nobody.
                let owner = response.notify.iter().flatten().next().and_then(|id| self.who(*id));
                let (line_id, pair_hash) = (*line_id, *pair_hash);
                let formed = |owner| Formed { line_link, line_id, pair_hash, users: [owner, from], proof };
                self.lines.extend(owner.map(formed));
            }
            // It reads what is not sealed: a proof along the line is as good to it as one on board.
            (Ok(Request::Packet { line_id, payload }), _) => {
                let line = self.lines.iter_mut().find(|line| line.line_id == line_id && line.proof.is_none());
                if let (Some(line), Ok(Payload::Proof { proof })) = (line, Payload::decode(payload)) {
                    line.proof = Some(proof);
                }
            }
            _ => {}
        }
    }

    /// A name for a line that is none, in the place of this one.
    pub(super) fn make_up(&mut self, in_place_of: Option<Formed>) -> LineId {
        let line_id = LineId::from(self.token());
        self.made_up.insert(line_id, in_place_of);
        line_id
    }

    fn along_a_lie(&self, from: usize, bytes: &[u8]) -> Option<Vec<Parcel>> {
        let Ok(Request::Packet { line_id, .. } | Request::Disconnect { line_id }) = Request::decode(bytes) else {
            return None;
        };
        let line = self.made_up.get(&line_id)?;
        let Ok(Request::Packet { payload, .. }) = Request::decode(bytes) else { return Some(vec![]) };
        let brought = line.iter().flat_map(|Formed { users, line_id, .. }| {
            let others = users.iter().filter(move |user| **user != from);
            others.map(|to| Parcel::new(*to, &Event::Packet { line_id: *line_id, payload }))
        });
        Some(brought.collect())
    }

    /// 16 bytes that nobody had before.
    pub(super) fn token(&mut self) -> [u8; 16] {
        let mut token = [0; 16];
        self.rng.fill_bytes(&mut token);
        token
    }
}
