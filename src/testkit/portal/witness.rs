//! Witness: sees what is asked, delivered, answered and heard, and says what must not be. It believes no machine.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use minicbor::Decoder;

use super::violation::Violation;
use crate::UnixSeconds;
use crate::portal::{Answer, Part, Peer, PortalId, Request, RequestId};

/// A request, as an app asked it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    pub(super) app: String,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) header: String,
}

impl Told {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self {
            app: request.app().as_str().into(),
            method: request.method.as_str().into(),
            target: request.target.as_str().into(),
            header: request.headers.get(HEADER).unwrap_or_default().into(),
        }
    }
}

/// A header of the kit's apps.
pub(super) const HEADER: &str = "app-kit";

/// Caller, callee, and a request's name.
pub(super) type Name = (PortalId, PortalId, [u8; RequestId::LENGTH]);

pub(super) fn name(caller: PortalId, callee: PortalId, id: RequestId) -> Name {
    (caller, callee, id.to_bytes())
}

#[derive(Default, Debug)]
struct Answered {
    header: String,
    parts: Vec<(Vec<u8>, bool)>,
    /// When the callee may forget it.
    until: UnixSeconds,
    is_promised: bool,
}

#[derive(Default, Debug)]
pub(super) struct Witness {
    /// By number.
    pub(super) portals: Vec<PortalId>,
    asked: BTreeMap<Name, (Told, Vec<Vec<u8>>)>,
    /// How many parts of its body came.
    delivered: BTreeMap<Name, usize>,
    answered: BTreeMap<Name, Answered>,
    /// What the liar said that it had, though it will ask for it again.
    said_done: BTreeSet<[u8; 16]>,
    /// By Portal: who is a peer of it.
    peers: BTreeSet<(usize, PortalId)>,
    grants: BTreeSet<(usize, String, PortalId)>,
    pinned: BTreeMap<(usize, PortalId), Vec<u8>>,
    numbers: BTreeMap<(Vec<u8>, u64), Vec<u8>>,
    /// The latest time that each Portal's clock ever showed.
    latest: BTreeMap<PortalId, UnixSeconds>,
    taken: BTreeSet<(usize, Vec<u8>)>,
    /// Messages of which a promised answer must come, or none.
    owed: BTreeSet<u64>,
}

impl Witness {
    pub(super) fn of(portals: Vec<PortalId>) -> Self {
        Self { portals, ..Self::default() }
    }

    pub(super) fn clock(&mut self, portal: PortalId, now: UnixSeconds) {
        let latest = self.latest.entry(portal).or_default();
        *latest = now.max(*latest);
    }

    pub(super) fn admits(&mut self, host: usize, peer: PortalId, does: bool) {
        if does {
            self.peers.insert((host, peer));
        } else {
            self.peers.remove(&(host, peer));
        }
    }

    /// The last one lies.
    fn is_liar(&self, portal: PortalId) -> bool {
        self.portals.last() == Some(&portal)
    }

    pub(super) fn is_peer(&self, host: usize, peer: PortalId) -> bool {
        self.peers.contains(&(host, peer))
    }

    pub(super) fn grants(&mut self, host: usize, app: &str, peers: impl IntoIterator<Item = PortalId>) {
        self.grants.retain(|(of, name, _)| *of != host || name != app);
        self.grants.extend(peers.into_iter().map(|peer| (host, app.into(), peer)));
    }

    /// What is asked; the same again is the same.
    pub(super) fn asks(&mut self, name: Name, told: Told, parts: Vec<Vec<u8>>) {
        self.asked.entry(name).or_insert((told, parts));
    }

    /// Something leaves for a peer in the name of this app.
    pub(super) fn sends(&self, host: usize, app: &str, peer: PortalId) -> Result<(), Violation> {
        let is_granted = self.grants.contains(&(host, app.into(), peer)) && self.is_peer(host, peer);
        if is_granted { Ok(()) } else { Err(Violation::NotGranted(host)) }
    }

