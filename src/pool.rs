//! Pool: Alice's line links for later (§15).

use aes::Aes256;
use cbc::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::error::{PoolError, Rejected};
use crate::id::{LineLink, PoolId, RecordKey, RequestId};
use crate::line::Line;
use crate::machine::{Created, Emit, Held, Nothing, Role, Step, impl_machine, whole_state};
use crate::message::{Event, Request};
use crate::port::UnixSeconds;
use crate::secret::{Secret, Seed};

/// The most line links that a [`Pool`] has, asked for or here: 16. So its record fits, and a relay that does not answer makes
/// it hold no more.
pub const MAX_POOL: usize = 16;

/// Line links for later (§15), so that Ports can be made without a network. One for each relay.
///
/// ```
/// use port_protocol::*;
/// # use std::collections::BTreeMap;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut store = BTreeMap::new();
/// # let mut put = |key: RecordKey, record: &[u8]| { store.insert(key, record.to_vec()); };
/// # let mut requests = Vec::new();
/// # let (seed, another_seed) = (Seed::from_bytes(&[1; 64]), Seed::from_bytes(&[2; 64]));
/// // Once: a pool of eight line links, that asks for new ones when fewer than four are left.
/// let born = Pool::new(4, 8, seed)?;
/// put(born.key(), &born.record());
/// let mut pool = born.commit();
/// for effect in pool.pending() {
///     if let PoolEffect::Send(request) = effect { requests.push(request) } // to the relay
/// }
/// # let Some(&Request::IssueLineLink { request_id }) = requests.first() else { return Err("no request".into()) };
/// # let event = Event::LineLinkIssued { request_id, line_link: [7; 16].into() };
///
/// // The relay's answers, as they come: what has no record at `event.key()` is for the pool.
/// let step = pool.handle(&event)?;
/// put(step.key(), &step.record());
/// step.commit().for_each(drop);
///
/// // Later, without a network: the pool's record first, then Alice's. A crash between loses the link.
/// let step = pool.take()?;
/// put(step.key(), &step.record());
/// let Some(PoolEffect::Link(line_link)) = step.commit().next() else { return Err("no link".into()) };
/// let born = Alice::offer(line_link, PortOptions::new(), another_seed);
/// put(born.key(), &born.record());
/// println!("{}", born.commit().port().ok_or("no Port")?.qr_text());
/// # Ok(()) }
/// ```
///
/// A link that was handed out does not come back, whatever the relay says and wherever a crash comes; but one that the relay
/// itself issues anew, for a later request, is found out by [`Alice::offer`](crate::Alice::offer): its key is taken. Take another.
/// After a restore from a backup, [begin another pool](Pool::new) (§15.6).
#[derive(Debug)]
pub struct Pool(Held<State>);

/// What a Pool asks its caller to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolEffect<'m> {
    /// The link that was taken. It comes once, here, and is never in [`pending`](crate::Machine::pending): make the Port of it,
    /// [`Alice::offer`](crate::Alice::offer), and keep her record.
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

/// One link, until it is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// By this request.
    Asked(u64),
    Held(LineLink),
}

/// In the order in which they were asked for; what is empty comes last.
#[derive(Clone, Debug)]
struct Slots([Option<Slot>; MAX_POOL]);

/// §15.3: the whole of a Pool's events. To take a link needs none, and stands below.
fn transition(state: &State, event: &Event<'_>) -> Result<State, Rejected> {
    let Event::LineLinkIssued { request_id, line_link } = event else { return Err(Rejected::WrongMachine) };
    let number = state.number_of(request_id).ok_or(Rejected::WrongMachine)?;
    // A relay that answers two requests with one link gets one Port made of it.
    if state.held().any(|held| held == *line_link) {
        return Err(Rejected::Duplicate);
    }
    let mut next = state.clone();
    let asked = Some(Slot::Asked(number));
    let slot = next.slots.0.iter_mut().find(|slot| **slot == asked).ok_or(Rejected::Duplicate)?;
    *slot = Some(Slot::Held(*line_link));
    Ok(next)
}

impl Pool {
    /// An empty pool (§15.1). Whenever it has fewer than `low` links, those that it has asked for included, it asks for as
    /// many as it has room for: `full`. The first requests are in [`pending`](crate::Machine::pending).
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

