//! Messages that must be refused, each with what comes of it. Each differs in one thing from one that is taken.

use port_protocol::portal::*;
use serde_json::{Value, json};

use super::super::stranger::{self, Key, PROLOGUE, public};
use super::super::world::{NOW, who_are_you};
use super::play::{Play, What};
use super::{CALLEE, CALLER, OTHER, list, message};
use crate::common::cbor::Cbor;

/// X25519 yields zeros with each of these, whatever the private key (§2.3).
const LOW_ORDER: [&str; 3] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
];
/// The prime, which stands for zero: not canonical, and of low order.
const PRIME: &str = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";

fn key(hex: &str) -> Key {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn text(text: &str) -> Cbor {
    Cbor::Text(text.into())
}

fn opening(created: u64, name: &str, ask: Cbor) -> Vec<u8> {
    list([Cbor::Uint(created), text(name), ask]).write()
}

fn hello() -> Vec<u8> {
    opening(NOW.as_secs(), "Ada's", list([Cbor::Uint(0)]))
}

fn id() -> Cbor {
    list([Cbor::Uint(NOW.as_secs()), Cbor::Bytes(vec![7; 16])])
}

fn part(bytes: &[u8], more: bool) -> Cbor {
    list([Cbor::Bytes(bytes.to_vec()), Cbor::Bool(more)])
}

/// A request in an Opening.
fn request([app, method, target]: [&str; 3], headers: &[[&str; 2]], part: Cbor) -> Vec<u8> {
    let headers = list(headers.iter().map(|pair| list(pair.map(text))));
    let request = list([id(), text(app), text(method), text(target), headers, part]);
    opening(NOW.as_secs(), "Ada's", list([Cbor::Uint(1), request]))
}

fn get(headers: &[[&str; 2]]) -> Vec<u8> {
    request(["notes", "GET", "/pub"], headers, part(b"", false))
}

/// What comes of a payload in an Opening that is good but for it.
fn of_payload(payload: &[u8]) -> Value {
    let mut play = Play::new();
    let message = play.forge(PROLOGUE, CALLER, CALLEE, payload);
    play.take(NOW, &message);
    play.shown(false)
}

fn of_message(message: &[u8]) -> Value {
    let mut play = Play::new();
    play.take(NOW, message);
    play.shown(false)
}

/// An Opening by other hands.
fn forged(prologue: &[u8], private: Key, to: Key) -> Value {
    let mut play = Play::new();
    let message = play.forge(prologue, private, to, &hello());
    play.take(NOW, &message);
    play.shown(false)
}

pub fn refused() -> Vec<(String, Value)> {
    let now = NOW.as_secs();
    let good = stranger::opening(PROLOGUE, CALLER, public(CALLEE), OTHER, &hello()).0;
    let sent = message(2, [Cbor::Bytes(good.clone())]);
    let other = |at: usize| {
        let mut other = good.clone();
        other[at] ^= 1;
        of_message(&message(2, [Cbor::Bytes(other)]))
    };
    let header = |pair: [&str; 2]| of_payload(&get(&[pair]));
    let long = |length: usize| "x".repeat(length);
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| all.push((name.to_owned(), value));

    // What stands outside of Noise.
    add("a message with bytes behind it", of_message(&[&sent[..], &[0]].concat()));
    add("a message that is cut", of_message(&sent[..sent.len() - 1]));
    add("a message of version 2", of_message(&[&[0x82, 2], &sent[2..]].concat()));
    add("a version in two bytes", of_message(&[&[0x82, 0x18, 1], &sent[2..]].concat()));
    add("a number in two bytes", of_message(&[&sent[..3], &[0x18, 2], &sent[4..]].concat()));
    add("an array of indefinite length", of_message(&[&[0x9f, 1], &sent[2..], &[0xff]].concat()));
    add("a message of number 7", of_message(&message(7, [Cbor::Bytes(good.clone())])));
    add("IAm, to a callee", of_message(&message(1, [Cbor::Bytes(public(CALLER).to_vec())])));
    add("Opened, to a callee", of_message(&message(3, [Cbor::Bytes(good.clone())])));
    add("an Opening with a field more", of_message(&message(2, [Cbor::Bytes(good.clone()), Cbor::Null])));
    add(
        "an Exchange of no session",
        of_message(&message(4, [Cbor::Bytes(vec![1; 16]), Cbor::Uint(0), Cbor::Bytes(vec![0; 20])])),
    );
    add(
        "a session's name of 15 bytes",
        of_message(&message(4, [Cbor::Bytes(vec![1; 15]), Cbor::Uint(0), Cbor::Bytes(vec![0; 20])])),
    );
    add("nothing", of_message(&[]));

    // Noise.
    add("by a stranger", forged(PROLOGUE, OTHER, CALLEE));
    add("to another key", forged(PROLOGUE, CALLER, OTHER));
    add("another prologue", forged(b"port-protocol portal 2", CALLER, CALLEE));
    add("no prologue", forged(b"", CALLER, CALLEE));
    for (at, name) in
        [(0, "another ephemeral key"), (40, "a static key that is changed"), (100, "a payload that is changed")]
    {
        add(name, other(at));
    }
    add("an Opening of 95 bytes", of_message(&message(2, [Cbor::Bytes(good[..95].to_vec())])));
    for hex in LOW_ORDER.into_iter().chain([PRIME]) {
        let zero = [0; 32];
        let caller = public(CALLER);
        let e = public(OTHER);
        let [es, ss] = [OTHER, CALLER].map(|private| x25519_dalek::x25519(private, public(CALLEE)));
        let of_e = stranger::opening_of(public(CALLEE), [key(hex), zero], [caller, ss], &hello());
        let of_s = stranger::opening_of(public(CALLEE), [e, es], [key(hex), zero], &hello());
        add(&format!("an ephemeral key of low order, {}", &hex[..8]), of_message(&message(2, [Cbor::Bytes(of_e)])));
        add(&format!("a static key of low order, {}", &hex[..8]), of_message(&message(2, [Cbor::Bytes(of_s)])));
    }

    // The payload.
    let payload = hello();
    add("a payload with bytes behind it", of_payload(&[&payload[..], &[0]].concat()));
    add("a time in nine bytes", of_payload(&[&payload[..1], &[0x1b, 0, 0, 0, 0], &payload[2..]].concat()));
    add("no ask", of_payload(&list([Cbor::Uint(now), text("Ada's")]).write()));
    add("an ask of number 4", of_payload(&opening(now, "Ada's", list([Cbor::Uint(4)]))));
    add("Hello with a field more", of_payload(&opening(now, "Ada's", list([Cbor::Uint(0), Cbor::Null]))));
    add("a name of 33 bytes", of_payload(&opening(now, &long(33), list([Cbor::Uint(0)]))));
    add("a name that turns the direction", of_payload(&opening(now, "a\u{202e}b", list([Cbor::Uint(0)]))));
    add("a time after the year 9999", of_payload(&opening(253_402_300_800, "Ada's", list([Cbor::Uint(0)]))));
    add("created 601 seconds ago", of_payload(&opening(now - 601, "Ada's", list([Cbor::Uint(0)]))));
    add("created in 61 seconds", of_payload(&opening(now + 61, "Ada's", list([Cbor::Uint(0)]))));

    // The request.
    for (name, pair) in [
        ("a cookie", ["cookie", "a=b"]),
        ("a credential", ["authorization", "Basic"]),
        ("a host", ["host", "other.example"]),
        ("who asks", ["portal-peer-id", "me"]),
        ("who asks, as freeshard says it", ["x-ptl-client-id", "me"]),
        ("a header in upper case", ["Accept", "text/plain"]),
        ("a header app- without more", ["app-", "a"]),
        ("a value with a line end", ["app-a", "a\r\nb"]),
        ("a value beyond ASCII", ["app-a", "ä"]),
        ("a value with a space at its end", ["app-a", "a "]),
    ] {
        add(name, header(pair));
    }
    add("a header twice", of_payload(&get(&[["accept", "a"], ["accept", "b"]])));
    let names: Vec<_> = (0..65).map(|at| format!("app-{at}")).collect();
    let many: Vec<_> = names.iter().map(|name| [&**name, "a"]).collect();
    add("65 headers", of_payload(&get(&many)));
    for (name, [app, method, target]) in [
        ("an app in upper case", ["Notes", "GET", "/pub"]),
        ("an app without a name", ["", "GET", "/pub"]),
        ("an app of 64 characters", [&*long(64), "GET", "/pub"]),
        ("CONNECT", ["notes", "CONNECT", "/pub"]),
        ("TRACE", ["notes", "TRACE", "/pub"]),
        ("a method in lower case", ["notes", "get", "/pub"]),
        ("a method of 17 letters", ["notes", "AAAAAAAAAAAAAAAAA", "/pub"]),
        ("a target without a slash", ["notes", "GET", "pub"]),
        ("a target that is not canonical", ["notes", "GET", "/pub/%7e"]),
        ("a target with a dot segment", ["notes", "GET", "/pub/../peer"]),
    ] {
        add(name, of_payload(&request([app, method, target], &[], part(b"", false))));
    }
    // Taken, and refused as too early.
    for method in ["POST", "PUT", "DELETE"] {
        let early = request(["notes", method, "/pub"], &[], part(b"", false));
        add(&format!("{method} in an Opening"), of_payload(&early));
    }
    add("a body in an Opening", of_payload(&request(["notes", "GET", "/pub"], &[], part(b"a", false))));
    add("more to come in an Opening", of_payload(&request(["notes", "GET", "/pub"], &[], part(b"", true))));
    let body_part = list([Cbor::Uint(2), id(), text("notes"), Cbor::Uint(1), part(b"a", false)]);
    add("a BodyPart in an Opening", of_payload(&opening(now, "Ada's", body_part)));
    add(
        "More in an Opening",
        of_payload(&opening(now, "Ada's", list([Cbor::Uint(3), id(), text("notes"), Cbor::Uint(1)]))),
    );
    add("another app, that is not there", of_payload(&request(["other", "GET", "/pub"], &[], part(b"", false))));

    assert!(all.iter().all(|(name, steps)| steps[0]["delivered"].is_null() && is_refused(name, &steps[0])));
    taken().into_iter().chain(all).chain(heard()).collect()
}

fn is_refused(name: &str, step: &Value) -> bool {
    let is = step["refusal"].is_u64() || step["say"][0] == 4;
    assert!(is, "{name}: {step}");
    is
}

/// Those that are taken, at the edge.
fn taken() -> Vec<(String, Value)> {
    let now = NOW.as_secs();
    let all = [
        ("taken: Hello", hello()),
        ("taken: a name of 32 bytes", opening(now, &"x".repeat(32), list([Cbor::Uint(0)]))),
        ("taken: created 600 seconds ago", opening(now - 600, "Ada's", list([Cbor::Uint(0)]))),
        ("taken: created in 60 seconds", opening(now + 60, "Ada's", list([Cbor::Uint(0)]))),
        ("taken: a GET", get(&[["accept", "text/plain"], ["app-a", "a b\tc"]])),
        ("taken: HEAD", request(["notes", "HEAD", "/pub"], &[], part(b"", false))),
        ("taken: OPTIONS", request(["notes", "OPTIONS", "/peer/x?y=%2f"], &[], part(b"", false))),
    ];
    all.into_iter()
        .map(|(name, payload)| {
            let steps = of_payload(&payload);
            assert!(steps[0]["refusal"].is_null() && steps[0]["say"][0] != 4, "{name}");
            (name.to_owned(), steps)
        })
        .collect()
}

/// What a caller does not take for its peer's answer.
fn heard() -> Vec<(String, Value)> {
    let mut play = Play::new();
    let id = play.draw_id(NOW);
    let what = What::Request(id, "GET", "/pub", &[], Part::EMPTY);
    let mut sent = play.ask(NOW, &what);
    let mut taken = play.take(NOW, &sent.message);
    let (noise, ephemeral) = play.handshake.clone().unwrap();
    let answer = |status: u64| list([Cbor::Uint(1), list([Cbor::Uint(status), list([]), part(b"", false)])]);
    let opened = |caller: Key, name: &str, say: Cbor| {
        let payload = list([Cbor::Bytes(vec![9; 16]), text(name), say]).write();
        // `ee` and `se` by the private keys of the caller would be by the callee's ephemeral one.
        let keys = [caller, ephemeral].map(public);
        message(3, [Cbor::Bytes(stranger::opened(noise.clone(), keys, OTHER, &payload))])
    };
    let forged = [
        opened(OTHER, "Ben's", answer(200)),
        opened(CALLER, &"x".repeat(33), answer(200)),
        opened(CALLER, "Ben's", answer(199)),
        opened(CALLER, "Ben's", answer(600)),
        opened(CALLER, "Ben's", list([Cbor::Uint(6)])),
        message(5, [Cbor::Bytes(vec![0; 20])]),
        message(0, []),
    ];
    for message in &forged {
        play.hear(NOW, &mut sent, message);
    }
    play.answer(NOW, &mut taken, &super::super::world::answer(b"true"));
    let mut other = taken.reply.clone();
    *other.last_mut().unwrap() ^= 1;
    play.hear(NOW, &mut sent, &other);
    play.hear(NOW, &mut sent, &taken.reply);
    // A second time: the numbers of the session would begin again.
    play.hear(NOW, &mut sent, &taken.reply);
    let mut sent: Vec<_> = (0..2).map(|_| play.ask(NOW, &what)).collect();
    let replies: Vec<_> = sent.iter().map(|sent| play.take(NOW, &sent.message).reply).collect();
    // The Reply to another number.
    play.hear(NOW, &mut sent[0], &replies[1]);
    play.hear(NOW, &mut sent[1], &replies[1]);
    play.hear(NOW, &mut sent[0], &replies[0]);
    vec![("answers that are not the peer's".into(), play.shown(false)), ("IAm".into(), looked_up())]
}

/// What comes of an answer to WhoAreYou.
fn looked_up() -> Value {
    let answers = [
        message(1, [Cbor::Bytes(public(CALLEE).to_vec())]),
        message(1, [Cbor::Bytes(public(OTHER).to_vec())]),
        message(1, [Cbor::Bytes(key(LOW_ORDER[1]).to_vec())]),
        message(1, [Cbor::Bytes(key(PRIME).to_vec())]),
        message(1, [Cbor::Bytes(public(CALLEE)[..31].to_vec())]),
        message(0, []),
    ];
    answers
        .into_iter()
        .map(|answer| {
            let [mut caller, mut callee] = Play::new().sides;
            assert_eq!(who_are_you(&mut callee.portal), message(1, [Cbor::Bytes(public(CALLEE).to_vec())]));
            let Ok(outcome) = caller.peer.looked_up(Some(&answer), NOW).unwrap().store(|write| caller.store.keep(write));
            json!({ "by": "caller", "does": "look up", "message": hex::encode(answer), "outcome": format!("{outcome:?}") })
        })
        .collect()
}
