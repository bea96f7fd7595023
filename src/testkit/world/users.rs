//! What the users in a world want.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::Rng;

use super::{Happened, World, pick};
use crate::testkit::app::{App, Command};
use crate::testkit::machine::AnyMachine;
use crate::testkit::schedule::{Change, Choice, Expiry, Fault, Terms};
use crate::testkit::violation::Violation;
use crate::{
    Alice, Introducer, IntroducerName, IntroducerPhase, Line, LineId, LinePhase, Machine, Policy, Pool, PortOptions,
    RecordKey, RelayAddr, UnixSeconds, UseLimit,
};

impl<A: App> World<A> {
    pub(super) fn wants(&mut self, choice: Choice) -> Happened {
        match choice {
            Choice::MakePort(who, expires) => {
                let options = expires.map_or_else(PortOptions::new, |n| PortOptions::new().expires(self.later(n)));
                // With all or with nothing.
                let relay = expires.and_then(|_| RelayAddr::new("relay.example").ok());
                let options = relay.map_or(options.clone(), |relay| options.relay(relay));
                let seed = self.seed(Some(&options));
                self.command(self.user(who), &Command::MakePort { seed, options })
            }
            Choice::MakeSuperport(who, n) => {
                let policy = Policy::up_to(u32::from(n % 3).saturating_add(1)).require_approval(n >= 96);
                let options = PortOptions::new().policy(policy);
                let seed = self.seed(Some(&options));
                self.command(self.user(who), &Command::MakePort { seed, options })
            }
            Choice::SetPolicy(who, n, change) => {
                let who = self.user(who);
                let alices = self.alices(who);
                let Some(alice) = pick(&alices, n) else { return Ok(false) };
                let Some(policy) = alice.policy() else { return Ok(false) };
                let uses = match (policy.use_limit(), change) {
                    (UseLimit::UpTo(n), Change::Raise) => UseLimit::UpTo(n.saturating_add(1)),
                    (UseLimit::UpTo(_), Change::Lower) => UseLimit::UpTo(1),
                    (uses, _) => uses,
                };
                let policy = match change {
                    Change::Pause => policy.paused(true),
                    Change::Resume => policy.paused(false),
                    Change::Raise | Change::Lower => policy.with_use_limit(uses),
                };
                self.witness.allows(who, alice.key(), policy);
                self.command(who, &Command::SetPolicy(alice.key(), policy))
            }
            Choice::Decide(who, n, accept) => {
                let who = self.user(who);
                let Some(line_id) = self.line_of(who, n) else { return Ok(false) };
                self.witness.decides(who, line_id, accept);
                self.command(who, &Command::Decide(line_id, accept))
            }
            Choice::MakePool(who, n) => {
                let who = self.user(who);
                let (low, more) = ((n % 4).saturating_add(1), n / 4 % 4);
                let seed = self.seed(None);
                let before: Vec<_> = self.restored::<Pool>(who).map(|pool| pool.key()).collect();
                self.witness.begins_pool(who, &before, &seed);
                self.command(who, &Command::MakePool { seed, low, full: low.saturating_add(more) })
            }
            Choice::Grant(who, n, terms) => {
                let who = self.user(who);
                let is_confirmed = |line: &Line| line.phase() == LinePhase::Confirmed;
                let lines: Vec<_> = self.restored::<Line>(who).filter(is_confirmed).collect();
                let Some(line) = pick(&lines, n) else { return Ok(false) };
                let options = self.options(terms).introducer(line.claims().line_id);
                let seed = self.seed(Some(&options));
                self.command(who, &Command::MakePort { seed, options })
            }
            Choice::Introduce(who, n, expires) => {
                let who = self.user(who);
                let is_ready = |introducer: &Introducer| introducer.phase() == IntroducerPhase::Granted;
                let ready: Vec<_> = self.restored::<Introducer>(who).filter(is_ready).collect();
                let Some(introducer) = pick(&ready, n) else { return Ok(false) };
                // No two alike, so that it is seen whose ticket was used.
                self.said = self.said.saturating_add(1);
                let Ok(name) = IntroducerName::new(&format!("introducer {}", self.said)) else { return Ok(false) };
                let mut seed = [0; 64];
                self.rng.fill_bytes(&mut seed);
                let (key, expires) = (introducer.key(), expires.map(|n| self.later(n)));
                self.witness.introduces(who, key, &name, expires, &seed);
                self.command(who, &Command::Introduce { key, name, expires, seed })
            }
            Choice::Withdraw(who, n) => {
                let who = self.user(who);
                let granted: Vec<_> =
                    self.alices(who).into_iter().filter(|alice| alice.introducer().is_some()).collect();
                let Some(alice) = pick(&granted, n) else { return Ok(false) };
                self.give_up(who, alice.key())
            }
            Choice::UsePort(who, n, send_proof) => {
                let Some(text) = pick(&self.shown, n).cloned() else { return Ok(false) };
                let seed = self.seed(None);
                self.command(self.user(who), &Command::UsePort { seed, text, send_proof })
            }
            Choice::GiveUp(who, n) => {
                let who = self.user(who);
                let records = self.apps.get(who).map(A::records).unwrap_or_default();
                let machines = records.iter().filter_map(|record| AnyMachine::restore(record));
                let ports: Vec<_> = machines
                    .filter(|it| !matches!(it, AnyMachine::Line(_) | AnyMachine::Pool(_)))
                    .map(|it| it.key())
                    .collect();
                let Some(key) = pick(&ports, n) else { return Ok(false) };
                self.give_up(who, *key)
            }
            Choice::Say(who, n) => {
                let who = self.user(who);
                let Some(line_id) = self.line_of(who, n) else { return Ok(false) };
                self.say(who, line_id)
            }
            Choice::Close(who, n) => {
                let who = self.user(who);
                let Some(line_id) = self.line_of(who, n) else { return Ok(false) };
                self.command(who, &Command::Close(line_id))
            }
            Choice::Tick(who) => self.command(self.user(who), &Command::Tick),
            // What befalls a world is no wish.
            _ => Ok(false),
        }
    }

