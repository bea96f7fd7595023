//! §15: line links for later.
#![cfg(feature = "alloc")]

use std::collections::{BTreeMap, BTreeSet};

use aes::Aes256;
use cbc::cipher::{Block, BlockCipherEncrypt, KeyInit};
use port_protocol::*;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::cbor::Cbor;
use crate::common::*;

/// The id of a request by this number, from primitives.
fn request_id(number: u64) -> RequestId {
    let key: [u8; 32] = seed_bytes(3)[..32].try_into().unwrap();
    let mut block = Block::<Aes256>::from(u128::from(number).to_be_bytes());
    Aes256::new(&key.into()).encrypt_block(&mut block);
    <[u8; 16]>::from(block).into()
}

fn rejected(error: Rejected) -> Result<Vec<Effect>, Refusal> {
    Err(Refusal::Rejected(error))
}

/// With its links 0, 1, 2, … here, and none missing.
fn filled(low: u8, full: u8) -> Any {
    let mut machine = Any::from(pool(low, full));
    for (link, request_id) in (0..).zip(asks(&machine)) {
        assert_eq!(machine.takes(&issued(request_id, link)), []);
    }
    machine
}

#[track_caller]
fn takes(machine: &mut Any) -> LineLink {
    match machine.takes(&Input::Take)[..] {
        [Effect::Link(line_link), ..] => line_link,
        ref effects => panic!("no link first: {}", words(effects)),
    }
}

fn slots(machine: &Any) -> Vec<Cbor> {
    Cbor::read(&machine.record()).at(&[3, 5]).items().to_vec()
}

#[test]
fn r15_1_it_is_born_empty_and_asks_for_all() {
    for (low, full) in [(1, 1), (1, 16), (4, 8), (16, 16)] {
        let born = Pool::new(low, full, seed(3)).unwrap();
        let bytes = seed_bytes(3);
        assert_eq!(born.key(), RecordKey::Pool(<[u8; 16]>::try_from(&bytes[32..48]).unwrap().into()));
        assert_eq!(born.row().replaces, None);
        let asked: Vec<_> = (0..u64::from(full)).map(Cbor::Uint).collect();
        let state = [
            Cbor::Bytes(bytes[32..48].to_vec()),
            Cbor::Bytes(bytes[..32].to_vec()),
            Cbor::Uint(low.into()),
            Cbor::Uint(full.into()),
            Cbor::Uint(full.into()),
            Cbor::Array(asked),
        ];
        let record = [Cbor::Uint(1), Cbor::Uint(4), Cbor::Uint(0), Cbor::Array(state.to_vec())];
        assert_eq!(Cbor::read(&born.record()), Cbor::Array(record.to_vec()));
        let pool = born.commit();
        assert_eq!((pool.held(), pool.asked()), (0, full.into()));
        assert_eq!(asks(&Any::from(pool)), (0..full.into()).map(request_id).collect::<Vec<_>>());
    }
}

#[test]
fn r15_1_bounds_that_no_pool_has() {
    for low in 0..=u8::MAX {
        for full in 0..=u8::MAX {
            let good = 1 <= low && low <= full && usize::from(full) <= MAX_POOL;
            let born = Pool::new(low, full, seed(3));
            assert_eq!(born.err(), (!good).then_some(PoolError::BadBounds), "{low}, {full}");
        }
    }
}

#[test]
fn r15_2_ids_are_the_numbers_encrypted_and_never_come_twice() {
    let (mut machine, mut ids) = (Any::from(pool(1, 1)), BTreeSet::new());
    for number in 0..300 {
        assert_eq!(asks(&machine), [request_id(number)]);
        assert!(ids.insert(request_id(number)));
        machine.takes(&issued(request_id(number), 0));
        takes(&mut machine);
    }
    let another = Pool::new(1, 16, seed(4)).unwrap().commit();
    assert!(asks(&another.into()).iter().all(|id| !ids.contains(id)));
}

#[test]
fn r15_2_an_answer_is_known_again_however_late() {
    let mut machine = Any::from(pool(2, 2));
    for number in 0..100 {
        machine.takes(&issued(request_id(number), number as u8));
        if number > 0 {
            takes(&mut machine);
        }
    }
    for number in 0..100 {
        // Whatever link it brings: which one it was, is forgotten.
        for link in [0, number as u8, 0xEE] {
            assert_eq!(machine.give(&issued(request_id(number), link), NOW), rejected(Rejected::Duplicate), "{number}");
        }
    }
    let next = Cbor::read(&machine.record()).at(&[3, 4]).uint();
    for number in [next, next + 1, u64::MAX] {
        assert_eq!(machine.give(&issued(request_id(number), 0xEE), NOW), rejected(Rejected::WrongMachine), "{number}");
    }
}

