//! Liar: a Portal that the others' owners have entered, and that sends whatever can be made with its key.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use minicbor::{Decoder, Encoder};
use rand_core::Rng;

use super::host::Letter;
use super::noise::{self, Keys, Opener, Pair};
use super::schedule::jump;
use super::world::LIAR;
use crate::portal::{PortalId, RequestId};
use crate::{PublicKey, UnixSeconds};

type Id = [u8; RequestId::LENGTH];

/// A session that the liar opened.
struct Session {
    id: Vec<u8>,
    keys: Keys,
    next: u64,
}

pub(super) struct Liar {
    pair: Pair,
    pub(super) id: PortalId,
    /// The honest Portals' keys, by number.
    keys: Vec<[u8; 32]>,
    openers: BTreeMap<u64, Opener>,
    sessions: BTreeMap<usize, Session>,
    /// Those that others opened.
    opened: BTreeMap<Vec<u8>, Keys>,
    ids: Vec<Id>,
    pub(super) mood: u8,
    /// What the liar says next, whatever it is asked.
    pub(super) script: Option<Vec<u8>>,
    count: u64,
}

/// What the liar is given.
pub(super) struct Known<'w> {
    pub(super) now: UnixSeconds,
    pub(super) rng: &'w mut ChaCha8Rng,
    pub(super) connections: &'w mut u64,
    /// The ids of what honest Portals asked.
    pub(super) ids: Vec<Id>,
}

/// What comes of a lie beside the letters: nonces that the liar says it has the answers of.
#[derive(Default)]
pub(super) struct Lied {
    pub(super) letters: Vec<Letter>,
    pub(super) done: Vec<[u8; 16]>,
}

impl Liar {
    pub(super) fn new(private: [u8; 32], keys: Vec<[u8; 32]>) -> Option<Self> {
        let pair = Pair::new(private);
        let id = PortalId::of(&PublicKey::from_bytes(pair.public).ok()?);
        Some(Self {
            pair,
            id,
            keys,
            openers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            opened: BTreeMap::new(),
            ids: Vec::new(),
            mood: 0,
            script: None,
            count: 0,
        })
    }

    /// The answer to WhoAreYou.
    pub(super) fn i_am(&self) -> Vec<u8> {
        i_am(&self.pair.public)
    }

    /// Whether there is a session with this Portal.
    pub(super) fn has_session(&self, host: usize) -> bool {
        self.sessions.contains_key(&host)
    }

    /// Sends something to this Portal.
    pub(super) fn lies(&mut self, host: usize, how: u8, what: u8, known: &mut Known<'_>) -> Lied {
        self.count = self.count.saturating_add(1);
        let mut lied = Lied::default();
        let new = self.draw(known);
        let old = self.ids.iter().rev().nth(usize::from(what % 4)).copied().unwrap_or(new);
        let of_other = known.ids.iter().rev().nth(usize::from(what % 8)).copied().unwrap_or(new);
        let (post, number) = (self.request(&new, "notes", "POST", "/peer/1/0?liar", &[]), u64::from(what % 4));
        let mut opening =
            |liar: &mut Self, ask: &[u8], ahead| lied.letters.extend(liar.opening(host, ask, ahead, known));
        match how {
            0 => opening(self, &HELLO, 0),
            1 => opening(self, &self.request(&new, "notes", "GET", "/peer/2/0?liar", &[]), 0),
            2 => opening(self, &post, 0),
            3 => opening(self, &[], 0),
            4 => {
                let ahead = jump(what);
                opening(self, &self.request(&new, "photos", "GET", "/pub/1/1?liar", &[]), ahead);
            }
            5 => opening(self, &self.request(&of_other, "notes", "GET", "/peer/1/0?liar", &[]), 0),
            6 => (0..66).for_each(|_| opening(self, &HELLO, 0)),
            _ => {
                let asks = match how {
                    7 => [(Vec::new(), self.request(&old, "notes", "POST", "/peer/1/0?again", &[]))].into(),
                    8 => [(Vec::new(), self.request(&new, "notes", "POST", "/private/1/0", &[]))].into(),
                    9 => [(Vec::new(), self.request(&new, "other", "GET", "/peer/1/0", &[]))].into(),
                    10 => [(Vec::new(), part(&old, number, b"part", what & 4 != 0))].into(),
                    11 => [(Vec::new(), more(&old, number))].into(),
                    12 => [(self.ids.clone(), HELLO.to_vec())].into(),
                    13 => [(known.ids.clone(), HELLO.to_vec())].into(),
                    14 => [(Vec::new(), [&[what][..], &post].concat())].into(),
                    15 => [(Vec::new(), self.request(&new, "notes", "GET", "/peer/1/0", &[("portal-peer-id", "x")]))]
                        .into(),
                    16 => [(Vec::new(), self.request(&new, "notes", "GET", "/peer/../private", &[]))].into(),
                    17 => {
                        [(Vec::new(), part(&of_other, number, b"part", false)), (Vec::new(), more(&of_other, number))]
                            .into()
                    }
                    18 => (0..66)
                        .map(|_| {
                            (Vec::new(), {
                                let id = self.draw(known);
                                self.request(&id, "notes", "POST", "/peer/1/0?many", &[])
                            })
                        })
                        .collect(),
                    _ => Vec::from([(Vec::new(), post)]),
                };
                for (ids, ask) in asks {
                    let done: Vec<[u8; 16]> = ids.iter().filter_map(|id| id.last_chunk().copied()).take(64).collect();
                    lied.letters.extend(self.exchange(host, &done, &ask, how == 19 && what & 1 != 0, known));
                    lied.done.extend(done);
                }
            }
        }
        lied
    }

