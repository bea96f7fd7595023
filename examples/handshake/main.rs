//! The main job of this crate, from beginning to end: Alice makes a Port, Bob scans it, both join one line, know that they
//! did, and talk.
//!
//! `client.rs` is what an app does with the machines, `store.rs` what it asks of its database, `relay.rs` the Server around
//! the one of this crate. `hostile.rs` lets everything go wrong at once, to the test kit's apps: `--hostile SEED`, with
//! `--features testkit`.

mod client;
#[cfg(feature = "testkit")]
mod hostile;
mod relay;
mod show;
mod store;

use std::error::Error;
use std::process::ExitCode;

use client::{Client, Stop};
#[cfg(feature = "testkit")]
use hostile::hostile;
use port_protocol::{Event, Offer, Payload, Port, Rejected, Seed, SendProof};
use relay::{Relay, User};
use show::{heading, note};
use store::StoreError;

const USAGE: &str = "\
usage: handshake [--along-the-line] [--crash] [--tamper]
       handshake [--along-the-line] --hostile SEED

  --along-the-line  Bob sends his proof after the line was formed, not on board of his request
  --crash           Alice's power fails after every write to her store
  --tamper          the relay flips bits in what it delivers
  --hostile SEED    whatever the relay and bad luck can do to the kit's own apps, not to this example's, drawn from a number
                    (cargo run --features testkit --example …)";

#[derive(Clone, Copy, Default)]
struct Options {
    send_proof: SendProof,
    crash: bool,
    tamper: bool,
    hostile: Option<u64>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--along-the-line" => options.send_proof = SendProof::AlongTheLine,
            "--crash" => options.crash = true,
            "--tamper" => options.tamper = true,
            "--help" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            "--hostile" => match arguments.next().map(|seed| seed.parse()) {
                Some(Ok(seed)) => options.hostile = Some(seed),
                _ => return Ok(usage()),
            },
            _ => return Ok(usage()),
        }
    }
    if let Some(seed) = options.hostile {
        // It has crashes and flipped bits of its own.
        if options.crash || options.tamper {
            return Ok(usage());
        }
        return Ok(hostile(seed, options.send_proof));
    }
    handshake(options)?;
    if options.tamper {
        refused_proof(options)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

#[cfg(not(feature = "testkit"))]
fn hostile(seed: u64, _: SendProof) -> ExitCode {
    eprintln!("this needs the kit: cargo run --features testkit --example handshake -- --hostile {seed}");
    ExitCode::from(2)
}

/// Two people, a Port, a line, and a word for each other.
fn handshake(options: Options) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(options.crash, if options.tamper { Tamper::EachPacket } else { Tamper::Nothing });

    heading("Alice makes a Port");
    world.run(User::Alice, |alice| alice.make_port(Offer::new(), Seed::from_os()?))?;
    let text = world.alice.shown.clone().ok_or("no Port")?;
    show::qr_code(&text)?;

    heading("Bob reads it");
    let port = Port::parse(&text)?;
    println!("  {text}\n  {port:?}");
    world.run(User::Bob, |bob| bob.scan(port, Seed::from_os()?))?;

    heading("Bob connects");
    world.run(User::Bob, |bob| bob.connect(options.send_proof))?;

    heading("Each knows who is at the far end");
    let (alice, bob) = (world.alice.confirmed().ok_or("no line")?, world.bob.confirmed().ok_or("no line")?);
    let (code, same) = (world.alice.check_code().ok_or("no code")?, world.bob.check_code().ok_or("no code")?);
    println!("  Alice: {alice:?}\n         check code {code}\n  Bob:   {bob:?}\n         check code {same}");
    if (alice, code) != (bob, same) {
        return Err("the two ends are not of one line".into());
    }

    heading("They talk");
    world.say(User::Bob, User::Alice, "It's me, from the station.")?;
    world.say(User::Alice, User::Bob, "Good to hear from you!")?;

    heading("Alice closes the line");
    world.run(User::Alice, Client::close)?;

    println!();
    if options.crash {
        println!("  Alice was stopped {} times, each right after a write. It was one line all along.", world.crashes);
    }
    if options.tamper {
        println!("  {} packets came with a flipped bit. Each was refused, and nothing had moved.", world.flipped);
    }
    Ok(())
}

/// Single use means that whoever has the link can use the Port up, though not get in: without a good proof there is no line.
fn refused_proof(options: Options) -> Result<(), Box<dyn Error>> {
    let mut world = World::new(false, Tamper::Proof);

    heading("Another Port, and the relay flips a bit in Bob's proof");
    world.run(User::Alice, |alice| alice.make_port(Offer::new(), Seed::from_os()?))?;
    let port = Port::parse(world.alice.shown.as_deref().ok_or("no Port")?)?;
    world.run(User::Bob, |bob| bob.scan(port, Seed::from_os()?))?;
    world.run(User::Bob, |bob| bob.connect(options.send_proof))?;
    let refused = world.told.first().is_some_and(|told| told.ends_with("ProofRefused"));
    if !refused || world.alice.confirmed().is_some() || world.bob.confirmed().is_some() {
        return Err("a flipped bit went through".into());
    }
    println!("\n  This Port is used up, and nobody got in. Alice has to make a new one.");
    Ok(())
}

/// What the relay does to what it delivers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tamper {
    Nothing,
    /// Each packet comes with a flipped bit first, then as it was sent.
    EachPacket,
    /// The same, but the bit is one of the proof.
    Proof,
}

struct World {
    alice: Client,
    bob: Client,
    relay: Relay,
    tamper: Tamper,
    crashes: u32,
    flipped: u32,
    /// What the users were told in the end.
    told: Vec<String>,
}

