//! What the search asks of every state.

use port_protocol::*;
use stateright::{Model, Property};

use super::common::expiring;
use super::ledger::*;
use super::losses::{FROM_ELSEWHERE, line_from_elsewhere};
use super::world::*;

/// No Port has the line of another.
pub const FOREIGN: &str = "a Port has formed no line of another Port (§4.3, §5.3)";
/// No line has one end only.
pub const GHOST: &str = "nobody is left waiting on a line whose other end is gone (§8.3)";

impl Model for Scope {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let many = self.limit.is_some();
        let mut state = State {
            many,
            losses: self.losses,
            elsewhere: self.elsewhere,
            deviations: self.deviations,
            crashes: self.crashes,
            ..State::default()
        };
        if self.elsewhere.is_some() {
            for &user in self.cast {
                state.at_mut(user).lines[usize::from(FROM_ELSEWHERE) - 1] = line_from_elsewhere(user);
            }
        }
        for &alice in self.cast.iter().filter(|user| **user < BOB) {
            let seed = seed_of(alice, 1);
            let me = &mut state.me[usize::from(alice)];
            if self.from_the_request {
                // The process went before it could ask.
                me.port = Some(Kept::created(alice, &Alice::request(expiring(), seed)));
                me.down = true;
            } else {
                let offer = self.limit.map_or_else(expiring, |limit| expiring().policy(Policy::up_to(limit)));
                let born = Kept::created(alice, &Alice::offer(link(link_of(alice)), offer, seed));
                // The relay knows for how many it is.
                me.port = born.cleared().or(Some(born));
                me.backup = me.port;
            }
        }
        if !self.from_the_request {
            self.cast.iter().filter(|user| **user >= BOB).for_each(|&bob| _ = state.scan(bob));
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (may_deviate, numbers) = (state.deviations > 0, state.numbers());
        for &user in self.cast {
            let me = &state.me[usize::from(user)];
            if me.down {
                actions.push(Action::Wake { user, stop: None });
                if state.crashes > 0 {
                    actions.extend((1..8).map(|stop| Action::Wake { user, stop: Some(stop) }));
                }
                continue;
            }
            if user >= BOB && me.port.is_none() && state.clone().scan(user) {
                actions.push(Action::Scan(user));
            }
            if user < BOB && may_deviate && me.backup.is_some() && me.backup != me.port {
                actions.push(Action::RollBack(user));
            }
            if may_deviate && self.losses.is_some() && user != THIEF && (me.port.is_some() || me.lines != [None; 3]) {
                actions.push(Action::Lose(user));
            }
            for place in PLACES {
                let Some(held) = state.held(user, place) else { continue };
                // Nobody does anything about it but name it.
                if self.elsewhere.is_some() && place == Place::Line(FROM_ELSEWHERE) {
                    continue;
                }
                for Move { told, late, moved } in state.moves(held, &numbers) {
                    let honest = !late && state.honest(user, place, told);
                    if !honest && !may_deviate
                        || told == Told::Says && (!self.speakers.contains(&user) || me.spoke.is_some())
                    {
                        continue;
                    }
                    if moved.stray && !honest || told == Told::ScansAgain && me.scans == 2 {
                        continue;
                    }
                    let tell = |stop| Action::Tell { user, place, told, deviates: !honest, moved, stop };
                    actions.push(tell(None));
                    if state.crashes > 0 {
                        let of_line = moved.acts.iter().map(|act| match act {
                            Act::Adopt(line) => {
                                state.held(user, Place::Line(line.name())).unwrap_or(*line).pending().len()
                            }
                            _ => 0,
                        });
                        let last = moved.acts.len() + 1 + of_line.sum::<usize>();
                        actions.extend((0..last as u8).map(|stop| tell(Some(stop))));
                    }
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let (user, done) = match action {
            Action::Tell { user, place, told, deviates, moved, stop } => {
                next.deviations -= u8::from(deviates);
                next.lied |= self.losses.is_some() && deviates && !State::is_fair(told);
                next.at_mut(user).scans += u8::from(told == Told::ScansAgain);
                (user, next.step(user, place, told, moved, &mut Life(stop)))
            }
            Action::Scan(user) => (user, next.scan(user).then_some(())),
            Action::Wake { user, stop } => (user, next.wake(user, &mut Life(stop))),
            Action::RollBack(user) => {
                next.deviations -= 1;
                let me = next.at_mut(user);
                me.port = me.backup;
                next.rolled_back = self.limit.is_some();
                next.lied |= self.losses.is_some();
                (user, Some(()))
            }
            Action::Lose(user) => {
                next.deviations -= 1;
                next.lose(user);
                (user, Some(()))
            }
        };
        next.at_mut(user).down = done.is_none();
        next.crashes -= u8::from(done.is_none());
        Some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.me.iter().flat_map(|me| me.lines.iter().flatten()).all(|line| line.revision <= self.revisions)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // Who scans a Port again may get a second line, by a relay that lies.
            Property::<Self>::always("one Port, one line (§4.3)", |_, state| {
                state.many || state.me.iter().all(|me| me.yielded <= me.scans.max(1))
            }),
            Property::<Self>::always(FOREIGN, |_, state| !Self::has_foreign_line(state)),
            Property::<Self>::always(GHOST, |scope, state| {
                scope.losses.is_none() || state.lied || scope.settles(state)
            }),
            Property::<Self>::always(
                "one Superport, as many lines as it is for, and none while it is paused (§14.4)",
                |_, state| !state.over_limit,
            ),
            Property::<Self>::always("one proof, one line, whoever was rolled back (§8.4)", |_, state| {
                !state.proof_twice
            }),
            Property::<Self>::always("what is refused uses nothing up (§14.4)", |_, state| !state.counted_refused),
            Property::<Self>::always("no two lines have the same keys (§6.2)", |scope, state| {
                share_no_keys(scope.lines(state), |user| user < BOB)
            }),
            Property::<Self>::always(
                "of who said nothing early, epoch 0 is over with his Answer (§14.7)",
                |scope, state| {
                    scope.speakers.iter().any(|user| *user >= BOB)
                        || scope.lines(state).all(|(user, _, line)| {
                            user >= BOB || line.phase != LinePhase::Confirmed || line.deadline.is_none()
                        })
                },
            ),
            Property::<Self>::always(
                "a spent machine and a closed line never move again (§4.4, §6.7)",
                |_, state| !state.spent_moved,
            ),
            Property::<Self>::always("nobody joins without the Port (§3.3)", |_, state| !state.stranger_joined),
            Property::<Self>::always("two confirmed ends agree on the whole transcript (§6.5)", |scope, state| {
                scope.agree(state)
            }),
            Property::<Self>::always(
                "behind a confirmed end there is one other, of the same Port (§6.5)",
                |scope, state| {
                    // Or there was, and its user has lost it.
                    state.lost
                        || have_one_other_end(scope.lines(state), &state.known, |a, b| {
                            (a < BOB) != (b < BOB) && alice_of(a) == alice_of(b)
                        })
                },
            ),
            Property::<Self>::always("a message is heard once, and was said at the other end (§6.4)", |_, state| {
                !state.false_words
            }),
            Property::<Self>::always(
                "what nobody disturbed stays completable, whoever crashed (§8.1)",
                |scope, state| state.deviations < scope.deviations || scope.completes(state),
            ),
            // The search is not empty.
            Property::<Self>::sometimes("every Port has its line, confirmed at both ends", |scope, state| {
                scope.is_complete(state)
            }),
            Property::<Self>::sometimes("so it does after every crash that there may be", |scope, state| {
                state.crashes == 0 && scope.is_complete(state)
            }),
            Property::<Self>::sometimes("so it does though the relay lied", |scope, state| {
                (scope.deviations == 0 || state.deviations == 0) && scope.is_complete(state)
            }),
            Property::<Self>::sometimes("a line is closed at both ends", |scope, state| {
                scope.deviations < 2
                    || state.me.iter().flat_map(|me| me.lines.iter().flatten()).filter(|line| line.spent).count() >= 2
            }),
        ]
    }
}

impl Scope {
    fn lines<'s>(&self, state: &'s State) -> impl Iterator<Item = End> + Clone + 's {
        let cast = self.cast;
        cast.iter().flat_map(|&user| {
            state.at(user).lines.iter().flatten().filter_map(move |line| Some((user, *line, line.face()?)))
        })
    }

