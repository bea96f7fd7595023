//! The network between Portals: it carries messages, or does to them what `--tamper`, `--replay` and `--crash` say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use port_protocol::portal::Refusal;
use ureq::Agent;

use crate::host::Host;
use crate::http;

/// What a Portal needs of the network.
pub trait Network: Send + Sync {
    /// Sends a message to an address, and gives the answer.
    fn post(&self, address: &str, message: &[u8]) -> Result<Vec<u8>, NoAnswer>;
}

/// Nobody answered, or something else than a Portal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoAnswer;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Mode {
    #[default]
    Honest,
    /// A copy of each message comes first, with a flipped bit; and of each second answer a bit is flipped.
    Tamper,
    /// Each message is sent again at once, and once more when the run ends; and in the place of each second answer comes an old one.
    Replay,
}

pub struct Wire {
    client: Agent,
    pub mode: Mode,
    carried: Mutex<Carried>,
}

#[derive(Default)]
pub struct Carried {
    hosts: Vec<(String, Arc<Host>)>,
    /// Every message, with the address and the answer.
    pub messages: Vec<(String, Vec<u8>, Vec<u8>)>,
    /// What the network did and must not have worked.
    pub refused: usize,
    /// How many answers were changed, or old ones.
    pub spoiled: usize,
    /// What was not as it should be.
    pub wrong: Vec<String>,
}

impl Wire {
    pub fn new(mode: Mode) -> Self {
        Self { client: http::client(), mode, carried: Mutex::default() }
    }

    pub fn carried(&self) -> MutexGuard<'_, Carried> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So that this network sees whether what it did changed anything there.
    pub fn watch(&self, address: &str, host: &Arc<Host>) {
        self.carried().hosts.push((address.to_owned(), host.clone()));
    }

    /// Sends something that must change nothing: the answer is a refusal, and no row of the store is another.
    pub fn attack(&self, address: &str, message: &[u8], what: &str) {
        let host = self.carried().hosts.iter().find(|(at, _)| at == address).map(|(_, host)| host.clone());
        let Some(host) = host else { return };
        let before = host.machines().store.clone();
        let answer = http::post(&self.client, address, message);
        let is_refused = answer.is_ok_and(|answer| REFUSALS.iter().any(|refusal| refusal.to_vec() == answer));
        let is_same = host.machines().store.is_same(&before);
        let mut carried = self.carried();
        if is_refused && is_same {
            carried.refused += 1;
        } else {
            carried.wrong.push(format!("{what} was not refused, or changed something"));
        }
    }

    /// Sends again all that was ever sent.
    pub fn replay_all(&self, when: &str) {
        let messages = self.carried().messages.clone();
        for (address, message, _) in messages.iter().filter(|(_, message, _)| !is_who_are_you(message)) {
            self.attack(address, message, &format!("a message sent again {when}"));
        }
    }
}

const REFUSALS: [Refusal; 4] = [Refusal::Unknown, Refusal::NoSession, Refusal::Busy, Refusal::ClocksDiffer];

/// It may be asked by anybody, as often as anybody likes.
fn is_who_are_you(message: &[u8]) -> bool {
    message == [0x82, 1, 0x81, 0]
}

impl Network for Wire {
    fn post(&self, address: &str, message: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        self.fails_at("while the message is on its way")?;
        if self.mode == Mode::Tamper {
            let flipped = self.flipped(message);
            self.attack(address, &flipped, "a message with a flipped bit");
        }
        let answer = http::post(&self.client, address, message)?;
        let count = {
            let mut carried = self.carried();
            carried.messages.push((address.to_owned(), message.to_vec(), answer.clone()));
            carried.messages.len()
        };
        if self.mode == Mode::Replay && !is_who_are_you(message) {
            self.attack(address, message, "a message sent again at once");
        }
        self.fails_at("while the answer is on its way")?;
        let spoiled = match self.mode {
            Mode::Tamper => Some(self.flipped(&answer)),
            // The last answer to something else.
            Mode::Replay => self.carried().messages.iter().rev().nth(1).map(|(_, _, old)| old.clone()),
            Mode::Honest => None,
        };
        match spoiled.filter(|_| count % 2 == 1) {
            Some(spoiled) => {
                self.carried().spoiled += 1;
                Ok(spoiled)
            }
            None => Ok(answer),
        }
    }
}

impl Wire {
    /// One bit, another one each time.
    fn flipped(&self, message: &[u8]) -> Vec<u8> {
        let count = {
            let carried = self.carried();
            carried.messages.len() * 31 + carried.refused * 7
        };
        let mut flipped = message.to_vec();
        let place = count.checked_rem(flipped.len()).unwrap_or_default();
        if let Some(byte) = flipped.get_mut(place) {
            *byte ^= 1 << (count % 8);
        }
        flipped
    }

    /// For `--crash`: the process of either Portal may stop here. What it had in memory is gone then, and the message with it.
    fn fails_at(&self, point: &str) -> Result<(), NoAnswer> {
        let hosts = self.carried().hosts.clone();
        for (_, host) in hosts {
            let power = host.machines().store.power.clone();
            if power.lasts(point).is_err() {
                let restarted = host.machines().restart();
                if restarted.is_err() {
                    self.carried().wrong.push("a Portal did not start again".to_owned());
                }
                return Err(NoAnswer);
            }
        }
        Ok(())
    }
}
