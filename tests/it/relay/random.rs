//! Whatever users ask, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Issue(u8, u8),
    Connect(u8, usize, bool),
    Packet(u8, usize, usize),
    Disconnect(u8, usize),
    Close(u8, usize),
    Set(u8, usize, u64, Admission, bool),
    Acknowledge(u8, u64),
    Remove(u8),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    // More often one of the first: so that more happens to it.
    let (user, one) = (|| 1..4u8, || prop_oneof![2 => 0..2usize, 1 => 0..12usize]);
    let set = (user(), one(), 0..6u64, admits(), any::<bool>());
    prop_oneof![
        3 => (user(), 0..6u8).prop_map(|(user, id)| Op::Issue(user, id)),
        6 => (user(), one(), any::<bool>()).prop_map(|(user, link, proof)| Op::Connect(user, link, proof)),
        8 => (user(), one(), 0..70usize).prop_map(|(user, line, length)| Op::Packet(user, line, length)),
        2 => (user(), one()).prop_map(|(user, line)| Op::Disconnect(user, line)),
        1 => (user(), one()).prop_map(|(user, link)| Op::Close(user, link)),
        3 => set.prop_map(|(user, link, version, to, recognisable)| Op::Set(user, link, version, to, recognisable)),
        2 => (user(), 0..20u64).prop_map(|(user, upto)| Op::Acknowledge(user, upto)),
        1 => user().prop_map(Op::Remove),
        1 => (0..40u64).prop_map(Op::Wait),
    ]
}

fn admits() -> impl Strategy<Value = Admission> {
    prop_oneof![Just(Admission::Nobody), Just(Admission::One), Just(Admission::Many), Just(Admission::Many)]
}

/// A link as its owner and its users know it, its dates aside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Open(u64, Admission),
    Claimed(u64, u8, LineId),
    Closed,
}

impl Stands {
    fn of(state: LinkState) -> Self {
        match state {
            LinkState::Open { version, admits, .. } => Self::Open(version, admits),
            LinkState::Claimed { claim, version } => Self::Claimed(version, claim.by.as_bytes()[0], claim.line_id),
            LinkState::Closed => Self::Closed,
        }
    }

    /// §13.2.
    fn set(self, to: u64, admits: Admission) -> Self {
        match self {
            Self::Open(version, _) if to >= version => Self::Open(to, if to == 0 { Admission::One } else { admits }),
            Self::Claimed(version, ..) if to > version && admits == Admission::Many => Self::Open(to, admits),
            Self::Claimed(version, by, line_id) => Self::Claimed(version.max(to), by, line_id),
            as_it_was => as_it_was,
        }
    }
}

struct Formed {
    line_id: LineId,
    line_link: LineLink,
    /// The owner of the link, and its user.
    ends: [u8; 2],
    on_board: bool,
    /// What its user was told.
    connected: Vec<u8>,
}

/// What an onlooker who sees all requests and replies knows.
#[derive(Default)]
struct Onlooker {
    links: Vec<(LineLink, u8)>,
    stands: BTreeMap<LineLink, Stands>,
    /// When each may be purged.
    dates: BTreeMap<LineLink, UnixSeconds>,
    lines: Vec<Formed>,
    /// What each user is told of another, by the link where it differs.
    marks: BTreeMap<(u8, u8, Option<LineLink>), PeerMark>,
    left: BTreeSet<(LineId, u8)>,
    /// The highest number that each was given.
    numbers: BTreeMap<u8, u64>,
}

impl Onlooker {
    /// Whether one of the two is still on this line.
    fn lives(&self, line: &Formed) -> bool {
        line.ends.iter().any(|end| !self.left.contains(&(line.line_id, *end)))
    }

    /// The lines of this link that this user has formed, and that one of the two is on.
    fn uses(&self, line_link: LineLink, by: u8) -> impl Iterator<Item = &Formed> {
        let of = move |line: &&Formed| (line.line_link, line.ends[1]) == (line_link, by) && self.lives(line);
        self.lines.iter().filter(of)
    }

