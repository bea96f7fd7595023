//! Memory: what was taken from one peer, so that nothing is taken twice (§18.8).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use minicbor::{Decode, Encode};

use super::id::PortalId;
use super::message::OpeningMark;
use super::name::AppName;
use super::request::{RequestId, RequestMark, Say};
use super::step::{self, PortalKey, Row, Wiped};
use crate::cbor;
use crate::error::RestoreError;
use crate::time::UnixSeconds;

/// How many Openings and how many requests of one peer are remembered.
pub(super) const MAX_TAKEN: usize = 64;
/// How far what was created may lie ahead of this Portal's clock, in seconds.
pub(super) const AHEAD: u64 = 60;
/// How far it may lie behind it.
pub(super) const BEHIND: u64 = 600;

const OPENING: u8 = 35;
const REQUEST: u8 = 36;

/// All that is remembered of one peer.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) openings: BTreeMap<OpeningMark, UnixSeconds>,
    pub(super) requests: BTreeMap<RequestMark, Taken>,
}

/// The encoding of a `Say`. It is remembered and on its way at once.
pub(super) type Said = Arc<Wiped>;

/// A request that was taken.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) created: UnixSeconds,
    /// Only this app may ask for it again.
    pub(super) app: AppName,
    pub(super) phase: Phase,
}

#[derive(Clone)]
pub(super) enum Phase {
    /// The app has the parts before this one, or is getting the last of them. `wanted`: it can take this one.
    Receiving { next: u64, wanted: bool },
    /// The app has all of it.
    Working,
    /// What the app answered. With `rest`, more follow.
    Answered { say: Said, rest: Rest },
    /// This Portal stopped before the app had answered.
    Interrupted,
}

/// The parts of an answer behind the first.
#[derive(Clone)]
pub(super) enum Rest {
    /// There are none.
    None,
    /// They were lost when this Portal stopped.
    Lost,
    /// The app has given the parts before this one, and was not asked for it. `last` is what it gave then.
    Next { number: u64, last: Option<Said> },
    /// The app has given all, and this was the last, with this number.
    All { number: u64, last: Said },
    /// The app was asked for this one.
    Asked { number: u64 },
}

/// A change of the memory.
pub(super) enum Change {
    Opening(OpeningMark, UnixSeconds),
    Request(RequestMark, Taken),
    Forget(RequestMark),
    ForgetOpening(OpeningMark),
}

#[derive(Encode, Decode)]
struct OpeningRow {
    #[n(0)]
    created: UnixSeconds,
    #[n(1)]
    mark: OpeningMark,
}

#[derive(Encode, Decode)]
struct RequestRow<'b> {
    #[n(0)]
    created: UnixSeconds,
    #[n(1)]
    nonce: RequestMark,
    #[n(2)]
    app: AppName,
    #[cbor(b(3), with = "minicbor::bytes")]
    answer: Option<&'b [u8]>,
}

impl Memory {
    /// What the records say. A request without an answer was interrupted.
    pub(super) fn restore<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> Result<Self, RestoreError> {
        let mut memory = Self::default();
        for record in records {
            if let Ok((_, OpeningRow { created, mark })) = step::restore(OPENING, record) {
                memory.openings.insert(mark, created);
                continue;
            }
            let (_, RequestRow { created, nonce, app, answer }) = step::restore(REQUEST, record)?;
            let phase = match answer {
                Some(answer) => {
                    let rest = match cbor::decode::<Say<'_>>(answer).map_err(|_| RestoreError::Malformed)? {
                        Say::Answer(answer) if answer.body.has_more() => Rest::Lost,
                        Say::Answer(_) => Rest::None,
                        _ => return Err(RestoreError::Malformed),
                    };
                    Phase::Answered { say: Arc::new(Wiped::new(answer.to_vec())), rest }
                }
                None => Phase::Interrupted,
            };
            memory.requests.insert(nonce, Taken { created, app, phase });
        }
        if memory.openings.len() > MAX_TAKEN || memory.requests.len() > MAX_TAKEN {
            return Err(RestoreError::Malformed);
        }
        Ok(memory)
    }

    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Opening(mark, created) => _ = self.openings.insert(mark, created),
            Change::Request(nonce, taken) => _ = self.requests.insert(nonce, taken),
            Change::Forget(nonce) => _ = self.requests.remove(&nonce),
            Change::ForgetOpening(mark) => _ = self.openings.remove(&mark),
        }
    }

    /// When the first of them may be forgotten.
    pub(super) fn deadline(&self) -> Option<UnixSeconds> {
        let created = self.openings.values().chain(self.requests.values().map(|taken| &taken.created)).min();
        created.map(|created| forgotten_at(*created))
    }

    /// What may be forgotten by now, and the latest time at which any of it was created: from then on nothing older is taken.
    pub(super) fn expired(&self, now: UnixSeconds) -> (Vec<Change>, Option<UnixSeconds>) {
        let is_expired = |created: UnixSeconds| forgotten_at(created) <= now;
        let openings = self.openings.iter().map(|(mark, created)| (Change::ForgetOpening(*mark), *created));
        let requests = self.requests.iter().map(|(nonce, taken)| (Change::Forget(*nonce), taken.created));
        let (changes, created): (Vec<_>, Vec<_>) = openings.chain(requests).filter(|(_, at)| is_expired(*at)).unzip();
        (changes, created.into_iter().max())
    }
}

fn forgotten_at(created: UnixSeconds) -> UnixSeconds {
    created.plus(BEHIND.saturating_add(AHEAD))
}

/// Whether something that was created then is taken now.
pub(super) fn is_fresh(created: UnixSeconds, now: UnixSeconds) -> bool {
    created <= now.plus(AHEAD) && created.plus(BEHIND) >= now
}

/// The row of an Opening.
pub(super) fn opening_row(peer: PortalId, mark: OpeningMark, created: UnixSeconds) -> Row {
    let record = step::record(OPENING, 0, &OpeningRow { created, mark });
    Row::new(PortalKey::Opening(peer, mark), 0, record).until(forgotten_at(created))
}

/// The row of a request: with its answer it replaces the one without.
pub(super) fn request_row(peer: PortalId, id: RequestId, app: &AppName, answer: Option<&[u8]>) -> Row {
    let (RequestId { created, nonce }, revision) = (id, u64::from(answer.is_some()));
    let record = step::record(REQUEST, revision, &RequestRow { created, nonce, app: app.clone(), answer });
    Row::new(PortalKey::Request(peer, nonce), revision, record).until(forgotten_at(created))
}

/// The key of the row that a change deletes.
pub(super) fn deleted(peer: PortalId, change: &Change) -> Option<PortalKey> {
    match change {
        Change::Forget(nonce) => Some(PortalKey::Request(peer, *nonce)),
        Change::ForgetOpening(mark) => Some(PortalKey::Opening(peer, *mark)),
        Change::Opening(..) | Change::Request(..) => None,
    }
}
