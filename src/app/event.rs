//! What the app's server tells of lines (§17.7).

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::bundle::date;
use super::error::EventError;
use super::intro::Intro;
use super::json::{self, Hex, Object, Text, is_truthy};
use super::message::EncryptedContent;
use super::text::SecretText;
use crate::id::{LineId, LineLink, PairHash, RecordKey};
use crate::port::PortKind;
use crate::time::UnixSeconds;

/// The null of the app's ids.
const NONE: &str = "None";

/// An event of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub what: Happened,
    /// When, as the server says. `None` too if it says so in a way that this version can't read.
    pub timestamp: Option<UnixSeconds>,
}

/// What happened to a line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Happened {
    /// Somebody used a bundle of ours. Check his intro message; unless it is accepted, disconnect.
    Used {
        /// How it may be used, as the server says: go by what was kept of this `port_id`.
        kind: PortKind,
        /// The bundle.
        port_id: LineLink,
        /// The new line. If it is known already, this came again.
        line_id: LineId,
        /// The two users, as the server calls them.
        pair_hash: PairHash,
        /// His proof, or what is there in its place.
        intro: Intro,
    },
    /// The line is no more.
    Ended {
        /// The line.
        line_id: LineId,
    },
    /// Something was said.
    Message {
        /// The line.
        line_id: LineId,
        /// To be opened with its key.
        content: EncryptedContent,
    },
}

/// All members as they stand: which of them count is decided as JavaScript would. `null` is as good as none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow, default)]
    line_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    deletion: Option<&'a RawValue>,
    #[serde(borrow, default)]
    group: Option<&'a RawValue>,
    #[serde(borrow, default)]
    removed_from_group: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pair_hash: Option<&'a RawValue>,
    #[serde(borrow, default)]
    introduction: Option<&'a RawValue>,
    #[serde(borrow, default)]
    line_link_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    superport_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    contact_port_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    call_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
}

impl Event {
    /// Which record this event belongs to (§8.2).
    pub const fn key(&self) -> RecordKey {
        match &self.what {
            Happened::Used { port_id, .. } => RecordKey::LineLink(*port_id),
            Happened::Ended { line_id } | Happened::Message { line_id, .. } => RecordKey::Line(*line_id),
        }
    }

    /// Reads an event. The app's socket brings arrays of them, each event a string that is the JSON of one.
    ///
    /// # Errors
    /// [`EventError::NotOfALine`]: it is something else, and the caller's. [`EventError::Malformed`]: drop it.
    pub fn from_json(json: &str) -> Result<Self, EventError> {
        let fields = json::read::<Fields<'_>>(json).ok_or(EventError::Malformed)?;
        let timestamp = fields.timestamp.and_then(timestamp);
        Ok(Self { what: fields.what()?, timestamp })
    }

    /// Its JSON, as the app reads it.
    pub fn to_json(&self) -> SecretText {
        let mut event = Object::default();
        match &self.what {
            Happened::Used { kind, port_id, line_id, pair_hash, intro } => {
                event.hex("lineId", line_id.as_bytes()).hex("pairHash", pair_hash.as_bytes());
                event.value("introduction", intro.to_json());
                // The app wants one that is true, also where there is none.
                match kind {
                    PortKind::Port => event.hex("lineLinkId", port_id.as_bytes()),
                    PortKind::Superport => event.string("lineLinkId", NONE).hex("superportId", port_id.as_bytes()),
                    PortKind::ContactPort => event.string("lineLinkId", NONE).hex("contactPortId", port_id.as_bytes()),
                }
            }
            Happened::Ended { line_id } => event.hex("deletion", line_id.as_bytes()),
            Happened::Message { line_id, content } => {
                event.hex("lineId", line_id.as_bytes()).value("messageContent", content.to_json())
            }
        };
        if let Some(timestamp) = self.timestamp.and_then(date) {
            event.string("timestamp", &timestamp);
        }
        event.end()
    }
}

impl Fields<'_> {
    /// In the order in which the app looks.
    fn what(&self) -> Result<Happened, EventError> {
        let [line_id, deletion, group, removed, message] =
            [self.line_id, self.deletion, self.group, self.removed_from_group, self.message_content].map(truthy);
        if group.or(removed).is_some() {
            return Err(EventError::NotOfALine);
        }
        if message.is_none() && truthy(self.line_link_id).is_some() {
            let ids = [
                (PortKind::ContactPort, self.contact_port_id),
                (PortKind::Superport, self.superport_id),
                (PortKind::Port, self.line_link_id),
            ];
            if let Some((kind, port_id)) =
                ids.into_iter().find(|(_, id)| truthy(*id).is_some_and(|id| !text_newtype(id, NONE)))
            {
                return Ok(Happened::Used {
                    kind,
                    port_id: hex::<16, _>(port_id)?,
                    line_id: hex::<16, _>(line_id)?,
                    pair_hash: hex::<32, _>(self.pair_hash)?,
                    intro: Intro::from_json(self.introduction.map(RawValue::get).unwrap_or_default()),
                });
            }
        }
        if deletion.is_some() {
            let ended: LineId = hex::<16, _>(deletion)?;
            // The app goes by the other one, if there is one.
            if line_id.is_some() && hex::<16, LineId>(line_id)? != ended {
                return Err(EventError::Malformed);
            }
            return Ok(Happened::Ended { line_id: ended });
        }
        match (self.call_type.is_some_and(|kind| text_newtype(kind, "line")), line_id, message) {
            (false, Some(_), Some(message)) => Ok(Happened::Message {
                line_id: hex::<16, _>(line_id)?,
                content: EncryptedContent::from_json(message.get()).map_err(|_| EventError::Malformed)?,
            }),
            _ => Err(EventError::NotOfALine),
        }
    }
}

fn truthy(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| is_truthy(value))
}

fn text_newtype(value: &RawValue, expected: &str) -> bool {
    serde_json::from_str::<Text<'_>>(value.get()).is_ok_and(|text| &*text == expected)
}

fn hex<const N: usize, T: From<[u8; N]>>(value: Option<&RawValue>) -> Result<T, EventError> {
    let hex = value.and_then(|value| serde_json::from_str::<Hex<N>>(value.get()).ok());
    hex.map(Hex::into).ok_or(EventError::Malformed)
}

/// Of what JavaScript's `Date` reads: RFC 3339, and milliseconds since 1970. A time is no reason to lose an event.
fn timestamp(value: &RawValue) -> Option<UnixSeconds> {
    let seconds = match serde_json::from_str::<u64>(value.get()) {
        Ok(milliseconds) => i64::try_from(milliseconds.checked_div(1000)?).ok()?,
        Err(_) => {
            let text = serde_json::from_str::<Text<'_>>(value.get()).ok()?;
            let separates = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
            OffsetDateTime::parse(&text, &Rfc3339).ok().filter(|_| separates)?.unix_timestamp()
        }
    };
    // What can't be written again is no time.
    let seconds = UnixSeconds(u64::try_from(seconds).ok()?);
    date(seconds).map(|_| seconds)
}
