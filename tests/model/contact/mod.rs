//! §16, searched in the same way. Alice grants a contact port each to its contacts Carol and Dave, and these introduce guests. The line of
//! Alice and each contact is two real Lines, confirmed beforehand. The relay can lose, repeat and reorder its packets like all others.
//! Alice's rows are the caller's table. A row is inserted with the step of the line along which Alice hears of it, and struck out with the
//! step of the use.
//!
//! These cost as much as a lie, beside all that does so elsewhere: Alice revokes a contact port; a contact gives up, or closes the line; a
//! contact lies to Alice about any ticket that there is; Alice stops waiting for word of a guest (§16.7); Alice's records and rows are
//! rolled back to the time when Alice last heard of a ticket. Alice's marks are never rolled back.

mod judge;
mod machines;
mod properties;
mod relay;

use port_protocol::*;

use crate::common::cbor::Cbor;
use crate::ledger::*;
use crate::world::Life;
use machines::{name_of, ticket_of};

/// The cast. The link of a contact's contact port has the contact's number. So has each guest's line a number of the guest's.
pub const ALICE: User = 0;
pub const CAROL: User = 1;
pub const DAVE: User = 2;
pub const BOB: User = 3;
pub const OTHER_BOB: User = 4;
pub const THIEF: User = 5;

/// A guest. It has a ticket of the contact `by`; `ticket` counts the tickets of that contact, from 0.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    pub user: User,
    pub by: User,
    pub ticket: u8,
    /// The contact whose contact port the guest uses. It is another than `by` if the guest or a contact cheats.
    pub through: User,
}

/// How far to search.
#[derive(Clone, Debug)]
pub struct Scope {
    pub contacts: &'static [User],
    pub guests: &'static [Guest],
    pub limit: u32,
    /// Whether tickets expire, and not the contact ports.
    pub tickets_expire: bool,
    /// Whether the grant is still to be said.
    pub from_the_grant: bool,
    pub deviations: u8,
    pub crashes: u8,
    /// A line's last revision, but not of a contact's.
    pub revisions: u64,
}

/// One user's records.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Me {
    /// Alice's contact ports by contact, a contact's right to introduce, a guest's Port.
    pub ports: [Option<Kept>; 2],
    /// By name: three, and the two contacts'.
    pub lines: [Option<Kept>; 5],
    pub down: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    pub me: [Me; 6],
    /// Alice's tables, sorted.
    pub rows: Vec<TicketRow>,
    pub marks: Vec<ReplayMark>,
    /// Alice's contact ports and rows, as they were when Alice last heard of a ticket.
    pub backup: Option<([Option<Kept>; 2], Vec<TicketRow>)>,
    /// What the relay knows, sorted.
    pub known: Vec<Fact>,
    /// What contacts handed over, sorted.
    pub handed: Vec<Shown>,
    /// How many tickets a contact made.
    pub made: [u8; 2],
    /// Of which tickets the relay had word, from their makers; sorted.
    pub said: Vec<TicketRow>,
    /// Of what Alice heard, along which line; sorted.
    pub heard: Vec<(Id, TicketRow)>,
    /// Which tickets let somebody in, and by whose contact port; sorted.
    pub used: Vec<(TicketHash, User)>,
    /// Which came when they were over; sorted.
    pub expired: Vec<TicketHash>,
    pub withdrawn: [bool; 2],
    pub deviations: u8,
    pub crashes: u8,
    pub rolled_back: bool,
    pub broken: Broken,
}

/// What must never be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Broken {
    pub ticket_twice: bool,
    pub over_limit: bool,
    pub after_withdrawal: bool,
    pub not_told: bool,
    pub handed_first: bool,
    pub revived: bool,
    pub spent_moved: bool,
    pub counted_refused: bool,
}

/// One of a user's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Alice has one for each contact, everybody else the first.
    Port(usize),
    Line(Id),
}

/// Ports first: their lines may not be stored yet.
pub const PLACES: [Place; 7] =
    [Place::Port(0), Place::Port(1), Place::Line(1), Place::Line(2), Place::Line(3), Place::Line(4), Place::Line(5)];

