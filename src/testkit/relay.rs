//! The relay's tables (§7): what an honest one does. What a hostile one makes of it stands in the [`World`](super::World).

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::Rng;
use sha2::{Digest, Sha256};

use crate::{Event, LineId, LineLink, PairHash, Payload, Proof, Reason, Request, RequestId};

/// An event on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// The client it is for.
    pub to: usize,
    /// The event's bytes.
    pub event: Vec<u8>,
}

impl Parcel {
    pub(super) fn new(to: usize, event: &Event<'_>) -> Self {
        Self { to, event: event.to_vec() }
    }
}

/// Knows its users by number, and nothing of what they say.
#[derive(Debug)]
pub(super) struct Relay {
    rng: ChaCha8Rng,
    pub(super) issued: BTreeMap<(usize, RequestId), LineLink>,
    pub(super) links: BTreeMap<LineLink, Link>,
    pub(super) lines: BTreeMap<LineId, Ends>,
}

/// What became of a line link, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) owner: usize,
    pub(super) fate: Fate,
}

#[derive(Clone, Debug)]
pub(super) enum Fate {
    Free,
    Used { by: usize, request: Vec<u8>, answer: Vec<u8>, proof: Option<Proof> },
    Closed,
}

#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) users: [usize; 2],
    line_link: LineLink,
    open: bool,
}

impl Relay {
    pub(super) const fn new(rng: ChaCha8Rng) -> Self {
        Self { rng, issued: BTreeMap::new(), links: BTreeMap::new(), lines: BTreeMap::new() }
    }

    /// One request, and the events that come of it. The only place where one turns into the other.
    pub(super) fn take(&mut self, from: usize, bytes: &[u8]) -> Vec<Parcel> {
        match Request::decode(bytes) {
            Ok(Request::IssueLineLink { request_id }) => {
                // The same request again gets the same link.
                let line_link = match self.issued.get(&(from, request_id)) {
                    Some(line_link) => *line_link,
                    None => self.token().into(),
                };
                self.issued.insert((from, request_id), line_link);
                self.links.entry(line_link).or_insert(Link { owner: from, fate: Fate::Free });
                vec![Parcel::new(from, &Event::LineLinkIssued { request_id, line_link })]
            }
            Ok(Request::Connect { line_link, proof }) => self.connect(from, line_link, proof, bytes),
            Ok(Request::Packet { line_id, payload }) => {
                match self.lines.get(&line_id).and_then(|ends| ends.other(from)) {
                    Some(to) => vec![Parcel::new(to, &Event::Packet { line_id, payload })],
                    None => vec![],
                }
            }
            Ok(Request::Disconnect { line_id }) => match self.lines.get_mut(&line_id) {
                Some(ends) => {
                    let to = ends.other(from);
                    ends.open &= to.is_none();
                    to.iter().map(|to| Parcel::new(*to, &Event::Disconnected { line_id })).collect()
                }
                None => vec![],
            },
            Ok(Request::CloseLineLink { line_link }) => {
                match self.links.get_mut(&line_link) {
                    Some(Link { owner, fate: fate @ Fate::Free }) if *owner == from => *fate = Fate::Closed,
                    _ => {}
                }
                vec![]
            }
            // What it can't read, it drops.
            Err(_) => vec![],
        }
    }

    fn connect(&mut self, from: usize, line_link: LineLink, proof: Option<Proof>, bytes: &[u8]) -> Vec<Parcel> {
        let refuse = |reason| vec![Parcel::new(from, &Event::Refused { line_link, reason })];
        let line_id = LineId::from(self.token());
        let Some(Link { owner, fate }) = self.links.get_mut(&line_link) else { return refuse(Reason::Unknown) };
        let to = *owner;
        match fate {
            Fate::Closed => refuse(Reason::Closed),
            // The answer was lost. It is the same.
            Fate::Used { by, request, answer, .. } if *by == from && request == bytes => {
                vec![Parcel { to: from, event: answer.clone() }]
            }
            Fate::Used { by, .. } if *by == from => refuse(Reason::Yours),
            Fate::Used { .. } => refuse(Reason::Claimed),
            Fate::Free => {
                let pair_hash = pair_hash([to, from]);
                let formed = |proof| Event::LineFormed { line_link, line_id, pair_hash, proof };
                let answer = Parcel::new(from, &formed(None));
                *fate = Fate::Used {
                    by: from,
                    request: bytes.to_vec(),
                    answer: answer.event.clone(),
                    proof: proof.clone(),
                };
                self.lines.insert(line_id, Ends { users: [to, from], line_link, open: true });
                vec![Parcel::new(to, &formed(proof)), answer]
            }
        }
    }

    /// The relay reads what is not sealed: a proof along the line is as good to it as one on board.
    pub(super) fn reads(&mut self, request: &[u8]) {
        let Ok(Request::Packet { line_id, payload }) = Request::decode(request) else { return };
        let Ok(Payload::Proof { proof: seen }) = Payload::decode(payload) else { return };
        let link = self.lines.get(&line_id).and_then(|ends| self.links.get_mut(&ends.line_link));
        if let Some(Link { fate: Fate::Used { proof: proof @ None, .. }, .. }) = link {
            *proof = Some(seen);
        }
    }

    /// Another name for a line of this link, so that it routes what comes of a lie.
    pub(super) fn name(&mut self, line_id: LineId, line_link: LineLink, users: [usize; 2]) {
        self.lines.entry(line_id).or_insert(Ends { users, line_link, open: true });
    }

    /// 16 bytes that nobody had before.
    pub(super) fn token(&mut self) -> [u8; 16] {
        let mut token = [0; 16];
        self.rng.fill_bytes(&mut token);
        token
    }
}

impl Ends {
    fn other(&self, user: usize) -> Option<usize> {
        match self.users {
            _ if !self.open => None,
            [one, other] if one == user => Some(other),
            [other, one] if one == user => Some(other),
            _ => None,
        }
    }
}

/// The same for this pair each time.
fn pair_hash(mut users: [usize; 2]) -> PairHash {
    users.sort_unstable();
    let hash: [u8; 32] =
        users.iter().fold(Sha256::new(), |hash, user| hash.chain_update(user.to_be_bytes())).finalize().into();
    hash.into()
}
