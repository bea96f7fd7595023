//! What a Host is asked, and what its apps answer.

use alloc::format;
use alloc::vec::Vec;

use super::super::store::Life;
use super::super::violation::Violation;
use super::super::witness::{self, HEADER};
use super::caller::{given, wish};
use super::{APPS, Face, Host, Job, Letter, Outside};
use crate::portal::{
    Answer, Asked, Headers, Part, Pending, PortalId, Received, Refusal, Reply, Request, RequestId, Status,
};

impl Host {
    /// A message of a caller. What is answered at once, goes out at once.
    pub(in super::super) fn takes(
        &mut self,
        letter: &Letter,
        asked: Option<witness::Name>,
        out: &mut Outside<'_>,
    ) -> Life<()> {
        if let Some(bytes) = self.serves(letter, asked, out)? {
            self.posts(letter.from, letter.connection, bytes, out);
            self.disk.point()?;
        }
        Ok(())
    }

    fn posts(&self, to: usize, connection: u64, bytes: Vec<u8>, out: &mut Outside<'_>) {
        out.letters.push(Letter { from: self.number, to, connection, is_answer: true, bytes });
    }

    fn serves(
        &mut self,
        letter: &Letter,
        asked: Option<witness::Name>,
        out: &mut Outside<'_>,
    ) -> Life<Option<Vec<u8>>> {
        let Self { number, disk, process, manifest, open_manifest, .. } = self;
        let (number, mut buffer) = (*number, Vec::new());
        let incoming = match process.portal.receive(&letter.bytes, &mut buffer, out.now) {
            Ok(Received::WhoAreYou(answer)) => return Ok(Some(answer)),
            Ok(Received::Incoming(incoming)) => incoming,
            Err(refusal) => return Ok(Some(refusal.to_vec())),
        };
        let from = *incoming.from();
        let Some(peer) = process.peers.get_mut(&from) else { return Ok(Some(Refusal::Unknown.to_vec())) };
        let before = Face::of(peer);
        let manifest = if disk.faults.serves_all { open_manifest } else { manifest };
        let find = |name: &crate::portal::AppName| manifest.as_ref().filter(|_| APPS.contains(&name.as_str()));
        let step = match peer.take(incoming, find, out.now) {
            Ok(step) => step,
            Err(refusal) => {
                let is_moved = Face::of(peer) != before;
                return if is_moved {
                    Err(Violation::MovedByRefused(number).into())
                } else {
                    Ok(Some(refusal.to_vec()))
                };
            }
        };
        if let Some(name) = asked.filter(|(_, callee, _)| *callee == self.id) {
            out.witness.takes(letter.connection, &name);
        }
        let late = if disk.faults.delivers_before_storing {
            let write = step.write();
            Err((step.commit(write.clone()), write))
        } else {
            if disk.faults.stores_twice {
                disk.keep(&step.write())?;
            }
            Ok(step.store(|write| disk.keep(write))?)
        };
        let (asked, late) = match late {
            Ok(asked) => (asked, None),
            Err((asked, write)) => (asked, Some(write)),
        };
        // The process dies before the app gets anything, or after.
        disk.point()?;
        let taken = out.witness.sees_taken(number, &letter.bytes);
        let job = |pending, parts| Job { from, to: letter.from, connection: letter.connection, pending, parts };
        let reply = match asked {
            Asked::Reply(reply) => Err(reply),
            Asked::Request(request, pending) => {
                self.delivers(&from, &request, out)?;
                let (parts, later) = wish(request.target.as_str());
                Ok((job(pending, parts), request.body.has_more(), later))
            }
            Asked::BodyPart(part, pending) => {
                out.witness.delivers_part(number, from, pending.id(), &part)?;
                let parts = self.process.rest.get(&(from, pending.id().to_bytes())).map_or(1, |(parts, _)| *parts);
                Ok((job(pending, parts), part.has_more(), false))
            }
            Asked::More(pending) => Err(self.gives_more(from, pending, out)?),
        };
        // What is delivered twice is the worse.
        taken?;
        self.disk.point()?;
        if let Some(write) = late {
            self.disk.keep(&write)?;
        }
        match reply {
            Err(reply) => self.seals(from, reply, out).map(Some),
            Ok((Job { pending, parts, .. }, true, _)) => {
                self.process.rest.insert((from, pending.id().to_bytes()), (parts, 0));
                let Self { process, disk, .. } = self;
                let step = process.peers.get_mut(&from).and_then(|peer| peer.proceed(pending).ok());
                let Some(step) = step else { return Ok(None) };
                let reply = step.store(|write| disk.keep(write))?;
                self.seals(from, reply, out).map(Some)
            }
            Ok((job, false, true)) => {
                self.process.jobs.push(job);
                Ok(None)
            }
            Ok((job, false, false)) => self.answers(job, out).map(Some),
        }
    }

