//! Writes `fuzz/seeds/` anew: schedules first, and from what happens in them everything else. Fails if one of them does
//! not get where it is meant to.

mod app;
mod freeshard;
mod manifests;
mod portal;
mod portal_worlds;
mod ports;
mod relay;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use port_protocol::testkit::{
    Answer, App, Asked, Choice, Claim, Client, Command, End, Forgery, Output, Outside, PowerFailed, Receipt, RollBack,
    Schedule, World,
};
use port_protocol::{
    Alice, Bob, Event, Introducer, IntroducerEffect, IntroducerMessage, IntroducerName, Line, LinePhase, Machine,
    Payload, Policy, Pool, PoolEffect, Port, PortOptions, RelayAddr, Request, Seed, SendProof, UnixSeconds,
};
use port_protocol_fuzz::world::{self, ALICE, BOB, formed};
use port_protocol_fuzz::{
    Commit, Owner, Said, app_bundle, app_event, app_intro, app_link, decode_event, decode_introduction, decode_port,
    drive_pair, find, freeshard_signature, line_open, pending, portal_id, portal_manifest, portal_message,
    restore_alice, restore_app, restore_bob, restore_introducer, restore_line, restore_pool, restore_portal,
    with_script,
};

type Seeds = BTreeMap<String, Vec<u8>>;

fn main() {
    let schedules = schedules();
    let choices = || schedules.values().map(|schedule| Schedule::from_bytes(schedule).0);
    let worlds: Vec<_> = choices().map(|choices| world::run(3, &choices)).collect();
    let kept: BTreeSet<_> = choices().chain(many()).flat_map(|choices| kept(&choices)).collect();

    write("drive_pair", &schedules, |_| true);
    write("world", &crowds(), world::world);
    write("decode_port", &ports::ports(), decode_port);
    write("find", &ports::texts(), find);
    write("portal_id", &portal::ids(), portal_id);
    write("decode_event", &messages(&worlds), decode_event);
    write("restore_alice", &records::<Alice>(&kept, 9), restore_alice);
    write("restore_bob", &records::<Bob>(&kept, 7), restore_bob);
    write("restore_line", &records::<Line>(&kept, 6), restore_line);
    write("restore_pool", &pools(), restore_pool);
    write("decode_introduction", &introductions(), decode_introduction);
    write("restore_introducer", &introducers(), restore_introducer);
    write("line_open", &packets(), |_| true);
    write("relay_handle", &relay::requests(), |_| true);
    write("app_bundle", &app::bundles(), app_bundle);
    write("app_link", &app::links(), app_link);
    write("app_intro", &app::intros(), app_intro);
    write("app_event", &app::events(), app_event);
    write("freeshard_signature", &freeshard::requests(), freeshard_signature);
    write("restore_app", &app::machines(), restore_app);
    write("portal_message", &portal_worlds::messages(), portal_message);
    write("restore_portal", &portal_worlds::records(), restore_portal);
    write("portal_manifest", &manifests::manifests(), portal_manifest);
}

fn write(target: &str, seeds: &Seeds, check: impl Fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, seed) in seeds {
        assert!(check(seed), "{target}/{name} does not get there");
        fs::write(folder.join(name), seed).expect("a file");
    }
    println!("{target}: {} seeds", seeds.len());
}

