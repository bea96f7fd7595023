//! Clients with the crate's own relay between them (§13): that nobody waits in vain, whoever gives up, expires or crashes (`nobody_waits`,
//! `ghosts`), what becomes of links (`links`), and by which marks the relay names one user to another (`marks`).
#![cfg(all(feature = "relay", feature = "alloc"))]

mod ghosts;
mod links;
mod marks;
mod nobody_waits;

use std::time::Duration;

use crate::common::rng::Names;
use crate::common::*;
use port_protocol::relay::*;
use port_protocol::*;

const ALICE: usize = 0;
const BOB: usize = 1;

/// One user's app.
struct Client {
    user: UserId,
    store: Store,
    /// What came too early, to be handed in again.
    held: Vec<Vec<u8>>,
    ends: Vec<End>,
    /// The last Port that it showed.
    shown: Option<Port>,
    /// What the relay's transport told it of requests that were not taken.
    refused: Vec<RequestError>,
    /// Every event that it heard.
    heard: Vec<Vec<u8>>,
}

impl Client {
    fn new(n: u8) -> Self {
        let (store, held, ends, shown, refused, heard) = Default::default();
        Self { user: [n; 32].into(), store, held, ends, shown, refused, heard }
    }

    /// The lines that are not over.
    fn lines(&self) -> Vec<Line> {
        self.store.lines().into_iter().filter(|line| line.phase() != LinePhase::Closed).collect()
    }

    fn states(&self) -> Vec<String> {
        self.store.records.values().map(|(_, record)| state_of(record)).collect()
    }

    fn is_connecting(&self) -> bool {
        self.states().iter().any(|state| state.starts_with("Bob Connecting"))
    }

    /// Its Alice or Bob.
    fn port_key(&self) -> Option<RecordKey> {
        self.store.records.keys().find(|key| !matches!(key, RecordKey::Line(_))).copied()
    }

    fn port_state(&self) -> String {
        self.port_key().map_or(String::new(), |key| self.store.load(key).unwrap().state())
    }
}

struct World {
    relay: Relay<Memory>,
    names: Names,
    now: UnixSeconds,
    clients: Vec<Client>,
    seeds: u64,
}

impl World {
    fn new() -> Self {
        let mut names = Names::default();
        let relay = Relay::new(Memory::new(), Limits::default(), MarkKey::draw(&mut names));
        Self { relay, names, now: NOW, clients: vec![Client::new(1), Client::new(2)], seeds: 0 }
    }

    fn join(&mut self) -> usize {
        let n = u8::try_from(self.clients.len() + 1).unwrap();
        self.clients.push(Client::new(n));
        self.clients.len() - 1
    }

    fn seed(&mut self) -> Seed {
        self.seeds += 1;
        let n = self.seeds;
        Seed::from_bytes(&std::array::from_fn(|i| n.to_be_bytes()[i % 8].wrapping_add(i as u8)))
    }

    fn lines(&self) -> usize {
        self.relay.directory().lines()
    }

    fn waiting(&self, who: usize) -> usize {
        self.relay.directory().waiting(self.clients[who].user)
    }

    fn days(&mut self, days: u64) {
        self.now = self.now.after(Duration::from_secs(days * DAY));
    }

    fn create<M: Machine>(&mut self, who: usize, created: Created<M>)
    where
        Any: From<M>,
    {
        self.clients[who].store.put(&Put::created(&created)).unwrap();
        let machine = Any::from(created.committed());
        self.act(who, machine.pending());
    }

    fn request_port(&mut self, who: usize, options: PortOptions) {
        let created = Alice::request(options, self.seed());
        self.create(who, created);
    }

    /// A Port of this client, ready to be shown.
    fn port(&mut self, who: usize, options: PortOptions) -> Port {
        self.request_port(who, options);
        self.deliver(who);
        self.clients[who].shown.clone().unwrap()
    }

    /// §5.1: in the row of an earlier use of this Port, if there is one.
    fn scan(&mut self, who: usize, port: &Port) {
        let seed = self.seed();
        let store = &mut self.clients[who].store;
        match store.load(RecordKey::LineLink(port.line_link())) {
            Some(Any::Bob(mut bob)) => {
                bob.scan_again(port.clone(), seed)
                    .unwrap()
                    .store(|write| store.put(&Put::of(write)))
                    .unwrap()
                    .for_each(drop);
            }
            _ => self.create(who, Bob::scan(port.clone(), seed)),
        }
    }

    fn connect(&mut self, who: usize, port: &Port, how: SendProof) {
        self.give(who, RecordKey::LineLink(port.line_link()), &Input::Connect(how)).unwrap();
    }

    /// Sends a request. The reply, if there is one, is heard at once.
    fn send(&mut self, who: usize, request: &[u8]) {
        let user = self.clients[who].user;
        match self.relay.handle(user, request, &mut self.names, self.now) {
            Ok(Response { reply: Some(reply), .. }) => self.hear(who, &reply.to_vec()),
            Ok(_) => {}
            Err(RelayError::Request(error)) => self.clients[who].refused.push(error),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn act(&mut self, who: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(request) => self.send(who, &request),
                Effect::PortReady(text) => self.clients[who].shown = Some(Port::parse(&text).unwrap()),
                Effect::LineFormed(line) => self.wake(who, line.key()),
                Effect::Ended(end) => self.clients[who].ends.push(end),
                _ => {}
            }
        }
    }

