//! Where one user's records are kept. Maps here; tables of a database elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use port_protocol::{Line, LineId, LineLink, Machine, Peers, RecordKey, ReplayMark, Row, Step};
use port_protocol::{RestoreError, TicketHash, TicketNotice};
use thiserror::Error;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Store {
    tables: Tables,
    /// For `--crash`: the power fails after each write, before the writer hears that it succeeded.
    pub power_fails: bool,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tables {
    records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    marks: BTreeSet<ReplayMark>,
    /// The tickets that this user was told of (§16.4).
    told: BTreeMap<TicketHash, TicketNotice>,
    /// What was written last.
    last: Option<(RecordKey, u64)>,
}

#[derive(Clone, Copy, Debug, Error)]
pub enum StoreError {
    #[error("something else is stored under this key")]
    Taken,
    #[error("somebody else moved this machine, or its record is of an old backup")]
    Moved,
    #[error("this was used before")]
    UsedBefore,
    #[error("revision {1} of {0:?} is stored, and then the power fails")]
    PowerFailed(RecordKey, u64),
}

impl Store {
    /// All that is written in it, or nothing.
    pub fn transaction<T, E: From<StoreError>>(
        &mut self,
        write: impl FnOnce(&mut Tables) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut tables = Tables { last: None, ..self.tables.clone() };
        let done = write(&mut tables)?;
        let last = tables.last;
        self.tables = tables;
        match last {
            Some((key, revision)) if self.power_fails => Err(StoreError::PowerFailed(key, revision).into()),
            _ => Ok(done),
        }
    }

    pub const fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl Tables {
    /// Keeps what a step asks for: its rows, and what it uses up for ever.
    pub fn keep<M: Machine>(&mut self, step: &Step<'_, M>) -> Result<(), StoreError> {
        let used = step.once().is_some_and(|mark| !self.marks.insert(mark))
            || step.strikes().is_some_and(|ticket| self.told.remove(&ticket).is_none());
        if used {
            return Err(StoreError::UsedBefore);
        }
        step.rows().try_for_each(|row| self.put(&row))
    }

    /// Keeps a record, in the place of the one that it replaces.
    pub fn put(&mut self, row: &Row) -> Result<(), StoreError> {
        let replaced = row.replaces.map(|old| old.key);
        if let Some(old) = row.replaces
            && self.records.get(&old.key).is_none_or(|(revision, _)| *revision != old.revision)
        {
            return Err(StoreError::Moved);
        }
        if replaced != Some(row.key) && self.records.contains_key(&row.key) {
            return Err(StoreError::Taken);
        }
        if let Some(old) = replaced {
            self.records.remove(&old);
        }
        self.records.insert(row.key, (row.revision, row.record.to_vec()));
        self.last = Some((row.key, row.revision));
        Ok(())
    }

    pub fn get(&self, key: RecordKey) -> Option<&[u8]> {
        self.records.get(&key).map(|(_, record)| record.as_slice())
    }

    pub fn keys(&self) -> Vec<RecordKey> {
        self.records.keys().copied().collect()
    }

    pub fn lines(&self) -> Result<Vec<Line>, RestoreError> {
        let lines = self.records.iter().filter(|(key, _)| matches!(key, RecordKey::Line(_)));
        lines.map(|(_, (_, record))| Line::restore(record)).collect()
    }

    /// Of the tickets of this contact port, those that nobody has used.
    pub fn outstanding(&self, line_link: LineLink) -> usize {
        self.told.values().filter(|told| told.line_link == line_link).count()
    }

    /// Keeps a ticket that was told of, unless that was so before (§16.4).
    pub fn tell(&mut self, told: TicketNotice) {
        if !self.marks.contains(&ReplayMark::from(*told.ticket.as_bytes())) {
            self.told.entry(told.ticket).or_insert(told);
        }
    }

    /// Forgets the tickets of a contact port that is withdrawn.
    pub fn strike_all(&mut self, line_link: LineLink) {
        let told = mem::take(&mut self.told);
        self.told = told.into_iter().filter(|(_, told)| told.line_link != line_link).collect();
    }
}

/// What the tables say of somebody who comes.
pub struct Comes<'a> {
    pub tables: &'a Tables,
}

impl Peers for Comes<'_> {
    /// This app knows of no pairs. (It would keep a table of them to block somebody, or to have one line with each.)
    fn has_line(&self, line_id: &LineId) -> bool {
        self.tables.get(RecordKey::Line(*line_id)).is_some()
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tables.told.get(ticket).cloned()
    }
}
