//! A store that keeps all of a step's `Write` in one transaction (§8.1, §8.2, §8.4).

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::*;

use super::Any;
pub use super::commit::Commit;

/// What the other end of a line said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    Message(Vec<u8>),
    Introducer(Vec<u8>),
}

/// A [`Row`] that can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub key: RecordKey,
    pub revision: u64,
    pub record: Vec<u8>,
    pub deadline: Option<UnixSeconds>,
    pub expected: Option<Expected>,
}

/// A [`Write`] that can be compared: all that a step, or a machine that was made, asks the store to keep, in one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    pub row: Kept,
    pub new_line: Option<Kept>,
    pub unique: Option<(ReplayMark, OnDuplicate)>,
    pub consumes: Option<TicketHash>,
    pub received: Option<Said>,
}

impl From<&Row> for Kept {
    fn from(row: &Row) -> Self {
        let Row { key, revision, ref record, deadline, expected } = *row;
        Self { key, revision, record: record.to_vec(), deadline, expected }
    }
}

impl Put {
    pub fn of(write: &Write<'_>) -> Self {
        let received = write.received.as_ref().map(|received| match received {
            Received::Message(text) => Said::Message(text.to_vec()),
            Received::Introducer(message) => Said::Introducer(message.to_vec()),
        });
        Self {
            row: Kept::from(&write.row),
            new_line: write.new_line.as_ref().map(Kept::from),
            unique: write.unique,
            consumes: write.consumes,
            received,
        }
    }

    pub fn created<M: Machine>(created: &Created<M>) -> Self {
        Self::of(&created.write())
    }

    pub fn step<M: Machine>(step: &Step<'_, M>) -> Self {
        Self::of(&step.write())
    }

    /// The mark.
    pub fn mark(&self) -> Option<ReplayMark> {
        self.unique.map(|(mark, _)| mark)
    }
}

/// Why the store did nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The row that is expected is not there, or at another revision.
    Moved,
    /// The key is taken.
    KeyExists,
    /// The mark is there already.
    Marked,
    /// The ticket has no row.
    NoTicket,
}

/// One table of records, one of marks, one of tickets and one of what was said (§8.1, §8.2, §8.4, §16.4).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Store {
    pub records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    pub marks: BTreeSet<ReplayMark>,
    pub tickets: BTreeMap<TicketHash, TicketNotice>,
    pub received: Vec<Said>,
}

impl Store {
    /// All of it, or nothing.
    pub fn put(&mut self, put: &Put) -> Result<(), Conflict> {
        let mut next = self.clone();
        next.write(put)?;
        *self = next;
        Ok(())
    }

    /// In the order of [`Write`].
    fn write(&mut self, put: &Put) -> Result<(), Conflict> {
        if put.unique.is_some_and(|(mark, _)| self.marks.contains(&mark)) {
            return Err(Conflict::Marked);
        }
        for row in [Some(&put.row), put.new_line.as_ref()].into_iter().flatten() {
            if let Some(Expected { key, revision }) = row.expected
                && self.records.remove(&key).is_none_or(|(stored, _)| stored != revision)
            {
                return Err(Conflict::Moved);
            }
            if self.records.insert(row.key, (row.revision, row.record.clone())).is_some() {
                return Err(Conflict::KeyExists);
            }
        }
        self.marks.extend(put.mark());
        if put.consumes.is_some_and(|ticket| self.tickets.remove(&ticket).is_none()) {
            return Err(Conflict::NoTicket);
        }
        self.received.extend(put.received.clone());
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

/// What this store says of its own lines and tickets.
impl Peers for Store {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        let (_, record) = self.records.get(&RecordKey::Line(*line_id))?;
        Some(match MachineRole::of_record(record).unwrap() {
            #[cfg(feature = "app")]
            MachineRole::AppLine => app::UnauthenticatedLine::restore(record).unwrap().port(),
            _ => Line::restore(record).unwrap().port(),
        })
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.get(ticket).cloned()
    }
}
