//! Owners: what users want of the Ports that they make, and what their machines make of it: the link (§15), the policy (§14), the expiry.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::{Violation, Witness};
use crate::proof::PrivateKey;
use crate::{
    Alice, Event, Line, LineId, LineLink, LinePhase, Machine, Policy, Pool, PoolEffect, Port, PortKind, PortOptions,
    PortOutcome, RecordKey, RequestId, Seed, UnixSeconds, UseLimit,
};

/// A Port, as its maker's record or its text tells of it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) by: usize,
    pub(super) line_link: LineLink,
    pub(super) kind: PortKind,
    pub(super) public_key: [u8; 32],
    pub(super) expires: Option<UnixSeconds>,
}

/// What a user wants of a Port.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The highest limit that was ever set.
    pub(super) uses: u32,
    pub(super) asks: bool,
    pub(super) expires: Option<UnixSeconds>,
}

impl Witness {
    /// The kit draws randomness for a machine. Its private key is a secret, and so is a Port's RAD.
    pub(in super::super) fn gave(&mut self, seed: &[u8; 64], makes: Option<&PortOptions>) {
        if let ([private_key, ..], _) = seed.as_chunks() {
            self.secrets.insert(*private_key);
        }
        let Some(options) = makes else { return };
        self.keeps_block(seed);
        let Seed { private_key, request_id, .. } = Seed::from_bytes(seed);
        let public_key = *PrivateKey::new(private_key).public_key().as_bytes();
        self.public_keys.insert(RecordKey::Request(RequestId::from(*request_id.expose())), public_key);
        let PortOptions { policy, .. } = options;
        let wish = Wish { uses: most(policy.use_limit()), asks: policy.requires_approval(), expires: options.expiry() };
        self.wishes.insert(public_key, wish);
    }

    /// The seed's third block is secret: a RAD, a ticket's secret, or the name of a pool, which never leaves its client (§15.1).
    pub(super) fn keeps_block(&mut self, seed: &[u8; 64]) {
        if let ([_, _, block, _], _) = seed.as_chunks() {
            self.secrets.insert(*block);
        }
    }

    /// The user sets this policy from now on.
    pub(in super::super) fn allows(&mut self, who: usize, key: RecordKey, policy: Policy) {
        let public_key = self.public_keys.get(&key);
        if let Some(wish) = public_key.and_then(|public_key| self.wishes.get_mut(public_key)) {
            wish.uses = wish.uses.max(most(policy.use_limit()));
        }
        if let Some(may_be) = self.policies.get_mut(&(who, key)) {
            may_be.push(policy);
        }
    }

    /// A client shows a Port. If the Port has a ticket, the client is the introducer, and not its maker.
    pub(in super::super) fn shows(&mut self, who: usize, port: &Port) {
        if port.ticket().is_none() {
            self.makes(who, port);
        }
    }

    fn makes(&mut self, who: usize, port: &Port) {
        let (line_link, kind, public_key) = (port.line_link, port.kind(), *port.public_key.as_bytes());
        let made = Made { by: who, line_link, kind, public_key, expires: port.expires() };
        self.makers.entry(port.hash()).or_insert(made);
        self.public_keys.insert(RecordKey::LineLink(line_link), public_key);
    }

    pub(super) fn has_made(&self, who: usize, line_link: LineLink) -> bool {
        self.makers.values().any(|made| (made.by, made.line_link) == (who, line_link))
    }

    /// A user is about to make a pool (§15) that replaces these.
    pub(in super::super) fn begins_pool(&mut self, who: usize, before: &[RecordKey], seed: &[u8; 64]) {
        before.iter().for_each(|before| self.gives_up(who, *before));
        self.keeps_block(seed);
    }

    /// An event reaches a client.
    pub(in super::super) fn brings(&mut self, who: usize, event: &[u8]) {
        if let Ok(Event::LineLinkIssued { request_id, line_link }) = Event::decode(event) {
            self.issued.entry((who, line_link)).or_default().insert(request_id);
        }
    }

    /// The Port is over: its user took it back, and no crash came between.
    pub(in super::super) fn withdraws(&mut self, who: usize, key: RecordKey) {
        if let RecordKey::LineLink(line_link) = key
            && self.has_made(who, line_link)
        {
            self.over.insert((who, line_link));
        }
    }

