//! §17: the formats of a shipped app.
#![cfg(feature = "app")]

mod bundle;
mod event;
mod example;
mod intro;
mod link;
pub mod machines;
mod message;
mod properties;
mod reader;
mod request;
mod vectors;

use port_protocol::app::{Bundle, Grant, Name};
use port_protocol::{PublicKey, Rad, Secret};
use serde::Deserialize;
use serde_json::Value;
use x25519_dalek::{PublicKey as Public, StaticSecret};

/// A connection that was made with the app's own cryptographic code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    pub kind: String,
    #[serde(with = "hex")]
    pub alice_private_key: [u8; 32],
    #[serde(with = "hex")]
    pub bob_private_key: [u8; 32],
    pub bundle_json: String,
    pub link: String,
    #[serde(with = "hex")]
    pub shared_secret: [u8; 32],
    pub intro_plaintext: String,
    pub intro_message: Value,
    pub line_message_plaintext: String,
    pub line_message: Value,
    pub yap_v1_alice_to_bob: String,
}

pub fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../vectors/port-app-1.0.0.json")).unwrap();
    assert_eq!(vectors.len(), 11);
    vectors
}

pub fn alice() -> Secret<32> {
    Secret::from([1; 32])
}

pub fn bob() -> Secret<32> {
    Secret::from([2; 32])
}

pub fn public_key(private_key: &Secret<32>) -> PublicKey {
    PublicKey::from_bytes(Public::from(&StaticSecret::from(*private_key.expose())).to_bytes()).unwrap()
}

pub fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

pub fn rad() -> Rad {
    Rad::from([4; 16])
}

pub fn port() -> Bundle {
    Bundle::port([3; 16].into(), public_key(&alice()), rad())
}

pub fn superport() -> Bundle {
    Bundle::superport([3; 16].into(), public_key(&alice()), rad())
}

pub fn grant() -> Grant {
    Grant::new([3; 16].into(), public_key(&alice()), rad())
}

pub fn contact_port() -> Bundle {
    grant().share([5; 16].into(), None)
}

/// JSON with a member changed, or taken out by `None`.
pub fn with(json: &str, key: &str, value: Option<Value>) -> String {
    let mut object: Value = serde_json::from_str(json).unwrap();
    match value {
        Some(value) => drop(object.as_object_mut().unwrap().insert(key.into(), value)),
        None => drop(object.as_object_mut().unwrap().remove(key).unwrap()),
    }
    object.to_string()
}

/// JSON with its first member once more at its end.
pub fn twice(json: &str, key: &str) -> String {
    let value = &serde_json::from_str::<Value>(json).unwrap()[key];
    assert!(!value.is_null(), "{key}");
    format!("{},\"{key}\":{value}}}", json.strip_suffix('}').unwrap())
}

/// Names that readers and writers must carry unchanged, whatever characters are in them. All have at most 30 code units.
pub const HOSTILE: [&str; 25] = [
    "",
    " ",
    "a&b",
    "a=b",
    "a?b",
    "a+b",
    "50%",
    "%41%zz",
    "%",
    "&name=Mallory&rad=0",
    "a&rad=0?pubkey=+%26",
    "\"quoted\"",
    "\"",
    "'; DROP TABLE--",
    "back\\slash\\u0041",
    "\u{0}\u{1}\u{8}\u{c}\n\r\t\u{1f}\u{7f}",
    "\u{202e}rtl\u{202c}",
    "שלום &c.",
    "Ю́рий",
    "e\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👧 =family=",
    "\u{2028}\u{2029}\u{feff}",
    "</script>#fragment",
    "~!*()'-._",
    "＆＝？＋",
];
