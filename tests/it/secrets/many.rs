//! The same of Ports for many (§14) and contact ports (§16): what they show, what they keep, what is left of it.

use ciborium::Value as Cbor;

use super::*;

const NAME: &str = "KWJXQZPHBV";

/// A contact port: it has everything that a Superport has, and tickets.
pub fn host() -> Alice {
    let offer = PortOptions::new().introducer(random::<16>("introducer's line").into()).policy(Policy::unlimited());
    Alice::offer(link(), offer, seed("host")).committed()
}

fn requesting_many() -> Alice {
    Alice::request(PortOptions::new().policy(Policy::up_to(3)), seed("host")).committed()
}

fn array(bytes: &[u8]) -> Vec<Cbor> {
    ciborium::from_reader::<Cbor, _>(bytes).unwrap().into_array().unwrap()
}

/// The host's Port, with the introducer's ticket.
pub fn shown_port() -> Port {
    let mut fields = array(host().port().unwrap().to_bytes().as_slice());
    fields.resize(7, Cbor::Null);
    fields.push(Cbor::Array(vec![Cbor::Bytes(random::<16>("ticket").to_vec()), NAME.into()]));
    let mut bytes = Vec::new();
    ciborium::into_writer(&Cbor::Array(fields), &mut bytes).unwrap();
    Port::from_bytes(&bytes).unwrap()
}

fn notice() -> TicketNotice {
    let ticket = shown_port().ticket().unwrap().clone();
    TicketNotice { line_link: link(), ticket: ticket.hash(), name: ticket.name().clone(), expires: None }
}

/// A generator that gives one key.
struct Fresh;

impl rand_core::TryRng for Fresh {
    type Error = rand_core::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        unreachable!("a key is drawn as a whole")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        unreachable!("a key is drawn as a whole")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.copy_from_slice(&random::<32>("fresh"));
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Fresh {}

struct Announced;

impl Peers for Announced {
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        Some(notice()).filter(|notice| notice.ticket == *ticket)
    }
}

fn guest() -> Bob {
    Bob::scan(shown_port(), seed("guest")).committed()
}

fn connecting_guest() -> (Bob, Proof) {
    let mut bob = guest();
    let proof = match bob.connect(SendProof::Inline, NOW).unwrap().committed().next() {
        Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) => proof,
        other => panic!("{other:?}"),
    };
    (bob, proof)
}

/// One use: both machines with their new line, then both ends as they go on.
struct Use {
    alice: Alice,
    bob: Bob,
    joined: [Line; 2],
    /// Bob has said something before it heard Alice, which still waits for it.
    confirmed: [Line; 2],
}

impl Use {
    fn new() -> Self {
        let ((mut bob, proof), mut alice) = (connecting_guest(), host());
        let step = alice.handle(&formed(Some(proof)), &Announced, NOW, &mut Fresh).unwrap();
        let at_alice = step.committed().find_map(|effect| match effect {
            AliceEffect::LineFormed(line) => Some(line),
            _ => None,
        });
        let connected = connected(&bob);
        let step = bob.handle(&connected, &NoPeers, NOW, &mut Unused).unwrap();
        let at_bob = step.committed().find_map(|effect| match effect {
            BobEffect::LineFormed(line) => Some(line),
            _ => None,
        });
        let (mut at_alice, mut at_bob) = (at_alice.unwrap(), at_bob.unwrap());
        let joined = [&at_alice, &at_bob].map(|line| Line::restore(&line.record()).unwrap());
        drop(at_bob.seal(TEXT, &[], &mut [0; 128]).unwrap().committed());
        let mut buffer = [0; 128];
        let confirm = packet(at_alice.pending());
        let answer =
            packet(at_bob.handle_with_aad(&sent(&confirm), &[], &mut buffer, NOW, &mut Unused).unwrap().committed());
        drop(at_alice.handle_with_aad(&sent(&answer), &[], &mut buffer, NOW, &mut Unused).unwrap().committed());
        Self { alice, bob, joined, confirmed: [at_alice, at_bob] }
    }
}

/// What stands at this place of a record's state.
fn at(record: &[u8], path: &[usize]) -> Vec<u8> {
    let state = array(record)[3].clone();
    path.iter().fold(state, |value, &place| value.as_array().unwrap()[place].clone()).into_bytes().unwrap()
}

