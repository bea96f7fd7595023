//! A store that keeps §8.2 and §8.4.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::*;

use super::Any;

/// What a step or a birth asks the store to do, in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    pub key: RecordKey,
    pub revision: u64,
    pub record: Vec<u8>,
    pub replaces: Option<Expected>,
    pub once: Option<ReplayMark>,
    /// A new line, which must not be there yet.
    pub line: Option<(RecordKey, Vec<u8>)>,
}

impl Put {
    pub fn birth<M: Machine>(born: &Created<M>) -> Self {
        let Row { key, revision, record, replaces } = born.row();
        Self { key, revision, record: record.to_vec(), replaces, once: None, line: None }
    }

    pub fn step<M: Machine>(step: &Step<'_, M>) -> Self {
        Self {
            key: step.key(),
            revision: step.revision(),
            record: step.record().to_vec(),
            replaces: step.replaces(),
            once: step.once(),
            line: step.line().map(|line| (line.key(), line.record().to_vec())),
        }
    }
}

/// Why the store did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The record to be replaced is not there, or at another revision.
    Moved,
    /// The key is taken.
    Taken,
    /// The mark is there already.
    Marked,
}

/// One table of records and one of marks (§8.2, §8.4).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Store {
    pub records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    pub marks: BTreeSet<ReplayMark>,
}

impl Store {
    pub fn put(&mut self, put: &Put) -> Result<(), Conflict> {
        if put.once.is_some_and(|mark| self.marks.contains(&mark)) {
            return Err(Conflict::Marked);
        }
        let replaced = put.replaces.map(|replaces| replaces.key);
        if let Some(Expected { key, revision }) = put.replaces
            && self.records.get(&key).is_none_or(|(stored, _)| *stored != revision)
        {
            return Err(Conflict::Moved);
        }
        if replaced != Some(put.key) && self.records.contains_key(&put.key) {
            return Err(Conflict::KeyExists);
        }
        if put.line.as_ref().is_some_and(|(key, _)| self.records.contains_key(key)) {
            return Err(Conflict::KeyExists);
        }
        replaced.and_then(|key| self.records.remove(&key));
        self.records.insert(put.key, (put.revision, put.record.clone()));
        self.records.extend(put.line.clone().map(|(key, record)| (key, (0, record))));
        self.marks.extend(put.once);
        Ok(())
    }

    pub fn load(&self, key: RecordKey) -> Option<Any> {
        self.records.get(&key).map(|(_, record)| Any::restore(record).unwrap())
    }

    /// Every line there is.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.records.iter().filter(|(key, _)| matches!(key, RecordKey::Line(_)));
        lines.map(|(_, (_, record))| Line::restore(record).unwrap()).collect()
    }
}