#[test]
fn r15_3_what_was_not_asked_for_is_another_machines() {
    for (state, mut machine) in pools() {
        for (name, event) in events(PortOptions::new()) {
            assert_eq!(machine.give(&Input::Event(event), NOW), rejected(Rejected::WrongMachine), "{state} × {name}");
        }
        let mine = Event::LineLinkIssued { request_id: request_id(0), line_link: [0xEE; 16].into() }.to_vec();
        for bit in 0..mine.len() * 8 {
            let mut flipped = mine.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = machine.clone().give(&Input::Event(flipped.clone()), NOW);
            match Event::decode(&flipped) {
                Err(error) => assert_eq!(outcome, rejected(error.into()), "{state}, bit {bit}"),
                // Another link, and nobody can know.
                Ok(Event::LineLinkIssued { request_id: id, .. }) if id == request_id(0) => {
                    let asked = asks(&machine).contains(&id);
                    assert_eq!(outcome, if asked { Ok(vec![]) } else { rejected(Rejected::Duplicate) }, "{state}");
                }
                Ok(_) => assert_eq!(outcome, rejected(Rejected::WrongMachine), "{state}, bit {bit}"),
            }
        }
        let other = Cbor::read(&mine).with(&[0], Cbor::Uint(2)).write();
        assert_eq!(machine.give(&Input::Event(other), NOW), rejected(Rejected::UnsupportedVersion), "{state}");
    }
}

#[test]
fn r15_3_answers_come_in_any_order_and_each_counts_once() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut machine = Any::from(pool(3, 3));
        for (many, number) in (1..).zip(order) {
            let id = request_id(number);
            assert_eq!(machine.takes(&issued(id, number as u8)), []);
            for link in [number as u8, 0xEE] {
                assert_eq!(machine.give(&issued(id, link), NOW), rejected(Rejected::Duplicate));
            }
            let Any::Pool(pool) = &machine else { panic!() };
            assert_eq!((pool.held(), pool.asked()), (many, 3 - many));
            assert!(!asks(&machine).contains(&id));
        }
        let links: Vec<_> = (0..3).map(|number| Cbor::Bytes(vec![number; 16])).collect();
        assert_eq!(slots(&machine), links, "in the order in which they were asked for");
    }
}

#[test]
fn r15_3_one_link_for_two_requests_is_held_once() {
    let mut machine = Any::from(pool(2, 2));
    machine.takes(&issued(request_id(1), 7));
    assert_eq!(machine.give(&issued(request_id(0), 7), NOW), rejected(Rejected::Duplicate));
    // The request still waits for a link of its own.
    assert_eq!(asks(&machine), [request_id(0)]);
    assert_eq!(machine.takes(&issued(request_id(0), 8)), []);
}

#[test]
fn r15_3_a_link_that_was_handed_out_and_is_issued_anew_finds_its_key_taken() {
    let (mut machine, mut store) = (filled(1, 1), Store::default());
    let link = takes(&mut machine);
    store.put(&Put::birth(&Alice::offer(link, PortOptions::new(), seed(1)))).unwrap();
    machine.takes(&issued(request_id(1), 0));
    assert_eq!(takes(&mut machine), link);
    assert_eq!(store.put(&Put::birth(&Alice::offer(link, PortOptions::new(), seed(2)))), Err(Conflict::KeyExists));
}

#[test]
fn r15_4_the_link_that_was_asked_for_first_is_taken_first() {
    let mut machine = Any::from(pool(1, 4));
    for number in [3, 1, 2] {
        machine.takes(&issued(request_id(number), number as u8));
    }
    for number in [1, 2] {
        assert_eq!(takes(&mut machine), [number; 16].into());
    }
    machine.takes(&issued(request_id(0), 0));
    assert_eq!([takes(&mut machine), takes(&mut machine)], [[0; 16].into(), [3; 16].into()]);
}

