//! Witness: it sees every store, and checks what must hold whatever the relay does and whichever process dies when.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use self::owners::{Made, Wish};
use super::machine::AnyMachine;
use super::violation::Violation;
use crate::{
    AlicePhase, Bob, BobPhase, GrantOutcome, IntroducerPhase, Line, LineId, LineLink, LinePhase, Machine, Nonce,
    PeerMark, Policy, PortHash, RecordKey, RelayClaims, RequestId, Secret, UnixSeconds,
};

/// A line that was once stored.
#[derive(Clone, Debug)]
struct Seen {
    port: PortHash,
    peer: PeerMark,
    /// Two ends with the same code have the same transcript and keys (§6.8). `None` before the line is joined.
    code: Option<[u32; 8]>,
    /// The same for a line of a Port for many, until Bob has heard Alice (§14.7).
    early: Option<Secret<32>>,
    confirmed: bool,
}

impl Seen {
    fn of(line: &Line) -> Self {
        let code = line.code().map(|code| *code.groups());
        let early = line.early_key().cloned();
        Self { port: line.port(), peer: line.claims().peer, code, early, confirmed: false }
    }

    /// `None`: nothing tells.
    fn has_keys_of(&self, other: &Self) -> Option<bool> {
        let code = self.code.zip(other.code).map(|(a, b)| a == b);
        code.or_else(|| self.early.as_ref().zip(other.early.as_ref()).map(|(a, b)| a == b))
    }

    fn may_become(&self, later: &Self) -> bool {
        (self.port, self.peer) == (later.port, later.peer)
            && (self.code == later.code || self.code.is_none() || later.code.is_none())
    }
}

#[derive(Clone, Default, Debug)]
pub(super) struct Witness {
    lines: BTreeMap<(usize, LineId), Seen>,
    /// The first line of each Port at each client.
    first: BTreeMap<(usize, PortHash), RelayClaims>,
    /// The first line of each proof of a Port for many.
    by_proof: BTreeMap<(usize, PortHash, [u8; 32]), RelayClaims>,
    /// The machines that users gave up.
    unwanted: BTreeSet<(usize, RecordKey)>,
    /// The time by every clock.
    pub(super) now: UnixSeconds,
    /// The maker of each Port.
    makers: BTreeMap<PortHash, Made>,
    /// Each record as it was last seen.
    records: BTreeMap<(usize, RecordKey), Vec<u8>>,
    /// Each line's record when it last opened what Bob said early.
    early: BTreeMap<(usize, LineId), Vec<u8>>,
    /// Every record of a machine that was not over. Machines that are over have no secrets, so two records of them may be alike.
    alive: BTreeSet<(usize, Vec<u8>)>,
    /// Ports that these clients used or made, and have forgotten.
    forgotten: BTreeSet<(usize, LineLink)>,
    /// Ports that these clients read again, once a use was over (§5.6).
    read_again: BTreeSet<(usize, LineLink)>,
    /// What users want of the Ports of these public keys.
    wishes: BTreeMap<[u8; 32], Wish>,
    /// The public key of the Port of each record.
    public_keys: BTreeMap<RecordKey, [u8; 32]>,
    /// The policies that each Port may have: the one that was last seen, and those that were set since.
    policies: BTreeMap<(usize, RecordKey), Vec<Policy>>,
    /// Lines that the user approved.
    let_in: BTreeSet<(usize, LineId)>,
    /// Every line that was ever seen.
    came: BTreeSet<(usize, LineId, PortHash)>,
    /// The lines along which these clients have heard that a contact port is withdrawn.
    heard_withdrawn: BTreeSet<(usize, LineId)>,
    /// The lines along which contact ports were granted to these clients.
    granted: BTreeSet<(usize, LineId)>,
    /// The line along which each contact port was granted.
    contacts: BTreeMap<(usize, LineLink), LineId>,
    /// The requests for which this link was issued to this client.
    issued: BTreeMap<(usize, LineLink), BTreeSet<RequestId>>,
    /// The public keys of the Ports that this client made of this link.
    offered: BTreeMap<(usize, LineLink), BTreeSet<[u8; 32]>>,
    /// Links whose owner wants no lines at present.
    shut: BTreeSet<LineLink>,
    /// Lines that were confirmed since all stores were last compared.
    confirmed: Vec<(usize, LineId)>,
    /// The first packet under each counter.
    packets: BTreeMap<(usize, LineId, Nonce), Vec<u8>>,
    /// Each message, and the end that says it. No two are alike.
    said: BTreeMap<Vec<u8>, (usize, LineId)>,
    /// The messages that each client has shown.
    heard: BTreeSet<(usize, Vec<u8>)>,
    /// The messages that were acknowledged while they were in an inbox.
    unseen: BTreeSet<(usize, Vec<u8>)>,
    /// The introducer that made the ticket of this name. No two tickets have the same name.
    introducers: BTreeMap<String, (usize, RecordKey)>,
    /// When the ticket of this name expires.
    expiries: BTreeMap<String, UnixSeconds>,
    /// The line that the ticket of this name formed at its Port's maker.
    introduced: BTreeMap<(usize, String), RelayClaims>,
    /// Ports that are over, or withdrawn, by their makers.
    over: BTreeSet<(usize, LineLink)>,
    /// The first 16 bytes of each secret.
    secrets: BTreeSet<[u8; 16]>,
    /// Clients that lost all that they had.
    lost: BTreeSet<usize>,
    /// Clients that restored a backup.
    rolled_back: BTreeSet<usize>,
}

