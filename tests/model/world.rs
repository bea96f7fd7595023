//! States are the machines' own records and what the relay knows; actions are the world's.

use port_protocol::*;

use super::common::seed;
use super::ledger::*;

/// The cast. Bob's number is his Alice's and [`BOB`] more; the thief has the first Alice's Port.
pub const BOB: User = 2;
pub const THIEF: User = 4;
const CAST: usize = 5;

/// How far to search.
#[derive(Clone, Debug)]
pub struct Scope {
    pub cast: &'static [User],
    /// Whether the Alices have to ask for their line links, and the Bobs to scan.
    pub from_the_request: bool,
    /// How often the world may do what an honest one would not: lie, or let time run out, or a user give up, or Alice's record be
    /// rolled back behind her mark.
    pub deviations: u8,
    pub crashes: u8,
    /// A line's last revision: without it, one Confirm that is repeated for ever makes states without end.
    pub revisions: u64,
    /// Whether users speak.
    pub words: bool,
}

/// One user's store, and what the checker remembers of him.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Me {
    pub port: Option<Kept>,
    pub line: Option<Kept>,
    /// His process is gone: first of all he starts again, and does what is unsent.
    pub down: bool,
    pub marked: bool,
    /// The record that a roll-back brings back.
    pub backup: Option<Kept>,
    /// How many lines his Port yielded.
    pub yielded: u8,
    pub spoke: bool,
    /// Whose words he heard.
    pub heard: Option<User>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    pub me: [Me; CAST],
    /// Sorted.
    pub known: Vec<Fact>,
    /// Who was first with the link of each Alice, as an honest relay has it.
    pub first: [Option<User>; 2],
    pub deviations: u8,
    pub crashes: u8,
    pub spent_moved: bool,
    pub stranger_joined: bool,
    pub false_words: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Port,
    Line,
}

