//! Two Portals, each with its store: what the tests of chapter 18 play with.

use std::collections::BTreeMap;
use std::convert::Infallible;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

pub const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();

pub fn later(secs: u64) -> UnixSeconds {
    UnixSeconds::new(NOW.as_secs() + secs).unwrap()
}

/// A store that does the checks that `Write` asks for.
#[derive(Clone, Default, Debug)]
pub struct Store(pub BTreeMap<Vec<u8>, (u64, Vec<u8>)>);

impl Store {
    pub fn keep(&mut self, write: &Write) -> Result<(), Infallible> {
        for row in write.put() {
            let key = row.key.to_bytes();
            assert_eq!(self.0.get(&key).map(|(revision, _)| *revision), row.expected, "{row:?}");
            self.0.insert(key, (row.revision, row.record.to_vec()));
        }
        for key in write.delete() {
            self.0.remove(&key.to_bytes());
        }
        Ok(())
    }

    pub fn peer(&self, id: PortalId) -> Peer {
        let of = |kind: u8| [&[kind][..], id.as_bytes()].concat();
        let memory = [4, 5].map(of);
        let memory = self.0.iter().filter(|(key, _)| memory.iter().any(|prefix| key.starts_with(prefix)));
        let record = &self.0[&of(2)].1;
        Peer::restore(record, memory.map(|(_, (_, record))| record.as_slice())).unwrap()
    }
}

/// One Portal with its store, one app, and the other Portal as its peer.
pub struct Side {
    pub portal: Portal,
    pub store: Store,
    pub peer: Peer,
    pub app: App,
    pub credential: AppCredential,
    pub rng: StdRng,
}

pub const MANIFEST: &str =
    r#"{"v":"1.3","paths":{"":{"access":"private"},"/pub":{"access":"public"},"/peer":{"access":"peer"}}}"#;

pub fn manifest() -> Manifest {
    Manifest::from_json(MANIFEST).unwrap()
}

pub fn app_name() -> AppName {
    AppName::new("notes").unwrap()
}

impl Side {
    /// Both Portals: each owner has entered the other, and granted all. The keys are known.
    pub fn pair() -> [Self; 2] {
        let mut rngs = [1, 2].map(StdRng::seed_from_u64);
        let portals = [0, 1].map(|at| {
            let name = PortalName::new(["Ada's", "Ben's"][at]).unwrap();
            Portal::create(name, &mut rngs[at])
        });
        let mut stores = [Store::default(), Store::default()];
        let [a, b] = portals;
        let (Ok(mut a), Ok(mut b)) = (a.store(|write| stores[0].keep(write)), b.store(|write| stores[1].keep(write)));
        let [store_a, store_b] = stores;
        let [rng_a, rng_b] = rngs;
        let (id_a, id_b) = (a.id(), b.id());
        let (key_a, key_b) = (who_are_you(&mut a), who_are_you(&mut b));
        [Self::new(a, store_a, rng_a, id_b, &key_b), Self::new(b, store_b, rng_b, id_a, &key_a)]
    }

    fn new(portal: Portal, mut store: Store, mut rng: StdRng, other: PortalId, key: &[u8]) -> Self {
        let address = PortalAddr::new("https://other.example/portal").unwrap();
        let name = PortalName::new("a friend").unwrap();
        let Entered { created, same_short } = Peer::enter(&portal, other, Some(address), name, [], NOW).unwrap();
        assert_eq!(same_short, None);
        let Ok(mut peer) = created.store(|write| store.keep(write));
        let Ok(outcome) = peer.looked_up(Some(key), NOW).unwrap().store(|write| store.keep(write));
        assert_eq!(outcome, LookedUp::Verified);
        let (created, credential) = App::install(app_name(), &mut rng);
        let Ok(mut app) = created.store(|write| store.keep(write));
        let Ok(()) = app.set_grant(Grant::All).unwrap().store(|write| store.keep(write));
        Self { portal, store, peer, app, credential, rng }
    }

