//! §18.6, §18.8: what is asked is delivered once, and what is answered is told.

use port_protocol::portal::*;

use super::world::{NOW, Side, later};

fn echo(request: &Request<'_>) -> Vec<u8> {
    format!("{:?} {}", request.method, request.target).into_bytes()
}

/// R18.8.7: a request that changes nothing goes into the Opening, and the answer into Opened. A later one goes into the session.
#[test]
fn r18_6_a_request_and_its_answer_and_another_in_the_session() {
    let [mut a, mut b] = Side::pair();
    let id = a.draw_id();
    let mut outgoing = a.ask(id, "GET", "/peer/list?all", Part::EMPTY);
    let reply = b.serve(&outgoing.message, &mut echo).unwrap();
    assert_eq!(a.hear(&mut outgoing.waiting, &reply).unwrap(), "GET /peer/list?all");
    let id = a.draw_id();
    let mut outgoing = a.ask(id, "POST", "/peer/add", Part::last(b"text").unwrap());
    let reply = b.serve(&outgoing.message, &mut echo).unwrap();
    assert_eq!(a.hear(&mut outgoing.waiting, &reply).unwrap(), "POST /peer/add");
    assert_eq!((b.peer.own_name().as_str(), a.peer.own_name().as_str()), ("Ada's", "Ben's"));
    assert_eq!((b.peer.name().as_str(), a.peer.name().as_str()), ("a friend", "a friend"));
}

/// R18.8.7: one that changes something waits for the session.
#[test]
fn r18_8_a_request_that_changes_something_opens_a_session_first() {
    let [mut a, mut b] = Side::pair();
    let id = a.draw_id();
    let mut outgoing = a.ask(id, "POST", "/peer/add", Part::EMPTY);
    let reply = b.serve(&outgoing.message, &mut |_| panic!("nothing was asked")).unwrap();
    assert_eq!(a.hear(&mut outgoing.waiting, &reply).unwrap(), "Opened");
    let mut outgoing = a.ask(id, "POST", "/peer/add", Part::EMPTY);
    let reply = b.serve(&outgoing.message, &mut echo).unwrap();
    assert_eq!(a.hear(&mut outgoing.waiting, &reply).unwrap(), "POST /peer/add");
}

/// R18.8.1, R18.6.3: nothing is taken twice, and what is refused changes nothing.
#[test]
fn r18_8_a_replayed_message_is_refused_also_after_a_crash() {
    let [mut a, mut b] = Side::pair();
    let id = a.draw_id();
    let mut opening = a.ask(id, "GET", "/peer/list", Part::EMPTY);
    let reply = b.serve(&opening.message, &mut echo).unwrap();
    a.hear(&mut opening.waiting, &reply).unwrap();
    let id = a.draw_id();
    let exchange = a.ask(id, "GET", "/peer/list", Part::EMPTY);
    b.serve(&exchange.message, &mut echo).unwrap();
    for crash in [false, true] {
        if crash {
            b.crash();
        }
        let before = b.store.clone();
        let never = &mut |_: &Request<'_>| panic!("delivered twice");
        assert_eq!(b.serve(&opening.message, never), Err(Refusal::Unknown));
        assert_eq!(b.serve(&exchange.message, never), Err(Refusal::NoSession));
        assert_eq!(before.0, b.store.0);
    }
}

/// R18.8.2: asked again after a lost answer, or after a crash of either Portal, a request gets the same answer, and the app does not see it again.
#[test]
fn r18_8_an_answer_is_given_again_and_a_request_is_not() {
    for crash in 0..4 {
        let [mut a, mut b] = Side::pair();
        let id = a.draw_id();
        let mut opening = a.ask(id, "POST", "/peer/add", Part::EMPTY);
        let reply = b.serve(&opening.message, &mut echo).unwrap();
        a.hear(&mut opening.waiting, &reply).unwrap();
        let lost = a.ask(id, "POST", "/peer/add", Part::EMPTY);
        b.serve(&lost.message, &mut echo).unwrap();
        if crash & 1 != 0 {
            a.crash();
        }
        if crash & 2 != 0 {
            b.crash();
        }
        let never = &mut |_: &Request<'_>| panic!("delivered twice");
        let said = loop {
            let mut again = a.ask(id, "POST", "/peer/add", Part::EMPTY);
            match b.serve(&again.message, never) {
                Ok(reply) => match a.hear(&mut again.waiting, &reply).unwrap().as_str() {
                    "Opened" => {}
                    said => break said.to_owned(),
                },
                Err(refusal) => {
                    let heard = a.hear(&mut again.waiting, &refusal.to_vec());
                    assert_eq!(heard, Err(HearError::Refused(Refusal::NoSession)));
                }
            }
        };
        assert_eq!(said, "POST /peer/add");
    }
}

/// R18.8.1: the clocks.
#[test]
fn r18_8_what_is_too_old_or_ahead_is_refused() {
    for (secs, result) in [(0, None), (600, None), (601, Some(Refusal::ClocksDiffer))] {
        let [mut a, mut b] = Side::pair();
        let id = a.draw_id();
        let opening = a.ask(id, "GET", "/peer", Part::EMPTY);
        assert_eq!(b.serve_at(later(secs), &opening.message, &mut echo).err(), result, "{secs}");
    }
    let _ = NOW;
}
