//! `drive_pair`, `world`: the kit's world, and in it what the input says.

use port_protocol::testkit::{App, Choice, Client, Schedule, World};
use port_protocol::{Line, LinePhase, Machine, SendProof, UnixSeconds};

/// When a world begins.
pub const NOW: UnixSeconds = match UnixSeconds::new(1_000_000) {
    Some(now) => now,
    None => UnixSeconds::MAX,
};

/// By number. In `drive_pair` there is a third: a thief, or a friend. In `world` there are two Alices, two Bobs, and the third.
pub const ALICE: u8 = 0;
pub const BOB: u8 = 1;

/// A long schedule shows no more than a short one, only later.
const MOST_CHOICES: usize = 128;

/// The line is formed at both sides, and nothing has gone along it.
pub const fn formed(how: SendProof) -> [Choice; 5] {
    let (ready, used) = (Choice::MakePort(ALICE, None), Choice::UsePort(BOB, 0, how));
    [ready, Choice::DeliverAll, used, Choice::Deliver, Choice::Deliver]
}

/// The world after these choices.
pub fn play<A: App>(apps: impl IntoIterator<Item = A>, choices: &[Choice]) -> World<A> {
    let mut world = World::new(apps);
    for choice in choices {
        world.perform(*choice).unwrap_or_else(|violation| panic!("{violation}\n{}", world.trace()));
    }
    world
}

/// The same with so many of the kit's own clients.
pub fn run(clients: usize, choices: &[Choice]) -> World {
    play((0..clients).map(|_| Client::default()), choices)
}

/// This client's line, the first if there are more.
pub fn line<A: App>(world: &World<A>, who: u8) -> Option<Line> {
    world.apps()[usize::from(who)].records().iter().find_map(|record| Line::restore(record).ok())
}

/// Nothing that must hold is broken, roll-backs or not, for these clients take every care there is (SPEC.md §11); and the same
/// bytes give the same run. What is to be seen is looked at before everybody tries again.
fn drive(clients: usize, data: &[u8], look: impl Fn(&World) -> bool) -> bool {
    let mut choices = Schedule::from_bytes(data).0;
    choices.truncate(MOST_CHOICES);
    let run = || {
        let mut world = run(clients, &choices);
        let seen = look(&world);
        world.finish().unwrap_or_else(|violation| panic!("{violation}\n{}", world.trace()));
        (world, seen)
    };
    let ((world, seen), (again, _)) = (run(), run());
    let stores = |world: &World| world.apps().iter().map(App::records).collect::<Vec<_>>();
    assert!(world.trace() == again.trace() && world.requests() == again.requests() && stores(&world) == stores(&again));
    seen
}

/// `true` if both sides were confirmed.
pub fn drive_pair(data: &[u8]) -> bool {
    let confirmed = |world: &World, who| line(world, who).map(|line| line.phase()) == Some(LinePhase::Confirmed);
    drive(3, data, |world| confirmed(world, ALICE) && confirmed(world, BOB))
}

/// `true` if somebody heard a word.
pub fn world(data: &[u8]) -> bool {
    drive(5, data, |world| world.trace().contains(" hears "))
}
