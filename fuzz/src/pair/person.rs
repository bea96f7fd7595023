//! One person: a Port, a line, a store, and a process that may die at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use port_protocol::{Born, Event, Key, Line, LinePhase, Machine, Mark, Step, UnixSeconds};

use super::crash;
use crate::machine::{Done, Said, User, attempt, rank, settle, unsent};

/// For any packet of `drive_pair`, whose messages are short.
const BUFFER: usize = 4096;

/// A store as SPEC.md §8.2 wants it: it compares and swaps, and keeps marks once.
#[derive(Clone, Default)]
pub struct Store {
    records: BTreeMap<Key, Vec<u8>>,
    marks: BTreeSet<Mark>,
    /// Every record there ever was.
    pub history: Vec<Vec<u8>>,
}

impl Store {
    fn insert(&mut self, key: Key, record: &[u8]) {
        assert!(self.records.insert(key, record.to_vec()).is_none(), "{key:?} was taken");
        self.history.push(record.to_vec());
    }

    fn put(&mut self, done: &Done) {
        let replaces = done.replaces.expect("a step replaces a record");
        assert!(self.records.remove(&replaces.key).is_some(), "replaces what is not there");
        assert!(done.once.is_none_or(|mark| self.marks.insert(mark)), "a mark came twice");
        self.insert(done.key, &done.record);
    }
}

/// An app at one side. It knows nothing of the other.
pub struct Person<M> {
    pub user: M,
    pub line: Option<Line>,
    pub store: Store,
    at: Key,
    buffer: Vec<u8>,
    pub requests: Vec<Vec<u8>>,
    pub shown: Option<Vec<u8>>,
    formed: Option<Vec<u8>>,
    /// Messages whose packet went out.
    pub sealed: BTreeSet<Vec<u8>>,
    pub heard: BTreeSet<Vec<u8>>,
    furthest: u8,
}

impl<M: User> Clone for Person<M> {
    fn clone(&self) -> Self {
        Self {
            user: again(&self.user),
            line: self.line.as_ref().map(again),
            store: self.store.clone(),
            at: self.at,
            buffer: self.buffer.clone(),
            requests: self.requests.clone(),
            shown: self.shown.clone(),
            formed: self.formed.clone(),
            sealed: self.sealed.clone(),
            heard: self.heard.clone(),
            furthest: self.furthest,
        }
    }
}

/// No machine can be cloned, on purpose: here it is restored.
fn again<M: Machine>(machine: &M) -> M {
    M::restore(&machine.record()).expect("its own record")
}

impl<M: User> Person<M> {
    pub fn new(born: Born<M>) -> Self {
        let (mut store, at) = (Store::default(), born.key());
        assert_eq!(born.replaces(), None);
        store.insert(at, &born.record());
        let mut new = Self {
            user: born.commit(),
            line: None,
            store,
            at,
            buffer: vec![0; BUFFER],
            requests: vec![],
            shown: None,
            formed: None,
            sealed: BTreeSet::new(),
            heard: BTreeSet::new(),
            furthest: 0,
        };
        new.resend();
        new
    }

    /// Whether the machine moved.
    pub fn step_user<E: PartialEq + Debug>(
        &mut self,
        crash: u8,
        act: impl for<'a> Fn(&'a mut M, &'a mut [u8]) -> Result<Step<'a, M>, E>,
    ) -> bool {
        let was_spent = self.user.is_spent();
        let Ok(done) = attempt(&mut self.user, &mut self.buffer, act) else { return false };
        assert!(!was_spent, "a spent machine moved");
        self.keep(crash, done);
        true
    }

    pub fn step_line<E: PartialEq + Debug>(
        &mut self,
        crash: u8,
        act: impl for<'a> Fn(&'a mut Line, &'a mut [u8]) -> Result<Step<'a, Line>, E>,
    ) -> bool {
        let Some(line) = &mut self.line else { return false };
        let was_closed = rank::of(line) == rank::CLOSED;
        let Ok(done) = attempt(line, &mut self.buffer, act) else { return false };
        assert!(!was_closed, "a closed line moved");
        self.keep(crash, done);
        true
    }

    pub fn settle_user(&mut self, crash: u8) {
        if let Some(done) = settle(&mut self.user) {
            self.keep(crash, done);
        }
    }

    pub fn settle_line(&mut self, crash: u8) {
        if let Some(done) = self.line.as_mut().and_then(settle) {
            self.keep(crash, done);
        }
    }

