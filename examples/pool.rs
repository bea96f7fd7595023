//! Ports made without a network: a pool of line links is filled from the relay, two Ports are made offline, and one is used later.
//!
//! `cargo run --example pool`.

#[path = "common/store.rs"]
mod store;

use std::error::Error;

use port_protocol::relay::{Limits, MarkKey, Memory, Relay};
use port_protocol::*;
use store::Store;

const ALICE: [u8; 32] = [1; 32]; // a user, as the relay has authenticated it
const BOB: [u8; 32] = [2; 32];

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = rand::rng();
    let mut relay = Relay::new(Memory::new(), Limits::default(), MarkKey::draw(&mut rng));
    let (mut alices, mut bobs) = (Store::default(), Store::default());

    // Once, with a network: a pool of four links, which asks for new ones when fewer than two are left.
    let mut pool = Pool::new(2, 4, Seed::draw(&mut rng))?.store(|write| alices.keep(write))?;
    fill(&mut pool, &mut relay, &mut alices)?;
    println!("The pool has {} line links.", pool.held());

    // Offline: a link is taken out, and a Port is made of it. Alice shows both, say on paper.
    let mut ports = Vec::new();
    for _ in 0..2 {
        let popped = pool.pop()?.store(|write| alices.keep(write))?.next();
        let Some(PoolEffect::Link(line_link)) = popped else { return Err("no link".into()) };
        let alice =
            Alice::offer(line_link, PortOptions::new(), Seed::draw(&mut rng)).store(|write| alices.keep(write))?;
        println!("Alice shows {}", alice.port().ok_or("no Port")?.qr_text());
        ports.push(alice);
    }
    println!("The pool has {} line links.", pool.held());

    // Bob reads the first, and has a network.
    let text = ports[0].port().ok_or("no Port")?.qr_text();
    let mut bob = Bob::scan(Port::parse(text.as_str())?, Seed::draw(&mut rng)).store(|write| bobs.keep(write))?;
    bob.connect(SendProof::Inline, UnixSeconds::now())?.store(|write| bobs.keep(write))?.for_each(drop);
    let Some(BobEffect::Send(request)) = bob.pending().next() else { return Err("no request".into()) };
    relay.handle(BOB.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?;
    let relay::Delivery { sequence, event } = relay.next(BOB.into(), 0)?.ok_or("nothing waits")?;
    let step = bob.handle(&Event::decode(event)?, &NoPeers, UnixSeconds::now(), &mut rng)?;
    step.store(|write| bobs.keep(write))?.for_each(drop);
    relay.acknowledge(BOB.into(), sequence)?;

    // Alice is online again, and does what is pending: at the relay the links of its Ports live on. Then comes what waited. The event's key
    // says for which of the two Ports it is.
    for alice in &ports {
        for effect in alice.pending() {
            let AliceEffect::Send(request) = effect else { continue };
            relay.handle(ALICE.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?;
        }
    }
    let relay::Delivery { sequence, event } = relay.next(ALICE.into(), 0)?.ok_or("nothing waits")?;
    let event = Event::decode(event)?;
    let alice = ports.iter_mut().find(|alice| alice.key() == event.key()).ok_or("no such Port")?;
    alice.handle(&event, &NoPeers, UnixSeconds::now(), &mut rng)?.store(|write| alices.keep(write))?.for_each(drop);
    relay.acknowledge(ALICE.into(), sequence)?;
    println!("Bob:   {:?}", bob.phase());
    ports.iter().for_each(|alice| println!("Alice: {:?}", alice.phase()));
    assert_eq!((ports[0].is_spent(), ports[1].is_spent(), pool.held()), (true, false, 2));
    Ok(())
}

/// Does what is pending in the pool: its requests go to the relay, and the relay's answers into the pool.
fn fill(pool: &mut Pool, relay: &mut Relay<Memory>, store: &mut Store) -> Result<(), Box<dyn Error>> {
    let mut issued = Vec::new();
    for effect in pool.pending() {
        let PoolEffect::Send(request) = effect else { continue };
        issued.extend(relay.handle(ALICE.into(), &request.to_vec(), &mut rand::rng(), UnixSeconds::now())?.reply);
    }
    for event in issued {
        pool.handle(&event)?.store(|write| store.keep(write))?.for_each(drop);
    }
    Ok(())
}
