use alloc::string::ToString;
use alloc::vec;

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::machine::{Input, Tables, ToDo, made};
use super::*;
use crate::{
    Alice, Event, Introducer, IntroducerMessage, IntroducerName, Policy, Port, PortKind, PortOptions, Request, Seed,
    SendProof, UnixSeconds,
};

const ALICE: usize = 0;
const BOB: usize = 1;
const NOW: UnixSeconds = match UnixSeconds::new(1_000) {
    Some(now) => now,
    None => UnixSeconds::MAX,
};

fn seen(port: u8, pair: u8, code: Option<u32>) -> Seen {
    Seen { port: [port; 32].into(), peer: [pair; 32].into(), code: code.map(|n| [n; 8]), early: None, confirmed: false }
}

fn line_id(n: u8) -> LineId {
    [n; 16].into()
}

fn alices() -> Made {
    Made { by: ALICE, line_link: [1; 16].into(), kind: PortKind::Port, public_key: [1; 32], expires: None }
}

/// Alice has made Port 1.
fn witness(lines: &[(usize, u8, Seen)]) -> Witness {
    let lines = lines.iter().map(|(who, name, seen)| ((*who, line_id(*name)), seen.clone())).collect();
    let makers = [([1; 32].into(), alices())].into();
    Witness { lines, makers, ..Witness::default() }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(0)
}

fn step(machine: &mut AnyMachine, input: Input<'_>) -> Vec<ToDo> {
    machine.step(input, NOW, &mut rng(), &mut |_| Ok(())).unwrap()
}

fn alice(options: PortOptions) -> Alice {
    made(Alice::offer([1; 16].into(), options, Seed::from_bytes(&[1; 64])))
}

fn port() -> Port {
    alice(PortOptions::new()).port().unwrap().clone()
}

fn scanned(seed: u8) -> AnyMachine {
    AnyMachine::Bob(made(Bob::scan(port(), Seed::from_bytes(&[seed; 64]))))
}

fn connected(seed: u8) -> AnyMachine {
    let mut bob = scanned(seed);
    step(&mut bob, Input::Connect(SendProof::Inline));
    bob
}

/// Nothing is left to send.
fn dead(mut bob: AnyMachine) -> AnyMachine {
    step(&mut bob, Input::GiveUp);
    while !bob.may_be_deleted() {
        step(&mut bob, Input::ClearOutbox);
    }
    bob
}

fn line_of(machine: &mut AnyMachine, formed: &Event<'_>) -> AnyMachine {
    let formed = step(machine, Input::Event(formed, &[], &Tables::default())).into_iter().find_map(|one| match one {
        ToDo::Adopt(line) => Some(AnyMachine::Line(*line)),
        _ => None,
    });
    formed.unwrap()
}

/// Both ends of one line, joined.
fn ends() -> [AnyMachine; 2] {
    let mut bob = scanned(2);
    let sent = step(&mut bob, Input::Connect(SendProof::Inline));
    let proof = sent.iter().find_map(|one| match one {
        ToDo::Send(request) => match Request::decode(request) {
            Ok(Request::Connect { proof, .. }) => proof,
            _ => None,
        },
        _ => None,
    });
    let mut alice = AnyMachine::Alice(alice(PortOptions::new()));
    let (line_link, line_id, request_id) = ([1; 16].into(), line_id(1), [2; 16].into());
    let formed = Event::LineFormed { line_link, line_id, peer: [1; 32].into(), proof };
    let connected = Event::Connected { line_link, request_id, line_id, peer: [2; 32].into() };
    [line_of(&mut alice, &formed), line_of(&mut bob, &connected)]
}

/// All that each end has to say has come to the other.
fn talk([alice, bob]: &mut [AnyMachine; 2]) {
    for _ in 0..3 {
        say(alice, bob);
        say(bob, alice);
    }
}

