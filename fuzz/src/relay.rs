//! `relay_handle`: four users make requests to one relay whose storage fails now and then.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;

use port_protocol::relay::{
    Claimed, Connect, Delivery, Departure, Directory, Issued, Limits, LinkClosure, LinkSet, LinkSetting, MarkKey,
    Memory, NewLink, Packet, Pushed, Relay, RelayError, Response, UserId,
};
use port_protocol::{Admission, Event, LineId, Request, Secret, UnixSeconds};

use crate::input::{Input, flip};
use crate::rules::{News, Outcome, Rules, User, at_second, id, line_of};

/// A long script shows no more than a short one, only later.
const MOST_REQUESTS: usize = 160;

/// `true` if a line was formed.
pub fn relay_handle(data: &[u8]) -> bool {
    let mut input = Input(data);
    let mut world = World::new(input.byte());
    for _ in 0..MOST_REQUESTS {
        let Some(what) = input.next() else { break };
        world.act(what, &mut input);
        world.look();
    }
    !world.rules.line_names().is_empty()
}

struct World {
    relay: Relay<Failing>,
    rng: Counting,
    rules: Rules,
    /// The numbers that each user was given, and what they stood for.
    given: [BTreeMap<u64, Vec<u8>>; 4],
    last: Vec<u8>,
}

impl World {
    fn new(limits: u8) -> Self {
        let part = |at: u8, of: u8| usize::from(limits >> at) % usize::from(of);
        let limits = Limits {
            links: 1 + part(0, 4),
            lines: 1 + part(2, 4),
            uses: 1 + part(1, 3),
            packets: 1 + part(4, 4),
            bytes: 8 + 24 * part(6, 4),
            lifetime_secs: 1000,
            retention_secs: 300,
        };
        let relay = Relay::new(Failing::default(), limits, MarkKey::new(Secret::from([9; 32])));
        let rules = Rules::new(limits, at_second(1_000_000));
        Self { relay, rng: Counting(0), rules, given: Default::default(), last: Vec::new() }
    }

    fn act(&mut self, what: u8, input: &mut Input<'_>) {
        let user = what >> 6;
        let from = if what & 0x20 == 0 { user } else { input.byte() % 4 };
        // One that there is, one that there was, one that never was.
        let line_link = |input: &mut Input<'_>, rules: &Rules| pick(rules.link_names(), input);
        let line_id = |input: &mut Input<'_>, rules: &Rules| pick(rules.line_names(), input);
        match what & 0x1f {
            0..4 => self.ask(from, &Request::IssueLineLink { request_id: [input.byte() % 8; 16].into() }.to_vec()),
            4..8 => {
                let line_link = line_link(input, &self.rules);
                let request_id = [input.byte() % 4; 16].into();
                let mut request = Request::Connect { line_link, request_id, proof: None }.to_vec();
                if what & 1 == 1 {
                    // `[1, [17, line_link, request_id, [key, ciphertext]]]`: a proof of any content, and of any length that fits.
                    request[2] += 1;
                    let (key, ciphertext) = (input.byte() % 24, input.byte() % 24);
                    request.extend([0x82, 0x40 | key]);
                    request.extend(vec![7; key.into()]);
                    request.push(0x40 | ciphertext);
                    request.extend(vec![8; ciphertext.into()]);
                    assert!(Request::decode(&request).is_ok());
                }
                self.ask(from, &request);
            }
            8..14 => {
                let line_id = line_id(input, &self.rules);
                let payload = vec![input.byte(); usize::from(input.byte()) % 96];
                self.ask(from, &Request::Packet { line_id, payload: &payload }.to_vec());
            }
            14 | 15 => {
                let line_id = line_id(input, &self.rules);
                self.ask(from, &Request::Disconnect { line_id }.to_vec());
            }
            16 | 17 => {
                let line_link = line_link(input, &self.rules);
                self.ask(from, &Request::CloseLineLink { line_link }.to_vec());
            }
            18..21 => self.acknowledge(from, input),
            21 => self.pass(input.byte()),
            22 => self.remove(from),
            23 => {
                let length = usize::from(input.byte());
                self.ask(from, input.take(length));
            }
            24 | 25 => {
                let mut near = self.last.clone();
                flip(&mut near, input.u16());
                self.ask(from, &near);
            }
            26 => self.ask(from, &self.last.clone()),
            // The next transaction fails: before it has done anything, or after it has done all.
            27 => self.relay.directory().fails.set(Some(false)),
            28 => self.relay.directory().fails.set(Some(true)),
            _ => {
                let (line_link, how) = (line_link(input, &self.rules), input.byte());
                let admits = [Admission::Many, Admission::Nobody, Admission::One][usize::from(how % 3)];
                let (version, recognisable) = (u64::from(how / 6), how / 3 % 2 == 1);
                self.ask(from, &Request::SetLineLink { line_link, version, admits, recognisable }.to_vec());
            }
        }
    }

    /// Seconds, or hours; or the clock goes back.
    fn pass(&mut self, how: u8) {
        let (now, n) = (self.rules.now.as_secs(), u64::from(how));
        self.rules.now = at_second(match how {
            0..128 => now + 16 * n,
            128..192 => now + 6 * 60 * 60 * (n - 127),
            192.. => now.saturating_sub(600 * (n - 191)),
        });
    }

