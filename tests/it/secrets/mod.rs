//! §8.7: no secret is shown, none can be copied by accident, and none stays where it rested.

#[macro_use]
mod copies;

#[cfg(feature = "app")]
mod app;
mod contact;
mod errors;
mod many;
#[cfg(target_os = "linux")]
mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};

use crate::common::{self, Commit, Unused};
use port_protocol::*;
use sha2::{Digest, Sha256};

const NOW: UnixSeconds = common::at(1_800_000_000);
const TEXT: &[u8] = b"QZXJVKWQPHZBGXQYFJKZWVQXHPJ";

/// Bytes that stand nowhere by chance.
fn random<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (n, chunk) in bytes.chunks_mut(32).enumerate() {
        chunk.copy_from_slice(&Sha256::digest(format!("{name} {n}"))[..chunk.len()]);
    }
    bytes
}

fn link() -> LineLink {
    random("line link").into()
}

fn line_id() -> LineId {
    random("line id").into()
}

fn formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: link(), line_id: line_id(), peer: random("peer").into(), proof }
}

/// The answer to what this Bob asked.
fn connected(bob: &Bob) -> Event<'static> {
    let Some(BobEffect::Send(Request::Connect { request_id, .. })) = bob.pending().next() else { panic!("{bob:?}") };
    Event::Connected { line_link: link(), request_id, line_id: line_id(), peer: random("maker").into() }
}

/// Every secret of one handshake, by name.
fn secrets() -> Vec<(&'static str, Vec<u8>)> {
    let (alice, bob) = (random::<64>("alice"), random::<64>("bob"));
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*alice.first_chunk::<32>().unwrap()));
    let secret = x25519_dalek::StaticSecret::from(*bob.first_chunk::<32>().unwrap()).diffie_hellman(&public);
    let Handshake { at_alice, .. } = Handshake::new();
    // [1, 3, revision, [origin, [phase, [send, receive, exporter, …], end]]]
    let record: ciborium::Value = ciborium::from_reader(&*at_alice.record()).unwrap();
    let session = record.as_array().unwrap()[3].as_array().unwrap()[1].as_array().unwrap()[1].as_array().unwrap();
    let key = |place: usize| session[place].as_bytes().unwrap().clone();
    vec![
        ("Alice's private key", alice[..32].to_vec()),
        ("Bob's private key", bob[..32].to_vec()),
        ("RAD", alice[32..48].to_vec()),
        ("line link", link().as_bytes().to_vec()),
        ("secret", secret.as_bytes().to_vec()),
        ("alice to bob", key(0)),
        ("bob to alice", key(1)),
        ("exporter", key(2)),
        ("message", TEXT.to_vec()),
        ("the key of request ids", random::<64>("pool")[..32].to_vec()),
    ]
}

fn seed(of: &str) -> Seed {
    Seed::from_bytes(&random(of))
}

fn requesting() -> Alice {
    Alice::request(PortOptions::new(), seed("alice")).committed()
}

fn offered() -> Alice {
    Alice::offer(link(), PortOptions::new().relay(RelayAddr::new("relay.example").unwrap()), seed("alice")).committed()
}

/// Two links, one of them here.
fn pool() -> Pool {
    let mut pool = Pool::new(2, 2, seed("pool")).unwrap().committed();
    let Some(PoolEffect::Send(Request::IssueLineLink { request_id })) = pool.pending().next() else { panic!() };
    drop(pool.handle(&Event::LineLinkIssued { request_id, line_link: link() }).unwrap().committed());
    pool
}

fn scanned() -> Bob {
    Bob::scan(offered().port().unwrap().clone(), seed("bob")).committed()
}

fn connecting(how: SendProof) -> Bob {
    let mut bob = scanned();
    drop(bob.connect(how, NOW).unwrap().committed());
    bob
}

fn proof() -> Proof {
    match connecting(SendProof::Inline).pending().next() {
        Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) => proof,
        other => panic!("{other:?}"),
    }
}

