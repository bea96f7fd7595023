//! Peers (§19.3): the rows, and the bodies of the API about them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::identity::{FullId, PublicKey, ShortId};
use super::mode::Mode;
use super::url::Url;

/// Why a row is not taken (§19.3). The API answers 422 to the owner's entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The ID has less than six characters. Ask for all of it.
    #[error("an ID has at least six characters")]
    TooShort,
    /// Strictly, it is not a full ID: a part of one names nobody. Ask for all 103 characters.
    #[error("not a full ID")]
    NotFull,
    /// The text is not a key, or strictly not one of 4,096 bits. Ask the peer's Portal again.
    #[error("not a key that is taken")]
    BadKey,
    /// The key's ID does not begin with the row's; or, strictly, is another. Somebody else answers in the peer's place: tell the owner.
    #[error("public key and ID do not match")]
    Mismatch,
    /// It is not the JSON of a row.
    #[error("not the JSON of a peer")]
    Json,
}

/// A row: one peer (§19.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    id: String,
    name: Option<String>,
    key: Option<PublicKey>,
    is_reachable: bool,
}

/// The JSON of a row. The third field holds a PEM, whatever its name says.
#[derive(Serialize, Deserialize)]
struct Row {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    public_bytes_b64: Option<String>,
    #[serde(default = "yes")]
    is_reachable: Option<bool>,
}

const fn yes() -> Option<bool> {
    Some(true)
}

impl Peer {
    /// A peer as the owner typed it: no key yet.
    ///
    /// # Errors
    /// [`PeerError::TooShort`]; strictly [`PeerError::NotFull`] for all that is not a full ID.
    pub fn new(mode: Mode, id: &str, name: Option<&str>) -> Result<Self, PeerError> {
        if id.chars().count() < ShortId::LENGTH {
            return Err(PeerError::TooShort);
        }
        if mode == Mode::Strict && id.parse::<FullId>().is_err() {
            return Err(PeerError::NotFull);
        }
        Ok(Self { id: id.into(), name: name.map(Into::into), key: None, is_reachable: true })
    }

    /// Gives it a key.
    ///
    /// # Errors
    /// [`PeerError::Mismatch`] if the key's ID does not begin with the row's; strictly, if it is another. Strictly [`PeerError::BadKey`] for a key
    /// that the real system could not have made.
    pub fn with_key(mut self, mode: Mode, key: PublicKey) -> Result<Self, PeerError> {
        let id = key.id().to_string();
        if !id.starts_with(&self.id) || (mode == Mode::Strict && id != self.id) {
            return Err(PeerError::Mismatch);
        }
        if mode == Mode::Strict && !key.is_standard() {
            return Err(PeerError::BadKey);
        }
        self.key = Some(key);
        Ok(self)
    }

    /// Whether the peer's Portal answered when it was asked last.
    #[must_use]
    pub const fn reachable(mut self, is_reachable: bool) -> Self {
        self.is_reachable = is_reachable;
        self
    }

    /// Reads the JSON of a row: `{id, name, public_bytes_b64, is_reachable}`.
    ///
    /// # Errors
    /// [`PeerError`] says what is wrong with it.
    pub fn from_json(mode: Mode, json: &[u8]) -> Result<Self, PeerError> {
        let row: Row = serde_json::from_slice(json).map_err(|_| PeerError::Json)?;
        Self::from_row(mode, &row)
    }

    fn from_row(mode: Mode, row: &Row) -> Result<Self, PeerError> {
        let peer = Self::new(mode, &row.id, row.name.as_deref())?.reachable(row.is_reachable.unwrap_or_default());
        match row.public_bytes_b64.as_deref() {
            None | Some("") => Ok(peer),
            Some(pem) => peer.with_key(mode, PublicKey::from_pem(pem).map_err(|_| PeerError::BadKey)?),
        }
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.row()).unwrap_or_default()
    }

    fn row(&self) -> Row {
        Row {
            id: self.id.clone(),
            name: self.name.clone(),
            public_bytes_b64: self.key.as_ref().map(|key| key.to_pem().into()),
            is_reachable: Some(self.is_reachable),
        }
    }

    /// The ID as it was typed: strictly a full one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name: what the owner gave or, *as built*, what the peer calls itself.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The key, once the peer's Portal has shown it.
    pub const fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// Whether the peer's Portal answered when it was asked last.
    pub const fn is_reachable(&self) -> bool {
        self.is_reachable
    }

    /// The first six characters of the ID, whatever they are.
    pub fn short_id(&self) -> &str {
        let end = self.id.char_indices().nth(ShortId::LENGTH).map_or(self.id.len(), |(at, _)| at);
        self.id.get(..end).unwrap_or_default()
    }

    /// Where to ask who it is. `None` if no address can be made of the ID.
    pub fn whoareyou_url(&self, zone: &str) -> Option<String> {
        let url = Url::new(&format!("https://{}.{zone}/core/public/meta/whoareyou", self.short_id()))?;
        Some(url.as_str().into())
    }
}

