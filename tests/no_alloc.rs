//! A handshake takes nothing from the heap: pool, Port, for one and for many, proof, both ways of sending it, records, restores, messages, close. With
//! every feature on, too. Alone in its binary and without libtest (`harness = false`), because the counter counts every thread.

use std::convert::Infallible;
use std::time::Duration;

use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::*;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NOW: UnixSeconds = match UnixSeconds::new(1_800_000_000) {
    Some(now) => now,
    None => panic!("later than 9999"),
};

const fn at(secs: u64) -> UnixSeconds {
    UnixSeconds::new(secs).expect("not later than 9999")
}

/// A store of one machine: its record, in a place that was there before.
struct Store {
    record: [u8; MAX_RECORD],
    length: usize,
}

impl Store {
    const fn new() -> Self {
        Self { record: [0; MAX_RECORD], length: 0 }
    }

    fn put(&mut self, record: &[u8]) {
        self.record[..record.len()].copy_from_slice(record);
        self.length = record.len();
    }

    /// Keeps a new machine and gives it as it comes back from storage.
    fn create<M: Machine>(&mut self, created: Created<M>) -> M {
        let Ok(machine) = created.store(|write| {
            self.put(&write.row.record);
            Ok::<_, Infallible>(())
        });
        drop(machine);
        self.restored()
    }

    fn restored<M: Machine>(&self) -> M {
        M::restore(&self.record[..self.length]).unwrap()
    }

    /// Keeps the write of a step that forms no line.
    fn keep<'m, M: Machine>(&mut self, step: Step<'m, M>) -> Effects<'m, M> {
        let Ok(effects) = step.store(|write| {
            assert!(write.new_line.is_none());
            self.put(&write.row.record);
            Ok::<_, Infallible>(())
        });
        effects
    }

    /// The same of a step that forms a line, which is kept there.
    fn keep_with<'m, M: Machine>(&mut self, step: Step<'m, M>, lines: &mut Self) -> Effects<'m, M> {
        let written = step.write();
        lines.put(&written.new_line.as_ref().expect("a line").record);
        self.put(&written.row.record);
        step.commit(written)
    }
}

/// A generator that gives what was drawn before.
struct Drawn;

impl TryRng for Drawn {
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

impl TryCryptoRng for Drawn {}

/// The event of these bytes.
fn event(bytes: &[u8]) -> Event<'_> {
    Event::decode(bytes).unwrap()
}

/// Moves a line's packet to the other end: the event's bytes.
fn packet<'b>(effects: Effects<'_, Line>, out: &'b mut [u8]) -> &'b [u8] {
    for effect in effects {
        if let LineEffect::Send(Request::Packet { line_id, payload }) = effect {
            return Event::Packet { line_id, payload }.encode_into(out).unwrap();
        }
    }
    panic!("no packet");
}

