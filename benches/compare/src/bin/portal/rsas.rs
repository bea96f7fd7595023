//! What each request of the freeshard profile computes at the least: one signature, RSASSA-PSS with SHA-512 under a key of 4,096 bits, and its
//! verification.

use std::hint::black_box;
use std::time::Instant;

use graviola::signing::rsa;
use ::rsa::pss::{SigningKey, VerifyingKey};
use ::rsa::signature::{Keypair, RandomizedSigner, Verifier};
use ::rsa::PrivateKey;
use ::rsa::pkcs8::DecodePrivateKey;
use port_protocol::X25519Backend;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::Sha512;

use crate::portal::InMemory;
use crate::{median, ours};

const ROUNDS: usize = 15;
/// Requests of ours beside one of theirs.
const REPEATS: u32 = 1_000;
/// As long as a signature base of the real system.
const SIGNED: [u8; 300] = [7; 300];

pub fn compare() {
    let mut key = [0; 4_096];
    let der = rsa::SigningKey::generate(rsa::KeySize::Rsa4096).expect("a key").to_pkcs8_der(&mut key).expect("room").to_vec();
    let fast = rsa::SigningKey::from_pkcs8_der(&der).expect("it wrote this");
    let fast_public = fast.public_key();
    let key = PrivateKey::from_pkcs8_der(&der).expect("a key");
    let sign = SigningKey::<Sha512>::new(key);
    let verify: VerifyingKey<Sha512> = sign.verifying_key();
    let mut rng = StdRng::seed_from_u64(4);
    let mut pair = ours::opened::<InMemory>();

    let [mut rsa_crate, mut by_graviola, mut own] = [const { Vec::new() }; 3];
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64
    };
    for _ in 0..ROUNDS {
        rsa_crate.push(time(&mut || {
            let signature = sign.sign_with_rng(&mut rng, black_box(&SIGNED));
            verify.verify(&SIGNED, &signature).expect("a signature");
        }));
        by_graviola.push(time(&mut || {
            let mut signature = [0; 512];
            let signature = fast.sign_pss_sha512(&mut signature, black_box(&SIGNED)).expect("room");
            fast_public.verify_pss_sha512(signature, &SIGNED).expect("a signature");
        }));
        own.push(time(&mut || (0..REPEATS).for_each(|_| ours::post(&mut pair))) / f64::from(REPEATS));
    }
    println!("\nRequests a second, one core, both ends; X25519 by {}; in turns, medians of {ROUNDS}", X25519Backend::in_use());
    let base = median(own.clone());
    let rows = [("ours, 1 KiB each way, store in memory", own), ("RSA-4096 alone: sign, verify; rsa 0.10", rsa_crate)];
    for (name, times) in rows.into_iter().chain([("RSA-4096 alone: sign, verify; graviola 0.4", by_graviola)]) {
        let time = median(times);
        println!("  {name:<62} {:>9.0}  1/{:.0}", 1e9 / time, time / base);
    }
}
