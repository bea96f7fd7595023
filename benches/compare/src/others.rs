//! What the handshake is compared with.

use std::cell::RefCell;
use std::hint::black_box;

use snow::resolvers::{BoxedCryptoResolver, DefaultResolver, FallbackResolver, RingResolver};
use snow::{Builder, HandshakeState, TransportState};
use vodozemac::olm::{Account, OlmMessage, SessionConfig};

/// Two keygens and two DH, all the X25519 of a handshake.
pub fn x25519_by_graviola(run: u32) {
    use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};

    let [a, b] = private_keys(run);
    let public = |key| StaticPrivateKey::from_array(key).public_key().as_bytes();
    let agree =
        |key, public| StaticPrivateKey::from_array(key).diffie_hellman(&PublicKey::from_array(public)).unwrap().0;
    let [public_a, public_b] = black_box([public(&a), public(&b)]);
    black_box([agree(&b, &public_a), agree(&a, &public_b)]);
}

/// The same.
pub fn x25519_by_dalek(run: u32) {
    use x25519_dalek::{PublicKey, StaticSecret};

    let [a, b] = private_keys(run).map(StaticSecret::from);
    let [public_a, public_b] = black_box([PublicKey::from(&a), PublicKey::from(&b)]);
    black_box([b.diffie_hellman(&public_a), a.diffie_hellman(&public_b)]);
}

fn private_keys(run: u32) -> [[u8; 32]; 2] {
    let (a, b) = super::common::seeds(run);
    black_box([a, b].map(|seed| *seed.first_chunk().unwrap()))
}

pub fn snow_by_default() {
    snow(|| Box::new(DefaultResolver));
}

/// ring's AES-GCM and SHA-256. ring has no X25519 for snow, so that stays as it was.
pub fn snow_by_ring() {
    snow(|| Box::new(FallbackResolver::new(Box::new(RingResolver), Box::new(DefaultResolver))));
}

/// Both messages of NN, and both ends ready for transport.
fn snow(resolver: fn() -> BoxedCryptoResolver) {
    let builder = || Builder::with_resolver("Noise_NN_25519_AESGCM_SHA256".parse().unwrap(), resolver());
    let mut alice = builder().build_initiator().unwrap();
    let mut bob = builder().build_responder().unwrap();
    pass(&mut alice, &mut bob);
    pass(&mut bob, &mut alice);
    let ready = |state: HandshakeState| -> TransportState { state.into_transport_mode().unwrap() };
    black_box((ready(alice), ready(bob)));
}

fn pass(from: &mut HandshakeState, to: &mut HandshakeState) {
    let (mut wire, mut text) = ([0; 256], [0; 256]);
    let length = from.write_message(&[], &mut wire).unwrap();
    to.read_message(&wire[..length], &mut text).unwrap();
}

thread_local! {
    /// Both have had an account for long.
    static ACCOUNTS: RefCell<[Account; 2]> = RefCell::new([Account::new(), Account::new()]);
}

/// Alice makes a one-time key, Bob a session to it and a first message, and Alice reads that. Nothing is pickled.
pub fn vodozemac() {
    ACCOUNTS.with_borrow_mut(|[alice, bob]| {
        let one_time_key = alice.generate_one_time_keys(1).created[0];
        alice.mark_keys_as_published();
        let config = SessionConfig::version_1();
        let mut session = bob.create_outbound_session(config, alice.curve25519_key(), one_time_key).unwrap();
        let OlmMessage::PreKey(message) = session.encrypt("").unwrap() else { unreachable!() };
        black_box(alice.create_inbound_session(config, bob.curve25519_key(), &message).unwrap().session);
        black_box(session);
    });
}
