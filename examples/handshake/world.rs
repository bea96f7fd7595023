//! The users, the relay between them, and the post.

use std::collections::BTreeMap;
use std::error::Error;
use std::mem;

use port_protocol::{Event, Line, LineId, LineLink, Port, Rejected, Seed, SendProof};

use crate::client::Client;
use crate::machines::Stop;
use crate::relay::{Network, User};
use crate::show::{self, note};
use crate::store::StoreError;
use crate::tamper::Tamper;

pub struct World {
    clients: BTreeMap<User, Client>,
    network: Network,
    pub tamper: Tamper,
    /// Whether what is sent is told in a few words, not in all.
    pub brief: bool,
    pub crashes: u32,
    pub flipped: u32,
    /// What the users were told in the end.
    pub told: Vec<String>,
}

impl World {
    pub fn new(crash: bool, tamper: Tamper) -> Self {
        let (clients, network) = (BTreeMap::new(), Network::new());
        let mut world = Self { clients, network, tamper, brief: false, crashes: 0, flipped: 0, told: Vec::new() };
        world.client(User::Alice).store.power_fails = crash;
        world
    }

    pub fn client(&mut self, user: User) -> &mut Client {
        self.clients.entry(user).or_default()
    }

    /// Lets a user do something, then carries packets until there are none left.
    pub fn run(
        &mut self,
        user: User,
        command: impl FnOnce(&mut Client) -> Result<(), Stop>,
    ) -> Result<(), Box<dyn Error>> {
        self.attempt(user, command)?;
        while let Some(parcel) = self.network.post.pop_front() {
            self.tamper(parcel.to, &parcel.event)?;
            self.deliver(parcel.to, &parcel.event)?;
            self.network.acknowledge(&parcel)?;
        }
        Ok(())
    }

    pub fn deliver(&mut self, to: User, event: &[u8]) -> Result<(), Stop> {
        if self.brief {
            show::brief_event(to, event)
        } else {
            show::event(to, event)
        }
        match self.attempt(to, |client| client.receive(event)) {
            Err(Stop::Rejected(why)) => {
                match (why, Event::decode(event)) {
                    (Rejected::Closed | Rejected::WrongMachine, Ok(Event::Disconnected { .. })) => {
                        note("which was known")
                    }
                    _ => note(&format!("refused: {why} ({why:?})")),
                }
                self.send(to)
            }
            // The store knew better: what is to be done about it waits to be sent.
            Err(Stop::Store(StoreError::UsedBefore(on_duplicate))) => {
                note(&format!("refused: used before ({on_duplicate:?})"));
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
            note(&format!("✂ {user} crashes: {failure}. It starts again from there"));
            done = self.client(user).resume().and_then(|()| self.send(user));
        }
        done
    }

    /// Sends the requests that wait, and tells the user what ended. Only then the client hears that it was done.
    fn send(&mut self, user: User) -> Result<(), Stop> {
        for request in self.client(user).store.tables.requests.clone() {
            if self.brief {
                show::brief_request(user, &request)
            } else {
                show::request(user, &request)
            }
            if let Err(why) = self.network.take(user, &request) {
                note(&format!("the relay does not take it: {why}"));
            }
        }
        for why in mem::take(&mut self.client(user).store.tables.ended) {
            let told = format!("{user} is told: {why}");
            note(&told);
            self.told.push(told);
        }
        self.client(user).sent()
    }

    /// Reads a Port's text and connects. Gives the Port's link.
    pub fn use_port(&mut self, user: User, text: &str) -> Result<LineLink, Box<dyn Error>> {
        let port = Port::parse(text)?;
        let line_link = port.line_link();
        self.run(user, |bob| bob.scan(port, Seed::from_os()?))?;
        self.run(user, |bob| bob.connect(line_link, SendProof::Inline))?;
        Ok(line_link)
    }

    /// The Port that this user's app shows. From now on it shows none.
    pub fn shown(&mut self, user: User) -> Result<Port, &'static str> {
        self.client(user).store.tables.shown.take().ok_or("no Port")
    }

    /// Whether it is this user who was told this.
    pub fn was_told(&self, user: User, why: &str) -> bool {
        self.told.iter().any(|told| told.starts_with(&format!("{user} is told")) && told.ends_with(why))
    }

    /// Both ends of the line on which this user is alone with Alice: both confirmed, with the same safety number.
    pub fn joined(&mut self, user: User) -> Result<[Line; 2], Box<dyn Error>> {
        let at_bob = self.client(user).only_line()?.ok_or("no line")?;
        let at_alice = self.client(User::Alice).line(at_bob.claims().line_id)?;
        let number = at_alice.safety_number().ok_or("Alice's end is not confirmed")?.to_string();
        let same = at_bob.safety_number().ok_or("the other end is not confirmed")?.to_string();
        if at_alice.confirmed() != at_bob.confirmed() || number != same {
            return Err("the two ends are not of one line".into());
        }
        println!("\n  Alice: safety number {number}\n  {:<6} safety number {same}\n", format!("{user}:"));
        Ok([at_alice, at_bob])
    }

    pub fn say(&mut self, line_id: LineId, from: User, to: User, message: &str) -> Result<(), Box<dyn Error>> {
        println!("  {from} says: {message}");
        self.run(from, |client| client.say(line_id, message))?;
        let heard = self.client(to).store.tables.heard.pop().filter(|heard| heard == message).ok_or("not heard")?;
        println!("  {to} hears: {heard}\n");
        Ok(())
    }
}