fn line_at_alice(proof: Option<Proof>) -> (Alice, Line) {
    let mut alice = offered();
    let line = match alice.handle(&formed(proof), &NoPeers, NOW, &mut Unused).unwrap().committed().next() {
        Some(AliceEffect::LineFormed(line)) => line,
        other => panic!("{other:?}"),
    };
    (alice, line)
}

fn line_at_bob(how: SendProof) -> (Bob, Line) {
    let mut bob = connecting(how);
    let event = connected(&bob);
    let line = match bob.handle(&event, &NoPeers, NOW, &mut Unused).unwrap().committed().next() {
        Some(BobEffect::LineFormed(line)) => line,
        other => panic!("{other:?}"),
    };
    (bob, line)
}

fn sent(payload: &[u8]) -> Event<'_> {
    Event::Packet { line_id: line_id(), payload }
}

/// What a line sends first.
fn packet(effects: Effects<'_, Line>) -> Vec<u8> {
    let mut payloads = effects.filter_map(|effect| match effect {
        LineEffect::Send(Request::Packet { payload, .. }) => Some(payload.to_vec()),
        _ => None,
    });
    payloads.next().expect("a packet")
}

/// Both sides up to confirmed.
struct Handshake {
    alice: Alice,
    bob: Bob,
    joined: [Line; 2],
    at_alice: Line,
    at_bob: Line,
}

impl Handshake {
    fn new() -> Self {
        let ((alice, mut at_alice), (bob, mut at_bob)) = (line_at_alice(Some(proof())), line_at_bob(SendProof::Inline));
        let joined = [&at_alice, &at_bob].map(|line| Line::restore(&line.record()).unwrap());
        let confirm = packet(at_alice.pending());
        let answer =
            packet(at_bob.handle_with_aad(&sent(&confirm), &[], &mut [], NOW, &mut Unused).unwrap().committed());
        drop(at_alice.handle_with_aad(&sent(&answer), &[], &mut [], NOW, &mut Unused).unwrap().committed());
        Self { alice, bob, joined, at_alice, at_bob }
    }
}

// ------------------------------------------------------------------------------------------------------------ Debug

/// Collects what is shown, and of which types.
#[derive(Default)]
struct Shown {
    types: BTreeSet<String>,
    /// Each text once, and who showed it first.
    texts: BTreeMap<String, String>,
}

impl Shown {
    fn see<T: Debug>(&mut self, state: &str, value: &T) {
        let path = std::any::type_name::<T>();
        // `port_protocol::machine::Created<port_protocol::line::Line>` shows a `Created`.
        let name = path.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
        self.types.insert(name.to_owned());
        for text in [format!("{value:?}"), format!("{value:#?}"), format!("{value:02x?}")] {
            self.texts.entry(squeezed(&text)).or_insert_with(|| format!("{name} {state}"));
        }
    }

    fn read<T: Debug + Display>(&mut self, state: &str, value: &T) {
        self.see(state, value);
        self.texts.insert(squeezed(&value.to_string()), state.to_owned());
    }
}

