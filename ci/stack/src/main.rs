//! How deep does the crate use the stack, and how many copies of secrets does it leave there?
//!
//! Each row does its work twice on a stack that was painted before, and then looks at the paint: once the call alone, and once with all that
//! a caller does after it: the write, the commit, and each effect moved to the heap. The places where the caller's own moves leave a copy
//! count too. Numbers above their bounds fail.
//!
//!     cargo run --release --manifest-path ci/stack/Cargo.toml
//!
//! Half of a call's depth can be the library of AES: on a processor with AVX-512 it encrypts 64 blocks at once. The bounds are for that.

mod painted;
mod scene;

use std::fmt::Debug;
use std::hint::black_box;
use std::process::ExitCode;

use painted::Stack;
use port_protocol::{Alice, Line, Machine, PortOptions, SEAL_OVERHEAD, SendProof, Step};
use scene::{LINK, NOW, Scene, Secrets, hears};

/// What no row may exceed, in bytes and in copies. The frames move a little with each compiler.
struct Bounds {
    /// By the call alone.
    call: usize,
    /// With what follows it.
    step: usize,
    /// Of the secret that has most, in the order of [`Secrets`].
    copies: [usize; 4],
}

const OFFER: Bounds = Bounds { call: 3_500, step: 10_500, copies: [0, 0, 6, 6] };
const CONNECT: Bounds = Bounds { call: 5_600, step: 12_500, copies: [0, 3, 3, 3] };
/// Half of what the first version took: 14,023 and 23,015 bytes.
const FORMED_ONCE: Bounds = Bounds { call: 7_011, step: 12_500, copies: [8, 0, 0, 0] };
const FORMED_MANY: Bounds = Bounds { call: 11_507, step: 16_500, copies: [8, 1, 3, 3] };
const CONNECTED: Bounds = Bounds { call: 6_700, step: 12_500, copies: [9, 8, 8, 0] };
const CONFIRM_ONCE: Bounds = Bounds { call: 8_500, step: 12_500, copies: [14, 0, 0, 0] };
const CONFIRM_MANY: Bounds = Bounds { call: 12_500, step: 16_500, copies: [18, 0, 0, 0] };
const ANSWER: Bounds = Bounds { call: 11_000, step: 14_500, copies: [5, 0, 0, 0] };
const RESTORE_LINE: Bounds = Bounds { call: 10_000, step: 10_000, copies: [14, 0, 0, 0] };
const RESTORE_ALICE: Bounds = Bounds { call: 7_500, step: 7_500, copies: [0, 0, 9, 13] };
const MESSAGE: Bounds = Bounds { call: 11_000, step: 14_500, copies: [2, 0, 0, 0] };

struct Table {
    stack: Stack,
    good: bool,
}

impl Table {
    /// What is put there is found.
    fn control(&mut self) {
        let secret = scene::seed_bytes(3);
        self.stack.run(|| _ = black_box(&[secret; 20]));
        let (depth, copies) = (self.stack.depth(), self.stack.copies(&secret));
        assert!(depth >= 20 * secret.len() && copies > 0 && self.stack.copies(&[1; 32]) == 0, "{depth} {copies}");
    }

    fn row(&mut self, name: &str, bounds: &Bounds, secrets: &Secrets, call: impl FnOnce(), step: impl FnOnce()) {
        self.stack.run(call);
        let call = self.stack.depth();
        self.stack.run(step);
        let step = self.stack.depth();
        let copies = secrets.0.each_ref().map(|group| group.iter().map(|secret| self.stack.copies(secret)).max());
        let copies = copies.map(Option::unwrap_or_default);
        let few = copies.iter().zip(bounds.copies).all(|(found, bound)| *found <= bound);
        let within = call <= bounds.call && step <= bounds.step && few;
        self.good &= within;
        let [keys, secret, private, rad] = copies;
        let verdict = if within { "" } else { "   TOO MUCH" };
        println!("{name:<26} {call:>8} {step:>8} {keys:>9} {secret:>7} {private:>12} {rad:>4}{verdict}");
    }

