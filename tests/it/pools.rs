//! §15: a pool that is stopped anywhere, and one at a relay that says whatever it likes.
#![cfg(feature = "alloc")]

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::*;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::common::cbor::Cbor;
use crate::common::*;
use crate::pool::slots;

/// A user with a pool. It stops at the points in `stop`, and plays the relay's part too.
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

    /// Prepares a step, keeps it, commits it.
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
            self.store.put(&Put::created(&Pool::new(2, 3, seed(3)).unwrap())).unwrap();
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
        let Ok(effects) = self.give(&Input::Pop)? else { return Ok(()) };
        let Effect::Link(link) = effects[0] else { panic!("{effects:?}") };
        self.point()?;
        let born = Alice::offer(link, PortOptions::new(), seed(5));
        self.store.put(&Put::created(&born)).expect("a link that was never used");
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
        while !client.queue.is_empty() || !requests(&client.store.load(Client::key()).unwrap()).is_empty() {
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
        let mut made_ids: BTreeSet<RequestId> = requests(&machine).into_iter().collect();
        let mut answered = BTreeSet::new();
        // How often each link may come out yet.
        let mut due = BTreeMap::<LineLink, usize>::new();
        for op in ops {
            let mut hears = |machine: &mut Any, event: Vec<u8>, events: &mut Vec<Vec<u8>>| {
                events.push(event.clone());
                let asked = requests(machine);
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
            let asked = requests(&machine);
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
                    let ids: Vec<_> = made_ids.iter().copied().collect();
                    let event = event(*request.get(&ids), link_of(link.get(&events[..])));
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
                Op::Take => match machine.give(&Input::Pop, NOW) {
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
                        _ => Input::Pop,
                    };
                    let before = slots(&machine);
                    let _ = machine.apply(&input, NOW, &mut |put| {
                        if kept {
                            stored = put.row.record.clone();
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
                    if let (Input::Event(bytes), true) = (&input, requests(&machine).len() < asked.len()) {
                            answered.insert(asked[0]);
                        *due.entry(link_of(bytes)).or_default() += 1;
                        events.push(bytes.clone());
                    }
                }
                Op::Restart => machine = Any::restore(&stored).unwrap(),
                _ => {}
            }
            stored = machine.record();
            made_ids.extend(requests(&machine));
            let (Any::Pool(pool), slots) = (&machine, slots(&machine)) else { unreachable!() };
            let total = pool.held() + pool.requested();
            prop_assert!(total == slots.len() && usize::from(low) <= total && total <= usize::from(full));
            prop_assert!((1..slots.len()).all(|at| !slots[..at].contains(&slots[at])), "one link twice in the pool");
        }
    }
}
