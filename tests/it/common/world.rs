//! Two users with a store each, and a relay between them: what an app does around the machines. A user may be stopped
//! between any two things it does; its store stays.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use port_protocol::*;

use super::*;

pub const ALICE: usize = 0;
pub const BOB: usize = 1;

/// This user's process is gone. Its store is still there.
#[derive(Debug)]
pub struct Stopped;

type Running<T> = Result<T, Stopped>;

/// When the run is disturbed: at these of its points, counted from 0.
#[derive(Clone, Default)]
pub struct Faults {
    /// The process stops.
    pub stop: Vec<usize>,
    /// The store fails, and the process does as it must: it stops, and starts again from the store.
    pub store_fails: Vec<usize>,
    /// The same, but the store had kept the record.
    pub store_fails_late: Vec<usize>,
}

#[derive(Clone, Default)]
pub struct User {
    pub store: Store,
    pub said: Vec<Vec<u8>>,
    /// Of that, what the relay has for certain.
    pub sent: Vec<Vec<u8>>,
    pub ends: Vec<End>,
    /// Every Line that was ever stored.
    pub lines: BTreeSet<RecordKey>,
    pub shown: Option<String>,
    seeds: u8,
}

impl User {
    /// What the other end said, by what was kept of it.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        let messages = self.store.received.iter().filter_map(|said| match said {
            Said::Message(text) => Some(text.clone()),
            Said::Introducer(_) => None,
        });
        messages.collect()
    }
}

/// A relay that does what §7 says, and keeps events until they are acknowledged.
#[derive(Clone, Default)]
pub struct SmallRelay {
    made: u8,
    links: BTreeMap<LineLink, usize>,
    answers: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
    open: BTreeSet<LineId>,
    pub queues: [VecDeque<Vec<u8>>; 2],
    /// Every event there ever was, and for whom.
    pub past: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
pub struct World {
    pub users: [User; 2],
    pub relay: SmallRelay,
    pub now: UnixSeconds,
    pub faults: Faults,
    /// How many points were passed, and how often the store was asked.
    pub points: usize,
    pub puts: usize,
}

impl SmallRelay {
    fn tell(&mut self, user: usize, event: Vec<u8>) {
        self.past.push((user, event.clone()));
        self.queues[user].push_back(event);
    }

    fn take(&mut self, user: usize, bytes: &[u8]) {
        let other = 1 - user;
        let request = (user, bytes.to_vec());
        if let Some(answer) = self.answers.get(&request).cloned() {
            return self.tell(user, answer);
        }
        self.made = self.made.wrapping_add(1);
        match Request::decode(bytes).unwrap() {
            Request::IssueLineLink { request_id } => {
                let line_link = [self.made; 16].into();
                self.links.insert(line_link, user);
                let answer = Event::LineLinkIssued { request_id, line_link }.to_vec();
                self.answers.insert(request, answer.clone());
                self.tell(user, answer);
            }
            Request::Connect { line_link, request_id, proof: _ } => {
                let known = self.links.remove(&line_link);
                let answer = if known == Some(other) {
                    let line_id = [self.made; 16].into();
                    self.open.insert(line_id);
                    let [to_owner, to_user] = formed_of(bytes, line_id);
                    self.tell(other, to_owner);
                    to_user
                } else {
                    Event::Refused { line_link, request_id, reason: Reason::UsedByAnother }.to_vec()
                };
                self.answers.insert(request, answer.clone());
                self.tell(user, answer);
            }
            Request::Packet { line_id, payload } if self.open.contains(&line_id) => {
                self.tell(other, Event::Packet { line_id, payload }.to_vec());
            }
            Request::Disconnect { line_id } if self.open.remove(&line_id) => {
                self.tell(other, Event::Disconnected { line_id }.to_vec());
            }
            Request::CloseLineLink { line_link } => drop(self.links.remove(&line_link)),
            _ => {}
        }
    }
}

impl World {
    pub fn new(faults: Faults) -> Self {
        let (users, relay) = (<[User; 2]>::default(), SmallRelay::default());
        Self { users, relay, now: NOW, faults, points: 0, puts: 0 }
    }

    /// Between any two things that a user does.
    fn point(&mut self) -> Running<()> {
        self.points += 1;
        if self.faults.stop.contains(&(self.points - 1)) { Err(Stopped) } else { Ok(()) }
    }

