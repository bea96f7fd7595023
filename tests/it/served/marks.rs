//! §13.3, §14.6: who is told what of whom.

use super::*;

/// What both are told of each other when this user uses this Port: Alice's mark of the user, and the user's of Alice.
fn marks(world: &mut World, who: usize, port: &Port) -> [PeerMark; 2] {
    let kept = std::mem::take(&mut world.clients[who].store);
    world.scan(who, port);
    world.connect(who, port, SendProof::Inline);
    world.clients[ALICE].heard.clear();
    world.clients[who].heard.clear();
    world.pump();
    world.clients[who].store = kept;
    let decoded = |who: usize| world.clients[who].heard.iter().map(|event| Event::decode(event).unwrap());
    let of_user = decoded(ALICE).find_map(|event| match event {
        Event::LineFormed { peer, line_link, .. } if line_link == port.line_link() => Some(peer),
        _ => None,
    });
    let of_alice = decoded(who).find_map(|event| match event {
        Event::Connected { peer, line_link, .. } if line_link == port.line_link() => Some(peer),
        _ => None,
    });
    [of_user.unwrap(), of_alice.unwrap()]
}

fn options(many: bool, recognisable: bool) -> PortOptions {
    let policy = if many { Policy::unlimited().on_repeat(OnRepeat::Allow) } else { Policy::once() };
    PortOptions::new().policy(policy).recognisable(recognisable)
}

/// The marks of Bob's and Carol's use of these Ports of one Alice: for each Port, Bob's, then Carol's.
fn of_ports(world: &mut World, ports: &[PortOptions]) -> Vec<[[PeerMark; 2]; 2]> {
    let carol = world.join();
    let made: Vec<_> = ports.iter().map(|options| world.port(ALICE, options.clone())).collect();
    let mut all = Vec::new();
    for port in &made {
        let bob = marks(world, BOB, port);
        all.push([bob, if port.kind() == PortKind::Port { bob } else { marks(world, carol, port) }]);
    }
    all
}

#[test]
fn r13_3_two_superports_of_one_account_show_their_users_nothing_in_common() {
    let mut world = World::new();
    let [one, two] = of_ports(&mut world, &[options(true, false), options(true, false)])[..] else { panic!() };
    let [[bob, at_bob], [carol, at_carol]] = one;
    let [[bob_again, at_bob_again], [carol_again, at_carol_again]] = two;
    // Alice knows each user again, at each of its Ports, and can block it.
    assert_eq!((bob, carol), (bob_again, carol_again));
    assert_ne!(bob, carol);
    // A user gets another mark at each Port, no two users get the same, and none is one of Alice's.
    let all = [at_bob, at_bob_again, at_carol, at_carol_again, bob, carol];
    assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
    // The same user at the same Port gets the same.
    let port = world.clients[ALICE].shown.clone().unwrap();
    assert_eq!(marks(&mut world, BOB, &port), [bob, at_bob_again]);
}

#[test]
fn r14_6_a_maker_that_lets_itself_be_recognised_is() {
    for many in [false, true] {
        let mut world = World::new();
        let ports = [options(true, true), options(many, true), options(many, false)];
        let [one, two, hidden] = of_ports(&mut world, &ports)[..] else { panic!() };
        let [[bob, at_bob], [carol, at_carol]] = one;
        assert_eq!(two[0], [bob, at_bob], "at each of its recognisable Ports");
        if many {
            assert_eq!(two[1], [carol, at_carol]);
        }
        assert_ne!(at_bob, at_carol, "another viewer gets another mark");
        assert_eq!(hidden[0][0], bob);
        assert!(![at_bob, at_carol].contains(&hidden[0][1]), "and at no other");
        assert_ne!(at_bob, bob);
    }
}

#[test]
fn r13_3_with_another_key_each_user_gets_another_mark() {
    let marks = [1, 2].map(|key| {
        let mut world = World::new();
        world.relay = Relay::new(Memory::new(), Limits::default(), MarkKey::new([key; 32].into()));
        of_ports(&mut world, &[options(true, true)])[0]
    });
    let all: Vec<_> = marks.into_iter().flatten().flatten().collect();
    assert_eq!(std::collections::BTreeSet::from_iter(&all).len(), all.len());
}

/// A user that blocks by its marks keeps the other out at all Ports of the one, and where it can recognise the other.
#[test]
fn r14_6_whoever_is_blocked_at_one_port_is_blocked_at_the_others() {
    let mut world = World::new();
    let port = world.port(ALICE, options(true, false));
    let [bob, _] = marks(&mut world, BOB, &port);
    let other = world.port(ALICE, options(true, false));
    let (mut blocked, key) = (Blocked::new(), RecordKey::LineLink(other.line_link()));
    blocked.insert(bob);
    world.crash_for_good(BOB);
    world.scan(BOB, &other);
    world.connect(BOB, &other, SendProof::Inline);
    let user = world.clients[ALICE].user;
    let formed = world.relay.next(user, 0).unwrap().unwrap().event.to_vec();
    let mut alice = world.clients[ALICE].store.load(key).unwrap();
    let outcome = alice.apply_with(&Input::Event(formed), &blocked, world.now, &mut |_| true);
    assert!(matches!(outcome, Err(Refusal::Rejected(Rejected::UnwantedLine(_)))), "{outcome:?}");
}
