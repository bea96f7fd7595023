//! What holds whatever the relay does and whoever dies when, as seen from above: by somebody who sees every store.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use thiserror::Error;

use super::machine::Any;
use crate::proof::PrivateKey;
use crate::{
    Admits, AlicePhase, Bob, BobEnd, BobPhase, Claims, Key, Line, LineId, LineLink, LinePhase, Machine, Nonce, Offer,
    PairHash, Payload, Port, PortHash, Request, RequestId, Secret, Seed,
};

/// What did not hold. Clients are named by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Violation {
    /// §4.3, §5.4: a second line from one Port; of a Port for many, from one proof (§8.4).
    #[error("client {0} has a second line from one Port, or from one proof")]
    SecondLine(usize),
    /// §14.4: more lines of a Port than it was ever for.
    #[error("client {0} let in more than its limit")]
    OverLimit(usize),
    /// §8.4: a Port for many was given up, and its user did not say so.
    #[error("client {0} gave up a Port for many by itself")]
    Revoked(usize),
    /// §16.4: a second line from one ticket.
    #[error("client {0} has a second line from one ticket")]
    TicketTwice(usize),
    /// §16.5: a line of a contact port whose ticket nobody made, or another than whom Alice takes for the introducer.
    #[error("client {0} takes somebody for an introducer who is none")]
    NotIntroduced(usize),
    /// §4.4, §16.6: a line of a Port that was over, or withdrawn, before.
    #[error("client {0} let in somebody by a Port that it had withdrawn")]
    AfterWithdrawal(usize),
    /// §8.1: an event that is none, that no machine is asked for, or that its machine refuses changed a record, took one away
    /// or added one; or a step that was dropped moved the machine.
    #[error("client {0} was moved by what is refused")]
    MovedByRefused(usize),
    /// §8.1: a record became older by itself, or is missing and was not seen to be one that may be deleted (§8.3).
    #[error("a record of client {0} went back")]
    WentBack(usize),
    /// §8.2, §8.3: a record took the place of another machine's, which was not seen to be one that may be deleted.
    #[error("client {0} stored over what is another's")]
    Overwritten(usize),
    /// §8.1: something was sent along a line that is not stored.
    #[error("client {0} sent before it stored")]
    SentBeforeStored(usize),
    /// §6.3: two packets under one counter.
    #[error("client {0} sealed two packets under one counter")]
    CounterTwice(usize),
    /// §6.5: a line is confirmed, and nobody has its other end.
    #[error("client {0} has confirmed a line that nobody shares with it")]
    ConfirmedAlone(usize),
    /// §6.4: a message came twice.
    #[error("client {0} heard a message twice")]
    HeardTwice(usize),
    /// §6.2: a message that nobody said at the other end.
    #[error("client {0} heard what the other end did not say")]
    HeardUnsaid(usize),
    /// §6.2, §8.7: a request, or the record of a joined line, holds a private key or RAD.
    #[error("client {0} did not keep a secret, or kept it too long")]
    Secret(usize),
    /// §8.6: a record that can't be restored.
    #[error("client {0} stored something that is no record")]
    BadRecord(usize),
    /// §7.2: what was sent is no request.
    #[error("client {0} sent something that is no request")]
    BadRequest(usize),
    /// Nothing was forged or rolled back, and still, however often both tried again: somebody waits for ever.
    #[error("something of client {0} was lost for good")]
    Lost(usize),
    /// Events that beget events, without end.
    #[error("it does not come to rest")]
    Endless,
}

/// A line that was once stored.
#[derive(Clone, Debug)]
struct Seen {
    port: PortHash,
    pair_hash: PairHash,
    /// From Joined on: two ends with the same have the same transcript and keys (§6.8).
    code: Option<[u32; 8]>,
    /// The same of a line of a Port for many, for as long as Bob has not heard Alice (§14.7).
    early: Option<Secret<32>>,
    confirmed: bool,
}

impl Seen {
    fn of(line: &Line) -> Self {
        let code = line.code().map(|code| *code.groups());
        let early = line.early_key().cloned();
        Self { port: line.port(), pair_hash: line.claims().pair_hash, code, early, confirmed: false }
    }

    fn is_of_same(&self, other: &Self) -> bool {
        (self.port, self.pair_hash) == (other.port, other.pair_hash)
    }