    /// One transaction. A store that fails has kept the record or not. The user starts again from the records in the store.
    fn put(&mut self, user: usize, put: &Put) -> Running<Result<(), Conflict>> {
        self.point()?;
        self.puts += 1;
        if self.faults.store_fails.contains(&(self.puts - 1)) {
            return Err(Stopped);
        }
        let outcome = self.users[user].store.put(put);
        if let (Ok(()), Some(line)) = (&outcome, &put.new_line) {
            self.users[user].lines.insert(line.key);
        }
        if self.faults.store_fails_late.contains(&(self.puts - 1)) {
            return Err(Stopped);
        }
        self.point()?;
        Ok(outcome)
    }

    /// Fresh randomness.
    fn seed(&mut self, user: usize) -> Seed {
        self.users[user].seeds += 2;
        seed(self.users[user].seeds + user as u8)
    }

    fn create<M: Machine>(&mut self, user: usize, created: Created<M>) -> Running<()>
    where
        Any: From<M>,
    {
        if self.put(user, &Put::created(&created))?.is_ok() {
            let machine = Any::from(created.committed());
            self.act(user, machine.pending())?;
        }
        Ok(())
    }

    pub fn request_port(&mut self, options: PortOptions) -> Running<()> {
        let created = Alice::request(options, self.seed(ALICE));
        self.create(ALICE, created)
    }

    pub fn scan_port(&mut self) -> Running<()> {
        let Some(shown) = self.users[ALICE].shown.clone() else { return Ok(()) };
        let created = Bob::scan(Port::parse(&shown).unwrap(), self.seed(BOB));
        self.create(BOB, created)
    }

    /// Prepares, keeps and commits, acts, and clears the outbox.
    pub fn give(&mut self, user: usize, key: RecordKey, input: &Input) -> Running<Result<(), Refusal>> {
        let Some(mut machine) = self.users[user].store.load(key) else { return Ok(Err(Refusal::NoSuchCommand)) };
        let outcome = self.step(user, &mut machine, input)?;
        let Ok(effects) = outcome else { return Ok(outcome.map(drop)) };
        self.act(user, effects)?;
        if let Input::Seal(text, _) = input {
            self.users[user].said.push(text.clone());
            self.users[user].sent.push(text.clone());
        }
        self.clear_outbox(user, &mut machine).map(Ok)
    }

    fn clear_outbox(&mut self, user: usize, machine: &mut Any) -> Running<()> {
        self.point()?;
        let _ = self.step(user, machine, &Input::ClearOutbox)?;
        self.point()
    }

    fn step(&mut self, user: usize, machine: &mut Any, input: &Input) -> Running<Result<Vec<Effect>, Refusal>> {
        let (now, mut kept) = (self.now, Ok(Ok(())));
        let outcome = machine.apply(input, now, &mut |put| {
            kept = self.put(user, put);
            matches!(kept, Ok(Ok(())))
        });
        kept?.map_or(Ok(Err(Refusal::Dropped)), |()| Ok(outcome))
    }

    fn act(&mut self, user: usize, effects: Vec<Effect>) -> Running<()> {
        for effect in effects {
            self.point()?;
            match effect {
                Effect::Send(request) => self.relay.take(user, &request),
                Effect::PortReady(text) => self.users[user].shown = Some(text),
                // This relay keeps everything; a hostile one may say so.
                Effect::PacketsLost | Effect::AwaitingApproval | Effect::IntroducerMessage(_) => {}
                // It was kept with the step.
                Effect::Message(_) => {}
                Effect::Ended(end) => self.users[user].ends.push(end),
                Effect::Link(_) => unreachable!("nobody has a pool here"),
                Effect::LineFormed(line) => self.wake_one(user, line.key())?,
            }
        }
        self.point()
    }

    fn wake_one(&mut self, user: usize, key: RecordKey) -> Running<()> {
        let Some(mut machine) = self.users[user].store.load(key) else { return Ok(()) };
        self.act(user, machine.pending())?;
        self.clear_outbox(user, &mut machine)
    }

    /// After a restart, or when the connection comes back: everything pending, again.
    pub fn wake(&mut self, user: usize) -> Running<()> {
        let keys: Vec<_> = self.users[user].store.records.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.wake_one(user, key))
    }

