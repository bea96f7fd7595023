//! Peer: another Portal, as this one's owner entered it (§18.4).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use minicbor::{Decode, Encode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::asking::Asking;
use super::card::PortalAddr;
use super::error::PeerError;
use super::id::PortalId;
use super::memory::{self, Memory};
use super::message::Message;
use super::name::PortalName;
use super::own::Portal;
use super::session::CallerSession;
use super::step::{self, Created, Machine, PortalKey, Row, Step, Write};
use crate::error::RestoreError;
use crate::port::PublicKey;
use crate::time::UnixSeconds;

/// The pause before the second try, in seconds. Each pause is twice the one before.
const FIRST_PAUSE: u64 = 60;
/// The longest pause is a day: 60 seconds, doubled eleven times, is more.
const LONGEST_PAUSE: u64 = 24 * 60 * 60;
const MAX_DOUBLINGS: u8 = 11;

/// Another Portal, as this one's owner entered it (§18.4): its ID, and its key once that is known; the owner's name for it, and its own. Its record
/// has at most 200 bytes, as long as its times lie before 2106.
///
/// It also remembers what was taken from the peer, each in a row of its own (§18.8), and holds this Portal's session with it, in memory.
pub struct Peer {
    pub(super) revision: u64,
    pub(super) state: State,
    pub(super) id: PortalId,
    pub(super) memory: Memory,
    pub(super) asking: Asking,
}

/// All that a peer's record holds.
#[derive(Clone, Debug, Encode, Decode)]
pub struct State {
    #[n(0)]
    pub(super) known: Known,
    #[n(1)]
    pub(super) address: Option<PortalAddr>,
    #[n(2)]
    pub(super) name: PortalName,
    #[n(3)]
    pub(super) own_name: PortalName,
    #[n(4)]
    pub(super) standing: Standing,
    /// Whatever was created at or before it is refused.
    #[n(5)]
    pub(super) floor: UnixSeconds,
    /// When it is looked up next.
    #[n(6)]
    pub(super) retry: Option<Retry>,
}

impl State {
    fn new(known: Known, standing: Standing) -> Self {
        Self {
            known,
            address: None,
            name: PortalName::NONE,
            own_name: PortalName::NONE,
            standing,
            floor: UnixSeconds::default(),
            retry: None,
        }
    }

    const fn deadline(&self) -> Option<UnixSeconds> {
        match (self.standing, self.retry) {
            (Standing::Entered, Some(retry)) => Some(retry.next),
            _ => None,
        }
    }
}

/// What is known of its key. The ID is the key's hash, so a record needs only one of them.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Known {
    #[n(0)]
    Id(#[n(0)] PortalId),
    #[n(1)]
    Key(#[cbor(n(0), with = "super::message::key")] PublicKey),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Standing {
    #[n(0)]
    Entered,
    #[n(1)]
    Blocked,
    #[n(2)]
    Removed,
}

#[derive(Clone, Copy, Debug, Encode, Decode)]
pub(super) struct Retry {
    #[n(0)]
    doublings: u8,
    #[n(1)]
    next: UnixSeconds,
}

/// What came of asking a peer who it is. Show the owner all but [`Verified`](LookedUp::Verified).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LookedUp {
    /// It answered with the key that hashes to its ID. The key is pinned, and is never replaced.
    Verified,
    /// A Portal answered with a key that is not the peer's. Nothing is kept of it, and a key that is pinned stays. Tell the owner: the address
    /// is wrong, or somebody stands in between. It is asked again at the [`deadline`](Peer::deadline).
    WrongKey,
    /// Nobody answered, or something that is no Portal. It is asked again at the [`deadline`](Peer::deadline).
    Unreachable,
}

/// A peer that is about to be entered.
#[derive(Debug)]
pub struct Entered {
    /// Store it.
    pub created: Created<Peer>,
    /// Another peer whose ID has the same first six characters. Tell the owner, and show both IDs in full. No rule looks at a short ID, so both
    /// are peers.
    pub same_short: Option<PortalId>,
}

impl Peer {
    const ROLE: u8 = 33;

