//! §4.6, §13.2, §13.3, §14.2: what becomes of a link, and who is told.

use super::*;

/// What the client heard last.
fn last(world: &World, who: usize) -> Event<'_> {
    Event::decode(world.clients[who].heard.last().unwrap()).unwrap()
}

/// Alice's own account, on another device that has no record of the Port.
fn other_device(world: &mut World) -> usize {
    let other = world.join();
    world.clients[other].user = world.clients[ALICE].user;
    other
}

fn asks(world: &mut World, who: usize, port: &Port) -> Option<UseOutcome> {
    world.crash_for_good(who);
    world.scan(who, port);
    world.connect(who, port, SendProof::Inline);
    match world.clients[who].ends.pop() {
        Some(End::Bob(end)) => Some(end),
        None => None,
        other => panic!("{other:?}"),
    }
}

/// C17: of what is one's own the relay says UsedByYou, whatever became of it, and no use is lost by it.
#[test]
fn r13_3_ones_own_link_is_used_by_you_in_every_state() {
    let yours = Some(UseOutcome::Refused(Reason::UsedByYou));
    for many in [false, true] {
        let policy = if many { Policy::unlimited() } else { Policy::once() };
        let make = || {
            let mut world = World::new();
            let port = world.port(ALICE, PortOptions::new().policy(policy));
            let device = other_device(&mut world);
            (world, port, device)
        };
        let (mut world, port, device) = make();
        // Open: and it stays open, for Bob.
        assert_eq!(asks(&mut world, device, &port), yours);
        assert_eq!(asks(&mut world, BOB, &port), None);
        world.deliver(BOB);
        assert_eq!(world.clients[BOB].lines().len(), 1);
        // Claimed, or used.
        assert_eq!(asks(&mut world, device, &port), yours);
        // Paused, over its lifetime, closed.
        let (mut world, port, device) = make();
        let key = RecordKey::LineLink(port.line_link());
        let Some(Any::Alice(mut alice)) = world.clients[ALICE].store.load(key) else { panic!() };
        let effects: Vec<_> =
            alice.set_policy(policy.paused(true)).unwrap().committed().map(|effect| format!("{effect:?}")).collect();
        assert_eq!(effects.len(), 1);
        let AliceEffect::Send(paused) = alice.pending().next().unwrap() else { panic!() };
        world.send(ALICE, &paused.to_vec());
        assert_eq!(asks(&mut world, device, &port), yours);
        world.days(366);
        assert_eq!(asks(&mut world, device, &port), yours);
        let (mut world, port, device) = make();
        world.give_up(ALICE);
        assert_eq!(asks(&mut world, BOB, &port), Some(UseOutcome::Refused(Reason::Closed)));
        assert_eq!(asks(&mut world, device, &port), yours);
        // Purged: then it is anybody's.
        world.days(366 + 31);
        assert_eq!(asks(&mut world, device, &port), Some(UseOutcome::Refused(Reason::Unknown)));
    }
}

/// C34: a Superport that was used before the relay knew that it is one.
#[test]
fn r14_2_a_setting_that_comes_late_opens_the_link_again() {
    let mut world = World::new();
    let carol = world.join();
    // The link is issued; the setting is lost on the way.
    let issue = Request::IssueLineLink { request_id: [7; 16].into() }.to_vec();
    let issued = world.relay.handle(world.clients[ALICE].user, &issue, &mut world.names, world.now).unwrap().reply;
    let Some(Event::LineLinkIssued { line_link, .. }) = issued else { panic!("{issued:?}") };
    let created = Alice::offer(line_link, PortOptions::new().policy(Policy::up_to(50)), world.seed());
    world.clients[ALICE].store.put(&Put::created(&created)).unwrap();
    let port = created.committed().port().unwrap().clone();

    assert_eq!(asks(&mut world, BOB, &port), None);
    // Meanwhile Carol is told UsedByAnother, which is no theft of a Port for many: Carol waits.
    assert_eq!(asks(&mut world, carol, &port), None);
    assert!(matches!(last(&world, carol), Event::Refused { reason: Reason::UsedByAnother, .. }));
    assert!(world.clients[carol].is_connecting());
    world.deliver(ALICE);
    assert_eq!(world.clients[ALICE].lines().len(), 1, "Bob's proof is good");

    // The setting arrives, and what Carol has pending again.
    world.reconnect(ALICE);
    world.reconnect(carol);
    world.pump();
    assert_eq!(world.clients[ALICE].lines().len(), 2);
    for who in [BOB, carol] {
        let [line] = &world.clients[who].lines()[..] else { panic!("no line") };
        assert_eq!(line.phase(), LinePhase::Confirmed);
    }
    // Of a Port for one use it is a theft.
    let once = world.port(ALICE, PortOptions::new());
    assert_eq!(asks(&mut world, BOB, &once), None);
    assert_eq!(asks(&mut world, carol, &once), Some(UseOutcome::Refused(Reason::UsedByAnother)));
}

