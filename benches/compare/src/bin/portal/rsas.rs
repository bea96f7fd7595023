//! The freeshard profile, and what each of its requests computes at the least: one signature, RSASSA-PSS with SHA-512 under a key of 4,096 bits, and
//! its verification.

use std::hint::black_box;
use std::time::Instant;

use ::rsa::PrivateKey;
use ::rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use ::rsa::pss::{SigningKey, VerifyingKey};
use ::rsa::signature::{Keypair, RandomizedSigner, Verifier};
use graviola::signing::rsa;
use port_protocol::portal::freeshard::{
    self, Access, AppPaths, Body, Forwarded, Host, Mode, PathRule, Peers, ReplayMemory, Sender, Status,
};
use port_protocol::{UnixSeconds, X25519Backend};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::Sha512;

use crate::portal::InMemory;
use crate::{BODY, median, ours};

const ROUNDS: usize = 15;
/// Requests of ours beside one of theirs.
const REPEATS: u32 = 1_000;
/// As long as a signature base of the real system.
const SIGNED: [u8; 300] = [7; 300];

pub fn compare() {
    let mut key = [0; 4_096];
    let der =
        rsa::SigningKey::generate(rsa::KeySize::Rsa4096).expect("a key").to_pkcs8_der(&mut key).expect("room").to_vec();
    let fast = rsa::SigningKey::from_pkcs8_der(&der).expect("it wrote this");
    let fast_public = fast.public_key();
    let key = PrivateKey::from_pkcs8_der(&der).expect("a key");
    let mut freeshard = Freeshard::new(&key.to_pkcs8_pem(LineEnding::LF).expect("text"));
    let sign = SigningKey::<Sha512>::new(key);
    let verify: VerifyingKey<Sha512> = sign.verifying_key();
    let mut rng = StdRng::seed_from_u64(4);
    let mut pair = ours::opened::<InMemory>();

    let [mut profile, mut rsa_crate, mut by_graviola, mut own] = [const { Vec::new() }; 4];
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() as f64
    };
    for _ in 0..ROUNDS {
        profile.push(time(&mut || freeshard.request(&mut rng)));
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
    println!(
        "\nRequests a second, one core, both ends; X25519 by {}; in turns, medians of {ROUNDS}",
        X25519Backend::in_use()
    );
    let base = median(own.clone());
    let rows = [
        ("ours, 1 KiB each way, store in memory", own),
        ("the freeshard profile, strict, 1 KiB to the peer", profile),
        ("RSA-4096 alone: sign, verify; rsa 0.10", rsa_crate),
        ("RSA-4096 alone: sign, verify; graviola 0.4", by_graviola),
    ];
    for (name, times) in rows {
        let time = median(times);
        println!("  {name:<62} {:>9.0}  1/{:.0}", 1e9 / time, time / base);
    }
}

const ZONE: &str = "freeshard.example";

/// Two Portals with one key.
struct Freeshard {
    key: freeshard::PrivateKey,
    peers: Peers,
    paths: AppPaths,
    memory: ReplayMemory,
    now: UnixSeconds,
}

impl Freeshard {
    fn new(pem: &str) -> Self {
        let key = freeshard::PrivateKey::from_pem(pem).expect("a key");
        let mut peers = Peers::new(Mode::Strict);
        let public = key.public_key().clone();
        let peer = freeshard::Peer::new(Mode::Strict, &public.id().to_string(), None).expect("an ID");
        peers.restore(peer.with_key(Mode::Strict, public).expect("its key")).expect("one row");
        let paths = AppPaths::new([PathRule::new("", Access::Private), PathRule::new("/peer", Access::Peer)]);
        Self { key, peers, paths, memory: ReplayMemory::new(1_000), now: UnixSeconds::new(1_790_000_000).unwrap() }
    }

    /// A request is signed, and let pass.
    fn request(&mut self, rng: &mut StdRng) {
        let Self { key, peers, paths, memory, now } = self;
        let sender = Sender { key, app: "notes", zone: ZONE };
        let request = sender.call(&peers.rows()[0], "POST", "/peer/notes/add", &BODY, *now, rng).expect("signed");
        let (host, path) = request.url.strip_prefix("https://").unwrap().split_once('/').unwrap();
        let path = format!("/{path}");
        let mut headers = request.fields();
        headers.extend([
            ("X-Forwarded-Method", request.method.as_str()),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Uri", &path),
        ]);
        let forwarded = Forwarded { headers: &headers, body: Body::Whole(&request.body) };
        let host = Host { id: key.public_key().id(), zone: ZONE, peers };
        let decision = host.authorize(&forwarded, |app| (app == "notes").then_some(&*paths), None, *now, memory);
        assert_eq!(decision.status, Status::Granted);
    }
}
