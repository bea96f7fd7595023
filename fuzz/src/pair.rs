//! `drive_pair`: the kit's world, and in it what the input says.

use port_protocol::testkit::{App, Choice, Schedule, World};
use port_protocol::{Line, LinePhase, Machine, SendProof, UnixSeconds};

/// When a world begins.
pub const NOW: UnixSeconds = UnixSeconds(1_000_000);

/// By number. There is a third: a thief, or a friend.
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
pub fn play<A: App>(apps: [A; 3], choices: &[Choice]) -> World<A> {
    let mut world = World::new(apps);
    for choice in choices {
        world.perform(*choice).unwrap_or_else(|violation| panic!("{violation}\n{}", world.trace()));
    }
    world
}

/// The same with the kit's own clients.
pub fn run(choices: &[Choice]) -> World {
    play(Default::default(), choices)
}

/// This client's line, the first if there are more.
pub fn line<A: App>(world: &World<A>, who: u8) -> Option<Line> {
    world.apps()[usize::from(who)].records().iter().find_map(|record| Line::restore(record).ok())
}

/// `true` if both sides were confirmed before everybody tried again.
pub fn drive_pair(data: &[u8]) -> bool {
    let mut choices = Schedule::from_bytes(data).0;
    choices.truncate(MOST_CHOICES);
    let mut world = run(&choices);
    let confirmed = [ALICE, BOB].map(|who| line(&world, who).map(|line| line.phase()) == Some(LinePhase::Confirmed));
    world.finish().unwrap_or_else(|violation| panic!("{violation}\n{}", world.trace()));
    confirmed == [true; 2]
}
