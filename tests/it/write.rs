//! §8.1: one step, one transaction: what its write holds, what comes after it, and that nothing comes before.
#![cfg(feature = "alloc")]

use crate::common::many::*;
use crate::common::*;
use port_protocol::*;

/// The line of Alice and its contact Carol.
const CAROL: u8 = 7;

/// What a write holds beside the machine's row: the new line, the mark, the ticket, what was said.
type Beside = (Option<RecordKey>, Option<(ReplayMark, OnDuplicate)>, Option<TicketHash>, Option<Said>);

const NOTHING: Beside = (None, None, None, None);

fn beside(put: &Put) -> Beside {
    (put.new_line.as_ref().map(|line| line.key), put.unique, put.consumes, put.received.clone())
}

/// Keeps a step, and gives what was kept and what it asks for.
fn keep<'m, M: Machine>(step: Step<'m, M>) -> (Put, Effects<'m, M>) {
    let mut put = None;
    let effects = step.store(|write| {
        put = Some(Put::of(write));
        Ok::<_, ()>(())
    });
    (put.unwrap(), effects.unwrap())
}

/// A contact port, a ticket of Carol's for it, and the proof of a guest who has both.
fn introduced(expires: Option<UnixSeconds>) -> (Alice, TicketNotice, Proof) {
    let options = PortOptions::new().policy(Policy::unlimited()).introducer(id(CAROL));
    let mut alice = offered(options);
    clear_outbox(&mut alice);
    let mut carol = Introducer::granted(alice.port().unwrap().to_bytes().as_slice(), id(CAROL)).unwrap().committed();
    let name = IntroducerName::new("Carol").unwrap();
    let (put, mut effects) = keep(carol.introduce(name, expires, seed(5), NOW).unwrap());
    assert_eq!(beside(&put), NOTHING);
    let Some(IntroducerEffect::Announce(_, IntroducerMessage::Ticket(notice))) = effects.next() else { panic!() };
    let (put, mut effects) = keep(carol.mark_announced().unwrap());
    let Some(IntroducerEffect::Ready(port)) = effects.next() else { panic!() };
    assert_eq!(beside(&put), NOTHING);
    (alice, notice, connecting(2, &port).1)
}

#[test]
fn r8_1_what_was_made_writes_its_row_and_nothing_else() {
    let grant = offered(PortOptions::new().introducer(id(CAROL))).port().unwrap().to_bytes();
    let puts = [
        (Put::created(&Alice::request(PortOptions::new(), seed(1))), 1),
        (Put::created(&Alice::offer(line_link(), PortOptions::new(), seed(1))), 1),
        (Put::created(&Bob::scan(port(PortOptions::new()), seed(2))), 2),
        (Put::created(&Pool::new(2, 3, seed(3)).unwrap()), 4),
        (Put::created(&Introducer::granted(grant.as_slice(), id(CAROL)).unwrap()), 5),
    ];
    for (put, role) in puts {
        assert_eq!((put.row.revision, put.row.expected, beside(&put)), (0, None, NOTHING));
        assert_eq!(MachineRole::of_record(&put.row.record).map(|it| it as u8), Ok(role));
    }
}

#[test]
fn r8_1_a_new_machine_that_is_not_kept_is_not_there() {
    let created = Alice::offer(line_link(), PortOptions::new(), seed(1));
    let mut store = Store::default();
    store.put(&Put::created(&created)).unwrap();
    let conflict = created.store(|write| store.put(&Put::of(write))).err();
    assert_eq!(conflict, Some(Conflict::KeyExists));
    // The write is what comes back.
    let created = Alice::offer([9; 16].into(), PortOptions::new(), seed(1));
    let mut kept = None;
    let alice = created.store(|write| store.put(kept.insert(Put::of(write)))).unwrap();
    assert_eq!(
        (alice.key(), &alice.record()[..]),
        (kept.as_ref().unwrap().row.key, &kept.as_ref().unwrap().row.record[..])
    );
}

