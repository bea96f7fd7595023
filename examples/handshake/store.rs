//! Where one user's records are kept. A map here; a table of a database elsewhere, with [`Store::put`] as one transaction.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::{Key, Mark, Replaces};
use thiserror::Error;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Store {
    records: BTreeMap<Key, (u64, Vec<u8>)>,
    marks: BTreeSet<Mark>,
    /// For `--crash`: the power fails after each write, before the writer hears that it succeeded.
    pub power_fails: bool,
}

#[derive(Clone, Copy, Debug, Error)]
pub enum StoreError {
    #[error("something else is stored under this key")]
    Taken,
    #[error("somebody else moved this machine, or its record is of an old backup")]
    Moved,
    #[error("this Port was used before, and the record that said so was lost")]
    UsedBefore,
    #[error("revision {1} of {0:?} is stored, and then the power fails")]
    PowerFailed(Key, u64),
}

impl Store {
    /// Keeps `record` in the place of the one that it `replaces`, and `once` for ever: all of it, or nothing.
    pub fn put(
        &mut self,
        key: Key,
        revision: u64,
        record: &[u8],
        replaces: Option<Replaces>,
        once: Option<Mark>,
    ) -> Result<(), StoreError> {
        let replaced = replaces.map(|old| old.key);
        if let Some(old) = replaces
            && self.records.get(&old.key).is_none_or(|(revision, _)| *revision != old.revision)
        {
            return Err(StoreError::Moved);
        }
        if replaced != Some(key) && self.records.contains_key(&key) {
            return Err(StoreError::Taken);
        }
        if once.is_some_and(|mark| self.marks.contains(&mark)) {
            return Err(StoreError::UsedBefore);
        }
        if let Some(old) = replaced {
            self.records.remove(&old);
        }
        self.records.insert(key, (revision, record.to_vec()));
        self.marks.extend(once);
        if self.power_fails { Err(StoreError::PowerFailed(key, revision)) } else { Ok(()) }
    }

    pub fn get(&self, key: Key) -> Option<&[u8]> {
        self.records.get(&key).map(|(_, record)| record.as_slice())
    }

    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.values().map(|(_, record)| record.as_slice())
    }
}
