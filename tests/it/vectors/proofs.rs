//! Proof (§3).

use aes::Aes256;
use cbc::cipher::{Block, BlockModeEncrypt, KeyIvInit};

use super::ports::{contact, port, weak_keys};
use super::*;
use crate::common::rng;

/// `[public_key_bob, encrypted_rad]` as bytes, and as the crate reads it.
pub fn proof_of(public_key: &[u8], encrypted_rad: &[u8]) -> (Vec<u8>, Proof) {
    let fields = Cbor::Array(vec![Cbor::Bytes(public_key.into()), Cbor::Bytes(encrypted_rad.into())]);
    let payload = cbor(&Cbor::Array(vec![1.into(), Cbor::Array(vec![1.into(), fields.clone()])]));
    let Ok(Payload::Proof { proof }) = Payload::decode(&payload) else { panic!("no proof") };
    (cbor(&fields), proof)
}

pub fn dh(private_key: &[u8; 32], public_key: &[u8; 32]) -> [u8; 32] {
    *x25519_dalek::StaticSecret::from(*private_key).diffie_hellman(&(*public_key).into()).as_bytes()
}

pub fn public_key(private_key: &[u8; 32]) -> [u8; 32] {
    x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*private_key)).to_bytes()
}

/// `IV ‖ AES-256-CBC(secret, blocks)`: no padding but what `blocks` has.
pub fn encrypt(secret: &[u8; 32], iv: &[u8; 16], blocks: &[u8]) -> Vec<u8> {
    let (blocks, []) = blocks.as_chunks::<16>() else { panic!("no whole blocks") };
    let mut blocks: Vec<Block<Aes256>> = blocks.iter().map(|block| (*block).into()).collect();
    cbc::Encryptor::<Aes256>::new(secret.into(), iv.into()).encrypt_blocks(&mut blocks);
    [&iv[..], blocks.concat().as_slice()].concat()
}

pub fn formed(proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: LINE_LINK.into(), line_id: LINE_ID.into(), peer: OF_BOB.into(), proof }
}

/// The answer to the Bob of this seed.
pub fn connected_of(bob: u8) -> Event<'static> {
    let (line_link, request_id) = (LINE_LINK.into(), request_of(bob));
    Event::Connected { line_link, request_id, line_id: LINE_ID.into(), peer: OF_ALICE.into() }
}

pub fn connected() -> Event<'static> {
    connected_of(BOB)
}

pub fn refused_to(bob: u8, reason: Reason) -> Event<'static> {
    Event::Refused { line_link: LINE_LINK.into(), request_id: request_of(bob), reason }
}

/// The `request_id` of a seed (§8.5).
pub fn request_of(seed: u8) -> RequestId {
    counting::<16>(seed.wrapping_add(48)).into()
}

pub fn packet(payload: &[u8]) -> Event<'_> {
    Event::Packet { line_id: LINE_ID.into(), payload }
}

/// Everybody who comes has been announced.
struct Announced;

impl Peers for Announced {
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        let (line_link, name) = (LINE_LINK.into(), IntroducerName::new("Carol").unwrap());
        Some(TicketNotice { line_link, ticket: *ticket, name, expires: None })
    }
}