/// Every public type, in every state.
fn shown() -> Shown {
    let mut shown = Shown::default();
    let see = &mut shown;

    // What a Port is made of.
    let alice = offered();
    let port = alice.port().unwrap();
    see.see("", &seed("alice"));
    see.see("", port.rad());
    see.see("of 32 bytes", &Secret::<32>::from(random::<32>("alice")));
    see.see("", port);
    see.see("", &port.to_bytes());
    see.see("", &port.qr_text());
    see.see("", &port.link("https://port.example/").unwrap());
    see.see("", &port.kind());
    see.see("", &port.public_key());
    see.see("", port.relay().unwrap());
    see.see("", &PortOptions::new().expires(NOW));
    see.see("", &NOW);
    see.see("", &port.line_link());
    see.see("", &port.hash());
    see.see("", &proof());

    // Alice and Bob, before they are kept, in every state, in a step.
    see.see("", &Alice::offer(link(), PortOptions::new(), seed("alice")));
    see.see("", &Bob::scan(port.clone(), seed("bob")));
    see.see("requesting", &requesting());
    see.see("offered", &alice);
    see.see("", &alice.pending());
    see.see("offered", &alice.record());
    alice.pending().for_each(|effect| see.see("", &effect));
    for proof in [None, Some(proof())] {
        let mut alice = offered();
        see.see("offered", &alice);
        let step = alice.handle(&formed(proof), &NoPeers, NOW, &mut Unused).unwrap();
        see.see("forms a line", &step);
        let write = step.write();
        see.see("forms a line", &write);
        see.see("", &write.row);
        see.see("", &write.row.key);
        see.see("", &write.row.expected.unwrap());
        see.see("of a new line", write.new_line.as_ref().unwrap());
        let (mark, on_duplicate) = write.unique.unwrap();
        see.see("", &mark);
        see.see("", &on_duplicate);
        let effects = step.committed();
        see.see("forms a line", &effects);
        effects.for_each(|effect| see.see("forms a line", &effect));
        see.see("spent", &alice);
        see.see("spent", &alice.phase());
    }
    let mut alice = offered();
    let step = alice.revoke().unwrap();
    see.see("revokes", &step);
    step.committed().for_each(|effect| see.see("revokes", &effect));
    see.see("revoked", &alice);
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        see.see("", &how);
        let mut bob = scanned();
        see.see("scanned", &bob);
        let step = bob.connect(how, NOW).unwrap();
        see.see("connects", &step);
        step.committed().for_each(|effect| see.see("connects", &effect));
        see.see("connecting", &bob);
        let event = connected(&bob);
        let step = bob.handle(&event, &NoPeers, NOW, &mut Unused).unwrap();
        see.see("forms a line", &step);
        step.committed().for_each(|effect| see.see("forms a line", &effect));
        see.see("spent", &bob);
        see.see("spent", &bob.phase());
    }
    let mut bob = connecting(SendProof::Inline);
    let Event::Connected { line_link, request_id, .. } = connected(&bob) else { panic!() };
    let refused = Event::Refused { line_link, request_id, reason: Reason::UsedByAnother };
    see.see("refused", &refused);
    bob.handle(&refused, &NoPeers, NOW, &mut Unused)
        .unwrap()
        .committed()
        .for_each(|effect| see.see("refused", &effect));
    see.see("refused", &bob);

    // What a store asks a record, and what a caller without tables answers.
    see.see("", &MachineRole::of_record(&alice.record()).unwrap());
    see.see("", &NoPeers);

    // A pool.
    see.see("", &Pool::new(2, 2, seed("pool")).unwrap());
    let mut pool = pool();
    see.see("with a link", &pool);
    see.see("with a link", &pool.record());
    see.see("", &PoolId::from(random::<16>("pool id")));
    let step = pool.pop().unwrap();
    see.see("pops", &step);
    let effects = step.committed();
    see.see("pops", &effects);
    effects.for_each(|effect| see.see("pops", &effect));
    see.see("after", &pool);
    for error in [pool.pop().err().unwrap(), PoolError::BadBounds] {
        see.read("", &error);
    }

    // Lines in every phase.
    let mut awaiting = line_at_alice(None).1;
    see.see("awaiting proof", &awaiting);
    let mut payload = [0; 128];
    let payload = Payload::Proof { proof: proof() }.encode_into(&mut payload).unwrap();
    let step = awaiting.handle(&sent(payload), &mut [], NOW, &mut Unused).unwrap();
    see.see("gets the proof", &step);
    drop(step);
    see.see("joined, with proof", &line_at_bob(SendProof::AlongTheLine).1);
    let Handshake { alice, bob, joined: [joined_alice, joined_bob], mut at_alice, mut at_bob } = Handshake::new();
    see.see("joined", &joined_alice);
    see.see("joined", &joined_bob);
    see.see("", &joined_bob.phase());
    see.see("", &joined_bob.claims());
    see.see("confirmed", &at_alice);
    see.see("confirmed", &at_bob);
    see.see("confirmed", &at_bob.record());
    see.see("", &at_alice.confirmed().unwrap());
    let code = at_alice.safety_number().unwrap();
    see.see("", &code);
    drop((alice, bob));

    // A message.
    let (mut sealed, mut opened) = ([0; 128], [0; 128]);
    let step = at_alice.seal(TEXT, &[], &mut sealed).unwrap();
    see.see("seals", &step);
    let effects = step.committed();
    see.see("seals", &effects);
    let payload = packet(effects);
    see.see("a message", &Payload::decode(&payload).unwrap());
    see.see("a message", &sent(&payload));
    let step = at_bob.handle_with_aad(&sent(&payload), &[], &mut opened, NOW, &mut Unused).unwrap();
    see.see("opens", &step);
    let write = step.write();
    see.see("opens", &write);
    see.see("a message", write.received.as_ref().unwrap());
    step.committed().for_each(|effect| see.see("opens", &effect));
    let step = at_alice.close().unwrap();
    see.see("closes", &step);
    step.committed().for_each(|effect| see.see("closes", &effect));
    see.see("closed", &at_alice);

    // What goes over the wire.
    let request_id = RequestId::from(random::<16>("request id"));
    see.see("", &request_id);
    let requests = [
        Request::IssueLineLink { request_id },
        Request::Connect { line_link: link(), request_id, proof: Some(proof()) },
        Request::Packet { line_id: line_id(), payload: &payload },
        Request::Disconnect { line_id: line_id() },
        Request::CloseLineLink { line_link: link() },
        Request::SetLineLink { line_link: link(), version: 1, admits: Admission::Many, recognisable: true },
    ];
    requests.iter().for_each(|request| see.see("", request));
    let events = [
        Event::LineLinkIssued { request_id, line_link: link() },
        formed(Some(proof())),
        Event::Connected { line_link: link(), request_id, line_id: line_id(), peer: random("maker").into() },
        Event::LineLinkLost { line_link: link() },
        Event::Disconnected { line_id: line_id() },
        Event::Dropped { line_id: line_id() },
    ];
    events.iter().for_each(|event| see.see("", event));
    events.iter().for_each(|event| see.see("", &event.key()));
    see.see("", &Payload::Proof { proof: proof() });
    see.see("", &line_id());
    see.see("", &PeerMark::from(random::<32>("peer")));
    see.see("", &PacketKind::Message);
    see.see("", &Nonce { epoch: 0, counter: 7 });
    see.see("", &Reason::UsedByAnother);
    see.see("", &Admission::Many);
    see.see("", &PortOutcome::ProofRefused);
    see.see("", &UseOutcome::Refused(Reason::UsedByAnother));
    see.see("", &CloseReason::ByPeer);

    contact::show(see);
    #[cfg(feature = "app")]
    app::see(see);

    // What goes wrong, each as itself and as it comes from where secrets are.
    let rejected = [
        Event::decode(port.to_bytes().as_slice()).err().map(Rejected::from),
        connecting(SendProof::Inline).handle(&formed(Some(proof())), &NoPeers, NOW, &mut Unused).err(),
        at_bob.handle_with_aad(&sent(&payload), &[], &mut opened, NOW, &mut Unused).err(),
        at_bob.handle_with_aad(&sent(&payload), TEXT, &mut opened, NOW, &mut Unused).err(),
        Some(Rejected::UnwantedLine(line_id())),
        Some(Rejected::UnwantedLink(link())),
        Some(Rejected::Expired),
        Some(Rejected::FalseLine),
        Some(Rejected::UnsupportedVersion),
        Some(Rejected::OutOfOrder),
        Some(Rejected::TooEarly),
        Some(Rejected::Paused),
        Some(Rejected::Duplicate),
        Some(Rejected::Forged),
        Some(Rejected::Closed),
        Some(Rejected::BufferTooSmall),
        Some(Rejected::AssociatedDataTooLong),
    ];
    rejected.iter().flatten().for_each(|error| see.read("", error));
    let too_small = at_bob.seal(TEXT, &[], &mut []).unwrap_err();
    see.read("", &too_small);
    errors::read(see);
    see.read("", &X25519Backend::in_use());
    many::see(see);
    shown
}

