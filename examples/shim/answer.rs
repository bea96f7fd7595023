//! What the shim answers, as JSON.

use std::error::Error;
use std::fmt::Debug;

use port_protocol::{
    AliceEffect, BobEffect, BobEnd, Born, Line, LineEffect, LineId, Machine, PairHash, Rejected, Request, Step,
};
use serde_json::{Value, json};

/// A machine that is about to be born.
pub fn newborn<M: Machine>(born: &Born<M>) -> Value {
    json!({
        "key": hex::encode(born.key().to_bytes()),
        "revision": 0,
        "replaces": null,
        "once": null,
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
        "record": hex::encode(&*step.record()),
    })
}

pub fn effects<E>(effects: impl Iterator<Item = E>) -> Vec<Value>
where
    Effect: From<E>,
{
    effects.map(|effect| Effect::from(effect).0).collect()
}

pub fn state<M: Machine>(machine: &M, role: &str, phase: &str, line: Option<&Line>) -> Value {
    let names = |line_id: LineId, pair_hash: PairHash| json!({ "line_id": hex::encode(line_id.as_bytes()), "pair_hash": hex::encode(pair_hash.as_bytes()) });
    json!({
        "ok": true,
        "role": role,
        "phase": phase,
        "key": hex::encode(machine.key().to_bytes()),
        "revision": machine.revision(),
        "record": hex::encode(&*machine.record()),
        "deadline": machine.deadline().map(|at| at.0),
        "claims": line.map(Line::claims).map(|claims| names(claims.line_id, claims.pair_hash)),
        "confirmed": line.and_then(Line::confirmed).map(|known| names(known.line_id, known.pair_hash)),
        "check_code": line.and_then(Line::check_code).map(|code| code.to_string()),
    })
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
            Some(Rejected::Stray(line_id)) => {
                json!({ "ok": false, "error": "Stray", "line_id": hex::encode(line_id.as_bytes()) })
            }
            Some(Rejected::StrayLink(line_link)) => {
                json!({ "ok": false, "error": "StrayLink", "line_link": hex::encode(line_link.as_bytes()) })
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
            AliceEffect::PortReady(port) => Self(json!({
                "effect": "port_ready",
                "port": hex::encode(port.to_bytes().as_slice()),
                "text": port.qr_text().as_str(),
            })),
            AliceEffect::LineFormed(line) => Self::line_formed(line),
            AliceEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl From<BobEffect<'_>> for Effect {
    fn from(effect: BobEffect<'_>) -> Self {
        match effect {
            BobEffect::Send(request) => Self::send(&request),
            BobEffect::LineFormed(line) => Self::line_formed(line),
            BobEffect::Ended(BobEnd::Refused(reason)) => {
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
            LineEffect::Introduction(said) => {
                Self(json!({ "effect": "introduction", "bytes": hex::encode(said.to_vec()) }))
            }
            LineEffect::Dropped => Self(json!({ "effect": "dropped" })),
            LineEffect::Asked => Self(json!({ "effect": "asked" })),
            LineEffect::Ended(why) => Self::ended(&why),
        }
    }
}

impl Effect {
    fn send(request: &Request<'_>) -> Self {
        Self(json!({ "effect": "send", "request": hex::encode(request.to_vec()) }))
    }

    fn line_formed(line: &Born<Line>) -> Self {
        let (key, record) = (hex::encode(line.key().to_bytes()), hex::encode(&*line.record()));
        Self(json!({ "effect": "line_formed", "key": key, "record": record }))
    }

    fn ended(why: &impl Debug) -> Self {
        Self(json!({ "effect": "ended", "why": format!("{why:?}") }))
    }
}
