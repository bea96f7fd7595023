//! Store: a store as §8.2, §8.4 and §16.4 want it, in memory; and the faults that one may have.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

use crate::{
    Expected, LineId, LineLink, OnDuplicate, Received, RecordKey, ReplayMark, Row, TicketHash, TicketNotice,
    UnixSeconds, Write,
};

/// What a store, and the client on it, does wrong. Each fault leaves out one thing that stands between a crash, an old backup, or a lie,
/// and a broken promise. Plant one, and the kit finds it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreFaults {
    /// It compares nothing: it writes over whatever a key holds, and ignores [`Row::expected`] (§8.2).
    pub overwrites: bool,
    /// It does not keep the mark of [`Write::unique`] (§8.4).
    pub forgets_marks: bool,
    /// It does not delete the row of a used ticket, [`Write::consumes`] (§16.4).
    pub keeps_used_tickets: bool,
    /// It keeps [`Write::received`] in a second transaction, after the one with the row. A crash between the two loses what was
    /// received: the machine has taken the packet, and refuses it when it comes again (§8.1).
    pub splits_received: bool,
    /// After a restore from a backup it leaves every Port of the backup open (§11).
    pub keeps_restored_ports: bool,
    /// It leaves a contact port open when the line with the introducer is over (§16.6).
    pub keeps_orphaned_ports: bool,
    /// It drops what comes of a line that it has no record of, and does not leave that line (§8.3). The far end waits.
    pub ignores_unknown_lines: bool,
    /// It takes each line that it has a record of for one of the Port that the event is for (§4.3, §5.3).
    pub believes_any_line: bool,
}

impl StoreFaults {
    /// A store, and a client, as SPEC.md wants them.
    pub const NONE: Self = Self {
        overwrites: false,
        forgets_marks: false,
        keeps_used_tickets: false,
        splits_received: false,
        keeps_restored_ports: false,
        keeps_orphaned_ports: false,
        ignores_unknown_lines: false,
        believes_any_line: false,
    };
    /// Everything wrong at once.
    pub const ALL: Self = Self {
        overwrites: true,
        forgets_marks: true,
        keeps_used_tickets: true,
        splits_received: true,
        keeps_restored_ports: true,
        keeps_orphaned_ports: true,
        ignores_unknown_lines: true,
        believes_any_line: true,
    };
}

/// Why the store kept nothing. Drop the step and the machine, and restore what is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The row to be replaced is not there, or is at another revision. Another process moved this machine, or the machine is an old one.
    #[error("the row to be replaced is not there")]
    Moved,
    /// There is a row under this key already.
    #[error("the key is taken")]
    KeyExists,
    /// This use was taken before (§8.4): an old proof came again, or the record that said so was rolled back and the marks were not.
    /// [`OnDuplicate`] says what to do.
    #[error("the mark is there already")]
    Marked(OnDuplicate),
    /// The ticket has no row any more, because it was used (§16.4).
    #[error("the ticket has no row")]
    TicketUsed,
}

/// A table of rows, one of marks, one of tickets (§16.4), one of withdrawn contact ports whose contacts must be told (§16.6), and an
/// inbox of messages that the user has not seen yet. A clone is a backup.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Store {
    rows: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    marks: BTreeSet<ReplayMark>,
    tickets: BTreeMap<TicketHash, TicketNotice>,
    withdrawn: BTreeMap<LineLink, LineId>,
    inbox: VecDeque<(LineId, Vec<u8>)>,
}

// Records hold secrets (§8.7).
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, marks, tickets, withdrawn: _, inbox } = self;
        let (rows, marks, tickets, inbox) = (rows.len(), marks.len(), tickets.len(), inbox.len());
        write!(f, "Store({rows} records, {marks} marks, {tickets} tickets, {inbox} messages)")
    }
}

impl Store {
    /// An empty store.
    pub const fn new() -> Self {
        Self {
            rows: BTreeMap::new(),
            marks: BTreeSet::new(),
            tickets: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            inbox: VecDeque::new(),
        }
    }

    /// Keeps all of a step's write in one transaction, or nothing (§8.1). A received message goes into the inbox.
    /// [`Received::Introducer`] is not kept here: what the other machines write for it is the caller's, in the same transaction.
    ///
    /// # Errors
    /// [`Conflict`], and nothing was kept.
    pub fn keep(&mut self, write: &Write<'_>) -> Result<(), Conflict> {
        self.keep_with(write, StoreFaults::NONE)
    }

    /// [`keep`](Store::keep) by a store with these faults.
    pub(super) fn keep_with(&mut self, write: &Write<'_>, faults: StoreFaults) -> Result<(), Conflict> {
        let unique = write.unique.filter(|_| !faults.forgets_marks);
        let consumes = write.consumes.filter(|_| !faults.keeps_used_tickets);
        if !faults.overwrites {
            self.check(write, unique, consumes)?;
        }
        if let Some(Expected { key, .. }) = write.row.expected {
            self.rows.remove(&key);
        }
        for Row { key, revision, record, .. } in [Some(&write.row), write.new_line.as_ref()].into_iter().flatten() {
            self.rows.insert(*key, (*revision, record.to_vec()));
        }
        self.marks.extend(unique.map(|(mark, _)| mark));
        consumes.and_then(|ticket| self.tickets.remove(&ticket));
        if !faults.splits_received {
            self.receive(write);
        }
        Ok(())
    }

