//! Step, Write: prepare, keep in one transaction, commit, as everywhere in this crate (§8.1, §18.8).

use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::id::PortalId;
use super::message::OpeningMark;
use super::name::AppName;
use super::request::RequestMark;
use crate::cbor;
use crate::error::{DecodeError, RestoreError};
use crate::time::UnixSeconds;

/// The primary key of a row, in one table for all that a Portal keeps (§18.8).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PortalKey {
    /// The Portal itself.
    Portal,
    /// A peer.
    Peer(PortalId),
    /// An app.
    App(AppName),
    /// An Opening that was taken from this peer.
    Opening(PortalId, OpeningMark),
    /// A request that was taken from this peer.
    Request(PortalId, RequestMark),
}

impl PortalKey {
    /// How the keys of a peer's memory begin: those of Openings, and those of requests. [`Peer::restore`](super::Peer::restore) takes the
    /// records of all rows whose keys begin so.
    pub fn of_memory(peer: &PortalId) -> [Vec<u8>; 2] {
        [4, 5].map(|kind: u8| [&[kind], peer.as_bytes().as_slice()].concat())
    }

    /// 1 to 64 bytes: the kind, then the name. The kinds: 1 the Portal, 2 a peer, 3 an app, 4 an Opening, 5 a request.
    /// See [`of_memory`](PortalKey::of_memory).
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, name, rest): (u8, &[u8], &[u8]) = match self {
            Self::Portal => (1, &[], &[]),
            Self::Peer(id) => (2, id.as_bytes(), &[]),
            Self::App(name) => (3, name.as_str().as_bytes(), &[]),
            Self::Opening(id, mark) => (4, id.as_bytes(), &mark.0),
            Self::Request(id, mark) => (5, id.as_bytes(), &mark.0),
        };
        let mut bytes = Vec::with_capacity(64);
        bytes.push(kind);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(rest);
        bytes
    }
}

/// Bytes on the heap that are wiped on drop. `Zeroizing` does that, too, but byte by byte.
pub(super) struct Wiped(Vec<u8>);

impl Wiped {
    /// They have to be as many as they will ever be: a vector that grows leaves copies behind.
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.fill(0);
        zeroize::optimization_barrier(self.0.as_slice());
    }
}

/// One row. Its record holds secrets: it is zeroized on drop, and `Debug` does not show it.
#[derive(Clone)]
pub struct Row {
    /// The primary key.
    pub key: PortalKey,
    /// How often this row was replaced.
    pub revision: u64,
    /// The revision of the row that this one replaces. `None`: there must be no row with this key.
    pub expected: Option<u64>,
    /// The bytes to keep.
    pub record: Zeroizing<Vec<u8>>,
    /// When to call `tick` of the machine. Index it. `None`: never.
    pub deadline: Option<UnixSeconds>,
}

impl Row {
    /// The row in the place of one with the revision before.
    pub(super) fn new(key: PortalKey, revision: u64, record: Zeroizing<Vec<u8>>) -> Self {
        Self { key, revision, expected: revision.checked_sub(1), record, deadline: None }
    }

    pub(super) const fn until(mut self, deadline: UnixSeconds) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        drop(Wiped::new(core::mem::take(&mut *self.record)));
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, revision, expected, record, deadline } = self;
        f.debug_struct("Row")
            .field("key", key)
            .field("revision", revision)
            .field("expected", expected)
            .field("record", &format_args!("[{} bytes]", record.len()))
            .field("deadline", deadline)
            .finish()
    }
}

/// All that one step writes. **Store all of it in one transaction, or none of it.**
///
/// If a check fails, roll back: another process has changed this machine, or an old backup was restored. Drop the machine, and restore what
/// the store has.
#[derive(Clone, Debug, Default)]
#[must_use = "a write that is not kept loses what the step did"]
pub struct Write {
    pub(super) put: Vec<Row>,
    pub(super) delete: Vec<PortalKey>,
}

impl Write {
    /// The rows to insert, or to put in the place of the row with the [`expected`](Row::expected) revision.
    pub fn put(&self) -> &[Row] {
        &self.put
    }

