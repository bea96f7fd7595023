//! URLs (§19.4). The right sides are what requests 2.34.2 with urllib3 2.8.0 makes of the left ones: the real system's HTTP client.

use port_protocol::portal::freeshard::{Message, Sender};

use super::{T0, ZONE, at, key};

/// What both ends sign.
#[test]
fn r19_4_normal_form() {
    for (uri, normal) in [
        ("/peer/a%7Eb", "/peer/a~b"),
        ("/peer/a%7eb", "/peer/a~b"),
        ("/peer/%e4", "/peer/%E4"),
        ("/peer/a/../b", "/peer/b"),
        ("/peer/./b", "/peer/b"),
        ("/peer/..", "/"),
        ("/..", "/"),
        ("/peer//b", "/peer//b"),
        ("/peer/a b", "/peer/a%20b"),
        ("/peer/100%", "/peer/100%25"),
        ("/peer/100%41%", "/peer/100%2541%25"),
        ("/peer/x%41%zz%4a", "/peer/x%2541%25zz%254A"),
        ("/peer/ü%41", "/peer/%C3%BCA"),
        ("/peer?", "/peer"),
        ("/peer?a=%41", "/peer?a=A"),
        ("/peer?a=%2f", "/peer?a=%2F"),
        ("/peer?x=[y]|z", "/peer?x=%5By%5D%7Cz"),
        ("/peer?x=a?b/c", "/peer?x=a?b/c"),
        ("/peer/x#f", "/peer/x#f"),
        ("/peer/x?#", "/peer/x"),
        ("/peer/\"<>", "/peer/%22%3C%3E"),
        ("/peer/a;b=c,d'(e)!*", "/peer/a;b=c,d'(e)!*"),
        // Decoded after the dots were resolved.
        ("/peer/%2e%2e/x", "/peer/../x"),
        ("/peer/a\\b", "/peer/a%5Cb"),
        ("/peer/[x]", "/peer/%5Bx%5D"),
        ("/peer/@:", "/peer/@:"),
        ("", "/"),
        ("?x", "/?x"),
    ] {
        let message = Message::new("GET", &format!("https://a.b{uri}"), &[]).unwrap();
        assert_eq!(message.target_uri(), format!("https://a.b{normal}"), "{uri}");
    }
    for (url, normal) in [
        ("HTTPS://Mock_App.DQW0J2.zone:0443/", "https://mock_app.dqw0j2.zone:443/"),
        ("http://a:/", "http://a/"),
        ("  https://a:0/x", "https://a/x"),
        ("wss://A/%7e", "wss://A/%7e"),
    ] {
        assert_eq!(Message::new("GET", url, &[]).unwrap().target_uri(), normal);
    }
}

/// What becomes of the path of an app's request: decoded once, as the host's web server does, then in normal form.
#[test]
fn r19_4_as_built_paths() {
    let sender = Sender { key: key("Alice"), app: "chat", zone: ZONE };
    for (path, sent) in [
        ("", "/"),
        ("peer/a%2Fb", "/peer/a/b"),
        ("peer/a%3Fb=1", "/peer/a?b=1"),
        ("peer/a%23b", "/peer/a#b"),
        ("peer/100%25", "/peer/100%25"),
        ("peer/%2525", "/peer/%25"),
        ("peer/..%2Fx", "/x"),
        ("peer/%2e%2e/x", "/x"),
        ("peer/%FF", "/peer/%EF%BF%BD"),
        ("peer/x?q=1#f", "/peer/x"),
        ("peer/%0Ax", "/peer/%0Ax"),
        ("peer/a%2Bb", "/peer/a+b"),
        ("peer/%25zz", "/peer/%25zz"),
    ] {
        let path = format!("/internal/call_peer/DQW0J2/{path}");
        let request = sender.call_as_built("GET", &path, b"", at(T0), &mut rand::rng()).unwrap();
        assert_eq!(request.url, format!("https://chat.dqw0j2.{ZONE}{sent}"), "{path}");
    }
}
