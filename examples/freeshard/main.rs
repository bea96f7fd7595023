//! Checks a file of known answers of the Portal system that exists (Freeshard): `cargo run --example freeshard --features freeshard -- FILE`
//!
//! The file has the form of `tests/vectors/freeshard.json`, with any of its keys. A line for each case; the exit status is 1 if one differs. A case
//! that can't be checked, because the file has no key for it, is skipped. Keys that nothing reads are reported.

mod check;

use std::process::ExitCode;

use check::Outcome;

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: freeshard FILE");
        return ExitCode::from(2);
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    let report = match serde_json::from_str(&text) {
        Ok(value) => check::check(&value),
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    for case in &report.cases {
        match &case.outcome {
            Outcome::Right => println!("ok    {}", case.name),
            Outcome::Skipped(why) => println!("skip  {}: {why}", case.name),
            Outcome::Differs(why) => println!("DIFF  {}: {why}", case.name),
        }
    }
    for key in &report.unread {
        println!("unknown key: {key}");
    }
    let count = |is: fn(&Outcome) -> bool| report.cases.iter().filter(|case| is(&case.outcome)).count();
    let differ = count(|outcome| matches!(outcome, Outcome::Differs(_)));
    let (right, skipped) = (count(|outcome| *outcome == Outcome::Right), count(|o| matches!(o, Outcome::Skipped(_))));
    println!("{right} right, {differ} differ, {skipped} skipped, {} unknown keys", report.unread.len());
    if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
