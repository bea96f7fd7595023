//! What apps ask: for the peers, and of the same app on a peer.

use std::collections::BTreeSet;

use port_protocol::portal::*;

use crate::caller::{Credentials, Problem};
use crate::show::{check, equal, heading, refused, tell};
use crate::world::{Outcome, World};

pub fn grants(world: &World) -> Outcome {
    heading("An app on a Portal asks its host for the peers (per the owner's setting: all, some, or none)");
    let (ada, ben, carl) = (&world.ada, world.ben.host.id(), world.carl.host.id());
    world.carl.host.enter(ada.host.id(), &ada.address, "Ada")?;
    ada.host.grant("notes", Grant::All)?;
    equal("§18.10.3", "Carl's key is not known yet: no app gets Carl's.", &ada.host.app_peers(ada.notes())?.len(), &1)?;
    ada.host.move_peer(&carl, &world.carl.address)?;
    ada.look_up(world)?;
    world.carl.look_up(world)?;

    let names = |of: Credentials<'_>| -> Result<Vec<String>, Problem> {
        Ok(ada.host.app_peers(of)?.into_iter().map(|(_, name, _)| name).collect())
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    ada.host.grant("notes", Grant::None)?;
    equal("§18.10.2", "none: `notes` gets none.", &names(ada.notes())?, &vec![])?;
    let asked = ada.ask(ada.notes(), &ben, "GET", "/peer/notes", b"");
    let no: Problem = AskError::NotGranted.into();
    refused("§18.10.3", "  It asks Ben's all the same: 403, and nothing is sent.", &asked, &no)?;
    ada.host.grant("photos", Grant::Some(BTreeSet::from([ben])))?;
    equal("§18.10.2", "some: `photos` gets Ben's.", &names(ada.photos())?, &vec!["Ben".to_owned()])?;
    refused("§18.10.3", "  It asks Carl's: 403.", &ada.ask(ada.photos(), &carl, "GET", "/shared", b""), &no)?;
    ada.host.grant("notes", Grant::All)?;
    equal(
        "§18.10.2",
        "all: `notes` gets Ben's and Carl's.",
        &sorted(names(ada.notes())?),
        &vec!["Ben".to_owned(), "Carl".to_owned()],
    )?;
    equal(
        "§18.10.2",
        "  These are settings of an app: `photos` still gets Ben's alone.",
        &names(ada.photos())?,
        &vec!["Ben".to_owned()],
    )?;

    let stolen = Credentials { app: "notes", credential: ada.photos.credential.expose() };
    let bad: Problem = GrantError::BadCredential.into();
    refused(
        "§18.10.1",
        "`photos` says that it is `notes`, and has only its own credential: 401.",
        &ada.host.app_peers(stolen),
        &bad,
    )?;
    let none = Credentials { app: "games", credential: &[0; 32] };
    refused("§18.10.1", "An app that is not installed: 401.", &ada.host.app_peers(none), &bad)?;
    for app in ["notes", "photos"] {
        world.ben.host.grant(app, Grant::All)?;
        ada.host.grant(app, Grant::All)?;
    }
    Ok(())
}

