//! §18.9: bodies larger than a part.

use port_protocol::portal::*;

use super::world::*;

/// Both ends, a network that loses what a bit says, and what the app there got and gives.
struct Play {
    a: Side,
    b: Side,
    got: Vec<u8>,
    gives: Vec<u8>,
    given: usize,
    /// One bit a message: lost are those with a 1.
    losses: u64,
    asked: u32,
}

impl Play {
    fn is_lost(&mut self) -> bool {
        let is_lost = self.losses & 1 == 1;
        self.losses >>= 1;
        is_lost
    }

    /// One message to Ben's Portal, and its answer.
    fn post(&mut self, outgoing: &Outgoing) -> Option<Result<Vec<u8>, Refusal>> {
        if self.is_lost() {
            return None;
        }
        let Self { b, got, gives, given, .. } = self;
        let (manifest, mut buffer) = (manifest(), Vec::new());
        let Side { portal, peer, store, rng, .. } = b;
        let reply = (|| {
            let Received::Incoming(incoming) = portal.receive(&outgoing.message, &mut buffer, NOW)? else { panic!() };
            let Ok(asked) = peer.take(incoming, |_| Some(&manifest), NOW)?.store(|write| store.keep(write));
            let give = |given: &mut usize| {
                let end = (*given + MAX_BODY_PART).min(gives.len());
                let part = &gives[*given..end];
                *given = end;
                if end < gives.len() { Part::with_more(part) } else { Part::last(part) }.unwrap()
            };
            let (part, pending) = match asked {
                Asked::Request(request, pending) => (request.body, pending),
                Asked::BodyPart(part, pending) => (part, pending),
                Asked::More(pending) => {
                    let part = give(given);
                    let Ok(reply) = peer.answer_part(pending, &part).unwrap().store(|write| store.keep(write));
                    return portal.seal(peer, reply, NOW, rng);
                }
                Asked::Reply(reply) => return portal.seal(peer, reply, NOW, rng),
            };
            got.extend_from_slice(part.bytes());
            let reply = if part.has_more() {
                let Ok(reply) = peer.proceed(pending).unwrap().store(|write| store.keep(write));
                reply
            } else {
                let answer = Answer { status: Status::OK, headers: Headers::EMPTY, body: give(given) };
                let Ok(reply) = peer.answer(pending, &answer).unwrap().store(|write| store.keep(write));
                reply
            };
            portal.seal(peer, reply, NOW, rng)
        })();
        if self.is_lost() { None } else { Some(reply) }
    }

    /// Asks until there is an answer, as a host does.
    fn exchange(&mut self, ask: impl Fn(&mut Side) -> Outgoing) -> Result<(bool, Vec<u8>), Reason> {
        loop {
            self.asked += 1;
            assert!(self.asked < 500, "asked for ever");
            let mut outgoing = ask(&mut self.a);
            let Some(reply) = self.post(&outgoing) else { continue };
            let reply = reply.unwrap_or_else(|refusal| refusal.to_vec());
            let Side { portal, peer, store, .. } = &mut self.a;
            let mut buffer = Vec::new();
            let step = match peer.hear(portal, &mut outgoing.waiting, &reply, &mut buffer, NOW) {
                Err(HearError::Refused(Refusal::NoSession)) => continue,
                step => step.unwrap(),
            };
            let Ok(heard) = step.store(|write| store.keep(write));
            match heard {
                Heard::Opened | Heard::Working => {}
                Heard::Continue => return Ok((true, Vec::new())),
                Heard::Answer(Answer { body, .. }) | Heard::Part(body) => {
                    return Ok((body.has_more(), body.bytes().to_vec()));
                }
                Heard::Refused(reason) => return Err(reason),
            }
        }
    }
}

fn bytes(length: usize, first: u8) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ first).collect()
}

/// R18.9: whatever is lost, both bodies arrive whole, and the app gets and gives each part once.
#[test]
fn r18_9_large_bodies_arrive_whole_whatever_is_lost() {
    for (up, down) in [(0, 100_000), (100_000, 10), (MAX_BODY_PART, MAX_BODY_PART), (70_000, 70_000)] {
        for losses in [0, 0b1010_1010, 0b11, u64::MAX >> 40, 0x5a5a_33cc_0f0f] {
            let [a, b] = Side::pair();
            let mut play = Play { a, b, got: vec![], gives: bytes(down, 7), given: 0, losses, asked: 0 };
            let (id, body) = (play.a.draw_id(), bytes(up, 3));
            let parts: Vec<_> = body.chunks(MAX_BODY_PART).collect();
            let part = |at: usize| {
                let bytes = parts.get(at).copied().unwrap_or_default();
                if at + 1 < parts.len() { Part::with_more(bytes) } else { Part::last(bytes) }.unwrap()
            };
            let mut said = play.exchange(|a| a.ask(id, "PUT", "/peer/file", part(0))).unwrap();
            for at in 1..parts.len() {
                assert_eq!(said, (true, vec![]));
                said = play.exchange(|a| a.ask_part(id, at as u64, part(at))).unwrap();
            }
            let (mut more, mut heard) = said;
            for number in 1.. {
                if !more {
                    break;
                }
                let part = play.exchange(|a| a.ask_more(id, number));
                let (has_more, part) = part.unwrap();
                heard.extend(part);
                more = has_more;
            }
            assert_eq!((play.got, heard), (body, play.gives), "{up} {down} {losses:b}");
        }
    }
}

