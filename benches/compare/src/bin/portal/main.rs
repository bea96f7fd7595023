//! Requests between two Portals, both ends, beside what else there is: `cargo run --release --manifest-path benches/compare/Cargo.toml --bin portal`.
//!
//! As in the comparison of handshakes: all take turns inside one process, each is compared with its neighbours of the same turn, the median of
//! these ratios is taken, and of that the median over several fresh processes.
//!
//! `--bin portal -- count NAME TIMES` does one of them so often and nothing else, for callgrind: of two runs take the difference.

#[allow(dead_code, reason = "not every program needs all of it")]
#[path = "../../../../common/portal.rs"]
mod portal;

mod bare;
mod many;
mod ours;
mod rsas;
mod snows;

use std::env;
use std::process::Command;
use std::time::Instant;

const PROCESSES: usize = 9;
const CHILD: &str = "PORT_PROTOCOL_BENCH_CHILD";

/// The body of a request and of an answer.
const BODY: [u8; 1_024] = [7; 1_024];

/// Something that is measured.
struct Contestant {
    name: &'static str,
    /// Done before each time, and not measured.
    prepare: Box<dyn FnMut()>,
    work: Box<dyn FnMut()>,
}

impl Contestant {
    fn new(name: &'static str, work: impl FnMut() + 'static) -> Self {
        Self { name, prepare: Box::new(|| ()), work: Box::new(work) }
    }

    /// In nanoseconds.
    fn time(&mut self, repeats: u32) -> f64 {
        (self.prepare)();
        let start = Instant::now();
        (0..repeats).for_each(|_| (self.work)());
        start.elapsed().as_nanos() as f64 / f64::from(repeats)
    }
}

/// What is compared with each other: all with the sum of the first few.
struct Group {
    title: &'static str,
    reference: usize,
    rounds: usize,
    repeats: u32,
    contestants: Vec<Contestant>,
}

fn groups() -> Vec<Group> {
    vec![ours::first_requests(), ours::exchanges(), many::groups()].into_iter().flatten().collect()
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, name, times] = &arguments[..]
        && word == "count"
    {
        return count(name, times.parse().expect("how often"));
    }
    if env::var_os(CHILD).is_some() {
        return child();
    }
    let exe = env::current_exe().expect("this program");
    let mut rows: Vec<(String, Vec<[f64; 2]>)> = Vec::new();
    for process in 0..PROCESSES {
        let output = Command::new(&exe).env(CHILD, "x".repeat(48 * process)).output().expect("a fresh process");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (row, line) in String::from_utf8(output.stdout).expect("text").lines().enumerate() {
            let (name, numbers) = line.split_once('|').expect("a row");
            let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().expect("a number")).collect();
            if rows.len() <= row {
                rows.push((name.to_owned(), Vec::new()));
            }
            rows[row].1.push(numbers.try_into().expect("two numbers"));
        }
    }
    println!("medians of {PROCESSES} processes; snow and clatter {} precomputed tables", tables());
    for (name, runs) in rows {
        let [time, ratio] = [0, 1].map(|column| median(runs.iter().map(|run| run[column]).collect()));
        match time > 0.0 {
            true => println!("{name:<64} {:>9.2} µs {ratio:>8.3}", time / 1000.0),
            false => println!("\n{name}"),
        }
    }
    rsas::compare();
    ours::sizes();
}

const fn tables() -> &'static str {
    if cfg!(feature = "snow-tables") { "with" } else { "without" }
}

fn child() {
    for Group { title, reference, rounds, repeats, mut contestants } in groups() {
        println!("{title}|0 0");
        let mut times = vec![Vec::new(); contestants.len()];
        for round in 0..rounds {
            for turn in 0..contestants.len() {
                // Nobody always comes after the same neighbour.
                let which = (turn + round) % contestants.len();
                times[which].push(contestants[which].time(repeats));
            }
        }
        let base: Vec<f64> =
            (0..rounds).map(|round| times[..reference].iter().map(|times| times[round]).sum()).collect();
        for (Contestant { name, .. }, times) in contestants.iter().zip(&times) {
            let ratios = times.iter().zip(&base).map(|(time, base)| time / base).collect();
            println!("  {name}|{} {}", median(times.clone()), median(ratios));
        }
    }
}

fn count(name: &str, times: u32) {
    let groups = [ours::first_requests(), ours::exchanges()].into_iter().flatten();
    let mut all = groups.flat_map(|group| group.contestants);
    let mut contestant = all.find(|contestant| contestant.name == name).expect("one of the names in the table");
    (0..times).for_each(|_| _ = contestant.time(1));
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
