//! §8.7, §17.10: the app's machines show and keep no more than this crate's own.

use port_protocol::app::{
    Alice, AliceEffect, Bob, BobEffect, Event, Happened, Intro, Name, Request, UnauthenticatedLine,
};
use port_protocol::{Machine, NoPeers, Policy, PortOptions};

use super::{Commit as _, NOW, Shown, TEXT, Unused, line_id, link, random, seed};

/// What people call themselves is in no log.
fn name() -> Name {
    Name::new(std::str::from_utf8(TEXT).unwrap()).unwrap()
}

fn offered() -> Alice {
    Alice::offer(link(), PortOptions::new(), seed("alice")).committed()
}

fn scanned() -> Bob {
    Bob::scan(&offered().bundle(Some(name())).unwrap(), seed("bob")).committed()
}

fn connecting() -> Bob {
    let mut bob = scanned();
    drop(bob.connect(&name(), NOW).unwrap().committed());
    bob
}

fn used() -> Event {
    let bob = connecting();
    let Some(BobEffect::Send(Request::Connect { intro, .. })) = bob.pending().next() else { panic!() };
    let intro: Intro = intro.clone();
    let (port_id, line_id, pair_hash) = (link(), line_id(), random("pair hash").into());
    let what = Happened::Used { kind: port_protocol::PortKind::Port, port_id, line_id, pair_hash, intro };
    Event { what, timestamp: None }
}

fn line(approval: bool) -> UnauthenticatedLine {
    let mut alice =
        Alice::offer(link(), PortOptions::new().policy(Policy::once().require_approval(approval)), seed("alice"))
            .committed();
    let mut effects = alice.handle(&used(), &NoPeers, NOW, &mut Unused).unwrap().committed();
    match effects.next() {
        Some(AliceEffect::LineFormed(line)) => line,
        other => panic!("{other:?}"),
    }
}

pub fn see(see: &mut Shown) {
    let offer = || PortOptions::new().policy(Policy::unlimited());
    see.see("app, requesting", &Alice::request(offer(), seed("alice")));
    let mut alice = offered();
    see.see("app, offered", &alice);
    alice.pending().for_each(|effect| see.see("app", &effect));
    see.see("app, offered", &alice.record());
    see.see("app, used", &used());
    see.see("app, forms a line", &alice.handle(&used(), &NoPeers, NOW, &mut Unused).unwrap());
    alice
        .handle(&used(), &NoPeers, NOW, &mut Unused)
        .unwrap()
        .committed()
        .for_each(|effect| see.see("app, forms a line", &effect));
    let mut many = Alice::offer(link(), offer(), seed("alice")).committed();
    let step = many.revoke().unwrap();
    see.see("app, revokes", &step);
    step.committed().for_each(|effect| see.see("app, revokes", &effect));
    see.see("app, revoked", &many);

    let mut bob = scanned();
    see.see("app, scanned", &bob);
    let step = bob.connect(&name(), NOW).unwrap();
    see.see("app, connects", &step);
    step.committed().for_each(|effect| see.see("app, connects", &effect));
    see.see("app, connecting", &bob);
    let step = bob.connected(line_id(), Some(random("pair hash").into()), &NoPeers, NOW).unwrap();
    see.see("app, forms a line", &step);
    step.committed().for_each(|effect| see.see("app, forms a line", &effect));

    see.see("app, awaiting approval", &line(true));
    line(true).pending().for_each(|effect| see.see("app, awaiting approval", &effect));
    let mut line = line(false);
    see.see("app, open", &line);
    see.see("app, open", &line.phase());
    see.see("app, open", &line.seal([1; 16], std::str::from_utf8(TEXT).unwrap()).unwrap());
    let step = line.close().unwrap();
    see.see("app, closes", &step);
    step.committed().for_each(|effect| see.see("app, closes", &effect));
    see.see("app, closed", &line);
}

#[cfg(target_os = "linux")]
#[test]
fn r8_7_nothing_of_the_apps_machines_is_left_where_it_rested() {
    use super::memory::{is_gone, is_wiped};

    let (alice, bob) = (random::<64>("alice"), random::<64>("bob"));
    let (of_alice, rad, of_bob) = (&alice[..32], &alice[32..48], &bob[..32]);
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*alice.first_chunk::<32>().unwrap()));
    let secret = x25519_dalek::StaticSecret::from(*bob.first_chunk::<32>().unwrap()).diffie_hellman(&public);
    let secret = &secret.as_bytes()[..];
    assert!(is_wiped(offered(), &[of_alice, rad]));
    assert!(is_gone(offered().record(), &[of_alice, rad]));
    assert!(is_wiped(scanned(), &[of_bob, rad]));
    assert!(is_wiped(connecting(), &[secret]));
    assert!(is_gone(connecting().record(), &[secret]));
    for approval in [false, true] {
        assert!(is_wiped(line(approval), &[secret]));
        assert!(is_gone(line(approval).record(), &[secret]));
    }
}

is_not!(Copy: Alice, Bob, UnauthenticatedLine);
is_not!(Clone: Alice, Bob, UnauthenticatedLine);
