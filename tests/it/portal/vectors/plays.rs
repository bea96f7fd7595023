//! What two Portals say to each other when all goes well, and when something is lost.

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use serde_json::Value;

use super::super::world::{NOW, later};
use super::play::{Play, What};
use super::{CALLEE, CALLER, list, message};
use crate::common::cbor::Cbor;

pub fn plays() -> Vec<(String, Value)> {
    let plays: [(_, fn() -> _); 11] = [
        ("a worked example", worked_example),
        ("numbers, and keys after them", numbers),
        ("the first number of a session", first_number),
        ("a session first, and a body in parts", parts),
        ("asked again while the app works", working),
        ("interrupted", interrupted),
        ("not served, stale, malformed", reasons),
        ("full", full),
        ("busy", busy),
        ("replayed, and forgotten", replayed),
        ("blocked", blocked),
    ];
    plays.into_iter().map(|(name, play)| (name.to_owned(), Play::shown(play(), name == "a worked example"))).collect()
}

fn says(body: &[u8]) -> Answer<'_> {
    let headers = Headers::carried([("content-type", "text/plain")]).unwrap();
    Answer { status: Status::OK, headers, body: Part::last(body).unwrap() }
}

/// Asks, and the app answers at once.
fn exchange(play: &mut Play, now: UnixSeconds, what: &What<'_>, answer: &Answer<'_>) {
    let mut sent = play.ask(now, what);
    let mut taken = play.take(now, &sent.message);
    play.answer(now, &mut taken, answer);
    play.hear(now, &mut sent, &taken.reply);
}

/// Asks, and nothing reaches the app.
fn refused(play: &mut Play, now: UnixSeconds, what: &What<'_>) {
    let mut sent = play.ask(now, what);
    let taken = play.take(now, &sent.message);
    play.hear(now, &mut sent, &taken.reply);
}

/// WhoAreYou; a GET in an Opening; a POST in Exchange 0, and what is done in Exchange 1.
fn worked_example() -> Play {
    let mut play = Play::new();
    play.take(NOW, &message(0, []));
    let id = play.draw_id(NOW);
    exchange(
        &mut play,
        NOW,
        &What::Request(id, "GET", "/peer/list?all", &[("accept", "text/plain")], Part::EMPTY),
        &says(b"milk"),
    );
    let (id, body) = (play.draw_id(later(1)), Part::last(b"bread").unwrap());
    let post = What::Request(id, "POST", "/peer/add", &[("content-type", "text/plain")], body);
    exchange(&mut play, later(1), &post, &says(b"added"));
    play.done(id);
    let id = play.draw_id(later(2));
    let headers = [("app-step", "3"), ("content-type", "text/plain"), ("if-match", "\"1\"")];
    exchange(&mut play, later(2), &What::Request(id, "DELETE", "/peer/list/1", &headers, Part::EMPTY), &says(b""));
    play
}

/// The steps of one in which an Opening and a request were taken, and the request was answered.
pub fn taken_and_answered() -> Vec<Value> {
    worked_example().steps
}

/// The session of `play` is open.
fn hello(play: &mut Play, now: UnixSeconds) {
    let id = play.draw_id(now);
    refused(play, now, &What::Request(id, "POST", "/peer/add", &[], Part::EMPTY));
}

/// Numbers up to 1,025, around the first rekeying, out of order; and those that are not taken.
fn numbers() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    for _ in 0..2 {
        let id = play.draw_id(NOW);
        exchange(&mut play, NOW, &What::Request(id, "GET", "/pub", &[], Part::EMPTY), &says(b"0, 1"));
    }
    let unknown = play.draw_id(NOW);
    play.lose(NOW, 1_021, unknown);
    let mut sent = [1_023, 1_024, 1_025].map(|_| {
        let id = play.draw_id(NOW);
        play.ask(NOW, &What::Request(id, "GET", "/pub/x", &[], Part::EMPTY))
    });
    for at in [1, 0, 2] {
        let mut taken = play.take(NOW, &sent[at].message);
        play.answer(NOW, &mut taken, &says(b"around"));
        play.hear(NOW, &mut sent[at], &taken.reply);
    }
    // Taken before.
    play.take(NOW, &sent[0].message);
    let session = Cbor::read(&sent[0].message).at(&[1, 1]).bytes().to_vec();
    let hello = list([list([]), list([Cbor::Uint(0)])]).write();
    // 64 below the greatest, 63 below it; more than 1,024 above it, and no more.
    for number in [961, 962, 2_050, 2_049, 2_048] {
        let message = play.forge_exchange(&session, number, &hello);
        play.take(NOW, &message);
    }
    // After 24 hours.
    let message = play.forge_exchange(&session, 2_051, &hello);
    play.take(later(24 * 60 * 60), &message);
    play
}

