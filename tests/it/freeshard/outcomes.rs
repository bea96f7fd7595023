//! The table of outcomes, row by row (§19.6), and paths (§19.8).

use port_protocol::portal::freeshard::{
    Access, AppPaths, Body, Client, Forwarded, Host, Mode, PathError, PathRule, ReplayMemory, Status, Template,
    TemplateError, Terminal, is_reserved,
};

use super::{Seen, T0, ZONE, ask, call, id, key, peers, status};

const MODES: [Mode; 2] = [Mode::AsBuilt, Mode::Strict];

fn unsigned(path: &str) -> Seen {
    Seen::new(&call("GET", path, b"")).with("Signature", None).with("Signature-Input", None)
}

#[test]
fn r19_6_by_access() {
    let terminal = Terminal { id: "t1".into(), name: "phone".into() };
    for mode in MODES {
        let peers = peers(mode, &["Alice"]);
        let answer = |seen: &Seen, terminal| {
            let decision = ask(&peers, seen, terminal, T0, &mut ReplayMemory::new(9));
            (decision.status.code(), decision.client.map(|client| client.kind()), decision.headers)
        };
        let headers = |kind: &str, id: &str, name: &str| {
            [("X-Ptl-Client-Type", kind), ("X-Ptl-Client-Id", id), ("X-Ptl-Client-Name", name)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec()
        };
        for (path, peer, anonymous, owner) in
            [("/peer/x", 200, 401, 401), ("/pub/x", 200, 200, 200), ("/x", 401, 401, 200)]
        {
            for (seen, terminal, expected, kind, id, name) in [
                (Seen::new(&call("GET", path, b"")), None, peer, "peer", id("Alice").as_str(), "Alice"),
                (unsigned(path), None, anonymous, "anonymous", "", ""),
                // The owner's terminal stays that, whatever is signed.
                (Seen::new(&call("GET", path, b"")), Some(&terminal), owner, "terminal", "t1", "phone"),
            ] {
                let (code, client, got) = answer(&seen, terminal);
                assert_eq!((code, client), (expected, Some(kind)), "{mode:?} {path}");
                assert_eq!(got, if code == 200 { headers(kind, id, name) } else { Vec::new() });
            }
        }
    }
}

#[test]
fn r19_6_no_such_app_no_such_path() {
    for mode in MODES {
        let seen = Seen::new(&call("GET", "/peer/x", b""));
        let mut host = seen.get("X-Forwarded-Host").to_owned();
        host.replace_range(..4, "chet");
        assert_eq!(status(mode, &seen.with("X-Forwarded-Host", Some(&host))), 404);
        assert_eq!(status(mode, &seen.with("X-Forwarded-Host", None)), 500);
        assert_eq!(status(mode, &seen.with("X-Forwarded-Uri", None)), 500);
        assert_eq!(status(mode, &seen.with("X-Forwarded-Method", None)), 401);
        assert_eq!(status(mode, &seen.with("X-Forwarded-Proto", None)), 401);
        assert_eq!(status(mode, &seen.with("X-Note", Some("a\r\nb"))), 500);
        let peers = peers(mode, &["Alice"]);
        let host = Host { id: key("Bob").public_key().id(), zone: ZONE, peers: &peers };
        let fields: Vec<_> = seen.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Forwarded { headers: &fields, body: Body::Whole(b"") };
        let paths = AppPaths::new([PathRule::new("/pub", Access::Public)]);
        let now = super::at(T0);
        let decision = host.authorize(&request, |_| Some(&paths), None, now, &mut ReplayMemory::new(9));
        assert_eq!((decision.status, decision.client, decision.mark), (Status::Failed, None, None));
    }
}

/// A name that no header can hold fails the request as built. Strictly, the name is left out.
#[test]
fn r19_6_names_in_headers() {
    for (name, in_header) in [("José", true), ("王", false), ("a\nb", false), ("a\u{7f}", false), ("", true)] {
        for mode in MODES {
            let mut peers = peers(mode, &["Alice"]);
            let json = serde_json::json!({"id": id("Alice"), "name": name}).to_string();
            peers.put(json.as_bytes(), ZONE).unwrap();
            let seen = Seen::new(&call("GET", "/peer/x", b""));
            let decision = ask(&peers, &seen, None, T0, &mut ReplayMemory::new(9));
            let expected = match (mode, in_header) {
                (_, true) => Some(name),
                (Mode::Strict, false) => Some(""),
                (Mode::AsBuilt, false) => None,
            };
            assert_eq!(decision.status.code(), if expected.is_some() { 200 } else { 500 }, "{name:?}");
            let header = decision.headers.iter().find(|(name, _)| name == "X-Ptl-Client-Name");
            assert_eq!(header.map(|(_, value)| value.as_str()), expected, "{mode:?} {name:?}");
        }
    }
}

/// Of two rows with one short ID, strictly neither is meant.
#[test]
fn r19_7_two_with_one_short_id() {
    let seen = Seen::new(&call("GET", "/peer/x", b""));
    let twice = peers(Mode::Strict, &["Alice", "Alice"]);
    let decision = ask(&twice, &seen, None, T0, &mut ReplayMemory::new(9));
    assert!(matches!(decision.client, Some(Client::Anonymous(_))) && decision.status == Status::Refused);
    let twice = peers(Mode::AsBuilt, &["Alice", "Alice"]);
    assert_eq!(ask(&twice, &seen, None, T0, &mut ReplayMemory::new(9)).status, Status::Granted);
}

#[test]
fn r19_6_reserved_headers() {
    for name in ["X-Ptl-Client-Id", "x-ptl-", "X-PTL-FOO", "x_ptl_client_id", "X-Ptl_Client-Type"] {
        assert!(is_reserved(name), "{name}");
    }
    for name in ["X-Pt", "X-Ptlx", "Xx-Ptl-Id", "", "X-Ptäl-"] {
        assert!(!is_reserved(name), "{name}");
    }
}

/// As built by characters with the query, strictly by segments of a canonical path.
#[test]
fn r19_8_paths() {
    let rules = [("", Access::Private), ("/peer", Access::Peer), ("/peer/open/", Access::Public)];
    let paths = AppPaths::new(rules.map(|(prefix, access)| PathRule::new(prefix, access)));
    let find = |mode, uri| paths.find(mode, uri).map(PathRule::access);
    for (uri, built, strict) in [
        ("/", Some(Access::Private), Some(Access::Private)),
        ("/peer", Some(Access::Peer), Some(Access::Peer)),
        ("/peer/", Some(Access::Peer), Some(Access::Peer)),
        ("/peer?x=/y", Some(Access::Peer), Some(Access::Peer)),
        ("/peerless", Some(Access::Peer), Some(Access::Private)),
        ("/PEER", Some(Access::Private), None),
        ("/peer/open", Some(Access::Peer), Some(Access::Public)),
        ("/peer/open/x", Some(Access::Public), Some(Access::Public)),
        ("/peer/openly", Some(Access::Peer), Some(Access::Peer)),
        ("/peer/%E2%82%AC?%2F%2e%2E", Some(Access::Peer), Some(Access::Peer)),
        ("/peer/%E2%82%AC?%2F", Some(Access::Peer), Some(Access::Peer)),
        ("/peer?tag[]=a", Some(Access::Peer), Some(Access::Peer)),
        ("/peer/#x", Some(Access::Peer), None),
        ("/peer/%e2%82%ac", Some(Access::Peer), None),
        ("/peer/a b", Some(Access::Peer), None),
        ("peer", Some(Access::Private), None),
        ("", Some(Access::Private), None),
        ("?x", Some(Access::Private), None),
    ] {
        assert_eq!((find(Mode::AsBuilt, uri), find(Mode::Strict, uri)), (built, strict), "{uri}");
    }
    for refused in ["/peer/%2E%2E/x", "/peer/..%2Fx", "/peer/%5C", "/peer/%252E", "/peer/%00", "/peer/%FF", "/peer//x"]
    {
        assert_eq!(find(Mode::Strict, refused), None, "{refused}");
    }
}

#[test]
fn r19_8_templates() {
    for template in [
        "",
        "text",
        "{{ auth.client_id }}",
        "a{{auth.client_name}}b{{ portal.id }}",
        "{{ portal.short_id }}.{{ portal.domain }}",
        "{{ auth.other }}",
        "} }} {",
    ] {
        assert!(Template::parse(template).is_ok(), "{template}");
    }
    for template in [
        "{{",
        "{{ auth.client_id",
        "{{ }}",
        "{{ auth }}",
        "{{ auth. }}",
        "{{ portal.public_key_pem }}",
        "{{ 7 * 7 }}",
        "{{ auth.client_id|upper }}",
        "{{- auth.client_id }}",
        "{% if 1 %}",
        "{# no #}",
        "a\nb",
        "王",
        "{{ config }}",
    ] {
        assert_eq!(Template::parse(template), Err(TemplateError), "{template}");
    }
    let rule = || PathRule::new("/", Access::Public);
    assert_eq!(rule().header("X Y", "").err(), Some(PathError::HeaderName));
    assert_eq!(rule().header("", "").err(), Some(PathError::HeaderName));
    assert_eq!(rule().header("X-User", "").err(), Some(PathError::HeaderName));
    let twice = rule().header("X-Ptl-A", "").and_then(|rule| rule.header("x-ptl-a", ""));
    assert_eq!(twice.err(), Some(PathError::HeaderName));
    assert_eq!(rule().header("X-Ptl-Y", "{{").err(), Some(PathError::Template(TemplateError)));
}

/// R19.8: strictly, a manifest says the same here as in the native profile.
#[test]
fn r19_8_a_manifest_is_read_as_the_native_profile_reads_it() {
    use port_protocol::portal::{Caller, Manifest, Target};
    let text = r#"{"v":"1.3","paths":{"":{"access":"public"},"/pages/[id]":{"access":"private"},"/admin":{"access":"private"},
        "/%7eme":{"access":"peer","headers":{"X-Ptl-Client-Id":"{{ auth.client_id }}"}}}}"#;
    let manifest = Manifest::from_json(text).unwrap();
    let paths = AppPaths::of(&manifest).unwrap();
    for path in ["/pages/%5Bid%5D/x", "/admin", "/admin/", "/ADMIN", "/~me/x?q[]=1", "/", "/other", "/administration"] {
        let native = manifest.access(&Target::parse(path).unwrap());
        assert_eq!(paths.find(Mode::Strict, path).map(|rule| rule.access()), native, "{path}");
    }
    // A prefix that has no canonical form may be meant for any path.
    let unclear = AppPaths::new([PathRule::new("", Access::Public), PathRule::new("/a//b", Access::Private)]);
    assert_eq!(unclear.find(Mode::Strict, "/a"), None);
    assert!(manifest.admits(Caller::Anybody, &Target::parse("/pages/%5Bid%5D/x").unwrap()).is_err());
}
