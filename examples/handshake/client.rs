//! One user's app: machines, the store that their records are kept in, and what they ask to be done.

use std::mem;
use std::time::SystemTime;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Born, Confirmed, DecodeError, Event, Key, Line, LineEffect, Machine, Offer,
    Port, Rejected, Request, RestoreError, SEAL_OVERHEAD, SealError, Seed, SendProof, Step, UnixSeconds,
};
use thiserror::Error;

use crate::store::{Store, StoreError};

/// Everything a client does with a machine is three lines. Which command it is differs; what is done with it does not.
fn advance<'m, M: Machine, E>(store: &mut Store, command: Result<Step<'m, M>, E>) -> Result<Vec<ToDo>, Stop>
where
    ToDo: From<M::Effect<'m>>,
    Stop: From<E>,
{
    let step = command?; //                          pure: nothing has moved, on Ok or on Err
    store.put(step.key(), step.revision(), &step.record(), step.replaces(), step.once())?; // keep the new state first
    Ok(step.commit().map(ToDo::from).collect()) //   now it has moved: send, show, connect
}

/// The same for a machine that is new: its record first, then the machine.
fn begin<M: Machine>(store: &mut Store, born: Born<M>) -> Result<M, StoreError> {
    store.put(born.key(), 0, &born.record(), born.replaces(), None)?;
    Ok(born.commit())
}

/// An effect of any machine, as bytes and text.
enum ToDo {
    Send(Vec<u8>),
    Show(String),
    Adopt(Box<Born<Line>>),
    Hear(String),
    End(String),
}

