//! Lines that nobody is left waiting on, and lines that are of the Port that has them.

use alloc::vec::Vec;

use super::{Violation, Witness, lines_in};
use crate::testkit::machine::{AnyMachine, ToDo};
use crate::{Line, LineId, LinePhase, Machine, RecordKey, Request};

impl Witness {
    /// §4.3, §5.3: whether the line of a Port that has just formed one is stored as a line of another Port. If a line of this Port once
    /// had this name, its record was deleted and the name came again.
    pub(super) fn is_of_another(&self, who: usize, port: RecordKey, line_id: LineId) -> bool {
        let RecordKey::LineLink(line_link) = port else { return false };
        let is_it = |port| self.makers.get(&port).is_some_and(|made| made.line_link == line_link);
        let line = self.records.get(&(who, RecordKey::Line(line_id))).and_then(|record| Line::restore(record).ok());
        let was_it = || self.came.iter().any(|(of, named, port)| (*of, *named) == (who, line_id) && is_it(*port));
        line.is_some_and(|line| !is_it(line.port()) && !was_it())
    }

    /// After each client has tried again: each client that is on a line at the relay has an open record of it. `on` has the lines that each
    /// client is on.
    pub(in super::super) fn finds_ghosts(&self, on: &[Vec<LineId>], stores: &[Vec<Vec<u8>>]) -> Result<(), Violation> {
        for (who, lines) in on.iter().enumerate() {
            if lines.iter().any(|line_id| self.is_ghost(who, *line_id, on, stores)) {
                return Err(Violation::GhostLine(who));
            }
        }
        Ok(())
    }

    /// A proof that did not come, though its Bob is not gone.
    pub(in super::super) fn finds_unproven(&self, stores: &[Vec<Vec<u8>>]) -> Result<(), Violation> {
        let waits = |(_, line): &(usize, Line)| line.phase() == LinePhase::AwaitingProof;
        let is_lost = |(who, line): (usize, Line)| {
            let other = self.other_end(who, line.claims().line_id);
            other.is_some_and(|(other, ..)| !self.lost.contains(&other)).then_some(who)
        };
        lines_in(stores).filter(waits).find_map(is_lost).map_or(Ok(()), |who| Err(Violation::Lost(who)))
    }

    fn is_ghost(&self, who: usize, line_id: LineId, on: &[Vec<LineId>], stores: &[Vec<Vec<u8>>]) -> bool {
        let open = |of: usize| {
            let line = lines_in(stores).find(|(other, line)| (*other, line.claims().line_id) == (of, line_id));
            line.map(|(_, line)| line.phase()).filter(|phase| *phase != LinePhase::Closed)
        };
        if open(who).is_some() || stores.get(who).is_some_and(|records| leaves(records, line_id)) {
            return false;
        }
        let is_on = |(of, lines): (usize, &Vec<LineId>)| (of != who && lines.contains(&line_id)).then_some(of);
        match on.iter().enumerate().find_map(is_on) {
            // Nobody is left who could wait.
            Some(other) if [who, other].iter().all(|end| self.lost.contains(end)) => open(other).is_some(),
            // The visitor that this end's user has not let in yet is gone. The user learns that when they do.
            Some(other) => open(other) != Some(LinePhase::AwaitingApproval),
            // The other end has left, and this one is told.
            None => false,
        }
    }
}

/// Whether something is still to be sent that ends this line.
fn leaves(records: &[Vec<u8>], line_id: LineId) -> bool {
    let last = Request::Disconnect { line_id }.to_vec();
    let pending = records.iter().filter_map(|record| AnyMachine::restore(record)).flat_map(|machine| machine.pending());
    { pending }.any(|to_do| matches!(to_do, ToDo::Send(request) if request == last))
}
