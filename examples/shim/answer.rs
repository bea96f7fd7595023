//! What the shim answers, as JSON.

use std::error::Error;
use std::fmt::Debug;

use port_protocol::{
    AliceEffect, BobEffect, Created, Introduced, IntroducerEffect, IntroducerMessage, Line, LineEffect, LineId,
    Machine, OnDuplicate, PairHash, PoolEffect, Port, Rejected, Request, Step, TicketNotice, UseOutcome,
};
use serde_json::{Value, json};

/// A machine that is about to be born.
pub fn newborn<M: Machine>(born: &Created<M>) -> Value {
    json!({
        "key": hex::encode(born.key().to_bytes()),
        "revision": 0,
        "replaces": null,
        "once": null,
        "taken": null,
        "strikes": null,
        "line": null,
        "record": hex::encode(&*born.record()),
    })
}

/// A step that is about to be made.
pub fn step<M: Machine>(step: &Step<'_, M>) -> Value {
    let old = step.replaces();
    json!({
        "key": hex::encode(step.key().to_bytes()),
        "revision": step.revision(),
        "replaces": old.map(|old| json!({ "key": hex::encode(old.key.to_bytes()), "revision": old.revision })),
        "once": step.once().map(|mark| hex::encode(mark.as_bytes())),
        "taken": step.taken().map(taken),
        "strikes": step.strikes().map(|ticket| hex::encode(ticket.as_bytes())),
        "line": step.line().map(|line| {
            json!({ "key": hex::encode(line.key().to_bytes()), "record": hex::encode(&*line.record()) })
        }),
        "record": hex::encode(&*step.record()),
    })
}

fn taken(taken: Taken) -> Value {
    match taken {
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
    let names = |line_id: LineId, pair_hash: PairHash| json!({ "line_id": hex::encode(line_id.as_bytes()), "pair_hash": hex::encode(pair_hash.as_bytes()) });
    let mut state = json!({
        "ok": true,
        "role": role,
        "phase": phase,
        "key": hex::encode(machine.key().to_bytes()),
        "revision": machine.revision(),
        "record": hex::encode(&*machine.record()),
        "deadline": machine.deadline().map(|at| at.0),
        "claims": line.map(Line::claims).map(|claims| names(claims.line_id, claims.pair_hash)),
        "confirmed": line.and_then(Line::confirmed).map(|known| names(known.line_id, known.pair_hash)),
        "safety_number": line.and_then(Line::safety_number).map(|code| code.to_string()),
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
            LineEffect::IntroducerMessage(said) => Self::introduction(&said),
            LineEffect::PacketsLost => Self(json!({ "effect": "dropped" })),
            LineEffect::AwaitingApproval => Self(json!({ "effect": "asked" })),
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
            IntroducerEffect::Announce(line_id, said) => {
                let (line_id, bytes) = (hex::encode(line_id.as_bytes()), hex::encode(said.to_vec()));
                Self(json!({ "effect": "tell", "line_id": line_id, "bytes": bytes }))
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

    fn introduction(said: &IntroducerMessage<'_>) -> Self {
        let bytes = hex::encode(said.to_vec());
        let said = match said {
            IntroducerMessage::Grant { port } => json!({ "grant": hex::encode(port) }),
            IntroducerMessage::Ticket(told) => json!({ "ticket": row(told) }),
            IntroducerMessage::Withdrawn { line_link } => json!({ "withdrawn": hex::encode(line_link.as_bytes()) }),
            _ => Value::Null,
        };
        Self(json!({ "effect": "introduction", "bytes": bytes, "said": said }))
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

fn row(told: &TicketNotice) -> Value {
    json!({
        "line_link": hex::encode(told.line_link.as_bytes()),
        "ticket": hex::encode(told.ticket.as_bytes()),
        "name": told.name.as_str(),
        "expires": told.expires.map(|at| at.0),
    })
}
