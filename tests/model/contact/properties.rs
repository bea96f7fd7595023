//! What the search asks of every state.

use port_protocol::*;
use stateright::{Model, Property};

use super::*;
use crate::common::expiring;
use crate::properties::{End, have_one_other_end, share_no_keys};

/// Alice's line with a contact, confirmed: both ends.
fn line_of(contact: User) -> [Kept; 2] {
    confirmed_line(ALICE, contact, line_with(contact))
}

impl Model for Scope {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State { deviations: self.deviations, crashes: self.crashes, ..State::default() };
        for &contact in self.contacts {
            let offer = if self.tickets_expire { PortOptions::new() } else { expiring() };
            let offer = offer.policy(Policy::up_to(self.limit)).introducer(line_id(line_with(contact)));
            let born = Kept::created(ALICE, &Alice::offer(link(contact), offer, seed_of(ALICE, contact)));
            let granted = Shown::of(born.port.as_ref().unwrap().to_bytes().as_slice());
            // The relay knows for how many it is.
            *state.slot(ALICE, port_of(contact)) = born.cleared().or(Some(born));
            let [at_alice, at_contact] = line_of(contact);
            *state.slot(ALICE, Place::Line(line_with(contact))) = Some(at_alice);
            *state.slot(contact, Place::Line(line_with(contact))) = Some(at_contact);
            if !self.from_the_grant {
                state.hear(contact, line_with(contact), Said::Grant(granted), false);
            }
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let (may_deviate, numbers) = (state.deviations > 0, state.numbers());
        for user in self.cast() {
            let me = &state.me[usize::from(user)];
            if me.down {
                actions.push(Action::Wake { user, stop: None });
                if state.crashes > 0 {
                    actions.extend((1..10).map(|stop| Action::Wake { user, stop: Some(stop) }));
                }
            }
            if let Some(guest) = self.guest(user)
                && !me.down
                && me.ports[0].is_none()
                && state.clone().scan(guest)
            {
                actions.push(Action::Scan(user));
            }
            if user == ALICE && may_deviate && state.backup.is_some() {
                actions.push(Action::RollBack);
            }
            for place in PLACES {
                if me.down {
                    continue;
                }
                for of in state.moves(user, place, &numbers).iter().copied().chain(self.commands(state, user, place)) {
                    let honest = state.honest(self, user, place, &of);
                    // Whose ticket is over must be refused for good, and who is not known yet waits.
                    let matters = of.moved.unknown || self.tickets_expire && of.late;
                    let in_vain = of.moved.stray && !honest && !matters;
                    let unwanted = matches!(of.told, Told::Says | Told::Connect(SendProof::AlongTheLine));
                    if unwanted || in_vain || !honest && !may_deviate {
                        continue;
                    }
                    let tell = |stop| Action::Tell { user, place, of, deviates: !honest, stop };
                    actions.push(tell(None));
                    if state.crashes > 0 && !me.down {
                        let last = 2 + of.moved.acts.iter().map(weight).sum::<usize>();
                        actions.extend((0..last as u8).map(|stop| tell(Some(stop))));
                    }
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        let (user, done) = match action {
            Action::Tell { user, place, of, deviates, stop } => {
                next.deviations -= u8::from(deviates);
                (user, next.step(user, place, &of, self.guests, &mut Life(stop)))
            }
            Action::Scan(user) => (user, next.scan(self.guest(user)?).then_some(())),
            Action::Wake { user, stop } => (user, next.wake(user, &mut Life(stop))),
            Action::RollBack => {
                next.deviations -= 1;
                (next.me[usize::from(ALICE)].ports, next.rows) = state.backup.clone()?;
                next.rolled_back = true;
                (ALICE, Some(()))
            }
        };
        next.me[usize::from(user)].down = done.is_none();
        next.crashes -= u8::from(done.is_none());
        Some(next)
    }

    fn within_boundary(&self, state: &State) -> bool {
        let lines = state.me.iter().flat_map(|me| me.lines[..3].iter().flatten());
        { lines }.all(|line| line.revision <= self.revisions)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("one ticket, one line, whoever was rolled back (§16.4)", |_, state| {
                !state.broken.ticket_twice
            }),
            Property::<Self>::always(
                "as many lines as the contact port is for, and none while it is paused (§14.4)",
                |_, state| !state.broken.over_limit,
            ),
            Property::<Self>::always("what is withdrawn or over lets nobody in (§16.6)", |_, state| {
                !state.broken.after_withdrawal
            }),
            Property::<Self>::always(
                "nobody gets in without a ticket that this contact told of (§16.4)",
                |_, state| !state.broken.not_told,
            ),
            Property::<Self>::always("nobody has a ticket before the relay has word of it (§16.3)", |_, state| {
                !state.broken.handed_first
            }),
            Property::<Self>::always("a ticket that came too late is never good again (§16.4)", |_, state| {
                !state.broken.revived
            }),
            Property::<Self>::always("what is refused uses nothing up (§14.4)", |_, state| {
                !state.broken.counted_refused
            }),
            Property::<Self>::always("no ticket that was used has a row (§16.4)", |_, state| {
                state.rolled_back
                    || !state
                        .rows
                        .iter()
                        .any(|row| state.marks.contains(&ReplayMark::from(*row.get().ticket.as_bytes())))
            }),
            Property::<Self>::always(
                "when the line with a contact is over, so is her contact port (§16.6)",
                |scope, state| {
                    scope.contacts.iter().all(|contact| {
                        let line = state.held(ALICE, Place::Line(line_with(*contact)));
                        let over = line.is_some_and(|line| line.spent && line.cleared().is_none());
                        state.rolled_back
                            || !over
                            || state.held(ALICE, port_of(*contact)).is_some_and(|port| port.spent)
                    })
                },
            ),
            Property::<Self>::always("two confirmed ends agree on the whole transcript (§6.5)", |scope, state| {
                scope.confirmed(state).all(|(alice, _, bob)| alice.confirmed == bob.confirmed)
            }),
            Property::<Self>::always(
                "and name the same introducer: at Alice's end who told her of this ticket, by this name (§16.5)",
                |scope, state| {
                    scope.confirmed(state).all(|(alice, guest, bob)| {
                        let (Some((name, Some(by))), Some((same, None))) = (&alice.introduced, &bob.introduced) else {
                            return false;
                        };
                        let ticket = ticket_of(guest.by, guest.ticket);
                        let told = |row: &TicketNotice| row.ticket == ticket && row.name.as_str() == name;
                        name == same && state.heard.iter().any(|(line, row)| line == by && told(row.get()))
                    })
                },
            ),
            Property::<Self>::always("no two lines have the same keys (§6.2)", |scope, state| {
                share_no_keys(scope.ends(state), |user| user == ALICE)
            }),
            Property::<Self>::always(
                "behind a confirmed end there is one other, of the same Port (§6.5)",
                |scope, state| have_one_other_end(scope.ends(state), &state.known, |a, b| (a == ALICE) != (b == ALICE)),
            ),
            Property::<Self>::always(
                "a spent machine and a closed line never move again (§4.4, §6.7)",
                |_, state| !state.broken.spent_moved,
            ),
            Property::<Self>::always(
                "what nobody disturbed stays completable, whoever crashed (§8.1)",
                |scope, state| state.deviations < scope.deviations || scope.completes(state),
            ),
            // The search is not empty.
            Property::<Self>::sometimes("all are introduced, confirmed at both ends", |scope, state| {
                scope.is_complete(state)
            }),
            Property::<Self>::sometimes("so they are after every crash that there may be", |scope, state| {
                state.crashes == 0 && scope.is_complete(state)
            }),
            Property::<Self>::sometimes("so they are though somebody lied", |scope, state| {
                (scope.deviations == 0 || state.deviations == 0) && scope.is_complete(state)
            }),
            Property::<Self>::sometimes(
                "a contact hears that she is withdrawn, and a ticket of hers comes to nothing",
                |scope, state| {
                    scope.deviations == 0
                        || scope.contacts.iter().any(|contact| {
                            state.withdrawn[usize::from(*contact) - 1]
                                && state.held(*contact, Place::Port(0)).is_some_and(|introducer| introducer.spent)
                                && !state.handed.is_empty()
                                && state.used.is_empty()
                                && state.knows(Fact::Disconnect { by: ALICE, line: pair_of(BOB) })
                        })
                },
            ),
        ]
    }
}

/// At most so many things are done for it.
fn weight(act: &Act) -> usize {
    match act {
        Act::Adopt(line) => 1 + line.pending().len(),
        Act::Tell(_) | Act::Ended => 6,
        Act::Heard(_) => 3,
        _ => 1,
    }
}

impl Scope {
    /// What a user may want, of introductions: the grant, a ticket, an end to it; or, of a contact, to deceive Alice.
    fn commands(&self, state: &State, user: User, place: Place) -> Vec<Move> {
        let Some(held) = state.held(user, place) else { return Vec::new() };
        let told = match place {
            Place::Port(0) if is_contact(user) => {
                let n = state.made[usize::from(user) - 1];
                let introduces =
                    (n < self.tickets(user)).then_some(Told::Introduces { n, expires: self.tickets_expire });
                introduces.into_iter().chain([Told::GivesUp, Told::Deadline]).collect()
            }
            Place::Line(line) if Some(user) == contact_on(line) => {
                state.lies(user, self.contacts).into_iter().map(Told::Seals).collect()
            }
            Place::Line(line) if user == ALICE => {
                let said = |fact: &Fact| matches!(fact, Fact::Packet { by: ALICE, line: along, .. } if *along == line);
                let port = contact_on(line).and_then(|contact| state.held(ALICE, port_of(contact))?.port.clone());
                let grant = port.filter(|_| self.from_the_grant && !state.known.iter().any(said));
                grant.map(|port| Told::Seals(Said::Grant(Shown::of(port.to_bytes().as_slice())))).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let told = told.into_iter().flat_map(|told| [(told, false), (told, true)]);
        let told = told.filter(|(told, late)| !late || !matches!(told, Told::Seals(_)));
        { told }.filter_map(|(told, late)| Some(Move { told, late, moved: held.told(told, late)? })).collect()
    }

    /// The lines of those who are introduced.
    fn ends<'s>(&self, state: &'s State) -> impl Iterator<Item = End> + Clone + use<'s> {
        let ends = |(user, me): (usize, &'s Me)| {
            me.lines[..3].iter().flatten().filter_map(move |line| Some((user as User, *line, line.face()?)))
        };
        state.me.iter().enumerate().flat_map(ends)
    }

    /// The ends of each line that is confirmed at both.
    fn confirmed<'s>(&'s self, state: &'s State) -> impl Iterator<Item = (&'s LineFace, &'s Guest, &'s LineFace)> {
        let confirmed = || self.ends(state).filter(|(_, _, end)| end.confirmed.is_some());
        confirmed().filter(|(user, ..)| *user == ALICE).flat_map(move |(_, _, alice)| {
            let others = confirmed().filter(|(_, _, end)| end.line_id == alice.line_id);
            others.filter_map(move |(user, _, end)| Some((alice, self.guest(user)?, end)))
        })
    }

    /// Does all that is honest, until nothing moves any more: then all are introduced.
    fn completes(&self, state: &State) -> bool {
        let mut state = state.clone();
        let life = &mut Life(None);
        for _ in 0..12 {
            let before = state.clone();
            for user in self.cast() {
                let _ = state.wake(user, life);
                state.me[usize::from(user)].down = false;
                if let Some(guest) = self.guest(user)
                    && user != THIEF
                    && state.held(user, Place::Port(0)).is_none()
                {
                    state.scan(guest);
                }
                for place in PLACES {
                    let numbers = state.numbers();
                    for of in
                        state.moves(user, place, &numbers).iter().copied().chain(self.commands(&state, user, place))
                    {
                        let wanted = !of.late
                            && match of.told {
                                Told::Connect(how) => how == SendProof::Inline && user != THIEF,
                                told => told != Told::Says,
                            };
                        if !wanted || !state.honest(self, user, place, &of) {
                            continue;
                        }
                        // The one before may have moved it.
                        if let Some(moved) = state.held(user, place).and_then(|held| held.told(of.told, false)) {
                            let _ = state.step(user, place, &Move { moved, ..of }, self.guests, life);
                        }
                    }
                }
            }
            // Duplicate Confirms are no news.
            if state == before || self.is_complete(&state) {
                break;
            }
        }
        self.is_complete(&state)
    }

    fn is_complete(&self, state: &State) -> bool {
        let confirmed = |user, line| state.held(user, Place::Line(line))?.face()?.confirmed.clone();
        let shared = self.guests.iter().filter(|guest| {
            let line = pair_of(guest.user);
            confirmed(ALICE, line).is_some_and(|at_alice| confirmed(guest.user, line) == Some(at_alice))
        });
        let tickets: u32 = self.contacts.iter().map(|contact| u32::from(self.tickets(*contact)).min(self.limit)).sum();
        shared.count() >= tickets as usize
    }
}
