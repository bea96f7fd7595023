//! Run under `valgrind`, with every secret marked as undefined: seeds, messages, and what a generator gives. Memcheck then reports each
//! branch on one, and each lookup by one. Whether a proof is good and whether a packet opens is made public by a branch.
//!
//! With `leak` as its argument it compares a secret as nobody should, and must be found out.

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind::{count_errors, running_mode};
use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Created, Effects, Event, Introducer, IntroducerEffect, IntroducerMessage,
    IntroducerName, Line, LineEffect, Machine, NoPeers, Payload, Peers, Policy, PortOptions, Proof, Request,
    SEAL_OVERHEAD, Seed, SendProof, Step, TicketHash, TicketNotice, UnixSeconds, X25519Backend, padded_len,
};

/// No branch that depends on a secret.
const NONE: RangeInclusive<usize> = 0..=0;
/// The one that makes it public whether a proof is good.
const CHECKED: RangeInclusive<usize> = 1..=1;
/// That, and then which ticket's row is meant: the hash of a good proof's ticket is public, because it was announced to Alice.
const LOOKED_UP: RangeInclusive<usize> = 2..=2;
/// The same for a packet: in the library, and of the library's result.
const OPENED: RangeInclusive<usize> = 2..=2;
/// That, and then Alice's ephemeral key is compared with those that §2.3 refuses. A public key is no secret, though it came sealed.
const KEY_CHECKED: RangeInclusive<usize> = 9..=9;
/// The same as a packet, and how many early packets Bob sent: the relay counted them.
const COUNTED: RangeInclusive<usize> = 3..=3;

const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();
const LINK: [u8; 16] = [1; 16];
const LINE: [u8; 16] = [2; 16];

fn mark(bytes: &[u8], state: MemState) {
    mark_memory(bytes.as_ptr().cast(), bytes.len(), state).expect("valgrind");
}

/// 64 bytes. Nothing may depend on the first 48. The rest is a `request_id`, which goes to the relay as it is.
fn secret_seed(byte: u8) -> Seed {
    let bytes = black_box([byte; 64]);
    mark(&bytes[..48], MemState::Undefined);
    Seed::from_bytes(&bytes)
}

/// A generator whose bytes nothing may depend on.
struct SecretRng(u8);

impl TryRng for SecretRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(black_box(self.0));
        mark(bytes, MemState::Undefined);
        Ok(())
    }
}

impl TryCryptoRng for SecretRng {}

/// A store that keeps nothing. To make a write is part of what is watched.
fn step<'m, M: Machine>(step: Step<'m, M>) -> Effects<'m, M> {
    let write = step.write();
    black_box(&write);
    step.commit(write)
}

fn create<M: Machine>(created: Created<M>) -> M {
    let write = created.write();
    black_box(&write);
    created.commit(write)
}

/// What everybody may see, as it goes over the wire.
fn published(bytes: &[u8]) -> &[u8] {
    mark(bytes, MemState::Defined);
    bytes
}

#[derive(Default)]
struct Watch {
    failed: bool,
}

impl Watch {
    fn watch<T>(&mut self, name: &str, branches: RangeInclusive<usize>, work: impl FnOnce() -> T) -> T {
        let before = count_errors();
        let done = work();
        let found = count_errors() - before;
        println!("{name}: {found}");
        self.failed |= !branches.contains(&found);
        done
    }
}

fn main() -> ExitCode {
    assert!(!running_mode().is_native(), "run this under valgrind");
    println!("X25519 by {}", X25519Backend::in_use());
    // Here the processor lacks ADX. If valgrind learns it, both ways have to be watched.
    assert_eq!(X25519Backend::in_use(), X25519Backend::Dalek);
    let mut watch = Watch::default();
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "leak") {
        let secret = black_box([7_u8; 16]);
        mark(&secret, MemState::Undefined);
        watch.watch("a leak", NONE, || black_box(secret.iter().position(|&byte| byte != 7)));
    } else {
        everything(&mut watch);
    }
    ExitCode::from(u8::from(watch.failed))
}

