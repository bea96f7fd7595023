//! States are the machines' own records and what the relay knows; actions are the world's.

use port_protocol::*;

use super::ledger::*;
use super::losses::{Elsewhere, Losses};

/// The cast. A Bob's number is [`BOB`] more than its Alice's number. The thief has the first Alice's Port. If that Port is for many, one
/// more Bob has it.
pub const BOB: User = 2;
pub const THIEF: User = 4;
pub const OTHER_BOB: User = 5;
pub const CAST: usize = 6;

/// How far to search.
#[derive(Clone, Debug)]
pub struct Scope {
    pub cast: &'static [User],
    /// For how many the first Alice's Port is; `None`: a plain one.
    pub limit: Option<u32>,
    /// Whether the Alices have to ask for their line links, and the Bobs to scan.
    pub from_the_request: bool,
    /// How often the world may deviate from an honest one: the relay lies, time runs out, a user gives up, or Alice's record is rolled
    /// back to a state before its mark.
    pub deviations: u8,
    pub crashes: u8,
    /// A line's last revision: without it, one Confirm that is repeated for ever makes states without end.
    pub revisions: u64,
    /// Who says a word.
    pub speakers: &'static [User],
    /// Whether users lose what they have, and read a Port again whose use is over. Both cost as much as a lie, and are none.
    pub losses: Option<Losses>,
    /// Whether the first Alice and its Bob have a line of another Port, which the relay may name.
    pub elsewhere: Option<Elsewhere>,
}

/// One user's store, and the checker's notes on the user.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Me {
    pub port: Option<Kept>,
    /// By name.
    pub lines: [Option<Kept>; 3],
    /// The user's process is gone. Before anything else it starts again, and does its pending acts.
    pub down: bool,
    pub marks: Vec<ReplayMark>,
    /// The record that a roll-back brings back.
    pub backup: Option<Kept>,
    /// How many lines the user's Port yielded.
    pub yielded: u8,
    /// The proofs of these lines, if the Port is for many. An altered proof counts as the same proof.
    pub proofs: Vec<Number>,
    /// How often the user read a Port.
    pub scans: u8,
    /// The line on which the user said its word.
    pub spoke: Option<Id>,
    /// The users whose words this user heard.
    pub heard: Vec<User>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    /// Whether the Port is for many.
    pub many: bool,
    /// [`Scope::losses`].
    pub losses: Option<Losses>,
    /// [`Scope::elsewhere`].
    pub elsewhere: Option<Elsewhere>,
    /// Something happened that no honest relay and no honest user does. Only noted where users lose things.
    pub lied: bool,
    /// Somebody has lost all that they had.
    pub lost: bool,
    pub me: [Me; CAST],
    /// Sorted.
    pub known: Vec<Fact>,
    /// Who was first with the link of each Alice, and by which scan, as an honest relay has it.
    pub first: [Option<(User, u8)>; 2],
    pub deviations: u8,
    pub crashes: u8,
    pub spent_moved: bool,
    pub stranger_joined: bool,
    pub false_words: bool,
    pub rolled_back: bool,
    /// Somebody got in who was one too many, or while nobody was to.
    pub over_limit: bool,
    /// A proof got in twice.
    pub proof_twice: bool,
    /// A use that yielded no line was counted.
    pub counted_refused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Port,
    Line(Id),
}

/// What happens next. `stop`: after the record was kept and so many of the acts that follow were done, the process is gone.
#[derive(Clone, Debug)]
pub enum Action {
    Tell {
        user: User,
        place: Place,
        told: Told,
        deviates: bool,
        moved: &'static Moved,
        stop: Option<u8>,
    },
    Scan(User),
    Wake {
        user: User,
        stop: Option<u8>,
    },
    RollBack(User),
    /// All that the user has is lost.
    Lose(User),
}