    /// The rest of the three lines.
    fn keep(&mut self, crash: u8, done: Done) {
        if crash != crash::BEFORE_PUT {
            self.store.put(&done);
            if !matches!(done.key, Key::Line(_)) {
                self.at = done.key;
            }
        }
        if matches!(crash, crash::NOT | crash::AFTER_ACTING) {
            self.act(done.said);
        }
        if crash != crash::NOT {
            self.restart();
        }
    }

    pub fn restart(&mut self) {
        self.user = M::restore(&self.store.records[&self.at]).expect("it was stored");
        let line = self.store.records.iter().find(|(key, _)| matches!(key, Key::Line(_)));
        self.line = line.map(|(_, record)| Line::restore(record).expect("it was stored"));
        self.resend();
    }

    pub fn resend(&mut self) {
        self.act(unsent(&self.user));
        if let Some(line) = &self.line {
            let outbox = unsent(line);
            assert!(!outbox.iter().any(|said| matches!(said, Said::Sealed(_))), "an outbox holds a user's words");
            self.act(outbox);
        }
    }

    fn act(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Send(request) => self.requests.push(request),
                Said::Sealed(request) => self.requests.push(request),
                Said::Message(text) => assert!(self.heard.insert(text), "a message came twice"),
                Said::Ready(port) => {
                    assert!(self.shown.as_ref().is_none_or(|shown| *shown == port), "two Ports");
                    self.shown = Some(port);
                }
                Said::Formed(record) => self.take_line(record),
                Said::Ended(_) | Said::Dropped => {}
            }
        }
    }

    fn take_line(&mut self, record: Vec<u8>) {
        let born = self.user.born().expect("it is in the outbox until it is settled");
        assert!(*born.record() == *record);
        if let Some(stored) = self.store.records.get(&born.key()) {
            assert_eq!(born.is_stored_as(stored), Ok(true), "a second line under the same key");
        } else {
            assert!(self.formed.is_none(), "a second line");
            self.store.insert(born.key(), &record);
            let line = self.line.insert(born.commit());
            let first = unsent(line);
            self.formed = Some(record);
            self.act(first);
        }
    }

    /// Hands an event to everybody, as an app would not: nobody but its machine may take it.
    pub fn deliver(&mut self, crash: u8, event: &[u8], now: UnixSeconds) -> bool {
        let by_line = self.step_line(crash, |line, buffer| line.handle_bytes(event, buffer, now));
        let Ok(event) = Event::decode(event) else {
            assert!(!by_line);
            return false;
        };
        let by_user = self.step_user(crash, |user, _| user.handle(&event, now));
        assert!(!(by_user && by_line), "two machines took one event");
        by_user || by_line
    }

    pub fn seal(&mut self, crash: u8, text: &[u8]) {
        let moved = self.step_line(crash, |line, buffer| line.seal(text, &[], buffer));
        if moved && matches!(crash, crash::NOT | crash::AFTER_ACTING) {
            self.sealed.insert(text.to_vec());
        }
    }

    pub fn check(&mut self, private_key: &[u8], rad: &[u8]) {
        assert!(*self.user.record() == *self.store.records[&self.at], "not what was stored");
        let keys = self.store.records.keys().filter(|key| matches!(key, Key::Line(_))).count();
        assert!(keys <= 1, "two lines");
        assert_eq!(keys == 1, self.line.is_some());
        assert!(!self.user.is_spent() || self.user.deadline().is_none());
        let keeps_key = |record: &[u8]| contains(record, private_key) || contains(record, rad);
        let awaits = |born: Born<Line>| born.commit().phase() == LinePhase::AwaitingProof;
        let may_keep_key = !self.user.is_spent() || self.user.born().is_some_and(awaits);
        assert!(may_keep_key || !keeps_key(&self.user.record()), "a dead Port's private key");

        let Some(line) = &mut self.line else { return };
        assert!(*line.record() == *self.store.records[&line.key()], "not what was stored");
        let rank = rank::of(line);
        assert!(rank >= self.furthest, "back to {:?}", line.phase());
        self.furthest = rank;
        assert!(
            rank == rank::AWAITING_PROOF || !keeps_key(&line.record()),
            "{:?}, and still a private key",
            line.phase()
        );
        assert_eq!(line.confirmed().is_some(), rank == rank::CONFIRMED);
        assert_eq!(line.check_code().is_some(), rank == rank::CONFIRMED);
        if let Some(confirmed) = line.confirmed() {
            assert_eq!((confirmed.line_id, confirmed.pair_hash), (line.claims().line_id, line.claims().pair_hash));
        }
        assert!(
            rank != rank::CLOSED || line.settle().is_some() || line.record().len() < 200,
            "a closed line with keys"
        );
    }
}

pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
