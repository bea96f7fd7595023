//! What one user's app keeps. Maps here; tables of a database elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::{
    Expected, Line, LineId, LineLink, Machine, MachineRole, OnDuplicate, Peers, Port, PortHash, Received, RecordKey,
    Rejected, ReplayMark, Request, RestoreError, Row, TicketHash, TicketNotice, Write,
};
use thiserror::Error;

use crate::machines::Stop;

#[derive(Default)]
pub struct Store {
    pub tables: Tables,
    /// For `--crash`: the power fails after each write of a machine, before the writer hears that it succeeded.
    pub power_fails: bool,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tables {
    records: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    marks: BTreeSet<ReplayMark>,
    /// The tickets that the introducers announced (§16.4).
    tickets: BTreeMap<TicketHash, TicketNotice>,
    /// Requests that wait to be sent, in order.
    pub requests: Vec<Vec<u8>>,
    /// The Port that was made last: on the screen, or a contact port, to be granted.
    pub shown: Option<Port>,
    /// What the other end said.
    pub heard: Vec<String>,
    /// What ended, and why.
    pub ended: Vec<String>,
    /// The row that was written last.
    last: Option<(RecordKey, u64)>,
}

#[derive(Clone, Copy, Debug, Error)]
pub enum StoreError {
    #[error("something else is stored under this key")]
    KeyExists,
    #[error("somebody else moved this machine, or its record is of an old backup")]
    Moved,
    #[error("this was used before, and the record that said so was lost, or it is an old proof")]
    UsedBefore(OnDuplicate),
    #[error("revision {1} of {0:?} is stored, and then the power fails")]
    PowerFailed(RecordKey, u64),
}

impl Store {
    /// All that is written in it, or nothing.
    pub fn transaction<T>(&mut self, write: impl FnOnce(&mut Tables) -> Result<T, Stop>) -> Result<T, Stop> {
        let mut tables = Tables { last: None, ..self.tables.clone() };
        let done = write(&mut tables)?;
        let last = tables.last;
        self.tables = tables;
        match last {
            Some((key, revision)) if self.power_fails => Err(StoreError::PowerFailed(key, revision).into()),
            _ => Ok(done),
        }
    }
}

impl Tables {
    /// Keeps all that a step writes.
    pub fn keep(&mut self, write: &Write<'_>) -> Result<(), Stop> {
        if let Some((mark, on_duplicate)) = write.unique
            && !self.marks.insert(mark)
        {
            return Err(StoreError::UsedBefore(on_duplicate).into());
        }
        if write.consumes.is_some_and(|ticket| self.tickets.remove(&ticket).is_none()) {
            return Err(StoreError::Moved.into());
        }
        self.put(&write.row)?;
        write.new_line.iter().try_for_each(|row| self.put(row))?;
        match (&write.received, write.row.key) {
            (Some(Received::Message(text)), _) => self.heard.push(String::from_utf8_lossy(text).into_owned()),
            (Some(Received::Introducer(message)), RecordKey::Line(from)) => self.hear(message, from)?,
            _ => {}
        }
        Ok(())
    }

    /// Keeps a row, in the place of the one that it replaces.
    fn put(&mut self, row: &Row) -> Result<(), StoreError> {
        if let Some(Expected { key, revision }) = row.expected
            && self.records.remove(&key).is_none_or(|(before, _)| before != revision)
        {
            return Err(StoreError::Moved);
        }
        if self.records.insert(row.key, (row.revision, row.record.to_vec())).is_some() {
            return Err(StoreError::KeyExists);
        }
        self.last = Some((row.key, row.revision));
        Ok(())
    }

    /// A request that waits already is not sent twice.
    pub fn send(&mut self, request: &Request<'_>) {
        let request = request.to_vec();
        if !self.requests.contains(&request) {
            self.requests.push(request);
        }
    }

    /// So is a user told of an end once.
    pub fn end(&mut self, why: String) {
        if !self.ended.contains(&why) {
            self.ended.push(why);
        }
    }

    pub fn keys(&self) -> Vec<RecordKey> {
        self.records.keys().copied().collect()
    }

    fn get(&self, key: RecordKey) -> Result<&[u8], Stop> {
        Ok(self.records.get(&key).map(|(_, record)| record.as_slice()).ok_or(Rejected::WrongMachine)?)
    }

    /// Which machine is kept under this key.
    pub fn role(&self, key: RecordKey) -> Result<MachineRole, Stop> {
        Ok(MachineRole::of_record(self.get(key)?)?)
    }

    pub fn load<M: Machine>(&self, key: RecordKey) -> Result<M, Stop> {
        Ok(M::restore(self.get(key)?)?)
    }

    pub fn lines(&self) -> Result<Vec<Line>, RestoreError> {
        let lines = self.records.iter().filter(|(key, _)| matches!(key, RecordKey::Line(_)));
        lines.map(|(_, (_, record))| Line::restore(record)).collect()
    }

    /// How many tickets of this contact port nobody has used.
    pub fn outstanding(&self, line_link: LineLink) -> usize {
        self.tickets.values().filter(|notice| notice.line_link == line_link).count()
    }

    /// Keeps a ticket that was announced, unless it was announced or used before (§16.4).
    pub fn keep_ticket(&mut self, notice: &TicketNotice) {
        if !self.marks.contains(&ReplayMark::from(*notice.ticket.as_bytes())) {
            self.tickets.entry(notice.ticket).or_insert_with(|| notice.clone());
        }
    }

    /// Deletes the tickets of a contact port that is withdrawn.
    pub fn delete_tickets(&mut self, line_link: LineLink) {
        self.tickets.retain(|_, notice| notice.line_link != line_link);
    }
}

/// What the tables say of somebody who comes. This app remembers no marks: to block somebody, or to have one line with each, it
/// would keep a table of them.
impl Peers for Tables {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        self.load(RecordKey::Line(*line_id)).ok().map(|line: Line| line.port())
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.get(ticket).cloned()
    }
}
