//! The other profile, in its strict mode: two Portals of the wire format that exists, over HTTP on the loopback interface.
//!
//! There, a request is signed and not sealed: TLS protects it as far as the peer's proxy. Here the server plays that proxy, the host that the proxy
//! asks whether a request may pass, and the app.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oxhttp::model::{Body as HttpBody, Request, Response, StatusCode};
use port_protocol::UnixSeconds;
use port_protocol::portal::freeshard::*;
use ureq::Agent;

use crate::http;
use crate::show::{check, equal, heading, refused, tell};
use crate::world::Outcome;

const ZONE: &str = "freeshard.cloud";
/// How many signatures of each peer are remembered.
const REMEMBERED: usize = 1_000;

/// Ben's Portal.
struct Ben {
    key: PrivateKey,
    peers: Peers,
    paths: AppPaths,
    memory: ReplayMemory,
    /// What a store keeps of the memory: a mark more for each request.
    stored: Vec<u8>,
    /// Who it was of each request that the app got.
    delivered: Vec<String>,
    /// Why the last one was nobody's: for the owner's log.
    why: Option<BadSignature>,
    now: UnixSeconds,
}

type Shared = Arc<Mutex<Ben>>;

fn lock(ben: &Shared) -> MutexGuard<'_, Ben> {
    ben.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn strict() -> Outcome {
    let [ada, bens, carls] = keys()?;
    let now = UnixSeconds::now();
    let rule = |prefix, access| -> Outcome<PathRule> {
        let rule = PathRule::new(prefix, access).header("X-Ptl-Client-Id", "{{ auth.client_id }}")?;
        Ok(rule.header("X-Ptl-Client-Name", "{{ auth.client_name }}")?)
    };
    let paths = AppPaths::new([rule("", Access::Private)?, rule("/peer", Access::Peer)?]);
    let (memory, (adas_id, bens_id)) = (ReplayMemory::new(REMEMBERED), (ada.public_key().id(), bens.public_key().id()));
    let ben = Ben {
        key: bens,
        peers: Peers::new(Mode::Strict),
        paths,
        memory,
        stored: Vec::new(),
        delivered: Vec::new(),
        why: None,
        now,
    };
    let ben = Arc::new(Mutex::new(ben));
    let network = Network { client: client(), address: serve(&ben)? };

    heading("The other profile: IDs that are hashes of RSA-4096 keys");
    check("§19.2", &format!("Ben's is {bens_id}"), bens_id.to_string().len() == 103)?;
    equal(
        "§19.2",
        &format!("  of which people see {}.", bens_id.short()),
        &bens_id.short().as_str(),
        &&bens_id.to_string()[..6],
    )?;

    heading("Peers");
    let mut peers = Peers::new(Mode::Strict);
    let put = |id: &str| format!(r#"{{"id": "{id}", "name": "Ben"}}"#).into_bytes();
    refused(
        "§19.3",
        "Six characters, as that system takes them, are refused: anybody can make a key for them.",
        &peers.put(&put(bens_id.short().as_str()), ZONE),
        &PeerError::NotFull,
    )?;
    let ask = peers.put(&put(&bens_id.to_string()), ZONE)?;
    tell(
        "§19.3",
        &format!("Ada's owner enters the full ID. It is asked at {}.", ask.url.as_deref().ok_or("no address")?),
    );
    let lie = WhoAreYou { id: bens_id.to_string(), ..WhoAreYou::new("Ben", carls.public_key(), ZONE) }.to_json();
    refused(
        "§19.3",
        "Somebody says that it is Ben's, and shows another key.",
        &peers.answered(&ask.id, Answer::Http { status: 200, body: lie.as_bytes() }),
        &AnswerError::Key,
    )?;
    let sender = Sender { key: &ada, app: "notes", zone: ZONE };
    let early = sender.call(peers.get(&ask.id).ok_or("no peer")?, "GET", "/peer/notes", b"", now, &mut rand::rng());
    refused("§19.4", "  Nothing is asked of it yet.", &early, &CallError::Unverified)?;
    let answer = network.who_are_you()?;
    equal(
        "§19.3",
        "Ben's answers itself: the key has the ID.",
        &peers.answered(&ask.id, Answer::Http { status: 200, body: &answer }),
        &Ok(()),
    )?;
    let mut at_ben = Peer::new(Mode::Strict, &adas_id.to_string(), Some("Ada"))?;
    at_ben = at_ben.with_key(Mode::Strict, ada.public_key().clone())?;
    lock(&ben).peers.restore(at_ben)?;

    heading("A request to the same app");
    let peer = peers.get(&ask.id).ok_or("no peer")?.clone();
    let call = |key: &PrivateKey, path: &str, body: &[u8]| {
        Sender { key, ..sender }.call(&peer, "POST", path, body, now, &mut rand::rng())
    };
    let request = call(&ada, "/peer/notes", b"It's me.")?;
    equal("§19.4", "Ada's `notes` sends a note to Ben's, signed.", &network.send(&request)?, &200)?;
    equal(
        "§19.6",
        "  The app gets who it was: the full ID, and the owner's name for it.",
        &lock(&ben).delivered,
        &vec![format!("{adas_id} Ada")],
    )?;

    heading("What is refused: outside it is all one, 401. The owner's log has the reason");
    let refuse = |rule: &str, text: &str, request: &SignedRequest, why: BadSignature| -> Outcome {
        equal(rule, text, &network.send(request)?, &401)?;
        equal("", &format!("  ✗ {why}"), &lock(&ben).why, &Some(why))
    };
    refuse("§19.7", "The same request again.", &request, BadSignature::Replayed)?;
    {
        let mut ben = lock(&ben);
        ben.memory = ReplayMemory::restore(REMEMBERED, &ben.stored)?;
    }
    refuse("§19.7", "Once more, after Ben's was started again.", &request, BadSignature::Replayed)?;
    let other = SignedRequest { body: b"It's us.".to_vec(), ..call(&ada, "/peer/notes", b"It's me.")? };
    refuse("§19.7", "Another body under the same signature.", &other, BadSignature::Body)?;
    let good = call(&ada, "/peer/notes", b"It's me.")?;
    let other = SignedRequest { url: good.url.replace("/peer/notes", "/peer/notes/1"), ..good.clone() };
    refuse("§19.5", "Another path.", &other, BadSignature::Wrong)?;
    let other = SignedRequest { url: good.url.replace("https://notes.", "https://photos."), ..good.clone() };
    refuse("§19.5", "To another app.", &other, BadSignature::Wrong)?;
    refuse("§19.5", "A stranger: Carl's.", &call(&carls, "/peer/notes", b"")?, BadSignature::UnknownKey)?;
    let mut unsigned = good.clone();
    unsigned.headers.retain(|(name, _)| !name.starts_with("Signature"));
    refuse("§19.5", "Nobody's.", &unsigned, BadSignature::Missing)?;
    lock(&ben).now = now.after(std::time::Duration::from_secs(2 * 24 * 60 * 60));
    refuse("§19.5", "Two days old.", &good, BadSignature::TooOld)?;
    lock(&ben).now = now;
    equal("§19.6", "A private path.", &network.send(&call(&ada, "/settings", b"")?)?, &401)?;
    equal(
        "§19.6",
        "By segments: `/peerless` does not lie below `/peer`.",
        &network.send(&call(&ada, "/peerless", b"")?)?,
        &401,
    )?;
    refused(
        "§19.4",
        "A path in another form than the one that everybody reads is not even sent.",
        &call(&ada, "/peer/../settings", b""),
        &CallError::Path,
    )?;
    equal("§19.7", "The true one goes through, after all that.", &network.send(&good)?, &200)?;
    lock(&ben).peers.remove(&adas_id.to_string());
    refuse("§19.3", "Ben's owner removes Ada's.", &call(&ada, "/peer/notes", b"")?, BadSignature::UnknownKey)?;
    check("§19.7", "In the end Ben's app got two requests, each once.", lock(&ben).delivered.len() == 2)
}

/// Throw-away keys of the known answers: a new one takes its time.
fn keys() -> Outcome<[PrivateKey; 3]> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors/freeshard.json"))?;
    let key = |at: usize| -> Outcome<PrivateKey> {
        let pem = vectors.pointer(&format!("/identities/{at}/private_key_pem")).and_then(|pem| pem.as_str());
        Ok(PrivateKey::from_pem(pem.ok_or("no key")?)?)
    };
    Ok([key(0)?, key(1)?, key(2)?])
}

