//! §17.10: Alice, Bob and UnauthenticatedLine in the app's dialect.

use std::collections::BTreeSet;

use super::{Vector, name, vectors};
use crate::common::cbor::{Cbor, not_canonical};
use crate::common::store::{Conflict, Put, Store};
use data_encoding::BASE64URL;
use port_protocol::app::{
    Alice, AliceEffect, App, Bob, BobEffect, Bundle, Content, EncryptedContent, Event, Happened, Intro, LineEffect,
    LinePhase, Request, UnauthenticatedLine, response,
};
use port_protocol::*;
use serde_json::Value;

pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub const LATER: UnixSeconds = UnixSeconds(1_800_000_001);

fn seed(n: u8) -> Seed {
    Seed::from_bytes(&[n; 64])
}

fn link() -> LineLink {
    [3; 16].into()
}

fn line_id(n: u8) -> LineId {
    [n; 16].into()
}

fn pair(n: u8) -> PairHash {
    [n; 32].into()
}

/// Their common contact's line with Alice.
const CAROL: [u8; 16] = [77; 16];

fn offer(kind: Kind) -> Offer {
    match kind {
        Kind::Port => Offer::new(),
        Kind::Superport => Offer::new().policy(Policy::up_to(3)),
        _ => Offer::new().policy(Policy::up_to(3)).introducer(CAROL.into()),
    }
}

const KINDS: [Kind; 3] = [Kind::Port, Kind::Superport, Kind::ContactPort];

fn alice(kind: Kind) -> Alice {
    Alice::offer(link(), offer(kind), seed(1)).commit()
}

/// What Bob reads; in a contact port with this ticket.
fn shown(alice: &Alice, ticket: u8) -> Bundle {
    alice
        .bundle(Some(name("Alice")))
        .unwrap_or_else(|| alice.grant(Some(name("Alice"))).unwrap().share([ticket; 16].into(), Some(name("Carol"))))
}

fn intro_of(bob: &Bob) -> Intro {
    match bob.unsent().next() {
        Some(BobEffect::Send(Request::Connect { intro, .. })) => intro.clone(),
        other => panic!("{other:?}"),
    }
}

fn connecting(bundle: &Bundle, n: u8) -> Bob {
    let mut bob = Bob::scan(bundle, seed(n)).commit();
    bob.connect(&name("Bob"), NOW).unwrap().commit().for_each(drop);
    bob
}

fn used(kind: Kind, n: u8, intro: Intro) -> Event {
    let what = Happened::Used { kind, port_id: link(), line_id: line_id(n), pair_hash: pair(n), intro };
    let event = Event { what, timestamp: None };
    assert_eq!(Event::from_json(event.to_json().as_str()).as_ref(), Ok(&event));
    assert_eq!(event.key(), Key::LineLink(link()));
    event
}

/// The caller's tables.
#[derive(Default)]
pub struct Tables {
    pub tickets: Vec<ToldTicket>,
    pub lines: Vec<LineId>,
    pub blocked: Option<PairHash>,
    pub connected: Option<(PairHash, LineId)>,
}

impl Known for Tables {
    fn has_line(&self, line_id: &LineId) -> bool {
        self.lines.contains(line_id)
    }

    fn pair(&self, pair_hash: &PairHash) -> Standing {
        match self.connected {
            _ if self.blocked == Some(*pair_hash) => Standing::Blocked,
            Some((pair, line_id)) if pair == *pair_hash => Standing::Connected(line_id),
            _ => Standing::Stranger,
        }
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<ToldTicket> {
        self.tickets.iter().find(|told| told.ticket == *ticket).cloned()
    }
}

/// As Alice is told of it along Carol's line.
fn told(ticket: Secret<16>, contact_port: LineLink) -> ToldTicket {
    Content::ContactPortTicket { contact_port, ticket }.told_ticket().unwrap()
}

fn knowing(ticket: u8) -> Tables {
    Tables { tickets: vec![told([ticket; 16].into(), link())], ..Tables::default() }
}

/// Alice's end of what this step gave.
fn formed<'m>(effects: impl Iterator<Item = AliceEffect<'m>>) -> UnauthenticatedLine {
    let mut effects = effects;
    effects.find_map(|effect| if let AliceEffect::LineFormed(line) = effect { Some(line) } else { None }).unwrap()
}

/// Both ends of a line.
fn ends(alice: &mut Alice, n: u8) -> (UnauthenticatedLine, UnauthenticatedLine) {
    let kind = shown(alice, n).kind();
    let mut bob = connecting(&shown(alice, n), n);
    // His key had one use, whatever the kind: there are no epochs.
    assert!(!bob.record().windows(32).any(|bytes| bytes == [n; 32]));
    let event = used(kind, n, intro_of(&bob));
    let at_alice = formed(alice.handle_knowing(&event, &knowing(n), NOW).unwrap().commit());
    let step = bob.connected(line_id(n), pair(n), &(), NOW).unwrap();
    assert_eq!(step.line().unwrap().key(), Key::Line(line_id(n)));
    let at_bob = match step.commit().next() {
        Some(BobEffect::LineFormed(line)) => line,
        other => panic!("{other:?}"),
    };
    (at_alice, at_bob)
}

