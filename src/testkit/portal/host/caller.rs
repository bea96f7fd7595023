//! What a Host asks, and what it hears.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::store::Life;
use super::super::violation::Violation;
use super::super::witness::{self, HEADER, Told};
use super::{APPS, At, Face, Host, Letter, Outcome, Outside, Task, Waited};
use crate::portal::{
    AuthenticatedApp, Headers, HearError, Heard, LookedUp, Method, Part, PortalId, Reason, Refusal, Request, Target,
};

impl Task {
    /// What the app asks, with the first part of its body.
    fn request<'r>(&'r self, app: AuthenticatedApp<'_>) -> Option<Request<'r>> {
        let headers = Headers::carried([(HEADER, self.header.as_str()), ("portal-peer-id", "nobody")]).ok()?;
        let (method, target) = (Method::new(self.method).ok()?, Target::parse(&self.target).ok()?);
        Some(app.request(self.id, method, target, headers, self.part(0)?))
    }

    fn part(&self, number: u64) -> Option<Part<'_>> {
        let place = usize::try_from(number).ok()?;
        let bytes = self.parts.get(place)?;
        let has_more = place.saturating_add(1) < self.parts.len();
        if has_more { Part::with_more(bytes).ok() } else { Part::last(bytes).ok() }
    }
}

impl Host {
    /// An app asks something new.
    pub(in super::super) fn asks(&mut self, peer: PortalId, how: u8, out: &mut Outside<'_>) -> Life<()> {
        let Some(of_peer) = self.process.peers.get_mut(&peer) else { return Ok(()) };
        let id = of_peer.draw_id(out.now, out.rng);
        let number = self.tasks.len();
        let many = |bits: u8| [1, 1, 2, 3].get(usize::from(bits % 4)).copied().unwrap_or(1_u8);
        let is_post = how & 1 != 0;
        let path = match (how >> 7, is_post) {
            (0, _) => "/peer",
            (_, false) => "/pub",
            (_, true) => "/private",
        };
        let parts = (0..many(how >> 1)).map(|part| format!("{}.{number}.{part}", self.number).into_bytes());
        self.tasks.push(Task {
            peer,
            app: usize::from(how >> 6 & 1),
            id,
            method: if is_post { "POST" } else { "GET" },
            target: format!("{path}/{}/{}?{number}", many(how >> 3), how >> 5 & 1),
            header: format!("{}.{number}", self.number),
            parts: if is_post { parts.collect() } else { [Vec::new()].into() },
            at: At::Request,
            outcome: None,
            excuse: None,
        });
        self.asks_again(number, out)
    }

