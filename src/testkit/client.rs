//! Client: an app that does what SPEC.md says, and no more.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;

use super::app::{App, Command, CrashPoints, Output, Outside, PowerFailed, Receipt, RollBack};
use super::introductions::{self, withdrawn};
use super::machine::{AnyMachine, Halt, Input, Tables, ToDo};
use super::store::{Conflict, Store, StoreFaults};
use crate::{
    Bob, Created, Event, IntroducerMessage, LineId, Machine, Port, RecordKey, Rejected, Seed, TicketNotice,
    UnixSeconds, Write,
};

mod hear;
mod ports;

/// How long an event with an unknown ticket is kept (§16.7).
pub(super) const LONGEST_UNKNOWN: Duration = Duration::from_secs(3600);

/// How long a packet of an unknown line is kept while a Port is on offer (§6.4). What forms the line comes with the connection, if it was
/// lost on its way.
pub(super) const LONGEST_HELD: Duration = Duration::from_secs(24 * 60 * 60);

/// The kit's own app: a store, and for each event one transaction.
///
/// All of a step goes into that transaction: the row, a new line's row, the mark, the used ticket, and what was received. A message lies
/// in the store's inbox until the user has seen it.
#[derive(Debug)]
pub struct Client {
    faults: StoreFaults,
    data: Vec<u8>,
    store: Store,
    backup: Option<Store>,
    /// In memory.
    machines: BTreeMap<RecordKey, AnyMachine>,
    /// Events that overtook what they need, and since when they wait. In memory, and not acknowledged.
    early: VecDeque<(Vec<u8>, UnixSeconds)>,
    /// Uses of a contact port that overtook the notice of their ticket, and since when they wait (§16.7). In memory, and not acknowledged.
    unknown: BTreeMap<Vec<u8>, UnixSeconds>,
    /// Machines that do what is pending again, after a pause. In memory.
    paused: BTreeSet<RecordKey>,
    output: Vec<Output>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(StoreFaults::NONE)
    }
}

/// What came of a step.
struct Moved {
    /// Where the machine is now.
    key: RecordKey,
    to_do: Vec<ToDo>,
    /// Another machine, whose row the same transaction may have changed.
    other: Option<RecordKey>,
}

impl Client {
    /// A user who has nothing yet.
    pub const fn new(faults: StoreFaults) -> Self {
        Self {
            faults,
            data: Vec::new(),
            store: Store::new(),
            backup: None,
            machines: BTreeMap::new(),
            early: VecDeque::new(),
            unknown: BTreeMap::new(),
            paused: BTreeSet::new(),
            output: Vec::new(),
        }
    }

    /// The same, but it seals and opens with this associated data (§6.3).
    #[must_use]
    pub fn with_associated_data(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self
    }

    /// The client's store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Deletes all that may be deleted (§8.3).
    pub fn sweep(&mut self) {
        for (key, _) in self.machines.iter().filter(|(_, machine)| machine.may_be_deleted()) {
            self.store.delete(*key);
            if let RecordKey::LineLink(line_link) = key {
                self.store.delete_tickets(*line_link);
            }
        }
        self.load();
    }

    fn load(&mut self) {
        let machines = self.store.records().filter_map(AnyMachine::restore);
        self.machines = machines.map(|machine| (machine.key(), machine)).collect();
    }

    fn create<M: Machine>(&mut self, created: Created<M>, outside: &mut Outside<'_>) -> Result<RecordKey, Halt> {
        let Self { store, faults, .. } = self;
        let machine = created.store(|write| keep(store, *faults, outside.crashes, outside.now, write, |_| {}))?;
        let key = machine.key();
        self.machines.extend(AnyMachine::restore(&machine.record()).map(|machine| (key, machine)));
        Ok(key)
    }

