//! §6.1–§6.3: what a line's keys hang on, and what is sealed, into which buffer.
#![cfg(feature = "alloc")]

use crate::common::cbor::Cbor;
use crate::common::keys::*;
use crate::common::*;
use crate::line::{ends, opens, refusal, rejected, with_sent};
use port_protocol::*;

#[test]
fn r6_1_every_claim_is_in_the_transcript() {
    let ends = |offer: PortOptions, line_id: [u8; 16], peer: [u8; 32]| {
        let (line_link, line_id, peer) = (line_link(), line_id.into(), peer.into());
        let mut bob = Any::from(scanned(offer.clone()));
        bob.takes(&Input::Connect(SendProof::Inline));
        let mut alice = Any::from(offered(offer.clone()));
        let formed = Event::LineFormed { line_link, line_id, peer, proof: Some(proof(offer)) };
        let connected = Event::Connected { line_link, request_id: request_id(2), line_id, peer };
        let ends = [alice.takes(&Input::Event(formed.to_vec())), bob.takes(&Input::Event(connected.to_vec()))];
        ends.map(|effects| Any::from(new_line(effects)))
    };
    let relay = PortOptions::new().relay(RelayAddr::new("a.example").unwrap());
    // The same proof is good for all of these: it binds none of it.
    let told = [
        (PortOptions::new(), [1; 16], [1; 32]),
        (PortOptions::new(), [2; 16], [1; 32]),
        // The marks are each end's own (§7.3), and no claim that the two could share.
        (PortOptions::new(), [1; 16], [2; 32]),
        (expiring(), [1; 16], [1; 32]),
        (relay, [1; 16], [1; 32]),
    ];
    for (i, (offer, id, pair)) in told.iter().enumerate() {
        let [alice, _] = ends(offer.clone(), *id, *pair);
        let confirm = payload_of(&arrives(&alice.pending()));
        for (j, (offer, id, pair)) in told.iter().enumerate() {
            let ([_, mut bob], mut alice) = (ends(offer.clone(), *id, *pair), alice.clone());
            let opening = payload_of(&says(&mut bob, "hello"));
            if i == j || [i, j] == [0, 2] || [i, j] == [2, 0] {
                opens(&mut bob, confirm.clone());
                opens(&mut alice, opening);
            } else {
                assert_eq!(rejected(&mut bob, confirm.clone()), Rejected::Forged, "{i} {j}");
                assert_eq!(rejected(&mut alice, opening), Rejected::Forged, "{i} {j}");
            }
        }
    }
}

#[test]
fn r6_1_another_proof_makes_another_transcript() {
    let (_, mut bob) = joined();
    let other = line_formed(Some(proof_by(3, PortOptions::new())));
    let alice = new_line(Any::from(offered(PortOptions::new())).takes(&Input::Event(other)));
    let confirm = payload_of(&arrives(&Any::from(alice).pending()));
    assert_eq!(rejected(&mut bob, confirm), Rejected::Forged);
}

#[test]
fn r6_1_other_key_bytes_that_lead_to_the_same_secret_make_another_transcript() {
    // 1/u: Bob's point plus the point of order two. A relay can put it into Bob's proof, and Alice accepts that proof.
    let other = hex::decode("30182606909def352fc3b354bd621dc56b0903e5dd73c6a48f18796721271a46").unwrap();
    let layout = Cbor::read(&Payload::Proof { proof: proof(PortOptions::new()) }.to_vec()).at(&[1, 1]).clone();
    let altered = decode_proof(&layout.with(&[0], Cbor::Bytes(other))).unwrap();
    let formed = Input::Event(line_formed(Some(altered)));
    let mut alice = Any::from(new_line(Any::from(offered(PortOptions::new())).takes(&formed)));
    assert_eq!(alice.state(), "AliceJoined");
    // There it ends: neither confirms the other.
    let (_, mut bob) = joined();
    let confirm = payload_of(&arrives(&alice.pending()));
    assert_eq!(rejected(&mut bob, confirm), Rejected::Forged);
    let opening = payload_of(&says(&mut bob, "hello"));
    assert_eq!(rejected(&mut alice, opening), Rejected::Forged);
}

