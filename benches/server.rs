//! The Server with a million outstanding links in memory: what one costs, and whether a request takes longer for it.
//!
//! `cargo bench --bench server`. Times are medians over batches, by the clock; a request is decoded from its bytes, and
//! no storage is written.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use port_protocol::server::*;
use port_protocol::{
    Alice, Bob, BobEffect, Event, LineId, LineLink, Machine, Offer, Request, Seed, SendProof, UnixSeconds,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NOW: UnixSeconds = UnixSeconds(1_790_000_000);
const BATCHES: u32 = 15;
const BATCH: u32 = 400;

/// As fast as no secure one is: what is measured is the Server.
struct SplitMix(u64);

impl rand_core::TryRng for SplitMix {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for SplitMix {}

struct Relay {
    server: Server<Memory>,
    rng: SplitMix,
    /// Users and requests are all different.
    count: u64,
}

impl Relay {
    fn new() -> Self {
        let limits = Limits { links: usize::MAX, lines: usize::MAX, ..Limits::default() };
        Self { server: Server::new(Memory::new(), limits), rng: SplitMix(1), count: 0 }
    }

    fn handle(&mut self, from: UserId, request: &[u8]) -> Option<Event<'static>> {
        self.server.handle(from, request, &mut self.rng, NOW).expect("handled").reply
    }

    /// A request that was never made before.
    fn issue(&mut self) -> Vec<u8> {
        self.count += 1;
        let mut request_id = [0; 16];
        request_id[..8].copy_from_slice(&self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        Request::IssueLineLink { request_id: request_id.into() }.to_vec()
    }

    fn issued(&mut self, owner: UserId) -> LineLink {
        let request = self.issue();
        match self.handle(owner, &request) {
            Some(Event::LineLinkIssued { line_link, .. }) => line_link,
            other => panic!("{other:?}"),
        }
    }
}

fn user(n: u64) -> UserId {
    let mut id = [0; 32];
    for (part, byte) in id.chunks_mut(8).zip(1u64..) {
        part.copy_from_slice(&(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ byte).to_le_bytes());
    }
    id.into()
}

/// The bytes of a proof of the usual length.
fn connect(line_link: LineLink) -> Vec<u8> {
    let alice = Alice::offer(line_link, Offer::new(), Seed::from_bytes(&[1; 64])).commit();
    let mut bob = Bob::scan(alice.port().expect("on offer").clone(), Seed::from_bytes(&[2; 64])).commit();
    bob.connect(SendProof::OnBoard, NOW).expect("scanned").commit().for_each(drop);
    let Some(BobEffect::Send(request)) = bob.unsent().next() else { unreachable!() };
    request.to_vec()
}

/// The same, to another link: 16 bytes of it are all that differs.
fn connect_to(template: &[u8], line_link: LineLink) -> Vec<u8> {
    let mut request = template.to_vec();
    request[5..21].copy_from_slice(line_link.as_bytes());
    request
}

/// Nanoseconds for one.
fn time(mut batch: impl FnMut() -> Vec<(UserId, Vec<u8>)>, mut handle: impl FnMut(UserId, &[u8])) -> f64 {
    let mut batches: Vec<_> = (0..BATCHES)
        .map(|_| {
            let requests = batch();
            let start = Instant::now();
            requests.iter().for_each(|(from, request)| handle(*from, black_box(request)));
            start.elapsed().as_nanos() as f64 / requests.len() as f64
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[batches.len() / 2]
}

/// How long each request takes beside `links` others, `per_user` of each user.
fn times(links: u64, per_user: u64) -> [(&'static str, f64); 6] {
    let mut relay = Relay::new();
    let all: Vec<_> = (0..links).map(|n| (relay.issued(user(n / per_user)), user(n / per_user))).collect();
    // In an order that is not the one they were made in.
    let mut unused = (0..).map(|n: u64| all[(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % links) as usize]);
    let template = connect([0; 16].into());
    let relay = std::cell::RefCell::new(relay);
    let handle = |from: UserId, request: &[u8]| {
        black_box(relay.borrow_mut().handle(from, request));
    };
    let from_some = |n: u32, request: Vec<u8>| (user(u64::from(n) % (links / per_user)), request);

    let issue = time(|| (0..BATCH).map(|n| from_some(n, relay.borrow_mut().issue())).collect(), handle);
    let mut bobs = links..;
    // Fresh ones, so that each is used once.
    let fresh = || {
        let mut relay = relay.borrow_mut();
        (0..BATCH).map(|n| relay.issued(user(u64::from(n) % (links / per_user)))).collect::<Vec<_>>()
    };
    let mut used = Vec::new();
    let connected = time(
        || {
            let requests = fresh().into_iter().map(|link| (user(bobs.next().unwrap()), connect_to(&template, link)));
            used = requests.collect();
            used.clone()
        },
        handle,
    );
    let repeated = time(|| used.clone(), handle);
    let own = time(
        || {
            let own = unused.by_ref().take(BATCH as usize);
            own.map(|(line_link, owner)| (owner, connect_to(&template, line_link))).collect()
        },
        handle,
    );
    let lines: Vec<(UserId, LineId)> = used
        .iter()
        .map(|(bob, request)| match relay.borrow_mut().handle(*bob, request) {
            Some(Event::LineFormed { line_id, .. }) => (*bob, line_id),
            other => panic!("{other:?}"),
        })
        .collect();
    let packets = |payload: &[u8]| {
        let packet = |line_id| Request::Packet { line_id, payload }.to_vec();
        lines.iter().map(|(bob, line_id)| (*bob, packet(*line_id))).collect::<Vec<_>>()
    };
    let packet = time(|| packets(&[7; 100]), handle);
    // The packets of each line wait for the owner of its link.
    let owners = || (0..BATCH).map(|n| from_some(n, Vec::new())).collect();
    let fetched = time(owners, |of, _| {
        let mut relay = relay.borrow_mut();
        let Ok(delivery) = relay.server.next(of, 0);
        let sequence = delivery.map(|delivery| black_box(delivery).sequence).expect("something waits");
        let Ok(()) = relay.server.acknowledge(of, sequence);
    });
    [
        ("IssueLineLink", issue),
        ("Connect, proof on board", connected),
        ("Connect, the same again", repeated),
        ("Connect to one's own, refused", own),
        ("Packet of 100 bytes", packet),
        ("next and acknowledge", fetched),
    ]
}

/// What the maps themselves take, of the sizes that `Memory` has: a look-up by name; two inserts, by name and by date.
fn bare(links: u64) -> [(&'static str, f64); 2] {
    let (mut rng, mut requests) = (SplitMix(1), 0..);
    let mut name = || {
        let mut name = [0; 16];
        let Ok(()) = rand_core::TryRng::try_fill_bytes(&mut rng, &mut name);
        name
    };
    let (mut rows, mut due) = (BTreeMap::new(), BTreeSet::new());
    let names: Vec<[u8; 16]> = (0..links).map(|_| name()).collect();
    for name in &names {
        rows.insert(*name, [0u8; 72]);
        due.insert((0u64, *name));
    }
    let mut of_these =
        || (0..BATCH).map(|_| names[requests.next().unwrap() % names.len()].to_vec()).collect::<Vec<_>>();
    let with_nobody = |names: Vec<Vec<u8>>| names.into_iter().map(|name| (user(0), name)).collect::<Vec<_>>();
    let found = time(
        || with_nobody(of_these()),
        |_, name| {
            black_box(rows.get(<&[u8; 16]>::try_from(name).expect("16 bytes")));
        },
    );
    let mut fresh = || (0..BATCH).map(|_| name().to_vec()).collect();
    let inserted = time(
        || with_nobody(fresh()),
        |_, name| {
            let name = name.try_into().expect("16 bytes");
            rows.insert(name, [0; 72]);
            due.insert((0, name));
        },
    );
    [("(a bare map: one look-up)", found), ("(bare maps: two inserts)", inserted)]
}

fn bytes(links: u64, per_user: u64) -> f64 {
    let before = dhat::HeapStats::get().curr_bytes;
    let mut relay = Relay::new();
    for n in 0..links {
        relay.issued(user(n / per_user));
    }
    assert_eq!(relay.server.directory().links() as u64, links);
    (dhat::HeapStats::get().curr_bytes - before) as f64 / links as f64
}

fn main() {
    // Only while the bytes are counted: it slows down every allocation.
    let profiler = dhat::Profiler::builder().testing().trim_backtraces(Some(1)).build();
    for (links, per_user) in [(1_000, 10), (1_000_000, 10), (1_000_000, 1_000)] {
        println!("{links:>9} links, {per_user:>4} of each user: {:>6.1} bytes for each", bytes(links, per_user));
    }
    drop(profiler);

    let all = |links| times(links, 10).into_iter().chain(bare(links)).collect::<Vec<_>>();
    let (few, many) = (all(1_000), all(1_000_000));
    println!("\n{:<30} {:>12} {:>12}   (medians of {BATCHES} × {BATCH})", "", "at 1 000", "at 1 000 000");
    for ((name, few), (_, many)) in few.iter().zip(many) {
        println!("{name:<30} {few:>9.0} ns {many:>9.0} ns");
    }
}
