//! What must hold of every step of every machine (SPEC.md §8).

use std::fmt::Debug;

use port_protocol::{
    Alice, AliceEffect, Bob, BobEffect, Created, Effects, Event, Expected, Line, LineEffect, LineId, LineLink, Machine,
    MachineRole, OnDuplicate, PacketKind, Payload, Peers, Pool, PoolEffect, Port, PortHash, Received, RecordKey,
    Rejected, ReplayMark, Request, Row, Step, TicketHash, UnixSeconds, Write,
};

use crate::input::fresh;

/// An effect that can be kept and compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    Send(Vec<u8>),
    /// A packet with a user's message: lent by `seal`.
    Sealed(Vec<u8>),
    Message(Vec<u8>),
    /// The bytes of a message about a contact port.
    IntroducerMessage(Vec<u8>),
    /// The bytes of a message to be sent about a contact port.
    Announce(Vec<u8>),
    PacketsLost,
    AwaitingApproval,
    /// The Port's bytes.
    Ready(Vec<u8>),
    /// The line's record.
    Formed(Vec<u8>),
    Ended(String),
    /// From a pool.
    Link(LineLink),
}

impl Said {
    /// What no outbox holds, because the state does not have it.
    const fn is_lent(&self) -> bool {
        use Said::{Formed, IntroducerMessage, Link, Message, PacketsLost};
        matches!(self, Message(_) | IntroducerMessage(_) | PacketsLost | Link(_) | Formed(_))
    }
}

pub trait Owner: Machine + 'static {
    const KIND: MachineRole;
    fn said(effect: Self::Effect<'_>) -> Said;
}

/// Of which Port the caller has a line of the name that comes.
pub struct Stored(pub Option<PortHash>);

impl Peers for Stored {
    fn port_of_line(&self, _: &LineId) -> Option<PortHash> {
        self.0
    }
}

/// What Alice and Bob have in common.
pub trait User: Owner {
    fn handle(&mut self, event: &Event<'_>, stored: &Stored, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected>;
    /// The hash of its Port, if it tells.
    fn port_hash(&self) -> Option<PortHash>;
    /// Revoke, cancel.
    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected>;
    fn is_spent(&self) -> bool;
}

impl Owner for Alice {
    const KIND: MachineRole = MachineRole::Alice;

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
    fn handle(&mut self, event: &Event<'_>, stored: &Stored, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(event, stored, now, &mut fresh())
    }

    fn port_hash(&self) -> Option<PortHash> {
        self.port().map(Port::hash)
    }

    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.revoke()
    }

    fn is_spent(&self) -> bool {
        self.is_spent()
    }
}

impl Owner for Bob {
    const KIND: MachineRole = MachineRole::Bob;

