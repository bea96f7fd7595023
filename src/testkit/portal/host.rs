//! Host: an honest Portal with two apps and an owner, doing just what chapter 18 says. Its process may die between any two things.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use chacha20::ChaCha8Rng;

use super::store::{Disk, Faults, Life, Stop};
use super::violation::Violation;
use super::witness::Witness;
use crate::portal::{
    App, AppCredential, AppName, Entered, Grant, Manifest, Peer, Pending, Portal, PortalAddr, PortalId, PortalName,
    RequestId, Waiting,
};
use crate::{UnixSeconds, portal};

/// The apps of each Portal.
pub(super) const APPS: [&str; 2] = ["notes", "photos"];

const MANIFEST: &str =
    r#"{"v":"1.3","paths":{"":{"access":"private"},"/pub":{"access":"public"},"/peer":{"access":"peer"}}}"#;

const OPEN: &str = r#"{"v":"1.3","paths":{"":{"access":"peer"}}}"#;

/// A message, or the answer to one, on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Letter {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What ties an answer to its message, as a connection does.
    pub(super) connection: u64,
    pub(super) is_answer: bool,
    pub(super) bytes: Vec<u8>,
}

/// What a process is given.
pub(super) struct Outside<'w> {
    pub(super) now: UnixSeconds,
    pub(super) rng: &'w mut ChaCha8Rng,
    pub(super) witness: &'w mut Witness,
    pub(super) connections: &'w mut u64,
    pub(super) letters: Vec<Letter>,
}

impl Outside<'_> {
    pub(super) fn connection(&mut self) -> u64 {
        *self.connections = self.connections.saturating_add(1);
        *self.connections
    }

    pub(super) fn number_of(&self, portal: PortalId) -> usize {
        self.witness.portals.iter().position(|known| *known == portal).unwrap_or_default()
    }
}

/// What an app asked, in its own notes.
pub(super) struct Task {
    pub(super) peer: PortalId,
    pub(super) app: usize,
    pub(super) id: RequestId,
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) header: String,
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) at: At,
    pub(super) outcome: Option<Outcome>,
    /// What the callee said last that is not encrypted, or that it is full.
    pub(super) excuse: Option<portal::Refusal>,
}

/// What a task asks next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    Request,
    Part(u64),
    More(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Answered,
    Refused,
}

/// What a message waits for.
pub(super) enum Waited {
    Key(PortalId),
    Say { peer: PortalId, task: usize, at: At, by: Waiting },
}

/// A request that an app works on.
pub(super) struct Job {
    pub(super) from: PortalId,
    pub(super) to: usize,
    pub(super) connection: u64,
    pub(super) pending: Pending,
    pub(super) parts: u64,
}

/// All that is gone when the process dies.
pub(super) struct Process {
    pub(super) portal: Portal,
    pub(super) peers: BTreeMap<PortalId, Peer>,
    pub(super) apps: Vec<App>,
    pub(super) waiting: BTreeMap<u64, Waited>,
    pub(super) jobs: Vec<Job>,
    /// How many parts each answer still has, and which comes next.
    pub(super) rest: BTreeMap<(PortalId, [u8; RequestId::LENGTH]), (u64, u64)>,
}

impl Process {
    fn starts(disk: &Disk) -> Result<Self, Violation> {
        let apps = APPS.iter().filter_map(|name| AppName::new(name).ok()).map(|name| disk.app(&name));
        Ok(Self {
            portal: disk.portal()?,
            peers: disk.peers()?,
            apps: apps.collect::<Result<_, _>>()?,
            waiting: BTreeMap::new(),
            jobs: Vec::new(),
            rest: BTreeMap::new(),
        })
    }
}

pub(super) struct Host {
    pub(super) number: usize,
    pub(super) id: PortalId,
    pub(super) disk: Disk,
    pub(super) process: Process,
    pub(super) credentials: Vec<AppCredential>,
    pub(super) tasks: Vec<Task>,
    pub(super) manifest: Option<Manifest>,
    /// What one would be that has no secrets from peers.
    pub(super) open_manifest: Option<Manifest>,
    /// How many answers its apps gave.
    pub(super) given: u64,
}

impl Host {
    /// A new Portal with its apps, without peers.
    pub(super) fn new(number: usize, faults: Faults, rng: &mut ChaCha8Rng) -> Result<Self, Stop> {
        let mut disk = Disk::new(number, faults);
        let name = PortalName::new(&format!("Portal {number}")).unwrap_or(PortalName::NONE);
        let portal = Portal::create(name, rng).store(|write| disk.keep(write))?;
        let mut credentials = Vec::new();
        for name in APPS.iter().filter_map(|name| AppName::new(name).ok()) {
            let (app, credential) = App::install(name, rng);
            app.store(|write| disk.keep(write))?;
            credentials.push(credential);
        }
        let process = Process::starts(&disk)?;
        Ok(Self {
            number,
            id: portal.id(),
            disk,
            process,
            credentials,
            tasks: Vec::new(),
            manifest: Manifest::from_json(MANIFEST).ok(),
            open_manifest: Manifest::from_json(OPEN).ok(),
            given: 0,
        })
    }

    /// After the process died.
    pub(super) fn restarts(&mut self) -> Result<(), Violation> {
        self.disk.starts();
        self.process = Process::starts(&self.disk)?;
        // What an app has of an answer, or has sent of a body, is gone too.
        for task in &mut self.tasks {
            task.at = At::Request;
        }
        Ok(())
    }