fn say(from: &mut AnyMachine, to: &mut AnyMachine) {
    for sent in from.pending() {
        let ToDo::Send(request) = sent else { continue };
        let Ok(Request::Packet { line_id, payload }) = Request::decode(&request) else { continue };
        // What came before is refused.
        let _ = to.step(
            Input::Event(&Event::Packet { line_id, payload }, &[], &Tables::default()),
            NOW,
            &mut rng(),
            &mut |_| Ok(()),
        );
    }
    let _ = from.step(Input::ClearOutbox, NOW, &mut rng(), &mut |_| Ok(()));
}

fn records(machines: &[&AnyMachine]) -> Vec<Vec<u8>> {
    machines.iter().map(|machine| machine.record().to_vec()).collect()
}

/// §6.8: both ends have one check code as soon as they are joined, and the same once they are confirmed.
#[test]
fn the_code_of_a_joined_line_is_its_check_code() {
    let code = |machine: &AnyMachine| match machine {
        AnyMachine::Line(line) => (Seen::of(line).code, line.safety_number().map(|code| *code.groups())),
        _ => panic!("{machine:?}"),
    };
    let mut ends = ends();
    let [(alice, None), (bob, None)] = ends.each_ref().map(code) else { panic!("{ends:?}") };
    assert!(alice.is_some() && alice == bob);
    talk(&mut ends);
    assert_eq!(ends.each_ref().map(code), [(alice, alice); 2]);
}

/// A line keeps its Port and its `peer`, and the code that it gets when it is joined until it is over.
#[test]
fn what_a_line_may_become() {
    let (born, joined) = (seen(1, 1, None), seen(1, 1, Some(1)));
    for later in [&born, &joined] {
        assert!(born.may_become(later) && joined.may_become(later));
    }
    assert!(!joined.may_become(&seen(1, 1, Some(2))));
    for other in [seen(2, 1, None), seen(2, 1, Some(1)), seen(1, 2, None), seen(1, 2, Some(1))] {
        assert!(!born.may_become(&other) && !joined.may_become(&other), "{other:?}");
    }
}

/// §8.1: a machine goes on, never back, and no other takes its place while it lives.
#[test]
fn a_record_goes_on_and_not_back() {
    let looks = |machines: &[&AnyMachine]| {
        let mut witness = witness(&[]);
        let looks = machines.iter().try_for_each(|machine| witness.looks(BOB, &records(&[machine])));
        looks.map(|()| witness.forgotten.contains(&(BOB, [1; 16].into())))
    };
    let (old, new, gone) = (scanned(2), connected(2), dead(connected(2)));
    assert_eq!(looks(&[&old, &new, &gone]), Ok(false));
    assert_eq!(looks(&[&new, &old]), Err(Violation::WentBack(BOB)));
    assert_eq!(looks(&[&new, &scanned(3)]), Err(Violation::WentBack(BOB)));
    assert_eq!(looks(&[&new, &connected(3)]), Err(Violation::Overwritten(BOB)));
    // §8.3: what is dead may be deleted, and scanned anew.
    assert_eq!(looks(&[&gone, &scanned(3)]), Ok(true));
    assert_eq!(looks(&[&dead(scanned(2)), &connected(3)]), Ok(true));
    assert_eq!(looks(&[&gone, &dead(scanned(2))]), Ok(false));
    // With the same randomness it is no other: it has been there.
    assert_eq!(looks(&[&old, &gone, &old]), Err(Violation::WentBack(BOB)));
}

/// §8.3: what is missing was dead.
#[test]
fn what_is_missing_is_forgotten_or_went_back() {
    for (bob, missing) in [(dead(connected(2)), Ok(true)), (connected(2), Err(Violation::WentBack(BOB)))] {
        let mut witness = witness(&[]);
        assert_eq!(witness.looks(BOB, &records(&[&bob])), Ok(()));
        let looks = witness.looks(BOB, &[]);
        assert_eq!(looks.map(|()| witness.forgotten.contains(&(BOB, [1; 16].into()))), missing);
    }
}

