//! §14: Ports for many.

use crate::common::*;
use port_protocol::*;

fn formed(line: u8, pair: u8, proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: line_link(), line_id: [line; 16].into(), pair_hash: [pair; 32].into(), proof }
}

fn superport(policy: Policy) -> Alice {
    Alice::offer(line_link(), Offer::new().policy(policy), seed(1)).commit()
}

/// A Bob of seed `n` who has connected, and his proof.
fn bob(n: u8, port: &Port) -> (Bob, Proof) {
    let mut bob = Bob::scan(Port::parse(port.qr_text().as_str()).unwrap(), seed(n)).commit();
    let step = bob.connect(SendProof::AlongTheLine, NOW).unwrap();
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.commit().next() else { panic!() };
    (bob, proof)
}

/// Alice's end and Bob's, by the use of this line.
fn lines(alice: &mut Alice, n: u8, line: u8) -> (Line, Line) {
    let (mut bob, proof) = bob(n, alice.port().unwrap());
    let step = alice.handle(&formed(line, n, Some(proof)), NOW).unwrap();
    let at_alice =
        step.commit().find_map(|e| if let AliceEffect::LineFormed(l) = e { Some(l.clone().commit()) } else { None });
    alice.settle().unwrap().commit().for_each(drop);
    let step = bob.handle(&formed(line, n, None), NOW).unwrap();
    let at_bob =
        step.commit().find_map(|e| if let BobEffect::LineFormed(l) = e { Some(l.clone().commit()) } else { None });
    (at_alice.unwrap(), at_bob.unwrap())
}

fn sends(effects: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    effects.collect()
}

fn packets(line: &Line) -> Vec<Vec<u8>> {
    sends(line.unsent().filter_map(|e| match e {
        LineEffect::Send(Request::Packet { line_id, payload }) => Some(Event::Packet { line_id, payload }.to_vec()),
        _ => None,
    }))
}

#[test]
fn r14_7_a_line_of_a_superport_is_confirmed_in_epoch_1() {
    let mut alice = superport(Policy::unlimited());
    for n in 2..5 {
        let (mut at_alice, mut at_bob) = lines(&mut alice, n, n);
        let mut buffer = [0; 256];
        let step = at_bob.seal(b"hello", b"", &mut buffer).unwrap();
        let Some(LineEffect::Send(Request::Packet { line_id, payload })) = step.commit().next() else { panic!() };
        let word = Event::Packet { line_id, payload }.to_vec();
        let mut out = [0; 256];
        let said: Vec<_> =
            at_alice.handle_bytes(&word, &mut out, NOW).unwrap().commit().map(|e| format!("{e:?}")).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(at_alice.phase(), LinePhase::Joined);
        let confirm = packets(&at_alice).remove(0);
        at_bob.handle_bytes(&confirm, &mut out, NOW).unwrap().commit().for_each(drop);
        let answer = packets(&at_bob).remove(0);
        at_alice.handle_bytes(&answer, &mut out, NOW).unwrap().commit().for_each(drop);
        assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());
        assert_eq!(at_alice.check_code(), at_bob.check_code());
        assert_eq!(at_alice.deadline(), None, "all that Bob sent has come");
        // A repeated Confirm gets the same Answer.
        at_bob.settle().unwrap().commit().for_each(drop);
        at_bob.handle_bytes(&confirm, &mut out, NOW).unwrap().commit().for_each(drop);
        assert_eq!(packets(&at_bob), [answer]);
        let (a, b) = (at_alice.record().to_vec(), at_bob.record().to_vec());
        assert_eq!(*Line::restore(&a).unwrap().record(), a[..]);
        assert_eq!(*Line::restore(&b).unwrap().record(), b[..]);
    }
    assert_eq!(alice.used(), 3);
    let record = alice.record().to_vec();
    assert_eq!(*Alice::restore(&record).unwrap().record(), record[..]);
    println!("{}", record.len());
}

#[test]
fn r14_4_at_the_limit_nobody_gets_in() {
    let mut alice = superport(Policy::up_to(1));
    let (_, proof) = bob(2, alice.port().unwrap());
    let (_, other) = bob(3, alice.port().unwrap());
    let bad = alice.handle(&formed(1, 1, Some(bad_proof())), NOW).err();
    assert_eq!(bad, Some(Rejected::Stray([1; 16].into())));
    let step = alice.handle(&formed(2, 2, Some(proof)), NOW).unwrap();
    assert!(matches!(step.taken(), Some(Taken::Disconnect(_))));
    let sent: Vec<_> = step.commit().map(|e| format!("{e:?}")).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert_eq!(alice.handle(&formed(3, 3, Some(other.clone())), NOW).err(), Some(Rejected::Unsettled));
    alice.settle().unwrap().commit().for_each(drop);
    assert_eq!(alice.handle(&formed(3, 3, Some(other.clone())), NOW).err(), Some(Rejected::Stray([3; 16].into())));
    alice.set_policy(Policy::up_to(2)).unwrap().commit().for_each(drop);
    assert!(alice.handle(&formed(3, 3, Some(other)), NOW).is_ok());
}