/// R18.9.4, R18.8.6: a part out of order is refused, and what was lost with the memory is told.
#[test]
fn r18_9_a_part_that_has_no_place_is_refused() {
    let [a, b] = Side::pair();
    let mut play = Play { a, b, got: vec![], gives: bytes(70_000, 7), given: 0, losses: 0, asked: 0 };
    let id = play.a.draw_id();
    let part = |play: &mut Play, id, number| play.exchange(|a| a.ask_part(id, number, Part::EMPTY));
    let more = |play: &mut Play, id, number| play.exchange(|a| a.ask_more(id, number));
    assert_eq!(part(&mut play, id, 1), Err(Reason::Malformed));
    assert_eq!(more(&mut play, id, 1), Err(Reason::Malformed));
    let first = Part::with_more(b"abc").unwrap();
    assert_eq!(play.exchange(|a| a.ask(id, "PUT", "/peer/file", first)), Ok((true, vec![])));
    assert_eq!(part(&mut play, id, 2), Err(Reason::Malformed));
    assert_eq!(more(&mut play, id, 1), Err(Reason::Malformed));
    assert_eq!(part(&mut play, id, 0), Err(Reason::Malformed)); // numbers begin at 1
    let (has_more, answer) = part(&mut play, id, 1).unwrap();
    assert!(has_more && answer.len() == MAX_BODY_PART);
    assert_eq!(more(&mut play, id, 2), Err(Reason::Malformed));
    let second = more(&mut play, id, 1).unwrap();
    assert_eq!(more(&mut play, id, 1).unwrap(), second);
    assert_eq!(play.given, 2 * MAX_BODY_PART);
    play.b.crash();
    assert_eq!(more(&mut play, id, 2), Err(Reason::Interrupted));
    // The first part was promised.
    assert_eq!(play.exchange(|a| a.ask(id, "PUT", "/peer/file", first)).unwrap().1, answer);
}

/// R18.9.2: no part reaches the app before it can take it, however the peer hurries.
#[test]
fn r18_9_a_part_waits_until_the_app_can_take_it() {
    let [mut a, mut b] = Side::pair();
    let manifest = manifest();
    let deliver = |a: &mut Side, b: &mut Side, mut outgoing: Outgoing| {
        let mut buffer = Vec::new();
        let Ok(Received::Incoming(incoming)) = b.portal.receive(&outgoing.message, &mut buffer, NOW) else { panic!() };
        let step = b.peer.take(incoming, |_| Some(&manifest), NOW).unwrap();
        let Ok(asked) = step.store(|write| b.store.keep(write));
        match asked {
            Asked::Reply(reply) => {
                let reply = b.portal.seal(&b.peer, reply, NOW, &mut b.rng).unwrap();
                Err(a.hear(&mut outgoing.waiting, &reply).unwrap())
            }
            Asked::Request(_, pending) | Asked::BodyPart(_, pending) | Asked::More(pending) => Ok(pending),
        }
    };
    let (id, part) = (a.draw_id(), Part::with_more(b"part").unwrap());
    let opening = a.ask(id, "PUT", "/peer", part);
    assert_eq!(deliver(&mut a, &mut b, opening).err().as_deref(), Some("Opened"));
    let first = a.ask(id, "PUT", "/peer", part);
    let pending = deliver(&mut a, &mut b, first).unwrap();
    for hurry in 0..3 {
        let early = if hurry == 0 { a.ask(id, "PUT", "/peer", part) } else { a.ask_part(id, 1, part) };
        assert_eq!(deliver(&mut a, &mut b, early).err().as_deref(), Some("Working"));
    }
    let Ok(_) = b.peer.proceed(pending).unwrap().store(|write| b.store.keep(write));
    let second = a.ask_part(id, 1, part);
    let pending = deliver(&mut a, &mut b, second).unwrap();
    let third = a.ask_part(id, 2, part);
    assert_eq!(deliver(&mut a, &mut b, third).err().as_deref(), Some("Working"));
    // The app stops: the peer hears of it, and hears the same again.
    let Ok(_) = b.peer.interrupt(pending).unwrap().store(|write| b.store.keep(write));
    for again in [a.ask_part(id, 2, part), a.ask(id, "PUT", "/peer", part)] {
        assert_eq!(deliver(&mut a, &mut b, again).err().as_deref(), Some("Refused(Interrupted)"));
    }
}

/// R18.8.2: a callee that stopped while the app worked says so.
#[test]
fn r18_8_a_request_that_was_interrupted_is_told() {
    let [a, b] = Side::pair();
    let mut play = Play { a, b, got: vec![], gives: vec![], given: 0, losses: 0, asked: 0 };
    let id = play.a.draw_id();
    let first = Part::with_more(b"abc").unwrap();
    play.exchange(|a| a.ask(id, "PUT", "/peer/file", first)).unwrap();
    play.b.crash();
    assert_eq!(play.exchange(|a| a.ask(id, "PUT", "/peer/file", first)), Err(Reason::Interrupted));
    assert_eq!(play.got, b"abc");
}
