//! Users who lose what they have, and what their clients do about it; a line that another Port has formed.

use std::sync::LazyLock;

use port_protocol::*;

use super::ledger::*;
use super::world::*;

/// What a client does about a line of which it has no record (§8.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Losses {
    /// It leaves the line.
    Leaves,
    /// **A fault.**
    Ignores,
}

/// Of which Port a client says that a line is which it has a record of (§4.3, §5.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Elsewhere {
    /// Of the record's.
    Knows,
    /// **A fault**: of the Port that is asked about.
    Believes,
}

/// The name of that line.
pub const FROM_ELSEWHERE: Id = 3;

impl State {
    /// All that the user had is lost, but for what it has learned: which Ports there were, and how often it read one.
    pub fn lose(&mut self, user: User) {
        self.lost = true;
        let me = self.at_mut(user);
        *me = Me { scans: me.scans, yielded: me.yielded, heard: me.heard.clone(), ..Me::default() };
    }

    /// §8.3: what a client does about a line of which it has no record, when it hears of it, or hears something along it.
    fn leave_the_unknown(&mut self, user: User) {
        if self.losses != Some(Losses::Leaves) {
            return;
        }
        let alice = alice_of(user);
        let line = link_of(alice);
        let Some((bob, scan)) = self.first[usize::from(alice)].filter(|(bob, _)| user < BOB || *bob == user) else {
            return;
        };
        let port = self.held(user, Place::Port);
        let waits = |port: Kept| {
            let connects = || port.pending().iter().any(|act| matches!(act, Act::Send(Fact::Connect { .. })));
            !port.spent && (user < BOB || connects())
        };
        let other = if user < BOB { bob } else { alice };
        let hears = |fact: &Fact| match *fact {
            // Before it comes what forms the line, if there is somebody to hear that. A Bob that connects holds the packet back till then.
            Fact::Packet { by, line: along, .. } => by == other && along == line && !port.is_some_and(waits),
            Fact::Connect { by, scan: of, .. } => by == bob && of == scan && port.is_none(),
            _ => false,
        };
        let leaves = Fact::Disconnect { by: user, line };
        if self.held(user, Place::Line(line)).is_none()
            && self.known.iter().any(hears)
            && let Err(at) = self.known.binary_search(&leaves)
        {
            self.known.insert(at, leaves);
        }
    }
}

impl Scope {
    /// Delivers all that is honest, until nothing moves any more, and lets whoever has a line say something along it. Then nobody waits on
    /// a line whose other end is gone, and no Bob waits for an answer.
    pub fn settles(&self, state: &State) -> bool {
        let mut state = state.clone();
        let life = &mut Life(None);
        let mut said = Vec::new();
        for _ in 0..12 {
            let before = state.clone();
            for &user in self.cast {
                let _ = state.wake(user, life);
                state.at_mut(user).down = false;
                state.leave_the_unknown(user);
                for place in PLACES {
                    let Some(held) = state.held(user, place) else { continue };
                    for Move { told, late, .. } in state.moves(held, &state.numbers()) {
                        let wanted = match told {
                            Told::Says => !said.contains(&(user, place)),
                            Told::Connect(_) => false,
                            _ => !late && state.honest(user, place, told),
                        };
                        let moved = || state.held(user, place)?.told(told, false);
                        if wanted && let Some(moved) = moved() {
                            said.extend((told == Told::Says).then_some((user, place)));
                            let _ = state.step(user, place, told, moved, life);
                        }
                    }
                }
            }
            if state == before {
                break;
            }
        }
        let phase = |user, line| state.held(user, Place::Line(line)).and_then(Kept::face).map(|line| line.phase);
        let open = |user, line| phase(user, line).filter(|phase| *phase != LinePhase::Closed);
        let waits = |user: User| {
            let waiting = |held: Kept| held.pending().iter().any(|act| matches!(act, Act::Send(Fact::Connect { .. })));
            user >= BOB && state.held(user, Place::Port).is_some_and(waiting)
        };
        !self.cast.iter().any(|user| waits(*user))
            && self.cast.iter().filter(|user| **user < BOB).all(|&alice| {
                let Some((bob, _)) = state.first[usize::from(alice)] else { return true };
                let line = link_of(alice);
                match (open(alice, line), open(bob, line)) {
                    // The wait for a proof comes to an end by itself (§8.8).
                    (Some(LinePhase::AwaitingProof) | None, None) | (Some(_), Some(_)) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                }
            })
    }

    /// Whether a Port has formed a line that is of another Port.
    pub fn has_foreign_line(state: &State) -> bool {
        let is_foreign = |user: User| {
            let formed = state.held(user, Place::Port)?.formed?;
            let line = state.held(user, Place::Line(formed))?.face()?;
            Some(formed == FROM_ELSEWHERE && line.port == port_from_elsewhere())
        };
        state.elsewhere.is_some() && (0..CAST as User).any(|user| is_foreign(user) == Some(true))
    }
}

/// The first Alice and its Bob have one more line, of another Port, confirmed.
fn made_elsewhere() -> &'static ([Kept; 2], PortHash) {
    static MADE: LazyLock<([Kept; 2], PortHash)> = LazyLock::new(|| {
        let ends = confirmed_line(0, BOB, FROM_ELSEWHERE);
        (ends, ends[0].face().unwrap().port)
    });
    &MADE
}

pub fn line_from_elsewhere(user: User) -> Option<Kept> {
    match user {
        0 => Some(made_elsewhere().0[0]),
        BOB => Some(made_elsewhere().0[1]),
        _ => None,
    }
}

pub fn port_from_elsewhere() -> PortHash {
    made_elsewhere().1
}
