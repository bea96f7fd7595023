//! The example `read_port`, and what all examples do with arguments that are no text.
#![cfg(all(feature = "alloc", feature = "getrandom", feature = "relay"))]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use port_protocol::*;
use serde_json::Value;

use crate::common::example;
use crate::port::plain;

fn run(arguments: &[&str], input: &[u8]) -> Output {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| example("read_port", "alloc"));
    let mut process = Command::new(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It need not read it.
    let _ = process.stdin.take().unwrap().write_all(input);
    process.wait_with_output().unwrap()
}

/// One object on one line.
fn says(arguments: &[&str], input: &[u8]) -> Value {
    let output = run(arguments, input);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((said.matches('\n').count(), said.ends_with('\n')), (1, true));
    serde_json::from_str(&said).unwrap()
}

#[test]
fn what_it_makes_it_reads() {
    for (arguments, kind, base) in [
        (&["--new"][..], PortKind::Port, "https://example.org/p"),
        (&["--new", "--superport", "--base", "https://port.example"][..], PortKind::Superport, "https://port.example"),
    ] {
        let fresh = says(arguments, b"");
        let port = Port::parse(fresh["qr"].as_str().unwrap()).unwrap();
        assert_eq!((port.kind(), fresh["link"].as_str()), (kind, Some(&*port.link(base).unwrap().to_string())));
        assert_eq!(says(&["--json"], fresh.to_string().as_bytes())["qr"], fresh["qr"]);
        assert_ne!(says(arguments, b"")["qr"], fresh["qr"]);
    }
}

#[test]
fn it_reads_any_bytes() {
    let text = plain().qr_text().to_string();
    let around = [b"\xff\xfe\0 ", text.as_bytes(), b"\xc3\r\n"].concat();
    assert_eq!(says(&["--json"], &around), serde_json::json!({ "qr": text }));
    for (input, error) in [(&around[..60], FindError::CutOff), (b"\xff", FindError::NoPort), (b"", FindError::NoPort)] {
        let said = says(&["--json"], input);
        assert_eq!(said, serde_json::json!({ "error": format!("{error:?}"), "words": error.to_string() }));
    }
    let shown = run(&[], b"");
    assert!(shown.status.success() && shown.stdout.len() > 1000);
}

#[test]
fn wrong_usage_is_told() {
    for arguments in [
        &["--new", "--json"][..],
        &["--base"],
        &["--json", "--superport"],
        &["--new", "--base", "http://example.org/"],
        &["x"],
        &["--base", "https://example.org/"],
    ] {
        let output = run(arguments, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("usage:"));
    }
}

/// C46.
#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_wrong_usage() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for (name, features) in [
        ("handshake", "relay"),
        ("read_port", "alloc"),
        #[cfg(feature = "app")]
        ("app_port", "app"),
    ] {
        let output = Command::new(example(name, features)).arg(OsStr::from_bytes(b"\xff")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("usage:"), "{name}");
    }
}
