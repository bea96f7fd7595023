//! One user's app. Its machines are in its store, and nowhere else: for each step the one that it is about is loaded, stepped, and
//! stored. How many there are makes no difference, nor does a crash.

use std::mem;

use port_protocol::{
    Alice, Bob, Created, Event, IntroducerMessage, Line, LineId, LineLink, Machine, Policy, Port, PortOptions,
    RecordKey, Rejected, Request, SEAL_OVERHEAD, Seed, SendProof, Taken,
};

use crate::machines::{Any, Stop, ToDo, advance, now};
use crate::store::{Comes, Store};

#[derive(Default)]
pub struct Client {
    pub store: Store,
    /// Requests that wait to be sent.
    pub outbox: Vec<Vec<u8>>,
    /// The Port that was made last: on the screen, or a contact port, to be granted.
    pub shown: Option<Port>,
    /// What the other end said.
    pub heard: Vec<String>,
    /// What ended, and why.
    pub ended: Vec<String>,
}

impl Client {
    pub fn make_port(&mut self, offer: PortOptions, seed: Seed) -> Result<(), Stop> {
        self.begin(Alice::request(offer, seed))
    }

    pub fn scan(&mut self, port: Port, seed: Seed) -> Result<(), Stop> {
        self.begin(Bob::scan(port, seed))
    }

    pub fn connect(&mut self, line_link: LineLink, send_proof: SendProof) -> Result<(), Stop> {
        let Any::Bob(mut bob) = self.load(RecordKey::LineLink(line_link))? else {
            return Err(Rejected::WrongMachine.into());
        };
        let to_do = self.store.transaction(|tables| advance(tables, bob.connect(send_proof, now())))?;
        self.act(to_do)
    }

    pub fn set_policy(&mut self, line_link: LineLink, policy: Policy) -> Result<(), Stop> {
        let mut alice = self.alice(line_link)?;
        let to_do = self.store.transaction(|tables| advance(tables, alice.set_policy(policy)))?;
        self.act(to_do)
    }

    /// Closes a Port, or a contact port: then its tickets go with it.
    pub fn revoke(&mut self, line_link: LineLink) -> Result<(), Stop> {
        let mut alice = self.alice(line_link)?;
        let to_do = self.store.transaction(|tables| {
            tables.strike_all(line_link);
            advance(tables, alice.revoke())
        })?;
        self.act(to_do)
    }

    pub fn say(&mut self, line_id: LineId, message: &str) -> Result<(), Stop> {
        let mut line = self.line(line_id)?;
        let mut buffer = vec![0; message.len() + SEAL_OVERHEAD];
        let to_do =
            self.store.transaction(|tables| advance(tables, line.seal(message.as_bytes(), &[], &mut buffer)))?;
        self.act(to_do)
    }

    pub fn close(&mut self, line_id: LineId) -> Result<(), Stop> {
        let mut line = self.line(line_id)?;
        let to_do = self.store.transaction(|tables| advance(tables, line.close()))?;
        self.act(to_do)
    }

