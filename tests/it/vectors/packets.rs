//! Sealed packets (§6.3, §6.4).

use aes_gcm_siv::aead::{AeadInOut, KeyInit};

use super::play::{AtAlice, AtBob, Play};
use super::proofs::{packet, proof_of};
use super::*;

/// The record of a line with another number of sent packets, and another window.
pub fn with_counters(line: &Line, sent: u64, window: Option<[u64; 2]>) -> Vec<u8> {
    let mut record = array(&line.record());
    let phase = record[3].as_array_mut().unwrap()[1].as_array_mut().unwrap();
    let session = phase[1].as_array_mut().unwrap();
    session[3] = sent.into();
    if let Some(window) = window {
        session[4] = Cbor::Array(window.map(Cbor::from).to_vec());
    }
    cbor(&Cbor::Array(record))
}

/// The key by which a line seals.
pub fn key_of(line: &Line) -> Vec<u8> {
    let record = array(&line.record());
    let phase = record[3].as_array().unwrap()[1].as_array().unwrap();
    phase[1].as_array().unwrap()[0].as_bytes().unwrap().clone()
}

/// A payload sealed by hand: also what this crate never seals.
pub fn sealed(key: &[u8], kind: PacketKind, epoch: u32, counter: u64, text: &[u8], data: &[u8]) -> Vec<u8> {
    let nonce = [&epoch.to_be_bytes()[..], &counter.to_be_bytes()].concat();
    let nonce = aes_gcm_siv::Nonce::try_from(&nonce[..]).unwrap();
    let aad = [&[0x82, 1, 0x84, 2, kind as u8], data].concat();
    let aead = aes_gcm_siv::Aes256GcmSiv::new_from_slice(key).unwrap();
    let mut sealed = text.to_vec();
    let tag = aead.encrypt_inout_detached(&nonce, &aad, sealed.as_mut_slice().into()).unwrap();
    sealed.extend_from_slice(&tag);
    Payload::Sealed { kind, nonce: Nonce { epoch, counter }, ciphertext: &sealed }.to_vec()
}

/// Both ends of a line, confirmed.
fn confirmed() -> [Line; 2] {
    let mut play = Play::new();
    play.offer(PortOptions::new());
    let confirm = play.join(SendProof::Inline);
    play.packet(AtBob, &confirm);
    let answer = play.log.sent();
    play.packet(AtAlice, &answer);
    play.lines.map(Option::unwrap)
}

/// What is sealed, and opened at the other end.
fn accepted(from: &Line, to: &Line, counter: u64, text: &[u8], data: &[u8]) -> Value {
    sealed_and_opened(from, to, counter, (text, false), data)
}

fn sealed_and_opened(from: &Line, to: &Line, counter: u64, (text, padded): (&[u8], bool), data: &[u8]) -> Value {
    let record = with_counters(from, counter, None);
    let length = if padded { padded_len(text.len()) } else { text.len() };
    let mut buffer = vec![0; length + SEAL_OVERHEAD];
    let mut line = Line::restore(&record).unwrap();
    let step = if padded { line.seal_padded(text, data, &mut buffer) } else { line.seal(text, data, &mut buffer) };
    let mut effects = step.unwrap().committed();
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = effects.next() else { panic!("no packet") };
    let (mut buffer, mut other) = (vec![0; length], Line::restore(&to.record()).unwrap());
    let opened =
        other.handle_with_aad(&packet(payload), data, &mut buffer, NOW, &mut Unused).unwrap().committed().next();
    assert_eq!(opened, Some(LineEffect::Message(text)));
    let mut entry = json!({
        "sealed_by": hex(record), "opened_by": hex(&*to.record()), "associated_data": hex(data), "padded": padded,
    });
    // A long text is one byte many times; of its packet the hash is kept.
    if text.len() <= 1024 {
        (entry["text"], entry["payload"]) = (hex(text).into(), hex(payload).into());
    } else {
        entry["text"] = json!({ "byte": text[0], "times": text.len() });
        entry["payload_sha256"] = hex(Sha256::digest(payload)).into();
    }
    entry
}

/// A name, who opens it, the payload, the caller's associated data, why not.
type NotOpened<'a> = (&'a str, &'a Line, Vec<u8>, &'a [u8], Rejected);

