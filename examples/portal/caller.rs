//! What a Portal's server does for its own apps.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use port_protocol::UnixSeconds;
use port_protocol::portal::*;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::apps::{part_of, read_part};
use crate::host::{Host, Machines};
use crate::store::StoreError;

/// How often something is asked before the app is told that it is not answered.
const TRIES: usize = 20;
/// Between two tries, while the peer's app works. Take a second.
const PAUSE: Duration = Duration::from_millis(100);

/// How an app names itself to its host.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub app: &'a str,
    pub credential: &'a [u8],
}

/// What an app asks. It keeps the id until it has the answer: asked again under the same one, the peer's app gets the request once.
pub struct AppRequest<'a> {
    pub id: RequestId,
    pub method: &'a str,
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
}

/// What a peer said, in memory of our own.
#[derive(Debug)]
pub enum Said {
    Answer { status: Status, headers: Vec<(String, String)>, bytes: Vec<u8>, has_more: bool },
    Continue,
    Part { bytes: Vec<u8>, has_more: bool },
}

/// Why an app gets no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Problem {
    #[error("{0}")]
    Grant(#[from] GrantError),
    #[error("{0}")]
    Ask(#[from] AskError),
    #[error("{0}")]
    Request(#[from] RequestError),
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("{0}")]
    Refused(#[from] Reason),
    #[error("{0}")]
    Hear(#[from] HearError),
    #[error("nobody answers")]
    NoAnswer,
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Problem {
    /// What the host answers its app.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Grant(GrantError::BadCredential) => 401,
            Self::Grant(_) | Self::Ask(AskError::NotGranted) => 403,
            Self::Request(_) | Self::Target(_) => 400,
            Self::Refused(Reason::NotServed) => 404,
            Self::Refused(Reason::Full) | Self::Ask(_) | Self::Store(_) => 503,
            Self::Refused(_) | Self::Hear(_) => 502,
            Self::NoAnswer => 504,
        }
    }
}

impl Host {
    /// An app asks for the peers. Gives the full ID of each, the owner's name, and the peer's own name.
    pub fn app_peers(&self, from: Credentials<'_>) -> Result<Vec<(PortalId, String, String)>, Problem> {
        let machines = self.machines();
        let app = authenticate(&machines.apps, from)?;
        let peers = app.peers(machines.peers.values());
        Ok(peers
            .map(|peer| (peer.id(), peer.name().as_str().to_owned(), peer.own_name().as_str().to_owned()))
            .collect())
    }

    /// A name for a new request of an app.
    pub fn draw_id(&self, to: &PortalId) -> Result<RequestId, Problem> {
        let mut machines = self.machines();
        let now = machines.now();
        let peer = machines.peers.get_mut(to).ok_or(GrantError::NotGranted)?;
        Ok(peer.draw_id(now, &mut rand::rng()))
    }

    /// An app asks the same app on a peer. The body is read as it is sent, and that of the answer written as it comes.
    pub fn app_asks(
        &self,
        from: Credentials<'_>,
        to: &PortalId,
        asked: &AppRequest<'_>,
        body: &mut dyn Read,
        into: &mut dyn Write,
    ) -> Result<(Status, Vec<(String, String)>), Problem> {
        let done = self.ask(from, to, asked, body, into);
        if let Err(Problem::Store(_)) = done {
            self.machines().restart()?;
        }
        done
    }

    fn ask(
        &self,
        from: Credentials<'_>,
        to: &PortalId,
        asked: &AppRequest<'_>,
        mut body: &mut dyn Read,
        into: &mut dyn Write,
    ) -> Result<(Status, Vec<(String, String)>), Problem> {
        let AppRequest { id, method, target, headers } = *asked;
        let mut bytes = read_part(&mut body);
        let mut said = self.exchange(to, |Machines { portal, peers, apps, .. }, now| {
            let (app, peer) = (authenticate(apps, from)?, peers.get_mut(to).ok_or(GrantError::NotGranted)?);
            let headers = Headers::carried(headers.iter().copied())?;
            let request = app.request(id, Method::new(method)?, Target::parse(target)?, headers, part_of(&bytes));
            Ok(peer.ask(portal, app, &request, now, &mut rand::rng())?)
        })?;
        for number in 1.. {
            let Said::Continue = said else { break };
            bytes = read_part(&mut body);
            said = self.exchange(to, |Machines { portal, peers, apps, .. }, now| {
                let (app, peer) = (authenticate(apps, from)?, peers.get_mut(to).ok_or(GrantError::NotGranted)?);
                Ok(peer.ask_part(portal, app, id, number, part_of(&bytes), now, &mut rand::rng())?)
            })?;
        }
        let Said::Answer { status, headers, mut bytes, mut has_more } = said else {
            return Err(HearError::Forged.into());
        };
        for number in 1.. {
            into.write_all(&bytes).map_err(|_| Problem::NoAnswer)?;
            if !has_more {
                break;
            }
            let said = self.exchange(to, |Machines { portal, peers, apps, .. }, now| {
                let (app, peer) = (authenticate(apps, from)?, peers.get_mut(to).ok_or(GrantError::NotGranted)?);
                Ok(peer.ask_more(portal, app, id, number, now, &mut rand::rng())?)
            })?;
            let Said::Part { bytes: next, has_more: more } = said else { return Err(HearError::Forged.into()) };
            (bytes, has_more) = (next, more);
        }
        Ok((status, headers))
    }

    /// The app has the answer, and will not ask for it again: the peer may forget the request. Not before: what the host has written to an app that
    /// then crashes, the app has to ask for again.
    pub fn app_has(&self, to: &PortalId, id: RequestId) {
        if let Some(peer) = self.machines().peers.get_mut(to) {
            peer.done(id);
        }
    }

    /// Asks until something is said that is the peer's: under the same id each time, so that it is one request however often it is asked.
    pub fn exchange(
        &self,
        to: &PortalId,
        mut message: impl FnMut(&mut Machines, UnixSeconds) -> Result<Outgoing, Problem>,
    ) -> Result<Said, Problem> {
        let mut problem = Problem::NoAnswer;
        for _ in 0..TRIES {
            let (address, mut outgoing) = {
                let mut machines = self.machines();
                let now = machines.now();
                let outgoing = message(&mut machines, now)?;
                let address = machines.peers.get(to).and_then(|peer| peer.address().cloned());
                (address.ok_or(AskError::Unverified)?, outgoing)
            };
            let Ok(answer) = self.network.post(&address.to_string(), &outgoing.message) else {
                problem = Problem::NoAnswer;
                continue;
            };
            let mut buffer = Zeroizing::new(Vec::with_capacity(answer.len()));
            let mut machines = self.machines();
            let now = machines.now();
            let Machines { portal, peers, store, .. } = &mut *machines;
            let peer = peers.get_mut(to).ok_or(GrantError::NotGranted)?;
            match peer.hear(portal, &mut outgoing.waiting, &answer, &mut buffer, now) {
                Ok(step) => match step.store(|write| store.keep(write))? {
                    Heard::Answer(Answer { status, headers, body }) => {
                        let headers = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                        return Ok(Said::Answer {
                            status,
                            headers,
                            bytes: body.bytes().to_vec(),
                            has_more: body.has_more(),
                        });
                    }
                    Heard::Continue => return Ok(Said::Continue),
                    Heard::Part(part) => {
                        return Ok(Said::Part { bytes: part.bytes().to_vec(), has_more: part.has_more() });
                    }
                    // There is a session now.
                    Heard::Opened | Heard::Refused(Reason::TooEarly) => problem = Problem::NoAnswer,
                    Heard::Refused(reason) => return Err(reason.into()),
                    Heard::Working => {
                        drop(machines);
                        thread::sleep(PAUSE);
                    }
                },
                // It is no use to try at once.
                Err(error @ HearError::Refused(Refusal::Busy | Refusal::ClocksDiffer)) => return Err(error.into()),
                // Nobody vouches for it: asked again, in a new session perhaps, it may go through. If it comes twice, the app is told.
                Err(error) if problem == error.into() => return Err(problem),
                Err(error) => problem = error.into(),
            }
        }
        Err(problem)
    }
}

/// The first thing of each call of an app.
fn authenticate<'a>(
    apps: &'a BTreeMap<AppName, App>,
    Credentials { app, credential }: Credentials<'_>,
) -> Result<AuthenticatedApp<'a>, Problem> {
    let app = apps.get(&AppName::new(app)?).ok_or(GrantError::BadCredential)?;
    Ok(app.authenticate(credential)?)
}