/// The first may be 1,023, and no more: it is as if −1 had been taken.
fn first_number() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    let session = session_of(&play);
    let hello = list([list([]), list([Cbor::Uint(0)])]).write();
    for number in [1_024, 1_023, 1_024, 959, 960] {
        let message = play.forge_exchange(&session, number, &hello);
        play.take(NOW, &message);
    }
    play
}

fn parts() -> Play {
    let mut play = Play::new();
    let id = play.draw_id(NOW);
    let [first, second] = [&b"one "[..], b"two "].map(|bytes| Part::with_more(bytes).unwrap());
    let post = What::Request(id, "POST", "/peer/upload", &[], first);
    refused(&mut play, NOW, &post);
    let mut sent = play.ask(NOW, &post);
    let mut taken = play.take(NOW, &sent.message);
    play.proceed(NOW, &mut taken);
    play.hear(NOW, &mut sent, &taken.reply);
    // Out of order.
    refused(&mut play, NOW, &What::BodyPart(id, 2, second));
    let mut sent = play.ask(NOW, &What::BodyPart(id, 1, second));
    let mut taken = play.take(NOW, &sent.message);
    play.proceed(NOW, &mut taken);
    play.hear(NOW, &mut sent, &taken.reply);
    // The reply was lost.
    refused(&mut play, NOW, &What::BodyPart(id, 1, second));
    let answer = Answer { body: Part::with_more(b"three ").unwrap(), ..says(b"") };
    exchange(&mut play, NOW, &What::BodyPart(id, 2, Part::last(b"three").unwrap()), &answer);
    exchange(&mut play, NOW, &What::More(id, 1), &Answer { body: Part::with_more(b"two ").unwrap(), ..answer.clone() });
    refused(&mut play, NOW, &What::More(id, 1));
    exchange(&mut play, NOW, &What::More(id, 2), &says(b"one"));
    refused(&mut play, NOW, &What::More(id, 1));
    // The answer is given again; its rest is in memory only.
    play.crash();
    let mut sent = play.ask(NOW, &What::More(id, 2));
    let taken = play.take(NOW, &sent.message);
    play.hear(NOW, &mut sent, &taken.reply);
    hello(&mut play, later(1));
    refused(&mut play, later(1), &What::Request(id, "POST", "/peer/upload", &[], first));
    refused(&mut play, later(1), &What::More(id, 1));
    play
}

fn working() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    let id = play.draw_id(NOW);
    let get = What::Request(id, "GET", "/peer", &[], Part::EMPTY);
    let mut sent = play.ask(NOW, &get);
    let mut taken = play.take(NOW, &sent.message);
    refused(&mut play, NOW, &get);
    play.answer(NOW, &mut taken, &says(b"done"));
    play.hear(NOW, &mut sent, &taken.reply);
    // The same answer, under another number.
    refused(&mut play, NOW, &get);
    // Another app does not get it.
    let session = session_of(&play);
    let id = list([Cbor::Uint(NOW.as_secs()), Cbor::Bytes(id.to_bytes()[8..].to_vec())]);
    let [other, get, target] = ["other", "GET", "/peer"].map(|text| Cbor::Text(text.into()));
    let empty = list([Cbor::Bytes(vec![]), Cbor::Bool(false)]);
    let request = list([id.clone(), other.clone(), get, target, list([]), empty]);
    for (number, ask) in [(3, list([Cbor::Uint(1), request])), (4, list([Cbor::Uint(3), id, other, Cbor::Uint(1)]))] {
        let message = play.forge_exchange(&session, number, &list([list([]), ask]).write());
        play.take(NOW, &message);
    }
    play
}

fn interrupted() -> Play {
    let mut play = Play::new();
    let id = play.draw_id(NOW);
    let get = What::Request(id, "GET", "/peer", &[], Part::EMPTY);
    let sent = play.ask(NOW, &get);
    play.take(NOW, &sent.message);
    play.crash();
    refused(&mut play, NOW, &get);
    play
}