    fn said(effect: BobEffect<'_>) -> Said {
        match effect {
            BobEffect::Send(request) => Said::Send(request.to_vec()),
            BobEffect::LineFormed(line) => Said::Formed(line.record().to_vec()),
            BobEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl User for Bob {
    fn handle(&mut self, event: &Event<'_>, stored: &Stored, now: UnixSeconds) -> Result<Step<'_, Self>, Rejected> {
        self.handle(event, stored, now, &mut fresh())
    }

    fn port_hash(&self) -> Option<PortHash> {
        None
    }

    fn stop(&mut self) -> Result<Step<'_, Self>, Rejected> {
        self.cancel()
    }

    fn is_spent(&self) -> bool {
        self.is_spent()
    }
}

impl Owner for Line {
    const KIND: MachineRole = MachineRole::Line;

    fn said(effect: LineEffect<'_>) -> Said {
        match effect {
            LineEffect::Send(request) if is_message(&request) => Said::Sealed(request.to_vec()),
            LineEffect::Send(request) => Said::Send(request.to_vec()),
            LineEffect::Message(text) => Said::Message(text.to_vec()),
            LineEffect::IntroducerMessage(said) => Said::IntroducerMessage(said.to_vec()),
            LineEffect::PacketsLost => Said::PacketsLost,
            LineEffect::AwaitingApproval => Said::AwaitingApproval,
            LineEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl Owner for Pool {
    const KIND: MachineRole = MachineRole::Pool;

    fn said(effect: PoolEffect<'_>) -> Said {
        match effect {
            PoolEffect::Link(line_link) => Said::Link(line_link),
            PoolEffect::Send(request) => Said::Send(request.to_vec()),
        }
    }
}

fn is_message(request: &Request<'_>) -> bool {
    let Request::Packet { payload, .. } = request else { return false };
    use PacketKind::{EarlyMessage, IntroducerMessage, Message, PaddedEarlyMessage, PaddedMessage};
    let Ok(Payload::Sealed { kind, .. }) = Payload::decode(payload) else { return false };
    matches!(kind, EarlyMessage | Message | PaddedEarlyMessage | PaddedMessage | IntroducerMessage)
}

pub fn pending<M: Owner>(machine: &M) -> Vec<Said> {
    machine.pending().map(M::said).collect()
}

/// A line goes from phase to phase in this order only.
pub mod rank {
    use port_protocol::{Line, LinePhase};

    pub const AWAITING_PROOF: u8 = 1;
    pub const AWAITING_APPROVAL: u8 = 2;
    pub const JOINED: u8 = 3;
    pub const CONFIRMED: u8 = 4;
    pub const CLOSED: u8 = 5;

    pub fn of(line: &Line) -> u8 {
        match line.phase() {
            LinePhase::AwaitingProof => AWAITING_PROOF,
            LinePhase::AwaitingApproval => AWAITING_APPROVAL,
            LinePhase::Joined => JOINED,
            LinePhase::Confirmed => CONFIRMED,
            LinePhase::Closed => CLOSED,
            _ => unreachable!("a phase that the fuzzer does not know"),
        }
    }
}

/// A row that can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    pub key: RecordKey,
    pub revision: u64,
    pub record: Vec<u8>,
    pub deadline: Option<UnixSeconds>,
    pub expected: Option<Expected>,
}

/// A write that can be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub row: Kept,
    pub new_line: Option<Kept>,
    pub unique: Option<(ReplayMark, OnDuplicate)>,
    pub consumes: Option<TicketHash>,
    pub received: Option<Said>,
}

impl From<&Row> for Kept {
    fn from(row: &Row) -> Self {
        let Row { key, revision, record, deadline, expected } = row;
        let (record, deadline, expected) = (record.to_vec(), *deadline, *expected);
        Self { key: *key, revision: *revision, record, deadline, expected }
    }
}

impl From<&Write<'_>> for Written {
    fn from(write: &Write<'_>) -> Self {
        let received = write.received.as_ref().map(|received| match received {
            Received::Message(text) => Said::Message(text.to_vec()),
            Received::Introducer(message) => Said::IntroducerMessage(message.to_vec()),
        });
        Self {
            row: Kept::from(&write.row),
            new_line: write.new_line.as_ref().map(Kept::from),
            unique: write.unique,
            consumes: write.consumes,
            received,
        }
    }
}

/// For a test that keeps nothing: the write is held, and that is all.
pub trait Commit {
    type Committed;
    fn committed(self) -> Self::Committed;
}

impl<'m, M: Machine> Commit for Step<'m, M> {
    type Committed = Effects<'m, M>;

    fn committed(self) -> Effects<'m, M> {
        let write = self.write();
        self.commit(write)
    }
}

impl<M: Machine> Commit for Created<M> {
    type Committed = M;

    fn committed(self) -> M {
        let write = self.write();
        self.commit(write)
    }
}

/// A committed step, for a store to keep and a caller to act on.
pub struct Done {
    pub write: Written,
    pub said: Vec<Said>,
}

/// A step that the store did not keep.
struct NotKept;

/// Lets a machine make a step, and checks what §8 promises of it. The machine has moved if this is `Ok`.
pub fn attempt<M: Owner, E: PartialEq + Debug>(
    machine: &mut M,
    buffer: &mut [u8],
    act: impl for<'a> Fn(&'a mut M, &'a mut [u8]) -> Result<Step<'a, M>, E>,
) -> Result<Done, E> {
    let (key, revision) = (machine.key(), machine.revision());
    let (record, outbox) = (machine.record().to_vec(), pending(machine));

    let mut shown = None;
    let rehearsed = act(machine, buffer).map(|step| {
        let refused = step.store(|write| {
            shown = Some(Written::from(write));
            Err(NotKept)
        });
        assert!(refused.is_err());
    });
    assert!(*machine.record() == *record, "a step that was refused or dropped moved the machine");
    assert!(pending(machine) == outbox, "a step that was refused or dropped moved the outbox");

    let step = match act(machine, buffer) {
        Ok(step) => step,
        Err(error) => {
            assert_eq!(rehearsed, Err(error), "not a pure function");
            return rehearsed.map(|()| unreachable!());
        }
    };
    let write = Written::from(&step.write());
    assert!(rehearsed.is_ok() && shown.as_ref() == Some(&write), "not a pure function");
    let said: Vec<_> =
        step.store(|_| Ok::<_, NotKept>(())).unwrap_or_else(|NotKept| unreachable!()).map(M::said).collect();

    let Kept { key: new_key, revision: new_revision, record: new_record, deadline, expected } = &write.row;
    assert_eq!(*expected, Some(Expected { key, revision }));
    assert_eq!(*new_revision, revision.saturating_add(1));
    let is_named = matches!((key, new_key), (RecordKey::Request(_), RecordKey::LineLink(_)));
    assert!(*new_key == key || is_named, "the key changed: {key:?}, {new_key:?}");
    assert!(*machine.record() == **new_record, "committed is not what was to be stored");
    assert_eq!((machine.key(), machine.revision(), machine.deadline()), (*new_key, *new_revision, *deadline));
    let restored = M::restore(new_record).expect("what was stored can be restored");
    assert!(*restored.record() == **new_record, "restored is not what was stored");
    assert_eq!((restored.key(), restored.revision(), restored.deadline()), (*new_key, *new_revision, *deadline));
    assert_eq!(MachineRole::of_record(new_record), Ok(M::KIND));

    let after = pending(machine);
    assert_eq!(pending(&restored), after, "a crash changed the outbox");
    says_what_it_wrote(&write, &said);
    says_its_outbox(&write, &said, &outbox, &after);
    Ok(Done { write, said })
}

/// What is received and what is formed is in the write, and comes as the first effect.
fn says_what_it_wrote(write: &Written, said: &[Said]) {
    let received: Vec<_> =
        said.iter().filter(|said| matches!(said, Said::Message(_) | Said::IntroducerMessage(_))).collect();
    assert!(received == write.received.iter().collect::<Vec<_>>(), "what was to be kept is not what comes");
    let formed: Vec<_> = said.iter().filter(|said| matches!(said, Said::Formed(_))).collect();
    let line = write.new_line.as_ref().map(|row| Said::Formed(row.record.clone()));
    assert!(formed == line.iter().collect::<Vec<_>>(), "the line that was stored is not the line that comes");
    if let Some(Kept { key, revision, record, deadline, expected }) = &write.new_line {
        assert!(matches!(key, RecordKey::Line(_)) && (*revision, *expected) == (0, None), "not a new line");
        // The app's lines have a role of their own.
        if let Ok(line) = Line::restore(record) {
            assert_eq!((line.key(), line.revision(), line.deadline()), (*key, 0, *deadline));
        }
    }
}

/// Effects are one that no outbox holds, if there is one, and then the outbox; or that part of it which is new.
fn says_its_outbox(write: &Written, said: &[Said], before: &[Said], after: &[Said]) {
    assert!(!after.iter().any(Said::is_lent), "an outbox holds what the state does not have");
    let from_outbox = match said {
        [first, rest @ ..] if first.is_lent() => rest,
        // A packet that `seal` lends. The record of a stranger may have one like it in its outbox.
        [first @ Said::Sealed(_), rest @ ..] if !after.contains(first) => rest,
        // The end of a line that an expired ticket would have formed.
        [Said::Send(_)] if write.consumes.is_some() && write.new_line.is_none() => &[],
        all => all,
    };
    let is_all = from_outbox == after;
    // A pool asks for more when a link was popped, and what it asked for before is not new.
    let is_end = matches!(said, [Said::Link(_), ..]) && after.ends_with(from_outbox);
    // A Port that goes on was shown before.
    let goes_on = matches!(after.split_last(), Some((Said::Ready(_), setting)) if setting == from_outbox);
    // The renewal of a link that was never set stands behind the Port, and is first said at the next start (§4.6).
    let renewal = match after {
        [Said::Ready(_), renewal @ Said::Send(request)] if is_renewal(request) => Some(renewal),
        _ => None,
    };
    let is_all = is_all || renewal.is_some() && from_outbox == &after[..1];
    assert!(from_outbox.is_empty() || is_all || is_end || goes_on, "said is not what is repeated after a crash");
    let said = |one: &Said| before.contains(one) || from_outbox.contains(one) || Some(one) == renewal;
    assert!(after.iter().all(said), "kept, but never said");
}

fn is_renewal(request: &[u8]) -> bool {
    matches!(Request::decode(request), Ok(Request::SetLineLink { version: 0, .. }))
}

/// Lets a machine clear its outbox, once.
pub fn clear_outbox<M: Owner>(machine: &mut M) -> Option<Done> {
    let done = attempt(machine, &mut [], |machine, _| machine.clear_outbox().ok_or(())).ok()?;
    assert!(done.said.is_empty(), "cleared, and something to do");
    assert!(machine.clear_outbox().is_none(), "cleared, and not clear");
    Some(done)
}
