//! §18.12: records of Portals, apps, peers and of what was taken from them. `tests/records/portal/` has a file for each version of this crate, as
//! `tests/records/` has for the other machines: what any version ever wrote, every later one restores.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use port_protocol::RestoreError;
use port_protocol::portal::*;

use super::super::stranger::PROLOGUE;
use super::super::world::{NOW, Store, app_name, later};
use super::play::Play;
use super::{CALLEE, CALLER, OTHER, id_of, list, message, public};
use crate::common::cbor::Cbor;
use crate::common::rng::rng_from;

/// A peer's record is that short while its times lie before 2106, and its revision is below 2³².
const MAX_PEER: usize = 200;

fn name(text: &str) -> PortalName {
    PortalName::new(text).unwrap()
}

/// As long as an address may be.
fn longest_address() -> PortalAddr {
    let text = format!("https://{}.example/p", "a".repeat(54));
    assert!(PortalAddr::new(&format!("{text}a")).is_err());
    PortalAddr::new(&text).unwrap()
}

/// A peer with all that it can have: what it said of itself, a floor, a retry, and blocked.
fn longest() -> Play {
    let mut play = Play::new();
    let payload = list([Cbor::Uint(NOW.as_secs()), Cbor::Text("x".repeat(32)), list([Cbor::Uint(0)])]).write();
    let opening = play.forge(PROLOGUE, CALLER, CALLEE, &payload);
    play.take(NOW, &opening);
    play.tick(later(660));
    let side = &mut play.sides[1];
    let (peer, store) = (&mut side.peer, &mut side.store);
    let Ok(()) = peer.set_address(longest_address(), NOW).store(|write| store.keep(write));
    for _ in 0..12 {
        let Ok(_) = peer.unreachable(NOW).unwrap().store(|write| store.keep(write));
    }
    let Ok(()) = peer.rename(name(&"y".repeat(32))).store(|write| store.keep(write));
    let Ok(()) = peer.block().unwrap().store(|write| store.keep(write));
    play
}

/// What a caller sees of the machine in a record.
fn seen(record: &[u8], peer: &[u8]) -> String {
    if let Ok(portal) = Portal::restore(record) {
        return format!("Portal {} {:?}", portal.id(), portal.name().as_str());
    }
    if let Ok(app) = App::restore(record) {
        return format!("App {} {:?}", app.name().as_str(), app.grant());
    }
    let show = |peer: Peer| {
        let names = [peer.name(), peer.own_name()].map(PortalName::as_str);
        format!("{peer:?} {:?} {names:?} {:?} {:?}", peer.address(), peer.public_key(), peer.deadline())
    };
    if let Ok(peer) = Peer::restore(record, []) {
        return show(peer);
    }
    show(Peer::restore(peer, [record]).unwrap())
}

/// By the state they are of.
type File = BTreeMap<String, (String, String)>;

/// The records of today.
pub fn of_today() -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut store = Store::default();
    let Ok(portal) = Portal::create(name("Ada's"), &mut rng_from(CALLER[0])).store(|write| store.keep(write));
    let record = |store: &Store, key: &[&[u8]]| store.0[&key.concat()].1.clone();
    all.insert("Portal".into(), record(&store, &[&[1]]));

    let (created, _) = App::install(app_name(), &mut rng_from(7));
    let Ok(mut app) = created.store(|write| store.keep(write));
    let of_app = [&[3][..], b"notes"];
    all.insert("App, none".into(), record(&store, &of_app));
    let some = BTreeSet::from([CALLEE, OTHER].map(id_of));
    for (state, grant) in
        [("App, some", Grant::Some(some)), ("App, nobody", Grant::Some(BTreeSet::new())), ("App, all", Grant::All)]
    {
        let Ok(()) = app.set_grant(grant).unwrap().store(|write| store.keep(write));
        all.insert(state.into(), record(&store, &of_app));
    }

    let id = id_of(CALLEE);
    let of_peer = [&[2][..], id.as_bytes()];
    let address = PortalAddr::new("https://other.example/portal").unwrap();
    for (state, address) in [("Peer, entered without an address", None), ("Peer, entered", Some(address))] {
        store = Store::default();
        let Entered { created, .. } = Peer::enter(&portal, id, address, name("a friend"), [], NOW).unwrap();
        let Ok(mut peer) = created.store(|write| store.keep(write));
        all.insert(state.into(), record(&store, &of_peer));
        if peer.address().is_none() {
            continue;
        }
        let keep = |step: Step<'_, Peer, LookedUp>, store: &mut Store| step.store(|write| store.keep(write));
        let Ok(_) = keep(peer.looked_up(None, NOW).unwrap(), &mut store);
        all.insert("Peer, unreachable".into(), record(&store, &of_peer));
        let key = message(1, [Cbor::Bytes(public(CALLEE).to_vec())]);
        let Ok(_) = keep(peer.looked_up(Some(&key), NOW).unwrap(), &mut store);
        all.insert("Peer, verified".into(), record(&store, &of_peer));
        let Ok(()) = peer.block().unwrap().store(|write| store.keep(write));
        all.insert("Peer, blocked".into(), record(&store, &of_peer));
        let Ok(()) = peer.remove().store(|write| store.keep(write));
        all.insert("Peer, removed".into(), record(&store, &of_peer));
    }
    let play = longest();
    all.insert("Peer, the longest".into(), record(&play.sides[1].store, &[&[2], id_of(CALLER).as_bytes()]));
    all.extend(memory());
    all
}