#[test]
fn r8_1_an_alices_write_holds_the_line_the_mark_and_the_ticket() {
    let line = Some(RecordKey::Line(line_id()));
    let mark = Some((ReplayMark::from(*port(PortOptions::new()).hash().as_bytes()), OnDuplicate::Revoke));
    let formed_by = |proof| {
        let mut alice = offered(PortOptions::new());
        let event = line_formed(proof);
        beside(&keep(alice.handle(&Event::decode(&event).unwrap(), &NoPeers, NOW, &mut Unused).unwrap()).0)
    };
    assert_eq!(formed_by(None), (line, mark, None, None));
    assert_eq!(formed_by(Some(proof(PortOptions::new()))), (line, mark, None, None));
    assert_eq!(formed_by(Some(bad_proof())), (None, mark, None, None));

    // A use of a Port for many is marked by its secret: whatever the line, and for no other user.
    let mut alice = superport(Policy::unlimited());
    let uses = [(2, 2), (2, 3), (3, 3)].map(|(n, line)| {
        let event = formed(line, n, Some(proof_of(n, &alice)));
        beside(&Put::step(&alice.handle(&event, &NoPeers, NOW, &mut rng()).unwrap()))
    });
    let [one, elsewhere, another] = uses.map(|(line, unique, consumes, received)| {
        assert_eq!((consumes, received), (None, None));
        (line, unique.unwrap())
    });
    for ((line, (_, then)), n) in [(one, 2), (elsewhere, 3), (another, 3)] {
        assert_eq!((line, then), (Some(RecordKey::Line(id(n))), OnDuplicate::Disconnect(id(n))));
    }
    assert_eq!(one.1.0, elsewhere.1.0);
    assert_ne!(one.1.0, another.1.0);

    // A ticket is its own mark, and goes.
    for (expires, now) in [(None, NOW), (Some(EXPIRY), NOW), (Some(EXPIRY), EXPIRY)] {
        let (mut alice, notice, proof) = introduced(expires);
        let (ticket, mut store) = (notice.ticket, Store::default());
        store.tickets.insert(ticket, notice);
        let (before, used) = (alice.record().to_vec(), alice.used());
        let (put, effects) = keep(alice.handle(&formed(2, 2, Some(proof)), &store, now, &mut rng()).unwrap());
        let effects: Vec<_> = effects.map(|effect| format!("{effect:?}")).collect();
        let line = (now == NOW).then_some(RecordKey::Line(id(2)));
        let mark = (ReplayMark::from(*ticket.as_bytes()), OnDuplicate::Disconnect(id(2)));
        assert_eq!(beside(&put), (line, Some(mark), Some(ticket), None));
        if now == EXPIRY {
            // It is used up all the same, and there is nothing in the outbox of that.
            assert_eq!(effects, [format!("Send({:?})", Request::Disconnect { line_id: id(2) })]);
            assert_eq!((still(&alice), alice.used()), (still(&Alice::restore(&before).unwrap()), used));
        }
        store.records.insert(alice.key(), (put.row.expected.unwrap().revision, before));
        assert_eq!((store.put(&put), store.tickets.len()), (Ok(()), 0));
        assert_eq!(store.put(&put), Err(Conflict::Marked));
    }

    // All else is its row alone.
    let mut alice = Alice::request(PortOptions::new(), seed(1)).committed();
    let issued = link_issued();
    let puts = [
        Put::step(&alice.handle(&Event::decode(&issued).unwrap(), &NoPeers, NOW, &mut Unused).unwrap()),
        Put::step(&alice.set_policy(Policy::once().paused(true)).unwrap()),
        Put::step(&alice.revoke().unwrap()),
    ];
    let expected = Some(Expected { key: alice.key(), revision: 0 });
    assert!(puts.iter().all(|put| beside(put) == NOTHING && put.row.expected == expected && put.row.revision == 1));
    // The link takes the place of the request.
    assert_eq!(puts.map(|put| put.row.key), [RecordKey::LineLink(line_link()), alice.key(), alice.key()]);
}

