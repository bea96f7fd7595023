//! §8.1 for three: Alice, Carol and Bob, each stopped between any two things that they do.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// This user's process is gone; what is in the store is not.
struct Stopped;

#[derive(Default)]
struct User {
    store: Store,
    /// What the relay has for this user, until it is acknowledged.
    inbox: VecDeque<Vec<u8>>,
    /// Just started.
    wake: bool,
    seeds: u8,
}

/// What one transaction keeps, and nothing of it if it is not made.
#[derive(Default)]
struct World {
    alice: User,
    carol: User,
    bob: User,
    granted: bool,
    /// Carol's user wants to introduce somebody.
    wanted: bool,
    /// What Carol's user handed to Bob's.
    handed: Option<String>,
    /// Every introducer message of Carol's that the relay took.
    announced: usize,
    connected: BTreeSet<Vec<u8>>,
    points: usize,
    stops: Vec<usize>,
}

type Running = Result<(), Stopped>;

impl User {
    fn seed(&mut self) -> Seed {
        self.seeds += 1;
        seed(self.seeds)
    }

    fn load<M: Machine>(&self, key: RecordKey) -> Option<M> {
        self.store.records.get(&key).and_then(|(_, record)| M::restore(record).ok())
    }

    fn acknowledge(&mut self, event: &[u8]) {
        self.inbox.retain(|waiting| waiting != event);
    }
}

impl World {
    fn new(stops: Vec<usize>) -> Self {
        let mut world = Self { wanted: true, stops, ..Self::default() };
        let (at_alice, at_carol) = contact(CAROL);
        let alice = granted(CAROL).0;
        let records = |key, record: Record, revision| (key, (revision, record.to_vec()));
        world.alice.store.records.extend([
            records(at_alice.key(), at_alice.record(), at_alice.revision()),
            records(alice.key(), alice.record(), alice.revision()),
        ]);
        world.carol.store.records.extend([records(at_carol.key(), at_carol.record(), at_carol.revision())]);
        (world.carol.seeds, world.bob.seeds) = (100, 150);
        world
    }

    fn point(&mut self) -> Running {
        self.points += 1;
        if self.stops.contains(&self.points) { Err(Stopped) } else { Ok(()) }
    }

