//! §14.1, §14.2, §14.5, §14.6: how a Port may be used, what the relay is told of it, who waits, who comes.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

const END: UnixSeconds = EXPIRY;

fn single(policy: Policy) -> Alice {
    let mut alice = offered(PortOptions::new().policy(policy));
    clear_outbox(&mut alice);
    alice
}

/// What the relay is told, in words.
fn news(alice: &Alice) -> Option<(u64, Admission)> {
    alice.pending().find_map(told)
}

fn told(effect: AliceEffect<'_>) -> Option<(u64, Admission)> {
    match effect {
        AliceEffect::Send(Request::SetLineLink { version, admits, .. }) => Some((version, admits)),
        _ => None,
    }
}

fn set(alice: &mut Alice, policy: Policy) -> Result<Option<(u64, Admission)>, Rejected> {
    let step = alice.set_policy(policy)?;
    let effects: Vec<_> = step.committed().map(told).collect();
    assert!(effects.len() < 2 && effects.iter().all(Option::is_some), "{effects:?}");
    assert!(effects.is_empty() || effects[0] == news(alice));
    Ok(effects.first().copied().flatten())
}

/// A use by the Bob of this seed; then the outbox is cleared.
fn used(alice: &mut Alice, n: u8) -> Result<Line, Rejected> {
    let proof = proof_of(n, alice);
    let line = line_of(alice.handle(&formed(n, n, Some(proof)), &NoPeers, NOW, &mut rng())?.committed());
    clear_outbox(alice);
    Ok(line.unwrap())
}

fn end(alice: &Alice) -> Option<PortOutcome> {
    if let AlicePhase::Ended(end) = alice.phase() { Some(end) } else { None }
}

#[test]
fn r14_1_the_kind_follows_from_the_policy_and_stays() {
    for (uses, kind) in [
        (Policy::once(), PortKind::Port),
        (Policy::up_to(0), PortKind::Superport),
        (Policy::up_to(1), PortKind::Superport),
        (Policy::unlimited(), PortKind::Superport),
    ] {
        let offer = PortOptions::new().policy(uses);
        assert_eq!((offer.kind(), offered(offer.clone()).port().unwrap().kind()), (kind, kind));
        let requesting = Alice::request(offer, seed(1)).committed();
        for mut alice in [offered(PortOptions::new().policy(uses)), requesting] {
            for other in [Policy::once(), Policy::up_to(0), Policy::unlimited()] {
                let fits = (other.use_limit() == UseLimit::Once) == (kind == PortKind::Port);
                let before = alice.record().to_vec();
                let refused = alice.set_policy(other.paused(true)).err();
                assert_eq!(refused, (!fits).then_some(Rejected::PolicyMismatch));
                assert_eq!(*alice.record(), before[..], "a dropped step");
            }
        }
    }
}

#[test]
fn r14_1_a_policy_of_a_port_that_waits_for_its_link() {
    let offer = PortOptions::new().policy(Policy::up_to(2));
    let mut alice = Alice::request(offer, seed(1)).committed();
    assert_eq!(set(&mut alice, Policy::up_to(3).paused(true).closes_at(Some(END))), Ok(None));
    assert_eq!(alice.deadline(), Some(END));
    let request_id = alice.pending().find_map(|effect| match effect {
        AliceEffect::Send(Request::IssueLineLink { request_id }) => Some(request_id),
        _ => None,
    });
    let issued = Event::LineLinkIssued { request_id: request_id.unwrap(), line_link: line_link() };
    let mut alice = Alice::restore(&alice.record()).unwrap();
    alice.handle(&issued, &NoPeers, NOW, &mut rng()).unwrap().committed().for_each(drop);
    assert_eq!((news(&alice), alice.policy().unwrap().use_limit()), (Some((1, Admission::Nobody)), UseLimit::UpTo(3)));
    assert_eq!(set(&mut alice, Policy::up_to(3)), Ok(Some((2, Admission::Many))));
    // It is the same Port as one that had its link at once.
    assert_eq!(alice.port(), superport(Policy::up_to(3)).port());
    alice.revoke().unwrap().committed().for_each(drop);
    assert_eq!(alice.set_policy(Policy::up_to(9)).err(), Some(Rejected::OutOfOrder));
}