impl PartialEq for Action {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// What a user may have.
pub const PLACES: [Place; 4] = [Place::Port, Place::Line(1), Place::Line(2), Place::Line(3)];

/// So many things may still be done before the process is gone.
pub struct Life(pub Option<u8>);

impl Life {
    /// Whether one more thing is done.
    pub const fn lives(&mut self) -> bool {
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
        THIEF | OTHER_BOB => 0,
        user => user % BOB,
    }
}

/// An honest relay's name for the line of a link; for many, for that of a user.
pub const fn link_of(alice: User) -> Id {
    alice + 1
}

pub const fn pair_of(user: User) -> Id {
    match user {
        THIEF => 3,
        OTHER_BOB => 2,
        user => user % BOB + 1,
    }
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
            Place::Line(name) => self.at(user).lines[usize::from(name) - 1],
        }
    }

    /// What would move it.
    pub fn moves(&self, held: Kept, numbers: &[Number]) -> impl Iterator<Item = Move> + use<> {
        // Who ends a stray line loses nothing by it, and where nobody loses anything, nobody waits on one. So these moves are left out.
        let strays = self.many || self.losses.is_some();
        let lines = if self.many || self.elsewhere.is_some() { 3 } else { 2 };
        let scans = if self.losses.is_some() { 2 } else { 1 };
        let believed = held.port.as_ref().filter(|_| self.elsewhere == Some(Elsewhere::Believes)).map(Port::hash);
        let stored = [1, 2, 3].map(|name| {
            let line = self.held(held.user, Place::Line(name)).and_then(Kept::face)?;
            Some(believed.unwrap_or(line.port))
        });
        let knowing = Knowing { numbers: numbers.to_vec(), lines, scans, stored, rows: None };
        held.moves(knowing).iter().copied().filter(move |it| strays || !it.moved.stray)
    }

    /// Does what a step asks for; `None`: the process went.
    fn act(&mut self, acts: &[Act], life: &mut Life) -> Option<()> {
        for act in acts {
            if !life.lives() {
                return None;
            }
            match *act {
                Act::Show | Act::Ended => {}
                Act::Send(fact) => {
                    if let Fact::Connect { by, link, scan, .. } = fact
                        && !self.many
                    {
                        let first = &mut self.first[usize::from(link) - 1];
                        *first = first.or(Some((by, scan)));
                    }
                    if let Err(at) = self.known.binary_search(&fact) {
                        self.known.insert(at, fact);
                    }
                }
                // It was stored with the step.
                Act::Adopt(line) => self.act(line.pending(), life)?,
                // It was kept with the step.
                Act::Hear(_) => {}
                Act::Heard(_) | Act::Tell(_) | Act::Hand(_) => unreachable!("nobody is introduced here"),
            }
        }
        Some(())
    }
}

impl State {
    /// §8.1: words are kept in the transaction of the step that opened them.
    fn hear(&mut self, user: User, place: Place, of: User) {
        let line_id = |user, place| self.held(user, place).and_then(Kept::face).map(|line| line.line_id);
        let said = |name| of != user && line_id(of, Place::Line(name)) == line_id(user, place);
        self.false_words |= !self.at(of).spoke.is_some_and(said) || self.at(user).heard.contains(&of);
        let heard = &mut self.at_mut(user).heard;
        heard.push(of);
        heard.sort_unstable();
    }

    /// §8.1: everything was done, so the outbox is emptied.
    fn clear_outbox(&mut self, user: User, place: Place, life: &mut Life) -> Option<()> {
        if let Some(cleared) = self.held(user, place).and_then(Kept::cleared) {
            if !life.lives() {
                return None;
            }
            *self.slot(user, place) = Some(cleared);
        }
        Some(())
    }

    fn slot(&mut self, user: User, place: Place) -> &mut Option<Kept> {
        let me = &mut self.me[user as usize];
        match place {
            Place::Port => &mut me.port,
            Place::Line(name) => &mut me.lines[usize::from(name) - 1],
        }
    }

    /// Keeps the write, does what the step asks for, clears the outbox.
    pub fn step(&mut self, user: User, place: Place, told: Told, moved: &Moved, life: &mut Life) -> Option<()> {
        let before = self.held(user, place)?;
        let next = moved.next;
        // §8.4: the store drops the step.
        if moved.stray || moved.once.is_some_and(|mark| self.at(user).marks.contains(&mark)) {
            // A line that is stored is none that came to nothing: its event came again.
            return match told {
                Told::Formed { line, .. } | Told::Connected { line, .. }
                    if (self.many || moved.stray) && self.held(user, Place::Line(line)).is_none() =>
                {
                    self.act(&[Act::Send(Fact::Disconnect { by: user, line })], life)
                }
                _ => Some(()),
            };
        }
        // §8.3: so it does if there is a line of this name.
        let born = moved.line();
        if born.is_some_and(|line| self.held(user, Place::Line(line.name())).is_some()) {
            return Some(());
        }
        let marks = &mut self.at_mut(user).marks;
        marks.extend(moved.once);
        marks.sort_unstable();
        // A second scan is a machine of its own, in the place of the first (§5.6).
        self.spent_moved |= before.spent && told != Told::ScansAgain;
        let joined = |face: Kept| face.face().is_some_and(|line| line.phase == LinePhase::Joined);
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
        if let Told::Formed { proof: Some(proof), .. } = told
            && self.many
            && user < BOB
        {
            self.counted_refused |= born.is_none() && next.used > before.used;
            let (proof, proofs) = (proof.original(), &mut self.at_mut(user).proofs);
            if born.is_some() {
                let twice = proofs.contains(&proof);
                proofs.push(proof);
                proofs.sort_unstable();
                let many = proofs.len() as u32;
                self.proof_twice |= twice;
                // Who is rolled back has forgotten how many came.
                let policy = before.policy.unwrap();
                let limit = if let UseLimit::UpTo(limit) = policy.use_limit() { limit } else { 0 };
                self.over_limit |= !self.rolled_back && (many > limit || policy.is_paused());
            }
        }
        if born.is_some() {
            self.at_mut(user).yielded += 1;
        }
        if next.port.is_some() && !self.many {
            self.at_mut(user).backup = Some(next);
        }
        if told == Told::Says {
            self.at_mut(user).spoke = Some(before.name());
        }
        *self.slot(user, place) = Some(next);
        if let Some(line) = born {
            *self.slot(user, Place::Line(line.name())) = Some(line);
        }
        for act in &moved.acts {
            if let Act::Hear(of) = *act {
                self.hear(user, place, of);
            }
        }
        self.act(&moved.acts, life)?;
        self.clear_outbox(user, place, life)
    }

