//! Bob reads one.

use std::error::Error;
use std::process::ExitCode;

use port_protocol::app::{Bundle, Intro, Name, Request, Scanned, SecretText};
use port_protocol::{Secret, UnixSeconds};
use serde_json::{Value, json};

use crate::{advice, random};

pub fn read(text: &str, name: Option<Name>, as_json: bool) -> Result<ExitCode, Box<dyn Error>> {
    match Scanned::parse(text) {
        Ok(Scanned::Bundle(bundle)) if bundle.expires().is_some_and(|expires| expires <= UnixSeconds::now()) => {
            eprintln!("this bundle has expired: ask for another");
            return Ok(ExitCode::FAILURE);
        }
        Ok(Scanned::Bundle(bundle)) => use_bundle(&bundle, name, as_json)?,
        Ok(Scanned::BundleId(id)) => fetch(&id, as_json),
        Ok(Scanned::Port(_)) => {
            eprintln!("a Port of the protocol's own, which the app can't read: see the example `handshake`");
            return Ok(ExitCode::FAILURE);
        }
        Ok(_) => return Err("a link of a kind that this example does not know".into()),
        Err(error) => {
            eprintln!("{error}: {}", advice(error));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A client keeps the private key and this very request before it sends it (§8.1).
fn use_bundle(bundle: &Bundle, name: Option<Name>, as_json: bool) -> Result<(), Box<dyn Error>> {
    let name = name.map_or_else(|| Name::new(""), Ok)?;
    let private_key = Secret::from(random::<32>()?);
    let (intro, line) = Intro::make(&private_key, random()?, bundle, &name);
    let request = Request::connect(bundle, &intro);
    if as_json {
        let made = json!({
            "kind": format!("{:?}", bundle.kind()),
            "name": bundle.name().map(Name::as_str),
            "intro": intro.to_json().as_str(),
            "request": of(&request),
            "private_key": hex::encode(private_key.expose()),
            "secret": hex::encode(line.secret().expose()),
        });
        println!("{made}");
        return Ok(());
    }
    match bundle.name() {
        // Escaped: a name may hold what a terminal obeys.
        Some(name) => println!("A {:?} of {:?}, so it says.\n", bundle.kind(), name.as_str()),
        None => println!("A {:?} without a name.\n", bundle.kind()),
    }
    println!("The intro message:\n\n  {}\n", intro.to_json());
    show(&request);
    Ok(())
}

fn fetch(id: &SecretText, as_json: bool) {
    let request = Request::FetchBundle(id);
    if as_json {
        println!("{}", json!({ "bundle_id": id.as_str(), "request": of(&request) }));
        return;
    }
    println!(
        "A short link, to the bundle {:?}. The app's server has it, and could pose as either of you.\n",
        id.as_str()
    );
    show(&request);
}

fn of(request: &Request<'_>) -> Value {
    let body = request.body();
    json!({
        "method": request.method().as_str(),
        "path": request.path(),
        "body": body.as_ref().map(SecretText::as_str),
    })
}

fn show(request: &Request<'_>) {
    println!("The request, with `Authorization: TOKEN`:\n\n  {} {}", request.method().as_str(), request.path());
    if let Some(body) = request.body() {
        println!("  {body}");
    }
}
