//! World: two honest Portals, a liar, a hostile network between them, and what happens.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::host::{APPS, Host, Letter, Outcome, Outside};
use super::liar::{Known, Liar};
use super::schedule::{Choice, LIES, MOODS, Schedule, jump};
use super::store::{Faults, Life, Stop};
use super::violation::Violation;
use super::witness::Witness;
use crate::UnixSeconds;
use crate::portal::{PortalId, Refusal};

/// When each world begins.
const BEGIN: u64 = 1_790_000_000;
/// The number of the liar. Smaller ones are honest.
pub(super) const LIAR: usize = 2;
/// More letters than a world has that comes to rest.
const MOST_LETTERS: usize = 20_000;

/// Two honest Portals and a liar. Each owner has entered both others, and grants them to both apps. All that happens is a function of the
/// clients' faults and of the choices made.
pub struct World {
    hosts: Vec<Host>,
    liar: Liar,
    rng: ChaCha8Rng,
    now: u64,
    /// How far each clock is from the true time.
    jumps: [i64; LIAR],
    letters: VecDeque<Letter>,
    past: Vec<Letter>,
    connections: u64,
    witness: Witness,
    trace: String,
    /// Something happened that no honest network, owner or clock does.
    is_disturbed: bool,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World").field("now", &self.now).field("letters", &self.letters.len()).finish_non_exhaustive()
    }
}

impl World {
    /// A world in which nothing has happened yet.
    ///
    /// # Errors
    /// [`Violation`], if not even that can be made.
    pub fn new(faults: Faults) -> Result<Self, Violation> {
        let mut rng = ChaCha8Rng::seed_from_u64(18);
        let hosts = (0..LIAR).map(|number| Host::new(number, faults, &mut rng));
        let hosts: Vec<_> = hosts.collect::<Result<_, _>>().map_err(broken)?;
        let mut private = [0; 32];
        rng.fill_bytes(&mut private);
        let keys: Vec<_> = hosts.iter().map(|host| *host.process.portal.public_key().as_bytes()).collect();
        let liar = Liar::new(private, keys).ok_or(Violation::Endless)?;
        let portals: Vec<_> = hosts.iter().map(|host| host.id).chain([liar.id]).collect();
        let mut world = Self {
            hosts,
            liar,
            rng,
            now: BEGIN,
            jumps: [0; LIAR],
            letters: VecDeque::new(),
            past: Vec::new(),
            connections: 0,
            witness: Witness::of(portals.clone()),
            trace: String::new(),
            is_disturbed: false,
        };
        for who in 0..LIAR {
            for peer in portals.iter().filter(|id| portals.get(who) != Some(*id)) {
                world.with(who, |host, out| host.enters(*peer, out).and_then(|()| host.looks_up(*peer, out)))?;
            }
            for app in 0..APPS.len() {
                world.with(who, |host, out| host.sets_grant(app, host.id, 2, out))?;
            }
        }
        world.deliver_all()?;
        world.past.clear();
        Ok(world)
    }

    /// Makes all choices, and then [`finish`](World::finish)es.
    ///
    /// # Errors
    /// The first [`Violation`]. [`trace`](World::trace) tells how it came about.
    pub fn run(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        schedule.0.iter().try_for_each(|choice| self.perform(*choice))?;
        self.finish()
    }

    /// Makes one choice, and looks whether everything still holds.
    ///
    /// # Errors
    /// The [`Violation`], if something does not hold.
    pub fn perform(&mut self, choice: Choice) -> Result<(), Violation> {
        self.note(format_args!("{choice:?}"));
        self.is_disturbed |= !choice.is_honest();
        self.make(choice)?;
        self.is_sound()
    }

