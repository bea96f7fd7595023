//! §8.6: what any version ever wrote, every later one restores.
//!
//! `tests/records/` has a file for each version of this crate, with a record of every state that its machines had.
//! `PORT_PROTOCOL_BLESS=1 cargo test --test it records::` writes that of the present version. Once that version is published, its file
//! stands as it is: **files are only ever added**. A change that fails on one of them loses its users their lines.
#![cfg(feature = "alloc")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use crate::common::*;
use port_protocol::*;
use serde::{Deserialize, Serialize};

/// A record, and what a caller sees of the machine in it. Bytes are hex.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Seen {
    record: String,
    key: String,
    revision: u64,
    deadline: Option<u64>,
    phase: String,
    /// `line_id` and the peer's mark, of a Line.
    claims: Option<[String; 2]>,
    safety_number: Option<String>,
    relay: Option<String>,
    /// By whom, and the line that this one takes the place of.
    introduced: Option<(String, Option<String>)>,
    replaces: Option<String>,
    /// How an Alice's Port may be used, and how often it was.
    policy: Option<String>,
    used: u32,
    /// What is pending, as §4.5, §5.5, §6.6 and §15.3 name it.
    pending: String,
}

impl Seen {
    fn of(machine: &Any) -> Self {
        let text = |relay: Option<&RelayAddr>| relay.map(|relay| relay.as_str().to_owned());
        let hex = |line_id: LineId| hex::encode(line_id.as_bytes());
        let (mut introduced, mut replaces, mut policy, mut used) = (None, None, None, 0);
        let (phase, claims, safety_number, relay) = match machine {
            Any::Alice(alice) => {
                (policy, used) =
                    (alice.policy().map(|policy| hex::encode(minicbor::to_vec(policy).unwrap())), alice.used());
                (format!("{:?}", alice.phase()), None, None, text(alice.port().and_then(Port::relay)))
            }
            Any::Bob(bob) => (format!("{:?}", bob.phase()), None, None, text(bob.relay())),
            Any::Line(line) => {
                introduced = line.introduced().map(|by| (by.name.as_str().to_owned(), by.by.map(hex)));
                replaces = line.replaces().map(hex);
                let RelayClaims { line_id, peer } = line.claims();
                let claims = [hex::encode(line_id.as_bytes()), hex::encode(peer.as_bytes())];
                let code = line.safety_number().map(|code| code.to_string());
                assert_eq!(line.confirmed().is_some(), code.is_some());
                (format!("{:?}", line.phase()), Some(claims), code, text(line.relay()))
            }
            Any::Pool(pool) => (format!("Pool of {}", pool.held() + pool.requested()), None, None, None),
        };
        Self {
            record: hex::encode(machine.record()),
            key: hex::encode(machine.key().to_bytes()),
            revision: machine.revision(),
            deadline: machine.deadline().map(|deadline| deadline.as_secs()),
            phase,
            claims,
            safety_number,
            relay,
            introduced,
            replaces,
            policy,
            used,
            pending: words(&machine.pending()),
        }
    }
}

/// A version's records, by the state they are of.
type File = BTreeMap<String, Seen>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records")
}

fn present() -> PathBuf {
    folder().join(concat!(env!("CARGO_PKG_VERSION"), ".json"))
}

/// Every state of every role, with and without what is optional in a Port; those of Ports for many, of Ports that require approval and of
/// refusals from the plays in `tests/vectors/`.
fn of_today() -> File {
    let relay = || RelayAddr::new("relay.example").unwrap();
    let options = [
        ("plain", PortOptions::new()),
        ("expires", expiring()),
        ("relay", PortOptions::new().relay(relay())),
        ("both", expiring().relay(relay())),
        ("longest", longest()),
    ];
    let found = options.into_iter().flat_map(|(named, of)| {
        states(of).into_iter().map(move |(state, machine)| (format!("{state} ({named})"), Seen::of(&machine)))
    });
    let mut file: File = found.collect();
    let plain: BTreeSet<_> = states(PortOptions::new()).into_keys().chain(states(expiring()).into_keys()).collect();
    for (play, record) in crate::vectors::records() {
        let machine = Any::restore(&record).unwrap();
        let (state, known) = (machine.state(), Seen::of(&machine));
        if !plain.contains(&state) || known.introduced.is_some() || known.replaces.is_some() {
            file.insert(format!("{state} ({play})"), known);
        }
    }
    file.extend(pools().into_iter().map(|(state, machine)| (format!("{state} (pool)"), Seen::of(&machine))));
    file
}

/// All of them, read once; blessed before.
static FILES: LazyLock<BTreeMap<PathBuf, File>> = LazyLock::new(|| {
    if env::var_os("PORT_PROTOCOL_BLESS").is_some() {
        fs::write(present(), serde_json::to_string_pretty(&of_today()).unwrap() + "\n").unwrap();
    }
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    // A folder is of machines with a test of their own.
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), serde_json::from_slice(&fs::read(path).unwrap()).unwrap()))
        .collect()
});

