//! The Server: it issues line links, forms lines, and passes packets on. Bytes come in and bytes go out, as on a real wire.
//! It knows its users by name, and nothing of what they say.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use port_protocol::{Event, LineId, LineLink, PairHash, Proof, Reason, Request, RequestId};
use sha2::{Digest, Sha256};

/// A user, as the relay authenticated it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    Alice,
    Bob,
}

#[derive(Default)]
pub struct Relay {
    issued: BTreeMap<(User, RequestId), LineLink>,
    links: BTreeMap<LineLink, Link>,
    lines: BTreeMap<LineId, [User; 2]>,
    /// What waits to be delivered, in order.
    pub post: VecDeque<(User, Vec<u8>)>,
}

enum Link {
    Free { owner: User },
    Used { by: User, request: Vec<u8>, answer: Vec<u8> },
    Closed,
}

impl Relay {
    /// Takes one request of an authenticated user. What it can't read or route, it drops.
    pub fn take(&mut self, from: User, bytes: &[u8]) -> Result<(), getrandom::Error> {
        let Ok(request) = Request::decode(bytes) else { return Ok(()) };
        match request {
            Request::IssueLineLink { request_id } => {
                // The same request again gets the same link.
                let line_link = match self.issued.get(&(from, request_id)) {
                    Some(line_link) => *line_link,
                    None => random()?.into(),
                };
                self.issued.insert((from, request_id), line_link);
                self.links.entry(line_link).or_insert(Link::Free { owner: from });
                self.post(from, &Event::LineLinkIssued { request_id, line_link });
            }
            Request::Connect { line_link, proof } => match self.links.get(&line_link) {
                Some(Link::Free { owner }) => {
                    let owner = *owner;
                    let answer = self.form([owner, from], line_link, proof)?;
                    self.links.insert(line_link, Link::Used { by: from, request: bytes.to_vec(), answer });
                }
                // The same bytes again: the answer was lost. It is the same.
                Some(Link::Used { by, request, answer }) if *by == from && request == bytes => {
                    self.post.push_back((from, answer.clone()));
                }
                Some(Link::Used { by, .. }) if *by == from => self.refuse(from, line_link, Reason::Yours),
                Some(Link::Used { .. }) => self.refuse(from, line_link, Reason::Claimed),
                Some(Link::Closed) => self.refuse(from, line_link, Reason::Closed),
                None => self.refuse(from, line_link, Reason::Unknown),
            },
            Request::Packet { line_id, payload } => {
                if let Some(to) = self.far_end(line_id, from) {
                    self.post(to, &Event::Packet { line_id, payload });
                }
            }
            Request::Disconnect { line_id } => {
                if let Some(to) = self.far_end(line_id, from) {
                    self.lines.remove(&line_id);
                    self.post(to, &Event::Disconnected { line_id });
                }
            }
            Request::CloseLineLink { line_link } => {
                if matches!(self.links.get(&line_link), Some(Link::Free { owner }) if *owner == from) {
                    self.links.insert(line_link, Link::Closed);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Names the line and tells both ends. The proof on board goes to Alice; what Bob is told is the answer to him.
    fn form(
        &mut self,
        ends @ [alice, bob]: [User; 2],
        line_link: LineLink,
        proof: Option<Proof>,
    ) -> Result<Vec<u8>, getrandom::Error> {
        let line_id = random()?.into();
        let pair_hash = pair_hash(ends);
        self.lines.insert(line_id, ends);
        self.post(alice, &Event::LineFormed { line_link, line_id, pair_hash, proof });
        let answer = Event::LineFormed { line_link, line_id, pair_hash, proof: None };
        self.post(bob, &answer);
        Ok(answer.to_vec())
    }

    fn refuse(&mut self, to: User, line_link: LineLink, reason: Reason) {
        self.post(to, &Event::Refused { line_link, reason });
    }

    fn post(&mut self, to: User, event: &Event<'_>) {
        self.post.push_back((to, event.to_vec()));
    }

    fn far_end(&self, line_id: LineId, from: User) -> Option<User> {
        match *self.lines.get(&line_id)? {
            [a, b] if a == from => Some(b),
            [a, b] if b == from => Some(a),
            _ => None,
        }
    }
}

fn random() -> Result<[u8; 16], getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// The same for this pair each time, whoever of them made the Port.
fn pair_hash(mut ends: [User; 2]) -> PairHash {
    ends.sort_unstable();
    let ids = ends.map(|user| <[u8; 32]>::from(Sha256::digest(user.to_string())));
    PairHash::from(<[u8; 32]>::from(Sha256::digest(ids.as_flattened())))
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alice => "Alice",
            Self::Bob => "Bob",
        })
    }
}
