//! The two ends: a process is made again from its rows and from what happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;

use crate::common::rng::{Counting, rng_from};

const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();
const WHO_ARE_YOU: [u8; 4] = [0x82, 1, 0x81, 0];

pub type Rows = BTreeMap<Vec<u8>, (u64, Vec<u8>)>;

fn keep(rows: &mut Rows, write: &Write, forgets: bool) -> Result<(), ()> {
    for row in write.put() {
        let key = row.key.to_bytes();
        if forgets && matches!(row.key, PortalKey::Opening(..) | PortalKey::Request(..)) {
            continue;
        }
        assert!(forgets || rows.get(&key).map(|(revision, _)| *revision) == row.expected, "{row:?}");
        rows.insert(key, (row.revision, row.record.to_vec()));
    }
    write.delete().iter().for_each(|key| _ = rows.remove(&key.to_bytes()));
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ended {
    Answered,
    Refused,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CallerDid {
    /// Without an id it draws one.
    Asks {
        at: usize,
        is_early: bool,
        id: Option<[u8; 24]>,
    },
    Hears {
        message: Vec<u8>,
        reply: Vec<u8>,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CalleeDid {
    Takes(Vec<u8>),
    Works,
    Blocks,
}

pub enum HeardIt {
    Answer(Vec<u8>),
    Refused(Reason),
    Other,
}

/// A process: the rows that it started from, and what happened to it since.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Process<Did> {
    rows: Rows,
    starts: u8,
    pub life: Vec<Did>,
}

impl<Did> Process<Did> {
    pub fn starts(rows: Rows) -> Self {
        Self { rows, starts: 0, life: Vec::new() }
    }

    /// It was gone, and starts again.
    pub fn after(&self, rows: Rows) -> Self {
        Self { rows, starts: self.starts + 1, life: Vec::new() }
    }
}

fn app_name() -> AppName {
    AppName::new("notes").unwrap()
}

fn row(rows: &Rows, key: &PortalKey) -> Vec<u8> {
    rows[&key.to_bytes()].1.clone()
}

fn peer(rows: &Rows) -> Peer {
    let own = rows.iter().find(|(key, _)| key[0] == 2).unwrap();
    let memory = rows.iter().filter(|(key, _)| key[0] > 3).map(|(_, (_, record))| record.as_slice());
    Peer::restore(&own.1.1, memory).unwrap()
}

/// The rows of both: each has entered the other.
pub fn init() -> [Rows; 2] {
    let mut rows = [Rows::new(), Rows::new()];
    let mut portals = [0, 1].map(|at| {
        let created = Portal::create(PortalName::NONE, &mut rng_from(7 + 32 * at as u8));
        created.store(|write| keep(&mut rows[at], write, false)).unwrap()
    });
    let keys = portals.each_mut().map(|portal| match portal.receive(&WHO_ARE_YOU, &mut Vec::new(), NOW) {
        Ok(Received::WhoAreYou(key)) => key,
        other => panic!("{other:?}"),
    });
    for at in 0..2 {
        let address = PortalAddr::new("https://portal.example/port").ok();
        let other = portals[1 - at].id();
        let entered = Peer::enter(&portals[at], other, address, PortalName::NONE, [], NOW).unwrap();
        let mut peer = entered.created.store(|write| keep(&mut rows[at], write, false)).unwrap();
        let step = peer.looked_up(Some(&keys[1 - at]), NOW).unwrap();
        assert_eq!(step.store(|write| keep(&mut rows[at], write, false)), Ok(LookedUp::Verified));
    }
    let (created, _) = App::install(app_name(), &mut rng_from(0));
    let mut app = created.store(|write| keep(&mut rows[0], write, false)).unwrap();
    app.set_grant(Grant::All).unwrap().store(|write| keep(&mut rows[0], write, false)).unwrap();
    rows
}

pub struct Caller {
    pub rows: Rows,
    portal: Portal,
    peer: Peer,
    app: App,
    rng: Counting,
    /// By message.
    waiting: BTreeMap<Vec<u8>, Waits>,
}

struct Waits {
    at: usize,
    id: RequestId,
    by: Waiting,
    is_over: bool,
}

impl Process<CallerDid> {
    pub fn caller(&self) -> Caller {
        let rows = self.rows.clone();
        let portal = Portal::restore(&row(&rows, &PortalKey::Portal)).unwrap();
        let app = App::restore(&row(&rows, &PortalKey::App(app_name()))).unwrap();
        let (peer, rng, waiting) = (peer(&rows), rng_from(128 * self.starts), BTreeMap::new());
        let mut caller = Caller { rows, portal, peer, app, rng, waiting };
        for did in &self.life {
            match did {
                CallerDid::Asks { at, is_early, id } => _ = caller.asks(*at, *is_early, *id),
                CallerDid::Hears { message, reply } => _ = caller.hears(message, reply),
            }
        }
        caller
    }
}

impl Caller {
    /// The app asks: the message, and the request's id.
    pub fn asks(&mut self, at: usize, is_early: bool, id: Option<[u8; 24]>) -> (Vec<u8>, [u8; 24]) {
        let Self { portal, peer, app, rng, waiting, .. } = self;
        let id = id.map_or_else(|| peer.draw_id(NOW, rng), |id| RequestId::from_bytes(&id).unwrap());
        let mut credential = [0; 32];
        port_protocol::rand_core::Rng::fill_bytes(&mut rng_from(0), &mut credential);
        let app = app.authenticate(&credential).unwrap();
        let method = if is_early { Method::GET } else { Method::POST };
        let request = app.request(id, method, Target::parse("/peer").unwrap(), Headers::EMPTY, Part::EMPTY);
        let asked = peer.ask(portal, app, &request, NOW, rng).unwrap();
        waiting.insert(asked.message.clone(), Waits { at, id, by: asked.waiting, is_over: false });
        (asked.message, id.to_bytes())
    }

    /// The reply to a message of this process: of which request it is, and what it says. `None`: nothing comes of it.
    pub fn hears(&mut self, message: &[u8], reply: &[u8]) -> Option<(usize, HeardIt)> {
        let Self { rows, portal, peer, waiting, .. } = self;
        let waits = waiting.get_mut(message)?;
        let mut buffer = Vec::new();
        let heard = match peer.hear(portal, &mut waits.by, reply, &mut buffer, NOW) {
            Ok(step) => step.store(|write| keep(rows, write, false)).unwrap(),
            // It can end a session.
            Err(HearError::Refused(_)) => return Some((waits.at, HeardIt::Other)),
            Err(_) => return None,
        };
        waits.is_over = true;
        let (at, id) = (waits.at, waits.id);
        let heard = match heard {
            Heard::Answer(answer) => HeardIt::Answer(answer.body.bytes().to_vec()),
            Heard::Refused(reason) => HeardIt::Refused(reason),
            _ => HeardIt::Other,
        };
        if let HeardIt::Answer(_) = heard {
            peer.done(id);
        }
        Some((at, heard))
    }

    /// The messages that wait for a reply.
    pub fn waits(&self) -> BTreeSet<Vec<u8>> {
        self.waiting.iter().filter(|(_, waits)| !waits.is_over).map(|(message, _)| message.clone()).collect()
    }
}

/// What the callee's app answers to this request.
pub fn given(id: &[u8; 24]) -> Vec<u8> {
    [b"to ", &id[..]].concat()
}

pub struct Callee {
    pub rows: Rows,
    portal: Portal,
    peer: Peer,
    rng: Counting,
    forgets: bool,
    /// What its app works on, each with its message.
    pub jobs: Vec<(Pending, Vec<u8>)>,
}

#[derive(Default)]
pub struct Taken {
    pub delivered: Option<[u8; 24]>,
    pub reply: Option<Vec<u8>>,
}

impl Process<CalleeDid> {
    pub fn callee(&self, forgets: bool) -> Callee {
        let rows = self.rows.clone();
        let portal = Portal::restore(&row(&rows, &PortalKey::Portal)).unwrap();
        let (peer, rng) = (peer(&rows), rng_from(65 + 128 * self.starts));
        let mut callee = Callee { rows, portal, peer, rng, forgets, jobs: Vec::new() };
        for did in &self.life {
            match did {
                CalleeDid::Takes(message) => _ = callee.takes(message),
                CalleeDid::Works => _ = callee.works(),
                CalleeDid::Blocks => callee.blocks(),
            }
        }
        callee
    }
}

impl Callee {
    pub fn takes(&mut self, message: &[u8]) -> Taken {
        static MANIFEST: OnceLock<Manifest> = OnceLock::new();
        let manifest =
            MANIFEST.get_or_init(|| Manifest::from_json(r#"{"v":"1.3","paths":{"/peer":{"access":"peer"}}}"#).unwrap());
        let Self { rows, portal, peer, rng, forgets, jobs } = self;
        let mut buffer = Vec::new();
        let refused = |refusal: Refusal| Taken { reply: Some(refusal.to_vec()), ..Taken::default() };
        let incoming = match portal.receive(message, &mut buffer, NOW) {
            Ok(Received::Incoming(incoming)) => incoming,
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => return refused(refusal),
        };
        let step = match peer.take(incoming, |name| (*name == app_name()).then_some(manifest), NOW) {
            Ok(step) => step,
            Err(refusal) => return refused(refusal),
        };
        match step.store(|write| keep(rows, write, *forgets)).unwrap() {
            Asked::Request(request, pending) => {
                jobs.push((pending, message.to_vec()));
                Taken { delivered: Some(request.id.to_bytes()), reply: None }
            }
            Asked::Reply(reply) => match portal.seal(peer, reply, NOW, rng) {
                Ok(reply) => Taken { reply: Some(reply), ..Taken::default() },
                Err(refusal) => refused(refusal),
            },
            other => panic!("{other:?}"),
        }
    }

    /// The app answers: which request, the message that brought it, and what goes out.
    pub fn works(&mut self) -> Option<([u8; 24], Vec<u8>, Vec<u8>)> {
        let Self { rows, portal, peer, rng, forgets, jobs } = self;
        let (pending, message) = jobs.pop()?;
        let id = pending.id().to_bytes();
        let body = given(&id);
        let answer = Answer { status: Status::OK, headers: Headers::EMPTY, body: Part::last(&body).unwrap() };
        let Ok(step) = peer.answer(pending, &answer) else { return Some((id, message, Refusal::Unknown.to_vec())) };
        let reply = step.store(|write| keep(rows, write, *forgets)).unwrap();
        let said = portal.seal(peer, reply, NOW, rng);
        Some((id, message, said.unwrap_or_else(|refusal| refusal.to_vec())))
    }

    pub fn blocks(&mut self) {
        let Self { rows, portal, peer, .. } = self;
        peer.block().unwrap().store(|write| keep(rows, write, false)).unwrap();
        portal.end_sessions(&peer.id());
    }
}