#[test]
fn r14_2_the_limit_raised_and_lowered_also_below_what_was_used() {
    let mut alice = offering(Policy::up_to(2));
    assert_eq!(news(&alice), Some((1, Admission::Many)));
    clear_outbox(&mut alice);
    used(&mut alice, 2).unwrap();
    assert_eq!(set(&mut alice, Policy::up_to(7)), Ok(None), "no news to the Relay");
    used(&mut alice, 3).unwrap();
    used(&mut alice, 4).unwrap();
    for lower in [3, 1, 0] {
        let told = set(&mut alice, Policy::up_to(lower)).unwrap();
        assert_eq!(told, (lower == 3).then_some((2, Admission::Nobody)));
        clear_outbox(&mut alice);
        assert_eq!((alice.used(), used(&mut alice, 5).err()), (3, Some(Rejected::UnwantedLine(id(5)))));
    }
    assert_eq!(set(&mut alice, Policy::up_to(4)), Ok(Some((3, Admission::Many))));
    clear_outbox(&mut alice);
    used(&mut alice, 5).unwrap();
    assert_eq!(set(&mut alice, Policy::unlimited()), Ok(Some((5, Admission::Many))), "4 was at the limit");
}

#[test]
fn r14_2_a_contact_port_for_one_use_has_one() {
    let alice = offered(PortOptions::new().introducer(id(7)));
    assert_eq!((alice.port().unwrap().kind(), news(&alice)), (PortKind::ContactPort, Some((1, Admission::Many))));
    for (uses, told) in [(0, Some((2, Admission::Nobody))), (1, None)] {
        let used = Cbor::read(&alice.record()).with(&[3, 1, 6, 0], Cbor::Uint(uses)).write();
        let mut alice = Alice::restore(&used).unwrap();
        clear_outbox(&mut alice);
        assert_eq!((u64::from(alice.used()), set(&mut alice, Policy::once().paused(true))), (uses, Ok(told)));
    }
}

#[test]
fn r14_2_versions_rise_and_what_was_not_said_is_said_until_it_is_settled() {
    let mut alice = superport(Policy::unlimited());
    for n in 0..3 {
        let paused = set(&mut alice, Policy::unlimited().paused(true)).unwrap();
        assert_eq!(paused, Some((2 * n + 2, Admission::Nobody)));
        // A crash before it was said.
        alice = Alice::restore(&alice.record()).unwrap();
        assert_eq!(news(&alice), paused);
        // What changes nothing for the relay is no news, and takes none away.
        assert_eq!(set(&mut alice, Policy::up_to(9).paused(true)), Ok(paused));
        let resumed = set(&mut alice, Policy::up_to(9)).unwrap();
        assert_eq!(resumed, Some((2 * n + 3, Admission::Many)));
        clear_outbox(&mut alice);
        // And one after.
        alice = Alice::restore(&alice.record()).unwrap();
        assert_eq!((news(&alice), alice.clear_outbox().is_none()), (resumed, true), "said again with the connection");
    }
    let step = alice.set_policy(Policy::up_to(0)).unwrap();
    drop(step);
    assert_eq!(news(&alice), Some((7, Admission::Many)));
    let mut once = single(Policy::once());
    assert_eq!(set(&mut once, Policy::once().paused(true)), Ok(Some((1, Admission::Nobody))));
    assert_eq!(set(&mut once, Policy::once()), Ok(Some((2, Admission::One))));
    assert_eq!(news(&offered(PortOptions::new().policy(Policy::once().paused(true)))), Some((1, Admission::Nobody)));
    // So it was issued: only its lifetime begins anew (§4.6).
    assert_eq!(news(&offered(PortOptions::new())), Some((0, Admission::One)));
}

#[test]
fn r14_2_a_use_in_flight_is_judged_by_the_policy_of_the_moment() {
    let mut alice = superport(Policy::up_to(9));
    set(&mut alice, Policy::up_to(9).paused(true)).unwrap();
    assert_eq!(used(&mut alice, 2).err(), Some(Rejected::UnwantedLine(id(2))));
    assert_eq!(alice.used(), 0);
    set(&mut alice, Policy::up_to(9)).unwrap();
    used(&mut alice, 2).unwrap();
    // A Port for one use is dead by it all the same (§4.3).
    for proof in [None, Some(proof_of(2, &single(Policy::once())))] {
        let mut alice = single(Policy::once());
        set(&mut alice, Policy::once().paused(true)).unwrap();
        let step = alice.handle(&formed(2, 2, proof), &NoPeers, NOW, &mut rng()).unwrap();
        assert_eq!(step.write().unique.map(|(_, then)| then), Some(OnDuplicate::Revoke));
        assert!(line_of(step.committed()).is_none());
        assert_eq!(
            (end(&alice), words(&Any::from(alice).pending())),
            (Some(PortOutcome::Paused), "Disconnect, Ended".into())
        );
    }
}

