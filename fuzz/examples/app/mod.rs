//! Seeds of the app's formats.

use port_protocol::app::{
    Alice, BobEffect, Bundle, Content, Event, Grant, Happened, Intro, Message, Name, Tail, UnauthenticatedKey,
};
use port_protocol::{Machine, NoPeers, Policy, PortKind, PortOptions, Seed, UnixSeconds};
use port_protocol_fuzz::app::{private_key, public_key, rad};
use port_protocol_fuzz::{Commit, app_machine, fresh, with_script};

use crate::Seeds;

fn bundles_of_all_kinds() -> [(&'static str, Bundle); 5] {
    let name = |name| Name::new(name).expect("a name");
    let port = Bundle::port([3; 16].into(), public_key(1), rad());
    let superport = Bundle::superport([3; 16].into(), public_key(1), rad());
    [
        ("plain", port.clone()),
        ("hostile-name", port.clone().named(name("a&b=c?d+e%26\"\\\u{1}👋"))),
        ("expires", port.named(name("Zoë")).expiring(UnixSeconds::new(1_800_000_000).expect("a time"))),
        ("superport", superport.named(name("Shop"))),
        ("contact-port", grant().share([5; 16].into(), Some(name("Alice")))),
    ]
}

fn grant() -> Grant {
    Grant::new([3; 16].into(), public_key(1), rad())
}

pub fn bundles() -> Seeds {
    let mut seeds = Seeds::new();
    for (what, bundle) in bundles_of_all_kinds() {
        seeds.insert(what.into(), bundle.to_json().as_str().into());
    }
    seeds.insert("grant".into(), grant().to_json().as_str().into());
    // A reader must ignore an unknown member, whatever stands in it (§17.1).
    let plain = grant().to_json().as_str().replacen('{', "{\"x\":[\"\\ud800\",1e999],", 1);
    seeds.insert("grant-with-half-a-character".into(), plain.into());
    let contents = [
        ("grant", Content::ContactPortBundle(grant())),
        ("ticket", Content::ContactPortTicket { contact_port: [3; 16].into(), ticket: [5; 16].into() }),
        ("text", Content::Other { content_type: 1, data: "{\"text\":\"hello\"}" }),
    ];
    for (what, content) in contents {
        let message = Message { id: [1; 16].into(), content, tail: Some(Tail::default()) };
        seeds.insert(format!("message-{what}"), message.to_json().expect("JSON").as_str().into());
    }
    seeds
}

pub fn links() -> Seeds {
    let mut seeds = Seeds::new();
    for (what, bundle) in bundles_of_all_kinds() {
        seeds.insert(what.into(), bundle.link().as_str().into());
        seeds.insert(format!("{what}-for-app"), bundle.link_for_app().text.as_str().into());
    }
    seeds.insert("short".into(), "https://porting.me/?bundleId=a%2Fb".into());
    let surrounded = format!(" \"{}\"\u{200b}", bundles_of_all_kinds()[0].1.link());
    seeds.insert("surrounded".into(), surrounded.into());
    seeds
}

pub fn intros() -> Seeds {
    let mut seeds = Seeds::new();
    for (what, bundle) in bundles_of_all_kinds() {
        let (intro, _) = Intro::make(&private_key(2), [7; 16], &bundle, &Name::new("Bob").expect("a name"));
        seeds.insert(what.into(), intro.to_json().as_str().into());
    }
    let (rad, ticket) = ("04".repeat(16), "05".repeat(16));
    seeds.insert("plaintext".into(), format!("{{\"name\":\"Bob\",\"rad\":\"{rad}\"}}").into());
    let with_ticket = format!("{{\"name\":\"\\u0001\",\"rad\":\"{rad}\",\"ticket\":\"{ticket}\"}}");
    seeds.insert("plaintext-ticket".into(), with_ticket.into());
    seeds
}

pub fn events() -> Seeds {
    let bundle = Bundle::port([3; 16].into(), public_key(1), rad());
    let (intro, _) = Intro::make(&private_key(2), [7; 16], &bundle, &Name::new("Bob").expect("a name"));
    let used = |kind| Happened::Used {
        kind,
        port_id: [3; 16].into(),
        line_id: [2; 16].into(),
        pair_hash: [6; 32].into(),
        intro: intro.clone(),
    };
    let content = UnauthenticatedKey::from_secret([9; 32].into()).seal([1; 16], "hello").expect("short");
    let happened = [
        ("port", used(PortKind::Port)),
        ("superport", used(PortKind::Superport)),
        ("contact-port", used(PortKind::ContactPort)),
        ("ended", Happened::Ended { line_id: [2; 16].into() }),
        ("message", Happened::Message { line_id: [2; 16].into(), content }),
    ];
    let mut seeds: Seeds = happened
        .into_iter()
        .map(|(what, happened)| {
            let event = Event { what: happened, timestamp: Some(UnixSeconds::new(1_800_000_000).expect("a time")) };
            (what.into(), event.to_json().as_str().into())
        })
        .collect();
    let ended = Event { what: Happened::Ended { line_id: [2; 16].into() }, timestamp: None }.to_json();
    let more = ended.as_str().replacen('{', "{\"x\":[\"\\ud800\",1e999],", 1);
    seeds.insert("ended-with-half-a-character".into(), more.into());
    seeds
}

/// One of each state, and something that happens to it.
pub fn machines() -> Seeds {
    let mut seeds = Seeds::new();
    let mut keep = |what: &str, record: &[u8], script: &[u8]| {
        seeds.insert(what.into(), with_script(record, script));
    };
    // Issued, cleared, paused, resumed, revoked.
    let requesting = Alice::request(PortOptions::new().policy(Policy::up_to(2)), Seed::from_bytes(&[1; 64]));
    let requesting = requesting.committed();
    keep("alice-requesting", &requesting.record(), &[4, 3, 0, 5, 0x41, 2, 5, 1, 2, 2, 0]);
    for (n, kind) in (0u8..).zip([PortKind::Port, PortKind::Superport, PortKind::ContactPort]) {
        let alice = app_machine::alice(kind, false);
        // Used by both who hold it, by one of them again, with a damaged message; then time.
        let uses = [6, n, 2, 2 * n, 0, 6, n, 4, 2 * n + 1, 4, 6, n, 5, 2 * n, 0, 6, n | 0x80, 6, 2 * n, 1, 99, 0];
        keep(&format!("alice-{kind:?}"), &alice.record(), &[&uses[..], &[3], &[255; 8], &[1, 0]].concat());
        let bob = app_machine::bob(kind, 2);
        keep(&format!("bob-{kind:?}"), &bob.record(), &[5, 7, 0, 0, 0]);
        keep(&format!("bob-{kind:?}-of-no-pair"), &bob.record(), &[5, 7, 0, 1, 0]);
        keep(&format!("bob-{kind:?}-cancels"), &bob.record(), &[2, 5, 7, 0, 0, 0]);
    }
    let scanned = app_machine::scanned(PortKind::Port, 2);
    keep("bob-scanned", &scanned.record(), &[4, 3, b'B', b'o', b'b', 5, 7, 0x10, 0, 0]);
    for asks in [false, true] {
        let mut alice = app_machine::alice(PortKind::Port, asks);
        let bob = app_machine::bob(PortKind::Port, 2);
        let Some(BobEffect::Send(port_protocol::app::Request::Connect { intro, .. })) = bob.pending().next() else {
            unreachable!("this Bob is connecting")
        };
        let (port_id, line_id, pair_hash) = ([3; 16].into(), [2; 16].into(), [2; 32].into());
        let what = Happened::Used { kind: PortKind::Port, port_id, line_id, pair_hash, intro: intro.clone() };
        let (event, now) = (Event { what, timestamp: None }, UnixSeconds::new(1_800_000_000).expect("a time"));
        let step = alice.handle(&event, &NoPeers, now, &mut fresh()).expect("a good one");
        let line = step.write().new_line.expect("a line").record;
        let what = if asks { "line-asked" } else { "line-open" };
        keep(what, &line, &[5, 2, b'h', b'i', 2, 5, 2, b'h', b'i', 4, 0, 0]);
        keep(&format!("{what}-declined"), &line, &[3, 1, 0, 5, 1, b'x']);
    }
    seeds
}
