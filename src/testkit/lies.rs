//! Lies: what a hostile relay makes of what it has seen (§10).

use alloc::vec::Vec;
use core::convert::Infallible;

use super::app::App;
use super::relay::{Delivery, Formed};
use super::schedule::{Answer, Claim, End, Forgery};
use super::world::{Happened, World, pick};
use crate::{
    Alice, Bob, BobEffect, Event, LineLink, Nonce, PacketKind, Payload, PeerMark, PortOptions, Proof, Reason, Request,
    RequestId, Seed, SendProof, Write,
};

impl<A: App> World<A> {
    /// Delivers any event that ever was, after a change.
    pub(super) fn replay(&mut self, n: u8, change: impl FnOnce(&mut Delivery)) -> Happened {
        let Some(mut delivery) = pick(&self.past, n).cloned() else { return Ok(false) };
        change(&mut delivery);
        self.deliver(&delivery).map(|_| true)
    }

    pub(super) fn cross_line(&mut self, n: u8, line: u8) -> Happened {
        let packets: Vec<_> = self.past.iter().filter(|delivery| is_packet(delivery)).cloned().collect();
        let ends: Vec<_> =
            (0..self.apps.len()).flat_map(|to| self.witness.lines_of(to).map(move |id| (to, id))).collect();
        let (Some(delivery), Some((to, line_id))) = (pick(&packets, n), pick(&ends, line).copied()) else {
            return Ok(false);
        };
        match Event::decode(&delivery.event) {
            Ok(Event::Packet { line_id: own, payload }) if (delivery.to, own) != (to, line_id) => {
                self.lie(to, &Event::Packet { line_id, payload })
            }
            _ => Ok(false),
        }
    }

    pub(super) fn claim_twice(&mut self, n: u8, claim: Claim) -> Happened {
        let Some(line) = pick(&self.relay.lines, n).cloned() else { return Ok(false) };
        let Formed { line_link, line_id: first, peer, users: [owner, _], ref proof } = line;
        let proof = match claim {
            Claim::ForeignProof => self.foreign_proof(),
            Claim::NoProof => None,
            Claim::SameProof | Claim::OtherPair | Claim::SameLine => proof.clone(),
        };
        let (line_id, peer) = match claim {
            Claim::OtherPair => (first, PeerMark::from([0; 32])),
            Claim::SameLine => match self.witness.lines_of(owner).find(|line_id| *line_id != first) {
                Some(taken) => (taken, peer),
                None => return Ok(false),
            },
            _ => (self.relay.make_up(Some(line)), peer),
        };
        self.lie(owner, &Event::LineFormed { line_link, line_id, peer, proof })
    }

    pub(super) fn answer_unasked(&mut self, to: u8, answer: Answer) -> Happened {
        let to = self.user(to);
        let fresh = LineLink::from(self.relay.token());
        // Most likely a link that this client has scanned, or offers.
        let line_link = self.relay.links.last().map_or(fresh, |link| link.line_link);
        let event = match answer {
            Answer::Link => Event::LineLinkIssued { request_id: RequestId::from(self.relay.token()), line_link: fresh },
            Answer::SecondLink => {
                let links = &self.relay.links;
                let Some(asked) = links.iter().rfind(|link| link.owner == to) else { return Ok(false) };
                let another = links.iter().map(|link| link.line_link).find(|link| *link != asked.line_link);
                Event::LineLinkIssued { request_id: asked.request_id, line_link: another.unwrap_or(fresh) }
            }
            Answer::Line => {
                let (line_id, peer) = (self.relay.make_up(None), PeerMark::from([0; 32]));
                Event::LineFormed { line_link, line_id, peer, proof: None }
            }
            Answer::Refusal => Event::Refused { line_link, reason: Reason::UsedByAnother },
        };
        self.lie(to, &event)
    }

    pub(super) fn forge(&mut self, n: u8, forgery: Forgery) -> Happened {
        let Some(&Formed { line_id, users: [owner, user], .. }) = pick(&self.relay.lines, n) else { return Ok(false) };
        let at = |end| if end == End::Alice { owner } else { user };
        let payload = match forgery {
            Forgery::Disconnected(end) => return self.lie(at(end), &Event::Disconnected { line_id }),
            Forgery::Dropped(end) => return self.lie(at(end), &Event::Dropped { line_id }),
            Forgery::Proof => match self.foreign_proof() {
                Some(proof) => Payload::Proof { proof }.to_vec(),
                None => return Ok(false),
            },
            Forgery::Packet => {
                let ciphertext = &self.relay.token();
                Payload::Sealed { kind: PacketKind::Message, nonce: Nonce { epoch: 0, counter: 7 }, ciphertext }
                    .to_vec()
            }
        };
        self.lie(owner, &Event::Packet { line_id, payload: &payload })
    }

    fn lie(&mut self, to: usize, event: &Event<'_>) -> Happened {
        self.deliver(&Delivery::new(to, event)).map(|_| true)
    }

    /// A good proof, of a Port that the relay made for itself.
    fn foreign_proof(&mut self) -> Option<Proof> {
        let alice = Alice::offer(self.relay.token().into(), PortOptions::new(), Seed::draw(&mut self.rng));
        let alice = alice.store(keep_nothing).ok()?;
        let bob = Bob::scan(alice.port()?.clone(), Seed::draw(&mut self.rng));
        let mut bob = bob.store(keep_nothing).ok()?;
        bob.connect(SendProof::Inline, self.now).ok()?.store(keep_nothing).ok()?.find_map(|effect| match effect {
            BobEffect::Send(Request::Connect { proof, .. }) => proof,
            _ => None,
        })
    }
}

/// The relay's own machines live for one proof.
const fn keep_nothing(_: &Write<'_>) -> Result<(), Infallible> {
    Ok(())
}

fn is_packet(delivery: &Delivery) -> bool {
    matches!(Event::decode(&delivery.event), Ok(Event::Packet { .. }))
}

/// Flips this bit, counted modulo the length.
pub(super) fn flip(bytes: &mut [u8], bit: u16) {
    let at = usize::from(bit / 8).checked_rem(bytes.len()).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1_u8.rotate_left(u32::from(bit % 8));
    }
}
