//! §13: the relay. This file has what its tests share. The others test links (§13.2, §13.3), how long they live, links for many, the uses
//! that one user may have (§13.6), marks, lines and queues (§13.4–§13.6), many requests in one transaction, whole handshakes, storages that
//! answer wrongly (§13.7), users that leave the service (§13.8), and everything at random. `suite` is for any storage, and `wrong` shows
//! what it catches.
#![cfg(all(feature = "relay", feature = "alloc"))]

mod batch;
mod broken;
mod handshake;
mod leaving;
mod life;
mod lines;
mod links;
mod many;
mod marks;
mod random;
mod suite;
mod uses;
mod wrong;

use std::convert::Infallible;

use core::time::Duration;

use crate::common::rng::Names;
use crate::common::{DAY, NOW, at, bad_proof};
use port_protocol::relay::*;
use port_protocol::*;

fn user(n: u8) -> UserId {
    [n; 32].into()
}

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// A relay, its clock and its randomness.
struct Running<D> {
    relay: Relay<D>,
    rng: Names,
    now: UnixSeconds,
}

type Outcome<D> = Result<Response, RelayError<<D as Directory>::Error>>;

impl<D: Directory<Error: std::fmt::Debug>> Running<D> {
    fn with(directory: D, limits: Limits) -> Self {
        Self { relay: Relay::new(directory, limits, marks()), rng: Names::default(), now: NOW }
    }

    fn wait(&mut self, secs: u64) {
        self.now = self.now.after(Duration::from_secs(secs));
    }

    fn directory(&self) -> &D {
        self.relay.directory()
    }

    fn handle(&mut self, from: u8, request: &Request<'_>) -> Outcome<D> {
        self.relay.handle(user(from), &request.to_vec(), &mut self.rng, self.now)
    }

    #[track_caller]
    fn reply(&mut self, from: u8, request: &Request<'_>) -> Event<'static> {
        self.handle(from, request).unwrap().reply.expect("a reply")
    }

    fn try_issue(&mut self, from: u8, request: u8) -> Result<LineLink, RelayError<D::Error>> {
        let request_id = [request; 16].into();
        let response = self.handle(from, &Request::IssueLineLink { request_id })?;
        match response.reply {
            Some(Event::LineLinkIssued { request_id: echoed, line_link }) if echoed == request_id => Ok(line_link),
            other => panic!("{other:?}"),
        }
    }

    fn issue(&mut self, from: u8, request: u8) -> LineLink {
        self.try_issue(from, request).unwrap()
    }

    fn line(&mut self, alice: u8, bob: u8, request: u8) -> LineId {
        let line_link = self.issue(alice, request);
        self.forms(alice, bob, &connect(line_link))
    }

    /// This request forms a line. Both hear of it, each by an event of its own that waits.
    #[track_caller]
    fn forms(&mut self, alice: u8, bob: u8, request: &Request<'_>) -> LineId {
        let before = [alice, bob].map(|of| self.waiting(of).len());
        let response = self.handle(bob, request).unwrap();
        assert_eq!(response, Response { reply: None, notify: [Some(user(alice)), Some(user(bob))] });
        assert_eq!([alice, bob].map(|of| self.waiting(of).len()), before.map(|n| n + 1));
        let [to_alice, to_bob] = [alice, bob].map(|of| self.waiting(of).pop().unwrap().1);
        let Request::Connect { line_link, request_id, proof } = request else { panic!("{request:?}") };
        match (Event::decode(&to_alice).unwrap(), Event::decode(&to_bob).unwrap()) {
            (
                Event::LineFormed { line_link: link, line_id: formed, proof: on_board, .. },
                Event::Connected { line_link: of, request_id: echoed, line_id, .. },
            ) => {
                assert_eq!((link, &on_board, formed), (*line_link, proof, line_id));
                assert_eq!((of, echoed), (*line_link, *request_id));
                line_id
            }
            other => panic!("{other:?}"),
        }
    }

    /// The line that this request has formed before.
    #[track_caller]
    fn formed_before(&mut self, bob: u8, request: &Request<'_>) -> LineId {
        let response = self.handle(bob, request).unwrap();
        match response {
            Response { reply: Some(Event::Connected { line_id, .. }), notify: [None, None] } => line_id,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, from: u8, line_id: LineId, payload: &[u8]) -> Response {
        self.handle(from, &Request::Packet { line_id, payload }).unwrap()
    }

    /// Everything that waits for this user, with its numbers.
    fn waiting(&self, of: u8) -> Vec<(u64, Vec<u8>)> {
        let (mut all, mut after) = (Vec::new(), 0);
        while let Some(Delivery { sequence, event }) = self.relay.next(user(of), after).unwrap() {
            assert!(sequence > after);
            after = sequence;
            all.push((sequence, event.as_ref().to_vec()));
        }
        all
    }

    fn waits(&self, of: u8) -> Vec<String> {
        self.waiting(of).iter().map(|(_, event)| word(&Event::decode(event).unwrap())).collect()
    }

    /// Who has something new.
    fn remove(&mut self, of: u8) -> Vec<UserId> {
        let mut notified = Vec::new();
        self.relay.remove(user(of), |other| notified.push(other)).unwrap();
        notified
    }

    fn acknowledge_all(&mut self, of: u8) {
        let upto = self.waiting(of).last().map_or(0, |(sequence, _)| *sequence);
        self.relay.acknowledge(user(of), upto).unwrap();
    }
}

fn relay(limits: Limits) -> Running<Memory> {
    Running::with(Memory::new(), limits)
}

fn marks() -> MarkKey {
    MarkKey::new([0x4D; 32].into())
}

fn connect(line_link: LineLink) -> Request<'static> {
    connect_as(line_link, 0xC0)
}

/// Another request of the same user, for each `n`.
fn connect_as(line_link: LineLink, n: u8) -> Request<'static> {
    Request::Connect { line_link, request_id: [n; 16].into(), proof: None }
}

fn on_board(line_link: LineLink) -> Request<'static> {
    Request::Connect { line_link, request_id: [0xC0; 16].into(), proof: Some(bad_proof()) }
}

const fn set(line_link: LineLink, version: u64, admits: Admission) -> Request<'static> {
    Request::SetLineLink { line_link, version, admits, recognisable: false }
}

/// Nothing changes but the lifetime, which begins anew.
const fn renew(line_link: LineLink) -> Request<'static> {
    set(line_link, 0, Admission::One)
}

const fn lost(line_link: LineLink) -> Response {
    Response { reply: Some(Event::LineLinkLost { line_link }), notify: [None; 2] }
}

const SILENT: Response = Response { reply: None, notify: [None; 2] };

/// The reply to [`connect`], or to [`on_board`].
fn refused(line_link: LineLink, reason: Reason) -> Event<'static> {
    Event::Refused { line_link, request_id: [0xC0; 16].into(), reason }
}

fn word(event: &Event<'_>) -> String {
    match event {
        Event::Packet { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
        Event::LineFormed { proof, .. } => format!("LineFormed{}", if proof.is_some() { " on board" } else { "" }),
        Event::Connected { .. } => "Connected".into(),
        Event::Disconnected { .. } => "Disconnected".into(),
        Event::Dropped { .. } => "Dropped".into(),
        other => panic!("never waits: {other:?}"),
    }
}