pub fn request_and_answer(world: &World) -> Outcome {
    heading("then sends a request through the host to the same app on a peer");
    let (ada, ben) = (&world.ada, &world.ben);
    let to = ben.host.id();
    equal(
        "§18.8.7",
        "Ada's `notes` asks Ben's for its notes. It changes nothing, so it goes in the first message.",
        &ada.ask(ada.notes(), &to, "GET", "/peer/notes", b""),
        &Ok((404, b"nothing there".to_vec())),
    )?;
    let note = b"It's me, from the station.";
    equal(
        "§18.6.2",
        "It adds a note: the next message of the session that is open now.",
        &ada.ask(ada.notes(), &to, "POST", "/peer/notes", note),
        &Ok((201, b"thanks, Ada".to_vec())),
    )?;
    ada.host.machines().restart()?;
    equal(
        "§18.8.7",
        "Ada's Portal starts again, and has no session. What changes something waits until there is one.",
        &ada.ask(ada.notes(), &to, "POST", "/peer/notes", b"Back."),
        &Ok((201, b"thanks, Ada".to_vec())),
    )?;
    let notes = b"Ada: It's me, from the station.\nAda: Back.\n".to_vec();
    equal(
        "§18.8",
        "Ben's `notes` has each once.",
        &ada.ask(ada.notes(), &to, "GET", "/peer/notes", b""),
        &Ok((200, notes)),
    )?;
    equal(
        "§18.6",
        "And the other way, in a session of its own.",
        &ben.ask(ben.notes(), &ada.host.id(), "POST", "/peer/notes", b"Good to hear from you!"),
        &Ok((201, b"thanks, Ben".to_vec())),
    )?;
    let (id, before) = (ada.host.draw_id(&to)?, world.deliveries()?);
    let first = ada.ask_as(ada.notes(), &to, id, "POST", "/peer/notes", b"Once.");
    let again = ada.ask_as(ada.notes(), &to, id, "POST", "/peer/notes", b"Once.");
    equal("§18.8.2", "Asked again under the same id, it has the same answer,", &again, &first)?;
    equal("§18.8.2", "  and the app there got it once.", &world.deliveries()?, &(before + 1))
}

pub fn who_it_was(world: &World) -> Outcome {
    heading("the host adds authentication, so the target knows which Portal it came from");
    let call = world.ben.notes.keeper.kept().last.clone().ok_or("no call")?;
    let header = |name: &str| call.headers.get(name).map(String::as_str);
    let id = world.ada.host.id().to_string();
    equal(
        "§18.10.4",
        &format!("Ben's app got `portal-peer-id: {id}`, though the app on Ada's had sent another,"),
        &header("portal-peer-id"),
        &Some(&*id),
    )?;
    equal(
        "§18.10.4",
        "  and `portal-peer-name: Ada`, as Ben's owner calls it.",
        &header("portal-peer-name"),
        &Some("Ada"),
    )?;
    equal(
        "§18.7.4",
        "Of the app's headers `content-type` and `app-mood` were carried, and `cookie` was not.",
        &(header("content-type"), header("app-mood"), header("cookie")),
        &(Some("text/plain"), Some("good"), None),
    )?;
    let both = world
        .ben
        .sees(&world.ada.host.id(), |peer| [peer.name().as_str().to_owned(), peer.own_name().as_str().to_owned()])?;
    equal(
        "§18.4.7",
        "Ben's owner sees \"Ada\", and beside it the Portal's own name: \"Ada's\".",
        &both,
        &["Ada", "Ada's"].map(str::to_owned),
    )
}

pub fn encrypted(world: &World) -> Outcome {
    heading("and the whole is end-to-end encrypted");
    let carried = world.wire.carried();
    for (what, words) in [
        ("the path", "/peer/notes"),
        ("the note", "from the station"),
        ("the app", "notes"),
        ("the caller's own name", "Ada's"),
    ] {
        let is_in = |bytes: &[u8]| bytes.windows(words.len()).any(|window| window == words.as_bytes());
        let is_seen = carried.messages.iter().any(|(_, message, answer)| is_in(message) || is_in(answer));
        check("§18.11", &format!("In {} messages, each way, nothing shows {what}.", carried.messages.len()), !is_seen)?;
    }
    Ok(())
}