#[test]
fn r8_1_a_bobs_write_holds_the_line_and_no_mark() {
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        let mut bob = scanned(PortOptions::new());
        let (put, effects) = keep(bob.connect(how, NOW).unwrap());
        assert_eq!((beside(&put), effects.count()), (NOTHING, 1));
        let event = line_connected();
        let (put, mut effects) = keep(bob.handle(&Event::decode(&event).unwrap(), &NoPeers, NOW, &mut Unused).unwrap());
        assert_eq!(beside(&put), (Some(RecordKey::Line(line_id())), None, None, None));
        let Some(BobEffect::LineFormed(line)) = effects.next() else { panic!() };
        assert_eq!((&line.record()[..], effects.count()), (&put.new_line.unwrap().record[..], 0));
    }
}

#[test]
fn r8_1_a_lines_write_holds_what_was_said_before_it_is_committed() {
    let (mut alice, mut bob) = confirmed();
    let event = says(&mut alice, "hello");
    let Any::Line(line) = &mut bob else { panic!() };
    let (before, mut buffer) = (line.record().to_vec(), Vec::new());
    let event = Event::decode(&event).unwrap();
    let step = line.handle(&event, &mut buffer, NOW, &mut Unused).unwrap();
    let write = step.write();
    assert_eq!(write.received, Some(Received::Message(b"hello")));
    assert_eq!(beside(&Put::of(&write)), (None, None, None, Some(Said::Message(b"hello".to_vec()))));
    // A store that keeps no more than a line's own row has lost nothing: the step is dropped, and the packet comes again.
    let failed = step.store(|_| Err(Conflict::Moved)).err();
    assert_eq!((failed, &line.record()[..]), (Some(Conflict::Moved), &before[..]));
    let step = line.handle(&event, &mut buffer, NOW, &mut Unused).unwrap();
    let written = step.write();
    let effects: Vec<_> = step.commit(written).collect();
    assert_eq!(effects, [LineEffect::Message(b"hello")]);
    assert_eq!(line.handle(&event, &mut buffer, NOW, &mut Unused).err(), Some(Rejected::Duplicate));

    // What goes to the other machines of this client goes into the same transaction.
    let Any::Line(from) = &mut alice else { panic!() };
    let message = IntroducerMessage::Withdrawn { line_link: line_link() };
    let packet = sealed_by(from.seal_introducer_message(&message, &mut Vec::new()).unwrap());
    let event = Event::Packet { line_id: line_id(), payload: &packet };
    let (put, mut effects) = keep(line.handle(&event, &mut buffer, NOW, &mut Unused).unwrap());
    assert_eq!(put.received, Some(Said::Introducer(message.to_vec())));
    assert_eq!((effects.next(), effects.next()), (Some(LineEffect::IntroducerMessage(message)), None));

    // Of its own words, sealed or lost, of keys, of the end, it holds nothing but the row.
    let (mut alice, mut bob) = joined();
    let confirm = arrives(&alice.pending());
    let lost = Event::Dropped { line_id: line_id() }.to_vec();
    for (at_alice, input) in [
        (false, Input::Event(confirm)),
        (true, Input::seal("words")),
        (true, Input::Event(lost)),
        (false, Input::ClearOutbox),
        (true, Input::Close),
    ] {
        let line = if at_alice { &mut alice } else { &mut bob };
        let mut kept = None;
        line.apply(&input, NOW, &mut |put| kept.insert(put.clone()).new_line.is_none()).unwrap();
        assert_eq!(beside(&kept.unwrap()), NOTHING, "{input:?}");
    }
}

