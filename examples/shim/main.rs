//! One machine on standard input and output, for other languages' implementations to test against: one JSON object per line
//! in, exactly one per line out, bytes as lower-case hex. SPEC.md, Appendix B says what stands in them.
//!
//! A step is prepared on a copy of the machine. That is sound because a record is the whole state: the copy, restored from
//! it, makes the very step that the machine would. `commit` puts the copy in the machine's place, `drop` forgets it.

mod answer;

use std::io::{self, BufRead, Write};

use answer::{Effect, Failure, effects, newborn, state, usage};
use port_protocol::{
    Alice, Bob, BobPhase, Born, Event, Line, LineLink, LinePhase, Machine, Offer, Port, Rejected, Relay, RestoreError,
    SEAL_OVERHEAD, Seed, SendProof, Step, UnixSeconds, padded_len,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    AliceRequest {
        #[serde(with = "hex")]
        seed: [u8; 64],
        expires: Option<u64>,
        relay: Option<String>,
    },
    AliceOffer {
        #[serde(with = "hex")]
        seed: [u8; 64],
        #[serde(with = "hex")]
        line_link: [u8; 16],
        expires: Option<u64>,
        relay: Option<String>,
    },
    BobScan {
        #[serde(with = "hex")]
        seed: [u8; 64],
        port: String,
    },
    Restore {
        #[serde(with = "hex")]
        record: Vec<u8>,
    },
    Connect {
        proof: ProofOn,
        now: u64,
    },
    Event {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
        now: u64,
        #[serde(with = "hex", default)]
        ad: Vec<u8>,
    },
    Seal {
        #[serde(with = "hex")]
        message: Vec<u8>,
        #[serde(with = "hex", default)]
        ad: Vec<u8>,
        #[serde(default)]
        padded: bool,
    },
    Export {
        label: String,
        #[serde(with = "hex", default)]
        context: Vec<u8>,
    },
    Close {},
    Revoke {},
    Cancel {},
    Tick {
        now: u64,
    },
    Settle {},
    Commit {},
    Drop {},
    Unsent {},
    State {},
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ProofOn {
    OnBoard,
    AlongTheLine,
}

#[derive(Default)]
struct Shim {
    machine: Option<Any>,
    prepared: Option<Prepared>,
}

enum Any {
    Alice(Alice),
    Bob(Bob),
    Line(Line),
}

/// A step: the machine as it will be, and what its commit will say.
struct Prepared {
    machine: Any,
    effects: Vec<Value>,
}

fn main() -> io::Result<()> {
    let mut shim = Shim::default();
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let answer = shim.answer(&line).unwrap_or_else(|Failure(answer)| answer);
        writeln!(output, "{answer}")?;
        output.flush()?;
        line.clear();
    }
    Ok(())
}

impl Shim {
    fn answer(&mut self, line: &[u8]) -> Result<Value, Failure> {
        // An object: serde would take an array of the values as well.
        let object: Map<String, Value> = serde_json::from_slice(line).map_err(|error| usage(&error.to_string()))?;
        let command = Command::deserialize(Value::Object(object)).map_err(|error| usage(&error.to_string()))?;
        match command {
            Command::Commit {} => {
                let Prepared { machine, effects } = self.prepared.take().ok_or_else(|| usage("nothing is prepared"))?;
                self.machine = Some(machine);
                Ok(json!({ "ok": true, "effects": effects }))
            }
            Command::Drop {} => {
                self.prepared = None;
                Ok(json!({ "ok": true }))
            }
            Command::State {} => Ok(self.machine()?.state()),
            Command::Export { label, context } => {
                Ok(json!({ "ok": true, "exported": self.machine()?.export(&label, &context) }))
            }
            Command::Unsent {} => Ok(json!({ "ok": true, "effects": self.machine()?.unsent() })),
            // As the types have it: while there is a step, its machine is lent to it.
            _ if self.prepared.is_some() => Err(usage("a step is prepared: commit or drop it first")),
            Command::Restore { record } => {
                let machine = Any::restore(&record)?;
                Ok(self.machine.insert(machine).state())
            }
            Command::AliceRequest { seed, expires, relay } => {
                let offer = offer(expires, relay.as_deref())?;
                Ok(self.begin(Alice::request(offer, Seed::from_bytes(&seed)), Any::Alice))
            }
            Command::AliceOffer { seed, line_link, expires, relay } => {
                let offer = offer(expires, relay.as_deref())?;
                Ok(self.begin(Alice::offer(LineLink::from(line_link), offer, Seed::from_bytes(&seed)), Any::Alice))
            }
            Command::BobScan { seed, port } => {
                Ok(self.begin(Bob::scan(Port::parse(&port)?, Seed::from_bytes(&seed)), Any::Bob))
            }
            command => {
                let (answer, prepared) = self.prepare(command)?.unzip();
                self.prepared = prepared;
                Ok(json!({ "ok": true, "prepared": answer }))
            }
        }
    }

    fn begin<M: Machine>(&mut self, born: Born<M>, any: fn(M) -> Any) -> Value {
        let answer = json!({ "ok": true, "prepared": newborn(&born) });
        let machine = any(born.commit());
        let effects = machine.unsent();
        self.prepared = Some(Prepared { machine, effects });
        answer
    }

