//! Schedule: what happens in a world, as data. It is drawn from a seed, read from a fuzzer's bytes, or written by hand, and it shrinks.

use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::app::RollBack;
use super::shrink::{Choices, shrink};
use crate::SendProof;

/// One thing that happens.
///
/// A number chooses one of what there is, modulo how many there are. So every choice fits every world, and if there is nothing to choose
/// from, nothing happens. What a user does begins with the number of the user's client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// The oldest waiting event reaches its client.
    Deliver,
    /// All waiting events reach their clients, and so do the events that come of them.
    DeliverAll,
    /// The oldest waiting event is lost on its way. If it waits at the relay, it comes again with the connection.
    Drop,
    /// The oldest waiting event goes behind all others.
    Delay,
    /// Another waiting event comes first.
    Reorder(u8),
    /// Any event that ever was comes again.
    Duplicate(u8),
    /// Any event that ever was comes to this client.
    Misroute(u8, u8),
    /// Any packet that ever was comes under the name of this line.
    CrossLine(u8, u8),
    /// Any event that ever was comes again, with this bit flipped.
    Flip(u8, u16),
    /// The relay uses a used Port once more: it tells the owner of another line.
    ClaimTwice(u8, Claim),
    /// The relay sends this client an answer that it never asked for.
    AnswerUnasked(u8, Answer),
    /// The relay forges an event about this line.
    Forge(u8, Forgery),
    /// Time passes: this power of two in seconds. A connection that is a day old comes back ([`Wake`](Choice::Wake)). From 38 on, all
    /// time passes but the last hundred days.
    Clock(u8),
    /// The process of this client dies at the point that comes after this many ([`CrashPoints`](super::CrashPoints)), and starts again.
    Crash(u8, u8),
    /// The connection of this client comes back: what was under way is lost, and what was not acknowledged comes again.
    Wake(u8),
    /// The store of this client is backed up.
    BackUp(u8),
    /// The backup comes back.
    RollBack(u8, RollBack),
    /// The device of this client is lost with all its records, and the user goes on with an empty store.
    Lose(u8),
    /// The user makes a Port. With a number, the Port names a relay and expires in that power of two in seconds.
    MakePort(u8, Option<u8>),
    /// The user makes a Superport for one to three uses. Large numbers require approval.
    MakeSuperport(u8, u8),
    /// The user changes the policy of a Port.
    SetPolicy(u8, u8, Change),
    /// The user approves the visitor who waits on a line, or declines.
    Decide(u8, u8, bool),
    /// The user makes a pool of line links for the Ports that come after it (§15): at least one to four links, at most three more.
    MakePool(u8, u8),
    /// The user grants a contact port on these terms, along one of the first eight confirmed lines (§16).
    Grant(u8, u8, Terms),
    /// The user introduces somebody by a contact port that was granted: the guest is the next to read what is shown. With a number, the
    /// ticket expires in that power of two in seconds, up to 23.
    Introduce(u8, u8, Option<u8>),
    /// The user takes back a contact port.
    Withdraw(u8, u8),
    /// The user reads any Port that was ever shown, and uses it.
    UsePort(u8, u8, SendProof),
    /// The user gives up any machine that has to do with a Port.
    GiveUp(u8, u8),
    /// The user says something along a line.
    Say(u8, u8),
    /// The user closes a line.
    Close(u8, u8),
    /// The alarm of this client goes off.
    Tick(u8),
}

/// The terms of a contact port (§16.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Terms {
    /// The use limit, up to three. `None`: no limit.
    pub uses: Option<u8>,
    /// Whether each visitor waits for approval (§14.5).
    pub asks: bool,
    /// When it expires. `None`: never.
    pub expiry: Option<Expiry>,
}

/// Where an expiry stands. The number is a power of two in seconds from now, up to 31.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// In the Port, so that its users know (§2.1).
    Port(u8),
    /// In the policy alone, so that only its maker knows (§14.1).
    Policy(u8),
}

/// A change of a policy (§14.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Pause the Port.
    Pause,
    /// Resume the Port, even if it is not paused.
    Resume,
    /// Allow one use more.
    Raise,
    /// Allow one use in all.
    Lower,
}