    /// The keys of rows to delete. It is no fault if one is not there.
    pub fn delete(&self) -> &[PortalKey] {
        &self.delete
    }
}

/// What this crate's machines of a Portal have in common. It is sealed.
pub trait Machine {
    /// What a step changes.
    type Change;

    /// Makes the change.
    fn apply(&mut self, change: Self::Change);
}

/// The next step of a machine, prepared. The machine is unchanged until the step is committed. If you drop the step, it stays so.
///
/// [`store`](Step::store) calls your closure to store the write, commits, and returns what follows from the step.
#[must_use = "a step that is not committed has not happened"]
pub struct Step<'m, M: Machine, T = ()> {
    machine: &'m mut M,
    change: M::Change,
    write: Write,
    then: T,
}

impl<'m, M: Machine, T> Step<'m, M, T> {
    pub(super) const fn new(machine: &'m mut M, change: M::Change, write: Write, then: T) -> Self {
        Self { machine, change, write, then }
    }

    /// What to store, in one transaction.
    pub fn write(&self) -> Write {
        self.write.clone()
    }

    /// Calls `keep` with the write. If `keep` returns `Ok`, commits the step.
    ///
    /// # Errors
    /// The error of `keep`. The machine is unchanged. If you can't tell whether the transaction was rolled back, drop the machine and restore
    /// what the store has.
    pub fn store<E>(self, keep: impl FnOnce(&Write) -> Result<(), E>) -> Result<T, E> {
        keep(&self.write)?;
        self.machine.apply(self.change);
        Ok(self.then)
    }

    /// Changes the machine, for asynchronous stores. `written` is the [`write`](Step::write) of this step. **Do nothing of what is returned
    /// before it is durable.**
    pub fn commit(self, written: Write) -> T {
        let _ = written;
        self.machine.apply(self.change);
        self.then
    }
}

impl<M: Machine, T: fmt::Debug> fmt::Debug for Step<'_, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("write", &self.write).field("then", &self.then).finish_non_exhaustive()
    }
}

/// A new machine that is not stored yet.
#[must_use = "a machine that is not committed does not exist"]
#[derive(Debug)]
pub struct Created<M> {
    machine: M,
    write: Write,
}

impl<M> Created<M> {
    pub(super) fn new(machine: M, row: Row) -> Self {
        Self { machine, write: Write { put: [row].into(), delete: Vec::new() } }
    }

    /// What to store. If a row with this key exists, keep that row, and drop the new machine.
    pub fn write(&self) -> Write {
        self.write.clone()
    }

    /// Calls `keep` with the write. If `keep` returns `Ok`, returns the machine.
    ///
    /// # Errors
    /// The error of `keep`. There is no machine.
    pub fn store<E>(self, keep: impl FnOnce(&Write) -> Result<(), E>) -> Result<M, E> {
        keep(&self.write)?;
        Ok(self.machine)
    }

    /// Returns the machine, for asynchronous stores. `written` is the [`write`](Created::write) of it, and durable.
    pub fn commit(self, written: Write) -> M {
        let _ = written;
        self.machine
    }
}

/// `[version, role, revision, state]`, as in §8.6.
#[derive(Encode, Decode)]
struct Layout<S> {
    #[n(0)]
    version: u8,
    #[n(1)]
    role: u8,
    #[n(2)]
    revision: u64,
    #[n(3)]
    state: S,
}

pub(super) fn record<S: Encode<()>>(role: u8, revision: u64, state: &S) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(cbor::encode_to_vec(&Layout { version: cbor::VERSION, role, revision, state }))
}

pub(super) fn restore<'b, S: Encode<()> + Decode<'b, ()>>(
    role: u8,
    record: &'b [u8],
) -> Result<(u64, S), RestoreError> {
    match cbor::decode::<Layout<S>>(record) {
        Ok(layout) if layout.version != cbor::VERSION => Err(RestoreError::UnsupportedVersion),
        Ok(layout) if layout.role == role => Ok((layout.revision, layout.state)),
        Ok(_) => Err(RestoreError::AnotherRole),
        Err(DecodeError::UnsupportedVersion) => Err(RestoreError::UnsupportedVersion),
        Err(DecodeError::Malformed) => Err(RestoreError::Malformed),
    }
}
