//! `--hostile SEED`: Alice and Bob once more, in the kit's world (feature `testkit`). All that goes wrong is drawn from the seed: the same
//! seed gives the same run. Their apps are the kit's own: `client.rs` counts on a relay that keeps the order, on one Port and one line,
//! and on the clock of this machine.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use port_protocol::testkit::{
    App, Choice, Client, Command, Fault, Output, Outside, PowerFailed, Receipt, RollBack, Schedule, Violation, World,
};
use port_protocol::{Alice, Bob, Line, LineId, Machine, MachineRole, SafetyNumber, SendProof};

use crate::relay::User;
use crate::show::{self, heading, note};

const ALICE: u8 = 0;
const BOB: u8 = 1;

/// How much goes wrong between any two things that the users do.
const MISHAPS: usize = 8;

pub fn hostile(seed: u64, send_proof: SendProof) -> ExitCode {
    let mishap = Rc::<Cell<_>>::default();
    let shown = |user| Shown { user, client: Client::default(), mishap: mishap.clone() };
    let mut world = World::new([User::Alice, User::Bob].map(shown));
    let outcome = live(&mut world, seed, send_proof, &mishap);

    heading("How it ended");
    for app in world.apps() {
        app.stands();
    }
    match outcome {
        Ok(()) => match verdict(&world) {
            Ok(good) => {
                println!("\n  {good}");
                ExitCode::SUCCESS
            }
            Err(bad) => must_never_be(bad),
        },
        Err(violation) => must_never_be(&violation.to_string()),
    }
}

fn must_never_be(what: &str) -> ExitCode {
    println!("\n  This must never be: {what}.");
    ExitCode::FAILURE
}

fn live(world: &mut World<Shown>, seed: u64, send_proof: SendProof, mishap: &Mishap) -> Result<(), Violation> {
    let mut mishaps = Schedule::from_seed(seed, 1000).0.into_iter().filter(goes_wrong);
    let life = [
        ("Alice makes a Port", vec![Choice::MakePort(ALICE, None), Choice::DeliverAll]),
        ("Bob reads it, and connects", vec![Choice::UsePort(BOB, 0, send_proof)]),
        ("Bob says something", vec![Choice::Say(BOB, 0)]),
        ("Alice says something", vec![Choice::Say(ALICE, 0)]),
    ];
    for (what, choices) in life {
        heading(what);
        choices.into_iter().try_for_each(|choice| world.perform(choice))?;
        mishaps.by_ref().take(MISHAPS).try_for_each(|choice| go_wrong(world, choice, mishap))?;
    }
    heading("From now on the relay is honest, and both try again");
    world.finish()
}

/// What users do is in the story; here is the rest.
const fn goes_wrong(choice: &Choice) -> bool {
    matches!(choice, Choice::Deliver | Choice::Wake(_) | Choice::BackUp(_)) || choice.fault().is_some()
}

fn go_wrong(world: &mut World<Shown>, choice: Choice, mishap: &Mishap) -> Result<(), Violation> {
    // A crash comes when it comes, and shows itself.
    let fault = choice.fault().filter(|fault| *fault != Fault::Crash);
    let before = fault.map(|fault| world.count_of(fault));
    mishap.set(fault);
    world.perform(choice)?;
    // What could not be done was not.
    if fault.map(|fault| world.count_of(fault)) != before {
        show_mishap(mishap);
    }
    mishap.set(None);
    Ok(())
}

const fn words(fault: Fault) -> &'static str {
    match fault {
        Fault::Drop => "the network loses an event",
        Fault::Delay => "the network is slow",
        Fault::Reorder => "the network brings any event that waits",
        Fault::Duplicate => "an event comes again",
        Fault::Crash => "a process dies",
        Fault::Misroute => "the relay brings an event to the wrong user",
        Fault::CrossLine => "the relay replays a packet across lines",
        Fault::Flip => "the relay flips a bit",
        Fault::ClaimTwice => "the relay says that the Port was used once more",
        Fault::AnswerUnasked => "the relay answers what nobody asked",
        Fault::Forge => "the relay forges an event",
        Fault::RollBack => "a backup comes back",
        Fault::Lose => "a user loses all that its app has stored",
    }
}

