//! What happens to a Port for many, in each of its ways.

use super::*;

fn many() -> PortOptions {
    PortOptions::new().policy(Policy::unlimited())
}

/// Two guests of a Superport that was asked for. What Bob says before it hears Alice comes in every order.
fn a_superport() -> Host {
    let mut host = Host::requesting(many());
    host.issue();
    host.clear_alice();
    host.clear_alice(); // Nothing
    let proof = host.come(BOB_1);
    host.alice(formed(BOB_1, proof.clone()));
    host.new_line(BOB_1, AtAlice);
    let confirm = host.log.sent();
    let other = host.come(BOB_2);
    host.bob(BOB_1, connected(BOB_1));
    host.new_line(BOB_1, AtBob);

    // Epoch 0: Bob's early messages, the first of them late. Alice seals in epoch 1 at once.
    let late = host.seal(BOB_1, AtBob, "one", b"");
    let second = host.seal(BOB_1, AtBob, "two", b"first words");
    host.open(BOB_1, AtAlice, &second, b"first words"); // and Confirm again
    host.open(BOB_1, AtAlice, &second, b"first words"); // Duplicate
    host.packet(BOB_1, AtAlice, &second); // Forged: other data
    let early = host.seal(BOB_1, AtAlice, "hello Bob", b"");
    host.packet(BOB_1, AtBob, &early); // TooEarly
    host.packet(BOB_1, AtBob, &confirm);
    let answer = host.log.sent();
    host.clear_outbox(BOB_1, AtBob);
    host.packet(BOB_1, AtBob, &early);

    // Epoch 1.
    let message = host.seal(BOB_1, AtBob, "hello Alice", b"");
    host.packet(BOB_1, AtAlice, &message); // before the Answer: confirmed by it
    host.packet(BOB_1, AtAlice, &answer); // one of two came
    host.packet(BOB_1, AtAlice, &answer); // Duplicate
    host.tick(BOB_1, AtAlice); // NotYet
    host.packet(BOB_1, AtAlice, &late); // all came
    host.packet(BOB_1, AtAlice, &late); // Forged: its key is gone
    host.packet(BOB_1, AtBob, &confirm); // the same Answer
    let mut other_confirm = confirm.clone();
    *other_confirm.last_mut().unwrap() ^= 1;
    host.packet(BOB_1, AtBob, &other_confirm); // Forged: its key is gone
    host.clear_outbox(BOB_1, AtBob);
    let padded = host.seal(BOB_1, AtAlice, "", b"data");
    host.open(BOB_1, AtBob, &padded, b"data");

    // The other guest. The proof is inline, whatever Bob asks for.
    let confirm = host.admit(BOB_2, other);
    host.dropped(BOB_2, AtAlice);
    host.confirm(BOB_2, &confirm);
    host.packet(BOB_2, AtBob, &message); // Forged: another's
    host.close(BOB_1, AtAlice);
    let close = host.log.sent();
    host.packet(BOB_1, AtBob, &close);
    host.clear_outbox(BOB_1, AtBob);
    host.clear_outbox(BOB_1, AtAlice);
    host
}

/// A message of Bob's that never comes; a proof along the line that travels inline all the same; everything a Port can carry.
fn a_week_later() -> Host {
    let mut host = Host::offering(many().expires(at(NOW.as_secs() + 2 * WEEK)).relay(relay(RELAY)));
    host.scan(BOB_1, None);
    let proof = host.connect(BOB_1, SendProof::AlongTheLine);
    let confirm = host.admit(BOB_1, proof);
    let lost = host.seal(BOB_1, AtBob, "lost", b"");
    host.now = LATER;
    host.packet(BOB_1, AtBob, &confirm);
    let answer = host.log.sent();
    host.packet(BOB_1, AtAlice, &answer);
    host.now = at(NOW.as_secs() + DAY - 1);
    host.tick(BOB_1, AtAlice); // NotYet
    host.look_for_a_week(BOB_1);
    host.tick(BOB_1, AtAlice); // NotYet: never more
    host.packet(BOB_1, AtAlice, &lost); // Forged
    // Neither heard the other for a week: Confirm stays, and is sent again.
    host.now = NOW;
    let confirm = host.join(BOB_2);
    host.look_for_a_week(BOB_2);
    host.confirm(BOB_2, &confirm);
    host.now = at(NOW.as_secs() + 2 * WEEK);
    let proof = host.come(BOB_3); // Expired
    assert!(proof.is_none());
    host.tick_alice();
    host.clear_alice();
    host
}

