//! An app that does what SPEC.md says, and no more.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;

use super::app::{App, Command, Output, Power, PowerFailed, RollBack};
use super::machine::{Any, Halt, Input, ToDo};
use super::store::{Put, Store};
use crate::{Alice, Bob, Born, Event, Key, Line, Machine, Port, Rejected, Request, Seed, UnixSeconds};

/// How many packets are kept that came too early (§6.4).
const MOST_EARLY: usize = 64;

/// What stands between a roll-back and a second line. Leave one away, and see what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Care {
    /// The store compares and swaps by [`replaces`](crate::Step::replaces) (§8.2).
    pub compares: bool,
    /// It keeps [`once`](crate::Step::once), where no backup reaches (§8.4).
    pub marks: bool,
    /// Whoever restores a backup first revokes every open Port in it (§11).
    pub revokes: bool,
}

impl Care {
    /// As SPEC.md has it.
    pub const FULL: Self = Self { compares: true, marks: true, revokes: true };
    /// What an app must not be like.
    pub const NONE: Self = Self { compares: false, marks: false, revokes: false };
}

/// The kit's own app: a store, and the three lines around every machine in it.
#[derive(Debug)]
pub struct Client {
    care: Care,
    store: Store,
    backup: Option<Store>,
    /// In memory.
    machines: BTreeMap<Key, Any>,
    /// Packets that overtook what they need. In memory.
    early: VecDeque<Vec<u8>>,
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
            store: Store::new(),
            backup: None,
            machines: BTreeMap::new(),
            early: VecDeque::new(),
            output: Vec::new(),
        }
    }

    /// Its store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    fn load(&mut self) {
        let machines = self.store.records().filter_map(Any::restore);
        self.machines = machines.map(|machine| (machine.key(), machine)).collect();
    }

    fn begin<M: Machine>(&mut self, born: Born<M>, power: &mut Power) -> Result<Key, Halt> {
        let key = born.key();
        keep(&mut self.store, self.care, power, Put::birth(&born))?;
        self.machines.extend(Any::restore(&born.commit().record()).map(|machine| (key, machine)));
        Ok(key)
    }

    /// The three lines, what they ask for, and settling.
    fn drive(&mut self, key: Key, input: Input<'_>, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let mut machine = self.machines.remove(&key).ok_or(Rejected::NotMine)?;
        let Self { store, care, .. } = self;
        let outcome = machine.step(input, now, &mut |put| keep(store, *care, power, put));
        let key = machine.key();
        self.machines.insert(key, machine);
        if let Err(Halt::Conflict) = outcome {
            // Somebody else moved it, or it is an old one: what is stored counts.
            self.load();
        }
        self.act(key, outcome?, power)?;
        self.settle(key, now, power)
    }

    fn settle(&mut self, key: Key, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let Some(machine) = self.machines.get_mut(&key) else { return Ok(()) };
        let Self { store, care, .. } = self;
        match machine.step(Input::Settle, now, &mut |put| keep(store, *care, power, put)) {
            Ok(_) | Err(Halt::Idle) => Ok(()),
            Err(halt) => Err(halt),
        }
    }

    fn act(&mut self, key: Key, to_do: Vec<ToDo>, power: &mut Power) -> Result<(), Halt> {
        for one in to_do {
            power.point()?;
            match (one, key) {
                (ToDo::Send(request), _) => self.output.push(Output::Send(request)),
                (ToDo::Show(text), _) => self.output.push(Output::Show(text)),
                (ToDo::Hear(text), Key::Line(line_id)) => self.output.push(Output::Hear(line_id, text)),
                (ToDo::Adopt(born), _) => self.adopt(*born, power)?,
                (ToDo::Hear(_) | ToDo::Tell, _) => {}
            }
        }
        Ok(power.point()?)
    }

    /// §8.3. A line that is stored goes on as it is; one whose name is another's is dropped.
    fn adopt(&mut self, born: Born<Line>, power: &mut Power) -> Result<(), Halt> {
        let key = born.key();
        if self.store.get(key).is_none() {
            self.begin(born, power)?;
            let first = self.machines.get(&key).map(Any::unsent).unwrap_or_default();
            self.act(key, first, power)?;
        }
        Ok(())
    }

    /// Takes an event to its machine, and does what an error says.
    fn hear(&mut self, bytes: &[u8], now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let event = Event::decode(bytes).map_err(Rejected::from)?;
        power.point()?;
        let outcome = self.drive(event.key(), Input::Event(&event), now, power);
        match (&outcome, &event) {
            (Err(Halt::Rejected(Rejected::TooEarly)), _)
            | (Err(Halt::Rejected(Rejected::NotMine)), Event::Packet { .. }) => {
                self.early.push_back(bytes.to_vec());
                self.early.drain(..self.early.len().saturating_sub(MOST_EARLY));
            }
            (Err(Halt::Rejected(Rejected::Stray(line_id))), _) => {
                self.output.push(Output::Send(Request::Disconnect { line_id: *line_id }.to_vec()));
            }
            (Err(Halt::Rejected(Rejected::StrayLink(line_link))), _) => {
                self.output.push(Output::Send(Request::CloseLineLink { line_link: *line_link }.to_vec()));
            }
            // §7.2: a link that nobody here asked for. The same answer again is none: its Port may be on offer.
            (Err(Halt::Rejected(Rejected::NotMine)), Event::LineLinkIssued { line_link, .. })
                if self.store.get(Key::LineLink(*line_link)).is_none() =>
            {
                self.output.push(Output::Send(Request::CloseLineLink { line_link: *line_link }.to_vec()));
            }
            _ => {}
        }
        outcome
    }
}

