//! The steps that only introductions need: those of an Introducer, and what an Alice and a Line do beside.

use port_protocol::*;
use sha2::{Digest, Sha256};

use crate::common::cbor::Cbor;
use crate::common::{EXPIRY, of_line};
use crate::ledger::*;

/// What a contact's ticket is known by (§16.2): its secret is the second part of a seed.
pub fn ticket_of(contact: User, n: u8) -> TicketHash {
    let secret = Cbor::Bytes(seed_bytes(contact, n)[32..48].to_vec());
    let hashed = Cbor::Array(vec![Cbor::Text("port-protocol ticket".into()), secret]).write();
    <[u8; 32]>::from(Sha256::digest(hashed)).into()
}

/// The name that an introducer gives itself. No two introducers use the same.
pub fn name_of(user: User) -> IntroducerName {
    IntroducerName::new(["Alice", "Carol", "Dave"][usize::from(user)]).unwrap()
}

impl Kept {
    pub fn introducer(self) -> Introducer {
        Introducer::restore(&self.record).unwrap()
    }

    pub fn introducer_pending(self) -> Vec<Act> {
        self.introducer().pending().map(of_introducer).collect()
    }

    pub fn introducer_cleared(self) -> Option<Moved> {
        let mut introducer = self.introducer();
        introducer.clear_outbox().map(|step| self.made(step, of_introducer))
    }

    pub fn introducer_told(self, told: Told, now: UnixSeconds) -> Option<Moved> {
        let mut introducer = self.introducer();
        let RecordKey::Introducer(from) = self.key else { return None };
        let step = match told {
            Told::Introduces { n, expires } => {
                let expires = expires.then_some(EXPIRY);
                introducer.introduce(name_of(self.user), expires, seed_of(self.user, n), now).ok()
            }
            Told::HandedOver => introducer.mark_announced().ok(),
            Told::Said(said) => introducer.handle(&IntroducerMessage::decode(&said.to_vec()).unwrap(), from).ok(),
            Told::GivesUp => introducer.cancel().ok(),
            Told::Deadline => introducer.tick(now),
            _ => None,
        };
        step.map(|step| self.made(step, of_introducer))
    }
    /// What an Alice or a Line does about introductions.
    pub fn introduced(self, told: Told, now: UnixSeconds) -> Option<Moved> {
        match told {
            // As a step: nothing moves.
            Told::Hears { row, from, rows } => {
                let alice = Alice::restore(&self.record).unwrap();
                let accepts = alice.accept_ticket(row.get(), line_id(from), rows.into(), now);
                accepts.is_ok().then(|| Moved::to(self, Vec::new()))
            }
            Told::Seals(said) => {
                let (mut line, mut buffer) =
                    (Line::restore(&self.record).ok()?, [0; MAX_INTRODUCER_MESSAGE + SEAL_OVERHEAD]);
                let said = said.to_vec();
                let step =
                    line.seal_introducer_message(&IntroducerMessage::decode(&said).unwrap(), &mut buffer).ok()?;
                Some(self.made(step, |effect| act(self.user, of_line(effect))))
            }
            _ => None,
        }
    }
}

fn of_introducer(effect: IntroducerEffect<'_>) -> Act {
    match effect {
        IntroducerEffect::Announce(_, introduction) => Act::Tell(Said::of(&introduction)),
        IntroducerEffect::Ready(port) => Act::Hand(Shown::of(port.to_bytes().as_slice())),
        IntroducerEffect::Ended(_) => Act::Ended,
    }
}