/// What happens next. `stop`: after the record was kept and so many of the acts that follow were done, the process is gone.
#[derive(Clone, Debug)]
pub enum Action {
    Tell { user: User, place: Place, told: Told, deviates: bool, moved: &'static Moved, stop: Option<u8> },
    Scan(User),
    Wake { user: User, stop: Option<u8> },
    RollBack(User),
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// So many things may still be done before the process is gone.
pub struct Life(pub Option<u8>);

impl Life {
    /// Whether one more thing is done.
    const fn lives(&mut self) -> bool {
        match &mut self.0 {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

pub fn alice_of(user: User) -> User {
    match user {
        THIEF => 0,
        user => user % BOB,
    }
}

/// An honest relay's names for the line of a link and for a pair.
pub const fn link_of(alice: User) -> Id {
    alice + 1
}

const fn pair_of(user: User) -> Id {
    if user == THIEF { 3 } else { user % BOB + 1 }
}

impl State {
    fn knows(&self, fact: Fact) -> bool {
        self.known.binary_search(&fact).is_ok()
    }

    pub fn at(&self, user: User) -> &Me {
        &self.me[usize::from(user)]
    }

    pub fn at_mut(&mut self, user: User) -> &mut Me {
        &mut self.me[usize::from(user)]
    }

    pub fn held(&self, user: User, place: Place) -> Option<Kept> {
        match place {
            Place::Port => self.at(user).port,
            Place::Line => self.at(user).line,
        }
    }

    /// Does what a step asks for; `None`: the process went.
    fn act(&mut self, user: User, acts: &[Act], life: &mut Life) -> Option<()> {
        for act in acts {
            if !life.lives() {
                return None;
            }
            match *act {
                Act::Show => {}
                Act::Send(fact) => {
                    if let Fact::Connect { by, link, .. } = fact {
                        let first = &mut self.first[usize::from(link) - 1];
                        *first = first.or(Some(by));
                    }
                    if let Err(at) = self.known.binary_search(&fact) {
                        self.known.insert(at, fact);
                    }
                }
                // §8.3.
                Act::Adopt(born) => {
                    let line = *self.at_mut(user).line.get_or_insert(born);
                    if line.face().map(|line| line.claims) == born.face().map(|line| line.claims) {
                        self.act(user, line.unsent(), life)?;
                    }
                }
                Act::Hear(of) => {
                    let claims = |user| self.at(user).line.and_then(|line| line.face()).map(|line| line.claims);
                    let honest = self.at(of).spoke && of != user && claims(of) == claims(user);
                    self.false_words |= !honest || self.at(user).heard.is_some();
                    self.at_mut(user).heard = Some(of);
                }
            }
        }
        Some(())
    }
}

impl State {
    /// §8.1: everything was done, so the outbox is emptied.
    fn settle(&mut self, user: User, place: Place, life: &mut Life) -> Option<()> {
        if let Some(settled) = self.held(user, place).and_then(Kept::settled) {
            if !life.lives() {
                return None;
            }
            *self.slot(user, place) = Some(settled);
        }
        Some(())
    }

    const fn slot(&mut self, user: User, place: Place) -> &mut Option<Kept> {
        let me = &mut self.me[user as usize];
        match place {
            Place::Port => &mut me.port,
            Place::Line => &mut me.line,
        }
    }

    /// Puts the record, does what it asks for, settles.
    pub fn step(&mut self, user: User, place: Place, told: Told, moved: &Moved, life: &mut Life) -> Option<()> {
        let before = self.held(user, place)?;
        let next = moved.next;
        // §8.4: the store drops the step.
        if moved.once && std::mem::replace(&mut self.at_mut(user).marked, true) {
            return Some(());
        }
        self.spent_moved |= before.spent;
        let joined = |face: Kept| face.face().is_some_and(|line| line.phase == LinePhase::Joined);
        let born = moved.acts.iter().find_map(|act| if let Act::Adopt(line) = act { Some(*line) } else { None });
        if joined(next) && !joined(before) || born.is_some_and(joined) && user < BOB {
            let by = match told {
                Told::Formed { proof, .. } => proof,
                Told::Packet(payload) => payload.is_proof.then_some(payload),
                _ => None,
            };
            // Somebody who was given this Port, or stole it, made this proof.
            let made = |fact: &Fact| match *fact {
                Fact::Connect { by: user, proof, .. } => (user, proof),
                Fact::Packet { by: user, payload, .. } => (user, payload.is_proof.then_some(payload)),
                Fact::IssueLineLink { by } | Fact::Disconnect { by, .. } | Fact::CloseLineLink { by, .. } => (by, None),
            };
            self.stranger_joined |= !self
                .known
                .iter()
                .map(made)
                .any(|(maker, proof)| proof.is_some() && proof == by && maker >= BOB && alice_of(maker) == user);
        }
        if born.is_some() {
            self.at_mut(user).yielded += 1;
        }
        if next.port.is_some() {
            self.at_mut(user).backup = Some(next);
        }
        if told == Told::Says {
            self.at_mut(user).spoke = true;
        }
        *self.slot(user, place) = Some(next);
        self.act(user, &moved.acts, life)?;
        self.settle(user, place, life)
    }

    /// After a restart, or when the connection comes back.
    pub fn wake(&mut self, user: User, life: &mut Life) -> Option<()> {
        for place in [Place::Port, Place::Line] {
            if let Some(held) = self.held(user, place) {
                self.act(user, held.unsent(), life)?;
                self.settle(user, place, life)?;
            }
        }
        Some(())
    }

    pub fn scan(&mut self, user: User) -> bool {
        let Some(port) = self.at(alice_of(user)).port.and_then(|alice| alice.port.clone()) else { return false };
        self.at_mut(user).port = Some(Kept::born(user, &Bob::scan(port, seed(user + 1))));
        true
    }

    /// What an honest relay may bring to this machine, now or again.
    pub fn honest(&self, user: User, place: Place, told: Told) -> bool {
        let alice = alice_of(user);
        let link = link_of(alice);
        let first = self.first[usize::from(alice)];
        let other = if user < BOB { first } else { (first == Some(user)).then_some(alice) };
        match (place, told) {
            (Place::Port, Told::Issued { link: of }) => of == link && self.knows(Fact::IssueLineLink { by: user }),
            (Place::Port, Told::Formed { line, pair, proof }) => {
                let Some(bob) = first.filter(|first| user < BOB || *first == user) else { return false };
                let on_board = if user < BOB { proof } else { None };
                (line, pair) == (link, pair_of(bob))
                    && (user < BOB || proof.is_none())
                    && self.known.iter().any(|fact| {
                        matches!(fact, Fact::Connect { by, link: of, proof }
                            if *by == bob && *of == link && (user >= BOB || *proof == on_board))
                    })
            }
            (Place::Port, Told::Refused(reason)) => {
                reason == Reason::Claimed && user >= BOB && first.is_some_and(|first| first != user) && {
                    let asked = |fact: &Fact| matches!(fact, Fact::Connect { by, .. } if *by == user);
                    self.known.iter().any(asked)
                }
            }
            (Place::Line, Told::Packet(payload)) => {
                other.is_some_and(|by| self.knows(Fact::Packet { by, line: link, payload })) && self.is_of(user, link)
            }
            (Place::Line, Told::Disconnected) => {
                other.is_some_and(|by| self.knows(Fact::Disconnect { by, line: link })) && self.is_of(user, link)
            }
            (_, Told::Connect(_) | Told::Says) => true,
            _ => false,
        }
    }

    /// The payloads and proofs that the relay knows.
    pub fn numbers(&self) -> Vec<Number> {
        let sent = self.known.iter().filter_map(|fact| match *fact {
            Fact::Packet { payload, .. } => Some(payload),
            Fact::Connect { proof, .. } => proof,
            _ => None,
        });
        let mut numbers: Vec<_> = sent.collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn is_of(&self, user: User, link: Id) -> bool {
        self.at(user).line.is_some_and(|line| line.key == Key::Line(line_id(link)))
    }
}

impl Scope {
    /// Delivers all that is honest, until nothing moves any more: then whoever was first with a Port, or else its Bob, has a line
    /// with its Alice that both know to be confirmed.
    pub fn completes(&self, state: &State) -> bool {
        let mut state = state.clone();
        let life = &mut Life(None);
        for _ in 0..12 {
            let before = state.clone();
            for &user in self.cast {
                let _ = state.wake(user, life);
                state.at_mut(user).down = false;
                if user >= BOB && user != THIEF && state.at(user).port.is_none() {
                    state.scan(user);
                }
                for place in [Place::Port, Place::Line] {
                    let Some(held) = state.held(user, place) else { continue };
                    for &Move { told, late, .. } in held.moves(&state.numbers()) {
                        let wanted = match told {
                            Told::Connect(how) => how == SendProof::OnBoard && user != THIEF,
                            Told::Says => false,
                            _ => !late,
                        };
                        // The one before may have moved it.
                        let moved = || state.held(user, place)?.told(told, false);
                        if wanted
                            && state.honest(user, place, told)
                            && let Some(moved) = moved()
                        {
                            let _ = state.step(user, place, told, moved, life);
                        }
                    }
                }
            }
            if state == before {
                break;
            }
            // Repeated Confirms are no news.
            if self.is_complete(&state) {
                return true;
            }
        }
        self.is_complete(&state)
    }

    pub fn is_complete(&self, state: &State) -> bool {
        self.cast.iter().filter(|user| **user < BOB).all(|&alice| {
            let bob = state.first[usize::from(alice)];
            let confirmed = |user| state.at(user).line.and_then(|line| line.face()?.confirmed.clone());
            bob.is_some_and(|bob| confirmed(alice).is_some() && confirmed(alice) == confirmed(bob))
        })
    }
}
