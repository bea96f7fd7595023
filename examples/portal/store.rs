//! What a Portal's server keeps. A map here; one table of a database elsewhere:
//!
//! `CREATE TABLE portal (key BLOB PRIMARY KEY, revision INTEGER NOT NULL, record BLOB NOT NULL, deadline INTEGER)`

use std::collections::BTreeMap;

use port_protocol::portal::{App, Peer, Portal, PortalId, PortalKey, Write};
use port_protocol::{RestoreError, UnixSeconds};
use thiserror::Error;

use crate::power::Power;

#[derive(Clone)]
pub struct Store {
    rows: BTreeMap<Vec<u8>, Stored>,
    /// For `--crash`.
    pub power: Power,
}

#[derive(Clone, PartialEq, Eq)]
struct Stored {
    revision: u64,
    record: Vec<u8>,
    deadline: Option<UnixSeconds>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum StoreError {
    #[error("another process moved this machine, or its record is of an old backup")]
    Moved,
    #[error("the power failed")]
    PowerFailed,
    #[error("a record can't be read: {0}")]
    Restore(#[from] RestoreError),
}

impl Store {
    pub fn new(power: Power) -> Self {
        Self { rows: BTreeMap::new(), power }
    }

    /// One transaction: all of a step's write, or nothing.
    pub fn keep(&mut self, write: &Write) -> Result<(), StoreError> {
        self.power.lasts("before a write")?;
        let mut rows = self.rows.clone();
        for row in write.put() {
            let key = row.key.to_bytes();
            if rows.get(&key).map(|stored| stored.revision) != row.expected {
                return Err(StoreError::Moved);
            }
            let stored = Stored { revision: row.revision, record: row.record.to_vec(), deadline: row.deadline };
            rows.insert(key, stored);
        }
        for key in write.delete() {
            rows.remove(&key.to_bytes());
        }
        self.rows = rows;
        self.power.lasts("after a write")
    }

    pub fn portal(&self) -> Result<Portal, StoreError> {
        let stored = self.rows.get(&PortalKey::Portal.to_bytes()).ok_or(RestoreError::Malformed)?;
        Ok(Portal::restore(&stored.record)?)
    }

    pub fn apps(&self) -> Result<Vec<App>, StoreError> {
        self.records(&[3]).map(|record| Ok(App::restore(record)?)).collect()
    }

    /// Each peer with its memory: all rows whose keys begin with 4 or 5 and the peer's ID.
    pub fn peers(&self) -> Result<Vec<Peer>, StoreError> {
        let with_memory = |record| {
            let id = Peer::restore(record, [])?.id();
            let memory = [4, 5].map(|kind: u8| [&[kind][..], id.as_bytes()].concat());
            Ok(Peer::restore(record, memory.iter().flat_map(|prefix| self.records(prefix)))?)
        };
        self.records(&[2]).map(with_memory).collect()
    }

    /// How many requests and Openings are remembered of a peer.
    pub fn remembered(&self, id: &PortalId) -> usize {
        [4, 5].map(|kind: u8| self.records(&[&[kind][..], id.as_bytes()].concat()).count()).iter().sum()
    }

    /// The greatest record of a peer.
    pub fn longest_peer(&self) -> usize {
        self.records(&[2]).map(<[u8]>::len).max().unwrap_or_default()
    }

    /// Whether both have the same rows.
    pub fn is_same(&self, other: &Self) -> bool {
        self.rows == other.rows
    }

    fn records<'s>(&'s self, prefix: &[u8]) -> impl Iterator<Item = &'s [u8]> + use<'s> {
        let prefix = prefix.to_vec();
        let from = self.rows.range(prefix.clone()..);
        from.take_while(move |(key, _)| key.starts_with(&prefix)).map(|(_, stored)| stored.record.as_slice())
    }

    /// When the first row is due.
    pub fn next_deadline(&self) -> Option<UnixSeconds> {
        self.rows.values().filter_map(|stored| stored.deadline).min()
    }
}