impl Witness {
    pub(super) fn begins(now: UnixSeconds) -> Self {
        Self { now, ..Self::default() }
    }

    /// A backup came back. From now on this client's counters and what it heard may repeat (§11), and so may the lines of Ports that it
    /// used. The lines of Ports that it made may not.
    pub(super) fn rolled_back(&mut self, who: usize) {
        self.rolled_back.insert(who);
        self.records.retain(|(of, _), _| *of != who);
        self.alive.retain(|(of, _)| *of != who);
        self.over.retain(|(of, _)| *of != who);
        self.policies.retain(|(of, _), _| *of != who);
    }

    /// All records of this client are lost. It has forgotten each Port that there was.
    pub(super) fn loses(&mut self, who: usize) {
        self.lost.insert(who);
        self.records.retain(|(of, _), _| *of != who);
        self.alive.retain(|(of, _)| *of != who);
        self.policies.retain(|(of, _), _| *of != who);
        self.unseen.retain(|(of, _)| *of != who);
        self.forgotten.extend(self.makers.values().map(|made| (who, made.line_link)));
    }

    pub(super) fn has_losses(&self) -> bool {
        !self.lost.is_empty()
    }

    pub(super) fn lines_of(&self, who: usize) -> impl Iterator<Item = LineId> {
        self.lines.keys().filter(move |(of, _)| *of == who).map(|(_, line_id)| *line_id)
    }

    /// Looks at what has changed in the store of one client.
    pub(super) fn looks(&mut self, who: usize, records: &[Vec<u8>]) -> Result<(), Violation> {
        let mut new_alices = 0_usize;
        let mut ended = Vec::new();
        let mut formed = Vec::new();
        for record in records {
            if self.records.iter().any(|((of, _), seen)| *of == who && seen == record) {
                continue;
            }
            let machine = AnyMachine::restore(record).ok_or(Violation::BadRecord(who))?;
            let before = self.records.insert((who, machine.key()), record.clone());
            let before = before.and_then(|record| AnyMachine::restore(&record));
            match before {
                None => new_alices = new_alices.saturating_add(matches!(machine, AnyMachine::Alice(_)).into()),
                Some(before) if before.may_be_deleted() => match (&before, &machine) {
                    // A machine that is over stays over.
                    (_, after) if after.is_over() => {}
                    // It remembers its row's revision. One that was made anew does not.
                    (AnyMachine::Bob(before), AnyMachine::Bob(after)) if after.revision() > before.revision() => {
                        self.reads_again(who, after);
                    }
                    _ => self.forgets(who, &before),
                },
                Some(before) if machine.revision() < before.revision() => return Err(Violation::WentBack(who)),
                Some(before) if !is_same(&before, &machine) => return Err(Violation::Overwritten(who)),
                Some(_) => {}
            }
            if !machine.is_over() && !self.alive.insert((who, record.clone())) {
                return Err(Violation::WentBack(who));
            }
            match machine {
                AnyMachine::Line(line) => self.sees(who, &line, record)?,
                AnyMachine::Bob(bob) => {
                    self.sees_bob(who, &bob);
                    formed.extend(if let BobPhase::Formed(line_id) = bob.phase() {
                        Some((bob.key(), line_id))
                    } else {
                        None
                    });
                }
                AnyMachine::Alice(alice) => {
                    self.sees_alice(who, &alice)?;
                    formed.extend(if let AlicePhase::Formed(line_id) = alice.phase() {
                        Some((alice.key(), line_id))
                    } else {
                        None
                    });
                    ended.extend(if let AlicePhase::Ended(end) = alice.phase() {
                        Some((alice.key(), end))
                    } else {
                        None
                    });
                }
                AnyMachine::Introducer(introducer) => {
                    if let RecordKey::Introducer(line_id) = introducer.key() {
                        self.granted.insert((who, line_id));
                        if introducer.phase() == IntroducerPhase::Ended(GrantOutcome::Withdrawn) {
                            self.heard_withdrawn.insert((who, line_id));
                        }
                    }
                }
                AnyMachine::Pool(_) => {}
            }
        }
        if formed.into_iter().any(|(port, line_id)| self.is_of_another(who, port, line_id)) {
            return Err(Violation::ForeignLine(who));
        }
        self.misses(who, records, new_alices)?;
        self.ends(who, &ended)?;
        self.hands_out(who)
    }