/// Each with how the lines of Alice and Bob stand at its end.
fn schedules() -> Seeds {
    use Choice::{
        AnswerUnasked, BackUp, ClaimTwice, Clock, Close, Crash, CrossLine, Delay, Deliver, DeliverAll, Drop, Duplicate,
        Flip, Forge, GiveUp, Lose, MakePort, Misroute, Reorder, RollBack as Back, Say, Tick, UsePort, Wake,
    };
    use LinePhase::{AwaitingProof, Closed, Confirmed, Joined};
    use SendProof::{AlongTheLine, Inline};
    const TALK: &[Choice] = &[Say(ALICE, 0), Say(BOB, 0), DeliverAll];
    const ALL: &[Choice] = &[DeliverAll];
    const READY: &[Choice] = &[MakePort(ALICE, None), DeliverAll];
    const LINK: &[Choice] = &[MakePort(ALICE, None)];
    const DYING: &[Choice] = &[MakePort(ALICE, Some(12)), DeliverAll];
    const USED: &[Choice] = &[UsePort(BOB, 0, Inline)];
    const THIEF: u8 = 2;
    let (formed, along) = (&formed(Inline)[..], &formed(AlongTheLine)[..]);

    let mut seeds = Seeds::new();
    let mut add = |name: &str, alice: Option<LinePhase>, bob: Option<LinePhase>, choices: &[&[Choice]]| {
        let choices = choices.concat();
        let world = world::run(3, &choices);
        let phase = |who| world::line(&world, who).map(|line| line.phase());
        assert_eq!((phase(ALICE), phase(BOB)), (alice, bob), "{name}\n{}", world.trace());
        let schedule = Schedule(choices).to_bytes();
        assert_eq!(drive_pair(&schedule), (alice, bob) == (Some(Confirmed), Some(Confirmed)), "{name}");
        let heard = world.trace().matches(" hears ").count();
        assert_eq!(heard, if name.starts_with("words") { 4 } else { 0 }, "{name}\n{}", world.trace());
        seeds.insert(name.into(), schedule);
    };

    let (alice, bob) = (Some(Confirmed), Some(Confirmed));
    add("on-board", alice, bob, &[formed, ALL]);
    add("along-the-line", alice, bob, &[along, ALL]);
    add("expires", alice, bob, &[DYING, USED, ALL]);
    add("words", alice, bob, &[formed, ALL, TALK, TALK]);
    add("words-before-confirm", alice, bob, &[formed, TALK, TALK]);
    add("lost-confirm", alice, bob, &[formed, &[Drop, Wake(ALICE), DeliverAll]]);
    add("lost-answer", alice, bob, &[formed, &[Deliver, Drop, Wake(ALICE), DeliverAll]]);
    add("all-twice", alice, bob, &[formed, &[0, 1, 2, 3].map(Duplicate), ALL]);
    add("late", alice, bob, &[READY, USED, &[Delay, Reorder(1), Wake(BOB), DeliverAll]]);
    for (name, after) in [("crashes-at-once", 0), ("crashes-before-commit", 2), ("crashes-late", 4)] {
        let crashes = [Crash(ALICE, after), Crash(BOB, after)];
        add(name, alice, bob, &[READY, &crashes, USED, USED, ALL, &crashes, &[Wake(ALICE), Wake(BOB), DeliverAll]]);
    }
    add("another-mark", alice, bob, &[READY, USED, &[Drop, ClaimTwice(0, Claim::OtherPeer), DeliverAll]]);
    add("proof-after-a-jump", alice, bob, &[along, &[Clock(20), Tick(ALICE), DeliverAll]]);
    add("flipped", alice, bob, &[formed, &[Flip(3, 200), Flip(3, 17), DeliverAll]]);
    add("reflected", alice, bob, &[formed, ALL, &[Misroute(3, ALICE), Misroute(4, BOB), CrossLine(3, 0)]]);
    let claims = [Claim::SameProof, Claim::ForeignProof, Claim::NoProof].map(|claim| ClaimTwice(0, claim));
    add("claimed-twice", alice, bob, &[formed, &claims, ALL]);
    let dropped = [[Say(BOB, 0); 5], [Drop; 5]].concat();
    add(
        "dropped",
        alice,
        bob,
        &[formed, ALL, &dropped, &[Deliver, Forge(0, Forgery::Dropped(End::Alice)), Tick(ALICE)]],
    );
    add("forged", alice, bob, &[formed, ALL, &[Forge(0, Forgery::Proof), Forge(0, Forgery::Packet)]]);
    add("stolen", Some(Confirmed), None, &[READY, &[UsePort(THIEF, 0, Inline)], USED, ALL]);
    let old = |how| [Back(ALICE, how), ClaimTwice(0, Claim::SameProof)];
    for (name, how) in [("old-process", RollBack::Process), ("old-records", RollBack::Records)] {
        let phase = if how == RollBack::Process { alice } else { None };
        add(name, phase, bob, &[READY, &[BackUp(ALICE)], USED, ALL, &old(how)]);
    }
    add("old-store", None, bob, &[READY, &[BackUp(ALICE)], USED, ALL, &old(RollBack::Everything)]);

    let (alice, bob) = (Some(Joined), Some(Joined));
    add("both-joined", alice, bob, &[formed]);
    add("awaiting-proof", Some(AwaitingProof), bob, &[along]);
    add("confirmed-by-words", Some(Joined), bob, &[formed, &[Drop]]);
    add("two-line-ids", alice, bob, &[READY, USED, &[Drop, ClaimTwice(0, Claim::SameProof), DeliverAll]]);
    add("refused", alice, None, &[READY, USED, &[AnswerUnasked(BOB, Answer::Refusal(Asked::Now)), Deliver]]);
    add(
        "an-old-refusal",
        alice,
        bob,
        &[READY, USED, &[AnswerUnasked(BOB, Answer::Refusal(Asked::Before)), Deliver, Deliver]],
    );
    add("cancelled", alice, None, &[READY, USED, &[GiveUp(BOB, 0), Deliver]]);
    const AGAIN: &[Choice] = &[GiveUp(BOB, 0), UsePort(BOB, 0, Inline)];
    add("scanned-again", alice, None, &[READY, USED, AGAIN, &[Deliver]]);
    add(
        "an-old-line",
        Some(Joined),
        None,
        &[READY, USED, AGAIN, &[AnswerUnasked(BOB, Answer::Connected(Asked::Before)), Deliver]],
    );

    let (alice, bob) = (Some(Closed), Some(Closed));
    add("closed-by-alice", alice, bob, &[formed, ALL, &[Close(ALICE, 0), DeliverAll]]);
    add("closed-by-bob", alice, bob, &[along, ALL, &[Crash(BOB, 2), Close(BOB, 0), DeliverAll]]);
    add("disconnected", alice, Some(Confirmed), &[formed, ALL, &[Forge(0, Forgery::Disconnected(End::Alice))]]);
    let early = [Delay, Deliver, Forge(0, Forgery::Disconnected(End::Bob)), Deliver];
    add("disconnected-early", Some(Joined), bob, &[READY, USED, &[Deliver], &early]);
    add("foreign-proof", None, Some(Joined), &[READY, USED, &[Drop, ClaimTwice(0, Claim::ForeignProof), Deliver]]);
    add("foreign-proof-along-the-line", alice, bob, &[along, &[Forge(0, Forgery::Proof), DeliverAll]]);
    // Seven looks at the clock are a week (§8.8).
    add("proof-too-late", alice, bob, &[along, &[[Clock(17), Tick(ALICE)]; 7].concat(), ALL]);

    add("cancelled-and-heard", alice, None, &[READY, USED, &[GiveUp(BOB, 0), DeliverAll]]);
    add("lost-alice", None, bob, &[formed, ALL, &[Lose(ALICE), Say(BOB, 0), DeliverAll]]);
    add("lost-bob", alice, None, &[formed, &[Lose(BOB), Wake(ALICE), DeliverAll]]);
    add("lost-before-the-line", alice, None, &[READY, USED, &[Lose(BOB), DeliverAll]]);

    add("link-lost", None, None, &[READY, &[AnswerUnasked(ALICE, Answer::LinkLost)]]);
    add("flipped-proof", None, None, &[READY, USED, &[Flip(1, 768)]]);
    add("link-never-asked-for", None, None, &[LINK, &[AnswerUnasked(ALICE, Answer::Link), DeliverAll]]);
    add("second-link", None, None, &[READY, &[AnswerUnasked(ALICE, Answer::SecondLink)]]);
    add("revoked", None, None, &[READY, &[GiveUp(ALICE, 0)], USED, ALL]);
    add("revoked-before-the-link", None, None, &[LINK, &[GiveUp(ALICE, 0), DeliverAll]]);
    add("expired", None, None, &[DYING, USED, &[Clock(12), Tick(ALICE), Tick(BOB)]]);
    add("expired-unscanned", None, None, &[DYING, &[Clock(12)], USED]);
    seeds
}

