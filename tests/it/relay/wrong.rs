//! §13.7: for each duty a storage that neglects it, and is right in everything else. The suite catches every one.

use std::collections::BTreeMap;

use super::suite::failures;
use super::*;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Nothing,
    IssueReplacesDue,
    IssueCountsDue,
    IssueForgetsLimit,
    OwnLinkIsAnyones,
    ConnectedIsLost,
    UseEndsWithItsUser,
    UsesNotCounted,
    ClaimIsNoUse,
    LinesNotCounted,
    MarkBySettingOfNow,
    NeverRecognised,
    AlwaysRecognised,
    SameVersionDoesNothing,
    LowerVersionSets,
    OverIsOver,
    DueIsLost,
    DueNeedsNoRoom,
    ClaimedStaysClaimed,
    ClaimedForgetsVersion,
    AnybodySets,
    NeverLost,
    LostWhileSomethingWaits,
    ClosedIsNotLost,
    UsedIsLost,
    ClockBackEndsRetention,
    ClosingKeepsLonger,
    PurgesAtOneLook,
    PurgesWhatTheLookSees,
    NeverPurges,
    PurgesLines,
    RemoveKeepsLinks,
    RemoveTellsNobody,
}

use Fault::*;

#[derive(Clone)]
struct Wrong {
    fault: Fault,
    memory: Memory,
    issued: Vec<NewLink>,
    /// The link, the user and whether the link was claimed by it.
    lines: BTreeMap<LineId, (LineLink, UserId, bool)>,
    left: Vec<LineId>,
    look: Option<UnixSeconds>,
}

impl Wrong {
    fn new(fault: Fault) -> Self {
        let (issued, lines, left) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { fault, memory: Memory::new(), issued, lines, left, look: None }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// How many lines this user has formed of this link that are so.
    fn lines_of(&self, connect: &Connect, so: impl Fn(&LineId, bool) -> bool) -> usize {
        let of = (connect.line_link, connect.claim.by);
        self.lines.iter().filter(|(id, (link, by, claimed))| (*link, *by) == of && so(id, *claimed)).count()
    }
}

impl Directory for Wrong {
    type Error = Infallible;
    type Bytes<'d> = &'d [u8];

    fn issue(&mut self, link: &NewLink) -> Result<Issued, Infallible> {
        let mut link = *link;
        match self.fault {
            IssueCountsDue => link.now = at(0),
            IssueForgetsLimit => link.max_links = usize::MAX,
            IssueReplacesDue => {
                if let Issued::Link(before) = self.memory.clone().issue(&link)?
                    && self.memory.link(before).is_some_and(|before| before.purge_at <= link.now)
                {
                    link.request_id = (*link.line_link.as_bytes()).into();
                }
            }
            _ => {}
        }
        self.issued.push(link);
        self.memory.issue(&link)
    }

    fn claim(&mut self, connect: &Connect) -> Result<Claimed, Infallible> {
        let (mut connect, by) = (connect.clone(), connect.claim.by);
        let link = self.memory.link(connect.line_link);
        match self.fault {
            UsesNotCounted => connect.max_uses = usize::MAX,
            LinesNotCounted => connect.max_lines = usize::MAX,
            ClockBackEndsRetention => connect.retention.lifetime_secs = u64::MAX,
            ClaimIsNoUse => connect.max_uses += self.lines_of(&connect, |_, claimed| claimed),
            UseEndsWithItsUser => {
                connect.max_uses += self.lines_of(&connect, |line, _| self.left.contains(line));
                if let Claimed::FormedBefore(line) = self.memory.clone().claim(&connect)?
                    && self.left.contains(&line.line_id)
                {
                    connect.claim.request_digest = [self.left.len() as u8; 32];
                }
            }
            _ => {}
        }
        let claimed = self.memory.claim(&connect)?;
        Ok(match (self.fault, claimed, link) {
            (OwnLinkIsAnyones, Claimed::Refused(Reason::UsedByYou), Some(link)) if link.owner == by => {
                Claimed::Refused(match link.state {
                    LinkState::Claimed { .. } => Reason::UsedByAnother,
                    LinkState::Closed => Reason::Closed,
                    LinkState::Open { .. } => Reason::UsedByYou,
                })
            }
            (MarkBySettingOfNow, Claimed::FormedBefore(line), Some(link)) => {
                let now = Use { line_id: line.line_id, recognisable: link.recognisable };
                match connect.decide(Some(&link), Some(now)) {
                    Decision::Answer(claimed) => claimed,
                    Decision::Form { .. } => unreachable!("it was formed before"),
                }
            }
            (fault, Claimed::Formed(line), link) => {
                let one = link.is_some_and(|link| matches!(link.state, LinkState::Open { admits: Admission::One, .. }));
                self.lines.insert(line.line_id, (connect.line_link, by, one));
                if fault == ConnectedIsLost {
                    let mut last = 0;
                    while let Some(delivery) = self.memory.next(by, last)? {
                        last = delivery.sequence;
                    }
                    self.memory.acknowledge(by, last)?;
                }
                claimed
            }
            _ => claimed,
        })
    }

