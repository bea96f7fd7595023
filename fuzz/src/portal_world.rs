//! `portal_message`: whatever one Portal may send another. `restore_portal`: a store may hold anything (docs/portal.md).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use port_protocol::testkit::portal::{Faults, Schedule, World};

use crate::input::{Input, fresh, same};
use crate::world::NOW;

/// A long schedule shows no more than a short one, only later.
const MOST_CHOICES: usize = 64;

/// `[1, [0]]`.
const WHO_ARE_YOU: [u8; 4] = [0x82, 1, 0x81, 0];

/// A Portal and a peer of it whose key is known, which is the same each time.
struct End {
    portal: Portal,
    peer: Peer,
    app: App,
    credential: AppCredential,
}

impl End {
    fn new() -> Self {
        static RECORDS: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let name = || PortalName::new("A").expect("a name");
        let records = RECORDS.get_or_init(|| {
            let mut rng = fresh();
            [0, 1].map(|_| {
                let created = Portal::create(name(), &mut rng);
                created.write().put()[0].record.to_vec()
            })
        });
        let [portal, mut other] = [0, 1].map(|at| Portal::restore(&records[at]).expect("its record"));
        let address = PortalAddr::new("https://portal.example/port").ok();
        let entered = Peer::enter(&portal, other.id(), address, name(), [], NOW).expect("another");
        let mut peer = entered.created.store(|_| Ok::<_, ()>(())).expect("kept");
        let Ok(Received::WhoAreYou(key)) = other.receive(&WHO_ARE_YOU, &mut Vec::new(), NOW) else { panic!("no key") };
        let outcome = peer.looked_up(Some(&key), NOW).expect("not blocked").store(|_| Ok::<_, ()>(()));
        assert_eq!(outcome, Ok(LookedUp::Verified));
        let (created, credential) = App::install(AppName::new("notes").expect("a name"), &mut fresh());
        let mut app = created.store(|_| Ok::<_, ()>(())).expect("kept");
        app.set_grant(Grant::All).expect("all").store(|_| Ok::<_, ()>(())).expect("kept");
        Self { portal, peer, app, credential }
    }

    /// What a stranger sends is refused, or asks for the key; what is no answer changes nothing.
    fn gets(&mut self, message: &[u8]) -> bool {
        let (before, mut buffer) = (record(&mut self.peer), Vec::new());
        let received = self.portal.receive(message, &mut buffer, NOW);
        let asks_for_key = matches!(received, Ok(Received::WhoAreYou(_)));
        // Only who has a key of its own gets further, and no fuzzer makes one.
        assert_eq!(asks_for_key, same(message, &WHO_ARE_YOU));
        assert!(asks_for_key || received.is_err());
        let app = self.app.authenticate(self.credential.expose()).expect("its own");
        let (mut rng, target) = (fresh(), Target::parse("/peer").expect("a target"));
        let id = self.peer.draw_id(NOW, &mut rng);
        let request = app.request(id, Method::GET, target, Headers::EMPTY, Part::EMPTY);
        let mut asked = self.peer.ask(&self.portal, app, &request, NOW, &mut rng).expect("granted");
        let heard = self.peer.hear(&self.portal, &mut asked.waiting, message, &mut buffer, NOW).map(drop);
        assert!(heard.is_err(), "a message that no Portal made was heard");
        let looked_up = self.peer.looked_up(Some(message), NOW).expect("not blocked");
        drop(looked_up);
        assert!(record(&mut self.peer) == before, "a message that was refused has changed a record");
        asks_for_key || matches!(heard, Err(HearError::Refused(_)))
    }
}

/// A peer's record, as its next step would write it, behind its revision.
fn record(peer: &mut Peer) -> Vec<u8> {
    let name = peer.name().clone();
    peer.rename(name).write().put()[0].record.to_vec()
}

