//! Each process is stopped at every point of a request and its answer: before and after each write, while a message and while its answer is on
//! the way. It starts again with what its store has.

use port_protocol::portal::{PortalId, Reason};

use crate::caller::{Credentials, Problem};
use crate::network::Mode;
use crate::power::Power;
use crate::show::{check, heading};
use crate::world::{Got, Outcome, Place, World};

/// How many points there may be, at most: a run that never ends has a fault.
const MOST: u32 = 400;

pub fn everywhere() -> Outcome {
    heading("The power fails, at each point once");
    let photo = vec![7; 70_000];
    let mut counts = [0_u32; 3];
    for point in 0..MOST {
        let power = Power::default();
        let world = World::new(Mode::Honest, &power)?;
        world.befriend()?;
        power.fail_after(point);
        let (ada, to) = (&world.ada, world.ben.host.id());
        power.doing("a note");
        let note = small(&world)?;
        power.doing("a photo goes up");
        let up = surely(ada, ada.photos(), &to, "PUT", "/shared/sea", &photo, 201)?;
        power.doing("a photo comes down");
        let down = surely(ada, ada.photos(), &to, "GET", "/shared/sea", b"", 200)?;
        world.deliveries()?;
        if !world.ben.photos.keeper.has("/shared/sea", &photo)
            || !world.ben.notes.keeper.has("/peer/notes", b"Ada: Once.\n")
        {
            return Err(format!("point {point}: not what was sent").into());
        }
        let Some(failed_at) = power.failed_at() else {
            println!();
            let [same, looked, anew] = counts;
            check(
                "§18.8",
                &format!(
                    "{point} points. Each time each request was delivered at most once, and the app had its answer in the end:"
                ),
                point > 20,
            )?;
            check("§18.8.2", &format!("  {same} times under the same id,"), same > 0)?;
            check("§18.8", &format!("  {looked} times it was told to look, and it was done,"), looked > 0)?;
            return check(
                "§18.8",
                &format!("  {anew} times it was told to look, it was not done, and it asked under a new id."),
                anew > 0,
            );
        };
        let told = note.max(up).max(down);
        counts[told as usize] += 1;
        println!("  {point:>3}  {failed_at:<58} {}", told.text());
    }
    Err("there is no end of points".into())
}

/// How an app came to its answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    SameId,
    Looked,
    Anew,
}

impl Told {
    const fn text(self) -> &'static str {
        match self {
            Self::SameId => "the answer came, asked for under the same id",
            Self::Looked => "interrupted: the app looked, and it was done",
            Self::Anew => "interrupted: the app looked, and asked anew",
        }
    }
}

/// A note is added, once.
fn small(world: &World) -> Outcome<Told> {
    let (ada, to) = (&world.ada, world.ben.host.id());
    let id = ada.host.draw_id(&to)?;
    match ask_until_told(ada, ada.notes(), &to, id, "POST", "/peer/notes", b"Once.") {
        Ok((201, _)) => Ok(Told::SameId),
        Err(Problem::Refused(Reason::Interrupted)) => {
            // §18.8: the app may or may not have done it. This one looks.
            let notes = surely_got(ada, ada.notes(), &to, "GET", "/peer/notes", b"")?;
            if notes == (200, b"Ada: Once.\n".to_vec()) {
                return Ok(Told::Looked);
            }
            surely(ada, ada.notes(), &to, "POST", "/peer/notes", b"Once.", 201).map(|_| Told::Anew)
        }
        other => Err(format!("{other:?}").into()),
    }
}

/// What may be done twice: it is asked under a new id if it was interrupted.
fn surely(
    place: &Place,
    from: Credentials<'_>,
    to: &PortalId,
    method: &str,
    target: &str,
    body: &[u8],
    status: u16,
) -> Outcome<Told> {
    let id = place.host.draw_id(to)?;
    match ask_until_told(place, from, to, id, method, target, body) {
        Ok((came, _)) if came == status => Ok(Told::SameId),
        Err(Problem::Refused(Reason::Interrupted | Reason::Malformed)) => {
            let (came, _) = surely_got(place, from, to, method, target, body)?;
            if came == status { Ok(Told::Anew) } else { Err(format!("{came}").into()) }
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn surely_got(
    place: &Place,
    from: Credentials<'_>,
    to: &PortalId,
    method: &str,
    target: &str,
    body: &[u8],
) -> Outcome<(u16, Vec<u8>)> {
    let id = place.host.draw_id(to)?;
    Ok(ask_until_told(place, from, to, id, method, target, body)?)
}

/// The app is another process: when its host comes back, it asks again under the id that it kept.
fn ask_until_told(
    place: &Place,
    from: Credentials<'_>,
    to: &PortalId,
    id: port_protocol::portal::RequestId,
    method: &str,
    target: &str,
    body: &[u8],
) -> Got {
    loop {
        match place.ask_as(from, to, id, method, target, body) {
            Err(Problem::Store(_) | Problem::NoAnswer) => {}
            told => return told,
        }
    }
}
