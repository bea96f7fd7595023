//! What the app's server is asked for (§17.8): method, path and body. To send it is the caller's work, with `Authorization: TOKEN` and no
//! `Bearer`.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use data_encoding::HEXLOWER;
use form_urlencoded::byte_serialize;

use super::bundle::Bundle;
use super::intro::Intro;
use super::json::{Object, hex_array};
use super::message::EncryptedContent;
use super::text::SecretText;
use crate::id::{LineId, LineLink};
use crate::port::PortKind;
use crate::secret::Secret;

/// A method of HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request. There is none that uploads a bundle: its server could pose as Bob then, or as Alice (§17.9).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Ids for Ports, as many as the server likes to give. Answer: [`response::line_links`](super::response::line_links).
    LineLinks,
    /// Bob uses a bundle. Answer: [`response::connected`](super::response::connected).
    Connect {
        /// How the bundle may be used.
        kind: PortKind,
        /// The bundle's.
        port_id: LineLink,
        /// That of a contact port.
        ticket: Option<&'a Secret<16>>,
        /// His proof that he holds it.
        intro: &'a Intro,
    },
    /// The line is to be no more.
    Disconnect(LineId),
    /// The other end is to be told of the line again. The app has no use for it any more.
    Retry(LineId),
    /// An id for a Superport. Answer: [`response::superport`](super::response::superport).
    CreateSuperport {
        /// How many may use it. By [`Alice`](super::Alice) it is not limited there: she counts by herself.
        limit: u32,
    },
    /// Another limit. The app has no use for it: its server holds to what was said at first.
    SetSuperportLimit {
        /// The Superport.
        port_id: LineLink,
        /// How many may use it.
        limit: u32,
        /// How many did.
        uses: u32,
    },
    /// What the server's limit is. Answer: [`response::superport_limit`](super::response::superport_limit).
    SuperportLimit(LineLink),
    /// The Superport is to be no more.
    DeleteSuperport(LineLink),
    /// The Superport is to take nobody for now.
    PauseSuperport(LineLink),
    /// The Superport is to take users again.
    ResumeSuperport(LineLink),
    /// An id for a contact port that the other end of this line may introduce by. Answer:
    /// [`response::contact_port`](super::response::contact_port).
    CreateContactPort {
        /// The line.
        line_id: LineId,
        /// Whether it is to be in use at once.
        active: bool,
    },
    /// The contact port of the other end of this line was shared with a ticket: the server tells its owner, by this message, before it
    /// takes anybody with that ticket.
    ShareTicket {
        /// The contact port.
        contact_port: LineLink,
        /// The ticket.
        ticket: &'a Secret<16>,
        /// The line to its owner.
        line_id: LineId,
        /// A [`Content::ContactPortTicket`](super::Content::ContactPortTicket), sealed for that line.
        message: &'a EncryptedContent,
    },
    /// These contact ports are to take nobody for now.
    PauseContactPorts(&'a [LineLink]),
    /// These contact ports are to take users again.
    ResumeContactPorts(&'a [LineLink]),
    /// The bundle behind a short link. Answer: [`response::bundle`](super::response::bundle).
    FetchBundle(&'a SecretText),
    /// Something to be said on a line.
    Message {
        /// The line.
        line_id: LineId,
        /// What.
        content: &'a EncryptedContent,
        /// Whether the other end's device is not to ring.
        silent: bool,
    },
}

impl<'a> Request<'a> {
    /// Bob uses this bundle.
    pub const fn connect(bundle: &'a Bundle, intro: &'a Intro) -> Self {
        Self::Connect { kind: bundle.kind(), port_id: bundle.port_id(), ticket: bundle.ticket(), intro }
    }
}

impl Request<'_> {
    /// The method.
    pub const fn method(&self) -> Method {
        match self {
            Self::FetchBundle(_) | Self::SuperportLimit(_) => Method::Get,
            Self::DeleteSuperport(_) => Method::Delete,
            Self::LineLinks
            | Self::Connect { .. }
            | Self::Retry(_)
            | Self::CreateSuperport { .. }
            | Self::CreateContactPort { .. }
            | Self::ShareTicket { .. }
            | Self::Message { .. } => Method::Post,
            Self::Disconnect(_)
            | Self::SetSuperportLimit { .. }
            | Self::PauseSuperport(_)
            | Self::ResumeSuperport(_)
            | Self::PauseContactPorts(_)
            | Self::ResumeContactPorts(_) => Method::Patch,
        }
    }

    /// The path, with its query, behind `https://HOST`. That of [`FetchBundle`](Self::FetchBundle) leads to a bundle: keep it out of logs.
    pub fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::LineLinks => "/management/line-links",
            Self::Connect { .. } | Self::Disconnect(_) => "/management/line",
            Self::Retry(_) => "/management/line/retry",
            Self::CreateSuperport { .. } => "/management/superport/line",
            Self::SetSuperportLimit { .. } => "/management/superport/limit",
            Self::SuperportLimit(id) => {
                return Cow::Owned(format!(
                    "/management/superport/limit?lineSuperportId={}",
                    HEXLOWER.encode_display(id.as_bytes())
                ));
            }
            Self::DeleteSuperport(id) => {
                return Cow::Owned(format!("/management/superport/line/{}", HEXLOWER.encode_display(id.as_bytes())));
            }
            Self::PauseSuperport(_) => "/management/superport/pause",
            Self::ResumeSuperport(_) => "/management/superport/resume",
            Self::CreateContactPort { .. } => "/management/contact-sharing",
            Self::ShareTicket { .. } => "/management/contact-sharing/ticket",
            Self::PauseContactPorts(_) => "/management/contact-sharing/pause",
            Self::ResumeContactPorts(_) => "/management/contact-sharing/resume",
            Self::FetchBundle(id) => {
                let mut path = String::from("/management/bundle?bundleId=");
                path.extend(byte_serialize(id.as_str().as_bytes()));
                return Cow::Owned(path);
            }
            Self::Message { .. } => "/messaging/message",
        })
    }

    /// The JSON of the body. `None`: it is empty.
    pub fn body(&self) -> Option<SecretText> {
        let mut body = Object::default();
        match self {
            Self::LineLinks | Self::DeleteSuperport(_) | Self::SuperportLimit(_) | Self::FetchBundle(_) => return None,
            Self::Connect { kind, port_id, ticket, intro } => {
                if let Some(ticket) = ticket {
                    body.hex("ticket", ticket.expose());
                }
                let key = match kind {
                    PortKind::Port => "lineLinkId",
                    PortKind::Superport => "lineSuperportId",
                    PortKind::ContactPort => "contactPortId",
                };
                body.hex(key, port_id.as_bytes()).value("introMessage", intro.to_json())
            }
            Self::Disconnect(line_id) | Self::Retry(line_id) => body.hex("lineId", line_id.as_bytes()),
            Self::CreateSuperport { limit } => body.value("limit", limit),
            Self::SetSuperportLimit { port_id, limit, uses } => {
                body.value("limit", limit).value("uses", uses).hex("lineSuperportId", port_id.as_bytes())
            }
            Self::PauseSuperport(id) | Self::ResumeSuperport(id) => body.hex("lineSuperportId", id.as_bytes()),
            Self::CreateContactPort { line_id, active } => {
                body.hex("lineId", line_id.as_bytes()).value("active", active)
            }
            Self::ShareTicket { contact_port, ticket, line_id, message } => body
                .hex("contactPort", contact_port.as_bytes())
                .hex("ticket", ticket.expose())
                .hex("lineId", line_id.as_bytes())
                .value("message", message.to_json()),
            // An array, under the name of one.
            Self::PauseContactPorts(ids) | Self::ResumeContactPorts(ids) => {
                body.value("contactPort", hex_array(ids.iter().map(LineLink::as_bytes)))
            }
            Self::Message { line_id, content, silent } => body
                .string("type", "line")
                .value("message", content.to_json())
                .hex("chatId", line_id.as_bytes())
                .value("silent", silent),
        };
        Some(body.end())
    }

    /// Whether a response of this status says that it was done: any of 200 to 299; and 404 where the end of something, its pause or its
    /// resumption was asked for, for then it is no more, and to ask again is of no use.
    pub const fn is_done(&self, status: u16) -> bool {
        let is_end = matches!(
            self,
            Self::Disconnect(_)
                | Self::DeleteSuperport(_)
                | Self::PauseSuperport(_)
                | Self::ResumeSuperport(_)
                | Self::PauseContactPorts(_)
                | Self::ResumeContactPorts(_)
        );
        matches!(status, 200..=299) || is_end && status == 404
    }
}
