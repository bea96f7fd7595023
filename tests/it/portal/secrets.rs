//! §8.7 for Portals: nothing secret is shown, and nothing that people say.

use port_protocol::portal::*;

use super::world::*;

/// Neither keys nor credentials, nor targets, headers, bodies and names.
#[test]
fn r8_7_debug_of_portals_shows_no_secret() {
    let [mut a, mut b] = Side::pair();
    let private = a.store.0[&[1][..]].1.clone();
    let mut shown = format!("{:?} {:?} {:?} {:?} {:?}", a.portal, a.peer, a.app, a.credential, b.portal);
    let id = a.draw_id();
    let app = a.app.authenticate(a.credential.expose()).unwrap();
    let headers = Headers::carried([("app-secret", "sesame")]).unwrap();
    let target = Target::parse("/peer/sesame?sesame").unwrap();
    let request = app.request(id, Method::POST, target, headers.clone(), Part::last(b"sesame").unwrap());
    shown += &format!("{request:?} {app:?}");
    for _ in 0..2 {
        let mut outgoing = a.peer.ask(&a.portal, app, &request, NOW, &mut a.rng).unwrap();
        let (mut buffer, manifest) = (Vec::new(), manifest());
        let received = b.portal.receive(&outgoing.message, &mut buffer, NOW).unwrap();
        shown += &format!("{:?} {received:?}", outgoing.waiting);
        let Received::Incoming(incoming) = received else { panic!() };
        let step = b.peer.take(incoming, |_| Some(&manifest), NOW).unwrap();
        shown += &format!("{step:?} {:?}", step.write());
        let Ok(asked) = step.store(|write| b.store.keep(write));
        shown += &format!("{asked:?}");
        let reply = match asked {
            Asked::Request(_, pending) => {
                let answer =
                    Answer { status: Status::OK, headers: headers.clone(), body: Part::last(b"sesame").unwrap() };
                shown += &format!("{answer:?} {pending:?}");
                let step = b.peer.answer(pending, &answer).unwrap();
                shown += &format!("{step:?}");
                let Ok(reply) = step.store(|write| b.store.keep(write));
                reply
            }
            Asked::Reply(reply) => reply,
            other => panic!("{other:?}"),
        };
        shown += &format!("{reply:?}");
        let reply = b.portal.seal(&b.peer, reply, NOW, &mut b.rng).unwrap();
        let mut buffer = Vec::new();
        let step = a.peer.hear(&a.portal, &mut outgoing.waiting, &reply, &mut buffer, NOW).unwrap();
        shown += &format!("{step:?}");
        let Ok(heard) = step.store(|write| a.store.keep(write));
        shown += &format!("{heard:?}");
    }
    // The private key stands in the record behind its head: any eight bytes of it, as Rust and as hex would show them.
    for bytes in private.windows(8).chain(a.credential.expose().windows(8)) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!shown.contains(&hex) && !shown.contains(&format!("{bytes:?}")[1..]), "{bytes:?}");
    }
    let hidden = ["sesame", "a friend", "Ada's", "Ben's"];
    assert!(
        hidden.iter().all(|text| !shown.contains(text) && !shown.contains(&format!("{:?}", text.as_bytes()))),
        "{shown}"
    );
}
