//! §5: one Port at its user's side.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::many::{There, connected, id, superport};
use crate::common::table::When::{Always, Early, Late};
use crate::common::table::{Row, holds};
use crate::common::*;
use port_protocol::*;

fn bob() -> Any {
    scanned(PortOptions::new()).into()
}

fn connecting(how: SendProof) -> Any {
    let mut bob = bob();
    bob.takes(&Input::Connect(how));
    bob
}

fn rejected(machine: &mut Any, input: &Input) -> Rejected {
    match machine.give(input, NOW) {
        Err(Refusal::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

fn heard(reason: Reason) -> Input {
    Input::Event(refused(reason))
}

const HOW: [SendProof; 2] = [SendProof::Inline, SendProof::AlongTheLine];

#[test]
fn r5_1_scanning_uses_nothing() {
    let bob = bob();
    assert_eq!((bob.state().as_str(), words(&bob.pending()).as_str()), ("Bob Scanned", ""));
    assert_eq!(bob.key(), RecordKey::LineLink(line_link()));
    let Any::Bob(bob) = bob else { panic!() };
    assert!(!bob.is_spent() && bob.relay().is_none());
    assert_eq!(scanned(longest()).relay().unwrap().as_str(), "r".repeat(64));
}

#[test]
fn r5_2_connect_carries_the_proof_or_not() {
    for (how, inline) in [(SendProof::Inline, Some(proof(PortOptions::new()))), (SendProof::AlongTheLine, None)] {
        let effects = bob().takes(&Input::Connect(how));
        assert_eq!(
            effects,
            [Effect::Send(
                Request::Connect { line_link: line_link(), request_id: request_id(2), proof: inline }.to_vec()
            )]
        );
    }
}

#[test]
fn r5_2_the_private_key_is_forgotten() {
    let holds = |record: &[u8]| record.windows(32).any(|window| *window == seed_bytes(2)[..32]);
    for (state, machine) in states(expiring()) {
        assert_eq!(holds(&machine.record()), state == "Bob Scanned", "{state}");
    }
}

#[test]
fn r5_2_a_request_that_is_sent_again_is_the_same_bytes() {
    for how in HOW {
        let mut bob = bob();
        let sent = bob.takes(&Input::Connect(how));
        assert_eq!(bob.pending(), sent);
        assert_eq!(bob.clone().pending(), sent, "after a restore, too");
        assert_eq!(bob.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue));
        for other in HOW {
            assert_eq!(rejected(&mut bob, &Input::Connect(other)), Rejected::OutOfOrder);
        }
    }
}

#[test]
fn r5_2_the_line_is_the_same_by_both_ways() {
    let [(mut a, mut b), (mut c, mut d)] = HOW.map(|how| lines(how, PortOptions::new()));
    c.takes(&Input::Event(arrives(&d.pending())));
    // Each understands the other's far end.
    let confirm = arrives(&a.pending());
    assert_eq!(arrives(&c.pending()), confirm);
    let answers = [&mut b, &mut d].map(|bob| arrives(&bob.takes(&Input::Event(confirm.clone()))));
    assert_eq!(answers[0], answers[1]);
    for alice in [&mut a, &mut c] {
        alice.takes(&Input::Event(answers[0].clone()));
    }
    let codes = [&a, &b, &c, &d].map(|line| line.as_line().safety_number().unwrap().to_string());
    assert!(codes.iter().all(|code| *code == codes[0]));
}

#[test]
fn r5_3_line_formed_and_the_loss_of_a_link_are_not_bobs() {
    for (state, mut machine) in states(PortOptions::new()).into_iter().filter(|(state, _)| state.starts_with("Bob ")) {
        let lost = Event::LineLinkLost { line_link: line_link() }.to_vec();
        let proofs = [None, Some(proof(PortOptions::new())), Some(bad_proof())];
        for event in proofs.map(line_formed).into_iter().chain([lost]) {
            assert_eq!(rejected(&mut machine, &Input::Event(event)), Rejected::WrongMachine, "{state}");
        }
    }
}

#[test]
fn r5_3_the_line_sends_the_proof_unless_it_was_on_board() {
    for (how, outbox) in HOW.into_iter().zip(["", "Proof"]) {
        let mut bob = connecting(how);
        let line = Any::from(new_line(bob.takes(&Input::Event(line_connected()))));
        assert_eq!(line.as_line().phase(), LinePhase::Joined);
        assert_eq!(words(&line.pending()), outbox);
        assert_eq!(line.as_line().claims(), RelayClaims { line_id: line_id(), peer: maker() });
    }
    let (_, bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    assert_eq!(arrives(&bob.pending()), packet(&Payload::Proof { proof: proof(PortOptions::new()) }));
}

#[test]
fn r5_4_a_refusal_keeps_the_servers_reason() {
    for reason in [Reason::Unknown, Reason::UsedByAnother, Reason::UsedByYou, Reason::Closed, Reason::Expired] {
        let mut bob = connecting(SendProof::Inline);
        assert_eq!(bob.takes(&heard(reason)), [Effect::Ended(End::Bob(UseOutcome::Refused(reason)))]);
        let Any::Bob(spent) = &bob else { panic!() };
        assert!(spent.is_spent());
        assert_eq!(rejected(&mut bob, &heard(Reason::Unknown)), Rejected::OutOfOrder);
    }
}

/// A paused Port uses nothing up. Bob sends the same bytes again, as often as it takes.
#[test]
fn r5_4_a_paused_port_keeps_bob_connecting() {
    for how in HOW {
        let mut bob = connecting(how);
        let before = bob.record();
        for _ in 0..3 {
            assert_eq!(rejected(&mut bob, &heard(Reason::Paused)), Rejected::Paused);
            assert_eq!(bob.record(), before);
        }
        bob.takes(&Input::Event(line_connected()));
        assert_eq!(rejected(&mut bob, &heard(Reason::Paused)), Rejected::OutOfOrder);
        // Bob may also give up, and the Port may close.
        for (end, word) in [(Input::Cancel, "Cancelled"), (heard(Reason::Closed), "Refused 4")] {
            let mut bob = connecting(how);
            rejected(&mut bob, &heard(Reason::Paused));
            bob.takes(&end);
            assert_eq!(bob.state(), format!("Bob Ended {word}"));
        }
    }
    assert_eq!(rejected(&mut bob(), &heard(Reason::Paused)), Rejected::OutOfOrder);
}

#[test]
fn r5_4_a_second_line_is_refused() {
    for how in HOW {
        let mut bob = connecting(how);
        bob.takes(&Input::Event(line_connected()));
        let other = line_connected_to(2, [7; 16].into());
        assert_eq!(rejected(&mut bob, &Input::Event(line_connected())), Rejected::Duplicate);
        assert_eq!(rejected(&mut bob, &Input::Event(other)), Rejected::UnwantedLine([7; 16].into()));
    }
}

#[test]
fn r5_4_a_line_for_a_bob_who_cancelled_is_stray() {
    for mut bob in [bob(), connecting(SendProof::Inline)] {
        assert_eq!(words(&bob.takes(&Input::Cancel)), "Ended");
        assert_eq!(rejected(&mut bob, &Input::Event(line_connected())), Rejected::UnwantedLine(line_id()));
        assert_eq!(rejected(&mut bob, &Input::Connect(SendProof::Inline)), Rejected::OutOfOrder);
    }
}

#[test]
fn r5_4_spent_holds_no_secret() {
    let secret =
        x25519_dalek::x25519(seed_bytes(2)[..32].try_into().unwrap(), *port(expiring()).public_key().as_bytes());
    let holds = |record: &[u8], secret: &[u8]| record.windows(secret.len()).any(|window| window == secret);
    for (state, machine) in states(expiring()) {
        assert_eq!(holds(&machine.record(), &secret), state.starts_with("Bob Connecting"), "{state}");
    }
}

#[test]
fn r5_5_the_phase_says_where_he_stands() {
    for (state, machine) in states(expiring()) {
        let Any::Bob(bob) = machine else { continue };
        let phase = match bob.phase() {
            BobPhase::Scanned => "Bob Scanned".to_owned(),
            BobPhase::Connecting => "Bob Connecting".to_owned(),
            BobPhase::Formed(_) => "Bob Formed".to_owned(),
            BobPhase::Ended(UseOutcome::Refused(reason)) => format!("Bob Ended Refused {}", reason as u8 + 1),
            BobPhase::Ended(end) => format!("Bob Ended {end:?}"),
            other => panic!("{other:?}"),
        };
        assert!(state.starts_with(&phase), "{state}: {phase}");
    }
}

const TABLE: &[Row] = &[
    ("Bob Scanned", "connects inline", Early, "Bob Connecting inline", "Connect inline"),
    ("Bob Scanned", "connects", Early, "Bob Connecting", "Connect"),
    ("Bob Connecting inline", "Connected|Connected again", Early, "Bob Formed", "LineFormed BobJoined"),
    ("Bob Connecting", "Connected|Connected again", Early, "Bob Formed", "LineFormed BobJoined, proof to send"),
    (
        "Bob Connecting|Bob Connecting inline",
        "Connected|Connected again",
        Late,
        "Bob Ended Expired",
        "Disconnect, Ended",
    ),
    ("Bob Connecting|Bob Connecting inline", "Refused 1", Always, "Bob Ended Refused 1", "Ended"),
    ("Bob Connecting|Bob Connecting inline", "Refused 2", Always, "Bob Ended Refused 2", "Ended"),
    ("Bob Connecting|Bob Connecting inline", "Refused 3", Always, "Bob Ended Refused 3", "Ended"),
    ("Bob Connecting|Bob Connecting inline", "Refused 4", Always, "Bob Ended Refused 4", "Ended"),
    ("Bob Connecting|Bob Connecting inline", "Refused 5", Always, "Bob Ended Refused 5", "Ended"),
    ("Bob Scanned|Bob Connecting|Bob Connecting inline", "cancels", Always, "Bob Ended Cancelled", "Ended"),
    ("Bob Connecting|Bob Connecting inline", "deadline", Late, "Bob Ended Expired", "Ended"),
    ("Bob Ended Expired", "clears the outbox", Always, "Bob Ended Expired, cleared", ""),
    ("Bob Ended Cancelled", "clears the outbox", Always, "Bob Ended Cancelled, cleared", ""),
    ("Bob Ended Refused 1", "clears the outbox", Always, "Bob Ended Refused 1, cleared", ""),
    ("Bob Ended Refused 2", "clears the outbox", Always, "Bob Ended Refused 2, cleared", ""),
    ("Bob Ended Refused 3", "clears the outbox", Always, "Bob Ended Refused 3, cleared", ""),
    ("Bob Ended Refused 4", "clears the outbox", Always, "Bob Ended Refused 4, cleared", ""),
    ("Bob Ended Refused 5", "clears the outbox", Always, "Bob Ended Refused 5, cleared", ""),
];

#[test]
fn r5_5_what_is_not_in_the_table_is_an_error() {
    holds(
        |state| state.starts_with("Bob "),
        TABLE,
        |state, name, _, now| {
            let formed = state.contains("Formed");
            match name {
                "revokes" | "closes" | "seals" => Refusal::NoSuchCommand,
                "deadline" | "clears the outbox" => Refusal::NothingDue,
                "connects inline" | "connects" if state == "Bob Scanned" => {
                    assert!(now >= EXPIRY);
                    Refusal::Rejected(Rejected::Expired)
                }
                "connects inline" | "connects" | "cancels" => Refusal::Rejected(Rejected::OutOfOrder),
                _ if name.ends_with("another's") => Refusal::Rejected(Rejected::WrongMachine),
                "Connected" | "Connected, earlier scan" if formed => Refusal::Rejected(Rejected::Duplicate),
                // Also before Bob has asked: that is an answer to an earlier scan.
                "Connected" | "Connected, earlier scan" => Refusal::Rejected(Rejected::UnwantedLine(line_id())),
                "Connected again" => Refusal::Rejected(Rejected::UnwantedLine([0xEE; 16].into())),
                "Refused 6" if state.contains("Connecting") => Refusal::Rejected(Rejected::Paused),
                _ if name.starts_with("Refused") => Refusal::Rejected(Rejected::OutOfOrder),
                _ => Refusal::Rejected(Rejected::WrongMachine),
            }
        },
    );
}

#[test]
fn r5_5_his_deadline_is_the_ports_expiry_once_he_has_asked() {
    let mut bob = Any::from(scanned(expiring()));
    // A clock that is wrong ends nothing before there is a request.
    assert_eq!(bob.deadline(), None);
    assert_eq!(bob.give(&Input::Tick, UnixSeconds::MAX), Err(Refusal::NothingDue));
    for how in HOW {
        assert_eq!(bob.give(&Input::Connect(how), EXPIRY), Err(Refusal::Rejected(Rejected::Expired)));
        assert_eq!(bob.give(&Input::Connect(how), UnixSeconds::MAX), Err(Refusal::Rejected(Rejected::Expired)));
    }
    bob.takes(&Input::Connect(SendProof::Inline));
    assert_eq!(bob.deadline(), Some(EXPIRY));
    assert_eq!(bob.give(&Input::Tick, at(EXPIRY.as_secs() - 1)), Err(Refusal::NothingDue));
    bob.give(&Input::Tick, EXPIRY).unwrap();
    assert_eq!((bob.state().as_str(), bob.deadline()), ("Bob Ended Expired", None));
    assert_eq!(connecting(SendProof::Inline).deadline(), None);
}

#[test]
fn r5_5_while_connecting_he_keeps_the_request() {
    for (how, outbox) in HOW.into_iter().zip(["Connect inline", "Connect"]) {
        let mut bob = connecting(how);
        assert_eq!(words(&bob.pending()), outbox);
        bob.takes(&heard(Reason::Unknown));
        assert_eq!(words(&bob.pending()), "Ended");
        bob.takes(&Input::ClearOutbox);
        assert_eq!(words(&bob.pending()), "");
    }
}

/// §5.6: the row is taken anew, with fresh bytes.
fn scanned_again(mut bob: Any, n: u8) -> Any {
    let Any::Bob(machine) = &mut bob else { panic!() };
    let revision = machine.revision();
    let step = machine.scan_again(port(PortOptions::new()), seed(n)).unwrap();
    let write = step.write();
    assert_eq!((write.row.key, write.row.revision), (RecordKey::LineLink(line_link()), revision + 1));
    assert!(write.row.expected.unwrap().revision == revision && write.new_line.is_none() && write.unique.is_none());
    assert_eq!(step.committed().count(), 0);
    bob
}

/// Bobs whose use of the Port is over: given up, refused, on a line.
fn over() -> [(&'static str, Any); 4] {
    let mut unasked = bob();
    unasked.takes(&Input::Cancel);
    let ends = [Input::Cancel, heard(Reason::UsedByAnother), Input::Event(line_connected())];
    let [cancelled, refused, on_a_line] = ends.map(|end| {
        let mut bob = connecting(SendProof::Inline);
        bob.takes(&end);
        bob
    });
    let over = [("unasked", unasked), ("cancelled", cancelled), ("refused", refused), ("on a line", on_a_line)];
    over.map(|(name, mut bob)| {
        let Any::Bob(machine) = &mut bob else { panic!() };
        // As long as its user is still to be told, the use is not over.
        let again = machine.scan_again(port(PortOptions::new()), seed(3)).is_ok();
        assert_eq!((again, bob.give(&Input::ClearOutbox, NOW).is_ok()), (name == "on a line", name != "on a line"));
        (name, bob)
    })
}

#[test]
fn r5_6_a_second_scan_is_a_new_bob_in_the_same_row() {
    for (name, bob) in over() {
        let mut bob = scanned_again(bob, 3);
        assert_eq!((bob.state().as_str(), bob.pending().len()), ("Bob Scanned", 0), "{name}");
        // All but the revision is as of a Bob that was never here.
        let still = |bob: &Any| Cbor::read(&bob.record()).with(&[2], Cbor::Uint(0)).write();
        let fresh = || Any::from(Bob::scan(port(PortOptions::new()), seed(3)).committed());
        assert_eq!(still(&bob), still(&fresh()), "{name}");
        let sent = bob.takes(&Input::Connect(SendProof::Inline));
        assert_eq!(sent, fresh().takes(&Input::Connect(SendProof::Inline)));
        assert_ne!(sent, connecting(SendProof::Inline).pending(), "fresh bytes");
    }
}

#[test]
fn r5_6_what_comes_late_for_the_first_scan_is_not_taken_for_the_second() {
    let first = || Input::Event(line_connected());
    let second = Input::Event(line_connected_to(3, [7; 16].into()));
    for (name, bob) in over() {
        // Scanned, Connecting, over once more: the line of the first scan has somebody at the far end.
        let mut bob = scanned_again(bob, 3);
        for input in [Input::Connect(SendProof::Inline), Input::Cancel, Input::ClearOutbox] {
            assert_eq!(rejected(&mut bob, &first()), Rejected::UnwantedLine(line_id()), "{name}");
            assert_eq!(rejected(&mut bob, &heard(Reason::UsedByAnother)), Rejected::OutOfOrder, "{name}");
            assert_eq!(rejected(&mut bob, &heard(Reason::Paused)), Rejected::OutOfOrder, "{name}");
            // The line of the first scan, if there is one, is stored, and no stray.
            let known = There(line_id(), port(PortOptions::new()).hash());
            let outcome = bob.apply_with(&first(), &known, NOW, &mut |_| true);
            assert_eq!(outcome, Err(Refusal::Rejected(Rejected::Duplicate)), "{name}");
            bob.takes(&input);
        }
        // And the second scan gets its own line, in whatever order.
        let mut bob = scanned_again(bob, 3);
        bob.takes(&Input::Connect(SendProof::Inline));
        assert_eq!(rejected(&mut bob, &first()), Rejected::UnwantedLine(line_id()));
        assert_eq!(words(&bob.takes(&second)), "LineFormed BobJoined", "{name}");
        assert_eq!(rejected(&mut bob, &first()), Rejected::UnwantedLine(line_id()));
        assert_eq!(rejected(&mut bob, &second), Rejected::Duplicate);
    }
}

#[test]
fn r5_6_a_second_scan_after_a_closed_line_of_a_superport() {
    let alice = superport(Policy::unlimited());
    let port = alice.port().unwrap().clone();
    let (mut bob, _) = crate::common::many::connecting(2, &port);
    bob.handle(&connected(2, 9), &NoPeers, NOW, &mut rng()).unwrap().committed().for_each(drop);
    assert_eq!(bob.phase(), BobPhase::Formed(id(9)));
    bob.scan_again(port, seed(3)).unwrap().committed().for_each(drop);
    bob.connect(SendProof::Inline, NOW).unwrap().committed().for_each(drop);
    // The line is closed, and its record may be deleted: the answer to the first scan is not taken.
    let late = bob.handle(&connected(2, 9), &NoPeers, NOW, &mut rng()).err();
    assert_eq!(late, Some(Rejected::UnwantedLine(id(9))));
    let step = bob.handle(&connected(3, 8), &NoPeers, NOW, &mut rng()).unwrap();
    assert_eq!(step.write().new_line.map(|line| line.key), Some(RecordKey::Line(id(8))));
}

#[test]
fn r5_6_only_the_same_port_is_scanned_again_and_only_when_the_use_is_over() {
    let other = Alice::offer([7; 16].into(), PortOptions::new(), seed(1)).committed().port().unwrap().clone();
    for (state, machine) in states(PortOptions::new()) {
        let Any::Bob(mut bob) = machine else { continue };
        let before = bob.record().to_vec();
        assert_eq!(bob.scan_again(other.clone(), seed(3)).err(), Some(Rejected::WrongMachine), "{state}");
        let again = bob.scan_again(port(PortOptions::new()), seed(3)).err();
        let over = state.ends_with(", cleared") || state == "Bob Formed";
        assert_eq!(again, (!over).then_some(Rejected::OutOfOrder), "{state}");
        assert_eq!(bob.record()[..], before[..], "a dropped step");
    }
}

/// §5.4, §14.2: of a Port for many that is no theft.
#[test]
fn r5_4_a_port_for_many_that_counts_as_used_is_waited_for() {
    let alice = superport(Policy::unlimited());
    let (bob, _) = crate::common::many::connecting(2, alice.port().unwrap());
    let mut bob = Any::from(bob);
    let before = bob.record();
    for reason in [Reason::UsedByAnother, Reason::Paused] {
        assert_eq!(rejected(&mut bob, &heard(reason)), Rejected::Paused);
        assert_eq!(bob.record(), before);
    }
    assert_eq!(words(&bob.clone().takes(&Input::Event(line_connected()))), "LineFormed BobJoined, many");
    for reason in [Reason::Unknown, Reason::UsedByYou, Reason::Closed, Reason::Expired] {
        assert_eq!(bob.clone().takes(&heard(reason)), [Effect::Ended(End::Bob(UseOutcome::Refused(reason)))]);
    }
}
