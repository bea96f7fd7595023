//! What comes from the relay, and what a client does about each error.

use alloc::vec::Vec;

use super::{AnyMachine, Client, Halt, Input, LONGEST_HELD, LONGEST_UNKNOWN, Tables, go_on};
use crate::testkit::app::{Output, Outside, PowerFailed};
use crate::testkit::store::Conflict;
use crate::{
    AlicePhase, BobPhase, Event, LineId, LineLink, LinePhase, OnDuplicate, RecordKey, Rejected, Request, UnixSeconds,
};

/// How many events are kept that came too early (§6.4).
const MOST_EARLY: usize = 64;
/// How many uses with unknown tickets are kept (§16.7).
const MOST_UNKNOWN: usize = 16;

impl Client {
    /// Takes an event to its machine, and does what an error says.
    pub(super) fn hear(&mut self, bytes: &[u8], outside: &mut Outside<'_>) -> Result<(), Halt> {
        let event = Event::decode(bytes).map_err(Rejected::from)?;
        outside.point()?;
        let data = self.data.clone();
        let mut tables = Tables::of(&event, self.store.records(), self.store.tickets().cloned());
        let since = self.unknown.remove(bytes).unwrap_or(outside.now);
        let held_since = self.held_since(bytes).unwrap_or(outside.now);
        let key = self.machine_of(&event);
        if !self.machines.contains_key(&key) && self.store.get(key).is_some() {
            // Another process made it.
            self.load();
        }
        if self.faults.believes_any_line {
            tables.believe_any_line(self.machines.get(&key));
        }
        let outcome = self.drive(key, Input::Event(&event, &data, &tables), outside);
        match (&outcome, &event) {
            (Err(Halt::Rejected(Rejected::TooEarly)), _) => return Err(self.keep_early(bytes, held_since)),
            (Err(Halt::Rejected(Rejected::Paused)), _) => drop(self.paused.insert(event.key())),
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::Packet { .. } | Event::Disconnected { .. })
                if self.is_connecting() || self.is_offering() && outside.now < held_since.after(LONGEST_HELD) =>
            {
                return Err(self.keep_early(bytes, held_since));
            }
            // §8.3: somebody at its far end waits for an end that is gone.
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::Packet { line_id, .. })
                if !self.faults.ignores_unknown_lines && self.store.get(key).is_none() =>
            {
                self.disconnect(*line_id);
            }
            // §8.4: this Port was used before. The line that it is used for now is unwanted.
            (Err(Halt::Conflict(Conflict::Marked(OnDuplicate::Revoke))), _) => {
                self.drive(event.key(), Input::GiveUp, outside)?;
                return self.hear(bytes, outside);
            }
            (Err(Halt::Rejected(Rejected::DeadlinePassed)), _) => {
                self.drive(event.key(), Input::Tick, outside)?;
                return self.hear(bytes, outside);
            }
            (Err(Halt::Rejected(Rejected::UnknownTicket(line_id))), _) => {
                if self.may_be_announced(event.key(), since, outside.now) {
                    self.unknown.insert(bytes.to_vec(), since);
                    return Err(Halt::Early);
                }
                self.disconnect(*line_id);
            }
            // If the line is stored, a Port for many formed it before, and the event came again.
            (
                Err(
                    Halt::Conflict(Conflict::Marked(OnDuplicate::Disconnect(line_id)))
                    | Halt::Rejected(Rejected::UnwantedLine(line_id)),
                ),
                _,
            ) if self.store.get(RecordKey::Line(*line_id)).is_none() => self.disconnect(*line_id),
            (Err(Halt::Rejected(Rejected::UnwantedLink(line_link))), _) => self.close_link(*line_link),
            // §8.3: the tombstone would say so, but it was deleted.
            (
                Err(Halt::Rejected(Rejected::WrongMachine)),
                Event::LineFormed { line_link, line_id, .. } | Event::Connected { line_link, line_id, .. },
            ) if !self.faults.ignores_unknown_lines
                && [RecordKey::LineLink(*line_link), RecordKey::Line(*line_id)]
                    .iter()
                    .all(|key| self.store.get(*key).is_none()) =>
            {
                self.disconnect(*line_id);
            }
            // §7.2: a link that nobody here asked for. If the same answer came again, its Port may be on offer.
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::LineLinkIssued { line_link, .. })
                if self.store.get(RecordKey::LineLink(*line_link)).is_none() =>
            {
                self.close_link(*line_link);
            }
            _ => {}
        }
        outcome
    }

    fn disconnect(&mut self, line_id: LineId) {
        self.output.push(Output::Send(Request::Disconnect { line_id }.to_vec()));
    }

    fn close_link(&mut self, line_link: LineLink) {
        self.output.push(Output::Send(Request::CloseLineLink { line_link }.to_vec()));
    }

    /// §7.2: an answer that no Alice waits for may be for the pool.
    fn machine_of(&self, event: &Event<'_>) -> RecordKey {
        let key = event.key();
        let is_for_pool = matches!(event, Event::LineLinkIssued { .. }) && !self.machines.contains_key(&key);
        self.pool().filter(|_| is_for_pool).unwrap_or(key)
    }

    /// Since when this event is kept as one that came too early. It is not kept any longer, unless it is still too early.
    fn held_since(&mut self, event: &[u8]) -> Option<UnixSeconds> {
        let place = self.early.iter().position(|(kept, _)| kept == event)?;
        self.early.remove(place).map(|(_, since)| since)
    }

    fn keep_early(&mut self, event: &[u8], since: UnixSeconds) -> Halt {
        self.early.push_back((event.to_vec(), since));
        self.early.drain(..self.early.len().saturating_sub(MOST_EARLY));
        Halt::Early
    }

    /// Whether the introducer's line may hold something unread (§16.7).
    fn may_be_announced(&self, key: RecordKey, since: UnixSeconds, now: UnixSeconds) -> bool {
        let Some(AnyMachine::Alice(alice)) = self.machines.get(&key) else { return false };
        let line = alice.introducer().and_then(|line_id| self.machines.get(&RecordKey::Line(line_id)));
        matches!(line, Some(AnyMachine::Line(line)) if line.phase() != LinePhase::Closed)
            && self.unknown.len() < MOST_UNKNOWN
            && now < since.after(LONGEST_UNKNOWN)
    }

    /// Hands in again what came too early.
    pub(super) fn hear_again(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        let early = self.early.iter().map(|(event, _)| event).chain(self.unknown.keys()).cloned().collect::<Vec<_>>();
        early.into_iter().try_for_each(|event| go_on(self.hear(&event, outside)))
    }

    /// Whether a Bob waits for its answer, which comes with the connection at the latest. One that was told to ask later has its answer,
    /// until it asks again.
    fn is_connecting(&self) -> bool {
        let is_connecting = |it: &AnyMachine| matches!(it, AnyMachine::Bob(bob) if bob.phase() == BobPhase::Connecting);
        self.machines.iter().any(|(key, it)| is_connecting(it) && !self.paused.contains(key))
    }

    /// Whether a line of a Port may be on its way. A Port may be on offer for years, so nothing is held back for it longer than a connection
    /// lasts.
    fn is_offering(&self) -> bool {
        self.machines.values().any(|it| matches!(it, AnyMachine::Alice(alice) if alice.phase() == AlicePhase::Offered))
    }
}
