//! Schedule: what happens in a world of Portals, as data. It is drawn from a seed, read from a fuzzer's bytes, or written by hand, and it
//! shrinks.

use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::testkit::shrink::{Choices, shrink};

/// One thing that happens.
///
/// A number chooses one of what there is, modulo how many there are. So every choice fits every world, and if there is nothing to choose
/// from, nothing happens. What concerns a peer names two Portals, the one that acts and the other: an even number is the other honest Portal, an odd one the liar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The oldest letter on its way arrives: a message of a caller, or the answer to one.
    Deliver,
    /// All letters arrive, and those that come of them.
    DeliverAll,
    /// The oldest letter is lost.
    Drop,
    /// The oldest letter is held: it goes behind all others.
    Delay,
    /// Another letter comes first.
    Reorder(u8),
    /// Any letter that ever was comes again.
    Duplicate(u8),
    /// Any message of a caller that ever was comes to this Portal.
    Misroute(u8, u8),
    /// Any answer that ever was comes as the answer to this message that waits for one.
    CrossAnswer(u8, u8),
    /// Any letter that ever was comes again, with this bit flipped.
    Flip(u8, u16),
    /// The network makes up a Refusal of this code, as the answer to this message that waits for one.
    Refuse(u8, u8),
    /// An app of this Portal asks a peer. The last number says what: method, how many parts, which app, which path.
    Ask(u8, u8, u8),
    /// An app asks the same again, or for the next part.
    Again(u8, u8),
    /// An app answers what it was asked and has not answered yet.
    Work(u8, u8),
    /// The process of this Portal dies at the point that comes after this many, and starts again.
    Crash(u8, u8),
    /// The owner blocks a peer.
    Block(u8, u8),
    /// The owner lets a blocked peer in again.
    Unblock(u8, u8),
    /// The owner removes a peer.
    Remove(u8, u8),
    /// The owner enters a peer, perhaps again.
    Enter(u8, u8),
    /// The owner grants an app none, the peer, or all.
    Grant(u8, u8, u8),
    /// The Portal asks a peer who it is.
    LookUp(u8, u8),
    /// The alarm of this Portal goes off.
    Tick(u8),
    /// Time passes for everybody: this power of two in seconds.
    Pass(u8),
    /// The clock of this Portal jumps ahead or back: [`JUMPS`] has the seconds.
    Jump(u8, u8),
    /// The liar sends something to this Portal.
    Lie(u8, u8, u8),
    /// From now on the liar answers so.
    Mood(u8),
}

/// How far a clock may be from the true time, in seconds. [`Choice::Jump`] chooses one.
pub const JUMPS: [i64; 12] = [0, 0, 59, -59, 61, -599, -601, 700, 1_500, -1_500, 86_400, -86_400];

/// One of the [`JUMPS`].
pub(super) fn jump(n: u8) -> i64 {
    let at = usize::from(n).checked_rem(JUMPS.len()).unwrap_or_default();
    JUMPS.get(at).copied().unwrap_or_default()
}

/// How many kinds of lies there are, and of moods.
pub(super) const LIES: u8 = 20;
pub(super) const MOODS: u8 = 7;

impl Choice {
    /// Reads four bytes as a choice. All four bytes are one, and what is frequent in ordinary use is frequent here.
    pub const fn from_bytes([kind, a, b, c]: [u8; 4]) -> Self {
        match kind % 64 {
            0..10 => Self::Deliver,
            10..15 => Self::DeliverAll,
            15..17 => Self::Drop,
            17 => Self::Delay,
            18 => Self::Reorder(a),
            19..22 => Self::Duplicate(a),
            22 => Self::Misroute(a, b),
            23 => Self::CrossAnswer(a, b),
            24..26 => Self::Flip(a, u16::from_le_bytes([b, c])),
            26 => Self::Refuse(a, b),
            27..38 => Self::Ask(a, b, c),
            38..43 => Self::Again(a, b),
            43..46 => Self::Work(a, b),
            46..50 => Self::Crash(a, b % 16),
            50 => Self::Block(a, b),
            51 => Self::Unblock(a, b),
            52 => Self::Remove(a, b),
            53..55 => Self::Enter(a, b),
            55 => Self::Grant(a, b, c),
            56 => Self::LookUp(a, b),
            57 => Self::Tick(a),
            58 => Self::Pass(b % 16),
            59 => Self::Jump(a, b),
            60..63 => Self::Lie(a, b, c),
            _ => Self::Mood(a),
        }
    }

