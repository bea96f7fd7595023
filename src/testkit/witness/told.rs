//! What is said of contact ports along a line: who has acknowledged it has done what it says (§16.3, §16.4).

use super::{Violation, Witness};
use crate::testkit::app::App;
use crate::testkit::machine::AnyMachine;
use crate::{Introducer, IntroducerMessage, LineId, MAX_TICKETS, RecordKey, TicketNotice};

impl Witness {
    /// The client has acknowledged a packet with this message.
    pub(super) fn has_done(
        &mut self,
        who: usize,
        from: LineId,
        said: &IntroducerMessage<'_>,
        app: &impl App,
    ) -> Result<(), Violation> {
        let other = self.other_end(who, from).map(|(other, ..)| other);
        if [Some(who), other].into_iter().flatten().any(|end| self.rolled_back.contains(&end)) {
            return Ok(());
        }
        let is_lost = match said {
            IntroducerMessage::Grant { port } => {
                Introducer::granted(port, from).is_ok() && !self.granted.contains(&(who, from))
            }
            IntroducerMessage::Ticket(notice) => {
                app.tickets().is_some_and(|rows| self.misses_ticket(who, from, notice, &rows))
            }
            // It would still end the right. A grant that comes after it begins the right anew, and this one does not end that one too.
            IntroducerMessage::Withdrawn { .. } => {
                let is_first = self.heard_withdrawn.insert((who, from));
                match self.machine(who, RecordKey::Introducer(from)) {
                    Some(AnyMachine::Introducer(mut introducer)) => is_first && introducer.handle(said, from).is_ok(),
                    _ => false,
                }
            }
        };
        if is_lost { Err(Violation::MessageLost(who)) } else { Ok(()) }
    }

    /// Whether Alice would still take this ticket, and has no row of it.
    fn misses_ticket(&self, who: usize, from: LineId, notice: &TicketNotice, rows: &[TicketNotice]) -> bool {
        let Some(AnyMachine::Alice(alice)) = self.machine(who, RecordKey::LineLink(notice.line_link)) else {
            return false;
        };
        let is_used = self.introduced.contains_key(&(who, notice.name.as_str().into()));
        let has_row = rows.iter().any(|row| row.ticket == notice.ticket);
        // Where there was no room once, it was dropped.
        alice.accept_ticket(notice, from, 0, self.now).is_ok() && !is_used && !has_row && rows.len() < MAX_TICKETS
    }

    fn machine(&self, who: usize, key: RecordKey) -> Option<AnyMachine> {
        self.records.get(&(who, key)).and_then(|record| AnyMachine::restore(record))
    }
}