#[test]
fn r15_4_a_link_comes_once_and_nothing_brings_it_back() {
    for (state, mut machine) in pools() {
        let before = slots(&machine);
        let Some(first) = before.iter().find(|slot| matches!(slot, Cbor::Bytes(_))) else {
            assert_eq!(machine.give(&Input::Take, NOW), Err(Refusal::Pool(PoolError::Empty)), "{state}");
            continue;
        };
        // A step that is dropped has handed nothing out.
        let mut kept = None;
        let dropped = machine.apply(&Input::Take, NOW, &mut |put| {
            kept = Some(put.clone());
            false
        });
        assert_eq!((dropped, slots(&machine)), (Err(Refusal::Dropped), before.clone()));
        let effects = machine.takes(&Input::Take);
        assert!(matches!(&effects[0], Effect::Link(link) if link.as_bytes()[..] == *first.bytes()), "{state}");
        assert_eq!(kept.unwrap().record, machine.record());
        // Neither in memory nor after a crash.
        for machine in [&machine, &machine.clone()] {
            assert!(!slots(machine).contains(first), "{state}");
            assert!(!machine.pending().iter().any(|effect| matches!(effect, Effect::Link(_))), "{state}");
        }
    }
}

#[test]
fn r15_5_it_asks_when_fewer_than_low_are_left_and_then_for_all() {
    for full in 1..=16 {
        for low in 1..=full {
            let mut machine = filled(low, full);
            let (mut had, mut links) = (full, full);
            for _ in 0..40 {
                let before = asks(&machine);
                let Ok(effects) = machine.give(&Input::Take, NOW) else { break };
                had -= 1;
                let new = if had < low { full - had } else { 0 };
                had += new;
                // What was asked before is not asked again, unless by `pending`.
                let asked: Vec<_> = asks(&machine).split_off(before.len());
                assert_eq!(effects.len(), 1 + asked.len(), "{low}, {full}");
                assert_eq!(effects[1..], machine.pending()[before.len()..], "{low}, {full}");
                assert_eq!(asked.len(), usize::from(new), "{low}, {full}");
                let Any::Pool(pool) = &machine else { panic!() };
                assert_eq!(pool.held() + pool.asked(), usize::from(had));
                // Some are answered, some never.
                if let Some(&id) = asks(&machine).get(1) {
                    links += 1;
                    machine.takes(&issued(id, links));
                }
            }
        }
    }
}

#[test]
fn r15_5_what_is_asked_stays_unsent_until_it_is_answered() {
    for (state, mut machine) in pools() {
        let ids = asks(&machine);
        assert_eq!(machine.pending().len(), ids.len(), "{state}");
        assert_eq!(machine.give(&Input::Settle, NOW), Err(Refusal::NothingDue), "{state}");
        assert_eq!(machine.give(&Input::Tick, UnixSeconds(u64::MAX)), Err(Refusal::NothingDue), "{state}");
        assert_eq!((machine.deadline(), asks(&machine)), (None, ids), "{state}");
    }
}