fn everything(watch: &mut Watch) {
    let offer = || create(Alice::offer(LINK.into(), PortOptions::new(), secret_seed(1)));
    let mut alice = watch.watch("keygen", NONE, offer);
    published(alice.port().unwrap().public_key().as_bytes());
    let port = alice.port().unwrap().clone();

    let mut bob = create(Bob::scan(port, secret_seed(2)));
    let good = watch.watch("Bob makes the proof", NONE, || proof_of(&mut bob));
    let bad = flipped(&good);
    watch.watch("Bob's record", NONE, || drop(black_box(bob.record())));
    watch.watch("Alice's record", NONE, || drop(black_box(alice.record())));
    watch.watch("Alice refuses a proof", CHECKED, || drop(black_box(used(&mut alice, &bad).write())));
    let mut at_alice = watch.watch("Alice takes the proof", CHECKED, || line_of(used(&mut alice, &good)));
    along_the_line(watch, &good);
    for_many(watch);
    with_a_ticket(watch);
    let mut at_bob = watch.watch("Bob's keys", NONE, || formed_at(&mut bob));

    let confirm = watch.watch("Confirm", NONE, || packet_of(at_alice.pending().next()));
    let answer = watch.watch("Bob opens it", OPENED, || answer_to(&mut at_bob, &confirm));
    watch.watch("Alice opens the answer", OPENED, || handed(&mut at_alice, &answer));
    for length in [0, 5, 16, 1000] {
        let text = vec![length as u8; length];
        mark(&text, MemState::Undefined);
        let mut buffer = vec![0; length + SEAL_OVERHEAD];
        let packet =
            watch.watch("seal", NONE, || packet_of(step(at_alice.seal(&text, b"data", &mut buffer).unwrap()).next()));
        let mut buffer = vec![0; padded_len(length) + SEAL_OVERHEAD];
        watch.watch("seal, padded", NONE, || {
            packet_of(step(at_alice.seal_padded(&text, b"data", &mut buffer).unwrap()).next())
        });
        let forged = flipped(&packet);
        let mut out = vec![0; packet.len()];
        let mut open = |payload: &[u8]| {
            let event = Event::Packet { line_id: LINE.into(), payload };
            at_bob
                .handle_with_aad(&event, b"data", &mut out, NOW, &mut SecretRng(7))
                .map(|opened| step(opened).for_each(drop))
                .is_ok()
        };
        assert!(!watch.watch("open a forged one", OPENED, || open(&forged)));
        assert!(watch.watch("open", OPENED, || open(&packet)));
    }
    watch.watch("a Line's record", NONE, || drop(black_box(at_alice.record())));
    watch.watch("safety number", NONE, || black_box(at_alice.safety_number()));
    watch.watch("export", NONE, || black_box(at_alice.export("label", b"context")));
}

/// The same proof, and a bad one, at a line of the same Alice that waits for it.
fn along_the_line(watch: &mut Watch, inline: &[u8]) {
    let Ok(Event::LineFormed { proof: Some(proof), .. }) = Event::decode(inline) else { unreachable!() };
    let good = Payload::Proof { proof }.to_vec();
    let bad = flipped(&good);
    let mut alice = create(Alice::offer(LINK.into(), PortOptions::new(), secret_seed(1)));
    published(alice.port().unwrap().public_key().as_bytes());
    let line = line_of(used(&mut alice, &formed(None).to_vec()));
    let mut line = watch.watch("the record of a line that waits", NONE, || {
        drop(black_box(line.record()));
        line
    });
    let (mut ended, mut confirm) = (None, None);
    let event = |payload| Event::Packet { line_id: LINE.into(), payload };
    watch.watch("it refuses a proof", CHECKED, || {
        let refused = line.handle(&event(&bad), &mut [], NOW, &mut SecretRng(7));
        ended = refused.ok().map(|step| black_box(step.write()).row.revision)
    });
    watch.watch("it takes the proof", CHECKED, || {
        let taken = line.handle(&event(&good), &mut [], NOW, &mut SecretRng(7)).unwrap();
        confirm = step(taken).next().map(|effect| packet_of(Some(effect)));
    });
    assert!(ended.is_some() && confirm.is_some());
}

/// A Port for many: its Alice makes an ephemeral key, from what the generator gives, and Bob the keys of epoch 1 from it.
fn for_many(watch: &mut Watch) {
    let options = PortOptions::new().policy(Policy::unlimited());
    let mut alice = create(Alice::offer(LINK.into(), options, secret_seed(1)));
    let port = alice.port().unwrap().clone();
    published(port.public_key().as_bytes());
    let mut bob = create(Bob::scan(port, secret_seed(2)));
    let good = watch.watch("Bob makes the proof of a Port for many", NONE, || proof_of(&mut bob));
    let mut at_alice = watch.watch("Alice takes it, and makes a key", CHECKED, || line_of(used(&mut alice, &good)));
    let mut at_bob = watch.watch("Bob's early keys", NONE, || formed_at(&mut bob));
    watch.watch("the record of Alice's line", NONE, || drop(black_box(at_alice.record())));
    watch.watch("the record of Bob's line", NONE, || drop(black_box(at_bob.record())));
    let confirm = watch.watch("Confirm with a key", NONE, || packet_of(at_alice.pending().next()));
    let answer = watch.watch("Bob opens it, and makes the keys", KEY_CHECKED, || answer_to(&mut at_bob, &confirm));
    watch.watch("Alice opens the answer by them", COUNTED, || handed(&mut at_alice, &answer));
    assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());
}

