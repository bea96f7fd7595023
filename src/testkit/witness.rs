//! What holds whatever the relay does and whoever dies when, as seen from above: by somebody who sees every store.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use thiserror::Error;

use self::owners::{Made, Wish};
use super::machine::Any;
use crate::{
    Admission, AlicePhase, Bob, BobPhase, Line, LineId, LineLink, LinePhase, Machine, Nonce, PairHash, Payload, Policy,
    PortHash, RecordKey, RelayClaims, Request, RequestId, Secret, UnixSeconds, UseOutcome,
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
    /// §16.4: more rows of one contact port than an introducer may leave.
    #[error("client {0} holds too many tickets of one introducer")]
    TooManyTickets(usize),
    /// §4.4, §16.6: a line of a Port that was over, or withdrawn, before; or of a contact port whose introducer's line was over.
    #[error("client {0} let in somebody by a Port that it had withdrawn")]
    AfterWithdrawal(usize),
    /// §4.3, §14.1, §16.4: a line of a Port, or by a ticket, that had expired.
    #[error("client {0} has a line of a Port, or by a ticket, that had expired")]
    AfterExpiry(usize),
    /// §14.4: a line of a Port that was paused.
    #[error("client {0} let in somebody while its Port was paused")]
    WhilePaused(usize),
    /// §14.5: a line of a Port that asks goes on, and nobody said so.
    #[error("client {0} let in somebody without its user's word")]
    NotAsked(usize),
    /// §14.2, §16.6: a policy changed to what its user did not set, at least not of this Port.
    #[error("client {0} changed a policy by itself")]
    PolicyMoved(usize),
    /// §15.4: more Ports of a link, those to come of a pool that has it included, than there were requests that it was issued for.
    #[error("client {0} has two Ports of one link, or a Port of a link that its pool has still")]
    LinkTwice(usize),
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
    first: BTreeMap<(usize, PortHash), RelayClaims>,
    /// The same of each proof of a Port for many.
    by_proof: BTreeMap<(usize, PortHash, [u8; 32]), RelayClaims>,
    /// What users gave up.
    unwanted: BTreeSet<(usize, RecordKey)>,
    /// What time it is, by every clock.
    pub(super) now: UnixSeconds,
    /// Whose Ports these are.
    makers: BTreeMap<PortHash, Made>,
    /// Each record as it was last seen.
    records: BTreeMap<(usize, RecordKey), Vec<u8>>,
    /// Every record that was ever seen of what was not over: without secrets, two are alike.
    alive: BTreeSet<(usize, Vec<u8>)>,
    /// Who has forgotten that he used these, or made them.
    forgotten: BTreeSet<(usize, LineLink)>,
    /// Links of Ports that a Bob gave up, or had to.
    given_up: BTreeSet<LineLink>,
    /// What their users want of the Ports of these public keys.
    wishes: BTreeMap<[u8; 32], Wish>,
    /// Under which key a user knows them.
    public_keys: BTreeMap<RecordKey, [u8; 32]>,
    /// What the policy of each may be: as it was last seen, or as it was set since.
    policies: BTreeMap<(usize, RecordKey), Vec<Policy>>,
    /// Lines of which the user said that they go on.
    let_in: BTreeSet<(usize, LineId)>,
    /// Every line that was ever seen.
    came: BTreeSet<(usize, LineId, PortHash)>,
    /// Contact ports, and along which lines they were granted.
    contacts: BTreeMap<(usize, LineLink), LineId>,
    /// For which requests this link was issued to this client, and of which public keys it had Ports of it.
    issued: BTreeMap<(usize, LineLink), BTreeSet<RequestId>>,
    offered: BTreeMap<(usize, LineLink), BTreeSet<[u8; 32]>>,
    /// Links of which their owner wants no lines at present.
    shut: BTreeSet<LineLink>,
    /// Lines that were confirmed since all stores were last compared.
    confirmed: Vec<(usize, LineId)>,
    packets: BTreeMap<(usize, LineId, Nonce), Vec<u8>>,
    said: BTreeMap<Vec<u8>, (usize, LineId)>,
    heard: BTreeSet<(usize, Vec<u8>)>,
    /// Who made the ticket of this name. No two have the same.
    introducers: BTreeMap<String, (usize, RecordKey)>,
    /// When it expires.
    expiries: BTreeMap<String, UnixSeconds>,
    /// Who was let in by it at its maker's.
    introduced: BTreeMap<(usize, String), RelayClaims>,
    /// Whose Ports are over, or withdrawn.
    over: BTreeSet<(usize, LineLink)>,
    /// The first 16 bytes of each.
    secrets: BTreeSet<[u8; 16]>,
    rolled_back: BTreeSet<usize>,
}

impl Witness {
    pub(super) fn begins(now: UnixSeconds) -> Self {
        Self { now, ..Self::default() }
    }

