//! A whole handshake on bare Linux: no std, no allocator, no libc. It links only if `port-protocol` and all that it
//! depends on do without them too, and exits with 0 only if an honest handshake held and a tampered one did not.

#![no_std]
#![no_main]

use core::arch::global_asm;
use core::panic::PanicInfo;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Event, Line, LineEffect, Machine, Offer, Port, Proof, Request, Seed, SendProof,
    UnixSeconds,
};

const NOW: UnixSeconds = UnixSeconds(1_000_000);
const LINE_LINK: [u8; 16] = [3; 16];
/// Longer than any request or event in here.
const BUFFER: usize = 256;

/// From the request for a line link to a message in each direction, everything as bytes. `flip` is what the relay does
/// to the last byte of Bob's proof.
///
/// What goes on after each step is what its record restores, as after a crash.
fn handshake(flip: u8) -> Option<()> {
    let mut wire = [0; BUFFER];

    // Alice asks for a line link, and has a Port to show.
    let born = Alice::request(Offer::new(), Seed::from_bytes(&[1; 64]));
    let mut alice = Alice::restore(&born.record()).ok()?;
    let Some(AliceEffect::Send(request)) = alice.unsent().next() else { return None };
    let issued = relay(&request, 0, &mut wire)?;
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
    let formed = relay(&request, flip, &mut wire)?;
    let step = alice.handle_bytes(formed, NOW).ok()?;
    let alice = Alice::restore(&step.record()).ok()?;
    let Some(AliceEffect::LineFormed(born)) = alice.unsent().next() else { return None };
    let mut at_alice = Line::restore(&born.record()).ok()?;

    let formed = line_formed(None).encode_into(&mut wire).ok()?;
    let step = bob.handle_bytes(formed, NOW).ok()?;
    let bob = Bob::restore(&step.record()).ok()?;
    let Some(BobEffect::LineFormed(born)) = bob.unsent().next() else { return None };
    let mut at_bob = Line::restore(&born.record()).ok()?;

    // Confirm, and its answer.
    pass(&at_alice, &mut at_bob)?;
    pass(&at_bob, &mut at_alice)?;
    at_bob.settle()?.commit().for_each(drop);
    let same = at_alice.confirmed()? == at_bob.confirmed()? && at_alice.check_code()? == at_bob.check_code()?;

    say(&mut at_alice, &mut at_bob, b"hello, Bob")?;
    say(&mut at_bob, &mut at_alice, b"hello, Alice")?;
    same.then_some(())
}

/// Brings what lies in the outbox of one end to the other.
fn pass(from: &Line, to: &mut Line) -> Option<()> {
    let (mut wire, mut buffer) = ([0; BUFFER], [0; BUFFER]);
    let Some(LineEffect::Send(request)) = from.unsent().next() else { return None };
    let packet = relay(&request, 0, &mut wire)?;
    let record = to.handle_bytes(packet, &mut buffer, NOW).ok()?.record();
    *to = Line::restore(&record).ok()?;
    Some(())
}

/// Seals a message at one end and opens it at the other.
fn say(from: &mut Line, to: &mut Line, message: &[u8]) -> Option<()> {
    let (mut sealed, mut wire, mut opened) = ([0; BUFFER], [0; BUFFER], [0; BUFFER]);
    let step = from.seal(message, &[], &mut sealed).ok()?;
    let Some(LineEffect::Send(request)) = step.commit().next() else { return None };
    let packet = relay(&request, 0, &mut wire)?;
    let step = to.handle_bytes(packet, &mut opened, NOW).ok()?;
    let Some(LineEffect::Message(heard)) = step.commit().next() else { return None };
    let same = heard == message;
    *from = Line::restore(&from.record()).ok()?;
    *to = Line::restore(&to.record()).ok()?;
    same.then_some(())
}

/// The Server, for one line: from a request's bytes to those of the event that follows.
fn relay<'o>(request: &Request<'_>, flip: u8, event: &'o mut [u8]) -> Option<&'o [u8]> {
    let mut wire = [0; BUFFER];
    let request = request.encode_into(&mut wire).ok()?;
    *request.last_mut()? ^= flip;
    let answer = match Request::decode(request).ok()? {
        Request::IssueLineLink { request_id } => Event::LineLinkIssued { request_id, line_link: LINE_LINK.into() },
        Request::Connect { proof, .. } => line_formed(proof),
        Request::Packet { line_id, payload } => Event::Packet { line_id, payload },
        _ => return None,
    };
    answer.encode_into(event).ok().map(|event| &*event)
}

fn line_formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: LINE_LINK.into(), line_id: [4; 16].into(), pair_hash: [5; 32].into(), proof }
}

extern "C" fn main() -> i32 {
    let held = handshake(0).is_some() && handshake(1).is_none();
    i32::from(!held)
}

global_asm!(include_str!("bare.s"), main = sym main);

// SAFETY: bare.s defines it so: one int, and it does not come back.
unsafe extern "C" {
    safe fn exit(status: i32) -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}
