//! Rows of peers, and what comes of asking who they are.

use port_protocol::portal::freeshard::{Answer, Mode, Peer, PeerError, Peers};
use serde_json::{Value, json};

use super::reader::{Context, Outcome, Reader, differs, same};

pub fn model(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let Some(input) = case.child("input") else { return differs("not a case") };
    let Some(row) = with_key(context, input.whole()) else { return Err(Outcome::Skipped("no such key")) };
    let got = Peer::from_json(Mode::AsBuilt, row.to_string().as_bytes());
    let error = case.text("error");
    let ok = case.get("ok").and_then(Value::as_bool).unwrap_or(error.is_none());
    match (&got, error) {
        _ if ok != got.is_ok() => differs(format!("the file has ok: {ok}, this is {got:?}")),
        (Err(why), Some(error)) if error.contains("too short") => same("error", &PeerError::TooShort, why),
        (Err(why), Some(error)) if error.contains("do not match") => {
            // A key of another kind is read there, and its ID is another.
            same("error", &true, &matches!(why, PeerError::Mismatch | PeerError::BadKey))
        }
        _ => Ok(()),
    }
}

pub fn whoareyou(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let Some(put) = case.child("put") else { return differs("not a case") };
    let mut peers = Peers::new(Mode::AsBuilt);
    restore(context, &mut peers, &case.list("before"))?;
    let put = put.whole().to_string();
    let first = asked_first(case);
    let (mut asked, mut status) = (Vec::new(), 422);
    if let Ok(ask) = peers.put(put.as_bytes(), context.zone_of(&first)) {
        asked.extend(ask.url);
        let answer = case.get("answer").cloned().unwrap_or_default();
        let Some(answer) = with_key(context, &answer) else { return Err(Outcome::Skipped("no such key")) };
        let body = answer.to_string();
        let http = case.number("answer_status").and_then(|status| status.try_into().ok());
        let unreachable = answer.is_null() && http.is_none();
        let status_of = http.unwrap_or(200);
        let answer =
            if unreachable { Answer::Unreachable } else { Answer::Http { status: status_of, body: body.as_bytes() } };
        status = if peers.answered(&ask.id, answer).is_ok() { 200 } else { 500 };
    } else {
        let _ = (case.get("answer"), case.get("answer_status"));
    }
    read_all(case, "answer");
    if let Some(expected) = case.list_of("asked") {
        same("asked", &expected, &texts(&asked))?;
    }
    if let Some(expected) = case.number("put_status") {
        same("put_status", &expected, &status)?;
    }
    if let Some(exception) = case.text("server_exception") {
        same(&format!("server_exception {exception:?}"), &500, &status)?;
    }
    stored(context, case, "stored", &peers)
}

pub fn refresh(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let before = case.list("before");
    let mut peers = Peers::new(Mode::AsBuilt);
    restore(context, &mut peers, &before)?;
    let asks = peers.refresh(context.zone_of(&asked_first(case)));
    let asked: Vec<String> = asks.iter().filter_map(|ask| ask.url.clone()).collect();
    if let Some(expected) = case.list_of("asked") {
        same("asked", &expected, &texts(&asked))?;
    }
    let exception = case.text("exception");
    let _ = case.get("exception");
    for ask in &asks {
        let Some(answer) = answer(context, case, &ask.id, exception) else {
            return Err(Outcome::Skipped("no such key"));
        };
        let body = answer.1.to_string();
        let http = match answer.0 {
            Some(status) => Answer::Http { status, body: body.as_bytes() },
            None => Answer::Unreachable,
        };
        same("exception", &exception.is_some(), &peers.answered(&ask.id, http).is_err())?;
    }
    stored(context, case, "after", &peers)
}

/// What the peer answered. The form has no place for it, so if the file does not say it, what came of it tells.
fn answer(context: &Context, case: &Reader, id: &str, exception: Option<&str>) -> Option<(Option<u16>, Value)> {
    if let Some(answer) = case.get("answer") {
        read_all(case, "answer");
        let status = case.number("answer_status").and_then(|status| status.try_into().ok());
        let status = status.or_else(|| (!answer.is_null()).then_some(200));
        return Some((status, with_key(context, answer)?));
    }
    let after = case.list("after").into_iter().find(|row| row.text("id") == Some(id))?;
    let name = after.text("name").unwrap_or_default();
    let key = context.ring.by_id(id)?;
    let says = |id: String, pem: &str| json!({"id": id, "name": name, "is_default": true, "public_key_pem": pem, "domain": ""});
    match exception {
        Some(why) if why.starts_with("HTTPError") => Some((Some(500), json!({}))),
        Some(why) if why.contains("wrong identity") => {
            let other: String =
                why.split("wrong identity ").nth(1)?.chars().filter(char::is_ascii_alphanumeric).collect();
            let pem = context.ring.by_id(&other).unwrap_or(key).to_pem();
            Some((Some(200), says(other, pem)))
        }
        Some(_) => Some((Some(200), json!({}))),
        None if after.get("is_reachable").and_then(Value::as_bool) == Some(false) => Some((None, Value::Null)),
        None => Some((Some(200), says(key.id().to_string(), key.to_pem()))),
    }
}

fn restore(context: &Context, peers: &mut Peers, rows: &[Reader]) -> Result<(), Outcome> {
    for row in rows {
        let Some(row) = with_key(context, row.whole()) else { return Err(Outcome::Skipped("no such key")) };
        let peer = Peer::from_json(Mode::AsBuilt, row.to_string().as_bytes());
        if peer.and_then(|peer| peers.restore(peer)).is_err() {
            return differs(format!("a row that is not taken: {row}"));
        }
    }
    Ok(())
}

fn stored(context: &Context, case: &Reader, key: &str, peers: &Peers) -> Result<(), Outcome> {
    let rows = case.list(key);
    if case.get(key).is_none() {
        return Ok(());
    }
    let mut expected = Vec::new();
    for row in &rows {
        let Some(row) = with_key(context, row.whole()) else { return Err(Outcome::Skipped("no such key")) };
        expected.push(row);
    }
    let got: Value = serde_json::from_str(&peers.to_json(None)).expect("JSON");
    same(key, &Value::from(expected), &got)
}

/// `<key of NAME>` replaced by the key. `None`: the file has none of that name.
fn with_key(context: &Context, value: &Value) -> Option<Value> {
    let mut value = value.clone();
    for field in ["public_bytes_b64", "public_key_pem"] {
        if let Some(text) = value.get(field).and_then(Value::as_str) {
            let by_id = || Some(context.ring.by_id(value.get("id")?.as_str()?)?.to_pem().to_owned());
            let pem = context.ring.pem(text).or_else(by_id)?;
            *value.get_mut(field)? = Value::from(pem);
        }
    }
    Some(value)
}

fn asked_first(case: &Reader) -> String {
    let asked = case.list_of("asked").unwrap_or_default();
    asked.first().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(list: &[String]) -> Vec<Value> {
    list.iter().map(|text| Value::from(text.as_str())).collect()
}

fn read_all(case: &Reader, key: &str) {
    if let Some(child) = case.child(key) {
        child.whole();
    }
}
