//! Two Portals, each with its store: what the benches of chapter 18 measure.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hint::black_box;

use port_protocol::portal::*;
use port_protocol::{PublicKey, UnixSeconds};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();

/// What a Portal keeps its rows in.
pub trait Keep {
    fn keep(&mut self, write: &Write);
}

/// Reads every row, and keeps none.
#[derive(Clone, Default)]
pub struct Nowhere;

impl Keep for Nowhere {
    fn keep(&mut self, write: &Write) {
        write.put().iter().for_each(|row| assert!(!row.record.is_empty()));
        black_box(write);
    }
}

/// Keeps all rows in memory.
#[derive(Default)]
pub struct InMemory(pub BTreeMap<Vec<u8>, (u64, Vec<u8>)>);

impl Keep for InMemory {
    fn keep(&mut self, write: &Write) {
        for row in write.put() {
            self.0.insert(row.key.to_bytes(), (row.revision, row.record.to_vec()));
        }
        for key in write.delete() {
            self.0.remove(&key.to_bytes());
        }
    }
}

/// One Portal with its store, one app, and the other Portal as its peer.
pub struct Side<S> {
    pub portal: Portal,
    pub store: S,
    pub peer: Peer,
    /// The peer's, as it was entered and verified.
    pub record: Vec<u8>,
    app: App,
    credential: AppCredential,
    manifest: Manifest,
    rng: StdRng,
    buffer: Vec<u8>,
    /// What the app got: method, target and body, if somebody wants to look.
    pub delivered: Vec<String>,
    pub is_watched: bool,
}

impl<S: Keep + Default> Side<S> {
    /// Both Portals: each owner has entered the other, and granted all. The keys are known, and there is no session.
    pub fn pair() -> [Self; 2] {
        let mut rngs = [1, 2].map(StdRng::seed_from_u64);
        let [a, b] = [0, 1].map(|at| created(Portal::create(PortalName::new("a name").unwrap(), &mut rngs[at])));
        let others = [(b.id(), *b.public_key()), (a.id(), *a.public_key())];
        let [rng_a, rng_b] = rngs;
        [Self::new(a, others[0], rng_a), Self::new(b, others[1], rng_b)]
    }

    /// A Portal whose owner has entered this one, whose key is known. It notes what its app gets.
    pub fn with_peer(key: &PublicKey) -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        let portal = created(Portal::create(PortalName::new("a name").unwrap(), &mut rng));
        Self { is_watched: true, ..Self::new(portal, (PortalId::of(key), *key), rng) }
    }

    fn new(portal: Portal, (id, key): (PortalId, PublicKey), mut rng: StdRng) -> Self {
        let (created_app, credential) = App::install(app_name(), &mut rng);
        let mut app = created(created_app);
        let Ok(()) = app.set_grant(Grant::All).unwrap().store(|_| Ok::<_, Infallible>(()));
        let mut peer = entered(&portal, id);
        let record = verify(&mut peer, &key);
        let manifest =
            Manifest::from_json(r#"{"v":"1.3","paths":{"":{"access":"private"},"/peer":{"access":"peer"}}}"#).unwrap();
        Self {
            portal,
            store: S::default(),
            peer,
            record,
            app,
            credential,
            manifest,
            rng,
            buffer: Vec::new(),
            delivered: Vec::new(),
            is_watched: false,
        }
    }

    /// The app asks: all from its credential and HTTP's texts on, to the message that goes out.
    pub fn ask(&mut self, method: &'static str, target: &str, body: &[u8]) -> (RequestId, Outgoing) {
        let app = self.app.authenticate(self.credential.expose()).unwrap();
        let id = self.peer.draw_id(NOW, &mut self.rng);
        let headers = Headers::carried([("content-type", "text/plain")]).unwrap();
        let (method, target) = (Method::new(method).unwrap(), Target::parse(target).unwrap());
        let request = app.request(id, method, target, headers, Part::last(body).unwrap());
        (id, self.peer.ask(&self.portal, app, &request, NOW, &mut self.rng).unwrap())
    }

    /// Forgets the session and all that was taken.
    pub fn forget(&mut self) {
        self.peer = Peer::restore(&self.record, []).unwrap();
        self.store = S::default();
    }

    /// The peer's Portal takes it, its app answers with `body`, and the reply goes out.
    pub fn serve(&mut self, message: &[u8], body: &[u8]) -> Vec<u8> {
        self.try_serve(message, body).unwrap()
    }

    pub fn try_serve(&mut self, message: &[u8], body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let Self { portal, store, peer, manifest, rng, buffer, delivered, is_watched, .. } = self;
        let incoming = match portal.receive(message, buffer, NOW)? {
            Received::WhoAreYou(answer) => return Ok(answer),
            Received::Incoming(incoming) => incoming,
        };
        let app = |request: &Request<'_>| {
            black_box(request);
            if *is_watched {
                let text = str::from_utf8(request.body.bytes()).unwrap();
                delivered.push(format!("{:?} {} {text}", request.method, request.target));
            }
        };
        let reply = replied(peer, incoming, manifest, store, app, body)?;
        portal.seal(peer, reply, NOW, rng)
    }

    /// The caller hears the answer. Returns how long its body is.
    pub fn hear(&mut self, mut waiting: Waiting, message: &[u8]) -> usize {
        let Self { portal, store, peer, buffer, .. } = self;
        match kept(peer.hear(portal, &mut waiting, message, buffer, NOW).unwrap(), store) {
            Heard::Answer(answer) => answer.body.bytes().len(),
            Heard::Opened => 0,
            other => panic!("{other:?}"),
        }
    }
}

