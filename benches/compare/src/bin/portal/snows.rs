//! Other libraries for Noise, with payloads as long as ours and nothing else of ours.

use std::hint::black_box;

use clatter::NqHandshake;
use clatter::crypto::cipher::AesGcm;
use clatter::crypto::dh::X25519;
use clatter::crypto::hash::Sha256;
use clatter::handshakepattern::noise_ik;
use clatter::traits::{Dh, Handshaker};
use snow::Builder;

use crate::Contestant;

const PATTERN: &str = "Noise_IK_25519_AESGCM_SHA256";
const PROLOGUE: &[u8] = b"port-protocol portal 1";

/// As long as what stands in an Opening and in an Opened beside what is asked and answered.
const PAYLOADS: [usize; 2] = [1_024 + 92, 1_024 + 70];

fn pair() -> [snow::Keypair; 2] {
    [(); 2].map(|()| Builder::new(PATTERN.parse().unwrap()).generate_keypair().unwrap())
}

/// Both messages of IK, and both ends ready for transport.
fn handshake(keys: &[snow::Keypair; 2], buffers: &mut [Vec<u8>; 2]) -> [snow::StatelessTransportState; 2] {
    let builder =
        |own| Builder::new(PATTERN.parse().unwrap()).prologue(PROLOGUE).unwrap().local_private_key(own).unwrap();
    let [caller, callee] = keys;
    let mut caller = builder(&caller.private).remote_public_key(&callee.public).unwrap().build_initiator().unwrap();
    let mut callee = builder(&callee.private).build_responder().unwrap();
    let [wire, text] = buffers;
    let payload = [7; PAYLOADS[0]];
    let length = caller.write_message(&payload[..PAYLOADS[0]], wire).unwrap();
    assert_eq!(callee.read_message(&wire[..length], text).unwrap(), PAYLOADS[0]);
    let length = callee.write_message(&payload[..PAYLOADS[1]], wire).unwrap();
    assert_eq!(caller.read_message(&wire[..length], text).unwrap(), PAYLOADS[1]);
    [caller, callee].map(|end| end.into_stateless_transport_mode().unwrap())
}

fn buffers() -> [Vec<u8>; 2] {
    [vec![0; 2_048], vec![0; 2_048]]
}

pub fn first(name: &'static str) -> Contestant {
    let (keys, mut buffers) = (pair(), buffers());
    Contestant::new(name, move || _ = black_box(handshake(&keys, &mut buffers)))
}

pub fn first_of_clatter(name: &'static str) -> Contestant {
    type Handshake = NqHandshake<X25519, AesGcm, Sha256>;
    let [a, b] = [(); 2].map(|()| X25519::genkey().unwrap());
    let [mut wire, mut text] = buffers();
    Contestant::new(name, move || {
        let (own, theirs) = (Some(a.clone()), Some(b.public));
        let mut caller = Handshake::new(noise_ik(), PROLOGUE, true, own, None, theirs, None).unwrap();
        let mut callee = Handshake::new(noise_ik(), PROLOGUE, false, Some(b.clone()), None, None, None).unwrap();
        let payload = [7; PAYLOADS[0]];
        let length = caller.write_message(&payload, &mut wire).unwrap();
        assert_eq!(callee.read_message(&wire[..length], &mut text).unwrap(), PAYLOADS[0]);
        let length = callee.write_message(&payload[..PAYLOADS[1]], &mut wire).unwrap();
        assert_eq!(caller.read_message(&wire[..length], &mut text).unwrap(), PAYLOADS[1]);
        black_box((caller.finalize().unwrap(), callee.finalize().unwrap()));
    })
}

/// A request and an answer under two keys that are there.
pub fn standing(name: &'static str) -> Contestant {
    let mut buffers = buffers();
    let [caller, callee] = handshake(&pair(), &mut buffers);
    let mut number = 0;
    Contestant::new(name, move || {
        number += 1;
        let [wire, text] = &mut buffers;
        let length = caller.write_message(number, black_box(&[7; 1_024 + 92]), wire).unwrap();
        callee.read_message(number, &wire[..length], text).unwrap();
        let length = callee.write_message(number, black_box(&[7; 1_024 + 40]), wire).unwrap();
        caller.read_message(number, &wire[..length], text).unwrap();
        black_box(text);
    })
}