    /// The bytes that [`from_bytes`](Choice::from_bytes) reads as this choice.
    pub const fn to_bytes(self) -> [u8; 4] {
        match self {
            Self::Deliver => [0, 0, 0, 0],
            Self::DeliverAll => [10, 0, 0, 0],
            Self::Drop => [15, 0, 0, 0],
            Self::Delay => [17, 0, 0, 0],
            Self::Reorder(a) => [18, a, 0, 0],
            Self::Duplicate(a) => [19, a, 0, 0],
            Self::Misroute(a, b) => [22, a, b, 0],
            Self::CrossAnswer(a, b) => [23, a, b, 0],
            Self::Flip(a, bit) => {
                let [b, c] = bit.to_le_bytes();
                [24, a, b, c]
            }
            Self::Refuse(a, b) => [26, a, b, 0],
            Self::Ask(a, b, c) => [27, a, b, c],
            Self::Again(a, b) => [38, a, b, 0],
            Self::Work(a, b) => [43, a, b, 0],
            Self::Crash(a, b) => [46, a, b % 16, 0],
            Self::Block(a, b) => [50, a, b, 0],
            Self::Unblock(a, b) => [51, a, b, 0],
            Self::Remove(a, b) => [52, a, b, 0],
            Self::Enter(a, b) => [53, a, b, 0],
            Self::Grant(a, b, c) => [55, a, b, c],
            Self::LookUp(a, b) => [56, a, b, 0],
            Self::Tick(a) => [57, a, 0, 0],
            Self::Pass(b) => [58, 0, b % 16, 0],
            Self::Jump(a, b) => [59, a, b, 0],
            Self::Lie(a, b, c) => [60, a, b, c],
            Self::Mood(a) => [63, a, 0, 0],
        }
    }

    /// Whether this also happens with an honest network and honest Portals, whose owners change nothing and whose clocks are right. If only
    /// such things happen, every request that is served is answered, unless ten minutes have passed or a process died.
    pub const fn is_honest(self) -> bool {
        use Choice::{Again, Ask, Delay, Deliver, DeliverAll, Drop, LookUp, Reorder, Tick, Work};
        matches!(
            self,
            Deliver | DeliverAll | Drop | Delay | Reorder(_) | Ask(..) | Again(..) | Work(..) | LookUp(..) | Tick(_)
        )
    }
}

/// Choices, in order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Schedule(pub Vec<Choice>);

impl Schedule {
    /// Draws this many choices from a seed. The same seed gives the same choices on every computer.
    pub fn from_seed(seed: u64, length: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self((0..length).map(|_| Choice::from_bytes(rng.next_u32().to_le_bytes())).collect())
    }

    /// Leaves out all choices but these. With [`Choice::is_honest`] it gives a world in which every request is answered.
    #[must_use]
    pub fn with_only(mut self, which: impl Fn(Choice) -> bool) -> Self {
        self.0.retain(|choice| which(*choice));
        self
    }

    /// Reads a choice from every four bytes, such as a fuzzer's. Bytes that are left over are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks().0.iter().copied().map(Choice::from_bytes).collect())
    }

    /// The bytes that [`from_bytes`](Schedule::from_bytes) reads as this schedule.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|choice| choice.to_bytes()).collect()
    }

    /// Leaves choices out, and makes numbers smaller, as long as the schedule still fails.
    #[must_use = "the schedule itself stays as it is"]
    pub fn shrink(&self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        let how = Choices { to_bytes: Choice::to_bytes, from_bytes: Choice::from_bytes, sooner: |choice| choice };
        Self(shrink(&self.0, &how, |choices| fails(&Self(choices.to_vec()))))
    }
}
