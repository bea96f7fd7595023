//! A callee of many peers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use port_protocol::portal::{Peer, PortalId};

use crate::portal::{Nowhere, Side, entered, exchange_among, other_caller};
use crate::{BODY, Contestant, Group};

/// How many of the peers have a session, at most: as many as a Portal keeps if nothing is said.
const SESSIONS: usize = 1_000;

/// One request each of one peer after the other.
pub fn groups() -> Vec<Group> {
    let among = |name, peers, sessions| {
        let mut many = Many::new(peers, sessions);
        Contestant::new(name, move || many.post())
    };
    let contestants = vec![
        among("10 peers, 10 with a session", 10, 10),
        among("1,000 peers, 10 with a session", 1_000, 10),
        among("100,000 peers, 10 with a session", 100_000, 10),
        among("1,000 peers, all with a session", 1_000, SESSIONS),
        among("100,000 peers, 1,000 with a session", 100_000, SESSIONS),
    ];
    let title = "The same at a callee of many peers, in a map, asked by one after the other; against 10 peers";
    let standing = Group { title, reference: 1, rounds: 100, repeats: 100, contestants };

    let opening = |name, peers, sessions| {
        let many = Rc::new(RefCell::new(Many::new(peers, sessions)));
        let fresh = many.clone();
        let mut contestant = Contestant::new(name, move || many.borrow_mut().first());
        contestant.prepare = Box::new(move || fresh.borrow_mut().forget());
        contestant
    };
    let contestants = vec![
        opening("10 peers: Opening", 10, 10),
        opening("100,000 peers, 1,000 with a session: Opening", 100_000, SESSIONS),
    ];
    let title = "A first request of a session at a callee of many peers; against 10 peers";
    vec![standing, Group { title, reference: 1, rounds: 100, repeats: 1, contestants }]
}

struct Many {
    callee: Side<Nowhere>,
    peers: BTreeMap<PortalId, Peer>,
    callers: Vec<Side<Nowhere>>,
    next: usize,
}

impl Many {
    fn new(peers: usize, sessions: usize) -> Self {
        let [first, callee] = Side::pair();
        let mut callers = vec![first];
        callers.extend((1..sessions).map(|number| other_caller(&callee, number as u64)));
        let key = |number: u64| {
            let mut id = [0xa5; 32];
            id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            PortalId::from_bytes(id)
        };
        let others = (callers.len()..peers).map(|number| key(number as u64));
        let ids: Vec<_> = callers.iter().map(|caller| caller.portal.id()).chain(others).collect();
        let peers = ids.into_iter().map(|id| (id, entered(&callee.portal, id))).collect();
        let mut many = Self { callee, peers, callers, next: 0 };
        (0..many.callers.len()).for_each(|_| many.first());
        many
    }

    fn turn(&mut self) -> usize {
        self.next = (self.next + 1) % self.callers.len();
        self.next
    }

    fn post(&mut self) {
        let turn = self.turn();
        let Self { callee, peers, callers, .. } = self;
        exchange_among(&mut callers[turn], callee, peers, "POST", "/peer/notes/add", [&BODY, &BODY]);
    }

    fn first(&mut self) {
        let turn = self.turn();
        let Self { callee, peers, callers, .. } = self;
        exchange_among(&mut callers[turn], callee, peers, "GET", "/peer/notes", [b"", &BODY]);
    }

    /// That the next caller has a session, and that the callee has taken an Opening of it.
    fn forget(&mut self) {
        let turn = (self.next + 1) % self.callers.len();
        let next = &mut self.callers[turn];
        next.forget();
        let id = next.portal.id();
        self.peers.insert(id, entered(&self.callee.portal, id));
    }
}