#[derive(Clone, Debug)]
pub enum Action {
    Tell { user: User, place: Place, of: Move, deviates: bool, stop: Option<u8> },
    Scan(User),
    Wake { user: User, stop: Option<u8> },
    RollBack,
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

const fn is_contact(user: User) -> bool {
    user == CAROL || user == DAVE
}

/// An honest relay's number for a guest's line.
const fn pair_of(guest: User) -> Id {
    guest - DAVE
}

/// The number of the line of Alice and a contact.
pub const fn line_with(contact: User) -> Id {
    contact + 3
}

const fn contact_on(line: Id) -> Option<User> {
    if line > 3 { Some(line - 3) } else { None }
}

/// The place of this contact's contact port among Alice's Ports.
fn port_of(contact: User) -> Place {
    Place::Port(usize::from(contact) - 1)
}

fn insert<T: Ord>(all: &mut Vec<T>, one: T) {
    if let Err(at) = all.binary_search(&one) {
        all.insert(at, one);
    }
}

impl Scope {
    fn guest(&self, user: User) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.user == user)
    }

    pub fn cast(&self) -> impl Iterator<Item = User> + Clone + '_ {
        [ALICE].into_iter().chain(self.contacts.iter().copied()).chain(self.guests.iter().map(|guest| guest.user))
    }

    /// How many tickets this contact is to make.
    fn tickets(&self, contact: User) -> u8 {
        let of = self.guests.iter().filter(|guest| guest.by == contact);
        of.map(|guest| guest.ticket + 1).max().unwrap_or(0)
    }
}

impl State {
    pub fn held(&self, user: User, place: Place) -> Option<Kept> {
        let me = &self.me[usize::from(user)];
        match place {
            Place::Port(n) => me.ports[n],
            Place::Line(name) => me.lines[usize::from(name) - 1],
        }
    }

    fn slot(&mut self, user: User, place: Place) -> &mut Option<Kept> {
        let me = &mut self.me[usize::from(user)];
        match place {
            Place::Port(n) => &mut me.ports[n],
            Place::Line(name) => &mut me.lines[usize::from(name) - 1],
        }
    }

    pub fn knows(&self, fact: Fact) -> bool {
        self.known.binary_search(&fact).is_ok()
    }