    fn agree(&self, state: &State) -> bool {
        let ends = self.lines(state).filter_map(|(user, _, line)| Some((user, line.confirmed.as_ref()?)));
        ends.clone().filter(|(user, _)| *user < BOB).all(|(alice, at_alice)| {
            let mut others = ends.clone().filter(|(bob, _)| *bob >= BOB && alice_of(*bob) == alice);
            others.all(|(_, at_bob)| {
                at_alice == at_bob
                    || (state.many || state.elsewhere.is_some()) && at_alice.0.line_id != at_bob.0.line_id
            })
        })
    }
}

/// A Line of somebody's.
pub type End = (User, Kept, &'static LineFace);

pub fn share_no_keys(ends: impl Iterator<Item = End> + Clone, is_alice: impl Fn(User) -> bool) -> bool {
    let codes = ends.filter_map(|(user, _, line)| Some((is_alice(user), &line.confirmed.as_ref()?.1)));
    codes.clone().all(|code| codes.clone().filter(|other| *other == code).count() == 1)
}

/// Whether each confirmed line has one other end, among the lines of users that may have used the same Port.
pub fn have_one_other_end(
    ends: impl Iterator<Item = End> + Clone,
    known: &[Fact],
    opposite: impl Fn(User, User) -> bool,
) -> bool {
    ends.clone().all(|(user, line, face)| {
        let Some(confirmed) = &face.confirmed else { return true };
        let sent = known.iter().copied().chain(line.pending().iter().filter_map(|act| match act {
            Act::Send(fact) => Some(*fact),
            _ => None,
        }));
        let sent: Vec<_> = sent
            .filter_map(|fact| match fact {
                Fact::Packet { by, payload, .. } if by == user => Some(payload),
                _ => None,
            })
            .collect();
        let (mut certain, mut possible) = (0, 0);
        for (other, end, at_other) in ends.clone() {
            if !opposite(user, other) || at_other.line_id != face.line_id {
                continue;
            }
            // Whether it has the same keys, its own step tells.
            let opens = |payload: &Number| {
                let heard = end.told(Told::Packet(*payload), false).and_then(|moved| moved.next.face());
                heard.is_some_and(|heard| heard.confirmed.as_ref() == Some(confirmed))
            };
            match at_other.phase {
                LinePhase::Confirmed => certain += u8::from(at_other.confirmed.as_ref() == Some(confirmed)),
                LinePhase::Joined => certain += u8::from(sent.iter().any(opens)),
                // Its keys are gone.
                LinePhase::Closed => possible += 1,
                _ => {}
            }
        }
        certain == 1 || certain == 0 && possible > 0
    })
}