#[test]
fn r6_2_the_keys_are_these() {
    for offer in [PortOptions::new(), longest()] {
        let keys = keys(offer.clone());
        let (alice, bob) = lines(SendProof::Inline, offer);
        for (line, send, receive) in [(alice, keys.to_bob, keys.to_alice), (bob, keys.to_alice, keys.to_bob)] {
            let record = Cbor::read(&line.record());
            let stored = record.at(&[3, 1, 1]).items()[..3].iter().map(Cbor::bytes);
            assert!(stored.eq([&send[..], &receive, &keys.exporter]));
        }
    }
}

#[test]
fn r6_2_no_record_holds_keys_and_what_they_were_made_of() {
    let holds = |record: &[u8], secret: &[u8]| record.windows(secret.len()).any(|window| window == secret);
    let Keys { to_bob, to_alice, exporter } = keys(expiring());
    let keys = [to_bob, to_alice, exporter];
    let sources = [
        secret(expiring()).to_vec(),
        seed_bytes(1)[..32].to_vec(),
        seed_bytes(2)[..32].to_vec(),
        seed_bytes(1)[32..48].to_vec(),
    ];
    let mut with_keys = 0;
    for (state, machine) in states(expiring()) {
        let record = machine.record();
        let (made, from) = (keys.iter().any(|k| holds(&record, k)), sources.iter().any(|s| holds(&record, s)));
        assert!(!made || !from, "{state}");
        with_keys += u32::from(made);
    }
    assert!(with_keys >= 6);
}

#[test]
fn r6_3_packets_are_these_bytes() {
    let Keys { to_bob, to_alice, .. } = keys(PortOptions::new());
    let (mut alice, mut bob) = joined();
    let payload = |effects: &[Effect]| payload_of(&arrives(effects));

    let confirm = payload(&alice.pending());
    assert_eq!(confirm, sealed(&to_bob, CONFIRM, 0, 0, b"", b""));
    let opening = payload(&bob.takes(&Input::Seal(b"hello".to_vec(), b"data".to_vec())));
    assert_eq!(opening, sealed(&to_alice, EARLY_MESSAGE, 0, 0, b"hello", b"data"));
    assert_eq!(payload(&alice.takes(&Input::seal(""))), sealed(&to_bob, EARLY_MESSAGE, 0, 1, b"", b""));
    let answer = payload(&opens(&mut bob, confirm));
    assert_eq!(answer, sealed(&to_alice, ANSWER, 0, 1, b"", b""));
    opens(&mut alice, answer);
    assert_eq!(payload(&alice.takes(&Input::seal("hi"))), sealed(&to_bob, MESSAGE, 0, 2, b"hi", b""));
    assert_eq!(payload(&bob.takes(&Input::seal("hi"))), sealed(&to_alice, MESSAGE, 0, 2, b"hi", b""));
    assert_eq!(payload(&alice.takes(&Input::Close)), sealed(&to_bob, CLOSE, 0, 3, b"", b""));
    assert_eq!(payload(&bob.takes(&Input::Close)), sealed(&to_alice, CLOSE, 0, 3, b"", b""));
}

#[test]
fn r6_3_messages_have_0_to_65536_bytes() {
    assert_eq!(MAX_MESSAGE, 65_536);
    let (mut alice, mut bob) = confirmed();
    for length in [0, 1, 15, 16, 17, 23, 24, 255, 256, 65_519, 65_520, 65_535, 65_536] {
        let text: Vec<u8> = (0..length).map(|i| i as u8).collect();
        let event = arrives(&alice.takes(&Input::Seal(text.clone(), Vec::new())));
        assert_eq!(bob.takes(&Input::Event(event)), [Effect::Message(text)]);
    }
    let too_long = Input::Seal(vec![0; MAX_MESSAGE + 1], Vec::new());
    assert_eq!(refusal(&mut alice, &too_long), Refusal::Seal(SealError::TooLong));
}

#[test]
fn r6_3_associated_data_has_0_to_256_bytes_and_is_the_same_at_both_ends() {
    assert_eq!(MAX_ASSOCIATED_DATA, 256);
    let (mut alice, bob) = confirmed();
    for length in [0, 1, 255, 256] {
        let data = vec![7; length];
        let packet = payload_of(&arrives(&alice.takes(&Input::Seal(b"words".to_vec(), data.clone()))));
        let with = |data: &[u8]| bob.clone().give(&Input::Open(packet.clone(), data.to_vec()), NOW);
        assert_eq!(with(&data), Ok(vec![Effect::Message(b"words".to_vec())]));
        for other in [vec![7; length + 1], vec![7; length.saturating_sub(1)], vec![8; length]] {
            let expected = match other.len() {
                257.. => Rejected::AssociatedDataTooLong,
                _ => Rejected::Forged,
            };
            assert!(other == data || with(&other) == Err(Refusal::Rejected(expected)));
        }
    }
    for length in [257, 1_000] {
        let input = Input::Seal(b"words".to_vec(), vec![7; length]);
        assert_eq!(refusal(&mut alice, &input), Refusal::Seal(SealError::AssociatedDataTooLong));
    }
}