    /// The last line that this user's requests have formed.
    fn news(&self, from: User) -> Option<News> {
        let connected = self.waiting(from).into_iter().rev().find_map(|(_, event)| match Event::decode(&event) {
            Ok(Event::Connected { line_id, peer, .. }) => Some((line_id, peer)),
            _ => None,
        });
        let (line_id, user_sees) = connected?;
        let all = (0..4).flat_map(|user| self.waiting(user));
        let owner_sees = { all }.find_map(|(_, event)| match Event::decode(&event) {
            Ok(Event::LineFormed { line_id: of, peer, .. }) if of == line_id => Some(peer),
            _ => None,
        });
        Some(News { line_id, owner_sees: owner_sees?, user_sees })
    }

    /// Asks, and holds what comes of it against the rules.
    fn ask(&mut self, from: User, bytes: &[u8]) {
        self.last = bytes.to_vec();
        let request = Request::decode(bytes);
        let is_his = request.as_ref().is_ok_and(|request| self.rules.is_his(from, request));
        let is_packet = matches!(request, Ok(Request::Packet { .. }));
        let armed = self.relay.directory().fails.get();

        let mut got = self.handle(from, bytes);
        if armed.is_some() && self.relay.directory().fails.take().is_none() {
            assert_eq!(got, Err(RelayError::Directory(Down)));
            got = self.handle(from, bytes);
            match (armed, is_packet) {
                // What was done once is not done twice. A user that the first attempt notified is not notified by the second.
                (Some(true), false) => {
                    let news = self.news(from);
                    let due = self.rules.ask(from, bytes, &got, news);
                    // Of a line that was formed there is a reply only now.
                    let due = match due {
                        Ok(Response { reply: None, notify: [Some(_), Some(_)] }) => {
                            self.rules.ask(from, bytes, &got, news)
                        }
                        due => due,
                    };
                    assert_eq!(reply(got.clone()), reply(due));
                    self.repeat(from, bytes, &got);
                    return;
                }
                // But a packet is.
                (Some(true), true) => drop(self.rules.ask(from, bytes, &got, None)),
                _ => {}
            }
        }
        let due = self.rules.ask(from, bytes, &got, self.news(from));
        assert_eq!(got, due);
        if !is_packet || got.is_err() {
            self.repeat(from, bytes, &got);
        }
        if let (Ok(request), false) = (request, is_his) {
            self.as_one_that_never_was(from, &request, &got);
        }
    }

    fn handle(&mut self, from: User, bytes: &[u8]) -> Outcome {
        if let Ok(Request::IssueLineLink { .. }) = Request::decode(bytes) {
            self.rules.purge();
        }
        self.relay.handle(id(from), bytes, &mut self.rng, self.rules.now)
    }

    /// The same request again gets the same reply and notifies nobody; [`look`](Self::look) sees that nothing moves. Of a line that it
    /// formed it is told only now, in the reply. A link may be purged between.
    fn repeat(&mut self, from: User, bytes: &[u8], first: &Outcome) {
        let second = self.handle(from, bytes);
        let due = match (Request::decode(bytes), first) {
            (Ok(Request::Connect { .. }), Ok(Response { reply: None, .. })) => {
                self.rules.ask(from, bytes, &second, None)
            }
            (Ok(Request::IssueLineLink { .. }), _) => self.rules.ask(from, bytes, &second, None),
            (_, Ok(first)) => Ok(Response { reply: first.reply.clone(), notify: [None; 2] }),
            (_, Err(_)) => first.clone(),
        };
        assert_eq!(second, due);
    }

    /// To who is no end of a line, or not the owner of a link.
    fn as_one_that_never_was(&mut self, from: User, request: &Request<'_>, first: &Outcome) {
        let told = Some(Event::Disconnected { line_id: NEVER.into() });
        let (request, told) = match request {
            Request::Packet { payload, .. } => (Request::Packet { line_id: NEVER.into(), payload }, told),
            Request::Disconnect { .. } => (Request::Disconnect { line_id: NEVER.into() }, told),
            Request::CloseLineLink { .. } => (Request::CloseLineLink { line_link: NEVER.into() }, None),
            Request::SetLineLink { version, admits, recognisable, .. } => {
                let (version, admits, recognisable) = (*version, *admits, *recognisable);
                let told = self.rules.queues[usize::from(from)].is_empty();
                let told = told.then_some(Event::LineLinkLost { line_link: NEVER.into() });
                (Request::SetLineLink { line_link: NEVER.into(), version, admits, recognisable }, told)
            }
            _ => return,
        };
        let of_never = self.handle(from, &request.to_vec());
        match first {
            Ok(_) => assert_eq!(of_never, Ok(Response { reply: told, notify: [None; 2] })),
            Err(_) => assert_eq!(of_never, *first),
        }
    }