    /// `None`: it can't be told.
    fn has_keys_of(&self, other: &Self) -> Option<bool> {
        let code = self.code.zip(other.code).map(|(a, b)| a == b);
        code.or_else(|| self.early.as_ref().zip(other.early.as_ref()).map(|(a, b)| a == b))
    }

    fn may_become(&self, later: &Self) -> bool {
        self.is_of_same(later) && (self.code == later.code || self.code.is_none() || later.code.is_none())
    }
}

#[derive(Clone, Default, Debug)]
pub(super) struct Witness {
    lines: BTreeMap<(usize, LineId), Seen>,
    /// The first line of each Port at each client.
    first: BTreeMap<(usize, PortHash), Claims>,
    /// The same of each proof of a Port for many.
    by_proof: BTreeMap<(usize, PortHash, [u8; 32]), Claims>,
    /// What users gave up.
    unwanted: BTreeSet<(usize, Key)>,
    /// Whose Ports these are, and of which links.
    makers: BTreeMap<PortHash, (usize, LineLink)>,
    /// Each record as it was last seen.
    records: BTreeMap<(usize, Key), Vec<u8>>,
    /// Every record that was ever seen of what was not over: without secrets, two are alike.
    alive: BTreeSet<(usize, Vec<u8>)>,
    /// Who has forgotten that he used these, or made them.
    forgotten: BTreeSet<(usize, LineLink)>,
    /// Links of Ports that a Bob gave up, or had to.
    given_up: BTreeSet<LineLink>,
    /// The public keys of Ports for many, and for how many their users wanted each, at most.
    many: BTreeMap<PortHash, [u8; 32]>,
    limits: BTreeMap<[u8; 32], u32>,
    /// Under which key a user knows them.
    public_keys: BTreeMap<Key, [u8; 32]>,
    /// Links of which their owner wants no lines at present.
    shut: BTreeSet<LineLink>,
    /// Lines that were confirmed since all stores were last compared.
    confirmed: Vec<(usize, LineId)>,
    packets: BTreeMap<(usize, LineId, Nonce), Vec<u8>>,
    said: BTreeMap<Vec<u8>, (usize, LineId)>,
    heard: BTreeSet<(usize, Vec<u8>)>,
    /// Who made the ticket of this name. No two have the same.
    introducers: BTreeMap<String, (usize, Key)>,
    /// Who was let in by it at its maker's.
    introduced: BTreeMap<(usize, String), Claims>,
    /// Whose Ports are over, or withdrawn.
    over: BTreeSet<(usize, LineLink)>,
    /// The first 16 bytes of each.
    secrets: BTreeSet<[u8; 16]>,
    rolled_back: BTreeSet<usize>,
}

impl Witness {
    /// Randomness for a machine. Its private key is a secret, and so is a Port's RAD.
    pub(super) fn gave(&mut self, seed: &[u8; 64], makes: Option<&Offer>) {
        let makes_port = makes.is_some();
        if let ([private_key, _, rad, _], _) = seed.as_chunks() {
            self.secrets.insert(*private_key);
            self.secrets.extend(makes_port.then_some(*rad));
        }
        if makes_port {
            // As a Port for many makes them of it.
            let (private_key, rad, request_id, _) = Seed::from_bytes(seed).expand();
            self.secrets.extend(private_key.expose().first_chunk());
            self.secrets.insert(*rad.expose());
            let key = Key::Request(RequestId::from(*request_id.expose()));
            self.public_keys.insert(key, *PrivateKey::new(private_key).public_key().as_bytes());
            makes.iter().for_each(|offer| self.allows(key, offer.policy.limit()));
        }
    }

    /// A contact port is shown by others than its maker.
    pub(super) fn shows(&mut self, who: usize, port: &Port) {
        if port.ticket().is_none() {
            self.makes(who, port);
        }
    }

    /// From now on its counters and what it heard may repeat (§11), and so may the lines of Ports that it used. Those of
    /// Ports that it made may not.
    pub(super) fn rolled_back(&mut self, who: usize) {
        self.rolled_back.insert(who);
        self.records.retain(|(of, _), _| *of != who);
        self.alive.retain(|(of, _)| *of != who);
        self.over.retain(|(of, _)| *of != who);
    }

    pub(super) fn says(&mut self, who: usize, line_id: LineId, text: &[u8]) {
        self.said.insert(text.to_vec(), (who, line_id));
    }

