//! Keys and IDs (§19.1, §19.2).

use data_encoding::BASE64;
use port_protocol::portal::freeshard::base32::{self, Base32Error};
use port_protocol::portal::freeshard::{FullId, IdError, KeyError, PrivateKey, PublicKey, ShortId};
use proptest::prelude::*;

use super::{id, key};

/// A new key is one of the real system's kind, and is the same after it was written and read.
#[test]
fn r19_1_a_new_key() {
    let new = PrivateKey::generate(&mut rand::rng()).unwrap();
    let public = new.public_key();
    assert!(public.is_standard() && public.bits() == 4096 && public.to_pem().len() == 800);
    let pem = new.to_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.ends_with("-----END PRIVATE KEY-----\n"));
    let again = PrivateKey::from_pem(&pem).unwrap();
    assert_eq!(again.public_key(), public);
    let signature = again.sign(b"words", &mut rand::rng()).unwrap();
    assert!(public.verify(b"words", &signature) && !public.verify(b"word", &signature));
    assert_ne!(again.sign(b"words", &mut rand::rng()).unwrap(), signature);
}

/// No secret is in what is printed.
#[test]
fn r19_1_nothing_secret_is_printed() {
    let alice = key("Alice");
    assert_eq!(format!("{alice:?}"), format!("PrivateKey([redacted] of {})", id("Alice")));
}

/// However a PEM is wrapped, the ID is that of the text that OpenSSL would write.
#[test]
fn r19_1_a_pem_is_written_again() {
    let alice = key("Alice").public_key();
    let pem = alice.to_pem();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let wrapped = |width: usize, end: &str| {
        let lines = base64.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line) + end).collect::<String>();
        format!("-----BEGIN PUBLIC KEY-----{end}{lines}-----END PUBLIC KEY-----{end}")
    };
    assert_eq!(wrapped(64, "\n"), pem);
    for other in [
        wrapped(64, "\r\n"),
        wrapped(76, "\n"),
        wrapped(5, "\n"),
        wrapped(9999, "\n"),
        pem.trim().into(),
        format!("Alice:\n{pem}"),
    ] {
        let read = PublicKey::from_pem(&other).unwrap();
        assert_eq!((read.to_pem(), read.id()), (pem, alice.id()), "{other}");
    }
    // PKCS#1: the same numbers, without the name of the algorithm.
    let der = BASE64.decode(base64.as_bytes()).unwrap();
    let pkcs1 =
        format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", BASE64.encode(&der[24..]));
    assert_eq!(PublicKey::from_pem(&pkcs1).unwrap(), *alice);
}

#[test]
fn r19_1_what_is_no_key() {
    let pem = key("Alice").public_key().to_pem();
    let private = key("Alice").to_pem().unwrap();
    for text in ["", "x", &pem[1..], &pem.replace("PUBLIC", "QUAINT"), &pem.replace("MIICIj", "MIICIk"), &private] {
        assert_eq!(PublicKey::from_pem(text), Err(KeyError::Malformed), "{text}");
    }
    assert_eq!(PublicKey::from_pem(&format!("{pem}{}", " ".repeat(1 << 20))), Err(KeyError::Malformed));
    for text in ["", pem, &private[..private.len() / 2], &private.replace("PRIVATE KEY", "RSA PRIVATE KEY")] {
        assert_eq!(PrivateKey::from_pem(text).err(), Some(KeyError::Malformed), "{text}");
    }
    // The same numbers, named as a key for PSS alone: OpenSSL would not write it so, and its ID would be that of another text.
    let der = BASE64.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes()).unwrap();
    for parameters in [&[][..], &[5, 0], &[0x30, 0]] {
        let algorithm = [&[0x30, 11 + parameters.len() as u8], &der[6..16], &[10], parameters].concat();
        let length = (der.len() - 4 - 15 + algorithm.len()) as u16;
        let bound = [&[0x30, 0x82][..], &length.to_be_bytes(), &algorithm, &der[19..]].concat();
        let bound = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&bound));
        assert_eq!(PublicKey::from_pem(&bound), Err(KeyError::Malformed), "{parameters:?}");
    }
    // 1,024 bits: openssl genrsa 1024 | openssl rsa -pubout.
    assert_eq!(PublicKey::from_pem(SMALL), Err(KeyError::Size));
}

const SMALL: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC4zyzSN+Sv7NkZZKVprHm/lQ6/
ZlXRgpm3wZEBFkKr1VM9Bzy1wt7BFWppQN2myLwnwp3V8R+LzFVn8rSzHrvHorYe
Ldmf55Cs7mNFAB9UFBHpUyemFQ2hyUWyOw/SCfvvQIcL2fjmaMXM76NJRChL4GKV
T2AKJfngGQG1+8WUxQIDAQAB
-----END PUBLIC KEY-----
";

/// One form, 103 characters; a changed one is another ID or none.
#[test]
fn r19_2_an_id() {
    let alice = id("Alice");
    let full: FullId = alice.parse().unwrap();
    assert_eq!((full.to_string(), full.short().to_string()), (alice.clone(), "1evphv".to_owned()));
    assert_eq!(full, key("Alice").public_key().id());
    for (text, error) in [
        ("", IdError::Length),
        ("1evphv", IdError::Length),
        (&alice[1..], IdError::Length),
        (&format!("{alice}a"), IdError::Length),
        (&alice.to_uppercase(), IdError::Characters),
        (&alice.replace('v', "m"), IdError::Characters),
        // Two bits are left in the last character.
        (&format!("{}b", &alice[..102]), IdError::Characters),
    ] {
        assert_eq!(text.parse::<FullId>(), Err(error), "{text}");
    }
    for last in ["a", "j", "t", "2"] {
        assert!(format!("{}{last}", &alice[..102]).parse::<FullId>().is_ok());
    }
    for (text, error) in [
        ("1evph", IdError::Length),
        ("1evphvs", IdError::Length),
        ("1EVPHV", IdError::Characters),
        ("foobar", IdError::Characters),
    ] {
        assert_eq!(text.parse::<ShortId>(), Err(error), "{text}");
    }
}

proptest! {
    /// What is written is read again.
    #[test]
    fn r19_2_base32_both_ways(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(base32::decode(&base32::encode(&bytes)), Ok(bytes));
    }

    /// What is read stands for these bytes by the rule itself: bits in fives, and only zeros left over.
    #[test]
    fn r19_2_base32_by_its_rule(text in "[a-z0-9]{0,20}|[ab9]{0,20}|a{0,20}") {
        let values: Option<Vec<usize>> = text.chars().map(|char| base32::ALPHABET.find(char)).collect();
        let expected = values.ok_or(Base32Error::UnknownCharacter).and_then(|values| {
            let bits: Vec<_> = values.iter().flat_map(|value| (0..5).rev().map(move |at| value >> at & 1)).collect();
            let (bytes, rest) = bits.as_chunks::<8>();
            let byte = |bits: &[usize; 8]| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
            if rest.contains(&1) { Err(Base32Error::LeftoverBits) } else { Ok(bytes.iter().map(byte).collect()) }
        });
        prop_assert_eq!(base32::decode(&text), expected);
    }
}
