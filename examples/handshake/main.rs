//! The main job of this crate, from beginning to end: Alice makes a Port, Bob scans it, both join one line, know that they did, and talk.
//! And its family: a Port for many, and one by which a contact introduces people. `examples/minimal.rs` is the same in one page.
//!
//! `client.rs` is what an app does with its machines, `machines.rs` with each of them, `contact.rs` with contact ports beside, `store.rs`
//! what it asks of its database, `relay.rs` the post around the relay of this crate; `world.rs` lets them run. `one.rs`, `superport.rs` and
//! `introduce.rs` are what people do. `hostile.rs` lets everything go wrong at once, to the test kit's apps: `--hostile SEED`, with
//! `--features testkit`.

mod client;
mod contact;
#[cfg(feature = "testkit")]
mod hostile;
mod introduce;
mod machines;
mod one;
#[path = "../common/qr.rs"]
mod qr;
mod relay;
mod show;
mod store;
mod superport;
mod tamper;
mod world;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

#[cfg(feature = "testkit")]
use hostile::hostile;
use port_protocol::SendProof;

const USAGE: &str = "\
usage: handshake [--along-the-line] [--crash] [--tamper]
       handshake --superport N [--crash]
       handshake --introduce [--crash]
       handshake [--along-the-line] --hostile SEED

  --along-the-line  Bob sends the proof after the line was formed, not inline, in its request
  --crash           Alice's power fails after every write to the store
  --tamper          the relay flips bits in what it delivers
  --superport N     a Port for N, 1 to 99; one more comes
  --introduce       Carol introduces Bob to Alice; the right is withdrawn
  --hostile SEED    whatever the relay and bad luck can do to the kit's own apps, not to this example's, drawn from a number
                    (cargo run --features testkit --example …)";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Options {
    send_proof: SendProof,
    crash: bool,
    tamper: bool,
    introduce: bool,
    superport: Option<u32>,
    hostile: Option<u64>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut options = Options::default();
    let arguments: Result<Vec<_>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok(arguments) = arguments else { return Ok(usage()) };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--along-the-line" => options.send_proof = SendProof::AlongTheLine,
            "--crash" => options.crash = true,
            "--tamper" => options.tamper = true,
            "--introduce" => options.introduce = true,
            "--help" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            "--superport" => match arguments.next().map(|limit| limit.parse()) {
                Some(Ok(limit @ 1..=99)) => options.superport = Some(limit),
                _ => return Ok(usage()),
            },
            "--hostile" => match arguments.next().map(|seed| seed.parse()) {
                Some(Ok(seed)) => options.hostile = Some(seed),
                _ => return Ok(usage()),
            },
            _ => return Ok(usage()),
        }
    }
    let Options { send_proof, crash, tamper, .. } = options;
    let rest = Options { introduce: false, superport: None, hostile: None, ..options };
    match (options.introduce, options.superport, options.hostile) {
        (false, None, None) => {
            one::handshake(send_proof, crash, tamper)?;
            if tamper {
                one::refused_proof(send_proof)?;
            }
        }
        // A Port for many takes the proof inline only.
        (true, None, None) if rest == (Options { crash, ..Options::default() }) => introduce::introduce(crash)?,
        (false, Some(limit), None) if rest == (Options { crash, ..Options::default() }) => {
            superport::superport(limit, crash)?;
        }
        // It has crashes and flipped bits of its own.
        (false, None, Some(seed)) if !crash && !tamper => return Ok(hostile(seed, send_proof)),
        _ => return Ok(usage()),
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
