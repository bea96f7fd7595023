//! The checks, mode *as built*. The crate's own tests run them, too.

mod identities;
mod incoming;
mod outgoing;
mod peers;
mod reader;

use serde_json::Value;

pub use reader::{Case, Outcome};
use reader::{Context, Reader, Ring};

/// What came of a file.
pub struct Report {
    pub cases: Vec<Case>,
    /// Keys that no check has read.
    pub unread: Vec<String>,
}

/// Checks a file.
pub fn check(file: &Value) -> Report {
    let top = Reader::new(file);
    let mut cases = Vec::new();
    if !top.is_object() {
        cases.push(Case { name: "file".into(), outcome: Outcome::Differs("not an object".into()) });
        return Report { cases, unread: Vec::new() };
    }
    let context = Context::new(&top, Ring::collect(file));
    for (name, list) in [
        ("identities", identities::identity as fn(&Context, &Reader) -> Result<(), Outcome>),
        ("outgoing", outgoing::outgoing),
        ("incoming", incoming::incoming),
        ("peer_model", peers::model),
        ("whoareyou", peers::whoareyou),
        ("refresh_every_60s", peers::refresh),
        ("path_match", incoming::path_match),
    ] {
        for (at, case) in top.list(name).iter().enumerate() {
            run(&mut cases, name, at, case, |case| list(&context, case));
        }
    }
    if let Some(encoding) = top.child("encoding") {
        run(&mut cases, "encoding", 0, &encoding, identities::encoding);
        for (at, case) in encoding.list("cases").iter().enumerate() {
            run(&mut cases, "encoding/cases", at, case, identities::encode);
        }
        for (at, case) in encoding.list("decode").iter().enumerate() {
            run(&mut cases, "encoding/decode", at, case, identities::decode);
        }
    }
    if let Some(other) = top.child("other_component_order") {
        let _ = other.text("note");
        for (name, check) in [
            ("outgoing", outgoing::outgoing as fn(&Context, &Reader) -> Result<(), Outcome>),
            ("incoming", incoming::incoming),
        ] {
            for (at, case) in other.list(name).iter().enumerate() {
                run(&mut cases, &format!("other_component_order/{name}"), at, case, |case| check(&context, case));
            }
        }
    }
    Report { cases, unread: top.unread() }
}

fn run(
    cases: &mut Vec<Case>,
    list: &str,
    at: usize,
    case: &Reader,
    check: impl FnOnce(&Reader) -> Result<(), Outcome>,
) {
    let name = case.text("name").map_or(format!("{list}/{at}"), |name| format!("{list}/{at} {name}"));
    let outcome = check(case).err().unwrap_or(Outcome::Right);
    if matches!(outcome, Outcome::Skipped(_)) {
        // The rest of it was not looked at.
        case.whole();
    }
    cases.push(Case { name, outcome });
}
