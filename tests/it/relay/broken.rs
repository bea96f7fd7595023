//! §13.7: crashes, and storages that answer wrongly.

use std::cell::{Cell, RefCell};

use super::*;
use crate::common::{self, Commit, NOW, Unused, seed};

/// A storage that answers wrongly. The docs of [`Directory`] say what each wrong answer costs.
#[derive(Default)]
struct Broken {
    memory: RefCell<Memory>,
    /// `claim` says that it has formed the line, and loses that the link or the request was used.
    claim_lost: bool,
    /// `claim` always says that another request was faster.
    claim_fails: bool,
    /// The storage fails: before it does anything, or after it has done all.
    fails: Cell<Option<bool>>,
    /// A link as a stale replica has it. `claim` decides by this, and then writes only if the rows as they are allow it.
    stale: Option<LinkEntry>,
    /// The stale replica knows no line that a request was given.
    uses_stale: bool,
    /// The storage says that it has issued, set, closed or left, and has not.
    lost: Cell<bool>,
    push_lost: bool,
    push_twice: bool,
    acknowledge_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Down;

impl Broken {
    fn atomically<T>(&self, work: impl FnOnce(&mut Memory) -> Result<T, Infallible>) -> Result<T, Down> {
        match self.fails.take() {
            Some(false) => Err(Down),
            Some(true) => {
                let _ = work(&mut self.memory.borrow_mut());
                Err(Down)
            }
            None => {
                let Ok(done) = work(&mut self.memory.borrow_mut());
                Ok(done)
            }
        }
    }

    fn link(&self, line_link: LineLink) -> Option<LinkEntry> {
        self.memory.borrow().link(line_link)
    }

