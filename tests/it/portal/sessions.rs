//! §18.6: sessions, numbers, keys; what is forged or out of place.

use port_protocol::portal::*;

use super::world::*;

fn yes(_: &Request<'_>) -> Vec<u8> {
    b"yes".to_vec()
}

/// Opens a session by an early request.
fn open(a: &mut Side, b: &mut Side) {
    let id = a.draw_id();
    let mut opening = a.ask(id, "GET", "/peer", Part::EMPTY);
    let reply = b.serve(&opening.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut opening.waiting, &reply).unwrap(), "yes");
}

fn post(a: &mut Side) -> (RequestId, Outgoing) {
    let id = a.draw_id();
    (id, a.ask(id, "POST", "/peer", Part::EMPTY))
}

/// R18.6.4: the keys change every 1,024 numbers, and what is still on its way from before is read.
#[test]
fn r18_6_a_session_goes_on_over_its_rekeys() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let mut late = None;
    for number in 0..3 * 1_024 + 5_u32 {
        let (id, mut exchange) = post(&mut a);
        if number % 1_024 == 1_020 {
            late = Some(exchange);
            continue;
        }
        let reply = b.serve(&exchange.message, &mut yes).unwrap();
        assert_eq!(a.hear(&mut exchange.waiting, &reply).unwrap(), "yes", "{number}");
        a.peer.done(id);
        if number % 1_024 == 4 && number > 1_024 {
            // Sent before the keys changed, and read behind that.
            let mut late = late.take().unwrap();
            let reply = b.serve(&late.message, &mut yes).unwrap();
            assert_eq!(a.hear(&mut late.waiting, &reply).unwrap(), "yes", "{number}");
        }
    }
    // Of all that only what was in the Opening, and what was late, is remembered.
    assert!(b.store.0.keys().filter(|key| key[0] == 5).count() <= 5);
}

/// R18.6.3: in any order, once, and none that is 64 behind.
#[test]
fn r18_6_numbers_are_taken_once_and_in_a_window() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let mut sent: Vec<_> = (0..64).map(|_| post(&mut a).1).collect();
    // The memory has room for 64 requests, and one is taken.
    for at in [63, 0, 62, 1] {
        let reply = b.serve(&sent[at].message, &mut yes).unwrap();
        assert_eq!(a.hear(&mut sent[at].waiting, &reply).unwrap(), "yes");
        assert_eq!(b.serve(&sent[at].message, &mut |_| panic!("twice")), Err(Refusal::NoSession));
    }
    let one_more = post(&mut a).1;
    b.serve(&one_more.message, &mut yes).unwrap();
    assert!(b.serve(&sent[2].message, &mut yes).is_ok());
    let two_more = post(&mut a).1;
    b.serve(&two_more.message, &mut yes).unwrap();
    for _ in 0..2 {
        b.serve(&post(&mut a).1.message, &mut yes).unwrap();
    }
    assert_eq!(b.serve(&sent[3].message, &mut yes), Err(Refusal::NoSession)); // 64 below the greatest
    assert!(b.serve(&sent[4].message, &mut yes).is_ok());
}

/// R18.6.5: four sessions of a peer; the one that was used least recently ends; a day ends all.
#[test]
fn r18_6_sessions_are_bounded() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let first = post(&mut a).1;
    for _ in 0..3 {
        a.crash();
        open(&mut a, &mut b);
    }
    assert!(b.serve(&first.message, &mut yes).is_ok());
    let last = post(&mut a).1;
    a.crash();
    open(&mut a, &mut b); // a fifth: it ends the second
    assert!(b.serve(&last.message, &mut yes).is_ok());
    let exchange = post(&mut a).1;
    assert_eq!(b.serve_at(later(24 * 60 * 60), &exchange.message, &mut yes), Err(Refusal::NoSession));
    b.portal = Portal::restore(&b.store.0[&[1][..]].1).unwrap().with_sessions(0);
    a.crash();
    open(&mut a, &mut b);
    let held = post(&mut a).1;
    a.crash();
    open(&mut a, &mut b);
    assert_eq!(b.serve(&held.message, &mut yes), Err(Refusal::NoSession));
}