    /// One name for one user towards another.
    fn names(&mut self, viewer: u8, peer: u8, link: Option<LineLink>, mark: PeerMark) -> bool {
        let known = *self.marks.entry((viewer, peer, link)).or_insert(mark);
        let others = self.marks.iter().filter(|(of, other)| **other == mark && **of != (viewer, peer, link)).count();
        known == mark && others == 0
    }
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
                        seen.stands.insert(link, Stands::Open(0, Admission::One));
                    }
                    Err(error) => prop_assert_eq!(error, RequestError::TooManyLinks.into()),
                },
                Op::Connect(by, link, proof) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    let request = if proof { on_board(line_link) } else { connect(line_link) };
                    let stands = seen.stands[&line_link];
                    let known = seen.uses(line_link, by).find(|line| line.on_board == proof);
                    let known = known.map(|line| line.connected.clone());
                    let entry = relay.directory().link(line_link);
                    match relay.handle(by, &request) {
                        Ok(Response { reply: None, notify }) => {
                            prop_assert_eq!((notify, by == owner, known), ([Some(user(owner)), Some(user(by))], false, None));
                            let Stands::Open(version, admits) = stands else { panic!("{stands:?}") };
                            prop_assert!(admits != Admission::Nobody);
                            prop_assert!(admits == Admission::One || seen.uses(line_link, by).count() < uses, "more lines of one link than it may have");
                            let [formed, connected] = [owner, by].map(|of| relay.waiting(of).pop().unwrap().1);
                            let (Event::LineFormed { line_id, peer: user, proof: to_owner, .. }, Event::Connected { line_id: told, peer: maker, .. }) =
                                (Event::decode(&formed).unwrap(), Event::decode(&connected).unwrap()) else { panic!() };
                            prop_assert_eq!((told, to_owner.is_some()), (line_id, proof));
                            prop_assert!(seen.lines.iter().all(|line| line.line_id != line_id), "one name, two lines");
                            let recognisable = entry.unwrap().recognisable;
                            prop_assert!(seen.names(owner, by, None, user));
                            prop_assert!(seen.names(by, owner, (!recognisable).then_some(line_link), maker));
                            seen.lines.push(Formed { line_id, line_link, ends: [owner, by], on_board: proof, connected });
                            if admits == Admission::One {
                                seen.stands.insert(line_link, Stands::Claimed(version, by, line_id));
                            }
                        }
                        Ok(Response { reply: Some(event @ Event::Connected { line_id, .. }), notify: [None, None] }) => {
                            let claimed = matches!(stands, Stands::Claimed(_, of, claimed) if (of, claimed) == (by, line_id));
                            let line = seen.lines.iter().find(|line| line.line_id == line_id).unwrap();
                            prop_assert_eq!(event.to_vec(), line.connected.clone(), "the same request, another answer");
                            prop_assert_eq!((line.line_link, line.ends, line.on_board), (line_link, [owner, by], proof));
                            prop_assert!(known.is_some() || claimed, "told again what both have left");
                        }
                        Ok(Response { reply: Some(Event::Refused { line_link: of, reason, .. }), notify: [None, None] }) => {
                            prop_assert_eq!(of, line_link);
                            prop_assert!(known.is_none() || reason == Reason::Unknown, "a reply was forgotten");
                            let is_due = entry.is_none_or(|entry| relay.now >= entry.purge_at);
                            prop_assert_eq!(reason == Reason::Unknown, is_due);
                            let right = match (reason, stands) {
                                (Reason::Unknown, _) => true,
                                (Reason::UsedByYou, Stands::Claimed(_, of, _)) => of == by || by == owner,
                                (Reason::UsedByYou, _) => by == owner,
                                (Reason::UsedByAnother, Stands::Claimed(_, of, _)) => of != by && by != owner,
                                (Reason::Closed, Stands::Closed) | (Reason::Paused, Stands::Open(_, Admission::Nobody)) => by != owner,
                                (Reason::Expired, Stands::Open(..)) => by != owner,
                                _ => false,
                            };
                            prop_assert!(right, "{reason:?} of {stands:?}");
                        }
                        other => {
                            prop_assert_eq!(other, Err(RequestError::TooManyLines.into()));
                            prop_assert_eq!(known, None);
                        }
                    }
                }
                Op::Packet(from, line, length) => {
                    let Some(&Formed { line_id, ends, .. }) = seen.lines.get(line) else { continue };
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
                    let Some(&Formed { line_id, ends, .. }) = seen.lines.get(line) else { continue };
                    prop_assert_eq!(relay.reply(by, &Request::Disconnect { line_id }), Event::Disconnected { line_id });
                    if ends.contains(&by) {
                        seen.left.insert((line_id, by));
                    }
                }
                Op::Close(by, link) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    prop_assert_eq!(relay.handle(by, &Request::CloseLineLink { line_link }), Ok(SILENT));
                    if by == owner && matches!(seen.stands[&line_link], Stands::Open(..)) {
                        seen.stands.insert(line_link, Stands::Closed);
                    }
                }
                Op::Set(by, link, version, admits, recognisable) => {
                    let Some(&(line_link, owner)) = seen.links.get(link) else { continue };
                    let before = relay.directory().link(line_link);
                    let response = relay.handle(by, &Request::SetLineLink { line_link, version, admits, recognisable });
                    let stands = seen.stands[&line_link];
                    let is_lost = by != owner || before.is_none() || stands == Stands::Closed;
                    let nothing_waits = relay.waiting(by).is_empty();
                    prop_assert_eq!(response, Ok(if is_lost && nothing_waits { lost(line_link) } else { SILENT }));
                    // One that is due may find no room to live again.
                    let is_due = before.is_some_and(|entry| relay.now >= entry.purge_at);
                    let refused = is_due && relay.directory().link(line_link) == before;
                    if by == owner && !refused {
                        seen.stands.insert(line_link, stands.set(version, admits));
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
                    for Formed { line_id, ends, .. } in seen.lines.iter().filter(|line| line.ends.contains(&of)) {
                        let other = ends[usize::from(ends[0] == of)];
                        let here = |end| !seen.left.contains(&(*line_id, end));
                        prop_assert!(!(here(of) && here(other)) || told.contains(&user(other)));
                        seen.left.insert((*line_id, of));
                    }
                    seen.numbers.remove(&of);
                    let forgotten = |link| relay.directory().link(link).is_none();
                    prop_assert!(seen.links.iter().all(|(link, owner)| *owner != of || forgotten(*link)));
                    seen.dates.retain(|link, _| seen.links.iter().any(|(of_others, owner)| of_others == link && *owner != of));
                }
                Op::Wait(days) => relay.wait(days * DAY),
            }
            for of in [ALICE, BOB, CAROL] {
                let last = relay.waiting(of).last().map_or(0, |(sequence, _)| *sequence);
                let given = seen.numbers.entry(of).or_default();
                *given = last.max(*given);
                let mut held: BTreeMap<LineId, Vec<String>> = BTreeMap::new();
                for (_, event) in relay.waiting(of) {
                    let event = Event::decode(&event).unwrap();
                    let (Event::LineFormed { line_id, .. } | Event::Connected { line_id, .. } | Event::Packet { line_id, .. } | Event::Dropped { line_id } | Event::Disconnected { line_id }) = event else {
                        panic!("{event:?}");
                    };
                    // No user gets an event of another user's line, a packet of its own, or anything of a line that it has left.
                    let Formed { ends, .. } = seen.lines.iter().find(|line| line.line_id == line_id).unwrap();
                    prop_assert!(ends.contains(&of) && !seen.left.contains(&(line_id, of)));
                    if let Event::Packet { payload, .. } = event {
                        prop_assert!(payload.iter().all(|from| *from - b'0' != of && ends.contains(&(*from - b'0'))));
                    }
                    let side = match event {
                        Event::LineFormed { .. } => Some(0),
                        Event::Connected { .. } => Some(1),
                        _ => None,
                    };
                    // Each hears of its line by its own event, and before anything else of it.
                    prop_assert!(side.is_none_or(|side: usize| ends[side] == of && !held.contains_key(&line_id)));
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
                let on = |line: &&Formed| line.ends.contains(&of) && !seen.left.contains(&(line.line_id, of));
                prop_assert!(seen.lines.iter().filter(on).count() <= limits.lines);
                let entries = seen.links.iter().filter(|(_, owner)| *owner == of).filter_map(|(link, _)| relay.directory().link(*link));
                prop_assert!(entries.filter(|entry| relay.now < entry.purge_at).count() <= limits.links);
            }
            prop_assert_eq!(relay.directory().lines(), seen.lines.iter().filter(|line| seen.lives(line)).count());
            for (link, stands) in &seen.stands {
                match relay.directory().link(*link) {
                    Some(entry) => {
                        prop_assert_eq!(Stands::of(entry.state), *stands);
                        seen.dates.insert(*link, entry.purge_at);
                    }
                    None => prop_assert!(seen.dates.get(link).is_none_or(|purge_at| *purge_at <= relay.now), "purged too early"),
                }
            }
        }
    }
}
