//! Seeds of the Freeshard target: the requests of the real system that are good.

use std::collections::BTreeMap;

use port_protocol_fuzz::VECTORS;
use serde_json::Value;

use crate::Seeds;

pub fn requests() -> Seeds {
    let body = VECTORS["other_component_order"]["outgoing"]["wire"][0]["body"].as_str().expect("a text");
    let others = VECTORS["incoming"].as_array().expect("a list").iter().map(|case| (case, ""));
    let cases = others.chain([(&VECTORS["other_component_order"]["incoming"], body)]);
    let good = cases.filter(|(case, _)| case["status"] == 200);
    // Some differ only in what the peer is called.
    let distinct: BTreeMap<_, _> = good.map(|(case, body)| (seed(case, body), name(case))).collect();
    distinct.into_iter().map(|(seed, name)| (name, seed)).collect()
}

fn name(case: &Value) -> String {
    let words = case["name"].as_str().expect("a text").split(|char: char| !char.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

fn seed(case: &Value, body: &str) -> Vec<u8> {
    let mut text = case["now"].to_string();
    for fields in ["forwarded", "headers"] {
        for (name, value) in case[fields].as_object().expect("an object") {
            text += &format!("\n{name}: {}", value.as_str().expect("a text"));
        }
    }
    format!("{text}\n\n{body}").into_bytes()
}
