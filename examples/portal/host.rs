//! A Portal's server: its machines, its store, its apps. `callee.rs` is what it does with what peers send, `caller.rs` what it does for its
//! own apps. Copy these three, and put a database into `store.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use thiserror::Error;

use crate::apps::{Service, Work};
use crate::network::Network;
use crate::power::Power;
use crate::store::{Store, StoreError};

pub struct Host {
    machines: Mutex<Machines>,
    /// It sends messages to other Portals. **No lock is held meanwhile.**
    pub network: Arc<dyn Network>,
}

pub struct Machines {
    pub portal: Portal,
    pub peers: BTreeMap<PortalId, Peer>,
    pub apps: BTreeMap<AppName, App>,
    pub store: Store,
    /// What each app serves, and to whom.
    pub services: BTreeMap<AppName, (Manifest, Arc<dyn Service>)>,
    /// Requests that an app is taking or answering in parts, each of one peer. They are lost in a crash.
    pub work: BTreeMap<(PortalId, RequestId), (UnixSeconds, Box<dyn Work>)>,
    /// How far this Portal's clock is ahead.
    pub ahead: Duration,
}

/// Why something that the owner wants is not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum OwnerError {
    #[error("{0}")]
    Peer(#[from] PeerError),
    #[error("{0}")]
    Address(#[from] CardError),
    #[error("{0}")]
    App(#[from] RequestError),
    #[error("{0}")]
    Grant(#[from] GrantError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("there is no such peer or app")]
    Unknown,
}

impl Host {
    pub fn new(name: &str, power: Power, network: Arc<dyn Network>) -> Result<Self, OwnerError> {
        let mut store = Store::new(power);
        let portal = Portal::create(PortalName::new(name)?, &mut rand::rng()).store(|write| store.keep(write))?;
        let machines = Machines {
            portal,
            peers: BTreeMap::new(),
            apps: BTreeMap::new(),
            store,
            services: BTreeMap::new(),
            work: BTreeMap::new(),
            ahead: Duration::ZERO,
        };
        Ok(Self { machines: Mutex::new(machines), network })
    }

    /// Locks the machines. What panicked in the middle of a step has changed nothing.
    pub fn machines(&self) -> MutexGuard<'_, Machines> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn id(&self) -> PortalId {
        self.machines().portal.id()
    }

    /// The owner enters a peer. Gives the ID of another one that looks alike, with the same first six characters: show both in full.
    pub fn enter(&self, id: PortalId, address: &str, name: &str) -> Result<Option<PortalId>, OwnerError> {
        let (address, name) = (Some(PortalAddr::new(address)?), PortalName::new(name)?);
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { portal, peers, store, .. } = &mut *machines;
        if let Some(peer) = peers.get_mut(&id).filter(|peer| peer.is_removed()) {
            peer.enter_again(address, name, now)?.store(|write| store.keep(write))?;
            return Ok(peers.values().find_map(|other| other.same_short(&id)));
        }
        let entered = Peer::enter(portal, id, address, name, peers.values(), now)?;
        let peer = entered.created.store(|write| store.keep(write))?;
        peers.insert(id, peer);
        Ok(entered.same_short)
    }

    /// The owner says that a peer has moved.
    pub fn move_peer(&self, id: &PortalId, address: &str) -> Result<(), OwnerError> {
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { peers, store, .. } = &mut *machines;
        let peer = peers.get_mut(id).ok_or(OwnerError::Unknown)?;
        Ok(peer.set_address(PortalAddr::new(address)?, now).store(|write| store.keep(write))?)
    }

    /// Does what is due: looks peers up, and forgets what need not be remembered. Call it at [`Store::next_deadline`]. Gives what the owner
    /// is to see.
    pub fn tick(&self) -> Result<Vec<(PortalId, LookedUp)>, StoreError> {
        let outcomes = self.look_up()?;
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { peers, store, work, .. } = &mut *machines;
        for step in peers.values_mut().filter_map(|peer| peer.tick(now)) {
            step.store(|write| store.keep(write))?;
        }
        work.retain(|_, (since, _)| since.after(Duration::from_secs(660)) > now);
        Ok(outcomes)
    }

    fn look_up(&self) -> Result<Vec<(PortalId, LookedUp)>, StoreError> {
        let now = self.machines().now();
        let mut due = Vec::new();
        for peer in self.machines().peers.values().filter(|peer| peer.is_look_up_due(now)) {
            if let Ok((address, message)) = peer.look_up() {
                due.push((peer.id(), address.to_string(), message));
            }
        }
        let mut outcomes = Vec::new();
        for (id, address, message) in due {
            let answer = self.network.post(&address, &message).ok();
            let mut machines = self.machines();
            let Machines { peers, store, .. } = &mut *machines;
            // If the owner blocked or removed it meanwhile, there is nothing to tell.
            if let Some(Ok(step)) = peers.get_mut(&id).map(|peer| peer.looked_up(answer.as_deref(), now)) {
                outcomes.push((id, step.store(|write| store.keep(write))?));
            }
        }
        Ok(outcomes)
    }

    /// The owner blocks a peer.
    pub fn block(&self, id: &PortalId) -> Result<(), OwnerError> {
        self.end(id, |peer| peer.block())
    }

    /// The owner removes a peer.
    pub fn remove(&self, id: &PortalId) -> Result<(), OwnerError> {
        self.end(id, |peer| Ok(peer.remove()))
    }

    /// The sessions of the peer end, and what an app of it was in the middle of.
    fn end(
        &self,
        id: &PortalId,
        step: impl FnOnce(&mut Peer) -> Result<Step<'_, Peer>, PeerError>,
    ) -> Result<(), OwnerError> {
        let mut machines = self.machines();
        let Machines { portal, peers, store, work, .. } = &mut *machines;
        step(peers.get_mut(id).ok_or(OwnerError::Unknown)?)?.store(|write| store.keep(write))?;
        portal.end_sessions(id);
        work.retain(|(from, _), _| from != id);
        Ok(())
    }

    /// Installs an app, and gives its credential. It has no peers yet.
    pub fn install(
        &self,
        name: &str,
        manifest: Manifest,
        service: Arc<dyn Service>,
    ) -> Result<AppCredential, OwnerError> {
        let name = AppName::new(name)?;
        let mut machines = self.machines();
        let (created, credential) = App::install(name.clone(), &mut rand::rng());
        let app = created.store(|write| machines.store.keep(write))?;
        machines.services.insert(name.clone(), (manifest, service));
        machines.apps.insert(name, app);
        Ok(credential)
    }

    /// The owner grants an app other peers.
    pub fn grant(&self, app: &str, grant: Grant) -> Result<(), OwnerError> {
        let mut machines = self.machines();
        let Machines { apps, store, .. } = &mut *machines;
        let app = apps.get_mut(&AppName::new(app)?).ok_or(OwnerError::Unknown)?;
        Ok(app.set_grant(grant)?.store(|write| store.keep(write))?)
    }
}

impl Machines {
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds::now().after(self.ahead)
    }

    /// What a process does that starts: all machines come from the store. So it does, too, if it can't tell whether a write was kept.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.portal = self.store.portal()?;
        self.peers = self.store.peers()?.into_iter().map(|peer| (peer.id(), peer)).collect();
        self.apps = self.store.apps()?.into_iter().map(|app| (app.name().clone(), app)).collect();
        self.work.clear();
        Ok(())
    }
}