    pub(in super::super) fn gives_up(&mut self, who: usize, key: RecordKey) {
        self.unwanted.insert((who, key));
    }

    pub(super) fn sees_alice(&mut self, who: usize, alice: &Alice) -> Result<(), Violation> {
        if let Some(port) = alice.port() {
            // A contact port is granted, not shown.
            if port.kind() == PortKind::ContactPort {
                self.makes(who, port);
            }
            let name = (who, port.line_link);
            self.offered.entry(name).or_default().insert(*port.public_key.as_bytes());
            self.contacts.extend(alice.introducer().map(|line_id| (name, line_id)));
        }
        let name = (who, alice.key());
        let Some(policy) = alice.policy() else {
            self.policies.remove(&name);
            return Ok(());
        };
        let may_be = self.policies.entry(name).or_insert_with(|| vec![*policy]);
        if !may_be.contains(policy) {
            return Err(Violation::PolicyMoved(who));
        }
        if may_be.last() == Some(policy) {
            *may_be = vec![*policy];
        }
        Ok(())
    }

    /// A Port that is over stays over. Only its user gives up a Port for many, and a contact port ends with the introducer's line (§16.6).
    pub(super) fn ends(&mut self, who: usize, ended: &[(RecordKey, PortOutcome)]) -> Result<(), Violation> {
        let of_contacts = self.contacts.iter().filter(|((of, _), line)| *of == who && self.is_line_over(who, **line));
        let of_contacts: Vec<_> = of_contacts.map(|((_, line_link), _)| RecordKey::LineLink(*line_link)).collect();
        for (key, end) in ended {
            let is_it = |made: &Made| RecordKey::LineLink(made.line_link) == *key && made.kind.is_for_many();
            if *end == PortOutcome::Revoked
                && self.makers.values().any(is_it)
                && !self.unwanted.contains(&(who, *key))
                && !of_contacts.contains(key)
                && !self.rolled_back.contains(&who)
            {
                return Err(Violation::Revoked(who));
            }
            self.withdraws(who, *key);
        }
        of_contacts.into_iter().for_each(|key| self.withdraws(who, key));
        Ok(())
    }

    /// Whether a line is closed or deleted. It may only be deleted after the contact port is withdrawn.
    fn is_line_over(&self, who: usize, line_id: LineId) -> bool {
        let line = self.records.get(&(who, RecordKey::Line(line_id))).and_then(|record| Line::restore(record).ok());
        line.is_none_or(|line| line.phase() == LinePhase::Closed)
    }

    /// §15.4: each link makes one Port, and none while the pool has it. But the relay may issue one link for several requests.
    pub(super) fn hands_out(&self, who: usize) -> Result<(), Violation> {
        let mut held = Vec::new();
        for (_, record) in self.records.iter().filter(|((of, key), _)| *of == who && matches!(key, RecordKey::Pool(_)))
        {
            held.extend(links(record));
        }
        let is_twice = |((of, link), ports): (&(usize, LineLink), &BTreeSet<_>)| {
            let to_come = held.iter().filter(|held| *held == link).count();
            let issued = self.issued.get(&(who, *link)).map_or(0, BTreeSet::len);
            *of == who && ports.len().saturating_add(to_come) > issued
        };
        let twice = !self.rolled_back.contains(&who) && self.offered.iter().any(is_twice);
        if twice { Err(Violation::LinkTwice(who)) } else { Ok(()) }
    }
}

/// The links that would come out of this pool.
fn links(pool: &[u8]) -> Vec<LineLink> {
    let mut links = Vec::new();
    let Ok(mut pool) = Pool::restore(pool) else { return links };
    while let Ok(step) = pool.pop() {
        let write = step.write();
        links.extend(step.commit(write).find_map(|effect| match effect {
            PoolEffect::Link(line_link) => Some(line_link),
            PoolEffect::Send(_) => None,
        }));
    }
    links
}

const fn most(uses: UseLimit) -> u32 {
    match uses {
        UseLimit::Once => 1,
        UseLimit::UpTo(n) => n,
        UseLimit::Unlimited => u32::MAX,
    }
}
