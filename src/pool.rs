//! Pool: Alice's line links for later (§15).

use core::ops::Range;

use aes::Aes256;
use cbc::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{PoolError, Rejected};
use crate::id::{LineLink, PoolId, RecordKey, RequestId};
use crate::machine::step::{Created, Step};
use crate::machine::{Held, Role, impl_machine};
use crate::message::{Event, Request};
use crate::secret::{Secret, Seed};
use crate::time::UnixSeconds;

/// The most line links that a [`Pool`] has, requested or here: 16. Its record is bounded by it, also at a relay that does not answer.
pub const MAX_POOL: usize = PLACES as usize;

const PLACES: u8 = 16;

/// Line links for later (§15), so that Ports can be made without a network. A client has one for each relay.
///
/// ```
/// use port_protocol::*;
/// # use std::collections::BTreeMap;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut store = BTreeMap::new();
/// # let mut keep = |write: &Write<'_>| -> Result<(), std::io::Error> {
/// #     store.insert(write.row.key, write.row.record.to_vec());
/// #     Ok(())
/// # };
/// # let mut requests = Vec::new();
/// # let (seed, another_seed) = (Seed::from_bytes(&[1; 64]), Seed::from_bytes(&[2; 64]));
/// // Once: a pool of eight line links. It asks for new ones when fewer than four are left.
/// let mut pool = Pool::new(4, 8, seed)?.store(&mut keep)?;
/// for effect in pool.pending() {
///     if let PoolEffect::Send(request) = effect { requests.push(request) } // to the relay
/// }
/// # let Some(&Request::IssueLineLink { request_id }) = requests.first() else { return Err("no request".into()) };
/// # let event = Event::LineLinkIssued { request_id, line_link: [7; 16].into() };
///
/// // The relay's answers, as they come. An answer without a record at `event.key()` is for the pool.
/// pool.handle(&event)?.store(&mut keep)?.for_each(drop);
///
/// // Later, without a network: first the pool's row, then Alice's. A crash between the two loses the link.
/// let popped = pool.pop()?.store(&mut keep)?.next();
/// let Some(PoolEffect::Link(line_link)) = popped else { return Err("no link".into()) };
/// let alice = Alice::offer(line_link, PortOptions::new(), another_seed).store(&mut keep)?;
/// println!("{}", alice.port().ok_or("no Port")?.qr_text());
/// # Ok(()) }
/// ```
///
/// A link that was popped does not come back, whatever the relay says and wherever a crash comes. But the relay may issue the same link
/// again for a later request. Then [`Alice::offer`](crate::Alice::offer) finds its key taken: pop another. After a restore from a
/// backup, [begin a new pool](Pool::new) (§15.6).
#[derive(Debug)]
pub struct Pool(Held<State>);

/// What a Pool asks its caller to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolEffect<'m> {
    /// The link that was popped. It comes once, and is never [`pending`](crate::Machine::pending): make the Port of it by
    /// [`Alice::offer`](crate::Alice::offer), and keep Alice's row.
    Link(LineLink),
    /// Send this to the relay.
    Send(Request<'m>),
}

#[derive(Clone, Debug, Encode)]
pub struct State {
    #[n(0)]
    id: PoolId,
    #[n(1)]
    key: Secret<32>,
    #[n(2)]
    low: u8,
    #[n(3)]
    full: u8,
    /// How many requests were ever made.
    #[n(4)]
    requests: u64,
    #[n(5)]
    slots: Slots,
}

/// One link, until it is popped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// Asked for by this request.
    Requested(u64),
    Held(LineLink),
}

/// In the order in which they were requested. Empty slots come last.
#[derive(Clone, Debug)]
struct Slots([Option<Slot>; MAX_POOL]);

