//! What the hundred-thousandth use of a Port for many costs beside its first, and one ticket of ten thousand beside the only
//! one: `cargo bench --bench many`.
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
const TICKETS: u32 = 10_000;
const ROUNDS: u32 = 300;

/// An Alice with what her caller keeps for her.
struct Offered {
    alice: Alice,
    marks: BTreeSet<ReplayMark>,
    rows: RefCell<BTreeMap<TicketHash, TicketNotice>>,
    record: usize,
}

struct Rows<'r>(&'r BTreeMap<TicketHash, TicketNotice>);

impl Peers for Rows<'_> {
    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.0.get(ticket).cloned()
    }
}

impl Offered {
    fn new(offer: PortOptions) -> Self {
        let alice = Alice::offer(LINK.into(), offer, Seed::from_bytes(&[7; 64])).commit();
        Self { alice, marks: BTreeSet::new(), rows: RefCell::default(), record: 0 }
    }

    /// One use as an app takes it: the event, the record with its mark and its ticket, the line's own record.
    fn takes(&mut self, n: u32, proof: Proof) {
        let formed = Event::LineFormed {
            line_link: LINK.into(),
            line_id: name(n),
            pair_hash: [3; 32].into(),
            proof: Some(proof),
        };
        let mut rows = self.rows.borrow_mut();
        let step = self.alice.handle(&formed, &Rows(&rows), NOW).expect("a use");
        assert!(self.marks.insert(step.once().expect("a mark")));
        let (struck, record) = (step.strikes(), step.record());
        self.record = record.len();
        black_box((record, step.line().expect("a line").record()));
        step.commit().for_each(|effect| drop(black_box(effect)));
        assert!(struck.is_none_or(|ticket| rows.remove(&ticket).is_some()));
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
    let step = bob.connect(SendProof::Inline, NOW).expect("a proof");
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = step.commit().next() else {
        panic!("no proof")
    };
    proof
}

/// A ticket of Carol's: the row that Alice keeps, and the Port that Bob gets.
fn ticket(carol: &mut Introducer, alice: &Alice, n: u32, outstanding: usize) -> (TicketNotice, Port) {
    let mut seed = [5; 64];
    // A ticket is the bytes from 32 on.
    seed[32..36].copy_from_slice(&n.to_be_bytes());
    let step = carol
        .introduce(IntroducerName::new("Carol").expect("a name"), None, Seed::from_bytes(&seed), NOW)
        .expect("a ticket");
    let row = step.commit().find_map(|effect| match effect {
        IntroducerEffect::Announce(line_id, IntroducerMessage::Ticket(told)) => {
            alice.tell(&told, line_id, outstanding, NOW).ok().map(|()| told)
        }
        _ => None,
    });
    let step = carol.told().expect("told");
    let port =
        step.commit().find_map(|effect| if let IntroducerEffect::Ready(port) = effect { Some(port) } else { None });
    carol.clear_outbox().expect("handed over").commit().for_each(drop);
    (row.expect("a row"), port.expect("a Port"))
}

fn main() {
    println!("X25519 by {}", X25519Backend::in_use());
    let offer = || PortOptions::new().policy(Policy::unlimited());
    let mut later = Offered::new(offer());
    let port = later.alice.port().expect("a Port").clone();
    for n in 0..USES {
        later.takes(n, proof(&port, n));
    }
    let of_first = |n| (Offered::new(offer()), proof(&port, USES + n));
    let (first, record) = compare(of_first, &mut later, |_, n| proof(&port, USES + n));
    println!("a Superport's first use             {first:>7.1} µs   record {} bytes", record[0]);
    println!(
        "its {}th                       {:>7.1} µs   record {} bytes",
        later.alice.used(),
        first * record[2] as f64 / 1e4,
        record[1]
    );

    let offer = || offer().introducer(name(u32::MAX));
    let granted = |alice: &Alice| {
        Introducer::granted(alice.port().expect("a Port").to_bytes().as_slice(), name(u32::MAX))
            .expect("a grant")
            .commit()
    };
    let mut later = Offered::new(offer());
    let mut carol = granted(&later.alice);
    // More than one contact port takes: what lies in the table is many contacts'.
    for n in 0..TICKETS {
        let (row, _) = ticket(&mut carol, &later.alice, n, 0);
        later.rows.get_mut().insert(row.ticket, row);
    }
    let of_first = |n| {
        let first = Offered::new(offer());
        let (row, port) = ticket(&mut granted(&first.alice), &first.alice, TICKETS + n, 0);
        first.rows.borrow_mut().insert(row.ticket, row);
        (first, proof(&port, n))
    };
    let (first, record) = compare(of_first, &mut later, |later, n| {
        let (row, port) = ticket(&mut carol, &later.alice, TICKETS + n, 0);
        later.rows.get_mut().insert(row.ticket, row);
        proof(&port, n)
    });
    println!("a contact port's use, of one ticket {first:>7.1} µs   record {} bytes", record[0]);
    println!(
        "of {TICKETS}                            {:>7.1} µs   record {} bytes",
        first * record[2] as f64 / 1e4,
        record[1]
    );
}

/// The first use of one that is new, in µs, again and again in turns with the next of `later`. Then the lengths of both records, and
/// what a later use takes of a first, in ten thousandths.
fn compare(
    mut first: impl FnMut(u32) -> (Offered, Proof),
    later: &mut Offered,
    mut next: impl FnMut(&mut Offered, u32) -> Proof,
) -> (f64, [usize; 3]) {
    let (mut firsts, mut ratios, mut record) = (Vec::new(), Vec::new(), 0);
    for n in 0..ROUNDS {
        let (mut fresh, of_first) = first(n);
        let of_later = next(later, n);
        let one = time(|| fresh.takes(n, of_first));
        ratios.push(time(|| later.takes(USES + n, of_later)) / one);
        firsts.push(one);
        record = fresh.record;
    }
    (median(firsts), [record, later.record, (median(ratios) * 1e4) as usize])
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