    /// Looks at the records that are gone. Each may be deleted (§8.3), or is of an Alice that has its link now, and so another key (§8.2).
    fn misses(&mut self, who: usize, records: &[Vec<u8>], mut new_alices: usize) -> Result<(), Violation> {
        let gone = self.records.iter().filter(|((of, _), seen)| *of == who && !records.contains(seen));
        let gone: Vec<_> = gone.map(|(name, _)| *name).collect();
        for name in gone {
            let Some(machine) = self.records.remove(&name).and_then(|record| AnyMachine::restore(&record)) else {
                continue;
            };
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

    /// §8.3: a record of a dead machine may be deleted. Then a Bob can scan the Port again.
    fn forgets(&mut self, who: usize, machine: &AnyMachine) {
        if let (AnyMachine::Bob(_), RecordKey::LineLink(line_link)) = (machine, machine.key()) {
            self.forgotten.insert((who, line_link));
        }
        // A contact port that was granted once may be granted again.
        if let (AnyMachine::Introducer(_), key) = (machine, machine.key()) {
            self.alive
                .retain(|(of, record)| *of != who || AnyMachine::restore(record).is_none_or(|it| it.key() != key));
        }
    }

    /// §5.6: the second use may form a line of its own.
    fn reads_again(&mut self, who: usize, bob: &Bob) {
        if let RecordKey::LineLink(line_link) = bob.key() {
            self.read_again.insert((who, line_link));
        }
    }

    fn sees_bob(&mut self, who: usize, bob: &Bob) {
        let RecordKey::LineLink(line_link) = bob.key() else { return };
        // The user's own Port: the Alice that had its key is gone.
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
        if line.early_key().is_some() {
            self.early.insert(name, record.to_vec());
        }
        let seen = self.lines.entry(name).or_insert_with(|| new.clone());
        if seen.may_become(&new) {
            seen.code = seen.code.or(new.code);
            seen.early = seen.early.take().or(new.early);
        } else {
            // The line before was deleted, or rolled back. Otherwise it was `Overwritten`.
            *seen = new;
            self.packets.retain(|(of, line_id, ..), _| (*of, *line_id) != name);
        }
        if line.phase() == LinePhase::Confirmed && !seen.confirmed {
            seen.confirmed = true;
            self.confirmed.push(name);
        }
        self.sees_introduced(who, line)?;
        if self.is_let_in_unapproved(who, line) {
            return Err(Violation::NotApproved(who));
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

    /// Whether this client has forgotten what became of a Port, so that a line of it may have another line's name.
    fn has_forgotten(&self, who: usize, port: PortHash) -> bool {
        let used = self.makers.get(&port).is_some_and(|made| self.forgotten.contains(&(who, made.line_link)));
        used || self.rolled_back.contains(&who)
    }

    /// Whether this client may have a second line of a Port, because a Bob has forgotten the first, or has read the Port again.
    fn may_have_two(&self, who: usize, port: PortHash) -> bool {
        match self.makers.get(&port) {
            Some(made) if made.by == who => self.forgotten.contains(&(who, made.line_link)),
            Some(made) if self.read_again.contains(&(who, made.line_link)) => true,
            _ => self.has_forgotten(who, port),
        }
    }

    /// The other end of this line, wherever it is stored, and whatever its name is there. If it was over before it was seen joined, or
    /// if its name may belong to another line now, it is found by its name.
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
        // The relay may have told one name to two users of a Port for many.
        let best = others.max_by_key(|((of, _), other)| has_keys(*of, other));
        best.map(|((of, line_id), other)| (*of, *line_id, other))
    }

    /// Looks at both ends of each line that was confirmed since the last time.
    pub(super) fn compares(&mut self) -> Result<(), Violation> {
        for (who, line_id) in mem::take(&mut self.confirmed) {
            let seen = self.lines.get(&(who, line_id));
            let same = self.other_end(who, line_id).is_some_and(|(of, named, other)| {
                let joined = match other.code {
                    None => self.has_sealed(of, named),
                    code => seen.is_some_and(|seen| seen.code == code),
                };
                let agree = joined && seen.is_some_and(|seen| seen.port == other.port);
                named == line_id && (agree || self.has_forgotten(of, other.port))
            });
            if !same {
                return Err(Violation::ConfirmedAlone(who));
            }
        }
        Ok(())
    }

    /// Whether this line was joined, though it was over before the kit looked.
    fn has_sealed(&self, who: usize, line_id: LineId) -> bool {
        self.packets.keys().any(|(of, named, ..)| (*of, *named) == (who, line_id))
    }

    /// After each client has tried again: every open line is confirmed at both ends, no machine waits for a line, and no line has
    /// anything pending (§6.5).
    pub(super) fn finds_lost(&self, stores: &[Vec<Vec<u8>>]) -> Result<(), Violation> {
        let lines: BTreeMap<_, _> = lines_in(stores).map(|(who, line)| ((who, line.claims().line_id), line)).collect();
        for ((who, line_id), line) in lines.iter().filter(|(_, line)| line.phase() != LinePhase::Closed) {
            if self.has_forgotten(*who, line.port()) {
                continue;
            }
            let other = self.other_end(*who, *line_id);
            let other = other.and_then(|(who, line_id, _)| lines.get(&(who, line_id)));
            // A visitor waits for approval (§14.5).
            if [Some(line), other].into_iter().flatten().any(|line| line.phase() == LinePhase::AwaitingApproval) {
                continue;
            }
            let both = [Some(line), other].map(|line| line.map(Line::phase));
            if both != [Some(LinePhase::Confirmed); 2] || line.pending().next().is_some() {
                return Err(Violation::Lost(*who));
            }
        }
        for (who, records) in stores.iter().enumerate() {
            let waits = |record: &Vec<u8>| match AnyMachine::restore(record) {
                Some(AnyMachine::Bob(bob)) => bob.phase() == BobPhase::Connecting && !self.is_shut(&bob),
                Some(AnyMachine::Alice(alice)) => alice.phase() == AlicePhase::Requesting,
                Some(AnyMachine::Pool(pool)) => pool.requested() > 0,
                _ => false,
            };
            if records.iter().any(waits) {
                return Err(Violation::Lost(who));
            }
        }
        Ok(())
    }

    /// Whether the Port takes nobody at present: Bob may try again later (§5.4).
    fn is_shut(&self, bob: &Bob) -> bool {
        matches!(bob.key(), RecordKey::LineLink(line_link) if self.shut.contains(&line_link))
    }
}

/// Whether the earlier machine may have become the later one. Both have the same key.
fn is_same(earlier: &AnyMachine, later: &AnyMachine) -> bool {
    let may_become = match (earlier, later) {
        (AnyMachine::Line(earlier), AnyMachine::Line(later)) => Seen::of(earlier).may_become(&Seen::of(later)),
        (earlier, later) => mem::discriminant(earlier) == mem::discriminant(later),
    };
    // Two records of one machine never have the same revision.
    may_become && earlier.revision() < later.revision()
}

fn lines_in(stores: &[Vec<Vec<u8>>]) -> impl Iterator<Item = (usize, Line)> {
    let of = |(who, records): (usize, &'_ Vec<Vec<u8>>)| -> Vec<(usize, Line)> {
        records.iter().filter_map(|record| Some((who, Line::restore(record).ok()?))).collect()
    };
    stores.iter().enumerate().flat_map(of)
}

mod ghosts;
mod guests;
mod messages;
mod owners;
#[cfg(test)]
mod tests;
mod told;
