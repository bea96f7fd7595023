//! A store as §8.2, §8.4 and §16.4 want it, in memory.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

use crate::{
    Created, Expected, LineId, LineLink, Machine, OnDuplicate, RecordKey, ReplayMark, Row, Step, TicketHash,
    TicketNotice, UnixSeconds,
};

/// What a step or a birth asks of the store, in one transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// Where the record goes.
    pub key: RecordKey,
    /// The record's revision.
    pub revision: u64,
    /// The record.
    pub record: Vec<u8>,
    /// The record whose place it takes; `None`: the key must be free.
    pub replaces: Option<Expected>,
    /// The mark to insert as unique.
    pub once: Option<ReplayMark>,
    /// What to do if it is there already.
    pub taken: Option<OnDuplicate>,
    /// The ticket whose row is deleted (§16.4).
    pub strikes: Option<TicketHash>,
    /// A new line: its key, which must be free, and its record (§8.3).
    pub line: Option<(RecordKey, Vec<u8>)>,
}

// Records hold secrets (§8.7).
impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, revision, record: _, replaces, once, taken, strikes, line } = self;
        let mut put = f.debug_struct("Put");
        put.field("key", key)
            .field("revision", revision)
            .field("replaces", replaces)
            .field("once", once)
            .field("taken", taken)
            .field("strikes", strikes)
            .field("line", &line.as_ref().map(|(key, _)| key));
        put.finish_non_exhaustive()
    }
}

impl Put {
    /// What a step asks.
    pub fn step<M: Machine>(step: &Step<'_, M>) -> Self {
        let (key, record) = (step.key(), step.record().to_vec());
        Self {
            key,
            revision: step.revision(),
            record,
            replaces: step.replaces(),
            once: step.once(),
            taken: step.taken(),
            strikes: step.strikes(),
            line: step.line().map(|line| (line.key(), line.record().to_vec())),
        }
    }

    /// What a birth asks.
    pub fn birth<M: Machine>(born: &Created<M>) -> Self {
        let Row { key, revision, record, replaces } = born.row();
        Self { key, revision, record: record.to_vec(), replaces, once: None, taken: None, strikes: None, line: None }
    }
}

/// Why the store kept nothing. Drop the step and the machine, and restore what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The record to be replaced is not there, or at another revision: somebody else moved this machine, or it is an old one.
    #[error("the record to be replaced is not there")]
    Moved,
    /// Something is under this key already.
    #[error("the key is taken")]
    KeyExists,
    /// This use was taken before (§8.4): the record that said so was rolled back, and the marks were not; or an old proof came
    /// again. What to do stands with [`OnDuplicate`].
    #[error("the mark is there already")]
    Marked(OnDuplicate),
    /// The ticket has no row any more: it was used (§16.4).
    #[error("the ticket has no row")]
    Struck,
}

/// One table of records, one of marks, one of tickets (§16.4) and one of contacts who are to be told that their right is withdrawn
/// (§16.6). A clone is a backup.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Store {
    records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    marks: BTreeSet<ReplayMark>,
    tickets: BTreeMap<TicketHash, TicketNotice>,
    withdrawn: BTreeMap<LineLink, LineId>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, marks, tickets, withdrawn: _ } = self;
        write!(f, "Store({} records, {} marks, {} tickets)", records.len(), marks.len(), tickets.len())
    }
}

impl Store {
    /// Empty.
    pub const fn new() -> Self {
        Self { records: BTreeMap::new(), marks: BTreeSet::new(), tickets: BTreeMap::new(), withdrawn: BTreeMap::new() }
    }

    /// All of it, or nothing (§8.2, §8.4).
    ///
    /// # Errors
    /// [`Conflict`], and nothing was kept.
    pub fn put(&mut self, put: Put) -> Result<(), Conflict> {
        if let Some(Expected { key, revision }) = put.replaces
            && self.records.get(&key).is_none_or(|(stored, _)| *stored != revision)
        {
            return Err(Conflict::Moved);
        }
        if put.replaces.map(|old| old.key) != Some(put.key) && self.records.contains_key(&put.key) {
            return Err(Conflict::KeyExists);
        }
        if put.line.as_ref().is_some_and(|(key, _)| self.records.contains_key(key)) {
            return Err(Conflict::KeyExists);
        }
        if let (Some(mark), Some(taken)) = (put.once, put.taken)
            && self.marks.contains(&mark)
        {
            return Err(Conflict::Marked(taken));
        }
        if put.strikes.is_some_and(|ticket| !self.tickets.contains_key(&ticket)) {
            return Err(Conflict::Struck);
        }
        self.overwrite(put);
        Ok(())
    }

