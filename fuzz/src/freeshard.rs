//! `freeshard_signature`: a request at a Freeshard's proxy (docs/freeshard.md §19.5 to §19.7).

use std::sync::LazyLock;

use port_protocol::UnixSeconds;
use port_protocol::portal::freeshard::{
    Access, AppPaths, BadSignature, Body, CLOCK_SKEW, Client, Forwarded, Host, MAX_AGE, Message, Mode, PathRule, Peer,
    Peers, PublicKey, REQUIRED, ReplayMemory, Signed, Status,
};
use serde_json::Value;

/// Known answers of the real system: its identities and their requests.
pub static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../tests/vectors/freeshard.json")).expect("JSON"));

static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    let identities = VECTORS["identities"].as_array().expect("a list");
    let pem = |identity: &Value| identity["public_key_pem"].as_str().expect("a text").to_owned();
    identities.iter().map(|identity| PublicKey::from_pem(&pem(identity)).expect("a key")).collect()
});

fn peers(mode: Mode) -> Peers {
    let mut peers = Peers::new(mode);
    for key in KEYS.iter() {
        let peer = Peer::new(mode, &key.id().to_string(), None).and_then(|peer| peer.with_key(mode, key.clone()));
        peers.restore(peer.expect("a peer")).expect("a peer");
    }
    peers
}

/// A line for the time, a line for each header field, an empty line, the body. `true`: strictly it is a peer's.
pub fn freeshard_signature(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.split('\n');
    let now = lines.next().and_then(|secs| UnixSeconds::new(secs.parse().ok()?)).unwrap_or_default();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();

    if let Ok(signed) = Signed::parse(&headers) {
        let (input, signature) = signed.to_fields();
        let again = Signed::parse(&[("signature-input", &input), ("signature", &signature)]);
        assert_eq!(again.as_ref(), Ok(&signed));
        if let Some(message) = Message::new("GET", "https://a.b/", &headers)
            && let Ok(base) = signed.base(&message)
        {
            let lines: Vec<_> = base.split('\n').collect();
            assert_eq!(lines.len(), signed.components().count() + 1);
            for (line, name) in lines.iter().zip(signed.components()) {
                assert!(line.starts_with('"') && line.contains(name) && line.contains(": "));
            }
        }
    }

    let paths = AppPaths::new([PathRule::new("", Access::Peer)]);
    let ask = |peers: &Peers, memory: &mut ReplayMemory| {
        let host = Host { id: KEYS[1].id(), zone: "freeshard.cloud", peers };
        let request = Forwarded { headers: &headers, body: Body::Whole(body.as_bytes()) };
        let decision = host.authorize(&request, |_| Some(&paths), None, now, memory);
        let id = match decision.client {
            Some(Client::Peer(peer)) => Some(peer.id().to_owned()),
            _ => None,
        };
        assert_eq!(id.is_some(), decision.status == Status::Granted);
        assert_eq!(decision.mark.is_some(), id.is_some() && peers.mode() == Mode::Strict);
        let replayed = decision.client == Some(Client::Anonymous(BadSignature::Replayed));
        (id, decision.mark, replayed)
    };
    let (built, strict) = (peers(Mode::AsBuilt), peers(Mode::Strict));
    let (as_built, ..) = ask(&built, &mut ReplayMemory::new(0));
    if let Some(id) = &as_built {
        let signed = Signed::parse(&headers).expect("it is a peer's");
        assert!(REQUIRED.iter().all(|component| signed.covers(component)));
        assert_eq!(signed.key_id(), id.get(..6));
        let created = signed.created().and_then(|secs| u64::try_from(secs).ok()).expect("it is in time");
        assert!(created <= now.as_secs() + CLOCK_SKEW && now.as_secs() <= created + MAX_AGE + CLOCK_SKEW);
    }
    let mut memory = ReplayMemory::new(1);
    let (strictly, mark, _) = ask(&strict, &mut memory);
    let Some(mark) = mark else { return false };
    // Who is let in strictly is let in as built, and only once, also after a crash.
    assert_eq!(strictly, as_built);
    let mut restored = ReplayMemory::restore(1, &mark.to_bytes()).expect("a mark");
    assert_eq!(restored, memory);
    for memory in [&mut memory, &mut restored] {
        let (id, _, replayed) = ask(&strict, memory);
        assert!(id.is_none() && replayed);
    }
    true
}