/// What a Portal answers to `GET /core/public/meta/whoareyou` (§19.3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WhoAreYou {
    /// The full ID.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Its owner's address, if the owner shows it.
    #[serde(default)]
    pub email: Option<String>,
    /// What its owner says of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it is the identity that signs. It always is.
    pub is_default: bool,
    /// The public key.
    pub public_key_pem: String,
    /// Its address.
    pub domain: String,
}

impl WhoAreYou {
    /// What a Portal with this key answers.
    pub fn new(name: &str, key: &PublicKey, zone: &str) -> Self {
        Self {
            id: key.id().to_string(),
            name: name.into(),
            email: None,
            description: None,
            is_default: true,
            public_key_pem: key.to_pem().into(),
            domain: format!("{}.{zone}", key.id().short()),
        }
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What came of asking a peer who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'a> {
    /// No connection.
    Unreachable,
    /// An answer came.
    Http {
        /// Its status.
        status: u16,
        /// Its body.
        body: &'a [u8],
    },
}

/// A peer was asked who it is, and its answer is none (§19.3). Nothing has changed. *As built*, a PUT fails with 500. Tell the owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The status says that it failed. Ask again later.
    #[error("the peer answered with an error")]
    Status,
    /// The body is not the JSON of an answer. What answers there is no Portal.
    #[error("not the JSON of an answer")]
    Json,
    /// The answer's ID is not the peer's. Somebody else answers in its place.
    #[error("another Portal answered")]
    OtherId,
    /// The answer's key does not have the answer's ID. The server that answers there lies.
    #[error("the key does not belong to the ID")]
    Key,
}

impl Peer {
    /// What the row becomes by an answer. Right: key and name are stored, and it is reachable. Unreachable: only that is stored.
    ///
    /// *As built*, the name is what the peer calls itself. Strictly, a name that there is stays.
    ///
    /// # Errors
    /// [`AnswerError`], and the row stays what it was.
    pub fn answered(&self, mode: Mode, answer: Answer<'_>) -> Result<Self, AnswerError> {
        let Answer::Http { status, body } = answer else { return Ok(self.clone().reachable(false)) };
        if status >= 400 || (mode == Mode::Strict && status != 200) {
            return Err(AnswerError::Status);
        }
        let answer: WhoAreYou = serde_json::from_slice(body).map_err(|_| AnswerError::Json)?;
        if !answer.id.starts_with(&self.id) {
            return Err(AnswerError::OtherId);
        }
        let key = PublicKey::from_pem(&answer.public_key_pem).map_err(|_| AnswerError::Key)?;
        if !key.id().to_string().starts_with(&answer.id) {
            return Err(AnswerError::Key);
        }
        let mut peer = self.clone().with_key(mode, key).map_err(|_| AnswerError::Key)?.reachable(true);
        if mode == Mode::AsBuilt || peer.name.is_none() {
            peer.name = Some(answer.name);
        }
        Ok(peer)
    }
}

/// What to ask a peer: `GET` this URL, and hand the answer to [`Peers::answered`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// The ID of the row.
    pub id: String,
    /// The URL. `None` if no address can be made of the ID: that is as if nobody answered.
    pub url: Option<String>,
}

/// All peers of a Portal, in the order in which they were entered (§19.3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peers {
    mode: Mode,
    rows: Vec<Peer>,
}

impl Peers {
    /// None yet.
    pub const fn new(mode: Mode) -> Self {
        Self { mode, rows: Vec::new() }
    }

    /// Adds a row as it was stored.
    ///
    /// # Errors
    /// Strictly [`PeerError::NotFull`] for a row that was made *as built* with less than a full ID.
    pub fn restore(&mut self, peer: Peer) -> Result<(), PeerError> {
        let mut checked = Peer::new(self.mode, &peer.id, peer.name.as_deref())?.reachable(peer.is_reachable);
        if let Some(key) = peer.key {
            checked = checked.with_key(self.mode, key)?;
        }
        self.rows.push(checked);
        Ok(())
    }

