//! Pools in the kit's worlds (§15): Ports of links that are there already, and none of a link that had one.

use super::*;

const ALICE: u8 = 0;
const BOB: u8 = 1;

/// Of two links at least, and four at most.
const FILLED: &[Choice] = &[Choice::MakePool(ALICE, 9), Choice::DeliverAll];
/// Of one and one.
const LEAST: &[Choice] = &[Choice::MakePool(ALICE, 0), Choice::DeliverAll];
const MAKE: Choice = Choice::MakePort(ALICE, None);
const USED: &[Choice] = &[Choice::UsePort(BOB, 0, SendProof::Inline), Choice::DeliverAll];

/// Drawn from a seed, behind a pool each; but people begin pools, make Ports and use them more than they talk.
pub(super) fn with_pools(seed: u64) -> Schedule {
    let Schedule(mut choices) = Schedule::from_seed(seed, 100);
    for (n, choice) in choices.iter_mut().enumerate() {
        let n = n as u8;
        *choice = match *choice {
            Choice::Say(who, at) if n.is_multiple_of(3) => Choice::MakeSuperport(who, at % 192),
            Choice::Say(who, _) if n % 3 == 1 => Choice::MakePort(who, None),
            Choice::Tick(who) | Choice::Close(who, _) => Choice::UsePort(who, n, SendProof::Inline),
            Choice::Clock(who) => Choice::MakePool(who, n),
            same => same,
        };
    }
    Schedule([(0..3).map(|who| Choice::MakePool(who, seed as u8)).collect(), choices].concat())
}

fn count<A: App>(world: &World<A>, what: &str) -> usize {
    world.trace().matches(what).count()
}

/// How many links this client's pool has, and how many it has asked for.
fn stands<A: App>(world: &World<A>, who: usize) -> Option<(usize, usize)> {
    let records = world.apps()[who].records();
    records.iter().find_map(|record| Pool::restore(record).ok()).map(|pool| (pool.held(), pool.requested()))
}

/// Every link that this client has a Port of, or had.
fn links<A: App>(world: &World<A>, who: usize) -> Vec<RecordKey> {
    let records = world.apps()[who].records();
    let alices = records.iter().filter_map(|record| Alice::restore(record).ok());
    alices.map(|alice| alice.key()).filter(|key| matches!(key, RecordKey::LineLink(_))).collect()
}

#[test]
fn r15_no_schedule_breaks_what_must_hold_of_a_pool() {
    let (mut held, mut lines, mut begun) = (0, 0, 0);
    all_hold(0..30, with_pools, |world| {
        held += (0..3).filter_map(|who| stands(world, who)).filter(|(held, _)| *held > 0).count();
        lines += (0..3).filter(|who| !links(world, *who).is_empty()).count();
        begun += count(world, "wants MakePool");
    });
    assert!(held > 30 && lines > 30 && begun > 100, "{held}, {lines}, {begun}");
}

#[test]
fn r15_what_only_honest_faults_disturb_comes_to_a_good_end_with_pools() {
    let mut heard = 0;
    all_hold(
        100..130,
        |seed| with_pools(seed).with_only(Fault::is_honest),
        |world| {
            heard += count(world, " hears ");
            for (held, asked) in (0..3).filter_map(|who| stands(world, who)) {
                assert!(held > 0 && asked == 0, "{}", world.trace());
            }
        },
    );
    assert!(heard > 20, "{heard}");
}

#[test]
fn r15_4_a_port_of_a_pool_needs_no_network_and_r15_5_below_its_bound_it_asks_for_more() {
    let mut world = world(StoreFaults::NONE);
    play(&mut world, &[FILLED]);
    assert_eq!((stands(&world, 0), count(&world, "0 shows")), (Some((4, 0)), 0));
    // Nothing comes from the relay.
    for (made, left) in [(1, (3, 0)), (2, (2, 0)), (3, (1, 3)), (4, (0, 3)), (5, (0, 3))] {
        play(&mut world, &[&[MAKE]]);
        // With none left, it is as without a pool.
        assert_eq!((stands(&world, 0), count(&world, "0 shows")), (Some(left), made.min(4)), "{}", world.trace());
    }
    play(&mut world, &[&[Choice::DeliverAll]]);
    assert_eq!((stands(&world, 0), count(&world, "0 shows")), (Some((3, 0)), 5), "{}", world.trace());
    play(&mut world, &[USED]);
    assert_eq!(world.finish(), Ok(()));
    assert_eq!((phase(&world, 0), phase(&world, 1)), (Some(LinePhase::Confirmed), Some(LinePhase::Confirmed)));
}

