//! A crash anywhere: both ends must come to the same line.

use std::collections::BTreeSet;

use super::*;

/// Two users, each with nothing but a store, and a server that answers the same request alike.
struct World {
    kind: PortKind,
    alice: Store,
    bob: Store,
    event: Option<String>,
    disconnected: BTreeSet<LineId>,
    left: usize,
    points: usize,
}

struct Crash;

impl World {
    fn new(kind: PortKind, crash: usize) -> Self {
        let (mut alice, mut bob) = (Store::default(), Store::default());
        let created = Alice::offer(link(), offer(kind), seed(1));
        alice.put(&Put::created(&created)).unwrap();
        alice.tickets.extend(knowing(7).tickets.into_iter().map(|notice| (notice.ticket, notice)));
        bob.put(&Put::created(&Bob::scan(&shown(&created.committed(), 7), seed(2)))).unwrap();
        Self { kind, alice, bob, event: None, disconnected: BTreeSet::new(), left: crash, points: 0 }
    }

    fn point(&mut self) -> Result<(), Crash> {
        self.points += 1;
        self.left = self.left.checked_sub(1).ok_or(Crash).inspect_err(|_| self.left = usize::MAX)?;
        Ok(())
    }

    fn bob(&self) -> Bob {
        Bob::restore(&self.bob.records[&RecordKey::LineLink(link())].1).unwrap()
    }

    fn alice(&self) -> Alice {
        Alice::restore(&self.alice.records[&RecordKey::LineLink(link())].1).unwrap()
    }

    /// All that Bob does when its app starts.
    fn bob_wakes(&mut self) -> Result<(), Crash> {
        let mut bob = self.bob();
        if bob.phase() == BobPhase::Scanned {
            let step = bob.connect(&name("Bob"), NOW).unwrap();
            self.point()?;
            self.bob.put(&Put::step(&step)).unwrap();
            self.point()?;
            step.committed().for_each(drop);
        }
        if bob.phase() == BobPhase::Connecting {
            self.point()?;
            let event = used(self.kind, 5, intro_of(&bob)).to_json().to_string();
            // The very same each time.
            assert!(self.event.as_ref().is_none_or(|before| *before == event));
            self.event = Some(event);
            self.point()?;
            let step = bob.connected(line_id(5), Some(pair(5)), &NoPeers, NOW).unwrap();
            self.bob.put(&Put::step(&step)).unwrap();
            self.point()?;
            step.committed().for_each(drop);
        }
        Ok(())
    }

    /// All that Alice does with an event. It comes again until Alice has kept what came of it.
    fn alice_hears(&mut self) -> Result<(), Crash> {
        let event = Event::from_json(self.event.as_ref().unwrap()).unwrap();
        let mut alice = self.alice();
        match alice.handle(&event, &self.alice, NOW, &mut Unused) {
            Ok(step) => {
                self.point()?;
                self.alice.put(&Put::step(&step)).unwrap();
                self.point()?;
                step.committed().for_each(drop);
                self.point()
            }
            Err(Rejected::Duplicate) => Ok(()),
            Err(Rejected::UnwantedLine(line_id)) => {
                self.disconnected.insert(line_id);
                Ok(())
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn r17_10_a_crash_anywhere_leaves_the_same_line() {
    for kind in KINDS {
        for crash in 0.. {
            let mut world = World::new(kind, crash);
            while world.bob_wakes().is_err() {}
            for _ in 0..2 {
                while world.alice_hears().is_err() {}
            }
            let lines = [&world.alice, &world.bob].map(|store| {
                let lines = store.records.iter().filter(|(key, _)| matches!(key, RecordKey::Line(_)));
                let mut lines = lines.map(|(_, (_, record))| UnauthenticatedLine::restore(record).unwrap());
                (lines.next().unwrap(), lines.count())
            });
            let [(at_alice, 0), (at_bob, 0)] = lines else { panic!() };
            let sealed = at_bob.seal([1; 16], "hello").unwrap();
            assert_eq!(at_alice.open(&sealed).unwrap().as_str(), "hello");
            assert!(world.disconnected.is_empty() && world.alice().used() <= 1);
            // The ticket of a contact port went with its use.
            assert_eq!(world.alice.tickets.is_empty(), kind == PortKind::ContactPort);
            if world.points <= crash {
                assert!(crash >= 7, "{crash}");
                break;
            }
        }
    }
}