/// The hash of the ticket that a contact port reads out of this proof.
fn reads_ticket(proof: &Proof) -> Option<TicketHash> {
    let mut alice = Alice::offer(LINE_LINK.into(), contact(), seed(ALICE)).committed();
    match alice.handle(&formed(Some(proof.clone())), &Announced, NOW, &mut rng()) {
        Ok(step) => step.write().consumes,
        Err(Rejected::UnwantedLine(_)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// Proofs with a ticket behind the RAD (§16.3): of which ticket Alice is asked, or none.
fn with_tickets(bob: &[u8; 32], iv: &[u8; 16]) -> Value {
    let alice = Alice::offer(LINE_LINK.into(), contact(), seed(ALICE)).committed();
    let port = alice.port().unwrap();
    let (secret, rad) = (dh(bob, port.public_key().as_bytes()), port.rad().expose());
    let (of_ticket, padding) = (counting::<16>(0x33), [16; 16]);
    let of = |blocks: &[&[u8]]| encrypt(&secret, iv, &blocks.concat());
    let good = of(&[rad, &of_ticket, &padding]);
    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let entries = [
        ("good", good.clone()),
        // Whatever a relay does to a block, the next one is damaged too: RAD or padding is wrong.
        ("first block with a bit flipped", flip(16)),
        ("second block with a bit flipped", flip(32)),
        ("IV with a bit flipped", flip(0)),
        ("last block with a bit flipped", flip(63)),
        ("a ticket of its own choice", of(&[rad, &[7; 16], &padding])),
        ("no ticket", of(&[rad, &padding])),
        ("ticket first", of(&[&of_ticket, rad, &padding])),
        ("padding first", of(&[rad, &padding, &of_ticket])),
        ("RAD of zeros", of(&[&[0; 16], &of_ticket, &padding])),
        ("padding of zeros", of(&[rad, &of_ticket, &[0; 16]])),
    ];
    let entries = entries.map(|(name, encrypted_rad)| {
        let (bytes, proof) = proof_of(&public_key(bob), &encrypted_rad);
        let ticket_hash = reads_ticket(&proof).map(|ticket| hex(ticket.as_bytes()));
        assert_eq!(ticket_hash.is_some(), ["good", "a ticket of its own choice"].contains(&name), "{name}");
        (name, json!({ "bytes": hex(bytes), "ticket_hash": ticket_hash }))
    });
    json!({ "alice_seed": hex(counting::<64>(ALICE)), "secret": hex(secret), "proofs": named(entries) })
}

/// Whether Alice takes a proof: inline and along the line alike.
fn takes(proof: &Proof) -> bool {
    let mut alice = Alice::offer(LINE_LINK.into(), PortOptions::new(), seed(ALICE)).committed();
    let inline = match alice
        .handle(&formed(Some(proof.clone())), &NoPeers, NOW, &mut Unused)
        .unwrap()
        .committed()
        .last()
        .unwrap()
    {
        AliceEffect::LineFormed(_) => true,
        AliceEffect::Ended(PortOutcome::ProofRefused) => false,
        other => panic!("{other:?}"),
    };
    let mut alice = Alice::offer(LINE_LINK.into(), PortOptions::new(), seed(ALICE)).committed();
    let Some(AliceEffect::LineFormed(line)) =
        alice.handle(&formed(None), &NoPeers, NOW, &mut Unused).unwrap().committed().next()
    else {
        panic!("no line")
    };
    let (mut line, payload) = (line, Payload::Proof { proof: proof.clone() }.to_vec());
    let effects =
        line.handle(&packet(&payload), &mut [], NOW, &mut Unused).unwrap().committed().map(|effect| name_of(&effect));
    let effects: Vec<_> = effects.collect();
    assert_eq!(effects.iter().any(|effect| effect == "Ended(ProofRefused)"), !inline, "{effects:?}");
    inline
}

#[test]
pub fn proofs() {
    let (alice, bob) = (counting::<32>(ALICE), counting::<32>(BOB));
    let (rad, iv) = (counting::<16>(ALICE + 32), counting::<16>(BOB + 32));
    let (of_alice, of_bob) = (public_key(&alice), public_key(&bob));
    let secret = dh(&bob, &of_alice);
    assert_eq!(secret, dh(&alice, &of_bob));
    let padded = |padding: &[u8]| [&rad[..], padding].concat();
    let good = encrypt(&secret, &iv, &padded(&[16; 16]));
    // The smallest u on the twist: a key for which nobody has a private key in the usual sense, and which is accepted.
    let twist = { [[2].as_slice(), &[0; 31]].concat().try_into().unwrap() };
    let of_twist = encrypt(&dh(&alice, &twist), &iv, &padded(&[16; 16]));

    // What Bob himself sends.
    let mut machine = Bob::scan(port(PortOptions::new()), seed(BOB)).committed();
    let Some(BobEffect::Send(Request::Connect { proof: Some(sent), .. })) =
        machine.connect(SendProof::Inline, NOW).unwrap().committed().next()
    else {
        panic!("no proof")
    };
    assert_eq!(sent, proof_of(&of_bob, &good).1);

    let accepted =
        [("from Bob's seed", &of_bob, &secret, &good), ("a key on the twist", &twist, &dh(&alice, &twist), &of_twist)];
    let accepted = named(accepted.map(|(name, key, secret, encrypted_rad)| {
        let (bytes, proof) = proof_of(key, encrypted_rad);
        assert!(takes(&proof), "{name}");
        let private_key = (*key == of_bob).then(|| hex(bob));
        let entry = json!({
            "private_key_alice": hex(alice), "public_key_alice": hex(of_alice), "rad": hex(rad),
            "private_key_bob": private_key, "public_key_bob": hex(key), "iv": hex(iv), "secret": hex(secret),
            "encrypted_rad": hex(encrypted_rad), "bytes": hex(bytes),
        });
        (name, entry)
    }));

    let flip = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let key_with = |at: usize, mask: u8| {
        let mut key = of_bob.to_vec();
        key[at] ^= mask;
        key
    };
    let mut one_off = [16; 16];
    one_off[0] = 15;
    let mut refused: Vec<(String, Vec<u8>, Vec<u8>)> =
        weak_keys().into_iter().map(|(name, key)| (name, key, good.clone())).collect();
    // What an attacker can make without the Port: with a key of low order the secret is zero, and anybody can encrypt.
    let zero = encrypt(&[0; 32], &iv, &padded(&[16; 16]));
    refused.push(("low order, and encrypted under its secret".into(), vec![0; 32], zero));
    for (name, key, encrypted_rad) in [
        ("no key", vec![], good.clone()),
        ("key of 31 bytes", of_bob[..31].to_vec(), good.clone()),
        ("key with a bit flipped", key_with(0, 1), good.clone()),
        ("key with its highest bit set", key_with(31, 0x80), good.clone()),
        ("Alice's own key", of_alice.to_vec(), good.clone()),
        ("nothing encrypted", of_bob.to_vec(), vec![]),
        ("IV alone", of_bob.to_vec(), good[..16].to_vec()),
        ("one block", of_bob.to_vec(), good[..32].to_vec()),
        ("cut by a byte", of_bob.to_vec(), good[..47].to_vec()),
        ("a byte more", of_bob.to_vec(), [&good[..], &[0]].concat()),
        ("three blocks", of_bob.to_vec(), encrypt(&secret, &iv, &[padded(&[16; 16]), vec![16; 16]].concat())),
        ("IV with its first bit flipped", of_bob.to_vec(), flip(0)),
        ("IV with a bit of its last byte flipped", of_bob.to_vec(), flip(15)),
        ("first block with a bit flipped", of_bob.to_vec(), flip(16)),
        ("last block with a bit flipped", of_bob.to_vec(), flip(47)),
        ("RAD with its last byte off by one", of_bob.to_vec(), {
            let mut other = padded(&[16; 16]);
            other[15] ^= 1;
            encrypt(&secret, &iv, &other)
        }),
        ("RAD of zeros", of_bob.to_vec(), encrypt(&secret, &iv, &[[0; 16], [16; 16]].concat())),
        ("padding of another length", of_bob.to_vec(), encrypt(&secret, &iv, &padded(&[&[0; 15][..], &[1]].concat()))),
        ("padding with its first byte off by one", of_bob.to_vec(), encrypt(&secret, &iv, &padded(&one_off))),
        ("padding of zeros", of_bob.to_vec(), encrypt(&secret, &iv, &padded(&[0; 16]))),
        ("padding before RAD", of_bob.to_vec(), encrypt(&secret, &iv, &[&[16; 16][..], &rad].concat())),
        ("encrypted with another secret", of_bob.to_vec(), encrypt(&dh(&bob, &of_bob), &iv, &padded(&[16; 16]))),
    ] {
        refused.push((name.into(), key, encrypted_rad));
    }
    let refused = named(refused.into_iter().map(|(name, key, encrypted_rad)| {
        let (bytes, proof) = proof_of(&key, &encrypted_rad);
        assert!(!takes(&proof), "{name}");
        (name, json!({ "bytes": hex(bytes) }))
    }));

    known(
        "proofs.json",
        &json!({
            "accepted": accepted,
            "refused": { "private_key_alice": hex(alice), "rad": hex(rad), "proofs": refused },
            "with_tickets": with_tickets(&bob, &iv),
        }),
    );
}
