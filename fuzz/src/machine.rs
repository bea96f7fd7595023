//! What must hold of every step of every machine (SPEC.md §8).

use std::fmt::Debug;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, PacketKind, Event, RecordKey, Line, LineEffect, LineLink, Machine, Payload, Pool,
    PoolEffect, Rejected, Expected, Request, Step, UnixSeconds,
};

/// An effect that can be kept and compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    Send(Vec<u8>),
    /// A packet with a user's message: lent by `seal`.
    Sealed(Vec<u8>),
    Message(Vec<u8>),
    /// Its bytes.
    IntroducerMessage(Vec<u8>),
    /// An introduction to be sent: its bytes.
    Tell(Vec<u8>),
    Dropped,
    Asked,
    /// The Port's bytes.
    Ready(Vec<u8>),
    /// The line's record.
    Formed(Vec<u8>),
    Ended(String),
    /// From a pool.
    Link(LineLink),
}

pub trait Owner: Machine + 'static {
    fn said(effect: Self::Effect<'_>) -> Said;
}

/// What Alice and Bob have in common.
pub trait User: Owner {
    fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected>;
    /// Revoke, cancel.
    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected>;
    fn is_spent(&self) -> bool;
}

impl Owner for Alice {
    fn said(effect: AliceEffect<'_>) -> Said {
        match effect {
            AliceEffect::Send(request) => Said::Send(request.to_vec()),
            AliceEffect::PortReady(port) => Said::Ready(port.to_bytes().as_slice().to_vec()),
            AliceEffect::LineFormed(line) => Said::Formed(line.record().to_vec()),
            AliceEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl User for Alice {
    fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(event, now)
    }

    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.revoke()
    }

    fn is_spent(&self) -> bool {
        self.is_spent()
    }
}

impl Owner for Bob {
    fn said(effect: BobEffect<'_>) -> Said {
        match effect {
            BobEffect::Send(request) => Said::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Said::Formed(line.record().to_vec()),
            BobEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl User for Bob {
    fn handle(&mut self, event: &Event<'_>, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(event, now)
    }

    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.cancel()
    }

    fn is_spent(&self) -> bool {
        self.is_spent()
    }
}

impl Owner for Line {
    fn said(effect: LineEffect<'_>) -> Said {
        match effect {
            LineEffect::Send(request) if is_message(&request) => Said::Sealed(request.to_vec()),
            LineEffect::Send(request) => Said::Send(request.to_vec()),
            LineEffect::Message(text) => Said::Message(text.to_vec()),
            LineEffect::IntroducerMessage(said) => Said::IntroducerMessage(said.to_vec()),
            LineEffect::PacketsLost => Said::Dropped,
            LineEffect::AwaitingApproval => Said::Asked,
            LineEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl Owner for Pool {
    fn said(effect: PoolEffect<'_>) -> Said {
        match effect {
            PoolEffect::Link(line_link) => Said::Link(line_link),
            PoolEffect::Send(request) => Said::Send(request.to_vec()),
        }
    }
}

fn is_message(request: &Request<'_>) -> bool {
    let Request::Packet { payload, .. } = request else { return false };
    use PacketKind::{IntroducerMessage, Message, EarlyMessage, PaddedMessage, PaddedEarlyMessage};
    let Ok(Payload::Sealed { content, .. }) = Payload::decode(payload) else { return false };
    matches!(content, EarlyMessage | Message | PaddedEarlyMessage | PaddedMessage | IntroducerMessage)
}

pub fn pending<M: Owner>(machine: &M) -> Vec<Said> {
    machine.pending().map(M::said).collect()
}

/// A line goes from phase to phase in this order only.
pub mod rank {
    use port_protocol::{Line, LinePhase};

    pub const AWAITING_PROOF: u8 = 1;
    pub const ASKED: u8 = 2;
    pub const JOINED: u8 = 3;
    pub const CONFIRMED: u8 = 4;
    pub const CLOSED: u8 = 5;

    pub fn of(line: &Line) -> u8 {
        match line.phase() {
            LinePhase::AwaitingProof => AWAITING_PROOF,
            LinePhase::AwaitingApproval => ASKED,
            LinePhase::Joined => JOINED,
            LinePhase::Confirmed => CONFIRMED,
            LinePhase::Closed => CLOSED,
            _ => unreachable!("a phase that the fuzzer does not know"),
        }
    }
}

/// A committed step, for a store to keep and a caller to act on.
pub struct Done {
    pub key: RecordKey,
    pub replaces: Option<Expected>,
    pub record: Vec<u8>,
    pub said: Vec<Said>,
}

/// Lets a machine make a step, and checks what §8 promises of it. The machine has moved if this is `Ok`.
pub fn attempt<M: Owner, E: PartialEq + Debug>(
    machine: &mut M,
    buffer: &mut [u8],
    act: impl for<'a> Fn(&'a mut M, &'a mut [u8]) -> Result<Step<'a, M>, E>,
) -> Result<Done, E> {
    let (key, revision) = (machine.key(), machine.revision());
    let (record, outbox) = (machine.record().to_vec(), pending(machine));

    let rehearsed = act(machine, buffer).map(|step| step.record().to_vec());
    assert!(*machine.record() == *record, "a step that was refused or dropped moved the machine");
    assert!(pending(machine) == outbox, "a step that was refused or dropped moved the outbox");

    let step = match act(machine, buffer) {
        Ok(step) => step,
        Err(error) => {
            assert_eq!(rehearsed, Err(error), "not a pure function");
            return rehearsed.map(|_| unreachable!());
        }
    };
    let mut done = Done { key: step.key(), replaces: step.replaces(), record: step.record().to_vec(), said: vec![] };
    assert!(rehearsed.as_ref() == Ok(&done.record), "not a pure function");
    assert_eq!(done.replaces, Some(Expected { key, revision }));
    assert_eq!(step.revision(), revision.saturating_add(1));
    let named = matches!((key, done.key), (RecordKey::Request(_), RecordKey::LineLink(_)));
    assert!(done.key == key || named, "the key changed: {key:?}, {:?}", done.key);
    let line = step.line().map(|line| {
        let restored = M::Line::restore(&line.record()).expect("a line's record");
        assert_eq!((restored.revision(), restored.key()), (0, line.key()));
        Said::Formed(line.record().to_vec())
    });
    done.said = step.commit().map(M::said).collect();
    let formed: Vec<_> = done.said.iter().filter(|said| matches!(said, Said::Formed(_))).collect();
    assert!(formed == line.iter().collect::<Vec<_>>(), "the line that was stored is not the line that comes");

    assert!(*machine.record() == *done.record, "committed is not what was to be stored");
    assert_eq!((machine.key(), machine.revision()), (done.key, revision.saturating_add(1)));
    let restored = M::restore(&done.record).expect("what was stored can be restored");
    assert!(*restored.record() == *done.record, "restored is not what was stored");
    assert_eq!(restored.deadline(), machine.deadline());

    let after = pending(machine);
    assert_eq!(pending(&restored), after, "a crash changed the outbox");
    use Said::{Dropped, Formed, IntroducerMessage, Link, Message};
    let lent = |said: &Said| matches!(said, Message(_) | IntroducerMessage(_) | Dropped | Link(_) | Formed(_));
    assert!(
        !after.iter().any(lent),
        "an outbox holds what is lent, or stored: a message, a link that was taken, a line"
    );
    let kept: Vec<_> = done.said.iter().filter(|said| !lent(said)).cloned().collect();
    // A sealed packet is lent as well. (The record of a stranger may have one in its outbox.)
    let only_sealed = matches!(kept[..], [Said::Sealed(_)]);
    // With a link a pool says what is new; the rest was said before.
    let after_link = matches!(done.said[..], [Said::Link(_), ..]) && after.ends_with(&kept);
    // A Port that goes on was shown before.
    let goes_on = matches!(after.split_last(), Some((Said::Ready(_), before)) if before == kept);
    assert!(
        kept.is_empty() || kept == after || only_sealed || after_link || goes_on,
        "said is not what is repeated after a crash"
    );
    assert!(after.iter().all(|said| outbox.contains(said) || kept.contains(said)), "kept, but never said");
    Ok(done)
}

/// Lets a machine settle, once.
pub fn clear_outbox<M: Owner>(machine: &mut M) -> Option<Done> {
    let done = attempt(machine, &mut [], |machine, _| machine.clear_outbox().ok_or(())).ok()?;
    assert!(machine.clear_outbox().is_none(), "settled, and not settled");
    Some(done)
}