    /// A step, what it asks for, and clearing the outbox.
    fn drive(&mut self, key: RecordKey, input: Input<'_>, outside: &mut Outside<'_>) -> Result<(), Halt> {
        let withdrawn = self.machines.get(&key).and_then(|machine| withdrawn(machine, &input));
        let also = |store: &mut Store| {
            withdrawn.iter().for_each(|(line_link, line_id)| store.withdraw(*line_link, *line_id));
        };
        let Moved { key, to_do, other } = self.advance(key, input, outside, also)?;
        if let Some(other) = other {
            self.load();
            self.say_pending_if_over(other, outside)?;
        }
        self.show_inbox(outside)?;
        self.act(key, to_do, outside)?;
        self.clear_outbox(key, outside)?;
        if matches!(key, RecordKey::Line(_)) && self.machines.get(&key).is_some_and(AnyMachine::is_over) {
            self.withdraw_orphans(outside)?;
        }
        Ok(())
    }

    /// A step. `also` is what else belongs into its transaction.
    fn advance(
        &mut self,
        key: RecordKey,
        input: Input<'_>,
        outside: &mut Outside<'_>,
        also: impl Fn(&mut Store),
    ) -> Result<Moved, Halt> {
        let mut machine = self.machines.remove(&key).ok_or(Rejected::WrongMachine)?;
        let Self { store, faults, .. } = self;
        let Outside { now, rng, crashes } = outside;
        let mut other = None;
        let outcome = machine.step(input, *now, &mut **rng, &mut |write| {
            other = introductions::received(write).map(|(message, from)| introductions::key_of(message, from));
            keep(store, *faults, crashes, *now, write, &also)
        });
        let key = machine.key();
        self.machines.insert(key, machine);
        if let Err(Halt::Conflict(_)) = outcome {
            // Another process moved the machine, or it is an old one: what is stored counts.
            self.load();
        }
        Ok(Moved { key, to_do: outcome?, other })
    }

    /// An introducer's machine whose right was withdrawn tells its user.
    fn say_pending_if_over(&mut self, key: RecordKey, outside: &mut Outside<'_>) -> Result<(), Halt> {
        match self.machines.get(&key) {
            Some(introducer @ AnyMachine::Introducer(_)) if introducer.is_over() => {
                self.say_pending(key, outside)?;
                self.clear_outbox(key, outside)
            }
            _ => Ok(()),
        }
    }

    fn clear_outbox(&mut self, key: RecordKey, outside: &mut Outside<'_>) -> Result<(), Halt> {
        if !self.machines.contains_key(&key) {
            return Ok(());
        }
        match self.advance(key, Input::ClearOutbox, outside, |_| {}) {
            Ok(_) | Err(Halt::Idle) => Ok(()),
            Err(halt) => Err(halt),
        }
    }

    /// Shows the user what the store holds for them. To show a message and to take it out of the inbox is one thing: no crash comes
    /// between, so that it is neither lost nor shown twice.
    fn show_inbox(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        while self.store.inbox().next().is_some() {
            outside.point()?;
            self.output.extend(self.store.take_message().map(|(line_id, text)| Output::Hear(line_id, text)));
        }
        Ok(())
    }

    fn act(&mut self, key: RecordKey, to_do: Vec<ToDo>, outside: &mut Outside<'_>) -> Result<(), Halt> {
        for one in to_do {
            outside.point()?;
            match one {
                ToDo::Send(request) => self.output.push(Output::Send(request)),
                ToDo::Show(text) => self.output.push(Output::Show(text)),
                ToDo::Adopt(line) => {
                    let key = line.key();
                    self.machines.insert(key, AnyMachine::Line(*line));
                    self.say_pending(key, outside)?;
                }
                ToDo::Grant(said) => {
                    let Some(AnyMachine::Alice(alice)) = self.machines.get(&key) else { continue };
                    // It is said again with every start, so an error now matters little.
                    alice.introducer().map_or(Ok(()), |line_id| or_not(self.say_along(line_id, &said, outside)))?;
                }
                ToDo::Announce(line_id, said) => match self.say_along(line_id, &said, outside) {
                    Ok(()) => self.drive(key, Input::MarkAnnounced, outside)?,
                    // Alice cannot be told any more.
                    Err(Halt::Rejected(Rejected::Closed | Rejected::WrongMachine)) => {
                        self.drive(key, Input::GiveUp, outside)?;
                    }
                    Err(halt) => return Err(halt),
                },
                ToDo::Pause => drop(self.paused.insert(key)),
                // Only `pop` asks for a link.
                ToDo::Link(_) | ToDo::Nothing => {}
            }
        }
        Ok(outside.point()?)
    }