fn iv(sealed: &Value, key: &str) -> [u8; 16] {
    BASE64URL.decode(sealed[key].as_str().unwrap().as_bytes()).unwrap()[..16].try_into().unwrap()
}

/// Our Alice, with the keys of the app's.
fn alice_of(vector: &Vector, bundle: &Bundle) -> Alice {
    let record = Alice::offer(bundle.port_id(), offer(bundle.kind()), seed(1)).commit().record();
    let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
    let record = Cbor::read(&record)
        .with(&[3, 1, 0, 3], bytes(bundle.public_key().as_bytes()))
        .with(&[3, 1, 0, 4], bytes(bundle.rad().expose()))
        .with(&[3, 1, 1], bytes(&vector.alice_private_key));
    Alice::restore(&record.write()).unwrap()
}

/// A line's messages, both ways, are the app's to the byte.
fn speaks(line: &UnauthenticatedLine, vector: &Vector) {
    let sealed = EncryptedContent::from_json(&vector.line_message.to_string()).unwrap();
    assert_eq!(line.open(&sealed).unwrap().as_str(), vector.line_message_plaintext);
    assert_eq!(line.seal(iv(&vector.line_message, "encryptedContent"), &vector.line_message_plaintext), Ok(sealed));
}

#[test]
fn r17_10_our_alice_and_the_apps_bob() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        let mut alice = alice_of(&vector, &bundle);
        let ours = match bundle.ticket() {
            None => alice.bundle(bundle.name().cloned()).unwrap(),
            Some(ticket) => alice.grant(None).unwrap().share(ticket.clone(), bundle.name().cloned()),
        };
        assert_eq!(ours.to_json().as_str(), vector.bundle_json);

        let intro = Intro::from_json(&vector.intro_message.to_string());
        let port_id = bundle.port_id();
        let what = Happened::Used { kind: bundle.kind(), port_id, line_id: line_id(9), pair_hash: pair(9), intro };
        let event = Event { what, timestamp: None };
        let tickets = bundle.ticket().map(|ticket| told(ticket.clone(), port_id)).into_iter().collect();
        let step = alice.handle_knowing(&event, &Tables { tickets, ..Tables::default() }, NOW).unwrap();
        assert_eq!(step.strikes().is_some(), bundle.kind() == Kind::ContactPort);
        let line = formed(step.commit());
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();
        assert_eq!(line.name().unwrap().as_str(), plain["name"]);
        assert_eq!(line.claims(), Claims { line_id: line_id(9), pair_hash: pair(9) });
        assert_eq!((line.kind(), line.phase()), (bundle.kind(), LinePhase::Open));
        assert_eq!(line.introduced_by(), bundle.ticket().map(|_| CAROL.into()));
        speaks(&line, &vector);
        speaks(&UnauthenticatedLine::restore(&line.record()).unwrap(), &vector);
    }
}

