//! X25519 (RFC 7748): keygen and DH of §1.1. The only file that knows a library for it.
//!
//! A key that comes in from outside is judged elsewhere (§2.3): every key of low order is refused when it is decoded, so
//! no secret here is all zero.

use core::fmt;

use crate::secret::Secret;

/// The library that computes X25519.
///
/// Both give the same keys and the same secrets, and both run in constant time. They differ in speed: with graviola, keygen and
/// DH take half as long as with x25519-dalek.
///
/// ```
/// use port_protocol::X25519Backend;
///
/// println!("X25519 by {}", X25519Backend::in_use());
/// # #[cfg(not(feature = "fast-x25519"))]
/// assert_eq!(X25519Backend::in_use(), X25519Backend::Dalek);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum X25519Backend {
    /// [x25519-dalek](https://docs.rs/x25519-dalek). Plain Rust that runs on every processor.
    Dalek,
    /// [graviola](https://docs.rs/graviola), with feature `fast-x25519`. Formally verified assembler from s2n-bignum for
    /// x86-64 and AArch64.
    ///
    /// It needs these instructions, and the crate looks for them when the program runs:
    ///
    /// - on x86-64: AES, PCLMULQDQ, AVX, AVX2, BMI1, BMI2 and ADX. Intel has them since Broadwell (2014), AMD since Zen (2017).
    /// - on AArch64: NEON, AES, PMULL and SHA2. A Raspberry Pi 4 lacks them, a Raspberry Pi 5 has them.
    ///
    /// graviola overwrites its copies of the private key and of the secret when they are dropped, and clears the vector registers
    /// on x86-64. It leaves what its assembler put on the stack, as x25519-dalek does.
    ///
    /// In a build with `debug_assertions`, graviola reads environment variables (`GRAVIOLA_CPU_DISABLE_…`) at each call and allocates
    /// for their names. To avoid that in your debug builds, put this into your `Cargo.toml`:
    ///
    /// ```toml
    /// [profile.dev.package.graviola]
    /// debug-assertions = false
    /// ```
    Graviola,
}

impl X25519Backend {
    /// The library that this build uses on this processor.
    pub fn in_use() -> Self {
        if fast::runs_here() && !only_dalek::is_set() { Self::Graviola } else { Self::Dalek }
    }

    /// Does this with x25519-dalek on this thread, whatever the processor has. For this crate's own tests and benches, which
    /// compare the two: it may change or go at any time.
    #[cfg(feature = "fast-x25519")]
    #[doc(hidden)]
    pub fn with_dalek<T>(work: impl FnOnce() -> T) -> T {
        only_dalek::during(work)
    }
}

impl fmt::Display for X25519Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dalek => "x25519-dalek",
            Self::Graviola => "graviola",
        })
    }
}

/// The public key of a private key.
pub(crate) fn public_key(private_key: &Secret<32>) -> [u8; 32] {
    match X25519Backend::in_use() {
        X25519Backend::Dalek => dalek::public_key(private_key),
        X25519Backend::Graviola => fast::public_key(private_key),
    }
}

/// The secret of a private key and of another's public key.
pub(crate) fn agree(private_key: &Secret<32>, public_key: &[u8; 32]) -> Secret<32> {
    match X25519Backend::in_use() {
        X25519Backend::Dalek => dalek::agree(private_key, public_key),
        X25519Backend::Graviola => fast::agree(private_key, public_key),
    }
}

mod dalek {
    use x25519_dalek::{PublicKey, StaticSecret};

    use crate::secret::Secret;

    pub(super) fn public_key(private_key: &Secret<32>) -> [u8; 32] {
        PublicKey::from(&StaticSecret::from(*private_key.expose())).to_bytes()
    }

    pub(super) fn agree(private_key: &Secret<32>, public_key: &[u8; 32]) -> Secret<32> {
        let secret = StaticSecret::from(*private_key.expose()).diffie_hellman(&(*public_key).into());
        Secret::from(*secret.as_bytes())
    }
}

#[cfg(all(
    feature = "fast-x25519",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_endian = "little",
    target_pointer_width = "64"
))]
mod fast {
    use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};

    use super::dalek;
    use crate::secret::Secret;

    /// graviola panics in each of its functions where it lacks an instruction. So this asks graviola itself, each time.
    pub(super) fn runs_here() -> bool {
        graviola::util::is_cpu_supported() && has_what_graviola_does_not_ask_for()
    }

    /// graviola 0.4.4 uses BMI2 (`mulx`) and asks for BMI1; with `VALGRIND_BUG_494162` set when it is built, it uses ADX and
    /// doesn't ask for it.
    #[cfg(target_arch = "x86_64")]
    fn has_what_graviola_does_not_ask_for() -> bool {
        std::arch::is_x86_feature_detected!("bmi2") && std::arch::is_x86_feature_detected!("adx")
    }

    #[cfg(not(target_arch = "x86_64"))]
    const fn has_what_graviola_does_not_ask_for() -> bool {
        true
    }

    pub(super) fn public_key(private_key: &Secret<32>) -> [u8; 32] {
        StaticPrivateKey::from_array(private_key.expose()).public_key().as_bytes()
    }

    pub(super) fn agree(private_key: &Secret<32>, public_key: &[u8; 32]) -> Secret<32> {
        match StaticPrivateKey::from_array(private_key.expose()).diffie_hellman(&PublicKey::from_array(public_key)) {
            Ok(secret) => Secret::from(secret.0),
            // graviola refuses a secret that is all zero. No key that gets here has one; x25519-dalek would give it.
            Err(_) => dalek::agree(private_key, public_key),
        }
    }
}

