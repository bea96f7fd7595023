//! §18.8, searched instead of argued: one caller, one callee, and a network between them.
//!
//! The network brings any message that was ever sent, in any order, as often as it likes or never, and any reply to the message that it is the
//! reply to; and it makes up a Refusal. Each process can be gone after any record was kept, and starts again. The callee's owner can block the caller.
//! The app of the caller asks again under the same id for as long as it has no answer; when it has one, it may ask for something else, and so the
//! callee hears what is done. The numbers in a [`Scope`] bound it all.
//!
//! Nothing of the crate is abstracted. A machine in memory can't be compared with another, so a state holds what a machine is a function of: the rows
//! that its process started from, and what happened to it since. Randomness counts up from a number that belongs to the process. Time stands still.

mod ends;

use std::collections::BTreeSet;

use port_protocol::portal::{Reason, Refusal};
use stateright::{Checker, Model, Property};

use ends::{CalleeDid, CallerDid, Ended, HeardIt, Process, given, init};

/// How far to search.
#[derive(Clone, Debug)]
struct Scope {
    /// Whether the first request may go into an Opening.
    early: bool,
    /// Whether there is a second one, which tells what is done.
    second: bool,
    sends: u8,
    /// How often the callee gets a message.
    takes: u8,
    /// Of the caller, of the callee.
    crashes: [u8; 2],
    forgeries: u8,
    blocks: bool,
    /// A store that forgets what was taken.
    forgets: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct State {
    caller: Process<CallerDid>,
    callee: Process<CalleeDid>,
    sent: BTreeSet<Vec<u8>>,
    /// Each with its message.
    replies: BTreeSet<[Vec<u8>; 2]>,
    ids: [Option<[u8; 24]>; 2],
    ended: [Option<Ended>; 2],
    delivered: [u8; 2],
    given: [bool; 2],
    is_blocked: bool,
    after_block: bool,
    unsaid: bool,
    sends: u8,
    takes: u8,
    crashes: [u8; 2],
    forgeries: u8,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Action {
    Ask,
    /// `dies`: when it is stored, and before the app has it.
    Take {
        message: Vec<u8>,
        dies: bool,
    },
    /// `dies`: when the answer is stored, and before it is sent.
    Work {
        dies: bool,
    },
    Hear {
        message: Vec<u8>,
        reply: Vec<u8>,
    },
    Forge(Vec<u8>),
    Block,
    Crash(usize),
}

impl State {
    /// Which request is asked now.
    fn current(&self, scope: &Scope) -> Option<usize> {
        let last = if scope.second { 2 } else { 1 };
        (0..last).find(|at| self.ended[*at].is_none())
    }

    fn number_of(&self, id: [u8; 24]) -> usize {
        usize::from(self.ids[1] == Some(id))
    }

    /// Does it. What was sent, or said, comes back.
    fn after(&self, scope: &Scope, action: &Action) -> (Self, Option<Vec<u8>>) {
        let mut next = self.clone();
        let mut out = None;
        match action {
            Action::Ask => {
                let Some(at) = self.current(scope) else { return (next, None) };
                let is_early = scope.early && at == 0;
                let (message, id) = self.caller.caller().asks(at, is_early, self.ids[at]);
                next.caller.life.push(CallerDid::Asks { at, is_early, id: self.ids[at] });
                next.ids[at] = Some(id);
                next.sends = next.sends.saturating_sub(1);
                next.sent.insert(message.clone());
                out = Some(message);
            }
            Action::Take { message, dies } => {
                let mut callee = self.callee.callee(scope.forgets);
                let taken = callee.takes(message);
                next.takes = next.takes.saturating_sub(1);
                if *dies {
                    next.crashes[1] -= 1;
                    next.callee = self.callee.after(callee.rows);
                    return (next, None);
                }
                next.callee.life.push(CalleeDid::Takes(message.clone()));
                if let Some(id) = taken.delivered {
                    next.delivered[self.number_of(id)] += 1;
                    next.after_block |= self.is_blocked;
                }
                next.says(message, taken.reply.as_deref());
                out = taken.reply;
            }
            Action::Work { dies } => {
                let mut callee = self.callee.callee(scope.forgets);
                let Some((id, message, reply)) = callee.works() else { return (next, None) };
                next.given[self.number_of(id)] = true;
                if *dies {
                    next.crashes[1] -= 1;
                    next.callee = self.callee.after(callee.rows);
                    return (next, None);
                }
                next.callee.life.push(CalleeDid::Works);
                next.says(&message, Some(&reply));
                out = Some(reply);
            }
            Action::Hear { message, reply } => next.hears(message, reply),
            Action::Forge(message) => {
                next.forgeries = next.forgeries.saturating_sub(1);
                next.hears(message, &Refusal::NoSession.to_vec());
            }
            Action::Block => {
                next.callee.life.push(CalleeDid::Blocks);
                next.is_blocked = true;
            }
            Action::Crash(0) => {
                next.crashes[0] -= 1;
                next.caller = self.caller.after(self.caller.caller().rows);
            }
            Action::Crash(_) => {
                next.crashes[1] -= 1;
                next.callee = self.callee.after(self.callee.callee(scope.forgets).rows);
            }
        }
        (next, out)
    }

    fn says(&mut self, message: &[u8], reply: Option<&[u8]>) {
        let Some(reply) = reply else { return };
        let is_refusal = [Refusal::Unknown, Refusal::NoSession].iter().any(|refusal| refusal.to_vec() == reply);
        self.after_block |= self.is_blocked && !is_refusal;
        self.replies.insert([message.to_vec(), reply.to_vec()]);
    }

    fn hears(&mut self, message: &[u8], reply: &[u8]) {
        let mut caller = self.caller.caller();
        let did = CallerDid::Hears { message: message.to_vec(), reply: reply.to_vec() };
        let Some((at, heard)) = caller.hears(message, reply) else { return };
        // A Refusal can come again, and does no more than before.
        if self.caller.life.contains(&did) {
            return;
        }
        self.caller.life.push(did);
        match heard {
            HeardIt::Answer(body) => {
                let id = self.ids[at].unwrap_or_default();
                self.unsaid |= !self.given[at] || body != given(&id);
                self.ended[at] = Some(Ended::Answered);
            }
            HeardIt::Refused(Reason::TooEarly | Reason::Full) | HeardIt::Other => {}
            HeardIt::Refused(_) => self.ended[at] = self.ended[at].or(Some(Ended::Refused)),
        }
    }

    /// From here on nothing goes wrong any more: what is asked is answered, or it is said why not.
    fn comes_to_an_end(&self, scope: &Scope) -> bool {
        let mut state = self.clone();
        for _ in 0..6 {
            let Some(at) = state.current(scope) else { return true };
            let (next, sent) = state.after(scope, &Action::Ask);
            let Some(message) = sent else { return false };
            let (next, mut reply) = next.after(scope, &Action::Take { message: message.clone(), dies: false });
            state = next;
            while !state.callee.callee(scope.forgets).jobs.is_empty() {
                let (next, said) = state.after(scope, &Action::Work { dies: false });
                let is_of_this = next.replies.iter().any(|[of, bytes]| *of == message && Some(bytes) == said.as_ref());
                reply = said.filter(|_| is_of_this).or(reply);
                state = next;
            }
            let Some(reply) = reply else { continue };
            if state.is_blocked && reply == Refusal::Unknown.to_vec() {
                return true;
            }
            state.hears(&message, &reply);
            if state.ended[at].is_some() {
                return true;
            }
        }
        false
    }
}

impl Model for Scope {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let [caller, callee] = init();
        vec![State {
            caller: Process::starts(caller),
            callee: Process::starts(callee),
            sent: BTreeSet::new(),
            replies: BTreeSet::new(),
            ids: [None; 2],
            ended: [None; 2],
            delivered: [0; 2],
            given: [false; 2],
            is_blocked: false,
            after_block: false,
            unsaid: false,
            sends: self.sends,
            takes: self.takes,
            crashes: self.crashes,
            forgeries: self.forgeries,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let callee = state.callee.callee(self.forgets);
        let waits = state.caller.caller().waits();
        if state.sends > 0 && state.current(self).is_some() {
            actions.push(Action::Ask);
        }
        for message in state.sent.iter().filter(|_| state.takes > 0) {
            actions.push(Action::Take { message: message.clone(), dies: false });
            if state.crashes[1] > 0 {
                actions.push(Action::Take { message: message.clone(), dies: true });
            }
        }
        if !callee.jobs.is_empty() {
            actions.push(Action::Work { dies: false });
            if state.crashes[1] > 0 {
                actions.push(Action::Work { dies: true });
            }
        }
        for [message, reply] in state.replies.iter().filter(|[message, _]| waits.contains(message)) {
            actions.push(Action::Hear { message: message.clone(), reply: reply.clone() });
        }
        if state.forgeries > 0 {
            actions.extend(waits.into_iter().map(Action::Forge));
        }
        if self.blocks && !state.is_blocked {
            actions.push(Action::Block);
        }
        actions.extend((0..2).filter(|end| state.crashes[*end] > 0).map(Action::Crash));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let (next, _) = state.after(self, &action);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONCE, |_, state: &State| state.delivered.iter().all(|count| *count <= 1)),
            Property::always("a blocked peer gets nothing (§18.4)", |_, state: &State| !state.after_block),
            Property::always("what is heard was answered (§18.7)", |_, state: &State| !state.unsaid),
            Property::always("what is delivered was asked (§18.7)", |_, state: &State| {
                state.delivered.iter().zip(state.ids).all(|(count, id)| *count == 0 || id.is_some())
            }),
            Property::always("fairness brings an answer, or a refusal (§18.8)", |scope: &Self, state: &State| {
                state.sends > 0 || state.takes > 0 || state.comes_to_an_end(scope)
            }),
            Property::sometimes("an answer is heard", |_, state: &State| state.ended[0] == Some(Ended::Answered)),
            Property::sometimes("a promised answer comes after both crashed", |scope: &Self, state: &State| {
                let all = scope.crashes.iter().sum::<u8>() == 2;
                !all || state.crashes == [0; 2] && state.ended[0] == Some(Ended::Answered)
            }),
        ]
    }
}

const ONCE: &str = "no request is delivered twice (§18.8)";

const ONE: Scope = Scope {
    early: false,
    second: false,
    sends: 2,
    takes: 2,
    crashes: [0, 0],
    forgeries: 0,
    blocks: false,
    forgets: false,
};

fn search(scope: Scope, states: usize) {
    super::search(scope, states);
}

/// A request that changes something, in a session: the callee may stop, and its owner may block.
#[test]
fn r18_8_a_request_in_a_session_a_crash_and_a_block() {
    search(Scope { crashes: [0, 1], blocks: true, ..ONE }, 646);
}

/// The caller may stop, and a message comes twice.
#[test]
fn r18_8_a_request_in_a_session_whose_caller_stops() {
    search(Scope { takes: 3, crashes: [1, 0], ..ONE }, 380);
}

/// A request that goes into the Opening: both may stop.
#[test]
fn r18_8_an_early_request_and_two_crashes() {
    search(Scope { early: true, crashes: [1, 1], ..ONE }, 854);
}

/// A message comes twice.
#[test]
fn r18_8_an_early_request_that_comes_again() {
    search(Scope { early: true, takes: 3, crashes: [0, 1], ..ONE }, 1_568);
}

/// When the first request is done, the callee forgets it.
#[test]
fn r18_8_a_request_that_is_done_and_another() {
    search(Scope { second: true, sends: 3, takes: 3, ..ONE }, 921);
}

/// The network ends the session by a Refusal of its own.
#[test]
fn r18_6_a_refusal_that_is_made_up() {
    search(Scope { forgeries: 1, ..ONE }, 161);
}

/// The owner may block as well: some minutes.
#[test]
#[ignore = "takes long; run it when src/portal changes what it sends or keeps"]
fn r18_8_an_early_request_deeper() {
    search(Scope { early: true, takes: 3, crashes: [0, 1], blocks: true, ..ONE }, 6_481);
}

/// The search finds what a store breaks that forgets.
#[test]
fn r18_8_a_store_that_forgets_is_found() {
    let forgets = Scope { forgets: true, early: true, sends: 1, crashes: [1, 1], ..ONE };
    let found: Vec<_> = forgets.checker().spawn_bfs().join().discoveries().into_keys().collect();
    assert!(found.contains(&ONCE), "{found:?}");
}