pub fn access(world: &World) -> Outcome {
    heading("The target hands it only to an endpoint whose declared access is `peer`");
    let (ada, to) = (&world.ada, world.ben.host.id());
    let before = world.deliveries()?;
    let not_served: Problem = Reason::NotServed.into();
    let closed = [
        ("§18.5.15", "/settings/share", "A path that is private: 404."),
        ("§18.5.12", "/peerless", "By segments: `/peerless` does not lie below `/peer`."),
        ("§18.5.14", "/Peer/notes", "Another letter case: refused, because some servers read both as one."),
    ];
    for (rule, target, text) in closed {
        refused(rule, text, &ada.ask(ada.notes(), &to, "GET", target, b""), &not_served)?;
    }
    for target in ["/peer/../settings", "/peer/%2e%2E/settings"] {
        refused(
            "§18.5.6",
            &format!("`{target}` is refused at home: 400."),
            &ada.ask(ada.notes(), &to, "GET", target, b""),
            &TargetError::DotSegment.into(),
        )?;
    }
    equal("§18.5.15", "The apps on Ben's got nothing of all this.", &world.deliveries()?, &before)?;
    equal(
        "§18.5.3",
        "An encoded letter is the letter, before anything is matched: `/p%65er/notes` is served.",
        &ada.ask(ada.notes(), &to, "GET", "/p%65er/notes", b"").map(|(status, _)| status),
        &Ok(200),
    )?;
    equal(
        "§18.5.15",
        "What is `public` is served to peers, too.",
        &ada.ask(ada.notes(), &to, "GET", "/about", b"").map(|(status, _)| status),
        &Ok(404),
    )?;
    equal(
        "§18.5.19",
        "`photos` has a manifest of 2021: `peer_paths`. It is read as well.",
        &ada.ask(ada.photos(), &to, "GET", "/shared/1", b"").map(|(status, _)| status),
        &Ok(404),
    )
}

pub fn same_app(world: &World) -> Outcome {
    heading("The request that an app sends must be met by an endpoint that the same app offers");
    let machines = world.ada.host.machines();
    for (name, (manifest, _)) in &machines.services {
        let warnings: Vec<_> = manifest.warnings().map(|warning| warning.to_string()).collect();
        let text = if warnings.is_empty() {
            "every path that it calls on peers, it serves.".to_owned()
        } else {
            warnings.join("; ")
        };
        equal(
            "§18.5.23",
            &format!("`{}`: {text}", name.as_str()),
            &warnings.len(),
            &usize::from(name.as_str() == "notes"),
        )?;
    }
    drop(machines);
    let (ada, to) = (&world.ada, world.ben.host.id());
    let name = AppName::new("photos")?;
    let service = world.ben.host.machines().services.remove(&name).ok_or("no photos")?;
    let no: Problem = Reason::NotServed.into();
    refused(
        "§18.7.2",
        "Ben's owner takes `photos` away: Ada's `photos` gets 404. It can name no other app.",
        &ada.ask(ada.photos(), &to, "GET", "/shared/1", b""),
        &no,
    )?;
    world.ben.host.machines().services.insert(name, service);
    Ok(())
}

pub fn large(world: &World) -> Outcome {
    heading("Bodies that are larger than a message");
    let (ada, to) = (&world.ada, world.ben.host.id());
    let photo: Vec<u8> = (0..200_000_u32).map(|at| (at * 31 / 32) as u8).collect();
    let before = world.wire.carried().messages.len();
    equal(
        "§18.9.2",
        "Ada's `photos` sends a photo of 200,000 bytes,",
        &ada.ask(ada.photos(), &to, "PUT", "/shared/sea", &photo),
        &Ok((201, b"thanks, Ada".to_vec())),
    )?;
    let messages = world.wire.carried().messages.len() - before;
    tell("§18.9.1", &format!("  in {messages} messages, each with at most 32,768 bytes of it;"));
    check("§18.9.2", "  and Ben's app has it as it was.", world.ben.photos.keeper.has("/shared/sea", &photo))?;
    let before = world.wire.carried().messages.len();
    equal(
        "§18.9.3",
        "It asks for the photo, and gets it as it was,",
        &ada.ask(ada.photos(), &to, "GET", "/shared/sea", b""),
        &Ok((200, photo)),
    )?;
    let messages = world.wire.carried().messages.len() - before;
    tell("§18.9.3", &format!("  in {messages} messages."));
    Ok(())
}

pub fn slow(world: &World) -> Outcome {
    heading("An app that takes its time");
    let before = world.deliveries()?;
    let (ada, to) = (&world.ada, world.ben.host.id());
    equal(
        "§18.8.2",
        "Ada's Portal does not wait so long, and asks again: Ben's is working. Then the answer is there.",
        &ada.ask(ada.notes(), &to, "POST", "/peer/notes?slow", b"...").map(|(status, _)| status),
        &Ok(201),
    )?;
    equal("§18.8.2", "  The app got the request once.", &world.deliveries()?, &(before + 1))
}