/// Every secret of one use, by name.
pub fn secrets() -> Vec<(&'static str, Vec<u8>)> {
    let (host, (bob, _), Use { joined: [at_alice, at_bob], .. }) = (host(), connecting_guest(), Use::new());
    let (host, bob) = (host.record(), bob.record());
    let (at_alice, at_bob) = (at_alice.record(), at_bob.record());
    let key = |record: &[u8], place| at(record, &[1, 1, place]);
    vec![
        ("host's private key", at(&host, &[1, 1])),
        ("host's RAD", at(&host, &[1, 0, 4])),
        ("fresh", random::<32>("fresh").to_vec()),
        ("guest's private key", at(&bob, &[1, 7])),
        ("guest's secret", at(&bob, &[1, 4])),
        ("ticket", at(&bob, &[1, 9, 0])),
        ("epoch 0, to guest", key(&at_bob, 1)),
        ("epoch 0, to host", key(&at_bob, 0)),
        ("epoch 0, exporter", key(&at_bob, 2)),
        ("epoch 1, to guest", key(&at_alice, 0)),
        ("epoch 1, to host", key(&at_alice, 1)),
        ("epoch 1, exporter", key(&at_alice, 2)),
        ("introducer's name", NAME.as_bytes().to_vec()),
    ]
}

/// The ephemeral private key of that use (§6.2), made once more from what Alice drew. What comes of it is epoch 1.
fn ephemeral() -> [u8; 32] {
    use hkdf::Hkdf;
    use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

    let Use { joined: [_, at_bob], .. } = Use::new();
    let transcript = at(&at_bob.record(), &[1, 2, 1, 2, 2]);
    let expand = |salt: &[u8], ikm: &[&[u8]], info: &[u8]| {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(salt), &ikm.concat()).expand(info, &mut key).unwrap();
        key
    };
    let (shared, fresh) = (secret("guest's secret"), secret("fresh"));
    let ephemeral = expand(&transcript, &[&shared, &fresh], b"ephemeral");
    let public = |private: [u8; 32]| x25519(private, X25519_BASEPOINT_BYTES);
    let guest = public(secret("guest's private key").try_into().unwrap());
    let hashed = [&[0x82, 0x58, 32], &transcript[..], &[0x58, 32], &public(ephemeral)].concat();
    let to_guest = expand(&Sha256::digest(hashed), &[&shared, &x25519(ephemeral, guest)], b"alice to bob");
    assert_eq!(secret("epoch 1, to guest"), to_guest);
    ephemeral
}

fn secret(name: &str) -> Vec<u8> {
    secrets().into_iter().find(|(is, _)| *is == name).unwrap().1
}

