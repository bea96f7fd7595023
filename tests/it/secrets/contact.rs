//! §8.7: an Introducer's secrets, the RAD of the contact port and the tickets.

use super::*;

fn grant() -> PortBytes {
    let offer = PortOptions::new().policy(Policy::unlimited()).introducer(line_id());
    Alice::offer(link(), offer, seed("alice")).committed().port().unwrap().to_bytes()
}

fn name() -> IntroducerName {
    IntroducerName::new("QZXJVKWQPHZBGX").unwrap()
}

/// Granted, Announcing, Ready.
fn introducers() -> [Introducer; 3] {
    [0, 1, 2].map(|steps| {
        let mut carol = Introducer::granted(grant().as_slice(), line_id()).unwrap().committed();
        if steps > 0 {
            carol.introduce(name(), Some(NOW), seed("carol"), NOW).unwrap().committed().for_each(drop);
        }
        if steps > 1 {
            carol.mark_announced().unwrap().committed().for_each(drop);
        }
        carol
    })
}

fn ready() -> Port {
    let [_, _, carol] = introducers();
    match carol.pending().next() {
        Some(IntroducerEffect::Ready(port)) => port,
        other => panic!("{other:?}"),
    }
}

fn secrets() -> Vec<(&'static str, Vec<u8>)> {
    let rad = Port::from_bytes(ready().to_bytes().as_slice()).unwrap().rad().expose().to_vec();
    let ticket = random::<64>("carol")[32..48].to_vec();
    assert!(ready().to_bytes().as_slice().windows(16).any(|bytes| bytes == ticket), "it is no secret of this machine");
    vec![
        ("RAD", rad),
        ("ticket", ticket),
        ("line link", link().as_bytes().to_vec()),
        ("name", b"QZXJVKWQPHZBGX".to_vec()),
    ]
}

/// Every type of theirs, in every state.
pub fn show(see: &mut Shown) {
    see.see("", &Introducer::granted(grant().as_slice(), line_id()).unwrap());
    for mut carol in introducers() {
        let state = format!("{:?}", carol.phase());
        see.see(&state, &carol);
        see.see(&state, &carol.phase());
        see.see(&state, &carol.record());
        see.see(&state, &carol.pending());
        carol.pending().for_each(|effect| see.see(&state, &effect));
        let step = carol.cancel().unwrap();
        see.see("cancels", &step);
        step.committed().for_each(|effect| see.see("cancels", &effect));
        see.see("cancelled", &carol);
    }
    see.see("", &GrantOutcome::Withdrawn);
    let (port, grant) = (ready(), grant());
    let ticket = port.ticket().unwrap();
    see.see("with a ticket", &port);
    see.see("", ticket);
    see.see("", &ticket.hash());
    see.see("", ticket.name());
    see.see("", &Introduced { name: name(), by: Some(line_id()) });
    let [_, carol, _] = introducers();
    let Some(IntroducerEffect::Announce(_, announced)) = carol.pending().next() else { panic!() };
    see.see("", &announced);
    if let IntroducerMessage::Ticket(notice) = &announced {
        see.see("", notice);
    }
    let (grant, withdrawn) =
        (IntroducerMessage::Grant { port: grant.as_slice() }, IntroducerMessage::Withdrawn { line_link: link() });
    let Handshake { mut at_alice, mut at_bob, .. } = Handshake::new();
    for message in [announced, grant, withdrawn] {
        see.see("", &message);
        let (mut sealed, mut opened) = ([0; 512], [0; 512]);
        let step = at_alice.seal_introducer_message(&message, &mut sealed).unwrap();
        see.see("introduces", &step);
        let payload = packet(step.committed());
        let step = at_bob.handle(&sent(&payload), &mut opened, NOW, &mut Unused).unwrap();
        see.see("opens an introducer message", &step);
        see.see("opens an introducer message", &step.write());
        see.see("an introducer message", step.write().received.as_ref().unwrap());
        step.committed().for_each(|effect| see.see("opens an introducer message", &effect));
    }
    see.read("", &Rejected::TicketRefused);
    see.read("", &Rejected::TooManyTickets);
    see.read("", &SealError::Unconfirmed);
    see.read("", &PortError::BadName);
}

#[test]
fn r8_7_nothing_shows_a_ticket() {
    let secrets = secrets();
    let needles = needles(&secrets);
    assert_eq!(found(&squeezed(&hex::encode(&secrets[1].1)), &needles), Some("ticket"));
    let mut shown = Shown::default();
    show(&mut shown);
    assert!(shown.texts.len() > 30);
    for (text, what) in shown.texts {
        assert_eq!(found(&text, &needles), None, "{what}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn r8_7_no_ticket_is_left_where_it_rested() {
    use super::memory::{is_gone, is_wiped};
    let secrets = secrets();
    let (rad, ticket) = (&secrets[0].1[..], &secrets[1].1[..]);
    let [granted, announcing, ready_to_go] = introducers();
    assert!(is_gone(announcing.record(), &[rad, ticket]));
    assert!(is_wiped(ready(), &[rad, ticket]));
    assert!(is_wiped(granted, &[rad]));
    assert!(is_wiped(announcing, &[rad, ticket]));
    assert!(is_wiped(ready_to_go, &[rad, ticket]));
}

is_not!(Copy: Introducer, Created<Introducer>, Ticket);
is_not!(Clone: Introducer, Created<Introducer>);
