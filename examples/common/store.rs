//! One user's database, for the small examples: a map that stores a step's whole write in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::{Received, RecordKey, ReplayMark, Write};

#[derive(Clone, Default)]
pub struct Store {
    /// Each machine's record, with its revision.
    rows: BTreeMap<RecordKey, (u64, Vec<u8>)>,
    /// The marks of uses, each inserted once, ever.
    marks: BTreeSet<ReplayMark>,
    /// What the other end said.
    #[allow(dead_code, reason = "not every example hears something")]
    pub messages: Vec<String>,
}

impl Store {
    /// Stores all that a step writes, or nothing. These examples have no tickets, so no write consumes one.
    pub fn keep(&mut self, write: &Write<'_>) -> Result<(), &'static str> {
        let mut next = self.clone();
        if let Some(old) = write.row.expected
            && next.rows.remove(&old.key).is_none_or(|(revision, _)| revision != old.revision)
        {
            return Err("another process moved this machine");
        }
        for row in [Some(&write.row), write.new_line.as_ref()].into_iter().flatten() {
            if next.rows.insert(row.key, (row.revision, row.record.to_vec())).is_some() {
                return Err("this key is taken");
            }
        }
        if write.unique.is_some_and(|(mark, _)| !next.marks.insert(mark)) {
            return Err("this was used before");
        }
        if let Some(Received::Message(text)) = write.received {
            next.messages.push(String::from_utf8_lossy(text).into_owned());
        }
        *self = next;
        Ok(())
    }
}