    /// What a store does that looks at nothing. **A bug**, to be found.
    pub fn overwrite(&mut self, put: Put) {
        if let Some(Expected { key, .. }) = put.replaces {
            self.records.remove(&key);
        }
        self.records.insert(put.key, (put.revision, put.record));
        self.records.extend(put.line.map(|(key, record)| (key, (0, record))));
        self.marks.extend(put.once);
        put.strikes.and_then(|ticket| self.tickets.remove(&ticket));
    }

    /// Keeps the row of a ticket, in the transaction of the line's step that told of it; unless she was told before, or another
    /// contact told her, or it was used (§16.4).
    pub fn tell(&mut self, told: TicketNotice) {
        if !self.marks.contains(&ReplayMark::from(*told.ticket.as_bytes())) {
            self.tickets.entry(told.ticket).or_insert(told);
        }
    }

    /// The rows of this contact port go, for it was withdrawn (§16.6).
    pub fn forget_tickets(&mut self, line_link: LineLink) {
        self.tickets.retain(|_, told| told.line_link != line_link);
    }

    /// The rows that have expired go: she was told of too many (§16.4).
    pub fn forget_expired(&mut self, now: UnixSeconds) {
        self.tickets.retain(|_, told| !told.has_expired(now));
    }

    /// This contact port is withdrawn: its rows go, and the contact at the far end of this line is to be told. In the transaction of
    /// the step that revokes it, whose record does not say whom (§16.6).
    pub fn withdraw(&mut self, line_link: LineLink, line_id: LineId) {
        self.forget_tickets(line_link);
        self.withdrawn.insert(line_link, line_id);
    }

    /// Of which contact ports that is still to be said, and along which lines.
    pub fn withdrawn(&self) -> impl Iterator<Item = (LineLink, LineId)> {
        self.withdrawn.iter().map(|(line_link, line_id)| (*line_link, *line_id))
    }

    /// It was said, or nobody is left to be told.
    pub fn forget_withdrawn(&mut self, line_link: LineLink) {
        self.withdrawn.remove(&line_link);
    }

    /// The rows of all tickets that she was told of and that were not used.
    pub fn tickets(&self) -> impl Iterator<Item = &TicketNotice> {
        self.tickets.values()
    }

    /// Deletes this record. It must be one that may be (§8.3): dead and settled.
    pub fn delete(&mut self, key: RecordKey) {
        self.records.remove(&key);
    }

    /// The records of a backup come back, and all rows. The marks, kept where a backup does not reach, stay.
    pub fn roll_back_records(&mut self, backup: &Self) {
        self.records.clone_from(&backup.records);
        self.tickets.clone_from(&backup.tickets);
        self.withdrawn.clone_from(&backup.withdrawn);
    }

    /// The record under this key.
    pub fn get(&self, key: RecordKey) -> Option<&[u8]> {
        self.records.get(&key).map(|(_, record)| record.as_slice())
    }

    /// All records, in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.values().map(|(_, record)| record.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alice, Event, PortOptions, Seed, UnixSeconds};

    /// §8.3: all of it, or nothing.
    #[test]
    fn a_line_whose_name_is_taken_is_not_stored_nor_is_what_it_came_with() {
        let born = |n: u8| Alice::offer([n; 16].into(), PortOptions::new(), Seed::from_bytes(&[n; 64]));
        let mut store = Store::new();
        let mut alices = [1, 2].map(|n| {
            store.put(Put::birth(&born(n))).unwrap();
            (n, born(n).commit())
        });
        let mut outcomes = Vec::new();
        for (n, alice) in &mut alices {
            let before = store.clone();
            let (line_link, line_id, pair_hash) = ([*n; 16].into(), [9; 16].into(), [9; 32].into());
            let event = Event::LineFormed { line_link, line_id, pair_hash, proof: None };
            let outcome = store.put(Put::step(&alice.handle(&event, UnixSeconds(0)).unwrap()));
            assert_eq!(outcome.is_err(), store == before);
            outcomes.push(outcome);
        }
        assert_eq!(outcomes, [Ok(()), Err(Conflict::KeyExists)]);
    }
}