    /// Does what an error says.
    pub fn hear(&mut self, user: usize, event: &[u8]) -> Running<Result<(), Refusal>> {
        let Ok(decoded) = Event::decode(event) else { return Ok(Err(Refusal::NoSuchCommand)) };
        let key = decoded.key();
        if !self.users[user].store.records.contains_key(&key) {
            self.orphan(user, &decoded);
            return Ok(Err(Refusal::NoSuchCommand));
        }
        let outcome = self.give(user, key, &Input::Event(event.to_vec()))?;
        match outcome {
            Err(Refusal::Rejected(Rejected::UnwantedLine(line_id))) => {
                self.relay.take(user, &Request::Disconnect { line_id }.to_vec());
            }
            Err(Refusal::Rejected(Rejected::UnwantedLink(line_link))) => {
                self.relay.take(user, &Request::CloseLineLink { line_link }.to_vec());
            }
            _ => {}
        }
        Ok(outcome)
    }

    /// §8.3: an event without a machine. Somebody may wait at the far end of a line that nobody has here.
    fn orphan(&mut self, user: usize, event: &Event<'_>) {
        let store = &self.users[user].store;
        let connects = |record: &[u8]| Any::restore(record).unwrap().state().starts_with("Bob Connecting");
        let line_id = match *event {
            Event::LineFormed { line_id, .. } | Event::Connected { line_id, .. } => line_id,
            Event::Packet { line_id, .. } if !store.records.values().any(|(_, record)| connects(record)) => line_id,
            _ => return,
        };
        if store.port_of_line(&line_id).is_none() {
            self.relay.take(user, &Request::Disconnect { line_id }.to_vec());
        }
    }

    /// The oldest event for this user: heard, then acknowledged; one that comes too early is kept for later. `false`: nothing
    /// moved.
    fn next_event(&mut self, user: usize) -> Running<bool> {
        let Some(event) = self.relay.queues[user].front().cloned() else { return Ok(false) };
        let outcome = self.hear(user, &event)?;
        self.point()?;
        self.relay.queues[user].pop_front();
        if outcome == Err(Refusal::Rejected(Rejected::TooEarly)) {
            self.relay.queues[user].push_back(event);
        }
        Ok(outcome.is_ok())
    }

    /// Runs what may be stopped, and starts the user again when it was.
    pub fn survive(&mut self, user: usize, run: impl FnOnce(&mut Self) -> Running<()>) {
        let mut outcome = run(self);
        while outcome.is_err() {
            outcome = self.wake(user);
        }
    }

    /// Delivers until nothing is left, or nothing moves any more.
    pub fn pump(&mut self) {
        let mut idle = 0;
        while idle <= self.relay.queues.iter().map(VecDeque::len).sum::<usize>() && idle < 100 {
            let mut moved = false;
            for user in [ALICE, BOB] {
                self.survive(user, |world| {
                    moved |= world.next_event(user)?;
                    Ok(())
                });
            }
            idle = if moved { 0 } else { idle + 1 };
            if self.relay.queues.iter().all(VecDeque::is_empty) {
                break;
            }
        }
    }

    /// The key of this user's Alice or Bob.
    pub fn port_key(&self, user: usize) -> Option<RecordKey> {
        self.users[user].store.records.keys().find(|key| !matches!(key, RecordKey::Line(_))).copied()
    }

    pub fn line(&self, user: usize) -> Option<Line> {
        self.users[user].store.lines().pop()
    }

    pub fn port_state(&self, user: usize) -> String {
        let key = self.port_key(user);
        key.and_then(|key| self.users[user].store.load(key)).map_or(String::new(), |machine| machine.state())
    }

    /// Checks the rules that hold after anything that the relay did and after any stop of a user.
    pub fn check(&self) {
        for (user, me) in self.users.iter().enumerate() {
            assert!(me.lines.len() <= 1, "two lines from one Port");
            assert!(me.store.lines().len() <= 1);
            assert!(me.store.marks.len() <= 1);
            for (key, (revision, record)) in &me.store.records {
                let machine = Any::restore(record).unwrap();
                assert_eq!((machine.record(), machine.key(), machine.revision()), (record.clone(), *key, *revision));
            }
            let mut heard = me.heard();
            heard.sort();
            heard.dedup();
            assert_eq!(heard.len(), me.heard().len(), "a message was delivered twice");
            assert!(heard.iter().all(|text| self.users[1 - user].said.contains(text)), "a message that was never sent");
        }
        let confirmed = |user| self.line(user).and_then(|line| Some((line.confirmed()?, line.safety_number()?)));
        if let (Some(alice), Some(bob)) = (confirmed(ALICE), confirmed(BOB)) {
            assert_eq!(alice, bob, "both confirmed, and not of the same");
        }
    }
}
