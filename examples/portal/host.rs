//! A Portal's server: its machines, its store, its apps. `callee.rs` is what it does with what peers send, `caller.rs` what it does for its
//! own apps. Copy these three, and put a database into `store.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;

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

/// What came of entering a peer.
pub type Entering = Result<Option<PortalId>, PeerError>;

impl Host {
    pub fn new(name: &str, power: Power, network: Arc<dyn Network>) -> Result<Self, Box<dyn std::error::Error>> {
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

    /// The owner enters a peer. An ID with the same first six characters is an outcome to show.
    pub fn enter(&self, id: PortalId, address: &str, name: &str) -> Result<Entering, Box<dyn std::error::Error>> {
        let (address, name) = (Some(PortalAddr::new(address)?), PortalName::new(name)?);
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { portal, peers, store, .. } = &mut *machines;
        if let Some(peer) = peers.get_mut(&id).filter(|peer| peer.is_removed()) {
            peer.enter_again(address, name, now).store(|write| store.keep(write))?;
            return Ok(Ok(None));
        }
        let entered = match Peer::enter(portal, id, address, name, peers.values(), now) {
            Ok(entered) => entered,
            Err(error) => return Ok(Err(error)),
        };
        let peer = entered.created.store(|write| store.keep(write))?;
        peers.insert(id, peer);
        Ok(Ok(entered.same_short))
    }

    /// The owner says that a peer has moved.
    pub fn move_peer(&self, id: &PortalId, address: &str) -> Result<(), Box<dyn std::error::Error>> {
        let mut machines = self.machines();
        let now = machines.now();
        let Machines { peers, store, .. } = &mut *machines;
        let peer = peers.get_mut(id).ok_or("no such peer")?;
        Ok(peer.set_address(PortalAddr::new(address)?, now).store(|write| store.keep(write))?)
    }

    /// Does what is due: looks peers up, and forgets what need not be remembered. Call it at [`Store::next_deadline`]. Gives what the owner
    /// is to see.
    pub fn tick(&self) -> Result<Vec<(PortalId, LookedUp)>, StoreError> {
        let now = self.machines().now();
        let due: Vec<_> = {
            let machines = self.machines();
            let due = machines.peers.values().filter(|peer| peer.is_look_up_due(now));
            due.filter_map(|peer| Some((peer.id(), peer.look_up().ok()?)))
                .map(|(id, (address, message))| (id, address.clone(), message))
                .collect()
        };
        let mut outcomes = Vec::new();
        for (id, address, message) in due {
            let answer = self.network.post(&address.to_string(), &message).ok();
            let mut machines = self.machines();
            let Machines { peers, store, .. } = &mut *machines;
            // Removed or blocked meanwhile.
            let Some(Ok(step)) = peers.get_mut(&id).map(|peer| peer.looked_up(answer.as_deref(), now)) else {
                continue;
            };
            outcomes.push((id, step.store(|write| store.keep(write))?));
        }
        let mut machines = self.machines();
        let Machines { peers, store, work, .. } = &mut *machines;
        for step in peers.values_mut().filter_map(|peer| peer.tick(now)) {
            step.store(|write| store.keep(write))?;
        }
        work.retain(|_, (since, _)| since.after(Duration::from_secs(660)) > now);
        Ok(outcomes)
    }

    /// The owner blocks a peer.
    pub fn block(&self, id: &PortalId) -> Result<(), Box<dyn std::error::Error>> {
        self.end(id, |peer| peer.block())
    }

    /// The owner removes a peer.
    pub fn remove(&self, id: &PortalId) -> Result<(), Box<dyn std::error::Error>> {
        self.end(id, |peer| Ok(peer.remove()))
    }

    /// The sessions of the peer end, and what an app of it was in the middle of.
    fn end(
        &self,
        id: &PortalId,
        step: impl FnOnce(&mut Peer) -> Result<Step<'_, Peer>, PeerError>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let mut machines = self.machines();
        let Machines { portal, peers, store, work, .. } = &mut *machines;
        step(peers.get_mut(id).ok_or("no such peer")?)?.store(|write| store.keep(write))?;
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
    ) -> Result<AppCredential, Box<dyn std::error::Error>> {
        let name = AppName::new(name)?;
        let mut machines = self.machines();
        let (created, credential) = App::install(name.clone(), &mut rand::rng());
        let app = created.store(|write| machines.store.keep(write))?;
        machines.services.insert(name.clone(), (manifest, service));
        machines.apps.insert(name, app);
        Ok(credential)
    }

    /// The owner grants an app other peers.
    pub fn grant(&self, app: &str, grant: Grant) -> Result<(), Box<dyn std::error::Error>> {
        let mut machines = self.machines();
        let Machines { apps, store, .. } = &mut *machines;
        let app = apps.get_mut(&AppName::new(app)?).ok_or("no such app")?;
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