    /// Takes an event from the relay to the machine that it is for. (A relay that keeps no order would have us hold back
    /// what is [`Rejected::TooEarly`], and hand it in again after the line's next step; and what is [`Rejected::UnknownTicket`],
    /// until nothing unread is on the introducer's line.)
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let event = Event::decode(bytes)?;
        let mut machine = self.load(event.key())?;
        let mut buffer = vec![0; bytes.len()];
        let handled = self.store.transaction(|tables| match &mut machine {
            Any::Alice(alice) => {
                let step = alice.handle(&event, &Comes { tables }, now());
                advance(tables, step)
            }
            Any::Bob(bob) => {
                let step = bob.handle(&event, &Comes { tables }, now());
                advance(tables, step)
            }
            Any::Line(line) => {
                let mut to_do = advance(tables, line.handle(&event, &mut buffer, now()))?;
                let said =
                    to_do.iter().find_map(|one| if let ToDo::Note(said) = one { Some(said.clone()) } else { None });
                if let Some(said) = said {
                    to_do.extend(tables.hear(&IntroducerMessage::decode(&said)?, line.claims().line_id)?);
                }
                Ok(to_do)
            }
            Any::Introducer(_) => Err(Rejected::WrongMachine.into()),
        });
        match handled {
            // Somebody waits at the far end of a line that this client will never take.
            Err(
                Stop::Rejected(Rejected::UnwantedLine(line_id) | Rejected::UnknownTicket(line_id))
                | Stop::UsedBefore(OnDuplicate::Disconnect(line_id)),
            ) if self.store.tables().get(RecordKey::Line(line_id)).is_none() => {
                self.outbox.push(Request::Disconnect { line_id }.to_vec());
            }
            Err(Stop::UsedBefore(OnDuplicate::Revoke)) => {
                if let RecordKey::LineLink(line_link) = event.key() {
                    self.revoke(line_link)?;
                    // Its far end is told.
                    return self.receive(bytes);
                }
            }
            _ => {}
        }
        self.act(handled?)
    }

    pub fn act(&mut self, to_do: Vec<ToDo>) -> Result<(), Stop> {
        for one in to_do {
            match one {
                ToDo::Send(request) => self.outbox.push(request),
                ToDo::Show(port) => self.shown = Some(port),
                ToDo::Hear(message) => self.heard.push(message),
                ToDo::Note(_) => {}
                ToDo::Tell(line_id, said) => self.introduce(line_id, &IntroducerMessage::decode(&said)?)?,
                ToDo::Wake(key) => self.wake(key)?,
                ToDo::End(why) => self.ended.push(why),
            }
        }
        Ok(())
    }

    /// A machine that is new: its record first, then the machine.
    pub fn begin<M: Machine>(&mut self, born: Created<M>) -> Result<(), Stop> {
        self.store.transaction(|tables| tables.put(&born.row()))?;
        self.wake(born.commit().key())
    }

    fn wake(&mut self, key: RecordKey) -> Result<(), Stop> {
        let to_do = self.load(key)?.pending();
        self.act(to_do)
    }

    /// For when everything was done, and every request was *sent*: no machine needs to say it again. (A larger app remembers
    /// which of them that may be.)
    pub fn clear_outbox(&mut self) -> Result<(), Stop> {
        for key in self.store.tables().keys() {
            self.told(key)?;
            let mut machine = self.load(key)?;
            self.store.transaction(|tables| machine.settle(tables))?;
        }
        Ok(())
    }

    /// After a crash, after any error from the store, and whenever the connection is back: forget what is in memory, and do what
    /// is pending.
    pub fn restart(&mut self) -> Result<(), Stop> {
        let Self { store, heard, ended, .. } = mem::take(self);
        *self = Self { store, heard, ended, ..Self::default() };
        for key in self.store.tables().keys() {
            let to_do = self.load(key)?.pending();
            self.act(to_do)?;
        }
        Ok(())
    }

    pub fn lines(&self) -> Result<Vec<Line>, Stop> {
        Ok(self.store.tables().lines()?)
    }

    /// The one line that can be relied on, if there is just one.
    pub fn only_line(&self) -> Result<Option<Line>, Stop> {
        let mut lines: Vec<Line> = self.lines()?;
        lines.retain(|line| line.confirmed().is_some());
        Ok(if lines.len() == 1 { lines.pop() } else { None })
    }

    pub fn line(&self, line_id: LineId) -> Result<Line, Stop> {
        if let Any::Line(line) = self.load(RecordKey::Line(line_id))? {
            Ok(line)
        } else {
            Err(Rejected::WrongMachine.into())
        }
    }

    pub fn alice(&self, line_link: LineLink) -> Result<Alice, Stop> {
        match self.load(RecordKey::LineLink(line_link))? {
            Any::Alice(alice) => Ok(alice),
            _ => Err(Rejected::WrongMachine.into()),
        }
    }

    pub fn load(&self, key: RecordKey) -> Result<Any, Stop> {
        Any::load(self.store.tables(), key)
    }
}