impl World {
    fn new(crash: bool, tamper: Tamper) -> Self {
        let mut alice = Client::default();
        alice.store.power_fails = crash;
        let (bob, relay) = (Client::default(), Relay::new());
        Self { alice, bob, relay, tamper, crashes: 0, flipped: 0, told: Vec::new() }
    }

    const fn client(&mut self, user: User) -> &mut Client {
        match user {
            User::Alice => &mut self.alice,
            User::Bob => &mut self.bob,
        }
    }

    /// Lets a user do something, then carries packets until there are none left.
    fn run(&mut self, user: User, command: impl FnOnce(&mut Client) -> Result<(), Stop>) -> Result<(), Box<dyn Error>> {
        self.attempt(user, command)?;
        while let Some(parcel) = self.relay.post.pop_front() {
            self.tamper(parcel.to, &parcel.event)?;
            self.deliver(parcel.to, &parcel.event)?;
            self.relay.acknowledge(&parcel)?;
        }
        Ok(())
    }

    fn deliver(&mut self, to: User, event: &[u8]) -> Result<(), Stop> {
        show::event(to, event);
        match self.attempt(to, |client| client.receive(event)) {
            Err(Stop::Rejected(why)) => {
                match (why, Event::decode(event)) {
                    (Rejected::Closed | Rejected::NotMine, Ok(Event::Disconnected { .. })) => note("which was known"),
                    _ => note(&format!("refused: {why} ({why:?})")),
                }
                self.send(to)
            }
            done => done,
        }
    }

    /// After a crash, a client has only what it stored; it carries on from there.
    fn attempt(&mut self, user: User, command: impl FnOnce(&mut Client) -> Result<(), Stop>) -> Result<(), Stop> {
        let mut done = command(self.client(user)).and_then(|()| self.send(user));
        while let Err(Stop::Store(failure @ StoreError::PowerFailed(..))) = done {
            self.crashes += 1;
            note(&format!("✂ {user} crashes: {failure}. She starts again from there"));
            done = self.client(user).restart().and_then(|()| self.send(user));
        }
        done
    }

    /// Sends what waits in the outbox. Only then it is settled.
    fn send(&mut self, user: User) -> Result<(), Stop> {
        for request in self.client(user).outbox.split_off(0) {
            show::request(user, &request);
            if let Err(why) = self.relay.take(user, &request) {
                note(&format!("the relay does not take it: {why}"));
            }
        }
        for why in self.client(user).ended.split_off(0) {
            let told = format!("{user} is told: {why}");
            note(&told);
            self.told.push(told);
        }
        self.client(user).settle()
    }

    fn say(&mut self, from: User, to: User, message: &str) -> Result<(), Box<dyn Error>> {
        println!("  {from} says: {message}");
        self.run(from, |client| client.say(message))?;
        if self.client(to).heard.is_empty() {
            // A line brings a message at most once. What a crash swallowed, the app says again.
            println!("  {to} did not hear it. {from} says it again, and this time the power stays on");
            let power_fails = std::mem::take(&mut self.alice.store.power_fails);
            self.run(from, |client| client.say(message))?;
            self.alice.store.power_fails = power_fails;
        }
        let heard = self.client(to).heard.pop().ok_or("not heard")?;
        println!("  {to} hears: {heard}\n");
        Ok(())
    }

    /// Flips a bit, delivers that first, and sees to it that nothing came of it.
    fn tamper(&mut self, to: User, event: &[u8]) -> Result<(), Box<dyn Error>> {
        let Some(place) = place_to_flip(self.tamper, event) else { return Ok(()) };
        let mut flipped = event.to_vec();
        flipped.get_mut(place).map(|byte| *byte ^= 1).ok_or("an event of no length")?;
        if self.tamper == Tamper::Proof {
            note(&format!("⚡ bit 0 of byte {place} of what follows is flipped, which is in the proof"));
            return Ok(self.deliver(to, &flipped)?);
        }
        let client = self.client(to);
        let before = (client.records(), client.store.clone());
        let refused = client.receive(&flipped);
        if let (true, Err(Stop::Rejected(why))) = (before == (client.records(), client.store.clone()), refused) {
            note(&format!("⚡ bit 0 of byte {place} flipped: refused, {why} ({why:?}). {to}'s records: unchanged"));
            self.flipped += 1;
            return Ok(());
        }
        Err("a flipped bit went through".into())
    }
}

/// A byte where the receiver can tell: the last one of what carries a proof or is sealed, else one of the name by which an
/// event finds its machine.
///
/// The rest is for the Server to say: which link, which line, which pair. A line of which its two ends were told different
/// things is never confirmed. And a bit of the proof uses the Port up: that is another run.
fn place_to_flip(tamper: Tamper, event: &[u8]) -> Option<usize> {
    /// `[1, [number, name, …]]`: the number takes two bytes, the name has a head of one (SPEC.md, §7).
    const NAME: usize = 6;
    let last = event.len().checked_sub(1);
    let payload = match Event::decode(event) {
        Ok(Event::Packet { payload, .. }) => Payload::decode(payload).ok(),
        Ok(Event::LineFormed { proof: Some(proof), .. }) => Some(Payload::Proof { proof }),
        _ => None,
    };
    match (tamper, payload) {
        (Tamper::EachPacket, Some(Payload::Sealed { .. })) | (Tamper::Proof, Some(Payload::Proof { .. })) => last,
        (Tamper::EachPacket, _) => Some(NAME),
        (Tamper::Nothing | Tamper::Proof, _) => None,
    }
}