    /// Sends an ask of any bytes, in the session if there is one and it is wanted.
    pub(super) fn asks(&mut self, host: usize, ask: &[u8], in_session: bool, known: &mut Known<'_>) -> Option<Letter> {
        if in_session && self.has_session(host) {
            self.exchange(host, &[], ask, false, known)
        } else {
            self.opening(host, ask, 0, known)
        }
    }

    fn draw(&mut self, known: &mut Known<'_>) -> Id {
        let mut id = [0; RequestId::LENGTH];
        known.rng.fill_bytes(&mut id);
        id.iter_mut().zip(known.now.as_secs().to_be_bytes()).for_each(|(to, from)| *to = from);
        self.ids.push(id);
        id
    }

    fn opening(&mut self, host: usize, ask: &[u8], ahead: i64, known: &mut Known<'_>) -> Option<Letter> {
        let mut ephemeral = [0; 32];
        known.rng.fill_bytes(&mut ephemeral);
        let created = known.now.as_secs().saturating_add_signed(ahead);
        let payload = written(|e| e.array(3)?.u64(created)?.str(&format!("Liar {}", self.count % 3))?.ok());
        let payload = [&payload[..], ask].concat();
        let (noise, opener) = noise::open_with(&self.pair, self.keys.get(host)?, Pair::new(ephemeral), &payload);
        let letter = letter(host, known, written(|e| e.array(2)?.u8(1)?.array(2)?.u8(2)?.bytes(&noise)?.ok()));
        self.openers.insert(letter.connection, opener);
        Some(letter)
    }

    fn exchange(
        &mut self,
        host: usize,
        done: &[[u8; 16]],
        ask: &[u8],
        again: bool,
        known: &mut Known<'_>,
    ) -> Option<Letter> {
        let session = self.sessions.get_mut(&host)?;
        let number = if again { 0 } else { session.next };
        session.next = session.next.saturating_add(1);
        let payload = written(|e| {
            e.array(2)?.array(done.len() as u64)?;
            done.iter().try_for_each(|nonce| e.bytes(nonce).map(drop))
        });
        let text = noise::seal(&session.keys.caller, number, &[], &[&payload[..], ask].concat());
        let message =
            written(|e| e.array(2)?.u8(1)?.array(4)?.u8(4)?.bytes(&session.id)?.u64(number)?.bytes(&text)?.ok());
        Some(letter(host, known, message))
    }

    fn request(&self, id: &Id, app: &str, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        written(|e| {
            e.array(2)?.u8(1)?.array(6)?;
            named(e, id)?.str(app)?.str(method)?.str(target)?.array(headers.len() as u64)?;
            headers.iter().try_for_each(|(name, value)| e.array(2)?.str(name)?.str(value)?.ok())?;
            let body: &[u8] = if method == "GET" { &[] } else { b"a lie" };
            e.array(2)?.bytes(body)?.bool(self.count % 4 == 3 && method != "GET")?.ok()
        })
    }

