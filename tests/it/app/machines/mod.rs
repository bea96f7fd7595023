//! §17.10: Alice, Bob and UnauthenticatedLine in the app's dialect.

mod crash;
mod ends;
mod lines;
mod policy;
mod records;
mod requests;

use super::name;
pub use crate::common::store::{Commit, Conflict, Put, Store};
pub use crate::common::{Unused, at};
use port_protocol::app::{
    Alice, AliceEffect, Bob, BobEffect, Bundle, Content, Event, Happened, Intro, Request, UnauthenticatedLine,
};
use port_protocol::*;
pub use records::records;

pub const NOW: UnixSeconds = at(1_800_000_000);
pub const LATER: UnixSeconds = at(1_800_000_001);

pub fn seed(n: u8) -> Seed {
    Seed::from_bytes(&[n; 64])
}

pub fn link() -> LineLink {
    [3; 16].into()
}

pub fn line_id(n: u8) -> LineId {
    [n; 16].into()
}

pub fn pair(n: u8) -> PeerMark {
    [n; 32].into()
}

/// Their common contact's line with Alice.
pub const CAROL: [u8; 16] = [77; 16];

pub fn offer(kind: PortKind) -> PortOptions {
    match kind {
        PortKind::Port => PortOptions::new(),
        PortKind::Superport => PortOptions::new().policy(Policy::up_to(3)),
        _ => PortOptions::new().policy(Policy::up_to(3)).introducer(CAROL.into()),
    }
}

pub const KINDS: [PortKind; 3] = [PortKind::Port, PortKind::Superport, PortKind::ContactPort];

pub fn alice(kind: PortKind) -> Alice {
    Alice::offer(link(), offer(kind), seed(1)).committed()
}

/// What Bob reads; in a contact port with this ticket.
pub fn shown(alice: &Alice, ticket: u8) -> Bundle {
    alice
        .bundle(Some(name("Alice")))
        .unwrap_or_else(|| alice.grant(Some(name("Alice"))).unwrap().share([ticket; 16].into(), Some(name("Carol"))))
}

pub fn intro_of(bob: &Bob) -> Intro {
    match bob.pending().next() {
        Some(BobEffect::Send(Request::Connect { intro, .. })) => intro.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn connecting(bundle: &Bundle, n: u8) -> Bob {
    let mut bob = Bob::scan(bundle, seed(n)).committed();
    bob.connect(&name("Bob"), NOW).unwrap().committed().for_each(drop);
    bob
}

pub fn used(kind: PortKind, n: u8, intro: Intro) -> Event {
    let what = Happened::Used { kind, port_id: link(), line_id: line_id(n), pair_hash: pair(n), intro };
    let event = Event { what, timestamp: None };
    assert_eq!(Event::from_json(event.to_json().as_str()).as_ref(), Ok(&event));
    assert_eq!(event.key(), RecordKey::LineLink(link()));
    event
}

/// The caller's tables.
#[derive(Default)]
pub struct Tables {
    pub tickets: Vec<TicketNotice>,
    /// The stored lines, and the Port of each.
    pub lines: Vec<(LineId, PortHash)>,
    pub blocked: Option<PeerMark>,
    pub connected: Option<(PeerMark, LineId)>,
}

impl Peers for Tables {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        self.lines.iter().find(|(there, _)| there == line_id).map(|(_, port)| *port)
    }

    fn relationship(&self, pair_hash: &PeerMark) -> Relationship {
        match self.connected {
            _ if self.blocked == Some(*pair_hash) => Relationship::Blocked,
            Some((pair, line_id)) if pair == *pair_hash => Relationship::Connected(line_id),
            _ => Relationship::Unknown,
        }
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.iter().find(|notice| notice.ticket == *ticket).cloned()
    }
}

/// As it is announced to Alice along Carol's line.
pub fn notice(ticket: Secret<16>, contact_port: LineLink) -> TicketNotice {
    Content::ContactPortTicket { contact_port, ticket }.told_ticket(None).unwrap()
}

pub fn knowing(ticket: u8) -> Tables {
    Tables { tickets: vec![notice([ticket; 16].into(), link())], ..Tables::default() }
}

/// Alice's end of what this step gave.
pub fn formed<'m>(effects: impl Iterator<Item = AliceEffect<'m>>) -> UnauthenticatedLine {
    let mut effects = effects;
    effects.find_map(|effect| if let AliceEffect::LineFormed(line) = effect { Some(line) } else { None }).unwrap()
}

/// The hash of the Port that this bundle shows.
pub fn hash_of(bundle: &Bundle) -> PortHash {
    let mut bob = connecting(bundle, 9);
    match bob.connected(line_id(9), Some(pair(9)), &NoPeers, NOW).unwrap().committed().next() {
        Some(BobEffect::LineFormed(line)) => line.port(),
        other => panic!("{other:?}"),
    }
}

/// Both ends of a line.
pub fn ends(alice: &mut Alice, n: u8) -> (UnauthenticatedLine, UnauthenticatedLine) {
    let kind = shown(alice, n).kind();
    let mut bob = connecting(&shown(alice, n), n);
    // Bob's key had one use, whatever the kind: there are no epochs.
    assert!(!bob.record().windows(32).any(|bytes| bytes == [n; 32]));
    let event = used(kind, n, intro_of(&bob));
    let at_alice = formed(alice.handle(&event, &knowing(n), NOW, &mut Unused).unwrap().committed());
    let step = bob.connected(line_id(n), Some(pair(n)), &NoPeers, NOW).unwrap();
    assert_eq!(step.write().new_line.unwrap().key, RecordKey::Line(line_id(n)));
    let at_bob = match step.committed().next() {
        Some(BobEffect::LineFormed(line)) => line,
        other => panic!("{other:?}"),
    };
    (at_alice, at_bob)
}

/// The replay mark of a step.
pub fn mark_of<M: Machine>(step: &Step<'_, M>) -> Option<ReplayMark> {
    step.write().unique.map(|(mark, _)| mark)
}

pub fn event(what: Happened) -> Event {
    Event { what, timestamp: None }
}
