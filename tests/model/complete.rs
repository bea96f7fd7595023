//! Whether a state still leads to the lines that its users want, once the relay is honest.

use port_protocol::*;

use super::ledger::*;
use super::world::*;

impl Scope {
    /// Delivers all that is honest, until nothing moves any more. Then the user that was first with a Port, or else the Port's Bob, must
    /// have a line with the Port's Alice, confirmed at both ends.
    pub fn completes(&self, state: &State) -> bool {
        let mut state = state.clone();
        let life = &mut Life(None);
        for _ in 0..12 {
            let before = state.clone();
            for &user in self.cast {
                let _ = state.wake(user, life);
                state.at_mut(user).down = false;
                if user >= BOB && user != THIEF && state.at(user).port.is_none() && state.at(user).scans == 0 {
                    state.scan(user);
                }
                for place in PLACES {
                    let Some(held) = state.held(user, place) else { continue };
                    for Move { told, late, .. } in state.moves(held, &state.numbers()) {
                        let wanted = match told {
                            Told::Connect(how) => how == SendProof::Inline && user != THIEF,
                            Told::Says | Told::ScansAgain => false,
                            _ => !late,
                        };
                        // The one before may have moved it.
                        let moved = || state.held(user, place)?.told(told, false);
                        if wanted
                            && state.honest(user, place, told)
                            && let Some(moved) = moved()
                        {
                            let _ = state.step(user, place, told, moved, life);
                        }
                    }
                }
            }
            if state == before {
                break;
            }
            // Duplicate Confirms are no news.
            if self.is_complete(&state) {
                return true;
            }
        }
        self.is_complete(&state)
    }

    pub fn is_complete(&self, state: &State) -> bool {
        let confirmed = |user, line| state.held(user, Place::Line(line))?.face()?.confirmed.clone();
        if let Some(limit) = self.limit {
            let bobs = || self.cast.iter().copied().filter(|user| *user >= BOB);
            let shared = bobs().filter(|bob| {
                confirmed(0, pair_of(*bob)).is_some_and(|at_alice| confirmed(*bob, pair_of(*bob)) == Some(at_alice))
            });
            return shared.count() >= bobs().filter(|bob| *bob != THIEF).count().min(limit as usize);
        }
        self.cast.iter().filter(|user| **user < BOB).all(|&alice| {
            let bob = state.first[usize::from(alice)].map(|(bob, _)| bob);
            let confirmed =
                |user| state.at(user).lines[..2].iter().flatten().find_map(|line| line.face()?.confirmed.clone());
            bob.is_some_and(|bob| confirmed(alice).is_some() && confirmed(alice) == confirmed(bob))
        })
    }
}
