//! The relay beside a thousand and a million outstanding links in memory: what one costs, and whether a request takes longer
//! for them. And a link for many: whether it matters how many have used it.
//!
//! `cargo bench --bench relay`. On one core, medians, by the clock; a request is decoded from its bytes, and no
//! storage is written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::hint::black_box;
use std::mem;
use std::time::Instant;

use port_protocol::relay::*;
use port_protocol::{
    Admission, Alice, Bob, BobEffect, Event, LineId, LineLink, Machine, PortOptions, Request, Seed, SendProof,
    UnixSeconds, Write,
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const NOW: UnixSeconds = match UnixSeconds::new(1_790_000_000) {
    Some(now) => now,
    None => panic!("later than 9999"),
};
const BATCHES: usize = 40;
/// What is made before the clock runs: more than stays in the caches.
const BATCH: usize = 400;
/// What is timed at once: done before the scheduler takes the core away.
const SLICE: usize = 20;
/// Links of one user, where it is not said.
const PER_USER: u64 = 10;

/// As fast as no secure one is: what is measured is the relay.
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

struct Bench {
    relay: Relay<Memory>,
    rng: SplitMix,
    /// Outstanding all the time, and whose they are.
    links: Vec<(UserId, LineLink)>,
    /// A `Connect` with a proof on board, to any link.
    connect: Vec<u8>,
    /// Requests and users are all different.
    count: u64,
    /// Who is here for one batch only.
    guests: Vec<UserId>,
}

impl Bench {
    fn new(links: u64, per_user: u64) -> Self {
        let limits = Limits { links: usize::MAX, lines: usize::MAX, ..Limits::default() };
        let mut rng = SplitMix(1);
        let relay = Relay::new(Memory::new(), limits, MarkKey::draw(&mut rng));
        let (connect, guests) = (connect(), Vec::new());
        let mut bench = Self { relay, rng, links: Vec::new(), connect, count: 0, guests };
        bench.links = (0..links).map(|n| (user(n / per_user), bench.issued(user(n / per_user)))).collect();
        bench
    }

    fn handle(&mut self, from: UserId, request: &[u8]) -> Option<Event<'static>> {
        self.relay.handle(from, request, &mut self.rng, NOW).expect("handled").reply
    }

    /// A request that was never made before.
    fn issue(&mut self) -> Vec<u8> {
        self.count += 1;
        let mut request_id = [0; 16];
        request_id[..8].copy_from_slice(&spread(self.count).to_le_bytes());
        Request::IssueLineLink { request_id: request_id.into() }.to_vec()
    }

    fn issued(&mut self, owner: UserId) -> LineLink {
        let request = self.issue();
        match self.handle(owner, &request) {
            Some(Event::LineLinkIssued { line_link, .. }) => line_link,
            other => panic!("{other:?}"),
        }
    }

    /// Two who stay until the batch is over; ten times the same.
    fn pair(&mut self) -> [UserId; 2] {
        let number = self.count / PER_USER;
        let pair = [2 * number, 2 * number + 1].map(|n| user(u64::MAX - n));
        if self.guests.last() != Some(&pair[1]) {
            self.guests.extend(pair);
        }
        pair
    }

    /// Somebody who was never here, until the batch is over.
    fn guest(&mut self) -> UserId {
        self.count += 1;
        self.guests.push(user(u64::MAX / 2 - self.count));
        self.guests[self.guests.len() - 1]
    }

    fn for_many(&mut self, owner: UserId) -> LineLink {
        let line_link = self.issued(owner);
        let request = Request::SetLineLink { line_link, version: 1, admits: Admission::Many, recognisable: false };
        assert_eq!(self.handle(owner, &request.to_vec()), None);
        line_link
    }

    /// The user acknowledges all that waits for it.
    fn acknowledge(&mut self, of: UserId) {
        let mut last = 0;
        while let Ok(Some(delivery)) = self.relay.next(of, last) {
            last = delivery.sequence;
        }
        let Ok(()) = self.relay.acknowledge(of, last);
    }

    /// Those of the batch before leave.
    fn leave(&mut self) {
        for guest in mem::take(&mut self.guests) {
            let Ok(()) = self.relay.remove(guest, |_| {});
        }
    }

    fn line(&mut self) -> (UserId, UserId, LineId) {
        let [alice, bob] = self.pair();
        let line_link = self.issued(alice);
        let request = Request::Connect { line_link, request_id: [3; 16].into(), proof: None }.to_vec();
        assert_eq!(self.handle(bob, &request), None);
        // The same again is told which line it is.
        match self.handle(bob, &request) {
            Some(Event::Connected { line_id, .. }) => (alice, bob, line_id),
            other => panic!("{other:?}"),
        }
    }

    /// 16 bytes of it are all that differs.
    fn connect_to(&self, line_link: LineLink) -> Vec<u8> {
        let mut request = self.connect.clone();
        request[5..21].copy_from_slice(line_link.as_bytes());
        request
    }

    /// One of those that are outstanding, in an order that is not the one they were made in.
    fn outstanding(&mut self) -> (UserId, LineLink) {
        self.count += 1;
        self.links[(spread(self.count) % self.links.len() as u64) as usize]
    }
}