/// `true` if the input got as far as to be understood.
pub fn portal_message(data: &[u8]) -> bool {
    let Some((how, rest)) = data.split_first() else { return false };
    let world = || World::new(Faults::NONE).expect("a world");
    let (outcome, world) = match how % 4 {
        0 => return End::new().gets(rest),
        1 => {
            let mut world = world();
            (world.liar_asks(how >> 2, rest, how & 0x80 != 0), world)
        }
        2 => {
            let mut world = world();
            (world.liar_says(how >> 2, rest), world)
        }
        _ => {
            let mut schedule = Schedule::from_bytes(rest);
            schedule.0.truncate(MOST_CHOICES);
            let mut world = world();
            (schedule.0.iter().try_for_each(|choice| world.perform(*choice)), world)
        }
    };
    let mut world = world;
    let outcome = outcome.and_then(|()| world.finish());
    assert_eq!(outcome, Ok(()), "{}", world.trace());
    true
}

/// A record, and behind it those of its memory, each with its length in two bytes.
pub fn rows(records: &[&[u8]]) -> Vec<u8> {
    let with_length = |record: &&[u8]| [&u16::try_from(record.len()).expect("short").to_be_bytes(), *record].concat();
    records.iter().flat_map(with_length).collect()
}

/// `[version, role, revision, state]`, where the role has two bytes: the role, and the state.
fn state(record: &[u8]) -> (u8, &[u8]) {
    let revision = match record[4] & 0x1f {
        24 => 2,
        25 => 3,
        26 => 5,
        27 => 9,
        _ => 1,
    };
    (record[3], &record[4 + revision..])
}

/// `true` if something was restored.
pub fn restore_portal(data: &[u8]) -> bool {
    let mut input = Input(data);
    let mut records = Vec::new();
    while !input.0.is_empty() && records.len() < 200 {
        let length = input.u16();
        records.push(input.take(length));
    }
    let Some((first, memory)) = records.split_first() else { return false };
    if let Ok(mut portal) = Portal::restore(first) {
        let again = Portal::restore(first).expect("it was just restored");
        assert_eq!((portal.id(), portal.name().as_str()), (again.id(), again.name().as_str()));
        assert!(App::restore(first).is_err() && Peer::restore(first, []).is_err());
        return portal.receive(&WHO_ARE_YOU, &mut Vec::new(), NOW).is_ok();
    }
    if let Ok(mut app) = App::restore(first) {
        let grant = app.grant().clone();
        let step = app.set_grant(grant).expect("as many as there were");
        assert_eq!(state(&step.write().put()[0].record), state(first), "two records of one state");
        return true;
    }
    let Ok(mut peer) = Peer::restore(first, memory.iter().copied()) else { return false };
    assert_eq!(state(&record(&mut peer)), state(first), "two records of one state");
    goes_on(&mut peer, memory);
    true
}

/// The rows that a peer was restored from, and what an owner may do with it.
fn goes_on(peer: &mut Peer, memory: &[&[u8]]) {
    let distinct: BTreeSet<_> = memory.iter().map(|record| state(record)).collect();
    let mut kept = BTreeMap::new();
    for what in 0..8 {
        let before = format!("{peer:?}");
        let now = if what % 2 == 0 { NOW } else { UnixSeconds::MAX };
        let write = match what {
            0 => match peer.block() {
                Ok(step) => step.write(),
                Err(_) => continue,
            },
            1 => peer.remove().write(),
            2 => match peer.enter_again(None, PortalName::NONE, now) {
                Ok(step) => step.write(),
                Err(_) => continue,
            },
            3 => match peer.tick(now) {
                Some(step) => step.write(),
                None => continue,
            },
            4 => match peer.unblock() {
                Ok(step) => step.write(),
                Err(_) => continue,
            },
            5 => match peer.looked_up(None, now) {
                Ok(step) => step.write(),
                Err(_) => continue,
            },
            _ => continue,
        };
        // A step that is dropped has not happened.
        assert_eq!(format!("{peer:?}"), before);
        assert!(write.delete().len() <= distinct.len() + 1, "more is forgotten than there was");
        for row in write.put() {
            let again = Peer::restore(&row.record, memory.iter().copied()).expect("a peer's record");
            assert_eq!(again.id(), peer.id());
            kept.insert(row.key.to_bytes(), row.record.to_vec());
        }
    }
    assert!(kept.len() <= 1, "one row of one peer");
    let _ = (peer.deadline(), peer.look_up().is_ok(), peer.is_unreachable(), peer.is_look_up_due(NOW));
}