/// R18.6: every bit of every message counts. What was changed is refused, nothing has changed, and the true one is taken.
#[test]
fn r18_6_a_changed_bit_is_refused_and_the_true_message_is_taken() {
    let [mut a, mut b] = Side::pair();
    let never = &mut |_: &Request<'_>| -> Vec<u8> { panic!("delivered") };
    for early in [true, false] {
        let id = a.draw_id();
        let mut outgoing = a.ask(id, if early { "GET" } else { "POST" }, "/peer?q", Part::EMPTY);
        let before = b.store.clone();
        for at in 0..outgoing.message.len() * 8 {
            let mut changed = outgoing.message.clone();
            changed[at / 8] ^= 1 << (at % 8);
            match b.serve(&changed, never) {
                Err(Refusal::Unknown | Refusal::NoSession) => {}
                // The tag of a body became that of another: `WhoAreYou` has no secret.
                other => panic!("bit {at}: {other:?}"),
            }
        }
        for cut in 0..outgoing.message.len() {
            assert!(b.serve(&outgoing.message[..cut], never).is_err());
        }
        assert!(b.serve(&[&outgoing.message[..], &[0]].concat(), never).is_err());
        assert_eq!(before.0, b.store.0);
        let reply = b.serve(&outgoing.message, &mut yes).unwrap();
        for at in 0..reply.len() * 8 {
            let mut changed = reply.clone();
            changed[at / 8] ^= 1 << (at % 8);
            assert!(a.hear(&mut outgoing.waiting, &changed).is_err(), "bit {at}");
        }
        assert_eq!(a.hear(&mut outgoing.waiting, &reply).unwrap(), "yes");
        assert_eq!(a.hear(&mut outgoing.waiting, &reply), Err(HearError::Misplaced));
    }
    assert!(b.serve(&vec![0; MAX_MESSAGE + 1], never).is_err());
}

/// R18.6.2: an Opened that is read twice would begin the numbers again.
#[test]
fn r18_6_a_waiting_reads_one_answer_of_its_own_peer() {
    let [mut a, mut b] = Side::pair();
    let [mut other, _] = Side::pair();
    let id = a.draw_id();
    let mut opening = a.ask(id, "GET", "/peer", Part::EMPTY);
    let reply = b.serve(&opening.message, &mut yes).unwrap();
    other.peer = Peer::restore(&other.store.0[&[&[2][..], other.peer.id().as_bytes()].concat()].1, []).unwrap();
    // A peer of another name: the two pairs are alike, so make it Ada's own.
    let mut own = Vec::new();
    let mut strange = b.peer.look_up().map(|_| ()).is_ok().then_some(&mut b.peer).unwrap();
    let heard = strange.hear(&a.portal, &mut opening.waiting, &reply, &mut own, NOW);
    assert_eq!(heard.err(), Some(HearError::Misplaced));
    strange = &mut a.peer;
    let Ok(_) = strange
        .hear(&a.portal, &mut opening.waiting, &reply, &mut own, NOW)
        .unwrap()
        .store(|write| a.store.keep(write));
    let again = a.peer.hear(&a.portal, &mut opening.waiting, &reply, &mut own, NOW);
    assert_eq!(again.err(), Some(HearError::Misplaced));
}

