//! The bare primitives, and parsing.

use std::hint::black_box;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use minicbor::bytes::{ByteArray, ByteSlice};
use minicbor::{Decode, Encode};
use port_protocol::portal::{Answer, Headers, Method, Request, Target};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{BODY, Contestant};

/// Two keygens and eight DH: all the X25519 of IK, both ends.
pub fn x25519(name: &'static str) -> Contestant {
    let [a, b] = [[1; 32], [2; 32]].map(StaticSecret::from);
    Contestant::new(name, move || {
        let publics = [&a, &b].map(|key| PublicKey::from(black_box(key)));
        for _ in 0..4 {
            black_box((a.diffie_hellman(&publics[1]), b.diffie_hellman(&publics[0])));
        }
    })
}

/// Request and answer, each sealed and opened in place, with the keys' schedules at hand.
pub fn passes(name: &'static str) -> Contestant {
    let [request, answer] = payloads();
    let [mut request, mut answer] = [request.len(), answer.len()].map(|length| vec![7; length]);
    let ciphers = [[1; 32], [2; 32]].map(|key| Aes256Gcm::new(&key.into()));
    let mut number = 0_u64;
    Contestant::new(name, move || {
        number += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        let nonce = Nonce::from(nonce);
        for (cipher, text) in [(&ciphers[0], &mut request), (&ciphers[1], &mut answer)] {
            let tag = cipher.encrypt_inout_detached(&nonce, &[], black_box(&mut text[..]).into()).unwrap();
            cipher.decrypt_inout_detached(&nonce, &[], black_box(&mut text[..]).into(), &tag).unwrap();
        }
    })
}

type Nonce16 = ByteArray<16>;
type ExchangeMessage<'b> = (u8, (u8, Nonce16, u64, &'b ByteSlice));
type ExchangePayload<'b> = (Vec<Nonce16>, (u8, Request<'b>));
type ReplyMessage<'b> = (u8, (u8, &'b ByteSlice));
type ReplyPayload<'b> = (u8, Answer<'b>);

/// What stands encrypted in an Exchange and in a Reply.
fn payloads() -> [Vec<u8>; 2] {
    let (nonce, headers, body) =
        (Nonce16::from([9; 16]), [("content-type", "text/plain")], <&ByteSlice>::from(&BODY[..]));
    let id = (1_790_000_000_u64, nonce);
    let request = (id, "notes", "POST", "/peer/notes/add", headers, (body, false));
    let answer = (200_u16, headers, (body, false));
    [minicbor::to_vec(([nonce], (1_u8, request))).unwrap(), minicbor::to_vec((1_u8, answer)).unwrap()]
}

/// Exchange and Reply, and what stands encrypted in them: each decoded, and checked to be the one encoding.
pub fn parsing(name: &'static str) -> Contestant {
    let payloads = payloads();
    let sealed = [&payloads[0], &payloads[1]].map(|payload| vec![7; payload.len() + 16]);
    let [exchange, reply] = [0, 1].map(|at| <&ByteSlice>::from(&sealed[at][..]));
    let exchange = minicbor::to_vec((1_u8, (4_u8, Nonce16::from([3; 16]), 500_u64, exchange))).unwrap();
    let reply = minicbor::to_vec((1_u8, (5_u8, reply))).unwrap();
    Contestant::new(name, move || {
        black_box(decode::<ExchangeMessage<'_>>(black_box(&exchange)));
        black_box(decode::<ExchangePayload<'_>>(black_box(&payloads[0])));
        black_box(decode::<ReplyMessage<'_>>(black_box(&reply)));
        black_box(decode::<ReplyPayload<'_>>(black_box(&payloads[1])));
    })
}

/// What HTTP's texts are read into: at the caller those of the request, at the callee those of the answer.
pub fn texts(name: &'static str) -> Contestant {
    Contestant::new(name, || {
        black_box((Method::new(black_box("POST")).unwrap(), Target::parse(black_box("/peer/notes/add")).unwrap()));
        black_box(Headers::carried(black_box([("content-type", "text/plain")])).unwrap());
        black_box(Headers::carried(black_box([("content-type", "text/plain")])).unwrap());
    })
}

fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> T {
    let (value, mut same) = (minicbor::decode::<T>(bytes).unwrap(), Same(bytes));
    minicbor::encode(&value, &mut same).unwrap();
    assert!(same.0.is_empty());
    value
}

/// Takes only the bytes that it was given, as the crate does.
struct Same<'b>(&'b [u8]);

impl minicbor::encode::Write for Same<'_> {
    type Error = &'static str;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let (expected, rest) = self.0.split_at_checked(bytes.len()).ok_or("longer")?;
        self.0 = rest;
        if std::ptr::eq(expected, bytes) || expected == bytes { Ok(()) } else { Err("another") }
    }
}
