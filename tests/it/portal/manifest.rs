//! §18.5: what an app serves, to whom, and what is told of a manifest that looks wrong.

use std::collections::BTreeMap;

use port_protocol::portal::{Access, Caller, Manifest, ManifestError, Refused, Target, TargetError, Warning};
use proptest::prelude::*;
use serde_json::json;

use Access::{Peer, Private, Public};

fn of(paths: &[(&str, &str)]) -> String {
    let paths: BTreeMap<_, _> = paths.iter().map(|(prefix, access)| (prefix, json!({"access": access}))).collect();
    json!({"v": "1.3", "paths": paths}).to_string()
}

fn manifest(paths: &[(&str, &str)]) -> Manifest {
    Manifest::from_json(&of(paths)).unwrap()
}

fn target(text: &str) -> Target {
    Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn access(manifest: &Manifest, text: &str) -> Option<Access> {
    manifest.access(&target(text))
}

/// The app of the fact sheet's table.
const APP: &[(&str, &str)] = &[("", "private"), ("/pub", "public"), ("/peer", "peer"), ("/peer/open", "public")];

/// As the real system was built: the longest prefix, by characters, of the text as it came.
fn as_built(paths: &[(&str, &str)], uri: &str) -> Option<Access> {
    let longest = paths.iter().filter(|(prefix, _)| uri.starts_with(prefix)).max_by_key(|(prefix, _)| prefix.len());
    longest.map(|(_, access)| match *access {
        "public" => Public,
        "peer" => Peer,
        _ => Private,
    })
}

#[test]
fn r18_5_where_the_system_as_built_and_ours_agree() {
    let given = [
        ("/", Some(Private)),
        ("/pub", Some(Public)),
        ("/peer", Some(Peer)),
        ("/peer/x", Some(Peer)),
        ("/peer/open", Some(Public)),
        ("/peer?x", Some(Peer)),
    ];
    for (uri, expected) in given {
        assert_eq!((as_built(APP, uri), access(&manifest(APP), uri)), (expected, expected), "{uri}");
    }
    let only = [("/pub", "public")];
    assert_eq!((as_built(&only, "/x"), access(&manifest(&only), "/x")), (None, None));
}

#[test]
fn r18_5_where_the_system_as_built_and_ours_differ() {
    // Ours never serves a peer or a stranger more there, but for a `/` at the end of a prefix.
    let differ = [("/public", Public, Private), ("/peering", Peer, Private), ("/peer/opened", Public, Peer)];
    for (uri, built, ours) in differ {
        assert_eq!((as_built(APP, uri), access(&manifest(APP), uri)), (Some(built), Some(ours)), "{uri}");
    }
}

#[test]
fn r18_5_a_private_part_of_a_public_app_stays_private_however_it_is_spelled() {
    let paths = [("", "public"), ("/admin", "private")];
    let manifest = manifest(&paths);
    for spelled in ["/admin", "/admin/", "/%61dmin", "/admin/x", "/admin?x"] {
        assert_eq!(access(&manifest, spelled), Some(Private), "{spelled}");
    }
    for spelled in ["/ADMIN", "/Admin/x", "/%41dmin"] {
        for caller in [Caller::Owner, Caller::Peer, Caller::Anybody] {
            assert_eq!(manifest.admits(caller, &target(spelled)), Err(Refused::LetterCase), "{spelled}");
        }
    }
    for spelled in ["//admin", "/./admin", "/x/../admin", "/x;/../admin", "/x%2f..%2fadmin", "/%2561dmin", "/%5cadmin"]
    {
        assert!(Target::parse(spelled).is_err(), "{spelled}");
    }
}

#[test]
fn r18_5_each_caller_gets_what_is_declared_for_it_and_nothing_else() {
    let manifest = manifest(&[("/public", "public"), ("/private", "private"), ("/peer", "peer")]);
    let answers = [
        (Caller::Owner, [Ok(Public), Ok(Private), Err(Refused::PeersOnly), Err(Refused::NotServed)]),
        (Caller::Peer, [Ok(Public), Err(Refused::Private), Ok(Peer), Err(Refused::NotServed)]),
        (Caller::Anybody, [Ok(Public), Err(Refused::Private), Err(Refused::PeersOnly), Err(Refused::NotServed)]),
    ];
    for (caller, expected) in answers {
        for (path, expected) in ["/public", "/private/x", "/peer/", "/"].into_iter().zip(expected) {
            let answer = manifest.admits(caller, &target(path));
            assert_eq!(answer.map(|entry| entry.access()), expected, "{caller:?} {path}");
        }
    }
}

#[test]
fn r18_5_prefixes_match_by_segment_the_longest_first() {
    let manifest =
        manifest(&[("/a", "peer"), ("/a/b", "private"), ("/a/b/c", "public"), ("/a-b", "public"), ("/z/", "peer")]);
    let expected = [
        ("/a", Some(Peer)),
        ("/a/", Some(Peer)),
        ("/a/x/b/c", Some(Peer)),
        ("/a/b", Some(Private)),
        ("/a/b/", Some(Private)),
        ("/a/b/cc", Some(Private)),
        ("/a/b/c/d?e", Some(Public)),
        ("/a-b/b", Some(Public)),
        ("/a-", None),
        ("/ab", None),
        ("/", None),
        ("/z", Some(Peer)),
        ("/z/z", Some(Peer)),
        ("/b?/a", None),
    ];
    for (path, expected) in expected {
        assert_eq!(access(&manifest, path), expected, "{path}");
    }
    let everything = self::manifest(&[("", "peer")]);
    assert!(["/", "/x", "/x/y"].iter().all(|path| access(&everything, path) == Some(Peer)));
    assert_eq!(access(&self::manifest(&[("/", "peer")]), "/x"), Some(Peer));
    assert_eq!(access(&self::manifest(&[]), "/x"), None);
}

#[test]
fn r18_5_prefixes_are_canonical_as_targets_are() {
    let manifest = manifest(&[("/%7eme/a%2cb", "peer"), ("/%c3%a9", "peer")]);
    assert_eq!(access(&manifest, "/~me/a,b"), Some(Peer));
    assert_eq!(access(&manifest, "/%C3%A9/x"), Some(Peer));
    let prefixes: Vec<_> = manifest.entries().map(|entry| (entry.prefix(), entry.written())).collect();
    assert_eq!(prefixes, [("/%C3%A9", "/%c3%a9"), ("/~me/a,b", "/%7eme/a%2cb")]);

    let refused = [
        ("pub", TargetError::NotAbsolute),
        ("/a/../b", TargetError::DotSegment),
        ("/a//b", TargetError::EmptySegment),
        ("//", TargetError::EmptySegment),
        ("/café", TargetError::NotAscii),
        ("/a?b", TargetError::Unencoded),
        ("/a%2Fb", TargetError::EncodedSlash),
    ];
    for (prefix, error) in refused {
        let expected = ManifestError::Prefix { prefix: prefix.into(), error };
        assert_eq!(Manifest::from_json(&of(&[(prefix, "peer")])), Err(expected.clone()));
        assert!(expected.to_string().contains(prefix), "{expected}");
    }
    let long = format!("/{}", "a".repeat(Target::MAX_LEN));
    let error = ManifestError::Prefix { prefix: long[..80].into(), error: TargetError::TooLong };
    assert_eq!(Manifest::from_json(&of(&[(&long, "peer")])), Err(error));
}

#[test]
fn r18_5_prefixes_that_are_one_for_some_servers_must_say_one_thing() {
    for (one, other) in [("/a", "/a/"), ("/a", "/%61"), ("/a", "/A"), ("", "/"), ("/a/b", "/A/b/")] {
        let error = Manifest::from_json(&of(&[(one, "private"), (other, "peer")]));
        assert!(matches!(error, Err(ManifestError::Ambiguous { .. })), "{one} {other}: {error:?}");
        let same = manifest(&[(one, "peer"), (other, "peer")]);
        let served = ["/a/b/c", "/A/b/c"].map(|path| access(&same, path));
        assert!(served.contains(&Some(Peer)), "{one} {other}");
    }
    let both = manifest(&[("/a", "peer"), ("/A", "peer"), ("/A/b", "public")]);
    assert_eq!(
        ["/a/x", "/A/x", "/A/b", "/a/b"].map(|path| access(&both, path)),
        [Some(Peer), Some(Peer), Some(Public), None]
    );
    let headers = json!({"v": "1.3", "paths": {"/a": {"access": "peer"}, "/a/": {"access": "peer", "headers": {"X-Ptl-A": "b"}}}});
    let error = Manifest::from_json(&headers.to_string());
    assert_eq!(error, Err(ManifestError::Ambiguous { prefix: "/a".into(), other: "/a/".into() }));
}

#[test]
fn r18_5_each_version_is_read_and_another_is_named() {
    for v in ["1.0", "1.1", "1.2", "1.3", "2.0", "3.0", "3.1", "3.2", "4.0"] {
        let document = json!({"v": v, "name": "app", "port": 80, "x": [null, 1.5, -1, true, {"y": "z"}],
            "paths": {"/p": {"access": "peer", "more": 1}}});
        assert_eq!(access(&Manifest::from_json(&document.to_string()).unwrap(), "/p/q"), Some(Peer), "{v}");
    }
    for v in ["", "0.1", "1", "1.4", "1.00", " 1.0", "3.3", "4.1", "5.0"] {
        let document = json!({"v": v, "paths": {}}).to_string();
        assert_eq!(Manifest::from_json(&document), Err(ManifestError::UnknownVersion(v.into())));
    }
    for document in [r#"{"v":1.0,"paths":{}}"#, r#"{"v":null,"paths":{}}"#] {
        assert_eq!(Manifest::from_json(document), Err(ManifestError::Malformed("text as `v`")));
    }
}

#[test]
fn r18_5_the_form_of_2021_is_read() {
    let document = json!({"name": "myapp", "authentication": {"default_access": "public", "public_paths": null,
        "private_paths": ["/settings/"], "peer_paths": ["/peer/"]}});
    for document in [document.clone(), {
        let mut with = document;
        with["v"] = "0.0".into();
        with
    }] {
        let manifest = Manifest::from_json(&document.to_string()).unwrap();
        let served = ["/", "/settings", "/settings/x", "/peer/x", "/peers"].map(|path| access(&manifest, path));
        assert_eq!(served, [Some(Public), Some(Private), Some(Private), Some(Peer), Some(Public)]);
    }
    let private = [
        json!({}),
        json!({"authentication": null}),
        json!({"authentication": {}}),
        json!({"authentication": {"default_access": "private", "public_paths": ["/p"]}}),
    ];
    for document in private {
        assert_eq!(access(&Manifest::from_json(&document.to_string()).unwrap(), "/x"), Some(Private), "{document}");
    }
    let peer = json!({"authentication": {"default_access": "peer"}}).to_string();
    let error = ManifestError::UnknownAccess { prefix: "".into(), access: "peer".into() };
    assert_eq!(Manifest::from_json(&peer), Err(error));
    for wrong in [
        json!([]),
        json!("x"),
        json!({"default_access": null}),
        json!({"peer_paths": "/x"}),
        json!({"peer_paths": [1]}),
    ] {
        let read = Manifest::from_json(&json!({"authentication": wrong}).to_string());
        assert!(matches!(read, Err(ManifestError::Malformed(_))), "{wrong}: {read:?}");
    }
    let list = json!({"authentication": {"peer_paths": ["x"]}}).to_string();
    let error = ManifestError::Prefix { prefix: "x".into(), error: TargetError::NotAbsolute };
    assert_eq!(Manifest::from_json(&list), Err(error));
}

#[test]
fn r18_5_a_manifest_of_two_forms_is_refused() {
    let mixed = [
        json!({"paths": {"": {"access": "public"}}}),
        json!({"paths": {"": {"access": "public"}}, "authentication": {}}),
        json!({"v": "1.0", "paths": {"": {"access": "public"}}, "authentication": {}}),
        json!({"v": "1.0", "authentication": {}}),
    ];
    for document in mixed {
        assert_eq!(Manifest::from_json(&document.to_string()), Err(ManifestError::MixedForms), "{document}");
    }
}

#[test]
fn r18_5_json_that_readers_read_differently_is_refused() {
    let duplicates = [
        (r#"{"v":"1.3","v":"1.3","paths":{}}"#, "v"),
        (r#"{"v":"1.3","paths":{},"paths":{"":{"access":"public"}}}"#, "paths"),
        (r#"{"v":"1.3","paths":{"/a":{"access":"private"},"/a":{"access":"public"}}}"#, "/a"),
        (r#"{"v":"1.3","paths":{"/a":{"access":"private"},"\u002fa":{"access":"public"}}}"#, "/a"),
        (r#"{"v":"1.3","paths":{"/a":{"access":"private","\u0061ccess":"public"}}}"#, "access"),
        (r#"{"v":"1.3","paths":{},"other":[{"x":1,"x":2}]}"#, "x"),
    ];
    for (document, key) in duplicates {
        assert_eq!(Manifest::from_json(document), Err(ManifestError::DuplicateKey(key.into())), "{document}");
    }
    let deep = format!(r#"{{"v":"1.3","paths":{{}},"x":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let syntax =
        ["", "{", "{}x", "{} {}", "\u{feff}{}", r#"{"x":"\ud800"}"#, r#"{"x":1e999}"#, "{'v':1}", "{\"v\":1,}", &deep];
    for document in syntax {
        let read = Manifest::from_json(document);
        assert!(matches!(read, Err(ManifestError::NotJson { line: 0.., column: 0.. })), "{document}: {read:?}");
    }
    assert_eq!(Manifest::from_json("{\n  \"v\" 1}"), Err(ManifestError::NotJson { line: 2, column: 7 }));
    for document in ["[]", "null", "\"x\"", "1", "[{\"v\":\"1.3\"}]"] {
        assert_eq!(Manifest::from_json(document), Err(ManifestError::Malformed("one object")));
    }
}

#[test]
fn r18_5_members_of_another_type_and_unknown_access_are_refused() {
    let malformed = [
        json!(null),
        json!([]),
        json!({"": null}),
        json!({"": ["public"]}),
        json!({"": {}}),
        json!({"": {"access": null}}),
        json!({"": {"access": "peer", "headers": []}}),
        json!({"": {"access": "peer", "headers": {"X-Ptl-A": 1}}}),
    ];
    for paths in malformed {
        let read = Manifest::from_json(&json!({"v": "1.3", "paths": paths}).to_string());
        assert!(matches!(read, Err(ManifestError::Malformed(_))), "{paths}: {read:?}");
    }
    assert!(matches!(Manifest::from_json(r#"{"v":"1.3"}"#), Err(ManifestError::Malformed(_))));
    for name in ["", "Public", "peers", "peer ", "all"] {
        let error = ManifestError::UnknownAccess { prefix: "/p".into(), access: name.into() };
        assert_eq!(Manifest::from_json(&of(&[("/p", name)])), Err(error));
    }
}

#[test]
fn r18_5_a_manifest_is_bounded() {
    let many = |n: usize| {
        let paths: BTreeMap<_, _> = (0..n).map(|n| (format!("/{n}"), json!({"access": "peer"}))).collect();
        json!({"v": "1.3", "paths": paths}).to_string()
    };
    let manifest = Manifest::from_json(&many(Manifest::MAX_PATHS)).unwrap();
    assert_eq!(manifest.entries().count(), 1024);
    assert!((0..1024).all(|n| access(&manifest, &format!("/{n}/x")) == Some(Peer)));
    assert_eq!(access(&manifest, "/1024"), None);
    assert_eq!(Manifest::from_json(&many(Manifest::MAX_PATHS + 1)), Err(ManifestError::TooManyPaths));
    let lists = |n: usize| {
        json!({"authentication": {"peer_paths": (0..n).map(|n| format!("/{n}")).collect::<Vec<_>>()}}).to_string()
    };
    assert!(Manifest::from_json(&lists(1023)).is_ok()); // beside the default access
    assert_eq!(Manifest::from_json(&lists(1024)), Err(ManifestError::TooManyPaths));
    let calls = |n: usize| json!({"v": "1.3", "paths": {}, "peer_calls": vec!["/x"; n]}).to_string();
    assert!(Manifest::from_json(&calls(1024)).is_ok());
    assert_eq!(Manifest::from_json(&calls(1025)), Err(ManifestError::TooManyPaths));

    let padded = |n: usize| format!("{}{}", of(APP), " ".repeat(n - of(APP).len()));
    assert!(Manifest::from_json(&padded(Manifest::MAX_LEN)).is_ok());
    assert_eq!(Manifest::from_json(&padded(Manifest::MAX_LEN + 1)), Err(ManifestError::TooLong));
}

#[test]
fn r18_5_a_manifest_of_nested_prefixes_is_matched_without_deep_calls() {
    // 360 prefixes, each below the one before: 130 KiB.
    let nested: Vec<_> = (1..=360).map(|n| "/a".repeat(n)).collect();
    let paths: Vec<_> =
        nested.iter().enumerate().map(|(n, prefix)| (prefix.as_str(), ["peer", "public"][n % 2])).collect();
    let manifest = manifest(&paths);
    assert_eq!(access(&manifest, &"/a".repeat(361)), Some(Public));
    assert_eq!(access(&manifest, &format!("{}/b", "/a".repeat(7))), Some(Peer));
    assert_eq!(access(&manifest, &format!("{}-", "/a".repeat(8))), Some(Peer));
    assert_eq!(access(&manifest, &"/b".repeat(4096)), None);
}

#[test]
fn r18_5_headers_are_read_and_offered() {
    let document = json!({"v": "1.0", "paths": {"/p": {"access": "peer", "headers": {
        "X-Ptl-Client-Id": "{{ auth.client_id }}", "x-ptl-client-name": "{{ client_name }}", "X-Other": "a", "X-Pt": "b"}}, "/q": {"access": "peer", "headers": null}}});
    let manifest = Manifest::from_json(&document.to_string()).unwrap();
    let entry = manifest.admits(Caller::Peer, &target("/p")).unwrap();
    let expected = [("X-Ptl-Client-Id", "{{ auth.client_id }}"), ("x-ptl-client-name", "{{ client_name }}")];
    assert_eq!(entry.headers().collect::<Vec<_>>(), expected);
    assert_eq!(manifest.admits(Caller::Peer, &target("/q")).unwrap().headers().count(), 0);
    let warned = |name| Warning::HeaderNotPassedOn { prefix: "/p", name };
    assert_eq!(manifest.warnings().collect::<Vec<_>>(), [warned("X-Other"), warned("X-Pt")]);

    let wrong =
        [("", "x"), ("X Y", "x"), ("X-Ptl-A:", "x"), ("X-Ptl-Ä", "x"), ("X-Ptl-A", "x\r\nY: z"), ("X-Ptl-A", "\0")];
    for (name, template) in wrong {
        let document = json!({"v": "1.0", "paths": {"/p": {"access": "peer", "headers": {name: template}}}});
        let error = ManifestError::Header { prefix: "/p".into(), name: name.into() };
        assert_eq!(Manifest::from_json(&document.to_string()), Err(error));
    }
    let twice = json!({"v": "1.0", "paths": {"/p": {"access": "peer", "headers": {"X-Ptl-A": "1", "x-ptl-a": "2"}}}});
    let error = ManifestError::Header { prefix: "/p".into(), name: "x-ptl-a".into() };
    assert_eq!(Manifest::from_json(&twice.to_string()), Err(error));
}

#[test]
fn r18_5_a_call_that_the_same_app_does_not_serve_to_peers_is_a_warning() {
    let document = json!({"v": "1.3", "paths": {"": {"access": "private"}, "/inbox": {"access": "peer"}, "/pub": {"access": "public"}},
        "peer_calls": ["/inbox/new", "/pub", "/inbox-old", "/INBOX"]});
    let manifest = Manifest::from_json(&document.to_string()).unwrap();
    assert_eq!(
        manifest.peer_calls().map(Target::as_str).collect::<Vec<_>>(),
        ["/inbox/new", "/pub", "/inbox-old", "/INBOX"]
    );
    let (old, upper) = (target("/inbox-old"), target("/INBOX"));
    let expected = [
        Warning::UnservedCall { call: &old, reason: Refused::Private },
        Warning::UnservedCall { call: &upper, reason: Refused::LetterCase },
    ];
    assert_eq!(manifest.warnings().collect::<Vec<_>>(), expected);
    assert!(expected[0].to_string().contains("/inbox-old"));
    let other = [target("/inbox"), target("/x")];
    assert_eq!(
        manifest.unserved(&other).collect::<Vec<_>>(),
        [Warning::UnservedCall { call: &other[1], reason: Refused::Private }]
    );

    for (call, error) in
        [("x", TargetError::NotAbsolute), ("/x?y", TargetError::Unencoded), ("/a/..", TargetError::DotSegment)]
    {
        let document = json!({"peer_calls": [call]}).to_string();
        assert_eq!(Manifest::from_json(&document), Err(ManifestError::Call { call: call.into(), error }));
    }
    for wrong in [json!(null), json!("/x"), json!([1]), json!({"/x": 1})] {
        let read = Manifest::from_json(&json!({"peer_calls": wrong}).to_string());
        assert!(matches!(read, Err(ManifestError::Malformed(_))), "{wrong}");
    }
}

/// Short paths of few letters, so that prefixes cover each other and differ by case often.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "ab", "a-", "~"]), 0..4)
        .prop_map(|segments| segments.iter().map(|segment| format!("/{segment}")).collect())
}

fn paths() -> impl Strategy<Value = Vec<(String, &'static str)>> {
    let access = prop::sample::select(vec!["public", "private", "peer"]);
    prop::collection::btree_map(path(), access, 0..12).prop_map(|paths| paths.into_iter().collect())
}

/// Looks at every prefix, segment by segment.
fn naive(paths: &[(String, &str)], path: &str) -> Option<Access> {
    let of = |path: &str| path.split('/').skip(1).map(String::from).collect::<Vec<_>>();
    let path = of(path.strip_suffix('/').unwrap_or(path));
    let lower = |segments: &[String]| segments.iter().map(|segment| segment.to_lowercase()).collect::<Vec<_>>();
    let covering = |(prefix, _): &&(String, &str)| lower(&path).starts_with(&lower(&of(prefix)));
    let longest = paths.iter().filter(covering).map(|(prefix, _)| prefix.len()).max()?;
    let mut longest = paths.iter().filter(covering).filter(|(prefix, _)| prefix.len() == longest);
    longest.find(|(prefix, _)| path.starts_with(&of(prefix))).map(|(_, access)| match *access {
        "public" => Public,
        "peer" => Peer,
        _ => Private,
    })
}

/// Another spelling of the path: each character plain or encoded, perhaps in the other case, perhaps with a `/` at the end.
fn spelled(path: &str, how: &[u8]) -> String {
    let mut how = how.iter().cycle();
    let mut spelled: String = path
        .chars()
        .map(|c| match (c, how.next().unwrap_or(&0)) {
            ('/', _) => "/".into(),
            (c, 0) => format!("%{:02x}", u32::from(c)),
            (c, 1) => format!("%{:02X}", u32::from(c)),
            (c, 2) => c.to_ascii_uppercase().into(),
            (c, 3) => c.to_ascii_lowercase().into(),
            (c, _) => c.into(),
        })
        .collect();
    if spelled.is_empty() || how.next() == Some(&4) {
        spelled.push('/');
    }
    spelled
}

proptest! {
    #[test]
    fn r18_5_matching_is_what_a_naive_reader_finds(paths in paths(), path in path()) {
        let written: Vec<_> = paths.iter().map(|(prefix, access)| (prefix.as_str(), *access)).collect();
        if let Ok(manifest) = Manifest::from_json(&of(&written)) {
            for path in [format!("{path}/"), path].iter().filter(|path| !path.is_empty()) {
                prop_assert_eq!(access(&manifest, path), naive(&paths, path), "{}", path);
            }
        }
    }

    #[test]
    fn r18_5_no_spelling_of_a_path_has_another_access(
        paths in paths(), path in path(), how in prop::collection::vec(prop::collection::vec(0..8_u8, 8), 8),
    ) {
        let written: Vec<_> = paths.iter().map(|(prefix, access)| (prefix.as_str(), *access)).collect();
        if let Ok(manifest) = Manifest::from_json(&of(&written)) {
            let mut served: Vec<_> = how.iter().filter_map(|how| access(&manifest, &spelled(&path, how))).collect();
            served.dedup();
            prop_assert!(served.len() <= 1, "{path}: {served:?}");
        }
    }
}
