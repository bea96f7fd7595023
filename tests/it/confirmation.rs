//! §6.5 and §6.6: how both ends come to know each other, whatever is lost, repeated, reordered or late.
#![cfg(feature = "alloc")]

use crate::common::table::When::{Always, Early, Late};
use crate::common::table::{Row, holds};
use crate::common::*;
use port_protocol::*;

fn hears(line: &mut Any, event: &[u8]) -> Vec<Effect> {
    line.takes(&Input::Event(event.to_vec()))
}

fn rejected(line: &mut Any, event: &[u8]) -> Rejected {
    match line.give(&Input::Event(event.to_vec()), NOW) {
        Err(Refusal::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn agree(alice: &Any, bob: &Any) {
    let [a, b] =
        [alice, bob].map(|line| (line.as_line().confirmed().unwrap(), line.as_line().safety_number().unwrap()));
    assert_eq!(a, b);
    assert_eq!(alice.state(), "AliceConfirmed, answered");
    assert!(alice.pending().is_empty());
}

#[test]
fn r6_5_confirm_and_its_answer_confirm_both() {
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        let (mut alice, mut bob) = lines(how, PortOptions::new());
        if how == SendProof::AlongTheLine {
            let effects = hears(&mut alice, &arrives(&bob.pending()));
            assert_eq!(words(&effects), "Confirm");
        }
        let confirm = arrives(&alice.pending());
        assert!(alice.as_line().confirmed().is_none() && bob.as_line().confirmed().is_none());
        let answer = arrives(&hears(&mut bob, &confirm));
        assert!(bob.as_line().confirmed().is_some());
        assert_eq!(words(&hears(&mut alice, &answer)), "");
        agree(&alice, &bob);
    }
}

#[test]
fn r6_5_confirm_stays_until_bob_is_known_to_have_it() {
    let (mut alice, mut bob) = joined();
    let confirm = arrives(&alice.pending());
    alice.takes(&Input::seal("is anybody there?"));
    assert_eq!(alice.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue));
    assert_eq!(arrives(&alice.clone().pending()), confirm);
    // Bob speaks, but has not heard Alice. Alice sends Confirm again each time.
    for _ in 0..2 {
        assert_eq!(arrives(&hears(&mut alice, &says(&mut bob, "hello?"))), confirm);
        assert!(alice.as_line().confirmed().is_some());
        assert_eq!(arrives(&alice.pending()), confirm);
    }
    // Now Bob gets Confirm.
    let answer = arrives(&hears(&mut bob, &confirm));
    hears(&mut alice, &answer);
    agree(&alice, &bob);
}

#[test]
fn r6_5_a_message_of_a_confirmed_bob_is_an_answer_too() {
    let (mut alice, mut bob) = joined();
    let answer = arrives(&hears(&mut bob, &arrives(&alice.pending())));
    let message = says(&mut bob, "hello");
    assert_eq!(words(&hears(&mut alice, &message)), "says");
    agree(&alice, &bob);
    // The answer comes late, and is taken once.
    assert_eq!(words(&hears(&mut alice, &answer)), "");
    assert_eq!(rejected(&mut alice, &answer), Rejected::Duplicate);
    agree(&alice, &bob);
}

#[test]
fn r6_5_a_lost_confirm_is_sent_again() {
    let (mut alice, mut bob) = joined();
    let lost = alice.pending();
    assert_eq!(alice.pending(), lost, "the very same bytes");
    let answer = arrives(&hears(&mut bob, &arrives(&alice.clone().pending())));
    hears(&mut alice, &answer);
    agree(&alice, &bob);
}

#[test]
fn r6_5_a_lost_answer_is_asked_for_again() {
    for cleared in [false, true] {
        let (mut alice, mut bob) = joined();
        let confirm = arrives(&alice.pending());
        let lost = hears(&mut bob, &confirm);
        assert_eq!(bob.pending(), lost, "he keeps it");
        if cleared {
            bob.takes(&Input::ClearOutbox);
            assert!(bob.pending().is_empty());
        }
        let again = hears(&mut bob, &arrives(&alice.pending()));
        assert_eq!(again, lost, "the same answer, not another one");
        assert_eq!(bob.pending(), lost);
        hears(&mut alice, &arrives(&again));
        agree(&alice, &bob);
    }
}

#[test]
fn r6_5_repeated_confirms_and_answers_do_no_harm() {
    let (mut alice, mut bob) = joined();
    let confirm = arrives(&alice.pending());
    let answers: Vec<_> = (0..5).map(|_| arrives(&hears(&mut bob, &confirm))).collect();
    hears(&mut alice, &answers[0]);
    for answer in &answers {
        assert_eq!(rejected(&mut alice, answer), Rejected::Duplicate);
    }
    agree(&alice, &bob);
}

#[test]
fn r6_5_any_packet_of_alices_confirms_bob_and_is_answered() {
    let (mut alice, mut bob) = joined();
    let opening = says(&mut alice, "I could not wait");
    let effects = hears(&mut bob, &opening);
    assert_eq!(words(&effects), "says, Answer");
    assert!(bob.as_line().confirmed().is_some());
    hears(&mut alice, &arrives(&effects));
    agree(&alice, &bob);
    // Alice's Confirm comes after Alice's message.
    let (alice_as_born, _) = joined();
    assert_eq!(words(&hears(&mut bob, &arrives(&alice_as_born.pending()))), "Answer");
}

#[test]
fn r6_5_a_confirmed_alices_message_confirms_bob_as_well() {
    let (mut alice, mut bob) = joined();
    hears(&mut alice, &says(&mut bob, "hello"));
    assert_eq!(words(&hears(&mut bob, &says(&mut alice, "hello yourself"))), "says, Answer");
    assert!(bob.as_line().confirmed().is_some());
}

#[test]
fn r6_5_confirm_may_come_after_64_and_more_later_messages() {
    let (mut alice, mut bob) = joined();
    let confirm = arrives(&alice.pending());
    for i in 0..130 {
        let message = says(&mut alice, "and another thing");
        assert_eq!(words(&hears(&mut bob, &message)), if i == 0 { "says, Answer" } else { "says" });
    }
    let answer = arrives(&hears(&mut bob, &confirm));
    hears(&mut alice, &answer);
    agree(&alice, &bob);
}

#[test]
fn r6_5_the_answer_may_come_late_but_within_the_window() {
    for (messages, taken) in [(62, true), (63, true), (64, false)] {
        let (mut alice, mut bob) = joined();
        let answer = arrives(&hears(&mut bob, &arrives(&alice.pending())));
        for _ in 0..messages {
            hears(&mut alice, &says(&mut bob, "words"));
        }
        agree(&alice, &bob);
        assert_eq!(alice.give(&Input::Event(answer), NOW).is_ok(), taken, "after {messages}");
        agree(&alice, &bob);
    }
}

#[test]
fn r6_5_both_may_speak_at_once() {
    let (mut alice, mut bob) = joined();
    let (from_alice, from_bob) = (says(&mut alice, "a"), says(&mut bob, "b"));
    let confirm = arrives(&alice.pending());
    assert_eq!(words(&hears(&mut alice, &from_bob)), "says, Confirm");
    let answer = arrives(&hears(&mut bob, &from_alice));
    assert_eq!(words(&hears(&mut bob, &confirm)), "Answer");
    hears(&mut alice, &answer);
    agree(&alice, &bob);
}

#[test]
fn r6_5_messages_may_come_in_any_order() {
    let (mut alice, mut bob) = joined();
    let mut packets = vec![arrives(&alice.pending())];
    packets.extend((0..40).map(|i| says(&mut alice, &format!("{i}"))));
    packets.reverse();
    for packet in &packets {
        hears(&mut bob, packet);
    }
    for packet in &packets[..40] {
        assert_eq!(rejected(&mut bob, packet), Rejected::Duplicate);
    }
}

#[test]
fn r6_5_the_same_proof_again_makes_alice_send_confirm_again() {
    let (mut alice, mut bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    let proof = arrives(&bob.pending());
    let confirm = hears(&mut alice, &proof);
    assert_eq!(hears(&mut alice, &proof), confirm);
    // Also when it was inline the first time.
    let (mut inline, _) = joined();
    assert_eq!(hears(&mut inline, &proof), confirm);
    // Also when Alice has heard Bob, but does not know yet that Bob has heard Alice.
    hears(&mut alice, &says(&mut bob, "hello"));
    assert_eq!(hears(&mut alice, &proof), confirm);
    let answer = arrives(&hears(&mut bob, &arrives(&confirm)));
    hears(&mut alice, &answer);
    assert_eq!(rejected(&mut alice, &proof), Rejected::OutOfOrder, "until Bob is known to have it");
}

#[test]
fn r6_5_bob_keeps_his_proof_until_he_is_confirmed() {
    let (mut alice, mut bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    let proof = bob.pending();
    bob.takes(&Input::seal("hello"));
    assert_eq!(bob.give(&Input::ClearOutbox, NOW), Err(Refusal::NothingDue));
    assert_eq!(bob.clone().pending(), proof);
    hears(&mut alice, &arrives(&proof));
    hears(&mut bob, &arrives(&alice.pending()));
    assert_eq!(words(&bob.pending()), "Answer");
}

#[test]
fn r6_5_a_close_that_comes_first_ends_the_line_unconfirmed() {
    for (mut closes, mut other) in [joined(), {
        let (a, b) = joined();
        (b, a)
    }] {
        let close = arrives(&closes.takes(&Input::Close));
        assert_eq!(words(&hears(&mut other, &close)), "Disconnect, Ended");
        assert_eq!((other.as_line().confirmed(), other.state().as_str()), (None, "Closed ByPeer"));
    }
}

#[test]
fn r6_5_until_both_are_confirmed_nothing_is_relied_on() {
    for (state, line) in states(PortOptions::new()) {
        let Any::Line(line) = line else { continue };
        let unconfirmed = matches!(line.phase(), LinePhase::AwaitingProof | LinePhase::Joined);
        assert!(!unconfirmed || line.confirmed().is_none() && line.safety_number().is_none(), "{state}");
    }
}

#[test]
fn r6_6_a_packet_that_overtook_the_proof_is_too_early_and_is_handed_in_again() {
    let (mut alice, mut bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    let (proof, opening) = (arrives(&bob.pending()), says(&mut bob, "hello"));
    assert_eq!(rejected(&mut alice, &opening), Rejected::TooEarly);
    hears(&mut alice, &proof);
    assert_eq!(words(&hears(&mut alice, &opening)), "says, Confirm");
}

#[test]
fn r6_6_an_alice_who_never_hears_bob_stays_joined() {
    let (mut alice, _) = lines(SendProof::Inline, expiring());
    assert_eq!(alice.deadline(), None);
    assert_eq!(alice.give(&Input::Tick, UnixSeconds::MAX), Err(Refusal::NothingDue));
    assert_eq!(words(&alice.pending()), "Confirm");
    assert_eq!(words(&alice.takes(&Input::Close)), "Close, Disconnect, Ended");
}

#[test]
fn r6_6_a_line_waits_for_the_proof_until_the_expiry_or_seven_days() {
    let expires = |secs| PortOptions::new().expires(at(secs));
    let now = NOW.as_secs();
    for (offer, expiry) in [
        (PortOptions::new(), None),
        (PortOptions::new().expires(UnixSeconds::MAX), Some(UnixSeconds::MAX)),
        (expires(now + WEEK + 1), Some(at(now + WEEK + 1))),
        (expires(now + WEEK), Some(at(now + WEEK))),
        (expires(now + WEEK - 1), Some(at(now + WEEK - 1))),
        (expires(now + DAY), Some(at(now + DAY))),
        (expires(now + 1), Some(at(now + 1))),
    ] {
        let (alice, bob) = lines(SendProof::AlongTheLine, offer);
        let proof = Input::Event(arrives(&bob.pending()));
        let (week, mut line) = (at(now + WEEK), alice.clone());
        // A look on each of seven days, or the expiry.
        let until = expiry.map_or(week, |expiry| expiry.min(week));
        for day in 1..=7 {
            let look = expiry.map_or(at(now + day * DAY), |expiry| expiry.min(at(now + day * DAY)));
            assert_eq!(line.deadline(), Some(look), "{expiry:?}");
            let before = at(look.as_secs() - 1);
            assert_eq!(line.clone().give(&Input::Tick, before), Err(Refusal::NothingDue));
            assert_eq!(words(&line.clone().give(&proof, before).unwrap()), "Confirm");
            let effects = line.give(&Input::Tick, look).unwrap();
            if look == until {
                assert_eq!(words(&effects), "Disconnect, Ended");
                break;
            }
            assert_eq!((words(&effects).as_str(), line.state().as_str()), ("", "AwaitingProof"), "{expiry:?}");
        }
        assert_eq!((line.state().as_str(), line.deadline()), ("Closed Expired", None), "{expiry:?}");
        // §8.8: no event ends the wait; the Port's own expiry does.
        let Some(expiry) = expiry else {
            assert_eq!(words(&alice.clone().give(&proof, UnixSeconds::MAX).unwrap()), "Confirm");
            continue;
        };
        for input in [Input::Tick, proof] {
            let mut late = alice.clone();
            assert_eq!(words(&late.give(&input, expiry).unwrap()), "Disconnect, Ended");
            assert_eq!((late.state().as_str(), late.deadline()), ("Closed Expired", None));
        }
    }
}

#[test]
fn r6_6_the_wait_does_not_overflow() {
    let formed = Input::Event(line_formed(None));
    let mut alice = Any::from(offered(PortOptions::new()));
    let mut line = Any::from(new_line(alice.give(&formed, at(UnixSeconds::MAX.as_secs() - 5)).unwrap()));
    assert_eq!(line.deadline(), Some(UnixSeconds::MAX));
    // A clock that stands still uses nothing up.
    for _ in 0..9 {
        assert_eq!(line.give(&Input::Tick, UnixSeconds::MAX), Ok(vec![]));
        assert_eq!((line.state().as_str(), line.deadline()), ("AwaitingProof", Some(UnixSeconds::MAX)));
    }
}

#[test]
fn r6_6_both_may_seal_from_joined_on() {
    for (state, mut line) in states(PortOptions::new()) {
        let Any::Line(_) = line else { continue };
        let outcome = line.give(&Input::seal("words"), NOW);
        match &state[..] {
            "AwaitingProof" => assert_eq!(outcome, Err(Refusal::Seal(SealError::NotJoined))),
            _ if state.starts_with("Closed") => assert_eq!(outcome, Err(Refusal::Seal(SealError::Closed))),
            _ => assert!(matches!(words(&outcome.unwrap()).as_str(), "EarlyMessage" | "Message"), "{state}"),
        }
    }
}

const ALICE: &str = "AliceJoined|AliceConfirmed|AliceConfirmed, answered";
const BOB: &str = "BobJoined|BobJoined, proof to send|BobConfirmed, answer due|BobConfirmed";
const JOINED_BOB: &str = "BobJoined|BobJoined, proof to send";
const CONFIRMED_BOB: &str = "BobConfirmed, answer due|BobConfirmed";
/// Any packet at all.
const PACKETS: &str = "Proof|Proof, bad|Alice's Confirm|Alice's EarlyMessage|Alice's Message|Alice's Close|Bob's EarlyMessage|Bob's \
                       Answer|Bob's Message|Bob's Close";
const NOT_CLOSED: &str = "AwaitingProof|AliceJoined|AliceConfirmed|AliceConfirmed, answered|BobJoined|BobJoined, proof to \
                          send|BobConfirmed, answer due|BobConfirmed";

/// In these states, the first possible packet confirmed each confirmed Alice: Bob's EarlyMessage or Bob's Answer. Confirm confirmed each
/// confirmed Bob.
const TABLE: &[Row] = &[
    ("AwaitingProof", "Proof", Early, "AliceJoined", "Confirm"),
    ("AwaitingProof", "Proof, bad", Early, "Closed ProofRefused", "Disconnect, Ended"),
    ("AwaitingProof", PACKETS, Late, "Closed Expired", "Disconnect, Ended"),
    ("AwaitingProof", "deadline", Late, "Closed Expired", "Disconnect, Ended"),
    ("AliceJoined|AliceConfirmed", "Proof", Always, "=", "Confirm"),
    ("AliceJoined", "Bob's EarlyMessage", Always, "AliceConfirmed", "says, Confirm"),
    ("AliceConfirmed, answered", "Bob's EarlyMessage", Always, "=", "says"),
    (ALICE, "Bob's Message", Always, "AliceConfirmed, answered", "says"),
    ("AliceJoined|AliceConfirmed", "Bob's Answer", Always, "AliceConfirmed, answered", ""),
    (JOINED_BOB, "Alice's Confirm", Always, "BobConfirmed, answer due", "Answer"),
    (JOINED_BOB, "Alice's EarlyMessage|Alice's Message", Always, "BobConfirmed, answer due", "says, Answer"),
    (CONFIRMED_BOB, "Alice's Confirm", Always, "BobConfirmed, answer due", "Answer"),
    (CONFIRMED_BOB, "Alice's EarlyMessage|Alice's Message", Always, "=", "says"),
    (ALICE, "Bob's Close", Always, "Closed ByPeer", "Disconnect, Ended"),
    (BOB, "Alice's Close", Always, "Closed ByPeer", "Disconnect, Ended"),
    (ALICE, "Dropped", Always, "=", "PacketsLost"),
    (BOB, "Dropped", Always, "=", "PacketsLost"),
    (NOT_CLOSED, "Disconnected", Always, "Closed ByRelay", "Ended"),
    ("AwaitingProof", "closes", Always, "Closed ByUs", "Disconnect, Ended"),
    (ALICE, "closes", Always, "Closed ByUs with Close", "Close, Disconnect, Ended"),
    (BOB, "closes", Always, "Closed ByUs with Close", "Close, Disconnect, Ended"),
    ("AliceJoined|BobJoined|BobJoined, proof to send", "seals", Always, "=", "EarlyMessage"),
    ("AliceConfirmed|AliceConfirmed, answered|BobConfirmed|BobConfirmed, answer due", "seals", Always, "=", "Message"),
    ("BobConfirmed, answer due", "clears the outbox", Always, "BobConfirmed", ""),
    ("Closed ByUs|Closed ByUs with Close", "clears the outbox", Always, "Closed ByUs, cleared", ""),
    ("Closed ByPeer", "clears the outbox", Always, "Closed ByPeer, cleared", ""),
    ("Closed ByRelay", "clears the outbox", Always, "Closed ByRelay, cleared", ""),
    ("Closed ProofRefused", "clears the outbox", Always, "Closed ProofRefused, cleared", ""),
    ("Closed Expired", "clears the outbox", Always, "Closed Expired, cleared", ""),
];

#[test]
fn r6_6_what_is_not_in_the_table_is_an_error() {
    let of_a_line = |state: &str| !state.starts_with("Alice ") && !state.starts_with("Bob ");
    holds(of_a_line, TABLE, |state, name, _, _| {
        let closed = state.starts_with("Closed");
        let taken = [("AliceConfirmed", "Bob's EarlyMessage"), ("AliceConfirmed, answered", "Bob's Answer")];
        Refusal::Rejected(match name {
            "connects inline" | "connects" | "revokes" | "cancels" => return Refusal::NoSuchCommand,
            "deadline" | "clears the outbox" => return Refusal::NothingDue,
            "seals" if closed => return Refusal::Seal(SealError::Closed),
            "seals" => return Refusal::Seal(SealError::NotJoined),
            _ if name.ends_with("another's") => Rejected::WrongMachine,
            _ if ["Line", "Connected", "Refused"].iter().any(|event| name.starts_with(event)) => Rejected::WrongMachine,
            "Packet, no payload" => Rejected::Malformed,
            _ if closed => Rejected::Closed,
            "Proof" | "Proof, bad" | "Dropped" => Rejected::OutOfOrder,
            _ if state == "AwaitingProof" => Rejected::TooEarly,
            _ if taken.contains(&(state, name)) => Rejected::Duplicate,
            // An end's own packet, come back.
            _ => Rejected::Forged,
        })
    });
}
