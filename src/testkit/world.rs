//! World: clients, a relay between them, and what happens.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::app::{App, Command, CrashPoints, Output, Outside, PowerFailed, Receipt, RollBack};
use super::client::{Client, LONGEST_HELD, LONGEST_UNKNOWN};
use super::lies::flip;
use super::refused::{Moved, Refused};
use super::relay::{Delivery, HostileRelay};
use super::schedule::{Choice, Fault, Schedule};
use super::violation::Violation;
use super::witness::Witness;
use crate::relay::Limits;
use crate::{Event, Port, Request, UnixSeconds};

/// When each world begins.
const BEGIN: UnixSeconds = at(1_000_000);
/// The last second but one. What is kept for ever is kept until the last.
const LAST: UnixSeconds = at(UnixSeconds::MAX.as_secs().saturating_sub(1));
/// The clock is never later than this before the end, so that something may come after it.
const LATEST: UnixSeconds = at(LAST.as_secs().saturating_sub(100 * LONGEST_LOOK.as_secs()));
/// Of what has passed since the last look at the clock, this much counts (§8.8).
const LONGEST_LOOK: Duration = Duration::from_secs(24 * 60 * 60);
/// More events than a world has that comes to rest.
const MOST_EVENTS: usize = 10_000;

/// Clients and a relay. All that happens is a function of the clients and of the choices made.
#[derive(Debug)]
pub struct World<A = Client> {
    pub(super) apps: Vec<A>,
    crashes: Vec<CrashPoints>,
    /// Since when each client has had its connection.
    connected: Vec<UnixSeconds>,
    pub(super) relay: HostileRelay,
    pub(super) rng: ChaCha8Rng,
    pub(super) now: UnixSeconds,
    waiting: VecDeque<Delivery>,
    pub(super) past: Vec<Delivery>,
    requests: Vec<Vec<u8>>,
    shown: Vec<String>,
    said: u32,
    pub(super) witness: Witness,
    faults: BTreeMap<Fault, usize>,
    trace: String,
}

const fn at(secs: u64) -> UnixSeconds {
    match UnixSeconds::new(secs) {
        Some(time) => time,
        None => UnixSeconds::MAX,
    }
}

/// What happened, or did not.
pub(super) type Happened = Result<bool, Violation>;

impl<A: App> World<A> {
    /// A world in which nothing has happened yet. Its relay keeps four packets for each end of a line, so that it soon has to drop some.
    /// It remembers for ever what became of a link.
    pub fn new(apps: impl IntoIterator<Item = A>) -> Self {
        Self::with_limits(apps, Limits { packets: 4, retention_secs: u64::MAX, ..Limits::default() })
    }

    /// The same, with other limits. A relay that forgets what became of links ([`Limits::retention_secs`]) loses what others wait for.
    pub fn with_limits(apps: impl IntoIterator<Item = A>, limits: Limits) -> Self {
        let apps: Vec<A> = apps.into_iter().collect();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        Self {
            crashes: apps.iter().map(|_| CrashPoints::default()).collect(),
            connected: apps.iter().map(|_| BEGIN).collect(),
            relay: HostileRelay::new(apps.len(), limits, ChaCha8Rng::from_rng(&mut rng)),
            apps,
            rng,
            now: BEGIN,
            waiting: VecDeque::new(),
            past: Vec::new(),
            requests: Vec::new(),
            shown: Vec::new(),
            said: 0,
            witness: Witness::begins(BEGIN),
            faults: BTreeMap::new(),
            trace: String::new(),
        }
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
        let happened = self.make(choice)?;
        // A crash counts when it comes.
        if let Some(fault) = choice.fault().filter(|fault| happened && *fault != Fault::Crash) {
            self.count(fault);
        }
        self.witness.compares()
    }

