//! Sessions: this Portal's ends of those that peers opened (§18.6). What each call takes grows with the logarithm of their number, at most.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::id::PortalId;
use super::message::SessionId;
use super::noise::Keys;
use super::session::CalleeSession;
use crate::time::UnixSeconds;

/// How many sessions of one peer a Portal keeps.
const OF_A_PEER: usize = 4;

pub(super) struct Sessions {
    all: BTreeMap<SessionId, Box<Entry>>,
    of_peers: BTreeSet<(PortalId, SessionId)>,
    by_age: BTreeSet<(UnixSeconds, SessionId)>,
    /// By the last use that was looked at. An Exchange does not change this: a session that was used since then goes to its place when it comes first.
    by_use: BTreeMap<u64, SessionId>,
    max: usize,
    uses: u64,
}

struct Entry {
    peer: PortalId,
    opened: UnixSeconds,
    last_use: u64,
    /// Where it stands in `by_use`.
    listed: u64,
    session: CalleeSession,
}

impl Sessions {
    pub(super) const fn new(max: usize) -> Self {
        Self {
            all: BTreeMap::new(),
            of_peers: BTreeSet::new(),
            by_age: BTreeSet::new(),
            by_use: BTreeMap::new(),
            max,
            uses: 0,
        }
    }

    /// Keeps at most so many, at least one.
    pub(super) fn with_max(self, max: usize) -> Self {
        Self { max: max.max(1), ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Decrypts an Exchange: whose it is, and how long the text is that `buffer` begins with. `None`: there is no such
    /// session, or it does not open, which changes nothing.
    pub(super) fn decrypt(
        &mut self,
        id: &SessionId,
        number: u64,
        buffer: &mut [u8],
        now: UnixSeconds,
    ) -> Option<(PortalId, usize)> {
        let entry = self.all.get_mut(id).filter(|entry| !entry.session.is_over(now))?;
        let length = entry.session.decrypt(number, buffer).ok()?;
        self.uses = self.uses.saturating_add(1);
        entry.last_use = self.uses;
        Some((entry.peer, length))
    }

    /// A session of this peer.
    pub(super) fn get(&self, id: &SessionId, peer: &PortalId, now: UnixSeconds) -> Option<&CalleeSession> {
        let session = self.all.get(id).filter(|entry| entry.peer == *peer).map(|entry| &entry.session);
        session.filter(|session| !session.is_over(now))
    }

    /// A new session. The one of this peer that was used least recently makes room for it, if there are four, and else the one of all.
    pub(super) fn open(&mut self, id: SessionId, peer: PortalId, keys: Keys, now: UnixSeconds) {
        self.end_old(now);
        let last_use = |sessions: &Self, id: &SessionId| sessions.all.get(id).map(|entry| entry.last_use);
        if self.of(&peer).count() >= OF_A_PEER
            && let Some(oldest) = self.of(&peer).min_by_key(|id| last_use(self, id))
        {
            self.end(&oldest);
        }
        while self.all.len() >= self.max {
            self.end_least_used();
        }
        self.uses = self.uses.saturating_add(1);
        let (last_use, session) = (self.uses, CalleeSession::new(keys, now));
        self.of_peers.insert((peer, id));
        self.by_age.insert((now, id));
        self.by_use.insert(last_use, id);
        let entry = Entry { peer, opened: now, last_use, listed: last_use, session };
        self.all.insert(id, Box::new(entry));
    }

    /// Ends all sessions of this peer.
    pub(super) fn end_of(&mut self, peer: &PortalId) {
        let all: Vec<_> = self.of(peer).collect();
        all.iter().for_each(|id| self.end(id));
    }

    fn of(&self, peer: &PortalId) -> impl Iterator<Item = SessionId> {
        let range = (*peer, SessionId([0; 16]))..=(*peer, SessionId([0xff; 16]));
        self.of_peers.range(range).map(|(_, id)| *id)
    }

    /// Those that are over stand at the one end; at the other those that were opened after now, by a clock that was set back since.
    fn end_old(&mut self, now: UnixSeconds) {
        for end in [BTreeSet::first, BTreeSet::last] {
            while let Some((_, id)) = end(&self.by_age)
                && let id = *id
                && self.all.get(&id).is_none_or(|entry| entry.session.is_over(now))
            {
                self.end(&id);
            }
        }
    }

    fn end_least_used(&mut self) {
        while let Some((listed, id)) = self.by_use.pop_first() {
            match self.all.get_mut(&id) {
                Some(entry) if entry.last_use != listed => {
                    entry.listed = entry.last_use;
                    self.by_use.insert(entry.listed, id);
                }
                _ => return self.end(&id),
            }
        }
    }

    fn end(&mut self, id: &SessionId) {
        if let Some(entry) = self.all.remove(id) {
            self.of_peers.remove(&(entry.peer, *id));
            self.by_age.remove(&(entry.opened, *id));
            self.by_use.remove(&entry.listed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::Secret;

    #[derive(Clone, Debug)]
    enum Act {
        Open(u8),
        Use(usize),
        EndOf(u8),
        Later(u64),
        Back(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            8 => (0..5_u8).prop_map(Act::Open),
            8 => (0..20_usize).prop_map(Act::Use),
            1 => (0..5_u8).prop_map(Act::EndOf),
            2 => (0..50_000_u64).prop_map(Act::Later),
            1 => (0..50_000_u64).prop_map(Act::Back),
        ]
    }

    /// The rule, by looking at all of them.
    #[derive(Default)]
    struct Model(Vec<(SessionId, u8, UnixSeconds, u64)>);

    impl Model {
        fn open(&mut self, id: SessionId, peer: u8, now: UnixSeconds, uses: u64) {
            self.0.retain(|(_, _, opened, _)| {
                opened.as_secs() <= now.as_secs() + 60 && now.as_secs() < opened.as_secs() + 86_400
            });
            let of_peer = |session: &&(SessionId, u8, UnixSeconds, u64)| session.1 == peer;
            if self.0.iter().filter(of_peer).count() >= OF_A_PEER {
                let oldest = self.0.iter().filter(of_peer).min_by_key(|session| session.3).unwrap().0;
                self.0.retain(|session| session.0 != oldest);
            }
            if self.0.len() >= 7 {
                let oldest = self.0.iter().min_by_key(|session| session.3).unwrap().0;
                self.0.retain(|session| session.0 != oldest);
            }
            self.0.push((id, peer, now, uses));
        }
    }

    proptest! {
        #[test]
        fn r18_6_the_same_sessions_end_as_if_all_were_looked_at(acts in prop::collection::vec(act(), 1..200)) {
            let (mut sessions, mut model) = (Sessions::new(7), Model::default());
            let mut now = UnixSeconds::new(1_790_000_000).unwrap();
            let peer = |number| PortalId::from_bytes([number; 32]);
            for (number, act) in (1_u64..).zip(acts) {
                let mut id = SessionId([0; 16]);
                id.0[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
                match act {
                    Act::Open(of) => {
                        let keys = Keys { caller: Secret::ZERO, callee: Secret::ZERO };
                        sessions.open(id, peer(of), keys, now);
                        model.open(id, of, now, number);
                    }
                    Act::Use(at) => if let Some(session) = model.0.get_mut(at) {
                        session.3 = number;
                        // As `decrypt` does, without a message.
                        sessions.uses += 1;
                        sessions.all.get_mut(&session.0).unwrap().last_use = sessions.uses;
                    }
                    Act::EndOf(of) => {
                        sessions.end_of(&peer(of));
                        model.0.retain(|session| session.1 != of);
                    }
                    Act::Later(secs) => now = now.plus(secs),
                    Act::Back(secs) => now = UnixSeconds::new(now.as_secs() - secs).unwrap(),
                }
                let ids: BTreeSet<_> = model.0.iter().map(|session| session.0).collect();
                prop_assert_eq!(sessions.all.keys().copied().collect::<BTreeSet<_>>(), ids);
                let others = [sessions.of_peers.len(), sessions.by_age.len(), sessions.by_use.len()];
                prop_assert_eq!(others, [sessions.len(); 3]);
            }
        }
    }
}
