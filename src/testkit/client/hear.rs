//! What comes from the relay.

use alloc::vec::Vec;
use core::mem;

use super::{Any, Client, Halt, Input, LONGEST_UNKNOWN, Tables, go_on};
use crate::testkit::app::{Output, Power, PowerFailed};
use crate::testkit::store::Conflict;
use crate::{BobPhase, Event, LinePhase, OnDuplicate, RecordKey, Rejected, Request, UnixSeconds};

/// How many events are kept that came too early (§6.4).
const MOST_EARLY: usize = 64;
/// How many of those whose tickets are unknown are kept (§16.7).
const MOST_UNKNOWN: usize = 16;

impl Client {
    /// Takes an event to its machine, and does what an error says.
    pub(super) fn hear(&mut self, bytes: &[u8], now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let event = Event::decode(bytes).map_err(Rejected::from)?;
        power.point()?;
        let data = self.data.clone();
        let known = Tables::of(&event, self.store.records(), self.store.tickets().cloned());
        let since = self.unknown.remove(bytes).unwrap_or(now);
        let outcome = self.drive(self.machine_of(&event), Input::Event(&event, &data, &known), now, power);
        match (&outcome, &event) {
            (Err(Halt::Rejected(Rejected::TooEarly)), _) => return Err(self.keep_early(bytes)),
            (Err(Halt::Rejected(Rejected::Paused)), _) => drop(self.paused.insert(event.key())),
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::Packet { .. } | Event::Disconnected { .. })
                if self.is_connecting() =>
            {
                return Err(self.keep_early(bytes));
            }
            // §8.4: this Port was used before. What it is used for now is a stray.
            (Err(Halt::Conflict(Conflict::Marked(OnDuplicate::Revoke))), _) => {
                self.drive(event.key(), Input::GiveUp, now, power)?;
                return self.hear(bytes, now, power);
            }
            (Err(Halt::Rejected(Rejected::DeadlinePassed)), _) => {
                self.drive(event.key(), Input::Tick, now, power)?;
                return self.hear(bytes, now, power);
            }
            (Err(Halt::Rejected(Rejected::UnknownTicket(line_id))), _) => {
                if self.may_be_told(event.key(), since, now) {
                    self.unknown.insert(bytes.to_vec(), since);
                    return Err(Halt::Early);
                }
                self.output.push(Output::Send(Request::Disconnect { line_id: *line_id }.to_vec()));
            }
            // A line that is stored was formed before, by a Port for many: its event came again.
            (
                Err(
                    Halt::Conflict(Conflict::Marked(OnDuplicate::Disconnect(line_id)))
                    | Halt::Rejected(Rejected::UnwantedLine(line_id)),
                ),
                _,
            ) if self.store.get(RecordKey::Line(*line_id)).is_none() => {
                self.output.push(Output::Send(Request::Disconnect { line_id: *line_id }.to_vec()));
            }
            (Err(Halt::Rejected(Rejected::UnwantedLink(line_link))), _) => {
                self.output.push(Output::Send(Request::CloseLineLink { line_link: *line_link }.to_vec()));
            }
            // §8.3: what a tombstone would say that is not there any more.
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::LineFormed { line_link, line_id, .. })
                if [RecordKey::LineLink(*line_link), RecordKey::Line(*line_id)]
                    .iter()
                    .all(|key| self.store.get(*key).is_none()) =>
            {
                self.output.push(Output::Send(Request::Disconnect { line_id: *line_id }.to_vec()));
            }
            // §7.2: a link that nobody here asked for. The same answer again is none: its Port may be on offer.
            (Err(Halt::Rejected(Rejected::WrongMachine)), Event::LineLinkIssued { line_link, .. })
                if self.store.get(RecordKey::LineLink(*line_link)).is_none() =>
            {
                self.output.push(Output::Send(Request::CloseLineLink { line_link: *line_link }.to_vec()));
            }
            _ => {}
        }
        outcome
    }

    /// §7.2: an answer that no Alice waits for may be the pool's.
    fn machine_of(&self, event: &Event<'_>) -> RecordKey {
        let key = event.key();
        let pool =
            self.pool().filter(|_| matches!(event, Event::LineLinkIssued { .. }) && !self.machines.contains_key(&key));
        pool.unwrap_or(key)
    }

    fn keep_early(&mut self, event: &[u8]) -> Halt {
        self.early.push_back(event.to_vec());
        self.early.drain(..self.early.len().saturating_sub(MOST_EARLY));
        Halt::Early
    }

    /// Whether the introducer's line may hold something unread (§16.7).
    fn may_be_told(&self, key: RecordKey, since: UnixSeconds, now: UnixSeconds) -> bool {
        let Some(Any::Alice(alice)) = self.machines.get(&key) else { return false };
        let line = alice.introducer().and_then(|line_id| self.machines.get(&RecordKey::Line(line_id)));
        matches!(line, Some(Any::Line(line)) if line.phase() != LinePhase::Closed)
            && self.unknown.len() < MOST_UNKNOWN
            && now.0.saturating_sub(since.0) < LONGEST_UNKNOWN
    }

    /// Hands in again what came too early.
    pub(super) fn hear_again(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        let early = mem::take(&mut self.early).into_iter().chain(self.unknown.keys().cloned().collect::<Vec<_>>());
        early.into_iter().try_for_each(|event| go_on(self.hear(&event, now, power)))
    }

    fn is_connecting(&self) -> bool {
        self.machines.values().any(|it| matches!(it, Any::Bob(bob) if bob.phase() == BobPhase::Connecting))
    }
}
