//! §18.4: peers, as the owner enters, names, blocks and removes them.

use port_protocol::portal::*;

use super::world::*;
use crate::common::rng::rng_from;

fn portal(first: u8) -> Portal {
    let Ok(portal) =
        Portal::create(PortalName::NONE, &mut rng_from(first)).store(|_| Ok::<_, std::convert::Infallible>(()));
    portal
}

fn entered(own: &Portal, id: PortalId) -> Peer {
    let address = PortalAddr::new("https://other.example/portal").unwrap();
    let entered = Peer::enter(own, id, Some(address), PortalName::new("Ben").unwrap(), [], NOW).unwrap();
    let Ok(peer) = entered.created.store(|_| Ok::<_, std::convert::Infallible>(()));
    peer
}

fn done<T>(step: Step<'_, Peer, T>) -> T {
    let Ok(then) = step.store(|_| Ok::<_, std::convert::Infallible>(()));
    then
}

/// R18.4.2, R18.4.3: only the key that hashes to the full ID is kept, and it is never replaced.
#[test]
fn r18_4_a_key_is_pinned_once_and_another_is_told() {
    let (own, mut right, mut wrong) = (portal(1), portal(2), portal(3));
    let mut peer = entered(&own, right.id());
    assert_eq!(done(peer.looked_up(Some(&who_are_you(&mut wrong)), NOW).unwrap()), LookedUp::WrongKey);
    assert!(!peer.is_verified() && peer.is_unreachable());
    assert_eq!(done(peer.looked_up(Some(&who_are_you(&mut right)), NOW).unwrap()), LookedUp::Verified);
    assert_eq!(peer.public_key(), Some(right.public_key()));
    assert_eq!((peer.deadline(), peer.is_unreachable()), (None, false));
    assert_eq!(done(peer.looked_up(Some(&who_are_you(&mut wrong)), NOW).unwrap()), LookedUp::WrongKey);
    assert_eq!(peer.public_key(), Some(right.public_key()));
    for not_a_portal in [&b""[..], b"<html>", &[0x82, 1, 0x81, 0], &[0x82, 2, 0x81, 0]] {
        assert_eq!(done(peer.looked_up(Some(not_a_portal), NOW).unwrap()), LookedUp::Unreachable);
    }
}

/// R18.4.4: the pauses double, up to a day.
#[test]
fn r18_4_a_peer_that_can_t_be_reached_is_tried_with_pauses() {
    let own = portal(1);
    let mut peer = entered(&own, portal(2).id());
    assert!(peer.is_look_up_due(NOW));
    let mut pauses = Vec::new();
    for _ in 0..14 {
        assert_eq!(done(peer.unreachable(NOW).unwrap()), LookedUp::Unreachable);
        let pause = peer.deadline().unwrap().as_secs() - NOW.as_secs();
        assert!(!peer.is_look_up_due(later(pause - 1)) && peer.is_look_up_due(later(pause)));
        pauses.push(pause);
    }
    assert_eq!(pauses[..4], [60, 120, 240, 480]);
    assert_eq!(pauses[10..], [61_440, 86_400, 86_400, 86_400]);
}

/// R18.4.1, R18.4.6: no Portal is its own peer, and none is entered twice.
#[test]
fn r18_4_what_can_t_be_entered() {
    let (own, other) = (portal(1), portal(2));
    let enter = |id, others: &[Peer]| Peer::enter(&own, id, None, PortalName::NONE, others, NOW).map(|_| ());
    assert_eq!(enter(own.id(), &[]), Err(PeerError::Own));
    assert_eq!(enter(other.id(), &[entered(&own, other.id())]), Err(PeerError::Known));
    assert_eq!(enter(other.id(), &[entered(&own, portal(3).id())]), Ok(()));
    let no_address = Peer::enter(&own, other.id(), None, PortalName::NONE, [], NOW).unwrap();
    let peer = no_address.created.commit(Write::default());
    assert_eq!((peer.look_up().err(), peer.deadline()), (Some(PeerError::NoAddress), None));
}

