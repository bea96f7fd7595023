//! `restore_pool`: no link comes out of a pool twice, whatever its record, its relay and its crashes (SPEC.md §15).

use std::collections::{BTreeMap, BTreeSet};

use port_protocol::{Event, LineLink, MAX_POOL, Machine, Pool, PoolEffect, Rejected, Request, RequestId};

use crate::input::{Input, flip};
use crate::machine::{Done, Said, attempt, pending};
use crate::restore::{restored, split};

/// What this pool asks for now.
fn asks(pool: &Pool) -> Vec<RequestId> {
    let ids = pool.pending().map(|effect| match effect {
        PoolEffect::Send(Request::IssueLineLink { request_id }) => request_id,
        other => panic!("not for an outbox: {other:?}"),
    });
    ids.collect()
}

/// What the relay may do, and what came of it.
#[derive(Default)]
struct Relay {
    /// What was answered, with the answers.
    answered: BTreeSet<RequestId>,
    events: Vec<Vec<u8>>,
    /// How often a link that it gave since may come out yet.
    due: BTreeMap<LineLink, u64>,
}

pub fn restore_pool(data: &[u8]) -> bool {
    let (record, mut script) = split(data);
    let Some(mut pool) = restored::<Pool>(record) else { return false };
    // What was in the record: no link is there twice, or this loop shows it.
    let mut there = BTreeSet::new();
    for _ in 0..pool.held() {
        assert!(there.insert(pop(&mut pool).expect("it is here")), "one link twice");
    }
    let mut pool = Pool::restore(record).expect("it was just restored");
    let mut relay = Relay { due: there.into_iter().map(|link| (link, 1)).collect(), ..Relay::default() };
    while let Some(what) = script.next() {
        let (full_before, asked) = (pool.held() + pool.requested(), asks(&pool));
        match what % 8 {
            0 | 1 => match pop(&mut pool) {
                Some(link) => {
                    let due = relay.due.get_mut(&link).expect("a link that nobody gave");
                    *due = due.checked_sub(1).expect("a link came out twice");
                }
                None => assert_eq!(pool.held(), 0),
            },
            // The record is kept, and the process stops: the link is lost, and never comes.
            2 => {
                let Ok(step) = pool.pop() else { continue };
                let kept = step.write().row.record;
                let links = held(&pool);
                pool = Pool::restore(&kept).expect("its own record");
                let left = held(&pool);
                let lost: Vec<_> = links.iter().filter(|link| !left.contains(link)).collect();
                assert_eq!(lost.len(), 1);
                *relay.due.get_mut(lost[0]).expect("given") -= 1;
            }
            // It stops before that.
            3 => {
                let kept = pool.record();
                drop(pool.pop());
                pool = Pool::restore(&kept).expect("its own record");
            }
            _ => {
                let event = event(&mut script, &relay, &asked);
                let before = pending(&pool);
                let decoded = Event::decode(&event);
                let heard = match &decoded {
                    Ok(event) => attempt(&mut pool, &mut [], |pool, _| pool.handle(event)),
                    Err(error) => Err((*error).into()),
                };
                match (heard, decoded) {
                    (Ok(Done { said, .. }), Ok(Event::LineLinkIssued { request_id, line_link })) => {
                        assert!(said.is_empty());
                        assert!(asked.contains(&request_id), "an answer to what was not asked");
                        assert!(relay.answered.insert(request_id), "one request was answered twice");
                        *relay.due.entry(line_link).or_default() += 1;
                    }
                    (Ok(_), other) => panic!("moved by {other:?}"),
                    (Err(Rejected::WrongMachine | Rejected::Duplicate), Ok(_)) => assert_eq!(pending(&pool), before),
                    (Err(Rejected::Malformed | Rejected::UnsupportedVersion), Err(_)) => {}
                    (Err(error), decoded) => panic!("{error:?} for {decoded:?}"),
                }
                relay.events.push(event);
            }
        }
        let links = held(&pool);
        assert_eq!(links.iter().collect::<BTreeSet<_>>().len(), links.len(), "one link twice");
        let full = pool.held() + pool.requested();
        assert!(full <= MAX_POOL && (full >= full_before || full + 1 == full_before));
        assert!(asks(&pool).iter().all(|id| !relay.answered.contains(id)), "asked again, and answered before");
    }
    true
}

/// The links in a pool: what would come out of a copy.
fn held(pool: &Pool) -> Vec<LineLink> {
    let mut copy = Pool::restore(&pool.record()).expect("its own record");
    let mut links = Vec::new();
    for _ in 0..pool.held() {
        links.push(pop(&mut copy).expect("it is here"));
    }
    links
}

fn pop(pool: &mut Pool) -> Option<LineLink> {
    let Done { said, .. } = attempt(pool, &mut [], |pool, _| pool.pop()).ok()?;
    let [Said::Link(link), rest @ ..] = &said[..] else { panic!("no link first: {said:?}") };
    assert!(rest.iter().all(|said| matches!(said, Said::Send(_))));
    Some(*link)
}

/// An answer: to what is asked, was asked or was not; with a new link or an old one; or damaged.
fn event(script: &mut Input<'_>, relay: &Relay, asked: &[RequestId]) -> Vec<u8> {
    let (how, fill) = (script.byte(), script.byte());
    let answered: Vec<_> = relay.answered.iter().copied().collect();
    let request_id = match how % 4 {
        0 | 1 => script.pick(asked).copied(),
        2 => script.pick(&answered).copied(),
        _ => None,
    };
    let request_id = request_id.unwrap_or([fill; 16].into());
    let links: Vec<_> = relay.due.keys().copied().collect();
    let line_link =
        if how & 16 == 0 { [fill; 16].into() } else { script.pick(&links).copied().unwrap_or([0; 16].into()) };
    let mut event = match how & 32 {
        0 => Event::LineLinkIssued { request_id, line_link }.to_vec(),
        _ if how & 64 == 0 => script.pick(&relay.events).cloned().unwrap_or_default(),
        _ => script.take(usize::from(fill)).to_vec(),
    };
    if how & 0x80 != 0 {
        flip(&mut event, script.u16());
    }
    event
}
