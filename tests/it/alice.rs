//! §4: one Port at its creator's side.
#![cfg(feature = "alloc")]

use crate::common::table::When::{Always, Early, Late};
use crate::common::table::{Row, holds};
use crate::common::*;
use port_protocol::*;

fn requesting(offer: PortOptions) -> Any {
    Alice::request(offer, seed(1)).committed().into()
}

fn alice(offer: PortOptions) -> Any {
    offered(offer).into()
}

fn formed(line_id: [u8; 16], proof: Option<Proof>) -> Input {
    let (line_link, line_id, peer) = (line_link(), line_id.into(), peer());
    Input::Event(Event::LineFormed { line_link, line_id, peer, proof }.to_vec())
}

fn rejected(machine: &mut Any, input: &Input) -> Rejected {
    match machine.give(input, NOW) {
        Err(Refusal::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r4_1_requesting_asks_for_a_line_link_with_her_random_id() {
    let alice = requesting(PortOptions::new());
    let request_id: [u8; 16] = seed_bytes(1)[48..].try_into().unwrap();
    assert_eq!(alice.pending(), [Effect::Send(Request::IssueLineLink { request_id: request_id.into() }.to_vec())]);
    assert_eq!(alice.key(), RecordKey::Request(request_id.into()));
    let Any::Alice(alice) = alice else { panic!() };
    assert!(alice.port().is_none() && !alice.is_spent());
}

#[test]
fn r4_1_offered_at_once_with_a_link_that_she_has() {
    let alice = alice(PortOptions::new());
    assert_eq!(words(&alice.pending()), "PortReady, SetLineLink 0");
    assert_eq!(alice.key(), RecordKey::LineLink(line_link()));
    // The very Port that asking for the link would have made.
    let mut asked = requesting(PortOptions::new());
    assert_eq!(asked.takes(&Input::Event(link_issued())), alice.pending()[..1]);
    assert_eq!(asked.pending(), alice.pending());
}

#[test]
fn r4_2_only_her_own_request_id_is_hers() {
    let mut alice = requesting(PortOptions::new());
    let id: [u8; 16] = seed_bytes(1)[48..].try_into().unwrap();
    for bit in 0..128 {
        let mut other = id;
        other[bit / 8] ^= 1 << (bit % 8);
        let event = Event::LineLinkIssued { request_id: other.into(), line_link: line_link() }.to_vec();
        assert_eq!(rejected(&mut alice, &Input::Event(event)), Rejected::WrongMachine);
    }
    assert_eq!(words(&alice.takes(&Input::Event(link_issued()))), "PortReady");
    // And only once.
    assert_eq!(rejected(&mut alice, &Input::Event(link_issued())), Rejected::WrongMachine);
}

#[test]
fn r4_3_every_line_formed_spends_her() {
    for (proof, state) in [
        (None, "Alice Formed"),
        (Some(proof(PortOptions::new())), "Alice Formed"),
        (Some(bad_proof()), "Alice Ended ProofRefused"),
    ] {
        let mut alice = alice(PortOptions::new());
        alice.takes(&formed([1; 16], proof));
        assert_eq!(alice.state(), state);
        let Any::Alice(alice) = alice else { panic!() };
        assert!(alice.is_spent() && alice.port().is_none());
        assert!(Alice::restore(&alice.record()).unwrap().is_spent(), "durably");
    }
}

#[test]
fn r4_3_a_second_line_is_refused() {
    for first in [None, Some(proof(PortOptions::new())), Some(bad_proof())] {
        for second in [None, Some(proof(PortOptions::new())), Some(proof_by(3, PortOptions::new())), Some(bad_proof())]
        {
            let mut alice = alice(PortOptions::new());
            alice.takes(&formed([1; 16], first.clone()));
            assert_eq!(rejected(&mut alice, &formed([2; 16], second.clone())), Rejected::UnwantedLine([2; 16].into()));
            let _ = alice.give(&Input::ClearOutbox, NOW);
            assert_eq!(rejected(&mut alice, &formed([2; 16], second)), Rejected::UnwantedLine([2; 16].into()));
        }
    }
}

#[test]
fn r4_3_a_refused_proof_spends_her_and_the_good_one_comes_too_late() {
    let mut alice = alice(PortOptions::new());
    let effects = alice.takes(&formed([1; 16], Some(bad_proof())));
    let disconnect = Effect::Send(Request::Disconnect { line_id: [1; 16].into() }.to_vec());
    assert_eq!(effects, [disconnect, Effect::Ended(End::Alice(PortOutcome::ProofRefused))]);
    assert_eq!(
        rejected(&mut alice, &formed([1; 16], Some(proof(PortOptions::new())))),
        Rejected::UnwantedLine([1; 16].into())
    );
}

#[test]
fn r4_3_past_its_expiry_there_is_no_line() {
    for (now, state) in [
        (at(EXPIRY.as_secs() - 1), "Alice Formed"),
        (EXPIRY, "Alice Ended Expired"),
        (UnixSeconds::MAX, "Alice Ended Expired"),
    ] {
        let mut alice = alice(expiring());
        alice.give(&formed([1; 16], Some(proof(expiring()))), now).unwrap();
        assert_eq!(alice.state(), state, "{now:?}");
    }
}

#[test]
fn r4_3_the_line_is_named_by_what_the_server_said() {
    let mut alice = alice(PortOptions::new().relay(RelayAddr::new("a.example").unwrap()));
    let line = new_line(alice.takes(&formed([1; 16], None)));
    assert_eq!(line.claims(), RelayClaims { line_id: [1; 16].into(), peer: peer() });
    assert_eq!(line.key(), RecordKey::Line([1; 16].into()));
    assert_eq!((line.relay().unwrap().as_str(), line.confirmed()), ("a.example", None));
}

#[test]
fn r4_4_spent_holds_no_key_and_no_rad() {
    let secrets = [&seed_bytes(1)[..32], &seed_bytes(1)[32..48]];
    let holds = |record: &[u8], secret: &[u8]| record.windows(secret.len()).any(|window| window == secret);
    for (state, machine) in states(expiring()).into_iter().filter(|(state, _)| state.starts_with("Alice")) {
        for secret in secrets {
            let needed = ["Alice Requesting", "Alice Offered"].contains(&&state[..]);
            assert_eq!(holds(&machine.record(), secret), needed, "{state}");
        }
    }
}

#[test]
fn r4_4_a_further_line_formed_is_repeated_or_stray() {
    let mut with_line = alice(PortOptions::new());
    with_line.takes(&formed([1; 16], None));
    let mut revoked = alice(PortOptions::new());
    revoked.takes(&Input::Revoke);
    for cleared in [false, true] {
        for proof in [None, Some(proof(PortOptions::new())), Some(bad_proof())] {
            assert_eq!(rejected(&mut with_line, &formed([1; 16], proof.clone())), Rejected::Duplicate);
            assert_eq!(
                rejected(&mut with_line, &formed([2; 16], proof.clone())),
                Rejected::UnwantedLine([2; 16].into())
            );
            assert_eq!(rejected(&mut revoked, &formed([1; 16], proof)), Rejected::UnwantedLine([1; 16].into()));
        }
        if !cleared {
            revoked.takes(&Input::ClearOutbox);
        }
    }
}

#[test]
fn r4_4_a_link_that_comes_too_late_is_to_be_closed() {
    for cleared in [false, true] {
        let mut alice = requesting(PortOptions::new());
        alice.takes(&Input::Revoke);
        if cleared {
            alice.takes(&Input::ClearOutbox);
        }
        assert_eq!(rejected(&mut alice, &Input::Event(link_issued())), Rejected::UnwantedLink(line_link()));
    }
}

#[test]
fn r4_5_the_phase_says_where_she_stands() {
    for (state, machine) in states(expiring()) {
        let Any::Alice(alice) = machine else { continue };
        let phase = match alice.phase() {
            AlicePhase::Requesting => "Alice Requesting",
            AlicePhase::Offered => "Alice Offered",
            AlicePhase::Formed(_) => "Alice Formed",
            AlicePhase::Ended(PortOutcome::Revoked) => "Alice Ended Revoked",
            AlicePhase::Ended(PortOutcome::Expired) => "Alice Ended Expired",
            AlicePhase::Ended(PortOutcome::ProofRefused) => "Alice Ended ProofRefused",
            AlicePhase::Ended(PortOutcome::LinkLost) => "Alice Ended LinkLost",
            other => panic!("{other:?}"),
        };
        assert!(state.starts_with(phase), "{state}: {phase}");
    }
}

const TABLE: &[Row] = &[
    ("Alice Requesting", "LineLinkIssued", Early, "Alice Offered", "PortReady"),
    ("Alice Requesting", "LineLinkIssued", Late, "Alice Ended Expired", "CloseLineLink, Ended"),
    ("Alice Requesting", "revokes", Always, "Alice Ended Revoked, no link", "Ended"),
    ("Alice Requesting", "deadline", Late, "Alice Ended Expired, no link", "Ended"),
    (
        "Alice Offered",
        "LineFormed|LineFormed, good proof|LineFormed, bad proof|LineFormed again|LineFormed again, good proof",
        Late,
        "Alice Ended Expired",
        "Disconnect, Ended",
    ),
    ("Alice Offered", "LineFormed|LineFormed again", Early, "Alice Formed", "LineFormed AwaitingProof"),
    (
        "Alice Offered",
        "LineFormed, good proof|LineFormed again, good proof",
        Early,
        "Alice Formed",
        "LineFormed AliceJoined",
    ),
    ("Alice Offered", "LineFormed, bad proof", Early, "Alice Ended ProofRefused", "Disconnect, Ended"),
    ("Alice Offered", "LineLinkLost", Always, "Alice Ended LinkLost", "Ended"),
    ("Alice Offered", "revokes", Always, "Alice Ended Revoked", "CloseLineLink, Ended"),
    ("Alice Offered", "deadline", Late, "Alice Ended Expired", "CloseLineLink, Ended"),
    ("Alice Ended Revoked", "clears the outbox", Always, "Alice Ended Revoked, cleared", ""),
    ("Alice Ended Revoked, no link", "clears the outbox", Always, "Alice Ended Revoked, no link, cleared", ""),
    ("Alice Ended Expired", "clears the outbox", Always, "Alice Ended Expired, cleared", ""),
    ("Alice Ended Expired, no link", "clears the outbox", Always, "Alice Ended Expired, no link, cleared", ""),
    ("Alice Ended LinkLost", "clears the outbox", Always, "Alice Ended LinkLost, cleared", ""),
    ("Alice Ended ProofRefused", "clears the outbox", Always, "Alice Ended ProofRefused, cleared", ""),
];

#[test]
fn r4_5_what_is_not_in_the_table_is_an_error() {
    holds(
        |state| state.starts_with("Alice "),
        TABLE,
        |state, name, machine, _| {
            let (requests, formed) = (machine.key().to_bytes()[0] == 1, state.contains("Formed"));
            let hers = if requests {
                name == "LineLinkIssued"
            } else {
                ["LineFormed", "LineLinkLost", "Refused"].iter().any(|event| name.starts_with(event))
            };
            match name {
                "connects inline" | "connects" | "cancels" | "closes" | "seals" => Refusal::NoSuchCommand,
                "deadline" | "clears the outbox" => Refusal::NothingDue,
                "revokes" => Refusal::Rejected(Rejected::OutOfOrder),
                "LineLinkIssued" if requests => Refusal::Rejected(Rejected::UnwantedLink(line_link())),
                _ if !hers || name.ends_with("another's") => Refusal::Rejected(Rejected::WrongMachine),
                _ if formed && name.starts_with("LineFormed,") | (name == "LineFormed") => {
                    Refusal::Rejected(Rejected::Duplicate)
                }
                _ if name.starts_with("LineFormed again") => {
                    Refusal::Rejected(Rejected::UnwantedLine([0xEE; 16].into()))
                }
                _ if name.starts_with("LineFormed") => Refusal::Rejected(Rejected::UnwantedLine(line_id())),
                _ => Refusal::Rejected(Rejected::OutOfOrder),
            }
        },
    );
}

#[test]
fn r4_5_bytes_that_are_no_event_are_malformed_in_every_state() {
    for (state, mut machine) in states(expiring()) {
        for bytes in [&b""[..], b"\0", b"hello", port(PortOptions::new()).to_bytes().as_slice()] {
            assert_eq!(rejected(&mut machine, &Input::Event(bytes.to_vec())), Rejected::Malformed, "{state}");
        }
    }
}

#[test]
fn r4_5_her_deadline_is_the_ports_expiry() {
    for mut alice in [requesting(expiring()), alice(expiring())] {
        assert_eq!(alice.deadline(), Some(EXPIRY));
        assert_eq!(alice.give(&Input::Tick, at(EXPIRY.as_secs() - 1)), Err(Refusal::NothingDue));
        alice.give(&Input::Tick, EXPIRY).unwrap();
        assert_eq!(alice.deadline(), None);
    }
    for mut alice in [requesting(PortOptions::new()), alice(PortOptions::new())] {
        assert_eq!(alice.deadline(), None);
        assert_eq!(alice.give(&Input::Tick, UnixSeconds::MAX), Err(Refusal::NothingDue));
    }
}

#[test]
fn r4_5_her_outbox_is_what_the_last_step_asked_for_until_it_is_settled() {
    for (state, outbox, clears) in [
        ("Alice Requesting", "IssueLineLink", false),
        ("Alice Offered", "PortReady, SetLineLink 0", false),
        ("Alice Formed", "", false),
        ("Alice Ended Revoked", "CloseLineLink, Ended", true),
        ("Alice Ended Revoked, no link", "Ended", true),
        ("Alice Ended ProofRefused", "Disconnect, Ended", true),
        ("Alice Ended LinkLost", "Ended", true),
    ] {
        let mut alice = states(PortOptions::new()).remove(state).unwrap();
        assert_eq!(words(&alice.pending()), outbox, "{state}");
        assert_eq!(alice.give(&Input::ClearOutbox, NOW).is_ok(), clears, "{state}");
        assert_eq!(words(&alice.pending()), if clears { "" } else { outbox }, "{state}");
    }
}

/// C37: what renews a link that was never set is sent when there is a network, and is not waited for.
#[test]
fn r4_6_the_renewal_stands_behind_the_port_and_not_among_the_first_effects() {
    let renewal =
        Request::SetLineLink { line_link: line_link(), version: 0, admits: Admission::One, recognisable: false };
    let renewal = [Effect::Send(renewal.to_vec())];
    let mut alice = requesting(PortOptions::new());
    let first = alice.takes(&Input::Event(link_issued()));
    assert_eq!(words(&first), "PortReady");
    for alice in [alice.clone(), offered(PortOptions::new()).into()] {
        let pending = alice.pending();
        assert_eq!((&pending[..1], &pending[1..]), (&first[..], &renewal[..]));
    }
    // It stays, as long as the Port does: it is done at each reconnect.
    assert_eq!(alice.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue));
    // A link that is set has its setting before the Port, again and again, and no other.
    for (options, admits, recognisable) in [
        (PortOptions::new().policy(Policy::up_to(2)), Admission::Many, false),
        (PortOptions::new().policy(Policy::once().paused(true)), Admission::Nobody, false),
        (PortOptions::new().recognisable(true), Admission::One, true),
        (PortOptions::new().policy(Policy::up_to(2)).recognisable(true), Admission::Many, true),
    ] {
        let mut alice = requesting(options);
        let set = Request::SetLineLink { line_link: line_link(), version: 1, admits, recognisable }.to_vec();
        let first = alice.takes(&Input::Event(link_issued()));
        assert_eq!(first[0], Effect::Send(set));
        assert_eq!((words(&first[1..]).as_str(), alice.pending()), ("PortReady", first));
        alice.takes(&Input::ClearOutbox);
        assert_eq!(alice.pending().len(), 2);
    }
}

/// C37: a Port whose link the relay has no more is dead, of whatever kind it is.
#[test]
fn r4_6_the_loss_of_a_link_ends_its_port() {
    let lost = Input::Event(Event::LineLinkLost { line_link: line_link() }.to_vec());
    for policy in [Policy::once(), Policy::unlimited()] {
        let options = PortOptions::new().policy(policy);
        let mut alice = alice(options.clone());
        assert_eq!(
            alice.takes(&lost),
            [Effect::Ended(End::Alice(PortOutcome::LinkLost))],
            "and there is nothing to close"
        );
        assert_eq!(alice.state(), "Alice Ended LinkLost");
        let proof = Some(proof(options.clone()));
        assert_eq!(rejected(&mut alice, &formed([1; 16], proof)), Rejected::UnwantedLine([1; 16].into()));
        assert_eq!(rejected(&mut alice, &lost), Rejected::OutOfOrder);
        // It is not hers that asks for a link, nor another's.
        assert_eq!(rejected(&mut requesting(options.clone()), &lost), Rejected::WrongMachine);
        let other = Input::Event(Event::LineLinkLost { line_link: [7; 16].into() }.to_vec());
        assert_eq!(rejected(&mut Any::from(offered(options)), &other), Rejected::WrongMachine);
    }
}

/// §7.3: what is Bob's is none of Alice's.
#[test]
fn r4_5_connected_is_another_machines_in_every_state() {
    for (state, mut machine) in states(PortOptions::new()).into_iter().filter(|(state, _)| state.starts_with("Alice "))
    {
        assert_eq!(rejected(&mut machine, &Input::Event(line_connected())), Rejected::WrongMachine, "{state}");
    }
}
