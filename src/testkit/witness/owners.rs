//! Whom a Port's maker lets in: as many as he wants (§14), by whom he is told (§16), and nobody any more once he took it back.

use alloc::string::ToString;

use super::{Violation, Witness};
use crate::{Alice, AliceEnd, AlicePhase, Key, Kind, Line, LineLink, Machine, Name, Port, PortHash, Uses};

impl Witness {
    /// The user wants it to be for so many.
    pub(in super::super) fn allows(&mut self, key: Key, uses: Uses) {
        let uses = match uses {
            Uses::Once => 1,
            Uses::UpTo(n) => n,
            Uses::Unlimited => u32::MAX,
        };
        if let Some(public_key) = self.public_keys.get(&key) {
            let limit = self.limits.entry(*public_key).or_default();
            *limit = (*limit).max(uses);
        }
    }

    pub(super) fn makes(&mut self, who: usize, port: &Port) {
        self.makers.entry(port.hash()).or_insert((who, port.line_link));
        if port.kind() != Kind::Port {
            let public_key = *port.public_key.as_bytes();
            self.many.insert(port.hash(), public_key);
            self.public_keys.insert(Key::LineLink(port.line_link), public_key);
        }
    }

    /// Randomness for a ticket.
    pub(in super::super) fn introduces(&mut self, who: usize, key: Key, name: &Name, seed: &[u8; 64]) {
        self.introducers.insert(name.as_str().to_string(), (who, key));
        if let ([_, _, secret, _], _) = seed.as_chunks() {
            self.secrets.insert(*secret);
        }
    }

    pub(in super::super) fn has_introductions(&self) -> bool {
        !self.introducers.is_empty()
    }

    /// The user took it back, and nothing came between.
    pub(in super::super) fn withdraws(&mut self, who: usize, key: Key) {
        if let Key::LineLink(line_link) = key
            && self.makers.values().any(|made| *made == (who, line_link))
        {
            self.over.insert((who, line_link));
        }
    }

    pub(in super::super) fn gives_up(&mut self, who: usize, key: Key) {
        self.unwanted.insert((who, key));
    }

    pub(super) fn sees_alice(&mut self, who: usize, alice: &Alice) -> Result<(), Violation> {
        // Shown to nobody as it is, but granted.
        if let Some(port) = alice.port().filter(|port| port.kind() == Kind::ContactPort) {
            self.makes(who, port);
        }
        let is_many = |(port, made): (&PortHash, &(usize, LineLink))| {
            Key::LineLink(made.1) == alice.key() && self.many.contains_key(port)
        };
        if alice.phase() == AlicePhase::Ended(AliceEnd::Revoked)
            && self.makers.iter().any(is_many)
            && !self.unwanted.contains(&(who, alice.key()))
            && !self.rolled_back.contains(&who)
        {
            return Err(Violation::Revoked(who));
        }
        Ok(())
    }

    pub(super) fn is_over(&self, who: usize, port: PortHash) -> bool {
        let made = self.makers.get(&port);
        made.is_some_and(|(maker, line_link)| *maker == who && self.over.contains(&(who, *line_link)))
    }

    /// At Alice's: one line of each ticket, and it is the introducer's line that she was told of it by.
    pub(super) fn sees_introduced(&mut self, who: usize, line: &Line) -> Result<(), Violation> {
        let Some((introduced, by)) = line.introduced().and_then(|introduced| Some((introduced, introduced.by?))) else {
            return Ok(());
        };
        let name = introduced.name.as_str();
        let claims = line.claims();
        if *self.introduced.entry((who, name.to_string())).or_insert(claims) != claims {
            return Err(Violation::TicketTwice(who));
        }
        let Some((introducer, key)) = self.introducers.get(name) else { return Err(Violation::NotIntroduced(who)) };
        let is_mine = *key == Key::Granted(by);
        // A line that was rolled back may be anybody's now.
        let told = [who, *introducer].iter().any(|who| self.rolled_back.contains(who))
            || self.other_end(who, by).is_some_and(|(other, ..)| other == *introducer);
        if is_mine && told { Ok(()) } else { Err(Violation::NotIntroduced(who)) }
    }

    /// The lines of a Port for many at its maker's. Who is rolled back has forgotten how many there were (§11).
    pub(super) fn counts(&self, who: usize, port: PortHash) -> Result<(), Violation> {
        let lines = self.lines.iter().filter(|((of, _), line)| *of == who && line.port == port).count();
        let limit = self.many.get(&port).and_then(|key| self.limits.get(key)).copied().unwrap_or_default();
        let over = u32::try_from(lines).is_ok_and(|lines| lines > limit);
        if over && !self.rolled_back.contains(&who) { Err(Violation::OverLimit(who)) } else { Ok(()) }
    }
}
