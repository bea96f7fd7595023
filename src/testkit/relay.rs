//! HostileRelay: the crate's own relay (§13), the connections of its users, and what it learns for its lies.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::Rng;
use sha2::{Digest, Sha256};

use crate::relay::{self, Limits, MarkKey, Memory, Relay, Response, UserId};
use crate::{Event, LineId, LineLink, Payload, PeerMark, Proof, Request, RequestId, UnixSeconds};

/// An event on its way to a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The client it is for.
    pub to: usize,
    /// The event's bytes.
    pub event: Vec<u8>,
    /// Its number in the relay's queue, where it waits until it is acknowledged (§13.5). `None` for a reply and for a lie, which do not
    /// wait.
    pub(super) number: Option<u64>,
}

impl Delivery {
    pub(super) fn new(to: usize, event: &Event<'_>) -> Self {
        Self { to, event: event.to_vec(), number: None }
    }
}

/// An honest relay, and what a hostile one needs to lie.
#[derive(Debug)]
pub(super) struct HostileRelay {
    relay: Relay<Memory>,
    rng: ChaCha8Rng,
    users: Vec<User>,
    /// The links that were issued, in order.
    pub(super) links: Vec<Link>,
    /// The uses that were asked for, in order.
    pub(super) uses: Vec<Use>,
    /// The lines that were formed, in order.
    pub(super) lines: Vec<Formed>,
    /// Lines that it made up, each in the place of a line or of none. A packet along one goes to the other end of the line in whose place
    /// it is, under that line's name; or nowhere.
    made_up: BTreeMap<LineId, Option<Formed>>,
}

#[derive(Debug)]
struct User {
    id: UserId,
    /// The last number that was sent to this user on this connection.
    sent: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) owner: usize,
    pub(super) request_id: RequestId,
    pub(super) line_link: LineLink,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Use {
    pub(super) by: usize,
    pub(super) line_link: LineLink,
    pub(super) request_id: RequestId,
}

#[derive(Clone, Debug)]
pub(super) struct Formed {
    pub(super) line_link: LineLink,
    pub(super) line_id: LineId,
    /// What the owner is told of the user.
    pub(super) peer: PeerMark,
    /// The owner of the link, and its user.
    pub(super) users: [usize; 2],
    /// Inline or along the line, as soon as it was seen.
    pub(super) proof: Option<Proof>,
}

impl HostileRelay {
    pub(super) fn new(users: usize, limits: Limits, mut rng: ChaCha8Rng) -> Self {
        let id = |who: usize| UserId::from(<[u8; 32]>::from(Sha256::digest((who as u64).to_be_bytes())));
        Self {
            relay: Relay::new(Memory::new(), limits, MarkKey::draw(&mut rng)),
            rng,
            users: (0..users).map(|who| User { id: id(who), sent: 0 }).collect(),
            links: Vec::new(),
            uses: Vec::new(),
            lines: Vec::new(),
            made_up: BTreeMap::new(),
        }
    }

    /// Takes a request, and gives what is sent because of it. This is the only place where one turns into the other.
    pub(super) fn take(&mut self, from: usize, bytes: &[u8], now: UnixSeconds) -> Vec<Delivery> {
        if let Some(deliveries) = self.along_a_lie(from, bytes) {
            return deliveries;
        }
        let Some(User { id, .. }) = self.users.get(from) else { return vec![] };
        // A transport would tell the client why. This one does not, and the client's machine keeps the request.
        let Ok(response) = self.relay.handle(*id, bytes, &mut self.rng, now) else { return vec![] };
        let mut deliveries = vec![];
        for id in response.notify.iter().flatten() {
            deliveries.extend(self.who(*id).map(|who| self.send(who)).unwrap_or_default());
        }
        self.learn(from, bytes, &response, &deliveries);
        deliveries.extend(response.reply.map(|reply| Delivery::new(from, &reply)));
        deliveries
    }

    /// The connection of this user comes back: what was not acknowledged is sent again (§13.5).
    pub(super) fn reconnect(&mut self, who: usize) -> Vec<Delivery> {
        if let Some(user) = self.users.get_mut(who) {
            user.sent = 0;
        }
        self.send(who)
    }

