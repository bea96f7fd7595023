//! `restore_alice`, `restore_bob`, `restore_line`: a store may hold anything (SPEC.md §8.6).

use port_protocol::testkit::{Choice, World};
use port_protocol::{
    Alice, Bob, BobPhase, Event, Line, LineLink, Machine, MachineRole, PortHash, PortOptions, Reason, RecordKey,
    Rejected, RequestId, RestoreError, Seed, SendProof, UnixSeconds,
};
use std::sync::OnceLock;

use crate::input::{Input, flip, fresh};
use crate::machine::{Commit, Owner, Stored, User, attempt, clear_outbox, pending, rank};
use crate::world::{self, ALICE, BOB, NOW, formed};

/// An input: a record, a script of what happens to the machine, the script's length. That it stands at the end leaves the
/// record in its place when the fuzzer cuts or inserts.
pub fn with_script(record: &[u8], script: &[u8]) -> Vec<u8> {
    let length = u8::try_from(script.len()).expect("a short script");
    [record, script, &[length]].concat()
}

pub(crate) fn split(data: &[u8]) -> (&[u8], Input<'_>) {
    let Some((length, rest)) = data.split_last() else { return (data, Input(&[])) };
    let (record, script) = rest.split_at(rest.len().saturating_sub(usize::from(*length)));
    (record, Input(script))
}

pub(crate) fn restored<M: Owner>(record: &[u8]) -> Option<M> {
    let role = MachineRole::of_record(record);
    let machine = match M::restore(record) {
        Ok(machine) => machine,
        Err(error) => {
            // A store that keeps all machines in one table tries none in vain.
            assert!(error != RestoreError::AnotherRole || role.is_ok_and(|role| role != M::KIND), "{role:?}");
            return None;
        }
    };
    assert!(*machine.record() == *record, "two records of one state");
    assert_eq!(role, Ok(M::KIND));
    let again = M::restore(record).expect("it was just restored");
    assert_eq!(pending(&again), pending(&machine));
    assert_eq!(
        (again.key(), again.revision(), again.deadline()),
        (machine.key(), machine.revision(), machine.deadline())
    );
    Some(machine)
}

pub fn restore_alice(data: &[u8]) -> bool {
    let (record, mut script) = split(data);
    let Some(mut alice) = restored::<Alice>(record) else { return false };
    let mut now = NOW;
    while let Some(what) = script.next() {
        happen(&mut alice, what, &mut script, &mut now);
        assert_eq!(alice.port().is_some(), !alice.is_spent() && matches!(alice.key(), RecordKey::LineLink(_)));
    }
    true
}

pub fn restore_bob(data: &[u8]) -> bool {
    let (record, mut script) = split(data);
    let Some(mut bob) = restored::<Bob>(record) else { return false };
    let mut now = NOW;
    while let Some(what) = script.next() {
        let how = if what & 1 == 0 { SendProof::Inline } else { SendProof::AlongTheLine };
        match what % 16 {
            6 | 7 | 14 => drop(attempt(&mut bob, &mut [], |bob, _| bob.connect(how, now))),
            15 => scan_again(&mut bob, script.byte()),
            _ => happen(&mut bob, what, &mut script, &mut now),
        }
        assert!(bob.relay().is_none() || !bob.is_spent());
    }
    true
}

/// §5.6: another Port of the same link, once this use is over and there is nothing left to do.
fn scan_again(bob: &mut Bob, n: u8) {
    // What is left of a Bob may say that it had another key: only a record that was made up does.
    let RecordKey::LineLink(line_link) = bob.key() else { return };
    let port = |line_link| {
        let alice = Alice::offer(line_link, PortOptions::new(), Seed::from_bytes(&[n; 64])).committed();
        alice.port().expect("on offer").clone()
    };
    let other = LineLink::from([n; 16]);
    let seed = || Seed::from_bytes(&[n.wrapping_add(1); 64]);
    let wrong = attempt(bob, &mut [], |bob, _| bob.scan_again(port(other), seed()));
    assert!(other == line_link || wrong.is_err_and(|error| error == Rejected::WrongMachine));
    let may = bob.is_spent() && pending(bob).is_empty();
    let done = attempt(bob, &mut [], |bob, _| bob.scan_again(port(line_link), seed()));
    assert!(other == line_link || done.is_ok() == may);
    assert!(done.is_err() || bob.phase() == BobPhase::Scanned);
}