/// Two Alices, two Bobs, a thief: in each somebody hears a word.
/// Superports, one of which asks, for the records of those who have to do with them.
fn many() -> [Vec<Choice>; 3] {
    use Choice::{Close, Decide, DeliverAll, MakeSuperport, Say, UsePort};
    let used =
        |uses| [MakeSuperport(ALICE, uses), DeliverAll, UsePort(BOB, 0, SendProof::Inline), Say(BOB, 0), DeliverAll];
    let lets_in =
        |lets: bool| [&used(u8::MAX)[..], &[Decide(ALICE, 0, lets), DeliverAll, Say(BOB, 0), DeliverAll]].concat();
    [[&used(1)[..], &[Say(BOB, 0), Close(ALICE, 0), DeliverAll]].concat(), lets_in(true), lets_in(false)]
}

fn crowds() -> Seeds {
    use Choice::{
        AnswerUnasked, BackUp, ClaimTwice, Close, Crash, CrossLine, Deliver, DeliverAll, Drop, Duplicate, Forge,
        GiveUp, MakePort, Misroute, Say, Tick, UsePort, Wake,
    };
    use SendProof::{AlongTheLine, Inline};
    const OTHER_ALICE: u8 = 2;
    const OTHER_BOB: u8 = 3;
    const THIEF: u8 = 4;
    let everybody = || (0..5).flat_map(|who| [Say(who, 0), Say(who, 1)]).chain([DeliverAll]);
    let ports = || [MakePort(ALICE, None), DeliverAll, MakePort(OTHER_ALICE, None), DeliverAll];
    let lines =
        || ports().into_iter().chain([UsePort(BOB, 0, Inline), UsePort(OTHER_BOB, 1, AlongTheLine), DeliverAll]);

    let mut seeds = Seeds::new();
    let mut add = |name: &str, choices: &[Choice]| {
        let choices: Vec<_> = choices.iter().copied().chain(everybody()).collect();
        seeds.insert(name.into(), Schedule(choices).to_bytes());
    };
    let after = |more: &[Choice]| lines().chain(more.iter().copied()).collect::<Vec<_>>();
    let before = |more: &[Choice]| ports().into_iter().chain(more.iter().copied()).collect::<Vec<_>>();

    add("two-pairs", &after(&[]));
    add("one-bob-two-alices", &before(&[UsePort(BOB, 0, Inline), UsePort(BOB, 1, AlongTheLine), DeliverAll]));
    add("alice-is-a-bob-too", &before(&[UsePort(ALICE, 1, Inline), UsePort(BOB, 0, Inline), DeliverAll]));
    add(
        "stolen",
        &before(&[UsePort(THIEF, 0, Inline), UsePort(BOB, 0, Inline), UsePort(THIEF, 1, Inline), DeliverAll]),
    );
    let crossed: Vec<_> = (0..4).flat_map(|line| [CrossLine(0, line), CrossLine(2, line)]).collect();
    add("crossed", &after(&crossed));
    add("misrouted", &after(&[Misroute(2, OTHER_BOB), Misroute(4, BOB), Misroute(6, THIEF), Duplicate(3)]));
    let second = [AnswerUnasked(ALICE, Answer::SecondLink), UsePort(BOB, 0, Inline), DeliverAll];
    add("one-link-for-two", &[&[MakePort(ALICE, None)], &before(&second)[..]].concat());
    let two_ports = [MakePort(ALICE, None), DeliverAll, UsePort(OTHER_BOB, 2, Inline), DeliverAll];
    let taken = [MakePort(ALICE, None), DeliverAll, AnswerUnasked(ALICE, Answer::TakenLine), DeliverAll];
    add("a-line-of-another-port", &after(&taken));
    let taken = [MakePort(THIEF, None), DeliverAll, UsePort(BOB, 2, Inline)];
    let taken = [&taken[..], &[AnswerUnasked(BOB, Answer::ConnectedToTaken), DeliverAll]].concat();
    add("a-line-of-another-port-for-bob", &after(&taken));
    let same_line = [ClaimTwice(0, Claim::SameLine), ClaimTwice(1, Claim::SameLine)];
    add("one-name-for-two", &after(&[&two_ports[..], &same_line, &[DeliverAll]].concat()));
    add("crashes", &before(&[Crash(ALICE, 3), Crash(BOB, 5), UsePort(BOB, 0, AlongTheLine), DeliverAll]));
    let lost = [UsePort(BOB, 0, AlongTheLine), Deliver, Deliver, Drop];
    let words = [Say(BOB, 0); 5];
    add("proof-dropped", &before(&[&lost[..], &words, &[DeliverAll, Tick(BOB), DeliverAll]].concat()));
    let store = [BackUp(ALICE), UsePort(BOB, 0, Inline), DeliverAll];
    for (name, how) in [("records", RollBack::Records), ("store", RollBack::Everything)] {
        let back =
            [Choice::RollBack(ALICE, how), ClaimTwice(0, Claim::SameProof), UsePort(THIEF, 1, Inline), DeliverAll];
        add(&format!("old-{name}"), &before(&[&store[..], &back].concat()));
    }
    let closed = [Close(ALICE, 0), GiveUp(OTHER_ALICE, 0), Wake(BOB), Forge(1, Forgery::Dropped(End::Bob)), DeliverAll];
    add("one-closed", &after(&closed));
    for seed in 0..4 {
        let drawn: Vec<_> = everybody().chain(Schedule::from_seed(seed, 64).0).collect();
        add(&format!("drawn-{seed}"), &after(&drawn));
    }
    seeds
}

