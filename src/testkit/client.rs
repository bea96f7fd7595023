//! An app that does what SPEC.md says, and no more.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::mem;

use super::app::{App, Command, Output, Power, PowerFailed, Receipt, RollBack};
use super::introductions::{Introduced, withdrawn};
use super::machine::{Any, Halt, Input, Tables, ToDo};
use super::store::{Conflict, Put, Store};
use crate::{
    Bob, Created, Event, IntroducerMessage, LineId, Machine, Port, RecordKey, Rejected, Seed, TicketNotice, UnixSeconds,
};

/// For how many seconds an event whose ticket is unknown is kept (§16.7).
pub(super) const LONGEST_UNKNOWN: u64 = 3600;

/// What stands between a roll-back and a second line, and between a contact who is gone and another guest of his. Leave one away,
/// and see what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Care {
    /// The store compares and swaps by [`replaces`](crate::Step::replaces) (§8.2).
    pub compares: bool,
    /// It keeps [`once`](crate::Step::once), where no backup reaches (§8.4).
    pub marks: bool,
    /// It deletes the row of a ticket that is used, [`strikes`](crate::Step::strikes) (§16.4).
    pub strikes: bool,
    /// Whoever restores a backup first revokes every open Port in it (§11).
    pub revokes: bool,
    /// It withdraws the contact ports of introducers whose lines are over (§16.6).
    pub withdraws: bool,
}

impl Care {
    /// As SPEC.md has it.
    pub const FULL: Self = Self { compares: true, marks: true, strikes: true, revokes: true, withdraws: true };
    /// What an app must not be like.
    pub const NONE: Self = Self { compares: false, marks: false, strikes: false, revokes: false, withdraws: false };
}

/// The kit's own app: a store, and the three lines around every machine in it.
#[derive(Debug)]
pub struct Client {
    care: Care,
    data: Vec<u8>,
    store: Store,
    backup: Option<Store>,
    /// In memory.
    machines: BTreeMap<RecordKey, Any>,
    /// Events that overtook what they need. In memory, and not acknowledged.
    early: VecDeque<Vec<u8>>,
    /// The same of who came by a contact port before Alice was told of him, and since when (§16.7).
    unknown: BTreeMap<Vec<u8>, UnixSeconds>,
    /// Whoever says again what is pending, after a pause. In memory.
    paused: BTreeSet<RecordKey>,
    output: Vec<Output>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new(Care::FULL)
    }
}

