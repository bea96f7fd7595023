//! Seeds of what Portals send each other, and of what they keep.

use port_protocol::portal::*;
use port_protocol::testkit::portal::{Choice, Schedule};
use port_protocol_fuzz::{fresh, rows, world::NOW};

use crate::Seeds;

pub fn messages() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |name: &str, how: u8, rest: &[u8]| seeds.insert(name.into(), [&[how], rest].concat());
    add("who-are-you", 0, &[0x82, 1, 0x81, 0]);
    add("refusal", 0, &[0x82, 1, 0x82, 6, 2]);
    let in_session = |ask: u8| ask | 0x80;
    add("asks-hello", 1, &[0x81, 0]);
    let request = |method: &str, body: &str| {
        let mut e = request_fields(method, body);
        e.splice(0..0, [0x82, 1]);
        e
    };
    add("asks-early", 1, &request("GET", ""));
    add("asks", in_session(1), &request("POST", "text"));
    for (name, say) in [
        ("says-hello", &[0x81, 0][..]),
        ("says-answer", &[0x82, 1, 0x83, 0x18, 200, 0x80, 0x82, 0x41, b'x', 0xf4]),
        ("says-continue", &[0x81, 2]),
        ("says-part", &[0x82, 3, 0x82, 0x41, b'x', 0xf5]),
        ("says-refused", &[0x82, 4, 1]),
        ("says-working", &[0x81, 5]),
    ] {
        add(name, 2, say);
    }
    let play = |choices: &[Choice]| Schedule(choices.into()).to_bytes();
    use Choice::{Again, Ask, Block, Crash, DeliverAll, Duplicate, Enter, Jump, Lie, Pass, Remove, Tick, Work};
    add("asked-twice", 3, &play(&[Ask(0, 0, 1), DeliverAll, Duplicate(1), Duplicate(0), Again(0, 0)]));
    add("parts", 3, &play(&[Ask(0, 0, 0b11111), DeliverAll, Ask(1, 0, 0b11111), DeliverAll]));
    add(
        "crashes",
        3,
        &play(&[Crash(1, 3), Ask(0, 0, 33), DeliverAll, Work(1, 0), Crash(0, 1), DeliverAll, Again(0, 0)]),
    );
    add("removed", 3, &play(&[Ask(0, 0, 0), DeliverAll, Remove(1, 0), Jump(1, 10), Tick(1), Jump(1, 0), Enter(1, 0)]));
    add("blocked", 3, &play(&[Ask(0, 0, 32), DeliverAll, Block(1, 0), Work(1, 0), Pass(10), DeliverAll]));
    add("lies", 3, &play(&[3, 7, 10, 12, 17].map(|how| Lie(0, how, 1))));
    seeds
}

/// `[[1790000000, nonce], "notes", method, "/peer", [], [body, false]]`.
fn request_fields(method: &str, body: &str) -> Vec<u8> {
    let text = |text: &str, kind: u8| [&[kind + text.len() as u8], text.as_bytes()].concat();
    let id = [&[0x82, 0x1a][..], &1_790_000_000_u32.to_be_bytes(), &[0x50], &[9; 16]].concat();
    let rest = [
        text("notes", 0x60),
        text(method, 0x60),
        text("/peer", 0x60),
        vec![0x80],
        vec![0x82],
        text(body, 0x40),
        vec![0xf4],
    ];
    [vec![0x86], id, rest.concat()].concat()
}

pub fn records() -> Seeds {
    let record = |write: Write| write.put()[0].record.to_vec();
    let mut rng = fresh();
    let [portal, other] =
        [(); 2].map(|()| record(Portal::create(PortalName::new("Ada's").expect("a name"), &mut rng).write()));
    let (own, mut other) = (Portal::restore(&portal).expect("its own"), Portal::restore(&other).expect("its own"));
    let address = PortalAddr::new("https://portal.example/port").ok();
    let entered = Peer::enter(&own, other.id(), address, PortalName::NONE, [], NOW).expect("another");
    let peer = record(entered.created.write());
    let mut peers = vec![("peer-entered", peer.clone())];
    let restored = || Peer::restore(&peer, []).expect("a peer");
    let Ok(Received::WhoAreYou(key)) = other.receive(&[0x82, 1, 0x81, 0], &mut Vec::new(), NOW) else {
        panic!("no key")
    };
    peers.push(("peer-verified", record(restored().looked_up(Some(&key), NOW).expect("entered").write())));
    peers.push(("peer-unreachable", record(restored().looked_up(None, NOW).expect("entered").write())));
    peers.push(("peer-blocked", record(restored().block().expect("entered").write())));
    peers.push(("peer-removed", record(restored().remove().write())));
    let (app, _) = App::install(AppName::new("notes").expect("a name"), &mut rng);
    let app = record(app.write());
    let mut all = App::restore(&app).expect("an app");
    let some = record(all.set_grant(Grant::Some([own.id(), other.id()].into())).expect("two").write());
    // `[1, 35, 0, [created, mark]]`, `[1, 36, 1, [created, nonce, app, answer]]`.
    let now = 1_790_000_000_u32.to_be_bytes();
    let opening = [&[0x84, 1, 0x18, 35, 0, 0x82, 0x1a][..], &now, &[0x50], &[1; 16]].concat();
    let request = |answer: &[u8]| {
        let revision = u8::from(!answer.is_empty());
        [&[0x84, 1, 0x18, 36, revision, 0x83 + revision, 0x1a][..], &now, &[0x50], &[2; 16], b"\x65notes", answer]
            .concat()
    };
    let mut seeds: Seeds = peers.iter().map(|(name, record)| ((*name).into(), rows(&[record]))).collect();
    seeds.insert("portal".into(), rows(&[&portal]));
    seeds.insert("app".into(), rows(&[&app]));
    seeds.insert("app-some".into(), rows(&[&some]));
    let (working, answered) = (request(&[]), request(&[0x4a, 0x82, 1, 0x83, 0x18, 200, 0x80, 0x82, 0x41, b'x', 0xf4]));
    seeds.insert("peer-and-memory".into(), rows(&[&peers[1].1, &opening, &working]));
    seeds.insert("peer-and-answer".into(), rows(&[&peers[1].1, &answered]));
    seeds
}
