//! The wire formats of the Portal system that exists (docs/freeshard.md).

mod identity;
mod outcomes;
mod peers;
mod replay;
mod signature;
mod strict;
mod url;
mod vectors;

use std::sync::LazyLock;

use port_protocol::UnixSeconds;
use port_protocol::portal::freeshard::{
    Access, AppPaths, Body, Decision, Forwarded, Header, Host, Mode, PathRule, Peer, Peers, PrivateKey, ReplayMemory,
    Sender, SignedRequest, Terminal,
};
use serde_json::Value;

/// Known answers of the real system.
static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/freeshard.json")).unwrap());

static KEYS: LazyLock<Vec<(String, PrivateKey)>> = LazyLock::new(|| {
    let identities = VECTORS["identities"].as_array().unwrap();
    let key = |identity: &Value| PrivateKey::from_pem(identity["private_key_pem"].as_str().unwrap()).unwrap();
    identities.iter().map(|identity| (identity["name"].as_str().unwrap().to_owned(), key(identity))).collect()
});

const ZONE: &str = "freeshard.cloud";
const T0: u64 = 1_700_000_000;

/// The throw-away key of an identity of the vectors.
fn key(name: &str) -> &'static PrivateKey {
    &KEYS.iter().find(|(known, _)| known == name).unwrap().1
}

fn id(name: &str) -> String {
    key(name).public_key().id().to_string()
}

fn at(secs: u64) -> UnixSeconds {
    UnixSeconds::new(secs).unwrap()
}

/// Rows with keys, under full IDs.
fn peers(mode: Mode, names: &[&str]) -> Peers {
    let mut peers = Peers::new(mode);
    for name in names {
        let peer = Peer::new(mode, &id(name), Some(name)).unwrap();
        peers.restore(peer.with_key(mode, key(name).public_key().clone()).unwrap()).unwrap();
    }
    peers
}

fn paths() -> AppPaths {
    AppPaths::new([("", Access::Private), ("/pub", Access::Public), ("/peer", Access::Peer)].map(|(prefix, access)| {
        let rule = PathRule::new(prefix, access);
        let rule = rule.header("X-Ptl-Client-Type", "{{ auth.client_type }}").unwrap();
        rule.header("X-Ptl-Client-Id", "{{auth.client_id}}")
            .unwrap()
            .header("X-Ptl-Client-Name", "{{ auth.client_name }}")
            .unwrap()
    }))
}

/// Alice's request to the same app on Bob.
fn call(method: &str, path: &str, body: &[u8]) -> SignedRequest {
    let (sender, bob) = (Sender { key: key("Alice"), app: "chat", zone: ZONE }, peers(Mode::Strict, &["Bob"]));
    sender.call(&bob.rows()[0], method, path, body, at(T0), &mut rand::rng()).unwrap()
}

/// A request as Bob's proxy sees it. Each part may be changed.
#[derive(Clone)]
struct Seen {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Seen {
    fn new(request: &SignedRequest) -> Self {
        let (host, path) = request.url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let (path, fields) = (format!("/{path}"), request.fields());
        let forwarded = [
            ("X-Forwarded-Method", request.method.as_str()),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Uri", &path),
        ];
        let headers = forwarded.iter().chain(&fields).map(|(name, value)| (name.to_string(), value.to_string()));
        Self { headers: headers.collect(), body: request.body.clone() }
    }

    fn get(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    /// With another value; `None` takes the field away.
    fn with(&self, name: &str, value: Option<&str>) -> Self {
        let mut seen = self.clone();
        seen.headers.retain(|(known, _)| known != name);
        seen.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        seen
    }
}

/// Bob's answer to its proxy.
fn ask<'a>(
    peers: &'a Peers,
    seen: &Seen,
    terminal: Option<&'a Terminal>,
    now: u64,
    memory: &mut ReplayMemory,
) -> Decision<'a> {
    let fields: Vec<Header<'_>> = seen.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (host, paths) = (Host { id: key("Bob").public_key().id(), zone: ZONE, peers }, paths());
    let request = Forwarded { headers: &fields, body: Body::Whole(&seen.body) };
    host.authorize(&request, |app| (app == "chat").then_some(&paths), terminal, at(now), memory)
}

/// With Alice as a peer of Bob's, and a fresh memory.
fn status(mode: Mode, seen: &Seen) -> u16 {
    ask(&peers(mode, &["Alice"]), seen, None, T0, &mut ReplayMemory::new(9)).status.code()
}
