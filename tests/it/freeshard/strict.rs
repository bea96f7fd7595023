//! What only the strict mode refuses (§19.7).

use port_protocol::portal::freeshard::{
    BadSignature, Body, CallError, Client, Forwarded, Host, Mode, Peer, Peers, ReplayMemory, Sender,
};

use super::{Seen, T0, ZONE, ask, at, call, id, key, paths, peers, status};

fn why(seen: &Seen) -> Option<BadSignature> {
    let peers = peers(Mode::Strict, &["Alice"]);
    match ask(&peers, seen, None, T0, &mut ReplayMemory::new(9)).client {
        Some(Client::Anonymous(why)) => Some(why),
        _ => None,
    }
}

/// The default mode is the strict one.
#[test]
fn r19_7_strict_by_default() {
    assert_eq!(Mode::default(), Mode::Strict);
    assert_eq!(Peers::default().mode(), Mode::Strict);
}

/// The body is covered by its digest, and is the one.
#[test]
fn r19_7_the_body() {
    let seen = Seen::new(&call("POST", "/peer/inbox", b"hello"));
    assert_eq!(why(&seen), None);
    for body in [&b"hullo"[..], b"hello ", b""] {
        let other = Seen { body: body.to_vec(), ..seen.clone() };
        assert_eq!(why(&other), Some(BadSignature::Body));
        assert_eq!(status(Mode::Strict, &other), 401);
        assert_eq!(status(Mode::AsBuilt, &other), 200);
    }
    let bare = Seen::new(&call("POST", "/peer/inbox", b""));
    assert_eq!(why(&bare), None);
    let added = Seen { body: b"hello".to_vec(), ..bare.clone() };
    assert_eq!(why(&added), Some(BadSignature::NotCovered));
    // A digest that is right and not covered proves nothing.
    let added = added.with("Content-Digest", Some(seen.get("Content-Digest")));
    assert_eq!(why(&added), Some(BadSignature::NotCovered));
    assert_eq!(why(&bare.with("Content-Digest", Some(seen.get("Content-Digest")))), Some(BadSignature::Body));
}

/// Of a body that streams past, its hash is enough. Of one that nobody saw, nothing is known.
#[test]
fn r19_7_bodies_that_were_not_kept() {
    use sha2::Digest;
    let seen = Seen::new(&call("POST", "/peer/inbox", b"hello"));
    let (peers, paths) = (peers(Mode::Strict, &["Alice"]), paths());
    let host = Host { id: key("Bob").public_key().id(), zone: ZONE, peers: &peers };
    let fields: Vec<_> = seen.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let status = |body| {
        let request = Forwarded { headers: &fields, body };
        host.authorize(&request, |_| Some(&paths), None, at(T0), &mut ReplayMemory::new(9)).status.code()
    };
    let hash = |body: &[u8]| Body::Sha256(sha2::Sha256::digest(body).into());
    assert_eq!((status(hash(b"hello")), status(hash(b"hullo")), status(Body::Unseen)), (200, 401, 401));
}

/// What covers a request must be what everybody reads of it.
#[test]
fn r19_7_one_reading() {
    let seen = Seen::new(&call("POST", "/peer/inbox", b"hello"));
    for name in
        ["X-Forwarded-Method", "X-Forwarded-Host", "X-Forwarded-Uri", "Signature", "Signature-Input", "Content-Digest"]
    {
        let mut twice = seen.clone();
        twice.headers.push((name.to_lowercase(), seen.get(name).to_owned()));
        assert_eq!(why(&twice), Some(BadSignature::Ambiguous), "{name}");
        assert_eq!(status(Mode::AsBuilt, &twice), 200, "{name}");
    }
    let mut twice = seen.clone();
    twice.headers.insert(0, ("date".into(), "tomorrow".into()));
    assert_eq!((why(&twice), status(Mode::AsBuilt, &twice)), (Some(BadSignature::Ambiguous), 200));
    let lower = seen.with("X-Forwarded-Method", Some("post"));
    assert_eq!((why(&lower), status(Mode::AsBuilt, &lower)), (Some(BadSignature::Ambiguous), 200));
    // Signed as it comes, but not in the form that everybody makes of it.
    let sender = Sender { key: key("Alice"), app: "chat", zone: ZONE };
    let peer = &peers(Mode::Strict, &["Bob"]).rows()[0].clone();
    for path in
        ["/peer/../pub", "/peer//x", "/peer/%2e", "/peer/a%2Fb", "/peer/%7Ex", "/peer/a b", "peer", "", "/peer/#x"]
    {
        let sent = sender.call(peer, "GET", path, b"", at(T0), &mut rand::rng());
        assert_eq!(sent, Err(CallError::Path), "{path}");
    }
    let normal = Seen::new(&call("GET", "/peer/~x", b"")).with("X-Forwarded-Uri", Some("/peer/%7Ex"));
    assert_eq!((status(Mode::AsBuilt, &normal), status(Mode::Strict, &normal)), (200, 500));
}

/// A request to another Portal, or to another zone, is not taken, though a peer has signed it and the app is here.
#[test]
fn r19_7_to_this_portal() {
    let (sender, bob) = (Sender { key: key("Alice"), app: "chat", zone: ZONE }, peers(Mode::Strict, &["Bob", "Carol"]));
    let to = |sender: Sender<'_>, at: usize| {
        let sent = sender.call(&bob.rows()[at], "GET", "/peer/x", b"", super::at(T0), &mut rand::rng());
        Seen::new(&sent.unwrap())
    };
    assert_eq!(status(Mode::Strict, &to(sender, 0)), 200);
    for seen in [to(sender, 1), to(Sender { zone: "p.getportal.org", ..sender }, 0)] {
        assert_eq!((status(Mode::AsBuilt, &seen), status(Mode::Strict, &seen)), (200, 401));
        assert_eq!(why(&seen), Some(BadSignature::Ambiguous));
    }
    // By the full ID, as the real system's apps may address it.
    let path = format!("/internal/call_peer/{}/peer/x", id("Bob"));
    let seen = Seen::new(&sender.call_as_built("GET", &path, b"", at(T0), &mut rand::rng()).unwrap());
    assert_eq!((status(Mode::AsBuilt, &seen), status(Mode::Strict, &seen)), (200, 401));
}

/// Only who was verified is called.
#[test]
fn r19_7_calls_to_verified_peers() {
    let sender = Sender { key: key("Alice"), app: "chat", zone: ZONE };
    let call = |peer: &Peer| sender.call(peer, "GET", "/peer/x", b"", at(T0), &mut rand::rng()).map(drop);
    let bob = key("Bob").public_key().clone();
    let short = Peer::new(Mode::AsBuilt, "dqw0j2", None).unwrap().with_key(Mode::AsBuilt, bob.clone()).unwrap();
    let keyless = Peer::new(Mode::Strict, &id("Bob"), None).unwrap();
    assert_eq!((call(&short), call(&keyless)), (Err(CallError::Unverified), Err(CallError::Unverified)));
    assert_eq!(call(&keyless.with_key(Mode::Strict, bob).unwrap()), Ok(()));
}
