//! What comes of an introduction, in the transaction of the line's step that it came with (§16.3, §16.4).

use alloc::vec;
use alloc::vec::Vec;

use super::machine::{Any, Input};
use super::store::{Put, Store};
use crate::{
    Alice, Event, Introducer, IntroducerMessage, Line, LineEffect, LineId, LineLink, Machine, PacketKind, Payload,
    Port, RecordKey, Rejected, UnixSeconds,
};

/// What came along a line, for the machines of contact ports.
pub(super) struct Introduced {
    text: Vec<u8>,
    from: LineId,
}

impl Introduced {
    /// What this line will hear, if it is that. It is asked before it moves, for all of it is one transaction.
    pub(super) fn by(machine: &Any, input: &Input<'_>, now: UnixSeconds) -> Option<Self> {
        let (Any::Line(line), Input::Event(event @ Event::Packet { line_id, payload }, ..)) = (machine, input) else {
            return None;
        };
        let Ok(Payload::Sealed { content: PacketKind::IntroducerMessage, .. }) = Payload::decode(payload) else {
            return None;
        };
        let (mut line, mut buffer) = (Line::restore(&line.record()).ok()?, vec![0; payload.len()]);
        let text = line.open(event, &[], &mut buffer, now).ok()?.commit().find_map(|effect| match effect {
            LineEffect::IntroducerMessage(introduction) => Some(introduction.to_vec()),
            _ => None,
        });
        Some(Self { text: text?, from: *line_id })
    }

    /// Whose contact port it is about.
    pub(super) fn key(&self) -> Option<RecordKey> {
        Some(match IntroducerMessage::decode(&self.text).ok()? {
            IntroducerMessage::Grant { .. } | IntroducerMessage::Withdrawn { .. } => RecordKey::Introducer(self.from),
            IntroducerMessage::Ticket(told) => RecordKey::LineLink(told.line_link),
        })
    }

    /// Whatever these say of it, the line's step is kept.
    pub(super) fn keep(&self, store: &mut Store, now: UnixSeconds) {
        let from = self.from;
        match IntroducerMessage::decode(&self.text) {
            Ok(IntroducerMessage::Grant { port }) => {
                if let Ok(born) = Introducer::granted(port, from) {
                    let key = born.key();
                    let before = store.get(key).and_then(Any::restore);
                    if before.is_some_and(|before| before.may_be_deleted()) {
                        store.delete(key);
                    }
                    // A key that is taken: it was granted before.
                    let _ = store.put(Put::birth(&born));
                }
            }
            Ok(IntroducerMessage::Ticket(told)) => {
                let alice =
                    store.get(RecordKey::LineLink(told.line_link)).and_then(|record| Alice::restore(record).ok());
                let Some(alice) = alice else { return };
                let tell = |store: &Store| {
                    let outstanding = store.tickets().filter(|row| row.line_link == told.line_link).count();
                    alice.tell(&told, from, outstanding, now)
                };
                let mut taken = tell(store);
                if taken == Err(Rejected::TooManyTickets) {
                    store.forget_expired(now);
                    taken = tell(store);
                }
                if taken.is_ok() {
                    store.tell(told);
                }
            }
            Ok(introduction @ IntroducerMessage::Withdrawn { .. }) => {
                let record = store.get(RecordKey::Introducer(from));
                let Some(mut introducer) = record.and_then(|record| Introducer::restore(record).ok()) else { return };
                if let Ok(step) = introducer.handle(&introduction, from) {
                    let _ = store.put(Put::step(&step));
                }
            }
            Err(_) => {}
        }
    }
}

/// A contact port that its maker takes back, and along which line that is to be said (§16.6).
pub(super) fn withdrawn(machine: &Any, input: &Input<'_>) -> Option<(LineLink, LineId)> {
    match (machine, input) {
        (Any::Alice(alice), Input::GiveUp) => alice.port().map(Port::line_link).zip(alice.introducer()),
        _ => None,
    }
}
