//! §6.5 and §6.6: how both ends come to know each other, whatever is lost, repeated, reordered or late.
#![cfg(feature = "alloc")]

use std::time::Duration;

use crate::common::table::When::Always;
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
fn r6_6_a_line_waits_for_the_proof_for_seven_looks_at_the_clock() {
    let now = NOW.as_secs();
    // The Port was used in time. Its expiry does not end the wait.
    for offer in [PortOptions::new(), PortOptions::new().expires(at(now + 1)), expiring(), longest()] {
        let (alice, bob) = lines(SendProof::AlongTheLine, offer);
        let proof = Input::Event(arrives(&bob.pending()));
        let mut line = alice.clone();
        for day in 1..=7 {
            let look = at(now + day * DAY);
            assert_eq!(line.deadline(), Some(look));
            assert_eq!(line.clone().give(&Input::Tick, at(look.as_secs() - 1)), Err(Refusal::NothingDue));
            // §8.8: no event ends the wait, however late it comes.
            for when in [NOW, look, UnixSeconds::MAX] {
                assert_eq!(words(&line.clone().give(&proof, when).unwrap()), "Confirm");
            }
            assert_eq!(line.state(), "AwaitingProof");
            let effects = words(&line.give(&Input::Tick, look).unwrap());
            assert_eq!(effects, if day == 7 { "Disconnect, Ended" } else { "" }, "day {day}");
        }
        assert_eq!((line.state().as_str(), line.deadline()), ("Closed Expired", None));
        assert_eq!(line.give(&proof, NOW), Err(Refusal::Rejected(Rejected::Closed)));
    }
}

#[test]
fn r6_6_the_wait_does_not_overflow() {
    let formed = Input::Event(line_formed(None));
    let mut alice = Any::from(offered(PortOptions::new()));
    let mut line = Any::from(new_line(alice.give(&formed, at(UnixSeconds::MAX.as_secs() - 5)).unwrap()));
    assert_eq!(line.deadline(), Some(UnixSeconds::MAX));
    // A clock that stands still uses nothing up, and is not looked at again and again.
    assert_eq!(line.give(&Input::Tick, UnixSeconds::MAX), Ok(vec![]));
    for _ in 0..9 {
        assert_eq!(line.give(&Input::Tick, UnixSeconds::MAX), Err(Refusal::NothingDue));
        assert_eq!((line.state().as_str(), line.deadline()), ("AwaitingProof", Some(UnixSeconds::MAX)));
    }
}

/// C26: the clock is unset at boot, and right a second later.
#[test]
fn r8_8_a_clock_that_was_unset_at_boot_ends_no_wait() {
    let (_, bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    let proof = Input::Event(arrives(&bob.pending()));
    let right = at(1_790_000_000);
    let unset = || {
        let mut alice = Any::from(offered(PortOptions::new()));
        Any::from(new_line(alice.give(&Input::Event(line_formed(None)), at(60)).unwrap()))
    };
    for ticks in 0..7 {
        // Its app looks at the clock, as often as it likes.
        let mut line = unset();
        for _ in 0..ticks {
            let due = line.deadline().is_some_and(|deadline| deadline <= right);
            assert_eq!(line.give(&Input::Tick, right).is_ok(), due);
        }
        assert_eq!(words(&line.give(&proof, right).unwrap()), "Confirm");
        assert_eq!(line.state(), "AliceJoined", "after {ticks} ticks");
    }
    // One tick notes the look, and costs a day at most. The next is due a day later.
    let mut line = unset();
    assert_eq!(line.give(&Input::Tick, right), Ok(vec![]));
    assert_eq!(line.deadline(), Some(right.after(Duration::from_secs(DAY))));
    assert_eq!(line.give(&Input::Tick, right), Err(Refusal::NothingDue));
}

/// C26: an hour ahead, and back again.
#[test]
fn r8_8_a_clock_that_goes_ahead_and_back_costs_what_it_went_ahead() {
    let line = || lines(SendProof::AlongTheLine, PortOptions::new()).0;
    let hour = |n: i64| at(NOW.as_secs().checked_add_signed(n * 3600).unwrap());
    // Ahead by 25 hours at one look, then right again: that look was one of a day.
    let mut ahead = line();
    assert_eq!(ahead.give(&Input::Tick, hour(25)), Ok(vec![]));
    assert_eq!(ahead.deadline(), Some(hour(49)));
    // Back, before that look: nothing has passed, and the next look is a day from here, not from there.
    assert_eq!(ahead.give(&Input::Tick, hour(1)), Ok(vec![]));
    assert_eq!(ahead.deadline(), Some(hour(25)));
    assert_eq!(ahead.give(&Input::Tick, hour(1)), Err(Refusal::NothingDue));
    let looks = (0..6).map(|n| hour(25 + 24 * n));
    let ends: Vec<_> = looks.map(|now| words(&ahead.give(&Input::Tick, now).unwrap())).collect();
    assert_eq!(ends, ["", "", "", "", "", "Disconnect, Ended"]);
    // A clock that is years ahead at one look, and then right, does not make the line wait for years.
    let mut years = line();
    assert_eq!(years.give(&Input::Tick, UnixSeconds::MAX), Ok(vec![]));
    let looks = (0..7).map(|n| hour(2 + 24 * n));
    let ends: Vec<_> = looks.map(|now| words(&years.give(&Input::Tick, now).unwrap())).collect();
    assert_eq!(ends, ["", "", "", "", "", "", "Disconnect, Ended"]);
    // A clock that hurries by years at each look gets no further than one that is right.
    let mut hurried = line();
    for n in 1..7 {
        assert_eq!(hurried.give(&Input::Tick, hour(n * 24 * 365)), Ok(vec![]));
        assert_eq!(hurried.state(), "AwaitingProof");
    }
    assert_eq!(words(&hurried.give(&Input::Tick, hour(7 * 24 * 365)).unwrap()), "Disconnect, Ended");
    assert_eq!(hurried.state(), "Closed Expired");
}

/// C26: and seven honest days do end it.
#[test]
fn r8_8_seven_honest_days_end_it() {
    let (mut line, bob) = lines(SendProof::AlongTheLine, PortOptions::new());
    let proof = Input::Event(arrives(&bob.pending()));
    // A look in each hour; each that is due.
    let mut due = 0;
    for hour in 1..=7 * 24 {
        let now = NOW.after(Duration::from_secs(hour * 3600));
        match line.give(&Input::Tick, now) {
            Err(refusal) => assert_eq!(refusal, Refusal::NothingDue),
            Ok(effects) => {
                due += 1;
                assert_eq!(
                    (hour, words(&effects).as_str()),
                    (due * 24, if due == 7 { "Disconnect, Ended" } else { "" })
                );
            }
        }
    }
    assert_eq!((due, line.state().as_str()), (7, "Closed Expired"));
    assert_eq!(line.give(&proof, NOW), Err(Refusal::Rejected(Rejected::Closed)));
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
const NOT_CLOSED: &str = "AwaitingProof|AliceJoined|AliceConfirmed|AliceConfirmed, answered|BobJoined|BobJoined, proof to \
                          send|BobConfirmed, answer due|BobConfirmed";

/// In these states, the first possible packet confirmed each confirmed Alice: Bob's EarlyMessage or Bob's Answer. Confirm confirmed each
/// confirmed Bob.
const TABLE: &[Row] = &[
    ("AwaitingProof", "Proof", Always, "AliceJoined", "Confirm"),
    ("AwaitingProof", "Proof, bad", Always, "Closed ProofRefused", "Disconnect, Ended"),
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
