//! A callee of many peers: what it takes for one request, from the message that came to the one that goes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use port_protocol::portal::{Outgoing, Peer, PortalId, RequestId};

use crate::portal::{Nowhere, Side, entered, other_caller, serve_one};
use crate::{BODY, Contestant, Group};

/// How a caller asks.
type Ask = fn(&mut Side<Nowhere>, &mut HashMap<PortalId, Peer>, &Side<Nowhere>) -> (RequestId, Outgoing);

/// How many of the peers have a session, at most: as many as a Portal keeps if nothing is said.
const SESSIONS: usize = 1_000;

pub fn groups() -> Vec<Group> {
    let standing = |name, peers, sessions| Many::contestant(name, peers, sessions, 100, Many::post);
    let opening = |name, peers, sessions| Many::contestant(name, peers, sessions, 1, Many::open);
    let posts = vec![
        standing("10 peers, 10 with a session", 10, 10),
        standing("1,000 peers, 10 with a session", 1_000, 10),
        standing("100,000 peers, 10 with a session", 100_000, 10),
        standing("1,000 peers, all with a session", 1_000, SESSIONS),
        standing("100,000 peers, 1,000 with a session", 100_000, SESSIONS),
    ];
    let openings = vec![
        opening("10 peers, 10 with a session: Opening", 10, 10),
        opening("100,000 peers, 1,000 with a session: Opening", 100_000, SESSIONS),
    ];
    let title =
        "A callee alone, of many peers in a map, asked by one after the other, 1 KiB each way; against 10 peers";
    vec![
        Group { title, reference: 1, rounds: 50, repeats: 100, contestants: posts },
        Group {
            title: "The same, first request of a session",
            reference: 1,
            rounds: 100,
            repeats: 1,
            contestants: openings,
        },
    ]
}

struct Many {
    callee: Side<Nowhere>,
    peers: HashMap<PortalId, Peer>,
    callers: Vec<Side<Nowhere>>,
    /// Who asks next.
    next: usize,
    /// What was asked, and by whom.
    asked: VecDeque<(usize, RequestId, Outgoing)>,
    /// What was answered.
    replies: VecDeque<Vec<u8>>,
}

impl Many {
    /// The callers' ends are played before each time, and not measured.
    fn contestant(name: &'static str, peers: usize, sessions: usize, repeats: usize, ask: Ask) -> Contestant {
        let mut many = Self::new(peers, sessions);
        (0..sessions).for_each(|_| {
            many.prepare(1, Self::open);
            many.serve();
        });
        many.prepare(repeats, ask);
        let many = Rc::new(RefCell::new(many));
        let prepared = many.clone();
        let mut contestant = Contestant::new(name, move || many.borrow_mut().serve());
        contestant.prepare = Box::new(move || prepared.borrow_mut().prepare(repeats, ask));
        contestant
    }

    fn new(peers: usize, sessions: usize) -> Self {
        let [first, callee] = Side::pair();
        let mut callers = vec![first];
        callers.extend((1..sessions).map(|number| other_caller(&callee, number as u64)));
        let id = |number: u64| {
            let mut id = [0xa5; 32];
            id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            PortalId::from_bytes(id)
        };
        let others = (callers.len()..peers).map(|number| id(number as u64));
        let ids: Vec<_> = callers.iter().map(|caller| caller.portal.id()).chain(others).collect();
        let peers = ids.into_iter().map(|id| (id, entered(&callee.portal, id))).collect();
        Self { callee, peers, callers, next: 0, asked: VecDeque::new(), replies: VecDeque::new() }
    }

    /// The callers hear what was answered, and others ask.
    fn prepare(&mut self, repeats: usize, ask: Ask) {
        for reply in self.replies.drain(..) {
            let (caller, id, outgoing) = self.asked.pop_front().expect("asked before it was answered");
            assert_eq!(self.callers[caller].hear(outgoing.waiting, &reply), BODY.len());
            self.callers[caller].peer.done(id);
        }
        while self.asked.len() < repeats {
            self.next = (self.next + 1) % self.callers.len();
            let (id, outgoing) = ask(&mut self.callers[self.next], &mut self.peers, &self.callee);
            self.asked.push_back((self.next, id, outgoing));
        }
    }

    fn post(caller: &mut Side<Nowhere>, _: &mut HashMap<PortalId, Peer>, _: &Side<Nowhere>) -> (RequestId, Outgoing) {
        caller.ask("POST", "/peer/notes/add", &BODY)
    }

    /// A caller without a session, of which nothing was taken.
    fn open(
        caller: &mut Side<Nowhere>,
        peers: &mut HashMap<PortalId, Peer>,
        callee: &Side<Nowhere>,
    ) -> (RequestId, Outgoing) {
        caller.forget();
        peers.insert(caller.portal.id(), entered(&callee.portal, caller.portal.id()));
        caller.ask("GET", "/peer/notes", b"")
    }

    fn serve(&mut self) {
        let (_, _, outgoing) = &self.asked[self.replies.len()];
        self.replies.push_back(serve_one(&mut self.callee, &mut self.peers, &outgoing.message, &BODY));
    }
}
