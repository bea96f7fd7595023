//! Who gets in, and how often.

use super::*;

/// §17.10: we must refuse an old intro message on a new line, by its mark.
#[test]
fn r17_10_an_old_intro_message_forms_no_second_line() {
    for kind in [PortKind::Superport, PortKind::ContactPort] {
        let (mut store, created) = (Store::default(), Alice::offer(link(), offer(kind), seed(1)));
        store.put(&Put::created(&created)).unwrap();
        let mut alice = created.committed();
        let intro = intro_of(&connecting(&shown(&alice, 7), 2));
        let ticket = || knowing(7).tickets.into_iter().map(|notice| (notice.ticket, notice));
        store.tickets.extend(ticket());
        let step = alice.handle(&used(kind, 2, intro.clone()), &knowing(7), NOW, &mut Unused).unwrap();
        store.put(&Put::step(&step)).unwrap();
        step.committed().for_each(drop);
        let before = (store.clone().records, alice.record().to_vec());

        // The mark must refuse it even if the ticket's row is there: the row is the caller's, and may be an old one.
        store.tickets.extend(ticket());
        let step = alice.handle(&used(kind, 3, intro), &knowing(7), NOW, &mut Unused).unwrap();
        assert_eq!(store.put(&Put::step(&step)), Err(Conflict::Marked));
        let (_, on_duplicate) = step.write().unique.unwrap();
        assert_eq!(on_duplicate, OnDuplicate::Disconnect(line_id(3)));
        drop(step);
        assert_eq!((store.records, alice.record().to_vec(), alice.used()), (before.0, before.1, 1));
    }
}

#[test]
fn r17_10_every_bad_intro_message_is_refused_alike_and_uses_nothing_up() {
    for kind in [PortKind::Superport, PortKind::ContactPort] {
        let mut alice = alice(kind);
        let mut other = Alice::offer(link(), offer(kind), seed(9)).committed();
        let before = alice.record().to_vec();
        // Of a Port for one use, with other keys; to a contact port also with the same, because it has no ticket.
        let of_port =
            |n| intro_of(&connecting(&shown(&Alice::offer(link(), offer(PortKind::Port), seed(n)).committed(), 7), 2));
        let mut bad = vec![Intro::from_json("{}"), intro_of(&connecting(&shown(&other, 7), 2)), of_port(8)];
        bad.extend((kind == PortKind::ContactPort).then(|| of_port(1)));
        for intro in bad {
            let refused = alice.handle(&used(kind, 2, intro), &knowing(7), NOW, &mut Unused).err();
            assert_eq!(refused, Some(Rejected::UnwantedLine(line_id(2))));
        }
        // This dialect has no proof along the line.
        assert_eq!(alice.record().to_vec(), before);
        ends(&mut alice, 5);
        ends(&mut other, 5);
    }
}

#[test]
fn r17_10_a_bad_intro_message_spends_a_port_for_one() {
    let mut alice = alice(PortKind::Port);
    let good = intro_of(&connecting(&shown(&alice, 7), 2));
    let step = alice.handle(&used(PortKind::Port, 2, Intro::from_json("{}")), &NoPeers, NOW, &mut Unused).unwrap();
    assert!(step.write().new_line.is_none() && step.write().unique.is_some());
    let effects: Vec<_> = step.committed().collect();
    assert!(
        matches!(
            effects[..],
            [AliceEffect::Send(Request::Disconnect(id)), AliceEffect::Ended(PortOutcome::ProofRefused)] if id == line_id(2)
        ),
        "{effects:?}"
    );
    let late = alice.handle(&used(PortKind::Port, 3, good), &NoPeers, NOW, &mut Unused).err();
    assert_eq!(late, Some(Rejected::UnwantedLine(line_id(3))));
    assert_eq!(alice.pending().count(), 2);
    alice.clear_outbox().unwrap().committed().for_each(drop);
    assert_eq!(alice.pending().count(), 0);
    assert!(alice.bundle(None).is_none());
}

#[test]
fn r17_10_policies_hold() {
    for kind in KINDS {
        let refuses = |policy: Policy, tables: &Tables, now| {
            let mut alice = Alice::offer(link(), offer(kind).policy(policy), seed(1)).committed();
            let intro = intro_of(&connecting(&shown(&alice, 7), 2));
            match alice.handle(&used(kind, 2, intro), tables, now, &mut Unused) {
                Err(error) => Err(Some(error)),
                Ok(step) if step.write().new_line.is_none() => Err(None),
                Ok(step) => Ok(formed(step.committed())),
            }
        };
        let policy = if kind == PortKind::Port { Policy::once() } else { Policy::up_to(1) };
        assert!(refuses(policy, &knowing(7), NOW).is_ok());
        let refused = |result: Result<UnauthenticatedLine, _>, error| {
            // Of a Port for one use there is a step, which spends it.
            let expected = if kind == PortKind::Port { None } else { Some(error) };
            assert_eq!(result.err(), Some(expected), "{kind:?}");
        };
        let unwanted = Rejected::UnwantedLine(line_id(2));
        refused(refuses(policy.paused(true), &knowing(7), NOW), unwanted);
        refused(refuses(policy, &Tables { blocked: Some(pair(2)), ..knowing(7) }, NOW), unwanted);
        let connected = || Tables { connected: Some((pair(2), line_id(8))), ..knowing(7) };
        refused(refuses(policy.on_repeat(OnRepeat::Refuse), &connected(), NOW), unwanted);
        refused(refuses(policy.closes_at(Some(NOW)), &knowing(7), NOW), Rejected::DeadlinePassed);
        // No line is ever confirmed, so none takes the place of another.
        refused(refuses(policy.on_repeat(OnRepeat::Replace), &connected(), NOW), unwanted);
        assert!(refuses(policy.on_repeat(OnRepeat::Allow), &connected(), NOW).is_ok());
        let port = hash_of(&shown(&alice(kind), 7));
        let again = Tables { lines: vec![(line_id(2), port)], ..knowing(7) };
        refused(refuses(policy, &again, NOW), Rejected::Duplicate);
    }
}