#[test]
fn r15_4_wherever_she_dies_no_link_is_used_twice_and_the_pool_fills_again() {
    let (mut died, mut lost) = (0, 0);
    for (after, more) in (0..60).flat_map(|after| [(after, 0), (after, 3)]) {
        let mut world = world(StoreFaults::NONE);
        let dies = [Choice::Crash(ALICE, after), Choice::Crash(ALICE, more)];
        play(&mut world, &[&dies, FILLED, &[MAKE, MAKE, MAKE, Choice::DeliverAll], USED]);
        assert_eq!(world.finish(), Ok(()), "{after}, {more}\n{}", world.trace());
        died += world.count_of(Fault::Crash);
        let ports = links(&world, 0).len();
        lost += usize::from(ports < 3);
        // A crash loses a link, or a wish, and no more.
        assert!((1..=3).contains(&ports), "{after}, {more}\n{}", world.trace());
        assert!(stands(&world, 0).is_none_or(|(held, asked)| held >= 2 && asked == 0), "{}", world.trace());
    }
    assert!(died > 60 && lost > 0, "{died}, {lost}");
}

/// The relay answers the pool with the link of a Port that there is already.
#[test]
fn r15_3_a_link_that_is_issued_twice_gives_one_port() {
    let had = [MAKE, Choice::DeliverAll, Choice::MakePool(ALICE, 0), Choice::Drop];
    let again = [Choice::AnswerUnasked(ALICE, Answer::SecondLink), MAKE];
    let mut world = world(StoreFaults::NONE);
    play(&mut world, &[&had, &again]);
    // It was taken out, and is the other's all the same: a new one is asked for.
    assert_eq!((count(&world, "0 shows"), stands(&world, 0)), (1, Some((0, 1))), "{}", world.trace());
    play(&mut world, &[&[Choice::DeliverAll]]);
    assert_eq!((count(&world, "0 shows"), links(&world, 0).len()), (2, 2), "{}", world.trace());
    assert_eq!(world.finish(), Ok(()));
}

#[test]
fn r15_6_a_backup_that_comes_back_brings_no_pool() {
    let backed_up = [LEAST, &[Choice::BackUp(ALICE), MAKE, Choice::DeliverAll]].concat();
    for how in [RollBack::Process, RollBack::Records, RollBack::Everything] {
        let mut world = world(StoreFaults::NONE);
        play(&mut world, &[&backed_up, &[Choice::RollBack(ALICE, how)]]);
        assert_eq!(stands(&world, 0).is_none(), how == RollBack::Everything, "{how:?}\n{}", world.trace());
        play(&mut world, &[&[MAKE, Choice::DeliverAll]]);
        assert_eq!(world.finish(), Ok(()), "{how:?}\n{}", world.trace());
    }
    // An old process takes a link that was handed out since, and there is a Port of it; a store that compares refuses its step.
    let old = Schedule([backed_up, vec![Choice::RollBack(ALICE, RollBack::Process), MAKE]].concat());
    let ran = world(StoreFaults { overwrites: true, ..StoreFaults::NONE }).run(&old);
    assert_eq!(ran, Err(Violation::Overwritten(0)));
}

#[test]
fn r15_6_a_pool_that_is_begun_anew_leaves_nothing_of_the_old_one() {
    let mut world = world(StoreFaults::NONE);
    // The old one's last answers come late, and are nobody's.
    play(&mut world, &[&[Choice::MakePool(ALICE, 9), Choice::Deliver, Choice::MakePool(ALICE, 0), Choice::DeliverAll]]);
    assert_eq!((stands(&world, 0), count(&world, "sends CloseLineLink")), (Some((1, 0)), 3), "{}", world.trace());
    assert_eq!(world.apps()[0].records().len(), 1);
    assert_eq!(world.finish(), Ok(()));
}

/// The kit's client; but what the kit sees of its store is meddled with.
struct Misplaced(Client, Meddle, Vec<Vec<u8>>);

/// With what there was before the last command, and what there is.
type Meddle = fn(&[Vec<u8>], Vec<Vec<u8>>) -> Vec<Vec<u8>>;

impl App for Misplaced {
    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.2 = self.records();
        self.0.command(command, outside)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.1(&self.2, self.0.records())
    }

    leaves!(0: deliver restart output);
}

