//! §13.3: what the relay calls one user towards another.

use std::collections::BTreeSet;

use hkdf::Hkdf;
use sha2::Sha256;

use super::*;

/// What Alice is told of Bob, and Bob of Alice.
fn marks_of(relay: &mut Running<Memory>, alice: u8, bob: u8, request: &Request<'_>) -> [PeerMark; 2] {
    relay.forms(alice, bob, request);
    [alice, bob].map(|of| match Event::decode(&relay.waiting(of).pop().unwrap().1).unwrap() {
        Event::LineFormed { peer, .. } | Event::Connected { peer, .. } => peer,
        other => panic!("{other:?}"),
    })
}

/// A link that its owner has set.
fn link(relay: &mut Running<Memory>, owner: u8, n: u8, recognisable: bool) -> LineLink {
    let line_link = relay.issue(owner, n);
    let (version, admits) = (1, Admission::Many);
    relay.handle(owner, &Request::SetLineLink { line_link, version, admits, recognisable }).unwrap();
    line_link
}

/// HMAC-SHA256 under the relay's key, by its own definition (RFC 2104).
fn hmac(message: &[&[u8]]) -> PeerMark {
    use sha2::Digest;
    let mut key = [0; 64];
    key[..32].copy_from_slice(marks().expose());
    let [inner, outer] = [0x36, 0x5C].map(|pad| key.map(|byte| byte ^ pad));
    let hash = |pad: [u8; 64], message: &[u8]| -> [u8; 32] { Sha256::digest([&pad[..], message].concat()).into() };
    hash(outer, &hash(inner, &message.concat())).into()
}

#[test]
fn r13_3_a_mark_is_hmac_of_viewer_peer_and_link() {
    let mut relay = relay(Limits::default());
    let once = relay.issue(ALICE, 1);
    let (many, known) = (link(&mut relay, ALICE, 2, false), link(&mut relay, ALICE, 3, true));
    let [alice, bob] = [&[ALICE; 32][..], &[BOB; 32]];
    for (line_link, recognisable) in [(once, false), (many, false), (known, true)] {
        let of_link = if recognisable { &[] } else { &line_link.as_bytes()[..] };
        let seen = marks_of(&mut relay, ALICE, BOB, &connect(line_link));
        assert_eq!(seen, [hmac(&[alice, bob]), hmac(&[bob, alice, of_link])]);
    }
    // That is HKDF-Extract, with the key as its salt.
    let (extracted, _) = Hkdf::<Sha256>::extract(Some(marks().expose()), &[alice, bob].concat());
    assert_eq!(hmac(&[alice, bob]).as_bytes()[..], extracted[..]);
}

/// Case M3: a user that holds two Ports of one person can't tell by what the relay calls that person.
#[test]
fn r13_3_a_user_sees_another_mark_at_each_link() {
    let mut relay = relay(Limits::default());
    // Names that have nothing in common.
    let draws = |relay: &mut Running<Memory>, n: u8| {
        let name: [u8; 16] = hmac(&[&[n]]).as_bytes()[..16].try_into().unwrap();
        relay.rng = Names(u128::from_be_bytes(name));
    };
    let links = [1, 2, 3, 4].map(|n| {
        draws(&mut relay, n);
        if n < 3 { relay.issue(ALICE, n) } else { link(&mut relay, ALICE, n, false) }
    });
    let of_carol = link(&mut relay, CAROL, 1, false);
    let mut at_bob = BTreeSet::new();
    let mut at_alice = BTreeSet::new();
    for (n, line_link) in (5..).zip(links) {
        draws(&mut relay, n);
        let [alice, bob] = marks_of(&mut relay, ALICE, BOB, &connect(line_link));
        at_alice.insert(*alice.as_bytes());
        at_bob.insert(*bob.as_bytes());
    }
    // Nothing else in what Bob gets is equal over two Ports either, but the request's id, which is Bob's own.
    let events: Vec<_> = relay.waiting(BOB).into_iter().map(|(_, event)| event).collect();
    for (n, one) in events.iter().enumerate() {
        for other in &events[n + 1..] {
            let (mut one, mut other) = (one.clone(), other.clone());
            for event in [&mut one, &mut other] {
                let own = event.windows(16).position(|bytes| bytes == [0xC0; 16]).unwrap();
                event.drain(own..own + 16);
            }
            assert!(one.windows(8).all(|bytes| !other.windows(8).any(|others| others == bytes)));
        }
    }
    at_bob.insert(*marks_of(&mut relay, CAROL, BOB, &connect(of_carol))[1].as_bytes());
    assert_eq!((at_bob.len(), at_alice.len()), (5, 1));
    // The second use of one link is by the same person, and looks so.
    let [_, again] = marks_of(&mut relay, ALICE, BOB, &connect_as(links[3], 1));
    assert!(at_bob.contains(again.as_bytes()));
    // Two users of one link, with their heads together, see two marks.
    let [_, other] = marks_of(&mut relay, ALICE, CAROL, &connect(links[3]));
    assert!(!at_bob.contains(other.as_bytes()));
}