    /// After a restart, or when the connection comes back.
    pub fn wake(&mut self, user: User, life: &mut Life) -> Option<()> {
        for place in PLACES {
            if let Some(held) = self.held(user, place) {
                self.act(held.pending(), life)?;
                self.clear_outbox(user, place, life)?;
            }
        }
        Some(())
    }

    pub fn scan(&mut self, user: User) -> bool {
        let Some(port) = self.at(alice_of(user)).port.and_then(|alice| alice.port.clone()) else { return false };
        remember(&port);
        let me = self.at_mut(user);
        if me.scans == 2 {
            return false;
        }
        me.scans += 1;
        let n = me.scans;
        me.port = Some(Kept::created(user, &Bob::scan(port, seed_of(user, n))));
        true
    }

    /// What an honest relay may bring to this machine, now or again.
    pub fn honest(&self, user: User, place: Place, told: Told) -> bool {
        if self.many {
            return self.honest_of_many(user, place, told);
        }
        let alice = alice_of(user);
        let link = link_of(alice);
        let first = self.first[usize::from(alice)];
        let other = first.and_then(|(first, _)| match user {
            user if user < BOB => Some(first),
            user => (first == user).then_some(alice),
        });
        let asked = |bob, scan, with: Option<&Option<Number>>| {
            self.known.iter().any(|fact| {
                matches!(fact, Fact::Connect { by, link: of, scan: by_scan, proof }
                    if (*by, *of, *by_scan) == (bob, link, scan) && with.is_none_or(|with| proof == with))
            })
        };
        match (place, told) {
            (Place::Port, Told::Issued { link: of }) => of == link && self.knows(Fact::IssueLineLink { by: user }),
            (Place::Port, Told::Formed { line, mark, proof, .. }) => {
                let is_asked = first.is_some_and(|(bob, scan)| asked(bob, scan, Some(&proof)));
                user < BOB && (line, mark) == (link, MARK) && is_asked
            }
            (Place::Port, Told::Connected { line, mark, scan, .. }) => {
                (line, mark) == (link, MARK) && first == Some((user, scan)) && asked(user, scan, None)
            }
            (Place::Port, Told::Refused(reason, scan)) => {
                let Some((bob, of)) = first.filter(|first| *first != (user, scan)) else { return false };
                let is_it = match reason {
                    Reason::UsedByAnother => bob != user,
                    Reason::UsedByYou => bob == user && scan != of,
                    _ => false,
                };
                is_it && asked(user, scan, None)
            }
            (Place::Line(_), Told::Packet(payload)) => {
                other.is_some_and(|by| self.knows(Fact::Packet { by, line: link, payload })) && self.is_of(user, link)
            }
            (Place::Line(_), Told::Disconnected) => {
                other.is_some_and(|by| self.knows(Fact::Disconnect { by, line: link })) && self.is_of(user, link)
            }
            (_, Told::Connect(_) | Told::Says) => true,
            _ => false,
        }
    }

    /// What a user may do by itself, at the price of a lie, and is none.
    pub const fn is_fair(told: Told) -> bool {
        matches!(told, Told::GivesUp | Told::ScansAgain)
    }

    /// [`honest`](State::honest) for a Port for many: each Bob has a line of its own, with a name of its own.
    fn honest_of_many(&self, user: User, place: Place, told: Told) -> bool {
        let link = link_of(alice_of(user));
        let bob_of =
            |line: Id| (BOB..CAST as User).find(|bob| alice_of(*bob) == alice_of(user) && pair_of(*bob) == line);
        let other =
            |line: Id| bob_of(line).and_then(|bob| if user < BOB { Some(bob) } else { (bob == user).then_some(0) });
        let connects = |bob, with: Option<Number>| {
            self.known.iter().any(|fact| {
                matches!(fact, Fact::Connect { by, link: of, proof, .. }
                    if *by == bob && *of == link && (user >= BOB || *proof == with))
            })
        };
        match (place, told) {
            (Place::Port, Told::Formed { line, mark, proof, .. }) => {
                user < BOB && mark == MARK && bob_of(line).is_some_and(|bob| connects(bob, proof))
            }
            (Place::Port, Told::Connected { line, mark, .. }) => {
                mark == MARK && bob_of(line) == Some(user) && connects(user, None)
            }
            (Place::Line(line), Told::Packet(payload)) => {
                other(line).is_some_and(|by| self.knows(Fact::Packet { by, line, payload }))
            }
            (Place::Line(line), Told::Disconnected) => {
                other(line).is_some_and(|by| self.knows(Fact::Disconnect { by, line }))
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
        self.held(user, Place::Line(link)).is_some()
    }
}