const fn spread(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn user(n: u64) -> UserId {
    let mut id = [0; 32];
    for (part, byte) in id.chunks_mut(8).zip(1u64..) {
        part.copy_from_slice(&(spread(n) ^ byte).to_le_bytes());
    }
    id.into()
}

/// The bytes of a proof of the usual length.
fn connect() -> Vec<u8> {
    let kept = |_: &Write<'_>| Ok::<_, Infallible>(());
    let Ok(alice) = Alice::offer([0; 16].into(), PortOptions::new(), Seed::from_bytes(&[1; 64])).store(kept);
    let Ok(mut bob) = Bob::scan(alice.port().expect("on offer").clone(), Seed::from_bytes(&[2; 64])).store(kept);
    let Ok(effects) = bob.connect(SendProof::Inline, NOW).expect("scanned").store(kept);
    effects.for_each(drop);
    let Some(BobEffect::Send(request)) = bob.pending().next() else { unreachable!() };
    request.to_vec()
}

/// What is asked for in a batch, one of it: made before the clock runs.
type Make = fn(&mut Bench) -> (UserId, Vec<u8>);
type Do = fn(&mut Bench, UserId, &[u8]);

const HANDLE: Do = |bench, from, request| {
    black_box(bench.handle(from, request));
};

const KINDS: [(&str, Make, Do); 9] = [
    ("IssueLineLink", |bench| (bench.pair()[0], bench.issue()), HANDLE),
    ("Connect, proof on board", connects, HANDLE),
    (
        "Connect, the same again",
        |bench| {
            let (bob, request) = connects(bench);
            bench.handle(bob, &request);
            (bob, request)
        },
        HANDLE,
    ),
    (
        "Connect to one's own, refused",
        |bench| {
            let (owner, line_link) = bench.outstanding();
            (owner, bench.connect_to(line_link))
        },
        HANDLE,
    ),
    (
        "Packet of 100 bytes",
        |bench| {
            let (_, bob, line_id) = bench.line();
            (bob, Request::Packet { line_id, payload: &[7; 100] }.to_vec())
        },
        HANDLE,
    ),
    (
        "(next and acknowledge)",
        |bench| (bench.line().0, Vec::new()),
        |bench, alice, _| {
            let Ok(delivery) = bench.relay.next(alice, 0);
            let sequence = delivery.map(|delivery| black_box(delivery).sequence).expect("something waits");
            let Ok(()) = bench.relay.acknowledge(alice, sequence);
        },
    ),
    (
        "Disconnect",
        |bench| {
            let (_, bob, line_id) = bench.line();
            (bob, Request::Disconnect { line_id }.to_vec())
        },
        HANDLE,
    ),
    (
        "SetLineLink, a renewal",
        |bench| {
            let (owner, line_link) = bench.outstanding();
            let request = Request::SetLineLink { line_link, version: 0, admits: Admission::One, recognisable: false };
            (owner, request.to_vec())
        },
        HANDLE,
    ),
    (
        "CloseLineLink",
        |bench| {
            let [owner, _] = bench.pair();
            let line_link = bench.issued(owner);
            (owner, Request::CloseLineLink { line_link }.to_vec())
        },
        HANDLE,
    ),
];

fn connects(bench: &mut Bench) -> (UserId, Vec<u8>) {
    let [alice, bob] = bench.pair();
    let line_link = bench.issued(alice);
    (bob, bench.connect_to(line_link))
}

/// How many in a second.
fn rate<T>(mut batch: impl FnMut() -> Vec<T>, mut handle: impl FnMut(&T)) -> f64 {
    let mut slices = Vec::new();
    for _ in 0..BATCHES {
        for slice in batch().chunks(SLICE) {
            let start = Instant::now();
            slice.iter().for_each(|request| handle(black_box(request)));
            slices.push(slice.len() as f64 / start.elapsed().as_secs_f64());
        }
    }
    slices.sort_by(f64::total_cmp);
    slices[slices.len() / 2]
}

fn rates(links: u64) -> Vec<f64> {
    let bench = RefCell::new(Bench::new(links, PER_USER));
    let rate = |(_, make, handle): &(&str, Make, Do)| {
        let batch = || {
            let mut bench = bench.borrow_mut();
            // As many links are outstanding again.
            bench.leave();
            assert_eq!(bench.relay.directory().links() as u64, links);
            (0..BATCH).map(|_| make(&mut bench)).collect()
        };
        rate(batch, |(from, request): &(UserId, Vec<u8>)| handle(&mut bench.borrow_mut(), *from, request))
    };
    KINDS.iter().map(rate).collect()
}

const USES: u64 = 100_000;

/// A link that so many have used, each on a line of it that still is.
fn used() -> (Bench, UserId, LineLink) {
    let (mut bench, owner) = (Bench::new(1_000, PER_USER), user(u64::MAX));
    let line_link = bench.for_many(owner);
    let request = bench.connect_to(line_link);
    for _ in 0..USES {
        let guest = bench.guest();
        bench.handle(guest, &request);
    }
    bench.guests.clear();
    bench.acknowledge(owner);
    assert_eq!(bench.relay.directory().lines() as u64, USES);
    (bench, owner, line_link)
}

/// Beside each other at one Relay: the first use of a link for many, and one behind so many others.
fn uses() -> [f64; 2] {
    let (bench, owner, line_link) = used();
    let bench = RefCell::new(bench);
    let rate = |of: &dyn Fn(&mut Bench) -> LineLink| {
        let batch = || {
            let mut bench = bench.borrow_mut();
            bench.leave();
            bench.acknowledge(owner);
            assert_eq!(bench.relay.directory().lines() as u64, USES);
            let connects = |bench: &mut Bench| {
                let line_link = of(bench);
                (bench.guest(), bench.connect_to(line_link))
            };
            (0..BATCH).map(|_| connects(&mut bench)).collect()
        };
        rate(batch, |(from, request): &(UserId, Vec<u8>)| {
            black_box(bench.borrow_mut().handle(*from, request));
        })
    };
    let of_a_new_one = |bench: &mut Bench| {
        let owner = bench.guest();
        bench.for_many(owner)
    };
    [rate(&of_a_new_one), rate(&|_| line_link)]
}

/// What the maps themselves take, of the sizes that `Memory` has: a look-up by name; two inserts, by name and by date.
fn bare(links: u64) -> [f64; 2] {
    let mut rng = SplitMix(1);
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
    let mut numbers = 0..;
    let mut some = || names[(spread(numbers.next().expect("without end")) % links) as usize];
    let found = rate(
        || (0..BATCH).map(|_| some()).collect(),
        |name| {
            black_box(rows.get(name));
        },
    );
    let inserted = rate(
        || (0..BATCH).map(|_| name()).collect(),
        |name| {
            rows.insert(*name, [0; 72]);
            due.insert((0, *name));
        },
    );
    [found, inserted]
}

fn bytes(links: u64, per_user: u64) -> f64 {
    let before = dhat::HeapStats::get().curr_bytes;
    let mut bench = Bench::new(links, per_user);
    bench.links = Vec::new();
    assert_eq!(bench.relay.directory().links() as u64, links);
    (dhat::HeapStats::get().curr_bytes - before) as f64 / links as f64
}

fn main() {
    const SIZES: [u64; 2] = [1_000, 1_000_000];
    let row = |name: &str, [few, many]: [f64; 2]| println!("{name:<34} {few:>14.0} {many:>14.0}");
    println!("{:<34} {:>14} {:>14}", "outstanding links", SIZES[0], SIZES[1]);

    // Only while the bytes are counted: it slows down every allocation.
    let profiler = dhat::Profiler::builder().testing().trim_backtraces(Some(1)).build();
    for per_user in [1, PER_USER, 1_000] {
        row(&format!("bytes for each, {per_user} of each user"), SIZES.map(|links| bytes(links, per_user)));
    }
    let before = dhat::HeapStats::get().curr_bytes;
    let held = used();
    println!(
        "bytes for each line of a link for many, whose users hold nothing else: {}",
        (dhat::HeapStats::get().curr_bytes - before) as u64 / USES
    );
    drop(held);
    drop(profiler);

    println!("a second, on one core (medians of {} times {SLICE}):", BATCHES * BATCH / SLICE);
    let [few, many] = SIZES.map(rates);
    KINDS.iter().zip(few.into_iter().zip(many)).for_each(|((name, ..), (few, many))| row(name, [few, many]));
    println!("{:<34} {:>14} {:>14}", "a link for many, at its use number", 1, USES + 1);
    row("Connect, proof on board", uses());
    let [[found, inserted], [found_of_many, inserted_to_many]] = SIZES.map(bare);
    row("(a bare map: one look-up)", [found, found_of_many]);
    row("(bare maps: two inserts)", [inserted, inserted_to_many]);
}