/// A clock that jumps ends nothing: no event ends a span, and a look at it counts for a day at most.
fn a_clock_that_jumps() -> Host {
    let mut host = Host::offering(many());
    let confirm = host.join(BOB_1);
    let late = host.seal(BOB_1, AtBob, "late", b"");
    let later = host.seal(BOB_1, AtBob, "later", b"");
    host.now = at(NOW.as_secs() + WEEK);
    host.packet(BOB_1, AtAlice, &late);
    host.now = at(NOW.as_secs() + 52 * WEEK);
    host.tick(BOB_1, AtAlice);
    host.tick(BOB_1, AtAlice); // NotYet
    host.packet(BOB_1, AtAlice, &later);
    host.confirm(BOB_1, &confirm); // all came
    host
}

/// Bob closes before it hears Alice; Alice closes before Bob is confirmed.
fn closed_in_epoch_0() -> Host {
    let mut host = Host::offering(many());
    let _ = host.join(BOB_1);
    host.close(BOB_1, AtBob);
    let close = host.log.sent();
    host.packet(BOB_1, AtAlice, &close);
    host.clear_outbox(BOB_1, AtAlice);
    let confirm = host.join(BOB_2);
    host.close(BOB_2, AtAlice);
    let close = host.log.sent();
    host.packet(BOB_2, AtBob, &close); // TooEarly
    host.packet(BOB_2, AtBob, &confirm);
    host.packet(BOB_2, AtBob, &close);
    host
}

/// The last message that Bob may seal before it hears Alice, and what the key of epoch 0 opens beside it.
fn sixty_four() -> Host {
    let mut host = Host::offering(many());
    let confirm = host.join(BOB_1);
    let at_bob = host.guests[BOB_1].lines[AtBob as usize].take().unwrap();
    let (record, key) = (with_counters(&at_bob, 63, None), super::packets::key_of(&at_bob));
    host.keep(BOB_1, AtBob, "restore", &record, &at_bob);
    let last = host.seal(BOB_1, AtBob, "the last", b"");
    assert!(host.seal(BOB_1, AtBob, "one more", b"").is_empty()); // Unconfirmed
    host.packet(BOB_1, AtAlice, &last);
    for (content, counter, text) in [
        (PacketKind::EarlyMessage, 64, &b"too far"[..]), // Duplicate
        (PacketKind::Message, 0, b"of epoch 1"),         // OutOfOrder
        (PacketKind::Confirm, 0, b""),                   // Forged: its text has 32 bytes
        (PacketKind::Confirm, 0, &[9; 32]),              // OutOfOrder
        (PacketKind::Answer, 0, b""),                    // Forged: its text has one byte
        (PacketKind::Answer, 0, &[1]),                   // OutOfOrder
    ] {
        let packet = sealed(&key, content, 0, counter, text, b"");
        host.packet(BOB_1, AtAlice, &packet);
    }
    let packet = sealed(&key, PacketKind::EarlyMessage, 2, 0, b"no such epoch", b"");
    host.packet(BOB_1, AtAlice, &packet); // Forged
    host.confirm(BOB_1, &confirm); // Bob sent 64
    host
}

