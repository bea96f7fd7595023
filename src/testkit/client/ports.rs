//! The Ports that a client makes, of links from its pool if it has one, and takes back.

use alloc::vec;
use alloc::vec::Vec;

use super::{Any, Client, Halt, Input, ToDo, keep, or_not};
use crate::testkit::app::Power;
use crate::testkit::store::{Conflict, Put};
use crate::{Alice, IntroducerMessage, LineLink, Pool, PortOptions, RecordKey, Rejected, Seed, UnixSeconds};

impl Client {
    /// One at a time: a new one takes the place of the one before (§15.6).
    pub(super) fn make_pool(
        &mut self,
        seed: &[u8; 64],
        low: u8,
        full: u8,
        now: UnixSeconds,
        power: &mut Power,
    ) -> Result<(), Halt> {
        let born = Pool::new(low, full, Seed::from_bytes(seed)).map_err(|_| Halt::Idle)?;
        let (key, before) = (born.key(), self.pool());
        keep(&mut self.store, self.care, power, Put::birth(&born), |store| {
            before.iter().for_each(|before| store.delete(*before));
        })?;
        self.load();
        self.say_unsent(key, now, power)
    }

    pub(super) fn pool(&self) -> Option<RecordKey> {
        self.machines.keys().find(|key| matches!(key, RecordKey::Pool(_))).copied()
    }

    /// Of a link from the pool, or, if none is here, of one that is asked for.
    pub(super) fn make_port(
        &mut self,
        seed: &[u8; 64],
        offer: &PortOptions,
        now: UnixSeconds,
        power: &mut Power,
    ) -> Result<(), Halt> {
        let seed = || Seed::from_bytes(seed);
        while let Some((pool, line_link, requests)) = self.take(now, power)? {
            power.point()?;
            let begun = self.begin(Alice::offer(line_link, offer.clone(), seed()), power);
            if let Ok(key) = begun {
                self.say_unsent(key, now, power)?;
            }
            self.act(pool, requests, now, power)?;
            match begun {
                // The relay has issued it twice: another.
                Err(Halt::Conflict(Conflict::KeyExists)) => {}
                begun => return begun.map(drop),
            }
        }
        let key = self.begin(Alice::request(offer.clone(), seed()), power)?;
        self.say_unsent(key, now, power)
    }

    /// §15.4. The pool's record is kept: from now on the link is nowhere else.
    fn take(&mut self, now: UnixSeconds, power: &mut Power) -> Result<Option<(RecordKey, LineLink, Vec<ToDo>)>, Halt> {
        let Some(pool) = self.pool() else { return Ok(None) };
        let to_do = match self.advance(pool, Input::Take, now, power, |_| {}) {
            Ok((_, to_do)) => to_do,
            Err(Halt::Idle) => vec![],
            Err(halt) => return Err(halt),
        };
        let mut to_do = to_do.into_iter();
        Ok(match to_do.next() {
            Some(ToDo::Link(line_link)) => Some((pool, line_link, to_do.collect())),
            _ => None,
        })
    }

    /// What is stored counts, whatever is in memory.
    pub(super) fn give_up(&mut self, key: RecordKey, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        self.load();
        self.drive(key, Input::GiveUp, now, power)?;
        self.say_withdrawn(now, power)
    }

    /// §16.6: to every contact who was not told yet that his right is withdrawn. To say it twice does no harm.
    pub(super) fn say_withdrawn(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let withdrawn: Vec<_> = self.store.withdrawn().collect();
        for (line_link, line_id) in withdrawn {
            match self.say_along(line_id, &IntroducerMessage::Withdrawn { line_link }.to_vec(), now, power) {
                // Or nobody is left to be told.
                Ok(()) | Err(Halt::Rejected(Rejected::Closed | Rejected::WrongMachine)) => {
                    self.store.forget_withdrawn(line_link);
                }
                halted => or_not(halted)?,
            }
        }
        Ok(())
    }

    /// §16.6: the contact ports of introducers whose line is over. It is not deleted before.
    pub(super) fn withdraw_what_ended(&mut self, now: UnixSeconds, power: &mut Power) -> Result<(), Halt> {
        let is_over = |machine: &Any| match machine {
            Any::Alice(alice) if self.care.withdraws => alice
                .introducer()
                .is_some_and(|line| self.machines.get(&RecordKey::Line(line)).is_none_or(Any::is_over)),
            _ => false,
        };
        let over: Vec<_> = self.machines.iter().filter(|(_, it)| is_over(it)).map(|(key, _)| *key).collect();
        for key in over {
            or_not(self.give_up(key, now, power))?;
        }
        Ok(())
    }
}
