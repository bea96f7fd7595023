//! What a Portal's server does with what peers send.

use port_protocol::portal::*;
use zeroize::Zeroizing;

use crate::apps::{Call, Work, part_of, read_part};
use crate::host::{Host, Machines};
use crate::store::StoreError;

/// Why there is no reply.
enum Stop {
    /// It is sent in place of one.
    Refused(Refusal),
    Store(StoreError),
}

impl Host {
    /// The body of a POST to this Portal's address; what it gives is the body of the answer. On an error answer 503: the peer asks again.
    /// In front of it a server limits how often strangers may POST.
    pub fn post(&self, message: &[u8]) -> Result<Vec<u8>, StoreError> {
        match self.reply(message) {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused(refusal)) => Ok(refusal.to_vec()),
            Err(Stop::Store(error)) => {
                self.machines().restart()?;
                Err(error)
            }
        }
    }

    fn reply(&self, message: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut buffer = Zeroizing::new(Vec::with_capacity(message.len()));
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { portal, peers, store, services, .. } = &mut *machines;
        let incoming = match portal.receive(message, &mut buffer, now)? {
            Received::WhoAreYou(answer) => return Ok(answer),
            Received::Incoming(incoming) => incoming,
        };
        let from = *incoming.from();
        let peer = peers.get_mut(&from).ok_or(Refusal::Unknown)?;
        let step = peer.take(incoming, |app| services.get(app).map(|(manifest, _)| manifest), now)?;
        // Stored first: whatever crashes now, the app does not get it twice.
        let asked = step.store(|write| store.keep(write))?;
        drop(machines); // an app may take its time
        let reply = match asked {
            Asked::Reply(reply) => reply,
            Asked::Request(request, pending) => {
                let work = self.begin(from, &request)?;
                self.go_on(from, pending, work, &request.body)?
            }
            Asked::BodyPart(part, pending) => {
                let work = self.work(from, &pending)?;
                self.go_on(from, pending, work, &part)?
            }
            Asked::More(pending) => {
                let mut work = self.work(from, &pending)?;
                let (id, bytes) = (pending.id(), read_part(&mut work));
                let part = part_of(&bytes);
                let mut machines = self.machines();
                let Machines { peers, store, .. } = &mut *machines;
                let peer = peers.get_mut(&from).ok_or(Refusal::Unknown)?;
                let reply = peer.answer_part(pending, &part)?.store(|write| store.keep(write))?;
                machines.keep_work(from, id, work, part.has_more());
                reply
            }
        };
        let mut machines = self.machines();
        // The app may have taken its time.
        let now = machines.now();
        let Machines { portal, peers, .. } = &mut *machines;
        Ok(portal.seal(peers.get(&from).ok_or(Refusal::Unknown)?, reply, now, &mut rand::rng())?)
    }

    /// Hands a request to its app.
    fn begin(&self, from: PortalId, request: &Request<'_>) -> Result<Box<dyn Work>, Refusal> {
        let (call, service) = {
            let machines = self.machines();
            let peer = machines.peers.get(&from).ok_or(Refusal::Unknown)?;
            let (_, service) = machines.services.get(request.app()).ok_or(Refusal::Unknown)?;
            (Call::new(peer, request), service.clone())
        };
        Ok(service.begin(call))
    }

    /// Hands a part of a body to the app, and either asks for the next one or answers.
    fn go_on(&self, from: PortalId, pending: Pending, mut work: Box<dyn Work>, part: &Part<'_>) -> Result<Reply, Stop> {
        let id = pending.id();
        work.receive(part.bytes());
        if part.has_more() {
            let mut machines = self.machines();
            machines.keep_work(from, id, work, true);
            let Machines { peers, store, .. } = &mut *machines;
            let peer = peers.get_mut(&from).ok_or(Refusal::Unknown)?;
            return Ok(peer.proceed(pending)?.store(|write| store.keep(write))?);
        }
        let (status, headers) = work.head();
        let bytes = read_part(&mut work);
        let headers = Headers::carried(headers).unwrap_or_default();
        let answer = Answer { status, headers, body: part_of(&bytes) };
        let mut machines = self.machines();
        let Machines { peers, store, .. } = &mut *machines;
        let peer = peers.get_mut(&from).ok_or(Refusal::Unknown)?;
        let reply = peer.answer(pending, &answer)?.store(|write| store.keep(write))?;
        machines.keep_work(from, id, work, answer.body.has_more());
        Ok(reply)
    }

    fn work(&self, from: PortalId, pending: &Pending) -> Result<Box<dyn Work>, Refusal> {
        self.machines().work.remove(&(from, pending.id())).map(|(_, work)| work).ok_or(Refusal::Unknown)
    }
}

impl Machines {
    /// Two peers may name two requests alike, so the peer is part of the key.
    fn keep_work(&mut self, from: PortalId, id: RequestId, work: Box<dyn Work>, has_more: bool) {
        if has_more {
            let now = self.now();
            self.work.insert((from, id), (now, work));
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The owner blocked the peer meanwhile, or the request is too old: its answer is dropped.
impl From<PeerError> for Stop {
    fn from(_: PeerError) -> Self {
        Self::Refused(Refusal::Unknown)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
