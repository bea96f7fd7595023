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
    Alice, AliceEffect, Bob, BobEffect, Line, LineEffect, Machine, Offer, Port, Seed, SendProof, UnixSeconds,
};
use relay::{ALICE, BOB, Relay};

const NOW: UnixSeconds = UnixSeconds(1_000_000);
/// Longer than any request or event in here.
const BUFFER: usize = 256;

/// From the request for a line link to a message in each direction, everything as bytes. `flip` is what the relay does
/// to the last byte of Bob's proof.
///
/// What goes on after each step is what its record restores, as after a crash.
fn handshake(flip: u8) -> Option<()> {
    let (mut relay, mut wire) = (Relay::new(), [0; BUFFER]);

    // Alice asks for a line link, and has a Port to show.
    let born = Alice::request(Offer::new(), Seed::from_bytes(&[1; 64]));
    let mut alice = Alice::restore(&born.record()).ok()?;
    let Some(AliceEffect::Send(request)) = alice.unsent().next() else { return None };
    let issued = relay.ask(ALICE, &request, 0, &mut wire)?;
    let step = alice.handle_bytes(issued, NOW).ok()?;
    let mut alice = Alice::restore(&step.record()).ok()?;
    let Some(AliceEffect::PortReady(port)) = alice.unsent().next() else { return None };
    let shown = port.qr_text();

    // Bob reads it, and connects.
    let born = Bob::scan(Port::parse(shown.as_str()).ok()?, Seed::from_bytes(&[2; 64]));
    let mut bob = Bob::restore(&born.record()).ok()?;
    let step = bob.connect(SendProof::OnBoard, NOW).ok()?;
    let mut bob = Bob::restore(&step.record()).ok()?;
    let Some(BobEffect::Send(request)) = bob.unsent().next() else { return None };

    // Each is told of the line, Alice with the proof.
    let formed = relay.ask(BOB, &request, flip, &mut wire)?;
    let step = bob.handle_bytes(formed, NOW).ok()?;
    let mut at_bob = Line::restore(&step.line()?.record()).ok()?;

    let formed = relay.hear(ALICE, &mut wire)?;
    let step = alice.handle_bytes(formed, NOW).ok()?;
    let mut at_alice = Line::restore(&step.line()?.record()).ok()?;

    // Confirm, and its answer.
    pass(&mut relay, (ALICE, &at_alice), (BOB, &mut at_bob))?;
    pass(&mut relay, (BOB, &at_bob), (ALICE, &mut at_alice))?;
    at_bob.settle()?.commit().for_each(drop);
    let same = at_alice.confirmed()? == at_bob.confirmed()? && at_alice.check_code()? == at_bob.check_code()?;

    say(&mut relay, (ALICE, &mut at_alice), (BOB, &mut at_bob), b"hello, Bob")?;
    say(&mut relay, (BOB, &mut at_bob), (ALICE, &mut at_alice), b"hello, Alice")?;
    relay.close()?;
    same.then_some(())
}

type User = [u8; 32];

/// Brings what lies in the outbox of one end to the other.
fn pass(relay: &mut Relay, (from, sender): (User, &Line), (to, receiver): (User, &mut Line)) -> Option<()> {
    let (mut wire, mut buffer) = ([0; BUFFER], [0; BUFFER]);
    let Some(LineEffect::Send(request)) = sender.unsent().next() else { return None };
    relay.ask(from, &request, 0, &mut wire)?;
    let packet = relay.hear(to, &mut wire)?;
    let record = receiver.handle_bytes(packet, &mut buffer, NOW).ok()?.record();
    *receiver = Line::restore(&record).ok()?;
    Some(())
}

/// Seals a message at one end and opens it at the other.
fn say(
    relay: &mut Relay,
    (from, sender): (User, &mut Line),
    (to, receiver): (User, &mut Line),
    message: &[u8],
) -> Option<()> {
    let (mut sealed, mut wire, mut opened) = ([0; BUFFER], [0; BUFFER], [0; BUFFER]);
    let step = sender.seal(message, &[], &mut sealed).ok()?;
    let Some(LineEffect::Send(request)) = step.commit().next() else { return None };
    relay.ask(from, &request, 0, &mut wire)?;
    let packet = relay.hear(to, &mut wire)?;
    let step = receiver.handle_bytes(packet, &mut opened, NOW).ok()?;
    let Some(LineEffect::Message(heard)) = step.commit().next() else { return None };
    let same = heard == message;
    *sender = Line::restore(&sender.record()).ok()?;
    *receiver = Line::restore(&receiver.record()).ok()?;
    same.then_some(())
}

/// What every platform runs: 0 if all of it held, as an exit status.
fn run() -> i32 {
    let held = handshake(0).is_some() && handshake(1).is_none();
    i32::from(!held)
}
