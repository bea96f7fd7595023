//! One user's app. Its machines are in its store, and nowhere else: each step loads the one that it is about, moves it, and keeps it, in
//! one transaction. How many there are makes no difference, nor does a crash.

use getrandom::SysRng;
use port_protocol::rand_core::UnwrapErr;
use port_protocol::{
    Alice, Bob, BobPhase, Event, Introducer, IntroducerPhase, Line, LineId, LineLink, MachineRole, OnDuplicate, Policy,
    Port, PortOptions, RecordKey, Rejected, Request, Seed, SendProof, UnixSeconds,
};

use crate::machines::{Stop, advance, begin, clear_outbox, pending};
use crate::store::{Store, StoreError, Tables};

#[derive(Default)]
pub struct Client {
    pub store: Store,
}

impl Client {
    pub fn make_port(&mut self, options: PortOptions, seed: Seed) -> Result<(), Stop> {
        self.store.transaction(|tables| begin(tables, Alice::request(options, seed)))
    }

    pub fn scan(&mut self, port: Port, seed: Seed) -> Result<(), Stop> {
        self.store.transaction(|tables| begin(tables, Bob::scan(port, seed)))
    }

    pub fn connect(&mut self, line_link: LineLink, send_proof: SendProof) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            let mut bob: Bob = tables.load(RecordKey::LineLink(line_link))?;
            advance(tables, bob.connect(send_proof, UnixSeconds::now()))
        })
    }

    pub fn set_policy(&mut self, line_link: LineLink, policy: Policy) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            let mut alice: Alice = tables.load(RecordKey::LineLink(line_link))?;
            advance(tables, alice.set_policy(policy))
        })
    }

    pub fn revoke(&mut self, line_link: LineLink) -> Result<(), Stop> {
        self.store.transaction(|tables| tables.revoke(line_link))
    }

    pub fn say(&mut self, line_id: LineId, message: &str) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            let mut line: Line = tables.load(RecordKey::Line(line_id))?;
            advance(tables, line.seal(message.as_bytes(), &[], &mut Vec::new()))
        })
    }

    pub fn close(&mut self, line_id: LineId) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            let mut line: Line = tables.load(RecordKey::Line(line_id))?;
            advance(tables, line.close())
        })
    }

    /// Takes an event from the relay. A relay that keeps no order would have us hold back an event that is [`Rejected::TooEarly`], and
    /// hand it in again after the line's next step; one that is [`Rejected::UnknownTicket`], until nothing unread is on the introducer's
    /// line; and one of an unknown line, as long as a Bob is connecting.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let event = Event::decode(bytes)?;
        let handled = self.store.transaction(|tables| tables.handle(&event));
        match &handled {
            Err(Stop::Store(StoreError::UsedBefore(OnDuplicate::Revoke))) => {
                if let RecordKey::LineLink(line_link) = event.key() {
                    self.revoke(line_link)?;
                    // Its far end is told.
                    return self.receive(bytes);
                }
            }
            Err(Stop::Rejected(Rejected::FalseLine)) => self.store.tables.end("the relay lies".to_owned()),
            Err(why) => {
                if let Some(request) = self.store.tables.turn_away(&event, why)? {
                    self.store.tables.send(&request);
                }
            }
            Ok(()) => {}
        }
        handled
    }

    /// Whenever the connection is back, and after a crash: what the machines still wait for is asked again, and the relay keeps the links of
    /// their Ports for longer. Once a month, if the connection never breaks. All of it is safe to repeat.
    pub fn resume(&mut self) -> Result<(), Stop> {
        self.store.transaction(|tables| tables.keys().into_iter().try_for_each(|key| tables.resume(key)))
    }

    /// Every request was handed over to the relay: no machine needs to say it again. A larger app remembers which machines have
    /// something to clear.
    pub fn sent(&mut self) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            tables.requests.clear();
            tables.keys().into_iter().try_for_each(|key| tables.clear(key))
        })
    }

    /// The one line that can be relied on, if there is just one.
    pub fn only_line(&self) -> Result<Option<Line>, Stop> {
        let mut lines = self.store.tables.lines()?;
        lines.retain(|line| line.confirmed().is_some());
        Ok(if lines.len() == 1 { lines.pop() } else { None })
    }

    pub fn line(&self, line_id: LineId) -> Result<Line, Stop> {
        self.store.tables.load(RecordKey::Line(line_id))
    }
}

