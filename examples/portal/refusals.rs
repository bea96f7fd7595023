//! What a Portal refuses: strangers, clocks, too much, what is out of order; blocked and removed peers; and what never leaves home.

use port_protocol::portal::*;

use crate::apps::part_of;
use crate::caller::Problem;
use crate::host::Machines;
use crate::show::{check, equal, heading, refused};
use crate::world::{Outcome, World};

fn by(refusal: Refusal) -> Problem {
    HearError::Refused(refusal).into()
}

pub fn network(world: &World) -> Outcome {
    heading("What is refused over the network");
    let (ada, ben, carl) = (&world.ada, &world.ben, &world.carl);
    let to = ben.host.id();
    carl.host.enter(to, &ben.address, "Ben")?;
    carl.look_up(world)?;
    carl.host.grant("notes", Grant::All)?;
    let unknown = by(Refusal::Unknown);
    refused(
        "§18.4.9",
        "Carl's owner entered Ben's Portal, but Ben's owner did not enter Carl's: a stranger.",
        &carl.ask(carl.notes(), &to, "GET", "/peer/notes", b""),
        &unknown,
    )?;

    let hours = std::time::Duration::from_secs(2 * 60 * 60);
    ben.host.machines().ahead += hours;
    ada.host.machines().restart()?;
    refused(
        "§18.8.1",
        "Ben's clock is two hours ahead.",
        &ada.ask(ada.notes(), &to, "GET", "/peer/notes", b""),
        &by(Refusal::ClocksDiffer),
    )?;
    ben.host.machines().ahead -= hours;

    let id = ada.host.draw_id(&to)?;
    world.wait(700);
    refused(
        "§18.8.2",
        "A request that is asked eleven minutes after its app drew the id.",
        &ada.ask_as(ada.notes(), &to, id, "GET", "/peer/notes", b""),
        &Reason::Stale.into(),
    )?;

    let id = ada.host.draw_id(&to)?;
    let misplaced = ada.host.exchange(&to, |Machines { portal, peers, apps, .. }, now| {
        let app = apps.get(&AppName::new("notes")?).ok_or(GrantError::BadCredential)?;
        let (app, peer) =
            (app.authenticate(ada.notes().credential)?, peers.get_mut(&to).ok_or(GrantError::NotGranted)?);
        Ok(peer.ask_part(portal, app, id, 7, part_of(b"the end"), now, &mut rand::rng())?)
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
        &format!("After {opened} more sessions in eleven minutes, it has none for a new one."),
        &busy,
        &Some(by(Refusal::Busy)),
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
    ben.host.block(&a)?;
    refused(
        "§18.4.8",
        "Ben's owner blocks Ada's. From then on it is a stranger, also in its session.",
        &ask(),
        &by(Refusal::Unknown),
    )?;
    equal(
        "§18.4.8",
        "  Nor does Ben's `notes` get Ada's among the peers.",
        &ben.host.app_peers(ben.notes())?.len(),
        &0,
    )?;
    refused(
        "§18.4.8",
        "  And it can't ask Ada's.",
        &ben.ask(ben.notes(), &a, "GET", "/peer/notes", b""),
        &AskError::NotGranted.into(),
    )?;
    equal("§18.4.8", "  Nothing was delivered.", &world.deliveries()?, &before)?;
    {
        let mut machines = ben.host.machines();
        let Machines { peers, store, .. } = &mut *machines;
        peers.get_mut(&a).ok_or("no Ada")?.unblock()?.store(|write| store.keep(write))?;
    }
    equal("§18.4.8", "Unblocked, it is served.", &ask(), &Ok(200))?;
    ben.host.remove(&a)?;
    refused("§18.4.8", "Ben's owner removes Ada's: a stranger.", &ask(), &by(Refusal::Unknown))?;
    let left = ben.sees(&a, |peer| (peer.name().as_str().len(), peer.address().is_some(), peer.is_verified()))?;
    equal(
        "§18.4.8",
        "  Of it only the ID is left, and the time before which nothing is taken.",
        &left,
        &(0, false, false),
    )?;
    equal(
        "§18.4.8",
        "Entered again, it gets nothing delivered that it sent before.",
        &ben.host.enter(a, &ada.address, "Ada"),
        &Ok(None),
    )?;
    equal("§18.4.5", "  It asks before it is looked up. So it shows its key, which is pinned.", &ask(), &Ok(200))?;
    check("§18.4.2", "  It is verified.", ben.sees(&a, Peer::is_verified)?)
}

pub fn local(world: &World) -> Outcome {
    heading("What is refused at home: nothing is sent");
    let (ada, to) = (&world.ada, world.ben.host.id());
    let before = world.wire.carried().messages.len();
    refused(
        "§18.7.3",
        "A method that is for proxies, CONNECT: 400.",
        &ada.ask(ada.notes(), &to, "CONNECT", "/peer", b""),
        &RequestError::BadMethod.into(),
    )?;
    refused(
        "§18.7.3",
        "A whole URL in place of a path: 400.",
        &ada.ask(ada.notes(), &to, "GET", "http://other/peer", b""),
        &TargetError::NotAbsolute.into(),
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
    refused(
        "§18.10.3",
        "A peer that nobody entered is answered as one that was not granted: 403.",
        &ada.ask(ada.notes(), &stranger, "GET", "/peer", b"").map_err(|problem| problem.status()),
        &403,
    )?;
    ada.host.enter(stranger, &format!("http://127.0.0.1:{}/portal", crate::http::free_port()?), "Nobody")?;
    ada.host.tick()?;
    refused(
        "§18.4.2",
        "One that was entered, but never verified: 503.",
        &ada.ask(ada.notes(), &stranger, "GET", "/peer", b"").map_err(|problem| problem.status()),
        &503,
    )?;
    equal("", "Nothing of this was sent.", &world.wire.carried().messages.len(), &before)
}