fn verdict(world: &World<Shown>) -> Result<&'static str, &'static str> {
    let numbers: Vec<_> = world.apps().iter().map(Shown::safety_number).collect();
    match &numbers[..] {
        [Some(alice), Some(bob)] if alice == bob => Ok("One line, and the same safety number at both ends."),
        // The kit can't tell it from an honest end once an app has forgotten its own: after a roll-back.
        [Some(_), Some(_)] => Err("each end is confirmed, and their safety numbers differ"),
        [None, None] => Ok("No line that is confirmed, and nobody got in. Another Port costs nothing."),
        _ => Ok("One end has heard the other, which is gone since. Its user may close the line."),
    }
}

/// The kit's client, which does what SPEC.md says, and all that happens to it is shown. To test an app of your own, write this for it.
struct Shown {
    user: User,
    client: Client,
    mishap: Rc<Mishap>,
}

/// What goes wrong now, until it is shown: above what comes of it.
type Mishap = Cell<Option<Fault>>;

fn show_mishap(mishap: &Mishap) {
    if let Some(fault) = mishap.take() {
        println!("  ⚡ {}", words(fault));
    }
}

impl App for Shown {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        show_mishap(&self.mishap);
        show::event(self.user, event);
        let before = self.records();
        let receipt = self.client.deliver(event, outside);
        match receipt {
            Err(_) => self.crashes(),
            Ok(Receipt::NotYet) => note("too early: kept for later"),
            Ok(Receipt::Acknowledged) if self.records() == before => note("nothing moves"),
            Ok(Receipt::Acknowledged) => {}
        }
        receipt
    }

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.client.command(command, outside).inspect_err(|_| self.crashes())
    }

    fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.client.restart(outside).inspect_err(|_| self.crashes())
    }

    fn output(&mut self) -> Vec<Output> {
        let output = self.client.output();
        for one in &output {
            match one {
                Output::Send(request) => show::request(self.user, request),
                Output::Show(_) => note(&format!("{} shows the Port", self.user)),
                Output::Hear(_, text) => note(&format!("{} hears: {}", self.user, String::from_utf8_lossy(text))),
                _ => {}
            }
        }
        output
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.client.records()
    }

    fn inbox(&self) -> Vec<(LineId, Vec<u8>)> {
        self.client.inbox()
    }

    fn back_up(&mut self) {
        self.client.back_up();
    }

    fn roll_back(&mut self, how: RollBack) -> bool {
        let there_is_one = self.client.roll_back(how);
        if there_is_one {
            show_mishap(&self.mishap);
            note(&format!("{}'s: {how:?}", self.user));
        }
        there_is_one
    }
}

impl Shown {
    fn crashes(&self) {
        note(&format!("✂ {} crashes, and starts again from what is stored", self.user));
    }

    fn safety_number(&self) -> Option<SafetyNumber> {
        self.records().iter().find_map(|record| Line::restore(record).ok()?.safety_number())
    }

    /// What is in the store.
    fn stands(&self) {
        let records = self.records();
        for record in &records {
            let number = Line::restore(record).ok().and_then(|line| line.safety_number());
            let stands = match MachineRole::of_record(record) {
                Ok(MachineRole::Alice) => Alice::restore(record).map(|alice| format!("the Port: {:?}", alice.phase())),
                Ok(MachineRole::Bob) => Bob::restore(record).map(|bob| format!("the Port: {:?}", bob.phase())),
                _ => Line::restore(record).map(|line| format!("a line: {:?}", line.phase())),
            };
            let stands = stands.unwrap_or_else(|error| error.to_string());
            let number = number.map_or_else(String::new, |number| format!(", safety number {number}"));
            println!("  {:<5} {stands}{number}", self.user);
        }
        if records.is_empty() {
            println!("  {:<5} nothing", self.user);
        }
    }
}