fn reasons() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    for target in ["/", "/private", "/peerless"] {
        let id = play.draw_id(NOW);
        refused(&mut play, NOW, &What::Request(id, "GET", target, &[], Part::EMPTY));
    }
    let id = play.draw_id(NOW);
    let get = What::Request(id, "GET", "/peer", &[], Part::EMPTY);
    refused(&mut play, later(601), &get);
    exchange(&mut play, later(600), &get, &says(b"just in time"));
    let id = play.draw_id(later(661));
    let mut sent = play.ask(later(661), &What::Request(id, "GET", "/peer", &[], Part::EMPTY));
    let taken = play.take(later(600), &sent.message);
    play.hear(later(661), &mut sent, &taken.reply);
    refused(&mut play, later(661), &What::BodyPart(id, 1, Part::EMPTY));
    refused(&mut play, later(661), &What::More(id, 1));
    play
}

fn id(number: u8) -> Cbor {
    list([Cbor::Uint(NOW.as_secs()), Cbor::Bytes(vec![number; 16])])
}

/// 64 requests, each answered; one more; and one after another is named as done.
fn full() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    let session = session_of(&play);
    let empty = || list([Cbor::Bytes(vec![]), Cbor::Bool(false)]);
    let request = |at: u8| {
        list([
            id(at),
            Cbor::Text("notes".into()),
            Cbor::Text("GET".into()),
            Cbor::Text("/pub".into()),
            list([]),
            empty(),
        ])
    };
    for at in 0..66 {
        let done = list((at == 65).then(|| Cbor::Bytes(vec![7; 16])));
        let payload = list([done, list([Cbor::Uint(1), request(at)])]).write();
        let message = play.forge_exchange(&session, at.into(), &payload);
        let mut taken = play.take(NOW, &message);
        if at != 64 {
            play.answer(NOW, &mut taken, &says(b""));
        }
    }
    play
}

/// 64 Openings, and one more.
fn busy() -> Play {
    let mut play = Play::new();
    let payload = list([Cbor::Uint(NOW.as_secs()), Cbor::Text("Ada's".into()), list([Cbor::Uint(0)])]).write();
    for _ in 0..65 {
        let message = play.forge(super::super::stranger::PROLOGUE, CALLER, CALLEE, &payload);
        play.take(NOW, &message);
    }
    play
}

/// The session's name, of the last Opened.
fn session_of(play: &Play) -> Vec<u8> {
    let session = play.steps.iter().rev().find_map(|step| step.get("session")).unwrap();
    hex::decode(&session.as_str().unwrap()[..32]).unwrap()
}

fn replayed() -> Play {
    let mut play = Play::new();
    let id = play.draw_id(NOW);
    let mut sent = play.ask(NOW, &What::Request(id, "GET", "/peer", &[], Part::EMPTY));
    let mut taken = play.take(NOW, &sent.message);
    play.answer(NOW, &mut taken, &says(b"once"));
    play.hear(NOW, &mut sent, &taken.reply);
    play.take(NOW, &sent.message);
    play.crash();
    play.take(later(600), &sent.message);
    // Still remembered, so it is unknown and not too old.
    play.take(later(659), &sent.message);
    play.tick(later(660));
    // The clock is set back.
    play.take(NOW, &sent.message);
    let payload = |created: u64| list([Cbor::Uint(created), Cbor::Text("Ada's".into()), list([Cbor::Uint(0)])]).write();
    for created in [NOW.as_secs(), NOW.as_secs() + 1] {
        let message = play.forge(super::super::stranger::PROLOGUE, CALLER, CALLEE, &payload(created));
        play.take(NOW, &message);
    }
    play
}

fn blocked() -> Play {
    let mut play = Play::new();
    hello(&mut play, NOW);
    let id = play.draw_id(NOW);
    let sent = play.ask(NOW, &What::Request(id, "GET", "/peer", &[], Part::EMPTY));
    let mut taken = play.take(NOW, &sent.message);
    play.block();
    play.answer(NOW, &mut taken, &says(b"too late"));
    let id = play.draw_id(NOW);
    refused(&mut play, NOW, &What::Request(id, "GET", "/peer", &[], Part::EMPTY));
    let id = play.draw_id(NOW);
    refused(&mut play, NOW, &What::Request(id, "GET", "/peer", &[], Part::EMPTY));
    play
}