#[test]
fn who_has_forgotten_a_port_may_use_it_again() {
    let (alices, another) = ([1; 32].into(), [2; 32].into());
    let answers = |witness: &Witness| {
        [(ALICE, alices), (BOB, alices), (BOB, another)]
            .map(|(who, port)| (witness.has_forgotten(who, port), witness.may_have_two(who, port)))
    };
    const NO: (bool, bool) = (false, false);
    const YES: (bool, bool) = (true, true);
    assert_eq!(answers(&witness(&[])), [NO; 3]);
    let forgotten = |who| Witness { forgotten: [(who, [1; 16].into())].into(), ..witness(&[]) };
    assert_eq!(answers(&forgotten(ALICE)), [YES, NO, NO]);
    assert_eq!(answers(&forgotten(BOB)), [NO, YES, NO]);
    // §11: no client has two lines of a Port that it made, not even after a roll-back.
    let rolled_back = |who| Witness { rolled_back: [who].into(), ..witness(&[]) };
    assert_eq!(answers(&rolled_back(ALICE)), [(true, false), NO, NO]);
    assert_eq!(answers(&rolled_back(BOB)), [NO, YES, YES]);
}

/// §6.8: by its code, whatever it is called; by its name, where there is no code that tells.
#[test]
fn the_other_end_of_a_line() {
    let other_end = |alices: Option<u32>, named: u8, bobs: Seen, forgotten: bool| {
        let mut witness = witness(&[(ALICE, 1, seen(1, 1, alices)), (BOB, named, bobs)]);
        witness.forgotten.extend(forgotten.then_some((BOB, [1; 16].into())));
        let other = witness.other_end(ALICE, line_id(1)).map(|(who, line_id, _)| (who, line_id));
        assert!(other.is_none_or(|other| other == (BOB, line_id(named))));
        other.is_some()
    };
    assert!(other_end(Some(1), 1, seen(1, 1, Some(1)), false));
    assert!(other_end(Some(1), 2, seen(1, 1, Some(1)), false));
    assert!(!other_end(Some(1), 1, seen(1, 1, Some(2)), false));
    for (alices, bobs) in [(None, None), (None, Some(1)), (Some(1), None)] {
        assert!(other_end(alices, 1, seen(1, 1, bobs), false));
        assert!(!other_end(alices, 2, seen(1, 1, bobs), false));
        assert!(!other_end(alices, 1, seen(2, 1, bobs), false));
    }
    // A Bob that has forgotten its line may have given the line's name to another one.
    assert!(other_end(Some(1), 1, seen(1, 1, Some(2)), true));
    assert!(!other_end(Some(1), 2, seen(1, 1, Some(1)), true));
}

/// §6.5.
#[test]
fn a_line_is_confirmed_with_its_other_end_only() {
    let compares = |bobs: &[(usize, u8, Seen)], sealed: Option<(usize, u8)>, forgotten: bool| {
        let mut witness = witness(&[&[(ALICE, 1, seen(1, 1, Some(1)))], bobs].concat());
        witness.forgotten.extend(forgotten.then_some((BOB, [1; 16].into())));
        let nonce = Nonce { epoch: 0, counter: 0 };
        witness.packets.extend(sealed.map(|(who, name)| ((who, line_id(name), nonce), vec![])));
        witness.confirmed.push((ALICE, line_id(1)));
        let compares = witness.compares();
        assert_eq!(witness.compares(), Ok(()), "each only once");
        compares
    };
    const ALONE: Result<(), Violation> = Err(Violation::ConfirmedAlone(ALICE));
    assert_eq!(compares(&[], None, false), ALONE);
    assert_eq!(compares(&[(BOB, 1, seen(1, 1, Some(1)))], None, false), Ok(()));
    assert_eq!(compares(&[(BOB, 2, seen(1, 1, Some(1)))], None, false), ALONE);
    // Each end has its own mark of the other.
    assert_eq!(compares(&[(BOB, 1, seen(1, 2, Some(1)))], None, false), Ok(()));
    assert_eq!(compares(&[(BOB, 1, seen(1, 1, Some(2)))], None, false), ALONE);
    assert_eq!(compares(&[(BOB, 1, seen(2, 1, Some(1)))], None, false), ALONE);
    // Bob's line may have joined and ended before the kit looked at it. Then Bob has sealed a packet on it.
    let over = [(BOB, 1, seen(1, 1, None))];
    assert_eq!(compares(&over, None, false), ALONE);
    assert_eq!(compares(&over, Some((ALICE, 1)), false), ALONE);
    assert_eq!(compares(&over, Some((BOB, 2)), false), ALONE);
    assert_eq!(compares(&over, Some((BOB, 1)), false), Ok(()));
    assert_eq!(compares(&[(BOB, 1, seen(2, 1, None))], Some((BOB, 1)), false), ALONE);
    // Bob has another line of that name now. That is allowed only if Bob has forgotten the first one.
    let another = [(BOB, 1, seen(1, 1, Some(2)))];
    assert_eq!(compares(&another, None, false), ALONE);
    assert_eq!(compares(&another, None, true), Ok(()));
}