    /// Takes an event from the relay (§15.3). A pool has no use for the time.
    ///
    /// # Errors
    /// [`Rejected`]: what to do stands with each. Nothing has moved.
    pub fn handle(&mut self, event: &Event<'_>) -> Result<Step<'_, Self>, Rejected> {
        let state = transition(&self.0.state, event)?;
        Ok(Step::new(self, state, Emit::Nothing))
    }

    /// [`handle`](Pool::handle) for a caller that only moves bytes.
    ///
    /// # Errors
    /// The same, and [`Rejected::Malformed`] or [`Rejected::UnsupportedVersion`] for bytes that are no event.
    pub fn handle_bytes(&mut self, event: &[u8]) -> Result<Step<'_, Self>, Rejected> {
        self.handle(&Event::decode(event)?)
    }

    /// Takes a link out, of those that are here the one that was asked for first (§15.4). Once the step is committed it comes as
    /// [`PoolEffect::Link`], and after it the new requests, if there are any.
    ///
    /// # Errors
    /// [`PoolError::Empty`]: none is here.
    pub fn take(&mut self) -> Result<Step<'_, Self>, PoolError> {
        let line_link = self.0.state.held().next().ok_or(PoolError::Empty)?;
        let (state, asked) = self.0.state.without(line_link);
        Ok(Step::new(self, state, Emit::Handed { line_link, asked }))
    }

    /// How many links are here, to be taken.
    pub fn held(&self) -> usize {
        self.0.state.held().count()
    }

    /// How many more were asked for.
    pub fn asked(&self) -> usize {
        self.0.state.asked().count()
    }
}

impl State {
    fn held(&self) -> impl Iterator<Item = LineLink> {
        self.slots.iter().filter_map(|slot| if let Slot::Held(line_link) = slot { Some(*line_link) } else { None })
    }

    fn asked(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().filter_map(|slot| if let Slot::Asked(number) = slot { Some(*number) } else { None })
    }

    /// §15.4, and how many requests are new.
    fn without(&self, line_link: LineLink) -> (Self, u8) {
        let mut next = Self { slots: Slots([None; MAX_POOL]), ..self.clone() };
        let rest = self.slots.iter().filter(|slot| **slot != Slot::Held(line_link));
        next.slots.0.iter_mut().zip(rest).for_each(|(to, from)| *to = Some(*from));
        let asked = next.refill();
        (next, asked)
    }

    /// §15.5. How many requests are new.
    fn refill(&mut self) -> u8 {
        if self.slots.iter().count() >= self.low.into() {
            return 0;
        }
        let mut new = 0_u8;
        for slot in self.slots.0.iter_mut().take(self.full.into()).filter(|slot| slot.is_none()) {
            let Some(requests) = self.requests.checked_add(1) else { break };
            *slot = Some(Slot::Asked(self.requests));
            self.requests = requests;
            new = new.saturating_add(1);
        }
        new
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
            && (self.slots.iter().count()..=MAX_POOL).contains(&self.full.into())
            && self.asked().is_sorted_by(|one, next| one < next)
            && self.asked().all(|number| number < self.requests)
            && self.held().all(|link| self.held().filter(|other| *other == link).count() == 1)
    }
}

impl Slots {
    fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().flatten()
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
            Slot::Asked(number) => e.u64(*number)?.ok(),
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
                _ => Slot::Asked(d.u64()?),
            });
        }
        Ok(slots)
    }
}

impl_machine!(Pool);

impl Role for Pool {
    const ROLE: u8 = 4;
    /// The link, and a request for each place.
    const MOST_EFFECTS: usize = 1 + MAX_POOL;
    type State = State;
    type Line = Line;
    type Beside = Nothing;
    type Effect<'m> = PoolEffect<'m>;

    fn key_of(state: &State) -> RecordKey {
        RecordKey::Pool(state.id)
    }

    fn deadline_of(_: &State) -> Option<UnixSeconds> {
        None
    }

    fn after_deadline(_: &State) -> Option<State> {
        None
    }

    /// Only the relay can answer what is asked.
    fn after_settling(_: &State) -> Option<State> {
        None
    }

    whole_state!();

    fn effect<'m>(&'m self, emit: Emit<'m>, place: usize, _: &mut Nothing) -> Option<PoolEffect<'m>> {
        let state = &self.0.state;
        let (link, since) = match emit {
            Emit::Handed { line_link, asked } => (Some(line_link), state.requests.saturating_sub(asked.into())),
            Emit::Outbox => (None, 0),
            _ => return None,
        };
        let Some(place) = place.checked_sub(1) else { return link.map(PoolEffect::Link) };
        match state.slots.0.get(place)? {
            Some(Slot::Asked(number)) if *number >= since => {
                Some(PoolEffect::Send(Request::IssueLineLink { request_id: state.request_id(*number) }))
            }
            _ => None,
        }
    }
}