    /// From now on relay and network are honest, and each client tries again. The world comes to rest, and each message that was
    /// acknowledged has been shown. If all that went wrong so far [is honest](Fault::is_honest), each line comes to a good end, or to one
    /// that its user was told of, and nobody is left waiting on a line whose other end is gone.
    ///
    /// # Errors
    /// [`Violation::Lost`], [`Violation::GhostLine`], [`Violation::MessageLost`], [`Violation::Endless`], or what else turns out.
    pub fn finish(&mut self) -> Result<(), Violation> {
        self.note(format_args!("finish"));
        self.crashes.fill(CrashPoints::default());
        // Each round may free what waits for the other side.
        for _ in 0..3 {
            for who in 0..self.apps.len() {
                self.start(who)?;
            }
            self.deliver_all()?;
        }
        self.witness.compares()?;
        // A guest whose ticket is never announced is turned away after a while (§16.7).
        if self.witness.has_introductions() {
            self.pass_until(self.now.after(LONGEST_UNKNOWN));
            for who in 0..self.apps.len() {
                self.command(who, &Command::Tick)?;
            }
            self.deliver_all()?;
            self.witness.compares()?;
        }
        if self.is_fair() && self.witness.has_losses() {
            self.look_for_the_lost()?;
        }
        self.witness.finds_lost_messages()?;
        if !self.is_fair() {
            return Ok(());
        }
        let on: Vec<_> = (0..self.apps.len()).map(|who| self.relay.lines_of(who)).collect();
        self.witness.finds_ghosts(&on, &self.stores())?;
        self.witness.finds_lost(&self.stores())
    }

    /// Each end of a line says something along it, and an end that waits for a proof waits no longer: so an end that is gone is noticed.
    fn look_for_the_lost(&mut self) -> Result<(), Violation> {
        for who in 0..self.apps.len() {
            self.say_along_all(who)?;
        }
        self.deliver_all()?;
        self.witness.finds_unproven(&self.stores())?;
        // A span is over after seven looks at the clock (§8.8).
        for _ in 0..7 {
            self.pass_until(self.now.after(LONGEST_LOOK).min(LAST));
            for who in 0..self.apps.len() {
                self.command(who, &Command::Tick)?;
            }
            self.deliver_all()?;
        }
        self.witness.compares()
    }

    fn pass_until(&mut self, now: UnixSeconds) {
        self.now = now;
        self.witness.now = now;
    }

    fn is_fair(&self) -> bool {
        self.faults.keys().all(|fault| fault.is_honest())
    }

    /// The clients.
    pub fn apps(&self) -> &[A] {
        &self.apps
    }

    /// Every event that the relay ever sent, without its lies: each once, however often it came.
    pub fn events(&self) -> &[Delivery] {
        &self.past
    }

