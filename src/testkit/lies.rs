//! Lies: what a hostile relay makes of what it has seen (§10).

use alloc::vec::Vec;
use core::convert::Infallible;

use super::app::App;
use super::relay::{Delivery, Formed, Use};
use super::schedule::{Answer, Asked, Claim, End, Forgery};
use super::world::{Happened, World, pick};
use crate::{
    Alice, Bob, BobEffect, Event, LineId, LineLink, Nonce, PacketKind, Payload, PeerMark, PortOptions, Proof, Reason,
    Request, RequestId, Seed, SendProof, Write,
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
            Claim::SameProof | Claim::OtherPeer | Claim::SameLine => proof.clone(),
        };
        let (line_id, peer) = match claim {
            Claim::OtherPeer => (first, PeerMark::from([0; 32])),
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
        let stranger = PeerMark::from([0; 32]);
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
                Event::LineFormed { line_link, line_id: self.relay.make_up(None), peer: stranger, proof: None }
            }
            Answer::TakenLine => {
                let Some(own) = self.relay.links.iter().rfind(|link| link.owner == to).copied() else {
                    return Ok(false);
                };
                let Some(line_id) = self.line_of_another_port(to, own.line_link) else { return Ok(false) };
                Event::LineFormed { line_link: own.line_link, line_id, peer: stranger, proof: None }
            }
            Answer::LinkLost => {
                let own = self.relay.links.iter().rfind(|link| link.owner == to);
                Event::LineLinkLost { line_link: own.map_or(line_link, |link| link.line_link) }
            }
            Answer::Connected(asked) => {
                let Some(Use { line_link, request_id, .. }) = self.use_of(to, asked) else { return Ok(false) };
                Event::Connected { line_link, request_id, line_id: self.relay.make_up(None), peer: stranger }
            }
            Answer::ConnectedToTaken => {
                let Some(Use { line_link, request_id, .. }) = self.use_of(to, Asked::Now) else { return Ok(false) };
                let Some(line_id) = self.line_of_another_port(to, line_link) else { return Ok(false) };
                Event::Connected { line_link, request_id, line_id, peer: stranger }
            }
            Answer::Refusal(asked) => {
                let Some(Use { line_link, request_id, .. }) = self.use_of(to, asked) else { return Ok(false) };
                Event::Refused { line_link, request_id, reason: Reason::UsedByAnother }
            }
        };
        self.lie(to, &event)
    }

    /// The last use that this client asked for; or an earlier one of the same Port, and if there is none, one that it never asked for.
    fn use_of(&mut self, by: usize, asked: Asked) -> Option<Use> {
        let now = *self.relay.uses.iter().rfind(|one| one.by == by)?;
        let is_earlier = |one: &&Use| one.by == by && one.line_link == now.line_link && **one != now;
        Some(match asked {
            Asked::Now => now,
            Asked::Before => match self.relay.uses.iter().find(is_earlier) {
                Some(earlier) => *earlier,
                None => Use { request_id: RequestId::from(self.relay.token()), ..now },
            },
        })
    }

    /// A line that this client has, of another Port than that of this link.
    fn line_of_another_port(&self, of: usize, line_link: LineLink) -> Option<LineId> {
        let others = self.relay.lines.iter().filter(|line| line.line_link != line_link && line.users.contains(&of));
        others.map(|line| line.line_id).find(|line_id| self.witness.lines_of(of).any(|ours| ours == *line_id))
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