    /// The owner enters a peer. `others` are the peers that there are. Without an address it can ask, but can't be asked.
    ///
    /// # Errors
    /// [`PeerError::Own`]; [`PeerError::Known`] if it is one of `others`; [`PeerError::Removed`] if it was removed: call its
    /// [`enter_again`](Peer::enter_again).
    pub fn enter<'p>(
        portal: &Portal,
        id: PortalId,
        address: Option<PortalAddr>,
        name: PortalName,
        others: impl IntoIterator<Item = &'p Peer>,
        now: UnixSeconds,
    ) -> Result<Entered, PeerError> {
        if id == portal.id() {
            return Err(PeerError::Own);
        }
        let mut same_short = None;
        for other in others {
            if other.id == id {
                return Err(if other.is_removed() { PeerError::Removed } else { PeerError::Known });
            }
            same_short = same_short.or(other.same_short(&id));
        }
        let retry = address.is_some().then_some(Retry { doublings: 0, next: now });
        let state = State { address, name, retry, ..State::new(Known::Id(id), Standing::Entered) };
        let peer = Self { revision: 0, state, id, memory: Memory::default(), asking: Asking::default() };
        let row = peer.row(0, &peer.state);
        Ok(Entered { created: Created::new(peer, row), same_short })
    }

    /// Loads a peer from its record, and from all records of its memory: the rows whose keys are
    /// [`PortalKey::Opening`] and [`PortalKey::Request`] of this peer.
    ///
    /// **Leave out no record of its memory, and never put an older copy in its place**: what was forgotten could be delivered again.
    ///
    /// # Errors
    /// [`RestoreError`]: each variant says what to do.
    pub fn restore<'r>(record: &[u8], memory: impl IntoIterator<Item = &'r [u8]>) -> Result<Self, RestoreError> {
        let (revision, state): (_, State) = step::restore(Self::ROLE, record)?;
        let id = match &state.known {
            Known::Id(id) => *id,
            Known::Key(key) => PortalId::of(key),
        };
        Ok(Self { revision, state, id, memory: Memory::restore(memory)?, asking: Asking::default() })
    }

    /// Its full ID, the only name that it has.
    pub const fn id(&self) -> PortalId {
        self.id
    }

    /// The owner's name for it.
    pub const fn name(&self) -> &PortalName {
        &self.state.name
    }

    /// Its own name for itself: its word. Show it beside the owner's name, and not in its place.
    pub const fn own_name(&self) -> &PortalName {
        &self.state.own_name
    }

    /// Where it is reached.
    pub const fn address(&self) -> Option<&PortalAddr> {
        self.state.address.as_ref()
    }

    /// Its key, once that is known.
    pub const fn public_key(&self) -> Option<&PublicKey> {
        match &self.state.known {
            Known::Id(_) => None,
            Known::Key(key) => Some(key),
        }
    }

    /// Whether its key is known.
    pub const fn is_verified(&self) -> bool {
        self.public_key().is_some()
    }

    /// Whether the owner blocked or removed it: then it gets nothing.
    pub const fn is_blocked(&self) -> bool {
        !matches!(self.state.standing, Standing::Entered)
    }

    /// Whether the owner removed it. It is no peer any more: show it nowhere.
    pub const fn is_removed(&self) -> bool {
        matches!(self.state.standing, Standing::Removed)
    }

    /// Whether the last try to reach it failed.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self.state.retry, Some(Retry { doublings: 1.., .. }))
    }

    /// What the host adds to each request of this peer that it hands to an app (§18.10): the full ID, and the owner's name for it, percent-encoded.
    /// Take off first what comes from outside under these names: no header of a request is carried under them.
    pub fn headers_for_app(&self) -> [(&'static str, String); 2] {
        let name = utf8_percent_encode(self.name().as_str(), NON_ALPHANUMERIC);
        [("portal-peer-id", self.id.to_string()), ("portal-peer-name", name.to_string())]
    }

    /// When to do what is due: [`look_up`](Peer::look_up) if [`is_look_up_due`](Peer::is_look_up_due), and [`tick`](Peer::tick). `None`: never.
    pub fn deadline(&self) -> Option<UnixSeconds> {
        self.state.deadline().into_iter().chain(self.memory.deadline()).min()
    }

    /// Whether the peer is to be looked up now.
    pub fn is_look_up_due(&self, now: UnixSeconds) -> bool {
        // Or a clock that ran ahead put it off for longer than any pause.
        let is_due = |retry: Retry| retry.next <= now || retry.next > now.plus(LONGEST_PAUSE);
        !self.is_blocked() && self.state.retry.is_some_and(is_due)
    }

    /// Asks the peer who it is: the address, and the message for it. Send the message as [`Portal::receive`] says, and hand the
    /// answer to [`looked_up`](Peer::looked_up).
    ///
    /// # Errors
    /// [`PeerError::NoAddress`], [`PeerError::Blocked`].
    pub fn look_up(&self) -> Result<(&PortalAddr, Vec<u8>), PeerError> {
        if self.is_blocked() {
            return Err(PeerError::Blocked);
        }
        let address = self.address().ok_or(PeerError::NoAddress)?;
        Ok((address, Message::WhoAreYou.to_vec()))
    }

    /// What the peer answered; `None` if nobody did. It is no error if the answer is not good, but an outcome.
    ///
    /// # Errors
    /// [`PeerError::Blocked`]: the owner blocked or removed the peer since.
    pub fn looked_up(
        &mut self,
        answer: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self, LookedUp>, PeerError> {
        if self.is_blocked() {
            return Err(PeerError::Blocked);
        }
        let outcome = match answer.map(Message::decode) {
            Some(Ok(Message::IAm(key))) if PortalId::of(&key) == self.id => Ok(key),
            Some(Ok(Message::IAm(_))) => Err(LookedUp::WrongKey),
            _ => Err(LookedUp::Unreachable),
        };
        let (known, retry, outcome) = match outcome {
            Ok(key) => (Known::Key(key), None, LookedUp::Verified),
            // Without an address there is nothing to try again.
            Err(outcome) => (self.state.known, self.address().map(|_| self.later(now)), outcome),
        };
        Ok(self.step(State { known, retry, ..self.state.clone() }, outcome))
    }

    /// A message could not be delivered to the peer's address. It is looked up again, with pauses.
    ///
    /// # Errors
    /// As of [`looked_up`](Peer::looked_up).
    pub fn unreachable(&mut self, now: UnixSeconds) -> Result<Step<'_, Self, LookedUp>, PeerError> {
        self.looked_up(None, now)
    }

    fn later(&self, now: UnixSeconds) -> Retry {
        let doublings = self.state.retry.map_or(0, |retry| retry.doublings);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings.min(MAX_DOUBLINGS)).min(LONGEST_PAUSE);
        let next = now.after(Duration::from_secs(pause));
        Retry { doublings: doublings.saturating_add(1).min(MAX_DOUBLINGS), next }
    }

    /// The owner's new name for it.
    pub fn rename(&mut self, name: PortalName) -> Step<'_, Self> {
        self.step(State { name, ..self.state.clone() }, ())
    }

    /// The peer moved. It is looked up at once.
    pub fn set_address(&mut self, address: PortalAddr, now: UnixSeconds) -> Step<'_, Self> {
        let retry = Some(Retry { doublings: 0, next: now });
        self.step(State { address: Some(address), retry, ..self.state.clone() }, ())
    }

    /// The owner blocks the peer: from this step on it gets nothing, not even an answer to what it asked before. Then call
    /// [`Portal::end_sessions`].
    ///
    /// # Errors
    /// [`PeerError::Removed`].
    pub fn block(&mut self) -> Result<Step<'_, Self>, PeerError> {
        if self.is_removed() { Err(PeerError::Removed) } else { Ok(self.stand(Standing::Blocked)) }
    }

    /// The owner lets a blocked peer in again. For a removed one, [`enter_again`](Peer::enter_again).
    ///
    /// # Errors
    /// [`PeerError::Removed`].
    pub fn unblock(&mut self) -> Result<Step<'_, Self>, PeerError> {
        if self.is_removed() { Err(PeerError::Removed) } else { Ok(self.stand(Standing::Entered)) }
    }

    /// The owner removes the peer: from this step on it is a stranger. Then call [`Portal::end_sessions`].
    ///
    /// Its names, its address and its key are deleted. The row stays, some 60 bytes: with it a peer that is
    /// [entered again](Peer::enter_again) gets nothing delivered twice, however the clock was set meanwhile.
    pub fn remove(&mut self) -> Step<'_, Self> {
        let (known, floor) = (Known::Id(self.id), self.state.floor);
        self.step(State { floor, ..State::new(known, Standing::Removed) }, ())
    }

    fn stand(&mut self, standing: Standing) -> Step<'_, Self> {
        self.step(State { standing, ..self.state.clone() }, ())
    }

    /// The owner enters a peer that was removed, under another name perhaps. Ask the other peers for [`same_short`](Peer::same_short), too.
    ///
    /// # Errors
    /// [`PeerError::Known`]: it is not removed.
    pub fn enter_again(
        &mut self,
        address: Option<PortalAddr>,
        name: PortalName,
        now: UnixSeconds,
    ) -> Result<Step<'_, Self>, PeerError> {
        if !self.is_removed() {
            return Err(PeerError::Known);
        }
        let retry = address.is_some().then_some(Retry { doublings: 0, next: now });
        Ok(self.step(State { standing: Standing::Entered, address, name, retry, ..self.state.clone() }, ()))
    }

    /// This peer's ID, if it is another than this one and has the same first six characters. Tell the owner.
    pub fn same_short(&self, id: &PortalId) -> Option<PortalId> {
        let is_same = self.id != *id && self.id.short() == id.short() && !self.is_removed();
        is_same.then_some(self.id)
    }

    /// Forgets what need not be remembered any more. `None` if there is nothing to forget.
    pub fn tick(&mut self, now: UnixSeconds) -> Option<Step<'_, Self>> {
        let (memory, floor) = self.memory.expired(now);
        let state = State { floor: self.state.floor.max(floor?), ..self.state.clone() };
        Some(self.step_with(Change { state: Some(Box::new(state)), memory, session: None }, Vec::new(), ()))
    }

    /// The next step of the peer's own row.
    fn step<T>(&mut self, state: State, then: T) -> Step<'_, Self, T> {
        self.step_with(Change { state: Some(Box::new(state)), ..Change::default() }, Vec::new(), then)
    }

    /// The next step: of its own row, if there is a new state, and of its memory. `put` are the rows of the memory.
    pub(super) fn step_with<T>(&mut self, change: Change, mut put: Vec<Row>, then: T) -> Step<'_, Self, T> {
        if let Some(state) = &change.state {
            put.push(self.row(self.revision.saturating_add(1), state));
        }
        let delete = change.memory.iter().filter_map(|change| memory::deleted(self.id, change)).collect();
        Step::new(self, change, Write { put, delete }, then)
    }

    fn row(&self, revision: u64, state: &State) -> Row {
        let mut row = Row::new(PortalKey::Peer(self.id), revision, step::record(Self::ROLE, revision, state));
        row.deadline = state.deadline();
        row
    }
}

/// What a step changes of a peer.
#[derive(Default)]
pub struct Change {
    pub(super) state: Option<Box<State>>,
    pub(super) memory: Vec<memory::Change>,
    /// The caller's end of a session that was opened.
    pub(super) session: Option<Box<CallerSession>>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, memory, session } = self;
        f.debug_struct("Change")
            .field("state", state)
            .field("memory", &memory.len())
            .field("has_session", &session.is_some())
            .finish()
    }
}

impl Machine for Peer {
    type Change = Change;

    fn apply(&mut self, Change { state, memory, session }: Change) {
        if session.is_some() {
            self.asking.session = session;
        }
        if let Some(state) = state {
            self.revision = self.revision.saturating_add(1);
            self.state = *state;
            if self.is_blocked() {
                self.asking = Asking::default();
            }
        }
        memory.into_iter().for_each(|change| self.memory.apply(change));
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, state, id, memory, asking: _ } = self;
        f.debug_struct("Peer")
            .field("id", id)
            .field("revision", revision)
            .field("standing", &state.standing)
            .field("openings", &memory.openings.len())
            .field("requests", &memory.requests.len())
            .finish_non_exhaustive()
    }
}