    /// From now on the network is fair, the clocks are right, and the liar answers as it should. Each app asks again. At the end each request has its
    /// answer, or a refusal that says why it has none; and if nothing but the network disturbed the world, and the path is served, the answer.
    ///
    /// # Errors
    /// [`Violation::NotStored`], [`Violation::Unanswered`], [`Violation::Endless`], or what else turns out.
    pub fn finish(&mut self) -> Result<(), Violation> {
        self.note(format_args!("finish"));
        self.jumps = [0; LIAR];
        self.liar.mood = 0;
        for host in &mut self.hosts {
            host.disk.dies_after(None);
            host.is_stored()?;
        }
        for who in 0..LIAR {
            self.with(who, Host::ticks)?;
        }
        for _ in 0..12 {
            self.deliver_all()?;
            for who in 0..LIAR {
                while self.hosts.get(who).is_some_and(|host| !host.process.jobs.is_empty()) {
                    self.with(who, |host, out| host.works(0, out))?;
                }
                for task in 0..self.hosts.get(who).map_or(0, |host| host.tasks.len()) {
                    let gives_up = self.hosts.get(who).is_some_and(|host| host.disk.faults.gives_up);
                    if !gives_up {
                        self.with(who, |host, out| host.asks_again(task, out))?;
                    }
                }
            }
            self.is_sound()?;
        }
        self.deliver_all()?;
        self.is_sound()?;
        for host in &mut self.hosts {
            host.is_stored()?;
        }
        self.are_answered()
    }

    fn are_answered(&self) -> Result<(), Violation> {
        for (who, host) in self.hosts.iter().enumerate() {
            for task in &host.tasks {
                let is_served = !task.target.starts_with("/private");
                let is_good = match (task.outcome, task.excuse) {
                    (Some(Outcome::Answered), _) => true,
                    (Some(Outcome::Refused), _) => self.is_disturbed || !is_served,
                    // A session that is over is no reason: one can be opened.
                    (None, None | Some(Refusal::NoSession)) => false,
                    (None, Some(_)) => self.is_disturbed,
                };
                if !is_good {
                    return Err(Violation::Unanswered(who));
                }
            }
        }
        Ok(())
    }

    /// The liar sends this Portal an `ask` of these bytes (§18.7), properly encrypted: in its session, or in an Opening. For fuzzers.
    ///
    /// # Errors
    /// The [`Violation`], if something does not hold.
    pub fn liar_asks(&mut self, to: u8, ask: &[u8], in_session: bool) -> Result<(), Violation> {
        self.is_disturbed = true;
        let to = usize::from(to) % LIAR;
        if in_session && !self.liar.has_session(to) {
            self.lies(to, 0, 0)?;
        }
        let now = self.clock(to);
        let Self { liar, rng, connections, .. } = self;
        let letter = liar.asks(to, ask, in_session, &mut Known { now, rng, connections, ids: Vec::new() });
        self.has_delivered(letter.into_iter().collect())?;
        self.is_sound()
    }

    /// An app of this Portal asks the liar, which answers by a `say` of these bytes (§18.7), properly encrypted. For fuzzers.
    ///
    /// # Errors
    /// The [`Violation`], if something does not hold.
    pub fn liar_says(&mut self, to: u8, say: &[u8]) -> Result<(), Violation> {
        self.is_disturbed = true;
        self.liar.script = Some(say.into());
        self.perform(Choice::Ask(to, 1, 0))?;
        self.perform(Choice::DeliverAll)
    }

    /// How many requests were asked, and how many of them have their answers.
    pub fn count(&self) -> (usize, usize) {
        let tasks = || self.hosts.iter().flat_map(|host| &host.tasks);
        (tasks().count(), tasks().filter(|task| task.outcome == Some(Outcome::Answered)).count())
    }

