//! A Port made, shown and used, a line confirmed, a message each way: Alice, Bob and the relay in one process.
//!
//! `cargo run --example minimal`. The example `handshake` shows each packet. With `--crash` its users crash after each write, with `--tamper`
//! its relay flips bits.

#[path = "common/store.rs"]
mod store;

use std::error::Error;

use port_protocol::relay::{Limits, MarkKey, Memory, Relay};
use port_protocol::*;
use store::Store;

const ALICE: [u8; 32] = [1; 32]; // a user's id at the relay, which has authenticated the user
const BOB: [u8; 32] = [2; 32];

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let mut rng = rand::rng();
    let mut relay = Relay::new(Memory::new(), Limits::default(), MarkKey::draw(&mut rng));
    let (mut alices, mut bobs) = (Store::default(), Store::default());

    // Alice asks the relay for a line link, and makes a Port of it. Each step is stored before its effects.
    let mut alice = Alice::request(PortOptions::new(), Seed::draw(&mut rng)).store(|write| alices.keep(write))?;
    let Some(AliceEffect::Send(request)) = alice.pending().next() else { return Err("no request".into()) };
    let issued =
        relay.handle(ALICE.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?.reply.ok_or("no reply")?;
    alice.handle(&issued, &NoPeers, UnixSeconds::now(), &mut rng)?.store(|write| alices.keep(write))?.for_each(drop);
    let text = alice.port().ok_or("no Port")?.qr_text();
    println!("Alice shows {}", text.as_str());

    // Bob reads it, and asks the relay to connect. The proof that Bob holds the Port goes with the request.
    let mut bob = Bob::scan(Port::parse(text.as_str())?, Seed::draw(&mut rng)).store(|write| bobs.keep(write))?;
    bob.connect(SendProof::Inline, UnixSeconds::now())?.store(|write| bobs.keep(write))?.for_each(drop);
    let Some(BobEffect::Send(request)) = bob.pending().next() else { return Err("no request".into()) };
    relay.handle(BOB.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?;

    // The relay has formed a line. Its answer waits until Bob has stored what came of it.
    let relay::Delivery { sequence, event } = relay.next(BOB.into(), 0)?.ok_or("nothing waits")?;
    let step = bob.handle(&Event::decode(event)?, &NoPeers, UnixSeconds::now(), &mut rng)?;
    let Some(BobEffect::LineFormed(mut at_bob)) = step.store(|write| bobs.keep(write))?.next() else {
        return Err("no line".into());
    };
    relay.acknowledge(BOB.into(), sequence)?; // the relay may delete it

    // The relay tells Alice, too, with the proof. If it is good, Alice has the other end of the line.
    let relay::Delivery { sequence, event } = relay.next(ALICE.into(), 0)?.ok_or("nothing waits")?;
    let step = alice.handle(&Event::decode(event)?, &NoPeers, UnixSeconds::now(), &mut rng)?;
    let Some(AliceEffect::LineFormed(mut at_alice)) = step.store(|write| alices.keep(write))?.next() else {
        return Err("no line".into());
    };
    relay.acknowledge(ALICE.into(), sequence)?;

    // Alice's Confirm and Bob's Answer. From now on it is proven to each who is at the other end.
    send(&mut relay, ALICE, at_alice.pending())?;
    receive(&mut relay, BOB, &mut at_bob, &mut bobs)?;
    receive(&mut relay, ALICE, &mut at_alice, &mut alices)?;
    println!("Both read   {}", at_alice.safety_number().ok_or("not confirmed")?);
    assert_eq!(at_alice.safety_number(), at_bob.safety_number());

    // A message each way.
    send(&mut relay, ALICE, at_alice.seal(b"Hello, Bob!", &[], &mut Vec::new())?.store(|write| alices.keep(write))?)?;
    receive(&mut relay, BOB, &mut at_bob, &mut bobs)?;
    send(&mut relay, BOB, at_bob.seal(b"Hello, Alice!", &[], &mut Vec::new())?.store(|write| bobs.keep(write))?)?;
    receive(&mut relay, ALICE, &mut at_alice, &mut alices)?;
    println!("Bob heard   {:?}\nAlice heard {:?}", bobs.messages, alices.messages);
    Ok(())
}

/// Hands a line's requests over to the relay.
fn send(relay: &mut Relay<Memory>, user: [u8; 32], mut effects: Effects<'_, Line>) -> Outcome {
    let Some(LineEffect::Send(request)) = effects.next() else { return Ok(()) };
    relay.handle(user.into(), &request.to_vec(), &mut rand::rng(), UnixSeconds::now())?;
    send(relay, user, effects)
}

/// Takes to a line what waits for it at the relay.
fn receive(relay: &mut Relay<Memory>, user: [u8; 32], line: &mut Line, store: &mut Store) -> Outcome {
    let relay::Delivery { sequence, event } = relay.next(user.into(), 0)?.ok_or("nothing waits")?;
    let mut buffer = Vec::new();
    let step = line.handle(&Event::decode(event)?, &mut buffer, UnixSeconds::now(), &mut rand::rng())?;
    send(relay, user, step.store(|write| store.keep(write))?)?;
    Ok(relay.acknowledge(user.into(), sequence)?)
}
