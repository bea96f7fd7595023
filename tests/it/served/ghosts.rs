//! §5.4, §7.3, §13.3: a line whose user never heard of it does not stay, and does not count for ever.

use super::*;

/// How Bob loses its use, before it has heard `Connected`.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Loss {
    Cancelled,
    /// Bob's records are lost for good.
    Record,
    /// The same, and nobody hears of Bob for longer than the relay keeps what became of the link.
    Retention,
}

const LOSSES: [Loss; 3] = [Loss::Cancelled, Loss::Record, Loss::Retention];
/// More than any limit of lines or links (§13.6).
const ROUNDS: usize = 300;

fn lose(world: &mut World, port: &Port, loss: Loss) {
    match loss {
        Loss::Cancelled => {
            world.give(BOB, RecordKey::LineLink(port.line_link()), &Input::Cancel).unwrap();
            assert_eq!(world.clients[BOB].ends.pop(), Some(End::Bob(UseOutcome::Cancelled)));
        }
        Loss::Record => world.crash_for_good(BOB),
        Loss::Retention => {
            world.crash_for_good(BOB);
            world.days(40);
        }
    }
}

/// Alice has the line, and Bob never hears of it.
fn ghost(world: &mut World, alice: usize, port: &Port, how: SendProof, loss: Loss) {
    world.scan(BOB, port);
    world.connect(BOB, port, how);
    assert_eq!(world.waiting(BOB), 1, "the answer waits, and can't be lost");
    world.deliver(alice);
    assert_eq!((world.clients[alice].lines().len(), world.lines()), (1, 1), "Alice waits");
    lose(world, port, loss);
}

/// Bob's client comes back, and leaves the line.
fn comes_back(world: &mut World, alice: usize, loss: Loss) {
    let before = world.clients[alice].ends.len();
    world.reconnect(BOB);
    assert_eq!((world.waiting(BOB), world.clients[BOB].lines().len()), (0, 0), "{loss:?}");
    world.deliver(alice);
    assert_eq!(world.clients[alice].ends[before..], [End::Line(CloseReason::ByRelay)], "{loss:?}: Alice is told");
    assert_eq!((world.clients[alice].lines().len(), world.lines()), (0, 0), "both have left");
}

fn still_forms_lines(world: &mut World, port: &Port, alice: usize, expected: usize) {
    world.crash_for_good(BOB);
    world.scan(BOB, port);
    world.connect(BOB, port, SendProof::Inline);
    world.pump();
    assert_eq!((world.clients[alice].lines().len(), world.clients[BOB].lines().len()), (expected, expected));
    assert_eq!(world.clients[BOB].refused, [], "no request of Bob's was over a limit");
}

#[test]
fn r5_4_a_line_that_bob_never_heard_of_is_left_and_alice_is_told() {
    for loss in LOSSES {
        for how in [SendProof::Inline, SendProof::AlongTheLine] {
            let mut world = World::new();
            for round in 0..ROUNDS {
                // Each with an Alice of its own: no link of the others is kept for it.
                world.clients.truncate(1 + BOB);
                let alice = world.join();
                world.clients[alice].user = UserId::from(std::array::from_fn(|i| (round + 9).to_be_bytes()[i % 8]));
                let port = world.port(alice, PortOptions::new());
                ghost(&mut world, alice, &port, how, loss);
                comes_back(&mut world, alice, loss);
            }
            let port = world.port(ALICE, PortOptions::new());
            still_forms_lines(&mut world, &port, ALICE, 1);
        }
    }
}

/// M1: a use of a link for many counts until both have left its line, and no longer.
#[test]
fn r13_3_uses_of_one_superport_that_bob_never_heard_of_use_up_no_limit() {
    for loss in LOSSES {
        let mut world = World::new();
        let mut port = world.port(ALICE, PortOptions::new().policy(Policy::unlimited()));
        for _ in 0..ROUNDS {
            ghost(&mut world, ALICE, &port, SendProof::Inline, loss);
            comes_back(&mut world, ALICE, loss);
            if loss == Loss::Retention {
                // Alice is online now and then, which keeps its link (§4.6).
                world.reconnect(ALICE);
                port = world.clients[ALICE].shown.clone().unwrap();
            }
        }
        still_forms_lines(&mut world, &port, ALICE, 1);
    }
}

/// §13.6: as long as Bob has not come back, its uses count, and so do its lines.
#[test]
fn r13_6_uses_that_nobody_left_are_limited() {
    let mut world = World::new();
    let port = world.port(ALICE, PortOptions::new().policy(Policy::unlimited()));
    for n in 1..=5 {
        world.crash_for_good(BOB);
        world.scan(BOB, &port);
        world.connect(BOB, &port, SendProof::Inline);
        assert_eq!(world.lines(), n.min(4));
    }
    assert_eq!(world.clients[BOB].refused, [RequestError::TooManyLines]);
    // Bob's client comes back. The one that it still asks for is formed then.
    world.reconnect(BOB);
    world.pump();
    world.clients[BOB].refused.clear();
    world.reconnect(BOB);
    world.pump();
    assert_eq!((world.lines(), world.clients[BOB].lines().len(), world.clients[ALICE].lines().len()), (1, 1, 1));
    assert_eq!(world.clients[BOB].refused, []);
}

/// §5.6: what waits for the first scan is no answer to the second.
#[test]
fn r5_6_a_late_answer_to_the_scan_before_is_left_and_the_second_goes_on() {
    let mut world = World::new();
    let port = world.port(ALICE, PortOptions::new().policy(Policy::unlimited()));
    ghost(&mut world, ALICE, &port, SendProof::Inline, Loss::Cancelled);
    world.scan(BOB, &port);
    world.connect(BOB, &port, SendProof::Inline);
    world.pump();
    assert_eq!((world.lines(), world.clients[ALICE].lines().len()), (1, 1));
    let [line] = &world.clients[BOB].lines()[..] else { panic!("one line") };
    assert_eq!(
        (line.phase(), line.claims().line_id),
        (LinePhase::Confirmed, world.clients[ALICE].lines()[0].claims().line_id)
    );
    assert_eq!(world.clients[ALICE].ends, [End::Line(CloseReason::ByRelay)], "of the first");
}