/// C37: an Alice that is online now and then keeps its link for ever.
#[test]
fn r4_6_a_port_is_good_on_day_366_if_its_maker_was_online() {
    for policy in [Policy::once(), Policy::up_to(2)] {
        for recognisable in [false, true] {
            let mut world = World::new();
            let port = world.port(ALICE, PortOptions::new().policy(policy).recognisable(recognisable));
            for _ in 0..14 {
                world.days(30);
                world.reconnect(ALICE);
            }
            assert!(world.now > NOW.after(Duration::from_secs(400 * DAY)));
            assert_eq!(asks(&mut world, BOB, &port), None);
            world.pump();
            assert_eq!((world.clients[ALICE].lines().len(), world.clients[BOB].lines().len()), (1, 1));
        }
    }
}

/// C37: and one that was away for too long is told.
#[test]
fn r4_6_a_maker_that_was_away_for_too_long_is_told_that_its_port_is_dead() {
    for policy in [Policy::once(), Policy::up_to(2)] {
        let mut world = World::new();
        let port = world.port(ALICE, PortOptions::new().policy(policy));
        world.days(366);
        assert_eq!(asks(&mut world, BOB, &port), Some(UseOutcome::Refused(Reason::Expired)));
        world.days(34);
        assert_eq!(asks(&mut world, BOB, &port), Some(UseOutcome::Refused(Reason::Unknown)));
        // The relay deletes what is due, a few with each link that is issued, and not by one look at the clock (§13.3).
        for _ in 0..3 {
            world.request_port(BOB, PortOptions::new());
            world.days(1);
        }
        world.reconnect(ALICE);
        assert_eq!(world.clients[ALICE].ends, [End::Alice(PortOutcome::LinkLost)]);
        assert_eq!(world.clients[ALICE].port_state(), "Alice Ended LinkLost, cleared");
    }
}

/// C37: nothing is lost that waits for Alice: it is heard before the loss of the link.
#[test]
fn r4_6_the_use_that_waits_is_heard_before_the_loss() {
    let mut world = World::new();
    let port = world.port(ALICE, PortOptions::new());
    assert_eq!(asks(&mut world, BOB, &port), None);
    world.deliver(BOB);
    // The claimed link is purged long before Alice comes back.
    world.days(40);
    let carol = world.join();
    for _ in 0..3 {
        world.request_port(carol, PortOptions::new());
        world.days(1);
    }
    assert_eq!(world.relay.directory().link(port.line_link()), None);
    world.reconnect(ALICE);
    assert!(
        !world.clients[ALICE].heard.iter().any(|event| matches!(Event::decode(event), Ok(Event::LineLinkLost { .. })))
    );
    assert_eq!((world.clients[ALICE].port_state().as_str(), world.clients[ALICE].ends.len()), ("Alice Formed", 0));
    world.pump();
    let phases = [ALICE, BOB].map(|who| world.clients[who].lines()[0].phase());
    assert_eq!(phases, [LinePhase::Confirmed; 2]);
}
