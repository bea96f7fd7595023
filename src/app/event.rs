//! Event: a report of the app's server about a line (§17.7).

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
use crate::id::{LineId, LineLink, PeerMark, RecordKey};
use crate::port::PortKind;
use crate::time::UnixSeconds;

/// The empty value of the app's ids of Ports (§17.7).
const NONE: &str = "None";

/// An event of a line, from the app's server. All of it is the server's claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub what: Happened,
    /// When it happened, as the server claims. `None` if the server gives no time, or one that this version can't read (§17.7).
    pub timestamp: Option<UnixSeconds>,
}

/// What happened to a line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Happened {
    /// A peer used a bundle of this user's. Hand the event to the [`Alice`](super::Alice) of that bundle. A caller without machines checks
    /// the intro message, and disconnects the line unless it is accepted.
    Used {
        /// How the bundle may be used, as the server claims. Go by your own record of this `port_id` (§17.7).
        kind: PortKind,
        /// The id of the bundle that was used.
        port_id: LineLink,
        /// The new line. If you have a record of it, this event came again.
        line_id: LineId,
        /// The two users, as the server claims.
        pair_hash: PeerMark,
        /// Bob's proof. If the event has none, or a malformed one, no check accepts this one either (§17.4).
        intro: Intro,
    },
    /// The line is over.
    Ended {
        /// The line that is over.
        line_id: LineId,
    },
    /// A message came along a line.
    Message {
        /// The line that it came along.
        line_id: LineId,
        /// The sealed message. Open it with the key of that line.
        content: EncryptedContent,
    },
}

/// The members of an event, not parsed yet. JavaScript's rules decide which of them count as present (§17.7). `null` counts as absent.
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
    /// The key of the record that this event belongs to (§8.2).
    pub const fn key(&self) -> RecordKey {
        match &self.what {
            Happened::Used { port_id, .. } => RecordKey::LineLink(*port_id),
            Happened::Ended { line_id } | Happened::Message { line_id, .. } => RecordKey::Line(*line_id),
        }
    }

    /// Parses the JSON of one event. The app's socket brings arrays of strings, each of which is the JSON of one event.
    ///
    /// # Errors
    /// [`EventError::NotOfALine`]: the event is not of a line. Handle it yourself, or drop it. [`EventError::Malformed`]: drop it.
    pub fn from_json(json: &str) -> Result<Self, EventError> {
        let fields = json::read::<Fields<'_>>(json).ok_or(EventError::Malformed)?;
        let timestamp = fields.timestamp.and_then(timestamp);
        Ok(Self { what: fields.what()?, timestamp })
    }

    /// Writes the JSON of the event, in a form that the app reads.
    pub fn to_json(&self) -> SecretText {
        let mut event = Object::default();
        match &self.what {
            Happened::Used { kind, port_id, line_id, pair_hash, intro } => {
                event.hex("lineId", line_id.as_bytes()).hex("pairHash", pair_hash.as_bytes());
                event.value("introduction", intro.to_json());
                // §17.7: every use has a `lineLinkId`. For a Superport or a contact port it is "None".
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
    /// Decides what the event is, by the rows of the table in §17.7, in their order.
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
                ids.into_iter().find(|(_, id)| truthy(*id).is_some_and(|id| !is_text(id, NONE)))
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
            // §17.7: we accept only one line in an event.
            if line_id.is_some() && hex::<16, LineId>(line_id)? != ended {
                return Err(EventError::Malformed);
            }
            return Ok(Happened::Ended { line_id: ended });
        }
        match (self.call_type.is_some_and(|kind| is_text(kind, "line")), line_id, message) {
            (false, Some(_), Some(message)) => Ok(Happened::Message {
                line_id: hex::<16, _>(line_id)?,
                content: EncryptedContent::from_json(message.get()).map_err(|_| EventError::Malformed)?,
            }),
            _ => Err(EventError::NotOfALine),
        }
    }
}

/// The value. `None` if JavaScript counts it as an empty one (§17.7).
fn truthy(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| is_truthy(value))
}

/// Whether the value is this text.
fn is_text(value: &RawValue, expected: &str) -> bool {
    serde_json::from_str::<Text<'_>>(value.get()).is_ok_and(|text| &*text == expected)
}

fn hex<const N: usize, T: From<[u8; N]>>(value: Option<&RawValue>) -> Result<T, EventError> {
    let hex = value.and_then(|value| serde_json::from_str::<Hex<N>>(value.get()).ok());
    hex.map(Hex::into).ok_or(EventError::Malformed)
}

/// Parses RFC 3339, or milliseconds since 1970 as a number (§17.7). Anything else is `None`, because a bad time is no reason to lose an
/// event.
fn timestamp(value: &RawValue) -> Option<UnixSeconds> {
    let seconds = match serde_json::from_str::<u64>(value.get()) {
        Ok(milliseconds) => i64::try_from(milliseconds.checked_div(1000)?).ok()?,
        Err(_) => {
            let text = serde_json::from_str::<Text<'_>>(value.get()).ok()?;
            let separates = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
            OffsetDateTime::parse(&text, &Rfc3339).ok().filter(|_| separates)?.unix_timestamp()
        }
    };
    // §17.7: a time outside of the years 1970 to 9999 counts as none, because it can't be written again.
    UnixSeconds::new(u64::try_from(seconds).ok()?)
}