/// The kit's client; what is in its store whenever the kit looks is written down.
#[derive(Default)]
struct Watched {
    client: Client,
    seen: Rc<RefCell<BTreeSet<Vec<u8>>>>,
}

impl App for Watched {
    fn deliver(&mut self, event: &[u8], outside: &mut Outside<'_>) -> Result<Receipt, PowerFailed> {
        self.client.deliver(event, outside)
    }

    fn command(&mut self, command: &Command, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.client.command(command, outside)
    }

    fn restart(&mut self, outside: &mut Outside<'_>) -> Result<(), PowerFailed> {
        self.client.restart(outside)
    }

    fn output(&mut self) -> Vec<Output> {
        self.client.output()
    }

    fn records(&self) -> Vec<Vec<u8>> {
        let records = self.client.records();
        self.seen.borrow_mut().extend(records.iter().cloned());
        records
    }
}

/// Every record that anybody ever keeps in this schedule: a crash anywhere shows what is there in between.
fn kept(choices: &[Choice]) -> BTreeSet<Vec<u8>> {
    let seen = Rc::<RefCell<BTreeSet<Vec<u8>>>>::default();
    for at in 0..choices.len() {
        for (who, after) in [ALICE, BOB].into_iter().flat_map(|who| (0..8).map(move |after| (who, after))) {
            let (before, rest) = choices.split_at(at);
            let apps = [(); 3].map(|()| Watched { seen: seen.clone(), ..Watched::default() });
            let crashing = [before, &[Choice::Crash(who, after)], &rest[..1]].concat();
            drop(world::play(apps, &crashing));
        }
    }
    seen.take()
}

