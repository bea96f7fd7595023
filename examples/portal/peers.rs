//! IDs, and peers: entered, verified, or not.

use std::sync::Arc;

use port_protocol::portal::*;

use crate::http;
use crate::line;
use crate::network::NoAnswer;
use crate::show::{check, equal, heading, refused, tell};
use crate::world::{Outcome, World};

pub fn ids(world: &World) -> Outcome {
    heading(
        "Each Portal has a random ID that is a hash of its public key, long, of which people see the first six characters",
    );
    for (place, whose) in [(&world.ada, "Ada's"), (&world.ben, "Ben's"), (&world.carl, "Carl's")] {
        let machines = place.host.machines();
        let id = machines.portal.id();
        let text = format!("{whose:6} Portal is {id}, shown as {}", id.short());
        check("§18.2.1", &text, id == PortalId::of(machines.portal.public_key()))?;
    }
    let text = world.ben.host.id().to_string();
    let groups: Vec<_> = text.as_bytes().chunks(5).map(|five| String::from_utf8_lossy(five).to_uppercase()).collect();
    let grouped = groups.join("-");
    check("§18.2.4", &format!("{grouped} is read as the same."), grouped.parse() == Ok(world.ben.host.id()))?;
    let last = if text.ends_with('a') { "b" } else { "a" };
    let wrong = [["b", "c"][usize::from(text.starts_with('b'))], &text[1..]].concat();
    refused("§18.2.5", "One wrong character is found.", &wrong.parse::<PortalId>(), &PortalIdError::Mistyped)?;
    let wrong = [&text[..54], last].concat();
    refused(
        "§18.2.5",
        "So is one at the end, which is of the check.",
        &wrong.parse::<PortalId>(),
        &PortalIdError::Mistyped,
    )?;
    refused("§18.2.6", "Six characters are no ID.", &text[..6].parse::<PortalId>(), &PortalIdError::TooShort)
}

pub fn entered_by_a_line(world: &World) -> Outcome {
    heading("Its owner enters other Portals' IDs: these are its peers");
    let [adas, bens] = [&world.ada, &world.ben]
        .map(|place| Ok::<_, CardError>(PortalCard::new(place.host.id(), Some(PortalAddr::new(&place.address)?))));
    let (adas, bens) = (adas?, bens?);
    let exchanged = line::exchange(&adas, &bens)?;
    tell("§18.3.8", &format!("Ada shows a Port for one use, Ben scans it: {}", exchanged.port));
    let [number, same] = &exchanged.safety_numbers;
    equal("§6.8", &format!("They have a line. Both read its safety number: {number}"), same, number)?;
    let [at_ada, at_ben] = &exchanged.cards;
    check(
        "§18.3.8",
        "Each sends a card over it, with the ID and the address. Nothing is typed.",
        (at_ada, at_ben) == (&bens, &adas),
    )?;
    // In earnest it would be refused: it leads a Portal to its own machine.
    let is_local = at_ada.address().is_some_and(PortalAddr::is_local);
    check("§18.3.4", "The addresses are of this machine, which is for tests.", is_local)?;
    for (place, card, name) in [(&world.ada, at_ada, "Ben"), (&world.ben, at_ben, "Ada")] {
        let address = card.address().ok_or("no address")?.to_string();
        equal(
            "§18.4.1",
            &format!("{name}'s Portal is entered."),
            &place.host.enter(card.id(), &address, name),
            &Ok(None),
        )?;
        check("§18.4.2", "  Its key is not known yet.", !place.sees(&card.id(), Peer::is_verified)?)?;
        let outcome = place.host.tick()?;
        let text = format!("  It is asked who it is. Its key hashes to {}…, and is pinned.", card.id().short());
        equal("§18.4.2", &text, &outcome, &vec![(card.id(), LookedUp::Verified)])?;
    }
    Ok(())
}

