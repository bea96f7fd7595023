//! Keys, IDs, and their base32.

use port_protocol::portal::freeshard::base32::{self, Base32Error};
use port_protocol::portal::freeshard::{FullId, PrivateKey, PublicKey, ShortId};

use super::reader::{Context, Outcome, Reader, differs, same};

pub fn identity(context: &Context, case: &Reader) -> Result<(), Outcome> {
    let mut key = None;
    if let Some(pem) = case.text("private_key_pem") {
        let Ok(private) = PrivateKey::from_pem(pem) else { return differs("the private key can't be read") };
        same("private_key_pem", &pem, &private.to_pem().expect("a key").as_str())?;
        key = Some(private.public_key().clone());
    }
    if let Some(pem) = case.text("public_key_pem") {
        let Ok(public) = PublicKey::from_pem(pem) else { return differs("the public key can't be read") };
        same("public_key_pem", &pem, &public.to_pem())?;
        if key.as_ref().is_some_and(|key| *key != public) {
            return differs("the two keys are no pair");
        }
        key = Some(public);
    }
    let named = case.text("id").and_then(|id| context.ring.by_id(id));
    let Some(key) = key.as_ref().or(named) else { return Err(Outcome::Skipped("no key")) };
    let id = key.id().to_string();
    if let Some(length) = case.number("hashed_bytes_len") {
        same("hashed_bytes_len", &length, &(key.to_pem().len() as u64))?;
    }
    if let Some(hash) = case.text("sha512_hex") {
        same("sha512_hex", &hash.to_lowercase(), &hex::encode(key.id().as_bytes()))?;
    }
    if let Some(text) = case.text("id") {
        same("id", &text, &id.as_str())?;
        same("id, read", &Ok(key.id()), &text.parse::<FullId>())?;
    }
    if let Some(length) = case.number("id_len") {
        same("id_len", &length, &(id.len() as u64))?;
    }
    let short = key.id().short();
    if let Some(text) = case.text("short_id") {
        same("short_id", &text, &short.as_str())?;
        same("short_id, read", &Ok(short), &text.parse::<ShortId>())?;
    }
    match case.text("domain") {
        Some(domain) => same("domain", &domain, &format!("{short}.{}", context.zone).as_str()),
        None => Ok(()),
    }
}

pub fn encoding(case: &Reader) -> Result<(), Outcome> {
    if let Some(alphabet) = case.text("alphabet") {
        same("alphabet", &alphabet, &base32::ALPHABET)?;
    }
    if let Some(bits) = case.number("bits_per_char") {
        same("bits_per_char", &bits, &u64::from(base32::ALPHABET.len().ilog2()))?;
    }
    Ok(())
}

pub fn encode(case: &Reader) -> Result<(), Outcome> {
    let (Some(bytes), Some(text)) = (case.text("hex"), case.text("text")) else { return differs("not a case") };
    let Ok(bytes) = hex::decode(bytes) else { return differs("not hex") };
    same("text", &text, &base32::encode(&bytes).as_str())?;
    same("bytes", &Ok(bytes), &base32::decode(text))
}

pub fn decode(case: &Reader) -> Result<(), Outcome> {
    let Some(text) = case.text("text") else { return differs("not a case") };
    let got = base32::decode(text);
    match (case.text("hex"), case.text("error")) {
        (Some(bytes), _) => same("bytes", &Ok(bytes.to_lowercase()), &got.map(hex::encode)),
        (None, Some("KeyError")) => same("error", &Err(Base32Error::UnknownCharacter), &got),
        (None, Some("DecodingError")) => same("error", &Err(Base32Error::LeftoverBits), &got),
        (None, _) if got.is_err() => Ok(()),
        (None, _) => differs(format!("the file has an error, this is {got:?}")),
    }
}
