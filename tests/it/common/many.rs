//! Ports for many (§14): their users, both ends of a use, and its keys once more, from SPEC.md and primitives alone.

use hkdf::{Hkdf, HkdfExtract};
use port_protocol::*;
use sha2::{Digest, Sha256};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use super::cbor::Cbor;
use super::{
    Any, Commit, Effect, Made, NOW, Put, Store, Unused, fresh_bytes, line_link, maker, request_id, rng, seed,
    seed_bytes,
};

/// What the caller's tables say of everybody.
pub fn all_are(relationship: Relationship) -> impl Fn(&PeerMark) -> Relationship {
    move |_: &PeerMark| relationship
}

/// There is a record of this line, which this Port has formed.
pub struct There(pub LineId, pub PortHash);

impl Peers for There {
    fn port_of_line(&self, line_id: &LineId) -> Option<PortHash> {
        (*line_id == self.0).then_some(self.1)
    }
}

pub fn id(line: u8) -> LineId {
    [line; 16].into()
}

/// To Alice: this user came.
pub fn formed(line: u8, peer: u8, proof: Option<Proof>) -> Event<'static> {
    Event::LineFormed { line_link: line_link(), line_id: id(line), peer: [peer; 32].into(), proof }
}

/// To the Bob of seed `n`: its request formed this line.
pub fn connected(n: u8, line: u8) -> Event<'static> {
    let (line_link, request_id, line_id, peer) = (line_link(), request_id(n), id(line), maker());
    Event::Connected { line_link, request_id, line_id, peer }
}

pub fn offering(policy: Policy) -> Alice {
    Alice::offer(line_link(), PortOptions::new().policy(policy), seed(1)).committed()
}

/// The same, and the relay knows of it.
pub fn superport(policy: Policy) -> Alice {
    let mut alice = offering(policy);
    clear_outbox(&mut alice);
    alice
}

pub fn clear_outbox<M: Machine>(machine: &mut M) {
    machine.clear_outbox().into_iter().for_each(|step| step.committed().for_each(drop));
}

/// A Bob of seed `n` that has connected, and its proof.
pub fn connecting(n: u8, port: &Port) -> (Bob, Proof) {
    let mut bob = Bob::scan(port.clone(), seed(n)).committed();
    // A Port for many takes it inline, whatever Bob asks for.
    let how = if port.kind() == PortKind::Port { SendProof::Inline } else { SendProof::AlongTheLine };
    let step = bob.connect(how, NOW).unwrap();
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.committed().next() else { panic!() };
    (bob, proof)
}

pub fn proof_of(n: u8, alice: &Alice) -> Proof {
    connecting(n, alice.port().unwrap()).1
}

pub fn line_of<'m>(effects: impl IntoIterator<Item = AliceEffect<'m>>) -> Option<Line> {
    effects.into_iter().find_map(|e| if let AliceEffect::LineFormed(line) = e { Some(line) } else { None })
}

/// Alice's end and Bob's, of seed `n` and mark `n`, by the use of this line; with empty outboxes.
pub fn ends(alice: &mut Alice, n: u8, line: u8) -> (Line, Line) {
    let (mut bob, proof) = connecting(n, alice.port().unwrap());
    let at_alice = line_of(alice.handle(&formed(line, n, Some(proof)), &NoPeers, NOW, &mut rng()).unwrap().committed());
    clear_outbox(alice);
    let step = bob.handle(&connected(n, line), &NoPeers, NOW, &mut Unused).unwrap();
    let at_bob = step.committed().find_map(|e| if let BobEffect::LineFormed(line) = e { Some(line) } else { None });
    (at_alice.unwrap(), at_bob.unwrap())
}

/// What Alice does on an event, kept in a store of its own. `Err(None)`: Alice refuses it.
pub fn use_it(store: &mut Store, alice: &mut Alice, event: &Event<'_>) -> Result<Option<Line>, Option<OnDuplicate>> {
    let step = alice.handle(event, &NoPeers, NOW, &mut rng()).map_err(|_| None)?;
    let effects =
        step.store(|write| store.put(&Put::of(write)).map_err(|_| write.unique.map(|(_, on_duplicate)| on_duplicate)))?;
    Ok(line_of(effects))
}

/// The packets in a line's outbox, as they arrive.
pub fn pending(line: &Line) -> Vec<Vec<u8>> {
    line.pending().filter_map(packet).collect()
}

fn packet(effect: LineEffect<'_>) -> Option<Vec<u8>> {
    let LineEffect::Send(Request::Packet { line_id, payload }) = effect else { return None };
    Some(Event::Packet { line_id, payload }.to_vec())
}