/// Everything else that can come of entering a peer.
pub fn outcomes(world: &World) -> Outcome {
    heading("What an owner is told when a peer is entered");
    let (ada, ben) = (&world.ada.host, world.ben.host.id());
    let own = ada.enter(ada.id(), &world.ada.address, "me");
    refused("§18.4.1", "Ada enters Ada's own ID.", &own, &PeerError::Own.into())?;
    let twice = ada.enter(ben, &world.ben.address, "Ben again");
    refused("§18.4.1", "Ada enters Ben's ID once more.", &twice, &PeerError::Known.into())?;

    // Nobody has a key for this one. Somebody who wants one with Ben's first six characters makes 2³⁰ keys; here it is made up.
    let mut bytes = *ben.as_bytes();
    bytes[31] ^= 1;
    let alike = PortalId::from_bytes(bytes);
    let text = format!("Ada enters {alike}, which looks like Ben's: {}. The owner sees both in full.", alike.short());
    equal("§18.4.6", &text, &ada.enter(alike, &world.ben.address, "Ben?"), &Ok(Some(ben)))?;
    equal(
        "§18.4.3",
        "  At that address Ben's answers, and not this one: wrong key. It is no peer to be asked.",
        &ada.tick()?,
        &vec![(alike, LookedUp::WrongKey)],
    )?;
    check("§18.4.6", "  Ben's Portal stays what it is.", world.ada.sees(&ben, Peer::is_verified)?)?;
    ada.remove(&alike)?;

    // It answers who it is, with a key that is not its own.
    let liar = Portal::create(PortalName::new("Ben's")?, &mut rand::rng())
        .store(|_| Ok::<_, NoAnswer>(()))
        .map_err(|_| "no Portal")?;
    let lie = std::sync::Mutex::new(liar);
    let liars = http::serve(Arc::new(move |message| {
        let mut liar = lie.lock().map_err(|_| NoAnswer)?;
        match liar.receive(message, &mut Vec::new(), port_protocol::UnixSeconds::now()) {
            Ok(Received::WhoAreYou(answer)) => Ok(answer),
            Ok(Received::Incoming(_)) => Err(NoAnswer),
            Err(refusal) => Ok(refusal.to_vec()),
        }
    }))?;
    let carl = world.carl.host.id();
    ada.enter(carl, &liars, "Carl")?;
    equal(
        "§18.4.3",
        "A Portal says that it is Carl's, and shows another key: wrong key. Nothing is kept of it.",
        &ada.tick()?,
        &vec![(carl, LookedUp::WrongKey)],
    )?;
    ada.move_peer(&ben, &liars)?;
    equal(
        "§18.4.2",
        "It says that it is Ben's, whose key is pinned: wrong key. What is pinned stays.",
        &ada.tick()?,
        &vec![(ben, LookedUp::WrongKey)],
    )?;
    check(
        "§18.6",
        "  A request to Ben goes there, and nobody there can read it, or answer.",
        world.ada.host.grant("notes", Grant::All).is_ok()
            && world.ada.ask(world.ada.notes(), &ben, "GET", "/peer/notes", b"").is_err(),
    )?;
    ada.move_peer(&ben, &world.ben.address)?;
    ada.move_peer(&carl, &format!("http://127.0.0.1:{}/portal", http::free_port()?))?;
    let mut both = vec![(ben, LookedUp::Verified), (carl, LookedUp::Unreachable)];
    both.sort_by_key(|(id, _)| *id);
    equal(
        "§18.4.4",
        "Ben's address is set right: verified. Carl's is one where nobody listens: unreachable.",
        &ada.tick()?,
        &both,
    )?;
    for pause in [60, 120, 240] {
        equal("§18.4.4", &format!("  Nothing is tried for {pause} seconds,"), &ada.tick()?, &Vec::new())?;
        world.wait(pause);
        equal("§18.4.4", "  and then once.", &ada.tick()?, &vec![(carl, LookedUp::Unreachable)])?;
    }
    check(
        "§18.4.1",
        &format!("A peer's record has at most {} bytes here.", ada.machines().store.longest_peer()),
        ada.machines().store.longest_peer() <= 200,
    )
}
