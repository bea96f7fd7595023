//! Run under `valgrind`, with every secret marked as undefined: memcheck then reports whatever branches on one, or looks
//! something up by one. Whether a proof is good and whether a packet opens is made public by a branch.
//!
//! With `leak` as its argument it compares a secret as no one should, and must be found out.

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use crabgrind::memcheck::{MemState, mark_memory};
use crabgrind::valgrind::{count_errors, running_mode};
use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Event, Introducer, IntroducerEffect, IntroducerMessage, Peers, Line, LineEffect,
    Machine, IntroducerName, PortOptions, Payload, Proof, Request, SEAL_OVERHEAD, Seed, SendProof, TicketHash, TicketNotice, UnixSeconds,
    X25519Backend, padded_len,
};

/// No branch that depends on a secret.
const NONE: RangeInclusive<usize> = 0..=0;
/// The one that makes it public whether a proof is good.
const CHECKED: RangeInclusive<usize> = 1..=1;
/// That, and then which row of told tickets is meant: of a good proof its ticket's hash is public, for Alice was told it.
const LOOKED_UP: RangeInclusive<usize> = 2..=2;
/// The same for a packet: in the library, and of the library's result.
const OPENED: RangeInclusive<usize> = 2..=2;

const NOW: UnixSeconds = UnixSeconds(1_790_000_000);
const LINK: [u8; 16] = [1; 16];
const LINE: [u8; 16] = [2; 16];

fn mark(bytes: &[u8], state: MemState) {
    mark_memory(bytes.as_ptr().cast(), bytes.len(), state).expect("valgrind");
}

/// 64 bytes that nothing may depend on.
fn secret_seed(byte: u8) -> Seed {
    let bytes = black_box([byte; 64]);
    mark(&bytes, MemState::Undefined);
    Seed::from_bytes(&bytes)
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
    if std::env::args().nth(1).as_deref() == Some("leak") {
        let secret = black_box([7_u8; 16]);
        mark(&secret, MemState::Undefined);
        watch.watch("a leak", NONE, || black_box(secret.iter().position(|&byte| byte != 7)));
    } else {
        everything(&mut watch);
    }
    ExitCode::from(u8::from(watch.failed))
}

fn everything(watch: &mut Watch) {
    let offer = || Alice::offer(LINK.into(), PortOptions::new(), secret_seed(1)).commit();
    let mut alice = watch.watch("keygen", NONE, offer);
    published(alice.port().unwrap().public_key().as_bytes());
    let port = alice.port().unwrap().clone();

    let mut bob = Bob::scan(port, secret_seed(2)).commit();
    let mut wire = [0; 256];
    let event = watch.watch("Bob makes the proof", NONE, || {
        let Some(BobEffect::Send(Request::Connect { proof, .. })) =
            bob.connect(SendProof::Inline, NOW).unwrap().commit().next()
        else {
            unreachable!()
        };
        formed(proof).encode_into(&mut wire).unwrap()
    });
    let good = published(event).to_vec();
    let mut bad = good.clone();
    if let Some(last) = bad.last_mut() {
        *last ^= 1;
    }
    watch.watch("Bob's record", NONE, || drop(black_box(bob.record())));
    watch.watch("Alice's record", NONE, || drop(black_box(alice.record())));
    watch.watch("Alice refuses a proof", CHECKED, || drop(black_box(alice.handle_bytes(&bad, NOW).unwrap())));
    let mut at_alice = watch.watch("Alice takes the proof", CHECKED, || {
        let Some(AliceEffect::LineFormed(line)) = alice.handle_bytes(&good, NOW).unwrap().commit().next() else {
            unreachable!()
        };
        line
    });
    along_the_line(watch, &good);
    with_a_ticket(watch);
    let mut at_bob = watch.watch("Bob's keys", NONE, || {
        let Some(BobEffect::LineFormed(line)) = bob.handle(&formed(None), NOW).unwrap().commit().next() else {
            unreachable!()
        };
        line
    });

    let confirm = watch.watch("Confirm", NONE, || packet_of(at_alice.pending().next()));
    let answer = watch.watch("Bob opens it", OPENED, || packet_of(taken(&mut at_bob, &confirm).as_deref().map(send)));
    watch.watch("Alice opens the answer", OPENED, || taken(&mut at_alice, &answer));
    for length in [0, 5, 16, 1000] {
        let text = vec![length as u8; length];
        mark(&text, MemState::Undefined);
        let mut buffer = vec![0; length + SEAL_OVERHEAD];
        let packet = watch
            .watch("seal", NONE, || packet_of(at_alice.seal(&text, b"data", &mut buffer).unwrap().commit().next()));
        let mut buffer = vec![0; padded_len(length) + SEAL_OVERHEAD];
        watch.watch("seal, padded", NONE, || {
            packet_of(at_alice.seal_padded(&text, b"data", &mut buffer).unwrap().commit().next())
        });
        let mut forged = packet.clone();
        if let Some(last) = forged.last_mut() {
            *last ^= 1;
        }
        let mut out = vec![0; packet.len()];
        let mut open = |payload: &[u8]| {
            let event = Event::Packet { line_id: LINE.into(), payload };
            at_bob.open(&event, b"data", &mut out, NOW).map(|step| step.commit().for_each(drop)).is_ok()
        };
        assert!(!watch.watch("open a forged one", OPENED, || open(&forged)));
        assert!(watch.watch("open", OPENED, || open(&packet)));
    }
    watch.watch("a Line's record", NONE, || drop(black_box(at_alice.record())));
    watch.watch("check code", NONE, || black_box(at_alice.safety_number()));
    watch.watch("export", NONE, || black_box(at_alice.export("label", b"context")));
}

