//! `--tamper`: a relay that flips bits.

use std::error::Error;

use port_protocol::{Event, Payload};

use crate::machines::Stop;
use crate::relay::User;
use crate::show::note;
use crate::world::World;

/// What the relay does to what it delivers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    Nothing,
    /// Each packet comes with a flipped bit first, then as it was sent.
    EachPacket,
    /// The same, but the bit is one of the proof.
    Proof,
}

impl World {
    /// Flips a bit, delivers that first, and sees to it that nothing came of it.
    pub fn tamper(&mut self, to: User, event: &[u8]) -> Result<(), Box<dyn Error>> {
        let Some(place) = place_to_flip(self.tamper, event) else { return Ok(()) };
        let mut flipped = event.to_vec();
        flipped.get_mut(place).map(|byte| *byte ^= 1).ok_or("an event of no length")?;
        if self.tamper == Tamper::Proof {
            note(&format!("⚡ bit 0 of byte {place} of what follows is flipped, which is in the proof"));
            return Ok(self.deliver(to, &flipped)?);
        }
        let client = self.client(to);
        let before = client.store.tables.clone();
        let refused = client.receive(&flipped);
        if let (true, Err(Stop::Rejected(why))) = (before == client.store.tables, refused) {
            note(&format!("⚡ bit 0 of byte {place} flipped: refused, {why} ({why:?}). {to}'s records: unchanged"));
            self.flipped += 1;
            return Ok(());
        }
        Err("a flipped bit went through".into())
    }
}

/// A byte where the receiver can tell: the last one of what carries a proof or is sealed, else the version.
///
/// The rest is for the relay to say: which link, which line, which user. A line of which its two ends were told different names is never
/// confirmed, and one that nobody asked for is disconnected. And a bit of the proof uses the Port up: that is another run.
fn place_to_flip(tamper: Tamper, event: &[u8]) -> Option<usize> {
    /// `[1, …]`: behind the array's head (SPEC.md, §7).
    const VERSION: usize = 1;
    let last = event.len().checked_sub(1);
    let payload = match Event::decode(event) {
        Ok(Event::Packet { payload, .. }) => Payload::decode(payload).ok(),
        Ok(Event::LineFormed { proof: Some(proof), .. }) => Some(Payload::Proof { proof }),
        _ => None,
    };
    match (tamper, payload) {
        (Tamper::EachPacket, Some(Payload::Sealed { .. })) | (Tamper::Proof, Some(Payload::Proof { .. })) => last,
        (Tamper::EachPacket, _) => Some(VERSION),
        (Tamper::Nothing | Tamper::Proof, _) => None,
    }
}
