//! The Ports that a client makes, of links from its pool if it has one, and takes back.

use alloc::vec::Vec;

use super::{AnyMachine, Client, Halt, Input, Moved, ToDo, keep, or_not};
use crate::testkit::app::Outside;
use crate::testkit::store::Conflict;
use crate::{Alice, IntroducerMessage, LineLink, Machine, Pool, PortOptions, RecordKey, Rejected, Seed};

impl Client {
    /// Makes a pool. A client has one at a time, so this one replaces the one before (§15.6).
    pub(super) fn make_pool(
        &mut self,
        seed: &[u8; 64],
        low: u8,
        full: u8,
        outside: &mut Outside<'_>,
    ) -> Result<(), Halt> {
        let created = Pool::new(low, full, Seed::from_bytes(seed)).map_err(|_| Halt::Idle)?;
        let before = self.pool();
        let Self { store, faults, .. } = self;
        let pool = created.store(|write| {
            keep(store, *faults, outside.crashes, outside.now, write, |store| {
                before.iter().for_each(|before| store.delete(*before));
            })
        })?;
        self.load();
        self.say_pending(pool.key(), outside)
    }

    pub(super) fn pool(&self) -> Option<RecordKey> {
        self.machines.keys().find(|key| matches!(key, RecordKey::Pool(_))).copied()
    }

    /// Makes a Port of a link from the pool. If none is there, the Port's Alice asks for one.
    pub(super) fn make_port(
        &mut self,
        seed: &[u8; 64],
        options: &PortOptions,
        outside: &mut Outside<'_>,
    ) -> Result<(), Halt> {
        let seed = || Seed::from_bytes(seed);
        while let Some((pool, line_link, requests)) = self.pop(outside)? {
            outside.point()?;
            let created = self.create(Alice::offer(line_link, options.clone(), seed()), outside);
            if let Ok(key) = created {
                self.say_pending(key, outside)?;
            }
            self.act(pool, requests, outside)?;
            match created {
                // The relay issued it twice: pop another.
                Err(Halt::Conflict(Conflict::KeyExists)) => {}
                created => return created.map(drop),
            }
        }
        let key = self.create(Alice::request(options.clone(), seed()), outside)?;
        self.say_pending(key, outside)
    }

    /// Pops a link (§15.4). The pool's row is kept: from now on the link is nowhere else.
    fn pop(&mut self, outside: &mut Outside<'_>) -> Result<Option<(RecordKey, LineLink, Vec<ToDo>)>, Halt> {
        let Some(pool) = self.pool() else { return Ok(None) };
        let to_do = match self.advance(pool, Input::Pop, outside, |_| {}) {
            Ok(Moved { to_do, .. }) => to_do,
            Err(Halt::Idle) => Vec::new(),
            Err(halt) => return Err(halt),
        };
        let mut to_do = to_do.into_iter();
        Ok(match to_do.next() {
            Some(ToDo::Link(line_link)) => Some((pool, line_link, to_do.collect())),
            _ => None,
        })
    }

    /// Gives a Port up. What is stored counts, whatever is in memory.
    pub(super) fn give_up(&mut self, key: RecordKey, outside: &mut Outside<'_>) -> Result<(), Halt> {
        self.load();
        self.drive(key, Input::GiveUp, outside)?;
        self.say_withdrawn(outside)
    }

    /// Tells each contact who was not told yet that the contact port is withdrawn (§16.6). To say it twice does no harm.
    pub(super) fn say_withdrawn(&mut self, outside: &mut Outside<'_>) -> Result<(), Halt> {
        let withdrawn: Vec<_> = self.store.withdrawn().collect();
        for (line_link, line_id) in withdrawn {
            match self.say_along(line_id, &IntroducerMessage::Withdrawn { line_link }.to_vec(), outside) {
                // Or the contact cannot be told any more.
                Ok(()) | Err(Halt::Rejected(Rejected::Closed | Rejected::WrongMachine)) => {
                    self.store.forget_withdrawn(line_link);
                }
                halted => or_not(halted)?,
            }
        }
        Ok(())
    }

    /// Withdraws each contact port whose introducer's line is over (§16.6). That line is not deleted before.
    pub(super) fn withdraw_orphans(&mut self, outside: &mut Outside<'_>) -> Result<(), Halt> {
        let is_orphan = |machine: &AnyMachine| match machine {
            AnyMachine::Alice(alice) if !self.faults.keeps_orphaned_ports => alice
                .introducer()
                .is_some_and(|line| self.machines.get(&RecordKey::Line(line)).is_none_or(AnyMachine::is_over)),
            _ => false,
        };
        let orphans: Vec<_> = self.machines.iter().filter(|(_, it)| is_orphan(it)).map(|(key, _)| *key).collect();
        for key in orphans {
            or_not(self.give_up(key, outside))?;
        }
        Ok(())
    }
}
