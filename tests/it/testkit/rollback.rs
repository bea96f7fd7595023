//! What stands between an old backup and a second line (§8.2, §8.4, §11): each of it is needed.

use super::*;

/// Alice's store is backed up, Bob uses the Port, the backup comes back, and the relay uses the Port once more.
fn roll_back(how: RollBack) -> Schedule {
    Schedule(vec![
        Choice::MakePort(0, None),
        Choice::DeliverAll,
        Choice::BackUp(0),
        Choice::UsePort(1, 0, SendProof::Inline),
        Choice::DeliverAll,
        Choice::RollBack(0, how),
        Choice::ClaimTwice(0, Claim::SameProof),
    ])
}

#[test]
fn r11_without_care_a_rolled_back_alice_forms_a_second_line() {
    for how in [RollBack::Process, RollBack::Records, RollBack::Everything] {
        assert_eq!(world(StoreFaults::ALL).run(&roll_back(how)), Err(Violation::SecondLine(0)), "{how:?}");
    }
}

#[test]
fn r8_2_replaces_catches_an_old_process() {
    let faults = StoreFaults { overwrites: false, ..StoreFaults::ALL };
    let mut caught = world(faults);
    assert_eq!(caught.run(&roll_back(RollBack::Process)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // It does not see what the store does not know any more.
    assert_eq!(world(faults).run(&roll_back(RollBack::Records)), Err(Violation::SecondLine(0)));
}

#[test]
fn r8_4_marks_kept_apart_catch_old_records() {
    let faults = StoreFaults { keeps_restored_ports: true, ..StoreFaults::NONE };
    let mut caught = world(faults);
    assert_eq!(caught.run(&roll_back(RollBack::Records)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // Nor do marks that went with them.
    assert_eq!(world(faults).run(&roll_back(RollBack::Everything)), Err(Violation::SecondLine(0)));
}

#[test]
fn r11_revoking_after_a_restore_catches_the_rest() {
    let mut caught = world(StoreFaults { keeps_restored_ports: false, ..StoreFaults::ALL });
    assert_eq!(caught.run(&roll_back(RollBack::Everything)), Ok(()));
    assert_eq!(caught.count_of(Fault::RollBack), 1);
    // And the old backup does not come back a second time, where its marks are gone.
    let mut twice = roll_back(RollBack::Everything);
    twice.0.insert(6, Choice::RollBack(0, RollBack::Records));
    let mut caught = world(StoreFaults::NONE);
    assert_eq!(caught.run(&twice), Ok(()), "{}", caught.trace());
    assert_eq!(caught.count_of(Fault::RollBack), 2);
}

#[test]
fn r8_4_a_mark_that_is_there_revokes_the_port_and_ends_the_stray_line() {
    let mut caught = world(StoreFaults::NONE);
    assert_eq!(caught.run(&roll_back(RollBack::Records)), Ok(()));
    let records = caught.apps()[0].records();
    let [alice] = &records[..] else { panic!("{} records", records.len()) };
    assert_eq!(Alice::restore(alice).unwrap().phase(), AlicePhase::Ended(PortOutcome::Revoked));
    let requests: Vec<_> = caught.requests().iter().map(|request| Request::decode(request).unwrap()).collect();
    assert!(requests.iter().any(|request| matches!(request, Request::CloseLineLink { .. })), "{requests:?}");
    assert!(requests.iter().any(|request| matches!(request, Request::Disconnect { .. })), "{requests:?}");
}