    /// The process dies: what was not stored is gone.
    pub fn crash(&mut self) {
        let record = |kind: &[u8]| self.store.0[kind].1.as_slice();
        self.portal = Portal::restore(record(&[1])).unwrap();
        self.app = App::restore(record(&[&[3][..], b"notes"].concat())).unwrap();
        self.peer = self.store.peer(self.peer.id());
    }

    pub fn draw_id(&mut self) -> RequestId {
        self.peer.draw_id(NOW, &mut self.rng)
    }

    /// A request of the app.
    pub fn ask(&mut self, id: RequestId, method: &'static str, target: &str, body: Part<'_>) -> Outgoing {
        let app = self.app.authenticate(self.credential.expose()).unwrap();
        let headers = Headers::carried([("content-type", "text/plain"), ("cookie", "secret")]).unwrap();
        let request = app.request(id, Method::new(method).unwrap(), Target::parse(target).unwrap(), headers, body);
        self.peer.ask(&self.portal, app, &request, NOW, &mut self.rng).unwrap()
    }

    pub fn ask_part(&mut self, id: RequestId, number: u64, part: Part<'_>) -> Outgoing {
        let app = self.app.authenticate(self.credential.expose()).unwrap();
        self.peer.ask_part(&self.portal, app, id, number, part, NOW, &mut self.rng).unwrap()
    }

    pub fn ask_more(&mut self, id: RequestId, number: u64) -> Outgoing {
        let app = self.app.authenticate(self.credential.expose()).unwrap();
        self.peer.ask_more(&self.portal, app, id, number, NOW, &mut self.rng).unwrap()
    }

    /// What this Portal does with a message: `app` is its app, and gets what is delivered.
    pub fn serve(&mut self, message: &[u8], app: &mut dyn FnMut(&Request<'_>) -> Vec<u8>) -> Result<Vec<u8>, Refusal> {
        self.serve_at(NOW, message, app)
    }

    pub fn serve_at(
        &mut self,
        now: UnixSeconds,
        message: &[u8],
        app: &mut dyn FnMut(&Request<'_>) -> Vec<u8>,
    ) -> Result<Vec<u8>, Refusal> {
        let Self { portal, store, peer, rng, .. } = self;
        let (mut buffer, manifest) = (Vec::new(), manifest());
        let incoming = match portal.receive(message, &mut buffer, now)? {
            Received::WhoAreYou(answer) => return Ok(answer),
            Received::Incoming(incoming) => incoming,
        };
        if *incoming.from() != peer.id() {
            return Err(Refusal::Unknown);
        }
        let step = peer.take(incoming, |name| (*name == app_name()).then_some(&manifest), now)?;
        let Ok(asked) = step.store(|write| store.keep(write));
        let reply = match asked {
            Asked::Request(request, pending) => {
                let body = app(&request);
                let answer = answer(&body);
                let Ok(reply) = peer.answer(pending, &answer).unwrap().store(|write| store.keep(write));
                reply
            }
            Asked::Reply(reply) => reply,
            other => panic!("{other:?}"),
        };
        portal.seal(peer, reply, now, rng)
    }

    pub fn hear(&mut self, waiting: &mut Waiting, message: &[u8]) -> Result<String, HearError> {
        let Self { portal, store, peer, .. } = self;
        let mut buffer = Vec::new();
        let Ok(heard) = peer.hear(portal, waiting, message, &mut buffer, NOW)?.store(|write| store.keep(write));
        Ok(match heard {
            Heard::Answer(answer) => String::from_utf8(answer.body.bytes().to_vec()).unwrap(),
            other => format!("{other:?}"),
        })
    }
}

/// `[1, [0]]`, and what a Portal answers.
pub fn who_are_you(portal: &mut Portal) -> Vec<u8> {
    match portal.receive(&[0x82, 1, 0x81, 0], &mut Vec::new(), NOW).unwrap() {
        Received::WhoAreYou(answer) => answer,
        other => panic!("{other:?}"),
    }
}

pub fn answer(body: &[u8]) -> Answer<'_> {
    let headers = Headers::carried([("content-type", "text/plain"), ("set-cookie", "a=b")]).unwrap();
    Answer { status: Status::OK, headers, body: Part::last(body).unwrap() }
}
