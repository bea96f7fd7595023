//! `--superport N`: a Port for many (§14), and one who comes too late.

use std::error::Error;

use port_protocol::{Alice, Bob, BobPhase, Policy, PortOptions, RecordKey, Seed};

use crate::client::Client;
use crate::relay::User;
use crate::show::{self, heading};
use crate::tamper::Tamper;
use crate::world::World;

pub fn superport(limit: u32, crash: bool) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(crash, Tamper::Nothing);
    world.brief = true;

    heading(&format!("Alice makes a Superport, for {limit}"));
    let options = PortOptions::new().policy(Policy::up_to(limit));
    world.run(User::Alice, |alice| alice.make_port(options, Seed::from_os()?))?;
    let text = show::port(&world.shown(User::Alice)?)?;
    println!("  {text}");

    let mut numbers = Vec::new();
    for n in 1..=limit {
        let bob = User::Nth(n);
        heading(&format!("{bob} uses it"));
        let line_link = world.use_port(bob, &text)?;
        let [line, _] = world.joined(bob)?;
        numbers.extend(line.safety_number().map(|number| number.to_string()));
        let alice: Alice = world.client(User::Alice).store.tables.load(RecordKey::LineLink(line_link))?;
        let used = alice.used();
        println!("  {used} of {limit} used");
        check(
            used == n && world.client(User::Alice).store.tables.lines()?.len() == numbers.len(),
            "a use was not counted",
        )?;
    }
    numbers.sort_unstable();
    numbers.dedup();
    check(numbers.len() == limit as usize, "two lines have one safety number")?;

    let late = User::Nth(limit + 1);
    heading(&format!("{late} uses it, and is turned away"));
    let line_link = world.use_port(late, &text)?;
    let tables = &world.client(late).store.tables;
    let waits = tables.load::<Bob>(RecordKey::LineLink(line_link))?.phase() == BobPhase::Connecting;
    check(waits && tables.lines()?.is_empty(), "one too many got in")?;
    check(world.client(User::Alice).store.tables.lines()?.len() == numbers.len(), "one too many got in")?;

    heading(&format!("Alice raises the limit to {}, and {late} asks again", limit + 1));
    world.run(User::Alice, |alice| alice.set_policy(line_link, Policy::up_to(limit + 1)))?;
    world.run(late, Client::resume)?;
    let [line, _] = world.joined(late)?;

    heading("Alice closes it, and one more comes");
    world.run(User::Alice, |alice| alice.revoke(line_link))?;
    let after = User::Nth(limit + 2);
    world.use_port(after, &text)?;
    check(
        world.was_told(after, "Refused(Closed)") && world.client(after).store.tables.lines()?.is_empty(),
        "it was not closed",
    )?;

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
