//! §15: line links for later. `pools` has its crashes, and what a relay makes up.
#![cfg(feature = "alloc")]

use std::collections::BTreeSet;

use aes::Aes256;
use cbc::cipher::{Block, BlockCipherEncrypt, KeyInit};
use port_protocol::*;

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
    for (link, request_id) in (0..).zip(requests(&machine)) {
        assert_eq!(machine.takes(&issued(request_id, link)), []);
    }
    machine
}

#[track_caller]
fn takes(machine: &mut Any) -> LineLink {
    match machine.takes(&Input::Pop)[..] {
        [Effect::Link(line_link), ..] => line_link,
        ref effects => panic!("no link first: {}", words(effects)),
    }
}

pub fn slots(machine: &Any) -> Vec<Cbor> {
    Cbor::read(&machine.record()).at(&[3, 5]).items().to_vec()
}

#[test]
fn r15_1_it_is_born_empty_and_asks_for_all() {
    for (low, full) in [(1, 1), (1, 16), (4, 8), (16, 16)] {
        let born = Pool::new(low, full, seed(3)).unwrap();
        let bytes = seed_bytes(3);
        let row = born.write().row;
        assert_eq!(row.key, RecordKey::Pool(<[u8; 16]>::try_from(&bytes[32..48]).unwrap().into()));
        assert_eq!(row.expected, None);
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
        assert_eq!(Cbor::read(&row.record), Cbor::Array(record.to_vec()));
        let pool = born.committed();
        assert_eq!((pool.held(), pool.requested()), (0, full.into()));
        assert_eq!(requests(&Any::from(pool)), (0..full.into()).map(request_id).collect::<Vec<_>>());
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
        assert_eq!(requests(&machine), [request_id(number)]);
        assert!(ids.insert(request_id(number)));
        machine.takes(&issued(request_id(number), 0));
        takes(&mut machine);
    }
    let another = Pool::new(1, 16, seed(4)).unwrap().committed();
    assert!(requests(&another.into()).iter().all(|id| !ids.contains(id)));
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
                    let asked = requests(&machine).contains(&id);
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
            assert_eq!((pool.held(), pool.requested()), (many, 3 - many));
            assert!(!requests(&machine).contains(&id));
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
    assert_eq!(requests(&machine), [request_id(0)]);
    assert_eq!(machine.takes(&issued(request_id(0), 8)), []);
}

#[test]
fn r15_3_a_link_that_was_handed_out_and_is_issued_anew_finds_its_key_taken() {
    let (mut machine, mut store) = (filled(1, 1), Store::default());
    let link = takes(&mut machine);
    store.put(&Put::created(&Alice::offer(link, PortOptions::new(), seed(1)))).unwrap();
    machine.takes(&issued(request_id(1), 0));
    assert_eq!(takes(&mut machine), link);
    assert_eq!(store.put(&Put::created(&Alice::offer(link, PortOptions::new(), seed(2)))), Err(Conflict::KeyExists));
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
            assert_eq!(machine.give(&Input::Pop, NOW), Err(Refusal::Pool(PoolError::Empty)), "{state}");
            continue;
        };
        // A step that is dropped has handed nothing out.
        let mut kept = None;
        let dropped = machine.apply(&Input::Pop, NOW, &mut |put| {
            kept = Some(put.clone());
            false
        });
        assert_eq!((dropped, slots(&machine)), (Err(Refusal::Dropped), before.clone()));
        let effects = machine.takes(&Input::Pop);
        assert!(matches!(&effects[0], Effect::Link(link) if link.as_bytes()[..] == *first.bytes()), "{state}");
        assert_eq!(kept.unwrap().row.record, machine.record());
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
                let before = requests(&machine);
                let Ok(effects) = machine.give(&Input::Pop, NOW) else { break };
                had -= 1;
                let new = if had < low { full - had } else { 0 };
                had += new;
                // What was asked before is not asked again, unless by `pending`.
                let asked: Vec<_> = requests(&machine).split_off(before.len());
                assert_eq!(effects.len(), 1 + asked.len(), "{low}, {full}");
                assert_eq!(effects[1..], machine.pending()[before.len()..], "{low}, {full}");
                assert_eq!(asked.len(), usize::from(new), "{low}, {full}");
                let Any::Pool(pool) = &machine else { panic!() };
                assert_eq!(pool.held() + pool.requested(), usize::from(had));
                // Some are answered, some never.
                if let Some(&id) = requests(&machine).get(1) {
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
        let ids = requests(&machine);
        assert_eq!(machine.pending().len(), ids.len(), "{state}");
        assert_eq!(machine.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue), "{state}");
        assert_eq!(machine.give(&Input::Tick, UnixSeconds::MAX), Err(Refusal::NothingDue), "{state}");
        assert_eq!((machine.deadline(), requests(&machine)), (None, ids), "{state}");
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
    assert_eq!(requests(&machine), [request_id(u64::MAX - 1)]);
    assert_eq!(machine.takes(&Input::Pop).len(), 1);
    assert_eq!(requests(&machine).len(), 1);
}

#[test]
fn r15_6_two_processes_do_not_take_one_link() {
    let mut store = Store::default();
    let born = Pool::new(1, 2, seed(3)).unwrap();
    let key = born.write().row.key;
    store.put(&Put::created(&born)).unwrap();
    assert_eq!(store.put(&Put::created(&born)), Err(Conflict::KeyExists));
    let mut here = store.load(key).unwrap();
    for number in [0, 1] {
        here.apply(&issued(request_id(number), number as u8), NOW, &mut |put| store.put(put).is_ok()).unwrap();
    }
    let mut there = store.load(key).unwrap();
    assert!(here.apply(&Input::Pop, NOW, &mut |put| store.put(put).is_ok()).is_ok());
    let conflict = there.apply(&Input::Pop, NOW, &mut |put| store.put(put).is_ok());
    assert_eq!(conflict, Err(Refusal::Dropped));
}