    /// Says something to the machines at the other end of a line.
    fn say_along(&mut self, line_id: LineId, said: &[u8], outside: &mut Outside<'_>) -> Result<(), Halt> {
        let message = IntroducerMessage::decode(said).map_err(Rejected::from)?;
        self.drive(RecordKey::Line(line_id), Input::SayIntroducerMessage(&message), outside)
    }

    fn say_pending(&mut self, key: RecordKey, outside: &mut Outside<'_>) -> Result<(), Halt> {
        let pending = self.machines.get(&key).map(AnyMachine::pending).unwrap_or_default();
        self.act(key, pending, outside)
    }
}

/// One transaction, and the points around it. `also` is what else belongs into it.
fn keep(
    store: &mut Store,
    faults: StoreFaults,
    crashes: &mut CrashPoints,
    now: UnixSeconds,
    write: &Write<'_>,
    also: impl Fn(&mut Store),
) -> Result<(), Halt> {
    let receive = |store: &mut Store| {
        introductions::received(write).into_iter().for_each(|(said, from)| introductions::keep(store, said, from, now));
    };
    crashes.point()?;
    store.keep_with(write, faults)?;
    also(store);
    if faults.splits_received && write.received.is_some() {
        crashes.point()?;
        store.receive(write);
    }
    receive(store);
    Ok(crashes.point()?)
}

/// Does it if it can be done.
fn or_not(outcome: Result<(), Halt>) -> Result<(), Halt> {
    Ok(go_on(outcome)?)
}

/// Only a crash stops a client.
fn go_on(outcome: Result<(), Halt>) -> Result<(), PowerFailed> {
    match outcome {
        Err(Halt::PowerFailed(failed)) => Err(failed),
        Ok(()) | Err(Halt::Conflict(_) | Halt::Rejected(_) | Halt::Early | Halt::Idle) => Ok(()),
    }
}