impl Client {
    /// A user who has nothing yet.
    pub const fn new(care: Care) -> Self {
        Self {
            care,
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

    /// Seals and opens with this associated data (§6.3).
    #[must_use]
    pub fn with_associated_data(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self
    }

    /// Its store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Deletes all that may be deleted (§8.3).
    pub fn sweep(&mut self) {
        for (key, _) in self.machines.iter().filter(|(_, machine)| machine.may_be_deleted()) {
            self.store.delete(*key);
            if let RecordKey::LineLink(line_link) = key {
                self.store.forget_tickets(*line_link);
            }
        }
        self.load();
    }

    fn load(&mut self) {
        let machines = self.store.records().filter_map(Any::restore);
        self.machines = machines.map(|machine| (machine.key(), machine)).collect();
    }

    fn begin<M: Machine>(&mut self, born: Created<M>, power: &mut Power) -> Result<RecordKey, Halt> {
        let key = born.key();
        keep(&mut self.store, self.care, power, Put::birth(&born), |_| {})?;
        self.machines.extend(Any::restore(&born.commit().record()).map(|machine| (key, machine)));
        Ok(key)
    }

    /// The three lines, what they ask for, and settling.
    fn drive(&mut self, key: RecordKey, input: Input<'_>, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let machine = self.machines.get(&key);
        let introduced = machine.and_then(|machine| Introduced::by(machine, &input, now));
        let withdrawn = machine.and_then(|machine| withdrawn(machine, &input));
        let also = |store: &mut Store| {
            introduced.iter().for_each(|introduced| introduced.keep(store, now));
            withdrawn.iter().for_each(|(line_link, line_id)| store.withdraw(*line_link, *line_id));
        };
        let (key, to_do) = self.advance(key, input, now, power, also)?;
        if let Some(key) = introduced.and_then(|introduced| introduced.key()) {
            self.load();
            self.say_unsent_if_over(key, now, power)?;
        }
        self.act(key, to_do, now, power)?;
        self.clear_outbox(key, now, power)?;
        if matches!(key, RecordKey::Line(_)) && self.machines.get(&key).is_some_and(Any::is_over) {
            self.withdraw_what_ended(now, power)?;
        }
        Ok(())
    }

    /// The three lines, and what else belongs into the transaction.
    fn advance(
        &mut self,
        key: RecordKey,
        input: Input<'_>,
        now: UnixSeconds,
        power: &mut Power,
        also: impl Fn(&mut Store),
    ) -> Result<(RecordKey, Vec<ToDo>), Halt> {
        let mut machine = self.machines.remove(&key).ok_or(Rejected::WrongMachine)?;
        let Self { store, care, .. } = self;
        let outcome = machine.step(input, now, &mut |put| keep(store, *care, power, put, &also));
        let key = machine.key();
        self.machines.insert(key, machine);
        if let Err(Halt::Conflict(_)) = outcome {
            // Somebody else moved it, or it is an old one: what is stored counts.
            self.load();
        }
        Ok((key, outcome?))
    }

    /// An introducer's machine whose right was withdrawn says so.
    fn say_unsent_if_over(&mut self, key: RecordKey, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        match self.machines.get(&key) {
            Some(introducer @ Any::Introducer(_)) if introducer.is_over() => {
                self.say_unsent(key, now, power)?;
                self.clear_outbox(key, now, power)
            }
            _ => Ok(()),
        }
    }

    fn clear_outbox(&mut self, key: RecordKey, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let Some(machine) = self.machines.get_mut(&key) else { return Ok(()) };
        let Self { store, care, .. } = self;
        match machine.step(Input::Settle, now, &mut |put| keep(store, *care, power, put, |_| {})) {
            Ok(_) | Err(Halt::Idle) => Ok(()),
            Err(halt) => Err(halt),
        }
    }

    fn act(&mut self, key: RecordKey, to_do: Vec<ToDo>, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        for one in to_do {
            power.point()?;
            match (one, key) {
                (ToDo::Send(request), _) => self.output.push(Output::Send(request)),
                (ToDo::Show(text), _) => self.output.push(Output::Show(text)),
                (ToDo::Hear(text), RecordKey::Line(line_id)) => self.output.push(Output::Hear(line_id, text)),
                (ToDo::Adopt(line), _) => {
                    let key = line.key();
                    self.machines.insert(key, Any::Line(*line));
                    self.say_unsent(key, now, power)?;
                }
                (ToDo::Grant(said), _) => {
                    let Some(Any::Alice(alice)) = self.machines.get(&key) else { continue };
                    // Said again with every start: whether it could be said now matters little.
                    alice.introducer().map_or(Ok(()), |line_id| or_not(self.say_along(line_id, &said, now, power)))?;
                }
                (ToDo::TellAlice(line_id, said), _) => match self.say_along(line_id, &said, now, power) {
                    Ok(()) => self.drive(key, Input::Told, now, power)?,
                    // Nobody is left to be told.
                    Err(Halt::Rejected(Rejected::Closed | Rejected::WrongMachine)) => {
                        self.drive(key, Input::GiveUp, now, power)?;
                    }
                    Err(halt) => return Err(halt),
                },
                (ToDo::Pause, _) => drop(self.paused.insert(key)),
                // A link is asked for by `take` alone.
                (ToDo::Hear(_) | ToDo::Link(_) | ToDo::Tell, _) => {}
            }
        }
        Ok(power.point()?)
    }

    /// To the machine of an introducer, or to Alice's.
    fn say_along(&mut self, line_id: LineId, said: &[u8], now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let introduction = IntroducerMessage::decode(said).map_err(Rejected::from)?;
        self.drive(RecordKey::Line(line_id), Input::SayIntroduction(&introduction), now, power)
    }

    fn say_unsent(&mut self, key: RecordKey, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let pending = self.machines.get(&key).map(Any::pending).unwrap_or_default();
        self.act(key, pending, now, power)
    }
}

/// One transaction, and the points around it.
fn keep(store: &mut Store, care: Care, power: &mut Power, mut put: Put, also: impl Fn(&mut Store)) -> Result<(), Halt> {
    power.point()?;
    if !care.marks {
        put.once = None;
    }
    if !care.strikes {
        put.strikes = None;
    }
    if care.compares {
        store.put(put)?
    } else {
        store.overwrite(put)
    }
    also(store);
    Ok(power.point()?)
}

/// If it can be done.
fn or_not(outcome: Result<(), Halt>) -> Result<(), Halt> {
    Ok(go_on(outcome)?)
}

/// Nothing but a failure of power stops a client.
fn go_on(outcome: Result<(), Halt>) -> Result<(), PowerFailed> {
    match outcome {
        Err(Halt::PowerFailed(failed)) => Err(failed),
        Ok(()) | Err(Halt::Conflict(_) | Halt::Rejected(_) | Halt::Early | Halt::Idle) => Ok(()),
    }
}

impl App for Client {
    fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<Receipt, PowerFailed> {
        match self.hear(event, now, power) {
            Ok(()) => {
                self.hear_again(now, power)?;
                Ok(Receipt::Acknowledged)
            }
            // Nobody has heard it: an old machine is gone, and what is stored was restored.
            Err(Halt::Early | Halt::Conflict(Conflict::Moved)) => Ok(Receipt::NotYet),
            halted => go_on(halted).map(|()| Receipt::Acknowledged),
        }
    }

    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        go_on(match command {
            Command::MakePort { seed, offer } => self.make_port(seed, offer, now, power),
            Command::MakePool { seed, low, full } => self.make_pool(seed, *low, *full, now, power),
            Command::UsePort { seed, text, send_proof } => {
                let Ok(port) = Port::parse(text) else { return Ok(()) };
                let born = Bob::scan(port, Seed::from_bytes(seed));
                let key = born.key();
                // Scanned before, perhaps: then it is that one that connects.
                let scanned = if self.store.get(key).is_none() { self.begin(born, power).map(drop) } else { Ok(()) };
                scanned.and_then(|()| self.drive(key, Input::Connect(*send_proof), now, power))
            }
            Command::Introduce { key, name, expires, seed } => {
                self.drive(*key, Input::Introduce(name, *expires, seed), now, power)
            }
            Command::GiveUp(key) => self.give_up(*key, now, power),
            Command::SetPolicy(key, policy) => self.drive(*key, Input::SetPolicy(*policy), now, power),
            Command::Decide(line_id, accept) => {
                self.drive(RecordKey::Line(*line_id), Input::Decide(*accept), now, power)
            }
            Command::Say(line_id, text) => {
                let data = self.data.clone();
                self.drive(RecordKey::Line(*line_id), Input::Say(text, &data), now, power)
            }
            Command::Close(line_id) => self.drive(RecordKey::Line(*line_id), Input::Close, now, power),
            Command::Tick => {
                for key in mem::take(&mut self.paused) {
                    go_on(self.say_unsent(key, now, power))?;
                }
                self.hear_again(now, power)?;
                let keys: Vec<_> = self.machines.keys().copied().collect();
                return keys.into_iter().try_for_each(|key| go_on(self.drive(key, Input::Tick, now, power)));
            }
        })
    }

    fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.early.clear();
        self.unknown.clear();
        self.paused.clear();
        self.load();
        let keys: Vec<_> = self.machines.keys().copied().collect();
        for key in keys {
            go_on(self.say_unsent(key, now, power).and_then(|()| self.clear_outbox(key, now, power)))?;
        }
        go_on(self.withdraw_what_ended(now, power))?;
        go_on(self.say_withdrawn(now, power))
    }

    fn output(&mut self) -> Vec<Output> {
        mem::take(&mut self.output)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.store.records().map(<[u8]>::to_vec).collect()
    }

    fn associated_data(&self, _: &Event<'_>) -> Vec<u8> {
        self.data.clone()
    }

    fn tickets(&self) -> Option<Vec<TicketNotice>> {
        Some(self.store.tickets().cloned().collect())
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
            RollBack::Everything if self.care.revokes => {
                let ports: Vec<_> = self
                    .machines
                    .iter()
                    .filter(|(_, machine)| matches!(machine, Any::Alice(_)))
                    .map(|(key, _)| *key)
                    .collect();
                // Those that are spent refuse it.
                for key in ports {
                    let _ = self.drive(key, Input::GiveUp, UnixSeconds(0), &mut Power::default());
                    if let RecordKey::LineLink(line_link) = key {
                        self.store.forget_tickets(line_link);
                    }
                }
                // §15.6: its links may have been used since.
                if let Some(pool) = self.pool() {
                    self.store.delete(pool);
                    self.load();
                }
                // The old one, without these, must not come back where its marks are gone.
                self.back_up();
            }
            RollBack::Everything => {}
        }
        true
    }
}

mod hear;
mod ports;