/// A contact port of the shortest form and of the longest, and whom it was granted to.
fn contact_ports() -> [(&'static str, Port, Introducer, IntroducerName, Option<UnixSeconds>); 2] {
    let (offer, last) = (PortOptions::new().policy(Policy::unlimited()).introducer([6; 16].into()), UnixSeconds::MAX);
    let longest = offer.clone().expires(last).relay(RelayAddr::new(&"r".repeat(64)).expect("a relay"));
    let name = |name: &str| IntroducerName::new(name).expect("a name");
    let plain = ("plain", offer, name(""), None);
    [plain, ("longest", longest, name(&"n".repeat(32)), Some(last))].map(|(what, offer, name, expires)| {
        let alice = Alice::offer([5; 16].into(), offer, Seed::from_bytes(&[9; 64])).committed();
        let port = alice.port().expect("on offer").clone();
        let carol = Introducer::granted(port.to_bytes().as_slice(), [6; 16].into()).expect("a grant").committed();
        (what, port, carol, name, expires)
    })
}

fn introductions() -> Seeds {
    let mut seeds = Seeds::new();
    for (what, port, mut carol, name, expires) in contact_ports() {
        let step = carol.introduce(name, expires, Seed::from_bytes(&[8; 64]), UnixSeconds::default()).expect("granted");
        let Some(IntroducerEffect::Announce(_, told)) = step.committed().next() else { panic!("nothing to tell") };
        seeds.insert(format!("ticket-{what}"), told.to_vec());
        seeds.insert(format!("grant-{what}"), IntroducerMessage::Grant { port: port.to_bytes().as_slice() }.to_vec());
    }
    seeds.insert("withdrawn".into(), IntroducerMessage::Withdrawn { line_link: [5; 16].into() }.to_vec());
    seeds
}

/// One of each state, and something that happens to it: introduce, announce, clear the outbox, twice; withdrawn.
fn introducers() -> Seeds {
    let script = [5, 0, 4, 7, 3, b'C', b'a', b'r', 0, 5, 0, 4, 9, 101, 5, 14, 0, 0, 4, 1, 0, 2, 1];
    let mut seeds = Seeds::new();
    for (what, _, mut carol, name, expires) in contact_ports() {
        let mut add = |carol: &Introducer| {
            let phase = format!("{:?}", carol.phase()).replace(['(', ')'], "-").to_lowercase();
            let name = format!("{phase}-{what}-{}", carol.record().len());
            seeds.insert(name.replace("--", "-"), with_script(&carol.record(), &script));
        };
        add(&carol);
        let step = carol.introduce(name, expires, Seed::from_bytes(&[8; 64]), UnixSeconds::default()).expect("granted");
        step.committed().for_each(drop);
        add(&carol);
        carol.mark_announced().expect("a ticket").committed().for_each(drop);
        add(&carol);
        carol.cancel().expect("not over").committed().for_each(drop);
        add(&carol);
    }
    seeds
}

/// One of each kind.
fn messages(worlds: &[World]) -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |kind: String, bytes: &[u8]| {
        seeds.entry(kind).or_insert_with(|| bytes.to_vec());
    };
    for world in worlds {
        for request in world.requests() {
            let decoded = Request::decode(request).expect("a machine's own");
            add(format!("request-{}", word(&decoded)), request);
            if let Request::Packet { payload, .. } = decoded {
                let decoded = Payload::decode(payload).expect("a machine's own");
                let content = if let Payload::Sealed { kind, .. } = &decoded { word(kind) } else { String::new() };
                add(format!("payload-{}{content}", word(&decoded)), payload);
            }
        }
        for delivery in world.events() {
            let decoded = Event::decode(&delivery.event).expect("of a machine's own");
            let with = matches!(decoded, Event::LineFormed { proof: Some(_), .. });
            add(format!("event-{}{}", word(&decoded), if with { "-with-proof" } else { "" }), &delivery.event);
        }
    }
    let lost = Event::LineLinkLost { line_link: [5; 16].into() };
    add("event-linelinklost".into(), &lost.to_vec());
    // Each kind of request, event and payload; packets of each content.
    assert_eq!(seeds.len(), 6 + 9 + 6, "{:?}", seeds.keys());
    seeds
}