/// The same proof, and a bad one, at a line of the same Alice that waits for it.
fn along_the_line(watch: &mut Watch, on_board: &[u8]) {
    let Ok(Event::LineFormed { proof: Some(proof), .. }) = Event::decode(on_board) else { unreachable!() };
    let good = Payload::Proof { proof }.to_vec();
    let mut bad = good.clone();
    if let Some(last) = bad.last_mut() {
        *last ^= 1;
    }
    let mut alice = Alice::offer(LINK.into(), PortOptions::new(), secret_seed(1)).commit();
    published(alice.port().unwrap().public_key().as_bytes());
    let step = alice.handle(&formed(None), NOW).unwrap();
    let Some(AliceEffect::LineFormed(line)) = step.commit().next() else { unreachable!() };
    let mut line = watch.watch("the record of a line that waits", NONE, || {
        drop(black_box(line.record()));
        line
    });
    let (mut ended, mut confirm) = (None, None);
    let event = |payload| Event::Packet { line_id: LINE.into(), payload };
    watch.watch("it refuses a proof", CHECKED, || {
        ended = line.handle(&event(&bad), &mut [], NOW).ok().map(|step| step.revision())
    });
    watch.watch("it takes the proof", CHECKED, || {
        confirm =
            line.handle(&event(&good), &mut [], NOW).unwrap().commit().next().map(|effect| packet_of(Some(effect)));
    });
    assert!(ended.is_some() && confirm.is_some());
}

/// What Alice was told of.
struct Told(TicketNotice);

impl Peers for Told {
    fn ticket(&self, _: &TicketHash) -> Option<TicketNotice> {
        Some(self.0.clone())
    }
}

/// A contact port: a ticket stands behind the RAD.
fn with_a_ticket(watch: &mut Watch) {
    let mut alice = Alice::offer(LINK.into(), PortOptions::new().introducer(LINE.into()), secret_seed(1)).commit();
    published(alice.port().unwrap().public_key().as_bytes());
    let mut carol = Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), LINE.into()).unwrap().commit();
    let told = watch.watch("a ticket", NONE, || {
        let step = carol.introduce(IntroducerName::new("Carol").unwrap(), None, secret_seed(3), NOW).unwrap();
        let Some(IntroducerEffect::Announce(_, IntroducerMessage::Ticket(told))) = step.commit().next() else { unreachable!() };
        told
    });
    published(told.ticket.as_bytes());
    let Some(IntroducerEffect::Ready(port)) = carol.told().unwrap().commit().next() else { unreachable!() };
    let mut bob = Bob::scan(port, secret_seed(2)).commit();
    let mut wire = [0; 256];
    let event = watch.watch("Bob makes the proof of a ticket", NONE, || {
        let step = bob.connect(SendProof::Inline, NOW).unwrap();
        let Some(BobEffect::Send(Request::Connect { proof, .. })) = step.commit().next() else { unreachable!() };
        formed(proof).encode_into(&mut wire).unwrap()
    });
    let good = published(event).to_vec();
    let mut bad = good.clone();
    if let Some(last) = bad.last_mut() {
        *last ^= 1;
    }
    watch.watch("Carol's record", NONE, || drop(black_box(carol.record())));
    watch.watch("the record of a Bob with a ticket", NONE, || drop(black_box(bob.record())));
    let known = Told(told);
    let mut use_it = |bytes: &[u8]| alice.handle(&Event::decode(bytes).unwrap(), &known, NOW).is_ok();
    assert!(!watch.watch("Alice refuses the proof of a ticket", CHECKED, || use_it(&bad)));
    assert!(watch.watch("Alice takes the proof of a ticket", LOOKED_UP, || use_it(&good)));
}

fn formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: LINK.into(), line_id: LINE.into(), pair_hash: [3; 32].into(), proof }
}

fn send(payload: &[u8]) -> LineEffect<'_> {
    LineEffect::Send(Request::Packet { line_id: LINE.into(), payload })
}

/// A packet is public once it is sealed.
fn packet_of(effect: Option<LineEffect<'_>>) -> Vec<u8> {
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = effect else { unreachable!() };
    published(payload).to_vec()
}

/// Hands a packet in, and gives the one that answers it.
fn taken(line: &mut Line, payload: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; 64];
    let event = Event::Packet { line_id: LINE.into(), payload };
    let mut effects = line.handle(&event, &mut buffer, NOW).unwrap().commit();
    effects.next().map(|effect| packet_of(Some(effect)))
}
