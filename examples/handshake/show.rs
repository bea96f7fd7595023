//! What is printed.

use port_protocol::{Event, LineId, Nonce, Payload, Port, Request};
use qrcode::types::QrError;

use crate::qr;
use crate::relay::User;

pub fn heading(text: &str) {
    println!("\n── {text}\n");
}

pub fn request(from: User, bytes: &[u8]) {
    let decoded = match Request::decode(bytes) {
        Ok(Request::Packet { line_id, payload }) => packet(&line_id, payload),
        Ok(request) => format!("{request:?}"),
        Err(error) => error.to_string(),
    };
    println!("  {from:>5} → relay {:5} bytes  {}", bytes.len(), short(&decoded));
}

pub fn event(to: User, bytes: &[u8]) {
    let decoded = match Event::decode(bytes) {
        Ok(Event::Packet { line_id, payload }) => packet(&line_id, payload),
        Ok(event) => format!("{event:?}"),
        Err(error) => error.to_string(),
    };
    println!("  relay → {to:<5} {:5} bytes  {}", bytes.len(), short(&decoded));
}

/// A request in as few words as it takes.
pub fn brief_request(from: User, bytes: &[u8]) {
    let decoded = match Request::decode(bytes) {
        Ok(Request::IssueLineLink { .. }) => "IssueLineLink".to_owned(),
        Ok(Request::Connect { proof, .. }) => with_proof("Connect", proof.is_some()),
        Ok(Request::SetLineLink { version, admits, .. }) => format!("SetLineLink, version {version}: {admits:?}"),
        Ok(Request::CloseLineLink { .. }) => "CloseLineLink".to_owned(),
        Ok(Request::Packet { line_id, payload }) => brief_packet(&line_id, payload),
        Ok(request) => format!("{request:?}"),
        Err(error) => error.to_string(),
    };
    println!("  {from:>7} → relay {:5} bytes  {}", bytes.len(), short(&decoded));
}

/// An event in as few words as it takes.
pub fn brief_event(to: User, bytes: &[u8]) {
    let decoded = match Event::decode(bytes) {
        Ok(Event::LineLinkIssued { .. }) => "LineLinkIssued".to_owned(),
        Ok(Event::LineFormed { line_id, proof, .. }) => {
            with_proof(&format!("LineFormed, {line_id:?}"), proof.is_some())
        }
        Ok(Event::Connected { line_id, .. }) => format!("Connected, {line_id:?}"),
        Ok(Event::Refused { reason, .. }) => format!("Refused: {reason:?}"),
        Ok(Event::Packet { line_id, payload }) => brief_packet(&line_id, payload),
        Ok(event) => format!("{event:?}"),
        Err(error) => error.to_string(),
    };
    println!("  relay → {to:<7} {:5} bytes  {}", bytes.len(), short(&decoded));
}

fn with_proof(name: &str, inline: bool) -> String {
    format!("{name}{}", if inline { ", proof inline" } else { "" })
}

fn brief_packet(line_id: &LineId, payload: &[u8]) -> String {
    match Payload::decode(payload) {
        Ok(Payload::Sealed { kind, nonce: Nonce { epoch, counter }, .. }) => {
            format!("{kind:?} {epoch}.{counter} along {line_id:?}")
        }
        Ok(payload) => format!("{payload:?} along {line_id:?}"),
        Err(error) => error.to_string(),
    }
}

/// Under the packet that it is about.
pub fn note(text: &str) {
    println!("{:>29}{}", "", short(text));
}

fn packet(line_id: &dyn std::fmt::Debug, payload: &[u8]) -> String {
    let decoded = match Payload::decode(payload) {
        Ok(Payload::Sealed { kind, nonce: Nonce { epoch, counter }, ciphertext }) => {
            let bytes = ciphertext.len();
            format!("Sealed {{ kind: {kind:?}, epoch: {epoch}, counter: {counter}, ciphertext: {bytes} bytes }}")
        }
        Ok(payload) => format!("{payload:?}"),
        Err(error) => error.to_string(),
    };
    format!("Packet {{ line_id: {line_id:?}, payload: {decoded} }}")
}

/// Long names cut to their first eight digits.
pub fn short(text: &str) -> String {
    let mut out = String::new();
    let mut run = 0;
    for c in text.chars() {
        run = if c.is_ascii_hexdigit() { run + 1 } else { 0 };
        match run {
            0..=8 => out.push(c),
            9 => out.push('…'),
            _ => {}
        }
    }
    out
}

/// What to read from the screen: the QR code, and its text.
pub fn port(port: &Port) -> Result<String, QrError> {
    let text = port.qr_text().to_string();
    qr::show(&text)?;
    Ok(text)
}