    /// A step of a machine.
    fn step<M: Machine, E: Debug>(
        &mut self,
        name: &str,
        bounds: &Bounds,
        secrets: &Secrets,
        machine: impl Fn() -> M,
        prepare: impl for<'m> Fn(&'m mut M, &'m mut [u8]) -> Result<Step<'m, M>, E>,
    ) {
        let [mut first, mut second] = [(); 2].map(|()| (machine(), vec![0; 2048]));
        self.row(
            name,
            bounds,
            secrets,
            || _ = black_box(&prepare(&mut first.0, &mut first.1)),
            || {
                let step = prepare(&mut second.0, &mut second.1).expect("a step");
                let write = step.write();
                black_box(&write);
                step.commit(write).for_each(|effect| drop(black_box(Box::new(effect))));
            },
        );
    }

    /// What makes a machine.
    fn restore<M: Machine>(&mut self, name: &str, bounds: &Bounds, secrets: &Secrets, record: &[u8]) {
        let restore = || M::restore(record);
        self.row(name, bounds, secrets, || _ = black_box(&restore()), || drop(black_box(Box::new(restore()))));
    }

    fn offer(&mut self, secrets: &Secrets) {
        let offer = || Alice::offer(LINK.into(), PortOptions::new(), scene::seed(1));
        self.row(
            "Alice::offer",
            &OFFER,
            secrets,
            || _ = black_box(&offer()),
            || {
                let created = offer();
                let write = created.write();
                black_box(&write);
                drop(black_box(Box::new(created.commit(write))));
            },
        );
    }

    fn messages(&mut self, scene: &Scene) {
        let text = [7; 1024];
        self.step(
            "seal of 1 KiB",
            &MESSAGE,
            &scene.secrets,
            || scene.confirmed(0),
            |line, buffer| line.seal(&text, &[], &mut buffer[..text.len() + SEAL_OVERHEAD]),
        );
        let packet = scene.message(&text);
        self.step(
            "open of 1 KiB",
            &MESSAGE,
            &scene.secrets,
            || scene.confirmed(1),
            |line, buffer| hears(line, &packet, buffer),
        );
    }

    fn handshake(&mut self, uses: &str, scene: &Scene, formed: &Bounds, confirm: &Bounds) {
        let (secrets, name) = (&scene.secrets, |what: &str| format!("{what}, {uses}"));
        self.step(
            &name("Bob::connect"),
            &CONNECT,
            secrets,
            || scene.scanned(),
            |bob, _| bob.connect(SendProof::Inline, NOW),
        );
        self.step(
            &name("Alice, LineFormed"),
            formed,
            secrets,
            || scene.offered(),
            |alice, _| scene::used(alice, &scene.formed),
        );
        self.step(
            &name("Bob, Connected"),
            &CONNECTED,
            secrets,
            || scene.connecting(),
            |bob, _| scene::formed_at(bob, &scene.connected),
        );
        self.step(
            &name("Bob opens Confirm"),
            confirm,
            secrets,
            || scene.at_bob(),
            |line, buffer| hears(line, &scene.confirm, buffer),
        );
        self.step(
            &name("Alice opens Answer"),
            &ANSWER,
            secrets,
            || scene.at_alice(),
            |line, buffer| hears(line, &scene.answer, buffer),
        );
        self.restore::<Alice>(&name("Alice::restore"), &RESTORE_ALICE, secrets, &scene.alice);
        self.restore::<Line>(&name("Line::restore"), &RESTORE_LINE, secrets, &scene.lines[0]);
    }
}

fn main() -> ExitCode {
    println!("{:<26} {:>17} {:>35}", "", "bytes", "copies");
    println!(
        "{:<26} {:>8} {:>8} {:>9} {:>7} {:>12} {:>4}",
        "", "call", "step", "line key", "secret", "private key", "RAD"
    );
    let mut table = Table { stack: Stack::new(), good: true };
    let (once, many) = (Scene::once(), Scene::many());
    table.control();
    table.offer(&once.secrets);
    table.handshake("once", &once, &FORMED_ONCE, &CONFIRM_ONCE);
    table.handshake("many", &many, &FORMED_MANY, &CONFIRM_MANY);
    table.messages(&once);
    ExitCode::from(u8::from(!table.good))
}