/// §6.3: the counters of a line that took the name of one that was deleted begin anew, those of no other.
#[test]
fn a_line_with_the_name_of_another_has_its_own_counters() {
    let [_, AnyMachine::Line(bobs)] = ends() else { panic!("two lines") };
    let nonce = Nonce { epoch: 0, counter: 0 };
    let names = [(ALICE, line_id(1), nonce), (BOB, line_id(1), nonce), (BOB, line_id(2), nonce)];
    for (before, rest) in [(Seen::of(&bobs), &names[..]), (seen(9, 9, None), &[names[0], names[2]])] {
        let mut witness = witness(&[(BOB, 1, before)]);
        witness.packets = names.map(|name| (name, vec![])).into();
        assert_eq!(witness.sees(BOB, &bobs, &bobs.record()), Ok(()));
        assert!(witness.packets.keys().eq(rest), "{:?}", witness.packets.keys());
    }
}

/// §6.5, §6.6.
#[test]
fn a_line_is_lost_that_is_not_confirmed_at_both_ends() {
    let finds = |ends: &[AnyMachine; 2], both: bool, forgotten: bool| {
        let stores = [records(&[&ends[ALICE]]), if both { records(&[&ends[BOB]]) } else { vec![] }];
        let mut witness = witness(&[]);
        witness.makers = [(port().hash(), alices())].into();
        stores.iter().enumerate().for_each(|(who, records)| assert_eq!(witness.looks(who, records), Ok(())));
        witness.forgotten.extend(forgotten.then_some((ALICE, [1; 16].into())));
        witness.finds_lost(&stores)
    };
    let mut ends = ends();
    const LOST: Result<(), Violation> = Err(Violation::Lost(ALICE));
    assert_eq!(finds(&ends, true, false), LOST);
    assert_eq!(finds(&ends, false, false), LOST);
    assert_eq!(finds(&ends, false, true), Ok(()));
    talk(&mut ends);
    assert_eq!(finds(&ends, true, false), Ok(()));
    assert_eq!(finds(&ends, false, false), LOST);
}