/// Every public type that they add, and every state.
pub(super) fn see(see: &mut Shown) {
    // What a policy is made of, and what the caller knows.
    let policy = Policy::up_to(7).closes_at(Some(NOW)).require_approval(true).paused(true).on_repeat(OnRepeat::Refuse);
    see.see("", &policy);
    see.see("", &policy.use_limit());
    see.see("", &OnRepeat::Refuse);
    see.see("of a contact port", &PortOptions::new().introducer(line_id()).policy(policy));
    for relationship in [Relationship::Unknown, Relationship::Blocked, Relationship::Connected(line_id())] {
        see.see("", &relationship);
    }
    #[cfg(feature = "alloc")]
    {
        let mut blocked = Blocked::new();
        blocked.insert(random("peer").into());
        see.see("", &blocked);
    }
    let port = shown_port();
    let ticket = port.ticket().unwrap();
    see.see("with a ticket", &port);
    see.see("with a ticket", &port.to_bytes());
    see.see("with a ticket", &port.qr_text());
    see.see("", ticket);
    see.see("", ticket.name());
    see.see("", &ticket.hash());
    see.see("", &notice());
    for admits in [Admission::Nobody, Admission::One, Admission::Many] {
        see.see("", &admits);
        see.see("", &Request::SetLineLink { line_link: link(), version: 1, admits, recognisable: false });
    }

    // Alice, in every state, in a step.
    see.see("requesting", &requesting_many());
    let mut alice = host();
    see.see("for many", &alice);
    see.see("for many", &alice.record());
    alice.pending().for_each(|effect| see.see("for many", &effect));
    let step = alice.set_policy(policy).unwrap();
    see.see("sets the policy", &step);
    step.committed().for_each(|effect| see.see("sets the policy", &effect));
    let (bob, proof) = connecting_guest();
    let mut alice = host();
    let step = alice.handle(&formed(Some(proof.clone())), &Announced, NOW, &mut Fresh).unwrap();
    see.see("lets in", &step);
    see.see("lets in", &step.write());
    see.see("lets in", &step.write().unique.unwrap());
    see.see("lets in", &step.write().consumes.unwrap());
    let effects = step.committed();
    see.see("lets in", &effects);
    effects.for_each(|effect| see.see("lets in", &effect));
    let errors = [
        host().handle(&formed(Some(proof)), &NoPeers, NOW, &mut Fresh).err(),
        host().handle(&formed(None), &NoPeers, NOW, &mut Fresh).err(),
        offered().set_policy(Policy::unlimited()).err(),
    ];
    assert!(errors.iter().all(Option::is_some), "{errors:?}");
    errors.iter().flatten().for_each(|error| see.read("", error));
    see.see("", &OnDuplicate::Revoke);
    for end in [PortOutcome::Paused, PortOutcome::Blocked, PortOutcome::AlreadyConnected] {
        see.see("", &end);
    }

    // Bob, and both ends of the line.
    see.see("scanned", &guest());
    see.see("connecting", &bob);
    let Use { alice, bob, joined, mut confirmed } = Use::new();
    see.see("with a line", &alice);
    see.see("with a line", &bob);
    for (line, state) in joined.iter().zip(["joined, of the host", "joined, of a guest"]) {
        see.see(state, line);
        see.see(state, line.introduced().unwrap());
        line.pending().for_each(|effect| see.see(state, &effect));
    }
    for line in &mut confirmed {
        see.see("confirmed", line);
        see.see("confirmed", &line.record());
        see.see("closes", &line.close().unwrap());
    }
    let mut alice =
        Alice::offer(link(), PortOptions::new().policy(Policy::once().require_approval(true)), seed("alice"))
            .committed();
    let step = alice.handle(&formed(Some(super::proof())), &NoPeers, NOW, &mut Unused).unwrap();
    let Some(AliceEffect::LineFormed(line)) = step.committed().next() else { panic!("no line") };
    let mut line = line;
    see.see("awaiting approval", &line);
    line.pending().for_each(|effect| see.see("awaiting approval", &effect));
    see.see("accepts", &Line::restore(&line.record()).unwrap().accept(NOW).unwrap());
    line.decline().unwrap().committed().for_each(|effect| see.see("declines", &effect));
    see.see("declined", &line);
    see.see("", &UseOutcome::Blocked);
    see.read("", &SealError::Unconfirmed);
    see.read("", &IntroducerName::new(&NAME.repeat(4)).unwrap_err());
}

/// The control, for places in records may move: these are what they are called, made here from seeds alone.
#[test]
fn these_are_the_secrets() {
    assert_eq!(secret("host's private key"), random::<64>("host")[..32]);
    assert_eq!(secret("host's RAD"), random::<64>("host")[32..48]);
    assert_eq!(secret("guest's private key"), random::<64>("guest")[..32]);
    assert_eq!(secret("ticket"), random::<16>("ticket"));
    let Use { confirmed: [_, at_bob], joined: [at_alice, _], .. } = Use::new();
    assert_eq!(secret("epoch 1, to host"), at(&at_bob.record(), &[1, 1, 0]));
    assert_eq!(secret("epoch 0, to host"), at(&at_alice.record(), &[1, 2, 2, 0]));
    let all: BTreeSet<_> = secrets().into_iter().map(|(_, secret)| secret).collect();
    assert_eq!(all.len(), secrets().len(), "two names for one secret");
}