/// R18.4.6: two IDs with one short form are told, and both are peers.
#[test]
fn r18_4_two_peers_with_one_short_form_are_told() {
    let own = portal(1);
    let id = portal(2).id();
    let mut bytes = *id.as_bytes();
    bytes[31] ^= 1;
    let twin = PortalId::from_bytes(bytes);
    assert_eq!(twin.short(), id.short());
    let other = entered(&own, id);
    let entered = Peer::enter(&own, twin, None, PortalName::NONE, [&other], NOW).unwrap();
    assert_eq!(entered.same_short, Some(id));
}

/// R18.4.5: a peer that asks first has shown its key.
#[test]
fn r18_4_an_opening_shows_the_key() {
    let [mut a, mut b] = Side::pair();
    b.peer = entered(&b.portal, a.portal.id());
    b.store.0.clear();
    let Ok(()) = b.peer.rename(PortalName::NONE).store(|_| Ok::<_, std::convert::Infallible>(()));
    let id = a.draw_id();
    let outgoing = a.ask(id, "GET", "/peer", Part::EMPTY);
    let mut buffer = Vec::new();
    let Ok(Received::Incoming(incoming)) = b.portal.receive(&outgoing.message, &mut buffer, NOW) else { panic!() };
    let step = b.peer.take(incoming, |_| None, NOW).unwrap();
    assert!(matches!(done(step), Asked::Reply(_)));
    assert_eq!(b.peer.public_key(), Some(a.portal.public_key()));
}

/// R18.4.8: from the step on that blocks or removes, nothing is delivered and nothing answered, not even what was taken before.
#[test]
fn r18_4_a_blocked_or_removed_peer_gets_nothing_from_that_step_on() {
    for removes in [false, true] {
        let [mut a, mut b] = Side::pair();
        let id = a.draw_id();
        let mut opening = a.ask(id, "GET", "/peer", Part::EMPTY);
        let reply = b.serve(&opening.message, &mut |_| b"yes".to_vec()).unwrap();
        a.hear(&mut opening.waiting, &reply).unwrap();
        let manifest = manifest();
        let taken = |a: &mut Side, b: &mut Side| {
            let id = a.draw_id();
            let exchange = a.ask(id, "POST", "/peer", Part::EMPTY);
            let mut buffer = Vec::new();
            let Ok(Received::Incoming(incoming)) = b.portal.receive(&exchange.message, &mut buffer, NOW) else {
                panic!()
            };
            let step = b.peer.take(incoming, |_| Some(&manifest), NOW).unwrap();
            let Ok(Asked::Request(_, pending)) = step.store(|write| b.store.keep(write)) else { panic!() };
            pending
        };
        let (at_the_app, answered) = (taken(&mut a, &mut b), taken(&mut a, &mut b));
        let Ok(reply) = b.peer.answer(answered, &answer(b"late")).unwrap().store(|write| b.store.keep(write));
        let on_its_way = {
            let id = a.draw_id();
            a.ask(id, "GET", "/peer", Part::EMPTY)
        };
        let step = if removes { b.peer.remove() } else { b.peer.block().unwrap() };
        let Ok(()) = step.store(|write| b.store.keep(write));
        let again = |b: &mut Side, message: &[u8]| b.serve(message, &mut |_| panic!("delivered"));
        assert_eq!(b.peer.answer(at_the_app, &answer(b"late")).err(), Some(PeerError::Blocked));
        assert_eq!(b.portal.seal(&b.peer, reply, NOW, &mut b.rng).err(), Some(Refusal::NoSession));
        assert_eq!(again(&mut b, &on_its_way.message), Err(Refusal::NoSession));
        let id = b.peer.id();
        b.portal.end_sessions(&id);
        assert_eq!(again(&mut b, &on_its_way.message), Err(Refusal::NoSession));
        b.crash();
        assert!(b.peer.is_blocked() && b.peer.is_removed() == removes);
        assert_eq!(again(&mut b, &opening.message), Err(Refusal::Unknown));
        // Nothing is asked of it either.
        let id = b.draw_id();
        let app = b.app.authenticate(b.credential.expose()).unwrap();
        let request = app.request(id, Method::GET, Target::parse("/peer").unwrap(), Headers::EMPTY, Part::EMPTY);
        assert_eq!(b.peer.ask(&b.portal, app, &request, NOW, &mut b.rng).err(), Some(AskError::NotGranted));
        assert_eq!((app.peers([&b.peer]).count(), b.peer.look_up().err()), (0, Some(PeerError::Blocked)));
        // Let in again, it may ask; but what was delivered is not delivered again.
        let step =
            if removes { b.peer.enter_again(None, PortalName::NONE, NOW).unwrap() } else { b.peer.unblock().unwrap() };
        let Ok(()) = step.store(|write| b.store.keep(write));
        assert_eq!(again(&mut b, &opening.message), Err(Refusal::Unknown));
    }
}

