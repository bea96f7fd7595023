//! What the hundred-thousandth use of a Port for many costs beside its first: `cargo bench --bench many`.
//!
//! The two are measured in turns, each with its own tables beside it: the marks of the uses before, the tickets that wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Instant;

use port_protocol::*;

const NOW: UnixSeconds = UnixSeconds(1_790_000_000);
const LINK: [u8; 16] = [1; 16];
const USES: u32 = 100_000;
const ROUNDS: usize = 300;

/// An Alice with what her caller keeps for her.
struct Offered {
    alice: Alice,
    marks: BTreeSet<Mark>,
    rows: RefCell<BTreeMap<TicketHash, ToldTicket>>,
    records: usize,
}

struct Rows<'r>(&'r BTreeMap<TicketHash, ToldTicket>);

impl Known for Rows<'_> {
    fn ticket(&self, ticket: &TicketHash) -> Option<ToldTicket> {
        self.0.get(ticket).cloned()
    }
}

impl Offered {
    fn new(offer: Offer) -> Self {
        let alice = Alice::offer(LINK.into(), offer, Seed::from_bytes(&[7; 64])).commit();
        Self { alice, marks: BTreeSet::new(), rows: RefCell::default(), records: 0 }
    }

    /// One use as an app takes it: the event, the record with its mark and its ticket, the line's own record, settled.
    fn takes(&mut self, n: u32, proof: Proof) {
        let formed = Event::LineFormed {
            line_link: LINK.into(),
            line_id: name(n),
            pair_hash: [3; 32].into(),
            proof: Some(proof),
        };
        let mut rows = self.rows.borrow_mut();
        let step = self.alice.handle_knowing(&formed, &Rows(&rows), NOW).expect("a use");
        assert!(self.marks.insert(step.once().expect("a mark")));
        let (struck, record) = (step.strikes(), step.record());
        self.records = record.len();
        black_box(record);
        let mut lines = 0;
        for effect in step.commit() {
            if let AliceEffect::LineFormed(line) = effect {
                black_box(line.record());
                lines += 1;
            }
        }
        assert_eq!(lines, 1);
        assert!(struck.is_none_or(|ticket| rows.remove(&ticket).is_some()));
        let step = self.alice.settle().expect("a line");
        black_box(step.record());
        step.commit().for_each(drop);
    }
}

fn name(n: u32) -> LineId {
    let mut name = [0; 16];
    name[..4].copy_from_slice(&n.to_be_bytes());
    name.into()
}

/// The proof of the `n`th Bob.
fn proof(port: &Port, n: u32) -> Proof {
    let mut seed = [9; 64];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    let mut bob = Bob::scan(port.clone(), Seed::from_bytes(&seed)).commit();
    let step = bob.connect(SendProof::OnBoard, NOW).expect("a proof");
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.commit().next() else {
        panic!("no proof")
    };
    proof
}

fn main() {
    let offer = || Offer::new().policy(Policy::unlimited());
    let (mut first, mut later) = (Offered::new(offer()), Offered::new(offer()));
    let port = later.alice.port().expect("a Port").clone();
    for n in 0..USES {
        later.takes(n, proof(&port, n));
    }
    let (mut firsts, mut laters) = (Vec::new(), Vec::new());
    for n in 0..ROUNDS as u32 {
        let (a, b) = (proof(&port, USES + n), proof(&port, USES + n));
        // The first use, again and again.
        first = Offered { marks: BTreeSet::new(), alice: Offered::new(offer()).alice, ..first };
        firsts.push(time(|| first.takes(n, a)));
        laters.push(time(|| later.takes(USES + n, b)));
    }
    println!("a Superport's first use         {:>7.1} µs   record {} bytes", median(firsts), first.records);
    println!(
        "its {}th                   {:>7.1} µs   record {} bytes",
        later.alice.used(),
        median(laters),
        later.records
    );
    println!("kept for each use: a mark of 32 bytes, and the line's own record");
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / 1e3
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
