//! A pool of line links (§15): what it asks for, what it takes, what it hands out.

use super::play::Log;
use super::*;

const SEED: u8 = 0xc0;

fn issued(request_id: RequestId, line_link: u8) -> Vec<u8> {
    Event::LineLinkIssued { request_id, line_link: counting(line_link).into() }.to_vec()
}

/// Two bounds, eight requests, each kind of answer.
pub fn play() -> Log {
    let mut log = Log::default();
    let new = json!({ "does": "new", "low": 2, "full": 3, "seed": hex(counting::<64>(SEED)) });
    let mut pool = log.created(new, Pool::new(2, 3, seed(SEED)).unwrap());
    let requests = |pool: &Pool| {
        let ids = pool.pending().map(|effect| match effect {
            PoolEffect::Send(Request::IssueLineLink { request_id }) => request_id,
            other => panic!("{other:?}"),
        });
        ids.collect::<Vec<_>>()
    };
    let handle = |log: &mut Log, pool: &mut Pool, event: Vec<u8>| {
        log.step(json!({ "does": "handle", "event": hex(&event) }), pool.handle(&Event::decode(&event).unwrap()));
    };
    let pop = |log: &mut Log, pool: &mut Pool| log.step(json!({ "does": "pop" }), pool.pop());
    let first = requests(&pool);
    pop(&mut log, &mut pool); // Empty
    handle(&mut log, &mut pool, issued(first[1], 0x10));
    handle(&mut log, &mut pool, issued(first[1], 0x10)); // Duplicate
    handle(&mut log, &mut pool, issued(first[1], 0x20)); // Duplicate
    handle(&mut log, &mut pool, issued(first[0], 0x10)); // Duplicate: that link is here
    handle(&mut log, &mut pool, issued(first[0], 0x30));
    handle(&mut log, &mut pool, issued(LINE_LINK.into(), 0x40)); // WrongMachine
    handle(&mut log, &mut pool, Event::Disconnected { line_id: LINE_ID.into() }.to_vec()); // WrongMachine
    pop(&mut log, &mut pool);
    pop(&mut log, &mut pool); // and asks for two
    pop(&mut log, &mut pool); // Empty
    handle(&mut log, &mut pool, issued(first[0], 0x30)); // Duplicate: it was handed out
    for (link, id) in (0x50..).zip(requests(&pool)) {
        handle(&mut log, &mut pool, issued(id, link));
    }
    pop(&mut log, &mut pool);
    log
}

#[test]
fn pools() {
    let bounds = [(0, 0), (0, 1), (2, 1), (1, 17), (17, 17)];
    let refused = bounds.map(|(low, full)| {
        let error = Pool::new(low, full, seed(SEED)).unwrap_err();
        json!({ "low": low, "full": full, "error": name_of(&error) })
    });
    // No pool is like these.
    let record = hex::decode(play().records.last().unwrap()["record"].as_str().unwrap()).unwrap();
    let with = |at: usize, to: Cbor| {
        let mut outer = array(&record);
        let mut state = outer[3].as_array().unwrap().clone();
        state[at] = to;
        outer[3] = Cbor::Array(state);
        cbor(&Cbor::Array(outer))
    };
    let slots = |slots: &[Cbor]| with(5, Cbor::Array(slots.to_vec()));
    let link = || Cbor::Bytes(counting::<16>(1).to_vec());
    let records = [
        ("a link twice", slots(&[link(), link()])),
        ("a number twice", slots(&[1.into(), 1.into()])),
        ("numbers that fall", slots(&[2.into(), 1.into()])),
        ("a request that was not made", slots(&[99.into()])),
        ("more than full", slots(&[1.into(), 2.into(), 3.into(), link()])),
        ("low of nothing", with(2, 0.into())),
        ("low above full", with(2, 4.into())),
        ("too full", with(3, 17.into())),
    ];
    let records = records.map(|(name, record)| {
        let error = Pool::restore(&record).unwrap_err();
        (name, json!({ "record": hex(record), "error": name_of(&error) }))
    });
    let steps = play().steps;
    known("pools.json", &json!({ "steps": steps, "refused_bounds": refused, "refused_records": named(records) }));
}