/// What was taken: an Opening, a request, a request with its answer.
fn memory() -> BTreeMap<String, Vec<u8>> {
    let play = super::plays::taken_and_answered();
    let mut all = BTreeMap::new();
    for step in &play {
        for row in step["write"]["put"].as_array().into_iter().flatten() {
            let (key, record) = (row["key"].as_str().unwrap(), row["record"].as_str().unwrap());
            let state = match (&key[..2], row["revision"].as_u64()) {
                ("04", _) => "Opening",
                ("05", Some(0)) => "Request",
                ("05", _) => "Request, answered",
                _ => continue,
            };
            all.insert(state.into(), hex::decode(record).unwrap());
        }
    }
    all
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/portal")
}

fn present() -> PathBuf {
    folder().join(concat!(env!("CARGO_PKG_VERSION"), ".json"))
}

/// `PORT_PROTOCOL_BLESS=1` writes the file of this version. One that is published stands as it is.
#[test]
fn r18_12_every_record_ever_written_is_restored_as_what_it_was() {
    let today = of_today();
    if env::var_os("PORT_PROTOCOL_BLESS").is_some() {
        let peer = &today["Peer, verified"];
        let file: File =
            today.iter().map(|(state, record)| (state.clone(), (hex::encode(record), seen(record, peer)))).collect();
        fs::create_dir_all(folder()).unwrap();
        fs::write(present(), serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
    }
    let mut count = 0;
    for path in fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        let file: File = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let peer = hex::decode(&file["Peer, verified"].0).unwrap();
        for (state, (record, known)) in &file {
            let record = hex::decode(record).unwrap();
            assert_eq!(&seen(&record, &peer), known, "{}: {state}", path.display());
            // Another version, another role, something behind it.
            for damaged in [[&record[..1], &[2], &record[2..]].concat(), [&record[..], &[0]].concat()] {
                assert!(Portal::restore(&damaged).is_err() && App::restore(&damaged).is_err());
                assert!(Peer::restore(&damaged, []).is_err() && Peer::restore(&peer, [&damaged[..]]).is_err());
            }
            count += 1;
        }
        if path == present() {
            assert_eq!(file.keys().collect::<Vec<_>>(), today.keys().collect::<Vec<_>>(), "another state: bless");
        }
    }
    assert!(count >= 14, "{count}");
    let newer = [&[0x84, 2][..], b"whatever"].concat();
    let errors = [Portal::restore(&newer).err(), App::restore(&newer).err(), Peer::restore(&newer, []).err()];
    assert_eq!(errors, [Some(RestoreError::UnsupportedVersion); 3]);
}

/// R18.4.1: with all that it can have, and the greatest revision that it is ever written with.
#[test]
fn r18_4_the_longest_record_of_a_peer_has_at_most_200_bytes() {
    let longest = &of_today()["Peer, the longest"];
    let mut record = Cbor::read(longest);
    // Each time takes five bytes, as all from 1970 on until 2106 do at most; and so does the revision.
    let Cbor::Array(layout) = &mut record else { panic!("no record") };
    layout[2] = Cbor::Uint(u32::MAX.into());
    let Cbor::Array(state) = &layout[3] else { panic!("no state") };
    let [key, address, own, other] =
        [state[0].at(&[1]), &state[1], &state[2], &state[3]].map(|field| field.write().len());
    assert_eq!([key, address, own, other], [34, 66, 34, 34]);
    let times = [&state[5], state[6].at(&[1])].map(|time| time.write().len());
    assert_eq!((state.len(), times), (7, [5; 2]));
    let record = record.write();
    assert!(Peer::restore(&record, []).is_ok_and(|peer| peer.is_blocked()));
    assert!(record.len() <= MAX_PEER, "{}", record.len());
}
