//! §8.7: what lies in this process's memory, read as the operating system sees it. No `unsafe`, and no compiler can tell.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::*;

fn read<T>(place: *const T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, place as u64).unwrap();
    bytes
}

/// Eight bytes in a row of any of these.
fn holds(memory: &[u8], secrets: &[&[u8]]) -> bool {
    let mut windows = secrets.iter().flat_map(|secret| secret.windows(8));
    windows.any(|window| memory.windows(8).any(|here| here == window))
}

/// A value at rest in a `Vec`, before and after it was dropped: nothing overwrites the place but the value's own `Drop`.
fn dropped<T>(value: T) -> [Vec<u8>; 2] {
    let mut rest = Vec::with_capacity(1);
    rest.push(value);
    let rest = std::hint::black_box(&mut rest);
    let (place, before) = (rest.as_ptr(), read(rest.as_ptr()));
    rest.clear();
    [before, read(place)]
}

/// Whether each of these stood there, and zeros stand in its place now.
pub fn is_wiped<T>(value: T, secrets: &[&[u8]]) -> bool {
    let [before, after] = dropped(value);
    let pairs = |length| before.windows(length).zip(after.windows(length));
    let wiped =
        |secret: &&[u8]| pairs(secret.len()).any(|(was, is)| was == *secret && is.iter().all(|byte| *byte == 0));
    secrets.iter().all(wiped)
}

/// The same, and nothing of them is left anywhere in its memory. That is more than can be asked of an enum: in the bytes
/// that its present variant does not use lies what the compiler moved there (SPEC.md §11).
pub fn is_gone<T>(value: T, secrets: &[&[u8]]) -> bool {
    let [before, after] = dropped(value);
    secrets.iter().all(|secret| holds(&before, &[secret])) && !holds(&after, secrets)
}

fn secret(name: &str) -> Vec<u8> {
    secrets().into_iter().find(|(is, _)| *is == name).unwrap().1
}

/// The control: what does not wipe itself is found.
#[test]
fn a_plain_value_is_left_behind() {
    let key: [u8; 32] = random("alice");
    assert!(!is_wiped(key, &[&key]) && !is_gone(key, &[&key]));
    assert!(!is_wiped(Some((7_u64, key)), &[&key]));
    // What was never there does not count as wiped.
    assert!(!is_wiped([0_u8; 32], &[&key]) && !is_gone([0_u8; 32], &[&key]));
}

#[test]
fn r8_7_nothing_is_left_where_it_rested() {
    let (alice, bob) = (random::<64>("alice"), random::<64>("bob"));
    let (of_alice, rad, of_bob) = (&alice[..32], &alice[32..48], &bob[..32]);
    let shared = &secret("secret")[..];
    let keys = ["alice to bob", "bob to alice", "exporter"].map(secret);
    let keys = [&keys[0][..], &keys[1], &keys[2]];

    assert!(is_gone(Secret::from(random::<32>("alice")), &[of_alice]));
    assert!(is_gone(seed("alice"), &[of_alice, rad, &alice[48..]]));
    assert!(is_wiped(offered().port().unwrap().clone(), &[rad]));
    assert!(is_gone(offered().port().unwrap().to_bytes(), &[rad]));
    let text = offered().port().unwrap().qr_text();
    let shown = text.as_str().to_owned();
    assert!(is_gone(text, &[shown.as_bytes()]));

    assert!(is_wiped(Alice::offer(link(), PortOptions::new(), seed("alice")), &[of_alice, rad]));
    assert!(is_wiped(requesting(), &[of_alice, rad]));
    assert!(is_wiped(offered(), &[of_alice, rad]));
    assert!(is_gone(offered().record(), &[of_alice, rad]));
    let of_pool = &random::<64>("pool")[..32];
    // Its free slots are enums: optimised, they hold what lay on the stack (SPEC.md §11).
    assert!(is_wiped(pool(), &[of_pool]));
    assert!(is_gone(pool().record(), &[of_pool]));
    assert!(is_wiped(scanned(), &[of_bob, rad]));
    assert!(is_wiped(connecting(SendProof::Inline), &[shared]));
    assert!(is_gone(connecting(SendProof::Inline).record(), &[shared]));

    assert!(is_wiped(line_at_alice(None).1, &[of_alice, rad]));
    // A step with a new line that is dropped, and one whose line nobody takes.
    let event = connected(&connecting(SendProof::Inline));
    assert!(is_wiped(connecting(SendProof::Inline).handle(&event, &NoPeers, NOW, &mut Unused).unwrap(), &keys));
    assert!(is_wiped(
        connecting(SendProof::Inline).handle(&event, &NoPeers, NOW, &mut Unused).unwrap().committed(),
        &keys
    ));
    let Handshake { joined: [at_alice, at_bob], .. } = Handshake::new();
    assert!(is_gone(at_alice.record(), &keys));
    assert!(is_wiped(at_alice, &keys));
    assert!(is_wiped(at_bob, &keys));
    let Handshake { at_alice, at_bob, .. } = Handshake::new();
    assert!(is_wiped(at_alice, &keys));
    assert!(is_wiped(at_bob, &keys));
}
