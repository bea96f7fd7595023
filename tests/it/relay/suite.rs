//! What §13.7 asks of any storage, as checks that one's own storage can be put to. They see it by requests and deliveries alone. `wrong`
//! shows that the suite catches a storage that is wrong in each of many ways.

use std::fmt::Debug;

use super::*;
use Admission::{Many, Nobody, One};

/// Or what was seen, and should not be.
type Seen<T = ()> = Result<T, String>;

/// A duty, and what checks it in a storage that is empty.
type Check<D> = (&'static str, fn(&mut Running<D>) -> Seen);

/// How the relay of these checks is limited.
fn limits() -> Limits {
    Limits { links: 3, lines: 6, uses: 2, packets: 2, bytes: 64, lifetime_secs: 100 * DAY, retention_secs: 30 * DAY }
}

/// The checks that fail, and what was seen.
pub(super) fn failures<D: Directory<Error: Debug>>(make: impl Fn() -> D) -> Vec<(&'static str, String)> {
    let run = |(name, check): Check<D>| check(&mut Running::with(make(), limits())).err().map(|seen| (name, seen));
    checks().into_iter().filter_map(run).collect()
}

macro_rules! is {
    ($seen:expr, $right:expr) => {
        let (seen, right) = ($seen, $right);
        if seen != right {
            return Err(format!("{}: {seen:?}, not {right:?}", line!()));
        }
    };
}

impl<D: Directory<Error: Debug>> Running<D> {
    fn says(&mut self, from: u8, request: &Request<'_>) -> Seen<Response> {
        self.handle(from, request).map_err(|error| format!("{request:?}: {error:?}"))
    }

    /// Why a request is not served.
    fn refusal(&mut self, from: u8, request: &Request<'_>) -> Seen<Option<RequestError>> {
        match self.handle(from, request) {
            Ok(_) => Ok(None),
            Err(RelayError::Request(error)) => Ok(Some(error)),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    /// A link of Alice's, set to this version if it is not 0.
    fn link(&mut self, n: u8, version: u64, admits: Admission) -> Seen<LineLink> {
        let line_link = self.try_issue(ALICE, n).map_err(|error| format!("{error:?}"))?;
        if version > 0 {
            is!(self.says(ALICE, &set(line_link, version, admits))?, SILENT);
        }
        Ok(line_link)
    }

    fn last(&self, of: u8) -> Vec<u8> {
        self.waiting(of).pop().map(|(_, event)| event).unwrap_or_default()
    }

    fn line_of(&mut self, bob: u8, request: &Request<'_>) -> Seen<LineId> {
        is!(self.says(bob, request)?, Response { reply: None, notify: [Some(user(ALICE)), Some(user(bob))] });
        let told = [ALICE, bob].map(|of| self.last(of));
        match told.each_ref().map(|event| Event::decode(event)) {
            [Ok(Event::LineFormed { line_id: told, .. }), Ok(Event::Connected { line_id, .. })] if told == line_id => {
                Ok(line_id)
            }
            other => Err(format!("{other:?}")),
        }
    }

    fn told_again(&mut self, from: u8, request: &Request<'_>, event: &[u8]) -> Seen {
        let again = self.says(from, request)?;
        is!((again.reply.map(|event| event.to_vec()), again.notify), (Some(event.to_vec()), [None; 2]));
        Ok(())
    }

    fn acknowledges(&mut self, of: u8, upto: u64) -> Seen {
        self.relay.acknowledge(user(of), upto).map_err(|error| format!("{error:?}"))
    }

    fn leaves(&mut self, of: u8, line_id: LineId) -> Seen {
        is!(self.says(of, &Request::Disconnect { line_id })?.reply, Some(Event::Disconnected { line_id }));
        Ok(())
    }

    fn look(&mut self) -> Seen {
        let now = self.now;
        self.relay.directory_mut().purge(now).map_err(|error| format!("{error:?}"))
    }

    /// Until nothing is left that is due.
    fn looks(&mut self) -> Seen {
        (0..10).try_for_each(|_| self.look())
    }

    /// What a user that holds it is told of a link that forms no line.
    fn refuses(&mut self, from: u8, line_link: LineLink, reason: Reason) -> Seen {
        is!(self.says(from, &connect(line_link))?, Response { reply: Some(refused(line_link, reason)), ..SILENT });
        Ok(())
    }
}

fn checks<D: Directory<Error: Debug>>() -> Vec<Check<D>> {
    vec![
        ("issue: the same request gets the same link, and a link that is due, too", |relay| {
            let line_link = relay.link(1, 0, One)?;
            is!((relay.link(1, 0, One)?, relay.link(2, 0, One)? == line_link), (line_link, false));
            relay.wait(130 * DAY);
            is!(relay.link(1, 0, One)?, line_link);
            Ok(())
        }),
        ("issue: no more links than the limit, and those that are due don't count", |relay| {
            let full = Request::IssueLineLink { request_id: [9; 16].into() };
            for n in [1, 4] {
                let _ = [relay.link(n, 0, One)?, relay.link(n + 1, 0, One)?, relay.link(n + 2, 0, One)?];
                is!(relay.refusal(ALICE, &full)?, Some(RequestError::TooManyLinks));
                relay.wait(130 * DAY);
            }
            Ok(())
        }),
        ("claim: the states of a link", |relay| {
            let [open, closed, used] = [relay.link(1, 0, One)?, relay.link(2, 0, One)?, relay.link(3, 0, One)?];
            is!(relay.says(ALICE, &Request::CloseLineLink { line_link: closed })?, SILENT);
            relay.line_of(BOB, &on_board(used))?;
            relay.refuses(BOB, closed, Reason::Closed)?;
            relay.refuses(BOB, used, Reason::UsedByYou)?;
            relay.refuses(CAROL, used, Reason::UsedByAnother)?;
            relay.refuses(BOB, [0xEE; 16].into(), Reason::Unknown)?;
            relay.wait(100 * DAY);
            relay.refuses(BOB, open, Reason::Expired)?;
            relay.wait(30 * DAY);
            relay.refuses(BOB, open, Reason::Unknown)
        }),
        ("claim: one's own link is used by you in every state", |relay| {
            let [open, closed, used] = [relay.link(1, 1, Nobody)?, relay.link(2, 0, One)?, relay.link(3, 0, One)?];
            is!(relay.says(ALICE, &Request::CloseLineLink { line_link: closed })?, SILENT);
            relay.line_of(BOB, &connect(used))?;
            [open, closed, used].into_iter().try_for_each(|link| relay.refuses(ALICE, link, Reason::UsedByYou))?;
            relay.wait(100 * DAY);
            relay.refuses(ALICE, open, Reason::UsedByYou)
        }),
        ("claim: both are told by an event that waits, before any packet", |relay| {
            let line_link = relay.link(1, 0, One)?;
            let line_id = relay.line_of(BOB, &on_board(line_link))?;
            relay.says(ALICE, &Request::Packet { line_id, payload: b"words" })?;
            is!(relay.waits(ALICE), ["LineFormed on board"]);
            is!(relay.waits(BOB), ["Connected", "words"]);
            Ok(())
        }),
        ("claim: the same request gets the same answer, until both have left", |relay| {
            for (n, [first, second]) in [(1, [ALICE, BOB]), (2, [BOB, ALICE])] {
                let line_link = relay.link(n, 1, Many)?;
                let line_id = relay.line_of(BOB, &connect(line_link))?;
                let connected = relay.last(BOB);
                relay.told_again(BOB, &connect(line_link), &connected)?;
                relay.leaves(first, line_id)?;
                relay.told_again(BOB, &connect(line_link), &connected)?;
                relay.leaves(second, line_id)?;
                is!(relay.line_of(BOB, &connect(line_link))? == line_id, false);
            }
            Ok(())
        }),
        ("claim: the answer for a claimed link is kept when both have left", |relay| {
            let line_link = relay.link(1, 0, One)?;
            let line_id = relay.line_of(BOB, &connect(line_link))?;
            let connected = relay.last(BOB);
            relay.leaves(BOB, line_id)?;
            relay.leaves(ALICE, line_id)?;
            relay.told_again(BOB, &connect(line_link), &connected)
        }),
        ("claim: the same request gets the same mark, however the link was set since", |relay| {
            let line_link = relay.link(1, 1, Many)?;
            relay.line_of(BOB, &connect(line_link))?;
            let connected = relay.last(BOB);
            let set = Request::SetLineLink { line_link, version: 2, admits: Many, recognisable: true };
            is!(relay.says(ALICE, &set)?, SILENT);
            relay.told_again(BOB, &connect(line_link), &connected)
        }),
        ("claim: two marks, and an owner is recognised where it wants to be", |relay| {
            let mut seen = Vec::new();
            for (n, recognisable) in [(1, false), (2, true), (3, true)] {
                let line_link = relay.link(n, 0, One)?;
                let set = Request::SetLineLink { line_link, version: 1, admits: One, recognisable };
                is!(relay.says(ALICE, &set)?, SILENT);
                relay.line_of(BOB, &connect(line_link))?;
                seen.push([ALICE, BOB].map(|of| match Event::decode(&relay.last(of)) {
                    Ok(Event::LineFormed { peer, .. } | Event::Connected { peer, .. }) => Some(peer),
                    _ => None,
                }));
            }
            is!((seen[0][0] == seen[1][0], seen[0][1] == seen[1][1], seen[1] == seen[2]), (true, false, true));
            is!(seen[1][0] == seen[1][1], false);
            Ok(())
        }),
        ("claim: a use counts until both have left its line", |relay| {
            let line_link = relay.link(1, 1, Many)?;
            for n in [1, 2] {
                let line_id = relay.line_of(BOB, &connect_as(line_link, n))?;
                relay.leaves(BOB, line_id)?;
            }
            is!(relay.refusal(BOB, &connect_as(line_link, 3))?, Some(RequestError::TooManyLines));
            relay.line_of(CAROL, &connect(line_link))?;
            let first_end = relay.waiting(ALICE)[1].0;
            relay.acknowledges(ALICE, first_end)?;
            relay.line_of(BOB, &connect_as(line_link, 3))?;
            Ok(())
        }),
        ("claim: the use that claimed a link counts when it is open again", |relay| {
            let line_link = relay.link(1, 0, One)?;
            relay.line_of(BOB, &connect(line_link))?;
            is!(relay.says(ALICE, &set(line_link, 1, Many))?, SILENT);
            relay.line_of(BOB, &connect_as(line_link, 1))?;
            is!(relay.refusal(BOB, &connect_as(line_link, 2))?, Some(RequestError::TooManyLines));
            Ok(())
        }),
        ("claim: no more lines than the limit at either end", |relay| {
            let line_link = relay.link(1, 1, Many)?;
            for from in 10..16 {
                relay.line_of(from, &connect(line_link))?;
            }
            is!(relay.refusal(BOB, &connect(line_link))?, Some(RequestError::TooManyLines));
            Ok(())
        }),
        ("set_link: the same version and version 0 renew, a lower one does nothing", |relay| {
            let [never, line_link] = [relay.link(1, 0, One)?, relay.link(2, 2, Many)?];
            for _ in 0..2 {
                relay.wait(99 * DAY);
                is!(relay.says(ALICE, &renew(never))?, SILENT);
                is!(relay.says(ALICE, &set(line_link, 2, Many))?, SILENT);
            }
            relay.line_of(BOB, &connect(never))?;
            relay.line_of(BOB, &connect(line_link))?;
            relay.wait(99 * DAY);
            is!(relay.says(ALICE, &set(line_link, 1, Nobody))?, SILENT);
            relay.line_of(CAROL, &connect(line_link))?;
            relay.wait(DAY);
            relay.refuses(4, line_link, Reason::Expired)
        }),
        ("set_link: a link that is over or due, and there, lives again", |relay| {
            let line_link = relay.link(1, 1, Many)?;
            for (from, days) in [(BOB, 100), (CAROL, 130)] {
                relay.wait(days * DAY);
                is!(relay.says(ALICE, &set(line_link, 1, Many))?, SILENT);
                relay.line_of(from, &connect(line_link))?;
            }
            Ok(())
        }),
        ("set_link: a link that is due lives again only if there is room", |relay| {
            let old = relay.link(1, 0, One)?;
            relay.wait(130 * DAY);
            let _ = [relay.link(2, 0, One)?, relay.link(3, 0, One)?, relay.link(4, 0, One)?];
            is!(relay.says(ALICE, &renew(old))?, SILENT);
            relay.refuses(BOB, old, Reason::Unknown)
        }),
        ("set_link: many opens a claimed link, and only that", |relay| {
            for (n, settings, opens) in [
                (1, vec![(1, Many)], true),
                (2, vec![(2, Nobody), (1, Many), (2, Many)], false),
                (3, vec![(2, One), (0, One), (3, Many)], true),
            ] {
                let line_link = relay.link(n, 0, One)?;
                relay.line_of(BOB, &connect(line_link))?;
                for (version, admits) in settings {
                    is!(relay.says(ALICE, &set(line_link, version, admits))?, SILENT);
                }
                if opens {
                    relay.line_of(CAROL, &connect(line_link))?;
                } else {
                    relay.refuses(CAROL, line_link, Reason::UsedByAnother)?;
                }
            }
            Ok(())
        }),
        ("set_link: a link of another user stays as it is", |relay| {
            let line_link = relay.link(1, 0, One)?;
            is!(relay.says(BOB, &set(line_link, 1, Nobody))?, lost(line_link));
            relay.line_of(CAROL, &connect(line_link))?;
            Ok(())
        }),
        ("set_link: lost is told of what is not there, and only if nothing waits", |relay| {
            let [closed, used] = [relay.link(1, 0, One)?, relay.link(2, 0, One)?];
            is!(relay.says(ALICE, &Request::CloseLineLink { line_link: closed })?, SILENT);
            for line_link in [closed, [0xEE; 16].into()] {
                is!(relay.says(ALICE, &renew(line_link))?, lost(line_link));
            }
            relay.line_of(BOB, &connect(used))?;
            is!(relay.says(ALICE, &renew(closed))?, SILENT);
            let last = relay.waiting(ALICE)[0].0;
            relay.acknowledges(ALICE, last)?;
            is!(relay.says(ALICE, &renew(used))?, SILENT);
            is!(relay.says(ALICE, &renew(closed))?, lost(closed));
            Ok(())
        }),
        ("claim, close_link: a clock that went back does not end the retention", |relay| {
            let [used, closed] = [relay.link(1, 0, One)?, relay.link(2, 0, One)?];
            relay.now = at(NOW.as_secs() - 200 * DAY);
            relay.line_of(BOB, &connect(used))?;
            is!(relay.says(ALICE, &Request::CloseLineLink { line_link: closed })?, SILENT);
            relay.now = at(NOW.as_secs() + 30 * DAY - 1);
            relay.refuses(CAROL, used, Reason::UsedByAnother)?;
            relay.refuses(CAROL, closed, Reason::Closed)
        }),
        ("close_link: a closed link takes no place for longer than an open one", |relay| {
            let _ = [relay.link(1, 0, One)?, relay.link(2, 0, One)?];
            let line_link = relay.link(3, 0, One)?;
            relay.wait(130 * DAY - 1);
            is!(relay.says(ALICE, &Request::CloseLineLink { line_link })?, SILENT);
            relay.wait(1);
            let _ = [relay.link(4, 0, One)?, relay.link(5, 0, One)?, relay.link(6, 0, One)?];
            Ok(())
        }),
        ("purge: one wrong look deletes nothing", |relay| {
            let line_link = relay.link(1, 0, One)?;
            relay.look()?;
            for wrong in [at(0), at(NOW.as_secs() + 900 * DAY), UnixSeconds::MAX] {
                relay.now = wrong;
                relay.look()?;
                relay.now = relay.now.after(Duration::from_secs(DAY - 1));
                relay.looks()?;
                relay.now = NOW;
                relay.looks()?;
                relay.now = at(NOW.as_secs() + DAY);
                relay.looks()?;
            }
            relay.line_of(BOB, &connect(line_link))?;
            Ok(())
        }),
        ("purge: two looks a day apart delete what is due, and nothing else", |relay| {
            let [due, used] = [relay.link(1, 0, One)?, relay.link(2, 0, One)?];
            relay.wait(99 * DAY);
            let kept = relay.link(3, 0, One)?;
            let line_id = relay.line_of(BOB, &connect(used))?;
            for _ in 0..2 {
                relay.wait(31 * DAY);
                relay.looks()?;
            }
            relay.acknowledge_all(ALICE);
            for line_link in [due, used] {
                is!(relay.says(ALICE, &renew(line_link))?, lost(line_link));
            }
            relay.line_of(BOB, &connect(kept))?;
            is!(relay.says(BOB, &Request::Packet { line_id, payload: b"" })?.notify, [Some(user(ALICE)), None]);
            Ok(())
        }),
        ("remove: its links, its lines and its queue, and nobody is told twice", |relay| {
            let [open, many] = [relay.link(1, 0, One)?, relay.link(2, 1, Many)?];
            let line_id = relay.line_of(BOB, &connect(many))?;
            is!((relay.remove(ALICE), relay.remove(ALICE)), (vec![user(BOB)], vec![]));
            is!((relay.waits(ALICE), relay.waits(BOB)), (vec![], vec!["Connected".into(), "Disconnected".into()]));
            relay.refuses(CAROL, open, Reason::Unknown)?;
            is!(relay.says(ALICE, &renew(open))?, lost(open));
            is!(relay.says(BOB, &Request::Packet { line_id, payload: b"" })?.notify, [Some(user(BOB)), None]);
            Ok(())
        }),
    ]
}

#[test]
fn r13_7_memory_does_what_a_storage_must() {
    assert_eq!(failures(Memory::new), []);
}
