//! The machine that a shim has, whichever it is.

use port_protocol::{
    Alice, Bob, BobPhase, Introducer, IntroducerPhase, Line, LinePhase, Machine, MachineRole, Pool, RestoreError,
};
use serde_json::{Value, json};

use crate::answer::{effects, introduced, state};

pub enum Any {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
    Pool(Pool),
    Introducer(Introducer),
}

impl Any {
    pub fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        match MachineRole::of_record(record)? {
            MachineRole::Alice => Alice::restore(record).map(Self::Alice),
            MachineRole::Bob => Bob::restore(record).map(Self::Bob),
            MachineRole::Line => Line::restore(record).map(Self::Line),
            MachineRole::Pool => Pool::restore(record).map(Self::Pool),
            MachineRole::Introducer => Introducer::restore(record).map(Self::Introducer),
            _ => Err(RestoreError::Malformed),
        }
    }

    pub fn copy(&self) -> Result<Self, RestoreError> {
        Self::restore(&match self {
            Self::Alice(alice) => alice.record(),
            Self::Bob(bob) => bob.record(),
            Self::Line(line) => line.record(),
            Self::Pool(pool) => pool.record(),
            Self::Introducer(introducer) => introducer.record(),
        })
    }

    pub fn pending(&self) -> Vec<Value> {
        match self {
            Self::Alice(alice) => effects(alice.pending()),
            Self::Bob(bob) => effects(bob.pending()),
            Self::Line(line) => effects(line.pending()),
            Self::Pool(pool) => effects(pool.pending()),
            Self::Introducer(introducer) => effects(introducer.pending()),
        }
    }

    pub fn export(&self, label: &str, context: &[u8]) -> Option<String> {
        let Self::Line(line) = self else { return None };
        line.export(label, context).map(|exported| hex::encode(exported.expose()))
    }

    pub fn state(&self) -> Value {
        match self {
            Self::Alice(alice) => {
                let phase = match alice.port() {
                    _ if alice.is_spent() => "spent",
                    Some(_) => "offered",
                    None => "requesting",
                };
                state(alice, "alice", phase, None, &json!({ "used": alice.used() }))
            }
            Self::Bob(bob) => {
                let phase = match bob.phase() {
                    _ if bob.is_spent() => "spent",
                    BobPhase::Connecting => "connecting",
                    _ => "scanned",
                };
                state(bob, "bob", phase, None, &json!({}))
            }
            Self::Line(line) => {
                let phase = match line.phase() {
                    LinePhase::AwaitingProof => "awaiting_proof",
                    LinePhase::AwaitingApproval => "awaiting_approval",
                    LinePhase::Joined => "joined",
                    LinePhase::Confirmed => "confirmed",
                    LinePhase::Closed => "closed",
                    _ => "unknown",
                };
                let replaces = line.replaces().map(|line_id| hex::encode(line_id.as_bytes()));
                let port = hex::encode(line.port().as_bytes());
                let more =
                    json!({ "port": port, "replaces": replaces, "introduced": line.introduced().map(introduced) });
                state(line, "line", phase, Some(line), &more)
            }
            Self::Pool(pool) => {
                let more = json!({ "held": pool.held(), "requested": pool.requested() });
                state(pool, "pool", if pool.held() > 0 { "filled" } else { "empty" }, None, &more)
            }
            Self::Introducer(introducer) => {
                let phase = match introducer.phase() {
                    IntroducerPhase::Granted => "granted",
                    IntroducerPhase::Announcing => "announcing",
                    IntroducerPhase::Ready => "ready",
                    _ => "ended",
                };
                state(introducer, "introducer", phase, None, &json!({}))
            }
        }
    }
}
