//! Rows of peers (§19.3).

use port_protocol::portal::freeshard::{Answer, AnswerError, Ask, Mode, Peer, PeerError, Peers, WhoAreYou};

use super::{ZONE, id, key, peers};

fn answer_of(name: &str, called: &str) -> WhoAreYou {
    WhoAreYou::new(called, key(name).public_key(), ZONE)
}

fn http(body: &str) -> Answer<'_> {
    Answer::Http { status: 200, body: body.as_bytes() }
}

fn put(peers: &mut Peers, id: &str, name: Option<&str>) -> Result<Ask, PeerError> {
    peers.put(serde_json::json!({"id": id, "name": name}).to_string().as_bytes(), ZONE)
}

/// Strictly, a part of an ID names nobody: neither the owner nor a stored row can enter it.
#[test]
fn r19_7_only_full_ids() {
    let mut strict = Peers::new(Mode::Strict);
    for (id, error) in [
        ("1evph", PeerError::TooShort),
        ("1evphv", PeerError::NotFull),
        (&id("Alice")[..102], PeerError::NotFull),
        (&id("Alice").to_uppercase(), PeerError::NotFull),
    ] {
        assert_eq!(put(&mut strict, id, None), Err(error), "{id}");
    }
    let row = Peer::new(Mode::AsBuilt, "1evphv", None).unwrap();
    let row = row.with_key(Mode::AsBuilt, key("Alice").public_key().clone()).unwrap();
    assert_eq!(strict.restore(row.clone()), Err(PeerError::NotFull));
    assert_eq!(row.with_key(Mode::Strict, key("Alice").public_key().clone()), Err(PeerError::Mismatch));
    assert_eq!(strict.rows(), []);
    let entered = put(&mut strict, &id("Alice"), Some("my Alice")).unwrap();
    assert_eq!(entered.url.as_deref(), Some("https://1evphv.freeshard.cloud/core/public/meta/whoareyou"));
}

/// A key is taken only if its hash is the ID, and then it stays: no answer replaces it.
#[test]
fn r19_3_a_key_is_pinned() {
    for mode in [Mode::Strict, Mode::AsBuilt] {
        let mut peers = Peers::new(mode);
        let ask = put(&mut peers, &id("Alice"), Some("my Alice")).unwrap();
        assert_eq!(peers.refresh(ZONE), []);

        let mut liar = answer_of("Alice", "Alice");
        liar.public_key_pem = key("Carol").public_key().to_pem().into();
        let carol = answer_of("Carol", "Carol").to_json();
        for (answer, error) in [
            (http(&carol), AnswerError::OtherId),
            (http(&liar.to_json()), AnswerError::Key),
            (http("{}"), AnswerError::Json),
            (http(""), AnswerError::Json),
            (Answer::Http { status: 500, body: b"{}" }, AnswerError::Status),
            (Answer::Http { status: 404, body: answer_of("Alice", "Alice").to_json().as_bytes() }, AnswerError::Status),
        ] {
            let before = peers.clone();
            assert_eq!(peers.answered(&ask.id, answer), Err(error));
            assert_eq!(peers, before);
        }
        peers.answered(&ask.id, Answer::Unreachable).unwrap();
        assert!(!peers.rows()[0].is_reachable() && peers.rows()[0].key().is_none());

        peers.answered(&ask.id, http(&answer_of("Alice", "Alice of Wonderland").to_json())).unwrap();
        let row = peers.get(&ask.id).unwrap();
        assert_eq!(row.key(), Some(key("Alice").public_key()));
        assert!(row.is_reachable());
        // The owner's own name for it stays, strictly.
        assert_eq!(row.name(), Some(if mode == Mode::Strict { "my Alice" } else { "Alice of Wonderland" }));
        assert_eq!(peers.refresh(ZONE), std::slice::from_ref(&ask));
        for answer in [http(&carol), http(&liar.to_json())] {
            assert!(peers.answered(&ask.id, answer).is_err());
            assert_eq!(peers.rows()[0].key(), Some(key("Alice").public_key()));
        }
        assert_eq!(Peer::from_json(mode, peers.rows()[0].to_json().as_bytes()).as_ref(), Ok(&peers.rows()[0]));
    }
}

/// Strictly, an answer under a part of the ID is none.
#[test]
fn r19_7_an_answer_has_the_full_id() {
    let mut short = answer_of("Alice", "Alice");
    short.id = "1evphv".into();
    let row = Peer::new(Mode::AsBuilt, "1evphv", None).unwrap();
    assert!(row.answered(Mode::AsBuilt, http(&short.to_json())).is_ok());
    let row = Peer::new(Mode::Strict, &id("Alice"), None).unwrap();
    assert_eq!(row.answered(Mode::Strict, http(&short.to_json())), Err(AnswerError::OtherId));
    let moved = answer_of("Alice", "Alice").to_json();
    assert_eq!(
        row.answered(Mode::Strict, Answer::Http { status: 203, body: moved.as_bytes() }),
        Err(AnswerError::Status)
    );
}

/// The bodies of the API.
#[test]
fn r19_3_the_api() {
    let mut built = peers(Mode::AsBuilt, &["Alice", "Carol"]);
    put(&mut built, "dqw0j2", Some("Bob")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&built.to_json(None)).unwrap();
    assert_eq!(list[0]["public_bytes_b64"], key("Alice").public_key().to_pem());
    assert_eq!(
        list[2],
        serde_json::json!({"id": "dqw0j2", "name": "Bob", "public_bytes_b64": null, "is_reachable": true})
    );
    let named = |name| serde_json::from_str::<Vec<serde_json::Value>>(&built.to_json(Some(name))).unwrap().len();
    assert_eq!((named("AL"), named("o"), named(""), named("x")), (1, 2, 3, 0));
    // As built, the beginning of an ID is enough to find, to rename and to remove.
    assert_eq!(built.get("1e").unwrap().name(), Some("Alice"));
    assert_eq!(put(&mut built, "1evphv", Some("Al")).unwrap().id, "1evphv");
    assert_eq!((built.rows().len(), built.rows()[0].name()), (3, Some("Al")));
    assert_eq!((built.remove("1"), built.remove("1")), (1, 0));
    let mut strict = peers(Mode::Strict, &["Alice", "Carol"]);
    assert!(strict.get("1evphv").is_none());
    assert_eq!((strict.remove("1evphv"), strict.remove(""), strict.remove(&id("Alice"))), (0, 0, 1));
    for json in ["", "{}", "[]", r#"{"id": 5}"#, r#"{"id": "1evphv", "name": 5}"#] {
        assert_eq!(built.put(json.as_bytes(), ZONE), Err(PeerError::Json), "{json}");
    }
    let row = |key: &str| serde_json::json!({"id": "1evphv", "public_bytes_b64": key}).to_string();
    assert_eq!(Peer::from_json(Mode::AsBuilt, row("x").as_bytes()), Err(PeerError::BadKey));
    assert_eq!(
        Peer::from_json(Mode::AsBuilt, row(key("Carol").public_key().to_pem()).as_bytes()),
        Err(PeerError::Mismatch)
    );
    // An ID of which no address can be made is asked by nobody.
    assert_eq!(put(&mut built, "a b c d", None).unwrap().url, None);
}
