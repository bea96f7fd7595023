//! A whole handshake with its relay where there is no std, no allocator and no libc: on bare Linux, on a Cortex-M4 and in WebAssembly.
//! It links only if `port-protocol` and all its dependencies do without them too. It succeeds only if an honest handshake is accepted
//! and a tampered one is refused.

#![no_std]
#![no_main]

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_os = "linux")]
mod linux;
mod relay;
#[cfg(target_arch = "wasm32")]
mod wasm;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Event, Line, LineEffect, Machine, NoPeers, Port, PortOptions, Received, Seed,
    SendProof, UnixSeconds,
};
use relay::{ALICE, BOB, Counter, Post};

const NOW: UnixSeconds = UnixSeconds::new(1_000_000).unwrap();
/// Longer than any request or event in here.
const BUFFER: usize = 256;

/// From the request for a line link to a message in each direction, everything as bytes. `flip` is what the relay does
/// to the last byte of Bob's proof.
///
/// What goes on after each step is what its record restores, as after a crash.
fn handshake(flip: u8) -> Option<()> {
    let (mut relay, mut wire, mut rng) = (Post::new(), [0; BUFFER], Counter(0));

    // Alice asks for a line link, and has a Port to show.
    let created = Alice::request(PortOptions::new(), Seed::from_bytes(&[1; 64]));
    let mut alice = Alice::restore(&created.write().row.record).ok()?;
    let Some(AliceEffect::Send(request)) = alice.pending().next() else { return None };
    let issued = relay.ask(ALICE, &request, 0, &mut wire)?;
    let step = alice.handle(&Event::decode(issued).ok()?, &NoPeers, NOW, &mut rng).ok()?;
    let mut alice = Alice::restore(&step.write().row.record).ok()?;
    let Some(AliceEffect::PortReady(port)) = alice.pending().next() else { return None };
    let shown = port.qr_text();

    // Bob reads it, and connects.
    let created = Bob::scan(Port::parse(shown.as_str()).ok()?, Seed::from_bytes(&[2; 64]));
    let mut bob = Bob::restore(&created.write().row.record).ok()?;
    let step = bob.connect(SendProof::Inline, NOW).ok()?;
    let mut bob = Bob::restore(&step.write().row.record).ok()?;
    let Some(BobEffect::Send(request)) = bob.pending().next() else { return None };

    // Each is told of the line, Alice with the proof.
    relay.ask(BOB, &request, flip, &mut wire)?;
    let connected = relay.hear(BOB, &mut wire)?;
    let step = bob.handle(&Event::decode(connected).ok()?, &NoPeers, NOW, &mut rng).ok()?;
    let mut at_bob = Line::restore(&step.write().new_line?.record).ok()?;

    let formed = relay.hear(ALICE, &mut wire)?;
    let step = alice.handle(&Event::decode(formed).ok()?, &NoPeers, NOW, &mut rng).ok()?;
    let mut at_alice = Line::restore(&step.write().new_line?.record).ok()?;

    // Confirm, and its answer.
    pass(&mut relay, (ALICE, &at_alice), (BOB, &mut at_bob))?;
    pass(&mut relay, (BOB, &at_bob), (ALICE, &mut at_alice))?;
    let step = at_bob.clear_outbox()?;
    let written = step.write();
    step.commit(written).for_each(drop);
    let same = at_alice.confirmed()? == at_bob.confirmed()? && at_alice.safety_number()? == at_bob.safety_number()?;

    say(&mut relay, (ALICE, &mut at_alice), (BOB, &mut at_bob), b"hello, Bob")?;
    say(&mut relay, (BOB, &mut at_bob), (ALICE, &mut at_alice), b"hello, Alice")?;
    relay.close()?;
    same.then_some(())
}

type User = [u8; 32];

/// Brings what lies in the outbox of one end to the other.
fn pass(relay: &mut Post, (from, sender): (User, &Line), (to, receiver): (User, &mut Line)) -> Option<()> {
    let (mut wire, mut buffer) = ([0; BUFFER], [0; BUFFER]);
    let Some(LineEffect::Send(request)) = sender.pending().next() else { return None };
    relay.ask(from, &request, 0, &mut wire)?;
    let packet = Event::decode(relay.hear(to, &mut wire)?).ok()?;
    let record = receiver.handle(&packet, &mut buffer, NOW, &mut Counter(0)).ok()?.write().row.record;
    *receiver = Line::restore(&record).ok()?;
    Some(())
}

/// Seals a message at one end and opens it at the other.
fn say(
    relay: &mut Post,
    (from, sender): (User, &mut Line),
    (to, receiver): (User, &mut Line),
    message: &[u8],
) -> Option<()> {
    let (mut sealed, mut wire, mut opened) = ([0; BUFFER], [0; BUFFER], [0; BUFFER]);
    let step = sender.seal(message, &[], &mut sealed).ok()?;
    let written = step.write();
    let Some(LineEffect::Send(request)) = step.commit(written).next() else { return None };
    relay.ask(from, &request, 0, &mut wire)?;
    let packet = Event::decode(relay.hear(to, &mut wire)?).ok()?;
    let written = receiver.handle(&packet, &mut opened, NOW, &mut Counter(0)).ok()?.write();
    let same = written.received == Some(Received::Message(message));
    *receiver = Line::restore(&written.row.record).ok()?;
    *sender = Line::restore(&sender.record()).ok()?;
    same.then_some(())
}

/// What every platform runs: 0 if all of it held, as an exit status.
fn run() -> i32 {
    let held = handshake(0).is_some() && handshake(1).is_none();
    i32::from(!held)
}
