//! One machine on standard input and output, for other languages' implementations to test against: one JSON object per line
//! in, exactly one per line out, bytes as lower-case hex. docs/shim.md says what stands in them.
//!
//! A step is prepared on a copy of the machine. That is sound because a record is the whole state: the copy, restored from
//! it, makes the very step that the machine would. `commit` puts the copy in the machine's place, `drop` forgets it.

mod answer;
mod command;
mod machine;

use std::io::{self, BufRead, Write};

use answer::{Effect, Failure, effects, prepared, usage};
use command::{Command, Fresh, Time, options};
use machine::Any;
use port_protocol::{
    Alice, Bob, Created, Event, Introducer, IntroducerMessage, IntroducerName, LineId, LineLink, Machine, Pool, Port,
    Rejected, Seed, Step,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Default)]
struct Shim {
    machine: Option<Any>,
    prepared: Option<Prepared>,
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
            Command::AcceptTicket { notice, from, outstanding, now: Time(now) } => {
                let Any::Alice(alice) = self.machine()? else { return Err(usage("not a command of this machine")) };
                alice.accept_ticket(&notice.row()?, from.into(), outstanding, now)?;
                Ok(json!({ "ok": true }))
            }
            Command::Pending {} => Ok(json!({ "ok": true, "effects": self.machine()?.pending() })),
            // As the types have it: while there is a step, its machine is lent to it.
            _ if self.prepared.is_some() => Err(usage("a step is prepared: commit or drop it first")),
            Command::Restore { record } => {
                let machine = Any::restore(&record)?;
                Ok(self.machine.insert(machine).state())
            }
            Command::AliceRequest { seed, expires, relay, policy, introducer, recognisable } => {
                let options = options(expires, relay.as_deref(), policy, introducer, recognisable)?;
                Ok(self.begin(Alice::request(options, Seed::from_bytes(&seed)), Any::Alice))
            }
            Command::AliceOffer { seed, line_link, expires, relay, policy, introducer, recognisable } => {
                let options = options(expires, relay.as_deref(), policy, introducer, recognisable)?;
                Ok(self.begin(Alice::offer(LineLink::from(line_link), options, Seed::from_bytes(&seed)), Any::Alice))
            }
            Command::BobScan { seed, port } => {
                Ok(self.begin(Bob::scan(Port::parse(&port)?, Seed::from_bytes(&seed)), Any::Bob))
            }
            Command::Pool { seed, low, full } => {
                Ok(self.begin(Pool::new(low, full, Seed::from_bytes(&seed))?, Any::Pool))
            }
            Command::Granted { port, from } => {
                Ok(self.begin(Introducer::granted(&port, LineId::from(from))?, Any::Introducer))
            }
            command => {
                let (answer, prepared) = self.prepare(command)?.unzip();
                self.prepared = prepared;
                Ok(json!({ "ok": true, "prepared": answer }))
            }
        }
    }

    fn begin<M: Machine>(&mut self, created: Created<M>, any: fn(M) -> Any) -> Value {
        let write = created.write();
        let answer = json!({ "ok": true, "prepared": prepared(&write) });
        let machine = any(created.commit(write));
        let effects = machine.pending();
        self.prepared = Some(Prepared { machine, effects });
        answer
    }

    /// What a command answers, and what its `commit` will do; `None` if nothing is due.
    fn prepare(&self, command: Command) -> Result<Option<(Value, Prepared)>, Failure> {
        let mut buffer = Vec::new();
        let mut machine = self.machine()?.copy()?;
        let step = match (&mut machine, command) {
            (Any::Alice(alice), Command::Event { bytes, now: Time(now), peers, fresh, .. }) => {
                let event = Event::decode(&bytes).map_err(Rejected::from)?;
                let mut fresh = Fresh::new(fresh);
                let step = alice.handle(&event, &peers, now, &mut fresh)?;
                if fresh.is_missing() {
                    return Err(usage("`fresh` is missing"));
                }
                Some(advance(step))
            }
            (Any::Alice(alice), Command::SetPolicy { policy }) => Some(advance(alice.set_policy(policy.into())?)),
            (Any::Alice(alice), Command::Revoke {}) => Some(advance(alice.revoke()?)),
            (Any::Alice(alice), Command::Tick { now: Time(now) }) => alice.tick(now).map(advance),
            (Any::Alice(alice), Command::ClearOutbox {}) => alice.clear_outbox().map(advance),

            (Any::Bob(bob), Command::Connect { proof, now: Time(now) }) => {
                Some(advance(bob.connect(proof.into(), now)?))
            }
            (Any::Bob(bob), Command::ScanAgain { seed, port }) => {
                Some(advance(bob.scan_again(Port::parse(&port)?, Seed::from_bytes(&seed))?))
            }
            (Any::Bob(bob), Command::Event { bytes, now: Time(now), peers, fresh, .. }) => {
                let event = Event::decode(&bytes).map_err(Rejected::from)?;
                Some(advance(bob.handle(&event, &peers, now, &mut Fresh::new(fresh))?))
            }
            (Any::Bob(bob), Command::Cancel {}) => Some(advance(bob.cancel()?)),
            (Any::Bob(bob), Command::Tick { now: Time(now) }) => bob.tick(now).map(advance),
            (Any::Bob(bob), Command::ClearOutbox {}) => bob.clear_outbox().map(advance),

            (Any::Line(line), Command::Event { bytes, now: Time(now), ad, fresh, .. }) => {
                let event = Event::decode(&bytes).map_err(Rejected::from)?;
                let mut fresh = Fresh::new(fresh);
                Some(advance(line.handle_with_aad(&event, &ad, &mut buffer, now, &mut fresh)?))
            }
            (Any::Line(line), Command::Seal { message, ad, padded: false }) => {
                Some(advance(line.seal(&message, &ad, &mut buffer)?))
            }
            (Any::Line(line), Command::Seal { message, ad, padded: true }) => {
                Some(advance(line.seal_padded(&message, &ad, &mut buffer)?))
            }
            (Any::Line(line), Command::SealIntroducerMessage { bytes }) => {
                let message = IntroducerMessage::decode(&bytes)?;
                Some(advance(line.seal_introducer_message(&message, &mut buffer)?))
            }
            (Any::Line(line), Command::Accept { now: Time(now) }) => Some(advance(line.accept(now)?)),
            (Any::Line(line), Command::Decline {}) => Some(advance(line.decline()?)),
            (Any::Line(line), Command::Close {}) => Some(advance(line.close()?)),
            (Any::Line(line), Command::Tick { now: Time(now) }) => line.tick(now).map(advance),
            (Any::Line(line), Command::ClearOutbox {}) => line.clear_outbox().map(advance),

            (Any::Pool(pool), Command::Event { bytes, .. }) => {
                let event = Event::decode(&bytes).map_err(Rejected::from)?;
                Some(advance(pool.handle(&event)?))
            }
            (Any::Pool(pool), Command::Pop {}) => Some(advance(pool.pop()?)),
            (Any::Pool(pool), Command::Tick { now: Time(now) }) => pool.tick(now).map(advance),
            (Any::Pool(pool), Command::ClearOutbox {}) => pool.clear_outbox().map(advance),

            (Any::Introducer(introducer), Command::Introduce { name, expires, seed, now: Time(now) }) => {
                let (name, expires) = (IntroducerName::new(&name)?, expires.map(|Time(at)| at));
                let seed = Seed::from_bytes(&seed);
                Some(advance(introducer.introduce(name, expires, seed, now)?))
            }
            (Any::Introducer(introducer), Command::MarkAnnounced {}) => Some(advance(introducer.mark_announced()?)),
            (Any::Introducer(introducer), Command::Hear { bytes, from }) => {
                Some(advance(introducer.handle(&IntroducerMessage::decode(&bytes)?, from.into())?))
            }
            (Any::Introducer(introducer), Command::Cancel {}) => Some(advance(introducer.cancel()?)),
            (Any::Introducer(introducer), Command::Tick { now: Time(now) }) => introducer.tick(now).map(advance),
            (Any::Introducer(introducer), Command::ClearOutbox {}) => introducer.clear_outbox().map(advance),

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
    let write = step.write();
    (prepared(&write), effects(step.commit(write)))
}