    /// What happened, one line for each thing. The same choices give the same bytes.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    fn note(&mut self, what: core::fmt::Arguments<'_>) {
        // To write into a string never fails.
        let _ = writeln!(self.trace, "{what}");
    }

    fn is_sound(&mut self) -> Result<(), Violation> {
        let Self { hosts, witness, .. } = self;
        hosts.iter_mut().try_for_each(|host| host.is_sound(witness))
    }

    fn clock(&self, who: usize) -> UnixSeconds {
        let jump = self.jumps.get(who).copied().unwrap_or_default();
        UnixSeconds::new(self.now.saturating_add_signed(jump)).unwrap_or(UnixSeconds::MAX)
    }

    /// Lets an honest Portal do something. Its process may die of it; what left it until then has left it.
    fn with(&mut self, who: usize, act: impl FnOnce(&mut Host, &mut Outside<'_>) -> Life<()>) -> Result<(), Violation> {
        let now = self.clock(who);
        let Self { hosts, rng, witness, connections, .. } = self;
        let Some(host) = hosts.get_mut(who) else { return Ok(()) };
        witness.clock(host.id, now);
        let mut out = Outside { now, rng, witness, connections, letters: Vec::new() };
        let outcome = act(host, &mut out);
        let letters = out.letters;
        if outcome == Err(Stop::Died) {
            host.restarts()?;
            self.note(format_args!("  {who} dies"));
        }
        self.send(letters);
        match outcome {
            Err(Stop::Broken(violation)) => Err(violation),
            _ => Ok(()),
        }
    }

    fn send(&mut self, letters: Vec<Letter>) {
        for letter in letters {
            self.note(format_args!("  {}", shown(&letter)));
            self.past.push(letter.clone());
            self.letters.push_back(letter);
        }
    }

    fn deliver_all(&mut self) -> Result<(), Violation> {
        for _ in 0..MOST_LETTERS {
            let Some(letter) = self.letters.pop_front() else { return Ok(()) };
            self.deliver(&letter)?;
        }
        Err(Violation::Endless)
    }

    fn deliver(&mut self, letter: &Letter) -> Result<(), Violation> {
        self.note(format_args!("  arrives: {}", shown(letter)));
        if letter.to == LIAR {
            let Self { liar, rng, connections, .. } = self;
            let now = UnixSeconds::new(self.now).unwrap_or_default();
            let mut known = Known { now, rng, connections, ids: Vec::new() };
            let answer = liar.gets(letter, &mut known);
            self.send(answer.into_iter().collect());
            return Ok(());
        }
        if letter.is_answer {
            return self.with(letter.to, |host, out| host.hears(letter, out));
        }
        let asked = self.hosts.get(letter.from).and_then(|host| host.asked_on(letter.connection));
        self.with(letter.to, |host, out| host.takes(letter, asked, out))
    }

    /// The Portal that a choice names: the other honest Portal, or the liar.
    fn peer(&self, who: usize, peer: u8) -> Option<PortalId> {
        let number = if peer.is_multiple_of(2) { 1_usize.saturating_sub(who) } else { LIAR };
        self.witness.portals.get(number).copied()
    }

    fn make(&mut self, choice: Choice) -> Result<(), Violation> {
        let host = |who: u8| usize::from(who) % LIAR;
        match choice {
            Choice::Deliver => match self.letters.pop_front() {
                Some(letter) => self.deliver(&letter),
                None => Ok(()),
            },
            Choice::DeliverAll => self.deliver_all(),
            Choice::Drop => {
                self.letters.pop_front();
                Ok(())
            }
            Choice::Delay => {
                self.letters.rotate_left(usize::from(self.letters.len() > 1));
                Ok(())
            }
            Choice::Reorder(n) => {
                let at = usize::from(n).checked_rem(self.letters.len()).unwrap_or_default();
                match self.letters.remove(at) {
                    Some(letter) => self.deliver(&letter),
                    None => Ok(()),
                }
            }
            Choice::Duplicate(n) => self.repeats(n, |_| true, |_| {}),
            Choice::Misroute(n, to) => self.repeats(n, |letter| !letter.is_answer, |letter| letter.to = host(to)),
            Choice::CrossAnswer(n, which) => {
                let waits = |who| self.hosts.get(who).into_iter().flat_map(Host::waits).map(move |one| (who, one));
                let waiting: Vec<_> = (0..LIAR).flat_map(waits).collect();
                let Some((to, connection)) = pick(&waiting, which).copied() else { return Ok(()) };
                let turns = |letter: &mut Letter| (letter.to, letter.connection) = (to, connection);
                self.repeats(n, |letter| letter.is_answer, turns)
            }
            Choice::Flip(n, bit) => self.repeats(
                n,
                |_| true,
                |letter| {
                    let place = usize::from(bit / 8).checked_rem(letter.bytes.len()).unwrap_or_default();
                    if let Some(byte) = letter.bytes.get_mut(place) {
                        *byte ^= 1 << (bit % 8);
                    }
                },
            ),
            Choice::Refuse(which, code) => {
                let waits = |who| self.hosts.get(who).into_iter().flat_map(Host::waits).map(move |one| (who, one));
                let waiting: Vec<_> = (0..LIAR).flat_map(waits).collect();
                let Some((to, connection)) = pick(&waiting, which).copied() else { return Ok(()) };
                let codes = [Refusal::Unknown, Refusal::NoSession, Refusal::Busy, Refusal::ClocksDiffer];
                let bytes = pick(&codes, code).map(Refusal::to_vec).unwrap_or_default();
                self.deliver(&Letter { from: LIAR, to, connection, is_answer: true, bytes })
            }
            Choice::Lie(to, how, what) => self.lies(host(to), how % LIES, what),
            Choice::Mood(mood) => {
                self.liar.mood = mood % MOODS;
                Ok(())
            }
            Choice::Pass(n) => {
                self.now = self.now.saturating_add(1_u64.checked_shl(u32::from(n % 18)).unwrap_or_default());
                Ok(())
            }
            Choice::Jump(who, n) => {
                let jump = jump(n);
                if let Some(old) = self.jumps.get_mut(host(who)) {
                    *old = jump;
                }
                Ok(())
            }
            Choice::Crash(who, after) => {
                if let Some(host) = self.hosts.get_mut(host(who)) {
                    host.disk.dies_after(Some(after));
                }
                Ok(())
            }
            Choice::Tick(who) => self.with(host(who), Host::ticks),
            Choice::Work(who, which) => self.with(host(who), |host, out| host.works(which, out)),
            Choice::Again(who, n) => self.with(host(who), |host, out| {
                let open = host.tasks.iter().enumerate().filter(|(_, task)| task.outcome.is_none());
                let open: Vec<_> = open.map(|(number, _)| number).collect();
                pick(&open, n).map_or(Ok(()), |number| host.asks_again(*number, out))
            }),
            Choice::Ask(who, peer, _)
            | Choice::Block(who, peer)
            | Choice::Unblock(who, peer)
            | Choice::Remove(who, peer)
            | Choice::Enter(who, peer)
            | Choice::Grant(who, peer, _)
            | Choice::LookUp(who, peer) => {
                let Some(peer) = self.peer(host(who), peer) else { return Ok(()) };
                self.with(host(who), |host, out| match choice {
                    Choice::Ask(.., how) => host.asks(peer, how, out),
                    Choice::Block(..) => host.blocks(peer, false, out),
                    Choice::Remove(..) => host.blocks(peer, true, out),
                    Choice::Unblock(..) => host.unblocks(peer, out),
                    Choice::Enter(..) => host.enters(peer, out),
                    Choice::Grant(.., how) => host.sets_grant(usize::from(how / 4 % 2), peer, how, out),
                    _ => host.looks_up(peer, out),
                })
            }
        }
    }

    /// A letter that was comes again, perhaps changed.
    fn repeats(
        &mut self,
        n: u8,
        which: impl Fn(&Letter) -> bool,
        change: impl FnOnce(&mut Letter),
    ) -> Result<(), Violation> {
        let past: Vec<_> = self.past.iter().rev().filter(|letter| which(letter)).collect();
        let Some(letter) = pick(&past, n) else { return Ok(()) };
        let mut letter = Letter::clone(letter);
        change(&mut letter);
        self.deliver(&letter)
    }

    /// The liar sends something, and has the answers at once. If it needs a session, it opens one first.
    fn lies(&mut self, to: usize, how: u8, what: u8) -> Result<(), Violation> {
        let needs_session = how > 6 && !self.liar.has_session(to);
        for how in [0].into_iter().filter(|_| needs_session).chain([how]) {
            let now = self.clock(to);
            let ids = self.hosts.iter().flat_map(|host| host.tasks.iter().map(|task| task.id.to_bytes())).collect();
            let Self { liar, rng, connections, .. } = self;
            let lied = liar.lies(to, how, what, &mut Known { now, rng, connections, ids });
            lied.done.into_iter().for_each(|nonce| self.witness.says_done(nonce));
            self.has_delivered(lied.letters)?;
        }
        Ok(())
    }

    /// These letters arrive, and the answers to them.
    fn has_delivered(&mut self, letters: Vec<Letter>) -> Result<(), Violation> {
        let before = self.letters.len();
        self.send(letters);
        while let Some(letter) = self.letters.remove(before) {
            self.deliver(&letter)?;
        }
        Ok(())
    }
}

fn broken(stop: Stop) -> Violation {
    match stop {
        Stop::Broken(violation) => violation,
        Stop::Died => Violation::Endless,
    }
}

fn pick<T>(of: &[T], n: u8) -> Option<&T> {
    of.get(usize::from(n).checked_rem(of.len())?)
}

fn shown(Letter { from, to, connection, is_answer, bytes }: &Letter) -> String {
    let arrow = if *is_answer { "answer" } else { "message" };
    let kind = bytes.get(3).copied().unwrap_or_default();
    format!("{arrow} {connection} of {from} to {to}: kind {kind}, {} bytes", bytes.len())
}
