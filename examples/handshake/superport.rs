//! `--superport N`: a Port for many (§14), and one who comes too late.

use std::error::Error;

use port_protocol::{BobPhase, Policy, PortOptions, RecordKey, Seed};

use crate::client::Client;
use crate::machines::Any;
use crate::relay::User;
use crate::show::{self, heading};
use crate::tamper::Tamper;
use crate::world::World;

pub fn superport(limit: u32, crash: bool) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(crash, Tamper::Nothing);
    world.brief = true;

    heading(&format!("Alice makes a Superport, for {limit}"));
    let offer = PortOptions::new().policy(Policy::up_to(limit));
    world.run(User::Alice, |alice| alice.make_port(offer, Seed::from_os()?))?;
    let text = show::port(world.client(User::Alice).shown.as_ref().ok_or("no Port")?)?;
    println!("  {text}");

    let mut codes = Vec::new();
    for n in 1..=limit {
        let bob = User::Nth(n);
        heading(&format!("{bob} uses it"));
        let line_link = world.use_port(bob, &text)?;
        let [line, _] = world.joined(bob)?;
        codes.extend(line.safety_number().map(|code| code.to_string()));
        let used = world.client(User::Alice).alice(line_link)?.used();
        println!("  {used} of {limit} used");
        check(used == n && world.client(User::Alice).lines()?.len() == codes.len(), "a use was not counted")?;
    }
    codes.sort_unstable();
    codes.dedup();
    check(codes.len() == limit as usize, "two lines have one code")?;

    let late = User::Nth(limit + 1);
    heading(&format!("{late} uses it, and is turned away"));
    let line_link = world.use_port(late, &text)?;
    let waits = matches!(world.client(late).load(RecordKey::LineLink(line_link))?, Any::Bob(bob) if bob.phase() == BobPhase::Connecting);
    check(waits && world.client(late).lines()?.is_empty(), "one too many got in")?;
    check(world.client(User::Alice).lines()?.len() == codes.len(), "one too many got in")?;

    heading(&format!("Alice raises the limit to {}, and {late} asks again", limit + 1));
    world.run(User::Alice, |alice| alice.set_policy(line_link, Policy::up_to(limit + 1)))?;
    world.run(late, Client::restart)?;
    let [line, _] = world.joined(late)?;

    heading("Alice closes it, and one more comes");
    world.run(User::Alice, |alice| alice.revoke(line_link))?;
    let after = User::Nth(limit + 2);
    world.use_port(after, &text)?;
    check(world.was_told(after, "Refused(Closed)") && world.client(after).lines()?.is_empty(), "it was not closed")?;

    heading("The lines stay");
    world.say(line.claims().line_id, late, User::Alice, "Still here?")?;
    for n in 1..=limit {
        let line = world.client(User::Nth(n)).only_line()?.ok_or("a line is gone")?;
        let line_id = line.claims().line_id;
        check(world.client(User::Alice).line(line_id)?.confirmed().is_some(), "a line is gone")?;
    }
    println!("  All {} are confirmed at both ends.", limit + 1);
    if crash {
        println!("  Alice was stopped {} times, each right after a write.", world.crashes);
    }
    Ok(())
}

pub fn check(holds: bool, otherwise: &'static str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
