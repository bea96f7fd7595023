//! What is said along a line of the app (§17.5), and the form in which it is said (§17.6).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::base64;
use super::bundle::Grant;
use super::cipher;
use super::error::MessageError;
use super::json::{self, Hex, Object, Text, is_truthy, present};
use super::text::SecretText;
use crate::id::LineLink;
use crate::port::ticket::{self, TicketNotice};
use crate::proof::SharedSecret;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// The longest `IV ‖ ciphertext` that is sealed, and that is decrypted: 64 KiB. The app refuses to send much less.
pub const MAX_ENCRYPTED_CONTENT: usize = 65_536;

/// A line of the app, sealed by AES-256-CBC under the raw secret. **Nothing on it is authenticated** (§17.9): whoever carries a message
/// can change it, send it back or send it again, and it opens. Of what it says, nothing is certain.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct UnauthenticatedKey(#[n(0)] SharedSecret);

impl UnauthenticatedKey {
    pub(crate) const fn new(secret: SharedSecret) -> Self {
        Self(secret)
    }

    /// A line that was kept.
    pub const fn from_secret(secret: Secret<32>) -> Self {
        Self(SharedSecret::from_raw(secret))
    }

    /// The key, to be kept. Whoever has it reads everything that was and will be said on this line.
    pub const fn secret(&self) -> &Secret<32> {
        self.0.raw()
    }

    /// Seals a message. `iv` is drawn for it and nothing else.
    ///
    /// # Errors
    /// [`MessageError::TooLong`]: split it.
    pub fn seal(&self, iv: [u8; 16], text: &str) -> Result<EncryptedContent, MessageError> {
        if cipher::encrypted_len(text.len()) > MAX_ENCRYPTED_CONTENT {
            return Err(MessageError::TooLong);
        }
        Ok(EncryptedContent(cipher::encrypt(self.0.raw(), &iv, text.as_bytes())))
    }

    /// Opens a message: the other end may have said that, or something like it.
    ///
    /// # Errors
    /// [`MessageError::Forged`], for every cause. That it opens is no sign that it is genuine.
    pub fn open(&self, sealed: &EncryptedContent) -> Result<SecretText, MessageError> {
        let text = cipher::decrypt(self.0.raw(), &sealed.0).ok_or(MessageError::Forged)?;
        text.into_text().ok_or(MessageError::Forged)
    }
}

/// `{encryptedContent}`: a sealed message.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedContent(Vec<u8>);

impl EncryptedContent {
    /// Reads one. A `content` beside it, which the app would take for a message in the clear, is ignored (§17.5).
    ///
    /// # Errors
    /// [`MessageError::Malformed`] if it is none, [`MessageError::TooLong`] if it is longer than [`MAX_ENCRYPTED_CONTENT`]. Drop it.
    pub fn from_json(json: &str) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
        struct Fields<'a> {
            encrypted_content: Text<'a>,
        }

        let Fields { encrypted_content } = json::read(json).ok_or(MessageError::Malformed)?;
        if encrypted_content.len() > MAX_ENCRYPTED_CONTENT.div_ceil(3).saturating_mul(4) {
            return Err(MessageError::TooLong);
        }
        base64::read(&encrypted_content, MAX_ENCRYPTED_CONTENT).map(Self).ok_or(MessageError::Malformed)
    }

    /// Its JSON, byte for byte as the app writes it.
    pub fn to_json(&self) -> SecretText {
        Object::default().string("encryptedContent", &base64::write(&self.0)).end()
    }
}

impl fmt::Debug for EncryptedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedContent([{} bytes])", self.0.len())
    }
}

/// The name of a message: 16 random bytes. To know one again that is sent twice, or back, keep its [`mark`](MessageId::mark).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// What to keep of each message that was opened *or sealed*, as unique: one whose mark is there already is to be dropped, for nothing
    /// else stops a replay. The first byte is no part of it: it stands in the first block, where whoever carries the message changes it
    /// unseen (§17.6).
    pub const fn mark(&self) -> [u8; 15] {
        let [_, mark @ ..] = self.0;
        mark
    }
}

impl From<[u8; 16]> for MessageId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// What is sealed. What it is about is the app's matter, but for contact ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Its name.
    pub id: MessageId,
    /// What it says.
    pub content: Content<'a>,
    /// The members behind `data`. All but tickets have them: of one, it is neither read nor written.
    pub tail: Option<Tail<'a>>,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content<'a> {
    /// Type 25: the other end's contact port, to introduce others by.
    ContactPortBundle(Grant),
    /// Type 26: the other end shared this contact port of ours with this ticket.
    ContactPortTicket {
        /// The contact port's `portId`.
        contact_port: LineLink,
        /// The ticket.
        ticket: Secret<16>,
    },
    /// Any other.
    Other {
        /// The app's number of it.
        content_type: u32,
        /// The JSON of `data`, as it stands.
        data: &'a str,
    },
}

const CONTACT_PORT_BUNDLE: u32 = 25;
const CONTACT_PORT_TICKET: u32 = 26;