#[test]
fn r17_10_the_limit_is_counted_here_and_held_by_a_pause() {
    let mut alice = Alice::offer(link(), PortOptions::new().policy(Policy::up_to(2)), seed(1)).committed();
    alice.clear_outbox().unwrap().committed().for_each(drop);
    ends(&mut alice, 2);
    let bob = connecting(&shown(&alice, 3), 3);
    let effects: Vec<_> = alice
        .handle(&used(PortKind::Superport, 3, intro_of(&bob)), &NoPeers, NOW, &mut Unused)
        .unwrap()
        .committed()
        .collect();
    assert!(
        matches!(
            effects[..],
            [AliceEffect::LineFormed(_), AliceEffect::Send(Request::PauseSuperport(id))] if id == link()
        ),
        "{effects:?}"
    );
    let event = used(PortKind::Superport, 4, intro_of(&connecting(&shown(&alice, 4), 4)));
    assert_eq!(alice.handle(&event, &NoPeers, NOW, &mut Unused).err(), Some(Rejected::UnwantedLine(line_id(4))));
    let effects: Vec<_> = alice.set_policy(Policy::unlimited()).unwrap().committed().collect();
    assert!(matches!(effects[..], [AliceEffect::Send(Request::ResumeSuperport(_))]), "{effects:?}");
    drop(effects);
    alice.handle(&event, &NoPeers, NOW, &mut Unused).unwrap().committed().for_each(drop);
}

#[test]
fn r17_10_a_ticket_is_good_once_for_its_contact_port() {
    let mut alice = alice(PortKind::ContactPort);
    let event = used(PortKind::ContactPort, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
    // §17.9: a good RAD with a bad ticket is refused like everything else.
    let refused = Some(Rejected::UnwantedLine(line_id(2)));
    assert_eq!(alice.handle(&event, &NoPeers, NOW, &mut Unused).err(), refused);
    assert_eq!(alice.handle(&event, &knowing(8), NOW, &mut Unused).err(), refused);
    let elsewhere = Tables { tickets: vec![notice([7; 16].into(), [4; 16].into())], ..Tables::default() };
    assert_eq!(alice.handle(&event, &elsewhere, NOW, &mut Unused).err(), refused);

    // By another Bob: one ticket, one line.
    let tables = knowing(7);
    assert_eq!(alice.accept_ticket(&tables.tickets[0], CAROL.into(), 0, NOW), Ok(()));
    assert_eq!(alice.accept_ticket(&tables.tickets[0], line_id(1), 0, NOW), Err(Rejected::TicketRefused));
    let step = alice.handle(&event, &tables, NOW, &mut Unused).unwrap();
    let (mark, ticket) = (mark_of(&step).unwrap(), step.write().consumes.unwrap());
    assert_eq!((ticket, mark), (tables.tickets[0].ticket, ReplayMark::from(*ticket.as_bytes())));
    step.committed().for_each(drop);
    let other = used(PortKind::ContactPort, 3, intro_of(&connecting(&shown(&alice, 7), 3)));
    assert_eq!(mark_of(&alice.handle(&other, &tables, NOW, &mut Unused).unwrap()), Some(mark));
}

#[test]
fn r17_10_an_expired_ticket_is_struck_out() {
    let mut alice = alice(PortKind::ContactPort);
    let event = used(PortKind::ContactPort, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
    let mut tables = knowing(7);
    tables.tickets[0].expires = Some(NOW);
    let step = alice.handle(&event, &tables, NOW, &mut Unused).unwrap();
    assert!(step.write().new_line.is_none() && step.write().consumes.is_some() && step.write().unique.is_some());
    let effects: Vec<_> = step.committed().collect();
    assert!(matches!(effects[..], [AliceEffect::Send(Request::Disconnect(id))] if id == line_id(2)), "{effects:?}");
    drop(effects);
    assert_eq!(alice.used(), 0);
}

#[test]
fn r17_10_what_a_message_tells_of_a_ticket() {
    for expires in [None, Some(NOW)] {
        let content = Content::ContactPortTicket { contact_port: link(), ticket: [7; 16].into() };
        let notice = content.told_ticket(expires).unwrap();
        assert_eq!((notice.line_link, notice.name.as_str(), notice.expires), (link(), "", expires));
        let accepted = alice(PortKind::ContactPort).accept_ticket(&notice, CAROL.into(), 0, NOW);
        assert_eq!(accepted.is_ok(), expires.is_none());
        assert!(Content::Other { content_type: 1, data: "{}" }.told_ticket(expires).is_none());
    }
}

/// §17.7: the kind that the server says is its claim. Alice goes by what it made.
#[test]
fn r17_10_the_kind_is_the_one_that_was_kept() {
    for kind in KINDS {
        for said in KINDS {
            let mut alice = alice(kind);
            let event = used(said, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
            let line = formed(alice.handle(&event, &knowing(7), NOW, &mut Unused).unwrap().committed());
            assert_eq!((line.kind(), alice.is_spent()), (kind, kind == PortKind::Port), "{said:?}");
        }
    }
}