/// Limit, pause, bad proofs: what is refused uses nothing up, and looks alike.
fn at_the_limit() -> Host {
    let mut host = Host::offering(PortOptions::new().policy(Policy::up_to(1)));
    let (first, second, third) = (host.come(BOB_1), host.come(BOB_2), host.come(BOB_3));
    host.alice(formed(BOB_3, None)); // UnwantedLine
    host.alice(formed(BOB_3, Some(proof_of(&[9; 32], &[1; 48]).1))); // UnwantedLine
    host.alice(formed(BOB_3, Some(proof_of(&[0; 32], &[1; 48]).1))); // UnwantedLine
    host.alice(formed(BOB_3, Some(proof_of(&[9; 32], &[1; 64]).1))); // UnwantedLine
    let confirm = host.admit(BOB_1, first); // and the relay is told that it is full
    host.confirm(BOB_1, &confirm);
    host.alice(formed(BOB_2, second.clone())); // UnwantedLine
    host.set_policy(Policy::up_to(1).on_repeat(OnRepeat::Refuse)); // nothing to tell
    host.set_policy(Policy::up_to(2).on_repeat(OnRepeat::Refuse));
    host.clear_alice();
    host.set_policy(Policy::up_to(2).on_repeat(OnRepeat::Refuse).paused(true));
    host.set_policy(Policy::up_to(2).on_repeat(OnRepeat::Refuse)); // not cleared in between: the higher version counts
    host.tables.relationship = Relationship::Blocked;
    host.alice(formed(BOB_2, second.clone())); // UnwantedLine
    host.tables.relationship = Relationship::Connected(OLD_LINE.into());
    host.alice(formed(BOB_2, second.clone())); // UnwantedLine
    host.set_policy(Policy::up_to(2).on_repeat(OnRepeat::Replace).closes_at(Some(LATER)));
    let confirm = host.admit(BOB_2, second);
    host.confirm(BOB_2, &confirm);
    host.set_policy(Policy::up_to(1)); // below what was used
    host.set_policy(Policy::once()); // PolicyMismatch
    host.set_policy(Policy::unlimited().on_repeat(OnRepeat::Allow));
    host.tables.port_of_line = Some(host.port_hash());
    host.alice(formed(BOB_2, None)); // Duplicate: the caller has a record of this line
    host.tables.port_of_line = Some([5; 32].into());
    host.alice(formed(BOB_2, None)); // FalseLine: it is another Port's
    host.tables.port_of_line = None;
    host.tables.relationship = Relationship::Connected(OLD_LINE.into());
    let _ = host.admit(BOB_3, third); // replaces nothing, at Alice
    host.tables.port_of_line = Some([5; 32].into());
    host.revoke();
    host.alice(formed(BOB_1, None)); // Duplicate
    host.tables.port_of_line = None;
    host.alice(formed(BOB_1, None)); // UnwantedLine
    host.set_policy(Policy::unlimited()); // OutOfOrder
    host.clear_alice();
    host
}

/// The end of the policy, which the Port does not say.
fn closes() -> Host {
    let mut host = Host::offering(many().policy(Policy::unlimited().closes_at(Some(LATER))));
    let proof = host.come(BOB_1);
    host.clear_alice();
    host.now = LATER;
    host.alice(formed(BOB_1, proof)); // Expired, and both are told
    host.clear_alice();
    host
}

/// It does not hold for a proof to come: the Port was used in time.
fn closes_before_the_proof() -> Host {
    let mut host = Host::offering(PortOptions::new().policy(Policy::once().closes_at(Some(LATER))));
    host.scan(BOB_1, None);
    let _ = host.connect(BOB_1, SendProof::AlongTheLine);
    host.bob(BOB_1, connected(BOB_1));
    host.new_line(BOB_1, AtBob);
    let proof = host.log.sent();
    host.alice(formed(BOB_1, None));
    host.new_line(BOB_1, AtAlice);
    host.now = LATER;
    host.tick(BOB_1, AtAlice); // NotYet
    host.packet(BOB_1, AtAlice, &proof);
    host
}

fn requesting() -> Host {
    let mut host = Host::requesting(many().policy(Policy::up_to(3)));
    host.set_policy(Policy::once()); // PolicyMismatch
    host.set_policy(Policy::up_to(3).paused(true).closes_at(Some(LATER)));
    host.issue();
    host.clear_alice();
    host.tick_alice(); // NotYet
    host.now = LATER;
    host.tick_alice();
    host
}

/// A Superport that requires approval. Bob speaks, and is not answered before the approval.
fn a_superport_that_requires_approval() -> Host {
    let mut host = Host::offering(PortOptions::new().policy(Policy::up_to(9).require_approval(true)));
    for n in [BOB_1, BOB_2, BOB_3] {
        let nothing = host.join(n);
        assert!(nothing.is_empty());
    }
    let early = host.seal(BOB_1, AtBob, "it is me", b"");
    host.now = LATER;
    host.packet(BOB_1, AtAlice, &early); // TooEarly
    host.dropped(BOB_1, AtAlice); // OutOfOrder
    let _ = host.seal(BOB_1, AtAlice, "who?", b""); // NotJoined
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.accept(BOB_1); // OutOfOrder
    host.decline(BOB_1); // OutOfOrder
    host.packet(BOB_1, AtAlice, &early);
    host.confirm(BOB_1, &confirm);

    host.decline(BOB_2);
    host.clear_outbox(BOB_2, AtAlice);
    host.decline(BOB_2); // OutOfOrder

    host.now = at(NOW.as_secs() + WEEK);
    host.tick(BOB_3, AtAlice); // NotYet: an approval may take any time
    host.close(BOB_3, AtAlice); // nothing is said to Bob
    host
}

