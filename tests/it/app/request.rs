//! §17.8: requests and responses.

use super::{bob, contact_port, name, port, superport, twice, with};
use port_protocol::app::{
    BundleError, EncryptedContent, Intro, Method, Request, ResponseError, SecretText, UnauthenticatedKey, response,
};
use port_protocol::{LineId, LineLink, Secret};
use serde_json::{Value, json};

fn content() -> EncryptedContent {
    UnauthenticatedKey::from_secret([9; 32].into()).seal([1; 16], "hello").unwrap()
}

/// Method, path, body.
fn sent(request: &Request<'_>) -> (&'static str, String, String) {
    let body = request.body().map(|body| body.as_str().to_owned());
    (request.method().as_str(), request.path().into_owned(), body.unwrap_or_default())
}

fn id(n: u8) -> String {
    hex::encode([n; 16])
}

#[test]
fn r17_8_requests_are_the_apps() {
    let line = LineId::from([2; 16]);
    let link = LineLink::from([3; 16]);
    let ticket = Secret::from([5; 16]);
    let (content, bundle_id) = (content(), SecretText::from("a/b c&é".to_owned()));
    let (two, three) = (id(2), id(3));
    let message = content.to_json();
    let message = message.as_str();
    let cases = [
        (Request::LineLinks, "POST", "/management/line-links", String::new()),
        (Request::Disconnect(line), "PATCH", "/management/line", format!(r#"{{"lineId":"{two}"}}"#)),
        (Request::Retry(line), "POST", "/management/line/retry", format!(r#"{{"lineId":"{two}"}}"#)),
        (
            Request::SetSuperportLimit { port_id: link, limit: 50, uses: 7 },
            "PATCH",
            "/management/superport/limit",
            format!(r#"{{"limit":50,"uses":7,"lineSuperportId":"{three}"}}"#),
        ),
        (
            Request::SuperportLimit(link),
            "GET",
            "/management/superport/limit?lineSuperportId=03030303030303030303030303030303",
            String::new(),
        ),
        (Request::CreateSuperport { limit: 50 }, "POST", "/management/superport/line", r#"{"limit":50}"#.into()),
        (
            Request::DeleteSuperport(link),
            "DELETE",
            "/management/superport/line/03030303030303030303030303030303",
            String::new(),
        ),
        (
            Request::PauseSuperport(link),
            "PATCH",
            "/management/superport/pause",
            format!(r#"{{"lineSuperportId":"{three}"}}"#),
        ),
        (
            Request::ResumeSuperport(link),
            "PATCH",
            "/management/superport/resume",
            format!(r#"{{"lineSuperportId":"{three}"}}"#),
        ),
        (
            Request::CreateContactPort { line_id: line, active: true },
            "POST",
            "/management/contact-sharing",
            format!(r#"{{"lineId":"{two}","active":true}}"#),
        ),
        (
            Request::CreateContactPort { line_id: line, active: false },
            "POST",
            "/management/contact-sharing",
            format!(r#"{{"lineId":"{two}","active":false}}"#),
        ),
        (
            Request::ShareTicket { contact_port: link, ticket: &ticket, line_id: line, message: &content },
            "POST",
            "/management/contact-sharing/ticket",
            format!(r#"{{"contactPort":"{three}","ticket":"{}","lineId":"{two}","message":{message}}}"#, id(5)),
        ),
        (
            Request::PauseContactPorts(&[link, [4; 16].into()]),
            "PATCH",
            "/management/contact-sharing/pause",
            format!(r#"{{"contactPort":["{three}","{}"]}}"#, id(4)),
        ),
        (
            Request::ResumeContactPorts(&[]),
            "PATCH",
            "/management/contact-sharing/resume",
            r#"{"contactPort":[]}"#.into(),
        ),
        (Request::FetchBundle(&bundle_id), "GET", "/management/bundle?bundleId=a%2Fb+c%26%C3%A9", String::new()),
        (
            Request::Message { line_id: line, content: &content, silent: false },
            "POST",
            "/messaging/message",
            format!(r#"{{"type":"line","message":{message},"chatId":"{two}","silent":false}}"#),
        ),
        (
            Request::Message { line_id: line, content: &content, silent: true },
            "POST",
            "/messaging/message",
            format!(r#"{{"type":"line","message":{message},"chatId":"{two}","silent":true}}"#),
        ),
    ];
    for (request, method, path, body) in &cases {
        assert_eq!(sent(request), (*method, (*path).into(), body.clone()));
        assert_eq!(request.body().is_none(), body.is_empty());
        let shown = format!("{request:?}");
        assert!(!shown.contains("5, 5") && !shown.contains("3, 3") && !shown.contains("a/b"), "{shown}");
    }
    assert_eq!(Method::Get.as_str(), "GET");
}

#[test]
fn r17_8_a_bundle_is_used_by_its_kind() {
    for (bundle, start) in [
        (port(), r#"{"lineLinkId":"#.to_owned()),
        (superport(), r#"{"lineSuperportId":"#.into()),
        (contact_port(), format!(r#"{{"ticket":"{}","contactPortId":"#, id(5))),
    ] {
        let (intro, _) = Intro::make(&bob(), [1; 16], &bundle, &name("Bob"));
        let request = Request::connect(&bundle, &intro);
        let body = format!(r#"{start}"{}","introMessage":{}}}"#, id(3), intro.to_json());
        assert_eq!(sent(&request), ("POST", "/management/line".into(), body));
    }
}

#[test]
fn r17_8_what_is_gone_needs_no_end() {
    let link = LineLink::from([3; 16]);
    let (none, id) = ([], SecretText::default());
    let ends = [
        Request::Disconnect([2; 16].into()),
        Request::DeleteSuperport(link),
        Request::PauseSuperport(link),
        Request::ResumeSuperport(link),
        Request::PauseContactPorts(&none),
        Request::ResumeContactPorts(&none),
    ];
    let others = [
        Request::LineLinks,
        Request::Retry([2; 16].into()),
        Request::CreateSuperport { limit: 1 },
        Request::SetSuperportLimit { port_id: link, limit: 1, uses: 0 },
        Request::SuperportLimit(link),
        Request::FetchBundle(&id),
    ];
    for (requests, is_end) in [(&ends[..], true), (&others[..], false)] {
        for request in requests {
            assert_eq!(request.is_done(404), is_end, "{request:?}");
            assert!(request.is_done(200) && request.is_done(204) && request.is_done(299));
            for status in [0, 199, 300, 400, 401, 403, 405, 409, 410, 500] {
                assert!(!request.is_done(status), "{request:?} {status}");
            }
        }
    }
}

#[test]
fn r17_8_ids_come_as_a_bare_array() {
    let json = json!([id(1), id(2), id(1)]).to_string();
    let links = response::line_links(&json).unwrap();
    assert_eq!(links, [[1; 16].into(), [2; 16].into(), [1; 16].into()]);
    assert_eq!(response::line_links("[]"), Ok(vec![]));
    for bad in [
        "",
        "null",
        "{}",
        "[1]",
        "[null]",
        "[\"01\"]",
        &json!([id(1), "0A".repeat(16)]).to_string(),
        &format!("{json},"),
    ] {
        assert_eq!(response::line_links(bad), Err(ResponseError::Malformed), "{bad}");
    }
    assert_eq!(response::line_links(&"[".repeat(100_000)), Err(ResponseError::Malformed));
}

#[test]
fn r17_8_a_line_without_a_pair() {
    let json = json!({"newLine": id(2), "pairHash": "06".repeat(32), "x": 1}).to_string();
    assert_eq!(response::connected(&json), Ok(([2; 16].into(), Some([6; 32].into()))));
    for pair in [None, Some(json!(null)), Some(json!("06")), Some(json!(6)), Some(json!("0A".repeat(32)))] {
        assert_eq!(response::connected(&with(&json, "pairHash", pair)), Ok(([2; 16].into(), None)));
    }
    // Two pairs are none; the line is to be disconnected all the same.
    assert_eq!(response::connected(&twice(&json, "pairHash")), Ok(([2; 16].into(), None)));
    assert_eq!(response::connected(&twice(&json, "newLine")), Err(ResponseError::Malformed));
    for line in
        [None, Some(json!(null)), Some(json!("")), Some(json!("02")), Some(json!(2)), Some(json!("0A".repeat(16)))]
    {
        assert_eq!(response::connected(&with(&json, "newLine", line)), Err(ResponseError::Malformed));
    }
    for bad in ["", "[]", &json!([id(2), "06".repeat(32)]).to_string()] {
        assert_eq!(response::connected(bad), Err(ResponseError::Malformed));
    }
}

#[test]
fn r17_8_ids_of_ports_for_many() {
    let superport = json!({"NewSuperPort": id(3)}).to_string();
    let contact_port = json!({"newContactPort": id(3)}).to_string();
    assert_eq!(response::superport(&superport), Ok([3; 16].into()));
    assert_eq!(response::contact_port(&contact_port), Ok([3; 16].into()));
    assert_eq!(response::superport(&contact_port), Err(ResponseError::Malformed));
    assert_eq!(response::contact_port(&superport), Err(ResponseError::Malformed));
    for bad in [
        json!({"NewSuperPort": 1, "newContactPort": 1}),
        json!({"NewSuperPort": "x", "newContactPort": "x"}),
        json!([id(3)]),
    ] {
        assert_eq!(response::superport(&bad.to_string()), Err(ResponseError::Malformed));
        assert_eq!(response::contact_port(&bad.to_string()), Err(ResponseError::Malformed));
    }
}

#[test]
fn r17_8_a_fetched_bundle_is_text_or_an_object() {
    let bundle = port().named(name("\"A\""));
    let object: Value = serde_json::from_str(bundle.to_json().as_str()).unwrap();
    for inner in [object, Value::from(bundle.to_json().as_str())] {
        assert_eq!(response::bundle(&json!({"bundle": inner}).to_string()), Ok(bundle.clone()));
    }
    for bad in [
        json!({}),
        json!({"bundle": null}),
        json!({"bundle": 1}),
        json!({"bundle": "x"}),
        json!({"bundle": []}),
        json!([]),
    ] {
        assert_eq!(response::bundle(&bad.to_string()), Err(BundleError::Malformed), "{bad}");
    }
}

#[test]
fn r17_8_a_limit_is_a_bare_number() {
    assert_eq!(response::superport_limit("50"), Ok(50));
    assert_eq!(response::superport_limit(" 4294967295\n"), Ok(u32::MAX));
    for bad in ["", "0", "-1", "1.0", "4294967296", "null", "\"50\"", "[50]", "{\"limit\":50}", "50 50"] {
        assert_eq!(response::superport_limit(bad), Err(ResponseError::Malformed), "{bad}");
    }
}