fn misplaced(how: Meddle, then: &[Choice]) -> Result<(), Violation> {
    let app = |who| Misplaced(Client::default(), if who == 0 { how } else { |_, records| records }, vec![]);
    World::new([0, 1].map(app)).run(&Schedule([FILLED, then].concat()))
}

#[test]
fn r15_4_an_app_that_keeps_alice_before_the_pool_is_found() {
    // After a command the pool is what it was before it.
    let late = |before: &[Vec<u8>], mut records: Vec<Vec<u8>>| {
        let is_pool = |record: &&mut Vec<u8>| Pool::restore(record).is_ok();
        let was = before.iter().find(|record| Pool::restore(record).is_ok());
        if let (Some(was), Some(is)) = (was, records.iter_mut().find(is_pool)) {
            is.clone_from(was);
        }
        records
    };
    assert_eq!(misplaced(|_, records| records, &[MAKE]), Ok(()));
    assert_eq!(misplaced(late, &[MAKE]), Err(Violation::LinkTwice(0)));
}

#[test]
fn r8_3_an_app_that_loses_its_pool_is_found() {
    let loses = |_: &[Vec<u8>], records: Vec<Vec<u8>>| {
        let has_port = records.iter().any(|record| Alice::restore(record).is_ok());
        records.into_iter().filter(|record| !has_port || Pool::restore(record).is_err()).collect()
    };
    assert_eq!(misplaced(loses, &[MAKE]), Err(Violation::WentBack(0)));
}

/// Remembers the first link that it ever had, and makes its Ports of that, as soon as the Port before is dead and deleted.
struct Remembers(Client, Option<LineLink>);

impl App for Remembers {
    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.0.sweep();
        self.0.command(command, outside)
    }

    fn records(&self) -> Vec<Vec<u8>> {
        let mut records = self.0.records();
        let second = Alice::offer(self.1.unwrap_or([0; 16].into()), PortOptions::new(), Seed::from_bytes(&[7; 64]));
        let second = second.write().row;
        let has_it = |record: &Vec<u8>| Alice::restore(record).is_ok_and(|alice| alice.key() == second.key);
        if self.1.is_some() && !records.iter().any(has_it) {
            records.push(second.record.to_vec());
        }
        records
    }

    fn output(&mut self) -> Vec<Output> {
        let alices = self.0.records().into_iter().filter_map(|record| Alice::restore(&record).ok());
        self.1 = self.1.or(alices.into_iter().find_map(|alice| alice.port().map(Port::line_link)));
        self.0.output()
    }

    leaves!(0: deliver restart);
}

#[test]
fn r15_4_an_app_that_makes_two_ports_of_one_link_is_found() {
    let mut world = World::new([(); 2].map(|()| Remembers(Client::default(), None)));
    play(&mut world, &[LEAST, &[MAKE, Choice::DeliverAll, USED[0], USED[1]]]);
    let gone = [Choice::Close(ALICE, 0), Choice::DeliverAll, Choice::Tick(ALICE), Choice::Tick(BOB)];
    let found = gone.map(|choice| world.perform(choice));
    assert!(found.contains(&Err(Violation::LinkTwice(0))), "{found:?}\n{}", world.trace());
}

/// §15.1.
#[test]
fn r8_7_the_key_and_the_name_of_a_pool_are_secrets() {
    struct Tells(usize, Vec<Output>);

    impl App for Tells {
        fn deliver(&mut self, _: &[u8], _: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
            Ok(Receipt::Acknowledged)
        }

        fn command(&mut self, command: &Command, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
            if let Command::MakePool { seed, .. } = command {
                let name: [u8; 16] = seed[self.0..][..16].try_into().unwrap();
                self.1.push(Output::Send(Request::IssueLineLink { request_id: name.into() }.to_vec()));
            }
            Ok(())
        }

        fn restart(&mut self, _: &mut Outside<'_>) -> Result<(), PowerFailed> {
            Ok(())
        }

        fn output(&mut self) -> Vec<Output> {
            std::mem::take(&mut self.1)
        }

        fn records(&self) -> Vec<Vec<u8>> {
            vec![]
        }
    }

    let run = |from| World::new([Tells(from, vec![])]).run(&Schedule(vec![Choice::MakePool(0, 0)]));
    assert_eq!([0, 32, 48].map(run), [Err(Violation::Secret(0)), Err(Violation::Secret(0)), Ok(())]);
}