/// What stands in for graviola where there is none.
#[cfg(not(all(
    feature = "fast-x25519",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_endian = "little",
    target_pointer_width = "64"
)))]
mod fast {
    pub(super) use super::dalek::{agree, public_key};

    pub(super) const fn runs_here() -> bool {
        false
    }
}

/// What a test or a bench asks of its own thread.
#[cfg(feature = "fast-x25519")]
mod only_dalek {
    use core::cell::Cell;

    std::thread_local! {
        static SET: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn is_set() -> bool {
        // A thread that ends has no such value on some systems.
        SET.try_with(Cell::get).unwrap_or(false)
    }

    pub(super) fn during<T>(work: impl FnOnce() -> T) -> T {
        let _back = Back(SET.replace(true));
        work()
    }

    /// Sets it back, after a panic too.
    struct Back(bool);

    impl Drop for Back {
        fn drop(&mut self) {
            SET.set(self.0);
        }
    }
}

#[cfg(not(feature = "fast-x25519"))]
mod only_dalek {
    pub(super) const fn is_set() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Keygen = fn(&Secret<32>) -> [u8; 32];
    type Agree = fn(&Secret<32>, &[u8; 32]) -> Secret<32>;

    const DALEK: (Keygen, Agree) = (dalek::public_key, dalek::agree);

    /// All that this build and this processor have. x25519-dalek is always one of them.
    fn backends() -> impl Iterator<Item = (Keygen, Agree)> {
        let fast: (Keygen, Agree) = (fast::public_key, fast::agree);
        core::iter::once(DALEK).chain(fast::runs_here().then_some(fast))
    }

    fn bytes(hex: &str) -> [u8; 32] {
        hex::decode(hex).unwrap().try_into().unwrap()
    }

    /// RFC 7748 §5.2. The second u has its highest bit set, and no scalar is clamped.
    #[test]
    fn r1_1_rfc_7748_scalar_multiplication() {
        let vectors = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
        ];
        for (_, agree) in backends() {
            for (scalar, u, product) in vectors {
                assert_eq!(*agree(&bytes(scalar).into(), &bytes(u)).expose(), bytes(product));
            }
        }
    }

    /// RFC 7748 §5.2, the same function again and again.
    #[test]
    fn r1_1_rfc_7748_a_thousand_times() {
        for (public_key, agree) in backends() {
            let (mut scalar, mut u) = ([0; 32], [0; 32]);
            (scalar[0], u[0]) = (9, 9);
            for round in 0..1000 {
                let product = *agree(&scalar.into(), &u).expose();
                (u, scalar) = (scalar, product);
                if round == 0 {
                    assert_eq!(scalar, bytes("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
                    assert_eq!(scalar, public_key(&u.into()));
                }
            }
            assert_eq!(scalar, bytes("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
        }
    }

    /// What no key that is decoded can be: the secret is all zero by both, and neither panics.
    #[test]
    fn a_key_of_low_order_gives_zeros_and_no_panic() {
        let zero_or_one = [0, 1].map(|first| {
            let mut u = [0; 32];
            u[0] = first;
            u
        });
        // p - 1, p, p + 1.
        let near_p = [0xec, 0xed, 0xee].map(|first| {
            let mut u = [0xff; 32];
            (u[0], u[31]) = (first, 0x7f);
            u
        });
        for u in zero_or_one.into_iter().chain(near_p) {
            for (_, agree) in backends() {
                assert_eq!(*agree(&[0x55; 32].into(), &u).expose(), [0; 32]);
            }
        }
    }

    /// Scalars and u at the edges of what they are reduced or clamped by, beside random ones.
    fn any_bytes() -> impl Strategy<Value = [u8; 32]> {
        let ends = (any::<u8>(), any::<u8>(), prop_oneof![Just(0), Just(0xff)]).prop_map(|(first, last, middle)| {
            let mut bytes = [middle; 32];
            (bytes[0], bytes[31]) = (first, last);
            bytes
        });
        prop_oneof![3 => any::<[u8; 32]>(), 1 => ends]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Scalars that are not clamped, u with its highest bit set and u that is not canonical among them.
        #[test]
        fn r1_1_all_backends_give_the_same(scalar in any_bytes(), u in any_bytes()) {
            let scalar = Secret::from(scalar);
            for (public_key, agree) in backends() {
                prop_assert_eq!(public_key(&scalar), DALEK.0(&scalar));
                prop_assert_eq!(agree(&scalar, &u), DALEK.1(&scalar, &u));
            }
        }
    }

    /// Nothing above says anything about graviola if it didn't run.
    #[test]
    fn which_ran() {
        std::println!("X25519 by {}", X25519Backend::in_use());
        assert_eq!(fast::runs_here(), X25519Backend::in_use() == X25519Backend::Graviola);
    }

    #[cfg(feature = "fast-x25519")]
    #[test]
    fn with_dalek_holds_on_this_thread_and_ends() {
        let before = X25519Backend::in_use();
        let during = X25519Backend::with_dalek(|| {
            let inner = X25519Backend::with_dalek(X25519Backend::in_use);
            let beside = std::thread::spawn(X25519Backend::in_use).join().unwrap();
            assert_eq!(beside, before);
            [inner, X25519Backend::in_use()]
        });
        assert_eq!(during, [X25519Backend::Dalek; 2]);
        assert!(std::panic::catch_unwind(|| X25519Backend::with_dalek(|| panic!("on purpose"))).is_err());
        assert_eq!(X25519Backend::in_use(), before);
    }
}
