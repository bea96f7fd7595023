//! What was taken (§19.7): a bounded memory that survives a crash, so that strictly no request is taken twice.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::error::BadSignature;
use super::identity::FullId;
use super::signature::{CLOCK_SKEW, MAX_AGE};
use crate::{DecodeError, UnixSeconds};

/// One signature that was taken, [`Mark::LENGTH`] bytes. Store it before the request goes to the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    peer: [u8; 16],
    created: u64,
    hash: Option<[u8; 32]>,
}

impl Mark {
    /// The bytes that it is stored in.
    pub const LENGTH: usize = 1 + 16 + 8 + 32;

    /// Append these to what [`ReplayMemory::to_bytes`] gave last, or to nothing.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let kind = [u8::from(self.hash.is_some())];
        let (created, hash) = (self.created.to_be_bytes(), self.hash.unwrap_or_default());
        let parts = kind.iter().chain(&self.peer).chain(&created).chain(&hash);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (peer, rest) = rest.split_first_chunk()?;
        let (created, rest) = rest.split_first_chunk()?;
        let hash = <[u8; 32]>::try_from(rest).ok()?;
        let hash = match kind {
            0 if hash == [0; 32] => None,
            1 => Some(hash),
            _ => return None,
        };
        Some(Self { peer: *peer, created: u64::from_be_bytes(*created), hash })
    }
}

/// The signatures that were taken, of each peer apart: one that floods fills its own share alone (§19.7).
///
/// Its caller stores each [`Mark`] before the app gets the request. After a crash, [`restore`](Self::restore) makes the memory of what was
/// stored. What is a day old and no longer needed goes only when room is needed for more, so no wrong clock makes it forget.
///
/// ```
/// use port_protocol::portal::freeshard::ReplayMemory;
///
/// let memory = ReplayMemory::new(10_000); // for each peer
/// let again = ReplayMemory::restore(10_000, &memory.to_bytes())?;
/// assert_eq!(again, memory);
/// # Ok::<(), port_protocol::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayMemory {
    per_peer: usize,
    peers: BTreeMap<[u8; 16], Taken>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Taken {
    /// What was made before this is refused: some of it is forgotten.
    floor: u64,
    marks: BTreeSet<(u64, [u8; 32])>,
}

impl ReplayMemory {
    /// Room for this many signatures of each peer. A peer that sends more within a day and five seconds is refused until the oldest are that old. Each
    /// takes about 60 bytes.
    pub const fn new(per_peer: usize) -> Self {
        Self { per_peer, peers: BTreeMap::new() }
    }

    /// Takes a signature that is good, once.
    ///
    /// # Errors
    /// [`BadSignature::Replayed`] if it was taken before or is older than what is remembered, [`BadSignature::MemoryFull`] if there is no room.
    pub(super) fn take(
        &mut self,
        peer: &FullId,
        created: u64,
        signature: &[u8],
        now: UnixSeconds,
    ) -> Result<Mark, BadSignature> {
        let name = peer.as_bytes().first_chunk().copied().unwrap_or_default();
        let hash = <[u8; 32]>::from(Sha256::digest(signature));
        let taken = self.peers.entry(name).or_default();
        if created < taken.floor || taken.marks.contains(&(created, hash)) {
            return Err(BadSignature::Replayed);
        }
        while taken.marks.len() >= self.per_peer {
            let over = |created: u64| created.saturating_add(MAX_AGE).saturating_add(CLOCK_SKEW) < now.as_secs();
            match taken.marks.first() {
                Some(&(oldest, _)) if over(oldest) => {
                    taken.floor = taken.floor.max(oldest.saturating_add(1));
                    taken.marks.pop_first();
                }
                _ => return Err(BadSignature::MemoryFull),
            }
        }
        taken.marks.insert((created, hash));
        Ok(Mark { peer: name, created, hash: Some(hash) })
    }

    /// How many signatures are remembered.
    pub fn len(&self) -> usize {
        self.peers.values().map(|taken| taken.marks.len()).sum()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, to be stored in one piece. Marks that come later may be appended to it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (&peer, taken) in &self.peers {
            let floor = (taken.floor > 0).then_some(Mark { peer, created: taken.floor, hash: None });
            let marks = taken.marks.iter().map(|&(created, hash)| Mark { peer, created, hash: Some(hash) });
            floor.into_iter().chain(marks).for_each(|mark| bytes.extend_from_slice(&mark.to_bytes()));
        }
        bytes
    }

    /// The memory of what was stored. Nothing that was stored is forgotten, also if the room has become smaller.
    ///
    /// What is left over behind the last whole mark is ignored: a crash cut it off, and the app has not got its request. Store
    /// [`to_bytes`](Self::to_bytes) in place of the bytes before you append to them.
    ///
    /// # Errors
    /// [`DecodeError::Malformed`] if the bytes are not marks. Refuse every request until a day has passed, and begin with an empty memory
    /// then; or begin with one at once, and take what is replayed within that day.
    pub fn restore(per_peer: usize, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut memory = Self::new(per_peer);
        for bytes in bytes.chunks_exact(Mark::LENGTH) {
            let mark = Mark::from_bytes(bytes).ok_or(DecodeError::Malformed)?;
            let taken = memory.peers.entry(mark.peer).or_default();
            match mark.hash {
                Some(hash) => drop(taken.marks.insert((mark.created, hash))),
                None => taken.floor = taken.floor.max(mark.created),
            }
        }
        Ok(memory)
    }
}