    /// No number of a session stands in two messages.
    pub(super) fn sees_exchange(&mut self, host: usize, message: &[u8]) -> Result<(), Violation> {
        let mut d = Decoder::new(message);
        let head = (d.array(), d.u8(), d.array(), d.u8());
        let (Ok(_), Ok(_), Ok(Some(4)), Ok(4)) = head else { return Ok(()) };
        let (Ok(session), Ok(number), Ok(text)) = (d.bytes(), d.u64(), d.bytes()) else { return Ok(()) };
        let known = self.numbers.entry((session.into(), number)).or_insert_with(|| text.into());
        if known == text { Ok(()) } else { Err(Violation::NumberTwice(host)) }
    }

    /// A message that asks for this was taken, so if there is a promise, what is said to it must be the answer.
    pub(super) fn takes(&mut self, connection: u64, name: &Name) {
        let (_, callee, _) = name;
        let latest = self.latest.get(callee).copied().unwrap_or_default();
        if self.answered.get(name).is_some_and(|answer| answer.is_promised && latest < answer.until) {
            self.owed.insert(connection);
        }
    }

    /// A message with an encrypted inside was taken.
    pub(super) fn sees_taken(&mut self, host: usize, message: &[u8]) -> Seen {
        if self.taken.insert((host, message.into())) { Ok(()) } else { Err(Violation::TakenTwice(host)) }
    }

    pub(super) fn says_done(&mut self, nonce: [u8; 16]) {
        // What has no answer is not done, even if the liar says so.
        if self.answered.keys().any(|(.., id)| id.ends_with(&nonce)) {
            self.said_done.insert(nonce);
        }
    }

    fn is_said_done(&self, (.., id): &Name) -> bool {
        id.last_chunk().is_some_and(|nonce| self.said_done.contains(nonce))
    }

    /// The app of this Portal, under this name, gets a request.
    pub(super) fn delivers(&mut self, host: usize, app: &str, caller: PortalId, request: &Request<'_>) -> Seen {
        let Some(callee) = self.portals.get(host).copied() else { return Ok(()) };
        let name = name(caller, callee, request.id);
        if !self.is_peer(host, caller) {
            return Err(Violation::BlockedDelivered(host));
        }
        let told = Told::of(request);
        // What the liar asks is its own affair; but it asks in its own name, and once.
        if self.is_liar(caller) {
            if told.app != app {
                return Err(Violation::OtherThanAsked(host));
            }
        } else {
            let Some((asked, parts)) = self.asked.get(&name) else { return Err(Violation::NotAsked(host)) };
            let first = parts.first().map(Vec::as_slice).unwrap_or_default();
            let is_same = *asked == told && told.app == app;
            if !is_same || first != request.body.bytes() || request.body.has_more() != (parts.len() > 1) {
                return Err(Violation::OtherThanAsked(host));
            }
        }
        if !told.target.starts_with("/peer") && !told.target.starts_with("/pub") {
            return Err(Violation::NotServed(host));
        }
        let is_repeated = self.delivered.insert(name, 1).is_some() && !self.is_said_done(&name);
        if is_repeated { Err(Violation::DeliveredTwice(host)) } else { Ok(()) }
    }

    /// It gets the next part of the body.
    pub(super) fn delivers_part(&mut self, host: usize, caller: PortalId, id: RequestId, part: &Part<'_>) -> Seen {
        let Some(callee) = self.portals.get(host).copied() else { return Ok(()) };
        let name = name(caller, callee, id);
        if !self.is_peer(host, caller) {
            return Err(Violation::BlockedDelivered(host));
        }
        if self.is_liar(caller) {
            return Ok(());
        }
        let Some((_, parts)) = self.asked.get(&name) else { return Err(Violation::NotAsked(host)) };
        let count = self.delivered.entry(name).or_default();
        let next = count.saturating_add(1);
        let is_next = parts.get(*count).is_some_and(|asked| asked == part.bytes());
        if !is_next || part.has_more() != (parts.len() > next) {
            let is_old = parts.iter().take(*count).any(|asked| asked == part.bytes());
            return Err(if is_old { Violation::DeliveredTwice(host) } else { Violation::OtherThanAsked(host) });
        }
        *count = next;
        Ok(())
    }

