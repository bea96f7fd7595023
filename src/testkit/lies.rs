//! What a hostile relay makes of what it has seen (§10).

use alloc::vec::Vec;

use super::app::App;
use super::relay::{Fate, Link, Parcel};
use super::schedule::{Answer, Claim, Forgery};
use super::world::{Happened, World, pick};
use crate::{
    Alice, Bob, BobEffect, Content, Event, LineId, LineLink, Nonce, Offer, PairHash, Payload, Proof, Reason, Request,
    RequestId, Seed, SendProof,
};

impl<A: App> World<A> {
    /// Any event that ever was, made into something else.
    pub(super) fn replay(&mut self, n: u8, change: impl FnOnce(&mut Parcel)) -> Happened {
        let Some(mut parcel) = pick(&self.past, n).cloned() else { return Ok(false) };
        change(&mut parcel);
        self.deliver(&parcel)
    }

    pub(super) fn cross_line(&mut self, n: u8, line: u8) -> Happened {
        let packets: Vec<_> = self.past.iter().filter(|parcel| is_packet(parcel)).cloned().collect();
        let ends: Vec<_> =
            (0..self.apps.len()).flat_map(|to| self.witness.lines_of(to).map(move |id| (to, id))).collect();
        let (Some(parcel), Some((to, line_id))) = (pick(&packets, n), pick(&ends, line).copied()) else {
            return Ok(false);
        };
        match Event::decode(&parcel.event) {
            Ok(Event::Packet { line_id: own, payload }) if (parcel.to, own) != (to, line_id) => {
                self.deliver(&Parcel::new(to, &Event::Packet { line_id, payload }))
            }
            _ => Ok(false),
        }
    }

    pub(super) fn claim_twice(&mut self, n: u8, claim: Claim) -> Happened {
        let used = self.relay.links.iter().filter_map(|(link, Link { owner, fate })| match fate {
            Fate::Used { by, answer, proof, .. } => Some((*link, [*owner, *by], answer.clone(), proof.clone())),
            Fate::Free | Fate::Closed => None,
        });
        let used: Vec<_> = used.collect();
        let Some((line_link, users @ [owner, _], answer, seen)) = pick(&used, n).cloned() else { return Ok(false) };
        let Ok(Event::LineFormed { line_id: first, pair_hash, .. }) = Event::decode(&answer) else { return Ok(false) };
        let (mut line_id, mut pair_hash, mut proof) = (LineId::from(self.relay.token()), pair_hash, seen);
        match claim {
            Claim::SameProof => {}
            Claim::ForeignProof => proof = self.foreign_proof(),
            Claim::NoProof => proof = None,
            Claim::OtherPair => (line_id, pair_hash) = (first, PairHash::from([0; 32])),
            Claim::SameLine => match self.witness.lines_of(owner).find(|line_id| *line_id != first) {
                Some(taken) => line_id = taken,
                None => return Ok(false),
            },
        }
        self.relay.name(line_id, line_link, users);
        self.deliver(&Parcel::new(owner, &Event::LineFormed { line_link, line_id, pair_hash, proof }))
    }

    pub(super) fn answer_unasked(&mut self, to: u8, answer: Answer) -> Happened {
        let to = self.user(to);
        let links: Vec<_> = self.relay.links.keys().copied().collect();
        let fresh = LineLink::from(self.relay.token());
        // Most likely one that this client has scanned, or offers.
        let line_link = links.last().copied().unwrap_or(fresh);
        let event = match answer {
            Answer::Link => Event::LineLinkIssued { request_id: RequestId::from(self.relay.token()), line_link: fresh },
            Answer::SecondLink => {
                let mut asked = self.relay.issued.iter().filter(|((who, _), _)| *who == to);
                let Some(((_, request_id), first)) = asked.next_back() else { return Ok(false) };
                let another = links.iter().find(|link| *link != first).copied();
                Event::LineLinkIssued { request_id: *request_id, line_link: another.unwrap_or(fresh) }
            }
            Answer::Line => {
                let (line_id, pair_hash) = (LineId::from(self.relay.token()), PairHash::from([0; 32]));
                Event::LineFormed { line_link, line_id, pair_hash, proof: None }
            }
            Answer::Refusal => Event::Refused { line_link, reason: Reason::Claimed },
        };
        self.deliver(&Parcel::new(to, &event))
    }

    pub(super) fn forge(&mut self, n: u8, forgery: Forgery) -> Happened {
        let lines: Vec<_> = self.relay.lines.iter().map(|(line_id, ends)| (*line_id, ends.users)).collect();
        let Some((line_id, [owner, user])) = pick(&lines, n).copied() else { return Ok(false) };
        let payload = match forgery {
            Forgery::Disconnected(end) => {
                let to = if end == 0 { owner } else { user };
                return self.deliver(&Parcel::new(to, &Event::Disconnected { line_id }));
            }
            Forgery::Proof => match self.foreign_proof() {
                Some(proof) => Payload::Proof { proof }.to_vec(),
                None => return Ok(false),
            },
            Forgery::Packet => {
                let ciphertext = &self.relay.token();
                Payload::Sealed { content: Content::Message, nonce: Nonce { epoch: 0, counter: 7 }, ciphertext }
                    .to_vec()
            }
        };
        self.deliver(&Parcel::new(owner, &Event::Packet { line_id, payload: &payload }))
    }

    /// A good proof, of a Port that the relay made for itself.
    fn foreign_proof(&mut self) -> Option<Proof> {
        let alice = Alice::offer(self.relay.token().into(), Offer::new(), Seed::draw(&mut self.rng)).commit();
        let mut bob = Bob::scan(alice.port()?.clone(), Seed::draw(&mut self.rng)).commit();
        bob.connect(SendProof::OnBoard, self.now).ok()?.commit().find_map(|effect| match effect {
            BobEffect::Send(Request::Connect { proof, .. }) => proof,
            _ => None,
        })
    }
}

fn is_packet(parcel: &Parcel) -> bool {
    matches!(Event::decode(&parcel.event), Ok(Event::Packet { .. }))
}

/// Flips one bit, wherever that is.
pub(super) fn flip(bytes: &mut [u8], bit: u16) {
    let at = usize::from(bit / 8).checked_rem(bytes.len()).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1_u8.rotate_left(u32::from(bit % 8));
    }
}
