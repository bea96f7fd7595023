//! Response: the answers of the app's server (§17.8).
//!
//! Each function parses the body of a response to one kind of [`Request`](super::Request). Check the status first, with
//! [`is_done`](super::Request::is_done).

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::bundle::Bundle;
use super::error::{BundleError, ResponseError};
use super::json::{self, Hex, Text, present};
use crate::id::{LineId, LineLink, PeerMark};

/// Parses the answer to [`LineLinks`](super::Request::LineLinks): ids for plain Ports, one for each Port. An id may come twice in one
/// answer, and again in a later one.
///
/// # Errors
/// [`ResponseError::Malformed`]: the body is not this answer. Send the request again later.
pub fn line_links(json: &str) -> Result<Vec<LineLink>, ResponseError> {
    let links = serde_json::from_str::<Vec<Hex<16>>>(json).map_err(|_| ResponseError::Malformed)?;
    Ok(links.into_iter().map(Hex::into).collect())
}

/// Parses the answer to [`Connect`](super::Request::Connect): the line that was formed, and its pair. The pair is `None` if it is missing
/// or malformed. Hand both to [`Bob::connected`](super::Bob::connected).
///
/// # Errors
/// [`ResponseError::Malformed`]: the body names no line. Send the request again when no other answer to it can come any more (§17.10).
pub fn connected(json: &str) -> Result<(LineId, Option<PeerMark>), ResponseError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Line {
        new_line: Hex<16>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pair {
        pair_hash: Hex<32>,
    }

    let Line { new_line } = json::read(json).ok_or(ResponseError::Malformed)?;
    // §17.8: the pair is parsed apart from the line. If it is missing or malformed, the line is still known, and Bob can disconnect it.
    let pair_hash = json::read(json).map(|Pair { pair_hash }| pair_hash.into());
    Ok((new_line.into(), pair_hash))
}

/// Parses the answer to [`CreateSuperport`](super::Request::CreateSuperport): the id of the new Superport.
///
/// # Errors
/// [`ResponseError::Malformed`]: the body is not this answer. Send the request again later.
pub fn superport(json: &str) -> Result<LineLink, ResponseError> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "NewSuperPort")]
        id: Hex<16>,
    }

    json::read(json).map(|Fields { id }| id.into()).ok_or(ResponseError::Malformed)
}

/// Parses the answer to [`SuperportLimit`](super::Request::SuperportLimit): how many may use the Superport, at least 1 (§17.8).
///
/// # Errors
/// [`ResponseError::Malformed`]: the body is not such a number. 0 is refused, too, as in the app.
pub fn superport_limit(json: &str) -> Result<u32, ResponseError> {
    serde_json::from_str::<NonZeroU32>(json).map(NonZeroU32::get).map_err(|_| ResponseError::Malformed)
}

/// Parses the answer to [`CreateContactPort`](super::Request::CreateContactPort): the id of the contact port. The server has one for each
/// line, and may name the same one again (§17.10).
///
/// # Errors
/// [`ResponseError::Malformed`]: the body is not this answer. Send the request again later.
pub fn contact_port(json: &str) -> Result<LineLink, ResponseError> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "newContactPort")]
        id: Hex<16>,
    }

    json::read(json).map(|Fields { id }| id.into()).ok_or(ResponseError::Malformed)
}

/// Parses the answer to [`FetchBundle`](super::Request::FetchBundle): the bundle of a short link. The answer holds the bundle as an object,
/// or as a text that is its JSON.
///
/// # Errors
/// [`BundleError`]: each variant says what to tell the user.
pub fn bundle(json: &str) -> Result<Bundle, BundleError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow, deserialize_with = "present")]
        bundle: Option<&'a RawValue>,
    }

    let bundle = json::read::<Fields<'_>>(json).and_then(|fields| fields.bundle).ok_or(BundleError::Malformed)?.get();
    match serde_json::from_str::<Text<'_>>(bundle) {
        Ok(text) => Bundle::from_json(&text),
        Err(_) => Bundle::from_json(bundle),
    }
}
