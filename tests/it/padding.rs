//! §6.9: padding.
#![cfg(feature = "alloc")]

use crate::common::*;
use port_protocol::*;

#[test]
fn r6_9_a_padded_message_has_one_of_eleven_lengths() {
    let (mut alice, mut bob) = confirmed();
    let mut lengths = std::collections::BTreeSet::new();
    for length in (0..300).chain([1000, 1023, 1024, 5000, 40_000, 65_535]) {
        // A text may look like padding itself.
        let text = [&vec![b'a'; length / 2][..], &vec![0x80; length - length / 2]].concat();
        let mut packet = vec![0; padded_len(length) + SEAL_OVERHEAD];
        let (Any::Line(from), Any::Line(to)) = (&mut alice, &mut bob) else { unreachable!() };
        let payload = sealed_by(from.seal_padded(&text, b"data", &mut packet).unwrap());
        let Ok(Payload::Sealed { kind: PacketKind::PaddedMessage, ciphertext, .. }) = Payload::decode(&payload) else {
            panic!("not padded")
        };
        assert!(length < padded_len(length) && ciphertext.len() == padded_len(length) + 16);
        lengths.insert(ciphertext.len() - 16);
        let mut buffer = vec![0; payload.len()];
        let event = Event::Packet { line_id: line_id(), payload: &payload };
        assert!(to.handle_with_aad(&event, b"other", &mut buffer, NOW, &mut rng()).is_err());
        let opened = to.handle_with_aad(&event, b"data", &mut buffer, NOW, &mut rng()).unwrap().committed().next();
        assert_eq!(opened, Some(LineEffect::Message(&text)));
    }
    assert!(lengths.iter().all(|length| length.is_power_of_two()) && lengths.len() <= 11, "{lengths:?}");
    assert_eq!((lengths.first(), lengths.last()), (Some(&64), Some(&MAX_MESSAGE)));
}

#[test]
fn r6_9_what_does_not_fit_is_not_sealed() {
    let (alice, _) = confirmed();
    let Any::Line(mut line) = alice else { unreachable!() };
    let record = line.record();
    let mut buffer = vec![0; MAX_MESSAGE + SEAL_OVERHEAD];
    assert_eq!(line.seal_padded(&[0; MAX_MESSAGE], b"", &mut buffer).err(), Some(SealError::TooLong));
    assert_eq!(line.seal_padded(&[0; 64], b"", &mut [0; 128 + 10]).err(), Some(SealError::BufferTooSmall));
    assert_eq!(*line.record(), *record);
}

#[test]
fn r6_9_an_unconfirmed_end_pads_its_early_messages() {
    let (mut alice, mut bob) = joined();
    let (Any::Line(to), Any::Line(from)) = (&mut alice, &mut bob) else { unreachable!() };
    let (mut packet, mut buffer) = ([0; 64 + SEAL_OVERHEAD], [0; 64 + SEAL_OVERHEAD]);
    let payload = sealed_by(from.seal_padded(b"hello", b"", &mut packet).unwrap());
    assert!(matches!(Payload::decode(&payload), Ok(Payload::Sealed { kind: PacketKind::PaddedEarlyMessage, .. })));
    let event = Event::Packet { line_id: line_id(), payload: &payload };
    let effects: Vec<_> = to.handle(&event, &mut buffer, NOW, &mut rng()).unwrap().committed().collect();
    // As an EarlyMessage: Confirm goes out again.
    assert!(matches!(&effects[..], [LineEffect::Message(b"hello"), LineEffect::Send(_)]));
}