/// Alice's end of a line of Port 1. Carol introduced the guest, and Alice's line with Carol is line 9.
fn introduced() -> Line {
    let options = PortOptions::new().policy(Policy::unlimited()).introducer(line_id(9));
    let mut alice = AnyMachine::Alice(alice(options));
    let grant = match &alice {
        AnyMachine::Alice(alice) => alice.port().unwrap().to_bytes(),
        _ => unreachable!(),
    };
    let mut carol = AnyMachine::Introducer(made(Introducer::granted(grant.as_slice(), line_id(9)).unwrap()));
    let told = step(&mut carol, Input::Introduce(&IntroducerName::new("Carol").unwrap(), None, &[3; 64]));
    let Some(ToDo::Announce(_, said)) = told.first() else { panic!("{told:?}") };
    let IntroducerMessage::Ticket(ticket) = IntroducerMessage::decode(said).unwrap() else { panic!("no ticket") };
    let ready = step(&mut carol, Input::MarkAnnounced);
    let Some(ToDo::Show(text)) = ready.first() else { panic!("{ready:?}") };
    let mut bob = AnyMachine::Bob(made(Bob::scan(Port::parse(text).unwrap(), Seed::from_bytes(&[2; 64]))));
    let sent = step(&mut bob, Input::Connect(SendProof::Inline));
    let Some(ToDo::Send(request)) = sent.first() else { panic!("{sent:?}") };
    let Ok(Request::Connect { line_link, proof, .. }) = Request::decode(request) else { panic!("no Connect") };
    let formed = Event::LineFormed { line_link, line_id: line_id(1), peer: [1; 32].into(), proof };
    let known = Tables::of(&formed, [].into_iter(), [ticket]);
    let yielded = step(&mut alice, Input::Event(&formed, &[], &known));
    let line = yielded.into_iter().find_map(|one| match one {
        ToDo::Adopt(line) => Some(*line),
        _ => None,
    });
    line.unwrap()
}

/// §16.5: the introducer has the other end of the line along which the ticket was announced.
#[test]
fn an_introducer_is_who_made_the_ticket() {
    const CAROL: usize = 2;
    let line = introduced();
    let key = RecordKey::Introducer(line_id(9));
    let (port, end) = (line.port(), |who, code| (who, 9, seen(8, 8, Some(code))));
    let sees = |other: (usize, u8, Seen), name: &str, introducer: (usize, RecordKey), rolled_back: &[usize]| {
        let mut witness = witness(&[end(ALICE, 7), other]);
        witness.makers.insert(port, alices());
        witness.introducers.insert(name.to_string(), introducer);
        witness.rolled_back.extend(rolled_back);
        witness.sees_introduced(ALICE, &line)
    };
    let bad = Err(Violation::NotIntroduced(ALICE));
    assert_eq!(sees(end(CAROL, 7), "Carol", (CAROL, key), &[]), Ok(()));
    assert_eq!(sees(end(CAROL, 7), "Dave", (CAROL, key), &[]), bad);
    assert_eq!(sees(end(CAROL, 7), "Carol", (3, key), &[]), bad);
    assert_eq!(sees(end(3, 7), "Carol", (CAROL, key), &[]), bad);
    assert_eq!(sees(end(CAROL, 6), "Carol", (CAROL, key), &[]), bad);
    assert_eq!(sees(end(CAROL, 7), "Carol", (CAROL, RecordKey::Introducer(line_id(2))), &[]), bad);
    // Whose line that was is not known any more.
    assert_eq!(sees(end(3, 7), "Carol", (CAROL, key), &[CAROL]), Ok(()));
    assert_eq!(sees(end(3, 7), "Carol", (CAROL, key), &[BOB]), bad);
}

/// §16.4.
#[test]
fn a_second_line_of_one_ticket_and_one_of_what_is_over() {
    let line = introduced();
    let mut witness = witness(&[]);
    witness.makers.insert(line.port(), alices());
    witness.introduced.insert((ALICE, "Carol".to_string()), RelayClaims { line_id: line_id(2), ..line.claims() });
    assert_eq!(witness.sees_introduced(ALICE, &line), Err(Violation::TicketTwice(ALICE)));
    // Another client's Port does not count.
    witness.withdraws(BOB, RecordKey::LineLink([1; 16].into()));
    assert!(!witness.is_over(ALICE, line.port()));
    witness.withdraws(ALICE, RecordKey::LineLink([1; 16].into()));
    assert!(witness.is_over(ALICE, line.port()));
    assert_eq!(witness.sees(ALICE, &line, &line.record()), Err(Violation::AfterWithdrawal(ALICE)));
    witness.rolled_back(ALICE);
    assert!(!witness.is_over(ALICE, line.port()));
}

