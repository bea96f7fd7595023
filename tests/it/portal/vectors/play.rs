//! A play of two Portals: every step with what was handed in, what came of it, and what a stranger sees who has the keys.

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::super::stranger::{self, Key, Noise, key_for};
use super::super::world::{NOW, Side, Store, app_name, manifest, who_are_you};
use super::{CALLEE, CALLER, shown};
use crate::common::cbor::Cbor;
use crate::common::rng::rng_from;

pub struct Play {
    pub sides: [Side; 2],
    pub steps: Vec<Value>,
    /// The first byte of what is drawn next.
    draws: u8,
    /// The handshake after the last Opening, and the caller's ephemeral key in it.
    pub handshake: Option<(Noise, Key)>,
    /// Of the session: the caller's, the callee's.
    pub keys: [Key; 2],
}

/// What the caller sent.
pub struct Sent {
    step: usize,
    pub message: Vec<u8>,
    waiting: Waiting,
}

/// What the callee is to answer.
pub struct Taken {
    step: usize,
    /// What it answered already.
    pub reply: Vec<u8>,
    pending: Option<Pending>,
    /// The number of the Exchange.
    number: Option<u64>,
}

pub enum What<'a> {
    Request(RequestId, &'static str, &'a str, &'a [(&'a str, &'a str)], Part<'a>),
    BodyPart(RequestId, u64, Part<'a>),
    More(RequestId, u64),
}

fn rows(write: &Write) -> Value {
    let mut put: Vec<_> = write.put().iter().collect();
    put.sort_by_key(|row| row.key.to_bytes());
    let put = put.into_iter().map(|row| {
        let deadline = row.deadline.map(UnixSeconds::as_secs);
        json!({ "key": hex::encode(row.key.to_bytes()), "record": hex::encode(&*row.record), "revision": row.revision, "deadline": deadline })
    });
    let mut delete: Vec<_> = write.delete().iter().map(|key| hex::encode(key.to_bytes())).collect();
    delete.sort();
    json!({ "put": put.collect::<Vec<_>>(), "delete": delete })
}

/// Both Portals, with known keys: each owner has entered the other, and granted all.
fn pair() -> [Side; 2] {
    let mut keys = [(CALLER, "Ada's"), (CALLEE, "Ben's")].map(|(private, name)| {
        let mut store = Store::default();
        let created = Portal::create(PortalName::new(name).unwrap(), &mut rng_from(private[0]));
        let Ok(portal) = created.store(|write| store.keep(write));
        (portal, store)
    });
    let answers = keys.each_mut().map(|(portal, _)| (portal.id(), who_are_you(portal)));
    let [first, second] = keys;
    [(first, &answers[1]), (second, &answers[0])].map(|((portal, mut store), (other, answer))| {
        let address = PortalAddr::new("https://other.example/portal").unwrap();
        let name = PortalName::new("a friend").unwrap();
        let Entered { created, .. } = Peer::enter(&portal, *other, Some(address), name, [], NOW).unwrap();
        let Ok(mut peer) = created.store(|write| store.keep(write));
        let Ok(_) = peer.looked_up(Some(answer), NOW).unwrap().store(|write| store.keep(write));
        let (created, credential) = App::install(app_name(), &mut rng_from(7));
        let Ok(mut app) = created.store(|write| store.keep(write));
        let Ok(()) = app.set_grant(Grant::All).unwrap().store(|write| store.keep(write));
        Side { portal, store, peer, app, credential, rng: StdRng::seed_from_u64(1) }
    })
}

/// Of an Exchange.
fn number_of(message: &[u8]) -> Result<u64, minicbor::decode::Error> {
    let mut d = minicbor::Decoder::new(message);
    let (_, _, _, _, _) = (d.array()?, d.u8()?, d.array()?, d.u8()?, d.bytes()?);
    d.u64()
}