/// §15.3: all events of a Pool. To pop a link needs none, and stands below.
fn transition(state: &State, event: &Event<'_>) -> Result<State, Rejected> {
    let Event::LineLinkIssued { request_id, line_link } = event else { return Err(Rejected::WrongMachine) };
    let number = state.number_of(request_id).ok_or(Rejected::WrongMachine)?;
    // A relay that answers two requests with one link: one Port is made of it.
    if state.held().any(|held| held == *line_link) {
        return Err(Rejected::Duplicate);
    }
    let mut next = state.clone();
    let requested = Some(Slot::Requested(number));
    let slot = next.slots.0.iter_mut().find(|slot| **slot == requested).ok_or(Rejected::Duplicate)?;
    *slot = Some(Slot::Held(*line_link));
    Ok(next)
}

impl Pool {
    /// Makes an empty pool (§15.1). Whenever it has fewer than `low` links, requested ones included, it requests as many as it has room
    /// for, up to `full`. The first requests are [`pending`](crate::Machine::pending).
    ///
    /// # Errors
    /// [`PoolError::BadBounds`] unless 1 ≤ `low` ≤ `full` ≤ [`MAX_POOL`].
    pub fn new(low: u8, full: u8, seed: Seed) -> Result<Created<Self>, PoolError> {
        let Seed { private_key: key, block: id, request_id: _ } = seed;
        let id = PoolId::from(*id.expose());
        let mut state = State { id, key, low, full, requests: 0, slots: Slots([None; MAX_POOL]) };
        if !state.is_sound() {
            return Err(PoolError::BadBounds);
        }
        state.refill();
        Ok(Created::new(state))
    }

    /// Takes an event from the relay (§15.3). A pool has no use for the time, and makes no key.
    ///
    /// # Errors
    /// [`Rejected`]: each variant says what to do. The machine is unchanged.
    pub fn handle(&mut self, event: &Event<'_>) -> Result<Step<'_, Self>, Rejected> {
        let next = transition(&self.0.state, event)?;
        Ok(Step::new(self, next).outbox(0..0))
    }

    /// Takes a link out: of those that are here, the one that was requested first (§15.4). It comes as [`PoolEffect::Link`], and after
    /// it the new requests, if there are any.
    ///
    /// # Errors
    /// [`PoolError::Empty`]: none is here.
    pub fn pop(&mut self) -> Result<Step<'_, Self>, PoolError> {
        let line_link = self.0.state.held().next().ok_or(PoolError::Empty)?;
        let (next, new) = self.0.state.without(line_link);
        Ok(Step::new(self, next).once(PoolEffect::Link(line_link)).outbox(new))
    }

    /// How many links are here.
    pub fn held(&self) -> usize {
        self.0.state.held().count()
    }

    /// How many more were requested.
    pub fn requested(&self) -> usize {
        self.0.state.requested().count()
    }
}

impl State {
    fn held(&self) -> impl Iterator<Item = LineLink> {
        self.slots.iter().filter_map(|slot| if let Slot::Held(line_link) = slot { Some(*line_link) } else { None })
    }

    fn requested(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().filter_map(|slot| if let Slot::Requested(number) = slot { Some(*number) } else { None })
    }

    /// §15.4, and which slots have new requests.
    fn without(&self, line_link: LineLink) -> (Self, Range<u8>) {
        let mut next = Self { slots: Slots([None; MAX_POOL]), ..self.clone() };
        let rest = self.slots.iter().filter(|slot| **slot != Slot::Held(line_link));
        next.slots.0.iter_mut().zip(rest).for_each(|(to, from)| *to = Some(*from));
        let before = next.slots.count();
        next.refill();
        let after = next.slots.count();
        (next, before..after)
    }

    /// §15.5.
    fn refill(&mut self) {
        if self.slots.count() >= self.low {
            return;
        }
        for slot in self.slots.0.iter_mut().take(self.full.into()).filter(|slot| slot.is_none()) {
            let Some(requests) = self.requests.checked_add(1) else { break };
            *slot = Some(Slot::Requested(self.requests));
            self.requests = requests;
        }
    }

