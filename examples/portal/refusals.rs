//! What a Portal refuses: strangers, clocks, too much, what is out of order; blocked and removed peers; and what never leaves home.

use port_protocol::portal::*;

use crate::apps::part_of;
use crate::caller::Problem;
use crate::show::{check, equal, heading, tell};
use crate::world::{Outcome, World};

fn refused(refusal: Refusal) -> Problem {
    HearError::Refused(refusal).into()
}

pub fn network(world: &World) -> Outcome {
    heading("What is refused over the network");
    let (ada, ben, carl) = (&world.ada, &world.ben, &world.carl);
    let to = ben.host.id();
    carl.host.enter(to, &ben.address, "Ben")??;
    carl.look_up(world)?;
    carl.host.grant("notes", Grant::All)?;
    let unknown = refused(Refusal::Unknown);
    equal(
        "§18.4.9",
        "Carl's owner entered Ben's Portal, but Ben's owner did not enter Carl's: a stranger.",
        &carl.ask(carl.notes(), &to, "GET", "/peer/notes", b""),
        &Err(unknown),
    )?;
    tell("", &format!("  \"{unknown}\""));

    let hours = std::time::Duration::from_secs(2 * 60 * 60);
    ben.host.machines().ahead += hours;
    ada.host.machines().restart()?;
    equal(
        "§18.8.1",
        "Ben's clock is two hours ahead.",
        &ada.ask(ada.notes(), &to, "GET", "/peer/notes", b""),
        &Err(refused(Refusal::ClocksDiffer)),
    )?;
    ben.host.machines().ahead -= hours;

    let id = ada.host.draw_id(&to)?;
    world.wait(700);
    equal(
        "§18.8.2",
        "A request that is asked eleven minutes after its app drew the id.",
        &ada.ask_as(ada.notes(), &to, id, "GET", "/peer/notes", b""),
        &Err(Reason::Stale.into()),
    )?;

    let id = ada.host.draw_id(&to)?;
    let misplaced = ada.host.exchange(&to, |machines, now| {
        let peer = machines.peers.get_mut(&to).ok_or(GrantError::NotGranted)?;
        Ok(peer.ask_part(&machines.portal, id, 7, part_of(b"the end"), now, &mut rand::rng())?)
    });
    equal(
        "§18.9.4",
        "The end of a body whose beginning never came.",
        &misplaced.err(),
        &Some(Reason::Malformed.into()),
    )?;

    // Asked twice, a request is never named as done: a copy may be on its way.
    let twice = |place: &crate::world::Place| {
        let id = place.host.draw_id(&to)?;
        place.ask_as(place.notes(), &to, id, "OPTIONS", "/peer/notes", b"")?;
        place.ask_as(place.notes(), &to, id, "OPTIONS", "/peer/notes", b"")
    };
    let mut asked = 0;
    let full = loop {
        match twice(ada) {
            Ok(_) if asked < 100 => asked += 1,
            other => break other.err(),
        }
    };
    equal(
        "§18.8.3",
        &format!("After {asked} requests that Ada's did not name as done, Ben's has no room for another."),
        &full,
        &Some(Reason::Full.into()),
    )?;
    let mut opened = 0;
    let busy = loop {
        ada.host.machines().restart()?;
        match ada.ask(ada.notes(), &to, "GET", "/peer/notes", b"") {
            Err(problem) if problem == Problem::from(Reason::Full) && opened < 100 => opened += 1,
            other => break other.err(),
        }
    };
    equal(
        "§18.8.3",
        &format!("After {opened} sessions in eleven minutes, it has none for a new one."),
        &busy,
        &Some(refused(Refusal::Busy)),
    )?;
    let before = ben.host.machines().store.remembered(&ada.host.id());
    world.wait(700);
    ben.host.tick()?;
    let after = ben.host.machines().store.remembered(&ada.host.id());
    equal(
        "§18.8.4",
        &format!("Eleven minutes later it has forgotten them: {before} rows were remembered, and now"),
        &after,
        &0,
    )?;
    equal(
        "§18.8.4",
        "  Ada's is served again.",
        &ada.ask(ada.notes(), &to, "GET", "/peer/notes", b"").map(|(status, _)| status),
        &Ok(200),
    )
}

