//! What comes when nobody disturbs, and what becomes of it.

use port_protocol::*;

use super::*;

impl State {
    /// Whether this is what an honest relay, or a user who goes on, may do now or again.
    pub fn honest(&self, scope: &Scope, user: User, place: Place, of: &Move) -> bool {
        let connects = |bob, port: User, with: Option<Number>| {
            self.known.iter().any(|fact| {
                matches!(fact, Fact::Connect { by, link, proof, .. }
                    if *by == bob && *link == port && (user != ALICE || *proof == with))
            })
        };
        let guest_of = |line| scope.guests.iter().find(|guest| pair_of(guest.user) == line);
        let other = |line| match contact_on(line) {
            Some(contact) => Some(if user == ALICE { contact } else { ALICE }),
            None if user == ALICE => guest_of(line).map(|guest| guest.user),
            None => Some(ALICE),
        };
        match (place, of.told) {
            _ if of.late => false,
            (Place::Port(n), Told::Comes { line, mark, proof, .. }) => {
                mark == MARK
                    && guest_of(line).is_some_and(|guest| connects(guest.user, n as User + 1, proof))
                    && !(of.moved.unknown && self.may_hear_of_him(n as User + 1))
            }
            (Place::Port(_), Told::Connected { line, mark, .. }) => {
                mark == MARK
                    && scope
                        .guest(user)
                        .is_some_and(|guest| pair_of(user) == line && connects(user, guest.through, None))
            }
            (Place::Line(line), Told::Packet(payload)) => {
                other(line).is_some_and(|by| self.knows(Fact::Packet { by, line, payload }))
            }
            (Place::Line(line), Told::Disconnected) => {
                other(line).is_some_and(|by| self.knows(Fact::Disconnect { by, line }))
            }
            (_, Told::Connect(_) | Told::Introduces { .. } | Told::Seals(Said::Grant(_))) => true,
            _ => false,
        }
    }

    /// §16.7: whether the line of Alice and this contact holds something unread.
    fn may_hear_of_him(&self, contact: User) -> bool {
        let line = line_with(contact);
        self.held(ALICE, Place::Line(line)).is_some_and(|held| {
            self.known.iter().any(|fact| {
                matches!(*fact, Fact::Packet { by, line: along, payload }
                    if by == contact && along == line && held.told(Told::Packet(payload), false).is_some())
            })
        })
    }

    /// What a contact may lie to Alice: of any ticket that was made, for any contact port, in either name.
    pub fn lies(&self, contact: User, contacts: &[User]) -> Vec<Said> {
        let mut rows = self.said.clone();
        for &other in contacts {
            let pending = self.held(other, Place::Port(0)).map(Kept::pending).unwrap_or_default();
            rows.extend(pending.iter().filter_map(|act| match *act {
                Act::Tell(Said::Ticket(row)) => Some(row),
                _ => None,
            }));
        }
        let lies =
            rows.iter().flat_map(|row| contacts.iter().map(move |of| (row.get(), *of))).flat_map(|(told, of)| {
                [CAROL, DAVE].map(|by| TicketNotice { line_link: link(of), name: name_of(by), ..told.clone() })
            });
        let mut lies: Vec<_> = lies.map(|told| Said::Ticket(TicketRow::of(&told))).collect();
        lies.sort_unstable();
        lies.dedup();
        lies.retain(|said| !matches!(said, Said::Ticket(row) if self.heard.contains(&(line_with(contact), *row))));
        lies
    }
}