#[test]
fn r15_6_no_record_holds_what_no_pool_is() {
    let machine = filled(2, 4);
    let record = Cbor::read(&machine.record());
    let number = Cbor::Uint;
    let link = |byte| Cbor::Bytes(vec![byte; 16]);
    let slots = |slots: &[Cbor]| (vec![3, 5], Cbor::Array(slots.to_vec()));
    let restore = |changes: &[(Vec<usize>, Cbor)]| {
        let changed = changes.iter().fold(record.clone(), |record, (path, to)| record.with(path, to.clone()));
        Any::restore(&changed.write()).map(|machine| assert_eq!(machine.record(), changed.write()))
    };
    let (low, full) = (|to| (vec![3, 2], number(to)), |to| (vec![3, 3], number(to)));
    let requests = |to| (vec![3, 4], number(to));
    let good: [&[_]; 8] = [
        &[],
        &[slots(&[])],
        &[low(1)],
        &[low(4)],
        &[full(16)],
        &[slots(&[number(0), number(3), link(1)])],
        &[slots(&[number(2), link(1), number(3)])],
        &[requests(u64::MAX), slots(&[number(u64::MAX - 1)])],
    ];
    for changes in good {
        assert_eq!(restore(changes), Ok(()), "{changes:?}");
    }
    let bad: [&[_]; 12] = [
        &[low(0)],
        &[low(5)],
        &[full(3)],
        &[full(17)],
        &[full(256)],
        &[requests(4), slots(&[number(4)])],
        &[slots(&[number(1), number(1)])],
        &[slots(&[number(2), number(1)])],
        &[slots(&[link(1), number(1), link(1)])],
        &[slots(&[link(1), link(2), link(1)])],
        &[slots(&[0, 1, 2, 3, 4].map(link))],
        &[slots(&[Cbor::Bytes(vec![1; 15])])],
    ];
    for changes in bad {
        assert_eq!(restore(changes), Err(RestoreError::Malformed), "{changes:?}");
    }
    let many: Vec<_> = (0..17).map(link).collect();
    assert_eq!(restore(&[full(16), slots(&many[..16])]), Ok(()));
    assert_eq!(restore(&[full(16), slots(&many)]), Err(RestoreError::Malformed));
    // A length that nothing follows.
    let mut claims = machine.record();
    let place = claims.len() - (4 * 17) - 1;
    assert_eq!(claims.splice(place.., [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).next(), Some(0x84));
    assert_eq!(Any::restore(&claims).err(), Some(RestoreError::Malformed));
}

#[test]
fn r15_6_the_longest_record_fits() {
    let mut machine = Any::from(pool(16, 16));
    for number in 0..16 {
        machine.takes(&issued(request_id(number), number as u8));
    }
    let longest = Cbor::read(&machine.record()).with(&[2], Cbor::Uint(u64::MAX));
    let longest = longest.with(&[3, 4], Cbor::Uint(u64::MAX)).write();
    assert_eq!(Any::restore(&longest).unwrap().record(), longest);
    assert_eq!(longest.len(), 348);
    assert!(longest.len() <= MAX_RECORD);
}

/// The very last numbers are not asked with, and nothing overflows.
#[test]
fn r15_6_a_pool_at_the_end_of_its_numbers_stops() {
    let record = Cbor::read(&filled(4, 4).record()).with(&[3, 4], Cbor::Uint(u64::MAX - 1));
    let mut machine = Any::restore(&record.write()).unwrap();
    takes(&mut machine);
    assert_eq!(asks(&machine), [request_id(u64::MAX - 1)]);
    assert_eq!(machine.takes(&Input::Take).len(), 1);
    assert_eq!(asks(&machine).len(), 1);
}

#[test]
fn r15_6_two_processes_do_not_take_one_link() {
    let mut store = Store::default();
    let born = Pool::new(1, 2, seed(3)).unwrap();
    let key = born.key();
    store.put(&Put::birth(&born)).unwrap();
    assert_eq!(store.put(&Put::birth(&born)), Err(Conflict::KeyExists));
    let mut here = store.load(key).unwrap();
    for number in [0, 1] {
        here.apply(&issued(request_id(number), number as u8), NOW, &mut |put| store.put(put).is_ok()).unwrap();
    }
    let mut there = store.load(key).unwrap();
    assert!(here.apply(&Input::Take, NOW, &mut |put| store.put(put).is_ok()).is_ok());
    let conflict = there.apply(&Input::Take, NOW, &mut |put| store.put(put).is_ok());
    assert_eq!(conflict, Err(Refusal::Dropped));
}

/// A user with a pool, who is stopped at one of his points; the relay's part is played too.
#[derive(Default)]
struct Client {
    store: Store,
    /// What the relay gave for each request, and what waits for the client.
    links: BTreeMap<RequestId, u8>,
    queue: Vec<Input>,
    /// Every Port that was shown.
    ports: Vec<LineLink>,
    points: usize,
    stop: Vec<usize>,
}

struct Stopped;

impl Client {
    fn key() -> RecordKey {
        RecordKey::Pool(<[u8; 16]>::try_from(&seed_bytes(3)[32..48]).unwrap().into())
    }

    fn point(&mut self) -> Result<(), Stopped> {
        self.points += 1;
        if self.stop.contains(&(self.points - 1)) { Err(Stopped) } else { Ok(()) }
    }

    fn send(&mut self, effects: &[Effect]) -> Result<(), Stopped> {
        for effect in effects {
            self.point()?;
            if let Effect::Send(request) = effect {
                let Ok(Request::IssueLineLink { request_id }) = Request::decode(request) else { panic!() };
                let new = u8::try_from(self.links.len()).unwrap();
                let link = *self.links.entry(request_id).or_insert(new);
                self.queue.push(issued(request_id, link));
            }
        }
        self.point()
    }

    /// The three lines.
    fn give(&mut self, input: &Input) -> Result<Result<Vec<Effect>, Refusal>, Stopped> {
        let mut pool = self.store.load(Self::key()).unwrap();
        self.point()?;
        let outcome = pool.apply(input, NOW, &mut |put| self.store.put(put).is_ok());
        // Kept, and perhaps never committed.
        self.point()?;
        Ok(outcome)
    }

    /// At the start of the process: all that waits, once more.
    fn start(&mut self) -> Result<(), Stopped> {
        self.point()?;
        if self.store.load(Self::key()).is_none() {
            self.store.put(&Put::birth(&Pool::new(2, 3, seed(3)).unwrap())).unwrap();
        }
        self.point()?;
        let pending = self.store.load(Self::key()).unwrap().pending();
        self.send(&pending)
    }

    fn hear(&mut self) -> Result<(), Stopped> {
        while let Some(event) = self.queue.first().cloned() {
            let outcome = self.give(&event)?;
            assert!(matches!(outcome, Ok(_) | Err(Refusal::Rejected(Rejected::Duplicate))), "{outcome:?}");
            self.queue.remove(0);
        }
        Ok(())
    }

    /// Alice's record comes after the pool's (§15.4).
    fn make_port(&mut self) -> Result<(), Stopped> {
        let Ok(effects) = self.give(&Input::Take)? else { return Ok(()) };
        let Effect::Link(link) = effects[0] else { panic!("{effects:?}") };
        self.point()?;
        let born = Alice::offer(link, PortOptions::new(), seed(5));
        self.store.put(&Put::birth(&born)).expect("a link that was never used");
        self.point()?;
        self.ports.push(link);
        self.send(&effects[1..])
    }

    /// Does it, and starts again whenever it was stopped.
    fn survive(&mut self, mut run: impl FnMut(&mut Self) -> Result<(), Stopped>) -> usize {
        let mut stops = 0;
        let mut outcome = run(self);
        while outcome.is_err() {
            stops += 1;
            outcome = self.start();
        }
        stops
    }
}

/// Stopped at any one point and again at any later one: a stop loses one link at most, none is used twice, and the pool is
/// full in the end.
#[test]
fn r15_4_every_pair_of_stops_uses_no_link_twice() {
    let run = |stop: Vec<usize>| {
        let mut client = Client { stop, ..Client::default() };
        let mut stops = client.survive(Client::start);
        while client.ports.len() < 4 {
            stops += client.survive(Client::hear);
            stops += client.survive(Client::make_port);
        }
        while !client.queue.is_empty() || !asks(&client.store.load(Client::key()).unwrap()).is_empty() {
            stops += client.survive(|client| client.start().and_then(|()| client.hear()));
        }
        let distinct: BTreeSet<_> = client.ports.iter().collect();
        assert_eq!(distinct.len(), client.ports.len(), "a link was used twice");
        let Any::Pool(pool) = client.store.load(Client::key()).unwrap() else { panic!() };
        assert!((2..=3).contains(&pool.held()));
        // Those of a Port whose user never saw it are in the store.
        let alices = client.store.records.keys().filter(|key| matches!(key, RecordKey::LineLink(_))).count();
        assert!(alices + pool.held() + stops >= client.links.len(), "more links were lost than it was stopped");
        client.points
    };
    let undisturbed = run(vec![]);
    let mut schedules = 0;
    for first in 0..undisturbed {
        for second in first + 1.. {
            schedules += 1;
            if run(vec![first, second]) <= second {
                break;
            }
        }
    }
    assert!(undisturbed > 40 && schedules > 1_500, "{schedules} schedules of {undisturbed} points");
}

#[derive(Clone, Debug)]
enum Op {
    /// A request that is pending gets a link of its own.
    Answer(Index),
    /// An answer that was given before comes again.
    Repeat(Index),
    /// Some request that was ever made, some link that was ever given.
    Invent(Index, Index),
    Flip(Index, Index),
    /// A request that nobody made.
    Unasked([u8; 16], Index),
    Take,
    /// Prepared; then stored, or not; then gone.
    Crash(bool, bool),
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let at = any::<Index>;
    prop_oneof![
        6 => at().prop_map(Op::Answer),
        2 => at().prop_map(Op::Repeat),
        3 => (at(), at()).prop_map(|(request, link)| Op::Invent(request, link)),
        1 => (at(), at()).prop_map(|(event, bit)| Op::Flip(event, bit)),
        1 => (any::<[u8; 16]>(), at()).prop_map(|(id, link)| Op::Unasked(id, link)),
        5 => Just(Op::Take),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(take, kept)| Op::Crash(take, kept)),
        1 => Just(Op::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the relay says and wherever it crashes: each request is answered once, and each link comes out once for each
    /// request that it answered.
    #[test]
    fn r15_whatever_happens_no_link_comes_twice(low in 1..=6u8, more in 0..=4u8, ops in prop::collection::vec(op(), 1..80)) {
        let full = low + more;
        let mut machine = Any::from(pool(low, full));
        let mut stored = machine.record();
        let (mut made, mut events) = (0_u8, Vec::<Vec<u8>>::new());
        let mut requests: BTreeSet<RequestId> = asks(&machine).into_iter().collect();
        let mut answered = BTreeSet::new();
        // How often each link may come out yet.
        let mut due = BTreeMap::<LineLink, usize>::new();
        for op in ops {
            let mut hears = |machine: &mut Any, event: Vec<u8>, events: &mut Vec<Vec<u8>>| {
                events.push(event.clone());
                let asked = asks(machine);
                let outcome = machine.give(&Input::Event(event.clone()), NOW);
                if let Ok(effects) = outcome {
                    assert!(effects.is_empty());
                    let Ok(Event::LineLinkIssued { request_id, line_link }) = Event::decode(&event) else { panic!() };
                    assert!(asked.contains(&request_id), "an answer to what is not asked");
                    assert!(answered.insert(request_id), "one request was answered twice");
                    *due.entry(line_link).or_default() += 1;
                }
            };
            let event = |request_id: RequestId, line_link: LineLink| Event::LineLinkIssued { request_id, line_link }.to_vec();
            let asked = asks(&machine);
            let link_of = |event: &Vec<u8>| match Event::decode(event) {
                Ok(Event::LineLinkIssued { line_link, .. }) => line_link,
                _ => [0xEE; 16].into(),
            };
            match op {
                Op::Answer(at) if !asked.is_empty() => {
                    made += 1;
                    hears(&mut machine, event(*at.get(&asked), [made; 16].into()), &mut events);
                }
                Op::Repeat(at) if !events.is_empty() => {
                    let event = at.get(&events).clone();
                    hears(&mut machine, event, &mut events);
                }
                Op::Invent(request, link) if !events.is_empty() => {
                    let requests: Vec<_> = requests.iter().copied().collect();
                    let event = event(*request.get(&requests), link_of(link.get(&events[..])));
                    hears(&mut machine, event, &mut events);
                }
                Op::Flip(at, bit) if !events.is_empty() => {
                    let mut event = at.get(&events).clone();
                    let bit = bit.index(event.len() * 8);
                    event[bit / 8] ^= 1 << (bit % 8);
                    hears(&mut machine, event, &mut events);
                }
                Op::Unasked(id, link) if !events.is_empty() => {
                    let event = event(id.into(), link_of(link.get(&events[..])));
                    hears(&mut machine, event, &mut events);
                }
                Op::Take => match machine.give(&Input::Take, NOW) {
                    Ok(effects) => {
                        let Effect::Link(link) = effects[0] else { panic!("{effects:?}") };
                        let due = due.get_mut(&link).expect("a link that nobody gave");
                        assert!(*due > 0, "a link came out twice");
                        *due -= 1;
                    }
                    Err(error) => prop_assert_eq!(error, Refusal::Pool(PoolError::Empty)),
                },
                Op::Crash(take, kept) => {
                    let input = match asked.first() {
                        Some(&id) if !take => Input::Event(event(id, [0xCC; 16].into())),
                        _ => Input::Take,
                    };
                    let before = slots(&machine);
                    let _ = machine.apply(&input, NOW, &mut |put| {
                        if kept {
                            stored = put.record.clone();
                        }
                        false
                    });
                    machine = Any::restore(&stored).unwrap();
                    let after = slots(&machine);
                    // A link that was taken is lost; one that came has come.
                    for slot in &before {
                        if matches!(slot, Cbor::Bytes(_)) && !after.contains(slot) {
                            *due.get_mut(&<[u8; 16]>::try_from(slot.bytes()).unwrap().into()).unwrap() -= 1;
                        }
                    }
                    if let (Input::Event(bytes), true) = (&input, asks(&machine).len() < asked.len()) {
                            answered.insert(asked[0]);
                        *due.entry(link_of(bytes)).or_default() += 1;
                        events.push(bytes.clone());
                    }
                }
                Op::Restart => machine = Any::restore(&stored).unwrap(),
                _ => {}
            }
            stored = machine.record();
            requests.extend(asks(&machine));
            let (Any::Pool(pool), slots) = (&machine, slots(&machine)) else { unreachable!() };
            let total = pool.held() + pool.asked();
            prop_assert!(total == slots.len() && usize::from(low) <= total && total <= usize::from(full));
            prop_assert!((1..slots.len()).all(|at| !slots[..at].contains(&slots[at])), "one link twice in the pool");
        }
    }
}