    /// §15.2: as good as random to all others, never the same twice, and known again however late the answer comes.
    fn request_id(&self, number: u64) -> RequestId {
        let mut block = Block::<Aes256>::from(u128::from(number).to_be_bytes());
        self.cipher().encrypt_block(&mut block);
        RequestId::from(<[u8; 16]>::from(block))
    }

    /// `None` if it is not one of this pool's.
    fn number_of(&self, request_id: &RequestId) -> Option<u64> {
        let mut block = Block::<Aes256>::from(*request_id.as_bytes());
        self.cipher().decrypt_block(&mut block);
        let number = u64::try_from(u128::from_be_bytes(block.into())).ok()?;
        (number < self.requests).then_some(number)
    }

    fn cipher(&self) -> Aes256 {
        Aes256::new(self.key.expose().into())
    }

    /// What no pool breaks, and so no record of one (§15.6): above all, no link is here twice.
    fn is_sound(&self) -> bool {
        (1..=self.full).contains(&self.low)
            && (self.slots.count()..=PLACES).contains(&self.full)
            && self.requested().is_sorted_by(|one, next| one < next)
            && self.requested().all(|number| number < self.requests)
            && self.held().all(|link| self.held().filter(|other| *other == link).count() == 1)
    }
}

impl Slots {
    fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().flatten()
    }

    /// At most [`PLACES`].
    fn count(&self) -> u8 {
        self.iter().fold(0, |count, _| count.saturating_add(1))
    }
}

impl<'b, C> Decode<'b, C> for State {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        d.array()?;
        let (id, key) = (d.decode_with(ctx)?, d.decode_with(ctx)?);
        let state = Self { id, key, low: d.u8()?, full: d.u8()?, requests: d.u64()?, slots: d.decode_with(ctx)? };
        if state.is_sound() { Ok(state) } else { Err(decode::Error::message("no pool is like this")) }
    }
}

/// A number is a request's, a byte string a link.
impl<C> Encode<C> for Slots {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.iter().map(|_| 1).sum())?;
        self.iter().try_for_each(|slot| match slot {
            Slot::Requested(number) => e.u64(*number)?.ok(),
            Slot::Held(line_link) => line_link.encode(e, ctx),
        })
    }
}

impl<'b, C> Decode<'b, C> for Slots {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let length = d.array()?.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        let mut slots = Self([None; MAX_POOL]);
        let room = slots.0.get_mut(..length).ok_or_else(|| decode::Error::message("more links than a pool holds"))?;
        for slot in room {
            *slot = Some(match d.datatype()? {
                Type::Bytes => Slot::Held(d.decode_with(ctx)?),
                _ => Slot::Requested(d.u64()?),
            });
        }
        Ok(slots)
    }
}

impl State {
    const fn key(&self) -> RecordKey {
        RecordKey::Pool(self.id)
    }

    const fn deadline(&self) -> Option<UnixSeconds> {
        None
    }

    const fn at_deadline(&self, _: UnixSeconds) -> Option<Self> {
        None
    }

    /// Only the relay can answer what is requested.
    const fn without_outbox(&self) -> Option<Self> {
        None
    }
}

impl Role for Pool {
    const ROLE: u8 = 4;
    const OUTBOX: u8 = PLACES;
    type Effect<'m> = PoolEffect<'m>;

    impl_machine!(state: State);
    impl_machine!(whole next state: State);

    fn from_held(held: Held<State>) -> Self {
        Self(held)
    }

    fn outbox(&self, place: u8) -> Option<PoolEffect<'_>> {
        let state = &self.0.state;
        match state.slots.0.get(usize::from(place))? {
            Some(Slot::Requested(number)) => {
                Some(PoolEffect::Send(Request::IssueLineLink { request_id: state.request_id(*number) }))
            }
            Some(Slot::Held(_)) | None => None,
        }
    }
}