/// R18.4.8: a removed peer's data go, and its memory, when nothing of it can come again. What stays says what came last.
#[test]
fn r18_4_a_removed_peer_leaves_its_id_and_its_floor() {
    let [mut a, mut b] = Side::pair();
    let id = a.draw_id();
    let opening = a.ask(id, "GET", "/peer", Part::EMPTY);
    b.serve(&opening.message, &mut |_| b"yes".to_vec()).unwrap();
    let Ok(()) = b.peer.remove().store(|write| b.store.keep(write));
    assert_eq!((b.peer.name().as_str(), b.peer.own_name().as_str(), b.peer.address()), ("", "", None));
    assert!(!b.peer.is_verified() && b.peer.unblock().is_err() && b.peer.block().is_err());
    assert_eq!(b.store.0.len(), 5); // the Portal, the app, the peer, an Opening, a request
    assert!(b.peer.tick(later(100)).is_none());
    let at = b.peer.deadline().unwrap();
    let Ok(()) = b.peer.tick(at).unwrap().store(|write| b.store.keep(write));
    assert_eq!((b.store.0.len(), b.peer.deadline()), (3, None));
    let record = &b.store.0[&[&[2][..], a.portal.id().as_bytes()].concat()].1;
    assert!(record.len() <= 60, "{}", record.len());
    // However the clock is set.
    b.crash();
    let Ok(()) = b.peer.enter_again(None, PortalName::NONE, NOW).unwrap().store(|write| b.store.keep(write));
    assert_eq!(b.serve(&opening.message, &mut |_| panic!("delivered twice")), Err(Refusal::Unknown));
}

/// §18.4: the record is small, and comes back as it was.
#[test]
fn r18_4_a_record_has_at_most_200_bytes() {
    let own = portal(1);
    let address = format!("https://{}.example/portal", "a".repeat(64 - 23));
    let address = PortalAddr::new(&address).unwrap();
    let name = PortalName::new(&"n".repeat(32)).unwrap();
    let mut other = portal(2);
    let entered = Peer::enter(&own, other.id(), Some(address), name, [], NOW).unwrap();
    let mut store = Store::default();
    let Ok(mut peer) = entered.created.store(|write| store.keep(write));
    let key = who_are_you(&mut other);
    let Ok(_) = peer.looked_up(Some(&key), NOW).unwrap().store(|write| store.keep(write));
    for _ in 0..300 {
        let Ok(_) = peer.unreachable(NOW).unwrap().store(|write| store.keep(write));
    }
    let (_, record) = store.0.values().next().unwrap();
    assert!(record.len() <= 200 - 34, "{} bytes, and 34 more with its own name", record.len());
    let again = Peer::restore(record, []).unwrap();
    assert_eq!((again.id(), again.name(), again.address()), (peer.id(), peer.name(), peer.address()));
    for at in 0..record.len() {
        for bit in 0..8 {
            let mut changed = record.clone();
            changed[at] ^= 1 << bit;
            assert!(Peer::restore(&changed, []).is_err() || changed != *record);
        }
    }
}