    fn set_link(&mut self, setting: &LinkSetting) -> Result<LinkSet, Infallible> {
        let mut setting = *setting;
        let link = self.memory.link(setting.line_link);
        let (decision, due) = (setting.decide(link.as_ref()), link.is_some_and(|link| setting.now >= link.purge_at));
        match (self.fault, link.map(|link| link.state)) {
            (NeverRecognised, _) => setting.recognisable = false,
            (AlwaysRecognised, _) => setting.recognisable = true,
            (DueNeedsNoRoom, _) => setting.max_links = usize::MAX,
            (AnybodySets, _) => setting.owner = link.map_or(setting.owner, |link| link.owner),
            (LowerVersionSets, Some(LinkState::Open { version, .. })) => setting.version = setting.version.max(version),
            (SameVersionDoesNothing, Some(LinkState::Open { version, .. })) if version == setting.version => {
                return Ok(LinkSet::Done);
            }
            (OverIsOver, Some(LinkState::Open { expires, .. })) if setting.now >= expires => return Ok(LinkSet::Done),
            (DueIsLost, _) if due => return Ok(LinkSet::Lost),
            (ClaimedStaysClaimed, Some(LinkState::Claimed { .. })) => return Ok(LinkSet::Done),
            (ClaimedForgetsVersion, _) if decision == SetDecision::Version => return Ok(LinkSet::Done),
            (NeverLost, _) if decision == SetDecision::Lost => return Ok(LinkSet::Done),
            (LostWhileSomethingWaits, _) if decision == SetDecision::Lost => return Ok(LinkSet::Lost),
            (ClosedIsNotLost, Some(LinkState::Closed)) => return Ok(LinkSet::Done),
            (UsedIsLost, Some(LinkState::Claimed { .. }))
                if decision == SetDecision::Keep && self.memory.waiting(setting.owner) == 0 =>
            {
                return Ok(LinkSet::Lost);
            }
            _ => {}
        }
        self.memory.set_link(&setting)
    }

    fn close_link(&mut self, closure: &LinkClosure) -> Result<(), Infallible> {
        let mut closure = *closure;
        if self.is(ClockBackEndsRetention) {
            closure.retention.lifetime_secs = u64::MAX;
        }
        let LinkClosure { line_link, owner, now, retention } = closure;
        if self.is(ClosingKeepsLonger)
            && let Some(LinkState::Open { version, admits, .. }) = self.memory.link(line_link).map(|link| link.state)
        {
            let [expires, purge_at] = [retention.lifetime_secs, retention.lifetime_secs + retention.retention_secs]
                .map(|secs| now.after(Duration::from_secs(secs)));
            let (recognisable, max_links) = (false, usize::MAX);
            let renewed =
                LinkSetting { line_link, owner, version, admits, recognisable, now, max_links, expires, purge_at };
            self.memory.set_link(&renewed)?;
        }
        self.memory.close_link(&closure)
    }

    fn push(&mut self, packet: &Packet<'_>) -> Result<Pushed, Infallible> {
        self.memory.push(packet)
    }

    fn leave(&mut self, departure: &Departure) -> Result<Option<UserId>, Infallible> {
        if self.lines.get(&departure.line_id).is_some_and(|(_, by, _)| *by == departure.by) {
            self.left.push(departure.line_id);
        }
        self.memory.leave(departure)
    }

    fn next(&self, user: UserId, after: u64) -> Result<Option<Delivery<&[u8]>>, Infallible> {
        self.memory.next(user, after)
    }

    fn acknowledge(&mut self, user: UserId, upto: u64) -> Result<(), Infallible> {
        self.memory.acknowledge(user, upto)
    }

    fn remove(&mut self, user: UserId, mut notify: impl FnMut(UserId)) -> Result<(), Infallible> {
        let tells = !self.is(RemoveTellsNobody);
        self.memory.remove(user, |other| {
            if tells {
                notify(other)
            }
        })?;
        if self.is(RemoveKeepsLinks) {
            for link in self.issued.iter().filter(|link| link.owner == user) {
                self.memory.issue(link)?;
            }
        }
        Ok(())
    }