#[test]
fn r6_3_the_machines_own_packets_have_no_data_and_open_whatever_is_passed() {
    let (mut alice, mut bob) = joined();
    let with_data = |packet: Vec<u8>| Input::Open(payload_of(&packet), b"a user's data".to_vec());
    let answer = arrives(&bob.takes(&with_data(arrives(&alice.pending()))));
    alice.takes(&with_data(answer));
    assert_eq!(alice.state(), "AliceConfirmed, answered");
    bob.takes(&with_data(arrives(&alice.takes(&Input::Close))));
    assert_eq!(bob.state(), "Closed ByPeer");
}

#[test]
fn r6_3_the_machines_own_packets_have_no_text() {
    for (name, mut line, key) in ends() {
        for kind in [CONFIRM, ANSWER, CLOSE] {
            assert_eq!(rejected(&mut line, sealed(&key, kind, 0, 9, b"x", b"")), Rejected::Forged, "{name}");
        }
    }
}

#[test]
fn r6_3_the_buffer_has_to_hold_it_all() {
    let (alice, bob) = confirmed();
    for length in [0, 1, 300, MAX_MESSAGE] {
        let text = vec![3; length];
        let needed = payload_of(&arrives(&alice.clone().takes(&Input::Seal(text.clone(), vec![])))).len();
        let (mut alice, mut bob) = (alice.clone().line(), bob.clone().line());
        assert!(needed <= length + SEAL_OVERHEAD);
        // As much as is promised at most, and no more.
        assert_eq!(needed == length + SEAL_OVERHEAD, length == MAX_MESSAGE);
        let before = alice.record().to_vec();
        for short in [0, needed / 2, needed - 1] {
            assert_eq!(alice.seal(&text, &[], &mut vec![0; short][..]).err(), Some(SealError::BufferTooSmall));
        }
        assert_eq!(*alice.record(), before);

        let mut buffer = vec![0; needed];
        let packet = alice.seal(&text, &[], &mut buffer).unwrap().committed().find_map(|effect| match effect {
            LineEffect::Send(Request::Packet { payload, .. }) => Some(payload.to_vec()),
            _ => None,
        });
        let (packet, before) = (packet.unwrap(), bob.record().to_vec());
        let packet = Event::Packet { line_id: line_id(), payload: &packet };
        for short in (0..length).step_by(1.max(length / 3)).chain(length.checked_sub(1)) {
            let error = bob.handle(&packet, &mut vec![0; short][..], NOW, &mut rng()).err();
            assert_eq!(error, Some(Rejected::BufferTooSmall), "{short} of {length}");
        }
        assert_eq!(*bob.record(), before);
        let opened = bob.handle(&packet, &mut vec![0; length][..], NOW, &mut rng()).unwrap().committed().next()
            == Some(LineEffect::Message(&text));
        assert!(opened);
    }
}

#[test]
fn r6_3_a_users_messages_end_at_2_to_the_48() {
    let last = 1 << 48;
    for line in <[Any; 2]>::from(confirmed()).into_iter().chain(<[Any; 2]>::from(joined())) {
        let mut line = with_sent(&line, last - 1);
        arrives(&line.takes(&Input::seal("the last one")));
        assert_eq!(refusal(&mut line, &Input::seal("one more")), Refusal::Seal(SealError::Exhausted));
        // The machine's own still go.
        assert_eq!(words(&line.takes(&Input::Close)), "Close, Disconnect, Ended");
    }
    let (alice, bob) = joined();
    assert_eq!(words(&with_sent(&bob, last).takes(&Input::Event(arrives(&alice.pending())))), "Answer");
}

#[test]
fn r6_3_content_says_whether_the_sender_is_confirmed() {
    for (mut line, kind) in [
        (joined().0, "EarlyMessage"),
        (joined().1, "EarlyMessage"),
        (confirmed().0, "Message"),
        (confirmed().1, "Message"),
    ] {
        assert_eq!(words(&line.takes(&Input::seal("words"))), kind);
    }
}