/// The ways in which bytes are written, without white space.
fn written(bytes: &[u8]) -> [String; 5] {
    let list = |each: fn(&u8) -> String| bytes.iter().map(each).collect::<Vec<_>>().join(",");
    [
        hex::encode(bytes),
        list(|byte| byte.to_string()),
        list(|byte| format!("{byte:02x}")),
        list(|byte| format!("0x{byte:02x}")),
        bytes.iter().map(|&byte| char::from(byte)).collect::<String>().replace(' ', ""),
    ]
}

/// Every four bytes in a row of a secret, in every way of writing: one of these in a text is a find.
fn needles(secrets: &[(&'static str, Vec<u8>)]) -> Vec<(&'static str, String)> {
    let ways = |(name, secret): &(&'static str, Vec<u8>)| {
        let name = *name;
        secret.windows(4).flat_map(written).map(move |way| (name, squeezed(&way))).collect::<Vec<_>>()
    };
    secrets.iter().flat_map(ways).collect()
}

/// Without white space, in lower case, and without the last comma of what is spread over lines.
fn squeezed(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    [")", "]", "}"].iter().fold(text.to_lowercase(), |text, end| text.replace(&format!(",{end}"), end))
}

fn found(squeezed: &str, needles: &[(&'static str, String)]) -> Option<&'static str> {
    needles.iter().find(|(_, way)| squeezed.contains(way)).map(|(name, _)| *name)
}

/// R8.7: no secret in any `Debug`, nor in the `Display` of any error.
#[test]
fn r8_7_nothing_shows_a_secret() {
    let secrets = secrets();
    let mut needles = needles(&[&secrets[..], &many::secrets()].concat());
    // In Base32 five bytes are eight characters.
    for port in [offered().port().unwrap(), &many::shown_port()] {
        let text = port.qr_text().to_string();
        let base32: Vec<_> = text.trim_start_matches("PORT:").to_lowercase().chars().collect();
        needles.extend(base32.windows(8).map(|way| ("QR text", way.iter().collect())));
    }
    let code = Handshake::new().at_alice.safety_number().unwrap().to_string();
    // The search finds what it has to, in every way of writing.
    for bytes in [&secrets[0].1[8..12], &secrets[8].1[5..9]] {
        for text in [
            format!("{bytes:?}"),
            format!("{bytes:#?}"),
            format!("{bytes:02x?}"),
            format!("{bytes:02X?}"),
            hex::encode(bytes),
            hex::encode_upper(bytes),
        ] {
            assert!(found(&squeezed(&text), &needles).is_some(), "{text}");
        }
    }
    assert_eq!(found(&squeezed("Message(\"PHZ BGX\")"), &needles), Some("message"));

    for (text, what) in shown().texts {
        assert_eq!(found(&text, &needles), None, "{what}: {text}");
        assert!(code.split(' ').all(|group| !text.contains(group)), "{what}: {text}");
    }
}

/// What is hidden says so: a blank in a log would tell that there was nothing.
#[test]
fn every_debug_shows_something() {
    for (text, what) in shown().texts {
        let blank = ["()", "(,", ",,", ",)", ":,", ":}"].into_iter().find(|blank| text.contains(blank));
        assert!(!text.is_empty() && blank.is_none(), "{what}: {text}");
    }
}

/// Everything that `src/lib.rs` exports was seen: a new type has to be thought of.
#[test]
fn every_public_type_was_seen() {
    let exports =
        include_str!("../../../src/lib.rs").split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let names = exports.flat_map(|export| export.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let is_type = |name: &&str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    let types: BTreeSet<_> = names.filter(is_type).map(str::to_owned).collect();
    assert!(types.len() > 40, "{types:?}");
    let mut seen = shown().types;
    // Traits, what has no values, and other names for a secret of 16 bytes and for machines of this dialect.
    seen.extend(["Machine", "Peers", "Buffer", "Rad", "Dialect", "Native", "Alice", "Bob"].map(str::to_owned));
    assert_eq!(types.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new());
}