#[test]
fn r14_2_whatever_was_used_she_can_be_closed_at_once() {
    let mut alice = superport(Policy::up_to(1).closes_at(Some(END)));
    let proof = proof_of(2, &alice);
    assert!(
        line_of(alice.handle(&formed(2, 2, Some(proof)), &NoPeers, NOW, &mut rng()).unwrap().committed()).is_some()
    );
    // A crash: what the relay is to hear is still there.
    let mut alice = Alice::restore(&alice.record()).unwrap();
    assert_eq!((news(&alice), alice.deadline()), (Some((2, Admission::Nobody)), Some(END)));
    let sent: Vec<_> = alice.revoke().unwrap().committed().map(|effect| format!("{effect:?}")).collect();
    assert!(sent[0].contains("CloseLineLink") && sent[1].contains("Revoked"), "{sent:?}");
    assert_eq!(used_again(&mut alice), Rejected::UnwantedLine(id(7)), "closed for good");
}

fn used_again(alice: &mut Alice) -> Rejected {
    alice.handle(&formed(7, 7, Some(bad_proof())), &NoPeers, NOW, &mut rng()).err().unwrap()
}

#[test]
fn r14_2_until_is_by_her_clock_and_a_clock_that_jumps_back_revives_nothing() {
    let before = at(END.as_secs() - 1);
    for (until, expires) in [
        (Some(END), None),
        (None, Some(END)),
        (Some(END), Some(at(END.as_secs() + 9))),
        (Some(UnixSeconds::MAX), Some(END)),
    ] {
        for by_tick in [true, false] {
            let mut offer = PortOptions::new().policy(Policy::unlimited().closes_at(until));
            offer = expires.map_or(offer.clone(), |at| offer.expires(at));
            let mut alice = offered(offer);
            clear_outbox(&mut alice);
            let proof = proof_of(2, &alice);
            assert!(alice.deadline() == Some(END) && alice.tick(before).is_none());
            drop(alice.handle(&formed(2, 2, Some(proof.clone())), &NoPeers, before, &mut rng()).unwrap());
            if by_tick {
                alice.tick(END).unwrap().committed().for_each(drop);
            } else {
                assert_eq!(
                    alice.handle(&formed(2, 2, Some(proof.clone())), &NoPeers, END, &mut rng()).err(),
                    Some(Rejected::DeadlinePassed)
                );
                alice.tick(END).unwrap().committed().for_each(drop);
            }
            assert_eq!(end(&alice), Some(PortOutcome::Expired));
            let said = words(&Any::from(Alice::restore(&alice.record()).unwrap()).pending());
            assert_eq!(said, "CloseLineLink, Ended");
            assert_eq!(
                alice.handle(&formed(2, 2, Some(proof)), &NoPeers, before, &mut rng()).err(),
                Some(Rejected::UnwantedLine(id(2)))
            );
        }
    }
    // A line that waits for its proof was formed in time, and goes on (§6.6).
    let mut alice = single(Policy::once().closes_at(Some(END)));
    let mut line = line_of(alice.handle(&formed(2, 2, None), &NoPeers, NOW, &mut rng()).unwrap().committed()).unwrap();
    assert_eq!(line.deadline(), Some(at(NOW.as_secs() + DAY)));
    let proof = proof_of(2, &single(Policy::once()));
    let proof = Event::Packet { line_id: id(2), payload: &Payload::Proof { proof }.to_vec() }.to_vec();
    assert!(line.tick(END).is_none());
    hears(&mut line, &proof, END).unwrap();
    assert_eq!(line.phase(), LinePhase::Joined);
}

#[test]
fn r14_1_bob_holds_to_the_expiry_by_his_clock() {
    let alice = offered(PortOptions::new().policy(Policy::unlimited().closes_at(Some(NOW))).expires(END));
    let port = alice.port().unwrap();
    assert_eq!(port.expires(), Some(END), "until is hers alone");
    let mut late = Bob::scan(port.clone(), seed(2)).committed();
    assert_eq!(late.connect(SendProof::Inline, END).err(), Some(Rejected::Expired));
    assert!(late.deadline().is_none() && late.tick(UnixSeconds::MAX).is_none(), "nothing was sent");
    // The clock was wrong.
    assert!(late.connect(SendProof::Inline, at(END.as_secs() - 1)).is_ok());
    let (mut told_late, _) = connecting(2, port);
    told_late.handle(&connected(2, 2), &NoPeers, END, &mut rng()).unwrap().committed().for_each(drop);
    let (mut ticked, _) = connecting(2, port);
    ticked.tick(END).unwrap().committed().for_each(drop);
    for (mut bob, said) in [(told_late, "Disconnect, Ended"), (ticked, "Ended")] {
        assert_eq!(bob.phase(), BobPhase::Ended(UseOutcome::Expired));
        // Bob's clock jumps back.
        assert_eq!(bob.connect(SendProof::Inline, NOW).err(), Some(Rejected::OutOfOrder));
        assert_eq!(bob.handle(&connected(2, 3), &NoPeers, NOW, &mut rng()).err(), Some(Rejected::UnwantedLine(id(3))));
        assert_eq!(words(&Any::from(bob).pending()), said);
    }
}