/// R14.7: what came before can't be read with what is kept after it.
#[test]
fn r14_7_what_is_done_with_is_kept_nowhere() {
    let holds = |record: &[u8], name: &str| {
        let secret = secret(name);
        record.windows(secret.len()).any(|window| window == secret)
    };
    let Use { alice, bob, joined: [joined_alice, joined_bob], confirmed: [mut at_alice, at_bob] } = Use::new();
    // What Alice drew, and the ephemeral key that came of it, is in no record, whatever record is stolen later.
    let ephemeral = ephemeral();
    for record in [host().record(), alice.record(), joined_alice.record(), joined_bob.record()] {
        assert!(!holds(&record, "fresh") && !record.windows(32).any(|window| window == ephemeral));
    }
    // Alice's end has no private key, nor what could make the keys of epoch 1 again.
    for name in ["host's private key", "guest's secret", "ticket", "host's RAD"] {
        assert!(!holds(&joined_alice.record(), name), "{name}");
    }
    for name in ["epoch 0, to host", "epoch 1, to host", "epoch 1, to guest", "guest's secret", "ticket"] {
        assert!(!holds(&alice.record(), name), "{name}");
    }
    // Bob's end has, until it has heard Alice.
    let made_of = ["guest's secret", "guest's private key", "epoch 0, to host", "epoch 0, to guest"];
    assert!(made_of.iter().all(|name| holds(&joined_bob.record(), name) && !holds(&at_bob.record(), name)));
    assert!(!holds(&joined_bob.record(), "ticket") && !holds(&bob.record(), "guest's private key"));
    // A word of Bob's is still to come, for a week.
    let early = ["epoch 0, to host"];
    assert!(early.iter().all(|name| holds(&joined_alice.record(), name) && holds(&at_alice.record(), name)));
    for look in 1..=7 {
        assert!(early.iter().all(|name| holds(&at_alice.record(), name)), "gone at look {look}");
        let due = at_alice.deadline().unwrap();
        drop(at_alice.tick(due).unwrap().committed());
    }
    assert!(early.iter().all(|name| !holds(&at_alice.record(), name)));
}

#[cfg(target_os = "linux")]
#[test]
fn r8_7_nothing_of_it_is_left_where_it_rested() {
    use super::memory::{is_gone, is_wiped};
    let named = |names: &[&str]| names.iter().map(|name| secret(name)).collect::<Vec<_>>();
    let wiped = |names: &[&str], is: &dyn Fn(&[&[u8]]) -> bool| {
        let secrets = named(names);
        assert!(is(&secrets.iter().map(Vec::as_slice).collect::<Vec<_>>()), "{names:?}");
    };
    let of_host = ["host's private key", "host's RAD"];
    let of_guest = ["guest's private key", "guest's secret", "ticket"];
    let epoch_1 = ["epoch 1, to guest", "epoch 1, to host", "epoch 1, exporter"];
    let at_host = [&epoch_1[..], &["epoch 0, to host"]].concat();
    let epoch_0 = ["epoch 0, to guest", "epoch 0, to host", "epoch 0, exporter"];
    let at_guest = [&epoch_0[..], &["guest's private key", "guest's secret"]].concat();

    wiped(&of_host, &|secrets| is_wiped(host(), secrets));
    wiped(&of_host, &|secrets| is_gone(host().record(), secrets));
    wiped(&of_host, &|secrets| is_wiped(requesting_many(), secrets));
    wiped(&of_guest, &|secrets| is_wiped(connecting_guest().0, secrets));
    wiped(&of_guest, &|secrets| is_gone(connecting_guest().0.record(), secrets));
    wiped(&["host's RAD", "ticket"], &|secrets| is_wiped(shown_port(), secrets));
    wiped(&["host's RAD", "ticket"], &|secrets| is_gone(shown_port().to_bytes(), secrets));
    wiped(&of_host, &|secrets| is_wiped(Use::new().alice, secrets));
    let line = |place: usize| Use::new().joined.into_iter().nth(place).unwrap();
    wiped(&at_host, &|secrets| is_wiped(line(0), secrets));
    wiped(&at_guest, &|secrets| is_wiped(line(1), secrets));
    wiped(&at_host, &|secrets| is_gone(line(0).record(), secrets));
    wiped(&at_guest, &|secrets| is_gone(line(1).record(), secrets));
    let line = |place: usize| Use::new().confirmed.into_iter().nth(place).unwrap();
    wiped(&at_host, &|secrets| is_wiped(line(0), secrets));
    wiped(&epoch_1, &|secrets| is_wiped(line(1), secrets));
}
