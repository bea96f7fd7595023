//! §13: the relay. This file has what its tests share. The others test links (§13.2, §13.3), links for many, lines and queues
//! (§13.4–§13.6), many requests in one transaction, whole handshakes, storages that answer wrongly (§13.7), users that leave the
//! service (§13.8), and everything at random.
#![cfg(all(feature = "relay", feature = "alloc"))]

mod batch;
mod broken;
mod handshake;
mod leaving;
mod lines;
mod links;
mod many;
mod random;

use std::convert::Infallible;

use crate::common::NOW;
use port_protocol::relay::*;
use port_protocol::*;

const DAY: u64 = 24 * 60 * 60;

fn user(n: u8) -> UserId {
    [n; 32].into()
}

const ALICE: u8 = 1;
const BOB: u8 = 2;
const CAROL: u8 = 3;

/// 16 bytes at a time: 1, 2, 3, …
#[derive(Default)]
struct Counting(u128);

impl rand_core::TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("names are drawn as a whole")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        bytes.copy_from_slice(&self.0.to_be_bytes());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counting {}

/// A relay, its clock and its randomness.
struct Running<D> {
    relay: Relay<D>,
    rng: Counting,
    now: UnixSeconds,
}

type Outcome<D> = Result<Response, RelayError<<D as Directory>::Error>>;

impl<D: Directory<Error: std::fmt::Debug>> Running<D> {
    fn with(directory: D, limits: Limits) -> Self {
        Self { relay: Relay::new(directory, limits), rng: Counting::default(), now: NOW }
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
        match self.reply(bob, &connect(line_link)) {
            Event::LineFormed { line_id, .. } => line_id,
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

fn connect(line_link: LineLink) -> Request<'static> {
    Request::Connect { line_link, proof: None }
}

const fn set(line_link: LineLink, version: u64, admits: Admission) -> Request<'static> {
    Request::SetLineLink { line_link, version, admits }
}

const SILENT: Response = Response { reply: None, notify: [None; 2] };

fn refused(line_link: LineLink, reason: Reason) -> Event<'static> {
    Event::Refused { line_link, reason }
}

fn word(event: &Event<'_>) -> String {
    match event {
        Event::Packet { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
        Event::LineFormed { proof, .. } => format!("LineFormed{}", if proof.is_some() { " on board" } else { "" }),
        Event::Disconnected { .. } => "Disconnected".into(),
        Event::Dropped { .. } => "Dropped".into(),
        other => panic!("never waits: {other:?}"),
    }
}
