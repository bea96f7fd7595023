//! Contact ports in the kit's worlds (§16).

use super::*;

const ALICE: u8 = 0;
const CAROL: u8 = 1;
const BOB: u8 = 2;

/// Alice and Carol have a line, and along it Carol is granted a contact port.
const GRANTED: &[Choice] = &[
    Choice::MakePort(ALICE, None),
    Choice::DeliverAll,
    Choice::UsePort(CAROL, 0, SendProof::OnBoard),
    Choice::DeliverAll,
    Choice::Grant(ALICE, 0),
    Choice::DeliverAll,
];

/// What was shown: Alice's Port first, then each Port with a ticket.
const TICKET: u8 = 1;
const INTRODUCED: &[Choice] = &[Choice::Introduce(CAROL, 0), Choice::DeliverAll];
const USED: &[Choice] = &[Choice::UsePort(BOB, TICKET, SendProof::OnBoard), Choice::DeliverAll];

/// Drawn from a seed, behind a grant; but people grant, introduce and withdraw more than they talk.
fn with_contacts(seed: u64) -> Schedule {
    let Schedule(mut choices) = Schedule::from_seed(seed, 120);
    for (n, choice) in choices.iter_mut().enumerate() {
        let n = n as u8;
        *choice = match *choice {
            Choice::MakePort(who, _) if n % 3 > 0 => Choice::Grant(who, n),
            Choice::Say(who, at) if n % 2 > 0 => Choice::Introduce(who, at),
            Choice::Clock(who) => Choice::Withdraw(who, n),
            Choice::BackUp(who) if n % 2 > 0 => {
                Choice::SetPolicy(who, n, if n % 4 > 1 { Change::Pause } else { Change::Resume })
            }
            same => same,
        };
    }
    Schedule([GRANTED.to_vec(), choices].concat())
}

fn count<A: App>(world: &World<A>, what: &str) -> usize {
    world.trace().matches(what).count()
}

/// Alice's lines of contact ports.
fn introduced<A: App>(world: &World<A>) -> Vec<Line> {
    let records = world.apps().iter().flat_map(App::records);
    let lines = records.filter_map(|record| Line::restore(&record).ok());
    lines.filter(|line| line.introduced().is_some_and(|introduced| introduced.by.is_some())).collect()
}

#[test]
fn a_choice_is_what_its_bytes_say() {
    for (a, b) in [(0, 0), (1, 7), (255, 255)] {
        for choice in [Choice::Grant(a, b), Choice::Introduce(a, b), Choice::Withdraw(a, b)] {
            assert_eq!(Choice::from_bytes(choice.to_bytes()), choice);
            assert_eq!(choice.fault(), None);
        }
        // What schedules were kept as stays what it was.
        assert_eq!(Choice::from_bytes([110, a, b, 0]), Choice::Say(a, b));
    }
}

#[test]
fn r16_an_introduction_comes_to_a_line_that_says_by_whom() {
    let mut world = world(Care::FULL);
    play(&mut world, &[GRANTED, INTRODUCED, USED]);
    let lines = introduced(&world);
    let [line] = &lines[..] else { panic!("{}", world.trace()) };
    assert_eq!((line.phase(), line.introduced().map(|by| by.name.as_str())), (LinePhase::Confirmed, Some("introducer 1")));
    assert_eq!(world.apps()[0].tickets(), Some(vec![]));
    assert_eq!(world.finish(), Ok(()), "{}", world.trace());
    assert_eq!(introduced(&world).len(), 1);
}

#[test]
fn r16_no_schedule_breaks_what_must_hold_of_a_contact_port() {
    let happens = ["wants Introduce", "Grant(", "Withdraw(", "wants GiveUp", " hears ", "sends Disconnect"];
    let mut counts = [0; 6];
    let mut lines = 0;
    all_hold(0..60, with_contacts, |world| {
        counts.iter_mut().zip(happens).for_each(|(n, what)| *n += count(world, what));
        lines += introduced(world).len();
    });
    let counts: Vec<_> = happens.iter().zip(counts).collect();
    println!("{counts:?}, {lines} lines");
    assert!(counts.iter().all(|(_, n)| *n > 10), "{counts:?}");
    assert!(lines > 10, "{lines}");
}

#[test]
fn r16_what_only_honest_faults_disturb_comes_to_a_good_end() {
    let (mut lines, mut late) = (0, 0);
    let draw = |seed| with_contacts(seed).with_only(Fault::is_honest);
    all_hold(100..160, draw, |world| {
        let all = introduced(world);
        lines += all.iter().filter(|line| line.confirmed().is_some()).count();
        late += usize::from(all.is_empty());
    });
    println!("{lines} lines, {late} worlds without");
    assert!(lines > 20, "{lines}");
}