    /// The app gets the request.
    fn delivers(&mut self, from: &PortalId, request: &Request<'_>, out: &mut Outside<'_>) -> Life<()> {
        let app = request.app().as_str();
        let other = APPS.iter().find(|name| **name != app).copied().unwrap_or_default();
        let app = if self.disk.faults.misdelivers { other } else { app };
        let from = if self.disk.faults.mistakes_callers { self.id } else { *from };
        Ok(out.witness.delivers(self.number, app, from, request)?)
    }

    /// An app answers what it works on.
    pub(in super::super) fn works(&mut self, which: u8, out: &mut Outside<'_>) -> Life<()> {
        let Some(at) = usize::from(which).checked_rem(self.process.jobs.len()) else { return Ok(()) };
        let job = self.process.jobs.remove(at);
        let (to, connection) = (job.to, job.connection);
        let bytes = self.answers(job, out)?;
        self.posts(to, connection, bytes, out);
        self.disk.point()
    }

    /// The first part of an answer, or the whole of it.
    fn answers(&mut self, job: Job, out: &mut Outside<'_>) -> Life<Vec<u8>> {
        let Self { number, disk, process, given: count, .. } = self;
        let Job { from, pending, parts, .. } = job;
        let id = pending.id();
        *count = count.saturating_add(1);
        let (header, bytes) = (format!("{number}.{count}"), given(*number, &id.to_bytes(), 0));
        let other = format!("{number}.{}", count.saturating_sub(1));
        let answer = |header| {
            let headers = Headers::carried([(HEADER, header), ("set-cookie", "no")]).unwrap_or_default();
            Answer { status: Status::OK, headers, body: part(bytes.as_bytes(), parts > 1) }
        };
        let Some(peer) = process.peers.get_mut(&from) else { return Ok(Refusal::Unknown.to_vec()) };
        let said = answer(if disk.faults.mixes_answers { &other } else { &header });
        // Blocked since, or too old. The connection is closed: what is said on it is for anybody.
        let Ok(step) = peer.answer(pending, &said) else { return Ok(Refusal::Unknown.to_vec()) };
        let name = witness::name(from, self.id, id);
        let created = RequestId::to_bytes(&id).first_chunk().copied().map_or(0, u64::from_be_bytes);
        let created = crate::UnixSeconds::new(created).unwrap_or_default();
        out.witness.answers(name, created, &answer(&header));
        let reply = if disk.faults.keeps_no_answers {
            let write = step.write();
            step.commit(write)
        } else {
            step.store(|write| disk.keep_and(write, || out.witness.promises(name)))?
        };
        out.witness.promises(name);
        if parts > 1 {
            process.rest.insert((from, id.to_bytes()), (parts, 1));
        }
        self.seals(from, reply, out)
    }

    /// The next part of an answer.
    fn gives_more(&mut self, from: PortalId, pending: Pending, out: &mut Outside<'_>) -> Life<Reply> {
        let Self { number, disk, process, .. } = self;
        let id = pending.id();
        let (parts, next) = process.rest.get(&(from, id.to_bytes())).copied().unwrap_or((1, 1));
        let bytes = given(*number, &id.to_bytes(), next);
        let after = next.saturating_add(1);
        let part = part(bytes.as_bytes(), after < parts);
        let step = process.peers.get_mut(&from).map(|peer| peer.answer_part(pending, &part));
        // It was asked for a moment ago.
        let Some(Ok(step)) = step else { return Err(Violation::AnswerLost(*number).into()) };
        out.witness.answers_part(witness::name(from, self.id, id), &part);
        process.rest.insert((from, id.to_bytes()), (parts, after));
        step.store(|write| disk.keep(write))
    }

    fn seals(&mut self, from: PortalId, reply: Reply, out: &mut Outside<'_>) -> Life<Vec<u8>> {
        self.disk.point()?;
        let Some(peer) = self.process.peers.get(&from) else { return Ok(Refusal::Unknown.to_vec()) };
        match self.process.portal.seal(peer, reply, out.now, out.rng) {
            Ok(bytes) => {
                out.witness.says(self.number, from)?;
                Ok(bytes)
            }
            Err(refusal) => Ok(refusal.to_vec()),
        }
    }
}

fn part(bytes: &[u8], more: bool) -> Part<'_> {
    let part = if more { Part::with_more(bytes) } else { Part::last(bytes) };
    part.unwrap_or_default()
}
