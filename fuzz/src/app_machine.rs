//! `restore_app`: the machines in the dialect of a shipped app (docs/app-profile.md §17.10), from whatever a store may hold.

use std::sync::OnceLock;

use port_protocol::app::{
    Alice, AliceEffect, Bob, BobEffect, Content, Event, Happened, Intro, LineEffect, LinePhase, Name, Request,
    UnauthenticatedLine,
};
use port_protocol::{
    AlicePhase, BobPhase, LineId, Machine, MachineRole, OnRepeat, PeerMark, Peers, Policy, PortHash, PortKind,
    PortOptions, RecordKey, Relationship, Seed, TicketHash, TicketNotice, UseLimit,
};

use crate::input::{Input, flip, fresh};
use crate::machine::{Commit, Owner, Said, attempt, clear_outbox};
use crate::restore::{restored, split};
use crate::world::NOW;

const KINDS: [PortKind; 3] = [PortKind::Port, PortKind::Superport, PortKind::ContactPort];

fn sent(request: &Request<'_>) -> Said {
    let body = request.body().map(|body| body.to_string()).unwrap_or_default();
    Said::Send(format!("{} {} {body}", request.method().as_str(), request.path()).into())
}

fn formed(line: &UnauthenticatedLine) -> Said {
    Said::Formed(line.record().to_vec())
}

impl Owner for Alice {
    const KIND: MachineRole = MachineRole::AppAlice;

