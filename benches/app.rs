//! How long the app's formats take: `cargo bench --features app --bench app`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use port_protocol::app::{Bundle, EncryptedContent, Intro, Message, Name, Scanned, UnauthenticatedKey};
use port_protocol::{PortKind, PublicKey, Secret, X25519Backend};
use x25519_dalek::{PublicKey as Public, StaticSecret};

fn app(c: &mut Criterion) {
    println!("X25519 by {}", X25519Backend::in_use());
    let (alice, bob) = (Secret::from([1; 32]), Secret::from([2; 32]));
    let public_key = Public::from(&StaticSecret::from(*alice.expose())).to_bytes();
    let name = Name::new("Alice & Zoë").unwrap();
    let bundle = Bundle::port([3; 16].into(), PublicKey::from_bytes(public_key).unwrap(), [4; 16].into()).named(name);
    let (json, link) = (bundle.to_json(), bundle.link_for_app().text);
    let bobs_name = Name::new("Bob").unwrap();
    let (intro, line) = Intro::make(&bob, [5; 16], &bundle, &bobs_name);
    let intro_json = intro.to_json();

    let mut group = c.benchmark_group("app");
    group.bench_function("bundle, read", |b| b.iter(|| Bundle::from_json(black_box(json.as_str())).unwrap()));
    group.bench_function("bundle, write", |b| b.iter(|| black_box(&bundle).to_json()));
    group.bench_function("link, read", |b| b.iter(|| Scanned::parse(black_box(link.as_str())).unwrap()));
    group.bench_function("link, write", |b| b.iter(|| black_box(&bundle).link_for_app()));
    group.bench_function("Bob makes the intro message", |b| {
        b.iter(|| Intro::make(black_box(&bob), [5; 16], &bundle, &bobs_name).0.to_json());
    });
    group.bench_function("Alice checks it", |b| {
        b.iter(|| {
            let intro = Intro::from_json(black_box(intro_json.as_str()));
            intro.check(&alice, PortKind::Port, bundle.rad()).unwrap()
        });
    });
    messages(&mut group, &line);
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn messages(group: &mut Group<'_>, line: &UnauthenticatedKey) {
    let text = r#"{"messageId":"00000000000000000000000000000000","contentType":1,"data":{"text":"hello"},"replyId":null,"expiresOn":null}"#;
    let sealed = line.seal([6; 16], text).unwrap().to_json();
    group.bench_function("a message, seal", |b| b.iter(|| line.seal([6; 16], black_box(text)).unwrap().to_json()));
    group.bench_function("a message, open", |b| {
        b.iter(|| {
            let text = line.open(&EncryptedContent::from_json(black_box(sealed.as_str())).unwrap()).unwrap();
            black_box(Message::from_json(text.as_str()).unwrap());
        });
    });
}

criterion_group!(benches, app);
criterion_main!(benches);