    /// What is pending; then the relay has it.
    fn wake(&mut self, who: usize, key: RecordKey) {
        let Some(machine) = self.clients[who].store.load(key) else { return };
        self.act(who, machine.pending());
        let _ = self.give(who, key, &Input::ClearOutbox);
    }

    /// Keeps a step, does what it asks for, and clears the outbox.
    fn give(&mut self, who: usize, key: RecordKey, input: &Input) -> Result<(), Refusal> {
        let store = &mut self.clients[who].store;
        let Some(mut machine) = store.load(key) else { return Err(Refusal::NoSuchCommand) };
        let (peers, mut conflict) = (store.clone(), None);
        let outcome = machine.apply_with(input, &peers, self.now, &mut |put| match store.put(put) {
            Ok(()) => true,
            Err(error) => {
                conflict = Some((error, put.unique));
                false
            }
        });
        if let Some((Conflict::Marked, Some((_, then)))) = conflict {
            match then {
                OnDuplicate::Disconnect(line_id) => self.send(who, &Request::Disconnect { line_id }.to_vec()),
                _ => self.give(who, key, &Input::Revoke)?,
            }
        }
        let effects = outcome?;
        let cleared = *input == Input::ClearOutbox;
        self.act(who, effects);
        if !cleared {
            let _ = self.give(who, machine.key(), &Input::ClearOutbox);
        }
        Ok(())
    }

    /// Does with an event what the docs of [`Rejected`] say.
    fn hear(&mut self, who: usize, bytes: &[u8]) {
        self.clients[who].heard.push(bytes.to_vec());
        let event = Event::decode(bytes).unwrap();
        if !self.clients[who].store.records.contains_key(&event.key()) {
            return self.orphan(who, &event);
        }
        match self.give(who, event.key(), &Input::Event(bytes.to_vec())) {
            Ok(()) => {
                for held in std::mem::take(&mut self.clients[who].held) {
                    self.hear(who, &held);
                }
            }
            Err(Refusal::Rejected(Rejected::UnwantedLine(line_id))) => {
                self.send(who, &Request::Disconnect { line_id }.to_vec());
            }
            Err(Refusal::Rejected(Rejected::UnwantedLink(line_link))) => {
                self.send(who, &Request::CloseLineLink { line_link }.to_vec());
            }
            Err(Refusal::Rejected(Rejected::TooEarly)) => self.clients[who].held.push(bytes.to_vec()),
            Err(_) => {}
        }
    }

    /// §8.3: an event of which there is no machine.
    fn orphan(&mut self, who: usize, event: &Event<'_>) {
        let client = &mut self.clients[who];
        match *event {
            Event::Packet { .. } | Event::Disconnected { .. } if client.is_connecting() => {
                client.held.push(event.to_vec())
            }
            Event::LineFormed { line_id, .. } | Event::Connected { line_id, .. } | Event::Packet { line_id, .. }
                if client.store.port_of_line(&line_id).is_none() =>
            {
                self.send(who, &Request::Disconnect { line_id }.to_vec());
            }
            Event::LineLinkIssued { line_link, .. } => self.send(who, &Request::CloseLineLink { line_link }.to_vec()),
            _ => {}
        }
    }

    /// Everything that waits for this client, each acknowledged once it was heard. Whether there was anything.
    fn deliver(&mut self, who: usize) -> bool {
        let user = self.clients[who].user;
        let mut moved = false;
        while let Some(Delivery { sequence, event }) = self.relay.next(user, 0).unwrap() {
            let event = event.to_vec();
            self.hear(who, &event);
            self.relay.acknowledge(user, sequence).unwrap();
            moved = true;
        }
        moved
    }

    /// The connection comes back: what is pending, then what waits.
    fn reconnect(&mut self, who: usize) {
        let keys: Vec<_> = self.clients[who].store.records.keys().copied().collect();
        keys.into_iter().for_each(|key| self.wake(who, key));
        self.deliver(who);
    }

    fn pump(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for who in 0..self.clients.len() {
                moved |= self.deliver(who);
            }
        }
    }

    /// Every deadline that has come.
    fn tick(&mut self, who: usize) {
        let keys: Vec<_> = self.clients[who].store.records.keys().copied().collect();
        for key in keys {
            let due = self.clients[who].store.load(key).and_then(|machine| machine.deadline());
            if due.is_some_and(|deadline| deadline <= self.now) {
                self.give(who, key, &Input::Tick).unwrap();
            }
        }
    }

    /// The process is gone, and its store with it. The user comes back with an empty one.
    fn crash_for_good(&mut self, who: usize) {
        let client = &mut self.clients[who];
        (client.store, client.held) = Default::default();
    }

    /// Whatever this user has, it wants no more.
    fn give_up(&mut self, who: usize) {
        let keys: Vec<_> = self.clients[who].store.records.keys().copied().collect();
        for key in keys {
            for input in [Input::Revoke, Input::Cancel, Input::Close] {
                let _ = self.give(who, key, &input);
            }
        }
    }
}
