//! `--introduce`: Carol introduces Bob to Alice, by a contact port (§16).

use std::error::Error;

use port_protocol::{IntroducerName, Policy, PortOptions, Rejected, Seed};

use crate::machines::Stop;
use crate::relay::User;
use crate::show::{self, heading, short};
use crate::superport::check;
use crate::tamper::Tamper;
use crate::world::World;

pub fn introduce(crash: bool) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(crash, Tamper::Nothing);
    world.brief = true;

    heading("Alice and Carol form a line, by a Port");
    world.run(User::Alice, |alice| alice.make_port(PortOptions::new(), Seed::from_os()?))?;
    let text = world.shown(User::Alice)?.qr_text().to_string();
    world.use_port(User::Carol, &text)?;
    let [with_carol, _] = world.joined(User::Carol)?;
    let with_carol = with_carol.claims().line_id;

    heading("Alice grants Carol a contact port, along it");
    let options = PortOptions::new().policy(Policy::unlimited()).introducer(with_carol);
    world.run(User::Alice, |alice| alice.make_port(options, Seed::from_os()?))?;
    let port = world.shown(User::Alice)?;
    let line_link = port.line_link();
    world.run(User::Alice, |alice| alice.grant(&port, with_carol))?;
    println!("\n  Carol: {:?}", world.client(User::Carol).introducer(with_carol)?.phase());

    heading("Carol tells Alice of a ticket, and hands it to Bob");
    world.run(User::Carol, |carol| carol.make_ticket(with_carol, IntroducerName::new("Carol")?, Seed::from_os()?))?;
    let outstanding = world.client(User::Alice).store.tables.outstanding(line_link);
    check(outstanding == 1, "Alice was not told")?;
    let text = show::port(&world.shown(User::Carol)?)?;
    println!("  {text}");

    heading("Bob uses it");
    world.use_port(User::Bob, &text)?;
    let [at_alice, at_bob] = world.joined(User::Bob)?;
    let (from, to) = (at_alice.introduced().ok_or("by nobody")?, at_bob.introduced().ok_or("by nobody")?);
    let by = from.by.ok_or("by nobody")?;
    println!("  Alice: introduced by {:?}, along {}", from.name.as_str(), short(&format!("{by:?}")));
    println!("  Bob:   introduced by {:?}", to.name.as_str());
    check(by == with_carol && from.name == to.name && from.name.as_str() == "Carol", "by somebody else")?;

    heading("Mallory has the same ticket");
    world.use_port(User::Mallory, &text)?;
    check(world.was_told(User::Mallory, "ByRelay"), "a ticket got in twice")?;
    check(world.client(User::Mallory).only_line()?.is_none(), "a ticket got in twice")?;
    check(world.client(User::Alice).store.tables.lines()?.len() == 2, "a ticket got in twice")?;

    heading("Carol introduces Dora, but before Dora comes Alice withdraws Carol's right");
    world.run(User::Carol, |carol| carol.make_ticket(with_carol, IntroducerName::new("Carol")?, Seed::from_os()?))?;
    let text = world.shown(User::Carol)?.qr_text().to_string();
    world.run(User::Alice, |alice| alice.withdraw(line_link, with_carol))?;
    check(world.was_told(User::Carol, "Withdrawn"), "Carol does not know")?;

    heading("Dora uses hers");
    world.use_port(User::Dora, &text)?;
    check(world.was_told(User::Dora, "Refused(Closed)"), "an introduction outlived its right")?;
    check(world.client(User::Dora).store.tables.lines()?.is_empty(), "an introduction outlived its right")?;
    check(world.client(User::Alice).store.tables.lines()?.len() == 2, "an introduction outlived its right")?;
    let another = world.client(User::Carol).make_ticket(with_carol, IntroducerName::new("Carol")?, Seed::from_os()?);
    check(matches!(another, Err(Stop::Rejected(Rejected::OutOfOrder))), "Carol made another ticket")?;
    println!("  And Carol makes no more tickets.");

    heading("Bob's line stays, and Carol's");
    world.say(at_bob.claims().line_id, User::Bob, User::Alice, "Carol says hello.")?;
    world.say(with_carol, User::Alice, User::Carol, "Thank you all the same!")?;
    if crash {
        println!("  Alice was stopped {} times, each right after a write.", world.crashes);
    }
    Ok(())
}
