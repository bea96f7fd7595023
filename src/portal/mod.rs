//! Portals: personal servers that peer by IDs that are hashes of keys.

mod app;
mod ask;
mod card;
mod error;
mod find;
mod format;
#[cfg(feature = "freeshard")]
pub mod freeshard;
mod headers;
mod id;
mod json;
mod manifest;
mod memory;
mod message;
mod name;
mod noise;
mod own;
mod path;
mod peer;
mod request;
mod session;
mod sessions;
mod step;
mod take;

pub use app::{App, AppCredential, AppName, AuthenticatedApp, Grant, MAX_GRANTED};
pub use ask::{Heard, Outgoing, Waiting};
pub use card::{CardError, MAX_CARD_BYTES, PortalAddr, PortalCard};
pub use error::{AskError, GrantError, HearError, PeerError, Reason, Refusal, RequestError};
pub use find::FindCardError;
pub use headers::{Headers, MAX_HEADER_BYTES, MAX_HEADERS};
pub use id::{NotAShortId, PORTAL_ID_TEXT, PortalId, PortalIdError, ShortId};
pub use manifest::{Access, Caller, Manifest, ManifestError, PathEntry, Refused, Warning};
pub use message::MAX_MESSAGE;
pub use name::PortalName;
pub use own::{Incoming, Portal, Received, Reply};
pub use path::{Target, TargetError};
pub use peer::{Entered, LookedUp, Peer};
pub use request::{Answer, MAX_BODY_PART, Method, Part, Request, RequestId, Status};
pub use step::{Created, OpeningMark, PortalKey, RequestMark, Row, Step, Write};
pub use take::{Asked, Pending};