/// One transaction, and the points around it.
fn keep(store: &mut Store, care: Care, power: &mut Power, mut put: Put) -> Result<(), Halt> {
    power.point()?;
    if !care.marks {
        put.once = None;
    }
    if care.compares {
        store.put(put)?
    } else {
        store.overwrite(put)
    }
    Ok(power.point()?)
}

/// Nothing but a failure of power stops a client.
fn go_on(outcome: Result<(), Halt>) -> Result<(), PowerFailed> {
    match outcome {
        Err(Halt::PowerFailed(failed)) => Err(failed),
        Ok(()) | Err(Halt::Conflict | Halt::Rejected(_) | Halt::Idle) => Ok(()),
    }
}

impl App for Client {
    fn deliver(&mut self, event: &[u8], now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        let outcome = self.hear(event, now, power);
        let moved = outcome.is_ok();
        go_on(outcome)?;
        if moved {
            for event in mem::take(&mut self.early) {
                go_on(self.hear(&event, now, power))?;
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &Command, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        go_on(match command {
            Command::MakePort { seed, offer } => {
                let born = Alice::request(offer.clone(), Seed::from_bytes(seed));
                self.begin(born, power).and_then(|key| {
                    let first = self.machines.get(&key).map(Any::unsent).unwrap_or_default();
                    self.act(key, first, power)
                })
            }
            Command::UsePort { seed, text, send_proof } => {
                let Ok(port) = Port::parse(text) else { return Ok(()) };
                let born = Bob::scan(port, Seed::from_bytes(seed));
                let key = born.key();
                // Scanned before, perhaps: then it is that one that connects.
                let scanned = if self.store.get(key).is_none() { self.begin(born, power).map(drop) } else { Ok(()) };
                scanned.and_then(|()| self.drive(key, Input::Connect(*send_proof), now, power))
            }
            Command::GiveUp(key) => self.drive(*key, Input::GiveUp, now, power),
            Command::Say(line_id, text) => self.drive(Key::Line(*line_id), Input::Say(text), now, power),
            Command::Close(line_id) => self.drive(Key::Line(*line_id), Input::Close, now, power),
            Command::Tick => {
                let keys: Vec<_> = self.machines.keys().copied().collect();
                return keys.into_iter().try_for_each(|key| go_on(self.drive(key, Input::Tick, now, power)));
            }
        })
    }

    fn restart(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), PowerFailed> {
        self.early.clear();
        self.load();
        let unsent: Vec<_> = self.machines.iter().map(|(key, machine)| (*key, machine.unsent())).collect();
        for (key, to_do) in unsent {
            go_on(self.act(key, to_do, power).and_then(|()| self.settle(key, now, power)))?;
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<Output> {
        mem::take(&mut self.output)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.store.records().map(<[u8]>::to_vec).collect()
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
                }
            }
            RollBack::Everything => {}
        }
        true
    }
}