/// How the relay uses a used Port once more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// With the proof of its user, on another line.
    SameProof,
    /// With a proof that the relay made itself, without the Port.
    ForeignProof,
    /// Without a proof.
    NoProof,
    /// With the proof of its user, on the same line, with another mark of the user.
    OtherPeer,
    /// With the proof of its user, under the name of another line of the owner.
    SameLine,
}

/// An answer that was never asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// A line link for a request that nobody made.
    Link,
    /// Another line link for a request that was answered before. It may be the link of another request.
    SecondLink,
    /// To the maker of a Port: a line that nobody is on.
    Line,
    /// To the maker of a Port: a line of another Port, which the maker has.
    TakenLine,
    /// To the maker of a Port: its link is lost.
    LinkLost,
    /// To the user of a Port: a line that nobody is on.
    Connected(Asked),
    /// To the user of a Port: a line of another Port, which the user has.
    ConnectedToTaken,
    /// To the user of a Port: somebody else has used it.
    Refusal(Asked),
}

/// Which request an answer to the user of a Port names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The last one.
    Now,
    /// An earlier one for the same Port, or one that was never made.
    Before,
}

/// An end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The end of the Port's maker.
    Alice,
    /// The end of the Port's user.
    Bob,
}

/// What a relay can forge about a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// To this end: the line is over.
    Disconnected(End),
    /// To this end: packets of this end were dropped.
    Dropped(End),
    /// To Alice: a proof of somebody who never had the Port.
    Proof,
    /// To Alice: a packet that nobody sealed.
    Packet,
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

    /// Leaves out all other faults. With [`Fault::is_honest`] it gives a world in which nothing may be lost.
    #[must_use]
    pub fn with_only(mut self, faults: impl Fn(Fault) -> bool) -> Self {
        self.0.retain(|choice| choice.fault().is_none_or(&faults));
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
        let how = Choices { to_bytes: Choice::to_bytes, from_bytes: Choice::from_bytes, sooner: Choice::sooner };
        Self(shrink(&self.0, &how, |choices| fails(&Self(choices.to_vec()))))
    }
}

impl Choice {
    /// Reads four bytes as a choice. All four bytes are one, and what is frequent in ordinary use is frequent here.
    pub const fn from_bytes([kind, a, b, c]: [u8; 4]) -> Self {
        let user = a;
        match kind % 128 {
            0..24 => Self::Deliver,
            24..28 => Self::DeliverAll,
            28..32 => Self::Drop,
            32..36 => Self::Delay,
            36..40 => Self::Reorder(a),
            40..46 => Self::Duplicate(a),
            46..50 => Self::Misroute(a, b),
            50..54 => Self::CrossLine(a, b),
            54..58 => Self::Flip(a, u16::from_le_bytes([b, c])),
            58..62 => Self::ClaimTwice(
                a,
                match b % 5 {
                    0 => Claim::SameProof,
                    1 => Claim::ForeignProof,
                    2 => Claim::NoProof,
                    3 => Claim::OtherPeer,
                    _ => Claim::SameLine,
                },
            ),
            62..66 => Self::AnswerUnasked(
                user,
                match b % 10 {
                    0 => Answer::Link,
                    1 => Answer::SecondLink,
                    2 => Answer::Line,
                    3 => Answer::TakenLine,
                    4 => Answer::LinkLost,
                    5 => Answer::Connected(Asked::Now),
                    6 => Answer::Connected(Asked::Before),
                    7 => Answer::ConnectedToTaken,
                    8 => Answer::Refusal(Asked::Now),
                    _ => Answer::Refusal(Asked::Before),
                },
            ),
            66..68 => Self::Forge(
                a,
                match b % 6 {
                    0 => Forgery::Disconnected(End::Alice),
                    1 => Forgery::Disconnected(End::Bob),
                    2 => Forgery::Dropped(End::Alice),
                    3 => Forgery::Dropped(End::Bob),
                    4 => Forgery::Proof,
                    _ => Forgery::Packet,
                },
            ),
            68 => Self::Clock(mostly(b % 24, b, c)),
            69..78 => Self::Crash(user, mostly(b % 16, b, c)),
            81 if c >= 64 => Self::MakePool(user, b),
            80 if c >= 168 => Self::Lose(user),
            78..82 => Self::Wake(user),
            82..85 => Self::BackUp(user),
            85..87 => Self::RollBack(
                user,
                match b % 3 {
                    0 => RollBack::Process,
                    1 => RollBack::Records,
                    _ => RollBack::Everything,
                },
            ),
            87..97 if b < 192 && c >= 208 => Self::MakeSuperport(user, b),
            87..97 => Self::MakePort(user, if b < 192 { None } else { Some(mostly(c % 24, c, b)) }),
            97..109 => Self::UsePort(user, b, if c < 128 { SendProof::Inline } else { SendProof::AlongTheLine }),
            109 => Self::GiveUp(user, b),
            110..124 if c >= 240 => Self::Withdraw(user, b),
            110..124 if c >= 216 => Self::Introduce(user, b, Some(c.saturating_sub(216))),
            110..124 if c >= 192 => Self::Introduce(user, b, None),
            110..124 if c >= 160 => Self::Grant(user, b % 8, Terms::from_bytes(c.saturating_sub(160), b / 8)),
            110..124 => Self::Say(user, b),
            124..126 if c >= 128 => Self::Decide(user, b, c < 208),
            124..126 => Self::Close(user, b),
            _ if c >= 128 => Self::SetPolicy(
                user,
                b,
                match c % 4 {
                    0 => Change::Pause,
                    1 => Change::Resume,
                    2 => Change::Raise,
                    _ => Change::Lower,
                },
            ),
            _ => Self::Tick(user),
        }
    }