    fn said(effect: AliceEffect<'_>) -> Said {
        match effect {
            AliceEffect::Send(request) => sent(&request),
            AliceEffect::PortReady => Said::Ready(vec![]),
            AliceEffect::LineFormed(line) => formed(&line),
            AliceEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl Owner for Bob {
    const KIND: MachineRole = MachineRole::AppBob;

    fn said(effect: BobEffect<'_>) -> Said {
        match effect {
            BobEffect::Send(request) => sent(&request),
            BobEffect::LineFormed(line) => formed(&line),
            BobEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

impl Owner for UnauthenticatedLine {
    const KIND: MachineRole = MachineRole::AppLine;

    fn said(effect: LineEffect<'_>) -> Said {
        match effect {
            LineEffect::Send(request) => sent(&request),
            LineEffect::AwaitingApproval => Said::AwaitingApproval,
            LineEffect::Ended(end) => Said::Ended(format!("{end:?}")),
        }
    }
}

/// An Alice of this kind. [`intros`] are good for it.
pub fn alice(kind: PortKind, asks: bool) -> Alice {
    let (uses, introducer) = match kind {
        PortKind::Port => (Policy::once(), None),
        PortKind::Superport => (Policy::up_to(2), None),
        _ => (Policy::up_to(2), Some([77; 16])),
    };
    let offer = PortOptions::new().policy(uses.require_approval(asks));
    let offer = introducer.map_or(offer.clone(), |line_id| offer.introducer(line_id.into()));
    Alice::offer([3; 16].into(), offer, Seed::from_bytes(&[1; 64])).committed()
}

/// A Bob that scanned that Alice's Port.
pub fn scanned(kind: PortKind, n: u8) -> Bob {
    let alice = alice(kind, false);
    let shown = alice.bundle(None).or_else(|| Some(alice.grant(None)?.share([n; 16].into(), None)));
    Bob::scan(&shown.expect("on offer"), Seed::from_bytes(&[n; 64])).committed()
}

/// The same, connecting.
pub fn bob(kind: PortKind, n: u8) -> Bob {
    let mut bob = scanned(kind, n);
    bob.connect(&Name::new("Bob").expect("a name"), NOW).expect("not used").committed().for_each(drop);
    bob
}

fn intros() -> &'static [String] {
    static INTROS: OnceLock<Vec<String>> = OnceLock::new();
    INTROS.get_or_init(|| {
        let bobs = KINDS.into_iter().flat_map(|kind| [bob(kind, 2), bob(kind, 4)]);
        bobs.map(|bob| match bob.pending().next() {
            Some(BobEffect::Send(Request::Connect { intro, .. })) => intro.to_json().to_string(),
            other => panic!("{other:?}"),
        })
        .collect()
    })
}

/// What the caller's tables say.
struct Tables {
    port_of_line: Option<PortHash>,
    standing: Relationship,
    ticket: Option<TicketNotice>,
}

impl Tables {
    fn of(script: &mut Input<'_>) -> Self {
        let how = script.byte();
        let standing = [Relationship::Unknown, Relationship::Blocked, Relationship::Connected([9; 16].into())];
        let ticket = Content::ContactPortTicket { contact_port: [3; 16].into(), ticket: [how & 4; 16].into() };
        Self {
            port_of_line: (how & 0x80 != 0).then(|| [how; 32].into()),
            standing: standing[usize::from(how >> 4 & 7) % 3],
            ticket: ticket.told_ticket(None).filter(|_| how & 1 == 0),
        }
    }
}

impl Peers for Tables {
    fn port_of_line(&self, _: &LineId) -> Option<PortHash> {
        self.port_of_line
    }

    fn relationship(&self, _: &PeerMark) -> Relationship {
        self.standing
    }

    fn ticket(&self, _: &TicketHash) -> Option<TicketNotice> {
        self.ticket.clone()
    }
}

pub fn restore_app(data: &[u8]) -> bool {
    let (record, script) = split(data);
    if let Some(alice) = restored::<Alice>(record) {
        drive_alice(alice, script);
    } else if let Some(bob) = restored::<Bob>(record) {
        drive_bob(bob, script);
    } else if let Some(line) = restored::<UnauthenticatedLine>(record) {
        drive_line(line, script);
    } else {
        return false;
    }
    true
}

fn drive_alice(mut alice: Alice, mut script: Input<'_>) {
    let mut now = NOW;
    while let Some(what) = script.next() {
        let (at, was_spent, used, policy) = (now, alice.is_spent(), alice.used(), alice.policy().copied());
        let moved = match what % 8 {
            0 => {
                clear_outbox(&mut alice);
                continue;
            }
            1 => attempt(&mut alice, &mut [], |alice, _| alice.tick(at).ok_or(())).is_ok(),
            2 => attempt(&mut alice, &mut [], |alice, _| alice.revoke()).is_ok(),
            3 => {
                now = script.time();
                continue;
            }
            4 => {
                let link = [script.byte(); 16].into();
                attempt(&mut alice, &mut [], |alice, _| alice.issued(link, at)).is_ok()
            }
            5 => {
                let policy = policy_of(&mut script);
                attempt(&mut alice, &mut [], |alice, _| alice.set_policy(policy)).is_ok()
            }
            _ => {
                let event = used_by(&mut script, alice.key());
                let tables = Tables::of(&mut script);
                attempt(&mut alice, &mut [], |alice, _| alice.handle(&event, &tables, at, &mut fresh())).is_ok()
            }
        };
        assert!(!(moved && was_spent), "a spent Alice moved");
        let is_offered = alice.phase() == AlicePhase::Offered;
        assert_eq!(alice.bundle(None).is_some() || alice.grant(None).is_some(), is_offered);
        if is_offered && alice.used() > used {
            let is_open = match policy.expect("not spent").use_limit() {
                UseLimit::Once => used == 0,
                UseLimit::UpTo(n) => used < n,
                UseLimit::Unlimited => true,
            };
            assert!(is_open, "a use too many");
        }
    }
}

fn policy_of(script: &mut Input<'_>) -> Policy {
    let (how, n) = (script.byte(), u32::from(script.byte()));
    let uses = [Policy::once(), Policy::up_to(n), Policy::unlimited()][usize::from(how & 7) % 3];
    let again = [OnRepeat::Replace, OnRepeat::Allow, OnRepeat::Refuse][usize::from(how >> 4 & 3) % 3];
    uses.on_repeat(again).paused(how & 0x40 != 0).require_approval(how & 0x80 != 0)
}

/// A use with an intro message that is good, or nearly good.
fn used_by(script: &mut Input<'_>, key: RecordKey) -> Event {
    let (how, id) = (script.byte(), script.byte());
    let port_id = if let RecordKey::LineLink(line_link) = key { line_link } else { [3; 16].into() };
    let mut intro = script.pick(intros()).map(|json| json.clone().into_bytes()).unwrap_or_default();
    if how & 0x80 != 0 {
        flip(&mut intro, script.u16());
    }
    let intro = Intro::from_json(&String::from_utf8_lossy(&intro));
    let kind = KINDS[usize::from(how & 7) % 3];
    let what = Happened::Used { kind, port_id, line_id: [id; 16].into(), pair_hash: [id; 32].into(), intro };
    Event { what, timestamp: None }
}

fn drive_bob(mut bob: Bob, mut script: Input<'_>) {
    let mut now = NOW;
    while let Some(what) = script.next() {
        let (at, was_spent) = (now, bob.is_spent());
        let moved = match what % 6 {
            0 => {
                clear_outbox(&mut bob);
                continue;
            }
            1 => attempt(&mut bob, &mut [], |bob, _| bob.tick(at).ok_or(())).is_ok(),
            2 => attempt(&mut bob, &mut [], |bob, _| bob.cancel()).is_ok(),
            3 => {
                now = script.time();
                continue;
            }
            4 => {
                let length = usize::from(script.byte());
                let Ok(name) = Name::new(&String::from_utf8_lossy(script.take(length))) else { continue };
                attempt(&mut bob, &mut [], |bob, _| bob.connect(&name, at)).is_ok()
            }
            _ => {
                let (id, tables) = (script.byte(), Tables::of(&mut script));
                let pair_hash = (script.byte() & 1 == 0).then(|| [id; 32].into());
                attempt(&mut bob, &mut [], |bob, _| bob.connected([id; 16].into(), pair_hash, &tables, at)).is_ok()
            }
        };
        assert!(!(moved && was_spent), "a spent Bob moved");
        assert!(bob.phase() == BobPhase::Scanned || bob.deadline().is_none() || !bob.is_spent());
    }
}

fn rank(line: &UnauthenticatedLine) -> u8 {
    match line.phase() {
        LinePhase::AwaitingApproval => 1,
        LinePhase::Open => 2,
        LinePhase::Closed => 3,
        _ => unreachable!("a phase that the fuzzer does not know"),
    }
}

fn drive_line(mut line: UnauthenticatedLine, mut script: Input<'_>) {
    while let Some(what) = script.next() {
        let was = rank(&line);
        let line_id = line.claims().line_id;
        let moved = match what % 6 {
            0 => {
                clear_outbox(&mut line);
                continue;
            }
            1 => attempt(&mut line, &mut [], |line, _| line.close()).is_ok(),
            2 => attempt(&mut line, &mut [], |line, _| line.accept()).is_ok(),
            3 => attempt(&mut line, &mut [], |line, _| line.decline()).is_ok(),
            4 => {
                let line_id = if script.byte() & 1 == 0 { line_id } else { [script.byte(); 16].into() };
                let event = Event { what: Happened::Ended { line_id }, timestamp: None };
                attempt(&mut line, &mut [], |line, _| line.handle(&event)).is_ok()
            }
            _ => {
                let length = usize::from(script.byte());
                let text = String::from_utf8_lossy(script.take(length)).into_owned();
                let sealed = line.seal([what; 16], &text);
                assert_eq!(sealed.is_ok(), line.phase() == LinePhase::Open);
                if let Ok(sealed) = sealed {
                    assert!(line.open(&sealed).is_ok_and(|opened| opened.as_str() == text));
                }
                continue;
            }
        };
        assert_eq!(moved, rank(&line) > was, "{:?}", line.phase());
    }
}