    fn acknowledge(&mut self, user: User, input: &mut Input<'_>) {
        let given = &self.given[usize::from(user)];
        let last = given.keys().next_back().copied().unwrap_or(0);
        let upto = match input.byte() {
            0 => u64::MAX,
            1 => last + 1,
            place => given.keys().rev().nth(usize::from(place - 2)).copied().unwrap_or(0),
        };
        let taken = self.waiting(user).iter().filter(|(sequence, _)| *sequence <= upto && upto <= last).count();
        if self.relay.acknowledge(id(user), upto) == Err(Down) {
            assert_eq!(self.relay.acknowledge(id(user), upto), Ok(()));
        }
        self.rules.acknowledge(user, taken);
    }

    fn remove(&mut self, user: User) {
        let mut told = Vec::new();
        if self.relay.remove(id(user), |other| told.push(other)) == Err(Down) {
            assert_eq!(self.relay.remove(id(user), |other| told.push(other)), Ok(()));
        }
        let mut due: Vec<_> = self.rules.remove(user).into_iter().map(id).collect();
        told.sort_unstable();
        due.sort_unstable();
        assert_eq!(told, due);
        // A removed user begins anew if it asks again.
        self.given[usize::from(user)].clear();
    }

    fn waiting(&self, user: User) -> Vec<(u64, Vec<u8>)> {
        let (mut all, mut after) = (Vec::new(), 0);
        while let Ok(Some(Delivery { sequence, event })) = self.relay.next(id(user), after) {
            assert!(sequence > after, "numbers rise");
            after = sequence;
            all.push((sequence, event));
        }
        all
    }

    /// After each request: what waits for whom, and how much is held.
    fn look(&mut self) {
        for user in 0..4 {
            let waiting = self.waiting(user);
            let due = &self.rules.queues[usize::from(user)];
            assert!(waiting.iter().map(|(_, event)| event).eq(due), "user {user}: {waiting:?}, and not {due:?}");
            for (sequence, event) in waiting {
                let given = &mut self.given[usize::from(user)];
                let last = given.keys().next_back().copied().unwrap_or(0);
                match given.get(&sequence) {
                    Some(known) => assert!(*known == event, "number {sequence} twice"),
                    None => assert!(sequence > last, "number {sequence} after {last}"),
                }
                given.insert(sequence, event);
            }
            self.is_within_limits(user);
        }
        let memory = self.relay.directory().memory.borrow();
        assert_eq!(memory.lines(), self.rules.lines());
        assert_eq!(memory.links(), self.rules.links());
    }

    fn is_within_limits(&self, user: User) {
        let limits = &self.rules.limits;
        let mut of_lines: BTreeMap<LineId, (usize, usize, usize)> = BTreeMap::new();
        for (_, event) in self.waiting(user) {
            let (packets, bytes, notices) = of_lines.entry(line_of(&event)).or_default();
            match Event::decode(&event) {
                Ok(Event::Packet { payload, .. }) => (*packets, *bytes) = (*packets + 1, *bytes + payload.len()),
                _ => *notices += 1,
            }
        }
        assert!(of_lines.len() <= limits.lines);
        for (packets, bytes, notices) in of_lines.values() {
            assert!(*packets <= limits.packets && *bytes <= limits.bytes && *notices <= 3);
        }
    }
}

fn reply(outcome: Outcome) -> Result<Option<Event<'static>>, RelayError<Down>> {
    outcome.map(|response| response.reply)
}

fn pick<T: Copy + From<[u8; 16]>>(mut names: Vec<T>, input: &mut Input<'_>) -> T {
    names.push(NEVER.into());
    *input.pick(&names).expect("one at least")
}

/// No link or line is ever named so.
const NEVER: [u8; 16] = [0xEE; 16];

/// What names are drawn from: 1, 2, 3, …
struct Counting(u128);

impl rand_core::TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        bytes.copy_from_slice(&self.0.to_be_bytes());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Down;

/// A storage whose next transaction may fail: before it has done anything, or after it has done all.
#[derive(Default)]
struct Failing {
    memory: RefCell<Memory>,
    fails: Cell<Option<bool>>,
}

impl Failing {
    fn atomically<T>(&self, work: impl FnOnce(&mut Memory) -> Result<T, Infallible>) -> Result<T, Down> {
        let fails = self.fails.take();
        if fails == Some(false) {
            return Err(Down);
        }
        let Ok(done) = work(&mut self.memory.borrow_mut());
        if fails == Some(true) { Err(Down) } else { Ok(done) }
    }
}

impl Directory for Failing {
    type Error = Down;
    type Bytes<'d> = Vec<u8>;

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Down> {
        self.atomically(|memory| memory.issue(link))
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Down> {
        self.atomically(|memory| memory.claim(connect))
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Down> {
        self.atomically(|memory| memory.set_link(setting))
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Down> {
        self.atomically(|memory| memory.close_link(closure))
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Down> {
        self.atomically(|memory| memory.push(packet))
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Down> {
        self.atomically(|memory| memory.leave(departure))
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<Vec<u8>>>, Down> {
        let memory = self.memory.borrow();
        let Ok(next) = memory.next(user, after);
        Ok(next.map(|Delivery { sequence, event }| Delivery { sequence, event: event.to_vec() }))
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Down> {
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