/// §5.6: a Bob whose use is over may be read again in its row, and its maker may have no second line for that.
#[test]
fn who_reads_a_port_again_may_have_a_second_line_of_it_but_its_maker_not() {
    let mut gone = dead(connected(2));
    let mut witness = witness(&[]);
    witness.makers = [(port().hash(), alices())].into();
    assert_eq!(witness.looks(BOB, &records(&[&gone])), Ok(()));
    step(&mut gone, Input::ScanAgain(&port(), &[3; 64]));
    assert_eq!(witness.looks(BOB, &records(&[&gone])), Ok(()));
    assert!(!witness.has_forgotten(BOB, port().hash()) && witness.may_have_two(BOB, port().hash()));
    assert!(!witness.may_have_two(ALICE, port().hash()));
}

/// Somebody is on line 1 at the relay. Whether that is found.
fn ghost(who: usize, on: [bool; 2], stores: &[&[&AnyMachine]; 2], lost: &[usize]) -> bool {
    let witness = Witness { lost: lost.iter().copied().collect(), ..witness(&[]) };
    let on = on.map(|is_on| if is_on { vec![line_id(1)] } else { vec![] });
    match witness.finds_ghosts(&on, &stores.map(records)) {
        Ok(()) => false,
        Err(Violation::GhostLine(found)) => {
            assert_eq!(found, who);
            true
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// §8.3.
#[test]
fn who_is_on_a_line_has_its_record_or_leaves_it() {
    let [alices, bobs] = &ends();
    let mut closed = ends();
    step(&mut closed[BOB], Input::Close);
    let leaving = &closed[BOB].record().to_vec();
    let leaving = &AnyMachine::restore(leaving).unwrap();
    step(&mut closed[BOB], Input::ClearOutbox);
    let [_, gone] = &closed;
    let waiting = &connected(3);
    for (bob, is_ghost) in [(&[bobs][..], false), (&[leaving], false), (&[gone], true), (&[], true), (&[waiting], true)]
    {
        assert_eq!(ghost(BOB, [true; 2], &[&[alices], bob], &[]), is_ghost, "{bob:?}");
        // A client that has left is no ghost. Nor is one that nobody waits for.
        assert!(!ghost(BOB, [true, false], &[&[alices], bob], &[]));
        assert!(!ghost(BOB, [false, true], &[&[], bob], &[]));
    }
    // Nobody waits if all that both had is lost.
    assert!(!ghost(ALICE, [true; 2], &[&[], &[]], &[ALICE, BOB]));
    assert!(ghost(ALICE, [true; 2], &[&[], &[]], &[BOB]));
    assert!(ghost(BOB, [true; 2], &[&[alices], &[]], &[ALICE, BOB]));
}

/// §4.3, §5.3.
#[test]
fn a_port_has_no_line_of_another_port() {
    let [alices_line, bobs_line] = ends();
    for (who, line) in [(ALICE, &alices_line), (BOB, &bobs_line)] {
        let is_of_another = |of: u8, link: u8, stored: bool, before: bool| {
            let mut witness = witness(&[]);
            let made = Made { line_link: [link; 16].into(), ..alices() };
            witness.makers =
                [(port().hash(), made), ([7; 32].into(), Made { line_link: [of; 16].into(), ..alices() })].into();
            let name = (who, RecordKey::Line(line_id(1)));
            witness.records.extend(stored.then(|| (name, line.record().to_vec())));
            witness.came.extend(before.then(|| (who, line_id(1), [7; 32].into())));
            witness.is_of_another(who, RecordKey::LineLink([of; 16].into()), line_id(1))
        };
        assert!(!is_of_another(1, 1, true, false));
        assert!(is_of_another(2, 1, true, false));
        assert!(!is_of_another(2, 1, false, false), "its record is gone");
        assert!(!is_of_another(2, 1, true, true), "the name is another line's now");
    }
}