    /// The same, if a choice was left out that may only have brought a crash nearer.
    const fn sooner(self) -> Self {
        match self {
            Self::Crash(user, after) => Self::Crash(user, after.saturating_sub(1)),
            other => other,
        }
    }

    /// The bytes that [`from_bytes`](Choice::from_bytes) reads as this choice.
    pub const fn to_bytes(self) -> [u8; 4] {
        match self {
            Self::Deliver => [0, 0, 0, 0],
            Self::DeliverAll => [24, 0, 0, 0],
            Self::Drop => [28, 0, 0, 0],
            Self::Delay => [32, 0, 0, 0],
            Self::Reorder(a) => [36, a, 0, 0],
            Self::Duplicate(a) => [40, a, 0, 0],
            Self::Misroute(a, b) => [46, a, b, 0],
            Self::CrossLine(a, b) => [50, a, b, 0],
            Self::Flip(a, bit) => {
                let [b, c] = bit.to_le_bytes();
                [54, a, b, c]
            }
            Self::ClaimTwice(a, claim) => [58, a, claim as u8, 0],
            Self::AnswerUnasked(a, answer) => [62, a, answer.to_byte(), 0],
            Self::Forge(a, Forgery::Disconnected(end)) => [66, a, end as u8, 0],
            Self::Forge(a, Forgery::Dropped(end)) => [66, a, 2_u8.saturating_add(end as u8), 0],
            Self::Forge(a, Forgery::Proof) => [66, a, 4, 0],
            Self::Forge(a, Forgery::Packet) => [66, a, 5, 0],
            Self::Clock(b) => [68, 0, b, ANY],
            Self::Crash(a, b) => [69, a, b, ANY],
            Self::Wake(a) => [78, a, 0, 0],
            Self::Lose(a) => [80, a, 0, ANY],
            Self::BackUp(a) => [82, a, 0, 0],
            Self::RollBack(a, how) => [85, a, how as u8, 0],
            Self::MakePort(a, None) => [87, a, 0, 0],
            Self::MakePort(a, Some(c)) => [87, a, ANY, c],
            Self::UsePort(a, b, SendProof::Inline) => [97, a, b, 0],
            Self::UsePort(a, b, SendProof::AlongTheLine) => [97, a, b, 128],
            Self::GiveUp(a, b) => [109, a, b, 0],
            Self::Say(a, b) => [110, a, b, 0],
            Self::MakePool(a, b) => [81, a, b, ANY],
            Self::Grant(a, b, terms) => {
                let [how, when] = terms.to_bytes();
                [110, a, (b % 8).saturating_add(when.saturating_mul(8)), how.saturating_add(160)]
            }
            Self::Introduce(a, b, None) => [110, a, b, 192],
            Self::Introduce(a, b, Some(n)) => [110, a, b, if n < 24 { n.saturating_add(216) } else { 239 }],
            Self::Withdraw(a, b) => [110, a, b, 240],
            Self::Close(a, b) => [124, a, b, 0],
            Self::Tick(a) => [126, a, 0, 0],
            // Numbers from 192 on are of other choices.
            Self::MakeSuperport(a, b) => [87, a, if b < 192 { b } else { 191 }, ANY],
            Self::SetPolicy(a, b, change) => [126, a, b, 128_u8.saturating_add(change as u8)],
            Self::Decide(a, b, true) => [124, a, b, 128],
            Self::Decide(a, b, false) => [124, a, b, ANY],
        }
    }