fn bytes(known: &Seen) -> Vec<u8> {
    hex::decode(&known.record).unwrap()
}

#[test]
fn r8_6_every_record_ever_written_is_restored_as_what_it_was() {
    assert!(FILES.contains_key(&present()), "no records of this version: bless them");
    for (path, file) in &*FILES {
        for (state, known) in file {
            let machine = Any::restore(&bytes(known));
            let machine = machine.unwrap_or_else(|error| panic!("{}: {state}: {error}", path.display()));
            // The record with it: it encodes again to the same bytes.
            assert_eq!(Seen::of(&machine), *known, "{}: {state}", path.display());
            assert!(state.starts_with(&format!("{} (", machine.state())), "{state} is {}", machine.state());
        }
    }
}

#[test]
fn r8_6_there_is_a_record_of_every_state() {
    let file = &FILES[&present()];
    let (today, known) = (of_today(), file.keys().collect::<BTreeSet<_>>());
    assert_eq!(today.keys().collect::<BTreeSet<_>>(), known, "another state: bless");
    let of_alice = ["Requesting", "Offered", "Formed", "Ended(Revoked)", "Ended(Expired)", "Ended(ProofRefused)"];
    let refuses = ["Ended(Paused)", "Ended(Blocked)", "Ended(AlreadyConnected)", "Ended(LinkLost)", "Ended(FalseLine)"];
    let of_bob = ["Scanned", "Connecting", "Formed", "Ended(Cancelled)", "Ended(Expired)"];
    let refused = ["Unknown", "UsedByAnother", "UsedByYou", "Closed", "Expired"];
    let refused = refused.map(|reason| format!("Ended(Refused({reason}))"));
    let of_line = ["AwaitingProof", "AwaitingApproval", "Joined", "Confirmed", "Closed"];
    let of_pool = ["Pool of 2", "Pool of 3", "Pool of 16"];
    let all =
        [&of_alice[..], &refuses, &of_bob, &refused.each_ref().map(|phase| &phase[..]), &of_line, &of_pool].concat();
    // Whichever line it was formed with.
    let phases: BTreeSet<_> = file.values().map(|known| known.phase.split("(LineId").next().unwrap()).collect();
    assert_eq!(phases, all.into_iter().collect());

    // What Ports for many add (§14, §16) and Ports that require approval, to the letter.
    let states: BTreeSet<_> = file.keys().map(|state| state.split(" (").next().unwrap()).collect();
    let needed = [
        "Alice Requesting, many",
        "Alice Offered, SetLineLink due",
        "Alice Offered, many",
        "Alice Offered, many, SetLineLink due",
        "Bob Scanned, ticket",
        "Bob Connecting inline, many",
        "Bob Connecting inline, many, ticket",
        "AwaitingProof, approval required",
        "AliceAwaitingApproval",
        "AliceAwaitingApproval, early",
        "AliceJoined, early",
        "AliceConfirmed, answered, early",
        "AliceConfirmed, answered, early, counted",
        "BobJoined, many",
        "BobConfirmed, many",
        "BobConfirmed, answer due, many",
        "Closed Declined",
        "Closed Declined, cleared",
    ];
    assert_eq!(needed.iter().filter(|state| !states.contains(**state)).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert!(file.values().any(|known| known.introduced.as_ref().is_some_and(|(_, by)| by.is_some())));
    assert!(file.values().any(|known| known.introduced.as_ref().is_some_and(|(_, by)| by.is_none())));
    assert!(file.values().any(|known| known.replaces.is_some()) && file.values().any(|known| known.used > 1));
}

/// §1.3: whatever follows the version.
#[test]
fn r8_6_a_record_of_another_version_is_not_misread() {
    let mut seen = 0;
    for known in FILES.values().flat_map(BTreeMap::values) {
        let record = bytes(known);
        assert_eq!(record[..2], [0x84, 1]);
        for version in [&[0][..], &[2], &[23], &[0x18, 24], &[0x18, 255], &[0x19, 1, 0], &[0x1a, 0, 1, 0, 0]] {
            for rest in [&record[2..], &record[2..record.len() / 2], b"whatever"] {
                let other = [&[0x84], version, rest].concat();
                let of_line = [Alice::restore(&other).err(), Bob::restore(&other).err(), Line::restore(&other).err()];
                assert_eq!(of_line, [Some(RestoreError::UnsupportedVersion); 3], "version {version:?}");
                assert_eq!(Pool::restore(&other).err(), Some(RestoreError::UnsupportedVersion), "version {version:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 2_000, "{seen}");
}