    fn check(
        &self,
        write: &Write<'_>,
        unique: Option<(ReplayMark, OnDuplicate)>,
        consumes: Option<TicketHash>,
    ) -> Result<(), Conflict> {
        let Row { key, expected, .. } = &write.row;
        if let Some(Expected { key, revision }) = expected
            && self.rows.get(key).is_none_or(|(stored, _)| stored != revision)
        {
            return Err(Conflict::Moved);
        }
        if expected.map(|old| old.key) != Some(*key) && self.rows.contains_key(key) {
            return Err(Conflict::KeyExists);
        }
        if write.new_line.as_ref().is_some_and(|line| self.rows.contains_key(&line.key)) {
            return Err(Conflict::KeyExists);
        }
        if let Some((mark, on_duplicate)) = unique
            && self.marks.contains(&mark)
        {
            return Err(Conflict::Marked(on_duplicate));
        }
        if consumes.is_some_and(|ticket| !self.tickets.contains_key(&ticket)) {
            return Err(Conflict::TicketUsed);
        }
        Ok(())
    }

    /// Puts the message that this step received into the inbox. **A fault**, unless it is in the step's own transaction.
    pub(super) fn receive(&mut self, write: &Write<'_>) {
        if let (RecordKey::Line(line_id), Some(Received::Message(text))) = (write.row.key, &write.received) {
            self.inbox.push_back((line_id, text.to_vec()));
        }
    }

    /// Every message that the user has not seen yet, the oldest first.
    pub fn inbox(&self) -> impl Iterator<Item = &(LineId, Vec<u8>)> {
        self.inbox.iter()
    }

    /// Takes the oldest of them out, to show it.
    pub fn take_message(&mut self) -> Option<(LineId, Vec<u8>)> {
        self.inbox.pop_front()
    }

    /// Keeps the row of a ticket, in the transaction of the line's step that received the notice. If the ticket was announced before, by
    /// this contact or another, or was used, the store stays as it is (§16.4).
    pub fn keep_ticket(&mut self, notice: TicketNotice) {
        if !self.marks.contains(&ReplayMark::from(*notice.ticket.as_bytes())) {
            self.tickets.entry(notice.ticket).or_insert(notice);
        }
    }

    /// Deletes the tickets of this contact port, because it was withdrawn (§16.6).
    pub fn delete_tickets(&mut self, line_link: LineLink) {
        self.tickets.retain(|_, notice| notice.line_link != line_link);
    }

    /// Deletes the tickets that have expired, to make room for others (§16.4).
    pub fn delete_expired_tickets(&mut self, now: UnixSeconds) {
        self.tickets.retain(|_, notice| !notice.has_expired(now));
    }

    /// Notes that this contact port is withdrawn: its tickets go, and the contact at the far end of this line must be told. It belongs
    /// into the transaction of the step that revokes the Port, whose record does not say whom to tell (§16.6).
    pub fn withdraw(&mut self, line_link: LineLink, line_id: LineId) {
        self.delete_tickets(line_link);
        self.withdrawn.insert(line_link, line_id);
    }

    /// The withdrawn contact ports whose contacts must still be told, and the lines along which to tell them.
    pub fn withdrawn(&self) -> impl Iterator<Item = (LineLink, LineId)> {
        self.withdrawn.iter().map(|(line_link, line_id)| (*line_link, *line_id))
    }

    /// Forgets a withdrawn contact port: the contact was told, or cannot be told any more.
    pub fn forget_withdrawn(&mut self, line_link: LineLink) {
        self.withdrawn.remove(&line_link);
    }

    /// All tickets that were announced and not used.
    pub fn tickets(&self) -> impl Iterator<Item = &TicketNotice> {
        self.tickets.values()
    }

    /// Deletes this row. The machine must be dead, and its outbox empty (§8.3).
    pub fn delete(&mut self, key: RecordKey) {
        self.rows.remove(&key);
    }

    /// Brings back everything of a backup but the marks, which are kept where a backup does not roll them back.
    pub fn roll_back_records(&mut self, backup: &Self) {
        let marks = core::mem::take(&mut self.marks);
        *self = Self { marks, ..backup.clone() };
    }

    /// The record under this key.
    pub fn get(&self, key: RecordKey) -> Option<&[u8]> {
        self.rows.get(&key).map(|(_, record)| record.as_slice())
    }

    /// All records, in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.values().map(|(_, record)| record.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alice, Event, NoPeers, PortOptions, Seed, UnixSeconds};
    use chacha20::ChaCha8Rng;
    use rand_core::SeedableRng;

    /// §8.3: all of it, or nothing.
    #[test]
    fn a_line_whose_name_is_taken_is_not_stored_nor_is_what_it_came_with() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut store = Store::new();
        let mut alices = [1, 2].map(|n: u8| {
            let created = Alice::offer([n; 16].into(), PortOptions::new(), Seed::from_bytes(&[n; 64]));
            (n, created.store(|write| store.keep(write)).unwrap())
        });
        let mut outcomes = Vec::new();
        for (n, alice) in &mut alices {
            let before = store.clone();
            let (line_link, line_id, peer) = ([*n; 16].into(), [9; 16].into(), [9; 32].into());
            let event = Event::LineFormed { line_link, line_id, peer, proof: None };
            let step = alice.handle(&event, &NoPeers, UnixSeconds::default(), &mut rng).unwrap();
            let outcome = store.keep(&step.write());
            assert_eq!(outcome.is_err(), store == before);
            outcomes.push(outcome);
        }
        assert_eq!(outcomes, [Ok(()), Err(Conflict::KeyExists)]);
    }
}