fn handshake(how: SendProof, policy: Policy) {
    let (mut alices, mut bobs, mut at_alices, mut at_bobs) = (Store::new(), Store::new(), Store::new(), Store::new());
    let (mut out, mut buffer, mut sealed) = ([0; 512], [0; 512], [0; 512]);
    let relay = RelayAddr::new("relay.example").unwrap();
    let options = PortOptions::new().expires(NOW.after(Duration::from_secs(1))).relay(relay).policy(policy);

    let mut alice: Alice = alices.create(Alice::request(options, Seed::from_bytes(&[1; 64])));
    for effect in alice.pending() {
        let AliceEffect::Send(request) = effect else { panic!("no request") };
        request.encode_into(&mut out).unwrap();
    }
    let issued = Event::LineLinkIssued { request_id: [1; 16].into(), line_link: [2; 16].into() };
    let mut text = None;
    for effect in
        alices.keep(alice.handle(&event(issued.encode_into(&mut out).unwrap()), &NoPeers, NOW, &mut Drawn).unwrap())
    {
        match effect {
            AliceEffect::Send(Request::SetLineLink { .. }) => {}
            AliceEffect::PortReady(port) => {
                let _ = (port.to_bytes(), port.hash(), port.link("https://port.example/").unwrap());
                text = Some(port.qr_text());
            }
            _ => panic!("no Port"),
        }
    }

    let text = text.unwrap();
    let port = Port::parse(text.as_str()).unwrap();
    assert!(Port::find_in_ndef(text.ndef_into(&mut out).unwrap()) == Ok(port.clone()));
    assert!(
        Port::find("https://urldefense.com/v3/__https://a.example/p*QUAQ__;Iw!!x?u=aHR0cHM6Ly90LmNvL2E=")
            == Err(FindError::CutOff)
    );
    let mut bob: Bob = bobs.create(Bob::scan(port, Seed::from_bytes(&[3; 64])));
    let mut asked = None;
    for effect in bobs.keep(bob.connect(how, NOW).unwrap()) {
        let BobEffect::Send(Request::Connect { request_id, proof, .. }) = effect else { panic!("no request") };
        asked = Some((request_id, proof));
    }
    let (request_id, proof) = asked.unwrap();
    let (line_link, line_id) = ([2; 16].into(), [4; 16].into());
    let formed = Event::LineFormed { line_link, line_id, peer: [5; 32].into(), proof };
    let connected = Event::Connected { line_link, request_id, line_id, peer: [6; 32].into() };
    let mut alice: Alice = alices.restored();
    let step = alice.handle(&event(formed.encode_into(&mut out).unwrap()), &NoPeers, NOW, &mut Drawn).unwrap();
    let Some(AliceEffect::LineFormed(mut at_alice)) = alices.keep_with(step, &mut at_alices).next() else {
        panic!("no line")
    };
    let mut bob: Bob = bobs.restored();
    let step = bob.handle(&event(connected.encode_into(&mut out).unwrap()), &NoPeers, NOW, &mut Drawn).unwrap();
    let Some(BobEffect::LineFormed(_)) = bobs.keep_with(step, &mut at_bobs).next() else { panic!("no line") };
    let mut at_bob: Line = at_bobs.restored();

    if how == SendProof::AlongTheLine {
        let proof = packet(at_bob.pending(), &mut out);
        at_alices.keep(at_alice.handle(&event(proof), &mut buffer, NOW, &mut Drawn).unwrap()).for_each(drop);
    }
    let confirm = packet(at_alice.pending(), &mut out);
    at_bobs.keep(at_bob.handle(&event(confirm), &mut buffer, NOW, &mut Drawn).unwrap()).for_each(drop);
    let mut at_bob: Line = at_bobs.restored();
    let answer = packet(at_bob.pending(), &mut out);
    at_alices.keep(at_alice.handle(&event(answer), &mut buffer, NOW, &mut Drawn).unwrap()).for_each(drop);
    at_bobs.keep(at_bob.clear_outbox().unwrap()).for_each(drop);
    assert!(at_alice.safety_number() == at_bob.safety_number() && at_alice.confirmed() == at_bob.confirmed());
    assert!(at_alice.confirmed().is_some());

    let mut at_alice: Line = at_alices.restored();
    let message = packet(at_alices.keep(at_alice.seal(b"hello", &[], &mut sealed).unwrap()), &mut out);
    let step = at_bob.handle(&event(message), &mut buffer, NOW, &mut Drawn).unwrap();
    assert!(step.write().received == Some(Received::Message(b"hello")));
    assert!(at_bobs.keep(step).next() == Some(LineEffect::Message(b"hello")));
    assert!(at_bob.handle(&event(message), &mut buffer, NOW, &mut Drawn).err() == Some(Rejected::Duplicate));
    let close = packet(at_alices.keep(at_alice.close().unwrap()), &mut out);
    at_bobs.keep(at_bob.handle(&event(close), &mut buffer, NOW, &mut Drawn).unwrap()).for_each(drop);
    assert!(at_alice.phase() == LinePhase::Closed && at_bob.phase() == LinePhase::Closed);
}