/// Alice sees one user alike at each of its links, so that it can block that user, and each user apart.
#[test]
fn r13_3_an_owner_sees_the_same_mark_of_one_user_at_each_link() {
    let mut relay = relay(Limits::default());
    let links = [false, true, false].map(|recognisable| {
        let n = relay.rng.0 as u8;
        link(&mut relay, ALICE, n, recognisable)
    });
    let [of_bob, of_carol] = [BOB, CAROL].map(|bob| {
        let seen = links.map(|line_link| marks_of(&mut relay, ALICE, bob, &connect(line_link))[0]);
        assert!(seen.iter().all(|mark| *mark == seen[0]));
        seen[0]
    });
    assert_ne!(of_bob, of_carol);
    // Carol, as an owner, sees another mark of Bob: the two owners can't compare.
    let of_carols = link(&mut relay, CAROL, 1, false);
    assert_ne!(marks_of(&mut relay, CAROL, BOB, &connect(of_carols))[0], of_bob);
}

#[test]
fn r13_3_an_owner_that_wants_it_is_recognised_at_each_of_those_links() {
    let mut relay = relay(Limits::default());
    let [known, too] = [1, 2].map(|n| link(&mut relay, ALICE, n, true));
    let hidden = link(&mut relay, ALICE, 3, false);
    let [one, other, not] = [known, too, hidden].map(|of| marks_of(&mut relay, ALICE, BOB, &connect(of))[1]);
    assert!(one == other && one != not);
    // It holds from the next use on. What was said before is said again as it was.
    let before = relay.reply(BOB, &connect(hidden));
    let set = Request::SetLineLink { line_link: hidden, version: 2, admits: Admission::Many, recognisable: true };
    relay.handle(ALICE, &set).unwrap();
    assert_eq!(relay.reply(BOB, &connect(hidden)), before);
    assert_eq!(marks_of(&mut relay, ALICE, BOB, &connect_as(hidden, 1))[1], one);
    let set = Request::SetLineLink { line_link: hidden, version: 3, admits: Admission::Many, recognisable: false };
    relay.handle(ALICE, &set).unwrap();
    assert!(matches!(relay.reply(BOB, &connect_as(hidden, 1)), Event::Connected { peer, .. } if peer == one));
}

/// A link for one, when both have left its line: the answer is still the same.
#[test]
fn r13_3_a_claimed_link_keeps_its_mark() {
    for recognisable in [true, false] {
        let mut relay = relay(Limits::default());
        let line_link = relay.issue(ALICE, 1);
        let (version, admits) = (1, Admission::One);
        relay.handle(ALICE, &Request::SetLineLink { line_link, version, admits, recognisable }).unwrap();
        let line_id = relay.forms(ALICE, BOB, &connect(line_link));
        let connected = relay.waiting(BOB)[0].1.clone();
        assert_eq!(relay.directory().link(line_link).unwrap().recognisable, recognisable);
        for from in [ALICE, BOB] {
            relay.reply(from, &Request::Disconnect { line_id });
        }
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), connected);
    }
}

/// Bob came before the relay had heard that Alice wants to be recognised. The answer to its request stays the same.
#[test]
fn r13_3_a_use_before_the_setting_keeps_its_mark() {
    for admits in [Admission::One, Admission::Many] {
        let mut relay = relay(Limits::default());
        let line_link = relay.issue(ALICE, 1);
        let [_, bob] = marks_of(&mut relay, ALICE, BOB, &connect(line_link));
        let waits = relay.waiting(BOB)[0].1.clone();
        relay.handle(ALICE, &Request::SetLineLink { line_link, version: 1, admits, recognisable: true }).unwrap();
        let Event::Connected { line_id, peer, .. } = relay.reply(BOB, &connect(line_link)) else { panic!() };
        assert_eq!(peer, bob);
        assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), waits);
        if admits == Admission::One {
            for from in [ALICE, BOB] {
                relay.reply(from, &Request::Disconnect { line_id });
            }
            assert_eq!(relay.reply(BOB, &connect(line_link)).to_vec(), waits);
        }
    }
}

/// Nobody without the key can find a user behind a mark by trying ids.
#[test]
fn r13_3_another_key_is_another_mark() {
    let relays = [0x4D, 0x4E].map(|key| {
        let mut relay = relay(Limits::default());
        relay.relay = Relay::new(Memory::new(), Limits::default(), MarkKey::new([key; 32].into()));
        let line_link = relay.issue(ALICE, 1);
        marks_of(&mut relay, ALICE, BOB, &connect(line_link))
    });
    assert!(relays[0][0] != relays[1][0] && relays[0][1] != relays[1][1]);
    let key = MarkKey::draw(&mut crate::common::rng());
    assert_eq!(*key.expose(), crate::common::fresh_bytes());
    assert_eq!(format!("{key:?}"), "MarkKey([redacted])");
    assert_eq!(key, MarkKey::new((*key.expose()).into()));
}
