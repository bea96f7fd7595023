//! Disk: a store as §18.8 wants it, and where a process may die; and what a client may do wrong.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::violation::Violation;
use crate::portal::{App, AppName, Peer, Portal, PortalId, PortalKey, Write};

/// What a client of the machines does wrong. Plant one, and the kit finds it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Faults {
    /// The store does not keep what was taken from peers (§18.8).
    pub forgets_taken: bool,
    /// The store deletes nothing (§18.8).
    pub deletes_nothing: bool,
    /// The store puts the first row of a peer back when the process starts again (§18.4).
    pub restores_first_peers: bool,
    /// An app gets a request before the step is stored (§18.8).
    pub delivers_before_storing: bool,
    /// An answer is sent, and not stored (§18.8).
    pub keeps_no_answers: bool,
    /// The owner's block or removal is not stored (§18.4).
    pub forgets_blocks: bool,
    /// What is asked of one app goes to another.
    pub misdelivers: bool,
    /// The answer of an app goes to another request.
    pub mixes_answers: bool,
    /// An app asks by the grant of another (§18.10).
    pub ignores_grants: bool,
    /// The caller says that it is done before it has the answer, and asks again (§18.8).
    pub is_done_early: bool,
    /// What can't be read counts as a failed try to reach the peer.
    pub counts_refused: bool,
    /// An app never asks again.
    pub gives_up: bool,
    /// Every path of an app is served to peers (§18.5).
    pub serves_all: bool,
    /// A request is handed on in the name of somebody else (§18.4).
    pub mistakes_callers: bool,
    /// The write of a step is kept twice.
    pub stores_twice: bool,
    /// Another message goes out under a number that was used (§18.6).
    pub resends_numbers: bool,
}

impl Faults {
    /// A client as chapter 18 wants it.
    pub const NONE: Self = Self {
        forgets_taken: false,
        deletes_nothing: false,
        restores_first_peers: false,
        delivers_before_storing: false,
        keeps_no_answers: false,
        forgets_blocks: false,
        misdelivers: false,
        mixes_answers: false,
        ignores_grants: false,
        is_done_early: false,
        counts_refused: false,
        gives_up: false,
        serves_all: false,
        mistakes_callers: false,
        stores_twice: false,
        resends_numbers: false,
    };
}

/// Why a process does not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    Died,
    Broken(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Broken(violation)
    }
}

pub(super) type Life<T> = Result<T, Stop>;

/// What outlives a process.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) owner: usize,
    pub(super) faults: Faults,
    rows: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    first: BTreeMap<Vec<u8>, (u64, Vec<u8>)>,
    dies_after: Option<u8>,
}

const PEER: u8 = 2;
const OPENING: u8 = 4;
const REQUEST: u8 = 5;

impl Disk {
    pub(super) const fn new(owner: usize, faults: Faults) -> Self {
        Self { owner, faults, rows: BTreeMap::new(), first: BTreeMap::new(), dies_after: None }
    }

    /// The process dies at the point that comes after this many; `None`: it lives.
    pub(super) const fn dies_after(&mut self, points: Option<u8>) {
        self.dies_after = points;
    }

    /// A place where the process may die.
    pub(super) fn point(&mut self) -> Life<()> {
        match &mut self.dies_after {
            None => Ok(()),
            Some(0) => {
                self.dies_after = None;
                Err(Stop::Died)
            }
            Some(left) => {
                *left = left.saturating_sub(1);
                Ok(())
            }
        }
    }

    /// Keeps a write, and may die before or after it.
    pub(super) fn keep(&mut self, write: &Write) -> Life<()> {
        self.keep_and(write, || {})
    }

    /// The same. What is said is so from the moment on at which it is kept.
    pub(super) fn keep_and(&mut self, write: &Write, said: impl FnOnce()) -> Life<()> {
        self.point()?;
        self.put(write)?;
        said();
        self.point()
    }

    fn put(&mut self, write: &Write) -> Result<(), Violation> {
        let Faults { forgets_taken, deletes_nothing, restores_first_peers, keeps_no_answers, forgets_blocks, .. } =
            self.faults;
        // A store that did not keep one row can't keep the next.
        let is_loose = forgets_taken || deletes_nothing || restores_first_peers || keeps_no_answers || forgets_blocks;
        for row in write.put() {
            let key = row.key.to_bytes();
            if self.faults.forgets_taken && matches!(row.key, PortalKey::Opening(..) | PortalKey::Request(..)) {
                continue;
            }
            if !is_loose && self.rows.get(&key).map(|(revision, _)| *revision) != row.expected {
                return Err(Violation::WrongRow(self.owner));
            }
            let kept = (row.revision, row.record.to_vec());
            self.first.entry(key.clone()).or_insert_with(|| kept.clone());
            self.rows.insert(key, kept);
        }
        if !self.faults.deletes_nothing {
            for key in write.delete() {
                self.rows.remove(&key.to_bytes());
            }
        }
        Ok(())
    }

    fn of_kind(&self, kind: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.rows.iter().filter(move |(key, _)| key.first() == Some(&kind));
        rows.map(|(key, (_, record))| (key.get(1..).unwrap_or_default(), record.as_slice()))
    }

    /// How many rows of Openings and of requests there are of this peer, and how long its own is.
    pub(super) fn sizes(&self, peer: PortalId) -> (usize, usize, usize) {
        let count = |kind| self.of_kind(kind).filter(|(key, _)| key.starts_with(peer.as_bytes())).count();
        let own = self.of_kind(PEER).find(|(key, _)| key == peer.as_bytes());
        (count(OPENING), count(REQUEST), own.map_or(0, |(_, record)| record.len()))
    }

    pub(super) fn portal(&self) -> Result<Portal, Violation> {
        let record = self.rows.get(&PortalKey::Portal.to_bytes()).map(|(_, record)| record.as_slice());
        Portal::restore(record.unwrap_or_default()).map_err(|_| Violation::BadRecord(self.owner))
    }

    pub(super) fn app(&self, name: &AppName) -> Result<App, Violation> {
        let record = self.rows.get(&PortalKey::App(name.clone()).to_bytes()).map(|(_, record)| record.as_slice());
        App::restore(record.unwrap_or_default()).map_err(|_| Violation::BadRecord(self.owner))
    }

    pub(super) fn peers(&self) -> Result<BTreeMap<PortalId, Peer>, Violation> {
        let restore = |(id, record): (&[u8], &[u8])| {
            let memory = [OPENING, REQUEST].into_iter().flat_map(|kind| self.of_kind(kind));
            let memory = memory.filter(|(key, _)| key.starts_with(id)).map(|(_, record)| record);
            let peer = Peer::restore(record, memory).map_err(|_| Violation::BadRecord(self.owner))?;
            Ok((peer.id(), peer))
        };
        self.of_kind(PEER).map(restore).collect()
    }

    /// A process starts again, on a store that may have lost something.
    pub(super) fn starts(&mut self) {
        if self.faults.restores_first_peers {
            let first = self.first.iter().filter(|(key, _)| key.first() == Some(&PEER) && self.rows.contains_key(*key));
            let first: Vec<_> = first.map(|(key, row)| (key.clone(), row.clone())).collect();
            self.rows.extend(first);
        }
    }
}