    /// How peers are taken.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The rows.
    pub fn rows(&self) -> &[Peer] {
        &self.rows
    }

    /// `PUT /protected/peers` with `{id, name?}`: stores the row, and says which URL to ask. If there is one whose ID begins with this, only its name
    /// changes.
    ///
    /// # Errors
    /// [`PeerError`]: answer 422. Nothing has changed.
    pub fn put(&mut self, json: &[u8], zone: &str) -> Result<Ask, PeerError> {
        let row: Row = serde_json::from_slice(json).map_err(|_| PeerError::Json)?;
        let peer = Peer::new(self.mode, &row.id, row.name.as_deref())?;
        let ask = Ask { url: peer.whoareyou_url(zone), id: row.id };
        let mut known = false;
        for old in self.rows.iter_mut().filter(|old| old.id.starts_with(&peer.id)) {
            // Strictly, a PUT without a name asks again, and takes no name away.
            if self.mode == Mode::AsBuilt || peer.name.is_some() {
                old.name.clone_from(&peer.name);
            }
            known = true;
        }
        if !known {
            self.rows.push(peer);
        }
        Ok(ask)
    }

    /// What to ask every 60 seconds: the peers that have a key. One without is asked only after a PUT.
    pub fn refresh(&self, zone: &str) -> Vec<Ask> {
        let keyed = self.rows.iter().filter(|peer| peer.key.is_some());
        keyed.map(|peer| Ask { id: peer.id.clone(), url: peer.whoareyou_url(zone) }).collect()
    }

    /// What was asked is answered. `Ok`: the PUT succeeds, with 200.
    ///
    /// # Errors
    /// [`AnswerError`]: nothing has changed, and the PUT fails, with 500.
    pub fn answered(&mut self, id: &str, answer: Answer<'_>) -> Result<(), AnswerError> {
        match self.rows.iter_mut().find(|row| row.id == id) {
            Some(row) => *row = row.answered(self.mode, answer)?,
            // It is gone, or was entered by a longer part of its ID: the answer is judged, and changes nothing.
            None => {
                drop(Peer { id: id.into(), name: None, key: None, is_reachable: true }.answered(self.mode, answer)?)
            }
        }
        Ok(())
    }

    /// `GET /protected/peers/{id}`: the first row whose ID begins with this; strictly, the one whose ID this is. `None`: answer 404.
    pub fn get(&self, id: &str) -> Option<&Peer> {
        self.rows.iter().find(|row| is_named(self.mode, row, id))
    }

    /// `GET /protected/peers`, or with `?name=`: those whose name has this in it, in any case.
    pub fn to_json(&self, name: Option<&str>) -> String {
        let wanted = name.unwrap_or_default().to_lowercase();
        let fits = |row: &&Peer| {
            wanted.is_empty() || row.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&wanted))
        };
        let rows: Vec<Row> = self.rows.iter().filter(fits).map(Peer::row).collect();
        serde_json::to_string(&rows).unwrap_or_default()
    }

    /// `DELETE /protected/peers/{id}`: answer 204. Removes every row whose ID begins with this; strictly, only the one whose ID this is. Gives their
    /// number.
    pub fn remove(&mut self, id: &str) -> usize {
        let before = self.rows.len();
        let mode = self.mode;
        self.rows.retain(|row| !is_named(mode, row, id));
        before.saturating_sub(self.rows.len())
    }

    /// Whose signature a `keyid` names, and the row that the app hears of.
    ///
    /// *As built*, of two rows with one short ID the last gives the key and the first the name. Strictly, neither is meant.
    pub(super) fn by_short_id(&self, key_id: &str) -> Option<(&PublicKey, &Peer)> {
        let mut rows = self.rows.iter().filter(|row| row.short_id() == key_id);
        let first = rows.next()?;
        let last = rows.next_back();
        if self.mode == Mode::Strict && last.is_some() {
            return None;
        }
        Some((last.unwrap_or(first).key.as_ref()?, first))
    }
}

fn is_named(mode: Mode, row: &Peer, id: &str) -> bool {
    if mode == Mode::Strict { row.id == id } else { row.id.starts_with(id) }
}
