//! What the shim answers, as JSON.

use std::error::Error;
use std::fmt::Debug;

use port_protocol::{
    AliceEffect, BobEffect, Introduced, IntroducerEffect, IntroducerMessage, Line, LineEffect, LineId, Machine,
    OnDuplicate, PoolEffect, Port, Rejected, RelayClaims, Request, Row, TicketNotice, UnixSeconds, UseOutcome, Write,
};
use serde_json::{Value, json};

/// What a step is about to write.
pub fn prepared(write: &Write<'_>) -> Value {
    let Row { key, revision, record, expected, .. } = &write.row;
    json!({
        "key": hex::encode(key.to_bytes()),
        "revision": revision,
        "record": hex::encode(record),
        "expected": expected.map(|old| json!({ "key": hex::encode(old.key.to_bytes()), "revision": old.revision })),
        "line": write.new_line.as_ref().map(|line| {
            json!({ "key": hex::encode(line.key.to_bytes()), "record": hex::encode(&line.record) })
        }),
        "unique": write.unique.map(|(mark, _)| hex::encode(mark.as_bytes())),
        "on_duplicate": write.unique.map(|(_, to_do)| on_duplicate(to_do)),
        "consumes": write.consumes.map(|ticket| hex::encode(ticket.as_bytes())),
    })
}

fn on_duplicate(to_do: OnDuplicate) -> Value {
    match to_do {
        OnDuplicate::Revoke => json!("revoke"),
        OnDuplicate::Disconnect(line_id) => json!({ "disconnect": hex::encode(line_id.as_bytes()) }),
    }
}

pub fn introduced(introduced: &Introduced) -> Value {
    json!({ "name": introduced.name.as_str(), "by": introduced.by.map(|line_id| hex::encode(line_id.as_bytes())) })
}

pub fn effects<E>(effects: impl Iterator<Item = E>) -> Vec<Value>
where
    Effect: From<E>,
{
    effects.map(|effect| Effect::from(effect).0).collect()
}

/// `more` is what only this role has.
pub fn state<M: Machine>(machine: &M, role: &str, phase: &str, line: Option<&Line>, more: &Value) -> Value {
    let id = |line_id: LineId| hex::encode(line_id.as_bytes());
    let mut state = json!({
        "ok": true,
        "role": role,
        "phase": phase,
        "key": hex::encode(machine.key().to_bytes()),
        "revision": machine.revision(),
        "record": hex::encode(&*machine.record()),
        "deadline": machine.deadline().map(UnixSeconds::as_secs),
        "claims": line.map(Line::claims).map(|RelayClaims { line_id, peer }| {
            json!({ "line_id": id(line_id), "peer": hex::encode(peer.as_bytes()) })
        }),
        "confirmed": line.and_then(Line::confirmed).map(|known| json!({ "line_id": id(known.line_id) })),
        "safety_number": line.and_then(Line::safety_number).map(|number| number.to_string()),
    });
    if let (Some(state), Some(more)) = (state.as_object_mut(), more.as_object()) {
        state.extend(more.clone());
    }
    state
}

/// What is answered instead.
pub struct Failure(pub Value);

/// A command that can't be carried out as it stands.
pub fn usage(detail: &str) -> Failure {
    Failure(json!({ "ok": false, "error": "usage", "detail": detail }))
}

/// By the name of the error's variant.
impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: &(dyn Error + 'static) = &error;
        Self(match error.downcast_ref() {
            Some(Rejected::UnwantedLine(line_id)) => {
                json!({ "ok": false, "error": "UnwantedLine", "line_id": hex::encode(line_id.as_bytes()) })
            }
            Some(Rejected::UnknownTicket(line_id)) => {
                json!({ "ok": false, "error": "UnknownTicket", "line_id": hex::encode(line_id.as_bytes()) })
            }
            Some(Rejected::UnwantedLink(line_link)) => {
                json!({ "ok": false, "error": "UnwantedLink", "line_link": hex::encode(line_link.as_bytes()) })
            }
            _ => json!({ "ok": false, "error": format!("{error:?}") }),
        })
    }
}