#[test]
pub fn packets() {
    let [at_alice, at_bob] = &confirmed();
    let (of_alice, of_bob) = (&key_of(at_alice), &key_of(at_bob));

    // Both ends, counters from the first to the last, and every size of a length.
    let mut good = Vec::new();
    for counter in [1, 23, 24, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000, (1 << 48) - 1] {
        good.push((format!("counter {counter}"), accepted(at_alice, at_bob, counter, b"text", b"")));
    }
    for length in [0, 7, 8, 239, 240, 65_519, 65_520, MAX_MESSAGE] {
        good.push((format!("{length} bytes"), accepted(at_alice, at_bob, 1, &vec![b'a'; length], b"")));
    }
    for length in [1, 15, 16, MAX_ASSOCIATED_DATA] {
        let data = vec![b'd'; length];
        good.push((format!("associated data of {length} bytes"), accepted(at_bob, at_alice, 1, b"text", &data)));
    }

    for text in [&b""[..], b"text", &[0x80, 0, 0], &[b'a'; 63], &[b'a'; 64], &[0; 200], &[b'a'; MAX_MESSAGE - 1]] {
        let entry = sealed_and_opened(at_alice, at_bob, 1, (text, true), b"data");
        good.push((format!("padded, {} bytes", text.len()), entry));
    }

    let not_sealed = [
        ("too long", 1, MAX_MESSAGE + 1, 0, SealError::TooLong),
        ("too much associated data", 1, 0, MAX_ASSOCIATED_DATA + 1, SealError::AssociatedDataTooLong),
        ("used up", 1 << 48, 0, 0, SealError::Exhausted),
    ];
    let not_sealed = not_sealed.map(|(name, counter, text, data, error)| {
        let record = with_counters(at_alice, counter, None);
        let mut buffer = vec![0; text + SEAL_OVERHEAD];
        let mut line = Line::restore(&record).unwrap();
        let result = line.seal(&vec![0; text], &vec![0; data], &mut buffer);
        assert_eq!(result.err(), Some(error), "{name}");
        let entry = json!({
            "sealed_by": hex(record), "text_length": text, "associated_data_length": data, "error": name_of(&error),
        });
        (name, entry)
    });

    let message = |counter, data| sealed(of_alice, PacketKind::Message, 0, counter, b"hello Bob", data);
    let flip = |at: usize| {
        let mut bytes = message(5, b"");
        bytes[at] ^= 1;
        bytes
    };
    let end = message(5, b"").len();
    let nonce = Nonce { epoch: 0, counter: 5 };
    let by_hand = |ciphertext| Payload::Sealed { kind: PacketKind::Message, nonce, ciphertext }.to_vec();
    let empty = |key, kind, epoch, counter| sealed(key, kind, epoch, counter, b"", b"");
    let padded = |text: &[u8]| sealed(of_alice, PacketKind::PaddedMessage, 0, 5, text, b"");
    let proof = Payload::Proof { proof: proof_of(&[1; 32], &[1; 48]).1 }.to_vec();
    // 99 is the newest; 97 and 36 were not taken.
    let window = &Line::restore(&with_counters(at_bob, 1, Some([100, !(1 << 63) & !0b100]))).unwrap();
    use Rejected::{AssociatedDataTooLong, Duplicate, Forged, Malformed, OutOfOrder};
    let not_opened: Vec<NotOpened> = vec![
        ("text with a bit flipped", at_bob, flip(end - 17), b"", Forged),
        ("tag with its first bit flipped", at_bob, flip(end - 16), b"", Forged),
        ("tag with its last bit flipped", at_bob, flip(end - 1), b"", Forged),
        ("another counter", at_bob, flip(17), b"", Forged),
        ("another epoch", at_bob, flip(9), b"", Forged),
        ("Message called Close", at_bob, flip(4), b"", Forged),
        ("sealed in an epoch without keys", at_bob, empty(of_alice, PacketKind::Message, 1, 5), b"", Forged),
        ("nothing in it", at_bob, by_hand(&[]), b"", Forged),
        ("shorter than a tag", at_bob, by_hand(&[0; 15]), b"", Forged),
        ("a tag of zeros", at_bob, by_hand(&[0; 16]), b"", Forged),
        ("the key of the other direction", at_bob, empty(of_bob, PacketKind::Message, 0, 5), b"", Forged),
        ("associated data left out", at_bob, message(5, b"data"), b"", Forged),
        ("other associated data", at_bob, message(5, b"data"), b"Data", Forged),
        ("associated data that was not sealed", at_bob, message(5, b""), b"data", Forged),
        ("too much associated data", at_bob, message(5, b""), &[0; MAX_ASSOCIATED_DATA + 1], AssociatedDataTooLong),
        ("a Confirm with a text", at_bob, sealed(of_alice, PacketKind::Confirm, 0, 0, b"text", b""), b"", Forged),
        ("a Close with a text", at_bob, sealed(of_alice, PacketKind::Close, 0, 5, b"text", b""), b"", Forged),
        ("an Answer with a text", at_alice, sealed(of_bob, PacketKind::Answer, 0, 5, b"text", b""), b"", Forged),
        (
            "a Close with associated data",
            at_bob,
            sealed(of_alice, PacketKind::Close, 0, 5, b"", b"data"),
            b"data",
            Forged,
        ),
        ("padding without a mark", at_bob, padded(&[0; 64]), b"", Forged),
        ("padding with another mark", at_bob, padded(&[&[0x81][..], &[0; 63]].concat()), b"", Forged),
        ("no padding", at_bob, padded(&[b'a'; 64]), b"", Forged),
        ("a bucket too small", at_bob, padded(&[&[b'a', 0x80][..], &[0; 30]].concat()), b"", Forged),
        ("a bucket too large", at_bob, padded(&[&[b'a', 0x80][..], &[0; 126]].concat()), b"", Forged),
        ("padding in no bucket", at_bob, padded(&[&[b'a', 0x80][..], &[0; 98]].concat()), b"", Forged),
        ("nothing, padded", at_bob, padded(b""), b"", Forged),
        ("the newest, again", window, message(99, b""), b"", Duplicate),
        ("one in the window, again", window, message(98, b""), b"", Duplicate),
        ("64 below the newest", window, message(35, b""), b"", Duplicate),
        ("0, long ago", window, message(0, b""), b"", Duplicate),
        ("the last counter of all", window, message(u64::MAX, b""), b"", Duplicate),
        ("forged, and old", window, empty(of_bob, PacketKind::Message, 0, 0), b"", Forged),
        ("an Answer for Bob", at_bob, empty(of_alice, PacketKind::Answer, 0, 5), b"", OutOfOrder),
        ("a Confirm for Alice", at_alice, empty(of_bob, PacketKind::Confirm, 0, 5), b"", OutOfOrder),
        ("a proof", at_bob, proof, b"", OutOfOrder),
        ("no payload", at_bob, vec![0xf6], b"", Malformed),
    ];
    let not_opened = not_opened.into_iter().map(|(name, line, payload, data, error)| {
        let mut buffer = vec![0; payload.len()];
        let mut copy = Line::restore(&line.record()).unwrap();
        assert_eq!(
            copy.handle_with_aad(&packet(&payload), data, &mut buffer, NOW, &mut Unused).err(),
            Some(error),
            "{name}"
        );
        assert_eq!(*copy.record(), *line.record(), "{name}");
        let entry = json!({
            "opened_by": hex(&*line.record()), "payload": hex(payload), "associated_data": hex(data),
            "error": name_of(&error),
        });
        (name, entry)
    });

    // The two gaps in that window, and what is ahead of it.
    let taken = [97, 36, 100, 163, 164, 1 << 47].map(|counter| {
        let (payload, mut buffer) = (message(counter, b""), [0; 64]);
        let mut copy = Line::restore(&window.record()).unwrap();
        let record =
            copy.handle_with_aad(&packet(&payload), b"", &mut buffer, NOW, &mut Unused).unwrap().write().row.record;
        let entry = json!({ "opened_by": hex(&*window.record()), "payload": hex(payload), "record": hex(&*record) });
        (format!("counter {counter}"), entry)
    });

    known(
        "packets.json",
        &json!({
            "accepted": named(good),
            "not_sealed": named(not_sealed),
            "not_opened": named(not_opened),
            "window": named(taken),
        }),
    );
}
