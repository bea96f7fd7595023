//! Two owners enter each other's Portals without typing: they form a line by a single-use Port, and exchange their cards over it (§18.3).

#[path = "../common/store.rs"]
mod store;

use port_protocol::portal::PortalCard;
use port_protocol::relay::{Delivery, Limits, MarkKey, Memory, Relay};
use port_protocol::*;
use store::Store;

use crate::world::Outcome;

const ADA: [u8; 32] = [1; 32]; // a user's id at the relay
const BEN: [u8; 32] = [2; 32];

/// What each owner's app has of the line, in the end.
pub struct Exchanged {
    pub port: String,
    pub safety_numbers: [String; 2],
    /// What came over the line to Ada and to Ben.
    pub cards: [PortalCard; 2],
}

/// Ada shows a Port, Ben scans it, and each sends a card over the line.
pub fn exchange(adas: &PortalCard, bens: &PortalCard) -> Outcome<Exchanged> {
    let mut rng = rand::rng();
    let mut relay = Relay::new(Memory::new(), Limits::default(), MarkKey::draw(&mut rng));
    let (mut ada_store, mut ben_store) = (Store::default(), Store::default());

    // As the example `minimal` tells it.
    let mut ada = Alice::request(PortOptions::new(), Seed::draw(&mut rng)).store(|write| ada_store.keep(write))?;
    let Some(AliceEffect::Send(request)) = ada.pending().next() else { return Err("no request".into()) };
    let issued = relay.handle(ADA.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?.reply.ok_or("no reply")?;
    ada.handle(&issued, &NoPeers, UnixSeconds::now(), &mut rng)?.store(|write| ada_store.keep(write))?.for_each(drop);
    let port = ada.port().ok_or("no Port")?.qr_text().as_str().to_owned();

    let mut ben = Bob::scan(Port::parse(&port)?, Seed::draw(&mut rng)).store(|write| ben_store.keep(write))?;
    ben.connect(SendProof::Inline, UnixSeconds::now())?.store(|write| ben_store.keep(write))?.for_each(drop);
    let Some(BobEffect::Send(request)) = ben.pending().next() else { return Err("no request".into()) };
    relay.handle(BEN.into(), &request.to_vec(), &mut rng, UnixSeconds::now())?;

    let Delivery { sequence, event } = relay.next(BEN.into(), 0)?.ok_or("nothing waits")?;
    let step = ben.handle(&Event::decode(event)?, &NoPeers, UnixSeconds::now(), &mut rng)?;
    let Some(BobEffect::LineFormed(mut at_ben)) = step.store(|write| ben_store.keep(write))?.next() else {
        return Err("no line".into());
    };
    relay.acknowledge(BEN.into(), sequence)?;
    let Delivery { sequence, event } = relay.next(ADA.into(), 0)?.ok_or("nothing waits")?;
    let step = ada.handle(&Event::decode(event)?, &NoPeers, UnixSeconds::now(), &mut rng)?;
    let Some(AliceEffect::LineFormed(mut at_ada)) = step.store(|write| ada_store.keep(write))?.next() else {
        return Err("no line".into());
    };
    relay.acknowledge(ADA.into(), sequence)?;
    send(&mut relay, ADA, at_ada.pending())?;
    receive(&mut relay, BEN, &mut at_ben, &mut ben_store)?;
    receive(&mut relay, ADA, &mut at_ada, &mut ada_store)?;

    // The line is confirmed at both ends: what comes over it is of the owner who stands at the other.
    let numbers = [&at_ada, &at_ben].map(|line| line.safety_number().map(|number| number.to_string()));
    let [Some(adas_number), Some(bens_number)] = numbers else { return Err("the line is not confirmed".into()) };
    send(
        &mut relay,
        ADA,
        at_ada.seal(&adas.to_message(), &[], &mut Vec::new())?.store(|write| ada_store.keep(write))?,
    )?;
    let at_bens = receive(&mut relay, BEN, &mut at_ben, &mut ben_store)?.ok_or("no message")?;
    send(
        &mut relay,
        BEN,
        at_ben.seal(&bens.to_message(), &[], &mut Vec::new())?.store(|write| ben_store.keep(write))?,
    )?;
    let at_adas = receive(&mut relay, ADA, &mut at_ada, &mut ada_store)?.ok_or("no message")?;
    Ok(Exchanged {
        port,
        safety_numbers: [adas_number, bens_number],
        cards: [PortalCard::from_message(&at_adas)?, PortalCard::from_message(&at_bens)?],
    })
}

fn send(relay: &mut Relay<Memory>, user: [u8; 32], mut effects: Effects<'_, Line>) -> Outcome {
    let Some(LineEffect::Send(request)) = effects.next() else { return Ok(()) };
    relay.handle(user.into(), &request.to_vec(), &mut rand::rng(), UnixSeconds::now())?;
    send(relay, user, effects)
}

/// Takes to a line what waits for it. Gives the message, if it is one.
fn receive(relay: &mut Relay<Memory>, user: [u8; 32], line: &mut Line, store: &mut Store) -> Outcome<Option<Vec<u8>>> {
    let Delivery { sequence, event } = relay.next(user.into(), 0)?.ok_or("nothing waits")?;
    let mut buffer = Vec::new();
    let step = line.handle(&Event::decode(event)?, &mut buffer, UnixSeconds::now(), &mut rand::rng())?;
    let mut message = None;
    let mut requests = Vec::new();
    for effect in step.store(|write| store.keep(write))? {
        match effect {
            LineEffect::Message(text) => message = Some(text.to_vec()),
            LineEffect::Send(request) => requests.push(request.to_vec()),
            _ => {}
        }
    }
    for request in requests {
        relay.handle(user.into(), &request, &mut rand::rng(), UnixSeconds::now())?;
    }
    relay.acknowledge(user.into(), sequence)?;
    Ok(message)
}