impl Play {
    pub fn new() -> Self {
        Self { sides: pair(), steps: Vec::new(), draws: 0x40, handshake: None, keys: [[0; 32]; 2] }
    }

    pub fn draw_id(&mut self, now: UnixSeconds) -> RequestId {
        let mut rng = rng_from(self.draws);
        self.draws = self.draws.wrapping_add(0x11);
        self.sides[0].peer.draw_id(now, &mut rng)
    }

    fn note(&mut self, step: Value) -> usize {
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// The next 48 bytes of chance.
    fn fresh(&mut self) -> (crate::common::rng::Counting, [u8; 48]) {
        let first = self.draws;
        self.draws = first.wrapping_add(0x11);
        (rng_from(first), core::array::from_fn(|at| first.wrapping_add(at as u8)))
    }

    pub fn ask(&mut self, now: UnixSeconds, what: &What<'_>) -> Sent {
        let (mut rng, fresh) = self.fresh();
        let Side { portal, peer, app, credential, .. } = &mut self.sides[0];
        let app = app.authenticate(credential.expose()).unwrap();
        let outgoing = match what {
            What::Request(id, method, target, headers, body) => {
                let headers = Headers::carried(headers.iter().copied()).unwrap();
                let (method, target) = (Method::new(method).unwrap(), Target::parse(target).unwrap());
                let request = app.request(*id, method, target, headers, *body);
                peer.ask(portal, app, &request, now, &mut rng)
            }
            What::BodyPart(id, number, part) => peer.ask_part(portal, app, *id, *number, *part, now, &mut rng),
            What::More(id, number) => peer.ask_more(portal, app, *id, *number, now, &mut rng),
        };
        let Outgoing { message, waiting } = outgoing.unwrap();
        let body = Cbor::read(&message).at(&[1]).clone();
        let mut step = json!({ "by": "caller", "does": "ask", "now": now.as_secs(), "message": hex::encode(&message) });
        let payload = if body.at(&[0]).uint() == 2 {
            let ephemeral = fresh[..32].try_into().unwrap();
            let (payload, noise) = stranger::read_opening(CALLEE, body.at(&[1]).bytes());
            step["ephemeral"] = hex::encode(ephemeral).into();
            step["derived"] = noise.seen.clone().into();
            self.handshake = Some((noise, ephemeral));
            step["ask"] = shown(Cbor::read(&payload).at(&[2]));
            payload
        } else {
            let n = body.at(&[2]).uint();
            let payload = stranger::decrypt(key_for(self.keys[0], n), n, b"", body.at(&[3]).bytes());
            let both = Cbor::read(&payload);
            step["number"] = n.into();
            (step["done"], step["ask"]) = (shown(both.at(&[0])), shown(both.at(&[1])));
            payload
        };
        step["payload"] = hex::encode(payload).into();
        let step = self.note(step);
        Sent { step, message, waiting }
    }

    /// Numbers that the caller used and that were lost.
    pub fn lose(&mut self, now: UnixSeconds, count: u64, id: RequestId) {
        for _ in 0..count {
            let Side { portal, peer, rng, app, credential, .. } = &mut self.sides[0];
            let app = app.authenticate(credential.expose()).unwrap();
            peer.ask_more(portal, app, id, 1, now, rng).unwrap();
        }
    }

    /// The callee gets a message.
    pub fn take(&mut self, now: UnixSeconds, message: &[u8]) -> Taken {
        let step = json!({ "by": "callee", "does": "take", "now": now.as_secs(), "message": hex::encode(message) });
        let mut taken = Taken { step: self.note(step), reply: Vec::new(), pending: None, number: None };
        taken.number = number_of(message).ok();
        let outcome = self.took(now, message, &mut taken);
        if let Err(refusal) = outcome {
            self.steps[taken.step]["refusal"] = (refusal as u8).into();
            taken.reply = refusal.to_vec();
            self.steps[taken.step]["reply"] = hex::encode(&taken.reply).into();
        }
        taken
    }

    fn took(&mut self, now: UnixSeconds, message: &[u8], taken: &mut Taken) -> Result<(), Refusal> {
        let (mut buffer, manifest, at) = (Vec::new(), manifest(), taken.step);
        let Side { portal, store, peer, .. } = &mut self.sides[1];
        let incoming = match portal.receive(message, &mut buffer, now)? {
            Received::WhoAreYou(answer) => {
                self.steps[at]["reply"] = hex::encode(&answer).into();
                taken.reply = answer;
                return Ok(());
            }
            Received::Incoming(incoming) => incoming,
        };
        if *incoming.from() != peer.id() {
            return Err(Refusal::Unknown);
        }
        let step = peer.take(incoming, |name| (*name == app_name()).then_some(&manifest), now)?;
        let steps = &mut self.steps;
        let Ok(asked) = step.store(|write| {
            steps[at]["write"] = rows(write);
            store.keep(write)
        });
        match asked {
            Asked::Request(request, pending) => {
                steps[at]["delivered"] = shown(&Cbor::read(&minicbor::to_vec(&request).unwrap()));
                taken.pending = Some(pending);
            }
            Asked::BodyPart(part, pending) => {
                steps[at]["delivered"] = shown(&Cbor::read(&minicbor::to_vec(part).unwrap()));
                taken.pending = Some(pending);
            }
            Asked::More(pending) => {
                steps[at]["delivered"] = "more".into();
                taken.pending = Some(pending);
            }
            Asked::Reply(reply) => self.seal(now, reply, at, taken)?,
        }
        Ok(())
    }

    fn seal(&mut self, now: UnixSeconds, reply: Reply, at: usize, taken: &mut Taken) -> Result<(), Refusal> {
        let (mut rng, fresh) = self.fresh();
        let Side { portal, peer, .. } = &mut self.sides[1];
        taken.reply = portal.seal(peer, reply, now, &mut rng)?;
        let body = Cbor::read(&taken.reply).at(&[1]).clone();
        let step = &mut self.steps[at];
        let ciphertext = body.at(&[1]).bytes();
        let payload = if body.at(&[0]).uint() == 3 {
            let (noise, ephemeral) = self.handshake.clone().unwrap();
            let (payload, noise) = stranger::read_opened(noise, [CALLER, ephemeral], ciphertext);
            self.keys = noise.split();
            step["ephemeral"] = hex::encode(&fresh[..32]).into();
            step["session"] = hex::encode(&fresh[32..]).into();
            step["derived"] = noise.seen.into();
            step["keys"] = json!({ "caller": hex::encode(self.keys[0]), "callee": hex::encode(self.keys[1]) });
            step["say"] = shown(Cbor::read(&payload).at(&[2]));
            payload
        } else {
            let n = taken.number.unwrap();
            let payload = stranger::decrypt(key_for(self.keys[1], n), n, b"", ciphertext);
            step["say"] = shown(&Cbor::read(&payload));
            payload
        };
        step["payload"] = hex::encode(payload).into();
        step["reply"] = hex::encode(&taken.reply).into();
        Ok(())
    }

    /// The app answers, or gives the next part of its answer.
    pub fn answer(&mut self, now: UnixSeconds, taken: &mut Taken, answer: &Answer<'_>) {
        let step = json!({ "by": "callee", "does": "answer", "now": now.as_secs(), "to": taken.step });
        let at = self.note(step);
        let pending = taken.pending.take().unwrap();
        let Side { store, peer, .. } = &mut self.sides[1];
        let steps = &mut self.steps;
        let step = if steps[taken.step]["delivered"] == "more" {
            peer.answer_part(pending, &answer.body)
        } else {
            peer.answer(pending, answer)
        };
        let step = match step {
            Ok(step) => step,
            Err(error) => {
                assert_eq!(error, PeerError::Blocked);
                steps[at]["error"] = "Blocked".into();
                return;
            }
        };
        let Ok(reply) = step.store(|write| {
            steps[at]["write"] = rows(write);
            store.keep(write)
        });
        self.seal(now, reply, at, taken).unwrap();
    }

    /// The app can take the next part.
    pub fn proceed(&mut self, now: UnixSeconds, taken: &mut Taken) {
        let at = self.note(json!({ "by": "callee", "does": "proceed", "now": now.as_secs(), "to": taken.step }));
        let Side { store, peer, .. } = &mut self.sides[1];
        let Ok(reply) = peer.proceed(taken.pending.take().unwrap()).unwrap().store(|write| store.keep(write));
        self.seal(now, reply, at, taken).unwrap();
    }

    /// The caller gets an answer.
    pub fn hear(&mut self, now: UnixSeconds, sent: &mut Sent, message: &[u8]) {
        let Side { portal, store, peer, .. } = &mut self.sides[0];
        let mut step = json!({ "by": "caller", "does": "hear", "now": now.as_secs(), "to": sent.step, "message": hex::encode(message) });
        let mut buffer = Vec::new();
        match peer.hear(portal, &mut sent.waiting, message, &mut buffer, now) {
            Ok(heard) => {
                let Ok(heard) = heard.store(|write| {
                    step["write"] = rows(write);
                    store.keep(write)
                });
                let heard = format!("{heard:?}");
                step["heard"] = heard.split(['(', ' ']).next().unwrap().into();
            }
            Err(HearError::Refused(refusal)) => step["refused"] = (refusal as u8).into(),
            Err(error) => step["error"] = format!("{error:?}").into(),
        }
        self.note(step);
    }

    /// The app has the answer.
    pub fn done(&mut self, id: RequestId) {
        self.sides[0].peer.done(id);
    }

    pub fn crash(&mut self) {
        self.sides[1].crash();
        self.note(json!({ "by": "callee", "does": "crash" }));
    }

    pub fn block(&mut self) {
        let Side { portal, store, peer, .. } = &mut self.sides[1];
        let mut write = Value::Null;
        let Ok(()) = peer.block().unwrap().store(|done| {
            write = rows(done);
            store.keep(done)
        });
        portal.end_sessions(&peer.id());
        self.note(json!({ "by": "callee", "does": "block", "write": write }));
    }

    pub fn tick(&mut self, now: UnixSeconds) {
        let Side { store, peer, .. } = &mut self.sides[1];
        let mut write = Value::Null;
        let Ok(()) = peer.tick(now).unwrap().store(|done| {
            write = rows(done);
            store.keep(done)
        });
        self.note(json!({ "by": "callee", "does": "tick", "now": now.as_secs(), "write": write }));
    }

    /// A message that the crate doesn't write: Noise message 1 by this private key, to the callee.
    pub fn forge(&mut self, prologue: &[u8], private: Key, to: Key, payload: &[u8]) -> Vec<u8> {
        let (_, fresh) = self.fresh();
        let ephemeral = fresh[..32].try_into().unwrap();
        let (message, noise) = stranger::opening(prologue, private, stranger::public(to), ephemeral, payload);
        self.handshake = Some((noise, ephemeral));
        super::message(2, [Cbor::Bytes(message)])
    }

    /// An Exchange of the session that is open.
    pub fn forge_exchange(&self, session: &[u8], number: u64, payload: &[u8]) -> Vec<u8> {
        let ciphertext = stranger::encrypt(key_for(self.keys[0], number), number, b"", payload);
        super::message(4, [Cbor::Bytes(session.to_vec()), Cbor::Uint(number), Cbor::Bytes(ciphertext)])
    }

    /// The steps, with what is derived or without.
    pub fn shown(mut self, derived: bool) -> Value {
        if !derived {
            let steps = self.steps.iter_mut().filter_map(Value::as_object_mut);
            steps.for_each(|step| _ = step.remove("derived"));
        }
        self.steps.into()
    }
}
