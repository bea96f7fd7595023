use aes_gcm_siv::{
    Aes256GcmSiv,
    aead::{AeadInOut, KeyInit},
};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use port_protocol::*;
use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::time::Instant;
const NOW: UnixSeconds = UnixSeconds(1_000);

fn full(sa: &[u8; 64], sb: &[u8; 64]) -> usize {
    let mut n = 0;
    let mut scratch = [0u8; 256];
    let mut scratch2 = [0u8; 256];
    let born = Alice::request(Offer::new(), Seed::from_bytes(sa));
    n += born.record().len();
    let mut alice = born.commit();
    let mut id = [0; 16];
    for e in alice.unsent() {
        if let AliceEffect::Send(r) = e {
            n += r.encode_into(&mut scratch).unwrap().len();
            if let Request::IssueLineLink { request_id } = r {
                id = *request_id.as_bytes();
            }
        }
    }
    let ev = Event::LineLinkIssued { request_id: id.into(), line_link: [1; 16].into() };
    let step = alice.handle_bytes(ev.encode_into(&mut scratch).unwrap(), NOW).unwrap();
    n += step.record().len();
    let mut port = None;
    for e in step.commit() {
        if let AliceEffect::PortReady(p) = e {
            port = Some(p.to_bytes())
        }
    }
    let port = Port::from_bytes(port.unwrap().as_slice()).unwrap();
    let born = Bob::scan(port, Seed::from_bytes(sb));
    n += born.record().len();
    let mut bob = born.commit();
    let step = bob.connect(SendProof::OnBoard, NOW).unwrap();
    n += step.record().len();
    let mut proof = None;
    for e in step.commit() {
        if let BobEffect::Send(r) = e {
            let b = r.encode_into(&mut scratch).unwrap();
            n += b.len();
            if let Request::Connect { proof: p, .. } = Request::decode(b).unwrap() {
                proof = p
            }
        }
    }
    let ev = Event::LineFormed { line_link: [1; 16].into(), line_id: [2; 16].into(), pair_hash: [3; 32].into(), proof };
    let step = alice.handle_bytes(ev.encode_into(&mut scratch).unwrap(), NOW).unwrap();
    n += step.record().len();
    let mut la = None;
    for e in step.commit() {
        if let AliceEffect::LineFormed(l) = e {
            n += l.record().len();
            la = Some(l.commit())
        }
    }
    let mut la = la.unwrap();
    {
        let s = alice.settle().unwrap();
        n += s.record().len();
        s.commit();
    }
    let ev = Event::LineFormed {
        line_link: [1; 16].into(),
        line_id: [2; 16].into(),
        pair_hash: [3; 32].into(),
        proof: None,
    };
    let step = bob.handle_bytes(ev.encode_into(&mut scratch).unwrap(), NOW).unwrap();
    n += step.record().len();
    let mut lb = None;
    for e in step.commit() {
        if let BobEffect::LineFormed(l) = e {
            n += l.record().len();
            lb = Some(l.commit())
        }
    }
    let mut lb = lb.unwrap();
    {
        let s = bob.settle().unwrap();
        n += s.record().len();
        s.commit();
    }
    let mut buf = [0u8; 256];
    let mut len = 0;
    for e in la.unsent() {
        if let LineEffect::Send(Request::Packet { line_id, payload }) = e {
            len = Event::Packet { line_id, payload }.encode_into(&mut scratch).unwrap().len();
        }
    }
    let step = lb.handle_bytes(&scratch[..len], &mut buf, NOW).unwrap();
    n += step.record().len();
    for e in step.commit() {
        if let LineEffect::Send(Request::Packet { line_id, payload }) = e {
            len = Event::Packet { line_id, payload }.encode_into(&mut scratch2).unwrap().len();
        }
    }
    {
        let s = lb.settle().unwrap();
        n += s.record().len();
        s.commit();
    }
    let step = la.handle_bytes(&scratch2[..len], &mut buf, NOW).unwrap();
    n += step.record().len();
    step.commit().for_each(drop);
    assert!(la.confirmed().is_some() && lb.confirmed().is_some());
    n
}
fn keys(sec: &[u8], salt: &[u8]) -> [[u8; 32]; 3] {
    let h = hkdf::Hkdf::<Sha256>::new(Some(salt), sec);
    let mut o = [[0; 32]; 3];
    h.expand(b"alice to bob", &mut o[0]).unwrap();
    h.expand(b"bob to alice", &mut o[1]).unwrap();
    h.expand(b"exporter", &mut o[2]).unwrap();
    o
}
fn bare(sa: &[u8; 64], sb: &[u8; 64]) -> u8 {
    let s = |b: &[u8; 64]| x25519_dalek::StaticSecret::from(<[u8; 32]>::try_from(&b[..32]).unwrap());
    let port = [7u8; 71];
    let tr = [8u8; 189];
    let proof = [9u8; 85];
    let a = s(sa);
    let pa = x25519_dalek::PublicKey::from(&a);
    let b = s(sb);
    let pb = x25519_dalek::PublicKey::from(&b);
    let kb = b.diffie_hellman(&pa);
    let iv: [u8; 16] = sb[32..48].try_into().unwrap();
    let mut blocks = [cbc::cipher::Block::<aes::Aes256>::from([1; 16]), [16; 16].into()];
    cbc::Encryptor::<aes::Aes256>::new(kb.as_bytes().into(), (&iv).into()).encrypt_blocks(&mut blocks);
    let h = Sha256::digest(black_box(port));
    black_box(h);
    let h = Sha256::digest(black_box(port));
    black_box(h);
    let ka = a.diffie_hellman(&pb);
    cbc::Decryptor::<aes::Aes256>::new(ka.as_bytes().into(), (&iv).into()).decrypt_blocks(&mut blocks);
    let t = Sha256::digest(black_box(tr));
    let la = keys(ka.as_bytes(), &t);
    let mut m = [3u8; 1];
    let n = Default::default();
    let aad = [0u8; 7];
    let tag = Aes256GcmSiv::new((&la[0]).into()).encrypt_inout_detached(&n, &aad, (&mut m[..]).into()).unwrap();
    black_box(Sha256::digest(black_box(proof)));
    let t = Sha256::digest(black_box(tr));
    let lb = keys(kb.as_bytes(), &t);
    Aes256GcmSiv::new((&lb[0]).into()).decrypt_inout_detached(&n, &aad, (&mut m[..]).into(), &tag).unwrap();
    let tag = Aes256GcmSiv::new((&lb[1]).into()).encrypt_inout_detached(&n, &aad, (&mut m[..]).into()).unwrap();
    Aes256GcmSiv::new((&la[1]).into()).decrypt_inout_detached(&n, &aad, (&mut m[..]).into(), &tag).unwrap();
    m[0]
}
fn main() {
    let mut t = (vec![], vec![]);
    for i in 0..3000u32 {
        let mut sa = [5u8; 64];
        sa[..4].copy_from_slice(&i.to_le_bytes());
        let mut sb = [6u8; 64];
        sb[..4].copy_from_slice(&i.to_le_bytes());
        let s = Instant::now();
        black_box(bare(black_box(&sa), black_box(&sb)));
        t.0.push(s.elapsed());
        let s = Instant::now();
        black_box(full(black_box(&sa), black_box(&sb)));
        t.1.push(s.elapsed());
    }
    t.0.sort();
    t.1.sort();
    let (b, f) = (t.0[1500], t.1[1500]);
    println!("bare {b:?} full {f:?} ratio {:.4}", f.as_secs_f64() / b.as_secs_f64());
    // AEAD
    for len in [16usize, 1024, 65536] {
        let mk = || {};
        let _ = mk;
        let (mut la, _lb) = pair();
        let msg = vec![1u8; len];
        let mut out = vec![0u8; len + SEAL_OVERHEAD];
        let mut m = vec![1u8; len];
        let mut t: [Vec<_>; 4] = Default::default();
        let reps = 20;
        for _ in 0..400 {
            let s = Instant::now();
            for _ in 0..reps {
                let n = Default::default();
                black_box(
                    Aes256GcmSiv::new((&[7; 32]).into())
                        .encrypt_inout_detached(&n, &[0u8; 9], black_box((&mut m[..]).into()))
                        .unwrap(),
                );
            }
            t[0].push(s.elapsed());
            let s = Instant::now();
            for _ in 0..reps {
                for e in la.seal(black_box(&msg), &[], &mut out).unwrap().commit() {
                    black_box(e);
                }
            }
            t[1].push(s.elapsed());
            let s = Instant::now();
            for _ in 0..reps {
                let st = la.seal(black_box(&msg), &[], &mut out).unwrap();
                black_box(st.record());
                for e in st.commit() {
                    black_box(e);
                }
            }
            t[2].push(s.elapsed());
            let s = Instant::now();
            for _ in 0..reps { let n = Default::default(); black_box(Aes256GcmSiv::new((&[7;32]).into()).encrypt_inout_detached(&n, &[0u8;11], aes_gcm_siv::aead::inout::InOutBuf::new(black_box(&msg[..]), &mut out[..len]).unwrap()).unwrap()); }
            t[3].push(s.elapsed());
        }
        for v in &mut t {
            v.sort()
        }
        let x = |i: usize| t[i][200].as_secs_f64() / reps as f64 * 1e9;
        println!(
            "{len}: bare {:.0} ns, seal {:.0} ({:.3}), with record {:.0} ({:.3}), b2b {:.0} (seal {:.3})",
            x(0),
            x(1),
            x(1) / x(0),
            x(2),
            x(2) / x(0),
            x(3), x(1)/x(3)
        );
    }
}
fn pair() -> (Line, Line) {
    let mut alice = Alice::offer([1; 16].into(), Offer::new(), Seed::from_bytes(&[3; 64])).commit();
    let mut bob = Bob::scan(alice.port().unwrap().clone(), Seed::from_bytes(&[4; 64])).commit();
    let mut proof = None;
    for e in bob.connect(SendProof::OnBoard, NOW).unwrap().commit() {
        if let BobEffect::Send(Request::Connect { proof: p, .. }) = e {
            proof = p
        }
    }
    let mut la = None;
    let mut lb = None;
    for e in alice
        .handle(
            &Event::LineFormed { line_link: [1; 16].into(), line_id: [2; 16].into(), pair_hash: [3; 32].into(), proof },
            NOW,
        )
        .unwrap()
        .commit()
    {
        if let AliceEffect::LineFormed(l) = e {
            la = Some(l.commit())
        }
    }
    for e in bob
        .handle(
            &Event::LineFormed {
                line_link: [1; 16].into(),
                line_id: [2; 16].into(),
                pair_hash: [3; 32].into(),
                proof: None,
            },
            NOW,
        )
        .unwrap()
        .commit()
    {
        if let BobEffect::LineFormed(l) = e {
            lb = Some(l.commit())
        }
    }
    (la.unwrap(), lb.unwrap())
}
