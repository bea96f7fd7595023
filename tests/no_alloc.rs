//! A handshake takes nothing from the heap: pool, Port, proof, both ways of sending it, records, restores, messages, close. With
//! every feature on, too. Alone in its binary and without libtest (`harness = false`), because the counter counts every thread.

use port_protocol::*;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

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
    fn born<M: Machine>(&mut self, born: Created<M>) -> M {
        self.put(&born.record());
        drop(born.commit());
        self.restored()
    }

    fn restored<M: Machine>(&self) -> M {
        M::restore(&self.record[..self.length]).unwrap()
    }

    /// The three lines.
    fn keep<'m, M: Machine>(&mut self, step: Step<'m, M>) -> Effects<'m, M> {
        let _ = (step.key(), step.replaces(), step.once());
        self.put(&step.record());
        step.commit()
    }

    /// The same, of a step that yields a line, which is kept there.
    fn keep_with<'m, M: Machine>(&mut self, step: Step<'m, M>, lines: &mut Self) -> Effects<'m, M> {
        lines.put(&step.line().expect("a line").record());
        self.keep(step)
    }
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

fn handshake(how: SendProof) {
    let (mut alices, mut bobs, mut at_alices, mut at_bobs) = (Store::new(), Store::new(), Store::new(), Store::new());
    let (mut out, mut buffer, mut sealed) = ([0; 512], [0; 512], [0; 512]);
    let offer = PortOptions::new().expires(UnixSeconds(NOW.0 + 1)).relay(RelayAddr::new("relay.example").unwrap());

    let mut alice: Alice = alices.born(Alice::request(offer, Seed::from_bytes(&[1; 64])));
    for effect in alice.pending() {
        let AliceEffect::Send(request) = effect else { panic!("no request") };
        request.encode_into(&mut out).unwrap();
    }
    let issued = Event::LineLinkIssued { request_id: [1; 16].into(), line_link: [2; 16].into() };
    let mut text = None;
    for effect in alices.keep(alice.handle_bytes(issued.encode_into(&mut out).unwrap(), NOW).unwrap()) {
        let AliceEffect::PortReady(port) = effect else { panic!("no Port") };
        let _ = (port.to_bytes(), port.hash(), port.link("https://port.example/").unwrap());
        text = Some(port.qr_text());
    }

    let port = Port::parse(text.unwrap().as_str()).unwrap();
    let mut bob: Bob = bobs.born(Bob::scan(port, Seed::from_bytes(&[3; 64])));
    let mut on_board = None;
    for effect in bobs.keep(bob.connect(how, NOW).unwrap()) {
        let BobEffect::Send(Request::Connect { proof, .. }) = effect else { panic!("no request") };
        on_board = proof;
    }
    let formed = |proof| Event::LineFormed {
        line_link: [2; 16].into(),
        line_id: [4; 16].into(),
        pair_hash: [5; 32].into(),
        proof,
    };
    let mut alice: Alice = alices.restored();
    let step = alice.handle_bytes(formed(on_board).encode_into(&mut out).unwrap(), NOW).unwrap();
    let Some(AliceEffect::LineFormed(mut at_alice)) = alices.keep_with(step, &mut at_alices).next() else {
        panic!("no line")
    };
    let mut bob: Bob = bobs.restored();
    let step = bob.handle_bytes(formed(None).encode_into(&mut out).unwrap(), NOW).unwrap();
    let Some(BobEffect::LineFormed(_)) = bobs.keep_with(step, &mut at_bobs).next() else { panic!("no line") };
    let mut at_bob: Line = at_bobs.restored();

    if how == SendProof::AlongTheLine {
        let proof = packet(at_bob.pending(), &mut out);
        at_alices.keep(at_alice.handle_bytes(proof, &mut buffer, NOW).unwrap()).for_each(drop);
    }
    let confirm = packet(at_alice.pending(), &mut out);
    at_bobs.keep(at_bob.handle_bytes(confirm, &mut buffer, NOW).unwrap()).for_each(drop);
    let mut at_bob: Line = at_bobs.restored();
    let answer = packet(at_bob.pending(), &mut out);
    at_alices.keep(at_alice.handle_bytes(answer, &mut buffer, NOW).unwrap()).for_each(drop);
    at_bobs.keep(at_bob.clear_outbox().unwrap()).for_each(drop);
    assert!(at_alice.safety_number() == at_bob.safety_number() && at_alice.confirmed() == at_bob.confirmed());
    assert!(at_alice.confirmed().is_some());

    let mut at_alice: Line = at_alices.restored();
    let message = packet(at_alices.keep(at_alice.seal(b"hello", &[], &mut sealed).unwrap()), &mut out);
    let step = at_bob.handle_bytes(message, &mut buffer, NOW).unwrap();
    assert!(at_bobs.keep(step).last() == Some(LineEffect::Message(b"hello")));
    assert!(at_bob.handle_bytes(message, &mut buffer, NOW).err() == Some(Rejected::Duplicate));
    let close = packet(at_alices.keep(at_alice.close().unwrap()), &mut out);
    at_bobs.keep(at_bob.handle_bytes(close, &mut buffer, NOW).unwrap()).for_each(drop);
    assert!(at_alice.phase() == LinePhase::Closed && at_bob.phase() == LinePhase::Closed);
}

fn line_links_for_later() {
    let (mut pools, mut alices, mut out) = (Store::new(), Store::new(), [0; 64]);
    let mut pool: Pool = pools.born(Pool::new(2, 16, Seed::from_bytes(&[6; 64])).unwrap());
    for link in 0..16 {
        let Some(PoolEffect::Send(request)) = pool.pending().next() else { panic!("no request") };
        request.encode_into(&mut out).unwrap();
        let Request::IssueLineLink { request_id } = request else { panic!("another request") };
        let issued = Event::LineLinkIssued { request_id, line_link: [link; 16].into() };
        let step = pool.handle_bytes(issued.encode_into(&mut out).unwrap()).unwrap();
        pools.keep(step).for_each(drop);
    }
    for left in (0..16).rev() {
        let mut pool: Pool = pools.restored();
        let Some(PoolEffect::Link(link)) = pools.keep(pool.take().unwrap()).next() else { panic!("no link") };
        let alice: Alice = alices.born(Alice::offer(link, PortOptions::new(), Seed::from_bytes(&[left; 64])));
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
        let _ = (Bundle::from_json(text), Grant::from_json(text), Scanned::parse(text), IntroducerName::new(text));
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
    handshake(SendProof::Inline);
    handshake(SendProof::AlongTheLine);
    line_links_for_later();
    assert_eq!(blocks() - before, 0);
    // The control: what does take from it is counted.
    drop(std::hint::black_box(vec![0_u8; 32]));
    assert_eq!(blocks() - before, 1);
    #[cfg(feature = "app")]
    bounded();
    println!("two handshakes, sixteen Ports from a pool, and no block taken from the heap");
}