    /// The payloads and proofs that the relay knows.
    pub fn numbers(&self) -> Vec<Number> {
        let mut numbers: Vec<_> = self
            .known
            .iter()
            .filter_map(|fact| match *fact {
                Fact::Packet { payload, .. } => Some(payload),
                Fact::Connect { proof, .. } => proof,
                _ => None,
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// What would move it, told by the relay, the clock or its user.
    pub fn moves(&self, user: User, place: Place, numbers: &[Number]) -> &'static [Move] {
        let Some(held) = self.held(user, place) else { return &[] };
        let bits = |all: &mut dyn Iterator<Item = u8>| all.fold(0u32, |bits, bit| bits | 1 << bit);
        let lines = &self.me[usize::from(user)].lines;
        let rows =
            (user == ALICE && matches!(place, Place::Port(_))).then(|| bits(&mut self.rows.iter().map(|row| row.0)));
        let stored = [0, 1, 2].map(|name| lines[name].and_then(Kept::face).map(|line| line.port));
        held.moves(Knowing { numbers: numbers.to_vec(), lines: 3, scans: 1, stored, rows })
    }

    /// Does what a step asks for; `None`: the process went.
    fn act(&mut self, user: User, place: Place, acts: &[Act], life: &mut Life) -> Option<()> {
        for act in acts {
            life.lives().then_some(())?;
            match *act {
                // What was heard was kept with the step.
                Act::Show | Act::Heard(_) => {}
                Act::Send(fact) => insert(&mut self.known, fact),
                // It was stored with the step.
                Act::Adopt(line) => self.act(user, Place::Line(line.name()), line.pending(), life)?,
                Act::Tell(said) => self.introduce(user, said, life)?,
                Act::Hand(port) => {
                    let ticket = Port::from_bytes(&port.bytes()).unwrap().ticket().unwrap().hash();
                    self.broken.handed_first |= !self.said.iter().any(|row| row.get().ticket == ticket);
                    insert(&mut self.handed, port);
                }
                Act::Ended => self.ended(user, place, life)?,
                Act::Hear(_) => unreachable!("nobody says a word here"),
            }
        }
        Some(())
    }

    /// §16.3: Alice is told; only then is there something to hand over.
    fn introduce(&mut self, contact: User, said: Said, life: &mut Life) -> Option<()> {
        let introducer = self.held(contact, Place::Port(0))?;
        // If Alice can't be told, the contact gives up its right.
        let next = if self.say(contact, line_with(contact), said, life)? { Told::HandedOver } else { Told::GivesUp };
        life.lives().then_some(())?;
        let moved = introducer.told(next, false)?;
        *self.slot(contact, Place::Port(0)) = Some(moved.next);
        self.act(contact, Place::Port(0), &moved.acts, life)
    }

    /// Along their line, if that is open.
    fn say(&mut self, user: User, line: Id, said: Said, life: &mut Life) -> Option<bool> {
        let moved = self.held(user, Place::Line(line)).and_then(|held| held.told(Told::Seals(said), false));
        let Some(moved) = moved else { return Some(false) };
        *self.slot(user, Place::Line(line)) = Some(moved.next);
        self.act(user, Place::Line(line), &moved.acts, life)?;
        if let Said::Ticket(row) = said {
            insert(&mut self.said, row);
        }
        Some(true)
    }

    /// §16.6: what is withdrawn has no rows, and its contact is told. A line that ends takes along what hung on it.
    fn ended(&mut self, user: User, place: Place, life: &mut Life) -> Option<()> {
        match place {
            Place::Port(n) if user == ALICE => {
                let contact = n as User + 1;
                self.rows.retain(|row| row.link() != contact);
                self.say(ALICE, line_with(contact), Said::Withdrawn(contact), life)?;
            }
            Place::Line(line) => {
                let Some(contact) = contact_on(line) else { return Some(()) };
                let hers = if user == ALICE { port_of(contact) } else { Place::Port(0) };
                let (told, late) = (Told::GivesUp, false);
                if let Some(moved) = self.held(user, hers).and_then(|held| held.told(told, late)) {
                    self.keep(user, hers, &Move { told, late, moved });
                    self.act(user, hers, &moved.acts, life)?;
                    self.clear_outbox(user, hers, life)?;
                }
            }
            Place::Port(_) => {}
        }
        Some(())
    }

    /// §8.1: everything was done, so the outbox is emptied.
    fn clear_outbox(&mut self, user: User, place: Place, life: &mut Life) -> Option<()> {
        if let Some(cleared) = self.held(user, place).and_then(Kept::cleared) {
            life.lives().then_some(())?;
            *self.slot(user, place) = Some(cleared);
        }
        Some(())
    }

    /// One transaction: the record, the new line, the mark, the row that is struck out, and what was heard.
    fn keep(&mut self, user: User, place: Place, of: &Move) {
        let moved = of.moved;
        let before = *self.slot(user, place);
        self.broken.spent_moved |= before.is_some_and(|before| before.spent);
        *self.slot(user, place) = Some(moved.next);
        if let Some(line) = moved.line() {
            *self.slot(user, Place::Line(line.name())) = Some(line);
        }
        if let Some(mark) = moved.once {
            insert(&mut self.marks, mark);
        }
        if let Some(ticket) = moved.consumes {
            self.rows.retain(|row| row.get().ticket != ticket);
        }
        if let (ALICE, Place::Port(n)) = (user, place) {
            self.withdrawn[n] |= moved.next.spent || of.told == Told::GivesUp;
        }
        for act in &moved.acts {
            if let (Act::Heard(said), Place::Line(line)) = (*act, place) {
                self.hear(user, line, said, of.late);
            }
        }
    }

    /// §16.3, §16.4.
    pub fn hear(&mut self, user: User, line: Id, said: Said, late: bool) {
        let Some(contact) = contact_on(line) else { return };
        match said {
            Said::Ticket(row) if user == ALICE => {
                insert(&mut self.heard, (line, row));
                let told = row.get();
                let rows = self.rows.iter().filter(|other| other.link() == row.link()).count() as u8;
                let takes = |port: Kept| port.told(Told::Hears { row, from: line, rows }, late).is_some();
                if self.held(ALICE, port_of(row.link())).is_some_and(takes)
                    && !self.rows.iter().any(|other| other.get().ticket == told.ticket)
                    && !self.marks.contains(&ReplayMark::from(*told.ticket.as_bytes()))
                {
                    insert(&mut self.rows, row);
                    self.backup = Some((self.me[usize::from(ALICE)].ports, self.rows.clone()));
                }
            }
            Said::Grant(port) if user == contact => {
                let born = Introducer::granted(&port.bytes(), line_id(line)).unwrap();
                let slot = self.slot(user, Place::Port(0));
                if slot.is_none_or(|held| held.spent && held.cleared().is_none()) {
                    *slot = Some(Kept::created(user, &born));
                }
            }
            Said::Withdrawn(_) if user == contact => {
                if let Some(moved) = self.held(user, Place::Port(0)).and_then(|held| held.told(Told::Said(said), false))
                {
                    *self.slot(user, Place::Port(0)) = Some(moved.next);
                }
            }
            _ => {}
        }
    }

    /// Keeps the write, does what the step asks for, clears the outbox.
    pub fn step(&mut self, user: User, place: Place, of: &Move, guests: &[Guest], life: &mut Life) -> Option<()> {
        let Move { told, moved, .. } = *of;
        // §8.3: the store drops the step if there is a line of this name.
        if moved.line().is_some_and(|line| self.held(user, Place::Line(line.name())).is_some()) {
            return Some(());
        }
        self.judge(user, place, of, guests);
        // §8.4: so it does if the mark is there. A line that is stored is none that came to nothing.
        if moved.stray || moved.once.is_some_and(|mark| self.marks.contains(&mark)) {
            return match told {
                Told::Comes { line, .. } if self.held(user, Place::Line(line)).is_none() => {
                    self.act(user, place, &[Act::Send(Fact::Disconnect { by: user, line })], life)
                }
                _ => Some(()),
            };
        }
        self.keep(user, place, of);
        if let Told::Introduces { .. } = told {
            self.made[usize::from(user) - 1] += 1;
        }
        self.act(user, place, &moved.acts, life)?;
        self.clear_outbox(user, place, life)?;
        // The contact heard that its contact port is withdrawn.
        match self.held(user, Place::Port(0)) {
            Some(over) if is_contact(user) && over.spent => {
                self.act(user, Place::Port(0), over.pending(), life)?;
                self.clear_outbox(user, Place::Port(0), life)
            }
            _ => Some(()),
        }
    }

    /// After a restart, or when the connection comes back.
    pub fn wake(&mut self, user: User, life: &mut Life) -> Option<()> {
        for place in PLACES {
            if let Some(held) = self.held(user, place) {
                self.act(user, place, held.pending(), life)?;
                self.clear_outbox(user, place, life)?;
            }
        }
        Some(())
    }

    /// Who was handed a ticket scans it; the thief a copy, or another contact port with it.
    pub fn scan(&mut self, guest: &Guest) -> bool {
        let ticket = ticket_of(guest.by, guest.ticket);
        let ports = self.handed.iter().map(|shown| Port::from_bytes(&shown.bytes()).unwrap());
        let Some(mut port) = { ports }.find(|port| port.ticket().is_some_and(|own| own.hash() == ticket)) else {
            return false;
        };
        if guest.through != guest.by {
            let other = self.held(ALICE, port_of(guest.through)).and_then(|alice| alice.port.clone());
            let Some(other) = other else { return false };
            let ticket = Cbor::read(port.to_bytes().as_slice()).at(&[7]).clone();
            let mut items = Cbor::read(other.to_bytes().as_slice()).items().to_vec();
            items.resize(7, Cbor::Null);
            items.push(ticket);
            port = Port::from_bytes(&Cbor::Array(items).write()).unwrap();
        }
        *self.slot(guest.user, Place::Port(0)) =
            Some(Kept::created(guest.user, &Bob::scan(port, seed_of(guest.user, 1))));
        true
    }
}