    /// What `claim` decides by.
    fn decide(&self, connect: &Connect) -> Decision {
        let link = self.stale.or_else(|| self.link(connect.line_link));
        let was_set = link.is_some_and(|link| !matches!(link.state, LinkState::Open { version: 0, .. }));
        let before = match self.memory.borrow().clone().claim(connect) {
            Ok(Claimed::FormedBefore(line)) if was_set && !self.uses_stale => {
                Some(Use { line_id: line.line_id, recognisable: false })
            }
            _ => None,
        };
        connect.decide(link.as_ref(), before)
    }
}

impl Directory for Broken {
    type Error = Down;
    type Bytes<'d> = Vec<u8>;

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Down> {
        if self.lost.take() {
            return Ok(Issued::Link(link.line_link));
        }
        self.atomically(|memory| memory.issue(link))
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Down> {
        if self.claim_fails {
            return Ok(Claimed::Conflict);
        }
        if self.claim_lost {
            return self.claim_and_lose(connect);
        }
        if let Decision::Answer(claimed) = self.decide(connect) {
            return Ok(claimed);
        }
        Ok(match self.atomically(|memory| memory.claim(connect))? {
            claimed @ (Claimed::Formed(_) | Claimed::TooMany) => claimed,
            _ => Claimed::Conflict,
        })
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Down> {
        if self.lost.take() {
            return Ok(LinkSet::Done);
        }
        self.atomically(|memory| memory.set_link(setting))
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Down> {
        if self.lost.take() {
            return Ok(());
        }
        self.atomically(|memory| memory.close_link(closure))
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Down> {
        let (lost, twice) = (self.push_lost, self.push_twice);
        self.atomically(|memory| {
            if lost {
                return Ok(Pushed::Queued { to: packet.from, dropped: false });
            }
            if twice {
                memory.push(packet)?;
            }
            memory.push(packet)
        })
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Down> {
        if self.lost.take() {
            return Ok(None);
        }
        self.atomically(|memory| memory.leave(departure))
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<Vec<u8>>>, Down> {
        let memory = self.memory.borrow();
        let Ok(next) = memory.next(user, after);
        Ok(next.map(|Delivery { sequence, event }| Delivery { sequence, event: event.to_vec() }))
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Down> {
        if self.acknowledge_lost {
            return Ok(());
        }
        self.atomically(|memory| memory.acknowledge(user, upto))
    }

    fn remove(&mut self, user: UserId, notify: impl FnMut(UserId)) -> Result<(), Down> {
        self.atomically(|memory| memory.remove(user, notify))
    }

    fn purge(&mut self, now: UnixSeconds) -> Result<(), Down> {
        let Ok(()) = self.memory.borrow_mut().purge(now);
        Ok(())
    }
}

impl Broken {
    /// The line and its event are written. That the link was used is not, nor by which request: the link stays open, and the use
    /// is kept under the digest of a request that nobody makes.
    fn claim_and_lose(&self, connect: &Connect) -> Result<Claimed, Down> {
        let (line_link, now) = (connect.line_link, connect.now);
        let mut connect = Connect { max_uses: usize::MAX, ..connect.clone() };
        connect.claim.request_digest[..16].copy_from_slice(connect.claim.line_id.as_bytes());
        let Some(LinkEntry { owner, purge_at, .. }) = self.link(line_link) else { return Ok(Claimed::Conflict) };
        let setting = LinkSetting {
            line_link,
            owner,
            version: u64::MAX,
            admits: Admission::Many,
            recognisable: false,
            now,
            max_links: 1,
            expires: purge_at,
            purge_at,
        };
        self.atomically(|memory| {
            memory.set_link(&setting)?;
            memory.claim(&connect)
        })
    }
}

fn broken(broken: Broken) -> Running<Broken> {
    Running::with(broken, Limits::default())
}

/// The storage fails before or after it has kept what it was asked to: the same request again heals it.
#[test]
fn r13_7_a_crash_is_healed_by_the_same_request() {
    for kept in [false, true] {
        let crash = |relay: &mut Running<Broken>, from: u8, request: &Request<'_>| {
            relay.directory().fails.set(Some(kept));
            assert_eq!(relay.handle(from, request), Err(RelayError::Directory(Down)));
            relay.handle(from, request).unwrap()
        };
        let mut relay = broken(Broken::default());
        let issue = Request::IssueLineLink { request_id: [1; 16].into() };
        let Some(Event::LineLinkIssued { line_link, .. }) = crash(&mut relay, ALICE, &issue).reply else { panic!() };
        assert_eq!(relay.directory().memory.borrow().links(), 1);

        // If the first attempt was kept, nobody is notified again: the events wait. Bob is told at once.
        let formed = |relay: &mut Running<Broken>, from: u8, response: Response| {
            let Event::Connected { line_id, .. } = Event::decode(&relay.waiting(from)[0].1).unwrap() else { panic!() };
            let told = response.reply.is_some();
            assert_eq!((told, response.notify[0].is_none()), (kept, kept));
            line_id
        };
        let response = crash(&mut relay, BOB, &on_board(line_link));
        let line_id = formed(&mut relay, BOB, response);
        assert_eq!(
            (relay.waits(ALICE), relay.waits(BOB), relay.directory().memory.borrow().lines()),
            (vec!["LineFormed on board".into()], vec!["Connected".into()], 1)
        );

        crash(&mut relay, BOB, &Request::Packet { line_id, payload: b"words" });
        assert_eq!(relay.waits(ALICE).len(), if kept { 3 } else { 2 });

        let told = crash(&mut relay, BOB, &Request::Disconnect { line_id });
        assert_eq!(told.reply, Some(Event::Disconnected { line_id }));
        assert_eq!(relay.waits(ALICE).iter().filter(|word| *word == "Disconnected").count(), 1);

        let superport = relay.issue(ALICE, 3);
        crash(&mut relay, ALICE, &set(superport, 1, Admission::Many));
        for from in [4, 5] {
            let before = relay.waits(ALICE).len();
            let response = crash(&mut relay, from, &connect(superport));
            formed(&mut relay, from, response);
            assert_eq!((relay.waits(ALICE).len(), relay.waits(from)), (before + 1, vec!["Connected".into()]));
        }

        let other = relay.line(ALICE, CAROL, 2);
        relay.acknowledge_all(CAROL);
        relay.directory().fails.set(Some(kept));
        assert_eq!(relay.relay.remove(user(ALICE), |_| {}), Err(Down));
        relay.relay.remove(user(ALICE), |_| {}).unwrap();
        assert_eq!(relay.waiting(CAROL), [(2, Event::Disconnected { line_id: other }.to_vec())]);
    }
}

/// Lost write of `claim`, or `Formed` twice: two lines of one link. Alice takes the first, and tells the relay to end the
/// other.
#[test]
fn r13_7_a_claim_that_was_lost_gives_alice_no_second_line() {
    let mut relay = broken(Broken { claim_lost: true, ..Broken::default() });
    let mut alice = Alice::request(PortOptions::new(), seed(1)).committed();
    let Some(AliceEffect::Send(request)) = alice.pending().next() else { panic!() };
    let issued = relay.reply(ALICE, &request);
    alice.handle(&issued, &NoPeers, NOW, &mut Unused).unwrap().committed().for_each(drop);
    let line_link = alice.port().unwrap().line_link();

    let first = relay.forms(ALICE, BOB, &connect(line_link));
    let second = relay.forms(ALICE, CAROL, &connect(line_link));
    assert_ne!(first, second);
    let told = relay.waiting(ALICE);
    alice.handle(&Event::decode(&told[0].1).unwrap(), &NoPeers, NOW, &mut Unused).unwrap().committed().for_each(drop);
    assert_eq!(
        alice.handle(&Event::decode(&told[1].1).unwrap(), &NoPeers, NOW, &mut Unused).err(),
        Some(Rejected::UnwantedLine(second))
    );
    relay.reply(ALICE, &Request::Disconnect { line_id: second });
    assert_eq!(relay.waits(CAROL), ["Connected", "Disconnected"]);
    assert_eq!(relay.waits(BOB), ["Connected"]);
}

/// A lost write of `issue` costs a Port; of `close_link`, nothing, as Alice is closed; of `leave`, what the other end still says.
#[test]
fn r13_7_what_a_lost_write_costs() {
    let mut relay = broken(Broken::default());
    relay.directory().lost.set(true);
    let line_link = relay.issue(ALICE, 1);
    assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Unknown));
    // Alice asks again, and gets another link.
    assert_ne!(relay.issue(ALICE, 1), line_link);

    let mut alice = Alice::request(PortOptions::new(), seed(1)).committed();
    let Some(AliceEffect::Send(request)) = alice.pending().next() else { panic!() };
    let issued = relay.reply(ALICE, &request);
    alice.handle(&issued, &NoPeers, NOW, &mut Unused).unwrap().committed().for_each(drop);
    let line_link = alice.port().unwrap().line_link();
    let Some(AliceEffect::Send(close)) = alice.revoke().unwrap().committed().next() else { panic!() };
    relay.directory().lost.set(true);
    assert_eq!(relay.handle(ALICE, &close).unwrap().reply, None);
    let line_id = relay.forms(ALICE, BOB, &connect(line_link));
    let told = relay.waiting(ALICE);
    assert_eq!(
        alice.handle(&Event::decode(&told[0].1).unwrap(), &NoPeers, NOW, &mut Unused).err(),
        Some(Rejected::UnwantedLine(line_id))
    );

    relay.directory().lost.set(true);
    assert_eq!(relay.reply(ALICE, &Request::Disconnect { line_id }), Event::Disconnected { line_id });
    assert_eq!(relay.waits(BOB), ["Connected"]);
    relay.reply(ALICE, &Request::Disconnect { line_id });
    assert_eq!(relay.waits(BOB), ["Connected", "Disconnected"]);
}

/// A stale read says that the link is open. The write depends on the row as it is, and nothing moves.
#[test]
fn r13_7_a_stale_read_forms_no_second_line() {
    let mut relay = broken(Broken::default());
    let line_link = relay.issue(ALICE, 1);
    let open = relay.directory().link(line_link);
    relay.forms(ALICE, BOB, &connect(line_link));
    let memory = relay.directory().memory.take();
    let mut stale = broken(Broken { memory: RefCell::new(memory), stale: open, ..Broken::default() });
    stale.rng = relay.rng;
    let before = stale.waiting(ALICE);
    assert_eq!(stale.handle(CAROL, &connect(line_link)), Err(RequestError::Contended.into()));
    assert_eq!(stale.handle(BOB, &connect(line_link)), Err(RequestError::Contended.into()));
    assert_eq!(stale.waiting(ALICE), before);

    let mut taken = broken(Broken { claim_fails: true, ..Broken::default() });
    let line_link = taken.issue(ALICE, 1);
    assert_eq!(taken.handle(BOB, &connect(line_link)), Err(RequestError::Contended.into()));
}

/// The same for a link for many. The write depends on the admission of the link and on the line that a request was given.
#[test]
fn r13_7_a_stale_read_of_a_link_for_many_forms_no_second_line() {
    let mut relay = broken(Broken::default());
    let line_link = relay.issue(ALICE, 1);
    let link = |relay: &Running<Broken>| relay.directory().link(line_link);
    let mut stood = vec![link(&relay)];
    relay.handle(ALICE, &set(line_link, 1, Admission::Many)).unwrap();
    relay.forms(ALICE, BOB, &connect(line_link));
    stood.push(link(&relay));
    relay.handle(ALICE, &set(line_link, 2, Admission::Nobody)).unwrap();
    let before = relay.waiting(ALICE);
    for (stale, uses_stale) in [(stood[0], false), (stood[1], true), (None, true)] {
        let memory = relay.directory().memory.take();
        let rng = std::mem::take(&mut relay.rng);
        relay = Running { rng, ..broken(Broken { memory: memory.into(), stale, uses_stale, ..Broken::default() }) };
        for from in [BOB, CAROL] {
            let paused = stale.is_none().then(|| refused(line_link, Reason::Paused));
            let response = relay.handle(from, &connect(line_link)).map(|response| response.reply);
            assert_eq!(response, paused.map_or(Err(RequestError::Contended.into()), |paused| Ok(Some(paused))));
        }
        assert_eq!(relay.waiting(ALICE), before);
    }
    // The link is open again. A relay that reads nothing of Bob's line can't give it to Bob again.
    relay.handle(ALICE, &set(line_link, 3, Admission::Many)).unwrap();
    assert_eq!(relay.handle(BOB, &connect(line_link)), Err(RequestError::Contended.into()));
    assert_eq!(relay.waiting(ALICE), before);
    relay.handle(ALICE, &set(line_link, 4, Admission::One)).unwrap();
    assert_eq!(relay.handle(BOB, &connect(line_link)), Err(RequestError::Contended.into()));
    relay.forms(ALICE, CAROL, &connect(line_link));
}

/// A lost write of `set_link` costs the link, until Alice sets it again. After a lost write of `claim`, Bob takes the line it hears of.
#[test]
fn r13_7_what_a_lost_write_costs_a_link_for_many() {
    let mut relay = broken(Broken::default());
    let line_link = relay.issue(ALICE, 1);
    relay.handle(ALICE, &set(line_link, 1, Admission::Nobody)).unwrap();
    relay.directory().lost.set(true);
    relay.handle(ALICE, &set(line_link, 2, Admission::Many)).unwrap();
    assert_eq!(relay.reply(BOB, &connect(line_link)), refused(line_link, Reason::Paused));
    relay.handle(ALICE, &set(line_link, 2, Admission::Many)).unwrap();
    relay.forms(ALICE, BOB, &connect(line_link));

    let mut relay = broken(Broken { claim_lost: true, ..Broken::default() });
    let port = alice_on(relay.issue(ALICE, 1)).port().unwrap().clone();
    relay.handle(ALICE, &set(port.line_link(), 1, Admission::Many)).unwrap();
    let mut bob = Bob::scan(port, seed(2)).committed();
    let Some(BobEffect::Send(request)) = bob.connect(SendProof::Inline, NOW).unwrap().committed().next() else {
        panic!()
    };
    let request = request.to_vec();
    let [_, second] = [(); 2].map(|()| relay.forms(ALICE, BOB, &Request::decode(&request).unwrap()));
    let waiting = relay.waiting(BOB);
    let [first_event, second_event] = [0, 1].map(|n: usize| Event::decode(&waiting[n].1).unwrap());
    assert_ne!(first_event, second_event);
    bob.handle(&first_event, &NoPeers, NOW, &mut Unused).unwrap().committed().for_each(drop);
    assert_eq!(bob.handle(&second_event, &NoPeers, NOW, &mut Unused).err(), Some(Rejected::UnwantedLine(second)));
}

fn alice_on(line_link: LineLink) -> Alice {
    Alice::offer(line_link, PortOptions::new(), seed(1)).committed()
}

#[test]
fn r13_7_packets_that_are_lost_repeated_or_never_acknowledged_do_no_harm() {
    let mut relay = broken(Broken { push_lost: true, ..Broken::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    assert_eq!(relay.send(BOB, line_id, b"lost").reply, None);
    assert_eq!(relay.waits(ALICE), ["LineFormed"]);

    let mut relay = broken(Broken { push_twice: true, acknowledge_lost: true, ..Broken::default() });
    let line_id = relay.line(ALICE, BOB, 1);
    let (mut at_alice, mut at_bob) = common::confirmed();
    let packet = common::arrives(&at_bob.takes(&common::Input::seal("words")));
    relay.send(BOB, line_id, &common::payload_of(&packet));
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        for (_, event) in &relay.waiting(ALICE)[1..] {
            let Event::Packet { payload, .. } = Event::decode(event).unwrap() else { panic!() };
            let event = Event::Packet { line_id: common::line_id(), payload }.to_vec();
            outcomes.push(at_alice.give(&common::Input::Event(event), NOW).err());
        }
        relay.acknowledge_all(ALICE);
    }
    let repeated = Some(common::Refusal::Rejected(Rejected::Duplicate));
    assert_eq!(outcomes, [None, repeated, repeated, repeated]);
}