    /// The fault that this choice is. `None`: ordinary use, and an honest relay.
    pub const fn fault(self) -> Option<Fault> {
        Some(match self {
            Self::Drop => Fault::Drop,
            Self::Delay => Fault::Delay,
            Self::Reorder(_) => Fault::Reorder,
            Self::Duplicate(_) => Fault::Duplicate,
            Self::Misroute(..) => Fault::Misroute,
            Self::CrossLine(..) => Fault::CrossLine,
            Self::Flip(..) => Fault::Flip,
            Self::ClaimTwice(..) => Fault::ClaimTwice,
            Self::AnswerUnasked(..) => Fault::AnswerUnasked,
            Self::Forge(..) => Fault::Forge,
            Self::Crash(..) => Fault::Crash,
            Self::RollBack(..) => Fault::RollBack,
            Self::Lose(_) => Fault::Lose,
            _ => return None,
        })
    }
}

impl Answer {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Link => 0,
            Self::SecondLink => 1,
            Self::Line => 2,
            Self::TakenLine => 3,
            Self::LinkLost => 4,
            Self::Connected(Asked::Now) => 5,
            Self::Connected(Asked::Before) => 6,
            Self::ConnectedToTaken => 7,
            Self::Refusal(Asked::Now) => 8,
            Self::Refusal(Asked::Before) => 9,
        }
    }
}

impl Terms {
    /// `how` and `when` have five bits each.
    const fn from_bytes(how: u8, when: u8) -> Self {
        Self {
            uses: match how % 4 {
                0 => None,
                uses => Some(uses),
            },
            asks: how & 4 != 0,
            expiry: match how / 8 % 4 {
                2 => Some(Expiry::Port(when % 32)),
                3 => Some(Expiry::Policy(when % 32)),
                _ => None,
            },
        }
    }

    const fn to_bytes(self) -> [u8; 2] {
        let (expires, when) = match self.expiry {
            None => (0, 0),
            Some(Expiry::Port(when)) => (16, when % 32),
            Some(Expiry::Policy(when)) => (24, when % 32),
        };
        let uses = match self.uses {
            None => 0,
            Some(uses) => uses % 4,
        };
        [uses | if self.asks { 4 } else { 0 } | expires, when]
    }
}

/// Makes [`mostly`] take the byte beside it as it is.
const ANY: u8 = 255;

/// Mostly a small number. Otherwise time would pass too fast, and crashes would be too far away.
const fn mostly(small: u8, any: u8, how: u8) -> u8 {
    if how < 240 { small } else { any }
}

/// What goes wrong in a world: with events, processes and stores, not with requests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// An event is lost.
    Drop,
    /// An event comes late.
    Delay,
    /// Events change places.
    Reorder,
    /// An event comes again.
    Duplicate,
    /// A process dies, and starts again.
    Crash,
    /// An event comes to another client.
    Misroute,
    /// A packet is replayed across lines.
    CrossLine,
    /// A bit is flipped.
    Flip,
    /// A Port is used twice.
    ClaimTwice,
    /// An answer to no request.
    AnswerUnasked,
    /// An event that the relay makes up.
    Forge,
    /// A backup comes back.
    RollBack,
    /// All records of a client are lost, for good.
    Lose,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 13] = [
        Self::Drop,
        Self::Delay,
        Self::Reorder,
        Self::Duplicate,
        Self::Crash,
        Self::Misroute,
        Self::CrossLine,
        Self::Flip,
        Self::ClaimTwice,
        Self::AnswerUnasked,
        Self::Forge,
        Self::RollBack,
        Self::Lose,
    ];

    /// Whether the fault also happens with honest networks and users. If only such faults happen, everything comes to a good end. (The end
    /// of a line whose other end was lost is good: the line is closed.)
    pub const fn is_honest(self) -> bool {
        matches!(self, Self::Drop | Self::Delay | Self::Reorder | Self::Duplicate | Self::Crash | Self::Lose)
    }
}