/// What a line does on the bytes of an event.
pub fn hears(line: &mut Line, event: &[u8], now: UnixSeconds) -> Result<Vec<Effect>, Rejected> {
    let mut buffer = vec![0; event.len()];
    let step = line.handle(&Event::decode(event)?, &mut buffer, now, &mut Unused)?;
    Ok(step.committed().map(super::machine::of_line).collect())
}

/// What arrives of a message.
pub fn said(line: &mut Line, text: &str) -> Result<Vec<u8>, SealError> {
    let mut buffer = vec![0; text.len() + SEAL_OVERHEAD];
    Ok(line.seal(text.as_bytes(), b"", &mut buffer)?.committed().find_map(packet).unwrap())
}

/// A record without its revision.
pub fn still<M: Machine>(machine: &M) -> Vec<u8> {
    Cbor::read(&machine.record()).with(&[2], Cbor::Uint(0)).write()
}

pub fn holds(record: &[u8], secret: &[u8; 32]) -> bool {
    record.windows(32).any(|bytes| bytes == secret)
}

/// §6.2, §14.7 for the Superport of seed 1 and the Bob of seed `n`.
#[derive(Clone)]
pub struct Use {
    pub alice_private: [u8; 32],
    pub bob_private: [u8; 32],
    pub secret: [u8; 32],
    pub ephemeral: [u8; 32],
    /// To Bob, to Alice, exporter: of each epoch.
    pub keys: [[[u8; 32]; 3]; 2],
}

fn expand(hkdf: &Hkdf<Sha256>, info: &str) -> [u8; 32] {
    let mut out = [0; 32];
    hkdf.expand(info.as_bytes(), &mut out).unwrap();
    out
}

fn extract(salt: &[u8], ikm: &[[u8; 32]]) -> Hkdf<Sha256> {
    let mut hkdf = HkdfExtract::<Sha256>::new(Some(salt));
    hkdf.input_ikm(&ikm.concat());
    hkdf.finalize().1
}

/// `fresh` is what Alice's generator gave for this use.
pub fn derived(n: u8, line: u8, port: &Port, proof: &Proof, fresh: &[u8; 32]) -> Use {
    let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
    let proof = Cbor::read(&Payload::Proof { proof: proof.clone() }.to_vec()).at(&[1, 1]).clone();
    let port_hash = Sha256::digest(port.to_bytes().as_slice());
    let label = Cbor::Text("port-protocol".to_owned());
    let fields = [label, Cbor::Uint(1), Cbor::Uint(2), bytes(&port_hash), bytes(&[line; 16]), proof];
    let transcript = Sha256::digest(Cbor::Array(fields.to_vec()).write());
    let [alice_private, bob_private] = [1, n].map(|n| <[u8; 32]>::try_from(&seed_bytes(n)[..32]).unwrap());
    let bob_public = x25519(bob_private, X25519_BASEPOINT_BYTES);
    let secret = x25519(alice_private, bob_public);

    let ephemeral = expand(&extract(&transcript, &[secret, *fresh]), "ephemeral");
    let ephemeral_public = x25519(ephemeral, X25519_BASEPOINT_BYTES);
    let salt = Sha256::digest(Cbor::Array(vec![bytes(&transcript), bytes(&ephemeral_public)]).write());
    let epochs = [extract(&transcript, &[secret]), extract(&salt, &[secret, x25519(ephemeral, bob_public)])];
    let infos = ["alice to bob", "bob to alice", "exporter"];
    let keys = epochs.map(|hkdf| infos.map(|info| expand(&hkdf, info)));
    Use { alice_private, bob_private, secret, ephemeral, keys }
}

/// Both ends of a line, nothing delivered since, and its keys.
pub fn fresh() -> (Line, Line, Use) {
    static FRESH: Made<(), (Any, Any, Use)> = Made::new();
    let (at_alice, at_bob, keys) = FRESH.get((), |()| {
        let mut alice = superport(Policy::unlimited());
        let port = alice.port().unwrap().clone();
        let proof = proof_of(2, &alice);
        let (at_alice, at_bob) = ends(&mut alice, 2, 9);
        (at_alice.into(), at_bob.into(), derived(2, 9, &port, &proof, &fresh_bytes()))
    });
    (at_alice.line(), at_bob.line(), keys)
}

/// The words among these effects.
pub fn heard(effects: &[Effect]) -> Vec<String> {
    let texts = effects.iter().filter_map(|e| if let Effect::Message(text) = e { Some(text.clone()) } else { None });
    texts.map(|text| String::from_utf8(text).unwrap()).collect()
}