/// What was announced to Alice.
struct Announced(TicketNotice);

impl Peers for Announced {
    fn ticket(&self, _: &TicketHash) -> Option<TicketNotice> {
        Some(self.0.clone())
    }
}

/// A contact port: a ticket stands behind the RAD.
fn with_a_ticket(watch: &mut Watch) {
    let mut alice = create(Alice::offer(LINK.into(), PortOptions::new().introducer(LINE.into()), secret_seed(1)));
    published(alice.port().unwrap().public_key().as_bytes());
    let mut carol = create(Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), LINE.into()).unwrap());
    let notice = watch.watch("a ticket", NONE, || {
        let announcing = carol.introduce(IntroducerName::new("Carol").unwrap(), None, secret_seed(3), NOW).unwrap();
        let Some(IntroducerEffect::Announce(_, IntroducerMessage::Ticket(notice))) = step(announcing).next() else {
            unreachable!()
        };
        notice
    });
    published(notice.ticket.as_bytes());
    let Some(IntroducerEffect::Ready(port)) = step(carol.mark_announced().unwrap()).next() else { unreachable!() };
    let mut bob = create(Bob::scan(port, secret_seed(2)));
    let good = watch.watch("Bob makes the proof of a ticket", NONE, || proof_of(&mut bob));
    let bad = flipped(&good);
    watch.watch("Carol's record", NONE, || drop(black_box(carol.record())));
    watch.watch("the record of a Bob with a ticket", NONE, || drop(black_box(bob.record())));
    let announced = Announced(notice);
    let mut use_it = |bytes: &[u8]| {
        let step = alice.handle(&Event::decode(bytes).unwrap(), &announced, NOW, &mut SecretRng(7));
        step.map(|step| drop(black_box(step.write()))).is_ok()
    };
    assert!(!watch.watch("Alice refuses the proof of a ticket", CHECKED, || use_it(&bad)));
    assert!(watch.watch("Alice takes the proof of a ticket", LOOKED_UP, || use_it(&good)));
}

fn formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: LINK.into(), line_id: LINE.into(), peer: [3; 32].into(), proof }
}

/// Bob uses the Port: the event for Alice, which everybody may see.
fn proof_of(bob: &mut Bob) -> Vec<u8> {
    let connecting = bob.connect(SendProof::Inline, NOW).unwrap();
    let Some(BobEffect::Send(Request::Connect { proof, .. })) = step(connecting).next() else { unreachable!() };
    let mut wire = [0; 256];
    published(formed(proof).encode_into(&mut wire).unwrap()).to_vec()
}

fn used<'a>(alice: &'a mut Alice, event: &[u8]) -> Step<'a, Alice> {
    alice.handle(&Event::decode(event).unwrap(), &NoPeers, NOW, &mut SecretRng(7)).unwrap()
}

fn line_of(used: Step<'_, Alice>) -> Line {
    let Some(AliceEffect::LineFormed(line)) = step(used).next() else { unreachable!() };
    line
}

fn formed_at(bob: &mut Bob) -> Line {
    let (line_link, request_id, line_id, peer) = (LINK.into(), [2; 16].into(), LINE.into(), [4; 32].into());
    let connected = Event::Connected { line_link, request_id, line_id, peer };
    let connected = bob.handle(&connected, &NoPeers, NOW, &mut SecretRng(7)).unwrap();
    let Some(BobEffect::LineFormed(line)) = step(connected).next() else { unreachable!() };
    line
}

/// The same with another last bit.
fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    flipped
}

/// A packet is public once it is sealed.
fn packet_of(effect: Option<LineEffect<'_>>) -> Vec<u8> {
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = effect else { unreachable!() };
    published(payload).to_vec()
}

/// Hands a packet in, and gives the one that answers it.
fn handed(line: &mut Line, payload: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; 64];
    let event = Event::Packet { line_id: LINE.into(), payload };
    let handled = line.handle(&event, &mut buffer, NOW, &mut SecretRng(7)).unwrap();
    step(handled).next().map(|effect| packet_of(Some(effect)))
}

fn answer_to(line: &mut Line, payload: &[u8]) -> Vec<u8> {
    handed(line, payload).expect("an answer")
}
