//! What the app's server answers (§17.8): the body of a response to a [`Request`](super::Request) that [`is_done`](super::Request::is_done).

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::bundle::Bundle;
use super::error::{BundleError, ResponseError};
use super::json::{self, Hex, Text, present};
use crate::id::{LineId, LineLink, PairHash};

/// To `LineLinks`: ids for Ports, each for one. The same may come twice, and again.
///
/// # Errors
/// [`ResponseError::Malformed`].
pub fn line_links(json: &str) -> Result<Vec<LineLink>, ResponseError> {
    let links = serde_json::from_str::<Vec<Hex<16>>>(json).map_err(|_| ResponseError::Malformed)?;
    Ok(links.into_iter().map(Hex::into).collect())
}

/// To `Connect`: the line that was formed, and its pair; `None` if it is missing, or none. Both are for
/// [`Bob::connected`](super::Bob::connected).
///
/// # Errors
/// [`ResponseError::Malformed`].
pub fn connected(json: &str) -> Result<(LineId, Option<PairHash>), ResponseError> {
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
    // Apart: whatever stands in the place of a pair, the line is known, and can be disconnected.
    let pair_hash = json::read(json).map(|Pair { pair_hash }| pair_hash.into());
    Ok((new_line.into(), pair_hash))
}

/// To `CreateSuperport`: its id.
///
/// # Errors
/// [`ResponseError::Malformed`].
pub fn superport(json: &str) -> Result<LineLink, ResponseError> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "NewSuperPort")]
        id: Hex<16>,
    }

    json::read(json).map(|Fields { id }| id.into()).ok_or(ResponseError::Malformed)
}

/// To `SuperportLimit`: how many may use it.
///
/// # Errors
/// [`ResponseError::Malformed`], of 0 too, as in the app.
pub fn superport_limit(json: &str) -> Result<u32, ResponseError> {
    serde_json::from_str::<NonZeroU32>(json).map(NonZeroU32::get).map_err(|_| ResponseError::Malformed)
}

/// To `CreateContactPort`: its id.
///
/// # Errors
/// [`ResponseError::Malformed`].
pub fn contact_port(json: &str) -> Result<LineLink, ResponseError> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(rename = "newContactPort")]
        id: Hex<16>,
    }

    json::read(json).map(|Fields { id }| id.into()).ok_or(ResponseError::Malformed)
}

/// To `FetchBundle`: the bundle, as JSON or as text that is JSON.
///
/// # Errors
/// Any [`BundleError`].
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