/// The way from Ada's to Ben's: whatever the name, it leads to this address.
struct Network {
    client: Agent,
    address: String,
}

fn client() -> Agent {
    let config = Agent::config_builder();
    config.http_status_as_error(false).max_redirects(0).proxy(None).build().into()
}

impl Network {
    fn who_are_you(&self) -> Outcome<Vec<u8>> {
        Ok(self.client.get(format!("{}/core/public/meta/whoareyou", self.address)).call()?.body_mut().read_to_vec()?)
    }

    /// Gives the status.
    fn send(&self, signed: &SignedRequest) -> Outcome<u16> {
        let (host, path) = signed.url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).ok_or("no URL")?;
        let request = self.client.post(format!("{}/{path}", self.address)).header("Host", host);
        let request = signed.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        Ok(request.send(&signed.body[..])?.status().as_u16())
    }
}

fn serve(ben: &Shared) -> Outcome<String> {
    let (port, ben) = (http::free_port()?, ben.clone());
    let server = oxhttp::Server::new(move |request| {
        let (status, body) = answer(&ben, request);
        let mut response = Response::new(HttpBody::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
    });
    server.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).spawn()?;
    Ok(format!("http://127.0.0.1:{port}"))
}

/// The proxy, the host that it asks, and the app.
fn answer(ben: &Shared, request: &mut Request<HttpBody>) -> (u16, String) {
    let mut ben = lock(ben);
    if request.uri().path() == "/core/public/meta/whoareyou" {
        return (200, WhoAreYou::new("Ben's", ben.key.public_key(), ZONE).to_json());
    }
    let mut body = Vec::new();
    if request.body_mut().take(1 << 16).read_to_end(&mut body).is_err() {
        return (400, String::new());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (method, uri) = (request.method().as_str(), request.uri().path_and_query().map_or("/", |uri| uri.as_str()));
    // TLS ends at the proxy; there is none on the loopback interface.
    let forwarded = [
        ("X-Forwarded-Method", method),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", header("Host")),
        ("X-Forwarded-Uri", uri),
    ];
    let is_replaced = |name: &str| name.starts_with("x-forwarded-") || is_reserved(name);
    let sent = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: Vec<_> = forwarded.into_iter().chain(sent.filter(|(name, _)| !is_replaced(name))).collect();

    let Ben { key, peers, paths, memory, stored, delivered, why, now } = &mut *ben;
    let host = Host { id: key.public_key().id(), zone: ZONE, peers };
    let is_app = |app: &str| matches!(app, "notes" | "photos");
    let request = Forwarded { headers: &headers, body: Body::Whole(&body) };
    let decision = host.authorize(&request, |app| is_app(app).then_some(&*paths), None, *now, memory);
    *why = match decision.client {
        Some(Client::Anonymous(why)) => Some(why),
        _ => None,
    };
    // Stored before the app gets it.
    stored.extend(decision.mark.iter().flat_map(Mark::to_bytes));
    if decision.status == Status::Granted {
        let values: Vec<_> = decision.headers.iter().map(|(_, value)| value.as_str()).collect();
        delivered.push(values.join(" "));
    }
    (decision.status.code(), String::new())
}
