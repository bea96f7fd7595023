//! Real clients, and bytes between them.

use super::*;
use crate::common::{Commit, NOW, Unused, seed};

/// Alice and Bob of this crate, joined by bytes alone; what is said while one is away waits.
#[test]
fn r13_two_machines_form_and_confirm_a_line() {
    for how in [SendProof::Inline, SendProof::AlongTheLine] {
        let mut relay = relay(Limits::default());
        let bytes = |relay: &mut Running<Memory>, from: u8, request: &[u8]| {
            relay.relay.handle(user(from), request, &mut relay.rng, NOW).unwrap().reply.map(|event| event.to_vec())
        };

        let mut alice = Alice::request(PortOptions::new(), seed(1)).committed();
        let Some(AliceEffect::Send(request)) = alice.pending().next() else { panic!() };
        let issued = bytes(&mut relay, ALICE, &request.to_vec()).unwrap();
        let Some(AliceEffect::PortReady(port)) =
            alice.handle(&Event::decode(&issued).unwrap(), &NoPeers, NOW, &mut Unused).unwrap().committed().next()
        else {
            panic!()
        };
        let text = port.qr_text();

        let mut bob = Bob::scan(Port::parse(text.as_str()).unwrap(), seed(2)).committed();
        let Some(BobEffect::Send(request)) = bob.connect(how, NOW).unwrap().committed().next() else { panic!() };
        let request = request.to_vec();
        assert_eq!(bytes(&mut relay, BOB, &request), None);
        // Bob asks again, because it has not read what waits for it. It takes whichever comes first.
        let reply = bytes(&mut relay, BOB, &request).unwrap();
        assert_eq!(relay.waiting(BOB), [(1, reply.clone())]);
        let Some(BobEffect::LineFormed(line)) =
            bob.handle(&Event::decode(&reply).unwrap(), &NoPeers, NOW, &mut Unused).unwrap().committed().next()
        else {
            panic!()
        };
        let mut at_bob = line;
        assert_eq!(
            bob.handle(&Event::decode(&reply).unwrap(), &NoPeers, NOW, &mut Unused).err(),
            Some(Rejected::Duplicate)
        );
        relay.acknowledge_all(BOB);

        let delivered = relay.waiting(ALICE);
        let Some(AliceEffect::LineFormed(line)) = alice
            .handle(&Event::decode(&delivered[0].1).unwrap(), &NoPeers, NOW, &mut Unused)
            .unwrap()
            .committed()
            .next()
        else {
            panic!()
        };
        let mut at_alice = line;
        // Delivered once more, because it was not acknowledged.
        assert_eq!(
            alice.handle(&Event::decode(&relay.waiting(ALICE)[0].1).unwrap(), &NoPeers, NOW, &mut Unused).err(),
            Some(Rejected::Duplicate)
        );
        relay.acknowledge_all(ALICE);

        let mut heard: [Vec<Vec<u8>>; 2] = Default::default();
        let mut round = |relay: &mut Running<Memory>, lines: &mut [(u8, &mut Line); 2]| {
            for (of, line) in lines {
                for effect in line.pending() {
                    if let LineEffect::Send(request) = effect {
                        bytes(relay, *of, &request.to_vec());
                    }
                }
                for (_, event) in relay.waiting(*of) {
                    let mut buffer = [0; 256];
                    let event = Event::decode(&event).unwrap();
                    let Ok(step) = line.handle(&event, &mut buffer, NOW, &mut Unused) else { continue };
                    for effect in step.committed() {
                        match effect {
                            LineEffect::Send(request) => drop(bytes(relay, *of, &request.to_vec())),
                            LineEffect::Message(text) => heard[usize::from(*of) - 1].push(text.to_vec()),
                            LineEffect::Ended(end) => heard[usize::from(*of) - 1].push(format!("{end:?}").into_bytes()),
                            LineEffect::PacketsLost => panic!("there was room"),
                            LineEffect::AwaitingApproval | LineEffect::IntroducerMessage(_) => {
                                panic!("no approval, no contact port")
                            }
                        }
                    }
                }
                relay.acknowledge_all(*of);
                let _ = line.clear_outbox().map(|step| step.committed().for_each(drop));
            }
        };
        for _ in 0..3 {
            round(&mut relay, &mut [(ALICE, &mut at_alice), (BOB, &mut at_bob)]);
        }
        assert!(at_alice.confirmed().is_some() && at_alice.confirmed() == at_bob.confirmed());
        assert_eq!(at_alice.safety_number(), at_bob.safety_number());

        let mut sealed = [0; 256];
        for text in [&b"one"[..], b"two"] {
            let Some(LineEffect::Send(request)) = at_bob.seal(text, &[], &mut sealed).unwrap().committed().next()
            else {
                panic!()
            };
            bytes(&mut relay, BOB, &request.to_vec());
        }
        for effect in at_bob.close().unwrap().committed() {
            let LineEffect::Send(request) = effect else { continue };
            bytes(&mut relay, BOB, &request.to_vec());
        }
        round(&mut relay, &mut [(ALICE, &mut at_alice), (BOB, &mut at_bob)]);
        assert_eq!(heard, [vec![b"one".to_vec(), b"two".to_vec(), b"ByPeer".to_vec()], vec![]]);
        assert_eq!(relay.directory().lines(), 0);
    }
}