/// What it answers, and when it is to vanish.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tail<'a> {
    /// `replyId`: the message that this one answers.
    pub reply_id: Option<Cow<'a, str>>,
    /// `expiresOn`, as the app writes times.
    pub expires_on: Option<Cow<'a, str>>,
}

impl<'a> Message<'a> {
    /// Reads what was opened.
    ///
    /// # Errors
    /// [`MessageError::Malformed`]: drop it.
    pub fn from_json(json: &'a str) -> Result<Self, MessageError> {
        Self::read(json).ok_or(MessageError::Malformed)
    }

    /// Its JSON, byte for byte as the app writes it.
    ///
    /// # Errors
    /// [`MessageError::Malformed`] if the `data` of a [`Content::Other`] is not JSON.
    pub fn to_json(&self) -> Result<SecretText, MessageError> {
        let mut message = Object::default();
        message.hex("messageId", &self.id.0);
        match &self.content {
            Content::ContactPortBundle(grant) => {
                let data = Object::default().value("bundle", grant.to_json()).end();
                message.value("contentType", CONTACT_PORT_BUNDLE).value("data", data)
            }
            Content::ContactPortTicket { contact_port, ticket } => {
                let data = Object::default()
                    .hex("ticketId", ticket.expose())
                    .hex("contactPortId", contact_port.as_bytes())
                    .end();
                message.value("contentType", CONTACT_PORT_TICKET).value("data", data)
            }
            Content::Other { content_type, data } => {
                serde_json::from_str::<IgnoredAny>(data).map_err(|_| MessageError::Malformed)?;
                message.value("contentType", content_type).value("data", data)
            }
        };
        let tail = self.tail.as_ref().filter(|_| self.content.has_tail());
        if let Some(Tail { reply_id, expires_on }) = tail {
            for (key, value) in [("replyId", reply_id), ("expiresOn", expires_on)] {
                match value {
                    Some(text) => message.string(key, text),
                    None => message.value(key, "null"),
                };
            }
        }
        Ok(message.end())
    }

    fn read(json: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            message_id: Hex<16>,
            content_type: u32,
            #[serde(borrow)]
            data: &'a RawValue,
            #[serde(borrow, default, deserialize_with = "present")]
            reply_id: Option<Option<Text<'a>>>,
            #[serde(borrow, default, deserialize_with = "present")]
            expires_on: Option<Option<Text<'a>>>,
        }

        let fields: Fields<'a> = json::read(json)?;
        let content = Content::read(fields.content_type, fields.data.get())?;
        let is_there = fields.reply_id.is_some() || fields.expires_on.is_some();
        let tail = (is_there && content.has_tail()).then(|| Tail {
            reply_id: fields.reply_id.flatten().map(Text::into_cow),
            expires_on: fields.expires_on.flatten().map(Text::into_cow),
        });
        Some(Self { id: fields.message_id.into(), content, tail })
    }
}

impl<'a> Content<'a> {
    /// What Alice is to be told of, by [`tell`](crate::AliceOf::tell) of the contact port's; `None` if it is no ticket. The app does not say
    /// what the introducer calls himself, nor until when the ticket is good: that is for the caller to decide.
    pub fn told_ticket(&self, expires: Option<UnixSeconds>) -> Option<TicketNotice> {
        let Self::ContactPortTicket { contact_port, ticket } = self else { return None };
        let ticket = ticket::hash(ticket);
        Some(TicketNotice { line_link: *contact_port, ticket, name: ticket::IntroducerName::NONE, expires })
    }

    const fn has_tail(&self) -> bool {
        !matches!(self, Self::ContactPortTicket { .. })
    }

    fn read(content_type: u32, data: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Bundle<'a> {
            #[serde(borrow, default)]
            bundle: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Ticket {
            contact_port_id: Hex<16>,
            ticket_id: Hex<16>,
        }

        match content_type {
            CONTACT_PORT_BUNDLE => match json::read::<Bundle<'_>>(data)?.bundle {
                Some(bundle) if is_truthy(bundle) => Grant::from_json(bundle.get()).ok().map(Self::ContactPortBundle),
                // The app takes one without a bundle for nothing.
                _ => Some(Self::Other { content_type, data }),
            },
            CONTACT_PORT_TICKET => {
                let Ticket { contact_port_id, ticket_id } = json::read(data)?;
                Some(Self::ContactPortTicket { contact_port: contact_port_id.into(), ticket: ticket_id.0 })
            }
            _ => Some(Self::Other { content_type, data }),
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContactPortBundle(grant) => f.debug_tuple("ContactPortBundle").field(grant).finish(),
            Self::ContactPortTicket { contact_port: _, ticket: _ } => f.write_str("ContactPortTicket(..)"),
            Self::Other { content_type, data: _ } => write!(f, "Other({content_type}, ..)"),
        }
    }
}

impl fmt::Debug for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reply_id: _, expires_on: _ } = self;
        f.write_str("Tail(..)")
    }
}
