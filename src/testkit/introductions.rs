//! What a message about a contact port changes in other machines, in the transaction of the line's step that received it (§16.3, §16.4).

use super::machine::{AnyMachine, Input};
use super::store::Store;
use crate::{
    Alice, Introducer, IntroducerMessage, LineId, LineLink, Machine, Port, Received, RecordKey, Rejected, TicketNotice,
    UnixSeconds, Write,
};

/// The message about a contact port that this step received, and the line that it came along.
pub(super) fn received<'w>(write: &'w Write<'_>) -> Option<(&'w IntroducerMessage<'w>, LineId)> {
    match (&write.received, write.row.key) {
        (Some(Received::Introducer(message)), RecordKey::Line(line_id)) => Some((message, line_id)),
        _ => None,
    }
}

/// The key of the machine that the message is for.
pub(super) fn key_of(message: &IntroducerMessage<'_>, from: LineId) -> RecordKey {
    match message {
        IntroducerMessage::Grant { .. } | IntroducerMessage::Withdrawn { .. } => RecordKey::Introducer(from),
        IntroducerMessage::Ticket(notice) => RecordKey::LineLink(notice.line_link),
    }
}

/// Writes what the message changes. Whatever the other machines say of it, the line's step is kept.
pub(super) fn keep(store: &mut Store, message: &IntroducerMessage<'_>, from: LineId, now: UnixSeconds) {
    match message {
        IntroducerMessage::Grant { port } => keep_grant(store, port, from),
        IntroducerMessage::Ticket(notice) => keep_ticket(store, notice, from, now),
        IntroducerMessage::Withdrawn { .. } => {
            let record = store.get(RecordKey::Introducer(from));
            let Some(mut introducer) = record.and_then(|record| Introducer::restore(record).ok()) else { return };
            if let Ok(step) = introducer.handle(message, from) {
                let _ = store.keep(&step.write());
            }
        }
    }
}

fn keep_grant(store: &mut Store, port: &[u8], from: LineId) {
    let Ok(created) = Introducer::granted(port, from) else { return };
    let write = created.write();
    let before = store.get(write.row.key).and_then(AnyMachine::restore);
    if before.is_some_and(|before| before.may_be_deleted()) {
        store.delete(write.row.key);
    }
    // If the key exists, the contact granted one before.
    let _ = store.keep(&write);
}

fn keep_ticket(store: &mut Store, notice: &TicketNotice, from: LineId, now: UnixSeconds) {
    let alice = store.get(RecordKey::LineLink(notice.line_link)).and_then(|record| Alice::restore(record).ok());
    let Some(alice) = alice else { return };
    let accept = |store: &Store| {
        let outstanding = store.tickets().filter(|row| row.line_link == notice.line_link).count();
        alice.accept_ticket(notice, from, outstanding, now)
    };
    let mut accepted = accept(store);
    if accepted == Err(Rejected::TooManyTickets) {
        store.delete_expired_tickets(now);
        accepted = accept(store);
    }
    if accepted.is_ok() {
        store.keep_ticket(notice.clone());
    }
}

/// The contact port that this input takes back, and the line along which to say so (§16.6).
pub(super) fn withdrawn(machine: &AnyMachine, input: &Input<'_>) -> Option<(LineLink, LineId)> {
    match (machine, input) {
        (AnyMachine::Alice(alice), Input::GiveUp) => alice.port().map(Port::line_link).zip(alice.introducer()),
        _ => None,
    }
}