pub fn blocked_and_removed(world: &World) -> Outcome {
    heading("Blocked and removed peers");
    let (ada, ben) = (&world.ada, &world.ben);
    let (a, b) = (ada.host.id(), ben.host.id());
    let ask = || ada.ask(ada.notes(), &b, "GET", "/peer/notes", b"").map(|(status, _)| status);
    let before = world.deliveries()?;
    ben.host.end(&a, false)?;
    equal(
        "§18.4.8",
        "Ben's owner blocks Ada's. From then on it is a stranger, also in its session.",
        &ask(),
        &Err(refused(Refusal::Unknown)),
    )?;
    equal(
        "§18.4.8",
        "  Nor does Ben's `notes` get Ada's among the peers.",
        &ben.host.app_peers(ben.notes())?.len(),
        &0,
    )?;
    equal(
        "§18.4.8",
        "  And it can't ask Ada's.",
        &ben.ask(ben.notes(), &a, "GET", "/peer/notes", b""),
        &Err(AskError::NotGranted.into()),
    )?;
    equal("§18.4.8", "  Nothing was delivered.", &world.deliveries()?, &before)?;
    {
        let mut machines = ben.host.machines();
        let crate::host::Machines { peers, store, .. } = &mut *machines;
        peers.get_mut(&a).ok_or("no Ada")?.unblock().store(|write| store.keep(write))?;
    }
    equal("§18.4.8", "Unblocked, it is served.", &ask(), &Ok(200))?;
    ben.host.end(&a, true)?;
    equal("§18.4.8", "Ben's owner removes Ada's: a stranger.", &ask(), &Err(refused(Refusal::Unknown)))?;
    equal(
        "§18.4.8",
        "Entered again at once, it is served: its key is known.",
        &ben.host.enter(a, &ada.address, "Ada")?,
        &Ok(None),
    )?;
    equal("§18.4.8", "  ", &ask(), &Ok(200))?;
    ben.host.end(&a, true)?;
    world.wait(800);
    ben.host.tick()?;
    equal(
        "§18.4.8",
        "Removed, it leaves no row behind when what it sent can't come again.",
        &ben.host.machines().store.peers()?.iter().any(|peer| peer.id() == a),
        &false,
    )?;
    ben.host.enter(a, &ada.address, "Ada")??;
    equal(
        "§18.4.5",
        "Entered anew, it asks before it is looked up: by asking it shows its key, which is pinned.",
        &ask(),
        &Ok(200),
    )?;
    check("§18.4.5", "  ", ben.sees(&a, Peer::is_verified)?)
}

pub fn local(world: &World) -> Outcome {
    heading("What is refused at home: nothing is sent");
    let (ada, to) = (&world.ada, world.ben.host.id());
    let before = world.wire.carried().messages.len();
    equal(
        "§18.7.3",
        "A method that is for proxies, CONNECT: 400.",
        &ada.ask(ada.notes(), &to, "CONNECT", "/peer", b""),
        &Err(RequestError::BadMethod.into()),
    )?;
    equal(
        "§18.7.3",
        "A whole URL in place of a path: 400.",
        &ada.ask(ada.notes(), &to, "GET", "http://other/peer", b""),
        &Err(TargetError::NotAbsolute.into()),
    )?;
    let twice = Headers::carried([("accept", "text/plain"), ("accept", "text/html")]);
    equal("§18.7.4", "A header that comes twice: 400.", &twice.err(), &Some(RequestError::BadHeader))?;
    equal(
        "§18.7.2",
        "An app whose name is none: refused when it is installed.",
        &AppName::new("No Tes").err(),
        &Some(RequestError::BadApp),
    )?;
    let stranger = PortalId::from_bytes([7; 32]);
    equal(
        "§18.10.3",
        "A peer that nobody entered is answered as one that was not granted: 403.",
        &ada.ask(ada.notes(), &stranger, "GET", "/peer", b"").map_err(|problem| problem.status()),
        &Err(403),
    )?;
    ada.host.enter(stranger, &format!("http://127.0.0.1:{}/portal", crate::http::free_port()?), "Nobody")??;
    ada.host.tick()?;
    equal(
        "§18.4.2",
        "And so is one that was entered, but never verified.",
        &ada.ask(ada.notes(), &stranger, "GET", "/peer", b"").map_err(|problem| problem.status()),
        &Err(403),
    )?;
    equal("", "Nothing of this was sent.", &world.wire.carried().messages.len(), &before)
}