/// One of each state with each outbox, and something that happens to it.
fn records<M: Owner>(kept: &BTreeSet<Vec<u8>>, at_least: usize) -> Seeds {
    let mut seeds = Seeds::new();
    for record in kept {
        let Ok(machine) = M::restore(record) else { continue };
        let phase = Line::restore(record).map(|line| format!("{:?}", line.phase()));
        let outbox: Vec<_> = pending(&machine).iter().map(kind).collect();
        let place = phase.unwrap_or_else(|_| word(&machine.key()));
        // The length tells apart what shows no effect: one end from another, with a relay or without.
        let name = format!("{place}-{}-{}", outbox.join("-"), record.len()).replace("--", "-");
        // Every event, then every command, each with every argument that fits a short script.
        let script: Vec<u8> =
            (0..14).flat_map(|how| [4, how, how, how, how, how]).chain([5, 1, 2, 6, 1, 7, 1, 0, 15, 9, 6]).collect();
        seeds.entry(name.to_lowercase()).or_insert_with(|| with_script(record, &script));
    }
    assert!(seeds.len() >= at_least, "{:?}", seeds.keys());
    seeds
}

/// Pools with nothing, some and all of their links, and something that happens to them.
fn pools() -> Seeds {
    let mut seeds = Seeds::new();
    for (low, full) in [(1, 1), (2, 3), (4, 8), (16, 16)] {
        let mut pool = Pool::new(low, full, Seed::from_bytes(&[9; 64])).expect("good bounds").committed();
        for link in 0..=full {
            // Answers of every kind, to be taken at once and later, with every way to stop between.
            let every =
                (0..8).flat_map(|how| [4, how, 100 + how, how, 4, 16 + how, 0, how, 4, 32 + how, how, 0, how % 4]);
            let script: Vec<u8> = every.chain([0; 20]).collect();
            let name = format!("{low}-{full}-{}-held-{}-requested", pool.held(), pool.requested());
            seeds.insert(name, with_script(&pool.record(), &script));
            let Some(PoolEffect::Send(Request::IssueLineLink { request_id })) = pool.pending().next() else { break };
            let event = Event::LineLinkIssued { request_id, line_link: [link; 16].into() };
            pool.handle(&event).expect("it was asked for").committed().for_each(drop);
        }
        pool.pop().expect("it is full").committed().for_each(drop);
        seeds.insert(format!("{low}-{full}-taken"), with_script(&pool.record(), &[0, 4, 0, 7, 0, 2, 3, 1]));
    }
    seeds
}