    /// Every request that was ever sent.
    pub fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }

    /// How often this fault happened, not how often it was chosen.
    pub fn count_of(&self, fault: Fault) -> usize {
        self.faults.get(&fault).copied().unwrap_or_default()
    }

    /// What happened, one line for each thing. The same choices give the same bytes.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    fn stores(&self) -> Vec<Vec<Vec<u8>>> {
        self.apps.iter().map(A::records).collect()
    }

    fn count(&mut self, fault: Fault) {
        let count = self.faults.entry(fault).or_default();
        *count = count.saturating_add(1);
    }

    fn note(&mut self, what: core::fmt::Arguments<'_>) {
        // To write into a string never fails.
        let _ = writeln!(self.trace, "{what}");
    }

    pub(super) fn user(&self, n: u8) -> usize {
        usize::from(n).checked_rem(self.apps.len()).unwrap_or_default()
    }

    fn make(&mut self, choice: Choice) -> Happened {
        match choice {
            Choice::Deliver => {
                let Some(delivery) = self.waiting.pop_front() else { return Ok(false) };
                self.bring(&delivery)
            }
            Choice::DeliverAll => self.deliver_all(),
            Choice::Drop => Ok(self.waiting.pop_front().is_some()),
            Choice::Delay => {
                let others = self.waiting.len() > 1;
                self.waiting.rotate_left(usize::from(others));
                Ok(others)
            }
            Choice::Reorder(n) => {
                let at = usize::from(n).checked_rem(self.waiting.len()).unwrap_or_default();
                let Some(delivery) = self.waiting.remove(at) else { return Ok(false) };
                self.bring(&delivery)?;
                Ok(at > 0)
            }
            Choice::Duplicate(n) => self.replay(n, |_| {}),
            Choice::Misroute(n, to) => {
                let to = self.user(to);
                if pick(&self.past, n).is_none_or(|delivery| delivery.to == to) {
                    return Ok(false);
                }
                self.replay(n, |delivery| delivery.to = to)
            }
            Choice::CrossLine(n, line) => self.cross_line(n, line),
            Choice::Flip(n, bit) => self.replay(n, |delivery| flip(&mut delivery.event, bit)),
            Choice::ClaimTwice(n, claim) => self.claim_twice(n, claim),
            Choice::AnswerUnasked(to, answer) => self.answer_unasked(to, answer),
            Choice::Forge(n, forgery) => self.forge(n, forgery),
            Choice::Clock(n) => {
                self.pass_until(self.later(n).min(LATEST));
                // No connection lasts for a day.
                for who in 0..self.apps.len() {
                    if self.connected.get(who).is_some_and(|since| self.now >= since.after(LONGEST_HELD)) {
                        self.start(who)?;
                    }
                }
                Ok(true)
            }
            Choice::Crash(who, after) => {
                let who = self.user(who);
                if let Some(crashes) = self.crashes.get_mut(who) {
                    crashes.fail_after(after);
                }
                Ok(true)
            }
            Choice::Wake(who) => self.start(self.user(who)),
            Choice::BackUp(who) => {
                let who = self.user(who);
                self.apps.get_mut(who).map(A::back_up);
                Ok(true)
            }
            Choice::RollBack(who, how) => self.roll_back(self.user(who), how),
            Choice::Lose(who) => self.lose(self.user(who)),
            wish => self.wants(wish),
        }
    }

    /// Lets a client do something. Its process may die of it, and die of starting again; what left it until then has left it.
    fn with(&mut self, who: usize, act: impl FnOnce(&mut A, &mut Outside<'_>) -> Result<(), PowerFailed>) -> Happened {
        let Some(mut outcome) = self.lets(who, act) else { return Ok(false) };
        loop {
            self.collect(who)?;
            if outcome.is_ok() {
                return Ok(true);
            }
            self.note(format_args!("  {who} dies"));
            self.count(Fault::Crash);
            self.reconnect(who);
            let Some(restarted) = self.lets(who, A::restart) else { return Ok(true) };
            outcome = restarted;
        }
    }

    fn lets(
        &mut self,
        who: usize,
        act: impl FnOnce(&mut A, &mut Outside<'_>) -> Result<(), PowerFailed>,
    ) -> Option<Result<(), PowerFailed>> {
        let Self { apps, crashes, rng, now, .. } = self;
        Some(act(apps.get_mut(who)?, &mut Outside { now: *now, rng, crashes: crashes.get_mut(who)? }))
    }

    fn start(&mut self, who: usize) -> Happened {
        self.reconnect(who);
        self.with(who, A::restart)
    }

    /// What was under way to this client is lost with the connection. What waits at the relay comes again.
    fn reconnect(&mut self, who: usize) {
        if let Some(since) = self.connected.get_mut(who) {
            *since = self.now;
        }
        self.waiting.retain(|delivery| delivery.to != who);
        let deliveries = self.relay.reconnect(who);
        self.send(deliveries);
    }

    fn send(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            if !self.past.contains(&delivery) {
                self.past.push(delivery.clone());
            }
            self.waiting.push_back(delivery);
        }
    }

    /// Looks at what a client kept, and takes what left it.
    fn collect(&mut self, who: usize) -> Result<(), Violation> {
        let Some(app) = self.apps.get_mut(who) else { return Ok(()) };
        let (output, records) = (app.output(), app.records());
        self.witness.looks(who, &records)?;
        app.tickets().map_or(Ok(()), |rows| self.witness.looks_at_rows(who, &rows))?;
        for one in output {
            match one {
                Output::Send(request) => self.take(who, request)?,
                Output::Show(text) => {
                    self.note(format_args!("  {who} shows {}", digest(text.as_bytes())));
                    if let Ok(port) = Port::parse(&text)
                        && !self.shown.contains(&text)
                    {
                        self.witness.shows(who, &port);
                        self.shown.push(text);
                    }
                }
                Output::Hear(line_id, text) => {
                    self.note(format_args!("  {who} hears {}", digest(&text)));
                    self.witness.hears(who, line_id, &text)?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, who: usize, request: Vec<u8>) -> Result<(), Violation> {
        let name = Request::decode(&request).map(|request| word(&request)).unwrap_or_default();
        self.note(format_args!("  {who} sends {name} {}", digest(&request)));
        self.witness.sends(who, &request)?;
        let deliveries = self.relay.take(who, &request, self.now);
        self.send(deliveries);
        self.requests.push(request);
        Ok(())
    }

    /// Hands an event to its client. A client that dies over it has not acknowledged it.
    pub(super) fn deliver(&mut self, Delivery { to, event, .. }: &Delivery) -> Result<Receipt, Violation> {
        let name = Event::decode(event).map(|event| word(&event)).unwrap_or_default();
        self.note(format_args!("  to {to}: {name} {}", digest(event)));
        let mut receipt = Receipt::NotYet;
        let Some(app) = self.apps.get(*to) else { return Ok(receipt) };
        self.witness.brings(*to, event);
        let refused = Refused::of(app, event, self.now).map_err(|Moved| Violation::MovedByRefused(*to))?;
        let crashes = self.count_of(Fault::Crash);
        self.with(*to, |app, outside| app.deliver(event, outside).map(|answer| receipt = answer))?;
        let is_undisturbed = self.count_of(Fault::Crash) == crashes;
        let Some(app) = self.apps.get(*to) else { return Ok(receipt) };
        if is_undisturbed && refused.is_some_and(|refused| refused.has_moved(&app.records())) {
            return Err(Violation::MovedByRefused(*to));
        }
        if receipt == Receipt::Acknowledged {
            self.witness.acknowledges(*to, event, app)?;
        }
        Ok(receipt)
    }

    fn bring(&mut self, delivery: &Delivery) -> Happened {
        if self.deliver(delivery)? == Receipt::Acknowledged {
            self.relay.acknowledge(delivery);
        }
        Ok(true)
    }

    fn deliver_all(&mut self) -> Happened {
        for _ in 0..MOST_EVENTS {
            let Some(delivery) = self.waiting.pop_front() else { return Ok(true) };
            self.bring(&delivery)?;
        }
        Err(Violation::Endless)
    }

    fn command(&mut self, who: usize, command: &Command) -> Happened {
        self.note(format_args!("  {who} wants {command:?}"));
        self.with(who, |app, outside| app.command(command, outside))
    }

    fn lose(&mut self, who: usize) -> Happened {
        if !self.apps.get_mut(who).is_some_and(A::lose) {
            return Ok(false);
        }
        self.witness.loses(who);
        self.start(who)
    }

    fn roll_back(&mut self, who: usize, how: RollBack) -> Happened {
        let Some(app) = self.apps.get_mut(who) else { return Ok(false) };
        if !app.roll_back(how) {
            return Ok(false);
        }
        if how == RollBack::Process {
            // Nothing has happened to the store, and no process starts again.
            self.collect(who)?;
            return Ok(true);
        }
        self.witness.rolled_back(who);
        self.collect(who)?;
        self.start(who)
    }
}

pub(super) fn pick<T>(from: &[T], n: u8) -> Option<&T> {
    from.get(usize::from(n).checked_rem(from.len())?)
}

/// Enough of a hash to tell things apart.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The first word of its `Debug`.
fn word(value: &impl core::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

mod users;