/// A Port for one use that requires approval: with the proof along the line, and inline.
fn a_port_that_requires_approval() -> Host {
    let mut host = Host::offering(PortOptions::new().policy(Policy::once().require_approval(true)));
    host.scan(BOB_1, None);
    let _ = host.connect(BOB_1, SendProof::AlongTheLine);
    host.bob(BOB_1, connected(BOB_1));
    host.new_line(BOB_1, AtBob);
    let proof = host.log.sent();
    host.alice(formed(BOB_1, None));
    host.new_line(BOB_1, AtAlice);
    host.accept(BOB_1); // OutOfOrder
    host.packet(BOB_1, AtAlice, &proof);
    host.packet(BOB_1, AtAlice, &proof); // OutOfOrder
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.confirm(BOB_1, &confirm);
    host
}

fn a_port_that_is_declined() -> Host {
    let mut host = Host::offering(PortOptions::new().policy(Policy::once().require_approval(true)));
    let proof = host.come(BOB_1);
    host.alice(formed(BOB_1, proof));
    host.new_line(BOB_1, AtAlice);
    host.decline(BOB_1);
    host
}

/// A plain Port's policy: it stays a plain Port, and the first use spends it.
fn a_plain_port(policy: Policy, relationship: Relationship) -> Host {
    let mut host = Host::offering(PortOptions::new());
    host.set_policy(Policy::unlimited()); // PolicyMismatch
    host.set_policy(policy);
    host.clear_alice();
    let proof = host.come(BOB_1);
    host.tables.relationship = relationship;
    host.alice(formed(BOB_1, proof));
    host.clear_alice();
    host.bob(BOB_1, connected(BOB_1));
    host.clear_bob(BOB_1);
    host
}

/// The relay names a line of another Port: each machine is told, and the line is not ended.
fn a_line_of_another_port() -> Host {
    let mut host = Host::offering(PortOptions::new());
    let proof = host.come(BOB_1);
    host.tables.port_of_line = Some([5; 32].into());
    host.alice(formed(BOB_1, proof.clone())); // ended: FalseLine
    host.alice(formed(BOB_1, proof)); // Duplicate
    host.clear_alice();
    host.bob(BOB_1, connected(BOB_1)); // ended: FalseLine
    host.clear_bob(BOB_1);
    host
}

/// The relay has not heard yet that the Port is for many, and takes it for used. That is no end (§14.2).
fn used_before_the_relay_knows() -> Host {
    let mut host = Host::offering(many());
    let proof = host.come(BOB_1);
    host.bob(BOB_1, refused_to(SEEDS[BOB_1], Reason::UsedByAnother)); // Paused
    host.bob(BOB_1, refused_to(SEEDS[BOB_1], Reason::Paused)); // Paused
    let _ = host.admit(BOB_1, proof);
    let _ = host.come(BOB_2);
    host.bob(BOB_2, refused_to(SEEDS[BOB_2], Reason::UsedByYou)); // ended: Refused(UsedByYou)
    host.alice(Event::LineLinkLost { line_link: LINE_LINK.into() }); // ended: LinkLost
    host
}

/// The record of a line stood, and those of the machines that formed it were rolled back: the line is not formed again, and not ended.
fn a_line_that_is_there() -> Host {
    let mut host = Host::offering(PortOptions::new());
    let proof = host.come(BOB_1);
    host.tables.port_of_line = Some(host.port_hash());
    host.alice(formed(BOB_1, proof.clone())); // Spent with that line; the mark is there
    host.alice(formed(BOB_1, proof.clone())); // Duplicate: it is this Port's line
    host.alice(formed(BOB_2, proof.clone())); // Duplicate: it is another's
    host.bob(BOB_1, connected(BOB_1)); // ended: Refused(UsedByYou)
    host.bob(BOB_1, connected(BOB_1)); // Duplicate
    host.clear_bob(BOB_1);
    host.tables.port_of_line = None;
    host.alice(formed(BOB_2, proof)); // UnwantedLine
    host.bob(BOB_1, connected(BOB_1)); // UnwantedLine
    host
}

/// What Alice's caller keeps of it.
fn notice(host: &Host, ticket: &Cbor) -> TicketNotice {
    let port = host.port_with(Some(ticket));
    let ticket = port.ticket().unwrap();
    TicketNotice {
        line_link: LINE_LINK.into(),
        ticket: ticket.hash(),
        name: ticket.name().clone(),
        expires: ticket.expires(),
    }
}