    pub(super) fn lines_of(&self, who: usize) -> impl Iterator<Item = LineId> {
        self.lines.keys().filter(move |(of, _)| *of == who).map(|(_, line_id)| *line_id)
    }

    /// Looks through the store of one client, at what has changed.
    pub(super) fn looks(&mut self, who: usize, records: &[Vec<u8>]) -> Result<(), Violation> {
        let mut new_alices = 0_usize;
        let mut over = Vec::new();
        for record in records {
            if self.records.iter().any(|((of, _), seen)| *of == who && seen == record) {
                continue;
            }
            let machine = Any::restore(record).ok_or(Violation::BadRecord(who))?;
            let before = self.records.insert((who, machine.key()), record.clone());
            let before = before.and_then(|record| Any::restore(&record));
            match before {
                None => new_alices = new_alices.saturating_add(matches!(machine, Any::Alice(_)).into()),
                Some(before) if before.may_be_deleted() => {
                    // What is over stays over.
                    if !machine.is_over() {
                        self.forgets(who, &before);
                    }
                }
                Some(before) if machine.revision() < before.revision() => return Err(Violation::WentBack(who)),
                Some(before) if !is_same(&before, &machine) => return Err(Violation::Overwritten(who)),
                Some(_) => {}
            }
            if !machine.is_over() && !self.alive.insert((who, record.clone())) {
                return Err(Violation::WentBack(who));
            }
            match machine {
                Any::Line(line) => self.sees(who, &line, record)?,
                Any::Bob(bob) => self.sees_bob(who, &bob),
                Any::Alice(alice) => {
                    self.sees_alice(who, &alice)?;
                    over.extend(matches!(alice.phase(), AlicePhase::Ended(_)).then(|| alice.key()));
                }
                Any::Introducer(_) => {}
            }
        }
        // From now on.
        over.into_iter().for_each(|key| self.withdraws(who, key));
        self.misses(who, records, new_alices)
    }

    /// What is gone: what may be deleted (§8.3), or an Alice who has her link now, and with it another key (§8.2).
    fn misses(&mut self, who: usize, records: &[Vec<u8>], mut new_alices: usize) -> Result<(), Violation> {
        let gone = self.records.iter().filter(|((of, _), seen)| *of == who && !records.contains(seen));
        let gone: Vec<_> = gone.map(|(name, _)| *name).collect();
        for name in gone {
            let Some(machine) = self.records.remove(&name).and_then(|record| Any::restore(&record)) else { continue };
            match machine.key() {
                _ if machine.may_be_deleted() => self.forgets(who, &machine),
                Key::Request(_) if new_alices > 0 => new_alices = new_alices.saturating_sub(1),
                _ => return Err(Violation::WentBack(who)),
            }
        }
        Ok(())
    }

    /// §8.3: what is dead may be deleted. Then a Bob can scan his Port again.
    fn forgets(&mut self, who: usize, machine: &Any) {
        if let (Any::Bob(_), Key::LineLink(line_link)) = (machine, machine.key()) {
            self.forgotten.insert((who, line_link));
        }
        // What was granted once may be granted again.
        if let (Any::Introducer(_), key) = (machine, machine.key()) {
            self.alive.retain(|(of, record)| *of != who || Any::restore(record).is_none_or(|it| it.key() != key));
        }
    }

    fn sees_bob(&mut self, who: usize, bob: &Bob) {
        let Key::LineLink(line_link) = bob.key() else { return };
        if let BobPhase::Ended(BobEnd::Cancelled | BobEnd::Expired) = bob.phase() {
            self.given_up.insert(line_link);
        }
        // His own Port: the Alice who had its key is gone.
        if self.makers.values().any(|made| *made == (who, line_link)) {
            self.forgotten.insert((who, line_link));
        }
    }

