//! What a use of a contact port must not be, asked as it is made.

use port_protocol::*;

use super::*;

impl State {
    /// What this use must not be.
    pub fn judge(&mut self, user: User, place: Place, of: &Move, guests: &[Guest]) {
        let (Told::Comes { proof: Some(proof), .. }, Place::Port(n), Some(before)) =
            (of.told, place, self.held(user, place))
        else {
            return;
        };
        let (contact, moved) = (n as User + 1, of.moved);
        let marked = moved.once.is_some_and(|mark| self.marks.contains(&mark));
        let born = !marked && moved.acts.iter().any(|act| matches!(act, Act::Adopt(_)));
        self.broken.counted_refused |= !born && !marked && moved.next.used > before.used;
        // The maker of this proof has a ticket, even if the proof was altered since.
        let maker = self.known.iter().find_map(|fact| match *fact {
            Fact::Connect { by, proof: Some(known), .. } if known == proof.original() => Some(by),
            _ => None,
        });
        let ticket =
            guests.iter().find(|guest| Some(guest.user) == maker).map(|guest| ticket_of(guest.by, guest.ticket));
        let Some(ticket) = ticket else {
            self.broken.not_told |= born;
            return;
        };
        let row_of = |row: &TicketRow| row.get().ticket == ticket && row.link() == contact;
        if let (Some(policy), true) = (before.policy, of.late && proof == proof.original()) {
            let takes = !policy.is_paused() && policy.use_limit() != UseLimit::UpTo(before.used);
            if takes
                && before.port.as_ref().is_some_and(|port| port.expires().is_none())
                && self.rows.iter().any(row_of)
            {
                insert(&mut self.expired, ticket);
            }
        }
        if !born {
            return;
        }
        let policy = before.policy.unwrap();
        let limit = if let UseLimit::UpTo(limit) = policy.use_limit() { limit as usize } else { usize::MAX };
        let uses = self.used.iter().filter(|(_, by)| *by == contact).count();
        self.broken.ticket_twice |= self.used.iter().any(|(used, _)| *used == ticket);
        self.broken.over_limit |= !self.rolled_back && (uses >= limit || policy.is_paused());
        self.broken.after_withdrawal |= !self.rolled_back && self.withdrawn[n];
        self.broken.not_told |= !self.heard.iter().any(|(line, row)| *line == line_with(contact) && row_of(row));
        self.broken.revived |= self.expired.contains(&ticket);
        insert(&mut self.used, (ticket, contact));
    }
}
