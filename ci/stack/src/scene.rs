//! The machines of one handshake, as they come back from their records, and its secrets.

use std::convert::Infallible;

use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::*;

pub const NOW: UnixSeconds = UnixSeconds::new(1_790_000_000).unwrap();
pub const LINK: [u8; 16] = [1; 16];
const LINE: [u8; 16] = [2; 16];

/// What to look for: the keys of the line, of both epochs; the secret; both private keys; the RAD.
pub struct Secrets(pub [Vec<Vec<u8>>; 4]);

pub struct Scene {
    pub secrets: Secrets,
    pub formed: Event<'static>,
    pub connected: Event<'static>,
    pub confirm: Vec<u8>,
    pub answer: Vec<u8>,
    /// Alice on offer.
    pub alice: Vec<u8>,
    scanned: Vec<u8>,
    connecting: Vec<u8>,
    joined: [Vec<u8>; 2],
    /// Alice's confirmed line, and Bob's.
    pub lines: [Vec<u8>; 2],
}

impl Scene {
    pub fn once() -> Self {
        Self::new(PortOptions::new())
    }

    pub fn many() -> Self {
        Self::new(PortOptions::new().policy(Policy::unlimited()))
    }

    fn new(options: PortOptions) -> Self {
        let mut alice = create(Alice::offer(LINK.into(), options, seed(1)));
        let offered = alice.record().to_vec();
        let port = alice.port().expect("a Port").clone();
        let public_key = *port.public_key().as_bytes();
        let mut bob = create(Bob::scan(port, seed(2)));
        let scanned = bob.record().to_vec();
        let Some(BobEffect::Send(Request::Connect { request_id, proof, .. })) =
            step(bob.connect(SendProof::Inline, NOW).expect("a good Port")).next()
        else {
            unreachable!()
        };
        let (line_link, line_id, peer) = (LINK.into(), LINE.into(), [3; 32].into());
        let formed = Event::LineFormed { line_link, line_id, peer, proof };
        let connected = Event::Connected { line_link, request_id, line_id, peer };
        let connecting = bob.record().to_vec();
        let Some(mut at_alice) =
            step(used(&mut alice, &formed).expect("a good proof")).find_map(|effect| match effect {
                AliceEffect::LineFormed(line) => Some(line),
                _ => None,
            })
        else {
            unreachable!()
        };
        let Some(BobEffect::LineFormed(mut at_bob)) =
            step(formed_at(&mut bob, &connected).expect("a good answer")).next()
        else {
            unreachable!()
        };
        let joined = [&at_alice, &at_bob].map(|line| line.record().to_vec());
        let mut buffer = [0; 256];
        let confirm = packet(at_alice.pending().next());
        let answer = packet(step(hears(&mut at_bob, &confirm, &mut buffer).expect("Confirm")).next());
        step(hears(&mut at_alice, &answer, &mut buffer).expect("Answer")).for_each(drop);
        let lines = [&at_alice, &at_bob].map(|line| line.record().to_vec());
        assert!(at_alice.confirmed().is_some() && at_bob.confirmed().is_some());

        let private = [1, 2].map(|n| seed_bytes(n)[..32].to_vec());
        let secret = x25519_dalek::x25519(private[1][..].try_into().expect("32 bytes"), public_key).to_vec();
        let keys = joined.iter().chain(&lines).flat_map(|record| keys(record)).collect();
        let secrets = Secrets([keys, vec![secret], private.to_vec(), vec![seed_bytes(1)[32..48].to_vec()]]);
        Self { secrets, formed, connected, confirm, answer, alice: offered, scanned, connecting, joined, lines }
    }

    pub fn offered(&self) -> Alice {
        restored(&self.alice)
    }

    pub fn scanned(&self) -> Bob {
        restored(&self.scanned)
    }

    pub fn connecting(&self) -> Bob {
        restored(&self.connecting)
    }

    pub fn at_alice(&self) -> Line {
        restored(&self.joined[0])
    }

    pub fn at_bob(&self) -> Line {
        restored(&self.joined[1])
    }

    pub fn confirmed(&self, end: usize) -> Line {
        restored(&self.lines[end])
    }

    /// One that Alice sends to Bob.
    pub fn message(&self, text: &[u8]) -> Vec<u8> {
        let (mut line, mut buffer) = (self.confirmed(0), vec![0; text.len() + SEAL_OVERHEAD]);
        packet(step(line.seal(text, &[], &mut buffer).expect("a confirmed line")).next())
    }
}

/// The three keys in a line's record: `[1, 3, revision, [origin, [phase, [send, receive, exporter, …], end]]]`.
fn keys(record: &[u8]) -> Vec<Vec<u8>> {
    let record: ciborium::Value = ciborium::from_reader(record).expect("CBOR");
    let session = [3, 1, 1].iter().fold(&record, |value, &place| &value.as_array().expect("an array")[place]);
    (0..3).map(|key| session.as_array().expect("a session")[key].as_bytes().expect("a key").clone()).collect()
}

pub fn seed_bytes(n: u8) -> [u8; 64] {
    let mut state = u64::from(n);
    [(); 64].map(|()| {
        // Any bytes will do that don't repeat.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}

pub fn seed(n: u8) -> Seed {
    Seed::from_bytes(&seed_bytes(n))
}

fn restored<M: Machine>(record: &[u8]) -> M {
    M::restore(record).expect("a record")
}

fn create<M: Machine>(created: Created<M>) -> M {
    let write = created.write();
    created.commit(write)
}

fn step<'m, M: Machine>(step: Step<'m, M>) -> Effects<'m, M> {
    let write = step.write();
    step.commit(write)
}

fn packet(effect: Option<LineEffect<'_>>) -> Vec<u8> {
    let Some(LineEffect::Send(Request::Packet { payload, .. })) = effect else { unreachable!() };
    payload.to_vec()
}

pub fn used<'m>(alice: &'m mut Alice, event: &Event<'_>) -> Result<Step<'m, Alice>, Rejected> {
    alice.handle(event, &NoPeers, NOW, &mut Fixed)
}

pub fn formed_at<'m>(bob: &'m mut Bob, event: &Event<'_>) -> Result<Step<'m, Bob>, Rejected> {
    bob.handle(event, &NoPeers, NOW, &mut Fixed)
}

pub fn hears<'m>(line: &'m mut Line, payload: &[u8], buffer: &'m mut [u8]) -> Result<Step<'m, Line>, Rejected> {
    line.handle(&Event::Packet { line_id: LINE.into(), payload }, buffer, NOW, &mut Fixed)
}

/// A generator that always gives the same.
struct Fixed;

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(7);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}