    /// From now on its counters and what it heard may repeat (§11), and so may the lines of Ports that it used. Those of
    /// Ports that it made may not.
    pub(super) fn rolled_back(&mut self, who: usize) {
        self.rolled_back.insert(who);
        self.records.retain(|(of, _), _| *of != who);
        self.alive.retain(|(of, _)| *of != who);
        self.over.retain(|(of, _)| *of != who);
        self.policies.retain(|(of, _), _| *of != who);
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
        let mut ended = Vec::new();
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
                    ended.extend(if let AlicePhase::Ended(end) = alice.phase() {
                        Some((alice.key(), end))
                    } else {
                        None
                    });
                }
                Any::Introducer(_) | Any::Pool(_) => {}
            }
        }
        self.misses(who, records, new_alices)?;
        self.ends(who, &ended)?;
        self.hands_out(who)
    }

    /// What is gone: what may be deleted (§8.3), or an Alice who has her link now, and with it another key (§8.2).
    fn misses(&mut self, who: usize, records: &[Vec<u8>], mut new_alices: usize) -> Result<(), Violation> {
        let gone = self.records.iter().filter(|((of, _), seen)| *of == who && !records.contains(seen));
        let gone: Vec<_> = gone.map(|(name, _)| *name).collect();
        for name in gone {
            let Some(machine) = self.records.remove(&name).and_then(|record| Any::restore(&record)) else { continue };
            match machine.key() {
                _ if machine.may_be_deleted() => self.forgets(who, &machine),
                // §15.6.
                RecordKey::Pool(_) if self.unwanted.contains(&name) => {}
                RecordKey::Request(_) if new_alices > 0 => new_alices = new_alices.saturating_sub(1),
                _ => return Err(Violation::WentBack(who)),
            }
        }
        Ok(())
    }

    /// §8.3: what is dead may be deleted. Then a Bob can scan his Port again.
    fn forgets(&mut self, who: usize, machine: &Any) {
        if let (Any::Bob(_), RecordKey::LineLink(line_link)) = (machine, machine.key()) {
            self.forgotten.insert((who, line_link));
        }
        // What was granted once may be granted again.
        if let (Any::Introducer(_), key) = (machine, machine.key()) {
            self.alive.retain(|(of, record)| *of != who || Any::restore(record).is_none_or(|it| it.key() != key));
        }
    }

    fn sees_bob(&mut self, who: usize, bob: &Bob) {
        let RecordKey::LineLink(line_link) = bob.key() else { return };
        if let BobPhase::Ended(UseOutcome::Cancelled | UseOutcome::Expired) = bob.phase() {
            self.given_up.insert(line_link);
        }
        // His own Port: the Alice who had its key is gone.
        if self.has_made(who, line_link) {
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
        self.comes(who, line)?;
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
        if self.is_let_in_unasked(who, line) {
            return Err(Violation::NotAsked(who));
        }
        if self.makers.get(&port).is_some_and(|made| made.by == who && made.kind.is_for_many()) {
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
        let used = self.makers.get(&port).is_some_and(|made| self.forgotten.contains(&(who, made.line_link)));
        used || self.rolled_back.contains(&who)
    }

    /// A Bob who has forgotten that he used it.
    fn may_have_two(&self, who: usize, port: PortHash) -> bool {
        match self.makers.get(&port) {
            Some(made) if made.by == who => self.forgotten.contains(&(who, made.line_link)),
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
            if [Some(line), other].into_iter().flatten().any(|line| line.phase() == LinePhase::AwaitingApproval) {
                continue;
            }
            let both = [Some(line), other].map(|line| line.map(Line::phase));
            if both != [Some(LinePhase::Confirmed); 2] || line.pending().next().is_some() {
                return Err(Violation::Lost(*who));
            }
        }
        for (who, records) in stores.iter().enumerate() {
            let waits = |record: &Vec<u8>| match Any::restore(record) {
                Some(Any::Bob(bob)) => bob.phase() == BobPhase::Connecting && !self.is_shut(&bob),
                Some(Any::Alice(alice)) => alice.phase() == AlicePhase::Requesting,
                Some(Any::Pool(pool)) => pool.asked() > 0,
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
        matches!(bob.key(), RecordKey::LineLink(line_link) if self.shut.contains(&line_link))
    }

    /// A Bob who gives up never hears of his line if the reply is lost, and has no line to close. For its Alice he is one who is
    /// offline (§6.6): her user may close it.
    fn is_given_up(&self, line: &Line) -> bool {
        self.makers.get(&line.port()).is_some_and(|made| self.given_up.contains(&made.line_link))
    }

    pub(super) fn sends(&mut self, who: usize, bytes: &[u8]) -> Result<(), Violation> {
        let request = Request::decode(bytes).map_err(|_| Violation::BadRequest(who))?;
        if self.holds_secret(bytes) {
            return Err(Violation::Secret(who));
        }
        if let Request::SetLineLink { line_link, admits, .. } = request {
            if admits == Admission::Nobody {
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
        (earlier, later) => mem::discriminant(earlier) == mem::discriminant(later),
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

mod guests;
mod owners;
#[cfg(test)]
mod tests;