/// What can happen to Alice and to Bob.
fn happen<M: User>(user: &mut M, what: u8, script: &mut Input<'_>, now: &mut UnixSeconds) {
    let (at, was_spent) = (*now, user.is_spent());
    let moved = match what % 8 {
        0 => {
            clear_outbox(user);
            return;
        }
        1 => attempt(user, &mut [], |user, _| user.tick(at).ok_or(())).is_ok(),
        2 => attempt(user, &mut [], |user, _| user.stop()).is_ok(),
        3 => {
            *now = script.time();
            return;
        }
        _ => {
            let event = event(script, user.key());
            let Ok(event) = Event::decode(&event) else { return };
            let own = user.port_hash().or(Some(heard().port));
            let stored = Stored([None, own, Some([7; 32].into())][usize::from(script.byte() % 3)]);
            attempt(user, &mut [], |user, _| user.handle(&event, &stored, at)).is_ok()
        }
    };
    assert!(!(moved && was_spent), "a spent machine moved");
}

pub fn restore_line(data: &[u8]) -> bool {
    let (record, mut script) = split(data);
    let Some(mut line) = restored::<Line>(record) else { return false };
    let mut now = NOW;
    let mut buffer = [0; 1024];
    while let Some(what) = script.next() {
        let at = now;
        let buffer = &mut buffer[..];
        let (was, record) = (rank::of(&line), line.record());
        match what % 8 {
            0 => drop(clear_outbox(&mut line)),
            1 => drop(attempt(&mut line, buffer, |line, _| line.tick(at).ok_or(()))),
            2 => drop(attempt(&mut line, buffer, |line, _| line.close())),
            3 => now = script.time(),
            4 => {
                let (text, data) = (usize::from(script.byte()), usize::from(script.byte()));
                let (text, data) = (script.take(text), script.take(data));
                drop(attempt(&mut line, buffer, |line, buffer| line.seal(text, data, buffer)));
            }
            5 => {
                let (line_id, payload) = (line.claims().line_id, payload(&mut script));
                let event = Event::Packet { line_id, payload: &payload };
                let data = usize::from(script.byte());
                let data = script.take(data);
                drop(attempt(&mut line, buffer, |line, buffer| {
                    line.handle_with_aad(&event, data, buffer, at, &mut fresh())
                }));
            }
            _ => {
                let event = event(&mut script, line.key());
                let Ok(event) = Event::decode(&event) else { continue };
                drop(attempt(&mut line, buffer, |line, buffer| line.handle(&event, buffer, at, &mut fresh())));
            }
        }
        assert!(rank::of(&line) >= was, "back to {:?}", line.phase());
        assert!(was != rank::CLOSED || what % 8 == 0 || *line.record() == *record, "a closed line moved");
        assert_eq!(line.confirmed().is_some(), line.safety_number().is_some());
    }
    true
}

/// What the fixed pair says to each other, for records that are, or were made from, that pair's.
struct Heard {
    port: PortHash,
    events: Vec<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
}

