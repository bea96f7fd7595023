//! The Port in any text: what an app does with what its user pastes or scans.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::process::ExitCode;

use port_protocol::{Alice, LineLink, Policy, Port, PortOptions, Seed};

const USAGE: &str = "\
usage: read_port
       read_port --json
       read_port --new [--superport] [--base URL]

  --json       read a text from the standard input, and print the Port in it, or why there is none, as one object on one line
  --new        print a fresh Port as a QR text and as a link, as one object on one line
  --superport  a Port for many, not for one
  --base URL   what the link stands on; else https://example.org/p

Without arguments it shows what is found in a few texts.
Exit status: 0, whether there is a Port or not; 2 for this usage.";

const BASE: &str = "https://example.org/p";

#[derive(Default)]
struct Options {
    json: bool,
    new: bool,
    superport: bool,
    base: Option<String>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Result<Vec<_>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok(arguments) = arguments else { return Ok(usage("not text")) };
    let (mut options, mut arguments) = (Options::default(), arguments.into_iter());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => options.json = true,
            "--new" => options.new = true,
            "--superport" => options.superport = true,
            "--base" => match arguments.next() {
                Some(base) if options.base.is_none() => options.base = Some(base),
                _ => return Ok(usage("one base")),
            },
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            _ => return Ok(usage("not understood")),
        }
    }
    match options {
        Options { json: false, new: true, superport, base } => {
            let port = fresh(superport)?;
            match port.link(base.as_deref().unwrap_or(BASE)) {
                Ok(link) => println!("{{\"qr\": \"{}\", \"link\": \"{link}\"}}", port.qr_text()),
                Err(error) => return Ok(usage(&error.to_string())),
            }
        }
        Options { json: true, new: false, superport: false, base: None } => {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes)?;
            println!("{}", read(&String::from_utf8_lossy(&bytes)));
        }
        Options { json: false, new: false, superport: false, base: None } => show()?,
        _ => return Ok(usage("not understood")),
    }
    Ok(ExitCode::SUCCESS)
}

fn usage(error: &str) -> ExitCode {
    eprintln!("{error}\n\n{USAGE}");
    ExitCode::from(2)
}

/// A Port on a link that no relay has issued.
fn fresh(superport: bool) -> Result<Port, Box<dyn Error>> {
    let mut link = [0; 16];
    getrandom::fill(&mut link)?;
    let options = if superport { PortOptions::new().policy(Policy::unlimited()) } else { PortOptions::new() };
    let created = Alice::offer(LineLink::from(link), options, Seed::from_os()?);
    let alice = created.store(|_| Ok::<(), std::convert::Infallible>(()))?;
    Ok(alice.port().ok_or("no Port")?.clone())
}

/// One object on one line. Nothing in it needs to be escaped: Base32, names of errors, plain sentences.
fn read(text: &str) -> String {
    match Port::find(text) {
        Ok(port) => format!("{{\"qr\": \"{}\"}}", port.qr_text()),
        Err(error) => format!("{{\"error\": \"{error:?}\", \"words\": \"{error}\"}}"),
    }
}

fn show() -> Result<(), Box<dyn Error>> {
    let port = fresh(false)?;
    let (qr, link) = (port.qr_text().to_string(), port.link(BASE)?.to_string());
    let encoded = link.replace(':', "%3A").replace('/', "%2F").replace('#', "%23");
    for (what, text) in [
        ("a QR code", qr.clone()),
        ("a link in lower case, in brackets", format!("Join me: <{}>.", link.to_lowercase())),
        ("a mail that was wrapped and quoted", format!("> {}\r\n> {}\r\n", &link[..70], &link[70..])),
        ("a link in a filter's", format!("https://a.safelinks.protection.outlook.com/?url={encoded}&data=05")),
        ("a link that lost its end", link[..100].to_owned()),
        ("a link that lost its fragment", BASE.to_owned()),
        ("one character wrong", qr.replacen("QUAQ", "QUAR", 1)),
        ("a short link", "https://t.co/AbCdEf".to_owned()),
        ("something else", "Port: 8080".to_owned()),
    ] {
        println!("{what}:\n  {}\n  {}\n", text.escape_debug(), read(&text));
    }
    Ok(())
}
