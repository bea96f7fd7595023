//! What the hundred-thousandth use of a Port for many costs beside its first, and one ticket of ten thousand beside the only
//! one: `cargo bench --bench many`.
//!
//! The two are measured in turns, each with its own tables beside it: the marks of the uses before, the tickets that wait.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use port_protocol::rand_core::{TryCryptoRng, TryRng};
use port_protocol::*;

const NOW: UnixSeconds = match UnixSeconds::new(1_790_000_000) {
    Some(now) => now,
    None => panic!("later than 9999"),
};
const LINK: [u8; 16] = [1; 16];
const USES: u32 = 100_000;
const TICKETS: u32 = 10_000;
const ROUNDS: u32 = 300;

/// An Alice with what its caller keeps for it.
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
    fn new(options: PortOptions) -> Self {
        let alice = create(Alice::offer(LINK.into(), options, Seed::from_bytes(&[7; 64])));
        Self { alice, marks: BTreeSet::new(), rows: RefCell::default(), record: 0 }
    }

    /// One use as an app takes it: the event, the write with its mark and its ticket, and the line's own row.
    fn takes(&mut self, n: u32, proof: Proof) {
        let formed =
            Event::LineFormed { line_link: LINK.into(), line_id: name(n), peer: [3; 32].into(), proof: Some(proof) };
        let mut rows = self.rows.borrow_mut();
        let step = self.alice.handle(&formed, &Rows(&rows), NOW, &mut Fixed).expect("a use");
        let Ok(effects) = step.store(|write| {
            assert!(self.marks.insert(write.unique.expect("a mark").0));
            assert!(write.consumes.is_none_or(|ticket| rows.remove(&ticket).is_some()));
            assert!(write.new_line.is_some());
            self.record = write.row.record.len();
            black_box(write);
            Ok::<_, Infallible>(())
        });
        effects.for_each(|effect| drop(black_box(effect)));
    }
}

fn create<M: Machine>(created: Created<M>) -> M {
    let write = created.write();
    created.commit(write)
}

fn effects<'m, M: Machine>(step: Step<'m, M>) -> Effects<'m, M> {
    let write = step.write();
    step.commit(write)
}

/// As fast as no generator is: what is measured is Alice.
struct Fixed;

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(6)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(6)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(6);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

fn name(n: u32) -> LineId {
    let mut name = [0; 16];
    name[..4].copy_from_slice(&n.to_be_bytes());
    name.into()
}

/// The proof of the `n`th Bob.
fn proof(port: &Port, n: u32) -> Proof {
    let mut seed = [9; 64];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    let mut bob = create(Bob::scan(port.clone(), Seed::from_bytes(&seed)));
    let effect = effects(bob.connect(SendProof::Inline, NOW).expect("a proof")).next();
    let Some(BobEffect::Send(Request::Connect { proof: Some(proof), .. })) = effect else { panic!("no proof") };
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
    let row = effects(step).find_map(|effect| match effect {
        IntroducerEffect::Announce(line_id, IntroducerMessage::Ticket(notice)) => {
            alice.accept_ticket(&notice, line_id, outstanding, NOW).ok().map(|()| notice)
        }
        _ => None,
    });
    let step = carol.mark_announced().expect("announced");
    let port =
        effects(step).find_map(|effect| if let IntroducerEffect::Ready(port) = effect { Some(port) } else { None });
    effects(carol.clear_outbox().expect("handed over")).for_each(drop);
    (row.expect("a row"), port.expect("a Port"))
}

fn main() {
    println!("X25519 by {}", X25519Backend::in_use());
    let options = || PortOptions::new().policy(Policy::unlimited());
    let mut later = Offered::new(options());
    let port = later.alice.port().expect("a Port").clone();
    for n in 0..USES {
        later.takes(n, proof(&port, n));
    }
    let of_first = |n| (Offered::new(options()), proof(&port, USES + n));
    let (first, record) = compare(of_first, &mut later, |_, n| proof(&port, USES + n));
    println!("a Superport's first use             {first:>7.1} µs   record {} bytes", record[0]);
    println!(
        "its {}th                       {:>7.1} µs   record {} bytes",
        later.alice.used(),
        first * record[2] as f64 / 1e4,
        record[1]
    );

    let options = || options().introducer(name(u32::MAX));
    let granted = |alice: &Alice| {
        let port = alice.port().expect("a Port").to_bytes();
        create(Introducer::granted(port.as_slice(), name(u32::MAX)).expect("a grant"))
    };
    let mut later = Offered::new(options());
    let mut carol = granted(&later.alice);
    // More than one contact port takes: what lies in the table is many contacts'.
    for n in 0..TICKETS {
        let (row, _) = ticket(&mut carol, &later.alice, n, 0);
        later.rows.get_mut().insert(row.ticket, row);
    }
    let of_first = |n| {
        let first = Offered::new(options());
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