    /// What a command answers, and what its `commit` will do; `None` if nothing is due.
    fn prepare(&self, command: Command) -> Result<Option<(Value, Prepared)>, Failure> {
        let mut buffer = match &command {
            Command::Event { bytes, .. } => vec![0; bytes.len()],
            Command::Seal { message, .. } => vec![0; padded_len(message.len()).saturating_add(SEAL_OVERHEAD)],
            _ => Vec::new(),
        };
        let mut machine = self.machine()?.copy()?;
        let step = match (&mut machine, command) {
            (Any::Alice(alice), Command::Event { bytes, now, .. }) => {
                Some(advance(alice.handle_bytes(&bytes, UnixSeconds(now))?))
            }
            (Any::Alice(alice), Command::Revoke {}) => Some(advance(alice.revoke()?)),
            (Any::Alice(alice), Command::Tick { now }) => alice.tick(UnixSeconds(now)).map(advance),
            (Any::Alice(alice), Command::Settle {}) => alice.settle().map(advance),

            (Any::Bob(bob), Command::Connect { proof, now }) => {
                Some(advance(bob.connect(proof.into(), UnixSeconds(now))?))
            }
            (Any::Bob(bob), Command::Event { bytes, now, .. }) => {
                Some(advance(bob.handle_bytes(&bytes, UnixSeconds(now))?))
            }
            (Any::Bob(bob), Command::Cancel {}) => Some(advance(bob.cancel()?)),
            (Any::Bob(bob), Command::Tick { now }) => bob.tick(UnixSeconds(now)).map(advance),
            (Any::Bob(bob), Command::Settle {}) => bob.settle().map(advance),

            (Any::Line(line), Command::Event { bytes, now, ad }) => {
                let event = Event::decode(&bytes).map_err(Rejected::from)?;
                Some(advance(line.open(&event, &ad, &mut buffer, UnixSeconds(now))?))
            }
            (Any::Line(line), Command::Seal { message, ad, padded: false }) => {
                Some(advance(line.seal(&message, &ad, &mut buffer)?))
            }
            (Any::Line(line), Command::Seal { message, ad, padded: true }) => {
                Some(advance(line.seal_padded(&message, &ad, &mut buffer)?))
            }
            (Any::Line(line), Command::Close {}) => Some(advance(line.close()?)),
            (Any::Line(line), Command::Tick { now }) => line.tick(UnixSeconds(now)).map(advance),
            (Any::Line(line), Command::Settle {}) => line.settle().map(advance),

            _ => return Err(usage("not a command of this machine")),
        };
        Ok(step.map(|(answer, effects)| (answer, Prepared { machine, effects })))
    }

    fn machine(&self) -> Result<&Any, Failure> {
        self.machine.as_ref().ok_or_else(|| usage("there is no machine yet"))
    }
}

fn advance<'m, M: Machine>(step: Step<'m, M>) -> (Value, Vec<Value>)
where
    Effect: From<M::Effect<'m>>,
{
    (answer::step(&step), effects(step.commit()))
}

fn offer(expires: Option<u64>, relay: Option<&str>) -> Result<Offer, Failure> {
    let mut offer = Offer::new();
    if let Some(expires) = expires {
        offer = offer.expires(UnixSeconds(expires));
    }
    if let Some(relay) = relay {
        offer = offer.relay(Relay::new(relay)?);
    }
    Ok(offer)
}

impl Any {
    fn restore(record: &[u8]) -> Result<Self, RestoreError> {
        match (Alice::restore(record), Bob::restore(record), Line::restore(record)) {
            (Ok(alice), ..) => Ok(Self::Alice(alice)),
            (_, Ok(bob), _) => Ok(Self::Bob(bob)),
            (_, _, Ok(line)) => Ok(Self::Line(line)),
            // The role that this is a bad record of says what is bad about it.
            (Err(RestoreError::AnotherRole), Err(RestoreError::AnotherRole), Err(error)) => Err(error),
            (Err(RestoreError::AnotherRole), Err(error), _) | (Err(error), ..) => Err(error),
        }
    }

    fn copy(&self) -> Result<Self, RestoreError> {
        Self::restore(&match self {
            Self::Alice(alice) => alice.record(),
            Self::Bob(bob) => bob.record(),
            Self::Line(line) => line.record(),
        })
    }

    fn unsent(&self) -> Vec<Value> {
        match self {
            Self::Alice(alice) => effects(alice.unsent()),
            Self::Bob(bob) => effects(bob.unsent()),
            Self::Line(line) => effects(line.unsent()),
        }
    }

    fn export(&self, label: &str, context: &[u8]) -> Option<String> {
        let Self::Line(line) = self else { return None };
        line.export(label, context).map(|exported| hex::encode(exported.expose()))
    }

    fn state(&self) -> Value {
        match self {
            Self::Alice(alice) if alice.is_spent() => state(alice, "alice", "spent", None),
            Self::Alice(alice) if alice.port().is_some() => state(alice, "alice", "offered", None),
            Self::Alice(alice) => state(alice, "alice", "requesting", None),
            Self::Bob(bob) if bob.is_spent() => state(bob, "bob", "spent", None),
            Self::Bob(bob) if bob.phase() == BobPhase::Connecting => state(bob, "bob", "connecting", None),
            Self::Bob(bob) => state(bob, "bob", "scanned", None),
            Self::Line(line) => {
                let phase = match line.phase() {
                    LinePhase::AwaitingProof => "awaiting_proof",
                    LinePhase::Joined => "joined",
                    LinePhase::Confirmed => "confirmed",
                    LinePhase::Closed => "closed",
                    _ => "unknown",
                };
                state(line, "line", phase, Some(line))
            }
        }
    }
}

impl From<ProofOn> for SendProof {
    fn from(proof: ProofOn) -> Self {
        match proof {
            ProofOn::OnBoard => Self::OnBoard,
            ProofOn::AlongTheLine => Self::AlongTheLine,
        }
    }
}
