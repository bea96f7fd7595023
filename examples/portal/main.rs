//! Portals from beginning to end: Ada's and Ben's owners enter each other's IDs, an app of one asks the same app on the other, and everything
//! that is refused is refused. Real HTTP, on the loopback interface, in one process.
//!
//! A Portal's server is `host.rs`, with `callee.rs` and `caller.rs`; `store.rs` is its database, `http.rs` its HTTP, `apps.rs` its apps. `world.rs`
//! has the Portals and `network.rs` the network between them. `story.rs`, `peers.rs`, `requests.rs` and `refusals.rs` are what happens, and
//! `crash.rs` stops the Portals at every point. `freeshard.rs` is the other profile.

mod apps;
mod callee;
mod caller;
mod crash;
#[cfg(feature = "freeshard")]
mod freeshard;
mod host;
mod http;
mod line;
mod network;
mod peers;
mod power;
mod refusals;
mod requests;
mod show;
mod store;
mod story;
mod world;

use std::process::ExitCode;

use network::Mode;

const USAGE: &str = "\
usage: portal [--crash | --tamper | --replay | --freeshard]

  --crash      the process of either Portal stops between any two steps, at each of these points once
  --tamper     the network flips a bit of each message, and of each second answer
  --replay     the network sends each message again, and old answers in the place of new ones
  --freeshard  the other profile, in its strict mode (cargo run --features freeshard --example …)";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => story::whole(),
        ["--tamper"] => story::under(Mode::Tamper),
        ["--replay"] => story::under(Mode::Replay),
        ["--crash"] => crash::everywhere(),
        #[cfg(feature = "freeshard")]
        ["--freeshard"] => freeshard::strict(),
        #[cfg(not(feature = "freeshard"))]
        ["--freeshard"] => {
            eprintln!("this needs a feature: cargo run --features freeshard --example portal -- --freeshard");
            return ExitCode::from(2);
        }
        ["--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}