    fn sees(&mut self, who: usize, line: &Line, record: &[u8]) -> Result<(), Violation> {
        if line.phase() != LinePhase::AwaitingProof && !line.is_early() && self.holds_secret(record) {
            return Err(Violation::Secret(who));
        }
        let claims = line.claims();
        let port = line.port();
        let name = (who, claims.line_id);
        let new = Seen::of(line);
        if !self.lines.contains_key(&name) && self.is_over(who, port) {
            return Err(Violation::AfterWithdrawal(who));
        }
        let seen = self.lines.entry(name).or_insert_with(|| new.clone());
        if seen.may_become(&new) {
            seen.code = seen.code.or(new.code);
            seen.early = seen.early.take().or(new.early);
        } else {
            // The other was deleted, or rolled back: else it was `Overwritten`.
            *seen = new;
            self.packets.retain(|(of, line_id, ..), _| (*of, *line_id) != name);
        }
        if line.phase() == LinePhase::Confirmed && !seen.confirmed {
            seen.confirmed = true;
            self.confirmed.push(name);
        }
        self.sees_introduced(who, line)?;
        if self.many.contains_key(&port) && self.makers.get(&port).is_some_and(|(maker, _)| *maker == who) {
            let proof = line.proof().map(|proof| (who, port, proof));
            if proof.is_some_and(|proof| *self.by_proof.entry(proof).or_insert(claims) != claims) {
                return Err(Violation::SecondLine(who));
            }
            return self.counts(who, port);
        }
        let first = *self.first.entry((who, port)).or_insert(claims);
        if first == claims || self.may_have_two(who, port) { Ok(()) } else { Err(Violation::SecondLine(who)) }
    }

    /// Whether he does not know any more what became of a Port, so that a line of it may have another's name.
    fn has_forgotten(&self, who: usize, port: PortHash) -> bool {
        let used = self.makers.get(&port).is_some_and(|(_, line_link)| self.forgotten.contains(&(who, *line_link)));
        used || self.rolled_back.contains(&who)
    }

    /// A Bob who has forgotten that he used it.
    fn may_have_two(&self, who: usize, port: PortHash) -> bool {
        match self.makers.get(&port) {
            Some((maker, line_link)) if *maker == who => self.forgotten.contains(&(who, *line_link)),
            _ => self.has_forgotten(who, port),
        }
    }

    /// The other end of this line, wherever it is stored, and however it is called there. One that was over before it could be
    /// seen joined is known by its name, and so is one that may have been given to another line since.
    fn other_end(&self, who: usize, line_id: LineId) -> Option<(usize, LineId, &Seen)> {
        let seen = self.lines.get(&(who, line_id))?;
        let has_keys = |of: usize, other: &Seen| {
            if self.has_forgotten(of, other.port) { None } else { seen.has_keys_of(other) }
        };
        let is_other = |(of, named): &(usize, LineId), other: &Seen| {
            let by_name = *named == line_id && other.port == seen.port;
            *of != who && has_keys(*of, other).unwrap_or(by_name)
        };
        let others = self.lines.iter().filter(|(name, other)| is_other(name, other));
        // Two users of a Port for many may have been told one name.
        let best = others.max_by_key(|((of, _), other)| has_keys(*of, other));
        best.map(|((of, line_id), other)| (*of, *line_id, other))
    }

    /// Looks at both ends of every line that was confirmed of late.
    pub(super) fn compares(&mut self) -> Result<(), Violation> {
        for (who, line_id) in mem::take(&mut self.confirmed) {
            let seen = self.lines.get(&(who, line_id));
            let same = self.other_end(who, line_id).is_some_and(|(of, named, other)| {
                let joined = match other.code {
                    None => self.has_sealed(of, named),
                    code => seen.is_some_and(|seen| seen.code == code),
                };
                let agree = joined && seen.is_some_and(|seen| seen.is_of_same(other));
                named == line_id && (agree || self.has_forgotten(of, other.port))
            });
            if !same {
                return Err(Violation::ConfirmedAlone(who));
            }
        }
        Ok(())
    }

    /// Whether it was joined, though nobody looked before it was over.
    fn has_sealed(&self, who: usize, line_id: LineId) -> bool {
        self.packets.keys().any(|(of, named, ..)| (*of, *named) == (who, line_id))
    }