    /// An app asks the same again, or for what comes next.
    pub(in super::super) fn asks_again(&mut self, number: usize, out: &mut Outside<'_>) -> Life<()> {
        let Self { disk, process, tasks, credentials, .. } = self;
        let Some(task) = tasks.get_mut(number).filter(|task| task.outcome.is_none()) else { return Ok(()) };
        let Some(peer) = process.peers.get_mut(&task.peer) else {
            task.outcome = Some(Outcome::Refused);
            return Ok(());
        };
        let by = if disk.faults.ignores_grants { 1_usize.saturating_sub(task.app) } else { task.app };
        let app = process.apps.get(by).zip(credentials.get(by));
        let app = app.and_then(|(app, credential)| app.authenticate(credential.expose()).ok());
        let app = app.ok_or(Violation::BadRecord(self.number))?;
        let Some(request) = task.request(app) else { return Ok(()) };
        let (portal, now, rng) = (&process.portal, out.now, &mut *out.rng);
        let asked = match task.at {
            At::Request => peer.ask(portal, app, &request, now, rng).ok(),
            At::Part(part) => {
                let Some(body) = task.part(part) else { return Ok(()) };
                peer.ask_part(portal, app, task.id, part, body, now, rng).ok()
            }
            At::More(part) => peer.ask_more(portal, app, task.id, part, now, rng).ok(),
        };
        let Some(asked) = asked else {
            task.outcome = Some(Outcome::Refused);
            return Ok(());
        };
        if disk.faults.is_done_early {
            peer.done(task.id);
        }
        let name = witness::name(self.id, task.peer, task.id);
        let told = Told::of(&request);
        out.witness.sends(self.number, APPS.get(task.app).copied().unwrap_or_default(), task.peer)?;
        out.witness.sees_exchange(self.number, &asked.message)?;
        out.witness.asks(name, told, task.parts.clone());
        let (connection, to) = (out.connection(), out.number_of(task.peer));
        if disk.faults.resends_numbers {
            let mut other = asked.message.clone();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
            }
            out.witness.sees_exchange(self.number, &other)?;
        }
        let waited = Waited::Say { peer: task.peer, task: number, at: task.at, by: asked.waiting };
        process.waiting.insert(connection, waited);
        out.letters.push(Letter { from: self.number, to, connection, is_answer: false, bytes: asked.message });
        disk.point()
    }

    /// What a connection's message asked, if that was a request.
    pub(in super::super) fn asked_on(&self, connection: u64) -> Option<witness::Name> {
        match self.process.waiting.get(&connection)? {
            Waited::Say { peer, task, at: At::Request, .. } => {
                Some(witness::name(self.id, *peer, self.tasks.get(*task)?.id))
            }
            _ => None,
        }
    }

    /// Whether a connection still waits.
    pub(in super::super) fn waits(&self) -> impl Iterator<Item = u64> + '_ {
        self.process.waiting.keys().copied()
    }

    /// The answer to a message.
    pub(in super::super) fn hears(&mut self, letter: &Letter, out: &mut Outside<'_>) -> Life<()> {
        match self.process.waiting.get(&letter.connection) {
            None => Ok(()),
            Some(Waited::Key(peer)) => {
                let peer = *peer;
                self.process.waiting.remove(&letter.connection);
                self.hears_key(peer, &letter.bytes, out)
            }
            Some(Waited::Say { .. }) => self.hears_say(letter, out),
        }
    }

    fn hears_key(&mut self, id: PortalId, answer: &[u8], out: &mut Outside<'_>) -> Life<()> {
        let Self { disk, process, .. } = self;
        let Some(peer) = process.peers.get_mut(&id) else { return Ok(()) };
        let was = peer.public_key().copied();
        let Ok(step) = peer.looked_up(Some(answer), out.now) else { return Ok(()) };
        let outcome = step.store(|write| disk.keep(write))?;
        let is_moved = outcome != LookedUp::Verified && peer.public_key().copied() != was;
        if is_moved { Err(Violation::KeyReplaced(self.number).into()) } else { Ok(()) }
    }

    fn hears_say(&mut self, letter: &Letter, out: &mut Outside<'_>) -> Life<()> {
        let Self { number, disk, process, tasks, .. } = self;
        let Some(Waited::Say { peer: id, task: task_number, at, by }) = process.waiting.get_mut(&letter.connection)
        else {
            return Ok(());
        };
        let (id, task_number, at) = (*id, *task_number, *at);
        let (Some(peer), Some(task)) = (process.peers.get_mut(&id), tasks.get_mut(task_number)) else { return Ok(()) };
        let before = Face::of(peer);
        let mut buffer = Vec::new();
        let heard = match peer.hear(&process.portal, by, &letter.bytes, &mut buffer, out.now) {
            Ok(step) => step.store(|write| disk.keep(write))?,
            Err(error) => {
                if let HearError::Refused(refusal) = error {
                    task.excuse = Some(refusal);
                }
                if disk.faults.counts_refused
                    && let Ok(step) = peer.unreachable(out.now)
                {
                    step.store(|write| disk.keep(write))?;
                }
                let is_moved = Face::of(peer) != before;
                return if is_moved { Err(Violation::MovedByRefused(*number).into()) } else { Ok(()) };
            }
        };
        let name = witness::name(self.id, id, task.id);
        let is_honest = out.number_of(id) < super::super::world::LIAR;
        let is_now = task.outcome.is_none() && task.at == at;
        task.excuse = None;
        let next = match (heard, at) {
            (Heard::Opened, _) => Some(at),
            (Heard::Working, _) => {
                out.witness.hears_no_answer(letter.connection, id)?;
                None
            }
            (Heard::Refused(reason), _) => {
                out.witness.hears_no_answer(letter.connection, id)?;
                match reason {
                    Reason::Full => task.excuse = Some(Refusal::Busy),
                    Reason::TooEarly => {}
                    _ if is_now => task.outcome = Some(Outcome::Refused),
                    _ => {}
                }
                None
            }
            (Heard::Answer(answer), At::Request | At::Part(_)) => {
                if is_honest {
                    out.witness.hears(*number, name, &answer)?;
                }
                has(task, is_now, &answer.body, At::More(1))
            }
            (Heard::Part(part), At::More(place)) => {
                if is_honest {
                    out.witness.hears_part(*number, name, place, &part)?;
                }
                has(task, is_now, &part, At::More(place.saturating_add(1)))
            }
            (Heard::Continue, At::Request | At::Part(_)) => {
                let part = if let At::Part(part) = at { part } else { 0 };
                let next = part.saturating_add(1);
                // More than there is can only be asked for by a liar.
                if is_now && task.part(next).is_none() {
                    task.outcome = Some(Outcome::Refused);
                }
                Some(At::Part(next))
            }
            // So speaks a liar.
            _ => {
                if is_honest {
                    return Err(Violation::HeardUnsaid(*number).into());
                }
                if is_now {
                    task.outcome = Some(Outcome::Refused);
                }
                None
            }
        };
        if is_now && task.outcome == Some(Outcome::Answered) {
            peer.done(task.id);
        }
        if let Some(next) = next.filter(|_| is_now && task.outcome.is_none()) {
            task.at = next;
            if !disk.faults.gives_up {
                return self.asks_again(task_number, out);
            }
        }
        Ok(())
    }
}

/// The app has this part of its answer. What it asks for next, if that is not all.
fn has(task: &mut Task, is_now: bool, part: &Part<'_>, next: At) -> Option<At> {
    if part.has_more() {
        return Some(next);
    }
    if is_now {
        task.outcome = Some(Outcome::Answered);
    }
    None
}

/// How a request of the kit's apps is to be answered: in how many parts, and whether at once.
pub(super) fn wish(target: &str) -> (u64, bool) {
    let path = target.split('?').next().unwrap_or_default();
    let mut numbers = path.split('/').skip(2).map(|number| number.parse::<u64>().unwrap_or_default());
    let (parts, later) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    (parts.clamp(1, 3), later == 1)
}

/// The bytes of a part of an answer.
pub(super) fn given(host: usize, id: &[u8], part: u64) -> String {
    let id: String = id.iter().rev().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{host} says {part} to {id}").to_owned()
}