    fn purge(&mut self, now: UnixSeconds) -> Result<(), Infallible> {
        let PurgeLook { due_at, next } = PurgeLook::at(now, self.look);
        self.look = Some(next);
        let a_day_later = now.after(Duration::from_secs(DAY));
        match self.fault {
            NeverPurges => return Ok(()),
            PurgesAtOneLook => [now, a_day_later].into_iter().try_for_each(|now| self.memory.purge(now))?,
            PurgesWhatTheLookSees if due_at.is_some() => {
                [now, now, a_day_later].into_iter().try_for_each(|now| self.memory.purge(now))?;
            }
            PurgesWhatTheLookSees => {}
            _ => self.memory.purge(now)?,
        }
        if self.is(PurgesLines) {
            for (line_id, (line_link, by, _)) in &self.lines {
                if self.memory.link(*line_link).is_none() {
                    self.memory.leave(&Departure { line_id: *line_id, by: *by })?;
                }
            }
        }
        Ok(())
    }
}

#[test]
fn r13_7_the_suite_catches_each_neglected_duty() {
    let right = failures(|| Wrong::new(Nothing));
    assert_eq!(right, []);
    for (fault, check) in [
        (IssueReplacesDue, "issue: the same request gets the same link, and a link that is due, too"),
        (IssueCountsDue, "issue: no more links than the limit, and those that are due don't count"),
        (IssueForgetsLimit, "issue: no more links than the limit, and those that are due don't count"),
        (OwnLinkIsAnyones, "claim: one's own link is used by you in every state"),
        (ConnectedIsLost, "claim: both are told by an event that waits, before any packet"),
        (UseEndsWithItsUser, "claim: the same request gets the same answer, until both have left"),
        (UseEndsWithItsUser, "claim: a use counts until both have left its line"),
        (UsesNotCounted, "claim: a use counts until both have left its line"),
        (ClaimIsNoUse, "claim: the use that claimed a link counts when it is open again"),
        (LinesNotCounted, "claim: no more lines than the limit at either end"),
        (MarkBySettingOfNow, "claim: the same request gets the same mark, however the link was set since"),
        (NeverRecognised, "claim: two marks, and an owner is recognised where it wants to be"),
        (AlwaysRecognised, "claim: two marks, and an owner is recognised where it wants to be"),
        (SameVersionDoesNothing, "set_link: the same version and version 0 renew, a lower one does nothing"),
        (LowerVersionSets, "set_link: the same version and version 0 renew, a lower one does nothing"),
        (OverIsOver, "set_link: a link that is over or due, and there, lives again"),
        (DueIsLost, "set_link: a link that is over or due, and there, lives again"),
        (DueNeedsNoRoom, "set_link: a link that is due lives again only if there is room"),
        (ClaimedStaysClaimed, "set_link: many opens a claimed link, and only that"),
        (ClaimedForgetsVersion, "set_link: many opens a claimed link, and only that"),
        (AnybodySets, "set_link: a link of another user stays as it is"),
        (NeverLost, "set_link: lost is told of what is not there, and only if nothing waits"),
        (LostWhileSomethingWaits, "set_link: lost is told of what is not there, and only if nothing waits"),
        (ClosedIsNotLost, "set_link: lost is told of what is not there, and only if nothing waits"),
        (UsedIsLost, "set_link: lost is told of what is not there, and only if nothing waits"),
        (ClockBackEndsRetention, "claim, close_link: a clock that went back does not end the retention"),
        (ClosingKeepsLonger, "close_link: a closed link takes no place for longer than an open one"),
        (PurgesAtOneLook, "purge: one wrong look deletes nothing"),
        (PurgesWhatTheLookSees, "purge: one wrong look deletes nothing"),
        (NeverPurges, "purge: two looks a day apart delete what is due, and nothing else"),
        (PurgesLines, "purge: two looks a day apart delete what is due, and nothing else"),
        (RemoveKeepsLinks, "remove: its links, its lines and its queue, and nobody is told twice"),
        (RemoveTellsNobody, "remove: its links, its lines and its queue, and nobody is told twice"),
    ] {
        let caught = failures(|| Wrong::new(fault));
        assert!(caught.iter().any(|(name, _)| *name == check), "{fault:?} is caught by {caught:?} only");
    }
}
