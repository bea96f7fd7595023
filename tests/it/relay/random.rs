//! Whatever users ask, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::common::bad_proof;

#[derive(Clone, Debug)]
enum Op {
    Issue(u8, u8),
    Connect(u8, usize, bool),
    Packet(u8, usize, usize),
    Disconnect(u8, usize),
    Close(u8, usize),
    Set(u8, usize, u64, Admission),
    Acknowledge(u8, u64),
    Remove(u8),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    // More often one of the first: so that more happens to it.
    let (user, one) = (|| 1..4u8, || prop_oneof![2 => 0..2usize, 1 => 0..12usize]);
    prop_oneof![
        3 => (user(), 0..6u8).prop_map(|(user, id)| Op::Issue(user, id)),
        6 => (user(), one(), any::<bool>()).prop_map(|(user, link, proof)| Op::Connect(user, link, proof)),
        8 => (user(), one(), 0..70usize).prop_map(|(user, line, length)| Op::Packet(user, line, length)),
        2 => (user(), one()).prop_map(|(user, line)| Op::Disconnect(user, line)),
        1 => (user(), one()).prop_map(|(user, link)| Op::Close(user, link)),
        2 => (user(), one(), 0..6u64, admits()).prop_map(|(user, link, version, to)| Op::Set(user, link, version, to)),
        2 => (user(), 0..20u64).prop_map(|(user, upto)| Op::Acknowledge(user, upto)),
        1 => user().prop_map(Op::Remove),
        1 => (0..40u64).prop_map(Op::Wait),
    ]
}

fn admits() -> impl Strategy<Value = Admission> {
    prop_oneof![Just(Admission::Nobody), Just(Admission::One), Just(Admission::Many), Just(Admission::Many)]
}

