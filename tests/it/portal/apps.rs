//! §18.10: apps, their credentials, and the peers that they were granted.

use std::collections::BTreeSet;

use port_protocol::portal::*;

use super::world::*;
use crate::common::rng::rng;

/// R18.10.2, R18.10.3: none, some, all; none if nothing was said.
#[test]
fn r18_10_an_app_gets_the_peers_that_its_owner_granted() {
    let [a, b] = Side::pair();
    let peers = [&a.peer, &b.peer];
    let mut store = Store::default();
    let (created, credential) = App::install(AppName::new("photos").unwrap(), &mut rng());
    let Ok(mut app) = created.store(|write| store.keep(write));
    for (grant, count) in [
        (None, 0),
        (Some(Grant::All), 2),
        (Some(Grant::Some(BTreeSet::from([a.peer.id()]))), 1),
        (Some(Grant::Some(BTreeSet::new())), 0),
        (Some(Grant::None), 0),
    ] {
        if let Some(grant) = grant {
            let Ok(()) = app.set_grant(grant).unwrap().store(|write| store.keep(write));
        }
        app = App::restore(&store.0.values().next().unwrap().1).unwrap();
        let authenticated = app.authenticate(credential.expose()).unwrap();
        assert_eq!(authenticated.peers(peers).count(), count);
        assert_eq!(peers.iter().filter(|peer| authenticated.may_ask(peer).is_ok()).count(), count);
    }
    let many = |count: u16| {
        Grant::Some(
            (0..count).map(|at| PortalId::from_bytes(std::array::from_fn(|i| at.to_be_bytes()[i % 2]))).collect(),
        )
    };
    assert_eq!(app.set_grant(many(1025)).err(), Some(GrantError::TooMany));
    let Ok(()) = app.set_grant(many(1024)).unwrap().store(|write| store.keep(write));
    assert_eq!(App::restore(&store.0.values().next().unwrap().1).unwrap().grant(), app.grant());
}

/// R18.10.1: only the credential says which app it is.
#[test]
fn r18_10_an_app_shows_its_credential() {
    let [mut a, _] = Side::pair();
    let good = *a.credential.expose();
    for at in 0..32 {
        let mut bad = good;
        bad[at] ^= 1;
        assert_eq!(a.app.authenticate(&bad).err(), Some(GrantError::BadCredential));
    }
    for bad in [&b""[..], &good[..31], &[&good[..], &[0]].concat()] {
        assert_eq!(a.app.authenticate(bad).err(), Some(GrantError::BadCredential));
    }
    let (step, renewed) = a.app.renew_credential(&mut a.rng);
    let Ok(()) = step.store(|write| a.store.keep(write));
    assert_eq!(a.app.authenticate(&good).err(), Some(GrantError::BadCredential));
    assert!(a.app.authenticate(renewed.expose()).is_ok());
}

/// R18.7.2: an app can't ask in another's name, and nothing is asked of a peer that it was not granted.
#[test]
fn r18_10_what_an_app_may_not_ask_is_not_sent() {
    let [mut a, _] = Side::pair();
    let (created, credential) = App::install(AppName::new("photos").unwrap(), &mut a.rng);
    let other = created.commit(Write::default());
    let (id, target) = (a.draw_id(), Target::parse("/peer").unwrap());
    let stranger = other.authenticate(credential.expose()).unwrap();
    let app = a.app.authenticate(a.credential.expose()).unwrap();
    let request = app.request(id, Method::GET, target, Headers::EMPTY, Part::EMPTY);
    assert_eq!(a.peer.ask(&a.portal, stranger, &request, NOW, &mut a.rng).err(), Some(AskError::NotGranted));
    let Ok(()) = a.app.set_grant(Grant::None).unwrap().store(|write| a.store.keep(write));
    let app = a.app.authenticate(a.credential.expose()).unwrap();
    assert_eq!(a.peer.ask(&a.portal, app, &request, NOW, &mut a.rng).err(), Some(AskError::NotGranted));
}

/// R18.10.4, R18.7.4: what says who asks never comes from outside.
#[test]
fn r18_7_only_headers_that_are_carried_pass() {
    let all = [
        ("content-type", " text/plain\t"),
        ("cookie", "a=b"),
        ("authorization", "Bearer x"),
        ("portal-peer-id", "forged"),
        ("x-ptl-client-id", "forged"),
        ("x-forwarded-for", "10.0.0.1"),
        ("Accept", "upper case is not HTTP/2"),
        ("app-", "no name"),
        ("app-Own", "upper case"),
        ("app-own", "1"),
        ("host", "example.org"),
    ];
    let headers = Headers::carried(all).unwrap();
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("content-type", "text/plain"), ("app-own", "1")]);
    for bad in ["a\r\nb: c", "\u{7f}", "a\0", "é"] {
        assert_eq!(Headers::carried([("etag", bad)]).err(), Some(RequestError::BadHeader));
    }
    assert_eq!(Headers::carried([("etag", "a"), ("etag", "b")]).err(), Some(RequestError::BadHeader));
    let long = "x".repeat(8_192 - 4);
    assert!(Headers::carried([("etag", long.as_str())]).is_ok());
    assert_eq!(Headers::carried([("etag", long.as_str()), ("link", "")]).err(), Some(RequestError::TooLong));
    let names: Vec<_> = (0..65).map(|at| format!("app-{at}")).collect();
    assert!(Headers::carried(names[..64].iter().map(|name| (name.as_str(), "1"))).is_ok());
    assert_eq!(Headers::carried(names.iter().map(|name| (name.as_str(), "1"))).err(), Some(RequestError::TooLong));
    let [mut a, _] = Side::pair();
    let name = PortalName::new("Zoë & Co\u{1f600}").unwrap();
    let Ok(()) = a.peer.rename(name).store(|write| a.store.keep(write));
    let [(_, id), (_, name)] = a.peer.headers_for_app();
    assert_eq!((id, name.as_str()), (a.peer.id().to_string(), "Zo%C3%AB%20%26%20Co%F0%9F%98%80"));
}

/// R18.7: methods and names.
#[test]
fn r18_7_methods_and_names_of_apps() {
    for good in ["GET", "M", "ABCDEFGHIJKLMNOP", "QUERY"] {
        assert!(Method::new(good).is_ok());
    }
    for bad in ["", "get", "CONNECT", "TRACE", "ABCDEFGHIJKLMNOPQ", "GET "] {
        assert_eq!(Method::new(bad).err(), Some(RequestError::BadMethod));
    }
    for bad in ["", "Notes", "a.b", "a/b", &"a".repeat(64)] {
        assert_eq!(AppName::new(bad).err(), Some(RequestError::BadApp));
    }
    assert!(AppName::new(&"a".repeat(63)).is_ok());
    for bad in [0, 100, 199, 600] {
        assert_eq!(Status::new(bad).err(), Some(RequestError::BadStatus));
    }
    let id =
        RequestId::from_bytes(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    assert_eq!(RequestId::from_bytes(&id.unwrap().to_bytes()), id);
    assert_eq!((RequestId::from_bytes(&[0; 23]), RequestId::from_bytes(&[0xff; 24])), (None, None));
}