#[test]
fn r17_10_our_bob_and_the_apps_alice() {
    for vector in vectors() {
        let bundle = Bundle::from_json(&vector.bundle_json).unwrap();
        let plain: Value = serde_json::from_str(&vector.intro_plaintext).unwrap();
        let iv = iv(&vector.intro_message, "encryptedSecretContent");
        let seed = [&vector.bob_private_key[..], &iv, &[0; 16]].concat();
        let mut bob = Bob::scan(&bundle, Seed::from_bytes(&seed.try_into().unwrap())).commit();
        assert_eq!(bob.unsent().count(), 0);
        bob.connect(&name(plain["name"].as_str().unwrap()), NOW).unwrap().commit().for_each(drop);

        // He goes on saying the very same, also after a crash.
        for mut bob in [Bob::restore(&bob.record()).unwrap(), bob] {
            let Some(BobEffect::Send(request)) = bob.unsent().next() else { panic!() };
            assert_eq!(request.path(), "/management/line");
            let body: Value = serde_json::from_str(request.body().unwrap().as_str()).unwrap();
            assert_eq!(body["introMessage"], vector.intro_message);
            let key = ["lineLinkId", "lineSuperportId", "contactPortId"][bundle.kind() as usize - 1];
            assert_eq!(body[key], hex::encode(bundle.port_id().as_bytes()));
            assert_eq!(body["ticket"].as_str(), bundle.ticket().map(|ticket| hex::encode(ticket.expose())).as_deref());
            let intro = intro_of(&bob);
            assert!(request == Request::connect(&bundle, &intro));

            let answer = format!(r#"{{"newLine":"{}","pairHash":"{}"}}"#, "09".repeat(16), "08".repeat(32));
            let (line_id, pair_hash) = response::connected(&answer).unwrap();
            let Some(BobEffect::LineFormed(line)) =
                bob.connected(line_id, pair_hash, &(), NOW).unwrap().commit().next()
            else {
                panic!()
            };
            assert_eq!(line.claims(), Claims { line_id, pair_hash });
            speaks(&line, &vector);
        }
    }
}

#[test]
fn r17_10_both_ends_are_ours() {
    for kind in KINDS {
        let mut alice = alice(kind);
        let (at_alice, at_bob) = ends(&mut alice, 2);
        for (from, to) in [(&at_alice, &at_bob), (&at_bob, &at_alice)] {
            let sealed = from.seal([1; 16], "hello").unwrap();
            assert_eq!(to.open(&sealed).unwrap().as_str(), "hello");
        }
        assert_eq!((at_alice.name(), at_bob.name()), (Some(&name("Bob")), None));
        assert_eq!(alice.is_spent(), kind == Kind::Port);
        // Others come, each with a key of his own.
        if kind != Kind::Port {
            let (other, _) = ends(&mut alice, 4);
            assert!(other.open(&at_bob.seal([1; 16], "hello").unwrap()).is_err());
            assert_eq!(alice.used(), 2);
        }
    }
}

/// §17.9, where the app lets him in: an old intro message on a new line.
#[test]
fn r17_10_an_old_intro_message_forms_no_second_line() {
    for kind in [Kind::Superport, Kind::ContactPort] {
        let (mut store, born) = (Store::default(), Alice::offer(link(), offer(kind), seed(1)));
        store.put(&Put::birth(&born)).unwrap();
        let mut alice = born.commit();
        let intro = intro_of(&connecting(&shown(&alice, 7), 2));
        let step = alice.handle_knowing(&used(kind, 2, intro.clone()), &knowing(7), NOW).unwrap();
        store.put(&Put::step(&step)).unwrap();
        step.commit().for_each(drop);
        let before = (store.clone().records, alice.record().to_vec());

        // Even if the ticket's row is there: it is her caller's, and may be an old one.
        let step = alice.handle_knowing(&used(kind, 3, intro), &knowing(7), NOW).unwrap();
        assert_eq!(store.put(&Put::step(&step)), Err(Conflict::Marked));
        assert_eq!(step.taken(), Some(Taken::Disconnect(line_id(3))));
        drop(step);
        assert_eq!((store.records, alice.record().to_vec(), alice.used()), (before.0, before.1, 1));
    }
}

#[test]
fn r17_10_every_bad_intro_message_is_refused_alike_and_uses_nothing_up() {
    for kind in [Kind::Superport, Kind::ContactPort] {
        let mut alice = alice(kind);
        let mut other = Alice::offer(link(), offer(kind), seed(9)).commit();
        let before = alice.record().to_vec();
        let of_port = intro_of(&connecting(&shown(&self::alice(Kind::Port), 7), 2));
        for intro in [Intro::from_json("{}"), intro_of(&connecting(&shown(&other, 7), 2)), of_port] {
            let refused = alice.handle_knowing(&used(kind, 2, intro), &knowing(7), NOW).err();
            assert_eq!(refused, Some(Rejected::Stray(line_id(2))));
        }
        // A proof along the line, as this crate's own Bob may send it, there is none.
        assert_eq!(alice.record().to_vec(), before);
        ends(&mut alice, 5);
        ends(&mut other, 5);
    }
}

#[test]
fn r17_10_a_bad_intro_message_spends_a_port_for_one() {
    let mut alice = alice(Kind::Port);
    let good = intro_of(&connecting(&shown(&alice, 7), 2));
    let step = alice.handle(&used(Kind::Port, 2, Intro::from_json("{}")), NOW).unwrap();
    assert!(step.line().is_none() && step.once().is_some());
    let effects: Vec<_> = step.commit().collect();
    assert!(
        matches!(
            effects[..],
            [AliceEffect::Send(Request::Disconnect(id)), AliceEffect::Ended(AliceEnd::ProofRefused)] if id == line_id(2)
        ),
        "{effects:?}"
    );
    let late = alice.handle(&used(Kind::Port, 3, good), NOW).err();
    assert_eq!(late, Some(Rejected::Stray(line_id(3))));
    assert_eq!(alice.unsent().count(), 2);
    alice.settle().unwrap().commit().for_each(drop);
    assert_eq!(alice.unsent().count(), 0);
    assert!(alice.bundle(None).is_none());
}

#[test]
fn r17_10_policies_hold() {
    for kind in KINDS {
        let refuses = |policy: Policy, tables: &Tables, now| {
            let mut alice = Alice::offer(link(), offer(kind).policy(policy), seed(1)).commit();
            let intro = intro_of(&connecting(&shown(&alice, 7), 2));
            match alice.handle_knowing(&used(kind, 2, intro), tables, now) {
                Err(error) => Err(Some(error)),
                Ok(step) if step.line().is_none() => Err(None),
                Ok(step) => Ok(formed(step.commit())),
            }
        };
        let policy = if kind == Kind::Port { Policy::once() } else { Policy::up_to(1) };
        assert!(refuses(policy, &knowing(7), NOW).is_ok());
        let refused = |result: Result<UnauthenticatedLine, _>, error| {
            // Of a Port for one use there is a step, which spends it.
            let expected = if kind == Kind::Port { None } else { Some(error) };
            assert_eq!(result.err(), Some(expected), "{kind:?}");
        };
        let stray = Rejected::Stray(line_id(2));
        refused(refuses(policy.paused(true), &knowing(7), NOW), stray);
        refused(refuses(policy, &Tables { blocked: Some(pair(2)), ..knowing(7) }, NOW), stray);
        let connected = || Tables { connected: Some((pair(2), line_id(8))), ..knowing(7) };
        refused(refuses(policy.again(Again::Refuse), &connected(), NOW), stray);
        refused(refuses(policy.until(Some(NOW)), &knowing(7), NOW), Rejected::Due);
        // No line is ever confirmed, so none takes the place of another.
        refused(refuses(policy.again(Again::Replace), &connected(), NOW), stray);
        assert!(refuses(policy.again(Again::Allow), &connected(), NOW).is_ok());
        let again = Tables { lines: vec![line_id(2)], ..knowing(7) };
        refused(refuses(policy, &again, NOW), Rejected::Repeated);
    }
}

#[test]
fn r17_10_the_limit_is_counted_here_and_said_there() {
    let mut alice = Alice::offer(link(), Offer::new().policy(Policy::up_to(2)), seed(1)).commit();
    alice.settle().unwrap().commit().for_each(drop);
    ends(&mut alice, 2);
    let bob = connecting(&shown(&alice, 3), 3);
    let effects: Vec<_> = alice.handle(&used(Kind::Superport, 3, intro_of(&bob)), NOW).unwrap().commit().collect();
    assert!(
        matches!(
            effects[..],
            [AliceEffect::Send(Request::PauseSuperport(id)), AliceEffect::LineFormed(_)] if id == link()
        ),
        "{effects:?}"
    );
    let event = used(Kind::Superport, 4, intro_of(&connecting(&shown(&alice, 4), 4)));
    assert_eq!(alice.handle(&event, NOW).err(), Some(Rejected::Stray(line_id(4))));
    let effects: Vec<_> = alice.set_policy(Policy::unlimited()).unwrap().commit().collect();
    assert!(matches!(effects[..], [AliceEffect::Send(Request::ResumeSuperport(_))]), "{effects:?}");
    drop(effects);
    alice.handle(&event, NOW).unwrap().commit().for_each(drop);
}

#[test]
fn r17_10_a_ticket_is_good_once_for_its_contact_port() {
    let mut alice = alice(Kind::ContactPort);
    let event = used(Kind::ContactPort, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
    let unknown = Some(Rejected::UnknownTicket(line_id(2)));
    assert_eq!(alice.handle(&event, NOW).err(), unknown);
    assert_eq!(alice.handle_knowing(&event, &knowing(8), NOW).err(), unknown);
    let elsewhere = Tables { tickets: vec![told([7; 16].into(), [4; 16].into())], ..Tables::default() };
    assert_eq!(alice.handle_knowing(&event, &elsewhere, NOW).err(), Some(Rejected::Stray(line_id(2))));

    // By another Bob: one ticket, one line.
    let tables = knowing(7);
    assert_eq!(alice.tell(&tables.tickets[0], CAROL.into(), 0, NOW), Ok(()));
    assert_eq!(alice.tell(&tables.tickets[0], line_id(1), 0, NOW), Err(Rejected::TicketRefused));
    let step = alice.handle_knowing(&event, &tables, NOW).unwrap();
    let (mark, ticket) = (step.once().unwrap(), step.strikes().unwrap());
    assert_eq!((ticket, mark), (tables.tickets[0].ticket, Mark::from(*ticket.as_bytes())));
    step.commit().for_each(drop);
    let other = used(Kind::ContactPort, 3, intro_of(&connecting(&shown(&alice, 7), 3)));
    assert_eq!(alice.handle_knowing(&other, &tables, NOW).unwrap().once(), Some(mark));
}

#[test]
fn r17_10_what_is_asked_of_the_apps_server() {
    let requests = |effects: Vec<AliceEffect<'_>>| -> Vec<String> {
        let said = effects.iter().map(|effect| match effect {
            AliceEffect::Send(request) => {
                format!("{} {} {:?}", request.method().as_str(), request.path(), request.body().map(|b| b.to_string()))
            }
            AliceEffect::PortReady => "ready".into(),
            AliceEffect::Ended(end) => format!("{end:?}"),
            AliceEffect::LineFormed(_) => "line".into(),
        });
        said.collect()
    };
    let id = "03".repeat(16);
    let body = |text: String| format!("{:?}", Some(text));
    let superport = body(format!(r#"{{"lineSuperportId":"{id}"}}"#));
    let contact_port = body(format!(r#"{{"contactPort":["{id}"]}}"#));
    let unlimited = |offer: Offer| offer.policy(Policy::unlimited());
    let cases: [(Offer, String, Option<[String; 3]>); 4] = [
        (Offer::new(), "POST /management/line-links None".into(), None),
        (
            offer(Kind::Superport),
            format!("POST /management/superport/line {}", body(r#"{"limit":3}"#.into())),
            Some([
                format!("PATCH /management/superport/resume {superport}"),
                format!("PATCH /management/superport/pause {superport}"),
                format!("DELETE /management/superport/line/{id} None"),
            ]),
        ),
        (
            unlimited(Offer::new()),
            format!("POST /management/superport/line {}", body(r#"{"limit":2147483647}"#.into())),
            Some([
                format!("PATCH /management/superport/resume {superport}"),
                format!("PATCH /management/superport/pause {superport}"),
                format!("DELETE /management/superport/line/{id} None"),
            ]),
        ),
        (
            unlimited(offer(Kind::ContactPort)),
            format!(
                "POST /management/contact-sharing {}",
                body(format!(r#"{{"lineId":"{}","active":true}}"#, "4d".repeat(16)))
            ),
            Some([
                format!("PATCH /management/contact-sharing/resume {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
                format!("PATCH /management/contact-sharing/pause {contact_port}"),
            ]),
        ),
    ];
    for (offer, issue, many) in cases {
        let mut alice = Alice::request(offer, seed(1)).commit();
        assert_eq!(requests(alice.unsent().collect()), [issue]);
        assert_eq!(Alice::restore(&alice.record()).unwrap().record().to_vec(), alice.record().to_vec());
        let said = requests(alice.issued(link(), NOW).unwrap().commit().collect());
        let first = many.as_ref().map(|[resume, ..]| resume.clone());
        assert_eq!(said, first.into_iter().chain(["ready".into()]).collect::<Vec<_>>());
        assert_eq!(alice.issued([4; 16].into(), NOW).err(), Some(Rejected::OutOfOrder));
        let policy = alice.policy().unwrap().paused(true);
        let said = requests(alice.set_policy(policy).unwrap().commit().collect());
        assert_eq!(said, many.iter().map(|[_, pause, _]| pause.clone()).collect::<Vec<_>>());

        // After a crash she says of which kind it was, for it is nowhere else.
        alice.revoke().unwrap().commit().for_each(drop);
        let mut alice = Alice::restore(&alice.record()).unwrap();
        let last: Vec<String> = many.into_iter().map(|[.., close]| close).chain(["Revoked".into()]).collect();
        assert_eq!(requests(alice.unsent().collect()), last);
        alice.settle().unwrap().commit().for_each(drop);
        assert_eq!(alice.unsent().count(), 0);
        assert_eq!(alice.issued(link(), NOW).err(), Some(Rejected::OutOfOrder));
    }
}

#[test]
fn r17_10_ends_of_a_port() {
    // Given up before there was an id.
    let mut gone = Alice::request(Offer::new(), seed(1)).commit();
    gone.revoke().unwrap().commit().for_each(drop);
    assert_eq!(gone.issued(link(), NOW).err(), Some(Rejected::OutOfOrder));
    // By the deadline, at either side.
    for kind in KINDS {
        let mut alice = Alice::offer(link(), offer(kind).expires(NOW), seed(1)).commit();
        let bundle = shown(&alice, 7);
        assert_eq!(bundle.expires(), Some(NOW));
        let mut bob = Bob::scan(&bundle, seed(2)).commit();
        assert_eq!((alice.deadline(), bob.deadline()), (Some(NOW), Some(NOW)));
        bob.connect(&name("Bob"), NOW).unwrap().commit().for_each(drop);
        assert_eq!(bob.phase(), BobPhase::Ended(BobEnd::Expired));
        alice.tick(NOW).unwrap().commit().for_each(drop);
        assert_eq!(alice.phase(), AlicePhase::Ended(AliceEnd::Expired));
    }
    // Bob's: cancelled, blocked, used before.
    let bundle = shown(&alice(Kind::Port), 7);
    let mut bob = connecting(&bundle, 2);
    assert_eq!(bob.connect(&name("Bob"), NOW).err(), Some(Rejected::OutOfOrder));
    bob.cancel().unwrap().commit().for_each(drop);
    assert_eq!(bob.connected(line_id(2), pair(2), &(), NOW).err(), Some(Rejected::Stray(line_id(2))));
    let mut bob = connecting(&bundle, 2);
    let blocked = Tables { blocked: Some(pair(2)), ..Tables::default() };
    let effects: Vec<_> = bob.connected(line_id(2), pair(2), &blocked, NOW).unwrap().commit().collect();
    assert!(
        matches!(effects[..], [BobEffect::Send(Request::Disconnect(_)), BobEffect::Ended(BobEnd::Blocked)]),
        "{effects:?}"
    );
    let mut bob = connecting(&bundle, 2);
    let there = Tables { lines: vec![line_id(2)], ..Tables::default() };
    let step = bob.connected(line_id(2), pair(2), &there, NOW).unwrap();
    assert!(step.line().is_none());
    step.commit().for_each(drop);
    assert_eq!(bob.phase(), BobPhase::Ended(BobEnd::Refused(Reason::Yours)));
}

fn event(what: Happened) -> Event {
    Event { what, timestamp: None }
}

#[test]
fn r17_10_a_line_that_is_over_opens_and_seals_nothing() {
    let sealed = ends(&mut alice(Kind::Port), 2).1.seal([1; 16], "hello").unwrap();
    let ended = event(Happened::Ended { line_id: line_id(2) });
    for end in [LineEnd::ByUs, LineEnd::ByServer, LineEnd::Declined] {
        let asks = Offer::new().policy(Policy::once().asking(end == LineEnd::Declined));
        let mut line = ends(&mut Alice::offer(link(), asks, seed(1)).commit(), 2).0;
        assert_eq!(line.open(&sealed).is_ok(), end != LineEnd::Declined);
        let key = line.record().to_vec();
        let step = match end {
            LineEnd::ByUs => line.close(),
            LineEnd::ByServer => line.handle(&ended),
            _ => line.decline(),
        };
        let effects: Vec<_> = step.unwrap().commit().collect();
        assert_eq!(effects, expected_of(end));
        drop(effects);
        for settled in [false, true] {
            let mut restored = UnauthenticatedLine::restore(&line.record()).unwrap();
            assert_eq!(restored.unsent().collect::<Vec<_>>(), if settled { vec![] } else { expected_of(end) });
            assert_eq!(restored.open(&sealed).err(), Some(Rejected::Closed));
            assert_eq!(restored.seal([1; 16], "x").err(), Some(SealError::Closed));
            for again in [restored.close().err(), restored.handle(&ended).err()] {
                assert_eq!(again, Some(Rejected::Closed));
            }
            assert_eq!(restored.accept().err(), Some(Rejected::OutOfOrder));
            assert_eq!(restored.phase(), LinePhase::Closed);
            // The key is in the record no more.
            let secret = Cbor::read(&key).at(&[3, 1, 1]).bytes().to_vec();
            assert!(!line.record().windows(8).any(|bytes| secret.windows(8).any(|part| part == bytes)));
            if !settled {
                line.settle().unwrap().commit().for_each(drop);
                assert!(line.settle().is_none());
            }
        }
    }
}

fn expected_of(end: LineEnd) -> Vec<LineEffect<'static>> {
    let tells = LineEffect::Send(Request::Disconnect(line_id(2)));
    Some(tells).filter(|_| end != LineEnd::ByServer).into_iter().chain([LineEffect::Ended(end)]).collect()
}

#[test]
fn r17_10_an_alice_who_asks_hears_nothing_before_her_word() {
    for kind in KINDS {
        let policy = if kind == Kind::Port { Policy::once() } else { Policy::up_to(3) };
        let offer = offer(kind).policy(policy.asking(true));
        let (mut line, at_bob) = ends(&mut Alice::offer(link(), offer, seed(1)).commit(), 2);
        let sealed = at_bob.seal([1; 16], "hello").unwrap();
        assert_eq!(line.unsent().collect::<Vec<_>>(), [LineEffect::Asked]);
        assert_eq!(line.open(&sealed).err(), Some(Rejected::TooEarly));
        assert_eq!(line.seal([1; 16], "x").err(), Some(SealError::NotJoined));
        assert!(line.settle().is_none() && line.deadline().is_none() && line.tick(LATER).is_none());
        line.accept().unwrap().commit().for_each(drop);
        let mut line = UnauthenticatedLine::restore(&line.record()).unwrap();
        assert_eq!((line.unsent().count(), line.phase()), (0, LinePhase::Open));
        assert_eq!(line.open(&sealed).unwrap().as_str(), "hello");
        for refused in [line.accept().err(), line.decline().err()] {
            assert_eq!(refused, Some(Rejected::OutOfOrder));
        }
    }
}

#[test]
fn r17_10_events_of_others_are_refused() {
    let mut alice = alice(Kind::Port);
    let (mut line, at_bob) = ends(&mut self::alice(Kind::Superport), 2);
    let content = at_bob.seal([1; 16], "hello").unwrap();
    let message = |n| event(Happened::Message { line_id: line_id(n), content: content.clone() });
    let ended = |n| event(Happened::Ended { line_id: line_id(n) });
    let mut elsewhere = used(Kind::Port, 2, Intro::from_json("{}"));
    if let Happened::Used { port_id, .. } = &mut elsewhere.what {
        *port_id = [4; 16].into();
    }
    for event in [message(2), ended(2), elsewhere] {
        assert_eq!(alice.handle(&event, NOW).err(), Some(Rejected::NotMine));
    }
    for event in [message(3), ended(3), used(Kind::Port, 2, Intro::from_json("{}"))] {
        assert_eq!(line.handle(&event).err(), Some(Rejected::NotMine));
    }
    assert_eq!(line.handle(&message(2)).err(), Some(Rejected::OutOfOrder));
}

/// Of every role, in every state.
pub fn records() -> Vec<(&'static str, Vec<u8>)> {
    let mut records = vec![];
    for kind in KINDS {
        let mut keep = |role, record: Record| records.push((role, record.to_vec()));
        let mut alice = Alice::request(offer(kind).expires(LATER), seed(1)).commit();
        keep("app-alice-record", alice.record());
        alice.issued(link(), NOW).unwrap().commit().for_each(drop);
        keep("app-alice-record", alice.record());
        let bundle = shown(&alice, 2);
        let mut bob = Bob::scan(&bundle, seed(2)).commit();
        keep("app-bob-record", bob.record());
        bob.connect(&name(&"\u{1}".repeat(30)), NOW).unwrap().commit().for_each(drop);
        keep("app-bob-record", bob.record());
        let intro = intro_of(&bob);
        let tables = knowing(2);
        let mut line = formed(alice.handle_knowing(&used(kind, 2, intro), &tables, NOW).unwrap().commit());
        keep("app-line-record", line.record());
        keep("app-alice-record", alice.record());
        let Some(BobEffect::LineFormed(at_bob)) = bob.connected(line_id(2), pair(2), &(), NOW).unwrap().commit().next()
        else {
            panic!()
        };
        keep("app-line-record", at_bob.record());
        keep("app-bob-record", bob.record());
        line.close().unwrap().commit().for_each(drop);
        keep("app-line-record", line.record());
        if let Ok(step) = alice.revoke() {
            step.commit().for_each(drop);
            keep("app-alice-record", alice.record());
        }
        let policy = if kind == Kind::Port { Policy::once() } else { Policy::up_to(3) };
        let asks = offer(kind).policy(policy.asking(true));
        let asked = ends(&mut Alice::offer(link(), asks, seed(1)).commit(), 2).0;
        keep("app-line-record", asked.record());
    }
    records
}

#[test]
fn r17_10_records_are_strict_and_of_their_own_roles() {
    let restore = |bytes: &[u8]| -> [Result<Vec<u8>, RestoreError>; 8] {
        [
            Alice::restore(bytes).map(|m| m.record().to_vec()),
            Bob::restore(bytes).map(|m| m.record().to_vec()),
            UnauthenticatedLine::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Alice::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Bob::restore(bytes).map(|m| m.record().to_vec()),
            port_protocol::Line::restore(bytes).map(|m| m.record().to_vec()),
            Pool::restore(bytes).map(|m| m.record().to_vec()),
            Introducer::restore(bytes).map(|m| m.record().to_vec()),
        ]
    };
    let mut roles = BTreeSet::new();
    for (role, record) in records() {
        let place = usize::from(record[2]) - 16;
        roles.insert((role, place));
        for (n, restored) in restore(&record).into_iter().enumerate() {
            let expected = if n == place { Ok(record.clone()) } else { Err(RestoreError::AnotherRole) };
            assert_eq!(restored, expected, "{role} {n}");
        }
        assert!(record.len() <= MAX_RECORD, "{}", record.len());
        for (what, bytes) in not_canonical(&record) {
            assert!(restore(&bytes).iter().all(Result::is_err), "{role}: {what}");
        }
        for length in 0..record.len() {
            assert!(restore(&record[..length]).iter().all(Result::is_err));
        }
    }
    assert_eq!(
        roles.into_iter().collect::<Vec<_>>(),
        [("app-alice-record", 0), ("app-bob-record", 1), ("app-line-record", 2)]
    );
    // What no bundle says, a relay and the introducer's name, has no room beside the longest proof.
    let (record, port) = (Bob::scan(&shown(&alice(Kind::ContactPort), 7), seed(2)).record(), [3, 1, 0]);
    let text = |length| Cbor::Text("r".repeat(length));
    let forged = Cbor::read(&record).with(&[&port[..], &[6]].concat(), text(64));
    let mut forged = Bob::restore(&forged.with(&[&port[..], &[7, 1]].concat(), text(32)).write()).unwrap();
    assert_eq!(forged.connect(&name(&"\u{1}".repeat(30)), NOW).err(), Some(Rejected::Malformed));
    assert_eq!(forged.phase(), BobPhase::Scanned);
    // A proof that this crate did not make is in no record: it might not fit.
    let bob = connecting(&shown(&alice(Kind::Port), 7), 2).record();
    for (length, fits) in [(304, true), (305, false), (512, false)] {
        let other = Cbor::read(&bob).with(&[3, 1, 5, 1], Cbor::Bytes(vec![7; length])).write();
        assert_eq!(Bob::restore(&other).is_ok(), fits, "{length}");
    }
    let native = port_protocol::Alice::offer(link(), Offer::new(), seed(1)).record().to_vec();
    assert!(restore(&native)[..3].iter().all(|restored| *restored == Err(RestoreError::AnotherRole)));
}

/// No mark, and no Port hash, of one dialect is another's.
#[test]
fn r17_10_the_dialects_are_apart() {
    fn of<D: Dialect>() -> AliceOf<D> {
        AliceOf::offer(link(), Offer::new(), seed(1)).commit()
    }
    let (mut app, mut native) = (of::<App>(), of::<Native>());
    let mark = app.handle(&used(Kind::Port, 2, Intro::from_json("{}")), NOW).unwrap().once().unwrap();
    let port = native.port().unwrap().hash();
    let formed =
        port_protocol::Event::LineFormed { line_link: link(), line_id: line_id(2), pair_hash: pair(2), proof: None };
    assert_eq!(native.handle(&formed, NOW).unwrap().once(), Some(Mark::from(port_bytes(&port))));
    assert_ne!(mark, Mark::from(port_bytes(&port)));
    // As the specification has it: of a text, and what this crate's own hash is of.
    let bytes = native.port().unwrap().to_bytes();
    let mut hashed = vec![0x82, 0x77];
    hashed.extend(b"port-protocol app 1.0.0");
    hashed.extend(bytes.as_slice());
    let expected: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&hashed).into();
    assert_eq!(mark, Mark::from(expected));
}

/// §14.4: the mark of a use is of the app's hash.
#[test]
fn r17_10_the_mark_of_a_use() {
    use sha2::Digest;

    let mut alice = alice(Kind::Superport);
    let port = port_protocol::Alice::offer(link(), offer(Kind::Superport), seed(1)).commit();
    let port = port.port().unwrap().clone();
    let hash =
        sha2::Sha256::digest([&[0x82, 0x77], &b"port-protocol app 1.0.0"[..], port.to_bytes().as_slice()].concat());
    let secret = x25519_dalek::x25519([2; 32], *port.public_key().as_bytes());
    let used_by = [&[0x83, 0x71], &b"port-protocol use"[..], &[0x58, 32], &hash, &[0x58, 32], &secret].concat();
    let event = used(Kind::Superport, 2, intro_of(&connecting(&shown(&alice, 7), 2)));
    let mark: [u8; 32] = sha2::Sha256::digest(used_by).into();
    assert_eq!(alice.handle(&event, NOW).unwrap().once(), Some(mark.into()));
}

fn port_bytes(hash: &PortHash) -> [u8; 32] {
    *hash.as_bytes()
}

// ------------------------------------------------------------------------------------------------------------ Crashes

/// Two users, each with nothing but a store, and a server that answers the same request alike.
struct World {
    kind: Kind,
    alice: Store,
    bob: Store,
    tables: Tables,
    event: Option<String>,
    disconnected: BTreeSet<LineId>,
    left: usize,
    points: usize,
}

struct Crash;

impl World {
    fn new(kind: Kind, crash: usize) -> Self {
        let (mut alice, mut bob) = (Store::default(), Store::default());
        let born = Alice::offer(link(), offer(kind), seed(1));
        alice.put(&Put::birth(&born)).unwrap();
        bob.put(&Put::birth(&Bob::scan(&shown(&born.commit(), 7), seed(2)))).unwrap();
        let (tables, disconnected) = (knowing(7), BTreeSet::new());
        Self { kind, alice, bob, tables, event: None, disconnected, left: crash, points: 0 }
    }

    fn point(&mut self) -> Result<(), Crash> {
        self.points += 1;
        self.left = self.left.checked_sub(1).ok_or(Crash).inspect_err(|_| self.left = usize::MAX)?;
        Ok(())
    }

    fn bob(&self) -> Bob {
        Bob::restore(&self.bob.records[&Key::LineLink(link())].1).unwrap()
    }

    fn alice(&self) -> Alice {
        Alice::restore(&self.alice.records[&Key::LineLink(link())].1).unwrap()
    }

    /// All that Bob does when his app starts.
    fn bob_wakes(&mut self) -> Result<(), Crash> {
        let mut bob = self.bob();
        if bob.phase() == BobPhase::Scanned {
            let step = bob.connect(&name("Bob"), NOW).unwrap();
            self.point()?;
            self.bob.put(&Put::step(&step)).unwrap();
            self.point()?;
            step.commit().for_each(drop);
        }
        if bob.phase() == BobPhase::Connecting {
            self.point()?;
            let event = used(self.kind, 5, intro_of(&bob)).to_json().to_string();
            // The very same each time.
            assert!(self.event.as_ref().is_none_or(|before| *before == event));
            self.event = Some(event);
            self.point()?;
            let step = bob.connected(line_id(5), pair(5), &(), NOW).unwrap();
            self.bob.put(&Put::step(&step)).unwrap();
            self.point()?;
            step.commit().for_each(drop);
        }
        Ok(())
    }

    /// All that Alice does with an event, which comes again until she has kept what came of it.
    fn alice_hears(&mut self) -> Result<(), Crash> {
        let event = Event::from_json(self.event.as_ref().unwrap()).unwrap();
        let mut alice = self.alice();
        match alice.handle_knowing(&event, &self.tables, NOW) {
            Ok(step) => {
                self.point()?;
                self.alice.put(&Put::step(&step)).unwrap();
                self.tables.lines.extend(step.line().map(|_| line_id(5)));
                self.tables.tickets.retain(|told| Some(told.ticket) != step.strikes());
                self.point()?;
                step.commit().for_each(drop);
                self.point()
            }
            Err(Rejected::Repeated) => Ok(()),
            Err(Rejected::Stray(line_id)) => {
                self.disconnected.insert(line_id);
                Ok(())
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn r17_10_a_crash_anywhere_leaves_the_same_line() {
    for kind in KINDS {
        for crash in 0.. {
            let mut world = World::new(kind, crash);
            while world.bob_wakes().is_err() {}
            for _ in 0..2 {
                while world.alice_hears().is_err() {}
            }
            let lines = [&world.alice, &world.bob].map(|store| {
                let lines = store.records.iter().filter(|(key, _)| matches!(key, Key::Line(_)));
                let mut lines = lines.map(|(_, (_, record))| UnauthenticatedLine::restore(record).unwrap());
                (lines.next().unwrap(), lines.count())
            });
            let [(at_alice, 0), (at_bob, 0)] = lines else { panic!() };
            let sealed = at_bob.seal([1; 16], "hello").unwrap();
            assert_eq!(at_alice.open(&sealed).unwrap().as_str(), "hello");
            assert!(world.disconnected.is_empty() && world.alice().used() <= 1);
            if world.points <= crash {
                assert!(crash >= 7, "{crash}");
                break;
            }
        }
    }
}

#[test]
fn r17_10_what_a_message_tells_of_a_ticket() {
    let told = Content::ContactPortTicket { contact_port: link(), ticket: [7; 16].into() }.told_ticket().unwrap();
    assert_eq!((told.line_link, told.name.as_str(), told.expires), (link(), "", None));
    assert!(Content::Other { content_type: 1, data: "{}" }.told_ticket().is_none());
}
