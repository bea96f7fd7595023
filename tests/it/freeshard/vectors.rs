//! Every case of the known answers, as built; and what the strict mode makes of the requests among them.

#[path = "../../../examples/freeshard/check/mod.rs"]
mod check;

use port_protocol::portal::freeshard::{
    Access, AppPaths, BadSignature, Body, Client, Forwarded, Host, Mode, PathRule, Peer, PeerError, ReplayMemory,
};
use serde_json::Value;

use super::{VECTORS, ZONE, at, key, peers};
use check::Outcome;

/// Each key of the file is read by a check, none is skipped, and none differs.
#[test]
fn r19_1_to_r19_8_the_real_systems_answers() {
    let report = check::check(&VECTORS);
    for case in &report.cases {
        assert_eq!(case.outcome, Outcome::Right, "{}", case.name);
    }
    assert_eq!(report.unread, [""; 0], "keys that nothing reads");
    assert_eq!(report.cases.len(), 85);
}

/// The check sees a value that differs, wherever it stands, and a key that it does not know.
#[test]
fn r19_1_to_r19_8_the_check_can_fail() {
    let differs = |pointer: &str, value: Value| {
        let mut file = VECTORS.clone();
        *file.pointer_mut(pointer).unwrap() = value;
        check::check(&file).cases.iter().any(|case| matches!(case.outcome, Outcome::Differs(_)))
    };
    for (pointer, value) in [
        ("/identities/0/id", "a".into()),
        ("/identities/1/sha512_hex", "00".into()),
        ("/identities/2/domain", "r29zdg.other.zone".into()),
        ("/encoding/cases/2/text", "5405753".into()),
        ("/encoding/decode/1/error", "KeyError".into()),
        ("/outgoing/0/signature_base", "".into()),
        ("/outgoing/1/wire/0/url", "https://mock_app.dqw0j2.freeshard.cloud/peer/Inbox".into()),
        ("/outgoing/2/reply_to_app/headers", serde_json::json!({"a": "b"})),
        ("/incoming/0/status", 401.into()),
        ("/incoming/0/ptl_headers/x-ptl-client-name", "Bob".into()),
        ("/incoming/0/now", 1_700_086_406.into()),
        ("/incoming/6/signature_check", "verified".into()),
        ("/incoming/25/client_type", "peer".into()),
        ("/peer_model/3/ok", true.into()),
        ("/whoareyou/0/stored/0/name", "Carol".into()),
        ("/whoareyou/5/put_status", 500.into()),
        ("/whoareyou/2/asked/0", "".into()),
        ("/refresh_every_60s/0/after/0/is_reachable", true.into()),
        ("/path_match/5/access", "private".into()),
        ("/other_component_order/incoming/status", 401.into()),
    ] {
        assert!(differs(pointer, value), "{pointer}");
    }
    let mut file = VECTORS.clone();
    file["incoming"][3]["colour"] = "blue".into();
    file["more"] = serde_json::json!({"and": 1});
    assert_eq!(check::check(&file).unread, ["/incoming/3/colour", "/more"]);
}

/// Any subset of the file's keys can be checked, and nothing of it differs.
#[test]
fn r19_1_to_r19_8_each_key_alone() {
    for (name, value) in VECTORS.as_object().unwrap() {
        let file = serde_json::json!({ name: value });
        let report = check::check(&file);
        for case in &report.cases {
            assert_eq!(case.outcome, Outcome::Right, "{name}: {}", case.name);
        }
        assert_eq!(report.unread, [""; 0], "{name}");
    }
}

/// Rows under short IDs are refused. Under full ones, what the real system takes is taken, if its host shows the body.
#[test]
fn r19_7_strictly_the_real_systems_requests() {
    let (mut granted, mut refused) = (0, 0);
    for case in VECTORS["incoming"].as_array().unwrap() {
        for known in case["known_peers"].as_array().unwrap() {
            let id = known["id"].as_str().unwrap();
            let full = Peer::new(Mode::Strict, id, None);
            assert_eq!(full.err(), (id.len() != 103).then_some(PeerError::NotFull));
        }
        let fields = case["forwarded"].as_object().unwrap().iter().chain(case["headers"].as_object().unwrap());
        let fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let peers = peers(Mode::Strict, &["Alice", "Carol", "Erin"]);
        let host = Host { id: key("Bob").public_key().id(), zone: ZONE, peers: &peers };
        let paths = AppPaths::new(
            [("/", Access::Private), ("/pub", Access::Public), ("/peer", Access::Peer)]
                .map(|(prefix, access)| PathRule::new(prefix, access)),
        );
        let now = at(case["now"].as_u64().unwrap());
        let name = case["name"].as_str().unwrap();
        let mut memory = ReplayMemory::new(1);
        let mut ask = |body| {
            let request = Forwarded { headers: &fields, body };
            host.authorize(&request, |_| Some(&paths), None, now, &mut memory)
        };
        assert_ne!(ask(Body::Unseen).client.map(|client| client.kind()), Some("peer"), "{name}");
        let decision = ask(Body::Whole(b""));
        // Its key is there now.
        let fetched = name == "peer known but key not fetched yet";
        assert_eq!(
            decision.status.code(),
            if fetched { 200 } else { case["status"].as_u64().unwrap() as u16 },
            "{name}"
        );
        if decision.status.code() == 200 {
            granted += 1;
            assert!(decision.mark.is_some());
            let again = ask(Body::Whole(b""));
            assert_eq!(again.client, Some(Client::Anonymous(BadSignature::Replayed)), "{name}");
        } else {
            refused += 1;
            assert!(decision.mark.is_none() && decision.headers.is_empty());
        }
    }
    assert_eq!((granted, refused), (11, 17));
}