    /// After everybody has tried again: every line that is open is confirmed at both ends, nobody waits for a line, and
    /// nothing is left to say (§6.5).
    pub(super) fn finds_lost(&self, stores: &[Vec<Vec<u8>>]) -> Result<(), Violation> {
        let lines: BTreeMap<_, _> = lines_in(stores).map(|(who, line)| ((who, line.claims().line_id), line)).collect();
        for ((who, line_id), line) in lines.iter().filter(|(_, line)| line.phase() != LinePhase::Closed) {
            let other = self.other_end(*who, *line_id);
            if other.is_none() && self.is_given_up(line) || self.has_forgotten(*who, line.port()) {
                continue;
            }
            let other = other.and_then(|(who, line_id, _)| lines.get(&(who, line_id)));
            // Somebody waits for her user's word (§14.5).
            if [Some(line), other].into_iter().flatten().any(|line| line.phase() == LinePhase::Asked) {
                continue;
            }
            let both = [Some(line), other].map(|line| line.map(Line::phase));
            if both != [Some(LinePhase::Confirmed); 2] || line.unsent().next().is_some() {
                return Err(Violation::Lost(*who));
            }
        }
        for (who, records) in stores.iter().enumerate() {
            let waits = |record: &Vec<u8>| match Any::restore(record) {
                Some(Any::Bob(bob)) => bob.phase() == BobPhase::Connecting && !self.is_shut(&bob),
                Some(Any::Alice(alice)) => alice.phase() == AlicePhase::Requesting,
                _ => false,
            };
            if records.iter().any(waits) {
                return Err(Violation::Lost(who));
            }
        }
        Ok(())
    }

    /// He may try again later (§5.4).
    fn is_shut(&self, bob: &Bob) -> bool {
        matches!(bob.key(), Key::LineLink(line_link) if self.shut.contains(&line_link))
    }

    /// A Bob who gives up never hears of his line if the reply is lost, and has no line to close. For its Alice he is one who is
    /// offline (§6.6): her user may close it.
    fn is_given_up(&self, line: &Line) -> bool {
        self.makers.get(&line.port()).is_some_and(|(_, line_link)| self.given_up.contains(line_link))
    }

    pub(super) fn sends(&mut self, who: usize, bytes: &[u8]) -> Result<(), Violation> {
        let request = Request::decode(bytes).map_err(|_| Violation::BadRequest(who))?;
        if self.holds_secret(bytes) {
            return Err(Violation::Secret(who));
        }
        if let Request::SetLineLink { line_link, admits, .. } = request {
            if admits == Admits::Nobody {
                self.shut.insert(line_link)
            } else {
                self.shut.remove(&line_link)
            };
        }
        let Request::Packet { line_id, payload } = request else { return Ok(()) };
        if !self.lines.contains_key(&(who, line_id)) {
            return Err(Violation::SentBeforeStored(who));
        }
        if let Ok(Payload::Sealed { nonce, .. }) = Payload::decode(payload)
            && self.packets.entry((who, line_id, nonce)).or_insert_with(|| payload.to_vec()) != payload
            && !self.rolled_back.contains(&who)
        {
            return Err(Violation::CounterTwice(who));
        }
        Ok(())
    }

    pub(super) fn hears(&mut self, who: usize, line_id: LineId, text: &[u8]) -> Result<(), Violation> {
        let said = self.said.get(text);
        let other = self.other_end(who, line_id).map(|(who, line_id, _)| (who, line_id));
        if said.is_none() || said.copied() != other {
            return Err(Violation::HeardUnsaid(who));
        }
        if !self.heard.insert((who, text.to_vec())) && !self.rolled_back.contains(&who) {
            return Err(Violation::HeardTwice(who));
        }
        Ok(())
    }

    fn holds_secret(&self, bytes: &[u8]) -> bool {
        bytes.windows(16).any(|window| window.try_into().is_ok_and(|window: [u8; 16]| self.secrets.contains(&window)))
    }
}

/// Whether the later may be what the earlier, of the same key, has become.
fn is_same(earlier: &Any, later: &Any) -> bool {
    let may_become = match (earlier, later) {
        (Any::Line(earlier), Any::Line(later)) => Seen::of(earlier).may_become(&Seen::of(later)),
        (Any::Alice(_), Any::Alice(_)) | (Any::Bob(_), Any::Bob(_)) | (Any::Introducer(_), Any::Introducer(_)) => true,
        _ => false,
    };
    // No two records of one machine have one revision.
    may_become && earlier.revision() < later.revision()
}

fn lines_in(stores: &[Vec<Vec<u8>>]) -> impl Iterator<Item = (usize, Line)> {
    let of = |(who, records): (usize, &'_ Vec<Vec<u8>>)| -> Vec<(usize, Line)> {
        records.iter().filter_map(|record| Some((who, Line::restore(record).ok()?))).collect()
    };
    stores.iter().enumerate().flat_map(of)
}

mod owners;
#[cfg(test)]
mod tests;