fn heard() -> &'static Heard {
    static HEARD: OnceLock<Heard> = OnceLock::new();
    HEARD.get_or_init(|| {
        let worlds = [SendProof::Inline, SendProof::AlongTheLine].map(|how| {
            let talk = [Choice::Say(ALICE, 0), Choice::Say(BOB, 0), Choice::DeliverAll];
            let close = [Choice::Close(ALICE, 0), Choice::Close(BOB, 0)];
            world::run(3, &[&formed(how)[..], &talk, &talk, &close].concat())
        });
        let port = world::line(&worlds[0], ALICE).expect("formed").port();
        let mut heard = Heard { port, events: vec![], payloads: vec![] };
        for event in worlds.iter().flat_map(World::events).map(|delivery| &delivery.event) {
            match Event::decode(event) {
                Ok(Event::Packet { payload, .. }) if !heard.payloads.iter().any(|known| known == payload) => {
                    heard.payloads.push(payload.to_vec());
                }
                Ok(Event::LineFormed { .. } | Event::Connected { .. }) => heard.events.push(event.clone()),
                _ => {}
            }
        }
        heard
    })
}

fn payload(script: &mut Input<'_>) -> Vec<u8> {
    let how = script.byte();
    let mut payload = match how % 4 {
        0 => {
            let length = usize::from(script.byte());
            script.take(length).to_vec()
        }
        _ => script.pick(&heard().payloads).cloned().unwrap_or_default(),
    };
    if how & 0x80 != 0 {
        flip(&mut payload, script.u16());
    }
    payload
}

/// That of the fixed pair's Bob, or another.
fn request_id(script: &mut Input<'_>, fill: u8) -> RequestId {
    let asked = heard().events.iter().find_map(|event| match Event::decode(event) {
        Ok(Event::Connected { request_id, .. }) => Some(request_id),
        _ => None,
    });
    asked.filter(|_| script.byte() & 1 == 0).unwrap_or([fill; 16].into())
}

/// An event for the machine that has this key, or nearly.
fn event(script: &mut Input<'_>, key: RecordKey) -> Vec<u8> {
    let (how, fill) = (script.byte(), script.byte());
    let id = match key {
        RecordKey::Request(id) => *id.as_bytes(),
        RecordKey::LineLink(link) => *link.as_bytes(),
        RecordKey::Line(id) => *id.as_bytes(),
        RecordKey::Pool(id) => *id.as_bytes(),
        RecordKey::Introducer(id) => *id.as_bytes(),
    };
    let proof = || {
        heard().events.iter().find_map(|event| match Event::decode(event) {
            Ok(Event::LineFormed { proof, .. }) => proof,
            _ => None,
        })
    };
    let formed =
        |proof| Event::LineFormed { line_link: id.into(), line_id: [fill; 16].into(), peer: [fill; 32].into(), proof };
    let connected = |request_id: RequestId| Event::Connected {
        line_link: id.into(),
        request_id,
        line_id: [fill; 16].into(),
        peer: [fill; 32].into(),
    };
    use Reason::{Closed, Expired, Paused, Unknown, UsedByAnother, UsedByYou};
    let reasons = [Unknown, UsedByAnother, UsedByYou, Closed, Expired, Paused];
    let mut event = match how % 8 {
        0 => Event::LineLinkIssued { request_id: id.into(), line_link: [fill; 16].into() }.to_vec(),
        1 => formed(None).to_vec(),
        2 if how & 8 == 0 => formed(proof()).to_vec(),
        2 => connected(request_id(script, fill)).to_vec(),
        3 if how & 8 == 0 => {
            let (reason, request_id) = (reasons[usize::from(fill) % reasons.len()], request_id(script, fill));
            Event::Refused { line_link: id.into(), request_id, reason }.to_vec()
        }
        3 => Event::LineLinkLost { line_link: id.into() }.to_vec(),
        4 | 5 => Event::Packet { line_id: id.into(), payload: &payload(script) }.to_vec(),
        6 if fill.is_multiple_of(2) => Event::Disconnected { line_id: id.into() }.to_vec(),
        6 => Event::Dropped { line_id: id.into() }.to_vec(),
        _ => script.take(usize::from(fill)).to_vec(),
    };
    if how & 0x80 != 0 {
        flip(&mut event, script.u16());
    }
    event
}