    /// Says a word along each line that can take one.
    pub(super) fn say_along_all(&mut self, who: usize) -> Result<(), Violation> {
        let is_open = |line: &Line| matches!(line.phase(), LinePhase::Joined | LinePhase::Confirmed);
        let lines: Vec<_> = self.restored::<Line>(who).filter(is_open).map(|line| line.claims().line_id).collect();
        lines.into_iter().try_for_each(|line_id| self.say(who, line_id).map(drop))
    }

    fn say(&mut self, who: usize, line_id: LineId) -> Happened {
        // No two alike, so that one that comes twice is seen.
        self.said = self.said.saturating_add(1);
        let text = format!("word {}", self.said).into_bytes();
        self.witness.says(who, line_id, &text);
        self.command(who, &Command::Say(line_id, text))
    }

    /// Of a contact port.
    fn options(&self, Terms { uses, asks, expiry }: Terms) -> PortOptions {
        let policy = uses.map_or(Policy::unlimited(), |n| Policy::up_to(n.into())).require_approval(asks);
        match expiry {
            None => PortOptions::new().policy(policy),
            Some(Expiry::Port(n)) => PortOptions::new().policy(policy).expires(self.later(n)),
            Some(Expiry::Policy(n)) => PortOptions::new().policy(policy.closes_at(Some(self.later(n)))),
        }
    }

    pub(super) fn later(&self, n: u8) -> UnixSeconds {
        self.now.after(Duration::from_secs(1_u64.checked_shl(u32::from(n)).unwrap_or(u64::MAX)))
    }

    fn seed(&mut self, makes: Option<&PortOptions>) -> [u8; 64] {
        let mut seed = [0; 64];
        self.rng.fill_bytes(&mut seed);
        self.witness.gave(&seed, makes);
        seed
    }

    fn restored<M: Machine>(&self, who: usize) -> impl Iterator<Item = M> + use<M, A> {
        let records = self.apps.get(who).map(A::records).unwrap_or_default();
        records.into_iter().filter_map(|record| M::restore(&record).ok())
    }

    /// Those whose Ports are not dead.
    fn alices(&self, who: usize) -> Vec<Alice> {
        self.restored::<Alice>(who).filter(|alice| !alice.is_spent()).collect()
    }

    fn give_up(&mut self, who: usize, key: RecordKey) -> Happened {
        self.witness.gives_up(who, key);
        let is_alice = self.restored::<Alice>(who).any(|alice| alice.key() == key);
        let crashes = self.count_of(Fault::Crash);
        let happened = self.command(who, &Command::GiveUp(key))?;
        if is_alice && self.count_of(Fault::Crash) == crashes {
            self.witness.withdraws(who, key);
        }
        Ok(happened)
    }

    fn line_of(&self, who: usize, n: u8) -> Option<LineId> {
        let lines: Vec<_> = self.witness.lines_of(who).collect();
        pick(&lines, n).copied()
    }
}
