//! Seeds of manifests, and of targets that they are asked about.

use crate::Seeds;

const TARGETS: &[&str] = &[
    "/",
    "/inbox/7?mark=read",
    "/INBOX",
    "/inbox-old",
    "/a%2cb/~me",
    "/%c3%a9/100%25.txt",
    "/pages/[slug]|x^2",
    "/a%3Bb",
    "/x/../inbox",
    "/%2e%2e/inbox",
    "//inbox",
    "/inbox;x",
    "/inbox%2fx",
    "/%2569nbox",
    "/%c0%ae",
];

const MANIFESTS: &[(&str, &str)] = &[
    (
        "paths",
        r#"{"v": "1.3", "app_version": "1", "paths": {"": {"access": "private"}, "/inbox": {"access": "peer", "headers": {"X-Ptl-Client-Id": "{{ auth.client_id }}", "X-Other": "a"}}, "/pub/": {"access": "public", "headers": null}}, "peer_calls": ["/inbox", "/outbox"], "more": [1, -2.5, true, null, "\u00e9"]}"#,
    ),
    (
        "nested",
        r#"{"v":"4.0","paths":{"":{"access":"public"},"/a":{"access":"peer"},"/A":{"access":"peer"},"/A/b":{"access":"private"},"/a%2cb":{"access":"public"},"/a-b":{"access":"private"}}}"#,
    ),
    (
        "of-2021",
        r#"{"name":"x","port":80,"authentication":{"default_access":"public","public_paths":null,"private_paths":["/settings/"],"peer_paths":["/peer/"]}}"#,
    ),
    ("without-access", r#"{"v":"0.0","peer_calls":["/x"]}"#),
];

pub fn manifests() -> Seeds {
    let targets: Vec<_> = TARGETS.iter().flat_map(|target| [b"\0", target.as_bytes()].concat()).collect();
    MANIFESTS.iter().map(|(name, document)| (String::from(*name), [document.as_bytes(), &targets].concat())).collect()
}