    /// The relay.
    fn send(&mut self, from: u8, request: &[u8]) {
        match Request::decode(request).unwrap() {
            Request::Packet { line_id, payload } => {
                let event = Event::Packet { line_id, payload }.to_vec();
                self.announced += usize::from(from == CAROL && payload[4] == PacketKind::IntroducerMessage as u8);
                let to = match from {
                    0 if line_id == id(CAROL) => &mut self.carol,
                    0 => &mut self.bob,
                    _ => &mut self.alice,
                };
                to.inbox.push_back(event);
            }
            Request::Connect { line_link, request_id, proof } => {
                if self.connected.insert(request.to_vec()) {
                    assert_eq!(self.connected.len(), 1);
                    self.alice.inbox.push_back(formed_on(line_link, BOB, proof).to_vec());
                }
                self.bob.inbox.push_back(connected_on(line_link, BOB, request_id).to_vec());
            }
            Request::SetLineLink { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// What a line's step asks for, once all that it writes is kept.
    fn line(&mut self, who: u8, event: &[u8]) -> Running {
        let user = self.user(who);
        let Ok(Event::Packet { line_id, .. }) = Event::decode(event) else { panic!() };
        let Some(mut line) = user.load::<Line>(RecordKey::Line(line_id)) else { return Ok(()) };
        let mut out = [0; 1024];
        let step = match hand(&mut line, event, &mut out, NOW) {
            Ok(step) => step,
            Err(Rejected::Duplicate | Rejected::OutOfOrder) => {
                self.user(who).acknowledge(event);
                return self.point();
            }
            Err(error) => panic!("{error}"),
        };
        self.point()?;
        // One transaction.
        let effects = step.store(|write| self.keep(who, line_id, write)).unwrap();
        let mut sends = Vec::new();
        for effect in effects {
            match effect {
                LineEffect::Send(request) => sends.push(request.to_vec()),
                LineEffect::IntroducerMessage(_) => {}
                other => panic!("{other:?}"),
            }
        }
        self.point()?;
        for request in sends {
            self.send(who, &request);
            self.point()?;
        }
        if let Some(step) = line.clear_outbox() {
            self.user(who).store.put(&Put::step(&step)).unwrap();
            self.point()?;
        }
        self.user(who).acknowledge(event);
        self.point()
    }

    /// The write of a line's step, and what comes of the introducer message in it.
    fn keep(&mut self, who: u8, line_id: LineId, write: &Write<'_>) -> Result<(), Conflict> {
        self.user(who).store.put(&Put::of(write))?;
        match &write.received {
            Some(Received::Introducer(IntroducerMessage::Grant { port })) => {
                // The key is taken if it came before.
                let _ = self.carol.store.put(&Put::created(&Introducer::granted(port, line_id).unwrap()));
            }
            Some(Received::Introducer(IntroducerMessage::Ticket(notice))) => {
                let alice: Alice = self.alice.load(RecordKey::LineLink(notice.line_link)).unwrap();
                let Store { marks, tickets, .. } = &mut self.alice.store;
                let used = marks.contains(&ReplayMark::from(*notice.ticket.as_bytes()));
                let announced = tickets.contains_key(&notice.ticket);
                if alice.accept_ticket(notice, line_id, tickets.len(), NOW).is_ok() && !used && !announced {
                    assert!(tickets.insert(notice.ticket, notice.clone()).is_none());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn user(&mut self, who: u8) -> &mut User {
        match who {
            CAROL => &mut self.carol,
            BOB => &mut self.bob,
            _ => &mut self.alice,
        }
    }

    /// Everything pending of every line: after a start.
    fn wake(&mut self, who: u8) -> Running {
        for line in self.user(who).store.lines() {
            for packet in
                line.pending().map(|effect| if let LineEffect::Send(r) = effect { r.to_vec() } else { panic!() })
            {
                self.send(who, &packet);
                self.point()?;
            }
        }
        self.user(who).wake = false;
        Ok(())
    }

    fn introduce(&mut self, who: u8, introduction: &IntroducerMessage<'_>) -> Running {
        let mut line: Line = self.user(who).load(RecordKey::Line(id(CAROL))).unwrap();
        let mut buffer = [0; 512];
        let step = line.seal_introducer_message(introduction, &mut buffer).unwrap();
        self.point()?;
        self.user(who).store.put(&Put::step(&step)).unwrap();
        self.point()?;
        let Some(LineEffect::Send(packet)) = step.committed().next() else { panic!() };
        self.send(who, &packet.to_vec());
        self.point()
    }

    fn alice(&mut self) -> Running {
        let key = RecordKey::LineLink(link(CAROL + 1));
        let alice: Alice = self.alice.load(key).unwrap();
        if !self.granted {
            self.introduce(0, &IntroducerMessage::Grant { port: alice.port().unwrap().to_bytes().as_slice() })?;
            self.granted = true;
        }
        if self.alice.wake {
            self.wake(0)?;
        }
        for event in self.alice.inbox.clone() {
            let decoded = Event::decode(&event).unwrap();
            if decoded.key() != key {
                self.line(0, &event)?;
                continue;
            }
            let mut alice: Alice = self.alice.load(key).unwrap();
            match alice.handle(&decoded, &self.alice.store, NOW, &mut rng()) {
                Ok(step) => {
                    let put = Put::step(&step);
                    assert!(put.new_line.is_some() && put.consumes.is_some());
                    self.point()?;
                    self.alice.store.put(&put).unwrap();
                    self.alice.wake = true;
                    self.point()?;
                    self.alice.acknowledge(&event);
                }
                // The line of this event is there.
                Err(Rejected::Duplicate) => self.alice.acknowledge(&event),
                // Kept until Carol's message has come.
                Err(Rejected::UnknownTicket(_)) => {}
                Err(error) => panic!("{error}"),
            }
            self.point()?;
        }
        Ok(())
    }

    fn carol(&mut self) -> Running {
        if self.carol.wake {
            self.wake(CAROL)?;
        }
        for event in self.carol.inbox.clone() {
            self.line(CAROL, &event)?;
        }
        let Some(mut introducer) = self.carol.load::<Introducer>(RecordKey::Introducer(id(CAROL))) else {
            return Ok(());
        };
        if introducer.phase() == IntroducerPhase::Granted && self.wanted {
            let step = introducer.introduce(name("Carol"), None, self.carol.seed(), NOW).unwrap();
            self.points += 1;
            if self.stops.contains(&self.points) {
                return Err(Stopped);
            }
            self.carol.store.put(&Put::step(&step)).unwrap();
            self.wanted = false;
            step.committed().for_each(drop);
            self.point()?;
        }
        if let Some(IntroducerEffect::Announce(_, introduction)) = introducer.pending().next() {
            let said = introduction.to_vec();
            self.introduce(CAROL, &IntroducerMessage::decode(&said).unwrap())?;
        }
        if let Ok(step) = introducer.mark_announced() {
            self.carol.store.put(&Put::step(&step)).unwrap();
            step.committed().for_each(drop);
            self.point()?;
        }
        if let Some(IntroducerEffect::Ready(port)) = introducer.pending().next() {
            assert!(self.announced > 0, "Bob has what was not announced to Alice");
            let text = port.qr_text().to_string();
            assert!(self.handed.as_ref().is_none_or(|handed| *handed == text));
            self.handed = Some(text);
            self.point()?;
        }
        if let Some(step) = introducer.clear_outbox() {
            self.carol.store.put(&Put::step(&step)).unwrap();
            self.point()?;
        }
        Ok(())
    }

    fn bob(&mut self) -> Running {
        let key = RecordKey::LineLink(link(CAROL + 1));
        let Some(text) = self.handed.clone() else { return Ok(()) };
        if !self.bob.store.records.contains_key(&key) {
            let created = Bob::scan(Port::parse(&text).unwrap(), self.bob.seed());
            self.point()?;
            self.bob.store.put(&Put::created(&created)).unwrap();
            self.point()?;
        }
        let mut bob: Bob = self.bob.load(key).unwrap();
        if let Ok(step) = bob.connect(SendProof::Inline, NOW) {
            self.bob.store.put(&Put::step(&step)).unwrap();
            step.committed().for_each(drop);
            self.point()?;
        }
        if let Some(BobEffect::Send(request)) = bob.pending().next()
            && (self.bob.wake || self.connected.is_empty())
        {
            self.send(BOB, &request.to_vec());
            self.point()?;
        }
        if self.bob.wake {
            self.wake(BOB)?;
        }
        for event in self.bob.inbox.clone() {
            let decoded = Event::decode(&event).unwrap();
            if decoded.key() != key {
                self.line(BOB, &event)?;
                continue;
            }
            let mut bob: Bob = self.bob.load(key).unwrap();
            if let Ok(step) = bob.handle(&decoded, &NoPeers, NOW, &mut Unused) {
                let put = Put::step(&step);
                assert!(put.new_line.is_some());
                self.point()?;
                self.bob.store.put(&put).unwrap();
                self.bob.wake = true;
                self.point()?;
            }
            self.bob.acknowledge(&event);
            self.point()?;
        }
        Ok(())
    }

    /// The whole story. With `late`, Alice is away from the grant until Bob has used the Port, and hears of that first.
    fn play(mut self, late: bool) -> Self {
        for round in 0..20 {
            let away = late && round > 0 && self.connected.is_empty();
            if late && round > 0 && !away && self.alice.inbox.len() > 1 {
                self.alice.inbox.make_contiguous().reverse();
            }
            for who in [0, CAROL, BOB] {
                let ran = match who {
                    0 if away && self.granted => Ok(()),
                    0 => self.alice(),
                    CAROL => self.carol(),
                    _ => self.bob(),
                };
                if ran.is_err() {
                    self.user(who).wake = true;
                }
            }
        }
        self
    }

    /// One line between Alice and Bob, introduced by Carol, whatever was stopped when.
    fn check(&self) {
        let line = |user: &User| user.load::<Line>(RecordKey::Line(id(BOB))).unwrap();
        let (at_alice, at_bob) = (line(&self.alice), line(&self.bob));
        assert!(at_alice.confirmed().is_some() && at_alice.confirmed() == at_bob.confirmed(), "{:?}", self.stops);
        assert_eq!(at_alice.safety_number(), at_bob.safety_number());
        assert_eq!(at_alice.introduced().and_then(|introduced| introduced.by), Some(id(CAROL)));
        assert_eq!(at_bob.introduced().map(|introduced| introduced.name.as_str()), Some("Carol"));
        let alice: Alice = self.alice.load(RecordKey::LineLink(link(CAROL + 1))).unwrap();
        assert_eq!(
            (alice.used(), self.alice.store.tickets.len(), self.alice.store.marks.len()),
            (1, 0, 1),
            "{:?}",
            self.stops
        );
        let carol: Introducer = self.carol.load(RecordKey::Introducer(id(CAROL))).unwrap();
        assert_eq!(carol.phase(), IntroducerPhase::Granted);
        assert_eq!(self.alice.store.lines().len(), 2);
    }
}

#[test]
fn r16_3_whoever_is_stopped_when_bob_is_introduced_once() {
    for late in [false, true] {
        let calm = World::new(Vec::new()).play(late);
        calm.check();
        assert!(calm.points >= 36, "{}", calm.points);
        let mut announced_twice = 0;
        for stop in 1..=calm.points + 2 {
            for more in [0, 1, 4] {
                let world = World::new(vec![stop, stop + more]).play(late);
                world.check();
                announced_twice += usize::from(world.announced > 1);
            }
        }
        assert!(announced_twice > 0, "no crash made Carol announce a ticket twice");
        println!("{} points, {announced_twice} runs in which a ticket was announced twice", calm.points);
    }
}