fn line_links_for_later() {
    let (mut pools, mut alices, mut out) = (Store::new(), Store::new(), [0; 64]);
    let mut pool: Pool = pools.create(Pool::new(2, 16, Seed::from_bytes(&[6; 64])).unwrap());
    for link in 0..16 {
        let Some(PoolEffect::Send(request)) = pool.pending().next() else { panic!("no request") };
        request.encode_into(&mut out).unwrap();
        let Request::IssueLineLink { request_id } = request else { panic!("another request") };
        let issued = Event::LineLinkIssued { request_id, line_link: [link; 16].into() };
        let step = pool.handle(&event(issued.encode_into(&mut out).unwrap())).unwrap();
        pools.keep(step).for_each(drop);
    }
    for left in (0..16).rev() {
        let mut pool: Pool = pools.restored();
        let Some(PoolEffect::Link(link)) = pools.keep(pool.pop().unwrap()).next() else { panic!("no link") };
        let alice: Alice = alices.create(Alice::offer(link, PortOptions::new(), Seed::from_bytes(&[left; 64])));
        let _ = alice.port().unwrap().qr_text();
        assert_eq!(pool.held(), usize::from(left));
    }
}

/// §17.1: the app's formats are read on the heap, and take no more of it than a few times the text.
#[cfg(feature = "app")]
fn bounded() {
    use port_protocol::app::*;

    let mut texts: Vec<String> = Vec::new();
    for size in [0, 100, 10_000, 200_000] {
        for bit in ["{", "[", "\"", "%41", "&", "a&", "0,", "\\u0041", "\0"] {
            let many = bit.repeat(size / bit.len());
            let fields =
                ["portId", "name", "encryptedSecretContent", "encryptedContent", "bundle", "lineId", "messageId"];
            texts.extend(fields.map(|field| format!("{{\"{field}\":\"{many}")));
            texts.extend(fields.map(|field| format!("{{\"{field}\":\"{many}\",\"pubkey\":\"{}\"}}", "01".repeat(32))));
            texts.push(format!("https://porting.me/?bundleId={many}"));
            texts.push(format!("https://porting.me/?name={many}&x={many}"));
            texts.push(format!("[{}\"x\"]", format!("\"{}\",", "01".repeat(16)).repeat(size / 35)));
            texts.push(many);
        }
    }
    for text in &texts {
        let before = dhat::HeapStats::get().total_bytes;
        let _ = (Bundle::from_json(text), Grant::from_json(text), Scanned::parse(text), Name::new(text));
        let _ = (Event::from_json(text), Message::from_json(text), EncryptedContent::from_json(text));
        let _ = Intro::from_json(text).check(&[1; 32].into(), PortKind::Port, &[2; 16].into());
        let _ = (response::line_links(text), response::connected(text), response::bundle(text));
        let _ = (response::superport(text), response::contact_port(text), response::superport_limit(text));
        let taken = dhat::HeapStats::get().total_bytes - before;
        // Fourteen readers, and a vector that grows is counted at each of its sizes.
        let bound = 16 * text.len() as u64 + 16_384;
        assert!(taken <= bound, "{taken} for {} of {:.60}", text.len(), text);
    }
}

fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = blocks();
    handshake(SendProof::Inline, Policy::once());
    handshake(SendProof::AlongTheLine, Policy::once());
    handshake(SendProof::Inline, Policy::up_to(2).require_approval(false));
    line_links_for_later();
    assert_eq!(blocks() - before, 0);
    // The control: what does take from it is counted.
    drop(std::hint::black_box(vec![0_u8; 32]));
    assert_eq!(blocks() - before, 1);
    #[cfg(feature = "app")]
    bounded();
    println!("three handshakes, sixteen Ports from a pool, and no block taken from the heap");
}
