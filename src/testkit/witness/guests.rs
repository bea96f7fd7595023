//! Visitors: a Port's maker lets in as many as the limit says, when the policy says, with approval if it is required (§14), by the
//! introducer who made the ticket (§16), and nobody once the Port is over.

use alloc::collections::BTreeMap;
use alloc::string::ToString;

use super::{Violation, Witness};
use crate::{
    IntroducerName, Line, LineId, LineLink, LinePhase, MAX_TICKETS, PortHash, RecordKey, TicketNotice, UnixSeconds,
};

impl Witness {
    /// A user is about to make a ticket, of this randomness, that is good until then.
    pub(in super::super) fn introduces(
        &mut self,
        who: usize,
        key: RecordKey,
        name: &IntroducerName,
        expires: Option<UnixSeconds>,
        seed: &[u8; 64],
    ) {
        self.introducers.insert(name.as_str().to_string(), (who, key));
        self.expiries.extend(expires.map(|expires| (name.as_str().to_string(), expires)));
        self.keeps_block(seed);
    }

    pub(in super::super) fn has_introductions(&self) -> bool {
        !self.introducers.is_empty()
    }

    /// The user approves a visitor, or declines.
    pub(in super::super) fn decides(&mut self, who: usize, line_id: LineId, accept: bool) {
        self.let_in.extend(accept.then_some((who, line_id)));
    }

    /// §16.4.
    pub(in super::super) fn looks_at_rows(&self, who: usize, rows: &[TicketNotice]) -> Result<(), Violation> {
        let mut counts = BTreeMap::<LineLink, usize>::new();
        for row in rows {
            let count = counts.entry(row.line_link).or_default();
            *count = count.saturating_add(1);
        }
        if counts.values().all(|count| *count <= MAX_TICKETS) { Ok(()) } else { Err(Violation::TooManyTickets(who)) }
    }

    /// A line is seen for the first time.
    pub(super) fn comes(&mut self, who: usize, line: &Line) -> Result<(), Violation> {
        let (line_id, port) = (line.claims().line_id, line.port());
        if self.lines.contains_key(&(who, line_id)) || !self.came.insert((who, line_id, port)) {
            Ok(())
        } else if self.is_over(who, port) {
            Err(Violation::AfterWithdrawal(who))
        } else if self.has_expired(who, line) {
            Err(Violation::AfterExpiry(who))
        } else if self.is_paused(who, port) {
            Err(Violation::WhilePaused(who))
        } else {
            Ok(())
        }
    }

    pub(super) fn is_over(&self, who: usize, port: PortHash) -> bool {
        let made = self.makers.get(&port);
        // Not a Port that the maker used itself, after the Alice that had its key was deleted.
        let is_over = |name| self.over.contains(&name) && !self.forgotten.contains(&name);
        made.is_some_and(|made| made.by == who && is_over((who, made.line_link)))
    }

    /// Whether the Port of a line has expired: at either end by what the Port says; at its maker also by the policy, and by the ticket.
    fn has_expired(&self, who: usize, line: &Line) -> bool {
        let Some(made) = self.makers.get(&line.port()) else { return false };
        let wished = self.wishes.get(&made.public_key).and_then(|wish| wish.expires);
        let ticket = line.introduced().and_then(|introduced| self.expiries.get(introduced.name.as_str()).copied());
        let of_maker = [wished, ticket].into_iter().flatten().filter(|_| made.by == who);
        of_maker.chain(made.expires).any(|expires| self.now >= expires)
    }

    /// Whether every policy that the Port may have is paused.
    fn is_paused(&self, who: usize, port: PortHash) -> bool {
        let made = self.makers.get(&port).filter(|made| made.by == who);
        let may_be = made.and_then(|made| self.policies.get(&(who, RecordKey::LineLink(made.line_link))));
        may_be.is_some_and(|may_be| may_be.iter().all(crate::Policy::is_paused))
    }

    /// §14.5.
    pub(super) fn is_let_in_unapproved(&self, who: usize, line: &Line) -> bool {
        let made = self.makers.get(&line.port()).filter(|made| made.by == who);
        let asks = made.and_then(|made| self.wishes.get(&made.public_key)).is_some_and(|wish| wish.asks);
        asks && matches!(line.phase(), LinePhase::Joined | LinePhase::Confirmed)
            && !self.let_in.contains(&(who, line.claims().line_id))
    }

    /// At Alice's end: each ticket forms one line, and that line names the introducer's line along which the ticket was announced.
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
        let is_mine = *key == RecordKey::Introducer(by);
        // After a roll-back that line may be another one.
        let told = [who, *introducer].iter().any(|who| self.rolled_back.contains(who))
            || self.other_end(who, by).is_some_and(|(other, ..)| other == *introducer);
        if is_mine && told { Ok(()) } else { Err(Violation::NotIntroduced(who)) }
    }

    /// Counts the lines of a Port for many at its maker. A maker that was rolled back has forgotten how many there were (§11).
    pub(super) fn counts(&self, who: usize, port: PortHash) -> Result<(), Violation> {
        let lines = self.lines.iter().filter(|((of, _), line)| *of == who && line.port == port).count();
        let wish = self.makers.get(&port).and_then(|made| self.wishes.get(&made.public_key));
        let over = u32::try_from(lines).is_ok_and(|lines| lines > wish.map_or(0, |wish| wish.uses));
        if over && !self.rolled_back.contains(&who) { Err(Violation::OverLimit(who)) } else { Ok(()) }
    }
}