/// Carol's contact port: three of its tickets, one of them expired, and what is none.
fn a_contact_port() -> Host {
    let policy = Policy::unlimited();
    let mut host = Host::offering(PortOptions::new().introducer(INTRODUCER.into()).policy(policy).relay(relay(RELAY)));
    host.clear_alice();
    let tickets = [
        ticket(0x33, "Carol", None),
        ticket(0x44, "", Some(LATER.as_secs())),
        ticket(0x55, &"c".repeat(32), Some(NOW.as_secs())),
    ];
    let mut proofs = Vec::new();
    for (n, ticket) in tickets.iter().enumerate() {
        host.scan(n, Some(ticket));
        proofs.push(host.connect(n, SendProof::Inline));
    }
    host.alice(formed(BOB_1, proofs[0].clone())); // UnknownTicket
    host.tables.tickets = tickets.iter().map(|ticket| notice(&host, ticket)).collect();
    host.tables.tickets[0].line_link = counting(0x77).into();
    host.alice(formed(BOB_1, proofs[0].clone())); // UnwantedLine: of another contact port
    host.tables.tickets[0].line_link = LINE_LINK.into();
    host.alice(formed(BOB_1, None)); // UnwantedLine
    host.alice(formed(BOB_1, Some(proof_of(&[9; 32], &[1; 64]).1))); // UnwantedLine
    host.alice(formed(BOB_1, Some(proof_of(&[9; 32], &[1; 48]).1))); // UnwantedLine
    host.alice(formed(BOB_3, proofs[2].clone())); // consumed: it has expired
    host.tables.tickets.pop();
    host.alice(formed(BOB_3, proofs[2].clone())); // UnknownTicket
    for n in [BOB_1, BOB_2] {
        let confirm = host.admit(n, proofs[n].clone());
        host.tables.tickets.remove(0);
        let early = host.seal(n, AtBob, "Carol sends me", b"");
        host.packet(n, AtAlice, &early);
        host.confirm(n, &confirm);
    }
    host.alice(formed(BOB_3, proofs[0].clone())); // UnknownTicket: it was used
    host.revoke();
    host
}

/// By default a contact port is good for one, and the relay is told nothing of it but that it admits many.
fn a_contact_port_for_one() -> Host {
    let mut host = Host::requesting(PortOptions::new().introducer(INTRODUCER.into()).expires(LATER));
    host.set_policy(Policy::once().require_approval(true));
    host.issue();
    host.clear_alice();
    // Carol told Alice another name than Bob: Bob's end is never confirmed.
    let of_bob = ticket(0x33, "Karl", None);
    host.scan(BOB_1, Some(&of_bob));
    let proof = host.connect(BOB_1, SendProof::Inline);
    host.tables.tickets = vec![notice(&host, &ticket(0x33, "Carol", None))];
    let _ = host.admit(BOB_1, proof);
    host.accept(BOB_1);
    let confirm = host.log.sent();
    host.packet(BOB_1, AtBob, &confirm); // Forged
    host.now = LATER;
    host.tick_alice();
    host
}

pub fn plays() -> BTreeMap<&'static str, Host> {
    let plain = |policy: Policy, relationship| a_plain_port(policy, relationship);
    let connected = Relationship::Connected(OLD_LINE.into());
    BTreeMap::from([
        ("a Superport", a_superport()),
        ("a week later", a_week_later()),
        ("a clock that jumps", a_clock_that_jumps()),
        ("closed in epoch 0", closed_in_epoch_0()),
        ("sixty-four early messages", sixty_four()),
        ("at the limit", at_the_limit()),
        ("closes at a time", closes()),
        ("closes at a time, before the proof", closes_before_the_proof()),
        ("requesting", requesting()),
        ("a Superport that requires approval", a_superport_that_requires_approval()),
        ("a Port that requires approval: accepted", a_port_that_requires_approval()),
        ("a Port that requires approval: declined", a_port_that_is_declined()),
        ("a plain Port: paused", plain(Policy::once().paused(true), Relationship::Unknown)),
        ("a plain Port: blocked", plain(Policy::once(), Relationship::Blocked)),
        ("a plain Port: connected already", plain(Policy::once().on_repeat(OnRepeat::Refuse), connected)),
        ("a plain Port: replaces", plain(Policy::once(), connected)),
        ("a line that is there", a_line_that_is_there()),
        ("a line of another Port", a_line_of_another_port()),
        ("used before the relay knows", used_before_the_relay_knows()),
        ("a contact port", a_contact_port()),
        ("a contact port for one", a_contact_port_for_one()),
    ])
}

// ------------------------------------------------------------------------------------------------------------- Keys