/// What an onlooker who sees all requests and replies knows.
#[derive(Default)]
struct Onlooker {
    links: Vec<(LineLink, u8)>,
    /// Each line: its link and its two ends.
    lines: Vec<(LineId, LineLink, [u8; 2])>,
    pairs: BTreeMap<BTreeSet<u8>, PairHash>,
    left: BTreeSet<(LineId, u8)>,
    /// How each link was last set by its owner.
    set: BTreeMap<LineLink, (u64, Admission)>,
    /// The links that formed a line as one that admits one.
    burnt: BTreeSet<LineLink>,
    /// What each was given, with a proof or without.
    given: BTreeMap<(u8, LineLink, bool), LineId>,
    /// The highest number that each was given.
    numbers: BTreeMap<u8, u64>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_users_ask_the_invariants_hold(ops in prop::collection::vec(op(), 1..120), uses in 1..3usize) {
        let limits = Limits { links: 4, lines: 3, uses, packets: 3, bytes: 60, lifetime_secs: 60 * DAY, retention_secs: 30 * DAY };
        let mut relay = relay(limits);
        let mut seen = Onlooker::default();
        for op in &ops {
            match *op {
                Op::Issue(of, id) => match relay.try_issue(of, id) {
                    Ok(link) if seen.links.contains(&(link, of)) => {}
                    Ok(link) => {
                        prop_assert!(seen.links.iter().all(|(other, _)| *other != link), "one link, two owners");
                        seen.links.push((link, of));
                    }
                    Err(error) => prop_assert_eq!(error, RequestError::TooManyLinks.into()),
                },
                Op::Connect(by, link, proof) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    let (on_board, proof) = (proof, proof.then(bad_proof));
                    let set = seen.set.get(&line_link).map_or(Admission::One, |(_, admits)| *admits);
                    let was_given = seen.given.get(&(by, line_link, on_board)).copied();
                    let was_given = was_given.filter(|line_id| !seen.left.contains(&(*line_id, by)));
                    match relay.handle(by, &Request::Connect { line_link, proof }) {
                        Ok(Response { reply: Some(Event::LineFormed { line_id, pair_hash, line_link: of, proof: None }), .. }) => {
                            prop_assert_eq!(of, line_link);
                            let line = (line_id, line_link, [owner, by]);
                            let known = seen.lines.iter().find(|(id, ..)| *id == line_id);
                            prop_assert!(known.is_none_or(|known| *known == line), "one name, two lines");
                            prop_assert!(was_given.is_none_or(|given| given == line_id), "one request, two lines");
                            let has_left = seen.left.contains(&(line_id, by));
                            prop_assert!(seen.burnt.contains(&line_link) || !has_left, "told again what he has left");
                            if known.is_none() {
                                prop_assert!(set != Admission::Nobody && !seen.burnt.contains(&line_link), "one link, two lines");
                                if set == Admission::One {
                                    seen.burnt.insert(line_link);
                                }
                                seen.lines.push(line);
                                seen.given.insert((by, line_link, on_board), line_id);
                            }
                            let pair = *seen.pairs.entry([owner, by].into()).or_insert(pair_hash);
                            prop_assert_eq!(pair, pair_hash);
                        }
                        Ok(Response { reply: Some(Event::Refused { line_link: of, reason }), notify: [None, None] }) => {
                            prop_assert_eq!(of, line_link);
                            prop_assert!(reason != Reason::Paused || set == Admission::Nobody);
                            let burnt = seen.burnt.contains(&line_link);
                            prop_assert!(!matches!(reason, Reason::UsedByAnother) || burnt, "claimed by nobody");
                            prop_assert!(was_given.is_none() || reason == Reason::Unknown, "a reply was forgotten");
                        }
                        other => {
                            prop_assert_eq!(other, Err(RequestError::TooManyLines.into()));
                            prop_assert_eq!(was_given, None);
                        }
                    }
                }
                Op::Packet(from, line, length) => {
                    let Some(&(line_id, _, ends)) = seen.lines.get(line) else { continue };
                    // Each says whose it is.
                    let payload = vec![b'0' + from; length];
                    match relay.handle(from, &Request::Packet { line_id, payload: &payload }) {
                        Ok(Response { reply: Some(event), notify }) => {
                            prop_assert_eq!((event, notify), (Event::Disconnected { line_id }, [None; 2]));
                            let ended = ends.iter().any(|end| seen.left.contains(&(line_id, *end)));
                            prop_assert!(!ends.contains(&from) || ended);
                        }
                        Ok(Response { reply: None, notify }) => {
                            let ended = ends.iter().any(|end| seen.left.contains(&(line_id, *end)));
                            prop_assert!(ends.contains(&from) && !seen.left.contains(&(line_id, from)));
                            // The sender's own Disconnected waits for the sender.
                            prop_assert_eq!(notify[0] == Some(user(from)), ended);
                            if notify[1].is_some() {
                                let told = Event::Dropped { line_id }.to_vec();
                                prop_assert!(relay.waiting(from).iter().any(|(_, event)| *event == told));
                            }
                        }
                        Err(error) => prop_assert!(error == RequestError::TooLong.into() && length > limits.bytes),
                    }
                }
                Op::Disconnect(by, line) => {
                    let Some(&(line_id, _, ends)) = seen.lines.get(line) else { continue };
                    prop_assert_eq!(relay.reply(by, &Request::Disconnect { line_id }), Event::Disconnected { line_id });
                    if ends.contains(&by) {
                        seen.left.insert((line_id, by));
                    }
                }
                Op::Close(by, link) => {
                    let Some(&(line_link, _)) = seen.links.get(link) else { continue };
                    prop_assert_eq!(relay.handle(by, &Request::CloseLineLink { line_link }), Ok(Response { reply: None, notify: [None; 2] }));
                }
                Op::Set(by, link, version, admits) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    prop_assert_eq!(relay.handle(by, &set(line_link, version, admits)), Ok(SILENT));
                    let before = seen.set.get(&line_link).map_or(0, |(version, _)| *version);
                    if by == owner && version > before {
                        seen.set.insert(line_link, (version, admits));
                    }
                }
                Op::Acknowledge(by, upto) => {
                    let (before, after) = (relay.waiting(by), relay.relay.acknowledge(user(by), upto));
                    prop_assert_eq!(after, Ok(()));
                    let none = upto > seen.numbers.get(&by).copied().unwrap_or(0);
                    let (rest, taken): (Vec<_>, Vec<_>) = before.into_iter().partition(|(n, _)| none || *n > upto);
                    prop_assert_eq!(relay.waiting(by), rest);
                    for (_, event) in taken {
                        if let Ok(Event::Disconnected { line_id }) = Event::decode(&event) {
                            seen.left.insert((line_id, by));
                        }
                    }
                }
                Op::Remove(of) => {
                    let told: BTreeSet<_> = relay.remove(of).into_iter().collect();
                    for (line_id, _, ends) in seen.lines.iter().filter(|(.., ends)| ends.contains(&of)) {
                        let other = ends[usize::from(ends[0] == of)];
                        let here = |end| !seen.left.contains(&(*line_id, end));
                        prop_assert!(!(here(of) && here(other)) || told.contains(&user(other)));
                        seen.left.insert((*line_id, of));
                    }
                    seen.numbers.remove(&of);
                    let forgotten = |link| relay.directory().link(link).is_none();
                    prop_assert!(seen.links.iter().all(|(link, owner)| *owner != of || forgotten(*link)));
                }
                Op::Wait(days) => relay.now.0 += days * DAY,
            }
            let here = |key: (u8, LineLink, bool)| seen.given.get(&key).is_some_and(|id| !seen.left.contains(&(*id, key.0)));
            let both = |(by, link, _): &&(u8, LineLink, bool)| here((*by, *link, true)) && here((*by, *link, false));
            let many = seen.given.keys().filter(|(_, link, _)| !seen.burnt.contains(link));
            prop_assert!(uses >= 2 || many.filter(both).count() == 0, "more lines of one link than he may have");
            for of in [ALICE, BOB, CAROL] {
                let last = relay.waiting(of).last().map_or(0, |(sequence, _)| *sequence);
                let given = seen.numbers.entry(of).or_default();
                *given = last.max(*given);
                let mut held: BTreeMap<LineId, Vec<String>> = BTreeMap::new();
                for (_, event) in relay.waiting(of) {
                    let event = Event::decode(&event).unwrap();
                    let (Event::LineFormed { line_id, .. } | Event::Packet { line_id, .. } | Event::Dropped { line_id } | Event::Disconnected { line_id }) = event else {
                        panic!("{event:?}");
                    };
                    // No user gets an event of another user's line, a packet of its own, or anything of a line that it has left.
                    let (.., ends) = seen.lines.iter().find(|(id, ..)| *id == line_id).unwrap();
                    prop_assert!(ends.contains(&of) && !seen.left.contains(&(line_id, of)));
                    if let Event::Packet { payload, .. } = event {
                        prop_assert!(payload.iter().all(|from| *from - b'0' != of && ends.contains(&(*from - b'0'))));
                    }
                    let is_formed = matches!(event, Event::LineFormed { .. });
                    prop_assert!(!is_formed || ends[0] == of);
                    held.entry(line_id).or_default().push(word(&event));
                }
                prop_assert!(held.len() <= limits.lines);
                for words in held.values() {
                    let is_packet = |word: &&String| word.is_empty() || word.starts_with(['1', '2', '3']);
                    let packets: Vec<_> = words.iter().filter(is_packet).collect();
                    prop_assert!(packets.len() <= limits.packets);
                    prop_assert!(packets.iter().map(|payload| payload.len()).sum::<usize>() <= limits.bytes);
                    let rest: BTreeSet<_> = words.iter().filter(|word| !is_packet(word)).collect();
                    prop_assert_eq!(rest.len() + packets.len(), words.len(), "a notice twice: {:?}", words);
                }
            }
            for of in [ALICE, BOB, CAROL] {
                let links = seen.links.iter().filter(|(link, owner)| {
                    *owner == of && relay.directory().link(*link).is_some()
                });
                prop_assert!(links.count() <= limits.links);
            }
        }
    }
}