/// An effect of any machine.
pub struct Effect(Value);

impl From<AliceEffect<'_>> for Effect {
    fn from(effect: AliceEffect<'_>) -> Self {
        match effect {
            AliceEffect::Send(request) => Self::send(&request),
            AliceEffect::PortReady(port) => Self::port_ready(port),
            AliceEffect::LineFormed(line) => Self::line_formed(&line),
            AliceEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl From<BobEffect<'_>> for Effect {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::send(&request),
            BobEffect::LineFormed(line) => Self::line_formed(&line),
            BobEffect::Ended(UseOutcome::Refused(reason)) => {
                Self(json!({ "effect": "ended", "why": "Refused", "reason": format!("{reason:?}") }))
            }
            BobEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl From<LineEffect<'_>> for Effect {
    fn from(effect: LineEffect<'_>) -> Self {
        match effect {
            LineEffect::Send(request) => Self::send(&request),
            LineEffect::Message(text) => Self(json!({ "effect": "message", "bytes": hex::encode(text) })),
            LineEffect::IntroducerMessage(message) => Self::introducer_message(&message),
            LineEffect::PacketsLost => Self(json!({ "effect": "packets_lost" })),
            LineEffect::AwaitingApproval => Self(json!({ "effect": "awaiting_approval" })),
            LineEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl From<PoolEffect<'_>> for Effect {
    fn from(effect: PoolEffect<'_>) -> Self {
        match effect {
            PoolEffect::Send(request) => Self::send(&request),
            PoolEffect::Link(link) => Self(json!({ "effect": "link", "line_link": hex::encode(link.as_bytes()) })),
        }
    }
}

impl From<IntroducerEffect<'_>> for Effect {
    fn from(effect: IntroducerEffect<'_>) -> Self {
        match effect {
            IntroducerEffect::Announce(line_id, message) => {
                let (line_id, bytes) = (hex::encode(line_id.as_bytes()), hex::encode(message.to_vec()));
                Self(json!({ "effect": "announce", "line_id": line_id, "bytes": bytes }))
            }
            IntroducerEffect::Ready(port) => Self::port_ready(&port),
            IntroducerEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl Effect {
    fn port_ready(port: &Port) -> Self {
        let (bytes, text) = (hex::encode(port.to_bytes().as_slice()), port.qr_text());
        Self(json!({ "effect": "port_ready", "port": bytes, "text": text.as_str() }))
    }

    fn introducer_message(message: &IntroducerMessage<'_>) -> Self {
        let bytes = hex::encode(message.to_vec());
        let said = match message {
            IntroducerMessage::Grant { port } => json!({ "grant": hex::encode(port) }),
            IntroducerMessage::Ticket(notice) => json!({ "ticket": row(notice) }),
            IntroducerMessage::Withdrawn { line_link } => json!({ "withdrawn": hex::encode(line_link.as_bytes()) }),
            _ => Value::Null,
        };
        Self(json!({ "effect": "introducer_message", "bytes": bytes, "said": said }))
    }

    fn send(request: &Request<'_>) -> Self {
        Self(json!({ "effect": "send", "request": hex::encode(request.to_vec()) }))
    }

    fn line_formed(line: &Line) -> Self {
        let (key, record) = (hex::encode(line.key().to_bytes()), hex::encode(&*line.record()));
        Self(json!({ "effect": "line_formed", "key": key, "record": record }))
    }

    fn ended(why: &impl Debug) -> Self {
        Self(json!({ "effect": "ended", "why": format!("{why:?}") }))
    }
}

fn row(notice: &TicketNotice) -> Value {
    json!({
        "line_link": hex::encode(notice.line_link.as_bytes()),
        "ticket": hex::encode(notice.ticket.as_bytes()),
        "name": notice.name.as_str(),
        "expires": notice.expires.map(UnixSeconds::as_secs),
    })
}
