//! §5: one Port at its user's side.
#![cfg(feature = "alloc")]

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
    ("Bob Scanned", "connects inline|connects", Late, "Bob Ended Expired", "Ended"),
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
    ("Bob Scanned|Bob Connecting|Bob Connecting inline", "deadline", Late, "Bob Ended Expired", "Ended"),
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
        |state, name, _, _| {
            let formed = state.contains("Formed");
            match name {
                "revokes" | "closes" | "seals" => Refusal::NoSuchCommand,
                "deadline" | "clears the outbox" => Refusal::NothingDue,
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
fn r5_5_his_deadline_is_the_ports_expiry() {
    let mut connecting = Any::from(scanned(expiring()));
    connecting.takes(&Input::Connect(SendProof::Inline));
    for mut bob in [scanned(expiring()).into(), connecting] {
        assert_eq!(bob.deadline(), Some(EXPIRY));
        assert_eq!(bob.give(&Input::Tick, at(EXPIRY.as_secs() - 1)), Err(Refusal::NothingDue));
        bob.give(&Input::Tick, EXPIRY).unwrap();
        assert_eq!((bob.state().as_str(), bob.deadline()), ("Bob Ended Expired", None));
    }
    assert_eq!(bob().deadline(), None);
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
