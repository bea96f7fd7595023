//! Two apps, `notes` and `photos`, each the same on every Portal. A host reaches its apps over HTTP; here it calls them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use port_protocol::portal::*;

/// Notes, for which every peer has a path.
pub const NOTES: &str = r#"{
    "v": "1.3",
    "paths": {"": {"access": "private"}, "/about": {"access": "public"}, "/peer": {"access": "peer"}},
    "peer_calls": ["/peer/notes", "/settings/share"]
}"#;

/// Photos, in the form of 2021.
pub const PHOTOS: &str = r#"{
    "authentication": {"default_access": "private", "peer_paths": ["/shared"]},
    "peer_calls": ["/shared"]
}"#;

/// What a host calls: an app that answers.
pub trait Service: Send + Sync {
    /// A request of the same app on a peer.
    fn begin(&self, call: Call) -> Box<dyn Work>;
}

/// A request that an app is working on: its body comes in parts, and the answer's body is read in parts.
pub trait Work: Read + Send {
    fn receive(&mut self, body: &[u8]);
    /// All of the body has come: the head of the answer.
    fn head(&mut self) -> (Status, Vec<(&'static str, &'static str)>);
}

/// What an app gets: in HTTP, a request with these headers.
#[derive(Clone, Debug)]
pub struct Call {
    /// It tells requests apart, together with the peer's ID.
    pub id: RequestId,
    pub method: String,
    pub target: Target,
    pub headers: BTreeMap<String, String>,
}

impl Call {
    /// The host adds who it was: the full ID, and the owner's name for it. No header of these names comes from outside.
    pub fn new(peer: &Peer, request: &Request<'_>) -> Self {
        let carried = request.headers.iter().map(|(name, value)| (name, value.to_owned()));
        let headers =
            peer.headers_for_app().into_iter().chain(carried).map(|(name, value)| (name.to_owned(), value)).collect();
        Self { id: request.id, method: request.method.as_str().to_owned(), target: request.target.clone(), headers }
    }

    fn who(&self) -> (String, String) {
        ["portal-peer-id", "portal-peer-name"].map(|name| self.headers.get(name).cloned().unwrap_or_default()).into()
    }
}

/// One app: both are alike, but for what they call things. It keeps what it is given under a path, and gives it again.
#[derive(Clone, Default)]
pub struct Keeper(Arc<Mutex<Kept>>);

#[derive(Default)]
pub struct Kept {
    things: BTreeMap<String, Vec<u8>>,
    /// How often each request came, by the peer's ID and the request's.
    pub calls: BTreeMap<(String, RequestId), u32>,
    /// What came last.
    pub last: Option<Call>,
}

impl Keeper {
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests came; an error if one of them came twice.
    pub fn deliveries(&self) -> Result<usize, String> {
        let kept = self.kept();
        match kept.calls.iter().find(|(_, times)| **times > 1) {
            Some((call, times)) => Err(format!("{call:?} was delivered {times} times")),
            None => Ok(kept.calls.len()),
        }
    }

    /// Whether it has this at a path.
    pub fn has(&self, path: &str, bytes: &[u8]) -> bool {
        self.kept().things.get(path).is_some_and(|thing| thing == bytes)
    }
}

impl Service for Keeper {
    fn begin(&self, call: Call) -> Box<dyn Work> {
        let mut kept = self.kept();
        *kept.calls.entry((call.who().0, call.id)).or_default() += 1;
        kept.last = Some(call.clone());
        Box::new(Working { keeper: self.clone(), call, body: Vec::new(), answer: Cursor::default() })
    }
}

struct Working {
    keeper: Keeper,
    call: Call,
    body: Vec<u8>,
    answer: Cursor<Vec<u8>>,
}

impl Work for Working {
    fn receive(&mut self, body: &[u8]) {
        self.body.extend_from_slice(body);
    }

    fn head(&mut self) -> (Status, Vec<(&'static str, &'static str)>) {
        if self.call.target.query() == Some("slow") {
            thread::sleep(Duration::from_millis(1_500));
        }
        let path = self.call.target.path().to_owned();
        let mut kept = self.keeper.kept();
        let (status, answer) = match self.call.method.as_str() {
            "GET" => match kept.things.get(&path) {
                Some(thing) => (200, thing.clone()),
                None => (404, b"nothing there".to_vec()),
            },
            "PUT" => {
                let thing = std::mem::take(&mut self.body);
                kept.things.insert(path, thing);
                (201, format!("thanks, {}", self.call.who().1).into_bytes())
            }
            // A note more, under those that are there.
            "POST" => {
                let line = format!("{}: {}\n", self.call.who().1, String::from_utf8_lossy(&self.body));
                kept.things.entry(path).or_default().extend_from_slice(line.as_bytes());
                (201, format!("thanks, {}", self.call.who().1).into_bytes())
            }
            _ => (405, Vec::new()),
        };
        self.answer = Cursor::new(answer);
        (Status::new(status).unwrap_or(Status::OK), vec![("content-type", "text/plain"), ("set-cookie", "spy=1")])
    }
}

impl Read for Working {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.answer.read(into)
    }
}

/// The next part of a body: of this length, unless it is the last.
pub fn read_part(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_BODY_PART);
    // What an app can't read of its own it does not send.
    let _ = from.take(MAX_BODY_PART as u64).read_to_end(&mut bytes);
    bytes
}

/// A part that is full may be the last: then an empty one follows.
pub fn part_of(bytes: &[u8]) -> Part<'_> {
    let part = if bytes.len() == MAX_BODY_PART { Part::with_more(bytes) } else { Part::last(bytes) };
    part.unwrap_or_default()
}
