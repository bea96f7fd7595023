//! A reader of links that takes the app's steps (its fact sheet, §10). We must show a link that it and our own reader read alike (§17.3).

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The members that it reads, as JSON. `None`: it reads none.
pub fn read(url: &str) -> Option<Value> {
    let url = url.strip_prefix('"').unwrap_or(url);
    let url = url.strip_suffix('"').unwrap_or(url);
    let url = decode_uri_component(url)?;
    let query = url.split('?').nth(1)?;
    let mut object = Map::new();
    for pair in query.split('&') {
        let mut parts = pair.split('=');
        let (key, value) = (parts.next()?, parts.next()?.replace('+', " "));
        let value = if key == "target" { Value::from(value.parse::<u8>().ok()?) } else { Value::from(value) };
        object.insert(key.into(), value);
    }
    Some(object.into())
}

/// `None` of what is no percent-encoding of UTF-8.
fn decode_uri_component(text: &str) -> Option<String> {
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
    }
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}
