//! A Port that a shipped app can scan (docs/app-profile.md §17), or one of its Ports read, and the request that uses it. No network: the
//! caller gets an id from the app's server, and sends the request there.
//!
//! `alice.rs` makes a Port, `bob.rs` reads one.

mod alice;
mod bob;
#[path = "../common/qr.rs"]
mod qr;

use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;

use port_protocol::app::{BundleError, Name, ScanError};
use port_protocol::{LineLink, PortError, PortKind};

const USAGE: &str = "\
usage: app_port [--superport] [--id HEX] [--name NAME] [--json]
       app_port TEXT [--name NAME] [--json]

  TEXT         a link, or the JSON of a bundle: read it, and print the request that uses it, with the intro message
  --superport  a bundle for many, not for one
  --id HEX     the id that the app's server gave for it, 32 digits; else one is drawn, which that server does not know
  --name NAME  what you call yourself, at most 30 UTF-16 code units; else nothing
  --json       one object on one line, with the private keys, which are not printed otherwise

Exit status: 0; 1 if TEXT can't be used; 2 for this usage.";

#[derive(Default)]
struct Options {
    text: Option<String>,
    id: Option<LineLink>,
    name: Option<Name>,
    superport: bool,
    json: bool,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut options = Options::default();
    let arguments: Result<Vec<_>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok(arguments) = arguments else { return Ok(usage("not text")) };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--superport" => options.superport = true,
            "--json" => options.json = true,
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            "--id" => match arguments.next().and_then(|id| id_from(&id)) {
                Some(id) => options.id = Some(id),
                None => return Ok(usage("not an id")),
            },
            "--name" => match arguments.next().map(|name| Name::new(&name)) {
                Some(Ok(name)) => options.name = Some(name),
                Some(Err(error)) => return Ok(usage(&error.to_string())),
                None => return Ok(usage("no name")),
            },
            text if !text.starts_with('-') && options.text.is_none() => options.text = Some(argument),
            _ => return Ok(usage("not understood")),
        }
    }
    match options {
        Options { text: None, id, name, superport, json } => {
            let kind = if superport { PortKind::Superport } else { PortKind::Port };
            alice::offer(kind, id, name, json)?;
            Ok(ExitCode::SUCCESS)
        }
        Options { text: Some(text), id: None, name, superport: false, json } => bob::read(&text, name, json),
        _ => Ok(usage("--superport and --id are for a bundle of one's own")),
    }
}

fn usage(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{USAGE}");
    ExitCode::from(2)
}

/// We accept lower case only (§17.1).
fn id_from(text: &str) -> Option<LineLink> {
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).ok()?;
    (hex::encode(id) == text).then_some(id.into())
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// What to tell the user that scanned it.
fn advice(error: ScanError) -> &'static str {
    use BundleError::{Group, UnsupportedTarget, UnsupportedVersion, WeakPublicKey, WrongKeyHash};

    match error {
        ScanError::Bundle(UnsupportedVersion | UnsupportedTarget)
        | ScanError::Port(PortError::UnsupportedVersion | PortError::UnsupportedKind) => "update",
        ScanError::Bundle(Group) => "use the app itself",
        ScanError::Bundle(WeakPublicKey | WrongKeyHash) | ScanError::Port(PortError::WeakPublicKey) => {
            "don't use it: its maker, or its way here, is not to be trusted"
        }
        _ => "it is something else, or damaged",
    }
}