#[test]
fn r8_1_first_comes_what_no_outbox_holds() {
    let many = |policy| {
        let alice = superport(policy);
        let event = formed(2, 2, Some(proof_of(2, &alice))).to_vec();
        (Any::from(alice), Input::Event(event))
    };
    let early = |to_alice: bool| {
        let (mut alice, mut bob) = joined();
        let event = says(if to_alice { &mut bob } else { &mut alice }, "hello");
        (if to_alice { alice } else { bob }, Input::Event(event))
    };
    let mut pool = Any::from(pool(1, 1));
    let request_id = requests(&pool)[0];
    pool.takes(&issued(request_id, 1));
    let (mut paused, lost) = (confirmed().0, Event::Dropped { line_id: line_id() }.to_vec());
    paused.takes(&Input::seal("words"));
    for ((mut machine, input), effects, pending) in [
        (many(Policy::up_to(1)), "LineFormed AliceJoined, early, SetLineLink Nobody", "SetLineLink Nobody, PortReady"),
        (many(Policy::up_to(2)), "LineFormed AliceJoined, early", "SetLineLink Many, PortReady"),
        (early(true), "says, Confirm", "Confirm"),
        (early(false), "says, Answer", "Answer"),
        ((pool, Input::Pop), "Link, IssueLineLink", "IssueLineLink"),
        ((paused, Input::Event(lost)), "PacketsLost", ""),
        ((joined().0, Input::seal("words")), "EarlyMessage", "Confirm"),
    ] {
        // That the rest is a part of the outbox, and the same after a restart, `apply` sees to.
        assert_eq!(words(&machine.takes(&input)), effects);
        assert_eq!(words(&machine.clone().pending()), pending);
    }
}

#[test]
fn r8_1_a_dropped_step_of_any_machine_has_not_moved_it() {
    fn holds<M: Machine>(machine: &mut M, step: impl Fn(&mut M) -> Option<Step<'_, M>>) {
        let before = machine.record().to_vec();
        let first = Put::step(&step(machine).unwrap());
        drop(step(machine).unwrap());
        assert_eq!(
            step(machine).unwrap().store(|write| Err::<(), _>(Box::new(Put::of(write)))).err(),
            Some(first.clone().into())
        );
        assert_eq!((&machine.record()[..], machine.revision()), (&before[..], 0));
        // Nor does it matter how often it was asked.
        step(machine).unwrap().committed().for_each(drop);
        assert_eq!((&machine.record()[..], machine.revision()), (&first.row.record[..], 1));
        assert_eq!(first.row.expected, M::restore(&before).ok().map(|m| Expected { key: m.key(), revision: 0 }));
    }
    let many = || offered(PortOptions::new().policy(Policy::up_to(1)));
    let (used, grant) = (formed(2, 2, Some(proof_of(2, &many()))), port(PortOptions::new().introducer(id(CAROL))));
    holds(&mut many(), |alice| alice.handle(&used, &NoPeers, NOW, &mut rng()).ok());
    holds(&mut many(), |alice| alice.set_policy(Policy::up_to(9).paused(true)).ok());
    holds(&mut many(), |alice| alice.clear_outbox());
    holds(&mut scanned(PortOptions::new()), |bob| bob.connect(SendProof::Inline, NOW).ok());
    holds(&mut scanned(expiring()), |bob| bob.cancel().ok());
    holds(&mut offered(expiring()), |alice| alice.tick(EXPIRY));
    let event = issued(requests(&Any::from(pool(2, 3)))[1], 1);
    let Input::Event(event) = event else { panic!() };
    holds(&mut pool(2, 3), |pool| pool.handle(&Event::decode(&event).unwrap()).ok());
    let mut carol = Introducer::granted(grant.to_bytes().as_slice(), id(CAROL)).unwrap().committed();
    holds(&mut carol, |carol| carol.introduce(IntroducerName::new("Carol").unwrap(), None, seed(5), NOW).ok());
    let [mut alice, mut free] = [true, false].map(|asks| {
        let (line, _) = ends(&mut superport(Policy::unlimited().require_approval(asks)), 2, 9);
        line
    });
    holds(&mut alice, |line| line.accept(NOW).ok());
    holds(&mut free, |line| line.close().ok());
}