    /// The store holds what is in memory.
    pub(super) fn is_stored(&mut self) -> Result<(), Violation> {
        let stored = self.disk.peers()?;
        let is_same = self.process.peers.len() == stored.len()
            && self
                .process
                .peers
                .values_mut()
                .zip(stored)
                .all(|(peer, (_, mut kept))| Face::of(peer) == Face::of(&mut kept));
        if is_same { Ok(()) } else { Err(Violation::NotStored(self.number)) }
    }

    /// What must hold of each peer at any time.
    pub(super) fn is_sound(&mut self, witness: &mut Witness) -> Result<(), Violation> {
        for peer in self.process.peers.values() {
            witness.looks_at(self.number, peer)?;
            let (openings, requests, record) = self.disk.sizes(peer.id());
            if openings > 64 || requests > 64 || record > 200 {
                return Err(Violation::OverBounds(self.number));
            }
        }
        Ok(())
    }

    pub(super) fn enters(&mut self, id: PortalId, out: &mut Outside<'_>) -> Life<()> {
        let Self { number, disk, process, .. } = self;
        let address = PortalAddr::new("https://portal.example/port").ok();
        let name = PortalName::new("a friend").unwrap_or(PortalName::NONE);
        let Outside { now, witness, .. } = out;
        let mut admits =
            |write: &portal::Write, disk: &mut Disk| disk.keep_and(write, || witness.admits(*number, id, true));
        match process.peers.get_mut(&id) {
            Some(peer) => match peer.enter_again(address, name, *now) {
                Ok(step) => step.store(|write| admits(write, disk)),
                Err(_) => Ok(()),
            },
            None => {
                let entered = Peer::enter(&process.portal, id, address, name, process.peers.values(), *now);
                let Ok(Entered { created, .. }) = entered else { return Ok(()) };
                let peer = created.store(|write| admits(write, disk))?;
                process.peers.insert(id, peer);
                Ok(())
            }
        }
    }

    pub(super) fn unblocks(&mut self, id: PortalId, out: &mut Outside<'_>) -> Life<()> {
        let Self { number, disk, process, .. } = self;
        match process.peers.get_mut(&id) {
            Some(peer) if peer.is_blocked() && !peer.is_removed() => match peer.unblock() {
                Ok(step) => step.store(|write| disk.keep_and(write, || out.witness.admits(*number, id, true))),
                Err(_) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn blocks(&mut self, id: PortalId, is_removal: bool, out: &mut Outside<'_>) -> Life<()> {
        let Self { number, disk, process, .. } = self;
        let Some(peer) = process.peers.get_mut(&id).filter(|peer| !peer.is_removed()) else { return Ok(()) };
        let step = if is_removal { Ok(peer.remove()) } else { peer.block() };
        let Ok(step) = step else { return Ok(()) };
        let mut says = || {
            out.witness.admits(*number, id, false);
            if is_removal {
                out.witness.forgets(*number, id);
            }
        };
        if disk.faults.forgets_blocks {
            let write = step.write();
            step.commit(write);
            says();
        } else {
            step.store(|write| disk.keep_and(write, says))?;
        }
        process.portal.end_sessions(&id);
        Ok(())
    }

    pub(super) fn sets_grant(&mut self, app: usize, peer: PortalId, how: u8, out: &mut Outside<'_>) -> Life<()> {
        let Self { number, disk, process, .. } = self;
        let Some(app) = process.apps.get_mut(app) else { return Ok(()) };
        let (grant, granted) = match how % 4 {
            0 => (Grant::None, Vec::new()),
            1 => (Grant::Some([peer].into()), [peer].into()),
            _ => (Grant::All, out.witness.portals.clone()),
        };
        let name = app.name().clone();
        let Ok(step) = app.set_grant(grant) else { return Ok(()) };
        step.store(|write| disk.keep_and(write, || out.witness.grants(*number, name.as_str(), granted)))
    }

    pub(super) fn looks_up(&mut self, id: PortalId, out: &mut Outside<'_>) -> Life<()> {
        let Some(Ok((_, bytes))) = self.process.peers.get(&id).map(Peer::look_up) else { return Ok(()) };
        let (connection, to) = (out.connection(), out.number_of(id));
        self.process.waiting.insert(connection, Waited::Key(id));
        out.letters.push(Letter { from: self.number, to, connection, is_answer: false, bytes });
        self.disk.point()
    }

    /// Does what is due.
    pub(super) fn ticks(&mut self, out: &mut Outside<'_>) -> Life<()> {
        let ids: Vec<_> = self.process.peers.keys().copied().collect();
        for id in ids {
            let Self { disk, process, .. } = self;
            let Some(peer) = process.peers.get_mut(&id) else { continue };
            if let Some(step) = peer.tick(out.now) {
                step.store(|write| disk.keep(write))?;
            }
            if self.process.peers.get(&id).is_some_and(|peer| peer.is_look_up_due(out.now)) {
                self.looks_up(id, out)?;
            }
        }
        Ok(())
    }
}

/// What can be seen of a peer: its record, as the next step would write it, and what it tells of its memory.
#[derive(PartialEq, Eq)]
pub(super) struct Face(Vec<u8>, Option<UnixSeconds>, String);

impl Face {
    pub(super) fn of(peer: &mut Peer) -> Self {
        let (deadline, debug) = (peer.deadline(), format!("{peer:?}"));
        let name = peer.name().clone();
        let write = peer.rename(name).write();
        let record = write.put().first().map(|row| row.record.to_vec());
        Self(record.unwrap_or_default(), deadline, debug)
    }
}

mod callee;
mod caller;
