//! One Port, from beginning to end.

use std::error::Error;

use port_protocol::{Port, PortOptions, Seed, SendProof};

use crate::client::Client;
use crate::relay::User;
use crate::show::{self, heading};
use crate::tamper::Tamper;
use crate::world::World;

/// Two people, a Port, a line, and a word for each other.
pub fn handshake(send_proof: SendProof, crash: bool, tamper: bool) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(crash, if tamper { Tamper::EachPacket } else { Tamper::Nothing });

    heading("Alice makes a Port");
    world.run(User::Alice, |alice| alice.make_port(PortOptions::new(), Seed::from_os()?))?;
    let text = show::port(&world.shown(User::Alice)?)?;

    heading("Alice's connection comes back: what is pending is done, and the relay keeps the link for longer");
    world.run(User::Alice, Client::resume)?;

    heading("Bob reads it");
    let port = Port::parse(&text)?;
    let line_link = port.line_link();
    println!("  {text}\n  {port:?}");
    world.run(User::Bob, |bob| bob.scan(port, Seed::from_os()?))?;

    heading("Bob connects");
    world.run(User::Bob, |bob| bob.connect(line_link, send_proof))?;

    heading("Each knows who is at the far end");
    let [line, _] = world.joined(User::Bob)?;
    println!("  {:?}", line.confirmed().ok_or("no line")?);
    let line_id = line.claims().line_id;

    heading("They talk");
    world.say(line_id, User::Bob, User::Alice, "It's me, from the station.")?;
    world.say(line_id, User::Alice, User::Bob, "Good to hear from you!")?;

    heading("Alice closes the line");
    world.run(User::Alice, |alice| alice.close(line_id))?;

    println!();
    if crash {
        println!("  Alice was stopped {} times, each right after a write. It was one line all along.", world.crashes);
    }
    if tamper {
        println!("  {} packets came with a flipped bit. Each was refused, and nothing had moved.", world.flipped);
    }
    Ok(())
}

/// Single use means that somebody who has only the link can use the Port up, but can't get in: without a good proof there is no line.
pub fn refused_proof(send_proof: SendProof) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(false, Tamper::Proof);

    heading("Another Port, and the relay flips a bit in Bob's proof");
    world.run(User::Alice, |alice| alice.make_port(PortOptions::new(), Seed::from_os()?))?;
    let port = world.shown(User::Alice)?;
    let line_link = port.line_link();
    world.run(User::Bob, |bob| bob.scan(port, Seed::from_os()?))?;
    world.run(User::Bob, |bob| bob.connect(line_link, send_proof))?;
    let joined = [User::Alice, User::Bob].map(|user| world.client(user).only_line());
    if !world.was_told(User::Alice, "ProofRefused") || joined.iter().any(|line| !matches!(line, Ok(None))) {
        return Err("a flipped bit went through".into());
    }
    println!("\n  This Port is used up, and nobody got in. Alice has to make a new one.");
    Ok(())
}