    /// A message of another Portal, or the answer to one of the liar's.
    pub(super) fn gets(&mut self, letter: &Letter, known: &mut Known<'_>) -> Option<Letter> {
        let (kind, first, second) = read(&letter.bytes)?;
        if letter.is_answer {
            let opener = self.openers.get(&letter.connection)?;
            let (payload, keys) = noise::read_opened(&self.pair, opener, &first)?;
            let mut d = Decoder::new(&payload);
            let id = d.array().and_then(|_| d.bytes()).ok()?.into();
            self.sessions.insert(letter.from, Session { id, keys, next: 0 });
            return None;
        }
        self.count = self.count.saturating_add(1);
        let other = Pair::new([7; 32]).public;
        let bytes = match (kind, self.mood) {
            (0, 1) => i_am(&other),
            (_, 1) => self.i_am(),
            (0, _) => self.i_am(),
            (2, _) => {
                let (_, payload, answerer) = noise::read_opening(&self.pair, &first)?;
                let mut d = Decoder::new(&payload);
                d.array().and_then(|_| d.skip()).and_then(|()| d.skip()).ok()?;
                let say = self.says(payload.get(d.position()..)?);
                let mut ephemeral = [0; 32];
                known.rng.fill_bytes(&mut ephemeral);
                let mut session = [0; 16];
                known.rng.fill_bytes(&mut session);
                let answer = written(|e| e.array(3)?.bytes(&session)?.str("Liar")?.ok());
                let answer = [&answer[..], &say].concat();
                let (noise, keys) = noise::answer_with(answerer, &Pair::new(ephemeral), &answer);
                self.opened.insert(session.to_vec(), keys);
                written(|e| e.array(2)?.u8(1)?.array(2)?.u8(3)?.bytes(&noise)?.ok())
            }
            (4, _) => {
                let keys = self.opened.get(&first)?.clone();
                let (number, text) = second?;
                let payload = noise::open(&keys.caller, number, &[], &text)?;
                let mut d = Decoder::new(&payload);
                d.array().and_then(|_| d.skip()).ok()?;
                let say = self.says(payload.get(d.position()..)?);
                let text = noise::seal(&keys.callee, number, &[], &say);
                written(|e| e.array(2)?.u8(1)?.array(2)?.u8(5)?.bytes(&text)?.ok())
            }
            _ => return None,
        };
        Some(Letter { from: LIAR, to: letter.from, connection: letter.connection, is_answer: true, bytes })
    }

    /// What the liar says to this.
    fn says(&mut self, ask: &[u8]) -> Vec<u8> {
        if let Some(say) = self.script.take() {
            return say;
        }
        let (count, asked) = (self.count, ask.get(1).copied().unwrap_or_default());
        written(|e| match (self.mood, asked) {
            (0, 0) => e.array(1)?.u8(0)?.ok(),
            (0, 3) | (3, _) => e.array(2)?.u8(3)?.array(2)?.bytes(b"lie")?.bool(self.mood == 3)?.ok(),
            (2, _) => e.array(1)?.u8(2)?.ok(),
            (4, _) => e.array(2)?.u8(4)?.u8((count % 8) as u8)?.ok(),
            (5, _) => e.array(1)?.u8(5)?.ok(),
            (6, _) => e.array(1)?.u8(9)?.ok(),
            _ => {
                e.array(2)?.u8(1)?.array(3)?.u16(200)?.array(0)?;
                e.array(2)?.bytes(b"a lie")?.bool(false)?.ok()
            }
        })
    }
}

/// `[0]`.
const HELLO: [u8; 2] = [0x81, 0];

fn i_am(key: &[u8; 32]) -> Vec<u8> {
    written(|e| e.array(2)?.u8(1)?.array(2)?.u8(1)?.bytes(key)?.ok())
}

fn letter(to: usize, known: &mut Known<'_>, bytes: Vec<u8>) -> Letter {
    *known.connections = known.connections.saturating_add(1);
    Letter { from: LIAR, to, connection: *known.connections, is_answer: false, bytes }
}

type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Written) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes everything.
    let _ = write(&mut Encoder::new(&mut bytes));
    bytes
}

fn named<'e, 'v>(
    e: &'e mut Encoder<&'v mut Vec<u8>>,
    id: &Id,
) -> Result<&'e mut Encoder<&'v mut Vec<u8>>, minicbor::encode::Error<core::convert::Infallible>> {
    let created = id.first_chunk().copied().map_or(0, u64::from_be_bytes);
    e.array(2)?.u64(created)?.bytes(id.get(8..).unwrap_or_default())
}

fn part(id: &Id, number: u64, bytes: &[u8], more: bool) -> Vec<u8> {
    written(|e| {
        e.array(5)?.u8(2)?;
        named(e, id)?.str("notes")?.u64(number)?.array(2)?.bytes(bytes)?.bool(more)?.ok()
    })
}

fn more(id: &Id, number: u64) -> Vec<u8> {
    written(|e| {
        e.array(4)?.u8(3)?;
        named(e, id)?.str("notes")?.u64(number)?.ok()
    })
}

/// The number and the text of an Exchange.
type Numbered = Option<(u64, Vec<u8>)>;

/// A message's number, and what stands in it.
fn read(message: &[u8]) -> Option<(u8, Vec<u8>, Numbered)> {
    let mut d = Decoder::new(message);
    d.array().and_then(|_| d.u8()).and_then(|_| d.array()).ok()?;
    let kind = d.u8().ok()?;
    let first = d.bytes().map(Vec::from).unwrap_or_default();
    let second = d.u64().ok().and_then(|number| Some((number, d.bytes().ok()?.to_vec())));
    Some((kind, first, second))
}