impl Tables {
    /// Takes an event to the machine that it is for.
    fn handle(&mut self, event: &Event<'_>) -> Result<(), Stop> {
        let (key, mut rng) = (event.key(), UnwrapErr(SysRng));
        match self.role(key)? {
            MachineRole::Alice => {
                let mut alice: Alice = self.load(key)?;
                let step = alice.handle(event, self, UnixSeconds::now(), &mut rng);
                advance(self, step)
            }
            MachineRole::Bob => {
                let mut bob: Bob = self.load(key)?;
                let step = bob.handle(event, self, UnixSeconds::now(), &mut rng);
                advance(self, step)
            }
            MachineRole::Line => {
                let mut line: Line = self.load(key)?;
                advance(self, line.handle(event, &mut Vec::new(), UnixSeconds::now(), &mut rng))
            }
            _ => Err(Rejected::WrongMachine.into()),
        }
    }

    /// What the relay is to hear of an event that no machine takes. Somebody may wait at the far end of a line that this client will never
    /// take, and a link that nobody needs can be used up.
    fn turn_away(&self, event: &Event<'_>, why: &Stop) -> Result<Option<Request<'static>>, Stop> {
        let line_id = match (why, event) {
            (Stop::Rejected(Rejected::UnwantedLine(line_id) | Rejected::UnknownTicket(line_id)), _)
            | (Stop::Store(StoreError::UsedBefore(OnDuplicate::Disconnect(line_id))), _)
            | (
                Stop::Rejected(Rejected::WrongMachine),
                Event::LineFormed { line_id, .. } | Event::Connected { line_id, .. },
            ) => *line_id,
            // Otherwise it may have overtaken a Bob's `Connected`.
            (Stop::Rejected(Rejected::WrongMachine), Event::Packet { line_id, .. }) if !self.is_connecting()? => {
                *line_id
            }
            (Stop::Rejected(Rejected::UnwantedLink(line_link)), _) => {
                return Ok(Some(Request::CloseLineLink { line_link: *line_link }));
            }
            (Stop::Rejected(Rejected::WrongMachine), Event::LineLinkIssued { line_link, .. })
                if self.role(RecordKey::LineLink(*line_link)).is_err() =>
            {
                return Ok(Some(Request::CloseLineLink { line_link: *line_link }));
            }
            _ => return Ok(None),
        };
        // If there is a record, a good line came again.
        Ok(self.role(RecordKey::Line(line_id)).is_err().then_some(Request::Disconnect { line_id }))
    }

    /// Whether a Bob waits for its line. A larger app has a column for it.
    fn is_connecting(&self) -> Result<bool, Stop> {
        let bobs = self.keys().into_iter().filter(|key| matches!(self.role(*key), Ok(MachineRole::Bob)));
        let phases = bobs.map(|key| Ok(self.load::<Bob>(key)?.phase())).collect::<Result<Vec<_>, Stop>>()?;
        Ok(phases.contains(&BobPhase::Connecting))
    }

    /// Closes a Port, or a contact port: then its tickets go with it.
    pub fn revoke(&mut self, line_link: LineLink) -> Result<(), Stop> {
        let mut alice: Alice = self.load(RecordKey::LineLink(line_link))?;
        self.delete_tickets(line_link);
        advance(self, alice.revoke())
    }

    fn resume(&mut self, key: RecordKey) -> Result<(), Stop> {
        match self.role(key)? {
            MachineRole::Alice => pending(self, &self.load::<Alice>(key)?),
            MachineRole::Bob => pending(self, &self.load::<Bob>(key)?),
            MachineRole::Line => pending(self, &self.load::<Line>(key)?),
            _ => pending(self, &self.load::<Introducer>(key)?),
        }
    }

    fn clear(&mut self, key: RecordKey) -> Result<(), Stop> {
        match self.role(key)? {
            MachineRole::Alice => clear_outbox(self, &mut self.load::<Alice>(key)?),
            MachineRole::Bob => clear_outbox(self, &mut self.load::<Bob>(key)?),
            MachineRole::Line => clear_outbox(self, &mut self.load::<Line>(key)?),
            _ => {
                let mut introducer: Introducer = self.load(key)?;
                // The packet that tells Alice of a ticket was sent. Only now there is something to hand over.
                if introducer.phase() == IntroducerPhase::Announcing {
                    advance(self, introducer.mark_announced())?;
                }
                clear_outbox(self, &mut introducer)
            }
        }
    }
}