    /// The app of the callee answers.
    pub(super) fn answers(&mut self, name: Name, created: UnixSeconds, answer: &Answer<'_>) {
        let header = answer.headers.get(HEADER).unwrap_or_default().into();
        let parts = [(answer.body.bytes().into(), answer.body.has_more())].into();
        // A liar may have it done twice.
        self.answered.insert(name, Answered { header, parts, until: created.plus(660), is_promised: false });
    }

    pub(super) fn answers_part(&mut self, name: Name, part: &Part<'_>) {
        if let Some(answered) = self.answered.get_mut(&name) {
            answered.parts.push((part.bytes().into(), part.has_more()));
        }
    }

    /// The answer goes out: from now on it is promised.
    pub(super) fn promises(&mut self, name: Name) {
        if let Some(answered) = self.answered.get_mut(&name) {
            answered.is_promised = true;
        }
    }

    /// Something is said to a peer, encrypted.
    pub(super) fn says(&self, host: usize, peer: PortalId) -> Seen {
        if self.is_peer(host, peer) { Ok(()) } else { Err(Violation::BlockedAnswered(host)) }
    }

    pub(super) fn hears(&self, host: usize, name: Name, answer: &Answer<'_>) -> Seen {
        let answered = self.answered.get(&name);
        let is_same = answered.is_some_and(|answered| {
            let is_given =
                |(bytes, more): &(Vec<u8>, bool)| bytes == answer.body.bytes() && *more == answer.body.has_more();
            answered.header == answer.headers.get(HEADER).unwrap_or_default()
                && answered.parts.first().is_some_and(is_given)
        });
        if is_same { Ok(()) } else { Err(Violation::HeardUnsaid(host)) }
    }

    pub(super) fn hears_part(&self, host: usize, name: Name, number: u64, part: &Part<'_>) -> Seen {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let given = self.answered.get(&name).and_then(|answered| answered.parts.get(place));
        let is_same = given.is_some_and(|(bytes, more)| bytes == part.bytes() && *more == part.has_more());
        if is_same { Ok(()) } else { Err(Violation::HeardUnsaid(host)) }
    }

    /// The callee said something else than an answer.
    pub(super) fn hears_no_answer(&self, connection: u64, callee: PortalId) -> Seen {
        let host = self.portals.iter().position(|portal| *portal == callee).unwrap_or_default();
        if self.owed.contains(&connection) { Err(Violation::AnswerLost(host)) } else { Ok(()) }
    }

    /// Keys stay pinned, and each is its peer's.
    pub(super) fn looks_at(&mut self, host: usize, peer: &Peer) -> Seen {
        let key = peer.public_key().map(|key| key.as_bytes().to_vec());
        let is_own = peer.public_key().is_none_or(|key| PortalId::of(key) == peer.id());
        let is_kept = match (self.pinned.get(&(host, peer.id())), &key) {
            (Some(pinned), key) => Some(pinned) == key.as_ref(),
            (None, Some(key)) => self.pinned.insert((host, peer.id()), key.clone()).is_none(),
            (None, None) => true,
        };
        if is_own && is_kept { Ok(()) } else { Err(Violation::KeyReplaced(host)) }
    }

    /// The owner removed the peer, and its row is gone.
    pub(super) fn forgets(&mut self, host: usize, peer: PortalId) {
        self.pinned.remove(&(host, peer));
    }
}

pub(super) type Seen = Result<(), Violation>;