    /// A number stands for all before it (§13.5). So an event that came out of turn is not acknowledged, and comes again.
    pub(super) fn acknowledge(&mut self, delivery: &Delivery) {
        let (Some(User { id, .. }), Some(number)) = (self.users.get(delivery.to), delivery.number) else { return };
        let Ok(first) = self.relay.next(*id, 0);
        if first.is_some_and(|first| first.sequence == number) {
            let Ok(()) = self.relay.acknowledge(*id, number);
        }
    }

    /// The lines that this user is on.
    pub(super) fn lines_of(&self, who: usize) -> Vec<LineId> {
        self.users.get(who).map(|user| self.relay.directory().lines_of(user.id).collect()).unwrap_or_default()
    }

    fn send(&mut self, to: usize) -> Vec<Delivery> {
        let mut deliveries = vec![];
        let Some(User { id, sent }) = self.users.get_mut(to) else { return deliveries };
        while let Ok(Some(relay::Delivery { sequence, event })) = self.relay.next(*id, *sent) {
            *sent = sequence;
            deliveries.push(Delivery { to, event: event.to_vec(), number: Some(sequence) });
        }
        deliveries
    }

    fn who(&self, id: UserId) -> Option<usize> {
        self.users.iter().position(|user| user.id == id)
    }

    fn learn(&mut self, from: usize, request: &[u8], response: &Response, deliveries: &[Delivery]) {
        match (Request::decode(request), &response.reply) {
            (Ok(Request::IssueLineLink { request_id }), Some(Event::LineLinkIssued { line_link, .. }))
                if !self.links.iter().any(|link| link.line_link == *line_link) =>
            {
                self.links.push(Link { owner: from, request_id, line_link: *line_link });
            }
            (Ok(Request::Connect { line_link, request_id, proof }), _) => {
                let this = Use { by: from, line_link, request_id };
                if !self.uses.contains(&this) {
                    self.uses.push(this);
                }
                // A repeated request notifies nobody.
                let formed = |Delivery { to, event, .. }: &Delivery| match Event::decode(event) {
                    Ok(Event::LineFormed { line_link: of, line_id, peer, .. }) if of == line_link => {
                        Some(Formed { line_link, line_id, peer, users: [*to, from], proof: proof.clone() })
                    }
                    _ => None,
                };
                self.lines.extend(deliveries.iter().find_map(formed));
            }
            // It reads what is not sealed: a proof along the line is as good to it as one inline.
            (Ok(Request::Packet { line_id, payload }), _) => {
                let line = self.lines.iter_mut().find(|line| line.line_id == line_id && line.proof.is_none());
                if let (Some(line), Ok(Payload::Proof { proof })) = (line, Payload::decode(payload)) {
                    line.proof = Some(proof);
                }
            }
            _ => {}
        }
    }

    /// Makes up a line, in the place of this one or of none, and gives its name.
    pub(super) fn make_up(&mut self, in_place_of: Option<Formed>) -> LineId {
        let line_id = LineId::from(self.token());
        self.made_up.insert(line_id, in_place_of);
        line_id
    }

    fn along_a_lie(&self, from: usize, bytes: &[u8]) -> Option<Vec<Delivery>> {
        let Ok(Request::Packet { line_id, .. } | Request::Disconnect { line_id }) = Request::decode(bytes) else {
            return None;
        };
        let line = self.made_up.get(&line_id)?;
        let Ok(Request::Packet { payload, .. }) = Request::decode(bytes) else { return Some(vec![]) };
        let brought = line.iter().flat_map(|Formed { users, line_id, .. }| {
            let others = users.iter().filter(move |user| **user != from);
            others.map(|to| Delivery::new(*to, &Event::Packet { line_id: *line_id, payload }))
        });
        Some(brought.collect())
    }

    /// 16 fresh random bytes.
    pub(super) fn token(&mut self) -> [u8; 16] {
        let mut token = [0; 16];
        self.rng.fill_bytes(&mut token);
        token
    }
}