/// R18.8.3, R18.8.4, R18.8.5: the memory is bounded, refuses when it is full, and is freed by time and by what is done.
#[test]
fn r18_8_a_full_memory_refuses() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let mut ids = vec![];
    for count in 1..66_u32 {
        let (id, mut exchange) = post(&mut a);
        let reply = b.serve(&exchange.message, &mut yes).unwrap();
        let said = a.hear(&mut exchange.waiting, &reply).unwrap();
        assert_eq!(said, if count < 64 { "yes" } else { "Refused(Full)" }, "{count}");
        ids.push(id);
    }
    // One that was asked twice is not told as done: a copy may be on its way.
    let mut again = a.ask(ids[0], "POST", "/peer", Part::EMPTY);
    let reply = b.serve(&again.message, &mut |_| panic!("twice")).unwrap();
    assert_eq!(a.hear(&mut again.waiting, &reply).unwrap(), "yes");
    a.peer.done(ids[0]);
    let mut full = post(&mut a).1;
    let reply = b.serve(&full.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut full.waiting, &reply).unwrap(), "Refused(Full)");
    a.peer.done(ids[1]);
    let mut room = post(&mut a).1;
    let reply = b.serve(&room.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut room.waiting, &reply).unwrap(), "yes");
    // By time: all goes, and nothing of it comes back when the clock does.
    b.crash();
    let step = b.peer.tick(later(660)).unwrap();
    let Ok(()) = step.store(|write| b.store.keep(write));
    assert_eq!(b.store.0.keys().filter(|key| key[0] >= 4).count(), 0);
    let mut opening = a.ask(ids[2], "POST", "/peer", Part::EMPTY);
    let refusal = b.serve(&opening.message, &mut yes).unwrap_err().to_vec();
    assert_eq!(a.hear(&mut opening.waiting, &refusal), Err(HearError::Refused(Refusal::NoSession)));
    let opening = a.ask(ids[2], "POST", "/peer", Part::EMPTY);
    assert_eq!(b.serve(&opening.message, &mut yes), Err(Refusal::Unknown), "created at the floor");
}

/// R18.8.3: Openings.
#[test]
fn r18_8_openings_are_bounded() {
    let [mut a, mut b] = Side::pair();
    for count in 1..66_u32 {
        a.crash();
        let id = a.draw_id();
        let opening = a.ask(id, "OPTIONS", "/private", Part::EMPTY);
        let result = b.serve(&opening.message, &mut |_| panic!("a private path"));
        assert_eq!(result.err(), (count > 64).then_some(Refusal::Busy), "{count}");
    }
}

/// R18.5: what is not for peers, and apps that are not there, are refused alike.
#[test]
fn r18_5_only_what_is_for_peers_is_delivered() {
    let [mut a, mut b] = Side::pair();
    for (target, served) in
        [("/peer", true), ("/peer/x?y", true), ("/pub/x", true), ("/", false), ("/peers", false), ("/PEER", false)]
    {
        let id = a.draw_id();
        let mut asked = a.ask(id, "GET", target, Part::EMPTY);
        let reply = b.serve(&asked.message, &mut yes).unwrap();
        assert_eq!(a.hear(&mut asked.waiting, &reply).unwrap(), if served { "yes" } else { "Refused(NotServed)" });
    }
    let (created, credential) = App::install(AppName::new("photos").unwrap(), &mut a.rng);
    let Ok(mut app) = created.store(|write| a.store.keep(write));
    let Ok(()) = app.set_grant(Grant::All).unwrap().store(|write| a.store.keep(write));
    let app = app.authenticate(credential.expose()).unwrap();
    let id = a.peer.draw_id(NOW, &mut a.rng);
    let request = app.request(id, Method::GET, Target::parse("/peer").unwrap(), Headers::EMPTY, Part::EMPTY);
    let mut asked = a.peer.ask(&a.portal, app, &request, NOW, &mut a.rng).unwrap();
    let reply = b.serve(&asked.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut asked.waiting, &reply).unwrap(), "Refused(NotServed)");
}

/// R18.8.2: only the app that asked gets the answer.
#[test]
fn r18_8_an_id_is_its_apps() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let (id, mut exchange) = post(&mut a);
    let reply = b.serve(&exchange.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut exchange.waiting, &reply).unwrap(), "yes");
    let (created, credential) = App::install(AppName::new("photos").unwrap(), &mut a.rng);
    let Ok(mut app) = created.store(|write| a.store.keep(write));
    let Ok(()) = app.set_grant(Grant::All).unwrap().store(|write| a.store.keep(write));
    let app = app.authenticate(credential.expose()).unwrap();
    let request = app.request(id, Method::POST, Target::parse("/peer").unwrap(), Headers::EMPTY, Part::EMPTY);
    let asked = [
        a.peer.ask(&a.portal, app, &request, NOW, &mut a.rng).unwrap(),
        a.peer.ask_part(&a.portal, app, id, 1, Part::EMPTY, NOW, &mut a.rng).unwrap(),
        a.peer.ask_more(&a.portal, app, id, 1, NOW, &mut a.rng).unwrap(),
    ];
    for mut asked in asked {
        let reply = b.serve(&asked.message, &mut |_| panic!("delivered")).unwrap();
        assert_eq!(a.hear(&mut asked.waiting, &reply).unwrap(), "Refused(Malformed)");
    }
}