/// Why a client stops in the middle of something.
#[derive(Debug, Error)]
pub enum Stop {
    #[error("{0}")]
    Rejected(#[from] Rejected),
    #[error("{0}")]
    Seal(#[from] SealError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Restore(#[from] RestoreError),
    #[error("the Server gave one line_id to two lines")]
    LineIdTaken,
    #[error("no randomness: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

#[derive(Default)]
pub struct Client {
    pub store: Store,
    alice: Option<Alice>,
    bob: Option<Bob>,
    line: Option<Line>,
    /// Requests that wait to be sent.
    pub outbox: Vec<Vec<u8>>,
    /// The QR text on the screen.
    pub shown: Option<String>,
    /// What the other end said.
    pub heard: Vec<String>,
    /// What ended, and why.
    pub ended: Vec<String>,
}

impl Client {
    pub fn make_port(&mut self, offer: Offer, seed: Seed) -> Result<(), Stop> {
        let alice = self.alice.insert(begin(&mut self.store, Alice::request(offer, seed))?);
        let to_do = alice.unsent().map(ToDo::from).collect();
        self.act(to_do)
    }

    pub fn scan(&mut self, port: Port, seed: Seed) -> Result<(), Stop> {
        self.bob = Some(begin(&mut self.store, Bob::scan(port, seed))?);
        Ok(())
    }

    pub fn connect(&mut self, send_proof: SendProof) -> Result<(), Stop> {
        let bob = self.bob.as_mut().ok_or(Rejected::OutOfOrder)?;
        let to_do = advance(&mut self.store, bob.connect(send_proof, now()))?;
        self.act(to_do)
    }

    pub fn say(&mut self, message: &str) -> Result<(), Stop> {
        let line = self.line.as_mut().ok_or(SealError::NotJoined)?;
        let mut buffer = vec![0; message.len() + SEAL_OVERHEAD];
        let to_do = advance(&mut self.store, line.seal(message.as_bytes(), &[], &mut buffer))?;
        self.act(to_do)
    }

    pub fn close(&mut self) -> Result<(), Stop> {
        let line = self.line.as_mut().ok_or(Rejected::Closed)?;
        let to_do = advance(&mut self.store, line.close())?;
        self.act(to_do)
    }

    /// Takes an event from the relay to the machine that it is for. (A relay that keeps no order would have us hold back
    /// what is [`Rejected::TooEarly`], and hand it in again after the line's next step; one that knows paused Ports, try again
    /// what is unsent some time after [`Rejected::Paused`].)
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let event = Event::decode(bytes)?;
        let mut buffer = vec![0; bytes.len()];
        let Self { store, alice, bob, line, .. } = self;
        let to_do = match (event.key(), alice, bob, line) {
            (Key::Line(_), _, _, Some(line)) => advance(store, line.handle(&event, &mut buffer, now())),
            (Key::Request(_) | Key::LineLink(_), Some(alice), ..) => advance(store, alice.handle(&event, now())),
            (Key::Request(_) | Key::LineLink(_), _, Some(bob), _) => advance(store, bob.handle(&event, now())),
            _ => Err(Rejected::NotMine.into()),
        };
        if let Err(Stop::Rejected(Rejected::Stray(line_id))) = to_do {
            // Somebody waits at the far end of a line that this client will never take.
            self.outbox.push(Request::Disconnect { line_id }.to_vec());
        }
        self.act(to_do?)
    }

    fn act(&mut self, to_do: Vec<ToDo>) -> Result<(), Stop> {
        for one in to_do {
            match one {
                ToDo::Send(request) => self.outbox.push(request),
                ToDo::Show(text) => self.shown = Some(text),
                ToDo::Hear(message) => self.heard.push(message),
                ToDo::Adopt(line) => self.adopt(*line)?,
                ToDo::End(why) => self.ended.push(why),
            }
        }
        Ok(())
    }

    /// A line was formed: from now on it has a record of its own.
    fn adopt(&mut self, born: Born<Line>) -> Result<(), Stop> {
        match self.store.get(born.key()) {
            None => {
                let line = self.line.insert(begin(&mut self.store, born)?);
                let to_do = line.unsent().map(ToDo::from).collect();
                self.act(to_do)
            }
            // A crash came before `settle`. `restart` has restored it already.
            Some(record) if born.is_stored_as(record)? => Ok(()),
            Some(_) => Err(Stop::LineIdTaken),
        }
    }

    /// For when everything was done, and every request was *sent*: no machine needs to say it again.
    pub fn settle(&mut self) -> Result<(), Stop> {
        if let Some(step) = self.alice.as_mut().and_then(Alice::settle) {
            advance(&mut self.store, Ok::<_, Stop>(step))?;
        }
        if let Some(step) = self.bob.as_mut().and_then(Bob::settle) {
            advance(&mut self.store, Ok::<_, Stop>(step))?;
        }
        if let Some(step) = self.line.as_mut().and_then(Line::settle) {
            advance(&mut self.store, Ok::<_, Stop>(step))?;
        }
        Ok(())
    }

    /// What to do after a crash, and after any error from the store: forget what is in memory, restore what is stored, and
    /// do what is unsent.
    pub fn restart(&mut self) -> Result<(), Stop> {
        let Self { store, heard, ended, .. } = mem::take(self);
        *self = Self { store, heard, ended, ..Self::default() };
        for record in self.store.records() {
            match (Alice::restore(record), Bob::restore(record), Line::restore(record)) {
                (Ok(alice), ..) => self.alice = Some(alice),
                (_, Ok(bob), _) => self.bob = Some(bob),
                (.., line) => self.line = Some(line?),
            }
        }
        let mut to_do: Vec<ToDo> = Vec::new();
        to_do.extend(self.line.iter().flat_map(Line::unsent).map(ToDo::from));
        to_do.extend(self.alice.iter().flat_map(Alice::unsent).map(ToDo::from));
        to_do.extend(self.bob.iter().flat_map(Bob::unsent).map(ToDo::from));
        self.act(to_do)
    }

    /// What this client may rely on about its line.
    pub fn confirmed(&self) -> Option<Confirmed> {
        self.line.as_ref()?.confirmed()
    }

    pub fn check_code(&self) -> Option<String> {
        Some(self.line.as_ref()?.check_code()?.to_string())
    }

    /// The records of the machines in memory.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let alice = self.alice.iter().map(|alice| alice.record().to_vec());
        let bob = self.bob.iter().map(|bob| bob.record().to_vec());
        let line = self.line.iter().map(|line| line.record().to_vec());
        alice.chain(bob).chain(line).collect()
    }
}

pub fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()))
}

impl From<AliceEffect<'_>> for ToDo {
    fn from(effect: AliceEffect<'_>) -> Self {
        match effect {
            AliceEffect::Send(request) => Self::Send(request.to_vec()),
            AliceEffect::PortReady(port) => Self::Show(port.qr_text().to_string()),
            AliceEffect::LineFormed(line) => Self::Adopt(Box::new(line.clone())),
            AliceEffect::Ended(why) => Self::End(format!("the Port ended without a line: {why:?}")),
        }
    }
}

impl From<BobEffect<'_>> for ToDo {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Self::Adopt(Box::new(line.clone())),
            BobEffect::Ended(why) => Self::End(format!("the Port ended without a line: {why:?}")),
        }
    }
}

impl From<LineEffect<'_>> for ToDo {
    fn from(effect: LineEffect<'_>) -> Self {
        match effect {
            LineEffect::Send(request) => Self::Send(request.to_vec()),
            LineEffect::Message(text) => Self::Hear(String::from_utf8_lossy(text).into_owned()),
            LineEffect::Introduction(_) => Self::Hear("(of an introduction)".to_owned()),
            LineEffect::Asked => Self::Hear("(somebody wants in)".to_owned()),
            LineEffect::Dropped => Self::Hear("(some of it did not arrive)".to_owned()),
            LineEffect::Ended(why) => Self::End(format!("the line ended: {why:?}")),
        }
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Rejected(error.into())
    }
}