impl App for Client {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        match self.hear(event, outside) {
            Ok(()) => {
                self.hear_again(outside)?;
                Ok(Receipt::Acknowledged)
            }
            // No machine has taken it: the old one is gone, and what is stored was restored.
            Err(Halt::Early | Halt::Conflict(Conflict::Moved)) => Ok(Receipt::NotYet),
            halted => go_on(halted).map(|()| Receipt::Acknowledged),
        }
    }

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        go_on(match command {
            Command::MakePort { seed, options } => self.make_port(seed, options, outside),
            Command::MakePool { seed, low, full } => self.make_pool(seed, *low, *full, outside),
            Command::UsePort { seed, text, send_proof } => {
                let Ok(port) = Port::parse(text) else { return Ok(()) };
                let created = Bob::scan(port.clone(), Seed::from_bytes(seed));
                let key = created.write().row.key;
                let scanned = match self.machines.get(&key) {
                    Some(before) if before.may_be_deleted() => self.drive(key, Input::ScanAgain(&port, seed), outside),
                    // It was scanned before: that Bob connects.
                    _ if self.store.get(key).is_some() => Ok(()),
                    _ => self.create(created, outside).map(drop),
                };
                scanned.and_then(|()| self.drive(key, Input::Connect(*send_proof), outside))
            }
            Command::Introduce { key, name, expires, seed } => {
                self.drive(*key, Input::Introduce(name, *expires, seed), outside)
            }
            Command::GiveUp(key) => self.give_up(*key, outside),
            Command::SetPolicy(key, policy) => self.drive(*key, Input::SetPolicy(*policy), outside),
            Command::Decide(line_id, accept) => self.drive(RecordKey::Line(*line_id), Input::Decide(*accept), outside),
            Command::Say(line_id, text) => {
                let data = self.data.clone();
                self.drive(RecordKey::Line(*line_id), Input::Say(text, &data), outside)
            }
            Command::Close(line_id) => self.drive(RecordKey::Line(*line_id), Input::Close, outside),
            Command::Tick => {
                // Before anybody asks again: what was held back for who has its answer is of no line of its (§6.4).
                self.hear_again(outside)?;
                for key in mem::take(&mut self.paused) {
                    go_on(self.say_pending(key, outside))?;
                }
                let keys: Vec<_> = self.machines.keys().copied().collect();
                return keys.into_iter().try_for_each(|key| go_on(self.drive(key, Input::Tick, outside)));
            }
        })
    }

    fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.early.clear();
        self.unknown.clear();
        self.paused.clear();
        self.load();
        self.show_inbox(outside)?;
        let keys: Vec<_> = self.machines.keys().copied().collect();
        for key in keys {
            go_on(self.say_pending(key, outside).and_then(|()| self.clear_outbox(key, outside)))?;
        }
        go_on(self.withdraw_orphans(outside))?;
        go_on(self.say_withdrawn(outside))
    }

    fn output(&mut self) -> Vec<Output> {
        mem::take(&mut self.output)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.store.records().map(<[u8]>::to_vec).collect()
    }

    fn inbox(&self) -> Vec<(LineId, Vec<u8>)> {
        self.store.inbox().cloned().collect()
    }

    fn associated_data(&self, _: &Event<'_>) -> Vec<u8> {
        self.data.clone()
    }

    fn tickets(&self) -> Option<Vec<TicketNotice>> {
        Some(self.store.tickets().cloned().collect())
    }

    fn lose(&mut self) -> bool {
        *self = Self { data: mem::take(&mut self.data), ..Self::new(self.faults) };
        true
    }

    fn back_up(&mut self) {
        self.backup = Some(self.store.clone());
    }

    fn roll_back(&mut self, how: RollBack) -> bool {
        let Some(backup) = self.backup.clone() else { return false };
        let now = mem::replace(&mut self.store, backup);
        self.load();
        match how {
            RollBack::Process => self.store = now,
            RollBack::Records => {
                let backup = mem::replace(&mut self.store, now);
                self.store.roll_back_records(&backup);
            }
            RollBack::Everything if !self.faults.keeps_restored_ports => self.revoke_all(),
            RollBack::Everything => {}
        }
        true
    }
}

impl Client {
    /// What an app does first with a restored backup (§11).
    fn revoke_all(&mut self) {
        // To revoke a Port takes no time and no randomness, and no crash comes between: the user waits for it.
        let (mut rng, mut crashes) = (ChaCha8Rng::seed_from_u64(0), CrashPoints::default());
        let mut outside = Outside { now: UnixSeconds::default(), rng: &mut rng, crashes: &mut crashes };
        let is_alice = |machine: &AnyMachine| matches!(machine, AnyMachine::Alice(_));
        let ports: Vec<_> = self.machines.iter().filter(|(_, it)| is_alice(it)).map(|(key, _)| *key).collect();
        for key in ports {
            // A Port that is spent refuses it.
            let _ = self.drive(key, Input::GiveUp, &mut outside);
            if let RecordKey::LineLink(line_link) = key {
                self.store.delete_tickets(line_link);
            }
        }
        // The links of the pool may have been used since (§15.6).
        if let Some(pool) = self.pool() {
            self.store.delete(pool);
            self.load();
        }
        // The old backup, with these Ports open, must not come back where its marks are gone.
        self.back_up();
    }
}