/// R18.7.6: what was asked in an Opening is never told as done, nor what was not answered: a copy may be on its way.
#[test]
fn r18_7_only_what_was_asked_once_in_an_exchange_is_told_as_done() {
    let [mut a, mut b] = Side::pair();
    let remembered = |b: &Side| b.store.0.keys().filter(|key| key[0] == 5).count();
    let early = a.draw_id();
    let mut opening = a.ask(early, "GET", "/peer", Part::EMPTY);
    let reply = b.serve(&opening.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut opening.waiting, &reply).unwrap(), "yes");
    a.peer.done(early);
    // Given from outside, as by an app that asks again after a crash: it may have been asked before.
    let given = RequestId::from_bytes(&[&NOW.as_secs().to_be_bytes()[..], &[7; 16]].concat()).unwrap();
    let unanswered = a.draw_id();
    for id in [given, unanswered] {
        let mut exchange = a.ask(id, "POST", "/peer", Part::EMPTY);
        let reply = b.serve(&exchange.message, &mut yes).unwrap();
        if id == given {
            assert_eq!(a.hear(&mut exchange.waiting, &reply).unwrap(), "yes");
            a.peer.done(id);
        }
    }
    let (id, mut exchange) = post(&mut a);
    let reply = b.serve(&exchange.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut exchange.waiting, &reply).unwrap(), "yes");
    assert_eq!(remembered(&b), 4);
    a.peer.done(id);
    b.serve(&post(&mut a).1.message, &mut yes).unwrap();
    assert_eq!(remembered(&b), 4); // one went, one came
}

/// R18.6.6: a Refusal ends nothing: what was asked is still answered, but nothing more is asked in that session. An unknown code is as 1.
#[test]
fn r18_6_a_refusal_of_somebody_ends_nothing() {
    let [mut a, mut b] = Side::pair();
    open(&mut a, &mut b);
    let (mut first, mut second) = (post(&mut a).1, post(&mut a).1);
    let forged = Refusal::NoSession.to_vec();
    assert_eq!(a.hear(&mut first.waiting, &forged), Err(HearError::Refused(Refusal::NoSession)));
    for asked in [&mut first, &mut second] {
        let reply = b.serve(&asked.message, &mut yes).unwrap();
        assert_eq!(a.hear(&mut asked.waiting, &reply).unwrap(), "yes");
    }
    let (_, mut next) = post(&mut a);
    let reply = b.serve(&next.message, &mut yes).unwrap();
    for (code, heard) in [(2, Refusal::NoSession), (3, Refusal::Busy), (5, Refusal::Unknown), (23, Refusal::Unknown)] {
        let refusal = [0x82, 1, 0x82, 6, code];
        assert_eq!(a.hear(&mut next.waiting, &refusal), Err(HearError::Refused(heard)), "{code}");
    }
    assert_eq!(a.hear(&mut next.waiting, &[0x82, 1, 0x82, 7, 5]), Err(HearError::Forged));
    assert_eq!(a.hear(&mut next.waiting, &reply).unwrap(), "Opened");
}

/// A clock that is corrected by some seconds ends no session, and a session of the future ends when the clock was really set back.
#[test]
fn r18_6_a_clock_that_is_corrected_ends_no_session() {
    let [mut a, mut b] = Side::pair();
    let id = a.draw_id();
    let mut opening = a.ask(id, "GET", "/peer", Part::EMPTY);
    let reply = b.serve_at(later(60), &opening.message, &mut yes).unwrap();
    assert_eq!(a.hear(&mut opening.waiting, &reply).unwrap(), "yes");
    let (early, late) = (post(&mut a).1, post(&mut a).1);
    assert!(b.serve_at(NOW, &early.message, &mut yes).is_ok());
    let before = port_protocol::UnixSeconds::new(NOW.as_secs() - 1).unwrap();
    assert_eq!(b.serve_at(before, &late.message, &mut yes), Err(Refusal::NoSession));
}
