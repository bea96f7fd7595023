//! App: its credential, and the peers that its owner granted it (§18.10).

use alloc::collections::BTreeSet;

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::GrantError;
use super::headers::Headers;
use super::id::PortalId;
use super::name::AppName;
use super::path::Target;
use super::peer::Peer;
use super::request::{Method, Part, Request, RequestId};
use super::step::{Created, Machine, PortalKey, Step};
use crate::secret::Secret;

/// How many peers an owner grants one by one, at most.
pub const MAX_GRANTED: usize = 1_024;

/// What an app shows to its host with each call: 32 random bytes that the host gave it (§18.10). A secret.
pub type AppCredential = Secret<32>;

/// The peers that an owner granted an app (§18.10).
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(flat)]
pub enum Grant {
    /// None: what a new app has.
    #[default]
    #[n(0)]
    None,
    /// These, at most [`MAX_GRANTED`].
    #[n(1)]
    Some(#[cbor(n(0), decode_with = "granted")] BTreeSet<PortalId>),
    /// All, also those that are entered later.
    #[n(2)]
    All,
}

fn granted<C>(d: &mut minicbor::Decoder<'_>, ctx: &mut C) -> Result<BTreeSet<PortalId>, minicbor::decode::Error> {
    let mut ids = BTreeSet::new();
    for _ in 0..d.array()?.unwrap_or_default() {
        ids.insert(d.decode_with(ctx)?);
        if ids.len() > MAX_GRANTED {
            return Err(minicbor::decode::Error::message("too many peers"));
        }
    }
    Ok(ids)
}

/// An app of this Portal, as its owner set it (§18.10): its name, the hash of its credential, and the peers it may ask.
#[derive(Debug)]
pub struct App {
    revision: u64,
    state: State,
}

/// All that an app's record holds.
#[derive(Clone, Debug, Encode, Decode)]
pub struct State {
    #[n(0)]
    name: AppName,
    #[cbor(n(1), with = "minicbor::bytes")]
    credential: [u8; 32],
    #[n(2)]
    grant: Grant,
}

impl App {
    const ROLE: u8 = 34;

    /// Installs an app: it has no peers yet. Hand the credential to the app, and keep it nowhere: the record has only its hash.
    pub fn install<R: CryptoRng + ?Sized>(name: AppName, rng: &mut R) -> (Created<Self>, AppCredential) {
        let mut credential = AppCredential::ZERO;
        rng.fill_bytes(credential.expose_mut());
        let app = Self { revision: 0, state: State { name, credential: hash(&credential), grant: Grant::None } };
        let row = app.row(0, &app.state);
        (Created::new(app, row), credential)
    }

    /// Loads an app from its record.
    ///
    /// # Errors
    /// [`RestoreError`](crate::RestoreError): each variant says what to do.
    pub fn restore(record: &[u8]) -> Result<Self, crate::RestoreError> {
        let (revision, state) = super::step::restore(Self::ROLE, record)?;
        Ok(Self { revision, state })
    }

    /// Its name.
    pub const fn name(&self) -> &AppName {
        &self.state.name
    }

    /// What its owner granted.
    pub const fn grant(&self) -> &Grant {
        &self.state.grant
    }

    /// The owner grants other peers.
    ///
    /// # Errors
    /// [`GrantError::TooMany`]: more than [`MAX_GRANTED`]. Grant all, or fewer.
    pub fn set_grant(&mut self, grant: Grant) -> Result<Step<'_, Self>, GrantError> {
        if matches!(&grant, Grant::Some(ids) if ids.len() > MAX_GRANTED) {
            return Err(GrantError::TooMany);
        }
        let state = State { grant, ..self.state.clone() };
        Ok(self.step(state))
    }

    /// A new credential in the place of the old one, which is worth nothing from then on.
    pub fn renew_credential<'m, R: CryptoRng + ?Sized>(&'m mut self, rng: &mut R) -> (Step<'m, Self>, AppCredential) {
        let mut credential = AppCredential::ZERO;
        rng.fill_bytes(credential.expose_mut());
        let state = State { credential: hash(&credential), ..self.state.clone() };
        (self.step(state), credential)
    }

    /// Whether this is the app's credential, in constant time. **Ask this first of each call**, whatever address it comes from.
    ///
    /// # Errors
    /// [`GrantError::BadCredential`]: it is not.
    pub fn authenticate(&self, credential: &[u8]) -> Result<AuthenticatedApp<'_>, GrantError> {
        let hashed: [u8; 32] = Sha256::digest(credential).into();
        if bool::from(hashed.ct_eq(&self.state.credential)) {
            Ok(AuthenticatedApp(self))
        } else {
            Err(GrantError::BadCredential)
        }
    }

    fn step(&mut self, state: State) -> Step<'_, Self> {
        let row = self.row(self.revision.saturating_add(1), &state);
        Step::new(self, state, super::step::Write { put: [row].into(), ..Default::default() }, ())
    }

    fn row(&self, revision: u64, state: &State) -> super::step::Row {
        let record = super::step::record(Self::ROLE, revision, state);
        super::step::Row::new(PortalKey::App(state.name.clone()), revision, record)
    }
}

impl Machine for App {
    type Change = State;

    fn apply(&mut self, state: State) {
        self.revision = self.revision.saturating_add(1);
        self.state = state;
    }
}

fn hash(credential: &AppCredential) -> [u8; 32] {
    Sha256::digest(credential.expose()).into()
}

/// An app that has shown its credential. Only it can make a [`Request`], and gets a list of peers.
#[derive(Clone, Copy, Debug)]
pub struct AuthenticatedApp<'a>(&'a App);

impl<'a> AuthenticatedApp<'a> {
    /// The app's name.
    pub const fn app(&self) -> &'a AppName {
        &self.0.state.name
    }

    /// A request of this app: [`Request`]'s fields. Take the id that the app gave, if it asks again, or draw one.
    pub fn request<'r>(
        &self,
        id: RequestId,
        method: Method<'r>,
        target: Target,
        headers: Headers<'r>,
        body: Part<'r>,
    ) -> Request<'r> {
        Request { id, app: self.app().clone(), method, target, headers, body }
    }

    /// Of all peers those that the app may ask: granted, verified, and not blocked (§18.10).
    pub fn peers<'p>(&self, all: impl IntoIterator<Item = &'p Peer>) -> impl Iterator<Item = &'p Peer> {
        all.into_iter().filter(|peer| peer.is_verified() && self.may_ask(peer).is_ok())
    }

    /// Whether the app may ask this peer. A request needs this.
    ///
    /// # Errors
    /// [`GrantError::NotGranted`]: it may not.
    pub fn may_ask(&self, peer: &Peer) -> Result<(), GrantError> {
        let is_granted = match &self.0.state.grant {
            Grant::None => false,
            Grant::Some(ids) => ids.contains(&peer.id()),
            Grant::All => true,
        };
        if is_granted && !peer.is_blocked() { Ok(()) } else { Err(GrantError::NotGranted) }
    }
}
