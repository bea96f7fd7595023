//! `app_port`, a process: what it prints, it reads.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use super::{HOSTILE, contact_port, grant, name, port, reader, with};
use port_protocol::app::{Bundle, Intro, Name, Scanned};
use port_protocol::{PortKind, Secret};
use serde_json::{Value, json};

use crate::common::{at, example};

fn run(arguments: &[&str]) -> Output {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| example("app_port", "app"));
    Command::new(path).args(arguments).output().unwrap()
}

fn says(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// One object on one line.
fn json(arguments: &[&str]) -> Value {
    let said = says(&[arguments, &["--json"]].concat());
    assert_eq!((said.matches('\n').count(), said.ends_with('\n')), (1, true));
    serde_json::from_str(&said).unwrap()
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_else(|| panic!("{key}: {object}"))
}

fn key(object: &Value, of: &str) -> Secret<32> {
    Secret::from(<[u8; 32]>::try_from(hex::decode(text(object, of)).unwrap()).unwrap())
}

/// What Bob's process says of it, and what Alice makes of Bob's intro message.
fn used(alice: &Value, shown: &str) {
    let Ok(Scanned::Bundle(bundle)) = Scanned::parse(shown) else { panic!("{shown}") };
    let bob = json(&[shown, "--name", "Bob & Co"]);
    assert_eq!((&bob["kind"], bob["name"].as_str()), (&alice["kind"], bundle.name().map(Name::as_str)));
    let request = &bob["request"];
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/management/line")));
    let body: Value = serde_json::from_str(text(request, "body")).unwrap();
    let intro: Value = serde_json::from_str(text(&bob, "intro")).unwrap();
    let id = if bundle.kind() == PortKind::Port { "lineLinkId" } else { "lineSuperportId" };
    assert_eq!(body, json!({ id: hex::encode(bundle.port_id().as_bytes()), "introMessage": intro }));

    let introduced =
        Intro::from_json(text(&bob, "intro")).check(&key(alice, "private_key"), bundle.kind(), bundle.rad());
    let introduced = introduced.unwrap();
    assert_eq!(introduced.name.as_ref().map(Name::as_str), Some("Bob & Co"));
    assert!(*introduced.line.secret() == key(&bob, "secret"));
}

#[test]
fn what_it_prints_it_reads() {
    for arguments in [&[][..], &["--superport"], &["--name", "Zoë"], &["--superport", "--name", "--json"]] {
        let alice = json(arguments);
        assert_eq!(alice["kind"], if arguments.contains(&"--superport") { "Superport" } else { "Port" });
        assert_eq!(alice["renamed"], Value::Null);
        for shown in ["bundle", "link"] {
            used(&alice, text(&alice, shown));
        }
        let bundle: Value = serde_json::from_str(text(&alice, "bundle")).unwrap();
        assert_eq!(
            bundle.get("name").and_then(Value::as_str),
            arguments.last().filter(|_| arguments.contains(&"--name")).copied()
        );
        assert_eq!(reader::read(text(&alice, "link")), Some(bundle));
    }
    let id = "0123456789abcdef".repeat(2);
    let alice = json(&["--id", &id]);
    let Ok(bundle) = Bundle::from_json(text(&alice, "bundle")) else { panic!("{alice}") };
    assert_eq!(hex::encode(bundle.port_id().as_bytes()), id);
    assert_ne!(json(&[])["bundle"], json(&[])["bundle"]);
}

#[test]
fn a_hostile_name_is_changed_for_the_app_alone_and_it_says_so() {
    // No argument of a process has a zero byte in it.
    for hostile in HOSTILE.iter().filter(|name| !name.contains('\0')) {
        let alice = json(&["--name", hostile]);
        let bundle: Value = serde_json::from_str(text(&alice, "bundle")).unwrap();
        assert_eq!(bundle["name"], *hostile);
        let link = reader::read(text(&alice, "link")).unwrap();
        assert_eq!(link["name"], alice["renamed"].as_str().unwrap_or(hostile));
        assert_eq!(alice["renamed"].is_string(), hostile.contains(['&', '=', '?', '+']), "{hostile:?}");
    }
    let said = says(&["--name", "a&b"]);
    assert!(
        said.contains("QR version 1")
            && said.contains("The app can't read \"a&b\" in a link: there, the name is \"a＆b\".")
    );
    assert!(!says(&["--name", "a-b"]).contains("can't read"));
    let alice = json(&["--name", "a&b"]);
    used(&alice, text(&alice, "bundle"));
    used(&alice, text(&alice, "link"));
}

#[test]
fn a_terminal_obeys_nobodys_name() {
    let bundle = port().named(name("\u{1b}[2J\u{9b}2J\u{202e}\r"));
    let said = says(&[bundle.link().as_str()]);
    assert!(!said.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{said:?}");
    let said = says(&["https://porting.me/?bundleId=%1b%5B2J"]);
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn a_contact_port_is_used_with_its_ticket() {
    let bob = json(&[contact_port().link().as_str()]);
    let body: Value = serde_json::from_str(text(&bob["request"], "body")).unwrap();
    assert_eq!((&bob["kind"], &body["ticket"]), (&json!("ContactPort"), &json!("05".repeat(16))));
    let introduced = Intro::from_json(text(&bob, "intro"));
    let introduced = introduced.check(&super::alice(), PortKind::ContactPort, &super::rad()).unwrap();
    assert!(introduced.ticket == Some(Secret::from([5; 16])));
}

#[test]
fn a_short_link_gives_the_request_for_its_bundle() {
    let link = "https://porting.me/?bundleId=a%2Fb+c";
    let path = "/management/bundle?bundleId=a%2Fb+c";
    let request = json!({ "method": "GET", "path": path, "body": null });
    assert_eq!(json(&[link]), json!({ "bundle_id": "a/b c", "request": request }));
    let said = says(&[link]);
    assert!(said.contains("\"a/b c\"") && said.contains(&format!("GET {path}")), "{said}");
}

/// It must refuse with a reason, and write nothing to the standard output that a script could take for an answer.
#[test]
fn what_it_cannot_use_it_refuses() {
    let group = with(port().to_json().as_str(), "target", Some(1.into()));
    let late = port().expiring(at(1));
    for (text, reason) in [
        ("hello", "not a Port"),
        (
            "PORT:QUAQCUEAQGBIHBEFQ2DYRCMKROGI3DUPLAQI6QGFVW3I6JLCJLS3EFHKOZ5G5SKNQKOT2626DLI3U3Z6EE4CQX2QEAQSEIZEEUTCOKBJFIVSYLJOF4YK2",
            "example `handshake`",
        ),
        (group.as_str(), "the app itself"),
        (grant().to_json().as_str(), "not a bundle"),
        (late.link().as_str(), "expired"),
    ] {
        let output = run(&[text, "--json"]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{text}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(reason), "{text}");
    }
    let long = "x".repeat(31);
    for arguments in [
        &["--name"][..],
        &["--name", &long],
        &["--id", "00"],
        &["--id", &"AB".repeat(16)],
        &["--nonsense"],
        &["{}", "{}"],
        &["{}", "--superport"],
    ] {
        let output = run(arguments);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("usage: app_port"), "{arguments:?}");
    }
    for help in ["-h", "--help"] {
        assert!(says(&[help]).starts_with("usage: app_port"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let output =
            Command::new(example("app_port", "app")).arg(std::ffi::OsStr::from_bytes(b"\xff")).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "no text");
    }
}
