//! The Portals of the story, each with its server on the loopback interface, and their clock.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use port_protocol::portal::*;

use crate::apps::{Keeper, NOTES, PHOTOS};
use crate::caller::{AppRequest, Credentials, Problem};
use crate::host::Host;
use crate::http;
use crate::network::{Mode, NoAnswer, Wire};
use crate::power::Power;

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// One Portal, its address, and its two apps.
pub struct Place {
    pub host: Arc<Host>,
    pub address: String,
    pub notes: Installed,
    pub photos: Installed,
}

pub struct Installed {
    pub keeper: Keeper,
    pub credential: AppCredential,
}

pub struct World {
    pub wire: Arc<Wire>,
    pub ada: Place,
    pub ben: Place,
    pub carl: Place,
}

/// What an app got: the status and the body.
pub type Got = Result<(u16, Vec<u8>), Problem>;

impl World {
    pub fn new(mode: Mode, power: &Power) -> Outcome<Self> {
        let wire = Arc::new(Wire::new(mode));
        let [ada, ben] = ["Ada's", "Ben's"].map(|whose| Place::new(whose, &wire, power.of(whose)));
        let (ada, ben, carl) = (ada?, ben?, Place::new("Carl's", &wire, Power::default())?);
        Ok(Self { wire, ada, ben, carl })
    }

    /// Ada's and Ben's owners enter each other, and grant their apps all peers.
    pub fn befriend(&self) -> Outcome {
        let [(a, ada), (b, ben)] = [(&self.ada, "Ada"), (&self.ben, "Ben")];
        a.host.enter(b.host.id(), &b.address, ben)?;
        b.host.enter(a.host.id(), &a.address, ada)?;
        for place in [a, b] {
            place.look_up(self)?;
            for app in ["notes", "photos"] {
                place.host.grant(app, Grant::All)?;
            }
        }
        Ok(())
    }

    /// Time passes, for all.
    pub fn wait(&self, secs: u64) {
        for place in [&self.ada, &self.ben, &self.carl] {
            place.host.machines().ahead += Duration::from_secs(secs);
        }
    }

    /// An error if the network did something that worked, or an app got a request twice. Otherwise how many requests the apps got.
    pub fn deliveries(&self) -> Outcome<usize> {
        if let Some(wrong) = self.wire.carried().wrong.first() {
            return Err(wrong.clone().into());
        }
        let keepers = [&self.ada, &self.ben, &self.carl].map(|place| [&place.notes.keeper, &place.photos.keeper]);
        let counts: Result<Vec<_>, _> = keepers.into_iter().flatten().map(Keeper::deliveries).collect();
        Ok(counts?.into_iter().sum())
    }
}

impl Place {
    fn new(whose: &str, wire: &Arc<Wire>, power: Power) -> Outcome<Self> {
        let host = Arc::new(Host::new(whose, power, wire.clone())?);
        let install = |name, manifest| -> Outcome<Installed> {
            let keeper = Keeper::default();
            let credential = host.install(name, Manifest::from_json(manifest)?, Arc::new(keeper.clone()))?;
            Ok(Installed { keeper, credential })
        };
        let (notes, photos) = (install("notes", NOTES)?, install("photos", PHOTOS)?);
        let server = host.clone();
        let address = http::serve(Arc::new(move |message| server.post(message).map_err(|_| NoAnswer)))?;
        wire.watch(&address, &host);
        Ok(Self { host, address, notes, photos })
    }

    /// Looks up what is due, until nothing is: time passes between two tries.
    pub fn look_up(&self, world: &World) -> Outcome {
        for _ in 0..4 {
            self.host.tick()?;
            let (now, due) = {
                let machines = self.host.machines();
                let is_done = |peer: &Peer| peer.is_blocked() || peer.is_verified();
                if machines.peers.values().all(is_done) {
                    return Ok(());
                }
                (machines.now(), machines.store.next_deadline().ok_or("nothing is due")?)
            };
            world.wait(due.as_secs().saturating_sub(now.as_secs()) + 1);
        }
        Err("a peer was not verified".into())
    }

    /// What this Portal's owner sees of a peer.
    pub fn sees<T>(&self, id: &PortalId, what: impl FnOnce(&Peer) -> T) -> Outcome<T> {
        Ok(self.host.machines().peers.get(id).map(what).ok_or("no such peer")?)
    }

    pub fn notes(&self) -> Credentials<'_> {
        Credentials { app: "notes", credential: self.notes.credential.expose() }
    }

    pub fn photos(&self) -> Credentials<'_> {
        Credentials { app: "photos", credential: self.photos.credential.expose() }
    }

    /// An app asks a peer, under a new id.
    pub fn ask(&self, from: Credentials<'_>, to: &PortalId, method: &str, target: &str, body: &[u8]) -> Got {
        let id = self.host.draw_id(to)?;
        let got = self.ask_as(from, to, id, method, target, body);
        if got.is_ok() {
            self.host.app_has(to, id);
        }
        got
    }

    /// An app asks a peer, under an id that it keeps.
    pub fn ask_as(
        &self,
        from: Credentials<'_>,
        to: &PortalId,
        id: RequestId,
        method: &str,
        target: &str,
        mut body: &[u8],
    ) -> Got {
        let mut into = Vec::new();
        let headers = [
            ("content-type", "text/plain"),
            ("cookie", "secret"),
            ("portal-peer-id", "somebody-else"),
            ("app-mood", "good"),
        ];
        let asked = AppRequest { id, method, target, headers: &headers };
        let (status, _) = self.host.app_asks(from, to, &asked, &mut body, &mut into)?;
        Ok((status.as_u16(), into))
    }
}