/// A request and its answer, both ends.
pub fn exchange<S: Keep + Default>([a, b]: &mut [Side<S>; 2], method: &'static str, target: &str, bodies: [&[u8]; 2]) {
    let (id, outgoing) = a.ask(method, target, bodies[0]);
    let reply = b.serve(&outgoing.message, bodies[1]);
    assert_eq!(a.hear(outgoing.waiting, &reply), bodies[1].len());
    a.peer.done(id);
}

/// What the callee does with a message of one of many peers.
pub fn serve_one<S: Keep + Default>(
    callee: &mut Side<S>,
    peers: &mut HashMap<PortalId, Peer>,
    message: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let Side { portal, store, manifest, rng, buffer, .. } = callee;
    let Ok(Received::Incoming(incoming)) = portal.receive(message, buffer, NOW) else { panic!("an asker") };
    let peer = peers.get_mut(incoming.from()).expect("a peer");
    let reply = replied(peer, incoming, manifest, store, |request| _ = black_box(request), body).unwrap();
    portal.seal(peer, reply, NOW, rng).unwrap()
}

/// A Portal with an app and this one as its peer.
pub fn other_caller<S: Keep + Default>(callee: &Side<S>, number: u64) -> Side<S> {
    let mut rng = StdRng::seed_from_u64(1_000 + number);
    let portal = created(Portal::create(PortalName::new("a name").unwrap(), &mut rng));
    Side::new(portal, (callee.portal.id(), *callee.portal.public_key()), rng)
}

/// What the callee replies, whose app answers with `body`.
fn replied<S: Keep>(
    peer: &mut Peer,
    incoming: Incoming<'_>,
    manifest: &Manifest,
    store: &mut S,
    mut app: impl FnMut(&Request<'_>),
    body: &[u8],
) -> Result<Reply, Refusal> {
    let step = peer.take(incoming, |name| (name.as_str() == "notes").then_some(manifest), NOW)?;
    Ok(match kept(step, store) {
        Asked::Request(request, pending) => {
            app(&request);
            let headers = Headers::carried([("content-type", "text/plain")]).unwrap();
            let answer = Answer { status: Status::OK, headers, body: Part::last(body).unwrap() };
            kept(peer.answer(pending, &answer).unwrap(), store)
        }
        Asked::Reply(reply) => reply,
        other => panic!("{other:?}"),
    })
}

pub fn app_name() -> AppName {
    AppName::new("notes").unwrap()
}

fn kept<S: Keep, T>(step: Step<'_, Peer, T>, store: &mut S) -> T {
    let Ok(then) = step.store(|write| {
        store.keep(write);
        Ok::<_, Infallible>(())
    });
    then
}

pub fn created<M>(created: Created<M>) -> M {
    let Ok(machine) = created.store(|_| Ok::<_, Infallible>(()));
    machine
}

pub fn entered(portal: &Portal, id: PortalId) -> Peer {
    let address = PortalAddr::new("https://other.example/portal").unwrap();
    created(Peer::enter(portal, id, Some(address), PortalName::new("a friend").unwrap(), [], NOW).unwrap().created)
}

/// The peer told its key: `[1, [1, public_key]]`. Returns its record.
fn verify(peer: &mut Peer, key: &PublicKey) -> Vec<u8> {
    let i_am = [&[0x82, 1, 0x82, 1, 0x58, 32][..], key.as_bytes()].concat();
    let (step, mut record) = (peer.looked_up(Some(&i_am), NOW).unwrap(), Vec::new());
    let Ok(outcome) = step.store(|write| {
        record.extend_from_slice(&write.put()[0].record);
        Ok::<_, Infallible>(())
    });
    assert_eq!(outcome, LookedUp::Verified);
    record
}
