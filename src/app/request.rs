//! Request: a request to the app's server (§17.8), as method, path and body. The caller sends it over HTTPS with the header
//! `Authorization: TOKEN`, without `Bearer`.

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

/// An HTTP method.
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
    /// The name of the method, in capitals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to the app's server (§17.8). We upload no bundle, so no request does (§17.9).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request<'a> {
    /// Gets ids for plain Ports. The server decides how many. Answer: [`response::line_links`](super::response::line_links).
    LineLinks,
    /// Uses a bundle, as Bob. Answer: [`response::connected`](super::response::connected).
    Connect {
        /// How the bundle may be used.
        kind: PortKind,
        /// The id of the bundle.
        port_id: LineLink,
        /// The ticket of a contact port, 16 bytes. `None` for any other kind.
        ticket: Option<&'a Secret<16>>,
        /// Bob's proof that it holds the bundle.
        intro: &'a Intro,
    },
    /// Ends the line.
    Disconnect(LineId),
    /// Asks the server to tell the other end of the line again. The app sends this no more, and how its server answers is not known.
    Retry(LineId),
    /// Makes a Superport, and gets its id. Answer: [`response::superport`](super::response::superport).
    CreateSuperport {
        /// How many may use it. [`Alice`](super::Alice) always asks for 2³¹ - 1, because it counts the uses itself (§17.10).
        limit: u32,
    },
    /// Sets another limit of a Superport. The app sends this no more, and how its server answers is not known.
    SetSuperportLimit {
        /// The Superport.
        port_id: LineLink,
        /// How many may use it.
        limit: u32,
        /// How many have used it.
        uses: u32,
    },
    /// Gets the server's limit of a Superport. The app sends this no more, and how its server answers is not known. Answer, as the app read
    /// it: [`response::superport_limit`](super::response::superport_limit).
    SuperportLimit(LineLink),
    /// Deletes the Superport.
    DeleteSuperport(LineLink),
    /// Pauses the Superport: the server lets nobody use it for now.
    PauseSuperport(LineLink),
    /// Resumes the Superport after a pause.
    ResumeSuperport(LineLink),
    /// Makes a contact port for the other end of this line to introduce others with, and gets its id. Answer:
    /// [`response::contact_port`](super::response::contact_port).
    CreateContactPort {
        /// The line with the introducer.
        line_id: LineId,
        /// Whether the contact port can be used at once. `false`: it is paused.
        active: bool,
    },
    /// Announces a ticket for the contact port of the other end of this line. The server hands the message to the owner before it lets a
    /// peer use that ticket. Send this before you hand the bundle over (§17.10).
    ShareTicket {
        /// The contact port.
        contact_port: LineLink,
        /// The ticket, 16 bytes.
        ticket: &'a Secret<16>,
        /// The line with the owner of the contact port.
        line_id: LineId,
        /// A [`Content::ContactPortTicket`](super::Content::ContactPortTicket), sealed for that line.
        message: &'a EncryptedContent,
    },
    /// Pauses these contact ports: the server lets nobody use them for now.
    PauseContactPorts(&'a [LineLink]),
    /// Resumes these contact ports after a pause.
    ResumeContactPorts(&'a [LineLink]),
    /// Gets the bundle of a short link, by the link's id. Answer: [`response::bundle`](super::response::bundle).
    FetchBundle(&'a SecretText),
    /// Sends a message along a line.
    Message {
        /// The line.
        line_id: LineId,
        /// The sealed message.
        content: &'a EncryptedContent,
        /// Whether the other end's device stays quiet.
        silent: bool,
    },
}

impl<'a> Request<'a> {
    /// The request by which Bob uses this bundle. `intro` is made for the same bundle.
    pub const fn connect(bundle: &'a Bundle, intro: &'a Intro) -> Self {
        Self::Connect { kind: bundle.kind(), port_id: bundle.port_id(), ticket: bundle.ticket(), intro }
    }
}

impl Request<'_> {
    /// The HTTP method.
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

    /// The path with its query, to be appended to `https://HOST`. The path of [`FetchBundle`](Self::FetchBundle) leads to a bundle: keep it
    /// out of logs.
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

    /// The JSON of the body. `None`: the request has no body.
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
            // §17.8: the member's name is in the singular, but its value is an array.
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

    /// Whether a response with this HTTP status means success (§17.8). Any of 200 to 299 does. For a request that ends, pauses or resumes
    /// something, 404 does, too: it is gone already. Do not send such a request again.
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