fn kind(said: &Said) -> String {
    match said {
        Said::Send(request) => match Request::decode(request).expect("a machine's own") {
            Request::Packet { payload, .. } => match Payload::decode(payload).expect("a machine's own") {
                Payload::Sealed { kind, .. } => word(&kind),
                payload => word(&payload),
            },
            Request::Connect { proof: Some(_), .. } => "connect-with-proof".into(),
            request => word(&request),
        },
        Said::Ended(end) => end.replace(['(', ')'], "-"),
        said => word(said),
    }
}

/// The first word of its `Debug`.
fn word(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

/// `[moment and direction, length, more, fill, data, more, changes…]`; each moment and direction, genuine and not.
fn packets() -> Seeds {
    let mut seeds = Seeds::new();
    for moment in 0..8 {
        let head = [moment, 4, 0, b'm', 3, 0];
        let changes: [(&str, &[u8]); 6] = [
            ("genuine", &[]),
            ("flipped", &[0, 0, 90]),
            ("cut", &[2, 1]),
            ("spliced", &[3, 0, 4, 1, 1, 9]),
            ("other-data", &[4, 0, 1]),
            ("machines-own", &[6, 0]),
        ];
        for (name, change) in changes {
            let seed = [&head[..], change].concat();
            let opened = line_open(&seed);
            match name {
                "genuine" => assert_eq!(opened, moment & 3 != 0, "{moment}"),
                "machines-own" => {}
                _ => assert!(!opened, "{name} {moment}"),
            }
            seeds.insert(format!("{name}-{moment}"), seed);
        }
        seeds.insert(format!("reflected-{moment}"), [&head[..], &[7]].concat());
    }
    seeds.insert("longest".into(), vec![3, 0xfe, 1, 0, 255, 1]);
    seeds.insert("too-long".into(), vec![3, 0xfe, 2, 0, 0, 0]);
    seeds.insert("too-much-data".into(), vec![3, 1, 0, 0, 255, 2]);
    assert!(line_open(&seeds["longest"]));
    seeds
}