/// What each way of sealing gives, and what opens it: into a buffer of the caller's.
type Seals = fn(&mut Line, &mut Vec<u8>) -> Result<Vec<u8>, SealError>;

const WAYS: [(&str, Seals); 3] = [
    ("seal", |line, buffer| line.seal(&[3; 300], b"data", buffer).map(sealed_by)),
    ("seal_padded", |line, buffer| line.seal_padded(&[3; 300], b"data", buffer).map(sealed_by)),
    ("seal_introducer_message", |line, buffer| {
        line.seal_introducer_message(&IntroducerMessage::Withdrawn { line_link: line_link() }, buffer).map(sealed_by)
    }),
];

#[test]
fn r6_3_a_vec_grows_to_what_is_sealed_and_opened() {
    let (alice, bob) = confirmed();
    for (way, seal) in WAYS {
        let mut packets = Vec::new();
        // Empty, too small, more than enough, and with what was in it before.
        for mut buffer in [Vec::new(), vec![0xee; 1], vec![0xee; 40], vec![0xee; MAX_MESSAGE + 500]] {
            let had = buffer.len();
            packets.push(seal(&mut alice.clone().line(), &mut buffer).unwrap());
            let packet = packets.last().unwrap();
            assert!(buffer.len() >= packet.len().max(had), "{way}: {} for {}", buffer.len(), packet.len());
            assert!(buffer.len() <= had.max(512 + SEAL_OVERHEAD), "{way}: no more than it takes: {}", buffer.len());
            let event = Event::Packet { line_id: line_id(), payload: packet };
            for mut out in [Vec::new(), vec![0xee; 2], vec![0xee; 5_000]] {
                let (mut bob, had) = (bob.clone().line(), out.len());
                let step = bob.handle_with_aad(&event, b"data", &mut out, NOW, &mut Unused).unwrap();
                let effects: Vec<_> = step.committed().map(of_line).collect();
                let said = match way {
                    "seal_introducer_message" => {
                        Effect::IntroducerMessage(IntroducerMessage::Withdrawn { line_link: line_link() }.to_vec())
                    }
                    _ => Effect::Message(vec![3; 300]),
                };
                assert_eq!(effects, [said], "{way}");
                assert_eq!(out.len(), had.max(packet.len()), "{way}");
            }
        }
        packets.dedup();
        assert_eq!(packets.len(), 1, "{way}: the very same, whatever it is sealed into");
    }
}

#[test]
fn r6_3_an_array_is_as_good_as_a_slice_and_does_not_grow() {
    let (alice, bob) = confirmed();
    let (mut alice, mut bob) = (alice.line(), bob.line());
    let before = [alice.record().to_vec(), bob.record().to_vec()];
    let mut vec = Vec::new();
    let length = sealed_by(Line::restore(&before[0]).unwrap().seal(b"hello", b"", &mut vec).unwrap()).len();
    assert_eq!(length, 40);

    assert_eq!(alice.seal(b"hello", b"", &mut [0; 39]).err(), Some(SealError::BufferTooSmall));
    assert_eq!(alice.seal(b"hello", b"", &mut [0; 39][..]).err(), Some(SealError::BufferTooSmall));
    assert_eq!(alice.seal_padded(b"hello", b"", &mut [0; 98]).err(), Some(SealError::BufferTooSmall));
    let message = IntroducerMessage::Withdrawn { line_link: line_link() };
    assert_eq!(alice.seal_introducer_message(&message, &mut [0; 40]).err(), Some(SealError::BufferTooSmall));
    assert_eq!(*alice.record(), before[0][..], "nothing moved");
    let packet = sealed_by(alice.seal(b"hello", b"", &mut [0; 40]).unwrap());
    let event = Event::Packet { line_id: line_id(), payload: &packet };
    assert_eq!(bob.handle(&event, &mut [0; 4], NOW, &mut Unused).err(), Some(Rejected::BufferTooSmall));
    assert_eq!(bob.handle(&event, &mut [0; 4][..], NOW, &mut Unused).err(), Some(Rejected::BufferTooSmall));
    assert_eq!(*bob.record(), before[1][..], "nothing moved");
    let mut out = [0; 40];
    let effects: Vec<_> = bob.handle(&event, &mut out, NOW, &mut Unused).unwrap().committed().collect();
    assert_eq!(effects, [LineEffect::Message(b"hello")]);
}
